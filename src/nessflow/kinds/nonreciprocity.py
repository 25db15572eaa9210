"""Steady states at forward and reverse bias of a system with sources, drains and other probes."""

from dataclasses import replace

import numpy as np

from nessflow.estimate import Estimate, undefined
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
    flows_of,
    judged,
    limits_of,
    noise,
    profiles_of,
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
from nessflow.studies import probed_systems, systems
from nessflow.studies.kind import Coordinate, Outcome, Status, Variable
from nessflow.studies.placement import by_direction, directions
from nessflow.studies.variables import failed, outcome_of
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
    return systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the state at both directions of the bias (paper nonreciprocal-gain-loss, III)."""
    forward, probes = probed_systems.open_system(parameters.system, rng)
    try:
        (both,) = bias_reversal.solved([forward], probes, parameters.method, parameters.accuracy)
    except NoSolution as error:
        return failed(VARIABLES, coordinates(parameters), str(error))
    parts, statuses = zip(
        *(_one_direction(solved, probes, parameters) for solved in both), strict=True
    )
    found = by_direction(parts)
    left = found["particle_current"].at((slice(None), bias_reversal.left_terminal(forward)))
    found |= bias_reversal.asymmetries(forward, left) | bias_reversal.how_valid(both)
    found[_CLOSED_FORM] = _drude(forward, probes)
    status, message = max(statuses, key=lambda x: x[0])
    return outcome_of(VARIABLES, found, status, message, limits_of(forward, probes))


def _drude(system: OpenSystem, probes: list[Probe]) -> Estimate:
    """Return (19) for both directions, (2, N)."""
    wire, reason = bias_reversal.wire_of(system, probes)
    if wire is not None and not wire.every_site:
        reason = "it is for sources and drains that alternate on all sites but the ends"
    found = undefined(reason, (2, system.sites))
    if reason or wire is None:
        return found
    for row, bias in zip(found.value, (wire.bias, -wire.bias), strict=True):
        row[1:-1] = wire_formulas.drude_potential(
            wire.sites, wire.coupling, wire.energy, bias, wire.source
        )
    return found._replace(undefined="the first and the last site have a lead and no probe")


def _one_direction(
    solved: ProbeSolution, probes: list[Probe], parameters: Parameters
) -> tuple[dict[str, Estimate], tuple[Status, str]]:
    """Return the estimates of one direction, and its status."""
    system, accuracy = solved.system, parameters.accuracy
    currents = terminal_currents(system, accuracy) if parameters.method == "exact" else None
    inside = profiles(system, accuracy) if system.sites <= _LARGEST_PROFILE else None
    found = _profile(inside, solved) | state_of(solved) | noise(solved, probes, accuracy)
    if currents is not None:
        found |= flows_of(currents) | thermodynamics(system, currents)
    else:
        mean = mean_chemical_potential(system, probes)
        found |= _expanded_flows(solved) | bias_reversal.expanded_heat(solved, mean)
        found["bond_current"] = _by_continuity(solved)
    return found, judged(solved, currents, inside)


def _expanded_flows(solved: ProbeSolution) -> dict[str, Estimate]:
    """Return what `FLOWS` lists, without what takes an exact solution."""
    system, count = solved.system, len(solved.terminals)
    closed = not (system.loss.any() or system.gain.any())
    environment = np.zeros(2) if closed else np.full(2, np.nan)
    current, error, _ = solved.particle_current
    reason = "" if closed else "currents of loss and gain are those of the exact method"
    total = solved.particle_current.total()
    return {
        "particle_current": Estimate(
            np.append(current, environment), np.append(error, environment), reason
        ),
        "energy_current": undefined("the energy current is that of the exact method", (count + 2,)),
        "conservation_defect": total if closed else undefined(reason),
    }


def _profile(inside: Profiles | None, solved: ProbeSolution) -> dict[str, Estimate]:
    """Return what `PROFILES` lists."""
    if inside is not None:
        return profiles_of(inside)
    system, reason = solved.system, f"not computed for more than {_LARGEST_PROFILE} sites"
    shapes = {"site": system.sites, "bond": len(bonds(system)), "lead": len(solved.terminals)}
    return {
        name: undefined(reason, (shapes[variable.dims[0]],))
        for name, variable in PROFILES.items()
        if not name.endswith("_error")
    }


def _by_continuity(solved: ProbeSolution) -> Estimate:
    """Return bond currents of a chain from what enters to their left."""
    system = solved.system
    simple = system.is_wired_chain and len(system.terminals) == len(system.leads)
    if not simple or system.loss.any() or system.gain.any():
        reason = "beyond chains without loss and gain it takes the exact method"
        return undefined(reason, (len(bonds(system)),))
    entering, uncertain = np.zeros((2, system.sites))
    sites = np.concatenate([lead.sites for lead in system.leads])
    np.add.at(entering, sites, solved.particle_current.value)
    np.add.at(uncertain, sites, solved.particle_current.error)
    # From the nearer end, so that errors of the other half do not gather.
    left, right = np.cumsum(entering)[:-1], -np.cumsum(entering[::-1])[::-1][1:]
    left_error, right_error = np.cumsum(uncertain)[:-1], np.cumsum(uncertain[::-1])[::-1][1:]
    nearer = left_error <= right_error
    return Estimate(np.where(nearer, left, right), np.where(nearer, left_error, right_error))
