"""Distribution of the particles transferred in a time through a line shared by reservoirs."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.estimate import Estimate, undefined
from nessflow.mixture.counting import transfer_distribution
from nessflow.outcome import joined
from nessflow.parts import KeyedError, Strict, quantity
from nessflow.studies import mixtures
from nessflow.studies.kind import NOT_NEGATIVE, PROBABILITY, Coordinate, Outcome, Variable
from nessflow.studies.mixtures import TRANSPORT, LineParameters
from nessflow.studies.variables import never_random, outcome_of, status_of

CONVENTIONS = (
    *mixtures.CONVENTIONS,
    "Transferred number: net number of particles from left to right in the time, which is long "
    "against hbar over the temperature.  Normal probability: Gaussian of the same mean and "
    "variance.",
)

VARIABLES = {
    "transfer_probability": Variable(
        ("transferred",), "1", "probability of the transferred number", PROBABILITY
    ),
    "transfer_probability_error": Variable(
        ("transferred",), "1", "numerical error of probability of the transferred number"
    ),
    "normal_probability": Variable(
        ("transferred",), "1", "Gaussian of the same mean and variance", NOT_NEGATIVE
    ),
    "outside_probability": Variable((), "1", "probability of all other numbers", PROBABILITY),
    "outside_probability_error": Variable(
        (), "1", "numerical error of probability of all other numbers"
    ),
} | TRANSPORT
is_random = never_random


class Numbers(Strict):
    """Transferred numbers without gaps."""

    lowest: int = Field(-20, description="lowest transferred number")
    highest: int = Field(40, description="highest transferred number")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 <= self.highest - self.lowest < 1_000_000:
            raise KeyedError(
                f"lowest {self.lowest} to highest {self.highest}: expected one to a million "
                "numbers",
                "highest",
            )
        return self


class Parameters(LineParameters):
    """A line, a time, and numbers."""

    time: float = quantity("time of counting", "hbar/t", gt=0)
    numbers: Numbers = Numbers()


def _numbers(parameters: Parameters) -> np.ndarray:
    return np.arange(parameters.numbers.lowest, parameters.numbers.highest + 1)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the transferred numbers, and the coordinates of the transport."""
    return mixtures.line_coordinates(parameters) | {
        "transferred": Coordinate(_numbers(parameters), "1", "transferred number")
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the distribution for one line (section 3.1), and its transport."""
    (transport,) = mixtures.transport_outcomes([parameters])
    mean, variance = transport.values["particle_cumulant"][:2]
    numbers = _numbers(parameters)
    normal = _normal(numbers, parameters.time * mean, parameters.time * variance)
    found = {"normal_probability": normal}
    try:
        table = transfer_distribution(
            parameters.mixture.state, parameters.time, float(mean), float(variance)
        )
    except ValueError as error:
        found["transfer_probability"] = undefined(str(error), numbers.shape)
        found["outside_probability"] = undefined(str(error))
        fault = outcome_of(VARIABLES, found, *status_of(str(error)))
        return joined(transport, fault)
    inside = (table.number >= numbers[0]) & (table.number <= numbers[-1])
    probability = np.zeros(numbers.size)
    probability[table.number[inside] - numbers[0]] = table.probability[inside]
    found["transfer_probability"] = Estimate(probability, table.error)
    found["outside_probability"] = Estimate(
        table.probability[~inside].sum(), table.error * max(1, np.sum(~inside))
    )
    return joined(transport, outcome_of(VARIABLES, found))


def _normal(numbers: np.ndarray, mean: float, variance: float) -> Estimate:
    if variance == 0:
        return undefined("nothing fluctuates", numbers.shape)
    value = np.exp(-((numbers - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    return Estimate(value, np.nan)
