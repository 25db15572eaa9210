"""Memory that a process gives back it has to ask for again: arrays over energies come and go.

By default the C library of Linux hands arrays of some 100 kB and more back to the kernel whenever
they are freed, and every page of the next one is cleared at its first use, which takes several
times as long as what is computed on it.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of ``malloc.h``."""
_KEPT = 256 * 2**20
"""Bytes of freed memory that a process keeps at most."""
_LARGEST = 32 * 2**20
"""Bytes of arrays that may lie in it."""


def keep_freed_memory() -> None:
    """Keep what arrays leave behind for the next ones; nothing where there is no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGEST)
