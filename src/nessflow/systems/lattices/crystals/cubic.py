"""Cubic lattice."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.crystals.crystal import Crystal
from nessflow.systems.lattices.lattice import Length


class Cubic(Crystal):
    """Box of the cubic lattice: x is the column, y the row and z the layer, directions x, y and z.

    site = ((column - 1) * width + row - 1) * height + layer, all from 1.  The magnetic field of a
    flux is along z.
    """

    kind: Literal["cubic"] = "cubic"
    length: Length = quantity("number of sites along x", "1")
    width: Length = quantity("number of sites along y", "1")
    height: Length = quantity("number of sites along z", "1")

    unit: ClassVar = (1.0, 1.0, 1.0)
    period: ClassVar = (1, 1, 1)
    basis: ClassVar = ((0, 0, 0),)
    directions: ClassVar[Mapping] = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of columns, rows and layers."""
        return self.length, self.width, self.height
