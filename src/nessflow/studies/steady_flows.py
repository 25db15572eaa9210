"""Currents, noise and entropy production of a system between leads: what every kind has of it."""

import numpy as np

from nessflow import outcome
from nessflow.estimate import Estimate
from nessflow.scattering.currents import SteadyCurrents
from nessflow.scattering.noise import ParticleNoise
from nessflow.studies import systems
from nessflow.studies.kind import SECOND_LAW, Coordinate, Limits, Variable
from nessflow.studies.variables import allow_for_underflow, with_errors
from nessflow.systems.system import OpenSystem, share_states
from nessflow.thermodynamics import entropy_production

CONVENTIONS = (
    "Noise: zero frequency, symmetrised, integral of <<dI_a(t) dI_b(0)>> over t without a factor "
    "2.  Entropy production: -sum of heat over temperature of the leads; loss and gain that are "
    "proportional are one terminal of infinite temperature, others have no finite one.",
)

VARIABLES = with_errors(
    {
        "particle_current": Variable(
            ("terminal",), "t/hbar", "particle current from the terminal into the system"
        ),
        "particle_noise": Variable(
            ("lead", "lead_2"), "t/hbar", "zero-frequency noise of the leads' particle currents"
        ),
        "entropy_production": Variable(
            (), "k_B*t/hbar", "entropy production of all terminals", SECOND_LAW
        ),
    }
)


def coordinates(system: systems.System) -> dict[str, Coordinate]:
    """Return the terminals, and the leads twice."""
    terminals = np.array(systems.terminals(system))
    return {
        "terminal": Coordinate(terminals, "1", "terminal"),
        **systems.lead_coordinates(system),
    }


def limits(system: OpenSystem) -> dict[str, Limits]:
    """Return the limits that depend on the system."""
    count = len(system.terminals)
    return {
        "particle_current": outcome.current_limits(count),
        "particle_noise": outcome.noise_limits(count),
    }


def flows(
    system: OpenSystem, currents: SteadyCurrents, noise: ParticleNoise
) -> tuple[dict[str, np.ndarray | float], dict[str, str]]:
    """Return what `VARIABLES` lists, and notes; NaN where an integral did not converge.

    Parameters
    ----------
    system : OpenSystem
        The system.
    currents : SteadyCurrents
        Its currents.
    noise : ParticleNoise
        Between its leads.
    """
    unfinished = "" if noise.converged else "its energy integral did not converge"
    found = {
        "particle_current": Estimate(
            currents.particle_current, currents.particle_current_error, currents.fault
        ),
        "particle_noise": Estimate(noise.particle_noise, noise.particle_noise_error, unfinished),
        "entropy_production": entropy_production(system, currents),
    }
    if currents.fault:
        found["entropy_production"] = Estimate(np.nan, np.nan, currents.fault)
    values: dict[str, np.ndarray | float] = {}
    notes = {}
    for name, (value, error, reason) in found.items():
        lost = np.full(np.shape(value), bool(reason))
        values[name], values[f"{name}_error"] = (np.where(lost, np.nan, x) for x in (value, error))
        if reason:
            notes[name] = reason
    _allow_for_underflow(system, values)
    return values, notes


def _allow_for_underflow(system: OpenSystem, values: dict) -> None:
    """Give zeros an error where leads are warm and share states, or there is gain or loss."""
    loss, gain = bool(system.loss.any()), bool(system.gain.any())
    shared = loss or gain or share_states(system.leads)
    if not shared or not any(lead.temperature > 0 for lead in system.leads):
        return
    allow_for_underflow(values, ["particle_noise"])
    alike = len({(x.chemical_potential, x.temperature) for x in system.leads}) == 1
    if loss or gain or not alike:
        there = np.array([True] * len(system.terminals) + [loss, gain])
        allow_for_underflow(values, ["particle_current"], there)
        allow_for_underflow(values, ["entropy_production"])
