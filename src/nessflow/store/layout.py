"""How the points of a study lie in a dataset.

Dimensions are the axes in the order of the study file, ``sample`` for an ensemble, then those of
the variable.  Each point has a ``status`` and a ``message``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nessflow.config.grid import Axis, Labels, canonical_json, label_of
from nessflow.config.study import inner_cases
from nessflow.store.status import PENDING, STATUS_MEANINGS

REASONS = "undefined_reasons"
"""Variable of a block: JSON of variable name -> why it is NaN by nature at the point."""

SOURCE_DIGEST = "source_digest"
"""Attribute of a variable, and of a dataset: digest of what it depends on beside parameters."""

POINT_VARIABLES = ("message", REASONS, "status")
"""Variables of a block that say how points went; the status last, which makes them complete."""


def described(
    dims: Sequence[str], values: object, natural_units: str, long_name: str
) -> xr.Variable:
    """Return a variable with the attributes that the store asks for."""
    attributes = {"units": "1", "natural_units": natural_units, "long_name": long_name}
    return xr.Variable(dims, values, attributes)


def pending_dataset(
    axes: Iterable[Axis],
    outer: Labels,
    samples: Sequence[int] | None,
    variables: Mapping[str, Any],
    coordinates: Mapping[str, xr.Variable],
    digests: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Return the dataset of points that are all still to be computed.

    Parameters
    ----------
    axes : iterable of Axis
        All axes of the study.
    outer : mapping of str to str
        Axes that have one value here, with its label: they become scalar coordinates.
    samples : sequence of int or None
        Numbers of the disorder samples; None without an ensemble.
    variables : mapping
        Those of the study.
    coordinates : mapping of str to xarray.Variable
        One for each dimension of the variables.
    digests : mapping of str to str, optional
        Digest of what each variable depends on.
    """
    axes = list(axes)
    inner = [axis for axis in axes if axis.name not in outer]
    shape = {axis.name: len(axis.labels) for axis in inner}
    coords = {axis.name: axis_variable(axis, outer.get(axis.name)) for axis in axes}
    if samples is not None:
        shape["sample"] = len(samples)
        numbers = np.asarray(samples, dtype=np.int64)
        coords["sample"] = described(("sample",), numbers, "1", "number of the disorder sample")
        coords["sample"].attrs["standard_name"] = "realization"
    points = tuple(shape)
    sizes = shape | {name: variable.size for name, variable in coordinates.items()}
    data = {}
    for name, variable in variables.items():
        dims = (*points, *variable.dims)
        values = np.full([sizes[dim] for dim in dims], np.nan)
        data[name] = described(dims, values, variable.natural_units, variable.long_name)
        if digests is not None:
            data[name].attrs[SOURCE_DIGEST] = digests[name]
    data["status"] = status_variable(points, np.full(list(shape.values()), PENDING, np.int8))
    for name, long_name in (
        ("message", "reason of the status"),
        (REASONS, "why variables are undefined, as JSON"),
    ):
        data[name] = described(points, np.full(list(shape.values()), "", object), "1", long_name)
    return xr.Dataset(data, coords | dict(coordinates))


def axis_variable(axis: Axis, label: str | None = None) -> xr.Variable:
    """Return the coordinate of an axis, or of one of its values."""
    long_name = axis.long_name or axis.name
    if label is not None:
        return described((), axis.value(label), axis.natural_units, long_name)
    return described((axis.name,), np.array(axis.values), axis.natural_units, long_name)


def status_variable(dims: Sequence[str], values: np.ndarray) -> xr.Variable:
    """Return the status of points as a CF flag variable."""
    variable = described(dims, values, "1", "outcome of the point")
    variable.attrs["flag_values"] = np.arange(len(STATUS_MEANINGS), dtype=np.int8)
    variable.attrs["flag_meanings"] = " ".join(STATUS_MEANINGS)
    return variable


def point_labels(dataset: xr.Dataset, axes: Iterable[Axis]) -> dict[str, list[str]]:
    """Return the labels of each axis that is a dimension of a block, in its order.

    A case that had another definition when it was computed has no label.
    """
    labels = {
        axis.name: [label_of(value) for value in dataset[axis.name].values.tolist()]
        for axis in axes
        if axis.name in dataset.dims
    }
    stored = json.loads(dataset.attrs.get("cases", "{}"))
    for name, cases in inner_cases(axes).items():
        then = stored.get(name, {})
        same = {c for c in cases if canonical_json(then.get(c)) == canonical_json(cases[c])}
        labels[name] = [label if label in same else "" for label in labels[name]]
    return labels


def stored_variables(dataset: xr.Dataset) -> list[str]:
    """Return the names of the variables that a kind computed."""
    return [str(name) for name in dataset.data_vars if name not in POINT_VARIABLES]
