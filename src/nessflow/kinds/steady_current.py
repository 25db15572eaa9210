"""Steady state of an open system between leads: the observables that a study asks for."""

import numpy as np

from nessflow.observables import observable
from nessflow.studies import observed, systems
from nessflow.studies.kind import Outcome

OBSERVABLES = (
    "currents",
    "noise",
    "cumulants",
    "entropy-production",
    "scattering-entropy",
    "uncertainty-ratios",
)
"""What a study that does not say so asks for."""


class Parameters(observed.Observed):
    """One system, and what is computed of it."""

    observables: observed.Observables = observed.listed(*OBSERVABLES)


VARIABLES = observed.variables(Parameters)
CONVENTIONS = (*systems.CONVENTIONS, *observed.conventions(OBSERVABLES))
chosen = Parameters.chosen
coordinates = observed.coordinates
is_random = observed.is_random


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the observables of one system."""
    system = systems.open_system(parameters.system, rng)
    return observable.evaluate(system, parameters.observables, parameters.accuracy)
