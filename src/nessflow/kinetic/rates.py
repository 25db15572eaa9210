"""Transition rates between the modes of a ring, as products of few columns.

The rate from mode a to mode b is ``sum_r out[a, r] into[b, r]``.  A thermal bath and an operator
that is a product ``(sum x^*_i c_i^+)(sum y_i c_i)`` have one column; so a right-hand side costs as
much as there are modes, not the square of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nessflow.kinetic.bands import Bands

LARGEST_EXPONENT = 300.0
"""Largest logarithm of a ratio of thermal rates; beyond it numbers overflow."""
_EPS = np.finfo(float).eps
ROUNDED = 1e-14
"""A rate of several columns, relative to the largest, that is zero but for rounding."""
_ZERO = 1e-28
"""A squared amplitude, relative to the largest, that is zero but for rounding."""


@dataclass(frozen=True)
class Channel:
    """Rates of one process, ``strength sum_r out[a, r] into[b, r]`` from mode a to mode b.

    Attributes
    ----------
    name : str
        ``equilibrium`` or ``nonequilibrium``.
    out, into : ndarray
        (modes, columns).
    strength : float
        Factor of all rates, in t/hbar.
    out_error, into_error : ndarray, optional
        What the columns may be wrong by; four roundings of each number unless told.
    """

    name: str
    out: np.ndarray
    into: np.ndarray
    strength: float = 1.0
    out_error: np.ndarray = None  # type: ignore[assignment]  # an array is made of it
    into_error: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name in ("out", "into"):
            columns = np.ascontiguousarray(getattr(self, name), dtype=float)
            error = getattr(self, f"{name}_error")
            error = 4 * _EPS * abs(columns) if error is None else np.ascontiguousarray(error)
            object.__setattr__(self, name, columns)
            object.__setattr__(self, f"{name}_error", error)

    def rates(self, rows: slice = slice(None)) -> np.ndarray:
        """Return the rates from some modes to all.

        Parameters
        ----------
        rows : slice
            Those modes; all unless told.

        Returns
        -------
        (rows, modes) float array
            In t/hbar.
        """
        return self.strength * np.maximum(self.out[rows] @ self.into.T, 0.0)

    def reverse_rates(self, rows: slice = slice(None)) -> np.ndarray:
        """Return the rates from all modes to some.

        Parameters
        ----------
        rows : slice
            Those modes; all unless told.

        Returns
        -------
        (rows, modes) float array
            In t/hbar; the row is where to.
        """
        return self.strength * np.maximum(self.into[rows] @ self.out.T, 0.0)

    def rates_error(self, rows: slice = slice(None)) -> np.ndarray:
        """Return what the rates from some modes to all may be wrong by.

        Parameters
        ----------
        rows : slice
            Those modes; all unless told.

        Returns
        -------
        (rows, modes) float array
            In t/hbar.
        """
        return self.strength * (
            self.out_error[rows] @ abs(self.into).T + abs(self.out[rows]) @ self.into_error.T
        )

    def reverse_rates_error(self, rows: slice = slice(None)) -> np.ndarray:
        """Return what the rates from all modes to some may be wrong by.

        Parameters
        ----------
        rows : slice
            Those modes; all unless told.

        Returns
        -------
        (rows, modes) float array
            In t/hbar; the row is where to.
        """
        return self.strength * (
            self.into_error[rows] @ abs(self.out).T + abs(self.into[rows]) @ self.out_error.T
        )

    @property
    def is_product(self) -> bool:
        """Whether the rates are one column times another."""
        return self.out.shape[1] == 1


@lru_cache(maxsize=4)
def thermal_channel(bands: Bands, inverse_temperature: float) -> Channel:
    """Return ``e^{beta (e_a - e_b)/2}``, which obeys detailed balance (eqs. 8 and 18).

    Parameters
    ----------
    bands : Bands
        The modes.
    inverse_temperature : float
        beta, in 1/t.

    Returns
    -------
    Channel
        One column, of strength 1.

    Raises
    ------
    ValueError
        When a rate overflows.
    """
    exponent = inverse_temperature * bands.width / 2
    if not exponent <= LARGEST_EXPONENT:
        raise ValueError(
            f"rates of the equilibrium bath reach exp({exponent:.4g}): inverse temperature "
            f"{inverse_temperature:g} times the band width {bands.width:g} must be at most "
            f"{2 * LARGEST_EXPONENT:g}"
        )
    middle = (bands.energy.value.max() + bands.energy.value.min()) / 2
    half = inverse_temperature * (bands.energy.value - middle)[:, None] / 2
    error = _EPS * (2 + abs(half)) + inverse_temperature * bands.energy.error[:, None] / 2
    out, into = np.exp(half), np.exp(-half)
    return Channel("equilibrium", out, into, out_error=error * out, into_error=error * into)


def operator_channels(bands: Bands, operators: Sequence[np.ndarray]) -> list[Channel]:
    """Return the rates of operators ``L_j = sum_{mn} c_{j+m}^+ M_mn c_{j+n}`` on every cell j.

    The rate is ``|sum_mn e^{-ipm} u_p^+ M_mn u_k e^{ikn}|^2`` from the mode of momentum k to that
    of p (eqs. 9, 12 and 22): one channel for each operator, of as many columns as the square of
    the rank of M.

    Parameters
    ----------
    bands : Bands
        Modes of the ring.
    operators : sequence of ndarray
        Each M over cell and orbital, row ``cell * orbitals + orbital`` of the creation operator,
        column of the annihilation operator; (n b, n b) for operators on n neighbouring cells.

    Returns
    -------
    list of Channel
        One for each operator, of strength 1.

    Raises
    ------
    ValueError
        When an operator has another shape, is not finite or zero.
    """
    require_operators(operators, bands.count)
    return [_operator_channel(bands, np.asarray(m, dtype=complex)) for m in operators]


def require_operators(operators: Sequence[np.ndarray], orbitals: int) -> None:
    """Check that matrices over cell and orbital are operators of a dissipator.

    Parameters
    ----------
    operators : sequence of ndarray
        As for `operator_channels`.
    orbitals : int
        Orbitals in a cell.

    Raises
    ------
    ValueError
        When an operator has another shape, is not finite or zero.
    """
    for operator in operators:
        _require_operator(np.asarray(operator), orbitals)


def _require_operator(matrix: np.ndarray, orbitals: int) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] % orbitals:
        raise ValueError(
            f"an operator of the dissipator has the shape {matrix.shape}; expected a square matrix "
            f"over cells times {orbitals} orbitals"
        )
    if not np.isfinite(matrix).all():
        raise ValueError("the rates cannot be normalised: an operator has an element not finite")
    if not matrix.any():
        raise ValueError("the rates cannot be normalised: an operator of the dissipator is zero")


def _operator_channel(bands: Bands, matrix: np.ndarray) -> Channel:
    sites = np.arange(matrix.shape[0] // bands.count)
    phases = np.exp(1j * bands.mode_momentum[:, None] * sites)
    local = (phases[:, :, None] * bands.states[:, None, :]).reshape(len(phases), -1)
    left, weight, right = np.linalg.svd(matrix)
    rank = int(np.sum(weight > 1e-14 * weight[0]))
    creation = left[:, :rank] * np.sqrt(weight[:rank])
    annihilation = right[:rank].T * np.sqrt(weight[:rank])
    created, annihilated = local.conj() @ creation, local @ annihilation
    pairs = [(s, other) for s in range(rank) for other in range(s + 1)]
    out, into = [], []
    for s, other in pairs:
        one = annihilated[:, s] * annihilated[:, other].conj()
        two = created[:, s] * created[:, other].conj()
        out += [one.real] if s == other else [2 * one.real, -2 * one.imag]
        into += [two.real] if s == other else [two.real, two.imag]
    leaving, entering = np.array(out).T, np.array(into).T
    if rank == 1:
        leaving, entering = _without_rounding(leaving), _without_rounding(entering)
    # Terms of an amplitude have the rounding of phase and state.
    terms = _EPS * (2 + abs(bands.mode_momentum)[:, None] * sites)[:, :, None]
    terms = terms * abs(bands.states[:, None, :]) + bands.state_error[:, None, None]
    terms = terms.reshape(local.shape)
    errors = [
        _products_error(abs(amplitude), terms @ np.linalg.norm(vectors, axis=1), pairs)
        for amplitude, vectors in ((annihilated, annihilation), (created, creation))
    ]
    return Channel("nonequilibrium", leaving, entering, 1.0, *errors)


def _products_error(size: np.ndarray, wrong: np.ndarray, pairs: list) -> np.ndarray:
    """Return the error of products of two amplitudes, each wrong by ``wrong``, (modes, columns)."""
    columns = []
    for s, other in pairs:
        error = (size[:, s] + size[:, other] + wrong) * wrong
        columns += [error] if s == other else [2 * error, 2 * error]
    return np.array(columns).T


def _without_rounding(column: np.ndarray) -> np.ndarray:
    """Return squared amplitudes, those zero that are zero but for rounding."""
    return np.where(column > _ZERO * column.max(), column, 0.0)


def product_operator(created: Sequence[complex], annihilated: Sequence[complex]) -> np.ndarray:
    """Return M of ``L_j = (sum_m x_m c_{j+m}^+)(sum_n y_n c_{j+n})``.

    Eq. 15 has x = (1, delta) and y = (1, -delta').

    Parameters
    ----------
    created, annihilated : sequence of complex
        x and y.

    Returns
    -------
    (m, n) complex array
        M.
    """
    # What is not finite is refused where operators are checked, in words.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.outer(created, annihilated)


def coefficient_channel(
    bands: Bands, coefficients: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Channel:
    """Return the rates of ``L_q = sum_k Delta(k, q) c_{k-q}^+ c_k`` for one band (eq. 9).

    Any dependence on k and q: as many columns as momenta, the cost is the square of the length.

    Parameters
    ----------
    bands : Bands
        One band.
    coefficients : callable
        ``Delta(k, q)`` for arrays of one shape, q in [-pi, pi).

    Returns
    -------
    Channel
        Of strength 1.

    Raises
    ------
    ValueError
        When there are several bands, or a coefficient is not finite, or all are zero.
    """
    if bands.count != 1:
        raise ValueError(f"coefficients Delta(k, q) belong to one band, there are {bands.count}")
    # Exact integers, so that no transfer changes its place at the edge of the zone by rounding.
    step = np.arange(bands.length)
    transfer = (step[:, None] - step + bands.length // 2) % bands.length - bands.length // 2
    k = np.broadcast_to(bands.momentum[:, None], transfer.shape)
    rates = abs(np.asarray(coefficients(k, 2 * np.pi * transfer / bands.length))) ** 2
    return matrix_channel(np.broadcast_to(rates, k.shape))


def matrix_channel(rates: np.ndarray) -> Channel:
    """Return the channel of given rates from mode (row) to mode (column).

    Parameters
    ----------
    rates : (modes, modes) array
        From mode (row) to mode (column).

    Returns
    -------
    Channel
        As many columns as modes, of strength 1.

    Raises
    ------
    ValueError
        When a rate is negative or not finite, or all are zero.
    """
    if not np.isfinite(rates).all():
        raise ValueError("the rates cannot be normalised: one is not finite")
    if (rates < 0).any():
        raise ValueError(f"the rates cannot be normalised: one is negative, {rates.min():g}")
    if not rates.any():
        raise ValueError("the rates cannot be normalised: all are zero")
    return Channel("nonequilibrium", np.array(rates, dtype=float), np.eye(len(rates)))
