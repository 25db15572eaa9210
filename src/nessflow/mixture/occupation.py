"""Distributions of the reservoirs, their mixtures, and differences without cancellation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nessflow.mixture.quadrature import LEAST, ROUNDING, Nodes
from nessflow.mixture.state import Mixture, Shares

_TAIL = 650.0
"""``(omega - mu)/T`` beyond which occupations, and products with them, have fewer digits."""


def distribution(reduced: np.ndarray, sign: int) -> np.ndarray:
    """Return ``d = 1/(e^x + sign)`` (3) at ``x = beta (omega - mu)``; sign -1 for bosons.

    Parameters
    ----------
    reduced : (...) array
        x; above 0 for bosons.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    (...) float array
        ``d``.
    """
    # Down to the least number; SciPy's ``expit`` ends at e^-709, where precision is full.
    smaller = np.exp(-abs(reduced))
    if sign > 0:
        return np.where(reduced > 0, smaller, 1.0) / (1 + smaller)
    return smaller / -np.expm1(-reduced)


def complement(reduced: np.ndarray, sign: int) -> np.ndarray:
    """Return ``1 - sign d``, without cancellation.

    Parameters
    ----------
    reduced : (...) array
        x; above 0 for bosons.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    (...) float array
        ``1 - d`` of fermions, ``1 + d`` of bosons.
    """
    return distribution(-reduced, 1) if sign > 0 else -1 / np.expm1(-reduced)


def _affinity(offsets: Any, temperatures: Any, potential_step: np.ndarray) -> np.ndarray:
    """Return ``x_1 - x_2`` of two reservoirs, ``x = (omega - mu)/T``, small where they are equal.

    ``potential_step`` is ``mu_1 - mu_2``.
    """
    (a, b), (t_1, t_2) = offsets, temperatures
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x_1, x_2 = a / t_1, b / t_2
        thermal, chemical = a * ((t_2 - t_1) / t_1 / t_2), -potential_step / t_2
        close = abs(thermal) + abs(chemical) < abs(x_1) + abs(x_2)
        return np.where(close, thermal + chemical, x_1 - x_2)


@dataclass(frozen=True, eq=False)
class Occupations:
    """What integrands are made of, at the nodes of some mixtures with one statistics.

    Arrays are (n, p, 21) by reservoir or (p, 21); each is computed when first asked for.

    Attributes
    ----------
    mixtures : sequence of Mixture
        With one statistics and one number of reservoirs.
    nodes : Nodes
        p panels.
    """

    mixtures: Sequence[Mixture]
    nodes: Nodes

    @property
    def sign(self) -> int:
        """+1 for fermions, -1 for bosons."""
        return self.mixtures[0].sign

    def _of(self, values: Sequence) -> np.ndarray:
        """Spread one number for each mixture over its panels."""
        return np.asarray(values, float).T[..., self.nodes.owner, None]

    @cached_property
    def temperatures(self) -> np.ndarray:
        """T by reservoir, (n, p, 1)."""
        return self._of([[r.temperature for r in x.reservoirs] for x in self.mixtures])

    @cached_property
    def potentials(self) -> np.ndarray:
        """Mu by reservoir, (n, p, 1)."""
        return self._of([[r.chemical_potential for r in x.reservoirs] for x in self.mixtures])

    @cached_property
    def momenta(self) -> np.ndarray:
        """``k >= 0``."""
        return np.sqrt(2 * self._of([x.mass for x in self.mixtures])) * self.nodes.roots

    @cached_property
    def reduced(self) -> np.ndarray:
        """``x_i = (omega - mu_i)/T_i``."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x = self.nodes.offsets / self.temperatures
        return np.where(np.isnan(x), 0.0, x)

    @cached_property
    def filled(self) -> np.ndarray:
        """``d_i``."""
        return distribution(self.reduced, self.sign)

    @cached_property
    def empty(self) -> np.ndarray:
        """``1 - d_i`` of fermions, ``1 + d_i`` of bosons."""
        return complement(self.reduced, self.sign)

    @cached_property
    def affinity(self) -> np.ndarray:
        """``x_i - x_n`` against the last reservoir."""
        last = self.potentials[-1]
        rows = [
            _affinity(
                (self.nodes.offsets[i], self.nodes.offsets[-1]),
                (self.temperatures[i], self.temperatures[-1]),
                self.potentials[i] - last,
            )
            for i in range(len(self.potentials))
        ]
        return np.stack(rows)

    @cached_property
    def difference(self) -> np.ndarray:
        """``d_i - d_n`` against the last reservoir: ``d_i (1 -+ d_n) (1 - e^{x_i - x_n})``."""
        x = self.affinity
        with np.errstate(invalid="ignore"):
            # The one with the larger x is the emptier: take the exponential that is below one.
            larger = np.where(x > 0, self.filled[-1] * self.empty, self.filled * self.empty[-1])
            smooth = np.sign(x) * larger * np.expm1(-abs(x))
        return np.where(np.isfinite(x), smooth, self.filled - self.filled[-1])

    @cached_property
    def shares(self) -> Shares:
        """Weights, each (n, p, 21)."""
        owner, shape = self.nodes.owner, self.filled.shape
        cuts = np.searchsorted(owner, np.arange(len(self.mixtures) + 1))
        result = Shares(*(np.empty(shape) for _ in Shares._fields))
        for number in np.unique(owner):
            part = slice(cuts[number], cuts[number + 1])
            found = self.mixtures[number].weights.at(self.momenta[part])
            for target, values in zip(result, found, strict=True):
                target[:, part] = values
        return result

    @cached_property
    def mixed(self) -> np.ndarray:
        """``d_mix(k)`` and ``d_mix(-k)`` (5), (2, p, 21)."""
        return np.stack([(share * self.filled).sum(axis=0) for share in self.shares[:2]])

    @cached_property
    def mixed_empty(self) -> np.ndarray:
        """``1 -+ d_mix`` at k and -k, without cancellation, (2, p, 21)."""
        return np.stack([(share * self.empty).sum(axis=0) for share in self.shares[:2]])

    @cached_property
    def flow(self) -> np.ndarray:
        """``d_mix(k) - d_mix(-k) = sum_i I_i (d_i - d_n)``, (p, 21)."""
        return (self.shares.imbalance * self.difference).sum(axis=0)

    @cached_property
    def lost(self) -> np.ndarray:
        """Magnitude whose rounding error is that of a tail near the least number, (n, p, 21)."""
        tail = (self.reduced > _TAIL) & np.isfinite(self.reduced)
        return np.where(tail, LEAST / ROUNDING, 0.0)

    @cached_property
    def mixed_size(self) -> np.ndarray:
        """What sets the rounding errors of `mixed`."""
        size = self.filled * (1 + self.empty * self._steepness) + self.lost
        return np.stack([(share * size).sum(axis=0) for share in self.shares[:2]])

    @cached_property
    def flow_size(self) -> np.ndarray:
        """What sets the rounding errors of `flow`."""
        lost = np.where(self.affinity == 0, 0.0, self.lost + self.lost[-1])
        steepness = np.maximum(self._steepness, self._steepness[-1])
        return (self.shares.size * (abs(self.difference) * (1 + steepness) + lost)).sum(axis=0)

    @cached_property
    def window_size(self) -> np.ndarray:
        """What sets the rounding errors of ``d_i (1 -+ d_i)``, (n, p, 21)."""
        return self.filled * self.empty * (1 + self._steepness) + self.lost

    @cached_property
    def _steepness(self) -> np.ndarray:
        """Rounding of x, which is that of ``e^x``, in roundings of an integrand, (n, p, 21)."""
        x = np.where(np.isfinite(self.reduced), abs(self.reduced), 0.0)
        return x * (np.finfo(float).eps / ROUNDING)
