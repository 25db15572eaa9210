"""Files of matrices: where they may be, what is in them, and by which content numbers know them."""

import hashlib
import importlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from scipy.sparse import issparse

from nessflow.errors import nearest
from nessflow.matrix import Content
from nessflow.registry import Source, project

FILE_KEYS = ("file", "path")
"""Keys whose texts are paths of files; their content makes numbers old, their names do not."""
_ENDINGS = {
    ".npz": "npz",
    ".mtx": "mtx",
    "_hr.dat": "wannier90",
    ".TSHS": "sisl",
    ".HSX": "sisl",
    ".nc": "sisl",
}
_READERS = {
    "npz": "npz",
    "mtx": "matrix_market",
    "wannier90": "wannier90",
    "sisl": "by_sisl",
}
READERS = tuple(
    Source(f"nessflow.config.matrices.{name}", Path(), "the package")
    for name in ("reading", *_READERS.values())
)
"""What numbers from files depend on, beside these."""
_PLACE = "a file below the folder of the project, such as data/wire.npz"
_read: dict[tuple, Content] = {}
_LAST = 16
"""Files that are kept as they were read."""


def content_of(path: str, format: str | None = None) -> Content:
    """Return what a file of the project holds, see `nessflow.matrix.content_of`.

    A file that is as it was is not read again by the same process.
    """
    full = _place(path)
    before = _state(full, path)
    key = full, format, before
    if key in _read:
        return _read[key]
    form = format or next((form for end, form in _ENDINGS.items() if path.endswith(end)), None)
    if form is None:
        endings = ", ".join(_ENDINGS)
        raise ValueError(
            f"{path}: its ending tells no format; expected one of {endings}, or the format: "
            f"{', '.join(_READERS)}"
        )
    content = _bytes(full, path)
    reader = importlib.import_module(f"nessflow.config.matrices.{_READERS[form]}")
    try:
        found = reader.read(full, content)
    except MemoryError:
        raise ValueError(f"{path}: what it says to hold does not fit into memory") from None
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}{_separated(error)}") from None
    found = Content(
        path,
        len(content),
        hashlib.sha256(content).hexdigest(),
        {name: _checked(path, name, matrix) for name, matrix in found.get("matrices", {}).items()},
        found.get("blocks", {}),
        found.get("remarks", ()),
    )
    if _state(full, path) != before:
        raise ValueError(f"{path}: it was written while it was read; try again")
    while len(_read) >= _LAST:
        _read.pop(next(iter(_read)))
    _read[key] = found
    return found


def with_contents(values: object, key: object = "") -> Any:
    """Return nested values with the content of each file in place of its name.

    Parameters
    ----------
    values : object
        Mappings, of dotted keys too, and lists.
    key : object
        Where they stand.

    Returns
    -------
    object
        The same; a text at one of `FILE_KEYS` that is the path of a file is its SHA-256.
    """
    if isinstance(values, Mapping):
        return {name: with_contents(value, name) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [with_contents(value) for value in values]
    if isinstance(values, str) and str(key).rpartition(".")[2] in FILE_KEYS:
        return digests([values]).get(values, values)
    return values


def bytes_of(path: str) -> bytes:
    """Return what is in a file below the folder of the project.

    Raises
    ------
    ValueError
        When there is none, or it cannot be read.
    """
    full = _place(path)
    _state(full, path)
    return _bytes(full, path)


_digested: dict[tuple, str] = {}


def digests(paths: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of those paths that are files of the project, as ``sha256:...``."""
    found = {}
    for path in paths:
        try:
            full = _place(path)
            key = full, _state(full, path)
            if key not in _digested:
                _digested[key] = hashlib.sha256(_bytes(full, path)).hexdigest()
        except ValueError:
            # Whoever needs it says what is wrong with it.
            continue
        found[path] = f"sha256:{_digested[key]}"
    return found


def _named_files(values: object, key: object = "") -> list[str]:
    """Return each text in nested values that stands at one of `FILE_KEYS`.

    Parameters
    ----------
    values : object
        Mappings, of dotted keys too, and lists.
    key : object
        Where they stand.
    """
    if isinstance(values, str):
        return [values] if str(key).rpartition(".")[2] in FILE_KEYS else []
    if isinstance(values, Mapping):
        return [path for name, value in values.items() for path in _named_files(value, name)]
    if isinstance(values, list | tuple):
        return [path for value in values for path in _named_files(value)]
    return []


def files_of(values: object) -> dict[str, str]:
    """Return the files of the project that nested values name, and the SHA-256 of each."""
    return digests(sorted(set(_named_files(values))))


def _place(path: str) -> Path:
    parts = PurePosixPath(path).parts
    if path.startswith(("/", "~")) or ".." in parts or "\0" in path or "$" in path:
        raise ValueError(f"{path}: expected {_PLACE}; copy it, or link to it, there")
    return project() / path


def _state(full: Path, path: str) -> tuple[int, ...]:
    try:
        state = os.stat(full)
    except FileNotFoundError:
        near = [entry.name for entry in full.parent.glob("*")] if full.parent.is_dir() else []
        hint = nearest(full.name, near) or f"expected {_PLACE}"
        raise ValueError(f"{path}: there is no such file in {project()}; {hint}") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    # Opening a pipe would wait for its writer.
    if not full.is_file():
        raise ValueError(f"{path}: it is no file; expected {_PLACE}")
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _bytes(full: Path, path: str) -> bytes:
    try:
        return full.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None


def _separated(error: Exception) -> str:
    """Return the text of an error behind the path: ``, line 3: ...`` or ``: ...``."""
    text = str(error) or type(error).__name__
    return f", {text}" if text.startswith("line ") else f": {text}"


def _checked(path: str, name: str, matrix: Any) -> Any:
    """Return a matrix of finite float or complex elements."""
    what = f"{path}: {name or 'the matrix'}"
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{what} has the shape {matrix.shape}; expected rows and columns")
    if matrix.dtype.kind not in "biufc":
        raise ValueError(f"{what} has elements of type {matrix.dtype}; expected numbers")
    matrix = matrix.astype(complex if matrix.dtype.kind == "c" else float)
    values = matrix.data if issparse(matrix) else matrix
    if not np.isfinite(values).all():
        elements = matrix.tocoo() if issparse(matrix) else None
        if elements is None:
            i, j = map(int, np.argwhere(~np.isfinite(matrix))[0])
        else:
            k = int(np.argmin(np.isfinite(elements.data)))
            i, j = (int(at[k]) for at in elements.coords)
        raise ValueError(f"{what}: the element [{i + 1},{j + 1}] = {matrix[i, j]} is not finite")
    return matrix
