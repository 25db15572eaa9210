"""Reference numbers of paper 003 through the studies, as `nessflow point` gives them."""

import math

import numpy as np
import pytest
from one_point import point

from nessflow.errors import ConfigError

EQUATIONS = ["exact", "epa", "local", "global", "local-broadened", "global-broadened"]


def value(result, name):
    return np.array(result["observables"][name]["value"], float)


def by_equation(result, name):
    found, order = value(result, name), result["coordinates"]["equation"]
    return dict(zip(order, found, strict=True))


@pytest.mark.parametrize(
    ("ratio", "x", "reference"),
    [
        (0.02, 0.065, 0.0673273051543195),
        (0.2, 0.065, 0.0785461101666332),
        (2, 0.1, 0.050745054319155),
    ],
)
def test_transmission(ratio, x, reference):
    energies = {"start": x, "stop": 0.17, "points": 2}
    result = point("two-site-transmission", ratio=ratio, energies=energies)
    assert value(result, "transmission")[0] / (2 * math.pi) == pytest.approx(reference, rel=1e-12)


def test_ratio_of_the_transmissions():
    """With levels of equal widths the ratio is 2 between them, however weak the coupling."""
    energies = {"start": 0.1, "stop": 0.17, "points": 2}
    result = point("two-site-transmission", ratio=1e-4, energies=energies)
    assert value(result, "transmission_ratio")[0] == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("temperature", [0.001, 0.005, 0.01])
def test_error_of_the_relaxation_beside_a_band_edge(temperature):
    """Beside an edge energies turn fastest at the far end of a panel."""
    lead = {"temperature": temperature}
    result = point(
        "two-site-relaxation",
        network={"sites": 2, "energy": 0.3, "detuning": 0.3, "tunnelling": 0.7},
        reservoirs={
            "bandwidth": 3.0,
            "coupling": 0.3,
            "left": {"chemical_potential": 0.9} | lead,
            "right": {"chemical_potential": -0.4} | lead,
        },
        times={"stop": 1, "points": 2},
    )
    assert np.max(result["observables"]["occupation"]["error"]) < 1e-10
    # Sommerfeld's expansion about temperature 0.
    expected = 0.33944348 - 0.1196 * temperature**2
    assert value(result, "occupation")[0, 1, 0] == pytest.approx(expected, abs=3e-8)


@pytest.mark.parametrize(
    ("statistics", "potential", "temperature"), [("fermions", -3.0, 1e-5), ("bosons", -3.00001, 50)]
)
def test_relaxation_with_an_occupation_that_ends_at_the_band_edge(
    statistics, potential, temperature
):
    reservoir = {"chemical_potential": potential, "temperature": temperature}
    result = point(
        "two-site-relaxation",
        statistics=statistics,
        network={"sites": 2, "energy": 0.3, "detuning": 0.0, "tunnelling": 0.7},
        reservoirs={"bandwidth": 3.0, "coupling": 0.3, "left": reservoir, "right": reservoir},
        times={"stop": 1, "points": 2},
    )
    occupation = result["observables"]["occupation"]
    size = 1e-3 + np.max(occupation["value"])
    assert np.max(occupation["error"]) < 1e-9 * size


def test_relaxation_that_takes_very_long_is_refused():
    with pytest.raises(
        ConfigError, match=r"times.stop = 5: .*an earlier time, a stronger coupling"
    ):
        point("two-site-relaxation", **{"reservoirs.coupling": 1e-4})


@pytest.mark.parametrize(
    ("driving", "exact_c22", "exact_real", "epa_real"),
    [
        ("potential", 0.210655920862653, 0.0488330269776257, 0.0489357274815575),
        ("temperature", None, None, 0.0409805207739927),
    ],
)
def test_relaxation(driving, exact_c22, exact_real, epa_real):
    result = point("two-site-relaxation", driving=driving, times={"stop": 1, "points": 2})
    assert result["coordinates"]["equation"] == ["exact", "epa", "local", "global"]
    real = value(result, "correlation_real")[:, 1]
    assert real[1, 0, 1] == pytest.approx(epa_real, abs=1e-10)
    if exact_c22:
        assert real[0, 1, 1] == pytest.approx(exact_c22, abs=1e-9)
        assert real[0, 0, 1] == pytest.approx(exact_real, abs=1e-9)


def test_relaxation_to_the_steady_state():
    settings = {"times": {"stop": 20, "points": 2}, "reservoirs.bandwidth": 20}
    result = point("two-site-relaxation", driving="potential", **settings)
    steady = point(
        "master-equation-points",
        failure="rates",
        **{
            "network.detuning": 0.1,
            "reservoirs.bandwidth": 20,
            "reservoirs.coupling": 0.2,
            "reservoirs.left": {"chemical_potential": 1.0, "temperature": 0.1},
            "reservoirs.right": {"chemical_potential": 0.0, "temperature": 0.1},
        },
    )
    reached = by_equation(result, "population")
    for equation, expected in by_equation(steady, "population").items():
        if equation in reached:
            assert abs(reached[equation][1] - expected).max() < 1e-7, equation


def test_full_start_and_double_occupancy():
    settings = {"initial_correlations": [[1, 0], [0, 1]], "times": {"stop": 0.5, "points": 2}}
    result = point("two-site-relaxation", driving="potential", **settings)
    double = by_equation(result, "double_occupancy")
    for equation, (start, later) in double.items():
        assert start == pytest.approx(1.0, abs=1e-12)
        assert 0 < later < 1, equation


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"T": 0.05, "mu_L": 1.0, "mu_R": 0.2}, 0.00100700087522373),
        ({"T": 0.05, "mu_L": 0.2, "mu_R": 1.0}, 0.00100700087522373),
        ({"T": 0.05, "mu_L": 1.3, "mu_R": 1.3}, 0.0),
    ],
)
def test_non_markovianity_of_potentials(settings, reference):
    result = point("non-markovianity-potentials", **settings)
    assert value(result, "non_markovianity") == pytest.approx(reference, abs=1e-11)
    entry = result["observables"]["non_markovianity"]
    assert abs(entry["value"] - reference) <= entry["error"]


def test_non_markovianity_of_temperatures():
    result = point("non-markovianity-temperatures", mu=0.75, T_L=0.5, T_R=0.01)
    assert value(result, "non_markovianity") == pytest.approx(0.000213825202534582, abs=1e-11)


def test_largest_non_markovianity():
    """The maxima of the map over mu in [0, 2], grid 0.1, at three temperatures."""
    from nessflow.kinds import asymptotic_rates as kind

    def largest(temperature):
        def nu(left, right):
            reservoirs = {
                name: {"chemical_potential": mu, "temperature": temperature}
                for name, mu in (("left", left), ("right", right))
            }
            parameters = kind.Parameters.model_validate(
                {
                    "network": {"energy": 1, "tunnelling": 0.5},
                    "reservoirs": {"bandwidth": 10, "coupling": 0.01} | reservoirs,
                }
            )
            return kind.evaluate(parameters, None).values["relative_non_markovianity"]

        grid = np.arange(21) / 10
        return max(nu(left, right) for left in grid for right in grid)

    assert largest(0.05) == pytest.approx(0.1285, abs=1e-4)
    assert largest(0.2) == pytest.approx(0.0288, abs=1e-4)
    assert largest(0.5) == 0.0


def test_failures_of_the_master_equations():
    uncertainty = point("master-equation-points", failure="ratio")
    ratios = by_equation(uncertainty, "uncertainty_ratio")
    assert ratios["exact"] == pytest.approx(1.76921000606518, rel=1e-9)
    assert ratios["global"] == pytest.approx(3.05112230043086, rel=1e-9)
    gap = point("master-equation-points", failure="gap")
    current = by_equation(gap, "particle_current")
    assert current["exact"][0] == pytest.approx(2.65511782004995e-06, rel=1e-8)
    assert current["global-broadened"][0] == pytest.approx(1.36621775580291e-06, rel=1e-8)
    law = by_equation(point("master-equation-points", failure="second-law"), "entropy_production")
    assert law["local"] == pytest.approx(-4.172e-5, rel=1e-3)
    assert law["exact"] == pytest.approx(1.998e-4, rel=1e-3)
    noise = point("master-equation-points", failure="noise")
    deviation = by_equation(noise, "particle_noise_deviation")
    assert deviation["global-broadened"] == pytest.approx(0.81, abs=5e-3)
    assert abs(by_equation(noise, "particle_current_deviation")["global-broadened"]) < 0.011
    assert deviation["epa"] < 0.07


def test_additive_equations_have_no_current_inside():
    """Without coherence between levels nothing flows on the bond, though charge is transferred."""
    result = point("master-equation-points", failure="rates")
    bond, current = (by_equation(result, name) for name in ("bond_current", "particle_current"))
    for equation in ("exact", "local"):
        assert bond[equation] == pytest.approx(current[equation][0], rel=1e-9)
    assert bond["epa"] == pytest.approx(current["epa"][0], rel=1e-3)
    assert abs(bond["global"]) < 1e-15
    assert current["global"][0] == pytest.approx(current["exact"][0], rel=1e-3)


def test_other_parameters_against_the_engine():
    """The exact column is that of the general study of steady currents."""
    gamma, omega, g, delta = 0.3, 7.0, 0.8, 0.45
    leads = {
        name: {
            "kind": "semi-infinite-chain",
            "hopping": omega / 2,
            "coupling": math.sqrt(gamma * omega) / 2,
            "onsite": 0.0,
            "chemical_potential": mu,
            "temperature": t,
        }
        for name, mu, t in (("left", 1.1, 0.2), ("right", 0.2, 0.35))
    }
    general = point(
        "disorder-current",
        **{
            "system.loss": None,
            "system.disorder": None,
            "system.leads": leads,
            "system.lattice": {
                "kind": "chain",
                "sites": 2,
                "hopping": g / 2,
                "onsite": [0.7 + delta / 2, 0.7 - delta / 2],
            },
        },
    )
    own = point(
        "master-equation-detuning",
        delta=delta,
        **{
            "network.energy": 0.7,
            "network.tunnelling": g,
            "reservoirs.bandwidth": omega,
            "reservoirs.coupling": gamma,
            "reservoirs.left": {"chemical_potential": 1.1, "temperature": 0.2},
            "reservoirs.right": {"chemical_potential": 0.2, "temperature": 0.35},
        },
    )
    for name in ("particle_current", "entropy_production", "uncertainty_ratio"):
        expected = np.ravel(value(general, name))[0]
        assert np.ravel(by_equation(own, name)["exact"])[0] == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("failure", ["second-law", "noise", "gap", "ratio"])
def test_every_equation_conserves_particles(failure):
    result = point("master-equation-points", failure=failure)
    assert result["coordinates"]["equation"] == EQUATIONS
    entry = result["observables"]["particle_current"]
    for current, error in zip(entry["value"], entry["error"], strict=True):
        assert abs(sum(current)) <= sum(error)
    noise = value(result, "particle_noise")
    error = np.array(result["observables"]["particle_noise"]["error"])
    assert np.all(abs(noise.sum(axis=-1)) <= error.sum(axis=-1))
    assert np.all(abs(noise[:, 0, 0] - noise[:, 1, 1]) <= error[:, 0, 0] + error[:, 1, 1])


def test_bosons_under_detuning():
    """Hot bosons have no white-noise limit: the local equation breaks the second law."""
    result = point("boson-network", delta=0.8, T=5)
    entropy, current = (
        by_equation(result, name) for name in ("entropy_production", "particle_current")
    )
    assert entropy["local"] < 0 < entropy["exact"]
    assert current["local"][0] < 0 < current["exact"][0]
    assert current["global"][0] == pytest.approx(current["exact"][0], rel=0.02)
    assert by_equation(result, "noise_to_current_ratio")["exact"] > 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network.energy": 11.0}, "outside the band"),
        ({"network.energy": 9.5, "reservoirs.coupling": 1.0}, "bound state above"),
        ({"statistics": "bosons"}, "bosons need a chemical potential below all bands"),
        ({"reservoirs.coupling": -1.0}, "expected a number > 0"),
    ],
)
def test_bad_input_is_one_message(settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        point("master-equation-points", failure="rates", **settings)
    assert "\n" not in str(caught.value)
