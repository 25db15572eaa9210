"""Evolution of correlation matrices against finite chains, and bosons between leads."""

from dataclasses import replace

import numpy as np
import pytest
from brute_force import FiniteLeads
from hypothesis import given, settings
from hypothesis import strategies as st
from test_lindblad import network, wide_band

from lattices import onsite_rates
from nessflow.lindblad.additive import local_equation
from nessflow.lindblad.counting import transport
from nessflow.lindblad.propagator import evolve as evolve_approximately
from nessflow.scattering.bosons import boson_transport
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.evolution import evolve
from nessflow.spectrum.rates import Rates
from nessflow.systems.system import OpenSystem

TIMES = [0.0, 0.4, 7.0, 33.0]


def three_sites(omega=2.0):
    """Complex hopping, levels and leads that differ."""
    system = network(3, omega=omega, rate=0.4, mu=(0.5, -0.2), temperature=(0.4, 0.25))
    h = np.array([[0.1, -0.4, 0.15j], [-0.4, -0.2, -0.3], [-0.15j, -0.3, 0.25]])
    zero = np.zeros((3, 3))
    return OpenSystem(h, zero, zero, system.leads)


def random_occupations(rng, sites):
    a = rng.normal(size=(sites, sites)) + 1j * rng.normal(size=(sites, sites))
    q, _ = np.linalg.qr(a)
    return (q * rng.uniform(0, 1, sites)) @ q.conj().T


def finite(system, initial, times, length=140):
    """``<c_i^+ c_j>`` of a finite chain."""
    chain = FiniteLeads(system, length)
    n = system.sites
    chain.initial[:n, :n] = initial
    result = []
    for time in times:
        u = chain.evolution(time)
        result.append((u.conj() @ chain.initial @ u.T)[:n, :n])
    return np.array(result)


def test_finite_chains_agree():
    system = three_sites()
    initial = random_occupations(np.random.default_rng(1), 3)
    found = evolve(system, TIMES)
    expected = finite(system, initial, TIMES)
    assert abs(found.correlations(initial) - expected).max() < 1e-8
    assert found.error.max() < 1e-8


def test_the_propagator_alone_agrees():
    system = three_sites()
    found = evolve(system, TIMES)
    for k, time in enumerate(TIMES):
        exact = FiniteLeads(system, 140).evolution(time)[:3, :3]
        assert abs(found.propagator[k] - exact).max() <= found.error[k] + 1e-12


def test_the_steady_state_is_reached():
    system = network(2, rate=0.5, mu=(1.3, 0.4), temperature=(0.2, 0.3))
    steady = correlation_matrix(system)
    found = evolve(system, [120.0])
    assert abs(found.source[0] - steady.value).max() < 1e-8


def test_one_time_and_many_agree():
    system = network(2)
    many = evolve(system, np.linspace(0, 30, 31))
    for time in (1.0, 30.0):
        one = evolve(system, [time])
        k = int(time)
        allowed = one.error[0] + many.error[k]
        assert abs(one.source[0] - many.source[k]).max() <= allowed
        assert abs(one.propagator[0] - many.propagator[k]).max() <= allowed


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_gaussian_states_stay_gaussian(seed):
    """Double occupancy (31) of a Gaussian start is det C(t), and mixtures are averages."""
    rng = np.random.default_rng(seed)
    found = GAUSSIAN
    starts = [random_occupations(rng, 2) for _ in range(2)]
    weight = rng.uniform()
    each = [found.double_occupancy(start) for start in starts]
    for start, double in zip(starts, each, strict=True):
        determinant = np.linalg.det(found.correlations(start)).real
        np.testing.assert_allclose(double, determinant, atol=1e-12)
    mixture = weight * starts[0] + (1 - weight) * starts[1]
    both = weight * np.linalg.det(starts[0]).real + (1 - weight) * np.linalg.det(starts[1]).real
    double = found.double_occupancy(mixture, both)
    np.testing.assert_allclose(double, weight * each[0] + (1 - weight) * each[1], atol=1e-12)


GAUSSIAN = evolve(network(2, rate=0.5), [0.0, 0.7, 5.0])


def test_approximation_is_of_first_order_in_the_band_width():
    differences = []
    for omega in (40.0, 400.0):
        system = network(2, omega=omega)
        exact, approximate = (f(system, [3.0]).source[0] for f in (evolve, evolve_approximately))
        differences.append(abs(exact - approximate).max())
    assert differences[1] < 0.2 * differences[0] < 1e-2


# --- bosons ---------------------------------------------------------------------------------------


def cold(sites=2, mu=(-10.4, -10.9), temperature=(3.0, 1.0)):
    return network(sites, mu=mu, temperature=temperature, rate=0.5, detuning=0.3)


def test_bosons_of_finite_chains_agree():
    system = three_sites()
    leads = [replace(x, chemical_potential=-2.3) for x in system.leads]
    system = replace(system, leads=tuple(leads))
    chain = FiniteLeads(system, 140)
    for lead, sites in zip(system.leads, chain.places, strict=True):
        block = np.ix_(sites, sites)
        h = np.diag(np.full(139, lead.model.hopping), 1)
        energies, modes = np.linalg.eigh(h + h.T)
        weights = 1 / np.expm1((energies - lead.chemical_potential) / lead.temperature)
        chain.initial[block] = (modes * weights) @ modes.T
    initial = 3 * random_occupations(np.random.default_rng(2), 3)
    chain.initial[:3, :3] = initial
    found = evolve(system, [7.0], bosonic=True)
    u = chain.evolution(7.0)
    expected = (u.conj() @ chain.initial @ u.T)[:3, :3]
    assert abs(found.correlations(initial)[0] - expected).max() < 1e-8


def test_bosons_between_two_leads():
    """Levitov's numbers with bunching, written out for two leads."""
    system = cold(3)
    found = boson_transport(system)
    q = (np.arange(200_000) + 0.5) * np.pi / 200_000
    energies, slope = -10 * np.cos(q), 10 * np.sin(q) / (2 * q.size)  # dw / 2 pi
    tau = Rates(system, energies).leads[0, 1]
    left, right = (
        1 / np.expm1((energies - x.chemical_potential) / x.temperature) for x in system.leads
    )
    d = tau * (left - right)
    s = tau * (left * (1 + right) + right * (1 + left))
    expected = [d @ slope, (energies * d) @ slope, (s + d**2) @ slope]
    third = (d + 3 * d * s + 2 * d**3) @ slope
    got = (
        found.particle_current.value[0],
        found.energy_current.value[0],
        found.particle_noise.value[0, 0],
    )
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    np.testing.assert_allclose(found.third_cumulant.value, [third, -third], rtol=1e-8)
    assert abs(found.particle_noise.value.sum(axis=0)).max() < 1e-12
    assert found.converged


def test_bosons_obey_the_fluctuation_dissipation_theorem():
    """S = 2 T dI/dmu at equilibrium."""
    step = 1e-3
    noise = boson_transport(cold(mu=(-10.5, -10.5), temperature=(2.0, 2.0))).particle_noise.value
    mu = (-10.5 + step, -10.5 - step)
    current = boson_transport(cold(mu=mu, temperature=(2.0, 2.0))).particle_current.value[0]
    assert noise[0, 0] == pytest.approx(2 * 2.0 * current / (2 * step), rel=1e-4)


def test_dilute_bosons_are_dilute_fermions():
    from nessflow.scattering.noise import currents_and_noise

    system = cold(mu=(-40.0, -42.0), temperature=(1.5, 1.5))
    currents, noise = currents_and_noise(system)
    found = boson_transport(system)
    np.testing.assert_allclose(
        found.particle_current.value, currents.particle_current.value[:2], rtol=1e-7
    )
    np.testing.assert_allclose(found.particle_noise.value, noise.particle_noise.value, rtol=1e-7)


def test_bosons_of_white_noise_have_the_local_equation():
    """A band much wider than everything but the temperature: all cumulants agree."""
    system = network(2, omega=400.0, mu=(-4e3, -8e3), temperature=(4e3, 4e3), rate=0.2)
    exact, found = boson_transport(system), transport(local_equation(system, bosonic=True))
    for name in ("particle_current", "particle_noise", "third_cumulant"):
        np.testing.assert_allclose(
            getattr(found, name).value, getattr(exact, name).value, rtol=5e-3
        )


# --- bad input ------------------------------------------------------------------------------------


def test_what_cannot_evolve_is_named():
    system = network()
    with pytest.raises(ValueError, match="ascending"):
        evolve(system, [1.0, 0.5])
    with pytest.raises(ValueError, match="no band edges"):
        evolve(wide_band(system), [1.0])
    with pytest.raises(ValueError, match="leads alone"):
        evolve(replace(system, loss=onsite_rates(np.array([0.1, 0.0]))), [1.0])
    with pytest.raises(ValueError, match="bound state above"):
        evolve(network(omega=1.12), [1.0])


def test_states_that_do_not_exist_are_named():
    with pytest.raises(ValueError, match=r"between 0\.2 and 0\.5"):
        GAUSSIAN.double_occupancy(np.diag([0.5, 0.7]), 0.1)
    with pytest.raises(ValueError, match="eigenvalues from 0 to 1"):
        GAUSSIAN.double_occupancy(np.diag([0.5, 1.7]))


def test_bosons_without_a_reservoir_of_their_own_are_named():
    with pytest.raises(ValueError, match="chemical potential below all bands"):
        boson_transport(network())
    with pytest.raises(ValueError, match="need a master equation"):
        boson_transport(replace(cold(), gain=onsite_rates(np.array([0.1, 0.0]))))
