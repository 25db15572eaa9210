"""Tables of measured data as layers of figures, and what is left of them beside a curve."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nessflow.errors import ConfigError
from nessflow.figures.data import interpolated
from nessflow.registry import use_project
from nessflow.run.gather import gather_study
from nessflow.run.plan import plan_study
from nessflow.run.solve import solve_block
from nessflow.store.tables import TableError, read_table
from nessflow.verbs import draw
from nessflow.verbs.draw import draw_study, drawn
from nessflow.verbs.plan import rerun_lines
from nessflow.verbs.workflow import read_project

STUDY = """\
title: A resonant level
study: transmission
system:
  lattice: {kind: chain, sites: 1, onsite: $mu}
  leads:
    left:  {kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1}
    right: {kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1}
energies: [0]
axes:
  mu: {inner: {linspace: [-1, 1, 9]}}
figures:
  - name: iv
    plot: lines
    x: mu
    y: transmission
    sel: {terminal: left, terminal_2: right, energy: 0}
    ylabel: transmission
    layers:
      - {from: data/iv.csv, y: measured, label: measured}
  - name: rest
    plot: lines
    x: mu
    sel: {terminal: left, terminal_2: right, energy: 0}
    ylabel: residual
    layers:
      - {from: data/iv.csv, y: measured, minus: transmission, label: difference}
"""
TABLE = "mu [t],measured,measured_error\n-0.5,0.81,0.01\n0,,\n0.1,0.98,0.01\n2,0.2,0.01\n"


@pytest.fixture
def root(tmp_path):
    for folder in ("config/studies", "data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "config/studies/level.yaml").write_text(STUDY)
    (tmp_path / "data/iv.csv").write_text(TABLE)
    return tmp_path


def faults(root):
    with pytest.raises(ConfigError) as error:
        read_project(root)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        "\ufeff" + TABLE.replace("\n", "\r\n"),
        "# of Monday\n\n" + TABLE.replace("mu [t]", "mu (t)").replace("2,0.2", "2 , 2e-1"),
    ],
)
def test_columns_have_units_and_errors(root, text):
    use_project(root / "config/studies/level.yaml")
    (root / "data/iv.csv").write_bytes(text.encode())
    table = read_table("data/iv.csv")
    assert table["mu"].units == "t"
    assert table["measured_error"].units == "1"
    np.testing.assert_array_equal(table["mu"].values, [-0.5, 0, 0.1, 2])
    np.testing.assert_array_equal(table["measured"].values, [0.81, np.nan, 0.98, 0.2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["data/iv.csv: expected a line of names and lines of numbers"]),
        ("mu,T\n", ["data/iv.csv: expected a line of names and lines of numbers"]),
        (
            "mu,T\n1,x\n2\n3,inf\n",
            [
                "data/iv.csv, line 2: T is 'x', expected a number",
                "data/iv.csv, line 3: 1 cells, expected 2 as in line 1",
                "data/iv.csv, line 4: T is 'inf', expected a number",
            ],
        ),
        ("1,2\n3,4\n", ["line 1: '1' is no column; expected a name", "line 1: '2' is no"]),
        ("mu,mu\n3,4\n", ["data/iv.csv, line 1: another name than mu, which is taken"]),
        ("mu,mu_error\n3,4\n\n3,-4\n", ["data/iv.csv, line 4: mu_error is below 0"]),
        (b"mu,T\n1,\xff\n", ["data/iv.csv, line 2: expected text in UTF-8"]),
        ("mu\n" + 30 * "x\n", 10 * ["expected a number"] + ["data/iv.csv: and 20 more faults"]),
        (None, ["data/iv.csv: there is no such file"]),
    ],
)
def test_each_fault_has_its_line(root, text, expected):
    use_project(root / "config/studies/level.yaml")
    path = root / "data/iv.csv"
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(TableError) as error:
        read_table("data/iv.csv")
    assert len(error.value.faults) == len(expected)
    for found, part in zip(error.value.faults, expected, strict=True):
        assert part in found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("y: measured, label", "y: mesured, label", "y = mesured: expected a variable of the"),
        ("from: data/iv.csv", "from: data/vi.csv", "data/vi.csv: there is no such file in"),
        ("from: data/iv.csv", "from: ../iv.csv", "../iv.csv: expected a file below the folder"),
        ("mu [t]", "mu", "expected a quantity of the unit t; the table has it in 1; its header"),
        ("],measured,", "],measured [t/hbar],", "the table has it in t/hbar"),
        ("mu [t]", "mu [meV per t]", "column mu: 'meV per t' is no unit"),
        ("mu [t]", "mu [meV]", "column mu: meV is none of t, hbar, h, e, k_B, a, rad; `units: "),
        ("minus: transmission", "minus: transmision", "minus = transmision: expected an axis"),
        ("minus: transmission", "minus: transmission, hue: mu", "a table is one line"),
        ("y: measured, label", "y: measured, sel: {mu: 0}, label", "a table has all its rows"),
        ("from: data/iv.csv, y: measured, minus", "y: transmission, minus", "belongs to a table"),
    ],
)
def test_layers_that_cannot_be_drawn(root, old, new, expected):
    for path in (root / "config/studies/level.yaml", root / "data/iv.csv"):
        path.write_text(path.read_text().replace(old, new))
    found = faults(root)
    assert expected in "\n".join(found)
    assert all("level.yaml:" in fault for fault in found)


def test_a_table_is_drawn_recorded_and_makes_its_figures_alone_old(root, monkeypatch):
    def run():
        found = read_project(root)
        study = found.studies["level"]
        return found, study, plan_study(study, found.results / "level")

    found, study, _ = run()
    for block in study.blocks:
        solve_block(block, found.results / "level")
    data = gather_study(study, found.results / "level")
    shown = {}
    monkeypatch.setattr(
        draw, "drawn", lambda spec, *rest: shown.setdefault(spec.name, drawn(spec, *rest))
    )
    draw_study(study, found.studies, found.results, print)
    points = shown["iv"].axes[0].get_lines()[1]
    np.testing.assert_array_equal(points.get_ydata(), [0.81, 0.98, 0.2])
    assert points.get_linestyle() == "None"
    rest = shown["rest"].axes[0].get_lines()[0]
    # At -0.5 the axis has a value; 2 is beyond it; the transmission is 1 / (1 + mu^2).
    np.testing.assert_array_equal(rest.get_xdata(), [-0.5, 0.1])
    np.testing.assert_allclose(rest.get_ydata()[0], 0.81 - 0.8, atol=1e-12)
    (bars,) = shown["rest"].axes[0].collections
    low, high = bars.get_segments()[1][:, 1]
    assert low < 0.98 - 1 / 1.01 < high
    assert high - low > 2 * 0.01
    assert data["transmission"].shape[0] == 9
    record = json.loads((found.results / "level/figures/iv.json").read_text())
    assert record["specification"]["tables"]["data/iv.csv"].startswith("sha256:")
    assert rerun_lines(*run()) == []
    (root / "data/iv.csv").write_text(TABLE.replace("0.81", "0.82"))
    assert rerun_lines(*run()) == ["level: figures: data/iv.csv changed"]


CURRENT = """\
title: The current through a level
study: steady-current
system:
  lattice: {kind: chain, sites: 1}
  leads:
    left:  {kind: wide-band, broadening: 1, chemical_potential: $mu, temperature: 0.1}
    right: {kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1}
observables: [currents]
axes:
  mu: {inner: {linspace: [-1, 1, 9]}}
units: {t: 2.5 meV}
figures:
  - name: iv
    plot: lines
    x: mu
    y: net_particle_current
    ylabel: current
    layers:
      - {from: data/iv.csv, y: measured, label: measured}
  - name: rest
    plot: lines
    x: mu
    ylabel: residual
    layers:
      - {from: data/iv.csv, y: measured, minus: net_particle_current, label: difference}
"""


def test_what_was_measured_is_shown_in_the_units_of_the_curve(root, monkeypatch):
    (root / "config/studies/level.yaml").write_text(CURRENT)
    table = "mu [t],measured [t/hbar],measured_error\n-0.5,-0.04,0.001\n0.25,0.05,0.002\n"
    (root / "data/iv.csv").write_text(table)
    project = read_project(root)
    study = project.studies["level"]
    for block in study.blocks:
        solve_block(block, project.results / "level")
    data = gather_study(study, project.results / "level")
    shown = {}
    monkeypatch.setattr(
        draw, "drawn", lambda spec, *rest: shown.setdefault(spec.name, drawn(spec, *rest))
    )
    draw_study(study, project.studies, project.results, print)
    # A particle per hbar/t is e t/hbar: 2.5 meV e^2/hbar.
    ampere = 2.5e-3 * 1.602176634e-19**2 / 1.054571817e-34
    factor, measured, error = ampere * 1e9, np.array([-0.04, 0.05]), np.array([0.001, 0.002])
    (axes,) = shown["iv"].axes
    assert ("nA" in axes.get_ylabel(), "meV" in axes.get_xlabel()) == (True, True)
    curve, points = axes.get_lines()[:2]
    current = data["net_particle_current"].values
    np.testing.assert_allclose(curve.get_ydata(), current * factor, rtol=1e-9)
    np.testing.assert_allclose(points.get_xdata(), [-0.5 * 2.5, 0.25 * 2.5])
    np.testing.assert_allclose(points.get_ydata(), measured * factor, rtol=1e-9)
    bars = axes.collections[-1].get_segments()
    np.testing.assert_allclose([np.ptp(bar[:, 1]) for bar in bars], 2 * error * factor, rtol=1e-9)
    (axes,) = shown["rest"].axes
    assert "nA" in axes.get_ylabel()
    rest = measured - current[[2, 5]]
    np.testing.assert_allclose(axes.get_lines()[0].get_ydata(), rest * factor, rtol=1e-9)
    bars = axes.collections[-1].get_segments()
    np.testing.assert_allclose([np.ptp(bar[:, 1]) for bar in bars], 2 * error * factor, rtol=1e-6)


@given(
    st.lists(st.floats(0.05, 0.5), min_size=3, max_size=10),
    st.floats(-1, 1),
    st.floats(0, 1),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
@settings(max_examples=300, deadline=None)
def test_between_the_points_of_a_resolved_curve_the_error_is_enough(steps, phase, rate, places):
    x = np.cumsum([0.0, *steps])
    scale = 2 * np.pi / 12 / max(steps) * rate
    at = x[-1] * np.array(places)
    for curve in (lambda t: np.sin(scale * t + phase), lambda t: np.exp(-scale * t)):
        value, error = interpolated(x[::-1], curve(x[::-1]), np.full(x.size, 1e-12), at)
        assert np.all(abs(value - curve(at)) <= error)
    np.testing.assert_array_equal(interpolated(x, x**2, None, x)[0], x**2)
    assert np.isnan(interpolated(x, x**2, None, np.array([-0.1, x[-1] + 0.1]))).all()
