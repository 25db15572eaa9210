"""Errors hold what destructive interference leaves of the digits."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

import nessflow as nf
from attached import chain_at, wide_band_at
from lattices import ring
from nessflow.kinds import transmission as spectra
from nessflow.scattering.counting import lead_cumulants
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.entropy import scattering_entropy_production
from nessflow.scattering.linear_response import linear_response
from nessflow.scattering.noise import lead_noise
from nessflow.spectrum.rates import Rates
from nessflow.studies.systems import open_system
from nessflow.systems.system import OpenSystem, Tridiagonal
from precise import solved

ENERGIES = np.linspace(-1.73, 1.61, 12)


def interferometer(flux, sites=4, lossy=0.0):
    leads = [
        wide_band_at("left", 0, 1.118, -0.5, 0.06479),
        wide_band_at("right", sites // 2, 0.9727, 0.3, 0.3556),
    ]
    loss = Tridiagonal(np.full(sites, lossy), np.zeros(sites - 1))
    return OpenSystem(ring(sites, 1.0, flux, 0.0), loss, Tridiagonal.zero(sites), leads)


def precise_transmission(flux, sites, energy):
    """Return the transmission of an interferometer in the extended precision of long doubles."""
    a = np.zeros((sites, sites), np.clongdouble)
    phase = np.exp(1j * np.clongdouble(flux) / sites)
    for j in range(sites):
        k = (j + 1) % sites
        a[j, k] += phase.conj() if abs(ring(sites, 1.0, flux, 0.0)[j, k] + phase) > 0.1 else phase
        a[k, j] = a[j, k].conj()
        a[j, j] += np.longdouble(energy)
    a[0, 0] += 0.5j * np.longdouble(1.118)
    a[sites // 2, sites // 2] += 0.5j * np.longdouble(0.9727)
    column = solved(a, np.eye(sites)[:, [sites // 2]])
    return np.longdouble(1.118) * np.longdouble(0.9727) * abs(column[0, 0]) ** 2


@pytest.mark.parametrize("sites", [4, 6, 40])
@pytest.mark.parametrize("beside", [1e-3, 1e-5, 1e-7, 1e-9])
def test_transmissions_near_a_zero_are_as_rounded_as_they_say(beside, sites):
    rates = Rates(interferometer(np.pi + beside, sites), ENERGIES)
    exact = np.array([precise_transmission(np.pi + beside, sites, x) for x in ENERGIES])
    error = abs(rates.leads[0, 1] - exact)
    allowed = 16 * np.finfo(float).eps * rates.lead_sizes[0, 1]
    assert np.all(error <= allowed)
    # And not far more than they are.
    assert np.all(allowed < 1e5 * np.maximum(error.max(), 1e-32) + 1e-14 * rates.leads[0, 1])


def test_spectra_are_as_rounded_as_they_say():
    lead = {"kind": "wide-band", "chemical_potential": 0.0, "temperature": 0.1}
    leads = {"left": lead | {"broadening": 1.118}, "right": lead | {"broadening": 0.9727}}
    lattice = {"kind": "ring", "sites": 6, "flux": np.pi + 1e-5}
    energies = {"start": ENERGIES[0], "stop": ENERGIES[-1], "points": ENERGIES.size}
    given = {"system": {"lattice": lattice, "leads": leads}, "energies": energies}
    parameters = spectra.Parameters.model_validate(given)
    values = spectra.evaluate(parameters, None).values
    exact = [precise_transmission(np.pi + 1e-5, 6, x) for x in parameters.energies.values()]
    for name, error, right in (
        (values["transmission"][0, 1], values["transmission_error"][0, 1], exact),
        (values["response_transmission"], values["response_transmission_error"], exact),
        (values["reflection"][1], values["reflection_error"][1], 1 - np.array(exact)),
    ):
        assert np.all(abs(name - right) <= error)
        assert np.all(error < 1e-12)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_a_conductance_of_nothing_is_done_at_once(temperature):
    system = interferometer(np.pi)
    leads = [replace(x, chemical_potential=0.3, temperature=temperature) for x in system.leads]
    found = linear_response(replace(system, leads=leads))
    assert found.converged
    assert abs(found.electrical_conductance.value) <= found.electrical_conductance.error < 1e-25


@pytest.mark.parametrize("sites", [4, 12])
@pytest.mark.parametrize("lossy", [0.0, 0.05])
def test_at_a_zero_currents_and_fluctuations_are_done_at_once(sites, lossy):
    system = interferometer(np.pi, sites, lossy)
    currents, noise, cumulants = (f(system) for f in (steady_currents, lead_noise, lead_cumulants))
    for found in (currents, noise, cumulants):
        assert found.converged
        assert found.evaluations < 20_000
    entropy, error, undefined = scattering_entropy_production(system)
    assert not undefined
    if not lossy:
        assert abs(entropy) <= error < 1e-25
        assert np.all(abs(currents.particle_current.value) <= currents.particle_current.error)
        assert np.all(abs(noise.particle_noise.value) <= noise.particle_noise.error)
        assert np.all(abs(cumulants.cumulants.value) <= cumulants.cumulants.error)
        assert currents.particle_current.error.max() < 1e-25


def test_entropy_near_a_zero_is_as_rounded_as_it_says():
    system = interferometer(np.pi + 1e-8)
    x, step = np.linspace(-6.5, 6.5, 261, retstep=True)
    transmission = np.array([precise_transmission(np.pi + 1e-8, 4, w) for w in np.sinh(x)])
    forces = [(np.sinh(x) - a.chemical_potential) / a.temperature for a in system.leads]
    f = expit(-np.array(forces))
    # To first order in the transmission, which is below 1e-15.
    produced = transmission * (f[0] - f[1]) * (forces[1] - forces[0])
    expected = np.sum(produced * np.cosh(x)) * step / (2 * np.pi)
    value, error, undefined = scattering_entropy_production(system)
    assert not undefined
    assert abs(value - expected) <= error
    assert error < 1e-5 * value


def test_waves_that_decay_keep_their_digits():
    """A chain beyond its band: small, but nothing cancels, on banded matrices as well."""
    n = 60
    leads = [chain_at(str(k), k, 4.0, 1.0, 0.0, 0.0, 0.1) for k in (0, n // 2, n - 1)]
    zero = Tridiagonal.zero(n)
    h = Tridiagonal(np.full(n, 3.5), -np.ones(n - 1))
    rates = Rates(OpenSystem(h, zero, zero, leads), np.array([0.3, 0.4]))
    assert np.all(rates.leads[0, 2] < 1e-40)
    assert np.all(rates.cancelled[0, 2] < 1e4 * rates.leads[0, 2])


def test_modes_that_hardly_overlap_a_state_do_not_make_it_as_rounded_as_its_sites():
    """A Hall cross is the same four times over, in a gauge that turns nothing."""
    lead = nf.leads.Continued(chemical_potential=0.0, temperature=0.0)
    sides = "left", "top", "right", "bottom"
    square = nf.lattices.Square(length=8, width=8, flux=0.5)
    system = open_system(nf.System(lattice=square, leads=dict.fromkeys(sides, lead)), None)
    # Beside a state of half width 1.1e-4 that a Landau level has where the arms begin.
    rates = Rates(system, -1.23416 - 1e-4 * np.array([5.0, 6.0, 8.0, 12.0]))
    assert rates.cancelled.any(axis=(0, 1)).all()
    names = [terminal.name for terminal in system.terminals]
    turns = [[names.index(side) for side in sides[k:] + sides[:k]] for k in range(4)]
    through, sizes = (
        np.array([x[turn][:, turn] for turn in turns]) for x in (rates.leads, rates.lead_sizes)
    )
    allowed = 16 * np.finfo(float).eps * sizes
    assert np.all(abs(through - through[0]) <= allowed + allowed[0])
    assert (allowed <= 1e-10 * through.sum(axis=2, keepdims=True)).all()
