"""What currents, noise, cumulants and entropy add up at each energy, compiled.

The formulas are those of `nessflow.scattering.currents`, `noise`, `counting` and `entropy`; those
of noise and cumulants are for terminals of one lead each.  Arrays end with the energies; each
function fills the rows of ``values`` and of ``sizes``, the magnitudes that set their rounding
errors.  One energy after the other: what is written of it does not know how many there are.
"""

import math

import numba
import numpy as np

from nessflow.solvers.compiled import FAST

_EPSILON = np.finfo(float).eps
_TINY = np.finfo(float).tiny


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def current_terms(
    leads, lead_sizes, difference, filled, empty, from_reservoirs, to_reservoirs, between,
    values, sizes,
):  # fmt: skip
    """Write the particle currents of all terminals and, of two leads, their parts.

    Leads use the rows of the Green's function, loss and gain its columns, so that currents add up
    to zero only if both are right.  Behind those of the terminals stand, of two leads, the net
    current, the current between the leads, that of each lead with loss and gain, the reference and
    the response.

    Parameters
    ----------
    leads, lead_sizes, difference : (t, t, E) float arrays
        Transmissions, their magnitudes and differences of occupations.
    filled, empty : (t, E) float arrays
        Occupations.
    from_reservoirs, to_reservoirs : pairs of (t, E) float arrays
        Transmissions from and to loss, and gain.
    between : pair of (E,) float arrays
        Transmissions from gain to loss, and from loss to gain.
    values, sizes : (t + 2, E) float arrays, (8 + 2, E) of two leads
        Where to write.
    """
    count = filled.shape[0]
    (from_loss, from_gain), (to_loss, to_gain) = from_reservoirs, to_reservoirs
    for i in range(filled.shape[1]):
        lost, gained = between[0][i], between[1][i]
        for a in range(count):
            f, h = filled[a, i], empty[a, i]
            value, size = 0.0, 0.0
            for b in range(count):
                if b != a:
                    value += leads[a, b, i] * difference[a, b, i]
                    size += lead_sizes[a, b, i] * abs(difference[a, b, i])
            out, into = from_loss[a, i] * f, from_gain[a, i] * h
            values[a, i], sizes[a, i] = value + out - into, size + out + into
            lost += to_loss[a, i] * f
            gained += to_gain[a, i] * h
        values[count, i], sizes[count, i] = -lost, lost
        values[count + 1, i], sizes[count + 1, i] = gained, gained
        if count == 2:
            d = difference[0, 1, i]
            landauer = 0.5 * (leads[0, 1, i] + leads[1, 0, i]) * d
            size = 0.5 * (lead_sizes[0, 1, i] + lead_sizes[1, 0, i]) * abs(d)
            l_0, l_1, g_0, g_1 = from_loss[0, i], from_loss[1, i], from_gain[0, i], from_gain[1, i]
            left, right = 0.5 * (l_0 * filled[0, i]), 0.5 * (l_1 * filled[1, i])
            left_in, right_in = 0.5 * (g_0 * empty[0, i]), 0.5 * (g_1 * empty[1, i])
            exchanged = left + left_in + right + right_in
            values[4, i] = landauer + (left - left_in) - (right - right_in)
            sizes[4, i] = size + exchanged
            values[5, i], sizes[5, i] = landauer, size
            values[6, i], sizes[6, i] = left - left_in, left + left_in
            values[7, i], sizes[7, i] = right - right_in, right + right_in
            f, h = 0.5 * filled[1, i], 0.5 * empty[1, i]
            values[8, i] = (l_0 - l_1) * f - (g_0 - g_1) * h
            sizes[8, i] = (l_0 + l_1) * f + (g_0 + g_1) * h
            values[9, i] = landauer + 0.5 * (l_0 + g_0) * d
            sizes[9, i] = size + 0.5 * (l_0 + g_0) * abs(d)


@numba.njit(fastmath=FAST, forceinline=True)
def _modulus(z):
    """Return ``|z|`` of what is squared later: underflow below 1e-154 does no harm."""
    return math.sqrt(z.real * z.real + z.imag * z.imag)


@numba.njit(fastmath=FAST, forceinline=True)
def _amplitude(green, root, a, b, i):
    """Return ``s_ab`` and what it is a sum of, but for what cancelled in Green's function."""
    g, factor = green[a, b, i], root[a, i] * root[b, i]
    unit = 1.0 if a == b else 0.0
    return complex(-factor * g.imag - unit, factor * g.real), factor * _modulus(g) + unit


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def noise_terms(
    green, cancelled, root, leads, lead_sizes, filled, empty, incoming, vacant, exchange_sizes,
    correlations, values, sizes,
):  # fmt: skip
    """Write the noise of each terminal, of each pair, and of the net current of two.

    Parameters
    ----------
    green : (t, t, E) complex array
        Green's function between the leads.
    cancelled : (t, t, E) float array or None
        What cancelled in it.
    root : (t, E) float array
        Roots of the broadenings.
    leads, lead_sizes : (t, t, E) float arrays
        Transmissions and their magnitudes.
    filled, empty, incoming, vacant : (t, E) float arrays
        Occupations of terminals, and what reaches them from others.
    exchange_sizes : (t, E) float array or None
        What cancelled in the latter.
    correlations : pair of (t, t, E) complex arrays or None
        ``sqrt(Gamma_a Gamma_b)`` times those of loss and of gain.
    values, sizes : (t (t + 1) / 2, E) float arrays, (4, E) of two leads
        Where to write.
    """
    count = filled.shape[0]
    for i in range(filled.shape[1]):
        for a in range(count):
            f, h = filled[a, i], empty[a, i]
            n, v = incoming[a, i], vacant[a, i]
            thermal, exchanged = f * h, f * v + h * n
            r, r_size = _amplitude(green, root, a, a, i)
            if cancelled is not None:
                r_size += root[a, i] * root[a, i] * cancelled[a, a, i]
            reflected = r.real * r.real + r.imag * r.imag
            shared = thermal * (n + v) * (n + v) + n * v
            values[a, i] = shared + reflected * exchanged
            size = shared + math.sqrt(reflected) * r_size * exchanged
            sizes[a, i] = size if exchange_sizes is None else size + exchange_sizes[a, i]
        row = count
        for a in range(count):
            for b in range(a + 1, count):
                filled_sum, empty_sum = 0j, 0j
                filled_size, empty_size = 0.0, 0.0
                for c in range(count):
                    first, first_size = _amplitude(green, root, a, c, i)
                    second, second_size = _amplitude(green, root, b, c, i)
                    if cancelled is not None:
                        first_size += root[a, i] * root[c, i] * cancelled[a, c, i]
                        second_size += root[b, i] * root[c, i] * cancelled[b, c, i]
                    product = complex(
                        first.real * second.real + first.imag * second.imag,
                        first.imag * second.real - first.real * second.imag,
                    )
                    size = first_size * second_size
                    filled_sum += product * filled[c, i]
                    empty_sum += product * empty[c, i]
                    filled_size += size * filled[c, i]
                    empty_size += size * empty[c, i]
                if correlations is not None:
                    lost, gained = correlations[0][a, b, i], correlations[1][a, b, i]
                    filled_sum += gained
                    empty_sum += lost
                    filled_size += _modulus(gained)
                    empty_size += _modulus(lost)
                # Whichever cancels less: far below all chemical potentials N_ab is zero by
                # unitarity.
                if filled_size <= empty_size:
                    outgoing, size = _modulus(filled_sum), filled_size
                else:
                    outgoing, size = _modulus(empty_sum), empty_size
                first, second = filled[a, i] * empty[a, i], filled[b, i] * empty[b, i]
                value = first * leads[b, a, i] + second * leads[a, b, i]
                values[row, i] = -(value + outgoing * outgoing)
                value = first * lead_sizes[b, a, i] + second * lead_sizes[a, b, i]
                sizes[row, i] = value + size * (outgoing + _EPSILON * size)
                row += 1
        if count == 2:
            values[3, i] = 0.25 * (values[0, i] + values[1, i]) - 0.5 * values[2, i]
            sizes[3, i] = 0.25 * (sizes[0, i] + sizes[1, i]) + 0.5 * sizes[2, i]


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def cumulant_terms(
    green, cancelled, root, filled, empty, incoming, vacant, mean, mean_sizes, exchange_sizes,
    values, sizes,
):  # fmt: skip
    """Write the first four cumulants of each terminal, one terminal after the other.

    Parameters
    ----------
    green, cancelled, root, filled, empty, incoming, vacant, exchange_sizes
        As of `noise_terms`.
    mean, mean_sizes : (t, E) float arrays
        Integrand of the current and its magnitude.
    values, sizes : (4 t, E) float arrays
        Where to write.
    """
    for i in range(filled.shape[1]):
        for a in range(filled.shape[0]):
            f, h = filled[a, i], empty[a, i]
            n, v = incoming[a, i], vacant[a, i]
            r, r_size = _amplitude(green, root, a, a, i)
            if cancelled is not None:
                r_size += root[a, i] * root[a, i] * cancelled[a, a, i]
            reflected = r.real * r.real + r.imag * r.imag
            out, into, none = f * v, h * n, reflected + f * n + h * v
            change, moved = mean[a, i], out + into
            square = change * change
            variance = moved * none + 4 * out * into
            size, lost = mean_sizes[a, i], 0.0
            if exchange_sizes is not None:
                lost = exchange_sizes[a, i]
            k = 4 * a
            values[k, i], sizes[k, i] = change, size + lost
            values[k + 1, i] = variance
            sizes[k + 1, i] = variance + moved * math.sqrt(reflected) * r_size + lost
            values[k + 2, i] = change * (1 - 3 * moved + 2 * square)
            sizes[k + 2, i] = size * (1 + 3 * moved + 2 * square) + lost
            even, odd = moved + 12 * square * moved, 4 * square + 3 * moved * moved
            odd += 6 * square * square
            values[k + 3, i], sizes[k + 3, i] = even - odd, even + odd + lost


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
