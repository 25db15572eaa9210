"""Integrals over the energy for many mixtures at once.

Every panel runs from one break point to the next and is a straight piece of ``u = sqrt(omega)``,
in which distributions and weights of a particle with ``omega = k^2/2m`` are smooth at the band
bottom and the density of states is none of the integrand's business.  Break points are stored as
a base, 0 or a chemical potential, and an offset, so that ``omega - mu`` has no rounding error of
the size of mu: narrow Fermi steps at large energies keep their digits.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nessflow.mixture.state import BOSONS, Mixture
from nessflow.spectrum.quadrature import KRONROD, NODES, node_sums, panel_estimates

_STEP = np.array([-80.0, -40.0, -20.0, -7.0, 0.0, 7.0, 20.0, 40.0, 80.0])
"""Break points of a distribution, in temperatures from the chemical potential or from 0."""
_CONDENSING = 4.0 ** np.arange(-1, 22)
"""Break points for bosons, in units of ``|mu|``: the pole of the distribution is at mu < 0."""
ROUNDING = 16 * np.finfo(float).eps
"""Relative rounding error of an integrand's magnitude."""
LEAST = np.finfo(float).smallest_subnormal
_MAX_ROUNDS = 40
_MAX_PANELS = 20_000
"""Panels per mixture."""
_NOTHING = 1e-150
"""Length of a panel that holds nothing, in t; powers of smaller numbers underflow."""
_TOGETHER = 64
"""Mixtures whose nodes are in memory together: they fit in the cache."""


class Nodes(NamedTuple):
    """Energies at which integrands are asked for; p panels of 21."""

    owner: np.ndarray
    """Number of the mixture each panel belongs to, (p,) int, not decreasing."""
    roots: np.ndarray
    """``u = sqrt(omega)``, (p, 21)."""
    energies: np.ndarray
    """omega, (p, 21)."""
    offsets: np.ndarray
    """``omega - mu_i`` by reservoir, (n, p, 21)."""


class Integral(NamedTuple):
    """Integrals over ``d omega`` of m components for P mixtures."""

    value: np.ndarray
    """(m, P) float"""
    error: np.ndarray
    """What the values may be wrong by, rounding included; (m, P) float."""
    converged: np.ndarray
    """Whether each met the tolerance or its rounding errors; (P,) bool."""


@dataclass(frozen=True, eq=False)
class _Panels:
    """Panels from ``base + start``, of the width ``sqrt(end) - sqrt(start)`` in u."""

    owner: np.ndarray
    base: np.ndarray
    start: np.ndarray
    root: np.ndarray
    """Square root of the energy at the start."""
    width: np.ndarray

    def __getitem__(self, chosen: Any) -> "_Panels":
        return _Panels(*(getattr(self, name)[chosen] for name in self.__annotations__))

    def halves(self) -> "_Panels":
        """Return both halves of every panel, side by side."""
        half = 0.5 * self.width
        middle = self.start + half * (2 * self.root + half)
        parts = {
            "start": (self.start, middle),
            "root": (self.root, self.root + half),
            "width": (half, half),
        }
        pairs = [
            np.stack(parts.get(name, (getattr(self, name),) * 2), axis=1).ravel()
            for name in self.__annotations__
        ]
        return _Panels(*pairs)


def _joined(one: _Panels, other: _Panels) -> _Panels:
    names = _Panels.__annotations__
    return _Panels(*(np.concatenate([getattr(x, name) for x in (one, other)]) for name in names))


def _break_points(mixture: Mixture) -> tuple[list[float], list[float]]:
    """Return bases and offsets of the break points of one mixture, unsorted."""
    bases, offsets = [0.0], [0.0]
    for reservoir in mixture.reservoirs:
        edge = max(reservoir.chemical_potential, 0.0)
        bases += [edge] * _STEP.size
        offsets += (reservoir.temperature * _STEP).tolist()
        if mixture.statistics == BOSONS:
            scale = min(-reservoir.chemical_potential, reservoir.temperature)
            bases += [0.0] * _CONDENSING.size
            offsets += (scale * _CONDENSING).tolist()
    energies = np.asarray(mixture.weights.momenta, float) ** 2 / (2 * mixture.mass)
    bases += [0.0] * energies.size
    offsets += energies.tolist()
    return bases, offsets


def _first_panels(mixtures: Sequence[Mixture]) -> _Panels:
    """Return the panels between the break points of all mixtures."""
    points = [_break_points(mixture) for mixture in mixtures]
    size = max(len(bases) for bases, _ in points)
    base, offset = (
        np.array([row + [0.0] * (size - len(row)) for row in rows])
        for rows in zip(*points, strict=True)
    )
    top = [
        max(max(r.chemical_potential, 0.0) + _STEP[-1] * r.temperature for r in x.reservoirs)
        for x in mixtures
    ]
    outside = (base + offset <= 0) | (base + offset > np.array(top)[:, None])
    base[outside] = offset[outside] = 0.0
    # The offset decides between points that rounding has made equal.
    order = np.lexsort((offset, base + offset))
    base, offset = (np.take_along_axis(x, order, 1) for x in (base, offset))
    root = np.sqrt(base + offset)
    length = (offset[:, 1:] - offset[:, :-1]) + (base[:, 1:] - base[:, :-1])
    chosen = abs(length) > _NOTHING
    owner = np.broadcast_to(np.arange(len(mixtures))[:, None], length.shape)
    sums = root[:, 1:] + root[:, :-1]
    width = np.divide(length, sums, out=np.zeros_like(length), where=chosen)
    return _Panels(*(x[chosen] for x in (owner, base[:, :-1], offset[:, :-1], root[:, :-1], width)))


def _nodes(panels: _Panels, potentials: np.ndarray) -> tuple[Nodes, np.ndarray]:
    """Return the nodes of panels and ``d omega`` in units of the rule's weight, (p, 21)."""
    step = panels.width[:, None] * (0.5 * (1 + NODES))
    u = panels.root[:, None] + step
    offset = panels.start[:, None] + step * (2 * panels.root[:, None] + step)
    shift = panels.base - potentials[:, panels.owner]
    nodes = Nodes(panels.owner, u, u**2, offset + shift[..., None])
    return nodes, u * panels.width[:, None]


def _panel_integrals(
    integrand: Callable[..., Any], panels: _Panels, potentials: np.ndarray
) -> np.ndarray:
    """Return value, error and rounding error of each component on each panel, (3, m, p)."""
    nodes, slope = _nodes(panels, potentials)
    values, magnitudes = (np.asarray(x) * slope for x in integrand(nodes))
    value, error = panel_estimates(values)
    rounding = ROUNDING * node_sums(abs(magnitudes), KRONROD)
    # Products near the least number keep it at best.
    rounding += 4 * LEAST * np.count_nonzero(magnitudes, axis=-1)
    return np.stack([value, error, rounding])


def _sums(results: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    """Add the panels of each mixture: (3, m, p) to (3, m, P)."""
    # Nothing to integrate, as at temperature 0 below the band, is no panel at all.
    flat = results.reshape(math.prod(results.shape[:-1]), results.shape[-1])
    return np.stack([np.bincount(owner, row, count) for row in flat]).reshape(
        *results.shape[:-1], count
    )


def integrate(
    mixtures: Sequence[Mixture],
    integrand: Callable[[Nodes], tuple[np.ndarray, np.ndarray]],
    rtol: float = 1e-12,
) -> Integral:
    """Integrate the components of a function over the energies of all mixtures.

    Parameters
    ----------
    mixtures : sequence of Mixture
        With one number of reservoirs.
    integrand : callable
        ``integrand(nodes) -> (values (m, p, 21), magnitudes (m, p, 21))``; ``magnitudes`` are the
        sums of the absolute values of what was added to ``values`` and set their rounding errors.
    rtol : float
        Error over value at which a component is done; rounding errors that are larger take its
        place.

    Returns
    -------
    Integral
        (m, P), by mixture.
    """
    count = len(mixtures)
    potentials = np.array([[r.chemical_potential for r in x.reservoirs] for x in mixtures]).T
    panels = _first_panels(mixtures)
    results = _panel_integrals(integrand, panels, potentials)
    for _ in range(_MAX_ROUNDS):
        value, error, rounding = totals = _sums(results, panels.owner, count)
        target = np.maximum(rtol * abs(value), rounding)
        late = np.any(error > target, axis=0)
        number = np.bincount(panels.owner, minlength=count)
        # A panel is split where its share of the error is more than its share of the target.
        share = (target / np.maximum(number, 1))[:, panels.owner]
        chosen = late[panels.owner] & (number < _MAX_PANELS)[panels.owner]
        chosen &= np.any(results[1] > np.maximum(share, results[2]), axis=0)
        if not chosen.any():
            break
        fresh = panels[chosen].halves()
        parts = results[..., ~chosen], _panel_integrals(integrand, fresh, potentials)
        results = np.concatenate(parts, axis=-1)
        panels = _joined(panels[~chosen], fresh)
        order = np.argsort(panels.owner, kind="stable")
        panels, results = panels[order], results[..., order]
    value, error, rounding = totals
    return Integral(value, error + rounding, np.all(error <= 2 * target, axis=0))


def in_parts(
    mixtures: Sequence[Mixture], integral: Callable[[Sequence[Mixture]], Integral]
) -> Integral:
    """Return ``integral(mixtures)``, computed for a few mixtures at a time.

    Parameters
    ----------
    mixtures : sequence of Mixture
        P of them.
    integral : callable
        ``integral(some mixtures) -> Integral``.

    Returns
    -------
    Integral
        (m, P), by mixture.
    """
    starts = range(0, len(mixtures), _TOGETHER)
    parts = [integral(mixtures[start : start + _TOGETHER]) for start in starts]
    return Integral(*(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)))
