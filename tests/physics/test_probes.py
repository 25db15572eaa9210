"""Probes against closed forms, an independent root finder, conservation and reference numbers."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from attached import chain_at, wide_band_at
from lattices import chain, onsite_rates, ring
from nessflow.observables.thermodynamics import entropy_production, heat_current
from nessflow.probes.derivatives import conductance_matrix
from nessflow.probes.exact import probe_capacity, solve_probes
from nessflow.probes.linear import linear_probes, linear_probes_of
from nessflow.probes.noise import _moved, bare_noise, combined_noise, linear_noise, probe_noise
from nessflow.probes.problem import NoSolution, Probe, moved
from nessflow.probes.third_order import conductance_derivatives, third_order_probes
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.noise import lead_noise, terminal_noise
from nessflow.scattering.profiles import joule_heat, profiles, terminal_currents
from nessflow.solvers.pairwise import green_between, pair_transmission
from nessflow.systems.leads.semi_infinite_ssh import SemiInfiniteSSH
from nessflow.systems.system import AttachedLead, OpenSystem, Tridiagonal
from probed_wires import BIAS, OPEN, nonreciprocal_current, potential, wire
from systems import random_system

# --- reference numbers and closed forms of the paper -------------------------------------

POTENTIALS = {
    "N=4": ((4, 0.5, 1.0, 0.3 * OPEN), 2, 1.073611111111111),
    "N=4, gamma=0.8": ((4, 0.8, 1.0, 0.3 * OPEN), 2, 1.0452162878787878),
    "N=26": ((26, 0.5, 1.4, 0.3 * OPEN), 10, 1.4823904366995038),
    "N=30": ((30, 0.5, 1.0, 0.3 * OPEN), 15, 0.9377237263078437),
}
NONRECIPROCAL = {
    "all": ((50, 0.5, 1.0, 0.05 * OPEN), {}, 0.000672062249334915),
    "one dimer": (
        (7, 0.5, 1.0, 0.1 * OPEN),
        {"sources": [2], "drains": [6]},
        0.00035367765131532296,
    ),
    "weak ends, short": ((4, 0.5, 1.0, 0.1 * OPEN), {"ends": 0.8}, -0.00015735099651362512),
    "weak ends, long": ((40, 0.3, 1.0, 0.05 * OPEN), {"ends": 0.9}, 0.00042366428564405195),
    "some": (
        (60, 0.3, 0.6, 0.1 * OPEN),
        {"sources": range(2, 57, 6), "drains": range(5, 60, 6)},
        0.0007260346316187616,
    ),
}


@pytest.mark.parametrize("name", POTENTIALS)
def test_linear_chemical_potential(name):
    arguments, site, expected = POTENTIALS[name]
    found = linear_probes(*wire(*arguments))
    assert potential(found, site) == pytest.approx(expected, rel=1e-13)
    assert abs(found.particle_current.value.sum()) < 1e-15


@pytest.mark.parametrize("name", NONRECIPROCAL)
def test_nonreciprocal_current(name):
    arguments, keywords, expected = NONRECIPROCAL[name]
    found = nonreciprocal_current(linear_probes, *arguments, **keywords)
    assert found == pytest.approx(expected, rel=1e-11)


def test_reverse_bias():
    found = linear_probes(*wire(4, 0.5, 1.0, 0.3 * OPEN, bias=-BIAS))
    assert potential(found, 2) == pytest.approx(1.0625, rel=1e-14)
    assert found.particle_current.value[0] == pytest.approx(-0.01334952685934061, rel=1e-13)


def short_wire(gamma, mean):
    """(B31) to (B33): conductance, nonreciprocal part per source current, both parts of mu_2."""
    g, m = gamma**2, mean**2
    d = (2 + 2 * g + g**2) ** 2 - (1 + 2 * g + 5 * g**2 + 2 * g**3) * m + g**2 * m**2
    e = 2 + g**2 + 4 * g - g * m
    conductance = (4 - m) * (2 + g**2 + 2 * g - g * m) * (g + 1) ** 2 / (2 * np.pi * d * e)
    by_current = np.pi * d / (2 * g * (1 - m / 4) * e)
    by_bias = g**2 * (1 - m / 4) * (g + 2 - m) / (2 * g * (1 - m / 4) * e)
    return conductance, (g**2 + 2 * g - g * m) / e, by_current, by_bias


@given(st.floats(0.1, 1.5), st.floats(-1.9, 1.9), st.floats(-0.02, 0.02))
@settings(max_examples=25, deadline=None)
def test_four_sites_in_closed_form(gamma, mean, current):
    conductance, share, by_current, by_bias = short_wire(gamma, mean)
    found = linear_probes(*wire(4, gamma, mean, current))
    expected = by_current * current + by_bias * BIAS
    size = by_current * abs(current) + abs(by_bias) * BIAS
    assert potential(found, 2) - mean == pytest.approx(expected, abs=1e-11 * size + 1e-14)
    left = conductance * BIAS - share * current
    assert found.particle_current.value[0] == pytest.approx(left, abs=1e-12 * (size + 1))


def test_share_of_one_third():
    """(B34): where the four sites behave like the resistor circuit."""
    for mean in (0.0, 1.0, 1.5):
        gamma = np.sqrt((mean**2 - 1 + np.sqrt((mean**2 - 1) ** 2 + 4)) / 2)
        found = nonreciprocal_current(linear_probes, 4, gamma, mean, 0.01)
        assert found == pytest.approx(2 * 0.01 / 3, rel=1e-12)


def test_weak_coupling_of_four_sites():
    """(17) and (18)."""
    for gamma in (0.02, 0.04):
        found = linear_probes(*wire(4, gamma, 0.7, 1e-6, bias=0.0))
        shift = potential(found, 2) - 0.7
        assert shift == pytest.approx(np.pi * 1e-6 * (1 / gamma**2 + 0.49 / 2), rel=5 * gamma**2)
        part = nonreciprocal_current(linear_probes, 4, gamma, 0.7, 1e-6) / 2
        assert part == pytest.approx(gamma**2 * (2 - 0.49) * 1e-6 / 2, rel=5 * gamma**2)


def scattering_length(gamma, mean):
    """Return ``l_c, sigma, nabla`` of (19) to (21)."""
    c = 0.5 * (mean - gamma**2 * (mean - 1j * np.sqrt(4 - mean**2)) / 2)
    alpha = np.log(c + np.sqrt(c * c - 1))
    alpha = alpha if alpha.real > 0 else -alpha
    sigma = np.sin(alpha.imag) ** 2 / np.tanh(alpha.real) / (2 * np.pi * abs(np.sinh(alpha)) ** 2)
    return 1 / alpha.real, sigma, 1 / np.tanh(alpha.real) ** 2 / (2 * sigma)


def test_long_wire():
    """(19) to (21) are asymptotic: right to 2 % of the source current at 30 sites."""
    for sites, tolerance in ((30, 0.02), (100, 1e-3), (300, 5e-4)):
        length, sigma, nabla = scattering_length(0.5, 1.0)
        current = 0.3 * OPEN
        found = linear_probes(*wire(sites, 0.5, 1.0, current))
        left = sigma / (length + sites - 3) * BIAS
        left -= current / 2 * (1 - length / (length + sites - 3))
        phi = (BIAS + current * length / (2 * sigma)) / (2 * (1 + (sites - 3) / length))
        site = sites // 2
        mu = 1.05 - phi + (length / (2 * sigma) + (-1) ** site * nabla) * current / 2
        mu -= 2 * phi / length * (site - 2)
        assert potential(found, site) == pytest.approx(mu, abs=2e-4)
        assert abs(found.particle_current.value[0] - left) < tolerance * current


def test_heat_and_local_equilibrium_in_the_bulk():
    """(B51) and (B52)."""
    sites, gamma, mean, current = 200, 0.5, 1.0, 0.3 * OPEN
    length, sigma, nabla = scattering_length(gamma, mean)
    solved = linear_probes(*wire(sites, gamma, mean, current))
    phi = (BIAS + current * length / (2 * sigma)) / (2 * (1 + (sites - 3) / length))
    expected = sigma * (2 * phi / length) ** 2 + nabla * current**2 / 2
    heat = joule_heat(solved.system, mean)
    middle = solved.terminals.index("100")
    assert heat[middle] == pytest.approx(expected, rel=1e-3)
    density = np.sqrt(4 - mean**2) / (2 * np.pi)
    expected = -current / (2 * np.pi * gamma**2 * density)
    weak = wire(40, gamma, mean, 1e-5, bias=1e-3)
    inside = profiles(linear_probes(*weak).system)
    place = linear_probes(*weak).terminals.index("20")
    assert inside.local_deviation.value[place] == pytest.approx(expected * 1e-5 / current, rel=1e-3)


def one_dimer(sites, gamma, mean):
    """(C13) with Xi of (22)."""
    k, g = np.arccos(mean / 2), gamma**2
    u = np.sin((sites - 3) * k) / np.sin(k)
    xi = 1 - 2 * g * u * np.cos((sites - 2) * k) + g**2 * u**2
    return 2 * (xi - 1) / (xi + 1 + 2 * g)


@pytest.mark.parametrize("sites", [5, 6, 9, 10, 20])
@pytest.mark.parametrize("mean", [0.9, 1.0, 1.2])
def test_one_dimer_oscillates_with_the_length(sites, mean):
    found = nonreciprocal_current(
        linear_probes, sites, 0.9, mean, 0.001, sources=[2], drains=[sites - 1]
    )
    assert found == pytest.approx(0.001 * one_dimer(sites, 0.9, mean), abs=1e-15)


def test_zeros_beyond_half_wavelengths():
    """Erratum E24: N = 9 has zeros where N - 3 is no multiple of half a wavelength."""
    zero = scipy.optimize.brentq(lambda mean: one_dimer(9, 0.9, mean), 0.85, 0.95)
    assert abs((9 - 3) * np.arccos(zero / 2) / np.pi % 1 - 0.5) < 0.49
    keywords = {"sources": [2], "drains": [8]}
    found = nonreciprocal_current(linear_probes, 9, 0.9, zero, 0.001, **keywords)
    assert abs(found) < 1e-14
    assert one_dimer(10, 0.5, 1.2) < 0


# --- voltage probes ----------------------------------------------------------------------


def voltage_chain(sites, broadening, kT=0.0, bias=0.01):
    """Every bulk site with a wide-band voltage probe, matched wide-band leads at the ends."""
    leads = [
        wide_band_at("left", 0, 2.0, bias / 2, kT),
        wide_band_at("right", sites - 1, 2.0, -bias / 2, kT),
    ]
    leads += [wide_band_at(f"{j}", j - 1, broadening, 0.0, kT) for j in range(2, sites)]
    probes = [Probe(f"{j}") for j in range(2, sites)]
    zero = Tridiagonal.zero(sites)
    return OpenSystem(chain(sites, 1.0, 0.0), zero, zero, leads), probes


def test_one_probe_adds_incoherent_to_coherent_transmission():
    """Buettiker: T_LR + T_LP T_PR / (T_LP + T_PR)."""
    system, probes = voltage_chain(3, 0.7)
    t = pair_transmission(system, np.array([0.0]))[0]
    expected = t[0, 1] + t[0, 2] * t[2, 1] / (t[0, 2] + t[2, 1])
    found = linear_probes(system, probes).particle_current.value[0] / 0.01
    assert 2 * np.pi * found == pytest.approx(expected, rel=1e-13)


def test_damato_pastawski():
    """T_LR + sum_ij T_Li (W^-1)_ij T_jR for many probes."""
    system, probes = voltage_chain(20, 0.4)
    t = pair_transmission(system, np.array([0.0]))[0]
    inner = np.diag(t.sum(axis=1))[2:, 2:] - t[2:, 2:]
    expected = t[0, 1] + t[0, 2:] @ np.linalg.solve(inner, t[2:, 1])
    found = linear_probes(system, probes).particle_current.value[0] / 0.01
    assert 2 * np.pi * found == pytest.approx(expected, rel=1e-12)


def test_resistance_grows_linearly_with_the_length():
    sizes = np.array([40, 80, 120, 160])
    resistance = [
        0.01 / linear_probes(*voltage_chain(n, 0.4)).particle_current.value[0] for n in sizes
    ]
    steps = np.diff(resistance)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-5)
    assert steps[0] > 0


# --- exact solutions ---------------------------------------------------------------------


def test_exact_meets_linear_response_at_small_bias():
    """The difference falls with the square of bias and currents."""
    differences = []
    for scale in (1.0, 0.5, 0.25):
        system, probes = wire(8, 0.5, 1.0, scale * 0.3 * OPEN, bias=scale * BIAS)
        exact, linear = solve_probes(system, probes), linear_probes(system, probes)
        assert exact.converged
        differences.append(
            abs(exact.particle_current.value[0] - linear.particle_current.value[0]) / scale
        )
    assert differences[0] > 1.8 * differences[1] > 3 * differences[2]


def test_middle_of_the_bias_is_in_the_gap_of_all_leads():
    """Solved from a dense inverse and a root finder, to the 13 digits of the number here."""
    gapped = SemiInfiniteSSH(intracell=1.0, intercell=0.6, coupling=0.7)
    leads = [
        AttachedLead("left", 0, gapped, 0.6, 0.0),
        AttachedLead("right", 3, gapped, -0.2, 0.0),
        wide_band_at("probe", 1, 0.3, 0.0, 0.0),
    ]
    zero = Tridiagonal.zero(4)
    h = Tridiagonal(np.array([0.0, 0.2, 0.0, 0.0]), -np.ones(3))
    found = solve_probes(OpenSystem(h, zero, zero, leads), [Probe("probe")])
    assert found.converged
    assert found.chemical_potential.value[2] == pytest.approx(0.4444954395578, abs=1e-12)


def test_temperature_goes_to_zero():
    cold = solve_probes(*wire(6, 0.5, 1.0, 0.3 * OPEN))
    differences = []
    for kT in (0.02, 0.01, 0.005):
        warm = solve_probes(*wire(6, 0.5, 1.0, 0.3 * OPEN, kT=kT))
        moved = warm.chemical_potential.value - cold.chemical_potential.value
        differences.append(abs(moved).max())
    # Sommerfeld: the square of the temperature.
    np.testing.assert_allclose(differences[:-1], 4 * np.array(differences[1:]), rtol=0.05)


@pytest.mark.parametrize("kT", [0.0, 0.05])
def test_linear_response_at_finite_temperature_is_the_slope(kT):
    system, probes = wire(6, 0.5, 1.0, 1e-5 * OPEN, bias=1e-5, kT=kT)
    exact, linear = solve_probes(system, probes), linear_probes(system, probes)
    shift = linear.chemical_potential.value - 1.0
    np.testing.assert_allclose(
        exact.chemical_potential.value - 1.0, shift, atol=3e-5 * abs(shift).max()
    )


@pytest.mark.parametrize("kT", [0.0, 0.04])
def test_demanded_currents_and_conservation(kT):
    system, probes = wire(10, 0.5, 1.0, 0.3 * OPEN, kT=kT)
    solved = solve_probes(system, probes)
    assert solved.converged
    assert solved.residual < 1e-14
    currents, inside = terminal_currents(solved.system), profiles(solved.system)
    at = [lead.site for lead in system.leads]
    entering = np.zeros(10)
    np.add.at(entering, at, currents.particle_current.value[:-2])
    through = np.concatenate([[0.0], inside.bond_current.value, [0.0]])
    np.testing.assert_allclose(np.diff(through), entering, atol=1e-13)
    assert abs(currents.conservation_defect.value) <= currents.conservation_defect.error


def random_problem(seed):
    """Return a disordered chain or ring with loss, gain, two leads and probes of any kind."""
    rng = np.random.default_rng(seed)
    n, kT = 6, float(rng.choice([0.0, 0.1]))
    onsite = rng.normal(size=n) * 0.3
    h = chain(n, 1.0, onsite) if seed % 2 else ring(n, 1.0, 0.7, onsite)
    loss, gain = (onsite_rates(rng.uniform(0, 0.03, n) * (seed % 3 == 0)) for _ in range(2))
    mu = rng.uniform(-0.6, 0.6, 2)
    leads = [
        wide_band_at("left", 0, 1.0, mu[0], kT),
        chain_at("right", n - 1, 2.0, 0.8, 0.0, mu[1], kT),
        wide_band_at("a", 1, 0.5, 0.0, kT),
        chain_at("b", 3, 1.5, 0.7, 0.0, 0.0, kT),
        wide_band_at("c", 4, 0.3, 0.0, kT),
    ]
    probes = [Probe(x, float(y)) for x, y in zip("abc", rng.uniform(-0.02, 0.02, 3), strict=True)]
    return OpenSystem(h, loss, gain, leads), probes


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_newton_against_another_root_finder(seed):
    """Residuals by the pairs of `steady_currents`, roots by a method without derivatives."""
    system, probes = random_problem(seed)
    solved = solve_probes(system, probes)
    demanded = np.array([probe.current for probe in probes])
    given_mu = [lead.chemical_potential for lead in system.leads[:2]]

    def residual(mu):
        at = moved(system, np.concatenate([given_mu, mu]))
        return steady_currents(at, rtol=1e-9).particle_current.value[2:5] - demanded

    found = scipy.optimize.root(residual, np.zeros(3), method="hybr", tol=1e-11)
    np.testing.assert_allclose(solved.chemical_potential.value[2:], found.x, atol=1e-7)
    assert abs(residual(solved.chemical_potential.value[2:])).max() < 1e-9


def test_derivatives_of_the_currents():
    system, _ = random_problem(3)
    for kT in (0.0, 0.1):
        warm = moved(system, np.array([0.3, -0.2, 0.1, 0.05, -0.1]), np.full(5, kT))
        matrix = conductance_matrix(warm)
        mu, h = np.array([x.chemical_potential for x in warm.terminals]), 1e-4
        for b in range(5):
            ends = [
                steady_currents(moved(warm, mu + s * h * np.eye(5)[b])).particle_current.value[:5]
                for s in (-1, 1)
            ]
            np.testing.assert_allclose(matrix[:, b], (ends[1] - ends[0]) / (2 * h), atol=1e-7)


@pytest.mark.parametrize("temperature", [0.0, 0.1])
def test_samples_together_have_the_bits_of_each_alone(temperature):
    system, probes = wire(12, 0.5, 1.0, 0.01, kT=temperature)
    rng = np.random.default_rng(3)
    samples = [
        system.with_hamiltonian(chain(12, 1.0, rng.uniform(-1, 1, size=12))) for _ in range(7)
    ]
    together = linear_probes_of(samples, probes)
    alone = [linear_probes(sample, probes) for sample in samples]
    for one, other in zip(together, alone, strict=True):
        for name in ("chemical_potential", "temperature", "particle_current"):
            for part in ("value", "error"):
                values = [getattr(getattr(x, name), part) for x in (one, other)]
                np.testing.assert_array_equal(*values)
        assert (one.residual, one.validity) == (other.residual, other.validity)
        exact = moved(one.start, one.chemical_potential.value)
        assert exact.terminals == one.system.terminals
    if temperature == 0:
        noise = linear_noise([[x] for x in together], probes, 1.0)
        for (one,), solved in zip(noise, alone, strict=True):
            ((other,),) = linear_noise([[solved]], probes, 1.0)
            np.testing.assert_array_equal(one.floating.value, other.floating.value)
            np.testing.assert_array_equal(one.bare.error, other.bare.error)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_that_there_is_no_solution_is_no_haste(seed):
    """Demand what flows where all probes are near the end of their bands, and a little more."""
    rng = np.random.default_rng(seed)
    system, probes = wire(5, 0.4, 1.5, 0.0)
    edge = rng.choice([-2.0, 2.0])
    mu = np.array([x.chemical_potential for x in system.terminals])
    mu[2:] = edge - np.sign(edge) * rng.uniform(1e-4, 0.1, size=len(probes))
    flowing = steady_currents(moved(system, mu)).particle_current.value[2 : 2 + len(probes)]
    names = [x.name for x in system.terminals][2:]
    found = solve_probes(system, [Probe(*x) for x in zip(names, flowing, strict=True)])
    np.testing.assert_allclose(found.chemical_potential.value, mu, atol=1e-6)
    mu[2:] = edge
    most = steady_currents(moved(system, mu)).particle_current.value[2 : 2 + len(probes)]
    beyond = most * np.where(np.sign(edge) * most > 0, 1 + 1e-6, 1 - 1e-6)
    with pytest.raises(NoSolution):
        solve_probes(system, [Probe(*x) for x in zip(names, beyond, strict=True)])


def test_more_than_a_probe_can_carry():
    system, probes = wire(4, 0.3, 1.52, 3.0)
    with pytest.raises(NoSolution, match=r"probe '2' is to carry the current 3, its bands carry"):
        solve_probes(system, probes)
    largest, smallest = probe_capacity(system)
    assert 0 < largest[2] == pytest.approx(-smallest[2], rel=1e-4)
    system, probes = wire(4, 0.3, 1.52, OPEN)
    with pytest.raises(NoSolution, match=r"probe '2' is to carry 0\.0159155, at most 0\.0115"):
        solve_probes(system, probes)


# --- temperature probes ------------------------------------------------------------------


def thermometer(kT, mu=(0.2, 0.2), hot=None):
    zero = Tridiagonal.zero(5)
    leads = [
        chain_at("left", 0, 1.0, 0.9, 0.0, mu[0], kT if hot is None else hot),
        chain_at("right", 4, 1.0, 0.9, 0.0, mu[1], kT),
        chain_at("p", 2, 1.0, 0.4, 0.0, 0.0, 1.0),
    ]
    return OpenSystem(chain(5, 1.0, 0.0), zero, zero, leads), [Probe("p", 0.0, 0.0)]


def test_a_thermometer_in_equilibrium():
    solved = solve_probes(*thermometer(0.07))
    assert solved.chemical_potential.value[2] == pytest.approx(0.2, abs=1e-9)
    assert solved.temperature.value[2] == pytest.approx(0.07, abs=1e-9)


@pytest.mark.parametrize("kT", [0.05, 0.0])
def test_a_temperature_probe_exchanges_neither_particles_nor_heat(kT):
    solved = solve_probes(*thermometer(kT, mu=(0.4, 0.0)))
    assert solved.converged
    currents = terminal_currents(solved.system)
    heat = heat_current(solved.system, currents)
    assert abs(currents.particle_current.value[2]) < 1e-12
    assert abs(heat.value[2]) < 1e-12
    # Joule heat warms it above its surroundings.
    assert solved.temperature.value[2] > kT + 0.02


def test_a_temperature_probe_between_hot_and_cold():
    solved = solve_probes(*thermometer(0.05, hot=0.15))
    assert 0.05 < solved.temperature.value[2] < 0.15
    assert entropy_production(solved.system, terminal_currents(solved.system)).value > 0


def test_heat_of_a_wide_band_with_loss_diverges():
    system, _ = voltage_chain(3, 0.5, kT=0.1)
    lossy = OpenSystem(system.hamiltonian, onsite_rates([0, 0.1, 0]), system.gain, system.leads)
    with pytest.raises(ValueError, match="no finite heat current: its band never ends and site 2"):
        solve_probes(lossy, [Probe("2", 0.0, 0.0)])


# --- thermodynamics and noise ------------------------------------------------------------


@given(st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_second_law(seed):
    rng = np.random.default_rng(seed)
    system, probes = wire(6, rng.uniform(0.2, 1), rng.uniform(-1, 1), 0.003, kT=0.1)
    solved = solve_probes(system, probes)
    entropy = entropy_production(solved.system, terminal_currents(solved.system))
    assert entropy.value > 0
    power = solved.chemical_potential.value @ solved.particle_current.value
    heat = heat_current(solved.system, terminal_currents(solved.system)).value
    assert -heat.sum() == pytest.approx(power, abs=1e-13)


@pytest.mark.parametrize("seed", [0, 3, 4, 5])
def test_currents_and_noise_are_those_of_the_engine(seed):
    system, probes = random_problem(seed)
    solved = solve_probes(system, probes)
    found, expected = terminal_currents(solved.system), steady_currents(solved.system)
    np.testing.assert_allclose(
        found.particle_current.value, expected.particle_current.value, atol=1e-12
    )
    (value, _, _), converged = combined_noise(solved.system, np.eye(5))
    assert converged
    np.testing.assert_allclose(value, lead_noise(solved.system).particle_noise.value, atol=1e-10)


@pytest.mark.parametrize("coupling", [1.0, 1 + 1e-9, 1 + 1e-4])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("kT", [0.0, 0.1])
def test_noise_of_a_wire_that_reflects_next_to_nothing(coupling, biased, kT, monkeypatch):
    """Of what is 0 rounding is left, which no number of energies resolves."""
    taken = []

    def counted(system, energies):
        taken.append(energies.size)
        return green_between(system, energies)

    monkeypatch.setattr("nessflow.probes.noise.green_between", counted)
    left, right = (0.35, 0.25) if biased else (0.3, 0.3)
    ends = [
        chain_at("left", 0, 1.0, coupling, 0.0, left, kT),
        chain_at("right", 4, 1.0, 1.0, 0.0, right, kT),
    ]
    none = Tridiagonal.zero(5)
    system = OpenSystem(chain(5, np.ones(4), 0.0), none, none, ends)
    (value, error, _), converged = combined_noise(system, np.eye(2))
    assert converged
    assert sum(taken) < 20_000
    expected = lead_noise(system).particle_noise
    assert (abs(value - expected.value) <= error + expected.error).all()
    assert (abs(value.sum(axis=0)) <= error.sum(axis=0)).all()


def test_rows_of_noise_add_up_to_zero():
    system, probes = random_problem(3)
    solved = solve_probes(system, probes)
    full = terminal_noise(solved.system).particle_noise.value
    np.testing.assert_allclose(full.sum(axis=1), 0, atol=1e-9)
    (value, _, _), _ = combined_noise(solved.system, np.eye(5))
    np.testing.assert_allclose(value, full[:5, :5], atol=1e-9)


@pytest.mark.parametrize("kT", [0.0, 0.05])
def test_floating_noise_is_conserved(kT):
    system, probes = wire(8, 0.5, 1.0, 0.3 * OPEN, kT=kT)
    solved = solve_probes(system, probes)
    noise = probe_noise(solved.system, probes)
    floating = noise.floating.value
    assert noise.terminals == ("left", "right")
    assert floating[0, 0] > 0
    np.testing.assert_allclose(floating, floating[0, 0] * np.array([[1, -1], [-1, 1]]), rtol=1e-7)
    # S' = M S M^T with the noise of all terminals.
    (full, _, _), _ = combined_noise(solved.system, np.eye(8))
    k = conductance_matrix(solved.system)
    m = np.hstack([np.eye(2), -k[:2, 2:] @ np.linalg.inv(k[2:, 2:])])
    np.testing.assert_allclose(floating, m @ full @ m.T, atol=1e-9)


def test_equilibrium_noise_of_floating_probes_obeys_johnson_and_nyquist():
    system, probes = wire(6, 0.5, 0.3, 0.0, bias=0.0, kT=0.1)
    noise = probe_noise(system, probes).floating.value[0, 0]
    biased = linear_probes(*wire(6, 0.5, 0.3, 0.0, bias=1e-3, kT=0.1))
    assert noise == pytest.approx(2 * 0.1 * biased.particle_current.value[0] / 1e-3, rel=1e-7)


def test_occupations_fill_up_to_the_weight_of_bound_states():
    """Side chains push states out of the band, where no terminal fills them."""
    system, probes = wire(4, 0.5, 1.0, 0.0)
    found = profiles(solve_probes(system, probes).system)
    assert (found.bound_weight.value > 0.1).all()
    wide, more = voltage_chain(4, 0.5)
    found = profiles(solve_probes(wide, more).system)
    np.testing.assert_allclose(found.bound_weight.value, 0, atol=1e-10)
    assert ((found.occupation.value > 0) & (found.occupation.value < 1)).all()


# --- third order -------------------------------------------------------------------------


def relative_nonreciprocity(solve, *arguments):
    forward, reverse = (
        abs(solve(*wire(*arguments, bias=bias)).particle_current.value[0]) for bias in (BIAS, -BIAS)
    )
    return 2 * (reverse - forward) / (reverse + forward)


def physical(system, probes):
    return third_order_probes(system, probes).physical


def test_third_order_reference():
    found = relative_nonreciprocity(physical, 4, 0.5, 1.52, 0.5 * OPEN)
    assert found == pytest.approx(-0.009286680678792963, rel=1e-9)


def test_third_order_approaches_the_exact_solution():
    """What is left is of fourth order."""
    differences = []
    for scale in (1.0, 0.5):
        system, probes = wire(4, 0.5, 1.2, scale * 0.5 * OPEN, bias=scale * BIAS)
        exact, found = solve_probes(system, probes), physical(system, probes)
        differences.append(
            abs(exact.chemical_potential.value - found.chemical_potential.value).max()
        )
    assert differences[0] > 12 * differences[1]


def test_derivatives_of_the_transmissions():
    system, _ = wire(5, 0.6, 1.0, 0.0)
    h = 1e-3
    value = {s: conductance_derivatives(system, 0.7 + s * h) for s in (-1, 0, 1)}
    for order in (0, 1):
        slope = (value[1][order] - value[-1][order]) / (2 * h)
        np.testing.assert_allclose(slope, value[0][order + 1], atol=1e-4)
    np.testing.assert_allclose(value[0].sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize(("gamma", "part", "count"), [(0.5, 0.5, 9), (0.7, 2.0, 7), (0.7, 3.0, 5)])
def test_no_real_root_is_missed(gamma, part, count):
    """Against a scan: Newton's method from a fine grid of starts."""
    system, probes = wire(4, gamma, 1.52, part * OPEN)
    found = third_order_probes(system, probes)
    assert len(found.roots) == count
    k = conductance_derivatives(system, 1.52) / np.array([1, 2, 6])[:, None, None] / (2 * np.pi)
    demanded = np.array([part * OPEN, -part * OPEN])
    x = np.full((61 * 61, 4), np.array([BIAS / 2, -BIAS / 2, 0, 0]))
    x[:, 2:] = np.stack(np.meshgrid(*[np.linspace(-6, 6, 61)] * 2), -1).reshape(-1, 2)
    for _ in range(60):
        left = demanded - sum(x**n @ k[n - 1, 2:].T for n in (1, 2, 3))
        slope = sum(n * k[n - 1][2:, 2:] * x[:, None, 2:] ** (n - 1) for n in (1, 2, 3))
        x[:, 2:] += np.clip(np.linalg.solve(slope, left[..., None])[..., 0], -1, 1)
    left = demanded - sum(x**n @ k[n - 1, 2:].T for n in (1, 2, 3))
    scanned = 1.52 + x[abs(left).max(axis=1) < 1e-13, 2:]
    for root in scanned:
        assert abs(found.roots - root).max(axis=1).min() < 1e-6
    for root in found.roots:
        assert abs(scanned - root).max(axis=1).min() < 1e-6


def test_the_physical_root_may_end():
    found = third_order_probes(*wire(4, 0.5, 1.52, 3 * OPEN))
    assert found.physical is None
    assert found.physical_root is None
    assert len(found.roots) == 3


# --- what is refused ---------------------------------------------------------------------


REFUSED = {
    "is no terminal": lambda s, p: (s, [*p, Probe("nobody")]),
    "two probes are the same": lambda s, p: (s, [*p, p[0]]),
    "every terminal is a probe": lambda s, p: (s, [*p, Probe("left"), Probe("right")]),
    "must be finite": lambda s, p: (s, [Probe("2", np.nan)]),
    "not coupled": lambda s, p: (wire(4, 0.0, 1.0, 0.0)[0], p),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    arguments = REFUSED[message](*wire(4, 0.5, 1.0, 0.01))
    for solve in (linear_probes, solve_probes, third_order_probes):
        with pytest.raises(ValueError, match=message):
            solve(*arguments)


def test_linear_response_outside_the_band():
    with pytest.raises(NoSolution, match="outside the bands"):
        linear_probes(*wire(4, 0.5, 2.5, 0.01))
    with pytest.raises(ValueError, match="has no states at the mean chemical potential"):
        third_order_probes(*wire(4, 0.5, 2.5, 0.01))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.02, 0.3]))
@settings(max_examples=20, deadline=None)
def test_noise_moves_no_further_than_potentials_that_are_off_let_it(seed, temperature):
    """Whatever currents are added up, with loss and gain, leads of one terminal, at any bias."""
    rng = np.random.default_rng(seed)
    names = "a", "b", "b", "c", "d"
    mu = dict(zip("abcd", rng.uniform(-1, 1, 4), strict=True))
    leads = [
        wide_band_at(f"{name}{k}", k, rng.uniform(0.2, 1.5), mu[name], temperature, name)
        for k, name in enumerate(names)
    ]
    system = random_system(seed, 5, "dense", leads, loss=0.3, gain=0.2)
    weights = rng.normal(size=(2, 4))
    moves, warming = 1e-5 * rng.uniform(0, 1, (2, 4)) * [[1], [temperature]]
    signs = rng.choice([-1, 1], (2, 4))
    potentials = np.array(list(mu.values())) + signs[0] * moves
    other = moved(system, potentials)
    (value, error, _), _ = combined_noise(system, weights)
    (there, off, _), _ = combined_noise(other, weights)
    bound = _moved(weights, conductance_matrix(system), moves)
    assert np.all(abs(there - value) <= 1.01 * bound + error + off)
    assert np.any(abs(there - value) > 1e-3 * bound)
    # The currents themselves, with the temperatures as well.
    hotter = moved(system, potentials, temperature + signs[1] * warming)
    (value, error, _), _ = bare_noise(system, [], wrong=(moves, warming))
    (there, off, _), _ = bare_noise(hotter, [])
    assert np.all(abs(there - value) <= 1.01 * error + off)


def test_errors_of_noise_hold_what_potentials_of_probes_are_off_by():
    system, probes = wire(6, 0.5, 0.3, 0.3 * OPEN, kT=0.05)
    solved = solve_probes(system, probes)
    wrong = np.where(np.arange(6) < 2, 0.0, 1e-4)
    known, off = (probe_noise(solved.system, probes, potential_error=x) for x in (None, wrong))
    for name in ("bare", "floating"):
        before, after = getattr(known, name), getattr(off, name)
        np.testing.assert_array_equal(before.value, after.value)
        assert np.all(after.error > 1e3 * before.error)
