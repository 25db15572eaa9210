"""Steady state of a short ring at a fixed number of particles, without the ensemble."""

from typing import Self

import numpy as np
from pydantic import model_validator

from nessflow.estimate import Estimate, undefined
from nessflow.kinds import ring_steady_state
from nessflow.kinds.ring_steady_state import broken_law, completed
from nessflow.kinetic.equation import rate_equation
from nessflow.kinetic.exclusion import (
    MOST_CONFIGURATIONS,
    Process,
    energy_gain,
    hop_entropy,
    particles_of,
    steady_process,
    zero_frequency_noise,
)
from nessflow.kinetic.rates import thermal_channel
from nessflow.studies import rings
from nessflow.studies.kind import Coordinate, Outcome, Variable
from nessflow.studies.variables import never_random, outcome_of, status_of


class Parameters(ring_steady_state.Parameters):
    """One ring of few cells."""

    @model_validator(mode="after")
    def _countable(self) -> Self:
        particles_of(self.ring.filling, self.ring.length * len(self.ring.bands.orbitals))
        return self


_OTHERWISE = "State:", "Length:", "Suspect:", "Particle noise:"
"""Conventions of the ensemble."""

CONVENTIONS = (
    *(text for text in rings.CONVENTIONS if not text.startswith(_OTHERWISE)),
    "State: filling times modes is a whole number of particles, which hop one by one from mode a "
    "to an empty mode b at the rates of both baths: the limit of weak coupling of the equation of "
    "the baths, long after all configurations were equally likely.  Coherences between "
    "configurations of equal energy and total momentum are left out; with 6 cells they change "
    "currents by 1 %.",
    f"Size: at most {MOST_CONFIGURATIONS} configurations, for example 14 cells of one band at half "
    "filling; beyond, study: ring-steady-state is the limit of long rings.",
    "Current variance: length times the variance of the current at one time.  Noise: zero "
    "frequency, length times the integral of <<dI(t) dI(0)>> over t without a factor 2.",
    "Entropy production of a channel: sum over hops of (f - f') ln(f/f')/2, f' the rate of the hop "
    "back by the same operator.",
    *(text for text in ring_steady_state.CONVENTIONS if text.startswith("Uncertainty ratio:")),
)

_SHARED = (
    "particle_current",
    "orbital_current",
    "current_variance",
    "particle_noise",
    "energy_current",
    "heat_current",
    "channel_entropy_production",
    "entropy_production",
    "bath_entropy_production",
    "uncertainty_ratio",
)

VARIABLES = {
    name: ring_steady_state.VARIABLES[name]
    for shared in _SHARED
    for name in (shared, f"{shared}_error")
} | {
    "particles": Variable((), "1", "number of particles"),
    "configurations": Variable((), "1", "number of configurations"),
}
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the orbitals and the channels."""
    return ring_steady_state.coordinates(parameters)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the steady state of one ring (paper weak-coupling-rectification, eq. 1)."""
    ring = parameters.ring
    modes = ring.bloch_bands()
    thermal = thermal_channel(modes, ring.inverse_temperature)
    share = parameters.nonequilibrium_share
    equation = rate_equation(modes, thermal, ring.channels(modes), ring.coupling, share)
    process = steady_process(equation, particles_of(ring.filling, equation.modes))
    found = _estimates(ring, process)
    fault = broken_law(found) or rings.doubt(ring, share, None)
    found = completed(found) | {
        "particles": process.configurations[0].sum(),
        "configurations": len(process.configurations),
    }
    return outcome_of(VARIABLES, found, *status_of(doubt=fault))


def _estimates(ring: rings.Ring, process: Process) -> dict[str, Estimate]:
    bands, filled = process.equation.bands, process.configurations
    current = filled @ bands.velocity.value / ring.length
    # Velocities that cancel, or are zero by symmetry, have the rounding of the others.
    wrong = float((filled @ bands.velocity.error).max()) / ring.length
    mean = process.mean(Estimate(current, wrong))
    departure, moved = current - mean.value, wrong + mean.error
    squared = ring.length * moved * (2 * abs(departure) + moved)
    noise = undefined(f"infinite: no hop leaves any of {process.parts} sets of configurations")
    if process.parts == 1:
        noise = zero_frequency_noise(process, Estimate(current, moved) * np.sqrt(ring.length))
    thermal, *others = process.equation.channels
    # Of the whole ring, while other kinds have them per cell.
    energy, entropy = (
        [of_channels(process, group) / ring.length for group in ([thermal], others)]
        for of_channels in (energy_gain, hop_entropy)
    )
    return {
        "particle_current": mean,
        "orbital_current": process.mean(
            Estimate(filled @ bands.orbital_velocity / ring.length, wrong)
        ),
        "current_variance": process.mean(Estimate(ring.length * departure**2, squared)),
        "particle_noise": noise,
    } | ring_steady_state.exchanged(energy, entropy, ring.inverse_temperature)
