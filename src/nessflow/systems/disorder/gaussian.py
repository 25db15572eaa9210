"""Disorder of a normal distribution."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.disorder.disorder import Additive


class Gaussian(Additive):
    """Independent numbers of a normal distribution around 0."""

    kind: Literal["gaussian"] = "gaussian"
    standard_deviation: float = quantity("standard deviation of the disorder", "t", ge=0)

    def draw(self, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers of one sample, see `Disorder`."""
        return self.standard_deviation * rng.standard_normal(len(positions))
