"""Movers on a lattice and resistor circuits with sources and drains: brute force, laws, limits.

Brute force: the matrix of one time step, built from the step of each unit vector, and the matrix of
Kirchhoff's laws; both dense.
"""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nessflow.classical import circuit, lattice
from nessflow.classical.circuit import Circuit
from nessflow.classical.lattice import MoverLattice
from nessflow.classical.sums import EPSILON, running_sums
from nessflow.estimate import Estimate


def random_lattice(seed, sites=None, sources_only=False):
    rng = np.random.default_rng(seed)
    n = sites or int(rng.integers(3, 40))
    hopping, injection = np.ones(n), np.zeros(n)
    connected = np.append(np.insert(rng.random(n - 2) < 0.6, 0, False), False)
    hopping[connected] = rng.uniform(0.05, 1, connected.sum())
    injection[connected] = rng.normal(size=connected.sum())
    if sources_only:
        injection = abs(injection)
    return MoverLattice(hopping, injection, *rng.uniform(0, 2, 2))


def reversed_bias(system):
    return dataclasses.replace(system, left=system.right, right=system.left)


def step_matrix(system):
    """The matrix M of a time step and what reservoirs and sources add in it."""
    n = system.hopping.size
    empty = dataclasses.replace(system, injection=np.zeros(n), left=0.0, right=0.0)
    columns = [lattice.step(empty, unit.reshape(2, n)).ravel() for unit in np.eye(2 * n)]
    return np.array(columns).T, lattice.step(system, np.zeros((2, n))).ravel()


def kirchhoff(system):
    """Potentials of all nodes from the dense matrix of conductances."""
    n = system.injection.size
    conductance = 1 / system.resistance
    matrix, right_side = np.eye(n), system.injection.copy()
    for x in range(1, n - 1):
        matrix[x, x] = conductance[x - 1] + conductance[x]
        matrix[x, x - 1], matrix[x, x + 1] = -conductance[x - 1], -conductance[x]
    right_side[[0, -1]] = system.left, system.right
    return np.linalg.solve(matrix, right_side)


def random_circuit(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 30))
    injection = rng.normal(size=n) * (rng.random(n) < 0.7)
    injection[[0, -1]] = 0
    return Circuit(rng.uniform(0.1, 3, n - 1), injection, *rng.normal(size=2))


# Steady state


@pytest.mark.parametrize("seed", range(12))
def test_steady_state_is_the_fixed_point_of_the_step(seed):
    system = random_lattice(seed)
    matrix, added = step_matrix(system)
    expected = np.linalg.solve(np.eye(added.size) - matrix, added).reshape(2, -1)
    state = lattice.steady_state(system)
    scale = abs(expected).max()
    np.testing.assert_allclose(state.density.value, expected, atol=1e-12 * scale)
    change = lattice.step(system, state.density.value) - state.density.value
    assert abs(change).max() < 1e-13 * scale
    currents = lattice.reservoir_currents(system, expected)
    np.testing.assert_allclose(state.particle_current.value, currents, atol=1e-12 * scale)


@pytest.mark.parametrize("seed", range(4))
def test_every_site_keeps_its_particles(seed):
    system = random_lattice(seed)
    state = lattice.steady_state(system)
    kept = state.bond_current.value[:-1] - state.bond_current.value[1:] + system.injection
    assert abs(kept).max() < 1e-12
    # Each bond current is the flux of right-movers less that of left-movers over the bond.
    right, left = system.hopping * state.density.value
    right, left = np.insert(right, 0, system.left), np.append(left, system.right)
    np.testing.assert_allclose(state.bond_current.value, right - left, atol=1e-12)


def exact_left_current(hopping, injection, left, right):
    """The left current in rational arithmetic, by elimination from site to site."""
    # With u and J of the left end, u_x = u - J r_x + c_x and J_x = J + s_x.
    resistance = constant = added = Fraction(0)
    for q, s in zip(
        map(Fraction, hopping.tolist()), map(Fraction, injection.tolist()), strict=True
    ):
        constant += q * s / 2 - (1 - q) * added
        resistance += 1 - q
        added += s
    return (Fraction(left) - Fraction(right) + constant - added) / (1 + resistance)


@pytest.mark.parametrize("sites", [5, 200, 20_000])
@pytest.mark.parametrize("probability", [0.0, 0.3, 0.999])
def test_error_encloses_the_exact_current(sites, probability):
    rng = np.random.default_rng(sites)
    hopping, injection = np.ones(sites), np.zeros(sites)
    hopping[1:-1] = probability
    injection[1:-1] = rng.normal(size=sites - 2)
    state = lattice.steady_state(MoverLattice(hopping, injection, 1.1, 0.3))
    exact = exact_left_current(hopping, injection, 1.1, 0.3)
    error = abs(Fraction(state.bond_current.value[0].item()) - exact)
    assert error <= state.bond_current.error[0]
    assert state.bond_current.error[0] < 1e-12 * abs(state.bond_current.value).max()


def test_running_sums_do_not_lose_small_terms():
    terms = np.tile([1e16, 1.0, -1e16, 1.0], 25_000)
    assert running_sums(terms)[-1] == 50_000


def test_a_million_sites():
    n = 1_000_000
    hopping, injection = np.ones(n), np.zeros(n)
    hopping[1:-1] = 0.9
    injection[1:-1:2], injection[2:-1:2] = 0.05, -0.05
    state = lattice.steady_state(MoverLattice(hopping, injection, 1.1, 1.0))
    exact = (0.1 - 0.1 * (n / 2 - 1) * 0.05) / (1 + (n - 2) * 0.1)
    assert abs(state.particle_current.value[0] - exact) < 1e-14
    assert state.particle_current.error.max() < 1e-14


# Symmetries and limits


def mirror(system):
    return MoverLattice(system.hopping[::-1], system.injection[::-1], system.right, system.left)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 15))
def test_mirror_symmetric_placements_are_reciprocal(seed, half):
    rng = np.random.default_rng(seed)
    hopping, injection = np.ones(half), np.zeros(half)
    hopping[1:] = rng.uniform(0, 1, half - 1)
    injection[1:] = rng.normal(size=half - 1)
    # Balanced, so that the current of the left end is that of the right end.
    injection[1:] -= injection[1:].mean()
    forward = MoverLattice(
        np.concatenate([hopping, hopping[::-1]]),
        np.concatenate([injection, injection[::-1]]),
        1.3,
        0.4,
    )
    currents = [
        lattice.steady_state(s).bond_current.value[0] for s in (forward, reversed_bias(forward))
    ]
    assert abs(sum(currents)) < 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_mirror_image_carries_the_mirrored_currents(seed):
    system = random_lattice(seed)
    state, image = lattice.steady_state(system), lattice.steady_state(mirror(system))
    scale = abs(state.density.value).max()
    np.testing.assert_allclose(
        image.bond_current.value, -state.bond_current.value[::-1], atol=1e-12 * scale
    )
    np.testing.assert_allclose(
        image.density.value, state.density.value[::-1, ::-1], atol=1e-11 * scale
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(-2, 2))
def test_states_superpose(seed, weight):
    one = random_lattice(seed)
    rng = np.random.default_rng(seed + 1)
    other = MoverLattice(one.hopping, rng.normal(size=one.hopping.size), *rng.uniform(0, 2, size=2))
    parts = {
        f.name: getattr(one, f.name) + weight * getattr(other, f.name)
        for f in dataclasses.fields(MoverLattice)
    }
    both = lattice.steady_state(MoverLattice(**parts | {"hopping": one.hopping}))
    states = lattice.steady_state(one), lattice.steady_state(other)
    expected = states[0].density.value + weight * states[1].density.value
    scale = max(abs(state.density.value).max() for state in states)
    np.testing.assert_allclose(both.density.value, expected, atol=1e-12 * scale)


def test_nothing_turns_round_on_a_ballistic_lattice():
    injection = np.array([0, 0.3, -0.3, 0.3, -0.3, 0])
    forward = MoverLattice(np.ones(6), injection, 1.0, 0.2)
    currents = [
        lattice.steady_state(s).bond_current.value[0] for s in (forward, reversed_bias(forward))
    ]
    np.testing.assert_allclose(currents, [0.8, -0.8], atol=1e-15)


@pytest.mark.parametrize("seed", range(6))
def test_movers_that_always_turn_round_are_a_circuit(seed):
    # Half of the movers that reach a site leave it on either side: each bond is a resistor 1.
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 20))
    hopping, injection = np.ones(n), np.zeros(n)
    hopping[1:-1] = 0
    injection[1:-1] = rng.normal(size=n - 2)
    movers = lattice.steady_state(MoverLattice(hopping, injection, 0.7, -0.4))
    resistors = circuit.steady_state(Circuit(np.ones(n - 1), injection, 0.7, -0.4))
    np.testing.assert_allclose(
        movers.bond_current.value[1:-1], resistors.bond_current.value, atol=1e-12
    )
    assert np.isnan(movers.density.value[:, 1:-1]).all()
    assert np.isfinite(movers.density.value[:, [0, -1]]).all()


# Evolution


@pytest.mark.parametrize("seed", range(3))
def test_particles_are_counted_in_each_step(seed):
    system = random_lattice(seed)
    density = np.random.default_rng(seed).random((2, system.hopping.size))
    for _ in range(5):
        later = lattice.step(system, density)
        gained = lattice.reservoir_currents(system, density).sum() + system.injection.sum()
        assert abs(later.sum() - density.sum() - gained) < 1e-12
        density = later


@pytest.mark.parametrize("start", ["empty", "random"])
def test_every_start_ends_in_the_steady_state(start):
    system = random_lattice(3, sites=12)
    density = np.zeros((2, 12)) if start == "empty" else np.random.default_rng(1).random((2, 12))
    rate = lattice.relaxation_rate(system)[0].value
    for _ in range(int(35 / rate)):
        density = lattice.step(system, density)
    expected = lattice.steady_state(system).density.value
    np.testing.assert_allclose(density, expected, atol=1e-12 * abs(expected).max())


@pytest.mark.parametrize("seed", range(8))
def test_relaxation_rate_is_that_of_the_dense_matrix(seed):
    system = random_lattice(seed)
    matrix, _ = step_matrix(system)
    rate, converged = lattice.relaxation_rate(system)
    expected = -np.log(abs(np.linalg.eigvals(matrix)).max())
    assert converged
    assert abs(rate.value / expected - 1) < 1e-9
    assert rate.error < 1e-10 * rate.value


def test_relaxation_of_a_long_lattice_is_diffusion():
    # Diffusion constant p / (2 (1 - p)) of a persistent walk, extrapolation length 1 / (1 - p).
    n, p = 4000, 0.8
    hopping = np.ones(n)
    hopping[1:-1] = p
    rate, converged = lattice.relaxation_rate(MoverLattice(hopping, np.zeros(n), 0.0, 0.0))
    diffusion = p / (2 * (1 - p)) * (np.pi / n) ** 2
    assert converged
    assert abs(rate.value / diffusion - 1) < 2e-3


def test_rates_that_do_not_exist():
    straight = MoverLattice(np.ones(5), np.zeros(5), 1.0, 0.0)
    stuck = MoverLattice(np.array([1, 0, 1.0]), np.zeros(3), 1.0, 0.0)
    for system, reason in ((straight, "no mover turns round"), (stuck, "never leave")):
        rate, _ = lattice.relaxation_rate(system)
        assert np.isnan(rate.value)
        assert reason in rate.undefined


# Fluctuations


def test_noise_is_that_of_counted_movers():
    """Numbers of movers drawn step by step; 6000 copies, so that a variance has 2 % of error."""
    system = MoverLattice(np.array([1, 0.5, 0.7, 1]), np.array([0, 0.4, 0.2, 0]), 0.8, 0.3)
    rng = np.random.default_rng(7)
    copies, steps, warm = 6000, 240, 40
    movers = np.zeros((2, 4, copies), dtype=int)
    counted = np.zeros((2, copies))
    for time in range(steps + warm):
        moving = rng.binomial(movers, system.hopping[:, None])
        turned = (movers - moving)[::-1]
        arriving = rng.poisson([[system.left], [system.right]], (2, copies))
        sources = rng.poisson(np.tile(system.injection / 2, (2, 1))[..., None], (2, 4, copies))
        if time >= warm:
            counted += arriving - [moving[1, 0], moving[0, -1]]
        movers = turned + sources
        movers[0, 1:] += moving[0, :-1]
        movers[1, :-1] += moving[1, 1:]
        movers[0, 0] += arriving[0]
        movers[1, -1] += arriving[1]
    state = lattice.steady_state(system)
    mean_error = np.sqrt(np.var(counted, axis=1) / copies) / steps
    np.testing.assert_array_less(
        abs(counted.mean(axis=1) / steps - state.particle_current.value), 5 * mean_error
    )
    # A finite time adds about one sojourn of the movers over the time.
    np.testing.assert_allclose(
        np.cov(counted) / steps, lattice.particle_noise(system).value, atol=0.06
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_noise_without_drains(seed):
    system = random_lattice(seed, sources_only=True)
    noise, _, _ = lattice.particle_noise(system)
    assert noise[0, 1] == noise[1, 0] <= 0
    # Sources are noisy terminals of their own: what they emit is the sum of all elements.
    assert abs(noise.sum() - system.injection.sum()) < 1e-12 * (1 + noise.max())
    assert np.linalg.eigvalsh(noise).min() >= -1e-12


def test_uncertainty_relation_without_injection():
    hopping = random_lattice(5).hopping
    system = MoverLattice(hopping, np.zeros(hopping.size), 1.4, 0.2)
    noise, _, _ = lattice.particle_noise(system)
    current = lattice.steady_state(system).particle_current.value[0]
    entropy, _, _ = lattice.entropy_production(system)
    assert entropy > 0
    ratio = noise[0, 0] * entropy / current**2
    assert abs(ratio - 1.6 / 1.2 * np.log(7)) < 1e-12
    assert ratio > 2
    assert lattice.entropy_production(dataclasses.replace(system, left=0.2))[:2] == (0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_entropy_in_time_is_never_negative_and_ends_in_the_steady_one(seed):
    hopping = random_lattice(seed, 12).hopping
    left, right = np.random.default_rng(seed).uniform(0.1, 2, 2)
    system = MoverLattice(hopping, np.zeros(hopping.size), left, right)
    density, wrong = np.zeros((2, 12)), np.zeros((2, 12))
    for _ in range(20):
        value, error, _ = lattice.step_entropy(system, Estimate(density, wrong))
        assert value > -error
        density = lattice.step(system, density)
    steady = lattice.steady_state(system)
    value, error, _ = lattice.step_entropy(system, steady.density)
    expected, rounding, _ = lattice.entropy_production(system)
    assert abs(value - expected) <= error + rounding
    assert error < 1e-10


def test_errors_in_time_cover_rounding():
    """The same evolution by fractions."""
    system = random_lattice(3, 6)
    exact = [[Fraction(0)] * 6, [Fraction(0)] * 6]
    hopping, injection = (
        [Fraction(float(x)) for x in y] for y in (system.hopping, system.injection)
    )
    left, right = Fraction(float(system.left)), Fraction(float(system.right))
    density, steps = np.zeros((2, 6)), 25
    for _ in range(steps):
        moving = [[q * n for q, n in zip(hopping, row, strict=True)] for row in exact]
        turned = [[n - m for n, m in zip(*x, strict=True)] for x in zip(exact, moving, strict=True)]
        exact = [[x + s / 2 for x, s in zip(y, injection, strict=True)] for y in turned[::-1]]
        for x, flux in zip(range(6), [left, *moving[0][:-1]], strict=True):
            exact[0][x] += flux
        for x, flux in zip(range(6), [*moving[1][1:], right], strict=True):
            exact[1][x] += flux
        density = lattice.step(system, density)
    bound = 4 * EPSILON * steps * lattice.largest_flux(system, np.zeros((2, 6))) / system.hopping
    off = [
        [abs(float(Fraction(float(d)) - e)) for d, e in zip(*x, strict=True)]
        for x in zip(density, exact, strict=True)
    ]
    assert (np.array(off) <= bound).all()
    assert bound.max() < 1e-11


def test_what_drains_leave_undefined():
    system = random_lattice(1)
    empty = MoverLattice(np.ones(3), np.zeros(3), 1.0, 0.0)
    for found, reason in (
        (lattice.particle_noise(system), "drain"),
        (lattice.entropy_production(system), "no reverse process"),
        (lattice.entropy_production(empty), "empty"),
    ):
        assert np.isnan(found.value).all()
        assert reason in found.undefined


# Circuits


@pytest.mark.parametrize("seed", range(12))
def test_circuit_obeys_kirchhoff_and_ohm(seed):
    system = random_circuit(seed)
    state = circuit.steady_state(system)
    expected = kirchhoff(system)
    scale = abs(expected).max()
    np.testing.assert_allclose(state.potential.value, expected, atol=1e-12 * scale)
    currents = -np.diff(expected) / system.resistance
    np.testing.assert_allclose(state.bond_current.value, currents, atol=1e-11 * scale)
    kept = -np.diff(state.bond_current.value) + system.injection[1:-1]
    assert abs(kept).max() < 1e-12
    assert abs(state.potential.value[-1] - system.right) <= state.potential.error[-1]


@pytest.mark.parametrize("seed", range(4))
def test_heat_is_the_power_of_ends_and_sources(seed):
    system = random_circuit(seed)
    state = circuit.steady_state(system)
    power = state.particle_current.value @ [system.left, system.right]
    power += system.injection @ state.potential.value
    assert abs(power - state.heat.value.sum()) < 1e-12 * abs(state.heat.value).sum()
    entropy, error, _ = circuit.entropy_production(state, 0.3)
    assert abs(entropy - power / 0.3) < 1e-11 * entropy
    assert error < 1e-11 * entropy
    assert "temperature 0" in circuit.entropy_production(state, 0.0).undefined


def test_thermal_noise_saturates_the_uncertainty_relation():
    system = Circuit(np.array([1.0, 2.0, 0.5]), np.zeros(4), 0.8, 0.1)
    state = circuit.steady_state(system)
    noise, _, _ = circuit.particle_noise(system, 0.2)
    assert noise[0, 0] == -noise[0, 1] == 2 * 0.2 / 3.5
    entropy, _, _ = circuit.entropy_production(state, 0.2)
    assert abs(noise[0, 0] * entropy / state.particle_current.value[0] ** 2 - 2) < 1e-13


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 15))
def test_mirror_symmetric_circuits_are_reciprocal(seed, half):
    rng = np.random.default_rng(seed)
    injection = np.append(0, rng.normal(size=half - 1))
    injection[1:] -= injection[1:].mean()
    resistance = rng.uniform(0.1, 2, half)
    forward = Circuit(
        np.concatenate([resistance, resistance[-2::-1]]),
        np.concatenate([injection, injection[::-1]]),
        1.0,
        0.0,
    )
    currents = [
        circuit.steady_state(s).bond_current.value[0] for s in (forward, reversed_bias(forward))
    ]
    assert abs(sum(currents)) < 1e-12
