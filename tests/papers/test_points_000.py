"""Reference numbers of paper 000 through the studies, as `nessflow point` gives them.

The reference currents have h = 1: 2 pi times those with hbar = 1.
"""

import math

import numpy as np
import pytest
from one_point import point

H = 2 * math.pi


def net(result):
    entry = result["observables"]["net_particle_current"]
    return entry["value"], entry["error"]


SINE = [math.sin(1.3 * j**2) for j in range(1, 101)]

NET_CURRENTS = {
    "two sites, loss on the first": (
        0.06585292037462841,
        ("two-site-monitoring", {"monitored": "first", "gamma_0": 0.1}),
    ),
    "two sites, loss on the second": (
        -0.28586023259095117,
        ("two-site-monitoring", {"monitored": "second", "gamma_0": 0.5}),
    ),
    "five sites, loss on the second": (
        6.622250620402781e-05,
        ("five-site-monitoring", {"monitored": "second", "gamma_0": 0.1}),
    ),
    "explicit potential": (
        -0.16262305863271875,
        ("disorder-current", {"system.disorder": None, "system.lattice.onsite": SINE}),
    ),
}


@pytest.mark.parametrize("name", NET_CURRENTS)
def test_net_current(name):
    reference, (study, settings) = NET_CURRENTS[name]
    value, error = net(point(study, **settings))
    assert abs(H * value - reference) <= min(1e-8 * abs(reference), H * error + 1e-13)


def test_exchange_with_gain_and_loss():
    result = point("gain-loss-balance", ratio=2, mu_over_T=1)
    exchange = result["observables"]["reservoir_particle_current"]
    assert H * exchange["value"][0] == pytest.approx(0.12891146005105536, rel=1e-8)
    value, error = net(result)
    assert abs(value) <= error


def test_zero_line():
    result = point("gain-loss-zero-line", ratio=2)
    zero = result["observables"]["reduced_chemical_potential"]
    assert zero["value"] == pytest.approx(0.7119866043650588, rel=1e-8)
    assert abs(zero["value"] - 0.7119866043650588) <= zero["error"] + 1e-14


@pytest.mark.parametrize(
    ("sites", "reference", "tolerance"),
    [(100, 0.09757555273738523, 2e-9), (2, 0.01875813779956958, 2e-10)],
)
def test_weak_disorder_limit(sites, reference, tolerance):
    result = point("weak-disorder-limit", N=sites)
    entry = result["observables"]["net_particle_current_mean_square_coefficient"]
    assert abs(H**2 * entry["value"] - reference) <= tolerance


def test_spectra_of_the_skin_effect():
    result = point("skin-effect-spectra", t_S=3, energies={"start": 0.5, "stop": 1, "points": 2})
    spectra = result["observables"]
    assert spectra["loss_transmission"]["value"][0] == pytest.approx(
        -0.041953917117430656, rel=1e-8
    )
    assert spectra["response_transmission"]["value"][0] == pytest.approx(
        0.2117657171431835, rel=1e-8
    )


@pytest.mark.parametrize(
    ("sites", "reference", "response"),
    [
        (20, -0.09995450380653967, 0.127139764322177),
        (80, -0.056809051417165676, 0.1271397303961255),
    ],
)
def test_currents_of_the_skin_effect(sites, reference, response):
    observables = point("skin-effect-size", boundary="with", N=sites)["observables"]
    for name, expected in (
        ("reference_particle_current", reference),
        ("response_particle_current", response),
    ):
        entry = observables[name]
        assert abs(H * entry["value"] - expected) <= 1e-8 * abs(expected)
        assert abs(H * entry["value"] - expected) <= H * entry["error"] + 1e-12


def test_terminal_currents_add_to_zero():
    result = point("gain-loss-balance", ratio=0.5, mu_over_T=-1)
    current = result["observables"]["particle_current"]
    assert abs(np.sum(current["value"])) <= np.sum(current["error"])
