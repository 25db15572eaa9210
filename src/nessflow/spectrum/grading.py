"""Intervals that are short against their distance from every pole, compiled."""

import numba
import numpy as np

from nessflow.solvers.compiled import FAST

_MAX_CUTS = 100
"""Cuts of an interval that lie in one another."""


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


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def cuts(points, real, imag, ellipse):
    """Return where to cut the intervals between sorted points, until no pole is near any.

    Parameters
    ----------
    points : (p,) float array
        Sorted.
    real, imag : (q,) float arrays
        The poles, sorted by their real parts.
    ellipse : float
        Sum of the distances from the ends of an interval, in its lengths, below which a pole is
        near.

    Returns
    -------
    (c,) float array
        In no order.
    """
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
