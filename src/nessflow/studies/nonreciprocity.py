"""Steady states at forward and reverse bias of a system with sources, drains and other probes."""

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from nessflow.scattering.currents import SteadyCurrents
from nessflow.scattering.pairwise import bonds
from nessflow.scattering.probe_exact import solve_probes
from nessflow.scattering.probe_expansion import physical_solution, third_order_probes
from nessflow.scattering.probe_linear import linear_probes
from nessflow.scattering.probes import (
    NoSolution,
    Probe,
    ProbeSolution,
    mean_chemical_potential,
)
from nessflow.scattering.profiles import Profiles, joule_heat, profiles, terminal_currents
from nessflow.scattering.system import OpenSystem
from nessflow.studies import probed_systems
from nessflow.studies.kind import Coordinate, Outcome, Status, Strict, Variable
from nessflow.studies.placement import NONRECIPROCITY, directions, nonreciprocity
from nessflow.studies.probes import (
    CONVENTIONS as PROBES_CONVENTIONS,
)
from nessflow.studies.probes import (
    FLOWS,
    NOISE,
    PROFILES,
    STATE,
    THERMODYNAMICS,
    judged,
    noise,
    state_of,
    thermodynamics,
    without_solution,
)
from nessflow.studies.steady_current import with_errors

_LARGEST_PROFILE = 400
"""Sites up to which the integrals for each site take seconds."""
CONVENTIONS = (
    *PROBES_CONVENTIONS,
    "Forward bias: leads as given; reverse bias: the chemical potentials of left and right "
    "exchanged, the demanded currents as they are.",
    "Nonreciprocity |I(reverse)| - |I(forward)|, nonreciprocal current -(I(reverse) + I(forward)), "
    "I the left lead's current: equal as long as the forward current has not changed its sign.  "
    "Reference current: |bias| / 2 pi, that of one open channel.",
    "Methods: linear about the mean of the given chemical potentials, third-order about it at "
    "temperature 0, exact.  Occupations and noise are those at the chemical potentials found.  By "
    "the first two, bond currents follow from continuity and heat from its leading order, "
    "sum_b T_ab (mu_b - mu_a)^2 / 4 pi.",
)

_BY_DIRECTION = {
    name: Variable(("direction", *variable.dims), variable.natural_units, variable.long_name)
    for name, variable in {**STATE, **FLOWS, **THERMODYNAMICS, **PROFILES, **NOISE}.items()
}
_SCALARS = NONRECIPROCITY | with_errors(
    {
        "relative_nonreciprocity": Variable(
            (), "1", "nonreciprocity over the mean magnitude of both currents"
        ),
        "conductance": Variable(
            (), "e^2/hbar", "difference of forward and reverse current over twice the bias"
        ),
    }
)
VARIABLES = (
    _BY_DIRECTION
    | _SCALARS
    | {
        "reference_current": Variable((), "t/hbar", "current of an open channel at this bias"),
    }
)


class Parameters(Strict):
    """One system, solved at forward and at reverse bias."""

    system: probed_systems.ProbedSystem = Field(
        description="lattice, disorder, loss, gain, leads left and right, and probes"
    )
    method: Literal["linear", "third-order", "exact"] = Field(
        "linear", description="order in bias and currents to which the probes are solved"
    )

    @model_validator(mode="after")
    def _sources_and_drains_balance(self):
        names = probed_systems.lead_names(self.system)
        if set(names) != {"left", "right"}:
            raise ValueError(
                f"nonreciprocity needs the leads left and right, got {', '.join(names)}"
            )
        groups = self.system.probes.values()
        total = sum(group.current * len(group.sites) for group in groups)
        size = sum(abs(group.current) * len(group.sites) for group in groups)
        if abs(total) > 1e-12 * size:
            raise ValueError(
                f"the currents of the probes add up to {total:g}, so that the currents of left and "
                "right differ; as many sources as drains are needed, pairs of both on an even "
                "number of sites"
            )
        return self


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return directions, terminals, sites and bonds."""
    return {"direction": directions(), **probed_systems.coordinates(parameters.system)}


def is_random(parameters: Parameters) -> bool:
    """Return whether the system draws disorder."""
    return probed_systems.systems.is_random(parameters.system)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the state at both directions of the bias (paper nonreciprocal-gain-loss, III)."""
    forward, probes = probed_systems.open_system(parameters.system, rng)
    parts, notes, status = [], {}, (Status.OK, "")
    for system in (forward, _reversed(forward)):
        try:
            values, more, found = _one_direction(system, probes, parameters.method)
        except NoSolution as error:
            return without_solution(VARIABLES, coordinates(parameters), str(error))
        parts.append(values)
        notes |= more
        status = max(status, found, key=lambda x: x[0])
    values = {name: np.array([part[name] for part in parts]) for name in _BY_DIRECTION}
    bias = _potential(forward, "left") - _potential(forward, "right")
    left = [terminal.name for terminal in forward.terminals].index("left")
    current, error = (
        values[name][:, left] for name in ("particle_current", "particle_current_error")
    )
    scalars, more = _asymmetries(current, error, bias)
    return Outcome(values | scalars, *status, notes | more)


def _potential(system: OpenSystem, name: str) -> float:
    return next(x.chemical_potential for x in system.terminals if x.name == name)


def _reversed(system: OpenSystem) -> OpenSystem:
    """Return the system with the chemical potentials of left and right exchanged."""
    left, right = _potential(system, "left"), _potential(system, "right")
    other = {"left": right, "right": left}
    names = [system.terminals[k].name for k in system.terminal_of_lead]
    leads = [
        replace(lead, chemical_potential=other[name]) if name in other else lead
        for lead, name in zip(system.leads, names, strict=True)
    ]
    return replace(system, leads=leads)


def _asymmetries(
    current: np.ndarray, error: np.ndarray, bias: float
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the numbers that compare both directions, and notes."""
    values, notes = nonreciprocity(current, error), {}
    mean, total = abs(current).mean(), error.sum()
    relative = values["nonreciprocity"] / mean if mean > 0 else np.nan
    values |= {
        "relative_nonreciprocity": relative,
        "relative_nonreciprocity_error": (1 + abs(relative)) * total / mean if mean else np.nan,
        "conductance": (current[0] - current[1]) / (2 * bias) if bias else np.nan,
        "conductance_error": total / abs(2 * bias) if bias else np.nan,
        "reference_current": abs(bias) / (2 * np.pi),
    }
    if not mean:
        notes["relative_nonreciprocity"] = "no current flows in either direction"
    if not bias:
        notes["conductance"] = "without bias there is no conductance"
    return values, notes


def _one_direction(
    system: OpenSystem, probes: list[Probe], method: str
) -> tuple[dict, dict[str, str], tuple[Status, str]]:
    """Return values, notes and status of one direction."""
    if method == "exact":
        solved = solve_probes(system, probes)
        currents, inside = terminal_currents(solved.system), _inside(solved.system)
        values = {name: getattr(currents, name) for name in FLOWS}
        heat, notes = thermodynamics(solved.system, currents)
        notes |= currents.notes
    else:
        if method == "linear":
            solved = linear_probes(system, probes)
        else:
            solved = physical_solution(third_order_probes(system, probes))
        currents, inside = None, _inside(solved.system)
        values, notes = _expanded_flows(solved)
        heat, more = _expanded_heat(solved, mean_chemical_potential(system, probes))
        notes |= more
    values |= heat
    profile, more = _profile(inside, solved, exact=method == "exact")
    notes |= more
    values |= profile
    for part, more in (state_of(solved), noise(solved.system, probes)):
        values |= part
        notes |= more
    return values, notes, _judged(solved, currents, inside)


def _inside(system: OpenSystem) -> Profiles | None:
    return profiles(system) if system.sites <= _LARGEST_PROFILE else None


def _judged(
    solved: ProbeSolution, currents: SteadyCurrents | None, inside: Profiles | None
) -> tuple[Status, str]:
    if currents is not None and inside is not None:
        return judged(solved, currents, inside)
    if not solved.converged or not (inside is None or inside.converged):
        return Status.NOT_CONVERGED, "an energy integral did not converge"
    return Status.OK, ""


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


def _expanded_heat(solved: ProbeSolution, mean: float) -> tuple[dict, dict[str, str]]:
    """Return what `THERMODYNAMICS` lists, in the leading order of the biases."""
    system = solved.system
    heat = -joule_heat(system, mean)
    rounding = 64 * np.finfo(float).eps * abs(heat)
    closed = not (system.loss.any() or system.gain.any())
    notes = {}
    if not closed:
        heat, rounding = np.full(heat.size, np.nan), np.full(heat.size, np.nan)
        reason = "with loss or gain heat is that of the exact method"
        notes = dict.fromkeys(("heat_current", "joule_heat", "entropy_production"), reason)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy, entropy_error = -(heat / solved.temperature).sum(), 0.0
        entropy_error = (rounding / solved.temperature).sum()
    if closed and not solved.temperature.all():
        entropy = entropy_error = np.nan
        notes["entropy_production"] = "at temperature 0 heat has no finite entropy"
    return {
        "heat_current": heat,
        "heat_current_error": rounding,
        "joule_heat": -heat.sum(),
        "joule_heat_error": rounding.sum(),
        "entropy_production": entropy,
        "entropy_production_error": entropy_error,
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
    if not system.is_tridiagonal or system.loss.any() or system.gain.any():
        nothing = np.full(count, np.nan)
        return nothing, nothing, "beyond chains without loss and gain it takes the exact method"
    entering, uncertain = np.zeros((2, system.sites))
    sites = [system.leads[x.channels[0]].site for x in system.terminals]
    np.add.at(entering, sites, solved.particle_current)
    np.add.at(uncertain, sites, solved.particle_current_error)
    # From the nearer end, so that errors of the other half do not gather.
    left, right = np.cumsum(entering)[:-1], -np.cumsum(entering[::-1])[::-1][1:]
    left_error, right_error = np.cumsum(uncertain)[:-1], np.cumsum(uncertain[::-1])[::-1][1:]
    nearer = left_error <= right_error
    return np.where(nearer, left, right), np.where(nearer, left_error, right_error), ""
