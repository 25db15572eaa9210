"""How far a run is, as people want to know it: what is done, what failed, what is left."""

import shutil
import time
from typing import TextIO

FIRST_LINE_SECONDS = 5.0
NEXT_LINE_SECONDS = 10.0
_NEXT_FRAME_SECONDS = 0.1
_WIDTH = 24
"""Characters of the bar itself."""


class Progress:
    """Counts points and says how far they are.

    On a terminal that is one line that changes, below all others; elsewhere a line after some
    seconds and then now and again.

    Parameters
    ----------
    stream : TextIO
        Where it is said.
    unit : str, optional
        What is counted.  Of what failed there are points alone.
    """

    def __init__(self, stream: TextIO, unit: str = "points"):
        self.stream, self.unit, self.is_terminal = stream, unit, stream.isatty()
        self.total = self.done = self.computed = self.failed = 0
        self.doing = self._shown = ""
        self._first: tuple[float, int] | None = None
        self._next = 0.0 if self.is_terminal else time.monotonic() + FIRST_LINE_SECONDS

    def count(self, kept: int = 0, computed: int = 0, failed: int = 0) -> None:
        """Count points that are done: kept as they were, or computed; some of them failed."""
        now = time.monotonic()
        self.done += kept + computed
        self.computed += computed
        self.failed += failed
        # Kernels are compiled during the first points, which say nothing about the others.
        if computed and self._first is None:
            self._first = now, self.computed
        if now >= self._next:
            self._show(now)

    def at(self, doing: str) -> None:
        """Say what is made from now on."""
        self.doing = doing
        if self.is_terminal:
            self._show(time.monotonic())

    def say(self, line: str) -> None:
        """Print a line, above that of the points."""
        shown = self._shown
        self.end()
        self._write(f"{line}\n")
        if shown:
            self._put(shown)

    def end(self) -> None:
        """Take away the line of the points from a terminal."""
        if self._shown:
            self._put("")

    def line(self, now: float) -> str:
        """Return what is known of the points, at a time of the monotonic clock."""
        share = self.done / self.total if self.total else 1.0
        parts = [f"{self.done} of {self.total} {self.unit} ({100 * share:.0f} %)"]
        if self.failed:
            parts.append(f"{self.failed} points failed")
        left = self.total - self.done
        if left > 0 and self._first and self.computed > self._first[1]:
            since, before = self._first
            parts.append(f"{span((now - since) / (self.computed - before) * left)} left")
        return ", ".join(parts)

    def _show(self, now: float) -> None:
        self._next = now + (_NEXT_FRAME_SECONDS if self.is_terminal else NEXT_LINE_SECONDS)
        if not self.is_terminal:
            self._write(f"{'; '.join(filter(None, [self.line(now), self.doing]))}\n")
            return
        full = round(_WIDTH * self.done / self.total) if self.total else _WIDTH
        bar = f"{'━' * full}{' ' * (_WIDTH - full)}"
        self._put("  ".join(filter(None, [bar, self.line(now), self.doing])))

    def _put(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        self._write(f"\r\x1b[K{text}")
        self._shown = text

    def _write(self, text: str) -> None:
        # Nothing is lost where nobody listens, or in an encoding without lines for bars.
        try:
            self.stream.write(text)
            self.stream.flush()
        except UnicodeEncodeError:
            self.stream.write(text.encode("ascii", "replace").decode())
        except (OSError, ValueError):
            self.is_terminal, self._next = False, float("inf")


def span(seconds: float) -> str:
    """Return a duration as text: ``about 3 min``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {seconds:.0f} s"
