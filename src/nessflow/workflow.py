"""What the Snakefile needs to know of the studies: files, and the parameters that make them old."""

import hashlib
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
from nessflow.pipeline.grid import blocks_of, canonical_json
from nessflow.pipeline.lock import LockError, hold_run_lock
from nessflow.studies.kind import find_kind, kind_names

FORMATS = ("svg", "pdf", "png")
SIDECAR = "json"
CAPTIONS = "captions.txt"
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

    @property
    def targets(self) -> list[str]:
        """Return what a user asks for: the dataset and the figures."""
        return [*self.gathered, *self.figures]

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
    jobs: Mapping[str, Jobs]
    sources: Mapping[str, list[str]]
    chosen: list[str]
    flags: str
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
        project = read_project(root, studies=config.get("studies"), **choices)
        chosen = list(project.studies)
        needed = sorted({name for s in project.studies.values() for name in data_of(s)})
        if set(needed) - set(chosen):
            project = read_project(root, studies=sorted({*chosen, *needed}), **choices)
    except ConfigError as error:
        _stop(error)
    if project.results.exists() and not project.results.is_dir():
        _stop(f"{project.results}: not a folder; {_ELSEWHERE}")
    for line in warning_lines(project):
        print(line, file=sys.stderr)
    # Relative, so that Snakemake's own records do not depend on where the project lies.
    results = project.results.relative_to(root)
    flags = f"--tier {project.tier}" + (" --allow-large" if allow_large else "")
    jobs = {study.name: jobs_of(results, study) for study in project.studies.values()}
    sources = {study.name: sorted(data_of(study)) for study in project.studies.values()}
    return Workflow(results, jobs, sources, chosen, flags, style_digest(), report_digest())


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


def data_of(study: Study) -> set[str]:
    """Return the names of the studies whose data the figures of ``study`` need."""
    return {name for spec in study.figures for name in studies_of(spec, study.name)}


def jobs_of(results: Path, study: Study) -> Jobs:
    """Return the files and triggers of one study."""
    folder = results / study.name
    content = {
        "text": [study.title, dict(study.reference), study.notes],
        "fits": [dict(fit) for fit in study.fits],
        "axes": {
            axis.name: [axis.labels, axis.natural_units, axis.long_name] for axis in study.axes
        },
    }
    blocks = [
        (folder / "blocks" / block.path).as_posix()
        for block in blocks_of(study.axes, study.ensemble)
    ]
    source = source_digest(kind_module(study))
    numbers = short_hash(template_json(study))
    current = short_hash(canonical_json([source, numbers, content, blocks]))
    suffixes = (*FORMATS, SIDECAR)
    figures = [f"{spec.name}.{suffix}" for spec in study.figures for suffix in suffixes]
    figures += [CAPTIONS] if figures else []
    return Jobs(
        data=(folder / "data.nc").as_posix(),
        marker=(folder / ".current" / current).as_posix(),
        blocks=blocks,
        figures=[(folder / "figures" / name).as_posix() for name in figures],
        source=source,
        numbers=numbers,
        points=short_hash(canonical_json({a.name: a.labels for a in study.axes if not a.outer})),
        content=short_hash(canonical_json(content)),
        captions=[f"{spec.name}: {caption_of(study, spec)}" for spec in study.figures],
        figure_specs=short_hash(canonical_json([s.model_dump(mode="json") for s in study.figures])),
    )


def caption_of(study: Study, spec: Spec) -> str:
    """Return title, source and remarks of a figure as one line of text."""
    reference = ", ".join(f"{key} {value}" for key, value in study.reference.items())
    parts = [study.title, reference, spec.caption, study.notes]
    return " ".join(" ".join(part.split()).rstrip(".") + "." for part in parts if part)


def kind_module(study: Study) -> str:
    """Return the dotted name of the module of a study's kind."""
    return find_kind(study.kind).__name__


def short_hash(text: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_lock(workflow: Workflow) -> None:
    """Hold the run lock of the results folder for the life of this process.

    A second run in the same folder ends with status 2 and the name of the first.
    """
    try:
        hold_run_lock(workflow.results)
    except LockError as error:
        _stop(error)
    except OSError as error:
        _stop(f"{workflow.results}: cannot write: {error.strerror}; {_ELSEWHERE}")


def _stop(message: object) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)
