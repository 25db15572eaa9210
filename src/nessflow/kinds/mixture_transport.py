"""Currents, noise, entropy production and engine of a line that reservoirs share by weights."""

from collections.abc import Sequence

import numpy as np

from nessflow.studies.kind import Outcome
from nessflow.studies.mixtures import (
    CONVENTIONS,
    TRANSPORT,
    LineParameters,
    line_coordinates,
    transport_outcomes,
)
from nessflow.studies.variables import never_random

__all__ = ["CONVENTIONS", "VARIABLES", "Parameters", "coordinates", "evaluate", "is_random"]

Parameters = LineParameters
VARIABLES = TRANSPORT
coordinates = line_coordinates
is_random = never_random


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the observables of one line (sections 3.1 to 3.5)."""
    return evaluate_many([parameters])[0]


def evaluate_many(parameters: Sequence[Parameters], rngs: Sequence[None] = ()) -> list[Outcome]:
    """Return the outcomes of many points, computed together."""
    return transport_outcomes(parameters)
