"""Rate equation of the occupations of a ring's modes, weakly coupled to baths.

With ``n = 1/(1 + e^lambda)`` the generalised Gibbs ensemble of paper weak-coupling-rectification
obeys (eqs. 10 to 12 and 20 to 22)

    dn_b/dt = G_b (1 - n_b) - D_b n_b,    G_b = sum_a n_a w_ab,    D_b = sum_a w_ba (1 - n_a),

``w_ab`` the rate from mode a to mode b, the sum over all channels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import expit

from nessflow.estimate import Estimate
from nessflow.kinetic.bands import Bands
from nessflow.kinetic.rates import Channel

_EPS = np.finfo(float).eps
_LEVEL = 1e-14
"""Accuracy of a chemical potential over the temperature."""


@dataclass(frozen=True)
class RateEquation:
    """Modes of a ring and the channels that move particles between them.

    Attributes
    ----------
    bands : Bands
        The modes.
    channels : tuple of Channel
        Rates of each bath, strengths included.
    """

    bands: Bands
    channels: tuple[Channel, ...]

    @property
    def modes(self) -> int:
        """Number of modes."""
        return self.bands.energy.value.size

    @cached_property
    def out(self) -> np.ndarray:
        """Columns of all channels by the mode that loses, times strength, (modes, columns)."""
        return _side_by_side(c.strength * c.out for c in self.active)

    @cached_property
    def into(self) -> np.ndarray:
        """Columns of all channels by the mode that gains, (modes, columns)."""
        return _side_by_side(c.into for c in self.active)

    @cached_property
    def out_error(self) -> np.ndarray:
        """What ``out`` may be wrong by, (modes, columns)."""
        return _side_by_side(c.strength * c.out_error for c in self.active)

    @cached_property
    def into_error(self) -> np.ndarray:
        """What ``into`` may be wrong by, (modes, columns)."""
        return _side_by_side(c.into_error for c in self.active)

    @cached_property
    def active(self) -> tuple[Channel, ...]:
        """Channels whose strength is not zero."""
        return tuple(c for c in self.channels if c.strength)

    def derivative(self, occupation: np.ndarray, count: np.ndarray | float = 1.0) -> np.ndarray:
        """Return ``dn/dt``.

        Parameters
        ----------
        occupation : (modes,) array
            ``n``.
        count : float or (modes,) array
            How much each mode acts on the others; one of 0 follows them only.

        Returns
        -------
        (modes,) float array
            In t/hbar.
        """
        filled, empty = count * occupation, count * (1 - occupation)
        gain, drain = gain_and_drain(self.out, self.into, filled, empty)
        return gain * (1 - occupation) - drain * occupation

    def jacobian(self, occupation: np.ndarray, count: np.ndarray | float = 1.0) -> np.ndarray:
        """Return ``d(dn_b/dt)/dn_a``.

        Parameters
        ----------
        occupation : (modes,) array
            ``n``.
        count : float or (modes,) array
            As in `derivative`.

        Returns
        -------
        (modes, modes) float array
            In t/hbar, b the row.
        """
        filled, empty = count * occupation, count * (1 - occupation)
        gain, drain = gain_and_drain(self.out, self.into, filled, empty)
        left = np.hstack([(1 - occupation)[:, None] * self.into, occupation[:, None] * self.out])
        return count * (left @ np.hstack([self.out, self.into]).T) - np.diag(gain + drain)


def _side_by_side(columns: Iterable[np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(np.hstack(list(columns)))


def gain_and_drain(
    out: np.ndarray, into: np.ndarray, filled: np.ndarray, empty: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return G and D of each mode.

    Parameters
    ----------
    out, into : (modes, columns) arrays
        The rates.
    filled, empty : (modes,) arrays
        ``n`` and ``1 - n``.

    Returns
    -------
    gain, drain : (modes,) float
        In the unit of the rates.
    """
    return into @ (out.T @ filled), out @ (into.T @ empty)


def rate_equation(
    bands: Bands,
    thermal: Channel,
    dissipator: Sequence[Channel],
    coupling: float,
    nonequilibrium_share: float,
    equilibrium_share: float | None = None,
) -> RateEquation:
    """Return the equation of a ring between an equilibrium bath and a dissipator.

    Parameters
    ----------
    bands : Bands
        Modes.
    thermal : Channel
        Rates of the equilibrium bath.
    dissipator : sequence of Channel
        Rates of the other bath.
    coupling : float
        ``epsilon J``, in t/hbar.
    nonequilibrium_share : float
        ``gamma_neq``.
    equilibrium_share : float, optional
        ``gamma_eq``, where ``1 - gamma_neq`` has too few of its digits.

    Returns
    -------
    RateEquation
        The equilibrium bath first.

    Raises
    ------
    ValueError
        When the share is outside [0, 1] or the coupling is not positive and finite.
    """
    if equilibrium_share is None:
        equilibrium_share = 1 - nonequilibrium_share
    if not 0 <= nonequilibrium_share <= 1:
        raise ValueError(
            f"nonequilibrium_share {nonequilibrium_share:g} is outside [0, 1]: both baths share "
            "one coupling"
        )
    if not 0 < coupling < np.inf:
        raise ValueError(f"coupling {coupling:g} is not a positive number")
    unit = coupling / bands.length
    thermal = replace(thermal, strength=unit * equilibrium_share)
    others = [replace(c, strength=unit * nonequilibrium_share * c.strength) for c in dissipator]
    return RateEquation(bands, (thermal, *others))


class Number:
    """How many particles are on some modes; by the fewer of particles and holes.

    Parameters
    ----------
    particles, holes : float
        Numbers of both; taken for whole ones where they are so but for rounding.

    Attributes
    ----------
    by_particles : bool
        Whether particles are fewer than holes.
    fewer : float
        The number of the fewer.
    """

    def __init__(self, particles: float, holes: float):
        self.by_particles = particles < holes
        fewer = particles if self.by_particles else holes
        self._is_whole = bool(abs(fewer - round(fewer)) <= 4 * _EPS * fewer)
        self.fewer = float(round(fewer) if self._is_whole else fewer)

    def missing(self, occupation: np.ndarray, vacancy: np.ndarray) -> tuple[float, float]:
        """Return how many particles modes lack, and what rounding makes of that.

        Modes that are more than half filled are counted, and their holes: between the levels of a
        closed shell in the cold nothing but exponentially few particles and holes is left, which
        fix the chemical potential.

        Parameters
        ----------
        occupation, vacancy : (modes,) float arrays
            ``n`` and ``1 - n``.

        Returns
        -------
        missing, error : float
            In particles.
        """
        full = occupation > vacancy
        filled = np.count_nonzero(full)
        empty = occupation.size - filled
        more = self.fewer - filled if self.by_particles else empty - self.fewer
        holes, others = float(vacancy[full].sum()), float(occupation[~full].sum())
        error = _EPS * (4 * (holes + others) + (0.0 if self._is_whole else self.fewer))
        return float(more + holes - others), error


@lru_cache(maxsize=4)
def gibbs_log_odds(
    bands: Bands, inverse_temperature: float, filling: float
) -> tuple[Estimate, float]:
    """Return ``beta (e - mu)`` of each mode, and ``beta mu``, particles per mode given.

    Parameters
    ----------
    bands : Bands
        The modes.
    inverse_temperature : float
        beta, in 1/t.
    filling : float
        Particles per mode, between 0 and 1.

    Returns
    -------
    log_odds : Estimate
        ``beta (e - mu)``, (modes,).
    level : float
        ``beta mu``.

    Raises
    ------
    ValueError
        When the filling is not between 0 and 1.
    """
    from scipy.optimize import brentq

    if not 0 < filling < 1:
        raise ValueError(f"filling {filling:g} is not between 0 and 1 (particles per mode)")
    scaled = inverse_temperature * bands.energy.value
    number = Number(filling * scaled.size, (1 - filling) * scaled.size)

    def missing(level: float) -> tuple[float, float]:
        return number.missing(expit(level - scaled), expit(scaled - level))

    odds = np.log(filling) - np.log1p(-filling)
    low, high = scaled.min() + odds - 1, scaled.max() + odds + 1
    level = brentq(lambda x: missing(x)[0], low, high, xtol=_LEVEL, rtol=4 * _EPS)
    log_odds = scaled - level
    weight = float(expit(log_odds) @ expit(-log_odds))
    shift = _LEVEL + 4 * _EPS * abs(level) + sum(map(abs, missing(level))) / weight
    # The level moves with the energies, at most by the largest of their errors.
    wrong = inverse_temperature * (bands.energy.error + bands.energy.error.max())
    return Estimate(log_odds, shift + _EPS * abs(log_odds) + wrong), level
