"""Disorder of a box distribution."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.disorder.disorder import Disorder


class Uniform(Disorder):
    """Independent on-site energies, uniform in [-half_width, half_width]."""

    kind: Literal["uniform"] = "uniform"
    half_width: float = quantity("disorder half-width", "t", ge=0)

    def energies(self, sites: int, rng: np.random.Generator) -> np.ndarray:
        """Return the energies of one sample, see `Disorder`."""
        return self.half_width * rng.uniform(-1.0, 1.0, sites)
