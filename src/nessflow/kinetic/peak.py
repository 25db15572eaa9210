"""Largest current over the share of the nonequilibrium bath."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nessflow.kinetic.bands import Bands
from nessflow.kinetic.equation import gain_and_drain, gibbs_log_odds, rate_equation
from nessflow.kinetic.flows import State, particle_current
from nessflow.kinetic.rates import Channel, thermal_channel
from nessflow.kinetic.steady import SteadyState, steady_state

_SHARES = np.concatenate([np.linspace(0, 0.9, 19), 1 - np.geomspace(0.09, 1e-5, 31), [1.0]])


class Peak(NamedTuple):
    """Current of largest magnitude and the share where it flows.

    Attributes
    ----------
    particle_current, particle_current_error : float
        In t/hbar.
    nonequilibrium_share, nonequilibrium_share_error : float
        ``gamma_neq``.
    inside : bool
        Whether the maximum is inside (0, 1) or at the end of the range.
    converged : bool
        Whether all steady states converged.
    """

    particle_current: float
    particle_current_error: float
    nonequilibrium_share: float
    nonequilibrium_share_error: float
    inside: bool
    converged: bool


def steady_state_at(
    bands: Bands,
    inverse_temperature: float,
    dissipator: Sequence[Channel],
    coupling: float,
    share: float,
    filling: float,
) -> SteadyState:
    """Return the steady state; Newton's method starts from the Gibbs state where it can.

    Parameters
    ----------
    bands : Bands
        The modes.
    inverse_temperature : float
        beta of the equilibrium bath, in 1/t.
    dissipator : sequence of Channel
        Rates of the other bath.
    coupling : float
        ``epsilon J``, in t/hbar.
    share : float
        ``gamma_neq``, 0 to 1.
    filling : float
        Particles per mode, between 0 and 1.

    Returns
    -------
    SteadyState
        At that share.

    Raises
    ------
    ValueError
        When a number is out of range or a thermal rate overflows.
    """
    thermal = thermal_channel(bands, inverse_temperature)
    equation = rate_equation(bands, thermal, dissipator, coupling, share)
    start = None if share == 1 else gibbs_log_odds(bands, inverse_temperature, filling)[0]
    return steady_state(equation, filling, start)


def current_slope(state: SteadyState, share: float) -> float:
    """Return ``dI/d(share)`` by the response of the steady state.

    Parameters
    ----------
    state : SteadyState
        The steady state at that share.
    share : float
        ``gamma_neq``, inside (0, 1).

    Returns
    -------
    float
        In t/hbar.
    """
    gains, drains = [], []
    for channel in state.equation.channels:
        unit = replace(channel, strength=1.0)
        # The strengths are coupling/L times 1 - share, and coupling/L times share.
        factor = -1.0 if channel.name == "equilibrium" else 1.0
        scale = channel.strength / (1 - share if factor < 0 else share)
        gain, drain = gain_and_drain(unit.out, unit.into, state.occupation, state.vacancy)
        gains.append((factor * scale * gain, channel.strength * gain))
        drains.append((factor * scale * drain, channel.strength * drain))
    (gain_slope, gain), (drain_slope, drain) = np.sum(gains, axis=0), np.sum(drains, axis=0)
    change = state.response(drain_slope / drain - gain_slope / gain)
    return float(state.equation.bands.velocity @ change) / state.equation.bands.length


def peak_current(
    bands: Bands,
    inverse_temperature: float,
    dissipator: Sequence[Channel],
    coupling: float,
    filling: float,
) -> Peak:
    """Return the current of largest magnitude over all shares of the nonequilibrium bath.

    The maximum is searched on a grid that is dense near 1, where sharp peaks are, and refined to
    the zero of dI/d(share).

    Parameters
    ----------
    bands : Bands
        The modes.
    inverse_temperature : float
        beta of the equilibrium bath, in 1/t.
    dissipator : sequence of Channel
        Rates of the other bath.
    coupling : float
        ``epsilon J``, in t/hbar.
    filling : float
        Particles per mode, between 0 and 1.

    Returns
    -------
    Peak
        With the errors of both.

    Raises
    ------
    ValueError
        As `steady_state_at`.
    """
    from scipy.optimize import brentq

    def at(share):
        state = steady_state_at(bands, inverse_temperature, dissipator, coupling, share, filling)
        return state, State(state.equation, state.log_odds, state.log_odds_error)

    states = [at(share) for share in _SHARES]
    converged = all(state.converged for state, _ in states)
    currents = np.array([particle_current(values)[0] for _, values in states])
    best = int(np.argmax(abs(currents)))
    share, share_error, inside = float(_SHARES[best]), 0.0, 0 < best < len(_SHARES) - 1
    if inside:

        def slope(share):
            return current_slope(at(share)[0], share)

        # The ends of the range have no slope of their own.
        low = _SHARES[best - 1] or 1e-6
        high = min(_SHARES[best + 1], 1 - 1e-9)
        inside = slope(low) * slope(high) < 0
        if inside:
            share = brentq(slope, low, high, xtol=1e-13, rtol=1e-14)
    state, values = at(share)
    current, error = particle_current(values)
    if inside:
        step = 1e-4 * min(share, 1 - share)
        curvature = (slope(share + step) - slope(share - step)) / (2 * step)
        # A current known to an error has a slope known to that error over its scale.
        share_error = 1e-13 + 10 * error / min(share, 1 - share) / abs(curvature)
    return Peak(current, error, share, share_error, inside, converged and state.converged)
