"""Noise between the leads of given chemical potential of a system with many probes.

Zero frequency, as `nessflow.scattering.noise`.  For sums of currents ``J = sum_a m_a I_a`` with the
diagonal matrices ``m`` of their weights and the outgoing occupations ``N = s n s^+``,

    S = int dw/2pi { Tr[n h m m'] - sum_ac f_c h_c |s_ac|^2 (m_c m'_a + m'_c m_a)
                     + Tr[N m (1 - N) m'] },

where ``h = 1 - n``; N is needed only where weights are not zero.

Bare noise is that at chemical potentials that do not change with time.  Floating noise is that at
frequencies low enough for the probes to follow: their potentials fluctuate so that their currents
do not, which adds ``-K_Lp K_pp^-1 I_p`` to the current of lead L, ``K = dI/dmu``.

To first order in biases at temperature 0, where the scattering matrix is that at one energy,
``int f_c (1 - f_d) dw = max(mu_c - mu_d, 0)`` leaves a sum over pairs of leads,

    S = sum_cd Re[A_cd A'_dc] max(mu_c - mu_d, 0) / 2 pi,   A = m - s^+ m s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from nessflow.estimate import Estimate
from nessflow.probes.derivatives import conductance_matrix
from nessflow.probes.problem import NoSolution, Probe, ProbeSolution, moved
from nessflow.scattering.terminal_flows import integrated, lead_occupations, temperatures
from nessflow.solvers.pairwise import (
    green_between,
    in_batches,
    lead_broadening,
    pair_correlations,
)
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.spectrum.rates import Rates
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem

_ROUNDING = 32 * np.finfo(float).eps


@dataclass(frozen=True, eq=False)
class ProbeNoise:
    """Zero-frequency noise between the terminals that are no probes, in t/hbar.

    Attributes
    ----------
    terminals : tuple of str
        What rows and columns are.
    bare : Estimate
        (a, a), at probes of constant chemical potential.
    floating : Estimate
        (a, a), at probes whose currents do not fluctuate.
    converged : bool
        Whether every integral met the tolerance or its rounding errors.
    """

    terminals: tuple[str, ...]
    bare: Estimate
    floating: Estimate
    converged: bool


def _outgoing(
    system: OpenSystem, energies: np.ndarray, green: np.ndarray, occupation: np.ndarray
) -> np.ndarray:
    """Return ``(s n s^+)_ab`` of the leads' part of n, without ``delta_ab n_a``, (E, l, l).

    ``green`` is ``sqrt(Gamma_a Gamma_b) G_ab`` (E, l, l), ``occupation`` (l, E).
    """
    gamma = lead_broadening(system, energies)
    root, n = np.sqrt(gamma).T, occupation.T
    scattered = pair_correlations(system, energies, gamma * occupation)
    direct = n[:, :, None] * green.conj().swapaxes(1, 2) - green * n[:, None]
    return root[:, :, None] * scattered * root[:, None] + 1j * direct


def combined_noise(
    system: OpenSystem, weights: np.ndarray, rtol: float = ACCURACY
) -> tuple[Estimate, bool]:
    """Return the noise between sums of currents.

    Parameters
    ----------
    system : OpenSystem
        Any number of leads, loss and gain.
    weights : (k, t) array
        Weight of each terminal's current in each sum; loss and gain have none.
    rtol : float
        Error over value aimed at, for every element by itself.

    Returns
    -------
    noise : Estimate
        (k, k), in t/hbar.
    converged : bool
        Whether every integral met the tolerance or its rounding errors.
    """
    by_lead = weights[:, system.terminal_of_lead]
    rows = np.flatnonzero(by_lead.any(axis=0))
    m = by_lead[:, rows]
    first, second = np.triu_indices(len(weights))
    environment = system.loss.any() or system.gain.any()

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        root = np.sqrt(lead_broadening(system, energies)).T
        green = root[:, :, None] * green_between(system, energies) * root[:, None]
        f, h = (lead_occupations(system, energies, x) for x in (fermi, fermi_holes))
        outgoing = _outgoing(system, energies, green, f)[:, rows][:, :, rows]
        amplitude, each = 1j * green[:, rows], range(rows.size)
        amplitude[:, each, rows] -= 1.0
        probability = amplitude.real**2 + amplitude.imag**2
        # Off the diagonal 1 - N is -N; on it both are sums of positive terms.
        filled, empty = (np.einsum("eac,ce->ea", probability, x) for x in (f, h))
        if environment:
            rates, inside = Rates(system, energies), np.ix_(rows, rows)
            gain = np.moveaxis(rates.gain_correlations[inside], -1, 0)
            loss = np.moveaxis(rates.loss_correlations[inside], -1, 0)
            outgoing = outgoing + gain
            filled = filled + gain[:, each, each].real
            empty = empty + loss[:, each, each].real
        covariance = -(outgoing.real**2 + outgoing.imag**2)
        covariance[:, each, each] = filled * empty
        value, size = _both(m, m, covariance)
        thermal = (f * h).T
        if thermal.any():
            mixed, bound = _both(by_lead, m, (probability * thermal[:, None]).swapaxes(1, 2))
            own = np.einsum("kc,ec,qc->ekq", by_lead, thermal, by_lead)
            value = value + own - mixed - mixed.swapaxes(1, 2)
            size = size + abs(own) + bound + bound.swapaxes(1, 2)
        return value[:, first, second].T, size[:, first, second].T

    # Few energies at a time: matrices between all leads that stay in the cache.
    found = integrated(system, in_batches(integrand, 16 * len(system.leads) ** 2), rtol)
    value, error = np.zeros((2, len(weights), len(weights)))
    value[first, second] = value[second, first] = found.value
    error[first, second] = error[second, first] = found.error
    return Estimate(value, error), found.converged


def _both(left: np.ndarray, right: np.ndarray, matrices: np.ndarray) -> tuple:
    """Return ``left M right^T`` for each energy and its magnitude, (E, k, k) each."""
    return left @ matrices @ right.T, abs(left) @ abs(matrices) @ abs(right).T


def bare_noise(
    system: OpenSystem, probes: Sequence[Probe], rtol: float = ACCURACY
) -> tuple[Estimate, bool]:
    """Return the noise between the terminals that are no probes, probes' states held constant.

    Parameters
    ----------
    system : OpenSystem
        All leads at their solved chemical potentials and temperatures.
    probes : sequence of Probe
        Which terminals are probes, of given temperature or not.
    rtol : float
        Error over value aimed at, for every element by itself.

    Returns
    -------
    noise : Estimate
        (k, k), in t/hbar.
    converged : bool
        Whether every integral met the tolerance or its rounding errors.
    """
    _, given = _parted(system, probes)
    return combined_noise(system, np.eye(len(system.terminals))[given], rtol)


def _parted(system: OpenSystem, probes: Sequence[Probe]) -> tuple[np.ndarray, np.ndarray]:
    """Return which terminals are the probes, in their order, and which are none."""
    names = [terminal.name for terminal in system.terminals]
    at = np.array([names.index(probe.name) for probe in probes], int)
    return at, np.setdiff1d(np.arange(len(names)), at)


def probe_noise(system: OpenSystem, probes: Sequence[Probe], rtol: float = ACCURACY) -> ProbeNoise:
    """Return bare and floating noise between the terminals that are no probes.

    Parameters
    ----------
    system : OpenSystem
        All leads at their solved chemical potentials and temperatures.
    probes : sequence of Probe
        Which terminals are probes, all of given temperature.
    rtol : float
        Error over value aimed at, for every element by itself.

    Returns
    -------
    ProbeNoise
        Between the terminals that are no probes, with its errors.

    Raises
    ------
    NoSolution
        When currents of probes do not respond to their chemical potentials.
    ValueError
        When a probe has a heat current: fluctuations of heat are not computed.
    """
    warm = [probe.name for probe in probes if probe.heat_current is not None]
    if warm:
        raise ValueError(
            f"the floating noise with the temperature probe {warm[0]!r} takes the noise of heat, "
            "which is not computed"
        )
    weights, _ = _weights(system, probes)
    return _parted_noise(system, probes, *combined_noise(system, weights, rtol))


def _weights(system: OpenSystem, probes: Sequence[Probe]) -> tuple[np.ndarray, float]:
    """Return the currents whose noise is bare, then floating, as sums over terminals, (2k, t).

    And what a relative error of the conductances is multiplied by.
    """
    at, given = _parted(system, probes)
    bare = np.eye(len(system.terminals))[given]
    floating = bare.copy()
    conductance = conductance_matrix(system)
    inside = conductance[np.ix_(at, at)]
    try:
        inverse = np.linalg.inv(inside)
    except np.linalg.LinAlgError:
        raise NoSolution(
            "the current of a probe does not respond to its chemical potential, outside its band"
        ) from None
    floating[:, at] = -conductance[np.ix_(given, at)] @ inverse
    condition = np.linalg.norm(inside, 1) * np.linalg.norm(inverse, 1)
    return np.concatenate([bare, floating]), float(condition)


def _parted_noise(
    system: OpenSystem,
    probes: Sequence[Probe],
    noise: Estimate,
    converged: bool,
) -> ProbeNoise:
    """Return bare and floating noise from those of all `_weights`."""
    _, given = _parted(system, probes)
    bare, floating = slice(None, given.size), slice(given.size, None)
    return ProbeNoise(
        tuple(system.terminals[a].name for a in given),
        noise.at((bare, bare)),
        noise.at((floating, floating)),
        converged,
    )


def linear_noise(
    solutions: Sequence[ProbeSolution], probes: Sequence[Probe], energy: float
) -> list[ProbeNoise]:
    """Return `probe_noise` at temperature 0 to first order in the biases, O(t^3) for all together.

    Parameters
    ----------
    solutions : sequence of ProbeSolution
        Of one system at different chemical potentials, all at temperature 0, without loss and gain.
    probes : sequence of Probe
        Which terminals are probes.
    energy : float
        About which biases are small, in t.

    Returns
    -------
    list of ProbeNoise
        For each solution.

    Raises
    ------
    NoSolution
        As `probe_noise`.
    ValueError
        When a lead is warm, or there is loss or gain, which make noise at all energies.
    """
    system = moved(solutions[0].system, np.full(len(solutions[0].terminals), energy))
    if temperatures(system).any() or system.loss.any() or system.gain.any():
        raise ValueError("noise to first order is that of temperature 0 without loss and gain")
    weights, condition = _weights(system, probes)
    m = weights[:, system.terminal_of_lead]
    root = np.sqrt(lead_broadening(system, np.array([energy])))[:, 0]
    s = 1j * root[:, None] * green_between(system, np.array([energy]))[0] * root
    s -= np.eye(len(s))
    # Columns of s have the norm 1, so that elements of s^+ m s are at most the largest weight.
    largest = abs(m).max(axis=1)
    rounding = _ROUNDING * largest * np.where(np.arange(len(m)) < len(m) // 2, 1.0, 1 + condition)
    counted = [np.flatnonzero(row) for row in m]
    matrices = [
        np.diag(row) - (s[rows].conj().T * row[rows]) @ s[rows]
        for row, rows in zip(m, counted, strict=True)
    ]
    found = []
    for solution in solutions:
        mu, wrong, _ = solution.chemical_potential.at(system.terminal_of_lead)
        window = np.maximum(mu[:, None] - mu, 0.0)
        uncertain = wrong[:, None] + wrong
        value, error = np.zeros((2, len(m), len(m)))
        for k, q in combinations_with_replacement(range(len(m)), 2):
            if k < len(m) // 2 <= q:
                continue
            first, second = matrices[k], matrices[q]
            product = first.real * second.real + first.imag * second.imag
            size = abs(first) * rounding[q] + abs(second) * rounding[k]
            value[k, q] = value[q, k] = np.sum(product * window) / (2 * np.pi)
            off = np.sum(size * window + abs(product) * uncertain) / (2 * np.pi)
            error[k, q] = error[q, k] = off
        found.append(_parted_noise(system, probes, Estimate(value, error), True))
    return found
