"""Figures that would fail after hours of computing are refused before."""

import pytest

from nessflow.config.contents.layout import layout_of
from nessflow.config.project import ConfigError, load_study
from nessflow.figures.specs import SPEC
from nessflow.verbs.describe import EXAMPLES
from nessflow.verbs.figure_checks import figure_problems

LINE = "y: transmission, hue: gamma, sel: {terminal: left, terminal_2: right}"
MAP = "plot: map, x: energy, y: gamma, z: transmission, sel: {terminal: left, terminal_2: right}"


def problems(folder, old, new):
    text = (EXAMPLES / "transmission.yaml").read_text()
    assert old in text
    path = folder / "spectrum.yaml"
    path.write_text(text.replace(old, new))
    study = load_study(path, figure_specs=SPEC)
    found = figure_problems(study, {study.name: layout_of(study)})
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    "new",
    [
        LINE,
        "y: response_transmission, hue: gamma",
        "y: response_transmission, hue: gamma, sel: {gamma: [0, 0.1]}",
        "y: response_transmission, sel: {gamma: [0.1]}",
        "y: transmission, hue: terminal, sel: {gamma: 0, terminal_2: loss}",
        "ylabel: T, layers: [{y: loss_transmission, label: a, sel: {gamma: 0}}]",
        "ylabel: T, layers: [{y: other, from: elsewhere, label: a}]",
    ],
)
def test_lines_with_one_number_for_each_point(tmp_path, new):
    assert problems(tmp_path, LINE, new) == []


def test_a_map(tmp_path):
    assert problems(tmp_path, f"plot: lines, x: energy, {LINE}", MAP) == []
    without = MAP.replace(", terminal_2: right", "")
    (found,) = problems(tmp_path, f"plot: lines, x: energy, {LINE}", without)
    assert "spectrum.yaml:13: figures.0.z = transmission: expected a value of terminal_2" in found


def test_an_axis_of_one_value_needs_no_choice(tmp_path):
    assert problems(tmp_path, "inner: [0, 0.1]}", "inner: [0.1]}") == []


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (
            "y: response_transmission",
            "figures.0.y = response_transmission: expected a value of gamma in sel, or hue: gamma; "
            "it has 0, 0.1",
        ),
        (
            "y: transmission, hue: gamma, sel: {terminal: left}",
            "expected a value of terminal_2 in sel, or hue: terminal_2; it has left, right, loss",
        ),
        (
            "y: response_transmission, hue: terminal, sel: {gamma: 0}",
            "expected a variable with the dimension terminal; it has gamma, energy",
        ),
        (
            "y: transmission, hue: gamma, sel: {terminal: lfet, terminal_2: right}",
            "figures.0.sel.terminal = lfet: expected one of left, right; did you mean 'left'?",
        ),
        (
            "ylabel: T, layers: [{y: transmission, label: a, hue: gamma, sel: {terminal: left}}]",
            "figures.0.layers.0.y = transmission: expected a value of terminal_2 in sel",
        ),
    ],
)
def test_lines_without(tmp_path, new, expected):
    (found,) = problems(tmp_path, LINE, new)
    assert "spectrum.yaml:13: " in found
    assert expected in found


def test_panels_are_named(tmp_path):
    text = f"plot: panels, panels: [{{plot: lines, x: energy, {LINE}}}, "
    text += "{plot: lines, x: energy, y: loss_transmission}]"
    (found,) = problems(tmp_path, f"plot: lines, x: energy, {LINE}", text)
    assert "figures.0.panels.1.y = loss_transmission: expected a value of gamma" in found


# Values, units, texts ----------------------------------------------------------------------------

WIRE = """\
title: A wire
study: steady-current
system:
  lattice: {kind: chain, sites: $N}
  leads:
    left:  {kind: wide-band, broadening: 1, chemical_potential: $mu, temperature: $T}
    right: {kind: wide-band, broadening: 1, chemical_potential: -0.5, temperature: 0.1}
axes:
  mu: {inner: {arange: [0, 0.4, 0.1]}}
  T: {inner: {linspace: [0.1, 0.7, 7]}}
  N: {outer: [2, 3]}
"""
ENSEMBLE = ("axes:\n", "ensemble: {samples: 2}\naxes:\n")
DISORDER = ("  leads:", "  disorder: {kind: uniform, half_width: 1}\n  leads:")
FIGURE = "x: mu, y: net_particle_current, hue: N, sel: {T: 0.3}"


def wire_problems(folder, figure, *edits, fits=""):
    text = f"{WIRE}{fits}figures:\n  - {{name: a, plot: lines, {figure}}}\n"
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "wire.yaml"
    path.write_text(text)
    study = load_study(path, figure_specs=SPEC)
    found = figure_problems(study, {study.name: layout_of(study)})
    return [str(problem).removeprefix(f"{folder}/") for problem in found]


@pytest.mark.parametrize(
    "figure",
    [
        FIGURE,
        FIGURE.replace("0.3", "0.30000000000000004"),
        FIGURE.replace("0.3", "[0.1, 0.7]")
        .replace("hue: N", "hue: T")
        .replace("sel: {", "sel: {N: 2, "),
        f"{FIGURE}, display_unit: t/h, title: '$V^{{2}}$ costs 3$', xlabel: 'a $ sign'",
        f"{FIGURE}, reference_lines: [{{x: 0.1}}, {{y: net_particle_current, sel: {{N: 2}}}}]",
        "x: mu, y: net_particle_current_error, hue: N, sel: {T: 0.3}",
        f"{FIGURE}, xlim: [1, 0], yscale: log, ylim: [1e-3, 1]",
    ],
)
def test_figures_that_can_be_drawn(tmp_path, figure):
    assert wire_problems(tmp_path, figure) == []


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (
            FIGURE.replace("0.3", "0.35"),
            "sel.T = 0.35: expected one of 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7; the nearest are 0.3, "
            "0.4",
        ),
        (FIGURE.replace("0.3", "'warm'"), "sel.T = warm: expected one of 0.1, 0.2, 0.3"),
        (FIGURE.replace("0.3", "0.301"), "sel.T = 0.301: expected one of"),
        (
            "x: mu, y: net_particle_current, sel: {T: 0.3, N: [2, 5]}, hue: N",
            "sel.N.1 = 5: expected one of 2, 3; the nearest are 2, 3",
        ),
        (
            f"ylabel: I, {FIGURE}, layers: [{{y: landauer_particle_current, label: b, "
            "sel: {T: 9, N: 2}}]",
            "layers.0.sel.T = 9: expected one of",
        ),
        (
            f"{FIGURE}, display_unit: kg",
            "display_unit = kg: expected t/hbar or the same with h for",
        ),
        (f"{FIGURE}, display_unit: t^2/h", "display_unit = t^2/h: expected t/hbar or the same"),
        (f"{FIGURE}, display_unit: '1+'", "display_unit = 1+: expected t/hbar"),
        (
            f"{FIGURE}, title: '$x^{{$'",
            "title = $x^{$: expected text that can be drawn; what stands",
        ),
        (f"{FIGURE}, ylabel: '$\\frac{{1}}$'", "ylabel = $\\frac{1}$: expected text that can be"),
        (
            f"{FIGURE}, reference_lines: [{{x: 0.1, label: '$_$'}}]",
            "reference_lines.0.label = $_$: expected text that can be drawn",
        ),
        (
            f"{FIGURE}, marks: [{{x: 0.1, y: 0, label: '$\\nothing$'}}]",
            "marks.0.label = $\\nothing$: expected text that can be drawn",
        ),
        (
            FIGURE.replace("current,", "current_mean,"),
            "y = net_particle_current_mean: expected a variable of the data; means are those of an "
            "ensemble, and wire has none: take net_particle_current",
        ),
        (FIGURE.replace("current,", "current_sem,"), "means are those of an ensemble"),
        (
            f"{FIGURE}, marks: [{{x: 0, y: net_particle_current_error_mean}}]",
            "marks.0.y = net_particle_current_error_mean: expected a variable of the data",
        ),
        (
            f"ylabel: I, {FIGURE}, layers: [{{y: heat_current, label: b, "
            "sel: {lead: left, N: 2}}]",
            "layers.0.y = heat_current: expected a quantity of the unit t/hbar; heat_current has",
        ),
        (
            f"{FIGURE}, reference_lines: [{{y: heat_current}}]",
            "reference_lines.0.y = heat_current: expected a quantity of the unit t/hbar",
        ),
        (f"{FIGURE}, xlim: [1, 1]", "xlim = [1, 1]: expected two different numbers"),
        (
            f"{FIGURE}, yscale: log, ylim: [0, 1]",
            "ylim = [0, 1]: expected numbers above 0 on a log",
        ),
        (
            FIGURE.replace("x: mu", "x: heat_current"),
            "y = net_particle_current: expected a variable with",
        ),
    ],
)
def test_figures_that_cannot_be_drawn(tmp_path, figure, expected):
    (found,) = wire_problems(tmp_path, figure)
    assert found.startswith(f"wire.yaml:13: figures.0.{expected}") or expected in found


@pytest.mark.parametrize(
    ("plot", "expected"),
    [
        ("samples, x: mu, y: net_particle_current, sel: {T: 0.3, N: 2}", "a variable with samples"),
        (
            "power-law, x: mu, y: net_particle_current, sel: {T: 0.3, N: 2}, fit: slope",
            "fit = slope: expected a fit of the study",
        ),
        (
            "power-law, x: mu, y: net_particle_current, sel: {T: 0.3, N: 2}, "
            "laws: [{y: net_particle_current, exponent: 2, label: a, sel: {mu: 0.1}}]",
            "laws.0.y = net_particle_current: expected a coefficient whose unit times t^2 is",
        ),
        (
            "map, x: mu, y: heat_current, z: net_particle_current, sel: {T: 0.3, N: 2}",
            "figures.0.y = heat_current: expected an axis or a dimension",
        ),
        (
            "map, x: mu, y: T, z: net_particle_current, sel: {N: 2}, display_unit: J",
            "display_unit = J: expected t/hbar",
        ),
    ],
)
def test_other_plots_that_cannot_be_drawn(tmp_path, plot, expected):
    found = wire_problems(tmp_path, FIGURE, (f"lines, {FIGURE}", plot))
    assert any(expected in line for line in found), found
    assert len(found) <= 2


def test_an_ensemble_has_means(tmp_path):
    figure = FIGURE.replace("current,", "current_mean,")
    samples = ("axes:", "ensemble: {samples: 4}\naxes:")
    assert wire_problems(tmp_path, figure, DISORDER, samples) == []
    figure = FIGURE.replace("current,", "current_error_mean,")
    (found,) = wire_problems(tmp_path, figure, DISORDER, samples)
    assert "y = net_particle_current_error_mean: expected a variable of the data" in found


def test_names_of_axes_are_drawn_too(tmp_path):
    edit = ("T: {inner:", "T: {long_name: '$T^{$', natural_units: 'K$', inner:")
    found = wire_problems(tmp_path, FIGURE, edit)
    assert any("axes.T.long_name = $T^{$: expected text that can be drawn" in x for x in found)
    assert any("axes.T.natural_units = K$: expected a unit such as t, t/hbar" in x for x in found)


@pytest.mark.parametrize(("unit", "wrong"), [("K", "K"), ("meV/hbar", "meV"), ("1/s", "s")])
def test_natural_units_of_axes_are_natural(tmp_path, unit, wrong):
    edit = ("T: {inner:", f"T: {{natural_units: '{unit}', inner:")
    (found,) = wire_problems(tmp_path, FIGURE, edit)
    assert f"axes.T.natural_units = {unit}: expected a unit such as t" in found
    assert f"{wrong} is none of t, hbar, h, e, k_B, a, rad; `units: {{t: 2.5 meV}}`" in found


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("x: mu, y: net_particle_current", None),
        ("x: mu, y: net_particle_current_mean", "fits.0.y = net_particle_current_mean: expected a"),
        ("x: lead, y: heat_current", "fits.0.x = lead: expected a dimension of numbers of heat"),
        ("x: T, y: mu", "fits.0.y = mu: expected a variable of the data"),
    ],
)
def test_fits_of_what_is_there(tmp_path, fit, expected):
    fits = f"fits: [{{name: slope, model: power-law, {fit}}}]\n"
    found = wire_problems(tmp_path, FIGURE, fits=fits)
    assert len(found) == bool(expected)
    assert not expected or expected in found[0]


def test_values_of_a_kind_may_come_with_other_points(tmp_path):
    """Sites of the longest of several chains are none of the first one."""
    text = (EXAMPLES / "nonreciprocity.yaml").read_text()
    for sites, problems in ((8, 0), (9, 1)):
        path = tmp_path / "wire.yaml"
        new = text.replace("sites: 8", "sites: $N").replace(
            "sel: {site: 3}", f"sel: {{site: {sites}, N: 8}}"
        )
        path.write_text(new.replace("axes:", "axes:\n  N: {outer: [6, 8]}"))
        study = load_study(path, figure_specs=SPEC)
        found = figure_problems(study, {study.name: layout_of(study)})
        assert len(found) == problems


TEXTS = [
    "",
    "3$",
    "a $ b",
    "$x$",
    "$x_{ab}^2$",
    r"$\mu = 2\pi$",
    r"$\mathrm{ab}$",
    "$I_g/3$ and $x$",
]
TEXTS += [
    "$x^{$",
    r"$\frac{1}$",
    "$_$",
    r"$\nothing$",
    "$x^a^b$",
    r"5\$ and $x$",
    "$$",
    "$é$",
    "${}$",
]
TEXTS += [
    r"$\frac{1}{2}$",
    r"$\hat{x}$",
    "$x'$",
    "$ $",
    "$x y$",
    r"$\gamma^2$",
    "$}$",
    "$a_b_c$",
    "$^2$",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_judged_as_matplotlib_does(text):
    from matplotlib.cbook import is_math_text
    from matplotlib.mathtext import MathTextParser

    from nessflow.figures.mathtext import fault_of

    drawn = True
    if is_math_text(text):
        try:
            MathTextParser("path").parse(text)
        except ValueError:
            drawn = False
    assert (fault_of(text) == "") == drawn


# Derived variables --------------------------------------------------------------------------------


def derived_problems(folder, formulas, figure=FIGURE, *edits):
    lines = "".join(f"  {name}: '{text}'\n" for name, text in formulas.items())
    try:
        return wire_problems(folder, figure, *edits, fits=f"derived:\n{lines}")
    except ConfigError as error:
        return [str(problem).removeprefix(f"{folder}/") for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("net_particle_noise / abs(net_particle_current)", None),
        ("d(net_particle_current, mu)", "display_unit: 1/h"),
        ("particle_current[left] + particle_current[terminal: right]", "display_unit: t/h"),
        ("exp(-mu / T) * net_particle_current[N: 2]", "display_unit: t/h"),
        ("2 * (mu + 0.5)", "display_unit: t"),
        ("sqrt(net_particle_noise) ** 2", "display_unit: t/h"),
        ("heat_current[left] / T + entropy_production", "display_unit: t/h"),
        ("log(uncertainty_ratio)", None),
    ],
)
def test_derived_variables_are_drawn_like_any(tmp_path, text, units):
    figure = FIGURE.replace("net_particle_current", "f") + (f", {units}" if units else "")
    assert derived_problems(tmp_path, {"f": text}, figure) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mu + net_particle_current", "t + t/hbar: the units differ, at 'mu + net_particle_"),
        ("exp(mu)", "exp takes a pure number, not t; divide by what has that unit, at 'exp(mu)'"),
        ("1 + log(mu / T) * cos(mu)", "at 'cos(mu)' (character 19)"),
        ("particle_current[lfet]", "no value 'lfet'; did you mean 'left'?"),
        ("particle_current[lead: left]", "no dimension 'lead'; it has mu, T, N, terminal"),
        ("particle_current[terminal: left, mu: 0.15]", "no value '0.15'"),
        ("d(net_particle_current, N)", "a derivative needs at least 3 values of N, which has 2"),
        ("d(particle_current, terminal)", "terminal has names, and a derivative is along numbers"),
        ("terminal * 2", "terminal has names, and no numbers, at 'terminal' (character 1)"),
        ("d(mu, T)", "mu does not depend on 'T'"),
        ("net_particle_current_mean", "no such variable or axis; did you mean 'net_particle"),
        ("particle_current[mu: inf]", "no value 'inf'"),
        ("1e400 * mu", "a number is too large"),
        ("(mu ** 1e308) ** 10", "its unit has a power that is too large"),
    ],
)
def test_formulas_that_do_not_fit_the_data(tmp_path, text, expected):
    (found,) = derived_problems(tmp_path, {"f": text})
    assert found.startswith(f"wire.yaml:13: derived.f = {text}: expected a formula that fits the")
    assert expected in found


def test_means_and_samples_do_not_mix(tmp_path):
    def found(text):
        return derived_problems(
            tmp_path, {"f": text}, "x: mu, y: f, hue: N, sel: {T: 0.3}", DISORDER, ENSEMBLE
        )

    assert found("net_particle_noise / net_particle_current") == []
    assert found("net_particle_noise_mean / net_particle_current_mean") == []
    (fault,) = found("net_particle_noise_mean / net_particle_current")
    assert "values of each sample, and means over them: take either" in fault


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("f", "net_particle_curent * 2", "data, not net_particle_curent; did you mean 'net_parti"),
        ("f", "g * 2", "g stands below: write it above f"),
        ("f", "net_particle_current *", "is not a formula"),
        ("net_particle_current", "mu", "expected another name; net_particle_current is taken"),
        ("sqrt", "mu", "sqrt is taken"),
        ("f_mean", "mu", "_mean is what data add to a name"),
        ("f-g", "mu", "a name of letters, digits and _"),
        ("f", "2 * f", "f is made of f"),
        ("lambda", "mu", "lambda is a word of Python"),
        ("message", "mu", "message is taken"),
        ("heat_current", "mu", "heat_current is taken"),
    ],
)
def test_faults_of_formulas_have_their_line(tmp_path, name, text, expected):
    (found,) = derived_problems(tmp_path, {name: text, "g": "mu"})
    assert f"wire.yaml:13: derived.{name}" in found
    assert expected in found


def test_formulas_in_a_circle_have_no_order(tmp_path):
    found = derived_problems(tmp_path, {"f": "g + mu", "g": "h", "h": "2 * f"})
    assert "g is made of f" in found[0]
    assert "h is made of g" in found[1]


def test_third_roots_have_a_unit(tmp_path):
    root = "net_particle_current ** (1 / 3)"
    assert derived_problems(tmp_path, {"f": root, "g": "f ** 3 - net_particle_current"}) == []
