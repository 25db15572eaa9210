"""The ``nessflow`` command: each verb is a few lines over the layers below."""

import gc
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from nessflow.config.project import ConfigError, Project, load_study, units_of_project
from nessflow.config.study import Study
from nessflow.errors import Problem, nearest
from nessflow.registry import faults, find_kind, kind_names, use_project
from nessflow.studies.kind import Status
from nessflow.verbs.workflow import citation_lines, impossible_lines, read_project

STUDIES = Path("config/studies")
TIER = click.option(
    "--tier", type=click.Choice(["paper", "smoke"]), help="Resolution; default as in config.yaml."
)
ALLOW_LARGE = click.option(
    "--allow-large", is_flag=True, help="Accept more than 1e6 points or 1e4 blocks."
)
LOG = click.option("--log", type=click.Path(path_type=Path), help="Copy messages to this file.")


def main() -> None:
    """Run the command; a fault of the user's ends in one message and exit status 2."""
    for name in ("stdout", "stderr"):
        # Closed by the caller: the next file to be opened would be taken for it by C libraries.
        if getattr(sys, name) is None:
            setattr(sys, name, _nowhere())
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        _to_stderr(text.getvalue().rstrip())
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except OSError as error:
        if error.filename is not None:
            raise
        sys.stdout = _nowhere()
        _to_stderr(f"standard output: cannot write: {error.strerror}")
        sys.exit(2)
    except Exception as error:
        # nessflow's own errors name the fault and the way out; anything else is a defect.
        if not type(error).__module__.startswith("nessflow."):
            raise
        _to_stderr(str(error))
        sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nessflow")
def commands() -> None:
    """Currents, noise and entropy production of open quantum systems over parameter grids."""
    use_project(Path())


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--author", help="Who makes it; default the user.name of git.")
@click.option("--slurm", is_flag=True, help="Add a profile for Slurm.")
@click.option("--github", is_flag=True, help="Add a workflow of GitHub that tests it.")
def init(folder: Path, author: str | None, slurm: bool, github: bool) -> None:
    """Make FOLDER a project with small studies and parts of its own; nothing is overwritten."""
    from nessflow.verbs.begin.init import git_name, init_project

    author = " ".join((author or git_name()).split())
    if not author and sys.stdin.isatty():
        author = " ".join(click.prompt("Who makes it (for licence and citation)").split())
    if not author:
        raise click.ClickException("who makes it? --author 'Given Family'; git knows no user.name")
    for line in init_project(folder, author, slurm=slurm, github=github):
        click.echo(line)


@commands.command()
@click.argument("name")
@click.option(
    "--from", "source", required=True, metavar="STUDY|KIND", help="What it is to be like."
)
def new(name: str, source: str) -> None:
    """Add a study like another one of the project, or like the example of a kind."""
    from nessflow.verbs.begin.init import new_study

    click.echo(f"{new_study(name, source)}: written; now: nessflow plan {name}")


@commands.command()
@click.argument("studies", nargs=-1)
@TIER
@ALLOW_LARGE
@click.option("--probe", is_flag=True, help="Time two points of studies that never ran.")
def plan(studies: tuple[str, ...], tier: str | None, allow_large: bool, probe: bool) -> None:
    """List what would run and why, what is reused and how long it may take."""
    from nessflow.run.plan import JOB_MINUTES, blocks_per_job, plan_study, plan_table
    from nessflow.verbs.plan import rerun_lines, size_lines

    choices = {"tier": tier, "studies": studies or None, "allow_large": allow_large}
    project = read_project(Path(), is_tolerant=True, **choices)
    broken = [f"warning: {fault}" for fault in faults()]
    warnings = [*impossible_lines(project.studies.values()), *citation_lines(Path())]
    for line in [*broken, *warnings]:
        _to_stderr(line)
    rows = [
        plan_study(study, project.results / study.name, probe=probe)
        for study in project.studies.values()
    ]
    click.echo(plan_table(rows))
    for study, row in zip(project.studies.values(), rows, strict=True):
        for line in [*size_lines(study), *rerun_lines(project, study, row)]:
            click.echo(line)
    if blocks := blocks_per_job(rows):
        click.echo(f"cluster jobs of {JOB_MINUTES} minutes: --group-components blocks={blocks}")
    project.require(project.broken)


@commands.command()
@click.argument("study")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Parameter or axis.")
@click.option(
    "--sample", type=click.IntRange(min=0), default=0, show_default=True, help="Disorder sample."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@TIER
def point(
    study: str, overrides: tuple[str, ...], sample: int, as_json: bool, tier: str | None
) -> None:
    """Evaluate one point; an axis that is not set takes its first value."""
    from nessflow.verbs.point import evaluate_point, point_table

    path = _study_file(study)
    units = units_of_project(Path())
    loaded = load_study(
        path, tier=tier or "paper", overrides=overrides, one_point=True, units=units
    )
    try:
        result = evaluate_point(loaded, sample)
    except (ArithmeticError, LookupError, ValueError) as error:
        # A block lists such a point as failed and goes on.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        click.echo(
            f"{study}: this point fails: {type(error).__name__}: {error} ({place})", err=True
        )
        sys.exit(1)
    click.echo(json.dumps(result, indent=1) if as_json else point_table(result, loaded))
    sys.exit(0 if result["status"] == Status.OK else 1)


@commands.command()
@click.argument("studies", nargs=-1)
@TIER
@ALLOW_LARGE
def run(studies: tuple[str, ...], tier: str | None, allow_large: bool) -> None:
    """Compute studies and draw their figures here and now, without Snakemake; same files.

    What is there already is kept, as by `snakemake`, which can go on where this ended, and the
    other way round.  One core: for many or long studies use `snakemake --cores N`.
    """
    from nessflow.run.supervision import watched

    watch = watched()
    # Once for each child: nothing that they import is needed to watch them.  While they do, the
    # collector of garbage would find none, in a tenth of the time that small changes take.
    gc.disable()
    from nessflow.run.progress import Progress
    from nessflow.verbs.direct.run import run_studies

    progress = Progress(sys.stderr)
    run_studies(
        studies,
        {"tier": tier, "allow_large": allow_large},
        watch,
        progress,
        written=lambda log: _printer(log, lambda line: None),
        shown=lambda log: _printer(log, progress.say),
    )


@commands.command("try")
@click.argument("study")
def trial(study: str) -> None:
    """Draw a study within seconds, on a coarse grid with few samples, and touch no results."""
    from nessflow.run.supervision import watched

    watch = watched()
    gc.disable()
    from nessflow.run.progress import Progress
    from nessflow.verbs.direct.trial import FOLDER, try_study

    progress = Progress(sys.stderr)
    log = _printer(FOLDER / study / "try.log", lambda line: None)
    try:
        for line in try_study(study, watch, progress, log):
            click.echo(line)
    finally:
        progress.end()


@commands.command()
@click.argument("study")
@click.argument("block")
@TIER
@ALLOW_LARGE
@LOG
def solve(study: str, block: str, tier: str | None, allow_large: bool, log: Path | None) -> None:
    """Compute one block of a study (called by the workflow)."""
    from nessflow.run.plan import cost_file, write_cost
    from nessflow.run.solve import solve_block
    from nessflow.run.supervision import watched

    # The clock of a child starts anew.
    before, began = time.process_time(), time.monotonic()
    watch = watched()
    project, loaded = _project_study(study, tier, allow_large)
    printer = _printer(log)
    known = {b.path.as_posix(): b for b in loaded.blocks}
    if block not in known:
        raise click.ClickException(
            f"{study} has no block {block!r}; the first is {next(iter(known))!r}"
        )
    ready = time.process_time()
    folder = project.results / study
    counts = solve_block(known[block], folder, progress=printer, watch=watch)
    write_cost(cost_file(known[block], folder), time.monotonic() - began)
    solving = time.process_time() - ready
    printer(
        f"{study} {block}: {counts}; CPU {before + ready:.2f} s of start-up, "
        f"{solving:.2f} s of solving"
    )


@commands.command()
@click.argument("study")
@TIER
@ALLOW_LARGE
@LOG
def gather(study: str, tier: str | None, allow_large: bool, log: Path | None) -> None:
    """Collect the blocks of a study into data.nc (called by the workflow)."""
    from nessflow.run.gather import gather_study

    project, loaded = _project_study(study, tier, allow_large)
    gather_study(loaded, project.results / study, progress=_printer(log))


@commands.command()
@click.argument("study")
@click.argument("figures", nargs=-1)
@TIER
@ALLOW_LARGE
@LOG
def figure(
    study: str, figures: tuple[str, ...], tier: str | None, allow_large: bool, log: Path | None
) -> None:
    """Draw figures of a study from its data, all by default (called by the workflow)."""
    from nessflow.verbs.draw import draw_study
    from nessflow.verbs.workflow import read_with_sources

    project, _ = read_with_sources(Path(), [study], figures, tier=tier, allow_large=allow_large)
    loaded = project.studies[study]
    known = [spec.name for spec in loaded.figures]
    for name in set(figures) - set(known):
        expected = f"one of the figures {', '.join(known)}"
        problem = Problem("command line", None, "FIGURES", name, expected, nearest(name, known))
        raise ConfigError([problem])
    draw_study(loaded, project.studies, project.results, progress=_printer(log), names=figures)


@commands.command()
@click.argument("study")
@TIER
@ALLOW_LARGE
@LOG
def captions(study: str, tier: str | None, allow_large: bool, log: Path | None) -> None:
    """Write captions and manifest of the figures of a study (called by the workflow)."""
    from nessflow.verbs.draw import list_figures

    project, loaded = _project_study(study, tier, allow_large)
    list_figures(loaded, project.results)
    _printer(log, lambda line: None)(f"{study}: captions of {len(loaded.figures)} figures")


@commands.command()
@click.argument("studies", nargs=-1)
@click.option("--repair", "mend", is_flag=True, help="Rename what is damaged; tell what is to run.")
@TIER
def verify(studies: tuple[str, ...], mend: bool, tier: str | None) -> None:
    """Check every stored file: its checksum, that it is of the study as it is now, its numbers.

    Files of the studies named, or of all, the report and the archive among them.
    """
    from nessflow.config.study import BLOCKS
    from nessflow.verbs.verify import (
        archive_faults,
        beyond_repair,
        repair,
        report_faults,
        study_faults,
    )
    from nessflow.verbs.workflow import read_with_sources

    choices: dict[str, Any] = {"tier": tier, "allow_large": True, "is_tolerant": True}
    project, chosen = read_with_sources(Path(), studies or None, **choices)
    problems = []
    for name in chosen:
        found = study_faults(project, project.studies[name])
        has_blocks = (project.results / name / BLOCKS).is_dir()
        sound = "ok" if has_blocks else "ok, of its blocks none is here"
        click.echo(f"{name}: {f'{len(found)} problem(s)' if found else sound}")
        problems += found
    problems += report_faults(project)
    if not studies:
        problems += archive_faults(project.results)
    for problem in problems:
        click.echo(problem, err=True)
    if mend:
        for line in repair(project, problems):
            click.echo(line)
        problems = beyond_repair(problems)
    project.require(project.broken)
    sys.exit(1 if problems else 0)


@commands.command()
@click.argument("studies", nargs=-1)
@TIER
@ALLOW_LARGE
@LOG
def report(studies: tuple[str, ...], tier: str | None, allow_large: bool, log: Path | None) -> None:
    """Write report/index.html in the results folder: figures, errors, plots of all studies.

    What is damaged or not of its study is named in its place, here and by exit status 2.
    """
    from nessflow.verbs.report import write_report

    project = read_project(Path(), tier=tier, studies=studies or None, allow_large=allow_large)
    printer = _printer(log)
    if faults := write_report(project, progress=printer):
        for fault in faults:
            printer(fault)
        sys.exit(2)


@commands.command()
@click.argument("study")
@click.option("--csv", "form", flag_value="csv", default="csv", help="Text; this unless told.")
@click.option("--parquet", "form", flag_value="parquet", help="Apache Parquet, by pyarrow.")
@click.option("--physical", is_flag=True, help="In the units of the study or its project.")
@click.option(
    "--to", type=click.Path(path_type=Path), help="Folder; default tables beside the data."
)
@TIER
def export(study: str, form: str, physical: bool, to: Path | None, tier: str | None) -> None:
    """Write the data of a study as tables, one for each set of dimensions, with their units."""
    from nessflow.run.reader import read_data
    from nessflow.verbs.tables.export import write_tables
    from nessflow.verbs.tables.physical import in_physical_units, no_units

    project, loaded = _project_study(study, tier, True)
    data = read_data(loaded, project.results / study)
    if physical:
        if loaded.units is None:
            raise no_units(str(loaded.path))
        data = in_physical_units(data, loaded.units)
    for path in write_tables(data, to or project.results / study / "tables", form):
        click.echo(path)


@commands.command()
@click.argument("what", metavar="FILE|STUDY")
@click.argument("point", nargs=-1, metavar="[AXIS=VALUE]...")
@TIER
def explain(what: str, point: tuple[str, ...], tier: str | None) -> None:
    """Say where a figure or dataset comes from, or why a study or a point is current or not.

    Of a file: which data, parameters, code and command.  Of a study: what has changed since its
    data were computed, down to modules of the source.  Of a point: how it went, its block and its
    parameters.
    """
    from nessflow.verbs.explain import explain as explanation
    from nessflow.verbs.explain import explain_study

    # A name without a dot is no file of ours.
    if Path(what).exists() or (not point and Path(what).suffix):
        if point:
            raise click.ClickException(f"{what} is a file: points are those of a study")
        click.echo(explanation(Path(what)))
        return
    _study_file(what, "or a figure or dataset")
    project, study = _project_study(what, tier, True)
    for line in explain_study(project, study, point):
        click.echo(line)


@commands.command()
@click.argument("studies", nargs=-1)
@TIER
def retry(studies: tuple[str, ...], tier: str | None) -> None:
    """Have the next run compute failed points again, and nothing else."""
    from nessflow.run.retry import release_failures
    from nessflow.store.lock import hold_run_lock

    choices = {"tier": tier, "studies": studies or None, "allow_large": True}
    project = read_project(Path(), is_tolerant=True, **choices)
    hold_run_lock(project.results)
    for study in project.studies.values():
        count = release_failures(project.results / study.name)
        click.echo(f"{study.name}: {count} failed points will be computed again")
    project.require(project.broken)


@commands.command()
@click.argument("name", required=False, metavar="[STUDY|KIND|PART]")
@click.argument("key", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of study files.")
@TIER
def describe(name: str | None, key: str | None, schema: bool, tier: str | None) -> None:
    """Describe a study, a kind with its keys and an example, a part, or list the kinds.

    With a KEY, such as system.leads.left.broadening: what can be written there.
    """
    from nessflow.verbs.describe import (
        describe_key,
        describe_kind,
        describe_kinds,
        describe_part,
        describe_study,
        part_names,
    )

    if schema:
        from nessflow.config.study_file import study_schema

        click.echo(json.dumps(study_schema({n: find_kind(n) for n in kind_names()}), indent=1))
    elif name is None:
        click.echo(describe_kinds())
    elif name in kind_names() and not (STUDIES / f"{name}.yaml").exists():
        click.echo(describe_kind(name) if key is None else describe_key(name, key))
    elif not (STUDIES / f"{name}.yaml").exists() and (found := describe_part(name, key)):
        click.echo(found)
    else:
        names = [*kind_names(), *part_names()]
        path = _study_file(name, "or the name of a kind or a part", names)
        study = load_study(path, tier=tier or "paper", allow_large=True)
        click.echo(describe_study(study) if key is None else describe_key(study.kind_name, key))


@commands.group()
def archive() -> None:
    """Pack results and source into one file, or check such a file."""


@archive.command()
@click.argument("studies", nargs=-1)
@click.option("--blocks", is_flag=True, help="Pack the blocks too, not only the gathered data.")
@TIER
@ALLOW_LARGE
@LOG
def create(
    studies: tuple[str, ...], blocks: bool, tier: str | None, allow_large: bool, log: Path | None
) -> None:
    """Pack results and source into archive.zip in the results folder, an RO-Crate."""
    from nessflow.verbs.archive import create_archive

    project = read_project(Path(), tier=tier, studies=studies or None, allow_large=allow_large)
    create_archive(project, blocks=blocks, progress=_printer(log, click.echo))


@archive.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Compare an archive, zip file or unpacked folder, with its manifest."""
    from nessflow.publish.archive import check_archive

    click.echo(f"{file}: {check_archive(file)} files, all as they were packed")


def _study_file(study: str, otherwise: str = "", others: Sequence[str] = ()) -> Path:
    """Return the file of a study given by name or by path; ``others`` are valid names beside."""
    if study.endswith((".yaml", ".yml")):
        return Path(study)
    path = STUDIES / f"{study}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in STUDIES.glob("*.yaml"))
        away = "" if known else "run it in the folder of the Snakefile"
        hint = nearest(study, [*known, *others]) or away
        expected = f"the name of a file in {STUDIES} {otherwise}".rstrip()
        raise ConfigError([Problem("command line", None, "STUDY", study, expected, hint)])
    return path


def _project_study(name: str, tier: str | None, allow_large: bool) -> tuple[Project, Study]:
    project = read_project(Path(), tier=tier, studies=[name], allow_large=allow_large)
    return project, project.studies[name]


def _printer(log: Path | None, show: Callable[[str], None] | None = None) -> Callable[[str], None]:
    """Return a function that shows a line, by default on stderr, and appends it to ``log``.

    A line that cannot be written is no reason to lose what it tells of.
    """
    logs = [] if log is None else [log]
    if show is None:
        show = (lambda line: None) if logs and _is_watched() else _to_stderr

    def printer(line: str) -> None:
        show(line)
        try:
            for path in logs:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as stream:
                    stream.write(line + "\n")
        except OSError as error:
            logs.clear()
            show(f"{path}: cannot write: {error.strerror}; the work goes on without a log")

    return printer


def _to_stderr(line: str) -> None:
    # A line that changes stands there, and is written again.
    start = "\r\x1b[K" if _is_watched() else ""
    try:
        print(f"{start}{line}", file=sys.stderr, flush=True)
    except OSError:
        # Else Python tries once more at its end, and takes the failure for one of the program.
        sys.stderr = _nowhere()


def _is_watched() -> bool:
    """Tell whether this is a job of a run that says on this terminal how far it is."""
    return "NESSFLOW_WATCHED" in os.environ and sys.stderr.isatty()


def _nowhere() -> TextIO:
    return open(os.devnull, "w")
