"""Symmetries of a dissipator's rates that forbid, or were said to force, a current."""

from typing import Any

import numpy as np

from nessflow.kinetic.rates import Channel


def inversion_asymmetry(channel: Channel, inverse: np.ndarray) -> float:
    """Return ``|W(k, p) - W(-k, -p)| / |W|``, Frobenius norms over all pairs.

    A current needs it to differ from zero for bands with ``e(-k) = e(k)``; it may still vanish
    (erratum of paper weak-coupling-rectification, eq. 14).

    Parameters
    ----------
    channel : Channel
        Rates W.
    inverse : ndarray of int
        Mode of momentum -k for each mode, as `inverse_modes` gives it.

    Returns
    -------
    float
        0 for a dissipator that is its own mirror image.
    """
    out, into = channel.out, channel.into
    return _distance(channel, out[inverse], into[inverse])


def printed_asymmetry(channel: Channel, inverse: np.ndarray) -> float:
    """Return the larger departure from equality in eq. 14 as printed, relative to ``|W|``.

    ``|Delta_{q,k+q}| = |Delta_{-q,k-q}|`` is ``W(q, -k) = W(-q, -k)``, and
    ``|Delta_{k,k-q}| = |Delta_{k,k+q}|`` is ``W(k, q) = W(k, -q)``.

    Parameters
    ----------
    channel : Channel
        Rates W.
    inverse : ndarray of int
        Mode of momentum -k for each mode, as `inverse_modes` gives it.

    Returns
    -------
    float
        0 where both equalities hold.
    """
    out, into = channel.out, channel.into
    return max(
        _distance(channel, out[inverse], into),
        _distance(channel, out, into[inverse]),
    )


def inverse_modes(momentum: np.ndarray) -> np.ndarray:
    """Return the index of -k for each momentum of a grid, shifted by 0 or 1/2.

    Parameters
    ----------
    momentum : (L,) array
        Per cell, ascending.

    Returns
    -------
    (L,) int array
        From 0.

    Raises
    ------
    ValueError
        When -k is not on the grid.
    """
    turned = np.exp(-1j * momentum)
    step = 2 * np.pi / len(momentum)
    index = np.round((np.angle(turned) - momentum[0]) / step).astype(int) % len(momentum)
    if abs(np.exp(1j * momentum[index]) - turned).max() > 1e-9:
        raise ValueError("the momenta of the ring have no inverse: shift them by 0 or 0.5")
    return index


def _distance(channel: Channel, out: np.ndarray, into: np.ndarray) -> float:
    """Return the relative distance of the rates to ``out into^T``, without their matrix."""
    left = np.hstack([channel.out, -out])
    right = np.hstack([channel.into, into])
    difference = np.linalg.norm(_core(left, right))
    return float(difference / np.linalg.norm(_core(channel.out, channel.into)))


def _core(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    triangle: Any = np.linalg.qr(right, mode="r")
    return np.linalg.qr(left, mode="r") @ triangle.T
