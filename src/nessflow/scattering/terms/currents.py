"""What currents add up at each energy, compiled: the formulas of `nessflow.scattering.currents`.

Arrays end with the energies; each function fills the rows of ``values`` and of ``sizes``, the
magnitudes that set their rounding errors.  One energy after the other: what is written of it does
not know how many there are.
"""

import numba

from nessflow.solvers.compiled import FAST


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
