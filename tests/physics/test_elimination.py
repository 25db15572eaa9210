"""Green's functions by block elimination: as rounded as they say, whatever blocks are like."""

from unittest import mock

import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attached import wide_band_at
from lattices import ladder, ring, star, strip
from nessflow.solvers import banded, blocks, dense, elimination
from nessflow.solvers.dark_states import dark_states, unreached_sites
from nessflow.solvers.elimination import block_matrices
from nessflow.solvers.pairwise import bonds
from nessflow.solvers.solver import Solver, contact_response
from nessflow.spectrum.rounding import green_sizes, times_element_sizes
from nessflow.systems.leads.semi_infinite_strip import SemiInfiniteStrip
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import AttachedLead, OpenSystem, attached_leads
from precise import solved
from systems import as_dense_system, complex_normal

EPSILON = np.finfo(float).eps


def bond_loss(hamiltonian, rng, size):
    """One channel with random amplitudes on each bond."""
    upper = scipy.sparse.triu(hamiltonian, 1).tocoo()
    columns = np.concatenate(upper.coords)
    rows, values = np.tile(np.arange(upper.nnz), 2), size * complex_normal(rng, 2 * upper.nnz)
    shape = max(upper.nnz, 1), hamiltonian.shape[0]
    channels = scipy.sparse.coo_array((values, (rows, columns)), shape=shape).tocsr()
    return channels.conj().T @ channels


@st.composite
def systems(draw):
    """Strips, some in a field, cut, lossy on bonds, driven, weakly coupled, and an energy."""
    width, length = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    rng, n = np.random.default_rng(draw(st.integers(0, 10**6))), width * length
    h = strip(length, width, 1.0, draw(st.sampled_from([0.0, 0.5, 3.0])) * rng.normal(size=n))
    h = scipy.sparse.coo_array(h)
    row, column = h.coords
    data = h.data * np.exp(
        1j * draw(st.sampled_from([0.0, 0.7])) * np.sign(column - row) * (row + column)
    )
    if draw(st.booleans()):
        # Nothing, or next to nothing, joins two columns.
        cut = width * draw(st.integers(0, length))
        across = (row < cut) != (column < cut)
        data[across] *= draw(st.sampled_from([0.0, 1e-8, 1e-3]))
    h = scipy.sparse.csr_array((data, (row, column)), shape=(n, n))
    rate = draw(st.sampled_from([0.0, 1e-6, 0.1]))
    loss = bond_loss(h, rng, np.sqrt(rate))
    gain = scipy.sparse.diags_array(rate * rng.uniform(size=n) * (rng.random(n) < 0.5)).tocsr()
    broadening = draw(st.sampled_from([1e-6, 1e-2, 1.0]))
    sites = draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True))
    leads = [wide_band_at(f"{k}", k, broadening, 0.0, 0.0) for k in sites]
    if draw(st.booleans()):
        spread = {int(k): complex(x) for k, x in enumerate(complex_normal(rng, min(n, width + 1)))}
        leads.append(AttachedLead("several", spread, leads[0].model, 0.0, 0.0))
    system = OpenSystem(h, loss, gain, leads)
    energy = draw(st.sampled_from([-3.1, -0.4, 0.0, 1.0, 2.2]))
    if draw(st.booleans()):
        # Where the first block is nearly singular.
        matrices = block_matrices(system)
        corner = matrices.order[matrices.slices[0]]
        levels = np.linalg.eigvalsh(h.toarray()[np.ix_(corner, corner)])
        energy = levels[len(levels) // 2] + draw(st.sampled_from([0.0, 1e-13, 1e-9, 1e-5, 1e-2]))
    return system, np.array([energy])


def precise_green(system, energy):
    """Green's function in long doubles, and what rounding makes of its elements."""
    dark = dark_states(system)
    assume(not dark.levels.size or abs(dark.levels - energy).min() > 1e-3)
    n, (row, column) = system.sites, system.coupling.elements
    matrix = energy[0] * np.eye(n) - system.damping_matrix()
    matrix[row, column] -= system.contact_self_energy(energy)[0]
    exact = solved(matrix, np.eye(n))
    size = abs(exact).astype(float)
    blur = EPSILON * size @ times_element_sizes(system, energy, exact[None].astype(complex))[0]
    assume(blur.max() < 1e-3 * size.max())
    return exact, size, blur


@given(systems())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_element_is_rounded_as_green_sizes_say(drawn):
    system, energy = drawn
    exact, size, blur = precise_green(system, energy)
    v = system.coupling.columns(system.sites)
    p, q = 2 * as_dense(system.loss), 2 * as_dense(system.gain)
    green, *rates = blocks.contact_rows(system, energy)
    expected, wrong = v.conj().T @ exact @ v, abs(v).T @ blur @ abs(v)
    assert np.all(abs(green[0] - expected) <= 8 * wrong)
    rows, off = v.conj().T @ exact, abs(v).T @ blur
    found = blocks.contact_correlations(system, energy)
    for rate, correlations, matrix in zip(rates, found, (p, q), strict=True):
        whole = rows @ matrix @ rows.conj().T
        reach = off @ abs(matrix) @ abs(rows).astype(float).T
        limit = 8 * (reach + reach.T) + 64 * EPSILON**2 * abs(whole).max()
        correlations[0, range(len(whole)), range(len(whole))] = rate[0]
        assert np.all(abs(correlations[0] - whole) <= limit.astype(float))
    states = blocks.interior_traces(system, energy)
    for trace, (to, source) in zip(states, ((p, q), (q, p)), strict=True):
        value = np.sum((to @ exact @ source) * exact.conj()).real
        limit = 2 * np.sum((abs(to) @ blur @ abs(source)) * size)
        assert abs(trace[0] - value) <= 64 * limit


@given(systems(), st.sampled_from([0, 40]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_sums_over_sites_lose_little(drawn, few):
    """Of each by columns of Green's function, of the largest by elimination of all blocks."""
    system, energy = drawn
    exact, size, blur = precise_green(system, energy)
    p, q = 2 * as_dense(system.loss), 2 * as_dense(system.gain)
    weight, environments = np.ones((len(system.leads), 1)), np.array([[0.3, 1.0], [0.0, 0.0]])
    own = system.coupling.summed(weight)
    pairs, on_contacts = bonds(system), np.array([own.T, own.T])
    with mock.patch.object(blocks, "_FEW", few):
        found = blocks.site_sums(system, energy, environments, on_contacts, pairs)
    for k, (of_loss, of_gain) in enumerate(environments):
        source = of_loss * p + of_gain * q
        source[system.coupling.elements] += own[:, 0]
        whole = exact @ source @ exact.conj().T
        limit = 8 * blur @ abs(source) @ (size + 8 * blur).T
        limit = limit + limit.T
        if len(source) > few:
            # Of what is largest, by elimination.
            limit = np.full(limit.shape, 32 * limit.max())
        assert np.all(abs(found[0][k, 0] - np.diag(whole)) <= np.diag(limit))
        at = tuple(pairs.T)
        assert np.all(abs(found[1][k, 0] - whole[at]) <= limit[at])


LATTICES = {
    "wide strip": strip(50, 20, 1.0, 0.0),
    "short strip": strip(30, 3, 1.0, 0.0),
    "ring": ring(41, 1.0, 0.3, 0.0),
    "ladder": ladder(25, 1.0, 0.7, 0.0),
    "star": star(12, 6, 1.0, 0.0),
    "apart": scipy.sparse.csr_array((40, 40)),
    "one site": scipy.sparse.csr_array((1, 1)),
}


def opened(h, several=False, gain=0.0):
    n = h.shape[0]
    rng = np.random.default_rng(n)
    h = h + scipy.sparse.diags_array(rng.uniform(-0.5, 0.5, n))
    rates = (scipy.sparse.diags_array(x * rng.uniform(0.5, 1, n)) for x in (0.02, gain))
    leads = [wide_band_at(f"{k}", k, 0.7, 0.0, 0.0) for k in sorted({0, n // 2, n - 1})]
    if several:
        spread = {k: 0.3 + 0.1j * k for k in range(min(n, 5))}
        leads.append(AttachedLead("several", spread, leads[0].model, 0.0, 0.0))
    return OpenSystem(h, *rates, leads)


@pytest.mark.parametrize("name", LATTICES)
@pytest.mark.parametrize("several", [False, True])
def test_blocks_are_the_whole_matrix(name, several):
    """No element is outside them, each is once in them, and neighbours alone are joined."""
    system = opened(LATTICES[name], several)
    matrices = block_matrices(system)
    assert matrices.starts[0] == 0
    assert matrices.starts[-1] == system.sites
    assert np.all(matrices.sizes > 0)
    below, on, above = matrices.constant
    whole = np.zeros((system.sites, system.sites), complex)
    for k, here in enumerate(matrices.slices):
        whole[here, here] = on[k]
        if k + 1 < matrices.count:
            whole[matrices.slices[k + 1], here] = below[k]
            whole[here, matrices.slices[k + 1]] = above[k]
    order = matrices.order
    np.testing.assert_array_equal(whole, -system.damping_matrix()[np.ix_(order, order)])


def test_blocks_of_a_strip_are_its_columns():
    matrices = block_matrices(opened(LATTICES["wide strip"]))
    assert set(matrices.sizes) == {20}
    assert all(x.ndim == 1 for x in matrices.couplings[elimination.BELOW])


ENERGIES = np.linspace(-2.1, 2.3, 23)


@pytest.mark.parametrize("name", LATTICES)
@pytest.mark.parametrize("batch_bytes", [2**25, 2**17, 1])
def test_bits_know_nothing_of_other_energies(name, batch_bytes, monkeypatch):
    system = opened(LATTICES[name], several=True, gain=0.01)
    functions = (
        blocks.contact_rows,
        blocks.contact_correlations,
        blocks.interior_traces,
        green_sizes,
    )
    expected = [function(system, ENERGIES) for function in functions]
    monkeypatch.setattr(elimination, "_BATCH_BYTES", batch_bytes)
    for function, whole in zip(functions, expected, strict=True):
        parts = [function(system, ENERGIES[[k]]) for k in range(ENERGIES.size)]
        if isinstance(whole, tuple):
            for k, each in enumerate(whole):
                np.testing.assert_array_equal(np.concatenate([x[k] for x in parts]), each)
        else:
            np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_energies_that_are_refined_have_their_digits(monkeypatch):
    """And those that one step does not refine enough go to banded factors."""
    h = strip(12, 5) + scipy.sparse.diags_array(np.random.default_rng(1).normal(size=60))
    none = scipy.sparse.csr_array((60, 60))
    system = OpenSystem(h, none, none, [wide_band_at("a", 29, 0.5, 0, 0)])
    corner = block_matrices(system).order[block_matrices(system).slices[0]]
    level = np.linalg.eigvalsh(h.toarray()[np.ix_(corner, corner)])[1]
    energies, asked = level + np.array([1e-12, 1e-7, 1e-3, 0.3]), []
    expected = dense.contact_rows(as_dense_system(system), energies)[0]
    solve_at = banded.solve_at

    def watched(system, energy, *rest, **more):
        asked.append(energy)
        return solve_at(system, energy, *rest, **more)

    monkeypatch.setattr(banded, "solve_at", watched)
    found = blocks.contact_rows(system, energies)[0]
    assert asked == energies[:2].tolist()
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_a_pole_is_nan_and_others_stay():
    h = scipy.sparse.csr_array(strip(4, 12))
    none = scipy.sparse.csr_array((48, 48))
    model = wide_band_at("a", 0, 1.0, 0.0, 0.0)
    alone = scipy.sparse.block_diag([h, np.array([[0.25]])]).tocsr()
    rates = (scipy.sparse.block_diag([none, np.zeros((1, 1))]).tocsr() for _ in range(2))
    system = OpenSystem(alone, *rates, [model, wide_band_at("b", 47, 1.0, 0.0, 0.0)])
    energies = np.array([0.25, 0.3])
    expected = dense.contact_rows(as_dense_system(system), energies)[0]
    np.testing.assert_allclose(blocks.contact_rows(system, energies)[0], expected, rtol=1e-11)


def test_wide_systems_are_eliminated_by_blocks():
    wide, narrow = opened(LATTICES["wide strip"]), opened(LATTICES["short strip"])
    assert Solver(wide).at_contacts is banded
    leads = [wide_band_at(f"{k}", k, 0.7, 0.0, 0.0) for k in range(20)]
    wide = OpenSystem(wide.hamiltonian, wide.loss, wide.gain, leads)
    assert Solver(wide).at_contacts is blocks
    assert Solver(narrow).at_contacts is banded
    assert Solver(narrow).inside is blocks
    ours = contact_response(wide, ENERGIES).green
    np.testing.assert_allclose(ours, banded.contact_rows(wide, ENERGIES)[0], rtol=1e-12)


@pytest.mark.parametrize("several", [False, True])
def test_sizes_are_those_of_whole_matrices(several):
    system = opened(LATTICES["short strip"], several)
    n, energies = system.sites, ENERGIES[:3]
    sizes = abs(as_dense(system.hamiltonian)) + abs(as_dense(system.loss))
    for lead in system.leads:
        v = abs(lead.vector(n))
        sizes = sizes + abs(lead.self_energy(energies)[0]) * np.outer(v, v)
    states = complex_normal(np.random.default_rng(0), 3, n, 2)
    found = times_element_sizes(system, energies, states)
    for k, energy in enumerate(energies):
        whole = sizes + abs(energy) * np.eye(n)
        np.testing.assert_allclose(found[k], whole @ abs(states[k]), rtol=1e-13)


def test_leads_of_all_modes_prove_that_no_state_is_dark():
    h, ends = strip(60, 9), (range(9), range(59 * 9, 540))
    none = scipy.sparse.csr_array(h.shape)
    leads = [
        channel
        for name, rows in zip("ab", ends, strict=True)
        for channel in attached_leads(name, SemiInfiniteStrip(), tuple(rows), 0.0, 0.0)
    ]
    assert unreached_sites(OpenSystem(h, none, none, leads)).size == 0
    # Nor does next to no loss prove it.
    loss = scipy.sparse.diags_array(np.full(540, 1e-15)).tocsr()
    assert unreached_sites(OpenSystem(h, loss, none, [])).size == 540
    # All modes but one leave that one dark.
    few = OpenSystem(h, none, none, [x for x in leads if "mode 3" not in x.name])
    assert dark_states(few).levels.size == 60
