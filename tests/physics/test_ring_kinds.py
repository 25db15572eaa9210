"""Kinds of rings: what their errors cover, what is suspect, and short rings without ensemble."""

import math
from itertools import pairwise

import numpy as np
import pytest

from nessflow.estimate import Estimate
from nessflow.kinds import (
    ring_exact,
    ring_occupations,
    ring_peak_current,
    ring_relaxation,
    ring_steady_state,
    ring_symmetry,
)
from nessflow.kinetic.bands import bloch_bands, chain_bands, momenta, rashba_bands, smallest_gap
from nessflow.kinetic.equation import gibbs_log_odds, rate_equation
from nessflow.kinetic.exclusion import (
    MOST_CONFIGURATIONS,
    _configurations,
    _numbers,
    hop_entropy,
    steady_process,
)
from nessflow.kinetic.rates import operator_channels, thermal_channel
from nessflow.kinetic.steady import steady_state
from nessflow.studies.kind import Status
from nessflow.validation import InvalidValues
from small_rings import exclusion_process, many_body_current

CHAIN = {"kind": "chain"}
TWO_SITE = {"kind": "two-site", "delta": [1, 1], "delta_prime": [1, 0.5]}
OTHER_TWO_SITE = {"kind": "two-site", "delta": [0.7, -0.4], "delta_prime": [-0.3, 1.2]}
UP = {"kind": "dephasing", "rates": [1, 0]}


def rashba(zeeman, alpha_y=1.1, alpha_z=0.9):
    return {"kind": "rashba", "alpha_y": alpha_y, "alpha_z": alpha_z, "zeeman": zeeman}


def evaluated(kind, length, bands=CHAIN, dissipator=TWO_SITE, share=0.5, beta=2.0, **more):
    """Outcome of one ring; ``more`` are further keys of the ring, or ``times``."""
    keys = {} if kind is ring_peak_current else {"nonequilibrium_share": share}
    if "times" in more:
        keys["times"] = more.pop("times")
    ring = {"length": length, "bands": bands, "dissipator": dissipator, "coupling": 0.05}
    ring |= {"inverse_temperature": beta} | more
    return kind.evaluate(kind.Parameters(ring=ring, **keys), None)


def with_error(kind):
    return [name for name in kind.VARIABLES if f"{name}_error" in kind.VARIABLES]


def uncovered(kind, one, limit):
    """Names of the variables whose error does not cover the distance to other values."""
    found = []
    for name in with_error(kind):
        error = np.add(one.values[f"{name}_error"], limit.values[f"{name}_error"])
        distance = abs(np.subtract(one.values[name], limit.values[name]))
        # A ratio is undefined where the error is as large as the current.
        known = np.isfinite(one.values[name])
        if not (distance <= error + 1e-12 * abs(np.asarray(limit.values[name])))[known].all():
            found.append(name)
    return found


# --- the limit of long rings ----------------------------------------------------------------------

LONG = [
    (CHAIN, TWO_SITE, 0.5, 2.0, 0.5, (6, 9, 12, 16)),
    (CHAIN, TWO_SITE, 0.9, 4.0, 0.3, (8, 12, 21)),
    (CHAIN, OTHER_TWO_SITE, 0.37, 1.1, 0.31, (6, 9, 17)),
    (CHAIN, {"kind": "random", "seed": 3}, 0.5, 2.0, 0.4, (6, 12, 17)),
    (rashba(1.0), UP, 0.9, 2.0, 0.5, (10, 15, 40)),
    (rashba(0.1), UP, 0.9, 2.0, 0.5, (50, 100, 200)),
    (rashba(1.0), UP, 0.5, 16.0, 0.5, (50, 100)),
    (rashba(-0.7, 0.8, 0.4), UP, 0.5, 8.0, 0.3, (20, 50)),
    (rashba(1.0), UP, 0.9999, 2.0, 0.5, (20, 50, 100)),
]


@pytest.mark.parametrize(("bands", "dissipator", "share", "beta", "filling", "lengths"), LONG)
def test_errors_cover_the_limit_of_long_rings(bands, dissipator, share, beta, filling, lengths):
    """All variables, both grids of momenta, against a ring of 2001 cells."""
    ring = {"bands": bands, "dissipator": dissipator, "share": share, "beta": beta}
    ring["filling"] = filling
    limit = evaluated(ring_steady_state, 2001, momentum_shift=0.3, **ring)
    for length in lengths:
        for shift in (0.0, 0.5):
            one = evaluated(ring_steady_state, length, momentum_shift=shift, **ring)
            assert not uncovered(ring_steady_state, one, limit), (length, shift)


@pytest.mark.parametrize(
    ("length", "shift", "value"),
    [(100, 0.0, 0.007800), (100, 0.5, 0.013796), (1600, 0.0, 0.010491), (6400, 0.5, 0.010491)],
)
def test_both_grids_of_a_ring_that_is_too_short(length, shift, value):
    found = evaluated(ring_steady_state, length, rashba(0.1), UP, 0.9, momentum_shift=shift).values
    assert found["particle_current"] == pytest.approx(value, abs=5e-7)
    assert abs(value - 0.010491) <= found["particle_current_error"] + 5e-7
    if length > 1000:
        assert found["particle_current_error"] < 1e-12


@pytest.mark.parametrize(
    ("bands", "dissipator", "beta"),
    [(CHAIN, TWO_SITE, 2.0), (CHAIN, OTHER_TWO_SITE, 4.0), (rashba(0.5), UP, 3.0)],
)
@pytest.mark.parametrize("length", [8, 12, 15])
def test_errors_of_modes_cover_the_limit(bands, dissipator, beta, length):
    """A ring that is many times as long has all momenta of the short one."""
    times = {"stop": 20, "points": 3}
    for kind, more in ((ring_occupations, {}), (ring_relaxation, {"times": times})):
        factor = 64 if kind is ring_occupations else 6
        one, limit = (
            evaluated(kind, n, bands, dissipator, beta=beta, **more)
            for n in (length, factor * length)
        )
        k, longer = momenta(length), momenta(factor * length)
        same = np.argmin(abs(np.exp(1j * longer[:, None]) - np.exp(1j * k)), axis=0)
        for name in ("occupation", "lagrange_parameter"):
            value, error, of_limit = (
                outcome.values[key]
                for outcome, key in ((one, name), (one, f"{name}_error"), (limit, name))
            )
            of_limit = np.take(of_limit, same, axis=-2)
            assert (abs(value - of_limit) <= error + 1e-9).all(), (kind.__name__, name)
            assert length > 8 or abs(value - of_limit).max() > 1e-7
            assert abs(value - of_limit).max() < 0.2


@pytest.mark.parametrize("kind", [ring_peak_current, ring_symmetry])
def test_errors_of_peak_and_symmetry_cover_the_limit(kind):
    for dissipator, filling in ((TWO_SITE, 0.5), (OTHER_TWO_SITE, 0.3)):
        limit = evaluated(kind, 100, dissipator=dissipator, filling=filling)
        for length in (8, 13):
            one = evaluated(kind, length, dissipator=dissipator, filling=filling)
            assert not uncovered(kind, one, limit)


@pytest.mark.parametrize("length", [4, 5, 30, 100])
def test_a_physical_length_has_errors_of_rounding_alone(length):
    """Also along an axis over lengths: nothing but the key decides."""
    for bands, dissipator in ((CHAIN, TWO_SITE), (rashba(0.1), UP)):
        exact, longer = (
            evaluated(ring_steady_state, length, bands, dissipator, length_is_physical=physical)
            for physical in (True, False)
        )
        assert exact.status == Status.OK
        assert exact.values["particle_current"] == longer.values["particle_current"]
        assert exact.values["particle_current_error"] < 1e-13
        assert longer.values["particle_current_error"] > exact.values["particle_current_error"]
    occupations = evaluated(ring_occupations, length, length_is_physical=True)
    assert occupations.values["occupation_error"].max() < 1e-13


def test_a_value_without_the_grid_of_half_a_step_has_the_other_one():
    """(1 + e^{-ik}) vanishes at k = pi, which only the grid without shift has."""
    dissipator = {"kind": "two-site", "delta": [1, 0], "delta_prime": [1, 0.5]}
    found, longer = (
        evaluated(ring_steady_state, n, dissipator=dissipator, momentum_shift=0.5).values
        for n in (40, 1600)
    )
    distance = abs(found["entropy_production"] - longer["entropy_production"])
    assert 0 < distance <= found["entropy_production_error"] < 0.01


# --- momenta --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [3, 4, 5, 9, 21, 50])
@pytest.mark.parametrize("shift", [0.0, 0.3, 0.5])
def test_a_ring_is_periodic_without_shift(length, shift):
    k = momenta(length, shift)
    assert np.exp(1j * k * length) == pytest.approx(np.exp(2j * np.pi * shift), abs=1e-12)
    hop = np.roll(np.eye(length), 1, axis=0).astype(complex)
    hop[0, -1] *= np.exp(2j * np.pi * shift)  # what a step over the seam gains
    energy = np.linalg.eigvalsh(-hop - hop.conj().T)
    assert np.sort(chain_bands(length, 1.0, shift).energy.value) == pytest.approx(energy, abs=1e-12)


def test_energies_and_current_of_five_cells():
    assert np.sort(chain_bands(5).energy.value)[::2] == pytest.approx([-2, -0.618034, 1.618034])
    found = evaluated(ring_steady_state, 5).values
    assert found["particle_current"] == pytest.approx(0.01518, abs=5e-6)
    assert abs(found["particle_current"] - 0.0351936624) <= found["particle_current_error"]


# --- suspects -------------------------------------------------------------------------------------

SMALL_GAPS = [
    rashba(1e-6),
    rashba(1e-3),
    rashba(1e-2),
    rashba(0.5, 1.1, 0.01),
    {"kind": "bloch", "onsite": [[0.0, 0.01], [0.01, 0.3]], "hoppings": {1: [[-1, 0], [0, 0.5]]}},
    {"kind": "bloch", "onsite": [[0.01, 0], [0, -0.01]], "hoppings": {2: [[0, 1], [-1, 0]]}},
]


@pytest.mark.parametrize("bands", SMALL_GAPS)
@pytest.mark.parametrize("shift", [0.13, 0.5])
def test_a_gap_below_the_coupling_is_suspect(bands, shift):
    """Whether the momenta of the ring meet it or not."""
    for length in (20, 100):
        found = evaluated(ring_steady_state, length, bands, UP, 0.9, momentum_shift=shift)
        assert found.status == Status.SUSPECT
        assert "is below the coupling 0.05" in found.message
    times = {"stop": 1, "points": 2}
    for kind, more in ((ring_occupations, {}), (ring_relaxation, {"times": times})):
        found = evaluated(kind, 50, bands, UP, momentum_shift=shift, **more)
        assert (found.status, "below the coupling" in found.message) == (Status.SUSPECT, True)


def test_the_equilibrium_bath_alone_has_no_need_of_a_gap():
    found = evaluated(ring_occupations, 40, rashba(0.0), UP, 0.0, momentum_shift=0.5)
    assert found.status == Status.OK
    assert found.values["occupation"] == pytest.approx(found.values["gibbs_occupation"], abs=1e-12)


def test_a_peak_over_a_small_gap_is_suspect():
    found = evaluated(ring_peak_current, 10, rashba(0.02), UP, momentum_shift=0.5)
    assert "is below the coupling 0.05" in found.message


@pytest.mark.parametrize("bands", [CHAIN, rashba(0.1), rashba(-3.0), rashba(0.5, 0.0, 0.9)])
def test_a_gap_above_the_coupling_is_not_suspect(bands):
    dissipator = TWO_SITE if bands is CHAIN else UP
    assert evaluated(ring_steady_state, 100, bands, dissipator).status == Status.OK


@pytest.mark.parametrize(("alpha_y", "alpha_z", "zeeman"), [(1.1, 0.9, 0.01), (0.3, 0.8, 1.0)])
def test_smallest_gap_is_that_of_the_formula(alpha_y, alpha_z, zeeman):
    least = 2 * zeeman * alpha_z / np.hypot(alpha_y, alpha_z)
    hop = np.array([[-1 + 1j * alpha_y, -alpha_z], [alpha_z, -1 - 1j * alpha_y]])
    gap, at = smallest_gap(np.diag([zeeman, -zeeman]), {1: hop})
    assert gap == pytest.approx(least, rel=1e-9)
    bands = bloch_bands(np.diag([zeeman, -zeeman]), {1: hop}, 1, at / (2 * np.pi) % 1)
    low, high = bands.energy.value
    assert high - low == pytest.approx(gap, abs=1e-9)


SHORT = [
    (CHAIN, TWO_SITE, 0.5, 2.0, (4, 6, 8, 10, 12)),
    (CHAIN, OTHER_TWO_SITE, 0.5, 2.0, (4, 6, 8)),
    (CHAIN, {"kind": "random", "seed": 5}, 0.8, 1.0, (4, 6, 8)),
    (rashba(1.0), UP, 0.9, 2.0, (4, 5)),
]


@pytest.mark.parametrize(("bands", "dissipator", "share", "beta", "lengths"), SHORT)
def test_few_cells_have_an_error_or_a_status_that_says_so(bands, dissipator, share, beta, lengths):
    for length in lengths:
        ring = {"bands": bands, "dissipator": dissipator, "share": share, "beta": beta}
        ensemble = evaluated(ring_steady_state, length, **ring)
        exact = evaluated(ring_exact, length, **ring).values["particle_current"]
        off = abs(ensemble.values["particle_current"] - exact)
        covered = off <= ensemble.values["particle_current_error"]
        assert covered or ensemble.status == Status.SUSPECT
        if ensemble.status == Status.SUSPECT:
            assert "study: ring-exact has them" in ensemble.message


# --- cold rings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "length", "bands", "value"),
    [
        (12, 100, rashba(1.0), None),
        (16, 100, rashba(1.0), 0.419215),
        (20, 100, rashba(1.0), None),
        (60, 101, rashba(1.0), None),
        (40, 100, rashba(0.5, 0.4, 0.9), None),
        (100, 60, rashba(-0.7, 0.2, 0.3), None),
    ],
)
def test_entropy_production_of_a_cold_ring(beta, length, bands, value):
    """Symmetric rates: heat into the equilibrium bath is all entropy there is."""
    found = evaluated(ring_steady_state, length, bands, UP, beta=beta, length_is_physical=True)
    produced, of_bath = (found.values[f"{name}entropy_production"] for name in ("", "bath_"))
    assert found.status == Status.OK
    assert produced == pytest.approx(of_bath, rel=1e-11)
    assert value is None or produced == pytest.approx(value, abs=5e-7)
    assert not found.notes
    assert found.values["uncertainty_ratio"] == pytest.approx(
        found.values["particle_noise"] * produced / found.values["particle_current"] ** 2
    )


def test_newton_ends_where_rounding_moves_a_gapped_cold_state():
    bands = rashba_bands(10, 1.0, 1.1, 0.9, 0.0625, 0.5)
    (gibbs, *_), _ = gibbs_log_odds(bands, 17.0, 0.5)
    equation = rate_equation(bands, thermal_channel(bands, 17.0), [], 0.05, 0.0)
    state = steady_state(equation, 0.5)
    assert state.converged
    assert (abs(state.log_odds.value - gibbs) <= state.log_odds.error).all()


# --- closed shells in the cold --------------------------------------------------------------------


@pytest.mark.parametrize("beta", [60.0, 100.0, 145.0])
@pytest.mark.parametrize(
    ("filling", "below", "above"), [(0.25, 2, 2), (1 / 12, 1, 2), (11 / 12, 2, 1), (5 / 12, 2, 2)]
)
def test_the_potential_of_a_closed_shell_is_in_its_gap(beta, filling, below, above):
    """As many particles above the gap as holes below: mu in the middle but for the degeneracies."""
    bands = chain_bands(12)
    levels, particles = np.sort(bands.energy.value), round(12 * filling)
    middle = 0.5 * (levels[particles - 1] + levels[particles])
    expected = beta * (bands.energy.value - middle) - 0.5 * np.log(below / above)
    # What is left of occupations by other levels, which are 0.268 apart at least.
    half_gap = 0.5 * (levels[particles] - levels[particles - 1])
    small = 12 * np.exp(-beta * min(half_gap, 0.26))
    (gibbs, error, _), _ = gibbs_log_odds(bands, beta, filling)
    assert (abs(gibbs - expected) <= error + small).all()
    equation = rate_equation(bands, thermal_channel(bands, beta), [], 0.05, 0.0)
    for start in (gibbs, gibbs + 1.0, None):
        found = steady_state(equation, filling, start)
        assert found.converged
        assert (abs(found.log_odds.value - expected) <= found.log_odds.error + small).all()
        assert found.log_odds.error.max() < 1e-11
    point = evaluated(
        ring_occupations, 12, beta=beta, filling=filling, share=0.0, length_is_physical=True
    )
    for name in ("lagrange_parameter", "gibbs_lagrange_parameter"):
        distance = abs(point.values[name][:, 0] - expected)
        assert (distance <= point.values[f"{name}_error"][:, 0] + small).all()


@pytest.mark.parametrize(("length", "beta", "onsite"), [(4, 100.0, 0.0), (4, 30.0, 37.3)])
def test_errors_hold_the_rounding_of_energies_over_the_temperature(length, beta, onsite):
    """Energies 0 and +-2 about the on-site one are known exactly."""
    bands = bloch_bands([[onsite]], {1: np.array([[-1.0]])}, length)
    energy = np.array([2.0, 0.0, -2.0, 0.0])
    equation = rate_equation(bands, thermal_channel(bands, beta), [], 0.05, 0.0)
    weights = np.exp(-beta * (energy + 2))
    found = steady_process(equation, 1)
    expected = weights / weights.sum()
    assert (abs(found.probability / expected - 1) <= found.rounding).all()
    state = steady_state(equation, 0.5)
    assert (abs(state.log_odds.value - beta * energy) <= state.log_odds.error).all()


@pytest.mark.parametrize("length", [12, 23, 60])
@pytest.mark.parametrize("beta", [5.0, 60.0])
def test_errors_hold_the_rounding_of_phases_of_far_hopping(length, beta):
    """All cells but one to the right is one to the left."""
    near, far = (bloch_bands([[0.1]], {d: np.array([[-1.0]])}, length) for d in (1, length - 1))
    assert (abs(near.energy.value - far.energy.value) <= near.energy.error + far.energy.error).all()
    (gibbs, error, _), _ = gibbs_log_odds(near, beta, 1 / 3)
    (found, found_error, _), _ = gibbs_log_odds(far, beta, 1 / 3)
    assert (abs(found - gibbs) <= error + found_error).all()
    state = steady_state(rate_equation(far, thermal_channel(far, beta), [], 0.05, 0.0), 1 / 3)
    assert (abs(state.log_odds.value - gibbs) <= error + state.log_odds.error).all()


# --- short rings without the ensemble -------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "current"), [(4, 0.106002), (6, 0.021371), (8, 0.049408), (10, 0.036296)]
)
def test_exact_currents(length, current):
    found = evaluated(ring_exact, length)
    assert found.status == Status.OK
    assert found.values["particle_current"] == pytest.approx(current, abs=1e-6)
    assert found.values["particle_current_error"] < 1e-12


RINGS = [
    (chain_bands(6), [[[1, -1 - 0.5j], [1 + 1j, -0.5 - 1.5j]]], 3),
    (chain_bands(7, 0.8, 0.2), [np.random.default_rng(2).normal(size=(2, 2))], 2),
    (rashba_bands(4, 1.0, 0.6, -0.35, -0.8), [np.diag([0.5, 0]), np.diag([0, 0.8])], 3),
]


@pytest.mark.parametrize(("bands", "operators", "particles"), RINGS)
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_process_against_an_iteration(bands, operators, particles, share):
    channels = operator_channels(bands, [np.array(m) for m in operators])
    equation = rate_equation(bands, thermal_channel(bands, 1.3), channels, 0.05, share)
    found = steady_process(equation, particles)
    p, states = exclusion_process(sum(c.rates() for c in equation.channels), particles)
    assert (found.configurations == states).all()
    assert found.probability == pytest.approx(p, abs=1e-10)
    x = Estimate(states @ bands.velocity.value, 0.0)
    noise, error, _ = ring_exact.zero_frequency_noise(found, x)
    assert noise == pytest.approx(dense_noise(equation, p, states), rel=1e-8)
    assert error < 1e-9 * noise


def dense_noise(equation, p, states):
    """Zero-frequency noise by an eigenvalue decomposition of the whole generator."""
    rates = sum(c.rates() for c in equation.channels)
    count = len(states)
    generator = np.zeros((count, count))
    for i, one in enumerate(states):
        for j, other in enumerate(states):
            (a,), (b,) = np.nonzero(one & ~other), np.nonzero(other & ~one)
            if len(a) == 1:
                generator[j, i] = rates[a[0], b[0]]
    generator -= np.diag(generator.sum(axis=0))
    values, vectors = np.linalg.eig(generator)
    x = states @ equation.bands.velocity.value
    start = np.linalg.solve(vectors, p * (x - p @ x))
    decaying = abs(values) > 1e-9 * abs(values).max()
    return -2 * float(((x @ vectors)[decaying] * start[decaying] / values[decaying]).sum().real)


@pytest.mark.parametrize("particles", [1, 2, 4])
@pytest.mark.parametrize("beta", [0.0, 2.0, 30.0])
def test_the_equilibrium_bath_leads_to_the_canonical_state(particles, beta):
    """Each probability has a small relative error, however unlikely the configuration."""
    bands = rashba_bands(3, 1.0, 1.1, 0.9, 1.0)
    equation = rate_equation(bands, thermal_channel(bands, beta), [], 0.05, 0.0)
    found = steady_process(equation, particles)
    weight = -beta * (found.configurations @ bands.energy.value)
    expected = np.exp(weight - weight.max())
    assert found.probability == pytest.approx(expected / expected.sum(), rel=1e-11, abs=0)
    produced, error, _ = hop_entropy(found, equation.channels)
    assert 0 <= produced <= error


@pytest.mark.parametrize("length", [60, 65, 100, 300])
def test_one_particle_on_any_number_of_modes(length):
    """Its rate equation is linear: the null vector of one matrix over the modes."""
    bands = chain_bands(length)
    channels = operator_channels(bands, [np.array([[1, -0.3j], [0.5, -0.15j]])])
    equation = rate_equation(bands, thermal_channel(bands, 2.0), channels, 0.05, 0.5)
    found = steady_process(equation, 1)
    rates = sum(c.rates() for c in equation.channels)
    matrix = np.vstack([rates.T - np.diag(rates.sum(axis=1)), np.ones(length)])
    expected = np.linalg.lstsq(matrix, np.append(np.zeros(length), 1.0))[0]
    assert found.configurations.argmax(axis=1).tolist() == list(range(length))
    assert found.probability == pytest.approx(expected, rel=1e-9)


def test_canonical_state_of_two_particles_on_many_modes():
    bands = chain_bands(80)
    equation = rate_equation(bands, thermal_channel(bands, 1.0), [], 0.05, 0.0)
    found = steady_process(equation, 2)
    expected = np.exp(-(found.configurations @ bands.energy.value))
    assert found.probability == pytest.approx(expected / expected.sum(), rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("modes", "particles"),
    [(4000, 1), (89, 2), (29, 3), (19, 4), (15, 5), (14, 6), (14, 7)],
)
def test_configurations_are_told_apart(modes, particles):
    """On the largest number of modes; fewer modes, and holes, have the same sums or fewer."""
    states = _configurations(modes, particles)
    assert len(states) <= MOST_CONFIGURATIONS
    assert modes == MOST_CONFIGURATIONS or math.comb(modes + 1, particles) > MOST_CONFIGURATIONS
    assert len(np.unique(states @ _numbers(modes))) == len(states)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("bands", "dissipator"), [(CHAIN, TWO_SITE), (rashba(0.7), UP)])
def test_laws_of_the_process(bands, dissipator, share):
    found = evaluated(ring_exact, 4, bands, dissipator, share)
    values = found.values
    assert found.status == Status.OK
    balance = values["energy_current"].sum()
    assert abs(balance) <= values["energy_current_error"].sum() + 1e-18
    assert (values["channel_entropy_production"] >= -1e-18).all()
    if share == 0:
        assert abs(values["particle_current"]) <= values["particle_current_error"]
    if dissipator is UP:
        produced, heat = values["entropy_production"], values["bath_entropy_production"]
        assert abs(produced - heat) <= values["entropy_production_error"] + 1e-17


def test_longer_rings_come_closer_to_the_ensemble():
    """Mean over both grids of momenta; the distance falls as 1/length."""
    limit, lengths = evaluated(ring_steady_state, 100).values, (6, 8, 10)
    means = [
        np.mean(
            [
                [evaluated(ring_exact, n, momentum_shift=s).values[name] for s in (0.0, 0.5)]
                for name in ("particle_current", "entropy_production", "particle_noise")
            ],
            axis=1,
        )
        for n in lengths
    ]
    for index, name in enumerate(("particle_current", "entropy_production", "particle_noise")):
        scaled = [n * (mean[index] - limit[name]) for n, mean in zip(lengths, means, strict=True)]
        assert scaled[2] == pytest.approx(scaled[1], rel=0.25)
        for one, other in pairwise(mean[index] for mean in means):
            assert abs(other - limit[name]) < abs(one - limit[name])


def test_process_is_the_weak_coupling_limit_of_the_equation_of_the_baths():
    """Five cells have no two configurations of equal energy and momentum that matter."""
    length, particles = 5, 2
    bands = chain_bands(length)
    k, e, v = bands.momentum, bands.energy.value, bands.velocity.value
    q = 2 * np.pi * np.arange(length) / length
    delta = (1 + (1 + 1j) * np.exp(-1j * (k[:, None] - q))) * (1 - (1 + 0.5j) * np.exp(1j * k))[
        :, None
    ]

    def exact(coupling):
        unit = 0.5 * coupling / length
        thermal = unit * np.exp(e[:, None] - e)
        return many_body_current(length, particles, thermal, np.sqrt(unit) * delta, e, v)

    limit = 2 * exact(0.0005) - exact(0.001)
    found = evaluated(ring_exact, length, filling=0.4).values["particle_current"]
    assert found == pytest.approx(limit, abs=1e-5)


def test_sets_of_configurations_that_no_hop_leaves():
    """Dephasing alone never reaches k = 0, pi of the band without spin up: the start decides."""
    found = evaluated(ring_exact, 4, rashba(1.0), UP, 1.0)
    assert found.status == Status.OK
    assert found.values["particle_current"] == pytest.approx(0, abs=1e-14)
    assert np.isnan(found.values["particle_noise"])
    assert "no hop leaves any of" in found.notes["particle_noise"]


@pytest.mark.parametrize(
    ("length", "keys", "message"),
    [
        (5, {}, "filling 0.5 of 5 modes is 2.5 particles; expected a whole number"),
        (8, {"filling": 0.3}, "a multiple of 1/8"),
        (16, {}, "8 particles on 16 modes have 12870 configurations, more than 4000"),
        (1000, {"filling": 0.002}, "499500 configurations"),
    ],
)
def test_rings_that_cannot_be_counted_are_refused(length, keys, message):
    with pytest.raises(InvalidValues, match=message):
        evaluated(ring_exact, length, **keys)


# --- cold rings with a gap at the filling: numbers in 150 digits, by other code ------------------

COLD = (
    # length, bands, dissipator, beta, share, shift, numbers
    (
        4,
        CHAIN,
        TWO_SITE,
        64.0,
        0.9,
        0.5,
        {
            "ballistic_noise": 1.0836313928082773e-19,
            "ensemble_variance": 1.5324862123227124e-19,
            "current_slope": 1.2288408864407434,
            "particle_noise": 1.9272054092292224e-37,
            "current_variance": 3.754208679538172e-20,
        },
    ),
    (4, CHAIN, TWO_SITE, 64.0, 1e-6, 0.0, {"current_variance": 0.499999999999875}),
    (
        4,
        rashba(3.0, 0.2, 0.3) | {"hopping": 0.1},
        {"kind": "dephasing", "rates": [1, 0.3]},
        32.0,
        0.4,
        0.0,
        {
            "current_slope": -0.17650081345695,
            "particle_noise": 1.2054187638315017e-38,
            "current_variance": 2.4363708197573924e-22,
        },
    ),
    (
        5,
        rashba(1.0),
        UP,
        64.0,
        1e-9,
        0.0,
        {"current_slope": -0.14394006076907762, "particle_noise": 9.16330571862233e-19},
    ),
)


@pytest.mark.parametrize(
    ("length", "bands", "dissipator", "beta", "share", "shift", "numbers"), COLD
)
def test_the_few_particles_above_a_gap_are_counted(
    length, bands, dissipator, beta, share, shift, numbers
):
    more = {"momentum_shift": shift, "length_is_physical": True}
    values = evaluated(ring_steady_state, length, bands, dissipator, share, beta, **more).values
    for name, number in numbers.items():
        assert values[name] == pytest.approx(number, rel=1e-9)
        assert abs(values[name] - number) <= values[f"{name}_error"] + 1e-15 * abs(number)


def test_the_level_of_a_gibbs_state_in_a_gap_has_its_digits():
    more = {"length_is_physical": True}
    values = evaluated(ring_occupations, 5, rashba(1.0), UP, 0.4, 64.0, **more).values
    parameter, error = (values[f"gibbs_lagrange_parameter{x}"][4, 0] for x in ("", "_error"))
    assert abs(parameter + 45.683474598199844) <= error < 1e-10


@pytest.mark.parametrize(
    ("share", "noise"),
    [(0.0, 59.99999999886746), (1e-9, 59.999999743867455), (0.5, 10.882560000198191)],
)
def test_noise_of_a_cold_short_ring_has_its_digits(share, noise):
    """Two configurations that exchange slowly, beside rates that are 10^13 times as large."""
    found = evaluated(ring_exact, 3, share=share, beta=16.0, filling=2 / 3)
    value, error = found.values["particle_noise"], found.values["particle_noise_error"]
    assert abs(value - noise) <= error + 1e-14 * noise
    assert error < 1e-10 * noise


def test_a_current_that_is_zero_by_symmetry_is_zero_within_its_error():
    bands = {"kind": "bloch", "onsite": [[0.1]], "hoppings": {3: [[-1]]}}
    values = evaluated(ring_steady_state, 3, bands, length_is_physical=True).values
    for name in ("particle_current", "ballistic_noise", "current_variance", "particle_noise"):
        assert abs(values[name]) <= values[f"{name}_error"] < 1e-13


def test_errors_of_a_relaxation_hold_what_the_solver_is_wrong_by():
    """Numbers by a Taylor series of 25 orders in 40 digits."""
    for share, beta, stop, place, number in (
        (0.0, 0.5, 20.0, (2, 0, 0), 0.9831748807021168),
        (0.5, 0.5, 20.0, (2, 3, 0), 0.9951082558621427),
        (1.0, 0.5, 20.0, (1, 3, 0), 0.9954631059946843),
        (0.5, 4.0, 10.0, (1, 2, 0), 0.9999959393903866),
    ):
        more = {"length_is_physical": True, "filling": 0.99, "times": {"stop": stop, "points": 3}}
        values = evaluated(ring_relaxation, 4, share=share, beta=beta, **more).values
        error = values["occupation_error"][place]
        assert abs(values["occupation"][place] - number) <= error < 1e-8
        parameter = np.log1p(-number) - np.log(number)
        error = values["lagrange_parameter_error"][place]
        assert abs(values["lagrange_parameter"][place] - parameter) <= error


def test_a_lagrange_parameter_without_digits_is_undefined():
    """Occupations of 10^-18 beside an error of 10^-14."""
    more = {"momentum_shift": 0.5, "length_is_physical": True}
    more["times"] = {"stop": 2000.0, "points": 2}
    values = evaluated(ring_relaxation, 8, share=1e-9, beta=32.0, **more).values
    error = values["lagrange_parameter_error"]
    assert np.isnan(values["lagrange_parameter"][~np.isfinite(error)]).all()
    assert np.nanmax(error) < 40


@pytest.mark.parametrize(("length", "bands"), [(33, rashba(1.0)), (65, rashba(0.3, 0.4, 0.3))])
def test_errors_hold_the_length_where_momenta_of_both_signs_differ(length, bands):
    """A shift by a quarter of a step to one side alone may meet the same value by chance."""
    rates = [1, 0] if length == 33 else [0.7, 0.2]
    dissipator, more = {"kind": "dephasing", "rates": rates}, {"share": 0.1, "beta": 32.0}
    more["coupling"] = 0.01
    one, limit = (
        evaluated(ring_steady_state, number, bands, dissipator, **more) for number in (length, 2000)
    )
    for name in ("entropy_production", "energy_current", "current_variance"):
        distance = abs(np.subtract(one.values[name], limit.values[name]))
        assert (distance <= one.values[f"{name}_error"]).all(), name
