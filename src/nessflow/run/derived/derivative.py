"""The derivative of numbers along a dimension, whatever the distances of their places."""

from collections.abc import Iterator

import numpy as np

MOST = 5
"""Places that a derivative is made of."""
_EPS = np.finfo(float).eps


def stencils(x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the formulas of the first derivative at each of several places.

    Parameters
    ----------
    x : (n,) array
        The places, in order, at least two.

    Returns
    -------
    list of (index, weight)
        Each (n, k): the derivative at i is the sum of ``weight[i] * f[index[i]]``.  The first is
        that of all k = 5 nearest places, or all that there are, on one side at the ends; the others
        are those of one and of two places less, whose distance from it is the error.
    """
    size = len(x)
    most = min(MOST, size)
    return [_stencil(x, k, shift) for k, shift in _windows(most)]


def _windows(most: int) -> Iterator[tuple[int, int]]:
    """Yield size and start, from the place on, of windows inside the first one."""
    yield most, -(most // 2)
    for k in range(most - 1, max(most - 3, 1), -1):
        yield k, -(k // 2)
        if k % 2 == 0:
            yield k, 1 - k // 2


def _stencil(x: np.ndarray, k: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which k places the derivative at each place is made of, and their weights.

    See J.-P. Berrut and L. N. Trefethen, SIAM Rev. 46, 501 (2004), section 9.3.
    """
    size = len(x)
    start = np.clip(np.arange(size) + shift, 0, size - k)
    index = start[:, None] + np.arange(k)
    here = index == np.arange(size)[:, None]
    # In units of the distances there, so that no product of them underflows.
    scale = np.ptp(x[index], axis=1)[:, None]
    nodes = x[index] / scale
    distance = nodes[:, :, None] - nodes[:, None, :]
    distance[:, np.arange(k), np.arange(k)] = 1.0
    barycentric = 1.0 / distance.prod(axis=2)
    away = np.where(here, 1.0, nodes[here][:, None] - nodes)
    weight = np.where(here, 0.0, barycentric / barycentric[here][:, None] / away)
    weight = np.where(here, -weight.sum(axis=1)[:, None], weight)
    return index, weight / scale


def applied(stencil: tuple[np.ndarray, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return sums along the first axis of ``values``, (n, ...), term by term in one order."""
    index, weight = stencil
    total = np.zeros_like(values)
    for j in range(index.shape[1]):
        total += weight[:, j].reshape(-1, *(1,) * (values.ndim - 1)) * values[index[:, j]]
    return total


def truncation(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return what the derivative of ``values``, (n, ...) at ``x``, may be off, rounding included.

    It is the largest distance between the derivative of five places and those of three and four of
    them.  By Newton's form these distances are sums of the third and the fourth divided difference
    with different weights: all of them vanish together for polynomials of degree two alone, of
    which the derivative is exact.  So it is an error of the lower order, larger than that of the
    higher one where the places resolve the function.
    """
    main, *others = stencils(x)
    found = applied(main, values)
    off = np.max([abs(applied(other, values) - found) for other in others], axis=0)
    index, weight = main
    return off + 8 * _EPS * applied((index, abs(weight)), abs(values))
