"""Mixtures of equilibrium distributions: closed forms, brute force, limits and bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, zeta

from attached import chain_at
from judging import judged
from lattices import chain, onsite_rates
from nessflow.estimate import Estimate
from nessflow.kinds import mixture_conductance, mixture_spectrum
from nessflow.mixture import closed_form
from nessflow.mixture.conductance import _ratio, gate_conductances
from nessflow.mixture.counting import (
    cumulant,
    generating_function,
    moment,
    transfer_distribution,
    transfer_probability,
)
from nessflow.mixture.density_response import density_response
from nessflow.mixture.engine import carnot_efficiency, efficiency, power
from nessflow.mixture.junction import edges, junction_transport
from nessflow.mixture.polylogarithm import bose_polylogarithm, fermi_polylogarithm
from nessflow.mixture.state import (
    FunctionWeights,
    GaussianWeights,
    Mixture,
    Reservoir,
    StepWeights,
    TabulatedWeights,
)
from nessflow.mixture.transport import transport
from nessflow.observables.thermodynamics import entropy_production
from nessflow.scattering.currents import steady_currents, transmission
from nessflow.scattering.noise import lead_noise
from nessflow.systems.system import OpenSystem

TWO_PI = 2 * np.pi


def steps(c_plus=0.4, c_minus=-0.3):
    return StepWeights.from_constants(c_plus, c_minus)


def mixture(mu_1, mu_2, t_1=1.0, t_2=1.0, weights=None, statistics="fermions", mass=1.3):
    reservoirs = (Reservoir(t_1, mu_1), Reservoir(t_2, mu_2))
    return Mixture(reservoirs, weights or steps(), mass, statistics)


def assert_agree(one, other, index=0):
    """Two estimates of one number, within both errors."""
    value, error = (np.ravel(x)[index] for x in one[:2])
    assert abs(value - other.value) <= error + other.error + 1e-300


# --- closed forms against quadrature --------------------------------------------------------------

POTENTIALS = [-500, -30, -1.0001, -1, -0.3, -1e-9, 0, 0.2, 1, 3, 7, 20, 300, 1e4, 1e7]


@pytest.mark.parametrize("mu", POTENTIALS)
@pytest.mark.parametrize("statistics", ["fermions", "bosons"])
def test_closed_forms_are_the_integrals(mu, statistics):
    if statistics == "bosons" and mu >= 0:
        return
    one = mixture(mu, mu - 0.1 - 1e-6 * abs(mu), statistics=statistics)
    found = transport([one])
    assert found.converged.all()
    assert_agree(found.density, closed_form.density(one))
    assert_agree(found.particle_current, closed_form.particle_current(one))
    assert_agree(found.energy_current, closed_form.energy_current(one))
    if statistics == "fermions":
        assert_agree(found.noise, closed_form.noise_at_equal_temperature(one))
    gate = gate_conductances([one])
    expected = closed_form.lorenz_number(mu, one.sign)
    assert gate.lorenz_fixed_potential.value[0] == pytest.approx(expected, rel=1e-13)
    expected = closed_form.seebeck_number(mu, one.sign)
    assert gate.seebeck.value[0] == pytest.approx(-expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("temperatures", [(1.0, 0.25), (0.02, 3.0), (0.0, 0.5)])
def test_closed_forms_at_two_temperatures(temperatures):
    one = mixture(2.0, 0.7, *temperatures)
    found = transport([one])
    assert_agree(found.density, closed_form.density(one))
    assert_agree(found.particle_current, closed_form.particle_current(one))
    assert_agree(found.energy_current, closed_form.energy_current(one))


@pytest.mark.parametrize(
    ("mu", "temperature", "width"),
    [
        (2, 1, 0.5),
        (-5, 0.3, 2),
        (30, 0.1, 5),
        (3, 1e-9, 0.2),
        (3, 0, 0.2),
        (5, 1, 1e6),
        (5, 1, 1e-8),
    ],
)
def test_hypergeometric_current_of_gaussian_weights(mu, temperature, width):
    one = mixture(mu, mu - 0.5, temperature, 2 * temperature, GaussianWeights(width))
    found = transport([one])
    assert found.converged.all()
    assert_agree(found.particle_current, closed_form.particle_current(one))


def test_hypergeometric_function_as_printed():
    """(57), where it does not overflow."""
    from scipy.special import hyp2f1

    beta, mu, xi, mass = 1.5, 0.8, 0.4, 1.3
    a = 2 * mass * xi / beta
    factor = np.exp(beta * mu) / (TWO_PI * (2 * mass * xi + beta))
    printed = factor * hyp2f1(1, 1 + a, 2 + a, -np.exp(beta * mu))
    empty = mixture(mu, -60, 1 / beta, 1 / beta, GaussianWeights(xi), mass=mass)
    assert closed_form.particle_current(empty).value == pytest.approx(printed, rel=1e-13)


@pytest.mark.parametrize("order", [0.5, 1.5])
def test_polylogarithms(order):
    assert fermi_polylogarithm(order, 0.0) == pytest.approx(
        (1 - 2 ** (1 - order)) * zeta(order), rel=1e-14
    )
    x = np.array([-20, -1.3, -1.0, -0.7, -0.5, -0.1])
    duplication = 2 ** (1 - order) * bose_polylogarithm(order, 2 * x)
    found = bose_polylogarithm(order, x) - fermi_polylogarithm(order, x)
    assert found == pytest.approx(duplication, rel=1e-13, abs=1e-22)
    for edge in (-1.0, 1.0):
        below, above = fermi_polylogarithm(order, np.array([edge - 1e-12, edge + 1e-12]))
        assert below == pytest.approx(above, rel=1e-11)


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mu", "temperature"), [(0.0, 0.3), (2.5, 0.3), (-4, 2.0), (1e5, 1e-3)])
def test_noise_at_equilibrium_is_thermal(mu, temperature):
    """(119), which is Johnson and Nyquist's law (120) at mu = 0, for any weights."""
    law = temperature / (np.pi * (1 + np.exp(-mu / temperature)))
    for weights in (steps(), steps(0.1, 0.1), GaussianWeights(0.7)):
        found = transport([mixture(mu, mu, temperature, temperature, weights)])
        assert found.noise.value[0] == pytest.approx(law, rel=1e-13)
        assert found.particle_current.value[0] == 0
        assert found.entropy_production.value[0] == 0
    if mu == 0:
        assert law == pytest.approx(temperature / TWO_PI)


@pytest.mark.parametrize("bias", [0, 1e-14, 1e-9, 1e-4, 1, 30, 2e3])
@pytest.mark.parametrize("mu", [-3.0, 0.4, 1e6])
def test_noise_formula_holds_where_the_potentials_meet(bias, mu):
    """(123) has coth((mu_1 - mu_2)/2T)."""
    one = mixture(mu, mu - bias, 0.5, 0.5)
    assert_agree(transport([one]).noise, closed_form.noise_at_equal_temperature(one))


def test_response_keeps_its_digits_where_the_bias_vanishes():
    for bias in (1e-3, 1e-8, 1e-13):
        biased = transport([mixture(1.0 + bias, 1.0)])
        exact = (0.7 / TWO_PI) * np.log1p(expit(1.0) * np.expm1((1.0 + bias) - 1.0))
        assert biased.particle_current.value[0] == pytest.approx(exact, rel=1e-14)
        square = 0.7 / TWO_PI * expit(1.0) * ((1.0 + bias) - 1.0) ** 2
        assert biased.entropy_production.value[0] == pytest.approx(square, rel=max(bias, 1e-13))


@pytest.mark.parametrize("temperature", [0.0, 1e-30, 1e-12, 1e-6])
def test_zero_temperature_is_the_limit(temperature):
    one = mixture(2.0, 1.0, temperature, temperature)
    found = transport([one])
    c_plus, c_minus = 0.4, -0.3
    assert found.particle_current.value[0] == pytest.approx(0.7 / TWO_PI, rel=1e-11)
    shot = (1 - 2 * c_plus**2 - 2 * c_minus**2) / (4 * np.pi)
    assert found.noise.value[0] == pytest.approx(shot, rel=1e-5)
    assert_agree(found.noise, closed_form.noise_at_equal_temperature(one))
    assert np.isnan(found.entropy_production.value[0]) == (temperature == 0)


def test_many_at_once_are_the_single_ones():
    rng = np.random.default_rng(3)
    many = [mixture(*rng.normal(0, 3, 2), *rng.uniform(0.01, 4, 2)) for _ in range(70)]
    together = transport(many)
    for index in (0, 33, 69):
        alone = transport([many[index]])
        for one, other in zip(together[:-1], alone[:-1], strict=True):
            assert one.value[..., index] == pytest.approx(other.value[..., 0], rel=1e-14)


# --- weights --------------------------------------------------------------------------------------


def assert_same_transport(one, other, rel=1e-11):
    for a, b in zip(transport([one])[:-1], transport([other])[:-1], strict=True):
        assert a.value == pytest.approx(b.value, rel=rel)


def test_weights_in_all_forms_agree():
    one = mixture(2.0, -0.5, 0.3, 0.8)
    table = TabulatedWeights([0.0], [[0.9], [0.1]], [[0.2], [0.8]])
    assert_same_transport(one, mixture(2.0, -0.5, 0.3, 0.8, table))
    width = 0.6

    def gaussian(k):
        first = 0.5 * (1 + np.sign(k) * np.exp(-width * k**2))
        return np.stack([first, 1 - first])

    assert_same_transport(
        mixture(2.0, -0.5, 0.3, 0.8, GaussianWeights(width)),
        mixture(2.0, -0.5, 0.3, 0.8, FunctionWeights(gaussian)),
    )


def test_a_table_is_straight_between_its_momenta():
    """``w_1(k) = 1/2 + k/4`` up to k = 1, then 3/4, temperature 0: every integral is elementary."""
    table = TabulatedWeights([0, 1], [[0.5, 0.75], [0.5, 0.25]], [[0.5, 0.5], [0.5, 0.5]])
    one = mixture(2.0, -1.0, 0.0, 0.0, table, mass=1.0)
    found = transport([one])
    # int_0^2 k dk I(k), I = k/4 below 1 and 1/4 above
    assert found.particle_current.value[0] == pytest.approx((1 / 12 + 3 / 8) / TWO_PI, rel=1e-13)
    assert found.density.value[0] == pytest.approx((2 + 1 / 8 + 1 / 4) / TWO_PI, rel=1e-13)


def test_weights_that_jump_or_have_a_kink():
    def window(k):
        first = 0.5 + 0.5 * np.sign(k) * (abs(k) < 1.2345)
        return np.stack([first, 1 - first])

    one = mixture(3.0, -9.0, 0.0, 0.0, FunctionWeights(window, [1.2345]), mass=1.0)
    found = transport([one])
    assert found.particle_current.value[0] == pytest.approx(1.2345**2 / 2 / TWO_PI, rel=1e-13)

    def tent(k):
        first = 0.5 + 0.5 * np.sign(k) * np.maximum(1 - abs(k), 0)
        return np.stack([first, 1 - first])

    found = transport([mixture(3.0, -9.0, 0.0, 0.0, FunctionWeights(tent), mass=1.0)])
    assert found.converged.all()
    assert found.particle_current.value[0] == pytest.approx(1 / 6 / TWO_PI, rel=1e-11)


def test_even_weights_are_equilibrium():
    """(52): no current and no entropy although the reservoirs differ."""
    found = transport([mixture(2.0, -1.0, 0.2, 0.9, steps(0.3, 0.3))])
    assert found.particle_current.value[0] == found.entropy_production.value[0] == 0
    assert found.noise.value[0] > 0


# --- second law, uncertainty ----------------------------------------------------------------------

shares = st.floats(0, 1)
temperatures = st.floats(0.05, 10)
fillings = st.floats(-10, 10)


@settings(max_examples=60, deadline=None)
@given(shares, shares, fillings, fillings, temperatures, temperatures, st.booleans())
def test_second_law_with_imbalance_of_one_sign(a, b, mu_1, mu_2, t_1, t_2, fermions):
    """(99), (112), (114): mean and all moments of the entropy production, for I >= 0."""
    if not fermions:
        mu_1, mu_2 = -abs(mu_1) - 0.01, -abs(mu_2) - 0.01
    c_plus, c_minus = max(a, b) - 0.5, min(a, b) - 0.5
    statistics = "fermions" if fermions else "bosons"
    found = transport([mixture(mu_1, mu_2, t_1, t_2, steps(c_plus, c_minus), statistics)])
    assert found.converged.all()
    moments = found.entropy_moments
    assert np.all(moments.value >= -moments.error)
    even = found.entropy_cumulants
    assert even.value[1, 0] >= -even.error[1, 0]
    heat = found.heat_current
    total = -(heat.value[:, 0] / [t_1, t_2]).sum()
    allowance = (heat.error[:, 0] / [t_1, t_2]).sum() + found.entropy_production.error[0]
    assert abs(total - found.entropy_production.value[0]) <= allowance


@settings(max_examples=40, deadline=None)
@given(st.lists(shares, min_size=3, max_size=3), fillings, fillings, temperatures, temperatures)
def test_second_law_with_tabulated_weights(imbalance, mu_1, mu_2, t_1, t_2):
    forward = 0.5 * (1 + np.array(imbalance))
    rows = np.array([forward, 1 - forward])
    table = TabulatedWeights([0.0, 0.7, 2.0], rows, rows[::-1])
    found = transport([mixture(mu_1, mu_2, t_1, t_2, table)], rtol=1e-9)
    entropy = found.entropy_production
    assert entropy.value[0] >= -entropy.error[0]


def ratios(many):
    found = transport(many, orders=2)
    return found.noise.value * found.entropy_production.value / found.particle_current.value**2


def test_bosons_keep_the_uncertainty_bound():
    rng = np.random.default_rng(8)
    many = []
    for _ in range(400):
        c_minus, c_plus = np.sort(rng.uniform(-0.5, 0.5, 2))
        mu, t = -np.exp(rng.uniform(-5, 2, 2)), rng.uniform(0.2, 3, 2)
        many.append(mixture(*mu, *t, steps(c_plus, c_minus), "bosons"))
    assert ratios(many).min() > 2


def test_fermions_far_from_equilibrium_violate_the_uncertainty_bound():
    """Towards 1 for full imbalance, one reservoir filled and the other empty."""
    potentials = [(1.0, -0.2), (4.0, -1.5), (20.0, -3.0), (200.0, -10.0)]
    found = ratios([mixture(*mu, weights=steps(0.5, -0.5)) for mu in potentials])
    assert np.all(np.diff(found) < 0)
    assert 1 < found[-1] < 1.1


def test_fermions_at_one_temperature_meet_the_bound_at_opposite_potentials():
    """Full imbalance: twice the trapezoidal rule over the integral of the Fermi function."""
    found = ratios([mixture(3.0, mu, weights=steps(0.5, -0.5)) for mu in (-3.5, -3.0, -2.5)])
    assert found[0] > 2 > found[2]
    assert found[1] == pytest.approx(2, rel=1e-13)


def test_uncertainty_ratio_near_equilibrium():
    """2/I for a small bias at constant imbalance."""
    assert ratios([mixture(1.001, 1.0)])[0] == pytest.approx(2 / 0.7, rel=1e-4)


# --- counting statistics --------------------------------------------------------------------------

OCCUPATIONS = np.array([0.0, 1e-9, 0.2, 0.5, 0.9, 1.0])


@pytest.mark.parametrize("sign", [1, -1])
def test_combs_are_probabilities(sign):
    numbers = np.arange(2 if sign > 0 else 120)
    comb = np.array([transfer_probability(OCCUPATIONS, m, sign) for m in numbers])
    assert np.all((comb >= 0) & (comb <= 1))
    assert comb.sum(axis=0) == pytest.approx(1, abs=1e-14)
    for order in range(1, 6):
        expected = (comb * numbers[:, None] ** float(order)).sum(axis=0)
        assert moment(order, sign)(OCCUPATIONS) == pytest.approx(expected, rel=1e-12)
    mean = comb.T @ numbers
    centred = numbers[:, None] - mean
    for order in (2, 3):
        expected = (comb * centred**order).sum(axis=0)
        assert cumulant(order, sign)(OCCUPATIONS) == pytest.approx(expected, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("statistics", ["fermions", "bosons"])
def test_cumulants_are_derivatives_of_the_generating_function(statistics):
    """Contour integrals of ln <e^{i lambda N}> about 0."""
    one = mixture(-0.4, -1.5, 0.8, 0.5, statistics=statistics)
    radius, points = 0.3, 64
    circle = radius * np.exp(1j * TWO_PI * np.arange(points) / points)
    value, _ = generating_function(one, circle)
    taylor = np.fft.fft(value) / points / radius ** np.arange(points)
    found = transport([one], orders=6).cumulants.value[:, 0]
    factorials = np.cumprod(np.arange(1, 7))
    derivatives = taylor[1:7] * factorials / 1j ** np.arange(1, 7)
    assert derivatives.imag == pytest.approx(0, abs=1e-9)
    assert derivatives.real == pytest.approx(found, rel=1e-8)


@pytest.mark.parametrize("statistics", ["fermions", "bosons"])
@pytest.mark.parametrize("time", [10.0, 300.0])
def test_distribution_of_the_transferred_number(statistics, time):
    one = mixture(-0.4, -1.5, 0.8, 0.5, statistics=statistics)
    cumulants = transport([one]).cumulants.value[:, 0]
    found = transfer_distribution(one, time, *cumulants[:2])
    assert found.probability.sum() == pytest.approx(1, abs=1e-12)
    assert found.probability.min() >= -found.error
    assert found.probability.max() <= 1
    assert found.error < 1e-3
    mean = found.number @ found.probability
    allowance = found.error * np.sum(abs(found.number))
    assert abs(mean - time * cumulants[0]) <= allowance + 1e-9
    variance = (found.number - mean) ** 2 @ found.probability
    assert variance == pytest.approx(time * cumulants[1], rel=1e-4)


# --- engine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mu_2", "expected"), [(1, 0.062249), (2, 0.132578), (3, 0.105709)])
def test_efficiency_of_the_engine(mu_2, expected):
    one = mixture(0.5, mu_2, 5.0, 1.0, steps(0.5, -0.5))
    found = transport([one])
    eta = efficiency([one], found)
    assert eta.value[0] == pytest.approx(expected, abs=5e-7)
    assert carnot_efficiency([one]).value[0] == pytest.approx(0.8)
    heat = found.heat_current.value[:, 0]
    assert power([one], found).value[0] == pytest.approx(heat.sum(), rel=1e-12)


def test_no_engine_against_a_large_bias():
    one = mixture(0.5, 4.0, 5.0, 1.0, steps(0.5, -0.5))
    found = transport([one])
    assert power([one], found).value[0] < 0
    assert np.isnan(efficiency([one], found).value[0])


@settings(max_examples=40, deadline=None)
@given(shares, shares, fillings, fillings, temperatures, temperatures)
def test_carnot_bounds_every_engine(a, b, mu_1, mu_2, t_1, t_2):
    one = mixture(mu_1, mu_2, t_1, t_2, steps(max(a, b) - 0.5, min(a, b) - 0.5))
    eta = efficiency([one], transport([one]))
    bound = carnot_efficiency([one]).value[0]
    assert np.isnan(eta.value[0]) or eta.value[0] <= bound + eta.error[0]


# --- more reservoirs ------------------------------------------------------------------------------


def doubly_stochastic(count, rng):
    """Return a random mean of permutations."""
    share = rng.dirichlet(np.ones(5))
    return sum(s * np.eye(count)[rng.permutation(count)] for s in share)


@pytest.mark.parametrize("statistics", ["fermions", "bosons"])
@pytest.mark.parametrize("count", [3, 5])
def test_junctions_conserve_particles_and_produce_entropy(statistics, count):
    rng = np.random.default_rng(count)
    for _ in range(10):
        mu = rng.normal(0, 2, count)
        mu = -abs(mu) if statistics == "bosons" else mu
        reservoirs = [Reservoir(rng.uniform(0.1, 3), m) for m in mu]
        found = junction_transport(
            edges(reservoirs, doubly_stochastic(count, rng), 1.0, statistics)
        )
        for current in (found.particle_current, found.energy_current):
            assert abs(current.value.sum()) <= current.error.sum()
        assert found.entropy_production.value >= -found.entropy_production.error


def test_junction_of_two_is_the_line():
    imbalance = 0.7
    reservoirs = [Reservoir(0.4, 1.5), Reservoir(0.9, -0.3)]
    exchange = [[1 - imbalance, imbalance], [imbalance, 1 - imbalance]]
    found = junction_transport(edges(reservoirs, exchange))
    line = transport([Mixture(reservoirs, steps(0.4, -0.3))])
    assert found.particle_current.value[0] == pytest.approx(line.particle_current.value[0])
    assert found.heat_current.value == pytest.approx(line.heat_current.value[:, 0])
    assert found.entropy_production.value == pytest.approx(line.entropy_production.value[0])


def test_imbalances_of_all_reservoirs_add_to_zero():
    """(131), and the line's current is the sum of all reservoirs' terms."""
    weights = StepWeights((0.5, 0.3, 0.2), (0.1, 0.25, 0.65))
    assert weights.at(np.ones(1)).imbalance.sum() == pytest.approx(0, abs=1e-16)
    reservoirs = [Reservoir(0.4, 1.5), Reservoir(0.9, -0.3), Reservoir(1.7, 0.6)]
    one = Mixture(reservoirs, weights)
    found = transport([one])
    assert_agree(found.particle_current, closed_form.particle_current(one))
    assert_agree(found.density, closed_form.density(one))
    assert np.isnan(found.heat_current.value).all()


# --- the scattering engine ------------------------------------------------------------------------


def wire(mu, temperatures, barrier=0.0, hopping=50.0):
    """A uniform wire: its band starts at 0 and ends far above both reservoirs."""
    leads = [
        chain_at(name, site, hopping, hopping, 2 * hopping, m, t)
        for name, site, m, t in zip(("left", "right"), (0, 2), mu, temperatures, strict=True)
    ]
    onsite = 2 * hopping + np.array([0.0, barrier, 0.0])
    nothing = onsite_rates(np.zeros(3))
    return OpenSystem(chain(3, hopping, onsite), nothing, nothing, leads)


@pytest.mark.parametrize("temperatures", [(1.0, 1.0), (1.5, 0.4)])
def test_a_wire_without_reflection_is_a_mixture(temperatures):
    """Right movers from the left lead, left movers from the right one: c_+- = +-1/2."""
    mu = (4.0, 0.5)
    system = wire(mu, temperatures)
    one = transport([mixture(*mu, *temperatures, steps(0.5, -0.5))])
    current = steady_currents(system)
    assert one.particle_current.value[0] == pytest.approx(
        current.net_particle_current.value, rel=1e-10
    )
    net = current.net_energy_current.value
    assert one.energy_current.value[0] == pytest.approx(net, rel=1e-10)
    noise = lead_noise(system)
    assert one.noise.value[0] == pytest.approx(noise.net_particle_noise.value, rel=1e-9)
    entropy = entropy_production(system, current).value
    assert one.entropy_production.value[0] == pytest.approx(entropy, rel=1e-9)


def test_a_barrier_is_a_mixture_but_for_correlations():
    """Beside the left lead ``d(k) = f_1``, ``d(-k) = R f_1 + T f_2``: currents agree.

    The mixture forgets that the reflected particles are the incoming ones: its noise lacks
    ``-2 R f_1 (1 - f_1)``.
    """
    mu, temperatures, hopping = (4.0, 0.5), (1.5, 0.4), 50.0
    system = wire(mu, temperatures, barrier=20.0, hopping=hopping)

    def through(energies):
        energies = np.asarray(energies)
        inside = energies < 4 * hopping
        flat = np.where(inside, energies, hopping).ravel()
        passed = transmission(system, flat)[0, 1].reshape(energies.shape)
        return np.where(inside, passed, 0.0)

    def weights(k):
        passed = through(k**2 / 2)
        first = np.where(k > 0, 1.0, 1 - passed)
        return np.stack([first, 1 - first])

    one = Mixture(
        [Reservoir(t, m) for t, m in zip(temperatures, mu, strict=True)],
        FunctionWeights(weights),
    )
    found = transport([one], rtol=1e-11)
    current = steady_currents(system)
    assert found.particle_current.value[0] == pytest.approx(
        current.net_particle_current.value, rel=1e-9
    )
    assert found.energy_current.value[0] == pytest.approx(
        current.net_energy_current.value, rel=1e-9
    )
    entropy = entropy_production(system, current).value
    assert found.entropy_production.value[0] == pytest.approx(entropy, rel=1e-9)

    nodes, weight = np.polynomial.legendre.leggauss(300)
    u = 4.0 * (1 + nodes)  # omega = u^2 up to 64 = mu + 40 T
    filled = expit(-(u**2 - mu[0]) / temperatures[0])
    reflected = filled * (1 - filled) * (1 - through(u**2))
    lost = 4.0 * np.sum(weight * 2 * u * 2 * reflected) / TWO_PI
    noise = lead_noise(system).net_particle_noise.value
    assert found.noise.value[0] - lost == pytest.approx(noise, rel=1e-8)
    assert found.noise.value[0] > 1.2 * noise


# --- density response -----------------------------------------------------------------------------


def scattering_state(k, height, half_width, positions):
    """Return the wave that comes from the left onto a square barrier, mass 1."""
    q, a = np.sqrt(k * k - 2 * height + 0j), half_width
    forward, backward = np.exp(1j * q * a), np.exp(-1j * q * a)
    matrix = [
        [np.exp(1j * k * a), -backward, -forward, 0],
        [-k * np.exp(1j * k * a), -q * backward, q * forward, 0],
        [0, forward, backward, -np.exp(1j * k * a)],
        [0, q * forward, -q * backward, -k * np.exp(1j * k * a)],
    ]
    incoming = np.exp(-1j * k * a)
    r, right, left, t = np.linalg.solve(matrix, [-incoming, -k * incoming, 0, 0])
    inside = right * np.exp(1j * q * positions) + left * np.exp(-1j * q * positions)
    before = np.exp(1j * k * positions) + r * np.exp(-1j * k * positions)
    after = t * np.exp(1j * k * positions)
    return np.where(positions < -a, before, np.where(positions > a, after, inside))


def test_density_response_is_that_of_scattering_states():
    """Weak barriers, solved exactly; what is left is of second order in the height."""
    one = mixture(1.2, -0.2, 0.3, 0.7, mass=1.0)
    positions = np.array([-3.0, -0.4, 0.2, 2.0])
    response = density_response(one, positions, 0.5)
    cuts = np.concatenate([[0], np.geomspace(1e-6, 1, 14), np.linspace(1.5, 7, 8)])
    nodes, weight = np.polynomial.legendre.leggauss(12)
    k = (0.5 * (cuts[:-1] + cuts[1:])[:, None] + 0.5 * np.diff(cuts)[:, None] * nodes).ravel()
    dk = (0.5 * np.diff(cuts)[:, None] * weight).ravel()
    d_1, d_2 = (expit(-(k**2 / 2 - mu) / t) for mu, t in ((1.2, 0.3), (-0.2, 0.7)))
    forward, backward = 0.9 * d_1 + 0.1 * d_2, 0.2 * d_1 + 0.8 * d_2

    def change(height):
        found = [
            f * (abs(scattering_state(x, height, 0.5, positions)) ** 2 - 1)
            + b * (abs(scattering_state(x, height, 0.5, -positions)) ** 2 - 1)
            for x, f, b in zip(k, forward, backward, strict=True)
        ]
        return dk @ np.array(found) / (TWO_PI * height)

    # Two heights take the second order out.
    extrapolated = 2 * change(1e-3) - change(2e-3)
    assert response.value == pytest.approx(extrapolated, abs=2e-5)
    assert np.all(abs(response.value) > 0.05)
    assert np.all(response.error < 1e-10)


def test_density_response_has_friedel_oscillations():
    """At temperature 0: wave number 2 k_F on both sides, alike for even weights."""
    even = mixture(2.0, 2.0, 0.0, 0.0, steps(0.2, 0.2), mass=1.0)
    positions = np.linspace(-20, 20, 81)
    response = density_response(even, positions, 0.1).value
    assert response == pytest.approx(response[::-1], abs=1e-10)
    # int_0^2kF dk sin(k y)/k = pi/2 - cos(2 kF y)/(2 kF y): the area of the barrier is 0.2
    y = positions[70]
    expected = -0.2 / np.pi * np.cos(4 * y) / (4 * y)
    assert response[70] == pytest.approx(expected, abs=1e-4)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: steps(0.6, 0), "c_plus must lie between"),
        (lambda: StepWeights((0.5, 0.6), (0.5, 0.5)), "forward: .* must add to 1, they add to 1.1"),
        (lambda: StepWeights((0.5, 0.5), (1.5, -0.5)), "backward: weights must lie between"),
        (lambda: GaussianWeights(0.0), "decay must be positive"),
        (lambda: TabulatedWeights([1, 0], np.ones((2, 2)) / 2, np.ones((2, 2)) / 2), "increase"),
        (lambda: TabulatedWeights([0, 1], [[1, 1]], [[1, 1]]), "at least two reservoirs"),
        (lambda: mixture(0.0, -1.0, statistics="bosons"), "below 0, the lowest energy, got 0"),
        (lambda: mixture(-1.0, -1.0, 0.0, statistics="bosons"), "temperature above 0"),
        (lambda: mixture(1, 1, mass=0.0), "mass must be positive"),
        (lambda: mixture(1, 1, t_1=-1.0), "temperature must be 0 or more"),
        (lambda: mixture(np.inf, 1), "chemical_potential must be finite"),
        (lambda: mixture(1, 1, statistics="anyons"), "fermions or bosons"),
        (lambda: mixture(1, 1, weights=StepWeights((1, 0, 0), (0, 0, 1))), "3 reservoirs"),
        (lambda: edges([Reservoir(1, 0)] * 2, [[1, 0], [1, 0]]), "column 1 adds to 2"),
        (lambda: density_response(mixture(1, 1), [0.0], 0.0), "half_width must be positive"),
        (lambda: transport([mixture(1, 1)], orders=1), "orders must be 2 or more"),
    ],
)
def test_bad_input_has_one_clear_message(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_weights_of_a_function_are_checked_where_they_are_used():
    bad = mixture(1, 0, weights=FunctionWeights(lambda k: np.stack([0 * k + 0.4, 0 * k + 0.4])))
    with pytest.raises(ValueError, match=r"must add to 1, they add to 0\.8"):
        transport([bad])


@pytest.mark.parametrize("charge", [1, -1])
def test_seebeck_coefficients_of_gates_have_the_sign_of_the_charge(charge):
    """Free particles conduct above the chemical potential: positive for the charge +1."""
    reservoirs = [{"temperature": 1.0, "chemical_potential": mu} for mu in (0.5, 0.2)]
    weights = {"kind": "step", "c_plus": 0.3, "c_minus": -0.2}
    parameters = mixture_conductance.Parameters.model_validate(
        {"mixture": {"reservoirs": reservoirs, "weights": weights}, "charge": charge}
    )
    found = judged(mixture_conductance, parameters)
    expected = [closed_form.seebeck_number(mu, 1) for mu in (0.5, 0.2)]
    assert min(expected) > 0
    np.testing.assert_allclose(
        found.values["seebeck_coefficient"], charge * np.array(expected), rtol=1e-12
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_ratio_of_conductances_within_its_error(share):
    """Also where the denominator is hardly known; none where it is not."""
    rng = np.random.default_rng(5)
    top, bottom = rng.normal(size=50), rng.normal(size=50)
    wrong = rng.uniform(0, 1, 50), share * abs(bottom)
    found = _ratio(Estimate(top, wrong[0]), Estimate(bottom, wrong[1]))
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        true = (top + signs[0] * wrong[0]) / (bottom + signs[1] * wrong[1])
        assert (abs(true - found.value) <= found.error * (1 + 1e-12) + 1e-15).all()
    assert np.isnan(_ratio(Estimate(1.0, 0.1), Estimate(0.2, 0.2)).value)


@pytest.mark.parametrize("statistics", ["fermions", "bosons"])
def test_spectra_are_as_rounded_as_they_say(statistics):
    """Against extended precision, hot and cold, near and far from all chemical potentials."""
    rng, sign = np.random.default_rng(1), 1 if statistics == "fermions" else -1
    for _ in range(20):
        warmth = 10 ** rng.uniform(-2, 1, 2)
        mu = rng.uniform(-3, 3, 2) if sign == 1 else -(10 ** rng.uniform(-3, 1, 2))
        plus = rng.uniform(-0.5, 0.5)
        parameters = mixture_spectrum.Parameters(
            mixture={
                "statistics": statistics,
                "reservoirs": [
                    {"chemical_potential": m, "temperature": t}
                    for m, t in zip(mu, warmth, strict=True)
                ],
                "weights": {"kind": "step", "c_plus": plus, "c_minus": plus / 3},
            },
            momenta={"start": -4.0, "stop": 4.1, "points": 30},
            largest_transfer=3,
        )
        values = mixture_spectrum.evaluate(parameters, None).values
        k = np.longdouble(parameters.momenta.values())
        shares = parameters.mixture.state.weights.at(abs(parameters.momenta.values()))
        filled = [
            1 / (np.exp((k * k / 2 - np.longdouble(m)) / np.longdouble(t)) + sign)
            for m, t in zip(mu, warmth, strict=True)
        ]
        forward, backward = (
            sum(w * n for w, n in zip(side, filled, strict=True))
            for side in (shares.forward, shares.backward)
        )
        mixed = np.where(k > 0, forward, backward)
        for number in range(-3, 4):
            size = abs(number)
            right = mixed**size / (1 + mixed) ** (size + 1)
            if sign == 1:
                right = {0: 1 - mixed, 1: mixed}.get(size, 0 * mixed)
            if number:
                right = np.where(np.sign(k) == np.sign(number), right, 0)
            error = values["transfer_probability_error"][:, number + 3]
            assert np.all(abs(values["transfer_probability"][:, number + 3] - right) <= error)
        error = values["momentum_distribution_error"]
        assert np.all(abs(values["momentum_distribution"] - mixed) <= error)
        assert np.all(error <= 1e-12 * mixed)
        flow = abs(k) * (forward - backward) / (2 * np.longdouble(np.pi))
        error = values["current_per_momentum_error"]
        assert np.all(abs(values["current_per_momentum"] - flow) <= error)
