"""What the modules of several kinds have in common: errors of variables, no randomness."""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field

from nessflow.outcome import (
    Coordinate,
    Outcome,
    Status,
    Variable,
    of_integrals,
    outcome_of,
    status_of,
    with_errors,
)
from nessflow.spectrum.spectrum import ACCURACY

__all__ = [
    "ACCURACY",
    "CHARGE",
    "Accuracy",
    "Charge",
    "failed",
    "never_random",
    "of_integrals",
    "outcome_of",
    "status_of",
    "with_errors",
]

Charge = Annotated[
    Literal[1, -1],
    Field(description="charge of the carriers: sign of Seebeck and Peltier coefficients"),
]
Accuracy = Annotated[
    float,
    Field(
        description="relative error aimed at for every stored component",
        json_schema_extra={"natural_units": "1"},
        ge=1e-14,
        le=1e-2,
    ),
]
"""For kinds whose numbers are integrals over the energy; its default is `ACCURACY`."""

CHARGE = (
    "Sign of Seebeck and Peltier coefficients: that of carriers of charge +1, S = -d mu/dT without "
    "current, Pi = heat over particles at equal temperatures, both positive where transport is "
    "above the chemical potential.  charge: -1 gives those of electrons, -S and -Pi."
)


def failed(
    variables: Mapping[str, Variable], coordinates: Mapping[str, Coordinate], message: str
) -> Outcome:
    """Return an outcome that did not converge, NaN for all variables, and why."""
    sizes = {name: len(coordinate.values) for name, coordinate in coordinates.items()}
    values = {
        name: np.full([sizes[dim] for dim in variable.dims], np.nan)
        for name, variable in variables.items()
    }
    return Outcome(values, Status.NOT_CONVERGED, message)


def never_random(parameters: BaseModel) -> bool:
    """Return False: ``is_random`` of a kind that draws nothing from the generator."""
    return False
