"""Disorder of a box distribution."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.disorder.disorder import Additive


class Uniform(Additive):
    """Independent numbers, uniform in [-half_width, half_width]."""

    kind: Literal["uniform"] = "uniform"
    half_width: float = quantity("disorder half-width", "t", ge=0)

    @property
    def least(self) -> float:
        """The lower end of the box."""
        return -self.half_width

    def draw(self, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers of one sample, see `Disorder`."""
        return self.half_width * rng.uniform(-1.0, 1.0, len(positions))
