"""Fig 3 of paper extended-landauer-buttiker: conductances and the Wiedemann-Franz law.

Reference numbers have h = 1, 2 pi times ours, and heat counted from the fixed mu (S35).
"""

from dataclasses import replace

import numpy as np
import pytest
from one_point import point

from attached import wide_band_at
from lattices import chain, onsite_rates
from nessflow.errors import ConfigError
from nessflow.scattering.currents import steady_currents
from nessflow.scattering.linear_response import (
    LORENZ_NUMBER,
    linear_response,
    logarithmic_derivatives,
    sommerfeld_lorenz_ratio,
)
from nessflow.systems.system import OpenSystem

H = 2 * np.pi
GAMMA = 1.1


def dissipative_chain(sites=80, rate=0.0, mu=0.0, temperature=0.04):
    """Equal loss and gain on each site, leads alike."""
    rates = onsite_rates(np.full(sites, rate))
    leads = [
        wide_band_at(name, site, GAMMA, mu, temperature)
        for name, site in (("left", 0), ("right", sites - 1))
    ]
    return OpenSystem(chain(sites, 1.0, 0.0), rates, rates, leads)


def assert_equals(value, error, golden):
    assert value == pytest.approx(golden, rel=1e-8)
    assert abs(value - golden) <= error + 1e-11 * golden


@pytest.mark.parametrize(
    ("mu", "rate", "golden"),
    [
        (0.0, 0.0, 0.8438739214550603),
        (4.0, 0.0, 2.8653351566783506e-23),
        (4.0, 0.1, 0.016341744753962745),
    ],
)
def test_electrical_conductance(mu, rate, golden):
    found = linear_response(dissipative_chain(rate=rate, mu=mu))
    assert found.converged
    assert_equals(
        H * found.electrical_conductance.value, H * found.electrical_conductance.error, golden
    )


def test_thermal_conductance():
    found = linear_response(dissipative_chain())
    assert_equals(
        H * found.thermal_conductance.value,
        H * found.thermal_conductance.error,
        0.11085917534252192,
    )


@pytest.mark.parametrize(
    ("mu", "rate", "golden"),
    [
        (2.0, 0.0, 0.0703818156859348),
        (4.0, 0.0, 0.059381341477512),
        (4.0, 0.1, 0.13198083998028215),
    ],
)
def test_ratio_of_the_conductances(mu, rate, golden):
    """Independent of h: K/G."""
    found = linear_response(dissipative_chain(rate=rate, mu=mu))
    assert_equals(0.04 * found.lorenz_ratio.value, 0.04 * found.lorenz_ratio.error, golden)
    assert found.thermal_conductance.value / found.electrical_conductance.value == pytest.approx(
        0.04 * found.lorenz_ratio.value, rel=1e-14
    )


@pytest.mark.parametrize(
    ("mu", "clean", "weak", "strong"),
    [(0.0, 0.998, 0.998, 0.999), (2.0, 0.535, 0.821, 0.990), (4.0, 0.451, 1.003, 1.003)],
)
def test_gain_and_loss_restore_the_wiedemann_franz_law(mu, clean, weak, strong):
    """At the band edge and outside, T = 0.04."""
    for rate, expected in ((0.0, clean), (0.01, weak), (0.1, strong)):
        found = linear_response(dissipative_chain(rate=rate, mu=mu)).lorenz_ratio.value
        assert found / LORENZ_NUMBER == pytest.approx(expected, abs=6e-4)


def test_gain_and_loss_halve_the_conductance_in_the_band():
    found = linear_response(dissipative_chain(rate=0.1))
    assert H * found.electrical_conductance.value == pytest.approx(0.4436, abs=5e-5)


@pytest.mark.parametrize(("temperature", "ratio"), [(0.01, 5.74), (0.005, 1.117)])
def test_tunnelling_through_a_finite_chain_obeys_the_law_again(temperature, ratio):
    """mu = 4 without gain and loss: tau_1(mu) of 1e-92 beats exp(-2/T) at low temperature."""
    found = linear_response(dissipative_chain(mu=4.0, temperature=temperature))
    assert found.lorenz_ratio.value / LORENZ_NUMBER == pytest.approx(ratio, rel=1e-3)


def test_the_law_holds_in_the_band_at_low_temperature():
    """Above the level spacing of 80 sites and below the band width."""
    found = linear_response(dissipative_chain(temperature=0.02)).lorenz_ratio.value
    assert found / LORENZ_NUMBER == pytest.approx(1.0, abs=0.05)
    dissipative = linear_response(dissipative_chain(rate=0.1, temperature=1e-3)).lorenz_ratio.value
    assert dissipative / LORENZ_NUMBER == pytest.approx(1.0, abs=1e-5)


# --- formulas ---


def slopes(system, name):
    """d/d mu_L and T d/dT_L of a net current, by fourth-order differences, h = 1."""
    left, right = system.leads

    def current(**change):
        changed = replace(system, leads=(replace(left, **change), right))
        return H * name(changed, steady_currents(changed))

    def derivative(key, at, step):
        pairs = [
            (current(**{key: at + n * step}) - current(**{key: at - n * step})) / (2 * n * step)
            for n in (1, 2)
        ]
        return (4 * pairs[0] - pairs[1]) / 3

    temperature = left.temperature
    return (
        derivative("chemical_potential", left.chemical_potential, 0.02 * temperature),
        temperature * derivative("temperature", temperature, 0.02 * temperature),
    )


def integrals(system):
    """I_0, I_1 and I_2 of (S35), h = 1."""
    found = linear_response(system)
    i_0 = H * found.electrical_conductance.value
    i_1 = i_0 * found.peltier_coefficient.value
    return (
        i_0,
        i_1,
        H * found.thermal_conductance.value * system.leads[0].temperature + i_1**2 / i_0,
    )


def test_heat_from_a_fixed_potential_gives_the_onsager_matrix():
    """(12), (S32): printed dJ^0 - mu dJ^1; dJ^1 - mu dJ^0 gives L_21 = L_12 (E1)."""
    mu = 1.0
    system = dissipative_chain(6, 0.1, mu)
    i_0, i_1, i_2 = integrals(system)
    charge = slopes(system, lambda _, found: found.net_particle_current.value)
    energy = slopes(system, lambda _, found: found.net_energy_current.value)
    assert charge == pytest.approx((i_0, i_1), rel=1e-5, abs=1e-8)
    heat = [energy[k] - mu * charge[k] for k in range(2)]
    assert heat == pytest.approx((i_1, i_2), rel=1e-5, abs=1e-8)
    assert i_1 == pytest.approx(0.000378, abs=5e-7)
    off_centre = dissipative_chain(6, 0.1, 0.7)
    _, i_1, _ = integrals(off_centre)
    printed = slopes(
        off_centre,
        lambda _, found: found.net_particle_current.value - 0.7 * found.net_energy_current.value,
    )
    assert printed[0] != pytest.approx(i_1, rel=0.5)


def test_heat_from_its_own_potential_has_a_further_term():
    """(S3), (S4) into (S32): d J^Q/d mu_L = I_1 - J_L,ref/2, not I_1 (E2)."""

    def heat(system, found):
        out = (
            found.particle_current.value[0],
            -found.particle_current.value[1],
        )  # (S2): J_R into the right lead
        mu = [lead.chemical_potential for lead in system.leads]
        return found.net_energy_current.value - 0.5 * (mu[0] * out[0] + mu[1] * out[1])

    system = dissipative_chain(6, 0.1, 1.0)
    i_0, i_1, i_2 = integrals(system)
    by_mu, by_temperature = slopes(system, heat)
    found = linear_response(system)
    assert by_mu == pytest.approx(-0.318271, abs=1e-6)
    assert by_mu != pytest.approx(i_1, rel=0.5)
    assert i_1 - H * found.reference_current.value / 2 == pytest.approx(by_mu, rel=1e-6)
    assert H * found.reference_current.value / 2 == pytest.approx(0.318648, abs=1e-6)
    assert by_temperature == pytest.approx(i_2, rel=1e-5)
    assert by_mu / i_0 == pytest.approx(found.peltier_coefficient_own_potential.value, rel=1e-6)
    determinant = i_0 * by_temperature - i_1 * by_mu
    assert determinant / (i_0 * 0.04) == pytest.approx(
        H * found.thermal_conductance_own_potential.value, rel=1e-5
    )


@pytest.mark.parametrize(
    ("mu", "corrected", "printed"), [(1.0, -1.376, -0.131), (4.0, 1.492, -1.017)]
)
def test_sommerfeld_expansion_needs_the_second_derivative(mu, corrected, printed):
    """(S37) drops (8 pi^2/15) T^2 tau''/tau; coefficient of T^2 in the Lorenz ratio (E3)."""
    (slope, _), _ = logarithmic_derivatives(dissipative_chain(6, 0.3, mu), mu)
    assert -(np.pi**2) / 3 * slope**2 == pytest.approx(printed, abs=6e-4)
    temperature = 0.01
    system = dissipative_chain(6, 0.3, mu, temperature)
    exact, expanded = linear_response(system).lorenz_ratio.value, sommerfeld_lorenz_ratio(system)[0]
    exact, expanded = ((x / LORENZ_NUMBER - 1) / temperature**2 for x in (exact, expanded))
    assert expanded == pytest.approx(corrected, abs=6e-4)
    assert exact == pytest.approx(corrected, abs=1e-2)
    assert exact != pytest.approx(printed, rel=0.5)


# --- through the studies ---


def test_conductances_of_the_study():
    found = point("wiedemann-franz-potential", mu=4, dissipation="gain-and-loss")["observables"]
    conductance = found["electrical_conductance"]
    assert conductance["units"] == "e^2/hbar"
    assert_equals(H * conductance["value"], H * conductance["error"], 0.016341744753962745)


def test_ratio_of_the_study():
    result = point("wiedemann-franz-temperature", mu=4, T=0.04, dissipation="no-gain-or-loss")
    found = result["observables"]
    ratio = found["conductance_ratio"]
    assert_equals(ratio["value"], ratio["error"], 0.059381341477512)
    law = found["wiedemann_franz_conductance_ratio"]["value"]
    assert law == pytest.approx(0.04 * LORENZ_NUMBER)


def test_leads_that_differ_are_refused_where_they_are_written():
    with pytest.raises(ConfigError, match="leads of equal temperature") as caught:
        point("wiedemann-franz-potential", **{"system.leads.right.temperature": 0.1})
    assert "steady-current" in str(caught.value)
