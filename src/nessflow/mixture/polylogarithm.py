"""Polylogarithms of exponentials, ``Li_s(-e^x)`` and ``Li_s(e^x)``, in double precision.

Three expansions meet without cancellation; the integers 1 and 2 have functions of their own:

* x < -1: ``Li_s(z) = sum_n z^n / n^s``;
* near 0: ``-Li_s(-e^x) = sum_k eta(s - k) x^k / k!``,
  ``Li_s(e^x) = Gamma(1 - s) (-x)^{s - 1} + sum_k zeta(s - k) x^k / k!``;
* x > 1: Jonquiere's inversion
  ``Li_s(-e^x) = e^{i pi s/2} (2 pi)^s / Gamma(s) zeta(1 - s, q) - e^{i pi s} Li_s(-e^{-x})``,
  ``q = 1/2 - i x / 2 pi``, with Hurwitz's zeta by Euler and Maclaurin's formula.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bernoulli, factorial, gamma, spence, zeta

_POWERS = np.arange(1, 45)
_DIRECT = 12
"""Terms of Hurwitz's zeta summed before the asymptotic series."""
_BERNOULLI = bernoulli(24)


def _power_series(order: float, x: np.ndarray, sign: int) -> np.ndarray:
    """Return ``sum_n (-sign)^{n - 1} e^{n x} / n^s`` for x <= -1."""
    coefficients = (-sign) ** (_POWERS - 1.0) / _POWERS**order
    return np.exp(np.multiply.outer(x, _POWERS)) @ coefficients


def _taylor(order: float, x: np.ndarray, fermions: bool) -> np.ndarray:
    k = np.arange(36)
    coefficients = zeta(order - k) / factorial(k)
    if fermions:
        coefficients = coefficients * -np.expm1((1 - order + k) * np.log(2.0))
    return np.polynomial.polynomial.polyval(x, coefficients)


def _hurwitz(s: float, q: np.ndarray) -> np.ndarray:
    """Return Hurwitz's ``zeta(s, q)`` for complex q with a positive real part."""
    total = sum((q + n) ** -s for n in range(_DIRECT))
    a = q + _DIRECT
    total = total + a ** (1 - s) / (s - 1) + 0.5 * a**-s
    term = s * a ** (-s - 1)
    for j in range(1, _BERNOULLI.size // 2 + 1):
        total = total + _BERNOULLI[2 * j] / factorial(2 * j) * term
        term = term * (s + 2 * j - 1) * (s + 2 * j) / a**2
    return total


def _inverted(order: float, x: np.ndarray) -> np.ndarray:
    """Return ``-Li_s(-e^x)`` for x >= 1."""
    turned = np.exp(0.5j * np.pi * order)
    large = (
        turned * (2 * np.pi) ** order / gamma(order) * _hurwitz(1 - order, 0.5 - 0.5j * x / np.pi)
    )
    return -(large + turned**2 * _power_series(order, -x, 1)).real


def _piecewise(x: ArrayLike, branches: Any) -> np.ndarray:
    x = np.asarray(x, float)
    flat = np.atleast_1d(x)
    result = np.full(flat.shape, np.nan)
    for chosen, function in branches(flat):
        if chosen.any():
            result[chosen] = function(flat[chosen])
    return result.reshape(x.shape)[()]


def fermi_polylogarithm(order: float, x: ArrayLike) -> np.ndarray:
    """Return ``-Li_s(-e^x)``, positive, for s = 1, 2 or not an integer.

    Parameters
    ----------
    order : float
        s > 0.
    x : (...) array
        Any real number.

    Returns
    -------
    (...) float array
        Of the shape of x.
    """
    if order == 1:
        return np.logaddexp(0.0, x)
    if order == 2:
        return _piecewise(
            x,
            lambda v: [
                (v < -1, lambda y: _power_series(order, y, 1)),
                ((v >= -1) & (v <= 0), lambda y: -spence(1 + np.exp(y))),
                (v > 0, lambda y: 0.5 * y**2 + np.pi**2 / 6 + spence(1 + np.exp(-y))),
            ],
        )
    return _piecewise(
        x,
        lambda v: [
            (v < -1, lambda y: _power_series(order, y, 1)),
            (abs(v) <= 1, lambda y: _taylor(order, y, True)),
            (v > 1, lambda y: _inverted(order, y)),
        ],
    )


def bose_polylogarithm(order: float, x: ArrayLike) -> np.ndarray:
    """Return ``Li_s(e^x)`` for x < 0 and s = 1, 2 or not an integer.

    Parameters
    ----------
    order : float
        s > 0.
    x : (...) array
        Below 0.

    Returns
    -------
    (...) float array
        Of the shape of x; NaN where x is not below 0.
    """

    def near(y: np.ndarray) -> np.ndarray:
        if order == 1:
            return -np.log(-np.expm1(y))
        if order == 2:
            return spence(-np.expm1(y))
        return gamma(1 - order) * (-y) ** (order - 1) + _taylor(order, y, False)

    return _piecewise(
        x,
        lambda v: [
            (v < -1, lambda y: _power_series(order, y, -1)),
            ((v >= -1) & (v < 0), near),
        ],
    )
