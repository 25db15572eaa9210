"""Paper nonreciprocal-gain-loss, section III: what is wrong in print, beside what holds."""

import numpy as np
import pytest
import scipy.optimize

from nessflow.probes.linear import linear_probes
from nessflow.solvers.pairwise import pair_transmission
from probed_wires import BIAS, OPEN, wire


def left_currents(sites, gamma, mean, current, **keywords):
    """Return the left lead's currents at forward and reverse bias."""
    return [
        linear_probes(
            *wire(sites, gamma, mean, current, bias=bias, **keywords)
        ).particle_current.value[0]
        for bias in (BIAS, -BIAS)
    ]


def nonreciprocal_share(*arguments, **keywords):
    """Return ``-(I(+) + I(-)) / I_g``."""
    return -sum(left_currents(*arguments, **keywords)) / arguments[3]


def test_magnitudes_of_the_currents_do_not_saturate():
    """E20: |I(-)| - |I(+)| falls below I_g again, -(I(-) + I(+)) rises towards it."""
    current = 0.05 * OPEN
    forward, reverse = left_currents(400, 0.5, 1.0, current)
    assert forward < 0
    assert (abs(reverse) - abs(forward)) / current == pytest.approx(0.811, abs=1e-3)
    assert -(reverse + forward) / current == pytest.approx(0.979, abs=1e-3)


def test_weaker_contacts_lower_the_nonreciprocity():
    """E21: what appendix B 5 says of a growing delta gamma holds for gamma_1 = 1 - delta gamma."""
    shares = [nonreciprocal_share(4, 0.5, 1.0, 0.01, ends=ends) for ends in (0.8, 1.0, 1.2)]
    assert shares[0] < 0 < shares[1] < shares[2]
    np.testing.assert_allclose(shares[1:], [0.222, 0.301], atol=1e-3)

    def share(ends):
        return nonreciprocal_share(4, 0.5, 1.0, 0.01, ends=ends)

    assert scipy.optimize.brentq(share, 0.7, 0.95) - 1 == pytest.approx(-0.1516233, abs=1e-7)


@pytest.mark.parametrize(("sites", "mean"), [(6, 0.9), (9, 1.2)])
def test_conductance_with_one_source_and_drain(sites, mean):
    """E22: (C4) as printed is another number."""
    places = {"sources": [2], "drains": [sites - 1]}
    forward, reverse = left_currents(sites, 0.6, mean, 0.001, **places)
    found = (forward - reverse) / (2 * BIAS)
    t = pair_transmission(wire(sites, 0.6, mean, 0.001, **places)[0], [mean])[0]
    left, right, source, drain = range(4)
    t12, t1n, t1d = t[left, source], t[left, right], t[left, drain]
    t2d, t2n = t[source, drain], t[source, right]
    corrected = (t12 + 2 * t1n + t1d) * (t12 + 2 * t2d + t2n) - (t12 - t1d) * (t12 - t2n)
    corrected /= 4 * np.pi * (t12 + 2 * t2d + t2n)
    printed = (t12 + 2 * t1n + t1d) * (t12 + 2 * t2d) / (4 * np.pi * (t12 - t1d) * (t12 - t2n))
    assert found == pytest.approx(corrected, rel=1e-12)
    assert abs(printed / found - 1) > 0.1


def xi(sites, gamma, mean):
    """(22), simplified."""
    k = np.arccos(mean / 2)
    u = np.sin((sites - 3) * k) / np.sin(k)
    return 1 - 2 * gamma**2 * u * np.cos((sites - 2) * k) + gamma**4 * u**2


@pytest.mark.parametrize("near", [0.90, 1.62])
def test_nonreciprocity_vanishes_beyond_half_wavelengths(near):
    """E24: also where gamma^2 u = 2 cos((N - 2) k_F); and it changes its sign."""
    mean = scipy.optimize.brentq(lambda m: xi(9, 0.9, m) - 1, near - 0.04, near + 0.04)
    half_waves = 6 * np.arccos(mean / 2) / np.pi
    assert abs(half_waves - round(half_waves)) > 0.05
    assert abs(nonreciprocal_share(9, 0.9, mean, 0.01, sources=[2], drains=[8])) < 1e-12
    assert nonreciprocal_share(10, 0.5, 1.2, 0.01, sources=[2], drains=[9]) < 0


def test_short_wires_depart_from_the_long_wire_formula():
    """E25: (21) misses a coherent part where the wire is no longer than l_c."""

    def formula(sites):
        c = 0.5 * (1 - 0.25 * (1 - 1j * np.sqrt(3)) / 2)
        alpha = np.log(c + np.sqrt(c * c - 1))
        length = 1 / abs(alpha.real)
        return 1 - length / (length + sites - 3)

    found = {sites: nonreciprocal_share(sites, 0.5, 1.0, 0.01) for sites in (4, 10, 200)}
    assert found[4] / formula(4) == pytest.approx(0.222 / 0.107, rel=0.01)
    assert found[10] / formula(10) == pytest.approx(1.04, abs=0.01)
    assert found[200] / formula(200) == pytest.approx(1, abs=0.003)
    # (18): the sign for mean^2 > 2 and weak coupling.
    assert nonreciprocal_share(4, 0.2, 1.6, 0.01) < 0
