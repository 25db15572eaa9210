"""Channels of all leads at given energies: those whose amplitudes follow the energy too.

Most channels couple by a fixed vector of amplitudes (`nessflow.systems.contacts`).  Those of a lead
of coupled orbitals do not: at each energy ``Gamma = sum_n gamma_n w_n w_n^+`` over its open modes,
with unit vectors ``w_n`` on its sites.  Each of its channels stands for one of its sites in the
contacts, and for one of its modes in all that is counted: `Modes` turns one into the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nessflow.systems.contacts import Contacts
from nessflow.systems.leads.lead import Joined, Lead, Orbital, smooth_derivatives

if TYPE_CHECKING:
    from nessflow.systems.batch import Batch
    from nessflow.systems.system import AttachedLead, OpenSystem


@dataclass(frozen=True, eq=False)
class Joint:
    """Channels of one lead of coupled orbitals.

    Attributes
    ----------
    lead : Lead
        The lead.
    channels : (m,) int array
        Their places among the leads of the system, in the order of its rows.
    sites : (m,) int array
        The site of each row, from 0.
    elements : (m, m) int array
        Places of its matrix elements among `Contacts.elements`.
    """

    lead: Lead
    channels: np.ndarray
    sites: np.ndarray
    elements: np.ndarray

    @property
    def orbitals(self) -> list[Orbital]:
        """What stands for its poles, see `nessflow.systems.leads.lead.bordered`."""
        return [(self.sites, u, pole) for pole, u in self.lead.poles_on(self.sites.size)]


def contacts_of(leads: Sequence["AttachedLead"]) -> Contacts:
    """Return the contacts of channels.

    Parameters
    ----------
    leads : sequence of AttachedLead
        Channels, those of a lead in the order of its rows.

    Returns
    -------
    Contacts
        Sites that a lead joins are linked.
    """
    joined = [tuple(sites) for _, sites in joined_leads(leads)]
    return Contacts.of([lead.coupling for lead in leads], joined)


def joints(leads: Sequence["AttachedLead"], contacts: Contacts) -> tuple[Joint, ...]:
    """Return the leads of coupled orbitals.

    Parameters
    ----------
    leads : sequence of AttachedLead
        Channels, those of a lead in the order of its rows.
    contacts : Contacts
        Of these leads.

    Returns
    -------
    tuple of Joint
        In the order of the leads.
    """
    found = []
    place: dict[tuple[int, int], int] = {}
    for joined, group in _groups(leads):
        if not place:
            pairs = zip(*(x.tolist() for x in contacts.elements), strict=True)
            place = {pair: k for k, pair in enumerate(pairs)}
        sites = [leads[a].coupling[0][0] for a in group]
        elements = np.array([[place[i, j] for j in sites] for i in sites])
        channels = np.array(group)
        found.append(Joint(joined, channels, np.array(sites), elements))
    return tuple(found)


def joined_leads(leads: Sequence["AttachedLead"]) -> list[tuple[Lead, list[int]]]:
    """Return the leads of coupled orbitals, each with its sites, from 0.

    Parameters
    ----------
    leads : sequence of AttachedLead
        Channels, those of a lead in the order of its rows.
    """
    return [(lead, [leads[a].coupling[0][0] for a in x]) for lead, x in _groups(leads)]


def _groups(leads: Sequence["AttachedLead"]) -> list[tuple[Lead, list[int]]]:
    groups: dict[tuple[str | None, Lead], list[int]] = {}
    for a, lead in enumerate(leads):
        if isinstance(lead.model, Joined):
            groups.setdefault((lead.terminal, lead.model.lead), []).append(a)
    return [(lead, group) for (_, lead), group in groups.items()]


def regular_self_energy(system: "OpenSystem", energies: np.ndarray | None = None) -> np.ndarray:
    """Return the elements of the self-energies of a system's leads, without their poles.

    Parameters
    ----------
    system : OpenSystem
        Whose leads they are.
    energies : (E,) array, optional
        In t; for each lead its reference energy unless told.

    Returns
    -------
    (p, E) complex array
        In t, at `Contacts.elements`; E is 1 without energies.
    """

    def at(lead: Lead) -> np.ndarray:
        return np.array([lead.reference_energy]) if energies is None else energies

    joined = joined_channels(system.joints)
    values = np.zeros((len(system.leads), 1 if energies is None else energies.size), complex)
    for lead, members in system.alike_leads:
        if members[0] not in joined:
            values[members] = lead.model.regular_self_energy(at(lead.model))
    result = system.coupling.summed(values)
    for joint in system.joints:
        found = joint.lead.regular_self_energy_matrix(at(joint.lead), joint.sites.size)
        np.add.at(result, joint.elements, np.moveaxis(found, 0, -1))
    return result


def regular_slopes(system: "OpenSystem", energy: float) -> np.ndarray:
    """Return the derivatives of these elements at an energy that is no edge.

    Parameters
    ----------
    system : OpenSystem
        Whose leads they are.
    energy : float
        In t.

    Returns
    -------
    (p,) complex array
        In 1, at `Contacts.elements`.
    """
    joined = joined_channels(system.joints)
    values = np.zeros(len(system.leads), complex)
    for lead, members in system.alike_leads:
        if members[0] not in joined:
            values[members] = lead.model.regular_derivatives(energy)[1]
    result = system.coupling.summed(values)
    for joint in system.joints:
        m = joint.sites.size

        def matrices(energies: np.ndarray, lead: Lead = joint.lead, m: int = m) -> np.ndarray:
            return lead.regular_self_energy_matrix(energies, m)

        slope = smooth_derivatives(matrices, energy, joint.lead.edges)[1]
        np.add.at(result, joint.elements, slope)
    return result


def joined_channels(joints: Sequence[Joint]) -> set[int]:
    """Return the places of all channels of these leads.

    Parameters
    ----------
    joints : sequence of Joint
        Leads of coupled orbitals.

    Returns
    -------
    set of int
        Among the leads of the system.
    """
    return {a for joint in joints for a in joint.channels.tolist()}


@dataclass(frozen=True, eq=False)
class Modes:
    """Broadenings and amplitudes of the channels of a system's leads at given energies.

    Attributes
    ----------
    system : OpenSystem or Batch
        Whose leads they are.
    energies : (E,) array
        In t.
    """

    system: "OpenSystem | Batch"
    energies: np.ndarray

    @property
    def _contacts(self) -> Contacts:
        return self.system.coupling

    @property
    def _joints(self) -> tuple[Joint, ...]:
        return self.system.joints

    @cached_property
    def _turns(self) -> list[np.ndarray]:
        """Unit vectors ``w_n`` of each joint, (E, m, m), in columns; of closed modes any."""
        return [_unit_columns(self._amplitudes(x)) for x in self._joints]

    def _amplitudes(self, joint: Joint) -> np.ndarray:
        return joint.lead.channel_amplitudes(self.energies, len(joint.channels))

    @cached_property
    def broadening(self) -> np.ndarray:
        """Gamma of each channel, (l, E), in t; 0 where it is closed."""
        joined = joined_channels(self._joints)
        result = np.empty((len(self.system.leads), self.energies.size))
        for lead, members in self.system.alike_leads:
            if members[0] not in joined:
                result[members] = lead.broadening_at(self.energies)
        for joint in self._joints:
            v = self._amplitudes(joint)
            result[joint.channels] = (v.real**2 + v.imag**2).sum(axis=1).T
        return result

    def between(self, matrices: np.ndarray) -> np.ndarray:
        """Return ``v_a^+ M v_b`` of each pair of channels.

        Parameters
        ----------
        matrices : (E, c, c) array
            M between the contacts.

        Returns
        -------
        (E, l, l) array
            Between the channels.
        """
        at = self._contacts.of_lead
        result = matrices[:, at[:, None], at]
        for joint, turn in zip(self._joints, self._turns, strict=True):
            k = joint.channels
            result[:, k] = turn.conj().swapaxes(1, 2) @ result[:, k]
            result[:, :, k] = result[:, :, k] @ turn
        return result

    def combined(self, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``M v_a`` and the transposed ``v_a^+ M`` of each channel.

        Parameters
        ----------
        columns, rows : (E, n, c) array
            ``M v_a`` and the transposed ``v_a^+ M`` of the contacts.

        Returns
        -------
        columns, rows : (E, n, l) array
            Of the channels.
        """
        columns, rows = (x[:, :, self._contacts.of_lead] for x in (columns, rows))
        for joint, turn in zip(self._joints, self._turns, strict=True):
            k = joint.channels
            columns[:, :, k] = columns[:, :, k] @ turn
            rows[:, :, k] = rows[:, :, k] @ turn.conj()
        return columns, rows

    def expectations(self, diagonal: np.ndarray, above: np.ndarray) -> np.ndarray:
        """Return ``v_a^+ C v_a`` of Hermitian matrices for each channel.

        Parameters
        ----------
        diagonal : (..., E, N) float array
            ``C_jj``.
        above : (..., E, u) complex array
            ``C_ij`` of `Contacts.links`.

        Returns
        -------
        (..., E, l) float array
            Of each channel.
        """
        result = self._contacts.expectations(diagonal, above)
        if self._joints:
            own = diagonal[..., self._contacts.sites]
            elements = np.concatenate([own, above, above.conj()], axis=-1)
            for joint, turn in zip(self._joints, self._turns, strict=True):
                inner = turn.conj().swapaxes(1, 2) @ elements[..., joint.elements] @ turn
                result[..., joint.channels] = np.einsum("...ii->...i", inner).real
        return result

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Return the elements of ``sum_a x_a v_a v_a^+``.

        Parameters
        ----------
        values : (l, E) array
            ``x``, of each channel.

        Returns
        -------
        (p, E) array
            At `Contacts.elements`.
        """
        if not self._joints:
            return self._contacts.summed(values)
        fixed = values.copy()
        for joint in self._joints:
            fixed[joint.channels] = 0.0
        result = self._contacts.summed(fixed).astype(complex)
        for joint, turn in zip(self._joints, self._turns, strict=True):
            weighted = turn * values[joint.channels].T[:, None]
            matrices = weighted @ turn.conj().swapaxes(1, 2)
            np.add.at(result, joint.elements, np.moveaxis(matrices, 0, -1))
        return result

    def columns(self, sites: int) -> np.ndarray:
        """Return the amplitudes of each channel on all sites.

        Parameters
        ----------
        sites : int
            Number of sites N.

        Returns
        -------
        (E, N, l) complex array
            ``v_a`` in columns.
        """
        fixed = self._contacts.columns(sites)[:, self._contacts.of_lead]
        result = np.broadcast_to(fixed, (self.energies.size, *fixed.shape))
        if self._joints:
            result = result.copy()
        for joint, turn in zip(self._joints, self._turns, strict=True):
            result[:, :, joint.channels] = fixed[:, joint.channels] @ turn
        return result

    @cached_property
    def self_energy(self) -> np.ndarray:
        """Elements of the sum of all self-energies at `Contacts.elements`, (p, E) complex, in t."""
        total = np.zeros((self._contacts.count, self.energies.size), complex)
        joined, at = joined_channels(self._joints), self._contacts.of_lead
        for lead, members in self.system.alike_leads:
            if members[0] not in joined:
                row = lead.self_energy(self.energies)
                for a in members:
                    total[at[a]] += row
        result = self._contacts.spread(total)
        for joint in self._joints:
            found = joint.lead.self_energy_matrix(self.energies, len(joint.channels))
            np.add.at(result, joint.elements, np.moveaxis(found, 0, -1))
        return result


def _unit_columns(amplitudes: np.ndarray) -> np.ndarray:
    """Return columns scaled to the norm 1, those that are 0 left so, (E, m, m)."""
    norms = np.sqrt((amplitudes.real**2 + amplitudes.imag**2).sum(axis=1))
    return amplitudes / np.where(norms > 0, norms, 1.0)[:, None]
