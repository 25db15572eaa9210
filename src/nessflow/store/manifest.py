"""Manifests: of what state of a study the files of a folder are, and the SHA-256 of each.

One stands beside the data of a study and one beside its figures.  A manifest carries its own
SHA-256, so that a damaged manifest is told from a damaged file.  Nothing here opens a dataset:
every run looks at all files of its studies before it decides what to do.
"""

import hashlib
import json
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nessflow.config.grid import canonical_json
from nessflow.config.study import BLOCKS, OBSERVABLES, Study, template_json
from nessflow.digest import short_hash
from nessflow.store.citation import NOT_STATED, attributes_of, citation_of
from nessflow.store.files import (
    RERUN,
    Damaged,
    Missing,
    StoreError,
    file_sha256,
    read_bytes,
    set_aside,
    unsealed,
    write_text,
)

MANIFEST = "manifest.json"
DATA = "data.nc"
FAILURES = "failures.csv"
FIGURES = "figures"
MODULES = "modules"
"""The modules that data were computed with, by name, and a digest of each."""
MARKERS = ".current"
CURRENT = "current"
"""The entry of a state that is the name of its marker."""
AGAIN = "run again: it is made anew"
_OF = {
    "study": "of the study {}",
    "tier": "of the tier {}",
    CURRENT: "not of the study as it is now",
    "data": "drawn from other data",
    "results": "made from other data or figures",
}
"""What a file is of when an entry of its manifest differs."""
_WAYS_OUT = {"results": "make it anew: snakemake --cores all report"}

State = Mapping[str, Any]
"""What the files of a folder belong to: names and short hashes."""


class Foreign(StoreError):
    """The file is sound, but of another study or tier."""


class Old(Foreign):
    """The file is sound, but not of the study as it is now."""


def state_of(study: Study) -> State:
    """Return what the data of a study belong to."""
    blocks = [block.path.as_posix() for block in study.blocks]
    named = {"study": study.name, "tier": study.tier}
    parts = [named, study.digest, template_json(study), content_of(study), blocks]
    return named | {CURRENT: short_hash(canonical_json(parts))}


def content_of(study: Study) -> dict[str, Any]:
    """Return what goes into the data of a study and does not change its points."""
    chosen = {key: study.template[key] for key in (OBSERVABLES,) if key in study.template}
    credit = attributes_of(citation_of(study.project))
    if credit["license"] != NOT_STATED:
        chosen["credit"] = credit
    if study.derived:
        chosen["derived"] = list(study.derived.items())
    return chosen | {
        "text": [study.title, dict(study.reference), study.notes],
        "fits": [dict(fit) for fit in study.fits],
        "axes": {
            axis.name: [axis.labels, axis.natural_units, axis.long_name] for axis in study.axes
        },
    }


def write_manifest(folder: Path, state: State, names: Iterable[str]) -> None:
    """Write ``manifest.json``: the state, and the SHA-256 of each named file below ``folder``."""
    sums = {name: file_sha256(Path(folder) / name) for name in sorted(names)}
    write_text(Path(folder) / MANIFEST, sealed_text({**state, "files": sums}))


def sealed_text(content: Mapping[str, Any]) -> str:
    """Return content as JSON that carries its own SHA-256, the entry ``sha256``."""
    digest = hashlib.sha256(canonical_json(content).encode()).hexdigest()
    return json.dumps({**content, "sha256": digest}, indent=1) + "\n"


def read_sealed(path: Path) -> dict[str, Any]:
    """Read a file of ``sealed_text`` in which ``files`` has a SHA-256 for each name.

    Raises
    ------
    Missing, Damaged, StoreError
        When there is none, or it is not as it was written.
    """
    text = read_bytes(path)
    try:
        content = json.loads(text)
        digest = content.pop("sha256")
        sound = text.decode() == sealed_text(content) and isinstance(digest, str)
        sound = sound and isinstance(content["files"], dict)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise Damaged(path, "damaged or edited: its SHA-256 does not match", RERUN)
    return content


def read_manifest(folder: Path, state: State | None = None) -> dict[str, str]:
    """Return the SHA-256 of each file in a manifest, by name.

    Parameters
    ----------
    folder : Path
        The folder of the manifest.
    state : mapping, optional
        What its files must belong to.

    Raises
    ------
    Missing, Damaged, Foreign
        When there is none, it is not as it was written, or it is of another state.
    """
    path = Path(folder) / MANIFEST
    content = read_sealed(path)
    for key, expected in (state or {}).items():
        if content.get(key) != expected:
            error = Foreign if key in ("study", "tier") else Old
            of = _OF[key].format(repr(content.get(key)))
            raise error(path, of, _WAYS_OUT.get(key, AGAIN))
    return content["files"]


def vouched_faults(record: Path) -> list[StoreError]:
    """Compare the files beside a record of ``sealed_text`` with what it says of them."""
    try:
        sums = read_sealed(record)["files"]
        _require_readable(record)
    except StoreError as error:
        return [error]
    faults = [_fault(record.parent / name, sums[name], record.name) for name in sorted(sums)]
    return [fault for fault in faults if fault is not None]


def file_faults(folder: Path, state: State) -> list[StoreError]:
    """Compare the files of a folder with its manifest.

    Blocks are looked at only where there is a folder of them: an archive may leave them out.

    Returns
    -------
    list of StoreError
        One for each file that is missing, changed, damaged or of something else, the manifest
        among them.
    """
    folder = Path(folder)
    faults, sums = [], {}
    try:
        read_manifest(folder, state)
        _require_readable(folder / MANIFEST)
    except StoreError as error:
        faults.append(error)
    # The manifest of another study says nothing of the files that stand beside it.
    if all(isinstance(fault, Old) for fault in faults):
        sums = read_manifest(folder)
    if not (folder / BLOCKS).is_dir():
        sums = {name: digest for name, digest in sums.items() if not name.startswith(BLOCKS)}
    found = [_fault(folder / name, sums[name]) for name in sorted(sums)]
    # What no manifest lists has a seal: blocks of another grid and, beside a bad manifest, all.
    sealed = sorted([*folder.glob(DATA), *(folder / BLOCKS).rglob("[!.]*.nc")])
    listed = {folder / name for name in sums}
    found += [_fault(path, None) for path in sealed if path not in listed]
    faults += [fault for fault in found if fault is not None]
    for path in sorted((folder / MARKERS).glob("*")):
        if path.stat().st_size:
            faults.append(Damaged(path, "not empty, as it was written", RERUN))
    return [fault for fault in faults if fault is not None]


def named_faults(folder: Path, state: State, names: Iterable[str]) -> list[StoreError]:
    """Compare some files of a folder with its manifest, which must list them."""
    try:
        sums = read_manifest(folder, state)
    except StoreError as error:
        return [error]
    missing = [name for name in names if name not in sums]
    faults = [_fault(folder / name, sums[name]) for name in names if name in sums]
    faults += [Missing(folder / name, f"not in {MANIFEST}", AGAIN) for name in missing]
    return [fault for fault in faults if fault is not None]


def listed_fault(path: Path) -> StoreError | None:
    """Compare a file with the manifest of its folder, if there is one that lists it.

    In the results of a project the manifest must be that of the study of the folder.
    """
    path = Path(path).absolute()
    folder = next((p.parent for p in path.parents if p.name == BLOCKS[:-1]), path.parent)
    if not (folder / MANIFEST).exists() or path == folder / MANIFEST:
        return None
    owner = folder.parent if folder.name == FIGURES else folder
    file = Path("config", "studies", f"{owner.name}.yaml")
    is_project = any((root / file).is_file() for root in owner.parents)
    try:
        sums = read_manifest(folder, {"study": owner.name} if is_project else None)
    except StoreError as error:
        return error
    name = path.relative_to(folder).as_posix()
    return _fault(path, sums[name]) if name in sums else None


def _fault(path: Path, expected: str | None, record: str = MANIFEST) -> StoreError | None:
    """Return what is wrong with a file; of one without a checksum only its seal is known."""
    try:
        if expected is None or file_sha256(path) != expected:
            if path.suffix == ".nc":
                unsealed(path)
            if expected is not None:
                if path.suffix == ".nc" and path.name != DATA:
                    # Written by a run that ended before it gathered: whoever opens it judges it.
                    return Old(path, f"sound, and not the file that {record} lists", AGAIN)
                return Damaged(path, f"changed since {record} was written", RERUN)
        _require_readable(path)
    except StoreError as error:
        return error
    return None


def _require_readable(path: Path) -> None:
    # Also for an administrator, who may read what others may not.
    if path.exists() and not path.stat().st_mode & stat.S_IRUSR:
        raise StoreError(path, "its permissions do not let its owner read it", f"chmod u+r {path}")


def settle(folder: Path, state: State) -> list[str]:
    """Take out of the way what must not be used, so that this run makes it anew.

    A damaged file is renamed to ``<name>.damaged``; what is sound and of another state stays until
    it is written anew, and so does a sound block, which may be of an interrupted run.  Where
    anything is not as it should be the markers go: a file that nobody asks for is no reason for
    Snakemake to run, a missing target is.  No other run may be at work.

    Parameters
    ----------
    folder : Path
        A folder with a manifest.
    state : mapping
        What its files must belong to.

    Returns
    -------
    list of str
        One line for each file that is damaged or of something else.
    """
    lines, others = [], False
    for fault in file_faults(folder, state):
        if isinstance(fault, Old) and fault.path.name == MANIFEST:
            continue
        others = True
        # A link that leads nowhere is a missing file that stands in the way.
        if not isinstance(fault, Missing | Foreign) or fault.path.is_symlink():
            fault = set_aside(fault.path, fault.cause)
        if not isinstance(fault, Missing | Old):
            lines.append(str(fault))
    markers = folder / MARKERS
    # A marker beside files of another state is a copy; without it Snakemake sees the change.
    if others or ((markers / state[CURRENT]).exists() and not _is_of(folder, state)):
        shutil.rmtree(markers, ignore_errors=True)
    return lines


def _is_of(folder: Path, state: State) -> bool:
    try:
        read_manifest(folder, state)
    except StoreError:
        return False
    return True
