"""What was found out once about unchanged files, found again by the content of them all.

Reading and checking the studies of a project takes seconds, and each run and each job of a cluster
needs what comes of it.  That follows from the files of the configuration, those of nessflow, Python
and the packages beside it, of which there is one SHA-256 (`inputs`).  No file is taken to be what
it was because it has the same name, time or size.
"""

import contextlib
import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from nessflow.digest import SOURCE
from nessflow.store.files import StoreError, write_text


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


def inputs(root: Path, asked: str) -> Inputs | None:
    """Return what the reading of a project follows from.

    Parameters
    ----------
    root : Path
        Its folder.
    asked : str
        What is asked of it.

    Returns
    -------
    Inputs or None
        None where a file cannot be read: somebody has to say so.
    """
    installed = sorted(name for folder in sys.path for name in _distributions(folder))
    surroundings = [asked, sys.version, str(root), os.getcwd(), installed]
    sha256, states = hashlib.sha256(json.dumps(surroundings).encode()), []
    try:
        for path in _files(root):
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
    yield root / "config" / "config.yaml"
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
        Returns something that JSON can hold, and whether it may be remembered.
    """
    before = inputs(root, asked)
    with contextlib.suppress(OSError, ValueError):
        seal, _, text = path.read_text(encoding="utf-8").partition("\n")
        if before and seal == _seal(before, text):
            return json.loads(text)
    content, is_sound = find_out()
    # What was written while it was read may not be what was read.
    if before and is_sound and inputs(root, asked) == before:
        text = json.dumps(content)
        with contextlib.suppress(StoreError):
            write_text(path, f"{_seal(before, text)}\n{text}")
    return content


def _seal(of: Inputs, text: str) -> str:
    return hashlib.sha256(f"{of.sha256}\n{text}".encode()).hexdigest()
