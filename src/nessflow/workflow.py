"""What the Snakefile needs to know of the studies: files, and the parameters that make them old."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from nessflow.figure_checks import figure_problems, layout_of
from nessflow.figures.specs import SPEC, Spec, studies_of
from nessflow.pipeline.config import ConfigError, Project, Study, load_project, template_json
from nessflow.pipeline.digest import report_digest, source_digest, style_digest
from nessflow.pipeline.errors import Problem, nearest
from nessflow.pipeline.files import StoreError, write_text
from nessflow.pipeline.grid import blocks_of, canonical_json
from nessflow.pipeline.lock import LockError, hold_run_lock
from nessflow.pipeline.manifest import (
    CURRENT,
    DATA,
    FIGURES,
    MANIFEST,
    MARKERS,
    State,
    content_of,
    read_manifest,
    settle,
    short_hash,
    state_of,
)
from nessflow.studies.kind import find_kind, kind_names

FORMATS = ("svg", "pdf", "png")
SIDECAR = "json"
CAPTIONS = "captions.txt"
REPORT, PAGE = "report", "index.html"
_CHOICES = ("tier", "studies", "allow_large")
"""What ``snakemake --config`` may say."""
_ELSEWHERE = "make room for the results or choose another folder by `results` in config/config.yaml"


@dataclass(frozen=True)
class Jobs:
    """Files of one study and the short texts whose change makes Snakemake run a rule again."""

    data: str
    marker: str
    blocks: list[str]
    figures: list[str]
    source: str
    numbers: str
    points: str
    content: str
    figure_specs: str
    captions: list[str]
    state: State
    figure_marker: str

    @property
    def targets(self) -> list[str]:
        """Return what a user asks for: the dataset and the figures."""
        return [*self.gathered, *self.drawn]

    @property
    def drawn(self) -> list[str]:
        """Return the figures, and the marker without which they count as old; none without any."""
        return [*self.figures, self.figure_marker] if self.figures else []

    @property
    def gathered(self) -> list[str]:
        """Return the dataset, and the marker without which it counts as one of another grid."""
        return [self.data, self.marker]


@dataclass(frozen=True)
class Workflow:
    """The studies of a project as jobs.

    ``jobs`` has the chosen studies and those whose data their figures need, ``chosen`` names the
    former; ``sources`` names, for each study, those whose data its figures need.
    """

    results: Path
    tier: str
    studies: Mapping[str, Study]
    jobs: Mapping[str, Jobs]
    sources: Mapping[str, list[str]]
    chosen: list[str]
    flags: list[str]
    figure_source: str
    report_source: str


def open_project(root: Path, config: Mapping[str, object]) -> Workflow:
    """Read and check the configuration for Snakemake; end the process with status 2 on a fault.

    Parameters
    ----------
    root : Path
        Folder of the Snakefile.
    config : mapping
        What the user gave with ``--config``: ``tier``, ``studies``, ``allow_large``.
    """
    if unknown := [name for name in config if name not in _CHOICES]:
        _stop(ConfigError(map(_unknown_choice, unknown)))
    if not any(os.access(path, os.W_OK) for path in (root, root / ".snakemake")):
        _stop(f"{root}: cannot write; copy the project, results included, to where you can write")
    allow_large = bool(config.get("allow_large", False))
    choices = {"tier": config.get("tier"), "allow_large": allow_large}
    try:
        project, chosen = read_with_sources(root, config.get("studies"), **choices)
    except ConfigError as error:
        _stop(error)
    for line in warning_lines(project):
        print(line, file=sys.stderr)
    # Relative, so that Snakemake's own records do not depend on where the project lies.
    results = project.results.relative_to(root)
    flags = ["--tier", project.tier, *(["--allow-large"] if allow_large else [])]
    jobs = {study.name: jobs_of(results, study) for study in project.studies.values()}
    sources = {study.name: sorted(data_of(study)) for study in project.studies.values()}
    return Workflow(
        results=results,
        tier=project.tier,
        studies=project.studies,
        jobs=jobs,
        sources=sources,
        chosen=chosen,
        flags=flags,
        figure_source=style_digest(),
        report_source=report_digest(),
    )


def _unknown_choice(name: str) -> Problem:
    hint = nearest(name, _CHOICES) or "parameters stand in the files of config/studies"
    expected = f"one of {', '.join(_CHOICES)}"
    return Problem("command line", None, f"--config {name}", "", expected, hint)


def read_project(root: Path, **choices) -> Project:
    """Return the project with the kinds and plots that nessflow has.

    Raises
    ------
    ConfigError
        With every fault of every file.
    """
    project = load_project(
        root, find_kind=find_kind, kind_names=kind_names(), figure_specs=SPEC, **choices
    )
    studies = project.studies.values()
    layouts = {study.name: layout_of(study, find_kind(study.kind)) for study in studies}
    if problems := [p for study in studies for p in figure_problems(study, layouts)]:
        raise ConfigError(problems)
    return project


def warning_lines(project: Project) -> list[str]:
    """Return one line for each value of an axis at which points are not possible."""
    found = [problem for study in project.studies.values() for problem in study.warnings]
    return [f"warning: {problem}; such points fail, and no others" for problem in found]


def read_with_sources(root: Path, studies: object, **choices) -> tuple[Project, list[str]]:
    """Return the project with those studies too whose data the figures of the chosen read.

    Also returns the names of the chosen ones.
    """
    project = read_project(root, studies=studies, **choices)
    chosen = list(project.studies)
    needed = {name for study in project.studies.values() for name in data_of(study)}
    if needed - set(chosen):
        project = read_project(root, studies=sorted({*chosen, *needed}), **choices)
    return project, chosen


def data_of(study: Study) -> set[str]:
    """Return the names of the studies whose data the figures of ``study`` need."""
    return {name for spec in study.figures for name in studies_of(spec, study.name)}


def jobs_of(results: Path, study: Study) -> Jobs:
    """Return the files and triggers of one study."""
    folder = results / study.name
    blocks = [
        (folder / "blocks" / block.path).as_posix()
        for block in blocks_of(study.axes, study.ensemble)
    ]
    source = source_digest(kind_module(study))
    state = state_of(study, source)
    suffixes = (*FORMATS, SIDECAR)
    figures = [f"{spec.name}.{suffix}" for spec in study.figures for suffix in suffixes]
    figures += [CAPTIONS, MANIFEST] if figures else []
    drawn = figure_state(study, {})[CURRENT]
    return Jobs(
        data=(folder / DATA).as_posix(),
        marker=(folder / MARKERS / state[CURRENT]).as_posix(),
        blocks=blocks,
        figures=[(folder / FIGURES / name).as_posix() for name in figures],
        source=source,
        numbers=short_hash(template_json(study)),
        points=short_hash(canonical_json({a.name: a.labels for a in study.axes if not a.outer})),
        content=short_hash(canonical_json(content_of(study))),
        captions=captions_of(study),
        figure_specs=specs_hash(study),
        state=state,
        figure_marker=(folder / FIGURES / MARKERS / drawn).as_posix(),
    )


def caption_of(study: Study, spec: Spec) -> str:
    """Return title, source and remarks of a figure as one line of text."""
    reference = ", ".join(f"{key} {value}" for key, value in study.reference.items())
    parts = [study.title, reference, spec.caption, study.notes]
    return " ".join(" ".join(part.split()).rstrip(".") + "." for part in parts if part)


def captions_of(study: Study) -> list[str]:
    """Return name and caption of each figure."""
    return [f"{spec.name}: {caption_of(study, spec)}" for spec in study.figures]


def specs_hash(study: Study) -> str:
    """Return a short text that changes with what the figures of a study show."""
    return short_hash(canonical_json([s.model_dump(mode="json") for s in study.figures]))


def figure_state(study: Study, data: Mapping[str, str]) -> State:
    """Return what the figures of a study belong to.

    Parameters
    ----------
    study : Study
        The study.
    data : mapping of str to str
        SHA-256 of the data of each study that its figures read.
    """
    parts = [specs_hash(study), captions_of(study), style_digest()]
    return {
        "study": study.name,
        "tier": study.tier,
        CURRENT: short_hash(canonical_json(parts)),
        "data": dict(sorted(data.items())),
    }


def expected_figures(study: Study, results: Path) -> State:
    """Return what the figures of a study must belong to, by the manifests of the data they read."""
    data = {name: _data_sha256(results / name) for name in data_of(study)}
    state = figure_state(study, data)
    # Where the data are not known the figures cannot be compared with them.
    return state if all(data.values()) else {key: state[key] for key in state if key != "data"}


def _data_sha256(folder: Path) -> str:
    try:
        return read_manifest(folder, {"study": folder.name}).get(DATA, "")
    except StoreError:
        return ""


def report_state(tier: str) -> State:
    """Return what the page of the report belongs to."""
    return {"study": REPORT, "tier": tier, CURRENT: PAGE}


def kind_module(study: Study) -> str:
    """Return the dotted name of the module of a study's kind."""
    return find_kind(study.kind).__name__


def settle_results(root: Path, workflow: Workflow) -> None:
    """Set aside what is damaged in the results before Snakemake looks at them, and name it.

    Beside a run at work nothing is touched.
    """
    if not (root / workflow.results).is_dir():
        return
    try:
        hold_run_lock(workflow.results)
    except (LockError, OSError):
        return
    for name, study in workflow.studies.items():
        folder = workflow.results / name
        lines = settle(folder, workflow.jobs[name].state)
        if study.figures:
            lines += settle(folder / FIGURES, expected_figures(study, workflow.results))
        for line in lines:
            print(line, file=sys.stderr)
    for line in settle(workflow.results / REPORT, report_state(workflow.tier)):
        print(line, file=sys.stderr)


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


def _stop(message: object) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)
