"""Units as products of powers of the natural ones: ``(t/hbar)^2`` is ``{"t": 2, "hbar": -2}``."""

import ast
import math
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

_DENOMINATORS = 12


class UnitError(ValueError):
    """A text that is no unit."""


def powers_of(unit: str) -> dict[str, float]:
    """Return the powers of the factors of a unit, those that are not 0.

    Raises
    ------
    UnitError
        When ``unit`` is no product of powers.
    """
    try:
        powers = _powers(ast.parse(unit.replace("^", "**"), mode="eval").body)
    except (SyntaxError, TypeError, ValueError):
        raise UnitError(f"{unit!r} is no unit; units look like (t/hbar)^2") from None
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
    return {name: plain for name, power in product.items() if (plain := _plain(power))}


def _plain(power: float) -> float:
    """Return the fraction that a power stands for: three times 0.333333, as it is written, is 1."""
    if not math.isfinite(power):
        return power
    near = float(Fraction(power).limit_denominator(_DENOMINATORS))
    return near if math.isclose(near, power, rel_tol=1e-5, abs_tol=1e-5) else power


def unit_of(powers: Mapping[str, float]) -> str:
    """Return the text of a unit with these powers: ``t/hbar``, ``1/hbar``, ``1``."""
    above = "*".join(_factor(name, power) for name, power in powers.items() if power > 0)
    below = "".join(f"/{_factor(name, -power)}" for name, power in powers.items() if power < 0)
    return f"{above or 1}{below}"


def _factor(name: str, power: float) -> str:
    return name if power == 1 else f"{name}^{power:g}"
