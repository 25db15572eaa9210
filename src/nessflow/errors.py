"""Faults of a configuration, one line each: where, what was given, what is expected."""

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHOWN = 60
_NAMES = 120
_LISTED = 100
"""Faults that a message lists; the others are counted."""


@dataclass(frozen=True)
class Problem:
    """One fault of a configuration.

    Parameters
    ----------
    file : str
        The file, or ``command line``.
    line : int or None
        Line of the file, counted from 1.
    key : str
        Dotted key of the value; empty when the fault is of the file as a whole.
    given : str
        The value as ``shown``; empty when there is none.
    expected : str
        What would be right; empty when the hint says it all.
    hint : str
        The way out: the nearest valid name, a flag, the meaning of the parameter.
    of_point : bool
        Whether a point with other axis values may be without it.
    point : str
        Axis values at which it was found first; at others it is the same fault.
    """

    file: str
    line: int | None
    key: str
    given: str
    expected: str
    hint: str = ""
    of_point: bool = False
    point: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        what = " = ".join(part for part in (self.key, self.given) if part)
        wanted = self.expected and f"expected {self.expected}"
        reason = "; ".join(part for part in (wanted, self.hint) if part)
        reason += f" (at {self.point})" if self.point else ""
        text = ": ".join(part for part in (place, what, reason) if part)
        # One line for each fault, also when a key holds a line break.
        return "".join(c if c.isprintable() else " " for c in text)


class ConfigError(Exception):
    """A configuration with at least one fault; its text is one line for each, but for very many."""

    def __init__(self, problems: Iterable[Problem]):
        told: dict[tuple, Problem] = {}
        for problem in problems:
            told.setdefault(identity(problem), problem)
        self.problems = tuple(told.values())
        lines = [str(problem) for problem in self.problems[:_LISTED]]
        if more := len(self.problems) - len(lines):
            lines.append(f"and {more} more faults")
        super().__init__("\n".join(lines))


def identity(problem: Problem) -> tuple:
    """Return what makes a fault another one.

    A misspelt name is found by several checks, a rule is broken at several points.
    """
    place = problem.file, problem.line, problem.key
    if problem.point:
        return place
    if problem.hint.startswith("did you mean"):
        return *place, problem.hint
    return *place, problem.given, problem.expected, problem.hint


def shown(value: object) -> str:
    """Return ``value`` as it could stand in a YAML file, on one line and cut when long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and value.isprintable():
        text = value or '""'
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def listed(names: Iterable[str]) -> str:
    """Return names separated by commas, the first ones of many."""
    names = [str(name) for name in names]
    more = [f"and {len(names) - _NAMES} more"] if len(names) > _NAMES else []
    return ", ".join([*names[:_NAMES], *more])


def closest(name: str, valid: Sequence[str]) -> str | None:
    """Return the entry of ``valid`` closest to ``name``, None where none is close."""
    folded = {entry.casefold(): entry for entry in reversed(valid)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[found[0]] if found else None


def nearest(name: str, valid: Sequence[str]) -> str:
    """Return a hint with the entry of ``valid`` closest to ``name``, or an empty text."""
    found = closest(name, valid)
    return f"did you mean {found!r}?" if found else ""
