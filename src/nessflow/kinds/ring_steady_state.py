"""Steady currents, their fluctuations and entropy production of a weakly coupled ring."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate, stacked, uncertainty_ratio
from nessflow.kinetic.flows import (
    energy_exchange,
    entropy_production,
    orbital_currents,
    particle_current,
    particle_gain,
    summed,
)
from nessflow.kinetic.fluctuations import fluctuations
from nessflow.kinetic.steady import SteadyState
from nessflow.parts import Strict, quantity
from nessflow.studies import rings
from nessflow.studies.kind import NOT_NEGATIVE, SECOND_LAW, Coordinate, Outcome, Variable
from nessflow.studies.variables import failed, never_random, outcome_of, with_errors

CHANNELS = ("equilibrium", "nonequilibrium")


class Parameters(Strict):
    """One ring."""

    ring: rings.Ring = Field(description="bands, baths and filling")
    nonequilibrium_share: float = quantity(
        "share gamma_neq of the dissipator in the coupling", "1", ge=0, le=1
    )


CONVENTIONS = (
    *rings.CONVENTIONS,
    "Ballistic noise: of the charge through a bond over times much shorter than 1/coupling.",
    "Current variance: length times the variance of the current at one time and a fixed number of "
    "particles, with the correlations that the baths make; the ensemble alone lacks them.  A "
    "number that varies from run to run adds current_slope^2 Var(N)/length.",
    "The heat alone is not all of the entropy production unless the dissipator's rates are "
    "symmetric.",
    "Uncertainty ratio: particle noise times entropy production over current squared.  The current "
    "is a function of the state, not a count of jumps, so that no bound of 2 is known for it.",
)

_CURRENT, _ENERGY, _ENTROPY = "t/hbar", "t^2/hbar", "k_B*t/hbar"

VARIABLES = (
    rings.FLOWS
    | with_errors(
        {
            "orbital_current": Variable(
                ("orbital",), _CURRENT, "particle current to the right in an orbital"
            ),
            "ballistic_noise": Variable(
                (), _CURRENT, "noise of the charge through a bond at short times", NOT_NEGATIVE
            ),
            "current_variance": Variable(
                (), "(t/hbar)^2", "length times equal-time variance of the current", NOT_NEGATIVE
            ),
            "ensemble_variance": Variable(
                (),
                "(t/hbar)^2",
                "length times variance of the current without correlations",
                NOT_NEGATIVE,
            ),
            "current_slope": Variable(
                (), _CURRENT, "derivative of the current by the particles per cell"
            ),
            "energy_current": Variable(
                ("channel",), _ENERGY, "energy current from the bath into the system"
            ),
            "heat_current": Variable(
                (), _ENERGY, "heat current from the equilibrium bath into the system"
            ),
            "channel_entropy_production": Variable(
                ("channel",), _ENTROPY, "entropy production of a channel", SECOND_LAW
            ),
            "bath_entropy_production": Variable(
                (), _ENTROPY, "heat into the equilibrium bath over its temperature"
            ),
            "uncertainty_ratio": Variable(
                (),
                "k_B",
                "particle noise times entropy production over particle current squared",
                NOT_NEGATIVE,
            ),
        }
    )
    | {
        "conservation_defect": Variable(
            (), _CURRENT, "particles gained from both channels, zero by conservation"
        ),
    }
)
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the orbitals and the channels."""
    return {
        "orbital": rings.orbital_coordinate(parameters.ring),
        "channel": Coordinate(np.array(CHANNELS), "1", "channel"),
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the steady state of one ring (paper weak-coupling-rectification, eqs. 10 to 24)."""
    ring, share = parameters.ring, parameters.nonequilibrium_share
    try:
        state = rings.steady(ring, share)
    except ValueError as error:
        return failed(VARIABLES, coordinates(parameters), str(error))
    found = _estimates(ring, state)
    fault = broken_law(found)
    found, missing = rings.with_length(
        ring, found, lambda other: _estimates(other, rings.steady_elsewhere(other, share))
    )
    found = completed(found) | {"conservation_defect": particle_gain(state)}
    return outcome_of(VARIABLES, found, *rings.judged(ring, share, state, fault or missing))


def _estimates(ring: rings.Ring, state: SteadyState) -> dict[str, Estimate]:
    """Return all but the uncertainty ratio, with the errors by rounding."""
    thermal, *others = state.equation.channels

    def by_channel(of_channel: Callable[[Any, Any], Estimate]) -> list[Estimate]:
        groups = ([thermal], others)
        return [summed([of_channel(state, c) for c in group]) for group in groups]

    energy, entropy = by_channel(energy_exchange), by_channel(entropy_production)
    return (
        fluctuations(state)._asdict()
        | {
            "particle_current": particle_current(state),
            "orbital_current": orbital_currents(state),
        }
        | exchanged(energy, entropy, ring.inverse_temperature)
    )


def exchanged(
    energy: Sequence[Estimate], entropy: Sequence[Estimate], inverse_temperature: float
) -> dict[str, Estimate]:
    """Return energy and entropy that both channels exchange with the system.

    ``energy`` and ``entropy`` are those of the equilibrium bath and of the dissipator.
    """
    produced = stacked(dict(zip(CHANNELS, entropy, strict=True)))
    return {
        "energy_current": stacked(dict(zip(CHANNELS, energy, strict=True))),
        "heat_current": energy[0],
        "channel_entropy_production": produced,
        "bath_entropy_production": -inverse_temperature * energy[0],
        "entropy_production": produced.total(),
    }


def completed(found: rings.Estimates) -> rings.Estimates:
    """Return estimates with the uncertainty ratio, NaN for what is infinite."""
    entropies = "channel_entropy_production", "entropy_production"
    found = {**found, **{name: rings.finite(found[name]) for name in entropies}}
    names = "particle_noise", "entropy_production", "particle_current"
    return found | {"uncertainty_ratio": uncertainty_ratio(*(found[name] for name in names))}


def broken_law(found: rings.Estimates) -> str:
    """Return which law is broken beyond the error by rounding; empty where none."""
    balance, error, _ = found["energy_current"].total()
    if abs(balance) > error:
        return f"the energy exchanged does not balance, {balance:.1e}"
    return ""
