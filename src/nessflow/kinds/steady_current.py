"""Steady state of an open system between leads: the observables that a study asks for."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from nessflow.observables import observable
from nessflow.studies import observed, systems
from nessflow.studies.kind import Outcome
from nessflow.systems.system import OpenSystem

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
    return evaluate_many([parameters], [rng])[0]


def evaluate_many(
    points: Sequence[Parameters], rngs: Sequence[np.random.Generator | None]
) -> list[Outcome]:
    """Return the observables of several systems, such as the samples of an ensemble."""

    def asked(task: tuple) -> tuple:
        return task[0].observables, task[0].accuracy

    outcomes = []
    for (observables, accuracy), tasks in groupby(zip(points, rngs, strict=True), asked):
        found: list[OpenSystem] = []
        # The samples of a point have one and the same system.
        for _, samples in groupby(tasks, lambda task: id(task[0].system)):
            alike, own = zip(*samples, strict=True)
            found += systems.open_systems(alike[0].system, own)
        outcomes += observable.evaluate_all(found, observables, accuracy)
    return outcomes
