"""Paper weak-coupling-rectification: reference numbers at its parameters, symmetries, errata.

The reference numbers come from another program: dense Newton iteration and integration in time.
"""

from dataclasses import replace

import numpy as np
import pytest

from nessflow.kinetic.bands import Bands, chain_bands, rashba_bands
from nessflow.kinetic.equation import gibbs_log_odds, rate_equation
from nessflow.kinetic.flows import (
    energy_exchange,
    entropy_production,
    orbital_currents,
    particle_current,
    summed,
)
from nessflow.kinetic.fluctuations import fluctuations
from nessflow.kinetic.peak import peak_current, steady_state_at
from nessflow.kinetic.rates import operator_channels, product_operator, thermal_channel
from nessflow.kinetic.relaxation import relax
from nessflow.kinetic.steady import SteadyState, steady_state
from nessflow.kinetic.symmetry import inverse_modes, inversion_asymmetry, printed_asymmetry

COUPLING, BETA = 0.05, 2.0
UP, DOWN = np.diag([1, 0]), np.diag([0, 1])
TWO_SITE = product_operator([1, 1 + 1j], [1, -(1 + 0.5j)])


def rashba(length=100, alpha_y=1.1, alpha_z=0.9, zeeman=1.0, shift=0.0):
    return rashba_bands(length, 1.0, alpha_y, alpha_z, zeeman, shift)


def dephasing(up):
    return [np.sqrt(g) * p for g, p in ((up, UP), (1 - up, DOWN)) if g > 0]


def solved(bands, operators, share, beta=BETA, filling=0.5) -> SteadyState:
    channels = operator_channels(bands, operators)
    state = steady_state_at(bands, beta, channels, COUPLING, share, filling)
    assert state.converged
    return state


def assert_equals(estimate, golden, golden_error=1e-13):
    value, error, _ = estimate
    assert abs(value - golden) <= error + golden_error
    assert error < 1e-11


# --- reference numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "time", "golden"),
    [
        (0.0, 10.0, -2.68043611920944),
        (-np.pi, 40.0, 3.93642380550555),
    ],
)
def test_relaxation_to_the_gibbs_state(k, time, golden):
    """Fig. 2, with 100 cells."""
    bands = chain_bands(100)
    equation = rate_equation(bands, thermal_channel(bands, BETA), [], COUPLING, 0.0)
    n = relax(equation, np.full(100, 0.5), np.array([0.0, time])).value[1]
    mode = np.argmin(abs(bands.momentum - k))
    assert np.log(1 / n[mode] - 1) == pytest.approx(golden, rel=1e-9)


@pytest.mark.parametrize(
    ("share", "golden"),
    [
        (0.0, 0.0),
        (0.5, 0.0351936624472003),
        (0.9, 0.0495742081660051),
        (1.0, 0.0524399960412883),
    ],
)
@pytest.mark.parametrize("length", [20, 100, 101])
def test_current_under_the_nonreciprocal_dissipator(share, golden, length):
    """Fig. 3(b); the length does not matter."""
    state = solved(chain_bands(length), [TWO_SITE], share)
    assert_equals(particle_current(state), golden, 1e-13 if length == 100 else 2e-8)


def test_lagrange_parameter_under_the_nonreciprocal_dissipator():
    """Fig. 3(a) at k = pi/2."""
    state = solved(chain_bands(100), [TWO_SITE], 0.5)
    mode = np.argmin(abs(state.equation.bands.momentum - np.pi / 2))
    assert_equals(state.log_odds.at(mode), -0.0484865672710935, 1e-11)


@pytest.mark.parametrize(
    ("up", "share", "total", "of_up"),
    [
        (1.0, 0.5, 0.0373611943852278, 0.00193840013885056),
        (1.0, 0.9, 0.0971945066899241, 0.0210632538772585),
        (0.5, 0.5, 0.0, -0.0170589904403443),
        (0.0, 0.5, -0.0373611943852275, -0.0354227942463772),
    ],
)
def test_currents_under_dephasing(up, share, total, of_up):
    """Figs. 5(a), 5(b) and 6(a)."""
    state = solved(rashba(), dephasing(up), share)
    assert_equals(particle_current(state), total, 1e-12)
    spins = orbital_currents(state)
    assert_equals(spins.at(0), of_up, 1e-12)
    assert spins.value.sum() == pytest.approx(total, abs=1e-12)


def test_occupation_and_entropy_under_dephasing():
    """Fig. 5(c) at k = -pi/2, and the heat, for gamma_neq = 0.9."""
    state = solved(rashba(), dephasing(1.0), 0.9)
    mode = np.argmin(abs(state.equation.bands.momentum + np.pi / 2))
    assert state.occupation.reshape(100, 2)[mode, 1] == pytest.approx(0.0896155785530937, abs=1e-12)
    thermal, dissipator = state.equation.channels
    assert_equals(-BETA * energy_exchange(state, thermal), 0.0666992393428699)
    # Symmetric rates are a bath of infinite temperature: heat is all there is.
    both = [entropy_production(state, c) for c in (thermal, dissipator)]
    assert_equals(summed(both), 0.0666992393428699)


def test_heat_is_not_all_entropy_of_a_nonreciprocal_dissipator():
    state = solved(chain_bands(100), [TWO_SITE], 0.5)
    thermal, dissipator = state.equation.channels
    produced = sum(entropy_production(state, c).value for c in (thermal, dissipator))
    heat = energy_exchange(state, thermal).value
    assert produced == pytest.approx(0.0062656, abs=5e-8)
    assert -BETA * heat == pytest.approx(0.0095354, abs=5e-8)


def test_a_dissipator_can_cool():
    """delta = 1, delta' = 0.9 takes energy out; momenta avoid its process without reverse."""
    state = solved(chain_bands(400, 1.0, 0.5), [product_operator([1, 1], [1, -0.9])], 0.5, 0.3)
    thermal, dissipator = state.equation.channels
    produced = sum(entropy_production(state, c).value for c in (thermal, dissipator))
    assert -0.3 * energy_exchange(state, thermal).value == pytest.approx(-0.00173, abs=5e-6)
    assert produced == pytest.approx(0.009243, abs=1e-6)


def test_fluctuations_of_the_current():
    bands = chain_bands(100)
    channels = operator_channels(bands, [TWO_SITE])
    found = fluctuations(steady_state_at(bands, BETA, channels, COUPLING, 0.5, 0.5))
    assert_equals(found.ensemble_variance, 0.356038084781867)
    assert_equals(found.current_variance, 0.332353293030665, 1e-10)
    assert found.particle_noise.value == pytest.approx(6.815, abs=5e-4)
    assert found.current_slope.value == pytest.approx(0.34652, abs=5e-6)


def test_peak_under_dephasing():
    """Fig. 5(a): the sharp peak."""
    bands = rashba()
    peak = peak_current(bands, BETA, operator_channels(bands, [UP]), COUPLING, 0.5)
    assert peak.particle_current.value == pytest.approx(0.134770, abs=5e-7)
    assert peak.nonequilibrium_share.value == pytest.approx(0.98591, abs=5e-6)


# --- symmetries and limits ------------------------------------------------------------------------


def test_product_state_without_equilibrium_bath():
    """gamma_neq = 1: exp(-lambda) proportional to |1 + delta e^{-ik}|^2 / |1 - delta' e^{ik}|^2."""
    state = solved(chain_bands(50), [TWO_SITE], 1.0, filling=0.3)
    k = state.equation.bands.momentum
    ratio = abs(1 + (1 + 1j) * np.exp(-1j * k)) ** 2 / abs(1 - (1 + 0.5j) * np.exp(1j * k)) ** 2
    assert np.ptp(state.log_odds.value + np.log(ratio)) < 1e-12


def test_dephasing_alone_heats_to_infinite_temperature():
    for up in (1.0, 0.5):
        state = solved(rashba(), dephasing(up), 1.0)
        assert abs(state.log_odds.value).max() < 1e-12


def test_equilibrium_carries_spin_currents_but_no_current():
    state = solved(rashba(), dephasing(1.0), 0.0)
    assert_equals(particle_current(state), 0.0)
    assert orbital_currents(state).value == pytest.approx([-0.010275, 0.010275], abs=5e-7)


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("filling", [0.5, 0.3])
def test_dephasing_of_the_other_spin_reverses_the_current(share, filling):
    """Fig. 6: k -> pi - k with particles and holes; at other fillings f -> 1 - f."""
    one = solved(rashba(), dephasing(1.0), share, filling=filling)
    other = solved(rashba(), dephasing(0.0), share, filling=1 - filling)
    assert abs(particle_current(one).value + particle_current(other).value) < 1e-12
    assert orbital_currents(one).value + orbital_currents(other).value[::-1] == pytest.approx(
        0, abs=1e-12
    )


@pytest.mark.parametrize("up", [1.0, 0.7])
@pytest.mark.parametrize(
    "hamiltonian", [{"zeeman": 0.0}, {"alpha_y": 0.0}, {"alpha_y": 0.0, "alpha_z": 0.0}]
)
def test_no_current_without_field_or_without_spin_orbit_coupling(up, hamiltonian):
    bands = rashba(**hamiltonian, shift=0.5)
    assert_equals(particle_current(solved(bands, dephasing(up), 0.5)), 0.0)


def test_the_current_changes_sign_close_to_infinite_temperature():
    """Beyond Fig. 5(a): modes close to k = 0, pi hold little spin up and stay cold the longest."""
    found = [
        particle_current(solved(rashba(length), dephasing(1.0), 0.9999)).value
        for length in (400, 1600)
    ]
    assert found == pytest.approx([-0.04420894] * 2, abs=5e-9)
    equation = solved(rashba(60), dephasing(1.0), 0.9999).equation
    n = relax(equation, np.full(120, 0.5), np.array([0.0, 5e6])).value[1]
    steady = steady_state(equation, 0.5).occupation
    assert n == pytest.approx(steady, abs=1e-7)
    assert equation.bands.velocity.value @ n / 60 < -0.04


# --- errata ---------------------------------------------------------------------------------------


def test_condition_14_is_not_sufficient():
    """c_j^+ c_{j+1} + h.c. meets (14) as printed, yet inversion forbids a current."""
    bands = chain_bands(100)
    (channel,) = operator_channels(bands, [np.array([[0, 1], [1, 0]])])
    k = bands.momentum
    assert channel.rates() == pytest.approx(2 + 2 * np.cos(k[:, None] + k), abs=1e-13)
    inverse = inverse_modes(k)
    assert printed_asymmetry(channel, inverse) > 0.8
    assert inversion_asymmetry(channel, inverse) < 1e-14
    assert_equals(particle_current(solved(bands, [np.array([[0, 1], [1, 0]])], 0.5)), 0.0)


def test_inversion_asymmetry_is_not_sufficient_either():
    """delta = delta': k -> pi - k with particles and holes forbids a current at half filling."""
    bands = chain_bands(100)
    operator = product_operator([1, 1 + 1j], [1, -(1 + 1j)])
    (channel,) = operator_channels(bands, [operator])
    assert inversion_asymmetry(channel, inverse_modes(bands.momentum)) > 0.5
    assert_equals(particle_current(solved(bands, [operator], 0.5)), 0.0)
    assert abs(particle_current(solved(bands, [operator], 0.5, filling=0.3)).value) > 0.01


@pytest.mark.parametrize("length", [6, 24])
def test_gain_of_a_mode_has_one_factor_of_the_length(length):
    """(B2), first line: L_kl holds sqrt(J/L) already; a second 1/L would slow large rings down."""
    bands = chain_bands(length)
    equation = rate_equation(bands, thermal_channel(bands, BETA), [], COUPLING, 0.0)
    e, n = bands.energy.value, np.full(length, 0.5)
    operators = np.exp(BETA * (e[:, None] - e) / 4) / np.sqrt(length)  # (8), from row to column
    flow = COUPLING * n[:, None] * abs(operators) ** 2 * (1 - n)
    slope = flow.sum(axis=0) - flow.sum(axis=1)
    assert equation.derivative(n) == pytest.approx(slope, abs=1e-15)
    assert abs(slope / length - slope).max() > 0.5 * abs(slope).max()


@pytest.mark.parametrize(
    ("hamiltonian", "odd"), [({"zeeman": 0.0}, 0.10), ({"alpha_z": 0.0}, 0.68)]
)
def test_occupations_are_not_even_without_field_or_spin_flips(hamiltonian, odd):
    """Text after (24): the forces, and so the occupations, are said to be even in q."""
    bands = rashba(**hamiltonian, shift=0.5)
    state = solved(bands, dephasing(1.0), 0.5)
    n = state.occupation.reshape(100, 2)
    found = abs(n - n[::-1]).max()  # the grid shifted by half a step is symmetric
    assert found == pytest.approx(odd, abs=0.01)
    assert_equals(particle_current(state), 0.0)


def test_touching_bands_would_make_a_current_of_their_own():
    """h -> 0 with k = 0, pi on the grid: states of the spin there give a current of order 1/L."""
    for length in (100, 200):
        bands = rashba(length, zeeman=1e-6)
        found = length * particle_current(solved(bands, dephasing(1.0), 0.5)).value
        assert found == pytest.approx(-1.464e-3, abs=2e-6)
    with pytest.raises(ValueError, match="two bands touch"):
        rashba(zeeman=0.0)


def test_weights_of_the_bands_need_no_phase():
    """(C4) has sin k/|sin k|, undefined at k = 0, pi, and a brace that ends too early."""
    bands = rashba(100)
    k = bands.mode_momentum
    x = 2 * 1.1 * np.sin(k) + 1.0
    r = np.hypot(x, 2 * 0.9 * np.sin(k))
    sign = np.tile([-1, 1], 100)
    weights = abs(bands.states) ** 2
    assert weights[:, 0] == pytest.approx((1 + sign * x / r) / 2, abs=1e-14)
    product = bands.states[:, 0].conj() * bands.states[:, 1]
    assert product == pytest.approx(-1j * sign * 0.9 * np.sin(k) / r, abs=1e-14)
    assert weights[np.isin(k, [-np.pi, 0.0])].max(axis=1) == pytest.approx(1)
    ratio = (x / r)[1::2]
    printed = (np.sqrt(ratio[ratio > 0]) + 1) ** 2 / 2  # the root ends before the 1
    assert abs(printed - weights[1::2, 0][ratio > 0]).max() > 0.5


def test_current_of_spin_down_sums_over_one_momentum():
    """(C6) mixes k and q, and names its left side H_down."""
    state = solved(rashba(), dephasing(1.0), 0.5)
    q = state.equation.bands.momentum
    lower, upper = state.occupation.reshape(100, 2).T
    x = 2 * 1.1 * np.sin(q) + 1.0
    r = np.hypot(x, 2 * 0.9 * np.sin(q))
    down = (np.sin(q) - 1.1 * np.cos(q)) * ((1 - x / r) * upper + (1 + x / r) * lower)
    down += 2 * 0.9**2 * np.cos(q) * np.sin(q) / r * (upper - lower)
    assert orbital_currents(state).value[1] == pytest.approx(np.mean(down), abs=1e-13)


def test_momenta_are_in_steps_of_the_length():
    """Text before (8): steps of 2 pi/N; there is no N but the length."""
    k = chain_bands(12).momentum
    assert np.diff(k) == pytest.approx(2 * np.pi / 12)


def test_gibbs_state_depends_on_the_filling():
    """Text before (8): the state is said to be exp(-beta H) whatever the initial state."""
    bands: Bands = chain_bands(30)
    equation = rate_equation(bands, thermal_channel(bands, BETA), [], COUPLING, 0.0)
    quarter = steady_state(equation, 0.25)
    (lam, _, _), scaled_mu = gibbs_log_odds(bands, BETA, 0.25)
    assert quarter.log_odds.value == pytest.approx(lam, abs=1e-12)
    assert lam == pytest.approx(BETA * bands.energy.value - scaled_mu)
    assert scaled_mu < -1
    assert steady_state(equation, 0.5).log_odds.value == pytest.approx(
        BETA * bands.energy.value, abs=1e-12
    )


def test_currents_do_not_depend_on_the_coupling():
    state = solved(rashba(), dephasing(1.0), 0.7)
    channels = tuple(replace(c, strength=100 * c.strength) for c in state.equation.channels)
    again = steady_state(replace(state.equation, channels=channels), 0.5)
    assert again.log_odds.value == pytest.approx(state.log_odds.value, abs=1e-12)
