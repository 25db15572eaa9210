"""Counting statistics against determinants, quantum jumps, finite leads and known distributions."""

import numpy as np
import pytest
from brute_force import FiniteLeads, jump_cumulants, jump_generating_function
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, skellam

from attached import chain_at, wide_band_at
from lattices import chain, onsite_rates
from nessflow.scattering.counting import (
    charge_distribution,
    generating_function,
    lead_cumulants,
    transfer_matrices,
)
from nessflow.scattering.noise import currents_and_noise
from nessflow.solvers.dense import scattering_matrix
from nessflow.spectrum.rates import Rates
from nessflow.systems.system import OpenSystem
from systems import random_system, wide


def open_chain(sites, loss=0.0, gain=0.0, onsite=0.0, leads=None):
    rates = [onsite_rates(np.full(sites, rate)) for rate in (loss, gain)]
    return OpenSystem(chain(sites, 1.0, onsite), *rates, leads or wide(sites))


INFINITE_BIAS = {"mu": (1e14, -1e14), "temperature": (0.0, 0.0)}


# --- the determinant ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    sites=st.integers(1, 5),
    counted=st.integers(0, 2),
    field=st.floats(-3.1, 3.1),
    temperature=st.floats(0, 2),
)
def test_one_lead_needs_two_probabilities_of_the_whole_determinant(
    seed, sites, counted, field, temperature
):
    system = random_system(seed, sites, "bonds", temperature=(temperature, 0.1))
    extra = wide_band_at("extra", sites // 2, 0.6, -0.4, 0.5)
    matrices = system.hamiltonian, system.loss, system.gain
    system = OpenSystem(*matrices, [*system.leads, extra])
    energies = np.linspace(-2.0, 2.1, 6)
    s, terminal = scattering_matrix(system, energies)
    rates = Rates(system, energies)
    fixed = np.array([np.zeros_like(energies), np.ones_like(energies)])
    filled = np.concatenate([rates.filled, fixed])[terminal].T
    phase, one = np.ones(terminal.size, complex), np.eye(terminal.size)
    phase[counted] = np.exp(1j * field)
    counting = s.conj().swapaxes(1, 2) @ (phase.conj()[:, None] * s) * phase
    exact = np.linalg.det(one + filled[:, :, None] * (counting - one))
    out, into, none = (p[0, 0].real for p in transfer_matrices(rates.exchange[counted]))
    np.testing.assert_allclose(out + into + none, 1, atol=1e-13)
    assert min(out.min(), into.min(), none.min()) >= 0
    assert np.all(4 * out * into <= none**2 * (1 + 1e-9) + 1e-15)
    z = np.exp(1j * field)
    np.testing.assert_allclose(none + out * z + into / z, exact, atol=1e-12)


# --- cumulants ------------------------------------------------------------------------------------


REFERENCE = {  # QuTiP 5.3.1 countstat_current_noise: gain .3 on the first, loss .3 on the last site
    2: (0.1466992665, 0.0686495, 0.0278638),
    3: (0.1466992665, 0.0686140, 0.0277143),
    4: (0.1466992665, 0.0686140, 0.0277132),
}


@pytest.mark.parametrize("sites", REFERENCE)
def test_cumulants_of_a_driven_chain(sites):
    """Gain and loss with rates of the standard form are wide-band leads at infinite bias."""
    system = open_chain(sites, leads=wide(sites, broadening=(0.3, 0.3), **INFINITE_BIAS))
    found = lead_cumulants(system)
    np.testing.assert_allclose(found.cumulants.value[0, :3], REFERENCE[sites], atol=5.1e-8)
    assert found.cumulants.value[0] == pytest.approx(
        found.cumulants.value[1] * [-1, 1, -1, 1], rel=1e-9
    )
    assert found.cumulants.value[0, 0] == pytest.approx(0.6 / 4.09, rel=1e-10)


@pytest.mark.parametrize("sites", [2, 3, 4])
def test_cumulants_are_those_of_quantum_jumps(sites):
    system = random_system(sites, sites, "bonds", **INFINITE_BIAS)
    found = lead_cumulants(system)
    for lead in range(2):
        exact = jump_cumulants(system, [lead])
        error = found.cumulants.error[lead] + 1e-12
        assert np.all(abs(found.cumulants.value[lead] - exact) <= error)
    assert np.all(found.cumulants.error < 1e-9)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    sites=st.integers(1, 20),
    temperature=st.sampled_from([0.0, 1e-3, 0.3, 4.0]),
)
def test_first_cumulants_are_current_and_noise(seed, sites, temperature):
    system = random_system(seed, sites, "bonds", temperature=(temperature, 0.2))
    found = lead_cumulants(system)
    currents, noise = currents_and_noise(system)
    assert found.converged
    pairs = [
        (currents.particle_current.value[:2], currents.particle_current.error[:2]),
        (noise.particle_noise.value.diagonal(), noise.particle_noise.error.diagonal()),
    ]
    for order, (value, error) in enumerate(pairs):
        allowed = error + found.cumulants.error[:, order] + 1e-15
        assert np.all(abs(found.cumulants.value[:, order] - value) <= allowed)


def test_third_cumulant_of_equilibrium_is_zero():
    system = open_chain(4, onsite=0.1, leads=wide(4, mu=(0.3, 0.3)))
    found = lead_cumulants(system)
    assert np.all(abs(found.cumulants.value[:, [0, 2]]) <= found.cumulants.error[:, [0, 2]])
    assert np.all(found.cumulants.value[:, 1] > 0.01)


def test_cumulants_are_derivatives_of_the_generating_function():
    system = random_system(3, 6, "bonds", temperature=(0.3, 0.0))
    step = 0.2
    fields = step * np.arange(1, 7)
    value, _ = generating_function(system, "right", fields)
    # chi(lambda) = sum K_n (i lambda)^n / n!: odd orders in the imaginary part
    powers = fields[:, None] ** np.arange(1, 13)
    odd = np.linalg.solve(powers[:, ::2], value.imag)
    even = np.linalg.solve(powers[:, 1::2], value.real)
    found = [odd[0], -2 * even[0], -6 * odd[1], 24 * even[1]]
    np.testing.assert_allclose(lead_cumulants(system).cumulants.value[1], found, rtol=2e-4)


# --- generating function --------------------------------------------------------------------------


def test_generating_function_of_quantum_jumps():
    system = random_system(7, 3, "bonds", **INFINITE_BIAS)
    for lead, name in enumerate(("left", "right")):
        for field in (0.3, -1.1, 2.0):
            exact = jump_generating_function(system, lead, field)
            value, error = generating_function(system, name, [field])
            assert abs(value[0] - exact) <= error[0] + 1e-12


def test_generating_function_of_finite_leads():
    leads = [
        chain_at(name, site, 1.0, 0.8, 0.0, mu, temperature)
        for name, site, mu, temperature in (("left", 0, 0.8, 0.3), ("right", 2, -0.5, 0.2))
    ]
    system = open_chain(3, onsite=np.array([0.2, -0.1, 0.3]), leads=leads)
    finite, fields = FiniteLeads(system, 120), np.array([0.5, 1.5, 2.5])
    value, _ = generating_function(system, "left", fields)
    for field, chi in zip(fields, value, strict=True):
        growth = finite.determinant(0, 80, field) / finite.determinant(0, 40, field)
        np.testing.assert_allclose(growth, np.exp(40 * chi), rtol=1e-3)


def test_generating_function_through_zero_at_pi():
    """A resonance of transmission 1: the determinant passes through 0, its logarithm is finite."""
    leads = wide(1, (2.0, -2.0), (0.0, 0.0), (1.0, 1.0))
    value, error = generating_function(open_chain(1, leads=leads), "left", [np.pi])
    # T = 1/(1 + w^2) for |w| < 2: int ln|1 - 2T| = int ln|1 - w^2| - int ln(1 + w^2)
    exact = (6 * np.log(3.0) - 8) - (4 * np.log(5.0) - 8 + 4 * np.arctan(2.0))
    assert value[0].real == pytest.approx(exact / (2 * np.pi), abs=1e-10)
    # phase pi where T > 1/2, that is |w| < 1
    assert value[0].imag == pytest.approx(1.0, abs=1e-10)
    assert error[0] < 1e-6


@pytest.mark.parametrize("field", [np.nan, 3.2, -4.0])
def test_fields_beyond_pi_are_refused(field):
    with pytest.raises(ValueError, match="between -pi and pi"):
        generating_function(open_chain(2), "left", [field])


def test_unknown_lead():
    with pytest.raises(ValueError, match="no lead is named 'middle'; the leads are left, right"):
        generating_function(open_chain(2), "middle", [0.1])


# --- distribution ---------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [30.0, 1e3, 1e6])
def test_distribution_has_the_cumulants(time):
    system = random_system(5, 4, "bonds", temperature=(0.3, 0.1))
    k = lead_cumulants(system).cumulants.value[0] * time
    found = charge_distribution(system, "left", time)
    p, q = found.probability, found.charge - k[0]
    assert found.error < 1e-8
    assert p.min() >= -found.error
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p @ q == pytest.approx(0, abs=1e-7)
    second, third, fourth = (p @ q**n for n in (2, 3, 4))
    assert second == pytest.approx(k[1], rel=1e-8)
    assert third == pytest.approx(k[2], rel=1e-6, abs=1e-8 * k[1] ** 1.5)
    assert fourth - 3 * second**2 == pytest.approx(k[3], rel=1e-4, abs=1e-8 * k[1] ** 2)


def test_distribution_of_quantum_jumps():
    system, time, size = random_system(2, 2, "bonds", **INFINITE_BIAS), 40.0, 256
    fields = 2 * np.pi * np.fft.fftfreq(size)
    chi = np.array([jump_generating_function(system, 0, x) for x in fields])
    exact = np.fft.fft(np.exp(time * chi)).real / size
    found = charge_distribution(system, "left", time)
    inside = (found.charge >= 0) & (found.charge < size // 2)
    np.testing.assert_allclose(
        found.probability[inside], exact[found.charge[inside]], atol=found.error + 1e-12
    )
    assert found.error < 1e-9


def test_rare_charges_are_a_difference_of_poisson_variables():
    """Weak coupling to a filled system: charges leave and enter independently of each other."""
    leads = [wide_band_at("left", 0, 1e-4, 0.2, 0.5), wide_band_at("right", 0, 1.0, -0.3, 0.4)]
    system, time = open_chain(1, leads=leads), 3e5
    found = charge_distribution(system, "left", time)
    mean, variance = lead_cumulants(system).cumulants.value[0, :2] * time
    exact = skellam.pmf(found.charge, 0.5 * (variance + mean), 0.5 * (variance - mean))
    np.testing.assert_allclose(found.probability, exact, atol=3e-5)
    assert exact.max() > 0.05


def test_constant_transmission_is_binomial():
    """At temperature 0, t V/2pi electrons arrive and each one passes with probability T."""
    bias, level = 1e-3, 1.3
    leads = wide(1, (bias, 0.0), (0.0, 0.0), (1.0, 1.0))
    attempts = 40
    time = attempts * 2 * np.pi / bias
    system = open_chain(1, onsite=level, leads=leads)
    found = charge_distribution(system, "left", time)
    through = 1 / ((level - bias / 2) ** 2 + 1)
    exact = binom.pmf(found.charge, attempts, through)
    np.testing.assert_allclose(found.probability, exact, atol=1e-5)


def test_where_the_limit_defines_no_distribution_its_error_says_so():
    leads = [
        chain_at(name, site, 1.0, 1.0, 0.0, mu, 0.0)
        for name, site, mu in (("left", 0, 0.5), ("right", 2, -0.5))
    ]
    perfect = open_chain(3, leads=leads)
    # t V/2pi charges exactly: fine where that is an integer
    assert charge_distribution(perfect, "left", 10.0).error > 0.1
    sharp = charge_distribution(perfect, "left", 20 * np.pi)
    assert sharp.charge[np.argmax(sharp.probability)] == 10
    assert sharp.error < 1e-6
    # far less than one attempt on a resonance: negative probabilities
    resonance = open_chain(1, leads=wide(1, broadening=(0.01, 0.01)))
    assert charge_distribution(resonance, "left", 30.0).error > 1e-4


def test_impossible_times_are_refused():
    system = open_chain(2)
    for time in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="time must be positive and finite"):
            charge_distribution(system, "left", time)
    with pytest.raises(ValueError, match="use lead_cumulants"):
        charge_distribution(system, "left", 1e15)
