"""The factor between natural and displayed units."""

import math

from nessflow.written import units
from nessflow.written.units import times_power as times_power


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
        return units.powers_of(unit)
    except units.UnitError as error:
        raise FigureError(str(error)) from None


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
