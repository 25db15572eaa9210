"""Steady states of rates that are a few columns: Newton's method for their moments, compiled.

The occupations follow from two numbers for each column r,

    n_i = G_i / (G_i + D_i),  G_i = sum_r into_ri s_r a_r,  D_i = sum_r out_ri s_r b_r,
    a_r = sum_i out_ri n_i,   b_r = sum_i into_ri (1 - n_i),

``s_r`` the strengths.  A step solves one equation for each moment and one for the number of
particles; it has no exponential and no logarithm of a mode.  The last unknown is a shift of the
chemical potential, which vanishes with the step.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np

from nessflow.kinetic.rates import Channel
from nessflow.solvers.compiled import FAST

_LONGEST_STEP = 4.0
_STEPS = 60
_CONVERGED = 1e-8
"""Step after which the next one, of its square, is nothing but rounding."""
_MOST = 8
"""Columns up to which a step costs less than the numbers of the modes."""


class Columns(NamedTuple):
    """Rates of some channels, none negative, and the strength of each column.

    Attributes
    ----------
    out, into : ndarray
        Without strengths, (columns, modes).
    strength : ndarray
        (columns,).
    """

    out: np.ndarray
    into: np.ndarray
    strength: np.ndarray


def columns_of(channels: Sequence[Channel]) -> Columns | None:
    """Return the columns of some channels.

    Parameters
    ----------
    channels : sequence of Channel
        At least one.

    Returns
    -------
    Columns or None
        None where they are many, or one has both signs, so that moments may vanish.
    """
    if sum(c.out.shape[1] for c in channels) > _MOST:
        return None
    if any((x < 0).any() for c in channels for x in (c.out, c.into)):
        return None
    out, into = (np.vstack([getattr(c, name).T for c in channels]) for name in ("out", "into"))
    return Columns(
        out, into, np.repeat([c.strength for c in channels], [c.out.shape[1] for c in channels])
    )


def log_odds_of(columns: Columns, strength: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return ``ln(D/G)`` of each mode.

    Parameters
    ----------
    columns : Columns
        The rates.
    strength : (columns,) array
        Of each column.
    moments : (2 columns,) array
        First all a, then all b.

    Returns
    -------
    (modes,) float array
        ``ln((1 - n)/n)`` in the steady state.
    """
    a, b = np.split(moments, 2)
    return np.log(((strength * b) @ columns.out) / ((strength * a) @ columns.into))


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _occupations(out, into, strength, moments, work):
    """Fill ``work``: n, 1 - n, and the derivatives of n by G and by -D, (4, modes)."""
    columns, modes = out.shape
    gain, drain = work[2], work[3]
    gain[:], drain[:] = 0.0, 0.0
    for r in range(columns):
        forward, backward = strength[r] * moments[r], strength[r] * moments[columns + r]
        for i in range(modes):
            gain[i] += into[r, i] * forward
            drain[i] += out[r, i] * backward
    for i in range(modes):
        inverse = 1.0 / (gain[i] + drain[i])
        n, empty = gain[i] * inverse, drain[i] * inverse
        work[0, i], work[1, i] = n, empty
        gain[i], drain[i] = empty * inverse, n * inverse


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _missing(by_particles, fewer, n, empty):
    """Return how many particles modes lack, as `nessflow.kinetic.equation.Number` counts them."""
    filled, holes, others = 0, 0.0, 0.0
    for i in range(n.size):
        full = n[i] > empty[i]
        filled += full
        holes += empty[i] if full else 0.0
        others += 0.0 if full else n[i]
    more = fewer - filled if by_particles else (n.size - filled) - fewer
    return more + holes - others


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _linear(out, into, strength, moments, work, matrix):
    """Fill the matrix of a step in the logarithms of the moments and the shift; return its scale.

    Row by row the equations of a and b, over them, and that of the number, over the sum of
    ``n (1 - n)``, which is the scale.
    """
    columns, modes = out.shape
    last = 2 * columns
    n, empty, by_gain, by_drain = work[0], work[1], work[2], work[3]
    total = 0.0
    for i in range(modes):
        total += n[i] * empty[i]
    matrix[last, last] = 1.0
    for s in range(columns):
        forward, backward = strength[s] * moments[s], strength[s] * moments[columns + s]
        by_a, by_b, shift_a, shift_b = 0.0, 0.0, 0.0, 0.0
        for i in range(modes):
            weight = n[i] * empty[i]
            by_a += by_gain[i] * into[s, i]
            by_b += by_drain[i] * out[s, i]
            shift_a += out[s, i] * weight
            shift_b += into[s, i] * weight
        matrix[last, s], matrix[last, columns + s] = (
            forward * by_a / total,
            -backward * by_b / total,
        )
        matrix[s, last] = -shift_a / moments[s]
        matrix[columns + s, last] = shift_b / moments[columns + s]
        for r in range(columns):
            aa, ab, ba, bb = 0.0, 0.0, 0.0, 0.0
            for i in range(modes):
                one, two = by_gain[i] * into[s, i], by_drain[i] * out[s, i]
                aa += out[r, i] * one
                ab += out[r, i] * two
                ba += into[r, i] * one
                bb += into[r, i] * two
            own = 1.0 if r == s else 0.0
            matrix[r, s] = own - aa * forward / moments[r]
            matrix[r, columns + s] = ab * backward / moments[r]
            matrix[columns + r, s] = ba * forward / moments[columns + r]
            matrix[columns + r, columns + s] = own - bb * backward / moments[columns + r]
    return total


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _solve(matrix, known):
    """Solve linear equations in place; return whether the matrix is regular."""
    size = known.size
    for k in range(size):
        pivot = k
        for i in range(k + 1, size):
            if abs(matrix[i, k]) > abs(matrix[pivot, k]):
                pivot = i
        if not abs(matrix[pivot, k]) > 0.0:
            return False
        if pivot != k:
            for j in range(size):
                matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
            known[k], known[pivot] = known[pivot], known[k]
        for i in range(k + 1, size):
            factor = matrix[i, k] / matrix[k, k]
            for j in range(k + 1, size):
                matrix[i, j] -= factor * matrix[k, j]
            known[i] -= factor * known[k]
    for k in range(size - 1, -1, -1):
        for j in range(k + 1, size):
            known[k] -= matrix[k, j] * known[j]
        known[k] /= matrix[k, k]
    return True


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def moments_of(out, into, n, empty):
    """Return a and b of some occupations.

    Parameters
    ----------
    out, into : (columns, modes) float arrays
        The rates, without strengths.
    n, empty : (modes,) float arrays
        ``n`` and ``1 - n``.

    Returns
    -------
    (2 columns,) float array
        First all a.
    """
    columns, modes = out.shape
    result = np.zeros(2 * columns)
    for r in range(columns):
        a, b = 0.0, 0.0
        for i in range(modes):
            a += out[r, i] * n[i]
            b += into[r, i] * empty[i]
        result[r], result[columns + r] = a, b
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _settle(out, into, strength, by_particles, fewer, moments, work):
    """Move moments, in place, to those of the steady state; return whether they are there."""
    size = 2 * out.shape[0]
    matrix, known = np.empty((size + 1, size + 1)), np.empty(size + 1)
    for _ in range(_STEPS):
        _occupations(out, into, strength, moments, work)
        found = moments_of(out, into, work[0], work[1])
        total = _linear(out, into, strength, moments, work, matrix)
        for r in range(size):
            known[r] = found[r] / moments[r] - 1.0
        known[size] = _missing(by_particles, fewer, work[0], work[1]) / total
        if not _solve(matrix, known):
            return False
        longest = 0.0
        for r in range(size + 1):
            if not np.isfinite(known[r]):
                return False
            longest = max(longest, abs(known[r]))
        damping = min(1.0, _LONGEST_STEP / max(longest, 1e-300))
        for r in range(size):
            moments[r] *= np.exp(damping * known[r])
        if longest <= _CONVERGED:
            return True
    return False


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def settled(out, into, strengths, by_particles, fewer, start, velocity):
    """Return the moments of steady states at successive strengths, and their currents.

    Each one starts from the line through the two before in the logarithms of strengths and
    moments.

    Parameters
    ----------
    out, into : (columns, modes) float arrays
        The rates without strengths, none negative.
    strengths : (states, columns) float array
        Of each state; the first of them not 0 and not twice the same.
    by_particles, fewer : bool, float
        Whether particles are fewer than holes, and the number of the fewer.
    start : (2 columns,) float array
        Moments to begin with.
    velocity : (modes,) float array
        What a particle of each mode counts.

    Returns
    -------
    moments : (states, 2 columns) float
        NaN where the method did not converge, and from there on.
    currents : (states,) float
        ``sum_i velocity_i n_i``.
    """
    states, size = len(strengths), 2 * out.shape[0]
    work = np.empty((4, out.shape[1]))
    result, currents = np.full((states, size), np.nan), np.full(states, np.nan)
    moments = start.copy()
    for k in range(states):
        if k > 1:
            one, two = np.log(strengths[k - 1, 0]), np.log(strengths[k - 2, 0])
            way = (np.log(strengths[k, 0]) - one) / (one - two)
            for r in range(size):
                moments[r] *= np.exp(way * np.log(result[k - 1, r] / result[k - 2, r]))
        if not _settle(out, into, strengths[k], by_particles, fewer, moments, work):
            break
        result[k] = moments
        _occupations(out, into, strengths[k], moments, work)
        currents[k] = np.sum(velocity * work[0])
    return result, currents


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def slope(out, into, strength, moments, velocity):
    """Return the derivative of the current by the logarithm of the first strength.

    Parameters
    ----------
    out, into : (columns, modes) float arrays
        The rates without strengths.
    strength : (columns,) float array
        Of each column.
    moments : (2 columns,) float array
        Of the steady state.
    velocity : (modes,) float array
        What a particle of each mode counts.

    Returns
    -------
    float
        ``d(sum_i velocity_i n_i)/d ln s_1``; NaN where the equations are singular.
    """
    columns, modes = out.shape
    size = 2 * columns
    work, matrix = np.empty((4, modes)), np.empty((size + 1, size + 1))
    _occupations(out, into, strength, moments, work)
    total = _linear(out, into, strength, moments, work, matrix)
    forward, backward = strength[0] * moments[0], strength[0] * moments[columns]
    change = work[2] * into[0] * forward - work[3] * out[0] * backward
    known = np.empty(size + 1)
    for r in range(columns):
        known[r] = np.sum(out[r] * change) / moments[r]
        known[columns + r] = -np.sum(into[r] * change) / moments[columns + r]
    known[size] = -np.sum(change) / total
    if not _solve(matrix, known):
        return np.nan
    for r in range(columns):
        change += work[2] * into[r] * (strength[r] * moments[r] * known[r])
        change -= work[3] * out[r] * (strength[r] * moments[columns + r] * known[columns + r])
    change += known[size] * work[0] * work[1]
    return np.sum(velocity * change)
