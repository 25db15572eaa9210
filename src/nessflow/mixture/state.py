"""States that mix the equilibrium distributions of reservoirs with momentum-dependent weights.

Paper mixtures-of-equilibrium-distributions: free particles on the line, ``omega = k^2/2m``, whose
momentum distribution is the convex combination ``d(k) = sum_i w_i(k) d_i(k)``, eqs (1) to (5).
Units hbar = k_B = 1; lengths in a.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

FERMIONS, BOSONS = "fermions", "bosons"

_SUM_TOLERANCE = 1e-12
"""What probabilities may miss 1 by: a few rounding errors of numbers that were typed in."""


class Shares(NamedTuple):
    """Weights at given momenta ``k >= 0``, each (n, ...) float by reservoir."""

    forward: np.ndarray
    """``w_i(k)``"""
    backward: np.ndarray
    """``w_i(-k)``"""
    imbalance: np.ndarray
    """``I_i(k) = w_i(k) - w_i(-k)`` (6)"""
    size: np.ndarray
    """What rounding errors of the imbalance are relative to."""


class Weights(Protocol):
    """Probabilities ``w_i(k)`` that reservoir i and the system exchange a particle."""

    @property
    def count(self) -> int:
        """Number of reservoirs; 0 where any number fits."""

    @property
    def momenta(self) -> np.ndarray:
        """Momenta at which an integral over k had better be split."""

    def at(self, momenta: np.ndarray) -> Shares:
        """Return the weights at some momenta.

        Parameters
        ----------
        momenta : (...) array
            ``k >= 0``, in 1/a.

        Returns
        -------
        Shares
            Each (n, ...), or what broadcasts to it.
        """


def _require_probabilities(name: str, values: np.ndarray) -> None:
    """Check weights, (n, ...), of which the first axis is the reservoirs."""
    if values.ndim < 1 or len(values) < 2:
        raise ValueError(f"{name}: weights of at least two reservoirs expected")
    if not (values.min(initial=0) >= 0 and values.max(initial=0) <= 1):
        worst = values[~((values >= 0) & (values <= 1))][0]
        raise ValueError(f"{name}: weights must lie between 0 and 1, got {worst:g}")
    defect = abs(values.sum(axis=0) - 1)
    if defect.max(initial=0) > _SUM_TOLERANCE:
        worst = np.ravel(values.sum(axis=0))[np.argmax(defect)]
        raise ValueError(f"{name}: the reservoirs' weights must add to 1, they add to {worst:.12g}")


@dataclass(frozen=True, eq=False)
class StepWeights:
    """Weights that depend on the direction of the momentum alone; (9) for two reservoirs.

    Parameters
    ----------
    forward, backward : sequence of float
        ``w_i`` for ``k > 0`` and for ``k < 0``.

    Raises
    ------
    ValueError
        When they are no probabilities.
    """

    forward: Any
    backward: Any

    def __post_init__(self) -> None:
        for name in ("forward", "backward"):
            values = np.array(getattr(self, name), float)
            _require_probabilities(name, values)
            object.__setattr__(self, name, values)
        if self.forward.shape != self.backward.shape or self.forward.ndim != 1:
            raise ValueError("forward and backward weights must name the same reservoirs")

    @classmethod
    def from_constants(cls, c_plus: float, c_minus: float) -> "StepWeights":
        """Return (9): ``w_1 = 1/2 + c_plus`` forward and ``1/2 + c_minus`` backward.

        Parameters
        ----------
        c_plus, c_minus : float
            Between -1/2 and 1/2.

        Returns
        -------
        StepWeights
            Of two reservoirs.

        Raises
        ------
        ValueError
            When a constant is out of range.
        """
        for name, c in (("c_plus", c_plus), ("c_minus", c_minus)):
            if not -0.5 <= c <= 0.5:
                raise ValueError(f"{name} must lie between -1/2 and 1/2, got {c:g}")
        return cls((0.5 + c_plus, 0.5 - c_plus), (0.5 + c_minus, 0.5 - c_minus))

    @property
    def count(self) -> int:
        """Number of reservoirs."""
        return self.forward.size

    @property
    def momenta(self) -> np.ndarray:
        """No momentum is special."""
        return np.zeros(0)

    def at(self, momenta: np.ndarray) -> Shares:
        """Return the weights at some momenta.

        Parameters
        ----------
        momenta : (...) array
            ``k >= 0``, in 1/a.

        Returns
        -------
        Shares
            Each (n, 1, ...), the same at all momenta.
        """
        shape = (self.count, *(1,) * np.ndim(momenta))
        forward, backward = self.forward.reshape(shape), self.backward.reshape(shape)
        return Shares(forward, backward, forward - backward, forward + backward)


@dataclass(frozen=True)
class GaussianWeights:
    """Two reservoirs with the imbalance ``exp(-decay k^2)``, (11) and (12).

    Parameters
    ----------
    decay : float
        xi, in a^2, positive.

    Raises
    ------
    ValueError
        When it is not positive.
    """

    decay: float

    def __post_init__(self) -> None:
        if not (self.decay > 0 and np.isfinite(self.decay)):
            raise ValueError(f"decay must be positive and finite, got {self.decay:g}")

    @property
    def count(self) -> int:
        """Number of reservoirs."""
        return 2

    @property
    def momenta(self) -> np.ndarray:
        """Momenta at which the exponent of the imbalance is -1, -7, -20 and -40."""
        return np.sqrt(np.array([1.0, 7.0, 20.0, 40.0]) / self.decay)

    def at(self, momenta: np.ndarray) -> Shares:
        """Return the weights at some momenta.

        Parameters
        ----------
        momenta : (...) array
            ``k >= 0``, in 1/a.

        Returns
        -------
        Shares
            Each (2, ...).
        """
        exponent = -self.decay * np.asarray(momenta) ** 2
        imbalance = np.exp(exponent)
        forward = np.stack([0.5 * (1 + imbalance), -0.5 * np.expm1(exponent)])
        both = np.stack([imbalance, -imbalance])
        return Shares(forward, forward[::-1], both, abs(both * (1 - exponent)))


@dataclass(frozen=True, eq=False)
class TabulatedWeights:
    """Weights given at some momenta, straight lines between them, constant beyond the last.

    Parameters
    ----------
    table : (p,) array
        Momenta ``k >= 0``, increasing, in 1/a.
    forward, backward : (n, p) array
        ``w_i(k)`` and ``w_i(-k)`` by reservoir.

    Raises
    ------
    ValueError
        When a momentum or a weight is out of range.
    """

    table: np.ndarray
    forward: np.ndarray
    backward: np.ndarray

    def __post_init__(self) -> None:
        for name in ("table", "forward", "backward"):
            object.__setattr__(self, name, np.array(getattr(self, name), float))
        table = self.table
        if table.ndim != 1 or table.size == 0 or not np.all(np.isfinite(table)):
            raise ValueError("momenta: a list of finite numbers expected")
        if table[0] < 0 or np.any(np.diff(table) <= 0):
            raise ValueError("momenta must be 0 or more and increase")
        for name in ("forward", "backward"):
            values = getattr(self, name)
            if values.ndim != 2 or values.shape[1] != table.size:
                raise ValueError(
                    f"{name}: one row for each reservoir with {table.size} weights expected"
                )
            _require_probabilities(name, values)
        if len(self.forward) != len(self.backward):
            raise ValueError("forward and backward weights must name the same reservoirs")

    @property
    def count(self) -> int:
        """Number of reservoirs."""
        return len(self.forward)

    @property
    def momenta(self) -> np.ndarray:
        """Momenta of the table."""
        return self.table

    def at(self, momenta: np.ndarray) -> Shares:
        """Return the weights at some momenta.

        Parameters
        ----------
        momenta : (...) array
            ``k >= 0``, in 1/a.

        Returns
        -------
        Shares
            Each (n, ...).
        """
        forward, backward = (
            np.stack([np.interp(momenta, self.table, row) for row in rows])
            for rows in (self.forward, self.backward)
        )
        return Shares(forward, backward, forward - backward, forward + backward)


@dataclass(frozen=True)
class FunctionWeights:
    """Weights as a function of the momentum, of either sign.

    Parameters
    ----------
    function : callable
        ``function(k (...)) -> w (n, ...)``.
    momenta : sequence of float
        Momenta ``|k|`` at which the function jumps, or is not smooth otherwise, in 1/a.  Kinks
        that are not listed cost time; a jump that is not may hide between two nodes.
    count : int
        Number of reservoirs n.

    The weights are checked wherever they are used: a ValueError says where they are none.
    """

    function: Callable[[np.ndarray], np.ndarray]
    momenta: Sequence[float] = ()
    count: int = 2

    def at(self, momenta: np.ndarray) -> Shares:
        """Return the weights at some momenta.

        Parameters
        ----------
        momenta : (...) array
            ``k >= 0``, in 1/a.

        Returns
        -------
        Shares
            Each (n, ...).

        Raises
        ------
        ValueError
            When the function's values are no probabilities.
        """
        momenta = np.asarray(momenta, float)
        forward, backward = (np.asarray(self.function(k), float) for k in (momenta, -momenta))
        for name, values in (("w(k > 0)", forward), ("w(k < 0)", backward)):
            _require_probabilities(name, values)
        return Shares(forward, backward, forward - backward, forward + backward)


@dataclass(frozen=True)
class Reservoir:
    """Thermal reservoir of particles.

    Parameters
    ----------
    temperature, chemical_potential : float
        In t.  Fermions may have temperature 0.

    Raises
    ------
    ValueError
        When a value is out of range.
    """

    temperature: float
    chemical_potential: float

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and np.isfinite(self.temperature)):
            raise ValueError(f"temperature must be 0 or more and finite, got {self.temperature:g}")
        if not np.isfinite(self.chemical_potential):
            raise ValueError(f"chemical_potential must be finite, got {self.chemical_potential:g}")


@dataclass(frozen=True, eq=False)
class Mixture:
    """Particles on a line whose momenta come from reservoirs with given weights.

    Parameters
    ----------
    reservoirs : sequence of Reservoir
        At least two.
    weights : Weights
        How often each is the source.
    mass : float
        In hbar^2/(t a^2), positive.
    statistics : {"fermions", "bosons"}
        Bosons need chemical potentials below 0, the bottom of the band, and temperatures above 0.

    Raises
    ------
    ValueError
        When a value is out of range.
    """

    reservoirs: Sequence[Reservoir]
    weights: Weights
    mass: float = 1.0
    statistics: str = FERMIONS

    def __post_init__(self) -> None:
        object.__setattr__(self, "reservoirs", tuple(self.reservoirs))
        if not (self.mass > 0 and np.isfinite(self.mass)):
            raise ValueError(f"mass must be positive and finite, got {self.mass:g}")
        if self.statistics not in (FERMIONS, BOSONS):
            raise ValueError(f"statistics must be {FERMIONS} or {BOSONS}, got {self.statistics!r}")
        if self.weights.count != len(self.reservoirs):
            raise ValueError(
                f"the weights are those of {self.weights.count} reservoirs, "
                f"there are {len(self.reservoirs)}"
            )
        for number, reservoir in enumerate(self.reservoirs, 1):
            if self.statistics == BOSONS:
                require_normal(reservoir, f"reservoir {number}")

    @property
    def sign(self) -> int:
        """+1 for fermions, -1 for bosons: ``d = 1/(e^x + sign)``."""
        return 1 if self.statistics == FERMIONS else -1


def require_normal(reservoir: Reservoir, name: str) -> None:
    """Check that a reservoir of bosons has no condensate.

    Parameters
    ----------
    reservoir : Reservoir
        The reservoir.
    name : str
        What the message calls it.

    Raises
    ------
    ValueError
        When its chemical potential is 0 or more, or its temperature 0.
    """
    if not reservoir.chemical_potential < 0:
        raise ValueError(
            f"{name}: bosons need a chemical_potential below 0, the lowest energy, got "
            f"{reservoir.chemical_potential:g}; at 0 they condense"
        )
    if reservoir.temperature == 0:
        raise ValueError(f"{name}: bosons need a temperature above 0")
