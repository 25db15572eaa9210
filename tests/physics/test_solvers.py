"""Laws of all solvers: what each says is what a plain inverse says, to the digits that it has.

A solver is a module (`nessflow.solvers.solver.Solver`): at contacts with rows of Green's function,
correlations and traces between loss and gain; on sites with sums over them.
"""

from dataclasses import replace

import numpy as np
import pytest

from attached import chain_at, wide_band_at
from nessflow.solvers import banded, blocks, chain_ends, chain_sites, dense, pairwise
from nessflow.systems.batch import Batch
from nessflow.systems.matrices import Tridiagonal, as_dense
from systems import as_dense_system, as_sparse_system, random_system

ENERGIES = np.array([-1e6, -40.0, -2.5, -0.3, 0.0, 0.7, 2.0])
AT_CONTACTS = {"dense": dense, "banded": banded, "blocks": blocks, "chain": chain_ends}
ON_SITES = {"dense": dense, "blocks": blocks, "chain": chain_sites}
KINDS = {
    "dense": ("sites", "bonds", "uniform", "sparse", "dense"),
    "banded": ("sites", "bonds", "uniform", "sparse"),
    "blocks": ("sites", "bonds", "uniform", "sparse"),
    "chain": ("sites", "bonds", "uniform"),
}
"""Matrices that each solver takes."""
STORED = {"dense": as_dense_system, "banded": as_sparse_system, "blocks": as_sparse_system}


def leads_of(name, sites):
    """One lead with bands and two without; at the ends alone where a solver wants it so."""
    leads = [chain_at("L", 0, 0.6, 0.8, 0.1, 0.0, 0.0), wide_band_at("R", sites - 1, 1.1, 0, 0)]
    if name != "ends":
        leads.append(wide_band_at("M", {sites // 2: 0.8, sites - 1: 0.3j}, 0.7, 0.0, 0.0))
    return leads if name != "points" else [*leads[:2], wide_band_at("M", sites // 2, 0.7, 0, 0)]


class Plain:
    """Inverses of whole matrices, one energy after the other."""

    def __init__(self, system):
        self.p, self.q = 2 * as_dense(system.loss), 2 * as_dense(system.gain)
        one = np.eye(system.sites)
        coupled = np.array([lead.vector(system.sites) for lead in system.leads])
        sigma = np.array([lead.self_energy(ENERGIES) for lead in system.leads])
        total = np.einsum("ae,ai,aj->eij", sigma, coupled, coupled.conj())
        x = ENERGIES[:, None, None] * one - system.damping_matrix() - total
        self.green = np.linalg.inv(x)
        # Leads with one vector are one contact.
        self.v = coupled[np.unique(system.coupling.of_lead, return_index=True)[1]]

    def between(self, matrix):
        """``v_a^+ G M G^+ v_b``, (E, c, c)."""
        rows = self.v.conj() @ self.green
        return rows @ matrix @ rows.conj().swapaxes(1, 2)


def agrees(found, expected, name):
    """Compare to 11 digits: of each number on a chain, else of the largest of the same energy."""
    assert found.shape == expected.shape
    scale = abs(expected).max(axis=tuple(range(1, expected.ndim)), keepdims=True)
    lost = 0.0 if name == "chain" else 1e-13
    assert np.all(abs(found - expected) <= 1e-11 * abs(expected) + lost * scale)


SIZES = (1, 2, 3, 17, 60, 300)
CONTACTS = [(name, kind) for name in AT_CONTACTS for kind in KINDS[name]]
SITES = [(name, kind) for name in ON_SITES for kind in KINDS[name]]


@pytest.fixture(params=CONTACTS, ids="-".join)
def contact_solver(request):
    """A solver between contacts, and the kind of system to try it at."""
    name, kind = request.param
    return AT_CONTACTS[name], kind, STORED.get(name, lambda x: x), name


@pytest.fixture(params=SITES, ids="-".join)
def site_solver(request):
    """A solver on sites, and the kind of system to try it at."""
    name, kind = request.param
    return ON_SITES[name], kind, STORED.get(name, lambda x: x), name


@pytest.mark.parametrize("sites", SIZES)
def test_between_contacts(contact_solver, sites):
    solver, kind, stored, name = contact_solver
    leads = leads_of("ends" if name == "chain" else "any", sites)
    system = stored(random_system(sites, sites, kind, leads))
    plain, each = Plain(system), range(system.coupling.count)
    green, loss, gain = solver.contact_rows(system, ENERGIES)
    agrees(green, plain.v.conj() @ plain.green @ plain.v.T, name)
    by_loss, by_gain = plain.between(plain.p), plain.between(plain.q)
    agrees(loss, by_loss[:, each, each].real, name)
    agrees(gain, by_gain[:, each, each].real, name)
    for found, expected in zip(
        solver.contact_correlations(system, ENERGIES), (by_loss, by_gain), strict=True
    ):
        expected[:, each, each] = 0.0
        agrees(found, expected, name)
    g = plain.green
    loss_gain, gain_loss = solver.interior_traces(system, ENERGIES)
    agrees(loss_gain, np.sum(plain.p @ g @ plain.q * g.conj(), axis=(1, 2)).real, name)
    agrees(gain_loss, np.sum(plain.q @ g @ plain.p * g.conj(), axis=(1, 2)).real, name)


@pytest.mark.parametrize("sites", [1, 3, 17])
def test_a_batch_is_its_systems_one_by_one_to_the_last_bit(contact_solver, sites):
    solver, kind, stored, name = contact_solver
    leads = leads_of("ends" if name == "chain" else "any", sites)
    systems = tuple(stored(random_system(seed, sites, kind, leads)) for seed in range(4))
    nothing = Tridiagonal.zero(sites)
    systems += (stored(replace(systems[1], loss=nothing, gain=nothing)),)
    counts = np.array([40, 0, 3, 71, 5])
    energies = np.random.default_rng(5).uniform(-3, 3, counts.sum())
    batch = Batch(systems, counts)
    for call in (solver.contact_rows, solver.contact_correlations, solver.interior_traces):
        apart = [call(system, energies[here]) for system, here in batch.parts]
        for found, *each in zip(call(batch, energies), *apart, strict=True):
            np.testing.assert_array_equal(found, np.concatenate(each))
        for found in call(Batch(systems, 0 * counts), energies[:0]):
            assert len(found) == 0


@pytest.mark.parametrize("sites", [3, 17, 60])
def test_bits_between_contacts_know_nothing_of_other_energies(contact_solver, sites):
    solver, kind, stored, name = contact_solver
    system = stored(
        random_system(1, sites, kind, leads_of("ends" if name == "chain" else "any", sites))
    )
    energies = np.random.default_rng(3).uniform(-3, 3, 37)
    for call in (solver.contact_rows, solver.contact_correlations, solver.interior_traces):
        apart = [call(system, energies[[k]]) for k in range(energies.size)]
        for found, *each in zip(call(system, energies), *apart, strict=True):
            np.testing.assert_array_equal(found, np.concatenate(each))


@pytest.mark.parametrize("sites", [3, 17, 60])
def test_bits_on_sites_know_nothing_of_other_energies(site_solver, sites):
    solver, kind, stored, name = site_solver
    leads = leads_of("points" if name == "chain" else "any", sites)
    system = stored(random_system(1, sites, kind, leads))
    energies = np.random.default_rng(3).uniform(-3, 3, 37)
    weights = np.random.default_rng(4).uniform(size=(2, len(leads), energies.size))
    pairs = pairwise.bonds(system)

    def sums(here):
        on_contacts = np.array([system.coupling.summed(w[:, here]).T for w in weights])
        return solver.site_sums(system, energies[here], np.eye(2), on_contacts, pairs)

    apart = [sums(slice(k, k + 1)) for k in range(energies.size)]
    for found, *each in zip(sums(slice(None)), *apart, strict=True):
        np.testing.assert_array_equal(found, np.concatenate(each, axis=1))


@pytest.mark.parametrize("sites", SIZES)
def test_on_sites_and_bonds(site_solver, sites):
    solver, kind, stored, name = site_solver
    leads = leads_of("points" if name == "chain" else "any", sites)
    system = stored(random_system(sites, sites, kind, leads))
    plain, rng = Plain(system), np.random.default_rng(2)
    environments = np.array([[0.0, 0.0], [1.0, 0.3]])
    weights = rng.normal(size=(2, len(leads), ENERGIES.size))
    on_contacts = np.array([system.coupling.summed(w).T for w in weights])
    pairs = pairwise.bonds(system)
    diagonal, beside = solver.site_sums(system, ENERGIES, environments, on_contacts, pairs)
    for k, (of_loss, of_gain) in enumerate(environments):
        matrix = np.zeros(plain.green.shape, complex) + of_loss * plain.p + of_gain * plain.q
        for lead, weight in zip(system.leads, weights[k], strict=True):
            v = lead.vector(sites)
            matrix += weight[:, None, None] * np.outer(v, v.conj())
        whole = plain.green @ matrix @ plain.green.conj().swapaxes(1, 2)
        size = abs(whole).max(axis=(1, 2))[:, None]
        found = np.concatenate([diagonal[k], beside[k]], axis=1)
        expected = np.concatenate(
            [np.einsum("eii->ei", whole).real, whole[:, pairs[:, 0], pairs[:, 1]]], axis=1
        )
        assert np.all(abs(found - expected) <= 1e-11 * size)


@pytest.mark.parametrize("sites", [1, 2, 17, 60, 300])
def test_far_away_all_falls_as_powers_of_the_energy(contact_solver, sites):
    """Nodes of tails go as far as 1e28, where determinants overflow unless they are scaled."""
    solver, kind, stored, name = contact_solver
    leads = leads_of("ends" if name == "chain" else "any", sites)
    system = stored(random_system(sites, sites, kind, leads))
    energies = np.array([-1e28, 3e20, 1e28])
    green, *rates = solver.contact_rows(system, energies)
    own = np.diagonal(green, axis1=1, axis2=2).T * energies
    norms = np.array([np.linalg.norm(lead.vector(sites)) ** 2 for lead in system.leads])
    at = np.unique(system.coupling.of_lead, return_index=True)[1]
    np.testing.assert_allclose(own.T, np.broadcast_to(norms[at], own.T.shape), rtol=1e-12)
    for found in (*rates, *solver.contact_correlations(system, energies)):
        scaled = found * energies.reshape(-1, *[1] * (found.ndim - 1)) ** 2
        assert np.isfinite(scaled).all()
    for found in solver.interior_traces(system, energies):
        assert np.isfinite(found * energies**2).all()
