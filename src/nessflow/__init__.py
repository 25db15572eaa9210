"""Currents, noise and entropy production of open quantum systems over parameter grids.

What a notebook needs is here, and loaded when it is first used.  Importing it sets the linear
algebra of numpy and scipy to one thread (`nessflow.solvers.threads`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nessflow.solvers.threads import set_one_thread

if TYPE_CHECKING:
    from nessflow.library import (
        System,
        channels,
        disorder,
        lattices,
        leads,
        load,
        physical,
        point,
        shapes,
        solve,
        study,
        table,
        transmission,
    )

__version__ = "0.1.0"
__license__ = "BSD-3-Clause"
SNAKEFILE = str(Path(__file__).parent / "workflow" / "Snakefile")
"""What the Snakefile of a project includes."""
__all__ = [
    "System",
    "channels",
    "disorder",
    "lattices",
    "leads",
    "load",
    "physical",
    "point",
    "shapes",
    "solve",
    "study",
    "table",
    "transmission",
]

set_one_thread()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'nessflow' has no attribute {name!r}")
    from nessflow import library

    return getattr(library, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
