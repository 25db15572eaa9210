"""What a kind of study has to provide.

A kind is a module in ``nessflow.studies``, a file of the project's folder ``parts`` or an entry
point (`nessflow.registry`); ``steady-current`` is the module ``steady_current``.  It defines

``Parameters``
    A pydantic model of one point, every ``$axis`` replaced by its value.
``VARIABLES``
    ``dict[str, Variable]``: what ``evaluate`` returns for one point, each with the limits that
    mathematics sets; limits that depend on the point are part of its ``Outcome``.
    Every kind of this package has a particle current, its zero-frequency noise and the entropy
    production: their names end in `FLOWS`, a word before says of what (``net_``, ``steady_``,
    ``spectral_``); each has an ``_error``, and is NaN with its reason where it has no value.
``CONVENTIONS``
    Lines of text on signs, factors and numbering, for ``nessflow describe``.
``coordinates(parameters)``
    ``dict[str, Coordinate]``: one entry for each dimension named in ``VARIABLES``.  They may
    depend on outer axes (the sites of a chain whose length is an outer axis), never on inner ones
    or on the sample.  The data of a study have every value that occurs, numbers in order (one
    number where 12 digits agree), and NaN where a point has no such value.
``is_random(parameters)``
    Whether ``evaluate`` draws random numbers (an ensemble makes sense);
    `nessflow.studies.variables.never_random` where it does not.
``evaluate(parameters, rng)``
    ``Outcome`` of one point.  ``rng`` is None where ``is_random`` is false; what is drawn comes
    from ``nessflow.studies.draws.stream(rng, name)``, by the name of the thing drawn, as numbers
    without a scale: sample k is then one draw at all points.
``evaluate_many(parameters)``
    Optional, for kinds that cost less per point when many are evaluated together: the ``Outcome``
    of each of a list of points, as ``evaluate(parameters, None)`` gives it.  Used where there is
    no ensemble and no time limit.

The module docstring's first line is the one-line description of the kind; ``examples/<kind>.yaml``
beside it is a small study of it, for ``nessflow describe``.  What a kind is made of can be imported
from here; `nessflow.parts` and `nessflow.systems` have the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from pydantic import Field, model_validator

from nessflow.parts import KeyedError as KeyedError
from nessflow.parts import Strict as Strict
from nessflow.parts import quantity as quantity


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
    range, is suspect (``nessflow.pipeline.judge``).

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

    def __str__(self) -> str:
        """Return the limits in words, empty where there are none or they differ between values."""
        lower, upper = self.lower, self.upper
        if np.ndim(lower) or np.ndim(upper) or not self.bounded:
            return "no negative eigenvalue" if np.any(self.semidefinite) else ""
        if np.isfinite(lower) and np.isfinite(upper):
            return f"{lower:g} to {upper:g}"
        return f"at least {lower:g}" if np.isfinite(lower) else f"at most {upper:g}"


FLOWS = ("particle_current", "particle_noise", "entropy_production")
"""How the names of the three variables end that every kind of this package has."""

ANYTHING = Limits()
PROBABILITY = Limits(0, 1)
NOT_NEGATIVE = Limits(0)
COVARIANCE = Limits(semidefinite=True)
SECOND_LAW = Limits(0, broken="the second law is violated")


@dataclass(frozen=True)
class Variable:
    """One stored quantity: its dimensions beyond the axes, natural units, long name and limits."""

    dims: tuple[str, ...]
    natural_units: str
    long_name: str
    limits: Limits = ANYTHING


@dataclass(frozen=True)
class Coordinate:
    """Values along one dimension of a kind's variables."""

    values: np.ndarray
    natural_units: str
    long_name: str


@dataclass(frozen=True)
class Outcome:
    """Values of one point by variable name, with a status and the reason for it."""

    values: Mapping[str, np.ndarray | float]
    status: Status = Status.OK
    message: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Why a value is NaN by nature: variable name -> reason (not a failure)."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Limits that depend on the point, in place of those of the variable."""


class Grid(Strict):
    """Evenly spaced numbers, start and stop given by a subclass."""

    points: int = Field(401, ge=2, le=100_000, description="number of points")

    @model_validator(mode="after")
    def _ascending(self):
        if not self.start < self.stop:
            raise KeyedError(f"start {self.start:g} is not below stop {self.stop:g}", "stop")
        return self

    def values(self) -> np.ndarray:
        """Return the numbers, (points,)."""
        return np.linspace(self.start, self.stop, self.points)
