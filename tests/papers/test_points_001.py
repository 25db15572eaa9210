"""Reference numbers of paper 001 through the studies, as `nessflow point` gives them."""

import math

import numpy as np
import pytest
from one_point import point

OPEN = 0.1 / (2 * math.pi)
FORWARD, REVERSE = 0, 1


def observed(name, study, **settings):
    entry = point(study, **settings)["observables"][name]
    return np.array(entry["value"], float), np.array(entry.get("error", 0.0), float)


POTENTIALS = {
    "2(b), forward": (1.073611111111111, FORWARD, 2, "source-drain-potentials", {"i_g": 0.3}),
    "2(b), reverse": (1.0625, REVERSE, 2, "source-drain-potentials", {"i_g": 0.3}),
    "3(a)": (0.9377237263078437, FORWARD, 15, "source-drain-profile", {"i_g": 0.3}),
    "5": (1.0452162878787878, FORWARD, 2, "source-drain-coupling", {"gamma": 0.8}),
    "7": (1.4823904366995038, FORWARD, 10, "source-drain-profile-size", {"N": 26, "i_g": 0.3}),
}


@pytest.mark.parametrize("figure", POTENTIALS)
def test_chemical_potential(figure):
    reference, direction, site, study, settings = POTENTIALS[figure]
    value, _ = observed("site_chemical_potential", study, **settings)
    assert value[direction, site - 1] == pytest.approx(reference, rel=1e-9)


LEFT_CURRENTS = {
    "2(b), forward": (0.01228849390539464, FORWARD, "source-drain-potentials"),
    "2(b), reverse": (-0.01334952685934061, REVERSE, "source-drain-potentials"),
    "3(a), forward": (0.0018015810004557893, FORWARD, "source-drain-profile"),
}


@pytest.mark.parametrize("figure", LEFT_CURRENTS)
def test_left_current(figure):
    reference, direction, study = LEFT_CURRENTS[figure]
    value, error = observed("particle_current", study, i_g=0.3)
    assert value[direction, 0] == pytest.approx(reference, rel=1e-9)
    assert abs(value[direction, 0] - reference) <= error[direction, 0] + 1e-16


NONRECIPROCAL = {
    "3(b)": (0.000672062249334915, "nonreciprocity-size", {"gamma": 0.5, "N": 50}),
    "3(c)": (0.00035367765131532296, "one-dimer-size", {"gamma": 0.5, "N": 7}),
    "8": (
        -0.00015735099651362512,
        "contact-scattering",
        {"mu": 1, "gamma": 0.5, "delta": -0.2},
    ),
    "9": (0.00042366428564405195, "contact-scattering-size", {"delta": -0.1, "N": 40}),
    "10": (0.0007260346316187616, "sparse-sources-drains", {"gamma": 0.3, "mu": 0.6}),
}


@pytest.mark.parametrize("figure", NONRECIPROCAL)
def test_nonreciprocal_current(figure):
    reference, study, settings = NONRECIPROCAL[figure]
    value, error = observed("nonreciprocal_current", study, **settings)
    assert value == pytest.approx(reference, rel=1e-9)
    assert abs(value - reference) <= error + 1e-16


def test_relative_nonreciprocity_to_third_order():
    settings = {"gamma": 0.5, "order": "third-order", "i_g": 0.5}
    value, _ = observed("relative_nonreciprocity", "relative-nonreciprocity", **settings)
    assert value == pytest.approx(-0.009286680678792963, rel=1e-9)


ORDERS = {
    (0.5, "linear"): -0.0152,
    (0.5, "third-order"): -0.03039,
    (0.5, "exact"): -0.03025,
    (0.7, "linear"): 0.0845,
    (0.7, "third-order"): 0.07126,
    (0.7, "exact"): 0.07137,
}


@pytest.mark.parametrize(("gamma", "order"), ORDERS)
def test_orders_at_a_source_current_of_one_open_channel(gamma, order):
    settings = {"gamma": gamma, "order": order, "i_g": 1}
    value, _ = observed("relative_nonreciprocity", "relative-nonreciprocity", **settings)
    assert value == pytest.approx(ORDERS[gamma, order], abs=6e-5)


def test_only_the_nonreciprocal_current_saturates():
    """Erratum E20 in the study of Fig. 3(b)."""
    found = point("nonreciprocity-size", gamma=0.5, N=400)["observables"]
    source = 0.05 * OPEN
    assert found["nonreciprocity"]["value"] == pytest.approx(0.811 * source, rel=1e-3)
    assert found["nonreciprocal_current"]["value"] == pytest.approx(0.979 * source, rel=1e-3)


def test_zero_between_sparse_sources_and_drains():
    for gamma in (0.1, 0.5):
        value, error = observed("nonreciprocal_current", "sparse-sources-drains", gamma=gamma, mu=1)
        assert abs(value) <= error < 1e-14


def test_physical_root_of_the_third_order():
    found = point("third-order-roots", i_g=0.5)["observables"]
    physical = np.array(found["root_is_physical"]["value"], float)
    roots = np.array(found["root_chemical_potential"]["value"], float)
    assert found["root_count"]["value"] == 9
    assert physical.sum() == 1
    np.testing.assert_allclose(
        roots[physical == 1][0], found["physical_chemical_potential"]["value"], rtol=1e-12
    )


SHORT = {f"system.probes.{x}.current": s * 0.1 * OPEN for x, s in (("source", 1), ("drain", -1))}
NO_STATE = {
    "sparse-sources-drains": {"gamma": 0.1, "mu": 1.8},
    "short-wire-coupling": {"gamma": 0.05, "mu": 1.8, **SHORT},
    "source-drain-arrangement": {"gamma": 0.05},
}


@pytest.mark.parametrize("study", NO_STATE)
def test_beyond_the_band_there_is_no_state(study):
    """Linear response of sources that do not carry so much, which the studies show no more."""
    found = point(study, status=4, **NO_STATE[study])
    assert found["message"].startswith("no such state: probe 'source")
    assert found["observables"]["band_excess"]["value"] > 0
    assert found["observables"]["relative_departure"]["value"] > 5


def test_linear_response_beside_the_exact_current():
    """Inside the band, and 19 % apart: what was left out says so."""
    study, settings = "long-range-sources-drains", {"gamma": 0.1, "a": 2.25}
    linear = point(study, order="linear", **settings)["observables"]
    exact = point(study, order="exact", **settings)["observables"]
    name = "nonreciprocal_current"
    assert exact[name]["value"] / linear[name]["value"] == pytest.approx(0.81, abs=0.01)
    assert linear["neglected_orders"]["value"] == pytest.approx(0.17, abs=0.01)
    assert exact["neglected_orders"]["value"] == 0


# --- beyond the paper -------------------------------------------------------------------


def test_arrangement_decides():
    """A mirror-symmetric wire is reciprocal; apart, sources and drains act together."""
    share = {
        name: observed(
            "nonreciprocal_current", "source-drain-arrangement", arrangement=name, gamma=0.5
        )[0]
        / (0.05 * OPEN)
        for name in ("mirror", "alternating", "pairs", "halves")
    }
    assert abs(share["mirror"]) < 1e-12
    assert 0 < share["alternating"] < 1 < share["pairs"] < share["halves"]
    assert share["halves"] > 10 * share["alternating"]


def test_dimerisation_of_the_wire():
    """Equal hoppings are the uniform wire; the two dimerisations differ by more than their sign."""
    share = {
        v: observed("nonreciprocal_current", "ssh-sources-drains", mu=0.3, v=v)[0] / (0.05 * OPEN)
        for v in (0.8, 1.0, 1.25)
    }
    uniform, _ = observed("nonreciprocal_current", "long-range-sources-drains", gamma=0.3, a=60)
    wire, _ = observed("nonreciprocal_current", "ssh-sources-drains", mu=1, v=1)
    assert uniform == pytest.approx(wire, rel=1e-12)
    assert share[0.8] < 0 < share[1.0] < 1 < share[1.25]


def test_ballistic_and_diffusive_conductance():
    ballistic, _ = observed("conductance", "conductance-size", gamma=0.05, N=4)
    assert 2 * math.pi * ballistic == pytest.approx(1, abs=0.01)
    long = [observed("conductance", "conductance-size", gamma=0.8, N=n)[0] for n in (100, 200)]
    assert long[0] / long[1] == pytest.approx(2, rel=0.02)


def test_no_probe_no_nonreciprocity():
    """Sources and drains scatter; as they are coupled ever weaker, reversal changes nothing.

    So weakly coupled they carry a current of `2 gamma^2` of an open channel and no more.
    """
    source = 1e-4 * OPEN
    currents = {"system.probes.source.current": source, "system.probes.drain.current": -source}
    shares = [
        observed("nonreciprocal_current", "nonreciprocity-size", gamma=gamma, N=20, **currents)[0]
        for gamma in (0.02, 0.04)
    ]
    assert shares[1] == pytest.approx(4 * shares[0], rel=0.05)
    assert 0 < shares[0] < 0.01 * source
