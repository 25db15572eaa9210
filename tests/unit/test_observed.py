"""Kinds that have variables of their own beside the observables that their studies list."""

import json

import numpy as np
import pytest
from test_observables import Run, item, study

from nessflow.config import study as studies
from nessflow.config.project import load_study
from nessflow.errors import ConfigError
from nessflow.observables.observable import observable_kinds
from nessflow.registry import find_kind, kind_names
from nessflow.run.plan import plan_study
from nessflow.store.layout import SOURCE_DIGEST
from nessflow.store.store import read_dataset

LEAD = "{kind: wide-band, broadening: 0.8, chemical_potential: 0.2, temperature: 0.3}"
PROBES = "probes: {middle: {kind: wide-band, broadening: 0.3, sites: [2], temperature: 0.3}}"
MORE = {
    "counting-statistics": "time: 9\ncharges: {lowest: -2, highest: 2}\ncounting_fields: 3",
    "disorder-response": "",
    "linear-response": "",
    "probes": "",
    "transmission": "energies: {start: -2.5, stop: 2, points: 7}",
    "zero-current": "lower: -3\nupper: 3",
}
"""What studies of each kind have beside the system."""
KINDS = [name for name in kind_names() if hasattr(find_kind(name), "OWN")]
GAINY = "counting-statistics", "zero-current"


def text_of(name, observables="OBSERVABLES"):
    """A study of a kind, of one axis."""
    return f"""\
title: A wire
study: {name}
system:
  lattice: {{kind: chain, sites: 3}}
  loss: {{kind: onsite, rate: $gamma}}
  {"gain: {kind: onsite, rate: 0.1}" if name in GAINY else ""}
  {PROBES if name == "probes" else ""}
  leads: {{left: {LEAD}, right: {LEAD}}}
{MORE[name]}
{observables}
axes:
  gamma: {{inner: [0.1, 0.2]}}
"""


def taken(name):
    """Names of the observables that studies of a kind may list."""
    refusal = find_kind(name).Parameters.refusal
    return [x for x, each in observable_kinds().items() if not refusal(each)]


def test_all_such_kinds_are_looked_at():
    assert set(MORE) == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_own_variables_and_those_of_observables_are_others(name):
    kind = find_kind(name)
    assert kind.OWN.keys() <= kind.VARIABLES.keys()
    for each in (observable_kinds()[x] for x in taken(name)):
        assert not each.variables.keys() & kind.OWN.keys()
    assert {"noise", "local-density-of-states", "cumulants"} <= {*taken(name)}


@pytest.mark.parametrize("name", KINDS)
def test_every_observable_that_it_takes_is_computed(name, tmp_path):
    listed = ", ".join(json.dumps(item(x)) for x in taken(name))
    run = Run(tmp_path, pytest.MonkeyPatch(), find_kind(name))
    run(listed, text_of(name))
    data = read_dataset(tmp_path / "wire" / "data.nc")
    assert not data["status"].values.any(), data["message"].values
    for each in taken(name):
        assert observable_kinds()[each].variables.keys() <= data.keys()


@pytest.mark.parametrize("name", KINDS)
def test_a_new_observable_is_all_that_is_computed(name, tmp_path, monkeypatch):
    first, second = ("noise", "cumulants") if name == "probes" else ("density", "noise")
    kind, text = find_kind(name), text_of(name)
    with monkeypatch.context() as patched:
        (tmp_path / "fresh").mkdir()
        fresh = Run(tmp_path / "fresh", patched, kind)(f"{first}, {second}", text)[0]
    run = Run(tmp_path, monkeypatch, kind)
    assert run(first, text)[1] == {("own", first): 2}
    data, evaluated = run(f"{first}, {second}", text)
    assert evaluated == {(second,): 2}
    assert data == fresh
    assert run(second, text)[1] == {}


def test_the_plan_says_what_is_new_and_why(tmp_path, monkeypatch):
    kind, text = find_kind("zero-current"), text_of("zero-current")

    def reasons(observables, text=text):
        return plan_study(study(tmp_path, observables, text), tmp_path / "wire").reasons

    Run(tmp_path, monkeypatch, kind)("density", text)
    assert reasons("density") == {}
    assert reasons("density, noise") == {"new observable noise": 1}
    joint = studies.joint_digest

    def edited(found, module):
        return joint(found) + "edited" * any(module in x.name for x in found)

    with monkeypatch.context() as patched:
        patched.setattr(studies, "joint_digest", lambda x: edited(x, "observables.density"))
        assert reasons("density") == {"code of density changed": 1}
        patched.setattr(studies, "joint_digest", lambda x: edited(x, "kinds.zero_current"))
        assert reasons("density") == {"code changed": 1}


def test_own_variables_alone(tmp_path, monkeypatch):
    run = Run(tmp_path, monkeypatch, find_kind("zero-current"))
    _, evaluated = run("", text_of("zero-current", "observables: []"))
    assert evaluated == {("own",): 2}
    _, evaluated = run("", text_of("zero-current", ""))
    assert evaluated == {("currents", "noise", "entropy-production"): 2}


@pytest.mark.parametrize("name", KINDS)
def test_own_variables_carry_the_digest_of_the_kind(name, tmp_path, monkeypatch):
    kind, text = find_kind(name), text_of(name)
    Run(tmp_path, monkeypatch, kind)("noise", text)
    data = read_dataset(tmp_path / "wire" / "data.nc")
    own = {data[x].attrs[SOURCE_DIGEST] for x in kind.OWN}
    noise = {data[x].attrs[SOURCE_DIGEST] for x in observable_kinds()["noise"].variables}
    assert len(own) == len(noise) == 1
    assert own != noise
    both = [study(tmp_path, x, text).variable_digests for x in ("noise", "cumulants")]
    assert both[0].items() >= {(x, *own) for x in kind.OWN}
    assert all(both[0][x] == both[1][x] for x in kind.OWN)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("observables", "message"),
    [
        ("noise, noize", "observables.1 = noize: expected 'bond-currents'"),
        ("noise, noize", "did you mean 'noise'?"),
        ("noise, noise", "observables.1 = noise: noise is listed twice"),
    ],
)
def test_messages_about_observables(name, observables, message, tmp_path):
    path = tmp_path / "wire.yaml"
    path.write_text(text_of(name, f"observables: [{observables}]"))
    line = 1 + path.read_text().splitlines().index(f"observables: [{observables}]")
    with pytest.raises(ConfigError) as raised:
        load_study(path)
    assert message in str(raised.value)
    assert f"{path}:{line}: " in str(raised.value)


@pytest.mark.parametrize(
    ("name", "observables", "message"),
    [
        ("probes", "density", "this kind has occupation, bound_weight of its own; leave density"),
        ("probes", "noise, bond-currents", "observables.1 = bond-currents: this kind has bond_cu"),
        ("transmission", "currents", "the terminals of currents are loss and gain too, those of t"),
        (
            "transmission",
            "{local-density-of-states: {energies: [0.1]}}",
            "local-density-of-states has other values of energy than the energy of this kind; give",
        ),
    ],
)
def test_what_a_kind_has_is_not_listed(name, observables, message, tmp_path):
    with pytest.raises(ConfigError) as raised:
        study(tmp_path, observables, text_of(name))
    assert message in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_energies_of_a_spectrum_and_of_a_density_of_states(tmp_path, monkeypatch):
    run = Run(tmp_path, monkeypatch, find_kind("transmission"))
    run(json.dumps(item("local-density-of-states")), text_of("transmission"))
    data = read_dataset(tmp_path / "wire" / "data.nc")
    assert data["transmission"].sizes["energy"] == 7
    assert (data["local_density_of_states"].values > 0).all()
    assert np.isfinite(data["spectral_particle_noise"]).all()
