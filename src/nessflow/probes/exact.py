"""Probes at any bias and temperature, by Newton's method.

The current of terminal a never rises with another chemical potential, ``dI_a/dmu_b <= 0``, and
with its own by more than it falls with those of all other probes together, where a lead of given
potential is in reach.  So the chemical potentials of probes of given temperature are unique where
they exist.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nessflow.probes.derivatives import flows, jacobian
from nessflow.probes.problem import (
    NoSolution,
    Probe,
    ProbeSolution,
    Task,
    mean_chemical_potential,
    moved,
    solution,
    task_of,
    terminal_bands,
    terminal_temperatures,
)
from nessflow.probes.validity import validity
from nessflow.scattering.terminal_flows import by_terminal, integrated, terminal_potentials
from nessflow.solvers.pairwise import (
    Source,
    green_between,
    lead_broadening,
    lead_sums,
)
from nessflow.spectrum.mesh import energy_scale, known_poles
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem

_MAX_STEPS = 60
_SHORTEST = 2.0**-11
"""Fraction of a Newton step, or of bias and currents, below which there is no way on."""
_FURTHEST = 1e6
"""Step of a potential over energies and temperatures, beyond which only numbers overflow."""


def solve_probes(
    system: OpenSystem, probes: Sequence[Probe], rtol: float = ACCURACY
) -> ProbeSolution:
    """Return the probes at any bias and temperature, by Newton's method.

    Parameters
    ----------
    system : OpenSystem
        Leads of given chemical potential and probes; loss and gain are allowed.  The probes'
        chemical potentials are not used, nor are temperatures that follow from heat currents.
    probes : sequence of Probe
        What the probes are to carry.
    rtol : float
        Error over value aimed at in the integrals over the energy.

    Returns
    -------
    ProbeSolution
        Unique where all temperatures are given.

    Raises
    ------
    NoSolution
        When a probe is to carry more than it can.
    ValueError
        When a probe does not fit the system, or every terminal is a probe.

    Notes
    -----
    If Newton's method fails from the mean chemical potential and from each given one, biases and
    demanded currents are raised together from zero, in steps that adapt.
    """
    system = system.interpolated
    task, poles = task_of(system, probes), known_poles(system)
    mean = mean_chemical_potential(system, probes)
    start = _guess(system, task, mean)
    # In a gap of all leads nothing responds to a chemical potential; at a given one something may.
    given = np.delete(terminal_potentials(system), task.potentials)
    for potential in (mean, *np.unique(given)):
        found = _newton(_guess(system, task, potential), task, rtol, poles)
        if found is not None:
            break
    else:
        _check_capacity(start, task, poles)
        found = _continued(system, task, mean, rtol, poles)
    solved, value, error, slope, steps, converged = found
    valid = validity(solved, mean, terminal_potentials(solved) - mean, task.potentials)
    return solution(solved, task, value, error, slope, converged, steps, valid)


def _guess(system: OpenSystem, task: Task, mean: float) -> OpenSystem:
    """Return the system with the probes at the mean potential and a temperature of that order."""
    potentials, warmth = terminal_potentials(system), terminal_temperatures(system)
    given = np.setdiff1d(np.arange(potentials.size), task.potentials)
    potentials[task.potentials] = mean
    # A probe in the middle of a bias V between leads at T has T^2 + 3 V^2 / (4 pi^2).
    bias = np.ptp(potentials[given])
    middle = np.sqrt(np.mean(warmth[given] ** 2) + 3 * bias**2 / (4 * np.pi**2))
    warmth[task.heats] = middle if middle > 0 else 0.01
    return moved(system, potentials, warmth)


def _newton(system: OpenSystem, task: Task, rtol: float, poles: np.ndarray) -> tuple | None:
    """Return system, currents, errors, derivatives, steps and convergence, or None."""
    count = len(system.terminals)
    rows = np.concatenate([task.potentials, count + np.arange(task.heats.size)]).astype(int)
    value, error, converged = flows(system, task.heats, rtol, poles)
    for steps in range(_MAX_STEPS):
        left = task.demanded - value[rows]
        slope = jacobian(system, task, poles, value, rtol)
        error[rows] += _rounding(system, task, slope[rows])
        if (abs(left) <= 2 * error[rows]).all():
            return (system, value, error, slope, steps, converged)
        try:
            step = np.linalg.solve(slope[rows], left)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all() or _is_too_much(system, task, rtol, poles, step):
            return None
        better = _line_search(system, task, rtol, poles, step, rows, left)
        shorter = _in_tail(system, task, step)
        if better is None and (shorter != step).any():
            better = _line_search(system, task, rtol, poles, shorter, rows, left)
        if better is None:
            near = (abs(left) <= 16 * error[rows]).all()
            return (system, value, error, slope, steps, converged) if near else None
        system, value, error, converged = better
    return None


def _is_too_much(
    system: OpenSystem, task: Task, rtol: float, poles: np.ndarray, step: np.ndarray
) -> bool:
    """Return whether a step that leaves the bands of cold probes shows that there is no solution.

    Let mu be the potentials after the step, clipped to the bands, S the probes that it fills to
    the top of theirs, and mu' a solution.  From mu' to the larger of both, probe by probe, the sum
    of all probes' currents rises.  Those that stay at mu' then send no more than demanded, since
    only others rose; those that stay at mu, S among them, no more than at mu.  So

        0 <= sum_S (I - demanded) + sum_{not S} max(I - demanded, 0)      at mu,

    if there is a solution.  The same holds of emptied bands with all signs turned.
    """
    potentials, p = terminal_potentials(system), task.potentials
    low, high = terminal_bands(system)[p].T
    wanted, cold = potentials[p] + step[: p.size], terminal_temperatures(system)[p] == 0
    ends = cold & (wanted >= high), cold & (wanted <= low)
    if task.heats.size or not np.any(ends):
        return False
    potentials[p] = np.where(cold, np.clip(wanted, low, high), wanted)
    value, error, _ = flows(moved(system, potentials), task.heats, rtol, poles)
    excess = value[p] - task.demanded
    return any(
        (sign * excess[these]).sum() + np.maximum(sign * excess[~these], 0.0).sum()
        < -error[p].sum()
        for these, sign in zip(ends, (1, -1), strict=True)
        if these.any()
    )


def _rounding(system: OpenSystem, task: Task, slope: np.ndarray) -> np.ndarray:
    """Return what the rounding of the unknowns changes the currents by."""
    unknown = [terminal_potentials(system)[task.potentials]]
    unknown.append(terminal_temperatures(system)[task.heats])
    return abs(slope) @ (4 * np.finfo(float).eps * abs(np.concatenate(unknown)))


def _in_tail(system: OpenSystem, task: Task, step: np.ndarray) -> np.ndarray:
    """Return the step that is Newton's in ``exp(mu / T)``, where that is what a probe sends.

    Far from the states that it exchanges with a potential hardly matters, and Newton's step for it
    is too long by orders of magnitude.
    """
    p, step = task.potentials.size, step.copy()
    warmth = terminal_temperatures(system)[task.potentials]
    warm = warmth > 0
    change, unit = step[:p][warm], warmth[warm]
    step[:p][warm] = np.sign(change) * unit * np.log1p(abs(change) / unit)
    return step


def _line_search(
    system: OpenSystem,
    task: Task,
    rtol: float,
    poles: np.ndarray,
    step: np.ndarray,
    rows: np.ndarray,
    left: np.ndarray,
) -> tuple | None:
    """Return the first of ever shorter steps that comes nearer to the demanded currents."""
    length = 1.0
    while length > _SHORTEST:
        trial = _stepped(system, task, length * step)
        value, error, converged = flows(trial, task.heats, rtol, poles)
        now = np.linalg.norm(task.demanded - value[rows])
        if now < (1 - 1e-3 * length) * np.linalg.norm(left):
            return trial, value, error, converged
        length *= 0.5
    return None


def _stepped(system: OpenSystem, task: Task, step: np.ndarray) -> OpenSystem:
    """Return the system after a step, kept within the leads' bands and at positive temperatures."""
    p = task.potentials.size
    potentials, warmth = terminal_potentials(system), terminal_temperatures(system)
    bands = terminal_bands(system)
    furthest = _FURTHEST * (energy_scale(system) + warmth.max())
    for a, change in zip(task.potentials, np.clip(step[:p], -furthest, furthest), strict=True):
        new = potentials[a] + change
        if warmth[a] == 0:
            low, high = bands[a]
            # Not on the edge itself, where nothing responds to a change any more.
            new = min(max(new, 0.9 * low + 0.1 * potentials[a]), 0.9 * high + 0.1 * potentials[a])
        potentials[a] = new
    wanted = warmth[task.heats] + step[p:]
    warmth[task.heats] = np.clip(wanted, warmth[task.heats] / 3, 3 * warmth[task.heats])
    return moved(system, potentials, warmth)


def _continued(
    system: OpenSystem, task: Task, mean: float, rtol: float, poles: np.ndarray
) -> tuple:
    """Return what `_newton` does, with biases and currents raised from zero step by step."""
    given_mu, given_t = terminal_potentials(system), terminal_temperatures(system)

    def scaled(part: float, solved: OpenSystem) -> tuple[OpenSystem, Task]:
        potentials, warmth = terminal_potentials(solved), terminal_temperatures(solved)
        given = np.setdiff1d(np.arange(potentials.size), task.potentials)
        potentials[given] = mean + part * (given_mu[given] - mean)
        keep = np.setdiff1d(np.arange(potentials.size), task.heats)
        warmth[keep] = given_t[keep]
        return moved(solved, potentials, warmth), Task(
            task.potentials, task.heats, part * task.demanded
        )

    part, step, last = 0.0, 1 / 8, _guess(system, task, mean)
    found: Any = (
        _newton(*scaled(0.0, last), rtol, poles) if system.loss.any() or system.gain.any() else 0
    )
    if found is None:
        raise NoSolution(
            "Newton's method finds no chemical potentials of the probes even without bias and "
            "demanded currents"
        )
    previous = last
    while part < 1:
        found = _newton(*scaled(min(part + step, 1.0), last), rtol, poles)
        if found is None:
            step /= 2
            if step < _SHORTEST:
                raise NoSolution(_where_it_ends(previous, last, task, part))
            continue
        previous, last = last, found[0]
        part, step = min(part + step, 1.0), 2 * step
    return found


def _where_it_ends(previous: OpenSystem, last: OpenSystem, task: Task, part: float) -> str:
    if part == 0:
        return (
            "no chemical potentials of the probes give the demanded currents, not even a small "
            "part of them at as small a bias: some probe exchanges nothing with states that could "
            "carry its current"
        )
    change = abs(terminal_potentials(last) - terminal_potentials(previous))[task.potentials]
    worst = int(np.argmax(change))
    terminal = last.terminals[task.potentials[worst]]
    demanded = task.demanded[worst]
    reason = (
        f"probe {terminal.name!r} is to carry {demanded:.6g}, at most {part * demanded:.6g} flows"
        if demanded != 0
        else f"the chemical potential of probe {terminal.name!r} leaves the band"
    )
    return (
        f"no chemical potentials of the probes give the demanded currents: {reason}, raising "
        f"biases and demanded currents together ends at {100 * part:.4g} % of them, with its "
        f"chemical potential at {terminal.chemical_potential:.6g}"
    )


def _check_capacity(system: OpenSystem, task: Task, poles: np.ndarray) -> None:
    """Raise NoSolution where a probe is to carry more than if all others were empty, or full."""
    largest, smallest = probe_capacity(system, poles)
    for a, demanded in zip(task.potentials, task.demanded[: task.potentials.size], strict=True):
        bound = largest[a] if demanded > 0 else smallest[a]
        if abs(demanded) > abs(bound):
            raise NoSolution(
                f"probe {system.terminals[a].name!r} is to carry the current {demanded:.6g}, its "
                f"bands carry {bound:.6g} at most"
            )


def probe_capacity(
    system: OpenSystem, poles: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest and the smallest current that each terminal could carry.

    The terminal full and all others empty, and the other way round.

    Parameters
    ----------
    system : OpenSystem
        The system; its chemical potentials do not matter.
    poles : (p,) complex array, optional
        `known_poles` of the system, where they were computed before.

    Returns
    -------
    largest, smallest : (t,) float
        From the terminal into the system, in t/hbar.
    """
    of = system.terminal_of_lead
    same = [np.flatnonzero(of == a) for a in range(len(system.terminals))]

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma = lead_broadening(system, energies)
        nothing = np.zeros_like(gamma)
        sources = [Source(gamma, loss=1.0, gain=1.0), Source(nothing, 1.0), Source(nothing, 0, 1.0)]
        found = gamma * lead_sums(system, energies, sources)
        total, loss, gain = (by_terminal(system, part) for part in found)
        # What comes back into the terminal that it came from, from any of its leads.
        back = np.empty_like(total)
        green = green_between(system, energies)
        for a, mine in enumerate(same):
            block = green[:, mine][:, :, mine]
            back[a] = np.einsum("ae,eab,be->e", gamma[mine], abs(block) ** 2, gamma[mine])
        values = np.concatenate([total - back - gain, -(total - back - loss)])
        return values, np.concatenate([total + back + gain, total + back + loss])

    found = integrated(system, integrand, 1e-6, poles, everywhere=True)
    one, other = found.value.reshape(2, -1)
    return one, other
