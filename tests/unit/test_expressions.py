"""Formulas over axis names: arithmetic of finite real numbers, and nothing else."""

import cmath
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nessflow.written.expressions import (
    ExpressionError,
    constant,
    evaluated,
    expression,
    expressions_in,
)

NUMBERS = st.floats(-10, 10)


def value(text: str, **names: float) -> float:
    return expression(text).evaluate(names)


@given(NUMBERS, NUMBERS)
def test_bias_around_a_chemical_potential(mu, V):
    assert value("$(mu + 0.5*V)", mu=mu, V=V) == mu + 0.5 * V


@given(NUMBERS)
def test_functions_and_pi(x):
    text = "$(exp(x) + sin(x)*cos(x) - abs(x)/pi + sqrt(x**2) + log(2))"
    expected = (
        math.exp(x) + math.sin(x) * math.cos(x) - abs(x) / math.pi + math.sqrt(x**2) + math.log(2)
    )
    assert value(text, x=x) == expected


@pytest.mark.parametrize("text", ["$V", "$(V)", "$ V "])
def test_an_axis_alone(text):
    assert expression(text).is_name
    assert expression(text).names == {"V"}


def test_names_are_those_of_axes_only():
    assert expression("$(exp(a) * pi + b)").names == {"a", "b"}
    assert not expression("$(2*a)").is_name


@pytest.mark.parametrize(
    "text",
    [
        "$(1/x)",
        "$log(x)",
        "$sqrt(x - 1)",
        "$((x - 2)**0.5)",
        "$(10**(10**x + 400))",
        "$exp(1e3)",
        # What Python calculates on the way with complex numbers, infinities or not at all.
        "$(exp((x - 3)**0.5))",
        "$(abs((x - 3)**0.5))",
        "$(sin((x - 1)**(1/3)) + 1)",
        "$((x - 2)**0.5 * (x - 2)**0.5)",
        "$(0**(x - 1))",
        "$(1e308*10*cos(x) - 1e308*10)",
        "$((1e200 + x)**2)",
        "$cos(1e308*10 + x)",
        "$log(x - 1e-320)",
    ],
)
def test_no_finite_real_value(text):
    with pytest.raises(ExpressionError):
        value(text, x=0.0)


@pytest.mark.parametrize(
    "text",
    [
        "$",
        "$(",
        "$(a b)",
        "$a.real",
        "$a[0]",
        "$[a]",
        "$'a'",
        "$(a if b else c)",
        "$open(a)",
        "$__import__(a)",
        "$exp(a, b)",
        "$(lambda: a)",
        "$True",
        "$(a := 2)",
        "$a; b",
        "$" + "(" * 300 + "a" + ")" * 300,
        "$" + "+a" * 1000,
        "$" + "9" * 400,
    ],
)
def test_not_a_formula(text):
    with pytest.raises(ExpressionError):
        expression(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(0.5 * (a < 1))", 0.5),
        ("$(0.5 * (a > 1))", 0.0),
        ("$(a > 0 and not a >= 1 or a == 7)", 1.0),
        ("$(0 < a <= 0.5)", 1.0),
        ("$(7 % 2 + 0.5 * (a != 0.5))", 1.0),
    ],
)
def test_conditions_are_one_or_zero(text, expected):
    assert value(text, a=0.5) == expected


def test_what_is_not_finite_does_not_vanish_in_a_condition():
    with pytest.raises(ExpressionError):
        value("$(1e308 * 10 * a > 1)", a=1.0)


def test_complex_values():
    assert value("$exp(1j * a)", a=0.5) == cmath.exp(0.5j)
    assert value("$(1j ** 2)") == -1.0
    assert isinstance(value("$(1j * 1j)"), float)
    assert value("$(abs(3 + 4j))") == 5.0
    with pytest.raises(ExpressionError, match="not supported"):
        value("$(1j < 2)")


@given(NUMBERS, NUMBERS)
def test_names_without_a_value_stay_in_the_formula(a, x):
    text = "$(a ** 2 * x - -a * exp(-(a ** 2)) + (x - a) ** 2 % 3)"
    bound = expression(text).bound({"a": a})
    assert expression(bound, is_bound=True).names == {"x"}
    assert value(bound, x=x) == value(text, a=a, x=x)


def test_a_complex_value_is_written():
    assert expression("$(exp(1j * a))").bound({"a": 0.5}) == str(cmath.exp(0.5j)).strip("()")
    assert expression("$(exp(1j * a))").bound({"a": 0.0}) == 1.0


def test_formulas_without_names_are_constants():
    assert constant("2 * pi") == 2 * math.pi
    assert constant("sqrt(2)/2") == math.sqrt(2) / 2
    for text in (
        "a",
        "2 * a",
        "chain",
        "1 / 0",
        "left-right",
        "2026-01-01T",
        "",
        "1",
        "-1",
        "1_0",
        "0x1",
        "1j",
    ):
        assert constant(text) is None


@given(st.text(max_size=30))
def test_any_text_is_a_formula_or_refused(text):
    try:
        formula = expression("$" + text)
        assert cmath.isfinite(formula.evaluate(dict.fromkeys(formula.names, 0.5)))
    except ExpressionError:
        pass


def test_powers_do_not_grow_without_bound():
    with pytest.raises(ExpressionError):
        value("$(9**9**9**9)")


def test_nested_values():
    tree = {"a": ["$V", {"b": "$(2*V)"}], "c": "V", "d": 1}
    assert dict(expressions_in(tree)) == {("a", 0): "$V", ("a", 1, "b"): "$(2*V)"}
    assert evaluated(tree, {"V": 0.5}) == {"a": [0.5, {"b": 1.0}], "c": "V", "d": 1}
    assert tree["a"][0] == "$V"
