"""Rectangle."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.shapes.shape import TOUCHING, Shape


class Rectangle(Shape):
    """Rectangle from a corner (x, y) to (x + length - 1, y + width - 1).

    Of a square lattice it has ``length`` columns and ``width`` rows.
    """

    kind: Literal["rectangle"] = "rectangle"
    corner: tuple[float, float] = quantity("lowest x and lowest y", "a", (1.0, 1.0))
    length: float = quantity("length along x, the first column included", "a", ge=1, le=1e5)
    width: float = quantity("width along y, the first row included", "a", ge=1, le=1e5)

    @property
    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What it extends over, see `Shape`."""
        x, y = self.corner
        return (x, x + self.length - 1), (y, y + self.width - 1)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return whether points are inside, see `Shape`."""
        along, across = self.box
        return within(x, *along) & within(y, *across)


def within(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return whether numbers are between two others, or one of them."""
    return (low - TOUCHING <= x) & (x <= high + TOUCHING)
