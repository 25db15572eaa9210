"""Linear response against exact integrals, finite differences and the symmetries of Onsager."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import polygamma

import nessflow as nf
from attached import chain_at, wide_band_at
from lattices import chain, onsite_rates, ring
from nessflow.scattering.currents import response_transmission, steady_currents
from nessflow.scattering.linear_response import (
    LORENZ_NUMBER,
    _warm_matrices,
    _Windows,
    conductance_matrices,
    linear_response,
    logarithmic_derivatives,
    sommerfeld_lorenz_ratio,
    thermal_responses,
)
from nessflow.scattering.noise import lead_noise
from nessflow.spectrum.mesh import UNDERFLOW, known_poles
from nessflow.studies.systems import open_system
from nessflow.systems.system import OpenSystem
from systems import random_system

H = 2 * np.pi


def open_chain(sites, mu=0.3, temperature=0.05, loss=0.0, gain=0.0, broadening=1.1, level=0.0):
    leads = [
        wide_band_at(name, site, broadening, mu, temperature)
        for name, site in (("left", 0), ("right", sites - 1))
    ]
    rates = [onsite_rates(np.broadcast_to(rate, (sites,))) for rate in (loss, gain)]
    return OpenSystem(chain(sites, 1.0, level), *rates, leads)


def dense_system(seed, mu, temperature, leads=3):
    """Any Hermitian matrices, so that transmissions have no symmetry."""
    return random_system(seed, 4, "dense", leads, mu=mu, temperature=temperature)


def with_lead(system, index, **change):
    leads = list(system.leads)
    leads[index] = replace(leads[index], **change)
    return replace(system, leads=leads)


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.1, 0.1)])
def test_systems_together_have_the_bits_of_each_alone(rates):
    """At several temperatures and potentials, one of them cold, and of other lengths between."""
    several = [
        open_chain(sites, mu, temperature, *rates)
        for sites, mu in ((5, 0.3), (8, 2.5), (5, -0.1))
        for temperature in (0.0, 0.01, 0.3)
    ]
    for system, (matrices, known) in zip(several, thermal_responses(several), strict=True):
        alone = conductance_matrices(system)
        np.testing.assert_array_equal(matrices.value, alone.value)
        np.testing.assert_array_equal(matrices.error, alone.error)
        assert linear_response(system, known=known) == linear_response(system)


# --- one level: everything in closed form ---


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 3.0])
def test_one_level_at_resonance(temperature):
    """tau = g^2/(w^2 + g^2): I_0 = g psi'(1/2 + g/2 pi T)/(2 pi T) and I_2 = g^2 (1 - I_0)."""
    width = 0.6  # half of the sum of both broadenings
    found = linear_response(open_chain(1, 0.0, temperature, broadening=width))
    x = width / (2 * np.pi * temperature)
    conductance = x * polygamma(1, 0.5 + x)
    thermal = width**2 * (1 - conductance) / temperature
    assert H * found.electrical_conductance.value == pytest.approx(conductance, rel=1e-10)
    # 1 - I_0 of the closed form is what loses digits at low temperature.
    rtol = 1e-10 + 1e-14 / (1 - conductance)
    assert H * found.thermal_conductance.value == pytest.approx(thermal, rel=rtol)
    assert abs(found.seebeck_coefficient.value) <= found.seebeck_coefficient.error + 1e-15
    assert found.figure_of_merit.value == pytest.approx(0.0, abs=1e-20)


def test_narrow_level_is_a_perfect_thermoelectric():
    """All particles have the level's energy: S = (level - mu)/T, no heat without particles."""
    found = linear_response(open_chain(1, 0.0, 0.1, broadening=1e-8, level=0.25))
    assert found.seebeck_coefficient.value == pytest.approx(2.5, rel=1e-6)
    assert found.figure_of_merit.value > 1e4


# --- derivatives of the currents ---


@pytest.mark.parametrize("seed", range(3))
def test_conductance_matrices_are_derivatives_of_the_currents(seed):
    mu, temperature, step = 0.4, 0.2, 0.004
    system = dense_system(seed, mu, temperature)
    matrices, errors, _ = conductance_matrices(system)
    assert np.all(errors <= 1e-9 * (1 + abs(matrices)))
    for b in range(len(system.leads)):
        for k, (key, at) in enumerate((("chemical_potential", mu), ("temperature", temperature))):
            found = 0.0
            for n, weight in ((1, 4 / 3), (2, -1 / 3)):
                up, down = (
                    steady_currents(with_lead(system, b, **{key: at + sign * n * step}))
                    for sign in (1, -1)
                )
                found += (
                    weight
                    * (up.particle_current.value - down.particle_current.value)
                    / (2 * n * step)
                )
            expected = matrices[k, :, b] / temperature**k
            assert found[: len(system.leads)] == pytest.approx(expected, rel=1e-5, abs=1e-7)


def hall_cross(size, temperature, mu=-1.3, flux=0.5):
    """Return a square with a lead on each side, in turn, in a flux."""
    lead = nf.leads.Continued(chemical_potential=mu, temperature=temperature)
    square = nf.lattices.Square(length=size, width=size, flux=flux)
    leads = dict.fromkeys(("left", "top", "right", "bottom"), lead)
    return open_system(nf.System(lattice=square, leads=leads), None)


def test_a_hall_cross_is_the_same_four_times_over():
    """In a gauge that turns nothing, and within the window or far beyond it."""
    system = hall_cross(5, 0.05)
    names = [terminal.name for terminal in system.terminals]
    sides = "left", "top", "right", "bottom", "left"
    turn = [names.index(sides[sides.index(name) + 1]) for name in names]
    value, error, _ = conductance_matrices(system)
    turned, wrong = (x[:, turn][:, :, turn] for x in (value, error))
    assert np.all(abs(value - turned) <= error + wrong)
    largest = np.diagonal(value, axis1=1, axis2=2)[:, :1, None]
    assert np.all(error[[0, 2]] < 1e-10 * abs(largest[[0, 2]]))
    (whole,) = _warm_matrices(_Windows.of([system], 1e-10, UNDERFLOW))
    assert np.all(abs(value - whole.value) <= error + whole.error)


def test_poles_next_to_many_subband_edges_are_where_they_say():
    """Each an eigenvalue at the energy of its own real part."""
    system = hall_cross(5, 0.05)
    for pole in known_poles(system):
        matrix = system.damping_matrix()
        matrix[system.coupling.elements] += system.contact_self_energy(np.array([pole.real]))[0]
        nearest = abs(np.linalg.eigvals(matrix) - pole).min()
        assert nearest < 0.05 * abs(pole.imag) + 1e-11


def test_two_lead_conductances_are_the_net_part_of_the_matrices():
    system = open_chain(5, loss=[0.0, 0.3, 0.0, 0.1, 0.2], gain=0.05)
    found = linear_response(system)
    matrices, _, _ = conductance_matrices(system)
    i_0, i_1, i_2 = (matrices[:, 0, 0] - matrices[:, 1, 0]) / 2
    assert found.electrical_conductance.value == pytest.approx(i_0, rel=1e-10)
    assert found.peltier_coefficient.value == pytest.approx(i_1 / i_0, rel=1e-9)
    assert found.thermal_conductance.value == pytest.approx((i_2 - i_1**2 / i_0) / 0.05, rel=1e-9)
    assert found.seebeck_coefficient.value == pytest.approx(
        found.peltier_coefficient.value / 0.05, rel=1e-14
    )


def test_zero_current_defines_the_thermal_conductance():
    """Bias and temperature difference of finite size at which no net particles flow."""
    system, step = open_chain(4, mu=0.8, temperature=0.2), 1e-3
    response = linear_response(system)
    bias = -response.seebeck_coefficient.value * step
    heats = []
    for sign in (1, -1):
        changed = with_lead(
            system, 0, chemical_potential=0.8 + sign * bias, temperature=0.2 + sign * step
        )
        found = steady_currents(changed)
        assert abs(
            found.net_particle_current.value
        ) < 1e-3 * response.electrical_conductance.value * abs(bias)
        heats.append(found.net_energy_current.value - 0.8 * found.net_particle_current.value)
    assert (heats[0] - heats[1]) / (2 * step) == pytest.approx(
        response.thermal_conductance.value, rel=1e-4
    )


# --- symmetries ---


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    mu=st.floats(-4, 4),
    temperature=st.floats(0.05, 5),
)
def test_onsager_casimir_relations(seed, mu, temperature):
    """Reversing magnetic fields (transposing every matrix) transposes the response."""
    system = dense_system(seed, mu, temperature)
    value, error, _ = conductance_matrices(system)
    reversed_value, reversed_error, _ = conductance_matrices(system.T)
    allowance = error + np.swapaxes(reversed_error, 1, 2)
    assert np.all(abs(value - np.swapaxes(reversed_value, 1, 2)) <= allowance)
    # Second law for small differences: the symmetric part of [[M_0, M_1], [M_1, M_2]] is positive.
    full = np.block([[value[0], value[1] / temperature], [value[1], value[2] / temperature]])
    full[:3, 3:], full[3:, 3:] = full[:3, 3:] * temperature, full[3:, 3:] * temperature
    lowest = np.linalg.eigvalsh(full + full.T)[0]
    assert lowest >= -2 * error.sum()


def test_onsager_relation_holds_for_heat_from_the_fixed_potential_alone():
    found = linear_response(open_chain(5, mu=0.8, temperature=0.1, loss=0.1, gain=0.1))
    assert found.peltier_coefficient.value == pytest.approx(
        0.1 * found.seebeck_coefficient.value, rel=1e-14
    )
    assert found.peltier_coefficient_own_potential.value != pytest.approx(
        found.peltier_coefficient.value, rel=0.5
    )


def test_both_kinds_of_heat_agree_without_loss_and_gain():
    found = linear_response(open_chain(5))
    assert found.reference_current.value == 0
    assert found.peltier_coefficient_own_potential.value == found.peltier_coefficient.value
    assert found.thermal_conductance_own_potential.value == found.thermal_conductance.value


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    mu=st.floats(-6, 6),
    temperature=st.floats(1e-3, 10),
)
def test_figure_of_merit_is_positive(seed, mu, temperature):
    found = linear_response(dense_system(seed, mu, temperature, leads=2))
    assert found.converged
    assert found.electrical_conductance.value > 0
    assert found.thermal_conductance.value > 0
    assert found.figure_of_merit.value >= 0
    product = found.seebeck_coefficient.value**2 * found.electrical_conductance.value * temperature
    assert product / found.thermal_conductance.value == pytest.approx(
        found.figure_of_merit.value, rel=1e-9
    )


# --- limits ---


def test_temperature_zero_is_the_limit():
    warm = linear_response(open_chain(6, temperature=1e-4, loss=0.1))
    cold = linear_response(open_chain(6, temperature=0.0, loss=0.1))
    tau = response_transmission(open_chain(6, loss=0.1), [0.3])[0]
    assert H * cold.electrical_conductance.value == pytest.approx(tau, rel=1e-14)
    assert warm.electrical_conductance.value == pytest.approx(
        cold.electrical_conductance.value, rel=1e-6
    )
    assert warm.reference_current.value == pytest.approx(cold.reference_current.value, rel=1e-6)
    assert warm.peltier_coefficient_own_potential.value == pytest.approx(
        cold.peltier_coefficient_own_potential.value, rel=1e-6
    )
    assert (
        cold.thermal_conductance.value
        == cold.seebeck_coefficient.value
        == cold.figure_of_merit.value
        == 0
    )
    assert cold.lorenz_ratio.value == LORENZ_NUMBER
    assert warm.lorenz_ratio.value == pytest.approx(LORENZ_NUMBER, rel=1e-6)
    matrices, _, _ = conductance_matrices(open_chain(6, temperature=0.0, loss=0.1))
    assert (matrices[0, 0, 0] - matrices[0, 1, 0]) / 2 == pytest.approx(
        cold.electrical_conductance.value, rel=1e-14
    )
    assert not matrices[1:].any()


@pytest.mark.parametrize("temperature", [1e-17, 1e-18, 1e-20, 1e-30, 1e-200])
@pytest.mark.parametrize("keys", [{}, {"mu": -1.3, "sites": 7}, {"loss": 0.1, "gain": 0.02}])
def test_no_double_is_within_the_window_of_the_coldest_leads(temperature, keys):
    """Conductances are those of temperature 0, whose laws hold, and noise is not made up."""
    keys = {"sites": 3} | keys
    system = open_chain(temperature=temperature, **keys)
    cold, zero = linear_response(system), linear_response(open_chain(temperature=0.0, **keys))
    conductance, error = cold.electrical_conductance.value, cold.electrical_conductance.error
    assert abs(conductance - zero.electrical_conductance.value) <= error < 1e-10 * conductance
    wiedemann_franz = LORENZ_NUMBER * temperature * conductance
    assert cold.thermal_conductance.value == pytest.approx(wiedemann_franz, rel=1e-12, abs=0)
    assert abs(cold.seebeck_coefficient.value) <= cold.seebeck_coefficient.error < 1e-10
    matrices = conductance_matrices(system)[0]
    assert np.diag(matrices[0]) == pytest.approx(conductance, rel=1e-10) or "loss" in keys
    assert matrices[2] == pytest.approx(LORENZ_NUMBER * temperature**2 * matrices[0], abs=0)
    if "loss" not in keys:
        noise = lead_noise(system)
        wrong = abs(noise.particle_noise.value - 2 * temperature * matrices[0])
        assert (wrong <= noise.particle_noise.error).all()


@pytest.mark.parametrize("temperature", [1e-12, 1e-13, 1e-14, 1e-15, 1e-16])
@pytest.mark.parametrize("mu", [0.1, 0.7, -1.1])
def test_errors_hold_where_the_window_is_a_few_doubles(temperature, mu):
    """Errors of numbers that others are divided by are then as large as these."""
    system = open_chain(3, mu, temperature)
    found = linear_response(system)
    conductance = linear_response(open_chain(3, mu, 0.0)).electrical_conductance.value
    expected = {
        "electrical_conductance": conductance,
        "thermal_conductance": LORENZ_NUMBER * temperature * conductance,
        "lorenz_ratio": LORENZ_NUMBER,
        "seebeck_coefficient": 0.0,
        "figure_of_merit": 0.0,
    }
    for name, value in expected.items():
        number, error, undefined = getattr(found, name)
        assert abs(number - value) <= error + 100 * temperature or undefined, name


def test_hot_leads_reach_the_classical_limit():
    """T above the band: -f' = 1/4T, and the energy of the carriers sets K."""
    temperature = 200.0
    found = linear_response(open_chain(3, mu=0.0, temperature=temperature))
    hotter = linear_response(open_chain(3, mu=0.0, temperature=2 * temperature))
    ratio = found.electrical_conductance.value / hotter.electrical_conductance.value
    assert ratio == pytest.approx(2.0, rel=2e-2)


@pytest.mark.parametrize("temperature", [0.0, 0.01])
def test_nothing_is_transmitted_outside_the_band_of_the_leads(temperature):
    leads = [
        chain_at(name, site, 0.5, 0.5, 0.0, 20.0, temperature)
        for name, site in (("left", 0), ("right", 2))
    ]
    nothing = onsite_rates(np.zeros(3))
    system = OpenSystem(chain(3, 1.0, 0.0), nothing, nothing, leads)
    found = linear_response(system)
    assert found.electrical_conductance.value == found.thermal_conductance.value == 0
    # At a finite temperature a few particles are within the band, too few for double precision.
    errors = found.electrical_conductance.error, found.thermal_conductance.error
    assert all(0 < error < 1e-300 for error in errors) if temperature else errors == (0, 0)
    assert np.isnan(
        [found.lorenz_ratio.value, found.seebeck_coefficient.value, found.figure_of_merit.value]
    ).all()
    assert "conductance is zero" in found.lorenz_ratio.undefined
    assert not found.electrical_conductance.undefined
    assert "not smooth" in sommerfeld_lorenz_ratio(system).undefined


@pytest.mark.parametrize(("temperature", "mean"), [(0.0, 8.0), (1e-4, 9.0), (0.002, 60.0)])
def test_a_zero_that_underflowed_is_not_exact(temperature, mean):
    """Waves that decay by e^{-1600} along the chain; transmitted all the same."""
    system = open_chain(400, mu=mean, temperature=temperature)
    found = linear_response(system)
    assert found.electrical_conductance.value == 0 < found.electrical_conductance.error < 1e-300
    value, error, _ = conductance_matrices(system)
    assert error[0][value[0] == 0].min(initial=1.0) > 0


def test_conductance_far_outside_the_band_keeps_its_digits():
    """tau(mu) ~ e^{-210}: no absolute tolerance anywhere."""
    found = linear_response(open_chain(80, mu=4.0, temperature=1e-4))
    tau = response_transmission(open_chain(80), [4.0])[0]
    assert 1e-93 < tau < 1e-90
    assert H * found.electrical_conductance.value == pytest.approx(tau, rel=1e-4)
    assert found.electrical_conductance.error < 1e-9 * found.electrical_conductance.value


def rational_conductance(sites, mu, broadening):
    """G of a clean chain at T = 0 in fractions, from the doubles that it is given."""
    energy, width = Fraction(mu), Fraction(broadening)
    before, now = (Fraction(1), Fraction(0)), (energy, width / 2)
    for site in range(2, sites + 1):
        damping = width / 2 if site == sites else Fraction(0)
        real, imaginary = now
        now, before = (
            (
                energy * real - damping * imaginary - before[0],
                energy * imaginary + damping * real - before[1],
            ),
            now,
        )
    return width**2 / (now[0] ** 2 + now[1] ** 2) / Fraction(H)


@pytest.mark.parametrize(
    ("sites", "mu", "broadening"),
    [
        (10, 2 * np.cos(np.pi / 11), 1e-6),
        (10, 2 * np.cos(np.pi / 11), 1e-10),
        (10, 2 * np.cos(np.pi / 11) + 3e-8, 1e-6),
        (10, 2 * np.cos(np.pi / 11) + 1e-11, 1e-9),
        (7, 1e-3, 1e-12),
        (60, 1.999, 1.1),
        (80, 4.0, 1.1),
    ],
)
def test_errors_at_temperature_zero_hold_beside_narrow_resonances(sites, mu, broadening):
    system = open_chain(sites, mu=float(mu), temperature=0.0, broadening=broadening)
    exact = rational_conductance(sites, float(mu), broadening)
    found = linear_response(system)
    value, error = found.electrical_conductance.value, found.electrical_conductance.error
    assert abs(Fraction(value) - exact) <= error
    matrix, matrix_error = (x[0, 0, 1] for x in conductance_matrices(system)[:2])
    assert abs(Fraction(-matrix) - exact) <= matrix_error


def weakly_coupled_ring(sites, contacts, mu=0.0, temperature=0.0, flux=0.0, loss=None):
    """``contacts``: site -> broadening; ``loss``: site -> rate."""
    leads = [
        wide_band_at(f"lead {site}", site, broadening, mu, temperature)
        for site, broadening in contacts.items()
    ]
    rates = np.array([(loss or {}).get(site, 0.0) for site in range(sites)])
    empty = scipy.sparse.csr_array((sites, sites), dtype=complex)
    return OpenSystem(ring(sites, flux=flux), scipy.sparse.diags_array(rates).tocsr(), empty, leads)


@pytest.mark.parametrize(
    ("system", "place", "exact"),
    [
        # One of the two states at the level is dark to the strong lead; 40 digits by poles.
        (
            weakly_coupled_ring(3, {0: 1.0, 2: 1e-6}, 1.0, loss={1: 1e-9}),
            (1, 1),
            0.0012681618222625,
        ),
        (weakly_coupled_ring(4, {3: 1e-9, 1: 3e-9}), (0, 0), 0.75 / H),
        # Interference that is destructive but for rounding.
        (weakly_coupled_ring(6, {3: 1e-6, 0: 1e-3}, flux=np.pi), (0, 1), 0.0),
        (weakly_coupled_ring(4, {3: 1e-9, 0: 0.5, 1: 0.5}), (2, 1), 0.0),
    ],
)
def test_errors_at_temperature_zero_hold_on_levels(system, place, exact):
    matrix, error = (x[0][place] for x in conductance_matrices(system)[:2])
    assert abs(matrix - exact) <= error < 1e-7
    if len(system.leads) == 2 and place != (1, 1):
        found = linear_response(system)
        assert abs(found.electrical_conductance.value - exact) <= found.electrical_conductance.error


@pytest.mark.parametrize(("sites", "second"), [(8, 3), (5, 1), (6, 3)])
def test_weak_leads_are_unitary_to_rounding(sites, second):
    """Far from resonance the spectral function is rounded as Green's function is, 1e9 larger."""
    contacts = {0: 1e-9, second: 1e-9}
    found = linear_response(weakly_coupled_ring(sites, contacts, -0.9, 1e-3, flux=1.0))
    assert found.converged
    assert found.electrical_conductance.value > 0
    system = weakly_coupled_ring(sites, contacts, flux=1.0)
    states = zip(system.leads, (0.3, -0.9), strict=True)
    leads = [replace(lead, chemical_potential=mu) for lead, mu in states]
    currents = steady_currents(replace(system, leads=leads))
    assert currents.converged
    assert currents.unitarity_defect.value < 1e-8


# --- Sommerfeld expansion ---


def test_logarithmic_derivatives_of_one_level():
    """ln tau = -ln(w^2 + g^2) + const."""
    w, g = 0.35, 0.2
    system = open_chain(1, mu=w, broadening=g)
    exact = -2 * w / (w**2 + g**2), -2 * (g**2 - w**2) / (w**2 + g**2) ** 2
    for (value, error), expected in zip(logarithmic_derivatives(system, w), exact, strict=True):
        assert abs(value - expected) <= error
        assert error <= 1e-9 * abs(expected)


@pytest.mark.parametrize(("sites", "mu"), [(40, 0.3), (40, 1.99), (20, -3.0), (4, 1.2)])
def test_logarithmic_derivatives_against_the_green_function(sites, mu):
    """G' = -G G, G'' = 2 G G G; tau = Gamma^2 |G_1N|^2 without loss and gain."""
    system = open_chain(sites, mu=mu)
    inverse = mu * np.eye(sites) - system.damping_matrix()
    inverse[[0, -1], [0, -1]] += 0.55j
    green = np.linalg.inv(inverse)
    first = -(green @ green)[0, -1] / green[0, -1]
    second = 2 * (green @ green @ green)[0, -1] / green[0, -1] - first**2
    found = logarithmic_derivatives(system, mu)
    for (value, error), expected in zip(found, (2 * first.real, 2 * second.real), strict=True):
        assert abs(value - expected) <= error + 1e-12 * abs(expected)
        assert error <= 1e-6 * abs(expected)


@pytest.mark.parametrize(("broadening", "offset"), [(1e-6, 3e-8), (1e-4, 2e-5), (1e-2, 1e-3)])
def test_logarithmic_derivatives_see_a_narrow_resonance(broadening, offset):
    """Wide intervals miss it and agree with each other."""
    system = open_chain(10, broadening=broadening)
    matrix = system.damping_matrix()
    matrix[[0, -1], [0, -1]] -= 0.5j * broadening
    pole = max(np.linalg.eigvals(matrix), key=lambda x: x.real)
    x, g = offset, pole.imag
    found = logarithmic_derivatives(system, pole.real + offset)
    expected = -2 * x / (x**2 + g**2), -2 * (g**2 - x**2) / (x**2 + g**2) ** 2
    for (value, error), level in zip(found, expected, strict=True):
        # The other levels are a thousand widths away or more.
        assert value == pytest.approx(level, rel=1e-2)
        assert error <= 1e-3 * abs(level)


def test_sommerfeld_expansion_is_right_to_second_order():
    errors = []
    for temperature in (0.02, 0.01):
        system = open_chain(4, mu=0.9, temperature=temperature, loss=0.2)
        expanded, _, _ = sommerfeld_lorenz_ratio(system)
        errors.append(linear_response(system).lorenz_ratio.value - expanded)
    assert abs(errors[0]) < 1e-3
    assert errors[0] / errors[1] == pytest.approx(16, rel=0.1)


# --- what cannot be ---


def test_leads_that_differ_are_refused():
    system = with_lead(open_chain(3), 0, chemical_potential=0.5)
    with pytest.raises(ValueError, match=r"left: mu = 0.5.*right: mu = 0.3.*use steady_currents"):
        linear_response(system)


def test_two_leads_are_needed():
    with pytest.raises(ValueError, match="between two leads, the system has 3"):
        linear_response(dense_system(1, 0.0, 0.1))
