"""Numbers as parameters: evenly spaced, or a list of them; sites, a range or a list of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from nessflow.parts import KeyedError, Strict, quantity

_MOST = 100_000
MOST_SITES = 10_000_000
"""Largest number of a site."""


class Grid(Strict):
    """Evenly spaced numbers, start and stop given by a subclass."""

    points: int = Field(401, ge=2, le=_MOST, description="number of points")

    if TYPE_CHECKING:

        @property
        def start(self) -> float:
            """First number."""

        @property
        def stop(self) -> float:
            """Last number."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if not self.start < self.stop:
            raise KeyedError(f"start {self.start:g} is not below stop {self.stop:g}", "stop")
        return self

    def values(self) -> np.ndarray:
        """Return the numbers, (points,)."""
        return np.linspace(self.start, self.stop, self.points)


def _each_once(numbers: tuple[float, ...]) -> tuple[float, ...]:
    seen: set[float] = set()
    for place, number in enumerate(numbers):
        if number in seen:
            raise KeyedError(f"{number:.12g} is listed twice", place)
        seen.add(number)
    return numbers


Listed = Annotated[
    tuple[float, ...], Field(min_length=1, max_length=_MOST), AfterValidator(_each_once)
]
"""Numbers in any order, no two of them equal; what a parameter takes beside a `Grid`."""


def numbers_of(given: Grid | tuple[float, ...]) -> np.ndarray:
    """Return the numbers of a grid or a list, in its order, (points,)."""
    return given.values() if isinstance(given, Grid) else np.array(given, float)


class EnergyGrid(Grid):
    """Evenly spaced energies."""

    start: float = quantity("first energy", "t", examples=[-2])
    stop: float = quantity("last energy", "t", examples=[2])
    points: int = Field(description="number of energies", ge=2, le=_MOST, examples=[101])


def listed(sites: object) -> object:
    """Return the list of sites that {start, stop, step} stands for; anything else as it is."""
    if not isinstance(sites, Mapping):
        return tuple(sites) if isinstance(sites, list) else sites
    numbers = [sites.get("start"), sites.get("stop"), sites.get("step", 1)]
    whole = all(isinstance(n, int | float) and n % 1 == 0 and 1 <= n <= MOST_SITES for n in numbers)
    if not whole or sites.keys() - {"start", "stop", "step"}:
        raise ValueError(
            "expected a list of sites, or {start: , stop: , step: } with whole numbers "
            f"from 1 to {MOST_SITES}"
        )
    start, stop, step = map(int, numbers)
    if stop < start:
        raise ValueError(f"no sites: stop {stop} is below start {start}")
    return tuple(range(start, stop + 1, step))


RANGE: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("start", "stop", "step")},
    "required": ["start", "stop"],
    "additionalProperties": False,
}
"""JSON Schema of a range of sites."""


def require_different(sites: Sequence[int], what: str) -> None:
    """Check that each site stands once in a list.

    Raises
    ------
    KeyedError
        At the second mention of a site.
    """
    seen = set()
    for number, site in enumerate(sites):
        if site in seen:
            raise KeyedError(f"site {site}: {what}", number)
        seen.add(site)
