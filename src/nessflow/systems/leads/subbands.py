"""Subbands of a lead of equal cells: where they end, and between which energies states are.

Band n is ``E_n(k)``, the n-th eigenvalue of ``H0 + V e^{ik} + V^+ e^{-ik}``.  Its extrema, at any
k, are where channels open and close.  Bands are taken in ascending order at each k: where two of
them cross one of each seems to have an extremum, which costs a break point and no digit.
"""

from itertools import pairwise

import numpy as np

_COARSE = 32
"""Wave vectors in a period, at least."""
_PER_STATE = 8
"""Wave vectors in a period for each orbital of a cell."""
_DOUBLINGS = 5
_SAME = 1e-9
"""Distance of energies, relative to the norm, that are one."""
_STEPS = 30
"""Bisections of a wave vector, to the root of rounding: energies follow its square."""
_FLAT = 1e-10
"""Velocity, relative to the norm, that is none."""


def subbands(
    cell: np.ndarray, hopping: np.ndarray
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Return the edges of all subbands and the intervals that have states.

    Parameters
    ----------
    cell, hopping : (n, n) array
        ``H0`` and ``V``, in t.

    Returns
    -------
    edges : tuple of float
        Extrema of all bands, ascending, and levels of flat ones, in t.
    bands : tuple of (float, float)
        Ascending, apart from each other, in t; none where no band is wider than rounding.
    """
    scale = float(np.linalg.norm(cell, 2) + 2 * np.linalg.norm(hopping, 2)) or 1.0
    count = max(_COARSE, _PER_STATE * len(cell))
    found = _extrema(cell, hopping, count, _FLAT * scale)
    for _ in range(_DOUBLINGS):
        count *= 2
        more = _extrema(cell, hopping, count, _FLAT * scale)
        edges, before = (_apart(np.concatenate(x), _SAME * scale) for x in (more, found))
        if edges.size == before.size:
            break
        found = more
    ranges = sorted((float(x.min()), float(x.max())) for x in more)
    bands: list[tuple[float, float]] = []
    for low, high in ranges:
        if high - low <= _SAME * scale:
            continue
        if bands and low <= bands[-1][1] + _SAME * scale:
            bands[-1] = bands[-1][0], max(high, bands[-1][1])
        else:
            bands.append((low, high))
    return tuple(edges.tolist()), tuple(bands)


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
    return energies, np.einsum("kin,kij,kjn->kn", states.conj(), slope, states).real


def _extrema(cell: np.ndarray, hopping: np.ndarray, count: int, flat: float) -> list[np.ndarray]:
    """Return the energies of the extrema of each band, seen on a grid of wave vectors."""
    # Off the points of high symmetry, at which extrema are met to rounding or not at all.
    grid = 2 * np.pi * (np.arange(count + 1) + 0.321) / count
    energies, velocities = _bands(cell, hopping, grid)
    signs = np.where(abs(velocities) > flat, np.sign(velocities), 0.0)
    still = (signs[:-1] == 0) & (signs[1:] == 0)  # a flat band, or a part of it between crossings
    for last, here in pairwise(signs):
        np.copyto(here, last, where=here == 0)
    turns = signs[:-1] * signs[1:] < 0
    step, band = np.nonzero(turns)
    low, high = grid[step], grid[step + 1]
    rising = velocities[step, band] > 0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        slope = _bands(cell, hopping, middle)[1][np.arange(band.size), band]
        before = (slope > 0) == rising
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    found = _bands(cell, hopping, 0.5 * (low + high))[0][np.arange(band.size), band]
    levels = energies[:-1]
    seen = [np.concatenate([found[band == n], levels[still[:, n], n]]) for n in range(len(cell))]
    return [x if x.size else levels[:1, n] for n, x in enumerate(seen)]


def _apart(values: np.ndarray, distance: float) -> np.ndarray:
    """Return values, ascending, one of each group that is closer together than a distance."""
    values = np.sort(values)
    return values[np.diff(values, prepend=-np.inf) > distance]
