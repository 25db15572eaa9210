"""Waits at each point, and notes that it was there; is killed where the test asks for it."""

import os
import signal
import time
from pathlib import Path

from nessflow.parts import Strict, quantity
from nessflow.studies.kind import Outcome, Variable

VARIABLES = {"square": Variable((), "1", "square of the number of the point")}
CONVENTIONS = ()


class Parameters(Strict):
    """One point."""

    pause: float = quantity("seconds that the point takes", "1", ge=0)
    number: float = quantity("number of the point", "1")


def coordinates(parameters):
    """There are none."""
    return {}


def is_random(parameters):
    """Never."""
    return False


def evaluate(parameters, rng):
    """Wait, and leave a line in ``points.log`` of the working folder.

    A file ``kill-<pause>`` there is removed, and so are this process and the one that watches it,
    as when a job exceeds its memory.
    """
    order = Path(f"kill-{parameters.pause:g}")
    if order.exists():
        order.unlink()
        for process in (os.getppid(), os.getpid()):
            os.kill(process, signal.SIGKILL)
    time.sleep(parameters.pause)
    with Path("points.log").open("a") as stream:
        stream.write(f"{parameters.pause:g} {parameters.number:g}\n")
    return Outcome({"square": parameters.number**2})
