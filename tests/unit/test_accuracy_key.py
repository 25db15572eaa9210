"""The key `accuracy`: which kinds have it, what it does to numbers, errors and blocks."""

import numpy as np
import pytest
import xarray as xr

import nessflow as nf
from nessflow.registry import find_kind, kind_names
from nessflow.studies.variables import ACCURACY
from nessflow.validation import InvalidValues

INTEGRATE = {
    "counting-statistics",
    "current-nonreciprocity",
    "disorder-response",
    "linear-response",
    "master-equations",
    "nonreciprocity",
    "probe-roots",
    "probes",
    "steady-current",
    "transmission",
    "zero-current",
}


def wire(temperature=0.1, mu=0.4):
    return {
        "lattice": {"kind": "chain", "sites": 6},
        "loss": {"kind": "onsite", "rate": 0.05},
        "leads": {
            name: {
                "kind": "semi-infinite-chain",
                "coupling": 0.5,
                "chemical_potential": potential,
                "temperature": temperature,
            }
            for name, potential in (("left", mu), ("right", -0.4))
        },
    }


def exchanging(kind):
    """Parameters of a kind."""
    if kind == "steady-current":
        names = ["currents", "noise", "cumulants", "scattering-entropy", "density", "bond-currents"]
        return {"system": wire(), "observables": names}
    if kind == "transmission":
        return {"system": wire(), "energies": [0.1], "observables": ["noise", "density"]}
    if kind == "linear-response":
        return {"system": wire(mu=-0.4)}
    if kind == "counting-statistics":
        charges = {"lowest": -3, "highest": 3}
        return {"system": wire(), "time": 50.0, "charges": charges, "counting_fields": 4}
    if kind == "zero-current":
        gain = {"kind": "onsite", "rate": 0.02}
        return {"system": wire(1.0) | {"gain": gain}, "lower": -5.0, "upper": 5.0}
    if kind == "master-equations":
        one, other = ({"chemical_potential": mu, "temperature": 0.1} for mu in (1.2, 0.7))
        reservoirs = {"bandwidth": 10.0, "coupling": 0.2, "left": one, "right": other}
        return {"network": {"energy": 1.0, "tunnelling": 0.5}, "reservoirs": reservoirs}
    if kind == "disorder-response":
        return {"system": wire(mu=-0.4)}
    current = {"kind": "semi-infinite-chain", "coupling": 0.3, "temperature": 0.1}
    probes = {
        "source": current | {"sites": [3], "current": 0.002},
        "drain": current | {"sites": [5], "current": -0.002},
    }
    system = {name: x for name, x in wire().items() if name != "loss"} | {"probes": probes}
    if kind == "probe-roots":
        for part in (*system["leads"].values(), *probes.values()):
            part["temperature"] = 0.0
    return {"system": system} | ({"method": "exact"} if "nonreciprocity" in kind else {})


def test_kinds_that_integrate_have_the_key():
    fields = {name: find_kind(name).Parameters.model_fields for name in kind_names()}
    assert {name for name, x in fields.items() if "accuracy" in x} == INTEGRATE
    for name in INTEGRATE:
        assert fields[name]["accuracy"].default == ACCURACY


@pytest.mark.parametrize("kind", sorted(INTEGRATE))
def test_numbers_of_a_loose_accuracy_agree_within_errors(kind):
    parameters = exchanging(kind)
    fine, loose = nf.point(kind, **parameters), nf.point(kind, accuracy=1e-4, **parameters)
    assert loose.attrs == fine.attrs
    some = False
    for name in fine.data_vars:
        if f"{name}_error" not in fine:
            continue
        difference = abs(fine[name] - loose[name]).values
        allowed = (fine[f"{name}_error"] + loose[f"{name}_error"]).values
        assert np.array_equal(np.isnan(fine[name]), np.isnan(loose[name])), name
        assert np.all(np.isnan(difference) | (difference <= allowed)), name
        some = some or np.nanmax(allowed, initial=0.0) > 1e-10
    assert some or kind == "probe-roots"  # at temperature 0 probes take no integral


@pytest.mark.parametrize("kind", ["steady-current", "linear-response"])
def test_left_out_it_is_the_default(kind):
    parameters = exchanging(kind)
    one, other = nf.point(kind, **parameters), nf.point(kind, accuracy=ACCURACY, **parameters)
    xr.testing.assert_identical(one, other)


def test_the_library_passes_it_on():
    system = nf.System(**wire())
    fine, loose = nf.solve(system, ["density"]), nf.solve(system, ["density"], accuracy=1e-3)
    again = nf.point("steady-current", system=system, observables=["density"], accuracy=1e-3)
    xr.testing.assert_identical(loose, again)
    assert (loose["occupation_error"] > 100 * fine["occupation_error"]).all()


@pytest.mark.parametrize("value", [0, 1e-15, 0.02, -1.0])
def test_bounds(value):
    with pytest.raises(InvalidValues, match="accuracy"):
        nf.solve(nf.System(**wire()), ["currents"], accuracy=value)


def test_closed_forms_refuse_the_key():
    """A spectrum integrates where observables are listed beside it, and only there."""
    with pytest.raises(InvalidValues, match="accuracy"):
        nf.point("transmission", system=wire(), energies=[0.0], accuracy=1e-4)
