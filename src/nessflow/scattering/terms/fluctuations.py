"""What noise and cumulants add up at each energy, compiled, where every terminal is one lead.

The formulas are those of `nessflow.scattering.noise` and `nessflow.scattering.counting`.
Arrays end with the energies; each function fills the rows of ``values`` and of ``sizes``, the
magnitudes that set their rounding errors.  One energy after the other: what is written of it does
not know how many there are.
"""

import math

import numba
import numpy as np

from nessflow.solvers.compiled import FAST

_EPSILON = np.finfo(float).eps


@numba.njit(fastmath=FAST, forceinline=True)
def modulus(z):
    """Return ``|z|`` of what is squared later: underflow below 1e-154 does no harm."""
    return math.sqrt(z.real * z.real + z.imag * z.imag)


@numba.njit(fastmath=FAST, forceinline=True)
def amplitude(green, root, a, b, i):
    """Return ``s_ab`` and what it is a sum of, but for what cancelled in Green's function."""
    g, factor = green[a, b, i], root[a, i] * root[b, i]
    unit = 1.0 if a == b else 0.0
    return complex(-factor * g.imag - unit, factor * g.real), factor * modulus(g) + unit


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
            r, r_size = amplitude(green, root, a, a, i)
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
                    first, first_size = amplitude(green, root, a, c, i)
                    second, second_size = amplitude(green, root, b, c, i)
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
                    filled_size += modulus(gained)
                    empty_size += modulus(lost)
                # Whichever cancels less: far below all chemical potentials N_ab is zero by
                # unitarity.
                if filled_size <= empty_size:
                    outgoing, size = modulus(filled_sum), filled_size
                else:
                    outgoing, size = modulus(empty_sum), empty_size
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
            r, r_size = amplitude(green, root, a, a, i)
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
