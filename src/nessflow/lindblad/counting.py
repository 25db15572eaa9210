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

from typing import Any

import numpy as np

from nessflow.estimate import Estimate
from nessflow.lindblad.equation import MasterEquation, norm
from nessflow.scattering.currents import Transport

_EPSILON = np.finfo(float).eps


def _traces(rates: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Return ``Re Tr[A B]`` of each rate matrix and each of some matrices, (..., t, s)."""
    products = rates[..., :, None, :, :] * matrices.swapaxes(-1, -2)[..., None, :, :, :]
    return products.real.sum(axis=(-1, -2))


def transport(equation: MasterEquation) -> Transport:
    """Return steady currents, noise and third cumulants of the terminals' charges.

    The currents are ``Tr[N L_a rho]`` and ``Tr[H L_a rho]``, (6) of paper non-additive-dissipation.

    Parameters
    ----------
    equation : MasterEquation
        Any rates, of one equation or of many; cumulants are those of a counting process where it
        is a Lindblad equation.

    Returns
    -------
    Transport
        By equation and terminal, with bounds of what rounding and errors of the rates do.

    Raises
    ------
    ValueError
        When there is no steady state.
    """
    n, s = equation.steady_density[..., None, :, :], equation.sign
    gain, loss = equation.gain, equation.loss
    h = np.eye(n.shape[-1]) + s * n
    into, out = _traces(gain, h)[..., 0], _traces(loss, n)[..., 0]
    damping = equation.damping_of
    dissipators = gain - 0.5 * (damping @ n + n @ damping)
    energy = _traces(dissipators, equation.hamiltonian[None])[..., 0]
    # What the counting field drives the density by, at first and at second order.
    filled, emptied = h @ gain @ h, s * n @ loss @ n
    first = equation.solve(filled - emptied)
    half = s * (h @ gain - n @ loss) @ first
    second = equation.solve(0.5 * (filled + emptied) + half + half.conj().swapaxes(-1, -2))
    change = _traces(s * gain - loss, first)
    own = np.eye(len(equation.terminals))
    noise = change + change.swapaxes(-1, -2) + (into + out)[..., None] * own
    moved, last = (
        np.diagonal(_traces(s * gain + sign * loss, x), axis1=-2, axis2=-1)
        for sign, x in ((1, first), (-1, second))
    )
    third = into - out + 3 * moved + 6 * last
    values = into - out, energy, noise, third
    found: Any = map(Estimate, values, _errors(equation))
    return Transport(equation.terminals, *found)


def _errors(equation: MasterEquation) -> tuple[np.ndarray, ...]:
    """Return bounds of what rounding and errors of the rates do, in the order of `Transport`.

    An error ``d`` of the density is one of ``rate d`` of a current, where ``rate`` is what the
    terminal exchanges; each further cumulant multiplies by the number of such events during the
    slowest relaxation, ``rate * condition``.
    """
    sites = len(equation.hamiltonian)
    size = 1 + norm(equation.steady_density)
    rate = sum(
        np.linalg.svd(rates, compute_uv=False).sum(axis=-1)
        for rates in (equation.gain, equation.loss)
    )
    relative = equation.steady_error + 4 * _EPSILON * size
    wrong = np.multiply(2 * sites * size, equation.rates_error)
    current = rate * relative[..., None] + wrong[..., None]
    events = (size * size)[..., None] * (1 + rate * equation.condition[..., None])
    spread = np.sqrt(current) * np.sqrt(events)
    pair = spread[..., :, None] * spread[..., None, :]
    return current, norm(equation.hamiltonian) * current, 4 * pair, 24 * current * events * events
