"""All real solutions for one or two probes to third order in bias and currents."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.estimate import Estimate, undefined
from nessflow.kinds import probes
from nessflow.observables.thermodynamics import without_temperature
from nessflow.parts import KeyedError, Strict, at_key
from nessflow.probes.exact import solve_probes
from nessflow.probes.linear import linear_probes
from nessflow.probes.problem import NoSolution, Probe, ProbeSolution
from nessflow.probes.third_order import third_order_probes
from nessflow.studies import probed_systems, systems
from nessflow.studies.kind import PROBABILITY, Coordinate, Limits, Outcome, Variable
from nessflow.studies.variables import ACCURACY, Accuracy, failed, outcome_of, with_errors

_ROOTS = 9
CONVENTIONS = (
    *probes.CONVENTIONS,
    "Two cubic equations have up to nine real solutions, sorted by the first probe's chemical "
    "potential; the physical one goes to zero with bias and demanded currents.",
    "Particle current, noise and entropy production: of the exact solution.",
)
VARIABLES = {
    "root_chemical_potential": Variable(
        ("root", "probe"), "t", "chemical potentials of the probes in each real solution"
    ),
    "root_left_current": Variable(
        ("root",), "t/hbar", "particle current of the first lead in each real solution"
    ),
    "root_is_physical": Variable(
        ("root",), "1", "1 for the physical solution, 0 for others", PROBABILITY
    ),
    "root_count": Variable((), "1", "number of real solutions", Limits(0, _ROOTS)),
} | with_errors(
    {
        "physical_chemical_potential": Variable(
            ("probe",), "t", "chemical potentials in the physical solution"
        ),
        "linear_chemical_potential": Variable(
            ("probe",), "t", "chemical potentials in linear response"
        ),
        "exact_chemical_potential": Variable(("probe",), "t", "chemical potentials, exact"),
    }
)
_FLOWS = (
    with_errors(
        {
            "particle_current": Variable(
                ("contact",), "t/hbar", "particle current from the lead into the system, exact"
            ),
        }
    )
    | probes.NOISE
)
VARIABLES |= _FLOWS | probes.ENTROPY


class Parameters(Strict):
    """One system with one or two probes, at temperature 0."""

    system: probed_systems.ProbedSystem = Field(
        description="lattice, disorder, loss, gain, leads and probes"
    )
    accuracy: Accuracy = ACCURACY

    @model_validator(mode="after")
    def _few_probes(self) -> Self:
        count = len(probed_systems.probe_names(self.system))
        if count > 2:
            raise KeyedError(
                f"all real solutions are found for one or two probes, got {count}",
                "system",
                "probes",
            )
        with at_key("system"):
            probed_systems.require_cold(self.system, "the third order")
        return self


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return solutions and probes."""
    names = np.array(probed_systems.probe_names(parameters.system))
    contacts = probed_systems.coordinates(parameters.system)
    return {
        **{name: contacts[name] for name in ("contact", "contact_2")},
        "root": Coordinate(np.arange(1, _ROOTS + 1), "1", "real solution"),
        "probe": Coordinate(names, "1", "probe"),
    }


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return all solutions of one system (paper nonreciprocal-gain-loss, B35)."""
    system, demanded = probed_systems.open_system(parameters.system, rng)
    accuracy = parameters.accuracy
    try:
        roots: Any = third_order_probes(system, demanded, accuracy)
    except NoSolution as error:
        return failed(VARIABLES, coordinates(parameters), str(error))
    first = len(system.terminals) - len(demanded)
    count = len(roots.roots)
    potentials, current = np.full((_ROOTS, len(demanded)), np.nan), np.full(_ROOTS, np.nan)
    physical = np.full(_ROOTS, np.nan)
    potentials[:count], current[:count], physical[:count] = roots.roots, roots.currents[:, 0], 0.0
    if roots.physical_root is not None:
        physical[roots.physical_root] = 1.0
    reason = f"{count} of nine solutions are real" if count < _ROOTS else ""
    found: dict[str, Any] = {
        "root_chemical_potential": Estimate(potentials, np.nan, reason),
        "root_left_current": Estimate(current, np.nan, reason),
        "root_is_physical": Estimate(physical, np.nan, reason),
        "root_count": count,
    }
    ways = {
        "physical": lambda: roots.physical,
        "linear": lambda: linear_probes(system, demanded, accuracy),
        "exact": lambda: solve_probes(system, demanded, accuracy),
    }
    for name, way in ways.items():
        solved, reason = _solved(way)
        found[f"{name}_chemical_potential"] = (
            undefined(reason, (len(demanded),))
            if reason
            else solved.chemical_potential.at(slice(first, None))
        )
    # The exact solution is the last.
    flows = _undefined_flows(reason, first) if reason else _flows(solved, demanded, first, accuracy)
    return outcome_of(VARIABLES, found | flows)


def _solved(way: Callable[[], ProbeSolution | None]) -> tuple[Any, str]:
    """Return a solution, or why there is none."""
    try:
        solved = way()
    except NoSolution as error:
        return None, str(error)
    if solved is None:
        return None, "the physical solution ends before this bias and current"
    return solved, solved.validity.reason if solved.validity.band_excess else ""


def _undefined_flows(reason: str, contacts: int) -> dict[str, Estimate]:
    """Return why there are no currents, noise and entropy production."""
    return {
        "particle_current": undefined(reason, (contacts,)),
        "entropy_production": undefined(reason),
    } | probes.no_noise(reason, (contacts, contacts))


def _flows(
    solved: ProbeSolution, demanded: list[Probe], contacts: int, accuracy: float
) -> dict[str, Estimate]:
    """Return currents, noise and entropy production of a solution."""
    # All leads are cold, as third order takes.
    return probes.noise(solved, demanded, accuracy) | {
        "particle_current": solved.particle_current.at(slice(contacts)),
        "entropy_production": undefined(without_temperature(solved.system)),
    }
