"""Currents, noise and entropy production of a network: exact and by master equations."""

from dataclasses import dataclass

import numpy as np

from nessflow.estimate import Estimate, uncertainty_ratio
from nessflow.lindblad.additive import (
    broadened_local_equation,
    global_equation,
    local_equation,
)
from nessflow.lindblad.counting import transport
from nessflow.lindblad.equation import MasterEquation
from nessflow.lindblad.propagator import asymptotic_equation
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.transport import Transport
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
    allow_for_underflow,
    never_random,
    reasons_of_parts,
    with_errors,
)
from nessflow.systems.system import OpenSystem
from nessflow.thermodynamics import heat_current


class Parameters(networks.NetworkParameters):
    """A network and its reservoirs, at all equations."""

    accuracy: Accuracy = ACCURACY


# Those of network-relaxation first: figures of both give an equation the same look.
EQUATIONS = ("exact", "epa", "local", "global", "local-broadened", "global-broadened")

_BUILDERS = {
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
    error: float
    fault: str = ""


def _exact(system: OpenSystem, bosonic: bool, accuracy: float) -> _Result:
    correlations = correlation_matrix(system, accuracy, bosonic)
    found = network_flows.exact_transport(system, bosonic, accuracy)
    converged = found.converged and correlations.converged
    fault = "" if converged else "an energy integral did not converge"
    return _Result(found, correlations.value, float(correlations.error.max()), fault)


def _approximate(equation: MasterEquation) -> _Result:
    return _Result(transport(equation), equation.steady_density.T, equation.steady_error)


def _quotient(value: float, error: float, by: float, by_error: float) -> tuple[float, float]:
    """Return a quotient and its error; NaN where the denominator is zero within its error."""
    if not abs(by) > by_error:
        return np.nan, np.nan
    quotient = value / by
    return quotient, (error + abs(quotient) * by_error) / (abs(by) - by_error)


def _values(parameters: Parameters, system: OpenSystem, result: _Result) -> dict[str, Estimate]:
    """Return all variables but the deviations for one equation."""
    found, c = result.transport, result.correlations
    flows = network_flows.flows(system, found)
    entropy = flows["entropy_production"]
    current = Estimate(found.particle_current[0], found.particle_current_error[0])
    noise = Estimate(found.particle_noise[0, 0], found.particle_noise_error[0, 0])
    ratio = Estimate(*_quotient(*noise[:2], abs(current.value), current.error))
    if np.isnan(ratio.value):
        ratio = Estimate(np.nan, np.nan, "the current is zero within its error")
    _, modes = networks.modes_of(parameters.network)
    between = modes.T @ c @ modes
    n, wrong = parameters.network.sites, result.error
    values = {
        name: Estimate(getattr(found, name), getattr(found, f"{name}_error"))
        for name in ("energy_current", "third_cumulant")
    }
    values |= flows | {
        "heat_current": heat_current(system, found),
        "uncertainty_ratio": uncertainty_ratio(noise, entropy, current),
        "noise_to_current_ratio": ratio,
        "occupation": Estimate(np.diag(c).real, np.full(n, wrong)),
        "population": Estimate(np.diag(between).real, np.full(n, n * wrong)),
    }
    if n == 1:
        alone = Estimate(np.nan, np.nan, "one site has no bond and no second mode")
        return values | {"coherence": alone, "bond_current": alone}
    g = parameters.network.tunnelling
    values["coherence"] = Estimate(float(abs(between[0, -1])), n * wrong)
    values["bond_current"] = Estimate(float(g * c[0, 1].imag), abs(g) * wrong)
    return values


def _first(estimate: Estimate) -> tuple[float, float]:
    """Return the number of the left reservoir."""
    return tuple(float(np.ravel(part)[0]) for part in estimate[:2])


def _deviations(
    values: dict[str, Estimate], exact: dict[str, Estimate], is_exact: bool
) -> dict[str, Estimate]:
    result = {}
    for name in (*_DEVIATIONS, "entropy_production"):
        key = f"{name}_deviation"
        if exact[name].undefined:
            result[key] = Estimate(np.nan, np.nan, exact[name].undefined)
            continue
        quotient, error = _quotient(*_first(values[name]), *_first(exact[name]))
        if np.isnan(quotient):
            reason = "the exact value is zero within its error"
            result[key] = Estimate(np.nan, np.nan, reason)
        else:
            result[key] = Estimate(quotient - 1, 0.0 if is_exact else error)
    return result


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the steady state of all equations side by side."""
    system, bosonic, accuracy = parameters.system(), parameters.bosonic, parameters.accuracy
    results = {"exact": _exact(system, bosonic, accuracy)}
    missing = {}
    for name, build in _BUILDERS.items():
        try:
            results[name] = _approximate(build(system, bosonic, accuracy))
        except ValueError as error:
            missing[name] = str(error)
    values = {name: _values(parameters, system, result) for name, result in results.items()}
    for name in values:
        values[name] |= _deviations(values[name], values["exact"], name == "exact")
    sizes = {name: part.values.size for name, part in coordinates(parameters).items()}
    arrays, notes = {}, {}
    for name in VARIABLES:
        quantity = name.removesuffix("_error")
        shape = [sizes[dim] for dim in VARIABLES[name].dims]
        arrays[name] = np.full(shape, np.nan)
        reasons = dict(missing)
        for k, equation in enumerate(EQUATIONS):
            if equation in missing:
                continue
            estimate = values[equation][quantity]
            arrays[name][k] = estimate.error if name.endswith("_error") else estimate.value
            reasons[equation] = estimate.undefined
        notes[quantity] = reasons_of_parts({name: reasons[name] for name in EQUATIONS})
    _allow_for_underflow(system, arrays)
    return Outcome(arrays, *_judged(results["exact"]), notes, _limits(bosonic))


_OF_ALL = ("particle_noise", "occupation", "population")
_OF_DIFFERENCES = ("particle_current", "energy_current", "heat_current", "third_cumulant")
_OF_DIFFERENCES += ("entropy_production",)


def _allow_for_underflow(system: OpenSystem, values: dict) -> None:
    """Give zeros an error where reservoirs are warm: some of their particles are at any energy."""
    if all(lead.temperature == 0 for lead in system.leads):
        return
    alike = len({(lead.chemical_potential, lead.temperature) for lead in system.leads}) == 1
    allow_for_underflow(values, _OF_ALL)
    if alike:
        return
    allow_for_underflow(values, _OF_DIFFERENCES)
    # Global equations have no coherence of modes, and no current on a bond.
    for name in ("coherence", "bond_current"):
        shape = (-1,) + (1,) * (values[name].ndim - 1)
        coherent = np.array([not equation.startswith("global") for equation in EQUATIONS])
        allow_for_underflow(values, [name], coherent.reshape(shape))


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
    if exact.fault:
        return Status.NOT_CONVERGED, exact.fault
    found = exact.transport
    defect, allowed = abs(found.particle_current.sum()), found.particle_current_error.sum()
    if defect > allowed:
        return Status.SUSPECT, (
            f"the exact currents add to {defect:.1e}, more than their errors {allowed:.1e}"
        )
    return Status.OK, ""
