"""Chemical potential without exchange of particles, against the currents there."""

import dataclasses

import numpy as np
import pytest

from nessflow.kinds import zero_current
from nessflow.scattering.currents import steady_currents
from nessflow.studies.kind import Status
from nessflow.studies.systems import open_system

LEAD = {"kind": "wide-band", "broadening": 1.1, "chemical_potential": 0, "temperature": 1.0}
GAIN, LOSS = {"kind": "sites", "rates": {1: 0.2}}, {"kind": "sites", "rates": {3: 0.3}}


def parameters(loss=LOSS, gain=GAIN, left=None, right=None, bracket=(-10, 10)):
    leads = {"left": LEAD | (left or {}), "right": LEAD | (right or {})}
    system = {"lattice": {"kind": "chain", "sites": 3}, "loss": loss, "gain": gain, "leads": leads}
    lower, upper = bracket
    return zero_current.Parameters.model_validate(
        {"system": system, "lower": lower, "upper": upper}
    )


def exchange(given, mu):
    """What both leads together send into loss and gain."""
    system = open_system(given.system, None)
    leads = tuple(dataclasses.replace(lead, chemical_potential=mu) for lead in system.leads)
    return (
        steady_currents(dataclasses.replace(system, leads=leads)).particle_current.value[:2].sum()
    )


@pytest.mark.parametrize("temperature", [0.0, 1e-4, 1.0])
def test_system_without_symmetry_exchanges_nothing_on_the_whole(temperature):
    """One lead by itself does: what it takes, the other gives."""
    cold = {"temperature": temperature}
    given = parameters(left=cold, right=cold | {"broadening": 0.4})
    values = zero_current.evaluate(given, None).values
    mu, error = values["chemical_potential"], values["chemical_potential_error"]
    assert error < 1e-12
    assert exchange(given, mu - 2 * error) <= 0 <= exchange(given, mu + 2 * error)
    assert exchange(given, mu - 0.01) < -1e-5 < 1e-5 < exchange(given, mu + 0.01)


def test_leads_of_two_temperatures_without_reciprocity():
    """Numbers of an adaptive quadrature of scattering matrices of a chain with loss on its bond.

    T_LR and T_RL differ there, so that what the leads exchange with loss alone is not all.
    """
    chain = {"kind": "semi-infinite-chain", "chemical_potential": 0}
    given = zero_current.Parameters.model_validate(
        {
            "system": {
                "lattice": {"kind": "chain", "sites": 2},
                "loss": {"kind": "bond", "rate": 0.3, "phase": -2.2},
                "gain": {"kind": "sites", "rates": {1: 0.2}},
                "leads": {
                    "left": chain | {"temperature": 0.05, "coupling": 0.8},
                    "right": chain | {"temperature": 0.6, "onsite": 0.3},
                },
            },
            "lower": -10,
            "upper": 10,
        }
    )
    outcome = zero_current.evaluate(given, None)
    assert outcome.status == Status.OK
    assert outcome.values["chemical_potential"] == pytest.approx(-0.9574260515039, abs=1e-10)


def test_error_does_not_depend_on_a_generous_bracket():
    narrow, wide = (
        zero_current.evaluate(parameters(bracket=(-b, b)), None).values for b in (5, 1e5)
    )
    mu, error = "chemical_potential", "chemical_potential_error"
    assert abs(narrow[mu] - wide[mu]) <= narrow[error] + wide[error]
    assert wide[error] < 1e-11


def test_leads_of_two_temperatures_have_no_reduced_chemical_potential():
    outcome = zero_current.evaluate(parameters(right={"temperature": 3.0}), None)
    assert np.isfinite(outcome.values["chemical_potential"])
    assert np.isnan(outcome.values["reduced_chemical_potential"])
    assert "differ in temperature" in outcome.notes["reduced_chemical_potential"]


@pytest.mark.parametrize(
    "change",
    [
        {"loss": None, "gain": None},
        {"left": {"broadening": 0}, "right": {"broadening": 0}},
    ],
    ids=["neither loss nor gain", "no coupling"],
)
def test_without_any_exchange_no_chemical_potential_is_singled_out(change):
    outcome = zero_current.evaluate(parameters(**change), None)
    assert outcome.status == Status.OK
    assert np.isnan(outcome.values["chemical_potential"])
    assert "at any chemical potential" in outcome.notes["chemical_potential"]


@pytest.mark.parametrize("lead", [{}, {"kind": "semi-infinite-chain", "temperature": 0.0}])
def test_loss_alone_has_no_root(lead):
    """Below the band of a cold chain nothing is exchanged, which is no change of sign either."""
    lead = {k: v for k, v in (LEAD | lead).items() if lead == {} or k != "broadening"}
    leads = {"left": lead, "right": lead}
    system = parameters().system.model_dump() | {"gain": None, "leads": leads}
    given = zero_current.Parameters.model_validate({"system": system, "lower": -10, "upper": 10})
    outcome = zero_current.evaluate(given, None)
    assert outcome.status == Status.NOT_CONVERGED
    assert "does not change its sign" in outcome.message


def test_a_root_of_faulty_currents_is_not_converged(monkeypatch):
    monkeypatch.setattr("nessflow.scattering.currents.UNITARITY_TOLERANCE", -1.0)
    outcome = zero_current.evaluate(parameters(), None)
    assert outcome.status == Status.NOT_CONVERGED
    assert "unitarity" in outcome.message
