"""Compiled loops over the modes of a ring: Newton's method for moments, and flows of a channel.

A step of Newton's method solves one equation for each moment of `nessflow.kinetic.moments` and one
for the number of particles; it has no exponential and no logarithm of a mode.  The last unknown is
a shift of the chemical potential, which vanishes with the step.
"""

import numba
import numpy as np

from nessflow.kinetic.rates import LARGEST_EXPONENT
from nessflow.solvers.compiled import FAST

_EPS = np.finfo(float).eps
_CHUNK = 128
"""Modes whose products stay in the processor's cache."""
_BLOCK = 2**19
"""Elements of the largest arrays."""
_LONGEST_STEP = 4.0
_STEPS = 60
_CONVERGED = 1e-8
"""Step after which the next one, of its square, is nothing but rounding."""


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
            if not abs(known[r]) < np.inf:
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


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def flows(out, into, out_error, into_error, n, empty, delta):
    """Return what a channel of strength 1 takes from and brings to each mode, and the errors.

    Parameters
    ----------
    out, into, out_error, into_error : (modes, columns) float arrays
        The rates and what they may be wrong by.
    n, empty : (modes,) float arrays
        ``n`` and ``1 - n``.
    delta : (modes,) float array
        What both may be wrong by, relative to ``n (1 - n)``.

    Returns
    -------
    (3, modes) float array
        Taken, brought, and the error of both.
    """
    modes, columns = out.shape
    result = np.zeros((3, modes))
    for r in range(columns):
        to, of, to_size, of_size, to_moved, of_moved, to_wrong, of_wrong = (0.0,) * 8
        for i in range(modes):
            leaving, entering = out[i, r] * n[i], into[i, r] * empty[i]
            of += leaving
            to += entering
            of_size += abs(leaving)
            to_size += abs(entering)
            of_moved += abs(leaving) * delta[i]
            to_moved += abs(entering) * delta[i]
            of_wrong += out_error[i, r] * n[i]
            to_wrong += into_error[i, r] * empty[i]
        for i in range(modes):
            result[0, i] += n[i] * out[i, r] * to
            result[1, i] += empty[i] * into[i, r] * of
            drained = to_moved + delta[i] * to_size + to_wrong
            gained = of_moved + delta[i] * of_size + of_wrong
            result[2, i] += n[i] * (abs(out[i, r]) * drained + out_error[i, r] * to_size)
            result[2, i] += empty[i] * (abs(into[i, r]) * gained + into_error[i, r] * of_size)
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def entropy_of_product(out, into, out_error, into_error, n, empty, log_odds, error, exchange):
    """Return the entropy production of a channel of one column, and its error.

    Parameters
    ----------
    out, into, out_error, into_error : (modes,) float arrays
        The rates and what they may be wrong by.
    n, empty, log_odds, error : (modes,) float arrays
        ``n``, ``1 - n``, ``ln((1 - n)/n)`` and what that may be wrong by.
    exchange : (3, modes) float array
        Of `flows`.

    Returns
    -------
    total, error : float
        In units of the flows; infinite where a process has no reverse.
    """
    mean, count = 0.0, 0
    potential = np.zeros(n.size)
    moving = np.zeros(n.size, dtype=np.bool_)
    for i in range(n.size):
        if out[i] * n[i] > 0 or into[i] * empty[i] > 0:
            if not (out[i] > 0 and into[i] > 0 and abs(log_odds[i]) < np.inf):
                return np.inf, np.inf
            potential[i] = np.log(out[i]) - np.log(into[i]) - log_odds[i]
            moving[i] = True
            mean += potential[i]
            count += 1
    mean /= max(count, 1)
    total, wrong = 0.0, 0.0
    for i in range(n.size):
        if moving[i]:
            # A constant changes nothing, as the channel conserves particles.
            above = potential[i] - mean
            relative = out_error[i] / out[i] + into_error[i] / into[i]
            relative += error[i] + _EPS * (4 + abs(above))
            total += above * (exchange[0, i] - exchange[1, i])
            wrong += abs(above) * exchange[2, i] + relative * (exchange[0, i] + exchange[1, i])
    return total, wrong


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def gains(out, into, out_error, into_error, n, empty):
    """Return G and D of each mode, and what both may be wrong by, given the occupations.

    Parameters
    ----------
    out, into, out_error, into_error : (modes, columns) float arrays
        The rates and what they may be wrong by.
    n, empty : (modes,) float arrays
        ``n`` and ``1 - n``.

    Returns
    -------
    (4, modes) float array
        G, D, and their errors.
    """
    modes, columns = out.shape
    result = np.zeros((4, modes))
    for r in range(columns):
        of, to, of_size, to_size, of_wrong, to_wrong = (0.0,) * 6
        for i in range(modes):
            of += out[i, r] * n[i]
            to += into[i, r] * empty[i]
            of_size += abs(out[i, r]) * n[i]
            to_size += abs(into[i, r]) * empty[i]
            of_wrong += out_error[i, r] * n[i]
            to_wrong += into_error[i, r] * empty[i]
        for i in range(modes):
            result[0, i] += into[i, r] * of
            result[1, i] += out[i, r] * to
            result[2, i] += into_error[i, r] * of_size + abs(into[i, r]) * of_wrong
            result[3, i] += out_error[i, r] * to_size + abs(out[i, r]) * to_wrong
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def linearised(out, into, rates, log_odds, n, empty):
    """Return residual, rounding, and the factors of the Jacobian beside the unit matrix.

    Parameters
    ----------
    out, into : (modes, columns) float arrays
        The rates.
    rates : (4, modes) float array
        Of `gains`; where columns of both signs cancel, G and D are raised, in place, to what their
        rounding leaves.
    log_odds, n, empty : (modes,) float arrays
        ``ln((1 - n)/n)``, ``n`` and ``1 - n``.

    Returns
    -------
    residual, rounding, weight : (modes,) float
        ``ln(D/G) - lambda``, what it may be wrong by, and ``n (1 - n)``.
    left, right : (modes, 2 columns) float
        Factors.
    """
    modes, columns = out.shape
    residual, rounding, weight = np.empty(modes), np.empty(modes), np.empty(modes)
    left, right = np.empty((modes, 2 * columns)), np.empty((modes, 2 * columns))
    for i in range(modes):
        gain = rates[0, i] = max(rates[0, i], rates[2, i] / 8)
        drain = rates[1, i] = max(rates[1, i], rates[3, i] / 8)
        residual[i] = np.log(drain / gain) - log_odds[i]
        wrong = _of_logarithm(rates[2, i] / gain) + _of_logarithm(rates[3, i] / drain)
        rounding[i] = _EPS * (4 + abs(log_odds[i])) + wrong
        weight[i] = n[i] * empty[i]
        for r in range(columns):
            left[i, r], left[i, columns + r] = into[i, r] / gain, out[i, r] / drain
            right[i, r], right[i, columns + r] = -weight[i] * out[i, r], -weight[i] * into[i, r]
    return residual, rounding, weight, left, right


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def _of_logarithm(relative):
    """Return what a logarithm of a rate may be wrong by; all, where the rate has no digit."""
    if relative < 0.1:
        return relative / (1 - relative)
    if relative < 1:
        return -np.log1p(-min(relative, 1 - _EPS))
    return 2 * LARGEST_EXPONENT


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def response_matrix(left, right, weight):
    """Return ``1 + right^T left`` with a border for the number of particles.

    Parameters
    ----------
    left, right : (modes, columns) float arrays
        Factors of what the Jacobian is beside the unit matrix; scaled in place so that those on
        the left are at most 1.
    weight : (modes,) float array
        ``n (1 - n)``.

    Returns
    -------
    matrix : (columns + 1, columns + 1) float
        Its last row relative to all weights.
    total : float
        The sum of the weights.
    """
    modes, columns = left.shape
    matrix = np.zeros((columns + 1, columns + 1))
    for r in range(columns):
        scale = 0.0
        for i in range(modes):
            scale = max(scale, abs(left[i, r]))
        for i in range(modes):
            left[i, r] /= scale
            right[i, r] *= scale
    total = 0.0
    for i in range(modes):
        total += weight[i]
        for r in range(columns):
            matrix[r, columns] += right[i, r]
            matrix[columns, r] += weight[i] * left[i, r]
            for s in range(columns):
                matrix[r, s] += right[i, r] * left[i, s]
    for r in range(columns):
        matrix[r, r] += 1.0
        matrix[columns, r] /= total
    matrix[columns, columns] = 1.0
    return matrix, total


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def noise_factors(out, into, n, empty, rate, zero_mode, projected):
    """Return the vectors that the fluctuations of a current are made of.

    Parameters
    ----------
    out, into : (modes, columns) float arrays
        The rates.
    n, empty, rate : (modes,) float arrays
        ``n``, ``1 - n``, and ``G + D``.
    zero_mode, projected : (modes,) float arrays
        How the modes follow the number of particles, and what the current counts beside that.

    Returns
    -------
    one : (modes, 4 columns + 1) float
        ``(1-n) into``, ``n out``, the zero mode, ``n (1-n) into``, ``n^2 out``; the columns
        balanced.
    two : (modes, 2 columns + 2) float
        ``-out``, ``-into``, what moves the zero mode, ``projected``.
    small : (2 columns + 1, 2 columns + 1) float
        The matrix of equations for columns at zero frequency.
    """
    modes, columns = out.shape
    size = 2 * columns + 1
    one, two, small = np.empty((modes, 4 * columns + 1)), np.empty((modes, size + 1)), np.eye(size)
    shift = np.sqrt(rate.min() * rate.max())
    for r in range(columns):
        scale = np.sqrt(np.abs(out[:, r]).max() / np.abs(into[:, r]).max())
        for i in range(modes):
            away, here = out[i, r] / scale, into[i, r] * scale
            one[i, r], one[i, columns + r] = empty[i] * here, n[i] * away
            one[i, size + r] = n[i] * empty[i] * here
            one[i, size + columns + r] = n[i] * n[i] * away
            two[i, r], two[i, columns + r] = -away, -here
    for i in range(modes):
        one[i, size - 1] = zero_mode[i]
        two[i, size - 1], two[i, size] = shift, projected[i]
        for r in range(size):
            for s in range(size):
                small[r, s] += one[i, r] / rate[i] * two[i, s]
    return one, two, small


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def noise_solved(one, two, inverse, rate, known):
    """Return ``(-M^T)^{-1} known``.

    Parameters
    ----------
    one, two : (modes, ...) float arrays
        Of `noise_factors`.
    inverse : (columns, columns) float array
        Of its small matrix.
    rate, known : (modes,) float arrays
        ``G + D``, and any vector.

    Returns
    -------
    (modes,) float array
        In units of the vector, times hbar/t.
    """
    modes, size = rate.size, len(inverse)
    sums, columns, result = np.zeros(size), np.zeros(size), np.empty(modes)
    for i in range(modes):
        for r in range(size):
            sums[r] += one[i, r] * (known[i] / rate[i])
    for r in range(size):
        for s in range(size):
            columns[r] += inverse[r, s] * sums[s]
    for i in range(modes):
        value = known[i]
        for r in range(size):
            value -= two[i, r] * columns[r]
        result[i] = value / rate[i]
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def noise_spectrum(frequency, rate, one, two):
    """Return what vectors take of ``(i w - M^T)^{-1} projected`` for all frequencies.

    Parameters
    ----------
    frequency : (frequencies,) float array
        In t/hbar.
    rate : (modes,) float array
        In t/hbar.
    one, two : (modes, ...) float arrays
        Of `noise_factors`.

    Returns
    -------
    (frequencies, vectors) complex array
        For each vector of ``one``.
    """
    size = two.shape[1] - 1
    products = resolvents(frequency, rate, one, two)
    result = np.empty((frequency.size, one.shape[1]), dtype=np.complex128)
    for k in range(frequency.size):
        small, columns = products[k, :size, :size].copy(), products[k, :size, size].copy()
        for r in range(size):
            small[r, r] += 1.0
        columns = np.linalg.solve(small, columns)
        for a in range(one.shape[1]):
            result[k, a] = products[k, a, size]
            for r in range(size):
                result[k, a] -= products[k, a, r] * columns[r]
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def resolvents(frequency, rate, one, two):
    """Return ``one^T (i frequency + rate)^{-1} two`` for all frequencies.

    Parameters
    ----------
    frequency : (frequencies,) float array
        In t/hbar.
    rate : (modes,) float array
        In t/hbar.
    one, two : (modes, columns) float arrays
        Vectors on both sides.

    Returns
    -------
    (frequencies, columns of one, columns of two) complex array
        In units of the vectors, times hbar/t.
    """
    count, modes, first, second = frequency.size, rate.size, one.shape[1], two.shape[1]
    total = np.zeros((2 * count, first * second))
    chunk = max(1, min(_CHUNK, _BLOCK // (first * second)))
    outer = np.empty((chunk, first * second))
    factors = np.empty((2 * count, chunk))
    for start in range(0, modes, chunk):
        size = min(chunk, modes - start)
        for i in range(size):
            for a in range(first):
                for b in range(second):
                    outer[i, a * second + b] = one[start + i, a] * two[start + i, b]
        # 1 / (i w + rate) = (rate - i w) / (w^2 + rate^2), by products of real matrices.
        for k in range(count):
            for i in range(size):
                inverse = 1.0 / (frequency[k] * frequency[k] + rate[start + i] * rate[start + i])
                factors[k, i] = rate[start + i] * inverse
                factors[count + k, i] = -frequency[k] * inverse
        outer[size:] = 0.0
        factors[:, size:] = 0.0
        total += np.dot(factors, outer)
    result = total[:count] + 1j * total[count:]
    return result.reshape(count, first, second)
