"""Figures from synthetic data: what they show, what they refuse, and their bytes."""

import io
import itertools
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter
from PIL import Image
from pydantic import ValidationError

from nessflow.figures.labels import label_of, symbol, unit_text, value_label, with_error
from nessflow.figures.legend import overlaps
from nessflow.figures.mathtext import wrapped
from nessflow.figures.plots import draw, said_to_be_empty
from nessflow.figures.record import RecordError, read_record
from nessflow.figures.save import DATA_RECORD, RECORD, save
from nessflow.figures.scales import (
    draw_minor_ticks,
    edges_of,
    freeze_ticks,
    hide_minor_ticks,
)
from nessflow.figures.specs import SPEC, studies_of
from nessflow.figures.style import styled
from nessflow.figures.units import FigureError, unit_factor
from nessflow.written.units import UnitError, powers_of

SOURCE = Path(__file__).resolve().parents[2] / "src"
CURRENT, SQUARE = "t/hbar", "(t/hbar)^2"
PROVENANCE = dict.fromkeys(RECORD, "known") | {
    "command": "snakemake (all) --cores 1",
    "caption": "µ \\ é) <b>",
    "data": [dict.fromkeys(DATA_RECORD, "known") | {"parameters": {"rate": 0.1}}],
}


def labelled(dims, values, units, long_name):
    attributes = {"units": "1", "natural_units": units, "long_name": long_name}
    return xr.Variable(dims, values, attributes)


def points(**axes) -> xr.Dataset:
    """Data with coordinates name=(values, units, long name) and a status of every point."""
    coords = {name: labelled((name,), *rest) for name, rest in axes.items()}
    shape = [variable.size for variable in coords.values()]
    status = labelled(tuple(coords), np.zeros(shape, np.int8), "1", "outcome of the point")
    return xr.Dataset({"status": status}, coords)


def sweep() -> xr.Dataset:
    """A current over a strength for three cases and two temperatures."""
    gamma = np.linspace(0, 3, 61)
    data = points(
        site=(np.array(["first", "second", "both"]), "1", "monitored sites"),
        T=(np.array([0.1, 0.2]), "t", "temperature"),
        gamma_0=(gamma, "t/hbar", "monitoring strength"),
    )
    shape = gamma / (1 + gamma**2) / 10
    current = np.array([1, -1, 0])[:, None, None] * np.array([1, 0.5])[:, None] * shape
    dims = ("site", "T", "gamma_0")
    return data.assign(
        current=labelled(dims, current, CURRENT, "net particle current"),
        current_error=labelled(dims, abs(current) / 10, CURRENT, "numerical error of the current"),
        energy=labelled(dims, current, "t^2/hbar", "net energy current"),
        place=labelled(("site",), np.arange(3.0), "1", "place"),
    )


def ensemble(samples: int = 60, points_of_v: int = 12) -> xr.Dataset:
    """Currents of zero mean that grow with the disorder, their statistics and a fit."""
    v = np.geomspace(0.02, 2, points_of_v)
    data = points(
        V=(v, "t", "disorder half-width"),
        sample=(np.arange(samples), "1", "number of the disorder sample"),
    )
    draws = np.random.default_rng(7).normal(size=(points_of_v, samples))
    current = 0.05 * v[:, None] / (1 + v[:, None]) * draws
    square = current**2
    own = {"current": labelled(("V", "sample"), current, CURRENT, "net particle current")}
    for name, values, units in (("current_mean", current, CURRENT), ("square", square, SQUARE)):
        text = f"{name} of the net particle current over samples"
        sem = values.std(axis=1, ddof=1) / np.sqrt(samples)
        name_of_sem = f"{name.removesuffix('_mean')}_sem"
        own[name] = labelled(("V",), values.mean(axis=1), units, text)
        own[name_of_sem] = labelled(("V",), sem, units, f"standard error of the {text}")
    for name, value, units in (
        ("exponent", 1.912, "1"),
        ("exponent_error", 0.023, "1"),
        ("prefactor", 0.0021, SQUARE),
    ):
        own[f"scaling_law_{name}"] = labelled((), value, units, f"{name} of the fit")
        own[f"scaling_law_{name}"].attrs["range"] = np.array([0.02, 0.5])
    return data.assign(own)


def limit() -> xr.Dataset:
    data = points(N=(np.array([20, 100]), "1", "number of sites"))
    units = "(t/hbar)^2/t^2"
    return data.assign(
        coefficient=labelled(("N",), np.array([0.0024, 0.0025]), units, "coefficient")
    )


def plane() -> xr.Dataset:
    """A quantity that changes sign over a plane, and one that does not."""
    ratio, mu = np.linspace(0.1, 4, 40), np.linspace(-2, 2, 41)
    data = points(ratio=(ratio, "1", "ratio of gain to loss"), mu=(mu, "t", "chemical potential"))
    z = np.tanh(mu[None, :] - np.log(ratio[:, None])) / 20
    dims = ("ratio", "mu")
    return data.assign(
        exchange=labelled(dims, z, CURRENT, "exchange current"),
        weight=labelled(dims, z**2, "1", "weight"),
        nothing=labelled(dims, 1e-17 * z, CURRENT, "net particle current"),
        nothing_error=labelled(dims, 1e-15 + 0 * z, CURRENT, "numerical error"),
    )


def root() -> xr.Dataset:
    ratio = np.linspace(0.1, 4, 30)
    data = points(ratio=(ratio, "1", "ratio of gain to loss"))
    return data.assign(level=labelled(("ratio",), np.log(ratio), "t", "chemical potential"))


def family() -> xr.Dataset:
    """More lines than colours."""
    q, time = np.linspace(-np.pi, np.pi, 50), np.linspace(0, 10, 12)
    data = points(tau=(time, "hbar/t", "time"), q=(q, "1", "quasimomentum"))
    values = np.exp(-0.3 * time[:, None]) * np.cos(q)
    return data.assign(n=labelled(("tau", "q"), values, "1", "occupation"))


def chains() -> xr.Dataset:
    """Profiles of chains of several lengths: sites that a chain has not are NaN."""
    site, length = np.arange(1.0, 13.0), np.array([3.0, 6.0, 12.0])
    data = points(
        N=(length, "1", "number of sites"),
        site=(site, "1", "site"),
        direction=(np.array(["right", "left"]), "1", "direction"),
    )
    data["status"] = data["status"].isel(site=0, direction=0, drop=True)
    data["site"].attrs["joined"] = "NaN where a point has no such value"
    every_other = (site[None, :] - 1) % (12 / length[:, None]) == 0
    n = np.where(every_other, np.exp(-site / 4) + 0 * length[:, None], np.nan)
    n = n[:, :, None] * np.array([1.0, 0.5])
    return data.assign(n=labelled(("N", "site", "direction"), n, "1", "occupation"))


def levels() -> xr.Dataset:
    """Up to three roots at each field, of a curve with two zeros."""
    field = np.linspace(-1, 1, 41)
    data = points(B=(field, "t", "field"))
    roots = np.full((field.size, 3), np.nan)
    roots[:, 0] = np.sin(2 * field)
    roots[abs(field) < 0.5, 1] = 0.8 * np.sqrt(0.25 - field[abs(field) < 0.5] ** 2)
    roots[abs(field) < 0.5, 2] = -roots[abs(field) < 0.5, 1]
    curve = field**2 - 0.25
    return data.assign_coords(root=labelled(("root",), np.arange(1, 4), "1", "root")).assign(
        level=labelled(("B", "root"), roots, "t", "stationary state"),
        level_error=labelled(("B", "root"), 0.05 + 0 * roots, "t", "error"),
        current=labelled(("B",), curve, CURRENT, "net particle current"),
        zero=labelled(("root",), np.array([-0.5, 0.5, np.nan]), "t", "field of no current"),
        extreme=labelled((), -0.25, CURRENT, "least current"),
        extreme_field=labelled((), 0.0, "t", "field of the least current"),
    )


def lattice(columns: int = 5, rows: int = 3) -> xr.Dataset:
    """Currents and occupations of a strip of two orbitals a site, at two potentials."""
    x, y = np.divmod(np.arange(columns * rows), rows)
    first = np.flatnonzero(x < columns - 1)
    up = np.flatnonzero(y < rows - 1)
    ends = np.concatenate([np.stack([first, first + rows], 1), np.stack([up, up + 1], 1)])
    within = np.arange(0, 2 * x.size, 2)
    ends = np.concatenate([2 * ends, 2 * ends + 1, np.stack([within, within + 1], 1)]) + 1
    site, bond = np.arange(1.0, 2 * x.size + 1), np.arange(1.0, len(ends) + 1)
    data = points(
        mu=(np.array([0.0, 0.5]), "t", "chemical potential"),
        site=(site, "1", "site"),
        bond=(bond, "1", "bond"),
    )
    data["status"] = data["status"].isel(site=0, bond=0, drop=True)
    currents = np.cos(bond) * np.array([[0.0], [0.02]])
    own = {
        "bond_current": (("mu", "bond"), currents, CURRENT, "particle current through the bond"),
        "bond_current_error": (("mu", "bond"), 1e-6 + 0 * currents, CURRENT, "error"),
        "occupation": (("mu", "site"), np.sin(site) ** 2 * np.ones((2, 1)), "1", "occupation"),
    }
    beside = {
        "x": (("site",), np.repeat(x + 1.0, 2), "a", "x of the site"),
        "y": (("site",), np.repeat(y + 1.0, 2), "a", "y of the site"),
        "site_number": (("site",), np.repeat(np.arange(x.size) + 1, 2), "1", "site"),
        "orbital": (("site",), np.tile([1, 2], x.size), "1", "orbital of the site"),
        "bond_site": (("bond",), ends[:, 0], "1", "first site"),
        "bond_site_2": (("bond",), ends[:, 1], "1", "second site"),
    }
    data = data.assign_coords({name: labelled(*value) for name, value in beside.items()})
    return data.assign({name: labelled(*value) for name, value in own.items()})


DATASETS = {
    "lattice": lattice(),
    "chains": chains(),
    "levels": levels(),
    "sweep": sweep(),
    "ensemble": ensemble(),
    "limit": limit(),
    "plane": plane(),
    "root": root(),
    "family": family(),
}

ONE_LINE = {"name": "line", "plot": "lines", "x": "gamma_0", "y": "current"}
FIRST = {"site": "first", "T": 0.1}
MAP = {"plot": "map", "x": "ratio", "y": "mu", "z": "weight"}

FIGURES = {
    "hue": (
        "sweep",
        ONE_LINE
        | {"hue": "site", "sel": {"T": 0.1}, "display_unit": "t/h", "zero_line": True}
        | {"reference_lines": [{"x": 2.4, "label": "exceptional point"}]},
    ),
    "layers": (
        "sweep",
        {
            "plot": "lines",
            "x": "gamma_0",
            "ylabel": "net particle current",
            "layers": [
                {"y": "current", "hue": "site", "sel": {"T": 0.1}, "label": "$T = 0.1$"},
                {"y": "current", "hue": "site", "sel": {"T": 0.2}, "label": "$T = 0.2$"},
            ],
        },
    ),
    "cases": ("sweep", ONE_LINE | {"x": "site", "hue": "T", "sel": {"gamma_0": 1.0}}),
    "ensemble-mean": ("ensemble", ONE_LINE | {"x": "V", "xscale": "log"}),
    "family": ("family", ONE_LINE | {"x": "q", "y": "n", "hue": "tau"}),
    "map": (
        "plane",
        {
            "plot": "map",
            "x": "ratio",
            "y": "mu",
            "z": "exchange",
            "display_unit": "t/h",
            "zero_contour": True,
            "layers": [{"from": "root", "y": "level", "label": "root"}],
        },
    ),
    "map-of-one-sign": ("plane", MAP),
    "map-of-nothing": ("plane", {"plot": "map", "x": "ratio", "y": "mu", "z": "nothing"}),
    "samples": (
        "ensemble",
        {"plot": "samples", "x": "V", "y": "current", "display_unit": "t/h", "zero_line": True},
    ),
    "power-law": (
        "ensemble",
        {
            "plot": "power-law",
            "x": "V",
            "y": "square",
            "ylabel": "mean square net particle current",
            "fit": "scaling-law",
            "display_unit": "(t/h)^2",
            "laws": [
                {"from": "limit", "y": "coefficient", "exponent": 2, "sel": {"N": 100}}
                | {"label": "exact for weak disorder"}
            ],
        },
    ),
}
FIGURES |= {
    "profiles": (
        "chains",
        {"plot": "lines", "x": "site", "y": "n", "hue": "N", "sel": {"direction": "right"}},
    ),
    "directions": (
        "chains",
        {"plot": "lines", "x": "site", "y": "n", "hue": "direction", "sel": {"N": 6}},
    ),
    "roots": (
        "levels",
        {"plot": "lines", "x": "B", "y": "level", "every": "root", "zero_line": True},
    ),
    "marks": (
        "levels",
        {
            "plot": "lines",
            "x": "B",
            "y": "current",
            "display_unit": "t/h",
            "zero_line": True,
            "reference_lines": [{"x": "zero", "label": "no current"}],
            "marks": [
                {"x": "zero", "y": 0, "label": "zeros"},
                {"x": "extreme_field", "y": "extreme", "label": "least current"},
            ],
        },
    ),
    "contours": (
        "plane",
        {
            "plot": "map",
            "x": "ratio",
            "y": "mu",
            "z": "weight",
            "zscale": "log",
            "zlim": [1e-6, 3e-3],
            "contours": [
                {"z": "exchange", "label": "no exchange"},
                {"level": 0.001, "label": "weight 0.001"},
            ],
            "marks": [{"x": 1, "y": 0, "label": "symmetric point"}],
        },
    ),
    "steps": (
        "plane",
        {"plot": "map", "x": "ratio", "y": "mu", "z": "exchange", "display_unit": "t/h"}
        | {"zsteps": [-0.3, -0.1, 0, 0.1, 0.3]},
    ),
}
MAP_OF_CURRENTS = {"plot": "current-map", "z": "occupation", "sel": {"mu": 0.5}}
FIGURES |= {
    "site-map": ("lattice", {"plot": "site-map", "z": "occupation", "sel": {"mu": 0.5}}),
    "chain-map": (
        "lattice",
        {"plot": "site-map", "z": "occupation", "sel": {"mu": 0.5, "y": 1, "orbital": 2}},
    ),
    "current-map": ("lattice", MAP_OF_CURRENTS | {"display_unit": "t/h"}),
    "current-maps": (
        "lattice",
        {
            "plot": "panels",
            "panels": [
                MAP_OF_CURRENTS | {"title": "wide", "width": "double"},
                MAP_OF_CURRENTS | {"z": None, "sel": {"mu": 0}},
            ],
        },
    ),
}
FIGURES["panels"] = (
    "ensemble",
    {
        "plot": "panels",
        "panels": [FIGURES["samples"][1] | {"title": "current"}, FIGURES["power-law"][1]],
    },
)


def drawn(name: str, datasets=None, **changes):
    study, text = FIGURES[name]
    spec = SPEC.validate_python({**text, "name": name, **changes})
    return draw(spec, DATASETS if datasets is None else datasets, study)


def line_of(figure, label: str):
    axes = figure.axes[0]
    return next(line for line in axes.lines if line.get_label() == label)


def words_of(figure) -> str:
    """Return all that is written in a figure beside its numbers."""
    texts = [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]
    return "\n".join(texts)


# What figures show


@pytest.mark.parametrize("name", FIGURES)
def test_every_plot_is_drawn_with_units_and_free_legends(name):
    figure = drawn(name)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    assert width in (3.4, 7.0)
    for axes in figure.axes:
        legend = axes.get_legend()
        box = axes.get_tightbbox()
        assert box.x0 >= -0.5
        assert box.y0 >= -0.5
        assert box.x1 <= width * figure.dpi + 0.5
        assert box.y1 <= height * figure.dpi + 0.5
        if legend:
            extent = legend.get_window_extent()
            assert not overlaps(axes, extent)
            below, above = axes.get_window_extent().y0, axes.get_window_extent().y1
            assert extent.y0 >= above - 1 or (extent.y0 > below and extent.y1 < above)


def test_a_crowded_plot_has_its_legend_above():
    x = np.linspace(0, 20, 400)
    data = points(x=(x, "1", "angle"), k=(np.arange(1.0, 6.0), "1", "wavenumber"))
    values = np.sin(x * data["k"].values[:, None])
    data = data.assign(y=labelled(("k", "x"), values, "1", "wave"))
    spec = SPEC.validate_python(ONE_LINE | {"x": "x", "y": "y", "hue": "k", "title": "waves " * 12})
    figure = draw(spec, {"own": data}, "own")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1
    (title,) = axes.findobj(lambda a: isinstance(a, Text) and a.get_text().startswith("waves"))
    assert not title.get_window_extent().overlaps(axes.get_legend().get_window_extent())


def test_a_displayed_unit_multiplies_the_numbers_by_powers_of_two_pi():
    natural = line_of(drawn("hue", display_unit=None), "first").get_ydata()
    shown = line_of(drawn("hue"), "first").get_ydata()
    np.testing.assert_allclose(shown, 2 * np.pi * natural, rtol=1e-15)
    law = line_of(drawn("power-law"), "exact for weak disorder")
    v = DATASETS["ensemble"]["V"].values
    np.testing.assert_allclose(law.get_ydata(), (2 * np.pi) ** 2 * 0.0025 * v**2, rtol=1e-14)


def test_a_fit_is_drawn_over_its_range_with_its_exponent_and_error():
    line = line_of(drawn("power-law"), "fit from 0.02 to 0.5:\nexponent 1.91 ± 0.02")
    x, y = line.get_xdata(), line.get_ydata()
    np.testing.assert_allclose([x[0], x[-1]], [0.02, 0.5], rtol=1e-12)
    np.testing.assert_allclose(y, (2 * np.pi) ** 2 * 0.0021 * x**1.912, rtol=1e-12)


def test_an_undefined_fit_is_left_out():
    data = DATASETS["ensemble"].copy()
    for part in ("exponent", "exponent_error", "prefactor"):
        data[f"scaling_law_{part}"] = data[f"scaling_law_{part}"] * np.nan
    assert "fit" not in words_of(drawn("power-law", DATASETS | {"ensemble": data}))


def test_samples_have_mean_with_error_and_envelope():
    figure = drawn("samples", display_unit=None)
    data = DATASETS["ensemble"]
    values = data["current"].values
    envelope = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    np.testing.assert_array_equal(envelope[0].get_ydata(), values.max(axis=1))
    np.testing.assert_array_equal(envelope[1].get_ydata(), values.min(axis=1))
    (bars,) = figure.axes[0].containers
    np.testing.assert_array_equal(bars[0].get_ydata(), data["current_mean"].values)
    low, high = np.array(bars[2][0].get_segments())[:, :, 1].T
    np.testing.assert_allclose((high - low) / 2, data["current_sem"].values, rtol=1e-12)


def test_lines_of_an_ensemble_variable_are_its_mean_with_the_standard_error():
    (axes,) = drawn("ensemble-mean").axes
    mean = DATASETS["ensemble"]["current_mean"].values
    sem = DATASETS["ensemble"]["current_sem"].values
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), mean)
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert heights.max() == (mean + sem).max()
    assert heights.min() == (mean - sem).min()


def test_numerical_errors_are_bands():
    (axes,) = drawn("hue", display_unit=None).axes
    assert len(axes.collections) == 3
    data = DATASETS["sweep"].sel(site="first", T=0.1)
    top = axes.collections[0].get_paths()[0].vertices[:, 1].max()
    assert top == (data["current"] + data["current_error"]).max()


def test_entries_of_one_hue_share_colours_and_differ_in_style():
    (axes,) = drawn("layers").axes
    lines = axes.lines
    assert len({line.get_color() for line in lines[:6]}) == 3
    assert lines[0].get_color() == lines[3].get_color()
    assert lines[0].get_linestyle() != lines[3].get_linestyle()
    # Each value once, and each style once, in black.
    assert axes.get_legend_handles_labels()[1] == [
        *("first", "second", "both"),
        *("$T = 0.1$", "$T = 0.2$"),
    ]
    assert [line.get_color() for line in lines[6:]] == ["black", "black"]
    assert [line.get_linestyle() for line in lines[6:]] == ["-", "--"]


def test_a_name_has_one_look_whichever_others_are_drawn():
    looks = {}
    for sites in (["first", "second", "both"], ["second", "both"], ["both", "first"]):
        (axes,) = drawn("hue", sel={"T": 0.1, "site": sites}).axes
        for line in axes.lines:
            if line.get_label() in ("first", "second", "both"):
                look = line.get_color(), line.get_linestyle()
                assert looks.setdefault(line.get_label(), look) == look
    assert len(set(looks.values())) == 3


def test_points_of_named_cases_stand_side_by_side_and_beyond_the_scale_as_arrows():
    layer = {"y": "current", "hue": "T", "style": "points", "label": ""}
    changes = {"y": None, "layers": [layer], "hue": None, "ylabel": "current"}
    (axes,) = drawn("cases", **changes).axes
    x = [line.get_xdata() for line in axes.lines[:2]]
    assert abs(x[0] - x[1]).min() > 0.1
    assert axes.get_xticks().tolist() == [0, 1, 2]
    values = np.concatenate([line.get_ydata() for line in axes.lines[:2]])
    middle = np.median(values)
    (cut,) = drawn("cases", **changes, ylim=[middle, 1.5 * values.max()]).axes
    arrows = [line for line in cut.lines if "downarrow" in str(line.get_marker())]
    assert sum(line.get_xdata().size for line in arrows) == np.sum(values < middle)
    assert [line.get_label() for line in arrows].count("off the scale") == 1
    assert not [line for line in cut.lines if "uparrow" in str(line.get_marker())]


def test_labels_of_neighbouring_panels_do_not_touch():
    panel = {"plot": "lines", "x": "gamma_0", "y": "current", "sel": FIRST, "ylabel": "current"}
    panel |= {"xlabel": "a long name of the monitoring strength of one"}
    spec = SPEC.validate_python({"name": "three", "plot": "panels", "panels": [panel] * 3})
    figure = draw(spec, DATASETS, "sweep")
    boxes = [axes.xaxis.label.get_window_extent() for axes in figure.axes]
    for one, other in itertools.pairwise(boxes):
        assert one.x1 + 4 < other.x0
    assert boxes[-1].x1 <= figure.bbox.x1
    (axes,) = drawn("hue").axes
    assert "\n" not in axes.get_xlabel()


def test_a_mark_without_a_label_is_of_the_kind_before():
    marks = [{"x": 0.1 * k, "y": 0, "label": label} for k, label in enumerate(["a", "", "b", ""])]
    lines = drawn("marks", marks=marks).axes[0].lines[-4:]
    assert [line.get_marker() for line in lines] == ["o", "o", "s", "s"]


def test_panels_of_the_same_entries_share_one_legend():
    def panels_of(*panels):
        return SPEC.validate_python({"name": "two", "plot": "panels", "panels": panels})

    panel = {"plot": "lines", "x": "gamma_0", "y": "current", "hue": "site", "sel": {"T": 0.1}}
    four = [{"y": "current", "label": str(n), "sel": {"T": 0.1, "site": "first"}} for n in range(4)]
    for entries, shared in ((four, True), (four[:3], False)):
        panels = [
            {"plot": "lines", "x": "gamma_0", "ylabel": "a", "layers": entries} for _ in range(2)
        ]
        figure = draw(panels_of(*panels), DATASETS, "sweep")
        assert len(figure.legends) == shared
        assert all((axes.get_legend() is None) == shared for axes in figure.axes)
    assert not draw(panels_of(panels[0], panel), DATASETS, "sweep").legends


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_cells_at_the_edge_of_a_map_are_as_large_as_the_others(scale):
    data = DATASETS["plane"].assign_coords(
        ratio=np.geomspace(0.1, 10, DATASETS["plane"].sizes["ratio"])
        if scale == "log"
        else np.linspace(1, 5, DATASETS["plane"].sizes["ratio"])
    )
    data["ratio"].attrs = DATASETS["plane"]["ratio"].attrs
    axes = drawn("map-of-one-sign", DATASETS | {"plane": data}, xscale=scale).axes[0]
    (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
    corners = axes.transData.transform(mesh.get_coordinates()[0])[:, 0]
    frame = axes.get_window_extent()
    np.testing.assert_allclose(corners[[0, -1]], [frame.x0, frame.x1], atol=0.01)
    if scale == "log":
        np.testing.assert_allclose(np.diff(corners), np.diff(corners)[0], rtol=1e-6)


def test_sites_have_ticks_at_whole_numbers():
    for figure in (drawn("profiles"), drawn("profiles", sel={"direction": "right", "N": [6]})):
        axis = figure.axes[0].xaxis
        for ticks in (axis.get_majorticklocs(), axis.get_minorticklocs()):
            np.testing.assert_array_equal(ticks, np.round(ticks))


def test_a_logarithmic_colour_bar_has_plain_numbers():
    plane = DATASETS["plane"]
    data = plane.assign(weight=plane["weight"].copy(data=2 + abs(plane["exchange"].values)))
    figure = drawn("contours", DATASETS | {"plane": data}, zlim=None, contours=[])
    texts = [text.get_text() for text in figure.axes[1].yaxis.get_ticklabels(which="both")]
    assert not [text for text in texts if "times" in text]


def test_a_colour_bar_points_to_where_values_are_beyond_it():
    ends = {}
    for name, limits in {"all": None, "low": [-10, 0], "both": [-1e-3, 1e-3]}.items():
        mappable = drawn("map", zlim=limits).axes[0].collections[0]
        ends[name] = mappable.colorbar.extend
    assert ends == {"all": "neither", "low": "max", "both": "both"}


def test_more_lines_than_colours_have_a_colour_bar():
    figure = drawn("family")
    assert len(figure.axes) == 2
    assert figure.axes[0].get_legend() is None
    assert "time $\\tau$ ($\\hbar/t$)" in words_of(figure)
    assert len({line.get_color() for line in figure.axes[0].lines}) == 12


def test_signed_maps_diverge_from_zero_and_others_do_not():
    mesh = drawn("map").axes[0].collections[0]
    assert mesh.get_cmap().name == "RdBu_r"
    assert mesh.norm.vmin == -mesh.norm.vmax
    assert drawn("map-of-one-sign").axes[0].collections[0].get_cmap().name == "viridis"
    assert "zero within its" in words_of(drawn("map-of-nothing"))


def test_cells_lie_around_their_points():
    np.testing.assert_allclose(edges_of(np.array([1.0, 2.0, 4.0]), "linear"), [0.5, 1.5, 3, 5])
    edges = edges_of(np.array([1.0, 10.0]), "log")
    np.testing.assert_allclose(edges, np.array([1, 10, 100]) / np.sqrt(10))
    assert len(edges_of(np.array([3.0]), "linear")) == 2


def test_powers_of_ten_stand_with_the_unit():
    data = DATASETS["sweep"].copy()
    for variable in ("current", "current_error"):
        data[variable] = (data[variable] * 1e-4).assign_attrs(data[variable].attrs)
    (axes,) = drawn("hue", DATASETS | {"sweep": data}).axes
    assert re.search(r"\(\$10\^{.5}\\,t/h\$\)", axes.get_ylabel())
    assert not axes.yaxis.offsetText.get_visible()


# Layout


@pytest.mark.parametrize("name", ["hue", "layers", "map", "contours", "panels", "family"])
def test_a_drawn_figure_keeps_its_layout_and_its_numbers(name, tmp_path):
    """All formats have the layout that was checked, whatever their resolution and the settings."""

    def state():
        return [
            (axes.get_position().bounds, [text.get_text() for text in labels])
            for axes in figure.axes
            for labels in (axes.get_xticklabels(), axes.get_yticklabels())
        ]

    figure = drawn(name)
    before = state()
    assert any(text for _, texts in before for text in texts)
    for suffix in (".svg", ".pdf", ".png"):
        save(figure, tmp_path / f"a{suffix}", PROVENANCE)
        assert state() == before
    with matplotlib.rc_context({"xtick.labelsize": 20, "ytick.labelsize": 20}):
        figure.draw_without_rendering()
    assert state() == before


@pytest.mark.parametrize("limits", [(0.3, 6), (6, 0.3)])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_minor_ticks_drawn_as_a_path_are_those_of_matplotlib(scale, limits):
    pictures = []
    for ours in (False, True):
        with styled():
            figure = Figure(layout="none")
            axes = figure.subplots()
            axes.set(yscale=scale, ylim=limits, xlim=(-1, 2.05))
            axes.yaxis.set_minor_formatter(NullFormatter())
            FigureCanvasAgg(figure)
            if ours:
                draw_minor_ticks(hide_minor_ticks(figure))
                freeze_ticks(figure)
                assert len(axes.yaxis.minorTicks) <= 1  # matplotlib's own sample of a tick
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png")
        pictures.append(np.asarray(Image.open(buffer).convert("L"), dtype=float))
    with styled():
        for ticks in list(axes.patches):
            ticks.remove()
        figure.savefig(buffer := io.BytesIO(), format="png")
    without = np.asarray(Image.open(buffer).convert("L"), dtype=float)
    ink, difference = (abs(pictures[0] - other).sum() for other in (without, pictures[1]))
    assert difference < 0.1 * ink  # of the pixels at their ends


def test_minor_ticks_with_numbers_stay():
    """A logarithmic axis of less than a decade has its numbers at minor ticks."""
    data = DATASETS["sweep"].isel(gamma_0=slice(35, None))
    data = data.assign_coords(gamma_0=data["gamma_0"] * 1e5)
    changes = {"xscale": "log", "reference_lines": []}
    (axes,) = drawn("hue", DATASETS | {"sweep": data}, **changes).axes
    assert any(label.get_text() for label in axes.xaxis.get_minorticklabels())
    assert len(axes.yaxis.minorTicks) <= 1


def test_a_font_is_embedded_once_in_a_pdf(tmp_path):
    """Each time takes a tenth of the time of a figure."""
    save(drawn("map"), tmp_path / "a.pdf", PROVENANCE)
    fonts = re.findall(rb"/FontName /[A-Z]+\+([A-Za-z-]+)", (tmp_path / "a.pdf").read_bytes())
    assert len(fonts) > 1
    assert len(fonts) == len(set(fonts))


# Parts of the data


def test_values_that_a_point_has_not_are_no_gap():
    lines = {line.get_label(): line for line in drawn("profiles").axes[0].lines}
    assert [line.get_xdata().tolist() for line in lines.values()] == [
        [1, 5, 9],
        [1, 3, 5, 7, 9, 11],
        list(range(1, 13)),
    ]


def test_one_line_for_each_label_of_a_dimension():
    lines = drawn("directions").axes[0].lines
    assert [line.get_label() for line in lines] == ["right", "left"]
    np.testing.assert_allclose(lines[0].get_ydata(), 2 * lines[1].get_ydata())


def test_several_values_may_be_chosen():
    lines = drawn("profiles", sel={"direction": "left", "N": [12, 3]}).axes[0].lines
    assert [line.get_label() for line in lines] == [
        "$N$ = 12",
        "$N$ = 3",
    ]
    assert len(lines[1].get_xdata()) == 3
    datasets = failed_at("chains", N=6.0)
    assert "failed" not in words_of(
        drawn("profiles", datasets, sel={"direction": "left", "N": [12, 3]})
    )
    assert "1 of 2 points" in words_of(
        drawn("profiles", datasets, sel={"direction": "left", "N": [12, 6]})
    )
    x = drawn("hue", sel={"T": 0.1, "gamma_0": [0, 1.5, 3]}).axes[0].lines[0].get_xdata()
    assert x.tolist() == [0, 1.5, 3]


def test_all_roots_are_points_alike():
    axes = drawn("roots").axes[0]
    (points_drawn,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert points_drawn.get_linestyle() == "None"
    finite = np.isfinite(DATASETS["levels"]["level"].values)
    assert len(points_drawn.get_xdata()) == finite.sum()
    assert set(zip(*points_drawn.get_data(), strict=True)) == {
        (b, level)
        for b, row in zip(
            DATASETS["levels"]["B"].values, DATASETS["levels"]["level"].values, strict=True
        )
        for level in row[np.isfinite(row)]
    }
    bars = np.array(axes.collections[0].get_segments())
    np.testing.assert_allclose(np.ptp(bars[:, :, 1], axis=1), 0.1)


def test_many_points_without_a_line_have_markers():
    (line,) = drawn("roots", y="current", every=None, style="points", zero_line=False).axes[0].lines
    assert len(line.get_xdata()) == 41
    assert line.get_marker() == "o"


@pytest.mark.parametrize("style", ["solid", None])
def test_a_line_beside_points_has_no_markers(style):
    current = {"y": "current", "sel": {"site": "first", "gamma_0": 1}}
    layers = [current | {"label": f"{each}", "style": each} for each in ("points", style)]
    text = {"plot": "lines", "name": "few", "x": "T", "layers": layers, "ylabel": "current"}
    alone = [current | {"label": "", "style": style}]
    for shown, markers in ((layers, ["o", ""]), (alone, ["o"])):
        figure = draw(SPEC.validate_python(text | {"layers": shown}), DATASETS, "sweep")
        assert [line.get_marker() for line in figure.axes[0].lines] == markers


def test_lines_and_marks_stand_at_the_values_of_variables():
    axes = drawn("marks").axes[0]
    at = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert at == [-0.5, 0.5]
    zeros, least = (line_of(axes.figure, label) for label in ("zeros", "least current"))
    assert zeros.get_xdata()[:2].tolist() == [-0.5, 0.5]
    assert zeros.get_ydata().tolist() == [0, 0, 0]
    np.testing.assert_allclose(least.get_ydata(), -0.25 * 2 * np.pi)
    assert [text.get_text() for text in axes.texts] == ["no current"]


def test_marks_of_another_unit_are_refused():
    with pytest.raises(FigureError, match="current has the unit t/hbar, B the unit t"):
        drawn("marks", marks=[{"x": "current", "y": 0}])


def test_contours_and_colours_of_maps():
    axes = drawn("contours").axes[0]
    mesh, *contours = axes.collections
    assert mesh.norm.__class__.__name__ == "LogNorm"
    assert [contour.get_linestyle() for contour in axes.lines][:2] == ["--", ":"]
    ratio, mu = contours[0].get_paths()[0].vertices.T
    np.testing.assert_allclose(ratio, np.exp(mu), atol=0.02)  # a fifth of a cell
    steps = drawn("steps").axes[0].collections[0]
    assert steps.norm.boundaries.tolist() == [-0.3, -0.1, 0, 0.1, 0.3]
    assert steps.get_cmap().name == "RdBu_r"
    with pytest.raises(FigureError, match="no value above 0"):
        drawn("contours", z="nothing", zlim=None, contours=[])


def test_colours_of_lines_are_those_of_the_colour_bar():
    figure = drawn("family")
    mappable = figure.axes[1]._colorbar.mappable
    values = DATASETS["family"]["tau"].values
    colours = [line.get_color() for line in figure.axes[0].lines]
    np.testing.assert_allclose(colours, [mappable.to_rgba(v) for v in values])
    data = family().assign_coords(
        tau=labelled(("tau",), np.geomspace(1, 100, 12), "hbar/t", "time")
    )
    norm = drawn("family", DATASETS | {"family": data}).axes[1]._colorbar.mappable.norm
    assert norm.__class__.__name__ == "LogNorm"


# Failed points


def failed_at(name: str, **where) -> dict[str, xr.Dataset]:
    data = DATASETS[name].copy(deep=True)
    data["status"].loc[where] = 2
    return DATASETS | {name: data}


def test_failed_points_are_missing_and_counted():
    datasets = failed_at("sweep", site="first", gamma_0=1.0)
    figure = drawn("hue", datasets)
    assert "1 of 183 points failed" in words_of(figure)  # of one temperature alone
    missing = np.isnan(line_of(figure, "first").get_ydata())
    assert list(DATASETS["sweep"]["gamma_0"].values[missing]) == [1.0]
    assert not np.isnan(line_of(figure, "second").get_ydata()).any()
    assert "2 of 366 points failed" in words_of(drawn("layers", datasets))


def test_failed_samples_are_not_drawn():
    figure = drawn("samples", failed_at("ensemble", sample=3))
    assert "12 of 720 points failed" in words_of(figure)
    assert np.isnan(line_of(figure, "samples").get_ydata()).sum() == 12


def test_points_of_several_panels_and_studies_count_once():
    words = words_of(drawn("panels", failed_at("ensemble", sample=3)))
    assert "12 of 721 points failed" in words


def test_no_more_numbers_are_left_out_than_would_touch():
    panel = FIGURES["hue"][1] | {"xlim": [0, 0.0123], "reference_lines": []}
    spec = SPEC.validate_python({"name": "three", "plot": "panels", "panels": [panel] * 3})
    numbers = draw(spec, DATASETS, "sweep").axes[0].get_xticklabels()
    assert [text.get_text() for text in numbers][:3] == ["0.000", "0.005", "0.010"]


@pytest.mark.parametrize("xlim", [[-0.001, 0.021], [10000, 10020], [-0.01, 0.21], [0, 3]])
def test_numbers_along_x_do_not_touch(xlim):
    axis = drawn("hue", xlim=xlim, reference_lines=[]).axes[0].xaxis
    ticks = [tick for tick in axis.get_major_ticks() if xlim[0] <= tick.get_loc() <= xlim[1]]
    boxes = [tick.label1.get_window_extent() for tick in ticks]
    assert len(boxes) > 1
    for left, right in itertools.pairwise(boxes):
        assert right.x0 - left.x1 > 0.25 * ticks[0].label1.get_size()


def test_lines_without_any_value_say_why():
    """What failed by its message, what is undefined by its reason, where both are by both."""
    data = DATASETS["sweep"].copy(deep=True)
    data["status"][:] = 1
    figure = drawn("hue", DATASETS | {"sweep": data})
    assert said_to_be_empty(figure) == ["no values: all 61 points failed"]
    data["message"] = data["status"].astype(object).copy(data=np.full(data["status"].shape, "slow"))
    for name in ("current", "current_error"):
        data[name].attrs["undefined"] = "infinite for pure loss"
    figure = drawn("hue", DATASETS | {"sweep": data})
    assert said_to_be_empty(figure) == ["no values: all 61 points failed: slow"]
    data["status"][:] = 0
    data["current"][:] = np.nan
    figure = drawn("hue", DATASETS | {"sweep": data})
    assert said_to_be_empty(figure) == ["no values: infinite for pure loss"]
    data["status"][..., :7] = 4
    (said,) = said_to_be_empty(drawn("hue", DATASETS | {"sweep": data}))
    assert said == "no values: 7 of 61 points failed: slow; infinite for pure loss"


def test_a_line_without_any_value_beside_others_says_so_in_the_legend():
    data = DATASETS["sweep"].copy(deep=True)
    data["status"].loc[{"site": "second"}] = 1
    figure = drawn("hue", DATASETS | {"sweep": data})
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [label for label in labels if "no values" in label] == ["second (no values)"]
    assert said_to_be_empty(figure) == []


@pytest.mark.parametrize("plot", ["samples", "power-law"])
def test_samples_and_power_laws_without_any_value_say_why(plot):
    data = DATASETS["ensemble"].copy(deep=True)
    for name in data:
        if name != "status":
            data[name] = data[name].astype(float) * np.nan
            data[name].attrs |= DATASETS["ensemble"][name].attrs | {"undefined": "loss alone"}
    figure = drawn(plot, DATASETS | {"ensemble": data})
    assert said_to_be_empty(figure) == ["no values: loss alone"]
    assert figure.axes[0].get_legend() is None


@pytest.mark.parametrize("plot", ["hue", "samples", "power-law"])
def test_a_logarithmic_axis_without_positive_values_says_so(plot):
    source = FIGURES[plot][0]
    data = DATASETS[source].copy(deep=True)
    for name in data:
        if name.startswith(("current", "square")) and not name.endswith(("_error", "_sem")):
            data[name] = -abs(data[name])
            data[name].attrs |= DATASETS[source][name].attrs
    more = {} if plot == "power-law" else {"yscale": "log"}
    figure = drawn(plot, DATASETS | {source: data}, **more)
    said = ["no values: none is above 0, and the axis is logarithmic"]
    assert said_to_be_empty(figure) == said
    if plot == "hue":
        figure = drawn(plot, DATASETS | {source: data}, **more, magnitude=True)
        assert said_to_be_empty(figure) == []


def test_a_map_without_any_value_is_drawn():
    data = DATASETS["plane"].copy(deep=True)
    data["status"][:] = 1
    assert "no values" in words_of(drawn("map", DATASETS | {"plane": data}))


def test_without_failures_there_is_no_note():
    assert "failed" not in words_of(drawn("hue"))


# Labels and units


def test_powers_of_units():
    assert powers_of("(t/hbar)^2/t^2") == {"hbar": -2}
    assert powers_of("1") == {}
    assert powers_of("t*hbar^-1") == powers_of("t/hbar")
    with pytest.raises(UnitError, match="no unit"):
        powers_of("t per hbar")


@pytest.mark.parametrize(
    ("natural", "shown", "factor"),
    [
        ("t/hbar", "t/h", 2 * np.pi),
        ("(t/hbar)^2", "(t/h)^2", (2 * np.pi) ** 2),
        ("t^2/hbar", "t^2/h", 2 * np.pi),
        ("1/hbar", "1/h", 2 * np.pi),
        ("hbar/t", "h/t", 1 / (2 * np.pi)),
        ("t", None, 1),
    ],
)
def test_unit_factor(natural, shown, factor):
    assert unit_factor(natural, shown) == pytest.approx(factor, rel=1e-15)


def test_a_unit_of_another_kind_is_refused():
    with pytest.raises(FigureError, match=r"'t\^2/h' does not fit 't/hbar'; use 't/h'"):
        unit_factor("t/hbar", "t^2/h")


def test_texts():
    assert unit_text("(t/hbar)^2") == r"$t^{2}/\hbar^{2}$"
    assert unit_text("1/hbar") == r"$1/\hbar$"
    assert unit_text("1") == ""
    assert unit_text("t/rad") == r"$t/\mathrm{rad}$"
    assert symbol("gamma_0") == r"$\gamma_{0}$"
    assert symbol("t_hop") == r"$t_{\mathrm{hop}}$"
    assert symbol("ratio") == ""
    data = DATASETS["ensemble"]
    assert label_of(data["V"]) == "disorder half-width $V$ ($t$)"
    assert label_of(data["current"], "t/h") == "net particle current ($t/h$)"
    assert value_label(data["V"], 0.5) == "$V$ = 0.5 $t$"
    assert with_error(1.9123, 0.0231) == "1.91 ± 0.02"
    assert with_error(1.9123, 0.0131) == "1.912 ± 0.013"
    assert with_error(1.9123, 0.00997) == "1.912 ± 0.010"
    assert with_error(1.9123, np.nan) == "1.91"


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": "curent"}, "figure hue of sweep: no variable 'curent'; did you mean 'current'"),
        ({"x": "gamma_O"}, "no variable 'gamma_O'; did you mean 'gamma_0'"),
        ({"hue": "sites"}, "current has no dimension 'sites'; did you mean 'site'"),
        ({"sel": {}}, "further dimension 'T': choose a value in sel, one of 0.1, 0.2"),
        ({"sel": {"t": 0.1}}, "sel: no dimension 't'"),
        ({"sel": {"T": 0.3}}, "sel: T has no value 0.3; it has 0.1, 0.2"),
        ({"display_unit": "t"}, "display_unit 't' does not fit 't/hbar'; use 't/h'"),
    ],
)
def test_what_the_data_do_not_have_is_named(changes, message):
    with pytest.raises(FigureError, match=re.escape(message)):
        drawn("hue", **changes)


def test_the_panel_at_fault_is_named():
    study, text = FIGURES["panels"]
    wrong = {**text, "panels": [text["panels"][0], text["panels"][1] | {"fit": "line"}]}
    spec = SPEC.validate_python(wrong | {"name": "two"})
    with pytest.raises(FigureError, match=r"figure two of ensemble, panel 2: fit: .* 'line'"):
        draw(spec, DATASETS, study)


def test_quantities_of_different_units_do_not_share_an_axis():
    layers = [{"y": "energy", "sel": FIRST, "label": "energy"}]
    with pytest.raises(FigureError, match=r"energy has the unit t\^2/hbar, current .* panels"):
        drawn("hue", layers=layers, ylabel="currents")


def test_a_law_of_the_wrong_power_is_refused():
    laws = [{"from": "limit", "y": "coefficient", "exponent": 3, "sel": {"N": 100}, "label": "x"}]
    with pytest.raises(FigureError, match=r"coefficient times V\^3 has not the unit"):
        drawn("power-law", laws=laws)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"y": None}, "nothing to draw"),
        ({"y": None, "hue": "site", "layers": [{"y": "a", "label": "a"}]}, "hue belongs to y"),
        ({"y": None, "every": "b", "layers": [{"y": "a", "label": "a"}]}, "every belongs to y"),
        ({"sel": {"T": []}}, "at least 1 item"),
        ({"marks": [{"x": 1}]}, "Field required"),
        ({"layers": [{"y": "other", "label": "a"}]}, "name it with ylabel"),
        ({"reference_lines": [{"label": "a"}]}, "x or y of the line"),
        ({"colour": "red"}, "Extra inputs"),
        ({"plot": "pie"}, "'pie'"),
        (MAP | {"zscale": "log", "zlim": [0, 1]}, "zlim above 0"),
        (MAP | {"zsteps": [1, 0]}, "zsteps in order"),
        ({"name": "a/b"}, "pattern"),
    ],
)
def test_a_specification_without_sense_is_refused(spec, message):
    with pytest.raises(ValidationError, match=message):
        SPEC.validate_python(ONE_LINE | spec)


def test_a_faulty_panel_is_the_only_fault():
    panels = {"name": "a", "plot": "panels", "panels": [ONE_LINE | {"colour": "red"}]}
    with pytest.raises(ValidationError) as caught:
        SPEC.validate_python(panels)
    assert [error["type"] for error in caught.value.errors()] == ["extra_forbidden"]


def test_studies_that_a_figure_needs():
    def needed(name):
        return studies_of(SPEC.validate_python(FIGURES[name][1] | {"name": name}), "own")

    assert needed("hue") == ["own"]
    assert needed("map") == ["own", "root"]
    assert needed("panels") == ["limit", "own"]
    others = {"y": None, "layers": [{"from": "other", "y": "a", "label": "a"}]}
    assert studies_of(SPEC.validate_python(ONE_LINE | others), "own") == ["other"]
    numbers = others | {"marks": [{"x": 1, "y": 2}], "reference_lines": [{"x": 1}]}
    assert studies_of(SPEC.validate_python(ONE_LINE | numbers), "own") == ["other"]
    variables = {"marks": [{"from": "b", "x": "x0", "y": 2}]}
    assert studies_of(SPEC.validate_python(ONE_LINE | variables), "own") == ["b", "own"]


def test_specifications_are_light_to_import():
    code = (
        "import sys, nessflow.figures.specs;"
        "print([m for m in ('xarray', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    assert run(code) == "[]"


# Files


def run(code: str, **environment) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(Path(__file__).parent)])}
        | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


WRITE = """
import sys
from pathlib import Path
from test_figures import FIGURES, PROVENANCE, drawn
from nessflow.figures.save import save
from nessflow.figures.units import FigureError
for name in {names}:
    figure = drawn(name)
    for suffix in (".svg", ".pdf", ".png"):
        save(figure, Path({folder!r}) / (name + suffix), PROVENANCE)
"""


def test_two_processes_write_the_same_bytes(tmp_path):
    """Neither what was drawn before nor sets nor the user's own settings have an influence."""
    names = ["panels", "map", "contours", "layers", "family"]
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 20\n")
    environments = ({"PYTHONHASHSEED": "1"}, {"MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "2"})
    written = []
    for number, environment in enumerate(environments):
        folder = tmp_path / str(number)
        folder.mkdir()
        run(WRITE.format(folder=str(folder), names=names), **environment)
        names.reverse()
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(written[0]) == 15
    for name, content in written[0].items():
        assert content == written[1][name], name


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    figure = drawn("power-law")
    for suffix in (".svg", ".pdf", ".png"):
        save(figure, folder / f"a{suffix}", PROVENANCE)
    return folder


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_provenance_is_read_back(files, suffix):
    assert read_record(files / f"a{suffix}") == PROVENANCE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_full_disk_is_told_as_such(tmp_path, suffix):
    """And nothing of what matplotlib runs into afterwards."""
    path = tmp_path / f"a{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        save(drawn("hue"), path, PROVENANCE)


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_files_hold_no_date_and_no_version(files, suffix):
    content = (files / f"a{suffix}").read_bytes()
    for word in (b"CreationDate", b"dc:date", b"Matplotlib v", b"matplotlib.org"):
        assert word not in content


@pytest.mark.parametrize("key", [*RECORD, *(f"data.{key}" for key in DATA_RECORD)])
def test_a_figure_without_its_provenance_is_refused(tmp_path, key):
    record = {**PROVENANCE, "data": [dict(PROVENANCE["data"][0])]}
    del (record["data"][0] if "." in key else record)[key.removeprefix("data.")]
    with pytest.raises(ValueError, match=f"provenance, and has no {key}$"):
        save(drawn("hue"), tmp_path / "a.png", record)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png", ".json"])
def test_a_file_without_a_record_is_named(tmp_path, suffix):
    path = tmp_path / f"foreign{suffix}"
    if suffix == ".json":
        path.write_text("[1, 2]")
    else:
        drawn("hue").savefig(path)
    with pytest.raises(RecordError, match=f"foreign{suffix}: no record of nessflow"):
        read_record(path)


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_a_file_cut_anywhere_has_its_record_or_none(files, tmp_path, suffix):
    image = (files / f"a{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in (0, 1, 7, 8, 20, 60, 400, 1000, len(image) // 2, len(image) - 1):
        path.write_bytes(image[:length])
        with suppress(RecordError):
            assert read_record(path) == PROVENANCE


def test_the_picture_has_the_width_of_a_column(files):
    with Image.open(files / "a.png") as picture:
        assert picture.width == round(3.4 * 300)


def test_lines_do_not_end_within_mathematics():
    text = r"positive for $\mu < 0$, negative for $\mu - x > 0$ and then non-zero \$ 5"
    lines = wrapped(text, 26).split("\n")
    assert len(lines) > 2
    assert all(len(re.findall(r"(?<!\\)\$", line)) % 2 == 0 for line in lines)
    assert " ".join(lines).replace("- ", "-") == text.replace("- ", "-")
