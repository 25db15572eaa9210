"""Paper non-additive-dissipation: reference numbers, and its errata.

Each erratum shows the printed form fail and the corrected one hold, against brute quadrature, Fock
space or the engine.
"""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import iv

from attached import chain_at
from fock import FockEquation
from lattices import chain, onsite_rates
from nessflow.lindblad.additive import (
    broadened_local_equation,
    global_equation,
    local_equation,
)
from nessflow.lindblad.counting import transport
from nessflow.lindblad.equation import non_markovianity
from nessflow.lindblad.propagator import asymptotic_equation
from nessflow.lindblad.propagator import evolve as evolve_approximately
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.counting import lead_cumulants
from nessflow.scattering.evolution import evolve
from nessflow.scattering.noise import currents_and_noise
from nessflow.spectrum.bound_states import require_no_bound_state
from nessflow.spectrum.rates import Rates
from nessflow.systems.system import OpenSystem


class TwoSites:
    """Symbols of the paper, and its closed forms for the Newns spectral density."""

    def __init__(
        self, h=1.0, g=0.5, delta=0.0, rate=0.01, omega=10.0, mu=(1.0, 0.2), t=(0.05, 0.05)
    ):
        self.h, self.g, self.delta, self.rate, self.omega = h, g, delta, rate, omega
        self.mu, self.t = mu, t
        self.split = math.hypot(g, delta)
        self.levels = np.array([h + self.split / 2, h - self.split / 2])
        high, low = math.sqrt(self.split + delta), math.sqrt(self.split - delta)
        self.rotation = np.array([[high, -low], [low, high]]) / math.sqrt(2 * self.split)
        self.level_rates = 2 * np.pi * self.spectral_density(self.levels)

    def system(self):
        leads = [
            chain_at(
                name,
                site,
                self.omega / 2,
                math.sqrt(self.rate * self.omega) / 2,
                0.0,
                self.mu[site],
                self.t[site],
            )
            for site, name in enumerate(("left", "right"))
        ]
        energies = [self.h + self.delta / 2, self.h - self.delta / 2]
        zero = onsite_rates(np.zeros(2))
        return OpenSystem(chain(2, self.g / 2, energies), zero, zero, leads)

    def to_modes(self, matrix):
        return self.rotation @ matrix @ self.rotation.T

    def spectral_density(self, w):
        """(19)."""
        return self.rate / (2 * np.pi) * np.sqrt(np.maximum(1 - (w / self.omega) ** 2, 0.0))

    def fermi(self, a, w):
        x = np.clip((w - self.mu[a]) / self.t[a], -700, 700)
        return 1 / (1 + np.exp(x))

    def phi(self, j, w):
        """(35), (36)."""
        ratio = self.rate / self.omega
        level = self.levels[j]
        shifted = (1 - ratio / 2) / (1 - ratio) * level
        square = (1 - ratio - (level / self.omega) ** 2) * (self.rate / (1 - ratio)) ** 2
        return self.spectral_density(w) / (1 - ratio) / ((w - shifted) ** 2 + square / 4)

    def phi_weak(self, j, w):
        """The same in the exponential-propagator approximation."""
        rate = self.level_rates[j]
        return self.spectral_density(w) / ((w - self.levels[j]) ** 2 + rate**2 / 4)

    def integral(self, function):
        """Integral over the band; the substitution takes the square roots at its edges away."""
        points = {float(x) for x in self.levels} | {float(m) for m in self.mu}
        for centre in list(points):
            for scale in (self.rate, *self.t):
                points |= {centre + s * k * scale for s in (-1, 1) for k in (1, 4, 15, 60)}
        ends = sorted({math.asin(p / self.omega) for p in points if abs(p) < self.omega})
        ends = [-np.pi / 2, *ends, np.pi / 2]

        nodes, weights = np.polynomial.legendre.leggauss(24)
        low, high = np.array(ends[:-1]), np.array(ends[1:])
        q = (0.5 * (high - low))[:, None] * (1 + nodes) + low[:, None]
        values = function(self.omega * np.sin(q)) * self.omega * np.cos(q)
        return np.sum(values @ weights * 0.5 * (high - low))


FIGURE_3 = {"g": 0.5, "delta": 0.5}
FIGURE_4A = {"delta": 0.1, "rate": 0.2, "omega": 100.0, "mu": (1.0, 0.0), "t": (0.1, 0.1)}
FIGURE_4B = {
    "h": 50.0,
    "delta": 0.1,
    "rate": 0.2,
    "omega": 100.0,
    "mu": (49.0, 49.0),
    "t": (10.0, 0.01),
}
UNCERTAINTY = {"h": 0.0, "rate": 0.35, "mu": (0.75, -0.75), "t": (0.3, 0.3)}
GAP = {"rate": 0.01, "mu": (1.005, 0.995), "t": (0.02, 0.02)}
OTHER = {
    "h": 0.7,
    "g": 0.8,
    "delta": 0.45,
    "rate": 0.3,
    "omega": 7.0,
    "mu": (1.1, 0.2),
    "t": (0.2, 0.35),
}


# --- reference numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "x", "reference"),
    [
        (0.02, 0.065, 0.0673273051543195),
        (0.2, 0.065, 0.0785461101666332),
        (2.0, 0.1, 0.050745054319155),
    ],
)
def test_transmission_of_figure_3(ratio, x, reference):
    model = TwoSites(**FIGURE_3, rate=ratio * math.sqrt(0.5))
    tau = Rates(model.system(), [x * 10]).leads[0, 1, 0]
    assert tau / (2 * np.pi) == pytest.approx(reference, abs=1e-13)
    paper = np.pi * model.g**2 / 2 * model.phi(0, 10 * x) * model.phi(1, 10 * x)  # (45)
    assert paper == pytest.approx(reference, abs=1e-13)


def test_steady_correlations_of_figure_4():
    for parameters, c11, imaginary in (
        (FIGURE_4A, 0.118351737343882, 0.0828082807791955),
        (FIGURE_4B, 0.288573470517937, 0.070607559084437),
    ):
        model = TwoSites(**parameters)
        found = model.to_modes(correlation_matrix(model.system()).value)
        assert found[0, 0].real == pytest.approx(c11, abs=1e-10)
        assert found[0, 1].imag == pytest.approx(imaginary, abs=1e-10)


def test_approximate_correlations_of_figure_4():
    for parameters, c22, real in (
        (FIGURE_4A, 0.355890441014614, 0.0489357274815575),
        (FIGURE_4B, 0.215905509713933, 0.0409805207739927),
    ):
        model = TwoSites(**parameters)
        steady = asymptotic_equation(model.system()).steady_density.T
        assert model.to_modes(steady)[1, 1].real == pytest.approx(c22, abs=1e-10)
        empty = np.zeros((2, 2))
        found = evolve_approximately(model.system(), [5.0]).correlations(empty)[0]
        assert model.to_modes(found)[0, 1].real == pytest.approx(real, abs=1e-10)


def test_exact_evolution_of_figure_4():
    model = TwoSites(**FIGURE_4A)
    found = model.to_modes(evolve(model.system(), [5.0]).correlations(np.zeros((2, 2)))[0])
    assert found[1, 1].real == pytest.approx(0.210655920862653, abs=1e-9)
    assert found[0, 1].real == pytest.approx(0.0488330269776257, abs=1e-9)


@pytest.mark.parametrize(
    ("parameters", "reference"),
    [
        ({}, 0.00100700087522373),
        ({"mu": (0.75, 0.75), "t": (0.5, 0.01)}, 0.000213825202534582),
    ],
)
def test_non_markovianity_of_figure_5(parameters, reference):
    equation = asymptotic_equation(TwoSites(**parameters).system())
    nu = non_markovianity(equation.gain.sum(axis=0), equation.loss.sum(axis=0))
    assert nu == pytest.approx(reference, abs=1e-12)


def ratio(transport):
    """Uncertainty ratio at equal temperatures 0.3 and bias 1.5."""
    return transport.particle_noise.value[0, 0] * 1.5 / 0.3 / transport.particle_current.value[0]


def test_uncertainty_ratio():
    system = TwoSites(**UNCERTAINTY).system()
    currents, noise = currents_and_noise(system)
    exact = noise.particle_noise.value[0, 0] * 5 / currents.particle_current.value[0]
    assert exact == pytest.approx(1.76921000606518, abs=1e-9)
    assert ratio(transport(global_equation(system))) == pytest.approx(3.05112230043086, abs=1e-9)
    assert ratio(transport(local_equation(system))) == pytest.approx(1.772, abs=1e-3)


def test_current_inside_the_gap():
    system = TwoSites(**GAP).system()
    currents, noise = currents_and_noise(system)
    additive = transport(global_equation(system, broadened=True))
    exact = currents.particle_current.value[0]
    assert exact == pytest.approx(2.65511782004995e-06, rel=1e-9)
    assert additive.particle_current.value[0] == pytest.approx(1.36621775580291e-06, rel=1e-8)
    assert exact / additive.particle_current.value[0] == pytest.approx(1.94, abs=0.01)
    assert additive.particle_noise.value[0, 0] / noise.particle_noise.value[0, 0] == pytest.approx(
        5.9, abs=0.1
    )


def test_noise_at_the_right_current():
    system = TwoSites(rate=0.2, mu=(1.6, 0.4), t=(0.1, 0.1)).system()
    current, noise = lead_cumulants(system).cumulants.value[0, :2]
    expected = {
        "global-broadened": (global_equation(system, broadened=True), 0.010, 0.807),
        "local": (local_equation(system), 0.038, 0.050),
        "with interference": (asymptotic_equation(system), -0.0085, 0.064),
    }
    for name, (equation, current_deviation, noise_deviation) in expected.items():
        found = transport(equation)
        got = (
            found.particle_current.value[0] / current - 1,
            found.particle_noise.value[0, 0] / noise - 1,
        )
        assert got == pytest.approx((current_deviation, noise_deviation), abs=1e-3), name


def test_noise_where_rates_are_negative():
    system = TwoSites().system()
    current, noise = lead_cumulants(system).cumulants.value[0, :2]
    for equation in (local_equation, broadened_local_equation, global_equation):
        assert transport(equation(system)).particle_current.value[0] == pytest.approx(
            current, rel=5e-3
        )
    assert transport(local_equation(system)).particle_noise.value[0, 0] / noise == pytest.approx(
        1.479, abs=1e-3
    )
    assert transport(global_equation(system)).particle_noise.value[0, 0] == pytest.approx(
        noise, rel=3e-3
    )


def test_prefactors_of_the_additive_errors():
    """+1, +4 and +13 times (Gamma/g)^2 in current, noise and third cumulant: open window."""
    model = TwoSites(rate=0.005, omega=500.0, mu=(9.0, -7.0), t=(0.01, 0.01))
    exact = lead_cumulants(model.system()).cumulants.value[0, :3]
    found = transport(global_equation(model.system()))
    got = (
        found.particle_current.value[0],
        found.particle_noise.value[0, 0],
        found.third_cumulant.value[0],
    )
    deviation = (np.array(got) / exact - 1) / (model.rate / model.g) ** 2
    np.testing.assert_allclose(deviation, [1, 4, 13], rtol=0.05)


def entropy(transport, t):
    return -float(np.sum(transport.energy_current.value / np.array(t)))


def test_second_law_of_the_local_equation():
    model = TwoSites(g=0.3, delta=0.9, rate=0.05, mu=(0.0, 0.0), t=(0.2, 0.1))
    system = model.system()
    currents, _ = currents_and_noise(system)
    exact = -float(np.sum(currents.energy_current.value[:2] / np.array(model.t)))
    assert exact == pytest.approx(1.998e-4, rel=1e-3)
    assert entropy(transport(local_equation(system)), model.t) == pytest.approx(-4.172e-5, rel=1e-3)
    assert entropy(transport(global_equation(system)), model.t) > 0


# --- formulas that hold ---------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{}, FIGURE_4A, OTHER])
def test_steady_state_and_current_of_the_paper(parameters):
    """(32) with (35), (37), and (42)."""
    model = TwoSites(**parameters)
    r = model.rotation

    def element(j, k, w):
        f = r[j, 0] * r[k, 0] * model.fermi(0, w) + r[j, 1] * r[k, 1] * model.fermi(1, w)
        bath = model.spectral_density(w)
        theta = [
            ((1 - model.rate / (2 * model.omega)) * w - model.levels[i]) * model.phi(i, w) / bath
            for i in (j, k)
        ]
        left = theta[0] + 1j * np.pi * model.phi(j, w)
        right = theta[1] - 1j * np.pi * model.phi(k, w)
        return bath * f * left * right

    system = model.system()
    found = model.to_modes(correlation_matrix(system).value)
    for j, k in ((0, 0), (1, 1), (0, 1)):
        expected = model.integral(lambda w, j=j, k=k: element(j, k, w))
        assert abs(found[j, k] - expected) < 1e-9
    current = currents_and_noise(system)[0].particle_current.value[0]
    site = correlation_matrix(system).value
    assert current == pytest.approx(model.g * site[0, 1].imag, abs=1e-11)  # g Im <c_L^+ c_R>


def test_third_law_rates_are_those_of_both_bases():
    """(58), (67), (72)-(75) against the rate matrices."""
    model = TwoSites(**OTHER)
    equation = asymptotic_equation(model.system())
    gain, loss = (m.sum(axis=0).T for m in (equation.gain, equation.loss))
    modes = model.to_modes(gain)
    # The paper takes the weight of phi as 1; here it is that of the band.
    for a in range(2):
        part = model.to_modes(equation.gain[a].T)
        for j in range(2):
            rate = model.level_rates[j] * model.rotation[j, a] ** 2
            expected = rate * model.integral(
                lambda w, j=j, a=a: model.phi_weak(j, w) * model.fermi(a, w)
            )
            assert part[j, j].real == pytest.approx(expected, abs=1e-10)

    def imaginary(w):
        bias = model.fermi(0, w) - model.fermi(1, w)
        terms = [(model.levels[j] - w) * model.phi_weak(j, w) for j in range(2)]
        return model.g / (2 * model.split) * (terms[0] - terms[1]) * bias

    eta = model.integral(imaginary)
    assert modes[0, 1].imag == pytest.approx(eta, abs=1e-10)  # (67)
    assert gain[0, 1].imag == pytest.approx(eta, abs=1e-10)  # (73)
    assert loss[0, 1].imag == pytest.approx(-eta, abs=1e-10)  # (75)

    def real(w):
        terms = [model.level_rates[j] * model.phi_weak(j, w) for j in range(2)]
        sum_of_both = model.fermi(0, w) + model.fermi(1, w)
        return model.g / (4 * model.split) * (terms[1] - terms[0]) * sum_of_both

    assert gain[0, 1].real == pytest.approx(model.integral(real), abs=1e-10)  # (72)


# --- errata ---------------------------------------------------------------------------------------


def test_interference_rate_has_four_in_its_denominator():
    """(66): xi = g/4Delta ..., not g/2Delta."""
    model = TwoSites(**OTHER)
    found = model.to_modes(asymptotic_equation(model.system()).gain.sum(axis=0).T)[0, 1].real

    def integrand(w):
        total = sum(model.level_rates[j] * model.phi_weak(j, w) for j in range(2))
        return total * (model.fermi(0, w) - model.fermi(1, w))

    value = model.g / model.split * model.integral(integrand)
    assert found == pytest.approx(value / 4, abs=1e-10)
    assert abs(found - value / 2) > 0.5 * abs(found)


def local_part(equation, model, rates):
    """Fock-space values of <L_L^+ N_S> and <L_L^+ H_S> of the part (70) of the left reservoir."""
    fock = FockEquation(equation)
    rho = fock.steady().reshape(4, 4)
    c, up = fock.c[0], fock.up[0]
    loss, gain = rates

    def change(operator):
        lowered = up @ operator @ c - 0.5 * (up @ c @ operator + operator @ up @ c)
        raised = c @ operator @ up - 0.5 * (c @ up @ operator + operator @ c @ up)
        return float(np.trace((loss * lowered + gain * raised) @ rho).real)

    number, energy = fock.quadratic(np.eye(2)), fock.quadratic(equation.hamiltonian)
    coherence = float(np.trace(up @ fock.c[1] @ rho).real)
    return change(number), change(energy), coherence


@pytest.mark.parametrize("parameters", [OTHER, {**OTHER, "delta": -0.45}])
def test_energy_current_of_the_local_part_has_a_plus(parameters):
    """(81): + g/2 sum_j R_1j^2 Gamma_j Re<c_L^+ c_R>; the printed sign is wrong."""
    model = TwoSites(**parameters)
    equation = asymptotic_equation(model.system())
    gain, loss = (m.sum(axis=0)[0, 0].real for m in (equation.gain, equation.loss))
    particles, energy, coherence = local_part(equation, model, (loss, gain))
    site = model.h + model.delta / 2
    # L_L damps c_L with the sum of Gamma_j R_j1^2.
    damping = float(np.sum(model.rotation[:, 0] ** 2 * model.level_rates))
    assert gain + loss == pytest.approx(damping, rel=1e-12)
    term = model.g / 2 * damping * coherence
    assert energy == pytest.approx(site * particles + term, abs=1e-14)
    assert abs(energy - (site * particles - term)) > 1e-3 * abs(energy)


def test_coherence_of_the_sites_survives_without_detuning():
    """After (80): Re<c_L^+ c_R> is not proportional to delta; Gamma_2 - Gamma_1 is zero."""
    model = TwoSites(delta=0.0, mu=(1.0, 1.0))
    site = correlation_matrix(model.system()).value
    modes = model.to_modes(site)
    assert site[0, 1].real == pytest.approx((modes[1, 1] - modes[0, 0]).real / 2, abs=1e-12)
    assert site[0, 1].real > 0.47


def test_detailed_balance_of_the_local_rates():
    """(78) holds for delta = 0 and Gamma_1 = Gamma_2 alone."""

    def found(model):
        rates = broadened_local_equation(model.system())
        return rates.loss[0, 0, 0].real / rates.gain[0, 0, 0].real

    def general(model):
        weights = model.level_rates * model.rotation[:, 0] ** 2
        filled = model.fermi(0, model.levels)
        return float(weights @ (1 - filled) / (weights @ filled))

    def printed(model):
        beta = 1 / model.t[0]
        x = math.exp(beta * (model.h - model.mu[0]))
        cosh = math.cosh(beta * model.split / 2)
        return (x + cosh) / (1 + x * cosh) * x

    weak = {"rate": 1e-5, "omega": 1e4, "mu": (0.8, 0.8), "t": (0.3, 0.3)}
    for delta, agrees in ((0.0, True), (0.4, False)):
        model = TwoSites(delta=delta, **weak)
        assert found(model) == pytest.approx(general(model), rel=1e-3)
        assert (abs(printed(model) / general(model) - 1) < 1e-3) == agrees


def test_propagator_decays_with_half_the_rate():
    """(E1), (E4): e^{-iE't - Gamma_j t/2}."""
    model = TwoSites(**FIGURE_4A)
    time = 17.0
    u = model.rotation @ evolve(model.system(), [time]).propagator[0] @ model.rotation.T
    rate = model.level_rates[0]
    assert abs(u[0, 0]) == pytest.approx(math.exp(-rate * time / 2), rel=5e-3)
    assert abs(abs(u[0, 0]) / math.exp(-rate * time) - 1) > 1


def test_residue_has_one_root_over_the_ratio():
    """(E2): p = sqrt{[Omega^2 - (E' - i Gamma/2)^2]/[Omega^2 - Gamma Omega - E^2]}."""
    level, rate, omega = 0.6, 0.15, 1.0
    ratio = rate / omega
    shifted = (1 - ratio / 2) / (1 - ratio) * level
    broad = math.sqrt(1 - ratio - level**2 / omega**2) * rate / (1 - ratio)
    pole = shifted - 0.5j * broad
    model = TwoSites(h=level - 0.25, g=0.5, rate=rate, omega=omega)
    # Residue of phi by a contour; the square root continued from the real line to below.
    nodes = np.exp(2j * np.pi * np.arange(64) / 64)
    z = pole + 0.02 * nodes
    root = np.sqrt(1 - (z / omega) ** 2)
    phi = rate / (2 * np.pi) * root / (1 - ratio) / ((z - shifted) ** 2 + broad**2 / 4)
    residue = -2j * np.pi * np.mean(phi * 0.02 * nodes)
    expected = np.sqrt((omega**2 - pole**2) / (omega**2 - rate * omega - level**2))
    assert residue == pytest.approx(expected, abs=1e-12)
    only_above = np.sqrt(omega**2 - pole**2) / (omega**2 - rate * omega - level**2)
    assert abs(residue - only_above) > 0.1
    assert model.levels[0] == pytest.approx(level)


def test_bound_function_has_half_a_root():
    """(E6): prefactor sqrt(pi tau)/2, not sqrt(pi tau/2)."""
    for tau in (0.3, 2.0, 7.0):
        integral, _ = quad(
            lambda x, t=tau: math.exp(-t * math.sin(x)) * math.sqrt(math.sin(x)), 0, np.pi
        )
        exact = integral / (math.sqrt(2) * np.pi)  # u(0) = 0.54, as the text says
        x = tau / 2
        bessel = iv(-0.75, x) * iv(0.25, x) - iv(-0.25, x) * iv(0.75, x)
        assert 0.5 * math.sqrt(np.pi * tau) * bessel == pytest.approx(exact, rel=1e-9)
        assert abs(math.sqrt(np.pi * tau / 2) * bessel / exact - 1) > 0.4


def test_smallest_denominator_of_the_bound():
    """(E5): the minimum over the arc is at theta = 0 only where E' is positive and not small."""

    def smallest(shifted, broad):
        theta = np.linspace(0, np.pi, 4001)
        size = abs((np.exp(-1j * theta) - shifted) ** 2 + broad**2 / 4)
        return theta[np.argmin(size)], size[0] / size.min()

    assert smallest(0.5, 0.05)[0] == 0.0
    for shifted, broad in ((-0.3, 0.05), (1e-4, 0.2)):
        theta, excess = smallest(shifted, broad)
        assert theta > 0.1
        assert excess > 1.0


def test_fourier_transform_of_the_propagator_has_a_plus():
    """(B12): int_0^inf e^{+iwt} G(t) dt = pi phi + i theta."""
    model = TwoSites(rate=1.0, omega=3.0)
    times = np.linspace(0, 40, 801)
    u = evolve(model.system(), times).propagator
    g = (model.rotation @ u @ model.rotation.T)[:, 0, 0]
    w = 1.1
    found = {s: np.trapezoid(np.exp(s * 1j * w * times) * g, times).real for s in (1, -1)}
    expected = np.pi * model.phi(0, w)
    assert found[1] == pytest.approx(expected, abs=3e-3)
    assert abs(found[-1] - expected) > 0.1 * expected


def test_bound_states_begin_beyond_the_printed_condition():
    """(34) is sufficient; exact is |E_j| < Omega - Gamma/2, where phi loses its norm."""
    rate, omega = 0.4, 1.0
    printed = math.sqrt(omega**2 - rate * omega)  # 0.775
    for level, bound in ((0.7, False), (0.79, False), (0.81, True)):
        model = TwoSites(h=level - 0.05, g=0.1, rate=rate, omega=omega)
        q = (np.arange(200_000) + 0.5) * np.pi / 200_000 - np.pi / 2
        norm = np.mean(model.phi(0, omega * np.sin(q)) * omega * np.cos(q)) * np.pi
        assert (norm < 1 - 1e-3) == bound
        if bound:
            with pytest.raises(ValueError, match="bound state above"):
                require_no_bound_state(model.system())
        else:
            require_no_bound_state(model.system())
    assert printed < 0.79


def test_additive_transmission_is_good_on_the_peaks_alone():
    """(46): 1 % off on the peaks, but half of the exact one between them and too large outside."""
    model = TwoSites(**FIGURE_3, rate=0.02 * math.sqrt(0.5))

    def ratio(w):
        exact = np.pi * model.g**2 / 2 * model.phi(0, w) * model.phi(1, w)
        weights = model.g**2 / (4 * model.split**2)
        return exact / (weights * sum(model.level_rates[j] * model.phi(j, w) for j in range(2)))

    assert abs(ratio(model.levels) - 1).max() < 0.01
    assert ratio(1.0) == pytest.approx(2.0, abs=0.02)
    assert ratio(1.0 - 0.7 * model.split) == pytest.approx(0.67, abs=0.01)
    assert ratio(1.0 - model.split) == pytest.approx(0.40, abs=0.01)


def test_bloch_vector_of_the_steady_state():
    """App. F: z = C_11 - C_22 and |x| = 2 |C_12|, not 1/2 + C_11 - C_22 and C_12."""
    model = TwoSites(**OTHER)
    equation = asymptotic_equation(model.system())
    fock = FockEquation(equation)
    rho = fock.steady().reshape(4, 4)
    c = model.to_modes(equation.steady_density.T)
    r = model.rotation
    modes = [r[j, 0] * fock.c[0] + r[j, 1] * fock.c[1] for j in range(2)]
    vacuum = np.zeros(4)
    vacuum[0] = 1.0
    states = [mode.conj().T @ vacuum for mode in modes]
    block = np.array([[a.conj() @ rho @ b for b in states] for a in states])
    z, x = (block[0, 0] - block[1, 1]).real, 2 * abs(block[0, 1])
    assert z == pytest.approx((c[0, 0] - c[1, 1]).real, abs=1e-12)
    assert x == pytest.approx(2 * abs(c[0, 1]), abs=1e-12)
    assert abs(z - (0.5 + c[0, 0] - c[1, 1]).real) > 0.1


def test_the_gaussian_exponent_is_not_positive():
    """(F6): P = ln(1/C - 1) is Hermitian only, since occupations above 1/2 make it negative."""
    model = TwoSites(mu=(3.0, 3.0), t=(0.1, 0.1))
    c = correlation_matrix(model.system()).value
    assert np.linalg.eigvalsh(c)[0] > 0.5
    exponent = np.log(1 / np.linalg.eigvalsh(c) - 1)
    assert exponent.max() < 0


def test_local_in_time_noise_breaks_the_fluctuation_dissipation_theorem():
    """Inside the gap: S = 2 T J/V exactly, six times that with the rates (55), current right."""
    model = TwoSites(**{**GAP, "mu": (1.0005, 0.9995)})
    system, thermal = model.system(), 2 * model.t[0] / 1e-3
    current, noise, third = lead_cumulants(system).cumulants.value[0, :3]
    assert noise == pytest.approx(thermal * current, rel=1e-3)
    found = transport(asymptotic_equation(system))
    assert found.particle_current.value[0] == pytest.approx(current, rel=1e-3)
    assert found.third_cumulant.value[0] == pytest.approx(third, rel=0.03)
    assert found.particle_noise.value[0, 0] > 5 * thermal * current
    additive = transport(global_equation(system))
    mean = additive.particle_current.value[0]
    assert additive.particle_noise.value[0, 0] == pytest.approx(thermal * mean, rel=1e-3)
