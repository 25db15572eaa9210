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

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from nessflow.estimate import Estimate
from nessflow.probes.derivatives import (
    cold_response,
    conductance_matrix,
    poles_if_needed,
    responses,
    slopes,
)
from nessflow.probes.problem import NoSolution, Probe, ProbeSolution
from nessflow.scattering.terminal_flows import integrated, lead_occupations, temperatures
from nessflow.solvers.pairwise import (
    green_between,
    in_batches,
    lead_broadening,
    pair_correlations,
)
from nessflow.solvers.solver import site_shape
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.spectrum.rates import Rates
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem

_EPSILON = np.finfo(float).eps
_ROUNDING = 32 * _EPSILON


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
    system: OpenSystem,
    energies: np.ndarray,
    between: np.ndarray,
    green: np.ndarray,
    occupation: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(s n s^+)_ab`` of the leads' part of n, without ``delta_ab n_a``, (E, l, l).

    And the magnitude of what it is a sum of.

    ``between`` is ``G_ab``, ``green`` ``sqrt(Gamma_a Gamma_b) G_ab``, ``occupation`` (l, E).
    """
    gamma = lead_broadening(system, energies)
    root, n = np.sqrt(gamma).T, occupation.T
    scattered = pair_correlations(system, energies, gamma * occupation, between)
    scattered = root[:, :, None] * scattered * root[:, None]
    sent, received = n[:, :, None] * green.conj().swapaxes(1, 2), green * n[:, None]
    return scattered + 1j * (sent - received), abs(scattered) + abs(sent) + abs(received)


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
        between = green_between(system, energies)
        green = root[:, :, None] * between * root[:, None]
        f, h = (lead_occupations(system, energies, x) for x in (fermi, fermi_holes))
        parts = _outgoing(system, energies, between, green, f)
        outgoing, sizes = (part[:, rows][:, :, rows] for part in parts)
        amplitude, each = 1j * green[:, rows], range(rows.size)
        amplitude[:, each, rows] -= 1.0
        probability = amplitude.real**2 + amplitude.imag**2
        # Where nothing is reflected what is left of the amplitude is the rounding of the 1.
        likely = probability.copy()
        likely[:, each, rows] += abs(amplitude[:, each, rows]) + _EPSILON
        # Off the diagonal 1 - N is -N; on it both are sums of positive terms.
        filled, empty, *most = (
            np.einsum("eac,ce->ea", of, x) for of in (probability, likely) for x in (f, h)
        )
        if environment:
            rates, inside = Rates(system, energies), np.ix_(rows, rows)
            gain = np.moveaxis(rates.gain_correlations[inside], -1, 0)
            loss = np.moveaxis(rates.loss_correlations[inside], -1, 0)
            outgoing = outgoing + gain
            own = gain[:, each, each].real, loss[:, each, each].real
            filled, empty = filled + own[0], empty + own[1]
            most, sizes = [x + y for x, y in zip(most, own, strict=True)], sizes + abs(gain)
        left, covariance = abs(outgoing), -(outgoing.real**2 + outgoing.imag**2)
        size = left * (left + sizes) + _EPSILON * sizes**2
        covariance[:, each, each], size[:, each, each] = filled * empty, most[0] * most[1]
        value, size = m @ covariance @ m.T, abs(m) @ size @ abs(m).T
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
    system: OpenSystem,
    probes: Sequence[Probe],
    rtol: float = ACCURACY,
    wrong: tuple[np.ndarray, np.ndarray] | None = None,
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
    wrong : pair of (t,) arrays, optional
        What chemical potentials and temperatures of terminals may be off by, in t.

    Returns
    -------
    noise : Estimate
        (k, k), in t/hbar.
    converged : bool
        Whether every integral met the tolerance or its rounding errors.
    """
    _, given = _parted(system, probes)
    weights = np.eye(len(system.terminals))[given]
    (value, error, _), converged = combined_noise(system, weights, rtol)
    if wrong is not None:
        energies, *by_occupation = slopes(system, poles_if_needed(system), rtol)
        for slope, off in zip(by_occupation, wrong, strict=True):
            response = responses(system, energies, abs(slope), np.ones_like(slope))
            error = error + _moved(weights, response, off)
    return Estimate(value, error), converged


def _moved(weights: np.ndarray, response: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Return by how much noise may move with what occupations depend on, (k, k).

    ``response`` is `conductance_matrix`, or for temperatures the same with the magnitudes of
    ``df/dT`` in place of ``df/dmu``; ``wrong`` is what these may be off by.

    The integrand is ``Tr[n A_x (1 - n) A_y]``, and a channel i of terminal p has in
    ``A_x = w_x - s^+ w_x s`` a column of the norm ``sum_a |s_ai|^2 (w_xi - w_xa)^2``, squared: no
    derivative with respect to n_i is larger than the product of those of x and y.
    """
    between = -response * (1 - np.eye(len(response)))
    # What goes to loss and comes from gain, which no weight counts.
    outside = np.maximum(np.diagonal(response) - between.sum(axis=0), 0.0)
    apart = (weights[:, None, :] - weights[:, :, None]) ** 2
    norm = np.sqrt((abs(between) * apart).sum(axis=1) + outside * weights**2)
    return (wrong * norm) @ norm.T


def _parted(system: OpenSystem, probes: Sequence[Probe]) -> tuple[np.ndarray, np.ndarray]:
    """Return which terminals are the probes, in their order, and which are none."""
    names = [terminal.name for terminal in system.terminals]
    at = np.array([names.index(probe.name) for probe in probes], int)
    return at, np.setdiff1d(np.arange(len(names)), at)


def probe_noise(
    system: OpenSystem,
    probes: Sequence[Probe],
    rtol: float = ACCURACY,
    potential_error: np.ndarray | None = None,
) -> ProbeNoise:
    """Return bare and floating noise between the terminals that are no probes.

    Parameters
    ----------
    system : OpenSystem
        All leads at their solved chemical potentials and temperatures.
    probes : sequence of Probe
        Which terminals are probes, all of given temperature.
    rtol : float
        Error over value aimed at, for every element by itself.
    potential_error : (t,) array, optional
        What the chemical potential of each terminal may be off by, in t.

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
    conductance = conductance_matrix(system)
    weights, _ = _weights(system, probes, conductance[None])
    _, given = _parted(system, probes)
    (value, error, _), converged = combined_noise(system, weights[0], rtol)
    if potential_error is not None:
        error = error + _moved(weights[0], conductance, potential_error)
    return _parted_noise(system, given, Estimate(value, error), converged)


def _weights(
    system: OpenSystem, probes: Sequence[Probe], conductance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the currents whose noise is bare, then floating, as sums over terminals, (n, 2k, t).

    And what a relative error of the conductances (n, t, t) is multiplied by, (n,).
    """
    at, given = _parted(system, probes)
    bare = np.repeat(np.eye(len(system.terminals))[None, given], len(conductance), axis=0)
    floating = bare.copy()
    # Contiguous, for bits that do not depend on how many there are.
    inside, outside = (
        np.ascontiguousarray(conductance[:, rows[:, None], at]) for rows in (at, given)
    )
    try:
        inverse = np.linalg.inv(inside)
    except np.linalg.LinAlgError:
        raise NoSolution(
            "the current of a probe does not respond to its chemical potential, outside its band"
        ) from None
    floating[:, :, at] = -outside @ inverse
    sizes = [abs(x).sum(axis=1).max(axis=1, initial=0.0) for x in (inside, inverse)]
    return np.concatenate([bare, floating], axis=1), sizes[0] * sizes[1]


def _parted_noise(
    system: OpenSystem,
    given: np.ndarray,
    noise: Estimate,
    converged: bool,
) -> ProbeNoise:
    """Return bare and floating noise from those of all `_weights`."""
    bare, floating = slice(None, given.size), slice(given.size, None)
    return ProbeNoise(
        tuple(system.terminals[a].name for a in given),
        noise.at((bare, bare)),
        noise.at((floating, floating)),
        converged,
    )


def linear_noise(
    solutions: Sequence[Sequence[ProbeSolution]], probes: Sequence[Probe], energy: float
) -> list[list[ProbeNoise]]:
    """Return `probe_noise` at temperature 0 to first order in the biases, O(t^3) for all together.

    Parameters
    ----------
    solutions : sequence of n sequences of d ProbeSolution
        Of several systems, each at as many different chemical potentials, all at temperature 0,
        without loss and gain; the systems have the same leads.
    probes : sequence of Probe
        Which terminals are probes.
    energy : float
        About which biases are small, in t.

    Returns
    -------
    list of list of ProbeNoise
        For each solution.

    Raises
    ------
    NoSolution
        As `probe_noise`, when there is something to raise of any of them.
    ValueError
        When a lead is warm, or there is loss or gain, which make noise at all energies.
    """
    alike: dict[Hashable, list[int]] = {}
    for n, (first, *_) in enumerate(solutions):
        system = first.start
        if temperatures(system).any() or system.loss.any() or system.gain.any():
            raise ValueError("noise to first order is that of temperature 0 without loss and gain")
        alike.setdefault(site_shape(system), []).append(n)
    found: dict[int, list[ProbeNoise]] = {}
    for members in alike.values():
        own = [solutions[n] for n in members]
        found |= zip(members, _linear_noise(own, probes, energy), strict=True)
    return [found[n] for n in range(len(solutions))]


def _linear_noise(
    solutions: Sequence[Sequence[ProbeSolution]], probes: Sequence[Probe], energy: float
) -> list[list[ProbeNoise]]:
    """Return `linear_noise` of systems of one `site_shape`."""
    systems = [first.start for first, *_ in solutions]
    system = systems[0]
    green, conductance = cold_response(systems, energy)
    weights, condition = _weights(system, probes, conductance)
    m = weights[:, :, system.terminal_of_lead]
    root = np.sqrt(lead_broadening(system, np.array([energy])))[:, 0]
    s = 1j * root[:, None] * green * root
    each, count, half = range(root.size), m.shape[1], m.shape[1] // 2
    s[:, each, each] -= 1.0
    # Columns of s have the norm 1, so that elements of s^+ m s are at most the largest weight.
    factor = np.where(np.arange(count) < half, 1.0, 1 + condition[:, None])
    rounding = _ROUNDING * abs(m).max(axis=2) * factor
    matrices = []
    for k in range(count):
        weight = m[:, k]
        rows = np.flatnonzero(weight.any(axis=0))
        from_rows = s[:, rows].conj().swapaxes(1, 2) * weight[:, None, rows]
        matrix = -from_rows @ s[:, rows]
        matrix[:, each, each] += weight
        matrices.append(matrix)
    mu, wrong = (
        np.array([[getattr(x.chemical_potential, part) for x in own] for own in solutions])
        for part in ("value", "error")
    )
    mu, wrong = (x[:, :, system.terminal_of_lead] for x in (mu, wrong))
    window = np.maximum(mu[..., :, None] - mu[..., None, :], 0.0)
    uncertain = wrong[..., :, None] + wrong[..., None, :]
    _, given = _parted(system, probes)
    windowed = [_sums(abs(matrix), window) for matrix in matrices]
    value, error = np.zeros((2, *mu.shape[:2], count, count))
    for k, q in combinations_with_replacement(range(count), 2):
        if k < half <= q:
            continue
        product = (matrices[k] * matrices[q].conj()).real
        found = _sums(product, window)
        off = windowed[k] * rounding[:, q, None] + windowed[q] * rounding[:, k, None]
        off += _sums(abs(product), uncertain)
        value[..., k, q] = value[..., q, k] = found / (2 * np.pi)
        error[..., k, q] = error[..., q, k] = off / (2 * np.pi)
    return [
        [
            _parted_noise(system, given, Estimate(*both), True)
            for both in zip(value[n], error[n], strict=True)
        ]
        for n in range(len(systems))
    ]


def _sums(matrices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sums of all elements (n, i, j) times weights (n, d, i, j), (n, d)."""
    found = np.multiply(matrices[:, None], weights, order="C")
    return found.reshape(*found.shape[:2], -1).sum(axis=-1)
