"""Where one file comes from, in words: what ``nessflow explain FILE`` prints."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from nessflow.figures.record import RecordError, read_record
from nessflow.run.provenance import record_of
from nessflow.store.citation import CREDIT
from nessflow.store.files import Missing, StoreError
from nessflow.store.manifest import listed_fault
from nessflow.store.store import read_dataset

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


def _figure(record: Mapping[str, object]) -> Iterator[str]:
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


def _data(record: Mapping[str, object]) -> Iterator[str]:
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


def _credit(record: Mapping[str, object]) -> Iterator[str]:
    for key, word in CREDIT.items():
        if key in record and key != "creator_type":
            yield f"  {word}: {record[key]}"


def flat(parameters: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield dotted key and value of every number and word in nested parameters."""
    if isinstance(parameters, Mapping) and parameters:
        for key, value in parameters.items():
            yield from flat(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(parameters, list) and any(isinstance(part, Mapping) for part in parameters):
        for number, part in enumerate(parameters):
            yield from flat(part, f"{prefix}[{number}]")
    else:
        yield prefix, parameters


def _versions(record: Mapping[str, object]) -> str:
    found = {"nessflow": record.get("nessflow_version", "unknown")} | record.get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in found.items())
