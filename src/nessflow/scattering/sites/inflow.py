"""What leads, loss and gain send to each site: the integrand beside the currents of the bonds."""

from typing import Any

import numpy as np

from nessflow.solvers.pairwise import lead_broadening
from nessflow.solvers.solver import green_on_contacts
from nessflow.spectrum.narrow_states import NarrowStates
from nessflow.systems.contacts import hermitian_elements
from nessflow.systems.matrices import diagonal, matrix_elements
from nessflow.systems.system import OpenSystem


def inflow(
    system: OpenSystem,
    energies: np.ndarray,
    gamma: np.ndarray,
    occupations: tuple,
    sites: dict,
    beside: dict,
    links: dict,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrand of what leads, loss and gain send to each site, (N, E), and its size.

    ``sum_a Gamma_a [f_a p - (1 - f_a) n]_jj - 2 Re(P n)_jj + 2 Re(Q p)_jj`` with particles
    ``n = G (sum_a f_a Gamma_a + 2Q) G^+`` and holes ``p``: eq (5) of paper
    extended-landauer-buttiker, element by element.  Sites that share a lead exchange particles
    through it besides, see `_exchange`.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.
    gamma : (l, E) array
        Broadenings of the leads.
    occupations : pair of (l, E) arrays
        Of the leads, and what lacks of them.
    sites, beside, links : dict of array
        Elements of ``n`` and ``p``, named ``filled`` and ``empty``, on sites, bonds and links of
        contacts, see `nessflow.solvers.pairwise.SiteSums`.

    Returns
    -------
    value, size : (N, E) float
        Over ``dw/2pi``.
    """
    value, size = np.zeros((2, *sites["filled"].T.shape))

    def add(
        sign: int, own_sites: Any, own: np.ndarray, linked: np.ndarray, shared: np.ndarray
    ) -> None:
        for total, numbers, others in (
            (value, sign * own, sign * shared),
            (size, own, abs(shared)),
        ):
            total[own_sites] += numbers
            for ends in linked.T:
                np.add.at(total, ends, others)

    contacts, modes = system.coupling, system.modes(energies)
    for name, occupation, sign in zip(("empty", "filled"), occupations, (1, -1), strict=True):
        weights = modes.summed(gamma * occupation)
        own, above, _ = np.split(weights, np.cumsum([contacts.sites.size, len(contacts.links)]))
        own = own.real * sites[name].T[contacts.sites]
        add(sign, contacts.sites, own, contacts.links, (above.conj() * links[name].T).real)
    if len(contacts.links):
        exchanged, most = _exchange(system, energies, gamma * occupations[0], links["filled"].T)
        for ends, sign in zip(contacts.links.T, (1, -1), strict=True):
            np.add.at(value, ends, sign * exchanged)
            np.add.at(size, ends, most)
    for matrix, name, sign in ((system.gain, "empty", 1), (system.loss, "filled", -1)):
        if matrix.any():
            own = 2 * diagonal(matrix)[:, None] * sites[name].T
            shared = 2 * (matrix_elements(matrix, system.pairs).conj() * beside[name]).real.T
            add(sign, slice(None), own, system.pairs, shared)
    return value, size


def _exchange(
    system: OpenSystem, energies: np.ndarray, filling: np.ndarray, beside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what comes through leads to the first site of each link from the second, (u, E).

    ``(W G^+ - G W - Sigma n + n Sigma^+)_jj`` of Dyson's equation, with the filling
    ``W = sum_a Gamma_a f_a v_a v_a^+``, has beside `inflow` the Hermitian parts
    ``H = (G + G^+)/2`` and ``R`` of Green's function and self-energy: ``2 Im(R n - H W)_jj``, which
    vanishes when summed over the sites of a lead.  Also returns what it is a sum of.
    """
    contacts = system.coupling
    count = len(contacts.links)
    first = slice(contacts.sites.size, contacts.sites.size + count)
    i, j = np.searchsorted(contacts.sites, contacts.links.T)
    green = green_on_contacts(system, energies)
    hermitian = 0.5 * (green[:, i, j] + green[:, j, i].conj()).T
    modes = system.modes(energies)
    shifts = hermitian_elements(contacts, modes.self_energy)[first]
    filled = modes.summed(filling)[first]
    parts = 2 * shifts * beside.conj(), 2 * hermitian * filled.conj()
    return (parts[0] - parts[1]).imag, abs(parts[0]) + abs(parts[1])


def largest_inflow(system: OpenSystem, states: NarrowStates) -> np.ndarray:
    """Return a bound of what narrow states, filled or empty, exchange with all terminals.

    Parameters
    ----------
    system : OpenSystem
        The system.
    states : NarrowStates
        Those of one window.

    Returns
    -------
    (N,) float array
        In t/hbar, on each site.
    """
    sites, pairs, contacts = np.arange(system.sites), system.pairs, system.coupling
    weight = sum(
        abs(more) + wrong
        for more, wrong in (x.elements(sites, sites) for x in (states.filled, states.empty))
    )
    middle = np.array([np.mean(states.window)])
    gamma = lead_broadening(system, middle)
    largest = contacts.magnitudes.summed(gamma + 2 * abs(np.array(system.self_energies(middle))))
    for joint in system.joints:
        between = 4 * abs(joint.lead.self_energy_matrix(middle, joint.sites.size))
        np.add.at(largest, joint.elements, np.moveaxis(between, 0, -1))
    ends = np.cumsum([contacts.sites.size, len(contacts.links)])
    own, above, _ = np.split(largest[:, 0], ends)
    exchanges = [(contacts.sites, own, contacts.links, above)]
    for matrix in (system.loss, system.gain):
        if matrix.any():
            shared = 2 * abs(matrix_elements(matrix, pairs))
            exchanges.append((sites, 2 * diagonal(matrix), pairs, shared))
    result = np.zeros(system.sites)
    for at, own, linked, shared in exchanges:
        result[at] += own * weight[at]
        for ends in linked.T:
            np.add.at(result, ends, shared * np.sqrt(weight[linked].prod(axis=1)))
    return result
