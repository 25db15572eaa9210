"""Quadratic master equations against Fock space, detailed balance and the exact wide-band limit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from attached import chain_at, wide_band_at
from fock import FockEquation, choi
from lattices import chain, onsite_rates
from nessflow.lindblad.additive import (
    broadened_local_equation,
    global_equation,
    local_equation,
)
from nessflow.lindblad.counting import transport
from nessflow.lindblad.decomposition import joint_rate, split
from nessflow.lindblad.equation import (
    MasterEquation,
    canonical_rates,
    non_markovianity,
    require_lindblad,
)
from nessflow.lindblad.propagator import asymptotic_equation, evolve, propagator_hamiltonian
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.currents import steady_currents
from nessflow.systems.system import OpenSystem

ADDITIVE = (
    local_equation,
    broadened_local_equation,
    global_equation,
    lambda system, bosonic=False: global_equation(system, bosonic, broadened=True),
)


def random_equation(rng, sites, bosonic=False, scale=1.0):
    def positive(size):
        a = rng.normal(size=(sites, sites)) + 1j * rng.normal(size=(sites, sites))
        return size * a @ a.conj().T / sites

    h = positive(1.0)
    loss = [positive(0.6 + 0.2 * k) for k in range(2)]
    gain = [positive(scale * (0.3 + 0.5 * k)) for k in range(2)]
    return MasterEquation(("left", "right"), h, loss, gain, bosonic)


def network(sites=2, omega=10.0, rate=0.2, mu=(1.2, 0.7), temperature=(0.15, 0.1), detuning=0.1):
    """Chain of paper non-additive-dissipation between semi-infinite chains."""
    energies = 1.0 + detuning * np.linspace(0.5, -0.5, sites)
    zero = onsite_rates(np.zeros(sites))
    leads = [
        chain_at(name, site, omega / 2, np.sqrt(rate * omega) / 2, 0.0, mu[k], temperature[k])
        for k, (name, site) in enumerate((("left", 0), ("right", sites - 1)))
    ]
    return OpenSystem(chain(sites, 0.25, energies), zero, zero, leads)


def wide_band(system, rate=0.2):
    leads = [
        wide_band_at(x.name, x.site, rate, x.chemical_potential, x.temperature)
        for x in system.leads
    ]
    return replace(system, leads=tuple(leads))


# --- Fock space -----------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_fermions_agree_with_fock_space(seed, sites):
    equation = random_equation(np.random.default_rng(seed), sites)
    fock, found = FockEquation(equation), transport(equation)
    assert abs(fock.density(fock.steady()) - equation.steady_density).max() < 1e-10
    for a in range(2):
        cumulants = fock.cumulants(a)
        got = (
            found.particle_current.value[a],
            found.particle_noise.value[a, a],
            found.third_cumulant.value[a],
        )
        np.testing.assert_allclose(got, cumulants, rtol=1e-8, atol=1e-10)
    assert found.particle_noise.value[0, 1] == pytest.approx(
        fock.cross_noise(0, 1), rel=1e-8, abs=1e-10
    )


def test_bosons_agree_with_fock_space():
    equation = random_equation(np.random.default_rng(3), 2, bosonic=True, scale=0.002)
    fock, found = FockEquation(equation, levels=6), transport(equation)
    assert abs(fock.density(fock.steady()) - equation.steady_density).max() < 1e-9
    cumulants = fock.cumulants(0)
    got = (
        found.particle_current.value[0],
        found.particle_noise.value[0, 0],
        found.third_cumulant.value[0],
    )
    np.testing.assert_allclose(got, cumulants, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("equation_of", [*ADDITIVE, asymptotic_equation])
def test_equations_of_the_network_agree_with_fock_space(equation_of):
    """The asymptotic equation too, whose rates may be negative."""
    equation = equation_of(network())
    fock, found = FockEquation(equation), transport(equation)
    assert abs(fock.density(fock.steady()) - equation.steady_density).max() < 1e-10
    got = (
        found.particle_current.value[0],
        found.particle_noise.value[0, 0],
        found.third_cumulant.value[0],
    )
    np.testing.assert_allclose(got, fock.cumulants(0), rtol=1e-8, atol=1e-12)


def test_relaxation_agrees_with_fock_space():
    rng = np.random.default_rng(7)
    equation = random_equation(rng, 2)
    fock = FockEquation(equation)
    amplitude = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    # Sectors of the particle number do not mix.
    number = np.diag(fock.quadratic(np.eye(2))).real
    amplitude[number[:, None] != number[None]] = 0.0
    rho = amplitude @ amplitude.conj().T
    rho = (rho / np.trace(rho)).ravel()
    times = [0.3, 2.0]
    found = equation.relaxation(fock.density(rho), times)
    for k, time in enumerate(times):
        expected = fock.density(expm(time * fock.generator) @ rho)
        assert abs(found[k] - expected).max() < 1e-12


# --- complete positivity --------------------------------------------------------------------------


@pytest.mark.parametrize("equation_of", ADDITIVE)
@pytest.mark.parametrize("mu", [(1.0, 0.2), (2.0, 0.0), (1.0, 1.0)])
def test_additive_equations_are_completely_positive(equation_of, mu):
    fock = FockEquation(equation_of(network(mu=mu, rate=0.05)))
    assert abs(fock.trace @ fock.generator).max() < 1e-14
    for time in (0.1, 3.0):
        assert np.linalg.eigvalsh(choi(expm(time * fock.generator)))[0] > -1e-13


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 2), st.floats(0, 2), st.floats(0.03, 0.3), st.floats(-0.4, 0.4))
def test_negative_rates_are_where_nu_is_positive(mu_left, mu_right, temperature, detuning):
    system = network(
        mu=(mu_left, mu_right), temperature=(temperature,) * 2, rate=0.05, detuning=detuning
    )
    equation = asymptotic_equation(system)
    loss, gain = equation.loss.sum(axis=0), equation.gain.sum(axis=0)
    rates = np.concatenate([canonical_rates(loss), canonical_rates(gain)])
    nu = non_markovianity(loss, gain)
    assert (nu > 0) == (rates.min() < 0)
    fock = FockEquation(equation)
    assert abs(fock.trace @ fock.generator).max() < 1e-14
    lowest = np.linalg.eigvalsh(choi(expm(0.01 * fock.generator)))[0]
    # A map over dt has a negative Choi eigenvalue of order nu dt where a rate is negative.
    if nu > 1e-6:
        assert lowest < 0
    if nu == 0:
        assert lowest > -1e-14


def test_negative_rates_are_refused_and_named():
    equation = MasterEquation(("bath",), np.eye(1), [[[1.0]]], [[[-0.25]]])
    with pytest.raises(ValueError, match=r"the gain of bath has the negative rate -0\.25"):
        require_lindblad(equation)


# --- exact limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sites", [1, 2, 4])
def test_wide_band_is_exact(sites):
    """Correlations and mean currents of the asymptotic equation, any number of sites."""
    system = wide_band(network(sites, detuning=0.3), 0.7)
    if sites == 1:
        system = replace(system, leads=system.leads[:2])
    equation, exact = asymptotic_equation(system), correlation_matrix(system)
    allowed = equation.steady_error + exact.error.max()
    assert abs(equation.steady_density.T - exact.value).max() < min(allowed, 1e-9)
    currents, found = steady_currents(system), transport(equation)
    allowed = found.particle_current.error + currents.particle_current.error[:2]
    assert np.all(
        abs(found.particle_current.value - currents.particle_current.value[:2]) <= allowed
    )
    assert allowed.max() < 1e-9


def test_wide_band_is_exact_with_loss_and_gain():
    system = wide_band(network(3))
    system = replace(
        system, loss=onsite_rates(np.array([0.0, 0.1, 0.05])), gain=onsite_rates(np.full(3, 0.02))
    )
    equation, exact = asymptotic_equation(system), correlation_matrix(system)
    assert equation.terminals == ("left", "right", "loss", "gain")
    assert abs(equation.steady_density.T - exact.value).max() < 1e-9
    currents = steady_currents(system).particle_current.value
    assert abs(transport(equation).particle_current.value - currents).max() < 1e-9


def test_infinite_bias_makes_the_local_equation_exact():
    """White noise: all cumulants, not only the current."""
    from nessflow.scattering.counting import lead_cumulants

    system = wide_band(network(3, mu=(1e5, -1e5), temperature=(1.0, 1.0)))
    exact = lead_cumulants(system).cumulants.value
    found = transport(local_equation(system))
    got = np.transpose(
        [
            found.particle_current.value,
            np.diag(found.particle_noise.value),
            found.third_cumulant.value,
        ]
    )
    np.testing.assert_allclose(got, exact[:, :3], rtol=1e-5)


@pytest.mark.parametrize("bosonic", [False, True])
def test_global_equation_has_the_gibbs_state(bosonic):
    mu = -11.0 if bosonic else 0.6
    system = network(3, mu=(mu, mu), temperature=(2.0, 2.0) if bosonic else (0.2, 0.2))
    equation = global_equation(system, bosonic)
    levels, modes = np.linalg.eigh(equation.hamiltonian)
    t, s = system.leads[0].temperature, equation.sign
    gibbs = (modes / (np.exp((levels - mu) / t) - s)) @ modes.conj().T
    assert abs(equation.steady_density - gibbs).max() < 1e-13
    assert abs(transport(equation).particle_current.value).max() < 1e-15


@pytest.mark.parametrize("bosonic", [False, True])
def test_small_coupling_makes_populations_exact(bosonic):
    potentials = {"mu": (-10.5, -11.0), "temperature": (3.0, 1.0)} if bosonic else {}
    for rate in (0.02, 0.002):
        system = network(3, rate=rate, **potentials)
        exact = correlation_matrix(system, bosonic=bosonic).value
        for equation in (global_equation(system, bosonic), asymptotic_equation(system, bosonic)):
            _, modes = np.linalg.eigh(equation.hamiltonian)
            change = modes.conj().T @ (equation.steady_density - exact.T) @ modes
            assert abs(np.diag(change)).max() < 6 * rate


@settings(max_examples=20, deadline=None)
@given(
    st.floats(0.3, 1.7),
    st.floats(0.3, 1.7),
    st.floats(0.05, 1),
    st.floats(0.05, 1),
    st.floats(0, 1),
)
def test_global_equation_obeys_the_second_law(mu_left, mu_right, t_left, t_right, detuning):
    system = network(
        3, mu=(mu_left, mu_right), temperature=(t_left, t_right), detuning=detuning, rate=0.02
    )
    found = transport(global_equation(system))
    heat = found.energy_current.value - np.array([mu_left, mu_right]) * found.particle_current.value
    sigma = -heat @ (1 / np.array([t_left, t_right]))
    error = found.energy_current.error + 2 * found.particle_current.error
    assert sigma >= -error @ (1 / np.array([t_left, t_right]))


# --- decomposition --------------------------------------------------------------------------------


def test_interference_leaves_populations_and_drives_coherence():
    """(68), with the part as an equation of its own in Fock space."""
    equation = asymptotic_equation(network(mu=(1.4, 0.6)))
    _, modes = np.linalg.eigh(equation.hamiltonian)
    own, joint = split(equation.gain, modes)
    _, joint_loss = split(equation.loss, modes)
    assert abs(joint + joint_loss).max() < 1e-14
    part = modes @ joint @ modes.conj().T
    term = MasterEquation(("interference",), np.zeros((2, 2)), [-part], [part])
    fock = FockEquation(term)
    rho = FockEquation(equation).steady()
    change = modes.conj().T @ fock.density(fock.generator @ rho) @ modes
    assert abs(np.diag(change)).max() < 1e-15
    assert change[0, 1] == pytest.approx(joint[0, 1], abs=1e-14)
    assert joint_rate(joint) == pytest.approx(abs(joint[0, 1]), rel=1e-12)
    assert np.all(own >= 0)
    whole = modes @ (np.diag(own.sum(axis=0)) + joint) @ modes.conj().T
    assert abs(whole - equation.gain.sum(axis=0)).max() < 1e-15


def test_interference_vanishes_in_equilibrium_and_in_no_other_basis():
    equation = asymptotic_equation(network(mu=(0.9, 0.9), temperature=(0.1, 0.1)))
    _, modes = np.linalg.eigh(equation.hamiltonian)
    assert joint_rate(split(equation.gain, modes)[1]) < 1e-10
    assert joint_rate(split(equation.gain)[1]) > 1e-2


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sites", [2, 5])
def test_errors_cover_what_coarse_integrals_do(sites):
    system = network(sites, rate=0.05)
    builders = (
        lambda rtol: asymptotic_equation(system, rtol=rtol),
        lambda rtol: broadened_local_equation(system, rtol=rtol),
        lambda rtol: global_equation(system, broadened=True, rtol=rtol),
    )
    for build in builders:
        coarse, fine = transport(build(1e-3)), transport(build(1e-12))
        for name in ("particle_current", "energy_current", "particle_noise", "third_cumulant"):
            rough, exact = getattr(coarse, name), getattr(fine, name)
            assert np.all(abs(rough.value - exact.value) <= rough.error), name


# --- rates that depend on time --------------------------------------------------------------------


@pytest.mark.parametrize("bosonic", [False, True])
def test_time_dependent_rates_drive_the_correlations(bosonic):
    """(48): the derivative of C(t) is that of an equation with the rates of time t."""
    mu = (-10.5, -11.0) if bosonic else (1.2, 0.7)
    system = network(3, mu=mu, temperature=(2.0, 1.0) if bosonic else (0.15, 0.1))
    step = 1e-4
    times = [0.7 - step, 0.7, 0.7 + step]
    found = evolve(system, times, bosonic)
    before, density, after = found.source.swapaxes(1, 2)
    x = propagator_hamiltonian(system)
    expected = -1j * (x @ density - density @ x.conj().T) + found.gain[1]
    assert abs((after - before) / (2 * step) - expected).max() < 1e-7
    sign = 1 if bosonic else -1
    total = found.loss[1] - sign * found.gain[1]
    assert abs(total - 1j * (x - x.conj().T)).max() < 1e-14


def test_rates_become_the_asymptotic_ones():
    system = network(mu=(1.0, 0.2), temperature=(0.3, 0.3))
    equation = asymptotic_equation(system)
    found = evolve(system, [5.0, 400.0])
    assert abs(found.gain[1] - equation.gain.sum(axis=0)).max() < 1e-8
    assert abs(found.source[1].T - equation.steady_density).max() < 1e-8
    assert abs(found.gain[0] - found.gain[1]).max() > 1e-4


# --- bad input ------------------------------------------------------------------------------------


def test_a_level_outside_the_band_is_named():
    for equation_of in (*ADDITIVE, asymptotic_equation):
        with pytest.raises(ValueError, match=r"outside the band \[-1, 1\] of lead 'left'"):
            equation_of(network(omega=1.0))


def test_bosons_above_the_band_are_named():
    with pytest.raises(ValueError, match="bosons need a chemical potential below all bands"):
        local_equation(network(), bosonic=True)


def test_bosons_that_are_amplified_are_named():
    equation = MasterEquation(("bath",), np.eye(1), [[[1.0]]], [[[1.5]]], bosonic=True)
    with pytest.raises(ValueError, match="gain must be smaller than loss"):
        transport(equation)


def test_a_level_without_bath_is_named():
    equation = MasterEquation(
        ("bath",), np.diag([0.0, 0.3]), [np.diag([1.0, 0])], [np.zeros((2, 2))]
    )
    with pytest.raises(ValueError, match=r"near energy 0\.3 is not damped"):
        transport(equation)


def test_degenerate_levels_are_named():
    with pytest.raises(ValueError, match="degenerate"):
        global_equation(replace(network(detuning=0.0), hamiltonian=chain(2, 0.0, 1.0)))


@pytest.mark.parametrize("sites", [2, 6])
@pytest.mark.parametrize("bosonic", [False, True])
def test_many_equations_at_once_are_each_alone(sites, bosonic):
    rng = np.random.default_rng(3)
    each = [random_equation(rng, sites, bosonic, 0.1) for _ in range(3)]
    h = each[0].hamiltonian
    each = [replace(x, hamiltonian=h, rates_error=1e-9 * k) for k, x in enumerate(each)]
    rates = (np.array([getattr(x, name) for x in each]) for name in ("loss", "gain"))
    errors = np.array([x.rates_error for x in each])
    many = MasterEquation(each[0].terminals, h, *rates, bosonic, errors)
    for name in ("particle_current", "energy_current", "particle_noise", "third_cumulant"):
        found = getattr(transport(many), name)
        for k, one in enumerate(each):
            for part in (0, 1):
                assert np.array_equal(found[part][k], getattr(transport(one), name)[part])
