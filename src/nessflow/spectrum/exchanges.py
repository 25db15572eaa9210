"""Occupations, and sums over what a terminal exchanges with others, in one pass, compiled."""

import math

import numba
import numpy as np

from nessflow.solvers.compiled import FAST


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def transmissions(green, broadening):
    """Return ``Gamma_a Gamma_b |G_ab|^2``.

    Parameters
    ----------
    green : (l, l, E) complex array
        Green's function between the leads.
    broadening : (l, E) float array
        Of the leads.

    Returns
    -------
    (l, l, E) float array
        From lead b to lead a.
    """
    result = np.empty(green.shape)
    for a in range(green.shape[0]):
        for b in range(green.shape[1]):
            for i in range(green.shape[2]):
                g = green[a, b, i]
                modulus = g.real * g.real + g.imag * g.imag
                result[a, b, i] = broadening[a, i] * broadening[b, i] * modulus
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def occupations(energies, chemical_potentials, temperatures):
    """Return `nessflow.spectrum.occupation.fermi` and `fermi_holes`, to the last bit.

    Parameters
    ----------
    energies : (E,) float array
        In t.
    chemical_potentials, temperatures : (t, E) float arrays
        Of each terminal, in t.

    Returns
    -------
    (2, t, E) float array
        Occupations, and their complements.
    """
    result = np.empty((2, *chemical_potentials.shape))
    for a in range(chemical_potentials.shape[0]):
        for i in range(energies.size):
            offset, temperature = energies[i] - chemical_potentials[a, i], temperatures[a, i]
            if temperature > 0:
                x = offset / temperature
            else:
                x = math.copysign(np.inf, offset) if offset != 0 else 0.0
            result[0, a, i] = 1 / (1 + math.exp(x))
            result[1, a, i] = 1 / (1 + math.exp(-x))
    return result


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def exchanges(leads, lead_sizes, filled, empty, difference, from_loss, from_gain):
    """Return what comes into each terminal, and what it loses on balance.

    Parameters
    ----------
    leads, lead_sizes, difference : (t, t, E) float arrays
        Transmissions, their magnitudes and differences of occupations.
    filled, empty, from_loss, from_gain : (t, E) float arrays
        Occupations, their complements and transmissions from loss and gain.

    Returns
    -------
    (4, t, E) float array
        ``sum_c T_ac f_c``, ``sum_c T_ac (1 - f_c)`` over all others, ``sum_c T_ac (f_a - f_c)`` and
        the magnitude of the latter.
    """
    count = len(filled)
    result = np.empty((4, *filled.shape))
    for i in range(filled.shape[1]):
        for a in range(count):
            incoming, vacant = from_gain[a, i], from_loss[a, i]
            lost, gained = from_loss[a, i] * filled[a, i], from_gain[a, i] * empty[a, i]
            mean, size = lost - gained, lost + gained
            for b in range(count):
                if b != a:
                    incoming += leads[a, b, i] * filled[b, i]
                    vacant += leads[a, b, i] * empty[b, i]
                    mean += leads[a, b, i] * difference[a, b, i]
                    size += lead_sizes[a, b, i] * abs(difference[a, b, i])
            result[0, a, i], result[1, a, i] = incoming, vacant
            result[2, a, i], result[3, a, i] = mean, size
    return result
