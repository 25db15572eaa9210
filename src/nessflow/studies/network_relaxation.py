"""Relaxation of the correlations of a network that is joined to its reservoirs at time 0."""

from functools import lru_cache

import numpy as np
from pydantic import Field, model_validator

from nessflow.lindblad import propagator
from nessflow.lindblad.additive import global_equation, local_equation
from nessflow.lindblad.equation import non_markovianity
from nessflow.matrix import Matrix, require_square
from nessflow.parts import Strict, at_key, quantity
from nessflow.scattering.evolution import (
    evolve,
    require_double_occupancy,
    require_occupations,
    require_reach,
)
from nessflow.studies import networks
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    PROBABILITY,
    Coordinate,
    Limits,
    Outcome,
    Status,
    Variable,
)
from nessflow.studies.variables import never_random, with_errors

EQUATIONS = ("exact", "epa", "local", "global")

_ACCEPTED = 1e-8
"""Error of correlations beyond which a point is not converged."""


class Times(Strict):
    """Evenly spaced times from 0, in units of 1/coupling."""

    stop: float = quantity("last time, times coupling", "1", gt=0)
    points: int = Field(description="number of times, 0 included", ge=2, le=2000)


class Parameters(networks.NetworkParameters):
    """A network, its initial correlations and the times."""

    times: Times
    initial_correlations: Matrix | None = Field(
        None,
        description="rows of <c_i^+ c_j> between sites at time 0; empty unless given; complex as "
        "'1+2j', '1+2i' or [1, 2]",
    )
    double_occupancy: float | None = quantity(
        "probability that both of two sites are full at time 0; Gaussian unless given", "1", None
    )

    @model_validator(mode="after")
    def _initial_state_exists(self):
        if self.initial_correlations is not None:
            with at_key("initial_correlations"):
                require_square(self.initial_correlations, self.network.sites)
                if not self.bosonic:
                    require_occupations(self.initial, self.network.sites)
        if self.double_occupancy is not None:
            with at_key("double_occupancy"):
                if self.network.sites != 2 or self.bosonic:
                    raise ValueError("double_occupancy is that of two sites of fermions")
                require_double_occupancy(self.initial, self.double_occupancy)
        return self

    @model_validator(mode="after")
    def _in_reach(self):
        own = self.reservoirs
        with at_key("times", "stop"):
            require_reach(self.times.stop / own.coupling, 2 * own.bandwidth)
        return self

    @property
    def initial(self) -> np.ndarray:
        """Correlations between sites at time 0, (N, N)."""
        sites = self.network.sites
        if self.initial_correlations is None:
            return np.zeros((sites, sites))
        return np.array(self.initial_correlations)

    def without_initial_state(self) -> "Parameters":
        """Return the parameters with an empty network at time 0."""
        return self.model_copy(update={"initial_correlations": None, "double_occupancy": None})


CONVENTIONS = (
    *networks.CONVENTIONS,
    "Times are multiples of 1/coupling.  Before time 0 each reservoir is in equilibrium by itself.",
    "Equations: exact; epa (exponential propagator, rates that depend on time); local and global "
    "Lindblad equations, whose rates do not.",
    "Negative canonical rates: minus their sum is the non-Markovianity nu(t) of the epa.",
)

VARIABLES = with_errors(
    {
        "correlation_real": Variable(
            ("equation", "elapsed_time", "mode", "mode_2"), "1", "real part of the correlation"
        ),
        "correlation_imaginary": Variable(
            ("equation", "elapsed_time", "mode", "mode_2"), "1", "imaginary part of the correlation"
        ),
        "occupation": Variable(("equation", "elapsed_time", "site"), "1", "occupation of the site"),
        "population": Variable(("equation", "elapsed_time", "mode"), "1", "population of the mode"),
        "double_occupancy": Variable(
            ("equation", "elapsed_time"), "1", "probability that both sites are full"
        ),
        "non_markovianity": Variable(("elapsed_time",), "t/hbar", "non-Markovianity", NOT_NEGATIVE),
    }
)
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return equations, times, sites and modes."""
    sites, times = parameters.network.sites, parameters.times
    return {
        "equation": Coordinate(np.array(EQUATIONS), "1", "equation"),
        "elapsed_time": Coordinate(
            np.linspace(0, times.stop, times.points), "1", "time times coupling"
        ),
        "site": networks.numbered("site", sites),
        "mode": networks.numbered("mode", sites),
        "mode_2": networks.numbered("second mode", sites),
    }


@lru_cache(maxsize=4)
def _evolutions(parameters: Parameters):
    """Return exact and approximate evolution, which no initial state enters."""
    times = coordinates(parameters)["elapsed_time"].values / parameters.reservoirs.coupling
    system = parameters.system()
    exact = evolve(system, times, parameters.bosonic)
    return exact, propagator.evolve(system, times, parameters.bosonic)


def _relaxed(parameters: Parameters) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return <c_i^+ c_j> at all times, (t, N, N), and their errors, (t,), by equation."""
    exact, approximate = _evolutions(parameters.without_initial_state())
    initial = parameters.initial
    found = {
        "exact": (exact.correlations(initial), exact.error * (1 + abs(initial).sum())),
        "epa": (approximate.correlations(initial), approximate.error),
    }
    system = parameters.system()
    for name, build in (("local", local_equation), ("global", global_equation)):
        equation = build(system, parameters.bosonic)
        density = equation.relaxation(initial.T, exact.times)
        error = np.full(exact.times.size, 2 * equation.steady_error)
        found[name] = (density.swapaxes(1, 2), error)
    return found


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return correlations (29) at all times, by exact and by approximate equations."""
    found = _relaxed(parameters)
    _, modes = networks.modes_of(parameters.network)
    sites = parameters.network.sites
    exact, approximate = _evolutions(parameters.without_initial_state())
    correlations = np.array([found[name][0] for name in EQUATIONS])
    errors = np.array([found[name][1] for name in EQUATIONS])
    between = modes.T @ correlations @ modes
    nu = [
        non_markovianity(gain, loss)
        for gain, loss in zip(approximate.gain, approximate.loss, strict=True)
    ]
    double, double_error, reason = _double_occupancy(parameters, correlations, errors, exact)
    values = {
        "correlation_real": between.real,
        "correlation_imaginary": between.imag,
        "occupation": np.einsum("qtii->qti", correlations).real,
        "population": np.einsum("qtii->qti", between).real,
        "double_occupancy": double,
        "non_markovianity": np.array(nu),
    }
    pair = np.broadcast_to((sites * errors)[:, :, None, None], between.shape)
    values |= {
        "correlation_real_error": pair,
        "correlation_imaginary_error": pair,
        "occupation_error": np.broadcast_to(errors[:, :, None], values["occupation"].shape),
        "population_error": np.broadcast_to(sites * errors[:, :, None], values["population"].shape),
        "double_occupancy_error": double_error,
        "non_markovianity_error": 2 * sites**2 * approximate.error,
    }
    notes = {"double_occupancy": reason} if reason else {}
    worst = errors.max()
    if worst > _ACCEPTED * (1 + abs(correlations).max()):
        return Outcome(
            values, Status.NOT_CONVERGED, f"correlations may be wrong by {worst:.1e}", notes
        )
    return Outcome(values, notes=notes, limits=_limits(parameters.bosonic))


def _limits(bosonic: bool) -> dict[str, Limits]:
    """Return what holds for all equations but the epa, whose rates may be negative."""
    positive = [name != "epa" for name in EQUATIONS]
    limits = {
        "occupation": networks.occupation_limits(bosonic),
        "population": networks.occupation_limits(bosonic),
        "double_occupancy": PROBABILITY,
    }
    if not bosonic:
        limits |= dict.fromkeys(("correlation_real", "correlation_imaginary"), Limits(-1, 1))
    return {name: networks.obeyed(x, VARIABLES[name], positive) for name, x in limits.items()}


def _double_occupancy(parameters, correlations, errors, exact):
    """Return (31), its error, and why it is undefined."""
    undefined = np.full(errors.shape, np.nan)
    if parameters.network.sites != 2 or parameters.bosonic:
        reason = "double occupancy is that of two sites of fermions"
        return undefined, undefined, reason
    start = parameters.double_occupancy
    gaussian = np.linalg.det(correlations).real
    error = 4 * errors
    if start is None:
        return gaussian, error, ""
    value = gaussian.copy()
    value[0] = exact.double_occupancy(parameters.initial, start)
    value[1:], error[1:] = np.nan, np.nan
    return value, error, "given for the exact evolution alone when the start is not Gaussian"
