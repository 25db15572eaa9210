"""Drawing of each kind of plot from labelled data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import EllipseCollection, QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import BoundaryNorm, CenteredNorm, LogNorm, Normalize
from matplotlib.figure import Figure

from nessflow.figures.data import (
    Data,
    along,
    error_of,
    failures,
    interpolated,
    selected,
    variable,
    why_empty,
)
from nessflow.figures.labels import label_of, unit_text, value_label, with_error
from nessflow.figures.lattice_map import Drawn, draw_lattice, drawn_of
from nessflow.figures.legend import place_legends
from nessflow.figures.mathtext import wrapped
from nessflow.figures.scales import (
    draw_minor_ticks,
    edges_of,
    freeze_ticks,
    hide_minor_ticks,
    label_log_ticks,
    lay_out,
    move_powers_of_ten,
    separate_axis_labels,
    separate_tick_labels,
    tick_whole_numbers,
)
from nessflow.figures.specs import (
    Coloured,
    CurrentMap,
    Curve,
    Lines,
    Map,
    Mark,
    Plot,
    PowerLaw,
    ReferenceLine,
    Samples,
    Selection,
    SiteMap,
    Spec,
    is_table,
    panels_of,
    selection_of,
)
from nessflow.figures.style import styled
from nessflow.figures.units import FigureError, displayed
from nessflow.written.units import powers_of, times_power

EMPTY = "nothing-to-show"
"""Name of a text that says why a plot is empty."""
_DOUBLE = 7.0  # inches: two columns of a journal page
_MARKED = 30  # points of a line up to which each has a marker
_LABELS, _BAR = 0.45, 0.75  # inches that labels of an axis, and a colour bar, take
_VECTORS = 2000  # points up to which each is drawn as such, not as part of an image
_SAME = 1e-12  # of what is largest in a map: what differs by less has one colour
_FLAT = 0.35  # height over width of a lattice below which its colour bar is
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
        references = {}
        for index, (axes, panel) in enumerate(zip(grid, panels, strict=True)):
            try:
                _set_scales(axes, panel)
                _PLOTS[type(panel)](axes, panel, datasets, study)
                references[axes] = reference_lines(panel, datasets, study)
                _finish(axes, panel, references[axes])
                _marks(axes, panel, datasets, study)
            except FigureError as error:
                place = f", panel {index + 1}" if len(panels) > 1 else ""
                raise FigureError(f"figure {spec.name} of {study}{place}: {error}") from None
            letter = f"({chr(ord('a') + index)})" if len(panels) > 1 else ""
            title = " ".join(filter(None, (letter, panel.title)))
            title = wrapped(title, _WIDE if len(panels) != 3 else _WIDE // 2)
            axes.set_title(title, loc="left", y=1.0)  # a fixed place: no ticks are measured for it
        failed, points = failures(spec, datasets, study)
        if failed:
            text = f"{failed} of {points} points failed"
            figure.supxlabel(text, x=0.99, ha="right", fontsize=6, color="0.3")
        hidden = hide_minor_ticks(figure)
        move_powers_of_ten(figure)
        lay_out(figure)
        if separate_tick_labels(figure) | separate_axis_labels(figure):
            lay_out(figure)
        place_legends(figure, references)
        draw_minor_ticks(hidden)
        freeze_ticks(figure)
    return figure


def _empty_figure(panels: Sequence[Plot]) -> tuple[Figure, list[Axes]]:
    # Without an engine the layout stays as `lay_out` made it, and no format makes its own.
    without: Any = "none"
    figure = Figure(layout=without)
    FigureCanvasAgg(figure)
    columns = min(len(panels), 3 if len(panels) != 4 else 2)
    rows = -(-len(panels) // columns)
    wide = columns > 1 or panels[0].width == "double"
    width, height = figure.get_size_inches()
    figure.set_size_inches(_DOUBLE if wide else width, height * rows)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _colour_bar(mappable: ScalarMappable, axes: Axes, **options: Any) -> Colorbar:
    """Draw a colour bar that the layout keeps beside its plot."""
    return axes.figure.colorbar(mappable, ax=axes, use_gridspec=False, **options)


# Lines


@dataclass(frozen=True)
class _Line:
    """One line, or points over (``every``, x), with their error and how they look."""

    x: xr.DataArray
    y: xr.DataArray
    band: np.ndarray | None
    label: str
    look: Mapping[str, Any]
    hue: xr.DataArray | None = None
    shift: float = 0.0
    empty: str | None = None
    """Why it has no values, as far as the data say; None where it has some."""

    @property
    def is_scattered(self) -> bool:
        """Whether the points are not joined by a line."""
        return self.look["linestyle"] == "none"

    @property
    def is_marked(self) -> bool:
        """Whether each point has a marker."""
        return self.is_scattered or bool(self.look["marker"] and self.x.size <= _MARKED)


def _lines(axes: Axes, spec: Lines, datasets: Data, study: str) -> None:
    groups = [_curve_lines(spec, number, datasets, study) for number in range(len(spec.curves))]
    lines = _side_by_side([line for group in groups for line in group])
    for line in lines:
        _require_same_unit(line.y, lines[0].y)
    factor = displayed(lines[0].y.attrs, spec.display_unit).factor
    x_factor = displayed(lines[0].x.attrs).factor
    for line in lines:
        _draw_line(axes, line, x_factor, factor, magnitude=spec.magnitude)
    _label_styles(axes, spec, groups)
    if spec.ylim and lines[0].x.dtype.kind not in "fiu":
        _mark_beyond(axes, lines, spec.ylim, factor, magnitude=spec.magnitude)
    if lines[0].x.dtype.kind not in "fiu":
        axes.set_xticks(_numbers(lines[0].x), lines[0].x.values.tolist())
        axes.minorticks_off()
    else:
        if not any(line.is_marked for line in lines):
            axes.margins(x=0)
        _tick(axes.xaxis, lines[0].x)
    crowded = [line.hue for line in lines if line.hue is not None and _is_crowded(line.hue)]
    if crowded:
        shown = crowded[0] * displayed(crowded[0].attrs).factor
        mappable = ScalarMappable(_hue_norm(shown), "viridis")
        _colour_bar(mappable, axes, label=label_of(crowded[0]))
    if all(line.empty is not None for line in lines):
        reasons = dict.fromkeys(filter(None, (line.empty for line in lines)))
        _say_why_empty(axes, "; ".join(reasons))
    axes.set_xlabel(label_of(lines[0].x, text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(lines[0].y, spec.display_unit, spec.ylabel or ""))


def _no_values(reason: str) -> str:
    """Return that there is nothing to draw, and why where the data say it."""
    return wrapped(f"no values: {reason}" if reason else "no values", _WIDE * 3 // 4)


def _say_why_empty(axes: Axes, reason: str) -> None:
    _write_across(axes, _no_values(reason))
    axes.tick_params(which="both", labelbottom=False, labelleft=False)


def _write_across(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", gid=EMPTY)


def said_to_be_empty(figure: Figure) -> list[str]:
    """Return what is written across plots of a figure that have nothing to show, and in legends."""
    texts = [text for axes in figure.axes for text in axes.texts if text.get_gid() == EMPTY]
    return [" ".join(text.get_text().split()) for text in texts]


def _draw_line(axes: Axes, line: _Line, x_factor: float, factor: float, *, magnitude: bool) -> None:
    y = line.y.values * factor
    y = abs(y) if magnitude else y
    shown = np.full(y.shape, fill_value=True)
    if line.is_scattered or "joined" in line.x.attrs:
        # Not a gap: some points have fewer roots, or fewer sites, than others.
        shown = np.isfinite(y)
    x = np.broadcast_to(_numbers(line.x) * x_factor + line.shift, y.shape)[shown]
    y = y[shown]
    look = line.look if line.is_marked else {**line.look, "marker": ""}
    label = f"{line.label} (no values)" if line.label and line.empty is not None else line.label
    (drawn,) = axes.plot(x, y, label=label, **look)
    if line.band is None:
        return
    error, colour = line.band[shown] * factor, drawn.get_color()
    if line.is_scattered:
        axes.errorbar(x, y, error, fmt="none", ecolor=colour, elinewidth=0.8)
    else:
        axes.fill_between(x, y - error, y + error, color=colour, alpha=0.25, linewidth=0)


def _side_by_side(lines: list[_Line]) -> list[_Line]:
    """Return lines whose points do not hide each other where named cases stand along x."""
    if lines[0].x.dtype.kind in "fiu":
        return lines
    scattered = [line for line in lines if line.is_scattered]
    step = min(0.14, 0.7 / max(len(scattered), 1))
    middle = (len(scattered) - 1) / 2
    shifts = {id(line): step * (k - middle) for k, line in enumerate(scattered)}
    return [replace(line, shift=shifts.get(id(line), 0.0)) for line in lines]


def _label_styles(axes: Axes, spec: Lines, groups: Sequence[Sequence[_Line]]) -> None:
    """Add one black entry to the legend for each label that several values of a hue share."""
    if not _has_styles(spec):
        return
    for curve, lines in zip(spec.curves, groups, strict=True):
        if curve.hue and curve.label:
            look = {**lines[0].look, "marker": lines[0].look["marker"] * lines[0].is_marked}
            axes.plot([], [], label=curve.label, **look | {"color": "black"})


def _mark_beyond(
    axes: Axes, lines: Any, limits: tuple[float, float], factor: float, *, magnitude: bool
) -> None:
    """Draw an arrow at the edge of the plot for each point of a named case beyond it."""
    low, high = sorted(limits)
    label = "off the scale"
    for line in (line for line in lines if line.is_scattered):
        y = line.y.values * factor
        y = abs(y) if magnitude else y
        x = np.broadcast_to(_numbers(line.x) + line.shift, y.shape)
        for beyond, edge, arrow in ((y > high, 0.965, "uparrow"), (y < low, 0.035, "downarrow")):
            if not beyond.any():
                continue
            look: dict[str, Any] = {
                "linestyle": "none",
                "marker": rf"$\{arrow}$",
                "markersize": 7,
            }
            place = axes.get_xaxis_transform()
            count = int(beyond.sum())
            axes.plot(x[beyond], [edge] * count, color=line.look["color"], transform=place, **look)
            axes.plot([], [], color="black", label=label, **look)
            label = ""


def _has_styles(spec: Lines) -> bool:
    """Return whether lines of one value of a hue differ in style, so that each needs its entry."""
    return sum(bool(curve.hue) for curve in spec.curves) > 1


def _curve_lines(spec: Lines, number: int, datasets: Data, study: str) -> list[_Line]:
    """Return the lines of one entry of a plot: one, or one for each value of its hue."""
    curve = spec.curves[number]
    source, sel = selection_of(spec, curve, study)
    data = datasets[source]
    first = [dim for dim in (curve.hue, curve.every) if dim]
    x, y = along(data, curve.x or spec.x, curve.y, sel, first)
    band = error_of(data, curve.y, sel, y.dims)
    if curve.minus:
        x, y, band = _residual(spec, curve, x, y, band, datasets[study])
    if not curve.hue:
        spread = None if band is None else band.values
        look = _look(spec, number, 0, None)
        return [_Line(x, y, spread, curve.label, look, empty=_emptiness(data, y, sel, spec))]
    lines, hue = [], y[curve.hue]
    places = _places(hue, data)
    before = any(entry.hue == curve.hue for entry in spec.curves[:number])
    for index, value in enumerate(hue.values.tolist()):
        label = "" if before or _is_crowded(hue) else value_label(hue, value)
        if not _has_styles(spec):
            label = ", ".join(filter(None, (curve.label, label)))
        spread = None if band is None else band.values[index]
        look = _look(spec, number, places[index], hue, index)
        line = y.isel({curve.hue: index})
        empty = _emptiness(data, line, sel | {curve.hue: value}, spec)
        lines.append(_Line(x, line, spread, label, look, hue, empty=empty))
    return lines


def _residual(
    spec: Lines,
    curve: Curve,
    x: xr.DataArray,
    y: xr.DataArray,
    band: xr.DataArray | None,
    data: xr.Dataset,
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return the places of a table, a column less a curve there, and the error of that.

    Both are quantities as those of the curve: columns know units, and not that they are currents.
    """
    sel = spec.sel | curve.sel
    minus = curve.minus or ""
    known, values = along(data, spec.x, minus, sel)
    error = error_of(data, minus, sel, values.dims)
    wrong = None if error is None else error.values
    value, off = interpolated(known.values, values.values, wrong, x.values)
    total = y.copy(data=off) + (0.0 if band is None else band.values)
    return x.assign_attrs(known.attrs), (y - value).assign_attrs(values.attrs), total


def _emptiness(
    data: xr.Dataset, y: xr.DataArray, sel: Selection, spec: Lines | Samples | PowerLaw
) -> str | None:
    """Return why a line or a cloud of points has nothing to show, None where it has something."""
    known = y.values[np.isfinite(y.values)]
    if not known.size:
        return why_empty(data, str(y.name), sel)
    is_logarithmic = isinstance(spec, PowerLaw) or spec.yscale == "log"
    shown = abs(known) if isinstance(spec, Lines) and spec.magnitude else known
    if is_logarithmic and not (shown > 0).any():
        return "none is above 0, and the axis is logarithmic"
    return None


def _places(hue: xr.DataArray, data: xr.Dataset) -> list[int]:
    """Return the place of each value of a hue in the order of looks.

    A name has the same look whichever others are drawn beside it.
    """
    known = data[hue.name].values.tolist()
    if hue.dtype.kind in "fiu" or len(known) > _COLOURS:
        return list(range(hue.size))
    return [known.index(value) for value in hue.values.tolist()]


def _look(
    spec: Lines, number: int, place: int, hue: xr.DataArray | None, index: int = 0
) -> dict[str, Any]:
    """Return how the line of value ``index`` of a hue, in entry ``number``, looks.

    The values of a hue have one colour each in all entries, by their ``place``; entries then
    differ by the style of the line, and those without a hue beside such ones are black.
    """
    cycle = list(matplotlib.rcParams["axes.prop_cycle"])
    curve = spec.curves[number]
    by_hue = any(entry.hue for entry in spec.curves)
    look = dict(cycle[(place if curve.hue else number) % len(cycle)])
    if by_hue and len(spec.curves) > 1:
        look["linestyle"] = cycle[number % len(cycle)]["linestyle"]
    if by_hue and not curve.hue:
        look |= {"color": "black", "marker": ""}
    if hue is not None and _is_crowded(hue):
        colour = matplotlib.colormaps["viridis"](_hue_norm(hue)(float(hue.values[index])))
        look |= {"color": colour, "linestyle": "-", "marker": ""}
    if _has_points(curve):
        look |= {"linestyle": "none", "marker": look["marker"] or "o"}
    elif curve.style:
        look["linestyle"] = curve.style
    if not _has_points(curve) and any(map(_has_points, spec.curves)):
        look["marker"] = ""
    return look


def _has_points(curve: Curve) -> bool:
    """Return whether points are not joined: as told, or what was measured and says nothing else."""
    style = curve.style or ("points" if is_table(curve.source) else None)
    return style == "points" or bool(curve.every)


def _is_crowded(hue: xr.DataArray) -> bool:
    return hue.size > _COLOURS and hue.dtype.kind in "fiu"


def _hue_norm(hue: xr.DataArray) -> Normalize:
    """Return colours by value, logarithmic for values of equal ratio."""
    low, high = float(hue.min()), float(hue.max())
    if low > 0 and np.allclose(np.diff(np.log(hue.values), 2), 0, atol=1e-6):
        return LogNorm(low, high)
    return Normalize(low, high)


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


_CONTOURS: tuple[dict[str, Any], ...] = (
    {"color": "black", "linestyle": "--"},
    {"color": "black", "linestyle": ":"},
    {"color": _GREEN, "linestyle": "-"},
    {"color": _PURPLE, "linestyle": "-"},
)
_OVER_MAP: tuple[dict[str, Any], ...] = (
    {"color": _GREEN, "linestyle": "--"},
    {"color": _PURPLE, "linestyle": ":"},
    {"color": _ORANGE, "linestyle": "-."},
    {"color": "black", "linestyle": ":"},
)


def _map(axes: Axes, spec: Map, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = variable(data, spec.z, spec.sel, [spec.y, spec.x])
    error = error_of(data, spec.z, spec.sel, values.dims)
    factor = displayed(values.attrs, spec.display_unit).factor
    x_factor, y_factor = (displayed(values[name].attrs).factor for name in (spec.x, spec.y))
    x, y = values[spec.x].values * x_factor, values[spec.y].values * y_factor
    z = values.values * factor
    if error is not None:
        # Numbers within their own error are zero: their signs are noise, not physics.
        z = np.where(abs(z) <= error.values * factor, 0.0, z)
    edges = edges_of(x, spec.xscale or "linear"), edges_of(y, spec.yscale or "linear")
    doubt = 0.0 if error is None else error.values * factor
    mesh = axes.pcolormesh(*edges, z, rasterized=True, **_colours(z, spec, doubt))
    axes.set_facecolor("0.85")
    bar = _colour_bar(mesh, axes, extend=_beyond(mesh))
    label_log_ticks(bar.ax.yaxis)
    bar.set_label(label_of(values, spec.display_unit, spec.zlabel or ""))
    if _say_what_is_empty(axes, bar, z, why_empty(data, spec.z, spec.sel)) and spec.zero_contour:
        _contour(axes, x, y, z, 0.0, "zero of the map", linestyle="-", color="black")
    for contour, style in zip(spec.contours, _CONTOURS, strict=False):
        source, sel = selection_of(spec, contour, study)
        other = variable(datasets[source], contour.z or spec.z, sel, [spec.y, spec.x])
        own = other.attrs["natural_units"] == values.attrs["natural_units"]
        heights = other.values * (factor if own else displayed(other.attrs).factor)
        place = other[spec.x].values * x_factor, other[spec.y].values * y_factor
        _contour(axes, *place, heights, contour.level, contour.label, **style)
    for layer, style in zip(spec.layers, _OVER_MAP, strict=False):
        source, sel = selection_of(spec, layer, study)
        at, line = along(datasets[source], layer.x or spec.x, layer.y, sel)
        _require_same_unit(line, values[spec.y])
        _require_same_unit(at, values[spec.x])
        over = at.values * x_factor, line.values * y_factor
        axes.plot(*over, label=layer.label, marker="", linewidth=1.6, **style)
    axes.set_xlim(edges[0].min(), edges[0].max())
    axes.set_ylim(edges[1].min(), edges[1].max())
    _tick(axes.xaxis, values[spec.x])
    _tick(axes.yaxis, values[spec.y])
    axes.set_xlabel(label_of(values[spec.x], text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(values[spec.y], text=spec.ylabel or ""))


def _say_what_is_empty(axes: Axes, bar: Colorbar, z: np.ndarray, reason: str) -> bool:
    """Write across a map why it has no colours; return whether it has some."""
    if np.any(z[np.isfinite(z)]):
        return True
    is_zero = np.isfinite(z).any()
    _write_across(axes, "zero within its\nnumerical error" if is_zero else _no_values(reason))
    bar.set_ticks([0.0] if is_zero else [])
    return False


def _site_map(axes: Axes, spec: SiteMap, datasets: Data, study: str) -> None:
    data = datasets[study]
    drawn = drawn_of(data, spec)
    factor = displayed(data[spec.z].attrs, spec.display_unit).factor
    scaled = {"filling": drawn.filling * factor, "doubt": drawn.doubt * factor}
    _lattice(axes, spec, data, drawn._replace(**scaled), spec.display_unit)


def _current_map(axes: Axes, spec: CurrentMap, datasets: Data, study: str) -> None:
    data = datasets[study]
    drawn, current = drawn_of(data, spec), data[spec.current]
    factor, unit = displayed(current.attrs, spec.display_unit)
    if spec.z:
        scale = displayed(data[spec.z].attrs).factor
        scaled = {"filling": drawn.filling * scale, "doubt": drawn.doubt * scale}
        drawn = drawn._replace(**scaled)
    _lattice(axes, spec, data, drawn, None)
    if not np.isfinite(drawn.currents).any():
        if spec.z is None or np.any(drawn.filling[np.isfinite(drawn.filling)]):
            _write_across(axes, _no_values(why_empty(data, spec.current, spec.sel)))
        return
    largest = np.nanmax(abs(drawn.currents)) * factor
    text = "no current beyond its numerical error"
    if largest:
        text = f"longest arrow: {largest:.3g} {unit_text(unit)}".strip()
    arrow = r"$\rightarrow$" if largest else ""
    look: dict[str, Any] = {"linestyle": "none", "color": "black", "marker": arrow}
    axes.plot([], [], label=text, markersize=7, **look)


def _lattice(
    axes: Axes, spec: SiteMap | CurrentMap, data: xr.Dataset, drawn: Drawn, unit: str | None
) -> None:
    """Draw a lattice, with a colour bar in a unit where it has colours."""
    labels = [label or name for label, name in ((spec.xlabel, spec.x), (spec.ylabel, spec.y))]
    if spec.x in data.coords and spec.y in data.coords:
        directions = data[spec.x], data[spec.y]
        labels = [label_of(x, text=label) for x, label in zip(directions, labels, strict=True)]
        factors = [displayed(x.attrs).factor for x in directions]
        drawn = drawn._replace(places=drawn.places * factors)
    colours = {}
    if spec.z:
        colours = _colours(drawn.filling, spec, drawn.doubt)
        limits = colours.pop("vmin", None), colours.pop("vmax", None)
        colours.setdefault("norm", Normalize(*limits))
    sites = draw_lattice(axes, drawn, **colours)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    is_flat = high - low < _FLAT * (right - left)
    place: Any = axes.get_subplotspec()
    if place.get_gridspec().get_geometry() == (1, 1):
        room = _BAR * bool(spec.z)
        _fit_height(axes, _LABELS + room * (not is_flat), 2 * _LABELS + room * is_flat)
    if spec.z:
        sites.set_cmap(sites.cmap.with_extremes(bad="0.85"))
        location = "bottom" if is_flat else "right"
        bar = _colour_bar(sites, axes, extend=_beyond(sites), location=location)
        label_log_ticks(bar.ax.xaxis if is_flat else bar.ax.yaxis)
        bar.set_label(label_of(data[spec.z], unit, spec.zlabel or ""))
        _say_what_is_empty(axes, bar, drawn.filling, why_empty(data, spec.z, spec.sel))
    axes.set_xlabel(labels[0])
    if np.ptp(drawn.places[:, 1]):
        axes.set_ylabel(labels[1])
    else:
        axes.set_yticks([])  # a chain
        axes.minorticks_off()
    for axis, places in zip((axes.xaxis, axes.yaxis), drawn.places.T, strict=True):
        if np.ptp(places):
            tick_whole_numbers(axis, places)


def _fit_height(axes: Axes, beside: float, below: float) -> None:
    """Make a figure as high as a plot of equal scales needs, with inches around it given."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    figure: Any = axes.figure
    width, _ = figure.get_size_inches()
    height = (width - beside) * (high - low) / (right - left) + below
    figure.set_size_inches(width, float(np.clip(height, _FLAT * width, 1.3 * width)))


def _beyond(mesh: QuadMesh | EllipseCollection) -> str:
    """Return at which ends of its colours a map has values beyond them."""
    if isinstance(mesh.norm, BoundaryNorm):
        return mesh.norm.extend
    drawn: Any = mesh.get_array()
    values, (low, high) = drawn.compressed(), mesh.get_clim()
    ends = bool(np.any(values < low)), bool(np.any(values > high))
    return {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(ends, "both")


def _contour(
    axes: Axes,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    level: float,
    label: str,
    **style: Any,
) -> None:
    """Draw the line where z has one value, if there is one."""
    if min(z.shape) > 1 and np.nanmin(z) < level < np.nanmax(z):
        axes.contour(
            x, y, z, [level], colors=style["color"], linestyles=style["linestyle"], linewidths=1.0
        )
        axes.plot([], [], marker="", label=label, **style)


def _colours(z: np.ndarray, spec: Coloured, error: np.ndarray | float) -> dict[str, Any]:
    """Return colours that diverge from zero for values of both signs, else in sequence.

    What differs by no more than its error has one colour.
    """
    limits = spec.zlim
    if spec.zsteps:
        signed = min(spec.zsteps) < 0 < max(spec.zsteps)
        return {
            "cmap": "RdBu_r" if signed else "viridis",
            "norm": BoundaryNorm(spec.zsteps, 256, extend="both"),
        }
    finite = z[np.isfinite(z)]
    if spec.zscale == "log" and finite.size:
        if not (finite > 0).any():
            raise FigureError(f"zscale: {spec.z} has no value above 0 for a logarithmic scale")
        low, high = limits or (finite[finite > 0].min(), finite.max())
        return {"cmap": "viridis", "norm": LogNorm(low, high)}
    low, high = limits or (finite.min(initial=0.0), finite.max(initial=0.0))
    if low < 0 < high or low == high:
        return {"cmap": "RdBu_r", "norm": CenteredNorm(0, max(-low, high) or 1.0)}
    if not limits and np.ptp(finite) > max(2 * np.nanmax(error), _SAME * abs(finite).max()):
        low, high = finite.min(), finite.max()
    return {"cmap": "viridis", "vmin": low, "vmax": high}


# Ensembles


def _samples(axes: Axes, spec: Samples, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = variable(data, spec.y, spec.sel, [spec.x, "sample"])
    mean = variable(data, f"{spec.y}_mean", spec.sel, [spec.x])
    sem = variable(data, f"{spec.y}_sem", spec.sel, [spec.x])
    factor = displayed(values.attrs, spec.display_unit).factor
    x, y = values[spec.x].values * displayed(values[spec.x].attrs).factor, values.values * factor
    axes.set_xlabel(label_of(values[spec.x], text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(values, spec.display_unit, spec.ylabel or ""))
    if (reason := _emptiness(data, values, spec.sel, spec)) is not None:
        _say_why_empty(axes, reason)
        return
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
    style: dict[str, Any] = {
        "color": "black",
        "linestyle": "--",
        "marker": "",
        "linewidth": 0.8,
    }
    axes.plot(x, np.fmax.reduce(y, axis=1), label="envelope", **style)
    axes.plot(x, np.fmin.reduce(y, axis=1), **style)
    _error_bars(axes, x, mean.values * factor, sem.values * factor, color=_RED, linestyle="-")


def _power_law(axes: Axes, spec: PowerLaw, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = variable(data, spec.y, spec.sel, [spec.x])
    sem = error_of(data, spec.y, spec.sel, [spec.x])
    unit = values.attrs["natural_units"]
    factor = displayed(values.attrs, spec.display_unit).factor
    x, x_factor = values[spec.x].values, displayed(values[spec.x].attrs).factor
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(label_of(values[spec.x], text=spec.xlabel or "", width=_WIDE))
    axes.set_ylabel(label_of(values, spec.display_unit, spec.ylabel or ""))
    if (reason := _emptiness(data, values, spec.sel, spec)) is not None:
        _say_why_empty(axes, reason)
        return
    spread = None if sem is None else sem.values * factor
    _error_bars(axes, x * x_factor, values.values * factor, spread, color=_BLUE)
    if spec.fit:
        _fitted_line(axes, data, spec, x_factor, factor)
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
        axes.plot(x * x_factor, line, color="black", linestyle=style, marker="", label=law.label)


def _error_bars(
    axes: Axes, x: np.ndarray, y: np.ndarray, sem: np.ndarray | None, **style: Any
) -> None:
    plain: dict[str, Any] = {"linestyle": "none", "marker": "o", "elinewidth": 1.0}
    style = plain | style
    axes.errorbar(x, y, sem, label="mean ± standard error", **style)


def _fitted_line(
    axes: Axes, data: xr.Dataset, spec: PowerLaw, x_factor: float, factor: float
) -> None:
    """Draw a fit over its range; nothing when the data did not allow one."""
    fit = (spec.fit or "").replace("-", "_")
    if f"{fit}_exponent" not in data:
        raise FigureError(f"fit: the study has no fit {spec.fit!r}")
    exponent, error, prefactor = (
        selected(data, f"{fit}_{part}", spec.sel)
        for part in ("exponent", "exponent_error", "prefactor")
    )
    if exponent.ndim:
        raise FigureError(f"fit: choose a value of {', '.join(map(str, exponent.dims))} in sel")
    if not np.isfinite(prefactor):
        return
    low, high = exponent.attrs["range"]
    power = with_error(float(exponent), float(error))
    x = np.geomspace(low, high, 50)
    axes.plot(
        x * x_factor,
        float(prefactor) * factor * x ** float(exponent),
        color=_ORANGE,
        linestyle="-",
        marker="",
        linewidth=3,
        zorder=1,
        label=f"fit from {low * x_factor:g} to {high * x_factor:g}:\nexponent {power}",
    )


_PLOTS: dict[type, Callable[..., None]] = {
    Lines: _lines,
    Map: _map,
    SiteMap: _site_map,
    CurrentMap: _current_map,
    Samples: _samples,
    PowerLaw: _power_law,
}


def reference_lines(spec: Plot, datasets: Data, study: str) -> list[ReferenceLine]:
    """Return the reference lines of a plot as numbers; of several values one has the label."""
    lines = []
    for line in spec.reference_lines:
        direction = "y" if line.x is None else "x"
        values = _numbers_of(spec, line, direction, datasets, study)
        for index, value in enumerate(np.unique(values[np.isfinite(values)]).tolist()):
            label = "" if index else line.label
            lines.append(ReferenceLine(**{direction: value, "label": label}))
    return lines


def _marks(axes: Axes, spec: Plot, datasets: Data, study: str) -> None:
    # A mark without a label goes on with the symbol of the one before.
    numbers = np.maximum(np.cumsum([bool(mark.label) for mark in spec.marks]) - 1, 0)
    for mark, number in zip(spec.marks, numbers, strict=True):
        x, y = (_numbers_of(spec, mark, direction, datasets, study) for direction in "xy")
        axes.plot(
            *np.broadcast_arrays(x, y),
            linestyle="none",
            marker="osD^"[number],
            markersize=4,
            color="black",
            markerfacecolor="white",
            label=mark.label,
        )


def _numbers_of(
    spec: Plot, part: ReferenceLine | Mark, direction: str, datasets: Data, study: str
) -> np.ndarray:
    """Return a number, or the values of the variable that is named, as they are displayed."""
    value = getattr(part, direction)
    if not isinstance(value, str):
        return np.array([value])
    first = spec.curves[0] if isinstance(spec, Lines) else spec
    source, _ = (study, None) if first is spec else selection_of(spec, first, study)
    shown = datasets[source][getattr(first, direction) or getattr(spec, direction)]
    source, sel = selection_of(spec, part, study)
    found = selected(datasets[source], value, sel)
    _require_same_unit(found, shown)
    is_axis = direction == "x" or isinstance(spec, Map)
    return found.values.ravel() * displayed(shown.attrs, None if is_axis else spec.display_unit)[0]


def _set_scales(axes: Axes, spec: Plot) -> None:
    for set_scale, scale in ((axes.set_xscale, spec.xscale), (axes.set_yscale, spec.yscale)):
        if scale:
            set_scale(scale)


def _tick(axis: Axis, values: xr.DataArray) -> None:
    if values.attrs["natural_units"] == "1":
        tick_whole_numbers(axis, values.values)


def _finish(axes: Axes, spec: Plot, references: Sequence[Any]) -> None:
    """Apply what all plots have in common."""
    if spec.zero_line:
        axes.axhline(0, color="0.6", linewidth=0.6, linestyle="-", marker="", zorder=0)
    thin: dict[str, Any] = {
        "color": "0.4",
        "linewidth": 0.8,
        "linestyle": ":",
        "marker": "",
        "zorder": 0,
    }
    if isinstance(spec, Map):
        thin |= {"color": "white", "zorder": 2}  # over the colours, not under them
    for line in references:
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
