"""Counting statistics of the charge that each lead sends: cumulants, distribution and flows."""

from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.estimate import Estimate, stacked
from nessflow.observables import observable
from nessflow.observables.cumulants import Cumulants
from nessflow.outcome import joined
from nessflow.parts import KeyedError, Strict, quantity
from nessflow.scattering.counting import (
    ChargeDistribution,
    ParticleCumulants,
    charge_distribution,
    generating_function,
)
from nessflow.studies import observed, systems
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    PROBABILITY,
    Coordinate,
    Limits,
    Outcome,
    Variable,
)
from nessflow.studies.variables import of_integrals, outcome_of, with_errors
from nessflow.systems.system import OpenSystem


class Charges(Strict):
    """Whole charges, both ends included."""

    lowest: int = Field(description="lowest charge whose probability is stored")
    highest: int = Field(description="highest charge whose probability is stored")

    @model_validator(mode="after")
    def _some(self) -> Self:
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


_RATE = "t/hbar"
_DISTRIBUTION = ("lead", "charge")

OWN = with_errors(
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
) | {
    "gaussian_probability": Variable(
        _DISTRIBUTION,
        "1",
        "normal density of the mean and variance of the charge",
        NOT_NEGATIVE,
    ),
}


class Parameters(observed.Observed):
    """One system, the time in which charges are counted, and what is tabulated."""

    own = OWN

    time: float = quantity("time in which charges are counted, long", "hbar/t", gt=0)
    charges: Charges
    counting_fields: int = Field(
        64, description="number of counting fields, evenly from 0, below pi", ge=2, le=10_000
    )

    def own_coordinates(self) -> dict[str, Coordinate]:
        """Return orders, counting fields and charges."""
        return {
            "order": Coordinate(np.arange(1, 5), "1", "order of the cumulant"),
            "counting_field": Coordinate(_fields(self), "rad", "counting field"),
            "charge": Coordinate(self.charges.values(), "1", "charge"),
        }


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Charge: what a lead sends into the system in the given time, less what it receives.",
    "Long-time limit: <exp(i lambda charge)> = exp(time chi(lambda)) with the generating function "
    "chi; chi(-lambda) is its complex conjugate.  Time must be long against the inverse "
    "temperature and bias; the error of a probability says how far the limit is from a "
    "distribution.",
    "Cumulants are per unit time, of order 1 (current) to 4; order 2 is the noise.",
    *observed.conventions(observed.FLOWS),
)
VARIABLES = observed.variables(Parameters)
chosen = Parameters.chosen
coordinates = observed.coordinates
is_random = observed.is_random


def _fields(parameters: Parameters) -> np.ndarray:
    return np.linspace(0, np.pi, parameters.counting_fields, endpoint=False)


def evaluate(parameters: Parameters, rng: np.random.Generator | None, own: bool = True) -> Outcome:
    """Return cumulants, generating functions and distributions of one system, and observables."""
    system, asked = systems.open_system(parameters.system, rng), parameters.observables
    needed = (*asked, Cumulants()) if own else asked
    results = observable.results(system, needed, parameters.accuracy)
    found = observable.outcome(system, asked, results)
    return joined(_counted(parameters, system, results["cumulants"]), found) if own else found


def _counted(parameters: Parameters, system: OpenSystem, found: ParticleCumulants) -> Outcome:
    """Return what `OWN` lists."""
    rows = {
        name: _of_terminal(parameters, system, name, cumulants)
        for name, cumulants in zip(found.terminals, found.cumulants.value, strict=True)
    }
    counted = {
        key: stacked({name: row[key] for name, row in rows.items()})
        for key in next(iter(rows.values()))
    } | {"cumulant": found.cumulants}
    gaussian = counted["gaussian_probability"].value
    still = ~np.isfinite(gaussian).all(axis=1)
    gaussian[still] = np.nan
    if still.any():
        names = ", ".join(np.array(found.terminals)[still])
        reason = f"the charge of {names} does not fluctuate"
        counted["gaussian_probability"] = Estimate(gaussian, np.nan, reason)
    never_zero: dict[str, Any] = {}
    if any(lead.temperature > 0 for lead in system.leads):
        # Nothing is counted at the field zero.
        generating = "generating_function_real", "generating_function_imaginary"
        never_zero = dict.fromkeys(("cumulant", "outside_probability"), True)
        never_zero |= dict.fromkeys(generating, _fields(parameters) > 0)
    return outcome_of(OWN, counted, *of_integrals(found.converged), never_zero=never_zero)


def _of_terminal(
    parameters: Parameters, system: OpenSystem, name: str, cumulants: np.ndarray
) -> dict[str, Estimate]:
    """Return what is counted of one terminal but its cumulants."""
    accuracy = parameters.accuracy
    chi, error = generating_function(system, name, _fields(parameters), accuracy)
    distribution = charge_distribution(system, name, parameters.time, accuracy)
    return {
        "generating_function_real": Estimate(chi.real, error),
        "generating_function_imaginary": Estimate(chi.imag, error),
        **_tabulated(distribution, parameters, cumulants * parameters.time),
    }


def _tabulated(
    distribution: ChargeDistribution, parameters: Parameters, cumulants: np.ndarray
) -> dict[str, Estimate]:
    """Return the probabilities of the charges asked for; ``cumulants`` are those of the charge."""
    charges = parameters.charges.values()
    inside = np.isin(distribution.charge, charges)
    probability = np.zeros(charges.size)
    probability[np.isin(charges, distribution.charge)] = distribution.probability[inside]
    mean, variance = cumulants[:2]
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = -((charges - mean) ** 2) / (2 * variance)
        gaussian = np.exp(exponent) / np.sqrt(2 * np.pi * variance)
    outside = ~inside
    return {
        "probability": Estimate(probability, np.full(charges.size, distribution.error)),
        "gaussian_probability": Estimate(gaussian, np.nan),
        "outside_probability": Estimate(
            float(distribution.probability[outside].sum()),
            distribution.error * np.count_nonzero(outside),
        ),
    }
