"""Numbers that are given one by one."""

from typing import ClassVar, Literal

import numpy as np

from nessflow.parts import KeyedError, quantity
from nessflow.systems.disorder.disorder import Additive


class Array(Additive):
    """Given numbers, one for each site or bond, the same in all samples.

    Bonds are numbered as in results: by their lower, then by their higher site.
    """

    kind: Literal["array"] = "array"
    is_random: ClassVar[bool] = False
    values: tuple[float, ...] = quantity(
        "the numbers, one for each site or, on bonds, for each bond", "t", min_length=1
    )

    @property
    def least(self) -> np.ndarray:
        """The numbers, (n,)."""
        return np.array(self.values)

    def draw(self, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers, see `Disorder`."""
        return np.array(self.values)

    def require_fit(self, places: int) -> None:
        """Check that there are as many numbers as places, see `Disorder`."""
        if len(self.values) != places:
            what = "bonds" if self.on == "bonds" else "sites"
            raise KeyedError(f"{len(self.values)} values for {places} {what}", "values")
