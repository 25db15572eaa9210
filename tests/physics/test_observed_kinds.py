"""Observables of all kinds of the scattering engine are those of the same system."""

from dataclasses import replace

import numpy as np
import pytest

from nessflow.estimate import Estimate
from nessflow.kinds import (
    counting_statistics,
    disorder_response,
    linear_response,
    probes,
    steady_current,
    transmission,
    zero_current,
)
from nessflow.outcome import Status

GIVEN = {
    counting_statistics: {"time": 20, "charges": {"lowest": -5, "highest": 5}},
    disorder_response: {},
    linear_response: {},
    transmission: {"energies": [-0.5, 0.3]},
    zero_current: {"lower": -3, "upper": 3},
}
FILLS = ["density", "bond-currents", "noise", "cumulants"]


def lead(mu, **more):
    return {"kind": "semi-infinite-chain", "chemical_potential": mu, "temperature": 0.2, **more}


def system(mu=0.3, bias=0.0, **changes):
    return {
        "lattice": {"kind": "chain", "sites": 4, "onsite": [0.1, 0.4, -0.3, 0.2]},
        "loss": {"kind": "onsite", "rate": 0.05},
        "gain": {"kind": "sites", "rates": {2: 0.04, 4: 0.02}},
        "leads": {"left": lead(mu + bias), "right": lead(mu, coupling=0.7)},
    } | changes


def evaluated(kind, given, observables, **more):
    parameters = kind.Parameters(system=given, observables=observables, **more)
    outcome = kind.evaluate(parameters, None)
    assert outcome.status == Status.OK, outcome.message
    return outcome


def require_same(found, expected, names):
    for name in names:
        error = found.values[f"{name}_error"] + expected.values[f"{name}_error"]
        off = abs(found.values[name] - expected.values[name])
        assert np.all(off <= error + 1e-15), (name, off, error)
        assert np.all(error < 1e-7), (name, error)


@pytest.mark.parametrize("kind", GIVEN, ids=lambda kind: kind.__name__.rpartition(".")[2])
def test_they_are_those_of_steady_current(kind):
    found = evaluated(kind, system(), FILLS, **GIVEN[kind])
    mu = found.values.get("chemical_potential", 0.3)
    expected = evaluated(steady_current, system(mu), FILLS)
    require_same(
        found, expected, ["occupation", "bond_current", "particle_noise", "fourth_cumulant"]
    )


@pytest.mark.parametrize("temperature", [0.0, 0.2])
def test_equilibrium_without_loss_and_gain(temperature):
    """Linear response knows without an integral that nothing flows, and the noise from Johnson."""
    leads = {name: lead(0.3) | {"temperature": temperature} for name in ("left", "right")}
    given = {"lattice": system()["lattice"], "leads": leads}
    names = ["currents", "noise", "entropy-production", "density"]
    found = evaluated(linear_response, given, names)
    expected = evaluated(steady_current, given, names)
    same = ["particle_noise", "net_particle_noise", "energy_current", "net_particle_current"]
    require_same(found, expected, [*same, "occupation", "heat_current"])
    assert found.values["entropy_production"] == 0
    assert "nothing flows" in found.notes["unitarity_defect"]


@pytest.mark.parametrize("temperature", [0.0, 1e-20])
def test_noise_where_transmission_jumps(temperature):
    """At a band edge there is no conductance; the noise is below that of open channels."""
    leads = {name: lead(-2.0) | {"temperature": temperature} for name in ("left", "right")}
    given = {"lattice": {"kind": "chain", "sites": 2}, "leads": leads}
    found = evaluated(linear_response, given, ["noise", "currents"])
    assert np.isnan(found.values["conductance_matrix"]).any()
    np.testing.assert_array_equal(found.values["particle_noise"], 0)
    assert (found.values["particle_noise_error"] <= temperature).all()
    assert (found.values["particle_noise_error"] > 0).all() == (temperature > 0)


def test_an_uncertain_root_is_part_of_the_errors(monkeypatch):
    """Occupations rise with the potential, so that they are known as well as at its two ends."""
    root, spread = zero_current._root, 1e-3
    monkeypatch.setattr(zero_current, "_root", lambda *x: Estimate(root(*x).value, spread))
    found = evaluated(zero_current, system(), ["density"], lower=-3, upper=3).values
    ends = found["chemical_potential"] + spread * np.array([-1, 1])
    low, high = (evaluated(steady_current, system(mu), ["density"]).values for mu in ends)
    between = high["occupation"] - low["occupation"]
    assert (between > 1e-5).all()
    np.testing.assert_allclose(found["occupation_error"], between, rtol=1e-6)


def test_uncertain_probes_are_part_of_the_errors(monkeypatch):
    solve, spread = probes.solve_probes, 1e-3

    def uncertain(*arguments):
        solved = solve(*arguments)
        potential = Estimate(solved.chemical_potential.value, np.array([0, 0, spread]))
        return replace(solved, chemical_potential=potential)

    monkeypatch.setattr(probes, "solve_probes", uncertain)
    group = {"kind": "wide-band", "broadening": 0.3, "sites": [2], "temperature": 0.2}
    probed = system(0.2, 0.4) | {"probes": {"middle": group}}
    found = evaluated(probes, probed, ["noise"]).values
    noise = []
    for shift in (-spread, 0, spread):
        own = {"kind": "wide-band", "broadening": 0.3, "temperature": 0.2, "site": 2}
        own["chemical_potential"] = found["chemical_potential"][2] + shift
        given = system(leads=system(0.2, 0.4)["leads"] | {"middle": own})
        noise.append(evaluated(steady_current, given, ["noise"]).values["particle_noise"])
    change = abs(noise[0] - noise[1]) + abs(noise[2] - noise[1])
    assert change.max() > 1e-6
    np.testing.assert_allclose(found["particle_noise_error"], change, rtol=1e-3, atol=1e-10)


@pytest.mark.parametrize("current", [0.0, 0.01])
def test_probes_are_leads_of_the_potentials_that_are_found(current):
    lattice = {"kind": "chain", "sites": 4}
    group = {"kind": "wide-band", "broadening": 0.3, "sites": [2, 3], "temperature": 0.2}
    probed = system(0.2, 0.4, lattice=lattice) | {
        "probes": {"middle": group | {"current": current}}
    }
    found = evaluated(probes, probed, ["noise", "cumulants"])
    leads = dict(probed["leads"])
    for k, site in enumerate((2, 3), start=2):
        mu = found.values["chemical_potential"][k]
        own = {"kind": "wide-band", "broadening": 0.3, "site": site}
        leads[f"middle-{site}"] = own | {"chemical_potential": mu, "temperature": 0.2}
    expected = evaluated(steady_current, system(lattice=lattice, leads=leads), FILLS)
    require_same(found, expected, ["particle_noise", "third_cumulant"])
    require_same(found, expected, ["occupation", "bond_current"])
    # Constant potentials are what the kind calls bare.
    bare, error = (found.values[f"bare_particle_noise{x}"] for x in ("", "_error"))
    np.testing.assert_allclose(
        found.values["particle_noise"][:2, :2], bare, atol=error.max() + 1e-9
    )
