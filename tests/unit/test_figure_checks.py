"""Figures that would fail after hours of computing are refused before."""

import pytest

from nessflow.description import EXAMPLES
from nessflow.figure_checks import figure_problems, layout_of
from nessflow.figures.specs import SPEC
from nessflow.pipeline.config import load_study
from nessflow.studies.kind import find_kind, kind_names

LINE = "y: transmission, hue: gamma, sel: {terminal: left, terminal_2: right}"
MAP = "plot: map, x: energy, y: gamma, z: transmission, sel: {terminal: left, terminal_2: right}"


def problems(folder, old, new):
    text = (EXAMPLES / "transmission.yaml").read_text()
    assert old in text
    path = folder / "spectrum.yaml"
    path.write_text(text.replace(old, new))
    study = load_study(path, find_kind=find_kind, kind_names=kind_names(), figure_specs=SPEC)
    found = figure_problems(study, {study.name: layout_of(study, find_kind(study.kind))})
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    "new",
    [
        LINE,
        "y: response_transmission, hue: gamma",
        "y: response_transmission, hue: gamma, sel: {gamma: [0, 0.1]}",
        "y: response_transmission, sel: {gamma: [0.1]}",
        "y: transmission, hue: terminal, sel: {gamma: 0, terminal_2: loss}",
        "ylabel: T, layers: [{y: loss_transmission, label: a, sel: {gamma: 0}}]",
        "ylabel: T, layers: [{y: other, from: elsewhere, label: a}]",
    ],
)
def test_lines_with_one_number_for_each_point(tmp_path, new):
    assert problems(tmp_path, LINE, new) == []


def test_a_map(tmp_path):
    assert problems(tmp_path, f"plot: lines, x: energy, {LINE}", MAP) == []
    without = MAP.replace(", terminal_2: right", "")
    (found,) = problems(tmp_path, f"plot: lines, x: energy, {LINE}", without)
    assert "spectrum.yaml:13: figures.0.z = transmission: expected a value of terminal_2" in found


def test_an_axis_of_one_value_needs_no_choice(tmp_path):
    assert problems(tmp_path, "inner: [0, 0.1]}", "inner: [0.1]}") == []


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (
            "y: response_transmission",
            "figures.0.y = response_transmission: expected a value of gamma in sel, or hue: gamma; "
            "it has 0, 0.1",
        ),
        (
            "y: transmission, hue: gamma, sel: {terminal: left}",
            "expected a value of terminal_2 in sel, or hue: terminal_2; it has left, right, loss",
        ),
        (
            "y: response_transmission, hue: terminal, sel: {gamma: 0}",
            "expected a variable with the dimension terminal; it has gamma, energy",
        ),
        (
            "y: transmission, hue: gamma, sel: {terminal: lfet, terminal_2: right}",
            "expected terminal in sel to be one of left, right, not lfet; did you mean",
        ),
        (
            "ylabel: T, layers: [{y: transmission, label: a, hue: gamma, sel: {terminal: left}}]",
            "figures.0.layers.0.y = transmission: expected a value of terminal_2 in sel",
        ),
    ],
)
def test_lines_without(tmp_path, new, expected):
    (found,) = problems(tmp_path, LINE, new)
    assert "spectrum.yaml:13: " in found
    assert expected in found


def test_panels_are_named(tmp_path):
    text = f"plot: panels, panels: [{{plot: lines, x: energy, {LINE}}}, "
    text += "{plot: lines, x: energy, y: loss_transmission}]"
    (found,) = problems(tmp_path, f"plot: lines, x: energy, {LINE}", text)
    assert "figures.0.panels.1.y = loss_transmission: expected a value of gamma" in found
