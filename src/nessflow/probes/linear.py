"""Probes in linear response about a common chemical potential."""

from collections.abc import Hashable, Sequence

import numpy as np

from nessflow.probes.derivatives import cold_response, conductance_matrix, flows, poles_if_needed
from nessflow.probes.problem import (
    Probe,
    ProbeSolution,
    Task,
    inverse_response,
    moved,
    no_response,
    products,
    require_joined,
    solution,
    solutions,
    task_of,
)
from nessflow.probes.validity import cold_changes, current_change, validities, validity
from nessflow.scattering.terminal_flows import (
    Occupations,
    chemical_potentials,
    temperatures,
    terminal_potentials,
)
from nessflow.solvers.solver import site_shape
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem

_EPSILON = np.finfo(float).eps
_LARGEST_CONDITION = 1e15
"""Condition of how probes respond, beyond which rounding hides whether they do."""


def linear_probes(
    system: OpenSystem, probes: Sequence[Probe], rtol: float = ACCURACY
) -> ProbeSolution:
    """Return the probes in linear response about the mean of the given chemical potentials.

    (B26) with n = 1 of paper nonreciprocal-gain-loss; at finite temperature the transmissions are
    averaged with ``-df/dw``.

    Parameters
    ----------
    system : OpenSystem
        All leads at one temperature; the probes' chemical potentials are not used.
    probes : sequence of Probe
        Without heat currents.
    rtol : float
        Error over value aimed at, for the currents without bias (loss and gain) and for the
        thermal averages.

    Returns
    -------
    ProbeSolution
        Linear in biases and demanded currents; its `validity` says where that is no state.

    Raises
    ------
    ValueError
        When temperatures differ, a probe has a heat current or does not fit the system, or every
        terminal is a probe.
    NoSolution
        When a probe carries no current at the mean chemical potential.
    """
    return linear_probes_of([system], probes, rtol)[0]


def linear_probes_of(
    systems: Sequence[OpenSystem],
    probes: Sequence[Probe],
    rtol: float = ACCURACY,
    given: np.ndarray | None = None,
) -> list[ProbeSolution]:
    """Return `linear_probes` of several systems, such as the samples of an ensemble.

    At temperature 0 without loss and gain all is known from the Green's function at one energy, and
    systems are computed together, each with the numbers that it has alone, to the last bit.

    Parameters
    ----------
    systems : sequence of n OpenSystem
        With the same terminals but for their chemical potentials.
    probes, rtol
        As of `linear_probes`.
    given : (n, t) float array, optional
        Chemical potentials of the terminals, in t; those of the systems unless told.

    Returns
    -------
    list of n ProbeSolution
        Of each system.

    Raises
    ------
    ValueError, NoSolution
        As `linear_probes`, when there is something to raise of any of them.
    """
    systems = [each.interpolated for each in systems]
    system, task = systems[0], task_of(systems[0], probes)
    if task.heats.size:
        raise ValueError("in linear response probes have a given temperature; solve them exactly")
    warmth = np.unique(temperatures(system))
    if warmth.size > 1:
        raise ValueError(
            f"linear response needs leads of one temperature, got {warmth[0]:g} to {warmth[-1]:g}"
        )
    known = {id(system)}
    for other in systems:
        if id(other) not in known:
            known.add(id(other))
            require_joined(other, set(task.potentials.tolist()))
    if given is None:
        given = np.array([terminal_potentials(system) for system in systems])
    fixed = np.delete(given, task.potentials, axis=1)
    means = 0.5 * (fixed.max(axis=1) + fixed.min(axis=1))
    alike: dict[tuple[float, Hashable], list[int]] = {}
    found: dict[int, ProbeSolution] = {}
    for k, other in enumerate(systems):
        mean = float(means[k])
        if warmth[0] > 0 or other.loss.any() or other.gain.any():
            row = other, mean, given[k] - mean
            found[k] = _by_integrals(*row, task, float(warmth[0]), rtol)
        else:
            alike.setdefault((mean, site_shape(other)), []).append(k)
    for (mean, _), members in alike.items():
        own = [systems[k] for k in members]
        solved = _at_one_energy(own, mean, given[members] - mean, task)
        found |= zip(members, solved, strict=True)
    return [found[k] for k in range(len(systems))]


def _at_one_energy(
    systems: list[OpenSystem], mean: float, bias: np.ndarray, task: Task
) -> list[ProbeSolution]:
    """Return the solutions at temperature 0 without loss and gain, of systems of one shape."""
    p = task.potentials
    fixed = np.delete(np.arange(bias.shape[1]), p)
    _, response = cold_response(systems, mean)
    # Contiguous, for bits that do not depend on how many there are.
    inside = np.ascontiguousarray(response[:, p[:, None], p])
    bias[:, p] = 0.0
    missing = task.demanded - products(response[:, p[:, None], fixed], bias[:, fixed])
    inverse = inverse_response(inside, systems, task)
    condition = np.prod([abs(x).sum(axis=1).max(axis=1) for x in (inside, inverse)], axis=0)
    for k in np.flatnonzero(~(condition < _LARGEST_CONDITION)):
        raise no_response(systems[k], task, inside[k])
    bias[:, p] = np.linalg.solve(inside, missing[:, :, None])[:, :, 0]
    value = products(response, bias)
    first = products(abs(response), abs(bias))
    change = cold_changes(systems, mean, bias) - value, first
    valid = validities(systems, mean, bias, p, change)
    warmth = np.zeros_like(bias)
    error, fine = 8 * _EPSILON * first, [True] * len(systems)
    slope = response[:, :, p]
    return solutions(systems, task, mean + bias, warmth, value, error, slope, fine, 1, valid)


def _by_integrals(
    system: OpenSystem, mean: float, bias: np.ndarray, task: Task, warmth: float, rtol: float
) -> ProbeSolution:
    """Return the solution at any temperature, with loss and gain."""
    fixed = np.setdiff1d(np.arange(bias.size), task.potentials)
    common = moved(system, np.full(bias.size, mean))
    poles = poles_if_needed(common)
    start, start_error = np.zeros((2, bias.size))
    converged = True
    if system.loss.any() or system.gain.any():
        start, start_error, converged = flows(common, task.heats[:0], rtol, poles)
    response = conductance_matrix(common, poles, rtol)
    inside = response[np.ix_(task.potentials, task.potentials)]

    def currents(bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if warmth == 0:
            size = abs(response) @ abs(bias)
            return start + response @ bias, start_error + 8 * _EPSILON * size
        change, error, fine = flows(common, task.heats[:0], rtol, poles, _linear(common, bias))
        nonlocal converged
        converged = converged and fine
        return start + change, start_error + error

    bias[task.potentials] = 0.0
    missing = task.demanded - (start + response[:, fixed] @ bias[fixed])[task.potentials]
    bias[task.potentials] = _solved(inside, missing, system, task)
    value, error = currents(bias)
    steps = 1
    while steps < 4 and warmth > 0:
        left = task.demanded - value[task.potentials]
        if (abs(left) <= 2 * error[task.potentials]).all():
            break
        bias[task.potentials] += np.linalg.solve(inside, left)
        value, error = currents(bias)
        steps += 1
    slope, first = response[:, task.potentials], abs(response) @ abs(bias)
    left_out = current_change(common, mean, bias, poles) - response @ bias
    valid = validity(common, mean, bias, task.potentials, left_out, first)
    return solution(moved(common, mean + bias), task, value, error, slope, converged, steps, valid)


def _linear(system: OpenSystem, bias: np.ndarray) -> Occupations:
    """Return the change of the occupations to first order in the bias of the terminals."""
    mu, warmth = float(chemical_potentials(system)[0]), float(temperatures(system)[0])
    of_lead = bias[system.terminal_of_lead]

    def excess(energies: np.ndarray) -> np.ndarray:
        f, h = fermi(energies, mu, warmth), fermi_holes(energies, mu, warmth)
        return of_lead[:, None] * (f * h / warmth)

    def nothing(energies: np.ndarray) -> np.ndarray:
        return np.zeros(energies.shape)

    return Occupations(nothing, nothing, excess)


def _solved(matrix: np.ndarray, right: np.ndarray, system: OpenSystem, task: Task) -> np.ndarray:
    try:
        found = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        found = np.full(right.shape, np.nan)
    if right.size and not (
        np.isfinite(found).all() and np.linalg.cond(matrix, 1) < _LARGEST_CONDITION
    ):
        raise no_response(system, task, matrix)
    return found
