"""Probes: terminals whose chemical potential, perhaps temperature, follows from their currents.

A voltage probe draws no current, a source or drain injects or draws a given one, a temperature
probe has a given heat current (usually none) as well.  As in Buettiker's model of inelastic
scattering, a probe fixes its current and not the energy of a particle that comes back.

`nessflow.probes.linear` solves them to first order in the biases, `probe_expansion` to
third order and `probe_exact` at any bias and temperature.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from nessflow.estimate import Estimate
from nessflow.scattering.terminal_flows import terminal_potentials
from nessflow.systems.matrices import above_diagonal, as_sparse, diagonal, expectation
from nessflow.systems.system import OpenSystem, Surroundings, remembered

_EPSILON = np.finfo(float).eps


@dataclass(frozen=True)
class Probe:
    """Terminal of a system whose chemical potential follows from its current.

    Parameters
    ----------
    name : str
        Name of the terminal.
    current : float
        Particle current from the probe into the system, in t/hbar; 0 for a voltage probe.
    heat_current : float, optional
        Heat current from the probe into the system, in t^2/hbar; with it the temperature follows
        as well.
    """

    name: str
    current: float = 0.0
    heat_current: float | None = None


class NoSolution(ValueError):
    """No chemical potentials give the demanded currents."""


@dataclass(frozen=True)
class Validity:
    """How far a solution for probes is valid.

    Attributes
    ----------
    band_excess : float
        Largest distance of a probe's chemical potential beyond its band, or beyond all states of
        the system, in t; 0 where all are inside.
    departure : float
        Largest departure of a probe's chemical potential from the mean of the given ones, in t.
        Paper nonreciprocal-gain-loss wants it below the bias, which for weak coupling is its
        ``I_g < 2 gamma^2 I_o`` (text below (17)).
    neglected : float
        What the orders left out change the current of a terminal by, over the magnitudes of the
        first-order terms in it; the largest of all terminals.  0 for an exact solution.
    reason : str
        Why the solution is in doubt; empty where it is not.
    """

    band_excess: float
    departure: float
    neglected: float
    reason: str


@dataclass(frozen=True, eq=False)
class ProbeSolution:
    """Chemical potentials, temperatures and currents of all terminals but loss and gain.

    Attributes
    ----------
    start : OpenSystem
        The system, its leads at any chemical potentials and temperatures.
    terminals : tuple of str
        Names.
    chemical_potential : Estimate
        (t,), in t.  The error is what the errors of the currents and what is left of the residual
        change it by.
    temperature : Estimate
        (t,), in t.
    particle_current : Estimate
        (t,), from each terminal into the system, in t/hbar.
    residual : float
        Largest departure of a current from the demanded one.
    converged : bool
        Whether the residual is within the errors of the integrals.
    iterations : int
        Newton steps.
    validity : Validity
        How far the order that was solved to is valid.
    """

    start: OpenSystem
    terminals: tuple[str, ...]
    chemical_potential: Estimate
    temperature: Estimate
    particle_current: Estimate
    residual: float
    converged: bool
    iterations: int
    validity: Validity

    @cached_property
    def system(self) -> OpenSystem:
        """The system, its leads at the solved chemical potentials and temperatures."""
        return moved(self.start, self.chemical_potential.value, self.temperature.value)


# --- what is asked for ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Task:
    """Which terminals are probes, as places among the terminals, and what they are to carry.

    Attributes
    ----------
    potentials : (p,) int
        Places of the probes.
    heats : (q,) int
        Places of the probes of unknown temperature.
    demanded : (p + q,) float
        Particle currents in t/hbar, then heat currents in t^2/hbar.
    """

    potentials: np.ndarray
    heats: np.ndarray
    demanded: np.ndarray


def terminal_temperatures(system: OpenSystem) -> np.ndarray:
    """Return the temperatures of all terminals but loss and gain.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (t,) float array
        In t.
    """
    return np.array([terminal.temperature for terminal in system.terminals])


def terminal_bands(system: OpenSystem) -> np.ndarray:
    """Return the lowest and the highest energy that each terminal has states at.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (t, 2) float array
        In t; infinite for wide-band leads.
    """
    low, high = _bands(system.surroundings)
    return np.stack([np.nanmin(low, axis=1), np.nanmax(high, axis=1)], axis=1)


@remembered
def _bands(around: Surroundings) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper edges of bands by terminal, (t, b); nan where it has fewer."""
    bands = [[y for k in x.channels for y in around.leads[k].model.bands] for x in around.terminals]
    result = np.full((2, len(bands), max(map(len, bands))), np.nan)
    for k, own in enumerate(bands):
        result[:, k, : len(own)] = np.transpose(own)
    return result[0], result[1]


def distance_from_bands(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return how far an energy for each terminal is from the next at which it has states.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (t,) array
        In t.

    Returns
    -------
    (t,) float array
        In t; 0 within a band, its edges included.
    """
    low, high = _bands(system.surroundings)
    apart = np.maximum(low - energies[..., None], energies[..., None] - high)
    return np.maximum(np.nanmin(apart, axis=-1), 0.0)


@remembered
def _pieces(system: OpenSystem) -> np.ndarray:
    """Return which piece of the system, joined by elements of matrices, each site is in."""
    matrices = system.hamiltonian, system.loss, system.gain
    if system.is_tridiagonal:
        cut = np.ones(system.sites - 1, bool)
        for matrix in matrices:
            cut &= above_diagonal(matrix) == 0
        return np.cumsum(np.append(0, cut))
    joined = sum(abs(as_sparse(matrix).matrix) for matrix in matrices)
    return connected_components(joined, directed=False)[1]


def require_joined(system: OpenSystem, probes: set[int]) -> None:
    """Check that no probes are cut off from everything that is given, by no element of a matrix.

    Parameters
    ----------
    system : OpenSystem
        The system.
    probes : set of int
        Places of the probes among the terminals.

    Raises
    ------
    NoSolution
        When a probe is in a part of the system that has no other terminal.
    """
    piece, terminals = _pieces(system), len(system.terminals)
    count = piece.max() + 1
    if count == 1:
        return  # some terminal is no probe
    # Nodes: the pieces, the terminals, and one for loss and gain.
    rates = piece[np.flatnonzero(diagonal(system.loss) + diagonal(system.gain))]
    pairs = zip(system.leads, system.terminal_of_lead, strict=True)
    contacts = [(piece[site], k) for lead, k in pairs for site in lead.sites]
    at, terminal = np.transpose(contacts)
    first, second = [at, rates], [count + terminal, np.full(rates.size, count + terminals)]
    edges = tuple(np.concatenate(ends).astype(int) for ends in (first, second))
    size = count + terminals + 1
    graph = scipy.sparse.coo_array((np.ones(edges[0].size), edges), shape=(size, size))
    _, part = connected_components(graph, directed=False)
    given = {part[count + k] for k in range(terminals + 1) if k not in probes}
    alone = [k for k in sorted(probes) if part[count + k] not in given]
    if alone:
        raise NoSolution(
            f"probe {system.terminals[alone[0]].name!r} is in a part of the system without any "
            "lead of given chemical potential, loss or gain: its own is undefined; join the parts"
        )


def task_of(system: OpenSystem, probes: Sequence[Probe]) -> Task:
    """Return what is asked for.

    Parameters
    ----------
    system : OpenSystem
        The system.
    probes : sequence of Probe
        What the probes are to carry.

    Returns
    -------
    Task
        By places among the terminals.

    Raises
    ------
    NoSolution
        When a probe is in a part of the system that has no other terminal.
    ValueError
        When a probe does not fit the system, or every terminal is a probe.
    """
    place = {terminal.name: k for k, terminal in enumerate(system.terminals)}
    for probe in probes:
        if probe.name not in place:
            raise ValueError(f"probe {probe.name!r} is no terminal of the system")
        _check_probe(system, probe, system.terminals[place[probe.name]].channels)
    if len({probe.name for probe in probes}) < len(probes):
        raise ValueError("two probes are the same terminal")
    if len(probes) == len(place):
        raise ValueError(
            "every terminal is a probe: chemical potentials are only fixed relative to a lead of "
            "given chemical potential, the system needs one"
        )
    require_joined(system, {place[probe.name] for probe in probes})
    warm = [probe for probe in probes if probe.heat_current is not None]
    return Task(
        np.array([place[probe.name] for probe in probes], int),
        np.array([place[probe.name] for probe in warm], int),
        np.array([x.current for x in probes] + [x.heat_current for x in warm], float),
    )


def _check_probe(system: OpenSystem, probe: Probe, channels: Sequence[int]) -> None:
    leads = [system.leads[a] for a in channels]
    if not any(lead.model.is_coupled for lead in leads):
        raise ValueError(
            f"probe {probe.name!r} is not coupled to the system (coupling or broadening 0), its "
            "current is always 0 and fixes no chemical potential"
        )
    if not (math.isfinite(probe.current) and math.isfinite(probe.heat_current or 0.0)):
        raise ValueError(f"probe {probe.name!r}: the demanded current must be finite")
    if probe.heat_current is None:
        return
    for lead in leads:
        at = lead.sites, lead.amplitudes
        rate = sum(expectation(matrix, *at) for matrix in (system.loss, system.gain))
        if lead.model.tail * rate > 0:
            sites = ", ".join(str(site + 1) for site in lead.sites)
            raise ValueError(
                f"probe {probe.name!r} has no finite heat current: its band never ends and site "
                f"{sites} has loss or gain, so that the energy integral diverges; "
                "give its temperature, or make it a semi-infinite chain"
            )


def moved(
    system: OpenSystem, potentials: np.ndarray, warmth: np.ndarray | None = None
) -> OpenSystem:
    """Return the system with its terminals at other chemical potentials and temperatures.

    Parameters
    ----------
    system : OpenSystem
        The system.
    potentials : (t,) array
        In t.
    warmth : (t,) array, optional
        Temperatures in t; those of the system unless told.

    Returns
    -------
    OpenSystem
        The other system.
    """
    of_lead = system.terminal_of_lead
    warmth = terminal_temperatures(system) if warmth is None else warmth
    return system.with_occupations(potentials[of_lead], warmth[of_lead])


def mean_chemical_potential(system: OpenSystem, probes: Sequence[Probe]) -> float:
    """Return the middle between the highest and the lowest given chemical potential.

    Parameters
    ----------
    system : OpenSystem
        The system.
    probes : sequence of Probe
        Terminals whose chemical potential is not given.

    Returns
    -------
    float
        In t.
    """
    names = {probe.name for probe in probes}
    given = [x.chemical_potential for x in system.terminals if x.name not in names]
    return 0.5 * (max(given) + min(given))


# --- what is found --------------------------------------------------------------------------------


def no_response(system: OpenSystem, task: Task, matrix: np.ndarray) -> NoSolution:
    """Return why currents of probes do not fix their chemical potentials, as an exception.

    Parameters
    ----------
    system : OpenSystem
        All terminals.
    task : Task
        What was asked for.
    matrix : (p + q, p + q) array
        Derivatives of the probes' currents, singular.

    Returns
    -------
    NoSolution
        It names the probe that responds least.
    """
    weakest = task.potentials[np.argmin(abs(np.diag(matrix))[: task.potentials.size])]
    return NoSolution(
        f"probe {system.terminals[weakest].name!r} carries no current at its chemical potential, "
        "which lies outside the bands or at their edge, or exchanges nothing with the given leads"
    )


def inverse_response(matrices: np.ndarray, systems: Sequence[OpenSystem], task: Task) -> np.ndarray:
    """Return the inverse of how probes' currents respond to what is unknown.

    Parameters
    ----------
    matrices : (n, p + q, p + q) array
        Derivatives of the probes' currents, of each system.
    systems : sequence of n OpenSystem
        All terminals.
    task : Task
        What was asked for.

    Returns
    -------
    (n, p + q, p + q) array
        Inverses.

    Raises
    ------
    NoSolution
        When one is singular.
    """
    try:
        found = np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        found = np.full(matrices.shape, np.nan)
        for k, matrix in enumerate(matrices):
            with suppress(np.linalg.LinAlgError):
                found[k] = np.linalg.inv(matrix)
    for k in np.flatnonzero(~np.isfinite(found).all(axis=(1, 2))).tolist():
        raise no_response(systems[k], task, matrices[k])
    return found


def solution(
    system: OpenSystem,
    task: Task,
    value: np.ndarray,
    error: np.ndarray,
    jacobian: np.ndarray,
    converged: bool,
    iterations: int,
    valid: Validity,
) -> ProbeSolution:
    """Return `solutions` of one system at the potentials and temperatures that were found."""
    mu, temperature = terminal_potentials(system)[None], terminal_temperatures(system)[None]
    integrals = value[None], error[None], jacobian[None]
    every = solutions([system], task, mu, temperature, *integrals, [converged], iterations, [valid])
    return every[0]


def solutions(
    systems: Sequence[OpenSystem],
    task: Task,
    potentials: np.ndarray,
    warmth: np.ndarray,
    value: np.ndarray,
    error: np.ndarray,
    jacobian: np.ndarray,
    converged: Sequence[bool],
    iterations: int,
    valid: Sequence[Validity],
) -> list[ProbeSolution]:
    """Return the solutions of several systems with their errors.

    Parameters
    ----------
    systems : sequence of n OpenSystem
        The systems, with the same terminals.
    task : Task
        What was asked for.
    potentials, warmth : (n, t) float
        Chemical potentials and temperatures that were found.
    value, error : (n, t + q) float
        Particle currents of all terminals, then heat currents of probes of unknown temperature.
    jacobian : (n, t + q, p + q) float
        Their derivatives with respect to what was unknown.
    converged : sequence of n bool
        Whether all integrals met the tolerance or their rounding errors.
    iterations : int
        Newton steps.
    valid : sequence of n Validity
        How far the order that was solved to is valid.

    Returns
    -------
    list of ProbeSolution
        Converged where also the residual is within 16 times the errors of the currents.

    Raises
    ------
    NoSolution
        When the probes' currents do not respond to what was unknown.
    """
    count, p = potentials.shape[1], task.potentials.size
    rows = np.concatenate([task.potentials, count + np.arange(task.heats.size)]).astype(int)
    left = value[:, rows] - task.demanded
    inverse = abs(inverse_response(jacobian[:, rows], systems, task))
    uncertain = products(inverse, error[:, rows] + abs(left))
    # A demanded current is what it is; what a chemical potential may be off by moves the others.
    given = np.delete(np.arange(count), task.potentials)
    current_error = error[:, :count] + 0.0
    current_error[:, given] += products(abs(jacobian[:, given]), uncertain)
    current_error[:, task.potentials] += abs(left[:, :p])
    potential_error, temperature_error = np.zeros((2, *potentials.shape))
    potential_error[:, task.potentials] = uncertain[:, :p]
    temperature_error[:, task.heats] = uncertain[:, p:]
    potential_error += _EPSILON * abs(potentials)
    residual = abs(left).max(axis=1, initial=0.0).tolist()
    fits = (abs(left) <= 16 * error[:, rows]).all(axis=1).tolist()
    terminals = tuple(terminal.name for terminal in systems[0].terminals)
    return [
        ProbeSolution(
            system,
            terminals,
            Estimate(potentials[k], potential_error[k]),
            Estimate(warmth[k], temperature_error[k]),
            Estimate(value[k, :count], current_error[k]),
            residual[k],
            converged[k] and fits[k],
            iterations,
            valid[k],
        )
        for k, system in enumerate(systems)
    ]


def products(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the product of each matrix with its vector, with the bits that it has alone.

    Parameters
    ----------
    matrices : (n, i, j) array
        Of each system.
    vectors : (n, j) array
        Of each system.

    Returns
    -------
    (n, i) array
        Sums over j.
    """
    return np.multiply(matrices, vectors[:, None], order="C").sum(axis=-1)
