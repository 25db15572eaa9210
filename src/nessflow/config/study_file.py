"""The keys of a study file and of ``config.yaml``, the values of an axis, and their JSON Schema."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from nessflow.registry import Kind
from nessflow.written.expressions import FUNCTIONS
from nessflow.written.physical import ENERGY, LENGTH, Units, is_size

MOST_POINTS = 1_000_000
MOST_BLOCKS = 10_000
MOST_CASES = 1000
MOST_AXES = 30
MOST_FIGURES = 200
NAME = r"^[a-z0-9][a-z0-9-]{0,79}$"
"""What names of studies, figures and fits look like; they become names of files."""
DERIVED = re.compile(r"(_error|_mean|_mean_square|_sem|_mean_square_sem)$")
"""What the data add to the name of a variable."""
FIT_RESULTS = (
    "exponent",
    "exponent_error",
    "prefactor",
    "prefactor_error",
    "chi2_per_dof",
    "points",
)
"""What a fit adds to the data, after its name."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Count = Annotated[int, Field(ge=1, le=MOST_POINTS)]
Name = Annotated[str, Field(pattern=NAME)]
Seconds = Annotated[float, Field(gt=0, le=1e7)]


class Linspace(_Strict):
    """Equally spaced values: first, last, how many."""

    linspace: tuple[float, float, Count]

    def values(self) -> list[float]:
        """Return the values."""
        return np.linspace(*self.linspace).tolist()


class Geomspace(_Strict):
    """Values of equal ratio: first, last, how many."""

    geomspace: tuple[float, float, Count]

    def values(self) -> list[float]:
        """Return the values; ValueError when zero lies between or at the ends."""
        first, last, _ = self.geomspace
        if not (first > 0 < last or first < 0 > last):
            raise ValueError("two ends of the same sign, neither of them 0")
        return np.geomspace(*self.geomspace).tolist()


class Arange(_Strict):
    """Values from the first in equal steps up to, and without, the end."""

    arange: tuple[float, float, float]

    def values(self) -> list[float]:
        """Return the values; ValueError when the steps lead nowhere."""
        first, end, step = self.arange
        steps = (end - first) / step if step else 0.0
        if not 0 < steps <= MOST_POINTS:
            raise ValueError(f"steps that lead from {first:g} to {end:g}, at most {MOST_POINTS}")
        # Rounding must not decide whether the end is one step more.
        count = math.ceil(steps * (1 - 1e-12))
        return [first + i * step for i in range(count)]


class Cases(_Strict):
    """Named cases: label -> {dotted key: value} that override parameters of the study."""

    cases: Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=MOST_CASES)]


_FORMS = ("linspace", "geomspace", "arange", "cases")


def _form(value: object) -> str | None:
    if isinstance(value, list):
        return "list"
    return next((form for form in _FORMS if isinstance(value, Mapping) and form in value), None)


AxisValues = Annotated[
    Annotated[list[float], Field(min_length=1, max_length=MOST_POINTS), Tag("list")]
    | Annotated[Linspace, Tag("linspace")]
    | Annotated[Geomspace, Tag("geomspace")]
    | Annotated[Arange, Tag("arange")]
    | Annotated[Cases, Tag("cases")],
    Discriminator(
        _form,
        custom_error_type="axis_values",
        custom_error_message="a list of numbers, {linspace: [first, last, count]}, "
        "{geomspace: [first, last, count]}, {arange: [first, end, step]} or {cases: ...}",
    ),
]


class AxisFile(_Strict):
    """One axis: its values, outer (one job for each) or inner (all in one job)."""

    outer: AxisValues | None = None
    inner: AxisValues | None = None
    natural_units: str | None = None
    long_name: str | None = None


class EnsembleFile(_Strict):
    """Samples of what is random: one draw for all points of the study, or one for each point."""

    samples: Count
    per_block: Annotated[int, Field(ge=1)] = 50
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    independent: bool = False


class Reference(_Strict):
    """The paper and the figure that a study follows, as free text."""

    paper: str | int | float | None = None
    figure: str | int | float | None = None


def _size(unit: str, example: str) -> BeforeValidator:
    """Return the check of the size of a natural unit."""

    def checked(value: object) -> Any:
        if isinstance(value, str) and is_size(value, unit):
            return value
        raise ValueError(f"expected a number above 0 and its unit, such as {example}")

    return BeforeValidator(checked)


class UnitsFile(_Strict):
    """How large natural units are; figures and tables then have physical ones."""

    t: Annotated[str, _size(ENERGY, "2.5 meV (or J, K)"), Field(description="the energy t")]
    a: Annotated[
        str | None, _size(LENGTH, "0.5 nm (or angstrom)"), Field(description="the length a")
    ] = None

    def units(self) -> Units:
        """Return the units as what converts numbers."""
        return Units(**dict(self))


class FitFile(_Strict):
    """A model fitted along an axis, over the range [low, high] of its values."""

    name: Name
    model: Literal["power-law"]
    x: str
    y: str
    range: tuple[float, float] | None = None


class FigureFile(_Strict):
    """A figure; keys beside ``name`` and ``plot`` belong to the plot."""

    model_config = ConfigDict(extra="allow")

    name: Name
    plot: str


class Tiers(_Strict):
    """Overrides by dotted key for the tiers other than ``paper``, the file as written."""

    smoke: dict[str, Any] = {}


class StudyFile(_Strict):
    """What every study file holds; its other keys are the parameters of its kind."""

    model_config = ConfigDict(extra="allow")

    title: Annotated[str, Field(min_length=1)]
    reference: Reference = Reference()
    notes: str = ""
    study: Annotated[str, Field(description="the kind: `nessflow describe` lists them")]
    axes: Annotated[dict[str, AxisFile], Field(max_length=MOST_AXES)] = {}
    ensemble: EnsembleFile | None = None
    time_limit: Annotated[Seconds | None, Field(description="seconds for one point")] = None
    derived: Annotated[
        dict[str, str],
        Field(
            max_length=MOST_FIGURES,
            description="variables that follow from others: formulas by name",
        ),
    ] = {}
    fits: Annotated[list[FitFile], Field(max_length=MOST_FIGURES)] = []
    figures: Annotated[list[FigureFile], Field(max_length=MOST_FIGURES)] = []
    units: UnitsFile | None = None
    tiers: Tiers = Tiers()


KEYS = tuple(StudyFile.model_fields)
"""Top-level keys of a study file that are no parameters."""


class ProjectFile(_Strict):
    """The project's ``config/config.yaml``."""

    tier: Literal["paper", "smoke"] = "paper"
    studies: Literal["all"] | list[str] = "all"
    results: Annotated[str, Field(min_length=1)] = "results"
    units: UnitsFile | None = None


def squared_units(units: str) -> str:
    """Return the unit of a square: ``(t/hbar)^2`` of ``t/hbar``."""
    if units == "1":
        return units
    return f"{units}^2" if units.isidentifier() else f"({units})^2"


# --- schema for editors -------------------------------------------------------------------------

_EXPRESSION = {"type": "string", "pattern": r"^\$"}
_CONSTANT = {
    "type": "string",
    "pattern": rf"^(?![-+.\d]+([eE][-+]?\d+)?$)([-+(.\d]|pi\b|({'|'.join(FUNCTIONS)})\()",
}
"""A formula without names; a number in quotes is none."""
_NAMED = ("properties", "$defs")  # keywords whose values are schemas by name
_LITERAL = ("default", "const", "enum", "required", "discriminator")
_ANNOTATION = ("title", "description", "natural_units", "default")


def study_schema(kinds: Mapping[str, Kind]) -> dict:
    """Return the JSON Schema (2020-12) of a study file.

    Parameters
    ----------
    kinds : mapping of str to Kind
        Every kind of study by name.

    Returns
    -------
    dict
        The common keys, and for each kind its parameters, where every number may also be a
        formula such as ``$V`` or ``2 * pi``.
    """
    schema = _with_formulas(StudyFile.model_json_schema(), _CONSTANT)
    schema.pop("additionalProperties", None)
    branches = []
    for name, kind in kinds.items():
        own = kind.Parameters.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        own = _with_formulas(own, _EXPRESSION, _CONSTANT)
        schema["$defs"] |= {f"{name}.{key}": node for key, node in own.get("$defs", {}).items()}
        branches.append(
            {
                "if": {"properties": {"study": {"const": name}}, "required": ["study"]},
                "then": {
                    "properties": own.get("properties", {}),
                    "required": own.get("required", []),
                },
            }
        )
    schema["properties"]["study"] = {"enum": list(kinds), "description": "The kind of study."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "nessflow study",
        "allOf": branches,
        "unevaluatedProperties": False,
    }


def _with_formulas(node: object, *formulas: dict) -> Any:
    """Return a schema in which numbers may be some formulas too, and sites what else they are."""
    if isinstance(node, list):
        return [_with_formulas(item, *formulas) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in _NAMED:
            result[key] = {name: _with_formulas(item, *formulas) for name, item in value.items()}
        else:
            result[key] = value if key in _LITERAL else _with_formulas(value, *formulas)
    others = result.pop("also", [])
    if result.pop("per", None) and result.get("type") != "string":
        others = [*others, {"type": "string"}]
    elif result.get("type") in ("number", "integer"):
        others = [*others, *formulas]
    if not others:
        return result
    outer = {key: result.pop(key) for key in _ANNOTATION if key in result}
    return {**outer, "anyOf": [result, *others]}
