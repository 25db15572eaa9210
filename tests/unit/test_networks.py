"""Networks of study files."""

import numpy as np
import pytest

from nessflow.kinds import network_transmission
from nessflow.studies.networks import Network
from precise import solved


@pytest.mark.parametrize("sites", range(1, 6))
def test_energy_is_the_mean_of_the_sites(sites):
    network = Network(sites=sites, energy=0.3, detuning=0.4, tunnelling=0.5)
    energies = network.energies()
    assert energies.mean() == pytest.approx(0.3, abs=1e-15)
    # The first and the last of one site are the same.
    assert energies[0] - energies[-1] == pytest.approx(0.4 if sites > 1 else 0.0, abs=1e-15)


def precise_spectrum(parameters):
    """Return the densities of states of the modes in the extended precision of long doubles."""
    network, bath, sites = parameters.network, parameters.reservoirs, parameters.network.sites
    h = np.diag(np.longdouble(network.energies()))
    for j in range(sites - 1):
        h[j, j + 1] = h[j + 1, j] = -np.longdouble(network.tunnelling) / 2
    modes = np.longdouble(network.modes()[1])
    for mode in modes.T:
        for _ in range(4):
            shift = mode @ h @ mode + np.longdouble(1e-19)
            mode[:] = solved(h - shift * np.eye(sites), mode[:, None])[:, 0].real
            mode /= np.sqrt(mode @ mode)
    spectrum = []
    for x in np.longdouble(parameters.energies.values()):
        inverse = x * bath.bandwidth * np.eye(sites) - h + 0j
        ends = [0, sites - 1]
        inverse[ends, ends] -= np.longdouble(bath.coupling) / 2 * (x - 1j * np.sqrt(1 - x * x))
        spectrum.append(-((modes.T @ solved(inverse, modes)).diagonal().imag) / np.pi)
    return np.array(spectrum).T


@pytest.mark.parametrize(
    ("sites", "detuning", "tunnelling", "coupling", "most"),
    [
        (2, 0.3, 0.1, 0.2, 1e-12),
        (4, 0.0, 0.3, 0.1, 1e-9),
        (5, 0.4, 0.05, 0.01, 1e-4),
        (3, 0.1, 1e-6, 1e-6, 100.0),  # a mode of which 1e-11 is at an end
    ],
)
def test_densities_of_modes_have_errors(sites, detuning, tunnelling, coupling, most):
    bath = {"chemical_potential": 0.0, "temperature": 0.1}
    parameters = network_transmission.Parameters(
        network={"sites": sites, "tunnelling": tunnelling, "detuning": detuning, "energy": 0.0},
        reservoirs={"bandwidth": 1.0, "coupling": coupling, "left": bath, "right": bath},
        energies={"start": -0.23, "stop": 0.23, "points": 8},
    )
    values = network_transmission.evaluate(parameters, None).values
    exact = precise_spectrum(parameters)
    error = values["mode_spectrum_error"]
    assert np.all(abs(values["mode_spectrum"] - exact) <= error)
    assert np.all(error < most * exact)
