"""Arithmetic of arrays that carry what they may be wrong by.

A number has a bound, by which its value is off at most, and where it is made of means over
samples an influence of each sample on it.  Bounds are those of the range of each operation over the
range of its operands: never too small, and too large where one operand stands in a formula twice.
Influences are propagated to first order (the delta method), so that what is made of several means,
or of means at several points, knows that these are means over the same samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from nessflow.run.derived.derivative import applied, stencils, truncation
from nessflow.run.ensemble import pairwise_sum

SAMPLE = "sample"
_EPS = np.finfo(float).eps
_LEAST = np.finfo(float).tiny


@dataclass(frozen=True)
class Number:
    """Values with their errors.

    Attributes
    ----------
    value : xarray.Variable
        Over any dimensions; NaN where there is none.
    bound : xarray.Variable
        What it is off at most, beside the scatter of samples; NaN where nobody knows.
    influence : xarray.Variable or None
        Over ``sample`` too: its squares add up to the variance of the value.
    """

    value: xr.Variable
    bound: xr.Variable
    influence: xr.Variable | None = None

    @property
    def error(self) -> xr.Variable:
        """The bound, and one standard error on top of it."""
        if self.influence is None:
            return self.bound
        return self.bound + standard_error(self.influence)


def exact(value: float | xr.Variable) -> Number:
    """Return a number without error."""
    value = value if isinstance(value, xr.Variable) else xr.Variable((), value)
    return Number(value, xr.zeros_like(value))


def standard_error(influence: xr.Variable) -> xr.Variable:
    """Return the root of the sum of squares over samples."""
    axis = influence.get_axis_num(SAMPLE)
    dims = tuple(dim for dim in influence.dims if dim != SAMPLE)
    return xr.Variable(dims, np.sqrt(pairwise_sum(influence.values**2, axis)))


class Undefined(NamedTuple):
    """Where an operation has no value, and why."""

    where: xr.Variable
    why: str


def negative(a: Number) -> Number:
    """Return minus a number."""
    return Number(-a.value, a.bound, None if a.influence is None else -a.influence)


def added(a: Number, b: Number) -> Number:
    """Return a sum."""
    value = a.value + b.value
    return Number(value, a.bound + b.bound + _EPS * abs(value), _linear(a, 1.0, b, 1.0))


def multiplied(a: Number, b: Number) -> Number:
    """Return a product."""
    value = a.value * b.value
    bound = abs(a.value) * b.bound + abs(b.value) * a.bound + a.bound * b.bound
    bound = bound + _rounding(value, (a.value != 0) & (b.value != 0))
    return Number(value, bound, _linear(a, b.value, b, a.value))


def divided(a: Number, b: Number, text: str) -> tuple[Number, list[Undefined]]:
    """Return a quotient; undefined where the divisor, called ``text``, may be zero."""
    gone = _may_be_zero(b)
    value = xr.where(gone, np.nan, a.value / b.value)
    bound = (a.bound + abs(value) * b.bound) / (abs(b.value) - b.bound)
    bound = bound + _rounding(value, a.value != 0)
    slope = 1 / b.value
    return (
        Number(value, bound, _linear(a, slope, b, -value * slope)),
        [Undefined(gone, f"{text} is zero within its error")],
    )


def power(a: Number, p: float, text: str) -> tuple[Number, list[Undefined]]:
    """Return a power with an exact exponent."""
    undefined = []
    v, e = a.value, a.bound
    outside = v < 0 if p != round(p) else xr.zeros_like(v, dtype=bool)
    undefined.append(Undefined(outside, f"{text} is below 0, outside the domain of a root"))
    if p < 0:
        gone = _may_be_zero(a)
        undefined.append(Undefined(gone, f"{text} is zero within its error"))
        outside = outside | gone
    v = xr.where(outside, np.nan, v)
    value = np.sqrt(v) if p == 0.5 else v**p
    # Where |x| differs from |v| by e at most: |x^p - v^p| by the binomial series.
    relative = xr.where(v == 0, 0.0, e / abs(v))
    up = np.expm1(p * np.log1p(relative))
    down = np.expm1(p * np.log1p(-np.minimum(relative, 1.0)))
    largest = np.maximum(abs(up), abs(down)) * abs(value)
    bound = xr.where((v == 0) & (p > 0), e ** abs(p), largest)
    bound = bound + (1 + abs(p)) * _rounding(value, v != 0)
    slope = p * (v ** (p - 1) if p != 0 else xr.zeros_like(v))
    return Number(value, bound, _linear(a, slope)), undefined


class _Function(NamedTuple):
    """A function: its value, its slope, and how far it may be off within e around v."""

    value: Callable[[xr.Variable], Any]
    slope: Callable[[xr.Variable], Any]
    off: Callable[[xr.Variable, xr.Variable], Any]


def _least(e: xr.Variable, most: float) -> Any:
    """Return how far functions are off whose slope is at most 1 and whose range is ``most``."""
    return np.minimum(e, most)


def _cos(v: xr.Variable) -> Any:
    return abs(np.cos(v))


_FUNCTIONS = {
    "abs": _Function(abs, lambda v: xr.where(v < 0, -1.0, 1.0), lambda v, e: e),
    "exp": _Function(np.exp, np.exp, lambda v, e: np.exp(v) * np.expm1(e)),
    "log": _Function(np.log, lambda v: 1 / v, lambda v, e: -np.log1p(-e / v)),
    "sin": _Function(np.sin, np.cos, lambda v, e: _least(e, 2.0)),
    "cos": _Function(np.cos, lambda v: -np.sin(v), lambda v, e: _least(e, 2.0)),
    "tanh": _Function(np.tanh, lambda v: 1 - np.tanh(v) ** 2, lambda v, e: _least(e, 2.0)),
    "tan": _Function(
        np.tan,
        lambda v: 1 + np.tan(v) ** 2,
        lambda v, e: (
            np.sin(e) / abs(np.cos(v)) / np.minimum(abs(np.cos(v - e)), abs(np.cos(v + e)))
        ),
    ),
}


def function(name: str, a: Number, text: str) -> tuple[Number, list[Undefined]]:
    """Return one of the functions of formulas."""
    if name == "sqrt":
        return power(a, 0.5, text)
    v, e, undefined = a.value, a.error, []
    if name == "log":
        undefined = [
            Undefined((v < 0) & ~_may_be_zero(a), f"{text} is below 0, outside the domain of log"),
            Undefined(_may_be_zero(a), f"{text} is zero within its error"),
        ]
    elif name == "tan":
        pole = np.floor((v - e) / np.pi + 0.5) != np.floor((v + e) / np.pi + 0.5)
        undefined = [Undefined(pole, f"a pole of tan is within the error of {text}")]
    for each in undefined:
        v = xr.where(each.where, np.nan, v)
    function = _FUNCTIONS[name]
    value = function.value(v)
    # The functions of the library are off by less than 4 units in the last place.
    rounding = 0.0 if name == "abs" else 4 * _rounding(value, v != 0)
    bound = function.off(v, a.bound) + rounding
    return Number(value, bound, _linear(a, function.slope(v))), undefined


def derivative(a: Number, dim: str, x: np.ndarray, text: str) -> tuple[Number, list[Undefined]]:
    """Return the derivative along a dimension of the values that are there.

    Parameters
    ----------
    a : Number
        Over ``dim`` and others.
    dim : str
        The dimension.
    x : (n,) array
        Its values, in any order.
    text : str
        What the number is called.

    Returns
    -------
    Number
        NaN where the value is, or where along the dimension are fewer than three values.
    list of Undefined
        Why.
    """
    others = tuple(name for name in a.value.dims if name != dim)
    values = a.value.transpose(dim, *others).values
    shape = values.shape
    bounds = a.bound.set_dims({**a.value.sizes}).transpose(dim, *others).values
    values, bounds = (part.reshape(len(x), -1) for part in (values, bounds))
    influences: Any = None
    if a.influence is not None:
        influences = a.influence.set_dims({**a.value.sizes, **a.influence.sizes})
        influences = influences.transpose(dim, *others, SAMPLE).values
        influences = influences.reshape(len(x), values.shape[1], -1)
    found, off = np.full((2, *values.shape), np.nan)
    changed = None if influences is None else np.full(influences.shape, np.nan)
    lonely = np.zeros(values.shape, dtype=bool)
    order = np.argsort(x, kind="stable")
    there = np.isfinite(values) & np.isfinite(x)[:, None]
    # Lines with the same gaps have the same weights.
    for pattern in np.unique(there, axis=1).T:
        lines = np.flatnonzero((there == pattern[:, None]).all(axis=0))
        good = order[pattern[order]]
        if good.size < 3:
            lonely[np.ix_(good, lines)] = True
            continue
        at = np.ix_(good, lines)
        (index, weight), *_ = stencils(x[good])
        found[at] = applied((index, weight), values[at])
        off[at] = truncation(x[good], values[at]) + applied((index, abs(weight)), bounds[at])
        if changed is not None:
            changed[at] = applied((index, weight), influences[at])
    dims = (dim, *others)
    value, bound = (xr.Variable(dims, part.reshape(shape)) for part in (found, off))
    influence = None
    if changed is not None:
        influence = xr.Variable((*dims, SAMPLE), changed.reshape(*shape, -1))
    why = f"fewer than three values of {text} are defined along {dim}"
    return Number(value, bound, influence), [
        Undefined(xr.Variable(dims, lonely.reshape(shape)), why)
    ]


def _may_be_zero(a: Number) -> xr.Variable:
    """Tell where zero is within the error of a number; one of unknown error is what it is."""
    return (a.value == 0) | (abs(a.value) <= a.error)


def _rounding(value: xr.Variable, is_not_zero: xr.Variable) -> xr.Variable:
    """Return what double precision takes from a result, all of it where it underflows."""
    return _EPS * abs(value) + xr.where((abs(value) < _LEAST) & is_not_zero, _LEAST, 0.0)


def _linear(
    a: Number, slope: Any, b: Number | None = None, other: Any = None
) -> xr.Variable | None:
    """Return the influence of the samples on a result with these slopes."""
    parts = [
        number.influence * factor
        for number, factor in ((a, slope), (b, other))
        if number is not None and number.influence is not None
    ]
    return sum(parts[1:], parts[0]) if parts else None
