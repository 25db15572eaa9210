"""Study files: what they mean, and one line for each fault with file, line, key and way out."""

import copy
import json
import os
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Literal

import jsonschema
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Discriminator, Field, TypeAdapter, model_validator

from nessflow.config.document import Place, parse, read_document
from nessflow.config.grid import points_of
from nessflow.config.project import (
    ConfigError,
    Study,
    load_project,
    load_study,
    parameters_of,
    study_schema,
    template_json,
)
from nessflow.config.study import checked_point, possible_parameters
from nessflow.registry import PartError

TEXT = """\
title: Disorder-induced current
reference: {paper: a paper, figure: 2}
study: chain
system:
  lattice: {kind: chain, sites: 100}
  disorder: {kind: uniform, half_width: $V}
  loss: {kind: onsite, rate: 0.1}
  leads:
    left: {temperature: 1e-4, chemical_potential: $(mu + 0.5*bias)}
    right: {temperature: 1.0e-4, chemical_potential: $mu}
axes:
  V: {inner: {geomspace: [0.02, 2, 25]}}
  mu: {outer: [0.1, 0.2]}
  bias:
    inner: [0, 0.5]
    natural_units: t
    long_name: bias
  gamma: {outer: {linspace: [0, 1, 3]}}
  monitored:
    inner:
      cases:
        none: {}
        one: {system.loss: {kind: sites, rates: {1: $gamma}}}
        two: {system.loss: {kind: sites, rates: {2: $(2*gamma)}}}
ensemble: {samples: 200, per_block: 50, seed: 1}
fits:
  - {name: exponent, model: power-law, x: V, y: current_mean_square, range: [0.02, 0.5]}
figures:
  - {name: current, plot: samples, x: V, y: current}
  - {name: profile, plot: lines, x: site, y: occupation}
tiers:
  smoke: {system.lattice.sites: 20, ensemble.samples: 20, axes.V.inner.geomspace: [0.02, 2, 5]}
"""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def quantity(description, units, default=..., **bounds):
    extra = {"natural_units": units}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class Chain(Strict):
    kind: Literal["chain"]
    sites: int = quantity("number of sites", "1", ge=1)
    hopping: float = quantity("hopping", "t", 1.0)
    onsite: float | list[float] = quantity("on-site energy", "t", 0.0)


class Ring(Strict):
    kind: Literal["ring"]
    sites: int = quantity("number of sites", "1", ge=3)
    closed: bool = True


class Disorder(Strict):
    kind: Literal["uniform"]
    half_width: float = quantity("disorder half-width", "t", ge=0)


class Onsite(Strict):
    kind: Literal["onsite"]
    rate: float = quantity("loss rate", "t/hbar", ge=0)


class Sites(Strict):
    kind: Literal["sites"]
    rates: dict[int, Annotated[float, Field(ge=0)]] = quantity("loss rates", "t/hbar")


class Lead(Strict):
    temperature: float = quantity("temperature", "t", ge=0)
    chemical_potential: float = quantity("chemical potential", "t")


class System(Strict):
    lattice: Annotated[Chain | Ring, Field(discriminator="kind")]
    disorder: Disorder | None = None
    loss: Annotated[Onsite | Sites, Field(discriminator="kind")]
    leads: dict[Literal["left", "right"], Lead]

    @model_validator(mode="after")
    def _loss_is_on_the_lattice(self):
        if isinstance(self.loss, Sites) and max(self.loss.rates) > self.lattice.sites:
            raise ValueError(f"the loss is beyond site {self.lattice.sites}")
        return self


class Parameters(Strict):
    system: System


KIND = SimpleNamespace(
    Parameters=Parameters,
    VARIABLES={
        "current": SimpleNamespace(dims=()),
        "occupation": SimpleNamespace(dims=("site",)),
    },
    coordinates=lambda parameters: {
        "site": SimpleNamespace(values=np.arange(min(parameters.system.lattice.sites, 1000)))
    },
    is_random=lambda parameters: bool(
        parameters.system.disorder and parameters.system.disorder.half_width
    ),
)


def find_kind(name):
    if name != "chain":
        raise PartError("", ["chain"])
    return KIND


def load(folder: Path, text: str = TEXT, *overrides: str, **options) -> Study:
    path = folder / "current.yaml"
    path.write_text(text)
    return load_study(path, overrides=overrides, find_kind=find_kind, **options)


def faults(folder: Path, text: str = TEXT, *overrides: str, **options) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text, *overrides, **options)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def edited(old: str, new: str, text: str = TEXT) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


# What a study means -----------------------------------------------------------------------------


def test_a_study(tmp_path):
    study = load(tmp_path)
    assert study.name == "current"
    assert study.title == "Disorder-induced current"
    assert study.reference == {"paper": "a paper", "figure": "2"}
    assert (study.kind_name, study.kind) == ("chain", KIND)
    assert [axis.name for axis in study.axes] == ["V", "mu", "bias", "gamma", "monitored"]
    assert [axis.outer for axis in study.axes] == [False, True, False, True, False]
    assert study.axes[0].values[0] == 0.02
    assert study.axes[0].values[-1] == 2
    assert study.axes[3].labels == ("0", "0.5", "1")
    assert study.axes[4].labels == ("none", "one", "two")
    assert study.ensemble.samples == 200
    assert study.template["system"]["disorder"]["half_width"] == "$V"
    assert study.figures[1]["plot"] == "lines"
    assert len(study.blocks) == 2 * 3 * 4


def test_an_axis_has_the_units_and_the_name_of_its_field(tmp_path):
    axes = {axis.name: axis for axis in load(tmp_path).axes}
    assert (axes["V"].natural_units, axes["V"].long_name) == ("t", "disorder half-width")
    assert (axes["mu"].natural_units, axes["mu"].long_name) == ("t", "chemical potential")
    assert (axes["bias"].natural_units, axes["bias"].long_name) == ("t", "bias")
    # Of the case, and of the mapping that holds the value.
    assert (axes["gamma"].natural_units, axes["gamma"].long_name) == ("t/hbar", "loss rates")
    assert axes["monitored"].natural_units == "1"


def test_an_axis_may_name_itself(tmp_path):
    text = edited("mu: {outer: [0.1, 0.2]}", "mu: {outer: [0.1], long_name: level}")
    axis = load(tmp_path, text).axes[1]
    assert (axis.natural_units, axis.long_name) == ("t", "level")


def test_the_parameters_of_a_point(tmp_path):
    labels = {"V": "0.5", "mu": "0.1", "bias": "0.5", "gamma": "0.5", "monitored": "two"}
    study = load(tmp_path)
    system = parameters_of(study, labels).system
    assert system.disorder.half_width == 0.5
    assert system.leads["left"].chemical_potential == pytest.approx(0.35)
    assert system.leads["right"].temperature == 1e-4
    assert system.loss == Sites(kind="sites", rates={2: 1.0})
    assert parameters_of(study, labels | {"monitored": "none"}).system.loss.rate == 0.1


def test_every_point_of_the_grid_has_parameters(tmp_path):
    study = load(tmp_path, tier="smoke")
    points = list(points_of(study.axes))
    assert len(points) == 5 * 2 * 2 * 3 * 3
    assert all(parameters_of(study, labels).system.lattice.sites == 20 for labels in points)


def test_a_combination_that_is_not_valid_names_its_key(tmp_path):
    """And no line: what the data say of a point must not change with a comment above it."""
    text = edited("sites: 100}", "sites: 100, hopping: $(log(0.3 + mu - 0.5*bias))}")
    study = load(tmp_path, text)
    labels = {"V": "0.5", "mu": "0.1", "bias": "1", "gamma": "0.5", "monitored": "two"}
    with pytest.raises(
        ConfigError, match=r"^system.lattice.hopping = .*no value.* at mu = 0.1, bias = 1$"
    ):
        parameters_of(study, labels)


def test_axis_values(tmp_path):
    def values(form):
        text = edited("{geomspace: [0.02, 2, 25]}", form)
        return load(tmp_path, text).axes[0].values

    assert values("[1, 2.5, 1e-4]") == [1, 2.5, 1e-4]
    assert values("{arange: [0.1, 0.6, 0.1]}") == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert values("{arange: [3, 0, -1]}") == [3, 2, 1]
    assert values("{linspace: [0, 0.3, 4]}") == [0, 0.1, 0.2, 0.3]
    assert values("{linspace: [0.5, 9, 1]}") == [0.5]
    assert values("{geomspace: [1e-3, 10, 5]}") == [1e-3, 1e-2, 0.1, 1, 10]


def test_yaml_numbers_are_numbers_and_words_are_words(tmp_path):
    text = "a: 1e-4\nb: 1e3\nc: no\nd: 010\ne: '1'\nf: 2020-01-01\ng: ~\nh: true\n3: [&x 1, *x]\n"
    assert parse(text, Place("x")).data == {
        "a": 1e-4,
        "b": 1000.0,
        "c": "no",
        "d": 10,
        "e": "1",
        "f": "2020-01-01",
        "g": None,
        "h": True,
        "3": [1, 1],
    }


def test_the_definition_of_the_numbers(tmp_path):
    def definition(*edits, labels=None):
        text = TEXT
        for old, new in edits:
            text = edited(old, new, text)
        return template_json(load(tmp_path, text), labels)

    base = definition()
    for same in (
        ("Disorder-induced", "Other"),
        ("[0.1, 0.2]", "[0.1, 0.2, 0.3]"),
        ("samples: 200", "samples: 300"),
        ("per_block: 50", "per_block: 10"),
        ("plot: lines", "plot: map"),
        ("sites: 100", "sites: 1.0e+2"),
        ("ensemble: {", "time_limit: 5\nensemble: {"),
    ):
        assert definition(same) == base
    for other in (
        ("sites: 100", "sites: 101"),
        ("seed: 1", "seed: 2"),
        ("$(2*gamma)", "$(3*gamma)"),
        ("$(mu + 0.5*bias)", "$(mu + 0.6*bias)"),
    ):
        assert definition(other) != base
    changed = ("$(2*gamma)", "$(3*gamma)")
    assert definition(labels={}) == definition(changed, labels={})
    outer = ("monitored:\n    inner", "monitored:\n    outer")
    only = definition(outer, labels={"monitored": "one", "mu": "0.1"})
    assert only == definition(outer, changed, labels={"monitored": "one"})
    assert json.loads(only)["cases"]["monitored"].keys() == {"one"}


# Overrides --------------------------------------------------------------------------------------


def test_tiers(tmp_path):
    paper, smoke = load(tmp_path), load(tmp_path, tier="smoke")
    assert paper.template["system"]["lattice"]["sites"] == 100
    assert smoke.template["system"]["lattice"]["sites"] == 20
    assert len(smoke.axes[0].labels) == 5
    assert smoke.ensemble.samples == 20


def test_overrides_of_the_command_line_come_last(tmp_path):
    study = load(
        tmp_path,
        TEXT,
        "system.lattice={kind: ring, sites: 8}",
        "V=0.3",
        "monitored=two",
        "system.leads.left.temperature=1e-3",
        "axes.mu.outer.0=0.7",
        tier="smoke",
    )
    assert study.template["system"]["lattice"] == {"kind": "ring", "sites": 8}
    assert study.template["system"]["leads"]["left"]["temperature"] == 1e-3
    axes = {axis.name: axis.labels for axis in study.axes}
    assert axes["V"] == ("0.3",)
    assert axes["mu"] == ("0.7", "0.2")
    assert axes["monitored"] == ("two",)


@pytest.mark.parametrize(
    ("override", "loss"),
    [
        ("system.loss={kind: onsite, rate: 0.7}", {"kind": "onsite", "rate": 0.7}),  # the same key
        ("system.loss.rates.1=0.7", {"kind": "sites", "rates": {"1": 0.7}}),  # a part of it
        ("system.loss.rates={2: 0.7}", {"kind": "sites", "rates": {"2": 0.7}}),
    ],
)
def test_the_command_line_has_the_last_word_over_cases(tmp_path, override, loss):
    # The units of gamma stood in what is replaced; one point does not need them.
    study = load(tmp_path, TEXT, override, "monitored=one", one_point=True)
    labels = {axis.name: axis.labels[0] for axis in study.axes}
    assert parameters_of(study, labels).system.loss.model_dump(mode="json") == loss


def test_the_command_line_has_the_last_word_over_parts_that_cases_set(tmp_path):
    text = edited("{system.loss: {kind: sites, rates: {1: $gamma}}}", "{system.loss.rate: 5}")
    setting = "system.loss={kind: onsite, rate: 0.7}"
    study = load(tmp_path, text, setting, "monitored=one", one_point=True)
    labels = {axis.name: axis.labels[0] for axis in study.axes}
    assert parameters_of(study, labels).system.loss.rate == 0.7


def test_a_fault_in_what_replaces_a_case_is_one_of_the_command_line(tmp_path):
    found = faults(tmp_path, TEXT, "system.loss.rates.1=-3", "monitored=one", one_point=True)
    assert found[0].startswith("command line: system.loss.rates.1 = -3: expected a number >= 0")


def test_a_key_of_a_tier_that_every_case_replaces(tmp_path):
    text = edited("system.lattice.sites: 20", "system.loss.rate: 0.2")
    assert load(tmp_path, text, tier="smoke")  # the case none leaves it as it is
    text = edited("none: {}", "none: {system.loss.rate: 0}", text)
    (found,) = faults(tmp_path, text, tier="smoke")
    line = text[: text.index("smoke:")].count("\n") + 1
    assert found.startswith(f"current.yaml:{line}: system.loss.rate = 0.2: expected a key that not")
    assert "every case of monitored sets; write axes.monitored.inner.cases.none: {...}" in found


def test_fixing_an_axis_keeps_its_units(tmp_path):
    # ``$gamma`` alone stands in the case ``one`` only.
    study = load(tmp_path, TEXT, "monitored=two")
    assert study.axes[3].natural_units == "t/hbar"
    assert load(tmp_path, TEXT, "monitored=none").axes[3].long_name == "loss rates"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("V=-1", "command line: axes.V.inner.0 = -1: expected a number >= 0"),
        ("V=[1]", "command line: axes.V.inner.0 = [1]: expected a number"),
        ("monitored=ones", "command line: monitored = ones: expected one of the cases"),
        ("system.latice.sites=3", "did you mean 'lattice'?"),
        ("sistem=3", "did you mean 'system'?"),
        ("bais=3", "did you mean 'bias'?"),
        ("system.lattice.sites.x=3", "system.lattice.sites to be a mapping, not 100"),
        ("axes.mu.outer.7=3", "expected the number of an entry, from 0 to 1"),
        ("sites", "command line: sites: expected key=value"),
        ("=3", "expected key=value"),
        ("system.lattice={", "command line: system.lattice = {: expected YAML"),
        ("system.lattice.sites=.nan", "expected a finite number"),
        ("study=chian", "command line: study = chian: expected one of the kinds chain; did you"),
    ],
)
def test_faults_of_the_command_line(tmp_path, override, expected):
    found = faults(tmp_path, TEXT, override)
    assert expected in found[0]
    assert found[0].startswith("command line: ")


def test_a_fault_of_a_tier_has_the_line_of_the_override(tmp_path):
    text = edited("system.lattice.sites: 20", "system.lattice.sites: 0")
    assert load(tmp_path, text)
    (line,) = faults(tmp_path, text, tier="smoke")
    assert line == (
        "current.yaml:32: system.lattice.sites = 0: expected a number >= 1 "
        "(number of sites, in units 1)"
    )


# Faults -----------------------------------------------------------------------------------------

FAULTS = {
    "misspelt key": (
        "rate: 0.1",
        "raet: 0.1",
        ["7: system.loss.raet = 0.1: expected one of the keys kind, rate; did you mean 'rate'?"],
    ),
    "missing key": ("rate: 0.1", "", ["7: system.loss.rate: expected a value (loss rate, in"]),
    "null": ("rate: 0.1", "rate: ", ["7: system.loss.rate = null: expected a number (loss rate"]),
    "misspelt key at the top": ("\nsystem:", "\nsytem:", ["4: sytem", "did you mean 'system'?"]),
    "misspelt common key": ("\nfits:", "\nfit:", ["26: fit", "did you mean 'fits'?"]),
    "misspelt key of an axis": ("{outer: [", "{outr: [", ["13: axes.mu.outr", "mean 'outer'?"]),
    "misspelt rule of an axis": ("geomspace: [0.02, 2, 25]", "geomspce: [0.02, 2, 25]", ["12: ax"]),
    "two rules": ("2, 25]", "2, 25], linspace: [1, 2, 3]", ["12: axes.V.inner.geomspace"]),
    "text for a number": (
        "rate: 0.1",
        'rate: "0.1"',
        ["7: system.loss.rate = 0.1: expected a num"],
    ),
    "a word for a number": ("rate: 0.1", "rate: yes", ["7: system.loss.rate = yes: expected a nu"]),
    "truth for a number": ("rate: 0.1", "rate: true", ["7: system.loss.rate = true: expected a"]),
    "number for a mapping": ("{kind: uniform, half_width: $V}", "3", ["6: system.disorder = 3"]),
    "half a site": (
        "sites: 100",
        "sites: 10.5",
        ["5: system.lattice.sites = 10.5: expected a who"],
    ),
    "union of numbers and lists": (
        "sites: 100",
        "sites: 100, onsite: x",
        ["5: system.lattice.onsite = x: expected a number", "or a list"],
    ),
    "negative rate": (
        "rate: 0.1",
        "rate: -0.1",
        ["7: system.loss.rate = -0.1: expected a number >= 0 (loss rate, in units t/hbar)"],
    ),
    "negative temperature": (
        "temperature: 1e-4",
        "temperature: -1e-4",
        ["9: system.leads.left.temperature = -0.0001: expected a number >= 0"],
    ),
    "unknown lead": ("    left:", "    lfet:", ["9: system.leads.lfet", "'left' or 'right'"]),
    "unknown branch": (
        "kind: onsite",
        "kind: onsit",
        ["7: system.loss.kind = onsit: expected one of onsite, sites; did you mean 'onsite'?"],
    ),
    "no branch": (
        "kind: onsite, ",
        "",
        ["7: system.loss.kind: expected one of onsite, sites; it is missing"],
    ),
    "branch that is no word": ("kind: onsite", "kind: [1]", ["7: system.loss.kind = [1]"]),
    "unknown kind": ("chain\n", "chian\n", ["3: study = chian", "did you mean 'chain'?"]),
    "no kind": (
        "study: chain",
        "",
        ["study: expected a value (the kind: `nessflow describe` lists them); it is"],
    ),
    "no title": ("title: Disorder-induced current", "title: ''", ['1: title = ""']),
    "zero samples": ("samples: 200", "samples: 0", ["25: ensemble.samples = 0: expected a number"]),
    "empty blocks": ("per_block: 50", "per_block: 0", ["25: ensemble.per_block = 0"]),
    "no time for a point": (
        "ensemble: {",
        "time_limit: 0\nensemble: {",
        ["25: time_limit = 0: expected a number > 0"],
    ),
    "negative seed": ("seed: 1", "seed: -1", ["25: ensemble.seed = -1: expected a number >= 0"]),
    "empty axis": ("[0.1, 0.2]", "[]", ["13: axes.mu.outer = []: expected at least 1 entries"]),
    "no number of values": ("2, 25]", "2, 0]", ["12: axes.V.inner.geomspace.2 = 0"]),
    "neither outer nor inner": (
        "outer: [0.1, 0.2]",
        "",
        ["13: axes.mu = {}: expected exactly one"],
    ),
    "outer and inner": ("{outer: [", "{inner: [1], outer: [", ["13: axes.mu", "exactly one of"]),
    "word as axis value": ("[0.1, 0.2]", "[0.1, low]", ["13: axes.mu.outer.1 = low: expected a"]),
    "equal values": (
        "[0.1, 0.2]",
        "[0.3, 0.1, 0.30000000000000004]",
        ["13: axes.mu.outer.2 = 0.3: expected each value once"],
    ),
    "equal zeros": ("[0.1, 0.2]", "[0.0, -0.0]", ["13: axes.mu.outer.1 = 0: expected each"]),
    "no steps": (
        "{linspace: [0, 1, 3]}",
        "{arange: [0, 1, -1]}",
        ["18: axes.gamma.outer", "steps"],
    ),
    "endless steps": (
        "{linspace: [0, 1, 3]}",
        "{arange: [0, 1, 1e-300]}",
        ["18: axes.gamma.outer"],
    ),
    "ratio through zero": ("[0.02, 2, 25]", "[0, 2, 25]", ["12: axes.V.inner", "same sign"]),
    "NaN": ("rate: 0.1", "rate: .nan", ["7: system.loss.rate: expected a finite number, not .nan"]),
    "infinity": ("rate: 0.1", "rate: -.inf", ["7: system.loss.rate: expected a finite number"]),
    "overflow": ("rate: 0.1", "rate: 1e999", ["7: system.loss.rate: expected a finite number"]),
    "huge integer": ("rate: 0.1", "rate: " + "9" * 5000, ["7: system.loss.rate: expected a"]),
    "unused axis": (
        "half_width: $V",
        "half_width: 1",
        ["12: axes.V: expected an axis that a parameter uses; write $V where"],
    ),
    "unknown axis": (
        "$(mu + 0.5*bias)",
        "$(mu + 0.5*bas + 0*bias)",
        ["9: system.leads.left.chemical_potential", "did you mean 'bias'?"],
    ),
    "unknown axis in a case": ("$(2*gamma)", "$(2*gama)", ["24: axes.monitored", "mean 'gamma'?"]),
    "cases in a formula": ("half_width: $V", "half_width: $(V + monitored)", ["6: ", "of cases"]),
    "no formula": ("$(mu + 0.5*bias)", "$(mu + bias", ["9: system.leads.left.chemical_potential"]),
    "division by zero": (
        "half_width: $V",
        "half_width: $(1/(2 - V))",
        ["12: axes.V.inner = 2: expected a finite real number", "(line 6)"],
    ),
    "complex number": (
        "half_width: $V",
        "half_width: $(V + (mu - 0.15)**0.5)",
        ["6: system.disorder.half_width = $(V + (mu", "finite real number", "mu = 0.1"],
    ),
    "case named as a number": (
        "        two:",
        "        2:",
        ["24: axes.monitored", "not a number"],
    ),
    "case named as infinity": ("        two:", "        inf:", ["24: axes.monitored", "not a num"]),
    "case with a slash": ("        two:", "        a/b:", ["24: axes.monitored.inner.cases.a/b"]),
    "cases apart by capitals": (
        "        two:",
        "        ONE:",
        ["24: axes.monitored", "more than capitals"],
    ),
    "case of an unknown key": (
        "two: {system.loss:",
        "two: {system.los:",
        ["24: system.los = ", "did you mean 'loss'?"],
    ),
    "case inside a number": (
        "two: {system.loss:",
        "two: {system.lattice.sites.x:",
        ["24: system.lattice.sites.x", "to be a mapping"],
    ),
    "case of the grid": (
        "two: {system.loss:",
        "two: {ensemble.samples:",
        ["24: axes.monitored", "a parameter of the kind"],
    ),
    "axis that is no name": ("  mu: {outer", "  m-u: {outer", ["13: axes.m-u: expected an axis"]),
    "axis named as a dimension": ("  mu: {outer", "  site: {outer", ["13: axes.site", "taken"]),
    "axis named as a variable": (
        "  mu: {outer",
        "  current_mean: {outer",
        ["13: axes.cur", "taken"],
    ),
    "axis named sample": ("  mu: {outer", "  sample: {outer", ["13: axes.sample", "taken"]),
    "axis named as a function": ("  mu: {outer", "  exp: {outer", ["13: axes.exp", "taken"]),
    "axis named as a keyword": (
        "  mu: {outer",
        "  lambda: {outer",
        ["13: axes.lambda", "a word of the language of formulas"],
    ),
    "axis without units": ("natural_units: t", "", ["14: axes.bias: expected natural_units; no"]),
    "nothing random": (
        "disorder: {kind: uniform, half_width: $V}",
        "disorder: {kind: uniform, half_width: $(0*V)}",
        ["25: ensemble = ", "expected no ensemble, since nothing is random"],
    ),
    "no ensemble": (
        "ensemble: {samples: 200, per_block: 50, seed: 1}",
        "",
        ["1: ensemble: expected samples of a random system; add ensemble: {samples"],
    ),
    "too many points": (
        "[0.02, 2, 25]",
        "[0.02, 2, 1000]",
        ["11: axes = 7200000 points: expected at most 1000000 points", "allow_large=true"],
    ),
    "too many values": ("[0.02, 2, 25]", "[1, 2, 10000000]", ["12: axes.V.inner.geomspace.2"]),
    "fit along nothing": ("x: V, y: current_m", "x: v, y: current_m", ["27: fits.0.x = v", "'V'"]),
    "figure along nothing": ("x: site", "x: sites", ["30: figures.1.x = sites", "mean 'site'?"]),
    "figures of one name": ("name: profile", "name: current", ["30: figures.1.name = current"]),
    "figure named as a path": ("name: profile", "name: a/b", ["30: figures.1.name = a/b"]),
    "figure named as their list": (
        "name: profile",
        "name: manifest",
        ["30: figures.1.name = manifest: expected another name"],
    ),
    "figure without plot": ("plot: lines, ", "", ["30: figures.1.plot: expected a value"]),
    "figure of nothing": (
        "y: occupation",
        "y: ocupation",
        ["30: figures.1.y = ocupation: expected an axis, a dim", "did you mean 'occupation'?"],
    ),
    "fit of nothing": (
        "current_mean_square,",
        "curent_mean_square,",
        ["27: fits.0.y", "'current_mean_s"],
    ),
    "unknown law": ("power-law", "exponential", ["27: fits.0.model", "'power-law'"]),
    "unknown tier": ("  smoke:", "  smok:", ["32: tiers.smok", "did you mean 'smoke'?"]),
    "duplicate key": (
        "seed: 1}",
        "seed: 1, seed: 2}",
        ["25: ensemble.seed: expected each key once"],
    ),
    "tab": ("  lattice:", "\tlattice:", ["5: expected YAML", "indent with spaces, not tabs"]),
    "not YAML": ("{kind: onsite, rate: 0.1}", "{kind: onsite, rate: 0.1", ["expected YAML"]),
    "alias to nothing": ("rate: 0.1", "rate: *x", ["7: expected YAML (found undefined alias"]),
    "tag": (
        "rate: 0.1",
        "rate: !number 0.1",
        ["7: system.loss.rate: expected a value without tag"],
    ),
    "broken tag": ("rate: 0.1", "rate: !!int a", ["7: system.loss.rate: expected a value of type"]),
    "merge": ("rate: 0.1", "<<: {rate: 0.1}", ["7: system.loss: expected a name as key; <<"]),
    "key that is a list": ("rate: 0.1", "? [a] : 1", ["7: system.loss: expected a name as key"]),
    "control character": ("rate: 0.1", "rate: \x01", ["7: expected YAML (unacceptable"]),
    "NUL in a title": ("Disorder-induced current", '"A\\0B"', ["1: title: expected text without"]),
    "escape in a paper": ("a paper", '"\\e[31m"', ["2: reference.paper: expected text without"]),
    "half a character": (
        "long_name: bias",
        'long_name: "\\ud800"',
        ["17: axes.bias.long_name: ex"],
    ),
    "no character of XML": (
        "name: profile",
        'name: "\\uffff"',
        ["30: figures.1.name: expected te"],
    ),
    "NUL in a key": ("rate: 0.1", '"ra\\0te": 0.1', ["7: system.loss: expected text without"]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(tmp_path, name):
    old, new, expected = FAULTS[name]
    found = faults(tmp_path, edited(old, new))
    assert any(all(part in line for part in expected) for line in found), "\n".join(found)
    assert all(line.startswith("current.yaml:") for line in found)


def test_only_an_outer_axis_may_change_a_coordinate(tmp_path):
    text = edited("sites: 100", "sites: $N").replace("  mu: {", "  N: {inner: [3, 5]}\n  mu: {")
    assert any(
        "axes.N.inner: expected an outer axis, since the values of site change with N; "
        "write outer in place of inner for N" in line
        for line in faults(tmp_path, text)
    )
    load(tmp_path, text.replace("N: {inner", "N: {outer"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a mapping of keys to values, not an empty file"),
        ("# nothing\n", "a mapping of keys to values, not an empty file"),
        ("- 1\n", "a mapping of keys to values, not [1]"),
        ("--- {}\n--- {}\n", "YAML (but found another document)"),
        ("[" * 5000, "YAML (nested too deeply)"),
        ("a: &a [*a]\n", "values, nested"),
        ("a: " + "[" * 100 + "]" * 100, "values, nested"),
        ("x" * 300_000, "at most 262144 bytes"),
        (
            "a0: &a0 [1, 1]\n"
            + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)),
            "at most 50000 values",
        ),
    ],
)
def test_a_file_that_holds_no_study(tmp_path, text, expected):
    assert any(expected in line for line in faults(tmp_path, text))


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml: expected a readable file \(No such file"):
        load_study(tmp_path / "none.yaml", find_kind=find_kind)
    (tmp_path / "latin.yaml").write_bytes(b"title: a\nnotes: \xe9\n")
    with pytest.raises(ConfigError, match=r"latin.yaml:2: expected text in UTF-8"):
        load_study(tmp_path / "latin.yaml", find_kind=find_kind)
    for name in ("smoke", "Upper", "a b", "-a", "a\n"):
        with pytest.raises(ConfigError, match="rename the file"):
            load_study(tmp_path / f"{name}.yaml", find_kind=find_kind)


def test_a_pipe_is_no_study(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match=r"pipe.yaml: expected a file"):
        read_document(tmp_path / "pipe.yaml")


def test_all_faults_at_once(tmp_path):
    text = TEXT
    for name in ("misspelt key", "zero samples", "equal values", "unused axis", "half a site"):
        old, new, _ = FAULTS[name]
        text = edited(old, new, text)
    found = faults(tmp_path, text)
    for name in ("misspelt key", "zero samples", "equal values", "unused axis", "half a site"):
        assert any(all(part in line for part in FAULTS[name][2]) for line in found), name
    assert len(found) == len(set(found)) == 5  # the misspelt key is not missing, too


def test_two_axes_of_cases_do_not_set_the_same(tmp_path):
    second = "  other: {inner: {cases: {a: {system.loss: {kind: onsite, rate: 0}}}}}\n  monitored:"
    (line,) = faults(tmp_path, edited("  monitored:", second))
    assert "monitored sets system.loss" in line or "other sets system.loss" in line


def test_many_points_when_asked_for(tmp_path):
    text = edited("[0.02, 2, 25]", "[0.02, 2, 1000]")
    assert load(tmp_path, text, allow_large=True)


# Points that are not possible, where others are ---------------------------------------------------

IMPOSSIBLE = {
    "negative value of an axis": (
        "{geomspace: [0.02, 2, 25]}",
        "[1, 2, -3]",
        [
            "12: axes.V.inner.2 = -3: expected a number >= 0 (disorder half-width, in units t); "
            "system.disorder.half_width is $V (line 6)"
        ],
    ),
    "negative value in a case": ("[0, 1, 3]", "[0, -1, 3]", ["18: axes.gamma.outer = -0.5", "23"]),
    # Rates stand in the cases alone; the first case has none.
    "value tested only in one case": (
        "{linspace: [0, 1, 3]}",
        "[0, 1, -2]",
        ["18: axes.gamma.outer.2 = -2: expected a number >= 0"],
    ),
    "case beyond the lattice": (
        "rates: {2:",
        "rates: {200:",
        ["4: system", "the loss is beyond site 100", "monitored = two"],
    ),
    "the first value of an axis": (
        "{outer: [0.1, 0.2]}",
        "{outer: [0, 0.1, 0.2]}",
        "sites: 100}",
        "sites: 100, hopping: $(1/mu)}",
        ["13: axes.mu.outer.0 = 0: expected a finite real number", "division by zero"],
    ),
    "complex power": (
        "sites: 100}",
        "sites: 100, hopping: $(exp((0.15 - mu)**0.5))}",
        ["13: axes.mu.outer.1 = 0.2: expected a finite real number", "** 0.5 is not a real num"],
    ),
    "overflow": (
        "sites: 100}",
        "sites: 100, hopping: $(exp(1e4*(mu - 0.1)))}",
        ["13: axes.mu.outer.1 = 0.2: expected a finite real number", "math range error"],
    ),
    "no number of sites": (
        "sites: 100}",
        "sites: $(100 + 5*mu)}",
        ["13: axes.mu.outer.0 = 0.1: expected a whole number"],
    ),
    "a combination of two axes": (
        "sites: 100}",
        "sites: 100, hopping: $(log(0.55 - mu - bias))}",
        ["5: system.lattice.hopping = $(log(0.55 - mu - bias))", "at mu = 0.1, bias = 0.5"],
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_point_that_is_not_possible_is_no_fault_of_the_study(tmp_path, name):
    *changes, expected = IMPOSSIBLE[name]
    text = TEXT
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        text = edited(old, new, text)
    found = str(ConfigError(load(tmp_path, text).warnings)).splitlines()
    assert any(all(part in line for part in expected) for line in found), "\n".join(found)
    assert load(tmp_path, TEXT).warnings == ()


def test_a_possible_point_is_found_where_it_takes_two_axes(tmp_path):
    """Neither value of an axis helps while the other has its first."""
    text = edited("sites: 100}", "sites: 100, hopping: $(log(mu - 0.15) + log(bias - 0.2))}")
    study = load(tmp_path, text)
    assert {problem.line for problem in study.warnings} == {5}
    labels = {"V": "0.5", "mu": "0.2", "bias": "0.5", "gamma": "0.5", "monitored": "two"}
    assert parameters_of(study, labels).system.lattice.hopping == pytest.approx(-4.2, 0.01)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("sites: 100}", "sites: 100, hopping: $(log(mu - 3))}", "axes.mu.outer.0 = 0.1: expected"),
        ("half_width: $V", "half_width: $(V - 3)", "12: axes.V.inner = 0.02: expected a number >="),
        ("[0.1, 0.2]", "[0.1, 0.2, low]", "13: axes.mu.outer.2 = low: expected a number"),
    ],
)
def test_a_study_without_a_possible_point_is_refused(tmp_path, old, new, expected):
    found = faults(tmp_path, edited(old, new))
    assert any(expected in line for line in found), "\n".join(found)


def test_a_single_point_that_is_not_possible_is_refused(tmp_path):
    text = edited("sites: 100}", "sites: 100, hopping: $(1/(mu - 0.1))}")
    assert load(tmp_path, text, "mu=0.2", one_point=True)
    (line,) = faults(tmp_path, text, "mu=0.1", one_point=True)
    assert "mu.outer.0 = 0.1: expected a finite real number" in line


# Projects ---------------------------------------------------------------------------------------


def project(folder: Path, config: str, **studies: str) -> Path:
    (folder / "config" / "studies").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text(config)
    for name, text in studies.items():
        (folder / "config" / "studies" / f"{name}.yaml").write_text(text)
    return folder


def test_a_project(tmp_path):
    root = project(tmp_path, "tier: smoke\nstudies: all\n", current=TEXT, other=TEXT)
    (root / "config/studies/.#current.yaml").write_text("a lock of an editor")
    found = load_project(root, find_kind=find_kind)
    assert list(found.studies) == ["current", "other"]
    assert found.results == root / "results" / "smoke"
    assert found.studies["other"].ensemble.samples == 20
    found = load_project(root, tier="paper", studies="other", find_kind=find_kind)
    assert list(found.studies) == ["other"]
    assert found.results == root / "results"
    found = load_project(root, studies=["other", "current"], find_kind=find_kind)
    assert list(found.studies) == ["other", "current"]


@pytest.mark.parametrize(
    ("config", "options", "expected"),
    [
        ("tier: papr", {}, "config.yaml:1: tier = papr: expected 'paper' or 'smoke'"),
        ("studies: [curent]", {}, "config.yaml:1: studies.0 = curent: expected one of the studies"),
        ("studies: [curent]", {}, "did you mean 'current'?"),
        ("studies: none", {}, "config.yaml:1: studies = none: expected"),
        ("tiers: paper", {}, "did you mean 'tier'?"),
        ("", {}, "config.yaml:1: expected a mapping"),
        ("tier: paper", {"tier": "x"}, "command line: tier = x: expected 'paper' or 'smoke'"),
        ("tier: paper", {"studies": "x"}, "command line: studies.0 = x: expected one of the"),
    ],
)
def test_faults_of_a_project(tmp_path, config, options, expected):
    root = project(tmp_path, config, current=TEXT)
    with pytest.raises(ConfigError) as caught:
        load_project(root, find_kind=find_kind, **options)
    assert expected in str(caught.value)


def test_faults_of_all_files(tmp_path):
    text = edited("rate: 0.1", "rate: -0.1")
    root = project(tmp_path, "studies: [one, two, three]", one=text, two=text)
    with pytest.raises(ConfigError) as caught:
        load_project(root, find_kind=find_kind)
    files = [Path(problem.file).name for problem in caught.value.problems]
    assert files == ["config.yaml", "one.yaml", "two.yaml"]


def test_a_study_with_another_ending_is_not_passed_over(tmp_path):
    root = project(tmp_path, "studies: all")
    (root / "config/studies/current.yml").write_text(TEXT)
    with pytest.raises(ConfigError) as caught:
        load_project(root, find_kind=find_kind)
    assert "current.yml: expected the ending .yaml; rename the file" in str(caught.value)
    assert "studies: expected at least one study" in str(caught.value)


def test_a_folder_that_is_no_project(tmp_path):
    with pytest.raises(ConfigError, match=r"at least one study, NAME.yaml; be in the folder"):
        load_project(tmp_path, find_kind=find_kind)
    # Settings may be absent; a link that leads nowhere says that they should not be.
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"config.yaml: expected a readable file"):
        load_project(tmp_path, find_kind=find_kind)


class Lines(Strict):
    name: str
    plot: Literal["lines"]
    x: str
    y: str


class Layer(Strict):
    source: str | None = Field(None, alias="from")
    y: str


class Samples(Strict):
    name: str
    plot: Literal["samples"]
    x: str
    y: str
    layers: list[Layer] = []


SPECS = TypeAdapter(Annotated[Lines | Samples, Discriminator("plot")])


def test_figures_of_a_type(tmp_path):
    study = load(tmp_path, figure_specs=SPECS)
    assert study.figures[1] == Lines(name="profile", plot="lines", x="site", y="occupation")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("plot: samples", "plot: sampels", "29: figures.0.plot = sampels: expected one of lines"),
        ("y: current}", "z: current}", "29: figures.0.y: expected a value; it is missing"),
        ("y: current}", "y: current, colour: red}", "29: figures.0.colour = red: expected one of"),
    ],
)
def test_faults_of_figures_of_a_type(tmp_path, old, new, expected):
    found = faults(tmp_path, edited(old, new), figure_specs=SPECS)
    assert any(expected in line for line in found)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("{from: other, y: current_mean}", None),
        ("{from: othr, y: current}", "29: figures.0.layers.0.from = othr: expected one of the"),
        ("{from: other, y: curent}", "29: figures.0.layers.0.y = curent: expected an axis"),
        ("{from: other, y: current, sel: {W: 1}}", "29: figures.0.layers.0.sel.W: expected"),
    ],
)
def test_figures_that_read_other_studies(tmp_path, layer, expected):
    text = edited("x: V, y: current}", f"x: V, y: current, layers: [{layer}]}}")
    root = project(tmp_path, "studies: all", current=text, other=TEXT)
    if "othr" not in layer:  # a study is not read when only this one is wanted
        assert load_project(root, studies="current", find_kind=find_kind)
    if expected is None:
        assert load_project(root, find_kind=find_kind)
        return
    with pytest.raises(ConfigError) as caught:
        load_project(root, find_kind=find_kind)
    assert f"current.yaml:{expected}" in str(caught.value)


# Schema -----------------------------------------------------------------------------------------


def schema_faults(text: str) -> list[str]:
    schema = study_schema({"chain": KIND})
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(parse(text, Place("x")).data)]


def test_the_schema_accepts_a_study():
    assert schema_faults(TEXT) == []


@pytest.mark.parametrize(
    "name",
    [
        "misspelt key",
        "misspelt common key",
        "misspelt key of an axis",
        "word as axis value",
        "half a site",
        "negative rate",
        "unknown branch",
        "unknown kind",
        "zero samples",
        "figure without plot",
    ],
)
def test_the_schema_knows_faults(name):
    assert schema_faults(edited(*FAULTS[name][:2]))


def test_the_schema_names_units():
    schema = study_schema({"chain": KIND})
    rate = schema["$defs"]["chain.Onsite"]["properties"]["rate"]
    assert rate["natural_units"] == "t/hbar"
    assert rate["description"] == "loss rate"
    assert {"type": "string", "pattern": r"^\$"} in rate["anyOf"]


# Anything at all --------------------------------------------------------------------------------

NUMBERS = [0, -1, 1.5, 10**30, -1e250, 1e-320]
WORDS = ["", "x", "chain", "None", "$", "$V", "$mu", "$(V", "$(V + monitored)", "$(1/(V - 2))"]
LISTS = [[], [[]], [1], [None]]
MAPPINGS = [{}, {"a": 1}, {"kind": "sites"}, {"kind": []}, {"inner": [1, 1]}, {"cases": {}}]
NESTED = [{"cases": {"a": {"system": 1}}}, {"cases": {"a": {"system.loss.rate": "$mu"}}}]
VALUES = st.sampled_from([None, True, *NUMBERS, *WORDS, *LISTS, *MAPPINGS, *NESTED])


def leaves(tree: object, key: tuple = ()) -> list[tuple]:
    items = {dict: dict.items, list: enumerate}.get(type(tree), lambda _: ())(tree)
    found = []
    for part, value in items:
        found += [(*key, part), *leaves(value, (*key, part))]
    return found


def mutate(tree: dict, choice: random.Random, value: object) -> None:
    key = choice.choice(leaves(tree))
    parent = tree
    for part in key[:-1]:
        parent = parent[part]
    action = choice.choice(["set", "delete", "rename", "copy"])
    if action == "set":
        parent[key[-1]] = value
    elif action == "delete":
        del parent[key[-1]]
    elif action == "rename" and isinstance(parent, dict):
        parent[key[-1][1:] + choice.choice(["", "x", ".a", "é", "~"])] = parent.pop(key[-1])
    else:
        other = choice.choice(leaves(tree))
        source = tree
        for part in other:
            source = source[part]
        parent[key[-1]] = copy.deepcopy(source)


def load_or_fault(folder: Path, text: str, overrides: tuple = ()) -> None:
    try:
        study = load(folder, text, *overrides, tier="smoke")
    except ConfigError as error:
        lines = str(error).splitlines()
        places = [f"{p.file}:{p.line}: " if p.line else "command line: " for p in error.problems]
        assert lines
        assert all(map(str.startswith, lines, places))
        assert len(lines) == len(places)
        return
    # Some of its points may be impossible: they are named, and the others run.
    possible_parameters(study, {})
    first = {axis.name: axis.labels[0] for axis in study.axes}
    _, problems = checked_point(study.document, study.axes, first, KIND)
    assert {problem.key for problem in problems} <= {warning.key for warning in study.warnings}
    template_json(study)


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(VALUES, min_size=1, max_size=3))
def test_any_mutation_is_a_study_or_a_fault(tmp_path_factory, choice, values):
    tree = copy.deepcopy(parse(TEXT, Place("x")).data)
    for value in values:
        if leaves(tree):
            mutate(tree, choice, copy.deepcopy(value))
    folder = tmp_path_factory.getbasetemp()
    load_or_fault(folder, json.dumps(tree))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, len(TEXT)),
    st.integers(0, 6),
    st.text("{}[]:,-#&*!|>'\"%@` \n\t$.0aé", max_size=4),
)
def test_any_typing_error_is_a_study_or_a_fault(tmp_path_factory, position, removed, added):
    text = TEXT[:position] + added + TEXT[position + removed :]
    load_or_fault(tmp_path_factory.getbasetemp(), text)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([".".join(map(str, key)) for key in leaves(parse(TEXT, Place("x")).data)]),
    VALUES,
)
@example("system.lattice.sites", "$V")
def test_any_override_is_a_study_or_a_fault(tmp_path_factory, key, value):
    folder = tmp_path_factory.getbasetemp()
    load_or_fault(folder, TEXT, (f"{key}={json.dumps(value)}",))
