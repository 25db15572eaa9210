"""Currents, energy exchange and entropy production of a steady (or any) state.

All per cell of the ring, hbar = k_B = 1; exchange counts from the bath into the system.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nessflow.kinetic.equation import RateEquation, gain_and_drain_error
from nessflow.kinetic.rates import ROUNDED, Channel

_EPS = np.finfo(float).eps
_BLOCK = 2**19


@dataclass(frozen=True)
class State:
    """Occupations of an equation's modes.

    Attributes
    ----------
    equation : RateEquation
        Modes and channels.
    log_odds, log_odds_error : (modes,) float
        ``ln((1 - n)/n)``, and what it may be wrong by.
    """

    equation: RateEquation
    log_odds: np.ndarray
    log_odds_error: np.ndarray

    @property
    def filled(self) -> np.ndarray:
        """``n``."""
        return expit(-self.log_odds)

    @property
    def empty(self) -> np.ndarray:
        """``1 - n``."""
        return expit(self.log_odds)


def mean_per_cell(
    state: State, weights: np.ndarray, weights_error: np.ndarray
) -> tuple[float, float]:
    """Return ``sum_a weights_a n_a / L`` and its error.

    Parameters
    ----------
    state : State
        Any state.
    weights, weights_error : (modes,) arrays
        What a particle of each mode counts, and its error.

    Returns
    -------
    value, error : float
        In the unit of the weights.
    """
    n, empty, length = state.filled, state.empty, state.equation.bands.length
    error = n * (empty * state.log_odds_error + 4 * _EPS)
    return float(weights @ n) / length, float(abs(weights) @ error + weights_error @ n) / length


def particle_current(state: State) -> tuple[float, float]:
    """Return ``(1/L) sum_a v_a n_a`` and its error (eqs. 13 and 23).

    Parameters
    ----------
    state : State
        Any state.

    Returns
    -------
    value, error : float
        In t/hbar.
    """
    bands = state.equation.bands
    return mean_per_cell(state, bands.velocity, bands.velocity_error)


def orbital_currents(state: State) -> tuple[np.ndarray, np.ndarray]:
    """Return the current that each orbital carries (eq. 24) and its error.

    Parameters
    ----------
    state : State
        Any state.

    Returns
    -------
    value, error : (orbitals,) float
        In t/hbar.
    """
    bands = state.equation.bands
    columns = bands.orbital_velocity.T
    pairs = [mean_per_cell(state, column, bands.velocity_error) for column in columns]
    return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])


def _flows(state: State, channel: Channel):
    """Return what a channel takes from and brings to each mode, and the errors."""
    n, empty, delta = state.filled, state.empty, state.log_odds_error + 4 * _EPS
    out, into, strength = channel.out, channel.into, channel.strength
    taken = strength * n * (out @ (into.T @ empty))
    brought = strength * empty * (into @ (out.T @ n))
    out, into = abs(out), abs(into)
    taken_error = n * (out @ (into.T @ (empty * delta)) + delta * (out @ (into.T @ empty)))
    brought_error = empty * (into @ (out.T @ (n * delta)) + delta * (into @ (out.T @ n)))
    gain_error, drain_error = gain_and_drain_error(channel, n, empty)
    of_rates = n * drain_error + empty * gain_error
    return taken, brought, strength * (taken_error + brought_error + of_rates)


def energy_exchange(state: State, channel: Channel) -> tuple[float, float]:
    """Return the energy that a channel brings to the system per cell, and its error.

    Parameters
    ----------
    state : State
        Any state.
    channel : Channel
        One of its equation's.

    Returns
    -------
    value, error : float
        In t^2/hbar.
    """
    taken, brought, error = _flows(state, channel)
    bands = state.equation.bands
    error = abs(bands.energy) @ error + bands.energy_error @ (brought + taken)
    return float(bands.energy @ (brought - taken)) / bands.length, float(error) / bands.length


def particle_gain(state: State) -> float:
    """Return the particles gained per cell: zero, but for rounding.

    Parameters
    ----------
    state : State
        Any state.

    Returns
    -------
    float
        In t/hbar.
    """
    flows = [_flows(state, channel) for channel in state.equation.active]
    return float(sum(np.sum(f[1] - f[0]) for f in flows)) / state.equation.bands.length


def entropy_production(state: State, channel: Channel) -> tuple[float, float]:
    """Return the entropy production of a channel per cell and its error.

    ``(1/2L) sum_ab (f_ab - f_ba) ln(f_ab/f_ba)``, ``f_ab = n_a w_ab (1 - n_b)``, never negative;
    infinite where a process has no reverse.

    Parameters
    ----------
    state : State
        Any state.
    channel : Channel
        One of its equation's.

    Returns
    -------
    value, error : float
        In k_B t/hbar.
    """
    if not channel.strength:
        return 0.0, 0.0
    total, error = (_of_product if channel.is_product else _of_matrix)(state, channel)
    return total / state.equation.bands.length, error / state.equation.bands.length


def total_entropy_production(state: State) -> tuple[float, float]:
    """Return the entropy production of all channels per cell and its error.

    Parameters
    ----------
    state : State
        Any state; of one that still changes, the entropy that it gains itself is part of it.

    Returns
    -------
    value, error : float
        In k_B t/hbar; infinite where a process has no reverse.
    """
    parts = [entropy_production(state, channel) for channel in state.equation.active]
    value, error = np.sum(parts, axis=0) if parts else (0.0, 0.0)
    return float(value), float(error)


def _of_product(state: State, channel: Channel) -> tuple[float, float]:
    """Return the sum where ``ln(w_ab/w_ba)`` is a difference between a and b: of order modes."""
    out, into = channel.out[:, 0], channel.into[:, 0]
    taken, brought, flow_error = _flows(state, channel)
    moving = (out * state.filled > 0) | (into * state.empty > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        potential = (np.log(out) - np.log(into) - state.log_odds)[moving]
    if not np.isfinite(potential).all():
        return np.inf, np.inf
    # A constant changes nothing, as the channel conserves particles.
    potential -= potential.mean()
    taken, brought, flow_error = taken[moving], brought[moving], flow_error[moving]
    relative = channel.out_error[moving, 0] / out[moving]
    relative += channel.into_error[moving, 0] / into[moving]
    relative += state.log_odds_error[moving] + _EPS * (4 + abs(potential))
    spread = relative * (taken + brought)
    error = float(np.sum(abs(potential) * flow_error + spread))
    return float(potential @ (taken - brought)), error


def _of_matrix(state: State, channel: Channel) -> tuple[float, float]:
    """Return the sum over all pairs, a block of rows at a time."""
    n, empty, delta = state.filled, state.empty, state.log_odds_error + 4 * _EPS
    modes = len(n)
    largest = float(np.max(channel.out @ channel.into.max(axis=0), initial=0.0))
    zero = ROUNDED * channel.strength * max(largest, channel.rates(slice(0, 1)).max())
    total = error = 0.0
    step = max(1, _BLOCK // modes)
    for first in range(0, modes, step):
        rows = slice(first, first + step)
        there, back = channel.rates(rows), channel.reverse_rates(rows)
        there, back = np.where(there > zero, there, 0.0), np.where(back > zero, back, 0.0)
        forward = n[rows, None] * there * empty
        backward = n * back * empty[rows, None]
        if ((forward > 0) != (backward > 0)).any():
            return np.inf, np.inf
        both = forward > 0
        ratio = np.ones_like(forward)
        np.divide(forward, backward, out=ratio, where=both)
        size = abs(np.log(ratio))
        total += 0.5 * float(np.sum(abs(forward - backward) * size))
        rounding = channel.rates_error(rows) + channel.reverse_rates_error(rows)
        relative = delta[rows, None] + delta
        relative += np.divide(rounding, np.minimum(there, back), out=0 * ratio, where=both)
        error += float(np.sum((size + 1) * (forward + backward) * relative))
    return total, error
