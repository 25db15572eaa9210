"""Files written as a whole or not at all, and read as what they are or not at all.

Written beside the target under another name, synced, read back, then renamed: a file with its
final name is complete.
"""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from glob import escape
from pathlib import Path

_SEAL = b"\nsha256 "
RERUN = "remove this file and run again: it is computed anew"
_WAYS_OUT = {
    errno.ENOSPC: "free some space and run again: what is finished is kept",
    errno.EDQUOT: "free some of your quota and run again: what is finished is kept",
    errno.EFBIG: "free space or raise the limit, then run again: what is finished is kept",
    errno.EACCES: "make the folder writable or choose another results folder",
    errno.EPERM: "make the folder writable or choose another results folder",
    errno.EROFS: "choose a results folder that is not mounted read-only",
}


class StoreError(Exception):
    """A file that cannot be written or must not be served: which, why, and the way out."""

    def __init__(self, path: Path, cause: str, way_out: str):
        self.path, self.cause, self.way_out = Path(path), cause, way_out
        super().__init__(f"{path}: {cause}; {way_out}")


class Missing(StoreError):
    """There is no such file."""


class Damaged(StoreError):
    """The content is not what was written: the file must not be served."""


# Writing


def write_atomically(
    path: Path,
    writer: Callable[[Path], None],
    check: Callable[[Path], object] | None = None,
) -> None:
    """Write a file so that its final name never shows anything but a complete file.

    Parameters
    ----------
    path : Path
        The target; its folder is made when missing.
    writer : callable
        Writes the file at the path it is given, which has the suffix of the target.
    check : callable, optional
        Reads the written file and raises when it is not what was meant.

    Raises
    ------
    StoreError
        When the disk refuses; the target is then what it was before.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(temporary)
        _sync(temporary)
        if check is not None:
            check(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno or 0, "check the disk and run again")
        raise StoreError(path, f"cannot write: {error.strerror or error}", way_out) from error
    except StoreError as error:
        cause = f"what was written does not read back: {error.cause}"
        raise StoreError(path, cause, "check the disk and run again") from error
    finally:
        remove(temporary)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    data = text.encode()
    write_atomically(path, lambda temporary: write_bytes(temporary, data))


def set_aside(
    path: Path, reason: str, name: str = "", then: str = "to be computed anew"
) -> StoreError:
    """Rename a file that must not be used, so that the next plain run computes it anew.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        Why it must not be used.
    name : str, optional
        Its new name; ``<name>.damaged`` by default.
    then : str
        What comes of it.

    Returns
    -------
    StoreError
        What to tell the user.
    """
    path = Path(path)
    name = name or f"{path.name}.damaged"
    try:
        os.replace(path, path.with_name(name))
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno or 0, RERUN)
        return StoreError(path, f"{reason}, and cannot rename: {error.strerror}", way_out)
    return StoreError(path, reason, f"renamed to {name}, {then}")


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left below ``folder``, and what was set aside and is there anew.

    No writer may be at work.
    """
    for pattern in (".*.tmp*", "*.damaged", "*.stale"):
        for path in Path(folder).rglob(pattern):
            remove(path)


def remove_temporaries(path: Path) -> None:
    """Remove what killed writers of a file left beside it; no writer of it may be at work."""
    for left in path.parent.glob(f".{escape(path.stem)}.*.tmp{escape(path.suffix)}"):
        remove(left)


def remove(path: Path) -> None:
    """Remove a file that is of no use any more, if that is possible."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a new file."""
    with open(path, "xb") as file:
        file.write(data)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder, and need not.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


# Reading


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    Missing, StoreError
        When there is no such file, or it cannot be read.
    """
    with _reading(path):
        return Path(path).read_bytes()


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Missing(path, "no such file", "run again: it is computed anew") from None
    except OSError as error:
        raise StoreError(
            path, f"cannot read: {error.strerror or error}", "make the file readable"
        ) from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; it need not fit into memory."""
    with _reading(path), open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# Seals: the SHA-256 of a file at its own end


def seal(image: bytes) -> bytes:
    """Return the seal of a file: it follows the last byte."""
    return _SEAL + hashlib.sha256(image).hexdigest().encode()


def unsealed(path: Path) -> bytes:
    """Read a file that ends in its seal; return what stands before it.

    Raises
    ------
    Missing, Damaged, StoreError
        As ``read_bytes``, and when the seal does not hold.
    """
    image = read_bytes(path)
    end = len(image) - len(seal(b""))
    if image[:3] == b"CDF":
        raise Damaged(path, "a NetCDF-3 file, which has no checksums", RERUN)
    if end < 0 or not image.startswith(_SEAL, end):
        raise Damaged(path, "cut short, or not written by nessflow", RERUN)
    if image[end:] != seal(image[:end]):
        raise Damaged(path, "damaged or edited: its SHA-256 does not match", RERUN)
    return image[:end]
