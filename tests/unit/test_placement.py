"""Sources and drains of the classical kinds: their sites, and what is refused."""

import numpy as np
import pytest
from pydantic import ValidationError

from judging import judged
from nessflow.kinds import classical_lattice, classical_relaxation, resistor_circuit
from nessflow.studies.kind import Status
from nessflow.studies.placement import Injection

DENSITIES = {"left": {"density": 1.2}, "right": {"density": 1.0}}
POTENTIALS = {
    "left": {"chemical_potential": 1},
    "right": {"chemical_potential": 0},
    "temperature": 0.1,
}
PAIR = {"sources": {"sites": [2], "current": 0.1}, "drains": {"sites": [5], "current": -0.1}}


def movers(kind=classical_lattice, extra=(), **changes):
    system = {"sites": 6, "hopping_probability": 0.5, "injections": PAIR, "leads": DENSITIES}
    return kind.Parameters.model_validate({"system": system | changes, **dict(extra)})


def resistors(**changes):
    system = {"sites": 6, "resistance": 1.0, "injections": PAIR, "leads": POTENTIALS}
    return resistor_circuit.Parameters.model_validate({"system": system | changes})


def injection(sites, current=1.0):
    return Injection.model_validate({"sites": sites, "current": current})


def test_sites_of_a_range_include_its_end():
    assert injection({"start": 2, "stop": 8, "step": 3}).sites == (2, 5, 8)
    assert injection({"start": 3, "stop": 3}).sites == (3,)
    np.testing.assert_array_equal(injection({"start": 2.0, "stop": 4.0}).indices(), [1, 2, 3])


BAD_SITES = {
    "empty": ([], "no sites"),
    "backwards": ({"start": 4, "stop": 2}, "stop 2 is below start 4"),
    "twice": ([2, 3, 2], "listed twice"),
    "not whole": ({"start": 2, "stop": 4.5}, "whole numbers"),
    "no end": ({"start": 2}, "whole numbers"),
    "no step": ({"start": 2, "stop": 4, "step": 0}, "whole numbers"),
    "misspelt": ({"start": 2, "stop": 4, "stpe": 2}, "start: , stop: , step: "),
    "not finite": ({"start": 2, "stop": float("inf")}, "whole numbers"),
}


@pytest.mark.parametrize("name", BAD_SITES)
def test_sites_that_are_refused(name):
    sites, message = BAD_SITES[name]
    with pytest.raises(ValidationError, match=message):
        injection(sites)


BAD_PLACEMENTS = {
    "on the left end": ({"in": {"sites": [1], "current": 1}}, "site 1 .* use 2 to 5"),
    "on the right end": ({"in": {"sites": [6], "current": 1}}, "site 6 .* ends are 1 and 6"),
    "beyond": ({"in": {"sites": {"start": 2, "stop": 90}, "current": 1}}, "site 6 "),
    "shared": (
        {"in": {"sites": [3], "current": 1}, "out": {"sites": [2, 3], "current": -1}},
        "site 3 is in in and in out",
    ),
    "named as an end": ({"left": {"sites": [3], "current": 1}}, "left is an end"),
}


@pytest.mark.parametrize("make", [movers, resistors])
@pytest.mark.parametrize("name", BAD_PLACEMENTS)
def test_placements_that_are_refused(name, make):
    injections, message = BAD_PLACEMENTS[name]
    with pytest.raises(ValidationError, match=message):
        make(injections=injections)


@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_probabilities_that_are_refused(probability):
    with pytest.raises(ValidationError, match="hopping_probability"):
        movers(hopping_probability=probability)
    relaxation = {"initial_density": 1.0, "duration": 5}
    with pytest.raises(ValidationError, match="hopping_probability"):
        movers(classical_relaxation, relaxation, hopping_probability=0)


def test_densities_and_resistances_that_are_refused():
    with pytest.raises(ValidationError, match=r"leads\.left\.density"):
        movers(leads=DENSITIES | {"left": {"density": -0.1}})
    with pytest.raises(ValidationError, match="4 values for 5 bonds"):
        resistors(resistance=[1, 1, 1, 1])
    for resistance in (0.0, [1, 1, -1, 1, 1]):
        with pytest.raises(ValidationError, match="positive"):
            resistors(resistance=resistance)


def test_drains_that_take_more_than_arrives_are_suspect():
    drained = PAIR | {"drains": {"sites": [5], "current": -3.0}}
    found = judged(classical_lattice, movers(injections=drained))
    assert found.status == Status.SUSPECT
    assert "density[forward, right, 5] = -" in found.message
    assert "raise the densities of both leads" in found.message


def test_values_have_the_shapes_of_the_coordinates():
    relaxation = {"initial_density": 1.0, "duration": 9, "interval": 4}
    for kind, parameters in (
        (classical_lattice, movers()),
        (resistor_circuit, resistors(resistance=[1, 2, 3, 4, 5])),
        (classical_relaxation, movers(classical_relaxation, relaxation)),
    ):
        outcome = kind.evaluate(parameters, None)
        assert outcome.status == Status.OK
        sizes = {name: c.values.size for name, c in kind.coordinates(parameters).items()}
        assert outcome.values.keys() == kind.VARIABLES.keys()
        for name, variable in kind.VARIABLES.items():
            assert np.shape(outcome.values[name]) == tuple(sizes[dim] for dim in variable.dims)
            if not np.all(np.isfinite(outcome.values[name])):
                assert name.removesuffix("_error") in outcome.notes


def test_terminals_currents_add_up_to_nothing():
    uneven = PAIR | {"more": {"sites": [3, 4], "current": 0.2}}
    for kind, parameters in (
        (classical_lattice, movers(injections=uneven)),
        (resistor_circuit, resistors(injections=uneven)),
    ):
        currents = kind.evaluate(parameters, None).values["particle_current"]
        assert currents.shape == (2, 5)
        assert abs(currents.sum(axis=1)).max() < 1e-14


def test_a_lattice_without_injections_has_noise_and_entropy():
    values = classical_lattice.evaluate(movers(injections={}), None).values
    np.testing.assert_allclose(values["particle_noise"][0], [[2.2, -2.2], [-2.2, 2.2]])
    np.testing.assert_allclose(values["entropy_production"], 0.2 * np.log(1.2))
    assert (values["uncertainty_ratio"] > 2).all()
