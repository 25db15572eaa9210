"""Chemical potential at which a system exchanges no net particles with its gain and loss."""

import dataclasses
import math

import numpy as np
from pydantic import Field, model_validator

from nessflow.scattering.currents import steady_currents
from nessflow.scattering.matrices import diagonal
from nessflow.studies import systems
from nessflow.studies.kind import Coordinate, Outcome, Status, Strict, Variable, quantity


class Parameters(Strict):
    """One system; the chemical potential of both leads is solved for within the bracket."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")
    lower: float = quantity("lowest chemical potential tried", "t")
    upper: float = quantity("highest chemical potential tried", "t")

    @model_validator(mode="after")
    def _bracket(self):
        reason = systems.without_two_leads(self.system, "the zero of the exchange current")
        if reason:
            raise ValueError(f"{reason}; for others scan chemical_potential with steady-current")
        if not self.lower < self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self


CONVENTIONS = systems.CONVENTIONS

VARIABLES = {
    "chemical_potential": Variable(
        (), "t", "chemical potential of both leads without particle exchange"
    ),
    "chemical_potential_error": Variable((), "t", "numerical error of the chemical potential"),
    "reduced_chemical_potential": Variable((), "1", "chemical potential over temperature"),
    "reduced_chemical_potential_error": Variable(
        (), "1", "numerical error of chemical potential over temperature"
    ),
    "low_energy_law": Variable((), "1", "logarithm of the ratio of gain to loss"),
}


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return no coordinate: every variable is a number."""
    return {}


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the root of J_LS(mu) with both leads at the same chemical potential.

    At low energy the root obeys mu / kT = ln(Q / P) (paper 000, text below eq. 8; its remark
    mu / kT = gamma_g / gamma_l is erratum E4).
    """
    from scipy.optimize import brentq

    system = systems.open_system(parameters.system, rng)
    temperature = system.terminals[0].temperature

    def exchange(mu):
        leads = tuple(dataclasses.replace(a, chemical_potential=mu) for a in system.leads)
        currents = steady_currents(dataclasses.replace(system, leads=leads))
        return currents.reservoir_particle_current[0], currents.reservoir_particle_current_error[0]

    undefined = dict.fromkeys(VARIABLES, math.nan)
    ends = [exchange(mu)[0] for mu in (parameters.lower, parameters.upper)]
    if ends[0] * ends[1] > 0:
        return Outcome(
            undefined,
            Status.NOT_CONVERGED,
            f"no root: the exchange has one sign between {parameters.lower:g} and "
            f"{parameters.upper:g}",
        )
    mu = brentq(
        lambda x: exchange(x)[0], parameters.lower, parameters.upper, xtol=1e-13, rtol=1e-14
    )
    step = 1e-4 * (parameters.upper - parameters.lower)
    slope = (exchange(mu + step)[0] - exchange(mu - step)[0]) / (2 * step)
    residual, residual_error = exchange(mu)
    error = (abs(residual) + residual_error) / abs(slope) + 1e-14 * abs(mu)
    loss = float(np.sum(diagonal(system.loss)))
    gain = float(np.sum(diagonal(system.gain)))
    values = {
        "chemical_potential": mu,
        "chemical_potential_error": error,
        "reduced_chemical_potential": mu / temperature if temperature else math.nan,
        "reduced_chemical_potential_error": error / temperature if temperature else math.nan,
        "low_energy_law": math.log(gain / loss) if gain > 0 and loss > 0 else math.nan,
    }
    notes = {}
    if not temperature:
        notes = dict.fromkeys(
            ("reduced_chemical_potential", "reduced_chemical_potential_error"),
            "the temperature is zero",
        )
    if not (gain > 0 and loss > 0):
        notes["low_energy_law"] = "it needs both loss and gain"
    return Outcome(values, notes=notes)
