"""Steady state of the rate equation at a fixed number of particles.

Newton's method in the log odds ``lambda = ln((1 - n)/n)`` of

    h_b = ln(D_b / G_b) - lambda_b = 0,    sum_b n_b = N,

whose Jacobian is the unit matrix and a few columns: a step costs as much as there are modes.  The
residual h is the error of an occupation relative to n (1 - n), so that nothing overflows or loses
digits where modes are almost full or empty.
"""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nessflow.estimate import Estimate
from nessflow.kinetic.equation import Number, RateEquation
from nessflow.kinetic.moments import columns_of

_LONGEST_STEP = 4.0
_STEPS = 200
_CONVERGED = 1e-7
"""Newton step after which one more, of its square, is the last."""
_UNREACHED = 1e-28
"""Total rate of a mode, relative to the largest, below which no process reaches it."""
_LARGEST_CONDITION = 1e10
"""Condition up to which a matrix is inverted without its singular values."""
_EPS = np.finfo(float).eps


@dataclass(frozen=True)
class State:
    """Occupations of an equation's modes.

    Attributes
    ----------
    equation : RateEquation
        Modes and channels.
    log_odds : Estimate
        ``lambda = ln((1 - n)/n)``, infinite where a mode is exactly empty or full, (modes,).
    """

    equation: RateEquation
    log_odds: Estimate

    @property
    def occupation(self) -> np.ndarray:
        """``n``, (modes,)."""
        return expit(-self.log_odds.value)

    @property
    def vacancy(self) -> np.ndarray:
        """``1 - n`` without cancellation, (modes,)."""
        return expit(self.log_odds.value)


@dataclass(frozen=True)
class SteadyState(State):
    """Occupations in the steady state; errors are residual and rounding, by the Jacobian.

    Attributes
    ----------
    free : ndarray of bool
        Modes that some process fills and some process empties.
    linear : _Linearised
        The equations at the state, on the free modes.
    converged : bool
        Whether Newton's method ended.
    """

    free: np.ndarray
    linear: "_Linearised"
    converged: bool

    @property
    def residual(self) -> float:
        """Largest ``abs(h)``."""
        return float(abs(self.linear.residual).max())

    def response(self, force: np.ndarray, particles: float = 0.0) -> np.ndarray:
        """Return the change of the occupations for small changes of rates and of the number of
        particles.

        Parameters
        ----------
        force : (modes,) array
            Change of ``ln(D/G)``.
        particles : float
            Change of the number of particles.

        Returns
        -------
        (modes,) float array
            ``dn``; modes that are not free do not respond.
        """
        step = self.linear.solve(np.asarray(force)[self.free], particles)
        change = np.zeros(len(self.free))
        change[self.free] = -self.linear.weight * step
        return change


def occupation_of(log_odds: Estimate) -> Estimate:
    """Return occupations.

    Parameters
    ----------
    log_odds : Estimate
        ``ln((1 - n)/n)``, (modes,).

    Returns
    -------
    Estimate
        ``n``, (modes,).
    """
    n = expit(-log_odds.value)
    return Estimate(n, n * expit(log_odds.value) * log_odds.error + _EPS * n)


def steady_state(
    equation: RateEquation, filling: float, start: np.ndarray | None = None
) -> SteadyState:
    """Return the steady state that the infinite-temperature state evolves to.

    Parameters
    ----------
    equation : RateEquation
        Modes and rates.
    filling : float
        Particles per mode, between 0 and 1.
    start : ndarray, optional
        Log odds of the first guess, (modes,); default the infinite-temperature state.

    Returns
    -------
    SteadyState
        With an error of each mode's log odds.

    Raises
    ------
    ValueError
        When the filling is not between 0 and 1, or does not fit the modes that end empty or full.

    Notes
    -----
    Without equilibrium bath (``gamma_neq = 1``) some modes may be out of reach.  One that no
    process reaches keeps its occupation ``filling``; one that is only emptied (filled) ends empty
    (full).
    Where processes leave more than one steady state, the Newton step is the shortest one.
    """
    if not 0 < filling < 1:
        raise ValueError(f"filling {filling:g} is not between 0 and 1 (particles per mode)")
    log_odds = np.full(equation.modes, np.log1p(-filling) - np.log(filling))
    filled, emptied = _reached(equation)
    log_odds[~filled & emptied], log_odds[filled & ~emptied] = np.inf, -np.inf
    free = filled & emptied
    particles = filling * equation.modes - expit(-log_odds[~free]).sum()
    holes = (1 - filling) * equation.modes - expit(log_odds[~free]).sum()
    if not 0 < particles < free.sum():
        raise ValueError(
            f"filling {filling:g} leaves {particles:.6g} particles for the {free.sum()} modes that "
            "are neither emptied nor filled for good"
        )
    log_odds[free] = np.log(holes) - np.log(particles)
    number = Number(particles, holes)
    if start is not None:
        log_odds[free] = start[free]
    found = _by_moments(equation, number, log_odds)
    log_odds, converged = (log_odds, False) if found is None else (found, True)
    for _ in range(_STEPS):
        linear = _Linearised(equation, log_odds, free)
        missing, rounding = linear.missing(number)
        step = linear.solve(linear.residual, missing)
        longest = abs(step).max()
        small = longest <= _CONVERGED * (1 + abs(log_odds[free]).max()) or bool(
            (abs(step) <= linear.carried(linear.rounding, rounding)).all()
        )
        # One more step after the first that is small: it is its square, or nothing but rounding.
        converged = converged and small
        if converged or not np.isfinite(longest):
            break
        log_odds[free] += step * min(1.0, _LONGEST_STEP / max(longest, 1e-300))
        converged = small
    error = np.zeros(equation.modes)
    error[free] = linear.carried(abs(linear.residual) + linear.rounding, abs(missing) + rounding)
    return SteadyState(equation, Estimate(log_odds, error), free, linear, converged)


def _by_moments(equation: RateEquation, number: Number, log_odds: np.ndarray) -> np.ndarray | None:
    """Return the log odds that the moments of few columns say, if they do."""
    if not _with_equilibrium(equation) or (columns := columns_of(equation.active)) is None:
        return None
    strength, velocity = columns.strength, equation.bands.velocity.value
    (moments,), _ = columns.settled(strength[None], number, columns.moments(log_odds), velocity)
    return columns.log_odds(strength, moments) if np.isfinite(moments).all() else None


def _with_equilibrium(equation: RateEquation) -> bool:
    return any(channel.name == "equilibrium" for channel in equation.active)


def _reached(equation: RateEquation) -> tuple[np.ndarray, np.ndarray]:
    """Return which modes some process fills, and which some process empties."""
    if _with_equilibrium(equation):
        return np.ones(equation.modes, dtype=bool), np.ones(equation.modes, dtype=bool)
    into = equation.into @ equation.out.sum(axis=0)
    out = equation.out @ equation.into.sum(axis=0)
    return into > _UNREACHED * into.max(), out > _UNREACHED * out.max()


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Return the inverse, or where there is none to all digits the pseudo-inverse."""
    with suppress(np.linalg.LinAlgError):
        inverse = np.linalg.inv(matrix)
        if abs(inverse).sum(axis=1).max() * abs(matrix).sum(axis=1).max() < _LARGEST_CONDITION:
            return inverse
    return np.linalg.pinv(matrix, rcond=1e-15)


class _Linearised:
    """The equations at one point: residual, and solutions with their Jacobian.

    ``(1 + U V^T) x + c = f`` with ``sum(weight x) = -particles``; c vanishes for every f that
    conserves particles.
    """

    def __init__(self, equation: RateEquation, log_odds: np.ndarray, free: np.ndarray):
        # Imported here: numba takes long to import.
        from nessflow.kinetic.kernels import gains, linearised, response_matrix

        n, vacancy = expit(-log_odds), expit(log_odds)
        out, into = equation.out, equation.into
        rates = gains(out, into, equation.out_error, equation.into_error, n, vacancy)
        if not free.all():
            rates = np.ascontiguousarray(rates[:, free])
            n, vacancy, log_odds, out, into = (x[free] for x in (n, vacancy, log_odds, out, into))
        # Columns of both signs cancel; what is left is no smaller than their rounding.
        found = linearised(out, into, rates, log_odds, n, vacancy)
        self.residual, self.rounding, self.weight, left, right = found
        self.n, self.vacancy, (self.gain, self.drain) = n, vacancy, rates[:2]
        # Relative to all weights, which are tiny in the cold.
        if left.shape[1] < len(n):
            bordered, self.total = response_matrix(left, right, self.weight)
        else:
            # One column for each mode instead of products.
            left, right = np.eye(len(n)), (left @ right.T).T
            self.total = float(self.weight.sum())
            border = np.append(self.weight / self.total, 1.0)
            inner = np.column_stack([left + right.T, right.sum(axis=0)])
            bordered = np.vstack([inner, border])
        self.left, self.right = left, right
        self.inverse = _inverse(bordered)

    def solve(self, force: np.ndarray, particles: float) -> np.ndarray:
        """Return the change of the log odds for a residual and missing particles."""
        known = np.append(self.right.T @ force, (self.weight @ force + particles) / self.total)
        *columns, slack = self.inverse @ known
        return force - slack - self.left @ np.array(columns)

    def missing(self, number: Number) -> tuple[float, float]:
        """Return the particles that are missing, and what rounding makes of that."""
        return number.missing(self.n, self.vacancy)

    def carried(self, size: np.ndarray, missing: float) -> np.ndarray:
        """Return a bound on the log odds' change by residuals of some size through the Jacobian."""
        known = np.append(abs(self.right).T @ size, (self.weight @ size + missing) / self.total)
        columns = abs(self.inverse) @ known
        return size + columns[-1] + abs(self.left) @ columns[:-1]
