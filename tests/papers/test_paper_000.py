"""Paper extended-landauer-buttiker: reference numbers at its parameters, and its formulas.

Numbers are in the paper's h = 1, 2 pi times ours.  Each was computed in two other ways (dense
inverse with adaptive quadrature; eigen-decomposition).  Where a printed formula is wrong, the test
shows that the printed form fails and the corrected one holds.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erf

from nessflow.scattering.currents import (
    disorder_susceptibility,
    reference_transmission,
    response_transmission,
    steady_currents,
    transmission,
)
from nessflow.scattering.lattice import bond_rates, chain, onsite_rates
from nessflow.scattering.occupation import fermi
from nessflow.scattering.quadrature import integrate, line_mesh
from nessflow.scattering.system import OpenSystem, WideBandLead

H = 2 * np.pi
GAMMA = 1.1


def wide_leads(sites, mu=0.1, temperature=1e-4, bias=0.0):
    return (
        WideBandLead("left", 0, GAMMA, mu + bias, temperature),
        WideBandLead("right", sites - 1, GAMMA, mu, temperature),
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
    value = getattr(found, f"{part}_particle_current")
    error = getattr(found, f"{part}_particle_current_error")
    assert found.converged
    assert abs(found.conservation_defect) <= found.conservation_allowance
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
    allowance = one.net_particle_current_error + other.net_particle_current_error
    assert abs(one.net_particle_current + other.net_particle_current) <= allowance


def fig_2a(mu_over_temperature, ratio=2.0):
    """J_LS of fig 2(a): J itself is 0 by inversion symmetry."""
    system = with_rates(40, 0.2, 0.2 * ratio, mu=20 * mu_over_temperature, temperature=20.0)
    return steady_currents(system)


def test_gain_against_loss():
    found = fig_2a(1.0)
    value, error = found.reservoir_particle_current, found.reservoir_particle_current_error
    assert_equals(H * value[0], H * error[0], 0.12891146005105536)
    assert abs(found.net_particle_current) <= found.net_particle_current_error < 1e-13


def test_zero_of_the_lead_reservoir_current():
    zero = brentq(lambda x: fig_2a(x).reservoir_particle_current[0], 0.5, 1.0, xtol=1e-14)
    assert zero == pytest.approx(0.7119866043650588, rel=1e-11)


@pytest.mark.parametrize(
    ("ratio", "distance"),
    [(0.5, -0.010817), (1.5, 0.009378), (2.0, 0.018840), (3.0, 0.039008), (4.0, 0.061162)],
)
def test_zero_lies_at_the_logarithm_of_the_ratio(ratio, distance):
    """Text: "the curve gamma_g/gamma_l = mu/kT"; its own ln(Q/P) is right, up to the tails."""
    found = fig_2a(np.log(ratio) + distance, ratio).reservoir_particle_current[0]
    assert abs(H * found) < 1e-6
    printed = fig_2a(ratio, ratio).reservoir_particle_current[0]
    assert abs(H * printed) > 0.05


@pytest.mark.parametrize(
    ("sites", "golden", "golden_error"),
    [(100, 0.09757555273738523, 2e-9), (2, 0.01875813779956958, 1.2e-13)],
)
def test_weak_disorder(sites, golden, golden_error):
    """Fig 2(d): <J^2> / V^2 -> (1/3) sum_j (dJ/dV_j)^2, exponent exactly 2."""
    slope, slope_error = disorder_susceptibility(with_rates(sites, 0.1))
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
    assert H * found.reference_particle_current == pytest.approx(reference, abs=1e-4)
    assert H * found.response_particle_current == pytest.approx(0.15625, abs=1e-5)
    assert (found.net_particle_current > 0) == (sites > 75)


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
    exact = steady_currents(with_rates(2, {1: rate}, temperature=0.0)).net_particle_current
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
        H * found.reference_particle_current,
        H * found.reference_particle_current_error,
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
    exact = H * steady_currents(system).reference_particle_current
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
