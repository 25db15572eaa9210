"""Steady state of an open system between leads: the observables that a study asks for."""

from typing import Annotated

import numpy as np
from pydantic import Field

from nessflow.observables import observable
from nessflow.observables.observable import Chosen, Listed, Observable, observable_kinds
from nessflow.parts import Strict
from nessflow.studies import systems
from nessflow.studies.kind import Coordinate, Outcome
from nessflow.studies.variables import ACCURACY, Accuracy

OBSERVABLES = (
    "currents",
    "noise",
    "cumulants",
    "entropy-production",
    "scattering-entropy",
    "uncertainty-ratios",
)
"""What a study that does not say so asks for."""


class Parameters(Strict):
    """One system, and what is computed of it."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")
    observables: Annotated[tuple[Observable, ...], Listed()] = Field(
        OBSERVABLES,
        validate_default=True,
        description="list of what is computed, a name or name: {parameters} each",
    )
    accuracy: Accuracy = ACCURACY


def chosen(written: object) -> dict[str, Chosen]:
    """Return the observables of a study from the list as it is written, None by default."""
    return observable.chosen(written, OBSERVABLES)


VARIABLES = {
    name: variable for each in chosen(None).values() for name, variable in each.variables.items()
}
CONVENTIONS = (
    *systems.CONVENTIONS,
    *(line for name in OBSERVABLES for line in observable_kinds()[name].conventions),
)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the dimensions of all variables: terminals, leads, and what observables ask for."""
    found: dict[str, Coordinate] = {}
    for each in parameters.observables:
        found |= each.coordinates()
        dimensions = dict.fromkeys(dim for x in each.variables.values() for dim in x.dims)
        found |= systems.coordinates(parameters.system, [d for d in dimensions if d not in found])
    return found


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the observables of one system."""
    system = systems.open_system(parameters.system, rng)
    return observable.evaluate(system, parameters.observables, parameters.accuracy)
