"""Paper mixtures-of-equilibrium-distributions: reference numbers at its parameters, its formulas.

Where a printed formula is wrong, the test shows that the printed form fails and the corrected one
holds.
"""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import expit, spence

from nessflow.mixture import closed_form
from nessflow.mixture.conductance import gate_conductances
from nessflow.mixture.counting import transfer_probability
from nessflow.mixture.density_response import density_response
from nessflow.mixture.occupation import distribution
from nessflow.mixture.state import GaussianWeights, Mixture, Reservoir, StepWeights
from nessflow.mixture.transport import transport

L_0 = np.pi**2 / 3


def mixture(c_plus, c_minus, beta_1, mu_1, beta_2, mu_2, statistics="fermions"):
    """The paper's parameters, mass 1."""
    reservoirs = Reservoir(1 / beta_1, mu_1), Reservoir(1 / beta_2, mu_2)
    weights = StepWeights.from_constants(c_plus, c_minus)
    return Mixture(reservoirs, weights, 1.0, statistics)


FIG_2 = mixture(-1 / 4, 1 / 3, 0.1, 2, 1, 5)


def d(k, beta, mu):
    return expit(-beta * (k**2 / 2 - mu))


def trapezoid(values, k):
    """Smooth functions that vanish at both ends: as good as any rule."""
    return np.sum(values) * (k[1] - k[0])


# --- reference numbers ---


def occupation(one, k):
    """``d_mix(k)`` from the definition (5)."""
    shares = one.weights.at(np.array([abs(k)]))
    weights = shares.forward if k > 0 else shares.backward
    filled = [d(k, 1 / r.temperature, r.chemical_potential) for r in one.reservoirs]
    return float(np.dot(weights[:, 0], filled))


def test_probabilities_of_fig_2():
    assert occupation(FIG_2, 1.5) == pytest.approx(0.865215998485906, rel=1e-13)
    assert occupation(FIG_2, -1.5) == pytest.approx(0.598162152752558, rel=1e-13)


def test_fig_2_lies_outside_the_regime_of_the_second_law():
    """c_+ < c_-: the current flows against (99) and entropy goes down."""
    found = transport([FIG_2])
    assert found.particle_current.value[0] == pytest.approx(-0.276169814078938, rel=1e-12)
    assert found.entropy_production.value[0] == pytest.approx(-5.60995755971472, rel=1e-12)
    turned = transport([mixture(1 / 3, -1 / 4, 0.1, 2, 1, 5)])
    assert turned.entropy_production.value[0] == pytest.approx(5.60995755971472, rel=1e-12)


@pytest.mark.parametrize(
    ("x", "golden"), [(1.5049085215659, 0.68840134809199), (4, 0.873008343221341)]
)
def test_lorenz_number_of_fig_3(x, golden):
    one = mixture(0.5, -0.5, 0.7, x / 0.7, 1, 0)
    found = gate_conductances([one]).lorenz_fixed_potential
    assert found.value[0] / L_0 == pytest.approx(golden, rel=1e-12)
    assert closed_form.lorenz_number(x, 1) / L_0 == pytest.approx(golden, rel=1e-13)


def test_minimum_and_limits_of_the_lorenz_number():
    x = 1.5049085215659 + np.array([-1e-4, 0, 1e-4])
    below, least, above = closed_form.lorenz_number(x, 1)
    assert least < min(below, above)
    assert closed_form.lorenz_number(np.array([0.0, 1e3]), 1) == pytest.approx(L_0, rel=1e-14)
    deviation = 1 - closed_form.lorenz_number(np.array([10.6, 10.603]), 1) / L_0
    assert deviation[0] > 1e-3 > deviation[1]


@pytest.mark.parametrize(
    ("c_plus", "mu_plus", "mu_minus", "golden"),
    [
        (0.0, 2, 1, 0.479685942074923),
        (0.5, 2, 1, 0.500085009501432),
        (0.5, 0, 4, 0.525037654533881),
    ],
)
def test_noise_of_fig_4(c_plus, mu_plus, mu_minus, golden):
    """With ``mu_1 - mu_2 = 2 mu_-`` and ``mu_1 + mu_2 = 2 mu_+``: (124) prints - in both."""
    one = mixture(c_plus, 0, 0.5, mu_plus + mu_minus, 0.5, mu_plus - mu_minus)
    assert transport([one]).noise.value[0] == pytest.approx(golden, rel=1e-13)
    assert closed_form.noise_at_equal_temperature(one).value == pytest.approx(golden, rel=1e-13)
    if mu_plus != mu_minus:
        printed = mixture(c_plus, 0, 0.5, 2 * mu_minus, 0.5, 0)
        assert abs(transport([printed]).noise.value[0] / golden - 1) > 0.01


def test_uncertainty_ratio():
    found = transport([mixture(0.5, -0.5, 1, 4, 1, 0)])
    ratio = found.noise.value * found.entropy_production.value / found.particle_current.value**2
    assert ratio[0] == pytest.approx(1.78287225923715, rel=1e-13)


# --- formulas ---


def test_reservoirs_are_counted_from_one():
    """Introduction: {R_i: i = 2..N}; (1) needs the weights of all N to add to 1."""
    with pytest.raises(ValueError, match="at least two reservoirs"):
        StepWeights((1.0,), (1.0,))


def test_bracket_of_the_distribution():
    """(3) prints ``beta_i [omega_i(k) - mu_i)``: the product is beta (omega - mu)."""
    assert distribution(np.array(0.5 * (3.0 - 1.0)), 1) == pytest.approx(1 / (np.e + 1))
    assert distribution(np.array(0.5 * (3.0 - 1.0)), -1) == pytest.approx(1 / (np.e - 1))


def test_current_operators_need_a_minus():
    """(48), (73) of a plane wave ``e^{i k x - i omega t}`` against (49), (74): +k/m, +k omega/m."""
    k, mass, h = 0.7, 1.3, 1e-5
    omega = k**2 / (2 * mass)

    def psi(t, x):
        return np.exp(1j * (k * x - omega * t))

    value = psi(0, 0)
    dx = (psi(0, h) - psi(0, -h)) / (2 * h)
    dt = (psi(h, 0) - psi(-h, 0)) / (2 * h)
    particle = 1j / (2 * mass) * (value.conj() * dx - dx.conj() * value)
    energy = (dt.conj() * dx + dx.conj() * dt) / (2 * mass)
    assert -particle == pytest.approx(k / mass, rel=1e-8)
    assert -energy == pytest.approx(k * omega / mass, rel=1e-8)


def test_thermal_conductance_lacks_a_factor_two():
    """(82) against finite differences of the heat current; (85) has the 2."""
    c, beta, mu, step = 0.7, 0.8, 1.1, 1e-5

    def heat(temperature):
        reservoirs = Reservoir(temperature, mu), Reservoir(0.4, 0.3)
        return transport([Mixture(reservoirs, StepWeights.from_constants(0.4, -0.3))]).heat_current

    slope = (heat(1 / beta + step).value[0, 0] - heat(1 / beta - step).value[0, 0]) / (2 * step)
    x = beta * mu
    bracket = x * (x * expit(x) - 2 * np.log1p(np.exp(x)))
    dilogarithm = spence(1 + np.exp(x))
    printed, corrected = (c / (2 * np.pi * beta) * (bracket - n * dilogarithm) for n in (1, 2))
    assert slope == pytest.approx(corrected, rel=1e-8)
    assert abs(slope - printed) > 0.1
    gate = gate_conductances([mixture(0.4, -0.3, beta, mu, 1, 0)])
    assert gate.thermal_fixed_potential.value[0] == pytest.approx(corrected, rel=1e-13)


def test_conductance_of_the_second_gate():
    """(80) along the line has the sign - in the second gate; counted inwards + in both."""
    one, step = mixture(0.4, -0.3, 0.8, 1.1, 1.5, 0.2), 1e-5

    def current(shift):
        return transport([mixture(0.4, -0.3, 0.8, 1.1, 1.5, 0.2 + shift)]).particle_current.value[0]

    slope = (current(step) - current(-step)) / (2 * step)
    printed = 0.7 / (2 * np.pi * (1 + np.exp(-1.5 * 0.2)))
    assert slope == pytest.approx(-printed, rel=1e-8)
    assert gate_conductances([one], gate=1).electrical.value[0] == pytest.approx(printed, rel=1e-13)


def test_entropy_production_has_gamma_2_less_gamma_1():
    """(95) and line 2 of (96) against its line 1, which prints gamma_1 - gamma_2."""
    c_plus, c_minus, beta, mu = 0.4, -0.3, (0.8, 1.5), (1.1, 0.2)
    k = np.linspace(-14, 14, 60001)
    d_1, d_2 = (d(k, b, m) for b, m in zip(beta, mu, strict=True))
    w_1 = np.where(k > 0, 0.5 + c_plus, 0.5 + c_minus)
    gamma = [b * (k**2 / 2 - m) for b, m in zip(beta, mu, strict=True)]
    line_1 = trapezoid(k * (gamma[0] - gamma[1]) * (w_1 * d_1 + (1 - w_1) * d_2), k) / (2 * np.pi)
    found = transport([mixture(c_plus, c_minus, beta[0], mu[0], beta[1], mu[1])])
    heat = found.heat_current.value[:, 0]
    defined = -beta[0] * heat[0] - beta[1] * heat[1]
    assert found.entropy_production.value[0] == pytest.approx(defined, rel=1e-12)
    assert line_1 == pytest.approx(-defined, rel=1e-6)


def test_a_particle_from_1_to_2_produces_gamma_21():
    """(108) has gamma_21 at p_12; the text after (109) calls gamma_ij that of R_i to R_j.

    Full imbalance, reservoir 2 nearly empty: particles go from 1 to 2 alone, and each one brings
    the entropy ``beta (mu_1 - mu_2) = gamma_2 - gamma_1 > 0``.
    """
    found = transport([mixture(0.5, -0.5, 1, 2, 1, -30)])
    each = found.entropy_production.value[0] / found.particle_current.value[0]
    assert each == pytest.approx(32, rel=1e-12)


def test_fluctuations_of_the_entropy_are_cumulants_and_may_be_negative():
    """(106) at zero frequency: the moments (110), (114) are positive, its cumulants need not be."""
    found = transport([mixture(0.5, -0.5, 1, 6, 1, 3)])
    moments, cumulants = found.entropy_moments.value[:, 0], found.entropy_cumulants.value[:, 0]
    assert moments[:3] == pytest.approx([1.410, 12.96, 12.69], abs=6e-3)
    assert cumulants[:3] == pytest.approx([1.410, 2.793, -0.1835], abs=6e-4)
    # Brute force: particles that move one by one, sampled over momenta as a product of trials.
    k = np.linspace(-7, 7, 40001)
    p = np.where(k > 0, d(k, 1, 6), d(k, 1, 3))
    entropy = np.sign(k) * 3.0
    field = 0.05 * np.exp(2j * np.pi * np.arange(16) / 16)
    generating = [
        trapezoid(abs(k) * np.log1p(p * np.expm1(s * entropy)), k) / (2 * np.pi) for s in field
    ]
    taylor = np.fft.fft(generating).real / 16 / 0.05 ** np.arange(16)
    assert taylor[1:4] * [1, 2, 6] == pytest.approx(cumulants[:3], rel=1e-4)


def test_noise_of_steps_specialises_117():
    """(121), (122) follow from (117), not from (120) as the text before them says."""
    c_plus, c_minus = 0.3, -0.2
    k = np.linspace(0, 14, 60001)
    d_1, d_2 = d(k, 0.8, 1.1), d(k, 1.5, 0.2)
    squares, linear = 2 * (c_plus**2 + c_minus**2), 2 * (c_plus + c_minus)
    integrand = (
        (1 + squares + linear) * d_1 * (1 - d_1)
        + (1 + squares - linear) * d_2 * (1 - d_2)
        + (1 - squares) * (d_1 + d_2 - 2 * d_1 * d_2)
    )
    printed = trapezoid(k * integrand, k) / (4 * np.pi)
    found = transport([mixture(c_plus, c_minus, 0.8, 1.1, 1.5, 0.2)]).noise.value[0]
    assert found == pytest.approx(printed, rel=1e-7)
    assert abs(found - 1 / (2 * np.pi * 0.8)) > 0.02


# --- linear response to a potential, by brute force on a ring ---

LENGTH, MODES, RATE = 9.0, 9, 0.6
RING = 2 * np.pi / LENGTH * np.arange(-MODES, MODES + 1)
POTENTIAL = np.exp(-0.5 * (RING[:, None] - RING[None]) ** 2) / LENGTH
FILLING = np.where(RING > 0, d(RING, 0.8, 1.1), d(RING, 1.5, 0.2))


def evolved(sign):
    """Return the change of the density matrix per height, ``sign V e^{RATE t}`` up to t = 0."""
    height, steps = 1e-4, 4000
    time = np.linspace(-20 / RATE, 0, steps + 1)
    dt = time[1] - time[0]
    state = np.diag(FILLING).astype(complex)
    free = np.exp(-0.5j * dt * RING**2 / 2)
    for t in 0.5 * (time[:-1] + time[1:]):
        kick = -1j * dt * sign * height * np.exp(RATE * t) * POTENTIAL
        u = free[:, None] * (np.eye(RING.size) + kick + 0.5 * kick @ kick) * free
        state = u @ state @ u.conj().T
    return (state - np.diag(FILLING)) / height


def at(matrix, x, factor=1.0):
    """Return ``sum_kp factor e^{i x (k - p)} M_kp / length``."""
    return np.sum(factor * np.exp(1j * x * (RING[:, None] - RING[None])) * matrix) / LENGTH


def linear_response(combined):
    """Return the integrand of (129) on the ring for a sum or a difference of distributions."""
    omega = RING**2 / 2
    return POTENTIAL * combined / (omega[:, None] - omega[None] - 1j * RATE)


DIFFERENCE = linear_response(FILLING[:, None] - FILLING[None])
SUM = linear_response(FILLING[:, None] + FILLING[None])


def test_linear_response_has_the_difference_and_the_sign_of_the_potential():
    """(126), (127) have the wrong sign, (129) the sum in place of the difference."""
    found, printed = evolved(+1), evolved(-1)
    for x in (0.0, 0.7, -1.3):
        assert at(found, x).real == pytest.approx(at(DIFFERENCE, x).real, rel=1e-3, abs=1e-5)
        assert at(printed, x).real == pytest.approx(-at(DIFFERENCE, x).real, rel=1e-3, abs=1e-5)
        assert abs(at(found, x).real) > 0.003
        # The sum is no density at all: it is imaginary.
        assert abs(at(SUM, x).real) < 1e-12 < 0.1 < abs(at(SUM, x).imag)
        assert abs(at(DIFFERENCE, x).imag) < 1e-12


def test_linear_response_obeys_continuity():
    """(130) too has the difference: ``d j/dx = - RATE delta rho`` while the potential rises."""
    velocity, step = 0.5 * (RING[:, None] + RING[None]), 1e-5
    for x in (0.4, -1.1):
        for response, conserved in ((DIFFERENCE, True), (SUM, False)):
            slope = (at(response, x + step, velocity) - at(response, x - step, velocity)) / (
                2 * step
            )
            defect = slope + RATE * at(response, x)
            # Momenta beyond the last one hold 1e-7 particles.
            assert (abs(defect) < 1e-5) == conserved


def test_free_evolution_is_exact():
    """The split step of `evolved` against the exponential of the Hamiltonian."""
    kinetic = np.diag(RING**2 / 2)
    exact = expm(-0.01j * (kinetic + 0.1 * POTENTIAL))
    free = np.exp(-0.005j * RING**2 / 2)
    kick = -0.001j * POTENTIAL
    split = free[:, None] * (np.eye(RING.size) + kick + 0.5 * kick @ kick) * free
    assert abs(split - exact).max() < 1e-6


def test_density_response_in_the_limit_of_a_static_potential():
    """The one integral of nessflow against the printed double integral, corrected, eps small."""
    one = mixture(0.4, -0.3, 0.8, 1.1, 1.5, 0.2)
    half_width, x = 0.5, 1.2
    k = np.linspace(-6.005, 6.005, 1202)
    filled = np.where(
        k > 0,
        0.9 * d(k, 0.8, 1.1) + 0.1 * d(k, 1.5, 0.2),
        0.2 * d(k, 0.8, 1.1) + 0.8 * d(k, 1.5, 0.2),
    )
    q = k[:, None] - k[None]
    barrier = 2 * half_width * np.sinc(q * half_width / np.pi)
    omega = k**2 / 2

    def double(eps):
        kernel = (filled[:, None] - filled[None]) / (omega[:, None] - omega[None] - 1j * eps)
        total = np.sum(barrier * np.exp(1j * x * q) * kernel)
        return (total * (k[1] - k[0]) ** 2 / (2 * np.pi) ** 2).real

    found = density_response(one, [x], half_width).value[0]
    assert double(0.1) == pytest.approx(found, abs=0.03)
    assert abs(double(0.1) - found) < abs(double(0.4) - found)


# --- statistics of the paper's combs ---


def test_three_teeth_and_none_beyond():
    """(67) to (70)."""
    k = np.linspace(0, 8, 200)
    shares = FIG_2.weights.at(k)
    for weights in (shares.forward, shares.backward):
        mixed = weights[0] * d(k, 0.1, 2) + weights[1] * d(k, 1, 5)
        comb = [transfer_probability(mixed, m, 1) for m in range(3)]
        assert np.all(comb[2] == 0)
        assert np.all((np.array(comb) >= 0) & (np.array(comb) <= 1))
        assert sum(comb) == pytest.approx(1, abs=1e-15)


def test_gaussian_weights_have_a_definite_imbalance():
    """(11), (12)."""
    k = np.linspace(0, 3, 50)
    shares = GaussianWeights(0.8).at(k)
    assert shares.imbalance[0] == pytest.approx(np.exp(-0.8 * k**2), rel=1e-14)
    assert shares.forward.sum(axis=0) == pytest.approx(1, abs=1e-15)
    assert shares.forward[0] - shares.backward[0] == pytest.approx(shares.imbalance[0], abs=1e-15)
