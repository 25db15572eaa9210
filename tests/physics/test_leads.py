"""Laws that every kind of lead obeys, and whatever is made of it."""

from dataclasses import replace

import numpy as np
import pytest

from nessflow.probes.third_order import conductance_derivatives
from nessflow.registry import members
from nessflow.scattering.counting import lead_cumulants
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.noise import lead_noise
from nessflow.scattering.profiles import profiles
from nessflow.spectrum.bound_states import bound_states
from nessflow.spectrum.mesh import resonances
from nessflow.spectrum.rates import Rates
from nessflow.systems.leads.lead import Lead
from nessflow.systems.leads.lorentzian import Lorentzian
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.semi_infinite_ssh import SemiInfiniteSSH
from nessflow.systems.leads.semi_infinite_strip import SemiInfiniteStrip
from nessflow.systems.leads.unit_cell import UnitCell
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.system import AttachedLead, OpenSystem, Tridiagonal
from nessflow.testing import check_lead

LEADS = {
    "wide band": WideBand(broadening=0.7),
    "chain": SemiInfiniteChain(hopping=0.8, coupling=0.5, onsite=0.2),
    "trivial SSH": SemiInfiniteSSH(intracell=1.1, intercell=0.6, coupling=0.5, onsite=0.15),
    "topological SSH": SemiInfiniteSSH(intracell=0.6, intercell=1.1, coupling=0.5, onsite=0.15),
    "critical SSH": SemiInfiniteSSH(intracell=0.8, intercell=0.8, coupling=0.5),
    "Lorentzian": Lorentzian(coupling=0.6, onsite=-0.3, half_width=0.4),
    "strip of one row": SemiInfiniteStrip(hopping=0.8, coupling=0.5, onsite=0.2),
}
CELLS = {
    "one row of cells": UnitCell(
        cell=((0.1, -0.6), (-0.6, 0.2)), hopping=((0, 0), (-1.1, 0.2)), coupling=((0.5, 0.1),)
    ),
    "cells of three rows": UnitCell(
        cell=((0, -1, 0), (-1, 0.3, 1j), (0, -1j, 0)),
        hopping=((-1, 0, 0), (0, -0.8, 0.1j), (0, 0, -0.9)),
    ),
    "cells of half rank": UnitCell(cell=((0, -1), (-1, 0)), hopping=((0, 0), (-1.2, 0))),
}
ENERGIES = np.array([-40.0, -2.31, -1.47, -0.63, -0.11, 0.04, 0.37, 0.92, 1.63, 2.2, 900.0])


@pytest.fixture(params=[*LEADS.values(), *CELLS.values()], ids=[*LEADS, *CELLS])
def lead(request) -> Lead:
    return request.param


def test_every_kind_is_tried():
    tried = [*LEADS.values(), *CELLS.values()]
    # One that is not placed is another lead beside each lattice.
    placed = {kind for kind in members(Lead).values() if kind.is_placed}
    assert {type(lead) for lead in tried} == placed


def test_it_obeys_the_laws_of_leads(lead):
    check_lead(lead)


# --- self-energies --------------------------------------------------------------------------------


def test_at_a_pole_the_lead_cuts_off_its_site():
    lead = LEADS["topological SSH"]
    system = attached(lead, WideBand(broadening=0.9))
    beside, at = (Rates(system, np.array([0.15 + x])).green[:, :, 0] for x in (1e-12, 0.0))
    np.testing.assert_allclose(at, beside, atol=1e-10)
    assert np.isfinite(at).all()


def test_ssh_at_the_transition_is_a_chain():
    ssh, chain = LEADS["critical SSH"], SemiInfiniteChain(hopping=0.8, coupling=0.5)
    energies = np.append(ENERGIES, 0.0)
    np.testing.assert_allclose(
        ssh.self_energy(energies), chain.self_energy(energies), rtol=1e-13, atol=1e-16
    )


# --- on several sites -----------------------------------------------------------------------------


@pytest.fixture(params=[1, 3, 4])
def sites(request) -> int:
    return request.param


def first_cells(lead: Lead, sites: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the Hamiltonian of the first sites of a lead, and their coupling to its contacts."""
    one, number = np.eye(sites), np.arange(sites)
    across = np.zeros((sites, sites))
    if isinstance(lead, SemiInfiniteStrip):
        across[abs(number[:, None] - number) == 1] = -lead.hopping
    if isinstance(lead, SemiInfiniteSSH):
        bonds = np.resize([lead.intracell, lead.intercell], length - 1)
    else:
        bonds = np.full(length - 1, -lead.hopping)
    along = np.diag(bonds, 1) + np.diag(bonds, -1)
    h = np.kron(np.eye(length), lead.onsite * one + across) + np.kron(along, one)
    contact = np.zeros((sites, length * sites))
    contact[:, :sites] = lead.coupling * one
    return h, contact


@pytest.mark.parametrize("name", ["chain", "trivial SSH", "topological SSH", "strip of one row"])
def test_a_long_finite_lead_acts_the_same_until_its_far_end_is_felt(name, sites):
    """In time: ``int dw/2pi Gamma e^{-iwt}`` is what comes back from the lead."""
    lead = LEADS[name]
    h, contact = first_cells(lead, sites, 60)
    levels, modes = np.linalg.eigh(h)
    reached = contact @ modes
    channels = lead.channels(sites)
    for time in (0.0, 1.3, 7.0):
        expected = (reached * np.exp(-1j * levels * time)) @ reached.T
        found = np.zeros((sites, sites), complex)
        for v, own in channels:
            phase = sum(r * np.exp(-1j * np.real(pole) * time) for pole, r in own.poles)
            for low, high in own.bands:
                # Roots at both ends of a band are smooth in the angle.
                angle = np.pi * (np.arange(400) + 0.5) / 400
                energies = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(angle)
                weight = 0.5 * (high - low) * np.sin(angle) / 800
                phase = phase + np.sum(
                    weight * own.broadening_at(energies) * np.exp(-1j * energies * time)
                )
            found += phase * np.outer(v, v.conj())
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_a_strip_goes_on_as_itself(sites):
    """``g = 1/(w - h - t^2 g)`` of the first column and ``Sigma = coupling^2 g``, as matrices."""
    lead = LEADS["strip of one row"]
    h, _ = first_cells(lead, sites, 1)
    g = lead.self_energy_matrix(ENERGIES, sites) / lead.coupling**2
    rest = ENERGIES[:, None, None] * np.eye(sites) - h - lead.hopping**2 * g
    identity = np.broadcast_to(np.eye(sites), g.shape)
    np.testing.assert_allclose(rest @ g, identity, atol=1e-12)


def test_the_modes_of_a_strip_are_orthonormal_and_symmetric(sites):
    modes = np.array([v for v, _ in SemiInfiniteStrip().channels(sites)])
    np.testing.assert_allclose(modes @ modes.T, np.eye(sites), atol=1e-15)
    energies = np.array([own.onsite for _, own in SemiInfiniteStrip().channels(sites)])
    np.testing.assert_array_equal(energies, -energies[::-1])


# --- what is made of them -------------------------------------------------------------------------
#
# A lead with its first site, or a Lorentzian with its level, taken into the system is the same
# lead: exact, for every quantity, so that nothing downstream knows of kinds of lead.


def first_site(lead: Lead) -> tuple[float, float, Lead]:
    """Return energy and hopping of a lead's first site, and the lead that is left."""
    if isinstance(lead, SemiInfiniteChain):
        return lead.onsite, lead.coupling, lead.model_copy(update={"coupling": lead.hopping})
    if isinstance(lead, SemiInfiniteSSH):
        t1, t2 = lead.intracell, lead.intercell
        rest = SemiInfiniteSSH(intracell=t2, intercell=t1, coupling=t1, onsite=lead.onsite)
        return lead.onsite, lead.coupling, rest
    return lead.onsite, lead.coupling, WideBand(broadening=2 * lead.half_width)


def attached(left: Lead, right: Lead, loss=0.0, temperature=0.2) -> OpenSystem:
    h = Tridiagonal([0.3, -0.2, 0.1], [0.7, 0.9])
    p = Tridiagonal([0.0, loss, 0.0], [0.0, 0.0])
    ends = AttachedLead("left", 0, left, 0.4, temperature), AttachedLead("right", 2, right, -0.3, 0)
    return OpenSystem(h, p, Tridiagonal.zero(3), ends)


def longer(system: OpenSystem) -> OpenSystem:
    """Return the system with the first site of its left lead in it."""
    left, right = system.leads
    energy, hopping, rest = first_site(left.model)
    h, p = system.hamiltonian, system.loss
    h = Tridiagonal([energy, *h.diagonal], [hopping, *h.upper])
    p = Tridiagonal([0.0, *p.diagonal], [0.0, *p.upper])
    ends = replace(left, model=rest), replace(right, site=right.site + 1)
    return OpenSystem(h, p, Tridiagonal.zero(4), ends)


@pytest.fixture(params=[name for name in LEADS if name != "wide band"])
def pair(request) -> tuple[OpenSystem, OpenSystem]:
    system = attached(LEADS[request.param], WideBand(broadening=0.5), loss=0.1)
    return system, longer(system)


def test_transmissions_do_not_know_where_the_lead_begins(pair):
    short, long = (Rates(system, ENERGIES) for system in pair)
    for own, other in (
        (short.leads[0, 1], long.leads[0, 1]),
        (short.leads[1, 0], long.leads[1, 0]),
        (short.from_loss, long.from_loss),
        (short.to_loss, long.to_loss),
    ):
        np.testing.assert_allclose(own, other, rtol=1e-11, atol=1e-15)


def within_errors(own, other, name, skip=0):
    """Check that two results have one value; of the other without its first ``skip`` numbers."""
    found = [getattr(result, name) for result in (own, other)]
    values, errors = ([np.asarray(x[k]) for x in found] for k in (0, 1))
    difference, error = abs(values[0] - values[1][skip:]), errors[0] + errors[1][skip:]
    assert np.array_equal(np.isnan(values[0]), np.isnan(values[1][skip:])), name
    assert np.all((difference <= error) | np.isnan(difference)), (name, difference, error)
    assert np.nanmax(error) < 1e-7, (name, error)


def test_nor_do_currents_and_their_fluctuations(pair):
    currents = [steady_currents(system) for system in pair]
    within_errors(*currents, "particle_current")
    within_errors(*currents, "energy_current")
    within_errors(*[lead_noise(system) for system in pair], "particle_noise")
    within_errors(*[lead_cumulants(system) for system in pair], "cumulants")


def test_nor_do_occupations(pair):
    short, long = (profiles(system) for system in pair)
    within_errors(short, long, "occupation", skip=1)
    within_errors(short, long, "bound_weight", skip=1)


def test_nor_do_conductances_and_their_derivatives(pair):
    short, long = (conductance_derivatives(system, 0.83) for system in pair)
    np.testing.assert_allclose(short, long, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in LEADS if name != "wide band"])
def test_nor_do_narrow_resonances(name):
    weak = LEADS[name].model_copy(update={"coupling": 0.02})
    short = attached(weak, WideBand(broadening=1e-3))
    poles, others = resonances(short), resonances(longer(short))
    narrow = poles[abs(poles.imag) < 1e-2]
    assert narrow.size >= 3
    for pole in narrow:
        # Widths know of the self-energy at real energies, not of its slope.
        assert abs(others - pole).min() < 0.5 * abs(pole.imag) + 1e-12


def test_a_state_bound_at_the_end_of_a_lead_is_found():
    """In the gap of a topological chain, spread over the dot and the lead."""
    lead = LEADS["topological SSH"]
    h = np.array([[0.2]])
    system = OpenSystem(h, 0 * h, 0 * h, [AttachedLead("a", 0, lead, 0.0, 0.1)])
    sites = 400
    hoppings = np.tile([0.6, 1.1], sites // 2)[: sites - 1]
    whole = np.diag([0.2, *np.full(sites, 0.15)])
    whole += np.diag([0.5, *hoppings], 1) + np.diag([0.5, *hoppings], -1)
    levels, vectors = np.linalg.eigh(whole)
    gap = (abs(levels - 0.15) < 0.45) & (abs(vectors[0]) ** 2 > 1e-6)
    outer = (abs(levels - 0.15) > 1.71) & (abs(vectors[0]) ** 2 > 1e-6)
    expected = gap | outer
    found = bound_states(system)
    np.testing.assert_allclose(np.sort(found.levels), levels[expected], atol=1e-12)
    order = np.argsort(found.levels)
    weights = abs(found.vectors[0, order]) ** 2
    np.testing.assert_allclose(weights, abs(vectors[0, expected]) ** 2, rtol=1e-9)
