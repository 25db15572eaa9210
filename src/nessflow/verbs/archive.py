"""Results, source and metadata of a project as one archive that redraws its figures elsewhere."""

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nessflow
from nessflow.config.project import Project
from nessflow.publish.archive import (
    MANIFEST,
    ArchiveError,
    Content,
    sha256_of,
    write_archive,
)
from nessflow.publish.checkout import Checkout, read_checkout
from nessflow.publish.crate import METADATA, About, File, Run, crate_json
from nessflow.publish.zenodo import ZENODO, zenodo_json
from nessflow.run.provenance import origins_of
from nessflow.run.reader import read_data
from nessflow.store.citation import CITATION, read_citation
from nessflow.store.files import file_sha256, remove_temporaries
from nessflow.store.manifest import FAILURES
from nessflow.store.manifest import MANIFEST as SUMS
from nessflow.store.status import OK
from nessflow.verbs.begin.init import licence_text
from nessflow.verbs.verify import report_faults, study_faults
from nessflow.verbs.workflow import ARCHIVE, PAGE, REPORT, Jobs, data_of, jobs_of, tables_in

README = "README-archive.txt"
LOCK = "envs/requirements.lock"
REQUIREMENTS = "requirements-archive.txt"
TOOL = "src/nessflow"
_WORKFLOWS = ("Snakefile", "workflow/Snakefile")
"""Where Snakemake looks for what it reads; the first that is there."""
_FILES = ("README.md", "LICENSE", CITATION)
_FOLDERS = {
    "config/": "The studies, and which of them run",
    "docs/": "Documentation",
    "envs/": "The locked environment",
    "parts/": "Parts of the project's own: lattices, leads, observables, kinds of study",
    f"{TOOL}/": "Source of nessflow: physics, kinds of study, pipeline, figures",
    "tests/": "Tests",
    "workflow/": "Rules of the project beside those of nessflow",
}
_RUN = "compute and draw it first: `snakemake --cores all archive` does both"


def create_archive(project: Project, *, blocks: bool, progress: Callable[[str], None]) -> Path:
    """Pack results and source of a project into ``archive.zip`` in the results folder.

    Parameters
    ----------
    project : Project
        The project with the studies to pack, and those whose data their figures read.
    blocks : bool
        Pack the blocks too, from which the data were gathered.
    progress : callable
        Takes lines of text.

    Returns
    -------
    Path
        The archive; the same bytes for the same results and source.

    Raises
    ------
    ArchiveError
        When results are missing, old, damaged or of something else, or the project is no git
        checkout.
    StoreError
        When the disk refuses.
    """
    root = project.root.resolve()
    results = _results_of(project)
    target = project.results / ARCHIVE
    jobs = {name: jobs_of(results, study) for name, study in project.studies.items()}
    checkout = _required_checkout(target, project, jobs)
    source = [name for name in checkout.files if not Path(name).is_relative_to(results)]
    made = _results(results, jobs, blocks)
    # Last, since they are made from all others.
    page = [f"{results}/{REPORT}/{name}" for name in (PAGE, SUMS)]
    made += page if (root / page[0]).is_file() else []
    # Before they are verified: what changes later is noticed when it is packed.
    verified = {name: file_sha256(root / name) for name in made if (root / name).is_file()}
    _require_results(target, project, jobs, blocks)
    files: dict[str, Content] = {name: root / name for name in [*source, *made]}
    # Of a project beside it the tool is not part; figures are drawn by it all the same.
    tool = {} if any(name.startswith(f"{TOOL}/") for name in source) else _tool()
    files |= tool
    if LOCK not in source:
        files[REQUIREMENTS] = "".join(f"{line}\n" for line in _installed(target)).encode()
    about = _about(root, project, checkout)
    if ZENODO not in source:
        files[ZENODO] = zenodo_json(about.citation, about.description).encode()
    runs = [_run(root, project, name, jobs) for name in jobs]
    files[README] = _readme(about, project, checkout, files, bool(tool)).encode()
    folders = {n: text for n, text in _FOLDERS.items() if any(f.startswith(n) for f in files)}
    folders |= {f"{results}/{name}/blocks/": f"Blocks of {name}" for name in jobs if blocks}
    workflow = next(name for name in _WORKFLOWS if name in source)
    described = {workflow, *_FILES, LOCK, REQUIREMENTS, README, page[0]}
    described |= {name for run in runs for name in (*run.read, *run.written)}
    entries = {name: _file(files[name]) for name in files if name in described}
    files[METADATA] = crate_json(about, entries, folders, runs, workflow).encode()
    digest = write_archive(target, files, verified)
    remove_temporaries(target)
    size = target.stat().st_size / 1e6
    progress(f"{target}: {len(jobs)} studies, {len(files) + 1} files, {size:.1f} MB")
    progress(f"sha256 {digest}")
    if checkout.changes:
        progress(f"the source has {len(checkout.changes)} changes that are not in its commit")
    return target


def _required_checkout(target: Path, project: Project, jobs: Mapping[str, Jobs]) -> Checkout:
    """Return the source, and make sure that it has all that an archive needs."""
    checkout = read_checkout(project.root)
    if checkout is None:
        raise ArchiveError(
            target, ["this folder is no git checkout"], "git says what the source is: commit it"
        )
    workflow = next((name for name in _WORKFLOWS if name in checkout.files), _WORKFLOWS[0])
    if lacking := [name for name in (workflow, *_FILES) if name not in checkout.files]:
        raise ArchiveError(target, [f"{name}: missing" for name in lacking], "an archive needs it")
    studies = project.studies.values()
    named = {path for study in studies for path in (*study.files, *tables_in(study))}
    if ignored := sorted(named - set(checkout.files)):
        raise ArchiveError(
            target, ignored, "git ignores what studies are made of: have it know them"
        )
    needed = {name for study in project.studies.values() for name in data_of(study)}
    if unnamed := sorted(needed - jobs.keys()):
        faults = [f"figures read the data of {name}, which is not chosen" for name in unnamed]
        raise ArchiveError(target, faults, "choose it too")
    # A link to results on another disk is no source, though git may not have been told.
    results = _results_of(project)
    changes = [line for line in checkout.changes if not results.is_relative_to(line[3:])]
    return replace(checkout, changes=changes)


def _require_results(
    target: Path, project: Project, jobs: Mapping[str, Jobs], blocks: bool
) -> None:
    """Make sure that all results are there, sound, and of the studies as they are now."""
    wanted = _results(_results_of(project), jobs, blocks)
    studies = project.studies.values()
    faults = [fault for study in studies for fault in study_faults(project, study)]
    faults += report_faults(project)
    named = {fault.path for fault in faults}
    lines = [
        f"{name}: missing or old"
        for name in wanted
        if not (project.root / name).is_file() and project.root / name not in named
    ]
    if lines or faults:
        raise ArchiveError(target, [*lines, *map(str, faults)], _RUN)


def _results_of(project: Project) -> Path:
    """Return the results folder as the configuration names it: it may be a link."""
    return project.results.relative_to(project.root)


def _results(results: Path, jobs: Mapping[str, Jobs], blocks: bool) -> list[str]:
    """Return the files of results in the order in which they come from each other.

    A program that unpacks gives each file the time at which it writes it, and Snakemake takes
    what is older than its input for old.
    """
    stages = [
        [name for job in jobs.values() for name in job.blocks] if blocks else [],
        [name for study, job in jobs.items() for name in _gathered(results / study, job)],
        [name for job in jobs.values() for files in job.figures.values() for name in files],
        [name for job in jobs.values() for name in job.listed],
    ]
    return [name for stage in stages for name in sorted(stage)]


def _gathered(folder: Path, job: Jobs) -> list[str]:
    return [*job.gathered, (folder / FAILURES).as_posix(), (folder / SUMS).as_posix()]


def _tool() -> dict[str, Content]:
    """Return the source of nessflow and its licence by their names in an archive."""
    folder = Path(nessflow.__file__).parent
    found = (path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts)
    files: dict[str, Content] = {
        f"{TOOL}/{path.relative_to(folder).as_posix()}": path for path in found if path.is_file()
    }
    return files | {f"{TOOL}/LICENSE": licence_text("2026", "the nessflow developers").encode()}


def _installed(target: Path) -> list[str]:
    """Return name and version of all packages that nessflow needs and that are here, sorted."""
    try:
        waiting = requires(nessflow.__name__) or []
    except PackageNotFoundError:
        raise ArchiveError(
            target,
            [f"no {LOCK}, and nessflow is not installed, so that nobody knows what it needs"],
            "install nessflow, or write what is needed there",
        ) from None
    versions = {}
    while waiting:
        needed = Requirement(waiting.pop())
        name = canonicalize_name(needed.name)
        # What is for an extra may be here for somebody else.
        is_for_all = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if name not in versions and is_for_all:
            with suppress(PackageNotFoundError):
                versions[name] = version(name)
                waiting += requires(name) or []
    return [f"{name}=={versions[name]}" for name in sorted(versions)]


def _file(content: Content) -> File:
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    return File(size, sha256_of(content))


def _about(root: Path, project: Project, checkout: Checkout) -> About:
    text = f"Data, figures and source of {len(project.studies)} parameter studies"
    if project.tier != "paper":
        text += f", tier {project.tier}"
    text += f", at commit {checkout.commit}"
    if checkout.changes:
        text += f" WITH CHANGES that are not in the commit ({len(checkout.changes)} files)"
    text += f", computed and drawn with nessflow {nessflow.__version__}"
    citation = read_citation(root)
    return About(
        name=f"{citation.title} {citation.version}".strip(),
        description=f"{text}. {citation.abstract}".strip(),
        published=checkout.date,
        commit=checkout.commit,
        snakemake=version("snakemake"),
        citation=citation,
    )


def _run(root: Path, project: Project, name: str, jobs: Mapping[str, Jobs]) -> Run:
    """Return what computed a study, from the attributes of its checked data."""
    study, job = project.studies[name], jobs[name]
    data = read_data(study, (root / job.data).parent)
    failed = int((data["status"] != OK).sum())
    origins = [json.loads(text) for text in sorted(origins_of(data.attrs))]
    commits = {
        origin["git_commit"] + (" with changes" if origin.get("git_dirty") else "")
        for origin in origins
    }
    others = sorted(data_of(study) - {name})
    gathered = [n for n in _gathered(Path(job.data).parent, job) if n != job.marker]
    return Run(
        name=name,
        title=study.title,
        description=(
            f"{data['status'].size} points, {failed} failed; kind {study.kind_name}, source digest "
            f"{job.source}, computed at commit {', '.join(sorted(commits))}"
        ),
        read=[
            f"config/studies/{name}.yaml",
            *study.files,
            *tables_in(study),
            *(jobs[other].data for other in others),
        ],
        written=[*gathered, *job.figure_files],
    )


def _readme(
    about: About, project: Project, checkout: Checkout, files: Mapping[str, Content], has_tool: bool
) -> str:
    """Return how to check, read and redraw what is in the archive, with plain tools."""
    results, count = _results_of(project), len(files) + 3  # this, metadata and manifest
    install = f"--require-hashes -r {LOCK}" if LOCK in files else f"-r {REQUIREMENTS}"
    # The tool is not installed there, nor need it be.
    draw = f"{'PYTHONPATH=src ' if has_tool else ''}.venv/bin/snakemake"
    options = f"tier={project.tier} 'studies=[{','.join(project.studies)}]'"
    changes = ""
    if checkout.changes:
        changes = "\nNot as in the commit (git status):\n\n" + _indented(checkout.changes)
    return f"""{about.name}

{about.description}
{changes}
Check that all is as it was packed ({count} files, this one and {MANIFEST} among them):

    sha256sum --quiet -c {MANIFEST}
    find . -type f | wc -l

The first names what was changed or lost; the second counts what was added. Where there is no
sha256sum: shasum -a 256 -c {MANIFEST}. With nessflow, for the zip file or a folder:
nessflow archive check FILE.

Data are NetCDF-4 ({results}/*/data.nc: ncdump -h lists what is in them), failed points CSV; a
browser shows all of it in {results}/{REPORT}/{PAGE}, where that was made.
{METADATA} says the same to programs (Workflow Run RO-Crate).

Draw the figures again from the data, computing nothing (Python 3.11 or newer):

    python3 -m venv .venv
    .venv/bin/pip install {install}
    rm {shlex.quote(str(results))}/*/figures/*
    {draw} --cores 1 figures --config {options}
"""


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)
