"""Response at the contacts: two independent solvers, sum rules, closed forms, reference numbers.

Paper 000 is extended-landauer-buttiker; where its printed formula is wrong, a test shows that the
printed one fails and the corrected one holds.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attached import chain_at, wide_band_at
from lattices import bond_rates, chain, onsite_rates
from nessflow.solvers import chain_ends as tridiagonal
from nessflow.solvers import dense
from nessflow.solvers import solver as response
from nessflow.solvers.solver import contact_response, interior_response
from nessflow.systems.system import OpenSystem, Tridiagonal
from systems import as_dense_system, random_system

GAMMA = 1.1
SOLVERS = {"dense": dense, "recurrence": tridiagonal}


def wide_band_leads(sites, broadening=GAMMA):
    return [
        wide_band_at(name, site, broadening, 0.0, 0.0)
        for name, site in (("L", 0), ("R", sites - 1))
    ]


def mixed_leads(sites):
    chain_lead = chain_at("R", sites - 1, 0.6, 0.8, 0.1, 0.0, 0.0)
    return [wide_band_at("L", 0, GAMMA, 0.0, 0.0), chain_lead]


def random_chain(seed, sites, bonds):
    return random_system(seed, sites, "bonds" if bonds else "sites", mixed_leads(sites))


def monitored_bonds(sites, hopping, rate=1.0, phase=-np.pi / 2):
    """Supplement VII of paper 000, with the boundary channels."""
    loss = bond_rates(sites, rate, phase, boundary=True)
    return OpenSystem(
        chain(sites, hopping, 0.0), loss, Tridiagonal.zero(sites), wide_band_leads(sites)
    )


def loss_transmission(system, energies, solver=response):
    """tau_{0,l} = Tr[(Gamma_L - Gamma_R) G P G^+] of paper 000, wide band."""
    if solver is response:
        loss = contact_response(system, energies).loss
    else:
        loss = solver.contact_rows(system, energies)[1]
    return GAMMA * (loss[:, 0] - loss[:, 1]) / 2


# --- two solvers


@pytest.mark.parametrize("sites", [1, 2, 80])
@pytest.mark.parametrize("hopping", [1.0, -1.0])
def test_recurrence_where_a_product_of_hoppings_is_zero(sites, hopping):
    # |t_S| = gamma: X_{j,j+1} X_{j+1,j} = 0, where (S43) divides by zero.
    system = monitored_bonds(sites, hopping)
    energies = np.linspace(-2, 2, 9)
    expected, found = (s.contact_rows(system, energies) for s in (dense, tridiagonal))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_extreme_energies(solver):
    system = random_chain(7, 40, True)
    energies = np.array([-1e12, -1e6, -40.0, 40.0, 1e6, 1e12])
    green, loss, gain = solver.contact_rows(system, energies)
    np.testing.assert_allclose(green[:, 0, 0], 1 / energies, rtol=0.1)
    np.testing.assert_allclose(loss[[0, -1], 0], 2 * system.loss.diagonal[0] / 1e24, rtol=1e-10)
    np.testing.assert_allclose(gain[[0, -1], 1], 2 * system.gain.diagonal[-1] / 1e24, rtol=1e-10)
    assert np.isfinite(green).all()
    np.testing.assert_allclose(tridiagonal.contact_rows(system, energies)[1], loss, rtol=1e-11)


@pytest.mark.parametrize("unit", [1e-9, 1e7])
def test_any_unit_of_energy_will_do(unit):
    def scaled(unit):
        rates = [bond_rates(30, 0.3 * unit), bond_rates(30, 0.1 * unit, gain=True)]
        leads = wide_band_leads(30, GAMMA * unit)
        return OpenSystem(chain(30, 0.8 * unit, 0.2 * unit), *rates, leads)

    energies = np.array([-1.0, 0.1, 5.0])
    reference = tridiagonal.contact_rows(scaled(1.0), energies)
    found = tridiagonal.contact_rows(scaled(unit), unit * energies)
    for a, b in zip(reference, found, strict=True):
        np.testing.assert_allclose(unit * b, a, rtol=1e-11)


@pytest.mark.parametrize("bonds", [False, True])
def test_energies_do_not_know_of_each_other(bonds):
    # However many share a call, however many sites are left over: bit for bit the same.
    system, energies = random_chain(5, 70, bonds), np.linspace(-3, 3, 75)
    together = tridiagonal.contact_rows(system, energies)
    apart = zip(
        *(tridiagonal.contact_rows(system, energies[k : k + 1]) for k in range(75)), strict=True
    )
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_array_equal(a, np.concatenate(b))


def test_columns_of_a_real_chain_are_its_rows():
    rng = np.random.default_rng(2)
    rates = [onsite_rates(rng.uniform(0, 0.3, 40)) for _ in range(2)]
    system = OpenSystem(chain(40, rng.normal(size=39), 0.2), *rates, mixed_leads(40))
    energies = np.array([-0.7, 0.4])
    contact = contact_response(system, energies)
    assert system.T is system
    expected = dense.contact_rows(as_dense_system(system).T, energies)
    columns = interior_response(system, energies, contact)
    np.testing.assert_allclose(columns.loss, expected[1], rtol=1e-11)
    np.testing.assert_allclose(columns.gain, expected[2], rtol=1e-11)


def test_weak_links_do_not_underflow():
    # Each of the sites 2..200 shrinks the determinant by 1e-6; squares of 32 of them underflow.
    hopping = np.append(1.0, np.full(198, 1e-6))
    loss, gain = onsite_rates(np.full(200, 1e-7)), Tridiagonal.zero(200)
    system = OpenSystem(chain(200, hopping, 0.0), loss, gain, wide_band_leads(200))
    energies = np.array([0.0, 0.5, 3.0])
    for a, b in zip(*(s.contact_rows(system, energies) for s in SOLVERS.values()), strict=True):
        np.testing.assert_allclose(b[abs(a) > 1e-250], a[abs(a) > 1e-250], rtol=1e-10)


def test_tunnelling_through_a_long_barrier_keeps_its_relative_accuracy():
    # |G_1N|^2 ~ 1e-91 decides the Wiedemann-Franz ratio below the band; no absolute error will do.
    energy, decay = 4.0, np.arccosh(2.0)

    def chebyshev(n):
        return np.sinh((n + 1) * decay) / np.sinh(decay)

    for sites in (80, 250):
        system = OpenSystem(
            chain(sites, 1.0, 0.0),
            Tridiagonal.zero(sites),
            Tridiagonal.zero(sites),
            wide_band_leads(sites),
        )
        determinant = chebyshev(sites) + 1j * GAMMA * chebyshev(sites - 1)
        determinant -= GAMMA**2 / 4 * chebyshev(sites - 2)
        green = contact_response(system, energy).green[0]
        assert abs(green[0, 1]) ** 2 < 1e-90
        np.testing.assert_allclose(green[0, 1], (-1) ** (sites - 1) / determinant, rtol=1e-12)


@pytest.mark.parametrize("sites", [700, 100_000])
def test_vanishing_transmission_of_long_chains_is_a_clean_zero(sites):
    loss = onsite_rates(np.full(sites, 0.02))
    system = OpenSystem(chain(sites, 1.0, 0.0), loss, loss, wide_band_leads(sites))
    found = contact_response(system, [-1e3, 0.3, 4.0])
    np.testing.assert_array_equal(found.green[[0, 2], 0, 1], 0)
    # A half-infinite chain with loss: surface Green's function at complex energy.
    z = np.array([-1e3, 0.3, 4.0]) + 0.04j
    surface = np.sqrt(z / 2 - 1) * np.sqrt(z / 2 + 1)
    surface = 1 / (z / 2 + np.where((z / surface).real > 0, surface, -surface))
    expected = 1 / (z + 0.5j * GAMMA - surface)
    np.testing.assert_allclose(found.green[:, 0, 0], expected, rtol=1e-10)
    np.testing.assert_allclose(found.loss, found.gain, rtol=1e-14)
    gap = -2 * found.green[:, 0, 0].imag - GAMMA * abs(found.green[:, 0, 0]) ** 2
    np.testing.assert_allclose(2 * found.loss[:, 0], gap, rtol=1e-9)
    assert np.isfinite(interior_response(system, [0.3]).loss_gain).all()


# --- sum rules


def broadenings(system, energies):
    """Sum of the leads' broadenings on each contact site, (E, c)."""
    return -2 * system.contact_self_energy(energies).imag


def check_unitarity(system, energies, rtol):
    """The scattering matrix over leads, loss and gain together is unitary."""
    rows, columns = contact_response(system, energies), interior_response(system, energies)
    gamma = broadenings(system, energies)
    modulus = abs(rows.green) ** 2
    spectral = -2 * np.diagonal(rows.green, axis1=1, axis2=2).imag
    into = np.einsum("eab,eb->ea", modulus, gamma) + rows.loss + rows.gain
    out_of = np.einsum("eab,ea->eb", modulus, gamma) + columns.loss + columns.gain
    np.testing.assert_allclose(into, spectral, rtol=rtol)
    np.testing.assert_allclose(out_of, spectral, rtol=rtol)
    # What the loss channels send out is what they take in, apart from what they keep.
    sent = np.sum(gamma * rows.loss, axis=1) + columns.gain_loss
    taken = np.sum(gamma * columns.loss, axis=1) + columns.loss_gain
    np.testing.assert_allclose(sent, taken, rtol=rtol)
    sent = np.sum(gamma * rows.gain, axis=1) + columns.loss_gain
    taken = np.sum(gamma * columns.gain, axis=1) + columns.gain_loss
    np.testing.assert_allclose(sent, taken, rtol=rtol)


@pytest.mark.parametrize("convert", [lambda system: system, as_dense_system], ids=SOLVERS)
@pytest.mark.parametrize("bonds", [False, True])
@pytest.mark.parametrize("sites", [1, 2, 30])
def test_unitarity(sites, bonds, convert):
    energies = np.array([-30.0, -2.0, -0.3, 0.4, 1.2, 1e5])
    check_unitarity(convert(random_chain(11, sites, bonds)), energies, rtol=1e-10)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    sites=st.integers(1, 12),
    bonds=st.booleans(),
    energy=st.floats(-20, 20),
)
def test_unitarity_and_positivity_of_any_chain(seed, sites, bonds, energy):
    system = random_chain(seed, sites, bonds)
    check_unitarity(system, np.array([energy]), rtol=1e-8)
    rows, columns = contact_response(system, energy), interior_response(system, energy)
    for positive in (rows.loss, rows.gain, columns.loss, columns.gain, columns.loss_gain):
        assert np.all(positive >= 0)
    transmission = GAMMA * broadenings(system, np.array([energy]))[0, -1] * abs(rows.green) ** 2
    assert sites == 1 or transmission[0, 0, 1] <= 1 + 1e-12


def test_any_geometry_any_contact():
    # A ring with three leads, two of them on one site, and correlated loss: dense, not a chain.
    rng = np.random.default_rng(3)
    a, b, c = rng.normal(size=(3, 6, 6)) + 1j * rng.normal(size=(3, 6, 6))
    leads = [
        wide_band_at("one", 4, 0.5, 0.0, 0.0),
        wide_band_at("two", 1, 0.7, 0.0, 0.0),
        chain_at("three", 1, 1.0, 0.4, 0.0, 0.0, 0.0),
    ]
    matrices = a + a.conj().T, 0.1 * b @ b.conj().T, 0.1 * c @ c.conj().T
    system = OpenSystem(*matrices, leads)
    energies = np.linspace(-3, 3, 7)
    np.testing.assert_array_equal(system.contacts, [1, 4])
    check_unitarity(system, energies, rtol=1e-10)
    swapped = interior_response(OpenSystem(matrices[0], matrices[2], matrices[1], leads), energies)
    columns = interior_response(system, energies)
    np.testing.assert_allclose(columns.loss_gain, swapped.gain_loss, rtol=1e-12)


def test_a_lead_inside_a_chain_or_on_one_end():
    chain_matrices = chain(6, 1.0, 0.1), bond_rates(6, 0.2), onsite_rates(np.full(6, 0.1))
    energies = np.linspace(-2, 2, 5)
    inside = OpenSystem(*chain_matrices, [wide_band_at("M", 2, 0.4, 0.0, 0.0)])
    check_unitarity(inside, energies, rtol=1e-12)
    for site in (0, 5):
        one = OpenSystem(*chain_matrices, [wide_band_at("only", site, 0.4, 0.0, 0.0)])
        assert contact_response(one, energies).green.shape == (5, 1, 1)
        check_unitarity(one, energies, rtol=1e-12)
        for a, b in zip(*(s.contact_rows(one, energies) for s in SOLVERS.values()), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-12)


def test_without_loss_or_gain_nothing_flows_between_them():
    loss, none = onsite_rates(np.full(4, 0.1)), Tridiagonal.zero(4)
    for matrices in ((loss, none), (none, loss)):
        system = OpenSystem(chain(4, 1.0, 0.0), *matrices, wide_band_leads(4))
        columns = interior_response(system, np.array([0.0, 0.5]))
        np.testing.assert_array_equal(columns.loss_gain, 0)
        np.testing.assert_array_equal(columns.gain_loss, 0)


def test_mirrored_chain_swaps_its_ends():
    rng = np.random.default_rng(4)
    onsite, rates = rng.normal(size=(2, 9))
    rates = abs(rates)
    systems = [
        OpenSystem(chain(9, 1.0, e), onsite_rates(p), Tridiagonal.zero(9), wide_band_leads(9))
        for e, p in ((onsite, rates), (onsite[::-1], rates[::-1]))
    ]
    here, there = (contact_response(system, [0.2]) for system in systems)
    np.testing.assert_allclose(here.loss, there.loss[:, ::-1], rtol=1e-13)
    np.testing.assert_allclose(here.green, there.green[:, ::-1, ::-1], rtol=1e-13)


# --- paper 000


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_reference_numbers_of_figure_4(solver):
    system, energy = monitored_bonds(80, 3.0), np.array([0.5])
    green, loss, _ = solver.contact_rows(system, energy)
    tau_0 = loss_transmission(system, energy, solver)
    np.testing.assert_allclose(tau_0, -0.041953917117430656, rtol=1e-12)
    direct = GAMMA**2 * (abs(green[0, 0, 1]) ** 2 + abs(green[0, 1, 0]) ** 2) / 2
    tau_1 = direct + GAMMA * loss[0, 0] / 2
    np.testing.assert_allclose(tau_1, 0.2117657171431835, rtol=1e-12)


def test_two_sites_need_the_broadening_that_s27_lacks():
    # E6: tau_{0,l} of (S26) is Gamma times the right-hand side printed in (S27).
    energies, (g1, g2) = np.linspace(-2, 2, 9), (0.3, 0.05)
    loss = onsite_rates([g1, g2])
    system = OpenSystem(chain(2, 1.0, 0.0), loss, Tridiagonal.zero(2), wide_band_leads(2))
    z1, z2 = energies + 1j * (g1 + GAMMA / 2), energies + 1j * (g2 + GAMMA / 2)
    printed = (g1 * (abs(z2) ** 2 - 1) - g2 * (abs(z1) ** 2 - 1)) / abs(z1 * z2 - 1) ** 2
    found = loss_transmission(system, energies)
    np.testing.assert_allclose(found, GAMMA * printed, rtol=1e-12)
    assert not np.allclose(found, printed, rtol=0.05)


@pytest.mark.parametrize(("hopping", "solver"), [(3.0, dense), (-0.4, tridiagonal)])
def test_s38_belongs_to_the_bond_channels_of_the_main_text(hopping, solver):
    # E11: with c_j - i c_{j-1}, as printed in supplement VII, the current has the other sign.
    sites, energies = 9, np.array([-0.7, 0.5])
    system = monitored_bonds(sites, hopping)
    inverse = np.eye(sites) * energies[:, None, None] - system.damping_matrix()
    inverse[:, [0, -1], [0, -1]] += 0.5j * GAMMA
    green = np.linalg.inv(inverse)
    first, last = green[:, 0], green[:, -1]
    s38 = np.sum(abs(first) ** 2 - abs(last) ** 2, axis=1)
    neighbours = first[:, :-1] * first[:, 1:].conj() - last[:, :-1] * last[:, 1:].conj()
    s38 = 2 * GAMMA * (s38 + np.sum(neighbours.imag, axis=1))
    np.testing.assert_allclose(loss_transmission(system, energies, solver), s38, rtol=1e-11)
    printed = monitored_bonds(sites, hopping, phase=np.pi / 2)
    np.testing.assert_allclose(loss_transmission(printed, energies, solver), -s38, rtol=1e-11)


def test_order_of_the_green_functions_matters_with_skin_effect():
    # E10: current to lead L is Gamma_L (G P G^+)_11; the other order is the mirrored process.
    system, energies = monitored_bonds(20, 3.0), np.array([0.5])
    rows, columns = contact_response(system, energies), interior_response(system, energies)
    spectral = -2 * rows.green[:, 0, 0].imag
    absorbed = GAMMA * (abs(rows.green[:, 0, 0]) ** 2 + abs(rows.green[:, 0, 1]) ** 2)
    np.testing.assert_allclose(rows.loss[:, 0], spectral - absorbed, rtol=1e-11)
    assert abs(columns.loss[0, 0] / rows.loss[0, 0] - 1) > 0.1
    reciprocal = OpenSystem(
        chain(20, 3.0, 0.0), onsite_rates(np.ones(20)), Tridiagonal.zero(20), wide_band_leads(20)
    )
    rows, columns = (
        contact_response(reciprocal, energies), interior_response(reciprocal, energies)
    )  # fmt: skip
    np.testing.assert_allclose(columns.loss, rows.loss, rtol=1e-12)


def skin_prefactor(energies, denominator):
    return 2 * GAMMA**2 / (energies**2 + denominator**2 / 4) ** 2


@pytest.mark.parametrize("sites", [2, 40, 300])
def test_s49_is_exact_at_the_exceptional_hopping(sites):
    # Paper: low energies only.  It holds at every energy, for t_S = -gamma.
    energies = np.linspace(-5, 5, 11)
    exact = skin_prefactor(energies, 4 + GAMMA) * (1 + energies**2 / 4) ** (2 - sites)
    found = loss_transmission(monitored_bonds(sites, -1.0), energies)
    np.testing.assert_allclose(found, exact, rtol=1e-8, atol=1e-14)


def test_asymptote_of_s49_has_no_factor_e_squared():
    # E14: (1 + x)^(2-N) -> e^{-N x}, not e^2 e^{-N x}.
    sites, energies = 4000, np.array([-0.03, 0.0, 0.02])
    found = loss_transmission(monitored_bonds(sites, -1.0), energies)
    corrected = skin_prefactor(energies, 4 + GAMMA) * np.exp(-(sites - 2) * energies**2 / 4)
    np.testing.assert_allclose(found, corrected, rtol=1e-3)
    assert np.all(np.exp(2) * corrected > 7 * found)


def test_s50_has_the_modulus_of_the_hopping():
    # E15: (4 t - Gamma)^2 as printed is (4 |t| + Gamma)^2.
    found = loss_transmission(monitored_bonds(60, 1.0), np.array([0.0]))
    np.testing.assert_allclose(found, -skin_prefactor(0.0, 4 + GAMMA), rtol=1e-11)
    assert abs(found / skin_prefactor(0.0, 4 - GAMMA)) < 0.11
