"""Transmissions between all pairs of many leads, and sums over them, of any geometry.

``T_ab = Gamma_a |v_a^+ G v_b|^2 Gamma_b`` between leads.  Currents need no pair: what all leads
together send to site j is the element ``(j, j)`` of ``G W G^+``, with ``W`` the sum of their
broadening times occupation times ``v_a v_a^+``.  On a chain with each lead on one site this is O(N)
for each energy, in a sparse system of bandwidth b O(N b^2) (`nessflow.solvers.blocks`), the
matrix of all pairs O(N^2); matrices with all their elements take dense linear algebra, O(N^3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nessflow.solvers import blocks, dense
from nessflow.solvers.dark_states import dark_states
from nessflow.solvers.solver import contact_response, prefers_dense
from nessflow.systems.matrices import Sparse, as_dense, diagonal
from nessflow.systems.system import OpenSystem

_ELEMENTS = 2**21
"""Elements of arrays over energies and sites, or pairs of leads, at a time."""


# --- leads ----------------------------------------------------------------------------------------


def lead_broadening(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return ``Gamma_a`` of each lead.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (l, E) float array
        In t.
    """
    result = np.empty((len(system.leads), energies.size))
    for lead, members in system.alike_leads:
        result[members] = lead.broadening_at(energies)
    return result


def _on_sites(system: OpenSystem, values: np.ndarray) -> np.ndarray:
    """Return the sums of what belongs to leads, (l, E), over those of each site, (E, N)."""
    result = np.zeros((values.shape[1], system.sites), values.dtype)
    result[:, system.contacts] = system.coupling.summed(values).T
    return result


def _inverse_diagonal(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return the diagonal of ``w - X - Sigma`` of a chain, (E, N) complex."""
    damping = diagonal(system.loss) + diagonal(system.gain)
    result = energies[:, None] - diagonal(system.hamiltonian) + 1j * damping
    of_lead = system.contacts[system.coupling.of_lead]
    for lead, members in system.alike_leads:
        at = of_lead[members]
        sites, counts = np.unique(at, return_counts=True)
        result[:, sites] -= counts * lead.self_energy(energies)[:, None]
    return result


def keeps_site_digits(system: OpenSystem) -> bool:
    """Return whether the compiled kernels of a chain serve, to whom no element is too small.

    Their determinants vanish at the level of a state that no terminal reaches.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    bool
        For a chain with each lead on one site.
    """
    return system.is_wired_chain and dark_states(system).levels.size == 0


def _chain(system: OpenSystem, energies: np.ndarray) -> tuple:
    """Return what the compiled kernels of a chain want, their module first."""
    # Imported here: numba takes long to import, and other systems do not need it.
    from nessflow.solvers import chain_sites

    upper = system.hamiltonian.upper
    rates = 1j * (system.loss.upper + system.gain.upper)
    return chain_sites, _inverse_diagonal(system, energies), upper - rates, (upper + rates).conj()


def _batches(count: int, size: int) -> list[slice]:
    step = max(1, _ELEMENTS // max(size, 1))
    # One of no energies where nothing flows at any.
    starts = range(0, max(count, 1), step)
    return [slice(start, min(start + step, count)) for start in starts]


# --- Green's function and transmissions -----------------------------------------------------------


def green_between(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return the Green's function between all leads, ``v_a^+ G v_b``.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N + l^2) for each energy on a chain.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (E, l, l) complex array
        In 1/t.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    at = system.coupling.of_lead
    if not keeps_site_digits(system):
        return contact_response(system, energies).green[:, at][:, :, at]
    result = np.empty((energies.size, at.size, at.size), complex)
    for batch in _batches(energies.size, max(system.sites, at.size**2)):
        kernels, *chain = _chain(system, energies[batch])
        result[batch] = kernels.green(*chain, system.contacts)[:, at][:, :, at]
    return result


def pair_correlations(system: OpenSystem, energies: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return ``v_a^+ G W G^+ v_b`` between all leads.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N^2) for each energy on a chain.
    energies : (E,) array
        Energies, in t.
    source : (l, E) array
        Multiples of ``v_a v_a^+`` in W.

    Returns
    -------
    (E, l, l) complex array
        In 1/t^2 times the unit of ``source``.
    """
    if not keeps_site_digits(system):
        green = green_between(system, energies)
        return (green * source.T[:, None]) @ green.conj().swapaxes(1, 2)
    at, weights = system.coupling.of_lead, _on_sites(system, source)
    kernels, *chain = _chain(system, energies)
    return kernels.pair_correlations(*chain, system.contacts, weights)[:, at][:, :, at]


def pair_transmission(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return ``T_ab`` between all leads, from b to a.

    Parameters
    ----------
    system : OpenSystem
        Any number of leads; O(N^2) for each energy on a chain.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (E, l, l) float array
        The diagonal is zero.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    gamma = lead_broadening(system, energies).T
    green = green_between(system, energies)
    result = gamma[:, :, None] * (green.real**2 + green.imag**2) * gamma[:, None]
    result[:, range(len(system.leads)), range(len(system.leads))] = 0.0
    return result


def transmission_sum(
    system: OpenSystem, energies: np.ndarray, to: np.ndarray, source: np.ndarray
) -> np.ndarray:
    """Return ``sum_e to_ae T_ab(w_e) source_be`` with ``T_aa = Gamma_a^2 |G_aa|^2``.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.
    to, source : (l, E) arrays
        Weights of each energy.

    Returns
    -------
    (l, l) float array
        In the unit of ``to source``.
    """
    gamma = lead_broadening(system, energies)
    first, second = np.ascontiguousarray((gamma * to).T), np.ascontiguousarray((gamma * source).T)
    count = len(system.leads)
    total = np.zeros((count, count))
    if not keeps_site_digits(system):
        for batch in _batches(energies.size, count**2):
            green = green_between(system, energies[batch])
            modulus = green.real**2 + green.imag**2
            total += np.einsum("ea,eab,eb->ab", first[batch], modulus, second[batch])
        return total
    of_lead = system.contacts[system.coupling.of_lead]
    order = np.argsort(of_lead, kind="stable")
    sites = of_lead[order]
    for batch in _batches(energies.size, system.sites):
        kernels, *chain = _chain(system, energies[batch])
        weights = first[batch][:, order], second[batch][:, order]
        total[np.ix_(order, order)] += kernels.pair_sums(*chain, sites, *weights)
    return total


# --- sums over sites ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Source:
    """Hermitian matrix ``W`` at each energy: of leads, and of loss and gain.

    Attributes
    ----------
    leads : (l, E) float
        Multiples of ``v_a v_a^+``.
    loss, gain : float
        Multiples of ``2P`` and ``2Q`` that are added.
    """

    leads: np.ndarray
    loss: float = 0.0
    gain: float = 0.0


def bonds(system: OpenSystem) -> np.ndarray:
    """Return the pairs of sites that any matrix of the system joins.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (B, 2) int array
        From 0, ascending, in pairs and among them.
    """
    if system.is_tridiagonal:
        first = np.arange(system.sites - 1)
        return np.stack([first, first + 1], axis=1)
    joined = sum(
        abs(matrix.matrix if isinstance(matrix, Sparse) else matrix)
        for matrix in (system.hamiltonian, system.loss, system.gain)
    )
    row, column = joined.nonzero()[:2]
    pairs = np.stack([row, column], axis=1)[row < column]
    return pairs[np.lexsort(pairs.T[::-1])].astype(int)


class SiteSums(NamedTuple):
    """What sites, bonds and leads have of ``C = G W G^+``.

    Attributes
    ----------
    sites : (m, E, N) float
        Its diagonals.
    bonds : (m, E, B) complex
        Its elements on the `bonds`.
    leads : (m, l, E) float
        ``v_a^+ C v_a``.
    links : (m, E, u) complex
        Its elements on the links of the system's contacts.
    """

    sites: np.ndarray
    bonds: np.ndarray
    leads: np.ndarray
    links: np.ndarray


def site_sums(system: OpenSystem, energies: np.ndarray, sources: Sequence[Source]) -> SiteSums:
    """Return elements of ``G W G^+``: the diagonals, those on the `bonds`, those of leads.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N) for each energy and source on a chain.
    energies : (E,) array
        Energies, in t.
    sources : sequence of m Source
        ``W``.

    Returns
    -------
    SiteSums
        Of each source and energy.
    """
    own = bonds(system)
    pairs = np.concatenate([own, system.coupling.links])
    on_diagonal = np.empty((len(sources), energies.size, system.sites))
    beside = np.empty((len(sources), energies.size, len(pairs)), complex)
    if keeps_site_digits(system):
        fill = _chain_site_sums
    else:
        fill = _dense_site_sums if prefers_dense(system) else _sparse_site_sums
    fill(system, energies, sources, pairs, on_diagonal, beside)
    beside, links = np.split(beside, [len(own)], axis=-1)
    of_leads = system.coupling.expectations(on_diagonal, links)
    return SiteSums(on_diagonal, beside, of_leads.swapaxes(1, 2), links)


def _chain_site_sums(system, energies, sources, pairs, on_diagonal, beside) -> None:
    constant = [
        2 * (x.loss * diagonal(system.loss) + x.gain * diagonal(system.gain)) for x in sources
    ]
    links = [2 * (x.loss * system.loss.upper + x.gain * system.gain.upper) for x in sources]
    weights = [_on_sites(system, x.leads) + more for x, more in zip(sources, constant, strict=True)]
    kernels, *chain = _chain(system, energies)
    found = kernels.local_sums(*chain, np.ascontiguousarray(weights), np.array(links, complex))
    on_diagonal[:], beside[:] = found


def _sparse_site_sums(system, energies, sources, pairs, on_diagonal, beside) -> None:
    environments = np.array([(x.loss, x.gain) for x in sources])
    weights = np.array([system.coupling.summed(x.leads).T for x in sources])
    found = blocks.site_sums(system, energies, environments, weights, pairs)
    on_diagonal[:], beside[:] = found


def _dense_site_sums(system, energies, sources, pairs, on_diagonal, beside) -> None:
    loss, gain = 2 * as_dense(system.loss), 2 * as_dense(system.gain)
    rows, columns = system.coupling.elements
    for batch, green in dense.green(system, energies):
        for k, source in enumerate(sources):
            matrix = np.zeros(green.shape, complex) + source.loss * loss + source.gain * gain
            matrix[:, rows, columns] += system.coupling.summed(source.leads[:, batch]).T
            product = green @ matrix @ green.conj().swapaxes(1, 2)
            on_diagonal[k, batch] = np.einsum("eii->ei", product).real
            beside[k, batch] = product[:, pairs[:, 0], pairs[:, 1]]


def in_batches(integrand: Callable, size: int) -> Callable:
    """Return an integrand that sees few energies at a time.

    Parameters
    ----------
    integrand : callable
        ``integrand(w (n,)) -> (values (m, n), magnitudes (m, n))``.
    size : int
        How many numbers for each energy its arrays hold.

    Returns
    -------
    callable
        The same function of w.
    """

    def whole(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [integrand(energies[batch]) for batch in _batches(energies.size, size)]
        return tuple(np.concatenate(column, axis=1) for column in zip(*parts, strict=True))

    return whole
