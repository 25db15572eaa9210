"""Green's functions of any sparse geometry by banded LU factors, O(N b^2) for each energy.

Reverse Cuthill-McKee numbering brings the elements of ``w - X - Sigma`` within ``b`` of the
diagonal: about the number of sites across a strip, 2 on a ladder or a ring, the number of arms of a
star.  LAPACK then factorises with partial pivoting, so that no level of a part of the system is
special, and each contact costs one more solve, O(N b).  A state that no terminal reaches
(`nessflow.solvers.dark_states`) with a level at the energy is split off.  On ladders, rings and
stars this is three to four times as fast as the general sparse factorisation of SciPy, on strips 40
wide 1.5 times (benchmarks/geometry.py).

Memory is twice ``3 b N`` complex numbers and one for each site and contact, at any number of
energies.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.linalg.lapack import zgbtrf, zgbtrs

from nessflow.solvers.dark_states import dark_states_near, hamiltonian_norm, unreached_sites
from nessflow.systems.batch import one_by_one
from nessflow.systems.matrices import as_sparse, bandwidth_order
from nessflow.systems.system import OpenSystem, remembered

_BATCH_BYTES = 2**25
"""Memory of the rows or columns of Green's functions that are held at a time."""


@dataclass(frozen=True, eq=False)
class Banded:
    """What does not depend on the energy, with sites in an order of small bandwidth.

    Attributes
    ----------
    order, place : (N,) int
        Sites in their new order, and the new number of each.
    width : int
        Bandwidth b.
    damping, loss, gain : (N, N) sparse complex
        ``X``, ``2P`` and ``2Q`` in the new order, in t.
    storage : (3 b + 1, N) complex
        ``-X`` as LAPACK wants it.
    """

    order: np.ndarray
    place: np.ndarray
    width: int
    damping: scipy.sparse.csr_array
    storage: np.ndarray
    loss: scipy.sparse.csr_array
    gain: scipy.sparse.csr_array


@remembered
def banded_matrices(system: OpenSystem) -> Banded:
    """Return the matrices of a system in an order of small bandwidth.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    Banded
        Kept for the next call.
    """
    matrices = system.hamiltonian, system.loss, system.gain
    hamiltonian, loss, gain = (as_sparse(matrix).matrix for matrix in matrices)
    first, second = system.coupling.links.T
    joined = scipy.sparse.coo_array((np.ones(first.size), (first, second)), shape=loss.shape)
    pattern = abs(hamiltonian) + abs(loss) + abs(gain) + joined + joined.T
    order, width = bandwidth_order(pattern.tocsr())
    hamiltonian, loss, gain = (m[order][:, order] for m in (hamiltonian, loss, gain))
    damping = (hamiltonian - 1j * (loss + gain)).tocsr()
    elements = damping.tocoo()
    storage = np.zeros((3 * width + 1, system.sites), complex, order="F")
    row, column = elements.coords
    storage[2 * width + row - column, column] = -elements.data
    place = np.argsort(order)
    return Banded(order, place, width, damping, storage, (2 * loss).tocsr(), (2 * gain).tocsr())


class _Factorised:
    """``w - X - Sigma`` at one energy, in the order of `Banded`, dark states split off.

    With ``i kappa`` added on as many sites as there are dark states D near the energy the matrix M
    is regular and has its bands.  ``x = M^-1 b - M^-1 E (D^+ M^-1 E)^-1 D^+ M^-1 b``, with E these
    sites, has nothing of D and solves the original equations for every b without any of D.
    """

    def __init__(
        self,
        banded: Banded,
        energy: float,
        contacts: tuple[np.ndarray, np.ndarray],
        sigma: np.ndarray,
        dark: np.ndarray,
        kappa: float,
    ):
        self._width, self._dark = banded.width, dark
        storage = banded.storage.copy(order="F")
        storage[2 * banded.width] += energy
        row, column = contacts
        storage[2 * banded.width + row - column, column] -= sigma
        sites = np.empty(0, int)
        if dark.size:
            _, _, sites = scipy.linalg.qr(dark.conj().T, mode="economic", pivoting=True)
            sites = sites[: dark.shape[1]]
            storage[2 * banded.width, sites] += 1j * kappa
        self._factors, self._pivots, info = zgbtrf(
            storage, banded.width, banded.width, overwrite_ab=True
        )
        self._singular = info > 0
        self._sites = np.zeros(dark.shape, complex, order="F")
        self._sites[sites, range(sites.size)] = 1.0

    def _regular(self, sources: np.ndarray, transposed: bool) -> np.ndarray:
        bands = self._factors, self._width, self._width
        return zgbtrs(*bands, sources, self._pivots, trans=int(transposed))[0]

    def solve(self, sources: np.ndarray, transposed: bool = False) -> np.ndarray:
        """Return ``G sources``, or ``G^T sources``, without dark states; (N, s)."""
        if self._singular:
            return np.full_like(sources, np.nan)
        if not self._dark.size:
            return self._regular(sources, transposed)
        dark = self._dark.conj() if transposed else self._dark
        solution = self._regular(sources - dark @ (dark.conj().T @ sources), transposed)
        columns = self._regular(self._sites, transposed)
        missing = np.linalg.solve(dark.conj().T @ columns, dark.conj().T @ solution)
        return solution - columns @ missing


def _factorised(system: OpenSystem, energies: np.ndarray) -> Iterator[_Factorised]:
    banded, kappa = banded_matrices(system), hamiltonian_norm(system)
    contacts = tuple(banded.place[x] for x in system.coupling.elements)
    none = np.empty((system.sites, 0), complex)
    proved = unreached_sites(system).size == 0

    @functools.lru_cache(maxsize=2)
    def at(energy: float) -> _Factorised:
        sigma = system.contact_self_energy(np.array([energy]))[0]
        return _Factorised(banded, energy, contacts, sigma, none, kappa)

    def solve(energy: float, sources: np.ndarray) -> np.ndarray:
        return at(energy).solve(np.asfortranarray(sources[banded.order]))[banded.place]

    for energy, sigma in zip(energies, system.contact_self_energy(energies), strict=True):
        dark = none if proved else dark_states_near(system, energy, solve).vectors[banded.order]
        if dark.size:
            yield _Factorised(banded, energy, contacts, sigma, dark, kappa)
        else:
            yield at(energy)


def solve_at(
    system: OpenSystem, energy: float, sources: np.ndarray, adjoint: bool = False
) -> np.ndarray:
    """Return ``G sources`` or ``G^+ sources`` without states that no terminal reaches.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energy : float
        In t.
    sources : (N, s) complex array
        Right-hand sides.
    adjoint : bool
        Whether ``G^+`` is meant.

    Returns
    -------
    (N, s) complex array
        nan where the energy is a pole.
    """
    return solve_both(system, energy, sources, (adjoint,))[0]


def solve_both(
    system: OpenSystem,
    energy: float,
    sources: np.ndarray,
    adjoints: tuple[bool, ...] = (False, True),
) -> list[np.ndarray]:
    """Return ``G sources`` and ``G^+ sources`` from one factorisation, see `solve_at`.

    Parameters
    ----------
    system, energy, sources
        As of `solve_at`.
    adjoints : tuple of bool
        Of which solutions ``G^+`` is meant.

    Returns
    -------
    list of (N, s) complex array
        A solution for each.
    """
    banded = banded_matrices(system)
    (factors,) = _factorised(system, np.array([energy]))
    ordered = np.asfortranarray(sources[banded.order])
    solutions = [
        factors.solve(ordered.conj(), transposed=True).conj() if adjoint else factors.solve(ordered)
        for adjoint in adjoints
    ]
    return [solution[banded.place] for solution in solutions]


def _contact_rows_of_green(
    system: OpenSystem, energies: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``v^+ G`` of the contacts, transposed, (N, e, c), for a batch of energies."""
    n, count = system.sites, system.coupling.count
    sources = system.coupling.columns(n, banded_matrices(system).place).conj()
    size = max(1, _BATCH_BYTES // (16 * n * max(count, 1)))
    for start in range(0, energies.size, size):
        batch = slice(start, min(start + size, energies.size))
        rows = np.empty((n, batch.stop - start, count), complex)
        for k, factorised in enumerate(_factorised(system, energies[batch])):
            rows[:, k] = factorised.solve(sources, transposed=True)
        yield batch, rows


def _weighted(matrix: scipy.sparse.csr_array, rows: np.ndarray) -> np.ndarray:
    """Return ``rows matrix`` for transposed rows, (N, e, c)."""
    return (matrix.T @ rows.reshape(len(rows), -1)).reshape(rows.shape)


@one_by_one
def contact_rows(
    system: OpenSystem, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `nessflow.solvers.dense.contact_rows` does, for matrices with few elements.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    green : (E, c, c) complex
        ``v_a^+ G v_b`` between the vectors of the contacts, in 1/t.
    loss, gain : (E, c) float
        ``v_a^+ G 2P G^+ v_a``, and with ``2Q``, in 1/t.
    """
    banded, count = banded_matrices(system), system.coupling.count
    green = np.empty((energies.size, count, count), complex)
    loss, gain = np.zeros((2, energies.size, count))
    for batch, rows in _contact_rows_of_green(system, energies):
        green[batch] = np.moveaxis(system.coupling.collected(rows, banded.place), 0, -1)
        for matrix, into in ((banded.loss, loss), (banded.gain, gain)):
            if matrix.nnz:
                positive = np.sum((_weighted(matrix, rows) * rows.conj()).real, axis=0)
                into[batch] = np.maximum(positive, 0.0)  # but for rounding where waves cancel
    return green, loss, gain


@one_by_one
def contact_correlations(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``G 2P G^+`` and ``G 2Q G^+`` between different contacts.

    The diagonals, which `contact_rows` has, are zero.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    loss, gain : (E, c, c) complex
        In 1/t.
    """
    banded, count = banded_matrices(system), system.coupling.count
    result = np.zeros((2, energies.size, count, count), complex)
    if count < 2:
        return result[0], result[1]
    for batch, rows in _contact_rows_of_green(system, energies):
        for matrix, into in zip((banded.loss, banded.gain), result, strict=True):
            if matrix.nnz:
                weighted = np.moveaxis(_weighted(matrix, rows), 0, -1)
                into[batch] = weighted @ rows.conj().swapaxes(0, 1)
    result[:, :, range(count), range(count)] = 0.0
    return result[0], result[1]


def _touched(matrix: scipy.sparse.csr_array) -> np.ndarray:
    """Return the sites with any element."""
    return np.flatnonzero(np.diff(matrix.indptr))


@one_by_one
def interior_traces(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``Tr[2P G 2Q G^+]`` and ``Tr[2Q G 2P G^+]``.

    Takes two or four solves for each site of that matrix, loss or gain, which touches fewer: cheap
    for a few monitored sites, O(N^2 b) when both touch all.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    loss_gain, gain_loss : (E,) float
        Transmissions from gain to loss and from loss to gain.
    """
    banded = banded_matrices(system)
    by_gain = _touched(banded.gain).size <= _touched(banded.loss).size
    few, many = (banded.gain, banded.loss) if by_gain else (banded.loss, banded.gain)
    sites = _touched(few)
    chunks = np.array_split(sites, -(-64 * system.sites * sites.size // _BATCH_BYTES) or 1)
    columns, rows = np.zeros((2, energies.size))
    for k, factorised in enumerate(_factorised(system, energies)):
        for chunk in chunks:
            columns[k] += _trace(factorised, chunk, few, many, transposed=False)
            rows[k] += _trace(factorised, chunk, few, many, transposed=True)
    return (columns, rows) if by_gain else (rows, columns)


def _trace(
    factorised: _Factorised,
    sites: np.ndarray,
    few: scipy.sparse.csr_array,
    many: scipy.sparse.csr_array,
    transposed: bool,
) -> float:
    """Return the terms of ``Tr[many G few G^+]`` with a column of ``few`` at some sites.

    Transposed, ``Tr[few G many G^+] = Tr[many^T G^T few^T G^*]``.
    """
    if transposed:
        few, many = few.T, many.T
    sources = np.zeros((few.shape[0], sites.size), complex, order="F")
    sources[sites, range(sites.size)] = 1.0
    bare = factorised.solve(sources, transposed)
    chosen = few.tocsc()[:, sites]
    if np.array_equal(chosen.indices, sites):
        weighted = bare * chosen.data
    else:
        weighted = factorised.solve(np.asfortranarray(chosen.toarray()), transposed)
    return float(np.sum((many @ weighted) * bare.conj()).real)
