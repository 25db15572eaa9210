"""Why the next run makes data and figures of a study again, in words: what `nessflow plan` says."""

from collections.abc import Iterator
from pathlib import Path

from nessflow.config.project import Project, Study
from nessflow.digest import style_digest
from nessflow.run.plan import Plan
from nessflow.run.provenance import definition
from nessflow.run.reasons import changed
from nessflow.store.files import Missing, StoreError
from nessflow.store.manifest import (
    DATA,
    FAILURES,
    FIGURES,
    Old,
    named_faults,
    read_sealed,
    state_of,
)
from nessflow.store.store import read_dataset
from nessflow.verbs.workflow import SIDECAR, SUFFIXES, data_of, expected_figures, written_spec


def rerun_lines(project: Project, study: Study, plan: Plan) -> list[str]:
    """Return one line for each reason for which something of a study is made again.

    Parameters
    ----------
    project : Project
        The project.
    study : Study
        One of its studies.
    plan : Plan
        What is known of the blocks of the study.

    Returns
    -------
    list of str
        ``STUDY: WHAT: REASON; then WHAT FOLLOWS``; empty where nothing is to run.
    """
    folder = project.results / study.name
    lines = [f"{count} of {plan.blocks} blocks: {why}" for why, count in plan.reasons.items()]
    after = ["data", "figures"] if study.figures else ["data"]
    if not lines and (reason := data_reason(study, folder)):
        lines, after = [f"data: {reason}"], after[1:]
    if not lines and study.figures and (reason := figures_reason(study, project.results)):
        lines, after = [f"figures: {reason}"], []
    if lines and after:
        lines[-1] += f"; then {' and '.join(after)}"
    return [f"{study.name}: {line}" for line in lines]


def data_reason(study: Study, folder: Path) -> str:
    """Return why the blocks of a study are gathered again, an empty text where they are not."""
    for fault in named_faults(folder, state_of(study), [DATA, FAILURES]):
        if isinstance(fault, Missing):
            return "not gathered yet"
        return _of_old_data(study, folder) if isinstance(fault, Old) else _cause(fault)
    return ""


def _of_old_data(study: Study, folder: Path) -> str:
    try:
        then = read_dataset(folder / DATA).attrs
    except StoreError as error:
        return _cause(error)
    now = definition(study)
    if reason := changed(then, now):
        return reason
    for key, what in (("axes", "values of axes changed"), ("fits", "fits changed")):
        if then.get(key) != now.get(key):
            return what
    return "title, notes or names of axes changed"


def figures_reason(study: Study, results: Path) -> str:
    """Return why the figures of a study are drawn again, an empty text where they are not."""
    for name in sorted(data_of(study)):
        if not (results / name / DATA).exists():
            return f"no data of {name} yet"
    names = [f"{spec.name}.{suffix}" for spec in study.figures for suffix in SUFFIXES]
    folder = results / study.name / FIGURES
    for fault in named_faults(folder, expected_figures(study, results), names):
        if isinstance(fault, Old):
            return ", ".join(dict.fromkeys(_of_old_figures(study, folder))) or _cause(fault)
        if isinstance(fault, Missing) and not any(folder.glob("*.svg")):
            return "not drawn yet"
        return _cause(fault)
    return ""


def _of_old_figures(study: Study, folder: Path) -> Iterator[str]:
    for spec in study.figures:
        try:
            record = read_sealed(folder / f"{spec.name}.{SIDECAR}")
        except Missing:
            yield f"figure {spec.name} is new"
            continue
        except StoreError as error:
            yield _cause(error)
            continue
        if record.get("specification") != written_spec(spec):
            yield f"specification of {spec.name} changed"
        if record.get("figure_digest") != style_digest():
            yield "code of figures changed"


def _cause(fault: StoreError) -> str:
    return f"{fault.path.name}: {fault.cause}"
