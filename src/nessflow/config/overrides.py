"""Values that replace those of a study file: of a tier, or of the command line."""

import dataclasses
from collections.abc import Iterator, Sequence

from nessflow.config.document import COMMAND_LINE, Document, Place, dotted, parse, split
from nessflow.errors import ConfigError, Problem, listed, nearest, shown
from nessflow.validation import Key

TIERS = ("paper", "smoke")
_MOST = 200
"""Keys that a tier may set."""


def overridden(
    document: Document, tier: str, settings: Sequence[str]
) -> tuple[Document, Document, list[Problem]]:
    """Apply the overrides of a tier, then ``key=value`` settings, to a study's document.

    A key is dotted; the name of an axis fixes that axis to one value.  The command line has the
    last word, over cases too; a tier changes what cases start from.

    Returns
    -------
    whole : Document
        Without the fixed axes: what the axes mean does not depend on the values they take.
    document : Document
        With all overrides.
    problems : list of Problem
        An unknown tier, settings that cannot be read, keys with no place for a value, keys of a
        tier that every case of an axis replaces.
    """
    problems, entries = [], []
    if tier not in TIERS:
        expected = f"one of {', '.join(TIERS)}"
        problems.append(Problem("command line", None, "tier", shown(tier), expected))
    section = document.get(("tiers", tier)) if tier != "paper" else None
    if isinstance(section, dict) and len(section) > _MOST:
        expected = f"at most {_MOST} keys, not {len(section)}"
        problems.append(document.problem(("tiers", tier), expected, "", ""))
    elif isinstance(section, dict):
        for key, value in section.items():
            entries.append((key, value, document.place(("tiers", tier, key))))
    for text in settings:
        try:
            entries.append((*_setting(text), COMMAND_LINE))
        except ConfigError as error:
            problems += error.problems
    whole = document
    fixed = [entry for entry in entries if isinstance(document.get(("axes", entry[0])), dict)]
    for key, value, place in entries:
        try:
            if (key, value, place) not in fixed:
                whole = whole.replaced(document.key(key), value, place)
                if place is COMMAND_LINE:
                    whole = _over_cases(whole, key, value)
        except ConfigError as error:
            problems += error.problems
    problems += _without_effect(whole, [entry for entry in entries if entry not in fixed])
    document = whole
    for entry in fixed:
        try:
            document = _with_fixed_axis(document, *entry)
        except ConfigError as error:
            problems += error.problems
    return whole, document, problems


def _setting(text: str) -> tuple[str, object]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ConfigError([Problem("command line", None, "", shown(text), "key=value")])
    try:
        return key.strip(), parse(value, COMMAND_LINE).data
    except ConfigError as error:
        problems = [dataclasses.replace(p, key=key, given=shown(value)) for p in error.problems]
        raise ConfigError(problems) from None


def _cases(document: Document) -> Iterator[tuple[str, Key, dict[str, dict]]]:
    """Yield each axis of cases: name, key of the cases, what each sets."""
    axes = document.get(("axes",))
    for name in axes if isinstance(axes, dict) else ():
        for role in ("outer", "inner"):
            key = ("axes", name, role, "cases")
            cases = document.get(key)
            if isinstance(cases, dict):
                yield name, key, {k: case for k, case in cases.items() if isinstance(case, dict)}


def _over_cases(document: Document, key: str, value: object) -> Document:
    """Put a value also into the cases that set its key, a part of it or what it is part of."""
    parts = split(key)
    for _, at, cases in _cases(document):
        for label, case in cases.items():
            for entry in case:
                own = split(entry)
                if own[: len(parts)] == parts:
                    document = document.without((*at, label, entry))
                elif parts[: len(own)] == own:
                    inner = (*at, label, entry, *parts[len(own) :])
                    document = document.replaced(inner, value, COMMAND_LINE)
    return document


def _without_effect(
    document: Document, entries: Sequence[tuple[str, object, Place]]
) -> Iterator[Problem]:
    """Yield the entries of a tier that no case of some axis leaves as they are."""
    for key, value, place in entries:
        parts = split(key)
        for name, at, cases in _cases(document):
            replaced = [any(parts[: len(split(e))] == split(e) for e in c) for c in cases.values()]
            if place is not COMMAND_LINE and replaced and all(replaced):
                expected = f"a key that not every case of {name} sets"
                hint = f"write {dotted(at)}.{next(iter(cases))}: {{...}} for each case"
                yield Problem(place.file, place.line, key, shown(value), expected, hint)


def _with_fixed_axis(document: Document, key: str, value: object, place: Place) -> Document:
    role = "outer" if document.get(("axes", key, "outer")) is not None else "inner"
    cases = document.get(("axes", key, role, "cases"))
    if not isinstance(cases, dict):
        return document.replaced(("axes", key, role), [value], place)
    if str(value) not in cases:
        expected = f"one of the cases {listed(cases)}"
        hint = nearest(str(value), list(cases))
        raise ConfigError([Problem(place.file, place.line, key, shown(value), expected, hint)])
    for other in cases.keys() - {value}:
        document = document.without(("axes", key, role, "cases", other))
    return document
