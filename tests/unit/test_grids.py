"""Numbers of a spectrum are a grid or a list, in all kinds that have one."""

import numpy as np
import pytest

from nessflow.config.grid import points_of
from nessflow.config.project import load_study
from nessflow.config.study import parameters_of
from nessflow.grids import Grid, numbers_of
from nessflow.verbs.describe import EXAMPLES

SPECTRA = {
    "transmission": ("energies", "energy"),
    "network-transmission": ("energies", "energy"),
    "mixture-spectrum": ("momenta", "momentum"),
    "mixture-density-response": ("positions", "position"),
}


def first_point(name):
    study = load_study(EXAMPLES / f"{name}.yaml")
    return study.kind, parameters_of(study, next(iter(points_of(study.axes))))


@pytest.mark.parametrize("name", SPECTRA)
def test_a_list_in_any_order_has_the_values_of_the_grid(name):
    kind, on_grid = first_point(name)
    key, dim = SPECTRA[name]
    grid = getattr(on_grid, key)
    assert isinstance(grid, Grid)
    order = np.random.default_rng(1).permutation(grid.points)
    listed = tuple(numbers_of(grid)[order].tolist())
    given = {field: getattr(on_grid, field) for field in type(on_grid).model_fields}
    shuffled = kind.Parameters(**given | {key: listed})
    np.testing.assert_array_equal(kind.coordinates(shuffled)[dim].values, listed)
    one, other = (kind.evaluate(parameters, None) for parameters in (on_grid, shuffled))
    assert one.status == other.status
    for variable, each in kind.VARIABLES.items():
        expected = one.values[variable]
        if dim in each.dims:
            expected = np.take(expected, order, each.dims.index(dim))
        np.testing.assert_allclose(other.values[variable], expected, rtol=1e-9, atol=1e-13)


def test_a_study_file_may_have_a_list_with_axes(tmp_path):
    text = (EXAMPLES / "transmission.yaml").read_text()
    text = text.split("energies:")[0].replace("$gamma", "0.1")
    path = tmp_path / "listed.yaml"
    path.write_text(f"{text}energies: [0.2, $e, $(-e)]\naxes: {{e: {{outer: [0.7, 0.5]}}}}\n")
    study = load_study(path)
    found = [parameters_of(study, labels).energies for labels in points_of(study.axes)]
    assert found == [(0.2, 0.7, -0.7), (0.2, 0.5, -0.5)]
    assert study.axes[0].natural_units == "t"
