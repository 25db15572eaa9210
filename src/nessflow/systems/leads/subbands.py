"""Subbands of a lead of equal cells: where they end, and between which energies states are.

Band n is ``E_n(k)``, the n-th eigenvalue of ``H0 + V e^{ik} + V^+ e^{-ik}``.  Its extrema, at any
k, are where channels open and close.  Bands are taken in ascending order at each k: where two of
them cross each has a kink, which is no extremum.

About an extremum a band goes as ``|k - k0|^n``.  The order n is 2 but for symmetry: the edge states
of a zigzag ribbon of n chains have a band of order n.  Such an edge has few wave vectors and much
of the density of states, which goes as ``|E - edge|^(1/n - 1)``.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_COARSE = 32
"""Wave vectors in a period, at least."""
_PER_STATE = 4
"""Wave vectors in a period for each orbital of a cell."""
_DOUBLINGS = 5
_SAME = 1e-9
"""Distance of energies, relative to the norm, that are one."""
_STEPS = 24
"""Steps to a wave vector, to the root of rounding: energies follow its square."""
_BESIDE = 1e-8
"""Distance of wave vectors at which bands that cross are as steep as before."""
_FLAT = 1e-10
"""Velocity, relative to the norm, that is none."""
_TRIED = 2.0**-6
"""Distance of wave vectors at which an extremum is told to be of order 2, or not."""
_LEVELS = np.array([1e-9, 1e-8, 1e-7])
"""Distances from an edge, relative to the norm, whose wave vectors tell its order."""
_AROUND = 256
_HALVINGS = 40


def subbands(
    cell: np.ndarray, hopping: np.ndarray
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...], tuple[int, ...]]:
    """Return the edges of all subbands, the intervals that have states, and the edges' orders.

    Parameters
    ----------
    cell, hopping : (n, n) array
        ``H0`` and ``V``, in t.

    Returns
    -------
    edges : tuple of float
        Extrema of all bands, ascending, and levels of flat ones, in t; not of those in a gap of
        all others, which are poles and no more.
    bands : tuple of (float, float)
        Ascending, apart from each other, in t; none where no band is wider than rounding.
    orders : tuple of int
        Of each edge, the largest where several bands have one: 2, or more where they are flatter;
        2 for levels of flat bands.
    """
    scale = float(np.linalg.norm(cell, 2) + 2 * np.linalg.norm(hopping, 2)) or 1.0
    count = max(_COARSE, _PER_STATE * len(cell))
    seen = _Grid.of(cell, hopping, count, _FLAT * scale)
    for _ in range(_DOUBLINGS):
        count *= 2
        before, seen = seen, _Grid.of(cell, hopping, count, _FLAT * scale)
        if np.array_equal(seen.turns.sum(axis=0), before.turns.sum(axis=0)):
            break
    extrema, ranges = seen.extrema(cell, hopping)
    edges, orders = _edges(cell, hopping, extrema, scale)
    bands: list[tuple[float, float]] = []
    for low, high in ranges:
        if high - low <= _SAME * scale:
            continue
        if bands and low <= bands[-1][1] + _SAME * scale:
            bands[-1] = bands[-1][0], max(high, bands[-1][1])
        else:
            bands.append((low, high))
    near = _SAME * scale
    touches = [any(low - near <= x <= high + near for low, high in bands) for x in edges.tolist()]
    kept = np.array(touches, bool) | (not bands)
    return tuple(edges[kept].tolist()), tuple(bands), tuple(orders[kept].tolist())


def bloch(cell: np.ndarray, hopping: np.ndarray, wave_vectors: np.ndarray) -> np.ndarray:
    """Return ``H0 + V e^{ik} + V^+ e^{-ik}``.

    Parameters
    ----------
    cell, hopping : (n, n) array
        ``H0`` and ``V``, in t.
    wave_vectors : (K,) array
        k, in 1/cell.

    Returns
    -------
    (K, n, n) complex array
        In t.
    """
    moving = np.exp(1j * wave_vectors)[:, None, None] * hopping
    return cell + moving + moving.conj().swapaxes(1, 2)


def _bands(
    cell: np.ndarray, hopping: np.ndarray, wave_vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return energies and velocities, (K, n)."""
    energies, states = np.linalg.eigh(bloch(cell, hopping, wave_vectors))
    slope = 1j * np.exp(1j * wave_vectors)[:, None, None] * hopping
    slope = slope + slope.conj().swapaxes(1, 2)
    return energies, (states.conj() * (slope @ states)).sum(axis=1).real


@dataclass(frozen=True, eq=False)
class _Grid:
    """Bands on a grid of wave vectors.

    Attributes
    ----------
    wave_vectors : (K + 1,) float
        One period, or half of one where bands are even.
    energies, velocities : (K + 1, n) float
        Of each band.
    turns, still : (K, n) bool
        Whether a velocity changes its sign in a step, and whether it is 0 in all of it.
    """

    wave_vectors: np.ndarray
    energies: np.ndarray
    velocities: np.ndarray
    turns: np.ndarray
    still: np.ndarray

    @classmethod
    def of(cls, cell: np.ndarray, hopping: np.ndarray, count: int, flat: float) -> "_Grid":
        """Return the bands at so many wave vectors; velocities below ``flat`` are none."""
        # Off the points of high symmetry, at which extrema are met to rounding or not at all.
        is_even = not (cell.imag.any() or hopping.imag.any())  # then half a period is enough
        steps = np.arange(count // 2 + 2) - 0.679 if is_even else np.arange(count + 1) + 0.321
        grid = 2 * np.pi * steps / count
        energies, velocities = _bands(cell, hopping, grid)
        signs = np.where(abs(velocities) > flat, np.sign(velocities), 0.0)
        still = (signs[:-1] == 0) & (signs[1:] == 0)  # a flat band, or a part of it
        for last, here in pairwise(signs):
            np.copyto(here, last, where=here == 0)
        return cls(grid, energies, velocities, signs[:-1] * signs[1:] < 0, still)

    def extrema(
        self, cell: np.ndarray, hopping: np.ndarray
    ) -> tuple[tuple[np.ndarray, ...], list[tuple[float, float]]]:
        """Return all extrema and flat parts, and the range of each band.

        Of extrema energy, wave vector and band.
        """
        step, band = np.nonzero(self.turns)
        each = np.arange(band.size)

        def at(wave_vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            energies, velocities = _bands(cell, hopping, wave_vectors)
            return energies[each, band], velocities[each, band]

        k0, k1 = (self.wave_vectors[step + x] for x in range(2))
        e0, e1 = (self.energies[step + x, band] for x in range(2))
        v0, v1 = (self.velocities[step + x, band] for x in range(2))
        steepest = np.minimum(abs(v0), abs(v1))
        for number in range(_STEPS):
            with np.errstate(divide="ignore", invalid="ignore"):
                # Where the velocity vanishes, and in turn where two lines cross.
                by_secant = k0 + (k1 - k0) * v0 / (v0 - v1)
                by_tangents = k0 + (e1 - e0 - v1 * (k1 - k0)) / (v0 - v1)
            k = by_tangents if number % 2 else by_secant
            k = np.where((k0 < k) & (k < k1), k, 0.5 * (k0 + k1))
            e, v = at(k)
            left = np.sign(v) == np.sign(v0)
            k0, e0, v0 = (np.where(left, x, y) for x, y in ((k, k0), (e, e0), (v, v0)))
            k1, e1, v1 = (np.where(left, y, x) for x, y in ((k, k1), (e, e1), (v, v1)))
        # The end that goes further: of two lines that cross the other may stay behind.
        k = np.where((e0 > e1) == (v0 > 0), k0, k1)
        beside = np.minimum(*(abs(at(k + side * _BESIDE)[1]) for side in (-1, 1)))
        found, is_extremum = at(k)[0], beside < 0.5 * steepest
        still, flat_band = np.nonzero(self.still)
        flat = self.energies[still, flat_band], self.wave_vectors[still], flat_band
        extrema = (x[is_extremum] for x in (found, k, band))
        ranges = []
        for n, own in enumerate(self.energies.T):
            seen = np.concatenate([own, found[band == n]])
            ranges.append((float(seen.min()), float(seen.max())))
        both = tuple(np.concatenate(pair) for pair in zip(extrema, flat, strict=True))
        return both, sorted(ranges)


def _edges(
    cell: np.ndarray, hopping: np.ndarray, extrema: tuple[np.ndarray, ...], scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energies of extrema, ascending, and their orders; those that are close are one."""
    order = np.argsort(extrema[0], kind="stable")
    energies, wave_vectors, bands = (x[order] for x in extrema)
    starts = np.diff(energies, prepend=-np.inf) > _SAME * scale
    edges, orders = energies[starts], np.full(starts.sum(), 2)
    away = [_moved(cell, hopping, wave_vectors, bands, energies, x) for x in (_TRIED, _TRIED / 2)]
    is_flat = (away[0] > 2**2.5 * away[1]) | (away[0] < _FLAT * scale)
    for group in np.unique((np.cumsum(starts) - 1)[is_flat]):
        members = np.flatnonzero(is_flat & (np.cumsum(starts) - 1 == group))
        at = members[members.size // 2]
        found = _flat_edge(cell, hopping, wave_vectors[at], bands[at], scale)
        if found is not None:
            edges[group], orders[group] = found
    return edges, orders


def _moved(
    cell: np.ndarray,
    hopping: np.ndarray,
    wave_vectors: np.ndarray,
    bands: np.ndarray,
    energies: np.ndarray,
    distance: float,
) -> np.ndarray:
    """Return by how much bands move from energies at a distance from wave vectors, (n,)."""
    each = np.arange(bands.size)
    sides = (
        np.linalg.eigvalsh(bloch(cell, hopping, wave_vectors + side * distance))[each, bands]
        for side in (-1, 1)
    )
    return sum(abs(x - energies) for x in sides)


def _flat_edge(
    cell: np.ndarray, hopping: np.ndarray, wave_vector: float, band: int, scale: float
) -> tuple[float, int] | None:
    """Return energy and order of an edge, None where there is none, as of a flat band.

    Its wave vector, which rounding hides, is in the middle of those at which the band has moved
    as far to both sides; the distances of these go as the root of order n.
    """

    def energy(wave_vectors: np.ndarray) -> np.ndarray:
        shape = np.shape(wave_vectors)
        found = np.linalg.eigvalsh(bloch(cell, hopping, np.ravel(wave_vectors)))[:, band]
        return found.reshape(shape)

    grid = np.pi * np.arange(1, _AROUND + 1) / _AROUND
    sides = np.array([[-1.0], [1.0]])
    for _ in range(2):
        edge = float(energy(np.array([wave_vector]))[0])
        gone = abs(energy(wave_vector + sides * grid) - edge)[:, None] > scale * _LEVELS[:, None]
        if not gone.any(axis=2).all():
            return None
        upper = grid[gone.argmax(axis=2)]
        lower = upper - grid[0]
        for _ in range(_HALVINGS):
            middle = 0.5 * (lower + upper)
            beyond = abs(energy(wave_vector + sides * middle) - edge) > scale * _LEVELS
            lower, upper = np.where(beyond, lower, middle), np.where(beyond, middle, upper)
        wave_vector += 0.5 * float(upper[1, 0] - upper[0, 0])
    widths = upper.sum(axis=0)
    orders = np.diff(np.log(_LEVELS)) / np.diff(np.log(widths))
    squares = widths[:-1] * widths[1:]
    # Of a band that is even about its edge, to the next order in the square of the width.
    limit = orders[0] - (orders[1] - orders[0]) * squares[0] / (squares[1] - squares[0])
    order = max(2, round(float(limit)))
    # No more waves meet than there are; of a flat band that another one crosses it has no limit.
    return (float(energy(np.array([wave_vector]))[0]), order) if order <= 2 * len(cell) else None
