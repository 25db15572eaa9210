"""Some points of this kind end the process that computes them."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from nessflow.parts import Strict, quantity
from nessflow.studies.kind import Outcome, Variable

VARIABLES = {"square": Variable((), "1", "square of the number of the point")}
CONVENTIONS = ()


class Parameters(Strict):
    """One point."""

    number: int = quantity("number of the point", "1")


def coordinates(parameters):
    """There are none."""
    return {}


def is_random(parameters):
    """Never."""
    return False


def evaluate(parameters, rng):
    """Do what is asked for the point in a file of the working folder: crash, wait, fail."""
    with Path("points.log").open("a") as stream:
        stream.write(f"{parameters.number}\n")
    order = Path(f"order-{parameters.number}")
    match order.read_text() if order.exists() else "":
        case "crash":
            ctypes.string_at(0)
        case "memory":
            os.kill(os.getpid(), signal.SIGKILL)
        case "once":
            order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            time.sleep(60)
        case "exit":
            sys.exit("enough")
        case "error":
            raise ZeroDivisionError("no number")
    return Outcome({"square": float(parameters.number**2)})
