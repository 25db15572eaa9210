"""Paper extended-landauer-buttiker: reference numbers at its parameters, and its formulas.

Numbers are in the paper's h = 1, 2 pi times ours.  Each was computed in two other ways (dense
inverse with adaptive quadrature; eigen-decomposition).  Where a printed formula is wrong, the test
shows that the printed form fails and the corrected one holds.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf

from attached import wide_band_at
from lattices import bond_rates, chain, onsite_rates
from nessflow.scattering.currents import (
    disorder_susceptibility,
    reference_transmission,
    response_transmission,
    steady_currents,
    transmission,
)
from nessflow.spectrum.occupation import fermi
from nessflow.spectrum.quadrature import integrate, line_mesh
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem

H = 2 * np.pi
GAMMA = 1.1


def wide_leads(sites, mu=0.1, temperature=1e-4, bias=0.0):
    return (
        wide_band_at("left", 0, GAMMA, mu + bias, temperature),
        wide_band_at("right", sites - 1, GAMMA, mu, temperature),
    )


def with_rates(sites, loss=0.0, gain=0.0, onsite=0.0, **lead):
    """Rates for all sites, or by site counted from 1 as in the paper."""

    def rates(values):
        array = np.zeros(sites)
        if isinstance(values, dict):
            array[np.array(list(values)) - 1] = list(values.values())
        else:
            array += values
        return onsite_rates(array)

    return OpenSystem(
        chain(sites, 1.0, onsite), rates(loss), rates(gain), wide_leads(sites, **lead)
    )


def with_bond_loss(sites, hopping, rate=1.0, boundary=True, **lead):
    """Section "skin effect": ``L_j = sqrt(rate) (c_j - i c_{j+1})``, and both boundary channels."""
    nothing = onsite_rates(np.zeros(sites))
    loss = bond_rates(sites, rate, boundary=boundary)
    return OpenSystem(chain(sites, hopping, 0.0), loss, nothing, wide_leads(sites, **lead))


def assert_equals(value, error, golden, golden_error=1e-14):
    """To 1e-8, and within both errors."""
    assert value == pytest.approx(golden, rel=1e-8)
    assert abs(value - golden) <= error + golden_error


def assert_current(system, part, golden, golden_error=1e-14):
    found = steady_currents(system)
    value, error, _ = getattr(found, f"{part}_particle_current")
    assert found.converged
    assert abs(found.conservation_defect.value) <= found.conservation_defect.error
    assert_equals(H * value, H * error, golden, golden_error)


# --- reference numbers ---


@pytest.mark.parametrize(
    ("sites", "loss", "golden"),
    [
        (2, {1: 0.1}, 0.06585292037462841),
        (2, {2: 0.5}, -0.28586023259095117),
        (5, {2: 0.1}, 6.622250620402781e-05),
    ],
)
def test_monitored_sites(sites, loss, golden):
    """Figs 2(b2) and S1(b)."""
    assert_current(with_rates(sites, loss), "net", golden, 7e-14)


@pytest.mark.parametrize("sites", [2, 5])
def test_monitoring_the_mirror_site_reverses_the_current(sites):
    one = steady_currents(with_rates(sites, {2: 0.3}))
    other = steady_currents(with_rates(sites, {sites - 1: 0.3}))
    allowance = one.net_particle_current.error + other.net_particle_current.error
    assert abs(one.net_particle_current.value + other.net_particle_current.value) <= allowance


@pytest.mark.parametrize("rate", [0.1, 1.0, 20.0])
def test_monitoring_both_mirror_sites_carries_no_current(rate):
    """Fig S1(b), green line: "situationally" stands for simultaneously."""
    found = steady_currents(with_rates(5, {2: rate, 4: rate}))
    assert abs(found.net_particle_current.value) <= found.net_particle_current.error < 1e-13


def fig_2a(mu_over_temperature, ratio=2.0):
    """J_LS of fig 2(a): J itself is 0 by inversion symmetry."""
    system = with_rates(40, 0.2, 0.2 * ratio, mu=20 * mu_over_temperature, temperature=20.0)
    return steady_currents(system)


def test_gain_against_loss():
    found = fig_2a(1.0)
    value, error = found.reservoir_particle_current.value, found.reservoir_particle_current.error
    assert_equals(H * value[0], H * error[0], 0.12891146005105536)
    assert abs(found.net_particle_current.value) <= found.net_particle_current.error < 1e-13


def test_zero_of_the_lead_reservoir_current():
    zero = brentq(lambda x: fig_2a(x).reservoir_particle_current.value[0], 0.5, 1.0, xtol=1e-14)
    assert zero == pytest.approx(0.7119866043650588, rel=1e-11)


@pytest.mark.parametrize(
    ("ratio", "distance"),
    [(0.5, -0.010817), (1.5, 0.009378), (2.0, 0.018840), (3.0, 0.039008), (4.0, 0.061162)],
)
def test_zero_lies_at_the_logarithm_of_the_ratio(ratio, distance):
    """Text: "the curve gamma_g/gamma_l = mu/kT"; its own ln(Q/P) is right, up to the tails."""
    found = fig_2a(np.log(ratio) + distance, ratio).reservoir_particle_current.value[0]
    assert abs(H * found) < 1e-6
    printed = fig_2a(ratio, ratio).reservoir_particle_current.value[0]
    assert abs(H * printed) > 0.05


@pytest.mark.parametrize(
    ("sites", "golden", "golden_error"),
    [(100, 0.09757555273738523, 2e-9), (2, 0.01875813779956958, 1.2e-13)],
)
def test_weak_disorder(sites, golden, golden_error):
    """Fig 2(d): <J^2> / V^2 -> (1/3) sum_j (dJ/dV_j)^2, exponent exactly 2."""
    slope, slope_error, _ = disorder_susceptibility(with_rates(sites, 0.1))
    value = H**2 * np.sum(slope**2) / 3
    error = H**2 * 2 * np.sum(abs(slope) * slope_error) / 3
    assert_equals(value, error, golden, golden_error)


def test_one_disordered_sample():
    onsite = np.sin(1.3 * np.arange(1, 101) ** 2)
    assert_current(with_rates(100, 0.1, onsite=onsite), "net", -0.16262305863271875)


@pytest.mark.parametrize(
    ("sites", "reference", "response"),
    [
        (20, -0.09995450380653967, 0.127139764322177),
        (80, -0.056809051417165676, 0.1271397303961255),
    ],
)
def test_skin_effect_against_bias(sites, reference, response):
    """Fig 4(d) with the supplement's boundary channels."""
    system = with_bond_loss(sites, 3.0, mu=0.12, temperature=0.0, bias=0.6)
    assert_current(system, "reference", reference, 1e-12)
    assert_current(system, "response", response, 1e-12)


@pytest.mark.parametrize(("sites", "reference"), [(20, -0.2608), (80, -0.1518)])
def test_skin_effect_without_boundary_channels(sites, reference):
    """Fig 4(d) with the main text's channels alone, whose net current changes sign at N = 75."""
    found = steady_currents(
        with_bond_loss(sites, 3.0, boundary=False, mu=0.12, temperature=0.0, bias=0.6)
    )
    assert H * found.reference_particle_current.value == pytest.approx(reference, abs=1e-4)
    assert H * found.response_particle_current.value == pytest.approx(0.15625, abs=1e-5)
    assert (found.net_particle_current.value > 0) == (sites > 75)


def test_skin_effect_transmissions():
    """Fig 4(b,c)."""
    system = with_bond_loss(80, 3.0)
    loss, gain = reference_transmission(system, [0.5])
    assert loss[0] == pytest.approx(-0.041953917117430656, rel=1e-12)
    assert gain[0] == 0
    assert response_transmission(system, [0.5])[0] == pytest.approx(0.2117657171431835, rel=1e-12)


# --- formulas ---


def two_site(w, first, second):
    """(S27) as printed."""
    a, b = (w + 1j * (rate + GAMMA / 2) for rate in (second, first))
    numerator = first * (abs(a) ** 2 - 1) - second * (abs(b) ** 2 - 1)
    return numerator / abs(a * b - 1) ** 2


def test_two_site_transmission_lacks_a_factor_gamma():
    """(S27) against the definition of tau_0l below (S26)."""
    w = np.linspace(-3, 3, 13)
    tau, _ = reference_transmission(with_rates(2, {1: 0.3, 2: 0.7}), w)
    assert tau == pytest.approx(GAMMA * two_site(w, 0.3, 0.7), rel=1e-12)
    assert tau != pytest.approx(two_site(w, 0.3, 0.7), rel=0.05)


@pytest.mark.parametrize(("rate", "ratio"), [(0.01, 1.004), (0.001, 1.0004)])
def test_weak_monitoring_needs_only_rates_below_the_broadening(rate, ratio):
    """(9) and (S28) hold although w crosses 0, where "gamma << w" fails."""

    def integrand(w):
        shape = (abs(w + 0.5j * GAMMA) ** 2 - 1) / abs((w + 0.5j * GAMMA) ** 2 - 1) ** 2
        value = (rate * GAMMA * fermi(w, 0.1, 0.0) * shape)[None]
        return value, abs(value)

    printed = integrate(integrand, line_mesh((-5, 5), [0.1], limits=(-np.inf, 0.1)))
    exact = steady_currents(with_rates(2, {1: rate}, temperature=0.0)).net_particle_current.value
    # Quoted ratio of the printed to the exact current, to its last digit.
    assert printed.value[0] / (H * exact) == pytest.approx(ratio, abs=0.05 * (ratio - 1) + 5e-5)


def test_disordered_two_sites_have_the_same_factor():
    """(S29), with gamma~ = gamma + Gamma/2 for its gamma bar."""
    rate, w = 0.2, np.linspace(-2, 2, 9)
    v_1, v_2 = w - 0.3, w + 0.5
    width = rate + GAMMA / 2
    printed = (
        rate * (v_2**2 - v_1**2) / ((v_1 * v_2 - width**2 - 1) ** 2 + width**2 * (v_1 + v_2) ** 2)
    )
    tau, _ = reference_transmission(with_rates(2, rate, onsite=np.array([0.3, -0.5])), w)
    assert tau == pytest.approx(GAMMA * printed, rel=1e-12)


def test_average_over_weak_disorder_is_no_average_of_squares():
    """(S30) is right for the expansion it is of; (S31) is not <J^2>, though its power of V is."""
    rate, width, mu = 0.2, 0.2 + GAMMA / 2, 0.1
    points, weights = np.polynomial.legendre.leggauss(6)
    for w, v in ((0.3, 0.5), (0.0, 1.3)):
        v_1, v_2 = v * points[:, None], v * points
        squares = (rate * ((w - v_2) ** 2 - (w - v_1) ** 2)) ** 2
        mean = weights @ squares @ weights / 4
        assert mean == pytest.approx(8 / 45 * rate**2 * v**2 * (15 * w**2 + v**2), rel=1e-13)

    def transmissions(w, v):
        """tau of (S29) times the broadening, (6, 6, energies)."""
        v_1, v_2 = w - v * points[:, None, None], w - v * points[:, None]
        below = (v_1 * v_2 - width**2 - 1) ** 2 + width**2 * (v_1 + v_2) ** 2
        return GAMMA * rate * (v_2**2 - v_1**2) / below

    def averages(v):
        mesh = line_mesh((-5, 5), [mu], limits=(-np.inf, mu))

        def integrand(w):
            tau = transmissions(w, v).reshape(36, -1)
            values = np.concatenate([tau, tau**2])
            return values, abs(values)

        found = integrate(integrand, mesh, rtol=1e-10).value
        mean = np.outer(weights, weights).ravel() / 4
        return mean @ found[:36] ** 2, mean @ found[36:]

    (exact, printed), (twice, printed_twice) = averages(0.01), averages(0.02)
    assert twice / exact == pytest.approx(4, rel=1e-2)
    assert printed_twice / printed == pytest.approx(4, rel=1e-2)
    slope, _, _ = disorder_susceptibility(with_rates(2, rate, temperature=0.0))
    assert exact / 0.01**2 == pytest.approx(H**2 * np.sum(slope**2) / 3, rel=1e-3)
    assert not 0.8 < printed / exact < 1.25
    # The expansion needs small energies, the integral has all below mu.
    w, v = np.array([-3.0, -0.05]), 1e-4
    ratio = transmissions(w, v)[0, 1] / (
        GAMMA * rate * ((w - v * points[1]) ** 2 - (w - v * points[0]) ** 2)
    )
    assert ratio[0] < 0.02


def test_green_function_of_the_damping_matrix():
    """Below (5): the printed 1/(w - X^+) is the advanced one; below (S22): G> - G<."""
    system = with_rates(3, {1: 0.3, 3: 0.1}, {2: 0.2})
    loss, gain = as_dense(system.loss), as_dense(system.gain)
    x = as_dense(system.hamiltonian) - 1j * (loss + gain)
    w, step = 0.4, 0.01
    times = np.arange(0.0, 250.0, step)
    energies, states = np.linalg.eig(x)
    evolved = np.exp(-1j * np.outer(times, energies - w)) * step
    # Simpson's rule for -i int_0^inf exp(-i (X - w) t) dt.
    simpson = np.where(np.arange(times.size) % 2, 4, 2) / 3.0
    simpson[0] = 1 / 3
    retarded = states @ np.diag(-1j * simpson @ evolved) @ np.linalg.inv(states)
    assert retarded == pytest.approx(np.linalg.inv(w * np.eye(3) - x), abs=1e-8)
    assert abs(retarded - np.linalg.inv(w * np.eye(3) - x.conj().T)).max() > 0.5
    advanced = retarded.conj().T
    greater, lesser = -2j * retarded @ loss @ advanced, 2j * retarded @ gain @ advanced
    assert greater - lesser == pytest.approx(retarded - advanced, abs=1e-7)


def test_fermi_function_has_its_one_outside_the_exponent():
    """Below (6) and (S18): printed 1/exp((w - mu)/kT + 1)."""
    assert fermi(0.1, 0.1, 0.5) == 0.5
    assert 1 / np.exp((0.1 - 0.1) / 0.5 + 1) == pytest.approx(np.exp(-1))


def test_bond_loss_of_the_supplement_is_the_mirror_image():
    """Supplement VII prints c_j - i c_{j-1}; (S38) and fig 4 need c_j - i c_{j+1}."""
    w = np.linspace(-1, 1, 5)
    tau, _ = reference_transmission(with_bond_loss(20, 3.0), w)
    nothing = onsite_rates(np.zeros(20))
    mirrored = bond_rates(20, 1.0, phase=np.pi / 2, boundary=True)
    printed = OpenSystem(chain(20, 3.0, 0.0), mirrored, nothing, wide_leads(20))
    other, _ = reference_transmission(printed, w)
    assert np.all(tau < 0)
    assert other == pytest.approx(-tau, rel=1e-11)


# Section VII: determinants of w - X - Sigma of the chain with bond loss, X_jj = -2i gamma,
# X_(j,j+1) = -t - gamma, X_(j+1,j) = -t + gamma.


def inverse_green_function(sites, hopping, rate, w):
    """(S39)."""
    system = with_bond_loss(sites, hopping, rate)
    x = as_dense(system.hamiltonian) - 1j * as_dense(system.loss)
    sigma = np.zeros((sites, sites), complex)
    sigma[0, 0] = sigma[-1, -1] = -0.5j * GAMMA
    assert x[0, 0] == pytest.approx(-2j * rate)
    assert x[0, 1] == pytest.approx(-hopping - rate)
    assert x[1, 0] == pytest.approx(-hopping + rate)
    return w * np.eye(sites) - x - sigma


def leading_determinants(inverse):
    """Delta_(1,j) for j = 0, ..., N by brute force."""
    return np.array([np.linalg.det(inverse[:j, :j]) for j in range(len(inverse) + 1)])


def transfer_determinants(sites, hopping, rate, w, product):
    """(S43) with the matrix (S45); ``product`` stands for X_(0,1) X_(1,0)."""
    step = np.array([[w + 2j * rate, rate**2 - hopping**2], [1, 0]])
    first = np.array([[w + 2j * rate, -product], [1, 0]])
    state, found = first @ np.array([1, -0.5j * GAMMA / product]), [1.0]
    for _ in range(sites - 1):
        found.append(state[0])
        state = step @ state
    last = np.array([[1, 0.5j * GAMMA], [0, 1]]) @ state
    return np.array([*found, last[0]])


def eigenvalue_determinants(sites, hopping, rate, w):
    """(S46); Delta_(1,0) is 1."""
    root = np.sqrt(w**2 - 4 * hopping**2 + 4j * w * rate + 0j)
    plus, minus = ((w + 2j * rate + sign * root) / 2 for sign in (1, -1))

    def s(j):
        return plus**j - minus**j

    inner = [(s(j + 1) + 0.5j * GAMMA * s(j)) / root for j in range(1, sites)]
    whole = (s(sites + 1) + 1j * GAMMA * s(sites) - GAMMA**2 / 4 * s(sites - 1)) / root
    return np.array([1, *inner, whole])


def transmission_from_determinants(sites, hopping, rate, delta):
    """(S44)."""
    j = np.arange(1, sites + 1)
    a, b = -hopping - rate, -hopping + rate
    diagonal = np.sum(
        (a ** (2 * sites - 2 * j) - b ** (2 * sites - 2 * j)) * abs(delta[j - 1]) ** 2
    )
    j = j[:-1]
    powers = a ** (2 * sites - 2 * j - 1) + b ** (2 * sites - 2 * j - 1)
    mixed = np.sum(powers * (delta[j] * delta[j - 1].conj()).imag)
    return 2 * rate * GAMMA * (diagonal + mixed) / abs(delta[-1]) ** 2


SKIN = [(1.0, 0.4, 0.3), (-1.3, 0.4, -1.1), (0.6, 1.0, 0.05), (2.0, 1.0, 2.5)]


@pytest.mark.parametrize(("hopping", "rate", "w"), SKIN)
def test_transmission_of_the_skin_chain_from_determinants(hopping, rate, w):
    """(S40) - (S46): Green's function, determinants by transfer matrix and eigenvalues, (S44)."""
    sites = 9
    inverse = inverse_green_function(sites, hopping, rate, w)
    delta = leading_determinants(inverse)
    green, end = np.linalg.inv(inverse), delta[sites]
    for j in range(1, sites + 1):
        # (S40) for the first row, whose Delta_(1,0) is 1, and the last, with Delta_(N+1,N) = 1.
        after = np.linalg.det(inverse[j:, j:])
        assert green[0, j - 1] == pytest.approx((-hopping - rate) ** (j - 1) * after / end)
        power = (-hopping + rate) ** (sites - j)
        assert green[-1, j - 1] == pytest.approx(power * delta[j - 1] / end)
    for product in (hopping**2 - rate**2, 1.7):
        # Whatever X_(0,1) X_(1,0) is, it drops out.
        assert transfer_determinants(sites, hopping, rate, w, product) == pytest.approx(delta)
    assert eigenvalue_determinants(sites, hopping, rate, w) == pytest.approx(delta)
    exact = reference_transmission(with_bond_loss(sites, hopping, rate), [w])[0][0]
    found = transmission_from_determinants(sites, hopping, rate, delta)
    assert found == pytest.approx(exact, rel=1e-11)


def test_transfer_matrices_divide_by_zero_at_equal_hopping_and_rate():
    """(S43) as printed has 0/0 at ``|t_S| = gamma_-``, where it has a limit."""
    with pytest.raises(ZeroDivisionError):
        transfer_determinants(6, 1.0, 1.0, 0.3, 1.0**2 - 1.0**2)
    delta = leading_determinants(inverse_green_function(6, 1.0, 1.0, 0.3))
    assert transfer_determinants(6, 1.0, 1.0, 0.3, 1e-9) == pytest.approx(delta, rel=1e-7)
    assert transfer_determinants(6, 1.0, 1.0, 0.3, 1.0) == pytest.approx(delta, rel=1e-12)


@pytest.mark.parametrize("w", [0.0, 0.01, 0.8, -3.0])
@pytest.mark.parametrize("hopping", [-1.0, -2.5])
def test_products_of_determinants_at_equal_hopping_and_rate(hopping, w):
    """(S47), (S48) at ``t_S = -gamma_-`` are exact; lambda = w - 2i t, printed -(w + 2i t)."""
    sites, rate = 11, -hopping
    delta = leading_determinants(inverse_green_function(sites, hopping, rate, w))
    energies = np.linalg.eigvals([[w + 2j * rate, rate**2 - hopping**2], [1, 0]])
    assert np.sort(abs(energies)) == pytest.approx(np.sort([0, abs(w - 2j * hopping)]), abs=1e-12)
    assert energies[np.argmax(abs(energies))] == pytest.approx(w - 2j * hopping)
    printed = -(w + 2j * hopping)
    assert (energies[np.argmax(abs(energies))] == pytest.approx(printed)) == (w == 0)
    j = np.arange(1, sites)
    products = delta[j - 1] * (hopping * delta[j - 1].conj() + 0.5j * delta[j].conj())
    square = w**2 + (4 * hopping - GAMMA) ** 2 / 4
    step = w**2 + 4 * hopping**2
    assert products[0] == pytest.approx(GAMMA / 4 + 0.5j * w)
    expected = 0.5j * w * square * step ** (j - 2.0)
    assert np.all(abs(products - expected)[1:] <= 1e-12 * abs(delta[j] * delta[j - 1])[1:])
    assert abs(delta[-1]) ** 2 == pytest.approx(square**2 * step ** (sites - 2))
    powers = (-2 * hopping) ** (2 * sites - 2 * j - 1.0)
    found = 4 * rate * GAMMA * np.sum(powers * products.real) / abs(delta[-1]) ** 2
    exact = reference_transmission(with_bond_loss(sites, hopping, rate), [w])[0][0]
    assert found == pytest.approx(exact, rel=1e-10)


def at_equal_rates(w, hopping, sites, opposite=False):
    """First form of (S49) and (S50) for ``|t_S| = gamma_-``; ``opposite`` is the print of (S50)."""
    total = 4 * abs(hopping) - GAMMA if opposite else 4 * abs(hopping) + GAMMA
    prefactor = 2 * hopping**2 * GAMMA**2 / (w**2 + total**2 / 4) ** 2
    return -np.sign(hopping) * prefactor * (1 + w**2 / (4 * hopping**2)) ** (2 - sites)


@pytest.mark.parametrize("hopping", [-1.0, 1.0, -2.5])
def test_equal_hopping_and_rate_is_exact_at_all_energies(hopping):
    """(S49) is no low-energy limit; (S50) needs 4|t| + Gamma, printed 4t - Gamma."""
    w = np.linspace(-2, 2, 9)
    tau, _ = reference_transmission(with_bond_loss(30, hopping, abs(hopping)), w)
    assert tau == pytest.approx(at_equal_rates(w, hopping, 30), rel=1e-10)
    if hopping > 0:
        assert tau[4] == pytest.approx(-0.0572, abs=1e-4)
        assert at_equal_rates(0.0, hopping, 30, opposite=True) == pytest.approx(-0.547, abs=1e-3)


@pytest.mark.parametrize("hopping", [-1.0, 1.0])
def test_equal_hopping_and_rate_integrated(hopping):
    found = steady_currents(with_bond_loss(60, hopping, mu=0.12, temperature=0.0))

    def integrand(w):
        value = at_equal_rates(w, hopping, 60)[None]
        return value, abs(value)

    exact = integrate(integrand, line_mesh((-9, 9), limits=(-np.inf, 0.12)), rtol=1e-12)
    assert_equals(
        H * found.reference_particle_current.value,
        H * found.reference_particle_current.error,
        exact.value[0],
        exact.error[0],
    )


def test_asymptotic_form_has_no_factor_e_squared():
    """Second form of (S49): (1 + x)^(2-N) -> exp(-(N-2) x), printed e^2 exp(-N x)."""
    sites, w = 400, 0.02
    tau, _ = reference_transmission(with_bond_loss(sites, -1.0), [w])
    prefactor = 2 * GAMMA**2 / (w**2 + (4 + GAMMA) ** 2 / 4) ** 2
    assert tau[0] == pytest.approx(prefactor * np.exp(-(sites - 2) * w**2 / 4), rel=1e-5)
    printed = prefactor * np.exp(2) * np.exp(-sites * w**2 / 4)
    assert printed / tau[0] == pytest.approx(np.exp(2), rel=1e-3)


def test_current_of_a_long_skin_chain():
    """(S51): amplitude A |t| sqrt(pi/N) [1 + erf(mu sqrt(N) / 2|t|)]; printed 9 times larger."""
    sites, mu = 800, 0.12
    system = with_bond_loss(sites, -1.0, mu=mu, temperature=0.0)
    exact = H * steady_currents(system).reference_particle_current.value
    amplitude = 2 * GAMMA**2 / (2 + GAMMA / 2) ** 4
    corrected = amplitude * np.sqrt(np.pi / sites) * (1 + erf(mu * np.sqrt(sites) / 2))
    printed = np.sqrt(np.pi / (4 * sites)) * (1 + erf(mu * np.sqrt(sites)))
    assert exact == pytest.approx(0.0071205, abs=5e-8)
    assert corrected == pytest.approx(0.0071144, abs=5e-8)
    assert printed == pytest.approx(0.0627, abs=1e-4)


def test_width_of_the_skin_transmission():
    """Text below (S50): exp(-N w^2 gamma_-/4|t|^3), not exp(-N w^2/4t^2), away from |t| = gamma."""
    hopping, w = 3.0, 0.3
    taus = [
        reference_transmission(with_bond_loss(sites, hopping), [w])[0][0] for sites in (400, 800)
    ]
    width = np.log(taus[0] / taus[1]) / (400 * w**2)
    assert width == pytest.approx(1 / (4 * hopping**3), rel=0.03)
    assert width != pytest.approx(1 / (4 * hopping**2), rel=0.5)


def test_order_of_the_lead_reservoir_trace():
    """(8) with G P G^+: only this order conserves particles when reciprocity is broken."""
    system = with_bond_loss(20, 3.0, temperature=0.0)
    table = transmission(system, [0.2])[..., 0]
    absorbed = [table[lead].sum() for lead in (0, 1)]
    emitted = [table[:, lead].sum() for lead in (0, 1)]
    assert absorbed == pytest.approx(emitted, rel=1e-12)
    swapped = table[0, 1] + table[2, 0]
    assert swapped != pytest.approx(absorbed[0], rel=0.05)
