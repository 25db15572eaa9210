"""Entropies of occupations and their changes, compiled, for `nessflow.scattering.entropy`.

Arrays end with the energies.
"""

import math

import numba
import numpy as np

from nessflow.scattering.terms.fluctuations import amplitude, modulus
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


@numba.njit(fastmath=FAST, forceinline=True)
def _change(p, q, d, out_filled, out_empty, lost):
    """Return ``H(p + d) - H(p)`` and the size of its terms, see `entropy_changes`."""
    if abs(d) < 0.5 * min(p, q):
        one = -d * math.log(p / q)
        two, three = -(p + d) * math.log1p(d / p), -(q - d) * math.log1p(-d / q)
        return one + two + three, abs(one) + abs(two) + abs(three)
    few = min(out_filled, out_empty)
    after, before = _entropy(few), _entropy(min(p, q))
    return after - before, after + before + _steep(lost, few) / _EPSILON


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
            state = filled[j, i], empty[j, i], change[j, i]
            out = out_filled[j, i], out_empty[j, i], lost[j, i]
            result[0, j, i], result[1, j, i] = _change(*state, *out)


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def entropies_of_leads(green, cancelled, root, filled, empty, incoming, vacant, mean, result):
    """Write by how much the entropy that leaves each terminal of one lead exceeds what enters it.

    Parameters
    ----------
    green, cancelled, root, filled, empty, incoming, vacant, mean
        As of `nessflow.scattering.terms.fluctuations`.
    result : (2, t, E) float array
        Where to write, and the sizes.
    """
    for a in range(filled.shape[0]):
        for i in range(filled.shape[1]):
            f, h = filled[a, i], empty[a, i]
            r, r_size = amplitude(green, root, a, a, i)
            if cancelled is not None:
                r_size += root[a, i] * root[a, i] * cancelled[a, a, i]
            size, r_modulus = _EPSILON * r_size, modulus(r)
            reflected = r_modulus * r_modulus
            # Occupations of modes that nothing reaches are zero up to rounding, of either sign.
            out_filled = max(f * reflected + incoming[a, i], 0.0)
            out_empty = max(h * reflected + vacant[a, i], 0.0)
            # Where all waves go through, r is what is left of two numbers of size 1.
            lost = (2 * r_modulus + size) * size * (f if out_filled < out_empty else h)
            value, size = _change(f, h, -mean[a, i], out_filled, out_empty, lost)
            result[0, a, i], result[1, a, i] = value, size


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def eigenvalues_of_two(matrices):
    """Return eigenvalues in [0, 1] of Hermitian matrices, as LAPACK to the digits that it has.

    Parameters
    ----------
    matrices : (2, 2, E) complex array
        The matrices.

    Returns
    -------
    (2, E) float array
        The larger ones first.
    """
    result = np.empty((2, matrices.shape[2]))
    for i in range(matrices.shape[2]):
        first, second = matrices[0, 0, i].real, matrices[1, 1, i].real
        beside = abs(matrices[1, 0, i])
        high = 0.5 * (first + second) + math.hypot(0.5 * (first - second), beside)
        low = (first * second - beside * beside) / high if high != 0 else 0.0
        result[0, i], result[1, i] = min(max(high, 0.0), 1.0), min(max(low, 0.0), 1.0)
    return result
