"""Counting statistics of the charge that a lead transfers.

Over a long time t the charge Q that lead a sends into the system has the generating function
``<e^{i lambda Q}> = e^{t chi(lambda)}`` with Levitov and Lesovik's determinant over all channels,
loss and gain included (`nessflow.scattering.noise`),

    chi(lambda) = int dw/2pi ln det[1 + n (s^+ e^{-i lambda 1_a} s e^{i lambda 1_a} - 1)].

One lead is one channel: counting changes the unit matrix by a matrix of rank two, and the
determinant is

    1 + p_out (e^{i lambda} - 1) + p_in (e^{-i lambda} - 1),
    p_out = f_a sum_{c != a} T_ac (1 - f_c),   p_in = (1 - f_a) sum_{c != a} T_ac f_c,

exactly, at any temperature: each energy is an attempt that moves one charge out of the lead, one
into it, or none, with probabilities made of transmissions into the lead alone.

The zeros of that polynomial in ``e^{i lambda}`` are real and negative (``4 p_out p_in <= p_0^2``),
so the logarithm has its principal value for ``|lambda| < pi``.  What the limit leaves out are
terms that do not grow as t, in particular ``ln t`` from sharp Fermi steps: t must be long against
the inverse temperature (temperature 0: against all other times) and the inverse band width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nessflow.scattering.quadrature import Integral
from nessflow.scattering.rates import Observable, Rates, integrate_observables
from nessflow.scattering.system import OpenSystem


def transfer_probabilities(rates: Rates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the probabilities that an attempt moves a charge, by lead.

    Parameters
    ----------
    rates : Rates
        Transmissions and occupations at some energies.

    Returns
    -------
    p_out, p_in : (l, E) float
        Probability that one charge leaves the lead, and that one enters it.
    p_0 : (l, E) float
        Probability of neither, ``|s_aa|^2 + f_a sum_c T_ac f_c + (1 - f_a) sum_c T_ac (1 - f_c)``,
        so that small ones keep their digits.
    """
    f, h = rates.filled, rates.empty
    reflection = abs(np.einsum("aae->ae", rates.amplitudes)) ** 2
    none = reflection + f * rates.incoming + h * rates.vacant
    return f * rates.vacant, h * rates.incoming, none


# --- cumulants ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ParticleCumulants:
    """Cumulants of the charge that each lead sends into the system, per unit time, hbar = 1.

    Attributes
    ----------
    leads : tuple of str
        The leads in order.
    cumulants, cumulants_error : (l, 4) float
        First (current) to fourth cumulant, in t/hbar; the second is ``S_aa``.
    converged : bool
        Whether every integral met the tolerance or its rounding errors.
    evaluations : int
        Number of energies at which the Green's function was evaluated.
    """

    leads: tuple[str, ...]
    cumulants: np.ndarray
    cumulants_error: np.ndarray
    converged: bool
    evaluations: int


def _mean_terms(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
    """Return ``p_out - p_in`` and the magnitude of its terms, without cancellation, (l, E)."""
    between = rates.leads * rates.difference
    loss, gain = rates.from_loss * rates.filled, rates.from_gain * rates.empty
    return between.sum(axis=1) + loss - gain, abs(between).sum(axis=1) + loss + gain


def _cumulant_integrand(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrands of the first cumulant of each lead, then of the second, and so on."""
    out, into, none = transfer_probabilities(rates)
    mean, size = _mean_terms(rates)
    moved = out + into
    variance = moved * none + 4 * out * into
    # p_0 holds |s_aa|^2, and s_aa = i Gamma_a G_aa - 1 is rounded as its larger term.
    amplitude = abs(np.einsum("aae->ae", rates.amplitudes))
    variance_size = variance + moved * amplitude * (1 + np.sqrt(np.einsum("aae->ae", rates.leads)))
    skewness = 1 - 3 * moved + 2 * mean**2
    fourth = [moved, -4 * mean**2, -3 * moved**2, 12 * moved * mean**2, -6 * mean**4]
    values = [mean, variance, mean * skewness, sum(fourth)]
    skewness_size = size * (1 + 3 * moved + 2 * mean**2)
    sizes = [size, variance_size, skewness_size, sum(map(abs, fourth))]
    return np.concatenate(values), np.concatenate(sizes)


def cumulants_observable(system: OpenSystem) -> Observable[ParticleCumulants]:
    """Return the cumulants of all leads as something to integrate over the energy.

    Raises
    ------
    ValueError
        When there is no lead.
    """
    names = tuple(lead.name for lead in system.leads)
    if not names:
        raise ValueError("the counting statistics of leads need a lead, the system has none")

    def result(found: Integral) -> ParticleCumulants:
        value, error = (x.reshape(4, len(names)).T for x in (found.value, found.error))
        return ParticleCumulants(names, value, error, found.converged, found.evaluations)

    return Observable(_cumulant_integrand, result)


def lead_cumulants(system: OpenSystem, rtol: float = 1e-10) -> ParticleCumulants:
    """Return the first four cumulants of the charge that each lead transfers.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead.
    rtol : float
        Error over value aimed at, for every cumulant by itself.  Rounding errors that are larger
        take its place and are part of the reported errors.

    Raises
    ------
    ValueError
        When there is no lead.
    """
    return integrate_observables(system, [cumulants_observable(system)], rtol)[0]


# --- generating function --------------------------------------------------------------------------


def _lead_index(system: OpenSystem, lead: str) -> int:
    names = [x.name for x in system.leads]
    if lead not in names:
        raise ValueError(f"no lead is named {lead!r}; the leads are {', '.join(names) or 'none'}")
    return names.index(lead)


def _logarithm(
    out: np.ndarray, into: np.ndarray, field: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return real and imaginary part of the determinant's logarithm, and their magnitudes."""
    real = -2 * (out + into) * np.sin(0.5 * field) ** 2
    imaginary = (out - into) * np.sin(field)
    square = np.maximum((1 + real) ** 2 + imaginary**2, np.finfo(float).tiny)
    # Near zero, an integrable singularity at pi, or near one: neither loses its digits.
    small = 0.5 * np.log1p(np.maximum(2 * real + real**2 + imaginary**2, -0.9))
    modulus = np.where(real < -0.5, 0.5 * np.log(square), small)
    # What rounding of real and imaginary part by their own size does to the logarithm.
    along, across = abs(1 + real), abs(imaginary)
    sizes = [
        (along * abs(real) + across**2) / square,
        (along * across + across * abs(real)) / square,
    ]
    phase = np.arctan2(imaginary, 1 + real)
    return [modulus, phase], [sizes[0] + abs(modulus), sizes[1] + abs(phase)]


def _generating_integrand(
    index: int, fields: np.ndarray
) -> Callable[[Rates], tuple[np.ndarray, np.ndarray]]:
    def integrand(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
        out, into, _ = (p[index] for p in transfer_probabilities(rates))
        values, sizes = zip(*(_logarithm(out, into, field) for field in fields), strict=True)
        return np.concatenate(values), np.concatenate(sizes)

    return integrand


def generating_function(
    system: OpenSystem, lead: str, counting_fields: np.ndarray, rtol: float = 1e-10
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``chi(lambda)``: ``<e^{i lambda Q}> = e^{t chi}`` for the charge Q that a lead sends.

    Parameters
    ----------
    system : OpenSystem
        The system.
    lead : str
        Name of the lead.
    counting_fields : (k,) array
        ``lambda``, between -pi and pi.
    rtol : float
        Error over value aimed at, for real and imaginary parts by themselves.

    Returns
    -------
    value : (k,) complex
        In t/hbar.
    error : (k,) float
        What the value may be wrong by.

    Raises
    ------
    ValueError
        When there is no such lead or a field is out of range.
    """
    index = _lead_index(system, lead)
    fields = np.atleast_1d(np.asarray(counting_fields, float))
    if not np.all(abs(fields) <= np.pi):
        raise ValueError("counting fields must lie between -pi and pi: chi has the period 2 pi")

    def result(found: Integral) -> tuple[np.ndarray, np.ndarray]:
        value, error = found.value.reshape(-1, 2), found.error.reshape(-1, 2)
        return value[:, 0] + 1j * value[:, 1], np.hypot(*error.T)

    observable = Observable(_generating_integrand(index, fields), result)
    return integrate_observables(system, [observable], rtol)[0]


# --- distribution ---------------------------------------------------------------------------------

_NEGLIGIBLE = 42.0
"""``e^-42`` is below the rounding errors of a probability."""
_LARGEST = 2**22
"""Charges above which a distribution is not tabulated."""


@dataclass(frozen=True, eq=False)
class ChargeDistribution:
    """Distribution of the charge that a lead sends into the system in a long time.

    Attributes
    ----------
    charge : (m,) int
        Charges, without gaps.
    probability : (m,) float
        Their probabilities.
    error : float
        What each probability may be wrong by: integrals, charges outside the table, and how far
        the long-time limit is from a distribution at all, that is the jump of ``e^{t chi}`` at
        ``lambda = -+pi`` and the largest negative probability.  Both are large where t is short
        against the width of a resonance (less than one attempt), or where there is no noise
        (perfect channels at temperature 0).
    """

    charge: np.ndarray
    probability: np.ndarray
    error: float


def _tail(system: OpenSystem, index: int, time: float, lowest: int, highest: int, spread: float):
    """Return Chernoff's bound of the probability of charges outside a range.

    ``P(Q >= m) <= exp(t chi(-i theta) - theta m)`` for every ``theta > 0``.
    """
    mean_to_end = 0.5 * (highest - lowest)
    theta = np.log1p(mean_to_end / max(spread, 1.0))

    def integrand(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
        out, into, _ = (p[index] for p in transfer_probabilities(rates))
        shifts = [out * np.expm1(x) + into * np.expm1(-x) for x in (theta, -theta)]
        values = np.log1p(np.array(shifts))
        return values, abs(values)

    def result(found: Integral) -> float:
        exponents = time * (found.value + found.error)
        above, below = exponents - theta * np.array([highest + 1, -(lowest - 1)])
        return float(np.exp(min(above, 0.0)) + np.exp(min(below, 0.0)))

    return integrate_observables(system, [Observable(integrand, result)], 1e-6)[0]


def charge_distribution(
    system: OpenSystem, lead: str, time: float, rtol: float = 1e-10
) -> ChargeDistribution:
    """Return the probabilities of the charges that a lead sends into the system.

    Parameters
    ----------
    system : OpenSystem
        The system.
    lead : str
        Name of the lead.
    time : float
        In hbar/t; long, see the module.
    rtol : float
        As for `generating_function`.

    Raises
    ------
    ValueError
        When there is no such lead, or the time is not positive or so long that more than some
        million charges have a probability.
    """
    index = _lead_index(system, lead)
    if not (time > 0 and np.isfinite(time)):
        raise ValueError(f"the time must be positive and finite, got {time}")
    mean, variance = lead_cumulants(system, rtol).cumulants[index, :2] * time
    half = int(np.ceil(10 + 9 * np.sqrt(variance)))
    if 2 * half > _LARGEST:
        raise ValueError(
            f"in the time {time:g} some {2 * half} charges have a probability; use lead_cumulants: "
            "the distribution is Gaussian but for its third and fourth cumulant"
        )
    lowest = round(mean) - half
    fields = np.pi * (np.arange(half + 1) / half)
    # |<e^{i lambda Q}>| <= exp(-(1 - cos lambda) <<Q^2>>): the zeros are real and negative.
    fields = fields[2 * variance * np.sin(0.5 * fields) ** 2 < _NEGLIGIBLE]
    value, error = generating_function(system, lead, fields, rtol)
    transform = np.zeros(half + 1, complex)
    transform[: fields.size] = np.exp(time * value - 1j * fields * lowest)
    probability = np.fft.irfft(transform.conj(), 2 * half)
    outside = _tail(system, index, time, lowest, lowest + 2 * half - 1, variance)
    unphysical = abs(transform[-1].imag) + max(0.0, -probability.min())
    inexact = np.sum(abs(transform[: fields.size]) * np.expm1(time * error)) / half
    rounding = 4 * np.finfo(float).eps
    return ChargeDistribution(
        np.arange(lowest, lowest + 2 * half),
        probability,
        float(outside + unphysical + inexact + rounding),
    )
