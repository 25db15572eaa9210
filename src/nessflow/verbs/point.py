"""One point of a study, evaluated with no workflow and no file."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from pydantic import BaseModel

from nessflow.config.grid import Ensemble, generator
from nessflow.config.project import Study, parameters_of
from nessflow.config.study import variables_at
from nessflow.outcome import Coordinate, Variable
from nessflow.registry import Kind
from nessflow.run.derived.gathered import FormulaError, with_derived
from nessflow.run.judge import Verdict, judge
from nessflow.store.layout import axis_variable, described
from nessflow.written.formulas import read_formulas
from nessflow.written.physical import Shown


class Point(NamedTuple):
    """Variables and coordinates of one point by name, and what became of it."""

    variables: Mapping[str, Variable]
    coordinates: Mapping[str, Coordinate]
    verdict: Verdict


def computed(kind: Kind, parameters: BaseModel, rng: np.random.Generator | None) -> Point:
    """Evaluate and judge one point of a kind, with the draws of ``rng`` where it is random."""
    variables, coordinates = variables_at(kind, parameters), kind.coordinates(parameters)
    values = {name: each.values for name, each in coordinates.items()}
    return Point(variables, coordinates, judge(kind.evaluate(parameters, rng), variables, values))


def first_point(study: Study, sample: int = 0) -> tuple[Point, bool]:
    """Return the point of a study at the first value of each axis, and whether it is random."""
    labels = {axis.name: axis.labels[0] for axis in study.axes}
    parameters = parameters_of(study, labels)
    random = study.kind.is_random(parameters)
    rng = generator(study.ensemble or Ensemble(1, 1, 0), labels, sample) if random else None
    return computed(study.kind, parameters, rng), random


def evaluate_point(study: Study, sample: int = 0) -> dict:
    """Return every observable of the first point of a study as plain JSON values.

    Parameters
    ----------
    study : Study
        With the axes fixed that the user set; a free axis takes its first value.
    sample : int
        Disorder sample; ignored where nothing is random.

    Returns
    -------
    dict
        ``study``, ``point``, ``sample`` (where something is random), ``status``, ``message``,
        ``coordinates`` and ``observables``: name -> ``value`` (number or nested lists, None
        where undefined), ``error`` (numerical error estimate, same shape), ``units``, ``dims``,
        ``long_name`` and, where a value is None, ``undefined`` with the reason; ``left_out``:
        formulas of the study that one point does not have, each with the reason.
    """
    point, random = first_point(study, sample)
    result: dict[str, Any] = {
        "study": study.name,
        "point": {axis.name: axis.value(axis.labels[0]) for axis in study.axes},
    }
    if random:
        result["sample"] = sample
    data, left_out = with_derived_of(study, point)
    return result | {
        "status": point.verdict.status,
        "message": point.verdict.message,
        "coordinates": {name: data[name].values.tolist() for name in point.coordinates},
        "observables": {
            str(name): _observable(array, data.get(f"{name}_error"))
            for name, array in data.data_vars.items()
            if not str(name).endswith("_error")
        },
        "left_out": left_out,
    }


def dataset_of(point: Point) -> xr.Dataset:
    """Return the variables and coordinates of a point, with why some are undefined."""
    values, reasons = point.verdict.values, point.verdict.reasons
    data = {
        name: described(each.dims, values[name], each.natural_units, each.long_name)
        for name, each in point.variables.items()
    }
    for name, reason in reasons.items():
        data[name].attrs["undefined"] = reason
    coordinates = {
        name: described((each.beside or name,), each.values, each.natural_units, each.long_name)
        for name, each in point.coordinates.items()
    }
    return xr.Dataset(data, coordinates)


def with_derived_of(study: Study, point: Point) -> tuple[xr.Dataset, dict[str, str]]:
    """Return a point, the values of its axes, and the derived variables that need no other point.

    And why there are no others.  A formula that chooses what this point has not, such as a site of
    longer chains, has no value here either; whether it has one anywhere is known with the study.
    """
    axes = {axis.name: axis_variable(axis, axis.labels[0]) for axis in study.axes}
    status = described((), int(point.verdict.status), "1", "status")
    data = dataset_of(point).assign_coords(axes).assign(status=status)
    left_out = {}
    for name, each in read_formulas(study.derived).items():
        try:
            data = with_derived(data, {name: each})
        except FormulaError as error:
            left_out[name] = str(error)
    return data.drop_vars("status"), left_out


def _observable(array: xr.DataArray, error: xr.DataArray | None) -> dict:
    entry = {
        "value": _plain(array.values),
        "error": None if error is None else _plain(error.values),
        "units": array.natural_units,
        "dims": list(array.dims),
        "long_name": array.long_name,
    }
    if "undefined" in array.attrs:
        entry["undefined"] = array.undefined
    return entry


def _plain(value: Any) -> Any:
    """Return nested lists of floats with None for what is not finite."""
    if np.ndim(value):
        return [_plain(part) for part in value]
    return float(value) if math.isfinite(value) else None


def point_table(result: dict, study: Study) -> str:
    """Return ``evaluate_point``'s result as lines: name, coordinates, value, error, unit.

    In physical units where the study has them; an axis has those of its file beside it.
    """
    title = result["study"] + (f", sample {result['sample']}" if "sample" in result else "")
    lines = [title]
    for axis in study.axes:
        value, beside = result["point"][axis.name], ""
        shown = _in_units(study, axis.natural_units or "1", axis.long_name)
        # A case has a name, and no size.
        is_converted = axis.natural_units and shown.unit != axis.natural_units
        if is_converted and not isinstance(value, str):
            beside = f" {axis.natural_units} = {value * shown.factor:.12g} {shown.unit}"
        lines.append(f"  {axis.name} = {value}{beside}")
    if result["message"]:
        lines.append(f"  status {result['status']}: {result['message']}")
    for name, entry in result["observables"].items():
        names = [result["coordinates"][dim] for dim in entry["dims"]]
        factor, unit = _in_units(study, entry["units"], entry["long_name"])
        shape = tuple(len(values) for values in names)
        for index in np.ndindex(shape):
            where = ", ".join(str(names[k][i]) for k, i in enumerate(index))
            lines.append(
                f"{name}{f'[{where}]' if where else ''} = {_shown(entry, index, factor)} {unit}"
            )
        if "undefined" in entry:
            lines.append(f"  {name} is undefined: {entry['undefined']}")
    lines += [f"  {name} is not of one point: {why}" for name, why in result["left_out"].items()]
    return "\n".join(lines)


def _in_units(study: Study, natural_units: str, long_name: str) -> Shown:
    if study.units is None:
        return Shown(1.0, natural_units)
    return study.units.shown(natural_units, long_name)


def _shown(entry: Mapping[str, Any], index: tuple[int, ...], factor: float) -> str:
    value, error = entry["value"], entry["error"]
    for i in index:
        value, error = value[i], None if error is None else error[i]
    if value is None:
        return "undefined"
    spread = "" if error is None else f" +- {error * factor:.1e}"
    return f"{value * factor:.15g}{spread}"
