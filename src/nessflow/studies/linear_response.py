"""Linear response of an open system between two leads: conductances and thermopower."""

import math

import numpy as np
from pydantic import Field, model_validator

from nessflow.scattering.linear_response import (
    LORENZ_NUMBER,
    linear_response,
    sommerfeld_lorenz_ratio,
)
from nessflow.studies import systems
from nessflow.studies.kind import Outcome, Status, Strict, Variable
from nessflow.studies.steady_current import with_errors


class Parameters(Strict):
    """One system, both leads at the same chemical potential and temperature."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")

    @model_validator(mode="after")
    def _equal_leads(self):
        left, right = self.system.leads.left, self.system.leads.right
        for name in ("chemical_potential", "temperature"):
            values = getattr(left, name), getattr(right, name)
            if values[0] != values[1]:
                raise ValueError(
                    f"linear response needs leads of equal {name}, got {values[0]:g} (left) and "
                    f"{values[1]:g} (right); for leads that differ use study: steady-current"
                )
        return self


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Responses of the net currents to a small difference of the left lead's chemical potential or "
    "temperature; the thermal conductance at unchanged net particle current.",
    "Heat counts from the fixed chemical potential, which makes the Onsager matrix symmetric. "
    "Quantities called own_potential count each lead's heat from its own chemical potential; they "
    "differ where gain or loss drives a current without bias.",
)

_CONDUCTANCE = "e^2/hbar"
_THERMAL = "t/hbar"
_SEEBECK = "k_B/e"
_LORENZ = "(k_B/e)^2"

_RESPONSE = {
    "electrical_conductance": Variable((), _CONDUCTANCE, "electrical conductance"),
    "thermal_conductance": Variable((), _THERMAL, "thermal conductance"),
    "seebeck_coefficient": Variable((), _SEEBECK, "Seebeck coefficient"),
    "peltier_coefficient": Variable((), "t/e", "Peltier coefficient"),
    "lorenz_ratio": Variable((), _LORENZ, "thermal over electrical conductance over temperature"),
    "figure_of_merit": Variable((), "1", "thermoelectric figure of merit ZT"),
    "peltier_coefficient_own_potential": Variable(
        (), "t/e", "Peltier coefficient, heat counted from each lead's own chemical potential"
    ),
    "thermal_conductance_own_potential": Variable(
        (), _THERMAL, "thermal conductance, heat counted from each lead's own chemical potential"
    ),
    "reference_current": Variable(
        (), _THERMAL, "particle current that the left lead loses without any difference"
    ),
}
_RATIOS = {
    "conductance_ratio": Variable((), "k_B^2*t/e^2", "thermal over electrical conductance"),
    "sommerfeld_lorenz_ratio": Variable(
        (), _LORENZ, "Lorenz ratio by the Sommerfeld expansion to second order in temperature"
    ),
    "sommerfeld_conductance_ratio": Variable(
        (),
        "k_B^2*t/e^2",
        "conductance ratio by the Sommerfeld expansion to second order in temperature",
    ),
}

VARIABLES = with_errors(_RESPONSE | _RATIOS) | {
    "wiedemann_franz_conductance_ratio": Variable(
        (), "k_B^2*t/e^2", "thermal over electrical conductance by the Wiedemann-Franz law"
    ),
}


def coordinates(parameters: Parameters) -> dict:
    """Return no coordinate: every variable is a number."""
    return {}


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the response of one system (paper 000, S32 to S37 with errata E1 to E3)."""
    system = systems.open_system(parameters.system, rng)
    temperature = system.leads[0].temperature
    response = linear_response(system)
    values = {name: getattr(response, name) for name in with_errors(_RESPONSE)}
    ratio, ratio_error = sommerfeld_lorenz_ratio(system)
    values |= {
        "conductance_ratio": response.lorenz_ratio * temperature,
        "conductance_ratio_error": response.lorenz_ratio_error * temperature,
        "sommerfeld_lorenz_ratio": ratio,
        "sommerfeld_lorenz_ratio_error": ratio_error,
        "sommerfeld_conductance_ratio": ratio * temperature,
        "sommerfeld_conductance_ratio_error": ratio_error * temperature,
        "wiedemann_franz_conductance_ratio": LORENZ_NUMBER * temperature,
    }
    notes = dict(response.notes)
    if "lorenz_ratio" in notes:
        notes["conductance_ratio"] = notes["lorenz_ratio"]
    if math.isnan(ratio):
        reason = "the transmission at the chemical potential is zero or not smooth"
        notes["sommerfeld_lorenz_ratio"] = notes["sommerfeld_conductance_ratio"] = reason
    if not response.converged:
        return Outcome(values, Status.NOT_CONVERGED, "an energy integral did not converge", notes)
    return Outcome(values, notes=notes)
