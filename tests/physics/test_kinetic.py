"""Rate equation of a ring: brute force, conservation, second law, fluctuations, small rings."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from nessflow.kinetic.bands import bloch_bands, chain_bands, momenta, rashba_bands
from nessflow.kinetic.equation import Number, gibbs_log_odds, rate_equation
from nessflow.kinetic.flows import (
    energy_exchange,
    entropy_production,
    orbital_currents,
    particle_current,
    particle_gain,
    summed,
)
from nessflow.kinetic.fluctuations import _nodes, fluctuations
from nessflow.kinetic.moments import columns_of
from nessflow.kinetic.peak import current_slope, peak_current, steady_state_at
from nessflow.kinetic.rates import (
    coefficient_channel,
    matrix_channel,
    operator_channels,
    product_operator,
    require_operators,
    thermal_channel,
)
from nessflow.kinetic.relaxation import relax
from nessflow.kinetic.steady import steady_state
from nessflow.kinetic.symmetry import inverse_modes, inversion_asymmetry, printed_asymmetry
from small_rings import exclusion_process, many_body_current

COUPLING = 0.05
DELTA, DELTA_PRIME = 1 + 1j, 1 + 0.5j


def two_site(delta=DELTA, delta_prime=DELTA_PRIME):
    return product_operator([1, delta], [1, -delta_prime])


def solved(bands, operators, share=0.5, beta=2.0, filling=0.5):
    channels = operator_channels(bands, operators)
    return steady_state_at(bands, beta, channels, COUPLING, share, filling)


def current(state):
    return particle_current(state).value


# --- the equation ---------------------------------------------------------------------------------


def test_right_hand_side_is_that_of_the_paper():
    """Double sums (11) and (12) over the momenta, with prefactor (10)."""
    length, beta, share = 7, 1.3, 0.3
    bands = chain_bands(length)
    k, e = bands.momentum, bands.energy.value
    channels = operator_channels(bands, [two_site()])
    equation = rate_equation(bands, thermal_channel(bands, beta), channels, COUPLING, share)
    lam = np.random.default_rng(1).normal(size=length)

    def delta(a, q):
        return (1 + DELTA * np.exp(-1j * (a - q))) * (1 - DELTA_PRIME * np.exp(1j * a))

    slope = np.empty(length)
    for q in range(length):
        total = 0.0
        for p in range(length):
            thermal = np.exp(beta * (e[p] - e[q]) / 2 - lam[p])
            thermal -= np.exp(beta * (e[q] - e[p]) / 2 - lam[q])
            driven = abs(delta(k[p], k[p] - k[q])) ** 2 * np.exp(-lam[p])
            driven -= abs(delta(k[q], k[q] - k[p])) ** 2 * np.exp(-lam[q])
            total += ((1 - share) * thermal + share * driven) / (1 + np.exp(-lam[p]))
        slope[q] = -COUPLING / length * (1 + np.exp(-lam[q])) / np.exp(-lam[q]) * total
    n = 1 / (1 + np.exp(lam))
    assert equation.derivative(n) == pytest.approx(-n * (1 - n) * slope, rel=1e-12)


def test_dephasing_is_that_of_the_paper():
    """(22), with |u|^2 = (1 +- X/R)/2 in closed form, at momenta where sin k is not 0."""
    length, ay, az, h = 6, 1.1, 0.9, 0.7
    bands = rashba_bands(length, 1.0, ay, az, h, 0.5)
    k = bands.momentum
    x = 2 * ay * np.sin(k) + h
    r = np.hypot(x, 2 * az * np.sin(k))
    up = np.stack([(1 - x / r) / 2, (1 + x / r) / 2], axis=1).ravel()
    energy = np.stack([-2 * np.cos(k) - r, -2 * np.cos(k) + r], axis=1).ravel()
    assert bands.energy.value == pytest.approx(energy, abs=1e-13)
    operators = [np.sqrt(0.3) * np.diag([1, 0]), np.sqrt(0.7) * np.diag([0, 1])]
    rates = sum(channel.rates() for channel in operator_channels(bands, operators))
    expected = 0.3 * np.outer(up, up) + 0.7 * np.outer(1 - up, 1 - up)
    assert rates == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("alpha_z", [0.0, 0.9])
def test_velocity_is_the_slope_of_the_band(alpha_z):
    low, high = (rashba_bands(8, 1.0, 1.1, alpha_z, 0.3, 0.5 + d) for d in (-1e-4, 1e-4))
    middle = rashba_bands(8, 1.0, 1.1, alpha_z, 0.3, 0.5)
    slope = (high.energy.value - low.energy.value) / (2e-4 * 2 * np.pi / 8)
    assert middle.velocity.value == pytest.approx(slope, abs=1e-6)
    assert middle.orbital_velocity.sum(axis=1) == pytest.approx(middle.velocity.value, abs=1e-14)


def random_operator(seed, cells=2, orbitals=1):
    rng = np.random.default_rng(seed)
    size = cells * orbitals
    return rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))


@pytest.mark.parametrize(("cells", "orbitals"), [(1, 2), (2, 1), (3, 1), (2, 2)])
def test_columns_give_the_rates_of_any_operator(cells, orbitals):
    """Rates by columns against the squared amplitude between Bloch states, pair by pair."""
    length = 5
    bands = chain_bands(length) if orbitals == 1 else rashba_bands(length, 1, 1.1, 0.9, 1.0)
    matrix = random_operator(3, cells, orbitals)
    (channel,) = operator_channels(bands, [matrix])
    k = bands.mode_momentum
    for a in range(len(k)):
        for b in range(len(k)):
            first = np.kron(np.exp(1j * k[a] * np.arange(cells)), bands.states[a])
            last = np.kron(np.exp(1j * k[b] * np.arange(cells)), bands.states[b])
            rate = abs(last.conj() @ matrix @ first) ** 2
            assert channel.rates()[a, b] == pytest.approx(rate, abs=1e-12)
            assert channel.reverse_rates()[b, a] == pytest.approx(rate, abs=1e-12)


@pytest.mark.parametrize("length", [5, 6])
def test_coefficients_and_operator_are_the_same_dissipator(length):
    bands = chain_bands(length)
    transfers = set()

    def delta(k, q):
        transfers.update(np.round(q.ravel(), 12))
        return (1 + DELTA * np.exp(-1j * (k - q))) * (1 - DELTA_PRIME * np.exp(1j * k))

    (channel,) = operator_channels(bands, [two_site()])
    assert coefficient_channel(bands, delta).rates() == pytest.approx(channel.rates(), abs=1e-13)
    assert len(transfers) == length
    assert min(transfers) >= -np.pi - 1e-12
    assert max(transfers) < np.pi - 1e-9


def test_jacobian_is_the_slope_of_the_right_hand_side():
    equation = solved(rashba_bands(4, 1, 1.1, 0.9, 1.0), [np.diag([1, 0])]).equation
    n = np.random.default_rng(0).uniform(0.1, 0.9, 8)
    for a, column in enumerate(equation.jacobian(n).T):
        step = 1e-6 * np.eye(8)[a]
        slope = (equation.derivative(n + step) - equation.derivative(n - step)) / 2e-6
        assert column == pytest.approx(slope, abs=1e-9)


# --- steady state ---------------------------------------------------------------------------------


@given(beta=st.floats(0, 30), filling=st.floats(0.02, 0.98), zeeman=st.floats(-3, 3).filter(bool))
@settings(max_examples=30, deadline=None)
def test_the_equilibrium_bath_leads_to_the_gibbs_state(beta, filling, zeeman):
    bands = rashba_bands(10, 1.0, 1.1, 0.9, zeeman, 0.5)
    (gibbs, *_), _ = gibbs_log_odds(bands, beta, filling)
    equation = rate_equation(bands, thermal_channel(bands, beta), [], COUPLING, 0.0)
    state = steady_state(equation, filling)
    assert state.converged
    assert (
        abs(state.log_odds.value - gibbs) <= state.log_odds.error + 1e-13 * (1 + abs(gibbs))
    ).all()
    (channel,) = equation.channels
    produced, error, _ = entropy_production(state, channel)
    assert abs(produced) <= error + 1e-14


operators = st.tuples(st.integers(0, 10**6), st.sampled_from([(2, 1), (3, 1), (1, 2), (2, 2)]))


@given(
    operator=operators,
    share=st.one_of(st.floats(0.001, 0.999), st.sampled_from([0.0, 1.0])),
    beta=st.floats(0, 5),
    filling=st.floats(0.05, 0.95),
    length=st.integers(3, 14),
)
@settings(max_examples=60, deadline=None)
def test_laws_for_any_dissipator(operator, share, beta, filling, length):
    """Steady, N conserved, 0 < n < 1, energy balanced, each channel produces entropy."""
    seed, (cells, orbitals) = operator
    bands = chain_bands(length) if orbitals == 1 else rashba_bands(length, 1, 1.1, 0.9, 1.0)
    state = solved(bands, [random_operator(seed, cells, orbitals)], share, beta, filling)
    n = state.occupation
    assert state.converged
    assert (n > 0).all()
    assert (state.vacancy > 0).all()
    scale = max(c.rates().sum(axis=1).max() for c in state.equation.active)
    assert abs(state.equation.derivative(n)).max() <= 1e-11 * scale
    assert n.sum() == pytest.approx(filling * len(n), rel=1e-12)
    assert abs(particle_gain(state)) <= 1e-12 * scale
    exchange = summed([energy_exchange(state, c) for c in state.equation.channels])
    assert abs(exchange.value) <= exchange.error + 1e-14 * scale
    for channel in state.equation.channels:
        produced, error, _ = entropy_production(state, channel)
        assert produced >= -error
    found = fluctuations(state)
    assert found.particle_noise.value >= 0
    assert found.current_variance.value >= -found.current_variance.error
    assert sum(orbital_currents(state).value) == pytest.approx(current(state), abs=1e-13)


def test_error_estimates_hold():
    """Against the state at a lower precision's distance: a residual moves it as predicted."""
    state = solved(rashba_bands(40, 1, 1.1, 0.9, 1.0), [np.diag([1, 0])], 0.9)
    shifted = state.log_odds.value + 1e-6 * np.sin(np.arange(80))
    again = steady_state(state.equation, 0.5, shifted)
    distance = abs(again.log_odds.value - state.log_odds.value)
    assert (distance <= state.log_odds.error + again.log_odds.error).all()
    assert state.log_odds.error.max() < 1e-12


@pytest.mark.parametrize("beta", [0.0, 0.7, 8.0, 30.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1 - 1e-12])
def test_moments_and_log_odds_lead_to_the_same_state(monkeypatch, share, beta):
    args = rashba_bands(50, 1.0, 1.1, 0.9, 1.0, 0.25), [np.diag([1, 0])], share, beta, 0.4
    by_moments = solved(*args)
    monkeypatch.setattr("nessflow.kinetic.moments._MOST", 0)
    alone = solved(*args)
    assert by_moments.converged
    assert alone.converged
    distance = abs(by_moments.log_odds.value - alone.log_odds.value)
    assert (distance <= by_moments.log_odds.error + alone.log_odds.error).all()
    assert (by_moments.log_odds.error < 2 * alone.log_odds.error.max()).all()


@pytest.mark.parametrize("beta", [0.5, 8.0])
def test_states_along_a_sweep_are_those_of_each_share(beta):
    bands, strengths = rashba_bands(40, 1.0, 1.1, 0.9, 1.0, 0.5), np.geomspace(0.9, 1e-20, 30)
    channels = [thermal_channel(bands, beta), *operator_channels(bands, [np.diag([1, 0])])]
    columns, number = columns_of(channels), Number(0.3 * 80, 0.7 * 80)
    both = np.column_stack([strengths, 1 - strengths])
    start = columns.moments(gibbs_log_odds(bands, beta, 0.3)[0].value)
    moments, currents = columns.settled(both, number, start, bands.velocity.value)
    for share, row, found in zip(both, moments, currents / 40, strict=True):
        equation = rate_equation(bands, channels[0], channels[1:], COUPLING, share[1], share[0])
        state = steady_state(equation, 0.3)
        error = state.log_odds.error + 1e-13
        assert (abs(columns.log_odds(share, row) - state.log_odds.value) <= 2 * error).all()
        expected, error, _ = particle_current(state)
        assert abs(found - expected) <= 2 * error
        slope = columns.slope(share, row, bands.velocity.value) / 40
        assert slope == pytest.approx(current_slope(state), rel=1e-8, abs=10 * error)


def test_columns_of_both_signs_have_no_moments():
    bands = chain_bands(8)
    two = np.array([[1, 2j], [0.3, 1]])
    assert columns_of(operator_channels(bands, [two_site()])) is not None
    assert columns_of(operator_channels(bands, [two])) is None


@pytest.mark.parametrize("ratio", [0.25, 1e-3, 1e-9, 1e-25])
def test_frequencies_integrate_all_relaxation_between_two_rates(ratio):
    """``int dw r/(r^2 + w^2) = pi/2``, with half of the nodes as well."""
    frequency, weight = _nodes(1.0, 1 / ratio, 1)
    for rate in ratio ** -np.linspace(0, 1, 7):
        terms = weight * np.append(rate / (rate**2 + frequency**2), rate)
        assert terms.sum() == pytest.approx(np.pi / 2, rel=1e-14)
        assert 2 * terms[::2].sum() == pytest.approx(np.pi / 2, rel=1e-14)
    frequency, weight = _nodes(1.0, 1 / ratio, 16)
    terms = weight * np.append(0.1 / (0.01 + frequency**2), 0.1)
    assert terms.sum() == pytest.approx(np.pi / 2, rel=1e-13)


def test_modes_out_of_reach():
    """At gamma_neq = 1: emptied, filled, or as at the start."""
    bands = chain_bands(6)
    state = solved(bands, [two_site(1, 1)], 1.0)
    assert state.occupation[0] == 0.0  # 1 + e^{-ik} = 0 at k = -pi
    assert state.occupation[3] == 1.0  # 1 - e^{ik} = 0 at k = 0
    assert state.occupation.sum() == pytest.approx(3)
    idle = rashba_bands(6, 1, 1.1, 0.9, 1.0)
    state = solved(idle, [np.diag([1, 0])], 1.0, filling=0.3)
    assert (~state.free).sum() == 2
    assert state.occupation == pytest.approx(0.3, abs=1e-15)


def test_several_operators_and_columns_for_each_mode_agree():
    bands = rashba_bands(10, 1, 1.1, 0.9, 1.0)
    operators = [random_operator(1, 2, 2), random_operator(2, 2, 2)]
    state = solved(bands, operators, 0.6)
    rates = sum(channel.rates() for channel in operator_channels(bands, operators))
    thermal = thermal_channel(bands, 2.0)
    equation = rate_equation(bands, thermal, [matrix_channel(rates)], COUPLING, 0.6)
    dense = steady_state(equation, 0.5)
    assert dense.log_odds.value == pytest.approx(state.log_odds.value, abs=1e-11)
    one, other = fluctuations(dense), fluctuations(state)
    assert one.current_variance.value == pytest.approx(other.current_variance.value, rel=1e-10)
    assert one.particle_noise.value == pytest.approx(other.particle_noise.value, rel=1e-10)


def test_relaxation_ends_in_the_steady_state():
    state = solved(chain_bands(20), [two_site()], 0.7, filling=0.3)
    n, error, _ = relax(state.equation, np.full(20, 0.3), np.array([0.0, 3.0, 2000.0]))
    assert n.sum(axis=1) == pytest.approx(6.0, abs=1e-12)
    assert (abs(n[-1] - state.occupation) <= error[-1] + 1e-9).all()
    start = state.equation.derivative(n[0])
    early = relax(state.equation, n[0], np.array([0.0, 1e-5])).value[1]
    assert (early - n[0]) / 1e-5 == pytest.approx(start, abs=1e-5)


# --- fluctuations and entropy ---------------------------------------------------------------------


def jumps(state):
    """``f_ab`` of all channels, by pairs."""
    n = state.occupation
    rates = sum(channel.rates() for channel in state.equation.active)
    return n[:, None] * rates * (1 - n)


def dense_fluctuations(state):
    """Variance and zero-frequency noise by the covariance matrix itself."""
    f, length = jumps(state), state.equation.bands.length
    matrix = state.equation.jacobian(state.occupation)
    diffusion = np.diag(f.sum(axis=0) + f.sum(axis=1)) - f - f.T
    values, vectors = np.linalg.eig(matrix)
    zero = vectors[:, np.argmin(abs(values))].real
    zero /= zero.sum()
    regular = matrix - np.outer(zero, np.ones(len(zero)))
    covariance = scipy.linalg.solve_continuous_lyapunov(regular, -diffusion)
    assert abs(covariance.sum(axis=0)).max() < 1e-9
    v = state.equation.bands.velocity.value
    noise = -2 * v @ np.linalg.solve(regular, covariance @ v)
    return v @ covariance @ v / length, noise / length


@pytest.mark.parametrize("share", [0.2, 0.9])
@pytest.mark.parametrize("filling", [0.5, 0.2])
def test_fluctuations_against_the_covariance_matrix(share, filling):
    for bands, matrix in (
        (chain_bands(30), two_site()),
        (chain_bands(30), random_operator(5)),
        (rashba_bands(15, 1, 1.1, 0.9, 1.0), np.diag([1, 0])),
    ):
        state = solved(bands, [matrix], share, filling=filling)
        found, (variance, noise) = fluctuations(state), dense_fluctuations(state)
        assert abs(found.current_variance.value - variance) <= found.current_variance.error + 1e-10
        assert abs(found.particle_noise.value - noise) <= found.particle_noise.error + 1e-9 * noise


def test_equilibrium_fluctuations_are_those_of_the_ensemble():
    """In the Gibbs state modes are independent, except for their number."""
    state = solved(chain_bands(40), [two_site()], 0.0, filling=0.3)
    found = fluctuations(state)
    n = state.occupation
    weight = n * (1 - n) / np.sum(n * (1 - n))
    v = state.equation.bands.velocity.value
    expected = np.sum((v - weight @ v) ** 2 * n * (1 - n)) / 40
    assert found.current_variance.value == pytest.approx(expected, rel=1e-12)


def test_current_slope_is_the_derivative_by_the_density():
    bands, step = chain_bands(24), 1e-5
    low, high = (solved(bands, [two_site()], filling=0.4 + d) for d in (-step, step))
    slope = (current(high) - current(low)) / (2 * step)
    found = fluctuations(solved(bands, [two_site()], filling=0.4))
    assert found.current_slope.value == pytest.approx(slope, rel=1e-8)


@pytest.mark.parametrize("matrix", [two_site(), random_operator(8), random_operator(9, 3)])
def test_entropy_production_against_the_sum_over_pairs(matrix):
    state = solved(chain_bands(12, 1.0, 0.3), [matrix])
    n = state.occupation
    for channel in state.equation.channels:
        f = n[:, None] * channel.rates() * (1 - n)
        expected = np.sum((f - f.T) * np.log(f / f.T)) / 24
        produced, error, _ = entropy_production(state, channel)
        assert abs(produced - expected) <= error + 1e-13
        assert error < 1e-11


def test_a_process_without_reverse_produces_infinite_entropy():
    state = solved(chain_bands(6), [two_site(1, 0.5)])  # nothing scatters into k = -pi
    assert entropy_production(state, state.equation.channels[1]).value == np.inf
    shifted = solved(chain_bands(6, 1.0, 0.5), [two_site(1, 0.5)])
    assert 0 < entropy_production(shifted, shifted.equation.channels[1]).value < np.inf


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_almost_full_ring_is_an_almost_empty_one_of_holes(share):
    """k -> pi - k and delta <-> delta' exchange particles and holes."""
    bands, few = chain_bands(8, 1.0, 0.3), 2.0**-21
    full = solved(bands, [two_site(0.3 - 1.2j, 0.8 + 0.4j)], share, filling=1 - few)
    mirror = chain_bands(8, 1.0, 0.7)
    holes = solved(mirror, [two_site(0.8 + 0.4j, 0.3 - 1.2j)], share, filling=few)
    assert full.converged
    assert current(full) == pytest.approx(-current(holes), rel=1e-8, abs=1e-15)
    assert np.sort(full.log_odds.value) == pytest.approx(np.sort(-holes.log_odds.value), rel=1e-13)


def test_current_slope_in_the_share():
    bands, step = rashba_bands(20, 1, 1.1, 0.9, 1.0), 1e-5
    low, high = (solved(bands, [np.diag([1, 0])], 0.8 + d) for d in (-step, step))
    slope = (current(high) - current(low)) / (2 * step)
    middle = solved(bands, [np.diag([1, 0])], 0.8)
    assert current_slope(middle) == pytest.approx(-0.8 * 0.2 * slope, rel=1e-7)


def test_peak_is_a_maximum():
    bands = rashba_bands(30, 1, 1.1, 0.9, 0.6, 0.5)
    channels = operator_channels(bands, [np.diag([1, 0])])
    peak = peak_current(bands, 2.0, channels, COUPLING, 0.4)
    assert not peak.fault
    assert peak.inside
    for share in (peak.nonequilibrium_share.value - 1e-4, peak.nonequilibrium_share.value + 1e-4):
        beside = steady_state_at(bands, 2.0, channels, COUPLING, share, 0.4)
        assert abs(current(beside)) < abs(peak.particle_current.value)


def test_peak_of_a_cold_bath_is_at_a_tiny_share_of_it():
    """Thermal rates of e^{beta width/2} outweigh the dissipator down to that share."""
    bands = chain_bands(20)
    channels = operator_channels(bands, [two_site(1 + 1j, 1 + 0.5j)])
    peak = peak_current(bands, 20.0, channels, COUPLING, 0.3)
    assert not peak.fault
    assert peak.inside
    thermal = thermal_channel(bands, 20.0)
    for rest in np.geomspace(1e-20, 0.5, 40):
        equation = rate_equation(bands, thermal, channels, COUPLING, 1 - rest, rest)
        assert abs(current(steady_state(equation, 0.3))) <= abs(peak.particle_current.value) * (
            1 + 1e-9
        )
    assert 1 - peak.nonequilibrium_share.value < 1e-8


def test_peak_is_the_larger_of_two_extrema():
    """One of 0.02265 and one of -0.02249, the larger between points of the grid."""
    bands = rashba_bands(100, 1, 1.1, 0.9, 1.0)
    channels = operator_channels(bands, [np.diag([1, 0])])
    peak = peak_current(bands, 0.5, channels, COUPLING, 0.2)
    assert peak.particle_current.value == pytest.approx(-0.0226463916, abs=1e-9)
    assert peak.nonequilibrium_share.value == pytest.approx(0.9956960834, abs=1e-9)


def test_peak_beside_a_jump_at_share_1():
    """Modes at k = 0 and pi, out of the dissipator's reach, follow the bath at any share of it."""
    bands = rashba_bands(20, 1, 1.1, 0.9, 1.0)
    channels = operator_channels(bands, [np.diag([1, 0])])
    peak = peak_current(bands, 0.01, channels, COUPLING, 0.3)
    beside = steady_state_at(bands, 0.01, channels, COUPLING, 1 - 1e-10, 0.3)
    assert not peak.fault
    assert not peak.inside
    assert peak.nonequilibrium_share.value == 1
    assert peak.particle_current.value == pytest.approx(current(beside), rel=1e-8)
    assert abs(current(steady_state_at(bands, 0.01, channels, COUPLING, 1.0, 0.3))) < 1e-13


def test_peak_at_share_1():
    bands = chain_bands(20)
    channels = operator_channels(bands, [two_site(1 + 1j, 1 + 0.5j)])
    peak = peak_current(bands, 0.0, channels, COUPLING, 0.3)
    assert not peak.fault
    assert peak.nonequilibrium_share.value == pytest.approx(1, abs=peak.nonequilibrium_share.error)
    alone = steady_state_at(bands, 0.0, channels, COUPLING, 1.0, 0.3)
    assert peak.particle_current.value == pytest.approx(current(alone), rel=1e-13)


# --- symmetry -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("length", [6, 7])
def test_inverse_modes(length, shift):
    k = momenta(length, shift)
    inverse = inverse_modes(k)
    assert np.exp(1j * k[inverse]) == pytest.approx(np.exp(-1j * k), abs=1e-12)
    with pytest.raises(ValueError, match=r"shift them by 0 or 0\.5"):
        inverse_modes(momenta(length, 0.3))


def test_asymmetries_against_the_coefficients():
    bands = chain_bands(8)
    (channel,) = operator_channels(bands, [random_operator(4)])
    w = channel.rates()
    i = inverse_modes(bands.momentum)
    norm = np.linalg.norm(w)
    assert inversion_asymmetry(channel, i) == pytest.approx(np.linalg.norm(w - w[i][:, i]) / norm)
    printed = max(np.linalg.norm(w - w[i]), np.linalg.norm(w - w[:, i])) / norm
    assert printed_asymmetry(channel, i) == pytest.approx(printed)


# --- the ensemble itself --------------------------------------------------------------------------


def ring(length, shift=0.0):
    bands = chain_bands(length, 1.0, shift)
    channels = operator_channels(bands, [two_site()])
    return rate_equation(bands, thermal_channel(bands, 2.0), channels, 1.0, 0.5)


def exclusion_current(length, shift):
    equation = ring(length, shift)
    rates = sum(channel.rates() for channel in equation.channels)
    p, states = exclusion_process(rates, length // 2)
    values = states @ equation.bands.velocity.value / length
    mean = p @ values
    return mean, length * (p @ values**2 - mean**2)


def test_weak_coupling_limit_of_the_many_body_state_is_an_exclusion_process():
    """L = 4: linear in epsilon, to 0.106002, while the ensemble without correlations has 0.0541."""
    equation = ring(4)
    k, e, v = equation.bands.momentum, equation.bands.energy.value, equation.bands.velocity.value
    q = 2 * np.pi * np.arange(4) / 4

    def exact(epsilon):
        delta = (1 + DELTA * np.exp(-1j * (k[:, None] - q))) * (
            1 - DELTA_PRIME * np.exp(1j * k[:, None])
        )
        unit = 0.5 * epsilon / 4
        return many_body_current(4, 2, unit * np.exp(e[:, None] - e), np.sqrt(unit) * delta, e, v)

    limit = exclusion_current(4, 0.0)[0]
    found = exact(0.005)
    assert found == pytest.approx(0.105951, abs=1e-6)
    assert exact(0.05) == pytest.approx(0.105527, abs=2e-6)
    assert 2 * exact(0.0025) - found == pytest.approx(limit, abs=2e-6)
    assert limit == pytest.approx(0.106002, abs=1e-6)
    assert current(steady_state(equation, 0.5)) == pytest.approx(0.0541, abs=1e-4)


def test_the_ensemble_is_the_limit_of_a_long_exclusion_process():
    """Mean over both grids of momenta; current and variance extrapolated in 1/L."""
    lengths = np.array([10, 12, 14])
    means = [np.mean([exclusion_current(n, s) for s in (0.0, 0.5)], axis=0) for n in lengths]
    limit = np.polynomial.polynomial.polyfit(1 / lengths, np.array(means), 2)[0]
    state = solved(chain_bands(100), [two_site()])
    found = fluctuations(state)
    assert limit[0] == pytest.approx(current(state), abs=2e-4)
    assert limit[1] == pytest.approx(found.current_variance.value, abs=2e-3)
    # The ensemble without correlations is off by much more.
    assert abs(limit[1] - found.ensemble_variance.value) > 0.02


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_outside_is_refused(share):
    with pytest.raises(ValueError, match=r"nonequilibrium_share .* is outside \[0, 1\]"):
        solved(chain_bands(4), [two_site()], share)


@pytest.mark.parametrize("filling", [0.0, 1.0, -0.2, 1.5])
def test_a_filling_outside_is_refused(filling):
    with pytest.raises(ValueError, match="is not between 0 and 1"):
        solved(chain_bands(4), [two_site()], filling=filling)


def test_a_filling_that_does_not_fit_dark_modes_is_refused():
    with pytest.raises(ValueError, match="neither emptied nor filled for good"):
        solved(chain_bands(4), [two_site(1, 1)], 1.0, filling=0.2)


@pytest.mark.parametrize("matrix", [np.zeros((2, 2)), np.full((2, 2), np.inf)])
def test_rates_that_cannot_be_normalised_are_refused(matrix):
    with pytest.raises(ValueError, match="cannot be normalised"):
        solved(chain_bands(4), [matrix])


@pytest.mark.parametrize("rate", [np.nan, -1.0, 0.0])
def test_given_rates_that_cannot_be_normalised_are_refused(rate):
    with pytest.raises(ValueError, match="cannot be normalised"):
        matrix_channel(np.full((3, 3), rate))


def test_thermal_rates_that_overflow_are_refused():
    with pytest.raises(ValueError, match=r"inverse temperature 1000 times the band width 4"):
        thermal_channel(chain_bands(4), 1000.0)


def test_complex_bands_are_refused():
    with pytest.raises(ValueError, match="the bands are complex"):
        bloch_bands(np.array([[0.1j]]), {1: np.array([[-1.0]])}, 4)


def test_bands_that_touch_are_refused():
    with pytest.raises(ValueError, match="two bands touch at the momentum"):
        rashba_bands(4, 1, 1.1, 0.9, 0.0)
    rashba_bands(4, 1, 1.1, 0.9, 0.0, 0.5)


def test_an_operator_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="expected a square matrix over cells times 2 orbitals"):
        solved(rashba_bands(4, 1, 1.1, 0.9, 1.0), [np.ones((3, 3))])


def test_coefficients_are_for_one_band():
    with pytest.raises(ValueError, match="belong to one band, there are 2"):
        coefficient_channel(rashba_bands(4, 1, 1.1, 0.9, 1.0), lambda k, q: k)


def test_strength_of_the_coupling_is_a_unit_of_time():
    state = solved(chain_bands(10), [two_site()])
    equation = state.equation
    twice = [replace(c, strength=2 * c.strength) for c in equation.channels]
    faster = steady_state(replace(equation, channels=tuple(twice)), 0.5)
    assert faster.log_odds.value == pytest.approx(state.log_odds.value, abs=1e-12)
    one, two = fluctuations(state), fluctuations(faster)
    assert two.particle_noise.value == pytest.approx(one.particle_noise.value / 2, rel=1e-10)
    assert two.current_variance.value == pytest.approx(one.current_variance.value, rel=1e-10)


def test_operators_that_are_not_finite_are_refused_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator = product_operator([1, 1e300], [1, 1e300])
    with pytest.raises(ValueError, match="finite"):
        require_operators([operator], 1)
