"""Sums over sites by block elimination against dense inverses."""

import numpy as np
import pytest
import scipy.sparse

from attached import chain_at
from lattices import ladder, long_range_chain, ring, star, strip
from nessflow.solvers import banded, blocks, pairwise
from nessflow.solvers.dark_states import dark_states
from nessflow.solvers.elimination import block_matrices
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem
from systems import as_dense_system

ENERGIES = np.linspace(-2.3, 2.2, 7)
LATTICES = {
    "strip": strip(14, 4, 1.0, 0.0),
    "wide strip": strip(5, 9, 1.0, 0.0),
    "ladder": ladder(25, 1.0, 0.7, 0.0),
    "ring": ring(41, 1.0, 0.3, 0.0),
    "star": star(5, 9, 1.0, 0.0),
    "long range": long_range_chain(40, 1.0, 2.0, 6, 0.0),
    "sites apart": scipy.sparse.csr_array((40, 40)),
}


def bond_loss(hamiltonian, rng):
    """Return one channel with random amplitudes on each bond."""
    upper = scipy.sparse.triu(hamiltonian, 1).tocoo()
    channels = np.zeros((upper.nnz, hamiltonian.shape[0]), complex)
    for channel, i, j in zip(channels, *upper.coords, strict=True):
        channel[[i, j]] = 0.3 * (rng.normal(size=2) + 1j * rng.normal(size=2))
    return scipy.sparse.csr_array(channels.conj().T @ channels)


def opened(hamiltonian, sites=None, lossy=True):
    rng = np.random.default_rng(3)
    n = hamiltonian.shape[0]
    hamiltonian = hamiltonian + scipy.sparse.diags_array(rng.uniform(-0.5, 0.5, n))
    rates = rng.uniform(0.01, 0.2, (2, n)) if lossy else np.zeros((2, n))
    loss, gain = (scipy.sparse.csr_array(np.diag(x).astype(complex)) for x in rates)
    if lossy:
        loss = loss + bond_loss(hamiltonian, rng)
    sites = range(0, n, 7) if sites is None else sites
    leads = [chain_at(str(k), k, 1.0, 0.7, 0.1, 0.0, 0.0) for k in sites]
    return OpenSystem(hamiltonian, loss, gain, leads)


def compared(system, energies):
    """Return sums over sites by blocks and by dense matrices, with several sources."""
    rng = np.random.default_rng(4)
    sources = [
        pairwise.Source(rng.normal(size=(len(system.leads), energies.size)), loss, gain)
        for loss, gain in ((0.0, 0.0), (1.0, 0.3))
    ]
    whole = as_dense_system(system)
    np.testing.assert_array_equal(pairwise.bonds(system), pairwise.bonds(whole))
    return (pairwise.site_sums(x, energies, sources) for x in (system, whole))


@pytest.mark.parametrize("lattice", LATTICES.values(), ids=LATTICES)
def test_sums_agree_with_dense_inverses(lattice):
    found, expected = compared(opened(lattice), ENERGIES)
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-12 * max(abs(other).max(initial=0), 1.0))


def test_green_between_contacts_agrees():
    system = opened(LATTICES["strip"])
    whole = as_dense_system(system)
    found, expected = (pairwise.green_between(x, ENERGIES) for x in (system, whole))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_levels_of_a_part_that_elimination_cuts_off_lose_nothing(monkeypatch):
    """There a pivot block is singular, though nothing is special about the whole system."""
    system = opened(LATTICES["strip"], sites=(25, 26, 30), lossy=False)
    matrices = block_matrices(system)
    corner = matrices.order[matrices.slices[0]]
    assert not set(corner) & set(system.contacts)
    levels = np.linalg.eigvalsh(as_dense(system.hamiltonian)[np.ix_(corner, corner)])
    by_columns, solved = blocks._by_columns, []

    def watched(system, energies, *rest):
        solved.extend(energies.tolist())
        return by_columns(system, energies, *rest)

    monkeypatch.setattr(blocks, "_by_columns", watched)
    monkeypatch.setattr(blocks, "_FEW", 0)
    energies = np.array([levels[0], levels[1] + 1e-9, levels[2] + 0.1])
    found, expected = compared(system, energies)
    assert solved == energies[:2].tolist()
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-11 * abs(other).max(initial=0.0))


def test_states_that_no_terminal_reaches_are_split_off():
    hamiltonian = ring(40, 1.0, 0.0, 0.0)
    none = scipy.sparse.csr_array((40, 40))
    leads = [chain_at(str(k), k, 1.0, 0.7, 0.1, 0.0, 0.0) for k in (0, 20)]
    level = 2 * np.cos(2 * np.pi / 40)
    system = OpenSystem(hamiltonian, none, none, leads)
    assert abs(dark_states(system).levels - level).min() < 1e-12
    found, expected = compared(system, np.array([level, 0.3]))
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-9 * abs(other).max(initial=0.0))


@pytest.mark.parametrize("solver", [banded, blocks])
def test_an_energy_is_eliminated_once_for_all_that_contacts_see(solver, monkeypatch):
    """Transmissions, their correlations and those of a part of the energies again."""
    system, eliminated = opened(LATTICES["wide strip"]), []
    solutions = solver.solutions

    def counted(of, energies, *rest, **more):
        eliminated.extend(energies.tolist())
        return solutions(of, energies, *rest, **more)

    monkeypatch.setattr(solver, "solutions", counted)
    _, loss, gain = solver.contact_rows(system, ENERGIES)
    for found, diagonal in zip(
        solver.contact_correlations(system, ENERGIES[::-1]), (loss, gain), strict=True
    ):
        whole = found[::-1].copy()
        assert not np.diagonal(whole, axis1=1, axis2=2).any()
        each = range(whole.shape[1])
        whole[:, each, each] = diagonal
        # Sums of squares: positive to rounding.
        assert np.linalg.eigvalsh(whole).min() > -1e-12 * diagonal.max()
    solver.contact_rows(system, ENERGIES[2:4])
    assert sorted(eliminated) == sorted(ENERGIES.tolist())


def test_what_is_remembered_between_contacts_takes_no_more_than_its_memory(monkeypatch):
    system = opened(LATTICES["wide strip"])
    monkeypatch.setattr(banded, "_KEPT_BYTES", 10_000)
    whole = blocks.contact_rows(system, ENERGIES)
    again = blocks.contact_rows(opened(LATTICES["wide strip"]), ENERGIES)
    assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True))
    known = banded._known(system, blocks.solutions)
    kept = [x.nbytes for found in known.values() for x in found if x is not None]
    assert 0 < sum(kept) <= 10_000
