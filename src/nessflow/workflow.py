"""What the Snakefile needs to know of the studies: files, and the parameters that make them old."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nessflow.figures.specs import check_spec, studies_of
from nessflow.pipeline.config import ConfigError, Project, Study, load_project, template_json
from nessflow.pipeline.digest import source_digest, style_digest
from nessflow.pipeline.grid import blocks_of, canonical_json
from nessflow.pipeline.lock import LockError, hold_run_lock
from nessflow.studies.kind import find_kind, kind_names

FORMATS = ("svg", "pdf", "png")


@dataclass(frozen=True)
class Jobs:
    """Files of one study and the short texts whose change makes Snakemake run a rule again."""

    data: str
    blocks: list[str]
    figures: list[str]
    figure_data: list[str]
    source: str
    numbers: str
    points: str
    content: str
    figure_specs: str

    @property
    def targets(self) -> list[str]:
        """Return what a user asks for: the dataset and the figures."""
        return [self.data, *self.figures]


@dataclass(frozen=True)
class Workflow:
    """The studies of a project as jobs."""

    results: Path
    jobs: Mapping[str, Jobs]
    flags: str
    figure_source: str


def open_project(root: Path, config: Mapping[str, object]) -> Workflow:
    """Read and check the configuration for Snakemake; end the process with status 2 on a fault.

    Parameters
    ----------
    root : Path
        Folder of the Snakefile.
    config : mapping
        What the user gave with ``--config``: ``tier``, ``studies``, ``allow_large``.
    """
    tier = config.get("tier")
    studies = config.get("studies")
    allow_large = bool(config.get("allow_large", False))
    try:
        project = read_project(root, tier=tier, studies=studies, allow_large=allow_large)
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    flags = f"--tier {project.tier}" + (" --allow-large" if allow_large else "")
    jobs = {study.name: jobs_of(project, study) for study in project.studies.values()}
    return Workflow(project.results, jobs, flags, style_digest())


def read_project(root: Path, **choices) -> Project:
    """Return the checked project with the kinds and figures that nessflow has."""
    return load_project(
        root, find_kind=find_kind, kind_names=kind_names(), check_figure=check_spec, **choices
    )


def jobs_of(project: Project, study: Study) -> Jobs:
    """Return the files and triggers of one study."""
    folder = project.results / study.name
    data = (folder / "data.nc").as_posix()
    inner = {axis.name: axis.labels for axis in study.axes if not axis.outer}
    content = {
        "text": [study.title, study.reference, study.notes],
        "fits": study.fits,
        "axes": {axis.name: [axis.labels, axis.long_name] for axis in study.axes},
    }
    others = {other for spec in study.figures for other in studies_of(spec, study.name)}
    return Jobs(
        data=data,
        blocks=[
            (folder / "blocks" / block.path).as_posix()
            for block in blocks_of(study.axes, study.ensemble)
        ],
        figures=[
            (folder / "figures" / f"{spec.name}.{suffix}").as_posix()
            for spec in study.figures
            for suffix in FORMATS
        ],
        figure_data=sorted((project.results / name / "data.nc").as_posix() for name in others),
        source=source_digest(f"nessflow.studies.{study.kind.replace('-', '_')}"),
        numbers=short_hash(template_json(study)),
        points=short_hash(canonical_json(inner)),
        content=short_hash(canonical_json(content)),
        figure_specs=short_hash(repr(study.figures)),
    )


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
        print(error, file=sys.stderr)
        sys.exit(2)
