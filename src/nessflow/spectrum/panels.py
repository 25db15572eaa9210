"""Panels of energies, compiled: where they end, their nodes, their sums, and which to bisect."""

import numba
import numpy as np

from nessflow.solvers.compiled import FAST

_MAX_CUTS = 100
"""Cuts of an interval that lie in one another."""
_NODES = 21
_TOGETHER = 64
"""Panels that are summed before their sum is added to others: sums of many round little."""
_BUCKETS = 64
"""Powers of two below the tolerance by which errors are told apart."""
_ON_EDGE = 8 * np.finfo(float).eps
"""Distance from an edge, relative to its energy, within which rounding tells of no energy how far
it is."""
_FARTHEST = 2.0 ** (_BUCKETS - 2)


@numba.njit(fastmath=FAST, error_model="numpy")
def _distance(real, imag, point):
    return np.sqrt((real - point) * (real - point) + imag * imag)


@numba.njit(fastmath=FAST, error_model="numpy")
def _nearest(real, imag, lower, upper, ellipse):
    """Return which pole is on the smallest ellipse about an interval, -1 where none is near."""
    middle = 0.5 * (lower + upper)
    nearest, smallest = -1, ellipse * (upper - lower)
    start = np.searchsorted(real, middle)
    for step in (-1, 1):
        k = start - 1 if step < 0 else start
        while 0 <= k < real.size and 2 * abs(real[k] - middle) <= smallest:
            total = _distance(real[k], imag[k], lower) + _distance(real[k], imag[k], upper)
            if total < smallest or (total == smallest and k < nearest):
                nearest, smallest = k, total
            k += step
    return nearest


@numba.njit(fastmath=FAST, error_model="numpy")
def _split_point(lower, upper, real, imag):
    """Return where to split an interval that lies too close to a pole."""
    length, height = upper - lower, abs(imag)
    if min(real - lower, upper - real) > height and height < length / 8:
        return real
    from_lower, from_upper = _distance(real, imag, lower), _distance(real, imag, upper)
    distance = min(from_lower, from_upper)
    if distance >= length / 4:
        return 0.5 * (lower + upper)
    # The geometric mean of distance and length takes log log(length / distance) rounds.
    step = np.sqrt(distance * length)
    return lower + step if from_lower < from_upper else upper - step


@numba.njit(fastmath=FAST, error_model="numpy")
def _narrow(points, real, imag):
    """Return the real parts of poles that are narrow against their distance from others."""
    found, count = np.empty(real.size), 0
    for k in range(real.size):
        gap = np.inf
        if k > 0:
            gap = real[k] - real[k - 1]
        if k < real.size - 1:
            gap = min(gap, real[k + 1] - real[k])
        if abs(imag[k]) < 0.25 * gap and points[0] < real[k] < points[-1]:
            found[count] = real[k]
            count += 1
    return found[:count]


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def graded_points(points, poles, ellipse):
    """Return points with cuts until no pole is near an interval between them.

    Parameters
    ----------
    points : (p,) float array
        Sorted.
    poles : (q,) complex array
        Sorted by their real parts.
    ellipse : float
        Sum of the distances from the ends of an interval, in its lengths, below which a pole is
        near.

    Returns
    -------
    (c,) float array
        Sorted, each once.
    """
    real, imag = poles.real.copy(), poles.imag.copy()
    points = np.unique(np.concatenate((points, _narrow(points, real, imag))))
    return np.unique(np.concatenate((points, _cuts(points, real, imag, ellipse))))


@numba.njit(fastmath=FAST, error_model="numpy")
def _cuts(points, real, imag, ellipse):
    """Return where to cut the intervals between sorted points, in no order."""
    found, count = np.empty(2 * points.size + 64), 0
    lowers, uppers = np.empty(_MAX_CUTS + 2), np.empty(_MAX_CUTS + 2)
    depths = np.empty(_MAX_CUTS + 2, np.int64)
    for k in range(points.size - 1):
        lowers[0], uppers[0], depths[0] = points[k], points[k + 1], 0
        waiting = 1
        while waiting:
            waiting -= 1
            lower, upper, depth = lowers[waiting], uppers[waiting], depths[waiting]
            pole = _nearest(real, imag, lower, upper, ellipse)
            if pole < 0 or depth == _MAX_CUTS:
                continue
            split = _split_point(lower, upper, real[pole], imag[pole])
            if not lower < split < upper:
                continue
            if count == found.size:
                found = np.concatenate((found, np.empty(count)))
            found[count] = split
            count += 1
            for low, high in ((lower, split), (split, upper)):
                lowers[waiting], uppers[waiting], depths[waiting] = low, high, depth + 1
                waiting += 1
    return found[:count]


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def node_energies(origin, width, power, lower, upper, nodes, energies, slope):
    """Write the energies of all nodes, and ``dw`` there in units of the rule's weight.

    Parameters
    ----------
    origin, width, power, lower, upper : (p,) float arrays
        As of `nessflow.spectrum.quadrature.Panels`.
    nodes : (21,) float array
        Of the rule.
    energies, slope : (p, 21) float arrays
        Where to write.
    """
    for j in range(origin.size):
        half = 0.5 * (upper[j] - lower[j])
        for k in range(_NODES):
            u = lower[j] + half * (1.0 + nodes[k])
            if power[j] == 1:
                w, change = u, 1.0
            elif power[j] == 2:
                w, change = u * u, 2 * u
            elif power[j] > 2:
                change = u ** int(power[j] - 1)
                w, change = u * change, power[j] * change
            elif power[j] == -1:
                w = 1 / u
                change = w * w
            else:
                fourth = u * u * u * u
                w = 1 / (fourth * fourth)
                change = 8 * w / u
            if power[j] > 1 and abs(width[j]) * w < _ON_EDGE * abs(origin[j]):
                # Rounded the energy is that of the edge, where there is no Green's function; what
                # is integrated over u is smooth, so that it is taken a little beside.
                w = _ON_EDGE * abs(origin[j]) / abs(width[j])
                change = power[j] * w ** (1 - 1 / power[j])
            energies[j, k] = origin[j] + width[j] * w
            slope[j, k] = abs(width[j] * change) * half


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def panel_sums(values, magnitudes, slope, rounding, kronrod, null_rules, results, places):
    """Write integral, error, rounding error and size of each component on each panel.

    As `nessflow.spectrum.quadrature.panel_estimates`, which says what the error is.

    Parameters
    ----------
    values, magnitudes : (m, p, 21) float arrays
        Of the integrand.
    slope : (p, 21) float array
        ``dw`` in units of the rule's weight.
    rounding : (p,) float array
        Rounding error over size.
    kronrod : (21,) float array
        Weights of the rule.
    null_rules : (2, 21) float array
        Weights of the rules that tell its error.
    results : (n, m, 4) float array
        Where to write.
    places : (p,) int array
        Place of each panel in it.
    """
    scaled = np.empty(_NODES)
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            fine, even, odd, size, spread = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(_NODES):
                scaled[k] = values[i, j, k] * slope[j, k]
                fine += kronrod[k] * scaled[k]
                even += null_rules[0, k] * scaled[k]
                odd += null_rules[1, k] * scaled[k]
                size += kronrod[k] * (magnitudes[i, j, k] * slope[j, k])
            for k in range(_NODES):
                spread += kronrod[k] * abs(scaled[k] - 0.5 * fine)
            unit = spread if spread != 0 else 1.0
            # Each by itself, since squares of small numbers vanish.
            ratio = np.sqrt((even / unit) ** 2 + (odd / unit) ** 2)
            share = (200 * ratio) * np.sqrt(200 * ratio) if ratio < 1 / 200 else 1.0
            results[places[j], i, 0] = fine
            results[places[j], i, 1] = share * spread
            results[places[j], i, 2] = rounding[j] * size
            results[places[j], i, 3] = size


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def sums_over_panels(results, owner, is_wanted):
    """Return the sums of what `panel_sums` wrote over the panels of each function.

    Parameters
    ----------
    results : (n, m, 4) float array
        Of each panel; there may be more than have an owner.
    owner : (p,) int array
        Function of each panel.
    is_wanted : (s,) bool array
        Functions whose sums are wanted; those of others are 0.

    Returns
    -------
    (s, m, 4) float array
        In the order of each function's own panels, wherever others stand.
    """
    shape = is_wanted.size, results.shape[1], 4
    total, part = np.zeros(shape), np.zeros(shape)
    count = np.zeros(is_wanted.size, np.int64)
    for j in range(owner.size):
        k = owner[j]
        if not is_wanted[k]:
            continue
        if count[k] == _TOGETHER:
            total[k] += part[k]
            part[k], count[k] = 0.0, 0
        count[k] += 1
        for i in range(results.shape[1]):
            for q in range(4):
                part[k, i, q] += results[j, i, q]
    return total + part


@numba.njit(fastmath=FAST, forceinline=True)
def _bucket(error, target):
    """Return how many powers of two an error is below another, none to the last bucket."""
    ratio = target / error
    if ratio <= 1.0:
        return 0
    return int(np.log2(ratio)) + 1 if ratio < _FARTHEST else _BUCKETS - 1


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def panels_to_bisect(results, owner, target, is_failing):
    """Return the panels whose errors, largest first, keep a component above its target.

    What is left out, smallest first, adds to half the target at most.

    Parameters
    ----------
    results : (n, m, 4) float array
        From `panel_sums`.
    owner : (p,) int array
        Function of each panel.
    target : (s, m) float array
        Error of each component of each function that is met.
    is_failing : (s, m) bool array
        Components whose target is not met.

    Returns
    -------
    chosen : (p,) bool
        The panels; none whose rounding error is larger than its error.
    needed : (s, m) int
        How many of them each component of each function needs.
    """
    functions, components = target.shape
    chosen, needed = np.zeros(owner.size, np.bool_), np.zeros(target.shape, np.int64)
    starts = np.zeros(functions + 1, np.int64)
    for j in range(owner.size):
        starts[owner[j] + 1] += 1
    starts = np.cumsum(starts)
    place, order = starts[:-1].copy(), np.empty(owner.size, np.int64)
    for j in range(owner.size):
        order[place[owner[j]]] = j
        place[owner[j]] += 1
    sums = np.empty(_BUCKETS)
    for k in range(functions):
        for i in range(components):
            if not is_failing[k, i]:
                continue
            goal, half = target[k, i], 0.5 * target[k, i]
            sums[:] = 0.0
            for j in order[starts[k] : starts[k + 1]]:
                error = results[j, i, 1]
                if error > results[j, i, 2]:
                    sums[_bucket(error, goal)] += error
            last, rest = _BUCKETS - 1, 0.0
            while last > 0 and rest + sums[last] <= half:
                rest += sums[last]
                last -= 1
            # In the bucket that goes beyond half the target the smallest are still left out.
            inside = np.empty(starts[k + 1] - starts[k])
            count = 0
            for j in order[starts[k] : starts[k + 1]]:
                error = results[j, i, 1]
                if error > results[j, i, 2] and _bucket(error, goal) == last:
                    inside[count] = error
                    count += 1
            inside = np.sort(inside[:count])
            least = np.inf
            for error in inside:
                rest += error
                if rest > half:
                    least = error
                    break
            for j in order[starts[k] : starts[k + 1]]:
                error = results[j, i, 1]
                if error > results[j, i, 2]:
                    bucket = _bucket(error, goal)
                    if bucket < last or (bucket == last and error >= least):
                        chosen[j] = True
                        needed[k, i] += 1
    return chosen, needed
