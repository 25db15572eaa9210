"""Variables that a study derives from its data by formulas, with the errors that follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from nessflow.run.derived import numbers
from nessflow.run.derived.numbers import SAMPLE, Number, Undefined
from nessflow.run.ensemble import mean_and_sem
from nessflow.store.layout import described
from nessflow.store.status import OK
from nessflow.written.expressions import ExpressionError
from nessflow.written.formulas import (
    Dimensions,
    Formula,
    Operand,
    Quantity,
    place_of,
    quantity,
)

FORMULA = "formula"
"""Attribute of a derived variable and of its error."""
_UNKNOWN = "the error of {} is not known"
_UNBOUNDED = "the error has no bound"
_TOO_LARGE = "too large for double precision"


class FormulaError(ExpressionError):
    """The formula of a derived variable, called ``name``, does not fit the data."""

    def __init__(self, name: str, fault: str):
        super().__init__(fault)
        self.name = name


def with_derived(
    dataset: xr.Dataset, formulas: Mapping[str, Formula], *, of_means: bool = False
) -> xr.Dataset:
    """Add variables that follow from others, each with its ``<name>_error``.

    Parameters
    ----------
    dataset : xarray.Dataset
        Points with their status.  Values of points that are not ok are not used.
    formulas : mapping of str to Formula
        In an order in which each needs those before it alone.
    of_means : bool
        Whether they are made of means over samples, not of values of each sample.

    Returns
    -------
    xarray.Dataset
        Derived variables have all axes of the points, ``sample`` where they are of samples, and
        the other dimensions of their operands.

    Raises
    ------
    FormulaError
        When a formula names what is not there, or units that do not fit.
    """
    for name, each in formulas.items():
        try:
            known = each.evaluate(_dimensions(dataset))
        except ExpressionError as error:
            raise FormulaError(name, str(error)) from None
        evaluation = _Evaluation(dataset)
        with np.errstate(all="ignore"):
            found = each.evaluate(evaluation)
            dataset = dataset.assign(_stored(name, each, known, found, evaluation, of_means))
    return dataset


def with_errors_of_means(dataset: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """Add to the standard errors of means what the errors of all samples make of them.

    Those of what is computed are far below the scatter of samples; those of a derivative need not
    be, and go the same way in all of them.

    Parameters
    ----------
    dataset : xarray.Dataset
        With statistics over samples.
    names : sequence of str
        Derived variables of samples.
    """
    good = (dataset["status"] == OK).variable
    for name in names:
        value, error = (abs(dataset[key].variable) for key in (name, f"{name}_error"))
        mask = good.set_dims({**value.sizes}).transpose(*value.dims).values
        axis = value.get_axis_num(SAMPLE)
        for suffix, off in (("sem", error), ("mean_square_sem", (2 * value + error) * error)):
            mean, _ = mean_and_sem(off.values, mask, axis)
            total = dataset[f"{name}_{suffix}"].variable
            # What nobody knows is no part of the scatter, as in the means of what is computed.
            total.values = total.values + np.nan_to_num(mean)
            total.attrs["comment"] = "with the mean of the errors of the samples"
        there = np.isfinite(value.values)
        if (there.any(axis=axis, keepdims=True) & mask & ~there).any():
            for suffix in ("mean", "mean_square"):
                dataset[f"{name}_{suffix}"].attrs["comment"] = "over the samples that have a value"
    return dataset


def _dimensions(dataset: xr.Dataset) -> Dimensions:
    def find(name: str) -> Quantity | None:
        if name not in dataset.variables or (name in dataset.dims and name == SAMPLE):
            return None
        variable = dataset.variables[name]
        if variable.dtype.kind not in "fiu" and name not in dataset.dims:
            return None
        dims = tuple(str(dim) for dim in variable.dims if dim != SAMPLE)
        return quantity(dims, variable.attrs["natural_units"])

    return Dimensions(find, _values_of(dataset), [str(name) for name in dataset.variables])


def _values_of(dataset: xr.Dataset) -> Callable[[str], list]:
    return lambda dim: dataset[dim].values.tolist()


@dataclass
class _Evaluation:
    """Arithmetic of what stands in a dataset, which remembers why there is no value."""

    dataset: xr.Dataset
    undefined: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)

    def number(self, value: float) -> Number:
        return numbers.exact(value)

    def operand(self, operand: Operand, text: str) -> Number:
        dataset, name = self.dataset, operand.name
        variable = dataset.variables[name]
        if name in dataset.coords or variable.dtype.kind in "iu":
            found = numbers.exact(xr.Variable(variable.dims, variable.values.astype(float)))
        elif (sampled := self._sampled(name)) is not None:
            found = sampled
        else:
            found = self._pointwise(name)
        chosen = list(operand.chosen)
        dims = [str(dim) for dim in found.value.dims if dim != SAMPLE]
        for choice in chosen:
            dim, index = place_of(choice, dims, _values_of(dataset))
            dims.remove(dim)
            parts: list[Any] = [
                part if part is None or dim not in part.dims else part.isel({dim: index})
                for part in (found.value, found.bound, found.influence)
            ]
            found = Number(*parts)
        if np.isnan(found.value.values).any() and (why := variable.attrs.get("undefined")):
            self.undefined[why] = None
        return found

    def _pointwise(self, name: str) -> Number:
        """Return a variable where its points are ok."""
        dataset = self.dataset
        value = dataset[name].variable.astype(float)
        good = (dataset["status"] == OK).variable
        if set(good.dims) <= set(value.dims):
            value = xr.where(good, value, np.nan).transpose(*value.dims)
        error = dataset.variables.get(f"{name}_error")
        if error is None:
            self.unknown[_UNKNOWN.format(name)] = None
            return Number(value, xr.full_like(value, np.nan))
        if np.isnan(error.values[np.isfinite(value.values)]).any():
            self.unknown[error.attrs.get("undefined") or _UNKNOWN.format(name)] = None
        return Number(value, abs(error))

    def _sampled(self, name: str) -> Number | None:
        """Return a mean, or mean square, and what each sample adds to it; None for no such."""
        dataset = self.dataset
        base, square = name.removesuffix("_mean_square"), True
        if base == name:
            base, square = name.removesuffix("_mean"), False
        if base == name or base not in dataset or SAMPLE not in dataset[base].dims:
            return None
        each = self._samples(base)
        values, bound = each.value, each.bound
        if square:
            values, bound = values**2, (2 * abs(values) + bound) * bound
        mean = dataset[name].variable
        axis = values.get_axis_num(SAMPLE)
        there = np.isfinite(values.values)
        count = there.sum(axis=axis)
        deviation = np.where(there, values.values - np.expand_dims(mean.values, axis), 0.0)
        pairs = np.where(count > 1, count * (count - 1.0), np.nan)
        influence = deviation / np.expand_dims(np.sqrt(pairs), axis)
        off, _ = mean_and_sem(bound.values, there, bound.get_axis_num(SAMPLE))
        if (count < 2).any():
            self.unknown["fewer than two samples succeeded: no standard error"] = None
        # What nobody knows is no part of the scatter, as in the means of what is computed.
        return Number(
            mean, xr.Variable(mean.dims, np.nan_to_num(off)), xr.Variable(values.dims, influence)
        )

    def _samples(self, name: str) -> Number:
        unknown = dict(self.unknown)
        found = self._pointwise(name)
        self.unknown = unknown
        return found

    def negative(self, value: Number) -> Number:
        return numbers.negative(value)

    def combined(self, operator: str, left: Number, right: Number, text: str) -> Number:
        if operator == "/":
            return self._told(numbers.divided(left, right, text), left, right)
        if operator == "*":
            return self._told((numbers.multiplied(left, right), []), left, right)
        right = numbers.negative(right) if operator == "-" else right
        return self._told((numbers.added(left, right), []), left, right)

    def power(self, base: Number, exponent: float, text: str) -> Number:
        return self._told(numbers.power(base, exponent, text), base)

    def function(self, name: str, value: Number, text: str) -> Number:
        return self._told(numbers.function(name, value, text), value)

    def derivative(self, value: Number, dim: str, text: str) -> Number:
        x = self.dataset[dim].values.astype(float)
        return self._told(numbers.derivative(value, dim, x, text), value)

    def _told(self, found: tuple[Number, list[Undefined]], *operands: Number) -> Number:
        """Return the result, without what is not finite, and remember why."""
        number, undefined = found
        finite: Any = np.isfinite(number.value)
        known: list[Any] = [np.isfinite(operand.value) for operand in operands]
        for where, why in undefined:
            if np.any([_any_of(where, *known)]):
                self.undefined[why] = None
                finite = finite | where
        if _any_of(~finite, *known):
            self.undefined[_TOO_LARGE] = None
        value = xr.where(np.isfinite(number.value), number.value, np.nan)
        return Number(value, number.bound, number.influence)


def _any_of(*masks: xr.Variable) -> bool:
    """Tell whether all of several masks hold anywhere."""
    together = masks[0]
    for mask in masks[1:]:
        together = together & mask
    return bool(together.values.any())


def _stored(
    name: str,
    each: Formula,
    known: Quantity,
    found: Number,
    evaluation: _Evaluation,
    of_means: bool,
) -> dict[str, xr.Variable]:
    """Return the variable and its error over all axes of the points."""
    status = evaluation.dataset["status"].variable
    points = tuple(str(dim) for dim in status.dims if dim != SAMPLE or not of_means)
    own = tuple(str(dim) for dim in known.dims if dim not in points)
    sizes = {dim: evaluation.dataset.sizes[dim] for dim in (*points, *own)}
    value, error = (
        part.set_dims({**sizes, **part.sizes}).transpose(*sizes).values.copy()
        for part in (found.value, found.error)
    )
    if points == status.dims:
        good = (status.values == OK).reshape(status.shape + (1,) * len(own))
        value = np.where(good, value, np.nan)
    else:
        good = np.ones(value.shape, dtype=bool)
    error = np.where(np.isfinite(value), error, np.nan)
    if np.isinf(error).any():
        evaluation.unknown[_UNBOUNDED] = None
        error = np.where(np.isinf(error), np.nan, error)
    what = name.replace("_", " ")
    kind = "standard" if of_means else "numerical"
    variables = {
        name: described((*points, *own), value, known.unit, what),
        f"{name}_error": described((*points, *own), error, known.unit, f"{kind} error of {what}"),
    }
    for variable in variables.values():
        variable.attrs[FORMULA] = each.text
    undefined = "; ".join(sorted(evaluation.undefined))
    if undefined and (np.isnan(value) & good).any():
        variables[name].attrs["undefined"] = undefined
    if np.isnan(error[np.isfinite(value)]).any():
        unknown = "; ".join(sorted(evaluation.unknown)) or _UNBOUNDED
        variables[f"{name}_error"].attrs["undefined"] = unknown
    elif undefined and (np.isnan(error) & good).any():
        variables[f"{name}_error"].attrs["undefined"] = undefined
    return variables
