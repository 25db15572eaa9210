"""Relaxation of movers on a lattice with sources and drains towards their steady state."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from nessflow.classical import lattice
from nessflow.classical.sums import EPSILON
from nessflow.kinds import classical_lattice
from nessflow.parts import Strict, quantity
from nessflow.studies import placement
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    SECOND_LAW,
    Coordinate,
    Outcome,
    Status,
    Variable,
)
from nessflow.studies.variables import never_random, with_errors


class System(classical_lattice.System):
    """Lattice whose movers can leave every site."""

    hopping_probability: float = quantity(
        "probability to go on from a site with a source or drain; else a mover turns round",
        "1",
        gt=0,
        le=1,
    )


class Parameters(Strict):
    """One lattice and its start: the same density of both movers on all sites."""

    system: System = Field(description="lattice, sources and drains, reservoirs")
    initial_density: float = quantity("density of both movers at time 0", "1", ge=0)
    duration: int = Field(description="number of time steps", ge=1, le=10_000_000)
    interval: int = Field(1, description="time steps between recorded times", ge=1)


CONVENTIONS = (
    *classical_lattice.CONVENTIONS,
    "Entropy production in time counts what the movers on the lattice gain themselves while they "
    "relax.  The noise at zero frequency takes longer than the relaxation: stored is that of the "
    "steady state.",
)

VARIABLES = with_errors(
    {
        "particle_current": Variable(
            ("direction", "lead", "elapsed_time"),
            "t/hbar",
            "particle current from the end into the system",
        ),
        "entropy_production": Variable(
            ("direction", "elapsed_time"),
            "k_B*t/hbar",
            "entropy that the next time step produces",
            SECOND_LAW,
        ),
        "steady_particle_current": Variable(
            ("direction", "lead"), "t/hbar", "particle current of the steady state"
        ),
    }
    | {
        f"steady_{name}": replace(
            placement.FLUCTUATIONS[name],
            long_name=f"{placement.FLUCTUATIONS[name].long_name} in the steady state",
        )
        for name in ("particle_noise", "entropy_production")
    }
) | {
    "density_distance": Variable(
        ("direction", "elapsed_time"),
        "1",
        "largest distance of a density from its steady value",
        NOT_NEGATIVE,
    ),
    "slowest_decay": Variable(
        ("direction", "elapsed_time"),
        "1",
        "decay with the relaxation rate through the last exact distance",
        NOT_NEGATIVE,
    ),
    "relaxation_rate": Variable((), "t/hbar", "rate of the slowest decay", NOT_NEGATIVE),
    "relaxation_rate_error": Variable((), "t/hbar", "numerical error of the relaxation rate"),
}
is_random = never_random


def _times(parameters: Parameters) -> np.ndarray:
    return np.arange(0, parameters.duration + 1, parameters.interval)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return directions, ends and times."""
    return {
        "direction": placement.directions(),
        **placement.ends(),
        "elapsed_time": Coordinate(_times(parameters), "hbar/t", "time"),
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return currents and densities in time, (1)-(5) of the paper, and the slowest rate."""
    notes, status = {}, (Status.OK, "")
    engines = parameters.system.both_directions()
    try:
        rate, rate_error, converged = lattice.relaxation_rate(engines[0])
        if not converged:
            status = Status.NOT_CONVERGED, f"the relaxation rate is uncertain by {rate_error:.1e}"
    except ValueError as error:
        rate = rate_error = np.nan
        notes = dict.fromkeys(("relaxation_rate", "relaxation_rate_error"), str(error))
        notes["slowest_decay"] = str(error)
    times = _times(parameters)
    results, reasons = zip(
        *(_one_direction(parameters, one, times, rate) for one in engines), strict=True
    )
    values = {name: np.array([result[name] for result in results]) for name in results[0]}
    values |= {"relaxation_rate": rate, "relaxation_rate_error": rate_error}
    return Outcome(values, *status, notes | placement.joined_notes(reasons))


def _one_direction(parameters, engine, times, rate) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return values and notes of one direction."""
    steady = lattice.steady_state(engine)
    density = np.full((2, parameters.system.sites), parameters.initial_density)
    currents, distances = np.empty((2, times.size)), np.empty(times.size)
    # Rounding of one step, which no later one enlarges.
    rounding = 4 * EPSILON * lattice.largest_flux(engine, density)
    fluctuating, undefined = classical_lattice.fluctuations(engine)
    notes = {f"steady_{name}": reason for name, reason in undefined.items()}
    if "entropy_production" in undefined:
        notes["entropy_production"] = undefined["entropy_production"]
    entropy = np.full((2, times.size), np.nan)
    for recorded in range(times.size):
        currents[:, recorded] = lattice.reservoir_currents(engine, density)
        if "entropy_production" not in notes:
            wrong = np.broadcast_to(times[recorded] * rounding / engine.hopping, density.shape)
            entropy[:, recorded] = lattice.step_entropy(engine, density, wrong)
        distances[recorded] = abs(density - steady.density).max()
        for _ in range(parameters.interval if recorded < times.size - 1 else 0):
            density = lattice.step(engine, density)
    # Rounding hides the decay in the end.
    last = np.flatnonzero(distances > 1e-9 * distances[0])[-1] if distances[0] else 0
    return {
        "particle_current": currents,
        "particle_current_error": np.broadcast_to((times + 1) * rounding, currents.shape),
        "entropy_production": entropy[0],
        "entropy_production_error": entropy[1],
        **{f"steady_{name}": value for name, value in fluctuating.items()},
        "steady_particle_current": steady.particle_current,
        "steady_particle_current_error": steady.particle_current_error,
        "density_distance": distances,
        "slowest_decay": distances[last] * np.exp(rate * (times[last] - times)),
    }, notes
