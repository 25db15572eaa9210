"""Counting statistics of the particles that a mixture carries at one momentum, and in a long time.

At momentum k the transferred number is ``+m`` (k > 0) or ``-m`` (k < 0) with

* fermions: m = 0 or 1, ``(1 - d, d)``: a Dirac comb of three teeth (67), (68);
* bosons: every m, ``d^m / (1 + d)^{m + 1}``: an infinite comb,

``d = d_mix(k)``.  Both have the generating function ``(1 + sign d (e^{i lambda} - 1))^sign`` with
sign +1 for fermions (65) and -1 for bosons.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import Polynomial

from nessflow.mixture.occupation import Occupations
from nessflow.mixture.quadrature import Nodes, integrate
from nessflow.mixture.state import Mixture


def transfer_probability(occupation: np.ndarray, number: int, sign: int) -> np.ndarray:
    """Return the probability that a number of particles moves at an occupation ``d``, (68).

    Parameters
    ----------
    occupation : (...) array
        ``d``.
    number : int
        0 or more.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    (...) float array
        The probability.
    """
    if sign > 0:
        return {0: 1 - occupation, 1: occupation}.get(number, np.zeros_like(occupation))
    return (occupation / (1 + occupation)) ** number / (1 + occupation)


# --- cumulants and moments at one momentum --------------------------------------------------------


@cache
def cumulant_factor(order: int, sign: int) -> Polynomial:
    """Return ``C_n(d) / (d (1 - sign d))`` of (63).

    ``C_1 = d`` and ``C_{n+1} = d (1 - sign d) dC_n/dd``.

    Parameters
    ----------
    order : int
        n, 2 or more.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    Polynomial
        In d.
    """
    if order == 2:
        return Polynomial([1.0])
    return cumulant(order - 1, sign).deriv()


@cache
def cumulant(order: int, sign: int) -> Polynomial:
    """Return the cumulant ``C_n(d)`` (63) of the transferred number, k > 0.

    Parameters
    ----------
    order : int
        n, 1 or more.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    Polynomial
        In d.
    """
    if order == 1:
        return Polynomial([0.0, 1.0])
    return Polynomial([0.0, 1.0, -float(sign)]) * cumulant_factor(order, sign)


@cache
def moment(order: int, sign: int) -> Polynomial:
    """Return the moment ``<m^n>`` of the transferred number; ``d`` for all n for fermions.

    Parameters
    ----------
    order : int
        n, 1 or more.
    sign : {1, -1}
        Fermions or bosons.

    Returns
    -------
    Polynomial
        In d.
    """
    if order == 1:
        return Polynomial([0.0, 1.0])
    lower = moment(order - 1, sign)
    next_one = Polynomial([0.0, 1.0, -float(sign)]) * lower.deriv() + Polynomial([0.0, 1.0]) * lower
    return next_one.trim()


def _absolute(polynomial: Polynomial) -> Polynomial:
    return Polynomial(abs(polynomial.coef))


def divided_difference(polynomial: Polynomial, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return ``(p(x) - p(y))/(x - y)``, also where x = y.

    Parameters
    ----------
    polynomial : Polynomial
        p.
    x, y : (...) arrays
        Of one shape.

    Returns
    -------
    (...) float array
        Without cancellation.
    """
    value = np.zeros_like(x)
    slope = np.zeros_like(x)
    for coefficient in polynomial.coef[::-1]:
        slope = slope * y + value
        value = value * x + coefficient
    return slope


def both_directions(
    polynomial: Polynomial, order: int, found: Occupations
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``p(d_mix(k)) + (-1)^order p(d_mix(-k))`` and the magnitude of its terms.

    Parameters
    ----------
    polynomial : Polynomial
        p, of `cumulant` or `moment`.
    order : int
        Its order.
    found : Occupations
        At the nodes of p panels.

    Returns
    -------
    value, size : (p, 21) float
        Size sets the rounding errors.
    """
    forward, backward = found.mixed
    if order % 2:
        value = found.flow * divided_difference(polynomial, forward, backward)
        size = divided_difference(_absolute(polynomial), forward, backward)
        return value, found.flow_size * size
    magnitude = _absolute(polynomial)
    return (
        polynomial(forward) + polynomial(backward),
        magnitude(found.mixed_size).sum(axis=0),
    )


def cumulant_of_both_directions(order: int, found: Occupations) -> tuple[np.ndarray, np.ndarray]:
    """Return ``C_n(d_mix(k)) + (-1)^n C_n(d_mix(-k))`` and the magnitude of its terms.

    Even orders keep the digits of a filled band, ``d (1 - d)`` being formed without cancellation.

    Parameters
    ----------
    order : int
        n, 1 or more.
    found : Occupations
        At the nodes of p panels.

    Returns
    -------
    value, size : (p, 21) float
        Size sets the rounding errors.
    """
    if order % 2:
        return both_directions(cumulant(order, found.sign), order, found)
    factor = cumulant_factor(order, found.sign)
    product = found.mixed * found.mixed_empty
    size = _absolute(factor)(found.mixed)
    sizes = found.mixed_size * found.mixed_empty * size
    return (product * factor(found.mixed)).sum(axis=0), sizes.sum(axis=0)


# --- generating function and distribution ---------------------------------------------------------


def _log_generating(
    occupation: np.ndarray, sign: int, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``sign ln(1 + sign d shift)``, ``shift = e^{i lambda} - 1``.

    Its real part, its imaginary part, and what their rounding errors are relative to; NumPy's
    complex ``log1p`` loses small real parts.
    """
    x, y = sign * occupation * shift.real, sign * occupation * shift.imag
    # Near zero, an integrable singularity at lambda = pi and d = 1/2; or near one.
    square = np.maximum((1 + x) ** 2 + y**2, np.finfo(float).tiny)
    near_one = 0.5 * np.log1p(np.maximum(2 * x + x**2 + y**2, -0.9))
    modulus = np.where(x < -0.5, 0.5 * np.log(square), near_one)
    size = (abs(x) + x**2 + y**2 + abs(y)) / np.maximum(abs(1 + x) + abs(y), 1e-8)
    return sign * modulus, sign * np.arctan2(y, 1 + x), size + abs(modulus)


def generating_function(
    mixture: Mixture, counting_fields: np.ndarray, rtol: float = 1e-12
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``chi(lambda)`` of the transferred number N: ``<e^{i lambda N}> = e^{t chi}``.

    (64) integrated over the momenta, ``int dk/2pi |k|/m``.

    Parameters
    ----------
    mixture : Mixture
        Of any number of reservoirs.
    counting_fields : (l,) array
        ``lambda``, complex ones between the singularities included.
    rtol : float
        Error over value aimed at, for real and imaginary parts by themselves.

    Returns
    -------
    value : (l,) complex
        In t/hbar.
    error : (l,) float
        What it may be wrong by.
    """
    fields = np.atleast_1d(np.asarray(counting_fields))
    shifts = [np.expm1(1j * sign * fields)[:, None, None] for sign in (1, -1)]

    def integrand(nodes: Nodes) -> tuple[np.ndarray, np.ndarray]:
        found = Occupations([mixture], nodes)
        parts = [
            _log_generating(d, found.sign, shift)
            for d, shift in zip(found.mixed, shifts, strict=True)
        ]
        real, imaginary, size = (sum(part) for part in zip(*parts, strict=True))
        return np.concatenate([real, imaginary]), np.concatenate([size, size])

    found = integrate([mixture], integrand, rtol)
    value, error = (x[:, 0].reshape(2, -1) / (2 * np.pi) for x in found[:2])
    return value[0] + 1j * value[1], np.hypot(*error)


@dataclass(frozen=True, eq=False)
class TransferDistribution:
    """Distribution of the particles transferred in a long time.

    Attributes
    ----------
    number : (m,) int
        Net numbers, without gaps.
    probability : (m,) float
        Their probabilities.
    error : float
        What each may be wrong by: integrals, numbers outside the table, and how far the long-time
        limit is from a distribution at all (largest negative probability, and the jump of
        ``e^{t chi}`` at ``lambda = pi``, which goes down as the time grows).
    """

    number: np.ndarray
    probability: np.ndarray
    error: float


_TAIL = 1e-13
_LARGEST = 2**16
"""Half of the numbers above which a distribution is not tabulated."""


def _largest_occupation(mixture: Mixture) -> float:
    edge = [-r.chemical_potential / max(r.temperature, 1e-300) for r in mixture.reservoirs]
    return 1 / np.expm1(min(edge)) if mixture.sign < 0 else 1.0


def _outside(mixture: Mixture, time: float, mean: float, half: int, variance: float) -> float:
    """Return Chernoff's bound of the probability of numbers ``half`` or more from the mean."""
    theta = np.log1p(half / max(variance, 1.0))
    if mixture.sign < 0:  # the generating function of bosons has a pole
        theta = min(theta, 0.9 * np.log1p(1 / _largest_occupation(mixture)))
    value, error = generating_function(mixture, np.array([-1j * theta, 1j * theta]), 1e-6)
    above, below = time * (value.real + error) - theta * (half + np.array([mean, -mean]))
    return float(np.exp(min(above, 0.0)) + np.exp(min(below, 0.0)))


def transfer_distribution(
    mixture: Mixture, time: float, mean: float, variance: float
) -> TransferDistribution:
    """Return the probabilities of the net number transferred from left to right in a long time.

    Parameters
    ----------
    mixture : Mixture
        Of any number of reservoirs.
    time : float
        In hbar/t, long against hbar over the temperature.
    mean, variance : float
        First two cumulants of the number, per unit time.

    Returns
    -------
    TransferDistribution
        Numbers without gaps, with their probabilities and an error of each.

    Raises
    ------
    ValueError
        When the time is not positive or so long that more than some ten thousand numbers count.
    """
    if not (time > 0 and np.isfinite(time)):
        raise ValueError(f"the time must be positive and finite, got {time:g}")
    mean, variance = mean * time, variance * time
    half = int(np.ceil(10 + 9 * np.sqrt(variance)))
    while (outside := _outside(mixture, time, mean, half - 1, variance)) > _TAIL:
        half *= 2
        if half > _LARGEST:
            raise ValueError(
                f"in the time {time:g} more than {_LARGEST} numbers count: take a shorter time or "
                "lower occupations"
            )
    lowest = round(mean) - half
    fields = np.pi * np.arange(half + 1) / half
    value, error = generating_function(mixture, fields)
    transform = np.exp(time * value - 1j * fields * lowest)
    probability = np.fft.irfft(transform.conj(), 2 * half)
    unphysical = abs(transform[-1].imag) / half + max(0.0, -probability.min())
    inexact = np.sum(abs(transform) * np.expm1(time * error)) / half
    rounding = 8 * np.finfo(float).eps
    number = np.arange(lowest, lowest + 2 * half)
    return TransferDistribution(number, probability, outside + unphysical + inexact + rounding)
