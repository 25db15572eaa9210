"""Resistances and thermopowers of many leads: brute force, reciprocity, known resistor networks."""

import numpy as np
import pytest

from nessflow.estimate import Estimate
from nessflow.kinds import linear_response
from nessflow.observables.observable import evaluate
from nessflow.observables.response.network import CUT, difference
from nessflow.observables.response.resistances import Resistances
from nessflow.observables.response.thermopowers import Thermopowers
from nessflow.outcome import Status
from nessflow.studies import systems

HALL = {"current": ["left", "right"], "voltage": ["top", "bottom"]}
NAMES = ("left", "right", "top", "bottom")


def cross(flux=0.7, mu=0.3, temperature=0.0, loss=None, **leads):
    """A ring of 8 sites with four different leads, of which two are off the symmetric places."""
    wide = {"kind": "wide-band", "chemical_potential": mu, "temperature": temperature}
    places = dict(zip(NAMES, ((1, 0.9), (4, 1.3), (6, 0.4), (8, 0.7)), strict=True))
    given = {
        "lattice": {"kind": "ring", "sites": 8, "flux": flux, "onsite": 0.2},
        "leads": {
            name: wide | {"site": site, "broadening": gamma} | leads.get(name, {})
            for name, (site, gamma) in places.items()
        },
    }
    given |= {"loss": {"kind": "onsite", "rate": loss}} if loss else {}
    return systems.open_system(systems.System.model_validate(given), None)


def found(system, *observables):
    outcome = evaluate(system, observables)
    assert outcome.status == Status.OK, outcome.message
    return outcome


def transmissions(system, energy):
    """``T_ab`` between the leads, and what each takes from loss, by a dense inverse."""
    sites = [lead.site for lead in system.leads]
    gamma = np.array([lead.broadening_at(np.array([energy]))[0] for lead in system.leads])
    matrix = energy * np.eye(system.sites) - system.damping_matrix()
    matrix[sites, sites] += 0.5j * gamma
    green = np.linalg.inv(matrix)
    pairs = gamma[:, None] * abs(green[np.ix_(sites, sites)]) ** 2 * gamma
    rates = 2 * np.diag(system.damping_matrix()).imag
    return pairs, gamma * (abs(green[sites]) ** 2 @ -rates)


def brute_force_matrix(system, order=0):
    """``M_k`` of the thermal window, by the trapezoidal rule, whose error is exponential."""
    mu, temperature = system.leads[0].chemical_potential, system.leads[0].temperature
    x = np.linspace(-45, 45, 6001) if temperature else np.zeros(1)
    weights = np.ones(1)
    if temperature:
        weights = (x[1] - x[0]) / (4 * np.cosh(x / 2) ** 2)
    total = 0.0
    for value, weight in zip(x, weights, strict=True):
        pairs, lost = transmissions(system, mu + value * temperature)
        np.fill_diagonal(pairs, 0.0)
        matrix = np.diag(pairs.sum(axis=1) + lost) - pairs
        total = total + weight * (value * temperature) ** order * matrix
    return total / (2 * np.pi)


def potentials(matrix, currents, is_closed=True):
    """What drives the currents, the last lead at 0 where only differences count."""
    if not is_closed:
        return np.linalg.solve(matrix, currents)
    return np.append(np.linalg.solve(matrix[:-1, :-1], currents[:-1]), 0.0)


@pytest.mark.parametrize("temperature", [0.0, 0.2])
@pytest.mark.parametrize("loss", [None, 0.05])
def test_resistances_are_those_of_the_network_of_a_dense_inverse(temperature, loss):
    system = cross(temperature=temperature, loss=loss)
    asked = {"hall": HALL, "bent": {"current": ["left", "top"], "voltage": ["right", "bottom"]}}
    values = found(system, Resistances(**asked)).values
    matrix = brute_force_matrix(system)
    for k, of in enumerate(asked.values()):
        first, second, p, q = (NAMES.index(x) for x in (*of["current"], *of["voltage"]))
        driven = np.zeros(4)
        driven[first], driven[second] = 1, -1
        volts = potentials(matrix, driven, is_closed=loss is None)
        missed = abs(values["resistance"][k] - (volts[p] - volts[q]))
        assert missed <= values["resistance_error"][k] < 1e-9


@pytest.mark.parametrize("loss", [None, 0.05])
def test_thermopowers_are_those_of_the_network_of_a_dense_inverse(loss):
    system = cross(temperature=0.2, loss=loss)
    asked = {"warmed": "top", "voltage": ["left", "right"]}
    values = found(system, Thermopowers(three=asked)).values
    driven = -brute_force_matrix(system, 1)[:, 2] / 0.2
    volts = potentials(brute_force_matrix(system), driven, is_closed=loss is None)
    missed = abs(values["thermopower"][0] + (volts[0] - volts[1]))
    assert missed <= values["thermopower_error"][0] < 1e-9
    electrons = found(system, Thermopowers(three=asked | {"charge": -1})).values
    assert electrons["thermopower"][0] == -values["thermopower"][0]


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_current_and_voltage_exchange_where_the_flux_is_reversed(temperature):
    """Buettiker's reciprocity: ``R_ab,cd(flux) = R_cd,ab(-flux)``; not at the same flux."""
    swapped = {"current": HALL["voltage"], "voltage": HALL["current"]}
    here = found(cross(0.7, temperature=temperature), Resistances(hall=HALL, swapped=swapped))
    there = found(cross(-0.7, temperature=temperature), Resistances(hall=HALL, swapped=swapped))
    first, second = here.values["resistance"], there.values["resistance"]
    assert first == pytest.approx(second[::-1], rel=1e-10)
    assert abs(first[0] - first[1]) > 0.1


def test_of_two_leads_they_are_one_over_the_conductance_and_the_seebeck_coefficient():
    lead = {"kind": "wide-band", "broadening": 0.8, "chemical_potential": 0.6, "temperature": 0.1}
    both = {"current": ["left", "right"], "voltage": ["left", "right"]}
    parameters = linear_response.Parameters(
        system={"lattice": {"kind": "chain", "sites": 3}, "leads": {"left": lead, "right": lead}},
        observables=[
            {"resistances": {"two": both}},
            {"thermopowers": {"two": {"warmed": "left", "voltage": ["left", "right"]}}},
        ],
    )
    values = linear_response.evaluate(parameters, None).values
    assert values["resistance"][0] * values["electrical_conductance"] == pytest.approx(1, abs=1e-12)
    assert values["thermopower"][0] == pytest.approx(values["seebeck_coefficient"], rel=1e-9)


CROSS_8 = {  # to left from right, top, bottom; to top from bottom
    -3.2: (
        0.014174509185769886,
        0.9858254226957557,
        1.8126518918112312e-08,
        1.2705914652160236e-07,
    ),
    -2.05: (0.012603579319082663, 1.987248550078464, 0.00013625186692069817, 0.0025688352110712943),
    -1.3: (0.04098731603294799, 2.9505503039038703, 0.007974667613016424, 0.5613535938244374),
}
"""Transmissions of a square of 8 x 8 sites, 0.5 rad a plaquette, between four leads of 8 channels;
they and the resistances in h/e^2 are from a program of its own, those of Kwant to 2e-14."""
HALL_8 = {-3.2: -0.9999999187577597, -2.05: -0.49935286307314203, -1.3: -0.27934426528839307}


@pytest.mark.parametrize("energy", CROSS_8)
def test_hall_resistance_of_a_cross(energy):
    """The network alone: what turns to the side is what makes the plateau."""
    across, right, left, sides = CROSS_8[energy]
    through = np.array(
        [
            [0, across, right, left],
            [across, 0, left, right],
            [left, right, 0, sides],
            [right, left, sides, 0],
        ]
    )
    matrix = (np.diag(through.sum(axis=1)) - through) / (2 * np.pi)
    driven = Estimate(np.array([1.0, -1.0, 0, 0]), np.zeros(4))
    conductance = Estimate(matrix, 1e-14 * abs(matrix))
    hall = difference(conductance, driven, (2, 3), (0, 1), NAMES, is_closed=True)
    assert hall.value / (2 * np.pi) == pytest.approx(HALL_8[energy], abs=1e-11)


def square_of_arms(mu, temperature):
    """The square, its left and right arms with the flux, those on top and at the bottom without."""
    size, flux = 8, 0.5
    filling = {"chemical_potential": mu, "temperature": temperature}

    def across(row):
        turn = np.exp(1j * flux * row)
        cell = np.diag(np.full(size - 1, -turn), 1)
        sites = [(column - 1) * size + row for column in range(1, size + 1)]
        lead = {"kind": "unit-cell", "site": sites, "hopping": (-np.eye(size)).tolist()}
        return lead | {"cell": (cell + cell.conj().T).tolist()} | filling

    return linear_response.Parameters(
        system={
            "lattice": {"kind": "strip", "length": size, "width": size, "flux": flux},
            "leads": {name: {"kind": "continued"} | filling for name in ("left", "right")}
            | {"top": across(size), "bottom": across(1)},
        },
        observables=[{"resistances": {"hall": HALL}}],
        accuracy=1e-5,
    )


@pytest.mark.parametrize(
    ("mu", "temperature", "expected", "digits"),
    [
        *((mu, 0.0, value, 1e-12) for mu, value in HALL_8.items()),
        (-2.05, 0.15, -0.44126248331074297, 1e-8),
    ],
)
def test_hall_resistance_of_a_square_with_four_arms(mu, temperature, expected, digits):
    """Between the plateaus too, where what goes straight on and what turns both count."""
    outcome = linear_response.evaluate(square_of_arms(mu, temperature), None)
    assert outcome.status == Status.OK, outcome.message
    found, error = (outcome.values[name][0] for name in ("resistance", "resistance_error"))
    assert abs(found / (2 * np.pi) - expected) <= digits + error
    assert error < 1e-6


def test_errors_hold_what_conductances_may_be_off_by():
    rng = np.random.default_rng(3)
    for _ in range(200):
        # A symmetric and a circulating part: rows and columns have equal sums.
        through = rng.uniform(0, 1, (5, 5)) ** 4
        through = through + through.T
        ring = rng.permutation(5)
        through[ring, np.roll(ring, 1)] += rng.uniform()
        np.fill_diagonal(through, 0.0)
        wrong = 10.0 ** rng.uniform(-9, -2) * through
        moved = through + wrong * rng.uniform(-1, 1, (5, 5))
        driven = Estimate(np.array([1.0, -1, 0, 0, 0]), np.zeros(5))

        def resistance(table, error, driven=driven):
            matrix = np.diag(table.sum(axis=1)) - table
            size = error + np.diag(error.sum(axis=1))
            given = Estimate(matrix, size)
            return difference(given, driven, (2, 4), (0, 1), "abcde", is_closed=True)

        one, other = resistance(through, wrong), resistance(moved, 0 * wrong)
        assert one.undefined or abs(one.value - other.value) <= one.error + other.error


@pytest.mark.parametrize("name", NAMES)
def test_a_lead_without_states_cuts_the_network(name):
    """Its potential is not defined; that of the others is, unless it is one of the four."""
    closed = {"kind": "semi-infinite-chain", "hopping": 0.2, "onsite": 3.0}
    given = {
        "lattice": {"kind": "ring", "sites": 8, "flux": 0.7},
        "leads": {
            lead: {"kind": "wide-band", "broadening": 0.9, "site": site}
            | {"chemical_potential": 0.3, "temperature": 0.0}
            for lead, site in zip((*NAMES, "fifth"), (1, 4, 6, 8, 2), strict=True)
        },
    }
    site = given["leads"][name]["site"]
    given["leads"][name] = closed | {"chemical_potential": 0.3, "temperature": 0.0, "site": site}
    system = systems.open_system(systems.System.model_validate(given), None)
    others = [x for x in (*NAMES, "fifth") if x != name]
    apart = {"current": others[:2], "voltage": others[2:]}
    outcome = found(system, Resistances(hall=HALL, others=apart))
    hall, rest = outcome.values["resistance"]
    assert np.isnan(hall)
    assert rest != 0
    assert CUT in outcome.notes["resistance"]
    assert name in outcome.notes["resistance"]


def test_leads_that_differ_have_no_linear_response():
    outcome = found(cross(left={"chemical_potential": 0.5}), Resistances(hall=HALL))
    assert np.isnan(outcome.values["resistance"]).all()
    assert "one chemical potential" in outcome.notes["resistance"]
