"""Currents, noise and entropy production of any number of reservoirs at a star of lines."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.matrix import require_square
from nessflow.mixture.junction import edges, junction_transport
from nessflow.mixture.state import Mixture
from nessflow.parts import Strict, at_key
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    SECOND_LAW,
    Coordinate,
    Limits,
    Outcome,
    Variable,
)
from nessflow.studies.mixtures import Particles, Probability, Reservoir, terminal_names
from nessflow.studies.variables import never_random, of_integrals, outcome_of, with_errors

CONVENTIONS = (
    "Free particles, energy k^2/2m, hbar = k_B = e = 1, lengths in a, on lines that meet in a "
    "point, each with a reservoir at its end.",
    "Exchange: T[i][j] is the probability that a particle from reservoir j leaves through gate i, "
    "doubly stochastic.  This is a choice: the paper fixes only the sum of all imbalances.",
    "A terminal's current counts from the reservoir into the system; they sum to zero.  Noise and "
    "density of a terminal: those of its line.",
)

_PARTICLE, _ENERGY, _TERMINAL = "t/hbar", "t^2/hbar", ("terminal",)
VARIABLES = with_errors(
    {
        "particle_density": Variable(
            _TERMINAL, "1/a", "particle density on the line", NOT_NEGATIVE
        ),
        "particle_current": Variable(
            _TERMINAL, _PARTICLE, "particle current from the terminal into the system"
        ),
        "energy_current": Variable(
            _TERMINAL, _ENERGY, "energy current from the terminal into the system"
        ),
        "heat_current": Variable(("lead",), _ENERGY, "heat current from the lead into the system"),
        "terminal_particle_noise": Variable(
            _TERMINAL,
            _PARTICLE,
            "zero-frequency noise of the line's particle current",
            NOT_NEGATIVE,
        ),
        "entropy_production": Variable(
            (), "k_B*t/hbar", "entropy production of all terminals", SECOND_LAW
        ),
    }
) | {
    "conservation_defect": Variable(
        (), _PARTICLE, "sum of the particle currents of all terminals, zero by conservation"
    )
}
is_random = never_random


class Junction(Particles):
    """Reservoirs that exchange particles in one point."""

    exchange: tuple[tuple[Probability, ...], ...] = Field(
        description="doubly stochastic matrix: from reservoir (column) to gate (row)"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        with at_key("exchange"):
            require_square(self.exchange)
        self.mixtures()
        return self

    def mixtures(self) -> list[Mixture]:
        """Return the mixture on each line."""
        reservoirs = [reservoir.reservoir() for reservoir in self.reservoirs]
        return edges(reservoirs, np.array(self.exchange), self.mass, self.statistics)


class Parameters(Strict):
    """One junction."""

    junction: Junction = Field(description="particles, reservoirs and exchange")


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the reservoirs."""
    names = terminal_names(len(parameters.junction.reservoirs))
    return {
        "terminal": Coordinate(names, "1", "terminal"),
        "lead": Coordinate(names, "1", "lead"),
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the observables of one junction (eq. 131 and the choice above)."""
    found = junction_transport(parameters.junction.mixtures())
    balance = found.particle_current.total()
    limits = Limits(-balance.error, balance.error, "particles are not conserved")
    return outcome_of(
        VARIABLES,
        {
            "particle_density": found.density,
            "particle_current": found.particle_current,
            "energy_current": found.energy_current,
            "heat_current": found.heat_current,
            "terminal_particle_noise": found.noise,
            "entropy_production": found.entropy_production,
            "conservation_defect": balance,
        },
        *of_integrals(found.converged),
        {"conservation_defect": limits},
        _never_zero(parameters.junction.reservoirs),
    )


def _never_zero(reservoirs: Sequence[Reservoir]) -> dict[str, bool]:
    """Return what vanishes by underflow alone: some particles of a warm reservoir are anywhere."""
    if all(reservoir.temperature == 0 for reservoir in reservoirs):
        return {}
    names = ["particle_density", "terminal_particle_noise"]
    if any(reservoir != reservoirs[0] for reservoir in reservoirs):
        names += ["particle_current", "energy_current", "heat_current", "entropy_production"]
    return dict.fromkeys(names, True)
