"""Currents, energy exchange and entropy production of a steady (or any) state.

All per cell of the ring, hbar = k_B = 1; exchange counts from the bath into the system.
"""

from collections.abc import Sequence

import numpy as np

from nessflow.estimate import Estimate
from nessflow.kinetic.rates import ROUNDED, Channel
from nessflow.kinetic.steady import State

_EPS = np.finfo(float).eps
_BLOCK = 2**19


def mean_per_cell(state: State, weights: Estimate) -> Estimate:
    """Return ``sum_a weights_a n_a / L``.

    Parameters
    ----------
    state : State
        Any state.
    weights : Estimate
        What a particle of each mode counts, (modes,).

    Returns
    -------
    Estimate
        In the unit of the weights.
    """
    n, length = state.occupation, state.equation.bands.length
    error = n * (state.vacancy * state.log_odds.error + 4 * _EPS)
    return Estimate(
        float(weights.value @ n) / length,
        float(abs(weights.value) @ error + weights.error @ n) / length,
    )


def particle_current(state: State) -> Estimate:
    """Return ``(1/L) sum_a v_a n_a`` (eqs. 13 and 23).

    Parameters
    ----------
    state : State
        Any state.

    Returns
    -------
    Estimate
        In t/hbar.
    """
    return mean_per_cell(state, state.equation.bands.velocity)


def orbital_currents(state: State) -> Estimate:
    """Return the current that each orbital carries (eq. 24).

    Parameters
    ----------
    state : State
        Any state.

    Returns
    -------
    Estimate
        In t/hbar, (orbitals,).
    """
    bands = state.equation.bands
    weights = (Estimate(column, bands.velocity.error) for column in bands.orbital_velocity.T)
    values, errors, _ = zip(*(mean_per_cell(state, x) for x in weights), strict=True)
    return Estimate(np.array(values), np.array(errors))


def _flows(state: State, channel: Channel) -> np.ndarray:
    """Return what a channel takes from and brings to each mode, and the errors, (3, modes)."""
    # Imported here: numba takes long to import.
    from nessflow.kinetic.kernels import flows

    rates = channel.out, channel.into, channel.out_error, channel.into_error
    delta = state.log_odds.error + 4 * _EPS
    return channel.strength * flows(*rates, state.occupation, state.vacancy, delta)


def energy_exchange(state: State, channel: Channel) -> Estimate:
    """Return the energy that a channel brings to the system per cell.

    Parameters
    ----------
    state : State
        Any state.
    channel : Channel
        One of its equation's.

    Returns
    -------
    Estimate
        In t^2/hbar.
    """
    taken, brought, error = _flows(state, channel)
    energy, length = state.equation.bands.energy, state.equation.bands.length
    error = abs(energy.value) @ error + energy.error @ (brought + taken)
    return Estimate(float(energy.value @ (brought - taken)) / length, float(error) / length)


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


def entropy_production(state: State, channel: Channel) -> Estimate:
    """Return the entropy production of a channel per cell.

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
    Estimate
        In k_B t/hbar.
    """
    if not channel.strength:
        return Estimate(0.0, 0.0)
    total, error = (_of_product if channel.is_product else _of_matrix)(state, channel)
    return Estimate(total / state.equation.bands.length, error / state.equation.bands.length)


def total_entropy_production(state: State) -> Estimate:
    """Return the entropy production of all channels per cell.

    Parameters
    ----------
    state : State
        Any state; of one that still changes, the entropy that it gains itself is part of it.

    Returns
    -------
    Estimate
        In k_B t/hbar; infinite where a process has no reverse.
    """
    return summed([entropy_production(state, channel) for channel in state.equation.active])


def summed(parts: Sequence[Estimate]) -> Estimate:
    """Return the sum of numbers with the sum of their errors.

    Parameters
    ----------
    parts : sequence of Estimate
        Numbers; none add up to zero.

    Returns
    -------
    Estimate
        In their unit.
    """
    pairs = [part[:2] for part in parts]
    value, error = np.sum(pairs, axis=0) if pairs else (0.0, 0.0)
    return Estimate(float(value), float(error))


def _of_product(state: State, channel: Channel) -> tuple[float, float]:
    """Return the sum where ``ln(w_ab/w_ba)`` is a difference between a and b: of order modes."""
    from nessflow.kinetic.kernels import entropy_of_product

    rates = (channel.out, channel.into, channel.out_error, channel.into_error)
    return entropy_of_product(
        *(np.ascontiguousarray(x[:, 0]) for x in rates),
        state.occupation,
        state.vacancy,
        *state.log_odds[:2],
        _flows(state, channel),
    )


def _of_matrix(state: State, channel: Channel) -> tuple[float, float]:
    """Return the sum over all pairs, a block of rows at a time."""
    n, empty, delta = state.occupation, state.vacancy, state.log_odds.error + 4 * _EPS
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
