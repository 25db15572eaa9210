"""Sparse systems: the banded solver against dense inversion, sum rules, and what is refused."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from attached import chain_at, wide_band_at
from lattices import bond_rates, chain, ladder, onsite_rates, ring, star, strip
from nessflow.scattering.closed_form import closed_form_currents
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.profiles import profiles
from nessflow.solvers import banded as sparse
from nessflow.solvers import chain_ends as tridiagonal
from nessflow.solvers import dense
from nessflow.solvers.solver import contact_response, interior_response
from nessflow.systems import matrices
from nessflow.systems.matrices import (
    Sparse,
    Tridiagonal,
    as_dense,
    bandwidth_order,
    gershgorin,
    overlap,
)
from nessflow.systems.system import OpenSystem
from systems import as_dense_system, random_channels, random_system

FUNCTIONS = ("contact_rows", "contact_correlations", "interior_traces")


def wide(sites, broadening=1.1):
    return [wide_band_at(f"{n}", site, broadening, 0.1, 0.1) for n, site in enumerate(sites)]


# --- two solvers ---


def test_few_monitored_sites_and_many():
    """Traces between loss and gain go through the sites of whichever touches fewer."""
    rng = np.random.default_rng(6)
    everywhere = scipy.sparse.diags_array(rng.uniform(0, 0.3, 60))
    single = onsite_rates(0.4 * (np.arange(60) == 17))
    pair = random_channels(rng, 60, 3)
    h, energies = strip(15, 4, np.exp(0.3j)), np.array([-0.4, 1.1])
    for few in (single, pair):
        for rates in ((everywhere, few), (few, everywhere)):
            system = OpenSystem(h, *rates, wide([0, 59]))
            expected = dense.interior_traces(as_dense_system(system), energies)
            found = sparse.interior_traces(system, energies)
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_levels_of_a_part_are_not_special():
    """At the energy 0 every other site by itself, and many rectangles of a strip, are singular."""
    energies = np.array([0.0, 1.0, -1.0, np.sqrt(2)])
    for h, sites in ((strip(13, 4), (0, 27, 51)), (ladder(21), (0, 41)), (star(3, 12), (12, 24))):
        system = OpenSystem(h, *[Tridiagonal.zero(h.shape[0])] * 2, wide(sites))
        for function in ("contact_rows", "contact_correlations"):
            expected = getattr(dense, function)(as_dense_system(system), energies)
            for a, b in zip(expected, getattr(sparse, function)(system, energies), strict=True):
                np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)


def test_a_level_that_nothing_reaches_is_not_special():
    h = scipy.sparse.diags_array([np.zeros(40)], offsets=[0])
    system = OpenSystem(h, *[Tridiagonal.zero(40)] * 2, wide([0]))
    energies = np.array([0.0, 0.5])
    green = sparse.contact_rows(system, energies)[0]
    np.testing.assert_allclose(green[:, 0, 0], 1 / (energies + 0.55j), rtol=1e-14)


def test_tunnelling_keeps_its_relative_accuracy():
    """Far below the band the ends of a long ladder are 1e-60 apart; two chains say how much."""
    length, energy, rung, gamma = 40, np.array([-30.0]), 0.7, 1.1
    leads = wide([0, 1, 2 * length - 2, 2 * length - 1], gamma)
    system = OpenSystem(ladder(length, 1.0, rung), *[Tridiagonal.zero(2 * length)] * 2, leads)
    found = sparse.contact_rows(system, energy)[0][0]
    modes = [
        tridiagonal.contact_rows(
            OpenSystem(
                chain(length, 1.0, level),
                *[Tridiagonal.zero(length)] * 2,
                wide([0, length - 1], gamma),
            ),
            energy,
        )[0][0, 0, 1]
        for level in (-rung, rung)
    ]
    np.testing.assert_allclose(found[0, 2], 0.5 * (modes[0] + modes[1]), rtol=1e-12)
    np.testing.assert_allclose(found[0, 3], 0.5 * (modes[0] - modes[1]), rtol=1e-12)
    assert abs(found[0, 2]) < 1e-55


# --- sum rules ---


def check_unitarity(system, energies, rtol):
    """Rows and columns of the scattering matrix over leads, loss and gain are normalised."""
    rows, columns = contact_response(system, energies), interior_response(system, energies)
    gamma = -2 * system.contact_self_energy(energies).imag
    modulus = abs(rows.green) ** 2
    spectral = -2 * np.diagonal(rows.green, axis1=1, axis2=2).imag
    into = np.einsum("eab,eb->ea", modulus, gamma) + rows.loss + rows.gain
    out_of = np.einsum("eab,ea->eb", modulus, gamma) + columns.loss + columns.gain
    np.testing.assert_allclose(into, spectral, rtol=rtol)
    np.testing.assert_allclose(out_of, spectral, rtol=rtol)
    sent = np.sum(gamma * rows.loss, axis=1) + columns.gain_loss
    taken = np.sum(gamma * columns.loss, axis=1) + columns.loss_gain
    np.testing.assert_allclose(sent, taken, rtol=rtol)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    sites=st.integers(33, 60),
    leads=st.integers(1, 4),
    bonds=st.booleans(),
    energy=st.floats(-20, 20),
)
def test_unitarity_of_any_geometry(seed, sites, leads, bonds, energy):
    at = np.random.default_rng(seed).integers(sites, size=leads)
    attached = [chain_at("0", int(at[0]), 0.9, 0.8, 0.1, 0.2, 0.3), *wide(at)[1:]]
    system = random_system(seed, sites, "sparse" if bonds else "sparse sites", attached)
    assert isinstance(system.hamiltonian, Sparse)
    check_unitarity(system, np.array([energy]), rtol=1e-10)


@pytest.mark.parametrize(
    ("hamiltonian", "contacts"),
    [(strip(20, 6), (0, 57, 119)), (ring(50, 1.0, 0.8), (0, 20)), (star(4, 12), (12, 24, 36, 48))],
    ids=["strip", "ring", "star"],
)
def test_currents_of_all_terminals_add_up(hamiltonian, contacts):
    sites = hamiltonian.shape[0]
    rates = [onsite_rates(np.linspace(*ends, sites)) for ends in ((0.05, 0.1), (0.08, 0.02))]
    leads = [wide_band_at(f"{site}", site, 0.8, 0.002 * site, 0.1) for site in contacts]
    found = steady_currents(OpenSystem(hamiltonian, *rates, leads), rtol=1e-8)
    assert found.converged
    assert abs(found.conservation_defect.value) <= found.conservation_defect.error < 1e-6
    assert found.unitarity_defect.value < 1e-13


def test_currents_of_a_strip_match_the_closed_form():
    """Without loss: resonances from eigenvalues; the closed form knows no energies."""
    rng = np.random.default_rng(2)
    h = strip(12, 4, 1.0, rng.uniform(-0.5, 0.5, 48))
    leads = [wide_band_at("L", 1, 1.1, 0.6, 0.1), wide_band_at("R", 46, 0.7, -0.3, 0.2)]
    gain = onsite_rates(0.1 * (np.arange(48) == 20))
    system = OpenSystem(h, Tridiagonal.zero(48), gain, leads)
    found, exact = steady_currents(system), closed_form_currents(system)
    assert found.converged
    difference = abs(found.net_particle_current.value - exact.net.value)
    assert difference <= found.net_particle_current.error + exact.net.error


# --- matrices ---


def test_one_sparse_matrix_makes_all_sparse_and_one_dense_all_dense():
    zero, h = Tridiagonal.zero(4), ring(4)
    assert isinstance(OpenSystem(h, zero, zero, ()).gain, Sparse)
    system = OpenSystem(h, np.zeros((4, 4)), zero, ())
    assert system.is_dense
    np.testing.assert_array_equal(system.hamiltonian, h.toarray())


@pytest.mark.parametrize("sites", [1, 2, 9])
def test_every_kind_of_matrix_says_the_same(sites):
    loss, gain = bond_rates(sites, 0.3, 0.4, boundary=True), bond_rates(sites, 0.1, gain=True)
    arrays = [as_dense(matrix) for matrix in (loss, gain)]
    stored = [Sparse(scipy.sparse.csr_array(array)) for array in arrays]
    for a, b, c in zip((loss, gain), stored, arrays, strict=True):
        np.testing.assert_array_equal(a.diagonal, b.diagonal)
        np.testing.assert_array_equal(a.T.to_dense(), b.T.to_dense())
        np.testing.assert_allclose(gershgorin(a), gershgorin(b), atol=1e-15)
        np.testing.assert_allclose(gershgorin(a), gershgorin(c), atol=1e-15)
        assert a.any() == b.any() == c.any()
    values = [overlap(*pair) for pair in ((loss, gain), stored, arrays)]
    np.testing.assert_allclose(values, values[0], rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize("sites", [1, 6, 7, 8, 14, 20])
def test_bounds_of_eigenvalues_do_not_depend_on_the_rows_at_a_time(sites, monkeypatch):
    rng = np.random.default_rng(sites)
    matrix = chain(sites, rng.normal(size=sites - 1) + 0.3j, rng.normal(size=sites))
    monkeypatch.setattr(matrices, "_BLOCK", 7)
    lower, upper = gershgorin(matrix)
    np.testing.assert_allclose((lower, upper), gershgorin(matrix.to_dense()), rtol=1e-14)
    eigenvalues = np.linalg.eigvalsh(matrix.to_dense())
    assert lower <= eigenvalues[0] + 1e-14
    assert eigenvalues[-1] - 1e-14 <= upper


@pytest.mark.parametrize(
    ("matrix", "width"),
    [(strip(40, 5), 6), (ladder(40), 2), (ring(40), 2), (star(3, 20), 3), (strip(5, 40), 6)],
    ids=["strip", "ladder", "ring", "star", "strip by rows"],
)
def test_bandwidth_is_that_of_the_geometry(matrix, width):
    rng = np.random.default_rng(0)
    mixed = rng.permutation(matrix.shape[0])
    for pattern in (matrix, matrix[mixed][:, mixed]):
        order, found = bandwidth_order(pattern)
        assert found <= 2 * width
        row, column = pattern[order][:, order].tocoo().coords
        assert abs(row - column).max() == found


def faulty(change, sites=60):
    """An open strip with one matrix changed by (i, j) -> value."""
    matrix = strip(sites // 4, 4).tolil()
    for place, value in change.items():
        matrix[place] = value
    return matrix.tocsr()


ZERO = Tridiagonal.zero(60)
BONDS = bond_rates(60, 1.0)
FAULTS = {
    r"hamiltonian matrix is not Hermitian: element \(.*\) = .* by 0.5": (
        lambda: OpenSystem(faulty({(3, 4): 0.5}), ZERO, ZERO, ())
    ),
    r"hamiltonian matrix is not finite: element \(7, 8\) is": (
        lambda: OpenSystem(faulty({(7, 8): np.nan}), ZERO, ZERO, ())
    ),
    "loss matrix has the negative eigenvalue -0.2;": (
        lambda: OpenSystem(
            faulty({}), scipy.sparse.diags_array(np.where(np.arange(60) == 3, -0.2, 0.1)), ZERO, ()
        )
    ),
    "gain matrix has the negative eigenvalue -3.5": (
        lambda: OpenSystem(faulty({}), ZERO, strip(15, 4), ())
    ),
    "gain matrix has the negative eigenvalue -3.9": (
        lambda: OpenSystem(strip(60, 20), *[Tridiagonal.zero(1200), strip(60, 20)], ())
    ),
    r"must be square, got shape \(2, 3\)": (
        lambda: OpenSystem(scipy.sparse.csr_array((2, 3)), ZERO, ZERO, ())
    ),
    "levels of 40000 sites between the energies -3.9 and 4.1 are too many for an integral": (
        lambda: steady_currents(
            OpenSystem(strip(4000, 10), *[Tridiagonal.zero(40_000)] * 2, wide([0, 39_999]))
        )
    ),
    "and 4000 sites are too many .* or use currents, noise, transmission or spectra of sites": (
        lambda: profiles(OpenSystem(strip(400, 10), *[Tridiagonal.zero(4000)] * 2, wide([0, 3999])))
    ),
    "a weakly damped system, and 100000 sites are too many": (
        lambda: steady_currents(
            OpenSystem(chain(10**5, 1, 0), *[Tridiagonal.zero(10**5)] * 2, wide([0, 10**5 - 1]))
        )
    ),
}


@pytest.mark.parametrize("message", FAULTS)
def test_faults_are_named(message):
    with pytest.raises(ValueError, match=message):
        FAULTS[message]()


def test_rounding_of_many_channels_is_no_fault():
    """Rates of rank one half: Cholesky factors of the zero eigenvalues must not fail."""
    rng = np.random.default_rng(3)
    loss = random_channels(rng, 2000, 1000)
    OpenSystem(scipy.sparse.csr_array((2000, 2000)), loss, loss, ())
