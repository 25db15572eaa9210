"""Formulas of stored variables: ``d(net_particle_current, bias) / particle_noise[lead: left]``."""

import ast
import copy
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from nessflow.errors import nearest
from nessflow.written.expressions import CONSTANTS, FUNCTIONS, ExpressionError, expression
from nessflow.written.units import powers_of, times_power, unit_of

DERIVATIVE = "d"
"""The function of two arguments: the derivative of a formula along a dimension."""
LEAST = 3
"""Values along a dimension that a derivative and its error need."""
OVER_SAMPLES = re.compile(r"(_mean|_sem|_mean_square|_mean_square_sem)$|^n_samples$")
"""What names of statistics over samples look like."""
_DEEPEST = 150
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}


class Operand(NamedTuple):
    """A name in a formula, and which of its values.

    Attributes
    ----------
    name : str
        Of a variable, an axis or another dimension.
    chosen : tuple of (str, str)
        Dimension and value, as in the ``sel`` of a figure; the dimension is empty where it follows
        from the value.
    """

    name: str
    chosen: tuple[tuple[str, str], ...] = ()


Result = TypeVar("Result")


class Arithmetic(Protocol[Result]):
    """What a formula is evaluated with; each function gets the text that it stands for."""

    def number(self, value: float) -> Result:
        """Return a number that is written out."""

    def operand(self, operand: Operand, text: str) -> Result:
        """Return what a name stands for."""

    def negative(self, value: Result) -> Result:
        """Return minus a value."""

    def combined(self, operator: str, left: Result, right: Result, text: str) -> Result:
        """Return a sum, difference, product or quotient."""

    def power(self, base: Result, exponent: float, text: str) -> Result:
        """Return a power with an exponent that is written out."""

    def function(self, name: str, value: Result, text: str) -> Result:
        """Return one of the functions of formulas."""

    def derivative(self, value: Result, dim: str, text: str) -> Result:
        """Return the derivative along a dimension."""


@dataclass(frozen=True)
class Formula:
    """A formula that can be read."""

    text: str
    names: frozenset[str]
    """The variables, axes and dimensions in it."""
    dims: frozenset[str]
    """The dimensions along which derivatives are taken."""
    chosen: frozenset[tuple[str, str]]
    """Dimensions and the values that are chosen of them, as in `Operand`."""
    _tree: ast.expr
    _operands: Mapping[int, Operand]

    def evaluate(self, arithmetic: Arithmetic[Result]) -> Result:
        """Return its value in some arithmetic.

        Raises
        ------
        ExpressionError
            As the arithmetic does, with formula and position.
        """
        return self._evaluate(self._tree, arithmetic)

    def _evaluate(self, node: Any, arithmetic: Arithmetic[Result]) -> Result:
        text = self._text(node)
        try:
            match node:
                case ast.Constant():
                    number: Any = node.value
                    return arithmetic.number(float(number))
                case ast.Name(id=name) if name in CONSTANTS:
                    return arithmetic.number(CONSTANTS[name])
                case ast.Name() | ast.Subscript():
                    return arithmetic.operand(self._operands[node.col_offset], text)
                case ast.UnaryOp(op, operand):
                    value = self._evaluate(operand, arithmetic)
                    return arithmetic.negative(value) if isinstance(op, ast.USub) else value
                case ast.Call(ast.Name(id="d"), [inner, ast.Name(id=dim)]):
                    value = self._evaluate(inner, arithmetic)
                    return arithmetic.derivative(value, dim, self._text(inner))
                case ast.Call(ast.Name(id=name), [inner]):
                    value = self._evaluate(inner, arithmetic)
                    return arithmetic.function(name, value, self._text(inner))
                case ast.BinOp(left, ast.Pow(), right):
                    exponent = _written_out(right)
                    base = self._evaluate(left, arithmetic)
                    if exponent is not None:
                        return arithmetic.power(base, exponent, self._text(left))
                    # a^b = exp(b log a), where a is above 0.
                    logarithm = arithmetic.function("log", base, self._text(left))
                    power = self._evaluate(right, arithmetic)
                    product = arithmetic.combined("*", power, logarithm, text)
                    return arithmetic.function("exp", product, text)
                case ast.BinOp(left, op, right):
                    one, other = (self._evaluate(part, arithmetic) for part in (left, right))
                    sign = _OPERATORS[type(op)]
                    return arithmetic.combined(sign, one, other, self._text(right))
        except ExpressionError as error:
            if isinstance(error, _Placed):
                raise
            raise _Placed(f"{error}, at {text!r} (character {self._column(node)})") from None
        raise AssertionError(ast.dump(node))

    def _text(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.text, node) or self.text

    def _column(self, node: ast.expr) -> int:
        return len(self.text.encode()[: node.col_offset].decode()) + 1


class _Placed(ExpressionError):
    """A fault that says where in the formula it is."""


def formula(text: str) -> Formula:
    """Read a formula of variables.

    Parameters
    ----------
    text : str
        Arithmetic of numbers, names and the functions of formulas; ``name[dimension: value]``, or
        ``name[value]`` where the value is a name, chooses among the values of a variable as the
        ``sel`` of a figure does, and ``d(formula, dimension)`` is a derivative.

    Raises
    ------
    ExpressionError
        When it is none; with the position.
    """
    text = " ".join(text.removeprefix("$").split())
    # What is chosen need not be a name of Python's: only its length matters for the positions.
    plain = _BRACKETS.sub(lambda found: f"[{'_' * len(found[1].encode())}]", text)
    try:
        tree = ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        # The reader of all formulas knows what is meant by some that are none.
        tree = expression(plain).tree
    if _depth(tree) > _DEEPEST:
        raise ExpressionError(f"{text} is nested too deeply")
    found = _Reader(text)
    # What is left is arithmetic, as everywhere.
    rest = ast.unparse(found.visit(copy.deepcopy(tree)))
    try:
        if any(_has_no_error(node) for node in ast.walk(expression(rest).tree)):
            raise ExpressionError(
                f"only numbers, names, + - * / **, {', '.join(FUNCTIONS)}, "
                f"{DERIVATIVE}(formula, axis) and pi have a value with an error"
            )
    except ExpressionError as error:
        raise ExpressionError(str(error).replace(rest, text)) from None
    operands = found.operands
    return Formula(
        text,
        frozenset(operand.name for operand in operands.values()),
        frozenset(found.dims),
        frozenset(choice for operand in operands.values() for choice in operand.chosen),
        tree,
        operands,
    )


def _has_no_error(node: ast.AST) -> bool:
    """Tell whether something jumps, or is complex."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, complex)
    return isinstance(node, ast.Compare | ast.BoolOp | ast.Not | ast.Mod)


def _depth(tree: ast.expr) -> int:
    nodes: list[ast.AST] = [tree]
    depth = 0
    while nodes and depth <= _DEEPEST:
        depth, nodes = depth + 1, [x for node in nodes for x in ast.iter_child_nodes(node)]
    return depth


def _written_out(node: ast.expr) -> float | None:
    """Return the value of a formula without names."""
    text = ast.unparse(node)
    if any(isinstance(part, ast.Subscript) for part in ast.walk(node)):
        return None
    try:
        found = expression(text)
        value: Any = None if found.names else found.evaluate({})
        return None if value is None else float(value)
    except (ExpressionError, TypeError):
        return None


class _Reader(ast.NodeTransformer):
    """Collects operands and derivatives, and puts names in their place."""

    def __init__(self, text: str):
        self.text = text
        self.operands: dict[int, Operand] = {}
        self.dims: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in CONSTANTS:
            self.operands[node.col_offset] = Operand(node.id)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if not isinstance(node.value, ast.Name):
            raise self._fault(node, "[...] stands behind the name of a variable")
        written = self.text.encode()[node.slice.col_offset : node.slice.end_col_offset].decode()
        chosen = []
        for part in written.split(","):
            dim, colon, value = (word.strip() for word in part.rpartition(":"))
            value = value.strip("'\"")
            if not value or (colon and not dim):
                raise self._fault(node, "expected [dimension: value], or [name]")
            chosen.append((dim, value))
        self.operands[node.col_offset] = Operand(node.value.id, tuple(chosen))
        return ast.Name(node.value.id)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = ast.unparse(node.func)
        if name != DERIVATIVE:
            return ast.Call(node.func, [self.visit(x) for x in node.args], node.keywords)
        if node.keywords or len(node.args) != 2 or not isinstance(node.args[1], ast.Name):
            expected = f"{DERIVATIVE}(formula, axis) takes a formula and the name of an axis"
            raise self._fault(node, expected)
        self.dims.add(node.args[1].id)
        return self.visit(node.args[0])

    def _fault(self, node: ast.expr, what: str) -> ExpressionError:
        column = len(self.text.encode()[: node.col_offset].decode()) + 1
        return _Placed(f"{what}, at character {column} of {self.text}")


def read_formulas(derived: Mapping[str, str]) -> dict[str, Formula]:
    """Return the formulas of the derived variables of a study, by name in their order."""
    return {name: formula(text) for name, text in derived.items()}


def of_means(formulas: Mapping[str, Formula]) -> list[str]:
    """Return which derived variables are made of statistics over samples, not of each sample."""
    found: list[str] = []
    for name, each in formulas.items():
        if any(OVER_SAMPLES.search(used) or used in found for used in each.names):
            found.append(name)
    return found


# --- dimensions and units -------------------------------------------------------------------------


class Quantity(NamedTuple):
    """What is known of the value of a formula before there is one.

    Attributes
    ----------
    dims : tuple of str
        Its dimensions but that of samples.
    powers : mapping of str to float, or None
        Those of its unit; None for a number that is written out, which has the unit of what it is
        added to.
    of : str
        ``samples`` or ``means`` of an ensemble, empty for what is neither.
    """

    dims: tuple[str, ...]
    powers: Mapping[str, float] | None
    of: str = ""

    @property
    def unit(self) -> str:
        """Its unit as a text."""
        return unit_of(self.powers or {})


def quantity(dims: Iterable[str], units: str, of: str = "") -> Quantity:
    """Return the quantity of a variable; angles are pure numbers, as functions take them."""
    powers = {name: power for name, power in powers_of(units or "1").items() if name != "rad"}
    return Quantity(tuple(dims), powers, of)


@dataclass(frozen=True)
class Dimensions:
    """Arithmetic of dimensions and units, which finds the faults of a formula.

    ``find`` returns what a name stands for, or None; ``values`` the values of a dimension, in a
    list; ``names`` are all that ``find`` knows.
    """

    find: Callable[[str], Quantity | None]
    values: Callable[[str], Sequence[Any]]
    names: Sequence[str]

    def number(self, value: float) -> Quantity:
        """Return what a number is that is written out."""
        if not math.isfinite(value):
            raise ExpressionError("a number is too large")
        return Quantity((), None)

    def operand(self, operand: Operand, text: str) -> Quantity:
        """Return what a name stands for, without the dimensions of which a value is chosen."""
        found = self.find(operand.name)
        if found is None:
            hint = nearest(operand.name, self.names)
            raise ExpressionError("; ".join(filter(None, ("no such variable or axis", hint))))
        dims = list(found.dims)
        if dims == [operand.name] and _are_names(self.values(operand.name)):
            raise ExpressionError(f"{operand.name} has names, and no numbers")
        for choice in operand.chosen:
            dim, _ = place_of(choice, dims, self.values)
            dims.remove(dim)
        return found._replace(dims=tuple(dims))

    def negative(self, value: Quantity) -> Quantity:
        """Return the same."""
        return value

    def combined(self, operator: str, left: Quantity, right: Quantity, text: str) -> Quantity:
        """Return what a sum, difference, product or quotient is."""
        one, other = left.powers, right.powers
        if operator in "+-":
            known = [_as_energy(powers) for powers in (one, other) if powers is not None]
            if len(known) == 2 and known[0] != known[1]:
                raise ExpressionError(f"{left.unit} {operator} {right.unit}: the units differ")
            powers = other if one is None else one
        elif one is None and other is None:
            powers = None
        else:
            powers = times_power(one or {}, other or {}, 1 if operator == "*" else -1)
        if {left.of, right.of} == {"samples", "means"}:
            raise ExpressionError("values of each sample, and means over them: take either")
        return Quantity(tuple(dict.fromkeys(left.dims + right.dims)), powers, left.of or right.of)

    def power(self, base: Quantity, exponent: float, text: str) -> Quantity:
        """Return what a power is."""
        powers = None if base.powers is None else times_power({}, base.powers, exponent)
        if not all(map(math.isfinite, (powers or {}).values())):
            raise ExpressionError("its unit has a power that is too large")
        return base._replace(powers=powers)

    def function(self, name: str, value: Quantity, text: str) -> Quantity:
        """Return what a function is."""
        if name == "abs":
            return value
        if name == "sqrt":
            return self.power(value, 0.5, text)
        if _as_energy(value.powers or {}):
            way_out = "divide by what has that unit"
            raise ExpressionError(f"{name} takes a pure number, not {value.unit}; {way_out}")
        return value._replace(powers={})

    def derivative(self, value: Quantity, dim: str, text: str) -> Quantity:
        """Return what a derivative is."""
        if dim not in value.dims:
            known = [each for each in value.dims if not _are_names(self.values(each))]
            hint = nearest(dim, known) or f"it depends on {', '.join(known) or 'no axis'}"
            raise ExpressionError(f"{text} does not depend on {dim!r}; {hint}")
        values, along = self.values(dim), self.find(dim)
        if _are_names(values):
            raise ExpressionError(f"{dim} has names, and a derivative is along numbers")
        if len(values) < LEAST:
            expected = f"a derivative needs at least {LEAST} values of {dim}"
            raise ExpressionError(f"{expected}, which has {len(values)}")
        powers = times_power(value.powers or {}, along.powers or {} if along else {}, -1)
        return value._replace(powers=powers)


def _as_energy(powers: Mapping[str, float]) -> dict[str, float]:
    """Return a unit in which temperatures are energies, as those of studies are: without k_B."""
    return {name: power for name, power in powers.items() if name != "k_B"}


def place_of(
    choice: tuple[str, str], dims: Sequence[str], values: Callable[[str], Sequence[Any]]
) -> tuple[str, int]:
    """Return the dimension and the index of a value that is chosen of a variable.

    Raises
    ------
    ExpressionError
        When the variable has no such dimension, or this no such value.
    """
    dim, text = choice
    if dim and dim not in dims:
        known = ", ".join(dims) or "no dimension"
        hint = nearest(dim, dims) or f"it has {known}"
        raise ExpressionError(f"no dimension {dim!r}; {hint}")
    found = []
    for name in [dim] if dim else dims:
        each = values(name)
        # Numbers of several dimensions are told apart by no name.
        if dim or _are_names(each):
            found += [(name, i) for i, value in enumerate(each) if _is(value, text)]
    if len(found) > 1:
        raise ExpressionError(
            f"{text!r} is a value of several dimensions: write [dimension: value]"
        )
    if not found:
        valid = [str(x) for name in ([dim] if dim else dims) for x in values(name)[:8]]
        if not dim:
            valid = [str(x) for name in dims if _are_names(values(name)) for x in values(name)[:8]]
        hint = nearest(text, valid) or f"there are {', '.join(valid) or 'no names'}"
        hint += "; numbers name their dimension, [dimension: value]" if not dim else ""
        raise ExpressionError(f"no value {text!r}; {hint}")
    return found[0]


def _are_names(values: Sequence[Any]) -> bool:
    return bool(len(values)) and isinstance(values[0], str)


def _is(value: object, text: str) -> bool:
    if isinstance(value, str):
        return value == text
    try:
        number = float(text)
    except ValueError:
        return False
    # As in figures: labels have 12 digits, the values of a kind may have more.
    return math.isclose(value, number, rel_tol=1e-9, abs_tol=1e-12)  # type: ignore[arg-type]
