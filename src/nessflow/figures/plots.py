"""Drawing of each kind of plot from labelled data."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure

from nessflow.figures.data import Data, along, error_of, failures, selected, variable
from nessflow.figures.labels import (
    FigureError,
    label_of,
    powers_of,
    times_power,
    unit_factor,
    value_label,
    with_error,
)
from nessflow.figures.legend import label_reference_lines, place_legends
from nessflow.figures.scales import edges_of, label_log_ticks, move_powers_of_ten
from nessflow.figures.specs import (
    Curve,
    Lines,
    Map,
    Plot,
    PowerLaw,
    Samples,
    Spec,
    panels_of,
    selection_of,
)
from nessflow.figures.style import styled

_DOUBLE = 7.0  # inches: two columns of a journal page
_MARKED = 30  # points of a line up to which each has a marker
_VECTORS = 2000  # points up to which each is drawn as such, not as part of an image
_WIDE = 48  # characters of a title above or a label below a plot
_COLOURS = 7  # lines told apart by colour and style; more have a colour bar
_BLUE, _RED, _GREEN, _PURPLE, _ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"


def draw(spec: Spec, datasets: Data, study: str) -> Figure:
    """Return the figure of a specification.

    Parameters
    ----------
    spec : Spec
        Checked specification.
    datasets : mapping of str to xarray.Dataset
        Data of every study that the figure reads.
    study : str
        The figure's own study.

    Raises
    ------
    FigureError
        When the specification names something that the data do not have.
    """
    panels = panels_of(spec)
    with styled():
        figure, grid = _empty_figure(panels)
        titles = {}
        for index, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
            try:
                _PLOTS[type(panel)](axes, panel, datasets, study)
                _finish(axes, panel)
            except FigureError as error:
                place = f", panel {index + 1}" if len(panels) > 1 else ""
                raise FigureError(f"figure {spec.name} of {study}{place}: {error}") from None
            letter = f"({chr(ord('a') + index)})" if len(panels) > 1 else ""
            title = " ".join(filter(None, (letter, panel.title)))
            titles[axes] = textwrap.fill(title, _WIDE if len(panels) != 3 else _WIDE // 2)
        failed, points = failures(spec, datasets, study)
        if failed:
            text = f"{failed} of {points} points failed"
            figure.supxlabel(text, x=0.99, ha="right", fontsize=6, color="0.3")
        figure.draw_without_rendering()  # makes the layout
        move_powers_of_ten(figure)
        figure.draw_without_rendering()
        for axes, panel in zip(grid, panels, strict=True):
            label_reference_lines(axes, panel.reference_lines)
        place_legends(figure, titles)
    return figure


def _empty_figure(panels: list[Plot]) -> tuple[Figure, list[Axes]]:
    figure = Figure()
    FigureCanvasAgg(figure)
    columns = min(len(panels), 3 if len(panels) != 4 else 2)
    rows = -(-len(panels) // columns)
    wide = columns > 1 or panels[0].width == "double"
    width, height = figure.get_size_inches()
    figure.set_size_inches(_DOUBLE if wide else width, height * rows)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


# Lines


@dataclass(frozen=True)
class _Line:
    """One line, in displayed units, and how it looks."""

    x: xr.DataArray
    y: xr.DataArray
    band: np.ndarray | None
    label: str
    look: Mapping[str, object]


def _lines(axes: Axes, spec: Lines, datasets: Data, study: str) -> None:
    groups = [_curve_lines(spec, number, datasets, study) for number in range(len(spec.curves))]
    lines = [line for group in groups for line in group]
    for line in lines:
        _require_same_unit(line.y, lines[0].y)
    factor = unit_factor(lines[0].y.attrs["natural_units"], spec.display_unit)
    for line in lines:
        x, y = _numbers(line.x), line.y.values * factor
        y = abs(y) if spec.magnitude else y
        look = line.look if len(x) <= _MARKED else {**line.look, "marker": ""}
        (drawn,) = axes.plot(x, y, label=line.label, **look)
        if line.band is not None:
            low, high = y - line.band * factor, y + line.band * factor
            axes.fill_between(x, low, high, color=drawn.get_color(), alpha=0.25, linewidth=0)
    if lines[0].x.dtype.kind not in "fiu":
        axes.set_xticks(_numbers(lines[0].x), lines[0].x.values.tolist())
        axes.minorticks_off()
    elif all(line.look.get("marker", "") == "" or len(line.x) > _MARKED for line in lines):
        axes.margins(x=0)
    for curve in spec.curves:
        source, _ = selection_of(spec, curve, study)
        if curve.hue and _is_crowded(datasets[source], curve):
            _add_hue_bar(axes, datasets[source][curve.hue])
            break
    axes.set_xlabel(label_of(lines[0].x, text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(lines[0].y, spec.display_unit, spec.ylabel or ""))


def _curve_lines(spec: Lines, number: int, datasets: Data, study: str) -> list[_Line]:
    """Return the lines of one entry of a plot: one, or one for each value of its hue."""
    curve = spec.curves[number]
    source, sel = selection_of(spec, curve, study)
    data = datasets[source]
    x, y = along(data, curve.x or spec.x, curve.y, sel, curve.hue)
    band = error_of(data, curve.y, sel, y.dims)
    if not curve.hue:
        spread = None if band is None else band.values
        return [_Line(x, y, spread, curve.label, _look(spec, number, 0, 1))]
    lines = []
    for index, value in enumerate(data[curve.hue].values.tolist()):
        label = "" if _is_crowded(data, curve) else value_label(data[curve.hue], value)
        label = ", ".join(filter(None, (curve.label, label)))
        spread = None if band is None else band.values[index]
        look = _look(spec, number, index, data.sizes[curve.hue])
        lines.append(_Line(x, y.isel({curve.hue: index}), spread, label, look))
    return lines


def _look(spec: Lines, number: int, index: int, count: int) -> dict[str, object]:
    """Return how line ``index`` of ``count`` of entry ``number`` looks.

    The values of a hue have one colour each in all entries, which then differ by the style of the
    line; entries without a hue beside such ones are black.
    """
    cycle = list(matplotlib.rcParams["axes.prop_cycle"])
    curve = spec.curves[number]
    by_hue = any(entry.hue for entry in spec.curves)
    look = dict(cycle[(index if curve.hue else number) % len(cycle)])
    if by_hue and len(spec.curves) > 1:
        look["linestyle"] = cycle[number % len(cycle)]["linestyle"]
    if by_hue and not curve.hue:
        look |= {"color": "black", "marker": ""}
    if curve.hue and count > _COLOURS:
        colour = matplotlib.colormaps["viridis"](index / (count - 1))
        look |= {"color": colour, "linestyle": "-", "marker": ""}
    if curve.style == "points":
        look["linestyle"] = "none"
    elif curve.style:
        look["linestyle"] = curve.style
    return look


def _is_crowded(data: xr.Dataset, curve: Curve) -> bool:
    return data.sizes[curve.hue] > _COLOURS and data[curve.hue].dtype.kind in "fiu"


def _add_hue_bar(axes: Axes, hue: xr.DataArray) -> None:
    norm = Normalize(float(hue.values[0]), float(hue.values[-1]))
    axes.figure.colorbar(ScalarMappable(norm, "viridis"), ax=axes, label=label_of(hue))


def _numbers(x: xr.DataArray) -> np.ndarray:
    """Return values on an axis; named cases stand at 0, 1, 2, ..."""
    return x.values if x.dtype.kind in "fiu" else np.arange(x.size)


def _require_same_unit(one: xr.DataArray, other: xr.DataArray) -> None:
    units, expected = one.attrs["natural_units"], other.attrs["natural_units"]
    if powers_of(units) != powers_of(expected):
        raise FigureError(
            f"{one.name} has the unit {units}, {other.name} the unit {expected}: "
            "they need panels of their own"
        )


# Maps


_OVER_MAP = (
    {"color": _GREEN, "linestyle": "--"},
    {"color": _PURPLE, "linestyle": ":"},
    {"color": _ORANGE, "linestyle": "-."},
    {"color": "black", "linestyle": ":"},
)


def _map(axes: Axes, spec: Map, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = variable(data, spec.z, spec.sel, [spec.y, spec.x])
    error = error_of(data, spec.z, spec.sel, values.dims)
    factor = unit_factor(values.attrs["natural_units"], spec.display_unit)
    x, y, z = values[spec.x].values, values[spec.y].values, values.values * factor
    if error is not None:
        # Numbers within their own error are zero: their signs are noise, not physics.
        z = np.where(abs(z) <= error.values * factor, 0.0, z)
    mesh = axes.pcolormesh(
        edges_of(x, spec.xscale or "linear"),
        edges_of(y, spec.yscale or "linear"),
        z,
        rasterized=True,
        **_colours(z, spec.zlim),
    )
    axes.set_facecolor("0.85")
    bar = axes.figure.colorbar(mesh, ax=axes)
    bar.set_label(label_of(values, spec.display_unit, spec.zlabel or ""))
    if not np.any(z[np.isfinite(z)]):
        text = "zero within its\nnumerical error" if np.isfinite(z).any() else "no values"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")
        bar.set_ticks([0.0] if np.isfinite(z).any() else [])
    elif spec.zero_contour and np.nanmin(z) < 0 < np.nanmax(z):
        axes.contour(x, y, z, levels=[0.0], colors="black", linewidths=1.0)
        axes.plot([], [], color="black", linestyle="-", marker="", label="zero of the map")
    for layer, style in zip(spec.layers, _OVER_MAP, strict=False):
        source, sel = selection_of(spec, layer, study)
        at, line = along(datasets[source], layer.x or spec.x, layer.y, sel)
        _require_same_unit(line, values[spec.y])
        _require_same_unit(at, values[spec.x])
        axes.plot(at.values, line.values, label=layer.label, marker="", linewidth=1.6, **style)
    axes.set_xlim(x.min(), x.max())
    axes.set_ylim(y.min(), y.max())
    axes.set_xlabel(label_of(values[spec.x], text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(values[spec.y], text=spec.ylabel or ""))


def _colours(z: np.ndarray, limits: tuple[float, float] | None) -> dict[str, object]:
    """Return colours that diverge from zero for values of both signs, else in sequence."""
    finite = z[np.isfinite(z)]
    low, high = limits or (finite.min(initial=0.0), finite.max(initial=0.0))
    if low < 0 < high or low == high:
        return {"cmap": "RdBu_r", "norm": CenteredNorm(0, max(-low, high) or 1.0)}
    if not limits:
        low, high = finite.min(), finite.max()
    return {"cmap": "viridis", "vmin": low, "vmax": high}


# Ensembles


def _samples(axes: Axes, spec: Samples, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = variable(data, spec.y, spec.sel, [spec.x, "sample"])
    mean = variable(data, f"{spec.y}_mean", spec.sel, [spec.x])
    sem = variable(data, f"{spec.y}_sem", spec.sel, [spec.x])
    factor = unit_factor(values.attrs["natural_units"], spec.display_unit)
    x, y = values[spec.x].values, values.values * factor
    axes.plot(
        np.repeat(x, y.shape[1]),
        y.ravel(),
        linestyle="none",
        marker=".",
        markersize=3,
        color=_BLUE,
        alpha=0.25,
        markeredgewidth=0,
        rasterized=y.size > _VECTORS,
        label="samples",
    )
    style = {"color": "black", "linestyle": "--", "marker": "", "linewidth": 0.8}
    axes.plot(x, np.fmax.reduce(y, axis=1), label="envelope", **style)
    axes.plot(x, np.fmin.reduce(y, axis=1), **style)
    _error_bars(axes, x, mean.values * factor, sem.values * factor, color=_RED, linestyle="-")
    axes.set_xlabel(label_of(values[spec.x], text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(values, spec.display_unit, spec.ylabel or ""))


def _power_law(axes: Axes, spec: PowerLaw, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = variable(data, spec.y, spec.sel, [spec.x])
    sem = error_of(data, spec.y, spec.sel, [spec.x])
    unit = values.attrs["natural_units"]
    factor = unit_factor(unit, spec.display_unit)
    x = values[spec.x].values
    _error_bars(
        axes, x, values.values * factor, None if sem is None else sem.values * factor, color=_BLUE
    )
    if spec.fit:
        _fitted_line(axes, data, spec, factor)
    for law, style in zip(spec.laws, ("--", ":", "-.", (0, (5, 1))), strict=False):
        source, sel = selection_of(spec, law, study)
        coefficient = variable(datasets[source], law.y, sel, [])
        own = powers_of(coefficient.attrs["natural_units"])
        base = powers_of(values[spec.x].attrs["natural_units"])
        if times_power(own, base, law.exponent) != powers_of(unit):
            raise FigureError(
                f"{law.y} times {spec.x}^{law.exponent:g} has not the unit {unit} of {spec.y}"
            )
        line = float(coefficient) * factor * x**law.exponent
        axes.plot(x, line, color="black", linestyle=style, marker="", label=law.label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(label_of(values[spec.x], text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(values, spec.display_unit, spec.ylabel or ""))


def _error_bars(axes: Axes, x: np.ndarray, y: np.ndarray, sem: np.ndarray | None, **style) -> None:
    style = {"linestyle": "none", "marker": "o", "elinewidth": 1.0} | style
    axes.errorbar(x, y, sem, label="mean ± standard error", **style)


def _fitted_line(axes: Axes, data: xr.Dataset, spec: PowerLaw, factor: float) -> None:
    """Draw a fit over its range; nothing when the data did not allow one."""
    fit = spec.fit.replace("-", "_")
    if f"{fit}_exponent" not in data:
        raise FigureError(f"fit: the study has no fit {spec.fit!r}")
    exponent, error, prefactor = (
        selected(data, f"{fit}_{part}", spec.sel)
        for part in ("exponent", "exponent_error", "prefactor")
    )
    if exponent.ndim:
        raise FigureError(f"fit: choose a value of {', '.join(exponent.dims)} in sel")
    if not np.isfinite(prefactor):
        return
    low, high = exponent.attrs["range"]
    power = with_error(float(exponent), float(error))
    x = np.geomspace(low, high, 50)
    axes.plot(
        x,
        float(prefactor) * factor * x ** float(exponent),
        color=_ORANGE,
        linestyle="-",
        marker="",
        linewidth=3,
        zorder=1,
        label=f"fit from {low:g} to {high:g}:\nexponent {power}",
    )


_PLOTS = {Lines: _lines, Map: _map, Samples: _samples, PowerLaw: _power_law}


def _finish(axes: Axes, spec: Plot) -> None:
    """Apply what all plots have in common."""
    for set_scale, scale in ((axes.set_xscale, spec.xscale), (axes.set_yscale, spec.yscale)):
        if scale:
            set_scale(scale)
    if spec.zero_line:
        axes.axhline(0, color="0.6", linewidth=0.6, linestyle="-", marker="", zorder=0)
    thin = {"color": "0.4", "linewidth": 0.8, "linestyle": ":", "marker": "", "zorder": 0}
    for line in spec.reference_lines:
        if line.x is not None:
            axes.axvline(line.x, **thin)
        else:
            axes.axhline(line.y, **thin)
    if spec.xlim:
        axes.set_xlim(spec.xlim)
    if spec.ylim:
        axes.set_ylim(spec.ylim)
    label_log_ticks(axes.xaxis)
    label_log_ticks(axes.yaxis)
