"""Rectangle."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.shapes.shape import TOUCHING, Shape


class Rectangle(Shape):
    """Rectangle from (1, 1) to (length, width)."""

    kind: Literal["rectangle"] = "rectangle"
    length: float = quantity("largest x, the smallest is 1", "a", ge=1, le=1e5)
    width: float = quantity("largest y, the smallest is 1", "a", ge=1, le=1e5)

    @property
    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What it extends over, see `Shape`."""
        return (1, self.length), (1, self.width)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return whether points are inside, see `Shape`."""
        return within(x, 1, self.length) & within(y, 1, self.width)


def within(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return whether numbers are between two others, or one of them."""
    return (low - TOUCHING <= x) & (x <= high + TOUCHING)
