"""Forward and reverse current of a system with sources and drains, without what is inside it.

Numbers alone, so that the size of a system may be an inner axis; ``nonreciprocity`` has profiles
and heat as well.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from nessflow.estimate import Estimate, stacked, undefined
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
from nessflow.studies import probed_systems, systems
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Outcome, Variable
from nessflow.studies.placement import DIRECTIONS, by_direction, directions
from nessflow.studies.variables import failed, outcome_of, with_errors
from nessflow.systems.system import OpenSystem

Parameters = bias_reversal.BiasedSystem
CONVENTIONS = (
    *probes.CONVENTIONS,
    *bias_reversal.CONVENTIONS,
    "Noise and entropy production: by method linear of the lowest order in the biases, like the "
    "currents; by others at the chemical potentials found.",
)

_ELEMENTS = 2**15
"""Elements of matrices between leads, of samples that are computed together."""
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
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return both currents and what they differ by (paper nonreciprocal-gain-loss, III)."""
    return evaluate_many([parameters], [rng])[0]


def evaluate_many(
    points: Sequence[Parameters], rngs: Sequence[np.random.Generator | None]
) -> list[Outcome]:
    """Return `evaluate` of each; the samples of a point share what they can."""
    outcomes = []
    for _, samples in groupby(zip(points, rngs, strict=True), lambda task: id(task[0])):
        alike, own = zip(*samples, strict=True)
        found, (demanded, *_) = zip(*probed_systems.open_systems(alike[0].system, own), strict=True)
        step = max(1, _ELEMENTS // len(found[0].leads) ** 2)
        for first in range(0, len(found), step):
            outcomes += _outcomes(alike[0], found[first : first + step], demanded)
    return outcomes


def _outcomes(
    parameters: Parameters, systems: Sequence[OpenSystem], demanded: list[Probe]
) -> list[Outcome]:
    """Return the outcomes of the samples of a point."""
    known = [_closed_forms(*bias_reversal.wire_of(system, demanded)) for system in systems]
    try:
        found = bias_reversal.solved(systems, demanded, parameters.method, parameters.accuracy)
    except NoSolution as error:
        if len(systems) > 1:
            return [_outcomes(parameters, [system], demanded)[0] for system in systems]
        nothing = failed(VARIABLES, coordinates(parameters), str(error))
        closed = outcome_of(VARIABLES, known[0])
        return [replace(nothing, values={**nothing.values, **closed.values}, notes=closed.notes)]
    names, forward = found[0][0].terminals, systems[0]
    ends = [names.index(name) for name in probed_systems.lead_names(parameters.system)]
    limits = {"bare_particle_noise": probes.limits_of(forward, demanded)["bare_particle_noise"]}
    outcomes = []
    noise = _noise(found, demanded, parameters)
    for both, own, fluctuations in zip(found, known, noise, strict=True):
        currents = stacked(dict(zip(DIRECTIONS, [x.particle_current for x in both], strict=True)))
        left = currents.at((slice(None), names.index("left")))
        entropy = [_entropy(solved, demanded, parameters) for solved in both]
        pairs = zip(fluctuations, entropy, strict=True)
        own |= by_direction([x | {"entropy_production": y} for x, y in pairs])
        own |= bias_reversal.asymmetries(forward, left) | bias_reversal.how_valid(both)
        own["particle_current"] = currents.at((slice(None), ends))
        outcomes.append(outcome_of(VARIABLES, own, *bias_reversal.judged(both), limits))
    return outcomes


def _noise(
    found: list[list[ProbeSolution]], demanded: list[Probe], parameters: Parameters
) -> list[list[dict[str, Estimate]]]:
    """Return what `probes.NOISE` lists of each sample in each direction."""
    if parameters.method != "linear":
        accuracy = parameters.accuracy
        return [[probes.noise(x, demanded, accuracy) for x in both] for both in found]
    system = found[0][0].start
    is_open = {bool(x.start.loss.any() or x.start.gain.any()) for x, _ in found}
    if len(is_open) > 1:
        return [_noise([both], demanded, parameters)[0] for both in found]
    reason = ""
    if temperatures(system).any() or is_open == {True}:
        reason = (
            "to first order it is that of temperature 0 without loss and gain; study: "
            "nonreciprocity has it at the chemical potentials found"
        )
    try:
        energy = mean_chemical_potential(system, demanded)
        noise = [] if reason else linear_noise(found, demanded, energy)
    except NoSolution as error:
        if len(found) > 1:
            return [_noise([both], demanded, parameters)[0] for both in found]
        reason = str(error)
    if reason:
        count = len(system.terminals) - len(demanded)
        return [[probes.no_noise(reason, (count, count))] * 2] * len(found)
    return [[probes.noise_of(one) for one in both] for both in noise]


def _entropy(solved: ProbeSolution, demanded: list[Probe], parameters: Parameters) -> Estimate:
    """Return the entropy production of all terminals."""
    cold = without_temperature(solved.start)
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
    matter = wire.coupling, wire.energy
    values: dict[str, Any] = {}
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
