"""Probes to third order in the biases at temperature 0, with all real solutions.

About a mean potential the current of terminal a is, (B26) of paper nonreciprocal-gain-loss,

    I_a = I_a(mean) + (1/2 pi) sum_b sum_n K_ab^(n-1) x_b^n / n!,    n = 1, 2, 3,

with ``K_ab = delta_ab Gamma_a A_aa - T_ab``, its derivatives with respect to the energy, and the
potentials ``x_b`` from the mean.  The derivatives are exact: ``dG/dw = -G (1 - dSigma/dw) G``.
Demanded currents of the probes then are cubic equations, (B35), with several solutions; the one
that goes to zero with biases and currents is the physical one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nessflow.probes.derivatives import flows
from nessflow.probes.problem import (
    NoSolution,
    Probe,
    ProbeSolution,
    mean_chemical_potential,
    moved,
    solution,
    task_of,
)
from nessflow.probes.validity import current_change, validity
from nessflow.scattering.terminal_flows import pairs_by_terminal, temperatures, terminal_potentials
from nessflow.solvers.dark_states import bright_damping_matrix
from nessflow.spectrum.mesh import known_poles
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.leads.lead import listed_bands
from nessflow.systems.system import OpenSystem, require_alone

_EPSILON = np.finfo(float).eps
_SMALL = 1e-3
"""Potentials from the mean, in t, that are known to rounding of this number at least."""
_SHORTEST = 2.0**-16
"""Part of biases and currents below which the physical solution cannot be followed."""


@dataclass(frozen=True, eq=False)
class ExpansionSolution:
    """Solutions to third order.

    Attributes
    ----------
    physical : ProbeSolution or None
        The solution that goes to zero with biases and demanded currents; None where it ends
        before they reach their values.
    roots : (r, p) float or None
        Chemical potentials of the probes in all real solutions, in t; None for more than two
        probes, of which the physical solution alone is searched.
    currents : (r, t) float or None
        Particle currents of all terminals in these solutions, in t/hbar.
    physical_root : int or None
        Which of the roots the physical one is.
    """

    physical: ProbeSolution | None
    roots: np.ndarray | None
    currents: np.ndarray | None
    physical_root: int | None


# --- derivatives ----------------------------------------------------------------------------------


def _require_states(system: OpenSystem, energy: float) -> None:
    """Check that each terminal has states at an energy, and no channel the edge of its band."""
    for terminal in system.terminals:
        models = [system.leads[a].model for a in terminal.channels]
        inside = any(model.has_states(energy) for model in models)
        if not inside or any(energy in model.edges for model in models):
            bands = " and ".join(dict.fromkeys(map(listed_bands, models)))
            raise NoSolution(
                f"lead {terminal.name!r} has no states at the mean chemical potential {energy:g}, "
                f"its band is {bands}: nothing can be expanded about there"
            )


def _product(first: Any, second: Any) -> list:
    """Return value and two derivatives of a product from those of its factors."""
    (a, a1, a2), (b, b1, b2) = first, second
    return [a * b, a1 * b + a * b1, a2 * b + 2 * a1 * b1 + a * b2]


def conductance_derivatives(system: OpenSystem, energy: float) -> np.ndarray:
    """Return ``K_ab = delta_ab Gamma_a A_aa - T_ab`` and its first two derivatives, (3, t, t).

    Parameters
    ----------
    system : OpenSystem
        The system; O(N^3).
    energy : float
        Inside the bands of all leads, in t.

    Returns
    -------
    (3, t, t) float array
        In 1, 1/t and 1/t^2; times 1/2 pi they are conductances in 1/hbar.

    Raises
    ------
    ValueError
        When a lead has no states at that energy.
    """
    _require_states(system, energy)
    for lead in system.leads:
        require_alone(lead)
    contacts, one = system.coupling, np.eye(system.sites)
    sigma = np.array([lead.model.derivatives(energy) for lead in system.leads]).T
    whole = np.zeros((3, system.sites, system.sites), complex)
    whole[:, *contacts.elements] = contacts.summed(sigma.T).T
    green = np.linalg.inv(energy * one - bright_damping_matrix(system) - whole[0])
    slope, bend = one - whole[1], -whole[2]
    first = -green @ slope @ green
    second = -2 * first @ slope @ green - green @ bend @ green
    v = contacts.columns(system.sites)[:, contacts.of_lead]
    g, g1, g2 = (v.conj().T @ matrix @ v for matrix in (green, first, second))
    gamma = -2 * sigma.imag
    square = [abs(g) ** 2, 2 * (g.conj() * g1).real, 2 * (abs(g1) ** 2 + (g.conj() * g2).real)]
    pairs = _product(_product(gamma[:, :, None], square), gamma[:, None])
    local = _product(gamma, [-2 * np.diag(matrix).imag for matrix in (g, g1, g2)])
    both = zip(local, pairs, strict=True)
    return np.array([pairs_by_terminal(system, np.diag(d) - p) for d, p in both])


# --- cubic equations ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Cubic:
    """``I_a = start_a + sum_nb coefficients_nab x_b^n``, n = 1, 2, 3."""

    start: np.ndarray
    coefficients: np.ndarray

    def currents(self, x: np.ndarray) -> np.ndarray:
        return self.start + sum(c @ x**n for n, c in enumerate(self.coefficients, 1))

    def size(self, x: np.ndarray) -> np.ndarray:
        return sum(abs(c) @ abs(x) ** n for n, c in enumerate(self.coefficients, 1))

    def derivatives(self, x: np.ndarray) -> np.ndarray:
        return sum(n * c * x ** (n - 1) for n, c in enumerate(self.coefficients, 1))


def _newton(cubic: _Cubic, x: np.ndarray, probes: np.ndarray, demanded: np.ndarray) -> Any:
    """Return the solution that Newton's method leads to from x, or None."""
    x = x.copy()
    with np.errstate(all="ignore"):
        for _ in range(100):
            left = demanded - cubic.currents(x)[probes]
            matrix = cubic.derivatives(x)[np.ix_(probes, probes)]
            try:
                step = np.linalg.solve(matrix, left)
            except np.linalg.LinAlgError:
                return None
            if not np.isfinite(step).all():
                return None
            x[probes] += step
            if (abs(step) <= 4 * _EPSILON * (_SMALL + abs(x[probes]))).all():
                break
        left = demanded - cubic.currents(x)[probes]
        size = cubic.size(_SMALL + abs(x)) + abs(cubic.start)
        fits = abs(left) <= 64 * _EPSILON * size[probes]
    return x if fits.all() else None


def _followed(
    cubic: _Cubic, bias: np.ndarray, probes: np.ndarray, demanded: np.ndarray
) -> np.ndarray | None:
    """Return the solution that starts at zero as biases and currents are raised, or None."""
    given = np.setdiff1d(np.arange(bias.size), probes)
    part, step = 0.0, 0.125
    last = np.zeros_like(bias)
    if cubic.start[probes].any():
        last = _newton(cubic, last, probes, np.zeros_like(demanded))
        if last is None:
            return None
    while part < 1:
        now = min(part + step, 1.0)
        trial = _predicted(cubic, last, now - part, bias, probes, demanded)
        trial[given] = now * bias[given]
        found = _newton(cubic, trial, probes, now * demanded)
        if found is None or not _near(found, trial, last, probes):
            step /= 2
            if step < _SHORTEST:
                return None
            continue
        last, part = found, now
        step *= 1.5
    return last


def _predicted(
    cubic: _Cubic,
    x: np.ndarray,
    change: float,
    bias: np.ndarray,
    probes: np.ndarray,
    demanded: np.ndarray,
) -> np.ndarray:
    """Return x after a step along the tangent of the solution."""
    matrix = cubic.derivatives(x)
    given = np.setdiff1d(np.arange(x.size), probes)
    rate = demanded - matrix[np.ix_(probes, given)] @ bias[given]
    x = x.copy()
    x[probes] += change * np.linalg.lstsq(matrix[np.ix_(probes, probes)], rate)[0]
    return x


def _near(found: np.ndarray, trial: np.ndarray, last: np.ndarray, probes: np.ndarray) -> bool:
    """Return whether a corrected step stayed on its branch."""
    correction = np.linalg.norm((found - trial)[probes])
    return correction <= 0.5 * np.linalg.norm(found - last) + 1e-12


# --- all real solutions ---------------------------------------------------------------------------


def _real_roots(
    cubic: _Cubic, bias: np.ndarray, probes: np.ndarray, demanded: np.ndarray
) -> np.ndarray:
    """Return all real solutions for one or two probes, (r, t) potentials from the mean."""
    given = np.setdiff1d(np.arange(bias.size), probes)
    fixed = np.where(np.isin(np.arange(bias.size), given), bias, 0.0)
    constant = (cubic.currents(fixed))[probes] - demanded
    # rows[i][b]: polynomial, highest power first, of probe b in the equation of probe i.
    rows = [[np.append(cubic.coefficients[::-1, i, b], 0.0) for b in probes] for i in probes]
    starts = _starts_of_one(rows, constant) if probes.size == 1 else _starts(rows, constant)
    found: list[np.ndarray] = []
    for start in starts:
        x = fixed.astype(complex)
        x[probes] = start
        x = _newton(cubic, x, probes, demanded)
        if x is None or abs(x.imag).max() > 1e-6 * (1 + abs(x.real).max()):
            continue
        x = _newton(cubic, x.real.copy(), probes, demanded)
        if x is not None and not any(np.allclose(x, y, rtol=0, atol=1e-9) for y in found):
            found.append(x)
    found.sort(key=lambda x: tuple(x[probes]))
    return np.array(found).reshape(len(found), bias.size)


def _starts_of_one(rows: list, constant: np.ndarray) -> np.ndarray:
    return np.roots(rows[0][0] + np.array([0, 0, 0, constant[0]]))[:, None]


def _starts(rows: list, constant: np.ndarray) -> list[tuple[complex, complex]]:
    """Return approximate solutions of two cubic equations, all nine and some that are none.

    The resultant of both as polynomials in the first unknown is a polynomial of degree nine in
    the second, known from its values on a circle.
    """
    radius, count = 1.0, 16
    circle = radius * np.exp(2j * np.pi * np.arange(count) / count)

    def inner(i: int, y: complex) -> np.ndarray:
        return rows[i][0] + np.array([0, 0, 0, np.polyval(rows[i][1], y) + constant[i]])

    values = [np.linalg.det(_sylvester(inner(0, y), inner(1, y))) for y in circle]
    coefficients = (np.fft.fft(values) / count / radius ** np.arange(count))[:10]
    starts = []
    for y in np.roots(coefficients[::-1].real):
        starts += [(x, y) for i in (0, 1) for x in np.roots(inner(i, y))]
    return starts


def _sylvester(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the Sylvester matrix of two cubic polynomials, (6, 6)."""
    matrix = np.zeros((6, 6), complex)
    for k in range(3):
        matrix[k, k : k + 4] = p
        matrix[3 + k, k : k + 4] = q
    return matrix


# --- solution -------------------------------------------------------------------------------------


def third_order_probes(
    system: OpenSystem, probes: Sequence[Probe], rtol: float = ACCURACY
) -> ExpansionSolution:
    """Return the probes to third order about the mean of the given chemical potentials.

    Paper nonreciprocal-gain-loss, (B35) and (B36), for any number of probes; all real solutions
    of one or two.

    Parameters
    ----------
    system : OpenSystem
        All leads at temperature 0; the probes' chemical potentials are not used.
    probes : sequence of Probe
        Without heat currents.
    rtol : float
        Error over value aimed at for the currents without bias (loss and gain).

    Returns
    -------
    ExpansionSolution
        The physical solution and, for one or two probes, all real ones.

    Raises
    ------
    NoSolution
        When a lead has no states at the mean.
    ValueError
        When a temperature is not 0, a probe has a heat current or does not fit the system.
    """
    task = task_of(system, probes)
    if task.heats.size or temperatures(system).any():
        raise ValueError(
            "the third order is that of temperature 0 for all leads and probes; "
            "at other temperatures solve exactly"
        )
    mean = mean_chemical_potential(system, probes)
    bias = terminal_potentials(system) - mean
    common = moved(system, np.full(bias.size, mean))
    start, start_error, converged = np.zeros(bias.size), np.zeros(bias.size), True
    if system.loss.any() or system.gain.any():
        start, start_error, converged = flows(common, task.heats, rtol, known_poles(common))
    factors = np.array([1.0, 2.0, 6.0])[:, None, None] * 2 * np.pi
    cubic = _Cubic(start, conductance_derivatives(common, mean) / factors)
    found = _followed(cubic, bias, task.potentials, task.demanded)
    physical = None
    if found is not None:
        error = start_error + 16 * _EPSILON * cubic.size(found)
        jacobian = cubic.derivatives(found)[:, task.potentials]
        value = cubic.currents(found)
        error[task.potentials] += abs(task.demanded - value[task.potentials])
        left_out = current_change(common, mean, found, np.empty(0, complex)) - (value - start)
        first = abs(cubic.coefficients[0]) @ abs(found)
        valid = validity(common, mean, found, task.potentials, left_out, first)
        shifted = moved(common, mean + found)
        physical = solution(shifted, task, value, error, jacobian, converged, 0, valid)
    if task.potentials.size > 2:
        return ExpansionSolution(physical, None, None, None)
    roots = _real_roots(cubic, bias, task.potentials, task.demanded)
    place = None
    if found is not None:
        distance = abs(roots - found).max(axis=1)
        if not roots.size or distance.min() > 1e-7:
            raise AssertionError("the physical solution is not among the real ones")
        place = int(np.argmin(distance))
    currents = np.array([cubic.currents(x) for x in roots]).reshape(roots.shape)
    return ExpansionSolution(physical, mean + roots[:, task.potentials], currents, place)


def physical_solution(found: ExpansionSolution) -> ProbeSolution:
    """Return the physical solution.

    Parameters
    ----------
    found : ExpansionSolution
        What `third_order_probes` returned.

    Returns
    -------
    ProbeSolution
        That which goes to zero with biases and demanded currents.

    Raises
    ------
    NoSolution
        When there is none.
    """
    if found.physical is None:
        raise NoSolution(
            "to third order the solution that starts at zero bias ends before the bias and the "
            "demanded currents are reached; solve exactly"
        )
    return found.physical
