"""Sums and transmissions between many terminals: the product form against dense inverses."""

import numpy as np
import pytest

from attached import chain_at, wide_band_at
from lattices import bond_rates, chain, onsite_rates
from nessflow.scattering.currents import transmission
from nessflow.solvers import pairwise
from nessflow.systems.batch import Batch
from nessflow.systems.matrices import as_dense, as_sparse
from nessflow.systems.system import OpenSystem, Tridiagonal

ENERGIES = np.array([-1.3, 0.2, 0.5, 3.0])


def both(sites, hopping, step=1):
    """Return a random chain with bond loss and gain as tridiagonal and as dense matrices."""
    rng = np.random.default_rng(sites)
    bonds = hopping * (rng.normal(size=sites - 1) + 1j * rng.normal(size=sites - 1))
    matrices = (
        chain(sites, bonds, rng.normal(size=sites)),
        bond_rates(sites, 0.1, 0.7, boundary=True),
        onsite_rates(rng.uniform(0, 0.2, sites)),
    )
    places = range(sites - 1, -1, -step)
    leads = [wide_band_at(f"w{j}", j, rng.uniform(0.1, 1), 0, 0) for j in places]
    leads.append(chain_at("c", sites - 1, 1.0, 0.5, 0.1, 0.0, 0.0))
    return OpenSystem(*matrices, leads), OpenSystem(*map(as_dense, matrices), leads)


CASES = [(1, 1.0, 1), (3, 1.0, 1), (40, 1.0, 1), (200, 1.0, 3), (200, 0.01, 2), (200, 30.0, 2)]


@pytest.mark.parametrize(("sites", "hopping", "step"), CASES)
class TestProductForm:
    def test_transmissions(self, sites, hopping, step):
        quick, dense = both(sites, hopping, step)
        found, expected = (pairwise.pair_transmission(x, ENERGIES) for x in (quick, dense))
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)

    def test_weighted_sums(self, sites, hopping, step):
        quick, dense = both(sites, hopping, step)
        weights = np.random.default_rng(1).normal(size=(2, len(quick.leads), ENERGIES.size))
        found, expected = (pairwise.transmission_sum(x, ENERGIES, *weights) for x in (quick, dense))
        np.testing.assert_allclose(found, expected, atol=1e-12)

    def test_sums_on_sites_and_bonds(self, sites, hopping, step):
        quick, dense = both(sites, hopping, step)
        rng = np.random.default_rng(2)
        sources = [
            pairwise.Source(rng.normal(size=(len(quick.leads), ENERGIES.size)), loss, gain)
            for loss, gain in ((0.0, 0.0), (1.0, 0.3))
        ]
        found, expected = (pairwise.site_sums(x, ENERGIES, sources) for x in (quick, dense))
        scale = abs(expected[0]).max()
        np.testing.assert_allclose(found[0], expected[0], atol=1e-12 * scale)
        if sites > 1:
            assert len(pairwise.bonds(dense)) == sites - 1
            np.testing.assert_allclose(found[1], expected[1], atol=1e-12 * scale)

    def test_sums_of_leads_alone(self, sites, hopping, step):
        rng = np.random.default_rng(2)
        for system in both(sites, hopping, step):
            weights = rng.uniform(size=(2, len(system.leads), ENERGIES.size))
            sources = [pairwise.Source(weights[0]), pairwise.Source(weights[1], 1.0, 0.3)]
            expected = pairwise.site_sums(system, ENERGIES, sources).leads
            found = pairwise.lead_sums(system, ENERGIES, sources)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13 * expected.max())

    def test_correlations_between_leads(self, sites, hopping, step):
        quick, dense = both(sites, hopping, step)
        source = np.random.default_rng(3).normal(size=(len(quick.leads), ENERGIES.size))
        found, expected = (pairwise.pair_correlations(x, ENERGIES, source) for x in (quick, dense))
        np.testing.assert_allclose(found, expected, atol=1e-12 * abs(expected).max())


@pytest.mark.parametrize("form", ["chain", "dense", "sparse"])
def test_samples_together_have_the_bits_of_each_alone(form):
    """Chains of one and of several hoppings; what differs is the Hamiltonian."""
    sites, rng = 40, np.random.default_rng(1)
    convert = {"chain": lambda x: x, "dense": as_dense, "sparse": lambda x: as_sparse(x).matrix}
    leads = [wide_band_at(f"w{j}", j, rng.uniform(0.1, 1), 0, 0) for j in range(0, sites, 3)]
    zero = Tridiagonal.zero(sites)
    bonds = [np.ones(sites - 1), np.ones(sites - 1), rng.normal(size=sites - 1)]
    for chosen in (bonds[:2], bonds):
        systems = tuple(
            OpenSystem(convert[form](chain(sites, x, rng.normal(size=sites))), zero, zero, leads)
            for x in chosen
        )
        counts = np.array([2, 0, 2][: len(systems)])
        energies = ENERGIES[: counts.sum()]
        weights = rng.uniform(size=(len(leads), energies.size))
        batch = Batch(systems, counts)
        green = pairwise.green_between(batch, energies)
        sums = pairwise.lead_sums(batch, energies, [pairwise.Source(weights, 1.0, 1.0)])
        for system, here in batch.parts:
            own = [pairwise.Source(weights[:, here], 1.0, 1.0)]
            alone = pairwise.green_between(system, energies[here])
            np.testing.assert_array_equal(green[here], alone)
            alone = pairwise.lead_sums(system, energies[here], own)
            np.testing.assert_array_equal(sums[:, :, here], alone)


def test_transmissions_are_those_of_the_engine():
    system, _ = both(12, 1.0)
    count = len(system.leads)
    expected = np.moveaxis(transmission(system, ENERGIES)[:count, :count], -1, 0)
    np.testing.assert_allclose(pairwise.pair_transmission(system, ENERGIES), expected, atol=1e-13)


def test_evanescent_waves_through_thousands_of_sites_end_in_zero():
    n = 3000
    zero = Tridiagonal.zero(n)
    leads = [wide_band_at(f"{j}", j, 1.0, 0.0, 0.0) for j in (0, 10, n // 2, n - 1)]
    system = OpenSystem(chain(n, 1.0, 0.0), zero, zero, leads)
    found = pairwise.pair_transmission(system, np.array([5.0, 0.3]))
    assert np.isfinite(found).all()
    assert found[0, 0, 3] == 0.0
    assert found[0, 0, 1] > 1e-20
    assert found[1, 0, 3] > 1e-3


def test_a_site_without_connection_at_its_own_energy():
    """Behind the last lead a level at the energy of the particle reflects everything."""
    zero = Tridiagonal.zero(4)
    leads = [wide_band_at(f"{j}", j, 1.0, 0.0, 0.0) for j in (0, 2)]
    system = OpenSystem(chain(4, 1.0, 0.0), zero, zero, leads)
    np.testing.assert_allclose(pairwise.pair_transmission(system, np.array([0.0]))[0, 0, 1], 0.0)
