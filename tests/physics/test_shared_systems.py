"""Points that differ in occupations alone share what is known of their system, and no number."""

import numpy as np
import pytest

from judging import judged
from nessflow.kinds import linear_response, steady_current, transmission
from nessflow.spectrum.mesh import known_poles
from nessflow.studies import systems

STRIP = {
    "lattice": {"kind": "square", "length": 3, "width": 2, "onsite": 0.2},
    "loss": {"kind": "sites", "sites": [2], "rate": 0.1},
}
WIRE = {"lattice": {"kind": "chain", "sites": 4, "onsite": [0.1, 0, 0.3, 0]}}
SQUARE = {"kind": "matrix", "hamiltonian": [[0, 1, 0.5], [1, 0, 1], [0.5, 1, 0]]}
LEADS = {
    "strip": (STRIP, "continued"),
    "wire": (WIRE, "wide-band"),
    "matrix": ({"lattice": SQUARE}, "semi-infinite-chain"),
}


def system(name, left, right):
    own, kind = LEADS[name]
    fillings = zip(("left", "right"), (left, right), strict=True)
    leads = {
        side: {"kind": kind, "chemical_potential": mu, "temperature": T}
        for side, (mu, T) in fillings
    }
    if kind == "wide-band":
        leads = {side: lead | {"broadening": 1.0} for side, lead in leads.items()}
    return own | {"leads": leads}


def parameters(kind, name, *filling):
    keys = {"system": system(name, *filling)}
    if kind is transmission:
        keys["energies"] = [-1.1, 0.3, 0.9]
    return kind.Parameters(**keys)


FILLINGS = [((0.3, 0.2), (0.3, 0.2)), ((-0.4, 0.1), (-0.4, 0.1)), ((0.5, 0.3), (-0.2, 0.05))]


@pytest.mark.parametrize("name", LEADS)
@pytest.mark.parametrize("kind", [transmission, steady_current, linear_response])
def test_occupations_of_the_point_before_leave_no_bit(kind, name):
    fillings = FILLINGS[:2] if kind is linear_response else FILLINGS
    alone = []
    for filling in fillings:
        systems._last.clear()
        alone.append(judged(kind, parameters(kind, name, *filling)))
    systems._last.clear()
    for filling, expected in zip(fillings, alone, strict=True):
        found = judged(kind, parameters(kind, name, *filling))
        assert (found.status, found.reasons) == (expected.status, expected.reasons)
        assert found.values.keys() == expected.values.keys()
        for key, value in expected.values.items():
            np.testing.assert_array_equal(found.values[key], value, err_msg=key)


@pytest.mark.parametrize("name", LEADS)
def test_what_is_known_of_a_system_is_shared_and_no_more(name):
    def opened(*filling):
        parameters = systems.System(**system(name, *filling))
        return systems.open_system(parameters, None)

    first, second, third = (opened(*filling) for filling in FILLINGS)
    assert known_poles(second) is known_poles(first)
    assert known_poles(third.interpolated) is known_poles(first.interpolated)
    for own, ((mu, warmth), _) in zip((first, second, third), FILLINGS, strict=True):
        for part in (own, own.interpolated, own.with_rounded_leads(1e-15, 1)):
            assert part.leads[0].chemical_potential == mu
            assert part.terminals[0].temperature == warmth
            assert part.surroundings.leads is part.leads
    another = system(name, *FILLINGS[0]) | {"gain": {"kind": "sites", "sites": [1], "rate": 0.01}}
    found = systems.open_system(systems.System(**another), None)
    assert known_poles(found) is not known_poles(first)
