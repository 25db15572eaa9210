"""Transmission spectra of an open system between leads."""

from typing import Annotated

import numpy as np
from pydantic import Field

from nessflow.parts import Strict, quantity
from nessflow.scattering.band_edges import why_undefined
from nessflow.scattering.currents import (
    UNITARITY_TOLERANCE,
    open_channels,
    reference_transmission,
    reflection,
    response_transmission,
    transmission,
)
from nessflow.scattering.system import OpenSystem
from nessflow.studies import systems
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Grid, Limits, Outcome, Status, Variable


class EnergyGrid(Grid):
    """Evenly spaced energies."""

    start: float = quantity("first energy", "t")
    stop: float = quantity("last energy", "t")
    points: int = Field(description="number of energies", ge=2, le=100_000)


class Parameters(Strict):
    """One system and the energies of its spectrum."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")
    energies: Annotated[EnergyGrid, Field(description="energies of the spectrum")]


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Reflection of a lead: Tr[s^+ s] of its own block of the scattering matrix; with the "
    "transmissions from all others it makes the number of its open channels.  At a band edge, "
    "where a channel opens, what differs between below and above is undefined.",
)

_DIAGONAL = "the diagonal is no transmission between terminals, see reflection"
_OF_TWO_LEADS = ("loss_transmission", "gain_transmission", "response_transmission")

VARIABLES = {
    "transmission": Variable(
        ("terminal", "terminal_2", "energy"),
        "1",
        "transmission into terminal from terminal_2",
        NOT_NEGATIVE,
    ),
    "reflection": Variable(
        ("terminal", "energy"),
        "1",
        "what the terminal sends back into itself, between its channels included",
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
    energies, count = parameters.energies.values(), len(system.terminals)
    table, reflected = transmission(system, energies)[:count], reflection(system, energies)
    fault = _unitarity_fault(table, reflected, open_channels(system, energies))
    table[range(count), range(count)] = np.nan
    values = {"transmission": table, "reflection": reflected}
    notes = {name: _why(system, energies, value) for name, value in values.items()}
    notes["transmission"] = "; ".join(filter(None, (_DIAGONAL, notes["transmission"])))
    reason = systems.without_two_leads(parameters.system, "the net current")
    if reason:
        values |= dict.fromkeys(_OF_TWO_LEADS, np.full(energies.size, np.nan))
        notes |= dict.fromkeys(_OF_TWO_LEADS, reason)
    else:
        loss, gain = reference_transmission(system, energies)
        found = loss, gain, response_transmission(system, energies)
        values |= zip(_OF_TWO_LEADS, found, strict=True)
        notes |= {name: _why(system, energies, values[name]) for name in _OF_TWO_LEADS}
    status = Status.NOT_CONVERGED if fault else Status.OK
    return Outcome(values, status, fault, notes, _limits(system))


def _why(system: OpenSystem, energies: np.ndarray, value: np.ndarray) -> str:
    """Return why a spectrum is undefined at some energies, its diagonal apart."""
    value = value.copy()
    if value.ndim == 3:
        value[range(len(value)), range(len(value))] = 0.0
    lost = ~np.isfinite(value).all(axis=tuple(range(value.ndim - 1)))
    return why_undefined(system, energies[lost])


def _unitarity_fault(table: np.ndarray, reflected: np.ndarray, channels: np.ndarray) -> str:
    """Return what is wrong with the sums over all terminals, or an empty text."""
    defect = abs(table.sum(axis=1) + reflected - channels)
    # At a band edge there is no sum.
    worst = np.nanmax(defect, initial=0.0)
    allowed = UNITARITY_TOLERANCE * channels.max(initial=1.0)
    return f"unitarity violated by {worst:.1e}, more than {allowed:.0e}" if worst > allowed else ""


def _limits(system: OpenSystem) -> dict[str, Limits]:
    """Return the limits that numbers of channels set: each takes and gives 1 at most."""
    channels = np.array([len(terminal.channels) for terminal in system.terminals])
    # What loss and gain send is limited by the lead that takes it.
    most = np.minimum(channels[:, None], [*channels, np.inf, np.inf])
    half = Limits(-channels.max() / 2, channels.max() / 2)
    return {
        "transmission": Limits(0, most[..., None]),
        "reflection": Limits(0, channels[:, None]),
        "loss_transmission": half,
        "gain_transmission": half,
        "response_transmission": Limits(0, channels[0]),
    }
