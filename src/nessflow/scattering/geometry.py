"""Hamiltonians of geometries that are no uniform chain, with the numbers of their sites.

Energies in the hopping t.  Sites count from 0.  SSH chains are `Tridiagonal`, all others sparse.
"""

import numpy as np
import scipy.sparse

from nessflow.scattering.matrices import Tridiagonal


def ssh_chain(
    sites: int, intracell: complex, intercell: complex, onsite: float | np.ndarray = 0.0
) -> Tridiagonal:
    """Return the Hamiltonian of a Su-Schrieffer-Heeger chain.

    ``h_{2j,2j+1} = -intracell`` and ``h_{2j+1,2j+2} = -intercell``: the first cell is sites 0 and
    1.  With ``|intercell| > |intracell|`` and an even number of sites each end has a level at the
    energy 0, but for a splitting of the order ``(intracell/intercell)^(sites/2)``.

    Parameters
    ----------
    sites : int
        Number of sites N.
    intracell, intercell : complex
        Hopping within and between cells, in t.
    onsite : float or (N,) array
        Energies of the sites, in t.

    Returns
    -------
    Tridiagonal
        Of N sites, in t.
    """
    bonds = np.where(np.arange(max(sites - 1, 0)) % 2 == 0, intracell, intercell)
    return Tridiagonal(np.broadcast_to(np.asarray(onsite, float), (sites,)), -bonds)


def _from_bonds(
    first: np.ndarray, second: np.ndarray, hopping: complex | np.ndarray, onsite: np.ndarray
) -> scipy.sparse.csr_array:
    """Return the matrix with ``h_{first,second} = -hopping`` and its conjugate."""
    sites = np.arange(onsite.size)
    hopping = np.broadcast_to(np.asarray(hopping, complex), first.shape)
    rows = np.concatenate([first, second, sites])
    columns = np.concatenate([second, first, sites])
    elements = np.concatenate([-hopping, -hopping.conj(), onsite])
    matrix = scipy.sparse.coo_array((elements, (rows, columns)), shape=(sites.size,) * 2).tocsr()
    matrix.eliminate_zeros()
    return matrix


def long_range_chain(
    sites: int, hopping: complex, exponent: float, reach: int, onsite: float | np.ndarray = 0.0
) -> scipy.sparse.csr_array:
    """Return the Hamiltonian of a chain whose hoppings fall with a power of the distance.

    ``h_{j,j+r} = -hopping / r^exponent`` for ``r <= reach``.

    Parameters
    ----------
    sites : int
        Number of sites N.
    hopping : complex
        Hopping between neighbours, in t.
    exponent : float
        Power of the distance.
    reach : int
        Distance beyond which nothing hops.
    onsite : float or (N,) array
        Energies of the sites, in t.

    Returns
    -------
    (N, N) csr_array of complex
        In t.
    """
    first, second = np.triu_indices(sites, 1)
    near = second - first <= reach
    first, second = first[near], second[near]
    hoppings = hopping / (second - first).astype(float) ** exponent
    return _from_bonds(first, second, hoppings, _energies(onsite, sites))


def _energies(onsite: float | np.ndarray, sites: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(onsite, float), (sites,))


def strip_site(width: int, column: int | np.ndarray, row: int | np.ndarray) -> int | np.ndarray:
    """Return the number ``column width + row`` of a site of a strip, a ladder included.

    Parameters
    ----------
    width : int
        Sites in a column.
    column, row : int or array
        From 0.

    Returns
    -------
    int or array
        From 0.
    """
    return column * width + row


def strip(
    length: int, width: int, hopping: complex = 1.0, onsite: float | np.ndarray = 0.0
) -> scipy.sparse.csr_array:
    """Return the Hamiltonian of a rectangle cut from the square lattice.

    ``h = -hopping`` between neighbours, from a site to the one in the next column and to the one in
    the next row.  Clean, its energies are ``-2 hopping (cos k + cos q)`` with
    ``k = pi m / (length + 1)`` and ``q = pi n / (width + 1)``.

    Parameters
    ----------
    length, width : int
        Columns and sites in each; `strip_site` numbers them column by column.
    hopping : complex
        Hopping, in t.
    onsite : float or (length width,) array
        Energies of the sites, in t.

    Returns
    -------
    (N, N) csr_array of complex
        N = length width, in t.
    """
    return _rectangle(length, width, hopping, hopping, onsite)


def ladder(
    length: int, hopping: complex = 1.0, rung: complex = 1.0, onsite: float | np.ndarray = 0.0
) -> scipy.sparse.csr_array:
    """Return the Hamiltonian of two chains coupled rung by rung.

    Clean, the sum and the difference of the two chains are two independent chains with the on-site
    energies ``-rung`` and ``+rung``.

    Parameters
    ----------
    length : int
        Number of rungs; `strip_site` with the width 2 numbers the sites.
    hopping, rung : complex
        Hopping along the chains and on the rungs, in t.
    onsite : float or (2 length,) array
        Energies of the sites, in t.

    Returns
    -------
    (N, N) csr_array of complex
        N = 2 length, in t.
    """
    return _rectangle(length, 2, hopping, rung, onsite)


def _rectangle(
    length: int, width: int, along: complex, across: complex, onsite: float | np.ndarray
) -> scipy.sparse.csr_array:
    site = strip_site(width, np.arange(length)[:, None], np.arange(width))
    first = np.concatenate([site[:-1].ravel(), site[:, :-1].ravel()])
    second = np.concatenate([site[1:].ravel(), site[:, 1:].ravel()])
    hopping = np.repeat([along, across], [(length - 1) * width, length * (width - 1)])
    return _from_bonds(first, second, hopping, _energies(onsite, length * width))


def ring(
    sites: int, hopping: complex = 1.0, flux: float = 0.0, onsite: float | np.ndarray = 0.0
) -> scipy.sparse.csr_array:
    """Return the Hamiltonian of a ring that encloses a magnetic flux.

    ``h_{j,j+1} = -hopping e^{i flux / N}`` around the ring of N sites, so that a particle gathers
    the phase ``flux`` on its way around.  Clean, the energies are
    ``-2 hopping cos((2 pi m + flux) / N)``.

    Parameters
    ----------
    sites : int
        Number of sites N, three or more, numbered around the ring.
    hopping : complex
        Hopping, in t.
    flux : float
        Phase around the ring, 2 pi times the flux over the flux quantum.
    onsite : float or (N,) array
        Energies of the sites, in t.

    Returns
    -------
    (N, N) csr_array of complex
        In t.

    Raises
    ------
    ValueError
        When there are fewer than three sites.
    """
    if sites < 3:
        raise ValueError(f"a ring needs at least 3 sites, got {sites}")
    site = np.arange(sites)
    phase = np.exp(1j * flux / sites)
    return _from_bonds(site, np.roll(site, -1), hopping * phase, _energies(onsite, sites))


def star_site(length: int, arm: int | np.ndarray, position: int | np.ndarray) -> int | np.ndarray:
    """Return the number ``1 + arm length + position`` of a site of a star's arm; the centre is 0.

    Parameters
    ----------
    length : int
        Sites in an arm.
    arm : int or array
        From 0.
    position : int or array
        0 beside the centre, ``length - 1`` at the end of the arm.

    Returns
    -------
    int or array
        From 1.
    """
    return 1 + arm * length + position


def star(
    arms: int, length: int, hopping: complex = 1.0, onsite: float | np.ndarray = 0.0
) -> scipy.sparse.csr_array:
    """Return the Hamiltonian of chains that meet in one site.

    Parameters
    ----------
    arms, length : int
        Number of arms and of sites in each; `star_site` numbers them.
    hopping : complex
        Hopping, ``h = -hopping`` from each site to the next one away from the centre, in t.
    onsite : float or (1 + arms length,) array
        Energies of the sites, in t.

    Returns
    -------
    (N, N) csr_array of complex
        N = 1 + arms length, in t.
    """
    second = star_site(length, np.arange(arms)[:, None], np.arange(length))
    first = np.where(np.arange(length) > 0, second - 1, 0)
    return _from_bonds(first.ravel(), second.ravel(), hopping, _energies(onsite, 1 + arms * length))
