"""Variables that follow from others: formulas, units, errors, derivatives, means over samples."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nessflow
from fake_study import SITES, gather, kind_of, numbers, solve, study_of
from nessflow.config.contents.layout import layout_of
from nessflow.config.grid import Ensemble
from nessflow.config.project import ConfigError, load_study
from nessflow.figures.specs import SPEC
from nessflow.outcome import Outcome, Status
from nessflow.run.derived.derivative import applied, stencils, truncation
from nessflow.run.derived.gathered import with_derived
from nessflow.run.gather import gather_study
from nessflow.run.provenance import provenance, record_of
from nessflow.run.solve import solve_block
from nessflow.store.layout import described
from nessflow.studies.kind import Variable
from nessflow.verbs.figure_checks import figure_problems
from nessflow.verbs.point import evaluate_point, first_point, point_table, with_derived_of
from nessflow.written.expressions import ExpressionError
from nessflow.written.formulas import formula, of_means, read_formulas
from nessflow.written.units import powers_of, unit_of

# Formulas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names", "dims"),
    [
        ("noise / abs(current)", {"noise", "current"}, set()),
        ("d(current, bias) / pi", {"current"}, {"bias"}),
        ("$(current[left-up] + 1)", {"current"}, set()),
        ("current[lead: left, energy: 0.3] ** 2", {"current"}, set()),
        ("d(d(current, bias), mu)", {"current"}, {"bias", "mu"}),
        ("-(a - b) ** -0.5", {"a", "b"}, set()),
    ],
)
def test_formulas_that_can_be_read(text, names, dims):
    found = formula(text)
    assert (found.names, found.dims) == (names, dims)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", "is not a formula"),
        ("a ^ 2", "a power is written **"),
        ("sqr(a)", "did you mean 'sqrt'?"),
        ("a % 2", "have a value with an error"),
        ("a < 2", "have a value with an error"),
        ("1j * a", "have a value with an error"),
        ("2 * d(a)", "takes a formula and the name of an axis, at character 5"),
        ("d(a, b + c)", "takes a formula and the name of an axis"),
        ("a + (b + c)[left]", "stands behind the name of a variable, at character 5"),
        ("a[lead: ]", "expected [dimension: value]"),
        ("a.b", "only numbers, names"),
        ("a[x][y]", "stands behind the name"),
        ("__import__('os')", "is not one of the functions"),
        ("-" * 400 + "a", "nested too deeply"),
        ("a" * 501, "at most 500 characters"),
    ],
)
def test_formulas_that_cannot_be_read(text, expected):
    with pytest.raises(ExpressionError) as error:
        formula(text)
    assert expected in str(error.value)


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_no_text_is_more_than_a_fault(text):
    with contextlib.suppress(ExpressionError):
        formula(text)


def test_of_means_is_what_names_one_and_what_needs_that():
    derived = {"f": "a / b_mean", "g": "f * 2", "h": "a / b", "k": "a / n_samples"}
    assert of_means(read_formulas(derived)) == ["f", "g", "k"]


@pytest.mark.parametrize("unit", ["1", "t", "t/hbar", "1/hbar", "k_B*t/hbar", "(t/hbar)^2", "1/a"])
def test_units_have_one_text(unit):
    powers = powers_of(unit)
    assert powers_of(unit_of(powers)) == powers


# Numbers ------------------------------------------------------------------------------------------


def data_of(status=None, dims=("V",), **variables):
    """Return a dataset of points along V; a variable is a value and an error, or values alone."""
    size = np.size(next(iter(variables.values()))[0])
    x = np.arange(1.0, size + 1)
    coords = {"V": described(("V",), x, "t", "V")}
    found = {}
    for name, (value, error) in variables.items():
        found[name] = described(dims, np.atleast_1d(value).astype(float), "t/hbar", name)
        if error is not None:
            off = np.broadcast_to(np.atleast_1d(error), (size,)).astype(float)
            found[f"{name}_error"] = described(dims, off, "t/hbar", name)
    status = np.zeros(size, np.int8) if status is None else np.asarray(status, np.int8)
    found["status"] = described(dims, status, "1", "status")
    return xr.Dataset(found, coords)


def derived(data, text, **options):
    found = with_derived(data, {"f": formula(text)}, **options)
    return found["f"], found["f_error"]


NUMBERS = st.floats(-50, 50, allow_subnormal=False)
ERRORS = st.floats(0, 0.9, allow_subnormal=False)
"""In units of the number, so that few numbers are zero within their error."""
INSIDE = st.floats(-1, 1, allow_subnormal=False)
SHAPES = [
    ("a / abs(b)", lambda a, b: a / abs(b)),
    ("(a - b) / (a + b)", lambda a, b: (a - b) / (a + b)),
    ("a ** 3 - b ** 2 * a", lambda a, b: a**3 - b**2 * a),
    ("a ** -2 * b", lambda a, b: a**-2 * b),
    ("sqrt(a ** 2 + b ** 2)", lambda a, b: np.sqrt(a**2 + b**2)),
    ("exp(-(a / b) ** 2)", lambda a, b: np.exp(-((a / b) ** 2))),
    ("log(abs(a / b))", lambda a, b: np.log(abs(a / b))),
    (
        "sin(a / b) + cos(b / a) * tanh(a / b)",
        lambda a, b: np.sin(a / b) + np.cos(b / a) * np.tanh(a / b),
    ),
    ("tan(a / b)", lambda a, b: np.tan(a / b)),
    ("abs(a / b) ** 1.5", lambda a, b: abs(a / b) ** 1.5),
    ("abs(a / b) ** (b / a)", lambda a, b: abs(a / b) ** (b / a)),
    ("abs(a / b) ** -0.5", lambda a, b: abs(a / b) ** -0.5),
    ("pi * 2 / a", lambda a, b: np.pi * 2 / a),
]


@pytest.mark.parametrize(("text", "function"), SHAPES)
@given(a=NUMBERS, b=NUMBERS, ea=ERRORS, eb=ERRORS, ta=INSIDE, tb=INSIDE)
@settings(max_examples=60, deadline=None)
def test_true_operands_give_a_value_within_the_error(text, function, a, b, ea, eb, ta, tb):
    ea, eb = abs(a) * ea, abs(b) * eb
    value, error = derived(data_of(a=(a, ea), b=(b, eb)), text)
    value, error = float(value[0]), float(error[0])
    assume(np.isfinite(value))
    assume(np.isfinite(error))
    with np.errstate(all="ignore"):
        longer = np.longdouble
        true = function(longer(a) + longer(ta) * longer(ea), longer(b) + longer(tb) * longer(eb))
    assert abs(true - value) <= error * (1 + 1e-15)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a / b", "b is zero within its error"),
        ("a / (b - b)", "b - b is zero within its error"),
        ("b ** -1", "b is zero within its error"),
        ("log(b / 1e-3 / V)", ""),
        ("sqrt(-a)", "-a is below 0, outside the domain of a root"),
        ("log(-a / b[V: 2])", "-a / b[V: 2] is below 0, outside the domain of log"),
        ("log(b / a)", "b / a is zero within its error"),
        ("tan(a / a[V: 2] * pi / 2)", "a pole of tan is within the error of"),
        ("exp(a / b[V: 2] * 1e300)", "too large for double precision"),
    ],
)
def test_what_has_no_value_says_why(text, reason):
    data = data_of(a=([1.0, 1.0], 1e-3), b=([1e-4, 1.0], 1e-3))
    if not reason:
        # Natural units are those of the data: a logarithm of t/hbar over t has none.
        with pytest.raises(ExpressionError, match="takes a pure number, not 1/hbar"):
            derived(data, text)
        return
    value, error = derived(data, text)
    assert np.isnan(value[0])
    assert np.isnan(error[0])
    assert reason in value.attrs["undefined"]


def test_an_undefined_operand_hands_on_its_reason():
    data = data_of(a=([np.nan, 1.0], 0.1), b=([1.0, 1.0], 0.0))
    data["a"].attrs["undefined"] = "infinite for pure loss"
    value, _ = derived(data, "a / b")
    assert value.attrs["undefined"] == "infinite for pure loss"
    assert np.isnan(value[0])
    assert value[1] == 1


def test_an_operand_without_an_error_leaves_none():
    value, error = derived(data_of(a=([1.0, 2.0], None), b=([1.0, 1.0], 0.0)), "a / b")
    assert value.values.tolist() == [1, 2]
    assert np.isnan(error.values).all()
    assert error.attrs["undefined"] == "the error of a is not known"
    assert "undefined" not in value.attrs


def test_points_that_are_not_ok_have_no_value_and_enter_no_derivative():
    v = np.arange(1.0, 8.0)
    bent = np.where(v == 4, 1e3, v**2)
    value, _ = derived(data_of(a=(bent, 0.0), status=np.where(v == 4, 4, 0)), "d(a, V)")
    good = v != 4
    np.testing.assert_allclose(value.values[good], 2 * v[good], rtol=1e-12)
    assert np.isnan(value.values[~good]).all()


def test_an_axis_and_numbers_are_exact():
    value, error = derived(data_of(a=([3.0, 5.0], 0.5)), "a / (2 * V)")
    np.testing.assert_allclose(value, [1.5, 1.25], rtol=1e-15)
    np.testing.assert_allclose(error, [0.25, 0.125], rtol=1e-12)
    assert value.attrs["natural_units"] == "1/hbar"
    assert value.attrs["formula"] == "a / (2 * V)"


# Derivatives --------------------------------------------------------------------------------------


@st.composite
def places(draw, least=3):
    steps = draw(st.lists(st.floats(0.05, 1.0), min_size=least - 1, max_size=12))
    return np.cumsum([draw(st.floats(-2, 2)), *steps])


@given(places(), st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.randoms())
@settings(max_examples=100, deadline=None)
def test_parabolas_have_their_derivative(x, coefficients, random):
    order = list(range(len(x)))
    random.shuffle(order)
    a, b, c = coefficients
    found = applied(stencils(x)[0], a + b * x + c * x**2)
    assert np.all(abs(found - (b + 2 * c * x)) <= truncation(x, a + b * x + c * x**2) + 1e-13)
    np.testing.assert_allclose(found, b + 2 * c * x, atol=1e-10)


@given(
    places(least=5),
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1), st.floats(-3, 3)), max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_waves_that_the_grid_resolves_have_a_derivative_within_the_error(x, waves):
    # At least 12 of the largest steps for a wave.
    scale = 2 * np.pi / 12 / np.diff(x).max()
    f = sum((a * np.sin(scale * k * x + p) for a, k, p in waves), np.zeros_like(x))
    slope = sum((a * scale * k * np.cos(scale * k * x + p) for a, k, p in waves), np.zeros_like(x))
    off = abs(applied(stencils(x)[0], f) - slope)
    assert np.all(off <= truncation(x, f) * (1 + 1e-9) + 1e-13)


@pytest.mark.parametrize("size", [3, 4, 5, 6, 40])
def test_the_error_falls_with_the_distance(size):
    errors = []
    for points in (size, 2 * size - 1):
        x = np.linspace(0, 1, points)
        found, error = applied(stencils(x)[0], np.exp(x)), truncation(x, np.exp(x))
        assert np.all(abs(found - np.exp(x)) <= error)
        errors.append(error.max())
    assert errors[1] < 0.7 * errors[0]


def test_values_in_any_order_and_their_errors():
    v = np.array([0.9, 0.1, 0.4, 0.25, 0.7, 0.55])
    data = data_of(a=(np.sin(v), 1e-9)).assign_coords(V=("V", v, {"natural_units": "t"}))
    value, error = derived(data, "d(a, V)")
    assert np.all(abs(value - np.cos(v)) <= error)
    assert value.attrs["natural_units"] == "1/hbar"
    # What the operands are off is in it: five values of one sign each.
    more = derived(data.assign(a_error=data["a_error"] * 1e8), "d(a, V)")[1]
    weights = abs(stencils(np.sort(v))[0][1]).sum(axis=1)[np.argsort(np.argsort(v))]
    np.testing.assert_allclose(more - error, 0.1 * weights, rtol=1e-6)


def test_three_values_are_needed():
    data = data_of(a=([1.0, 2.0], 0.0))
    with pytest.raises(ExpressionError, match="at least 3 values of V, which has 2"):
        derived(data, "d(a, V)")
    value, _ = derived(data_of(a=([1.0, 2.0, 3.0], 0.0), status=[0, 0, 1]), "d(a, V)")
    assert np.isnan(value).all()
    assert value.attrs["undefined"] == "fewer than three values of a are defined along V"


# Samples ------------------------------------------------------------------------------------------

KIND = kind_of()
KIND.VARIABLES |= {
    "net_current_error": Variable((), "t/hbar", "error"),
    "noise": Variable((), "t/hbar", "noise"),
    "noise_error": Variable((), "t/hbar", "error"),
}


def point(parameters, rng) -> Outcome:
    x, y = (0.0, 0.0) if rng is None else rng.standard_normal(2)
    net = np.sin(parameters.V) * (1 + 0.1 * x)
    values = {
        "current": np.array([net, -net]),
        "current_error": np.full(2, 1e-12),
        "net_current": net,
        "net_current_error": 1e-12,
        "noise": net * (1 + 0.05 * y),
        "noise_error": 1e-12,
        "affinity": np.nan,
    }
    return Outcome(values, notes={"affinity": "infinite for pure loss"})


AXES = (numbers("V", [0.5, 0.1, 0.2, 0.3, 0.4, 0.6]), SITES)


def gathered(folder, formulas, evaluate=point, ensemble=Ensemble(40, 20, 1), **changes):  # noqa: B008
    study = study_of(AXES, ensemble, derived=formulas, **changes)
    kind = replace_evaluate(evaluate)
    study = replace(study, kind=kind)
    solve(study, folder, kind=kind)
    return gather(study, folder), study


def replace_evaluate(evaluate):
    return type(KIND)(**{**vars(KIND), "evaluate": evaluate})


def test_samples_are_derived_before_the_mean(tmp_path):
    formulas = {"fano": "noise / abs(net_current)", "slope": "d(current[left], V)"}
    data, _ = gathered(tmp_path, formulas)
    ratio = data["noise"] / abs(data["net_current"])
    np.testing.assert_allclose(data["fano"], ratio, rtol=1e-14)
    assert data["fano"].dims == ("V", "monitored", "sample")
    np.testing.assert_allclose(data["fano_mean"], ratio.mean("sample"), rtol=1e-13)
    np.testing.assert_allclose(
        data["fano_sem"], ratio.std("sample", ddof=1) / np.sqrt(40), rtol=1e-8
    )
    assert data["slope"].attrs["natural_units"] == "1/hbar"
    # The error of a finite difference goes the same way in all samples.
    scatter = data["slope"].std("sample", ddof=1) / np.sqrt(40)
    total = scatter + data["slope_error"].mean("sample")
    np.testing.assert_allclose(data["slope_sem"], total, rtol=1e-12)


def test_ratios_of_means_know_that_samples_are_shared(tmp_path):
    formulas = {
        "one": "net_current_mean / net_current_mean",
        "fano": "noise_mean / net_current_mean",
        "slope": "d(noise_mean, V)",
        "squares": "net_current_mean_square / net_current_mean ** 2",
        "log_slope": "d(net_current_mean, V) * V / net_current_mean",
    }
    data, _ = gathered(tmp_path, formulas)
    assert data["fano"].dims == ("V", "monitored")
    # Equal up to rounding, whatever the scatter of both.
    assert np.all(data["one_error"] < 1e-10)
    x, y = data["net_current"], data["noise"]
    mx, my = x.mean("sample"), y.mean("sample")
    parts = (y - my) / mx - my / mx**2 * (x - mx)
    expected = np.sqrt((parts**2).sum("sample") / 40 / 39)
    np.testing.assert_allclose(data["fano_error"], expected, rtol=1e-8)
    # All points are one draw, so that the slope is off as the values are, and not as differences.
    assert np.all(data["log_slope_error"] < 0.2 * abs(data["log_slope"]))
    assert np.all(data["squares_error"] > 0)
    assert "fano_mean" not in data


def test_standard_errors_of_ratios_of_means_are_those_of_many_runs():
    rng = np.random.default_rng(3)
    found, errors = [], []
    for _ in range(300):
        x = 2 + 0.3 * rng.standard_normal(60)
        y = 1 + x**2 * 0.5 + 0.1 * rng.standard_normal(60)
        dims = ("V", "sample")
        data = xr.Dataset(
            {
                "x": described(dims, x[None], "t", "x"),
                "y": described(dims, y[None], "t", "y"),
                "x_mean": described(("V",), [x.mean()], "t", "x"),
                "y_mean": described(("V",), [y.mean()], "t", "y"),
                "status": described(dims, np.zeros((1, 60), np.int8), "1", "status"),
            },
            {"V": described(("V",), [1.0], "t", "V")},
        )
        value, error = derived(data, "log(y_mean / x_mean)", of_means=True)
        found.append(float(value[0]))
        errors.append(float(error[0]))
    assert np.std(found) == pytest.approx(np.mean(errors), rel=0.1)


def test_failed_samples_enter_no_derived_mean(tmp_path):
    def failing(parameters, rng):
        outcome = point(parameters, rng)
        status = Status.EXCEPTION if outcome.values["net_current"] > 0.4 else Status.OK
        return replace(outcome, status=status)

    data, _ = gathered(tmp_path, {"f": "noise / net_current"}, failing)
    bad = data["status"].values != 0
    assert bad.any()
    assert np.isnan(data["f"].values[bad]).all()
    assert np.isfinite(data["f"].values[~bad]).all()


def test_a_change_of_a_formula_makes_no_block_old(tmp_path):
    first, study = gathered(tmp_path, {"f": "noise / net_current"})
    blocks = {path: path.read_bytes() for path in tmp_path.rglob("blocks/**/*.nc")}
    study = replace(study, derived={"f": "2 * noise / net_current", "g": "f + V / V"})
    again = gather(study, tmp_path)
    np.testing.assert_allclose(again["f"], 2 * first["f"], rtol=1e-14)
    np.testing.assert_allclose(again["g"], again["f"] + 1, rtol=1e-14)
    assert blocks == {path: path.read_bytes() for path in tmp_path.rglob("blocks/**/*.nc")}
    assert again.attrs["derived"] != first.attrs["derived"]


def test_without_an_ensemble_there_are_only_the_values(tmp_path):
    data, _ = gathered(tmp_path, {"f": "affinity * 2", "g": "d(net_current, V)"}, ensemble=None)
    assert data["f"].attrs["undefined"] == "infinite for pure loss"
    assert "f_mean" not in data
    v = data["V"].values
    assert np.all(abs(data["g"] - np.cos(v)[:, None]) <= data["g_error"])


def test_a_study_without_formulas_is_as_it_was(tmp_path):
    data, _ = gathered(tmp_path, {})
    assert "derived" not in data.attrs
    assert not [name for name in data.variables if "formula" in data[name].attrs]


# A study of a user --------------------------------------------------------------------------------

LEVEL = """\
title: A resonant level
study: steady-current
system:
  lattice: {kind: chain, sites: 1, onsite: 0.2}
  leads:
    left:  {kind: wide-band, broadening: 0.4, chemical_potential: $(bias / 2), temperature: 0.1}
    right: {kind: wide-band, broadening: 0.1, chemical_potential: $(-bias / 2), temperature: 0.1}
axes:
  bias: {inner: {linspace: [-1, 1, 21]}, natural_units: t, long_name: bias}
derived:
  fano: net_particle_noise / abs(net_particle_current)
  didv: d(net_particle_current, bias)
  at_one: fano / fano[bias:1]
  both: "particle_current[left] + particle_current[terminal: right]"
"""


def level(folder, **options):
    path = folder / "level.yaml"
    path.write_text(LEVEL)
    return load_study(path, **options)


def test_a_resonant_level(tmp_path):
    study = level(tmp_path)
    for block in study.blocks:
        solve_block(block, tmp_path)
    data = gather_study(study, tmp_path)
    bias = data["bias"].values
    # Detailed balance between jumps: S = J coth(bias / 2 T) in the limit of weak coupling; here at
    # bias 0 noise is 2 T times the conductance (Johnson and Nyquist).
    at = np.flatnonzero(bias == 0)
    np.testing.assert_allclose(data["net_particle_noise"][at], 0.2 * data["didv"][at], rtol=1e-4)
    off = abs(data["net_particle_noise"][at] - 0.2 * data["didv"][at])
    assert np.all(off <= 0.2 * data["didv_error"][at] + data["net_particle_noise_error"][at])
    # The slope of the Landauer current: transmissions at both ends, blurred by the temperature.
    energy, step = np.linspace(-12, 12, 200_001, retstep=True)
    transmission = 0.4 * 0.1 / ((energy - 0.2) ** 2 + 0.25**2)
    for i in range(bias.size):
        tails = [0.25 / 0.1 / np.cosh((energy - s * bias[i] / 2) / 0.2) ** 2 for s in (1, -1)]
        slope = np.sum(transmission * sum(tails) / 2) * step / 2 / np.pi
        assert abs(data["didv"].values[i] - slope) <= data["didv_error"].values[i] + 1e-9
    assert np.isnan(data["fano"].values[at]).all()
    assert data["fano"].attrs["undefined"] == "abs(net_particle_current) is zero within its error"
    assert np.all(abs(data["both"]) <= data["both_error"])
    assert float(data["at_one"][-1]) == 1


def read_point(path, *overrides, sample=0):
    study = load_study(path, overrides=overrides, one_point=True)
    return study, first_point(study, sample)[0]


def test_a_point_has_what_needs_no_other(tmp_path):
    found = evaluate_point(level(tmp_path, overrides=["bias=0.5"], one_point=True))["observables"]
    assert "didv" not in found
    assert "at_one" not in found
    current, noise = found["net_particle_current"], found["net_particle_noise"]
    assert found["fano"]["value"] == pytest.approx(noise["value"] / current["value"], rel=1e-14)
    assert 0 < found["fano"]["error"] < 1e-9
    assert found["fano"]["units"] == "1"
    assert found["both"]["units"] == "t/hbar"


def test_the_record_has_the_formulas(tmp_path):
    study = level(tmp_path)
    assert record_of(provenance(study))["derived"][1] == ["didv", "d(net_particle_current, bias)"]


WIRES = """\
title: Wires of two lengths
study: steady-current
system:
  lattice: {kind: chain, sites: $N}
  leads:
    left:  {kind: wide-band, broadening: 1, chemical_potential: $mu, temperature: 0.2}
    right: {kind: wide-band, broadening: 1, chemical_potential: -0.5, temperature: 0.2}
observables: [density, currents]
axes:
  mu: {inner: [0.1, 0.2]}
  N: {outer: [2, 4]}
  right: {inner: {cases: {cold: {}, warm: {system.leads.right.temperature: 0.4}}}}
derived:
  last: "occupation[site: 4] - occupation[site: 1]"
  slope: d(occupation, site)
  gain: net_particle_current / net_particle_current[cold]
"""


def test_what_differs_between_points_is_chosen_by_its_value(tmp_path):
    path = tmp_path / "wires.yaml"
    path.write_text(WIRES)
    study = load_study(path, figure_specs=SPEC)
    assert figure_problems(study, {study.name: layout_of(study)}) == []
    for block in study.blocks:
        solve_block(block, tmp_path)
    data = gather_study(study, tmp_path)
    filled = data["occupation"].sel(N=4)
    np.testing.assert_allclose(data["last"].sel(N=4), filled[..., 3] - filled[..., 0], rtol=1e-12)
    assert np.isnan(data["last"].sel(N=2)).all()
    assert data["last"].attrs["undefined"] == "the point has no such site"
    assert np.isfinite(data["slope"].sel(N=4)).all()
    assert "fewer than three values of occupation" in data["slope"].attrs["undefined"]
    assert np.all(data["gain"].sel(right="cold") == 1)
    ratio = data["net_particle_current"] / data["net_particle_current"].sel(right="cold")
    np.testing.assert_allclose(data["gain"], ratio.drop_vars("right"), rtol=1e-12)


def test_what_only_single_points_have_is_refused_before_any_is_computed(tmp_path):
    """Sites of lattices of two sizes are counted alike, and stand elsewhere."""
    path = tmp_path / "wires.yaml"
    square = "{kind: square, shape: {kind: rectangle, length: $N, width: $N}}"
    text = WIRES.replace("{kind: chain, sites: $N}", square)
    path.write_text(text + "  far: occupation * x\n")
    with pytest.raises(ConfigError) as error:
        load_study(path)
    (fault,) = map(str, error.value.problems)
    assert "derived.far = occupation * x" in fault
    assert "x of a site is not the same at all points" in fault
    point, _ = with_derived_of(*read_point(path, "N=2"))
    np.testing.assert_array_equal(point["far"], point["occupation"] * point["x"])


DRAWS = WIRES.replace("  leads:", "  disorder: {kind: uniform, half_width: 1}\n  leads:")
DRAWS = DRAWS.replace("axes:", "ensemble: {samples: 3, per_block: 3, seed: 7}\naxes:")
DRAWS += """\
  odd: exp(-net_particle_current / particle_current[left]) * abs(net_particle_current) ** 0.7
  scaled: sqrt(odd) / mu
  mean: net_particle_current_mean
"""


def test_a_point_of_the_library_has_the_bits_of_the_study(tmp_path):
    (tmp_path / "config/studies").mkdir(parents=True)
    path = tmp_path / "config/studies/draws.yaml"
    path.write_text(DRAWS)
    study = load_study(path)
    for block in study.blocks:
        solve_block(block, tmp_path)
    data = gather_study(study, tmp_path)
    for length, sample in ((2, 1), (4, 2)):
        point = nessflow.study("draws", tmp_path).point(sample=sample, N=length, mu=0.2)
        # Two sites have no slope and no fourth one.
        own = {"odd", "scaled"} | ({"slope", "last"} if length == 4 else set())
        assert own == point.keys() & study.derived.keys()
        stored = data.sel(N=length, mu=0.2, right="cold", sample=sample)
        for name in [x for each in own for x in (each, f"{each}_error")]:
            here = (
                stored[name].sel(site=point["site"])
                if "site" in stored[name].dims
                else stored[name]
            )
            np.testing.assert_array_equal(here.values, point[name].values)
            assert np.isfinite(point[name]).all() or (name[:5], length) == ("slope", 2)
            assert point[name].attrs["formula"] == data[name].attrs["formula"]


def test_a_point_says_which_formulas_it_does_not_have(tmp_path):
    path = tmp_path / "draws.yaml"
    path.write_text(DRAWS)
    study = load_study(path, overrides=["N=2"], one_point=True)
    result = evaluate_point(study)
    assert result["left_out"].keys() == study.derived.keys() - result["observables"].keys()
    assert {"mean", "slope"} <= result["left_out"].keys()
    table = point_table(result, study)
    for name, why in result["left_out"].items():
        assert why
        assert f"  {name} is not of one point: {why}" in table
