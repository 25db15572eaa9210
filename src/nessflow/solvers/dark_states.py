"""States that no terminal reaches: `dark_states`, which every solver splits off.

A dark state ``H psi = E psi`` vanishes on every lead, ``v^+ psi = 0``, and ``P psi = Q psi = 0``.
Rings, stars and strips with point contacts are full of them.  ``w - X - Sigma`` is singular at its
level, but contacts and dark states live in orthogonal invariant subspaces: ``i kappa D D^+`` added,
with ``D`` all dark states, makes the matrix regular and changes nothing that a terminal sees.

First a proof that costs next to nothing.  Where a state vanishes on site i, so does
``(H psi)_i = sum_j H_ij psi_j``; if it vanishes on all but one of these j, it does on the last
(zero forcing; AIM Minimum Rank Group, Linear Algebra Appl. 428, 1628 (2008)).  A chain with a lead
at one end, a strip with a lead on every site of one end have no dark state.  Only what this leaves
is diagonalised, and levels that coincide are taken together (Hautus test: the null space of what
couples them to the rest).  The Krylov space of the contacts, the textbook's other way, loses dark
states to rounding errors, which grow at every step.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from nessflow.systems.leads.lead import Joined
from nessflow.systems.matrices import Matrix, Tridiagonal, as_sparse, gershgorin
from nessflow.systems.modes import joined_channels, joined_leads
from nessflow.systems.system import OpenSystem, Surroundings, remembered, remembered_of_matrices

_UNCOUPLED = 1e-13
"""Coupling, relative to the norm of the Hamiltonian, that double precision cannot tell from 0."""
_SAME_LEVEL = 1e-10
"""Distance of levels, relative to that norm, that are taken together."""
_NEARLY = 1e-5
"""Coupling that rounding may give to a dark state whose level has another one near."""
_MIXED = 1e-2
"""Distance of levels, relative to that norm, beyond which rounding mixes nothing that counts."""


@dataclass(frozen=True, eq=False)
class DarkStates:
    """Orthonormal states that no terminal reaches.

    Attributes
    ----------
    levels : (d,) float
        Their energies, ascending, in t.
    vectors : (N, d) complex
        In columns.
    """

    levels: np.ndarray
    vectors: np.ndarray


@remembered_of_matrices
def hamiltonian_norm(system: OpenSystem) -> float:
    """Return a bound of the norm of the Hamiltonian, 1 where that is 0.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    float
        In t.
    """
    return max(map(abs, gershgorin(system.hamiltonian))) or 1.0


# --- sites that are not proved to be reached ------------------------------------------------------


class _Elements(NamedTuple):
    """Elements of rows that a state which no terminal reaches is orthogonal to.

    Arrays of their own: matrices of scipy take longer to make than all that is asked of few sites.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    height: int

    @classmethod
    def of_matrix(cls, matrix: Matrix) -> "_Elements":
        own = as_sparse(matrix).matrix
        rows = np.repeat(np.arange(own.shape[0]), np.diff(own.indptr))
        return cls(rows, own.indices, own.data, own.shape[0])

    @classmethod
    def below_each_other(cls, parts: Sequence["_Elements"]) -> "_Elements":
        starts = np.cumsum([0, *(part.height for part in parts)])
        rows = [part.rows + start for part, start in zip(parts, starts[:-1], strict=True)]
        columns = np.concatenate([part.columns for part in parts])
        values = np.concatenate([part.values for part in parts])
        return cls(np.concatenate(rows), columns, values, int(starts[-1]))

    def chosen(self, kept: np.ndarray) -> "_Elements":
        """Return some of them, by a mask, in the rows where they are."""
        return _Elements(self.rows[kept], self.columns[kept], self.values[kept], self.height)

    def dense(self, columns: np.ndarray) -> np.ndarray:
        """Return the rows that have any element on some columns, (m, k), ascending."""
        place = np.full(max(self.columns.max(initial=-1), columns.max(initial=-1)) + 1, -1)
        place[columns] = np.arange(columns.size)
        kept = place[self.columns] >= 0
        numbers, rows = np.unique(self.rows[kept], return_inverse=True)
        result = np.zeros((numbers.size, columns.size), self.values.dtype)
        result[rows, place[self.columns[kept]]] = self.values[kept]
        return result


def _contacts(system: OpenSystem) -> _Elements:
    """Return ``v^+`` of the contacts that are coupled, of the norm of the Hamiltonian."""
    joined, contacts = joined_channels(system.joints), system.coupling
    coupled = [a not in joined and lead.model.is_coupled for a, lead in enumerate(system.leads)]
    sites, vectors, amplitudes = contacts.entries
    kept = np.isin(vectors, contacts.of_lead[coupled])
    parts = [_Elements(vectors[kept], sites[kept], amplitudes[kept].conj(), contacts.count)]
    for joint in system.joints:
        own = np.asarray(joint.lead.couplings(joint.sites.size))
        rows, columns = own.nonzero()
        parts.append(_Elements(rows, joint.sites[columns], own[rows, columns], len(own)))
    found = _Elements.below_each_other(parts)
    sizes = np.sqrt(np.bincount(found.rows, abs(found.values) ** 2, found.height))
    return found._replace(values=found.values * (hamiltonian_norm(system) / sizes[found.rows]))


@remembered
def _points(around: Surroundings) -> set[int]:
    """Return the sites that a lead couples to alone."""
    alone = (x for x in around.leads if not isinstance(x.model, Joined) and x.model.is_coupled)
    found = {lead.coupling[0][0] for lead in alone if len(lead.coupling) == 1}
    for lead, sites in joined_leads(around.leads):
        rows = lead.couplings(len(sites)) != 0
        found |= {sites[int(np.argmax(row))] for row in rows if row.sum() == 1}
    return found


def _is_reached_from_an_end(system: OpenSystem, smallest: float) -> bool:
    """Return whether a chain without a cut has a lead on its first or its last site."""
    hamiltonian = system.hamiltonian
    if not isinstance(hamiltonian, Tridiagonal):
        return False
    if not {0, system.sites - 1} & _points(system.surroundings):
        return False
    hopping = hamiltonian.upper
    hopping = hopping[:1] if hopping.strides == (0,) else hopping  # all alike
    return bool((abs(hopping) > smallest).all())


@remembered_of_matrices
def unreached_sites(system: OpenSystem) -> np.ndarray:
    """Return the sites that a state which no terminal reaches may be on.

    Parameters
    ----------
    system : OpenSystem
        The system; O(number of elements).

    Returns
    -------
    (k,) int array
        Ascending; none where zero forcing proves that there is no such state.
    """
    smallest = _UNCOUPLED * hamiltonian_norm(system)
    if _is_reached_from_an_end(system, smallest):
        return np.empty(0, int)
    rates = [matrix for matrix in (system.loss, system.gain) if matrix.any()]
    if any(gershgorin(matrix)[0] > smallest for matrix in rates):
        return np.empty(0, int)
    vanishes = np.zeros(system.sites, bool)
    matrices = [_Elements.of_matrix(matrix) for matrix in (system.hamiltonian, *rates)]
    equations = _Elements.below_each_other([*matrices, _contacts(system)])
    pattern = equations.chosen(abs(equations.values) > smallest)
    forced = True
    while forced:
        _force(vanishes, pattern)
        forced = _force_together(vanishes, equations, _NEARLY * hamiltonian_norm(system))
    return np.flatnonzero(~vanishes)


def _grouped(keys: np.ndarray, members: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return members by their keys: of key k those from ``starts[k]`` to ``starts[k + 1]``."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=count))])
    return starts, members[np.argsort(keys, kind="stable")]


def _force(vanishes: np.ndarray, pattern: _Elements) -> None:
    """Mark the sites on which a state vanishes if it does on those that are marked.

    Row i of the pattern holds if the state vanishes on site i; all rows behind those of sites hold.
    """
    unknown = np.bincount(pattern.rows[~vanishes[pattern.columns]], minlength=pattern.height)
    row_starts, sites_of = _grouped(pattern.rows, pattern.columns, pattern.height)
    column_starts, rows_of = _grouped(pattern.columns, pattern.rows, vanishes.size)
    queue: deque[int] = deque(np.flatnonzero(unknown == 1).tolist())
    while queue:
        row = queue.popleft()
        if unknown[row] != 1 or (row < vanishes.size and not vanishes[row]):
            continue
        members = sites_of[row_starts[row] : row_starts[row + 1]]
        site = int(members[~vanishes[members]][0])
        vanishes[site] = True
        touched = rows_of[column_starts[site] : column_starts[site + 1]]
        unknown[touched] -= 1
        queue.extend(touched)
        queue.append(site)


def _force_together(vanishes: np.ndarray, equations: _Elements, smallest: float) -> bool:
    """Do the same for sites that several rows determine, as the modes of a lead; was there any?"""
    holds = np.append(vanishes, np.ones(equations.height - vanishes.size, bool))
    left = equations.chosen(holds[equations.rows] & ~vanishes[equations.columns])
    if not left.rows.size:
        return False
    # Pieces that share no row.
    size = left.height + vanishes.size
    graph = scipy.sparse.coo_array(
        (np.ones(left.rows.size), (left.rows, left.height + left.columns)), shape=(size, size)
    )
    _, piece_of = connected_components(graph, directed=False)
    sites, rows = np.unique(left.columns), np.unique(left.rows)
    tall, wide = (np.bincount(piece_of[x], minlength=size) for x in (left.height + sites, rows))
    found = False
    for k in np.flatnonzero((tall > 0) & (tall <= np.minimum(wide, _WHOLE))):
        mine = sites[piece_of[left.height + sites] == k]
        own = left.chosen(piece_of[left.rows] == k).dense(mine)
        if np.linalg.svd(own, compute_uv=False)[-1] > smallest:
            vanishes[mine] = found = True
    return found


# --- dark states ----------------------------------------------------------------------------------


def constraints(system: OpenSystem, sites: np.ndarray) -> np.ndarray:
    """Return what must vanish for an eigenstate on some sites to be dark.

    Parameters
    ----------
    system : OpenSystem
        The system.
    sites : (k,) int array
        Where the state is.

    Returns
    -------
    (m, k) complex array
        Rows of H on all other sites, of P and of Q, and the contacts of the leads.
    """
    outside = np.ones(system.sites, bool)
    outside[sites] = False
    hamiltonian = _Elements.of_matrix(system.hamiltonian)
    parts = [hamiltonian.chosen(outside[hamiltonian.rows])]
    parts += [_Elements.of_matrix(matrix) for matrix in (system.loss, system.gain) if matrix.any()]
    return _Elements.below_each_other([*parts, _contacts(system)]).dense(sites)


@remembered_of_matrices
def dark_states(system: OpenSystem) -> DarkStates:
    """Return all states that no terminal reaches.

    Parameters
    ----------
    system : OpenSystem
        The system; O(k^3) for the k sites of `unreached_sites`.

    Returns
    -------
    DarkStates
        None of them, d = 0, where every state decays into some terminal.
    """
    sites, scale = unreached_sites(system), hamiltonian_norm(system)
    if sites.size == 0:
        return DarkStates(np.empty(0), np.empty((system.sites, 0), complex))
    inner = as_sparse(system.hamiltonian).matrix[sites][:, sites]
    coupling = constraints(system, sites)
    levels, states_of = _levels(inner)
    cuts = np.flatnonzero(np.diff(levels) > _SAME_LEVEL * scale) + 1
    found = [np.empty((sites.size, 0))]
    blocks = pairwise([*range(0, sites.size, _WHOLE), sites.size])
    reached = [np.linalg.norm(coupling @ states_of(*block), axis=0) for block in blocks]
    is_bright = np.concatenate(reached) > _NEARLY * scale
    for first, last in pairwise([0, *cuts, sites.size]):
        group = levels[first:last]
        if group.size == 1 and is_bright[first]:
            continue  # as most are
        block = states_of(first, last)
        coupled = coupling @ block
        moved = block.conj().T @ (inner @ block)
        for level in group[np.diff(group, prepend=-np.inf) > _UNCOUPLED * scale]:
            shifted = moved - level * np.eye(group.size)
            sizes, states = weakest_combinations(np.concatenate([coupled, shifted]), block)
            if (sizes < _UNCOUPLED * scale).sum() < (sizes < _NEARLY * scale).sum():
                # Another level is so near that rounding may have mixed the two.
                reach = level + _MIXED * scale * np.array([-1, 1])
                near = states_of(*np.searchsorted(levels, reach))
                whole = np.concatenate([coupling @ near, inner @ near - level * near])
                sizes, states = weakest_combinations(whole, near)
            found.append(states[:, sizes < _UNCOUPLED * scale])
    # A state that was found twice is one.
    vectors = scipy.linalg.orth(np.concatenate(found, axis=1), rcond=0.5)
    return _eigenstates(system, sites, inner, vectors)


def _eigenstates(
    system: OpenSystem, sites: np.ndarray, inner: scipy.sparse.csr_array, vectors: np.ndarray
) -> DarkStates:
    """Return the eigenstates of the Hamiltonian in a space that it does not leave."""
    levels, turn = np.linalg.eigh(vectors.conj().T @ (inner @ vectors))
    whole = np.zeros((system.sites, levels.size), complex)
    whole[sites] = vectors @ turn
    return DarkStates(levels, whole)


def _levels(
    matrix: scipy.sparse.csr_array,
) -> tuple[np.ndarray, Callable[[int, int], np.ndarray]]:
    """Return the levels of a Hermitian matrix, ascending, and what gives a range of its states."""
    n = matrix.shape[0]
    count, piece = connected_components(abs(matrix), directed=False)
    levels = np.empty(n)
    columns: list[tuple[np.ndarray, np.ndarray]] = []
    order = np.argsort(piece, kind="stable")
    for mine in np.split(order, np.searchsorted(piece[order], np.arange(1, count))):
        dense = matrix[mine][:, mine].toarray()
        own, modes = np.linalg.eigh(dense if dense.imag.any() else dense.real)
        levels[len(columns) : len(columns) + mine.size] = own
        columns += [(mine, column) for column in modes.T]
    by_level = np.argsort(levels, kind="stable")

    def states_of(first: int, last: int) -> np.ndarray:
        block = np.zeros((n, last - first), complex)
        for k, member in enumerate(by_level[first:last]):
            mine, column = columns[member]
            block[mine, k] = column
        return block

    return levels[by_level], states_of


def weakest_combinations(coupling: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much combinations of columns couple, and these.

    Parameters
    ----------
    coupling : (m, g) array
        What each column couples to.
    block : (k, g) array
        The columns.

    Returns
    -------
    sizes : (g,) float
        Singular values of ``coupling``.
    combinations : (k, g) complex
        Columns that belong to them.
    """
    _, sizes, turn = np.linalg.svd(np.linalg.qr(coupling, mode="r"))
    return np.pad(sizes, (0, block.shape[1] - sizes.size)), block @ turn.conj().T


def bright_damping_matrix(system: OpenSystem, damping: np.ndarray | None = None) -> np.ndarray:
    """Return ``X`` with the states that no terminal reaches moved off the real line.

    Parameters
    ----------
    system : OpenSystem
        The system.
    damping : (N, N) complex array, optional
        Another matrix in place of ``X`` that does not damp these states.

    Returns
    -------
    (N, N) complex array
        ``X - i kappa D D^+`` with the dark states D and the norm kappa of the Hamiltonian, in t;
        nothing between the terminals changes.
    """
    damping = system.damping_matrix() if damping is None else damping
    dark = dark_states(system).vectors
    if dark.size == 0:
        return damping
    return damping - 1j * hamiltonian_norm(system) * (dark @ dark.conj().T)


# --- near one energy ------------------------------------------------------------------------------


_WHOLE = 400
"""Unreached sites up to which all dark states cost little."""
_BLOCK = 8
_ITERATIONS = 6
_APART = 1e-9
"""Distance, relative to the norm, of the energy at which a matrix is inverted from the level."""
_SINGULAR = 1e6
"""Norm of an inverse, times that of the Hamiltonian, beyond which a level may be near."""

Solve = Callable[[float, np.ndarray], np.ndarray]
"""``solve(w, sources)`` returns ``(w - X - Sigma)^-1 sources``, nan where there is no inverse."""


def may_be_dark(system: OpenSystem, energies: np.ndarray, solve: Callable) -> np.ndarray:
    """Return at which energies a level of a state that no terminal reaches may be close.

    Of large systems a random source shows that none is: nothing of their size is diagonalised.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        In t.
    solve : callable
        ``solve(sources (N, 1))`` returns ``(w - X - Sigma)^-1 sources`` of each, (E, N, 1).

    Returns
    -------
    (E,) bool array
        True where one may be within 1e-6 of the energy, relative to the norm of the Hamiltonian.
    """
    sites, scale = unreached_sites(system), hamiltonian_norm(system)
    if sites.size == 0:
        return np.zeros(energies.size, bool)
    if sites.size <= _WHOLE:
        levels = dark_states(system).levels
        return (abs(levels - energies[:, None]) <= scale / _SINGULAR).any(axis=1)
    start = np.random.default_rng(0).standard_normal((sites.size, 1))
    sources = np.zeros((system.sites, 1), complex)
    sources[sites] = start
    response = abs(solve(sources)).max(axis=(1, 2))
    return ~(response * scale < _SINGULAR * abs(start).max())


def dark_states_near(system: OpenSystem, energy: float, solve: Solve) -> DarkStates:
    """Return the states that no terminal reaches with levels close to an energy.

    Of large systems by inverse iteration, and none at all where a random source shows that no
    level is close: nothing of the size of the system is diagonalised.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energy : float
        In t.
    solve : callable
        `Solve` for this system.

    Returns
    -------
    DarkStates
        At least those within 1e-10 of the energy, relative to the norm of the Hamiltonian.
    """
    sites, scale = unreached_sites(system), hamiltonian_norm(system)
    if sites.size <= _WHOLE:
        dark = dark_states(system)
        chosen = abs(dark.levels - energy) <= scale / _SINGULAR
        return DarkStates(dark.levels[chosen], dark.vectors[:, chosen])
    suspected = may_be_dark(system, np.array([energy]), lambda x: solve(energy, x)[None])
    if not suspected.any():
        return DarkStates(np.empty(0), np.empty((system.sites, 0), complex))
    return _by_inverse_iteration(system, energy, solve)


def _by_inverse_iteration(system: OpenSystem, energy: float, solve: Solve) -> DarkStates:
    sites, scale = unreached_sites(system), hamiltonian_norm(system)
    inner = as_sparse(system.hamiltonian).matrix[sites][:, sites]
    coupling = constraints(system, sites)
    size = 0
    found = states = np.empty((sites.size, 0))
    while found.shape[1] == size < sites.size:
        size = min(max(4 * size, _BLOCK), sites.size)
        states = np.random.default_rng(0).standard_normal((sites.size, size))
        for _ in range(_ITERATIONS):
            sources = np.zeros((system.sites, size), complex)
            sources[sites] = np.linalg.qr(states)[0]
            states = solve(energy + _APART * scale, sources)[sites]
        states = np.linalg.qr(states)[0]
        off = np.concatenate([inner @ states - energy * states, coupling @ states])
        sizes, found = weakest_combinations(off, states)
        found = found[:, sizes < 10 * _SAME_LEVEL * scale]
    sizes, found = weakest_combinations(coupling @ found, found)
    return _eigenstates(system, sites, inner, found[:, sizes < _UNCOUPLED * scale])
