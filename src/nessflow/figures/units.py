"""The factor between natural and displayed units."""

import math
from collections.abc import Mapping
from typing import Any

from nessflow.written.physical import NATURAL, Shown, Units
from nessflow.written.units import UnitError, powers_of, times_power


class FigureError(Exception):
    """A figure asks for something that the data do not have: figure, key and the way out."""


PHYSICAL = "physical"
"""Attribute of a variable, in memory alone: the `Units` in which figures show it."""


def displayed(attributes: Mapping[str, Any], display_unit: str | None = None) -> Shown:
    """Return the unit of an axis or a colour bar, and the factor of numbers in natural units.

    Parameters
    ----------
    attributes : mapping
        Of the variable that the axis is named after.
    display_unit : str, optional
        What the figure asks for.

    Raises
    ------
    FigureError
        When the displayed unit is not one of that quantity.
    """
    units, natural = attributes.get(PHYSICAL), attributes["natural_units"]
    if display_unit is None and units is not None:
        return units.shown(natural, attributes["long_name"])
    return Shown(unit_factor(natural, display_unit, units), display_unit or natural)


def unit_factor(
    natural_units: str, display_unit: str | None, physical: Units | None = None
) -> float:
    """Return what a number in natural units is multiplied by to be shown in ``display_unit``.

    Natural units have hbar = 1, so that 1 t/hbar = 2 pi t/h.

    Raises
    ------
    FigureError
        When the displayed unit is neither the natural one with h in place of hbar nor, where the
        natural units have a size, a physical one of that quantity.
    """
    if display_unit in (None, natural_units):
        return 1.0
    try:
        natural, shown = powers_of(natural_units), powers_of(display_unit)
    except UnitError as error:
        raise FigureError(str(error)) from None
    converted = natural.get("hbar", 0) - shown.get("hbar", 0)
    if times_power(natural, {"h": 1, "hbar": -1}, converted) == shown:
        return (2 * math.pi) ** -converted
    why = ""
    if physical is not None:
        try:
            return physical.factor(natural_units, display_unit)
        except UnitError as error:
            why = f": {error}"
    else:
        why = "" if shown.keys() <= set(NATURAL) else "; write `units: {t: 2.5 meV}` for nA, mV, K"
    raise FigureError(
        f"display_unit {display_unit!r} does not fit {natural_units!r}{why}; "
        f"use {natural_units.replace('hbar', 'h')!r} or leave it out"
    )
