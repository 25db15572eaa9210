"""States at the end of a lead of equal cells, in the gaps between its bands.

A half-infinite row of cells is a piece of the infinite one, so that it has no levels beyond all
bands, but it may have some in gaps, bound to its end: poles of its self-energy on the real line.
Those of a finite piece that live in its first half are found first, and then each pole by the
self-energy itself.
"""

from itertools import pairwise

import numpy as np

from nessflow.systems.leads.surface import Surface

_ORBITALS = 400
"""Size of the finite piece, about."""
_CELLS = 16
"""Cells of it, at least."""
_HERE = 0.5
"""Weight in the first half from which on a state is of this end."""
_SAME = 1e-6
"""Distance of levels, relative to the norm, that are refined together."""
_STEPS = 12
_NEAR = 1e-3
"""Distance from a pole at which its residue is taken, over that to what is next."""
_WEIGHT = 1e-12
"""Residue, relative to the coupling squared, that is none."""


def end_states(
    surface: Surface, bands: tuple[tuple[float, float], ...]
) -> tuple[tuple[float, np.ndarray], ...]:
    """Return the states at the end of a lead that its coupling reaches.

    Parameters
    ----------
    surface : Surface
        The lead.
    bands : tuple of (float, float)
        Intervals in which it has states, ascending, in t.

    Returns
    -------
    tuple of (level, vector)
        Energy, in t, and the amplitudes u on the rows of the system, (m,), in t: near the pole the
        self-energy is ``u u^+ / (w - level)``.  Levels that coincide come one by one.
    """
    gaps = [(high, low) for (_, high), (low, _) in pairwise(bands)]
    found: list[tuple[float, np.ndarray]] = []
    for low, high in gaps:
        levels = _levels(surface, low, high)
        for k, level in enumerate(levels):
            others = [x for j, x in enumerate(levels) if j != k]
            room = min(abs(level - x) for x in (low, high, *others))
            found += _pole(surface, level, room)
    return tuple(found)


def _levels(surface: Surface, low: float, high: float) -> list[float]:
    """Return levels of a finite piece in a gap whose states are at its first cell."""
    n = len(surface.cell)
    cells = max(_CELLS, _ORBITALS // n)
    forward = surface.onward @ surface.back.conj().T
    piece = np.kron(np.eye(cells), surface.cell) + np.kron(np.eye(cells, k=1), forward)
    piece += np.kron(np.eye(cells, k=-1), forward.conj().T)
    energies, states = np.linalg.eigh(piece)
    inside = (low < energies) & (energies < high)
    own = states[:, inside]
    half = own[: n * (cells // 2)]
    weights, turn = np.linalg.eigh(half.conj().T @ half)
    here = own @ turn[:, weights > _HERE]
    levels = np.linalg.eigvalsh(here.conj().T @ piece @ here) if here.size else np.empty(0)
    apart = np.diff(levels, prepend=-np.inf) > _SAME * surface.scale
    return levels[apart & (levels > low) & (levels < high)].tolist()


def _largest(surface: Surface, energy: float) -> float:
    """Return the inverse of the largest eigenvalue of ``Phi``: 0 at a pole, and rising there."""
    values = np.linalg.eigvalsh(surface.green(energy))
    return 1 / values[np.argmax(abs(values))]


def _pole(surface: Surface, level: float, room: float) -> list[tuple[float, np.ndarray]]:
    """Return the pole close to a level; none where the coupling does not reach it."""
    before, here = level - _NEAR * room, level + _NEAR * room
    at_before, at_here = _largest(surface, before), _largest(surface, here)
    for _ in range(_STEPS):
        if at_here in (at_before, 0.0):
            break
        step = at_here * (here - before) / (at_here - at_before)
        before, at_before, here = here, at_here, here - step
        if not abs(here - level) < 0.5 * room:
            return []
        if here == before:
            break
        at_here = _largest(surface, here)
    steps = _NEAR * room * 0.5 ** np.arange(3)
    around = surface.at(np.concatenate([here + steps, here - steps]))[0].reshape(2, 3, -1)
    # Even powers of the step are left.
    halved = 0.5 * steps[:, None] * (around[0] - around[1])
    once = (4 * halved[1:] - halved[:-1]) / 3
    residue = ((16 * once[1] - once[0]) / 15).reshape(len(surface.coupling), -1)
    values, vectors = np.linalg.eigh(0.5 * (residue + residue.conj().T))
    largest = np.linalg.norm(surface.coupling, 2) ** 2
    return [
        (float(here), np.sqrt(value) * vector)
        for value, vector in zip(values, vectors.T, strict=True)
        if value > _WEIGHT * largest
    ]
