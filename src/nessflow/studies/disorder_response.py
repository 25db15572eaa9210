"""Weak-disorder limit of the mean square of the net particle current."""

import numpy as np
from pydantic import Field, model_validator

from nessflow.parts import KeyedError, Strict
from nessflow.scattering.currents import disorder_susceptibility, steady_currents
from nessflow.studies import systems
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Outcome, Status, Variable
from nessflow.studies.variables import never_random

_ROUNDING = 8 * np.finfo(float).eps
"""Rounding of the net current over the currents of the terminals, whose difference it is."""


class Parameters(Strict):
    """A clean system."""

    system: systems.System = Field(description="lattice, loss, gain and leads, without disorder")

    @model_validator(mode="after")
    def _clean(self):
        if self.system.disorder is not None:
            raise KeyedError(
                "the weak-disorder limit is taken around a system without disorder",
                "system",
                "disorder",
            )
        reason = systems.without_two_leads(self.system, "the net current")
        if reason:
            raise KeyedError(
                f"{reason}; for others use steady-current with an ensemble", "system", "leads"
            )
        return self


CONVENTIONS = (
    *systems.CONVENTIONS,
    "The limit is that about a system without net current; about any other the mean square is that "
    "of the clean current, and does not fall with the disorder.",
)

VARIABLES = {
    "net_particle_current_mean_square_coefficient": Variable(
        (),
        "(t/hbar)^2/t^2",
        "limit of the mean square of the net particle current over the squared half-width "
        "of uniform disorder",
        NOT_NEGATIVE,
    ),
    "net_particle_current_mean_square_coefficient_error": Variable(
        (), "(t/hbar)^2/t^2", "numerical error of the limit"
    ),
}
is_random = never_random  # the limit is exact, not sampled


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return no coordinate: every variable is a number."""
    return {}


def evaluate(parameters: Parameters, rng: None) -> Outcome:
    """Return (1/3) sum_j (dJ/dV_j)^2, since <V_j V_k> = delta_jk V^2 / 3 for uniform disorder."""
    system, names = systems.open_system(parameters.system, None), tuple(VARIABLES)
    clean = steady_currents(system)
    if not clean.integrated:
        values = dict.fromkeys(names, np.nan)
        return Outcome(values, Status.NOT_CONVERGED, "an energy integral did not converge")
    current, error = clean.net_particle_current, clean.net_particle_current_error
    if abs(current) > error + _ROUNDING * abs(clean.particle_current).max():
        reason = (
            f"without disorder the net current is {current:.6g}, and its square over that of the "
            "half-width has no limit; use steady-current with an ensemble"
        )
        return Outcome(dict.fromkeys(names, np.nan), notes={names[0]: reason})
    slope, error = disorder_susceptibility(system)
    return Outcome(
        {
            names[0]: np.sum(slope**2) / 3,
            names[1]: np.sum(2 * np.abs(slope) * error + error**2) / 3,
        }
    )
