"""One run at a time in a results folder, one process at a time for a block."""

import errno
import fcntl
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS)
_held: dict[Path, Any] = {}


class LockError(Exception):
    """Another process holds the run lock, or the lock file cannot be written."""


def hold_run_lock(folder: Path) -> None:
    """Hold ``<folder>/.lock`` for the life of this process.

    The kernel releases the lock when the process ends, however it ends, so that a killed run
    leaves nothing to clean.  On a file system without locks the run goes on, with a warning.

    Parameters
    ----------
    folder : Path
        The results folder; made when missing.

    Raises
    ------
    LockError
        At once when another process holds the lock, naming its host and process id; or when the
        folder cannot be written.
    """
    path = Path(folder) / ".lock"
    if path in _held:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Python opens files close-on-exec: the jobs of a killed run do not keep its lock.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise LockError(
            f"{path}: {error.strerror}; make the folder writable or choose another one"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 256).decode(errors="replace").strip()
        os.close(descriptor)
        raise LockError(
            f"{path}: another run is at work here ({holder or 'unknown process'}); "
            "wait for it to end, or end it and run again"
        ) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            os.close(descriptor)
            raise LockError(f"{path}: {error.strerror}") from error
        warnings.warn(
            f"{path}: this file system has no locks; do not start two runs in this folder",
            stacklevel=2,
        )
    # For people alone: a full disk takes no lock away.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"host {socket.gethostname()}, pid {os.getpid()}\n".encode())
    _held[path] = descriptor


@contextmanager
def sole_writer(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Keep other processes from computing a file that this one computes.

    A job that outlived its run and the job of the next run that wants the same file would do the
    work twice; the later one waits, and finds it done.  The file is safe without, so that a file
    system without locks, or a folder that cannot be written, is not an error here.

    Parameters
    ----------
    path : Path
        The file.
    on_wait : callable
        Called when another process is at work.
    """
    lock = path.with_name(f".{path.stem}.lock")
    descriptor = None
    with suppress(OSError):
        descriptor = _locked(lock, on_wait)
    try:
        yield
    finally:
        if descriptor is not None:
            try:
                with suppress(OSError):
                    os.unlink(lock)
            finally:
                os.close(descriptor)


def _locked(path: Path, on_wait: Callable[[], None]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        # The process before may have removed the file that this one waited for.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)
