"""Parameters of sources and drains of given currents, by name, for the classical models."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, field_validator, model_validator

from nessflow.estimate import Estimate, stacked
from nessflow.grids import RANGE, listed, require_different
from nessflow.parts import KeyedError, Strict, quantity
from nessflow.studies.kind import COVARIANCE, NOT_NEGATIVE, SECOND_LAW, Coordinate, Variable
from nessflow.studies.variables import with_errors

DIRECTIONS = ("forward", "reverse")
ENDS = ("left", "right")

CONVENTIONS = (
    "Reverse bias: the values of the left and the right end exchanged, sources and drains as they "
    "are.",
    "A terminal's current counts from the terminal into the system; a named group of sources or "
    "drains is one terminal; all terminals' currents sum to zero.  Bond x lies between the sites "
    "x and x + 1; its current counts to the right.",
    "Nonreciprocity |I(reverse)| - |I(forward)|, nonreciprocal current -(I(reverse) + I(forward)), "
    "I the left terminal's current: equal as long as the forward current has not changed its sign.",
    "Noise: zero frequency, symmetrised, no factor 2.",
)


class Injection(Strict):
    """Sites that each receive the same current."""

    sites: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        BeforeValidator(listed),
    ] = Field(
        description="list of sites, from 1, or {start, stop, step} with stop included",
        json_schema_extra={"also": [RANGE]},
    )
    current: float = quantity("current into the system on each site; negative: a drain", "t/hbar")

    @field_validator("sites")
    @classmethod
    def _each_once(cls, sites: Any) -> Any:
        if not sites:
            raise ValueError("no sites")
        require_different(sites, "listed twice; add up its currents")
        return sites

    def indices(self) -> np.ndarray:
        """Return the sites, counted from 0."""
        return np.array(self.sites) - 1


class InjectedChain(Strict):
    """Chain between two ends with sources and drains inside; a subclass tells its `engine`."""

    sites: int
    injections: dict[
        Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$", min_length=1)], Injection
    ] = Field({}, description="name -> sites and current of sources and drains")

    @model_validator(mode="after")
    def _placement(self) -> Self:
        owner: dict[int, str] = {}
        for name, injection in self.injections.items():
            if name in ENDS:
                raise KeyedError(
                    f"{name} is an end of the system; use another name", "injections", name
                )
            for number, site in enumerate(injection.sites):
                place = ("injections", name, "sites", number)
                if not 1 < site < self.sites:
                    raise KeyedError(
                        f"site {site} is not inside the system, whose ends are 1 and "
                        f"{self.sites}; use 2 to {self.sites - 1}",
                        *place,
                    )
                if owner.setdefault(site, name) != name:
                    raise KeyedError(
                        f"site {site} is in {owner[site]} and in {name}; give it one current",
                        *place,
                    )
        return self

    def injected(self) -> np.ndarray:
        """Return the current into each site, (sites,)."""
        currents = np.zeros(self.sites)
        for injection in self.injections.values():
            currents[injection.indices()] = injection.current
        return currents

    if TYPE_CHECKING:

        def engine(self) -> Any:
            """Return the system of the engine for forward bias."""

    def both_directions(self) -> tuple[Any, Any]:
        """Return the system of the engine for forward bias, and the same for reverse bias."""
        forward = self.engine()
        return forward, dataclasses.replace(forward, left=forward.right, right=forward.left)

    def terminal_currents(self, state: Any) -> Estimate:
        """Return the currents of all terminals, (terminals,)."""
        groups = [part.current * part.indices().size for part in self.injections.values()]
        ends = state.particle_current
        return Estimate(
            np.concatenate([ends.value, groups]),
            np.concatenate([ends.error, np.finfo(float).eps * np.abs(groups)]),
        )

    def coordinates(self, site: str, bond: str) -> dict[str, Coordinate]:
        """Return directions, terminals, sites and bonds under the names given, and both ends."""
        return {
            "direction": directions(),
            "terminal": Coordinate(np.array([*ENDS, *self.injections]), "1", "terminal"),
            "site": Coordinate(np.arange(1, self.sites + 1), "1", site),
            "bond": Coordinate(np.arange(1, self.sites), "1", bond),
            **ends(),
        }


def ends() -> dict[str, Coordinate]:
    """Return both ends, twice."""
    names = np.array(ENDS)
    return {
        "lead": Coordinate(names, "1", "end"),
        "lead_2": Coordinate(names, "1", "second end"),
    }


def directions() -> Coordinate:
    """Return forward and reverse."""
    return Coordinate(np.array(DIRECTIONS), "1", "direction of the bias")


CURRENTS = with_errors(
    {
        "particle_current": Variable(
            ("direction", "terminal"),
            "t/hbar",
            "particle current from the terminal into the system",
        ),
        "bond_current": Variable(
            ("direction", "bond"), "t/hbar", "current between neighbouring sites"
        ),
    }
)
FLUCTUATIONS = with_errors(
    {
        "particle_noise": Variable(
            ("direction", "lead", "lead_2"),
            "t/hbar",
            "zero-frequency noise of the end currents",
            COVARIANCE,
        ),
        "entropy_production": Variable(
            ("direction",), "k_B*t/hbar", "entropy production", SECOND_LAW
        ),
        "uncertainty_ratio": Variable(
            ("direction",),
            "k_B",
            "noise times entropy production over current squared",
            NOT_NEGATIVE,
        ),
    }
)
NONRECIPROCITY = {
    "nonreciprocity": Variable(
        (), "t/hbar", "magnitude of the reverse less that of the forward current"
    ),
    "nonreciprocity_error": Variable((), "t/hbar", "numerical error of the nonreciprocity"),
    "nonreciprocal_current": Variable(
        (), "t/hbar", "reverse and forward current added, sign changed"
    ),
    "nonreciprocal_current_error": Variable(
        (), "t/hbar", "numerical error of the nonreciprocal current"
    ),
}


def by_direction(results: Sequence[Mapping[str, Estimate]]) -> dict[str, Estimate]:
    """Return the estimates of forward and reverse bias together."""
    return {
        name: stacked({way: x[name] for way, x in zip(DIRECTIONS, results, strict=True)})
        for name in results[0]
    }


def nonreciprocity(current: Estimate) -> dict[str, Estimate]:
    """Return what `NONRECIPROCITY` lists, from the left currents (forward, reverse).

    Both definitions agree while the forward current has its sign; the paper's Delta I tends to
    zero once sources and drains reverse it (erratum E20).
    """
    forward, reverse = current.value
    total = float(current.error.sum())
    return {
        "nonreciprocity": Estimate(abs(reverse) - abs(forward), total),
        "nonreciprocal_current": Estimate(-(forward + reverse), total),
    }
