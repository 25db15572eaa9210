"""What study files and constructors say of formulas of sites, and of regions."""

import jsonschema
import numpy as np
import pytest
from ruamel.yaml import YAML

from nessflow.config.project import load_study
from nessflow.config.study import parameters_of, template_json
from nessflow.config.study_file import study_schema
from nessflow.errors import ConfigError
from nessflow.figures.specs import SPEC
from nessflow.registry import find_kind
from nessflow.studies.systems import System
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.strip import Strip
from nessflow.systems.places import on_sites
from nessflow.validation import InvalidValues
from nessflow.verbs.describe import describe_kind

KEYS = {
    "lattice": "{kind: chain, sites: 10, onsite: $lam}",
    "system": "",
    "mu": "0.1",
    "site": "1",
    "energies": "[0.1, 0.2]",
    "lam": "[0.3, 0.4]",
    "axes": "",
}
TEXT = """title: A study
study: transmission
system:
  lattice: {lattice}
  {system}
  leads:
    left: {{kind: wide-band, broadening: 1, chemical_potential: {mu}, temperature: 1, site: {site}}}
    right: {{kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1}}
energies: {energies}
axes:
  lam: {{inner: {lam}, natural_units: t, long_name: lam}}
  {axes}
"""
CHAIN = "{{kind: chain, sites: 10, onsite: {}}}"


def read(tmp_path, **keys):
    if "onsite" in keys:
        keys["lattice"] = CHAIN.format(keys.pop("onsite"))
    path = tmp_path / "study.yaml"
    path.write_text(TEXT.format(**(KEYS | keys)))
    return load_study(path)


def first_point(study, number=0):
    return parameters_of(study, {axis.name: axis.labels[number] for axis in study.axes})


def faults(tmp_path, **keys):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **keys)
    return [str(problem).split("study.yaml:", 1)[1] for problem in caught.value.problems]


def loss(text):
    return f"loss: {{kind: sites, {text}}}"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"onsite": '"$(lamb * site)"'},
            "4: system.lattice.onsite = $(lamb * site): expected an axis of numbers (lam); did you "
            "mean 'lam'?",
        ),
        (
            {"onsite": "lam * site"},
            "4: system.lattice.onsite = lam * site: expected a number, or a formula of site, x, y "
            "(on-site energy, ...); lam is none of site, x, y, z, orbital; axes are named in "
            "$(lam * site)",
        ),
        (
            {"onsite": '"$(lam / (site - 3))"'},
            "4: system.lattice.onsite = $(lam / (site - 3)): at site 3: $(0.3 / (site - 3.0)) has "
            "no value: float division by zero (at lam = 0.3)",
        ),
        (
            {"onsite": '"$(lam * exp(1j * site))"'},
            "4: system.lattice.onsite = $(lam * exp(1j * site)): at site 1: $(0.3 * exp(1j * site))"
            " is 0.162091+0.252441j, and it has to be real; particle loss and gain go under loss "
            "and gain (at lam = 0.3)",
        ),
        (
            {"onsite": '"$(lam * y)"'},
            "4: system.lattice.onsite = $(lam * y): $(0.3 * y): the chain has no y; its sites have "
            "site, x, orbital (at lam = 0.3)",
        ),
        (
            {"onsite": "[$lam, 0, 0]"},
            '4: system.lattice.onsite = ["$lam", 0, 0]: onsite has 3 energies for 10 sites',
        ),
        (
            {"mu": '"$(0.1 * x * lam)"'},
            "7: system.leads.left.chemical_potential = $(0.1 * x * lam): expected a number "
            "(chemical potential, in units t); site, x, y, z, orbital differ from site to site: "
            "only on-site energies, hoppings and rates may be formulas of them",
        ),
        (
            {"mu": "0.1 * lam"},
            "7: system.leads.left.chemical_potential = 0.1 * lam: expected a number (chemical "
            "potential, in units t); a formula of axes is written $(0.1 * lam)",
        ),
        (
            {"mu": "pi / 0"},
            "7: system.leads.left.chemical_potential = pi / 0: expected a number (chemical "
            "potential, in units t); pi / 0 has no value: float division by zero",
        ),
        (
            {"axes": "site: {inner: [1, 2]}", "mu": "$site"},
            "12: axes.site: expected an axis name of letters, digits and _ that names nothing "
            "else; in formulas site is that of each site (orbital, site, x, y, z); rename the axis",
        ),
        (
            {"system": loss('sites: {start: 1, stop: 9}, rate: "$(lam * (3 - site))"')},
            "5: system.loss.rate = $(lam * (3 - site)): $(0.3 * (3.0 - site)) is -0.3 at site 4; "
            "it must not be below 0 anywhere (at lam = 0.3)",
        ),
        (
            {"system": loss("sites: {where: x > 20}, rate: 1")},
            '5: system.loss.sites = {"where": "x > 20"}: no sites: x > 20 holds nowhere; x goes '
            "from 1 to 10",
        ),
        (
            {"system": loss("sites: {where: x + 1}, rate: 1")},
            '5: system.loss.sites = {"where": "x + 1"}: expected a condition, {where: x < 10} '
            "(sites that have the rate",
        ),
        (
            {"system": loss("sites: middle, rate: 1")},
            "5: system.loss.sites = middle: middle is no region; there are none, under system: "
            "regions:",
        ),
        (
            {"system": loss("rates: {start: 1, stop: 5}")},
            '5: system.loss.rates = {"start": 1, "stop": 5}: rates are those of single sites, '
            "site -> rate; many that have one rate are written sites: {start: 1, stop: 5}, rate: "
            "0.1",
        ),
        (
            {"system": loss("sites: {start: 5, stop: 30}, rate: 1")},
            '5: system.loss.sites = {"start": 5, "stop": 30}: there is no site 11: the chain has '
            "10 sites",
        ),
        (
            {"system": loss("rates: {1: 0.1}, rate: 0.2")},
            "5: system.loss = ",
        ),
        (
            {"system": "regions: {far: [3, 40]}"},
            "5: system.regions.far.1 = 40: there is no site 40: the chain has 10 sites",
        ),
        (
            {"site": "edge"},
            "7: system.leads.left.site = edge: edge is no region; there are none, under system: "
            "regions:",
        ),
        (
            {"lam": "[pi / 2, 2 * q]"},
            "11: axes.lam.inner.1 = 2 * q: expected a number; a formula of axes is written "
            "$(2 * q)",
        ),
        (
            {
                "lattice": "{kind: ring, sites: 5}",
                "system": "loss: {kind: sublattice, sublattice: 2, rate: $lam}",
            },
            "5: system.loss.sublattice = 2: the ring has no two sublattices: an odd number of "
            "bonds leads from site 1 back to it",
        ),
    ],
)
def test_one_message_with_line_key_and_way_out(tmp_path, keys, expected):
    found = faults(tmp_path, **keys)
    start, _, rest = expected.partition("...")
    assert any(text.startswith(start) and rest in text for text in found), found
    assert len([text for text in found if "lam: expected an axis that" not in text]) == 1, found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * pi", 2 * np.pi),
        ("pi / 3", np.pi / 3),
        ('"$(pi / 3)"', np.pi / 3),
        ("sqrt(2) - 1", np.sqrt(2) - 1),
        ("1/3", 1 / 3),
        ("-pi", -np.pi),
    ],
)
def test_formulas_without_names_are_numbers(tmp_path, text, value):
    study = read(
        tmp_path,
        mu=text,
        onsite=f"[$lam, 0, 0, 0, 0, 0, 0, 0, 0, {text}]",
        energies=f"[{text}, 0.1]",
        lam=f"[1e-9, {text}]",
    )
    point = first_point(study, 1)
    assert point.system.leads["left"].chemical_potential == value
    assert point.system.lattice.onsite[-1] == value
    assert point.energies[0] == value
    assert study.axes[0].labels[1] == f"{value:.12g}"


def test_they_stand_in_grids_and_cases(tmp_path):
    study = read(
        tmp_path,
        energies="{start: -2 * pi, stop: 2 * pi, points: 2 * 10 + 1}",
        lam="{linspace: [0, 2 * pi, 21]}",
        axes="c: {inner: {cases: {a: {system.leads.left.chemical_potential: pi / 4}, b: {}}}}",
    )
    assert study.axes[0].labels[-1] == f"{2 * np.pi:.12g}"
    point = first_point(study)
    assert (point.energies.start, point.energies.points) == (-2 * np.pi, 21)
    assert point.system.leads["left"].chemical_potential == np.pi / 4
    assert first_point(study, 1).system.leads["left"].chemical_potential == 0.1


def test_they_choose_values_in_figures(tmp_path):
    figure = "name: a, plot: lines, x: energy, y: transmission, title: 2 * pi"
    path = tmp_path / "study.yaml"
    text = TEXT.format(**(KEYS | {"lam": "[0.1, pi / 2]"}))
    sel = "terminal: left, terminal_2: 1-2, lam: pi / 2"
    path.write_text(f"{text}figures:\n  - {{{figure}, sel: {{{sel}}}, xlim: [-pi, pi]}}\n")
    (drawn,) = load_study(path, figure_specs=SPEC).figures
    assert drawn.sel == {"terminal": "left", "terminal_2": "1-2", "lam": np.pi / 2}
    assert (drawn.xlim, drawn.title) == ((-np.pi, np.pi), "2 * pi")


def test_editors_and_descriptions_know_formulas_and_regions():
    schema = study_schema({"transmission": find_kind("transmission")})
    validator = jsonschema.Draft202012Validator(schema)
    axes = {"lam": "[0.3, pi / 2]", "energies": "[0.1, 2 * pi]"}
    for keys in (
        {"onsite": "0.1 * site", "site": "{where: x < 3}"},
        {"onsite": '"$(lam * site)"', "site": "{start: 1, stop: 3}"},
        {"system": loss("sites: near, rate: 0.1 * x") + "\n  regions: {near: {where: x < 3}}"},
        {"system": "loss: {kind: sublattice, rate: pi / 8, sublattice: 1}", "site": "[1, 2]"},
    ):
        lattice = CHAIN.format(keys.pop("onsite", "$lam"))
        text = TEXT.format(**(KEYS | axes | {"lattice": lattice} | keys))
        errors = [e.message for e in validator.iter_errors(YAML(typ="safe").load(text))]
        assert not errors
    said = describe_kind("transmission")
    assert "hopping: number or formula of bonds (t)" in said
    assert "sites: list of whole numbers >= 1 or region, optional" in said


def test_texts_stay_texts(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(TEXT.format(**KEYS).replace("A study", "2 * pi"))
    assert load_study(path).title == "2 * pi"
    assert "write it without quotes" in faults(tmp_path, mu='"0.3"')[0]
    assert any("write it without quotes" in text for text in faults(tmp_path, onsite='"0.3"'))


def test_axes_enter_a_formula_of_sites_as_numbers(tmp_path):
    study = read(tmp_path, onsite='"$(-lam ** 2 * site + (lam - 0.4) ** 2)"')
    for number, lam in enumerate((0.3, 0.4)):
        lattice = first_point(study, number).system.lattice
        expected = -(lam**2) * np.arange(1, 11) + (lam - 0.4) ** 2
        np.testing.assert_array_equal(on_sites(lattice.onsite, lattice), expected)


def test_negative_values_keep_their_brackets(tmp_path):
    study = read(tmp_path, onsite='"$(lam ** 2 * site)"', lam="[-0.3, 0.4]")
    lattice = first_point(study).system.lattice
    np.testing.assert_array_equal(lattice.energies(0.0), 0.3**2 * np.arange(1, 11))


def test_another_formula_is_another_block(tmp_path):
    texts = "sin(site)", "sin(2 * site)"
    one, other = (template_json(read(tmp_path, onsite=f'"$(lam * {text})"'), {}) for text in texts)
    assert one != other
    written, counted = (
        template_json(read(tmp_path, onsite='"$(lam * site)"', mu=mu), {})
        for mu in ("pi / 2", repr(np.pi / 2))
    )
    assert written == counted


def test_regions_follow_axes_and_lattices(tmp_path):
    study = read(
        tmp_path,
        system='regions: {right: {where: "$(x > 10 * lam)"}}\n  ' + loss("sites: right, rate: 0.1"),
        site="right",
    )
    for number, first in enumerate((4, 5)):
        system = first_point(study, number).system
        assert system.loss.sites == system.leads["left"].site == tuple(range(first, 11))


def test_ranges_take_formulas(tmp_path):
    study = read(
        tmp_path,
        system=loss('sites: {start: 2 * 2, stop: "$(10 * lam + 4)", step: 1}, rate: pi / 10'),
        lam="[0.3]",
    )
    assert first_point(study).system.loss.sites == (4, 5, 6, 7)


@pytest.mark.parametrize(
    ("onsite", "expected"),
    [
        (lambda a: a, "the function <lambda> takes a; a function of places takes some of site, x"),
        (lambda site: 1 / (site - 3), "at site 3: division by zero"),
        (lambda site: "a", "at site 1: the function <lambda> is 'a', which is no number"),
        (lambda x: 1j * (x - 2), "at site 1: the function <lambda> is 0-1j, and it has to be real"),
        (
            lambda site: np.inf * (site > 2) if site > 2 else 0.0,
            "at site 3: the function <lambda> is inf",
        ),
        (np.ones(3), "onsite has 3 energies for 5 sites"),
        ("1 / (site - 4)", "at site 4: 1 / (site - 4) has no value"),
        ("(1", "(1 is not a formula"),
        ("site.real", "only numbers, names"),
    ],
)
def test_constructors_say_the_same(onsite, expected):
    with pytest.raises(InvalidValues) as caught:
        Chain(sites=5, onsite=onsite)
    assert str(caught.value).startswith("Chain: onsite")
    assert expected in str(caught.value)


def test_functions_know_numbers_and_positions():
    strip = Strip(length=3, width=2, onsite=lambda site, x, y: 100 * site + 10 * x + y)
    assert strip.energies(0.0).tolist() == [111, 212, 321, 422, 531, 632]
    numbers = [0.5, 0.25, 0.125]
    assert Chain(sites=3, onsite=lambda site: numbers[site - 1]).energies(0).tolist() == numbers


def test_a_named_region_has_no_name_of_another():
    wide = {"kind": "wide-band", "broadening": 1.0, "chemical_potential": 0.0, "temperature": 0.1}
    with pytest.raises(InvalidValues, match=r"regions\.a"):
        System(lattice=Chain(sites=3), regions={"a": "b", "b": [1]}, leads={"left": wide})
