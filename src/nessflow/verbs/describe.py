"""What a study computes, in words: parameters, conventions, axes and observables."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nessflow.config.grid import point_count
from nessflow.config.keys import UnknownKey, described_key, key_lines, parts_of
from nessflow.config.project import Study
from nessflow.config.study import own_variables, possible_parameters
from nessflow.config.study_file import StudyFile
from nessflow.errors import ConfigError, Problem, listed, nearest
from nessflow.figures.specs import SPEC
from nessflow.observables.observable import Observable, observable_kinds, summary
from nessflow.outcome import Status, Variable
from nessflow.registry import Kind, find_kind, kind_names
from nessflow.validation import schema_of

UNITS = (
    "Units: hbar = k_B = e = 1, energies in the hopping t; a current in t/h is 2 pi times larger."
)


EXAMPLES = Path(__file__).parents[1] / "kinds" / "examples"
"""A small study of each kind, ``<kind>.yaml``; those of others lie beside their modules as well."""


def describe_kinds() -> str:
    """Return the kinds of study, one line each."""
    lines = [f"{name}: {_summary(find_kind(name))}" for name in kind_names()]
    more = [
        "nessflow describe KIND: its keys, observables and an example",
        "nessflow describe KIND KEY: what can be written at a key, such as system.leads.left",
        "nessflow describe NAME: a lattice, lead, loss, disorder, shape or observable",
    ]
    return "\n".join([*lines, "", *more])


def describe_kind(name: str) -> str:
    """Return keys, observables and an example of a kind: what ``nessflow describe KIND`` prints."""
    kind: Any = find_kind(name)
    example = Path(kind.__file__).parent / EXAMPLES.name / f"{name}.yaml"
    lines = [f"{name}: {_summary(kind)}", "", UNITS, *kind.CONVENTIONS]
    lines += [
        "",
        "Keys beside those of every study (docs/study-files.md); a number may be $axis,",
        "$(formula of axes) or 2 * pi, a matrix rows or {file: data/h.npz}, a mapping of names is",
        "written as key ->",
        *key_lines(kind.Parameters),
        "",
        "Observables (NAME_error: numerical error of an integrated one)",
        *(_choice(kind) if hasattr(kind, "chosen") else _variables(kind.VARIABLES)),
    ]
    if example.is_file():
        text = example.read_text().rstrip()
        lines += ["", "Example: save it as config/studies/NAME.yaml", "", text]
    return "\n".join(lines)


def describe_key(kind: str, key: str, title: str = "") -> str:
    """Return what may be written at a key of the studies of a kind.

    Parameters
    ----------
    kind : str
        Its name.
    key : str
        Dotted, ``system.leads.left.broadening``; parts may be named, ``system.lattice.ring``.
    title : str, optional
        What it is called; the key, if left out.

    Raises
    ------
    ConfigError
        When there is no such key; with those that there are.
    """
    parts = tuple(key.split("."))
    schema = _schema(kind, parts[0])
    if parts[0] == "figures" and len(parts) > 1:
        inside = parts[2:] if parts[1].isdecimal() else parts[1:]
        schema, prefix = schema_of(SPEC), parts[: len(parts) - len(inside)]
    else:
        inside, prefix = parts, ()
    try:
        lines = described_key(schema, inside, title or key)
    except UnknownKey as error:
        place = ".".join((*prefix, *error.key[:-1])) or f"a study of the kind {kind}"
        expected = f"one of the keys of {place}: {listed(error.valid)}"
        if not error.valid:
            expected = f"no key: what stands at {place} has none"
        hint = nearest(error.key[-1], error.valid)
        given = ".".join((*prefix, *error.key))
        raise ConfigError([Problem("command line", None, "KEY", given, expected, hint)]) from None
    return "\n".join(lines)


def _schema(kind: str, first: str) -> dict:
    """Return the schema that has a key at the top of a study: its kind's, or that of all."""
    own, every = schema_of(find_kind(kind).Parameters), schema_of(StudyFile)
    if first in every["properties"]:
        return every
    others: dict[str, dict] = {key: {} for key in every["properties"]}
    return {**own, "properties": {**own["properties"], **others}}


def describe_part(name: str, key: str | None) -> str | None:
    """Return what may be written of a part: lattice, lead, loss, disorder, shape, observable.

    Parameters
    ----------
    name : str
        Its name, such as ``wide-band``.
    key : str or None
        One of its keys.

    Returns
    -------
    str or None
        None where no part has this name.
    """
    told: dict[str, dict[str, list[str]]] = {}
    for kind in kind_names():
        for place in parts_of(schema_of(find_kind(kind).Parameters), name):
            full = ".".join(place if key is None else (*place, key))
            text = describe_key(kind, full, name if key is None else f"{name}.{key}")
            told.setdefault(text, {}).setdefault(".".join(place[:-1]), []).append(kind)
    lines = []
    for text, places in told.items():
        lines += ["", *text.splitlines()]
        lines += [f"  Stands in {place} of {', '.join(kinds)}" for place, kinds in places.items()]
    observable = observable_kinds().get(name) if key is None else None
    if observable is not None:
        lines += [f"  {line}" for line in observable.conventions]
        lines += ["  Variables", *_variables(observable.variables, "    ")]
    return "\n".join(lines[1:]) if told else None


def part_names() -> list[str]:
    """Return the names of all parts that studies may name, observables included."""
    found: set[str] = set()
    for kind in kind_names():
        text = schema_of(find_kind(kind).Parameters)
        for node in [text, *text.get("$defs", {}).values()]:
            found |= set(_tags(node))
    return sorted(found | set(observable_kinds()))


def _tags(node: object) -> Iterable[str]:
    if isinstance(node, Mapping):
        yield from node.get("discriminator", {}).get("mapping", {}) if "oneOf" in node else ()
        node = list(node.values())
    for each in node if isinstance(node, list) else ():
        yield from _tags(each)


def describe_study(study: Study) -> str:
    """Return the description of one study: what ``nessflow describe STUDY`` prints."""
    kind, parameters = study.kind, possible_parameters(study, {})
    lines = [f"{study.name}: {study.title}", f"kind {study.kind_name}: {_summary(kind)}"]
    if study.reference:
        lines.append("reference: " + ", ".join(f"{k} {v}" for k, v in study.reference.items()))
    if study.notes:
        lines.append("notes: " + " ".join(study.notes.split()))
    lines += ["", UNITS, *kind.CONVENTIONS]
    lines += ["", "Axes (parameters below are those of the first point)"]
    lines += [
        f"  {axis.name}: {len(axis.labels)} values, {axis.labels[0]} to {axis.labels[-1]}, "
        f"{axis.long_name} ({axis.natural_units}), {'one job each' if axis.outer else 'in one job'}"
        for axis in study.axes
    ]
    if study.ensemble:
        e = study.ensemble
        lines.append(f"  {e.samples} samples, {e.per_block} in one job, root seed {e.seed}")
        lines.append(
            f"  sample k is {'another' if e.independent else 'the same'} draw at each point"
        )
    count = point_count(study.axes, study.ensemble)
    lines.append(f"  {count} points in {len(study.blocks)} blocks")
    lines += [
        "",
        f"Parameters (nessflow describe {study.kind_name}: every key)",
        *_parameters(parameters, ""),
    ]
    lines += ["", "Observables", *_variables(study.variables)]
    lines += [f"  {name} = {text}" for name, text in study.derived.items()]
    return "\n".join(lines)


def _summary(kind: Kind) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _parameters(model: BaseModel, prefix: str) -> list[str]:
    """Return one line for each number: dotted key, value, unit, meaning."""
    lines = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        key = f"{prefix}{field.alias or name}"
        models = {key: value}
        if isinstance(value, Mapping):
            models = {f"{key}.{part}": item for part, item in value.items()}
        if models and all(isinstance(item, BaseModel) for item in models.values()):
            for part, item in models.items():
                lines += _parameters(item, f"{part}.")
            continue
        extra: Any = field.json_schema_extra or {}
        units = extra.get("natural_units", "").removeprefix("1")
        lines.append(
            f"  {key} = {value} {units}".rstrip()
            + (f"  # {field.description}" if field.description else "")
        )
    return lines


def _variables(variables: Mapping[str, Variable], indent: str = "  ") -> list[str]:
    return [
        f"{indent}{name} [{', '.join(v.dims)}] ({v.natural_units}): {v.long_name}"
        + (f"; {v.limits}" if str(v.limits) else "")
        for name, v in variables.items()
        if not name.endswith("_error")
    ]


def _choice(kind: Any) -> list[str]:
    """Return the own variables of a kind and the observables that a study may choose."""
    default, lines = kind.chosen(None), _variables(own_variables(kind))
    for name, each in _all_observables(kind).items():
        when = "" if name in default else " (where a study lists it)"
        lines.append(f"  {name}{when}: {summary(each)}")
        if name not in default:
            lines += [f"    {line}" for line in each.conventions]
        lines += _variables(each.variables, "    ")
    return lines


def _all_observables(kind: Any) -> dict[str, type[Observable]]:
    """Return the observables that a study may choose, those of the default first."""
    known, refusal = observable_kinds(), getattr(kind.Parameters, "refusal", None)
    names = dict.fromkeys([*kind.chosen(None), *known])
    return {x: known[x] for x in names if refusal is None or not refusal(known[x])}


def data_dictionary() -> str:
    """Return ``docs/data-dictionary.md``: every variable of every kind."""
    lines = [
        "# Data dictionary",
        "",
        "Made by `make docs` from the kinds of study; a test keeps it true.",
        "",
        f"{UNITS} Every variable has `units` (CF: `1`, since natural units have no dimension), "
        "`natural_units` and `long_name`.",
        "",
        "Dimensions: one for each axis of the study in the order of its file, `sample` for an "
        "ensemble, then those listed below. Beside each variable:",
        "",
        "* `<name>_error`: estimate of the numerical error of an integrated number",
        "* `<name>_mean`, `<name>_sem`, `<name>_mean_square`, `<name>_mean_square_sem`: mean and "
        "standard error over the samples that are ok, of the value and of its square; "
        "`n_samples`: how many these are",
        "* `status` of each point: "
        + ", ".join(f"{s.value} {s.name.lower().replace('_', ' ')}" for s in Status),
        "* `message`: why a point is not ok; `failures.csv` lists these points. A point is suspect "
        "where a value is beyond its range by more than its error, where the error is larger than "
        "the whole range, or where a value is not finite and no reason is given",
        "* variables that a study derives by formulas (attribute `formula`), with their `_error`",
        "* `<fit>_exponent`, `<fit>_prefactor` and their `_error`: fits of the study file",
        "",
        "A value is NaN where the point failed, or where the quantity is not defined; then an "
        "attribute `undefined` of the variable says why. A dimension whose values differ between "
        "points, such as the sites of chains of several lengths, has all of them (attribute "
        "`joined`), and NaN where a point has no such value. The range is what mathematics "
        "allows; where it depends on the point (channels of a lead, statistics, loss and gain) the "
        "point is judged by its own.",
    ]
    for name in kind_names():
        kind = find_kind(name)
        lines += ["", f"## {name}", "", _summary(kind), ""]
        lines += [f"* {line}" for line in kind.CONVENTIONS]
        if not hasattr(kind, "chosen"):
            lines += ["", *_table(kind.VARIABLES)]
            continue
        own, default = own_variables(kind), list(kind.chosen(None))
        lines += ["", *_table(own)] if own else []
        others = [each for each in _all_observables(kind) if each not in default]
        lines += [
            "",
            f"[Observables](#observables) by default: {_names(default) or 'none'}; where a ",
        ]
        lines[-1] += f"study lists them among its `observables`: {_names(others)}."
    lines += ["", "## observables", "", "What studies list among their `observables`."]
    for name, each in observable_kinds().items():
        lines += ["", f"### {name}", "", summary(each), ""]
        lines += [f"* {line}" for line in each.conventions]
        lines += [*[""] * bool(each.conventions), *_table(each.variables)]
    return "\n".join(lines) + "\n"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(variables: Mapping[str, Variable]) -> list[str]:
    return [
        "| variable | dimensions | natural units | range | meaning |",
        "|---|---|---|---|---|",
        *(
            f"| `{v}` | {', '.join(m.dims) or 'none'} | {m.natural_units} | {m.limits} | "
            f"{m.long_name} |"
            for v, m in variables.items()
            if not v.endswith("_error")
        ),
    ]
