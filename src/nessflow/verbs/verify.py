"""What is wrong with the results of a study: the one answer of verify and the archive."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import xarray as xr

from nessflow.config.project import Project, Study
from nessflow.publish.archive import ArchiveError, check_archive
from nessflow.run.judge import stored_faults
from nessflow.run.plan import plan_study
from nessflow.run.reader import read_data
from nessflow.store.files import RERUN, Damaged, Missing, StoreError, set_aside
from nessflow.store.lock import hold_run_lock
from nessflow.store.manifest import DATA, FIGURES, MANIFEST, Foreign, file_faults, settle, state_of
from nessflow.store.store import read_dataset
from nessflow.verbs.plan import rerun_lines
from nessflow.verbs.workflow import (
    ARCHIVE,
    PAGE,
    REPORT,
    expected_figures,
    expected_report,
    figure_faults,
)


def study_faults(project: Project, study: Study) -> list[StoreError]:
    """Return the faults of data, figures and other files of a study, each file once.

    Every file is compared with its manifest, data and figures with the study as it is now, and the
    numbers of points that are ok with the limits that mathematics sets them.
    """
    faults: dict[Path, StoreError] = {}
    for fault in _faults(project, study):
        faults.setdefault(fault.path, fault)
    return list(faults.values())


def _faults(project: Project, study: Study) -> Iterator[StoreError]:
    folder = project.results / study.name
    yield from file_faults(folder, state_of(study))
    try:
        data = read_data(study, folder)
    except StoreError as error:
        yield error
    else:
        yield from _wrong_numbers(study, folder, data)
    if study.figures:
        found = file_faults(folder / FIGURES, expected_figures(study, project.results))
        yield from found
        if any(fault.path.name == MANIFEST for fault in found):
            faults = figure_faults(study, folder / FIGURES)
            yield from (fault for fault in faults if not isinstance(fault, Missing))


def _wrong_numbers(study: Study, folder: Path, data: xr.Dataset) -> Iterator[StoreError]:
    """Yield the data, and the blocks that they are from, where their numbers cannot be."""
    if not (found := stored_faults(data, study.variables)):
        return
    yield _impossible(folder / DATA, found)
    for path in (block.file(folder) for block in study.blocks):
        with suppress(StoreError):  # told of by its checksum
            if found := stored_faults(read_dataset(path), study.variables):
                yield _impossible(path, found)


def _impossible(path: Path, found: list[str]) -> Damaged:
    more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    return Damaged(path, f"as it was written, and cannot be: {found[0]}{more}", RERUN)


def report_faults(project: Project) -> list[StoreError]:
    """Return the faults of the report page, one of older results included; none without a page."""
    folder = project.results / REPORT
    if not (folder / PAGE).exists():
        return []
    return file_faults(folder, expected_report(project.results, project.tier))


def archive_faults(results: Path) -> list[StoreError]:
    """Return what is wrong with the archive in the results folder; nothing without one."""
    path = results / ARCHIVE
    try:
        if path.exists():
            check_archive(path)
    except ArchiveError as error:
        return [Damaged(path, "; ".join(error.faults), "pack it again: nessflow archive create")]
    return []


def repair(project: Project, problems: Iterable[StoreError]) -> Iterator[str]:
    """Set aside what must not be used, so that the next run makes it anew; hold the run lock.

    Parameters
    ----------
    project : Project
        The project, whose studies are looked at.
    problems : iterable of StoreError
        What was found wrong.

    Yields
    ------
    str
        A line for each file that was renamed, and for each thing that the next run makes.

    Raises
    ------
    LockError
        When a run is at work.
    """
    hold_run_lock(project.results)
    for fault in problems:
        if isinstance(fault, Damaged) and fault.path.exists():
            yield str(set_aside(fault.path, fault.cause))
    for study in project.studies.values():
        folder = project.results / study.name
        yield from settle(folder, state_of(study))
        if study.figures:
            yield from settle(folder / FIGURES, expected_figures(study, project.results))
        yield from rerun_lines(project, study, plan_study(study, folder))


def beyond_repair(problems: Iterable[StoreError]) -> list[StoreError]:
    """Return the problems that `repair` left: files that could not be renamed.

    What is of another state stays where it is, since the next run writes it anew.
    """
    return [x for x in problems if x.path.exists() and not isinstance(x, Foreign)]
