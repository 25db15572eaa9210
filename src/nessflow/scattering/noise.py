"""Zero-frequency noise of the particle currents.

``S_ab = int dt <<dI_a(t) dI_b(0)>>``, symmetrised, is the rate at which the covariance of the
charges transferred by terminals a and b grows (no factor 2).  Every terminal is a scattering
channel or several: with ``Gamma_a = W_a W_a^+``, loss ``2P`` and gain ``2Q`` included,
``s = -1 + i W^+ G W`` is unitary, and

    S_ab = int dw/2pi Tr[n A(a) (1 - n) A(b)],   A(a) = 1_a - s^+ 1_a s,

with the occupations ``n``: Fermi functions, 0 for loss and 1 for gain.  A lead is one channel.
What it sends out, ``s n s^+``, holds all other channels as sums, so nothing but traces over loss
and gain is needed.  With the blocks ``N_ab = (s n s^+)_ab`` between the leads of two terminals,

    S_aa = int dw/2pi Tr[f_a h_a (N' + H')^2 + r^+ (f_a H' + h_a N') r + N' H'],
    S_ab = -int dw/2pi {f_a h_a T_ba + f_b h_b T_ab + Tr[N_ab N_ab^+]},   a != b,

where ``h = 1 - f``, ``r = s_aa`` and ``N' + r r^+ f_a = N_aa``, ``H'`` the same of the vacancies
(`nessflow.spectrum.rates.Exchange`).  No term cancels another, so that small noise keeps its
digits.

Between two leads alone this is ``T (f_L h_L + f_R h_R) + T (1 - T) (f_L - f_R)^2``.  With loss and
gain neither ``S_LL = -S_LR`` nor, in equilibrium of the leads, ``S = 2 k T G`` holds: loss and gain
are never in equilibrium with the leads.
"""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from nessflow.estimate import Estimate, undefined, without_two_leads
from nessflow.scattering.currents import SteadyCurrents, currents_observable, terminal_names
from nessflow.solvers.dense import scattering_matrix
from nessflow.spectrum.quadrature import Integral
from nessflow.spectrum.rates import Exchange, Observable, Rates, integrate_observables
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem


@dataclass(frozen=True, eq=False)
class ParticleNoise:
    """Zero-frequency noise of particle currents, hbar = 1, with its numerical error.

    Attributes
    ----------
    terminals : tuple of str
        What the rows and columns are: those of the leads in order.  `terminal_noise` adds loss and
        gain.
    particle_noise : Estimate
        (a, a): ``S_ab`` of the currents from the terminals into the system, in t/hbar.
    net_particle_noise : Estimate
        Noise ``(S_LL + S_RR - 2 S_LR)/4`` of the net current ``(I_L - I_R)/2``, first lead left,
        second right; undefined without two leads.
    converged : bool
        Whether every integral met the tolerance or its rounding errors, and the rows of all
        terminals add up to zero (unitarity) where there are no others.
    evaluations : int
        Number of energies at which the Green's function was evaluated.
    """

    terminals: tuple[str, ...]
    particle_noise: Estimate
    net_particle_noise: Estimate
    converged: bool
    evaluations: int


Terms = tuple[np.ndarray, np.ndarray]
"""Values of integrands and the magnitudes that set their rounding errors."""


def _auto_terms(x: Exchange) -> Terms:
    """Return the integrand of the diagonal element of one terminal."""
    f, h, thermal = x.filled, x.empty, x.filled * x.empty
    absorbed, exchanged = x.incoming + x.vacant, f * x.vacant + h * x.incoming
    values = thermal * _trace(absorbed, absorbed) + _trace(x.incoming, x.vacant)
    values = values + _trace(x.reflected, exchanged)
    # Positive matrices: |M_ab|^2 <= M_aa M_bb.
    incoming, vacant, root = (_diagonal(m).real for m in (x.incoming, x.vacant, exchanged))
    root = np.sqrt(root)
    size = thermal * (incoming + vacant).sum(axis=0) ** 2
    size = size + np.sqrt(incoming * vacant).sum(axis=0) ** 2
    amplitude, amplitude_size = (
        (m * root[:, None]).sum(axis=0) for m in (abs(x.reflection), x.reflection_size)
    )
    size = size + x.rates.cancelled_exchange[x.terminal]
    return values, size + (amplitude * amplitude_size).sum(axis=0)


def _trace(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return ``Tr[A B]`` of two stacks of Hermitian matrices, (E,)."""
    if len(first) == 1:
        return (first * second)[0, 0].real
    return np.einsum("abe,bae->e", first, second).real


def _diagonal(matrices: np.ndarray) -> np.ndarray:
    return np.einsum("aae->ae", matrices)


def _outgoing(rates: Rates, a: int, b: int) -> Terms:
    """Return ``|N_ab|`` for two leads, from occupations or, as ``H_ab = -N_ab``, from vacancies.

    Whichever cancels less: far below all chemical potentials N_ab is zero by unitarity.
    """
    size, source = rates.amplitude_sizes, rates.system.terminal_of_lead
    # Named, so that no factor is a temporary: numpy exchanges those of long arrays, and the product
    # of two complex numbers is rounded in another way.
    first, second = rates.amplitudes[a], rates.amplitudes[b].conj()
    products, sizes = first * second, size[a] * size[b]
    forms = []
    for occupation, rest in (
        (rates.filled[source], rates.gain_correlations[a, b]),
        (rates.empty[source], rates.loss_correlations[a, b]),
    ):
        value = abs((products * occupation).sum(axis=0) + rest)
        forms.append((value, (sizes * occupation).sum(axis=0) + abs(rest)))
    (filled, filled_size), (empty, empty_size) = forms
    better = filled_size <= empty_size
    return np.where(better, filled, empty), np.where(better, filled_size, empty_size)


def _cross_terms(rates: Rates, a: int, b: int) -> Terms:
    """Return the integrand of an element off the diagonal."""
    thermal = rates.filled * rates.empty
    value = thermal[a] * rates.leads[b, a] + thermal[b] * rates.leads[a, b]
    size = thermal[a] * rates.lead_sizes[b, a] + thermal[b] * rates.lead_sizes[a, b]
    first, second = (rates.system.terminals[k].channels for k in (a, b))
    for pair in product(first, second):
        outgoing, outgoing_size = _outgoing(rates, *pair)
        value = value + outgoing**2
        size = size + outgoing_size * (outgoing + np.finfo(float).eps * outgoing_size)
    return -value, size


def noise_integrand(rates: Rates) -> Terms:
    """Return the integrands of the diagonal, of each pair, and of the net noise of two leads.

    Parameters
    ----------
    rates : Rates
        At any energies; of at least one lead.

    Returns
    -------
    values, sizes : (n, E) float
        For `noise_matrix`, over ``dw/2pi``.
    """
    count = len(rates.system.terminals)
    if rates.is_one_lead_each:
        return _of_one_lead_each(rates)
    terms = [_auto_terms(x) for x in rates.exchange]
    terms += [_cross_terms(rates, a, b) for a, b in _pairs(count)]
    values, sizes = (np.array(column) for column in zip(*terms, strict=True))
    if count == 2:
        weights = np.array([0.25, 0.25, -0.5])[:, None]
        values = np.concatenate([values, (weights * values).sum(axis=0, keepdims=True)])
        sizes = np.concatenate([sizes, (abs(weights) * sizes).sum(axis=0, keepdims=True)])
    return values, sizes


def _of_one_lead_each(rates: Rates) -> Terms:
    # Imported here: numba takes long to import.
    from nessflow.scattering.terms.fluctuations import noise_terms

    count, energies = rates.filled.shape
    rows = count * (count + 1) // 2 + (count == 2)
    values, sizes = np.empty((2, rows, energies))
    between = rates.leads, rates.lead_sizes
    noise_terms(
        *rates.reflections, *between, *rates.occupations,
        rates.exchange_sizes, rates.correlations, values, sizes,
    )  # fmt: skip
    return values, sizes


def noise_matrix(elements: np.ndarray, count: int) -> np.ndarray:
    """Return the matrix of a diagonal and of all pairs.

    Parameters
    ----------
    elements : (n, ...) array
        In the order of `noise_integrand`; what follows the pairs is left out.
    count : int
        Number of terminals.

    Returns
    -------
    (count, count, ...) float array
        Symmetric.
    """
    matrix = np.empty((count, count, *elements.shape[1:]))
    matrix[range(count), range(count)] = elements[:count]
    for (a, b), element in zip(_pairs(count), elements[count:], strict=False):
        matrix[a, b] = matrix[b, a] = element
    return matrix


def _pairs(count: int) -> list[tuple[int, int]]:
    """Return the pairs (a, b) of different terminals with a < b."""
    return list(combinations(range(count), 2))


def noise_measure(elements: np.ndarray) -> np.ndarray:
    """Return what errors of noise are measured by: cross noise by the noise of both terminals.

    ``|S_ab| <= sqrt(S_aa S_bb)``, so that correlations ``S_ab / sqrt(S_aa S_bb)`` have the accuracy
    that is asked for.  Across a long lossy wire they fall as the transmission, and would take most
    of all energies for digits of nothing.

    Parameters
    ----------
    elements : (s, n) array
        Of each system, in the order of `noise_integrand` with the system's own count of terminals,
        perhaps with the net noise.

    Returns
    -------
    (s, n) float array
        Not negative.
    """
    count = int(np.sqrt(2 * elements.shape[1] + 0.25) - 0.5)
    own = np.sqrt(abs(elements[:, :count]))
    result = abs(elements)
    for k, (a, b) in enumerate(_pairs(count), count):
        result[:, k] = np.maximum(result[:, k], own[:, a] * own[:, b])
    return result


def noise_observable(system: OpenSystem) -> Observable[ParticleNoise]:
    """Return the noise of all leads as something to integrate over the energy.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead.

    Returns
    -------
    Observable of ParticleNoise
        For `integrate_observables`.

    Raises
    ------
    ValueError
        When there is no lead.
    """
    names = tuple(terminal.name for terminal in system.terminals)
    if not names:
        raise ValueError("the noise of leads needs at least one lead, the system has none")

    closed = not (system.loss.any() or system.gain.any())

    def result(found: Integral) -> ParticleNoise:
        return _assembled(names, found, closed)

    return Observable(noise_integrand, result, measure=noise_measure)


def _assembled(names: tuple[str, ...], found: Integral, closed: bool) -> ParticleNoise:
    """Return the matrix whose diagonal and pairs, then perhaps the net noise, were integrated.

    Where it has all terminals, its rows add up to zero because the scattering matrix is unitary.
    """
    count, pairs = len(names), _pairs(len(names))
    noise, error = (noise_matrix(numbers, count) for numbers in (found.value, found.error))
    net = undefined(without_two_leads(count) or "it is that of two leads")
    if found.value.size > count + len(pairs):
        net = Estimate(float(found.value[-1]), float(found.error[-1]))
    unitary = not closed or bool(np.all(abs(noise.sum(axis=1)) <= error.sum(axis=1)))
    converged = found.converged and unitary
    return ParticleNoise(names, Estimate(noise, error), net, converged, found.evaluations)


def lead_noise(system: OpenSystem, rtol: float = ACCURACY) -> ParticleNoise:
    """Return the zero-frequency noise of the leads' particle currents.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead; any temperatures, 0 included.
    rtol : float
        Error over value aimed at, for every element by itself.  Rounding errors that are larger
        take its place and are part of the reported errors.

    Returns
    -------
    ParticleNoise
        Between the terminals of the leads, with its errors.

    Raises
    ------
    ValueError
        When there is no lead.
    """
    return integrate_observables(system, [noise_observable(system)], rtol)[0]


def currents_and_noise(
    system: OpenSystem, rtol: float = ACCURACY
) -> tuple[SteadyCurrents, ParticleNoise]:
    """Return `steady_currents` and `lead_noise` from common transmissions.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead.
    rtol : float
        As for both.

    Returns
    -------
    currents : SteadyCurrents
        Of all terminals.
    noise : ParticleNoise
        Between the terminals of the leads.

    Raises
    ------
    ValueError
        When there is no lead.
    """
    observables: list[Observable] = [currents_observable(system), noise_observable(system)]
    currents, noise = integrate_observables(system, observables, rtol)
    return currents, noise


# --- all terminals ------------------------------------------------------------------------------

_BATCH_BYTES = 2**25
"""Memory of one batch of scattering matrices."""


def _all_terms(system: OpenSystem, energies: np.ndarray) -> Terms:
    """Return the integrands of the diagonal and of each pair of terminals, (elements, E)."""
    s, terminal = scattering_matrix(system, energies)
    leads, count = Rates(system, energies), len(system.terminals)
    fixed = np.zeros((2, energies.size))
    fixed[1] = 1.0
    filled = np.concatenate([leads.filled, fixed])[terminal].T
    empty = np.concatenate([leads.empty, fixed[::-1]])[terminal].T
    matrices, magnitudes = [], []
    for a in range(count + 2):
        one, out = np.diag((terminal == a).astype(float)), s[:, terminal == a]
        matrices.append(one - out.conj().swapaxes(1, 2) @ out)
        magnitudes.append(one + abs(out).swapaxes(1, 2) @ abs(out))
    occupations = filled[:, :, None] * empty[:, None, :]
    values, sizes = [], []
    for a, b in [(a, a) for a in range(count + 2)] + _pairs(count + 2):
        first, second = matrices[a], matrices[b].swapaxes(1, 2)
        values.append((occupations * first * second).real.sum(axis=(1, 2)))
        # Of what cancels in both, the parts of one times the other.
        size, other = magnitudes[a], magnitudes[b].swapaxes(1, 2)
        size = abs(first) * other + size * abs(second) + np.finfo(float).eps * size * other
        sizes.append((occupations * size).sum(axis=(1, 2)))
    return np.array(values), np.array(sizes)


def terminal_noise_observable(system: OpenSystem) -> Observable[ParticleNoise]:
    """Return the noise of every terminal as something to integrate, see `terminal_noise`."""

    def integrand(rates: Rates) -> Terms:
        channels = len(system.leads) + 2 * system.sites
        parts = max(1, 64 * rates.energies.size * channels**2 // _BATCH_BYTES)
        batches = np.array_split(rates.energies, parts)
        values, sizes = zip(*(_all_terms(system, batch) for batch in batches), strict=True)
        return np.concatenate(values, axis=1), np.concatenate(sizes, axis=1)

    def result(found: Integral) -> ParticleNoise:
        return _assembled(terminal_names(system), found, closed=True)

    return Observable(integrand, result, measure=noise_measure)


def terminal_noise(system: OpenSystem, rtol: float = ACCURACY) -> ParticleNoise:
    """Return the noise of every terminal, all loss and all gain channels included.

    From the full scattering matrix, O(N^3) for each energy: the elements of `lead_noise` on a
    second, independent route, and those of loss and gain, which make rows add up to zero.

    Parameters
    ----------
    system : OpenSystem
        The system.
    rtol : float
        As for `lead_noise`.

    Returns
    -------
    ParticleNoise
        Terminals as in `terminal_names`; no net noise.
    """

    return integrate_observables(system, [terminal_noise_observable(system)], rtol)[0]
