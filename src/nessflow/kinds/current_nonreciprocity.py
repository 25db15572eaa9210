"""Forward and reverse current of a system with sources and drains, without what is inside it.

Numbers alone, so that the size of a system may be an inner axis; ``nonreciprocity`` has profiles
and heat as well.
"""

from dataclasses import replace

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.kinds import bias_reversal, probes
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
from nessflow.studies.placement import directions, joined_notes
from nessflow.studies.variables import failed, with_errors
from nessflow.thermodynamics import entropy_production, without_temperature

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
    values, notes = _closed_forms(*bias_reversal.wire_of(forward, demanded))
    try:
        both = [
            bias_reversal.solved(system, demanded, parameters.method, parameters.accuracy)
            for system in bias_reversal.both_directions(forward)
        ]
    except NoSolution as error:
        nothing = failed(VARIABLES, coordinates(parameters), str(error))
        return replace(nothing, values=nothing.values | values, notes=notes)
    names = [terminal.name for terminal in forward.terminals]
    ends = [names.index(name) for name in probed_systems.lead_names(parameters.system)]
    for name in ("particle_current", "particle_current_error"):
        values[name] = np.array([getattr(solution, name)[ends] for solution in both])
    left = bias_reversal.left_terminal(forward)
    scalars, more = bias_reversal.asymmetries(
        forward,
        np.array([solution.particle_current[left] for solution in both]),
        np.array([solution.particle_current_error[left] for solution in both]),
    )
    valid, without_bias = bias_reversal.how_valid(both)
    flows, reasons = _fluctuations(both, demanded, parameters)
    notes |= more | without_bias | reasons
    noise_limits = probes.limits_of(forward, demanded)["bare_particle_noise"]
    return Outcome(
        values | scalars | valid | flows,
        *bias_reversal.judged(both),
        notes,
        {"bare_particle_noise": noise_limits},
    )


def _fluctuations(
    both: list[ProbeSolution], demanded: list[Probe], parameters: Parameters
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return noise and entropy production of both directions, and notes."""
    parts, notes = [], []
    for solved, (noise, more) in zip(both, _noise(both, demanded, parameters), strict=True):
        entropy = _entropy(solved, demanded, parameters)
        more = more | ({"entropy_production": entropy.undefined} if entropy.undefined else {})
        parts.append(dict(zip(probes.ENTROPY, entropy[:2], strict=True)) | noise)
        notes.append(more)
    values = {name: np.array([part[name] for part in parts]) for name in parts[0]}
    return values, joined_notes(notes)


def _noise(
    both: list[ProbeSolution], demanded: list[Probe], parameters: Parameters
) -> list[tuple[dict[str, np.ndarray], dict[str, str]]]:
    """Return what `probes.NOISE` lists in each direction, and notes."""
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
        nothing = dict.fromkeys(probes.NOISE, np.full((count, count), np.nan))
        return [(nothing, dict.fromkeys(probes.NOISE, reason))] * len(both)
    return [(probes.noise_values(one), {}) for one in found]


def _entropy(solved: ProbeSolution, demanded: list[Probe], parameters: Parameters) -> Estimate:
    """Return the entropy production of all terminals."""
    cold = without_temperature(solved.system)
    if cold:
        return undefined(cold)
    if parameters.method == "exact":
        currents = terminal_currents(solved.system, parameters.accuracy)
        return entropy_production(solved.system, currents)
    mean = mean_chemical_potential(solved.system, demanded)
    values, notes = bias_reversal.expanded_heat(solved, mean)
    found = (values[name] for name in probes.ENTROPY)
    return Estimate(*found, notes.get("entropy_production", ""))


def _closed_forms(wire: Wire | None, reason: str) -> tuple[dict[str, float], dict[str, str]]:
    values = dict.fromkeys(_CLOSED_FORMS, np.nan)
    if wire is None:
        return values, dict.fromkeys(values, reason)
    matter = wire.coupling, wire.energy
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
        values |= {
            "one_dimer_nonreciprocal_current": wire_formulas.one_dimer_nonreciprocal_current(
                wire.sites, *matter, wire.source
            ),
            "half_wavelengths": (wire.sites - 3) * k / np.pi,
        }
    every = "it is for sources and drains that alternate on all sites but the ends"
    notes = {
        name: "it is for one source on site 2 and one drain on the last but one"
        if name in ("one_dimer_nonreciprocal_current", "half_wavelengths")
        else every
        for name, value in values.items()
        if np.isnan(value)
    }
    return values, notes
