"""Axis labels with units, and the factor between natural and displayed units."""

import ast
import math
import re
import textwrap
from collections import Counter
from collections.abc import Mapping

import numpy as np
import xarray as xr

_GREEK = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda"}
_GREEK |= {"mu", "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega"}
_GREEK |= {name.capitalize() for name in _GREEK & {"gamma", "delta", "theta", "lambda", "xi"}}
_GREEK |= {name.capitalize() for name in _GREEK & {"pi", "sigma", "phi", "psi", "omega"}}


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


def unit_text(unit: str) -> str:
    """Return the mathtext of a unit, empty for the unit 1."""
    powers = powers_of(unit or "1")
    above = [_power(name, power) for name, power in powers.items() if power > 0]
    below = [_power(name, -power) for name, power in powers.items() if power < 0]
    if not powers:
        return ""
    over = rf"/{_joined(below)}" if len(below) == 1 else rf"/({_joined(below)})" if below else ""
    return f"${_joined(above) or '1'}{over}$"


def _power(name: str, power: float) -> str:
    base = r"\hbar" if name == "hbar" else _math(name)
    return base if power == 1 else f"{base}^{{{power:g}}}"


def _joined(factors: list[str]) -> str:
    return r"\,".join(factors)


def _math(name: str) -> str:
    letter, _, index = name.partition("_")
    letter = rf"\{letter}" if letter in _GREEK else letter
    upright = index if len(index) < 2 else rf"\mathrm{{{index}}}"
    return f"{letter}_{{{upright}}}" if index else letter


def symbol(name: str) -> str:
    """Return the mathtext of the name of an axis that is a symbol, else an empty text."""
    match = re.fullmatch(r"([A-Za-z]+)(?:_[A-Za-z0-9]+)?", name)
    if not match or (len(match[1]) > 1 and match[1] not in _GREEK):
        return ""
    return f"${_math(name)}$"


def label_of(
    variable: xr.DataArray, display_unit: str | None = None, text: str = "", width: int = 30
) -> str:
    """Return ``long name symbol (unit)`` in lines of about ``width`` characters.

    ``text`` replaces the long name and the symbol.
    """
    words = text or variable.attrs["long_name"]
    sign = symbol(str(variable.name)) if variable.name in variable.coords and not text else ""
    if sign and words == variable.name:
        words = ""
    unit = unit_text(display_unit or variable.attrs["natural_units"])
    tail = " ".join(filter(None, (sign, f"({unit})" if unit else "")))
    lines = textwrap.wrap(words, width, break_long_words=False) or [""]
    fits = len(lines[-1]) + _visible(tail) < width
    return ("\n".join(lines) + (" " if fits else "\n") + tail).strip()


def _visible(text: str) -> int:
    """Return about how many characters a mathtext has in print."""
    return len(re.sub(r"[${}_^]", "", re.sub(r"\\mathrm|\\,", "", text).replace("\\", "")))


def value_label(axis: xr.DataArray, value: float | str) -> str:
    """Return ``symbol = value unit`` of one value of an axis; a case is its own label."""
    if isinstance(value, str):
        return value
    unit = unit_text(axis.attrs["natural_units"])
    name = symbol(str(axis.name)) or str(axis.name).replace("_", " ")
    return f"{name} = {value:.6g} {unit}".rstrip()


def with_error(value: float, error: float) -> str:
    """Return ``1.91 ± 0.02``: the error to one digit, two when it begins with 1."""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.3g}"
    exponent = math.floor(math.log10(error))
    digits = max(0, -exponent + (error / 10**exponent < 2))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
