"""What is said of one point: its variables with their limits, their values, and the status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache, cached_property
from typing import Any

import numpy as np

from nessflow.estimate import Estimate

_LEAST = np.finfo(float).tiny


class Status(IntEnum):
    """Outcome of one point, stored in the variable ``status``."""

    OK = 0
    NOT_CONVERGED = 1
    EXCEPTION = 2
    TIME_LIMIT = 3
    SUSPECT = 4


@dataclass(frozen=True)
class Limits:
    """Where the values of a variable lie by mathematics, whatever the parameters.

    A point with a value beyond them by more than its error, or with an error larger than the whole
    range, is suspect (``nessflow.run.judge``).

    Attributes
    ----------
    lower, upper : float or array
        Smallest and largest value; arrays have shapes that fit the variable.
    broken : str
        What it means when a value is beyond them.
    semidefinite : bool or array of bool
        Whether the last two dimensions are a matrix without negative eigenvalue; an array says for
        which values of the other dimensions.
    """

    lower: float | np.ndarray = -np.inf
    upper: float | np.ndarray = np.inf
    broken: str = ""
    semidefinite: bool | np.ndarray = False

    @cached_property
    def bounded(self) -> bool:
        """Whether there is a smallest or a largest value."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @cached_property
    def is_semidefinite(self) -> bool:
        """Whether any matrix has no negative eigenvalue."""
        return bool(np.any(self.semidefinite))

    def __str__(self) -> str:
        """Return the limits in words, empty where there are none or they differ between values."""
        lower, upper = self.lower, self.upper
        if np.ndim(lower) or np.ndim(upper) or not self.bounded:
            return "no negative eigenvalue" if self.is_semidefinite else ""
        if np.isfinite(lower) and np.isfinite(upper):
            return f"{lower:g} to {upper:g}"
        return f"at least {lower:g}" if np.isfinite(lower) else f"at most {upper:g}"


ANYTHING = Limits()
PROBABILITY = Limits(0, 1)
NOT_NEGATIVE = Limits(0)
COVARIANCE = Limits(semidefinite=True)
SECOND_LAW = Limits(0, broken="the second law is violated")


@cache
def current_limits(leads: int) -> Limits:
    """Return the limits of the particle currents of all terminals: loss takes, gain gives."""
    lower, upper = np.full(leads + 2, -np.inf), np.full(leads + 2, np.inf)
    upper[leads] = lower[leads + 1] = 0.0
    return Limits(lower, upper)


@cache
def noise_limits(leads: int) -> Limits:
    """Return the limits of the noise of fermions between leads, whose cross noise is negative.

    See M. Buettiker, Phys. Rev. B 46, 12485 (1992).
    """
    own = np.eye(leads, dtype=bool)
    return Limits(np.where(own, 0.0, -np.inf), np.where(own, np.inf, 0.0), semidefinite=True)


@dataclass(frozen=True)
class Variable:
    """One stored quantity: its dimensions beyond the axes, natural units, long name and limits."""

    dims: tuple[str, ...]
    natural_units: str
    long_name: str
    limits: Limits = ANYTHING


@dataclass(frozen=True)
class Coordinate:
    """Values along one dimension of variables, that of its own name unless ``beside`` is another.

    Attributes
    ----------
    values : (n,) array
        Numbers or names.
    natural_units : str
        Their unit.
    long_name : str
        What they mean.
    beside : str
        Dimension whose values they describe further; empty for a dimension itself.
    """

    values: np.ndarray
    natural_units: str
    long_name: str
    beside: str = ""


@dataclass(frozen=True)
class Outcome:
    """Values of one point by variable name, with a status and the reason for it."""

    values: Mapping[str, Any]
    status: Status = Status.OK
    message: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Why a value is NaN by nature: variable name -> reason (not a failure)."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Limits that depend on the point, in place of those of the variable."""


def joined(*outcomes: Outcome) -> Outcome:
    """Return the outcomes of parts of a point as one, with the status of the first not ok."""
    status, message = next(
        ((x.status, x.message) for x in outcomes if x.status != Status.OK), (Status.OK, "")
    )
    values, notes, limits = (
        {name: value for x in outcomes for name, value in getattr(x, part).items()}
        for part in ("values", "notes", "limits")
    )
    return Outcome(values, status, message, notes, limits)


def status_of(unfinished: str = "", doubt: str = "") -> tuple[Status, str]:
    """Return the status of a point, and why it is not ok.

    Parameters
    ----------
    unfinished : str
        What did not converge; empty where all did.
    doubt : str
        Why values are doubtful though all converged; empty where they are not.

    Returns
    -------
    status : Status
        Of the point.
    message : str
        The first of both that is not empty.
    """
    if unfinished:
        return Status.NOT_CONVERGED, unfinished
    return (Status.SUSPECT, doubt) if doubt else (Status.OK, "")


def of_integrals(converged: bool) -> tuple[Status, str]:
    """Return the status of a point by its integrals over the energy, and why it is not ok."""
    return status_of("" if converged else "an energy integral did not converge")


def with_errors(variables: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return the variables, each followed by its ``_error``."""
    result = {}
    for name, variable in variables.items():
        result[name] = variable
        result[f"{name}_error"] = Variable(
            variable.dims, variable.natural_units, f"numerical error of {variable.long_name}"
        )
    return result


def outcome_of(
    variables: Mapping[str, Variable],
    estimates: Mapping[str, Estimate | np.ndarray | float],
    status: Status = Status.OK,
    message: str = "",
    limits: Mapping[str, Limits] | None = None,
    never_zero: Mapping[str, np.ndarray | bool] | None = None,
) -> Outcome:
    """Return the outcome of a point from what is known of each of its variables.

    Parameters
    ----------
    variables : mapping of str to Variable
        What is stored; errors where it names ``<name>_error``.
    estimates : mapping of str to Estimate, array or float
        By name; a value alone where no error is stored.
    status : Status
        Of the point.
    message : str
        Why it is not ok.
    limits : mapping of str to Limits, optional
        Those that depend on the point.
    never_zero : mapping of str to bool or array of bool, optional
        Variables that vanish by underflow alone, and which of their elements: there a zero gets an
        error, since one with the error zero is a true one.  Tails of occupations and waves that
        decay end at no distance, only below the least number of double precision.
    """
    never_zero, values, notes = never_zero or {}, {}, {}
    for name, found in estimates.items():
        if not isinstance(found, Estimate):
            found = Estimate(*found) if isinstance(found, tuple) else Estimate(found, np.nan)
        value, error, reason = found
        values[name] = value
        if f"{name}_error" in variables:
            if name in never_zero and not (value.all() if np.ndim(value) else value):
                hidden = never_zero[name] & (np.asarray(value) == 0) & (np.asarray(error) == 0)
                error = np.where(hidden, _LEAST, error)
            same = np.shape(error) == np.shape(value)
            values[f"{name}_error"] = error if same else np.broadcast_to(error, np.shape(value))
        if reason:
            notes[name] = reason
    return Outcome(values, status, message, notes, limits or {})
