"""Self-energy of a lead of coupled orbitals between its subband edges, interpolated.

Between two neighbouring edges everything is analytic in the angle of ``E = middle - half cos
theta``, which takes the roots at both ends away; beyond all bands in the root of a fraction of the
distance.  There the matrices are interpolated from Chebyshev nodes, on panels that are halved until
their series end.  A panel is computed when an energy first falls into it, and what is computed does
not depend on who asks: an ensemble pays for each once, and has the same numbers to the last bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_NODES = 24
_TAIL = 4
"""Last coefficients of a series, which have to be small."""
_END = 4e-14
"""Size of them, relative to the largest value of the piece."""
_ROUNDED = 1e-11
"""The same, of a series that ends in rounding: next to a resonance it is more."""
_LEVEL = 0.5
"""Last coefficients, over those before, from which on they are rounding: halves have no less."""
_NOISE = 2 * np.finfo(float).eps
"""Rounding of values next to an edge, over the root of the distance over the scale."""
_ROUGH = 1e-6
"""Size of last coefficients up to which they are rounding, next to a narrow resonance, if no less
than those before: halves have no better ones, and values are not interpolated."""
_DEEPEST = 12
"""Halvings, after which values are not interpolated."""

_X = np.polynomial.chebyshev.chebpts1(_NODES)
_WEIGHTS = (-1.0) ** np.arange(_NODES) * np.sqrt(1 - _X**2)
_TO_SERIES = np.polynomial.chebyshev.chebvander(_X, _NODES - 1).T * (2 / _NODES)


@dataclass(frozen=True)
class _Piece:
    """Energies between two edges, or beyond the last, and the variable of the interpolation."""

    low: float
    high: float
    scale: float

    def variable(self, energies: np.ndarray) -> np.ndarray:
        """Return where energies are, from -1 to 1."""
        if np.isfinite(self.low) and np.isfinite(self.high):
            half = 0.5 * (self.high - self.low)
            # Of the distance to the closer end, which has all its digits.
            below, above = (energies - self.low) / half, (self.high - energies) / half
            angle = 2 * np.arcsin(np.sqrt(np.clip(0.5 * np.minimum(below, above), 0.0, 0.5)))
            return np.where(below < above, 2 * angle / np.pi - 1, 1 - 2 * angle / np.pi)
        distance = energies - self.low if np.isfinite(self.low) else self.high - energies
        root = np.sqrt(np.maximum(distance, 0.0) / self.scale)
        with np.errstate(invalid="ignore"):
            return np.where(np.isinf(root), -1.0, (1 - root) / (1 + root))

    def energy(self, variable: np.ndarray) -> np.ndarray:
        """Return the energies of values of the variable."""
        if np.isfinite(self.low) and np.isfinite(self.high):
            half = 0.5 * (self.high - self.low)
            below = 2 * half * np.sin(0.25 * np.pi * (variable + 1)) ** 2
            above = 2 * half * np.sin(0.25 * np.pi * (1 - variable)) ** 2
            return np.where(variable < 0, self.low + below, self.high - above)
        distance = self.scale * ((1 - variable) / (1 + variable)) ** 2
        return self.low + distance if np.isfinite(self.low) else self.high - distance

    def closest(self, lower: float, upper: float) -> float:
        """Return the root of the distance, over the scale, of the nodes of a panel from an edge."""
        nodes = self.energy(0.5 * (lower + upper) + 0.5 * (upper - lower) * _X)
        return float(np.sqrt(np.minimum(nodes - self.low, self.high - nodes).min() / self.scale))


def _interpolated(values: np.ndarray, variable: np.ndarray) -> np.ndarray:
    """Return matrices at places of a panel, (n, m, m), each with the bits that it has alone."""
    distance = variable[:, None] - _X
    nearest = abs(distance).argmin(axis=1)
    at_node = distance[np.arange(variable.size), nearest] == 0
    weights = _WEIGHTS / np.where(at_node[:, None], 1.0, distance)
    weights = weights / weights.sum(axis=1, keepdims=True)
    # A product of its own for each: one of all of them would round by how many there are.
    found = (weights[:, None] @ values.reshape(_NODES, -1)).reshape(-1, *values.shape[1:])
    found[at_node] = values[nearest[at_node]]
    return found


class Table:
    """Matrices that depend on the energy, smooth between edges.

    Parameters
    ----------
    function : callable
        ``function(energies (E,)) -> (E, m, m)`` complex array.
    edges : sequence of float
        Ascending, in t.
    scale : float
        Distance beyond the last edges on which the matrices change, in t.
    """

    def __init__(
        self, function: Callable[[np.ndarray], np.ndarray], edges: tuple[float, ...], scale: float
    ):
        self._function, self._edges = function, np.array(edges)
        ends = [-np.inf, *edges, np.inf]
        self._pieces = [_Piece(*both, scale) for both in pairwise(ends)]
        self._panels: dict[tuple[int, int, int], np.ndarray | None] = {}
        self._rough: set[tuple[int, int, int]] = set()
        self._largest: dict[int, float] = {}

    def at(self, energies: np.ndarray) -> np.ndarray:
        """Return the matrices, (E, m, m), at energies (E,); each does not depend on the others."""
        piece = np.searchsorted(self._edges, energies)
        found: list[tuple[np.ndarray, np.ndarray]] = []
        alone: list[np.ndarray] = []
        for number in np.unique(piece).tolist():
            here = np.flatnonzero(piece == number)
            variable = self._pieces[number].variable(energies[here])
            for members, values in self._values(number, variable):
                if values is None:
                    alone.append(here[members])
                else:
                    found.append((here[members], values))
        if alone:
            here = np.sort(np.concatenate(alone))
            found.append((here, self._function(energies[here])))
        if not found:
            return self._function(energies)
        result = np.empty((energies.size, *found[0][1].shape[1:]), complex)
        for here, values in found:
            result[here] = values
        return result

    def _values(
        self, piece: int, variable: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield places of some variables and what is interpolated there, (n, m, m).

        None where none of the panels has a series that ends.
        """
        waiting = [(0, 0, np.arange(variable.size))]
        while waiting:
            depth, panel, members = waiting.pop()
            half = 0.5**depth
            middle = -1 + half * (2 * panel + 1)
            values = self._panel(piece, depth, panel)
            if values is not None:
                yield members, _interpolated(values, (variable[members] - middle) / half)
            elif depth == _DEEPEST or (piece, depth, panel) in self._rough:
                yield members, None
            else:
                upper = variable[members] >= middle
                halves = (2 * panel, members[~upper]), (2 * panel + 1, members[upper])
                waiting += [(depth + 1, part, own) for part, own in halves if own.size]

    def _panel(self, piece: int, depth: int, panel: int) -> np.ndarray | None:
        """Return the values at the nodes of a panel, None where their series does not end."""
        key = piece, depth, panel
        if key not in self._panels:
            half = 0.5**depth
            middle = -1 + half * (2 * panel + 1)
            values = self._function(self._pieces[piece].energy(middle + half * _X))
            # What ends a series is relative to all of the piece, of which the first panel tells.
            largest = self._largest.setdefault(piece, float(np.median(abs(values).max((1, 2)))))
            series = abs(_TO_SERIES @ values.reshape(_NODES, -1))
            # Between edges that are neighbours no number is inside, and nothing is known.
            closest = self._pieces[piece].closest(middle - half, middle + half)
            end = max(_END, _NOISE / closest) if closest else 0.0
            last, before = series[-_TAIL:].max(), series[-2 * _TAIL : -_TAIL].max()
            size = max(largest, abs(values).max())
            is_level = _LEVEL * before <= last
            ends = last <= end * size or (is_level and last <= _ROUNDED * size)
            self._panels[key] = values if ends and np.isfinite(values).all() else None
            if is_level and last <= _ROUGH * size:
                self._rough.add(key)
        return self._panels[key]
