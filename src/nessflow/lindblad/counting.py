"""Currents and counting statistics of quadratic master equations.

With a counting field x on terminal a, gain jumps get a factor ``e^x`` and loss jumps ``e^{-x}``.
The tilted equation keeps Gaussian operators Gaussian.  Normalised, with density ``n`` and
``h = 1 + s n`` (s = -1 for fermions, +1 for bosons), such an operator obeys

    dn/dt = -i (X n - n X^+) + Lambda + (e^x - 1) h gain_a h + s (e^{-x} - 1) n loss_a n,

and its trace grows with the rate

    (e^x - 1) Tr[gain_a h] + (e^{-x} - 1) Tr[loss_a n].

Where ``n`` is stationary that is the generating function of the cumulants of the charge that the
terminal sends.  Powers of x give one Lyapunov equation each, so that cumulants are algebra, for any
number of sites.
"""

import numpy as np

from nessflow.lindblad.equation import MasterEquation
from nessflow.scattering.transport import Transport

_EPSILON = np.finfo(float).eps


def _trace(matrix: np.ndarray) -> float:
    return float(np.trace(matrix).real)


def _tilted(equation: MasterEquation, a: int, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``h gain h`` and ``s n loss n``."""
    h = np.eye(len(n)) + equation.sign * n
    return h @ equation.gain[a] @ h, equation.sign * n @ equation.loss[a] @ n


def _second_source(
    equation: MasterEquation, a: int, n: np.ndarray, first: np.ndarray
) -> np.ndarray:
    """Return what drives the density at second order in the counting field."""
    s, gain, loss = equation.sign, equation.gain[a], equation.loss[a]
    into, out = _tilted(equation, a, n)
    h = np.eye(len(n)) + s * n
    half = s * (h @ gain @ first - n @ loss @ first)
    return 0.5 * (into + out) + half + half.conj().T


def transport(equation: MasterEquation) -> Transport:
    """Return steady currents, noise and third cumulants of the terminals' charges.

    The currents are ``Tr[N L_a rho]`` and ``Tr[H L_a rho]``, (6) of paper non-additive-dissipation.

    Parameters
    ----------
    equation : MasterEquation
        Any rates; cumulants are those of a counting process where it is a Lindblad equation.

    Returns
    -------
    Transport
        By terminal, with bounds of what rounding and errors of the rates do.

    Raises
    ------
    ValueError
        When there is no steady state.
    """
    n, s, count = equation.steady_density, equation.sign, len(equation.terminals)
    h = np.eye(len(n)) + s * n
    into = np.array([_trace(gain @ h) for gain in equation.gain])
    out = np.array([_trace(loss @ n) for loss in equation.loss])
    energy = np.array(
        [_trace(equation.hamiltonian @ equation.dissipator(a, n)) for a in range(count)]
    )
    first, noise, third = [], np.zeros((count, count)), np.zeros(count)
    for a in range(count):
        filled, emptied = _tilted(equation, a, n)
        first.append(equation.solve(filled - emptied))
    for a in range(count):
        gain, loss = equation.gain[a], equation.loss[a]
        for b in range(count):
            change = _trace(s * gain @ first[b]) - _trace(loss @ first[b])
            noise[a, b] += change
            noise[b, a] += change
        noise[a, a] += into[a] + out[a]
        second = equation.solve(_second_source(equation, a, n, first[a]))
        moved = _trace(s * gain @ first[a]) + _trace(loss @ first[a])
        change = _trace(s * gain @ second) - _trace(loss @ second)
        third[a] = into[a] - out[a] + 3 * moved + 6 * change
    errors = _errors(equation)
    return Transport(
        equation.terminals, into - out, energy, noise, third, *(errors[key] for key in errors)
    )


def _errors(equation: MasterEquation) -> dict[str, np.ndarray]:
    """Return bounds of what rounding and errors of the rates do.

    An error ``d`` of the density is one of ``rate d`` of a current, where ``rate`` is what the
    terminal exchanges; each further cumulant multiplies by the number of such events during the
    slowest relaxation, ``rate * condition``.
    """
    count, sites = len(equation.terminals), len(equation.hamiltonian)
    size = 1 + np.linalg.norm(equation.steady_density, 2)
    rate = np.array(
        [
            np.linalg.norm(equation.gain[a], "nuc") + np.linalg.norm(equation.loss[a], "nuc")
            for a in range(count)
        ]
    )
    relative = equation.steady_error + 4 * _EPSILON * size
    current = rate * relative + 2 * sites * size * equation.rates_error
    norm = np.linalg.norm(equation.hamiltonian, 2)
    events = size**2 * (1 + rate * equation.condition)
    pair = np.sqrt(np.outer(current, current) * np.outer(events, events))
    return {
        "particle_current": current,
        "energy_current": norm * current,
        "particle_noise": 4 * pair,
        "third_cumulant": 24 * current * events**2,
    }
