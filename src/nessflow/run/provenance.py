"""Where a dataset comes from: study, source, versions; nothing of the host and no time."""

import functools
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nessflow
from nessflow.config.grid import Labels, canonical_json
from nessflow.config.study import OBSERVABLES, Study, template_json
from nessflow.registry import project
from nessflow.store.citation import CREDIT, attributes_of, citation_of
from nessflow.store.store import RECORD
from nessflow.validation import with_whole_numbers

_NUMBERS = ("numpy", "scipy", "xarray", "netcdf4", "numba")
TRIAL = "try"
"""Tier of what `nessflow try` makes, which is no result."""
_UNKNOWN = "unknown"
_DEFINED = (OBSERVABLES, "axes", "derived", "files")
_JSON = ("parameters", *_DEFINED, "versions")
_WHOLE = ("seed", "git_dirty")
_SAID = ("title", "references", *RECORD, *CREDIT, *_DEFINED, *_WHOLE, "content_sha256")


def provenance(study: Study, outer: Labels | None = None) -> dict[str, str | int]:
    """Return the global attributes that say where data come from.

    Parameters
    ----------
    study : Study
        The checked study.
    outer : mapping of str to str, optional
        Labels of the outer axes, for the data of one block; else the axes are recorded too.
    """
    commit, dirty = git_state(study.project)
    attributes = {
        **definition(study, outer),
        "title": study.title,
        "summary": " ".join(study.notes.split()) or study.title,
        "keywords": ", ".join(
            filter(None, ("open quantum systems", study.kind_name, study.reference.get("paper")))
        ),
        "references": reference_text(study.reference),
        "command": command(study.name, study.tier),
        **attributes_of(citation_of(study.project)),
        "nessflow_version": nessflow.__version__,
        "versions": versions(),
        "lock_sha256": lock_sha256(study.project),
        "git_commit": commit,
        "git_dirty": dirty,
    }
    if study.ensemble is not None:
        attributes["seed"] = study.ensemble.seed
    if study.files:
        attributes["files"] = canonical_json(study.files)
    return {name: value for name, value in attributes.items() if value not in (None, "")}


def definition(study: Study, outer: Labels | None = None) -> dict[str, str]:
    """Return the attributes by which data belong to a study, in the way of ``provenance``."""
    attributes = {
        "study": study.name,
        "kind": study.kind_name,
        "tier": study.tier,
        "parameters": template_json(study, outer),
        "source_digest": study.digest,
    }
    if OBSERVABLES in study.template:
        attributes[OBSERVABLES] = canonical_json(with_whole_numbers(study.template[OBSERVABLES]))
    if outer is None:
        attributes["axes"] = canonical_json({axis.name: axis.labels for axis in study.axes})
        if study.derived:
            attributes["derived"] = canonical_json(list(study.derived.items()))
        if study.fits:
            attributes["fits"] = canonical_json([dict(fit) for fit in study.fits])
    return attributes


def command(study: str, tier: str) -> str:
    """Return what computes and draws a study again, and only what is not there already."""
    if tier == TRIAL:
        return f"nessflow try {study}"
    return f"snakemake --cores all {study} --config tier={tier}"


def record_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance in the attributes of a dataset, texts in JSON opened."""
    record = {key: attributes[key] for key in _SAID if key in attributes}
    opened = {key: json.loads(record[key]) for key in _JSON if key in record}
    numbers = {key: int(record[key]) for key in _WHOLE if key in record}
    return record | opened | numbers


def reference_text(reference: Mapping[str, str]) -> str:
    """Return the reference of a study as one line: ``paper: x, figure: 2(c,d)``."""
    return ", ".join(f"{key}: {value}" for key, value in reference.items() if value)


def origins_json(origins: Iterable[str]) -> str:
    """Return distinct origins, each the JSON of ``origin``, as one JSON list."""
    return f"[{','.join(sorted(set(origins)))}]"


def origins_of(attributes: Mapping[str, Any]) -> set[str]:
    """Return the origins that the attribute ``origins`` of a dataset lists."""
    return {canonical_json(origin) for origin in json.loads(attributes["origins"])}


def origin() -> str:
    """Return which commit and which libraries compute points now, as JSON."""
    commit, dirty = git_state(project())
    found = {
        "git_commit": commit,
        "git_dirty": dirty,
        "lock_sha256": lock_sha256(project()),
        "nessflow_version": nessflow.__version__,
        "versions": json.loads(versions()),
    }
    return canonical_json({key: value for key, value in found.items() if value is not None})


@functools.cache
def versions(libraries: Iterable[str] = _NUMBERS) -> str:
    """Return the versions of Python and of libraries, by default those of the numbers, as JSON."""
    found = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = _UNKNOWN
    return canonical_json(found)


@functools.cache
def lock_sha256(root: Path) -> str:
    """Return the SHA-256 of the locked environment of a project, ``unknown`` without one."""
    path = root / "envs" / "requirements.lock"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else _UNKNOWN


@functools.cache
def git_state(root: Path) -> tuple[str, int | None]:
    """Return the commit of a project and 1 where it has changes beside results, else 0.

    The project may be a folder of a larger checkout, whose other folders do not count.
    ``("unknown", None)`` without git or where it knows no file of the project, None for the changes
    where git cannot tell: nobody knows then whether the source is that of a commit.
    """
    top, commit = _git(root, "rev-parse", "--show-toplevel", "HEAD") or ("", "")
    if not top or not _git(root, "ls-files", "--", "."):
        return _UNKNOWN, None
    status = ("status", "--porcelain", "-z", "--no-renames", "-uall", "--", ".", ":!results")
    found = _git(root, *status)
    if found is None:
        return commit, None
    changes = "\n".join(found).split("\0")
    return commit, int(not all(_is_new_link(Path(top), line) for line in filter(None, changes)))


def _is_new_link(top: Path, change: str) -> bool:
    """Tell whether git does not know a link to a folder: results on another disk, no source."""
    path = top / change[3:]
    return change.startswith("??") and path.is_symlink() and path.is_dir()


def _git(root: Path, *arguments: str) -> list[str] | None:
    """Return the lines that git prints, None when it fails."""
    command = ["git", "-C", str(root), "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return os.fsdecode(done.stdout).splitlines()
