"""Honeycomb lattice."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nessflow.systems.lattices.crystals.crystal import Plane


class Honeycomb(Plane):
    """Honeycomb lattice of the sublattices A and B, with zigzag or armchair rows along x.

    Columns are periods of the ribbon, rows its zigzag chains or its lines of dimers; a row has one
    site A and one B in each column, site = 2 * ((column - 1) * width + row - 1) + 1 of A, + 2 of B.
    A is coupled to the B of its row and column; with the edge zigzag B to the A of the next column
    and to that of the next row, so that the columns lean at 60 degrees; with the edge armchair B to
    the A of the rows beside, in its column from odd rows and in the next one from even rows.  The
    sites of a shape are numbered by x, and by y where x is the same.

    Directions a, b and c lead from A to B, at 30, 150 and 270 degrees (zigzag) or 0, 120 and 240
    degrees (armchair); (0, 0) is the place of an A.  The flux is that of a hexagon.
    """

    kind: Literal["honeycomb"] = "honeycomb"
    edge: Literal["zigzag", "armchair"] = Field("zigzag", description="edge along x")

    plaquette: ClassVar = 6

    @property
    def _is_zigzag(self) -> bool:
        return self.edge == "zigzag"

    @property
    def unit(self) -> tuple[float, float]:
        """What places are counted in, see `Crystal`."""
        return (0.5 * np.sqrt(3), 0.5) if self._is_zigzag else (0.5, 0.5 * np.sqrt(3))

    @property
    def period(self) -> tuple[int, int]:
        """After which it repeats itself, see `Crystal`."""
        return (2, 6) if self._is_zigzag else (6, 2)

    @property
    def basis(self) -> tuple[tuple[int, int], ...]:
        """A and B of a cell, see `Crystal`."""
        return ((0, 0), (1, 1)) if self._is_zigzag else ((0, 0), (2, 0))

    @property
    def directions(self) -> Mapping[str, tuple[int, int]]:
        """From A to each B, see `Crystal`."""
        if self._is_zigzag:
            return {"a": (1, 1), "b": (-1, 1), "c": (0, -2)}
        return {"a": (2, 0), "b": (-1, 1), "c": (-1, -1)}

    def origin(self, cells: np.ndarray) -> np.ndarray:
        """Return the places of cells, see `Crystal`."""
        column, row = np.moveaxis(cells, -1, 0)
        if self._is_zigzag:
            return np.stack([2 * column + row, 3 * row], axis=-1)
        return np.stack([6 * column + 3 * ((row - 1) % 2), row - 1], axis=-1)
