"""Drawing of each kind of plot from labelled data."""

import difflib
from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from nessflow.figures.labels import FigureError, label_of, symbol, unit_factor
from nessflow.figures.specs import Lines, Map, PowerLaw, Samples, Spec, panels_of
from nessflow.figures.style import styled

_MANY = 30  # points of a line from which on markers crowd
_LEGEND_ROOM = 46  # characters of a legend's row in a small panel

Data = Mapping[str, xr.Dataset]


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
        figure = Figure()
        FigureCanvasAgg(figure)
        width, height = figure.get_size_inches()
        columns = min(len(panels), 2)
        rows = -(-len(panels) // columns)
        figure.set_size_inches(width * (1 if columns == 1 else 2.05), height * rows)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        for index, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
            try:
                _PLOTS[type(panel)](axes, panel, datasets, study)
                _finish(axes, panel)
            except FigureError as error:
                raise FigureError(f"figure {spec.name} of {study}: {error}") from None
            letter = f"({chr(ord('a') + index)})" if len(panels) > 1 else ""
            title = panel.title or _hue_title(panel, datasets[study])
            _legend_and_title(axes, " ".join(filter(None, (letter, title))))
        _note_failures(figure, spec, datasets, study)
    return figure


def _lines(axes: Axes, spec: Lines, datasets: Data, study: str) -> None:
    curves = _curves(spec, datasets, study)
    for label, values, band in curves:
        values, band = (abs(values), band) if spec.magnitude else (values, band)
        factor = unit_factor(values.attrs["natural_units"], spec.display_unit)
        x, y = values[spec.x].values, values.values * factor
        marker = "o" if len(x) <= _MANY else None
        (line,) = axes.plot(x, y, marker=marker, label=label)
        if band is not None:
            axes.fill_between(
                x,
                y - band * factor,
                y + band * factor,
                color=line.get_color(),
                alpha=0.25,
                linewidth=0,
            )
    first = curves[0][1]
    axes.set_xlabel(label_of(first[spec.x]))
    text = spec.ylabel or ("" if spec.y else "current")
    axes.set_ylabel(label_of(first, spec.display_unit, text))


def _curves(spec: Lines, datasets: Data, study: str):
    """Return (label, values over x, standard error or None) of every line."""
    own = datasets[study]
    curves = []
    if spec.y:
        hue = [spec.hue] if spec.hue else []
        values = _variable(own, spec.y, spec.sel, [spec.x, *hue])
        band = _standard_error(own, spec.y, spec.sel, [spec.x, *hue])
        for one in values[spec.hue].values if spec.hue else [None]:
            pick = {spec.hue: one} if spec.hue else {}
            label = _hue_label(values[spec.hue], one) if spec.hue else ""
            spread = None if band is None else band.sel(pick).values
            curves.append((label, values.sel(pick), spread))
    for layer in spec.layers:
        values = _layer(spec, layer, datasets, study, [spec.x])
        curves.append((layer.label, values, None))
    if not curves:
        raise FigureError("no y and no layers: there is nothing to draw")
    return curves


def _hue_title(panel, data: xr.Dataset) -> str:
    """Return the name of an axis of cases that distinguishes lines."""
    hue = getattr(panel, "hue", None)
    named = hue and data[hue].dtype.kind in "OU"
    return f"{data[hue].attrs['long_name']}" if named else ""


def _hue_label(axis: xr.DataArray, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{symbol(axis.name) or axis.attrs['long_name']} = {value:.6g}"


def _map(axes: Axes, spec: Map, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = _variable(data, spec.z, spec.sel, [spec.y, spec.x])
    factor = unit_factor(values.attrs["natural_units"], spec.display_unit)
    z = values.values * factor
    error = data.get(f"{spec.z}_error")
    if error is not None:
        # Numbers within their own error are zero: their signs are noise, not physics.
        spread = _variable(data, f"{spec.z}_error", spec.sel, [spec.y, spec.x]).values * factor
        z = np.where(abs(z) <= spread, 0.0, z)
    x, y = values[spec.x].values, values[spec.y].values
    signed = np.nanmin(z) < 0
    vanishes = not np.any(z)
    mesh = axes.pcolormesh(
        x,
        y,
        z,
        cmap="RdBu_r" if signed or vanishes else "cividis",
        norm=CenteredNorm(halfrange=1e-12 if vanishes else None) if signed or vanishes else None,
        shading="nearest",
        rasterized=True,
    )
    axes.figure.colorbar(
        mesh, ax=axes, label=label_of(values, spec.display_unit, spec.zlabel or "")
    )
    if vanishes:
        axes.text(
            0.5,
            0.5,
            "zero within its\nnumerical error",
            transform=axes.transAxes,
            ha="center",
            va="center",
        )
    elif spec.zero_contour:
        axes.contour(x, y, z, levels=[0.0], colors="black", linewidths=1.0)
        axes.plot([], [], color="black", linestyle="-", label="zero of the map")
    for layer, style in zip(spec.layers, _MAP_LINES, strict=False):
        line = _layer(spec, layer, datasets, study, [spec.x])
        axes.plot(line[spec.x].values, line.values, label=layer.label, **style)
    axes.set_xlim(x.min(), x.max())
    axes.set_ylim(y.min(), y.max())
    axes.set_xlabel(label_of(values[spec.x]))
    axes.set_ylabel(label_of(values[spec.y]))


_MAP_LINES = (
    {"color": "#009E73", "linestyle": "--", "linewidth": 1.6},
    {"color": "#CC79A7", "linestyle": ":", "linewidth": 1.6},
    {"color": "#E69F00", "linestyle": "-.", "linewidth": 1.6},
)


def _samples(axes: Axes, spec: Samples, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = _variable(data, spec.y, spec.sel, [spec.x, "sample"])
    ok = _variable(data, "status", spec.sel, [spec.x, "sample"]).values == 0
    factor = unit_factor(values.attrs["natural_units"], spec.display_unit)
    x = values[spec.x].values
    y = np.where(ok, values.values, np.nan) * factor
    axes.plot(
        np.repeat(x, y.shape[1]),
        y.ravel(),
        linestyle="none",
        marker=".",
        markersize=2,
        color="#56B4E9",
        alpha=0.4,
        markeredgewidth=0,
        rasterized=True,
        label="samples",
    )
    style = {"color": "black", "linestyle": "--", "linewidth": 0.9}
    axes.plot(x, np.nanmax(y, axis=1), label="envelope", **style)
    axes.plot(x, np.nanmin(y, axis=1), **style)
    mean = _variable(data, f"{spec.y}_mean", spec.sel, [spec.x]).values * factor
    sem = _variable(data, f"{spec.y}_sem", spec.sel, [spec.x]).values * factor
    axes.errorbar(
        x, mean, sem, color="#D55E00", marker="o", linestyle="-", label="mean and standard error"
    )
    axes.set_xlabel(label_of(values[spec.x]))
    axes.set_ylabel(label_of(values, spec.display_unit, spec.ylabel or ""))


def _power_law(axes: Axes, spec: PowerLaw, datasets: Data, study: str) -> None:
    data = datasets[study]
    values = _variable(data, spec.y, spec.sel, [spec.x])
    sem = _standard_error(data, spec.y, spec.sel, [spec.x])
    natural = values.attrs["natural_units"]
    factor = unit_factor(natural, spec.display_unit)
    x = values[spec.x].values
    axes.errorbar(
        x,
        values.values * factor,
        None if sem is None else sem.values * factor,
        linestyle="none",
        marker="o",
        color="#0072B2",
        label="mean and standard error",
    )
    if spec.fit:
        fit = spec.fit.replace("-", "_")
        exponent, error, prefactor = (
            _variable(data, f"{fit}_{part}", spec.sel, [])
            for part in ("exponent", "exponent_error", "prefactor")
        )
        low, high = np.atleast_1d(exponent.attrs["range"])
        ends = np.geomspace(low, high, 50)
        shown = _with_error(float(exponent), float(error))
        axes.plot(
            ends,
            float(prefactor) * factor * ends ** float(exponent),
            color="#E69F00",
            linestyle="-",
            linewidth=3,
            zorder=1,
            label=f"fit, {low:g} to {high:g}: exponent {shown}",
        )
    for law, style in zip(spec.laws, ("--", ":", "-."), strict=False):
        coefficient = _layer(spec, law, datasets, study, [])
        axes.plot(
            x,
            float(coefficient) * factor * x**law.exponent,
            color="black",
            linestyle=style,
            label=law.label,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(label_of(values[spec.x]))
    axes.set_ylabel(label_of(values, spec.display_unit, spec.ylabel or ""))


_PLOTS = {Lines: _lines, Map: _map, Samples: _samples, PowerLaw: _power_law}


def _with_error(value: float, error: float) -> str:
    """Return ``1.912(7)``: the error in units of the last digit."""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.3f}"
    digits = max(0, -int(np.floor(np.log10(error))))
    return f"{value:.{digits}f}({round(error * 10**digits)})"


def _finish(axes: Axes, spec) -> None:
    for set_scale, scale in ((axes.set_xscale, spec.xscale), (axes.set_yscale, spec.yscale)):
        if scale:
            set_scale(scale)
    if spec.xlim:
        axes.set_xlim(spec.xlim)
    if spec.ylim:
        axes.set_ylim(spec.ylim)
    if spec.zero_line:
        axes.axhline(0, color="0.6", linewidth=0.6, linestyle="-", zorder=0)


def _legend_and_title(axes: Axes, title: str) -> None:
    """Put title and legend above the panel, where no data are."""
    handles, labels = axes.get_legend_handles_labels()
    if not any(labels):
        axes.set_title(title, loc="left")
        return
    widest = max(len(label) for label in labels) + 6
    # The factor of the y axis, such as 10^-4, stands there too.
    axes.figure.draw_without_rendering()
    raised = 0.07 if axes.yaxis.get_offset_text().get_text() else 0.0
    axes.legend(
        handles,
        labels,
        title=title or None,
        title_fontsize=8,
        alignment="left",
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0 + raised),
        ncols=max(1, min(len(labels), _LEGEND_ROOM // widest)),
    )


def _note_failures(figure: Figure, spec: Spec, datasets: Data, study: str) -> None:
    status = datasets[study]["status"].values
    failed = int(np.count_nonzero(status))
    if failed:
        figure.supxlabel(
            f"{failed} of {status.size} points failed", x=0.99, ha="right", fontsize=6, color="0.3"
        )


def _layer(spec, layer, datasets: Data, study: str, dims: list[str]) -> xr.DataArray:
    """Return the variable of a layer; a layer of the same study has the plot's selection too."""
    source = layer.source or study
    sel = spec.sel | layer.sel if source == study else layer.sel
    return _variable(datasets[source], layer.y, sel, dims)


def _standard_error(data: xr.Dataset, name: str, sel: Mapping, dims: list[str]):
    """Return the standard error of an ensemble mean, or None."""
    for candidate in (f"{name}_sem", f"{name.removesuffix('_mean')}_sem"):
        if candidate != f"{name}_sem" and not name.endswith("_mean"):
            continue
        if candidate in data:
            return _variable(data, candidate, sel, dims)
    return None


def _variable(data: xr.Dataset, name: str, sel: Mapping, dims: list[str]) -> xr.DataArray:
    """Return a variable over ``dims``, every other dimension selected or of one value."""
    if name not in data:
        raise FigureError(f"no variable {name!r}{_nearest(name, data)}")
    values = data[name]
    for key, value in sel.items():
        if key not in data.coords:
            raise FigureError(f"sel: no dimension {key!r}{_nearest(key, data.coords)}")
        if key not in values.dims or key in dims:
            continue
        known = values[key].values
        if value not in known:
            raise FigureError(
                f"sel: {key} has no value {value!r}; it has "
                + ", ".join(map(str, known[:12].tolist()))
            )
        values = values.sel({key: value})
    for dim in dims:
        if dim not in values.dims:
            raise FigureError(f"{name} has no dimension {dim!r}; it has {list(values.dims)}")
    extra = [dim for dim in values.dims if dim not in dims]
    long = [dim for dim in extra if values.sizes[dim] > 1]
    if long:
        raise FigureError(
            f"{name} has the further dimensions {long}: choose a value of each by sel"
        )
    return values.squeeze(extra).transpose(*dims)


def _nearest(name: str, known) -> str:
    found = difflib.get_close_matches(name, [str(k) for k in known], n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
