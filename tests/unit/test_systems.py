"""Lattices of study files: the matrices they stand for, where leads go, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

import lattices as geometry
from nessflow.kinds import (
    disorder_response,
    linear_response,
    steady_current,
    transmission,
    zero_current,
)
from nessflow.studies.kind import Status
from nessflow.studies.systems import System, open_system
from nessflow.systems.matrices import Sparse, Tridiagonal, as_dense

LEAD = {"kind": "wide-band", "broadening": 1.0, "chemical_potential": 0.1, "temperature": 0.05}
LEADS = {"left": {**LEAD, "chemical_potential": 0.4}, "right": LEAD}

LATTICES = {
    "ssh": (
        {"sites": 8, "intracell_hopping": 0.5, "intercell_hopping": 1.5},
        geometry.ssh_chain(8, 0.5, 1.5, 0.2).to_dense(),
        (0, 7),
    ),
    "long-range": (
        {"sites": 8, "exponent": 1.5, "reach": 3},
        geometry.long_range_chain(8, 1.0, 1.5, 3, 0.2).toarray(),
        (0, 7),
    ),
    "ladder": (
        {"length": 5, "rung_hopping": 0.3},
        geometry.ladder(5, 1.0, 0.3, 0.2).toarray(),
        (0, 9),
    ),
    "strip": ({"length": 6, "width": 3}, geometry.strip(6, 3, 1.0, 0.2).toarray(), (0, 17)),
    "ring": ({"sites": 9, "flux": 0.7}, geometry.ring(9, 1.0, 0.7, 0.2).toarray(), (0, 4)),
    "star": ({"arms": 3, "length": 4}, geometry.star(3, 4, 1.0, 0.2).toarray(), (4, 12)),
}


def described(kind, **changes):
    numbers, *_ = LATTICES[kind]
    system = {"lattice": {"kind": kind, **numbers, "onsite": 0.2}, "leads": LEADS}
    return System.model_validate(system | changes)


@pytest.mark.parametrize("kind", LATTICES)
def test_lattice_is_the_matrix_of_its_geometry(kind):
    _, matrix, contacts = LATTICES[kind]
    system = open_system(described(kind), None)
    np.testing.assert_array_equal(as_dense(system.hamiltonian), matrix)
    assert isinstance(system.hamiltonian, Tridiagonal if kind == "ssh" else Sparse)
    assert tuple(lead.site for lead in system.leads) == contacts


@pytest.mark.parametrize("kind", LATTICES)
def test_disorder_and_loss_act_on_the_sites_of_any_lattice(kind):
    _, matrix, _ = LATTICES[kind]
    changes = {"disorder": {"kind": "uniform", "half_width": 0.5}}
    changes |= {"loss": {"kind": "onsite", "rate": 0.1}}
    changes |= {"gain": {"kind": "sites", "rates": {2: 0.3}}}
    system = open_system(described(kind, **changes), np.random.default_rng(3))
    shift = as_dense(system.hamiltonian) - matrix
    np.testing.assert_allclose(shift, np.diag(np.diag(shift)), atol=0)
    assert 0.1 < abs(shift).max() <= 0.5
    np.testing.assert_array_equal(as_dense(system.loss), 0.1 * np.eye(len(matrix)))
    assert as_dense(system.gain)[1, 1] == 0.3
    assert system.gain.diagonal.sum() == 0.3


@pytest.mark.parametrize("kind", LATTICES)
def test_currents_flow_through_any_lattice(kind):
    parameters = {"system": described(kind, loss={"kind": "sites", "rates": {2: 0.1}})}
    outcome = steady_current.evaluate(steady_current.Parameters(**parameters), None)
    assert outcome.status == Status.OK
    assert outcome.values["landauer_particle_current"] > 1e-4


REFUSED = {
    "the ends are those of a chain, the lattice is a strip; the kind vectors": (
        "strip",
        {"loss": {"kind": "bond", "rate": 0.1, "boundary": True}},
    ),
    "the strip has no bond between the sites 1 and 3; the kind vectors": (
        "strip",
        {"loss": {"kind": "bond", "rate": 0.1, "bonds": ((1, 2), (1, 3))}},
    ),
    "the bond of the sites 2 and 1: listed twice": (
        "strip",
        {"loss": {"kind": "bond", "rate": 0.1, "bonds": ((1, 2), (2, 1))}},
    ),
    "there is no site 20: the strip has 18 sites": (
        "strip",
        {"loss": {"kind": "vectors", "vectors": ({1: 0.3}, {3: 0.1, 20: 0.2j})}},
    ),
    "the amplitude is 0: leave the site out": (
        "strip",
        {"gain": {"kind": "vectors", "vectors": ({1: 0.3, 2: 0j},)}},
    ),
    "there is no site 19: the strip has 18 sites": (
        "strip",
        {"gain": {"kind": "sites", "rates": {19: 0.1}}},
    ),
    "there is no site 14: the star has 13 sites": (
        "star",
        {"leads": LEADS | {"right": {**LEAD, "site": 14}}},
    ),
    "onsite has 2 energies for 10 sites": (
        "ladder",
        {"lattice": {"kind": "ladder", "length": 5, "onsite": (0.1, 0.2)}},
    ),
    "lead top: site is missing; only leads named left and right have a default": (
        "ladder",
        {"leads": LEADS | {"top": LEAD}},
    ),
    "there is no site 11: the ladder has 10 sites": (
        "ladder",
        {"leads": {"left": {**LEAD, "site": (1, 11)}}},
    ),
    "site 2: listed twice": ("ladder", {"leads": {"left": {**LEAD, "site": (2, 3, 2)}}}),
    "no sites; name one": ("ladder", {"leads": {"left": {**LEAD, "site": ()}}}),
    "that is the name of the terminal of loss; give the lead another one": (
        "ladder",
        {"leads": LEADS | {"loss": {**LEAD, "site": 1}}},
    ),
    "a name of a lead starts with a letter": (
        "ladder",
        {"leads": {"my lead": {**LEAD, "site": 1}}},
    ),
    "at least 1 item": ("ladder", {"leads": {}}),
    "greater than or equal to 3": ("ring", {"lattice": {"kind": "ring", "sites": 2}}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_faults_are_named(message):
    kind, changes = REFUSED[message]
    with pytest.raises(ValidationError, match=message):
        described(kind, **changes)


# --- leads ----------------------------------------------------------------------------------------

CHAIN_LEAD = {"kind": "semi-infinite-chain", "chemical_potential": 0.4, "temperature": 0.05}


def strip_between(leads):
    lattice = {"kind": "strip", "length": 4, "width": 3}
    system = {"lattice": lattice, "leads": leads, "loss": {"kind": "sites", "rates": {5: 0.1}}}
    return steady_current.Parameters.model_validate({"system": system})


def column(first, **changes):
    return CHAIN_LEAD | {"site": [first, first + 1, first + 2]} | changes


def test_a_lead_on_a_column_of_a_strip_is_one_terminal():
    parameters = strip_between({"left": column(1), "right": column(10, chemical_potential=-0.1)})
    system = open_system(parameters.system, None)
    assert [lead.site for lead in system.leads] == [0, 1, 2, 9, 10, 11]
    assert [x.channels for x in system.terminals] == [(0, 1, 2), (3, 4, 5)]
    outcome = steady_current.evaluate(parameters, None)
    assert outcome.status == Status.OK
    assert outcome.values["particle_current"].shape == (4,)
    assert outcome.values["particle_noise"].shape == (2, 2)
    assert outcome.values["net_particle_current"] > 0.1


@pytest.mark.parametrize(("mu", "count"), [(-2.5, 1), (-1.5, 2), (0.0, 3)])
def test_leads_that_continue_a_strip_conduct_by_its_open_channels(mu, count):
    strips = {"kind": "semi-infinite-strip", "chemical_potential": mu, "temperature": 0}
    leads = {"left": column(1) | strips, "right": column(10) | strips}
    lattice = {"kind": "strip", "length": 4, "width": 3}
    parameters = linear_response.Parameters(system={"lattice": lattice, "leads": leads})
    outcome = linear_response.evaluate(parameters, None)
    assert outcome.status == Status.OK
    found = outcome.values["electrical_conductance"]
    assert found == pytest.approx(count / (2 * np.pi), abs=1e-13)
    system = open_system(parameters.system, None)
    assert [x.channels for x in system.terminals] == [(0, 1, 2), (3, 4, 5)]
    assert [x.name for x in system.terminals] == ["left", "right"]


def test_a_coherent_lead_has_one_channel_and_its_amplitudes():
    left = {**CHAIN_LEAD, "site": {3: "0.2j", 1: 0.3}}
    parameters = strip_between({"left": left, "right": CHAIN_LEAD | {"site": 12}})
    system = open_system(parameters.system, None)
    assert system.leads[0].coupling == ((0, 0.3), (2, 0.2j))
    assert [x.channels for x in system.terminals] == [(0,), (1,)]
    assert steady_current.evaluate(parameters, None).status == Status.OK


def test_left_is_left_whichever_comes_first():
    system = strip_between({"right": column(10), "left": column(1)}).system
    assert [lead.name for lead in open_system(system, None).terminals] == ["left", "right"]


def test_three_leads_by_name():
    leads = {
        "source": column(1),
        "drain": column(10, chemical_potential=-0.1),
        "top": CHAIN_LEAD | {"site": 6, "chemical_potential": 0.1},
    }
    parameters = strip_between(leads)
    names = steady_current.coordinates(parameters)
    assert names["terminal"].values.tolist() == ["source", "drain", "top", "loss", "gain"]
    assert names["lead"].values.tolist() == names["lead_2"].values.tolist() == list(leads)
    outcome = steady_current.evaluate(parameters, None)
    assert outcome.status == Status.OK
    shapes = {name: names[name].values.size for name in names}
    for name, variable in steady_current.VARIABLES.items():
        assert np.shape(outcome.values[name]) == tuple(shapes[d] for d in variable.dims), name
    for name in ("net_particle_current", "reservoir_energy_current", "net_particle_noise"):
        assert np.isnan(outcome.values[name]).all()
        assert "two leads, the system has 3" in outcome.notes[name]
    for name in ("third_cumulant", "scattering_entropy_production"):
        assert np.isfinite(outcome.values[name]).all()
    assert outcome.values["particle_current"].sum() == pytest.approx(0, abs=1e-10)


def test_uncertainty_ratio_of_each_of_three_leads():
    """Without loss at equal temperature, entropy production is power over temperature."""
    mu = {"a": 0.3, "b": -0.2, "c": 0.0}
    leads = {n: LEAD | {"site": k + 1, "chemical_potential": mu[n]} for k, n in enumerate(mu)}
    system = {"lattice": {"kind": "ring", "sites": 5}, "leads": leads}
    parameters = steady_current.Parameters.model_validate({"system": system})
    values = steady_current.evaluate(parameters, None).values
    current = values["particle_current"][:3]
    entropy = current @ np.array(list(mu.values())) / LEAD["temperature"]
    assert values["entropy_production"] == pytest.approx(entropy, rel=1e-8)
    expected = np.diag(values["particle_noise"]) * entropy / current**2
    np.testing.assert_allclose(values["lead_uncertainty_ratio"], expected, rtol=1e-8)


@pytest.mark.parametrize(("sites", "known"), [(4, True), (33, False)])
def test_scattering_entropy_of_loss_and_gain_that_are_not_proportional(sites, known):
    system = {
        "lattice": {"kind": "chain", "sites": sites},
        "loss": {"kind": "sites", "rates": {1: 0.1, 2: 0.2}},
        "gain": {"kind": "sites", "rates": {2: 0.1, 3: 0.3}},
        "leads": LEADS,
    }
    outcome = steady_current.evaluate(steady_current.Parameters(system=system), None)
    assert outcome.status == Status.OK
    assert (outcome.values["scattering_entropy_production"] > 0) == known
    assert ("scattering_entropy_production" in outcome.notes) != known


def test_transmission_and_linear_response_of_three_leads():
    mu = {"chemical_potential": 0.1}
    leads = {"a": column(1, **mu), "b": column(10, **mu), "c": CHAIN_LEAD | mu | {"site": 6}}
    system = strip_between(leads).system
    grid = {"start": -1, "stop": 1, "points": 3}
    spectrum = transmission.Parameters.model_validate({"system": system, "energies": grid})
    found = transmission.evaluate(spectrum, None)
    assert found.values["transmission"].shape == (3, 5, 3)
    assert "two leads" in found.notes["loss_transmission"]
    response = linear_response.evaluate(linear_response.Parameters(system=system), None)
    assert set(response.values) == set(linear_response.VARIABLES)
    conductance = response.values["conductance_matrix"]
    assert conductance.shape == (3, 3)
    # What the lossy site takes is missing from the rows.
    assert (conductance.sum(axis=1) > 0).all()
    assert np.isnan(response.values["seebeck_coefficient"])
    assert "the system has 3" in response.notes["seebeck_coefficient"]


@pytest.mark.parametrize("kind", [zero_current, disorder_response])
def test_kinds_that_need_two_leads_say_so(kind):
    system = strip_between({"a": column(1)}).system
    bracket = {"lower": -1, "upper": 1} if kind is zero_current else {}
    with pytest.raises(ValidationError, match="between two leads, the system has 1"):
        kind.Parameters.model_validate({"system": system, **bracket})


@pytest.mark.parametrize(("bias", "limit"), [(0.0, True), (1e-9, False), (0.7, False)])
def test_mean_square_of_a_net_current_has_no_weak_disorder_limit(bias, limit):
    lead = {"kind": "semi-infinite-chain", "temperature": 0.1}
    system = {
        "lattice": {"kind": "chain", "sites": 3},
        "loss": {"kind": "onsite", "rate": 0.1},
        "leads": {
            "left": lead | {"chemical_potential": 0.2 + bias},
            "right": lead | {"chemical_potential": 0.2},
        },
    }
    outcome = disorder_response.evaluate(
        disorder_response.Parameters.model_validate({"system": system}), None
    )
    name = "net_particle_current_mean_square_coefficient"
    assert outcome.status == Status.OK
    assert np.isfinite(outcome.values[name]) == limit
    assert ("has no limit" in outcome.notes.get(name, "")) != limit


def test_bond_loss_of_an_ssh_chain_is_that_of_a_chain():
    system = open_system(described("ssh", loss={"kind": "bond", "rate": 0.1}), None)
    np.testing.assert_allclose(system.loss.upper, -0.1j, atol=1e-16)
