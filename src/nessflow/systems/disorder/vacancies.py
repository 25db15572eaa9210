"""Sites that are not there."""

from typing import ClassVar, Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.disorder.disorder import Disorder


class Vacancies(Disorder):
    """Sites taken out at random, each with the same probability.

    A vacancy is coupled to no site, no lead, no loss and no gain, and holds nothing.  A site that
    is vacant at one concentration is so at every larger one.
    """

    kind: Literal["vacancies"] = "vacancies"
    on: ClassVar[str] = "presence"
    concentration: float = quantity("share of sites that are vacant, on average", "1", ge=0, le=1)

    def draw(self, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return which sites are vacant, (n,) bool, see `Disorder`."""
        return rng.uniform(size=len(positions)) < self.concentration
