"""Values beyond their mathematical range make a point suspect, of whatever kind it is."""

import numpy as np
import pytest

from nessflow.config.project import load_study, parameters_of
from nessflow.registry import kind_names
from nessflow.run.judge import judge, judge_all
from nessflow.studies.kind import (
    COVARIANCE,
    NOT_NEGATIVE,
    PROBABILITY,
    SECOND_LAW,
    Limits,
    Outcome,
    Status,
    Variable,
)
from nessflow.verbs.describe import EXAMPLES

SITES = {"site": np.array([1, 2, 3])}
LEADS = {"lead": np.array(["left", "right"]), "lead_2": np.array(["left", "right"])}


def verdict(value, error=None, limits=PROBABILITY, dims=("site",), names=SITES, **outcome):
    variables = {"x": Variable(dims, "1", "x", limits)}
    values = {"x": value}
    if error is not None:
        variables["x_error"] = Variable(dims, "1", "error of x")
        values["x_error"] = np.broadcast_to(error, np.shape(value))
    return judge(Outcome(values, **outcome), variables, names)


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([0.0, 0.5, 1.0], 0.0, ""),
        ([0.0, 0.5, 1.0 + 1e-9], 1e-8, ""),
        ([-1e-9, 0.5, 1.0], 1e-8, ""),
        ([0.0, -0.1, 1.0], 1e-8, "x[2] = -0.1 +- 1.0e-08 is outside [0, 1]"),
        ([0.0, 0.1, 1.001], 1e-8, "x[3] = 1.001 +- 1.0e-08 is outside [0, 1]"),
        ([2.0, 0.1, 3.0], 1e-8, "x[1] = 2 +- 1.0e-08 is outside [0, 1] (1 more such values)"),
        ([0.5, 0.5, 16.0], [0, 0, 33.0], "x[3] = 16 +- 3.3e+01: the error is larger than the"),
        ([0.5, 0.4, 0.3], [0, 2.0, 0], "x[2] = 0.4 +- 2.0e+00: the error is larger than the range"),
        ([0.5, 0.5, 0.5], [0, -1e-3, 0], "x has a negative error, -1.0e-03"),
    ],
)
def test_a_value_or_an_error_beyond_the_range_is_suspect(values, error, message):
    found = verdict(np.array(values), np.array(error))
    assert found.status == (Status.SUSPECT if message else Status.OK)
    assert found.message.startswith(message)


def test_a_value_without_an_error_may_miss_a_bound_by_rounding():
    assert verdict(np.array([0.0, -1e-16, 1 + 1e-15])).status == Status.OK
    found = verdict(np.array([0.0, 0.5, -29.0]))
    assert (found.status, found.message) == (Status.SUSPECT, "x[3] = -29 is outside [0, 1]")


def test_a_range_without_end_has_no_error_too_large():
    found = verdict(np.array([1.0, 2.0, 3.0]), 5.0, NOT_NEGATIVE)
    assert found.status == Status.OK


def test_what_a_broken_limit_means_is_said():
    found = verdict(-1e-3, 1e-9, SECOND_LAW, (), {})
    assert found.message == "x = -0.001 +- 1.0e-09 is outside [0, inf]: the second law is violated"


def test_limits_of_a_point_take_the_place_of_those_of_the_kind():
    bosons = {"x": NOT_NEGATIVE}
    assert verdict(np.array([0.1, 2.0, 7.0]), 0.0, limits=PROBABILITY).status == Status.SUSPECT
    assert verdict(np.array([0.1, 2.0, 7.0]), 0.0, limits=PROBABILITY, **{}).status != Status.OK
    values = {"x": np.array([0.1, 2.0, 7.0])}
    variables = {"x": Variable(("site",), "1", "x", PROBABILITY)}
    assert judge(Outcome(values, limits=bosons), variables, SITES).status == Status.OK


def test_limits_may_differ_from_value_to_value():
    limits = Limits(np.array([0.0, -np.inf, 0.0]), np.array([1.0, 0.0, 2.0]))
    assert verdict(np.array([1.0, -5.0, 2.0]), 0.0, limits).status == Status.OK
    found = verdict(np.array([1.0, 0.5, 2.0]), 0.0, limits)
    assert found.message == "x[2] = 0.5 +- 0.0e+00 is outside [-inf, 0]"


@pytest.mark.parametrize(
    ("matrix", "error", "fine"),
    [
        ([[1.0, -1.0], [-1.0, 1.0]], 0.0, True),
        ([[1.0, -1.0], [-1.0, 0.9999]], 1e-9, False),
        ([[1.0, -1.0], [-1.0, 0.9999]], 1e-4, True),
        ([[0.0, 0.1], [0.1, 0.0]], 1e-9, False),
        ([[-0.1, 0.0], [0.0, 1.0]], 1e-9, False),
        # Broken reciprocity: the symmetric part counts.
        ([[1.0, -1.5], [-0.5, 1.0]], 1e-9, True),
    ],
)
def test_a_covariance_has_no_negative_eigenvalue(matrix, error, fine):
    found = verdict(np.array(matrix), error, COVARIANCE, ("lead", "lead_2"), LEADS)
    assert found.status == (Status.OK if fine else Status.SUSPECT)
    assert fine or "x is not positive semidefinite: eigenvalue -" in found.message


def test_matrices_of_some_equations_alone_are_judged():
    good, bad = np.eye(2), -np.eye(2)
    names = {"equation": np.array(["exact", "epa"])} | LEADS
    limits = Limits(semidefinite=np.array([True, False]))
    for matrices, status in (([good, bad], Status.OK), ([bad, good], Status.SUSPECT)):
        found = verdict(np.array(matrices), 0.0, limits, ("equation", "lead", "lead_2"), names)
        assert found.status == status


def test_undefined_values_are_not_judged_but_need_a_reason():
    found = verdict(np.array([0.5, np.nan, 0.5]), np.array([0, np.nan, 0]))
    assert found.message == "not finite, and no reason given: x, x_error"
    found = verdict(np.array([0.5, np.nan, 0.5]), 0.0, notes={"x": "no such site"})
    assert (found.status, found.reasons) == (Status.OK, {"x": "no such site"})


def test_a_point_that_failed_stays_as_it_is():
    found = verdict(np.array([2.0, 2.0, 2.0]), status=Status.NOT_CONVERGED, message="no")
    assert (found.status, found.message) == (Status.NOT_CONVERGED, "no")


def test_points_are_judged_together_as_each_alone():
    """Limits that differ from point to point, of some and of none, and faults of every kind."""
    matrix = Variable(("lead", "lead_2"), "1", "y", COVARIANCE)
    variables = {"x": Variable(("site",), "1", "x", PROBABILITY), "y": matrix}
    variables |= {f"{name}_error": Variable(v.dims, "1", name) for name, v in variables.items()}

    def outcome(x=0.5, y=1.0, error=1e-9, **others):
        values = {"x": np.array([0.1, x, 0.9]), "y": np.array([[1.0, 0.0], [0.0, y]])}
        values |= {f"{name}_error": np.full_like(value, error) for name, value in values.items()}
        return Outcome(values, **others)

    outcomes = [
        outcome(),
        outcome(x=1.5),
        outcome(x=1.5, limits={"x": Limits(np.zeros(3), np.array([1.0, 2.0, 1.0]))}),
        outcome(x=2.5, limits={"x": Limits(0, 2, "too much")}),
        outcome(x=np.nan),
        outcome(x=np.nan, notes={"x": "no such site"}),
        outcome(y=-1.0),
        outcome(y=-1.0, limits={"y": Limits()}),
        outcome(error=-1e-9),
        outcome(x=1.5, y=-1.0, error=3.0),
        outcome(x=7.0, status=Status.NOT_CONVERGED, message="no"),
    ]
    coordinates = SITES | LEADS
    found = judge_all(outcomes, variables, coordinates)
    assert len(set(found.messages)) == 8
    for k, each in enumerate(outcomes):
        alone = judge(each, variables, coordinates)
        assert alone[1:] == (found.status[k], found.messages[k], found.reasons[k])
        for name, value in alone.values.items():
            np.testing.assert_array_equal(value, found.values[name][k])


def test_a_shape_that_is_not_declared_is_refused():
    variables = {"x": Variable(("site",), "1", "x")}
    good, bad = Outcome({"x": np.zeros(3)}), Outcome({"x": np.zeros(2)})
    for outcomes in ([good, bad], [bad, bad]):
        with pytest.raises(ValueError, match=r"x has the shape \(2,\), not \(3,\)"):
            judge_all(outcomes, variables, SITES)
    with pytest.raises(ValueError, match="the kind returned no x"):
        judge_all([good, Outcome({})], variables, SITES)


WITH_RANGE = {"occupation", "probability", "weight", "transmission", "noise", "variance", "density"}
WITH_RANGE |= {"population", "efficiency", "uncertainty", "conductance", "entropy", "merit"}
OF_ANY_SIGN = {"conductance", "sommerfeld_conductance_ratio"}
"""Half a difference of two currents over a bias; an expansion that fails."""
OF_ANY_SIGN_IN = {"asymptotic-rates": {"particle_noise", "entropy_production"}}
"""Rates of the exponential-propagator approximation may be negative."""
WITHOUT = {"net", "own", "change", "response", "lead", "bath", "deviation", "cumulant", "moment"}


@pytest.mark.parametrize("name", kind_names())
def test_what_is_a_probability_or_a_variance_has_limits(name):
    """A new variable whose name says that it has a range must not forget it."""
    study = load_study(EXAMPLES / f"{name}.yaml", one_point=True)
    kind = study.kind
    labels = {axis.name: axis.labels[0] for axis in study.axes}
    parameters = parameters_of(study, labels)
    rng = np.random.default_rng(0) if kind.is_random(parameters) else None
    outcome = kind.evaluate(parameters, rng)
    limits = {x: outcome.limits.get(x, v.limits) for x, v in kind.VARIABLES.items()}
    free = {x for x, v in limits.items() if not (v.bounded or np.any(v.semidefinite))}
    missing = {x for x in free if not x.endswith("_error") and WITH_RANGE & {*x.split("_")}}
    allowed = OF_ANY_SIGN | OF_ANY_SIGN_IN.get(name, set())
    assert {x for x in missing if not WITHOUT & {*x.split("_")}} <= allowed
