"""Weak-disorder limit of the mean square of the net particle current, and the clean flows."""

import numpy as np
from pydantic import Field, model_validator

from nessflow.outcome import without_two_leads
from nessflow.parts import KeyedError, Strict
from nessflow.scattering.currents import disorder_susceptibility
from nessflow.scattering.noise import currents_and_noise
from nessflow.studies import steady_flows, systems
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Outcome, Status, Variable
from nessflow.studies.variables import ACCURACY, Accuracy, never_random, with_errors

_ROUNDING = 8 * np.finfo(float).eps
"""Rounding of the net current over the currents of the terminals, whose difference it is."""


class Parameters(Strict):
    """A clean system."""

    system: systems.System = Field(description="lattice, loss, gain and leads, without disorder")
    accuracy: Accuracy = ACCURACY

    @model_validator(mode="after")
    def _clean(self):
        if self.system.disorder is not None:
            raise KeyedError(
                "the weak-disorder limit is taken around a system without disorder",
                "system",
                "disorder",
            )
        reason = without_two_leads(len(self.system.leads), "the net current")
        if reason:
            raise KeyedError(
                f"{reason}; for others use steady-current with an ensemble", "system", "leads"
            )
        return self


CONVENTIONS = (
    *systems.CONVENTIONS,
    "The limit is that about a system without net current; about any other the mean square is that "
    "of the clean current, and does not fall with the disorder.",
    "Currents, noise and entropy production are those without disorder.",
    *steady_flows.CONVENTIONS,
)

_LIMIT = "net_particle_current_mean_square_coefficient"
VARIABLES = steady_flows.VARIABLES | with_errors(
    {
        _LIMIT: Variable(
            (),
            "(t/hbar)^2/t^2",
            "limit of the mean square of the net particle current over the squared half-width "
            "of uniform disorder",
            NOT_NEGATIVE,
        ),
    }
)
is_random = never_random  # the limit is exact, not sampled


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the terminals and the leads."""
    return steady_flows.coordinates(parameters.system)


def evaluate(parameters: Parameters, rng: None) -> Outcome:
    """Return (1/3) sum_j (dJ/dV_j)^2, since <V_j V_k> = delta_jk V^2 / 3 for uniform disorder."""
    system, names = systems.open_system(parameters.system, None), (_LIMIT, f"{_LIMIT}_error")
    clean, noise = currents_and_noise(system, parameters.accuracy)
    values, notes = steady_flows.flows(system, clean, noise)
    limits = steady_flows.limits(system)
    if not clean.integrated:
        values |= dict.fromkeys(names, np.nan)
        return Outcome(values, Status.NOT_CONVERGED, "an energy integral did not converge", notes)
    current, error = clean.net_particle_current, clean.net_particle_current_error
    if abs(current) > error + _ROUNDING * abs(clean.particle_current).max():
        reason = (
            f"without disorder the net current is {current:.6g}, and its square over that of the "
            "half-width has no limit; use steady-current with an ensemble"
        )
        values |= dict.fromkeys(names, np.nan)
        return Outcome(values, notes=notes | {_LIMIT: reason}, limits=limits)
    slope, error = disorder_susceptibility(system, parameters.accuracy)
    limit = np.sum(slope**2) / 3, np.sum(2 * np.abs(slope) * error + error**2) / 3
    return Outcome(values | dict(zip(names, limit, strict=True)), notes=notes, limits=limits)
