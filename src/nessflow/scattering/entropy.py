"""Entropy of what terminals send out and take in: an entropy production that is always finite.

Loss and gain have the occupations 0 and 1, no temperature, and the entropy production of
thermodynamics is infinite.  What stays finite is the information that scattering spreads over the
terminals.  Particles of energy w enter the scattering channels of terminal a with occupation f_a
and leave in the correlated state with the covariance ``s f s^+``.  Seen terminal by terminal, with
the correlations between terminals forgotten, the outgoing entropy exceeds the incoming one by

    sigma = int dw/2pi sum_a { Tr H[(s f s^+)_aa] - Tr H(f_a) },    H(f) = -f ln f - (1-f) ln(1-f),

which is never negative, because s is unitary and entropy is subadditive.  All loss channels are one
terminal, all gain channels another, and ``Tr H`` of their block does not depend on how the channels
are chosen.  Where gain is proportional to loss, both are one terminal of constant occupation.

With loss or gain alone, or both proportional, the block differs from its incoming value by a
matrix of the rank of the leads, and the cost is that of the currents.  Other systems with both need
the eigenvalues of a matrix of the number of loss (gain) channels at each energy.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy.sparse

from nessflow.estimate import Estimate, undefined
from nessflow.solvers.dense import scattering_matrix
from nessflow.spectrum.quadrature import Integral
from nessflow.spectrum.rates import Exchange, Observable, Rates, integrate_observables
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.matrices import Matrix, Sparse, Tridiagonal, diagonal
from nessflow.systems.system import OpenSystem

_EPSILON = np.finfo(float).eps
_ROUNDING = 1e-12
"""Departure of one matrix from a multiple of another, relative, taken for rounding."""
_BATCH = 2**19
"""Elements of scattering matrices at a time, a quarter of them for each of loss and gain."""


def gain_to_loss_ratio(system: OpenSystem) -> float | None:
    """Return ``r`` where the matrices of gain and loss are ``Q = r P``, else None.

    Such a pair acts on the leads as one terminal of broadening ``2(P + Q)`` and occupation
    ``r/(1 + r)`` at all energies: infinite temperature, ``mu/T = ln r``.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    float or None
        ``r``, to a relative rounding of 1e-12; None also where loss or gain is absent.
    """
    if not (system.loss.any() and system.gain.any()):
        return None
    loss, gain = _elements(system.loss), _elements(system.gain)
    # Both traces are positive.
    ratio = float(diagonal(system.gain).sum() / diagonal(system.loss).sum())
    fits = abs(gain - ratio * loss).max() <= _ROUNDING * abs(gain).max()
    return ratio if fits else None


def needs_dense(system: OpenSystem) -> bool:
    """Return whether `scattering_entropy_production` takes dense matrices at each energy.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    bool
        True where there are both loss and gain and they are not proportional.
    """
    both = bool(system.loss.any()) and bool(system.gain.any())
    return both and gain_to_loss_ratio(system) is None


def _elements(matrix: Matrix) -> np.ndarray | scipy.sparse.csr_array:
    if isinstance(matrix, Tridiagonal):
        return np.concatenate([matrix.diagonal, matrix.upper])
    return matrix.matrix if isinstance(matrix, Sparse) else matrix


# --- binary entropy -------------------------------------------------------------------------------


def _entropy(filled: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Return ``H`` of (n, E) occupations, given with their complements."""
    # Imported here: numba takes long to import.
    from nessflow.scattering.terms.entropy import entropies

    both = (np.ascontiguousarray(x, float) for x in (filled, empty))
    return entropies(*both)


def _steep(lost: np.ndarray, occupation: np.ndarray) -> np.ndarray:
    """Return what entropies change by when occupations change by ``lost``, which is positive."""
    return lost * (1 - np.log(np.clip(occupation + lost, np.finfo(float).tiny, 1.0)))


def _entropy_change(
    filled: np.ndarray,
    empty: np.ndarray,
    change: np.ndarray,
    out: tuple[np.ndarray, np.ndarray],
    lost: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``H(f + change) - H(f)`` and the size of its terms, (n, E) each.

    ``out`` is f + change and its complement, of which the smaller may be off by ``lost`` beyond its
    last digit.
    """
    from nessflow.scattering.terms.entropy import entropy_changes

    given = (np.ascontiguousarray(x, float) for x in (filled, empty, change, *out, lost))
    result = np.empty((2, *change.shape))
    entropy_changes(*given, result)
    return result[0], result[1]


def _eigenvalues(matrices: np.ndarray) -> np.ndarray:
    """Return eigenvalues in [0, 1] of (n, n, E) stacks of Hermitian matrices, (n, E)."""
    if len(matrices) == 2:  # ten times as fast
        from nessflow.scattering.terms.entropy import eigenvalues_of_two

        return eigenvalues_of_two(np.ascontiguousarray(matrices, complex))
    return np.clip(np.linalg.eigvalsh(np.moveaxis(matrices, -1, 0)), 0.0, 1.0).T


def _eigenvalues_of_product(matrices: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return those of ``C^(1/2) x C^(1/2)``, C positive (n, n, E) and x real diagonal, (n, E)."""
    if len(matrices) == 2:
        first, second = matrices[0, 0].real * factors[0], matrices[1, 1].real * factors[1]
        beside = abs(matrices[1, 0]) ** 2
        rest = np.maximum(matrices[0, 0].real * matrices[1, 1].real - beside, 0.0)
        product, half = rest * factors[0] * factors[1], 0.5 * (first + second)
        # Of (a + b)^2 - 4 (ab - c) and (a - b)^2 + 4 c the one that is a sum of what is positive.
        mixed = factors[0] * factors[1]
        square = np.where(
            mixed > 0, 0.25 * (first - second) ** 2 + beside * mixed, half**2 - product
        )
        larger = half + np.copysign(np.sqrt(square), half)
        smaller = np.divide(product, larger, out=np.zeros_like(larger), where=larger != 0)
        return np.array([larger, smaller])
    levels, vectors = np.linalg.eigh(np.moveaxis(matrices, -1, 0))
    factor = vectors * np.sqrt(np.maximum(levels, 0.0))[:, None]
    return np.linalg.eigvalsh(factor.conj().swapaxes(1, 2) @ (factors.T[..., None] * factor)).T


# --- entropy of each kind of terminal -------------------------------------------------------------


Terms = tuple[np.ndarray, np.ndarray]
"""Values and sizes of what is added, (n, E) each."""


def _of_leads(rates: Rates) -> Terms:
    """Return ``H(f_out) - H(f)`` of each mode that leaves through a lead, (l, E) each."""
    if not rates.exchange:
        return np.zeros((0, rates.energies.size)), np.zeros((0, rates.energies.size))
    if rates.is_one_lead_each:
        return _of_one_lead_each(rates)
    terms = [_of_terminal(x) for x in rates.exchange]
    values, sizes = (np.concatenate(column) for column in zip(*terms, strict=True))
    return values, sizes


def _of_one_lead_each(rates: Rates) -> Terms:
    # Imported here: numba takes long to import.
    from nessflow.scattering.terms.entropy import entropies_of_leads

    values, sizes = result = np.empty((2, *rates.filled.shape))
    entropies_of_leads(*rates.reflections, *rates.occupations, rates.mean, result)
    if not rates.keeps_digits:
        sizes += [_cancelled(x) for x in rates.exchange]
    return values, sizes


def _of_terminal(x: Exchange) -> Terms:
    """Return ``H(f_out) - H(f)`` of the modes that leave through one terminal, (m, E) each."""
    change, modes = _modes(-x.change)
    out = [
        _expectations(occupation * x.reflected + entering, modes)
        for occupation, entering in ((x.filled, x.incoming), (x.empty, x.vacant))
    ]
    filled, empty = (np.broadcast_to(f, change.shape) for f in (x.filled, x.empty))
    # Occupations of modes that nothing reaches are zero up to rounding, of either sign.
    left, vacant = (np.maximum(x, 0.0) for x in out)
    lost = _reflected_nothing(x, (left, vacant))
    values, sizes = _entropy_change(filled, empty, change, (left, vacant), lost)
    sizes[0] += _cancelled(x)
    return values, sizes


def _reflected_nothing(x: Exchange, out: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return what outgoing occupations owe to a reflection of nothing but rounding, (m, E).

    Where all waves go through, ``r = -1 + i Gamma G`` is what is left of two numbers of size 1.
    """
    amplitude, size = abs(x.reflection), _EPSILON * x.reflection_size
    reflected = np.einsum("ace,bce->e", 2 * amplitude + size, size)
    return reflected * np.where(out[0] < out[1], x.filled, x.empty)


def _cancelled(x: Exchange) -> np.ndarray:
    """Return what interference leaves out of the change of a terminal's entropy, (E,)."""
    rates, a = x.rates, x.terminal
    if rates.keeps_digits:
        return np.zeros(rates.energies.size)
    lost = (rates.cancelled[a] * abs(rates.difference[a])).sum(axis=0)
    return _steep(lost, np.minimum(x.filled, x.empty))


def _modes(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, (m, E), and eigenvectors, (m, m, E), of Hermitian (m, m, E) matrices."""
    if len(matrices) == 1:
        return matrices[0].real, np.ones((1, 1, 1))
    values, vectors = np.linalg.eigh(np.moveaxis(matrices, -1, 0))
    return values.T, np.moveaxis(vectors, 0, -1)


def _expectations(matrices: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Return those of Hermitian (m, m, E) matrices in modes, (m, E)."""
    if len(matrices) == 1:
        return matrices[0].real
    return np.einsum("aje,abe,bje->je", modes.conj(), matrices, modes).real


def _of_one_reservoir(correlations: np.ndarray, entering: np.ndarray) -> Terms:
    """Return ``H`` of what leads send into channels that nothing else enters.

    ``correlations`` are ``sqrt(Gamma_a Gamma_b) (G^+ 2P G)_ab``, ``entering`` the occupations of
    the leads (holes for gain).
    """
    root = np.sqrt(entering)
    found = _eigenvalues(root[:, None] * correlations * root[None])
    values = _entropy(found, 1 - found)
    return values, values


def _of_merged(correlations: np.ndarray, filled: np.ndarray, occupation: np.ndarray) -> Terms:
    """Return the change of entropy of loss and gain as one terminal of an occupation, (E,)."""
    change = _eigenvalues_of_product(correlations, filled - occupation)
    change = np.clip(change, -occupation, 1 - occupation)
    start = np.full(change.shape, occupation)
    out = start + change, (1 - start) - change
    return _entropy_change(start, 1 - start, change, out, np.zeros_like(change))


def _outgoing(amplitudes: np.ndarray, entering: np.ndarray) -> np.ndarray:
    """Return the occupations of outgoing modes from those of all incoming ones, (n, E)."""
    blocks = (amplitudes * entering[:, None]) @ amplitudes.conj().swapaxes(1, 2)
    return _eigenvalues(np.moveaxis(blocks, 0, -1))


def _of_loss_and_gain(rates: Rates) -> Terms:
    """Return ``Tr H`` of what leaves through the loss and through the gain channels."""
    count = len(rates.system.terminals)
    fixed = np.array([np.zeros_like(rates.energies), np.ones_like(rates.energies)])
    filled = np.concatenate([rates.filled, fixed])
    empty = np.concatenate([rates.empty, fixed[::-1]])
    parts = []
    for system, here in rates.parts:
        places = np.arange(here.start, here.stop)
        for chosen in np.array_split(places, max(1, places.size * system.sites**2 // _BATCH)):
            s, terminal = scattering_matrix(system, rates.energies[chosen])
            loss, gain = terminal == count, terminal == count + 1
            particles, holes = (x[np.ix_(terminal, chosen)].T for x in (filled, empty))
            out = [_outgoing(s[:, loss], particles), _outgoing(s[:, gain], holes)]
            parts.append(sum(_entropy(x, 1 - x).sum(axis=0) for x in out))
    values = np.concatenate([np.empty(0), *parts])[None]
    return values, values


def _of_environment(system: OpenSystem) -> Callable[[Rates], Terms] | None:
    """Return the integrand of the loss and gain terminals."""
    if not (system.loss.any() or system.gain.any()):
        return None
    if needs_dense(system):
        return _of_loss_and_gain
    has_both = gain_to_loss_ratio(system) is not None
    return _of_reservoirs(has_both, bool(system.loss.any()))


@lru_cache  # one function for all systems that differ in what the rates say alone
def _of_reservoirs(has_both: bool, has_loss: bool) -> Callable[[Rates], Terms]:
    """Return the integrand of loss and gain, of one ratio at all sites, or of the one there is."""

    def integrand(rates: Rates) -> Terms:
        # What leads send into the reservoirs is what these send out in the transposed system.
        back, source = rates.transposed, rates.system.terminal_of_lead
        filled, empty = rates.filled[source], rates.empty[source]
        if has_both:
            ratio = rates.each(gain_to_loss_ratio)
            correlations = back.loss_correlations + back.gain_correlations
            return _of_merged(correlations.conj(), filled, ratio / (1 + ratio))
        if has_loss:
            return _of_one_reservoir(back.loss_correlations.conj(), filled)
        return _of_one_reservoir(back.gain_correlations.conj(), empty)

    return integrand


@lru_cache
def _integrand(environment: Callable[[Rates], Terms] | None) -> Callable[[Rates], Terms]:
    def integrand(rates: Rates) -> Terms:
        values, sizes = _of_leads(rates)
        if environment is not None:
            more, more_sizes = environment(rates)
            values, sizes = np.concatenate([values, more]), np.concatenate([sizes, more_sizes])
        return values.sum(axis=0)[None], sizes.sum(axis=0)[None]

    return integrand


def scattering_entropy_observable(system: OpenSystem) -> Observable[Estimate]:
    """Return the entropy production of scattering as something to integrate over the energy.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N) for each energy where `needs_dense` is false.

    Returns
    -------
    Observable of Estimate
        For `integrate_observables`: what `scattering_entropy_production` returns.
    """

    def result(found: Integral) -> Estimate:
        if not found.converged:
            return undefined("its energy integral did not converge")
        return Estimate(float(found.value[0]), float(found.error[0]))

    return Observable(
        _integrand(_of_environment(system)),
        result,
        # A Lorentzian of half width g has int H dw = 2 pi g, and int T dw = pi g.
        peak=4.0 * (len(system.leads) + 1),
        is_rounded=True,
    )


def scattering_entropy_production(system: OpenSystem, rtol: float = ACCURACY) -> Estimate:
    """Return how much more entropy leaves the terminals than enters them, per time.

    Finite and not negative for any loss and gain, any lead and temperature; zero in equilibrium.
    Where thermodynamics has a finite entropy production this one is at most that large: the
    relaxation inside the terminals adds to it.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N) for each energy where `needs_dense` is false.
    rtol : float
        Error over value aimed at.

    Returns
    -------
    Estimate
        In k_B t/hbar; undefined where neither the tolerance nor the rounding errors were met.
    """
    return integrate_observables(system, [scattering_entropy_observable(system)], rtol)[0]
