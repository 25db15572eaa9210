"""Matrices of chains against the sums over channels that define them."""

import numpy as np
import pytest

from lattices import bond_rates, chain, onsite_rates, uniform_disorder
from nessflow.systems.matrices import Tridiagonal


def sum_over_channels(channels, gain):
    """P_jk = sum_m u*_mj u_mk for L_m = sum_j u_mj c_j; Q_jk = sum_m v_mj v*_mk for gain."""
    loss = channels.conj().T @ channels
    return loss.T if gain else loss


@pytest.mark.parametrize("gain", [False, True])
@pytest.mark.parametrize("boundary", [False, True])
@pytest.mark.parametrize("sites", [1, 2, 5])
@pytest.mark.parametrize("phase", [-np.pi / 2, 0.3])
def test_bond_rates_are_the_sum_over_their_channels(sites, phase, boundary, gain):
    channels = np.zeros((sites - 1, sites), complex)
    for j in range(sites - 1):
        channels[j, j], channels[j, j + 1] = 1, np.exp(1j * phase)
    if boundary:
        ends = np.zeros((2, sites))
        ends[0, 0] = ends[1, -1] = 1
        channels = np.concatenate([channels, ends])
    rates = bond_rates(sites, 0.7, phase, boundary, gain)
    expected = 0.7 * sum_over_channels(channels, gain)
    np.testing.assert_allclose(rates.to_dense(), expected, atol=1e-15)


def test_default_bond_loss_is_that_of_the_main_text():
    # L_j = sqrt(g) (c_j - i c_{j+1}): hopping to the right in X is -t - g, to the left -t + g.
    damping = chain(3, 1.0, 0.0).to_dense() - 1j * bond_rates(3, 0.25).to_dense()
    np.testing.assert_allclose(np.diag(damping, 1), -1.25, atol=1e-15)
    np.testing.assert_allclose(np.diag(damping, -1), -0.75, atol=1e-15)


def test_chain_has_the_band_of_the_cosine():
    energies = np.linalg.eigvalsh(chain(7, 1.5, 0.2).to_dense())
    momenta = np.pi * np.arange(1, 8) / 8
    np.testing.assert_allclose(energies, 0.2 - 3 * np.cos(momenta), atol=1e-14)


def test_phases_of_hopping_on_an_open_chain_are_a_gauge():
    bare, twisted = chain(6, 1.0, 0.0), chain(6, np.exp(0.4j * np.arange(5)), 0.0)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(bare.to_dense()), np.linalg.eigvalsh(twisted.to_dense()), atol=1e-14
    )


def test_onsite_rates_are_diagonal():
    np.testing.assert_array_equal(onsite_rates([1.0, 0.0, 2.0]).to_dense(), np.diag([1, 0, 2]))


def test_disorder_fills_its_interval_and_scales_with_its_width():
    wide = uniform_disorder(2.0, 10_000, np.random.default_rng(5))
    narrow = uniform_disorder(0.5, 10_000, np.random.default_rng(5))
    np.testing.assert_allclose(wide, 4 * narrow)
    assert abs(wide).max() <= 2
    # Standard error of the variance of 10 000 uniform numbers is 0.9 % of it.
    np.testing.assert_allclose(np.mean(wide**2), 4 / 3, rtol=0.04)


def test_matrices_do_not_change_with_the_arrays_that_they_were_made_of():
    onsite, hopping = np.arange(4.0), np.array([1.0, 2.0, 3.0])
    view = hopping[:]
    view.flags.writeable = False
    h, rates = Tridiagonal(onsite, view), onsite_rates(onsite)
    hopping[:], onsite[:] = 7, 7
    np.testing.assert_array_equal(h.upper, [1, 2, 3])
    np.testing.assert_array_equal(h.diagonal, np.arange(4.0))
    np.testing.assert_array_equal(rates.diagonal, np.arange(4.0))
    for values in (h.upper, h.diagonal, rates.diagonal):
        assert not values.flags.writeable


def test_real_hoppings_take_no_imaginary_part_in_memory():
    real, turned = np.array([1.0, 2.0]), np.array([1.0, 2.0j])
    assert chain(3, real, 0.0).upper.dtype == chain(3, real + 0j, 0.0).upper.dtype == float
    assert chain(3, turned, 0.0).upper.dtype == complex
    assert chain(3, 1j, 0.0).T.upper[0] == 1j
