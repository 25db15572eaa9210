"""Terminals of several leads: sums over their channels, oracles that count leads together."""

import dataclasses

import numpy as np
import pytest
from brute_force import jump_cumulants
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import eval_chebyu

from attached import wide_band_at
from lattices import chain, onsite_rates, strip
from nessflow.observables.thermodynamics import entropy_production, heat_current
from nessflow.scattering.counting import (
    _logarithm,
    charge_distribution,
    cumulants_observable,
    generating_function,
    lead_cumulants,
)
from nessflow.scattering.currents import disorder_susceptibility, steady_currents, transmission
from nessflow.scattering.entropy import (
    scattering_entropy_observable,
    scattering_entropy_production,
)
from nessflow.scattering.linear_response import conductance_matrices, linear_response
from nessflow.scattering.noise import lead_noise, noise_observable, terminal_noise
from nessflow.scattering.profiles import terminal_currents
from nessflow.solvers.dense import scattering_matrix
from nessflow.spectrum.occupation import fermi
from nessflow.spectrum.rates import Rates
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem
from systems import random_system

GROUPS = ("source", None, "drain", "source", "drain", "drain")
"""Terminals source (leads 0, 3), b (lead 1), drain (leads 2, 4, 5)."""
STATES = {"source": (0.6, 0.2), None: (-0.1, 0.1), "drain": (-0.5, 0.3)}


def grouped_system(seed, loss=1.0, gain=0.5, states=STATES, sites=5):
    """Any matrices, with leads that are channels of three terminals."""
    rng = np.random.default_rng(seed)
    leads = [
        wide_band_at("abcdef"[k], k % sites, rng.uniform(0.2, 1.5), *states[group], group)
        for k, group in enumerate(GROUPS)
    ]
    return random_system(seed, sites, "dense", leads, loss=loss, gain=gain)


def apart(system):
    """The same system with every lead a terminal of its own."""
    leads = [dataclasses.replace(lead, terminal=None) for lead in system.leads]
    return dataclasses.replace(system, leads=leads)


def grouping(system, more=0):
    """0/1 matrix that sums over the leads of each terminal; ``more`` terminals follow."""
    rows = np.zeros((len(system.terminals), len(system.leads)))
    rows[system.terminal_of_lead, range(len(system.leads))] = 1
    result = np.zeros((len(rows) + more, len(system.leads) + more))
    result[: len(rows), : len(system.leads)] = rows
    result[len(rows) :, len(system.leads) :] = np.eye(more)
    return result


def test_terminals_are_ordered_by_their_first_lead():
    terminals = grouped_system(0).terminals
    assert [x.name for x in terminals] == ["source", "b", "drain"]
    assert [x.channels for x in terminals] == [(0, 3), (1,), (2, 4, 5)]
    assert (terminals[2].chemical_potential, terminals[2].temperature) == STATES["drain"]


def test_leads_of_a_terminal_share_its_state():
    leads = [wide_band_at(name, 0, 1.0, 0.0, t, "both") for name, t in (("a", 0.1), ("b", 0.2))]
    with pytest.raises(ValueError, match=r"terminal 'both' must have one temperature, got 0.1, 0"):
        OpenSystem(chain(2, 1.0, 0.0), Tridiagonal.zero(2), Tridiagonal.zero(2), leads)


@pytest.mark.parametrize("seed", range(3))
def test_transmissions_currents_and_noise_are_sums_over_leads(seed):
    system, energies = grouped_system(seed), np.linspace(-2, 2, 5)
    each, total = grouping(system, more=2), transmission(apart(system), energies)
    expected = np.einsum("ai,bj,ije->abe", each, each, total)
    expected[range(5), range(5)] = 0.0
    np.testing.assert_allclose(transmission(system, energies), expected, rtol=1e-11)
    together, separate = steady_currents(system), steady_currents(apart(system))
    assert together.terminals == ("source", "b", "drain", "loss", "gain")
    np.testing.assert_allclose(
        together.particle_current.value, each @ separate.particle_current.value, rtol=1e-9
    )
    assert abs(together.conservation_defect.value) <= together.conservation_defect.error
    assert together.unitarity_defect.value < 1e-12
    np.testing.assert_allclose(
        terminal_currents(system).particle_current.value, together.particle_current.value, rtol=1e-8
    )
    each = grouping(system)
    found, lone = lead_noise(system), lead_noise(apart(system))
    expected = each @ lone.particle_noise.value @ each.T
    np.testing.assert_allclose(found.particle_noise.value, expected, rtol=1e-8)
    full = terminal_noise(system)
    np.testing.assert_allclose(
        full.particle_noise.value[:3, :3], found.particle_noise.value, rtol=1e-8
    )
    assert abs(full.particle_noise.value.sum(axis=1)).max() < 1e-9


def test_small_noise_of_a_terminal_keeps_its_digits():
    """Two sites, each with a strong lead on one side, and a weak link: noise of order 1e-8."""
    weak = 1e-4
    leads = [
        wide_band_at("a", 0, 1.0, 2.0, 0.0, "left"),
        wide_band_at("b", 0, 2.0, 2.0, 0.0, "left"),
    ]
    leads.append(wide_band_at("right", 1, 1.5, -2.0, 0.0))
    system = OpenSystem(chain(2, weak, 0.0), Tridiagonal.zero(2), Tridiagonal.zero(2), leads)
    noise, currents = lead_noise(system), steady_currents(system)
    # Tunnelling: noise = current up to the square of the transmission.
    np.testing.assert_allclose(
        noise.particle_noise.value,
        currents.particle_current.value[0] * np.array([[1, -1], [-1, 1]]),
        rtol=1e-7,
    )
    # Terms of order one cancel to this between channels, not here.
    assert noise.particle_noise.error.max() < 1e-9 * noise.particle_noise.value[0, 0]
    # Two leads on one site are one lead of the summed broadening.
    one = [wide_band_at("left", 0, 3.0, 2.0, 0.0), leads[2]]
    merged = lead_noise(dataclasses.replace(system, leads=one))
    np.testing.assert_allclose(noise.particle_noise.value, merged.particle_noise.value, rtol=1e-9)


def test_cumulants_are_those_of_quantum_jumps():
    infinite = {"source": (1e14, 0.0), None: (-1e14, 0.0), "drain": (-1e14, 0.0)}
    system = grouped_system(4, sites=3, states=infinite)
    found = lead_cumulants(system)
    for k, terminal in enumerate(system.terminals):
        expected = jump_cumulants(system, list(terminal.channels))
        np.testing.assert_allclose(found.cumulants.value[k], expected, rtol=1e-7)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    counted=st.integers(0, 2),
    field=st.floats(-3.1, 3.1),
    temperature=st.just(0.0) | st.floats(1e-6, 2),
)
def test_generating_function_is_the_whole_determinant(seed, counted, field, temperature):
    states = STATES | {"source": (0.6, temperature)}
    system = grouped_system(seed, states=states)

    energies = np.linspace(-2.0, 2.1, 6)
    s, terminal = scattering_matrix(system, energies)
    rates = Rates(system, energies)
    fixed = np.array([np.zeros_like(energies), np.ones_like(energies)])
    filled = np.concatenate([rates.filled, fixed])[terminal].T
    phases, one = np.ones(terminal.size, complex), np.eye(terminal.size)
    phases[terminal == counted] = np.exp(1j * field)
    counting = s.conj().swapaxes(1, 2) @ (phases.conj()[:, None] * s) * phases
    expected = np.linalg.det(one + filled[:, :, None] * (counting - one))
    (modulus, phase), _ = _logarithm(rates.exchange[counted], field)
    np.testing.assert_allclose(np.exp(modulus + 1j * phase), expected, atol=1e-11)


def test_generating_function_is_continuous_and_has_the_cumulants():
    system, fields = grouped_system(7), np.linspace(0, np.pi, 200)
    value, error = generating_function(system, "drain", fields)
    assert abs(np.diff(value, n=2)).max() < 0.01  # no jump of 2 pi anywhere
    assert error.max() < 1e-8
    cumulants = lead_cumulants(system).cumulants.value[2]
    step = np.array([0.01, 0.02])
    chi = generating_function(system, "drain", step)[0]
    powers = np.array([(1j * step) ** k / np.array([1, 2, 6, 24])[k - 1] for k in (1, 2, 3, 4)])
    np.testing.assert_allclose(chi, cumulants @ powers, atol=1e-8)


def test_distribution_has_the_cumulants():
    system, time = grouped_system(7), 40.0
    found = charge_distribution(system, "source", time)
    assert found.probability.sum() == pytest.approx(1, abs=1e-10)
    mean = found.probability @ found.charge
    moments = [found.probability @ (found.charge - mean) ** k for k in (2, 3)]
    expected = lead_cumulants(system).cumulants.value[0, :3] * time
    np.testing.assert_allclose([mean, *moments], expected, rtol=1e-6)


@pytest.mark.parametrize(("loss", "gain"), [(1.0, 0.5), (1.0, 0.0), (0.0, 1.5), (0.0, 0.0)])
def test_entropy_of_the_streams(loss, gain):
    """``H`` of the blocks of ``s f s^+``, computed from the whole scattering matrix."""
    system = grouped_system(3, loss, gain)

    def entropy(f):
        f = np.clip(f, 1e-300, 1)
        return -f * np.log(f) - (1 - f) * np.log(np.maximum(1 - f, 1e-300))

    energies = np.linspace(-2.5, 2.5, 7)
    s, terminal = scattering_matrix(system, energies)
    f = [fermi(energies, x.chemical_potential, x.temperature) for x in system.terminals]
    f = np.array([*f, np.zeros_like(energies), np.ones_like(energies)])[terminal].T
    out = (s * f[:, None]) @ s.conj().swapaxes(1, 2)
    expected = -entropy(f).sum(axis=1)
    for k in range(5):
        mine = np.ix_(terminal == k, terminal == k)
        expected += entropy(np.linalg.eigvalsh(out[:, mine[0], mine[1]])).sum(axis=1)
    integrand = scattering_entropy_observable(system).integrand
    np.testing.assert_allclose(integrand(Rates(system, energies))[0][0], expected, rtol=1e-9)
    found, _, undefined = scattering_entropy_production(system, 1e-8)
    assert not undefined
    assert found > 0
    if not (loss or gain):  # relaxation inside the leads adds to it
        thermodynamic = entropy_production(system, steady_currents(system))
        assert found <= thermodynamic.value


def test_heat_and_entropy_of_terminals():
    system = grouped_system(5, 0.0, 0.0)
    currents, separate = steady_currents(system), steady_currents(apart(system))
    each = grouping(system)
    expected = each @ heat_current(apart(system), separate).value
    np.testing.assert_allclose(heat_current(system, currents).value, expected, rtol=1e-9)
    assert entropy_production(system, currents).value == pytest.approx(
        entropy_production(apart(system), separate).value, rel=1e-9
    )


def test_linear_response_is_a_sum_over_leads():
    system = grouped_system(6, states=dict.fromkeys(STATES, (0.2, 0.1)))
    each = grouping(system)
    found, separate = conductance_matrices(system)[0], conductance_matrices(apart(system))[0]
    np.testing.assert_allclose(found, each @ separate @ each.T, rtol=1e-8, atol=1e-12)


def two_columns(width, length, rng, **lead):
    """Wires that nothing couples, one lead for all their first sites, one for their last."""
    onsite = rng.normal(size=(length, width))
    wires = [chain(length, 1.0, onsite[:, k]) for k in range(width)]
    matrix = np.zeros((length * width,) * 2, complex)
    for k, wire in enumerate(wires):
        sites = np.arange(length) * width + k
        matrix[np.ix_(sites, sites)] = wire.to_dense()
    leads = []
    for name, column, mu in (("left", 0, 0.3), ("right", length - 1, -0.2)):
        for k in range(width):
            site = column * width + k
            leads.append(wide_band_at(f"{name} {k}", site, 0.8, mu, 0.1, name))
    rates = np.diag(rng.uniform(0, 0.1, length * width))
    return OpenSystem(matrix, rates, 0 * rates, leads), wires, rates


def test_wires_side_by_side_add_up():
    width, length = 3, 4
    system, wires, rates = two_columns(width, length, np.random.default_rng(1))
    single = []
    for k, wire in enumerate(wires):
        loss = onsite_rates(np.diag(rates)[k::width])
        ends = zip(("left", "right"), (0, length - 1), (0.3, -0.2), strict=True)
        leads = [wide_band_at(name, site, 0.8, mu, 0.1) for name, site, mu in ends]
        single.append(OpenSystem(wire, loss, Tridiagonal.zero(length), leads))
    for function, name in (
        (steady_currents, "net_particle_current"),
        (steady_currents, "reference_particle_current"),
        (lead_noise, "net_particle_noise"),
        (lead_cumulants, "cumulants"),
    ):
        expected = sum(getattr(function(wire), name).value for wire in single)
        np.testing.assert_allclose(getattr(function(system), name).value, expected, rtol=1e-8)
    expected = np.concatenate([disorder_susceptibility(wire)[0] for wire in single])
    found = disorder_susceptibility(system)[0].reshape(length, width).T.ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    equal = [dataclasses.replace(lead, chemical_potential=0.1) for lead in system.leads]
    response = linear_response(dataclasses.replace(system, leads=equal))
    total = 0.0
    for wire in single:
        equal = [dataclasses.replace(lead, chemical_potential=0.1) for lead in wire.leads]
        total += linear_response(
            dataclasses.replace(wire, leads=equal)
        ).electrical_conductance.value
    assert response.electrical_conductance.value == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize(("width", "length"), [(3, 4), (5, 2), (1, 6)])
def test_leads_on_the_end_columns_of_a_strip_open_its_transverse_modes(width, length):
    """Each mode is a chain of levels ``-2 cos(pi n / (width + 1))`` between two leads."""
    gamma, energies = 1.3, np.linspace(-3.2, 3.1, 12)
    leads = [
        wide_band_at(f"{name} {k}", column * width + k, gamma, 0.1, 0.0, name)
        for name, column in (("left", 0), ("right", length - 1))
        for k in range(width)
    ]
    zero = 0.0 * strip(length, width)
    system = OpenSystem(strip(length, width), zero, zero, leads)
    expected = np.zeros_like(energies)
    for n in range(1, width + 1):
        x = (energies + 2 * np.cos(np.pi * n / (width + 1))) / 2
        u = [eval_chebyu(k, x) if k >= 0 else 0 * x for k in (length, length - 1, length - 2)]
        expected += gamma**2 / abs(u[0] + 1j * gamma * u[1] - gamma**2 / 4 * u[2]) ** 2
    found = transmission(system, energies)
    np.testing.assert_allclose(found[0, 1], expected, rtol=1e-10)
    np.testing.assert_allclose(found[1, 0], expected, rtol=1e-10)
    assert expected.max() <= width
    conductance = linear_response(system).electrical_conductance.value
    at_mu = transmission(system, np.array([0.1]))[0, 1, 0]
    assert 2 * np.pi * conductance == pytest.approx(at_mu, rel=1e-10)


def test_divergent_energy_currents_name_all_contact_sites():
    system, _, _ = two_columns(2, 3, np.random.default_rng(2))
    found = steady_currents(system)
    assert "contact site 1, 2 of wide-band lead 'left'" in found.energy_current.undefined
    assert "contact sites 1, 2 and 5, 6" in found.net_energy_current.undefined


@pytest.mark.parametrize("kind", ["sites", "bonds", "dense"])
@pytest.mark.parametrize(("loss", "gain"), [(1, 0), (0, 1), (0.8, 0.3), (0, 0)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_lead_is_a_matrix_of_one_lead(kind, loss, gain, count, monkeypatch):
    """Compiled loops over numbers and stacks of matrices are two ways to the same integrands."""
    places = (0, 5, 2) if kind == "dense" else (0, 5)
    leads = [
        wide_band_at("abc"[k], site, 0.4 + 0.3 * k, 0.5 - 0.4 * k, 0.2 * (k != 1))
        for k, site in enumerate(places[:count])
    ]
    system = random_system(count, 6, kind, leads, loss=loss, gain=gain)
    energies = np.random.default_rng(3).uniform(-4, 4, 200)
    makers = noise_observable, cumulants_observable, scattering_entropy_observable
    observables = [make(system) for make in makers]
    found = [x.integrand(Rates(system, energies)) for x in observables]
    monkeypatch.setattr(Rates, "is_one_lead_each", False)
    expected = [x.integrand(Rates(system, energies)) for x in observables]
    for own, other in zip(found, expected, strict=True):
        for mine, theirs in zip(own, other, strict=True):
            np.testing.assert_array_less(abs(mine - theirs), 1e-14 * abs(other[1]) + 1e-300)
