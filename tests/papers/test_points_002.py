"""Reference numbers of paper weak-coupling-rectification through its studies, as `nessflow point`.

Numbers at other parameters than the paper's come from double sums over all pairs of modes and an
integration in time, made here.
"""

import numpy as np
import pytest
from one_point import point
from scipy.integrate import solve_ivp

from nessflow.errors import ConfigError


def value(result, name, part="value"):
    return np.array(result["observables"][name][part], dtype=float)


def assert_number(result, name, golden, index=()):
    entry = result["observables"][name]
    found, error = np.array(entry["value"])[index], np.array(entry["error"])[index]
    assert abs(found - golden) <= max(1e-9 * abs(golden), 1e-13)
    assert abs(found - golden) <= error + 1e-11


def test_relaxation():
    result = point("gibbs-relaxation")
    time = np.array(result["coordinates"]["elapsed_time"])
    k = np.array(result["coordinates"]["momentum"])
    for at, momentum, golden in ((10, 0.0, -2.68043611920944), (40, -np.pi, 3.93642380550555)):
        index = np.argmin(abs(time - at)), np.argmin(abs(k - momentum)), 0
        assert time[index[0]] == pytest.approx(at)
        found = value(result, "lagrange_parameter")[index]
        assert found == pytest.approx(golden, rel=1e-9)


@pytest.mark.parametrize(
    ("share", "golden"),
    [(0.5, 0.0351936624472003), (0.9, 0.0495742081660051), (1, 0.0524399960412883)],
)
def test_nonreciprocal_current(share, golden):
    result = point("nonreciprocal-current", f"gamma_neq={share}")
    assert_number(result, "particle_current", golden)


def test_fluctuations():
    result = point("nonreciprocal-current", "gamma_neq=0.5")
    assert_number(result, "current_variance", 0.332353293030665)
    assert_number(result, "ensemble_variance", 0.356038084781867)


def test_nonreciprocal_lagrange_parameter():
    result = point("nonreciprocal-occupations", "gamma_neq=0.5")
    k = np.array(result["coordinates"]["momentum"])
    index = np.argmin(abs(k - np.pi / 2)), 0
    assert_number(result, "lagrange_parameter", -0.0484865672710935, index)


@pytest.mark.parametrize(
    ("gamma_up", "share", "total", "of_up"),
    [
        (1.0, 0.5, 0.0373611943852278, 0.00193840013885056),
        (1.0, 0.9, 0.0971945066899241, 0.0210632538772585),
        (0.5, 0.5, 0.0, -0.0170589904403443),
        (0.0, 0.5, -0.0373611943852275, -0.0354227942463772),
    ],
)
def test_dephasing(gamma_up, share, total, of_up):
    result = point("rashba-current", f"gamma_up={gamma_up}", f"gamma_neq={share}")
    assert_number(result, "particle_current", total)
    assert_number(result, "orbital_current", of_up, 0)


def test_entropy_under_dephasing():
    result = point("rashba-current", "gamma_up=1", "gamma_neq=0.9")
    assert_number(result, "entropy_production", 0.0666992393428699)
    assert_number(result, "bath_entropy_production", 0.0666992393428699)
    assert value(result, "heat_current") == pytest.approx(-0.0666992393428699 / 2)


def test_occupation_under_dephasing():
    result = point("rashba-occupations", "gamma_up=1", "gamma_neq=0.9")
    k = np.array(result["coordinates"]["momentum"])
    index = np.argmin(abs(k + np.pi / 2)), 1
    assert_number(result, "occupation", 0.0896155785530937, index)


def test_peak():
    result = point("peak-current", "model=dephasing", "T=0.5", "f=0.5")
    assert value(result, "peak_particle_current") == pytest.approx(0.134770, abs=5e-7)
    assert value(result, "peak_nonequilibrium_share") == pytest.approx(0.98591, abs=5e-6)


@pytest.mark.parametrize(
    ("study", "worst", "largest"),
    [
        (
            "rashba-current-field",
            {"h": 3 / 59, "gamma_neq": 0.96},
            {"h": 63 / 59, "gamma_neq": 0.99},
        ),
        ("rashba-current-orbit", {"h": 3 / 41, "alpha_y": 2.0}, {"h": 3.0, "alpha_y": -2.0}),
        ("peak-current", {"model": "dephasing", "T": 0.125, "f": 0.3}, {"T": 0.5, "f": 0.5}),
    ],
)
def test_maps_have_rings_long_enough(study, worst, largest):
    """Where bands come close to each other, and in the cold, 100 cells are off by up to 66 %."""
    largest = worst | largest
    name = "peak_particle_current" if study == "peak-current" else "particle_current"
    error = value(point(study, **worst), name, "error")
    assert 0 < error < 0.01 * abs(value(point(study, **largest), name))
    short = point(study, **worst, **{"ring.length": 100})
    assert abs(value(short, name, "error")) > 4 * error


def test_conditions_on_random_dissipators():
    """(14) holds for all of them; inversion and particle-hole symmetry forbid the current."""
    for draw in range(5):
        for symmetry in ("none", "reciprocal", "inversion", "particle-hole"):
            result = point("current-conditions", f"symmetry={symmetry}", f"draw={draw}")
            current = abs(value(result, "particle_current"))
            assert value(result, "printed_asymmetry") > 0.05
            if symmetry in ("inversion", "particle-hole"):
                assert current < 1e-14
            else:
                assert current > 1e-5
            if symmetry != "inversion":
                assert value(result, "inversion_asymmetry") > 0.01


# --- other parameters, by brute force -------------------------------------------------------------


def steady_by_time(rates, filling):
    """Occupations long after the start, rates[a, b] from a to b."""

    def slope(t, n):
        return (1 - n) * (n @ rates) - n * (rates @ (1 - n))

    span = 2000 / np.median(rates.sum(axis=0))
    start = np.full(len(rates), filling)
    done = solve_ivp(slope, (0, span), start, method="LSODA", rtol=1e-12, atol=1e-14)
    return done.y[:, -1]


def test_another_nonreciprocal_ring():
    length, beta, share, filling = 17, 1.1, 0.37, 0.31
    delta, delta_prime, hopping = 0.7 - 0.4j, -0.3 + 1.2j, 0.8
    k = 2 * np.pi * (np.arange(length) - length // 2) / length  # periodic
    e = -2 * hopping * np.cos(k)
    driven = np.outer(
        abs(1 - delta_prime * np.exp(1j * k)) ** 2, abs(1 + delta * np.exp(-1j * k)) ** 2
    )
    rates = (1 - share) * np.exp(beta * (e[:, None] - e) / 2) + share * driven
    n = steady_by_time(rates, filling)
    result = point(
        "nonreciprocal-current",
        *(f"ring.length={length}", f"ring.inverse_temperature={beta}", f"gamma_neq={share}"),
        *("ring.dissipator.delta=[0.7, -0.4]", "ring.dissipator.delta_prime=[-0.3, 1.2]"),
        *(f"ring.bands.hopping={hopping}", f"ring.filling={filling}"),
    )
    expected = 2 * hopping * np.sin(k) @ n / length
    assert value(result, "particle_current") == pytest.approx(expected, rel=1e-9)


def test_another_ring_with_spin():
    length, beta, share, filling = 14, 0.9, 0.66, 0.42
    ay, az, h, up, hopping = 0.6, -0.35, -0.8, 0.25, 1.2
    k = -np.pi + 2 * np.pi * np.arange(length) / length
    x, z = 2 * ay * np.sin(k) + h, 2 * az * np.sin(k)
    r = np.hypot(x, z)
    e = np.concatenate([-2 * hopping * np.cos(k) - r, -2 * hopping * np.cos(k) + r])
    weight = np.concatenate([(1 - x / r) / 2, (1 + x / r) / 2])
    dr = (x * 2 * ay + z * 2 * az) * np.cos(k) / r
    v = np.concatenate([2 * hopping * np.sin(k) - dr, 2 * hopping * np.sin(k) + dr])
    driven = up * np.outer(weight, weight) + (1 - up) * np.outer(1 - weight, 1 - weight)
    n = steady_by_time((1 - share) * np.exp(beta * (e[:, None] - e) / 2) + share * driven, filling)
    result = point(
        "rashba-current",
        *(f"ring.length={length}", f"ring.inverse_temperature={beta}", f"gamma_neq={share}"),
        *(f"ring.bands.alpha_y={ay}", f"ring.bands.alpha_z={az}", f"ring.bands.zeeman={h}"),
        *(f"ring.bands.hopping={hopping}", f"ring.filling={filling}", f"gamma_up={up}"),
    )
    assert value(result, "particle_current") == pytest.approx(v @ n / length, rel=1e-9)


def test_any_bands_and_operators():
    """The chain and its dissipator written out as matrices."""
    result = point(
        "nonreciprocal-current",
        "ring.bands={kind: bloch, onsite: [[0]], hoppings: {1: [[-1]]}}",
        "ring.dissipator={kind: local, matrices: [[[1, -1-0.5j], [1+1j, -0.5-1.5j]]]}",
        "gamma_neq=0.5",
    )
    assert_number(result, "particle_current", 0.0351936624472003)


def test_a_process_without_reverse_is_named():
    result = point("nonreciprocal-current", "ring.dissipator.delta=[1, 0]", "gamma_neq=0.5")
    entry = result["observables"]["entropy_production"]
    assert entry["value"] is None
    assert "process without reverse" in entry["undefined"]


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "override", "message"),
    [
        ("nonreciprocal-current", "nonequilibrium_share=1.2", "expected a number <= 1"),
        ("nonreciprocal-current", "nonequilibrium_share=-0.1", "expected a number >= 0"),
        ("nonreciprocal-current", "ring.filling=0", "expected a number > 0"),
        ("nonreciprocal-current", "ring.filling=1", "expected a number < 1"),
        ("nonreciprocal-current", "ring.inverse_temperature=1000", "rates of the equilibrium bath"),
        ("rashba-current", "ring.bands.zeeman=0", "two bands touch at the momentum"),
        ("rashba-current", "ring.dissipator.rates=[0, 0]", "all are zero"),
        ("rashba-current", "ring.dissipator.rates=[1]", "1 rates for 2 orbitals"),
        (
            "nonreciprocal-current",
            "ring.bands={kind: bloch, onsite: [[0.2j]], hoppings: {1: [[-1]]}}",
            "the bands are complex",
        ),
        (
            "nonreciprocal-current",
            "ring.dissipator={kind: local, matrices: [[[0, 0], [0, 0]]]}",
            "cannot be normalised",
        ),
    ],
)
def test_one_message_for_each_fault(study, override, message):
    with pytest.raises(ConfigError, match=message) as caught:
        point(study, override)
    assert len(caught.value.problems) == 1
