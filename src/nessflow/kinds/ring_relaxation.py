"""Relaxation of a weakly coupled ring from the state of infinite temperature: flows in time."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate, undefined
from nessflow.kinetic.bands import Bands
from nessflow.kinetic.equation import RateEquation, rate_equation
from nessflow.kinetic.flows import total_entropy_production
from nessflow.kinetic.fluctuations import particle_noise
from nessflow.kinetic.rates import thermal_channel
from nessflow.kinetic.relaxation import relax
from nessflow.kinetic.steady import State, SteadyState
from nessflow.parts import Strict, quantity
from nessflow.studies import rings
from nessflow.studies.kind import PROBABILITY, Coordinate, Limits, Outcome, Variable
from nessflow.studies.variables import failed, never_random, outcome_of, status_of, with_errors


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
        occupation = relax(equation, np.full(equation.modes, ring.filling), times)
    except RuntimeError as reason:
        return failed(VARIABLES, coordinates(parameters), str(reason))
    steady = _steady(ring, share)
    found = _of_modes(modes, occupation) | _entropy(equation, occupation) | _noise(steady)
    found, missing = rings.with_length(
        ring, found, lambda other: _elsewhere(ring, other, share, times)
    )
    n = occupation.value
    found["conservation_defect"] = (n - n[:1]).mean(axis=1)
    fault = missing or rings.doubt(ring, share, steady)
    return outcome_of(VARIABLES, found, *status_of(doubt=fault))


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


def _elsewhere(
    ring: rings.Ring, other: rings.Ring, share: float, times: np.ndarray
) -> rings.Estimates:
    """Return the values of a ring's modes between the baths of another ring."""
    equation, count = rings.both_grids(ring, other, share)
    both = relax(equation, np.full(equation.modes, ring.filling), times, count)
    here, there = (both.at((slice(None), count == k)) for k in (0, 1))
    found = _of_modes(ring.bloch_bands(), here)
    found["particle_current"] = _current(other.bloch_bands(), there)
    return found | _entropy(_equation(other, share), there) | _noise(_steady(other, share))


def _noise(state: SteadyState | None) -> dict[str, Estimate]:
    """Return the noise of the steady state, NaN where there is none."""
    noise = undefined("the steady state was not found") if state is None else particle_noise(state)
    return {"steady_particle_noise": noise}


def _entropy(equation: RateEquation, occupation: Estimate) -> dict[str, Estimate]:
    """Return the entropy production at all times; NaN where an occupation has no digit."""
    lagrange = _lagrange(occupation)
    known = np.isfinite(lagrange.value).all(axis=1)
    found, reasons = np.full((2, len(known)), np.nan), set()
    for k in np.flatnonzero(known):
        state = State(equation, lagrange.at(k))
        *found[:, k], reason = rings.finite(total_entropy_production(state))
        reasons.add(reason)
    lost = "" if known.all() else "an occupation is 0 or 1 within its error"
    reason = "; ".join(filter(None, (*sorted(reasons), lost)))
    return {"entropy_production": Estimate(found[0], found[1], reason)}


def _lagrange(occupation: Estimate) -> Estimate:
    """Return Lagrange parameters; NaN where an occupation is 0 or 1 within its error."""
    n, wrong, _ = occupation
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log1p(-n) - np.log(n)
        # The ends of the error of n, as far as they are inside of (0, 1).
        error = -np.log1p(-wrong / n) - np.log1p(-wrong / (1 - n))
    value[~np.isfinite(error)] = np.nan
    error[~np.isfinite(value)] = np.nan
    known = np.isfinite(value).all()
    return Estimate(value, error, "" if known else "the occupation is 0 or 1 within its error")


def _current(modes: Bands, occupation: Estimate) -> Estimate:
    velocity = modes.velocity.value
    return Estimate(
        occupation.value @ velocity / modes.length, occupation.error @ abs(velocity) / modes.length
    )


def _of_modes(modes: Bands, occupation: Estimate) -> dict[str, Estimate]:
    shape = len(occupation.value), modes.length, modes.count
    found = {"occupation": occupation, "lagrange_parameter": _lagrange(occupation)}
    return {
        name: Estimate(value.reshape(shape), error.reshape(shape), undefined)
        for name, (value, error, undefined) in found.items()
    } | {"particle_current": _current(modes, occupation)}
