"""Correlations on all sites of a sparse system by block elimination, O(N b^2) for each energy.

Numbered so that elements of ``M = w - X - Sigma`` are within ``b`` of the diagonal
(`nessflow.solvers.banded`), the sites make blocks of b that are joined to the next ones only.
With ``M_ij`` between blocks and a Hermitian source ``W`` of the same pattern, elimination from the
first block on,

    D_i = M_ii - A_i M_(i-1)i,    A_i = M_i(i-1) D_(i-1)^-1,
    V_i = W_ii + A_i V_(i-1) A_i^+ - A_i W_(i-1)i - W_i(i-1) A_i^+,

and back again, with ``K_i = W_(i+1)i - A_(i+1) V_i`` and ``U = M_i(i+1)``,

    G_ii = D_i^-1 + D_i^-1 U G_(i+1)(i+1) A_(i+1),
    C_ii = D_i^-1 (V_i + U C_(i+1)(i+1) U^+ - U G_(i+1)(i+1) K_i - h.c.) D_i^-+,
    C_i(i+1) = D_i^-1 (K_i^+ G_(i+1)(i+1)^+ - U C_(i+1)(i+1)),

gives the blocks of ``C = G W G^+`` on and beside the diagonal, all that sites and bonds need.  No
pivots are exchanged between blocks: at energies at which a part of the system that is cut off has a
level, or a state that no terminal reaches, so that some ``D_i`` is nearly singular, columns of
Green's function are solved for instead.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse

from nessflow.solvers.banded import banded_matrices, solve_at
from nessflow.systems.system import OpenSystem

_BATCH_BYTES = 2**26
_LARGEST_GROWTH = 1e5
"""Norm of an inverse block times that of the matrix: digits that elimination loses."""


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
    banded = banded_matrices(system)
    size = max(banded.width, 1)
    count = -(-system.sites // size)
    constant = [p * banded.loss + q * banded.gain for p, q in environments]
    matrices = [-banded.damping, *constant]
    bands = _bands(matrices, size, count)
    contacts = tuple(banded.place[x] for x in system.coupling.elements)
    kinds = len(constant), energies.size
    diagonal = np.empty((*kinds, system.sites))
    beside = np.empty((*kinds, len(pairs)), complex)
    lost = np.empty(energies.size, bool)
    step = max(1, _BATCH_BYTES // (16 * (4 + 3 * len(constant)) * count * size * size))
    for start in range(0, energies.size, step):
        batch = slice(start, min(start + step, energies.size))
        sigma = system.contact_self_energy(energies[batch])
        added = np.concatenate([-sigma[None], on_contacts[:, batch]])
        lower, inner, upper = _with_elements(bands, contacts, added)
        block, inside = np.divmod(np.arange(system.sites), size)
        inner[0][:, block, inside, inside] += energies[batch, None]
        inner[0][:, -1, *_filling(system.sites, size)] = 1.0
        matrix, source = (lower[0], inner[0], upper[0]), (lower[1:], inner[1:], upper[1:])
        results = diagonal[:, batch], beside[:, batch]
        lost[batch] = _eliminate(matrix, source, banded.place[pairs], *results)
    diagonal = diagonal[..., banded.place]
    for k in np.flatnonzero(lost):
        diagonal[:, k], beside[:, k] = _by_columns(
            system, energies[k], constant, contacts, on_contacts[:, k], banded.place[pairs]
        )
    return diagonal, beside


def _filling(sites: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the diagonal elements that fill up the last block, where nothing is joined."""
    rows = np.arange((sites - 1) % size + 1, size)
    return rows, rows


def _bands(matrices: Sequence[scipy.sparse.csr_array], size: int, count: int) -> np.ndarray:
    """Return the blocks below, on and above the diagonals of m matrices, (3, m, count, b, b).

    Those beside it are numbered by the smaller of row and column.
    """
    result = np.zeros((3, len(matrices), count, size, size), complex)
    for k, matrix in enumerate(matrices):
        elements = matrix.tocoo()
        (row, i), (column, j) = (np.divmod(x, size) for x in elements.coords)
        result[column - row + 1, k, np.minimum(row, column), i, j] = elements.data
    return result


def _with_elements(
    bands: np.ndarray, places: tuple[np.ndarray, np.ndarray], values: np.ndarray
) -> list[np.ndarray]:
    """Return bands of m matrices with elements ``values`` (m, E, p) added at some places.

    Each is (m, E, count, b, b); those that nothing is added to have one energy for all.
    """
    (row, i), (column, j) = (np.divmod(x, bands.shape[-1]) for x in places)
    band, block, result = column - row + 1, np.minimum(row, column), []
    for k, constant in enumerate(bands):
        mine = band == k
        repeated = np.repeat(constant[:, None], values.shape[1] if k == 1 or mine.any() else 1, 1)
        if mine.any():
            repeated[:, :, block[mine], i[mine], j[mine]] += values[:, :, mine]
        result.append(repeated)
    return result


def _adjoint(matrix: np.ndarray) -> np.ndarray:
    return matrix.conj().swapaxes(-1, -2)


def _eliminate(
    matrix: tuple[np.ndarray, np.ndarray, np.ndarray],
    source: tuple[np.ndarray, np.ndarray, np.ndarray],
    pairs: np.ndarray,
    diagonal: np.ndarray,
    beside: np.ndarray,
) -> np.ndarray:
    """Fill in the results, sites in the order of the blocks; return where digits are lost.

    Parameters
    ----------
    matrix, source : tuple of arrays
        ``M`` and ``W``: below the diagonal, on it and above, (E, count, b, b) each, where one
        energy may stand for all, with one dimension more in front for m sources.
    pairs, diagonal, beside
        As in `site_sums`.
    """
    (lower, inner, upper), (source_lower, source_inner, source_upper) = matrix, source
    count, size = inner.shape[1:3]
    inverse = np.empty_like(inner)
    down = np.empty_like(inner)  # A_i
    own = source_inner  # becomes V_i
    bad = np.zeros(len(inner), bool)
    for i in range(count):
        block = inner[:, i]
        if i:
            down[:, i] = lower[:, i - 1] @ inverse[:, i - 1]
            block = block - down[:, i] @ upper[:, i - 1]
            cross = down[:, i] @ source_upper[:, :, i - 1]
            own[:, :, i] += down[:, i] @ own[:, :, i - 1] @ _adjoint(down[:, i])
            own[:, :, i] -= cross + _adjoint(cross)
        inverse[:, i], singular = _inverted(block)
        bad |= singular
    growth = abs(inverse).max(axis=(1, 2, 3)) * abs(inner).max(axis=(1, 2, 3))
    block, inside = np.divmod(pairs, size)
    first, last = block.min(axis=1), block.max(axis=1)
    green = correlations = None
    for i in reversed(range(count)):
        g, middle = inverse[:, i], own[:, :, i]
        if i < count - 1:
            up, moved = upper[:, i], g @ upper[:, i]
            kept = green @ (source_lower[:, :, i] - down[:, i + 1] @ middle)
            over = g @ _adjoint(kept) - moved @ correlations
            mixed = up @ kept
            middle = middle - mixed - _adjoint(mixed) + up @ correlations @ _adjoint(up)
            green = g + moved @ green @ down[:, i + 1]
            across = np.flatnonzero((first == i) & (last == i + 1))
            turned = block[across, 0] > i
            row, column = np.where(turned, inside[across].T[::-1], inside[across].T)
            found = over[:, :, row, column]
            beside[:, :, across] = np.where(turned, found.conj(), found)
        else:
            green = g
        correlations = g @ middle @ _adjoint(g)
        here = slice(i * size, min((i + 1) * size, diagonal.shape[-1]))
        values = np.einsum("meii->mei", correlations).real
        diagonal[:, :, here] = values[:, :, : here.stop - here.start]
        within = np.flatnonzero((first == i) & (last == i))
        beside[:, :, within] = correlations[:, :, inside[within, 0], inside[within, 1]]
    return bad | ~(growth < _LARGEST_GROWTH)


def _inverted(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return inverses of matrices, (E, b, b), and which have none."""
    try:
        return np.linalg.inv(blocks), np.zeros(len(blocks), bool)
    except np.linalg.LinAlgError:
        singular = np.array([abs(np.linalg.svd(x, compute_uv=False)[-1]) == 0 for x in blocks])
        singular |= ~np.isfinite(blocks).all(axis=(1, 2))
        inverses = np.linalg.inv(np.where(singular[:, None, None], np.eye(blocks.shape[1]), blocks))
        return inverses, singular


def _by_columns(
    system: OpenSystem,
    energy: float,
    constant: Sequence,
    contacts: tuple[np.ndarray, np.ndarray],
    on_contacts: np.ndarray,
    pairs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the results at one energy from columns of Green's function, O(N) solves."""
    banded = banded_matrices(system)
    weights = [
        (w + scipy.sparse.coo_array((more.astype(complex), contacts), shape=w.shape)).tocsr()
        for w, more in zip(constant, on_contacts, strict=True)
    ]
    touched = np.flatnonzero(sum(abs(w) for w in weights).sum(axis=0))
    sources = np.zeros((system.sites, touched.size), complex)
    sources[banded.order[touched], range(touched.size)] = 1.0
    green = solve_at(system, energy, sources)[banded.order]
    weighted = [(w[touched][:, touched].T @ green.T).T for w in weights]
    first, second = pairs.T
    diagonal = [np.sum(x * green.conj(), axis=1).real[banded.place] for x in weighted]
    return diagonal, [np.sum(x[first] * green[second].conj(), axis=1) for x in weighted]
