"""What was found out once about unchanged studies, found again by the content of their files.

Reading and checking the studies of a project takes seconds, and each run and each job of a cluster
needs what comes of it.  For one study that follows from its file, those that it names and those of
the studies whose data its figures need, and from what all share: the settings of the project, the
files of nessflow, Python and the packages beside it.  Of these there is one SHA-256 each.  No file
is taken to be what it was because it has the same name, time or size.
"""

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nessflow.digest import SOURCE
from nessflow.store.citation import CITATION
from nessflow.store.files import StoreError, file_sha256, write_text

FILES = "files"
"""The part of what is found of a study that has the SHA-256 of each file that it names."""


class Inputs(NamedTuple):
    """What something follows from.

    Attributes
    ----------
    sha256 : str
        Of the content of all files.
    states : tuple
        Of each file what changes when it is written, also with the same bytes.
    """

    sha256: str
    states: tuple[tuple[int, ...], ...]


class Finding(NamedTuple):
    """What was found of a study.

    Attributes
    ----------
    content : mapping
        Something that JSON can hold.
    read : frozenset of str or None
        The files of the project that it follows from; None where one of them has a fault.
    """

    content: Mapping[str, Any]
    read: frozenset[str] | None


class Memory:
    """What was found out of the studies of a project, one by one.

    Parameters
    ----------
    path : Path
        The file that remembers it; one that is not as it was written, or cannot be, is none.
    root : Path
        The folder of the project.
    asked : str
        What was asked of each study.
    """

    def __init__(self, path: Path, root: Path, asked: str):
        self._path, self._root, self._entries = path, root, {}
        installed = sorted(name for folder in sys.path for name in _distributions(folder))
        surroundings = [asked, sys.version, str(root), os.getcwd(), installed]
        self._surroundings = json.dumps(surroundings)
        self._shared = inputs(self._surroundings, _shared(root))
        with contextlib.suppress(OSError, ValueError):
            self._entries = dict(json.loads(path.read_text(encoding="utf-8")))

    def found(self, name: str) -> Mapping[str, Any] | None:
        """Return what was found of a study; None where something that it follows from has changed.

        The name may be empty: for what follows from nothing but what all studies share.
        """
        # What damaged files, and those of other versions, have is not what is looked for.
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
            entry = self._entries[name]
            seal = self._seal(name, entry["read"], entry["text"])
            if seal is not None and seal == entry["seal"]:
                return json.loads(entry["text"])
        return None

    def state(self) -> Inputs | None:
        """Return what all studies follow from that may be written while they are read."""
        return inputs(self._surroundings, [*_shared(self._root), *_studies(self._root)])

    def keep(self, findings: Mapping[str, Finding], before: Inputs | None) -> None:
        """Remember what was found of some studies.

        Parameters
        ----------
        findings : mapping of str to Finding
            By study; those that follow from files with faults are not remembered.
        before : Inputs or None
            The state before they were read: what was written meanwhile may not be what was read.
        """
        if before is None or self.state() != before:
            return
        there = {"", *(path.stem for path in _studies(self._root))}
        entries = {name: entry for name, entry in self._entries.items() if name in there}
        for name, (content, read) in findings.items():
            text = json.dumps(content)
            if read is None:
                continue
            seal = self._seal(name, read, text)
            if seal is not None and _are(self._root, content.get(FILES, {})):
                entries[name] = {"read": sorted(read), "text": text, "seal": seal}
        with contextlib.suppress(StoreError):
            write_text(self._path, json.dumps(entries))

    def _seal(self, name: str, read: Iterable[str], text: str) -> str | None:
        own = inputs(f"{name}\n{text}", (self._root / each for each in sorted(read)))
        if self._shared is None or own is None:
            return None
        return hashlib.sha256(f"{self._shared.sha256}\n{own.sha256}".encode()).hexdigest()


def inputs(beside: str, paths: Iterable[Path]) -> Inputs | None:
    """Return what follows from a text and some files; None where one of these cannot be read.

    Then somebody has to say so.
    """
    sha256, states = hashlib.sha256(beside.encode()), []
    try:
        for path in paths:
            state = os.stat(path)
            # Opening a pipe would wait for its writer.
            if not stat.S_ISREG(state.st_mode):
                return None
            content = path.read_bytes()
            sha256.update(f"\n{path} {len(content)}\n".encode() + content)
            states.append((state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns))
    except (OSError, ValueError):
        return None
    return Inputs(sha256.hexdigest(), tuple(states))


def _distributions(folder: str) -> Iterator[str]:
    """Yield name and version of the packages in a folder, as their metadata are called."""
    with contextlib.suppress(OSError):
        yield from (name for name in os.listdir(folder or ".") if name.endswith("-info"))


def _shared(root: Path) -> Iterator[Path]:
    # One that is not there says nothing; a link that leads nowhere is somebody's mistake.
    yield from (root / "config").glob("config.yaml")
    yield from root.glob(CITATION)
    for folder, folders, names in os.walk(SOURCE / "nessflow"):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(folder, name) for name in sorted(names))


def _studies(root: Path) -> list[Path]:
    return sorted((root / "config" / "studies").glob("*.y*ml"))


def _are(root: Path, files: Mapping[str, str]) -> bool:
    with contextlib.suppress(OSError):
        return all(f"sha256:{file_sha256(root / name)}" == files[name] for name in files)
    return False
