"""What was found out once about unchanged files, found again by the content of them all.

Reading and checking the studies of a project takes seconds, and each run and each job of a cluster
needs what comes of it.  That follows from the files of the configuration, those that its studies
name, those of nessflow, Python and the packages beside it, of which there is one SHA-256
(`inputs`).  No file is taken to be what it was because it has the same name, time or size.
"""

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from nessflow.digest import SOURCE
from nessflow.store.citation import CITATION
from nessflow.store.files import StoreError, file_sha256, write_text

FILES = "files"
"""The name of what is remembered that has the files that studies name."""


class Inputs(NamedTuple):
    """What a project is made of.

    Attributes
    ----------
    sha256 : str
        Of the content of all files.
    states : tuple
        Of each file what changes when it is written, also with the same bytes.
    """

    sha256: str
    states: tuple[tuple[int, ...], ...]


def inputs(root: Path, asked: str, named: Iterable[str] = ()) -> Inputs | None:
    """Return what the reading of a project follows from.

    Parameters
    ----------
    root : Path
        Its folder.
    asked : str
        What is asked of it.
    named : iterable of str
        Files below the folder that its studies name.

    Returns
    -------
    Inputs or None
        None where a file cannot be read: somebody has to say so.
    """
    installed = sorted(name for folder in sys.path for name in _distributions(folder))
    surroundings = [asked, sys.version, str(root), os.getcwd(), installed]
    sha256, states = hashlib.sha256(json.dumps(surroundings).encode()), []
    try:
        for path in [*_files(root), *(root / name for name in sorted(named))]:
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


def _files(root: Path) -> Iterator[Path]:
    # One that is not there says nothing; a link that leads nowhere is somebody's mistake.
    yield from (root / "config").glob("config.yaml")
    yield from root.glob(CITATION)
    yield from sorted((root / "config" / "studies").glob("*.y*ml"))
    for folder, folders, names in os.walk(SOURCE / "nessflow"):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(folder, name) for name in sorted(names))


def remembered(
    path: Path, root: Path, asked: str, find_out: Callable[[], tuple[Mapping[str, object], bool]]
) -> Mapping[str, object]:
    """Return what `find_out` says of a project, without asking it where nothing has changed.

    Parameters
    ----------
    path : Path
        The file that remembers it; one that is not as it was written, or cannot be, is none.
    root : Path
        The folder of the project.
    asked : str
        What is asked of the project.
    find_out : callable
        Returns something that JSON can hold, which has the SHA-256 of each file that studies name
        (`FILES`), and whether it may be remembered.
    """
    with contextlib.suppress(OSError, ValueError, KeyError):
        seal, _, text = path.read_text(encoding="utf-8").partition("\n")
        content = json.loads(text)
        # What else they name they would do by an edit, or by a file that they name.
        now = inputs(root, asked, content[FILES])
        if now and seal == _seal(now, text):
            return content
    before = inputs(root, asked)
    content, is_sound = find_out()
    after = inputs(root, asked, content[FILES])
    # What was written while it was read may not be what was read.
    same = after and inputs(root, asked) == before and _are(root, content[FILES])
    if before and is_sound and same:
        text = json.dumps(content)
        with contextlib.suppress(StoreError):
            write_text(path, f"{_seal(after, text)}\n{text}")
    return content


def _are(root: Path, files: Mapping[str, str]) -> bool:
    with contextlib.suppress(OSError):
        return all(f"sha256:{file_sha256(root / name)}" == files[name] for name in files)
    return False


def _seal(of: Inputs, text: str) -> str:
    return hashlib.sha256(f"{of.sha256}\n{text}".encode()).hexdigest()
