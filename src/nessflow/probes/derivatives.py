"""Currents of all terminals and their derivatives with respect to potentials and temperatures.

    dI_a/dmu_b = int dw/2pi [delta_ab Gamma_a A_aa - T_ab] (-df_b/dw);

at temperature 0, ``-df/dw`` is a delta function and the integral one transmission.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nessflow.probes.problem import Task
from nessflow.scattering.terminal_flows import (
    Occupations,
    by_terminal,
    chemical_potentials,
    fermi_occupations,
    integrated,
    lead_flow,
    pairs_by_terminal,
    temperatures,
    terminal_potentials,
)
from nessflow.solvers.pairwise import (
    Source,
    green_between,
    in_batches,
    lead_broadening,
    lead_sums,
    transmission_sum,
)
from nessflow.spectrum.mesh import known_poles
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.spectrum.quadrature import KRONROD
from nessflow.spectrum.spectrum import ACCURACY, Spectrum
from nessflow.systems.batch import Batch
from nessflow.systems.system import OpenSystem


def flows(
    system: OpenSystem,
    heats: np.ndarray,
    rtol: float,
    poles: np.ndarray,
    occupations: Occupations | None = None,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return all particle currents, then the heat currents of some terminals, with errors.

    Parameters
    ----------
    system : OpenSystem
        The system.
    heats : (q,) int
        Places of the terminals whose heat currents are wanted.
    rtol : float
        Error over value aimed at, for each current by itself.
    poles : (p,) complex array
        By which the mesh is graded.
    occupations : Occupations, optional
        Those of the leads unless told.

    Returns
    -------
    value, error : (t + q,) float
        From terminals into the system, in t/hbar and t^2/hbar; heat counts from the terminal's
        chemical potential.
    converged : bool
        Whether all integrals met the tolerance or their rounding errors.
    """
    occupations = occupations or fermi_occupations(system)
    potentials = terminal_potentials(system)

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = (by_terminal(system, x) for x in lead_flow(system, occupations, energies))
        value, size = parts
        distance = energies - potentials[heats, None]
        return (
            np.concatenate([value, distance * value[heats]]),
            np.concatenate([size, abs(distance) * size[heats]]),
        )

    found = integrated(system, integrand, rtol, poles)
    return found.value, found.error, found.converged


def slopes(
    system: OpenSystem, poles: np.ndarray, rtol: float = ACCURACY
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return energies and the weights at them of the integrals with ``-df/dw`` and ``df/dT``.

    Parameters
    ----------
    system : OpenSystem
        The system.
    poles : (p,) complex array
        By which the mesh is graded.
    rtol : float
        Error over value of what is summed at the energies, roughly.

    Returns
    -------
    energies : (E,) float
        In t; a lead at temperature 0 has its chemical potential alone.
    by_potential, by_temperature : (l, E) float
        The weights over 2 pi; those by temperature are 0 at temperature 0.
    """
    mu, warmth = chemical_potentials(system), temperatures(system)
    cold = np.flatnonzero(warmth == 0)
    steps, place = np.unique(mu[cold], return_inverse=True)
    nodes, lengths = np.empty(0), np.empty(0)
    if cold.size < mu.size:
        nodes, slope = Spectrum(system, rtol, poles=poles).panels.nodes()
        nodes, lengths = nodes.ravel(), (slope * KRONROD).ravel()
    by_potential, by_temperature = np.zeros((2, mu.size, steps.size + nodes.size))
    by_potential[cold, place] = 1.0
    for a in np.flatnonzero(warmth > 0):
        f, h = fermi(nodes, mu[a], warmth[a]), fermi_holes(nodes, mu[a], warmth[a])
        weight = f * h / warmth[a] * lengths
        by_potential[a, steps.size :] = weight
        by_temperature[a, steps.size :] = weight * (nodes - mu[a]) / warmth[a]
    energies = np.concatenate([steps, nodes])
    # Beyond the steps and tails of all leads nothing changes.
    used = by_potential.any(axis=0)
    return (
        energies[used],
        by_potential[:, used] / (2 * np.pi),
        by_temperature[:, used] / (2 * np.pi),
    )


def responses(
    system: OpenSystem, energies: np.ndarray, weights: np.ndarray, to: np.ndarray
) -> np.ndarray:
    """Return ``sum_e to_a [delta_ab Gamma_a A_aa - T_ab] weights_b`` between terminals.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.
    weights : (l, E) array
        What the occupation of each lead changes by, `slopes`.
    to : (l, E) array
        What each particle that a lead sends counts: 1, or its heat.

    Returns
    -------
    (t, t) float array
        In the unit of ``to weights``.
    """

    def escape(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma = lead_broadening(system, part)
        rates = gamma * lead_sums(system, part, [Source(gamma, loss=1.0, gain=1.0)])[0]
        return rates, rates

    rates, _ = in_batches(escape, 2 * system.sites)(energies)
    matrix = np.diag((to * rates * weights).sum(axis=1))
    return pairs_by_terminal(system, matrix - transmission_sum(system, energies, to, weights))


def conductance_matrix(
    system: OpenSystem, poles: np.ndarray | None = None, rtol: float = ACCURACY
) -> np.ndarray:
    """Return ``dI_a/dmu_b`` of all terminals but loss and gain.

    Its rows add up to zero without loss and gain, its columns always do with those of loss and gain
    added.

    Parameters
    ----------
    system : OpenSystem
        The leads at any chemical potentials and temperatures.
    poles : (p,) complex array, optional
        `poles_if_needed`, where they were computed before.
    rtol : float
        As for `slopes`.

    Returns
    -------
    (t, t) float array
        In 1/hbar.
    """
    poles = poles_if_needed(system) if poles is None else poles
    energies, weights, _ = slopes(system, poles, rtol)
    return responses(system, energies, weights, np.ones_like(weights))


def cold_response(systems: Sequence[OpenSystem], energy: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the Green's functions and `conductance_matrix` at one energy, of several systems.

    Those at temperature 0 without loss and gain, where what a lead sends comes into the others, so
    that the diagonal of the conductances is a sum of positive terms.

    Parameters
    ----------
    systems : sequence of n OpenSystem
        With the same leads, of one `nessflow.solvers.solver.site_shape`, without loss and gain.
    energy : float
        Chemical potential of all leads, in t.

    Returns
    -------
    green : (n, l, l) complex
        Between all leads, in 1/t.
    conductance : (n, t, t) float
        In 1/hbar.
    """
    energies, system = np.full(len(systems), energy), systems[0]
    green = green_between(Batch(tuple(systems), np.ones(len(systems), int)), energies)
    gamma, each = lead_broadening(system, energies[:1])[:, 0], range(len(system.leads))
    pairs = gamma[:, None] * (green.real**2 + green.imag**2) * gamma
    pairs[:, each, each] = 0.0
    pairs[:, each, each] = -pairs.sum(axis=2)
    by_row = by_terminal(system, np.moveaxis(-pairs / (2 * np.pi), 0, -1))
    matrices = by_terminal(system, by_row.swapaxes(0, 1)).swapaxes(0, 1)
    return green, np.ascontiguousarray(np.moveaxis(matrices, -1, 0))


def poles_if_needed(system: OpenSystem) -> np.ndarray:
    """Return the poles by which integrals are graded; none where nothing is integrated.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (p,) complex array
        `known_poles`; empty without loss and gain at temperature 0.
    """
    integrals = temperatures(system).any() or system.loss.any() or system.gain.any()
    return known_poles(system) if integrals else np.empty(0, complex)


def jacobian(
    system: OpenSystem, task: Task, poles: np.ndarray, currents: np.ndarray, rtol: float
) -> np.ndarray:
    """Return the derivatives of particle and heat currents.

    Parameters
    ----------
    system : OpenSystem
        The system.
    task : Task
        Which terminals are probes.
    poles : (p,) complex array
        By which the mesh is graded.
    currents : (t,) array or longer
        Particle currents of all terminals first, in t/hbar: heat counts from a potential that
        moves.
    rtol : float
        As for `slopes`.

    Returns
    -------
    (t + q, p + q) float array
        Of all particle currents and the heat currents of probes of unknown temperature, with
        respect to the potentials of all probes and these temperatures.
    """
    energies, by_potential, by_temperature = slopes(system, poles, rtol)
    one = np.ones_like(by_potential)
    rows = [_columns(system, task, energies, by_potential, by_temperature, one)]
    if task.heats.size:
        distance = energies - chemical_potentials(system)[:, None]
        heat = _columns(system, task, energies, by_potential, by_temperature, distance)[task.heats]
        for k, a in enumerate(task.heats):
            heat[k, np.flatnonzero(task.potentials == a)] -= currents[a]
        rows.append(heat)
    return np.concatenate(rows)


def _columns(
    system: OpenSystem,
    task: Task,
    energies: np.ndarray,
    by_potential: Any,
    by_temperature: Any,
    to: Any,
) -> np.ndarray:
    parts = [responses(system, energies, by_potential, to)[:, task.potentials]]
    if task.heats.size:
        parts.append(responses(system, energies, by_temperature, to)[:, task.heats])
    return np.concatenate(parts, axis=1)
