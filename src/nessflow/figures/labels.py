"""Labels of axes, values and numbers."""

import math
import re

import numpy as np
import xarray as xr

from nessflow.figures.mathtext import GREEK, wrapped
from nessflow.figures.units import displayed
from nessflow.written.physical import NATURAL
from nessflow.written.units import powers_of


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
    # Symbols of quantities are of one letter; rad is the name of a unit.
    is_symbol = name in NATURAL and len(name.partition("_")[0]) == 1
    base = r"\hbar" if name == "hbar" else _math(name) if is_symbol else _upright(name)
    return base if power == 1 else f"{base}^{{{power:g}}}"


def _upright(name: str) -> str:
    """Return the mathtext of a physical unit; u before another letter is micro."""
    micro = re.fullmatch("u([A-Za-z]+)", name)
    return rf"\mathrm{{\mu {micro[1]}}}" if micro else rf"\mathrm{{{name}}}"


def _joined(factors: list[str]) -> str:
    return r"\,".join(factors)


def _math(name: str) -> str:
    letter, _, index = name.partition("_")
    letter = rf"\{letter}" if letter in GREEK else letter
    upright = index if len(index) < 2 else rf"\mathrm{{{index}}}"
    return f"{letter}_{{{upright}}}" if index else letter


def symbol(name: str) -> str:
    """Return the mathtext of the name of an axis that is a symbol, else an empty text."""
    match = re.fullmatch(r"([A-Za-z]+)(?:_[A-Za-z0-9]+)?", name)
    if not match or (len(match[1]) > 1 and match[1] not in GREEK):
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
    unit = unit_text(displayed(variable.attrs, display_unit).unit)
    tail = " ".join(filter(None, (sign, f"({unit})" if unit else "")))
    lines = wrapped(words, width).split("\n")
    fits = len(lines[-1]) + _visible(tail) < width
    return ("\n".join(lines) + (" " if fits else "\n") + tail).strip()


def _visible(text: str) -> int:
    """Return about how many characters a mathtext has in print."""
    return len(re.sub(r"[${}_^]", "", re.sub(r"\\mathrm|\\,", "", text).replace("\\", "")))


def value_label(axis: xr.DataArray, value: float | str) -> str:
    """Return ``symbol = value unit`` of one value of an axis; a case is its own label."""
    if isinstance(value, str):
        return value
    factor, unit = displayed(axis.attrs)
    name = symbol(str(axis.name)) or str(axis.name).replace("_", " ")
    return f"{name} = {value * factor:.6g} {unit_text(unit)}".rstrip()


def with_error(value: float, error: float) -> str:
    """Return ``1.91 ± 0.02``: the error to one digit, two when it begins with 1."""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.3g}"
    exponent = math.floor(math.log10(error))
    digits = max(0, -exponent + (error / 10**exponent < 2))
    return f"{value:.{digits}f} ± {error:.{digits}f}"
