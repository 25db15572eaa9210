"""Faults of a configuration, one line each: where, what was given, what is expected."""

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHOWN = 60


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
    """

    file: str
    line: int | None
    key: str
    given: str
    expected: str
    hint: str = ""
    of_point: bool = False

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        what = " = ".join(part for part in (self.key, self.given) if part)
        wanted = self.expected and f"expected {self.expected}"
        reason = "; ".join(part for part in (wanted, self.hint) if part)
        text = ": ".join(part for part in (place, what, reason) if part)
        # One line for each fault, also when a key holds a line break.
        return "".join(c if c.isprintable() else " " for c in text)


class ConfigError(Exception):
    """A configuration with at least one fault; its text is one line for each."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))


def shown(value: object) -> str:
    """Return ``value`` as it could stand in a YAML file, on one line and cut when long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and value.isprintable():
        text = value or '""'
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def nearest(name: str, valid: Sequence[str]) -> str:
    """Return a hint with the entry of ``valid`` closest to ``name``, or an empty text."""
    folded = {entry.casefold(): entry for entry in reversed(valid)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"did you mean {folded[found[0]]!r}?" if found else ""
