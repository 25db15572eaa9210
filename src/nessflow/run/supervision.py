"""A small process watches the one that computes a block: a deadly point costs itself alone.

Crashes of compiled code and the kernel's answer to too much memory cannot be caught in the process
that they end.  The one that is left knows which point was being computed, and starts another.
"""

import faulthandler
import mmap
import os
import signal
import struct
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

_NONE, _SEVERAL = -1, -2
_PART = 2**32
"""More than any number of points of one block."""
_FORWARDED = (signal.SIGTERM, signal.SIGINT)
_CELL = struct.Struct("q")


@dataclass(frozen=True)
class Watch:
    """What a process tells the one that watches it, and what it was told.

    ``again`` and ``lost`` have the numbers of points during which earlier processes died, once or
    twice, with the name of the last signal; ``alone`` says that one died when it computed several
    points together.
    """

    again: Mapping[int, str] = field(default_factory=dict)
    lost: Mapping[int, str] = field(default_factory=dict)
    alone: bool = False
    _first: int = 0
    _cell: mmap.mmap | bytearray = field(default_factory=lambda: bytearray(_CELL.size), repr=False)

    def part(self, number: int) -> "Watch":
        """Return the watch of one of several blocks that are computed one after another."""
        first = number * _PART

        def own(found: Mapping[int, str]) -> dict[int, str]:
            return {x - first: found[x] for x in found if first <= x < first + _PART}

        return replace(self, again=own(self.again), lost=own(self.lost), _first=first)

    def at(self, point: int) -> None:
        """Tell which point is computed from now on."""
        _CELL.pack_into(self._cell, 0, self._first + point)

    def at_several(self) -> None:
        """Tell that several points are computed together from now on."""
        _CELL.pack_into(self._cell, 0, _SEVERAL)

    def at_none(self) -> None:
        """Tell that no point is computed from now on."""
        _CELL.pack_into(self._cell, 0, _NONE)


def watched() -> Watch:
    """Go on in a child process, which this one watches and whose exit status it takes over.

    A child that dies of a signal while it computes points is followed by another one, which is told
    so.  SIGTERM and SIGINT go to the child; one that dies of these, or between points, has no
    successor.  A child whose parent is killed is sent SIGTERM, and saves what it has.

    Returns
    -------
    Watch
        In each child; in the process that calls it never.

    Raises
    ------
    SystemExit
        In the process that calls it, with the status of the last child or 128 + its signal.
    """
    cell = mmap.mmap(-1, _CELL.size)
    again: dict[int, Any] = {}
    lost: dict[int, Any] = {}
    alone = False
    while True:
        watch = Watch(dict(again), dict(lost), alone, _cell=cell)
        watch.at_none()
        sys.stdout.flush()
        sys.stderr.flush()
        end, kept = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(kept)
            threading.Thread(target=_stop_at_end_of, args=[end], daemon=True).start()
            faulthandler.enable()
            return watch
        os.close(end)
        status, stopped = _ended(child)
        os.close(kept)
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))
        signum = os.WTERMSIG(status)
        (point,) = _CELL.unpack_from(cell)
        if stopped or signum in _FORWARDED or point == _NONE:
            sys.exit(128 + signum)
        if point == _SEVERAL:
            alone = True
        elif point in again:
            lost[point] = signal.Signals(signum).name
        else:
            again[point] = signal.Signals(signum).name


def _stop_at_end_of(pipe: int) -> None:
    """Send this process SIGTERM when nobody holds the other end of a pipe any more."""
    with suppress(OSError):
        os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _ended(child: int) -> tuple[int, bool]:
    """Wait for a child; return how it ended and whether it was sent a signal from here."""
    stopped = []

    def forward(signum: int, frame: object) -> None:
        stopped.append(signum)
        os.kill(child, signum)

    previous = {each: signal.signal(each, forward) for each in _FORWARDED}
    try:
        return os.waitpid(child, 0)[1], bool(stopped)
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
