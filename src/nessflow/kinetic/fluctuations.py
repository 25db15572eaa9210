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

from typing import NamedTuple

import numpy as np
import scipy.linalg

from nessflow.estimate import Estimate
from nessflow.kinetic.steady import SteadyState

_STEP = 0.2
"""Step of the logarithm of the frequency; twice of it gives the error."""
_TAIL = 15.0
"""How far frequencies go beyond all rates, in their logarithm; what is left is a series in the
square of the frequency, or of its inverse, of which 1e-13 is the second term over the first."""
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
    rates = linear.out @ linear.into.T
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
        n, empty = state.occupation, state.vacancy
        out, into = equation.out, equation.into
        gain, drain = into @ (out.T @ n), out @ (into.T @ empty)
        self.out, self.into = _balanced(out[free], into[free])
        self.filled, self.empty = n[free], empty[free]
        self.rate = (gain + drain)[free]
        self.flow = (gain * empty + drain * n)[free]
        change = state.response(np.zeros(len(n)), 1.0)[free]
        self.zero_mode = change / change.sum()
        self.velocity = equation.bands.velocity.value[free]
        self.velocity_error = equation.bands.velocity.error[free]
        self.projected = self.velocity - self.velocity @ self.zero_mode
        self.ensemble_variance = float(self.projected**2 @ (self.filled * self.empty))
        # M^T = -rate + V U^T; the number's mode is moved from 0 to -shift.
        n, empty = self.filled[:, None], self.empty[:, None]
        self.shift = float(np.median(self.rate))
        self.right = np.hstack([-self.out, -self.into, np.full((len(n), 1), self.shift)])
        self.left = np.hstack([empty * self.into, n * self.out, self.zero_mode[:, None]])
        inverse = self._solved(0.0, np.abs(self.rate))
        condition = float(max(1.0, abs(inverse.real).max()))
        # Relative error of matrix elements, times what solving with M multiplies it by.
        relative = state.log_odds.error[free] + 4 * _EPS
        self.relative_error = float(10 * relative.max() * condition)
        self.length = equation.bands.length

    def _solved(self, frequency: float, known: np.ndarray) -> np.ndarray:
        """Return ``(i frequency - M^T)^{-1} known``."""
        inverse = 1 / (1j * frequency + self.rate)
        small = np.eye(self.left.shape[1]) + (self.left.T * inverse) @ self.right
        columns = np.linalg.solve(small, self.left.T @ (inverse * known))
        return inverse * known - inverse * (self.right @ columns)

    def particle_noise(self) -> Estimate:
        """Return ``w^T D w / L``, ``w = (-M^T)^{-1} v``.

        It is a sum of squares over all jumps.
        """
        w = self._solved(0.0, self.projected).real
        w = w - np.average(w, weights=self.flow)
        jumps = ((self.filled * w) @ self.out) @ ((self.empty * w) @ self.into)
        wrong = abs(self._solved(0.0, self.velocity_error).real)
        # A square of a difference is at most twice the sum of both squares.
        error = 4 * float(self.flow @ ((abs(w) + wrong) * wrong))
        noise = float(self.flow @ w**2 - 2 * jumps)
        return Estimate(noise / self.length, (self.relative_error * noise + error) / self.length)

    def variance(self) -> tuple[float, float]:
        """Return ``v^T C v`` and the error of the integral over the frequency.

        ``C = n (1 - n) + int e^{Mt} R e^{M^T t} dt`` with R of few columns, ``R = X - Y`` plus its
        transpose, ``X = n out (x) n (1-n) into``, ``Y = n^2 out (x) (1-n) into``.
        """
        n, empty = self.filled[:, None], self.empty[:, None]
        columns = self.out.shape[1]
        low = np.log(self.rate.min()) - _TAIL
        high = np.log(self.rate.max()) + _TAIL
        points = low + _STEP * np.arange(2 * int((high - low) / (2 * _STEP)) + 1)
        frequency = np.exp(points)
        # Half of the factors of R are columns of `left`: (1-n) into and n out, in that order.
        one = np.hstack([self.left, n * empty * self.into, n**2 * self.out])
        two = np.hstack([self.right, self.projected[:, None]])
        step = max(1, _BLOCK // (one.shape[1] * two.shape[1]))
        parts = np.split(frequency, range(step, len(frequency), step))
        solved = np.concatenate([self._tested(part, one, two) for part in parts])
        d, a, b, c = np.split(np.delete(solved, 2 * columns, axis=1), 4, axis=1)
        terms = frequency * 2 * np.sum((a * b.conj() - c * d.conj()).real, axis=1)
        fine, coarse = _sum_of_all(terms, _STEP) / np.pi, _sum_of_all(terms[::2], 2 * _STEP) / np.pi
        ends = float(abs(terms[0]) + abs(terms[-1])) * np.exp(-2 * _TAIL)
        rounding = _EPS * float(abs(terms).sum()) * _STEP + ends
        return self.ensemble_variance + fine, abs(fine - coarse) + rounding

    def _tested(self, frequency: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Return what `one`, which begins with `left`, takes of ``(i w - M^T)^{-1} projected``."""
        products = self._products(frequency, one, two)
        size = self.left.shape[1]
        small = np.eye(size) + products[:, :size, :-1]
        columns = np.linalg.solve(small, products[:, :size, -1:])
        return (products[..., -1:] - products[..., :-1] @ columns)[..., 0]

    def _products(self, frequency: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Return ``one^T (i frequency + rate)^{-1} two`` for all frequencies."""
        pairs = one.shape[1] * two.shape[1]
        total = np.zeros((len(frequency), 2 * pairs))
        step = max(1, _BLOCK // max(2 * pairs, len(frequency)))
        for first in range(0, len(one), step):
            block = slice(first, first + step)
            rate = self.rate[block]
            outer = (one[block, :, None] * two[block, None, :]).reshape(-1, pairs)
            # 1 / (i w + rate) = (rate - i w) / (w^2 + rate^2), by products of real matrices.
            square = frequency[:, None] ** 2 + rate**2
            total += (1 / square) @ np.hstack([rate[:, None] * outer, outer])
        result = total[:, :pairs] - 1j * frequency[:, None] * total[:, pairs:]
        return result.reshape(-1, one.shape[1], two.shape[1])

    @property
    def matrix(self) -> np.ndarray:
        """M, the number's mode moved."""
        return -np.diag(self.rate) - self.left @ self.right.T

    def covariance(self) -> np.ndarray:
        """Return C."""
        matrix = self.matrix
        jumps = (self.filled[:, None] * self.out) @ (self.empty[:, None] * self.into).T
        diffusion = np.diag(self.flow) - jumps - jumps.T
        return scipy.linalg.solve_continuous_lyapunov(matrix, -diffusion)


def _sum_of_all(terms: np.ndarray, step: float) -> float:
    """Return the integral over a logarithm of what falls as its exponential beyond both ends."""
    beyond = (terms[0] + terms[-1]) / np.expm1(step)
    return float(terms.sum() + beyond) * step


def _balanced(out: np.ndarray, into: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns with equal largest elements of each pair."""
    scale = np.sqrt(abs(out).max(axis=0) / abs(into).max(axis=0))
    return out / scale, into * scale
