"""Steady occupations, Lagrange parameters, bands and flows of a weakly coupled ring."""

from typing import Any

import numpy as np

from nessflow.estimate import Estimate
from nessflow.kinds.ring_steady_state import Parameters
from nessflow.kinetic.steady import SteadyState, occupation_of
from nessflow.studies import rings
from nessflow.studies.kind import PROBABILITY, Coordinate, Limits, Outcome, Variable
from nessflow.studies.variables import failed, never_random, outcome_of, with_errors

__all__ = ["Parameters"]

CONVENTIONS = (
    *rings.CONVENTIONS,
    "Errors: an occupation is a function of the momentum; the length changes it by what baths that "
    "see the ring of the shifted momenta make of a mode of the same momentum.",
    "Gibbs: the state of the equilibrium bath alone at the same filling, its Lagrange parameter "
    "(energy - chemical potential)/temperature.",
)

_MODES = ("momentum", "band")

VARIABLES = {
    "energy": Variable(_MODES, "t", "energy of the band"),
    "velocity": Variable(_MODES, "t/hbar", "velocity of the band"),
    "orbital_weight": Variable(
        ("momentum", "band", "orbital"), "1", "weight of an orbital", PROBABILITY
    ),
    **with_errors(
        {
            "occupation": Variable(_MODES, "1", "occupation", PROBABILITY),
            "lagrange_parameter": Variable(_MODES, "1", "Lagrange parameter"),
            "occupation_change": Variable(
                _MODES, "1", "occupation less that of the Gibbs state", Limits(-1, 1)
            ),
            "gibbs_occupation": Variable(_MODES, "1", "occupation of the Gibbs state", PROBABILITY),
            "gibbs_lagrange_parameter": Variable(
                _MODES, "1", "Lagrange parameter of the Gibbs state"
            ),
        }
    ),
    **rings.FLOWS,
    "filled_energy": Variable(_MODES, "t", "energy where the mode is more than half filled"),
}
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return momenta, bands and orbitals."""
    return rings.mode_coordinates(parameters.ring)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the modes of one ring in the steady state."""
    ring, share = parameters.ring, parameters.nonequilibrium_share
    try:
        state = rings.steady(ring, share)
    except ValueError as error:
        return failed(VARIABLES, coordinates(parameters), str(error))
    modes = state.equation.bands
    gibbs, _ = rings.gibbs(ring)
    found, missing = rings.with_length(
        ring,
        _estimates(state.log_odds, gibbs) | rings.flows(state),
        lambda other: _elsewhere(ring, other, share, state),
    )
    full = state.occupation > 0.5
    filled = Estimate(
        np.where(full, modes.energy.value, np.nan), np.where(full, modes.energy.error, np.nan)
    )
    if not full.all():
        filled = filled._replace(undefined="the mode is at most half filled")
    found |= {
        "entropy_production": rings.finite(found["entropy_production"]),
        "energy": modes.energy,
        "velocity": modes.velocity,
        "filled_energy": filled,
    }
    shape = ring.length, len(ring.bands.orbitals)
    by_mode: dict[str, Any] = {
        name: Estimate(value.reshape(shape), error.reshape(shape), undefined)
        for name, (value, error, undefined) in found.items()
        if VARIABLES[name].dims == _MODES
    }
    by_mode["orbital_weight"] = abs(modes.states.reshape(*shape, -1)) ** 2
    return outcome_of(VARIABLES, found | by_mode, *rings.judged(ring, share, state, missing))


def _estimates(log_odds: Estimate, gibbs: Estimate) -> dict[str, Estimate]:
    """Return what Lagrange parameters and those of the Gibbs state say of each mode."""
    occupation, filled = occupation_of(log_odds), occupation_of(gibbs)
    known = np.isfinite(log_odds.value)
    return {
        "occupation": occupation,
        "lagrange_parameter": Estimate(
            np.where(known, log_odds.value, np.nan),
            log_odds.error,
            "" if known.all() else "infinite: the mode is empty or full for good",
        ),
        "occupation_change": Estimate(
            occupation.value - filled.value, occupation.error + filled.error
        ),
        "gibbs_occupation": filled,
        "gibbs_lagrange_parameter": gibbs,
    }


def _elsewhere(
    ring: rings.Ring, other: rings.Ring, share: float, state: SteadyState
) -> rings.Estimates:
    """Return the values of a ring's modes between the baths of another ring, and its flows."""
    elsewhere = rings.steady_elsewhere(other, share)
    log_odds = rings.log_odds_elsewhere(ring, other, share, elsewhere)
    log_odds[~state.free] = state.log_odds.value[~state.free]
    _, level = rings.gibbs(other)
    gibbs = ring.inverse_temperature * state.equation.bands.energy.value - level
    # Of others the values alone are compared.
    return _estimates(Estimate(log_odds, 0.0), Estimate(gibbs, 0.0)) | rings.flows(elsewhere)
