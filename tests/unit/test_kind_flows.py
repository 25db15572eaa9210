"""Laws of kinds; each has a particle current, its noise and the entropy production."""

from pathlib import Path

import numpy as np
import pytest

from nessflow.config.grid import Ensemble, generator, points_of
from nessflow.config.project import load_study, parameters_of
from nessflow.config.study import variables_at
from nessflow.registry import find_kind, kind_names
from nessflow.run.judge import judge
from nessflow.studies.kind import FLOWS, Status
from nessflow.testing import check_kind

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"
UNITS = {
    "particle_current": {"t/hbar", "1/hbar"},
    "particle_noise": {"t/hbar", "1/hbar"},
    "entropy_production": {"k_B*t/hbar", "k_B/hbar", "k_B/(t*hbar)"},
}


def flows(variables, flow):
    """Names of the variables that are one of the three."""
    names = (f"_{name}" for name in variables)
    return [name[1:] for name in names if name.endswith(f"_{flow}")]


@pytest.mark.parametrize("name", kind_names())
@pytest.mark.parametrize("flow", FLOWS)
def test_every_kind_has_the_three_with_errors(name, flow):
    kind = find_kind(name)
    found = flows(kind.VARIABLES, flow)
    assert found
    for variable in found:
        assert kind.VARIABLES[variable].natural_units in UNITS[flow], variable
        assert f"{variable}_error" in kind.VARIABLES, variable
        assert kind.VARIABLES[f"{variable}_error"].dims == kind.VARIABLES[variable].dims


@pytest.mark.parametrize("name", kind_names())
def test_it_obeys_the_laws_of_kinds(name):
    check_kind(name)


def verdicts(path):
    """Variables of the first and the last smoke point of a study, and verdicts on them."""
    study = load_study(path, tier="smoke")
    kind, points = study.kind, list(points_of(study.axes))
    for labels in {str(point): point for point in (points[0], points[-1])}.values():
        parameters = parameters_of(study, labels)
        ensemble = study.ensemble or Ensemble(1, 1, 0)
        rng = generator(ensemble, labels, 0) if kind.is_random(parameters) else None
        coordinates = {key: c.values for key, c in kind.coordinates(parameters).items()}
        variables = variables_at(kind, parameters)
        yield variables, judge(kind.evaluate(parameters, rng), variables, coordinates)


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_three_are_finite_or_have_a_reason(path):
    for variables, verdict in verdicts(path):
        for flow in FLOWS:
            for name in flows(variables, flow):
                value, error = verdict.values[name], verdict.values[f"{name}_error"]
                np.testing.assert_array_equal(np.isfinite(value), np.isfinite(error), name)
                if verdict.status in (Status.OK, Status.SUSPECT):
                    assert np.isfinite(value).all() or verdict.reasons.get(name), name
