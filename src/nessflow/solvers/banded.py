"""Green's functions of any sparse geometry by banded LU factors, O(N b^2) for each energy.

Reverse Cuthill-McKee numbering brings the elements of ``w - X - Sigma`` within ``b`` of the
diagonal: about the number of sites across a strip, 2 on a ladder or a ring, the number of arms of a
star.  LAPACK then factorises with partial pivoting, so that no level of a part of the system is
special, and each contact costs one more solve, O(N b).  A state that no terminal reaches
(`nessflow.solvers.dark_states`) with a level at the energy is split off.  On ladders, rings and
stars this is two to four times as fast as the general sparse factorisation of SciPy; wide systems
go through `nessflow.solvers.blocks` (benchmarks/geometry.py).

Memory is twice ``3 b N`` complex numbers and one for each site and contact, at any number of
energies.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.linalg.lapack import zgbtrf, zgbtrs

from nessflow.solvers.dark_states import dark_states_near, hamiltonian_norm, unreached_sites
from nessflow.solvers.dense import UNEVEN
from nessflow.systems.batch import one_by_one
from nessflow.systems.matrices import as_sparse, bandwidth_order
from nessflow.systems.system import OpenSystem, remembered, remembered_of_matrices

if TYPE_CHECKING:
    from nessflow.solvers.elimination import Blocks

_BATCH_BYTES = 2**25
"""Memory of the rows or columns of Green's functions that are held at a time."""
_KEPT_BYTES = 2**27
"""Memory of what is remembered between contacts."""


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
    """

    order: np.ndarray
    place: np.ndarray
    width: int
    damping: scipy.sparse.csr_array
    loss: scipy.sparse.csr_array
    gain: scipy.sparse.csr_array

    @functools.cached_property
    def storage(self) -> np.ndarray:
        """``-X`` as LAPACK wants it, (3 b + 1, N) complex."""
        result = np.zeros((3 * self.width + 1, self.order.size), complex, order="F")
        elements = self.damping.tocoo()
        row, column = elements.coords
        result[2 * self.width + row - column, column] = -elements.data
        return result


@remembered_of_matrices
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
    place = np.argsort(order)
    return Banded(order, place, width, damping, (2 * loss).tocsr(), (2 * gain).tocsr())


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
        self._matrix = None
        if abs(sigma).max(initial=0.0) > UNEVEN * kappa:
            self._matrix = whole(banded.damping, energy, contacts, sigma)
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

    def _refined(self, sources: np.ndarray, transposed: bool) -> np.ndarray:
        """Return the solution, of rows that differ much in size as `dense.solved` does."""
        result = self._regular(sources, transposed)
        if self._matrix is not None:
            matrix = self._matrix.T if transposed else self._matrix
            result += self._regular(np.asfortranarray(sources + matrix @ result), transposed)
        return result

    def solve(self, sources: np.ndarray, transposed: bool = False) -> np.ndarray:
        """Return ``G sources``, or ``G^T sources``, without dark states; (N, s)."""
        if self._singular:
            return np.full_like(sources, np.nan)
        if not self._dark.size:
            return self._refined(sources, transposed)
        dark = self._dark.conj() if transposed else self._dark
        solution = self._regular(sources - dark @ (dark.conj().T @ sources), transposed)
        columns = self._regular(self._sites, transposed)
        missing = np.linalg.solve(dark.conj().T @ columns, dark.conj().T @ solution)
        return solution - columns @ missing


def whole(
    damping: scipy.sparse.csr_array,
    energy: float,
    contacts: tuple[np.ndarray, np.ndarray],
    sigma: np.ndarray,
) -> scipy.sparse.csr_array:
    """Return ``X + Sigma - w``.

    Parameters
    ----------
    damping : (N, N) sparse array
        ``X``, in t.
    energy : float
        w, in t.
    contacts : two of (p,) int array
        Rows and columns of elements of ``Sigma``.
    sigma : (p,) complex array
        These, in t.

    Returns
    -------
    (N, N) sparse array
        In t.
    """
    every = np.arange(damping.shape[0])
    places = tuple(np.concatenate([x, every]) for x in contacts)
    added = np.concatenate([sigma, np.full(every.size, -energy)])
    added = scipy.sparse.coo_array((added, places), shape=damping.shape)
    return (damping + added.tocsr()).tocsr()


def _factorised(system: OpenSystem, energies: np.ndarray) -> Iterator[_Factorised]:
    banded, kappa = banded_matrices(system), hamiltonian_norm(system)
    contacts = tuple(banded.place[x] for x in system.coupling.elements)
    none = np.empty((system.sites, 0), complex)
    proved = unreached_sites(system).size == 0
    known = dict(zip(energies.tolist(), system.contact_self_energy(energies), strict=True))

    @functools.lru_cache(maxsize=2)
    def at(energy: float) -> _Factorised:
        beside = energy not in known
        sigma = system.contact_self_energy(np.array([energy]))[0] if beside else known[energy]
        return _Factorised(banded, energy, contacts, sigma, none, kappa)

    def solve(energy: float, sources: np.ndarray) -> np.ndarray:
        return at(energy).solve(np.asfortranarray(sources[banded.order]))[banded.place]

    for energy in energies.tolist():
        dark = none if proved else dark_states_near(system, energy, solve).vectors[banded.order]
        if dark.size:
            yield _Factorised(banded, energy, contacts, known[energy], dark, kappa)
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


def solutions(
    system: OpenSystem, energies: np.ndarray, sources: np.ndarray, transposed: bool = False
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``G sources`` or ``G^T sources``, without states that no terminal reaches.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.
    sources : (N, s) array
        Right-hand sides.
    transposed : bool
        Whether ``G^T`` is meant.

    Yields
    ------
    batch : slice
        Which energies, e of them.
    solution : (e, N, s) complex
        In the order of `banded_matrices`, as are the sources; nan where the energy is a pole.
    """
    sources = np.asfortranarray(sources)
    size = max(1, _BATCH_BYTES // (16 * max(sources.size, 1)))
    for start in range(0, energies.size, size):
        batch = slice(start, min(start + size, energies.size))
        result = np.empty((batch.stop - start, *sources.shape), complex)
        for k, factorised in enumerate(_factorised(system, energies[batch])):
            result[k] = factorised.solve(sources, transposed)
        yield batch, result


def product(matrix: scipy.sparse.csr_array, states: np.ndarray) -> np.ndarray:
    """Return a matrix (M, N) times states (e, N, s), each with the bits that it has alone."""
    count, n, columns = states.shape
    flat = states.swapaxes(0, 1).reshape(n, count * columns)
    return (matrix @ flat).reshape(-1, count, columns).swapaxes(0, 1)


@remembered
def _known(system: OpenSystem, solutions: Callable) -> dict[float, tuple[np.ndarray, Any, Any]]:
    """Return what was computed between the contacts last, by the energy."""
    return {}


def _between_contacts(
    system: OpenSystem, energies: np.ndarray, solutions: Callable, ordered: "Banded | Blocks"
) -> list[tuple[np.ndarray, Any, Any]]:
    """Return ``v^+ G v`` of each energy, and of loss and gain ``v^+ G 2P G^+ v``, (c, c) each.

    Remembered: transmissions, reflections and noise ask for the same energies one after the other.
    """
    known, wanted = _known(system, solutions), energies.tolist()
    missing = np.array([w for w in dict.fromkeys(wanted) if w not in known], float)
    sources = system.coupling.columns(system.sites, ordered.place).conj()
    weights = [matrix.T.tocsr() for matrix in (ordered.loss, ordered.gain)]
    found = {w: known[w] for w in wanted if w in known}
    for batch, rows in solutions(system, missing, sources, transposed=True):
        sent = [
            product(matrix, rows).swapaxes(1, 2) @ rows.conj() if matrix.nnz else None
            for matrix in weights
        ]
        for k, energy in enumerate(missing[batch].tolist()):
            green = system.coupling.collected(rows[k], ordered.place).T.copy()
            of_loss, of_gain = (None if x is None else x[k] for x in sent)
            found[energy] = green, of_loss, of_gain
    known |= found
    size = sum(x.nbytes for x in next(iter(found.values()), ()) if x is not None)
    for energy in list(known)[: -max(1, _KEPT_BYTES // max(size, 1))]:
        del known[energy]
    return [found[w] for w in wanted]


def rows_between(
    system: OpenSystem, energies: np.ndarray, solutions: Callable, ordered: "Banded | Blocks"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return `contact_rows` by `solutions` of some solver.

    Parameters
    ----------
    system, energies
        As there.
    solutions : callable
        `solutions`, or that of `nessflow.solvers.blocks`.
    ordered : Banded or Blocks
        Matrices of the system in the order of these solutions.

    Returns
    -------
    green : (E, c, c) complex
    loss, gain : (E, c) float
    """
    count = system.coupling.count
    green = np.empty((energies.size, count, count), complex)
    loss, gain = np.zeros((2, energies.size, count))
    for k, (own, *sent) in enumerate(_between_contacts(system, energies, solutions, ordered)):
        green[k] = own
        for matrix, into in zip(sent, (loss, gain), strict=True):
            if matrix is not None:
                into[k] = np.maximum(matrix.diagonal().real, 0.0)  # but for rounding
    return green, loss, gain


def correlations_between(
    system: OpenSystem, energies: np.ndarray, solutions: Callable, ordered: "Banded | Blocks"
) -> tuple[np.ndarray, np.ndarray]:
    """Return `contact_correlations`, see `rows_between`.

    Parameters
    ----------
    system, energies, solutions, ordered
        As there.

    Returns
    -------
    loss, gain : (E, c, c) complex
    """
    count = system.coupling.count
    result = np.zeros((2, energies.size, count, count), complex)
    if count < 2:
        return result[0], result[1]
    for k, (_, *sent) in enumerate(_between_contacts(system, energies, solutions, ordered)):
        for matrix, into in zip(sent, result, strict=True):
            if matrix is not None:
                into[k] = matrix
    result[:, :, range(count), range(count)] = 0.0
    return result[0], result[1]


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
    return rows_between(system, energies, solutions, banded_matrices(system))


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
    return correlations_between(system, energies, solutions, banded_matrices(system))


def touched(matrix: scipy.sparse.csr_array) -> np.ndarray:
    """Return the sites with any element, (k,) int."""
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
    by_gain = touched(banded.gain).size <= touched(banded.loss).size
    few, many = (banded.gain, banded.loss) if by_gain else (banded.loss, banded.gain)
    sites = touched(few)
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
