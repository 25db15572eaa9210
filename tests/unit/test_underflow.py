"""A zero with the error zero is a true one: not the far tail of an occupation or of a wave."""

from pathlib import Path

import numpy as np
import pytest

import nessflow.kinds
from nessflow.config.project import load_study
from nessflow.mixture.closed_form import lorenz_number, seebeck_number
from nessflow.verbs.point import evaluate_point

EXAMPLES = Path(nessflow.kinds.__file__).parent / "examples"
FAR = '{"kind": "semi-infinite-chain", "chemical_potential": %s, "temperature": 0.1}'
LEADS = {
    "system.leads.left": FAR % -90,
    "system.leads.right": FAR % -90.5,
}
FIRST, SECOND = "mixture.reservoirs.0.chemical_potential", "mixture.reservoirs.1.chemical_potential"


def observables(kind, settings):
    overrides = [f"{key}={value}" for key, value in settings.items()]
    path = EXAMPLES / f"{kind}.yaml"
    study = load_study(path, overrides=overrides, one_point=True)
    result = evaluate_point(study)
    assert result["status"] == 0, result["message"]
    return {
        name: (np.array(x["value"], float), np.array(x["error"], float))
        for name, x in result["observables"].items()
        if x["error"] is not None
    }


TAILS = {
    "leads far below their band": ("steady-current", {"gamma": 0, **LEADS}, "net_particle_current"),
    "noise of full leads": (
        "steady-current",
        {"gamma": 0, "system.leads.left": FAR % 90, "system.leads.right": FAR % 90},
        "particle_noise",
    ),
    "counted charge": ("counting-statistics", LEADS, "cumulant"),
    "conductance": (
        "linear-response",
        {"system.leads.left": FAR % 80, "system.leads.right": FAR % 80},
        "electrical_conductance",
    ),
    "dilute gas": (
        "mixture-transport",
        {"mu": -800, FIRST: -800, SECOND: -900},
        "particle_density",
    ),
    "conductance of a dilute gas": ("mixture-conductance", {"mu": -800}, "electrical_conductance"),
    "weak barrier": ("mixture-density-response", {"mu": -80, FIRST: -80}, "density_response"),
    "two levels": (
        "master-equations",
        {"mu": -100, "reservoirs.right.chemical_potential": -90},
        "occupation",
    ),
}


@pytest.mark.parametrize("name", TAILS)
def test_far_tails(name):
    kind, settings, variable = TAILS[name]
    if name == "dilute gas":
        settings = settings | {"mixture.reservoirs.2.chemical_potential": -900}
    value, error = observables(kind, settings)[variable]
    zero = value == 0
    assert zero.any()
    assert (error[zero] > 0).all()
    assert error[zero].min() < 1e-300


def test_true_zeros_keep_the_error_zero():
    """No loss, no gain, leads that are alike: nothing flows."""
    found = observables("steady-current", {"gamma": 0, "bias": 0})
    value, error = found["particle_current"]
    np.testing.assert_array_equal(value[2:], 0)
    np.testing.assert_array_equal(error[2:], 0)
    assert found["reservoir_particle_current"][1].max() == 0
    value, error = observables("mixture-conductance", {"mu": -800})["net_particle_current"]
    assert value == error == 0


def test_ratios_where_conductances_underflow():
    """Particles that are alone: 1 - x and x^2 - 2 x + 2 at x = mu/T."""
    for mu in (-600, -730, -744, -800):
        found = observables("mixture-conductance", {"mu": mu})
        value, error = found["lorenz_ratio_at_fixed_potential"]
        np.testing.assert_allclose(value, mu**2 - 2 * mu + 2, rtol=1e-12)
        assert (error < 1e-9 * value).all()
        np.testing.assert_allclose(found["seebeck_coefficient"][0], 1 - mu, rtol=1e-12)
        np.testing.assert_allclose(found["lorenz_ratio"][0], 1, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_closed_forms_have_no_gap_where_exponentials_end(sign):
    x = np.array([-690.0, -699.9, -700.1, -709.0, -730.0, -744.9, -745.2, -1e4])
    np.testing.assert_allclose(lorenz_number(x, sign), x**2 - 2 * x + 2, rtol=1e-13)
    np.testing.assert_allclose(seebeck_number(x, sign), 1 - x, rtol=1e-13)


def test_tails_keep_their_digits_down_to_the_least_number():
    """Gaussian weights, particles that are alone: numbers in 40 digits, by other code."""
    particles = {
        "mixture.weights": '{"kind": "gaussian", "decay": 0.3}',
        "mixture.reservoirs": '[{"temperature": 1, "chemical_potential": %s}, '
        '{"temperature": 1, "chemical_potential": %s}]',
    }
    particles["mixture.reservoirs"] %= (-700, -701)
    found = observables("mixture-conductance", particles)
    for name, number in (
        ("particle_density", 2.690237115990939e-305),
        ("net_particle_current", 6.199586616907285e-306),
        ("net_particle_noise", 2.1464986597479976e-305),
        ("uncertainty_ratio", 3.4623254619818447),
    ):
        value, error = found[name]
        assert abs(value - number) <= error < 1e-11 * number, name
    value, error = found["electrical_conductance"]
    assert abs(value[0] - 9.807601620166136e-306) <= error[0] < 1e-317
    value, error = found["lorenz_ratio"]
    assert (abs(value - 0.390625) <= error).all()


def test_ratios_of_a_conductance_without_digits_are_undefined():
    particles = {
        "mixture.weights": '{"kind": "gaussian", "decay": 0.3}',
        "mixture.reservoirs": '[{"temperature": 1, "chemical_potential": -735}, '
        '{"temperature": 1, "chemical_potential": -741}]',
    }
    found = observables("mixture-conductance", particles)
    assert np.isnan(found["lorenz_ratio"][0]).all()
    assert (found["electrical_conductance"][0] <= found["electrical_conductance"][1]).all()
