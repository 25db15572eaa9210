"""Channels on every other site."""

from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from nessflow.parts import at_key, quantity
from nessflow.systems.channels.channel import Channels
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.places import RateOfFormula, on_sites


class Sublattice(Channels):
    """Channels sqrt(rate) c_j (loss) or sqrt(rate) c_j^+ (gain) on one of two sublattices.

    Each bond joins a site of the first sublattice, that of site 1, and one of the second: in an SSH
    chain the first and the second site of the cells.
    """

    kind: Literal["sublattice"] = "sublattice"
    rate: RateOfFormula = quantity(
        "rate on each site of the sublattice (population rate: twice this)", "t/hbar"
    )
    sublattice: int = quantity("1: that of site 1, or 2: the other", "1", ge=1, le=2)

    def require_fit(self, lattice: Lattice) -> None:
        """Check that the lattice has two sublattices and the site a rate, see `Channels`."""
        with at_key("sublattice"):
            sublattices(lattice)
        with at_key("rate"):
            self._rates(lattice)

    def matrix(self, lattice: Lattice) -> Tridiagonal:
        """Return ``P``, see `Channels`."""
        return Tridiagonal(self._rates(lattice))

    def _rates(self, lattice: Lattice) -> np.ndarray:
        chosen = np.flatnonzero(sublattices(lattice) == self.sublattice)
        rates = np.zeros(lattice.sites)
        rates[chosen] = on_sites(self.rate, lattice, 0.0, chosen)
        return rates


def sublattices(lattice: Lattice) -> np.ndarray:
    """Return the sublattice of each site: 1, or 2 where an odd number of bonds leads to one of 1.

    Of parts without a bond between them the first site of each is of sublattice 1.

    Parameters
    ----------
    lattice : Lattice
        Its bonds.

    Returns
    -------
    (N,) int array
        1 or 2.

    Raises
    ------
    ValueError
        When bonds lead around in an odd number of steps.
    """
    n, (first, second, _) = lattice.sites, lattice.bonds
    # Two copies of the sites, each bond from one copy to the other: what is even and what is odd
    # steps away falls apart where no way around is odd.
    rows = np.concatenate([first, first + n])
    columns = np.concatenate([second + n, second])
    shape = 2 * n, 2 * n
    doubled = csr_array((np.ones(rows.size), (rows, columns)), shape=shape)
    _, part = connected_components(doubled, directed=False)
    even, odd = part[:n], part[n:]
    if (even == odd).any():
        site = int(np.argmax(even == odd)) + 1
        raise ValueError(
            f"the {lattice.kind} has no two sublattices: an odd number of bonds leads from site "
            f"{site} back to it; the kind sites takes a list, a range or {{where: ...}}"
        )
    # Parts are counted in the order of their first sites, the even copy of each before the odd.
    return np.where(even < odd, 1, 2)
