"""Integrals with known values: resonances, steps, tails, edges, and errors that bound errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma, expit

from nessflow.spectrum.quadrature import (
    COARSE,
    KRONROD,
    NODES,
    NULL_RULES,
    graded,
    integrate,
    integrate_each,
    line_mesh,
    panel_estimates,
    resolving,
)


def plain(function):
    """Integrand without cancellation: its magnitude is its absolute value."""

    def integrand(w):
        values = np.atleast_2d(function(w))
        return values, abs(values)

    return integrand


def lorentzian(w, pole):
    return abs(pole.imag) / np.pi / ((w - pole.real) ** 2 + pole.imag**2)


def occupied_lorentzian(pole, temperature):
    """``int dw f(w) lorentzian(w)`` for chemical potential 0."""
    z = 0.5 + (abs(pole.imag) + 1j * pole.real) / (2 * np.pi * temperature)
    return 0.5 - digamma(z).imag / np.pi


@pytest.mark.parametrize(("weights", "degree"), [(KRONROD - NULL_RULES[0], 19), (KRONROD, 31)])
def test_rules_are_exact_for_polynomials(weights, degree):
    for power in range(degree + 1):
        exact = 2 / (power + 1) if power % 2 == 0 else 0.0
        assert weights @ NODES**power == pytest.approx(exact, abs=3e-16)
    assert abs(weights @ NODES ** (degree + 1) - 2 / (degree + 2)) > 1e-13


def test_null_rules_are_zero_for_polynomials_and_as_large_as_each_other():
    for rule, degree in zip(NULL_RULES, (19, 18), strict=True):
        for power in range(degree + 1):
            assert rule @ NODES**power == pytest.approx(0, abs=3e-16)
        assert abs(rule @ NODES ** (degree + 1)) > 1e-7
    assert NULL_RULES[0] @ NULL_RULES[1] == pytest.approx(0, abs=1e-16)
    assert np.linalg.norm(NULL_RULES[1]) == pytest.approx(np.linalg.norm(NULL_RULES[0]), rel=1e-3)


@pytest.mark.parametrize("other", [0.3 - 0.4j, -0.9 - 0.1j, 0.8 - 1.2j])
def test_rules_that_agree_by_chance_leave_an_error(other):
    # Two resonances with such weights that Gauss's rule says what Kronrod's says.
    pole = 0.45 - 0.35j
    first, second = lorentzian(NODES, pole), lorentzian(NODES, other)
    weight = -(NULL_RULES[0] @ first) / (NULL_RULES[0] @ second)
    value, error = panel_estimates(first + weight * second)
    below = [
        np.arctan((1 - z.real) / -z.imag) + np.arctan((1 + z.real) / -z.imag) for z in (pole, other)
    ]
    exact = (below[0] + weight * below[1]) / np.pi
    assert abs(value - exact) > 1e-12
    assert abs(value - exact) < error


def test_resonance_of_width_1e_minus_9():
    pole = 0.3 - 1e-9j
    found = integrate(plain(lambda w: lorentzian(w, pole)), line_mesh((-8, 8), poles=[pole]))
    assert found.converged
    assert abs(found.value[0] - 1) <= found.error[0] < 1e-6


def test_resonance_between_break_points_is_found_by_bisection():
    pole = 0.3 - 1e-3j
    found = integrate(plain(lambda w: lorentzian(w, pole)), line_mesh((-8, 8), points=[0.31]))
    assert found.converged
    assert abs(found.value[0] - 1) <= found.error[0] < 1e-9


@pytest.mark.parametrize("temperature", [1e-4, 0.04, 20.0])
def test_fermi_step_across_a_resonance(temperature):
    pole = 0.2 - 0.1j
    points = temperature * np.array([-40, -20, -7, 0, 7, 20, 40])
    with np.errstate(over="ignore"):
        found = integrate(
            plain(lambda w: expit(-w / temperature) * lorentzian(w, pole)),
            line_mesh((-8, 8), points=points, poles=[pole]),
        )
    exact = occupied_lorentzian(pole, temperature)
    assert found.converged
    assert abs(found.value[0] - exact) <= found.error[0] + 1e-15
    assert found.error[0] < 1e-9 * exact


def test_tails():
    powers = np.array([[1.0], [1.5], [2.0]])
    found = integrate(plain(lambda w: (1 + w**2) ** -powers), line_mesh((-3, 3)))
    exact = np.array([np.pi, 2, np.pi / 2])
    assert np.all(abs(found.value - exact) <= found.error)
    assert np.all(found.error < 1e-9)


def test_tail_beside_a_far_away_step():
    """A step at w = 1e6 far outside the interior, as of a lead at infinite bias."""
    found = integrate(plain(lambda w: (w < 1e6) / (1 + w**2)), line_mesh((-3, 3), points=[1e6]))
    assert abs(found.value[0] - (np.pi - 1e-6)) <= found.error[0] < 1e-9


def test_a_logarithm_in_the_tail_costs_no_bisection():
    """``int log(1 + w^2) / (1 + w^2) dw = 2 pi log 2``."""
    mesh = line_mesh((-8, 8), poles=[1j, -1j])
    logarithm, lorentz = (
        plain(lambda w: np.log1p(w**2) / (1 + w**2)),
        plain(lambda w: 1 / (1 + w**2)),
    )
    found = integrate(logarithm, mesh.flattened_at_infinity())
    assert found.converged
    assert abs(found.value[0] - 2 * np.pi * np.log(2)) <= found.error[0] < 1e-9
    assert 2 * found.evaluations < integrate(logarithm, mesh).evaluations
    # What has none loses nothing.
    both = [integrate(lorentz, x) for x in (mesh, mesh.flattened_at_infinity())]
    for each in both:
        assert abs(each.value[0] - np.pi) <= each.error[0] < 1e-9
    assert both[1].evaluations < 1.5 * both[0].evaluations


@pytest.mark.parametrize("cut", [1e-20, 1e-8, 1e-7, 0.3, 1.0])
def test_nodes_of_tails_are_numbers_that_can_be_squared(cut):
    mesh = line_mesh((-8, 8), points=[8 / cut, -8 / cut])
    energies, slope = mesh.flattened_at_infinity().nodes()
    assert abs(energies).max() < 1e30
    assert np.isfinite(slope).all()


def test_a_component_may_be_measured_by_another():
    """The second one, of many waves, is next to nothing beside the first."""

    def integrand(w):
        values = np.array([np.exp(-(w**2)), 1e-30 * np.exp(-(w**2)) * (1.1 + np.cos(200 * w))])
        return values, abs(values)

    mesh = line_mesh((-8, 8))
    alone = integrate(integrand, mesh)
    (found,) = integrate_each(
        lambda w, _: integrand(w),
        [mesh],
        [0.0],
        measure=lambda x: np.maximum(abs(x), abs(x[:, :1])),
    )
    exact = np.sqrt(np.pi) * np.array([1.0, 1.1e-30])
    for each in (alone, found):
        assert each.converged
        assert np.all(abs(each.value - exact) <= each.error)
    assert alone.error[1] < 1e-9 * exact[1] < found.error[1] < 1e-9 * exact[0]
    assert 3 * found.evaluations < alone.evaluations


def test_square_root_edges_cost_no_bisection():
    def function(w):
        inside = abs(w) < 2
        root = np.sqrt(np.abs(4 - w**2))
        outside = np.where(inside, 0.0, root / np.maximum(abs(w), 2) ** 3)
        return np.stack([inside * root, inside / root, outside])

    mesh = line_mesh((-8, 8), edges=[-2, 2])
    found = integrate(plain(function), mesh)
    assert np.all(abs(found.value - [2 * np.pi, np.pi, np.pi / 4]) <= found.error)
    assert np.all(found.error < 1e-9)
    assert found.evaluations <= 2 * NODES.size * mesh.size


@pytest.mark.parametrize("edge", [2.2366269246345043, -2.236626924634505, 1e3])
@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("distance", [3e-16, 1e-12, 2.5e-8])
def test_no_node_is_on_an_edge(edge, order, distance):
    """A panel however short is bisected, and its nodes stay off what has no digits there."""
    exponent = 1 / order - 1

    def density(w):
        assert (w != edge).all()
        values = np.where(w > edge, abs(w - edge) ** exponent, 0.0)[None]
        return values, values

    ends = (edge - 1, edge + 1)
    panels = line_mesh(ends, points=[edge + distance], edges=[edge], limits=ends, orders=[order])
    for _ in range(40):
        panels = panels.bisected(panels.lower == 0)
    found = integrate(density, panels, scale=1.0)
    assert abs(found.value[0] - order) <= found.error[0]
    assert found.error[0] < 30 * (abs(edge) * np.finfo(float).eps) ** (1 / order)


def test_edges_that_are_neighbours():
    edges = [2.4, np.nextafter(2.4, 3)]
    mesh = line_mesh((1, 3), edges=edges, limits=(1, 3))
    assert (abs(mesh.width) > 0).all()
    found = integrate(plain(lambda w: np.where(w < 2.4, 1.0, 0.5)), mesh)
    assert abs(found.value[0] - 1.7) <= found.error[0] < 1e-7


def test_no_absolute_tolerance():
    sizes = np.array([[1.0], [1e-80], [1e-250]])
    pole = 1.0 - 0.01j
    found = integrate(plain(lambda w: sizes * lorentzian(w, pole)), line_mesh((-8, 8)))
    assert np.all(abs(found.value / sizes[:, 0] - 1) <= found.error / sizes[:, 0])
    assert np.all(found.error / sizes[:, 0] < 1e-9)


def test_zero_is_done_at_once():
    mesh = line_mesh((-8, 8), points=[0.0])
    found = integrate(plain(lambda w: 0 * w), mesh)
    assert found.converged
    assert (found.value[0], found.error[0]) == (0, 0)
    assert found.evaluations == NODES.size * mesh.size


def test_cancelling_terms_stop_at_their_rounding_errors():
    """Noise of size epsilon from terms of size 1 is no reason to refine."""

    def integrand(w):
        one = lorentzian(w, 0.3 - 0.2j)
        noise = (one * 1.1) / 1.1 - one
        return noise[None], 2 * one[None]

    mesh = line_mesh((-8, 8), poles=[0.3 - 0.2j])
    found = integrate(integrand, mesh)
    assert found.converged
    assert found.evaluations == NODES.size * mesh.size
    assert abs(found.value[0]) <= found.error[0] < 1e-13


def test_small_difference_of_large_terms_is_resolved_by_itself():
    """1e-6 of the terms, still to 1e-8 of itself."""
    first, second = 0.3 - 0.2j, 0.3 - 0.200002j

    def integrand(w):
        terms = np.stack([lorentzian(w, first), -lorentzian(w, second)]) * np.exp(-(w**2))
        return terms.sum(axis=0)[None], abs(terms).sum(axis=0)[None]

    found = integrate(integrand, line_mesh((-8, 8)))
    fine = integrate(integrand, line_mesh((-8, 8), points=np.linspace(-7.9, 7.9, 400)))
    assert abs(found.value - fine.value) <= found.error + fine.error
    assert found.error[0] < 1e-8 * abs(found.value[0])


def test_rounding_that_magnitudes_do_not_tell_of_ends_in_its_error():
    """Noise of 1e-17 where all terms cancel, with no more in its magnitudes than itself."""

    def integrand(w):
        noise = 1e-17 * np.sin(1e9 * w * w)
        values = np.array([1 / (1 + w * w), noise])
        return values, abs(values)

    found = integrate(integrand, line_mesh((-2, 2), limits=(-1, 1)), scale=1.0)
    assert found.converged
    assert found.evaluations < 500_000
    assert abs(found.value[1]) <= found.error[1] < 1e-16
    assert abs(found.value[0] - np.pi / 2) <= found.error[0] < 1e-10


def test_a_small_component_with_a_narrow_peak_keeps_its_digits():
    """Its error stands still for many rounds, each of few panels."""

    def integrand(w):
        values = np.array([1 / (1 + w * w), 1e-20 * 1e-7 / ((w - 0.3) ** 2 + 1e-14)])
        return values, abs(values)

    found = integrate(integrand, line_mesh((-2, 2), limits=(-1, 1)), scale=1.0)
    exact = 1e-20 * (np.arctan(0.7e7) + np.arctan(1.3e7))
    assert found.converged
    assert abs(found.value[1] - exact) <= found.error[1] < 1e-8 * exact


def test_a_small_component_with_a_narrow_peak_keeps_its_digits_beside_one_of_many_panels():
    """Panels that waves need say nothing of a peak whose error they do not make smaller."""
    middle, width = 0.123456789, 1e-9

    def integrand(w):
        peak = 1e-14 * width / ((w - middle) ** 2 + width**2)
        values = np.array([1 + np.cos(3e4 * w), peak])
        return values, abs(values)

    found = integrate(integrand, line_mesh((-1, 1), limits=(-1, 1)), scale=1.0)
    exact = 1e-14 * (np.arctan((1 - middle) / width) + np.arctan((1 + middle) / width))
    assert found.converged
    assert abs(found.value[1] - exact) <= found.error[1] < 1e-5 * exact


@pytest.mark.parametrize("width", [1e-9, 1e-7])
def test_many_narrow_peaks_of_a_small_component_are_within_its_error(width):
    """Their errors grow until panels are as narrow, on as many panels as those of rounding."""
    middles = 0.95 * np.sin(np.arange(300))
    middles.sort()

    def integrand(w):
        after = np.clip(np.searchsorted(middles, w), 1, middles.size - 1)
        peaks = sum(width / ((w - middles[k]) ** 2 + width**2) for k in (after - 1, after))
        values = np.array([np.ones_like(w), 1e-16 * peaks])
        return values, abs(values)

    found = integrate(integrand, line_mesh((-1, 1), limits=(-1, 1)), scale=1.0)
    exact = 1e-16 * np.pi * middles.size
    assert found.converged
    assert abs(found.value[1] - exact) <= found.error[1] < 2 * exact


@pytest.mark.parametrize("limits", [(1.0, 1.0), (2.0, 1.0), (9.0, 9.0), (-9.0, -9.0)])
def test_empty_range(limits):
    found = integrate(plain(np.ones_like), line_mesh((-8, 8), limits=limits))
    assert found.value.sum() == 0
    assert found.evaluations == 0


@pytest.mark.parametrize("limits", [(-1.0, 2.0), (-20.0, 30.0), (9.0, 30.0), (-30.0, -9.0)])
def test_finite_range(limits):
    mesh = line_mesh((-8, 8), points=[-12.0, 0.5, 12.0], limits=limits)
    found = integrate(plain(lambda w: 1 / (1 + w**2)), mesh)
    exact = np.arctan(limits[1]) - np.arctan(limits[0])
    assert abs(found.value[0] - exact) <= found.error[0] < 1e-9


@pytest.mark.parametrize("pole", [0.3, 1 / 3])
def test_what_has_no_integral_has_no_small_error(pole):
    with np.errstate(divide="ignore"):
        found = integrate(plain(lambda w: 1 / abs(w - pole)), line_mesh((-8, 8), limits=(-1, 1)))
    assert not found.converged or found.error[0] > 0.1


def test_kink_off_the_break_points():
    found = integrate(plain(lambda w: abs(w - 1 / 3)), line_mesh((-1, 1), limits=(-1, 1)))
    assert abs(found.value[0] - 10 / 9) <= found.error[0] < 1e-8


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(-9, 0)), min_size=1, max_size=30),
    st.sampled_from([COARSE, resolving(1e-10), resolving(1e-14)]),
)
def test_graded_intervals_keep_off_the_poles(levels, rho):
    poles = np.array([position - 1j * 10**exponent for position, exponent in levels])
    points = graded(np.array([-4.0, 4.0]), poles, rho)
    lower, upper = points[:-1, None], points[1:, None]
    ellipse = 0.5 * (rho + 1 / rho) * (1 - 1e-12)
    assert np.all(abs(poles - lower) + abs(poles - upper) >= ellipse * (upper - lower))
    assert (points[0], points[-1]) == (-4, 4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-2, 2), st.floats(-7, 0), st.integers(-1000, 1000)),
        min_size=1,
        max_size=12,
    ),
    st.floats(-4, 1),
)
def test_error_bounds_the_error_of_random_resonances(levels, log_temperature):
    """Sharp features at random: signed Lorentzians under a Fermi function."""
    poles = np.array([position - 1j * 10**exponent for position, exponent, _ in levels])
    weights = np.array([weight for *_, weight in levels])
    temperature = 10**log_temperature

    def integrand(w):
        terms = weights[:, None] * lorentzian(w, poles[:, None]) * expit(-w / temperature)
        return terms.sum(axis=0)[None], abs(terms).sum(axis=0)[None]

    points = temperature * np.array([-40, -20, -7, 0, 7, 20, 40])
    found = integrate(integrand, line_mesh((-8, 8), points, poles=poles), scale=2.0)
    exact = weights * [occupied_lorentzian(pole, temperature) for pole in poles]
    assert found.converged
    assert abs(found.value[0] - exact.sum()) <= found.error[0] + 1e-15 * abs(weights).sum()


@settings(max_examples=60, deadline=None)
@given(st.floats(-2, 2), st.floats(-2.5, 0), st.floats(-2, 2), st.floats(0.1, 30))
def test_error_bounds_the_error_without_any_hint(position, exponent, phase, frequency):
    """Features no narrower than the first panels can see, at places nobody told."""
    width = 10**exponent
    found = integrate(
        plain(lambda w: np.exp(-(((w - position) / width) ** 2)) * np.cos(frequency * w + phase)),
        line_mesh((-8, 8), points=np.linspace(-8, 8, 33)),
    )
    exact = np.sqrt(np.pi) * width * np.exp(-((frequency * width) ** 2) / 4)
    exact *= np.cos(frequency * position + phase)
    assert abs(found.value[0] - exact) <= found.error[0] + 1e-15 * width


def test_panels_beyond_an_edge_leave_a_window_and_nothing_else():
    """Also where a pole has its real part in the window, at which pieces of the line end."""
    edge, distance = 1.0, 5e-9
    poles = [edge + 3e-9 - 1e-5j, edge - 2e-9 - 1e-3j, edge + 1e-7 - 1e-6j]
    panels = line_mesh((-2, 2), [], [-1.0, edge], poles, (-2, 2))
    cut = panels.beyond(edge, distance)
    energies, slope = cut.nodes()
    assert (abs(energies - edge) > distance).all()
    np.testing.assert_allclose((slope * KRONROD).sum(), 4 - 2 * distance, rtol=0, atol=1e-14)
