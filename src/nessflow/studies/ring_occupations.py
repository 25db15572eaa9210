"""Steady occupations, Lagrange parameters and bands of a weakly coupled ring."""

import numpy as np
from scipy.special import expit

from nessflow.studies import rings
from nessflow.studies.kind import PROBABILITY, Coordinate, Limits, Outcome, Status, Variable
from nessflow.studies.ring_steady_state import Parameters, failed
from nessflow.studies.variables import never_random, with_errors

__all__ = ["Parameters"]

CONVENTIONS = (
    *rings.CONVENTIONS,
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
        }
    ),
    "gibbs_occupation": Variable(_MODES, "1", "occupation of the Gibbs state", PROBABILITY),
    "gibbs_lagrange_parameter": Variable(_MODES, "1", "Lagrange parameter of the Gibbs state"),
    "filled_energy": Variable(_MODES, "t", "energy where the mode is more than half filled"),
}
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return momenta, bands and orbitals."""
    return rings.mode_coordinates(parameters.ring)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the modes of one ring in the steady state."""
    try:
        state = rings.steady(parameters.ring, parameters.nonequilibrium_share)
    except ValueError as error:
        return failed(VARIABLES, coordinates(parameters), str(error))
    modes = state.equation.bands
    gibbs = rings.gibbs(parameters.ring)
    lagrange = np.where(np.isfinite(state.log_odds), state.log_odds, np.nan)
    change = state.occupation - expit(-gibbs)
    values = {
        "energy": modes.energy,
        "velocity": modes.velocity,
        "occupation": state.occupation,
        "occupation_error": state.occupation_error,
        "lagrange_parameter": lagrange,
        "lagrange_parameter_error": state.log_odds_error,
        "occupation_change": change,
        "occupation_change_error": state.occupation_error + 1e-15,
        "gibbs_occupation": expit(-gibbs),
        "gibbs_lagrange_parameter": gibbs,
        "filled_energy": np.where(state.occupation > 0.5, modes.energy, np.nan),
    }
    values = {name: v.reshape(modes.length, modes.count) for name, v in values.items()}
    weight = abs(modes.states) ** 2
    values["orbital_weight"] = weight.reshape(modes.length, modes.count, -1)
    notes = {}
    if np.isnan(values["filled_energy"]).any():
        notes["filled_energy"] = "the mode is at most half filled"
    if np.isnan(lagrange).any():
        notes["lagrange_parameter"] = "infinite: the mode is empty or full for good"
    if not state.converged:
        message = f"Newton's method left the residual {state.residual:.1e}"
        return Outcome(values, Status.NOT_CONVERGED, message, notes)
    return Outcome(values, notes=notes)
