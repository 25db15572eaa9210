"""What the data of a study will hold, known before there are any: dimensions, values, units."""

import functools
import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nessflow.config.grid import points_of
from nessflow.config.study import Study, possible_parameters
from nessflow.config.study_file import FIT_RESULTS, squared_units
from nessflow.errors import ConfigError
from nessflow.written.expressions import ExpressionError
from nessflow.written.formulas import (
    OVER_SAMPLES,
    Dimensions,
    Quantity,
    of_means,
    quantity,
    read_formulas,
)
from nessflow.written.units import UnitError

_BLOCKS = 100
"""Values of outer axes for which the values of a kind's dimensions are looked up."""


FITTING = "a formula that fits the data"


@dataclass(frozen=True)
class Stored:
    """Dimensions of a variable but for samples, its unit, whether it has samples."""

    dims: tuple[str, ...]
    units: str
    has_samples: bool = False


@dataclass(frozen=True)
class Layout:
    """The variables of a study, and the values and the unit of each of their dimensions."""

    quantities: Mapping[str, Stored]
    values: Mapping[str, np.ndarray]
    units: Mapping[str, str]
    study: Study = field(repr=False)
    beside: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    """What stands beside dimensions, by name: the dimension and the values."""

    def find(self, name: str) -> Stored | None:
        """Return a variable or a dimension by its name; None where there is none."""
        if name in self.values:
            return Stored((name,), self.units[name])
        return self.quantities.get(name)

    @functools.cached_property
    def _coordinates(self) -> list[Mapping[str, Any]]:
        """What the kind says at the values of outer axes, the first ones of many."""
        found = []
        outer = [axis for axis in self.study.axes if axis.outer]
        for labels in itertools.islice(points_of(outer), _BLOCKS):
            with suppress(ConfigError):
                found.append(self.study.kind.coordinates(possible_parameters(self.study, labels)))
        return found

    @functools.cached_property
    def all_values(self) -> dict[str, np.ndarray]:
        """Values of the kind's dimensions at the values of outer axes."""
        found = {name: [values] for name, values in self.values.items()}
        for coordinates in self._coordinates:
            for name, given in coordinates.items():
                if not given.beside:
                    found[name].append(given.values)
        return {name: np.unique(np.concatenate(values)) for name, values in found.items()}

    def is_one(self, name: str) -> bool:
        """Tell whether what stands beside a dimension is the same wherever this has a value."""
        said: dict[object, Any] = {}
        pairs = (
            zip(each[each[name].beside].values.tolist(), each[name].values.tolist(), strict=True)
            for each in self._coordinates
        )
        return all(said.setdefault(at, value) == value for at, value in itertools.chain(*pairs))


def layout_of(study: Study) -> Layout:
    """Return what the data of a study will look like, by its first possible point.

    Raises
    ------
    ConfigError
        When formulas of derived variables do not fit the data.
    ValueError
        When a variable has a dimension without coordinates: a fault of a kind.
    """
    found = study.kind.coordinates(possible_parameters(study, {}))
    values = {a.name: np.array([a.value(label) for label in a.labels]) for a in study.axes}
    units = {axis.name: axis.natural_units or "1" for axis in study.axes}
    axes = tuple(values)
    quantities = {"status": Stored(axes, "1", has_samples=study.ensemble is not None)}
    variables = study.variables
    for name, variable in variables.items():
        dims, unit = (*axes, *variable.dims), variable.natural_units
        is_error = name.removesuffix("_error") in variables.keys() - {name}
        quantities |= _stored(study, name, dims, unit, is_error=is_error)
    if study.ensemble:
        values["sample"], units["sample"] = np.arange(study.ensemble.samples), "1"
        quantities["n_samples"] = Stored(axes, "1")
    beside = {}
    for name, given in found.items():
        if given.beside:
            quantities[name] = Stored((given.beside,), given.natural_units)
            beside[name] = given.beside, given.values
        else:
            values[name], units[name] = given.values, given.natural_units
    for name, variable in variables.items():
        if lost := [dim for dim in variable.dims if dim not in values]:
            raise ValueError(
                f"{name} has the dimension {lost[0]}, which `coordinates` does not give"
            )
    layout = Layout(quantities, values, units, study, beside)
    _add_derived(layout, quantities)
    for fit in study.fits:
        y, name = quantities.get(fit["y"]), fit["name"].replace("-", "_")
        if y is not None:
            dims = tuple(dim for dim in y.dims if dim != fit["x"])
            for result in FIT_RESULTS:
                unit = y.units if result.startswith("prefactor") else "1"
                quantities[f"{name}_{result}"] = Stored(dims, unit)
    return layout


def _stored(
    study: Study, name: str, dims: tuple[str, ...], unit: str, *, is_error: bool = False
) -> dict[str, Stored]:
    """Return a variable with its statistics over samples."""
    found = {name: Stored(dims, unit, has_samples=study.ensemble is not None)}
    if study.ensemble and not is_error:
        found |= {f"{name}_{key}": Stored(dims, unit) for key in ("mean", "sem")}
        square = Stored(dims, squared_units(unit))
        found |= {f"{name}_{key}": square for key in ("mean_square", "mean_square_sem")}
    return found


def _add_derived(layout: Layout, quantities: dict[str, Stored]) -> None:
    """Add the derived variables of a study to the others."""
    study, values, units = layout.study, layout.values, layout.units
    formulas = read_formulas(study.derived)
    faults: dict[str, str] = {}
    means = of_means(formulas) if study.ensemble else []
    axes = tuple(axis.name for axis in study.axes)

    def find(name: str) -> Quantity | None:
        if name in values:
            return quantity((name,), units[name])
        if (found := quantities.get(name)) is None:
            return None
        if name in layout.beside and not layout.is_one(name):
            dim, _ = layout.beside[name]
            raise ExpressionError(f"{name} of a {dim} is not the same at all points")
        is_mean = name in means or OVER_SAMPLES.search(name)
        of = "samples" if found.has_samples else "means" if is_mean else ""
        return quantity(found.dims, found.units, of)

    names = [*quantities, *values]
    for name, each in formulas.items():
        if each.names & faults.keys():
            faults[name] = ""
            continue
        known = layout.all_values if each.chosen or each.dims else values

        def values_of(dim: str, known: Mapping[str, np.ndarray] = known) -> list[Any]:
            return known[dim].tolist()

        arithmetic = Dimensions(find, values_of, names)
        try:
            found = each.evaluate(arithmetic)
        except (ExpressionError, UnitError) as error:
            faults[name] = str(error)
            continue
        dims = (*axes, *(dim for dim in found.dims if dim not in axes))
        if name in means:
            quantities |= dict.fromkeys((name, f"{name}_error"), Stored(dims, found.unit))
        else:
            quantities |= _stored(study, name, dims, found.unit)
            quantities |= _stored(study, f"{name}_error", dims, found.unit, is_error=True)
        names.append(name)
    if told := {name: fault for name, fault in faults.items() if fault}:
        problem = study.document.problem
        raise ConfigError(problem(("derived", n), FITTING, why) for n, why in told.items())
