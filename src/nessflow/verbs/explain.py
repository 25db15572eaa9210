"""Where a file comes from, and why a study is current or not: what ``nessflow explain`` prints."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nessflow.config.grid import label_of
from nessflow.config.project import Project
from nessflow.config.study import Study, parameters_of
from nessflow.errors import ConfigError, Problem, listed
from nessflow.figures.record import RecordError, read_record
from nessflow.run.plan import plan_study
from nessflow.run.provenance import record_of
from nessflow.run.reasons import block_reason
from nessflow.run.solve import prepared_block
from nessflow.store.citation import CREDIT
from nessflow.store.files import Missing, StoreError
from nessflow.store.layout import SOURCE_DIGEST
from nessflow.store.manifest import DATA, MANIFEST, MODULES, listed_fault, read_sealed
from nessflow.store.status import STATUS_MEANINGS
from nessflow.store.store import read_dataset
from nessflow.verbs.plan import rerun_lines

_HDF5 = b"\x89HDF"
_NETCDF3 = b"CDF"
_FIRST = 4


def explain(path: Path) -> str:
    """Return data hashes, parameters, code and command behind a figure or dataset.

    Raises
    ------
    StoreError
        When there is no such file, or it is not as the manifest beside it says.
    RecordError
        When it has no record.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(_FIRST)
        if fault := listed_fault(path):
            raise fault
        if not start.startswith((_HDF5, _NETCDF3)):
            return "\n".join(_figure(read_record(path)))
    except OSError as error:
        raise Missing(path, error.strerror or str(error), "give a figure or dataset") from None
    try:
        record = record_of(read_dataset(path).attrs)
    except (StoreError, ValueError) as error:
        raise RecordError(path) from error
    return "\n".join([f"{path.name} of study {record.get('study')}", *_data(record)])


def _figure(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"figure {record['figure']} of study {record['study']}"
    yield f"  caption: {record['caption']}"
    yield f"  tier: {record['tier']}"
    yield f"  command: {record['command']}"
    yield f"  code of the figures: {record['figure_digest']}"
    yield f"  drawn with: {_versions(record)}"
    yield from _credit(record)
    for data in record["data"]:
        yield f"data of study {data['study']}"
        yield from _data(data)


def _data(record: Mapping[str, Any]) -> Iterator[str]:
    words = {
        "title": "title",
        "references": "reference",
        "content_sha256": "content SHA-256",
        "tier": "tier",
        "command": "command",
        "source_digest": "code of the numbers",
        "lock_sha256": "SHA-256 of the locked environment",
    }
    for key, word in words.items():
        if key in record:
            yield f"  {word}: {record[key]}"
    yield from _credit(record)
    changed = " with changes" if record.get("git_dirty") else ""
    yield f"  git commit: {record.get('git_commit', 'unknown')}{changed}"
    yield f"  computed with: {_versions(record)}"
    for name, labels in record.get("axes", {}).items():
        yield f"  axis {name}: {', '.join(labels)}"
    for name, formula in record.get("derived", []):
        yield f"  {name} = {formula}"
    for path, sha256 in record.get("files", {}).items():
        yield f"  file {path}: {sha256}"
    if "seed" in record:
        yield f"  root seed: {record['seed']}"
    definition = record["parameters"]
    if "independent" in definition:
        draw = "another" if definition["independent"] else "the same"
        yield f"  sample k is {draw} draw at each point"
    for key, value in flat(definition["parameters"]):
        yield f"  {key} = {value}"
    for item in record.get("observables", ()):
        yield f"  observable {', '.join(map(str, item)) if isinstance(item, dict) else item}"
        for key, value in flat(item) if isinstance(item, dict) else ():
            yield f"    {key} = {value}"
    for axis, cases in definition.get("cases", {}).items():
        for label, case in cases.items():
            changes = ", ".join(f"{key} = {value}" for key, value in case.items())
            yield f"  where {axis} is {label}: {changes or 'no change'}"


def _credit(record: Mapping[str, Any]) -> Iterator[str]:
    for key, word in CREDIT.items():
        if key in record and key != "creator_type":
            yield f"  {word}: {record[key]}"


def explain_study(project: Project, study: Study, point: Iterable[str] = ()) -> Iterator[str]:
    """Yield why a study, or one of its points, is current, or what has changed.

    Parameters
    ----------
    project : Project
        The project.
    study : Study
        One of its studies.
    point : iterable of str
        ``AXIS=VALUE`` for each axis, ``sample=NUMBER`` too of an ensemble; none for the study.

    Raises
    ------
    ConfigError
        When there is no such point.
    """
    folder = project.results / study.name
    if point := list(point):
        yield from _point(study, folder, _labels_of(study, point))
        return
    plan = plan_study(study, folder)
    reasons = list(rerun_lines(project, study, plan))
    yield from reasons or [f"{study.name}: current, nothing of it would be made again"]
    yield f"  points: {plan.points}, {plan.reused} of them there, {plan.failed} failed"
    yield f"  tier: {study.tier}"
    yield from _code(study, folder)
    for path, sha256 in study.files.items():
        yield f"  file {path}: {sha256}"


def _code(study: Study, folder: Path) -> Iterator[str]:
    """Yield the digest of the source, and which modules are not those of the stored data."""
    yield f"  code of the numbers: {study.digest}"
    try:
        content = read_sealed(folder / MANIFEST)
        then = read_dataset(folder / DATA).attrs.get(SOURCE_DIGEST)
    except StoreError:
        return
    if then == study.digest or not content.get(MODULES):
        return
    yield f"  code of the data that are here: {then}"
    was, now = content.get(MODULES, {}), study.modules
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            what = "is new" if name not in was else "is gone" if name not in now else "changed"
            yield f"  module {name} {what}"


def _labels_of(study: Study, point: Iterable[str]) -> dict[str, str]:
    """Return the label of each axis, and the number of the sample."""
    known = {axis.name: list(axis.labels) for axis in study.axes}
    if study.ensemble is not None:
        known["sample"] = [str(k) for k in range(study.ensemble.samples)]
    given = {}
    for text in point:
        name, _, value = text.partition("=")
        if name not in known:
            raise _no_point("AXIS", text, f"AXIS=VALUE with one of {', '.join(known) or 'no axis'}")
        label = value if value in known[name] else _label(value)
        if label not in known[name]:
            hint = f"{name} has {listed(known[name])}"
            raise _no_point(name, value, "a value of the axis", hint)
        given[name] = label
    if lacking := [name for name in known if name not in given]:
        raise _no_point("AXIS", ", ".join(given), f"a value of {', '.join(lacking)} too")
    return given


def _label(value: str) -> str:
    try:
        return label_of(float(value))
    except ValueError:
        return value


def _no_point(key: str, given: str, expected: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem("command line", None, key, given, expected, hint)])


def _point(study: Study, folder: Path, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield how one point went, its block, and its parameters."""
    sample = int(labels["sample"]) if "sample" in labels else None
    block = next(
        each
        for each in study.blocks
        if all(labels[name] == label for name, label in each.outer.items())
        and (sample is None or sample in (each.samples or ()))
    )
    prepared = prepared_block(block, folder)
    at = {axis.name: axis.labels.index(labels[axis.name]) for axis in study.axes if not axis.outer}
    if sample is not None:
        at["sample"] = list(block.samples or ()).index(sample)
    point = prepared.dataset[["status", "message"]].isel(at)
    status = STATUS_MEANINGS[int(point["status"])]
    message = str(point["message"].item())
    where = ", ".join(f"{name}={label}" for name, label in labels.items())
    yield f"{study.name}: {where}: {f'{status}: {message}' if message else status}"
    reason = block_reason(prepared)
    yield f"  block {prepared.path}: {reason or 'current'}"
    parameters = parameters_of(study, {k: v for k, v in labels.items() if k != "sample"})
    for key, value in flat(parameters.model_dump(mode="json")):
        yield f"  {key} = {value}"


def flat(parameters: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted key and value of every number and word in nested parameters."""
    if isinstance(parameters, Mapping) and parameters:
        for key, value in parameters.items():
            yield from flat(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(parameters, list) and any(isinstance(part, Mapping) for part in parameters):
        for number, part in enumerate(parameters):
            yield from flat(part, f"{prefix}[{number}]")
    else:
        yield prefix, parameters


def _versions(record: Mapping[str, Any]) -> str:
    found = {"nessflow": record.get("nessflow_version", "unknown")} | record.get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in found.items())
