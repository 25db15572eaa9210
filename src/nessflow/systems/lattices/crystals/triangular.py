"""Triangular lattice."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from nessflow.systems.lattices.crystals.crystal import Plane


class Triangular(Plane):
    """Triangular lattice, with rows along x; directions a, b and c at 0, 60 and 120 degrees.

    Columns and rows are those of a parallelogram, site = (column - 1) * width + row, all from 1, at
    ``x = column + row/2``, ``y = row sqrt(3)/2``; the sites of a shape are numbered by x, and by y
    where x is the same.  The flux is that of a triangle.
    """

    kind: Literal["triangular"] = "triangular"

    unit: ClassVar = (0.5, 0.5 * np.sqrt(3))
    period: ClassVar = (2, 2)
    directions: ClassVar[Mapping] = {"a": (2, 0), "b": (1, 1), "c": (-1, 1)}

    def origin(self, cells: np.ndarray) -> np.ndarray:
        """Return the places of cells, see `Crystal`."""
        column, row = np.moveaxis(cells, -1, 0)
        return np.stack([2 * column + row, row], axis=-1)
