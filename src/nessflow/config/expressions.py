"""Expressions over axis names in the values of a study file: ``$V``, ``$(mu + 0.5*V)``."""

import ast
import functools
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from simpleeval import SimpleEval

FUNCTIONS = {f.__name__: f for f in (math.exp, math.log, math.sqrt, math.sin, math.cos, abs)}
CONSTANTS = {"pi": math.pi}


def _power(base: float, exponent: float) -> float:
    """Return a real power; Python would give a complex number, or refuse without a reason."""
    value = base**exponent
    if isinstance(value, complex):
        raise ValueError(f"{base:g} ** {exponent:g} is not a real number")
    return value


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_NODES = (ast.Expr, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant)
_LONGEST = 500


class ExpressionError(ValueError):
    """An expression that cannot be read, or has no finite real value."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression: the axis names in it, and its value for given ones."""

    text: str
    names: frozenset[str]
    is_name: bool
    """Whether the expression is one axis name and nothing else."""
    evaluate: Callable[[Mapping[str, float]], float]


def is_expression(value: object) -> bool:
    """Tell whether a value of a study file is an expression."""
    return isinstance(value, str) and value.startswith("$")


@functools.lru_cache(maxsize=65536)
def expression(text: str) -> Expression:
    """Parse an expression once.

    Raises
    ------
    ExpressionError
        When ``text`` is not arithmetic of numbers, names, ``FUNCTIONS`` and ``CONSTANTS``.
    """
    tree = _parsed(text)
    for node in ast.walk(tree):
        _check(node)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    is_name = isinstance(tree.value, ast.Name)

    def evaluate(values: Mapping[str, float]) -> float:
        if is_name and text[1:] in values:
            return values[text[1:]]
        # A fresh evaluator each time: it keeps the names, and threads must not share them.
        calculator = SimpleEval(_OPERATORS, FUNCTIONS, {**CONSTANTS, **values})
        try:
            value = calculator.eval(text, previously_parsed=tree)
        except RecursionError:
            raise ExpressionError(f"{text} is nested too deeply") from None
        except (ArithmeticError, ValueError) as error:
            reason = str(error.args[-1]) if error.args else type(error).__name__
            raise ExpressionError(f"{text} has no value: {reason}") from None
        if not math.isfinite(value):
            raise ExpressionError(f"{text} is {value}")
        return value

    return Expression(text, frozenset(names - CONSTANTS.keys()), is_name, evaluate)


def expressions_in(value: object, path: tuple = ()) -> Iterator[tuple[tuple, str]]:
    """Yield the path and text of every expression inside nested mappings and lists."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from expressions_in(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from expressions_in(item, (*path, index))
    elif is_expression(value):
        yield path, value


def names_in(text: str) -> frozenset[str]:
    """Return the axis names in an expression; none when it cannot be read."""
    try:
        return expression(text).names
    except ExpressionError:
        return frozenset()


def evaluated(value: object, names: Mapping[str, float]) -> object:
    """Return a copy of nested mappings and lists with every expression replaced by its value."""
    values = {text: expression(text).evaluate(names) for _, text in expressions_in(value)}
    return replaced(value, values)


def replaced(value: object, values: Mapping[str, float]) -> object:
    """Return a copy of nested mappings and lists with every expression replaced as told."""
    if isinstance(value, dict):
        return {key: replaced(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, values) for item in value]
    return values[value] if is_expression(value) else value


def _parsed(text: str) -> ast.Expr:
    if len(text) > _LONGEST:
        raise ExpressionError(f"an expression is at most {_LONGEST} characters long")
    try:
        tree = ast.parse(text.removeprefix("$").strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ExpressionError(f"{text} is not a formula") from None
    return ast.Expr(tree.body)


def _check(node: ast.AST) -> None:
    if isinstance(node, ast.Constant):
        # Floats throughout: powers of integers would grow without bound.
        if type(node.value) not in (int, float):
            raise ExpressionError(f"{node.value!r} is not a number")
        try:
            node.value = float(node.value)
        except OverflowError:
            raise ExpressionError("a number is too large") from None
    elif isinstance(node, ast.Call):
        plain = isinstance(node.func, ast.Name) and len(node.args) == 1 and not node.keywords
        if not plain or node.func.id not in FUNCTIONS:
            name = ast.unparse(node.func)
            raise ExpressionError(f"{name} is not one of the functions {', '.join(FUNCTIONS)}")
    elif not isinstance(node, _NODES) and type(node) not in _OPERATORS:
        raise ExpressionError(
            f"only numbers, axis names, + - * / **, {', '.join(FUNCTIONS)} and pi are allowed"
        )
