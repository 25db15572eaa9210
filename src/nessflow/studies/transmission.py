"""Transmission spectra of an open system between leads."""

from typing import Annotated

import numpy as np
from pydantic import Field

from nessflow.scattering.currents import (
    reference_transmission,
    response_transmission,
    transmission,
)
from nessflow.scattering.system import OpenSystem
from nessflow.studies import systems
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    Coordinate,
    Grid,
    Limits,
    Outcome,
    Strict,
    Variable,
    quantity,
)


class EnergyGrid(Grid):
    """Evenly spaced energies."""

    start: float = quantity("first energy", "t")
    stop: float = quantity("last energy", "t")
    points: int = Field(description="number of energies", ge=2, le=100_000)


class Parameters(Strict):
    """One system and the energies of its spectrum."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")
    energies: Annotated[EnergyGrid, Field(description="energies of the spectrum")]


CONVENTIONS = systems.CONVENTIONS

VARIABLES = {
    "transmission": Variable(
        ("terminal", "terminal_2", "energy"),
        "1",
        "transmission into terminal from terminal_2",
        NOT_NEGATIVE,
    ),
    "loss_transmission": Variable(("energy",), "1", "transmission of the loss-induced net current"),
    "gain_transmission": Variable(("energy",), "1", "transmission of the gain-induced net current"),
    "response_transmission": Variable(
        ("energy",),
        "1",
        "transmission of the response to a difference of the leads",
        NOT_NEGATIVE,
    ),
}


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return leads and energies."""
    terminals = np.array(systems.terminals(parameters.system))
    return {
        "terminal": Coordinate(terminals[:-2], "1", "terminal"),
        "terminal_2": Coordinate(terminals, "1", "second terminal"),
        "energy": Coordinate(parameters.energies.values(), "t", "energy"),
    }


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the spectra of one system (paper 000, S26)."""
    system = systems.open_system(parameters.system, rng)
    energies = parameters.energies.values()
    values = {"transmission": transmission(system, energies)[: len(system.terminals)]}
    reason = systems.without_two_leads(parameters.system, "the net current")
    if reason:
        undefined = ("loss_transmission", "gain_transmission", "response_transmission")
        values |= dict.fromkeys(undefined, np.full(energies.size, np.nan))
        return Outcome(values, notes=dict.fromkeys(undefined, reason), limits=_limits(system))
    loss, gain = reference_transmission(system, energies)
    response = response_transmission(system, energies)
    return Outcome(
        values
        | {
            "loss_transmission": loss,
            "gain_transmission": gain,
            "response_transmission": response,
        },
        limits=_limits(system),
    )


def _limits(system: OpenSystem) -> dict[str, Limits]:
    """Return the limits that numbers of channels set: each takes and gives 1 at most."""
    channels = np.array([len(terminal.channels) for terminal in system.terminals])
    # What loss and gain send is limited by the lead that takes it.
    most = np.minimum(channels[:, None], [*channels, np.inf, np.inf])
    half = Limits(-channels.max() / 2, channels.max() / 2)
    return {
        "transmission": Limits(0, most[..., None]),
        "loss_transmission": half,
        "gain_transmission": half,
        "response_transmission": Limits(0, channels[0]),
    }
