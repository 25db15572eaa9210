"""Networks of study files."""

import pytest

from nessflow.studies.networks import Network


@pytest.mark.parametrize("sites", range(1, 6))
def test_energy_is_the_mean_of_the_sites(sites):
    network = Network(sites=sites, energy=0.3, detuning=0.4, tunnelling=0.5)
    energies = network.energies()
    assert energies.mean() == pytest.approx(0.3, abs=1e-15)
    # The first and the last of one site are the same.
    assert energies[0] - energies[-1] == pytest.approx(0.4 if sites > 1 else 0.0, abs=1e-15)
