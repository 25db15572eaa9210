"""Evolution of the occupations in time."""

import numpy as np

from nessflow.estimate import Estimate
from nessflow.kinetic.equation import RateEquation

_RELATIVE, _ABSOLUTE = 1e-11, 1e-14
_COARSER = 100.0
"""Factor of the tolerances of the comparison: errors of LSODA do not follow a factor of 10."""


def relax(
    equation: RateEquation,
    occupation: np.ndarray,
    times: np.ndarray,
    count: np.ndarray | float = 1.0,
) -> Estimate:
    """Return the occupations at given times.

    The occupations are integrated, since the Lagrange parameters of eq. 10 overflow for modes that
    are almost empty or full; the solver (LSODA) is for stiff equations.

    Parameters
    ----------
    equation : RateEquation
        Modes and rates.
    occupation : ndarray
        At time 0, (modes,).
    times : ndarray
        Increasing, from 0, in hbar/t, (times,).
    count : float or ndarray
        How much each mode acts on the others, (modes,); one of 0 follows them only.

    Returns
    -------
    Estimate
        (times, modes); the error is the difference to a coarser integration, and the tolerance.

    Raises
    ------
    RuntimeError
        When the solver gives up.
    """
    fine = _integrated(equation, occupation, times, count, 1.0)
    coarse = _integrated(equation, occupation, times, count, _COARSER)
    # Both may agree by chance, better than a step is known: relative to n, also of full modes.
    return Estimate(fine, abs(fine - coarse) + _RELATIVE * fine + _ABSOLUTE)


def _integrated(
    equation: RateEquation,
    occupation: np.ndarray,
    times: np.ndarray,
    count: np.ndarray | float,
    factor: float,
) -> np.ndarray:
    from scipy.integrate import solve_ivp

    solution = solve_ivp(
        lambda t, n: equation.derivative(n, count),
        (0.0, float(times[-1])),
        occupation,
        method="LSODA",
        t_eval=times,
        jac=lambda t, n: equation.jacobian(n, count),
        rtol=factor * _RELATIVE,
        atol=factor * _ABSOLUTE,
    )
    if not solution.success:
        raise RuntimeError(f"the integration in time stopped: {solution.message}")
    return np.clip(solution.y.T, 0.0, 1.0)
