"""What a user reads of a faulty study: the line and key of the fault itself, in words, once."""

import time

import numpy as np
import pytest
import xarray as xr

from nessflow import matrix
from nessflow.config.project import ConfigError, load_study, parameters_of
from nessflow.config.study_file import ProjectFile, StudyFile
from nessflow.figures.labels import value_label
from nessflow.figures.specs import SPEC
from nessflow.parts import KeyedError, at_key
from nessflow.registry import find_kind, kind_names
from nessflow.validation import WORDS, schema_of
from nessflow.verbs.describe import EXAMPLES

OPTIONS = {"figure_specs": SPEC}
WIRE = """\
title: A wire
study: transmission
system:
  lattice: {kind: chain, sites: 4}
  leads:
    left:
      kind: wide-band
      broadening: 1
      chemical_potential: 0
      temperature: 0.1
    right: {kind: wide-band, broadening: 1, chemical_potential: 0, temperature: 0.1}
energies: {start: -1, stop: 1, points: 3}
"""
CHAIN = "{kind: chain, sites: 4}"


def load(folder, text):
    path = folder / "wire.yaml"
    path.write_text(text)
    return load_study(path, **OPTIONS)


def faults(folder, text):
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return [line.replace(f"{folder}/", "") for line in str(caught.value).splitlines()]


def edited(*pairs, text=WIRE):
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def example(kind, *pairs):
    return edited(*pairs, text=(EXAMPLES / f"{kind}.yaml").read_text())


LOSS = ("  leads:\n", "  loss:\n    kind: sites\n    rates: {2: 0.1, 6: 0.1}\n  leads:\n")
LISTED = "  loss:\n    kind: bond\n    rate: 0.1\n    bonds: [{}, {}]\n  leads:\n"
VECTORS = "  loss:\n    kind: vectors\n    vectors:\n    - {{1: 1, 2: 1}}\n    - {}\n  leads:\n"
PROBE = "coupling: 0, temperature: 0, sites: [3]"
BLOCH = "{kind: bloch, onsite: [[0]], hoppings: {1: [[1, 0], [0, 1]]}}"
COLD = """{temperature: 1.0, chemical_potential: $mu}
  weights"""
THREE = "[[1, 0, 0], [0, 1, 0], [0, 0, 1]]"
STRIP = ("      kind: wide-band\n      broadening: 1\n", "      kind: semi-infinite-strip\n")


PLACED = "temperature: 0.1\n    right"


def placed(text):
    """Return the edit that says where the left lead couples."""
    return PLACED, PLACED.replace("\n", f"\n      site: {text}\n")


PLACES = {
    "loss on a site that is not there": (
        edited(LOSS),
        "7: system.loss.rates.6 = 0.1: there is no site 6: the chain has 4 sites",
    ),
    "loss of an axis on a site that is not there": (
        edited((LOSS[0], LOSS[1].replace("6: 0.1", "6: $V"))) + "axes: {V: {inner: [0, 1]}}\n",
        "7: system.loss.rates.6 = $V: there is no site 6: the chain has 4 sites",
    ),
    "gain on a site that is not there": (
        edited((LOSS[0], LOSS[1].replace("loss", "gain"))),
        "7: system.gain.rates.6 = 0.1: there is no site 6",
    ),
    "lead on a site that is not there": (
        edited(("temperature: 0.1\n    right", "temperature: 0.1\n      site: 5\n    right")),
        "11: system.leads.left.site = 5: there is no site 5: the chain has 4 sites",
    ),
    "lead on sites that are not there": (
        edited(("temperature: 0.1\n    right", "temperature: 0.1\n      site: [1, 7]\n    right")),
        "11: system.leads.left.site.1 = 7: there is no site 7",
    ),
    "lead that is twice on a site": (
        edited(("temperature: 0.1\n    right", "temperature: 0.1\n      site: [2, 2]\n    right")),
        "11: system.leads.left.site.1 = 2: site 2: listed twice",
    ),
    "lead with amplitudes on a site that is not there": (
        edited(placed("{1: 0.5, 7: 0.2j}")),
        "11: system.leads.left.site.7 = 0.2j: there is no site 7: the chain has 4 sites",
    ),
    "lead with an amplitude of 0": (
        edited(placed("{1: 0.5, 2: 0}")),
        "11: system.leads.left.site.2 = 0: site 2: the amplitude is 0",
    ),
    "lead with an amplitude that is no number": (
        edited(placed("{1: 0.5, 2: abc}")),
        "11: system.leads.left.site.2 = abc: a complex number is written",
    ),
    "lead with amplitudes of site 0": (
        edited(placed("{0: 0.5}")),
        "11: system.leads.left.site.0 = 0.5: expected a number >= 1 as key",
    ),
    "lead with a site that is no number": (
        edited(placed("first")),
        "11: system.leads.left.site = first: first is no region; there are none, under system: "
        "regions:",
    ),
    "lead with no amplitudes": (
        edited(placed("{}")),
        "11: system.leads.left.site = {}: no sites; name one or leave the key out",
    ),
    "strip lead on one site": (
        edited(placed("1"), STRIP),
        "10: system.leads.left.site = 1: a semi-infinite-strip on one site has no rows",
    ),
    "strip lead without sites": (
        edited(STRIP),
        "6: system.leads.left.site: a semi-infinite-strip without sites has no rows",
    ),
    "strip lead with amplitudes": (
        edited(placed("{1: 0.5, 2: 1}"), STRIP),
        '10: system.leads.left.site = {"1": 0.5, "2": 1}: a semi-infinite-strip with amplitudes '
        "has no rows; list the sites that its rows couple to in order, site: [1, 2, 3]",
    ),
    "lead without a site": (
        edited(("    left:\n", "    top:\n")),
        "6: system.leads.top.site: lead top: site is missing",
    ),
    "lead named as a terminal": (
        edited(("    left:\n", "    gain:\n")),
        "6: system.leads.gain = {",
    ),
    "lead with a strange name": (
        edited(("    left:\n", "    my lead:\n")),
        "6: system.leads.my le",
    ),
    "energies of too few sites": (
        edited((CHAIN, "{kind: chain, sites: 4, onsite: [0, 1]}")),
        "4: system.lattice.onsite = [0, 1]: onsite has 2 energies for 4 sites",
    ),
    "ends of no chain": (
        edited(
            (CHAIN, "{kind: strip, length: 2, width: 2}"),
            (LOSS[0], "  loss:\n    kind: bond\n    rate: 0.1\n    boundary: true\n  leads:\n"),
        ),
        "8: system.loss.boundary = true: the ends are those of a chain, the lattice is a strip",
    ),
    "bond that is not there": (
        edited((LOSS[0], LISTED.format("[1, 2]", "[2, 4]"))),
        "8: system.loss.bonds.1 = [2, 4]: the chain has no bond between the sites 2 and 4",
    ),
    "bond on a site that is not there": (
        edited((LOSS[0], LISTED.format("[1, 2]", "[4, 5]"))),
        "8: system.loss.bonds.1.1 = 5: there is no site 5: the chain has 4 sites",
    ),
    "bond that is there twice": (
        edited((LOSS[0], LISTED.format("[1, 2]", "[2, 1]"))),
        "8: system.loss.bonds.1 = [2, 1]: the bond of the sites 2 and 1: listed twice",
    ),
    "amplitude on a site that is not there": (
        edited((LOSS[0], VECTORS.format("{2: 0.1, 6: 0.2j}"))),
        "9: system.loss.vectors.1.6 = 0.2j: there is no site 6: the chain has 4 sites",
    ),
    "amplitude that is 0": (
        edited((LOSS[0], VECTORS.format("{2: 0.1, 3: 0}"))),
        "9: system.loss.vectors.1.3 = 0: the amplitude is 0: leave the site out",
    ),
    "amplitude that is no number": (
        edited((LOSS[0], VECTORS.format("{2: 0.1, 3: i2x}"))),
        "9: system.loss.vectors.1.3 = i2x: a complex number is written 1+2j, 1+2i or [1, 2]",
    ),
    "channel without amplitudes": (
        edited((LOSS[0], VECTORS.format("{}"))),
        "9: system.loss.vectors.1 = {}: expected at least 1 entries",
    ),
    "two amplitudes on a site": (
        edited((LOSS[0], VECTORS.format("{2: 0.1, 2: 0.3}"))),
        "9: ",
    ),
    "energies in the wrong order": (
        edited(("stop: 1,", "stop: -2,")),
        "12: energies.stop = -2: start -1 is not below stop -2",
    ),
    "energy twice": (
        edited(("{start: -1, stop: 1, points: 3}", "[0.5, 1, 0.5]")),
        "12: energies.2 = 0.5: 0.5 is listed twice",
    ),
    "energy that is no number": (
        edited(("{start: -1, stop: 1, points: 3}", "[0.5, x]")),
        "12: energies.1 = x: expected a number (energies of the spectrum, a grid or a list in any",
    ),
    "no energies": (
        edited(("{start: -1, stop: 1, points: 3}", "[]")),
        "12: energies = []: expected ",
    ),
    "energies without an end": (
        edited(("stop: 1, ", "")),
        "12: energies.stop: expected a value (last energy, in units t); it is missing",
    ),
    "matrix that is not square": (
        edited((CHAIN, "{kind: matrix, hamiltonian: [[0, 1], [1]]}")),
        "4: system.lattice.hamiltonian.1 = [1]: row 2 has 1 entries and the matrix 2 rows",
    ),
    "matrix that is not Hermitian": (
        edited((CHAIN, "{kind: matrix, hamiltonian: [[0, 1], [2, 0]]}")),
        "4: system.lattice.hamiltonian.1.0 = 2: the matrix is not Hermitian: h[1,2] = 1+0j but",
    ),
    "matrix with loss": (
        edited((CHAIN, "{kind: matrix, hamiltonian: [['-0.1i', 1], [1, 0]]}")),
        "4: system.lattice.hamiltonian.0.0 = -0.1i: the matrix is not Hermitian: h[1,1] = 0-0.1j "
        "has an imaginary part; particle loss and gain go under loss and gain",
    ),
    "complex on-site energy": (
        edited((CHAIN, "{kind: chain, sites: 3, onsite: [0, '0-0.1j', 0]}")),
        "4: system.lattice.onsite.1 = 0-0.1j: expected a number (on-site energy, one number or one "
        "for each site; matrices where sites have orbitals, in units t); on-site energies are real",
    ),
    "complex on-site energy of all sites": (
        edited((CHAIN, "{kind: chain, sites: 3, onsite: 1+2i}")),
        "4: system.lattice.onsite = 1+2i: expected a number",
    ),
    "number in quotes": (
        edited(("broadening: 1\n", "broadening: '1'\n")),
        "8: system.leads.left.broadening = 1: expected a number (broadening of the contact site, "
        "in units t); write it without quotes",
    ),
    "no complex number": (
        edited((CHAIN, "{kind: matrix, hamiltonian: [[0, 1+2k], [1, 0]]}")),
        "4: system.lattice.hamiltonian.0.1 = 1+2k: a complex number is written 1+2j, 1+2i or",
    ),
    "complex number of three parts": (
        edited((CHAIN, "{kind: matrix, hamiltonian: [[0, [1, 2, 3]], [1, 0]]}")),
        "4: system.lattice.hamiltonian.0.1 = [1, 2, 3]: a complex number is written",
    ),
    "site named by a word": (
        edited((LOSS[0], LOSS[1].replace("6:", "six:"))),
        "7: system.loss.rates.six = 0.1: expected a whole number as key",
    ),
    "two leads of unequal temperature": (
        edited(
            ("study: transmission", "study: linear-response"),
            ("      temperature: 0.1\n", "      temperature: 0.2\n"),
            ("energies: {start: -1, stop: 1, points: 3}\n", ""),
        ),
        "11: system.leads.right.temperature = 0.1: linear response needs leads of equal temp",
    ),
    "probe on a site that is not there": (
        example("nonreciprocity", ("sites: [5]", "sites: [5, 9]")),
        "10: system.probes.drain.sites.1 = 9: there is no site 9: the chain has 8 sites",
    ),
    "probe that is coupled to nothing": (
        example("nonreciprocity", ("coupling: 0.3, temperature: 0, sites: [3]", PROBE)),
        "9: system.probes.source.coupling = 0: probes source have the coupling 0",
    ),
    "two probes on a site": (
        example("nonreciprocity", ("sites: [5]", "sites: [3]")),
        "10: system.probes.drain.sites.0 = 3: site 3 has a probe of source and one of drain",
    ),
    "probes that do not balance": (
        example("nonreciprocity", ("current: $(-i)", "current: 0.5")),
        "8: system.probes = {",
    ),
    "source at the end": (
        example("resistor-circuit", ("sites: [2]", "sites: [4]")),
        "7: system.injections.source.sites.0 = 4: site 4 is not inside the system",
    ),
    "resistances of another number": (
        example("resistor-circuit", ("0.3", "[1, 2]")),
        "5: system.resistance = [1, 2]: resistance has 2 values for 3 bonds",
    ),
    "resistance without a sign": (
        example("resistor-circuit", ("0.3", "[1, 0, 2]")),
        "5: system.resistance.1 = 0: a resistance has to be positive",
    ),
    "hoppings of another size": (
        example("ring-steady-state", ("{kind: chain}", BLOCH)),
        "6: ring.bands.hoppings.1 = [[1, 0], [0, 1]]: the matrix has 2 rows, expected 1",
    ),
    "bath colder than numbers can say": (
        example("ring-steady-state", ("inverse_temperature: 2.0", "inverse_temperature: 1e6")),
        "8: ring.inverse_temperature = 1000000.0: rates of the equilibrium bath reach",
    ),
    "gates of a cold reservoir": (
        example("mixture-conductance", (COLD, COLD.replace("1.0", "0"))),
        "6: mixture.reservoirs.1.temperature = 0: conductances need temperatures above 0",
    ),
    "exchange that is not square": (
        example("mixture-junction", ("[0.2, 0.4, 0.4]", "[0.2, 0.8]")),
        "8: junction.exchange.0 = [0.2, 0.8]: row 1 has 2 entries and the matrix 3 rows",
    ),
    "bandwidth that leaves a level out": (
        example("network-relaxation", ("bandwidth: 10.0", "bandwidth: 1.1")),
        "5: reservoirs.bandwidth = 1.1: the level 1.25 is outside the band",
    ),
    "relaxation without an end": (
        example("network-relaxation", ("stop: 4", "stop: 1e9")),
        "9: times.stop = 1000000000.0: the last time 1e+10 hbar/t times the width",
    ),
    "initial correlations of three sites": (
        example("network-relaxation", ("times:", f"initial_correlations: {THREE}\ntimes:")),
        "9: initial_correlations = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]: the matrix has 3 rows, exp",
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_fault_has_its_own_line_and_key(tmp_path, name):
    text, expected = PLACES[name]
    (found,) = faults(tmp_path, text)
    assert found.startswith("wire.yaml:")
    assert found.removeprefix("wire.yaml:").startswith(expected)


def test_a_fault_of_an_axis_names_its_value_and_the_point(tmp_path):
    axes = "axes: {N: {outer: [8, 4]}}\n"
    text = edited((CHAIN, "{kind: chain, sites: $N}"), (LOSS[0], LOSS[1].replace("6", "7"))) + axes
    (found,) = load(tmp_path, text).warnings
    expected = "7: system.loss.rates.7 = 0.1: there is no site 7: the chain has 4 sites (at N = 4)"
    assert str(found).endswith(f"wire.yaml:{expected}")


def test_errors_inside_carry_their_keys():
    with pytest.raises(KeyedError, match="too hot") as caught, at_key("system"), at_key("leads", 2):
        raise KeyedError("too hot", "temperature")
    assert caught.value.key == ("system", "leads", 2, "temperature")


# Once, and in words ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (edited(("broadening: 1\n", "broadning: 1\n")), "did you mean 'broadening'?"),
        (edited(("title:", "titel:")), "did you mean 'title'?"),
        (edited(("study:", "stduy:")), "did you mean 'study'?"),
        (edited(("energies:", "energeis:")), "did you mean 'energies'?"),
        (edited(("stop: 1", "stpo: 1")), "did you mean 'stop'?"),
        (edited((CHAIN, "{kind: chian, sites: 4}")), "did you mean 'chain'?"),
        (edited(("lattice:", "latice:")), "did you mean 'lattice'?"),
        (
            edited((CHAIN, "{kind: chain, sites: $N}")) + "axes: {N: {outer: [4, x]}}\n",
            "axes.N.outer.1 = x: expected a number",
        ),
        (
            edited(("study: transmission", "study: transmision"), ("sites: 4", "sites: $N"))
            + "axes: {N: {outer: [4]}}\n",
            "study = transmision: expected one of the kinds",
        ),
    ],
)
def test_a_fault_is_told_once(tmp_path, text, expected):
    (found,) = faults(tmp_path, text)
    assert expected in found


def models():
    yield "study file", StudyFile
    yield "config.yaml", ProjectFile
    yield "figures", SPEC
    yield from ((name, find_kind(name).Parameters) for name in kind_names())


@pytest.mark.parametrize(("name", "model"), list(models()), ids=lambda value: str(value)[:30])
def test_patterns_of_names_have_words(name, model):
    def patterns(node):
        if isinstance(node, dict):
            yield from [node["pattern"]] if isinstance(node.get("pattern"), str) else []
            yield from node.get("patternProperties", ())
            for child in node.values():
                yield from patterns(child)
        elif isinstance(node, list):
            for child in node:
                yield from patterns(child)

    assert set(patterns(schema_of(model))) <= WORDS.keys()


@pytest.mark.parametrize(
    ("old", "new"),
    [("name: gain-loss", "name: A/b"), ("name: gain-loss", "name: ''")],
)
def test_no_regular_expression_is_shown(tmp_path, old, new):
    text = WIRE + "figures:\n  - {name: gain-loss, plot: lines, x: energy, y: gain_transmission}\n"
    (found,) = faults(tmp_path, edited((old, new), text=text))
    assert "figures.0.name" in found
    assert "expected a name of at most 80 characters a-z, 0-9 and -" in found
    assert "^" not in found


def test_links_and_library_words_are_not_shown(tmp_path):
    for value in ("1+2k", "[1]", "{a: 1}", "true", "null", "''"):
        text = edited((CHAIN, f"{{kind: matrix, hamiltonian: [[0, {value}], [1, 0]]}}"))
        for line in faults(tmp_path, text):
            assert "http" not in line
            assert "python" not in line.lower()


# Matrices ---------------------------------------------------------------------------------------

NUMBERS = {
    "1+2i": 1 + 2j,
    "1 - 2i": 1 - 2j,
    "(-1e-3+0.5j)": -1e-3 + 0.5j,
    "0.333333+0.100000j": 0.333333 + 0.1j,
    "1.+2.j": 1 + 2j,
    "1.0 + 2.0im": 1 + 2j,
    "0.1 + 0.2*I": 0.1 + 0.2j,
    "-i": -1j,
    "(0.5,-1)": 0.5 - 1j,
    "(1.0D-3, 2.0D0)": 1e-3 + 2j,
    "\N{MINUS SIGN}2": -2,
    "2": 2,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_complex_numbers_of_other_tools(tmp_path, text):
    value = NUMBERS[text]
    assert matrix.complex_number(text) == value
    partner = f"[{value.real}, {-complex(value).imag}]"
    rows = f"[[0, '{text}'], [{partner}, 0.5]]"
    study = load(tmp_path, edited((CHAIN, f"{{kind: matrix, hamiltonian: {rows}}}")))
    h = parameters_of(study, {}).system.lattice.hamiltonian(0.0)
    np.testing.assert_array_equal(h, [[0, value], [np.conj(value), 0.5]])


@pytest.mark.parametrize(
    "text",
    ["", "1 2", "1+2k", "1+2i+3", "ij", "(1+2j", "1++2i", "nan", "1e400", "1_0", "0x1", "(1,2,3)"],
)
def test_texts_that_are_no_complex_number(text):
    with pytest.raises(ValueError, match=r"a complex number is written|not finite"):
        matrix.complex_number(text)


def test_every_matrix_of_a_study_takes_them(tmp_path):
    operators = example("ring-steady-state", ("0+1j", "i"))
    assert load(tmp_path, operators)
    state = "initial_correlations: [[0.5, [0, 0.1]], ['-0.1i', 0.5]]\n"
    assert load(tmp_path, example("network-relaxation", ("times:", f"{state}times:")))
    rows = "{kind: matrix, hamiltonian: [[0, $t], [$t, 0]]}"
    axes = "axes: {t: {inner: [1, 2], natural_units: t, long_name: hopping}}\n"
    assert load(tmp_path, edited((CHAIN, rows)) + axes)


PRINTED = "[[0.1, '0.333333+0.100000j'], ['0.333334-0.100000j', 0.2]]"


def test_a_matrix_that_was_printed_with_few_digits(tmp_path):
    text = edited((CHAIN, f"{{kind: matrix, hamiltonian: {PRINTED}}}"))
    (found,) = faults(tmp_path, text)
    assert "4: system.lattice.hamiltonian.1.0 = 0.333334-0.100000j: the matrix is not Her" in found
    assert "hermitian_part: true takes (h + h^+)/2" in found
    study = load(tmp_path, text.replace("kind: matrix,", "kind: matrix, hermitian_part: true,"))
    h = parameters_of(study, {}).system.lattice.hamiltonian(0.0)
    np.testing.assert_allclose(h, [[0.1, 0.3333335 + 0.1j], [0.3333335 - 0.1j, 0.2]], rtol=1e-15)


@pytest.mark.parametrize(
    "rows", ["[[0, 1], [1.1, 0]]", "[['1-0.1i', 0], [0, 1]]", "[[0, 1], [-1, 0]]"]
)
def test_the_hermitian_part_is_for_rounding_only(tmp_path, rows):
    lattice = f"{{kind: matrix, hermitian_part: true, hamiltonian: {rows}}}"
    (found,) = faults(tmp_path, edited((CHAIN, lattice)))
    assert "hermitian_part is for rounding of up to 0.01 of the largest element" in found


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [("g", "G"), ("gamma", "Gamma"), ("caf\u00e9", "cafe\u0301"), ("\u00c9", "e\u0301")],
)
@pytest.mark.parametrize("place", ["axes", "leads", "cases"])
def test_names_that_look_the_same_are_refused(tmp_path, one, other, place):
    text = {
        "axes": f"{WIRE}axes: {{{one}: {{inner: [1]}}, {other}: {{inner: [1]}}}}\n",
        "leads": edited(("    left:\n", f"    {one}: 1\n    {other}:\n")),
        "cases": f"{WIRE}axes: {{c: {{inner: {{cases: {{{one}: {{}}, {other}: {{}}}}}}}}}}\n",
    }[place]
    (found,) = faults(tmp_path, text)
    assert f".{other}: expected a key that differs from {one} by more than capitals" in found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Vg", "Vg = 0.5 $t$"),
        ("half_width", "half width = 0.5 $t$"),
        ("mu", r"$\mu$ = 0.5 $t$"),
        ("gamma_L", r"$\gamma_{L}$ = 0.5 $t$"),
    ],
)
def test_a_legend_has_the_name_of_the_axis(name, expected):
    attributes = {"natural_units": "t", "long_name": "on-site energy, one for each site"}
    axis = xr.DataArray([0.5, 1], dims=[name], name=name, attrs=attributes)
    assert value_label(axis, 0.5) == expected


def test_the_name_of_an_axis_is_not_the_help_of_its_parameter(tmp_path):
    axes = "axes: {Vg: {inner: [0, 1]}}\n"
    study = load(tmp_path, edited((CHAIN, "{kind: chain, sites: 4, onsite: $Vg}")) + axes)
    assert study.axes[0].long_name == "on-site energy"
    loss = ("  leads:\n", "  loss: {kind: sites, rates: {2: $Vg}}\n  leads:\n")
    assert load(tmp_path, edited(loss) + axes).axes[0].long_name == "rate"
    for name in kind_names():
        path = EXAMPLES / f"{name}.yaml"
        for axis in load_study(path, **OPTIONS).axes:
            assert not set(axis.long_name) & set(",;("), axis.long_name


# Blocks ------------------------------------------------------------------------------------------

HOPPING = (CHAIN, "{kind: chain, sites: 4, hopping: $q}")
DISORDER = ("  leads:\n", "  disorder: {kind: uniform, half_width: 1}\n  leads:\n")


@pytest.mark.parametrize(
    ("edits", "more", "expected"),
    [
        (
            [HOPPING],
            "axes: {q: {outer: {linspace: [1, 2, 20000]}}}\n",
            "13: axes = 20000 blocks: expected at most 10000 blocks, each a job and a file; inner",
        ),
        (
            [HOPPING],
            "axes: {q: {outer: {linspace: [1, 2, 1000000]}}}\n",
            "13: axes = 1000000 blocks: expected at most 10000 blocks",
        ),
        (
            [HOPPING, DISORDER],
            "axes: {q: {outer: {linspace: [1, 2, 200]}}}\nensemble: {samples: 60, per_block: 1}\n",
            "15: ensemble = 12000 blocks: expected at most 10000 blocks, each a job and",
        ),
        (
            [HOPPING],
            "axes: {q: {inner: {linspace: [1, 2, 1000001]}}}\n",
            "13: axes.q.inner.linspace.2 = 1000001: expected a number <= 1e+06",
        ),
    ],
)
def test_blocks_are_bounded_as_points_are(tmp_path, edits, more, expected):
    (found,) = faults(tmp_path, edited(*edits) + more)
    assert expected in found
    if "blocks" in expected:
        assert "nessflow --allow-large" in found
        assert load_study(tmp_path / "wire.yaml", allow_large=True, **OPTIONS)


# Very many faults ------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["top", "lattice", "leads", "tier", "cases", "axes", "figures"])
def test_thousands_of_faults_take_seconds_and_a_page(tmp_path, place):
    many = 4000
    keys = ", ".join(f"k{i}: 1" for i in range(many))
    text = {
        "top": WIRE + keys.replace(", ", "\n") + "\n",
        "lattice": edited((CHAIN, f"{{kind: chain, sites: 4, {keys}}}")),
        "leads": edited(("  leads:\n", "  leads:\n    " + keys.replace(", ", "\n    ") + "\n")),
        "tier": f"{WIRE}tiers: {{smoke: {{{keys}}}}}\n",
        "cases": f"{WIRE}axes: {{c: {{inner: {{cases: {{{keys.replace('1', '{}')}}}}}}}}}\n",
        "axes": f"{WIRE}axes: {{{keys}}}\n",
        "figures": f"{WIRE}figures: [{', '.join(['{name: a}'] * many)}]\n",
    }[place]
    start = time.process_time()
    path = tmp_path / "wire.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_study(path, tier="smoke", **OPTIONS)
    # Minutes where each of them is looked at anew; reading the text takes a second.
    assert time.process_time() - start < 30
    assert len(str(caught.value)) < 30_000
    assert len(str(caught.value).splitlines()) <= 102
