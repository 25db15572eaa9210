"""Chemical potential at which a system exchanges no net particles with its gain and loss."""

import dataclasses
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Self

import numpy as np
from pydantic import model_validator

from nessflow.estimate import Estimate, undefined, without_two_leads
from nessflow.observables import observable
from nessflow.outcome import joined
from nessflow.parts import KeyedError, quantity
from nessflow.scattering.currents import SteadyCurrents, steady_currents
from nessflow.studies import observed, systems
from nessflow.studies.kind import Outcome, Status, Variable
from nessflow.studies.variables import failed, outcome_of, status_of, with_errors
from nessflow.systems.matrices import diagonal
from nessflow.systems.system import OpenSystem

OWN = with_errors(
    {
        "chemical_potential": Variable(
            (), "t", "chemical potential of both leads without particle exchange"
        ),
        "reduced_chemical_potential": Variable((), "1", "chemical potential over temperature"),
    }
) | {
    "low_energy_law": Variable((), "1", "logarithm of the ratio of gain to loss"),
}


class Parameters(observed.Observed):
    """One system; the chemical potential of both leads is solved for within the bracket."""

    own = OWN

    lower: float = quantity("lowest chemical potential tried", "t")
    upper: float = quantity("highest chemical potential tried", "t")

    @model_validator(mode="after")
    def _bracket(self) -> Self:
        reason = without_two_leads(len(self.system.leads), "the zero of the exchange current")
        if reason:
            raise KeyedError(
                f"{reason}; for others scan chemical_potential with steady-current",
                "system",
                "leads",
            )
        if not self.lower < self.upper:
            raise KeyedError(f"lower {self.lower:g} is not below upper {self.upper:g}", "upper")
        return self


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Observables are those at the chemical potential found; what they change by within its error "
    "is part of their own.",
    *observed.conventions(observed.FLOWS),
)
VARIABLES = observed.variables(Parameters)
chosen = Parameters.chosen
coordinates = observed.coordinates
is_random = observed.is_random

_FINER = 1e-4
"""Error of the currents whose sum has the root over that of the numbers stored."""


def evaluate(parameters: Parameters, rng: np.random.Generator | None, own: bool = True) -> Outcome:
    """Return the root of I_L(mu) + I_R(mu), both leads at one chemical potential, and observables.

    The sum is what loss and gain take.  It grows with mu, so that there is one root at most.  Where
    both halves of the system are alike, each lead by itself exchanges nothing there.  At low energy
    the root obeys mu / kT = ln(Q / P) (paper 000, text below eq. 8; its remark
    mu / kT = gamma_g / gamma_l is erratum E4).
    """
    system = systems.open_system(parameters.system, rng)
    loss, gain = (float(np.sum(diagonal(x))) for x in (system.loss, system.gain))
    law = undefined("it needs both loss and gain")
    if loss > 0 and gain > 0:
        law = Estimate(math.log(gain / loss), np.nan)

    @cache
    def at(mu: float) -> SteadyCurrents:
        # Near the root what one lead takes and the other gives are not small.
        rtol = max(_FINER * parameters.accuracy, 1e-14)
        return steady_currents(_with_potential(system, mu), rtol)

    def observables(mu: float) -> Outcome:
        known = {"currents": partial(at, mu)}
        there = _with_potential(system, mu)
        return observable.evaluate(there, parameters.observables, parameters.accuracy, known)

    def exchange(mu: float) -> Estimate:
        currents = at(mu)
        # What the leads exchange with each other adds up to nothing only with what they exchange
        # with loss and gain: without reciprocity T_LR and T_RL differ.
        return currents.particle_current.at(slice(2)).total()

    lower, upper = parameters.lower, parameters.upper
    low, high = exchange(lower), exchange(upper)
    if low.value == high.value == 0:
        reason = "no particles are exchanged at any chemical potential"
        return _without_root(parameters, law, status_of(), reason)
    if not (low.value < -low.error and high.value > high.error):
        reason = f"no root: the exchange does not change its sign between {lower:g} and {upper:g}"
        return _without_root(parameters, law, status_of(reason), "")
    mu, error, _ = root = _root(exchange, lower, upper)
    of_root = {
        "chemical_potential": root,
        "reduced_chemical_potential": _reduced(root, system),
        "low_energy_law": law,
    }
    ends = max(mu - error, lower), min(mu + error, upper)
    found = observed.with_uncertain(observables(mu), map(observables, ends))
    return joined(outcome_of(OWN, of_root, *status_of(at(mu).fault)), found)


def _without_root(
    parameters: Parameters, law: Estimate, status: tuple[Status, str], reason: str
) -> Outcome:
    """Return an outcome of which the low-energy law alone may be known, and why."""
    variables = observed.variables_of(parameters)
    nothing = failed(variables, coordinates(parameters), "")
    known = outcome_of(OWN, {"low_energy_law": law})
    unknown = sorted(variables.keys() - known.values.keys())
    lost = dict.fromkeys(unknown, reason) if reason else {}
    return Outcome({**nothing.values, **known.values}, *status, {**lost, **known.notes})


def _reduced(root: Estimate, system: OpenSystem) -> Estimate:
    """Return the chemical potential over the temperature."""
    temperatures = {lead.temperature for lead in system.leads}
    if temperatures == {0.0}:
        return undefined("the temperature is zero")
    if len(temperatures) > 1:
        return undefined("the leads differ in temperature")
    return root / temperatures.pop()


def _with_potential(system: OpenSystem, mu: float) -> OpenSystem:
    """Return the system with its leads at a chemical potential."""
    leads = tuple(dataclasses.replace(lead, chemical_potential=mu) for lead in system.leads)
    return dataclasses.replace(system, leads=leads)


def _root(function: Callable[[float], Estimate], lower: float, upper: float) -> Estimate:
    """Return the root of a rising function.

    At the distance of its error from the root the function is surely below, and surely above zero.
    """
    from scipy.optimize import brentq

    root = float(brentq(lambda x: function(x).value, lower, upper, xtol=1e-13, rtol=1e-14))
    error = 1e-14 * max(abs(root), 1.0)

    def surely(sign: int, x: float) -> bool:
        if not lower < x < upper:
            return True
        found = function(x)
        return sign * found.value > found.error

    while not (surely(-1, root - error) and surely(1, root + error)):
        error *= 2
    return Estimate(root, error)
