"""Forward and reverse current of a system with sources and drains, without what is inside it.

Numbers alone, so that the size of a system may be an inner axis; ``nonreciprocity`` has profiles,
heat and noise as well.
"""

from dataclasses import replace

import numpy as np

from nessflow.scattering import wire_formulas
from nessflow.scattering.probes import NoSolution
from nessflow.scattering.wire_formulas import Wire
from nessflow.studies import bias_reversal, probed_systems
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Outcome, Variable
from nessflow.studies.placement import directions
from nessflow.studies.variables import failed, with_errors

Parameters = bias_reversal.BiasedSystem
CONVENTIONS = (*probed_systems.CONVENTIONS, *bias_reversal.CONVENTIONS)

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
            )
        }
    )
    | bias_reversal.SCALARS
    | bias_reversal.VALIDITY
    | _CLOSED_FORMS
)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return directions and leads."""
    names = np.array(probed_systems.lead_names(parameters.system))
    contacts = Coordinate(names, "1", "lead of given chemical potential")
    return {"direction": directions(), "contact": contacts}


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return probed_systems.systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return both currents and what they differ by (paper nonreciprocal-gain-loss, III)."""
    forward, probes = probed_systems.open_system(parameters.system, rng)
    values, notes = _closed_forms(*bias_reversal.wire_of(forward, probes))
    try:
        both = [
            bias_reversal.solved(system, probes, parameters.method)
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
    notes |= more | without_bias
    return Outcome(values | scalars | valid, *bias_reversal.judged(both), notes)


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
