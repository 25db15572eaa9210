"""Green's functions of wide sparse systems by block elimination, O(N b^2) for each energy.

The matrix ``M = w - X - Sigma`` in blocks (`nessflow.solvers.elimination`) gives rows of Green's
function at the contacts with matrix products alone.  With a Hermitian source ``W`` of the same
pattern, elimination from the first block on,

    A_i = M_i(i-1) D_(i-1)^-1,
    V_i = W_ii + A_i V_(i-1) A_i^+ - A_i W_(i-1)i - W_i(i-1) A_i^+,

and back again, with ``K_i = W_(i+1)i - A_(i+1) V_i`` and ``U = M_i(i+1)``,

    G_ii = D_i^-1 + D_i^-1 U G_(i+1)(i+1) A_(i+1),
    C_ii = D_i^-1 (V_i + U C_(i+1)(i+1) U^+ - U G_(i+1)(i+1) K_i - h.c.) D_i^-+,
    C_i(i+1) = D_i^-1 (K_i^+ G_(i+1)(i+1)^+ - U C_(i+1)(i+1)),

gives the blocks of ``C = G W G^+`` on and beside the diagonal, all that sites, bonds and traces
between loss and gain need.  At energies at which a part of the system that is cut off has a level,
or a state that no terminal reaches, so that some ``D_i`` is nearly singular, banded factors with
pivots take over (`nessflow.solvers.banded`).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse

from nessflow.solvers import banded
from nessflow.solvers.dark_states import may_be_dark
from nessflow.solvers.elimination import (
    ABOVE,
    BELOW,
    ON,
    Blocks,
    Eliminated,
    batches,
    block_matrices,
    elimination,
    from_left,
)
from nessflow.systems.batch import one_by_one
from nessflow.systems.system import OpenSystem

_EXACT = 8.0
"""`Eliminated.growth` up to which solutions are as exact as those of banded factors."""
_FEW = 40
"""Sites of a source up to which solves for each are faster than sums over all blocks."""
_REFINED = 1e4
"""The same of those that one step of refinement makes so."""
_SUMMED = 128.0
"""The same up to which sums over sites lose no more than some 1e-11 of the largest."""
_COLUMNS = 128
"""Columns of Green's function at a time."""


# --- rows and columns of Green's function ---------------------------------------------------------


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
        In the order of `block_matrices`, as are the sources; nan where the energy is a pole.
    """
    blocks = block_matrices(system)
    numbers = 3 * (blocks.sizes**2).sum() + 2 * sources.size
    for batch in batches(energies.size, numbers):
        here = energies[batch]
        sigma = system.contact_self_energy(here)
        factors = elimination(system, here, sigma, transposed)
        found = factors.solve(sources, blocks.slices)
        dark = may_be_dark(
            system,
            here,
            lambda x: factors.solve(x[blocks.order], blocks.slices),  # noqa: B023
        )
        for k in np.flatnonzero((factors.growth > _EXACT) | dark).tolist():
            if factors.growth[k] <= _REFINED and not dark[k]:
                matrix = banded.whole(blocks.damping, here[k], blocks.contacts, sigma[k])
                left = sources + (matrix.T if transposed else matrix) @ found[k]
                found[k] += factors.at(k).solve(left, blocks.slices)[0]
            else:
                found[k] = _with_pivots(system, here[k], sources, transposed)
        yield batch, found


def _with_pivots(
    system: OpenSystem, energy: float, sources: np.ndarray, transposed: bool
) -> np.ndarray:
    blocks = block_matrices(system)
    given = sources[blocks.place]
    if transposed:
        return banded.solve_at(system, energy, given.conj(), adjoint=True)[blocks.order].conj()
    return banded.solve_at(system, energy, given)[blocks.order]


@one_by_one
def contact_rows(
    system: OpenSystem, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `nessflow.solvers.dense.contact_rows` does, for wide sparse systems.

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
    return banded.rows_between(system, energies, solutions, block_matrices(system))


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
    return banded.correlations_between(system, energies, solutions, block_matrices(system))


@one_by_one
def interior_traces(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``Tr[2P G 2Q G^+]`` and ``Tr[2Q G 2P G^+]``, elements of ``G 2Q G^+`` and of 2P.

    Where loss or gain is on a few sites by solves for these, as
    `nessflow.solvers.banded.interior_traces` does.

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
    blocks = block_matrices(system)
    if min(banded.touched(x).size for x in (blocks.loss, blocks.gain)) <= _FEW:
        return banded.interior_traces(system, energies)
    upper = [scipy.sparse.triu(x, 1).tocoo() for x in (blocks.loss, blocks.gain)]
    pairs = blocks.order[np.concatenate([np.stack(x.coords, axis=1) for x in upper])]
    none = np.zeros((2, energies.size, blocks.contacts[0].size))
    # Columns of gain, columns of loss.
    diagonal, beside = site_sums(system, energies, np.eye(2)[::-1], none, pairs)
    mine, result = (slice(upper[0].nnz), slice(upper[0].nnz, None)), []
    for k, matrix in enumerate((blocks.loss, blocks.gain)):
        own = diagonal[k][:, blocks.order] * matrix.diagonal().real
        other = (beside[k][:, mine[k]] * (2 * upper[k].data.conj())).real
        # One piece of memory, so that each energy is summed in its own order.
        result.append(sum(np.ascontiguousarray(x).sum(axis=1) for x in (own, other)))
    return result[0], result[1]


# --- sums over sites ------------------------------------------------------------------------------


def site_sums(
    system: OpenSystem,
    energies: np.ndarray,
    environments: np.ndarray,
    on_contacts: np.ndarray,
    pairs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `nessflow.solvers.dense.site_sums` does, O(N b^2) for each energy.

    Parameters
    ----------
    system, energies, environments, on_contacts
        As there.
    pairs : (B, 2) int array
        Sites that some matrix of the system joins, or that share a lead.

    Returns
    -------
    diagonal : (m, E, N) float
    beside : (m, E, B) complex
    """
    blocks = block_matrices(system)
    weights = [p * blocks.loss + q * blocks.gain for p, q in environments]
    rates = zip((blocks.loss, blocks.gain), environments.T, strict=True)
    each = [banded.touched(matrix) for matrix, multiples in rates if multiples.any()]
    touched = np.unique(np.concatenate([blocks.contacts[0], *each]))
    kinds = len(environments), energies.size
    diagonal = np.empty((*kinds, system.sites))
    beside = np.empty((*kinds, len(pairs)), complex)
    lost = np.ones(energies.size, bool)
    if touched.size > _FEW:
        split = [blocks.split(w) for w in weights]
        source = [
            [np.array(x) for x in zip(*bands, strict=True)] for bands in zip(*split, strict=True)
        ]
        places = blocks.placed(*blocks.place[pairs].T)
        numbers = (4 + 3 * len(environments)) * (blocks.sizes**2).sum()
        for batch in batches(energies.size, numbers):
            sigma = system.contact_self_energy(energies[batch])
            factors = elimination(system, energies[batch], sigma)
            results = diagonal[:, batch], beside[:, batch]
            _back(blocks, factors, sigma, source, on_contacts[:, batch], places, *results)
            lost[batch] = ~(factors.growth <= _SUMMED)
        diagonal = diagonal[..., blocks.place]
    if lost.any():
        left = system, energies[lost], environments, on_contacts[:, lost], pairs
        diagonal[:, lost], beside[:, lost] = _by_columns(*left)
    return diagonal, beside


def _adjoint(matrix: np.ndarray) -> np.ndarray:
    return matrix.conj().swapaxes(-1, -2)


def _back(
    blocks: Blocks,
    factors: Eliminated,
    sigma: np.ndarray,
    source: list[list[np.ndarray]],
    on_contacts: np.ndarray,
    places: tuple[np.ndarray, ...],
    diagonal: np.ndarray,
    beside: np.ndarray,
) -> None:
    """Fill in the results of `site_sums` at some energies, sites in the order of the blocks.

    Parameters
    ----------
    blocks, factors, sigma
        The matrix, eliminated, and the self-energies in it.
    source : list of lists of (m, a, b) arrays
        Constant blocks of ``W``: below, on, above.
    on_contacts : (m, e, p) array
        What is added to their elements between contacts.
    places : four of (B,) int array
        `Blocks.placed` of the pairs.
    diagonal, beside
        As of `site_sums`.
    """

    def of(where: int, i: int) -> np.ndarray:
        return blocks.assembled(where, i, source[where][i], on_contacts)

    down: list[np.ndarray] = []  # A_(i+1)
    own: list[np.ndarray] = []  # V_i
    for i in range(blocks.count):
        mine = of(ON, i)
        if i:
            down.append(-from_left(factors.minus[i - 1], factors.inverses[i - 1]))
            cross = down[-1] @ of(ABOVE, i - 1)
            mine = mine + down[-1] @ own[-1] @ _adjoint(down[-1]) - (cross + _adjoint(cross))
        own.append(mine)
    where, at, row, column = places
    # A pair below the diagonal is the conjugate of that above it.
    row, column = np.where(where == BELOW, column, row), np.where(where == BELOW, row, column)
    order = np.argsort(at, kind="stable")
    ends = np.searchsorted(at[order], range(blocks.count + 1))
    green: Any = None
    correlations: Any = None
    for i in reversed(range(blocks.count)):
        g, middle = factors.inverses[i], own[i]
        pairs = order[ends[i] : ends[i + 1]]
        if i < blocks.count - 1:
            up = blocks.coupling(ABOVE, i, -sigma)
            moved = factors.through[i]
            kept = green @ (of(BELOW, i) - down[i] @ middle)
            over = g @ _adjoint(kept) - moved @ correlations
            mixed = from_left(up, kept)
            beyond = from_left(up, _adjoint(from_left(up, correlations)))
            middle = middle - mixed - _adjoint(mixed) + _adjoint(beyond)
            green = g + moved @ green @ down[i]
            across = pairs[where[pairs] != ON]
            found = over[:, :, row[across], column[across]]
            beside[:, :, across] = np.where(where[across] == BELOW, found.conj(), found)
        else:
            green = g
        correlations = g @ middle @ _adjoint(g)
        diagonal[:, :, blocks.slices[i]] = np.einsum("meii->mei", correlations).real
        within = pairs[where[pairs] == ON]
        beside[:, :, within] = correlations[:, :, row[within], column[within]]


def _by_columns(
    system: OpenSystem,
    energies: np.ndarray,
    environments: np.ndarray,
    on_contacts: np.ndarray,
    pairs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the results from columns of Green's function, solves for each site of a source."""
    blocks, n = block_matrices(system), system.sites
    first, second = blocks.place[pairs].T
    kinds = len(environments), energies.size
    diagonal, beside = np.zeros((*kinds, n)), np.zeros((*kinds, len(pairs)), complex)

    def columns_of(sites: np.ndarray) -> np.ndarray:
        result = np.zeros((n, sites.size), complex)
        result[sites, range(sites.size)] = 1.0
        return result

    def sums(weighted: np.ndarray, green: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Factors with names of their own: products into large temporary ones have other bits.
        other = green.conj()
        whole, pair = (weighted * other).real, (weighted[:, first], other[:, second])
        own, far = map(np.ascontiguousarray, pair)
        return tuple(np.ascontiguousarray(x).sum(axis=-1) for x in (whole, own * far))

    ends = np.unique(blocks.contacts[0])
    row, column = (np.searchsorted(ends, x) for x in blocks.contacts)
    for batch, green in solutions(system, energies, columns_of(ends)):
        for m, own in enumerate(on_contacts[:, batch]):
            between = np.zeros((len(green), ends.size, ends.size), complex)
            between[:, row, column] = own
            diagonal[m, batch], beside[m, batch] = sums(green @ between, green)
    for matrix, multiples in zip((blocks.loss, blocks.gain), environments.T, strict=True):
        touched = banded.touched(matrix) if multiples.any() else np.empty(0, int)
        for start in range(0, touched.size, _COLUMNS):
            chosen = touched[start : start + _COLUMNS]
            sources = columns_of(chosen), matrix.tocsc()[:, chosen].toarray()
            found = (solutions(system, energies, x) for x in sources)
            for (batch, green), (_, weighted) in zip(*found, strict=True):
                own, other = sums(weighted, green)
                diagonal[:, batch] += multiples[:, None, None] * own
                beside[:, batch] += multiples[:, None, None] * other
    return diagonal[..., blocks.place], beside
