"""A checked parameter study, and the parameters of each of its points."""

import itertools
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from nessflow.config.document import COMMAND_LINE, Document, assigned, dotted, split
from nessflow.config.grid import Axis, Ensemble, Labels, canonical_json, label_of, points_of
from nessflow.config.matrices.reading import READERS, digests, files_of, with_contents
from nessflow.config.study_file import KEYS
from nessflow.digest import joint_digest, module_digests, short_hash
from nessflow.errors import ConfigError, Problem
from nessflow.registry import Kind, Source, project_of, sources_of
from nessflow.validation import Fault, Key, has_places, validated, with_whole_numbers
from nessflow.written.expressions import (
    PLACE_NAMES,
    ExpressionError,
    evaluated,
    expression,
    expressions_in,
    is_expression,
    names_in,
    replaced,
)
from nessflow.written.physical import Units

BLOCKS = "blocks/"
"""The folder of the blocks in that of the results of a study."""


@dataclass(frozen=True)
class Study:
    """One checked parameter study.

    ``kind`` evaluates its points; files and messages call it ``kind_name``.  ``template`` holds the
    parameters as written, expressions included; ``document`` is the file with its overrides, and
    knows the line of every value.  ``figures`` are of the type that ``load_study`` was given for
    them.  ``time_limit`` is in seconds for each point.

    Numbers of a kind that lets its studies choose observables follow from the source of the kind,
    that of the observable and the parameters of the observable: a change of one makes only its own
    variables old.  The own variables of such a kind, and all of another, follow from its source
    alone.
    """

    name: str
    title: str
    reference: Mapping[str, str]
    notes: str
    kind_name: str
    kind: Kind = field(repr=False)
    template: Mapping[str, Any]
    axes: tuple[Axis, ...]
    ensemble: Ensemble | None
    fits: tuple[Mapping[str, Any], ...]
    figures: tuple[Any, ...]
    path: Path
    tier: str
    document: Document = field(repr=False, compare=False)
    time_limit: float | None = None
    derived: Mapping[str, str] = field(default_factory=dict)
    """Formulas of the variables that follow from others when the points are gathered."""
    units: Units | None = None
    """What natural units are where numbers are shown; those that are stored stay natural."""
    warnings: tuple[Problem, ...] = field(default=(), repr=False, compare=False)
    """Why some points are not possible: they fail, and no others."""

    @property
    def project(self) -> Path:
        """Folder of its project."""
        return project_of(self.path)

    @cached_property
    def blocks(self) -> list["Block"]:
        """Its points, job by job, in a fixed order."""
        ranges: list[range | None] = [None]
        if of := self.ensemble:
            starts = range(0, of.samples, of.per_block)
            ranges = [range(s, min(s + of.per_block, of.samples)) for s in starts]
        outer = [axis for axis in self.axes if axis.outer]
        return [Block(self, labels, samples) for labels in points_of(outer) for samples in ranges]

    @cached_property
    def observables(self) -> Mapping[str, Any]:
        """What it asks for by name; empty where its kind leaves no choice."""
        return observables_of(self.kind, self.template)

    @cached_property
    def variables(self) -> Mapping[str, Any]:
        """What is computed of each of its points."""
        return variables_of(self.kind, self.template)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits for the source of all that its numbers depend on.

        That is the kind's, and that of the parts and observables that it names, those of others
        included.
        """
        if not hasattr(self.kind, "chosen"):
            return self._kind_digest
        own = [self._kind_digest] if own_variables(self.kind) else []
        return short_hash(canonical_json(own + list(self._observable_digests.items())))

    @cached_property
    def variable_digests(self) -> Mapping[str, str]:
        """The same for each of its variables."""
        if not hasattr(self.kind, "chosen"):
            return dict.fromkeys(self.variables, self.digest)
        digests = dict.fromkeys(own_variables(self.kind), self._kind_digest)
        for name, each in self.observables.items():
            digests |= dict.fromkeys(each.variables, self._observable_digests[name])
        return digests

    @property
    def modules(self) -> Mapping[str, str]:
        """The modules that make its source, and 16 hexadecimal digits for each."""
        observed = self.observables.values() if hasattr(self.kind, "chosen") else ()
        return module_digests([*self._sources, *(each.source for each in observed)])

    @cached_property
    def _kind_digest(self) -> str:
        return joint_digest(self._sources)

    @property
    def _sources(self) -> list[Source]:
        """Where its kind, the parts and functions that it names, and readers of files come from."""
        return sources_of(self.kind_name, self._written) + (list(READERS) if self.files else [])

    @property
    def _written(self) -> list[Any]:
        return [self.template, *(axis.cases for axis in self.axes if axis.cases is not None)]

    @cached_property
    def files(self) -> Mapping[str, str]:
        """The files that its parameters name, below the folder of the project, and their SHA-256.

        Numbers follow from their content, whatever they are called.
        """
        return files_of(self._written)

    @cached_property
    def _observable_digests(self) -> Mapping[str, str]:
        shared = self._sources
        return {
            name: short_hash(
                canonical_json(
                    [joint_digest([*shared, each.source]), with_whole_numbers(each.written)]
                )
            )
            for name, each in self.observables.items()
        }

    def reduced(self, variables: Collection[str]) -> "Share":
        """Return the least part of the study that has some variables."""
        own = own_variables(self.kind)
        part = self._with_observables_of(variables)
        if not own or not own.keys().isdisjoint(variables):
            return Share(part, part.variables, {})
        others = {name: each for name, each in part.variables.items() if name not in own}
        return Share(part, others, {"own": False})

    def _with_observables_of(self, variables: Collection[str]) -> "Study":
        items = [
            {name: each.written} if each.written else name
            for name, each in self.observables.items()
            if set(each.variables) & set(variables)
        ]
        if len(items) == len(self.observables):
            return self
        return replace(self, template={**self.template, OBSERVABLES: items})


class Share(NamedTuple):
    """The part of a study that has some of its variables.

    Attributes
    ----------
    study : Study
        It asks for no other observables.
    variables : mapping of str to Variable
        Those that it has.
    arguments : mapping
        What `evaluate` is told beside the parameters.
    """

    study: Study
    variables: Mapping[str, Any]
    arguments: Mapping[str, bool]


@dataclass(frozen=True)
class Block:
    """The points of one job: one value of each outer axis, a range of samples, all inner values."""

    study: Study = field(repr=False)
    outer: Labels
    samples: range | None

    @property
    def path(self) -> Path:
        """Path below ``results/<study>/blocks``."""
        folder = Path(*(f"{name}~{label}" for name, label in self.outer.items()))
        if self.samples is None:
            return folder / "points.nc"
        return folder / f"seeds~{self.samples.start:05d}-{self.samples.stop - 1:05d}.nc"

    def file(self, results: Path) -> Path:
        """Return its file in the folder of the results of its study."""
        return Path(results) / BLOCKS / self.path


OBSERVABLES = "observables"
"""The parameter that lists what is computed, in kinds that leave it to their studies."""


def observables_of(kind: Kind, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study asks for by name, from its parameters as written, checked or not.

    Empty where the kind leaves no choice.
    """
    return kind.chosen(data.get(OBSERVABLES)) if hasattr(kind, "chosen") else {}


def variables_of(kind: Kind, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a study from its parameters as written, checked or not."""
    if not hasattr(kind, "chosen"):
        return dict(getattr(kind, "VARIABLES", {}))
    return own_variables(kind) | _of_observables(observables_of(kind, data).values())


def variables_at(kind: Kind, parameters: BaseModel) -> dict[str, Any]:
    """Return the variables of a point."""
    if not hasattr(kind, "chosen"):
        return dict(kind.VARIABLES)
    return own_variables(kind) | _of_observables(getattr(parameters, OBSERVABLES))


def own_variables(kind: Kind) -> dict[str, Any]:
    """Return what all studies have of a kind that lets them choose observables."""
    return dict(getattr(kind, "OWN", {}))


def _of_observables(observables: Iterable[Any]) -> dict[str, Any]:
    return {name: variable for each in observables for name, variable in each.variables.items()}


def parameters_of(study: Study, labels: Labels) -> BaseModel:
    """Return the parameters of one point.

    Parameters
    ----------
    study : Study
    labels : mapping of str to str
        The label of every axis.

    Raises
    ------
    ConfigError
        When this combination of axis values is not valid; without files and lines, which may
        change while the point is the same.
    """
    try:
        return _parameters(study, labels)
    except ValueError:
        document = study.document.without_places()
        _, problems = checked_point(document, study.axes, labels, study.kind)
        if not problems:
            raise
        raise ConfigError(problems) from None


def possible_parameters(study: Study, outer: Labels) -> BaseModel:
    """Return the parameters of the first possible point of a block, or else of the whole study.

    Parameters
    ----------
    study : Study
    outer : mapping of str to str
        The label of each outer axis of the block; empty for the study.

    Raises
    ------
    ConfigError
        When the study has no possible point.
    """
    own = [replace(a, labels=(outer[a.name],)) if a.name in outer else a for a in study.axes]
    for labels in itertools.chain(points_of(own), points_of(study.axes)):
        with suppress(ValueError):
            return _parameters(study, labels)
    return parameters_of(study, labels)


def _parameters(study: Study, labels: Labels) -> BaseModel:
    template = study.template
    if study.files and digests(study.files) != study.files:
        raise ValueError(f"a file has changed since the study was read: {', '.join(study.files)}")
    for axis in study.axes:
        if axis.cases is not None:
            for key, value in axis.cases[labels[axis.name]].items():
                template = assigned(template, split(key), value)
    return study.kind.Parameters.model_validate(evaluated(template, _names(study.axes, labels)))


def template_json(study: Study, outer: Labels | None = None) -> str:
    """Return the canonical JSON of what defines the numbers of a study, beside axis values.

    That is the kind, the parameters with their expressions, the definitions of cases, the root
    seed and whether points have draws of their own.  With the labels of the outer axes it is what
    all points of a block have in common: of cases only those outer ones.  Observables are not in
    it: what one depends on is told for itself (`Study.variable_digests`).
    """
    cases = {axis.name: axis.cases for axis in study.axes if axis.cases is not None}
    if outer is not None:
        cases = {name: {outer[name]: cases[name][outer[name]]} for name in cases.keys() & outer}
    parameters = {key: value for key, value in study.template.items() if key != OBSERVABLES}
    content: dict[str, Any] = {
        "kind": study.kind_name,
        "parameters": parameters,
        "cases": cases,
        "seed": None,
    }
    if study.ensemble:
        content |= {"seed": study.ensemble.seed, "independent": study.ensemble.independent}
    return canonical_json(with_whole_numbers(with_contents(content)))


def inner_cases(axes: Iterable[Axis]) -> dict[str, dict[str, Any]]:
    """Return the definitions of the cases that a block has side by side: axis -> label -> case."""
    return {
        axis.name: with_whole_numbers(with_contents(axis.cases))
        for axis in axes
        if axis.cases is not None and not axis.outer
    }


def checked_point(
    document: Document, axes: tuple[Axis, ...], labels: Labels, kind: Kind
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
            used = expression(text).names
            if used <= names.keys() | place_names(kind, used):
                values[text] = expression(text).bound(names)
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


def place_names(kind: Kind | None, names: Iterable[str] = PLACE_NAMES) -> frozenset[str]:
    """Return which names are, in formulas, what differs from site to site; of kinds with sites.

    They are no names of axes there.  Where the kind is not known, it may be one of these.
    """
    found = frozenset(names) & frozenset(PLACE_NAMES)
    # Asked last: the schema of a kind takes longer than all the rest of a small study.
    return found if found and (kind is None or has_places(kind.Parameters)) else frozenset()


def template_of(document: Document) -> dict[str, Any]:
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


def _placed(
    document: Document, fault: Fault, labels: Labels, names: Mapping[str, float]
) -> Problem:
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
    told = {n: label for n, label in labels.items() if n in formula.names}
    if not formula.names <= names.keys():
        problem = document.problem(fault.key, fault.expected, fault.hint)
        return replace(problem, point=_point(told))
    hint = fault.hint or f"{dotted(fault.key)} is {written}"
    if len(formula.names) == 1:
        (name,) = formula.names
        hint += f" (line {line.line})" if line.line else ""
        return document.problem(
            _value_key(document, name, labels[name]), fault.expected, hint, labels[name]
        )
    hint = fault.hint or f"it is {formula.evaluate(names):.6g}"
    hint += f" at {_point(told)}" if told else ""
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
