"""One point of a study, evaluated with no workflow and no file."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from pydantic import BaseModel

from nessflow.config.grid import Ensemble, generator
from nessflow.config.project import Study, parameters_of
from nessflow.config.study import variables_at
from nessflow.outcome import Coordinate, Variable
from nessflow.registry import Kind
from nessflow.run.derived.gathered import at_a_point, with_derived
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
        ``long_name`` and, where a value is None, ``undefined`` with the reason.
    """
    point, random = first_point(study, sample)
    variables, coordinates, verdict = point
    result = {
        "study": study.name,
        "point": {axis.name: axis.value(axis.labels[0]) for axis in study.axes},
    }
    if random:
        result["sample"] = sample
    return result | {
        "status": verdict.status,
        "message": verdict.message,
        "coordinates": {name: each.values.tolist() for name, each in coordinates.items()},
        "observables": {
            name: _observable(name, variable, verdict)
            for name, variable in variables.items()
            if not name.endswith("_error")
        }
        | _derived(study, point),
    }


def _derived(study: Study, point: Point) -> dict[str, dict]:
    """Return the derived variables that one point alone has."""
    axes = [axis.name for axis in study.axes]
    formulas = at_a_point(read_formulas(study.derived), axes)
    if not formulas:
        return {}
    coordinates = {axis.name: axis_variable(axis, axis.labels[0]) for axis in study.axes}
    for name, each in point.coordinates.items():
        dims = (each.beside or name,)
        coordinates[name] = described(dims, each.values, each.natural_units, each.long_name)
    variables = {"status": described((), int(point.verdict.status), "1", "status")}
    for name, each in point.variables.items():
        values = point.verdict.values[name]
        variables[name] = described(each.dims, values, each.natural_units, each.long_name)
        if name in point.verdict.reasons:
            variables[name].attrs["undefined"] = point.verdict.reasons[name]
    data = with_derived(xr.Dataset(variables, coordinates), formulas)
    return {
        name: {
            "value": _plain(data[name].values),
            "error": _plain(data[f"{name}_error"].values),
            "units": data[name].natural_units,
            "dims": list(data[name].dims),
            "long_name": data[name].long_name,
            **{key: data[name].attrs[key] for key in ("undefined",) if key in data[name].attrs},
        }
        for name in formulas
    }


def _observable(name, variable, verdict) -> dict:
    entry = {
        "value": _plain(verdict.values[name]),
        "error": _plain(verdict.values.get(f"{name}_error")),
        "units": variable.natural_units,
        "dims": list(variable.dims),
        "long_name": variable.long_name,
    }
    if name in verdict.reasons:
        entry["undefined"] = verdict.reasons[name]
    return entry


def _plain(value):
    """Return nested lists of floats with None for what is not finite."""
    if value is None:
        return None
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
        value = result["point"][axis.name]
        shown = _in_units(study, axis.natural_units or "1", axis.long_name)
        beside = f" {axis.natural_units} = {value * shown.factor:.12g} {shown.unit}"
        converted = axis.natural_units and shown.unit != axis.natural_units
        lines.append(f"  {axis.name} = {value}{beside if converted else ''}")
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
    return "\n".join(lines)


def _in_units(study: Study, natural_units: str, long_name: str) -> Shown:
    if study.units is None:
        return Shown(1.0, natural_units)
    return study.units.shown(natural_units, long_name)


def _shown(entry, index, factor) -> str:
    value, error = entry["value"], entry["error"]
    for i in index:
        value, error = value[i], None if error is None else error[i]
    if value is None:
        return "undefined"
    spread = "" if error is None else f" +- {error * factor:.1e}"
    return f"{value * factor:.15g}{spread}"
