"""Steady currents, their fluctuations and entropy production of an open system between leads."""

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate, uncertainty_ratio
from nessflow.parts import Strict
from nessflow.scattering.counting import cumulants_observable
from nessflow.scattering.currents import (
    UNITARITY_TOLERANCE,
    SteadyCurrents,
    currents_observable,
)
from nessflow.scattering.entropy import needs_dense, scattering_entropy_production
from nessflow.scattering.noise import ParticleNoise, noise_observable
from nessflow.scattering.rates import integrate_observables
from nessflow.scattering.system import OpenSystem, share_states
from nessflow.studies import systems
from nessflow.studies.kind import (
    NOT_NEGATIVE,
    SECOND_LAW,
    Coordinate,
    Limits,
    Outcome,
    Status,
    Variable,
)
from nessflow.studies.variables import allow_for_underflow, with_errors
from nessflow.thermodynamics import (
    entropy_production,
    heat_current,
    lead_entropy_production,
)

_LARGEST_DENSE = 32
"""Sites up to which entropies by dense matrices at each energy take about a second."""

_FLOWS = ("particle", "energy")
_PARTICLE = "t/hbar"
_ENERGY = "t^2/hbar"
_ENTROPY = "k_B*t/hbar"


def _currents(flow: str, units: str) -> dict[str, Variable]:
    """Return the variables of one flow, "particle" or "energy", without their errors."""
    return {
        f"{flow}_current": Variable(
            ("terminal",), units, f"{flow} current from the terminal into the system"
        ),
        f"net_{flow}_current": Variable(
            (), units, f"{flow} current from left to right, mean of both leads"
        ),
        f"landauer_{flow}_current": Variable((), units, f"{flow} current from lead to lead"),
        f"reservoir_{flow}_current": Variable(
            ("lead",), units, f"half of the {flow} current between lead and gain or loss"
        ),
        f"reference_{flow}_current": Variable(
            (), units, f"net {flow} current with both leads as the right one"
        ),
        f"response_{flow}_current": Variable(
            (), units, f"net {flow} current due to the difference of the leads"
        ),
    }


CONVENTIONS = (
    *systems.CONVENTIONS,
    "Noise: zero frequency, symmetrised, integral of <<dI_a(t) dI_b(0)>> over t without a factor "
    "2, so that the variance of a transferred charge grows as noise times time.  Net noise is "
    "that of the net current.  Third and fourth cumulant: of the charge that a lead sends into the "
    "system, per unit time; current and noise are the first two.",
    "Heat that a lead loses: its energy current less chemical potential times particle current.",
    "Entropy production: -sum of heat over temperature of the leads; loss and gain that are "
    "proportional are one terminal of infinite temperature, others have no finite one. "
    "Scattering entropy production: entropy of the streams that leave the terminals less that of "
    "the streams that enter them, correlations between terminals forgotten; always finite.  Here "
    "too proportional loss and gain are one terminal, so that it jumps where they cease to be.",
)

_THERMODYNAMICS = {
    "heat_current": Variable(("lead",), _ENERGY, "heat current from the lead into the system"),
    "entropy_production": Variable((), _ENTROPY, "entropy production of all terminals", SECOND_LAW),
    "lead_entropy_production": Variable((), _ENTROPY, "entropy production of the leads alone"),
    "scattering_entropy_production": Variable(
        (), _ENTROPY, "entropy that leaves the terminals less what enters them", NOT_NEGATIVE
    ),
    "uncertainty_ratio": Variable(
        (),
        "k_B",
        "net particle noise times entropy production over net particle current squared",
        NOT_NEGATIVE,
    ),
    "lead_uncertainty_ratio": Variable(
        ("lead",),
        "k_B",
        "noise of the lead's particle current times entropy production over its square",
        NOT_NEGATIVE,
    ),
}

_NOISE = with_errors(
    {
        "particle_noise": Variable(
            ("lead", "lead_2"), _PARTICLE, "zero-frequency noise of the leads' particle currents"
        ),
        "net_particle_noise": Variable(
            (), _PARTICLE, "zero-frequency noise of the net particle current", NOT_NEGATIVE
        ),
    }
)

_CUMULANTS = with_errors(
    {
        "third_cumulant": Variable(
            ("lead",), _PARTICLE, "third cumulant of the charge that the lead sends, per time"
        ),
        "fourth_cumulant": Variable(
            ("lead",), _PARTICLE, "fourth cumulant of the charge that the lead sends, per time"
        ),
    }
)


class Parameters(Strict):
    """One system."""

    system: systems.System = Field(description="lattice, disorder, loss, gain and leads")


_CURRENTS = with_errors(_currents("particle", _PARTICLE) | _currents("energy", _ENERGY)) | {
    "conservation_defect": Variable(
        (), _PARTICLE, "sum of the particle currents of all terminals, zero by conservation"
    ),
    "unitarity_defect": Variable(
        (),
        "1",
        "relative violation of the unitarity of the scattering matrix",
        Limits(0, UNITARITY_TOLERANCE),
    ),
}
VARIABLES = _CURRENTS | _NOISE | _CUMULANTS | with_errors(_THERMODYNAMICS)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the terminals: the leads, the loss and the gain channels."""
    terminals = np.array(systems.terminals(parameters.system))
    return {
        "terminal": Coordinate(terminals, "1", "terminal"),
        **systems.lead_coordinates(parameters.system),
    }


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the steady currents of one system (paper 000, eq. 8), their noise and entropy."""
    system = systems.open_system(parameters.system, rng)
    observables = currents_observable, noise_observable, cumulants_observable
    currents, noise, cumulants = integrate_observables(system, [f(system) for f in observables])
    values = {name: getattr(currents, name) for name in _CURRENTS}
    values |= {name: getattr(noise, name) for name in _NOISE}
    notes = dict(currents.notes)
    for order, name in ((2, "third_cumulant"), (3, "fourth_cumulant")):
        values[name] = cumulants.cumulants[:, order]
        values[f"{name}_error"] = cumulants.cumulants_error[:, order]
    if not cumulants.converged:
        values |= dict.fromkeys(_CUMULANTS, np.full(len(system.terminals), np.nan))
        reason = "the energy integral of a cumulant did not converge"
        notes |= dict.fromkeys(("third_cumulant", "fourth_cumulant"), reason)
    notes |= _without_two_leads(parameters.system, values)
    for name, estimate in _thermodynamics(system, currents, noise).items():
        values[name], values[f"{name}_error"], undefined = estimate
        if undefined:
            notes[name] = undefined
    _allow_for_underflow(system, values)
    return Outcome(values, *judged(currents, noise), notes, _limits(system))


_OF_ONE_TERMINAL = ("particle_current", "energy_current")
_OF_DIFFERENCES = (
    *(f"{of}_{flow}_current" for of in ("net", "landauer", "response") for flow in _FLOWS),
    "third_cumulant",
    "heat_current",
    "entropy_production",
    "lead_entropy_production",
    "scattering_entropy_production",
)
_OF_ENVIRONMENTS = tuple(
    f"{of}_{flow}_current" for of in ("reservoir", "reference") for flow in _FLOWS
)
_OF_FLUCTUATIONS = ("particle_noise", "net_particle_noise", "fourth_cumulant")


def _allow_for_underflow(system: OpenSystem, values: dict) -> None:
    """Give zeros an error where leads are warm and share states, or there is gain or loss."""
    loss, gain = bool(system.loss.any()), bool(system.gain.any())
    shared = loss or gain or share_states(system.leads)
    if not shared or not any(lead.temperature > 0 for lead in system.leads):
        return
    allow_for_underflow(values, _OF_FLUCTUATIONS)
    alike = len({(x.chemical_potential, x.temperature) for x in system.leads}) == 1
    if alike and not (loss or gain):
        return
    allow_for_underflow(values, _OF_DIFFERENCES)
    there = np.array([True] * len(system.terminals) + [loss, gain])
    allow_for_underflow(values, _OF_ONE_TERMINAL, there)
    if loss or gain:
        allow_for_underflow(values, _OF_ENVIRONMENTS)


def _limits(system: OpenSystem) -> dict[str, Limits]:
    """Return the limits that depend on the system."""
    closed = not (system.loss.any() or system.gain.any())
    return {
        "particle_current": systems.current_limits(len(system.terminals)),
        "particle_noise": systems.noise_limits(len(system.terminals)),
    } | ({"lead_entropy_production": SECOND_LAW} if closed else {})


def _without_two_leads(system: systems.System, values: dict) -> dict[str, str]:
    """Put NaN where a quantity needs exactly two leads, and return the notes on it."""
    missing = [name for name, value in values.items() if value is None]
    for name in missing:
        shape = (len(system.leads),) if VARIABLES[name].dims else ()
        values[name] = np.full(shape, np.nan)
    reason = systems.without_two_leads(system, "it")
    return {name: reason for name in missing if not name.endswith("_error")}


def _thermodynamics(
    system: OpenSystem, currents: SteadyCurrents, noise: ParticleNoise
) -> dict[str, Estimate]:
    """Return what `_THERMODYNAMICS` lists."""
    entropy = entropy_production(system, currents)
    return {
        "heat_current": heat_current(system, currents),
        "entropy_production": entropy,
        "lead_entropy_production": lead_entropy_production(system, currents),
        "scattering_entropy_production": _scattering_entropy(system),
        "uncertainty_ratio": _net_uncertainty_ratio(currents, noise, entropy),
        "lead_uncertainty_ratio": _lead_uncertainty_ratios(currents, noise, entropy),
    }


def _net_uncertainty_ratio(
    currents: SteadyCurrents, noise: ParticleNoise, entropy: Estimate
) -> Estimate:
    if currents.net_particle_current is None:
        return Estimate(np.nan, np.nan, "a net current is defined between two leads")
    net_noise = Estimate(noise.net_particle_noise, noise.net_particle_noise_error)
    net_current = Estimate(currents.net_particle_current, currents.net_particle_current_error)
    return uncertainty_ratio(net_noise, entropy, net_current)


def _lead_uncertainty_ratios(
    currents: SteadyCurrents, noise: ParticleNoise, entropy: Estimate
) -> Estimate:
    each = []
    for a, name in enumerate(noise.terminals):
        own_noise = Estimate(noise.particle_noise[a, a], noise.particle_noise_error[a, a])
        current = Estimate(currents.particle_current[a], currents.particle_current_error[a])
        each.append((name, uncertainty_ratio(own_noise, entropy, current)))
    reasons = [f"{name}: {found.undefined}" for name, found in each if found.undefined]
    undefined = entropy.undefined or "; ".join(reasons)
    values, errors = (np.array(x) for x in zip(*(found[:2] for _, found in each), strict=True))
    return Estimate(values, errors, undefined)


def _scattering_entropy(system: OpenSystem) -> Estimate:
    if needs_dense(system) and system.sites > _LARGEST_DENSE:
        return Estimate(
            np.nan,
            np.nan,
            "loss and gain that are not proportional take dense matrices at each energy, minutes "
            f"on more than {_LARGEST_DENSE} sites: "
            "nessflow.scattering.entropy.scattering_entropy_production computes it",
        )
    value, error, converged = scattering_entropy_production(system)
    if not converged:
        return Estimate(np.nan, np.nan, "its energy integral did not converge")
    return Estimate(value, error)


def judged(currents: SteadyCurrents, noise: ParticleNoise) -> tuple[Status, str]:
    """Return the status of a point, and why it is not ok."""
    if currents.fault or not noise.converged:
        return (
            Status.NOT_CONVERGED,
            currents.fault or "the energy integral of noise did not converge",
        )
    # Cross noise with loss and gain is negative too, so that no row of the leads' noise adds up to
    # less than zero; then the matrix is positive as well.
    lowest = noise.particle_noise.sum(axis=1) + noise.particle_noise_error.sum(axis=1)
    if not (lowest >= 0).all():
        return Status.SUSPECT, (
            f"the noise is not positive: the leads' covariances add to {lowest.min():.1e} with "
            "their errors"
        )
    return Status.OK, ""
