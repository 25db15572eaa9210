"""A loose accuracy saves evaluations, and its errors still cover; steps far from all levels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from attached import chain_at, wide_band_at
from lattices import chain, onsite_rates, ring, strip
from nessflow.estimate import Estimate
from nessflow.probes.exact import solve_probes
from nessflow.probes.noise import probe_noise
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.counting import lead_cumulants
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.entropy import scattering_entropy_production
from nessflow.scattering.linear_response import conductance_matrices
from nessflow.scattering.noise import lead_noise
from nessflow.scattering.profiles import profiles
from nessflow.scattering.sites.integrals import local_integrals
from nessflow.spectrum import spectrum
from nessflow.spectrum.spectrum import Spectrum
from nessflow.systems.system import OpenSystem, Tridiagonal
from probed_wires import OPEN, wire


def random_system(seed):
    """Return chains, rings and strips with leads, loss and gain over many orders of magnitude."""
    rng = np.random.default_rng(seed)
    sites = int(rng.integers(1, 9))
    shape = rng.choice(["chain", "ring", "strip"])
    if shape == "strip":
        hamiltonian = strip(int(rng.integers(2, 5)), 2)
    elif shape == "ring" and sites > 2:
        hamiltonian = ring(sites, 1.0, rng.uniform(-3, 3))
    else:
        levels = 10 ** rng.uniform(-2, 0.7) * rng.uniform(-1, 1, sites)
        hamiltonian = chain(sites, 10 ** rng.uniform(-1, 0.5), levels)
    sites = hamiltonian.shape[0]

    def rates():
        some = rng.uniform(size=sites) < rng.choice([0.0, 0.4, 1.0])
        return onsite_rates(10 ** rng.uniform(-6, 0.3) * rng.uniform(0, 1, sites) * some)

    loss, gain, leads = rates(), rates(), []
    warmth = 10 ** rng.uniform(-4, 0.5)
    middle = rng.choice([rng.uniform(-2, 2), rng.uniform(-12, 12)])
    for name in "abcd"[: int(rng.integers(1, 5))]:
        temperature = warmth * rng.choice([0.0, 1.0, 1.0, 10 ** rng.uniform(-1, 1)])
        mu = middle + rng.choice([0.0, warmth * rng.uniform(-3, 3), rng.uniform(-2, 2)])
        site = int(rng.integers(sites))
        if rng.uniform() < 0.5:
            broadening = 10 ** rng.uniform(-5, 0.7)
            leads.append(wide_band_at(name, site, broadening, mu, temperature))
        else:
            band = 10 ** rng.uniform(-0.3, 1), 10 ** rng.uniform(-2.5, 0.3), rng.uniform(-1, 1)
            leads.append(chain_at(name, site, *band, mu, temperature))
    return OpenSystem(hamiltonian, loss, gain, leads)


def _pairs(result):
    """Return all values with their errors."""
    found = {name: x for name, x in vars(result).items() if isinstance(x, Estimate)}
    return {name: x[:2] for name, x in found.items() if not np.isnan(x.error).all()}


def _numbers(system, rtol):
    found = {}
    for function in (steady_currents, lead_noise, lead_cumulants, profiles):
        parts = _pairs(function(system, rtol))
        found |= {f"{function.__name__} {name}": part for name, part in parts.items()}
    found["entropy"] = scattering_entropy_production(system, rtol)[:2]
    return found


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_errors_of_a_loose_accuracy_cover(seed):
    system = random_system(seed)
    exact, loose = (_numbers(system, rtol) for rtol in (1e-10, 1e-4))
    for name, (value, error) in exact.items():
        other, wrong = loose[name]
        difference = np.abs(np.asarray(value) - other)
        assert np.array_equal(np.isnan(value), np.isnan(other)), name
        allowed = np.asarray(error) + wrong
        assert np.all(np.isnan(difference) | (difference <= allowed * (1 + 1e-12))), name


@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-10])
@pytest.mark.parametrize("broadening", [1e-6, 5e-4, 1e-2])
@pytest.mark.parametrize("mu", [0.3, 1.33, 5.0])
@pytest.mark.parametrize("temperature", [0.01, 0.076, 0.3, 1.0, 3.0])
def test_a_step_far_from_a_narrow_level_is_seen(temperature, mu, broadening, rtol):
    """Against the digamma function of a level beside a lead with a wide band."""
    zero = Tridiagonal.zero(1)
    lead = wide_band_at("lead", 0, broadening, mu, temperature)
    system = OpenSystem(chain(1, 1.0, 0.0), zero, zero, [lead])
    argument = 0.5 + (broadening / 2 - 1j * mu) / (2 * np.pi * temperature)
    expected = 0.5 - digamma(argument).imag / np.pi
    inside = local_integrals(system, ("filled",), rtol)
    matrix = correlation_matrix(system, rtol)
    found = [
        inside.parts["filled"].at(0)[:2],
        (matrix.value[0, 0].real, matrix.error[0, 0]),
    ]
    for value, error in found:
        assert abs(value - expected) <= error + 4e-16
        assert error <= 2 * rtol


# --- what is saved --------------------------------------------------------------------------------


@pytest.fixture
def evaluations(monkeypatch):
    """Energies at which integrands were evaluated, one number an integral."""
    counted, integrate = [], spectrum.integrate_each

    def counting(*arguments):
        found = integrate(*arguments)
        counted.extend(each.evaluations for each in found)
        return found

    monkeypatch.setattr(spectrum, "integrate_each", counting)
    return counted


def disordered(sites, lead, loss):
    levels = np.random.default_rng(0).uniform(-1, 1, sites)
    zero = Tridiagonal.zero(sites)
    damping = onsite_rates(np.full(sites, loss)) if loss else zero
    return OpenSystem(
        chain(sites, 1.0, levels), damping, zero, [lead("a", 0), lead("b", sites - 1)]
    )


def _chain(name, site):
    return chain_at(name, site, 1.0, 1.0, 0.0, {"a": 0.4, "b": -0.3}[name], 0.1)


def _wide(name, site):
    return wide_band_at(name, site, 1.0, {"a": 0.4, "b": -0.3}[name], 0.1)


def _density(system, rtol):
    return local_integrals(system, ("filled", "empty"), rtol)


SYSTEMS = {
    f"{lead.__name__[1:]} {sites} {loss}": (sites, lead, loss)
    for sites in (20, 100)
    for lead in (_chain, _wide)
    for loss in (0.0, 0.01)
}
NUMBERS = (steady_currents, lead_noise, lead_cumulants, scattering_entropy_production, _density)


@pytest.mark.parametrize("function", NUMBERS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_loose_accuracy_saves_a_third(name, function, evaluations):
    system, totals = disordered(*SYSTEMS[name]), []
    for rtol in (1e-4, 1e-10):
        evaluations.clear()
        function(system, rtol)
        totals.append(sum(evaluations))
    assert totals[0] <= 0.67 * totals[1]


def test_a_loose_accuracy_saves_with_probes(evaluations):
    system, probes = wire(12, 0.5, 1.0, 0.3 * OPEN, kT=0.05)
    found = {}
    for rtol in (1e-4, 1e-10):
        evaluations.clear()
        solved = solve_probes(system, probes, rtol)
        noise = probe_noise(solved.system, probes, rtol)
        found[rtol] = solved, noise, sum(evaluations)
    (loose, loose_noise, few), (solved, noise, many) = found.values()
    assert 3 * few <= 2 * many
    for one, other in ((loose, solved), (loose_noise, noise)):
        for name, (value, error) in _pairs(one).items():
            expected, wrong = _pairs(other)[name]
            assert np.all(abs(value - expected) <= error + wrong), name


# --- one place ------------------------------------------------------------------------------------


def test_a_thermal_window_of_a_tiny_temperature_keeps_its_error():
    """Steps too steep for double precision blur currents, not the averages of -df/dw."""
    zero = Tridiagonal.zero(2)
    leads = [wide_band_at(name, site, 1.0, 0.2, 1e-16) for site, name in enumerate("ab")]
    system = OpenSystem(chain(2, 1.0, 0.0), zero, zero, leads)
    _, error, _ = conductance_matrices(system)
    assert error[2].max() < 1e-14


def test_integrals_are_over_two_pi_and_hold_what_is_hidden():
    """A Lorentzian too narrow to be resolved may hide pi times its half width."""
    zero = Tridiagonal.zero(1)
    leads = [wide_band_at(name, 0, 1e-17, mu, 0.1) for name, mu in (("left", 0.5), ("right", -0.5))]
    system = OpenSystem(chain(1, 1.0, 0.1), zero, zero, leads)

    def constant(energies):
        inside = (abs(energies) < 1.0) * np.ones((1, 1))
        return inside, inside

    found = Spectrum(system, limits=(-1.0, 1.0)).integral(constant)
    assert found.value[0] == pytest.approx(1 / np.pi, rel=1e-12)
    current = steady_currents(system)
    assert abs(current.particle_current.value[0] - 0.25e-17) <= current.particle_current.error[0]
