"""States at the end of a lead of equal cells, in the gaps between its bands.

A half-infinite row of cells is a piece of the infinite one, so that it has no levels beyond all
bands, but it may have some in gaps, bound to its end: poles of its self-energy on the real line.
A finite piece says where they are, about.  What is next to a pole has few digits, and a circle
around it all of them: from the self-energy there follow the poles, by its moments (T. Sakurai,
H. Sugiura, J. Comput. Appl. Math. 159, 119 (2003)), and what is left without them, by its series.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.linalg

from nessflow.systems.leads.surface import Surface

_ORBITALS = 400
"""Size of the finite piece, about."""
_CELLS = 16
"""Cells of it, at least."""
_HERE = 0.5
"""Weight in the first half from which on a state is of this end."""
_CLOSE = 0.02
"""Distance of levels, over the width of their gap, that have one circle."""
_SAME = 1e-9
"""Distance of levels, over the width of their gap, that are one: those of a flat band."""
_NODES = 64
_REACH = 0.4
"""Share of the room around levels that their circle takes."""
_WEIGHT = 1e-12
"""Residue, relative to the coupling squared, that is none."""


@dataclass(frozen=True, eq=False)
class EndStates:
    """States at the end of a lead, close to each other, and its self-energy around them.

    Attributes
    ----------
    levels : tuple of (float, array)
        Energy, in t, and the amplitudes u on the rows of the system, (m,), in t: near the pole the
        self-energy is ``u u^+ / (w - level)``.
    centre, reach : float
        Where the series is used: energies within the reach of the centre, in t.
    series : (n, m, m) complex array
        Coefficients of ``((w - centre) / reach)^k`` of the self-energy without these levels, in t.
    room : float
        Between these levels and others or the ends of their gap, in t.
    """

    levels: tuple[tuple[float, np.ndarray], ...]
    centre: float
    reach: float
    series: np.ndarray
    room: float

    def of_rounded(self, surface: Surface) -> "EndStates":
        """Return those of a lead whose elements differ from this one's by rounding."""
        return _around(surface, np.array([level for level, _ in self.levels]), self.room)

    def holds(self, energies: np.ndarray) -> np.ndarray:
        """Return which of energies, (E,), are within its reach."""
        return abs(energies - self.centre) < self.reach

    def regular(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy without these levels within the reach, (E, m, m)."""
        x = (energies - self.centre) / self.reach
        result = np.zeros((x.size, *self.series.shape[1:]), complex)
        for coefficient in self.series[::-1]:
            result = result * x[:, None, None] + coefficient
        return result


def end_states(surface: Surface, bands: tuple[tuple[float, float], ...]) -> tuple[EndStates, ...]:
    """Return the states at the end of a lead that its coupling reaches.

    Parameters
    ----------
    surface : Surface
        The lead.
    bands : tuple of (float, float)
        Intervals in which it has states, ascending, in t.

    Returns
    -------
    tuple of EndStates
        Those that are close to each other together.
    """
    found = []
    for (_, low), (high, _) in pairwise(bands):
        levels = _levels(surface, low, high)
        starts = np.flatnonzero(np.diff(levels, prepend=-np.inf) > _CLOSE * (high - low))
        groups = np.split(levels, starts[1:]) if levels.size else []
        ends = [low, *(x for group in groups for x in (group[0], group[-1])), high]
        for k, group in enumerate(groups):
            room = min(group[0] - ends[2 * k], ends[2 * k + 3] - group[-1])
            around = _around(surface, group, room)
            found += [around] if around.levels else []
    return tuple(found)


def _levels(surface: Surface, low: float, high: float) -> np.ndarray:
    """Return levels of a finite piece in a gap whose states are at its first cell, ascending.

    Each once: a flat band has one for every cell, and is one pole.
    """
    n = len(surface.cell)
    cells = max(_CELLS, _ORBITALS // n)
    forward = surface.onward @ surface.back.conj().T
    below = np.concatenate([surface.cell, forward.conj().T, np.zeros((n, n))])
    diagonals = np.tile([[below[j + k, j] for j in range(n)] for k in range(2 * n)], cells)
    how = {"lower": True, "select": "v", "select_range": (low, high)}
    # Most gaps have none, and vectors take far longer than levels of a band of few diagonals.
    if not scipy.linalg.eigvals_banded(diagonals, **how).size:
        return np.empty(0)
    blocks, k = np.zeros((cells, cells, n, n), complex), np.arange(cells)
    blocks[k, k] = surface.cell
    blocks[k[:-1], k[1:]], blocks[k[1:], k[:-1]] = forward, forward.conj().T
    piece = blocks.swapaxes(1, 2).reshape(2 * [cells * n])
    _, own = scipy.linalg.eigh(piece, subset_by_value=(low, high))
    half = own[: n * (cells // 2)]
    weights, turn = np.linalg.eigh(half.conj().T @ half)
    here = own @ turn[:, weights > _HERE]
    levels = np.linalg.eigvalsh(here.conj().T @ piece @ here) if here.size else np.empty(0)
    levels = levels[(low < levels) & (levels < high)]
    return levels[np.diff(levels, prepend=-np.inf) > _SAME * (high - low)]


def _around(surface: Surface, levels: np.ndarray, room: float) -> EndStates:
    """Return the poles close to some levels, and the self-energy on a circle without them."""
    centre, spread = 0.5 * (levels[0] + levels[-1]), 0.5 * (levels[-1] - levels[0])
    radius = spread + _REACH * room
    turns = np.exp(2j * np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    above = surface.decaying(centre + radius * turns[: _NODES // 2])
    values = np.concatenate([above, above[::-1].conj().swapaxes(1, 2)])
    least = float(_WEIGHT * np.linalg.norm(surface.coupling, 2) ** 2)
    places, vectors = _poles(values, turns, radius, levels.size, least)
    rest = values.copy()
    for x, u in zip(places, vectors.T, strict=True):
        rest -= np.outer(u, u.conj()) / (radius * (turns - x))[:, None, None]
    reach = 0.5 * (spread + radius)
    powers = np.arange(_NODES // 2)[:, None]
    series = np.tensordot(turns.conj() ** powers, rest, 1) / _NODES
    series *= ((reach / radius) ** powers)[:, :, None]
    series = 0.5 * (series + series.conj().swapaxes(1, 2))
    known = zip((centre + radius * places).tolist(), vectors.T, strict=True)
    return EndStates(tuple(known), centre, reach, series, room)


def _poles(
    values: np.ndarray, turns: np.ndarray, radius: float, count: int, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return poles within a circle, over its radius, and vectors of their residues, (m, k).

    The moments ``sum_j x_j^p u_j u_j^+`` of values on the circle are the blocks of two matrices
    whose eigenvalues, of one relative to the other, are the poles x.
    """
    moments = [
        radius * np.tensordot(turns ** (p + 1), values, 1) / turns.size for p in range(2 * count)
    ]

    def blocks(first: int) -> np.ndarray:
        rows = [[moments[first + i + j] for j in range(count)] for i in range(count)]
        matrix = np.block(rows)
        return 0.5 * (matrix + matrix.conj().T)

    sizes, modes = np.linalg.eigh(blocks(0))
    sizes, modes = sizes[sizes > least], modes[:, sizes > least]
    inverse = (modes / np.sqrt(sizes)).conj().T
    places, turn = np.linalg.eigh(inverse @ blocks(1) @ inverse.conj().T)
    return places, (modes * np.sqrt(sizes) @ turn)[: values.shape[1]]
