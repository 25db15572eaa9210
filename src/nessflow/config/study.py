"""A checked parameter study, and the parameters of each of its points."""

import itertools
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from nessflow.config.document import COMMAND_LINE, Document, assigned, dotted, split
from nessflow.config.expressions import (
    ExpressionError,
    evaluated,
    expression,
    expressions_in,
    is_expression,
    names_in,
    replaced,
)
from nessflow.config.grid import Axis, Ensemble, Labels, canonical_json, label_of, points_of
from nessflow.config.study_file import KEYS
from nessflow.errors import ConfigError, Problem
from nessflow.validation import Fault, Key, validated, with_whole_numbers


@dataclass(frozen=True)
class Study:
    """One checked parameter study.

    ``template`` holds the parameters as written, expressions included; ``document`` is the file
    with its overrides, and knows the line of every value.  ``figures`` are of the type that
    ``load_study`` was given for them.  ``time_limit`` is in seconds for each point.
    """

    name: str
    title: str
    reference: Mapping[str, str]
    notes: str
    kind: str
    template: Mapping[str, object]
    axes: tuple[Axis, ...]
    ensemble: Ensemble | None
    fits: tuple[Mapping[str, object], ...]
    figures: tuple[object, ...]
    path: Path
    tier: str
    document: Document = field(repr=False, compare=False)
    time_limit: float | None = None
    warnings: tuple[Problem, ...] = field(default=(), repr=False, compare=False)
    """Why some points are not possible: they fail, and no others."""


OBSERVABLES = "observables"
"""The parameter that lists what is computed, in kinds that leave it to their studies."""


def observables_of(kind: ModuleType, data: Mapping[str, object]) -> dict[str, object]:
    """Return what a study asks for by name, from its parameters as written, checked or not.

    Empty where the kind leaves no choice.
    """
    return kind.chosen(data.get(OBSERVABLES)) if hasattr(kind, "chosen") else {}


def variables_of(kind: ModuleType, data: Mapping[str, object]) -> dict[str, object]:
    """Return the variables of a study from its parameters as written, checked or not."""
    if not hasattr(kind, "chosen"):
        return dict(getattr(kind, "VARIABLES", {}))
    return own_variables(kind) | _of_observables(observables_of(kind, data).values())


def variables_at(kind: ModuleType, parameters: BaseModel) -> dict[str, object]:
    """Return the variables of a point."""
    if not hasattr(kind, "chosen"):
        return dict(kind.VARIABLES)
    return own_variables(kind) | _of_observables(parameters.observables)


def own_variables(kind: ModuleType) -> dict[str, object]:
    """Return what all studies have of a kind that lets them choose observables."""
    return dict(getattr(kind, "OWN", {}))


def _of_observables(observables: Iterable) -> dict[str, object]:
    return {name: variable for each in observables for name, variable in each.variables.items()}


def parameters_of(study: Study, labels: Labels, kind: ModuleType) -> BaseModel:
    """Return the parameters of one point.

    Parameters
    ----------
    study : Study
    labels : mapping of str to str
        The label of every axis.
    kind : module
        The study's kind.

    Raises
    ------
    ConfigError
        When this combination of axis values is not valid; without files and lines, which may
        change while the point is the same.
    """
    try:
        return _parameters(study, labels, kind)
    except ValueError:
        document = study.document.without_places()
        _, problems = checked_point(document, study.axes, labels, kind)
        if not problems:
            raise
        raise ConfigError(problems) from None


def possible_parameters(study: Study, outer: Labels, kind: ModuleType) -> BaseModel:
    """Return the parameters of the first possible point of a block, or else of the whole study.

    Parameters
    ----------
    study : Study
    outer : mapping of str to str
        The label of each outer axis of the block; empty for the study.
    kind : module
        The study's kind.

    Raises
    ------
    ConfigError
        When the study has no possible point.
    """
    own = [replace(a, labels=(outer[a.name],)) if a.name in outer else a for a in study.axes]
    for labels in itertools.chain(points_of(own), points_of(study.axes)):
        with suppress(ValueError):
            return _parameters(study, labels, kind)
    return parameters_of(study, labels, kind)


def _parameters(study: Study, labels: Labels, kind: ModuleType) -> BaseModel:
    template = study.template
    for axis in study.axes:
        if axis.cases is not None:
            for key, value in axis.cases[labels[axis.name]].items():
                template = assigned(template, split(key), value)
    return kind.Parameters.model_validate(evaluated(template, _names(study.axes, labels)))


def template_json(study: Study, outer: Labels | None = None) -> str:
    """Return the canonical JSON of what defines the numbers of a study, beside axis values.

    That is the kind, the parameters with their expressions, the definitions of cases, the root
    seed and whether points have draws of their own.  With the labels of the outer axes it is what
    all points of a block have in common: of cases only those outer ones.  Observables are not in
    it: what one depends on is told for itself (``nessflow.run.sources``).
    """
    cases = {axis.name: axis.cases for axis in study.axes if axis.cases is not None}
    if outer is not None:
        cases = {name: {outer[name]: cases[name][outer[name]]} for name in cases.keys() & outer}
    parameters = {key: value for key, value in study.template.items() if key != OBSERVABLES}
    content = {"kind": study.kind, "parameters": parameters, "cases": cases, "seed": None}
    if study.ensemble:
        content |= {"seed": study.ensemble.seed, "independent": study.ensemble.independent}
    return canonical_json(with_whole_numbers(content))


def inner_cases(axes: Iterable[Axis]) -> dict[str, dict[str, object]]:
    """Return the definitions of the cases that a block has side by side: axis -> label -> case."""
    return {
        axis.name: with_whole_numbers(dict(axis.cases))
        for axis in axes
        if axis.cases is not None and not axis.outer
    }


def checked_point(
    document: Document, axes: tuple[Axis, ...], labels: Labels, kind: ModuleType
) -> tuple[BaseModel | None, list[Problem]]:
    """Return the parameters of one point, or its faults.

    Expressions that cannot be read, or name an axis that is not in ``axes``, are taken to be
    reported already: they are passed over, and the rest is checked.
    """
    # In one order, so that a message does not tell which axes are outer ones.
    labels = {axis.name: labels[axis.name] for axis in axes}
    document = with_cases(document, axes, labels)
    names = _names(axes, labels)
    problems, unknown, values = [], set(), {}
    data = template_of(document)
    for key, text in expressions_in(data):
        try:
            if expression(text).names <= names.keys():
                values[text] = expression(text).evaluate(names)
                continue
        except ExpressionError as error:
            if _is_readable(text):
                fault = Fault(key, "a finite real number", str(error), of_value=True)
                problems.append(_located(document, fault, labels, names))
        unknown.add(key)
        values[text] = 1.0
    # The command line sets axes as it sets keys: a misspelt one is the nearest of both.
    settable = any(document.place((key,)) is COMMAND_LINE for key in data)
    other_keys = (*(axis.name for axis in axes if settable), *KEYS)
    parameters, faults = validated(kind.Parameters, replaced(data, values), other_keys)
    faults = [f for f in faults if f.key not in unknown and not (f.rule is not None and unknown)]
    problems += [_located(document, fault, labels, names) for fault in faults]
    return (None if unknown else parameters), problems


def template_of(document: Document) -> dict[str, object]:
    """Return the parameters in a study's document."""
    return {key: value for key, value in document.data.items() if key not in KEYS}


def with_cases(document: Document, axes: tuple[Axis, ...], labels: Labels) -> Document:
    """Return a study's document with the overrides of the cases in ``labels``."""
    for axis in axes:
        if axis.cases is not None:
            for key in axis.cases[labels[axis.name]]:
                source = (*axis_key(axis), "cases", labels[axis.name], key)
                document = document.copied(source, document.key(key))
    return document


def axis_key(axis: Axis) -> Key:
    """Return the key of an axis' values in a study's document."""
    return ("axes", axis.name, "outer" if axis.outer else "inner")


def _names(axes: tuple[Axis, ...], labels: Labels) -> dict[str, float]:
    return {axis.name: float(labels[axis.name]) for axis in axes if axis.cases is None}


def _is_readable(text: str) -> bool:
    try:
        expression(text)
    except ExpressionError:
        return False
    return True


def _located(
    document: Document, fault: Fault, labels: Labels, names: Mapping[str, float]
) -> Problem:
    """Return the problem of a fault: at the axis when the value comes from one alone."""
    # A number that stands there as such is wrong for every value of every axis.
    depends = fault.rule is not None or is_expression(document.get(fault.key))
    return replace(_placed(document, fault, labels, names), of_point=fault.of_value and depends)


def _placed(document, fault, labels, names) -> Problem:
    written = document.get(fault.key)
    if fault.of_key or not is_expression(written):
        problem = document.problem(fault.key, fault.expected, fault.hint)
        if fault.rule is not None:
            values = expressions_in(document.get(fault.rule))
            used = {n for _, text in values for n in names_in(text)}
            point = {n: label for n, label in labels.items() if n in used or n not in names}
            problem = replace(problem, point=_point(point))
        return problem
    formula = expression(written)
    line = document.place(fault.key)
    hint = fault.hint or f"{dotted(fault.key)} is {written}"
    if len(formula.names) == 1:
        (name,) = formula.names
        hint += f" (line {line.line})" if line.line else ""
        return document.problem(
            _value_key(document, name, labels[name]), fault.expected, hint, labels[name]
        )
    used = {n: label for n, label in labels.items() if n in formula.names}
    hint = f"{fault.hint or f'it is {formula.evaluate(names):.6g}'} at {_point(used)}"
    return document.problem(fault.key, fault.expected, hint)


def _point(labels: Labels) -> str:
    return ", ".join(f"{name} = {label}" for name, label in labels.items())


def _value_key(document: Document, name: str, label: str) -> Key:
    """Return the key of one value of an axis, or of all its values when made by a rule."""
    role = "outer" if document.get(("axes", name, "outer")) is not None else "inner"
    values = document.get(("axes", name, role))
    if isinstance(values, list):
        for index, value in enumerate(values):
            if label_of(value) == label:
                return ("axes", name, role, index)
    return ("axes", name, role)
