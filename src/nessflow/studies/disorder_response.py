"""Weak-disorder limit of the mean square of the net particle current."""

import numpy as np
from pydantic import Field, model_validator

from nessflow.scattering.currents import disorder_susceptibility
from nessflow.studies import systems
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, KeyedError, Outcome, Strict, Variable
from nessflow.studies.variables import never_random


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


CONVENTIONS = systems.CONVENTIONS

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
    slope, error = disorder_susceptibility(systems.open_system(parameters.system, None))
    names = tuple(VARIABLES)
    return Outcome(
        {
            names[0]: np.sum(slope**2) / 3,
            names[1]: np.sum(2 * np.abs(slope) * error + error**2) / 3,
        }
    )
