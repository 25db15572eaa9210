"""Steady occupations, Lagrange parameters, bands and flows of a weakly coupled ring."""

import numpy as np
from scipy.special import expit

from nessflow.kinds.ring_steady_state import Parameters
from nessflow.kinetic.steady import SteadyState, occupation_error
from nessflow.studies import rings
from nessflow.studies.kind import PROBABILITY, Coordinate, Limits, Outcome, Variable
from nessflow.studies.variables import failed, never_random, with_errors

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
    gibbs, gibbs_error, _ = rings.gibbs(ring)
    found = _values(state.log_odds, gibbs)
    filled_error = occupation_error(gibbs, gibbs_error)
    found |= {
        "occupation_error": state.occupation_error,
        "lagrange_parameter_error": state.log_odds_error,
        "occupation_change_error": state.occupation_error + filled_error,
        "gibbs_occupation_error": filled_error,
        "gibbs_lagrange_parameter_error": gibbs_error,
    }
    found, missing = rings.with_length(
        ring, found | rings.flows(state), lambda other: _elsewhere(ring, other, share, state)
    )
    found, notes = rings.finite(found, ["entropy_production"])
    found |= {
        "energy": modes.energy,
        "velocity": modes.velocity,
        "filled_energy": np.where(state.occupation > 0.5, modes.energy, np.nan),
        "orbital_weight": abs(modes.states) ** 2,
    }
    sizes = {name: part.values.size for name, part in coordinates(parameters).items()}
    values = {
        name: np.reshape(found[name], [sizes[dim] for dim in variable.dims])
        for name, variable in VARIABLES.items()
    }
    if np.isnan(values["filled_energy"]).any():
        notes["filled_energy"] = "the mode is at most half filled"
    if np.isnan(values["lagrange_parameter"]).any():
        notes["lagrange_parameter"] = "infinite: the mode is empty or full for good"
    return Outcome(values, *rings.judged(ring, share, state, missing), notes)


def _values(log_odds: np.ndarray, gibbs: np.ndarray) -> dict[str, np.ndarray]:
    """Return what Lagrange parameters and those of the Gibbs state say of each mode."""
    occupation = expit(-log_odds)
    return {
        "occupation": occupation,
        "lagrange_parameter": np.where(np.isfinite(log_odds), log_odds, np.nan),
        "occupation_change": occupation - expit(-gibbs),
        "gibbs_occupation": expit(-gibbs),
        "gibbs_lagrange_parameter": gibbs,
    }


def _elsewhere(
    ring: rings.Ring, other: rings.Ring, share: float, state: SteadyState
) -> rings.Values:
    """Return the values of a ring's modes between the baths of another ring, and its flows."""
    elsewhere = rings.steady_elsewhere(other, share)
    log_odds = rings.log_odds_elsewhere(ring, other, share, elsewhere)
    log_odds[~state.free] = state.log_odds[~state.free]
    *_, level = rings.gibbs(other)
    gibbs = ring.inverse_temperature * state.equation.bands.energy - level
    return _values(log_odds, gibbs) | rings.flows(elsewhere)
