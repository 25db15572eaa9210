"""Axis labels with units, and the factor between natural and displayed units."""

import math
import re
import textwrap

import xarray as xr

_GREEK = {"alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "nu"}
_GREEK |= {"omega", "Omega", "Gamma", "Delta", "phi", "tau", "sigma", "kappa"}
_WIDTH = 42  # characters, those of mathtext included


class FigureError(Exception):
    """A figure asks for something that the data do not have: figure, key and the way out."""


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
    if display_unit != natural_units.replace("hbar", "h"):
        raise FigureError(
            f"display_unit {display_unit!r} does not fit {natural_units!r}; "
            f"use {natural_units.replace('hbar', 'h')!r} or leave it out"
        )
    power = re.search(r"/hbar\)\^(\d+)", natural_units)
    return (2 * math.pi) ** (int(power[1]) if power else 1)


def unit_text(unit: str) -> str:
    """Return the mathtext of a unit, empty for the unit 1."""
    if unit in ("", "1"):
        return ""
    unit = re.sub(r"\(([a-z]+)/([a-z]+)\)\^(\d+)", r"\1^\3/\2^\3", unit)
    return "$" + unit.replace("hbar", r"\hbar ").replace("*", r"\,") + "$"


def symbol(name: str) -> str:
    """Return the mathtext of the name of an axis that is a symbol, else an empty text."""
    match = re.fullmatch(r"([A-Za-z]+)(?:_([A-Za-z0-9]+))?", name)
    if not match or (len(match[1]) > 1 and match[1] not in _GREEK):
        return ""
    letter = rf"\{match[1]}" if match[1] in _GREEK else match[1]
    return f"${letter}_{{{match[2]}}}$" if match[2] else f"${letter}$"


def label_of(variable: xr.DataArray, display_unit: str | None = None, text: str = "") -> str:
    """Return ``long name, symbol (unit)``, wrapped to the width of a small panel."""
    words = text or variable.attrs["long_name"]
    if not text and symbol(str(variable.name)) and variable.name in variable.coords:
        words = f"{words} {symbol(str(variable.name))}"
    unit = unit_text(display_unit or variable.attrs["natural_units"])
    return textwrap.fill(f"{words} ({unit})" if unit else words, _WIDTH)
