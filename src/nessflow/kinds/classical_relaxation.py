"""Relaxation of movers on a lattice with sources and drains towards their steady state."""

from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from nessflow.classical import lattice
from nessflow.classical.sums import EPSILON
from nessflow.estimate import Estimate
from nessflow.kinds import classical_lattice
from nessflow.parts import Strict, quantity
from nessflow.studies import placement
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    SECOND_LAW,
    Coordinate,
    Outcome,
    Variable,
)
from nessflow.studies.variables import never_random, outcome_of, status_of, with_errors


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
    engines = parameters.system.both_directions()
    rate, converged = lattice.relaxation_rate(engines[0])
    times = _times(parameters)
    found = placement.by_direction(
        [_one_direction(parameters, one, times, rate) for one in engines]
    )
    found["relaxation_rate"] = rate
    fault = "" if converged else f"the relaxation rate is uncertain by {rate.error:.1e}"
    return outcome_of(VARIABLES, found, *status_of(fault))


def _one_direction(
    parameters: Parameters, engine: Any, times: np.ndarray, rate: Estimate
) -> dict[str, Estimate]:
    """Return the estimates of one direction."""
    steady = lattice.steady_state(engine)
    density = np.full((2, parameters.system.sites), parameters.initial_density)
    currents, distances = np.empty((2, times.size)), np.empty(times.size)
    # Rounding of one step, which no later one enlarges.
    rounding = 4 * EPSILON * lattice.largest_flux(engine, density)
    entropy, reason = np.empty((2, times.size)), lattice.without_reverse(engine)
    for recorded in range(times.size):
        currents[:, recorded] = lattice.reservoir_currents(engine, density)
        wrong = np.broadcast_to(times[recorded] * rounding / engine.hopping, density.shape)
        *entropy[:, recorded], _ = lattice.step_entropy(engine, Estimate(density, wrong))
        distances[recorded] = abs(density - steady.density.value).max()
        for _ in range(parameters.interval if recorded < times.size - 1 else 0):
            density = lattice.step(engine, density)
    # Rounding hides the decay in the end.
    last = np.flatnonzero(distances > 1e-9 * distances[0])[-1] if distances[0] else 0
    decay = distances[last] * np.exp(rate.value * (times[last] - times))
    return {
        "particle_current": Estimate(
            currents, np.broadcast_to((times + 1) * rounding, currents.shape)
        ),
        "entropy_production": Estimate(entropy[0], entropy[1], reason),
        "steady_particle_noise": lattice.particle_noise(engine),
        "steady_entropy_production": lattice.entropy_production(engine),
        "steady_particle_current": steady.particle_current,
        "density_distance": Estimate(distances, np.nan),
        "slowest_decay": Estimate(decay, np.nan, rate.undefined),
    }
