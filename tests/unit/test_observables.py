"""Observables are found in their folder, chosen by studies, and filled in where they lack."""

import json
from collections import Counter

import numpy as np
import pytest

from nessflow.config.project import load_study
from nessflow.errors import ConfigError
from nessflow.kinds import steady_current
from nessflow.observables import observable
from nessflow.observables.observable import chosen, observable_kinds
from nessflow.outcome import Status
from nessflow.registry import find_kind
from nessflow.run.gather import gather_study
from nessflow.run.plan import plan_study
from nessflow.run.solve import prepared_block, solve_block
from nessflow.store.layout import REASONS, stored_variables
from nessflow.store.store import read_dataset
from nessflow.testing import SYSTEMS, check_observable

GRID = {"start": -2.5, "stop": 2, "points": 7}
DIMENSIONS = {"terminal", "terminal_2", "lead", "lead_2", "mode", "site", "bond", "level"}
DIMENSIONS |= {"spin_site", "spin_bond", "spin_component"}
OWN_DIMENSIONS = {"energy", "configuration", "thermocouple"}
"""Dimensions that parameters of observables make."""


def given(name, leads=("left", "right")):
    """Parameters of the observables that need some, for a system of these leads."""
    ends = [leads[0], leads[-1]]
    measured = {
        "resistances": {"ends": {"current": ends, "voltage": ends}},
        "thermopowers": {"ends": {"warmed": ends[0], "voltage": ends}},
    }
    spectral = ["local-density-of-states", "localisation-length", "transmission-eigenvalues"]
    spectral += ["bond-transmission"]
    return measured.get(name, {"energies": GRID} if name in spectral else {})


def item(name):
    return {name: given(name)} if given(name) else name


def parameters(system, names):
    values = {"system": SYSTEMS[system], "observables": [item(name) for name in names]}
    return steady_current.Parameters.model_validate_json(json.dumps(values))


def outcome_of(system, names):
    rng = np.random.default_rng(1)
    return steady_current.evaluate(parameters(system, names), rng)


@pytest.mark.parametrize("name", observable_kinds())
@pytest.mark.parametrize("system", SYSTEMS)
def test_laws_of_every_observable(system, name):
    kind, leads = observable_kinds()[name], list(SYSTEMS[system]["leads"])
    if given(name, "ab").keys() == {"ends"} and len(leads) < 2:
        return  # refused: two leads have to be named
    check_observable(kind(**given(name, leads)), {system: SYSTEMS[system]})


def test_the_order_is_that_in_which_they_are_asked_for():
    names = list(observable_kinds())
    found = [list(outcome_of("loss", x).values) for x in (names, names[::-1])]
    assert sorted(found[0]) == sorted(found[1])
    assert found[0] != found[1]


def test_no_two_observables_store_a_variable_of_one_name():
    counts = Counter(x for kind in observable_kinds().values() for x in kind.variables)
    assert max(counts.values()) == 1


def test_every_observable_says_what_it_is():
    for name, kind in observable_kinds().items():
        assert kind.__doc__
        assert kind.__name__.casefold() == name.replace("-", "").casefold()
        for variable in kind.variables.values():
            assert set(variable.dims) <= DIMENSIONS | OWN_DIMENSIONS


def test_what_is_not_asked_for_is_not_computed(monkeypatch):
    """A density of states needs no energy integral, entropy production no noise."""
    seen = []

    def counted(systems, integrals, accuracy):
        seen.extend(map(len, integrals))
        return [[x.result for x in own] for own in integrals]

    monkeypatch.setattr(observable.rates, "integrate_each_system", counted)
    outcome_of("wire", ["local-density-of-states"])
    assert seen == [0]
    monkeypatch.undo()
    outcome = outcome_of("wire", ["uncertainty-ratios"])
    assert list(outcome.values) == list(observable_kinds()["uncertainty-ratios"].variables)


def test_a_fault_of_what_is_needed_makes_the_point_not_ok(monkeypatch):
    currents = observable_kinds()["currents"]
    monkeypatch.setattr(currents, "fault", lambda *_: (Status.NOT_CONVERGED, "currents fail"))
    found = outcome_of("wire", ["entropy-production", "noise"])
    assert (found.status, found.message) == (Status.NOT_CONVERGED, "currents fail")
    assert outcome_of("wire", ["noise"]).status == Status.OK


def test_the_default_is_what_the_kind_says():
    values = {"system": SYSTEMS["wire"]}
    found = steady_current.Parameters.model_validate(values).observables
    assert [x.name for x in found] == list(steady_current.OBSERVABLES)
    assert list(chosen(None, steady_current.OBSERVABLES)) == list(steady_current.OBSERVABLES)
    both = {"system": SYSTEMS["wire"], "observables": [found[0], "noise"]}
    assert steady_current.Parameters.model_validate(both).observables == found[:2]
    written = [item("local-density-of-states"), "nothing", "noise", {"noise": None}, 3, {}]
    assert list(chosen(written, ())) == ["local-density-of-states", "noise"]


# --- in a study -----------------------------------------------------------------------------------

STUDY = """\
title: A wire
study: steady-current
system:
  lattice: {kind: chain, sites: $n}
  disorder: {kind: uniform, half_width: 0.5}
  loss: {kind: onsite, rate: 0.05}
  leads:
    left:  {kind: wide-band, broadening: 1, chemical_potential: $mu, temperature: 0.2}
    right: {kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.2}
OBSERVABLES
axes:
  n: {outer: [2, 3]}
  mu: {inner: [0.1, 0.3]}
ensemble: {samples: 3, per_block: 2}
"""
DENSITY = "{local-density-of-states: {energies: {start: -1, stop: 1, points: 4}}}"


def study(tmp_path, observables, text=STUDY):
    line = f"observables: [{observables}]\n" if observables else ""
    path = tmp_path / "wire.yaml"
    path.write_text(text.replace("OBSERVABLES\n", line))
    return load_study(path)


class Run:
    """A study in a folder, and what was evaluated in its last run."""

    def __init__(self, folder, monkeypatch, kind=steady_current):
        self.folder, self.evaluated = folder, []
        ways = [name for name in ("evaluate", "evaluate_many") if hasattr(kind, name)]
        # A kind without variables of its own evaluates one point as many.
        for name in ways if hasattr(kind, "OWN") else ways[-1:]:
            monkeypatch.setattr(kind, name, self.noting(getattr(kind, name), hasattr(kind, "OWN")))

    def noting(self, evaluate, has_own):
        """Return a way to evaluate that takes a note of what is asked for."""

        def noted(given, rngs, **arguments):
            own = ("own",) * arguments.get("own", has_own)
            for point in given if isinstance(given, list) else [given]:
                self.evaluated.append((*own, *(x.name for x in point.observables)))
            return evaluate(given, rngs, **arguments)

        return noted

    def path(self, block):
        return self.folder / "wire" / "blocks" / block.path

    def __call__(self, observables, text=STUDY):
        """Run a study; return its data as bytes and how often which observables were evaluated."""
        self.evaluated.clear()
        found = study(self.folder, observables, text)
        folder = self.folder / "wire"
        for block in found.blocks:
            solve_block(block, folder, progress=print)
        gather_study(found, folder, progress=print)
        return (folder / "data.nc").read_bytes(), Counter(self.evaluated)


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    return Run(tmp_path / "project", monkeypatch)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    (tmp_path / "fresh").mkdir()
    return Run(tmp_path / "fresh", monkeypatch)


def test_a_new_observable_is_all_that_is_computed(run, fresh):
    _, first = run("currents, density")
    assert first == {("currents", "density"): 12}
    data, second = run(f"currents, density, {DENSITY}, bond-currents")
    assert second == {("local-density-of-states", "bond-currents"): 12}
    assert data == fresh(f"currents, density, {DENSITY}, bond-currents")[0]
    assert run(f"currents, density, {DENSITY}, bond-currents")[1] == {}


def test_an_observable_left_out_computes_nothing(run, fresh):
    run(f"noise, {DENSITY}, currents")
    data, evaluated = run("currents, noise")
    assert evaluated == {}
    assert data == fresh("currents, noise")[0]


def test_other_parameters_of_an_observable_compute_it_alone(run, fresh):
    run(f"{DENSITY}, currents")
    other = DENSITY.replace("points: 4", "points: 5")
    data, evaluated = run(f"{other}, currents")
    assert evaluated == {("local-density-of-states",): 12}
    assert data == fresh(f"{other}, currents")[0]


def test_more_points_and_more_observables_at_once(run, fresh):
    run("density")
    text = STUDY.replace("[0.1, 0.3]", "[0.1, 0.2, 0.3]").replace("samples: 3", "samples: 5")
    data, evaluated = run("density, noise", text)
    assert evaluated == {("noise",): 12, ("density", "noise"): 18}
    assert data == fresh("density, noise", text)[0]


def test_another_accuracy_makes_all_old(run, fresh):
    run("noise")
    text = STUDY.replace("OBSERVABLES\n", "OBSERVABLES\naccuracy: 1e-4\n")
    data, evaluated = run("noise", text)
    assert evaluated == {("noise",): 12}
    assert data == fresh("noise", text)[0]


def test_points_that_are_not_ok_are_computed_whole(run, fresh, monkeypatch):
    kind = observable_kinds()["density"]

    def fault(self, system, result):
        bad = system.terminals[0].chemical_potential > 0.2
        return (Status.SUSPECT, "too full") if bad else (Status.OK, "")

    monkeypatch.setattr(kind, "fault", fault)
    run("density, noise")
    data, evaluated = run("density, noise, currents")
    assert evaluated == {("currents",): 6, ("density", "noise", "currents"): 6}
    assert data == fresh("density, noise, currents")[0]
    # Without the one that was at fault the point may be ok.
    data, evaluated = run("noise, currents")
    assert evaluated == {("noise", "currents"): 6}
    assert data == fresh("noise, currents")[0]


def test_a_fault_of_a_new_observable_is_that_of_the_point(run, fresh, monkeypatch):
    kind = observable_kinds()["density"]
    monkeypatch.setattr(kind, "fault", lambda *_: (Status.SUSPECT, "too full"))
    run("noise")
    data, evaluated = run("noise, density")
    assert evaluated == {("density",): 12}
    assert data == fresh("noise, density")[0]
    failures = (run.folder / "wire" / "failures.csv").read_text()
    assert failures.count("suspect,too full") == 12


def test_an_exception_in_a_new_observable_fails_the_point(run, fresh, monkeypatch):
    def fails(self, *rest):
        raise ArithmeticError("no density")

    run("noise")
    monkeypatch.setattr(observable_kinds()["density"], "evaluate_to", fails)
    data, _ = run("noise, density")
    assert data == fresh("noise, density")[0]
    block = read_dataset(next((run.folder / "wire" / "blocks").rglob("*.nc")))
    assert np.isnan(block["particle_noise"]).all()
    assert set(block["status"].values.flat) == {Status.EXCEPTION}


def test_reasons_of_kept_and_new_variables_stand_together(run, fresh):
    run("currents")
    data, _ = run("currents, entropy-production")
    assert data == fresh("currents, entropy-production")[0]
    block = read_dataset(next((run.folder / "wire" / "blocks").rglob("*.nc")))
    reasons = json.loads(block[REASONS].values.flat[0])
    assert {"heat_current", "entropy_production", "energy_current"} <= reasons.keys()


def test_an_observable_of_another_source_is_all_that_is_computed(run, monkeypatch):
    from nessflow.config import study as studies

    data, _ = run(f"currents, {DENSITY}, entropy-production")
    digest = studies.joint_digest

    def edited(found):
        changed = "nessflow.observables.currents"
        return digest(found) + "edited" * (changed in [x.name for x in found])

    monkeypatch.setattr(studies, "joint_digest", edited)
    again, evaluated = run(f"currents, {DENSITY}, entropy-production")
    assert evaluated == {("currents",): 12}
    assert again != data


def test_what_was_set_aside_is_filled_in_again(run, fresh):
    """The workflow sets blocks of other observables aside before it runs."""
    from nessflow.run.gather import set_blocks_aside

    def aside(observables):
        return set_blocks_aside(study(run.folder, observables), run.folder / "wire")

    run("currents, density")
    faults = aside("currents, noise")
    assert len(faults) == 4
    assert all("holds other observables" in str(x) and "is kept" in str(x) for x in faults)
    _, evaluated = run("currents, noise")
    assert evaluated == {("noise",): 12}
    # Taken back: density is still there, beside what was written since.
    aside("noise, currents, density")
    data, evaluated = run("noise, currents, density")
    assert data == fresh("noise, currents, density")[0]


def test_the_plan_says_what_is_new_and_why(run):
    def plan(observables, text=STUDY):
        return plan_study(study(run.folder, observables, text), run.folder / "wire")

    run(f"currents, {DENSITY}")
    assert plan(f"currents, {DENSITY}").reasons == {}
    found = plan(f"currents, {DENSITY}, noise, density")
    assert found.reasons == {"new observable noise, new observable density": 4}
    assert (found.points, found.reused) == (12, 0)
    found = plan("currents")
    assert (found.reasons, found.reused) == ({"observables left out": 4}, 12)
    (reason,) = plan(f"currents, {DENSITY.replace('points: 4', 'points: 5')}").reasons
    key = "observables.local-density-of-states.energies.points"
    assert reason == f"parameter changed: {key} 4 -> 5"


def test_every_variable_carries_what_it_depends_on(run):
    run(f"currents, {DENSITY}, entropy-production")
    for path in (run.folder / "wire").rglob("*.nc"):
        data = read_dataset(path)
        digests = {
            name: {data[x].attrs["source_digest"] for x in kind.variables if x in data}
            for name, kind in observable_kinds().items()
        }
        own = [digests[x] for x in ("currents", "local-density-of-states", "entropy-production")]
        assert [len(x) for x in own] == [1, 1, 1]
        assert len(set.union(*own)) == 3
        assert not digests["noise"]
        assert json.loads(data.attrs["observables"])[0] == "currents"


HALL = "{resistances: {hall: {current: [left, right], voltage: [left, right]}}}"


@pytest.mark.parametrize(
    ("observables", "message"),
    [
        ("currents, noize", "observables.1 = noize: expected 'bond-currents'"),
        ("currents, noize", "did you mean 'noise'?"),
        ("{noize: {}}", "observables.0.noize = {}: expected one of the keys bond-currents"),
        ("noise, noise", "observables.1 = noise: noise is listed twice"),
        ("local-density-of-states", "needs parameters: write {local-density-of-states: {energies"),
        ("{local-density-of-states: {}}", "states.energies: expected a value"),
        ("{noise: {energies: 3}}", "observables.0.noise.energies = 3: expected no key"),
        (DENSITY.replace("points: 4", "points: 0"), "energies.points = 0: expected a number >= 2"),
        ("3", "observables.0 = 3: expected 'bond-currents', 'bond-spin-currents'"),
        (HALL.replace("right]}", "rihgt]}"), "voltage.1 = rihgt: expected a lead (left, right)"),
        (HALL.replace("right]}", "rihgt]}"), "did you mean 'right'?"),
        (HALL.replace("right]}", "left]}"), '"left"]: both are left; name two leads'),
        (HALL.replace("voltage", "volts"), "expected one of the keys current, voltage; did you"),
        ("resistances", "name what is measured: resistances: {NAME: {...}}"),
        ("{resistances: {a b: 3}}", "resistances.a b = 3: expected a mapping of keys to values"),
    ],
)
def test_messages_about_observables(tmp_path, observables, message):
    with pytest.raises(ConfigError) as raised:
        study(tmp_path, observables)
    assert message in str(raised.value)
    assert f"{tmp_path / 'wire.yaml'}:10: " in str(raised.value)
    assert "entries" not in str(raised.value)


def test_an_axis_cannot_have_the_name_of_a_chosen_dimension(tmp_path):
    text = STUDY.replace("n: {outer", "energy: {outer").replace("$n", "$energy")
    with pytest.raises(ConfigError, match="energy is taken"):
        study(tmp_path, DENSITY, text)
    assert study(tmp_path, "currents", text).axes[0].name == "energy"


def test_cases_do_not_choose_observables(tmp_path):
    cases = "mu: {inner: {cases: {a: {observables: [noise]}}}}"
    text = STUDY.replace("mu: {inner: [0.1, 0.3]}", cases).replace("$mu", "0.1")
    with pytest.raises(ConfigError, match="observables is the same for all cases"):
        study(tmp_path, "currents", text)


def test_energies_may_depend_on_an_outer_axis(run):
    density = DENSITY.replace("stop: 1", "stop: $n")
    _, evaluated = run(f"{density}, currents")
    assert evaluated == {("local-density-of-states", "currents"): 12}
    energies = read_dataset(run.folder / "wire" / "data.nc")["energy"].values
    assert {2.0, 3.0} <= set(energies.tolist())


def test_variables_of_a_study_are_those_of_its_observables(tmp_path):
    found = study(tmp_path, f"noise, {DENSITY}")
    assert list(found.variables) == [
        *observable_kinds()["noise"].variables,
        *observable_kinds()["local-density-of-states"].variables,
    ]


def test_blocks_of_the_default_hold_what_they_did(tmp_path):
    found = study(tmp_path, "")
    prepared = prepared_block(found.blocks[0], tmp_path)
    assert stored_variables(prepared.dataset) == list(steady_current.VARIABLES)
    assert all(np.all(x) for x in prepared.missing.values())
    assert not prepared.origins


def test_a_system_without_probes_has_the_profiles_of_the_kind_probes():
    system = SYSTEMS["loss"]
    kind = find_kind("probes")
    found = kind.evaluate(kind.Parameters.model_validate({"system": system | {"probes": {}}}), None)
    assert (found.status, found.message) == (Status.OK, "")
    own = outcome_of("loss", ["density", "bond-currents", "currents", "noise"])
    for name in ("occupation", "bound_weight", "bond_current", "particle_current"):
        assert (
            abs(own.values[name] - found.values[name])
            <= own.values[f"{name}_error"] + found.values[f"{name}_error"]
        ).all(), name
    noise, error = (found.values[f"bare_particle_noise{x}"] for x in ("", "_error"))
    assert (abs(noise - own.values["particle_noise"]) <= error + 1e-9).all()
    with pytest.raises(ValueError, match="at least 1 entries"):
        find_kind("probe-roots").Parameters(system=system | {"probes": {}})
