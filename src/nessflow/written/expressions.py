"""Formulas in the values of a study file: of axes, ``$(mu + 0.5*V)``, and of sites, ``$(V*x)``."""

import ast
import cmath
import copy
import functools
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nessflow.errors import nearest

CONSTANTS = {"pi": math.pi}
PLACE_NAMES = ("site", "x", "y", "z", "orbital")
"""What differs from site to site: its number, its position and the number of an orbital on it."""
BESIDE = {
    "site": ("site_number", "orbital", "x", "y", "z"),
    "spin_site": ("spin_site_x", "spin_site_y", "spin_site_z"),
    "bond": ("bond_site", "bond_site_2"),
    "spin_bond": ("spin_bond_site", "spin_bond_site_2"),
}
"""Names that may stand beside the dimensions of a system, for figures to read."""


def _function(name: str) -> Callable[[complex], complex]:
    """Return a function of real or complex numbers; of real ones its value is real."""
    real, other = getattr(math, name), getattr(cmath, name)
    return lambda value: (other if isinstance(value, complex) else real)(value)


FUNCTIONS = {name: _function(name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh")}
FUNCTIONS["abs"] = abs


def _power(base: complex, exponent: complex) -> complex:
    """Return a power, of real numbers a real one; Python would give a complex one in silence."""
    value = base**exponent
    if isinstance(value, complex) and not isinstance(base + exponent, complex):
        raise ValueError(f"{base:g} ** {exponent:g} is not a real number")
    return value


def _compared(compare: Callable[[float, float], bool]) -> Callable[[float, float], bool]:
    def found(left: float, right: float) -> bool:
        # What is not finite must not vanish in a condition.
        if not (cmath.isfinite(left) and cmath.isfinite(right)):
            raise ValueError(f"{left if cmath.isfinite(right) else right} is compared")
        return compare(left, right)

    return found


_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: lambda value: float(not value),
    ast.Lt: _compared(operator.lt),
    ast.LtE: _compared(operator.le),
    ast.Gt: _compared(operator.gt),
    ast.GtE: _compared(operator.ge),
    ast.Eq: _compared(operator.eq),
    ast.NotEq: _compared(operator.ne),
}
_LONGEST = 500
"""Characters of a formula that somebody writes."""
_LONGEST_BOUND = 20_000
"""Characters of one in which names of axes are numbers of up to 24."""


class ExpressionError(ValueError):
    """An expression that cannot be read, or has no finite value."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression: the names in it, and its value for given ones."""

    text: str
    names: frozenset[str]
    is_name: bool
    """Whether the expression is one axis name and nothing else."""
    is_condition: bool
    """Whether it is true or false, and as a number 1 or 0."""
    is_numeral: bool
    """Whether it is one number and nothing else."""
    tree: ast.expr
    _calculate: Callable[[Mapping[str, float]], complex]

    def evaluate(self, values: Mapping[str, float]) -> float | complex:
        """Return the value for given names, complex only where its imaginary part is not 0.

        Raises
        ------
        ExpressionError
            When it has none, or it is not finite.
        """
        text = self.text
        if self.is_name and text[1:] in values:
            return values[text[1:]]
        try:
            value = self._calculate(values)
        except RecursionError:
            raise ExpressionError(f"{text} is nested too deeply") from None
        except (ArithmeticError, ValueError, TypeError) as error:
            reason = str(error.args[-1]) if error.args else type(error).__name__
            raise ExpressionError(f"{text} has no value: {reason}") from None
        if not cmath.isfinite(value):
            raise ExpressionError(f"{text} is {value}")
        return value.real if isinstance(value, complex) and value.imag == 0 else value

    def bound(self, values: Mapping[str, float]) -> float | str:
        """Return its value, or what it is of the names that have none here.

        Parameters
        ----------
        values : mapping of str to float
            Values of some names.

        Returns
        -------
        float or str
            A text where the value is complex, or names are left, in which case it is a formula.
        """
        if self.names <= values.keys():
            value = self.evaluate(values)
            return str(value).strip("()") if isinstance(value, complex) else value
        tree = _Binding(values).visit(copy.deepcopy(self.tree))
        return f"$({ast.unparse(tree)})"


class _Binding(ast.NodeTransformer):
    """Puts numbers in the place of names."""

    def __init__(self, values: Mapping[str, float]):
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self.values:
            return node
        value = self.values[node.id]
        # A constant below 0 is written as two things, so that -2 ** 2 stays what it was.
        number = ast.Constant(abs(value))
        return ast.UnaryOp(ast.USub(), number) if math.copysign(1, value) < 0 else number


def is_expression(value: object) -> bool:
    """Tell whether a value of a study file is an expression."""
    return isinstance(value, str) and value.startswith("$")


@functools.lru_cache(maxsize=65536)
def expression(text: str, *, is_bound: bool = False) -> Expression:
    """Parse an expression once.

    Parameters
    ----------
    text : str
        With or without the sign that an expression has in a study file.
    is_bound : bool
        Whether numbers stand in it for names, so that it may be longer.

    Raises
    ------
    ExpressionError
        When ``text`` is not arithmetic and comparison of numbers, names, ``FUNCTIONS`` and
        ``CONSTANTS``.
    """
    tree = _parsed(text, _LONGEST_BOUND if is_bound else _LONGEST)
    for node in ast.walk(tree):
        _check(node)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    is_condition = isinstance(tree, ast.Compare | ast.BoolOp) or (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    )
    without_sign = tree
    while isinstance(without_sign, ast.UnaryOp):
        without_sign = without_sign.operand
    try:
        calculate = _compiled(tree)
    except RecursionError:
        raise ExpressionError(f"{text} is nested too deeply") from None
    return Expression(
        text,
        frozenset(names - CONSTANTS.keys()),
        is_name=isinstance(tree, ast.Name),
        is_condition=is_condition,
        is_numeral=isinstance(without_sign, ast.Constant),
        tree=tree,
        _calculate=calculate,
    )


def constant(text: str) -> float | complex | None:
    """Return the value of a formula without names, such as ``2 * pi``; None for any other text.

    A number in quotes is a text.
    """
    try:
        formula = expression(text)
        return None if formula.names or formula.is_numeral else formula.evaluate({})
    except ExpressionError:
        return None


def is_numeral(text: str) -> bool:
    """Tell whether a text is one number and nothing else."""
    try:
        return expression(text).is_numeral
    except ExpressionError:
        return False


def expressions_in(value: object, path: tuple = ()) -> Iterator[tuple[tuple, str]]:
    """Yield the path and text of every expression inside nested mappings and lists."""
    return ((key, text) for key, text in texts_in(value, path) if is_expression(text))


def texts_in(value: object, path: tuple = ()) -> Iterator[tuple[tuple, str]]:
    """Yield the path and text of every text inside nested mappings and lists."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts_in(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts_in(item, (*path, index))
    elif isinstance(value, str):
        yield path, value


def names_in(text: str) -> frozenset[str]:
    """Return the names in an expression; none when it cannot be read."""
    try:
        return expression(text).names
    except ExpressionError:
        return frozenset()


def evaluated(value: object, names: Mapping[str, float]) -> Any:
    """Return a copy of nested mappings and lists with every expression replaced by its value.

    What has names without a value here stays a formula of these, see `Expression.bound`.
    """
    if isinstance(value, dict):
        return {key: evaluated(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [evaluated(item, names) for item in value]
    return expression(value).bound(names) if is_expression(value) else value


def replaced(value: Any, values: Mapping[str, float | str]) -> Any:
    """Return a copy of nested mappings and lists with every expression replaced as told."""
    if isinstance(value, dict):
        return {key: replaced(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, values) for item in value]
    return values[value] if is_expression(value) else value


def _parsed(text: str, longest: int) -> ast.expr:
    if len(text) > longest:
        raise ExpressionError(f"an expression is at most {longest} characters long")
    try:
        return ast.parse(text.removeprefix("$").strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        hint = next((f"; {hint}" for found, hint in _MISREAD if found.search(text)), "")
        raise ExpressionError(f"{text} is not a formula{hint}") from None


_MISREAD = (
    (re.compile(r".\$"), "the sign $ stands before the whole of it: $(2 * q)"),
    (re.compile(r"[^=<>!]=[^=]"), "what is equal is written =="),
)
_MEANT = {
    ast.BitXor: "a power is written **",
    ast.BitAnd: "conditions are joined by and",
    ast.BitOr: "conditions are joined by or",
    ast.IfExp: "a condition counts as 1 or 0: (x < 3) * 0.5",
    ast.Set: "names stand without braces: $(q)",
}
"""What is written instead of what formulas do not have."""
_NODES = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Name, ast.Load, ast.And, ast.Or)


def _check(node: ast.AST) -> None:
    if isinstance(node, ast.Constant):
        # Floats throughout: powers of integers would grow without bound.
        if type(node.value) not in (int, float, complex):
            raise ExpressionError(f"{node.value!r} is not a number")
        try:
            number: Any = node.value
            node.value = number if isinstance(number, complex) else float(number)
        except OverflowError:
            raise ExpressionError("a number is too large") from None
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        if name not in FUNCTIONS:
            hint = nearest(name.rpartition(".")[2], list(FUNCTIONS))
            known = f"{name} is not one of the functions {', '.join(FUNCTIONS)}"
            raise ExpressionError("; ".join(filter(None, (known, hint))))
        if len(node.args) != 1 or node.keywords:
            raise ExpressionError(f"{name} takes one number, {name}(x)")
    elif not isinstance(node, _NODES) and type(node) not in _OPERATORS:
        hint = f"; {_MEANT[type(node)]}" if type(node) in _MEANT else ""
        raise ExpressionError(
            "only numbers, names, + - * / % **, comparisons with and, or, not, "
            f"{', '.join(FUNCTIONS)} and pi are allowed{hint}"
        )


def unknown_name(name: str, valid: Sequence[str]) -> str:
    """Return what may be meant by a name that a formula must not have; empty where nothing is.

    Parameters
    ----------
    name : str
        The name.
    valid : sequence of str
        Those that it may have, beside constants and functions.
    """
    if name in FUNCTIONS:
        return f"{name} is a function, {name}(x)"
    if name.casefold() in CONSTANTS:
        return f"did you mean {name.casefold()!r}?"
    return nearest(name, valid)


def _compiled(node: Any) -> Callable[[Mapping[str, float]], Any]:
    """Return the function of its names that a checked expression is."""
    if isinstance(node, ast.Constant):
        return lambda names: node.value
    if isinstance(node, ast.Name):
        value = CONSTANTS.get(node.id)
        return operator.itemgetter(node.id) if value is None else lambda names: value
    if isinstance(node, ast.Call):
        named: Any = node.func
        function, (argument,) = FUNCTIONS[named.id], map(_compiled, node.args)
        return lambda names: function(argument(names))
    if isinstance(node, ast.UnaryOp):
        apply, operand = _OPERATORS[type(node.op)], _compiled(node.operand)
        return lambda names: apply(operand(names))
    if isinstance(node, ast.BinOp):
        apply, left, right = _OPERATORS[type(node.op)], _compiled(node.left), _compiled(node.right)
        return lambda names: apply(left(names), right(names))
    if isinstance(node, ast.BoolOp):
        parts = [_compiled(value) for value in node.values]
        decide = all if isinstance(node.op, ast.And) else any
        return lambda names: float(decide(part(names) for part in parts))
    terms = [_compiled(term) for term in (node.left, *node.comparators)]
    tests = [_OPERATORS[type(each)] for each in node.ops]
    steps = [*zip(tests, terms, terms[1:], strict=False)]
    return lambda names: float(all(test(left(names), right(names)) for test, left, right in steps))
