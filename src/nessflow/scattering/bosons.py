"""Steady currents of bosons and their counting statistics.

The Heisenberg equations are those of fermions, so are Green's function and transmissions; leads
hold Bose functions ``n_a``, and attempts of a lead to send and to take bunch instead of exclude:

    chi(x) = -int dw/2pi ln[1 - P_out (e^x - 1) - P_in (e^{-x} - 1)],
    P_out = n_a sum_b T_ab (1 + n_b),   P_in = (1 + n_a) sum_b T_ab n_b.

Terminals are leads of one channel each, chemical potentials lie below all bands, and there is no
loss or gain.
"""

import numpy as np

from nessflow.estimate import Estimate
from nessflow.scattering.currents import Transport
from nessflow.spectrum.rates import Rates
from nessflow.spectrum.spectrum import ACCURACY, Spectrum
from nessflow.spectrum.statistics import bosonic_range, occupation
from nessflow.systems.system import OpenSystem


def _difference(filled: np.ndarray) -> np.ndarray:
    return filled[:, None] - filled[None]


def boson_terms(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrands of currents, energy currents, third cumulants and noise.

    Parameters
    ----------
    system : OpenSystem
        With leads alone, each a terminal of its own.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    values, sizes : (l (3 + l), E) float
        Over ``dw/2pi``: l of each, then the noise by rows; and what they are sums of.
    """
    rates = Rates(system, energies)
    filled = np.array([occupation(energies, lead, True) for lead in system.leads])
    between = rates.leads.copy()
    between[range(len(filled)), range(len(filled))] = 0.0
    current = np.einsum("abe,abe->ae", between, _difference(filled))
    size = np.einsum("abe,abe->ae", between, filled[:, None] + filled[None])
    taken = np.einsum("abe,be->ae", between, filled)
    sent = np.einsum("abe,be->ae", between, 1 + filled)
    moved = filled * sent + (1 + filled) * taken
    third = current * (1 + 3 * moved + 2 * current**2)
    thermal = filled * (1 + filled)
    s = rates.amplitudes
    outgoing = np.einsum("ace,ce,bce->abe", s, filled, s.conj())
    # A lead of one channel: |s_ab|^2 = T_ab.
    noise = abs(outgoing) ** 2 - thermal[:, None] * between.swapaxes(0, 1) - thermal[None] * between
    noise_size = abs(noise) + 2 * (thermal[:, None] + thermal[None]) * between.swapaxes(0, 1)
    for a in range(len(filled)):
        noise[a, a] = moved[a] + current[a] ** 2
        noise_size[a, a] = noise[a, a]
    values = [current, energies * current, third, noise.reshape(-1, energies.size)]
    sizes = [
        size,
        abs(energies) * size,
        size * (1 + 3 * moved + 2 * current**2),
        noise_size.reshape(-1, energies.size),
    ]
    return np.concatenate(values), np.concatenate(sizes)


def boson_transport(system: OpenSystem, rtol: float = ACCURACY) -> Transport:
    """Return steady currents, noise and third cumulants of bosons between leads.

    Parameters
    ----------
    system : OpenSystem
        With leads alone, each a terminal of its own.
    rtol : float
        Error over value aimed at, for every number by itself.

    Returns
    -------
    Transport
        Currents and cumulants by lead, with their errors.

    Raises
    ------
    ValueError
        When there is loss or gain, or a chemical potential is not below all bands.
    """
    limits = bosonic_range(system)
    if len(system.terminals) != len(system.leads):
        raise ValueError("the bosonic statistics are built for terminals of one lead each")
    spectrum = Spectrum(system, rtol, limits=limits, everywhere=True)
    found = spectrum.integral(lambda energies: boson_terms(system, energies))
    count = len(system.leads)

    names = tuple(lead.name for lead in system.leads)
    current, energy, third, noise = (
        Estimate(*pair)
        for pair in zip(
            *(np.split(x, [count, 2 * count, 3 * count]) for x in (found.value, found.error)),
            strict=True,
        )
    )
    noise = Estimate(*(x.reshape(count, count) for x in noise[:2]))
    # Sums over all terminals: zero because the scattering matrix is unitary.
    pairs = [(x.value.sum(axis=0), x.error.sum(axis=0)) for x in (current, noise)]
    unitary = all(np.all(abs(total) <= allowed) for total, allowed in pairs)
    return Transport(names, current, energy, noise, third, found.converged and unitary)
