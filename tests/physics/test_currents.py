"""Currents against exact solutions, conservation laws and a second route."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_sylvester

from attached import chain_at, wide_band_at
from lattices import bond_rates, chain, onsite_rates
from nessflow.scattering.closed_form import IllConditionedEigenvectors, closed_form_currents
from nessflow.scattering.currents import (
    disorder_susceptibility,
    reference_transmission,
    response_transmission,
    steady_currents,
    transmission,
)
from nessflow.spectrum.mesh import resonances
from nessflow.spectrum.occupation import fermi, fermi_difference, fermi_holes
from nessflow.spectrum.quadrature import integrate, line_mesh
from nessflow.systems.system import OpenSystem, Tridiagonal
from systems import random_system

PARTS = ("net", "landauer", "reservoir", "reference", "response")


def rates(sites, values):
    """Rates by site (counted from 1), or one rate for all."""
    array = np.zeros(sites)
    if isinstance(values, dict):
        for site, rate in values.items():
            array[site - 1] = rate
    else:
        array[:] = values
    return onsite_rates(array)


def wide(sites, mu=(0.1, 0.1), temperature=(1e-4, 1e-4), broadening=(1.1, 1.1)):
    return [
        wide_band_at(name, site, *values)
        for name, site, *values in zip(
            ("left", "right"), (0, sites - 1), broadening, mu, temperature, strict=True
        )
    ]


def open_chain(sites, loss=0.0, gain=0.0, onsite=0.0, hopping=1.0, leads=None, **biases):
    leads = leads or wide(sites, **biases)
    system = [chain(sites, hopping, onsite), rates(sites, loss), rates(sites, gain)]
    return OpenSystem(*system, leads)


def chain_leads(sites, mu, temperature, hopping=1.0, coupling=1.0):
    return [
        chain_at(name, site, hopping, coupling, 0.0, m, t)
        for name, site, m, t in zip(("left", "right"), (0, sites - 1), mu, temperature, strict=True)
    ]


def undefined_in(found):
    """Return the names of what is undefined in a result."""
    return {name for name, x in vars(found).items() if getattr(x, "undefined", "")}


def both(currents, part, kind="particle"):
    name = f"{part}_{kind}_current"
    return getattr(currents, name)[:2]


# --- occupations ---


def test_fermi_functions_keep_their_small_side():
    w = np.array([-1.0, 0.1, 1.0])
    assert fermi(w, 0.1, 0.01)[2] == pytest.approx(np.exp(-90), rel=1e-12)
    assert fermi_holes(w, 0.1, 0.01)[0] == pytest.approx(np.exp(-110), rel=1e-12)
    assert list(fermi(w, 0.1, 0.0)) == [1, 0.5, 0]
    assert list(fermi_holes(w, 0.1, 0.0)) == [0, 0.5, 1]


@settings(deadline=None)
@given(st.floats(-50, 50), st.floats(-1, 1), st.floats(-1, 1), st.floats(0.01, 9))
def test_fermi_difference_matches_its_definition(w, mu_1, mu_2, ratio):
    leads = wide(2, (mu_1, mu_2), (0.5, 0.5 * ratio))
    plain = fermi(w, mu_1, 0.5) - fermi(w, mu_2, 0.5 * ratio)
    assert fermi_difference(np.array([w]), *leads)[0] == pytest.approx(plain, abs=4e-16)


def test_fermi_difference_of_a_tiny_bias():
    mu, bias, temperature = 0.1, 1e-12, 0.5
    w = np.array([-30.0, 0.1, 40.0])
    slope = fermi(w, mu, temperature) * fermi_holes(w, mu, temperature) / temperature
    warm = [wide_band_at("a", 0, 1.0, bias, temperature), wide_band_at("b", 1, 1.0, 0.0, 0.5)]
    assert fermi_difference(w + bias, *warm) == pytest.approx(
        bias * fermi(w, 0, 0.5) * fermi_holes(w, 0, 0.5) / 0.5, rel=1e-9
    )
    hot = wide(2, (mu, mu), (temperature * (1 + bias), temperature))
    exact = slope * (w - mu) * bias
    assert fermi_difference(w, *hot) == pytest.approx(exact, rel=1e-3, abs=1e-30)


def test_fermi_difference_of_a_cold_and_a_warm_lead_that_are_both_full():
    leads = wide(2, (2.0, 3.0), (0.0, 0.1))
    w = np.array([-1.0, 0.0, 0.5, 2.0, 2.5, 9.0])
    filled, empty = fermi(w, 3.0, 0.1), fermi_holes(w, 3.0, 0.1)
    exact = np.where(w < 2, empty, np.where(w > 2, -filled, 0.5 * (empty - filled)))
    np.testing.assert_allclose(fermi_difference(w, *leads), exact, rtol=1e-15)
    np.testing.assert_allclose(fermi_difference(w, *leads[::-1]), -exact, rtol=1e-15)


@pytest.mark.parametrize("dense", [False, True])
def test_current_between_a_cold_and_a_warm_lead_that_are_both_full(dense):
    """What flows goes with the warm lead's holes, 1e-9 and fewer: the integral took minutes."""
    wire = chain(3, 1.0, 0.0)
    nothing = rates(3, 0.0)
    if dense:
        wire, nothing = wire.to_dense(), np.zeros((3, 3))
    leads = [
        wide_band_at("left", 0, 1e-4, 2.0, 0.0),
        chain_at("right", 2, 0.5, 0.05, 0.0, 3.0, 0.1),
    ]
    system = OpenSystem(wire, nothing, nothing, leads)
    found = steady_currents(system)
    assert found.converged
    value, error = found.particle_current.value[0], found.particle_current.error[0]
    assert error < 1e-9 * value

    def integrand(w):
        row = transmission(system, w)[0, 1] * fermi_holes(w, 3.0, 0.1)
        return row[None], abs(row)[None]

    poles = resonances(system)
    mesh = line_mesh((-2, 2), [], [-1.0, 1.0], poles, limits=(-1, 1))
    exact = integrate(integrand, mesh).value[0] / (2 * np.pi)
    assert abs(value - exact) <= error + 1e-10 * exact


# --- exact solutions ---


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 5), st.booleans())
def test_infinite_bias_is_the_lindblad_steady_state(seed, sites, dense):
    """Filled and empty wide-band leads are gain and loss: a matrix equation, no integral."""
    system = random_system(
        seed, sites, "dense" if dense else "bonds", mu=(1e14, -1e14), temperature=(0.0, 0.0)
    )
    gamma = [lead.model.broadening for lead in system.leads]
    loss, gain = (
        m.to_dense() if isinstance(m, Tridiagonal) else m for m in (system.loss, system.gain)
    )
    effective = system.damping_matrix()
    effective[0, 0] -= 0.5j * gamma[0]
    effective[-1, -1] -= 0.5j * gamma[1]
    source = 2 * gain
    source[0, 0] += gamma[0]
    filled = solve_sylvester(1j * effective, (1j * effective).conj().T, source)
    exact = [
        gamma[0] * (1 - filled[0, 0].real),
        -gamma[1] * filled[-1, -1].real,
        -2 * np.trace(loss @ filled).real,
        2 * np.trace(gain @ (np.eye(sites) - filled)).real,
    ]
    found = steady_currents(system)
    assert found.converged
    assert np.all(abs(found.particle_current.value - exact) <= found.particle_current.error + 2e-14)
    assert np.all(found.particle_current.error < 1e-9)


@pytest.mark.parametrize("temperature", [0.0, 0.02, 3.0])
def test_perfect_chain_transmits_its_whole_band(temperature):
    """A clean chain between leads of the same chain: T = 1 for |w| < 2."""
    mu = (0.7, -1.2)
    leads = chain_leads(20, mu, (temperature, temperature))
    found = steady_currents(open_chain(20, leads=leads))
    if temperature == 0:
        particles, energy = mu[0] - mu[1], 0.5 * (mu[0] ** 2 - mu[1] ** 2)
    else:
        soft = [
            temperature * (np.logaddexp(0, (m + 2) / temperature))
            - temperature * np.logaddexp(0, (m - 2) / temperature)
            for m in mu
        ]
        particles = soft[0] - soft[1]
        mesh = line_mesh((-3, 3), [*mu], limits=(-2, 2))

        def integrand(w):
            value = (w * fermi_difference(w, *leads))[None]
            return value, abs(value)

        energy = integrate(integrand, mesh).value[0]
    for kind, exact in (("particle", particles), ("energy", energy)):
        for part in ("net", "landauer", "response"):
            value, error = both(found, part, kind)
            assert abs(value - exact / (2 * np.pi)) <= error + 1e-15
            assert error < 1e-9
    assert both(found, "reference") == (0, 0)


def test_one_level_between_two_leads():
    """Single level: Breit-Wigner in closed form at temperature 0."""
    gamma, level, mu = (0.3, 0.02), 0.4, (0.5, -0.2)
    leads = [wide_band_at(n, 0, g, m, 0.0) for n, g, m in zip(("l", "r"), gamma, mu, strict=True)]
    found = steady_currents(OpenSystem(chain(1, 1.0, level), rates(1, 0), rates(1, 0), leads))
    width = 0.5 * sum(gamma)
    angle = np.arctan((mu[0] - level) / width) - np.arctan((mu[1] - level) / width)
    exact = gamma[0] * gamma[1] / width * angle / (2 * np.pi)
    value, error = both(found, "net")
    assert abs(value - exact) <= error < 1e-10


# --- conservation and symmetry ---


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(2, 6),
    st.booleans(),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    st.tuples(st.sampled_from([0.0, 1e-4, 0.1, 20.0]), st.sampled_from([0.0, 0.05, 2.0])),
)
def test_currents_add_up_and_match_the_closed_form(seed, sites, dense, mu, temperature):
    system = random_system(
        seed, sites, "dense" if dense else "bonds", mu=mu, temperature=temperature
    )
    found = steady_currents(system)
    assert found.converged
    assert abs(found.conservation_defect.value) <= found.conservation_defect.error < 1e-8
    assert found.unitarity_defect.value < 1e-14
    pieces = [both(found, part) for part in PARTS]
    net, landauer, reservoir, reference, response = (value for value, _ in pieces)
    allowance = sum(np.sum(error) for _, error in pieces)
    assert abs(net - (landauer + reservoir[0] - reservoir[1])) <= allowance
    assert abs(net - (reference + response)) <= allowance
    left, right, *_ = found.particle_current.value
    assert abs(net - 0.5 * (left - right)) <= allowance + found.conservation_defect.error
    try:
        exact = closed_form_currents(system)
    except IllConditionedEigenvectors:
        return
    assert abs(landauer - exact.landauer.value) <= pieces[1][1] + exact.landauer.error
    assert np.all(abs(reservoir - exact.reservoir.value) <= pieces[2][1] + exact.reservoir.error)
    assert abs(net - exact.net.value) <= pieces[0][1] + exact.net.error


@pytest.mark.parametrize("temperature", [0.0, 1e-4, 0.5])
def test_inversion_symmetry_allows_no_net_current(temperature):
    onsite = np.array([0.3, -0.7, 0.2, 0.2, -0.7, 0.3])
    found = steady_currents(
        open_chain(6, {2: 0.4, 5: 0.4}, {3: 0.1, 4: 0.1}, onsite, temperature=[temperature] * 2)
    )
    for kind in ("particle", "energy"):
        for part in ("net", "reference", "response"):
            value, error = both(found, part, kind)
            assert abs(value) <= error < 1e-13
    assert both(found, "reservoir")[0].min() > 1e-3


def test_lossless_currents_are_landauer_and_conserved():
    onsite = np.array([0.3, -0.7, 1.2, 0.4, 0.1])
    biases = {"mu": (0.8, -0.3), "temperature": (0.3, 0.05), "broadening": (0.4, 1.7)}
    found = steady_currents(open_chain(5, onsite=onsite, **biases))
    assert not undefined_in(found)
    for kind in ("particle", "energy"):
        net, error = both(found, "net", kind)
        assert net == pytest.approx(both(found, "landauer", kind)[0], rel=1e-13)
        currents, wrong, _ = getattr(found, f"{kind}_current")
        assert currents[:2] == pytest.approx([net, -net], abs=4 * error)
        assert list(currents[2:]) == [0, 0]
        assert abs(currents.sum()) <= wrong.sum()
        assert list(both(found, "reservoir", kind)[0]) == [0, 0]


def test_energy_is_conserved_with_loss_inside():
    """Loss away from the contacts: what it takes out is what the leads bring."""
    found = steady_currents(open_chain(5, {3: 0.4}, {2: 0.1}, np.arange(5) * 0.2))
    assert not undefined_in(found)
    assert abs(found.energy_current.value.sum()) <= found.energy_current.error.sum() < 1e-9
    assert abs(found.energy_current.value[2:]).min() > 1e-3


def test_three_leads():
    """A third lead is one more terminal; quantities of two leads are not defined."""
    leads = [*wide(4, (0.5, -0.5)), wide_band_at("top", 1, 0.4, 0.2, 0.1)]
    found = steady_currents(open_chain(4, 0.1, leads=leads))
    assert found.terminals == ("left", "right", "top", "loss", "gain")
    assert found.particle_current.value.shape == (5,)
    assert "two leads" in found.net_particle_current.undefined
    assert abs(found.conservation_defect.value) <= found.conservation_defect.error
    with pytest.raises(ValueError, match="two leads, the system has 3; use steady_currents"):
        response_transmission(open_chain(4, leads=leads), [0.0])


def test_loss_and_gain_without_leads():
    """One site, gain 2Q in and loss 2P out: population Q/(P+Q)."""
    system = OpenSystem(chain(1, 1.0, 0.3), rates(1, 0.2), rates(1, 0.5), ())
    found = steady_currents(system)
    flow = 2 * 0.2 * 0.5 / 0.7
    assert np.all(abs(found.particle_current.value - [-flow, flow]) <= found.particle_current.error)


# --- transmissions ---


@pytest.mark.parametrize("dense", [False, True])
def test_rows_and_columns_of_a_lead_have_one_sum(dense):
    table = transmission(
        random_system(3, 5, "dense" if dense else "bonds", mu=(0, 0), temperature=(0, 0)),
        np.linspace(-3, 3, 7),
    )
    assert table[:2].sum(axis=1) == pytest.approx(table[:, :2].sum(axis=0), rel=1e-12)
    assert np.all(table >= 0)
    assert np.all(table[[0, 1, 2, 3], [0, 1, 2, 3]] == 0)


def test_loss_on_bonds_breaks_reciprocity():
    """What reaches the left lead from loss is not what it gives: the order of G matters."""
    system = OpenSystem(chain(9, 1.0, 0.0), bond_rates(9, 0.5), rates(9, 0), wide(9))
    table = transmission(system, [0.3])[..., 0]
    assert table[2, 0] > 5 * table[0, 2]
    assert table[1, 2] > 5 * table[2, 1]
    assert table[0, 1] > 1e7 * table[1, 0]


def test_split_transmissions_give_the_split_currents():
    system = random_system(5, 4, "bonds", mu=(0.4, -0.3), temperature=(0.2, 0.3))
    left, right = system.leads

    def integrand(w):
        loss, gain = reference_transmission(system, w)
        filled = fermi(w, right.chemical_potential, right.temperature)
        empty = fermi_holes(w, right.chemical_potential, right.temperature)
        reference = filled * loss - empty * gain
        response = fermi_difference(w, left, right) * response_transmission(system, w)
        values = np.stack([reference, response])
        return values, abs(values)

    exact = integrate(integrand, line_mesh((-12, 12), [-2, 2]), rtol=1e-12)
    found = steady_currents(system)
    for part, value, error in zip(("reference", "response"), exact.value, exact.error, strict=True):
        assert abs(both(found, part)[0] - value / (2 * np.pi)) <= both(found, part)[1] + error


# --- divergent energy currents ---


def test_loss_on_a_contact_makes_its_energy_current_diverge():
    found = steady_currents(open_chain(5, {1: 0.1}, {3: 0.2}))
    assert np.isnan(found.energy_current.value[[0, 2]]).all()
    assert np.isfinite(found.energy_current.value[[1, 3]]).all()
    assert "site 1 of wide-band lead 'left'" in found.energy_current.undefined
    assert np.isnan(found.net_energy_current.value)
    assert np.isnan(found.reference_energy_current.value)
    assert "unequally" in found.net_energy_current.undefined
    assert np.isnan(found.reservoir_energy_current.value[0])
    assert np.isfinite(found.reservoir_energy_current.value[1])
    assert np.isfinite(
        [found.landauer_energy_current.value, found.response_energy_current.value]
    ).all()
    assert np.isfinite(found.particle_current.value).all()


def test_equal_loss_on_both_contacts_leaves_a_net_energy_current():
    """The divergent parts cancel in J = (I_L - I_R)/2, as in disordered chains."""
    found = steady_currents(open_chain(5, 0.1, 0.05, np.array([0.5, 0, 0, -0.2, 0.1])))
    assert np.isnan(found.energy_current.value).all()
    assert undefined_in(found) == {"energy_current", "reservoir_energy_current"}
    finite = [found.net_energy_current.value, found.reference_energy_current.value]
    assert np.isfinite(finite).all()
    assert abs(found.net_energy_current.error) < 1e-9


def test_gain_that_feeds_loss_on_one_site_has_no_energy_current():
    found = steady_currents(open_chain(5, {3: 0.1}, {3: 0.2}))
    assert np.isfinite(found.energy_current.value[:2]).all()
    assert np.isnan(found.energy_current.value[2:]).all()
    assert "same orbitals" in found.energy_current.undefined


def test_finite_bands_have_finite_energy_currents():
    leads = chain_leads(5, (0.3, -0.2), (0.1, 0.1), coupling=0.7)
    found = steady_currents(open_chain(5, 0.1, leads=leads))
    assert np.isfinite(found.energy_current.value).all()
    assert not undefined_in(found)
    assert abs(found.energy_current.value.sum()) <= found.energy_current.error.sum()


def test_rate_of_the_divergence():
    """-Gamma_a P_aa ln(Lambda) in J_aS^1, as the notes claim: one decade of the cut-off."""
    system = open_chain(3, {1: 0.2}, temperature=(0.0, 0.0))

    def integrand(w):
        value = 0.5 * w * transmission(system, w)[0, 2]
        return value[None], abs(value)[None]

    decade = integrate(integrand, line_mesh((-8, 8), limits=(-1e6, -1e5))).value[0]
    assert decade == pytest.approx(-1.1 * 0.2 * np.log(10), rel=1e-4)


# --- hard cases ---


@pytest.mark.parametrize("finite_band", [False, True])
def test_localised_sample_without_loss(finite_band):
    """Uniform disorder W = 2, N = 200: resonances down to rounding width.

    The reference samples every resonance by itself, 60 000 times, in the angle
    ``w = E + g tan(theta)`` of its own Lorentzian.
    """
    onsite = np.random.default_rng(2).uniform(-1, 1, 200)
    biases = {"mu": (0.25, -0.25), "temperature": (0.1, 0.1)}
    leads = chain_leads(200, *biases.values()) if finite_band else wide(200, **biases)
    system = open_chain(200, onsite=onsite, leads=leads)
    found = steady_currents(system)
    poles = resonances(system)
    poles = poles[np.argsort(poles.real)]
    poles = poles[abs(poles.imag) > 1e-12]
    band = (-2.0, 2.0) if finite_band else (-60.0, 60.0)
    middles = 0.5 * (poles.real[1:] + poles.real[:-1])
    edges = np.clip(np.concatenate([[band[0]], middles, [band[1]]]), *band)
    exact = 0.0
    for pole, low, high in zip(poles, edges[:-1], edges[1:], strict=True):
        width = abs(pole.imag)
        ends = np.arctan((np.array([low, high]) - pole.real) / width)
        theta = ends[0] + (ends[1] - ends[0]) * (np.arange(2000) + 0.5) / 2000
        w = pole.real + width * np.tan(theta)
        value = transmission(system, w)[0, 1] * fermi_difference(w, *leads)
        exact += np.sum(value * width / np.cos(theta) ** 2) * (ends[1] - ends[0]) / 2000
    value, error = both(found, "net")
    assert found.converged
    assert value == pytest.approx(exact / (2 * np.pi), rel=2e-3)
    assert error < 1e-6 * value
    if not finite_band:
        closed = closed_form_currents(system)
        assert abs(value - closed.net.value) <= error + closed.net.error


@pytest.mark.parametrize("rtol", [1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("finite_band", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_less_accuracy_takes_fewer_energies_and_says_how_far_it_is_off(seed, finite_band, rtol):
    leads = (chain_leads if finite_band else wide)(60, mu=(0.4, -0.4), temperature=(0.03, 0.05))
    onsite = np.random.default_rng(seed).uniform(-0.7, 0.7, 60)
    system = open_chain(60, 0.005, 0.002, onsite, leads=leads)
    exact, found = steady_currents(system), steady_currents(system, rtol)
    assert found.converged
    assert found.evaluations < 0.9 * exact.evaluations
    for name in ("particle_current", "net_particle_current", "response_particle_current"):
        coarse, fine = getattr(found, name), getattr(exact, name)
        assert np.all(abs(coarse.value - fine.value) <= coarse.error + fine.error)


def test_resonances_of_a_finite_band_lead_solve_their_equation():
    """The narrow ones do, within a fraction of their width."""
    onsite = np.random.default_rng(4).uniform(-1, 1, 40)
    system = open_chain(40, onsite=onsite, leads=chain_leads(40, (0, 0), (0, 0), 1.0, 0.3))
    poles = resonances(system)
    narrow = poles[(abs(poles.imag) < 1e-3) & (abs(poles.real) < 1.7)]
    assert narrow.size > 3
    for pole in narrow:
        matrix = system.hamiltonian.to_dense()
        for lead in system.leads:
            matrix[lead.site, lead.site] += lead.self_energy(pole.real)
        assert np.min(abs(np.linalg.eigvals(matrix) - pole)) < 0.2 * abs(pole.imag)


def test_strong_contact_loss_detaches_the_rest():
    """Zeno: the levels that stay are not those of the Hamiltonian, and they are narrow."""
    system = open_chain(6, {2: 500.0}, mu=(0.3, 0.1), broadening=(0.001, 1.0))
    found = steady_currents(system)
    exact = closed_form_currents(system)
    assert abs(found.reservoir_particle_current.value[0]) > 1e-5
    assert abs(found.net_particle_current.value - exact.net.value) <= (
        found.net_particle_current.error + exact.net.error
    )


def test_far_below_the_band_relative_accuracy_stays():
    """Bias window at mu = -40 of a chain of 30 sites: transmission of about 1e-90."""
    system = open_chain(30, mu=(-40.0, -40.001), temperature=(0.0, 0.0))
    found = steady_currents(system)
    middle = transmission(system, [-40.0005])[0, 1, 0]
    value, error = both(found, "net")
    assert 0 < value < 1e-85
    assert value == pytest.approx(1e-3 * middle / (2 * np.pi), rel=1e-5)
    assert error < 1e-9 * value


@pytest.mark.parametrize("mu", [-3.0, -2.0])
def test_nothing_flows_below_the_band(mu):
    leads = [
        chain_at(name, site, 1.0, 1.0, 0.0, mu, 0.0) for name, site in (("left", 0), ("right", 2))
    ]
    found = steady_currents(OpenSystem(chain(3, 1.0, 0.0), rates(3, 0.1), rates(3, 0.0), leads))
    assert found.converged
    assert not found.particle_current.value.any()


# --- closed form ---


def test_closed_form_refuses_an_exceptional_point():
    system = open_chain(2, {1: 2.0})
    with pytest.raises(IllConditionedEigenvectors, match=r"condition number .*steady_currents"):
        closed_form_currents(system)
    found = steady_currents(system)
    assert 2 * np.pi * found.net_particle_current.value == pytest.approx(0.764733771304, rel=1e-11)


def test_closed_form_refuses_the_skin_effect():
    system = OpenSystem(
        chain(60, 3.0, 0.0), bond_rates(60, 1.0, boundary=True), rates(60, 0), wide(60)
    )
    with pytest.raises(IllConditionedEigenvectors):
        closed_form_currents(system)
    assert steady_currents(system).net_particle_current.value < 0


def test_closed_form_names_its_scope():
    with pytest.raises(ValueError, match="exactly two wide-band leads"):
        closed_form_currents(open_chain(3, leads=chain_leads(3, (0, 0), (0, 0))))


# --- disorder ---


def test_susceptibility_is_the_derivative():
    onsite, step = np.array([0.2, -0.1, 0.4, 0.3]), 1e-4
    biases = {"mu": (0.4, -0.2), "temperature": (0.1, 0.3)}

    def net(shift):
        return steady_currents(
            open_chain(4, {1: 0.2, 3: 0.1}, {2: 0.3}, onsite + shift, **biases)
        ).net_particle_current.value

    value, error, _ = disorder_susceptibility(
        open_chain(4, {1: 0.2, 3: 0.1}, {2: 0.3}, onsite, **biases)
    )
    unit = np.eye(4)
    numeric = [(net(step * unit[j]) - net(-step * unit[j])) / (2 * step) for j in range(4)]
    assert value == pytest.approx(numeric, rel=1e-6, abs=1e-9)
    assert error.max() < 1e-9


def test_susceptibility_is_odd_under_inversion():
    value, error, _ = disorder_susceptibility(open_chain(7, 0.1))
    assert np.all(abs(value + value[::-1]) <= error + error[::-1])
    assert abs(value[3]) <= error[3]


@pytest.mark.parametrize("seed", range(8))
def test_resonances_are_where_the_bands_of_the_leads_put_them(seed):
    """Leads coupled more strongly than the chain, whose states outside one band may be narrow."""
    rng = np.random.default_rng(seed)
    sites = 30
    gain = np.zeros(sites)
    gain[rng.integers(sites)] = 0.01
    leads = [
        chain_at("left", 0, 0.8, rng.uniform(0.4, 1.2), 0.1, 0.0, 0.1),
        chain_at("right", sites - 1, 1.2, rng.uniform(0.4, 1.2), -0.1, 0.0, 0.1),
    ]
    onsite = rng.uniform(-1.5, 1.5, sites)
    system = OpenSystem(
        chain(sites, 1.0, onsite), Tridiagonal.zero(sites), onsite_rates(gain), leads
    )
    poles = resonances(system)
    for pole in poles:
        matrix = system.damping_matrix()
        for lead in leads:
            matrix[lead.site, lead.site] += lead.self_energy(pole.real)
        away = abs(np.linalg.eigvals(matrix) - pole).min()
        assert away < 0.1 * abs(pole.imag) + 1e-13
    narrow = poles[abs(poles.imag) < 0.01]
    assert np.unique(narrow.round(9)).size == narrow.size
