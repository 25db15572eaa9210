"""Matrices of chains: hopping, loss and gain on sites and bonds, disorder.

Energies in the hopping t, rates in t/hbar, in the convention of `nessflow.scattering.system`.
"""

import numpy as np

from nessflow.scattering.system import Tridiagonal


def chain(sites: int, hopping: complex | np.ndarray, onsite: float | np.ndarray) -> Tridiagonal:
    """Return the Hamiltonian of an open chain.

    Parameters
    ----------
    sites : int
        Number of sites N.
    hopping : complex or (N-1,) array
        ``h_{j,j+1} = -hopping``, in t.
    onsite : float or (N,) array
        Energies of the sites, in t.

    Returns
    -------
    Tridiagonal
        Of N sites, in t.
    """
    bonds, shape = -1.0 * np.asarray(hopping), (max(sites - 1, 0),)
    if bonds.shape == shape:
        bonds.flags.writeable = False  # kept without a copy
    else:
        bonds = np.broadcast_to(bonds, shape)
    return Tridiagonal(np.broadcast_to(np.asarray(onsite, float), (sites,)), bonds)


def onsite_rates(rates: np.ndarray) -> Tridiagonal:
    """Return the loss or gain matrix of channels ``sqrt(rates_j) c_j`` (or ``c_j^+``).

    Parameters
    ----------
    rates : (N,) array
        Rates in t/hbar; populations change with twice the rate.

    Returns
    -------
    Tridiagonal
        ``P`` (or ``Q``) of N sites, in t/hbar.
    """
    rates = np.asarray(rates, float)
    return Tridiagonal(rates, np.zeros(max(rates.size - 1, 0)))


def bond_rates(
    sites: int,
    rate: float,
    phase: float = -np.pi / 2,
    boundary: bool = False,
    gain: bool = False,
) -> Tridiagonal:
    """Return the loss (or gain) matrix of one channel on each bond.

    The channels are ``sqrt(rate) (c_j + e^{i phase} c_{j+1})`` for loss and
    ``sqrt(rate) (c_j^+ + e^{i phase} c_{j+1}^+)`` for gain.  Paper extended-landauer-buttiker has
    ``c_j - i c_{j+1}`` (main text, and behind (S38)); its supplement VII prints
    ``c_j - i c_{j-1}``, which is the mirror image and contradicts (S38).

    Parameters
    ----------
    sites : int
        Number of sites N.
    rate : float
        Rate of every bond, in t/hbar.
    phase : float
        Phase between the two sites of a bond.
    boundary : bool
        Add the channels ``sqrt(rate) c_1`` and ``sqrt(rate) c_N`` of supplement VII, so that every
        site loses alike.
    gain : bool
        Return ``Q_jk = sum v_j v_k^*`` instead of ``P_jk = sum u_j^* u_k``.

    Returns
    -------
    Tridiagonal
        ``P``, or ``Q`` with ``gain``, of N sites, in t/hbar.
    """
    bonds_at = np.full(sites, 2.0)
    if not boundary:
        bonds_at[0] -= 1
        bonds_at[-1] -= 1
    upper = np.exp(-1j * phase if gain else 1j * phase)
    return Tridiagonal(rate * bonds_at, np.full(max(sites - 1, 0), rate * upper))


def uniform_disorder(half_width: float, sites: int, rng: np.random.Generator) -> np.ndarray:
    """Return independent on-site energies, uniform in ``[-half_width, half_width]``.

    Parameters
    ----------
    half_width : float
        In t.
    sites : int
        Number of sites N.
    rng : numpy.random.Generator
        From which N numbers are drawn.

    Returns
    -------
    (N,) float array
        In t.
    """
    return half_width * rng.uniform(-1.0, 1.0, sites)
