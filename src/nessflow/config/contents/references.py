"""What fits and figures read, checked against what the data of a study will hold."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from nessflow.config.axes import axis_entries
from nessflow.config.document import Document
from nessflow.config.study import variables_of
from nessflow.config.study_file import DERIVED
from nessflow.errors import Problem, nearest, shown
from nessflow.registry import Kind
from nessflow.validation import Key
from nessflow.written.expressions import BESIDE, CONSTANTS, FUNCTIONS, ExpressionError
from nessflow.written.formulas import DERIVATIVE, formula

_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_OF_POINTS = ("sample", "status")
"""What tells points from each other, and enters no formula."""
_TAKEN = ("message", "undefined_reasons")
"""What stands beside the status in the files."""


@dataclass(frozen=True)
class Reference:
    """The name of an axis, dimension or variable that a fit or a figure reads."""

    entry: Key
    part: Key
    name: str
    source: str | None
    """The study in ``from``; None for the study itself."""


def _references(value: object, key: Key) -> Iterator[Reference]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, (*key, index))
    if not isinstance(value, dict):
        return
    source = value.get("from") if isinstance(value.get("from"), str) else None
    for part, item in value.items():
        if part == "minus" and isinstance(item, str):
            yield Reference(key, (part,), item, None)
        elif part in ("x", "y", "z", "hue", "every") and isinstance(item, str):
            yield Reference(key, (part,), item, source)
        elif part == "sel" and isinstance(item, dict):
            yield from (Reference(key, (part, name), name, source) for name in item)
        else:
            yield from _references(item, (*key, part))


def references_of(document: Document) -> list[Reference]:
    """Return what the fits and figures of a study read."""
    return [
        reference
        for part in ("fits", "figures")
        for reference in _references(items_of(document, part), (part,))
    ]


def reference_problems(
    references: Iterable[Reference], document: Document, source: Document, kind: Kind
) -> list[Problem]:
    """Check that what ``document`` reads is in the data of the study ``source``."""
    variables = variables_of(kind, source.data).keys() | _formulas(source).keys()
    known = [*_names(kind, source), *_formulas(source)]
    # Whether each has means and errors is known with the study (nessflow.verbs.figure_checks).
    named = [str(fit.get("name")) for fit in items_of(source, "fits") if isinstance(fit, dict)]
    fits = tuple(f"{name.replace('-', '_')}_" for name in named)
    problems = []
    for reference in references:
        name = reference.name
        base = DERIVED.sub("", name)
        if name in known or base in variables or name.startswith(fits):
            continue
        valid = [*known, *(variable + name.removeprefix(base) for variable in variables)]
        hint = nearest(name, valid) or f"`nessflow describe {source.data['study']}` lists them"
        expected = "an axis, a dimension or a variable of the data"
        key = (*reference.entry, *reference.part)
        # Of a selection it is the key that is wrong.
        value = "" if reference.part[0] == "sel" else shown(name)
        problems.append(document.problem(key, expected, hint, value))
    return problems


def _names(kind: Kind, document: Document) -> list[str]:
    """Return the names that the data of a study have by themselves."""
    variables = variables_of(kind, document.data)
    dims = {dim for variable in variables.values() for dim in variable.dims}
    beside = [name for dim in sorted(dims) for name in BESIDE.get(dim, ())]
    own = ["sample", "status", "n_samples"]
    return [*axis_entries(document), *variables, *sorted(dims), *beside, *own]


def _formulas(document: Document) -> Mapping[str, Any]:
    found = document.data.get("derived")
    return found if isinstance(found, dict) else {}


def derived_problems(document: Document, kind: Kind) -> list[Problem]:
    """Check that formulas of derived variables can be read, and names in them are there.

    Whether dimensions and units fit is known with the study (`layout_of`).
    """
    taken = [*_names(kind, document), *_TAKEN]
    fits = [str(fit.get("name")) for fit in items_of(document, "fits") if isinstance(fit, dict)]
    others = [*FUNCTIONS, *CONSTANTS, DERIVATIVE, *(f"{name.replace('-', '_')}_" for name in fits)]
    known, problems = [each for each in _names(kind, document) if each not in _OF_POINTS], []
    used: dict[str, frozenset[str]] = {}
    for name, text in _formulas(document).items():
        key, reserved = ("derived", name), DERIVED.search(name)
        is_fit = any(name.startswith(start) for start in others if start.endswith("_"))
        if not _VARIABLE.fullmatch(name) or iskeyword(name) or reserved:
            expected = "a name of letters, digits and _ that begins with a letter"
            hint = f"{reserved[0]} is what data add to a name" if reserved else ""
            hint = f"{name} is a word of Python" if iskeyword(name) else hint
            problems.append(document.problem(key, expected, hint, ""))
        elif name in taken or name in others or is_fit:
            problems.append(document.problem(key, "another name", f"{name} is taken", ""))
        try:
            used[name] = formula(text).names if isinstance(text, str) else frozenset()
        except ExpressionError as error:
            problems.append(document.problem(key, "a formula of variables and axes", str(error)))
            used[name] = frozenset()
    for name in used:
        for each in sorted(used[name]):
            if each not in known and DERIVED.sub("", each) not in known:
                hint = nearest(each, known)
                if each in used:
                    hint = f"{each} stands below: write it above {name}"
                    hint = f"{each} is made of {name}" if name in _needed(each, used) else hint
                hint = hint or f"`nessflow describe {document.data['study']}` lists them"
                expected = f"variables, axes and dimensions of the data, not {each}"
                problems.append(document.problem(("derived", name), expected, hint))
        known.append(name)
    return problems


def _needed(name: str, used: Mapping[str, frozenset[str]]) -> set[str]:
    """Return a derived variable and all that it is made of."""
    found, waiting = set(), {name}
    while waiting:
        found |= waiting
        waiting = {x for each in waiting for x in used.get(each, ())} - found
    return found


def repeated_names(document: Document) -> list[Problem]:
    """Check that no two fits or figures have the same name, and no figure that of their list."""
    problems = []
    for part in ("fits", "figures"):
        seen = set()
        for index in range(len(items_of(document, part))):
            name = document.get((part, index, "name"))
            if isinstance(name, str) and name in seen:
                problems.append(document.problem((part, index, "name"), "each name once"))
            if (part, name) == ("figures", "manifest"):
                hint = "figures/manifest.json lists the files of all figures"
                problems.append(document.problem((part, index, "name"), "another name", hint))
            seen.add(name if isinstance(name, str) else None)
    return problems


def items_of(document: Document, part: str) -> list[Any]:
    """Return the fits or figures as written, or none when they are no list."""
    items = document.data.get(part)
    return items if isinstance(items, list) else []
