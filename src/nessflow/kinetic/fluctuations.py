"""Fluctuations of the current of a ring in the steady state, in three senses.

*Ballistic*: noise of the charge through a cut at times much shorter than 1/epsilon, when each mode
moves freely, ``(1/L) sum_a |v_a| n_a (1 - n_a)``.

*Equal-time*: L times the variance of the current ``I = (1/L) sum_a v_a n_a`` at a fixed number of
particles.  The ensemble alone, ``(1/L) sum v^2 n (1 - n)``, is wrong at leading order: the baths
correlate each pair of modes by 1/L, and there are L^2 pairs.  The covariance C of the occupations
obeys the linear noise equation ``M C + C M^T + D = 0``, ``M_ba = d(dn_b/dt)/dn_a``,
``D_ab = delta_ab sum_c (f_ac + f_ca) - f_ab - f_ba``, ``f_ab = n_a w_ab (1 - n_b)``.

*Zero frequency*: ``L int <dI(t) dI(0)> dt`` over times longer than 1/epsilon, proportional to
1/epsilon.

M is a diagonal matrix and a few columns, so nothing here costs more than the number of modes.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import ellipk, ellipkm1

from nessflow.estimate import Estimate
from nessflow.kinetic.steady import SteadyState

_EXPONENT = 36.0
"""Half of the nodes of an integral over the frequency miss ``exp(-36)`` of it."""
_BEYOND = 4.0
"""How far relaxation may be beyond the rates of single modes before more nodes are needed."""
_REFINED = (1, 2, 4, 8, 16)
"""How many times more nodes are tried."""
_SMALL = 0.1
"""Error of an integral over the frequency, in units of that of rates and occupations, at which no
more nodes are tried."""
_BLOCK = 2**19
"""Elements of the largest arrays."""
_EPS = np.finfo(float).eps


class Fluctuations(NamedTuple):
    """Fluctuations per cell, see the module.

    Attributes
    ----------
    ballistic_noise : Estimate
        In t/hbar.
    ensemble_variance, current_variance : Estimate
        L times the variance of the current without and with correlations of modes, in (t/hbar)^2.
    particle_noise : Estimate
        At zero frequency, in t/hbar.
    current_slope : Estimate
        ``dI/d(N/L)``, in t/hbar; a number of particles that fluctuates by ``Var N`` from run to run
        adds ``current_slope^2 Var N / L`` to the variance.
    """

    ballistic_noise: Estimate
    ensemble_variance: Estimate
    current_variance: Estimate
    particle_noise: Estimate
    current_slope: Estimate


def fluctuations(state: SteadyState) -> Fluctuations:
    """Return the fluctuations of the particle current.

    Modes that no process reaches keep their occupation; they count in the ballistic noise and in
    the variance of the ensemble alone.

    Parameters
    ----------
    state : SteadyState
        Modes, occupations and their errors.

    Returns
    -------
    Fluctuations
        Per cell.
    """
    bands = state.equation.bands
    length, spread = bands.length, state.occupation * state.vacancy
    relative, velocity = state.log_odds.error + 4 * _EPS, bands.velocity
    ballistic, ensemble = abs(velocity.value) * spread, velocity.value**2 * spread
    wrong = velocity.error * spread
    squared = (2 * abs(velocity.value) + velocity.error) * wrong
    linear = _LinearNoise(state)
    worst = linear.relative_error
    variance, quadrature = linear.variance()
    squared_spread = float(linear.velocity_error**2 @ (linear.filled * linear.empty))
    quadrature += 2 * np.sqrt(linear.ensemble_variance * squared_spread) + squared_spread
    slope = float(linear.velocity @ linear.zero_mode)
    slope_size = float(abs(linear.velocity) @ abs(linear.zero_mode))
    slope_error = float(linear.velocity_error @ abs(linear.zero_mode))
    return Fluctuations(
        Estimate(
            float(ballistic.sum()) / length, float(ballistic @ relative + wrong.sum()) / length
        ),
        Estimate(
            float(ensemble.sum()) / length, float(ensemble @ relative + squared.sum()) / length
        ),
        Estimate(variance / length, (quadrature + worst * linear.ensemble_variance) / length),
        linear.particle_noise(),
        Estimate(slope, worst * slope_size + slope_error),
    )


def particle_noise(state: SteadyState) -> Estimate:
    """Return the zero-frequency noise of the particle current alone.

    Parameters
    ----------
    state : SteadyState
        Modes, occupations and their errors.

    Returns
    -------
    Estimate
        As in `Fluctuations`, in t/hbar.
    """
    return _LinearNoise(state).particle_noise()


def correlation_shift(state: SteadyState) -> np.ndarray:
    """Return how much correlations change the occupations, to first order in 1/L.

    The rate equation leaves out the covariance ``C_ab`` of occupations at a fixed number of
    particles: ``M dn + g = 0`` with ``g_b = sum_a (w_ba - w_ab) C_ab``, a not b.

    Parameters
    ----------
    state : SteadyState
        Modes and occupations; of few modes, since the cost is their number cubed.

    Returns
    -------
    (modes,) float array
        0 for modes that are not free.
    """
    linear = _LinearNoise(state)
    out, into = linear.columns
    rates = out @ into.T
    covariance = linear.covariance()
    np.fill_diagonal(covariance, 0.0)
    force = np.sum((rates - rates.T) * covariance, axis=1)
    shift = np.zeros(state.equation.modes)
    shift[state.free] = -np.linalg.solve(linear.matrix, force)
    return shift


class _LinearNoise:
    """M, D and the velocities on the free modes, without the mode that moves particles' number."""

    def __init__(self, state: SteadyState):
        equation, free = state.equation, state.free
        # Imported here: numba takes long to import.
        from nessflow.kinetic.kernels import noise_factors

        self.filled, self.empty = state.linear.n, state.linear.vacancy
        gain, drain = state.linear.gain, state.linear.drain
        self.rate, self.flow = gain + drain, gain * self.empty + drain * self.filled
        change = state.response(np.zeros(len(free)), 1.0)[free]
        self.zero_mode = change / change.sum()
        self.velocity = equation.bands.velocity.value[free]
        self.velocity_error = equation.bands.velocity.error[free]
        self.projected = self.velocity - self.velocity @ self.zero_mode
        self.ensemble_variance = float(self.projected**2 @ (self.filled * self.empty))
        # M^T = -rate - two one^T; the number's mode is moved from 0 into the others.
        rates = equation.out[free], equation.into[free], self.filled, self.empty, self.rate
        self.one, self.two, small = noise_factors(*rates, self.zero_mode, self.projected)
        self.inverse = np.linalg.inv(small)
        condition = float(max(1.0, abs(self._solved(self.rate)).max()))
        # Relative error of matrix elements, times what solving with M multiplies it by.
        relative = state.log_odds.error[free] + 4 * _EPS
        self.relative_error = float(10 * relative.max() * condition)
        self.length = equation.bands.length

    def _solved(self, known: np.ndarray) -> np.ndarray:
        """Return ``(-M^T)^{-1} known``."""
        from nessflow.kinetic.kernels import noise_solved

        return noise_solved(self.one, self.two, self.inverse, self.rate, known)

    def particle_noise(self) -> Estimate:
        """Return ``w^T D w / L``, ``w = (-M^T)^{-1} v``.

        It is a sum of squares over all jumps.
        """
        w = self._solved(self.projected)
        w = w - np.average(w, weights=self.flow)
        out, into = self.columns
        jumps = ((self.filled * w) @ out) @ ((self.empty * w) @ into)
        wrong = abs(self._solved(self.velocity_error))
        # A square of a difference is at most twice the sum of both squares.
        error = 4 * float(self.flow @ ((abs(w) + wrong) * wrong))
        noise = float(self.flow @ w**2 - 2 * jumps)
        return Estimate(noise / self.length, (self.relative_error * noise + error) / self.length)

    def variance(self) -> tuple[float, float]:
        """Return ``v^T C v`` and the error of the integral over the frequency.

        ``C = n (1 - n) + int e^{Mt} R e^{M^T t} dt`` with R of few columns, ``R = X - Y`` plus its
        transpose, ``X = n out (x) n (1-n) into``, ``Y = n^2 out (x) (1-n) into``.
        """
        for more in _REFINED:
            terms = self._terms(more)
            fine, coarse = terms.sum(), 2 * terms[::2].sum()
            missed, size = abs(fine - coarse), abs(terms).sum()
            if missed <= _SMALL * self.relative_error * self.ensemble_variance:
                break
        return self.ensemble_variance + float(fine), float(missed + _EPS * size)

    def _terms(self, more: int) -> np.ndarray:
        """Return what each node contributes to the integral of `variance`, an odd number."""
        from nessflow.kinetic.kernels import noise_spectrum

        slow, fast = self.rate.min() / _BEYOND, self.rate.max() * _BEYOND
        frequency, weight = _nodes(slow, fast, more)
        step = max(1, _BLOCK // (self.one.shape[1] * self.two.shape[1]))
        parts = [frequency[k : k + step] for k in range(0, len(frequency), step)]
        found = [noise_spectrum(part, self.rate, self.one, self.two) for part in parts]
        # At the last node, infinity, without the inverse of the frequency.
        solved = np.vstack([*found, self.projected @ self.one])
        # The factors of R: (1-n) into, n out, the zero mode, n (1-n) into, n^2 out.
        count = (solved.shape[1] - 1) // 4
        d, a = solved[:, :count], solved[:, count : 2 * count]
        b, c = solved[:, 2 * count + 1 : 3 * count + 1], solved[:, 3 * count + 1 :]
        return weight * 2 / np.pi * np.sum((a * b.conj() - c * d.conj()).real, axis=1)

    @cached_property
    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the modes that lose and gain, balanced, (modes, columns) each."""
        count = self.two.shape[1] // 2 - 1
        return -self.two[:, :count], -self.two[:, count : 2 * count]

    @property
    def matrix(self) -> np.ndarray:
        """M, the number's mode moved."""
        return -np.diag(self.rate) - self.one[:, : len(self.inverse)] @ self.two[:, :-1].T

    def covariance(self) -> np.ndarray:
        """Return C."""
        out, into = self.columns
        jumps = (self.filled[:, None] * out) @ (self.empty[:, None] * into).T
        diffusion = np.diag(self.flow) - jumps - jumps.T
        return scipy.linalg.solve_continuous_lyapunov(self.matrix, -diffusion)


def _nodes(slow: float, fast: float, more: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and weights of an integral from 0 to infinity, between rates of decay.

    The trapezoidal rule in u where ``w = slow sc(u)``, the quotient of Jacobi's elliptic functions
    of the modulus that belongs to ``slow/fast``: functions with poles at the imaginary frequencies
    from ``slow`` to ``fast`` have a period in u and no pole within a strip of the largest width
    (N. Hale, N. J. Higham, L. N. Trefethen, SIAM J. Numer. Anal. 46, 2505 (2008)).  The last weight
    is that of the limit of ``w^2 f`` at infinity, a node without frequency.
    """
    ratio = slow / fast
    period = ellipkm1(ratio**2)
    half = more * int(np.ceil(_EXPONENT * period / (2 * np.pi * ellipk(ratio**2))))
    step = period / (2 * half)
    low = slow * _tangent(step * np.arange(half + 1), ratio)
    # Symmetric about the middle in its logarithm.
    frequency = np.concatenate([low, slow * fast / low[-2:0:-1]])
    weight = step * np.hypot(slow, frequency) * np.hypot(1.0, frequency / fast)
    weight[0] /= 2
    return frequency, np.append(weight, 0.5 * step / fast)


def _tangent(u: np.ndarray, other: float) -> np.ndarray:
    """Return Jacobi's ``sc(u)`` up to half of the quarter period; ``other``: of the other modulus.

    By Landen's transformation, which squares that modulus until the hyperbolic sine is left.
    """
    if other < _EPS:
        return np.sinh(u)
    less = (other / (1 + np.sqrt(1 - other**2))) ** 2
    tangent = _tangent(u / (1 + less), less)
    return (1 + less) * tangent / (1 - less * tangent**2)
