"""Lattices of study files: the matrices they stand for, where leads go, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from nessflow.scattering import geometry
from nessflow.scattering.matrices import Sparse, Tridiagonal, as_dense
from nessflow.studies import steady_current
from nessflow.studies.kind import Status
from nessflow.studies.systems import System, open_system

LEAD = {"kind": "wide-band", "broadening": 1.0, "chemical_potential": 0.1, "temperature": 0.05}
LEADS = {"left": {**LEAD, "chemical_potential": 0.4}, "right": LEAD}

LATTICES = {
    "ssh": (
        {"sites": 8, "intracell_hopping": 0.5, "intercell_hopping": 1.5},
        geometry.ssh_chain(8, 0.5, 1.5, 0.2).to_dense(),
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
    "loss on bonds needs a chain, the lattice is a strip; use the kind onsite or sites": (
        "strip",
        {"loss": {"kind": "bond", "rate": 0.1}},
    ),
    "gain on site 19 of 18": ("strip", {"gain": {"kind": "sites", "rates": {19: 0.1}}}),
    "lead right on site 14 of 13": ("star", {"leads": LEADS | {"right": {**LEAD, "site": 14}}}),
    "onsite has 2 energies for 10 sites": (
        "ladder",
        {"lattice": {"kind": "ladder", "length": 5, "onsite": (0.1, 0.2)}},
    ),
    "greater than or equal to 3": ("ring", {"lattice": {"kind": "ring", "sites": 2}}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_faults_are_named(message):
    kind, changes = REFUSED[message]
    with pytest.raises(ValidationError, match=message):
        described(kind, **changes)


def test_bond_loss_of_an_ssh_chain_is_that_of_a_chain():
    system = open_system(described("ssh", loss={"kind": "bond", "rate": 0.1}), None)
    np.testing.assert_allclose(system.loss.upper, -0.1j, atol=1e-16)
