"""Rings of few cells at a fixed number of particles, without any ensemble.

In the limit of weak coupling the baths make one particle after the other hop from mode a to an
empty mode b at the rate ``w_ab``: a Markov process over all configurations of the particles.  The
ensemble of `nessflow.kinetic.steady` is its limit for long rings.  Coherences between
configurations of equal energy and equal total momentum are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from nessflow.estimate import Estimate
from nessflow.kinetic.equation import RateEquation
from nessflow.kinetic.rates import ROUNDED, Channel

MOST_CONFIGURATIONS = 4000
"""Configurations beyond which matrices over them take minutes and gigabytes."""
_BLOCK = 64
_EPS = np.finfo(float).eps


@dataclass(frozen=True)
class Process:
    """Steady state of the hops of a fixed number of particles.

    Attributes
    ----------
    equation : RateEquation
        Modes and rates.
    configurations : ndarray of bool
        Which modes are filled, (states, modes).
    probability : ndarray
        Of each configuration, long after all had the same, (states,).
    rounding : float
        Relative error of each probability.
    parts : int
        Number of sets of configurations that no hop leaves.
    source, target : ndarray of int
        Configurations before and after each possible hop, (hops,).
    left, reached : ndarray of int
        Modes that the particle leaves and reaches, (hops,).
    """

    equation: RateEquation
    configurations: np.ndarray
    probability: np.ndarray
    rounding: float
    parts: int
    source: np.ndarray
    target: np.ndarray
    left: np.ndarray
    reached: np.ndarray

    def mean(self, weights: Estimate) -> Estimate:
        """Return the mean of quantities of the configurations.

        Parameters
        ----------
        weights : Estimate
            Value in each configuration, (states, ...).

        Returns
        -------
        Estimate
            In the unit of the weights.
        """
        wrong = self.rounding * abs(weights.value) + weights.error
        value, error = (np.tensordot(self.probability, x, 1) for x in (weights.value, wrong))
        return Estimate(value, error)


def particles_of(filling: float, modes: int) -> int:
    """Return the number of particles, a whole one.

    Parameters
    ----------
    filling : float
        Particles per mode.
    modes : int
        Number of modes.

    Returns
    -------
    int
        Between 1 and ``modes - 1``.

    Raises
    ------
    ValueError
        When it is no whole number, or has too many configurations.
    """
    particles = round(filling * modes)
    if abs(filling * modes - particles) > 1e-9 * modes or not 0 < particles < modes:
        raise ValueError(
            f"filling {filling:g} of {modes} modes is {filling * modes:.6g} particles; expected a "
            f"whole number of them, from 1 to {modes - 1}: a multiple of 1/{modes}"
        )
    count = comb(modes, particles)
    if count > MOST_CONFIGURATIONS:
        raise ValueError(
            f"{particles} particles on {modes} modes have {count} configurations, more than "
            f"{MOST_CONFIGURATIONS}; take fewer cells or particles, or the ensemble of long rings "
            "(study: ring-steady-state)"
        )
    return particles


def steady_process(equation: RateEquation, particles: int) -> Process:
    """Return the state that the process reaches from infinite temperature.

    Parameters
    ----------
    equation : RateEquation
        Modes and rates.
    particles : int
        Their number, as `particles_of` gives it.

    Returns
    -------
    Process
        The probability of each configuration has a small relative error, however unlikely it is:
        states are eliminated without any subtraction (Grassmann, Taksar, Heyman).
    """
    states = _configurations(equation.modes, particles)
    hops = _hops(states)
    source, target, left, reached = hops
    rates, relative = _total_rates(equation)
    rates, count = rates[left, reached], len(states)
    jumps = coo_array((rates, (target, source)), shape=(count, count)).tocsr()
    jumps.eliminate_zeros()
    parts, label = connected_components(jumps, connection="strong")
    leaving = rates[label[source] != label[target]] > 0
    open_parts = np.unique(label[source[label[source] != label[target]][leaving]])
    closed = np.setdiff1d(np.arange(parts), open_parts)
    weight = _reached_weights(jumps, label, closed)
    probability = np.zeros(count)
    for part, mass in zip(closed, weight, strict=True):
        inside = np.flatnonzero(label == part)
        probability[inside] = mass * _stationary(jumps[inside][:, inside].toarray())
    # Each relative error of a rate, and each elimination, moves a probability by as much.
    rounding = 2 * count * (relative + 2 * _EPS)
    return Process(equation, states, probability, rounding, len(closed), *hops)


def _total_rates(equation: RateEquation) -> tuple[np.ndarray, float]:
    """Return the rates between modes, and their largest relative error."""
    rates: Any = sum(rates_of(channel) for channel in equation.active)
    error: Any = sum(channel.rates_error() for channel in equation.active)
    between = (rates > 0) & ~np.eye(len(rates), dtype=bool)
    return rates, float(np.max(error[between] / rates[between], initial=0.0))


def rates_of(channel: Channel) -> np.ndarray:
    """Return the rates of a channel between modes, those zero that are zero but for rounding.

    Parameters
    ----------
    channel : Channel
        Of few modes.

    Returns
    -------
    (modes, modes) float array
        From mode (row) to mode (column), in t/hbar.
    """
    rates = channel.rates()
    if channel.is_product:
        return rates
    return np.where(rates > ROUNDED * rates.max(), rates, 0.0)


def zero_frequency_noise(process: Process, quantity: Estimate) -> Estimate:
    """Return ``int <<dx(t) dx(0)>> dt`` over all times, of a quantity of the configurations.

    Parameters
    ----------
    process : Process
        With one part.
    quantity : Estimate
        x, (states,), with one error for all.

    Returns
    -------
    Estimate
        In the unit of x squared times hbar/t.
    """
    values, values_error, _ = quantity
    centred = values - process.probability @ values
    # Relative to the likeliest configuration all others are a short time away.
    order = np.argsort(-process.probability, kind="stable")
    order = order[: np.count_nonzero(process.probability)]
    place = np.full(len(values), -1)
    place[order] = np.arange(len(order))
    rates, _ = _total_rates(process.equation)
    inside = (place[process.source] >= 0) & (place[process.target] >= 0)
    jumps = np.zeros((len(order),) * 2)
    hops = place[process.target[inside]], place[process.source[inside]]
    jumps[hops] = rates[process.left[inside], process.reached[inside]]
    leaving = _eliminated(jumps)
    # Backward equation, sum_j w_ij (y_j - y_i) = -dx_i; the same without cancellation, and for
    # what the values may be wrong by.
    centred = centred[order]
    known = np.stack([centred, abs(centred), np.full_like(centred, values_error)], axis=1)
    for i in range(len(order) - 1, 0, -1):
        known[:i] += np.outer(jumps[i, :i], known[i] / leaving[i])
    response = np.zeros_like(known)
    for i in range(1, len(order)):
        response[i] = (known[i] + jumps[:i, i] @ response[:i]) / leaving[i]
    p, (y, size, wrong) = process.probability[order], response.T
    error = 3 * process.rounding * abs(centred) @ (p * size)
    error += values_error * (p @ (size + wrong)) + abs(centred) @ (p * wrong)
    return Estimate(float(2 * (p * centred) @ y), float(2 * error))


def hop_entropy(process: Process, channels: Sequence[Channel]) -> Estimate:
    """Return the entropy production of the hops of some channels.

    ``sum (f - f') ln(f/f') / 2`` over all hops, f the rate of a hop and f' that of the hop back;
    infinite where there is no way back.

    Parameters
    ----------
    process : Process
        The state.
    channels : sequence of Channel
        Some of its equation's.

    Returns
    -------
    Estimate
        Of the whole ring, in k_B t/hbar.
    """
    total = error = 0.0
    p, left, reached = process.probability, process.left, process.reached
    for channel in channels:
        rates, wrong = rates_of(channel), channel.rates_error()
        forward = p[process.source] * rates[left, reached]
        backward = p[process.target] * rates[reached, left]
        if ((forward > 0) != (backward > 0)).any():
            return Estimate(np.inf, np.inf)
        both = forward > 0
        a, b, forward, backward = left[both], reached[both], forward[both], backward[both]
        ratio = np.log(forward) - np.log(backward)
        relative = 2 * process.rounding + wrong[a, b] / rates[a, b] + wrong[b, a] / rates[b, a]
        total += 0.5 * float((forward - backward) @ ratio)
        error += float(((forward + backward) * relative) @ (abs(ratio) + 1))
    return Estimate(total, error)


def energy_gain(process: Process, channels: Sequence[Channel]) -> Estimate:
    """Return the energy that some channels bring to the ring.

    Parameters
    ----------
    process : Process
        The state.
    channels : sequence of Channel
        Some of its equation's.

    Returns
    -------
    Estimate
        Of the whole ring, in t^2/hbar.
    """
    energy, energy_error, _ = process.equation.bands.energy
    gained = energy[process.reached] - energy[process.left]
    rates = sum((rates_of(c) for c in channels), np.zeros((len(energy),) * 2))
    wrong = sum((c.rates_error() for c in channels), np.zeros_like(rates))
    hops, p = (process.left, process.reached), process.probability[process.source]
    flow = p * rates[hops]
    error = process.rounding * flow + p * wrong[hops]
    gained_error = energy_error[process.left] + energy_error[process.reached]
    return Estimate(float(flow @ gained), float(error @ abs(gained) + flow @ gained_error))


def _configurations(modes: int, particles: int) -> np.ndarray:
    chosen = np.array(list(combinations(range(modes), particles)))
    filled = np.zeros((len(chosen), modes), dtype=bool)
    filled[np.arange(len(chosen))[:, None], chosen] = True
    return filled


def _numbers(modes: int) -> np.ndarray:
    """Return numbers whose sums modulo 2^64 differ between configurations; a bit each overflows."""
    return np.random.default_rng(0).integers(2**63, size=modes, dtype=np.uint64)


def _hops(states: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return source, target, mode left and mode reached of all possible hops."""
    number = _numbers(states.shape[1])
    code = states @ number
    order = np.argsort(code)
    source, left = np.nonzero(states)
    empty = np.nonzero(~states)[1].reshape(len(states), -1)
    each = empty.shape[1]
    source, left, reached = source.repeat(each), left.repeat(each), empty[source].ravel()
    moved = code[source] - number[left] + number[reached]
    return source, order[np.searchsorted(code[order], moved)], left, reached


def _reached_weights(jumps: Any, label: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Return the probability to end in each closed part, all configurations alike at the start."""
    count = len(label)
    weight = np.array([np.sum(label == part) for part in closed], dtype=float)
    passing = np.flatnonzero(~np.isin(label, closed))
    if len(closed) > 1 and len(passing):
        inner = jumps[passing][:, passing].toarray()
        leaving = np.asarray(jumps[:, passing].sum(axis=0)).ravel()
        stay = np.linalg.solve(np.diag(leaving) - inner, np.ones(len(passing)))
        flow = jumps[:, passing] @ stay
        weight += [flow[label == part].sum() for part in closed]
        return weight / count
    return weight / weight.sum()


def _stationary(jumps: np.ndarray) -> np.ndarray:
    """Return the stationary distribution of rates, ``jumps[i, j]`` from j to i."""
    leaving = _eliminated(jumps)
    p = np.zeros(len(jumps))
    p[0] = 1.0
    for i in range(1, len(p)):
        p[i] = jumps[i, :i] @ p[:i] / leaving[i]
    return p / p.sum()


def _eliminated(jumps: np.ndarray) -> np.ndarray:
    """Eliminate every state in turn, in place: hops through it become hops past it.

    Row and column i then hold the hops to and from the states before i when i was the last; their
    sum from i is returned.  Blocks of states are applied to the others at once.
    """
    a, count = jumps, len(jumps)
    np.fill_diagonal(a, 0.0)
    leaving = np.zeros(count)
    for end in range(count, 0, -_BLOCK):
        first = max(end - _BLOCK, 0)
        for i in range(end - 1, max(first, 1) - 1, -1):
            leaving[i] = a[:i, i].sum()
            share = a[i, :i] / leaving[i]
            # Rows and columns of the block are kept up to date, the rest waits.
            a[first:i, :i] += np.outer(a[first:i, i], share)
            a[:first, first:i] += np.outer(a[:first, i], share[first:])
        if first:
            block = slice(first, end)
            a[:first, :first] += a[:first, block] @ (a[block, :first] / leaving[block, None])
    return leaving
