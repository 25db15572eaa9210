"""What lattices have in common whose Hamiltonian comes as a whole."""

from abc import abstractmethod
from collections.abc import Callable, Hashable

import numpy as np
from scipy.sparse import csr_array, diags_array, issparse

from nessflow.parts import KeyedError
from nessflow.systems.described import Described, stored
from nessflow.systems.lattices.lattice import Bonds, Continuation, Ending, Lattice
from nessflow.systems.matrices import Matrix, Tridiagonal


class Given(Lattice):
    """Lattice whose Hamiltonian comes as a whole; a subclass says where from, `described`."""

    @property
    @abstractmethod
    def described(self) -> Described:
        """The system, checked."""

    def _require_orbitals(self) -> None:
        """Check that the sites have as many orbitals as they say."""
        size, orbitals = self.described.hamiltonian.shape[0], self.orbitals
        if size % orbitals:
            raise KeyedError(
                f"{size} rows are no whole number of sites with {orbitals} orbitals", "orbitals"
            )

    @property
    def sites(self) -> int:
        """Number of sites."""
        return self.described.hamiltonian.shape[0] // self.orbitals

    @property
    def positions(self) -> np.ndarray:
        """Where the sites are, see `Lattice`."""
        found = self.described.positions
        return super().positions if found is None or len(found) != self.sites else found

    @property
    def bonds(self) -> Bonds:
        """Bonds from the lower to the higher site, wherever an element is not 0."""
        n = self.orbitals
        h = csr_array(self.described.hamiltonian).tocoo()
        (row, column), values = h.coords, h.data
        later = (column // n > row // n) & (values != 0)
        row, column, values = row[later], column[later], values[later]
        pairs = (row // n).astype(np.int64) * self.sites + column // n
        known, place = np.unique(pairs, return_inverse=True)
        hopping = np.zeros((known.size, n, n), values.dtype)
        hopping[place, row % n, column % n] = -values
        first, second = np.divmod(known, self.sites)
        return Bonds(first, second, hopping if n > 1 else hopping[:, 0, 0])

    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> np.ndarray | Matrix | csr_array:
        """Return the matrix, see `Lattice`."""
        energies = np.repeat(np.zeros(self.sites) + disorder, self.orbitals)
        clean = self.described.stored
        if not energies.any():
            return clean
        if isinstance(clean, Tridiagonal):
            return Tridiagonal(clean.diagonal + energies, clean.upper)
        if issparse(clean):
            return csr_array(clean + diags_array(energies))
        return clean + np.diag(energies)

    @property
    def rates(self) -> tuple[np.ndarray | Matrix | csr_array | None, ...]:
        """Loss and gain that come with the lattice, see `Lattice`."""
        found = self.described.loss, self.described.gain
        return tuple(None if each is None else stored(each) for each in found)

    def continuation(self, side: str) -> Continuation | Ending:
        """Return a lead that comes with the lattice, see `Lattice`; by its name."""
        leads = self.described.leads
        if leads and side not in leads:
            raise ValueError(
                f"the lattice of the kind {self.kind} has no lead {side!r}, but "
                f"{', '.join(leads)}; write side: {next(iter(leads))} in the lead, or name it so"
            )
        return leads[side] if leads else super().continuation(side)


_known: dict[Hashable, Described] = {}
_LAST = 4
"""Systems that are kept as they were made: points of a study mostly have one."""


def kept(key: Hashable, make: Callable[[], Described]) -> Described:
    """Return a system that is made once for all lattices with the same key, of the last few."""
    if key not in _known:
        while len(_known) >= _LAST:
            _known.pop(next(iter(_known)))
        _known[key] = make()
    return _known[key]
