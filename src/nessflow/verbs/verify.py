"""What is wrong with the results of a study: the one answer of verify and the archive."""

from collections.abc import Iterator

from nessflow.config.project import Project, Study
from nessflow.run.reader import read_data
from nessflow.store.files import Missing, StoreError
from nessflow.store.manifest import FIGURES, MANIFEST, file_faults, state_of
from nessflow.verbs.workflow import (
    PAGE,
    REPORT,
    expected_figures,
    expected_report,
    figure_faults,
)


def study_faults(project: Project, study: Study) -> list[StoreError]:
    """Return the faults of data, figures and other files of a study, each file once.

    Every file is compared with its manifest, and data and figures with the study as it is now.
    """
    faults = {}
    for fault in _faults(project, study):
        faults.setdefault(fault.path, fault)
    return list(faults.values())


def _faults(project: Project, study: Study) -> Iterator[StoreError]:
    folder = project.results / study.name
    yield from file_faults(folder, state_of(study))
    try:
        read_data(study, folder)
    except StoreError as error:
        yield error
    if study.figures:
        found = file_faults(folder / FIGURES, expected_figures(study, project.results))
        yield from found
        if any(fault.path.name == MANIFEST for fault in found):
            faults = figure_faults(study, folder / FIGURES)
            yield from (fault for fault in faults if not isinstance(fault, Missing))


def report_faults(project: Project) -> list[StoreError]:
    """Return the faults of the report page, one of older results included; none without a page."""
    folder = project.results / REPORT
    if not (folder / PAGE).exists():
        return []
    return file_faults(folder, expected_report(project.results, project.tier))
