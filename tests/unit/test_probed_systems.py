"""Probes in study files: what they stand for, what the kinds give, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from nessflow.estimate import Estimate
from nessflow.kinds import current_nonreciprocity, nonreciprocity, probe_roots, probes
from nessflow.kinds.bias_reversal import asymmetries
from nessflow.scattering.profiles import terminal_currents
from nessflow.studies.kind import Status
from nessflow.studies.probed_systems import ProbedSystem, open_system, probe_names
from nessflow.validation import InvalidValues, quantity_at, validated

OPEN = 0.1 / (2 * np.pi)


def lead(mu, **changes):
    return {
        "kind": "semi-infinite-chain",
        "chemical_potential": mu,
        "temperature": changes.pop("temperature", 0.0),
        **changes,
    }


def described(sites=4, gamma=0.5, mean=1.0, current=0.3 * OPEN, temperature=0.0, **changes):
    group = {"kind": "semi-infinite-chain", "coupling": gamma, "temperature": temperature}
    sources = {"start": 2, "stop": sites - 2, "step": 2}
    drains = {"start": 3, "stop": sites - 1, "step": 2}
    return {
        "lattice": {"kind": "chain", "sites": sites},
        "leads": {
            "left": lead(mean + 0.05, temperature=temperature),
            "right": lead(mean - 0.05, temperature=temperature),
        },
        "probes": {
            "source": {**group, "sites": sources, "current": current},
            "drain": {**group, "sites": drains, "current": -current},
        },
    } | changes


def evaluated(kind, system, **more):
    parameters = kind.Parameters(system=system, **more)
    outcome = kind.evaluate(parameters, None)
    sizes = {name: len(x.values) for name, x in kind.coordinates(parameters).items()}
    assert set(outcome.values) == set(kind.VARIABLES)
    for name, variable in kind.VARIABLES.items():
        value = np.asarray(outcome.values[name], float)
        assert value.shape == tuple(sizes[dim] for dim in variable.dims), name
        if outcome.status == Status.OK and not np.isfinite(value).all():
            assert name in outcome.notes or name.removesuffix("_error") in outcome.notes, name
    return outcome


def test_one_probe_on_each_site():
    system, asked = open_system(ProbedSystem.model_validate(described(8)), None)
    names = probe_names(ProbedSystem.model_validate(described(8)))
    assert names == ("source 2", "source 4", "source 6", "drain 3", "drain 5", "drain 7")
    assert [probe.name for probe in asked] == list(names)
    assert [x.site for x in system.leads] == [0, 7, 1, 3, 5, 2, 4, 6]
    assert [x.current for x in asked] == [0.3 * OPEN] * 3 + [-0.3 * OPEN] * 3


def test_a_strip_or_amplitudes_are_one_probe():
    strip = {"kind": "semi-infinite-strip", "sites": [7, 10], "temperature": 0.1}
    coherent = {"kind": "wide-band", "broadening": 0.4, "sites": {12: "0.5j", 9: 1}}
    described = {
        "lattice": {"kind": "strip", "length": 6, "width": 3},
        "leads": {
            "left": lead(0.3, kind="semi-infinite-strip", site=[1, 2, 3], temperature=0.1),
            "right": lead(0.0, kind="semi-infinite-strip", site=[16, 17, 18], temperature=0.1),
        },
        "probes": {"top": strip, "low": coherent | {"temperature": 0.1}},
    }
    system, asked = open_system(ProbedSystem.model_validate(described), None)
    assert [probe.name for probe in asked] == ["top", "low"]
    assert [x.name for x in system.terminals] == ["left", "right", "top", "low"]
    assert [len(x.channels) for x in system.terminals] == [3, 3, 2, 1]
    outcome = evaluated(probes, described)
    assert outcome.status == Status.OK
    current, error = (outcome.values[f"particle_current{x}"] for x in ("", "_error"))
    assert np.all(abs(current[2:4]) <= error[2:4])
    assert abs(outcome.values["conservation_defect"]) < 1e-12
    on_sites = outcome.values["site_chemical_potential"]
    assert on_sites[6] == on_sites[9] == outcome.values["chemical_potential"][2]
    assert on_sites[8] == on_sites[11] == outcome.values["chemical_potential"][3]


def test_a_probe_is_no_lead():
    group = {"kind": "semi-infinite-strip", "sites": [2, 3], "temperature": 0.0}
    with pytest.raises(ValidationError, match="a terminal has that name"):
        ProbedSystem.model_validate(described(probes={"left": group}))


class TestNonreciprocity:
    def test_both_directions(self):
        values = evaluated(nonreciprocity, described()).values
        mu = values["site_chemical_potential"]
        np.testing.assert_allclose(mu[:, 1], [1.073611111111111, 1.0625], rtol=1e-13)
        left = values["particle_current"][:, 0]
        expected = [0.01228849390539464, -0.01334952685934061]
        np.testing.assert_allclose(left, expected, rtol=1e-12)
        assert values["nonreciprocal_current"] == pytest.approx(-sum(expected), rel=1e-11)
        assert values["nonreciprocity"] == pytest.approx(-sum(expected), rel=1e-11)
        assert values["reference_current"] == pytest.approx(OPEN)
        # J_S on even bonds exceeds J_D on odd ones by the current of the source.
        bonds = values["bond_current"]
        np.testing.assert_allclose(bonds[:, 1] - bonds[:, 0], 0.3 * OPEN, rtol=1e-12)
        np.testing.assert_allclose(bonds[:, 0], left, rtol=1e-12)

    def test_third_order(self):
        system = described(mean=1.52, current=0.5 * OPEN)
        values = evaluated(nonreciprocity, system, method="third-order").values
        expected = -0.009286680678792963
        assert values["relative_nonreciprocity"] == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize("largest", [1, 400])
    def test_faulty_currents_are_not_converged_with_profiles_or_without(self, largest, monkeypatch):
        def faulty(*arguments):
            return replace(terminal_currents(*arguments), integrated=False)

        monkeypatch.setattr(nonreciprocity, "_LARGEST_PROFILE", largest)
        monkeypatch.setattr(nonreciprocity, "terminal_currents", faulty)
        outcome = evaluated(nonreciprocity, described(), method="exact")
        assert outcome.status == Status.NOT_CONVERGED
        assert "did not converge" in outcome.message

    def test_relative_nonreciprocity_within_its_error(self):
        """Whatever the currents are within theirs, also where these are as large."""
        system = open_system(ProbedSystem.model_validate(described()), None)[0]
        rng = np.random.default_rng(1)
        for _ in range(300):
            true = rng.normal(size=2)
            error = abs(true) * rng.uniform(0, 0.9, 2)
            seen = Estimate(true + rng.choice([-1, 1], 2) * error, error)
            found = asymmetries(system, seen)["relative_nonreciprocity"]
            exact = asymmetries(system, Estimate(true, np.zeros(2)))["relative_nonreciprocity"]
            distance = abs(found.value - exact.value)
            assert np.isnan(distance) or distance <= found.error * (1 + 1e-12)

    def test_methods_agree_at_small_bias(self):
        found = [
            evaluated(nonreciprocity, described(6, current=0.05 * OPEN), method=method).values
            for method in ("linear", "third-order", "exact")
        ]
        for name in ("particle_current", "heat_current", "bond_current", "site_chemical_potential"):
            first = found[0][name][:, :6]
            for other in found[1:]:
                np.testing.assert_allclose(other[name][:, :6], first, atol=2e-2 * abs(first).max())
        np.testing.assert_allclose(found[2]["joule_heat"], found[0]["joule_heat"], rtol=5e-3)

    @pytest.mark.parametrize("method", ["linear", "exact"])
    def test_entropy_at_finite_temperature(self, method):
        outcome = evaluated(nonreciprocity, described(temperature=0.1), method=method)
        assert outcome.status == Status.OK
        values = outcome.values
        assert (values["entropy_production"] > 0).all()
        np.testing.assert_allclose(
            values["entropy_production"], values["joule_heat"] / 0.1, rtol=1e-10
        )

    def test_no_solution_is_explained(self):
        system = described(gamma=0.3, mean=1.52, current=OPEN)
        outcome = evaluated(nonreciprocity, system, method="exact")
        assert outcome.status == Status.NOT_CONVERGED
        assert np.isnan(outcome.values["nonreciprocity"])
        assert "probe 'source 2' is to carry 0.0159155" in outcome.message
        assert not outcome.notes

    def test_loss_and_disorder_and_any_lattice(self):
        system = described(loss={"kind": "onsite", "rate": 0.01}) | {
            "lattice": {"kind": "ladder", "length": 3}
        }
        for method in ("linear", "exact"):
            outcome = evaluated(nonreciprocity, system, method=method)
            assert outcome.status == Status.OK, outcome.message

    def test_an_odd_number_of_sites_leaves_a_source_without_drain(self):
        system = described(5)
        system["probes"]["source"]["sites"] = {"start": 2, "stop": 4, "step": 2}
        system["probes"]["drain"]["sites"] = [3]
        with pytest.raises(InvalidValues, match=r"add up to 0\.00477465.* as many sources as"):
            nonreciprocity.Parameters(system=system)

    def test_leads_of_other_names(self):
        system = described()
        system["leads"] = {"top": lead(1.0, site=1), "bottom": lead(1.0, site=4)}
        with pytest.raises(InvalidValues, match="left"):
            nonreciprocity.Parameters(system=system)

    @pytest.mark.parametrize("mean", [2.0, 2.3])
    @pytest.mark.parametrize("method", ["linear", "third-order", "exact"])
    def test_at_and_beyond_the_edge_of_the_band(self, mean, method):
        outcome = evaluated(nonreciprocity, described(mean=mean), method=method)
        assert outcome.status == Status.NOT_CONVERGED
        assert np.isnan(outcome.values["particle_current"]).all()
        assert outcome.message

    def test_currents_without_bias(self):
        system = described()
        system["leads"]["right"] = system["leads"]["left"]
        outcome = evaluated(nonreciprocity, system, method="exact")
        assert outcome.status == Status.OK
        forward, reverse = outcome.values["particle_current"]
        np.testing.assert_array_equal(forward, reverse)
        np.testing.assert_allclose(forward[2:4], [0.3 * OPEN, -0.3 * OPEN], rtol=1e-9)

    def test_an_energy_that_is_that_of_a_bound_state(self):
        """The mesh of the occupations has a node on it, to the last digit."""
        system = described()
        onsite = [0.154, 0.241, 0.739, -0.317, -0.014, -0.541, -0.094]
        system["lattice"] |= {"sites": 7, "onsite": onsite}
        system["leads"] = {
            "left": lead(1.0000005, coupling=2.2),
            "right": lead(0.9999995, temperature=0.02),
        }
        group = {"kind": "semi-infinite-chain", "coupling": 0.5}
        system["probes"] = {
            "source": {**group, "sites": [2], "current": 0.02, "temperature": 0.02},
            "drain": {**group, "sites": [6], "current": -0.02, "temperature": 0.5},
        }
        outcome = evaluated(nonreciprocity, system, method="exact")
        assert outcome.status == Status.OK
        entering = np.cumsum(outcome.values["particle_current"][:, [0, 2]], axis=1)
        np.testing.assert_allclose(outcome.values["bond_current"][:, :2], entering, rtol=1e-8)

    def test_linear_potentials_beyond_the_band(self):
        """Nothing responds there at temperature 0, so that no potential can follow."""
        outcome = evaluated(nonreciprocity, described(gamma=2.2, mean=1.9, current=0.02))
        assert outcome.status == Status.SUSPECT
        assert outcome.message.startswith("no such state: probe 'source 2' would have")
        assert abs(outcome.values["chemical_potential"]).max() > 2
        assert np.isfinite(outcome.values["bare_particle_noise"]).all()
        assert "outside its band" in outcome.notes["floating_particle_noise"]

    @pytest.mark.parametrize("kind", [nonreciprocity, current_nonreciprocity])
    def test_more_than_can_flow(self, kind):
        system = described(gamma=0.1, current=1.0)
        linear = evaluated(kind, system)
        assert linear.status == Status.SUSPECT
        assert "would have the chemical potential 316.733" in linear.message
        assert linear.values["band_excess"] == pytest.approx(314.733, rel=1e-5)
        assert linear.values["neglected_orders"] > 0.99
        assert linear.values["relative_departure"] > 1 / (2 * 0.1**2 * OPEN)
        exact = evaluated(kind, system, method="exact")
        assert exact.status == Status.NOT_CONVERGED
        assert exact.message.endswith("its bands carry 0.0125813 at most")

    def test_how_far_linear_response_is_valid(self):
        system = described()
        values = evaluated(nonreciprocity, system).values
        assert values["band_excess"] == 0
        assert values["relative_departure"] == pytest.approx(0.73611111, rel=1e-7)
        assert 1e-3 < values["neglected_orders"] < 1e-2
        system["leads"]["right"] = system["leads"]["left"]
        outcome = evaluated(nonreciprocity, system)
        assert outcome.notes["relative_departure"] == "there is no bias"

    def test_linear_response_is_that_of_one_temperature(self):
        system = described()
        system["leads"]["left"] = lead(1.05, temperature=0.1)
        with pytest.raises(InvalidValues, match="of one given temperature"):
            nonreciprocity.Parameters(system=system, method="linear")

    def test_third_order_is_that_of_temperature_zero(self):
        with pytest.raises(InvalidValues, match="third order is that of temperature 0"):
            evaluated(nonreciprocity, described(temperature=0.1), method="third-order")


class TestProbes:
    def test_voltage_and_temperature_probes(self):
        system = described(5, temperature=0.1)
        group = {"kind": "semi-infinite-chain", "coupling": 0.4}
        system["probes"] = {
            "thermometer": {**group, "sites": [3], "heat_current": 0.0},
            "voltmeter": {**group, "sites": [2], "temperature": 0.1},
        }
        outcome = evaluated(probes, system)
        assert outcome.status == Status.OK
        assert outcome.values["temperature"][2] > 0.1
        np.testing.assert_allclose(outcome.values["particle_current"][2:4], 0, atol=1e-13)
        assert abs(outcome.values["heat_current"][2]) < 1e-12
        assert "noise of heat" in outcome.notes["floating_particle_noise"]
        # Bare noise takes no more than the temperatures that were found.
        system["probes"]["thermometer"]["temperature"] = float(outcome.values["temperature"][2])
        system["probes"]["thermometer"].pop("heat_current")
        same = evaluated(probes, system).values["bare_particle_noise"]
        np.testing.assert_allclose(outcome.values["bare_particle_noise"], same, rtol=1e-7)

    def test_a_lead_on_two_sites_deviates_by_their_mean(self):
        """Numbers of an adaptive quadrature of scattering matrices."""
        voltage = {"kind": "semi-infinite-chain", "coupling": 0.5, "temperature": 0.1}
        system = {
            "lattice": {"kind": "chain", "sites": 3},
            "leads": {
                "left": lead(0.5, temperature=0.1, coupling=0.8, site=[1, 2]),
                "right": lead(-0.5, temperature=0.1),
            },
            "probes": {"v": {**voltage, "sites": [2]}},
        }
        for kind, more in ((probes, {}), (nonreciprocity, {"method": "exact"})):
            values = evaluated(kind, system, **more).values
            mu, deviation = values["chemical_potential"], values["local_deviation"]
            if kind is nonreciprocity:
                mu, deviation = mu[0], deviation[0]
            assert mu[2] == pytest.approx(0.175278899431, abs=1e-11)
            expected = [-0.050198572096, 0.064222859445, 0.000125251351]
            np.testing.assert_allclose(deviation, expected, atol=1e-11)

    @pytest.mark.parametrize(
        "lattice", [{"kind": "chain", "sites": 1}, {"kind": "strip", "length": 1, "width": 1}]
    )
    def test_one_site(self, lattice):
        """Numbers of an adaptive quadrature of scattering matrices."""
        wide = {"kind": "wide-band", "temperature": 0.1}
        system = {
            "lattice": lattice | {"onsite": 0.2},
            "loss": {"kind": "onsite", "rate": 0.1},
            "leads": {
                "left": wide | {"broadening": 1.0, "chemical_potential": 0.5},
                "right": wide | {"broadening": 0.4, "chemical_potential": -0.5},
            },
            "probes": {"v": wide | {"broadening": 0.6, "sites": [1]}},
        }
        outcome = evaluated(probes, system)
        assert outcome.status == Status.OK
        assert outcome.values["chemical_potential"][2] == pytest.approx(0.002798398187, abs=1e-11)
        assert outcome.values["occupation"][0] == pytest.approx(0.44486558, abs=1e-8)


def lossy_ladder():
    """Probes whose potentials end far below all states, where they hardly respond."""
    warm = {"temperature": 0.1584}
    return {
        "lattice": {
            "kind": "ladder",
            "length": 3,
            "rung_hopping": 0.5386,
            "hopping": -0.05038,
            "onsite": [-0.6384, -0.2924, -0.552, 0.882, 0.3984, 0.5433],
        },
        "loss": {"kind": "sites", "rates": {3: 0.3972, 4: 0.8105, 5: 0.3968, 2: 0.1639}},
        "leads": {
            "left": lead(0.4183, coupling=0.004811, **warm),
            "right": lead(0.6141, hopping=1.221, site=5, **warm),
        },
        "probes": {
            "p": {"kind": "wide-band", "sites": [6], "current": -0.001267, "broadening": 0.02399}
            | warm,
            "q": {"kind": "semi-infinite-chain", "sites": [3], "current": 0.001267}
            | {"coupling": 0.1446, "hopping": 1.36}
            | warm,
        },
    }


class TestExact:
    def test_potentials_far_below_all_states(self):
        """Numbers of Newton's method on an adaptive quadrature of scattering matrices."""
        outcome = evaluated(nonreciprocity, lossy_ladder(), method="exact")
        assert outcome.status == Status.OK
        expected = [[0.31697304, -1.70677785], [0.14283175, -1.70770579]]
        np.testing.assert_allclose(outcome.values["chemical_potential"][:, 2:], expected, atol=1e-8)

    def test_no_probe_is_blamed_where_no_part_of_the_currents_flows(self):
        cut = {
            "kind": "matrix",
            "hamiltonian": [[2.25, -0.105, 0], [-0.105, 2.058, 0], [0, 0, 0.5]],
        }
        wide = {"kind": "wide-band", "temperature": 0.0}
        chain = {"kind": "semi-infinite-chain", "temperature": 0.0}
        system = {
            "lattice": cut,
            "leads": {
                "left": wide | {"chemical_potential": 1.9999, "broadening": 0.4977},
                # Above the band of the probe on its site, which it fills.
                "right": wide | {"chemical_potential": 2.606, "broadening": 1.376},
            },
            "probes": {
                "p": chain | {"sites": [1], "current": -0.002356, "coupling": 0.223},
                "q": chain | {"sites": [3], "current": 0.002356, "coupling": 0.5326},
            },
        }
        outcome = evaluated(nonreciprocity, system, method="exact")
        assert outcome.status == Status.NOT_CONVERGED
        assert "not even a small part of them" in outcome.message


class TestRoots:
    def test_nothing_asked_for_leaves_all_potentials_alike(self):
        system = {
            "lattice": {"kind": "long-range", "sites": 4, "exponent": 2.375},
            "leads": {
                "left": lead(-1.218, coupling=0.09206, site=2),
                "right": lead(-1.218, coupling=0.8177, onsite=0.4709),
            },
            "probes": {
                "p": {**lead(0), "sites": [4], "coupling": 0.3502},
                "q": {**lead(0), "sites": [1], "coupling": 0.6388},
            },
        }
        for group in system["probes"].values():
            del group["chemical_potential"]
        outcome = evaluated(probe_roots, system)
        assert outcome.status == Status.OK
        found = outcome.values["physical_chemical_potential"]
        np.testing.assert_allclose(found, [-1.218, -1.218], rtol=1e-14)

    def test_all_nine(self):
        values = evaluated(probe_roots, described(mean=1.52, current=0.5 * OPEN)).values
        assert values["root_count"] == 9
        place = int(np.argmax(values["root_is_physical"]))
        np.testing.assert_allclose(
            values["root_chemical_potential"][place], values["physical_chemical_potential"]
        )

    def test_when_solutions_end(self):
        values = evaluated(probe_roots, described(mean=1.52, current=3 * OPEN)).values
        assert values["root_count"] == 3
        assert np.isnan(values["physical_chemical_potential"]).all()

    def test_linear_response_beyond_the_band_is_no_state(self):
        outcome = evaluated(probe_roots, described(mean=1.52, current=2.2 * OPEN))
        assert np.isnan(outcome.values["linear_chemical_potential"]).all()
        assert "no such state: probe 'source 2'" in outcome.notes["linear_chemical_potential"]
        assert np.isfinite(outcome.values["root_chemical_potential"][0]).all()

    def test_outside_the_band(self):
        outcome = evaluated(probe_roots, described(mean=2.3))
        assert outcome.status == Status.NOT_CONVERGED
        assert np.isnan(outcome.values["root_count"])
        assert "no states at the mean" in outcome.message

    def test_only_at_temperature_zero(self):
        with pytest.raises(InvalidValues, match="the third order is that of temperature 0"):
            probe_roots.Parameters(system=described(temperature=0.1))

    def test_too_many_probes(self):
        with pytest.raises(InvalidValues, match="for one or two probes, got 4"):
            probe_roots.Parameters(system=described(6))


def changed(**changes):
    system = described()
    system["probes"]["source"] |= changes
    return system


REFUSED = {
    "there is no site 9: the chain has 4 sites": changed(sites=[9]),
    "site 3 has a probe of source and one of drain": changed(sites=[3]),
    "site 2: listed twice; it has one probe": changed(sites=[2, 2]),
    "no sites; a group of probes needs at least one": changed(sites=[]),
    "no sites: stop 1 is below start 2": changed(sites={"start": 2, "stop": 1}),
    "probes source have the coupling 0": changed(coupling=0.0),
    "give either a temperature, or a heat_current": changed(heat_current=0.0),
    "Field required": {k: v for k, v in described().items() if k != "probes"},
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    with pytest.raises(ValidationError, match=message):
        ProbedSystem.model_validate(REFUSED[message])


@pytest.mark.parametrize(
    ("key", "value", "expected", "hint"),
    [
        ("temperature", -1, "a number >= 0", ""),
        ("curent", 1, "one of the keys coupling, current", "did you mean 'current'?"),
    ],
)
def test_a_fault_in_a_group_of_probes_is_that_of_its_key(key, value, expected, hint):
    system = described()
    system["probes"]["drain"][key] = value
    _, faults = validated(probes.Parameters, {"system": system})
    assert [fault.key for fault in faults] == [("system", "probes", "drain", key)]
    assert faults[0].expected.startswith(expected)
    assert faults[0].hint == hint


def test_values_in_a_group_of_probes_have_units():
    key = ("system", "probes", "source", "coupling")
    units, _ = quantity_at(probes.Parameters, key, {"system": described()})
    assert units == "t"
