"""Correlation matrix of the steady state.

Every terminal a fills the states that it sends into the system with its occupation ``f_a``,

    <c_i^+ c_j> = int dw/2pi sum_a f_a (G Gamma_a G^+)_ji,

with ``Gamma = 2P``, ``f = 0`` for loss and ``Gamma = 2Q``, ``f = 1`` for gain.  One dense Green's
function for each energy, O(N^3).
"""

from dataclasses import dataclass, replace

import numpy as np

from nessflow.solvers.dense import green
from nessflow.spectrum.bound_states import require_decay, require_no_bound_state
from nessflow.spectrum.mesh import known_poles
from nessflow.spectrum.narrow_states import background, narrow_states
from nessflow.spectrum.quadrature import Integral
from nessflow.spectrum.spectrum import ACCURACY, Spectrum
from nessflow.spectrum.statistics import bosonic_range, occupation
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem


@dataclass(frozen=True, eq=False)
class CorrelationMatrix:
    """Steady correlation matrix with its numerical error.

    Attributes
    ----------
    value : (N, N) complex
        ``<c_i^+ c_j>``; the diagonal holds the occupations of the sites.
    error : (N, N) float
        What the elements may be wrong by.
    converged : bool
        Whether every integral met the tolerance or its rounding errors.
    evaluations : int
        Number of energies at which the Green's function was evaluated.
    """

    value: np.ndarray
    error: np.ndarray
    converged: bool
    evaluations: int


def hermitian_components(matrices: np.ndarray) -> np.ndarray:
    """Return what Hermitian matrices are made of as real numbers.

    Parameters
    ----------
    matrices : (N, N, ...) complex
        Hermitian in the first two indices.

    Returns
    -------
    (N^2, ...) float array
        The diagonal, then the real and then the imaginary parts above it.
    """
    i, j = np.triu_indices(len(matrices), 1)
    diagonal = np.moveaxis(np.diagonal(matrices), -1, 0)
    return np.concatenate([diagonal.real, matrices[i, j].real, matrices[i, j].imag])


def hermitian_matrix(components: np.ndarray, sites: int) -> np.ndarray:
    """Return the Hermitian matrix of `hermitian_components`.

    Parameters
    ----------
    components : (N^2,) float
        As `hermitian_components` orders them.
    sites : int
        N.

    Returns
    -------
    (N, N) complex array
        The matrix.
    """
    i, j = np.triu_indices(sites, 1)
    real, imaginary = components[sites : sites + i.size], components[sites + i.size :]
    matrix = np.diag(components[:sites]).astype(complex)
    matrix[i, j], matrix[j, i] = real + 1j * imaginary, real - 1j * imaginary
    return matrix


def hermitian_result(found: Integral, sites: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix whose `hermitian_components` were integrated, and its errors.

    Parameters
    ----------
    found : Integral
        Of N^2 components.
    sites : int
        N.

    Returns
    -------
    matrix : (N, N) complex
        The integral.
    error : (N, N) float
        What its elements may be wrong by.
    """
    matrix, error = (hermitian_matrix(x, sites) for x in (found.value, found.error))
    # Errors of real and imaginary part, added as the sides of a rectangle.
    return matrix, abs(error)


def correlation_spectrum(
    system: OpenSystem, energies: np.ndarray, bosonic: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``sum_a f_a (G Gamma_a G^+)_ji`` and the sum of magnitudes in it.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.
    bosonic : bool
        Statistics.

    Returns
    -------
    value : (N, N, E) complex
        In 1/t.
    magnitude : (N, N, E) float
        What sets its rounding errors.
    """
    n, modes = system.sites, system.modes(energies)
    filled = [occupation(energies, lead, bosonic) for lead in system.leads]
    rates = modes.broadening * np.array(filled).reshape(len(system.leads), energies.size)
    vectors = modes.columns(n)
    gain = 2 * as_dense(system.gain) if system.gain.any() else None
    value = np.empty((energies.size, n, n), complex)
    magnitude = np.empty((energies.size, n, n))
    for batch, whole in green(system, energies):
        weight = rates[:, batch].T[:, None, :]
        columns, modulus = whole @ vectors[batch], abs(whole) @ abs(vectors[batch])
        value[batch] = (columns * weight) @ columns.conj().swapaxes(1, 2)
        magnitude[batch] = (modulus * weight) @ modulus.swapaxes(1, 2)
        if gain is not None:
            value[batch] += whole @ gain @ whole.conj().swapaxes(1, 2)
            modulus = abs(whole)
            magnitude[batch] += modulus @ abs(gain) @ modulus.swapaxes(1, 2)
    return value.transpose(2, 1, 0), magnitude.transpose(2, 1, 0)


def correlation_matrix(
    system: OpenSystem, rtol: float = ACCURACY, bosonic: bool = False
) -> CorrelationMatrix:
    """Return ``<c_i^+ c_j>`` of the steady state by error-controlled integration.

    Parameters
    ----------
    system : OpenSystem
        Any leads, loss and gain; every state must decay into some terminal.
    rtol : float
        Error over value aimed at, for real and imaginary part of every element by themselves.
        Rounding errors that are larger take its place and are part of the reported errors.
    bosonic : bool
        Bosons: Bose functions of the leads, which are then all that may couple.

    Returns
    -------
    CorrelationMatrix
        With its numerical errors.

    Raises
    ------
    ValueError
        When there is a bound state, `nessflow.spectrum.bound_states`, or bosons have loss, gain
        or a chemical potential that is not below all bands.
    """
    system = system.interpolated
    require_decay(system)
    limits, narrow, poles = (-np.inf, np.inf), [], known_poles(system)
    if bosonic:
        require_no_bound_state(system)
        limits = bosonic_range(system)
    else:
        narrow = narrow_states(system, poles)

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, magnitude = correlation_spectrum(system, energies, bosonic)
        i, j = np.triu_indices(system.sites, 1)
        sizes = [np.moveaxis(np.diagonal(magnitude), -1, 0), magnitude[i, j], magnitude[i, j]]
        return hermitian_components(value), np.concatenate(sizes)

    windows = [states.window for states in narrow]
    spectrum = Spectrum(system, rtol, limits, poles, everywhere=True, windows=windows)
    found = spectrum.integral(integrand)
    value, error = found.value, found.error
    for states in narrow:
        beside, wrong = background(integrand, states.window)
        value, error = value + beside, error + wrong
    value, error = hermitian_result(replace(found, value=value, error=error), system.sites)
    first, second = np.indices(value.shape)
    for states in narrow:
        more, wrong = states.filled.elements(second.ravel(), first.ravel())
        value, error = value + more.reshape(value.shape), error + wrong.reshape(value.shape)
    return CorrelationMatrix(value, error, found.converged, found.evaluations)
