"""Rectangle of the square lattice."""

from typing import Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Length
from nessflow.systems.lattices.rectangle import Rectangle


class Strip(Rectangle):
    """Rectangle of the square lattice; site = (column - 1) * width + row, all from 1.

    Clean, its energies are ``-2 hopping (cos k + cos q)`` with ``k = pi m / (length + 1)`` and
    ``q = pi n / (width + 1)``.
    """

    kind: Literal["strip"] = "strip"
    length: Length = quantity("number of columns", "1")
    width: Length = quantity("number of sites in a column", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    @property
    def bonds(self) -> Bonds:
        """Bonds to the site in the next column and to that in the next row."""
        return self.rectangle_bonds(self.hopping, self.hopping)
