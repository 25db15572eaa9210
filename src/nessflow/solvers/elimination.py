"""Matrices of blocks that are joined to the next ones only, and their elimination.

Sites in the order of `nessflow.systems.matrices.bandwidth_order`, or as they are given, are cut
into blocks wherever none is joined to the next but one: the columns of a strip, the shells of a
lattice around its first sites.  With ``M_ij`` between blocks, elimination from the first on,

    D_i = M_ii - M_i(i-1) D_(i-1)^-1 M_(i-1)i,

and back again solve ``M x = b`` by products of blocks, O(N b^2) for blocks of b sites at the speed
of matrix products, which LAPACK's banded solver is far from.  No pivots are exchanged between
blocks: what a ``D_i`` that is nearly singular loses, one step of iterative refinement with the
elements of M gives back (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed, 12, 13.2);
beyond some loss that is told.  Each energy is computed by itself, in arrays over several, so that
its numbers do not depend on the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
from scipy.linalg.lapack import zgetrf, zgetri

from nessflow.systems.matrices import as_sparse
from nessflow.systems.system import OpenSystem, remembered_of_matrices

_BATCH_BYTES = 2**25
"""Memory of blocks and solutions that are held at a time."""
_WORK = 32
"""Columns that LAPACK works on at a time."""
_INNER, _BESIDE = 7, 3
"""Products of matrices that a block takes, and that those beside it do, unless diagonal."""
_LEAST = 8
"""Sites of a block at least: calls for smaller ones take longer than their products."""

BELOW, ON, ABOVE = 0, 1, 2
"""Where blocks are, those beside the diagonal numbered by the smaller of row and column."""


# --- what does not depend on the energy -----------------------------------------------------------


def _starts(pattern: scipy.sparse.csr_array) -> tuple[np.ndarray, float]:
    """Return where blocks begin, N at the end, of the lowest cost, and that in products of them."""
    n = pattern.shape[0]
    row, column = scipy.sparse.triu(pattern).tocoo().coords
    reach = np.arange(n)
    np.maximum.at(reach, row, column)
    reach = np.maximum.accumulate(reach) + 1
    # Elements that join sites before some site with it and those behind: how many, and the sums of
    # how far they reach and of its square.
    apart, powers = column - row, np.arange(3)[:, None]
    crossing = np.zeros((3, n + 2), int)
    for ends, sign in ((row + 1, 1), (column + 1, -1)):
        np.add.at(crossing.T, ends, sign * (apart**powers).T)
    crossing = np.cumsum(crossing, axis=1)
    least = min(_LEAST, n)
    starts: list[Any] = [0, np.arange(least, max(least, reach[0]) + 1)]
    cost = _INNER * starts[1] ** 3.0
    while starts[-1].min() < n:
        last = starts[-1]
        starts.append(np.minimum(np.maximum(reach[last - 1], last + _LEAST), n))
        before, size = last - starts[-3], starts[-1] - last
        diagonal = (crossing[:, last] == crossing[0, last] * before**powers).all(axis=0)
        diagonal &= size == before
        cost += size**2 * (_INNER * size + np.where(diagonal, 0, _BESIDE * before))
    best = np.argmin(cost)
    return np.unique([0, *(each[best] for each in starts[1:])]), cost[best]


@dataclass(frozen=True, eq=False)
class Blocks:
    """What does not depend on the energy.

    Attributes
    ----------
    order, place : (N,) int
        Sites in their new order, and the new number of each.
    starts : (n + 1,) int
        First site of each block, and N.
    damping, loss, gain : (N, N) sparse complex
        ``X``, ``2P`` and ``2Q`` in the new order, in t.
    contacts : two of (p,) int
        Rows and columns of `Contacts.elements` in the new order.
    """

    order: np.ndarray
    place: np.ndarray
    starts: np.ndarray
    damping: scipy.sparse.csr_array
    loss: scipy.sparse.csr_array
    gain: scipy.sparse.csr_array
    contacts: tuple[np.ndarray, np.ndarray]

    @property
    def count(self) -> int:
        """Number of blocks n."""
        return self.starts.size - 1

    @cached_property
    def sizes(self) -> np.ndarray:
        """Sites of each block, (n,) int."""
        return np.diff(self.starts)

    @cached_property
    def slices(self) -> list[slice]:
        """Sites of each block."""
        return [slice(*pair) for pair in pairwise(self.starts.tolist())]

    def placed(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return of elements where their blocks are, which, and row and column inside; (p,) int."""
        first, second = (np.searchsorted(self.starts, x, "right") - 1 for x in (row, column))
        inside = row - self.starts[first], column - self.starts[second]
        return second - first + 1, np.minimum(first, second), *inside

    def split(self, matrix: scipy.sparse.csr_array) -> list[list[np.ndarray]]:
        """Return the blocks of a matrix in the new order: below the diagonal, on it, above."""
        elements, sizes = matrix.tocoo(), self.sizes
        where, block, i, j = self.placed(*elements.coords)
        shapes = (sizes[1:], sizes[:-1]), (sizes, sizes), (sizes[:-1], sizes[1:])
        result = []
        for k, (rows, columns) in enumerate(shapes):
            ends = np.concatenate([[0], np.cumsum(rows * columns)])
            whole, mine = np.zeros(ends[-1], complex), where == k
            at = ends[block[mine]] + i[mine] * columns[block[mine]] + j[mine]
            whole[at] = elements.data[mine]
            parts = zip(np.split(whole, ends[1:-1]), rows, columns, strict=True)
            result.append([x.reshape(shape) for x, *shape in parts] if len(rows) else [])
        return result

    @cached_property
    def couplings(self) -> dict[int, list[np.ndarray]]:
        """Blocks of ``-X`` beside the diagonal, the diagonals of those that have nothing else."""
        return {k: [_narrow(x) for x in self.constant[k]] for k in (BELOW, ABOVE)}

    def coupling(self, where: int, block: int, added: np.ndarray) -> np.ndarray:
        """Return a block of ``-X`` beside the diagonal with elements of contacts added.

        Parameters
        ----------
        where, block : int
            Which.
        added : (e, p) complex array
            As of `assembled`.

        Returns
        -------
        (e or 1, a, b) or (a,) complex array
            The whole, or the diagonal where that is all.
        """
        if block in self.touched[where]:
            return self.assembled(where, block, self.constant[where][block], added)
        return self.couplings[where][block]

    @cached_property
    def constant(self) -> list[list[np.ndarray]]:
        """Blocks of ``-X``."""
        return self.split(-self.damping)

    @cached_property
    def touched(self) -> list[dict[int, tuple[np.ndarray, ...]]]:
        """Of the blocks with elements between contacts: which elements, rows, columns inside."""
        where, block, i, j = self.placed(*self.contacts)
        return [
            {
                int(b): (mine := np.flatnonzero((where == k) & (block == b)), i[mine], j[mine])
                for b in np.unique(block[where == k])
            }
            for k in (BELOW, ON, ABOVE)
        ]

    def assembled(
        self, where: int, block: int, constant: np.ndarray, added: np.ndarray
    ) -> np.ndarray:
        """Return a block ``constant`` (..., a, b) with elements of contacts added, (..., E, a, b).

        One energy stands for all where nothing is ``added`` (..., E, p).
        """
        constant = constant[..., None, :, :]
        if block not in self.touched[where]:
            return constant
        which, row, column = self.touched[where][block]
        result = np.repeat(constant, added.shape[-2], axis=-3)
        result[..., row, column] += added[..., which]
        return result


@remembered_of_matrices
def block_matrices(system: OpenSystem) -> Blocks:
    """Return the matrices of a system in blocks.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    Blocks
        Kept for the next call.
    """
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    matrices = system.hamiltonian, system.loss, system.gain
    hamiltonian, loss, gain = (as_sparse(matrix).matrix for matrix in matrices)
    first, second = system.coupling.links.T
    joined = scipy.sparse.coo_array((np.ones(first.size), (first, second)), shape=loss.shape)
    pattern = (abs(hamiltonian) + abs(loss) + abs(gain) + joined + joined.T).tocsr()
    if (count := system.orbitals) > 1:
        # Orbitals of a site stay together, and so do those of sites that anything joins.
        first, second = pattern.nonzero()
        ends, shape = (first // count, second // count), (system.sites // count,) * 2
        of_sites = scipy.sparse.coo_array((np.ones(first.size), ends), shape=shape)
        of_sites = of_sites + scipy.sparse.eye_array(shape[0])
        pattern = scipy.sparse.kron(of_sites, np.ones((count, count))).tocsr()
    found = []
    for order in (np.arange(system.sites), reverse_cuthill_mckee(pattern, symmetric_mode=True)):
        found.append((order, *_starts(pattern[order][:, order])))
    order, starts, _ = min(found, key=lambda x: x[2])
    place = np.argsort(order)
    hamiltonian, loss, gain = (m[order][:, order].tocsr() for m in (hamiltonian, loss, gain))
    damping = (hamiltonian - 1j * (loss + gain)).tocsr()
    contacts = tuple(place[x] for x in system.coupling.elements)
    return Blocks(order, place, starts, damping, 2 * loss, 2 * gain, contacts)


# --- elimination ----------------------------------------------------------------------------------


def _narrow(block: np.ndarray) -> np.ndarray:
    square = block.shape[0] == block.shape[1]
    if square and np.count_nonzero(block) == np.count_nonzero(block.diagonal()):
        return block.diagonal().copy()
    return block[None]


def from_left(coupling: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Return the product of a matrix, or of a diagonal, and states (e, b, s)."""
    return coupling[:, None] * states if coupling.ndim == 1 else coupling @ states


def from_right(states: np.ndarray, coupling: np.ndarray) -> np.ndarray:
    """Return the product of states (e, s, a) and a matrix, or a diagonal."""
    return states * coupling if coupling.ndim == 1 else states @ coupling


@dataclass(frozen=True, eq=False)
class Eliminated:
    """Factors of ``M`` at e energies.

    Attributes
    ----------
    inverses : list of (e, a, a) complex
        ``D_i^-1``.
    through : list of (e, a, b) complex
        ``D_i^-1 M_i(i+1)``.
    minus : list of (e or 1, b, a) or (a,) complex
        ``-M_(i+1)i``, a diagonal where it is one.
    growth : (e,) float
        Largest element of a ``D_i^-1`` times that of ``M``: what digits are lost by, infinite where
        there is no inverse.
    """

    inverses: list[np.ndarray]
    through: list[np.ndarray]
    minus: list[np.ndarray]
    growth: np.ndarray

    @classmethod
    def of(
        cls,
        inner: Iterable[np.ndarray],
        minus: list[np.ndarray],
        above: list[np.ndarray],
        size: np.ndarray,
    ) -> "Eliminated":
        """Return the factors of a matrix.

        Parameters
        ----------
        inner : iterable of (e, a, a) arrays
            ``M_ii``, which are overwritten.
        minus, above : list of (e or 1, ...) or (a,) arrays
            ``-M_(i+1)i`` and ``M_i(i+1)``.
        size : (e,) float array
            Of the largest elements of the matrix.

        Returns
        -------
        Eliminated
            Of each energy by itself.
        """
        inverses: list[np.ndarray] = []
        through: list[np.ndarray] = []
        largest: Any = 0.0
        for i, block in enumerate(inner):
            if i:
                block += from_left(minus[i - 1], through[-1])
            for matrix in block:
                _invert(matrix)
            largest = np.maximum(largest, _largest(block))
            inverses.append(block)
            if i < len(above):
                through.append(from_right(block, above[i]))
        growth = largest * size
        return cls(inverses, through, minus, np.where(np.isnan(growth), np.inf, growth))

    def at(self, energy: int) -> "Eliminated":
        """Return the factors of one of the energies."""

        here = slice(energy, energy + 1)

        def one(blocks: list[np.ndarray]) -> list[np.ndarray]:
            return [x[here] if x.ndim == 3 and len(x) > 1 else x for x in blocks]

        growth = self.growth[here]
        return Eliminated(one(self.inverses), one(self.through), one(self.minus), growth)

    def solve(self, sources: np.ndarray, slices: Sequence[slice]) -> np.ndarray:
        """Return ``M^-1 sources``.

        Parameters
        ----------
        sources : (N, s) array
            Right-hand sides.
        slices : sequence of slice
            Sites of each block.

        Returns
        -------
        (e, N, s) complex array
            Solutions.
        """
        # Columns in the order of the first block that each is not zero in.
        within = np.logical_or.reduceat(sources != 0, [here.start for here in slices], axis=0)
        first = np.where(within.any(axis=0), within.argmax(axis=0), len(slices))
        order = np.argsort(first, kind="stable")
        begun = [0, *np.searchsorted(first[order], range(1, len(slices) + 1)).tolist()]
        sources, touched = sources[:, order], np.logical_or.reduce(within, axis=1)
        result = np.zeros((len(self.inverses[0]), *sources.shape), complex)
        for i, here in enumerate(slices):
            last, mine = begun[i : i + 2]
            before = from_left(self.minus[i - 1], result[:, slices[i - 1], :last]) if last else 0.0
            if touched[i]:
                right = np.empty((len(result), here.stop - here.start, mine), complex)
                right[:] = sources[here, :mine]
                right[..., :last] += before
                before = right
            if mine:
                np.matmul(self.inverses[i], before, out=result[:, here, :mine])
        for i in reversed(range(len(slices) - 1)):
            result[:, slices[i]] -= self.through[i] @ result[:, slices[i + 1]]
        return result if (np.diff(order) == 1).all() else result.take(np.argsort(order), axis=-1)


def _largest(block: np.ndarray) -> np.ndarray:
    """Return the largest part, real or imaginary, of an element, (e,)."""
    return abs(block.reshape(len(block), -1).view(float)).max(axis=1)


def _invert(matrix: np.ndarray) -> None:
    """Invert a matrix in its place, nan where it has no inverse."""
    # LAPACK, which takes columns, sees the transposed matrix.
    _, pivots, singular = zgetrf(matrix.T, overwrite_a=True)
    if singular:
        matrix[:] = np.nan
    else:
        zgetri(matrix.T, pivots, lwork=_WORK * len(matrix), overwrite_lu=True)


def elimination(
    system: OpenSystem, energies: np.ndarray, sigma: np.ndarray, transposed: bool = False
) -> Eliminated:
    """Return the factors of ``w - X - Sigma``, or of its transpose.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (e,) array
        Energies w, in t.
    sigma : (e, p) complex array
        `OpenSystem.contact_self_energy`.
    transposed : bool
        Whether the transposed matrix is meant.

    Returns
    -------
    Eliminated
        In the order of `block_matrices`.
    """
    blocks = block_matrices(system)

    def turned(block: np.ndarray) -> np.ndarray:
        return block.swapaxes(-1, -2) if transposed and block.ndim == 3 else block

    def inner() -> Iterator[np.ndarray]:
        for k, size in enumerate(blocks.sizes.tolist()):
            block = np.empty((energies.size, size, size), complex)
            block[:] = turned(blocks.assembled(ON, k, blocks.constant[ON][k], -sigma))
            block.reshape(energies.size, -1)[:, :: size + 1] += energies[:, None]
            yield block

    below, above = (
        [turned(blocks.coupling(where, k, -sigma)) for k in range(blocks.count - 1)]
        for where in ((ABOVE, BELOW) if transposed else (BELOW, ABOVE))
    )
    largest = abs(blocks.damping.data).max(initial=0.0), abs(energies), abs(sigma)
    size = np.maximum(np.maximum(*largest[:2]), largest[2].max(axis=1, initial=0.0))
    return Eliminated.of(inner(), [-x for x in below], above, size)


def batches(count: int, numbers: int) -> Iterator[slice]:
    """Yield slices of so many energies, each with so many complex numbers, that memory holds."""
    step = max(1, _BATCH_BYTES // (16 * max(numbers, 1)))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
