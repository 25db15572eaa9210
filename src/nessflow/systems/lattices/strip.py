"""Rectangle of the square lattice."""

from typing import Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.crystals.crystal import Crystal
from nessflow.systems.lattices.lattice import Length


class Strip(Crystal):
    """Rectangle of the square lattice; site = (column - 1) * width + row, all from 1.

    Clean and without flux, its energies are ``-2 hopping (cos k + cos q)`` with
    ``k = pi m / (length + 1)`` and ``q = pi n / (width + 1)``.  A flux turns
    ``h[(x, y), (x + 1, y)]`` by ``e^{i flux y}``, x the column and y the row.
    """

    kind: Literal["strip"] = "strip"
    length: Length = quantity("number of columns", "1")
    width: Length = quantity("number of sites in a column", "1")

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of columns and rows."""
        return self.length, self.width
