"""Transmission spectra of an open system between two leads."""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from nessflow.scattering.currents import (
    reference_transmission,
    response_transmission,
    transmission,
)
from nessflow.studies import systems
from nessflow.studies.kind import Coordinate, Outcome, Strict, Variable, quantity
from nessflow.studies.steady_current import TERMINALS


class EnergyGrid(Strict):
    """Evenly spaced energies."""

    start: float = quantity("first energy", "t")
    stop: float = quantity("last energy", "t")
    points: int = Field(description="number of energies", ge=2, le=100_000)

    @model_validator(mode="after")
    def _ascending(self):
        if not self.start < self.stop:
            raise ValueError(f"start {self.start:g} is not below stop {self.stop:g}")
        return self

    def values(self) -> np.ndarray:
        """Return the energies, shape (points,)."""
        return np.linspace(self.start, self.stop, self.points)


class Parameters(Strict):
    """One system and the energies of its spectrum."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")
    energies: Annotated[EnergyGrid, Field(description="energies of the spectrum")]


CONVENTIONS = systems.CONVENTIONS

VARIABLES = {
    "transmission": Variable(
        ("terminal", "terminal_2", "energy"), "1", "transmission into terminal from terminal_2"
    ),
    "loss_transmission": Variable(("energy",), "1", "transmission of the loss-induced net current"),
    "gain_transmission": Variable(("energy",), "1", "transmission of the gain-induced net current"),
    "response_transmission": Variable(
        ("energy",), "1", "transmission of the response to a difference of the leads"
    ),
}


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return leads and energies."""
    leads = np.array(TERMINALS[:2])
    return {
        "terminal": Coordinate(leads, "1", "terminal"),
        "terminal_2": Coordinate(np.array(TERMINALS), "1", "second terminal"),
        "energy": Coordinate(parameters.energies.values(), "t", "energy"),
    }


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the spectra of one system (paper 000, S26)."""
    system = systems.open_system(parameters.system, rng)
    energies = parameters.energies.values()
    loss, gain = reference_transmission(system, energies)
    return Outcome(
        {
            "transmission": transmission(system, energies)[:2],
            "loss_transmission": loss,
            "gain_transmission": gain,
            "response_transmission": response_transmission(system, energies),
        }
    )
