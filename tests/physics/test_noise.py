"""Noise against quantum jumps, finite leads, sum rules, textbook limits and a second route."""

import dataclasses

import numpy as np
import pytest
from brute_force import FiniteLeads, jump_cumulants
from hypothesis import given, settings
from hypothesis import strategies as st

from attached import chain_at, wide_band_at
from lattices import bond_rates, chain, onsite_rates
from nessflow.estimate import Estimate
from nessflow.kinds import steady_current
from nessflow.observables.noise import Noise
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.linear_response import conductance_matrices
from nessflow.scattering.noise import currents_and_noise, lead_noise, terminal_noise
from nessflow.solvers import banded as sparse
from nessflow.solvers import chain_ends as tridiagonal
from nessflow.solvers import dense
from nessflow.solvers import solver as response
from nessflow.solvers.dense import scattering_matrix
from nessflow.solvers.solver import contact_correlations, contact_response
from nessflow.spectrum.mesh import energy_mesh
from nessflow.spectrum.occupation import fermi, fermi_difference, fermi_holes
from nessflow.spectrum.quadrature import integrate
from nessflow.spectrum.rates import Rates
from nessflow.studies import systems
from nessflow.studies.kind import Status
from nessflow.systems.system import OpenSystem, Tridiagonal
from systems import random_system, wide

SOLVERS = {"dense": dense, "recurrence": tridiagonal, "sparse": sparse}


def on_sites(sites, rates):
    array = np.zeros(sites)
    for site, rate in rates.items():
        array[site] = rate
    return onsite_rates(array)


def open_chain(sites, loss=None, gain=None, onsite=0.0, leads=None):
    rates = [on_sites(sites, r or {}) for r in (loss, gain)]
    return OpenSystem(chain(sites, 1.0, onsite), *rates, leads or wide(sites))


def chain_lead(name, site, mu, temperature, hopping=1.0, coupling=0.8):
    return chain_at(name, site, hopping, coupling, 0.0, mu, temperature)


def assert_within_errors(found, found_error, expected, expected_error=0.0, rounding=1e-15):
    __tracebackhide__ = True
    assert np.all(abs(found - expected) <= found_error + expected_error + rounding)


# --- correlations between contacts ----------------------------------------------------------------


def test_correlations_where_couplings_vanish_or_are_weak():
    energies = np.array([-0.7, 0.5])
    for hopping in (1.0, -1.0):  # |t_S| = gamma: one of the two couplings of each bond is zero
        loss = bond_rates(60, 1.0, boundary=True)
        system = OpenSystem(chain(60, hopping, 0.0), loss, Tridiagonal.zero(60), wide(60))
        exact, found = (s.contact_correlations(system, energies)[0] for s in (dense, tridiagonal))
        np.testing.assert_allclose(found, exact, rtol=1e-11)
    # Loss and gain couple two sites, their sum and the Hamiltonian do not.
    up = Tridiagonal([0.3, 0.3], [0.1j]), Tridiagonal([0.3, 0.3], [-0.1j])
    system = OpenSystem(chain(2, 0.0, 0.2), *up, wide(2))
    routes = (s.contact_correlations(system, energies) for s in (dense, tridiagonal))
    for a, b in zip(*routes, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12)
        assert abs(b[:, 0, 1]).min() > 0.01
    weak = OpenSystem(
        chain(200, np.append(1.0, np.full(198, 1e-3)), 0.0),
        onsite_rates(np.full(200, 1e-7)),
        Tridiagonal.zero(200),
        wide(200),
    )
    exact, found = (s.contact_correlations(weak, energies)[0] for s in (dense, tridiagonal))
    np.testing.assert_allclose(found[0], exact[0], rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("kind", ["sites", "bonds"])
def test_correlations_of_loss_and_gain_do_not_know_of_each_other(kind):
    """Nor do energies: one sweep, over as many as there are, of one matrix or of both."""
    system, energies = random_system(3, 70, kind), np.linspace(-3, 3, 75)
    together = tridiagonal.contact_correlations(system, energies)
    apart = (tridiagonal.contact_correlations(system, energies[k : k + 1]) for k in range(75))
    for a, b in zip(together, zip(*apart, strict=True), strict=True):
        np.testing.assert_array_equal(a, np.concatenate(b))
    hamiltonian, loss, gain = system.hamiltonian, system.loss, system.gain
    swapped = OpenSystem(hamiltonian, gain, loss, system.leads)
    for a, b in zip(
        together, tridiagonal.contact_correlations(swapped, energies)[::-1], strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    multiple = Tridiagonal(0.25 * loss.diagonal, 0.25 * loss.upper)
    proportional = OpenSystem(hamiltonian, loss, multiple, system.leads)
    exact = dense.contact_correlations(proportional, energies)
    found = tridiagonal.contact_correlations(proportional, energies)
    np.testing.assert_array_equal(found[1], 0.25 * found[0])
    for a, b in zip(exact, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-11)


@pytest.mark.parametrize("kind", ["sites", "bonds", "dense"])
@pytest.mark.parametrize("sites", [2, 40])
def test_correlations_complete_the_unitarity(sites, kind):
    """``i (G - G^+) = G (Gamma + 2P + 2Q) G^+``, now off the diagonal as well."""
    system, energies = random_system(5, sites, kind), np.linspace(-3, 3, 5)
    contact = contact_response(system, energies)
    both = contact_correlations(system, energies, contact)
    green, adjoint = contact.green, contact.green.conj().swapaxes(1, 2)
    gamma = -2 * system.contact_self_energy(energies).imag
    found = green @ (gamma[:, :, None] * adjoint) + both.loss + both.gain
    scale = np.sqrt(np.einsum("ea,eb->eab", *2 * [np.einsum("eaa->ea", found).real]))
    assert np.all(abs(found - 1j * (green - adjoint)) < 1e-12 * scale)
    for matrix in (both.loss, both.gain):
        assert np.linalg.eigvalsh(matrix).min() > -1e-14 * abs(matrix).max()


@pytest.mark.parametrize("kind", ["sites", "bonds", "dense"])
@pytest.mark.parametrize("sites", [1, 2, 5])
def test_the_scattering_matrix_with_loss_and_gain_is_unitary(sites, kind):
    system, energies = random_system(1, sites, kind), np.linspace(-4, 4, 9)
    s, terminal = scattering_matrix(system, energies)
    one = np.eye(terminal.size)
    assert abs(s @ s.conj().swapaxes(1, 2) - one).max() < 1e-12
    assert abs(s.conj().swapaxes(1, 2) @ s - one).max() < 1e-12
    amplitudes = np.moveaxis(Rates(system, energies).amplitudes, -1, 0)
    np.testing.assert_allclose(s[:, :2, :2], amplitudes, rtol=1e-11, atol=1e-14)


# --- oracles --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sites", "bonds", "dense"])
@pytest.mark.parametrize("sites", [2, 3, 4])
def test_infinite_bias_is_counting_of_quantum_jumps(sites, kind):
    rng = np.random.default_rng(sites)
    leads = wide(sites, (1e14, -1e14), (0.0, 0.0), rng.uniform(0.2, 2, 2))
    system = random_system(sites, sites, kind, leads)
    left, right, both = (jump_cumulants(system, counted, 2) for counted in ([0], [1], [0, 1]))
    cross = 0.5 * (both[1] - left[1] - right[1])
    found = lead_noise(system)
    exact = np.array([[left[1], cross], [cross, right[1]]])
    assert_within_errors(
        found.particle_noise.value, found.particle_noise.error, exact, rounding=1e-13
    )
    net = 0.25 * (left[1] + right[1] - 2 * cross)
    assert_within_errors(
        found.net_particle_noise.value, found.net_particle_noise.error, net, rounding=1e-13
    )


def test_three_leads_of_different_temperature_evolve_to_their_noise():
    """Finite chains joined at time 0, the third one empty, as loss is; transients go as t^-2."""
    leads = [chain_lead("left", 0, 0.8, 0.3), chain_lead("right", 2, -0.5, 0.2)]
    leads.append(chain_lead("drain", 1, -30.0, 0.2, hopping=1.3, coupling=0.5))
    system = open_chain(3, onsite=np.array([0.2, -0.1, 0.3]), leads=leads)
    finite = FiniteLeads(system, 120)
    rate = (finite.covariance(80) - finite.covariance(40)) / 40
    np.testing.assert_allclose(lead_noise(system).particle_noise.value, rate, atol=2e-5)


def test_gain_and_loss_in_proportion_are_one_hot_lead():
    # Occupation 1/3 at all energies, as at infinite temperature with mu = -T ln 2.
    loss_and_gain = open_chain(3, {1: 0.2}, {1: 0.1}, 0.1)
    hot = 1e9
    merged = wide_band_at("merged", 1, 0.6, -hot * np.log(2), hot)
    found = lead_noise(open_chain(3, onsite=0.1, leads=[*wide(3), merged]))
    split = lead_noise(loss_and_gain)
    assert found.particle_noise.value[2, 2] > 0.1
    error = found.particle_noise.error[:2, :2] + split.particle_noise.error
    np.testing.assert_allclose(
        found.particle_noise.value[:2, :2], split.particle_noise.value, rtol=1e-8
    )
    assert np.all(error < 1e-10)


# --- limits ---------------------------------------------------------------------------------------


def two_terminal_noise(system):
    """``T (f_L h_L + f_R h_R) + T (1 - T) (f_L - f_R)^2``."""
    left, right = system.leads

    def integrand(w):
        through = Rates(system, w).leads[0, 1]
        states = [(w, x.chemical_potential, x.temperature) for x in (left, right)]
        thermal = sum(fermi(*state) * fermi_holes(*state) for state in states)
        bias = fermi_difference(w, left, right)
        value = (through * thermal + through * (1 - through) * bias**2)[None]
        return value, abs(value)

    mesh = energy_mesh(system)
    found = integrate(integrand, mesh.panels, 1e-11, mesh.scale)
    return found.value[0] / (2 * np.pi), found.error[0] / (2 * np.pi)


@pytest.mark.parametrize("temperature", [(0.0, 0.0), (0.0, 0.4), (0.05, 0.3)])
@pytest.mark.parametrize("finite_band", [False, True])
def test_two_leads_alone(temperature, finite_band):
    leads = wide(6, temperature=temperature)
    if finite_band:
        ends = zip(("left", "right"), (0, 5), (0.3, -0.2), temperature, strict=True)
        leads = [chain_lead(*values) for values in ends]
    system = open_chain(6, onsite=np.linspace(-0.3, 0.5, 6), leads=leads)
    exact, error = two_terminal_noise(system)
    found = lead_noise(system)
    signs = np.array([[1, -1], [-1, 1]])
    assert_within_errors(
        found.particle_noise.value, found.particle_noise.error, signs * exact, error, rounding=1e-13
    )
    assert_within_errors(
        found.net_particle_noise.value, found.net_particle_noise.error, exact, error, rounding=1e-13
    )


@pytest.mark.parametrize("count", [2, 3])
def test_johnson_nyquist_noise_without_loss_and_gain(count):
    sites, temperature = 5, 0.2
    leads = [wide_band_at(f"{n}", 2 * n, 0.5 + n, 0.3, temperature) for n in range(count)]
    system = open_chain(sites, onsite=0.2, leads=leads)
    conductance = conductance_matrices(system)[0][0]
    found = lead_noise(system).particle_noise.value
    np.testing.assert_allclose(
        found, temperature * (conductance + conductance.T), rtol=1e-9, atol=1e-12
    )


def test_johnson_nyquist_fails_with_loss_or_gain():
    """They are not in equilibrium with the leads, whatever the leads' temperature."""
    for rates in (({1: 0.1}, {}), ({}, {1: 0.1}), ({1: 0.1}, {1: 0.1})):
        system = open_chain(3, *rates, leads=wide(3, mu=(0.3, 0.3)))
        conductance = conductance_matrices(system)[0][0]
        found = lead_noise(system).particle_noise.value
        assert abs(found[0, 0] / (0.2 * conductance[0, 0]) - 1) > 0.05
        assert abs(found[0, 0] + found[0, 1]) > 0.01
        assert abs(found[0, 0] / found[1, 1] - 1) > 0.1


def test_perfect_chain_at_zero_temperature_is_silent():
    leads = [chain_lead("l", 0, 0.5, 0.0, coupling=1.0), chain_lead("r", 2, -0.5, 0.0, 1.0, 1.0)]
    found = lead_noise(open_chain(3, leads=leads))
    assert found.converged
    assert abs(found.particle_noise.value).max() < 1e-28


def test_tunnelling_noise_is_the_current_itself():
    """Poisson: every charge by itself, S = J, where |G_1N|^2 ~ 1e-60."""
    onsite = np.full(60, 4.0)
    leads = wide(60, (0.5, -0.5), (0.0, 0.0))
    currents, noise = currents_and_noise(open_chain(60, onsite=onsite, leads=leads))
    assert currents.particle_current.value[0] < 1e-30
    np.testing.assert_allclose(
        noise.particle_noise.value[0, 0], currents.particle_current.value[0], rtol=1e-9
    )
    np.testing.assert_allclose(
        noise.particle_noise.value[0, 1], -currents.particle_current.value[0], rtol=1e-9
    )


def test_loss_alone_makes_the_noise_of_its_own_current():
    """Full leads, weak loss: independent escapes, S_aa = I_a; cross noise is of second order."""
    system = open_chain(2, {0: 1e-7, 1: 1e-7}, leads=wide(2, (50.0, 50.0), (0.0, 0.0)))
    currents, noise = currents_and_noise(system)
    s = noise.particle_noise.value
    np.testing.assert_allclose(s.diagonal(), currents.particle_current.value[:2], rtol=1e-6)
    scale = np.sqrt(s[0, 0] * s[1, 1])
    assert -1e-6 * scale < s[0, 1] < 0
    assert noise.particle_noise.error[0, 1] < 1e-15 * scale


def test_cross_noise_of_a_long_lossy_wire_costs_no_energies():
    """It falls as the transmission, and its accuracy is that of a correlation."""
    sites = 300
    system = open_chain(sites, loss=dict.fromkeys(range(sites), 0.1))
    found, plain = lead_noise(system), steady_currents(system)
    value, error, _ = found.particle_noise
    assert abs(value[0, 1]) < 1e-12 * value[0, 0]
    assert np.all(error <= 1e-9 * np.sqrt(np.outer(np.diag(value), np.diag(value))))
    assert found.evaluations < 1.5 * plain.evaluations
    exact = lead_noise(system, 1e-13).particle_noise
    assert np.all(abs(exact.value - value) <= error)


def test_no_lead_no_noise():
    system = OpenSystem(chain(2, 1.0, 0.0), *[Tridiagonal.zero(2)] * 2, [])
    with pytest.raises(ValueError, match="at least one lead"):
        lead_noise(system)


# --- laws -----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    sites=st.integers(1, 6),
    kind=st.sampled_from(["sites", "bonds", "dense"]),
    leads=st.integers(1, 3),
    temperature=st.sampled_from([0.0, 1e-3, 0.2, 5.0]),
    finite_band=st.booleans(),
)
def test_laws_of_noise(seed, sites, kind, leads, temperature, finite_band):
    rng = np.random.default_rng(seed)
    terminals = []
    for k in range(leads):
        site, mu = int(rng.integers(sites)), rng.normal()
        if finite_band and k == 0:
            terminals.append(chain_lead("finite", site, mu, temperature))
        else:
            values = f"{k}", site, rng.uniform(0.1, 2), mu, temperature * rng.uniform()
            terminals.append(wide_band_at(*values))
    system = random_system(seed, sites, kind, terminals)
    found, every = lead_noise(system), terminal_noise(system, 1e-8)
    assert found.converged
    noise, error = found.particle_noise.value, found.particle_noise.error
    # the route through the full scattering matrix
    block = np.s_[:leads, :leads]
    second, second_error = every.particle_noise.value[block], every.particle_noise.error[block]
    assert_within_errors(noise, error, second, second_error)
    # charge is conserved: rows over all terminals add to zero
    allowed = every.particle_noise.error.sum(axis=0) + 1e-15
    assert np.all(abs(every.particle_noise.value.sum(axis=0)) <= allowed)
    # what one terminal gains others lose
    everyone = every.particle_noise.value - np.diag(every.particle_noise.value.diagonal())
    assert np.all(everyone <= every.particle_noise.error)
    assert np.all(noise[~np.eye(leads, dtype=bool)] <= 0)
    for matrix, errors in (
        (noise, error),
        (every.particle_noise.value, every.particle_noise.error),
    ):
        assert np.linalg.eigvalsh(matrix).min() >= -errors.sum()
    if leads == 2:
        signs = np.array([0.5, -0.5])
        assert found.net_particle_noise.value == pytest.approx(
            signs @ noise @ signs, rel=1e-8, abs=1e-20
        )


@settings(deadline=None, max_examples=20, derandomize=True)
@given(seed=st.integers(0, 10**6), sites=st.integers(2, 30), bonds=st.booleans())
def test_particles_and_holes(seed, sites, bonds):
    """Gain of particles is loss of holes: same noise when energies change sign."""
    system = random_system(seed, sites, "bonds" if bonds else "sites")
    h = system.hamiltonian
    leads = [
        dataclasses.replace(lead, chemical_potential=-lead.chemical_potential)
        for lead in system.leads
    ]
    # holes hop with -h^T; the signs of hoppings are a gauge
    mirrored = Tridiagonal(-h.diagonal, -h.upper.conj())
    holes = OpenSystem(mirrored, system.gain.T, system.loss.T, leads)
    a, b = lead_noise(system), lead_noise(holes)
    assert_within_errors(
        a.particle_noise.value,
        a.particle_noise.error,
        b.particle_noise.value,
        b.particle_noise.error,
    )


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_gives_the_same_noise(name, monkeypatch):
    system = random_system(3, 12, "bonds")
    reference = lead_noise(system)
    monkeypatch.setattr(response.Solver, "at_contacts", SOLVERS[name])
    found = lead_noise(system)
    assert_within_errors(
        found.particle_noise.value,
        found.particle_noise.error,
        reference.particle_noise.value,
        reference.particle_noise.error,
    )


def test_together_or_apart():
    system = random_system(8, 20, "sites")
    currents, noise = currents_and_noise(system)
    alone = lead_noise(system)
    np.testing.assert_array_equal(noise.particle_noise.value, alone.particle_noise.value)
    np.testing.assert_array_equal(
        currents.particle_current.value, steady_currents(system).particle_current.value
    )


# --- study ----------------------------------------------------------------------------------------

LEAD = {"kind": "wide-band", "broadening": 1.1, "chemical_potential": 0.1, "temperature": 1e-4}
POINT = {
    "lattice": {"kind": "chain", "sites": 6},
    "loss": {"kind": "sites", "rates": {"2": 0.1}},
    "leads": {"left": LEAD, "right": LEAD | {"chemical_potential": -0.2}},
}


def test_every_point_of_a_study_stores_its_noise():
    parameters = steady_current.Parameters.model_validate({"system": POINT})
    found = steady_current.evaluate(parameters, None)
    assert found.status == Status.OK
    noise = lead_noise(systems.open_system(parameters.system, None))
    np.testing.assert_array_equal(found.values["particle_noise"], noise.particle_noise.value)
    assert found.values["net_particle_noise"] == noise.net_particle_noise.value
    assert np.all(found.values["particle_noise_error"] < 1e-9)
    assert "infinite entropy" in found.notes["uncertainty_ratio"]


def test_noise_that_is_not_positive_makes_a_point_suspect():
    system = open_chain(3, {1: 0.1})
    _, noise = currents_and_noise(system)
    assert Noise().fault(system, noise)[0] == Status.OK
    value, error, _ = noise.particle_noise
    impossible = Estimate(value - np.diag([0.0, value[1, 1] * 1.01]), error)
    status, message = Noise().fault(system, dataclasses.replace(noise, particle_noise=impossible))
    assert status == Status.SUSPECT
    assert "noise is not positive" in message


def test_uncertainty_ratio_of_two_leads_in_linear_response_is_two():
    """S = 2 k T G, J = G dmu and sigma = J dmu / T: the bound of classical Markov jumps."""
    warm = {"temperature": 0.3, "chemical_potential": 0.1}
    leads = {"left": LEAD | warm | {"chemical_potential": 0.1001}, "right": LEAD | warm}
    system = {"lattice": POINT["lattice"], "leads": leads}
    parameters = steady_current.Parameters.model_validate({"system": system})
    found = steady_current.evaluate(parameters, None)
    assert found.values["uncertainty_ratio"] == pytest.approx(2, rel=1e-6)
