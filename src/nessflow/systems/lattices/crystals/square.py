"""Square lattice."""

from typing import Literal

from nessflow.systems.lattices.crystals.crystal import Plane


class Square(Plane):
    """Square lattice: x is the column and y the row, directions x and y.

    Columns and rows are numbered as a strip, site = (column - 1) * width + row, all from 1; the
    sites of a shape by x, and by y where x is the same.
    """

    kind: Literal["square"] = "square"
