"""Memory of wide systems is linear in their sites: nothing of the size of the system is dense."""

import tracemalloc

import numpy as np
import pytest

from attached import wide_band_at
from lattices import strip
from nessflow.scattering.currents import currents_observable, transmission
from nessflow.scattering.noise import noise_observable
from nessflow.scattering.spectra import spectral_flows
from nessflow.spectrum.rates import integrate_observables
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem

WIDTH = 4


def system_of(length, rate=0.0, by_rows=False):
    """Return a strip with leads on both ends, whose sites are numbered by columns or by rows."""
    width, sites = WIDTH, length * WIDTH
    onsite = 0.2 * np.sin(np.arange(sites))
    number = np.arange(sites).reshape(length, width)
    hamiltonian = strip(length, width, 1.0, onsite).tocsr()
    if by_rows:
        order = number.T.ravel()
        hamiltonian = hamiltonian[order][:, order]
        number = np.arange(sites).reshape(width, length).T
    leads = [
        wide_band_at(f"{side} {site}", int(site), 1.5, mu, 0.0)
        for side, mu, column in (("l", 0.1005, number[0]), ("r", 0.1, number[-1]))
        for site in column
    ]
    zero = Tridiagonal.zero(sites)
    loss = Tridiagonal(np.full(sites, rate), np.zeros(sites - 1)) if rate else zero
    return OpenSystem(hamiltonian, loss, zero, leads)


def integrals(system):
    """Integrate currents and noise; beyond 3000 sites without poles."""
    found = integrate_observables(system, [currents_observable(system), noise_observable(system)])
    assert all(x.converged for x in found)


ENERGIES = np.array([0.3])
TASKS = {
    "transmission": lambda system: transmission(system, ENERGIES),
    "spectral noise": lambda system: spectral_flows(system, ENERGIES),
    "integrals": integrals,
}


def peak(function, system):
    """Return the largest memory that a function takes, the system's own left out, in bytes."""
    tracemalloc.start()
    function(system)
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.parametrize("rate", [0.0, 1e-3])
@pytest.mark.parametrize("name", ["transmission", "spectral noise"])
def test_memory_is_linear_in_the_sites(name, rate):
    """A dense matrix, even of bits, would be four times as large in a strip of twice the length."""
    TASKS[name](system_of(20, rate=rate))  # what is compiled and imported
    shorter, longer = (peak(TASKS[name], system_of(length, rate=rate)) for length in (1600, 3200))
    assert longer < 2.2 * shorter
    assert longer < 0.05 * 16 * (3200 * WIDTH) ** 2


def test_memory_of_integrals_is_that_of_a_batch_of_energies():
    """A few times the 32 MB of a batch; a dense matrix of 12,800 sites would have 2.6 GB."""
    integrals(system_of(20))
    assert peak(integrals, system_of(3200)) < 3e8


@pytest.mark.parametrize("name", ["transmission", "spectral noise"])
def test_memory_does_not_depend_on_how_sites_are_numbered(name):
    by_columns, by_rows = (system_of(800, by_rows=x) for x in (False, True))
    TASKS[name](system_of(20))
    assert peak(TASKS[name], by_rows) < 1.5 * peak(TASKS[name], by_columns)
