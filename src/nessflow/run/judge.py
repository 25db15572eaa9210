"""Judge what a kind says of points: shapes, reasons for what is undefined, limits of values.

The limits are data of the kind (``nessflow.studies.kind.Limits``): mathematics, not taste.  A value
beyond them by more than its error, or with an error larger than the whole range, is wrong whatever
the kind made of it, so that the point is suspect and enters no mean.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from nessflow.store.status import OK, SUSPECT

_ROUNDING = 1e-10
"""Rounding allowed to values without an error of their own, relative to limits or values."""
_LAST_DIGITS = 8 * np.finfo(float).eps
"""The same for values with one, which should hold all rounding."""


class Verdict(NamedTuple):
    """Values of one point by variable, its status, why, and why values are undefined."""

    values: dict[str, np.ndarray]
    status: int
    message: str
    reasons: dict[str, str]


class Verdicts(NamedTuple):
    """The same of p points: values (p, ...) by variable, and a list of each of the others."""

    values: dict[str, np.ndarray]
    status: list[int]
    messages: list[str]
    reasons: list[dict[str, str]]


def judge(outcome: Any, variables: Mapping, coordinates: Mapping[str, np.ndarray]) -> Verdict:
    """Return the values of an outcome with the status that follows from them: `judge_all` of one.

    Parameters
    ----------
    outcome : Outcome
        What the kind says of the point.
    variables, coordinates : mapping
        As there.

    Returns
    -------
    Verdict
        With a value for each variable.

    Raises
    ------
    ValueError
        When a variable is missing or has another shape than declared.
    """
    values, status, messages, reasons = judge_all([outcome], variables, coordinates)
    first = {name: value[0] for name, value in values.items()}
    return Verdict(first, status[0], messages[0], reasons[0])


def judge_all(
    outcomes: Sequence, variables: Mapping, coordinates: Mapping[str, np.ndarray]
) -> Verdicts:
    """Return the values of outcomes with the status that follows from them.

    A value that is not finite needs a note that says why.  Without one, or with a value beyond its
    limits, a point that the kind calls ok is suspect.

    Parameters
    ----------
    outcomes : sequence of p Outcome
        What the kind says of the points.
    variables : mapping of str to Variable
        Those of the points' study.
    coordinates : mapping of str to (n,) array
        Values along each dimension of the variables.

    Returns
    -------
    Verdicts
        With values for each variable.

    Raises
    ------
    ValueError
        When a point lacks a variable, or has another shape of it than declared.
    """
    sizes = {dim: np.size(labels) for dim, labels in coordinates.items()}
    values = {name: _values(outcomes, name, x, sizes) for name, x in variables.items()}
    faults: list[list[str]] = [[] for _ in outcomes]
    reasons: list[dict[str, str]] = [{} for _ in outcomes]
    for k, names in _not_finite(values):
        notes, unexplained = outcomes[k].notes, []
        for name in names:
            if note := notes.get(name) or notes.get(name.removesuffix("_error")):
                reasons[k][name] = note
            else:
                unexplained.append(name)
        if unexplained:
            faults[k].append(f"not finite, and no reason given: {', '.join(unexplained)}")
    own = [outcome.limits for outcome in outcomes]
    _add_broken_limits(faults, own, values, variables, coordinates)
    status, messages = [], []
    for outcome, found in zip(outcomes, faults, strict=True):
        is_suspect = found and outcome.status == OK
        status.append(SUSPECT if is_suspect else int(outcome.status))
        messages.append("; ".join(found) if is_suspect else outcome.message)
    return Verdicts(values, status, messages, reasons)


def _values(
    outcomes: Sequence[Any], name: str, variable: Any, sizes: Mapping[str, int]
) -> np.ndarray:
    """Return the values of a variable at all points, (p, ...)."""
    shape = tuple(map(sizes.__getitem__, variable.dims))
    try:
        given = [outcome.values[name] for outcome in outcomes]
    except KeyError:
        raise ValueError(f"the kind returned no {name}") from None
    with suppress(ValueError):  # of several shapes
        values = np.array(given, dtype=float)
        if values.shape == (len(given), *shape):
            return values
    for value in given:
        if np.shape(value) != shape:
            raise ValueError(f"{name} has the shape {np.shape(value)}, not {shape}")
    return np.array(given, dtype=float)


def _all(values: Iterable[np.ndarray], points: int) -> np.ndarray:
    """Return all numbers of some variables at each point, (p, n)."""
    return np.concatenate([np.zeros((points, 0)), *(x.reshape(points, -1) for x in values)], axis=1)


def _not_finite(values: Mapping[str, np.ndarray]) -> Iterator[tuple[int, list[str]]]:
    """Yield points with a number that is not finite, and the names of these, in their order."""
    points = len(next(iter(values.values()), ()))
    if np.isfinite(_all(values.values(), points)).all():
        return
    names = np.array(list(values), object)
    bad = np.stack([~np.isfinite(x).reshape(points, -1).all(axis=1) for x in values.values()])
    for k in np.flatnonzero(bad.any(axis=0)).tolist():
        yield k, names[bad[:, k]].tolist()


def _add_broken_limits(
    faults: Any, own: Any, values: Any, variables: Mapping, coordinates: Mapping[str, np.ndarray]
) -> None:
    """Add to the faults of each point what is wrong with each variable that breaks its limits.

    Those that each point has of its own stand in place of those of the variable.
    """
    errors = {name: values[f"{name}_error"] for name in variables if f"{name}_error" in values}
    is_negative = (_all(errors.values(), len(own)) < 0).any()
    depending: set[str] = set().union(*own)
    for name, variable in variables.items():
        value, error, limits = values[name], errors.get(name), [variable.limits]
        if is_negative and error is not None:
            for k in _where(error < 0):
                faults[k].append(f"{name} has a negative error, {np.nanmin(error[k]):.1e}")
        if name in depending:
            limits = [each.get(name, variable.limits) for each in own]
        different = list({id(x): x for x in limits}.values())
        if len(different) == 1:
            limits = different * len(own)
        doubtful = set()
        if any(x.bounded for x in different):
            doubtful.update(_out_of_range(value, error, limits))
        if any(x.is_semidefinite for x in different):
            doubtful.update(_indefinite(value, error, limits))
        for k in doubtful:
            at = name, value[k], None if error is None else error[k], limits[k]
            labels = [coordinates[dim] for dim in variable.dims]
            if fault := _range_fault(*at, labels) or _sign_fault(*at):
                faults[k].append(f"{fault}: {limits[k].broken}" if limits[k].broken else fault)


def stored_faults(data: xr.Dataset, variables: Mapping) -> list[str]:
    """Return what is wrong with stored values of points that are said to be ok.

    Parameters
    ----------
    data : Dataset
        A block or the gathered data of a study.
    variables : mapping of str to Variable
        Those of the study.

    Returns
    -------
    list of str
        One for each variable that is missing, of another unit or other dimensions; and for each
        value beyond the limits that hold at every point by more than its error.
    """
    faults = [f"has no variable {name}" for name in variables if name not in data]
    points = data["status"].dims
    for name, variable in variables.items():
        if name not in data:
            continue
        if data[name].dims != (*points, *variable.dims):
            faults.append(f"{name} has the dimensions {', '.join(data[name].dims)}")
        elif data[name].attrs.get("natural_units") != variable.natural_units:
            faults.append(f"{name} is in {data[name].attrs.get('natural_units')}")
    if faults:
        return faults
    is_ok = data["status"].values.ravel() == OK
    values = {
        name: data[name].values.reshape(is_ok.size, *data[name].shape[len(points) :])[is_ok]
        for name in variables
    }
    coordinates = {dim: data[dim].values for x in variables.values() for dim in x.dims}
    found: list[list[str]] = [[] for _ in range(int(is_ok.sum()))]
    _add_broken_limits(found, [{}] * len(found), values, variables, coordinates)
    places = np.flatnonzero(is_ok)
    for k, texts in enumerate(found):
        at = np.unravel_index(places[k], data["status"].shape)
        where = ", ".join(f"{d}={data[d].values[i]}" for d, i in zip(points, at, strict=True))
        faults += [f"{text} at {where}" if where else text for text in texts]
    return faults


def _where(found: np.ndarray) -> list[int]:
    """Return the points at which anything is found, of (p, ...)."""
    return np.flatnonzero(found.reshape(len(found), -1).any(axis=1)).tolist()


def _of_points(limits: Sequence, part: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return lower, upper or semidefinite of each point, which fits (p, *shape)."""
    parts = [getattr(x, part) for x in limits]
    if all(x is parts[0] for x in parts):
        return np.asarray(parts[0])
    if any(getattr(x, "ndim", 0) for x in parts):
        return np.array([np.broadcast_to(x, shape) for x in parts])
    return np.array(parts).reshape(-1, *[1] * len(shape))


def _out_of_range(value: np.ndarray, error: np.ndarray | None, limits: Any) -> list[int]:
    """Return the points with a value beyond a range, or an error larger than it."""
    lower, upper = (_of_points(limits, part, value.shape[1:]) for part in ("lower", "upper"))
    outside = (value < lower) | (value > upper)
    if error is not None:
        outside |= error > upper - lower
    return _where(outside)


def _range_fault(
    name: str, value: np.ndarray, error: np.ndarray | None, limits: Any, labels: Any
) -> str:
    """Return what is wrong with a value of one point beyond its range by more than its error."""
    if not limits.bounded:
        return ""
    lower, upper = (np.broadcast_to(x, value.shape) for x in (limits.lower, limits.upper))
    bounds = np.concatenate([lower, upper], axis=None)
    size = max(_largest(bounds), _largest(value) if error is None else 0.0)
    allowed = _ROUNDING * size if error is None else error + _LAST_DIGITS * size
    with np.errstate(invalid="ignore"):
        beyond = (value < lower - allowed) | (value > upper + allowed)
        # An error that is larger than the whole range says that nothing is known.
        unknown = np.full(value.shape, False) if error is None else error > upper - lower
    bad = beyond | unknown
    if not bad.any():
        return ""
    # Nothing beyond its error is the worse fault.
    index = tuple(np.argwhere(beyond if beyond.any() else bad)[0])
    where = ", ".join(str(label[i]) for label, i in zip(labels, index, strict=True))
    number = f"{value[index]:.6g}" + ("" if error is None else f" +- {error[index]:.1e}")
    allowed_range = f"[{lower[index]:g}, {upper[index]:g}]"
    text = f"{name}{f'[{where}]' if where else ''} = {number}"
    if beyond[index]:
        text += f" is outside {allowed_range}"
    else:
        text += f": the error is larger than the range {allowed_range}"
    more = int(bad.sum()) - 1
    return text + (f" ({more} more such values)" if more else "")


def _largest(values: np.ndarray) -> float:
    return float(abs(values[np.isfinite(values)]).max(initial=0.0))


def _lowest(
    value: np.ndarray, error: np.ndarray | None, judged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest eigenvalues of symmetric parts, and by how much they may be too low.

    Of matrices, (..., m, m); zero where one is not judged or not known.
    """
    symmetric = (value + np.swapaxes(value, -1, -2)) / 2
    known = np.isfinite(symmetric).all(axis=(-1, -2)) & judged
    result = np.zeros((2, *known.shape))
    symmetric = symmetric[known]
    # An eigenvalue moves by no more than the norm of what is added to the matrix.
    allowed = (_ROUNDING if error is None else _LAST_DIGITS) * _norms(symmetric)
    if error is not None:
        allowed = allowed + _norms(error[known])
    result[:, known] = np.linalg.eigvalsh(symmetric)[..., 0], allowed
    return result[0], result[1]


def _norms(matrices: np.ndarray) -> np.ndarray:
    return np.linalg.norm(matrices, axis=(-1, -2))


def _indefinite(value: np.ndarray, error: np.ndarray | None, limits: Any) -> list[int]:
    """Return the points with matrices, (p, ..., m, m), that cannot have a negative eigenvalue."""
    lowest, allowed = _lowest(value, error, _of_points(limits, "semidefinite", value.shape[1:-2]))
    return _where(lowest + allowed < 0)


def _sign_fault(name: str, value: np.ndarray, error: np.ndarray | None, limits: Any) -> str:
    """Return what is wrong with matrices of one point, (..., m, m)."""
    if not limits.is_semidefinite:
        return ""
    lowest, allowed = _lowest(value, error, limits.semidefinite)
    worst = np.unravel_index(np.argmin(lowest + allowed), lowest.shape)
    if lowest[worst] + allowed[worst] >= 0:
        return ""
    return (
        f"{name} is not positive semidefinite: eigenvalue {lowest[worst]:.3g} +- "
        f"{allowed[worst]:.1e}"
    )
