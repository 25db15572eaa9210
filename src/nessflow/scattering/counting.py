"""Counting statistics of the charge that a lead transfers.

Over a long time t the charge Q that terminal a, one lead or several, sends into the system has the
generating function ``<e^{i lambda Q}> = e^{t chi(lambda)}`` with Levitov and Lesovik's determinant
over all channels, loss and gain included (`nessflow.scattering.noise`),

    chi(lambda) = int dw/2pi ln det[1 + n (s^+ e^{-i lambda 1_a} s e^{i lambda 1_a} - 1)].

One lead is one channel.  Counting the m leads of a terminal changes the unit matrix by a matrix of
rank 2 m, and the determinant is that of the m by m matrix

    1 + P_out (e^{i lambda} - 1) + P_in (e^{-i lambda} - 1),   P_out = f_a H',  P_in = (1 - f_a) N',

with ``N' = sum_{c != a} s_ac f_c s_ac^+`` and the same of vacancies, ``H'``, exactly, at any
temperature.  For one lead they are numbers, ``N' = sum_{c != a} T_ac f_c``: each energy is an
attempt that moves one charge out of the lead, one into it, or none, with probabilities made of
transmissions into the lead alone.

Every expectation value of that matrix is ``p_0 + p_out e^{i lambda} + p_in e^{-i lambda}`` with
``4 p_out p_in <= p_0^2``, because ``sqrt(f H') + sqrt((1-f) N') <= sqrt(H' + N') <= 1``.  So the
zeros of the determinant in ``e^{i lambda}`` are real and negative, and the logarithms of the
matrix's pivots have their principal values for ``|lambda| < pi``.  What the limit leaves out are
terms that do not grow as t, in particular ``ln t`` from sharp Fermi steps: t must be long against
the inverse temperature (temperature 0: against all other times) and the inverse band width.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nessflow.estimate import Estimate
from nessflow.spectrum.quadrature import Integral
from nessflow.spectrum.rates import Exchange, Observable, Rates, integrate_observables
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.system import OpenSystem

Terms = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]
"""Values of integrands and the magnitudes that set their rounding errors."""


def transfer_matrices(terminal: Exchange) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the matrices of probabilities that an attempt moves a charge.

    Parameters
    ----------
    terminal : Exchange
        What a terminal exchanges with all others at some energies.

    Returns
    -------
    p_out, p_in : (m, m, E)
        ``f H'``, that one charge leaves the terminal, and ``(1 - f) N'``, that one enters it.
    p_0 : (m, m, E)
        Neither: ``1 - p_out - p_in = r r^+ + f N' + (1 - f) H'``, so that small ones keep their
        digits.
    """
    f, h = terminal.filled, terminal.empty
    none = terminal.reflected + f * terminal.incoming + h * terminal.vacant
    return f * terminal.vacant, h * terminal.incoming, none


def _product(*matrices: np.ndarray) -> np.ndarray:
    """Return the product of (m, m, E) stacks of matrices."""
    return functools.reduce(_product_of_two, matrices)


def _product_of_two(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first * second if len(first) == 1 else np.einsum("abe,bce->ace", first, second)


def _trace(*matrices: np.ndarray) -> np.ndarray:
    """Return the real trace of a product of (m, m, E) stacks of matrices, (E,)."""
    *rest, last = matrices
    if len(last) == 1:
        return _product(*matrices)[0, 0].real
    if not rest:
        return np.einsum("aae->e", last).real
    return np.einsum("abe,bae->e", _product(*rest), last).real


# --- cumulants ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ParticleCumulants:
    """Cumulants of the charge that each lead sends into the system, per unit time, hbar = 1.

    Attributes
    ----------
    terminals : tuple of str
        The terminals of the leads in order.
    cumulants : Estimate
        (t, 4): first (current) to fourth cumulant, in t/hbar; the second is ``S_aa``.
    converged : bool
        Whether every integral met the tolerance or its rounding errors.
    evaluations : int
        Number of energies at which the Green's function was evaluated.
    """

    terminals: tuple[str, ...]
    cumulants: Estimate
    converged: bool
    evaluations: int


def _cumulant_terms(
    terminal: Exchange, mean: np.ndarray, size: np.ndarray, cancelled: np.ndarray
) -> Terms:
    """Return the integrands of the cumulants of one terminal, (4, E) each.

    Derivatives of ``Tr ln[1 + D sinh x + S (cosh x - 1)]`` at x = 0, ``D = P_out - P_in``,
    ``S = P_out + P_in``.  The first one and its size are given, and what cancelled in all.
    """
    out, into, none = transfer_matrices(terminal)
    change, moved = terminal.change, out + into
    square = _product(change, change)
    spread, total = _trace(square), _trace(moved)
    variance = _trace(moved, none) + 4 * _trace(out, into)
    # P_0 holds r r^+, and r = i Gamma G - 1 is rounded as its larger term.
    root = np.sqrt(np.einsum("aae->ae", moved).real)
    sizes = abs(terminal.reflection), terminal.reflection_size
    amplitude, amplitude_size = ((root[:, None] * x).sum(axis=0) for x in sizes)
    variance_size = variance + (amplitude * amplitude_size).sum(axis=0)
    third = mean - 3 * _trace(change, moved) + 2 * _trace(square, change)
    fourth = [
        total,
        -4 * spread,
        -3 * _trace(moved, moved),
        12 * _trace(square, moved),
        -6 * _trace(square, square),
    ]
    values = [mean, variance, third, sum(fourth)]
    third_size, fourth_size = size * (1 + 3 * total + 2 * spread), sum(map(abs, fourth))
    every = [size, variance_size, third_size, fourth_size]
    return values, [own + cancelled for own in every]


def _cumulant_integrand(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrands of the cumulants of the first terminal, of the second, and so on."""
    if rates.is_one_lead_each:
        return _of_one_lead_each(rates)
    cancelled = rates.cancelled_exchange
    terms = map(_cumulant_terms, rates.exchange, rates.mean, rates.mean_sizes, cancelled)
    values, sizes = zip(*terms, strict=True)
    return np.concatenate(values), np.concatenate(sizes)


def _of_one_lead_each(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
    # Imported here: numba takes long to import.
    from nessflow.scattering.terms.fluctuations import cumulant_terms

    count, energies = rates.filled.shape
    values, sizes = np.empty((2, 4 * count, energies))
    mean = rates.mean, rates.mean_sizes
    cumulant_terms(
        *rates.reflections, *rates.occupations, *mean, rates.exchange_sizes, values, sizes
    )
    return values, sizes


def cumulants_observable(system: OpenSystem) -> Observable[ParticleCumulants]:
    """Return the cumulants of all leads as something to integrate over the energy.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead.

    Returns
    -------
    Observable of ParticleCumulants
        For `integrate_observables`.

    Raises
    ------
    ValueError
        When there is no lead.
    """
    names = tuple(terminal.name for terminal in system.terminals)
    if not names:
        raise ValueError("the counting statistics of leads need a lead, the system has none")

    def result(found: Integral) -> ParticleCumulants:
        value, error = (x.reshape(len(names), 4) for x in (found.value, found.error))
        cumulants = Estimate(value, error)
        return ParticleCumulants(names, cumulants, found.converged, found.evaluations)

    return Observable(_cumulant_integrand, result)


def lead_cumulants(system: OpenSystem, rtol: float = ACCURACY) -> ParticleCumulants:
    """Return the first four cumulants of the charge that each lead transfers.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead.
    rtol : float
        Error over value aimed at, for every cumulant by itself.  Rounding errors that are larger
        take its place and are part of the reported errors.

    Returns
    -------
    ParticleCumulants
        Cumulants by terminal, with their errors.

    Raises
    ------
    ValueError
        When there is no lead.
    """
    return integrate_observables(system, [cumulants_observable(system)], rtol)[0]


# --- generating function --------------------------------------------------------------------------


def _lead_index(system: OpenSystem, lead: str) -> int:
    names = [x.name for x in system.terminals]
    if lead not in names:
        raise ValueError(f"no lead is named {lead!r}; the leads are {', '.join(names) or 'none'}")
    return names.index(lead)


def _pivots(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x with ``det(1 + K) = prod(1 + x)``, and sizes of real and imaginary part, (m, E).

    Gaussian elimination without exchange of rows.  A pivot ``1 + x`` is the inverse of an
    expectation value of an inverse matrix, so its phase is within those of the expectation values
    of ``1 + K``.  Small K keep their digits.
    """
    rest, sizes, found = matrices, abs(matrices.real) + 1j * abs(matrices.imag), []
    while len(rest):
        found.append((rest[0, 0], sizes[0, 0]))
        update = rest[1:, :1] * rest[:1, 1:] / (1 + rest[0, 0])
        rest, sizes = rest[1:, 1:] - update, sizes[1:, 1:] + (1 + 1j) * abs(update)
    pivots, pivot_sizes = (np.array(column) for column in zip(*found, strict=True))
    return pivots, pivot_sizes


def _logarithm(terminal: Exchange, field: float) -> Terms:
    """Return real and imaginary part of the determinant's logarithm, and their magnitudes."""
    out, into, _ = transfer_matrices(terminal)
    shift = -2 * np.sin(0.5 * field) ** 2 * (out + into) + 1j * np.sin(field) * terminal.change
    pivots, pivot_sizes = _pivots(shift)
    real, imaginary = pivots.real, pivots.imag
    real_size, imaginary_size = pivot_sizes.real, pivot_sizes.imag
    square = np.maximum((1 + real) ** 2 + imaginary**2, np.finfo(float).tiny)
    # Near zero, an integrable singularity at pi, or near one: neither loses its digits.
    small = 0.5 * np.log1p(np.maximum(2 * real + real**2 + imaginary**2, -0.9))
    modulus = np.where(real < -0.5, 0.5 * np.log(square), small)
    # What rounding of real and imaginary part by their own size does to the logarithm.
    along, across = abs(1 + real), abs(imaginary)
    sizes = [
        (along * real_size + across * imaginary_size) / square + abs(modulus),
        (along * imaginary_size + across * real_size) / square,
    ]
    phase = np.arctan2(imaginary, 1 + real)
    sizes[1] = sizes[1] + abs(phase)
    return [x.sum(axis=0) for x in (modulus, phase)], [x.sum(axis=0) for x in sizes]


def _generating_integrand(
    index: int, fields: np.ndarray
) -> Callable[[Rates], tuple[np.ndarray, np.ndarray]]:
    def integrand(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
        terminal = rates.exchange[index]
        values, sizes = zip(*(_logarithm(terminal, field) for field in fields), strict=True)
        return np.concatenate(values), np.concatenate(sizes)

    return integrand


def generating_function(
    system: OpenSystem, lead: str, counting_fields: np.ndarray, rtol: float = ACCURACY
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``chi(lambda)``: ``<e^{i lambda Q}> = e^{t chi}`` for the charge Q that a lead sends.

    Parameters
    ----------
    system : OpenSystem
        The system.
    lead : str
        Name of the lead, or of the terminal of several leads.
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


def _tail(
    system: OpenSystem, index: int, time: float, lowest: int, highest: int, spread: float
) -> float:
    """Return Chernoff's bound of the probability of charges outside a range.

    ``P(Q >= m) <= exp(t chi(-i theta) - theta m)`` for every ``theta > 0``.
    """
    mean_to_end = 0.5 * (highest - lowest)
    theta = np.log1p(mean_to_end / max(spread, 1.0))

    def integrand(rates: Rates) -> tuple[np.ndarray, np.ndarray]:
        out, into, _ = transfer_matrices(rates.exchange[index])
        shifts = [out * np.expm1(x) + into * np.expm1(-x) for x in (theta, -theta)]
        values = np.array([np.log1p(_pivots(shift)[0].real).sum(axis=0) for shift in shifts])
        return values, abs(values)

    def result(found: Integral) -> float:
        exponents = time * (found.value + found.error)
        above, below = exponents - theta * np.array([highest + 1, -(lowest - 1)])
        return float(np.exp(min(above, 0.0)) + np.exp(min(below, 0.0)))

    return integrate_observables(system, [Observable(integrand, result)], 1e-6)[0]


def charge_distribution(
    system: OpenSystem, lead: str, time: float, rtol: float = ACCURACY
) -> ChargeDistribution:
    """Return the probabilities of the charges that a lead sends into the system.

    Parameters
    ----------
    system : OpenSystem
        The system.
    lead : str
        Name of the lead, or of the terminal of several leads.
    time : float
        In hbar/t; long, see the module.
    rtol : float
        As for `generating_function`.

    Returns
    -------
    ChargeDistribution
        Charges without gaps, with their probabilities and an error of each.

    Raises
    ------
    ValueError
        When there is no such lead, or the time is not positive or so long that more than some
        million charges have a probability.
    """
    index = _lead_index(system, lead)
    if not (time > 0 and np.isfinite(time)):
        raise ValueError(f"the time must be positive and finite, got {time}")
    mean, variance = lead_cumulants(system, rtol).cumulants.value[index, :2] * time
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
