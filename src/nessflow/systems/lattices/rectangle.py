"""What strips and ladders have in common."""

import numpy as np

from nessflow.systems.lattices.lattice import Bonds, Graph


class Rectangle(Graph):
    """Columns of ``width`` sites, ``length`` of them, numbered column by column."""

    @property
    def sites(self) -> int:
        """Number of sites."""
        return self.length * self.width

    def rectangle_bonds(self, along: float, across: float) -> Bonds:
        """Return the bonds to the next column, then those to the next row.

        Parameters
        ----------
        along, across : float
            Hopping to the next column and to the next row, in t.
        """
        length, width = self.length, self.width
        site = np.arange(self.sites).reshape(length, width)
        first = np.concatenate([site[:-1].ravel(), site[:, :-1].ravel()])
        second = np.concatenate([site[1:].ravel(), site[:, 1:].ravel()])
        return Bonds(
            first, second, np.repeat([along, across], [(length - 1) * width, length * (width - 1)])
        )
