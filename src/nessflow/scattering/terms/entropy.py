"""Entropies of occupations and their changes, compiled, for `nessflow.scattering.entropy`.

Arrays end with the energies.
"""

import math

import numba
import numpy as np

from nessflow.solvers.compiled import FAST

_EPSILON = np.finfo(float).eps
_TINY = np.finfo(float).tiny


@numba.njit(fastmath=FAST, forceinline=True)
def _steep(lost, occupation):
    """Return what an entropy changes by when its occupation changes by ``lost``, not negative."""
    return lost * (1 - math.log(min(max(occupation + lost, _TINY), 1.0)))


@numba.njit(fastmath=FAST, forceinline=True)
def _entropy(few):
    """Return ``H`` of an occupation or its complement, the smaller of both."""
    return -few * math.log(max(few, _TINY)) - (1 - few) * math.log1p(-few)


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def entropies(filled, empty):
    """Return ``H = -f ln f - (1 - f) ln (1 - f)``.

    Parameters
    ----------
    filled, empty : (n, E) float arrays
        Occupations and their complements.

    Returns
    -------
    (n, E) float array
        ``H``.
    """
    result = np.empty(filled.shape)
    for j in range(filled.shape[0]):
        for i in range(filled.shape[1]):
            result[j, i] = _entropy(min(filled[j, i], empty[j, i]))
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def entropy_changes(filled, empty, change, out_filled, out_empty, lost, result):
    """Write ``H(f + change) - H(f)`` and the size of its terms.

    A small change is not computed as the difference of two entropies.

    Parameters
    ----------
    filled, empty, change : (n, E) float arrays
        Occupations, their complements, and by what they change.
    out_filled, out_empty : (n, E) float arrays
        Occupations after that, and their complements, not negative.
    lost : (n, E) float array
        What the smaller of these may be off by, beyond its last digit.
    result : (2, n, E) float array
        Where to write.
    """
    for j in range(filled.shape[0]):
        for i in range(filled.shape[1]):
            p, q, d = filled[j, i], empty[j, i], change[j, i]
            if abs(d) < 0.5 * min(p, q):
                one = -d * math.log(p / q)
                two, three = -(p + d) * math.log1p(d / p), -(q - d) * math.log1p(-d / q)
                result[0, j, i] = one + two + three
                result[1, j, i] = abs(one) + abs(two) + abs(three)
            else:
                few = min(out_filled[j, i], out_empty[j, i])
                after, before = _entropy(few), _entropy(min(p, q))
                result[0, j, i] = after - before
                result[1, j, i] = after + before + _steep(lost[j, i], few) / _EPSILON
