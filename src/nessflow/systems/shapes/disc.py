"""Disc."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.shapes.shape import TOUCHING, Shape


class Disc(Shape):
    """Disc around (0, 0)."""

    kind: Literal["disc"] = "disc"
    radius: float = quantity("radius", "a", gt=0, le=1e5)

    @property
    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What it extends over, see `Shape`."""
        return (-self.radius, self.radius), (-self.radius, self.radius)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return whether points are inside, see `Shape`."""
        return np.hypot(x, y) <= self.radius + TOUCHING
