"""Weak-disorder limit of the mean square of the net particle current, and the clean flows."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.estimate import Estimate, undefined, without_two_leads
from nessflow.observables import observable
from nessflow.observables.currents import Currents
from nessflow.outcome import joined
from nessflow.parts import KeyedError
from nessflow.scattering.currents import SteadyCurrents, disorder_susceptibility
from nessflow.studies import observed, systems
from nessflow.studies.kind import NOT_NEGATIVE, Outcome, Variable
from nessflow.studies.variables import never_random, of_integrals, outcome_of, with_errors
from nessflow.systems.system import OpenSystem

_ROUNDING = 8 * np.finfo(float).eps
"""Rounding of the net current over the currents of the terminals, whose difference it is."""


_LIMIT = "net_particle_current_mean_square_coefficient"
OWN = with_errors(
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


class Parameters(observed.Observed):
    """A clean system."""

    own = OWN

    system: systems.System = Field(description="lattice, loss, gain and leads, without disorder")

    @model_validator(mode="after")
    def _clean(self) -> Self:
        if systems.is_random(self.system):
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
    "Observables are those without disorder.",
    *observed.conventions(observed.FLOWS),
)
VARIABLES = observed.variables(Parameters)
chosen = Parameters.chosen
coordinates = observed.coordinates
is_random = never_random  # the limit is exact, not sampled


def evaluate(parameters: Parameters, rng: None, own: bool = True) -> Outcome:
    """Return the limit of one system, and its observables."""
    system, asked = systems.open_system(parameters.system, None), parameters.observables
    needed = (*asked, Currents()) if own else asked
    results = observable.results(system, needed, parameters.accuracy)
    found = observable.outcome(system, asked, results)
    return joined(_limit(system, results["currents"], parameters.accuracy), found) if own else found


def _limit(system: OpenSystem, clean: SteadyCurrents, accuracy: float) -> Outcome:
    """Return (1/3) sum_j (dJ/dV_j)^2, since <V_j V_k> = delta_jk V^2 / 3 for uniform disorder."""
    if not clean.integrated:
        status = of_integrals(clean.integrated)
        return outcome_of(OWN, {_LIMIT: undefined(status[1])}, *status)
    current, error, _ = clean.net_particle_current
    if abs(current) > error + _ROUNDING * abs(clean.particle_current.value).max():
        reason = (
            f"without disorder the net current is {current:.6g}, and its square over that of the "
            "half-width has no limit; use steady-current with an ensemble"
        )
        return outcome_of(OWN, {_LIMIT: undefined(reason)})
    slope, error, _ = disorder_susceptibility(system, accuracy)
    wrong = np.sum(2 * np.abs(slope) * error + error**2) / 3
    return outcome_of(OWN, {_LIMIT: Estimate(np.sum(slope**2) / 3, wrong)})
