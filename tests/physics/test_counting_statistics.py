"""The kind counting-statistics: its tables agree with one another and with steady-current."""

import numpy as np
import pytest
from pydantic import ValidationError

from nessflow.kinds import counting_statistics, steady_current
from nessflow.studies.kind import Status

LEAD = {"kind": "wide-band", "broadening": 0.6, "temperature": 0.1}


def evaluated(loss=0.0, lowest=-40, highest=60, third=None):
    leads = {
        "left": LEAD | {"chemical_potential": 0.4},
        "right": LEAD | {"chemical_potential": -0.4},
    }
    if third:
        leads["top"] = LEAD | third
    system = {
        "lattice": {"kind": "ladder", "length": 3},
        "loss": {"kind": "onsite", "rate": loss},
        "leads": leads,
    }
    parameters = {"system": system, "time": 60.0, "charges": {"lowest": lowest, "highest": highest}}
    model = counting_statistics.Parameters.model_validate(parameters)
    outcome = counting_statistics.evaluate(model, None)
    assert outcome.status == Status.OK
    return model, outcome.values


@pytest.mark.parametrize("third", [None, {"chemical_potential": 0.0, "site": [2, 3]}])
def test_one_statistics_in_three_tables(third):
    model, values = evaluated(loss=0.05, third=third)
    coordinates = counting_statistics.coordinates(model)
    for name, variable in counting_statistics.VARIABLES.items():
        shape = tuple(coordinates[dim].values.size for dim in variable.dims)
        assert np.shape(values[name]) == shape, name
    charges, fields = coordinates["charge"].values, coordinates["counting_field"].values
    probability = values["probability"]
    np.testing.assert_allclose(probability.sum(axis=1) + values["outside_probability"], 1)
    mean = probability @ charges
    centred = charges - mean[:, None]
    moments = [mean, *((probability * centred**k).sum(axis=1) for k in (2, 3))]
    np.testing.assert_allclose(np.transpose(moments), 60 * values["cumulant"][:, :3], rtol=1e-5)
    chi = values["generating_function_real"] + 1j * values["generating_function_imaginary"]
    transform = probability @ np.exp(1j * np.outer(charges, fields))
    np.testing.assert_allclose(np.exp(60 * chi), transform, atol=1e-8)
    same = steady_current.evaluate(steady_current.Parameters(system=model.system), None).values
    cumulants = values["cumulant"]
    leads = len(model.system.leads)
    np.testing.assert_allclose(cumulants[:, 0], same["particle_current"][:leads], rtol=1e-9)
    np.testing.assert_allclose(cumulants[:, 1], np.diag(same["particle_noise"]), rtol=1e-9)
    np.testing.assert_allclose(cumulants[:, 2], same["third_cumulant"], rtol=1e-9)
    np.testing.assert_allclose(cumulants[:, 3], same["fourth_cumulant"], rtol=1e-9)


def test_a_charge_that_does_not_fluctuate_has_no_normal_density():
    leads = {name: LEAD | {"chemical_potential": 0.4} for name in ("left", "right")}
    leads["left"] |= {"broadening": 0.0}
    parameters = {
        "system": {"lattice": {"kind": "chain", "sites": 3}, "leads": leads},
        "time": 60.0,
        "charges": {"lowest": -3, "highest": 3},
    }
    model = counting_statistics.Parameters.model_validate(parameters)
    outcome = counting_statistics.evaluate(model, None)
    np.testing.assert_allclose(outcome.values["probability"], np.eye(7)[[3, 3]], atol=1e-14)
    assert np.isnan(outcome.values["gaussian_probability"]).all()
    assert "left, right does not fluctuate" in outcome.notes["gaussian_probability"]


def test_without_loss_one_lead_receives_what_the_other_sends():
    _, values = evaluated(lowest=-50, highest=50)
    left, right = values["probability"]
    np.testing.assert_allclose(left, right[::-1], atol=values["probability_error"].max())


def test_charges_that_are_not_asked_for_are_outside():
    _, values = evaluated(lowest=5, highest=9)
    assert values["probability"].shape == (2, 5)
    total = values["probability"].sum(axis=1) + values["outside_probability"]
    np.testing.assert_allclose(total, 1)
    assert values["outside_probability"][1] > 0.99


def test_an_empty_range_of_charges_is_refused():
    with pytest.raises(ValidationError, match="expected one to a million charges"):
        evaluated(lowest=5, highest=4)
