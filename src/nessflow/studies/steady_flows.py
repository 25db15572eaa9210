"""Currents, noise and entropy production of a system between leads: what every kind has of it."""

import numpy as np

from nessflow.observables.currents import Currents
from nessflow.observables.entropy_production import EntropyProduction
from nessflow.observables.noise import Noise
from nessflow.scattering.currents import SteadyCurrents
from nessflow.scattering.noise import ParticleNoise
from nessflow.studies import systems
from nessflow.studies.kind import Coordinate, Limits
from nessflow.studies.variables import allow_for_underflow
from nessflow.systems.system import OpenSystem

CONVENTIONS = (
    "Noise: zero frequency, symmetrised, integral of <<dI_a(t) dI_b(0)>> over t without a factor "
    "2.  Entropy production: -sum of heat over temperature of the leads; loss and gain that are "
    "proportional are one terminal of infinite temperature, others have no finite one.",
)

_OF = {
    "particle_current": Currents(),
    "particle_noise": Noise(),
    "entropy_production": EntropyProduction(),
}
VARIABLES = {
    name: observable.variables[name]
    for own, observable in _OF.items()
    for name in (own, f"{own}_error")
}


def coordinates(system: systems.System) -> dict[str, Coordinate]:
    """Return the terminals, and the leads twice."""
    return systems.coordinates(system, ("terminal", "lead", "lead_2"))


def limits(system: OpenSystem) -> dict[str, Limits]:
    """Return the limits that depend on the system."""
    found = {name: x.limits(system).get(name) for name, x in _OF.items()}
    return {name: limits for name, limits in found.items() if limits is not None}


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
    results = {
        "particle_current": (currents, currents.fault),
        "particle_noise": (noise, unfinished),
        "entropy_production": (
            _OF["entropy_production"].evaluate(system, currents),
            currents.fault,
        ),
    }
    values: dict[str, np.ndarray | float] = {}
    notes = {}
    for name, (result, fault) in results.items():
        value, error, undefined = _OF[name].estimates(system, result)[name]
        reason = fault or undefined
        lost = np.full(np.shape(value), bool(reason))
        values[name], values[f"{name}_error"] = (np.where(lost, np.nan, x) for x in (value, error))
        if reason:
            notes[name] = reason
        vanishing = _OF[name].never_zero(system)
        if name in vanishing:
            allow_for_underflow(values, [name], vanishing[name])
    return values, notes
