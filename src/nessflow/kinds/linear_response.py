"""Linear response of an open system between leads: conductances, thermopower, noise, entropy."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Self

import numpy as np
from pydantic import model_validator

from nessflow.estimate import Estimate, undefined, without_two_leads
from nessflow.observables import observable
from nessflow.observables.currents import Currents
from nessflow.observables.observable import is_driven
from nessflow.observables.response.conductances import MATRICES, matrices_of
from nessflow.observables.thermodynamics import without_temperature
from nessflow.outcome import joined
from nessflow.parts import KeyedError
from nessflow.scattering.currents import SteadyCurrents, currents_at_rest
from nessflow.scattering.linear_response import (
    LORENZ_NUMBER,
    Conductances,
    conductance_matrices,
    linear_response,
    sommerfeld_lorenz_ratio,
    thermal_responses,
)
from nessflow.scattering.noise import ParticleNoise
from nessflow.spectrum.edges.limits import why_undefined
from nessflow.studies import observed, systems
from nessflow.studies.kind import COVARIANCE, NOT_NEGATIVE, Limits, Outcome, Variable
from nessflow.studies.variables import (
    CHARGE,
    Charge,
    of_integrals,
    outcome_of,
    status_of,
    with_errors,
)
from nessflow.systems.system import OpenSystem

_CONDUCTANCE = "e^2/hbar"
_THERMAL = "t/hbar"
_SEEBECK = "k_B/e"
_LORENZ = "(k_B/e)^2"

_RESPONSE = {
    "electrical_conductance": Variable((), _CONDUCTANCE, "electrical conductance", NOT_NEGATIVE),
    "thermal_conductance": Variable((), _THERMAL, "thermal conductance", NOT_NEGATIVE),
    "seebeck_coefficient": Variable((), _SEEBECK, "Seebeck coefficient (charge +1 unless told)"),
    "peltier_coefficient": Variable((), "t/e", "Peltier coefficient (charge +1 unless told)"),
    "lorenz_ratio": Variable(
        (), _LORENZ, "thermal over electrical conductance over temperature", NOT_NEGATIVE
    ),
    "figure_of_merit": Variable((), "1", "thermoelectric figure of merit ZT", NOT_NEGATIVE),
    "peltier_coefficient_own_potential": Variable(
        (),
        "t/e",
        "Peltier coefficient (charge +1 unless told), heat counted from each lead's own chemical "
        "potential",
    ),
    "thermal_conductance_own_potential": Variable(
        (), _THERMAL, "thermal conductance, heat counted from each lead's own chemical potential"
    ),
    "reference_current": Variable(
        (), _THERMAL, "particle current that the left lead loses without any difference"
    ),
}
_OF_CHARGE = ("seebeck_coefficient", "peltier_coefficient", "peltier_coefficient_own_potential")
_RATIOS = {
    "conductance_ratio": Variable(
        (), "k_B^2*t/e^2", "thermal over electrical conductance", NOT_NEGATIVE
    ),
    "sommerfeld_lorenz_ratio": Variable(
        (), _LORENZ, "Lorenz ratio by the Sommerfeld expansion to second order in temperature"
    ),
    "sommerfeld_conductance_ratio": Variable(
        (),
        "k_B^2*t/e^2",
        "conductance ratio by the Sommerfeld expansion to second order in temperature",
    ),
}

_BIAS = "bias_entropy_production"

OWN = with_errors(
    _RESPONSE
    | _RATIOS
    | MATRICES
    | {
        _BIAS: Variable(
            ("lead", "lead_2"),
            "k_B/(t*hbar)",
            "entropy production of small chemical potentials of lead and lead_2, over both",
            COVARIANCE,
        ),
    }
) | {
    "wiedemann_franz_conductance_ratio": Variable(
        (),
        "k_B^2*t/e^2",
        "thermal over electrical conductance by the Wiedemann-Franz law",
        NOT_NEGATIVE,
    ),
}


class Parameters(observed.Observed):
    """One system, all leads at the same chemical potential and temperature."""

    own = OWN

    charge: Charge = 1

    @model_validator(mode="after")
    def _equal_leads(self) -> Self:
        for name in ("chemical_potential", "temperature"):
            values = {lead: getattr(x, name) for lead, x in self.system.leads.items()}
            if len(set(values.values())) > 1:
                found = " and ".join(f"{value:g} ({lead})" for lead, value in values.items())
                first, *others = values
                other = next(lead for lead in others if values[lead] != values[first])
                raise KeyedError(
                    f"linear response needs leads of equal {name}, got {found}; "
                    "for leads that differ use study: steady-current",
                    "system",
                    "leads",
                    other,
                    name,
                )
        return self


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Responses of the net currents to a small difference of the left lead's chemical potential or "
    "temperature; the thermal conductance at unchanged net particle current.  They are defined "
    "with exactly two leads, the matrices with any number.",
    CHARGE,
    *observed.conventions(("conductances",)),
    "Heat counts from the fixed chemical potential, which makes the Onsager matrix symmetric. "
    "Quantities called own_potential count each lead's heat from its own chemical potential; they "
    "differ where gain or loss drives a current without bias.",
    *observed.conventions(observed.FLOWS),
    "Observables are those without differences: without loss and gain equilibrium, with noise "
    "T (M0_ab + M0_ba) and no current.  Small differences produce the entropy "
    "sum_ab [d mu_a M0_ab d mu_b + d mu_a (M1_ab + M1_ba) x_b + x_a M2_ab x_b]/T, x = d T/T; bias "
    "entropy production is the symmetric matrix of the first term.  With loss or gain the change "
    "is of first order.",
)
VARIABLES = observed.variables(Parameters)
chosen = Parameters.chosen
coordinates = observed.coordinates
is_random = observed.is_random


def evaluate(parameters: Parameters, rng: np.random.Generator | None, own: bool = True) -> Outcome:
    """Return the response of one system, and the observables that it has without differences."""
    return _evaluated([parameters], [rng], own)[0]


def evaluate_many(
    points: Sequence[Parameters], rngs: Sequence[np.random.Generator | None]
) -> list[Outcome]:
    """Return `evaluate` of each; what differs in occupations alone shares its transmissions."""
    return _evaluated(points, rngs, True)


def _evaluated(
    points: Sequence[Parameters], rngs: Sequence[np.random.Generator | None], own: bool
) -> list[Outcome]:
    pairs = zip(points, rngs, strict=True)
    found = [systems.open_system(parameters.system, rng) for parameters, rng in pairs]
    tasks = zip(points, found, strict=True)
    outcomes = []
    for (asked, accuracy, driven), group in groupby(
        tasks, lambda task: (task[0].observables, task[0].accuracy, is_driven(task[1]))
    ):
        alike, mine = zip(*group, strict=True)
        needed = (*asked, Currents()) if own and driven else asked
        responses: list[Any] = thermal_responses(mine, accuracy) if own else [None] * len(mine)
        known = [
            _known(system, accuracy, response)
            for system, response in zip(mine, responses, strict=True)
        ]
        results = observable.results_of_all(mine, needed, accuracy, known)
        for parameters, system, response, result in zip(
            alike, mine, responses, results, strict=True
        ):
            outcome = observable.outcome(system, asked, result)
            if own:
                matrices, conductances = response
                currents = result.get("currents")
                own_part = _response(parameters, system, matrices, conductances, currents)
                outcome = joined(own_part, outcome)
            outcomes.append(outcome)
    return outcomes


def _known(
    system: OpenSystem, accuracy: float, response: tuple | None
) -> Mapping[str, Callable[[], object]]:
    """Return the results that are known, without a difference, by the responses to one."""

    def matrices() -> Estimate:
        return response[0] if response else conductance_matrices(system, accuracy)

    found: dict[str, Callable[[], object]] = {"conductances": matrices}
    if is_driven(system):
        return found
    return found | {
        "currents": lambda: currents_at_rest(system),
        "noise": lambda: _equilibrium_noise(system, matrices().at(0)),
        "entropy-production": lambda: _without_entropy(system),
    }


def _equilibrium_noise(system: OpenSystem, conductance: Estimate) -> ParticleNoise:
    """Return the noise of leads in equilibrium, ``T (M0_ab + M0_ba)``."""
    names = tuple(terminal.name for terminal in system.terminals)
    # Where transmissions jump at the chemical potential each channel transmits between 0 and 1.
    jumps, most = np.isnan(conductance.value), len(system.leads) / (2 * np.pi)
    value, error = np.where(jumps, 0.0, conductance.value), np.where(jumps, most, conductance.error)
    noise = Estimate(value + value.T, error + error.T) * system.terminals[0].temperature
    net = undefined(without_two_leads(len(names)))
    if len(names) == 2:
        half = np.array([0.5, -0.5])
        net = Estimate(half @ noise.value @ half, abs(half) @ noise.error @ abs(half))
    return ParticleNoise(names, noise, net, converged=True, evaluations=0)


def _without_entropy(system: OpenSystem) -> dict[str, Estimate]:
    """Return that leads in equilibrium lose no heat and make no entropy, at temperature 0 too."""
    nothing = np.zeros(len(system.terminals))
    return {
        "heat_current": Estimate(nothing, nothing),
        "entropy_production": Estimate(0.0, 0.0),
        "lead_entropy_production": Estimate(0.0, 0.0),
    }


def _response(
    parameters: Parameters,
    system: OpenSystem,
    matrices: Estimate,
    known: Conductances | None,
    currents: SteadyCurrents | None,
) -> Outcome:
    """Return what `OWN` lists (paper 000, S32 to S37 with errata E1 to E3)."""
    temperature, accuracy = system.terminals[0].temperature, parameters.accuracy
    found: dict[str, Any] = matrices_of(system, matrices)
    found[_BIAS] = _bias_entropy_production(system, matrices.at(0))
    found["wiedemann_franz_conductance_ratio"] = LORENZ_NUMBER * temperature
    status = status_of()
    reason = without_two_leads(len(parameters.system.leads), "the response of the net current")
    if reason:
        found |= dict.fromkeys((*_RESPONSE, *_RATIOS), undefined(reason))
    else:
        response = linear_response(system, accuracy, currents, known)
        status = of_integrals(response.converged)
        found |= {name: getattr(response, name) for name in _RESPONSE}
        found |= {name: parameters.charge * found[name] for name in _OF_CHARGE}
        expanded = sommerfeld_lorenz_ratio(system)
        found |= {
            "conductance_ratio": response.lorenz_ratio * temperature,
            "sommerfeld_lorenz_ratio": expanded,
            "sommerfeld_conductance_ratio": expanded * temperature,
        }
    return outcome_of(OWN, found, *status, _limits(system))


def _bias_entropy_production(system: OpenSystem, conductance: Estimate) -> Estimate:
    """Return the entropy production of small differences of chemical potentials."""
    temperature, (value, error, _) = system.terminals[0].temperature, conductance
    if is_driven(system):
        reason = "with loss or gain differences change the entropy production at first order"
        return undefined(reason, value.shape)
    if temperature == 0:
        return undefined(without_temperature(system), value.shape)
    edge = ""
    if not np.isfinite(value).all():
        edge = why_undefined(system, system.terminals[0].chemical_potential)
    return Estimate(value + value.T, error + error.T, edge) * (0.5 / temperature)


def _limits(system: OpenSystem) -> dict[str, Limits]:
    """Return the limits that a number of channels sets: each transmits 1 at most."""
    temperature = system.terminals[0].temperature
    channels = np.array([len(terminal.channels) for terminal in system.terminals])
    own = np.eye(channels.size, dtype=bool)
    most = np.minimum(channels[:, None], channels) / (2 * np.pi)
    # Integrals of |w - mu|^k (-f') over all energies, k = 0, 1, 2.
    moments = 1.0, 2 * math.log(2) * temperature, LORENZ_NUMBER * temperature**2

    def matrix(k: int, lower: float) -> Limits:
        size = moments[k] * most
        return Limits(
            np.where(own, lower * size, -size),
            np.where(own, size, -lower * size),
            semidefinite=k != 1,
        )

    return {
        "electrical_conductance": Limits(0, most[0, 0]),
        "thermal_conductance": Limits(0, LORENZ_NUMBER * temperature * most[0, 0]),
        "conductance_matrix": matrix(0, 0.0),
        "thermoelectric_matrix": matrix(1, -1.0),
        "heat_matrix": matrix(2, 0.0),
    }
