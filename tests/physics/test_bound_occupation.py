"""What bound and dark states hold beside what terminals fill: closed forms, long finite leads."""

import numpy as np
import pytest

from nessflow.observables.density import Density
from nessflow.observables.observable import evaluate
from nessflow.outcome import Status
from nessflow.spectrum.occupation import fermi
from nessflow.studies import systems

FAR = 600
"""Sites of a finite lead; what its end does is exponentially small at these temperatures."""


def description(lattice, mu=0.2, temperature=0.3, coupling=1.0, right=None):
    lead = {"kind": "semi-infinite-chain", "coupling": coupling, "temperature": temperature}
    potentials = {"left": mu, "right": mu if right is None else right}
    leads = {name: lead | {"chemical_potential": x} for name, x in potentials.items()}
    return {"lattice": lattice, "leads": leads}


IMPURITY = {"kind": "chain", "sites": 1, "onsite": 1.5}
CHAIN = {"kind": "chain", "sites": 5, "onsite": [0.0, 0.0, 3.0, 0.0, -2.5]}
RING = {"kind": "ring", "sites": 8, "flux": 0.4}
DARK = {"kind": "ring", "sites": 8}
CASES = {
    "one bound": (IMPURITY, {}),
    "two bound": (CHAIN, {}),
    "dark": (DARK, {"coupling": 0.5}),
    "neither": (RING, {}),
}


def outcome(given, **parameters):
    system = systems.open_system(systems.System.model_validate(given), None)
    found = evaluate(system, [Density(**parameters)])
    assert found.status == Status.OK, found.message
    return system, found


def in_equilibrium(system, mu, temperature, coupling):
    """Occupations of the sites of the system between long chains, all in equilibrium."""
    n, sites = system.sites, [lead.site for lead in system.leads]
    h = np.zeros((n + 2 * FAR, n + 2 * FAR), complex)
    h[:n, :n] = system.damping_matrix()
    for k, site in enumerate(sites):
        chain = n + k * FAR + np.arange(FAR)
        h[chain[:-1], chain[1:]] = h[chain[1:], chain[:-1]] = -1
        h[site, chain[0]] = h[chain[0], site] = -coupling
    levels, vectors = np.linalg.eigh(h)
    return abs(vectors[:n]) ** 2 @ fermi(levels, mu, temperature)


@pytest.mark.parametrize("name", CASES)
def test_with_fermi_occupations_are_those_of_equilibrium(name):
    lattice, more = CASES[name]
    given = {"mu": 0.2, "temperature": 0.3, "coupling": 1.0} | more
    system, found = outcome(description(lattice, **given), bound_occupation="fermi")
    expected = in_equilibrium(system, **given)
    missed = abs(found.values["occupation"] - expected)
    assert (missed <= found.values["occupation_error"] + 1e-11).all()
    assert found.values["occupation_error"].max() < 1e-9


def test_where_all_is_filled_a_site_is_full():
    """An impurity of energy U binds a state of the weight ``U/sqrt(4 + U^2)`` above the band."""
    given = description(IMPURITY, mu=9.0, temperature=0.0)
    for held, expected in (("none", 0.4), ("fermi", 1.0), (0.5, 0.7), (0, 0.4), (1, 1.0)):
        _, found = outcome(given, bound_occupation=held)
        assert found.values["occupation"][0] == pytest.approx(expected, abs=1e-10)
        assert found.values["bound_weight"][0] == pytest.approx(0.6, abs=1e-10)


def test_a_level_at_the_step_is_as_uncertain_as_that_is():
    """At temperature 0 and ``mu`` at a level to rounding, it holds anything between 0 and 1."""
    _, found = outcome(description(IMPURITY, mu=2.5, temperature=0.0), bound_occupation="fermi")
    assert 0.4 <= found.values["occupation"][0] <= 1
    assert found.values["occupation_error"][0] > 0.29


def test_leads_that_differ_do_not_say_what_a_bound_state_holds():
    given = description(DARK, coupling=0.5, right=-0.2)
    _, found = outcome(given, bound_occupation="fermi")
    weight = found.values["bound_weight"]
    assert (np.isnan(found.values["occupation"]) == (weight > 1e-8)).all()
    assert "give bound states a number" in found.notes["occupation"]
    _, number = outcome(given, bound_occupation=0.5)
    _, none = outcome(given)
    expected = none.values["occupation"] + 0.5 * weight
    assert number.values["occupation"] == pytest.approx(expected, abs=1e-15)
