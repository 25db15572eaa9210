"""What a figure reads: variables over the dimensions it draws, failed points left out."""

import difflib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from nessflow.figures.specs import Selection, Spec, is_table, selections_of
from nessflow.figures.units import PHYSICAL, FigureError
from nessflow.written.physical import Units

Data = Mapping[str, xr.Dataset]


def in_units(data: xr.Dataset, units: Units | None) -> xr.Dataset:
    """Return a dataset whose variables know in what units figures show them; values stay."""
    if units is None:
        return data
    found = data.copy()
    for variable in found.variables.values():
        if "natural_units" in variable.attrs:
            variable.attrs[PHYSICAL] = units
    return found


def along(
    data: xr.Dataset, x: str, y: str, sel: Selection, first: Iterable[str] = ()
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return ``x`` and ``y`` of a line, or of one line for each value of further dimensions.

    Parameters
    ----------
    data : xarray.Dataset
        Data of one study.
    x : str
        A dimension, or a variable over one dimension.
    y : str
        A variable over that dimension and the further ones.
    sel : mapping
        Values of all other dimensions.
    first : iterable of str, optional
        The further dimensions.

    Returns
    -------
    x : xarray.DataArray
        One-dimensional.
    y : xarray.DataArray
        Over the further dimensions, then that of ``x``.

    Raises
    ------
    FigureError
        When a name is not in the data or a dimension is left without a value.
    """
    if x in data.dims:
        values = variable(data, y, sel, [*first, x])
        return values[x], values
    abscissa = selected(data, x, sel)
    if abscissa.ndim != 1:
        raise FigureError(f"x: {x!r} has the dimensions {list(abscissa.dims)}, expected one")
    return abscissa, variable(data, y, sel, [*first, *map(str, abscissa.dims)])


def error_of(
    data: xr.Dataset, name: str, sel: Selection, dims: Iterable[Hashable]
) -> xr.DataArray | None:
    """Return standard error or numerical error of a variable over ``dims``; None without one.

    For a variable with samples it is the standard error of their mean, and of one of these the
    numerical error.
    """
    if _is_averaged(data, name, sel):
        name = f"{name}_mean"
    is_sample = name in data and "sample" in data[name].dims
    candidates = [f"{name}_error"] if is_sample else [f"{name}_sem", f"{name}_error"]
    if name.endswith("_mean"):
        candidates.insert(0, f"{name.removesuffix('_mean')}_sem")
    for candidate in candidates:
        if candidate in data and set(dims) <= set(data[candidate].dims):
            return variable(data, candidate, sel, dims)
    return None


def variable(data: xr.Dataset, name: str, sel: Selection, dims: Iterable[Any]) -> xr.DataArray:
    """Return a variable over ``dims`` in their order, NaN at failed points.

    A variable with samples is replaced by its mean unless ``dims`` or ``sel`` has ``sample``.

    Raises
    ------
    FigureError
        When a name is not in the data or a dimension is left without a value.
    """
    dims = list(dims)
    values = selected(data, name, sel, keep=dims)
    for dim in dims:
        if dim not in values.dims:
            raise FigureError(
                f"{name} has no dimension {dim!r}{_nearest(dim, data[name].dims)}; "
                f"it has {', '.join(map(str, data[name].dims)) or 'none'}"
            )
    for other in values.dims:
        if other not in dims:
            raise FigureError(
                f"{name} has the further dimension {other!r}: choose a value in sel, "
                f"one of {_some(values[other].values)}"
            )
    return values.transpose(*dims)


def selected(data: xr.Dataset, name: str, sel: Selection, keep: Iterable[Any] = ()) -> xr.DataArray:
    """Return a variable with the values in ``sel`` chosen, NaN at failed points.

    Dimensions of one value are dropped unless they are in ``keep``.
    """
    if name not in data:
        raise FigureError(f"no variable {name!r}{_nearest(name, data.variables)}")
    if _is_averaged(data, name, sel) and "sample" not in keep:
        name = f"{name}_mean"
    values = data[name]
    if set(data["status"].dims) <= set(values.dims) and values.dtype.kind == "f":
        values = values.where(data["status"] == 0).assign_attrs(values.attrs)
    values = values.isel({k: i for k, i in _places(data, sel).items() if k in values.dims})
    single = [dim for dim in values.dims if values.sizes[dim] == 1 and dim not in keep]
    return values.squeeze(single)


def interpolated(
    x: np.ndarray, y: np.ndarray, error: np.ndarray | None, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a curve and its error between the places where it is known.

    Parameters
    ----------
    x, y : (n,) array
        The curve, in any order; NaN where it has no value.
    error : (n,) array or None
        Its error.
    at : (m,) array
        Places.

    Returns
    -------
    value, error : (m,) array
        At a place of the curve its value; else that of a straight line between both neighbours,
        whose error is the larger one of theirs and the distance to the cubics through two of the
        four next to them, or the whole difference where there is none.  NaN beyond the ends.
    """
    good = np.isfinite(x) & np.isfinite(y)
    order = np.argsort(x[good], kind="stable")
    x, y = x[good][order], y[good][order]
    error = np.zeros_like(y) if error is None else error[good][order]
    found = np.full((2, at.size), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        steepest = np.nanmax(abs(np.diff(y) / np.diff(x)), initial=0.0)
    for index, place in enumerate(at):
        # As in a selection: the data of a kind may have more digits than labels.
        same = np.flatnonzero(np.isclose(x, place, rtol=1e-9, atol=1e-12))
        if same.size:
            beside = abs(place - x[same[0]]) * 2 * steepest
            found[:, index] = y[same[0]], error[same[0]] + beside
            continue
        right = int(np.searchsorted(x, place))
        if not 0 < right < x.size:
            continue
        left = right - 1
        part = (place - x[left]) / (x[right] - x[left])
        slope = (y[right] - y[left]) / (x[right] - x[left])
        thirds = [
            k for k in range(left - 2, right + 3) if 0 <= k < x.size and k not in (left, right)
        ]
        # Newton's form: the second divided difference times the distances from both neighbours,
        # and the third one times that from a third place, twice for all that follow.
        bends = [((y[k] - y[right]) / (x[k] - x[right]) - slope) / (x[k] - x[left]) for k in thirds]
        changes = [
            abs((a - b) / (x[i] - x[j]))
            for (i, a), (j, b) in pairwise(zip(thirds, bends, strict=True))
        ]
        far = max((abs(place - x[k]) for k in thirds), default=0.0)
        # A crest between both neighbours bends more than any third place shows: by less than a
        # quarter where a wave has 12 points.
        bend = 1.25 * max(map(abs, bends), default=0.0) + 2 * far * max(changes, default=0.0)
        off = bend * abs((place - x[left]) * (place - x[right]))
        off = off if bends else abs(y[right] - y[left])
        found[:, index] = (
            y[left] + part * (y[right] - y[left]),
            max(error[left], error[right]) + off,
        )
    return found[0], found[1]


def failures(spec: Spec, datasets: Data, study: str) -> tuple[int, int]:
    """Return how many of the points that a figure reads failed, and how many it reads."""
    read: dict[str, np.ndarray] = {}
    for source, sel in selections_of(spec, study):
        if is_table(source):
            continue
        status = datasets[source]["status"]
        mask = read.setdefault(source, np.zeros(status.shape, dtype=bool))
        places = _places(datasets[source], sel)
        everything = {str(dim): range(size) for dim, size in status.sizes.items()}
        chosen = [np.atleast_1d(places.get(dim, everything[dim])) for dim in everything]
        mask[np.ix_(*chosen) or ...] = True
    failed = 0
    for source, mask in read.items():
        failed += int((datasets[source]["status"].values[mask] != 0).sum())
    return failed, sum(map(np.count_nonzero, read.values()))


def why_empty(data: xr.Dataset, name: str, sel: Selection) -> str:
    """Return why a variable has no values where ``sel`` says, empty where the data do not say.

    Failed points with the message that most of them have, then what is undefined by nature.
    """
    if _is_averaged(data, name, sel):
        name = f"{name}_mean"
    places, parts = _places(data, sel), []
    status, messages = (
        data[x].isel({dim: at for dim, at in places.items() if dim in data[x].dims}).values
        for x in ("status", "message" if "message" in data else "status")
    )
    failed = status != 0
    if failed.any():
        ((message, _),) = Counter(messages[failed].tolist()).most_common(1)
        number = f"all {status.size}" if failed.all() else f"{failed.sum()} of {status.size}"
        said = f": {message}" if "message" in data and message else ""
        parts.append(
            f"{number} points failed{said}" if status.size > 1 else f"the point failed{said}"
        )
    if not failed.all():
        parts.append(data[name].attrs.get("undefined", ""))
    return "; ".join(filter(None, parts))


def _is_averaged(data: xr.Dataset, name: str, sel: Selection) -> bool:
    if name not in data or "sample" in sel:
        return False
    return "sample" in data[name].dims and f"{name}_mean" in data


def _places(data: xr.Dataset, sel: Selection) -> dict[str, int | list[int]]:
    """Return the index of each selected value, a list of them for a list of values.

    What stands beside a dimension, such as ``orbital``, selects all that have the value.
    """
    places: dict[str, Any] = {}
    for key, value in sel.items():
        if key not in data.dims:
            continue
        if isinstance(value, list):
            places[key] = [_place(key, data[key].values, one) for one in value]
        else:
            places[key] = _place(key, data[key].values, value)
    for key, value in sel.items():
        if key in data.dims:
            continue
        if key not in data.coords or data[key].ndim != 1:
            known = [*data.dims, *(name for name in data.coords if data[name].ndim == 1)]
            raise FigureError(f"sel: no dimension {key!r}{_nearest(key, known)}")
        (dim,), values = map(str, data[key].dims), data[key].values
        wanted = value if isinstance(value, list) else [value]
        found = {i for one in wanted for i in _matches(key, values, one)}
        before = np.atleast_1d(places.get(dim, np.arange(values.size))).tolist()
        places[dim] = [i for i in before if i in found]
        if not places[dim]:
            raise FigureError(f"sel: no {dim} has all that is chosen, {key} = {value!r} included")
    return places


def _place(key: str, known: np.ndarray, value: float | str) -> int:
    return _matches(key, known, value)[0]


def _matches(key: str, known: np.ndarray, value: float | str) -> list[int]:
    if isinstance(value, str) or known.dtype.kind not in "fiu":
        found = [i for i, one in enumerate(known.tolist()) if one == value]
    else:
        # Labels have 12 digits; the data of a kind may have more.
        found = np.flatnonzero(np.isclose(known, value, rtol=1e-9, atol=1e-12)).tolist()
    if not found:
        raise FigureError(f"sel: {key} has no value {value!r}; it has {_some(_once(known))}")
    return found


def _once(values: np.ndarray) -> np.ndarray:
    return np.array(list(dict.fromkeys(values.tolist())))


def _some(values: np.ndarray, most: int = 12) -> str:
    shown = [one if isinstance(one, str) else f"{one:.6g}" for one in values[:most].tolist()]
    return ", ".join(shown) + (", ..." if len(values) > most else "")


def _nearest(name: str, known: Iterable) -> str:
    found = difflib.get_close_matches(name, [str(k) for k in known], n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
