"""Study files and the project's ``config.yaml``, checked as a whole before anything runs."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from keyword import iskeyword
from pathlib import Path
from types import ModuleType

from pydantic import TypeAdapter

from nessflow.pipeline.document import COMMAND_LINE, Document, Key, read_document, split
from nessflow.pipeline.errors import ConfigError, Problem, nearest
from nessflow.pipeline.expressions import (
    CONSTANTS,
    FUNCTIONS,
    ExpressionError,
    expression,
    expressions_in,
)
from nessflow.pipeline.grid import Axis, Ensemble, label_of, point_count
from nessflow.pipeline.overrides import overridden
from nessflow.pipeline.schema import study_schema
from nessflow.pipeline.study import (
    Study,
    axis_key,
    checked_point,
    parameters_of,
    template_json,
    template_of,
    with_cases,
)
from nessflow.pipeline.study_file import (
    KEYS,
    MOST_POINTS,
    NAME,
    AxisFile,
    Cases,
    ProjectFile,
    StudyFile,
)
from nessflow.pipeline.validation import Fault, quantity_at, schema_of, validated

__all__ = [
    "ConfigError",
    "Problem",
    "Project",
    "Study",
    "load_project",
    "load_study",
    "parameters_of",
    "study_schema",
    "template_json",
]

FindKind = Callable[[str], ModuleType]

RESERVED = frozenset(("sample", "samples", "seeds", "status", "message", "n_samples", "walltime"))
"""Names that no axis may have: dimensions, variables and path parts of every dataset."""

_AXIS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CASE_LABEL = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_DERIVED = re.compile(r"(_error|_mean|_mean_square|_sem|_mean_square_sem)$")
_SHOWN_VALUES = 5


@dataclass(frozen=True)
class Project:
    """The studies to run by name, and the folder of their results."""

    root: Path
    tier: str
    studies: Mapping[str, Study]
    results: Path


def load_project(
    root: Path | str,
    *,
    tier: str | None = None,
    studies: str | Sequence[str] | None = None,
    find_kind: FindKind,
    kind_names: Iterable[str] = (),
    figure_specs: TypeAdapter | None = None,
    allow_large: bool = False,
) -> Project:
    """Read ``config/config.yaml`` and the studies it names.

    Parameters
    ----------
    root : path
        The project's folder.
    tier, studies : optional
        Replace what ``config.yaml`` says; ``studies`` is ``all``, a name or several.
    find_kind, kind_names, figure_specs, allow_large
        As for ``load_study``.

    Raises
    ------
    ConfigError
        With every fault of every file.
    """
    root = Path(root)
    document = read_document(root / "config" / "config.yaml")
    if tier is not None:
        document = document.replaced(("tier",), tier, COMMAND_LINE)
    if studies is not None:
        several = [studies] if isinstance(studies, str) and studies != "all" else studies
        several = several if isinstance(several, str) else list(several)
        document = document.replaced(("studies",), several, COMMAND_LINE)
    settings, faults = validated(ProjectFile, document.data)
    if settings is None:
        raise ConfigError(_problems(document, faults))
    folder = root / "config" / "studies"
    found, problems = _study_files(folder)
    paths, missing = _selected(settings.studies, found, document)
    problems += missing
    loaded = {}
    for path in paths:
        try:
            study = load_study(
                path,
                tier=settings.tier,
                find_kind=find_kind,
                kind_names=kind_names,
                figure_specs=figure_specs,
                allow_large=allow_large,
            )
        except ConfigError as error:
            problems += error.problems
        else:
            loaded[study.name] = study
    for study in loaded.values():
        problems += _source_problems(study, loaded, list(found), find_kind)
    if problems:
        raise ConfigError(problems)
    results = root / settings.results
    results = results if settings.tier == "paper" else results / settings.tier
    return Project(root, settings.tier, loaded, results)


def load_study(
    path: Path | str,
    *,
    tier: str = "paper",
    overrides: Sequence[str] = (),
    find_kind: FindKind,
    kind_names: Iterable[str] = (),
    figure_specs: TypeAdapter | None = None,
    allow_large: bool = False,
) -> Study:
    """Read and check one study file.

    Parameters
    ----------
    path : path
        The study file; its stem is the name of the study.
    tier : str
        ``paper`` (the file as written) or ``smoke``.
    overrides : sequence of str
        ``dotted.key=value`` from the command line; the name of an axis as key fixes that axis.
    find_kind : callable
        Returns the module of a kind by name, or raises LookupError.
    kind_names : iterable of str
        Names of the kinds there are, for the message about an unknown kind.
    figure_specs : TypeAdapter, optional
        What a figure is; without it figures stay mappings, of which ``name`` and ``plot`` are
        checked.
    allow_large : bool
        Accept more than ``MOST_POINTS`` points.

    Raises
    ------
    ConfigError
        With every fault found; each names file, line, key and the way out.
    """
    path = Path(path)
    if not re.fullmatch(NAME, path.stem) or path.stem == "smoke":
        expected = "a file name of a-z, 0-9 and -, other than smoke"
        raise ConfigError([Problem(str(path), None, "", "", expected, "rename the file")])
    whole, document, problems = overridden(read_document(path), tier, overrides)
    file, faults = validated(StudyFile, document.data)
    problems += _problems(document, faults)
    kind = None
    if isinstance(document.data.get("study"), str):
        kind, found = _kind(document, find_kind, kind_names)
        problems += found
    axes, found = _axes(document)
    problems += found
    if kind is not None:
        problems += _name_problems(document, kind)
    all_axes, _ = _axes(whole)
    problems += _expression_problems(whole, all_axes)
    complete = file is not None and len(axes) == len(_entries(document))
    ensemble = Ensemble(**file.ensemble.model_dump()) if file and file.ensemble else None
    if complete and not allow_large:
        problems += _size_problems(document, axes, ensemble)
    if kind is not None:
        problems += _point_problems(document, axes, kind, is_complete=complete)
        axes, found = _with_quantities(document, axes, _quantities(whole, all_axes, kind))
        problems += found
        own = [r for r in _references_of(document) if r.source in (None, path.stem)]
        problems += _reference_problems(own, document, document, kind)
    problems += _repeated_names(document)
    figures, found = _figures(document, figure_specs)
    problems += found
    if problems:
        raise ConfigError(problems)
    return Study(
        name=path.stem,
        title=file.title,
        reference={k: str(v) for k, v in file.reference if v is not None},
        notes=file.notes,
        kind=file.study,
        template=template_of(document),
        axes=axes,
        ensemble=ensemble,
        fits=tuple(_items(document, "fits")),
        figures=tuple(figures),
        path=path,
        tier=tier,
        document=document,
    )


def _problems(document: Document, faults: Iterable[Fault]) -> list[Problem]:
    return [document.problem(fault.key, fault.expected, fault.hint) for fault in faults]


def _study_files(folder: Path) -> tuple[dict[str, Path], list[Problem]]:
    """Return the study files by name."""
    found = {path.stem: path for path in sorted(folder.glob("[!.]*.yaml"))}
    problems = [
        Problem(str(path), None, "", "", "the ending .yaml", "rename the file")
        for path in sorted(folder.glob("[!.]*.yml"))
    ]
    if not found:
        problems.append(Problem(str(folder), None, "", "", "at least one study, NAME.yaml"))
    return found, problems


def _selected(
    studies: str | Sequence[str], found: Mapping[str, Path], document: Document
) -> tuple[list[Path], list[Problem]]:
    if studies == "all":
        return list(found.values()), []
    problems = []
    for index, name in enumerate(studies):
        if name not in found:
            hint = nearest(name, list(found)) or f"write config/studies/{name}.yaml"
            expected = f"one of the studies {', '.join(found)}"
            problems.append(document.problem(("studies", index), expected, hint))
    return [found[name] for name in dict.fromkeys(studies) if name in found], problems


def _kind(
    document: Document, find_kind: FindKind, kind_names: Iterable[str]
) -> tuple[ModuleType | None, list[Problem]]:
    name = document.data["study"]
    if re.fullmatch(NAME, name):
        with suppress(LookupError):
            return find_kind(name), []
    names = list(kind_names)
    expected = f"one of the kinds {', '.join(names)}" if names else "the name of a kind"
    return None, [document.problem(("study",), expected, nearest(name, names))]


def _entries(document: Document) -> Mapping[str, object]:
    """Return the axes as written, or none when they are no mapping."""
    entries = document.data.get("axes")
    return entries if isinstance(entries, dict) else {}


def _axes(document: Document) -> tuple[tuple[Axis, ...], list[Problem]]:
    """Return the axes that can be read, and the faults of the others beyond their form."""
    axes, problems = [], []
    for name, entry in _entries(document).items():
        spec, _ = validated(AxisFile, entry)
        if spec is None:  # its faults are among those of the file
            continue
        try:
            axes.append(_axis(document, name, spec))
        except ConfigError as error:
            problems += error.problems
    return tuple(axes), problems


def _axis(document: Document, name: str, spec: AxisFile) -> Axis:
    key = ("axes", name)
    if (spec.outer is None) == (spec.inner is None):
        hint = "outer: one job for each value; inner: all values in one job"
        raise ConfigError([document.problem(key, "exactly one of outer and inner", hint)])
    outer = spec.outer is not None
    values = spec.outer if outer else spec.inner
    key = (*key, "outer" if outer else "inner")
    cases = None
    if isinstance(values, Cases):
        cases = values.cases
        labels = list(cases)
        problems = list(_case_problems(document, (*key, "cases"), cases))
    else:
        try:
            labels = [
                label_of(v) for v in (values if isinstance(values, list) else values.values())
            ]
        except ValueError as error:
            raise ConfigError([document.problem(key, str(error))]) from None
        problems = []
    seen = set()
    for index, label in enumerate(labels):
        # Labels become folders, and some file systems do not tell A from a.
        if label.casefold() in seen:
            at = (*key, index) if isinstance(values, list) else key
            hint = "values are told apart by 12 digits"
            problems.append(document.problem(at, "each value once", hint, label))
        seen.add(label.casefold())
    if problems:
        raise ConfigError(problems)
    return Axis(name, outer, tuple(labels), spec.natural_units or "", spec.long_name or "", cases)


def _values(form: object) -> list[float]:
    return form if isinstance(form, list) else form.values()


def _case_problems(document: Document, key: tuple, cases: Mapping) -> Iterator[Problem]:
    for label, entries in cases.items():
        if not _CASE_LABEL.fullmatch(label) or _is_number(label):
            expected = "a name of letters, digits and _.+- that is not a number"
            yield document.problem((*key, label), expected, "", "")
        for entry in entries:
            if split(entry)[0] in KEYS:
                hint = f"{split(entry)[0]} is the same for all cases"
                yield document.problem((*key, label, entry), "a parameter of the kind", hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _name_problems(document: Document, kind: ModuleType) -> list[Problem]:
    """Check that no axis has the name of something else in the data, the paths or the file."""
    variables = getattr(kind, "VARIABLES", {})
    taken = RESERVED | FUNCTIONS.keys() | CONSTANTS.keys() | variables.keys() | set(KEYS)
    taken |= {dim for variable in variables.values() for dim in variable.dims}
    taken |= schema_of(kind.Parameters).get("properties", {}).keys()
    problems = []
    for name in _entries(document):
        hint = ""
        if _DERIVED.sub("", name) in taken:
            hint = f"{name} is taken"
        elif _AXIS_NAME.fullmatch(name) and not iskeyword(name):
            continue
        expected = "an axis name of letters, digits and _ that names nothing else"
        problems.append(document.problem(("axes", name), expected, hint, ""))
    return problems


def _expression_problems(document: Document, axes: Sequence[Axis]) -> list[Problem]:
    """Check that expressions can be read and name axes, and that every axis is used."""
    cases = {axis.name for axis in axes if axis.cases is not None}
    valid = [name for name in _entries(document) if name not in cases]
    problems, used = [], set()
    for key, text in _expressions(document, axes):
        try:
            names = expression(text).names
        except ExpressionError as error:
            problems.append(document.problem(key, "a formula over axis names", str(error)))
            continue
        used |= names
        for name in sorted(names - set(valid)):
            expected = f"an axis of numbers ({', '.join(valid)})" if valid else "an axis"
            hint = nearest(name, valid) or f"add {name} to axes"
            if name in cases:
                hint = f"{name} is an axis of cases, which has no numbers"
            problems.append(document.problem(key, expected, hint))
    for axis in axes:
        if axis.cases is None and axis.name not in used:
            expected = "an axis that a parameter uses"
            hint = f"write ${axis.name} where a parameter takes its values, or remove the axis"
        elif axis.cases is not None and not any(axis.cases.values()):
            expected, hint = "cases that override parameters", ""
        else:
            continue
        problems.append(document.problem(("axes", axis.name), expected, hint, ""))
    return problems + _conflicts(document, [axis for axis in axes if axis.cases is not None])


def _expressions(document: Document, axes: Sequence[Axis]) -> Iterator[tuple[tuple, str]]:
    yield from expressions_in(template_of(document))
    for axis in axes:
        if axis.cases is not None:
            yield from expressions_in(axis.cases, (*axis_key(axis), "cases"))


def _conflicts(document: Document, axes: Sequence[Axis]) -> list[Problem]:
    """Check that no axis of cases replaces what an earlier one has set."""
    problems, earlier = [], {}
    for axis in axes:
        keys = {split(key): label for label, entries in axis.cases.items() for key in entries}
        for key, label in keys.items():
            for other, name in earlier.items():
                if other[: len(key)] == key:
                    at = (*axis_key(axis), "cases", label, ".".join(key))
                    hint = f"{name} sets {'.'.join(other)}: let only one axis set it"
                    problems.append(document.problem(at, "another key", hint))
        earlier.update(dict.fromkeys(keys, axis.name))
    return problems


def _size_problems(
    document: Document, axes: Sequence[Axis], ensemble: Ensemble | None
) -> list[Problem]:
    count = point_count(axes, ensemble)
    if count <= MOST_POINTS:
        return []
    hint = "if you mean it: `nessflow --allow-large`, or `snakemake --config allow_large=true`"
    expected = f"at most {MOST_POINTS} points"
    return [document.problem(("axes",), expected, hint, f"{count} points")]


def _point_problems(
    document: Document, axes: tuple[Axis, ...], kind: ModuleType, *, is_complete: bool
) -> list[Problem]:
    """Check every value of every axis, the others at their first value."""
    first = {axis.name: axis.labels[0] for axis in axes}
    parameters, problems = checked_point(document, axes, first, kind)
    models = [parameters]
    for base, axis in _varied(axes, first):
        found = []
        for label in axis.labels[1:]:
            parameters, new = checked_point(document, axes, {**base, axis.name: label}, kind)
            models.append(parameters)
            found += [p for p in new if p not in problems and p not in found]
            if len(found) >= _SHOWN_VALUES:
                break
        problems += found
    models = [model for model in models if model is not None]
    if is_complete and models:
        is_random = any(kind.is_random(model) for model in models)
        problems += _ensemble_problems(document, is_random=is_random)
    return problems


def _varied(axes: Sequence[Axis], first: dict[str, str]) -> Iterator[tuple[dict[str, str], Axis]]:
    """Yield each axis to vary, with the point around which to vary it."""
    for axis in axes:
        yield first, axis
        for other in axes:
            for label, entries in (other.cases or {}).items():
                names = {n for _, text in expressions_in(entries) for n in _names_of(text)}
                if axis.name in names and label != first[other.name]:
                    yield {**first, other.name: label}, axis


def _names_of(text: str) -> frozenset[str]:
    try:
        return expression(text).names
    except ExpressionError:
        return frozenset()


def _ensemble_problems(document: Document, *, is_random: bool) -> list[Problem]:
    has_ensemble = document.data.get("ensemble") is not None
    if is_random and not has_ensemble:
        hint = "add ensemble: {samples: 100, seed: 1}, or remove what is random"
        return [document.problem(("ensemble",), "samples of a random system", hint)]
    if has_ensemble and not is_random:
        hint = "remove it, or add what is random, such as disorder"
        return [document.problem(("ensemble",), "no ensemble, since nothing is random", hint)]
    return []


def _with_quantities(
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


def _quantities(
    document: Document, axes: tuple[Axis, ...], kind: ModuleType
) -> dict[str, tuple[str, str]]:
    """Return units and description of the first field that is each axis alone, by axis.

    Both are empty for an axis that is only used in formulas.
    """
    first = {axis.name: axis.labels[0] for axis in axes}
    points = [first]
    points += [{**first, a.name: label} for a in axes if a.cases for label in a.labels[1:]]
    fields = {}
    for labels in points:
        data = template_of(with_cases(document, axes, labels))
        for key, text in expressions_in(data):
            for name in _names_of(text):
                if not any(fields.setdefault(name, ("", ""))) and expression(text).is_name:
                    fields[name] = quantity_at(kind.Parameters, key, data) or ("", "")
    return fields


def _items(document: Document, part: str) -> list[object]:
    """Return the fits or figures as written, or none when they are no list."""
    items = document.data.get(part)
    return items if isinstance(items, list) else []


def _figures(
    document: Document, figure_specs: TypeAdapter | None
) -> tuple[list[object], list[Problem]]:
    """Return the figures, and the faults of the keys that belong to their plots."""
    entries = _items(document, "figures")
    if figure_specs is None:
        return entries, []
    figures, problems = [], []
    for index, entry in enumerate(entries):
        figure, faults = validated(figure_specs, entry)
        figures.append(figure)
        faults = [replace(fault, key=("figures", index, *fault.key)) for fault in faults]
        problems += _problems(document, faults)
    return figures, problems


def _repeated_names(document: Document) -> list[Problem]:
    """Check that no two fits or figures have the same name."""
    problems = []
    for part in ("fits", "figures"):
        names = [document.get((part, i, "name")) for i in range(len(_items(document, part)))]
        for index, name in enumerate(names):
            if name is not None and name in names[:index]:
                problems.append(document.problem((part, index, "name"), "each name once"))
    return problems


@dataclass(frozen=True)
class _Reference:
    """The name of an axis, dimension or variable that a fit or a figure reads."""

    entry: Key
    part: Key
    name: str
    source: str | None
    """The study in ``from``; None for the study itself."""


def _references(value: object, key: Key) -> Iterator[_Reference]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, (*key, index))
    if not isinstance(value, dict):
        return
    source = value.get("from") if isinstance(value.get("from"), str) else None
    for part, item in value.items():
        if part in ("x", "y", "z", "hue") and isinstance(item, str):
            yield _Reference(key, (part,), item, source)
        elif part == "sel" and isinstance(item, dict):
            yield from (_Reference(key, (part, name), name, source) for name in item)
        else:
            yield from _references(item, (*key, part))


def _references_of(document: Document) -> list[_Reference]:
    return [
        reference
        for part in ("fits", "figures")
        for reference in _references(_items(document, part), (part,))
    ]


def _reference_problems(
    references: Iterable[_Reference], document: Document, source: Document, kind: ModuleType
) -> list[Problem]:
    """Check that what ``document`` reads is in the data of the study ``source``."""
    variables = getattr(kind, "VARIABLES", {})
    dims = {dim for variable in variables.values() for dim in variable.dims}
    known = [*_entries(source), *variables, *sorted(dims), "sample", "status", "n_samples"]
    fits = tuple(f"{fit.get('name')}_" for fit in _items(source, "fits") if isinstance(fit, dict))
    problems = []
    for reference in references:
        name = reference.name
        base = _DERIVED.sub("", name)
        if name in known or base in variables or name.startswith(fits):
            continue
        valid = [*known, *(variable + name.removeprefix(base) for variable in variables)]
        hint = nearest(name, valid) or f"`nessflow describe {source.data['study']}` lists them"
        expected = "an axis, a dimension or a variable of the data"
        key = (*reference.entry, *reference.part)
        problems.append(document.problem(key, expected, hint, name))
    return problems


def _source_problems(
    study: Study, loaded: Mapping[str, Study], names: Sequence[str], find_kind: FindKind
) -> list[Problem]:
    """Check what the figures of a study read from others; ``names`` are all there are."""
    problems = []
    for reference in _references_of(study.document):
        other = loaded.get(reference.source)
        if other is not None:
            kind = find_kind(other.kind)
            problems += _reference_problems([reference], study.document, other.document, kind)
        elif reference.source not in (None, *names):
            expected = f"one of the studies {', '.join(names)}"
            hint = nearest(reference.source, names)
            problems.append(study.document.problem((*reference.entry, "from"), expected, hint))
    return problems
