"""Study files and the project's ``config.yaml``, checked as a whole before anything runs."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from pydantic import TypeAdapter

from nessflow.config.axes import (
    axes_of,
    axis_entries,
    name_problems,
    quantities_of,
    with_quantities,
)
from nessflow.config.checks import (
    expression_problems,
    point_problems,
    size_problems,
    use_problems,
)
from nessflow.config.constants import with_constants
from nessflow.config.contents.layout import layout_of
from nessflow.config.contents.references import (
    derived_problems,
    items_of,
    reference_problems,
    references_of,
    repeated_names,
)
from nessflow.config.document import COMMAND_LINE, Document, Place, read_document
from nessflow.config.folders import results_fault
from nessflow.config.grid import Ensemble
from nessflow.config.overrides import overridden
from nessflow.config.study import (
    Study,
    parameters_of,
    template_json,
    template_of,
)
from nessflow.config.study_file import (
    KEYS,
    MOST_AXES,
    MOST_FIGURES,
    NAME,
    ProjectFile,
    StudyFile,
    UnitsFile,
    study_schema,
)
from nessflow.errors import ConfigError, Problem, closest, listed, nearest
from nessflow.registry import Kind, PartError, fault_of_outside, find_kind, use_project
from nessflow.validation import Fault, validated
from nessflow.written.physical import Units

__all__ = [
    "ConfigError",
    "Problem",
    "Project",
    "Study",
    "is_study_name",
    "load_project",
    "load_study",
    "parameters_of",
    "settings_of",
    "study_schema",
    "template_json",
]

OWN = "nessflow"
"""Key of a ``config.yaml`` that is another workflow's too, below which ours stands."""

RESERVED = ("all", "archive", "block", "data", "draw", "figures", "report", "smoke")
"""Names of targets and folders, which no study can have."""
_MOST = {"axes": MOST_AXES, "derived": MOST_FIGURES, "fits": MOST_FIGURES, "figures": MOST_FIGURES}
FindKind = Callable[[str], Kind]


def is_study_name(name: str) -> bool:
    """Tell whether a study can have this name."""
    return bool(re.fullmatch(NAME, name)) and name not in RESERVED


@dataclass(frozen=True)
class Project:
    """The studies to run by name, those with faults, and the folder of the results."""

    root: Path
    tier: str
    studies: Mapping[str, Study]
    results: Path
    broken: Mapping[str, ConfigError] = field(default_factory=dict)

    def parted(self, faults: Mapping[str, Iterable[Problem]]) -> "Project":
        """Return the project with studies that have faults among the broken ones."""
        sound = {name: study for name, study in self.studies.items() if name not in faults}
        broken = {name: ConfigError(problems) for name, problems in faults.items()}
        return replace(self, studies=sound, broken={**self.broken, **broken})

    def require(self, names: Iterable[str]) -> None:
        """Raise a ConfigError with every fault of those of the studies that are broken."""
        found = [self.broken[name] for name in self.broken if name in set(names)]
        if problems := [problem for error in found for problem in error.problems]:
            raise ConfigError(problems)


def load_project(
    root: Path | str,
    *,
    tier: str | None = None,
    studies: str | Sequence[str] | None = None,
    find_kind: FindKind = find_kind,
    figure_specs: TypeAdapter | None = None,
    allow_large: bool = False,
    is_tolerant: bool = False,
) -> Project:
    """Read ``config/config.yaml``, if there is one, and the studies it names.

    Parameters
    ----------
    root : path
        The project's folder.
    tier, studies : optional
        Replace what ``config.yaml`` says; ``studies`` is ``all``, a name or several.
    find_kind, figure_specs, allow_large
        As for ``load_study``.
    is_tolerant : bool
        Leave out studies with faults, and name them as broken, where others are sound.

    Raises
    ------
    ConfigError
        With every fault of every file; a tolerant reader is only stopped by faults of
        ``config.yaml`` and of the command line, or where no study is sound.
    """
    choice, faults = _chosen(Path(root), tier, studies)
    settings, root = choice.settings, Path(root)
    loaded = {}
    for path in choice.paths:
        try:
            study = load_study(
                path,
                tier=settings.tier,
                find_kind=find_kind,
                figure_specs=figure_specs,
                allow_large=allow_large,
                units=None if settings.units is None else settings.units.units(),
            )
        except ConfigError as error:
            faults.setdefault(path.stem, []).extend(error.problems)
        else:
            loaded[study.name] = study
    for study in loaded.values():
        if problems := _source_problems(study, loaded, list(choice.files)):
            faults.setdefault(study.name, []).extend(problems)
    project = Project(root, settings.tier, loaded, choice.results).parted(faults)
    if not is_tolerant or "" in faults or not project.studies:
        project.require(project.broken)
    return project


class Choice(NamedTuple):
    """What ``config.yaml`` and the command line choose.

    Attributes
    ----------
    settings : ProjectFile
    files : mapping of str to Path
        All study files by name.
    paths : list of Path
        Those of the chosen studies.
    results : Path
        The results folder of the tier.
    """

    settings: ProjectFile
    files: Mapping[str, Path]
    paths: list[Path]
    results: Path


def _chosen(
    root: Path, tier: str | None, studies: str | Sequence[str] | None
) -> tuple[Choice, "Faults"]:
    """Return what is chosen, and the faults of names and files of studies."""
    document = settings_of(root)
    if tier is not None:
        document = document.replaced(("tier",), tier, COMMAND_LINE)
    if studies is not None:
        several = [studies] if isinstance(studies, str) and studies != "all" else studies
        several = several if isinstance(several, str) else list(several)
        document = document.replaced(("studies",), several, COMMAND_LINE)
    settings, wrong = validated(ProjectFile, document.data)
    if settings is None:
        raise ConfigError(_problems(document, map(_of_another, wrong)))
    if fault := results_fault(root, settings.results):
        raise ConfigError([document.problem(("results",), "", fault)])
    found, faults = _study_files(root / "config" / "studies")
    paths, missing = _selected(settings.studies, found, document)
    for name, problem in missing:
        if document.place(("studies",)) is COMMAND_LINE:
            faults.setdefault("", []).append(problem)
        else:
            faults.setdefault(name, []).append(problem)
    results = root / settings.results
    results = results if settings.tier == "paper" else results / settings.tier
    return Choice(settings, found, paths, results), faults


def chosen_studies(
    root: Path, *, tier: str | None = None, studies: str | Sequence[str] | None = None
) -> Choice | None:
    """Return what is chosen, without a look into the files of studies.

    Parameters
    ----------
    root, tier, studies
        As for `load_project`.

    Returns
    -------
    Choice or None
        None where a name of a study or of a file is wrong: who reads the project says so.

    Raises
    ------
    ConfigError
        When ``config.yaml`` has a fault.
    """
    choice, faults = _chosen(root, tier, studies)
    return None if faults else choice


def blamed(error: Exception, path: Path) -> ConfigError | None:
    """Return what to say of an error that a study met; None where nessflow alone can cause it.

    Parts of others are run while a study is read, and may do anything.
    """
    if isinstance(error, ConfigError):
        return error
    try:
        document = read_document(path)
    except ConfigError:
        return None
    why = fault_of_outside(error, document.data)
    return ConfigError([document.problem(("study",), "", why)]) if why else None


Load = TypeVar("Load", bound=Callable[..., Study])


def _blaming_parts(load: Load) -> Load:
    @functools.wraps(load)
    def loaded(path: Path | str, **options: object) -> Study:
        try:
            return load(path, **options)
        except Exception as error:
            if (found := blamed(error, Path(path))) is None:
                raise
            raise found from error

    return cast(Load, loaded)


@_blaming_parts
def load_study(
    path: Path | str,
    *,
    tier: str = "paper",
    overrides: Sequence[str] = (),
    find_kind: FindKind = find_kind,
    figure_specs: TypeAdapter | None = None,
    allow_large: bool = False,
    one_point: bool = False,
    units: Units | None = None,
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
    find_kind : callable, optional
        Returns a kind by name, or raises PartError: that of the registry.
    figure_specs : TypeAdapter, optional
        What a figure is; without it figures stay mappings, of which ``name`` and ``plot`` are
        checked.
    allow_large : bool
        Accept more than ``MOST_POINTS`` points.
    one_point : bool
        Keep the first value of each axis, and look at nothing that one point does not need:
        figures, fits, dimensions of formulas, whether an ensemble makes sense, axes that the
        overrides made idle or took the units from.
    units : Units, optional
        Those of the project, for a study that has none of its own.

    Raises
    ------
    ConfigError
        With every fault found; each names file, line, key and the way out.
    """
    path = Path(path)
    use_project(path)
    if not is_study_name(path.stem):
        expected = f"a file name of a-z, 0-9 and -, other than {', '.join(RESERVED)}"
        raise ConfigError([Problem(str(path), None, "", "", expected, "rename the file")])
    whole, document, problems = overridden(read_document(path), tier, overrides)
    if one_point:
        for part in ("fits", "figures"):
            whole, document = (d.replaced((part,), [], COMMAND_LINE) for d in (whole, document))
    kind, found = _kind(document, find_kind)
    whole, document = (with_constants(each, kind, figure_specs) for each in (whole, document))
    file, faults = validated(StudyFile, document.data)
    problems += _problems(document, [_misspelt(document, fault) for fault in faults])
    is_large = any(_size(document.get((part,))) > most for part, most in _MOST.items())
    if is_large or not isinstance(document.data.get("axes", {}), dict):
        # What follows would take minutes, or miss every axis.
        raise ConfigError(problems)
    problems = problems + found
    warnings: list[Problem] = []
    axes, found = axes_of(document)
    problems += found
    if kind is not None:
        problems += name_problems(document, kind)
    all_axes, _ = axes_of(whole)
    problems += expression_problems(whole, all_axes, kind)
    if one_point:
        axes = tuple(replace(axis, labels=axis.labels[:1]) for axis in axes)
    else:
        problems += use_problems(whole, all_axes)
    complete = file is not None and len(axes) == len(axis_entries(document))
    ensemble = Ensemble(**file.ensemble.model_dump()) if file and file.ensemble else None
    if complete and not allow_large:
        problems += size_problems(document, axes, ensemble)
    if kind is not None:
        found, warnings = point_problems(
            document, axes, kind, is_complete=complete and not one_point
        )
        problems += found
        axes, found = with_quantities(document, axes, quantities_of(whole, all_axes, kind))
        problems += [] if one_point else found
        problems += derived_problems(document, kind)
        own = [r for r in references_of(document) if r.source in (None, path.stem)]
        problems += reference_problems(own, document, document, kind)
    problems += repeated_names(document)
    figures, found = _figures(document, figure_specs)
    problems += found
    if problems or file is None or kind is None:
        raise ConfigError([*problems, *warnings])
    study = Study(
        name=path.stem,
        title=file.title,
        reference={k: str(v) for k, v in file.reference if v is not None},
        notes=file.notes,
        kind_name=file.study,
        kind=kind,
        template=template_of(document),
        axes=axes,
        ensemble=ensemble,
        fits=tuple(items_of(document, "fits")),
        derived=file.derived,
        figures=tuple(figures),
        path=path,
        tier=tier,
        document=document,
        time_limit=file.time_limit,
        units=file.units.units() if file.units else units,
        warnings=tuple(warnings),
    )
    if study.derived and not one_point:
        layout_of(study)
    return study


def units_of_project(root: Path | str) -> Units | None:
    """Return the units that ``config.yaml`` gives to studies without units of their own.

    Raises
    ------
    ConfigError
        When they are no units.
    """
    document = settings_of(root)
    if (given := document.get(("units",))) is None:
        return None
    found, faults = validated(UnitsFile, given)
    if found is None:
        faults = [replace(fault, key=("units", *fault.key)) for fault in faults]
        raise ConfigError(_problems(document, faults))
    return found.units()


def settings_of(root: Path | str) -> Document:
    """Return what ``config.yaml`` says: nothing where it is not there.

    Raises
    ------
    ConfigError
        When it cannot be read.
    """
    path = Path(root) / "config" / "config.yaml"
    if not (path.exists() or path.is_symlink()):
        return Document({}, {(): Place(str(path))})
    document = read_document(path)
    return document.part(OWN) if OWN in document.data else document


def _of_another(fault: Fault) -> Fault:
    """Return the fault of a key that may be one of another workflow, with the way out for it."""
    is_unknown = len(fault.key) == 1 and fault.key[0] not in ProjectFile.model_fields
    hint = fault.hint or f"keys of another workflow stand beside `{OWN}:`, which then has ours"
    return replace(fault, hint=hint) if is_unknown else fault


def _problems(document: Document, faults: Iterable[Fault]) -> list[Problem]:
    return [document.problem(fault.key, fault.expected, fault.hint) for fault in faults]


def _misspelt(document: Document, fault: Fault) -> Fault:
    """Return for a key of every study that is missing the one that was written in its place.

    The kind, whose keys stand beside these, finds the others.
    """
    if len(fault.key) != 1 or fault.key[0] in document.data:
        return fault
    wanted = str(fault.key[0])
    found = closest(wanted, [key for key in document.data if key not in KEYS])
    if found is None:
        return fault
    return Fault((found,), "a key of a study", nearest(found, [wanted]))


def _size(value: object) -> int:
    return len(value) if isinstance(value, dict | list) else 0


Faults = dict[str, list[Problem]]
"""Faults by the study that they make useless; those of the whole project have no name."""


def _study_files(folder: Path) -> tuple[dict[str, Path], Faults]:
    """Return the study files by name, and the faults of their names."""
    found = {path.stem: path for path in sorted(folder.glob("[!.]*.yaml"))}
    # Beside a file of the right ending it is no reason to refuse the study of that name.
    faults = {
        path.name if path.stem in found else path.stem: [
            Problem(str(path), None, "", "", "the ending .yaml", "rename the file")
        ]
        for path in sorted(folder.glob("[!.]*.yml"))
    }
    if not found:
        hint = "" if folder.is_dir() else "be in the folder of a project; `nessflow init` makes one"
        faults[""] = [Problem(str(folder), None, "", "", "at least one study, NAME.yaml", hint)]
    return found, faults


def _selected(
    studies: str | Sequence[str], found: Mapping[str, Path], document: Document
) -> tuple[list[Path], list[tuple[str, Problem]]]:
    """Return the files of the studies to run, and those that are not there."""
    if studies == "all":
        return list(found.values()), []
    missing = []
    for index, name in enumerate(studies):
        if name not in found:
            hint = nearest(name, list(found)) or f"write config/studies/{name}.yaml"
            expected = f"one of the studies {listed(found)}"
            missing.append((name, document.problem(("studies", index), expected, hint)))
    return [found[name] for name in dict.fromkeys(studies) if name in found], missing


def _kind(document: Document, find_kind: FindKind) -> tuple[Kind | None, list[Problem]]:
    name = document.data.get("study")
    if not isinstance(name, str):  # its fault is among those of the file
        return None, []
    names: tuple[str, ...] = ()
    hint = ""
    if re.fullmatch(NAME, name):
        try:
            return find_kind(name), []
        except PartError as error:
            names, hint = error.names, str(error)
    expected = f"one of the kinds {', '.join(names)}" if names else "the name of a kind"
    if hint:
        expected = ""
    hint = hint or nearest(name, names)
    return None, [document.problem(("study",), expected, hint)]


def _figures(
    document: Document, figure_specs: TypeAdapter | None
) -> tuple[list[Any], list[Problem]]:
    """Return the figures, and the faults of the keys that belong to their plots."""
    entries = items_of(document, "figures")
    if figure_specs is None:
        return entries, []
    figures, problems = [], []
    for index, entry in enumerate(entries):
        figure, faults = validated(figure_specs, entry)
        figures.append(figure)
        faults = [replace(fault, key=("figures", index, *fault.key)) for fault in faults]
        problems += _problems(document, faults)
    return figures, problems


def _source_problems(
    study: Study, loaded: Mapping[str, Study], names: Sequence[str]
) -> list[Problem]:
    """Check what the figures of a study read from others; ``names`` are all there are."""
    problems = []
    for reference in references_of(study.document):
        source = reference.source
        if source is None:
            continue
        other = loaded.get(source)
        if other is not None:
            problems += reference_problems([reference], study.document, other.document, other.kind)
        elif source not in names and not source.endswith(".csv"):
            expected = f"one of the studies {listed(names)}"
            hint = nearest(source, names)
            problems.append(study.document.problem((*reference.entry, "from"), expected, hint))
    return problems
