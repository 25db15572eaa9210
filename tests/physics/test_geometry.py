"""Geometries against their closed forms: spectra, edge states, interference, splitting."""

import numpy as np
import pytest
import scipy.sparse

from attached import chain_at, wide_band_at
from lattices import (
    chain,
    ladder,
    long_range_chain,
    ring,
    ssh_chain,
    star,
    star_site,
    strip,
    strip_site,
)
from nessflow.scattering.currents import steady_currents, transmission
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import OpenSystem

ENERGIES = np.array([-1.7, -0.6, 0.0, 0.45, 1.3])


def chain_lead(name, site, onsite=0.0):
    return chain_at(name, site, 1.0, 1.0, onsite, 0.0, 0.0)


def closed(hamiltonian, leads):
    zero = Tridiagonal.zero(hamiltonian.shape[0])
    return OpenSystem(hamiltonian, zero, zero, leads)


def momentum(energies):
    """Momentum along a chain of hopping 1 at the given energies."""
    return np.arccos(-0.5 * np.asarray(energies, float))


# --- long-range hopping ---


def test_hopping_to_neighbours_alone_is_the_chain():
    np.testing.assert_array_equal(
        long_range_chain(7, 1.3, 2.0, 1, 0.2).toarray(), chain(7, 1.3, 0.2).to_dense()
    )


def test_hopping_falls_with_a_power_of_the_distance():
    h = long_range_chain(9, 2.0, 1.5, 4, 0.1).toarray()
    j, k = np.indices(h.shape)
    r = abs(j - k)
    inside = (r > 0) & (r <= 4)
    np.testing.assert_allclose(h[inside], -2.0 / r[inside] ** 1.5, rtol=1e-15)
    np.testing.assert_array_equal(h[~inside], 0.1 * np.eye(9)[~inside])


@pytest.mark.parametrize("exponent", [1.5, 2.5])
def test_levels_fill_the_band_of_the_endless_chain(exponent):
    """The band rises from its bottom as k^(exponent - 1), the lowest level has k = pi / N."""
    sites, k = 300, np.linspace(0, np.pi, 4001)
    r = np.arange(1, sites)
    band = -2 * np.cos(np.outer(k, r)) @ (1 / r**exponent)
    found = np.linalg.eigvalsh(long_range_chain(sites, 1.0, exponent, sites).toarray())
    assert band.min() - 1e-12 < found[0] < band.min() + 5 * (np.pi / sites) ** (exponent - 1)
    assert band.max() - 1e-3 < found[-1] < band.max() + 1e-12


# --- strips ---


def test_strip_has_the_levels_of_two_standing_waves():
    found = np.linalg.eigvalsh(strip(7, 4, 1.5, 0.2).toarray())
    k, q = np.pi * np.arange(1, 8) / 8, np.pi * np.arange(1, 5) / 5
    exact = 0.2 - 3 * (np.cos(k)[:, None] + np.cos(q))
    np.testing.assert_allclose(found, np.sort(exact.ravel()), atol=1e-13)


@pytest.mark.parametrize("width", [1, 3, 8])
def test_clean_strip_transmits_one_quantum_in_each_open_mode(width):
    """Leads are the strip going on: one chain for each transverse mode.

    The lead's first column is part of the system, in the basis of its modes.
    """
    length = 12
    row, mode = np.arange(1, width + 1), np.arange(1, width + 1)
    angle = np.pi * mode / (width + 1)
    shape = np.sqrt(2 / (width + 1)) * np.sin(row[:, None] * angle)
    levels = -2 * np.cos(angle)
    sites = (length + 2) * width
    matrix = np.zeros((sites, sites))
    inner = slice(width, sites - width)
    matrix[inner, inner] = strip(length, width).toarray().real
    first, last = slice(0, width), slice(sites - width, sites)
    for outer, column in ((first, width), (last, sites - 2 * width)):
        matrix[outer, outer] = np.diag(levels)
        matrix[column : column + width, outer] = -shape
        matrix[outer, column : column + width] = -shape.T
    leads = [
        chain_lead(f"{side} {n}", start + n, levels[n])
        for side, start in (("left", 0), ("right", sites - width))
        for n in range(width)
    ]
    energies = np.array([-3.9, -2.5, -1.2, 0.1, 0.77, 2.3, 3.3])
    table = transmission(closed(scipy.sparse.csr_array(matrix), leads), energies)
    found = table[width : 2 * width, :width].sum(axis=(0, 1))
    open_modes = np.sum(abs(energies - levels[:, None]) < 2, axis=0)
    np.testing.assert_allclose(found, open_modes, atol=1e-11)


def test_strip_numbers_its_sites_column_by_column():
    h = strip(3, 4)
    assert h[strip_site(4, 1, 2), strip_site(4, 2, 2)] == -1
    assert h[strip_site(4, 1, 2), strip_site(4, 1, 3)] == -1
    assert h[strip_site(4, 0, 3), strip_site(4, 1, 0)] == 0
    assert h.nnz == 2 * (2 * 4 + 3 * 3)


# --- ladders ---


def test_ladder_is_two_chains():
    """Sum and difference of the chains, equal leads on both rails: T within and between rails."""
    length, rung, gamma = 30, 0.7, 0.9
    ends = (("left", 0), ("right", length - 1))
    leads = [
        wide_band_at(f"{name} {rail}", strip_site(2, column, rail), gamma, 0.0, 0.0)
        for name, column in ends
        for rail in (0, 1)
    ]
    table = transmission(closed(ladder(length, 1.0, rung), leads), ENERGIES)
    within = table[2:4, 0:2]
    single = [wide_band_at(name, site, gamma, 0.0, 0.0) for name, site in ends]
    modes = [
        transmission(closed(chain(length, 1.0, onsite), single), ENERGIES)[1, 0]
        for onsite in (-rung, rung)
    ]
    np.testing.assert_allclose(within.sum(axis=(0, 1)), sum(modes), rtol=1e-11)
    np.testing.assert_allclose(within[0, 0], within[1, 1], rtol=1e-11)


# --- Su-Schrieffer-Heeger chains ---


def test_ssh_edge_states():
    """With an even number of sites: two levels at (t1/t2)^(N/2) (t2^2 - t1^2)/t2, or none."""
    levels = np.linalg.eigvalsh(ssh_chain(40, 0.5, 1.0).to_dense())
    np.testing.assert_allclose(np.sort(abs(levels))[:2], 0.5**20 * 0.75, rtol=1e-5)
    assert np.sort(abs(levels))[2] > 0.5
    trivial = np.linalg.eigvalsh(ssh_chain(40, 1.0, 0.5).to_dense())
    assert abs(trivial).min() > 0.5
    # Bands |t1 - t2| < |w| < t1 + t2.
    assert abs(trivial).max() < 1.5


def test_ssh_edge_state_of_an_odd_chain_decays_geometrically():
    energies, states = np.linalg.eigh(ssh_chain(21, 0.5, 1.0, 0.3).to_dense())
    edge = states[:, np.argmin(abs(energies - 0.3))]
    assert abs(energies - 0.3).min() < 1e-14
    np.testing.assert_allclose(edge[1::2], 0, atol=1e-13)
    np.testing.assert_allclose(edge[2::2] / edge[:-1:2], -0.5, rtol=1e-9)


# --- rings ---


@pytest.mark.parametrize("flux", [0.0, 0.4, np.pi])
def test_levels_of_a_ring(flux):
    found = np.linalg.eigvalsh(ring(9, 1.0, flux).toarray())
    exact = -2 * np.cos((2 * np.pi * np.arange(9) + flux) / 9)
    np.testing.assert_allclose(found, np.sort(exact), atol=1e-14)


@pytest.mark.parametrize(("upper", "lower"), [(20, 20), (17, 30)])
@pytest.mark.parametrize("flux", [0.0, 1.1, np.pi])
def test_interference_of_the_two_arms_of_a_ring(upper, lower, flux):
    """Two paths of ``upper`` and ``lower`` bonds between the leads.

    An arm of n bonds at momentum k, its inside eliminated, adds ``-sin((n-1)k)/sin(nk)`` to its
    ends and couples them with ``-sin k / sin(nk)``; two sites are left.  (At the energy 0, where
    an arm may resonate, the formula is 0/0.)
    """
    energies = ENERGIES + 0.01
    system = closed(ring(upper + lower, 1.0, flux), [chain_lead("L", 0), chain_lead("R", upper)])
    k = momentum(energies)
    share = flux / (upper + lower)
    level = energies + np.exp(1j * k)
    level = level + (np.sin((upper - 1) * k) / np.sin(upper * k))
    level = level + (np.sin((lower - 1) * k) / np.sin(lower * k))
    coupling = -np.sin(k) * (
        np.exp(1j * upper * share) / np.sin(upper * k)
        + np.exp(-1j * lower * share) / np.sin(lower * k)
    )
    exact = (2 * np.sin(k) * abs(coupling / (level**2 - abs(coupling) ** 2))) ** 2
    found = transmission(system, energies)[1, 0]
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-25)
    if upper == lower and flux == np.pi:  # half a quantum: the two paths cancel
        np.testing.assert_allclose(found, 0, atol=1e-25)


def test_flux_through_a_ring_obeys_onsager_and_repeats_with_the_quantum():
    def table(flux):
        rng = np.random.default_rng(8)
        h = ring(45, 1.0, flux, rng.uniform(-0.5, 0.5, 45))
        leads = [chain_lead(f"{site}", site) for site in (0, 13, 30)]
        return transmission(closed(h, leads), ENERGIES)

    np.testing.assert_allclose(table(0.7), table(-0.7).swapaxes(0, 1), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(table(0.7), table(0.7 + 2 * np.pi), rtol=1e-9, atol=1e-14)
    assert abs(table(0.7) - table(-0.7)).max() > 0.01  # three leads: no symmetry of T_ab itself


def test_a_ring_of_two_sites_is_refused():
    with pytest.raises(ValueError, match="expected a number >= 3"):
        ring(2)


# --- stars ---


@pytest.mark.parametrize("arms", [2, 3, 6])
def test_star_of_equal_arms_splits_a_wave(arms):
    """T = sin^2 k / [(1 - N/2)^2 cos^2 k + (N/2)^2 sin^2 k] between any two of N arms.

    With hopping 1 in arms that go on as leads, G_00 = 1/(w + N e^{ik}) and Gamma = 2 sin k.
    """
    length = 15
    leads = [chain_lead(f"{arm}", star_site(length, arm, length - 1)) for arm in range(arms)]
    table = transmission(closed(star(arms, length), leads), ENERGIES)
    k = momentum(ENERGIES)
    exact = np.sin(k) ** 2 / ((1 - arms / 2) ** 2 * np.cos(k) ** 2 + (arms / 2 * np.sin(k)) ** 2)
    for a in range(arms):
        for b in range(arms):
            if a != b:
                np.testing.assert_allclose(table[a, b], exact, rtol=1e-10)


def test_currents_into_a_star_add_up():
    leads = [
        wide_band_at(f"{arm}", star_site(20, arm, 19), 1.0, mu, 0.1)
        for arm, mu in enumerate((0.5, -0.2, -0.2))
    ]
    found = steady_currents(closed(star(3, 20), leads))
    assert found.converged
    assert abs(found.conservation_defect.value) <= found.conservation_defect.error < 1e-8
    source, *drains = found.particle_current.value[:3]
    assert source > 0.05
    np.testing.assert_allclose(drains, -source / 2, rtol=1e-8)
