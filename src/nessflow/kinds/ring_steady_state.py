"""Steady currents, their fluctuations and entropy production of a weakly coupled ring."""

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate, uncertainty_ratio
from nessflow.kinetic.flows import (
    energy_exchange,
    entropy_production,
    orbital_currents,
    particle_current,
    particle_gain,
)
from nessflow.kinetic.fluctuations import Fluctuations, fluctuations
from nessflow.kinetic.steady import SteadyState
from nessflow.parts import Strict, quantity
from nessflow.studies import rings
from nessflow.studies.kind import NOT_NEGATIVE, SECOND_LAW, Coordinate, Outcome, Variable
from nessflow.studies.variables import failed, never_random, with_errors

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
    values = _values(ring, state)
    fault = broken_law(values)
    values, missing = rings.with_length(
        ring, values, lambda other: _values(other, rings.steady_elsewhere(other, share))
    )
    values, notes = completed(values)
    return Outcome(values, *rings.judged(ring, share, state, fault or missing), notes)


def _values(ring: rings.Ring, state: SteadyState) -> dict[str, np.ndarray | float]:
    """Return all values but the uncertainty ratio, with their errors by rounding."""
    modes = rings.values_of(state)
    found = fluctuations(state)
    values = {name: getattr(found, name) for name in Fluctuations._fields}
    values["particle_current"], values["particle_current_error"] = particle_current(modes)
    values["orbital_current"], values["orbital_current_error"] = orbital_currents(modes)
    values["conservation_defect"] = particle_gain(modes)
    thermal, *others = state.equation.channels

    def summed(of_channel):
        groups = ([thermal], others)
        return [np.sum([of_channel(modes, c) for c in group], axis=0) for group in groups]

    energy, entropy = summed(energy_exchange), summed(entropy_production)
    return values | exchanged(energy, entropy, ring.inverse_temperature)


def exchanged(energy, entropy, inverse_temperature: float) -> dict[str, np.ndarray | float]:
    """Return energy and entropy that both channels exchange with the system.

    ``energy`` and ``entropy`` are pairs of value and error of the equilibrium bath and of the
    dissipator.
    """
    values = {}
    for name, pairs in (("energy_current", energy), ("channel_entropy_production", entropy)):
        values[name], values[f"{name}_error"] = np.transpose(pairs)
    for name, source, weight in (
        ("heat_current", values["energy_current"][0], 1.0),
        ("bath_entropy_production", values["energy_current"][0], -inverse_temperature),
        ("entropy_production", values["channel_entropy_production"].sum(), 1.0),
    ):
        values[name] = float(weight * source)
    heat_error = float(values["energy_current_error"][0])
    values["heat_current_error"] = heat_error
    values["bath_entropy_production_error"] = inverse_temperature * heat_error
    values["entropy_production_error"] = float(values["channel_entropy_production_error"].sum())
    return values


def completed(values) -> tuple[dict[str, np.ndarray | float], dict[str, str]]:
    """Return values with the uncertainty ratio and NaN for what is infinite, and why."""
    values, notes = rings.finite(values, ("channel_entropy_production", "entropy_production"))
    return values | _uncertainty_ratio(values, notes), notes


def _uncertainty_ratio(values, notes) -> dict[str, float]:
    """Return noise x entropy production / current^2 with its error, or NaN and a note."""
    names = "particle_noise", "entropy_production", "particle_current"
    parts = [Estimate(values[name], values[f"{name}_error"], notes.get(name, "")) for name in names]
    ratio = uncertainty_ratio(*parts)
    if ratio.undefined:
        notes["uncertainty_ratio"] = ratio.undefined
    return {"uncertainty_ratio": ratio.value, "uncertainty_ratio_error": ratio.error}


def broken_law(values) -> str:
    """Return which law values break beyond their error by rounding; empty where none."""
    balance, error = values["energy_current"].sum(), values["energy_current_error"].sum()
    if abs(balance) > error:
        return f"the energy exchanged does not balance, {balance:.1e}"
    return ""
