"""Sites that are not there."""

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from nessflow.parts import KeyedError, quantity
from nessflow.systems.disorder.disorder import Disorder, chosen


class Vacancies(Disorder):
    """Sites taken out: those of a list, or each with the same probability.

    A vacancy is coupled to no site, no lead, no loss and no gain, and holds nothing.  A site that
    is vacant at one concentration is so at every larger one.
    """

    kind: Literal["vacancies"] = "vacancies"
    on: ClassVar[str] = "presence"
    concentration: float | None = quantity(
        "share of sites that are vacant, on average; left out where sites are listed, 1: these, "
        "and nothing is random",
        "1",
        None,
        ge=0,
        le=1,
        examples=[0.05],
    )

    @model_validator(mode="after")
    def _some_are_left(self) -> Self:
        if self.concentration is None and self.sites is None:
            raise KeyedError(
                "the share of all sites, or list the vacant ones, sites: [3, 7]", "concentration"
            )
        return self

    @property
    def share(self) -> float:
        """The concentration, 1 of sites that are listed."""
        return 1.0 if self.concentration is None else self.concentration

    @property
    def is_random(self) -> bool:
        """Whether some may be vacant and some not, see `Disorder`."""
        return 0 < self.share < 1

    def draw(self, positions: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """Return which sites are vacant, (n,) bool, see `Disorder`."""
        return chosen(self.share, len(positions), rng)
