"""What the Snakefile needs to know of the studies: files, and the parameters that make them old."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from nessflow.config.contents.layout import layout_of
from nessflow.config.grid import canonical_json
from nessflow.config.matrices.reading import digests
from nessflow.config.project import (
    OWN,
    ConfigError,
    Project,
    Study,
    blamed,
    chosen_studies,
    is_study_name,
    load_project,
    settings_of,
    template_json,
)
from nessflow.config.study import BLOCKS
from nessflow.digest import report_digest, short_hash, style_digest
from nessflow.errors import Problem, nearest, shown
from nessflow.figures.specs import SPEC, Spec, studies_of, tables_of
from nessflow.registry import has_outside, use_project
from nessflow.store.citation import citation_problems
from nessflow.store.files import (
    Missing,
    StoreError,
    file_sha256,
    remove,
    set_aside,
    write_text,
)
from nessflow.store.lock import LockError, hold_run_lock
from nessflow.store.manifest import (
    AGAIN,
    CURRENT,
    DATA,
    FIGURES,
    MANIFEST,
    MARKERS,
    Old,
    State,
    content_of,
    read_manifest,
    read_sealed,
    settle,
    state_of,
    vouched_faults,
)
from nessflow.store.remembered import FILES, Finding, Memory
from nessflow.verbs.figure_checks import figure_problems

FORMATS = ("svg", "pdf", "png")
SIDECAR = "json"
SUFFIXES = (*FORMATS, SIDECAR)
CAPTIONS = "captions.txt"
REPORT, PAGE = "report", "index.html"
ARCHIVE = "archive.zip"
_CHOICES = ("tier", "studies", "allow_large")
"""What ``snakemake --config`` may say."""
_MODULE = "config of the module"
_NOTHING = object()
_LISTED = 3
"""Blocks that are set aside for one reason and named one by one; more are counted."""
_UNREACHED = 100
"""Jobs a second that no run starts."""
_ELSEWHERE = "make room for the results or choose another folder by `results` in config/config.yaml"


@dataclass(frozen=True)
class Jobs:
    """Files of one study and the short texts whose change makes Snakemake run a rule again.

    ``figures`` has the files of each figure, ``specs`` and ``captions`` what makes it old.
    """

    data: str
    marker: str
    blocks: list[str]
    figures: Mapping[str, list[str]]
    figure_list: list[str]
    source: str
    numbers: str
    points: str
    content: str
    specs: Mapping[str, str]
    captions: Mapping[str, str]
    state: State
    figure_state: State
    figure_marker: str

    @property
    def targets(self) -> list[str]:
        """Return what a user asks for: the dataset and the figures."""
        return [*self.gathered, *self.drawn]

    @property
    def drawn(self) -> list[str]:
        """Return the figures with what is made of them all; none without any figure."""
        return [*(path for paths in self.figures.values() for path in paths), *self.listed]

    @property
    def listed(self) -> list[str]:
        """Return the list of all figures, and the marker without which they count as old."""
        return [*self.figure_list, *filter(None, [self.figure_marker])]

    @property
    def figure_files(self) -> list[str]:
        """Return the files of all figures and of their list; none without any figure."""
        return [*(path for paths in self.figures.values() for path in paths), *self.figure_list]

    @property
    def gathered(self) -> list[str]:
        """Return the dataset, and the marker without which it counts as one of another grid."""
        return [self.data, self.marker]


@dataclass(frozen=True)
class Workflow:
    """The studies of a project as jobs.

    ``jobs`` has the chosen studies and those whose data their figures need, ``chosen`` names the
    former; ``sources`` names, for each figure of each study, the studies whose data it needs.
    Studies with faults are ``broken``: they have no jobs, and figures that read them have none.
    ``warnings`` has a line for each fault, also of the citation file, and for each value at which
    points are not possible.
    """

    results: Path
    tier: str
    jobs: Mapping[str, Jobs]
    sources: Mapping[str, Mapping[str, list[str]]]
    chosen: list[str]
    broken: list[str]
    warnings: list[str]
    flags: list[str]
    figure_source: str
    report_source: str
    files: Mapping[str, str]
    """Files below the folder of the project that studies name, and the SHA-256 of each."""
    study: Callable[[str], Study] = field(repr=False, compare=False)
    """Returns a study by its name; read where it was not: all else is remembered."""

    @property
    def refused(self) -> list[str]:
        """Return the studies with faults whose name can be asked for."""
        return [name for name in self.broken if is_study_name(name)]


def open_project(root: Path, config: Mapping[str, Any]) -> Workflow:
    """Read and check the configuration for Snakemake; end the process with status 2 on a fault.

    Parameters
    ----------
    root : Path
        Folder of the Snakefile.
    config : mapping
        What the user gave with ``--config``: ``tier``, ``studies``, ``allow_large``.
    """
    _require_known(config, "command line", "--config ")
    if not any(os.access(path, os.W_OK) for path in (root, root / ".snakemake")):
        _stop(f"{root}: cannot write; copy the project, results included, to where you can write")
    allow_large = bool(config.get("allow_large", False))
    choices = {"tier": config.get("tier"), "allow_large": allow_large, "is_tolerant": True}
    asked = repr([str(root), choices])
    path = root / ".snakemake" / "nessflow" / f"{short_hash(asked)}.json"
    memory = None if has_outside(root) else Memory(path, root, asked)
    known: dict[str, Study] = {}

    def study(name: str) -> Study:
        if name not in known:
            known.update(read_project(root, studies=[name], **choices).studies)
        return known[name]

    try:
        found = _found(root, config.get("studies"), choices, memory, known)
    except ConfigError as error:
        _stop(error)
    flags = ["--tier", found["tier"], *(["--allow-large"] if allow_large else [])]
    return Workflow(**found, flags=flags, study=study)


def _found(
    root: Path,
    studies: Any,
    choices: Mapping[str, Any],
    memory: Memory | None,
    known: dict[str, Study],
) -> dict[str, Any]:
    """Return what Snakemake needs to know of a project; add studies that are read to the known."""
    choice = chosen_studies(root, tier=choices["tier"], studies=studies) if memory else None
    chosen = [path.stem for path in choice.paths] if choice else []
    pieces = _remembered(memory, chosen) if memory and choice else {}
    unknown = [name for name, piece in pieces.items() if piece is None]
    every = memory.found("") if memory else None
    findings, faults, broken = {}, [], []
    before = memory.state() if memory else None
    if every is None:
        every = {"figure_source": style_digest(), "report_source": report_digest()}
        findings[""] = Finding(every, frozenset())
    if unknown or not choice:
        try:
            project, read = read_with_sources(root, unknown or studies, **choices)
        except ConfigError:
            if not unknown:
                raise
            # None of these is sound; others may be.
            project, read = read_with_sources(root, studies, **choices)
        chosen = chosen if choice else read
        known.update(project.studies)
        faults, broken = broken_lines(project), list(project.broken)
        new = {name: _finding(root, project, study) for name, study in project.studies.items()}
        pieces = {**pieces, **{name: content for name, (content, _) in new.items()}}
        pieces = {name: piece for name, piece in pieces.items() if name not in project.broken}
        findings |= new
    if memory and findings:
        memory.keep(findings, before)
    chosen = [name for name in chosen if name in pieces]
    names = chosen if len(pieces) == len(chosen) else sorted(pieces)
    results = choice.results if choice else project.results
    return {
        "results": results.relative_to(root),
        "tier": choice.settings.tier if choice else project.tier,
        "jobs": {name: Jobs(**pieces[name]["jobs"]) for name in names},
        "sources": {name: pieces[name]["sources"] for name in names},
        "chosen": chosen,
        "broken": broken,
        "warnings": [
            *faults,
            *(line for name in names for line in pieces[name]["warnings"]),
            *citation_lines(root),
        ],
        FILES: {path: sha for name in names for path, sha in pieces[name][FILES].items()},
        **every,
    }


def _remembered(memory: Memory, chosen: Iterable[str]) -> dict[str, Any]:
    """Return what is known of studies and of those that they need, None where nothing is."""
    found: dict[str, Any] = {}
    waiting = list(chosen)
    for name in waiting:
        if name not in found:
            found[name] = memory.found(name)
            sources = found[name]["sources"].values() if found[name] else ()
            waiting += [source for each in sources for source in each]
    return found


def _finding(root: Path, project: Project, study: Study) -> Finding:
    """Return what Snakemake needs to know of a study, and the files that it follows from."""
    needed = {study.name, *data_of(study)}
    # Relative, so that Snakemake's own records do not depend on where the project lies.
    results = project.results.relative_to(root)
    sources = {spec.name: sorted(set(studies_of(spec, study.name))) for spec in study.figures}
    files = {**study.files, **tables_in(study)}
    content = {
        "jobs": asdict(jobs_of(results, study, project.broken)),
        "sources": sources,
        "warnings": impossible_lines([study]),
        FILES: files,
    }
    if not needed <= project.studies.keys():
        return Finding(content, None)
    others = {path for name in needed for path in project.studies[name].files}
    paths = {f"config/studies/{name}.yaml" for name in needed}
    return Finding(content, frozenset(paths | others | files.keys()))


def opened(root: Path, config: Mapping[str, Any], *, is_quiet: bool) -> Workflow:
    """Return the project as `open_project`, which is done, and warned of, once in a process.

    A module is read again for each rule that another workflow overrides.
    """
    asked = (root, repr(config))
    if asked not in _opened:
        _opened[asked] = open_project(root, config)
        for line in () if is_quiet else _opened[asked].warnings:
            print(line, file=sys.stderr)
    return _opened[asked]


_opened: dict[tuple[Path, str], Workflow] = {}


def own_config(root: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the configuration of another workflow says to its module nessflow.

    That is what stands below `OWN`, or else beside others.  What ``config/config.yaml`` says too is
    left out; the process ends with status 2 on what can be said nowhere else.
    """
    given = config.get(OWN, {name: config[name] for name in _CHOICES if name in config}) or {}
    if not isinstance(given, Mapping):
        _stop(Problem(_MODULE, None, OWN, shown(given), "a mapping of keys to values"))
    try:
        written = settings_of(root).data
    except ConfigError as error:
        _stop(error)
    found = {name: value for name, value in given.items() if value != written.get(name, _NOTHING)}
    _require_known(found, _MODULE)
    return found


def _require_known(config: Mapping[str, Any], where: str, before: str = "") -> None:
    unknown = [name for name in config if name not in _CHOICES]
    otherwise = "all else stands in config/config.yaml and config/studies"
    problems = [
        Problem(
            where,
            None,
            f"{before}{name}",
            "",
            f"one of {', '.join(_CHOICES)}",
            nearest(name, _CHOICES) or otherwise,
        )
        for name in unknown
    ]
    if problems:
        _stop(ConfigError(problems))


def read_project(root: Path, **choices: Any) -> Project:
    """Return the project with the kinds and plots that nessflow has.

    Raises
    ------
    ConfigError
        As ``load_project``, which says what ``choices`` are.
    """
    use_project(root)
    project = load_project(root, figure_specs=SPEC, **choices)
    layouts, unfit = {}, {}
    for study in project.studies.values():
        try:
            layouts[study.name] = layout_of(study)
        except Exception as error:
            if (found := blamed(error, study.path)) is None:
                raise
            unfit[study.name] = found.problems
    project = project.parted(unfit)
    studies = project.studies.values()
    faults = {study.name: figure_problems(study, layouts) for study in studies}
    project = project.parted({name: found for name, found in faults.items() if found})
    if not choices.get("is_tolerant") or not project.studies:
        project.require(project.broken)
    return project


def broken_lines(project: Project) -> list[str]:
    """Return one line for each fault of the studies that cannot run."""
    faults = [problem for error in project.broken.values() for problem in error.problems]
    return [f"warning: {problem}" for problem in dict.fromkeys(faults)]


def impossible_lines(studies: Iterable[Study]) -> list[str]:
    """Return one line for each value of an axis at which points are not possible."""
    found = [problem for study in studies for problem in study.warnings]
    return [f"warning: {problem}; such points fail, and no others" for problem in found]


def citation_lines(root: Path) -> list[str]:
    """Return one line for each fault of the citation file, for which data name no author."""
    said = "data name neither licence nor authors until then"
    return [f"warning: {problem}; {said}" for problem in citation_problems(root)]


def read_with_sources(
    root: Path, studies: Any, figures: Sequence[str] = (), **choices: Any
) -> tuple[Project, list[str]]:
    """Return the project with those studies too whose data the figures of the chosen read.

    Also returns the names of the chosen ones.  Of their figures those named count, all by default.
    """
    project = read_project(root, studies=studies, **choices)
    chosen = list(project.studies)
    needed = {
        name for study in project.studies.values() for name in data_of(study, figures or None)
    }
    if needed - set(chosen):
        broken = project.broken
        project = read_project(root, studies=sorted({*chosen, *needed}), **choices)
        project = replace(project, broken={**broken, **project.broken})
    return project, [name for name in chosen if name in project.studies]


def data_of(study: Study, figures: Sequence[str] | None = None) -> set[str]:
    """Return the names of the studies whose data figures of ``study`` need, all by default."""
    specs = [spec for spec in study.figures if figures is None or spec.name in figures]
    return {name for spec in specs for name in studies_of(spec, study.name)}


def tables_in(study: Study) -> dict[str, str]:
    """Return the tables of measured data in the figures of a study, and the SHA-256 of each."""
    return digests(sorted({path for spec in study.figures for path in tables_of(spec)}))


def jobs_of(results: Path, study: Study, broken: Collection[str] = ()) -> Jobs:
    """Return the files and triggers of one study, less figures that read broken ones."""
    sound = [s for s in study.figures if not set(broken) & set(studies_of(s, study.name))]
    is_whole = bool(sound) and len(sound) == len(study.figures)
    folder = results / study.name
    state = state_of(study)
    figures = folder / FIGURES
    drawn = figure_state(study)
    return Jobs(
        data=(folder / DATA).as_posix(),
        marker=(folder / MARKERS / state[CURRENT]).as_posix(),
        blocks=[block.file(folder).as_posix() for block in study.blocks],
        figures={
            spec.name: [(figures / f"{spec.name}.{suffix}").as_posix() for suffix in SUFFIXES]
            for spec in sound
        },
        figure_list=[(figures / x).as_posix() for x in (CAPTIONS, MANIFEST) if is_whole],
        source=study.digest,
        numbers=short_hash(template_json(study)),
        points=short_hash(canonical_json({a.name: a.labels for a in study.axes if not a.outer})),
        content=short_hash(canonical_json(content_of(study))),
        captions={spec.name: caption_of(study, spec) for spec in study.figures},
        specs={spec.name: spec_hash(study, spec) for spec in study.figures},
        state=state,
        figure_state=drawn,
        figure_marker=(figures / MARKERS / drawn[CURRENT]).as_posix() if is_whole else "",
    )


def caption_of(study: Study, spec: Spec) -> str:
    """Return title, source and remarks of a figure as one line of text."""
    reference = ", ".join(f"{key} {value}" for key, value in study.reference.items())
    parts = [study.title, reference, spec.caption, study.notes]
    return " ".join(" ".join(part.split()).rstrip(".") + "." for part in parts if part)


def captions_of(study: Study) -> list[str]:
    """Return name and caption of each figure."""
    return [f"{spec.name}: {caption_of(study, spec)}" for spec in study.figures]


def spec_hash(study: Study, spec: Spec) -> str:
    """Return a short text that changes with what a figure shows."""
    written = spec.model_dump(mode="json") | _beside(study, spec)
    return short_hash(canonical_json(written))


def written_spec(study: Study, spec: Spec) -> dict[str, Any]:
    """Return a specification as the record of its figure has it.

    With the SHA-256 of its tables, and the units of its study.
    """
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True) | _beside(study, spec)


def _beside(study: Study, spec: Spec) -> dict[str, Any]:
    tables = digests(tables_of(spec))
    found = {"tables": tables} if tables else {}
    return found | _units_of(study)


def _units_of(study: Study) -> dict[str, Any]:
    return {"units": asdict(study.units)} if study.units else {}


def figure_state(study: Study) -> State:
    """Return what the figures of a study belong to, beside data."""
    specs = [spec_hash(study, spec) for spec in study.figures]
    # Without figures too: the page of the report has the same units.
    parts = [specs, captions_of(study), style_digest(), *_units_of(study).values()]
    return {"study": study.name, "tier": study.tier, CURRENT: short_hash(canonical_json(parts))}


def expected_figures(study: Study, results: Path) -> State:
    """Return what the figures of a study must belong to, by the manifests of the data they read."""
    return _expected(figure_state(study), data_of(study), results)


def _expected(state: State, names: Iterable[str], results: Path) -> State:
    data = {name: _data_sha256(results / name) for name in sorted(names)}
    # Where the data are not known the figures cannot be compared with them.
    return {**state, "data": data} if all(data.values()) else state


def _data_sha256(folder: Path) -> str:
    try:
        return read_manifest(folder, {"study": folder.name}).get(DATA, "")
    except StoreError:
        return ""


def report_state(results: Path, tier: str, studies: Iterable[str]) -> State:
    """Return what the page of the report belongs to: the data and figures of its studies."""
    folders = {name: (results / name, results / name / FIGURES) for name in studies}
    made = {name: [_manifest_sha256(each) for each in folders[name]] for name in sorted(folders)}
    return {"study": REPORT, "tier": tier, CURRENT: PAGE, "results": made}


def expected_report(results: Path, tier: str) -> State:
    """Return what the page of the report must belong to, whichever studies are on it.

    Studies that are not here, as in an archive of some of them, tell nothing.
    """
    then: dict[str, Any] = {}
    with suppress(StoreError):
        then = read_sealed(results / REPORT / MANIFEST).get("results", {})
    state = report_state(results, tier, then)
    pairs = {name: zip(now, then[name], strict=True) for name, now in state["results"].items()}
    return {**state, "results": {name: [a or b for a, b in pairs[name]] for name in pairs}}


def _manifest_sha256(folder: Path) -> str:
    try:
        return file_sha256(folder / MANIFEST)
    except StoreError:
        return ""


def refuse(workflow: Workflow, names: Iterable[str]) -> None:
    """End the process with status 2 where studies that were asked for have faults.

    A study asks for those whose data its figures need.
    """
    read = {
        source
        for name in names
        for sources in workflow.sources.get(name, {}).values()
        for source in sources
    }
    if found := [name for name in workflow.broken if name in {*names, *read}]:
        _stop(f"asked for, and refused: {', '.join(found)}; the faults are named above")


def require_place(workflow: Workflow, page: str) -> None:
    """End the process with status 2 where another workflow has its module write elsewhere.

    Parameters
    ----------
    workflow : Workflow
        The project.
    page : str
        Where Snakemake takes the page of the report to be.
    """
    if page != (workflow.results / REPORT / PAGE).as_posix():
        moved = page.removesuffix(f"/{REPORT}/{PAGE}")
        expected = "no prefix: all that reads results asks the configuration where they are"
        hint = f"write `results: {moved}` in config/config.yaml, below `{OWN}:`"
        _stop(Problem(_MODULE, None, "prefix", "", expected, hint))


def make_ready(workflow: Workflow) -> bool:
    """Hold the run lock, and take out of the way what a run must not use, before it is planned.

    Then what is damaged, or does not belong to a study any more, is a missing file for Snakemake,
    which one run makes anew.  Once in a process; ends it with status 2 beside another run.

    Returns
    -------
    bool
        Whether this was the first time.
    """
    if workflow.results in _ready:
        return False
    run_lock(workflow)
    for name in workflow.jobs:
        for line in _settled(workflow, name):
            print(line, file=sys.stderr)
    state = expected_report(workflow.results, workflow.tier)
    for line in settle(workflow.results / REPORT, state):
        print(line, file=sys.stderr)
    _ready.add(workflow.results)
    return True


_ready: set[Path] = set()


def _settled(workflow: Workflow, name: str) -> Iterator[str]:
    """Set aside what must not be used of one study; yield a line for each file or reason."""
    jobs, results = workflow.jobs[name], workflow.results
    folder = results / name
    yield from settle(folder, jobs.state)
    if not Path(jobs.marker).exists() and (folder / BLOCKS).is_dir():
        from nessflow.run.gather import set_blocks_aside

        faults = set_blocks_aside(workflow.study(name), folder)
        reasons = Counter(fault.cause for fault in faults)
        yield from (str(fault) for fault in faults if reasons[fault.cause] <= _LISTED)
        for reason, count in reasons.items():
            if count > _LISTED:
                yield f"{folder / BLOCKS}: {count} blocks: {reason}; renamed, to be computed anew"
    if sources := workflow.sources[name]:
        names = {source for each in sources.values() for source in each}
        yield from settle(folder / FIGURES, _expected(jobs.figure_state, names, results))
        if not Path(jobs.figure_marker).exists() and (folder / FIGURES).is_dir():
            study = workflow.study(name)
            for fault in figure_faults(study, folder / FIGURES):
                if not isinstance(fault, Missing):
                    yield str(set_aside(fault.path, fault.cause))
            for fault in old_figures(study, results):
                remove(fault.path)


def figure_faults(study: Study, folder: Path) -> list[StoreError]:
    """Compare the figures of a study with their records, whatever the list of figures says."""
    paths = [folder / f"{spec.name}.{SIDECAR}" for spec in study.figures]
    return [fault for path in paths for fault in vouched_faults(path)]


def old_figures(study: Study, results: Path) -> Iterator[StoreError]:
    """Yield the records of figures that are drawn otherwise now, or from other data.

    Times of files do not tell: copied results have new ones.  Data that are not there, or damaged,
    tell nothing either: they are made anew, and their figures after them.
    """
    from nessflow.store.store import content_in

    now = {name: content_in(results / name / DATA) for name in data_of(study)}
    for spec in study.figures:
        path = results / study.name / FIGURES / f"{spec.name}.{SIDECAR}"
        with suppress(StoreError):
            record = read_sealed(path)
            if is_drawn_otherwise(study, spec, record):
                yield Old(path, "of a figure that is drawn otherwise now", AGAIN)
                continue
            shown = {data["study"]: data["content_sha256"] for data in record["data"]}
            if any(now.get(name) not in ("", shown[name]) for name in shown):
                yield Old(path, "drawn from other data", AGAIN)


def is_drawn_otherwise(study: Study, spec: Spec, record: Mapping[str, Any]) -> bool:
    """Tell whether a figure has another caption, specification or style than its record."""
    now = (study.name, caption_of(study, spec), written_spec(study, spec), style_digest())
    keys = ("study", "caption", "specification", "figure_digest")
    return tuple(record.get(key) for key in keys) != now


def run_lock(workflow: Workflow) -> None:
    """Hold the run lock of the results folder for the life of this process.

    A second run in the same folder ends with status 2 and the name of the first.
    """
    try:
        hold_run_lock(workflow.results)
        # Git knows no result, whatever the folder is called.
        if not (workflow.results / ".gitignore").exists():
            write_text(workflow.results / ".gitignore", "*\n")
    except (LockError, StoreError) as error:
        _stop(error)
    except OSError as error:
        _stop(f"{workflow.results}: cannot write: {error.strerror}; {_ELSEWHERE}")


def lift_rate_limit(settings: Any) -> None:
    """Lift Snakemake's default limit of 100 started jobs a second, which no run here reaches.

    With it each pass over the jobs sets a timer whose end causes the next pass, and each job that
    ends begins one more such chain, which lasts as long as the run (docs/snakemake-timers.md).  A
    stricter limit, by ``--max-jobs-per-timespan``, stays.

    Parameters
    ----------
    settings : object
        ``workflow.scheduling_settings``, before the scheduler is made; those that have no such
        limit are left as they are.
    """
    limit = getattr(settings, "max_jobs_per_timespan", None)
    if limit is not None and limit.max_jobs >= _UNREACHED * limit.timespan:
        settings.max_jobs_per_timespan = None


def _stop(message: object) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)
