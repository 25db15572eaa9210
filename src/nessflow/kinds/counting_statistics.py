"""Counting statistics of the charge that each lead sends: cumulants, distribution and flows."""

import numpy as np
from pydantic import Field, model_validator

from nessflow.parts import KeyedError, Strict, quantity
from nessflow.scattering.counting import (
    ChargeDistribution,
    charge_distribution,
    cumulants_observable,
    generating_function,
)
from nessflow.scattering.currents import currents_observable
from nessflow.scattering.noise import noise_observable
from nessflow.spectrum.rates import integrate_observables
from nessflow.studies import steady_flows, systems
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    PROBABILITY,
    Coordinate,
    Limits,
    Outcome,
    Status,
    Variable,
)
from nessflow.studies.variables import ACCURACY, Accuracy, allow_for_underflow, with_errors


class Charges(Strict):
    """Whole charges, both ends included."""

    lowest: int = Field(description="lowest charge whose probability is stored")
    highest: int = Field(description="highest charge whose probability is stored")

    @model_validator(mode="after")
    def _some(self):
        if not 0 <= self.highest - self.lowest < 1_000_000:
            raise KeyedError(
                f"lowest {self.lowest} to highest {self.highest}: expected one to a million "
                "charges",
                "highest",
            )
        return self

    def values(self) -> np.ndarray:
        """Return the charges in order."""
        return np.arange(self.lowest, self.highest + 1)


class Parameters(Strict):
    """One system, the time in which charges are counted, and what is tabulated."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")
    time: float = quantity("time in which charges are counted, long", "hbar/t", gt=0)
    charges: Charges
    counting_fields: int = Field(
        64, description="number of counting fields, evenly from 0, below pi", ge=2, le=10_000
    )
    accuracy: Accuracy = ACCURACY


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Charge: what a lead sends into the system in the given time, less what it receives.",
    "Long-time limit: <exp(i lambda charge)> = exp(time chi(lambda)) with the generating function "
    "chi; chi(-lambda) is its complex conjugate.  Time must be long against the inverse "
    "temperature and bias; the error of a probability says how far the limit is from a "
    "distribution.",
    "Cumulants are per unit time, of order 1 (current) to 4; order 2 is the noise.",
    *steady_flows.CONVENTIONS,
)

_RATE = "t/hbar"
_DISTRIBUTION = ("lead", "charge")

VARIABLES = (
    steady_flows.VARIABLES
    | with_errors(
        {
            "cumulant": Variable(
                ("lead", "order"),
                _RATE,
                "cumulant of the charge, per unit time",
                Limits(np.array([-np.inf, 0.0, -np.inf, -np.inf])),
            ),
            "generating_function_real": Variable(
                ("lead", "counting_field"),
                _RATE,
                "real part of the cumulant generating function",
                Limits(upper=0),
            ),
            "generating_function_imaginary": Variable(
                ("lead", "counting_field"),
                _RATE,
                "imaginary part of the cumulant generating function",
            ),
            "probability": Variable(_DISTRIBUTION, "1", "probability of the charge", PROBABILITY),
            "outside_probability": Variable(
                ("lead",), "1", "probability of charges that are not tabulated", PROBABILITY
            ),
        }
    )
    | {
        "gaussian_probability": Variable(
            _DISTRIBUTION,
            "1",
            "normal density of the mean and variance of the charge",
            NOT_NEGATIVE,
        ),
    }
)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return leads, orders, counting fields and charges."""
    return {
        **steady_flows.coordinates(parameters.system),
        "order": Coordinate(np.arange(1, 5), "1", "order of the cumulant"),
        "counting_field": Coordinate(_fields(parameters), "rad", "counting field"),
        "charge": Coordinate(parameters.charges.values(), "1", "charge"),
    }


def _fields(parameters: Parameters) -> np.ndarray:
    return np.linspace(0, np.pi, parameters.counting_fields, endpoint=False)


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return cumulants, generating functions and distributions of one system."""
    system, accuracy = systems.open_system(parameters.system, rng), parameters.accuracy
    observables = cumulants_observable, currents_observable, noise_observable
    found, *both = integrate_observables(system, [f(system) for f in observables], accuracy)
    rows: list[dict[str, np.ndarray | float]] = []
    for name, cumulants in zip(found.terminals, found.cumulants, strict=True):
        chi, error = generating_function(system, name, _fields(parameters), accuracy)
        distribution = charge_distribution(system, name, parameters.time, accuracy)
        rows.append(
            {
                "generating_function_real": chi.real,
                "generating_function_real_error": error,
                "generating_function_imaginary": chi.imag,
                "generating_function_imaginary_error": error,
                **_tabulated(distribution, parameters, cumulants * parameters.time),
            }
        )
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    values |= {"cumulant": found.cumulants, "cumulant_error": found.cumulants_error}
    flows, notes = steady_flows.flows(system, *both)
    values |= flows
    if any(lead.temperature > 0 for lead in system.leads):
        allow_for_underflow(values, ["cumulant", "outside_probability"])
        # Nothing is counted at the field zero.
        counted = _fields(parameters) > 0
        allow_for_underflow(values, ["generating_function_real"], counted)
        allow_for_underflow(values, ["generating_function_imaginary"], counted)
    still = ~np.isfinite(values["gaussian_probability"]).all(axis=1)
    values["gaussian_probability"][still] = np.nan
    if still.any():
        names = ", ".join(np.array(found.terminals)[still])
        notes["gaussian_probability"] = f"the charge of {names} does not fluctuate"
    if not found.converged:
        return Outcome(values, Status.NOT_CONVERGED, "an energy integral did not converge", notes)
    return Outcome(values, notes=notes, limits=steady_flows.limits(system))


def _tabulated(
    distribution: ChargeDistribution, parameters: Parameters, cumulants: np.ndarray
) -> dict[str, np.ndarray | float]:
    """Return the probabilities of the charges asked for; ``cumulants`` are those of the charge."""
    charges = parameters.charges.values()
    inside = np.isin(distribution.charge, charges)
    probability = np.zeros(charges.size)
    probability[np.isin(charges, distribution.charge)] = distribution.probability[inside]
    mean, variance = cumulants[:2]
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = -((charges - mean) ** 2) / (2 * variance)
        gaussian = np.exp(exponent) / np.sqrt(2 * np.pi * variance)
    return {
        "probability": probability,
        "probability_error": np.full(charges.size, distribution.error),
        "gaussian_probability": gaussian,
        "outside_probability": float(distribution.probability[~inside].sum()),
        "outside_probability_error": distribution.error * np.count_nonzero(~inside),
    }
