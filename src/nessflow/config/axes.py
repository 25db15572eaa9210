"""Axes as written in a study file: values, cases, names, units."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from keyword import iskeyword
from typing import Any

from nessflow.config.document import Document, split
from nessflow.config.grid import Axis, label_of
from nessflow.config.study import (
    OBSERVABLES,
    place_names,
    template_of,
    variables_of,
    with_cases,
)
from nessflow.config.study_file import DERIVED, KEYS, AxisFile, Cases
from nessflow.errors import ConfigError, Problem
from nessflow.registry import Kind
from nessflow.validation import Key, quantity_at, validated
from nessflow.written.expressions import (
    CONSTANTS,
    FUNCTIONS,
    expression,
    expressions_in,
    names_in,
)

RESERVED = frozenset(
    [
        *("sample", "samples", "seeds", "site_number", "bond_site", "bond_site_2"),
        *("status", "message", "n_samples", "undefined_reasons"),
    ]
)
"""Names that no axis may have: dimensions, variables and path parts of every dataset."""

_AXIS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CASE_LABEL = re.compile(r"[A-Za-z0-9_.+-]{1,64}")


def axis_entries(document: Document) -> Mapping[str, Any]:
    """Return the axes as written, or none when they are no mapping."""
    entries = document.data.get("axes")
    return entries if isinstance(entries, dict) else {}


def axes_of(document: Document) -> tuple[tuple[Axis, ...], list[Problem]]:
    """Return the axes that can be read, and the faults of the others beyond their form."""
    axes: list[Axis] = []
    problems: list[Problem] = []
    for name, entry in axis_entries(document).items():
        spec, _ = validated(AxisFile, entry)
        if spec is None:  # its faults are among those of the file
            continue
        try:
            axes.append(_axis(document, name, spec))
        except ConfigError as error:
            problems += error.problems
    return tuple(axes), problems


def _axis(document: Document, name: str, spec: AxisFile) -> Axis:
    key: Key = ("axes", name)
    if (spec.outer is None) == (spec.inner is None):
        hint = "outer: one job for each value; inner: all values in one job"
        raise ConfigError([document.problem(key, "exactly one of outer and inner", hint)])
    outer = spec.outer is not None
    values: Any = spec.outer if outer else spec.inner
    key = (*key, "outer" if outer else "inner")
    cases = values.cases if isinstance(values, Cases) else None
    if cases is not None:
        labels = list(cases)
        problems = list(_case_problems(document, (*key, "cases"), cases))
    else:
        try:
            numbers = values if isinstance(values, list) else values.values()
        except ValueError as error:
            raise ConfigError([document.problem(key, str(error))]) from None
        labels, problems = [label_of(number) for number in numbers], []
    problems += _repeated_labels(document, key, labels)
    if problems:
        raise ConfigError(problems)
    return Axis(name, outer, tuple(labels), spec.natural_units or "", spec.long_name or "", cases)


def _repeated_labels(document: Document, key: Key, labels: Iterable[str]) -> Iterator[Problem]:
    seen = set()
    for index, label in enumerate(labels):
        # Labels become folders, and some file systems do not tell A from a.
        if label.casefold() in seen:
            at = (*key, index) if isinstance(document.get(key), list) else key
            hint = "values are told apart by 12 digits, names of cases without capitals"
            yield document.problem(at, "each value once", hint, label)
        seen.add(label.casefold())


def _case_problems(document: Document, key: Key, cases: Mapping) -> Iterator[Problem]:
    for label, entries in cases.items():
        if not _CASE_LABEL.fullmatch(label) or _is_number(label):
            expected = "a name of letters, digits and _.+- that is not a number"
            yield document.problem((*key, label), expected, "", "")
        for entry in entries:
            if split(entry)[0] in (*KEYS, OBSERVABLES):
                hint = f"{split(entry)[0]} is the same for all cases"
                yield document.problem((*key, label, entry), "a parameter of the kind", hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def name_problems(document: Document, kind: Kind) -> list[Problem]:
    """Check that no axis has the name of something else in the data, the paths or the file."""
    variables = variables_of(kind, document.data)
    taken = RESERVED | FUNCTIONS.keys() | CONSTANTS.keys() | variables.keys() | set(KEYS)
    taken |= {dim for variable in variables.values() for dim in variable.dims}
    taken |= {each.alias or name for name, each in kind.Parameters.model_fields.items()}
    problems: list[Problem] = []
    folded: dict[str, str] = {}
    for name in axis_entries(document):
        hint = ""
        first = folded.setdefault(name.casefold(), name)
        if DERIVED.sub("", name) in taken:
            hint = f"{name} is taken"
        elif place_names(kind, [name]):
            places = ", ".join(sorted(place_names(kind)))
            hint = f"in formulas {name} is that of each site ({places}); rename the axis"
        elif first != name:
            # Names become folders, and some file systems do not tell A from a.
            hint = f"{name} and {first} differ in capitals alone"
        elif iskeyword(name):
            hint = f"{name} is a word of the language of formulas; rename the axis"
        elif _AXIS_NAME.fullmatch(name):
            continue
        expected = "an axis name of letters, digits and _ that names nothing else"
        problems.append(document.problem(("axes", name), expected, hint, ""))
    return problems


def with_quantities(
    document: Document, axes: tuple[Axis, ...], fields: Mapping[str, tuple[str, str]]
) -> tuple[tuple[Axis, ...], list[Problem]]:
    """Give each axis the units and the name of the field that it replaces."""
    complete, problems = [], []
    for axis in axes:
        units, name = fields.get(axis.name, ("", ""))
        if axis.cases is not None:
            units, name = "1", axis.name.replace("_", " ")
        axis = replace(
            axis, natural_units=axis.natural_units or units, long_name=axis.long_name or name
        )
        missing = [key for key in ("natural_units", "long_name") if not getattr(axis, key)]
        if missing and axis.name in fields:
            hint = f"no parameter with units is ${axis.name} alone, so the axis must say them"
            problems.append(document.problem(("axes", axis.name), " and ".join(missing), hint, ""))
        complete.append(axis)
    return tuple(complete), problems


def quantities_of(
    document: Document, axes: tuple[Axis, ...], kind: Kind
) -> dict[str, tuple[str, str]]:
    """Return units and name of the first field that is each axis alone, by axis.

    Both are empty for an axis that is only used in formulas.
    """
    first = {axis.name: axis.labels[0] for axis in axes}
    points = [first]
    points += [{**first, a.name: label} for a in axes if a.cases for label in a.labels[1:]]
    fields: dict[str, tuple[str, str]] = {}
    for labels in points:
        data = template_of(with_cases(document, axes, labels))
        for key, text in expressions_in(data):
            found = quantity_at(kind.Parameters, key, data)
            # A key that there is not is a fault of its own.
            if found is None:
                continue
            for name in names_in(text):
                if not any(fields.setdefault(name, ("", ""))) and expression(text).is_name:
                    fields[name] = found[0], _name_in(found[1])
    return fields


def _name_in(meaning: str) -> str:
    """Return the name of a parameter, without what else its description explains."""
    return re.split(r"[,;(]", meaning.rpartition("-> ")[2])[0].strip()
