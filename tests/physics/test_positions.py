"""Positions of sites and ends of bonds belong to each other and to the lattice."""

import numpy as np
import pytest

from attached import wide_band_at
from nessflow.observables.observable import evaluate
from nessflow.observables.sites.positions import Positions
from nessflow.studies import systems
from nessflow.systems.system import OpenSystem

WIDE = {"kind": "wide-band", "broadening": 1.0, "chemical_potential": 0.0, "temperature": 0.1}
LATTICES = {
    "chain": {"kind": "chain", "sites": 5},
    "ring": {"kind": "ring", "sites": 7, "flux": 0.3},
    "strip": {"kind": "strip", "length": 4, "width": 3},
    "honeycomb": {"kind": "honeycomb", "length": 2, "width": 3},
    "star": {"kind": "star", "arms": 3, "length": 2},
}


def found(lattice, **more):
    leads = {"left": WIDE | {"site": 1}}
    given = {"lattice": lattice, "leads": leads, **more}
    rng = np.random.default_rng(1)
    return evaluate(systems.open_system(systems.System.model_validate(given), rng), [Positions()])


@pytest.mark.parametrize("disorder", [{}, {"disorder": {"kind": "uniform", "half_width": 1.0}}])
@pytest.mark.parametrize("name", LATTICES)
def test_bonds_join_neighbours(name, disorder):
    values = found(LATTICES[name], **disorder).values
    places = np.stack([values[f"site_{x}"] for x in "xyz"], axis=1)
    ends = np.stack([values["bond_site"], values["bond_site_2"]]).astype(int) - 1
    assert np.linalg.norm(places[ends[0]] - places[ends[1]], axis=1) == pytest.approx(1.0)
    assert len(np.unique(places.round(9), axis=0)) == len(places)


def test_orbitals_of_a_site_have_its_position():
    alone, both = (found(LATTICES["strip"] | {"orbitals": n}).values for n in (1, 2))
    for x in "xyz":
        assert np.array_equal(both[f"site_{x}"], np.repeat(alone[f"site_{x}"], 2))


def test_a_system_of_matrices_has_no_positions():
    lead, nothing = wide_band_at("a", 0, 1.0, 0.0, 0.1), np.zeros((2, 2))
    system = OpenSystem(np.eye(2), nothing, nothing, [lead])
    outcome = evaluate(system, [Positions()])
    assert np.isnan(outcome.values["site_x"]).all()
    assert "without a lattice" in outcome.notes["site_x"]
