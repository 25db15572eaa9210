"""Relaxation of a network that is joined to its reservoirs at time 0: correlations, currents."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.estimate import Estimate, stacked, undefined
from nessflow.lindblad import propagator
from nessflow.lindblad.additive import global_equation, local_equation
from nessflow.lindblad.counting import transport
from nessflow.lindblad.equation import non_markovianity
from nessflow.matrix import Matrix, require_square
from nessflow.parts import Strict, at_key, quantity
from nessflow.scattering.evolution import (
    evolve,
    require_double_occupancy,
    require_occupations,
    require_reach,
)
from nessflow.studies import network_flows, networks
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    PROBABILITY,
    Coordinate,
    Limits,
    Outcome,
    Variable,
)
from nessflow.studies.variables import never_random, outcome_of, status_of, with_errors

EQUATIONS = ("exact", "epa", "local", "global")
_BUILDERS = {
    "epa": propagator.asymptotic_equation,
    "local": local_equation,
    "global": global_equation,
}
_EPSILON = np.finfo(float).eps

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
    def _initial_state_exists(self) -> Self:
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
    def _in_reach(self) -> Self:
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
    *network_flows.CONVENTIONS,
    "The exact current in time is what continuity leaves on a reservoir's site.  The noise at zero "
    "frequency takes longer than the relaxation, and heat is not defined before it is over, as "
    "the coupling holds energy: noise and entropy production are those of the steady state.",
)

_STEADY = {
    f"steady_{name}": replace(variable, long_name=f"{variable.long_name} in the steady state")
    for name, variable in network_flows.by_equation(network_flows.FLOWS).items()
}

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
        "particle_current": Variable(
            ("equation", "elapsed_time", "terminal"),
            "t/hbar",
            "particle current from the reservoir",
        ),
    }
    | _STEADY
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
        **networks.terminal_coordinates(),
        "site": networks.numbered("site", sites),
        "mode": networks.numbered("mode", sites),
        "mode_2": networks.numbered("second mode", sites),
    }


@lru_cache(maxsize=4)
def _evolutions(parameters: Parameters) -> Any:
    """Return exact and approximate evolution, which no initial state enters."""
    times = coordinates(parameters)["elapsed_time"].values / parameters.reservoirs.coupling
    system = parameters.system()
    exact = evolve(system, times, parameters.bosonic)
    return exact, propagator.evolve(system, times, parameters.bosonic)


class _Relaxed(NamedTuple):
    """What one equation says at all times, and of the steady state."""

    correlations: np.ndarray  # <c_i^+ c_j>, (t, N, N)
    error: np.ndarray  # (t,)
    current: Estimate  # (t, 2)
    steady: dict[str, Estimate]


@lru_cache(maxsize=4)
def _steady(parameters: Parameters) -> dict[str, dict[str, Estimate]]:
    """Return the steady flows by equation, which no initial state enters."""
    system, bosonic = parameters.system(), parameters.bosonic
    equations = {name: build(system, bosonic) for name, build in _BUILDERS.items()}
    found = {"exact": network_flows.exact_transport(system, bosonic)}
    found |= {name: transport(equation) for name, equation in equations.items()}
    return {
        name: network_flows.flows(system, found[name])
        if found[name].converged
        else network_flows.undefined_flows("an energy integral did not converge")
        for name in EQUATIONS
    }


def _relaxed(parameters: Parameters) -> list[_Relaxed]:
    """Return what each equation says."""
    without = parameters.without_initial_state()
    exact, approximate = _evolutions(without)
    initial, steady, system = parameters.initial, _steady(without), parameters.system()
    current = exact.currents(initial, system)
    error = exact.error * (1 + abs(initial).sum())
    found = [_Relaxed(exact.correlations(initial), error, current, steady["exact"])]
    c, error = approximate.correlations(initial), approximate.error
    rates = approximate.gain_of, approximate.loss_of
    found.append(_Relaxed(c, error, _by_rates(*rates, c, error, parameters), steady["epa"]))
    for name in ("local", "global"):
        equation = _BUILDERS[name](system, parameters.bosonic)
        c = equation.relaxation(initial.T, exact.times).swapaxes(1, 2)
        error = np.full(exact.times.size, 2 * equation.steady_error)
        rates = equation.gain, equation.loss
        found.append(_Relaxed(c, error, _by_rates(*rates, c, error, parameters), steady[name]))
    return found


def _by_rates(
    gain: np.ndarray, loss: np.ndarray, c: np.ndarray, error: np.ndarray, parameters: Parameters
) -> Estimate:
    """Return ``Tr[gain_a (1 +- n)] - Tr[loss_a n]`` at all times, (t, 2)."""
    sign, n = 1 if parameters.bosonic else -1, c.swapaxes(1, 2)
    vacant = np.eye(n.shape[1]) + sign * n
    current = np.einsum("...aij,...ji->...a", gain, vacant)
    current = current - np.einsum("...aij,...ji->...a", loss, n)
    size = 1 + abs(n).sum(axis=(1, 2)) + abs(gain).sum(axis=(-3, -2, -1))
    size = size + abs(loss).sum(axis=(-3, -2, -1))
    wrong = size * (error + _EPSILON * size)
    return Estimate(current.real, np.broadcast_to(wrong[:, None], current.shape))


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return correlations (29) at all times, by exact and by approximate equations."""
    relaxed = _relaxed(parameters)
    _, modes = networks.modes_of(parameters.network)
    sites = parameters.network.sites
    exact, approximate = _evolutions(parameters.without_initial_state())
    correlations = np.array([one.correlations for one in relaxed])
    errors = np.array([one.error for one in relaxed])
    between = modes.T @ correlations @ modes
    nu = [
        non_markovianity(gain, loss)
        for gain, loss in zip(approximate.gain, approximate.loss, strict=True)
    ]
    on_sites = np.einsum("qtii->qti", correlations).real
    in_modes = np.einsum("qtii->qti", between).real
    found = {
        "correlation_real": Estimate(between.real, (sites * errors)[:, :, None, None]),
        "correlation_imaginary": Estimate(between.imag, (sites * errors)[:, :, None, None]),
        "occupation": Estimate(on_sites, errors[:, :, None]),
        "population": Estimate(in_modes, sites * errors[:, :, None]),
        "double_occupancy": _double_occupancy(parameters, correlations, errors, exact),
        "non_markovianity": Estimate(np.array(nu), 2 * sites**2 * approximate.error),
        "particle_current": stacked(_by_equation(one.current for one in relaxed)),
    } | {
        f"steady_{name}": stacked(_by_equation(one.steady[name] for one in relaxed))
        for name in network_flows.FLOWS
    }
    worst, fault = errors.max(), ""
    if worst > _ACCEPTED * (1 + abs(correlations).max()):
        fault = f"correlations may be wrong by {worst:.1e}"
    return outcome_of(VARIABLES, found, *status_of(fault), _limits(parameters.bosonic))


def _by_equation(estimates: Iterable[Estimate]) -> dict[str, Estimate]:
    return dict(zip(EQUATIONS, estimates, strict=True))


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
    fluctuating = {name: x for name, x in _STEADY.items() if "current" not in name}
    return network_flows.limits(fluctuating, EQUATIONS) | {
        name: networks.obeyed(x, VARIABLES[name], positive) for name, x in limits.items()
    }


def _double_occupancy(
    parameters: Parameters, correlations: np.ndarray, errors: np.ndarray, exact: Any
) -> Estimate:
    """Return (31)."""
    if parameters.network.sites != 2 or parameters.bosonic:
        return undefined("double occupancy is that of two sites of fermions", errors.shape)
    start = parameters.double_occupancy
    gaussian = np.linalg.det(correlations).real
    error = 4 * errors
    if start is None:
        return Estimate(gaussian, error)
    value = gaussian.copy()
    value[0] = exact.double_occupancy(parameters.initial, start)
    value[1:], error[1:] = np.nan, np.nan
    reason = "given for the exact evolution alone when the start is not Gaussian"
    return Estimate(value, error, reason)
