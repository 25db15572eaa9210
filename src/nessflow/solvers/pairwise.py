"""Transmissions between all pairs of many leads, and sums over them, of any geometry.

``T_ab = Gamma_a |v_a^+ G v_b|^2 Gamma_b`` between leads.  Currents need no pair: what all leads
together send to site j is the element ``(j, j)`` of ``G W G^+``, with ``W`` the sum of their
broadening times occupation times ``v_a v_a^+``.  On a chain with each lead on one site this is O(N)
for each energy, in a sparse system of bandwidth b O(N b^2) (`nessflow.solvers.blocks`), the
matrix of all pairs O(N^2); matrices with all their elements take dense linear algebra, O(N^3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from nessflow.solvers import blocks, dense
from nessflow.solvers.solver import Solver, contact_response, solver_of
from nessflow.systems.batch import Batch
from nessflow.systems.system import OpenSystem

_ELEMENTS = 2**21
"""Elements of arrays over energies and sites, or pairs of leads, at a time."""


# --- leads ----------------------------------------------------------------------------------------


def lead_broadening(system: OpenSystem | Batch, energies: np.ndarray) -> np.ndarray:
    """Return ``Gamma_a`` of each lead.

    Parameters
    ----------
    system : OpenSystem or Batch
        The system.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (l, E) float array
        In t.
    """
    return system.modes(energies).broadening


def _batches(count: int, size: int) -> list[slice]:
    step = max(1, _ELEMENTS // max(size, 1))
    # One of no energies where nothing flows at any.
    starts = range(0, max(count, 1), step)
    return [slice(start, min(start + step, count)) for start in starts]


# --- Green's function and transmissions -----------------------------------------------------------


def green_between(system: OpenSystem | Batch, energies: np.ndarray) -> np.ndarray:
    """Return the Green's function between all leads, ``v_a^+ G v_b``.

    Parameters
    ----------
    system : OpenSystem or Batch
        The system; O(N + l^2) for each energy on a chain.  Those of a batch are of one
        `nessflow.solvers.solver.site_shape`.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (E, l, l) complex array
        In 1/t.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    at, solver = system.coupling.of_lead, solver_of(system)
    if not solver.keeps_site_digits:
        return system.modes(energies).between(contact_response(system, energies).green)
    result = np.empty((energies.size, at.size, at.size), complex)
    for batch in _batches(energies.size, max(system.sites, at.size**2)):
        result[batch] = solver.on_sites.green_between(_part(system, batch), energies[batch])
    return result


def _part(system: OpenSystem | Batch, batch: slice) -> OpenSystem | Batch:
    return system.at(batch) if isinstance(system, Batch) else system


def pair_correlations(
    system: OpenSystem,
    energies: np.ndarray,
    source: np.ndarray,
    green: np.ndarray | None = None,
) -> np.ndarray:
    """Return ``v_a^+ G W G^+ v_b`` between all leads.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N^2) for each energy on a chain.
    energies : (E,) array
        Energies, in t.
    source : (l, E) array
        Multiples of ``v_a v_a^+`` in W.
    green : (E, l, l) complex array, optional
        `green_between`, where it was computed before.

    Returns
    -------
    (E, l, l) complex array
        In 1/t^2 times the unit of ``source``.
    """
    solver = Solver(system)
    if not solver.keeps_site_digits:
        green = green_between(system, energies) if green is None else green
        return (green * source.T[:, None]) @ green.conj().swapaxes(1, 2)
    on_contacts = system.modes(energies).summed(source).T
    return solver.on_sites.correlations_between(system, energies, on_contacts)


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
    count, solver = len(system.leads), Solver(system)
    total = np.zeros((count, count))
    if not solver.keeps_site_digits:
        for batch in _batches(energies.size, count**2):
            green = green_between(system, energies[batch])
            modulus = green.real**2 + green.imag**2
            total += np.einsum("ea,eab,eb->ab", first[batch], modulus, second[batch])
        return total
    for batch in _batches(energies.size, system.sites):
        weights = first[batch], second[batch]
        total += solver.on_sites.weighted_squares(system, energies[batch], *weights)
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
    return system.pairs


def site_bonds(system: OpenSystem) -> np.ndarray:
    """Return the pairs of lattice sites whose orbitals any matrix of the system joins.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (S, 2) int array
        From 0, ascending, in pairs and among them.
    """
    pairs = bonds(system) // system.orbitals
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]].reshape(-1, 2), axis=0)


class SiteSums(NamedTuple):
    """What sites, bonds and leads have of ``C = G W G^+``.

    Attributes
    ----------
    sites : (m, E, N) float
        Its diagonals.
    bonds : (m, E, B) complex
        Its elements on the `bonds`.
    leads : (m, l, E) float
        ``v_a^+ C v_a`` of the contacts; of a lead of coupled orbitals on each of its sites.
    links : (m, E, u) complex
        Its elements on the links of the system's contacts.
    pairs : (m, E, k) complex
        Its elements on other pairs that were asked for.
    """

    sites: np.ndarray
    bonds: np.ndarray
    leads: np.ndarray
    links: np.ndarray
    pairs: np.ndarray


NO_PAIRS = np.empty((0, 2), int)


def site_sums(
    system: OpenSystem,
    energies: np.ndarray,
    sources: Sequence[Source],
    pairs: np.ndarray = NO_PAIRS,
) -> SiteSums:
    """Return elements of ``G W G^+``: the diagonals, those on the `bonds`, those of leads.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N) for each energy and source on a chain.
    energies : (E,) array
        Energies, in t.
    sources : sequence of m Source
        ``W``.
    pairs : (k, 2) int array, optional
        Orbitals of one site, or of two that a bond joins; not of a chain of one orbital each.

    Returns
    -------
    SiteSums
        Of each source and energy.
    """
    own = bonds(system)
    on_diagonal, beside = _elements(system, energies, sources, np.concatenate([own, pairs]))
    beside, other, links = np.split(beside, [len(own), len(own) + len(pairs)], axis=-1)
    of_leads = system.coupling.expectations(on_diagonal, links)
    return SiteSums(on_diagonal, beside, of_leads.swapaxes(1, 2), links, other)


def _elements(
    system: OpenSystem | Batch, energies: np.ndarray, sources: Sequence[Source], bonds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the diagonals of ``G W G^+`` and its elements on bonds, then on contacts' links."""
    pairs = np.concatenate([bonds, system.coupling.links])
    environments = np.array([(x.loss, x.gain) for x in sources])
    modes = system.modes(energies)
    on_contacts = np.array([modes.summed(x.leads).T for x in sources])
    arguments = system, energies, environments, on_contacts, pairs
    return solver_of(system).on_sites.site_sums(*arguments)


def lead_sums(
    system: OpenSystem | Batch, energies: np.ndarray, sources: Sequence[Source]
) -> np.ndarray:
    """Return ``v_a^+ G W G^+ v_a`` of each lead, what `site_sums` has of them and no more.

    Parameters
    ----------
    system : OpenSystem or Batch
        The system.  Those of a batch are of one `nessflow.solvers.solver.site_shape`.
    energies, sources
        As there.

    Returns
    -------
    (m, l, E) float array
        Of each source and energy.
    """
    contacts, solver = system.coupling, solver_of(system).on_sites
    if isinstance(system, Batch) and (solver is blocks or system.joints):
        parts = [
            (each, energies[here], [replace(x, leads=x.leads[:, here]) for x in sources])
            for each, here in system.parts
        ]
        return np.concatenate([lead_sums(*part) for part in parts], axis=2)
    if solver is not dense or system.joints:
        on_diagonal, links = _elements(system, energies, sources, np.empty((0, 2), int))
        return system.modes(energies).expectations(on_diagonal, links).swapaxes(1, 2)
    response = contact_response(system, energies)
    squares = response.green.real**2 + response.green.imag**2
    weights = np.zeros((energies.size, contacts.count, len(sources)))
    place: Any = (slice(None), contacts.of_lead)
    np.add.at(weights, place, np.transpose([x.leads for x in sources]))
    found = squares @ weights
    for k, source in enumerate(sources):
        found[:, :, k] += source.loss * response.loss + source.gain * response.gain
    return found[:, contacts.of_lead].transpose(2, 1, 0)


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
        one, other = (np.concatenate(column, axis=1) for column in zip(*parts, strict=True))
        return one, other

    return whole
