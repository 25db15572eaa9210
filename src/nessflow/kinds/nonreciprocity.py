"""Steady states at forward and reverse bias of a system with sources, drains and other probes."""

from dataclasses import replace

import numpy as np

from nessflow.kinds import bias_reversal
from nessflow.kinds.probes import (
    CONVENTIONS as PROBES_CONVENTIONS,
)
from nessflow.kinds.probes import (
    FLOWS,
    NOISE,
    PROFILES,
    STATE,
    THERMODYNAMICS,
    judged,
    limits_of,
    noise,
    state_of,
    thermodynamics,
)
from nessflow.probes import wire_formulas
from nessflow.probes.problem import (
    NoSolution,
    Probe,
    ProbeSolution,
    mean_chemical_potential,
)
from nessflow.scattering.profiles import Profiles, profiles, terminal_currents
from nessflow.solvers.pairwise import bonds
from nessflow.studies import probed_systems
from nessflow.studies.kind import Coordinate, Outcome, Status, Variable
from nessflow.studies.placement import directions, joined_notes
from nessflow.studies.variables import failed
from nessflow.systems.system import OpenSystem

_LARGEST_PROFILE = 400
"""Sites up to which the integrals for each site take seconds."""
Parameters = bias_reversal.BiasedSystem
CONVENTIONS = (
    *PROBES_CONVENTIONS,
    *bias_reversal.CONVENTIONS,
    "Occupations and noise are those at the chemical potentials found.  By the first two methods "
    "bond currents follow from continuity and heat from its leading order, "
    "sum_b T_ab (mu_b - mu_a)^2 / 4 pi.",
)

_BY_DIRECTION = {
    name: replace(variable, dims=("direction", *variable.dims))
    for name, variable in {**STATE, **FLOWS, **THERMODYNAMICS, **PROFILES, **NOISE}.items()
}
_CLOSED_FORM = "drude_chemical_potential"
VARIABLES = (
    _BY_DIRECTION
    | bias_reversal.SCALARS
    | bias_reversal.VALIDITY
    | {
        _CLOSED_FORM: Variable(
            ("direction", "site"), "t", "chemical potential of a probe by the scattering length"
        ),
    }
)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return directions, terminals, sites and bonds."""
    return {"direction": directions(), **probed_systems.coordinates(parameters.system)}


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return probed_systems.systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the state at both directions of the bias (paper nonreciprocal-gain-loss, III)."""
    forward, probes = probed_systems.open_system(parameters.system, rng)
    closed_form, reason = _drude(forward, probes)
    parts, notes, status = [], [], (Status.OK, "")
    try:
        both = [
            bias_reversal.solved(system, probes, parameters.method, parameters.accuracy)
            for system in bias_reversal.both_directions(forward)
        ]
    except NoSolution as error:
        return failed(VARIABLES, coordinates(parameters), str(error))
    for solved in both:
        values, more, found = _one_direction(solved, probes, parameters)
        parts.append(values)
        notes.append(more)
        status = max(status, found, key=lambda x: x[0])
    values = {name: np.array([part[name] for part in parts]) for name in _BY_DIRECTION}
    values[_CLOSED_FORM] = closed_form
    left = bias_reversal.left_terminal(forward)
    current, error = (
        values[name][:, left] for name in ("particle_current", "particle_current_error")
    )
    scalars, more = bias_reversal.asymmetries(forward, current, error)
    valid, without_bias = bias_reversal.how_valid(both)
    notes = {_CLOSED_FORM: reason} | joined_notes(notes) | more | without_bias
    return Outcome(values | scalars | valid, *status, notes, limits_of(forward, probes))


def _drude(system: OpenSystem, probes: list[Probe]) -> tuple[np.ndarray, str]:
    """Return (19) for both directions, (2, N), and why it lacks values."""
    found = np.full((2, system.sites), np.nan)
    wire, reason = bias_reversal.wire_of(system, probes)
    if wire is None:
        return found, reason
    if not wire.every_site:
        return found, "it is for sources and drains that alternate on all sites but the ends"
    for row, bias in zip(found, (wire.bias, -wire.bias), strict=True):
        row[1:-1] = wire_formulas.drude_potential(
            wire.sites, wire.coupling, wire.energy, bias, wire.source
        )
    return found, "the first and the last site have a lead and no probe"


def _one_direction(
    solved: ProbeSolution, probes: list[Probe], parameters: Parameters
) -> tuple[dict, dict[str, str], tuple[Status, str]]:
    """Return values, notes and status of one direction."""
    accuracy, exact = parameters.accuracy, parameters.method == "exact"
    inside = _inside(solved.system, accuracy)
    if exact:
        currents = terminal_currents(solved.system, accuracy)
        values = {name: getattr(currents, name) for name in FLOWS}
        heat, notes = thermodynamics(solved.system, currents)
        notes |= currents.notes
    else:
        currents = None
        values, notes = _expanded_flows(solved)
        heat, more = bias_reversal.expanded_heat(
            solved, mean_chemical_potential(solved.system, probes)
        )
        notes |= more
    values |= heat
    profile, more = _profile(inside, solved, exact)
    notes |= more
    values |= profile
    for part, more in (state_of(solved), noise(solved.system, probes, accuracy)):
        values |= part
        notes |= more
    return values, notes, judged(solved, currents, inside)


def _inside(system: OpenSystem, accuracy: float) -> Profiles | None:
    return profiles(system, accuracy) if system.sites <= _LARGEST_PROFILE else None


def _expanded_flows(solved: ProbeSolution) -> tuple[dict, dict[str, str]]:
    """Return what `FLOWS` lists, without what takes an exact solution."""
    system, count = solved.system, len(solved.terminals)
    closed = not (system.loss.any() or system.gain.any())
    environment = np.zeros(2) if closed else np.full(2, np.nan)
    nothing = np.full(count + 2, np.nan)
    reason = "the energy current is that of the exact method"
    notes = dict.fromkeys(("energy_current", "energy_current_error"), reason)
    if not closed:
        notes["particle_current"] = "currents of loss and gain are those of the exact method"
        notes["conservation_defect"] = notes["particle_current"]
    return {
        "particle_current": np.append(solved.particle_current, environment),
        "particle_current_error": np.append(solved.particle_current_error, environment),
        "energy_current": nothing,
        "energy_current_error": nothing,
        "conservation_defect": float(solved.particle_current.sum()) if closed else np.nan,
    }, notes


def _profile(
    inside: Profiles | None, solved: ProbeSolution, exact: bool
) -> tuple[dict, dict[str, str]]:
    """Return what `PROFILES` lists, and notes."""
    system, notes = solved.system, {}
    pairs = bonds(system)
    if inside is not None:
        values = {name: getattr(inside, name) for name in PROFILES}
    else:
        shapes = {"site": system.sites, "bond": len(pairs), "lead": len(solved.terminals)}
        values = {name: np.full(shapes[x.dims[0]], np.nan) for name, x in PROFILES.items()}
        notes = dict.fromkeys(PROFILES, f"not computed for more than {_LARGEST_PROFILE} sites")
    if not exact:
        current, error, reason = _by_continuity(solved, len(pairs))
        values |= {"bond_current": current, "bond_current_error": error}
        notes = {k: v for k, v in notes.items() if not k.startswith("bond_current")}
        if reason:
            notes["bond_current"] = reason
    return values, notes


def _by_continuity(solved: ProbeSolution, count: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return bond currents of a chain from what enters to their left."""
    system = solved.system
    simple = system.is_wired_chain and len(system.terminals) == len(system.leads)
    if not simple or system.loss.any() or system.gain.any():
        nothing = np.full(count, np.nan)
        return nothing, nothing, "beyond chains without loss and gain it takes the exact method"
    entering, uncertain = np.zeros((2, system.sites))
    sites = [lead.site for lead in system.leads]
    np.add.at(entering, sites, solved.particle_current)
    np.add.at(uncertain, sites, solved.particle_current_error)
    # From the nearer end, so that errors of the other half do not gather.
    left, right = np.cumsum(entering)[:-1], -np.cumsum(entering[::-1])[::-1][1:]
    left_error, right_error = np.cumsum(uncertain)[:-1], np.cumsum(uncertain[::-1])[::-1][1:]
    nearer = left_error <= right_error
    return np.where(nearer, left, right), np.where(nearer, left_error, right_error), ""
