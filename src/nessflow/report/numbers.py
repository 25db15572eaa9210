"""What the page shows of a dataset: largest errors, failed points, values for the plots."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from nessflow.written.physical import shown_unit

ESTIMATES = {"_error": "numerical", "_sem": "standard error of the mean"}
_OVER_SAMPLES = ("_mean", "_mean_square", "_mean_sem", "_mean_square_sem")
_SHRINK = 0.9


def largest_errors(data: xr.Dataset) -> list[dict[str, Any]]:
    """Return, for each variable with an error, the largest one of the points that are ok.

    A variable that is undefined at every point is left out: ``undefined_values`` has its reason.

    Parameters
    ----------
    data : xarray.Dataset
        Data of one study.

    Returns
    -------
    list of dict
        ``variable``, ``unit``, ``estimate`` (which kind of error), ``value`` (largest absolute
        value), ``error`` (largest), ``relative`` (largest ratio of the two at one point; NaN
        where every value is zero).
    """
    rows = []
    for name in data.data_vars:
        suffix = next((s for s in ESTIMATES if str(name).endswith(s)), "")
        of = value_of(data, str(name), suffix) if suffix else None
        if of is None:
            continue
        error, value = (abs(_ok(data, key)) for key in (str(name), of))
        if _reason(data, of) and not np.isfinite(value).any():
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (error / value.where(value > 0)).values
        rows.append(
            {
                "variable": of,
                "unit": unit_of(data[of]),
                "estimate": ESTIMATES[suffix],
                "value": _largest(value.values),
                "error": _largest(error.values),
                "relative": _largest(ratio),
            }
        )
    return rows


def value_of(data: xr.Dataset, name: str, suffix: str) -> str | None:
    """Return the variable whose error ``name`` is, None when there is none."""
    stem = name.removesuffix(suffix)
    candidates = (f"{stem}_mean", stem) if suffix == "_sem" else (stem,)
    return next((candidate for candidate in candidates if candidate in data), None)


def unit_of(variable: xr.DataArray) -> str:
    """Return the unit of a variable, empty for a pure number."""
    unit = shown_unit(variable.attrs)
    return "" if unit == "1" else unit


def _ok(data: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable without the points that failed."""
    values = data[name]
    return values.where(data["status"] == 0) if _at_points(data, values) else values


def _at_points(data: xr.Dataset, values: xr.DataArray) -> bool:
    return set(data["status"].dims) <= set(values.dims)


def _largest(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("nan")


def undefined_values(data: xr.Dataset) -> list[tuple[str, list[str]]]:
    """Return why values are undefined, and of which variables.

    Errors and means over samples, which are so for the same reason, go with their variable.
    """
    found: dict[str, Any] = {}
    for name in map(str, data.data_vars):
        reason = _reason(data, name)
        stems = (name.removesuffix(end) for end in (*ESTIMATES, *_OVER_SAMPLES))
        if reason and all(stem == name or reason != _reason(data, stem) for stem in stems):
            found.setdefault(reason, []).append(name)
    return list(found.items())


def _reason(data: xr.Dataset, name: str) -> str:
    return data[name].attrs.get("undefined", "") if name in data else ""


# Values for the interactive plot


def plot_data(data: xr.Dataset, axes: Iterable[str], most: int) -> dict[str, Any]:
    """Return every variable for the interactive plot, thinned to at most ``most`` values.

    Parameters
    ----------
    data : xarray.Dataset
        Data of one study.
    axes : iterable of str
        Names of the study's axes, which ``nessflow point`` can set.
    most : int
        How many values are embedded.

    Returns
    -------
    dict
        ``dims``: name -> label, unit, values, whether an axis; ``variables``: name -> label, unit,
        dims, place of the first value; ``values``: see ``packed``; ``left_out``: what is not
        embedded, in words.
    """
    chosen = {name: _ok(data, name) for name in _plotted(data)}
    shapes = [tuple(map(str, values.dims)) for values in chosen.values()]
    dims = list(dict.fromkeys(dim for shape in shapes for dim in shape))
    kept = thinned({dim: data.sizes[dim] for dim in dims}, shapes, most)
    left_out = [
        f"{data.sizes[dim] - kept[dim].size} of {data.sizes[dim]} values of {dim}"
        for dim in dims
        if kept[dim].size < data.sizes[dim]
    ]
    if "sample" in data.dims:
        left_out.append("the single samples, of which there are the means")
    variables, parts, start = {}, [], 0
    for name, values in chosen.items():
        part = values.isel({dim: kept[str(dim)] for dim in values.dims}).values.ravel()
        variables[name] = {
            "label": values.attrs.get("long_name", name),
            "unit": unit_of(values),
            "dims": list(values.dims),
            "start": start,
        }
        parts.append(part)
        start += part.size
    return {
        "dims": {dim: _dimension(data, dim, kept[dim], dim in set(axes)) for dim in dims},
        "variables": variables,
        "values": packed(np.concatenate(parts)) if parts else "",
        "left_out": left_out,
    }


def value_count(data: xr.Dataset) -> int:
    """Return how many values ``plot_data`` has when nothing is thinned."""
    return sum(data[name].size for name in _plotted(data))


def shared(wanted: Iterable[int], total: int) -> int:
    """Return the largest share that all can have of ``total``, who wants less takes less."""
    wanted = sorted(wanted)
    for number, least in enumerate(wanted):
        if least * (len(wanted) - number) > total:
            return total // (len(wanted) - number)
        total -= least
    return max(wanted, default=0)


def _plotted(data: xr.Dataset) -> list[str]:
    return [
        str(name)
        for name, values in data.data_vars.items()
        if values.dtype.kind == "f"
        and values.ndim
        and "sample" not in values.dims
        and not str(name).endswith(tuple(ESTIMATES))
    ]


def _dimension(data: xr.Dataset, dim: str, kept: np.ndarray, is_axis: bool) -> dict[str, Any]:
    coordinate = data[dim]
    found = {
        "label": coordinate.attrs.get("long_name", dim),
        "unit": unit_of(coordinate),
        "values": _rounded(coordinate.values[kept]),
        "axis": is_axis,
    }
    if (factor := coordinate.attrs.get("natural_factor")) is not None:
        # What `nessflow point` is told stays natural.
        found["natural"] = _rounded(coordinate.values[kept] / factor)
    return found


def _rounded(values: np.ndarray) -> list[Any]:
    """Return values, numbers with the 12 digits of labels."""
    found = values.tolist()
    return [float(f"{value:.12g}") for value in found] if values.dtype.kind == "f" else found


def thinned(
    sizes: Mapping[str, int], shapes: list[tuple[str, ...]], most: int
) -> dict[str, np.ndarray]:
    """Return which places of each dimension stay, so that all shapes have at most ``most`` values.

    The longest dimension is shortened first; its ends always stay.
    """
    lengths = dict(sizes)
    while lengths and sum(np.prod([lengths[d] for d in dims]) for dims in shapes) > most:
        longest = max(lengths, key=lambda dim: lengths[dim])
        if lengths[longest] <= 2:
            break
        lengths[longest] = max(2, int(lengths[longest] * _SHRINK))
    return {
        dim: np.unique(np.linspace(0, sizes[dim] - 1, length).round().astype(int))
        if length < sizes[dim]
        else np.arange(sizes[dim])
        for dim, length in lengths.items()
    }


def packed(values: np.ndarray) -> str:
    """Return numbers in three bytes each, in base64: four characters for each number.

    The bytes are the leading ones of IEEE doubles, rounded to 12 bits of mantissa: the full range
    of numbers, NaN and infinities, with a relative error of at most 1.3e-4.
    """
    bits = np.ascontiguousarray(values, dtype=">f8").view(">u8").astype(np.uint64)
    # Rounding carries into the exponent as it must; of NaN and infinity it would make others.
    rounded = np.where(np.isfinite(values), bits + np.uint64(1 << 39), bits)
    leading = rounded.astype(">u8").view(np.uint8).reshape(-1, 8)[:, :3]
    return base64.b64encode(leading.tobytes()).decode("ascii")
