"""Checks of a study as a whole: formulas, cases, size, every value of every axis."""

import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import BaseModel

from nessflow.config.axes import axis_entries
from nessflow.config.document import Document, dotted, split
from nessflow.config.grid import Axis, Ensemble, block_count, point_count, points_of
from nessflow.config.study import axis_key, checked_point, place_names, template_of
from nessflow.config.study_file import MOST_BLOCKS, MOST_POINTS
from nessflow.errors import Problem, closest, identity
from nessflow.registry import Kind
from nessflow.validation import Key
from nessflow.written.expressions import (
    ExpressionError,
    expression,
    expressions_in,
    names_in,
    unknown_name,
)

_NAME = re.compile(r"[A-Za-z_]\w*")

_SHOWN_VALUES = 5
_MOST = 100
"""Faults after which no more are looked for: finding what each may mean takes its time."""
_MANY = 20
"""Faults of the first point that make it useless to look at the others."""
_CHECKED_VALUES = 2000
_CHECKED_OF_RULE = 20
"""The same of values that a rule makes, where the outermost are the most likely to be faulty."""
_SEARCHED = 500
"""Points all over the grid among which a possible one is looked for."""


def expression_problems(
    document: Document, axes: Sequence[Axis], kind: Kind | None
) -> list[Problem]:
    """Check that expressions can be read and name axes, or what differs from site to site."""
    cases = {axis.name for axis in axes if axis.cases is not None}
    valid = [name for name in axis_entries(document) if name not in cases]
    problems: list[Problem] = []
    for key, text in _expressions(document, axes):
        if len(problems) > _MOST:
            break
        try:
            names = expression(text).names
        except ExpressionError as error:
            problems.append(document.problem(key, "a formula over axis names", str(error)))
            continue
        for name in sorted(names - set(valid) - place_names(kind, names)):
            expected = f"an axis of numbers ({', '.join(valid)})" if valid else "an axis"
            hint = unknown_name(name, [*valid, *sorted(place_names(kind))]) or f"add {name} to axes"
            if name in cases:
                hint = f"{name} is an axis of cases, which has no numbers"
            problems.append(document.problem(key, expected, hint))
    return problems + _conflicts(document, [axis for axis in axes if axis.cases is not None])


def use_problems(document: Document, axes: Sequence[Axis]) -> list[Problem]:
    """Check that every axis does something."""
    used: set[str | None] = set()
    valid = [axis.name for axis in axes]
    for _, text in _expressions(document, axes):
        # One that cannot be read, or misspells an axis, is reported where expressions are checked.
        try:
            names = expression(text).names
        except ExpressionError:
            names = frozenset(_NAME.findall(text))
        used |= names | {closest(name, valid) for name in names - set(valid)}
    problems = []
    for axis in axes:
        if axis.cases is None and axis.name not in used:
            expected = "an axis that a parameter uses"
            hint = f"write ${axis.name} where a parameter takes its values, or remove the axis"
        elif axis.cases is not None and not any(axis.cases.values()):
            expected, hint = "cases that override parameters", ""
        else:
            continue
        problems.append(document.problem(("axes", axis.name), expected, hint, ""))
    return problems


def _expressions(document: Document, axes: Sequence[Axis]) -> Iterator[tuple[tuple, str]]:
    yield from expressions_in(template_of(document))
    for axis in axes:
        if axis.cases is not None:
            yield from expressions_in(axis.cases, (*axis_key(axis), "cases"))


def _conflicts(document: Document, axes: Sequence[Axis]) -> list[Problem]:
    """Check that no axis of cases replaces what an earlier one has set."""
    problems: list[Problem] = []
    earlier: dict[Key, str] = {}
    for axis in axes:
        cases = axis.cases or {}
        keys = {split(key): label for label, entries in cases.items() for key in entries}
        for key, label in keys.items():
            for other, name in earlier.items():
                if other[: len(key)] == key:
                    at = (*axis_key(axis), "cases", label, dotted(key))
                    hint = f"{name} sets {dotted(other)}: let only one axis set it"
                    problems.append(document.problem(at, "another key", hint))
        earlier.update(dict.fromkeys(keys, axis.name))
    return problems


def size_problems(
    document: Document, axes: Sequence[Axis], ensemble: Ensemble | None
) -> list[Problem]:
    """Check that nobody runs millions of points, or jobs of one point each, by mistake."""
    hint = "if you mean it: `nessflow --allow-large`, or `snakemake --config allow_large=true`"
    points, blocks = point_count(axes, ensemble), block_count(axes, ensemble)
    if points > MOST_POINTS:
        expected = f"at most {MOST_POINTS} points"
        return [document.problem(("axes",), expected, hint, f"{points} points")]
    if blocks > MOST_BLOCKS:
        part = "ensemble" if ensemble and block_count(axes, None) <= MOST_BLOCKS else "axes"
        way = "larger per_block" if part == "ensemble" else "inner axes, whose values share a block"
        expected = f"at most {MOST_BLOCKS} blocks, each a job and a file"
        return [document.problem((part,), expected, f"{way}; {hint}", f"{blocks} blocks")]
    return []


def point_problems(
    document: Document, axes: tuple[Axis, ...], kind: Kind, *, is_complete: bool
) -> tuple[list[Problem], list[Problem]]:
    """Check the values of every axis, the others at the values of a possible point.

    Of an axis with many values only some are looked at, the outermost among them: fewer where a
    rule makes them than where each is written out.  The others are checked when their points are
    computed.

    Returns
    -------
    problems : list of Problem
        What is wrong for every point; where no possible point is found, what is wrong at any.
    warnings : list of Problem
        Why some points are not possible, where others are.
    """
    first = {axis.name: axis.labels[0] for axis in axes}
    base, parameters, problems = _possible_point(document, axes, first, kind)
    models, told = [parameters], {identity(problem) for problem in problems}
    coordinates = []
    for start, axis in _varied(axes, base) if len(problems) < _MANY else ():
        found = []
        for label in _checked_labels(document, axis, start):
            parameters, new = checked_point(document, axes, {**start, axis.name: label}, kind)
            models.append(parameters)
            found += [p for p in new if identity(p) not in told]
            told |= {identity(p) for p in new}
            if len(found) >= _SHOWN_VALUES:
                break
        problems += found
        coordinates += _coordinate_problems(document, axes, start, axis, kind)
    models = [model for model in models if model is not None]
    warnings = [problem for problem in problems if problem.of_point and models]
    problems = [problem for problem in problems if problem not in warnings] + coordinates
    if is_complete and models:
        is_random = any(kind.is_random(model) for model in models)
        problems += _ensemble_problems(document, is_random=is_random)
    return problems, warnings


def _possible_point(
    document: Document, axes: tuple[Axis, ...], first: dict[str, str], kind: Kind
) -> tuple[dict[str, str], BaseModel | None, list[Problem]]:
    """Return the labels of a possible point, its parameters, and the faults of the first point.

    It is the first point where that is possible, or where no other is found: each value of every
    axis beside the first values of the others is tried, then points all over the grid.
    """
    parameters, problems = checked_point(document, axes, first, kind)
    if parameters is not None or not all(problem.of_point for problem in problems):
        return first, parameters, problems
    beside = (
        {**first, a.name: label} for a in axes for label in _checked_labels(document, a, first)
    )
    step = max(1, point_count(axes, None) // _SEARCHED)
    over = itertools.islice(points_of(axes), step - 1, None, step)
    for labels in itertools.chain(beside, itertools.islice(over, 2 * _SEARCHED)):
        parameters, _ = checked_point(document, axes, labels, kind)
        if parameters is not None:
            return labels, parameters, problems
    return first, None, problems


def _coordinate_problems(
    document: Document, axes: tuple[Axis, ...], base: dict[str, str], axis: Axis, kind: Kind
) -> list[Problem]:
    """Check that an inner axis, whose values share a block, leaves the coordinates alone.

    By the first and the last number, or by all cases; the others fail when they are computed.
    """
    if axis.outer:
        return []
    found: dict[str, np.ndarray] = {}
    labels = axis.labels if axis.cases is not None else {axis.labels[0], axis.labels[-1]}
    for label in labels:
        parameters, _ = checked_point(document, axes, {**base, axis.name: label}, kind)
        for name, given in kind.coordinates(parameters).items() if parameters else ():
            if not np.array_equal(found.setdefault(name, given.values), given.values):
                expected = f"an outer axis, since the values of {name} change with {axis.name}"
                hint = f"write outer in place of inner for {axis.name}"
                return [document.problem(axis_key(axis), expected, hint, "")]
    return []


def _checked_labels(document: Document, axis: Axis, base: dict[str, str]) -> Sequence[str]:
    labels = [label for label in axis.labels if label != base[axis.name]]
    most = _CHECKED_VALUES if isinstance(document.get(axis_key(axis)), list) else _CHECKED_OF_RULE
    if len(labels) <= most or axis.cases is not None:
        return labels
    outermost = [min(labels, key=float), max(labels, key=float)]
    return [*outermost, *labels[:: -(-len(labels) // most)]]


def _varied(axes: Sequence[Axis], first: dict[str, str]) -> Iterator[tuple[dict[str, str], Axis]]:
    """Yield each axis to vary, with the point around which to vary it."""
    for axis in axes:
        yield first, axis
        for other in axes:
            for label, entries in (other.cases or {}).items():
                names = {n for _, text in expressions_in(entries) for n in names_in(text)}
                if axis.name in names and label != first[other.name]:
                    yield {**first, other.name: label}, axis


def _ensemble_problems(document: Document, *, is_random: bool) -> list[Problem]:
    has_ensemble = document.data.get("ensemble") is not None
    if is_random and not has_ensemble:
        hint = "add ensemble: {samples: 100, seed: 1}, or remove what is random"
        return [document.problem(("ensemble",), "samples of a random system", hint)]
    if has_ensemble and not is_random:
        hint = "remove it, or add what is random, such as disorder"
        return [document.problem(("ensemble",), "no ensemble, since nothing is random", hint)]
    return []
