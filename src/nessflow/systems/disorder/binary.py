"""Disorder of two values: random alloys."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.disorder.disorder import Additive, chosen


class Binary(Additive):
    """Independent numbers, each one of two values: a random alloy.

    A place that has the second value at one concentration has it at every larger one.
    """

    kind: Literal["binary"] = "binary"
    values: tuple[float, float] = quantity("the two values", "t")
    concentration: float = quantity(
        "share of places that have the second value, on average", "1", 0.5, ge=0, le=1
    )

    @property
    def least(self) -> float:
        """The smaller of the two."""
        return min(self.values)

    @property
    def is_random(self) -> bool:
        """Whether both values may come, see `Disorder`."""
        return 0 < self.concentration < 1

    def draw(self, positions: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """Return the numbers of one sample, see `Disorder`."""
        return np.where(chosen(self.concentration, len(positions), rng), *self.values[::-1])
