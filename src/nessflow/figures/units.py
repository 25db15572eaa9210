"""Units as products of powers, and the factor between natural and displayed ones."""

import ast
import math
from collections import Counter
from collections.abc import Mapping


class FigureError(Exception):
    """A figure asks for something that the data do not have: figure, key and the way out."""


def powers_of(unit: str) -> dict[str, float]:
    """Return the powers of the factors of a unit: ``(t/hbar)^2`` is ``{"t": 2, "hbar": -2}``.

    Raises
    ------
    FigureError
        When ``unit`` is no product of powers.
    """
    try:
        powers = _powers(ast.parse(unit.replace("^", "**"), mode="eval").body)
    except (SyntaxError, TypeError):
        raise FigureError(f"{unit!r} is no unit; units look like (t/hbar)^2") from None
    return {name: power for name, power in powers.items() if power}


def _powers(node: ast.expr) -> Counter:
    match node:
        case ast.Constant(value=1):
            return Counter()
        case ast.Name(id=name):
            return Counter({name: 1})
        case ast.BinOp(left, ast.Pow(), right):
            return _scaled(_powers(left), ast.literal_eval(right))
        case ast.BinOp(left, ast.Mult(), right):
            return _product(_powers(left), _powers(right))
        case ast.BinOp(left, ast.Div(), right):
            return _product(_powers(left), _scaled(_powers(right), -1))
    raise TypeError


def _scaled(powers: Mapping[str, float], factor: float) -> Counter:
    return Counter({name: power * factor for name, power in powers.items()})


def _product(one: Counter, other: Counter) -> Counter:
    one.update(other)
    return one


def times_power(unit: Mapping[str, float], base: Mapping[str, float], exponent: float) -> dict:
    """Return the powers of ``unit base^exponent``."""
    product = _product(Counter(unit), _scaled(base, exponent))
    return {name: power for name, power in product.items() if power}


def unit_factor(natural_units: str, display_unit: str | None) -> float:
    """Return what a number in natural units is multiplied by to be shown in ``display_unit``.

    Natural units have hbar = 1, so that 1 t/hbar = 2 pi t/h.

    Raises
    ------
    FigureError
        When the displayed unit is not the natural one with h in place of hbar.
    """
    if display_unit in (None, natural_units):
        return 1.0
    natural, shown = powers_of(natural_units), powers_of(display_unit)
    converted = natural.get("hbar", 0) - shown.get("hbar", 0)
    if times_power(natural, {"h": 1, "hbar": -1}, converted) != shown:
        raise FigureError(
            f"display_unit {display_unit!r} does not fit {natural_units!r}; "
            f"use {natural_units.replace('hbar', 'h')!r} or leave it out"
        )
    return (2 * math.pi) ** -converted
