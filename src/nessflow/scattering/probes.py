"""Probes: terminals whose chemical potential, perhaps temperature, follows from their currents.

A voltage probe draws no current, a source or drain injects or draws a given one, a temperature
probe has a given heat current (usually none) as well.  As in Buettiker's model of inelastic
scattering, a probe fixes its current and not the energy of a particle that comes back.

The current of terminal a never rises with another chemical potential, ``dI_a/dmu_b <= 0``, and
always with its own by more than with all others together where a lead of given potential is in
reach.  So the chemical potentials of probes of given temperature are unique where they exist, and
Newton's method with the exact derivatives

    dI_a/dmu_b = int dw/2pi [delta_ab Gamma_a A_aa - T_ab] (-df_b/dw)

finds them; at temperature 0, ``-df/dw`` is a delta function and the integral one transmission.
Paper nonreciprocal-gain-loss solves the first order of this, (B26) with n = 1, about the mean potential.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nessflow.scattering.matrices import diagonal
from nessflow.scattering.mesh import energy_mesh, known_poles
from nessflow.scattering.occupation import fermi, fermi_holes
from nessflow.scattering.pairwise import (
    Source,
    in_batches,
    lead_broadening,
    lead_sites,
    site_sums,
    transmission_sum,
)
from nessflow.scattering.system import OpenSystem
from nessflow.scattering.terminal_flows import (
    Occupations,
    chemical_potentials,
    fermi_occupations,
    integrated,
    lead_flow,
    temperatures,
    with_occupations,
)

_EPSILON = np.finfo(float).eps
_MAX_STEPS = 60
_SHORTEST = 2.0**-10
"""Fraction of a Newton step, or of bias and currents, below which there is no way on."""


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


@dataclass(frozen=True, eq=False)
class ProbeSolution:
    """Chemical potentials, temperatures and currents of all terminals but loss and gain.

    Attributes
    ----------
    system : OpenSystem
        The system, its leads at the solved chemical potentials and temperatures.
    terminals : tuple of str
        Names.
    chemical_potential, chemical_potential_error : (t,) float
        In t.  The error is what the errors of the currents and what is left of the residual
        change it by.
    temperature, temperature_error : (t,) float
        In t.
    particle_current, particle_current_error : (t,) float
        From each terminal into the system, in t/hbar.
    residual : float
        Largest departure of a current from the demanded one.
    converged : bool
        Whether the residual is within the errors of the integrals.
    iterations : int
        Newton steps.
    """

    system: OpenSystem
    terminals: tuple[str, ...]
    chemical_potential: np.ndarray
    chemical_potential_error: np.ndarray
    temperature: np.ndarray
    temperature_error: np.ndarray
    particle_current: np.ndarray
    particle_current_error: np.ndarray
    residual: float
    converged: bool
    iterations: int


# --- what is asked for ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Task:
    """Which terminals are probes, as places among the terminals, and what they are to carry."""

    potentials: np.ndarray
    """Probes, (p,) int."""
    heats: np.ndarray
    """Probes of unknown temperature, (q,) int."""
    demanded: np.ndarray
    """Particle currents, then heat currents, (p + q,) float."""


def _by_terminal(system: OpenSystem, values: np.ndarray) -> np.ndarray:
    """Return the sums over the leads of each terminal, (l, ...) to (t, ...)."""
    if len(system.terminals) == len(system.leads):
        return values
    result = np.zeros((len(system.terminals), *values.shape[1:]))
    np.add.at(result, system.terminal_of_lead, values)
    return result


def _pairs_by_terminal(system: OpenSystem, matrix: np.ndarray) -> np.ndarray:
    return _by_terminal(system, _by_terminal(system, matrix).T).T


def _terminal_potentials(system: OpenSystem) -> np.ndarray:
    return np.array([terminal.chemical_potential for terminal in system.terminals])


def _terminal_temperatures(system: OpenSystem) -> np.ndarray:
    return np.array([terminal.temperature for terminal in system.terminals])


def _task(system: OpenSystem, probes: Sequence[Probe]) -> _Task:
    names = [terminal.name for terminal in system.terminals]
    for probe in probes:
        if probe.name not in names:
            raise ValueError(f"probe {probe.name!r} is no terminal of the system")
        _check_probe(system, probe, system.terminals[names.index(probe.name)].channels)
    if len({probe.name for probe in probes}) < len(probes):
        raise ValueError("two probes are the same terminal")
    if len(probes) == len(names):
        raise ValueError(
            "every terminal is a probe: chemical potentials are only fixed relative to a lead of "
            "given chemical potential, the system needs one"
        )
    warm = [probe for probe in probes if probe.heat_current is not None]
    return _Task(
        np.array([names.index(probe.name) for probe in probes], int),
        np.array([names.index(probe.name) for probe in warm], int),
        np.array([x.current for x in probes] + [x.heat_current for x in warm], float),
    )


def _check_probe(system: OpenSystem, probe: Probe, channels: Sequence[int]) -> None:
    leads = [system.leads[a] for a in channels]
    couplings = [getattr(lead, "coupling", getattr(lead, "broadening", 1.0)) for lead in leads]
    if not any(couplings):
        raise ValueError(
            f"probe {probe.name!r} is not coupled to the system (coupling or broadening 0), its "
            "current is always 0 and fixes no chemical potential"
        )
    if not np.isfinite([probe.current, probe.heat_current or 0.0]).all():
        raise ValueError(f"probe {probe.name!r}: the demanded current must be finite")
    if probe.heat_current is None:
        return
    rates = diagonal(system.loss) + diagonal(system.gain)
    for lead in leads:
        if not np.isfinite(lead.band[0]) and rates[lead.site] > 0:
            raise ValueError(
                f"probe {probe.name!r} has no finite heat current: its band never ends and site "
                f"{lead.site + 1} has loss or gain, so that the energy integral diverges; "
                "give its temperature, or make it a semi-infinite chain"
            )


def _moved(
    system: OpenSystem, potentials: np.ndarray, warmth: np.ndarray | None = None
) -> OpenSystem:
    """Return the system with terminals at given chemical potentials and temperatures, (t,)."""
    of_lead = system.terminal_of_lead
    warmth = _terminal_temperatures(system) if warmth is None else warmth
    return with_occupations(system, potentials[of_lead], warmth[of_lead])


# --- currents and their derivatives ---------------------------------------------------------------


def _flows(
    system: OpenSystem,
    heats: np.ndarray,
    rtol: float,
    poles: np.ndarray,
    occupations: Occupations | None = None,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return all particle currents, then the heat currents of some terminals, with errors."""
    occupations = occupations or fermi_occupations(system)
    potentials = _terminal_potentials(system)

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = (_by_terminal(system, x) for x in lead_flow(system, occupations, energies))
        value, size = parts
        distance = energies - potentials[heats, None]
        return (
            np.concatenate([value, distance * value[heats]]),
            np.concatenate([size, abs(distance) * size[heats]]),
        )

    found = integrated(system, integrand, rtol, poles)
    return found.value, found.error, found.converged


def _slopes(system: OpenSystem, poles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return energies and the weights at them of the integrals with ``-df/dw`` and ``df/dT``.

    (E,), (l, E), (l, E).  A lead at temperature 0 has its chemical potential alone.
    """
    mu, warmth = chemical_potentials(system), temperatures(system)
    cold = np.flatnonzero(warmth == 0)
    steps, place = np.unique(mu[cold], return_inverse=True)
    nodes, lengths = np.empty(0), np.empty(0)
    if cold.size < mu.size:
        from nessflow.scattering.quadrature import KRONROD

        nodes, slope = energy_mesh(system, poles=poles).panels.nodes()
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


def _responses(
    system: OpenSystem, energies: np.ndarray, weights: np.ndarray, to: np.ndarray
) -> np.ndarray:
    """Return ``sum_e to_a [delta_ab Gamma_a A_aa - T_ab] weights_b`` between terminals, (t, t)."""

    def escape(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma = lead_broadening(system, part)
        found, _ = site_sums(system, part, [Source(gamma, loss=1.0, gain=1.0)])
        rates = gamma * found[0].T[lead_sites(system)]
        return rates, rates

    rates, _ = in_batches(system, escape)(energies)
    matrix = np.diag((to * rates * weights).sum(axis=1))
    return _pairs_by_terminal(system, matrix - transmission_sum(system, energies, to, weights))


def conductance_matrix(system: OpenSystem) -> np.ndarray:
    """Return ``dI_a/dmu_b`` of all terminals but loss and gain, (t, t), in 1/hbar.

    Its rows add up to zero without loss and gain, its columns always do with those of loss and
    gain added.
    """
    poles = _poles_if_warm(system)
    energies, weights, _ = _slopes(system, poles)
    return _responses(system, energies, weights, np.ones_like(weights))


def _poles_if_warm(system: OpenSystem) -> np.ndarray:
    """Return the poles by which integrals are graded; none where nothing is integrated."""
    integrals = temperatures(system).any() or system.loss.any() or system.gain.any()
    return known_poles(system) if integrals else np.empty(0, complex)


def _jacobian(
    system: OpenSystem, task: _Task, poles: np.ndarray, currents: np.ndarray
) -> np.ndarray:
    """Return the derivatives of particle and heat currents, (t + q, p + q)."""
    energies, by_potential, by_temperature = _slopes(system, poles)
    potentials = _terminal_potentials(system)
    one = np.ones_like(by_potential)
    rows = [_columns(system, task, energies, by_potential, by_temperature, one)]
    if task.heats.size:
        distance = energies - chemical_potentials(system)[:, None]
        heat = _columns(system, task, energies, by_potential, by_temperature, distance)[task.heats]
        for k, a in enumerate(task.heats):
            heat[k, np.flatnonzero(task.potentials == a)] -= currents[a]
        rows.append(heat)
    assert potentials.size == rows[0].shape[0]
    return np.concatenate(rows)


def _columns(system, task, energies, by_potential, by_temperature, to) -> np.ndarray:
    parts = [_responses(system, energies, by_potential, to)[:, task.potentials]]
    if task.heats.size:
        parts.append(_responses(system, energies, by_temperature, to)[:, task.heats])
    return np.concatenate(parts, axis=1)


# --- linear response ------------------------------------------------------------------------------


def mean_chemical_potential(system: OpenSystem, probes: Sequence[Probe]) -> float:
    """Return the middle between the highest and the lowest given chemical potential."""
    names = {probe.name for probe in probes}
    given = [x.chemical_potential for x in system.terminals if x.name not in names]
    return 0.5 * (max(given) + min(given))


def linear_probes(
    system: OpenSystem, probes: Sequence[Probe], rtol: float = 1e-10
) -> ProbeSolution:
    """Return the probes in linear response about the mean of the given chemical potentials.

    Paper nonreciprocal-gain-loss, (B26) with n = 1; at finite temperature the transmissions are averaged with
    ``-df/dw``.

    Parameters
    ----------
    system : OpenSystem
        All leads at one temperature; the probes' chemical potentials are not used.
    probes : sequence of Probe
        Without heat currents.
    rtol : float
        Error over value aimed at, for the currents without bias (loss and gain) and for the
        thermal averages.

    Raises
    ------
    ValueError
        When temperatures differ, a probe has a heat current or does not fit the system, or every
        terminal is a probe.
    """
    task = _task(system, probes)
    if task.heats.size:
        raise ValueError("in linear response probes have a given temperature; solve them exactly")
    warmth = np.unique(temperatures(system))
    if warmth.size > 1:
        raise ValueError(
            f"linear response needs leads of one temperature, got {warmth[0]:g} to {warmth[-1]:g}"
        )
    mean = mean_chemical_potential(system, probes)
    bias = _terminal_potentials(system) - mean
    fixed = np.setdiff1d(np.arange(bias.size), task.potentials)
    common = _moved(system, np.full(bias.size, mean))
    poles = _poles_if_warm(common)
    start, start_error = np.zeros((2, bias.size))
    converged = True
    if system.loss.any() or system.gain.any():
        start, start_error, converged = _flows(common, task.heats[:0], rtol, poles)
    energies, weights, _ = _slopes(common, poles)
    response = _responses(common, energies, weights, np.ones_like(weights))
    inside = response[np.ix_(task.potentials, task.potentials)]

    def currents(bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if warmth[0] == 0:
            size = abs(response) @ abs(bias)
            return start + response @ bias, start_error + 8 * _EPSILON * size
        change, error, fine = _flows(common, task.heats[:0], rtol, poles, _linear(common, bias))
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
    linear = _moved(common, mean + bias)
    return _solution(linear, task, value, error, response[:, task.potentials], converged, steps)


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


def _solved(
    matrix: np.ndarray, right: np.ndarray, system: OpenSystem, task: _Task
) -> np.ndarray:
    try:
        found = np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        found = np.full(right.shape, np.nan)
    if right.size and not (np.isfinite(found).all() and np.linalg.cond(matrix, 1) < 1e15):
        weakest = task.potentials[np.argmin(abs(np.diag(matrix))[: task.potentials.size])]
        raise NoSolution(
            f"probe {system.terminals[weakest].name!r} carries no current at its chemical "
            "potential, which lies outside the bands or exchanges nothing with the given leads"
        )
    return found


def _solution(
    system: OpenSystem,
    task: _Task,
    value: np.ndarray,
    error: np.ndarray,
    jacobian: np.ndarray,
    converged: bool,
    iterations: int,
) -> ProbeSolution:
    count, p = len(system.terminals), task.potentials.size
    rows = np.concatenate([task.potentials, count + np.arange(task.heats.size)]).astype(int)
    left = value[rows] - task.demanded
    inverse = abs(np.linalg.inv(jacobian[rows]))
    uncertain = inverse @ (error[rows] + abs(left))
    # A demanded current is what it is; what a chemical potential may be off by moves the others.
    given = np.setdiff1d(np.arange(count), task.potentials)
    current_error = error[:count] + 0.0
    current_error[given] += abs(jacobian[given]) @ uncertain
    current_error[task.potentials] += abs(left[:p])
    potential_error, temperature_error = np.zeros((2, count))
    potential_error[task.potentials] = uncertain[:p]
    temperature_error[task.heats] = uncertain[p:]
    mu, warmth = _terminal_potentials(system), _terminal_temperatures(system)
    return ProbeSolution(
        system,
        tuple(terminal.name for terminal in system.terminals),
        mu,
        potential_error + _EPSILON * abs(mu),
        warmth,
        temperature_error,
        value[:count],
        current_error,
        float(abs(left).max(initial=0.0)),
        converged and bool((abs(left) <= 16 * error[rows]).all()),
        iterations,
    )


# --- exact solution -------------------------------------------------------------------------------


def solve_probes(system: OpenSystem, probes: Sequence[Probe], rtol: float = 1e-10) -> ProbeSolution:
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

    Raises
    ------
    NoSolution
        When a probe is to carry more than it can.
    ValueError
        When a probe does not fit the system, or every terminal is a probe.

    Notes
    -----
    If Newton's method fails from the mean chemical potential, biases and demanded currents are
    raised together from zero, in steps that adapt.
    """
    task, poles = _task(system, probes), known_poles(system)
    mean = mean_chemical_potential(system, probes)
    start = _guess(system, task, mean)
    found = _newton(start, task, rtol, poles)
    if found is None:
        _check_capacity(start, task, poles)
        found = _continued(system, task, mean, rtol, poles)
    solved, value, error, jacobian, steps, converged = found
    return _solution(solved, task, value, error, jacobian, converged, steps)


def _guess(system: OpenSystem, task: _Task, mean: float) -> OpenSystem:
    """Return the system with the probes at the mean potential and a temperature of that order."""
    potentials, warmth = _terminal_potentials(system), _terminal_temperatures(system)
    given = np.setdiff1d(np.arange(potentials.size), task.potentials)
    potentials[task.potentials] = mean
    # A probe in the middle of a bias V between leads at T has T^2 + 3 V^2 / (4 pi^2).
    bias = np.ptp(potentials[given])
    middle = np.sqrt(np.mean(warmth[given] ** 2) + 3 * bias**2 / (4 * np.pi**2))
    warmth[task.heats] = middle if middle > 0 else 0.01
    return _moved(system, potentials, warmth)


def _newton(system: OpenSystem, task: _Task, rtol: float, poles: np.ndarray) -> tuple | None:
    """Return system, currents, errors, derivatives, steps and convergence, or None."""
    count = len(system.terminals)
    rows = np.concatenate([task.potentials, count + np.arange(task.heats.size)]).astype(int)
    value, error, converged = _flows(system, task.heats, rtol, poles)
    for steps in range(_MAX_STEPS):
        left = task.demanded - value[rows]
        jacobian = _jacobian(system, task, poles, value)
        if (abs(left) <= 2 * error[rows]).all():
            return (system, value, error, jacobian, steps, converged)
        try:
            step = np.linalg.solve(jacobian[rows], left)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        better = _line_search(system, task, rtol, poles, step, rows, left)
        if better is None:
            near = (abs(left) <= 16 * error[rows]).all()
            return (system, value, error, jacobian, steps, converged) if near else None
        system, value, error, converged = better
    return None


def _line_search(system, task, rtol, poles, step, rows, left) -> tuple | None:
    """Return the first of ever shorter steps that comes nearer to the demanded currents."""
    length = 1.0
    while length > _SHORTEST:
        trial = _stepped(system, task, length * step)
        value, error, converged = _flows(trial, task.heats, rtol, poles)
        now = np.linalg.norm(task.demanded - value[rows])
        if now < (1 - 1e-3 * length) * np.linalg.norm(left):
            return trial, value, error, converged
        length *= 0.5
    return None


def _stepped(system: OpenSystem, task: _Task, step: np.ndarray) -> OpenSystem:
    """Return the system after a step, kept within the leads' bands and at positive temperatures."""
    p = task.potentials.size
    potentials, warmth = _terminal_potentials(system), _terminal_temperatures(system)
    for a, change in zip(task.potentials, step[:p], strict=True):
        new = potentials[a] + change
        if warmth[a] == 0:
            bands = [system.leads[k].band for k in system.terminals[a].channels]
            low, high = min(x[0] for x in bands), max(x[1] for x in bands)
            # Not on the edge itself, where nothing responds to a change any more.
            new = min(max(new, 0.9 * low + 0.1 * potentials[a]), 0.9 * high + 0.1 * potentials[a])
        potentials[a] = new
    wanted = warmth[task.heats] + step[p:]
    warmth[task.heats] = np.clip(wanted, warmth[task.heats] / 3, 3 * warmth[task.heats])
    return _moved(system, potentials, warmth)


def _continued(
    system: OpenSystem, task: _Task, mean: float, rtol: float, poles: np.ndarray
) -> tuple:
    """Return what `_newton` does, with biases and currents raised from zero step by step."""
    given_mu, given_t = _terminal_potentials(system), _terminal_temperatures(system)

    def scaled(part: float, solved: OpenSystem) -> tuple[OpenSystem, _Task]:
        potentials, warmth = _terminal_potentials(solved), _terminal_temperatures(solved)
        given = np.setdiff1d(np.arange(potentials.size), task.potentials)
        potentials[given] = mean + part * (given_mu[given] - mean)
        keep = np.setdiff1d(np.arange(potentials.size), task.heats)
        warmth[keep] = given_t[keep]
        return _moved(solved, potentials, warmth), _Task(
            task.potentials, task.heats, part * task.demanded
        )

    part, step, last = 0.0, 1 / 8, _guess(system, task, mean)
    found = (
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


def _where_it_ends(previous: OpenSystem, last: OpenSystem, task: _Task, part: float) -> str:
    change = abs(_terminal_potentials(last) - _terminal_potentials(previous))[task.potentials]
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


def _check_capacity(system: OpenSystem, task: _Task, poles: np.ndarray) -> None:
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
    """Return the largest and the smallest current that each terminal could carry, (t,) each.

    The terminal full and all others empty, and the other way round, in t/hbar.
    """
    at, of = lead_sites(system), system.terminal_of_lead
    same = [np.flatnonzero(of == a) for a in range(len(system.terminals))]

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from nessflow.scattering.pairwise import green_between

        gamma = lead_broadening(system, energies)
        nothing = np.zeros_like(gamma)
        sources = [Source(gamma, loss=1.0, gain=1.0), Source(nothing, 1.0), Source(nothing, 0, 1.0)]
        found, _ = site_sums(system, energies, sources)
        total, loss, gain = (_by_terminal(system, gamma * part.T[at]) for part in found)
        # What comes back into the terminal that it came from, from any of its leads.
        back = np.empty_like(total)
        green = green_between(system, energies)
        for a, mine in enumerate(same):
            block = green[:, mine][:, :, mine]
            back[a] = np.einsum("ae,eab,be->e", gamma[mine], abs(block) ** 2, gamma[mine])
        values = np.concatenate([total - back - gain, -(total - back - loss)])
        return values, np.concatenate([total + back + gain, total + back + loss])

    found = integrated(system, integrand, 1e-6, poles, everywhere=True)
    return tuple(found.value.reshape(2, -1))
