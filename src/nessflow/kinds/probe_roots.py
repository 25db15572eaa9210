"""All real solutions for one or two probes to third order in bias and currents."""

import numpy as np
from pydantic import Field, model_validator

from nessflow.kinds import probes
from nessflow.parts import KeyedError, Strict, at_key
from nessflow.probes.exact import solve_probes
from nessflow.probes.linear import linear_probes
from nessflow.probes.problem import NoSolution, Probe, ProbeSolution
from nessflow.probes.third_order import third_order_probes
from nessflow.studies import probed_systems
from nessflow.studies.kind import PROBABILITY, Coordinate, Limits, Outcome, Variable
from nessflow.studies.variables import ACCURACY, Accuracy, failed, with_errors
from nessflow.thermodynamics import without_temperature

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
    def _few_probes(self):
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
    return probed_systems.systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return all solutions of one system (paper nonreciprocal-gain-loss, B35)."""
    system, demanded = probed_systems.open_system(parameters.system, rng)
    accuracy = parameters.accuracy
    try:
        found = third_order_probes(system, demanded, accuracy)
    except NoSolution as error:
        return failed(VARIABLES, coordinates(parameters), str(error))
    count, first = len(found.roots), len(system.terminals) - len(demanded)
    potentials, current = np.full((_ROOTS, len(demanded)), np.nan), np.full(_ROOTS, np.nan)
    physical = np.full(_ROOTS, np.nan)
    potentials[:count], current[:count], physical[:count] = found.roots, found.currents[:, 0], 0.0
    notes = {}
    if found.physical_root is not None:
        physical[found.physical_root] = 1.0
    if count < _ROOTS:
        names = ("root_chemical_potential", "root_left_current", "root_is_physical")
        notes = dict.fromkeys(names, f"{count} of nine solutions are real")
    values = {
        "root_chemical_potential": potentials,
        "root_left_current": current,
        "root_is_physical": physical,
        "root_count": count,
    }
    ways = {
        "physical": lambda: found.physical,
        "linear": lambda: linear_probes(system, demanded, accuracy),
        "exact": lambda: solve_probes(system, demanded, accuracy),
    }
    for name, way in ways.items():
        key = f"{name}_chemical_potential"
        reason = ""
        try:
            solved = way()
            if solved is None:
                reason = "the physical solution ends before this bias and current"
            elif solved.validity.band_excess:
                reason = solved.validity.reason
        except NoSolution as error:
            reason = str(error)
        if reason:
            notes[key] = reason
            values[key] = values[f"{key}_error"] = np.full(len(demanded), np.nan)
            continue
        values[key] = solved.chemical_potential[first:]
        values[f"{key}_error"] = solved.chemical_potential_error[first:]
    # The exact solution is the last.
    flows, more = _flows(None if reason else solved, demanded, first, reason, accuracy)
    return Outcome(values | flows, notes=notes | more)


def _flows(
    solved: ProbeSolution | None,
    demanded: list[Probe],
    contacts: int,
    reason: str,
    accuracy: float,
) -> tuple[dict[str, np.ndarray | float], dict[str, str]]:
    """Return currents, noise and entropy production of a solution, and notes."""
    if solved is None:
        shapes = {"contact": contacts, "contact_2": contacts}
        undefined = _FLOWS | probes.ENTROPY
        values = {
            name: np.full([shapes[dim] for dim in variable.dims], np.nan)
            for name, variable in undefined.items()
        }
        return values, dict.fromkeys(undefined, reason)
    values, notes = probes.noise(solved.system, demanded, accuracy)
    for name in ("particle_current", "particle_current_error"):
        values[name] = getattr(solved, name)[:contacts]
    values |= dict.fromkeys(probes.ENTROPY, np.nan)
    # All leads are cold, as third order takes.
    return values, notes | {"entropy_production": without_temperature(solved.system)}
