"""Probes in linear response about a common chemical potential."""

from collections.abc import Sequence

import numpy as np

from nessflow.probes.derivatives import flows, poles_if_needed, responses, slopes
from nessflow.probes.problem import (
    Probe,
    ProbeSolution,
    Task,
    mean_chemical_potential,
    moved,
    no_response,
    solution,
    task_of,
)
from nessflow.probes.validity import current_change, validity
from nessflow.scattering.terminal_flows import (
    Occupations,
    chemical_potentials,
    temperatures,
    terminal_potentials,
)
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem

_EPSILON = np.finfo(float).eps


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
    task = task_of(system, probes)
    if task.heats.size:
        raise ValueError("in linear response probes have a given temperature; solve them exactly")
    warmth = np.unique(temperatures(system))
    if warmth.size > 1:
        raise ValueError(
            f"linear response needs leads of one temperature, got {warmth[0]:g} to {warmth[-1]:g}"
        )
    mean = mean_chemical_potential(system, probes)
    bias = terminal_potentials(system) - mean
    fixed = np.setdiff1d(np.arange(bias.size), task.potentials)
    common = moved(system, np.full(bias.size, mean))
    poles = poles_if_needed(common)
    start, start_error = np.zeros((2, bias.size))
    converged = True
    if system.loss.any() or system.gain.any():
        start, start_error, converged = flows(common, task.heats[:0], rtol, poles)
    energies, weights, _ = slopes(common, poles, rtol)
    response = responses(common, energies, weights, np.ones_like(weights))
    inside = response[np.ix_(task.potentials, task.potentials)]

    def currents(bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if warmth[0] == 0:
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
    while steps < 4 and warmth[0] > 0:
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
    if right.size and not (np.isfinite(found).all() and np.linalg.cond(matrix, 1) < 1e15):
        raise no_response(system, task, matrix)
    return found
