"""Forward and reverse current of a system with sources and drains, without what is inside it.

Numbers alone, so that the size of a system may be an inner axis; ``nonreciprocity`` has profiles
and heat as well.
"""

from dataclasses import replace

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.kinds import bias_reversal, probes
from nessflow.observables.thermodynamics import entropy_production, without_temperature
from nessflow.probes import wire_formulas
from nessflow.probes.noise import linear_noise
from nessflow.probes.problem import (
    NoSolution,
    Probe,
    ProbeSolution,
    mean_chemical_potential,
)
from nessflow.probes.wire_formulas import Wire
from nessflow.scattering.profiles import terminal_currents
from nessflow.scattering.terminal_flows import temperatures
from nessflow.studies import probed_systems
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Outcome, Variable
from nessflow.studies.placement import by_direction, directions
from nessflow.studies.variables import failed, outcome_of, with_errors

Parameters = bias_reversal.BiasedSystem
CONVENTIONS = (
    *probes.CONVENTIONS,
    *bias_reversal.CONVENTIONS,
    "Noise and entropy production: by method linear of the lowest order in the biases, like the "
    "currents; by others at the chemical potentials found.",
)

_CLOSED_FORMS = {
    "scattering_length": Variable(
        (), "1", "scattering length of a wire with probes everywhere", NOT_NEGATIVE
    ),
    "drude_nonreciprocal_current": Variable(
        (), "t/hbar", "nonreciprocal current of a long wire by its scattering length"
    ),
    "drude_conductance": Variable(
        (), "e^2/hbar", "conductance of a long wire by its scattering length", NOT_NEGATIVE
    ),
    "mover_nonreciprocal_current": Variable(
        (), "t/hbar", "nonreciprocal current of classical movers of that scattering length"
    ),
    "one_dimer_nonreciprocal_current": Variable(
        (), "t/hbar", "nonreciprocal current of one source and one drain, closed form"
    ),
    "half_wavelengths": Variable((), "1", "distance of source and drain in half Fermi wavelengths"),
}
_OF_ONE_DIMER = ("one_dimer_nonreciprocal_current", "half_wavelengths")
VARIABLES = (
    with_errors(
        {
            "particle_current": Variable(
                ("direction", "contact"), "t/hbar", "particle current from the lead into the system"
            ),
        }
    )
    | {
        name: replace(variable, dims=("direction", *variable.dims))
        for name, variable in (probes.NOISE | probes.ENTROPY).items()
    }
    | bias_reversal.SCALARS
    | bias_reversal.VALIDITY
    | _CLOSED_FORMS
)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return directions and leads."""
    names = np.array(probed_systems.lead_names(parameters.system))
    return {
        "direction": directions(),
        "contact": Coordinate(names, "1", "lead of given chemical potential"),
        "contact_2": Coordinate(names, "1", "second lead of given chemical potential"),
    }


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return probed_systems.systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return both currents and what they differ by (paper nonreciprocal-gain-loss, III)."""
    forward, demanded = probed_systems.open_system(parameters.system, rng)
    found = _closed_forms(*bias_reversal.wire_of(forward, demanded))
    try:
        both = [
            bias_reversal.solved(system, demanded, parameters.method, parameters.accuracy)
            for system in bias_reversal.both_directions(forward)
        ]
    except NoSolution as error:
        nothing, known = failed(VARIABLES, coordinates(parameters), str(error)), found
        found = outcome_of(VARIABLES, known)
        return replace(nothing, values={**nothing.values, **found.values}, notes=found.notes)
    names = [terminal.name for terminal in forward.terminals]
    ends = [names.index(name) for name in probed_systems.lead_names(parameters.system)]
    left = bias_reversal.left_terminal(forward)
    currents = by_direction([{"particle_current": solution.particle_current} for solution in both])
    everything = currents["particle_current"]
    found |= bias_reversal.asymmetries(forward, everything.at((slice(None), left)))
    found |= bias_reversal.how_valid(both) | _fluctuations(both, demanded, parameters)
    found["particle_current"] = everything.at((slice(None), ends))
    limits = {"bare_particle_noise": probes.limits_of(forward, demanded)["bare_particle_noise"]}
    return outcome_of(VARIABLES, found, *bias_reversal.judged(both), limits)


def _fluctuations(
    both: list[ProbeSolution], demanded: list[Probe], parameters: Parameters
) -> dict[str, Estimate]:
    """Return noise and entropy production of both directions."""
    noise = _noise(both, demanded, parameters)
    entropies = [_entropy(solved, demanded, parameters) for solved in both]
    pairs = zip(noise, entropies, strict=True)
    return by_direction([found | {"entropy_production": entropy} for found, entropy in pairs])


def _noise(
    both: list[ProbeSolution], demanded: list[Probe], parameters: Parameters
) -> list[dict[str, Estimate]]:
    """Return what `probes.NOISE` lists in each direction."""
    if parameters.method != "linear":
        return [probes.noise(solved.system, demanded, parameters.accuracy) for solved in both]
    system, count = both[0].system, len(both[0].terminals) - len(demanded)
    reason = ""
    if temperatures(system).any() or system.loss.any() or system.gain.any():
        reason = (
            "to first order it is that of temperature 0 without loss and gain; study: "
            "nonreciprocity has it at the chemical potentials found"
        )
    try:
        energy = mean_chemical_potential(system, demanded)
        found = [] if reason else linear_noise(both, demanded, energy)
    except NoSolution as error:
        reason = str(error)
    if reason:
        return [probes.no_noise(reason, (count, count))] * len(both)
    return [probes.noise_of(one) for one in found]


def _entropy(solved: ProbeSolution, demanded: list[Probe], parameters: Parameters) -> Estimate:
    """Return the entropy production of all terminals."""
    cold = without_temperature(solved.system)
    if cold:
        return undefined(cold)
    if parameters.method == "exact":
        currents = terminal_currents(solved.system, parameters.accuracy)
        return entropy_production(solved.system, currents)
    mean = mean_chemical_potential(solved.system, demanded)
    return bias_reversal.expanded_heat(solved, mean)["entropy_production"]


def _closed_forms(wire: Wire | None, reason: str) -> dict[str, Estimate]:
    if wire is None:
        return dict.fromkeys(_CLOSED_FORMS, undefined(reason))
    every = "it is for sources and drains that alternate on all sites but the ends"
    one = "it is for one source on site 2 and one drain on the last but one"
    found = {name: undefined(one if name in _OF_ONE_DIMER else every) for name in _CLOSED_FORMS}
    matter, values = (wire.coupling, wire.energy), {}
    if wire.every_site:
        length = wire_formulas.scattering_length(*matter)
        values |= {
            "scattering_length": length,
            "drude_nonreciprocal_current": wire_formulas.drude_nonreciprocal_current(
                wire.sites, *matter, wire.source
            ),
            "drude_conductance": wire_formulas.drude_conductance(wire.sites, *matter),
            "mover_nonreciprocal_current": wire_formulas.mover_nonreciprocal_current(
                wire.sites, length, wire.source
            ),
        }
    if wire.one_dimer:
        k = wire_formulas.fermi_wave_number(wire.energy)
        current = wire_formulas.one_dimer_nonreciprocal_current(wire.sites, *matter, wire.source)
        lengths = (wire.sites - 3) * k / np.pi
        values |= zip(_OF_ONE_DIMER, (current, lengths), strict=True)
    return found | {name: Estimate(value, np.nan) for name, value in values.items()}
