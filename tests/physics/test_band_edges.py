"""Numbers at the edges of bands: limits where both sides agree, undefined with a reason else."""

import numpy as np
import pytest

from attached import chain_at, wide_band_at
from judging import judged
from lattices import chain, onsite_rates
from nessflow.estimate import Estimate
from nessflow.kinds import linear_response as linear_response_kind
from nessflow.kinds import network_transmission
from nessflow.kinds import transmission as transmission_kind
from nessflow.scattering.currents import open_channels, reflection, transmission
from nessflow.scattering.linear_response import conductance_matrices, linear_response
from nessflow.spectrum.edges.limits import on_band_edge
from nessflow.studies.kind import Status
from nessflow.systems.matrices import Tridiagonal, as_dense
from nessflow.systems.system import OpenSystem

EDGES = [-2.0, 2.0]
BESIDE = 1e-9


def lead(name, site, hopping=1.0, coupling=1.0, onsite=0.0, mu=0.0, temperature=0.1):
    return chain_at(name, site, hopping, coupling, onsite, mu, temperature)


def between(left, right, energies, loss=None, convert=lambda matrix: matrix):
    sites = len(energies)
    zero = Tridiagonal.zero(sites)
    loss = zero if loss is None else onsite_rates(np.array(loss))
    return OpenSystem(
        convert(chain(sites, 1.0, np.array(energies, float))), loss, zero, [left, right]
    )


def uniform(sites, convert=lambda matrix: matrix):
    return between(lead("left", 0), lead("right", sites - 1), np.zeros(sites), convert=convert)


# --- transmissions --------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [lambda matrix: matrix, as_dense])
@pytest.mark.parametrize("sites", [1, 2, 5, 60])
def test_a_transmission_that_jumps_is_undefined(sites, convert):
    system = uniform(sites, convert)
    assert np.isnan(transmission(system, EDGES)[[0, 1], [1, 0]]).all()
    beside = transmission(system, [2 - BESIDE, 2 + BESIDE])[0, 1]
    np.testing.assert_allclose(beside, [1.0, 0.0], atol=1e-6)
    # What loss and gain would send stays zero.
    assert (transmission(system, EDGES)[:2, 2:] == 0).all()


def test_edges_that_are_no_binary_fractions_are_found():
    leads = lead("left", 0, 0.7, 0.7, 0.3), lead("right", 1, 0.7, 0.7, 0.3)
    zero = Tridiagonal.zero(2)
    system = OpenSystem(chain(2, 0.7, np.full(2, 0.3)), zero, zero, leads)
    energies = np.linspace(-1.1, 1.7, 29)
    found = transmission(system, energies)[0, 1]
    assert np.isnan(found[[0, -1]]).all()
    np.testing.assert_allclose(found[1:-1], 1.0, rtol=1e-12)
    assert on_band_edge(system, energies).any(axis=0).sum() == 2


SMOOTH = {
    "barrier": (between(lead("left", 0), lead("right", 2), [0, 0.3, 0]), EDGES),
    "weak contact": (between(lead("left", 0, coupling=0.5), lead("right", 2), [0, 0, 0]), EDGES),
    "edge of one lead": (between(lead("left", 0), lead("right", 2, 2.0), [0, 0, 0]), EDGES),
    "edge of one lead, loss": (
        between(lead("left", 0), lead("right", 2, 2.0), [0, 0, 0], [0, 0.1, 0]),
        [-2.0, 2.0, -4.0, 4.0],
    ),
    "edge of one lead, other wide": (
        between(lead("left", 0), wide_band_at("right", 2, 1.3, 0, 0.1), [0, 0, 0], [0.2, 0, 0]),
        EDGES,
    ),
    "bands that touch": (between(lead("left", 0), lead("right", 2, onsite=4.0), [0, 1, 2]), EDGES),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_where_both_limits_agree_the_limit_is_the_value(name):
    system, energies = SMOOTH[name]
    for energy in energies:
        around = transmission(system, energy + BESIDE**2 * np.array([-1e6, 1e6]))
        found = transmission(system, [energy])[..., 0]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, around.mean(axis=-1), atol=1e-4)


def test_loss_makes_a_transmission_continuous_at_the_edge():
    """A uniform chain with loss: nothing diverges, the current into loss has one limit."""
    system = between(lead("left", 0), lead("right", 2), [0, 0, 0], [0, 0.1, 0])
    found = transmission(system, EDGES)
    assert np.isfinite(found).all()
    assert (found[0, 1] == 0).all()


def test_the_limit_is_the_value_on_a_bound_state():
    """U = 3/2 between matched leads binds a state at 5/2, outside all bands."""
    system = between(lead("left", 0), lead("right", 0), [1.5])
    assert (transmission(system, [2.5])[0, 1] == 0).all()


def test_the_limit_of_other_leads_is_the_value_where_two_have_an_edge():
    """A third lead with states at the edge is decoupled from the state that diverges there."""
    leads = [lead("left", 0), lead("right", 4), wide_band_at("far", 5, 0.5, 0, 0.1)]
    h = np.zeros((6, 6))
    h[:5, :5] = as_dense(chain(5, 1.0, np.zeros(5))).real
    h[5, 5] = 0.2
    zero = np.zeros((6, 6))
    table = transmission(OpenSystem(h, zero, zero, leads), EDGES)
    assert np.isnan(table[0, 1]).all()
    assert (table[[0, 1, 2, 2], [2, 2, 0, 1]] == 0).all()


# --- reflection -----------------------------------------------------------------------------------


def test_reflection_completes_the_open_channels():
    leads = [lead("left", 0), lead("right", 2, 2.0), wide_band_at("b", 0, 0.4, 0, 0.1, "both")]
    leads.append(wide_band_at("c", 1, 0.7, 0, 0.1, "both"))
    loss, gain = onsite_rates(np.array([0.1, 0, 0.2])), onsite_rates(np.array([0, 0.3, 0]))
    system = OpenSystem(chain(3, 1.0, np.array([0.0, 0.4, 0])), loss, gain, leads)
    energies = np.array([-5.0, -3.0, -1.0, 0.3, 1.7, 2.5])
    table, reflected = transmission(system, energies), reflection(system, energies)
    channels = open_channels(system, energies)
    assert channels[:, 0].tolist() == [0, 0, 2]
    assert channels[:, 3].tolist() == [1, 1, 2]
    np.testing.assert_allclose(table[:3].sum(axis=1) + reflected, channels, atol=1e-13)
    np.testing.assert_allclose(table[:, :3].sum(axis=0) + reflected, channels, atol=1e-13)


def test_a_channel_that_opens_has_no_reflection_at_its_edge():
    system = between(lead("left", 0), lead("right", 2, 2.0), [0, 0, 0])
    found = reflection(system, [-4.0, -2.0, 0.0])
    assert np.isnan(found[[0, 1], [1, 0]]).all()
    np.testing.assert_allclose(found[[0, 1], [0, 1]], [0.0, 1.0], atol=1e-12)


SPECTRUM = {"energies": {"start": -2, "stop": 2, "points": 5}}
CHAIN = {"kind": "semi-infinite-chain", "chemical_potential": 0, "temperature": 0.1}


@pytest.mark.parametrize("sites", [1, 2, 5])
def test_a_spectrum_over_its_edges_is_ok_and_says_why(sites):
    system = {
        "lattice": {"kind": "chain", "sites": sites},
        "leads": {"left": CHAIN, "right": CHAIN},
    }
    parameters = transmission_kind.Parameters.model_validate({"system": system} | SPECTRUM)
    found = judged(transmission_kind, parameters)
    assert (found.status, found.message) == (Status.OK, "")
    value = found.values["response_transmission"]
    np.testing.assert_allclose(value, [np.nan, 1, 1, 1, np.nan], rtol=1e-13)
    reason = "at the energy -2, 2, where the band of left, right ends, the limits from below and"
    assert found.reasons["response_transmission"].startswith(reason)
    assert "the diagonal is no transmission" in found.reasons["transmission"]
    assert reason in found.reasons["transmission"]


@pytest.mark.parametrize("phi", [0.0, 0.7, -0.7])
def test_the_diagonal_of_a_lead_on_two_sites_is_undefined_and_its_reflection_given(phi):
    wide = {"kind": "wide-band", "chemical_potential": 0, "temperature": 0.1}
    leads = {
        "a": wide | {"broadening": 0.8, "site": 1},
        "b": CHAIN | {"site": [2, 3]},
        "c": wide | {"broadening": 1.3, "site": 5},
    }
    ring = {"kind": "ring", "sites": 5, "flux": phi, "onsite": [0.3, 0, -0.2, 0.1, 0]}
    energies = {"energies": {"start": -1, "stop": 1, "points": 3}}
    parameters = transmission_kind.Parameters.model_validate(
        {"system": {"lattice": ring, "leads": leads}} | energies
    )
    found = judged(transmission_kind, parameters)
    assert found.status == Status.OK
    table = found.values["transmission"]
    assert np.isnan(table[range(3), range(3)]).all()
    assert np.isfinite(table[~np.eye(3, 5, dtype=bool)]).all()
    total = np.nansum(table, axis=1) + found.values["reflection"]
    np.testing.assert_allclose(total, [[1] * 3, [2] * 3, [1] * 3], atol=1e-13)
    if phi == 0:
        expected = [0.404846604137886, 0.636218482351699, 0.271202505132947]
        np.testing.assert_allclose(table[0, 1], expected, rtol=1e-13)


def test_a_density_that_diverges_at_the_edge_is_undefined():
    """One level at bandwidth less coupling: the state is about to leave the band."""
    reservoir = {"chemical_potential": 0.0, "temperature": 0.1}
    reservoirs = {"bandwidth": 2.0, "coupling": 0.5, "left": reservoir, "right": reservoir}

    def at_the_edge(energy):
        parameters = network_transmission.Parameters.model_validate(
            {
                "network": {"sites": 1, "energy": energy, "tunnelling": 0.0},
                "reservoirs": reservoirs,
                "energies": {"start": -1, "stop": 1, "points": 3},
            }
        )
        return judged(network_transmission, parameters)

    found = at_the_edge(1.5)
    assert found.status == Status.OK
    assert np.isnan(found.values["mode_spectrum"][0, 2])
    assert np.isnan(found.values["transmission"][2])
    assert "at the energy 2, where the band of left, right ends" in found.reasons["mode_spectrum"]
    found = at_the_edge(1.2)
    assert found.values["transmission"][[0, 2]].tolist() == [0, 0]
    assert found.values["mode_spectrum"][0, [0, 2]].tolist() == [0, 0]


# --- linear response ------------------------------------------------------------------------------


def ratios(found):
    return [getattr(found, name) for name in RATIOS]


RATIOS = ("seebeck_coefficient", "peltier_coefficient", "lorenz_ratio", "figure_of_merit")


def at(mu, temperature, sites=3, **right):
    leads = (lead(name, n, mu=mu, temperature=temperature) for name, n in (("left", 0),))
    other = lead("right", sites - 1, mu=mu, temperature=temperature, **right)
    return between(*leads, other, np.zeros(sites))


@pytest.mark.parametrize("mu", EDGES)
def test_at_temperature_0_and_at_the_edge_the_response_is_undefined(mu):
    found = linear_response(at(mu, 0.0))
    for name in ("electrical_conductance", *RATIOS):
        value, error, reason = getattr(found, name)
        assert np.isnan(value)
        assert np.isnan(error)
        assert f"at temperature 0, at the energy {mu:g}, where the band of" in reason
    assert np.isnan(conductance_matrices(at(mu, 0.0))[0][0]).all()


@pytest.mark.parametrize("temperature", [1e-5, 1e-3, 1e-2])
@pytest.mark.parametrize("mu", EDGES)
def test_above_temperature_0_the_edge_is_a_step(mu, temperature):
    """tau = 1 on one side: I_0 = 1/2, I_1/T = +-ln 2, I_2/T^2 = pi^2/6."""
    found = linear_response(at(mu, temperature))
    assert 2 * np.pi * found.electrical_conductance.value == pytest.approx(0.5, rel=1e-9)
    seebeck = 2 * np.log(2)
    assert found.seebeck_coefficient.value == pytest.approx(-np.sign(mu) * seebeck, rel=1e-9)
    assert found.lorenz_ratio.value == pytest.approx(np.pi**2 / 3 - seebeck**2, rel=1e-9)
    assert not any(x.undefined for x in vars(found).values() if isinstance(x, Estimate))


@pytest.mark.parametrize("mu", [2.0, 3.0, -2.5])
def test_without_conductance_the_ratios_are_undefined(mu):
    """At the edge of one lead, outside its band, and outside both."""
    found = linear_response(at(mu, 0.0, hopping=2.0))
    assert found.electrical_conductance.value == 0
    assert found.thermal_conductance.value == 0
    for ratio in ratios(found):
        assert np.isnan(ratio.value)
        assert ratio.undefined == "the electrical conductance is zero within its error"


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_a_decoupled_point_has_no_seebeck_coefficient(temperature):
    found = linear_response(at(0.3, temperature, coupling=0.0))
    assert found.electrical_conductance.value == 0
    assert all(np.isnan(x.value) and x.undefined for x in ratios(found))


def response_of(mu=0.3, temperature=0.1, **more):
    state = {"chemical_potential": mu, "temperature": temperature}
    leads = {name: {"kind": "semi-infinite-chain"} | state for name in ("left", "right")}
    lattice = {"kind": "chain", "sites": 3, "onsite": [0, 0.5, 0]}
    system = {"lattice": lattice, "leads": leads}
    parameters = linear_response_kind.Parameters.model_validate({"system": system, **more})
    return judged(linear_response_kind, parameters)


def test_the_kind_tells_why_the_response_at_an_edge_is_undefined():
    state = {"kind": "semi-infinite-chain", "chemical_potential": 2.0, "temperature": 0.0}
    system = {"lattice": {"kind": "chain", "sites": 4}, "leads": {"left": state, "right": state}}
    parameters = linear_response_kind.Parameters.model_validate({"system": system})
    found = judged(linear_response_kind, parameters)
    assert (found.status, found.message) == (Status.OK, "")
    for name in ("electrical_conductance", "conductance_ratio", "conductance_matrix", *RATIOS):
        assert np.isnan(found.values[name]).all()
        assert "the limits from below and above differ or diverge" in found.reasons[name]


def test_charge_turns_the_sign_of_seebeck_and_peltier_alone():
    plus, minus = response_of(), response_of(charge=-1)
    turned = {"seebeck_coefficient", "peltier_coefficient", "peltier_coefficient_own_potential"}
    for name, value in plus.values.items():
        sign = -1 if name in turned else 1
        np.testing.assert_array_equal(minus.values[name], sign * value)
    # A barrier: the transmission rises with the energy below its top.
    assert response_of(mu=-1.5).values["seebeck_coefficient"] > 0
    assert response_of(mu=-1.5, charge=-1).values["seebeck_coefficient"] < 0


@pytest.mark.parametrize("level", [0.0, 0.145])
@pytest.mark.parametrize("temperature", [0.0, 0.3])
def test_a_level_that_nothing_reaches_conducts_nothing(level, temperature):
    leads = [wide_band_at(name, 0, 0.0, 0.58, temperature) for name in ("left", "right")]
    zero = Tridiagonal.zero(1)
    found = linear_response(OpenSystem(chain(1, 1.0, np.array([level])), zero, zero, leads))
    assert found.converged
    assert (found.electrical_conductance.value, found.thermal_conductance.value) == (0.0, 0.0)
    assert all(np.isnan(x.value) and x.undefined for x in ratios(found))
