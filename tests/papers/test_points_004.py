"""Reference numbers of paper mixtures-of-equilibrium-distributions through the studies."""

import numpy as np
import one_point
import pytest

from nessflow.config.project import ConfigError
from nessflow.kinds import mixture_conductance, mixture_counting, mixture_transport
from nessflow.studies.kind import Status


def point(study, *overrides):
    result = one_point.point(study, *overrides)
    return result["observables"], result["coordinates"]


FIG_2 = (
    "mixture.reservoirs.0.temperature=10",
    "mixture.reservoirs.0.chemical_potential=2",
    "mixture.reservoirs.1.temperature=1",
    "mixture.reservoirs.1.chemical_potential=5",
)


def test_probabilities_and_area_of_fig_2():
    found, coordinates = point(
        "mixture-transfer-probabilities", "particles=fermions", "momenta.start=-1.5",
        "momenta.stop=1.5", "momenta.points=2", *FIG_2,
    )  # fmt: skip
    assert coordinates["transferred"] == [-2, -1, 0, 1, 2]
    probability = np.array(found["transfer_probability"]["value"])
    assert probability[1, 3] == pytest.approx(0.865215998485906, abs=1e-13)
    assert probability[0, 1] == pytest.approx(0.598162152752558, abs=1e-13)
    assert probability.sum(axis=1) == pytest.approx(1, abs=1e-15)
    assert found["net_particle_current"]["value"] == pytest.approx(-0.276169814078938, rel=1e-12)
    assert found["entropy_production"]["value"] == pytest.approx(-5.60995755971472, rel=1e-12)
    assert "outside the second law" in found["uncertainty_ratio"]["undefined"]


@pytest.mark.parametrize(
    ("x", "golden"), [("1.5049085215659", 0.68840134809199), ("4", 0.873008343221341)]
)
def test_lorenz_number(x, golden):
    found, _ = point("mixture-lorenz-number", f"x={x}")
    ratio = found["reduced_lorenz_ratio_at_fixed_potential"]
    assert ratio["value"] == pytest.approx([golden, golden], rel=1e-12)
    assert max(ratio["error"]) < 1e-12


@pytest.mark.parametrize(
    ("exchange", "mu_plus", "mu_minus", "golden"),
    [
        ("balanced", 2, 1, 0.479685942074923),
        ("imbalanced", 2, 1, 0.500085009501432),
        ("imbalanced", 0, 4, 0.525037654533881),
    ],
)
def test_noise(exchange, mu_plus, mu_minus, golden):
    found, _ = point(
        "mixture-noise", f"exchange={exchange}", f"mu_plus={mu_plus}", f"mu_minus={mu_minus}"
    )
    noise = found["net_particle_noise"]
    assert abs(noise["value"] - golden) <= noise["error"] + 1e-14
    assert np.array(found["particle_noise"]["value"])[0, 1] == -noise["value"]


def test_uncertainty_ratio():
    found, _ = point("mixture-uncertainty", "mu_1=4", "mu_2=0")
    assert found["uncertainty_ratio"]["value"] == pytest.approx(1.78287225923715, rel=1e-12)


def test_other_parameters_by_hand():
    """Decay, mass and temperatures from the command line: (57) at temperature 0."""
    found, _ = point(
        "mixture-current", "imbalance=wide", "bias=1.5", "mixture.mass=2",
        "mixture.reservoirs.0.temperature=0", "mixture.reservoirs.1.temperature=0",
    )  # fmt: skip
    decay = 0.1
    expected = (1 - np.exp(-2 * 2 * 1.5 * decay)) / (4 * np.pi * 2 * decay)
    assert found["net_particle_current"]["value"] == pytest.approx(expected, rel=1e-13)
    assert "temperature 0" in found["entropy_production"]["undefined"]
    assert found["entropy_production"]["value"] is None
    assert found["carnot_efficiency"]["error"] is None


def test_engine():
    found, _ = point("mixture-engine", "ratio=0.2", "rise=1.5")
    assert found["efficiency"]["value"] == pytest.approx(0.132578, abs=1e-6)
    assert found["carnot_efficiency"]["value"] == pytest.approx(0.8)
    found, _ = point("mixture-engine", "ratio=0.2", "rise=3.5")
    assert "no engine" in found["efficiency"]["undefined"]


@pytest.mark.parametrize("particles", ["fermions", "bosons"])
def test_distribution_of_the_transferred_number(particles):
    found, coordinates = point(
        "mixture-transferred-charge", f"particles={particles}", "t=20", "numbers.highest=300"
    )
    probability = np.array(found["transfer_probability"]["value"])
    assert probability.sum() + found["outside_probability"]["value"] == pytest.approx(1, abs=1e-9)
    mean = np.array(coordinates["transferred"]) @ probability
    assert mean == pytest.approx(20 * found["net_particle_current"]["value"], rel=1e-6)


def test_junction_and_density_response():
    found, coordinates = point("mixture-three-reservoirs", "mu=2")
    assert coordinates["terminal"] == ["reservoir-1", "reservoir-2", "reservoir-3"]
    assert abs(found["conservation_defect"]["value"]) < 1e-14
    assert found["entropy_production"]["value"] > 0
    found, _ = point("mixture-density-response", "c=0", "positions.points=5")
    response = np.array(found["density_response"]["value"])
    assert response == pytest.approx(response[::-1], abs=1e-10)


def test_more_than_two_reservoirs_have_no_gates():
    weights = "{kind: direction, forward: [0.5, 0.3, 0.2], backward: [0.2, 0.2, 0.6]}"
    reservoir = "{temperature: 1, chemical_potential: 0.5}"
    found, _ = point(
        "mixture-current", "imbalance=full", "bias=1", f"mixture.weights={weights}",
        f"mixture.reservoirs=[{reservoir}, {reservoir}, {reservoir}]",
    )  # fmt: skip
    assert found["net_particle_current"]["value"] == pytest.approx(0, abs=1e-15)
    assert "fix only the net current" in found["heat_current"]["undefined"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mixture.weights.c_plus=0.7", "<= 0.5"),
        ("mixture.weights={kind: direction, forward: [0.5, 0.6], backward: [1, 0]}", "add to 1"),
        ("mixture.statistics=bosons", "chemical_potential below 0"),
        ("mixture.mass=0", "> 0"),
        ("mixture.reservoirs.0.temperature=-1", ">= 0"),
        ("mixture.weights={kind: table, momenta: [0, 1], forward: [[1], [0]], backward: "
         "[[1], [0]]}", "2 weights"),
    ],
)  # fmt: skip
def test_bad_input_is_one_message(override, message):
    with pytest.raises(ConfigError) as caught:
        point("mixture-current", "imbalance=full", "bias=1", override)
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)


def test_points_computed_together_are_the_single_ones():
    """To the last bit: a block that was interrupted goes on with fewer points."""

    def parameters(kind, statistics, mu, **more):
        reservoirs = [
            {"temperature": t, "chemical_potential": m} for t, m in ((1.0, mu), (0.4, -1.0))
        ]
        weights = {"kind": "step", "c_plus": 0.4, "c_minus": -0.3}
        mixture = {"statistics": statistics, "reservoirs": reservoirs, "weights": weights}
        return kind.Parameters.model_validate({"mixture": mixture, **more})

    for kind in (mixture_transport, mixture_conductance):
        many = [
            parameters(kind, statistics, mu)
            for statistics in ("fermions", "bosons")
            for mu in np.linspace(-2.0, -0.01, 40)
        ]
        for one, together in zip(many, kind.evaluate_many(many), strict=True):
            alone = kind.evaluate(one, None)
            assert alone.notes == together.notes
            for name, value in alone.values.items():
                np.testing.assert_array_equal(together.values[name], value)
    assert not hasattr(mixture_counting, "evaluate_many")


@pytest.mark.parametrize(
    "study",
    ["mixture-engine", "mixture-transfer-probabilities", "mixture-density-response",
     "mixture-transferred-charge"],
)  # fmt: skip
def test_nothing_is_below_the_band_at_temperature_0(study):
    empty = "[{temperature: 0, chemical_potential: 0}, {temperature: 0, chemical_potential: -1}]"
    found, _ = point(study, f"mixture.reservoirs={empty}")
    for name in ("net_particle_current", "net_particle_noise", "particle_density"):
        assert (found[name]["value"], found[name]["error"]) == (0, 0)


def test_figure_of_merit_of_a_negative_conductance():
    """Where the imbalance has both signs, heat and charge may go opposite ways."""
    found, _ = point(
        "mixture-lorenz-number", "x=1",
        "mixture.weights={kind: table, momenta: [0.3, 1, 2.5], forward: [[0.9, 0.4, 0.1], "
        "[0.1, 0.6, 0.9]], backward: [[0.2, 0.4, 0.5], [0.8, 0.6, 0.5]]}",
    )  # fmt: skip
    merit, lorenz = (np.array(found[n]["value"]) for n in ("figure_of_merit", "lorenz_ratio"))
    assert (np.sign(merit) == np.sign(lorenz)).all()
    assert (merit < 0).all()
    assert (np.array(found["figure_of_merit"]["error"]) > 0).all()


def test_more_numbers_than_fit_are_no_traceback():
    parameters = mixture_counting.Parameters.model_validate(
        {
            "mixture": {
                "statistics": "bosons",
                "reservoirs": [
                    {"temperature": 300.0, "chemical_potential": -1e-5},
                    {"temperature": 3.0, "chemical_potential": -2e-3},
                ],
                "weights": {"kind": "step", "c_plus": -0.3, "c_minus": 0.5},
            },
            "time": 120.0,
        }
    )
    outcome = mixture_counting.evaluate(parameters, None)
    assert outcome.status == Status.NOT_CONVERGED
    assert "shorter time" in outcome.message
    assert np.isfinite(outcome.values["net_particle_current"])
