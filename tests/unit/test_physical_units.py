"""Numbers in natural units shown as meV, K, nA: by hand, from the constants of CODATA 2018."""

import subprocess
import sys
from math import pi

import numpy as np
import pytest
import xarray as xr

import nessflow as nf
from nessflow.config.contents.layout import layout_of
from nessflow.config.project import ConfigError, load_project, load_study, units_of_project
from nessflow.config.study import template_json
from nessflow.figures.data import in_units
from nessflow.figures.labels import unit_text
from nessflow.figures.plots import draw
from nessflow.figures.specs import SPEC
from nessflow.report.numbers import plot_data
from nessflow.store.manifest import state_of
from nessflow.verbs.describe import EXAMPLES
from nessflow.verbs.figure_checks import figure_problems
from nessflow.verbs.point import evaluate_point, point_table
from nessflow.verbs.tables.physical import in_physical_units
from nessflow.verbs.workflow import figure_state, spec_hash
from nessflow.written.physical import NATURAL, Units
from nessflow.written.units import UnitError, powers_of

E, H, K_B = 1.602176634e-19, 6.62607015e-34, 1.380649e-23
"""Charge in C, Planck's constant in J s, Boltzmann's in J/K: exact since 2019."""
HBAR = H / (2 * pi)
MEV = 1e-3 * E
T = 2.5 * MEV
UNITS = Units("2.5 meV", "0.5 nm")


@pytest.mark.parametrize(
    ("natural", "long_name", "unit", "factor"),
    [
        ("t", "bias", "meV", 2.5),
        ("t", "temperature of the left lead", "K", T / K_B),
        ("t/hbar", "rate of the slowest decay", "1/ps", T / HBAR * 1e-12),
        ("t/hbar", "particle current from the lead", "nA", E * T / HBAR * 1e9),
        ("t/hbar", "numerical error of the particle current", "nA", E * T / HBAR * 1e9),
        ("t/hbar", "noise of the particle currents", "fA^2/Hz", E**2 * T / HBAR * 1e30),
        ("(t/hbar)^2", "mean square of the particle current", "(nA)^2", (E * T / HBAR * 1e9) ** 2),
        ("t^2/hbar", "energy current", "nW", T**2 / HBAR * 1e9),
        ("k_B*t/hbar", "entropy production", "pW/K", K_B * T / HBAR * 1e12),
        ("hbar/t", "time", "fs", HBAR / T * 1e15),
        ("e^2/hbar", "conductance", "e^2/h", 2 * pi),
        ("hbar/e^2", "resistance", "h/e^2", 1 / (2 * pi)),
        ("k_B/e", "Seebeck coefficient", "uV/K", K_B / E * 1e6),
        ("t/e", "Peltier coefficient", "mV", 2.5),
        ("k_B^2*t/e^2", "conductance ratio", "k_B^2*meV/e^2", 2.5),
        ("1/a", "density", "1/nm", 2),
        ("1/(t*a)", "density response", "1/(meV*nm)", 1 / (2.5 * 0.5)),
        ("hbar/(e*a^2)", "magnetic field", "T", HBAR / E / 0.25e-18),
        ("1", "transmission", "1", 1),
        ("rad", "flux", "rad", 1),
        ("(k_B/e)^2", "Lorenz ratio", "(k_B/e)^2", 1),
    ],
)
def test_what_a_natural_unit_is_shown_in(natural, long_name, unit, factor):
    shown = UNITS.shown(natural, long_name)
    assert shown.unit == unit
    assert shown.factor == pytest.approx(factor, rel=1e-13)


def test_numbers_that_stand_in_textbooks():
    """Of t = 2.5 meV; G0 = 2 e^2/h = 77.48091729 uS; the flux quantum h/e = 4135.667696 T nm^2."""
    assert UNITS.factor("t/hbar", "nA") == pytest.approx(608.53370, rel=1e-8)
    assert UNITS.factor("t", "K") == pytest.approx(29.011295, rel=1e-7)
    assert 2 * UNITS.factor("e^2/hbar", "uS") / (2 * pi) == pytest.approx(77.48091729, rel=1e-9)
    field = Units("1 eV", "1 nm").factor("hbar/(e*a^2)", "T")
    assert 2 * pi * field == pytest.approx(4135.667696, rel=1e-9)
    assert UNITS.factor("hbar/e^2", "ohm") * 2 * pi == pytest.approx(25812.80745, rel=1e-9)


@pytest.mark.parametrize(
    ("natural", "unit", "factor"),
    [
        ("t", "mV", 2.5),
        ("t", "J", T),
        ("t/hbar", "1/ns", T / HBAR * 1e-9),
        ("t/hbar", "A^2/Hz", E**2 * T / HBAR),
        ("t/hbar", "t/h", 2 * pi),
        ("t", "µV", 2500),
    ],
)
def test_units_that_somebody_asks_for(natural, unit, factor):
    assert UNITS.factor(natural, unit) == pytest.approx(factor, rel=1e-13)


@pytest.mark.parametrize(
    ("natural", "unit", "why"),
    [
        ("t", "GHz", "no unit of a quantity in t"),  # E/hbar or E/h?
        ("t/hbar", "meV", "no unit of a quantity"),
        ("t^2/hbar", "nA", "no unit of a quantity"),
        ("1", "nA", "no unit of a quantity"),
        ("t", "degC", "cannot be a unit"),
        ("t", "furlong_per", "is no unit"),
    ],
)
def test_units_that_are_not_those_of_the_quantity(natural, unit, why):
    with pytest.raises(UnitError, match=why):
        UNITS.factor(natural, unit)


def test_h_is_that_of_planck_and_no_hour():
    assert UNITS.factor("e^2/hbar", "e^2/h") == pytest.approx(2 * pi, rel=1e-14)
    assert {"h", "a", "t", "e"} < set(NATURAL)  # hour, year, tonne and charge of pint


def test_an_energy_may_be_told_as_a_temperature_and_a_length_need_not_be():
    assert Units("29 K").factor("t", "meV") == pytest.approx(29 * K_B / MEV, rel=1e-13)
    assert Units("1 eV").shown("1/a", "density") == (1, "1/a")
    assert Units("1 eV").shown("1/(t*a)", "density response") == (1, "1/(eV*a)")
    with pytest.raises(UnitError, match="how large a is"):
        Units("1 eV").factor("1/a", "1/nm")


def test_prefixes_follow_the_size():
    assert Units("1 eV").shown("t/hbar", "current").unit == "uA"
    assert Units("1 ueV").shown("t/hbar", "current").unit == "pA"
    assert Units("1 ueV").shown("t", "temperature").unit == "mK"


def test_units_in_labels_stand_upright():
    assert unit_text("uV/K") == r"$\mathrm{\mu V}/\mathrm{K}$"
    assert unit_text("fA^2/Hz") == r"$\mathrm{fA}^{2}/\mathrm{Hz}$"
    assert unit_text("e^2/h") == "$e^{2}/h$"
    assert unit_text("1/ps") == r"$1/\mathrm{ps}$"


# Studies


def study_file(folder, units, figures="[]"):
    (folder / "config" / "studies").mkdir(parents=True, exist_ok=True)
    text = (EXAMPLES / "steady-current.yaml").read_text().split("figures:")[0]
    path = folder / "config" / "studies" / "wire.yaml"
    path.write_text(f"{text}figures: {figures}\n{f'units: {units}' if units else ''}\n")
    return path


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ("{t: 2.5}", "units.t = 2.5: expected a number above 0 and its unit, such as 2.5 meV"),
        ("{t: 0 meV}", "units.t = 0 meV"),
        ("{t: -1 meV}", "units.t = -1 meV"),
        ("{t: 3 T}", "units.t = 3 T"),
        ("{t: 1e999 eV}", "units.t = 1e999 eV"),
        (
            "{t: 1 eV, a: 2 s}",
            "units.a = 2 s: expected a number above 0 and its unit, such as 0.5 nm",
        ),
        ("{a: 1 nm}", "units.t: expected a value (the energy t); it is missing"),
        ("{t: 1 eV, b: 1}", "units.b = 1: expected one of the keys a, t"),
        ("2", "units = 2: expected a mapping"),
    ],
)
def test_sizes_that_are_none(tmp_path, units, said):
    with pytest.raises(ConfigError) as caught:
        load_study(study_file(tmp_path, units))
    assert said in str(caught.value)
    study_file(tmp_path, "")
    (tmp_path / "config" / "config.yaml").write_text(f"units: {units}\n")
    for read in (units_of_project, load_project):
        with pytest.raises(ConfigError) as caught:
            read(tmp_path)
        assert said in str(caught.value)
        assert "config.yaml:1" in str(caught.value)


def test_a_study_has_the_units_of_its_project_unless_it_has_its_own(tmp_path):
    study_file(tmp_path, "")
    (tmp_path / "config" / "config.yaml").write_text("units: {t: 1 eV, a: 2 angstrom}\n")
    assert units_of_project(tmp_path) == Units("1 eV", "2 angstrom")
    assert load_project(tmp_path).studies["wire"].units == Units("1 eV", "2 angstrom")
    study_file(tmp_path, "{t: 3 meV}")
    assert load_project(tmp_path).studies["wire"].units == Units("3 meV")


def test_units_make_figures_old_and_no_data(tmp_path):
    figures = "[{name: one, plot: lines, x: bias, y: net_particle_current}]"
    found = []
    for units in ("", "{t: 1 eV}", "{t: 2 eV}"):
        text = study_file(tmp_path, units, figures).read_text()
        (tmp_path / "config" / "studies" / "wire.yaml").write_text(text)
        found.append(load_study(tmp_path / "config" / "studies" / "wire.yaml", figure_specs=SPEC))
    assert len({str(state_of(study)) for study in found}) == 1
    assert len({template_json(study) + study.digest for study in found}) == 1
    assert len({str(figure_state(study)) for study in found}) == 3
    assert len({spec_hash(study, study.figures[0]) for study in found}) == 3


def test_a_display_unit_needs_units_and_says_so(tmp_path):
    def problems(units, unit):
        drawn = "plot: lines, x: bias, y: net_energy_current, hue: gamma"
        figures = f"[{{name: one, {drawn}, display_unit: {unit}}}]"
        study = load_study(study_file(tmp_path, units, figures), figure_specs=SPEC)
        said = map(str, figure_problems(study, {study.name: layout_of(study)}))
        return [text for text in said if "display_unit" in text]

    (said,) = problems("", "pW")
    assert "write `units: {t: 2.5 meV}` for nA, mV, K" in said
    assert problems("{t: 2.5 meV}", "pW") == []
    assert problems("", "t^2/h") == problems("{t: 2.5 meV}", "t^2/h") == []
    (said,) = problems("{t: 2.5 meV}", "nA")
    assert "'nA' is no unit of a quantity in t^2/hbar" in said
    (said,) = problems("{t: 2.5 meV}", "nonsense")
    assert "'nonsense' is no unit" in said


def test_no_process_that_shows_nothing_imports_pint(tmp_path):
    """Not the jobs of a study with units either."""
    path = study_file(tmp_path, "{t: 2.5 meV}")
    code = (
        "import sys; from nessflow.verbs.workflow import read_project; import nessflow.library;"
        f"print(read_project({str(path.parents[2])!r}).studies['wire'].units)\n"
        "print('pint' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


# Data


def labelled(dims, values, units, long_name):
    attributes = {"units": "1", "natural_units": units, "long_name": long_name}
    return xr.Variable(dims, values, attributes)


def data():
    bias, temperature = np.array([0.0, 0.4, 0.8]), np.array([0.1, 0.2])
    current = bias[:, None] * (1 - temperature)
    dims = ("V", "T")
    text = "net particle current"
    return xr.Dataset(
        {
            "current": labelled(dims, current, "t/hbar", text),
            "current_error": labelled(
                dims, current / 10, "t/hbar", f"numerical error of the {text}"
            ),
            "status": labelled(dims, np.zeros((3, 2), np.int8), "1", "outcome of the point"),
        },
        {
            "V": labelled(("V",), bias, "t", "bias"),
            "T": labelled(("T",), temperature, "t", "temperature"),
        },
    )


def test_data_keep_their_meaning():
    natural, physical = data(), nf.physical(data(), t="2.5 meV")
    for name in ("current", "current_error", "V", "T"):
        attributes = physical[name].attrs
        factor = attributes["natural_factor"]
        np.testing.assert_allclose(physical[name], natural[name].values * factor, rtol=1e-15)
        assert attributes["natural_units"] == natural[name].attrs["natural_units"]
        assert natural[name].attrs["units"] == "1"
    assert [physical[name].attrs["units"] for name in ("current", "V", "T")] == ["nA", "meV", "K"]
    assert physical["current"].attrs["units"] == physical["current_error"].attrs["units"]
    assert physical["status"].identical(natural["status"].assign_coords(physical.coords))
    assert physical.attrs["natural_sizes"] == "t = 2.5 meV"
    assert float(physical["V"][1]) == 1.0
    with pytest.raises(ValueError, match="already"):
        nf.physical(physical, t="1 eV")
    with pytest.raises(ValueError, match="physical: t = 2: expected a number above 0 and its unit"):
        nf.physical(data(), t="2")


def test_what_a_fit_found_stays_a_relation_of_natural_numbers():
    fitted = data()
    fitted["law_prefactor"] = labelled((), 2.0, "t/hbar", "prefactor of the current")
    fitted["law_prefactor"].attrs["model"] = "current = prefactor * V^exponent"
    found = in_physical_units(fitted, UNITS)["law_prefactor"]
    assert found.identical(fitted["law_prefactor"])


def test_every_unit_of_every_kind_can_be_shown():
    from nessflow.config.study import variables_of
    from nessflow.registry import find_kind, kind_names

    for name in kind_names():
        for variable in variables_of(find_kind(name), {}).values():
            for units in (UNITS, Units("1 eV")):
                shown = units.shown(variable.natural_units, variable.long_name)
                powers_of(shown.unit)  # can be drawn
                assert shown.factor > 0
                assert not powers_of(shown.unit).keys() & {"t"}


def figure(spec, found):
    return draw(SPEC.validate_python(spec), {"wire": found}, "wire")


LINES = {"name": "one", "plot": "lines", "x": "V", "y": "current", "hue": "T"}


def test_figures_have_physical_axes_and_values_of_the_file_in_sel():
    (axes,) = figure(LINES, in_units(data(), UNITS)).axes
    assert axes.get_xlabel() == r"bias $V$ ($\mathrm{meV}$)"
    assert axes.get_ylabel().replace("\n", " ") == r"net particle current ($\mathrm{nA}$)"
    line = axes.get_lines()[0]
    np.testing.assert_allclose(line.get_xdata(), [0, 1, 2])
    np.testing.assert_allclose(line.get_ydata(), np.array([0, 0.36, 0.72]) * 608.5337014, rtol=1e-9)
    assert r"$T$ = 2.90113 $\mathrm{K}$" in [text.get_label() for text in axes.get_lines()]
    chosen = {"name": "one", "plot": "lines", "x": "V", "y": "current", "sel": {"T": 0.2}}
    (axes,) = figure(chosen | {"display_unit": "uA"}, in_units(data(), UNITS)).axes
    largest = max(axes.get_lines()[0].get_ydata())
    assert largest == pytest.approx(0.64 * 0.6085337014, rel=1e-9)
    assert axes.get_ylabel().endswith(r"($\mathrm{\mu A}$)")


def test_maps_and_lines_over_them_have_one_scale():
    found = data()
    found["edge"] = labelled(("V",), np.array([0.1, 0.15, 0.2]), "t", "temperature of the edge")
    layer = {"y": "edge", "label": "edge"}
    spec = {"name": "one", "plot": "map", "x": "V", "y": "T", "z": "current", "layers": [layer]}
    spec |= {"marks": [{"x": 1.0, "y": "edge", "label": "at"}]}
    axes, bar = figure(spec, in_units(found, UNITS)).axes
    over = next(line for line in axes.get_lines() if line.get_label() == "edge")
    np.testing.assert_allclose(over.get_xdata(), [0, 1, 2])
    np.testing.assert_allclose(over.get_ydata(), np.array([0.1, 0.15, 0.2]) * 29.0112953, rtol=1e-8)
    marks = next(line for line in axes.get_lines() if line.get_label() == "at")
    np.testing.assert_allclose(
        marks.get_ydata(), np.array([0.1, 0.15, 0.2]) * 29.0112953, rtol=1e-8
    )
    assert axes.get_ylim()[1] == pytest.approx(0.25 * 29.0112953, rel=1e-8)
    assert "nA" in bar.get_ylabel()


def test_named_cases_have_no_unit():
    found = data().isel(T=[0, 1]).drop_vars("T").rename(T="case")
    found["case"] = labelled(("case",), np.array(["first", "second"]), "", "monitored sites")
    shown = in_units(found, UNITS)
    (axes,) = figure(LINES | {"hue": "case"}, shown).axes
    assert [line.get_label() for line in axes.get_lines()] == ["first", "second"]
    (axes,) = figure(LINES | {"x": "case", "hue": "V"}, shown).axes
    assert axes.get_xlabel() == "monitored sites"
    np.testing.assert_array_equal(in_physical_units(found, UNITS)["case"], found["case"])


def test_the_page_tells_points_natural_values_of_physical_ones():
    found = plot_data(in_physical_units(data(), UNITS), ["V", "T"], 100)
    assert (found["dims"]["V"]["unit"], found["dims"]["V"]["values"]) == ("meV", [0, 1, 2])
    assert found["dims"]["V"]["natural"] == [0, 0.4, 0.8]
    assert found["variables"]["current"]["unit"] == "nA"
    assert "natural" not in plot_data(data(), ["V", "T"], 100)["dims"]["V"]


def test_figures_without_units_are_as_they_were():
    assert in_units(data(), None).identical(data())
    (axes,) = figure(LINES | {"display_unit": "t/h"}, data()).axes
    assert axes.get_ylabel().endswith("($t/h$)")
    assert max(axes.get_lines()[0].get_ydata()) == pytest.approx(0.72 * 2 * pi, rel=1e-14)


def test_the_table_of_a_point_is_in_physical_units_and_its_json_is_not(tmp_path):
    natural = load_study(study_file(tmp_path, ""), one_point=True)
    physical = load_study(study_file(tmp_path, ""), one_point=True, units=UNITS)
    result = evaluate_point(physical)
    assert result == evaluate_point(natural)
    told = result["observables"]["net_particle_current"]
    assert told["units"] == "t/hbar"
    table = point_table(result, physical)
    assert f"net_particle_current = {told['value'] * UNITS.factor('t/hbar', 'nA'):.15g}" in table
    _, axis, observables = table.split("\n", 2)
    assert axis == "  gamma = 0.0 t/hbar = 0 1/ps"
    assert "t/hbar" not in observables
    assert " t/hbar\n" in point_table(result, natural)


def test_the_table_of_a_point_names_its_case(tmp_path):
    path = study_file(tmp_path, "")
    cases = "axes:\n  end: {inner: {cases: {warm: {system.leads.left.temperature: 1}, as-is: {}}}}"
    path.write_text(path.read_text().replace("axes:", cases))
    for units in (None, UNITS):
        study = load_study(path, one_point=True, units=units)
        assert "  end = warm\n" in point_table(evaluate_point(study), study)


def test_the_table_of_the_library():
    wide = {"broadening": 0.5, "chemical_potential": 0.2, "temperature": 0.0}
    system = nf.System(
        lattice=nf.lattices.Chain(sites=1),
        leads={
            "left": nf.leads.WideBand(site=1, **wide),
            "right": nf.leads.WideBand(site=1, **wide | {"chemical_potential": -0.2}),
        },
    )
    found = nf.solve(system, "currents")
    text = nf.table(nf.physical(found, t="2.5 meV")[["net_particle_current"]])
    value = float(found["net_particle_current"]) * UNITS.factor("t/hbar", "nA")
    assert text == f"net_particle_current = {value:.12g} nA"
