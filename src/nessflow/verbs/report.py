"""The report of a project: from checked data and figures to one page."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import xarray as xr

import nessflow
from nessflow.config.grid import Axis, label_of, point_count
from nessflow.config.project import Project, Study
from nessflow.figures.record import RecordError, record_in
from nessflow.figures.specs import CurrentMap, Map, SiteMap, Spec, panels_of
from nessflow.report.groups import grouped
from nessflow.report.numbers import (
    largest_errors,
    plot_data,
    shared,
    undefined_values,
    value_count,
)
from nessflow.report.page import page
from nessflow.report.pictures import embedded
from nessflow.run.gather import failures_csv
from nessflow.run.provenance import command, record_of, reference_text
from nessflow.run.reader import read_data
from nessflow.store.citation import citation_of
from nessflow.store.files import (
    RERUN,
    Damaged,
    Missing,
    StoreError,
    read_bytes,
    remove_leftovers,
    write_text,
)
from nessflow.store.manifest import FIGURES, named_faults, read_manifest, write_manifest
from nessflow.store.status import STATUS_MEANINGS, SUSPECT
from nessflow.verbs.explain import flat
from nessflow.verbs.tables.physical import in_physical_units
from nessflow.verbs.workflow import (
    PAGE,
    REPORT,
    SUFFIXES,
    is_drawn_otherwise,
    report_state,
)

VALUES = 700_000
"""Numbers embedded for the plots of all studies, four bytes each."""
VALUES_OF_ONE = 50_000
FAILED_ROWS = 20
REASONS = 8
LEVELS = ("failed", "suspect")
NARROW = 600
"""Pixels of a page up to which notes stand beside a figure, where there is room."""
_LISTS = ("errors", "undefined", "provenance")
_NO_DATA = {"plot": None, "failed": None} | dict.fromkeys(_LISTS, ())


def write_report(project: Project, progress: Callable[[str], None]) -> list[str]:
    """Write the page of all studies of a project, and its manifest.

    The page stands in a folder beside those of the studies: it links to their files.

    Parameters
    ----------
    project : Project
        Its studies; one without data is listed with the reason.
    progress : callable
        Takes one line of text at the end.

    Returns
    -------
    list of str
        What is damaged or not of its study, and so not on the page but named there.

    Raises
    ------
    StoreError
        When the page cannot be written.
    """
    path = project.results / REPORT / PAGE
    data = {study.name: _data_of(study, project.results) for study in project.studies.values()}
    bad = [found for found in data.values() if _is_bad(found)]
    served = {name: found for name, found in data.items() if isinstance(found, xr.Dataset)}
    now = {name: found.attrs["content_sha256"] for name, found in served.items()}
    wanted = [value_count(found) for found in served.values()]
    del served  # each is dropped when it is on the page
    most = min(VALUES_OF_ONE, shared(wanted, VALUES))
    studies = [
        _entry(study, data.pop(study.name), project.results, most, now)
        for study in project.studies.values()
    ]
    bad += [f for entry in studies for f in entry.pop("bad")]
    index = {entry["name"]: entry.pop("index") for entry in studies}
    groups = grouped(studies)
    citation = citation_of(project.root)
    text = page(
        {
            "heading": f"{citation.title}: {_counted(len(studies), 'study', 'studies')}",
            "summary": f"{_points(studies)}. Tier {project.tier}, nessflow "
            f"{nessflow.__version__}, licence of the data: {citation.licence}.",
            "groups": groups,
            "concerns": [s for group in groups for s in group["studies"] if s["marks"]],
            "index": index,
            "parameters": sorted({key for entry in index.values() for key in entry["parameters"]}),
        }
    )
    write_text(path, text)
    state = report_state(project.results, project.tier, project.studies)
    write_manifest(path.parent, state, [PAGE])
    remove_leftovers(path.parent)
    progress(f"{path}: {len(studies)} studies, {len(text.encode()) / 1e6:.1f} MB")
    return [str(fault) for fault in bad]


def _points(studies: Sequence[Mapping[str, Any]]) -> str:
    """Return how many points all studies have, and how many of them are not ok."""
    points = _counted(sum(study["points"] for study in studies))
    nothing: Counter[str] = Counter()
    not_ok = sum((study["not_ok"] for study in studies), nothing)
    found = [f"{not_ok[level]:,} {level}" for level in LEVELS if not_ok[level]]
    return f"{points}, {' and '.join(found)}" if found else points


def _counted(count: int, one: str = "point", many: str = "points") -> str:
    return f"{count:,} {one if count == 1 else many}"


def _data_of(study: Study, results: Path) -> xr.Dataset | StoreError:
    """Return the data of a study, or why there are none."""
    try:
        return read_data(study, results / study.name)
    except StoreError as error:
        return error


def _is_bad(found: object) -> bool:
    """Tell what must not be served from what is not there yet."""
    return isinstance(found, StoreError) and not isinstance(found, Missing)


def _entry(
    study: Study,
    data: xr.Dataset | StoreError,
    results: Path,
    most: int,
    now: Mapping[str, str],
) -> dict[str, Any]:
    """Return what the page shows of a study."""
    parameters = [(key, _text(value)) for key, value in flat(study.template)]
    entry: dict[str, Any] = {
        "name": study.name,
        "title": study.title,
        "reference": reference_text(study.reference),
        "paper": study.reference.get("paper", ""),
        "figure": study.reference.get("figure", ""),
        "figure_text": re.sub(r"^(?=[0-9])", "figure ", study.reference.get("figure", "")),
        "kind": study.kind_name,
        "notes": " ".join(study.notes.split()),
        "axes": [_axis(axis) for axis in study.axes],
        "parameters": parameters,
        "command": command(study.name, study.tier),
        "points": point_count(study.axes, study.ensemble),
        "index": _index(study, parameters),
    }
    found: dict[str, Any]
    if isinstance(data, StoreError):
        fault = f"data.nc: {data.cause}"
        found = _NO_DATA | {"not_ok": Counter(), "why": fault}
    else:
        found = _of_data(study, data, most)
        fault = ""
    figures, bad = _figures(study, results / study.name / FIGURES, now)
    return (
        entry
        | found
        | {
            "fault": fault,
            "figures": figures,
            "bad": bad,
            "is_narrow": len(figures) == 1 and figures[0].get("shown", 0) <= NARROW,
            "count": _counted(entry["points"]),
            "why": found["why"] or next((f["fault"] for f in figures if f["fault"]), ""),
            "marks": list(_marks(fault, found["not_ok"], figures)),
        }
    )


def _marks(
    fault: str, not_ok: Mapping[str, int], figures: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, str]]:
    """Yield what a reader has to know before using a study, in a few words each."""
    if fault:
        yield {"level": "failed", "text": "no data"}
    for level in LEVELS:
        if not_ok[level]:
            yield {"level": level, "text": f"{_counted(not_ok[level])} {level}"}
    if missing := sum(bool(figure["fault"]) for figure in figures):
        yield {"level": "failed", "text": f"{_counted(missing, 'figure', 'figures')} missing"}
    if old := sum(figure.get("old", False) for figure in figures):
        yield {"level": "suspect", "text": f"{_counted(old, 'figure', 'figures')} out of date"}


def _text(value: Any) -> str:
    """Return a number as axes write it, so that 1.0 and 1 are one value of the filter."""
    return label_of(value) if type(value) in (int, float) else str(value)


def _index(study: Study, parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return what filters and plots of the page need of a study."""
    words = [study.name, study.title, reference_text(study.reference), study.kind_name]
    words += [study.notes, *(f"{axis.name} {axis.long_name or ''}" for axis in study.axes)]
    values = {key: [value] for key, value in parameters if not value.startswith("$")}
    tier = "" if study.tier == "paper" else f" --tier {study.tier}"
    return {
        "text": " ".join(words).lower(),
        "parameters": values | {axis.name: list(axis.labels) for axis in study.axes},
        "point": f"nessflow point {study.name}{tier}",
    }


def _axis(axis: Axis) -> dict[str, str]:
    few = axis.labels if len(axis.labels) <= 4 else (*axis.labels[:2], "…", axis.labels[-1])
    return {
        "name": axis.name,
        "meaning": axis.long_name or axis.name,
        "range": f"{len(axis.labels)}: {', '.join(few)}",
        "unit": "" if axis.natural_units == "1" else axis.natural_units,
    }


def _of_data(study: Study, data: xr.Dataset, most: int) -> dict[str, Any]:
    columns, *rows = csv.reader(io.StringIO(failures_csv(data, study)))
    reasons = Counter((status, message) for *_, status, message in rows)
    failed = {
        "reasons": [
            {"count": count, "level": _level(status), "status": status, "message": message}
            for (status, message), count in reasons.most_common(REASONS)
        ],
        "other": sum(count for _, count in reasons.most_common()[REASONS:]),
        "columns": columns,
        "rows": rows[:FAILED_ROWS],
        "more": max(0, len(rows) - FAILED_ROWS),
    }
    if study.units:
        data = in_physical_units(data, study.units)
    plot = plot_data(data, [axis.name for axis in study.axes], most)
    drawn = (f"{y}{end}" for y in _drawn(study) for end in ("", "_mean"))
    plot["first"] = next((name for name in drawn if name in plot["variables"]), None)
    return {
        "plot": plot if plot["variables"] else None,
        "errors": largest_errors(data),
        "failed": failed if rows else None,
        "why": reasons.most_common(1)[0][0][1] if rows else "",
        "not_ok": Counter(_level(status) for *_, status, _ in rows),
        "undefined": [(why, ", ".join(names)) for why, names in undefined_values(data)],
        "provenance": list(_provenance(record_of(data.attrs))),
    }


def _level(status: str) -> str:
    """Return how bad a status is: a suspect point has values, which may be of no use."""
    return "suspect" if status == STATUS_MEANINGS[SUSPECT] else "failed"


def _drawn(study: Study) -> Iterator[str]:
    """Yield the variables that the figures of a study show."""
    for spec in study.figures:
        for panel in panels_of(spec):
            if isinstance(panel, Map | SiteMap):
                yield panel.z
            elif isinstance(panel, CurrentMap):
                yield panel.current
            elif panel.y is not None:
                yield panel.y
            else:
                yield from (curve.y for curve in panel.curves)


def _provenance(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    hidden = ("title", "references", "study", "kind", "parameters", "axes", "command")
    return ((key, str(value)) for key, value in flat(record) if key.split(".")[0] not in hidden)


def _figures(
    study: Study, folder: Path, now: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[StoreError]]:
    """Return the figures, or what is wrong with them: none is left out silently.

    Also returns those faults that are more than a file that is not there yet.
    """
    entries, bad = [], []
    for spec in study.figures:
        try:
            entries.append(_figure(study, spec, folder, now))
        except StoreError as error:
            entries.append({"name": spec.name, "fault": f"{error.path.name}: {error.cause}"})
            if _is_bad(error):
                bad.append(error)
    return entries, bad


def _figure(study: Study, spec: Spec, folder: Path, now: Mapping[str, str]) -> dict[str, Any]:
    """Return what the page shows of a figure, all files of which are as they were written.

    ``now`` has the SHA-256 of the content of the data that are served.
    """
    state = {"study": study.name, "tier": study.tier}
    names = [f"{spec.name}.{suffix}" for suffix in SUFFIXES]
    if faults := named_faults(folder, state, names):
        raise next(filter(_is_bad, faults), faults[0])
    path = folder / f"{spec.name}.png"
    image = read_bytes(path)
    if sha256(image).hexdigest() != read_manifest(folder, state)[path.name]:
        raise Damaged(path, "changed while it was read", RERUN)
    try:
        record = record_in(image, path)
        picture, width, height, shown = embedded(image)
    except (RecordError, OSError) as error:
        raise Damaged(path, f"cannot be read ({error})", RERUN) from error
    sources = {data["study"]: data["content_sha256"] for data in record["data"]}
    return {
        "name": spec.name,
        "fault": "",
        "alt": record["caption"],
        "remark": spec.caption or "",
        "file": f"../{study.name}/figures/{spec.name}",
        "picture": picture,
        "width": width,
        "height": height,
        "shown": shown,
        "sources": sorted(sources),
        "old": is_drawn_otherwise(study, spec, record)
        or any(sources[name] != now.get(name, sources[name]) for name in sources),
    }
