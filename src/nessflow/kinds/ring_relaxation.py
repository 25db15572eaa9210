"""Relaxation of a weakly coupled ring from the state of infinite temperature: flows in time."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from nessflow.kinetic.equation import RateEquation, rate_equation
from nessflow.kinetic.flows import State, total_entropy_production
from nessflow.kinetic.fluctuations import particle_noise
from nessflow.kinetic.rates import thermal_channel
from nessflow.kinetic.relaxation import relax
from nessflow.kinetic.steady import SteadyState
from nessflow.parts import Strict, quantity
from nessflow.studies import rings
from nessflow.studies.kind import PROBABILITY, Coordinate, Limits, Outcome, Status, Variable
from nessflow.studies.variables import failed, never_random, with_errors


class Times(Strict):
    """Equally spaced times from 0."""

    stop: float = quantity("last time", "hbar/t", gt=0)
    points: int = Field(description="number of times, 0 among them", ge=2, le=100_000)


class Parameters(Strict):
    """One ring, at all times."""

    ring: rings.Ring = Field(description="bands, baths and filling")
    nonequilibrium_share: float = quantity(
        "share gamma_neq of the dissipator in the coupling", "1", ge=0, le=1
    )
    times: Times = Field(description="when")


CONVENTIONS = (
    *rings.CONVENTIONS,
    "Errors: an occupation is a function of the momentum; the length changes it by what baths that "
    "see the ring of the shifted momenta make of a mode of the same momentum.",
    "At time 0 all modes have the occupation filling.  The rate equation holds for times longer "
    "than 1/coupling.",
    "Entropy production counts what the ring itself gains while it relaxes.  The noise at zero "
    "frequency takes longer than the relaxation: stored is that of the steady state.",
)

_MODES = ("elapsed_time", "momentum", "band")

VARIABLES = with_errors(
    {
        "occupation": Variable(_MODES, "1", "occupation", PROBABILITY),
        "lagrange_parameter": Variable(_MODES, "1", "Lagrange parameter"),
        "particle_current": Variable(("elapsed_time",), "t/hbar", "particle current to the right"),
        "entropy_production": replace(rings.FLOWS["entropy_production"], dims=("elapsed_time",)),
        "steady_particle_noise": replace(
            rings.FLOWS["particle_noise"],
            long_name="zero-frequency noise of the particle current in the steady state",
        ),
    }
) | {
    "conservation_defect": Variable(
        ("elapsed_time",),
        "1",
        "change of the particles per mode since time 0",
        Limits(-1e-10, 1e-10, "particles are not conserved"),
    ),
}
is_random = never_random


def _times(parameters: Parameters) -> np.ndarray:
    return np.linspace(0.0, parameters.times.stop, parameters.times.points)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return times, momenta and bands."""
    modes = rings.mode_coordinates(parameters.ring)
    return {
        "elapsed_time": Coordinate(_times(parameters), "hbar/t", "time"),
        "momentum": modes["momentum"],
        "band": modes["band"],
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the occupations at all times (paper weak-coupling-rectification, eqs. 10 and 20)."""
    ring, share = parameters.ring, parameters.nonequilibrium_share
    modes, times = ring.bloch_bands(), _times(parameters)
    equation = _equation(ring, share)
    try:
        n, error = relax(equation, np.full(equation.modes, ring.filling), times)
    except RuntimeError as reason:
        return failed(VARIABLES, coordinates(parameters), str(reason))
    steady = _steady(ring, share)
    values = _values(modes, n, error) | _entropy(equation, n, error) | _noise(steady)
    values, missing = rings.with_length(
        ring, values, lambda other: _elsewhere(ring, other, share, times)
    )
    values, notes = rings.finite(values, ["entropy_production"])
    if np.isnan(values["entropy_production"]).any():
        reason = notes.get("entropy_production", "")
        lost = "an occupation is 0 or 1 within its error"
        notes["entropy_production"] = "; ".join(filter(None, (reason, lost)))
    if steady is None:
        notes["steady_particle_noise"] = "the steady state was not found"
    if not np.isfinite(values["lagrange_parameter"]).all():
        notes["lagrange_parameter"] = "the occupation is 0 or 1 within its error"
    fault = missing or rings.doubt(ring, share, steady)
    return Outcome(values, Status.SUSPECT if fault else Status.OK, fault, notes)


def _equation(ring: rings.Ring, share: float) -> RateEquation:
    """Return the rate equation of a ring."""
    modes = ring.bloch_bands()
    thermal = thermal_channel(modes, ring.inverse_temperature)
    return rate_equation(modes, thermal, ring.channels(modes), ring.coupling, share)


def _steady(ring: rings.Ring, share: float) -> SteadyState | None:
    """Return the state at the end, or None where there is none that could be judged."""
    try:
        state = rings.steady(ring, share)
    except ValueError:
        return None
    return state if state.converged else None


def _elsewhere(ring, other, share, times):
    """Return the values of a ring's modes between the baths of another ring."""
    equation, count = rings.both_grids(ring, other, share)
    n, error = relax(equation, np.full(equation.modes, ring.filling), times, count)
    values = _values(ring.bloch_bands(), n[:, count == 0], error[:, count == 0])
    alone = other.bloch_bands()
    there, error = n[:, count == 1], error[:, count == 1]
    values["particle_current"] = there @ alone.velocity / alone.length
    return values | _entropy(_equation(other, share), there, error) | _noise(_steady(other, share))


def _noise(state: SteadyState | None) -> dict[str, float]:
    """Return the noise of the steady state, NaN where there is none."""
    found = (np.nan, np.nan) if state is None else particle_noise(state)
    return dict(zip(("steady_particle_noise", "steady_particle_noise_error"), found, strict=True))


def _entropy(equation: RateEquation, n: np.ndarray, error: np.ndarray) -> dict[str, np.ndarray]:
    """Return the entropy production at all times; NaN where an occupation has no digit."""
    lagrange, lagrange_error = _lagrange(n, error)
    found = np.full((len(n), 2), np.nan)
    for k in np.flatnonzero(np.isfinite(lagrange).all(axis=1)):
        found[k] = total_entropy_production(State(equation, lagrange[k], lagrange_error[k]))
    return dict(zip(("entropy_production", "entropy_production_error"), found.T, strict=True))


def _lagrange(n: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Lagrange parameters and their errors; NaN where n is 0 or 1 within its error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        lagrange = np.log1p(-n) - np.log(n)
        # The ends of the error of n, as far as they are inside of (0, 1).
        lagrange_error = -np.log1p(-error / n) - np.log1p(-error / (1 - n))
    lagrange[~np.isfinite(lagrange_error)] = np.nan
    lagrange_error[~np.isfinite(lagrange)] = np.nan
    return lagrange, lagrange_error


def _values(modes, n, error):
    shape = (len(n), modes.length, modes.count)
    lagrange, lagrange_error = _lagrange(n, error)
    return {
        "occupation": n.reshape(shape),
        "occupation_error": error.reshape(shape),
        "lagrange_parameter": lagrange.reshape(shape),
        "lagrange_parameter_error": lagrange_error.reshape(shape),
        "particle_current": n @ modes.velocity / modes.length,
        "particle_current_error": error @ abs(modes.velocity) / modes.length,
        "conservation_defect": (n - n[:1]).mean(axis=1),
    }
