"""Leads, what a system refuses, and copies of it."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from attached import chain_at, wide_band_at
from lattices import chain, onsite_rates
from nessflow.scattering.currents import steady_currents
from nessflow.solvers.solver import contact_response
from nessflow.spectrum.mesh import known_poles
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.system import OpenSystem, Tridiagonal, attached_leads, remembered

ENERGIES = np.array([-50.0, -2.3, -1.7, -1.1, 0.0, 0.3, 0.9, 1.5, 2.4, 1e3])


def chain_lead(hopping=0.8, coupling=0.6, onsite=-0.1, site=0):
    return chain_at("lead", site, hopping, coupling, onsite, 0.0, 0.1)


def green(hamiltonian, leads, energies, rates=0.0):
    sites = hamiltonian.diagonal.size
    loss = onsite_rates(np.full(sites, rates))
    system = OpenSystem(hamiltonian, loss, Tridiagonal.zero(sites), leads)
    return contact_response(system, energies).green


def test_chain_self_energy_solves_its_quadratic_equation_on_the_retarded_branch():
    lead = chain_lead()
    sigma = lead.self_energy(ENERGIES)
    surface = sigma / lead.model.coupling**2
    equation = lead.model.hopping**2 * surface**2 - (ENERGIES - lead.model.onsite) * surface + 1
    np.testing.assert_allclose(equation, 0, atol=1e-14)
    inside = abs(ENERGIES - lead.model.onsite) < 2 * lead.model.hopping
    assert np.all(sigma.imag[inside] < 0)
    assert np.all(abs(surface * lead.model.hopping) <= 1 + 1e-15)


def test_taking_a_site_out_of_the_lead_changes_nothing():
    # Exact inside and outside the band: the second system has the lead's first site in it.
    short = green(Tridiagonal([0.3], []), [chain_lead()], ENERGIES)[:, 0, 0]
    longer = Tridiagonal([-0.1, 0.3], [0.6])
    contact = [chain_lead(coupling=0.8), wide_band_at("idle", 1, 0.0, 0.0, 0.0)]
    np.testing.assert_allclose(green(longer, contact, ENERGIES)[:, 1, 1], short, rtol=1e-13)


def test_long_finite_chain_with_vanishing_absorption_is_the_lead():
    # Away from the band edges; waves return damped by exp(-2 * 4000 * 0.005 / 1.6) = 1e-11.
    energies = ENERGIES[abs(abs(ENERGIES + 0.1) - 1.6) > 0.1]
    onsite, bonds = np.full(4001, -0.1), np.full(4000, 0.8)
    onsite[0], bonds[0] = 0.3, 0.6
    idle = [wide_band_at("idle", 0, 0.0, 0.0, 0.0)]
    once, twice = (
        green(Tridiagonal(onsite, bonds), idle, energies, absorption)
        for absorption in (0.005, 0.01)
    )
    exact = green(Tridiagonal([0.3], []), [chain_lead()], energies)
    np.testing.assert_allclose(2 * once - twice, exact, rtol=2e-3)


def test_chain_lead_has_no_states_outside_its_band():
    lead = chain_lead()
    ((lower, upper),) = lead.model.bands
    outside = np.array([lower - 1e-9, upper + 1e-9, -1e6, 1e6])
    np.testing.assert_array_equal(lead.broadening_at(outside), 0.0)
    np.testing.assert_array_equal(lead.broadening_at(np.array([lower, upper])) < 1e-7, True)


def test_far_outside_the_band_the_self_energy_does_not_cancel():
    lead = chain_lead(onsite=0.0)
    for energy in (1e6, -1e9, 1e150):
        expected = lead.model.coupling**2 / energy * (1 + (lead.model.hopping / energy) ** 2)
        np.testing.assert_allclose(lead.self_energy(np.array([energy])), expected, rtol=1e-14)


def test_beside_its_band_edge_the_self_energy_keeps_its_digits():
    lead, depth = chain_lead(hopping=1.0, onsite=0.0), 2.0 ** -np.arange(4, 50)
    root = np.sqrt(depth) * np.sqrt(1 - depth / 4)  # sin k at w = 2 - depth = 2 cos k
    inside = lead.self_energy(2 - depth)
    np.testing.assert_allclose(inside.imag, -(lead.model.coupling**2) * root, rtol=1e-15)
    decay = 1 / (1 + depth / 2 + np.sqrt(depth) * np.sqrt(1 + depth / 4))
    np.testing.assert_allclose(
        lead.self_energy(-2 - depth), -(lead.model.coupling**2) * decay, rtol=1e-15
    )


def test_spectral_weight_of_the_chain_lead_is_its_coupling():
    lead = chain_lead()
    angles = (np.arange(400) + 0.5) * np.pi / 400  # Gauss-Chebyshev in the band
    half = 2 * lead.model.hopping
    energies = lead.model.onsite + half * np.cos(angles)
    weight = np.sum(lead.broadening_at(energies) * half * np.sin(angles)) * np.pi / 400
    np.testing.assert_allclose(weight / (2 * np.pi), lead.model.coupling**2, rtol=1e-13)


def test_wide_band_lead():
    lead = wide_band_at("L", 0, 1.1, 0.0, 0.0)
    np.testing.assert_array_equal(lead.self_energy(ENERGIES), np.full(10, -0.55j))
    np.testing.assert_array_equal(lead.broadening_at(ENERGIES), np.full(10, 1.1))
    assert lead.model.bands == ((-np.inf, np.inf),)


def small(hamiltonian=None, loss=None, gain=None, leads=()):
    zero = Tridiagonal.zero(2)
    return OpenSystem(hamiltonian or zero, zero if loss is None else loss, gain or zero, leads)


BROKEN = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 2.0], [0.0, 2.5, 0.0]])
FAULTS = {
    r"hamiltonian matrix is not Hermitian: element \(1, 2\) = 2.0 .* \(2, 1\) = 2.5 by 0.5": (
        lambda: OpenSystem(BROKEN, np.zeros((3, 3)), np.zeros((3, 3)), ())
    ),
    r"loss matrix is not finite: element \(0, 1\) is nan": (
        lambda: small(loss=np.array([[0, np.nan], [0, 0]]))
    ),
    "loss matrix has the negative eigenvalue -1;": lambda: small(loss=onsite_rates([1.0, -1.0])),
    "gain matrix has the negative eigenvalue -0.5;": (
        lambda: small(gain=Tridiagonal([0.5, 0.5], [1j]))
    ),
    "loss matrix has the negative eigenvalue -2;": (
        lambda: small(loss=np.array([[0, 2.0], [2.0, 0]]))
    ),
    r"one size, got hamiltonian \(3, 3\), loss \(2, 2\)": lambda: small(chain(3, 1.0, 0.0)),
    r"must be square, got shape \(2, 3\)": lambda: small(loss=np.zeros((2, 3))),
    "lead 'L': site must be below the 2 sites, got 2": (
        lambda: small(leads=[wide_band_at("L", 2, 1.0, 0.0, 0.0)])
    ),
    "two leads have the name 'L'": lambda: small(leads=[wide_band_at("L", 0, 1.0, 0.0, 0.0)] * 2),
    "lead 'L': site must be 0 or more": lambda: wide_band_at("L", -1, 1.0, 0.0, 0.0),
    "lead 'L': temperature must be finite and 0 or more, got -0.1": (
        lambda: wide_band_at("L", 0, 1.0, 0.0, -0.1)
    ),
    "WideBand: broadening = -1.0: expected a number >= 0": (
        lambda: wide_band_at("L", 0, -1.0, 0.0, 0.0)
    ),
    "lead 'L': chemical_potential must be finite": lambda: wide_band_at("L", 0, 1.0, np.inf, 0.0),
    "SemiInfiniteChain: hopping = 0.0: expected a number > 0": (
        lambda: chain_at("L", 0, 0.0, 1.0, 0.0, 0.0, 0.0)
    ),
    "SemiInfiniteChain: coupling = NaN: expected a finite number": (
        lambda: chain_at("L", 0, 1.0, np.nan, 0.0, 0.0, 0.0)
    ),
    "upper element 0 is not finite": lambda: Tridiagonal([1.0, 2.0], [np.inf]),
    "diagonal of a Hermitian matrix is real, got .* at site 1": (
        lambda: Tridiagonal([1.0, 2.0j], [0.0])
    ),
    r"N-1 upper elements, got shapes \(2,\) and \(2,\)": (
        lambda: Tridiagonal([1.0, 2.0], [0.0, 0.0])
    ),
}


@pytest.mark.parametrize("message", FAULTS)
def test_faults_are_named(message):
    with pytest.raises(ValueError, match=message):
        FAULTS[message]()


def test_rounding_is_no_fault():
    rng = np.random.default_rng(1)
    channels = rng.normal(size=(1, 6)) + 1j * rng.normal(size=(1, 6))
    loss = channels.conj().T @ channels  # rank one: five eigenvalues are 0 up to rounding
    OpenSystem(np.zeros((6, 6)), loss, loss, ())
    bond = Tridiagonal([1.0, 1.0], [np.exp(0.7j)])
    small(loss=bond, gain=bond)


def test_a_system_cannot_be_changed_behind_its_back():
    rates = np.ones(2)
    loss = onsite_rates(rates)
    rates[0] = -1
    np.testing.assert_array_equal(loss.diagonal, 1)
    with pytest.raises(ValueError, match="read-only"):
        loss.diagonal[0] = -1


def test_one_dense_matrix_makes_all_dense():
    system = small(loss=np.eye(2))
    assert not system.is_tridiagonal
    np.testing.assert_array_equal(system.damping_matrix(), -1j * np.eye(2))


@pytest.mark.parametrize("copied", [copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_system_is_copied_without_what_is_remembered_of_it(copied):
    leads = [wide_band_at("left", 0, 1.0, 0.3, 0.1), wide_band_at("right", 3, 1.0, -0.3, 0.1)]
    system = OpenSystem(Tridiagonal(np.zeros(4), 1.0), *[Tridiagonal.zero(4)] * 2, leads)
    found = steady_currents(system).particle_current
    other = copied(system)
    assert "_remembered" in vars(system)
    assert "_remembered" not in vars(other)
    np.testing.assert_array_equal(steady_currents(other).particle_current.value, found.value)


def test_other_occupations_check_what_a_new_system_checks_and_share_what_is_remembered():
    leads = [wide_band_at("left", 0, 1.0, 0.3, 0.1), wide_band_at("right", 3, 1.0, -0.3, 0.1)]
    system = OpenSystem(Tridiagonal(np.zeros(4), 1.0), *[Tridiagonal.zero(4)] * 2, leads)
    poles = known_poles(system)
    mu, warmth = np.array([0.7, 0.1]), np.array([0.2, 0.0])
    found = system.with_occupations(mu, warmth)
    filled = zip(leads, mu.tolist(), warmth.tolist(), strict=True)
    other = [replace(lead, chemical_potential=x, temperature=t) for lead, x, t in filled]
    expected = replace(system, leads=other)
    assert found.leads == expected.leads
    assert found.terminals == expected.terminals
    assert found.surroundings.leads == expected.leads
    assert known_poles(found) is poles
    assert system.leads[0].chemical_potential == 0.3
    currents = [steady_currents(x).particle_current for x in (found, expected)]
    np.testing.assert_array_equal(*(x.value for x in currents))
    for bad in ([np.nan, 0.0], [0.0, np.inf]):
        with pytest.raises(ValueError, match="chemical_potential must be finite"):
            system.with_occupations(bad, warmth)
    with pytest.raises(ValueError, match="'left': temperature must be finite and 0 or more"):
        system.with_occupations(mu, [-0.1, 0.0])


def test_what_is_remembered_does_not_grow_with_the_values_asked_for():
    system = OpenSystem(Tridiagonal(np.zeros(2), 1.0), *[Tridiagonal.zero(2)] * 2, [])
    calls = []
    once = remembered(lambda own, value: calls.append(value) or np.full(3, value))
    for _ in range(2):
        for value in range(1000):
            assert once(system, value)[0] == value
    assert once(system, 999) is once(system, 999)
    assert len(calls) == 2000
    assert sum(len(kept) for kept in vars(system)["_remembered"].values()) < 100


def test_a_system_with_other_occupations_shares_only_with_its_like():
    def system(mu, level):
        leads = [wide_band_at("left", 0, 1.0, mu, 0.1), wide_band_at("right", 3, 1.0, mu, 0.1)]
        return OpenSystem(Tridiagonal(np.full(4, level), 1.0), *[Tridiagonal.zero(4)] * 2, leads)

    first, alike, other = system(0.3, 0.0), system(0.1, 0.0), system(0.1, 0.2)
    shared = alike.sharing(first)
    assert shared.leads == alike.leads
    assert known_poles(shared) is known_poles(first)
    assert other.sharing(first) is other


def test_leads_of_a_terminal_move_together():
    leads = attached_leads("left", WideBand(broadening=1.0), (0, 2), 0.1, 0.0)
    system = OpenSystem(Tridiagonal(np.zeros(4), 1.0), *[Tridiagonal.zero(4)] * 2, leads)
    with pytest.raises(ValueError, match=r"must have one chemical_potential, got 0\.1, 0\.2"):
        system.with_occupations([0.1, 0.2], [0.0, 0.0])
