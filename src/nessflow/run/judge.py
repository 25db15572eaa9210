"""Judge what a kind says of one point: shapes, reasons for what is undefined, limits of values.

The limits are data of the kind (``nessflow.studies.kind.Limits``): mathematics, not taste.  A value
beyond them by more than its error, or with an error larger than the whole range, is wrong whatever
the kind made of it, so that the point is suspect and enters no mean.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

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


def judge(outcome, variables: Mapping, coordinates: Mapping[str, np.ndarray]) -> Verdict:
    """Return the values of an outcome with the status that follows from them.

    A value that is not finite needs a note that says why.  Without one, or with a value beyond its
    limits, a point that the kind calls ok is suspect.

    Parameters
    ----------
    outcome : Outcome
        What the kind says of the point.
    variables : mapping of str to Variable
        Those of the point's study.
    coordinates : mapping of str to (n,) array
        Values along each dimension of the variables.

    Returns
    -------
    Verdict
        With a value for each variable.

    Raises
    ------
    ValueError
        When a variable is missing or has another shape than declared.
    """
    sizes = {dim: np.size(labels) for dim, labels in coordinates.items()}
    values = {name: _value(outcome, name, x, sizes) for name, x in variables.items()}
    unexplained, reasons = [], {}
    for name in _not_finite(values):
        note = outcome.notes.get(name) or outcome.notes.get(name.removesuffix("_error"))
        if note:
            reasons[name] = note
        else:
            unexplained.append(name)
    status, message = int(outcome.status), outcome.message
    if status == OK:
        faults = [f"not finite, and no reason given: {', '.join(unexplained)}"] * bool(unexplained)
        faults += _beyond_limits(outcome, values, variables, coordinates)
        if faults:
            status, message = SUSPECT, "; ".join(faults)
    return Verdict(values, status, message, reasons)


def _all(values: Iterable[np.ndarray]) -> np.ndarray:
    """Return all numbers of some arrays."""
    flat = [value.ravel() for value in values]
    return np.concatenate(flat) if flat else np.zeros(0)


def _not_finite(values: Mapping[str, np.ndarray]) -> list[str]:
    """Return the names of arrays with a number that is not finite, in their order."""
    bad = np.flatnonzero(~np.isfinite(_all(values.values())))
    if not bad.size:
        return []
    ends = np.cumsum([value.size for value in values.values()])
    names = list(values)
    return [names[k] for k in sorted(set(np.searchsorted(ends, bad, side="right").tolist()))]


def _value(outcome, name, variable, sizes) -> np.ndarray:
    if name not in outcome.values:
        raise ValueError(f"the kind returned no {name}")
    value = np.asarray(outcome.values[name], dtype=float)
    shape = tuple(map(sizes.__getitem__, variable.dims))
    if value.shape != shape:
        raise ValueError(f"{name} has the shape {value.shape}, not {shape}")
    return value


def _beyond_limits(outcome, values, variables, coordinates) -> Iterator[str]:
    """Yield what is wrong with each variable that breaks its limits."""
    errors = {name: values[f"{name}_error"] for name in variables if f"{name}_error" in values}
    negative = (_all(errors.values()) < 0).any()
    for name, variable in variables.items():
        limits = outcome.limits.get(name, variable.limits)
        value, error = values[name], errors.get(name)
        if negative and error is not None and (error < 0).any():
            yield f"{name} has a negative error, {np.nanmin(error):.1e}"
        fault = ""
        if limits.bounded:
            labels = [coordinates[dim] for dim in variable.dims]
            fault = _out_of_range(name, value, error, limits, labels)
        if not fault and limits.semidefinite is not False and np.any(limits.semidefinite):
            fault = _indefinite(name, value, error, limits.semidefinite)
        if fault:
            yield f"{fault}: {limits.broken}" if limits.broken else fault


def _out_of_range(name, value, error, limits, labels) -> str:
    outside = (value < limits.lower) | (value > limits.upper)
    if error is not None:
        outside |= error > np.subtract(limits.upper, limits.lower)
    if not outside.any():  # most points of most studies
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


def _indefinite(name, value, error, judged) -> str:
    """Return what is wrong with matrices, (..., m, m), that cannot have a negative eigenvalue."""
    symmetric = (value + np.swapaxes(value, -1, -2)) / 2
    known = np.isfinite(symmetric).all(axis=(-1, -2)) & judged
    if not known.any():
        return ""
    lowest = np.linalg.eigvalsh(symmetric[known])[..., 0]
    # An eigenvalue moves by no more than the norm of what is added to the matrix.
    size = np.linalg.norm(symmetric[known], axis=(-1, -2))
    spread = _ROUNDING if error is None else _LAST_DIGITS
    allowed = spread * size
    if error is not None:
        allowed = allowed + np.linalg.norm(error[known], axis=(-1, -2))
    worst = np.argmin(lowest + allowed)
    if lowest[worst] + allowed[worst] >= 0:
        return ""
    return (
        f"{name} is not positive semidefinite: eigenvalue {lowest[worst]:.3g} +- "
        f"{allowed[worst]:.1e}"
    )
