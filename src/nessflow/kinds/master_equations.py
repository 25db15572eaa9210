"""Currents, noise and entropy production of a network: exact and by master equations."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nessflow.estimate import Estimate, stacked, uncertainty_ratio, undefined
from nessflow.lindblad.additive import (
    broadened_local_equation,
    global_equation,
    local_equation,
)
from nessflow.lindblad.counting import transport
from nessflow.lindblad.equation import MasterEquation
from nessflow.lindblad.propagator import asymptotic_equation
from nessflow.observables.thermodynamics import heat_current
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.currents import Transport
from nessflow.studies import network_flows, networks
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    Coordinate,
    Limits,
    Outcome,
    Status,
    Variable,
)
from nessflow.studies.variables import (
    ACCURACY,
    Accuracy,
    never_random,
    of_integrals,
    outcome_of,
    status_of,
    with_errors,
)
from nessflow.systems.system import OpenSystem


class Parameters(networks.NetworkParameters):
    """A network and its reservoirs, at all equations."""

    accuracy: Accuracy = ACCURACY


# Those of network-relaxation first: figures of both give an equation the same look.
EQUATIONS = ("exact", "epa", "local", "global", "local-broadened", "global-broadened")

_BUILDERS: dict[str, Callable[..., MasterEquation]] = {
    "epa": asymptotic_equation,
    "local": lambda system, bosonic, _: local_equation(system, bosonic),
    "local-broadened": broadened_local_equation,
    "global": lambda system, bosonic, _: global_equation(system, bosonic),
    "global-broadened": lambda system, bosonic, rtol: global_equation(system, bosonic, True, rtol),
}
"""By name, of a system, its statistics and the relative error aimed at."""

CONVENTIONS = (
    *networks.CONVENTIONS,
    "Equations: exact (scattering theory); epa (exponential-propagator approximation, all rates "
    "(55) with the interference term); local and global Lindblad equations, with occupations at "
    "the levels or averaged over their line shapes (broadened).",
    *network_flows.CONVENTIONS,
    "Third cumulant: of the transferred charge per unit time.  Deviation: value over exact value "
    "less 1, for the left reservoir.",
    "Bond current: of the particles on the bond to the next site, from the coherence between both.",
)

_CURRENT, _ENERGY = "t/hbar", "t^2/hbar"

_DEVIATIONS = ("particle_current", "energy_current", "particle_noise", "third_cumulant")

_FLOWS = network_flows.by_equation(network_flows.FLOWS)

VARIABLES = with_errors(
    _FLOWS
    | {
        "energy_current": Variable(
            ("equation", "terminal"), _ENERGY, "energy current from the reservoir"
        ),
        "heat_current": Variable(
            ("equation", "terminal"), _ENERGY, "heat current from the reservoir"
        ),
        "third_cumulant": Variable(
            ("equation", "terminal"), _CURRENT, "third cumulant of the particle current"
        ),
        "uncertainty_ratio": Variable(
            ("equation",), "k_B", "noise times entropy production over current squared"
        ),
        "noise_to_current_ratio": Variable(("equation",), "1", "noise over current"),
        "occupation": Variable(("equation", "site"), "1", "occupation of the site"),
        "population": Variable(("equation", "mode"), "1", "population of the mode"),
        "coherence": Variable(
            ("equation",), "1", "modulus of the correlation of highest and lowest mode"
        ),
        "bond_current": Variable(
            ("equation",), _CURRENT, "particle current on the bond from the first site"
        ),
    }
    | {
        f"{name}_deviation": Variable(
            ("equation",), "1", f"deviation of the {name.replace('_', ' ')} from the exact one"
        )
        for name in (*_DEVIATIONS, "entropy_production")
    }
)
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return equations, reservoirs, sites and modes."""
    sites = parameters.network.sites
    return {
        "equation": Coordinate(np.array(EQUATIONS), "1", "equation"),
        **networks.terminal_coordinates(),
        "site": networks.numbered("site", sites),
        "mode": networks.numbered("mode", sites),
    }


@dataclass(frozen=True)
class _Result:
    """What one equation says: transport and the correlations <c_i^+ c_j> with their error."""

    transport: Transport
    correlations: np.ndarray
    error: float | np.ndarray
    converged: bool = True


def _exact(system: OpenSystem, bosonic: bool, accuracy: float) -> _Result:
    correlations = correlation_matrix(system, accuracy, bosonic)
    found = network_flows.exact_transport(system, bosonic, accuracy)
    converged = found.converged and correlations.converged
    return _Result(found, correlations.value, float(correlations.error.max()), converged)


def _approximate(equation: MasterEquation) -> _Result:
    return _Result(transport(equation), equation.steady_density.T, equation.steady_error)


def _quotient(value: Estimate, by: Estimate, reason: str) -> Estimate:
    """Return a quotient; undefined, for the reason, where the denominator may be zero."""
    if not abs(by.value) > by.error:
        return undefined(reason)
    quotient = value.value / by.value
    error = (value.error + abs(quotient) * by.error) / (abs(by.value) - by.error)
    return Estimate(quotient, error)


def _estimates(parameters: Parameters, system: OpenSystem, result: _Result) -> dict[str, Estimate]:
    """Return all variables but the deviations for one equation."""
    found, c = result.transport, result.correlations
    flows = network_flows.flows(system, found)
    entropy = flows["entropy_production"]
    current, noise = found.particle_current.at(0), found.particle_noise.at((0, 0))
    size = Estimate(abs(current.value), current.error)
    _, modes = networks.modes_of(parameters.network)
    between = modes.T @ c @ modes
    n, wrong = parameters.network.sites, result.error
    values = flows | {
        "energy_current": found.energy_current,
        "third_cumulant": found.third_cumulant,
        "heat_current": heat_current(system, found),
        "uncertainty_ratio": uncertainty_ratio(noise, entropy, current),
        "noise_to_current_ratio": _quotient(noise, size, "the current is zero within its error"),
        "occupation": Estimate(np.diag(c).real, np.full(n, wrong)),
        "population": Estimate(np.diag(between).real, np.full(n, n * wrong)),
    }
    if n == 1:
        alone = undefined("one site has no bond and no second mode")
        return values | {"coherence": alone, "bond_current": alone}
    g = parameters.network.tunnelling
    values["coherence"] = Estimate(float(abs(between[0, -1])), n * wrong)
    values["bond_current"] = Estimate(float(g * c[0, 1].imag), abs(g) * wrong)
    return values


def _first(estimate: Estimate) -> Estimate:
    """Return the number of the left reservoir."""
    return Estimate(float(np.ravel(estimate.value)[0]), float(np.ravel(estimate.error)[0]))


def _deviations(
    values: dict[str, Estimate], exact: dict[str, Estimate], is_exact: bool
) -> dict[str, Estimate]:
    result = {}
    for name in (*_DEVIATIONS, "entropy_production"):
        if reason := exact[name].undefined or values[name].undefined:
            result[f"{name}_deviation"] = undefined(reason)
            continue
        reason = "the exact value is zero within its error"
        found = _quotient(_first(values[name]), _first(exact[name]), reason)
        error = 0.0 if is_exact and not found.undefined else found.error
        result[f"{name}_deviation"] = Estimate(found.value - 1, error, found.undefined)
    return result


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the steady state of all equations side by side."""
    system, bosonic, accuracy = parameters.system(), parameters.bosonic, parameters.accuracy
    exact = _exact(system, bosonic, accuracy)
    found: dict[str, dict[str, Estimate]] = {"exact": _estimates(parameters, system, exact)}
    for name, build in _BUILDERS.items():
        try:
            result = _approximate(build(system, bosonic, accuracy))
        except ValueError as error:
            found[name] = {key: _undefined(str(error), x) for key, x in found["exact"].items()}
        else:
            found[name] = _estimates(parameters, system, result)
    for name, values in found.items():
        values |= _deviations(values, found["exact"], name == "exact")
    estimates = {
        name: stacked({equation: found[equation][name] for equation in EQUATIONS})
        for name in found["exact"]
    }
    never_zero = _never_zero(system, estimates)
    return outcome_of(VARIABLES, estimates, *_judged(exact), _limits(bosonic), never_zero)


def _undefined(reason: str, like: Estimate) -> Estimate:
    return undefined(reason, np.shape(like.value))


_OF_ALL = ("particle_noise", "occupation", "population")
_OF_DIFFERENCES = (
    *("particle_current", "energy_current", "heat_current", "third_cumulant"),
    "entropy_production",
)


def _never_zero(system: OpenSystem, found: dict[str, Estimate]) -> dict[str, np.ndarray | bool]:
    """Return what vanishes by underflow alone: some particles of warm reservoirs are anywhere."""
    if all(lead.temperature == 0 for lead in system.leads):
        return {}
    alike = len({(lead.chemical_potential, lead.temperature) for lead in system.leads}) == 1
    if alike:
        return dict.fromkeys(_OF_ALL, True)
    # Global equations have no coherence of modes, and no current on a bond.
    coherent = np.array([not equation.startswith("global") for equation in EQUATIONS])
    return dict.fromkeys(_OF_ALL + _OF_DIFFERENCES, True) | {
        name: coherent.reshape((-1,) + (1,) * (found[name].value.ndim - 1))
        for name in ("coherence", "bond_current")
    }


_POSITIVE = tuple(name != "epa" for name in EQUATIONS)
"""Which equations keep states positive: the rates (55) of the epa may be negative."""


def _limits(bosonic: bool) -> dict[str, Limits]:
    """Return what holds for some of the equations."""
    filled = networks.occupation_limits(bosonic)
    limits = {
        "uncertainty_ratio": (NOT_NEGATIVE, _POSITIVE),
        "noise_to_current_ratio": (NOT_NEGATIVE, _POSITIVE),
        "occupation": (filled, _POSITIVE),
        "population": (filled, _POSITIVE),
        # |<d_1^+ d_2>|^2 is at most n_1 n_2 and at most (1 - n_1)(1 - n_2).
        "coherence": (NOT_NEGATIVE if bosonic else Limits(0, 0.5), _POSITIVE),
    }
    fluctuating = {name: _FLOWS[name] for name in ("particle_noise", "entropy_production")}
    return network_flows.limits(fluctuating, EQUATIONS) | {
        name: networks.obeyed(x, VARIABLES[name], by) for name, (x, by) in limits.items()
    }


def _judged(exact: _Result) -> tuple[Status, str]:
    """Return the status of a point, and why it is not ok."""
    if not exact.converged:
        return of_integrals(False)
    defect, allowed, _ = exact.transport.particle_current.total()
    if abs(defect) <= allowed:
        return status_of()
    return status_of(
        doubt=f"the exact currents add to {abs(defect):.1e}, more than their errors {allowed:.1e}"
    )
