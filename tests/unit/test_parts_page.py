"""The parts of docs/parts.md work as they are printed."""

import re
from pathlib import Path

import numpy as np
import pytest
from test_observed import KINDS, text_of

from nessflow import testing
from nessflow.config.project import load_study
from nessflow.registry import find_kind, members, use_project
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.leads.lead import Lead
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.shapes.shape import Shape
from nessflow.verbs.point import evaluate_point

PAGE = (Path(__file__).parents[2] / "docs" / "parts.md").read_text()
BLOCKS = dict(re.findall(r"```python\n# (parts/\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
LAWS = re.search(r"```python\n# tests/test_laws.py\n(.*?)```", PAGE, re.DOTALL)[1]
CHANNELS = re.search(r"```yaml\n(loss.*?)```", PAGE, re.DOTALL)[1]
WIRE = """
title: A wire
study: transmission
system:
  lattice: {kind: zigzag, sites: 6}
  LOSS
  leads:
    left: {kind: semicircle, chemical_potential: 0.1, temperature: 0.1}
    right: {kind: semicircle, chemical_potential: 0.1, temperature: 0.1}
energies: {start: -1, stop: 1, points: 3}
"""
MINE = "{title: Squares, study: my-kind, energy: 3}\n"


@pytest.fixture
def project(tmp_path):
    for name, text in {**BLOCKS, "config/config.yaml": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "config/studies").mkdir()
    yield tmp_path
    use_project(Path(__file__))


def point(project, text):
    path = project / "config/studies/printed.yaml"
    path.write_text(text)
    study = load_study(path)
    return evaluate_point(study)


def test_the_page_has_a_part_of_each_family():
    assert len(BLOCKS) == 10


@pytest.mark.parametrize(
    "loss",
    [
        "loss: {kind: every-other, rate: 0.2}",
        CHANNELS.replace("\n", "\n  ").rstrip(),
    ],
)
def test_printed_parts_compute(project, loss):
    axes = "axes: {g: {inner: [0.2, 0.3]}}\n" if "$g" in loss else ""
    found = point(project, WIRE.replace("LOSS", loss) + axes)
    assert found["status"] == 0, found["message"]
    assert np.nanmax(np.array(found["observables"]["transmission"]["value"], float)) > 0.1


def test_the_printed_observable_computes(project):
    text = WIRE.replace("study: transmission", "study: steady-current").replace("  LOSS\n", "")
    text = text[: text.index("energies:")] + "observables: [filling, density]\n"
    found = point(project, text)["observables"]
    assert found["filling"]["value"] == pytest.approx(np.mean(found["occupation"]["value"]))


@pytest.mark.parametrize("name", KINDS)
def test_the_printed_observable_computes_in_every_kind(project, name):
    found = point(project, text_of(name, "observables: [filling]"))
    assert (found["status"], found["message"]) == (0, "")
    values = found["observables"]
    assert 0 < values["filling"]["value"] < 1
    assert 0 < values["filling"]["error"] < 1e-6
    assert values.keys() - {"filling"} == {x for x in find_kind(name).OWN if "_error" not in x}


@pytest.mark.parametrize("gain", ["", "gain: {kind: onsite, rate: 0.1}"])
def test_the_printed_integrand_is_the_current_into_loss(project, gain):
    loss = f"loss: {{kind: every-other, rate: 0.2}}\n  {gain}"
    text = WIRE.replace("study: transmission", "study: steady-current").replace("LOSS", loss)
    text = text[: text.index("energies:")] + "observables: [currents, absorption]\n"
    found = point(project, text)
    into = found["coordinates"]["terminal"].index("loss")
    current = found["observables"]["particle_current"]["value"][into]
    assert found["observables"]["absorption"]["value"] == pytest.approx(-current, rel=1e-10)


MADE = """
title: A wire with a spin
study: transmission
system:
  lattice: {kind: python, function: "parts/my_model.py:build", parameters: {length: 20, flux: $f}}
  leads:
    left: {kind: continued, chemical_potential: 0, temperature: 0.1}
    right: {kind: continued, chemical_potential: 0, temperature: 0.1}
energies: [-2.29, -1]
axes:
  f: {inner: [0, 0.7], natural_units: rad, long_name: phase}
"""


@pytest.mark.parametrize("flux", [0, 0.7])
def test_the_printed_function_makes_a_wire_that_goes_on(project, flux):
    """Numbers of open channels, one in the gap of the field; a phase of one bond is none."""
    found = point(project, MADE.replace("[0, 0.7]", f"[{flux}]"))
    transmission = found["observables"]["transmission"]["value"]
    assert transmission[0][1] == pytest.approx([1, 2], abs=1e-10)


def test_the_printed_kind_computes(project):
    assert point(project, MINE)["observables"]["square"]["value"] == 9


def test_printed_parts_obey_the_laws_as_printed(project):
    use_project(project)
    names = {}
    exec(compile(LAWS, "test_laws.py", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == len(BLOCKS) - 2  # two lattices, two observables
    for test in tests:
        test()


def test_the_page_tells_all_functions():
    functions = {name for name in vars(testing) if name.startswith("check_")}
    assert functions - {"check_positive"} == set(re.findall(r"^\| `(check_\w+)`", PAGE, re.M))


def test_the_printed_lattice_has_four_neighbours_at_the_distance_1(project):
    use_project(project)
    ellipse = members(Shape)["ellipse"](a=7, b=6)
    flake = members(Lattice)["kagome"](shape=ellipse)
    places = flake.positions
    near = abs(np.hypot(*(places[None] - places[:, None]).T) - 1) < 1e-9
    inside = np.hypot(*places.T) < 4.9
    assert set(near[inside].sum(axis=1)) == {4}
    np.testing.assert_array_equal(flake.hamiltonian().toarray(), -1.0 * near)


def test_the_printed_lead_is_a_chain_of_the_same_band(project):
    use_project(project)
    lead = members(Lead)["semicircle"](half_width=1.6, coupling=0.5)
    chain = SemiInfiniteChain(hopping=0.8, coupling=0.5)
    energies = np.array([-40.0, -1.7, -1.0, 0.3, 1.5, 2.0])
    np.testing.assert_allclose(lead.self_energy(energies), chain.self_energy(energies), rtol=1e-12)
