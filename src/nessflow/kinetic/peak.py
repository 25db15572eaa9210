"""Largest current over the share of the nonequilibrium bath."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.kinetic.bands import Bands
from nessflow.kinetic.equation import gain_and_drain, gibbs_log_odds, rate_equation
from nessflow.kinetic.flows import particle_current
from nessflow.kinetic.rates import Channel, thermal_channel
from nessflow.kinetic.steady import SteadyState, steady_state

_CLOSEST = 1e-24
"""Least share of the equilibrium bath where a peak is looked for; below it, rounding of the states
couples modes that the dissipator does not reach."""
SHARES = np.concatenate([np.linspace(1, 0.1, 19), np.geomspace(0.09, _CLOSEST, 96), [0.0]])
"""Shares of the equilibrium bath: in the cold its rates are so large that small ones matter."""
_SPARSE = 8
"""Of so many shares one is tried again in a ring that differs little."""
_SETTLED = 1e-6
"""Relative change of the current over the last step at which it is taken for its limit."""


class Peak(NamedTuple):
    """Current of largest magnitude and the share where it flows.

    Attributes
    ----------
    particle_current : Estimate
        In t/hbar.
    nonequilibrium_share : Estimate
        ``gamma_neq``.
    inside : bool
        Whether the maximum is inside (0, 1) or at the end of the range.
    fault : str
        Why the peak is not known; empty where it is.
    states : tuple of SteadyState
        At the peak, then at the ends of the error of the share, which rounds to 1 beside 1; empty
        where there is no peak.
    around : tuple of float
        Shares of the equilibrium bath from which a search among rings that differ little finds the
        same extrema: close ones beside each of them, and a few everywhere.
    """

    particle_current: Estimate
    nonequilibrium_share: Estimate
    inside: bool
    fault: str
    states: tuple[SteadyState, ...] = ()
    around: tuple[float, ...] = ()


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
    start = None if share == 1 else gibbs_log_odds(bands, inverse_temperature, filling)[0].value
    return steady_state(equation, filling, start)


def current_slope(state: SteadyState) -> float:
    """Return ``dI/d ln(gamma_eq/gamma_neq)`` by the response of the steady state.

    Parameters
    ----------
    state : SteadyState
        With the equilibrium bath as the first channel.

    Returns
    -------
    float
        In t/hbar.
    """
    equation, n, vacancy = state.equation, state.occupation, state.vacancy
    thermal = equation.channels[0]
    gain, drain = gain_and_drain(equation.out, equation.into, n, vacancy)
    of_thermal = gain_and_drain(thermal.strength * thermal.out, thermal.into, n, vacancy)
    change = state.response(of_thermal[1] / drain - of_thermal[0] / gain)
    return float(equation.bands.velocity.value @ change) / equation.bands.length


def peak_current(
    bands: Bands,
    inverse_temperature: float,
    dissipator: Sequence[Channel],
    coupling: float,
    filling: float,
    rests: Sequence[float] = SHARES,
) -> Peak:
    """Return the current of largest magnitude over the shares of the nonequilibrium bath.

    The maximum is searched on a grid of shares from 0 to ``1 - 1e-24``, and 1, that is dense near
    1, and refined to the zero of dI/d(share).  A current that grows towards 1 and jumps there is
    given beside 1.

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
    rests : sequence of float
        Shares of the equilibrium bath among which the search begins, falling from 1 to 0: all, or
        those around the peak of a ring that differs little.

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

    thermal = thermal_channel(bands, inverse_temperature)

    def at(rest, start):
        equation = rate_equation(bands, thermal, dissipator, coupling, 1 - rest, rest)
        return steady_state(equation, filling, start)

    def refined(rest, low, high, start):
        """Return the share of the equilibrium bath of an extremum, and its error."""

        def slope(logarithm):
            return current_slope(at(np.exp(logarithm), start))

        # Without nonequilibrium bath the slope is no derivative.
        low, high = np.log([low, min(high, 1 - 1e-6)])
        if not slope(low) * slope(high) < 0:
            return rest, np.nan
        root, step = brentq(slope, low, high, xtol=1e-12), 1e-4
        rest = float(np.exp(root))
        curvature = (slope(root + step) - slope(root - step)) / (2 * step)
        # A current known to an error has a slope known to that error.
        error = 10 * particle_current(at(rest, start)).error / abs(curvature)
        return rest, rest * (1e-12 + error) + np.finfo(float).eps

    states, start = [], gibbs_log_odds(bands, inverse_temperature, filling)[0].value
    for rest in rests:
        states.append(at(rest, start if rest else None))
        start = states[-1].log_odds.value
    currents, errors = np.array([particle_current(state)[:2] for state in states]).T
    if not all(state.converged for state in states):
        nothing = undefined("Newton's method did not converge")
        return Peak(nothing, nothing, False, nothing.undefined)
    if not np.any(abs(currents) > errors):
        nowhere = undefined("the current is zero within its error at all shares")
        return Peak(Estimate(0.0, float(errors.max())), nowhere, False, "")
    peaks, inner = [_at_end(currents, errors, states, rests)], _inner_maxima(abs(currents), errors)
    for i in inner:
        start = states[i].log_odds.value
        rest, share_error = refined(rests[i], rests[i + 1], rests[i - 1], start)
        fault = f"the current has several extrema near the share {1 - rest:.6g}"
        fault = fault if np.isnan(share_error) else ""
        ends = [] if fault else [rest, *np.clip([rest - share_error, rest + share_error], 0, 1)]
        found = tuple(at(each, start) for each in ends or [rest])
        share = Estimate(1 - rest, share_error)
        peaks.append(Peak(particle_current(found[0]), share, True, fault, found))
    largest = max(peaks, key=lambda peak: abs(peak.particle_current.value))
    return largest._replace(around=_around(rests, inner))


def _around(rests: Sequence[float], inner: Sequence[int]) -> tuple[float, ...]:
    """Return a few shares everywhere, those beside some, and those at the end."""
    places = np.arange(len(rests))
    chosen = (places % _SPARSE == 0) | (places >= len(rests) - 4)
    for i in inner:
        chosen |= abs(places - i) <= 2
    return tuple(np.asarray(rests)[chosen].tolist())


def _at_end(
    currents: np.ndarray,
    errors: np.ndarray,
    states: Sequence[SteadyState],
    rests: Sequence[float],
) -> Peak:
    """Return the largest current at an end of the grid: at share 0, at 1, or beside 1."""
    end = max((len(currents) - 1, len(currents) - 2, 0), key=lambda i: abs(currents[i]))
    current, error, rest = float(currents[end]), float(errors[end]), float(rests[end])
    same = np.append(False, abs(currents[: end + 1] - current) <= errors[: end + 1])
    plateau = end - int(np.argmin(same[::-1])) + 1
    share_error, fault = float(rests[plateau]) - rest, ""
    if end == len(currents) - 2:
        step = abs(current - float(currents[end - 1]))
        error, share_error = error + step, share_error + rest
        if step > _SETTLED * abs(current):
            fault = f"the current still grows where the equilibrium bath has the share {rest:.1e}"
    around = states[end], states[plateau], states[max(end - 1, 0)]
    share = Estimate(1 - rest, share_error)
    return Peak(Estimate(current, error), share, False, fault, around)


def _inner_maxima(magnitudes: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return where a magnitude is above its neighbours, on the grid without its ends."""
    inner = magnitudes[1:-2] - errors[1:-2]
    above = (inner > magnitudes[:-3]) & (inner > magnitudes[2:-1])
    # Refined, none is twice as large as on the grid.
    return np.nonzero(above & (inner > 0.5 * magnitudes.max()))[0] + 1
