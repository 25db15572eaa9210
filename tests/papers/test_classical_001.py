"""Paper nonreciprocal-gain-loss, classical models: its formulas beside the solved steady states.

Units of the paper with e = v_F = a = 1.  Where a printed formula is wrong, the test shows that the
printed form fails and the corrected one holds.
"""

import numpy as np
import pytest
from one_point import point

from nessflow.classical import circuit, lattice
from nessflow.classical.circuit import Circuit
from nessflow.classical.lattice import MoverLattice

RHO, BIAS, I_G = 1.3, 0.4, 0.17
PROBABILITIES = (0.05, 0.5, 0.8, 0.99)
EXACT = {"rtol": 1e-12, "atol": 1e-13}


def dimers(sites, p, direction=1):
    """Sources on the even and drains on the odd sites between the ends."""
    hopping, injection = np.ones(sites), np.zeros(sites)
    hopping[1:-1] = p
    injection[1:-1:2], injection[2:-1:2] = I_G, -I_G
    ends = (RHO + BIAS, RHO) if direction > 0 else (RHO, RHO + BIAS)
    return MoverLattice(hopping, injection, *ends)


def one_dimer(sites, p, direction=1):
    """A source on site 2, a drain on site N - 1."""
    every = dimers(sites, p, direction)
    hopping, injection = np.ones(sites), np.zeros(sites)
    hopping[[1, -2]] = p
    injection[[1, -2]] = I_G, -I_G
    return MoverLattice(hopping, injection, every.left, every.right)


def left_current(system):
    return lattice.steady_state(system).particle_current.value[0]


# One dimer on four sites: (6), (A8)-(A15)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_four_sites(p):
    half = I_G / 2
    state = lattice.steady_state(dimers(4, p))
    right = [
        RHO + BIAS,
        ((2 - p) * (half + BIAS) + (3 - 2 * p) * RHO) / (p * (3 - 2 * p)),  # (A9)
        ((p - 1) * I_G + BIAS + (3 - 2 * p) * RHO) / (p * (3 - 2 * p)),  # (A11)
        ((p - 1) * I_G + BIAS + (3 - 2 * p) * RHO) / (3 - 2 * p),  # (A13)
    ]
    left = [
        2 * (1 - p) * (half + BIAS) / (3 - 2 * p) + RHO,  # (A8)
        (RHO + 2 * (1 - p) * (half + BIAS + RHO)) / (p * (3 - 2 * p)),  # (A10)
        ((p - 2) * half + (1 - p) * BIAS + (3 - 2 * p) * RHO) / (p * (3 - 2 * p)),  # (A12)
        RHO,
    ]
    np.testing.assert_allclose(state.density.value, [right, left], **EXACT)
    end = (BIAS - (1 - p) * I_G) / (3 - 2 * p)  # (6), (A14)
    middle = (BIAS + (2 - p) * I_G) / (3 - 2 * p)  # (A15)
    np.testing.assert_allclose(state.bond_current.value, [end, end, middle, end, end], **EXACT)
    reverse = (BIAS + (1 - p) * I_G) / (3 - 2 * p)  # text below (6)
    np.testing.assert_allclose(left_current(dimers(4, p, -1)), -reverse, **EXACT)


def test_four_sites_without_conversion_of_direction_are_the_circuit():
    # (6) for p -> 0: V/R - I_g/3 with V/R = bias/3.
    np.testing.assert_allclose(left_current(dimers(4, 0.0)), BIAS / 3 - I_G / 3, **EXACT)


def test_boundary_current_has_the_hopping_probability():
    """Erratum E23: in section II, I_in has rho times rho^-(2a) in place of p times rho^-(2a)."""
    state = lattice.steady_state(dimers(10, 0.5))
    (_, left), right = state.density.value, state.density.value[0]
    np.testing.assert_allclose(state.particle_current.value[0], right[0] - 0.5 * left[1], **EXACT)
    assert abs(right[0] - RHO * left[1] - state.particle_current.value[0]) > 0.1


# Many dimers: (7)-(9), (A16)-(A22)


def equation_7(sites, p):
    """Densities of right- and left-movers on the sites 2 to N - 1, shape (2, N - 2)."""
    half, x = I_G / 2, np.arange(2, sites)
    series = 1 + (sites - 2) * (1 - p)
    common = RHO + ((sites - 2) * RHO + sites * BIAS - x * (BIAS + half)) * (1 - p)
    shift = np.where(x % 2, -(2 * p - 1), sites * (1 - p)) * half
    left = (common + shift) / (p * series)
    return np.array([left + (BIAS + half) / series, left])


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("sites", [4, 6, 30, 400])
def test_densities_and_currents_of_many_dimers(sites, p):
    half, series = I_G / 2, 1 + (sites - 2) * (1 - p)
    state = lattice.steady_state(dimers(sites, p))
    np.testing.assert_allclose(state.density.value[:, 1:-1], equation_7(sites, p), **EXACT)
    turned = (sites - 2) * (1 - p)
    first = turned * (BIAS + half) / series + RHO  # (A20)
    last = (RHO + BIAS + turned * (RHO - half)) / series  # (A21)
    np.testing.assert_allclose(
        [state.density.value[1, 0], state.density.value[0, -1]], [first, last], **EXACT
    )
    end = (BIAS - (1 - p) * (sites / 2 - 1) * I_G) / series  # (8)
    intra = (BIAS + half) / series + half  # (A22)
    np.testing.assert_allclose(state.particle_current.value, [end, -end], **EXACT)
    np.testing.assert_allclose(state.bond_current.value[2:-1:2], intra, **EXACT)
    np.testing.assert_allclose(state.bond_current.value[1::2], end, **EXACT)


@pytest.mark.parametrize("p", [0.5, 0.8])
def test_densities_group_bias_and_injection(p):
    """Erratum E19: in (A16)-(A19), (x/a) delta rho + I_g/2 is to be (x/a) (delta rho + I_g/2)."""
    sites = 20
    half, x, series = I_G / 2, np.arange(2, sites), 1 + (sites - 2) * (1 - p)
    odd = x % 2 == 1
    # (A17) on odd, (A19) on even sites, right-movers; (A16), (A18) left-movers.
    right_tail = p * BIAS + np.where(odd, 1 - p, sites - (sites - 1) * p) * half
    left_tail = np.where(odd, -(2 * p - 1), sites * (1 - p)) * half

    def densities(fall):
        bracket = RHO + ((sites - 2) * RHO + sites * BIAS - fall) * (1 - p)
        return np.array([bracket + right_tail, bracket + left_tail]) / (p * series)

    solved = lattice.steady_state(dimers(sites, p)).density.value[:, 1:-1]
    np.testing.assert_allclose(densities(x * (BIAS + half)), solved, **EXACT)
    printed = densities(x * BIAS + half)
    assert abs(printed / solved - 1).max() > 0.02


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_scattering_length_describes_long_lattices(p):
    """(9) replaces N - 2 by L = N - 1: its error falls as 1/N."""
    errors = []
    for sites in (100, 1000):
        series = 1 + (sites - 1) * (1 - p)
        law = BIAS / series - I_G / 2 * (1 - 1 / series)
        errors.append(abs(law / left_current(dimers(sites, p)) - 1))
    assert errors[0] < 0.2
    assert errors[1] < errors[0] / 8


def test_continuum_of_a_long_lattice():
    """(A36)-(A41): p -> 1 at a fixed ratio of length and scattering length."""
    half, ratio = I_G / 2, 2.5
    errors = []
    for sites in (400, 4000):
        length = sites - 1
        p = 1 - ratio / length
        slope = (BIAS + half) / (1 + ratio) * ratio
        x = np.arange(2, sites) / length
        source = np.arange(2, sites) % 2 == 0
        right = RHO + BIAS - slope * x + np.where(source, half, 0)
        left = RHO + slope * (1 - x) - np.where(source, 0, half)
        state = lattice.steady_state(dimers(sites, p))
        errors.append(abs(state.density.value[:, 1:-1] - [right, left]).max())
        ends = [RHO + slope, RHO + BIAS - slope]  # (A40), (A41)
        errors[-1] = max(errors[-1], abs(state.density.value[[1, 0], [0, -1]] - ends).max())
    assert errors[0] < 0.03
    assert errors[1] < errors[0] / 8


def test_magnitudes_do_not_saturate():
    """Erratum E20: |I(-)| - |I(+)| is 2 dJ only until the sources reverse the forward current."""
    nonreciprocal, magnitudes = [], []
    for sites in (10, 100_000):
        forward, reverse = (left_current(dimers(sites, 0.9, sign)) for sign in (1, -1))
        nonreciprocal.append(-(forward + reverse))
        magnitudes.append(abs(reverse) - abs(forward))
    assert abs(magnitudes[0] - nonreciprocal[0]) < 1e-14
    assert abs(nonreciprocal[1] / I_G - 1) < 2e-4
    assert magnitudes[1] < 1e-3 * I_G


# One source and one drain on a long lattice: (C15)-(C24)


@pytest.mark.parametrize("p", PROBABILITIES)
@pytest.mark.parametrize("sites", [5, 6, 50, 1001])
def test_one_dimer_knows_nothing_of_the_length(sites, p):
    half = I_G / 2
    series = 3 - 2 * p
    state = lattice.steady_state(one_dimer(sites, p))
    at_source = [
        ((2 - p) * (half + BIAS) + series * RHO) / (p * series),  # (C19)
        (RHO + 2 * (1 - p) * (half + BIAS + RHO)) / (p * series),  # (C20)
    ]
    at_drain = [
        ((p - 1) * I_G + BIAS + series * RHO) / (p * series),  # (C21)
        ((p - 2) * half + (1 - p) * BIAS + series * RHO) / (p * series),  # (C22)
    ]
    np.testing.assert_allclose(state.density.value[:, 1], at_source, **EXACT)
    np.testing.assert_allclose(state.density.value[:, -2], at_drain, **EXACT)
    between = state.density.value[:, 2:-2]
    expected = np.outer([p * at_source[0], p * at_drain[1]], np.ones(sites - 4))
    np.testing.assert_allclose(between, expected, **EXACT)
    np.testing.assert_allclose(
        state.particle_current.value[0], (BIAS - (1 - p) * I_G) / series, **EXACT
    )
    middle = (BIAS + (2 - p) * I_G) / series  # (C24)
    np.testing.assert_allclose(state.bond_current.value[2:-2], middle, **EXACT)


def test_movers_leave_the_source_with_the_hopping_probability():
    """Erratum E19: the Kronecker symbol of (C16) is that of x = 3a; as printed it never acts."""
    sites, p = 8, 0.6
    system = one_dimer(sites, p)

    def step(density, site):
        """(C15)-(C18), the factor p for right-movers that reach ``site``; p for left-movers alike.

        (A left-mover comes to N - 2 from the drain.)
        """
        right, left = density
        arriving_right = np.concatenate([[system.left], right[:-1]])
        arriving_left = np.append(left[1:], system.right)
        if site > 2:
            arriving_right[site - 1] *= p
        arriving_left[sites - 3] *= p
        # Boundary sites, (1)-(5).
        arriving_left[0] *= p
        arriving_right[-1] *= p
        turned = (1 - system.hopping) * density[::-1]
        return np.array([arriving_right, arriving_left]) + turned + system.injection / 2

    solved = lattice.steady_state(system).density.value
    np.testing.assert_allclose(step(solved, 3), solved, **EXACT)
    assert abs(step(solved, 2) - solved).max() > 0.1


# Circuits: introduction, appendix D


@pytest.mark.parametrize("sites", [4, 6, 20, 100])
def test_long_circuit(sites):
    """(D1)-(D4) with the conductivity and the distance of the nodes 1."""
    voltage, length = 0.9, sites - 1
    injection = dimers(sites, 0.5).injection
    state = circuit.steady_state(Circuit(np.ones(length), injection, voltage, 0.0))
    current = voltage / length - I_G / 2 * (1 - 1 / length)  # (D1)
    np.testing.assert_allclose(state.particle_current.value, [current, -current], **EXACT)
    node = np.arange(2, sites)
    potential = (  # (D2)
        voltage
        - (voltage + I_G / 2) / length * (node - 2)
        - (voltage - I_G / 4 * (length - 2)) / length
        + (-1.0) ** node * I_G / 4
    )
    np.testing.assert_allclose(state.potential.value[1:-1], potential, **EXACT)
    bond = np.arange(1, sites)
    drift = (voltage + I_G / 2) / length
    np.testing.assert_allclose(
        state.heat.value, (drift + (-1.0) ** bond * I_G / 2) ** 2, **EXACT
    )  # (D3)
    pairs = (state.heat.value[1:] + state.heat.value[:-1]) / 2
    np.testing.assert_allclose(pairs, drift**2 + (I_G / 2) ** 2, **EXACT)  # (D4)


CIRCUITS = {"a": -0.3 / 3, "b": 0.0, "c": -2 * 0.3 / 5}
"""Figure 1: what sources of 0.3 add to the current V/R = 1."""


@pytest.mark.parametrize("name", CIRCUITS)
def test_circuits_of_figure_1(name):
    found = point("circuit-placement", circuit=name)["observables"]
    current = np.array(found["particle_current"]["value"])
    added = CIRCUITS[name]
    np.testing.assert_allclose(current[:, 0], [1 + added, -1 + added], **EXACT)
    np.testing.assert_allclose(current[:, 1], [-1 - added, 1 - added], **EXACT)
    for quantity in ("nonreciprocity", "nonreciprocal_current"):
        assert abs(found[quantity]["value"] + 2 * added) < 1e-13


# Studies


def test_study_of_the_nonreciprocal_current():
    found = point("classical-nonreciprocity-size", N=100, p=0.99)["observables"]
    turned = 98 * (1 - 0.99)
    assert abs(found["nonreciprocal_current"]["value"] - 0.05 * turned / (1 + turned)) < 1e-13
    assert found["nonreciprocal_current"]["error"] < 1e-13
    law = found["drude_nonreciprocal_current"]["value"]
    assert abs(law - 0.05 * (1 - 1 / (1 + 99 * (1 - 0.99)))) < 1e-15
    assert "drain" in found["particle_noise"]["undefined"]
    assert "no reverse process" in found["entropy_production"]["undefined"]


def test_study_of_relaxation():
    found = point("classical-relaxation", p=0.8)["observables"]
    distance = np.array(found["density_distance"]["value"][0])
    decay = np.array(found["slowest_decay"]["value"][0])
    late = slice(len(distance) // 2, None)
    np.testing.assert_allclose(distance[late], decay[late], rtol=1e-2)
