"""Closed forms for weights that are steps (9), and the current of Gaussian ones (11).

Beside the quadrature of `nessflow.mixture.transport`, each the other's test.  Errors are rounding
estimates; where a result is a difference of two reservoirs' terms, they are those of the terms, so
that the quadrature is the better one near equilibrium.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, gamma, hyp2f1

from nessflow.estimate import Estimate
from nessflow.mixture.polylogarithm import bose_polylogarithm, fermi_polylogarithm
from nessflow.mixture.state import GaussianWeights, Mixture, Reservoir, StepWeights

_ROUNDING = 16 * np.finfo(float).eps
_STEEP = 37.0
"""``e^-37`` is below the rounding error of 1."""


def _measured(terms: list[float], relative: float = _ROUNDING) -> Estimate:
    """Return a sum with its rounding estimate."""
    return Estimate(float(np.sum(terms)), relative * float(np.sum(np.abs(terms))))


def _weighted(
    mixture: Mixture, weights: np.ndarray, term: Callable[[Reservoir], float]
) -> Estimate:
    return _measured([w * term(r) for w, r in zip(weights, mixture.reservoirs, strict=True)])


def _steps(mixture: Mixture) -> StepWeights:
    if not isinstance(mixture.weights, StepWeights):
        raise ValueError("closed forms need step weights; use nessflow.mixture.transport")
    return mixture.weights


def _polylogarithm(order: float, reservoir: Reservoir, sign: int) -> float:
    """Return ``T^s`` times minus or plus ``Li_s(-+e^{mu/T})``, also at temperature 0."""
    mu, temperature = reservoir.chemical_potential, reservoir.temperature
    if sign < 0:
        return float(temperature**order * bose_polylogarithm(order, mu / temperature))
    # Far inside the band what the temperature adds to the power law is below rounding.
    if mu > 1e8 * temperature:
        return mu**order / gamma(order + 1)
    if temperature == 0:
        return 0.0
    return float(temperature**order * fermi_polylogarithm(order, mu / temperature))


def density(mixture: Mixture) -> Estimate:
    """Return ``int dk/2pi d_mix``, (42) with (44).

    Parameters
    ----------
    mixture : Mixture
        With step weights.

    Returns
    -------
    Estimate
        In 1/a.

    Raises
    ------
    ValueError
        When the weights are no steps.
    """
    weights = _steps(mixture)
    scale = np.sqrt(mixture.mass / (8 * np.pi))
    return _weighted(
        mixture,
        scale * (weights.forward + weights.backward),
        lambda r: _polylogarithm(0.5, r, mixture.sign),
    )


def particle_current(mixture: Mixture) -> Estimate:
    """Return the mean current, (53) with (56) or (57).

    For bosons the logarithm of (56) is ``-ln(1 - e^{mu/T})``.

    Parameters
    ----------
    mixture : Mixture
        With step weights, or fermions with Gaussian ones.

    Returns
    -------
    Estimate
        From left to right, in t/hbar.

    Raises
    ------
    ValueError
        When the weights are neither steps nor Gaussian, or Gaussian for bosons.
    """
    if isinstance(mixture.weights, GaussianWeights):
        return _gaussian_current(mixture)
    weights = _steps(mixture)
    return _weighted(
        mixture,
        (weights.forward - weights.backward) / (2 * np.pi),
        lambda r: _polylogarithm(1, r, mixture.sign),
    )


def energy_current(mixture: Mixture) -> Estimate:
    """Return the mean energy current (75).

    Parameters
    ----------
    mixture : Mixture
        With step weights.

    Returns
    -------
    Estimate
        From left to right, in t^2/hbar.

    Raises
    ------
    ValueError
        When the weights are no steps.
    """
    weights = _steps(mixture)
    return _weighted(
        mixture,
        (weights.forward - weights.backward) / (2 * np.pi),
        lambda r: _polylogarithm(2, r, mixture.sign),
    )


def _gaussian_current(mixture: Mixture) -> Estimate:
    """Return (57): ``int_0^inf d omega/2pi e^{-2 m xi omega} d(omega)`` of both reservoirs."""
    if mixture.sign < 0:
        raise ValueError("the closed form (57) is one of fermions; use nessflow.mixture.transport")
    weights: Any = mixture.weights
    rate = 2 * mixture.mass * weights.decay
    first, second = mixture.reservoirs
    return _measured([_damped_filling(rate, first), -_damped_filling(rate, second)], 16 * _ROUNDING)


def _damped_filling(rate: float, reservoir: Reservoir) -> float:
    """Return (54) for the imbalance ``e^{-rate omega}``, divided by 2 pi.

    (57) has 2F1 at ``-e^{mu/T}``, which overflows; Pfaff's transformation brings the argument to
    the Fermi function at the band bottom, ``z = f(0) <= 1``:
    ``2F1(1, c - 1; c; -y) = (1 - z) 2F1(1, 1; c; z)``.
    """
    mu, temperature = reservoir.chemical_potential, reservoir.temperature
    if temperature == 0:
        return -np.expm1(-rate * max(mu, 0.0)) / (2 * np.pi * rate)
    order, filling = rate * temperature, float(expit(mu / temperature))
    if mu > _STEEP * temperature:
        # Sommerfeld's integral over the whole line; what it leaves out is below rounding.
        exponent = -rate * mu - np.log(np.sinc(order)) if order < 0.9 else -np.inf
        return -np.expm1(exponent) / (2 * np.pi * rate)
    return temperature * filling / (1 + order) * _hypergeometric(order, filling) / (2 * np.pi)


def _hypergeometric(order: float, z: float) -> float:
    """Return ``2F1(1, 1; 2 + order; z)``; SciPy's gives up where the order is large."""
    if order < 50:
        return float(hyp2f1(1, 1, 2 + order, z))
    n = np.arange(80)
    return 1 + float(np.sum(np.cumprod((n + 1) * z / (2 + order + n))))


def _log_ratio(a: float, b: float, step: float) -> float:
    """Return ``ln((1 + e^b)/(1 + e^a))`` for ``step = b - a >= 0``, without cancellation."""
    if step < 1:
        return float(np.log1p(expit(a) * np.expm1(step)))
    if a > 0:
        return float(step + np.log1p(np.exp(-b)) - np.log1p(np.exp(-a)))
    return float(np.logaddexp(0, b) - np.logaddexp(0, a))


def noise_at_equal_temperature(mixture: Mixture) -> Estimate:
    """Return ``P_0`` (123) of two reservoirs of one temperature, fermions.

    ``T/4pi [c_11 f_1(0) + c_22 f_2(0) + c_12 coth((mu_1 - mu_2)/2T) ln((1 + e^{mu_1/T}) / (1 +
    e^{mu_2/T}))]``; the last term tends to ``2 f(0)`` for equal chemical potentials.

    Parameters
    ----------
    mixture : Mixture
        With step weights.

    Returns
    -------
    Estimate
        In t/hbar.

    Raises
    ------
    ValueError
        When it does not apply.
    """
    weights = _steps(mixture)
    temperatures = {r.temperature for r in mixture.reservoirs}
    if len(mixture.reservoirs) != 2 or len(temperatures) != 1 or mixture.sign < 0:
        raise ValueError("(123) needs two reservoirs of fermions at one temperature")
    c_plus, c_minus = weights.forward[0] - 0.5, weights.backward[0] - 0.5
    squares, linear = 2 * (c_plus**2 + c_minus**2), 2 * (c_plus + c_minus)
    temperature = temperatures.pop()
    mu = [r.chemical_potential for r in mixture.reservoirs]
    if temperature == 0:
        mixed = abs(max(mu[0], 0.0) - max(mu[1], 0.0))
        return _measured([(1 - squares) * mixed / (4 * np.pi)])
    x = np.array(mu) / temperature
    filling = expit(x)
    step = (mu[0] - mu[1]) / temperature
    mixed = 2 * filling[0]
    if step:
        mixed = _log_ratio(x.min(), x.max(), abs(step)) / np.tanh(0.5 * abs(step))
    terms = [
        (1 + squares + linear) * filling[0],
        (1 + squares - linear) * filling[1],
        (1 - squares) * mixed,
    ]
    return _measured([temperature / (4 * np.pi) * term for term in terms])


# --- linear response of one gate, in units of x = mu/T --------------------------------------------


_CLASSICAL = -700.0
"""``mu/T`` below which ``e^x`` has no digits and particles are as if they were alone."""


def _bose(order: int, x: np.ndarray) -> np.ndarray:
    """Return ``(e^-x - 1) Li_order(e^x)``, down to `_CLASSICAL`."""
    x = np.maximum(x, _CLASSICAL)
    return np.expm1(-x) * bose_polylogarithm(order, x)


def seebeck_number(x: np.ndarray, sign: int) -> np.ndarray:
    """Return ``s = <omega - mu>/T`` over the thermal window, step weights.

    Fermions ``(1 + e^-x) ln(1 + e^x) - x``, bosons (x < 0) ``-x - (e^-x - 1) ln(1 - e^x)``.

    Parameters
    ----------
    x : (...) array
        ``mu/T``, below 0 for bosons.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    (...) float array
        In k_B/e.
    """
    x = np.asarray(x, float)
    if sign < 0:
        return np.where(x < _CLASSICAL, 1 - x, -x + _bose(1, x))[()]
    q, rest = np.exp(-abs(x)), np.log1p(np.exp(-abs(x)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below = np.where(x > _CLASSICAL, (1 + 1 / q) * rest, 1.0) - x
    return np.where(x > 0, q * abs(x) + (1 + q) * rest, below)[()]


def lorenz_number(x: np.ndarray, sign: int) -> np.ndarray:
    """Return the Lorenz number (85) of step weights at ``x = mu/T``.

    With the thermal conductance at fixed chemical potential, particles flowing with the heat.  For
    bosons ``x^2 + (e^-x - 1)(2 x ln(1 - e^x) + 2 Li_2(e^x))``.  (82) lacks a factor 2 before its
    last dilogarithm; (85) has it.  For x > 0 in a form without the cancelling squares of (85).

    Parameters
    ----------
    x : (...) array
        ``mu/T``, below 0 for bosons.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    (...) float array
        In (k_B/e)^2.
    """
    x = np.asarray(x, float)
    if sign < 0:
        dilute = 2 - 2 * x
        return x**2 + np.where(x < _CLASSICAL, dilute, 2 * (_bose(2, x) - x * _bose(1, x)))[()]
    q, rest = np.exp(-abs(x)), np.log1p(np.exp(-abs(x)))
    dilogarithm = fermi_polylogarithm(2, -abs(x))
    inside = -q * x**2 + (1 + q) * (np.pi**2 / 3 - 2 * abs(x) * rest - 2 * dilogarithm)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steep = np.where(x > _CLASSICAL, (1 + 1 / q) * (2 * dilogarithm - 2 * x * rest), 2 - 2 * x)
    return np.where(x > 0, inside, x**2 + steep)[()]
