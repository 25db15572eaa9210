"""Physical units of numbers in natural ones: hbar = k_B = e = 1, energies in t, lengths in a.

Only t and a are sizes that somebody must tell; the rest follows from exact constants (CODATA 2018,
those of pint).  As e = k_B = 1, an energy is also a voltage and a temperature, and a number of
particles per time a current; hbar is never put in: whether an energy as a frequency is E/hbar or
E/h is for the natural unit to say.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from nessflow.written.units import UnitError, powers_of, times_power

NATURAL = ("t", "hbar", "h", "e", "k_B", "a", "rad")
"""Symbols of natural units; where a letter is a unit of pint too, it is not meant."""
ENERGY = r"[fpnumkMG]?eV|[afpnumk]?J|[num]?K"
LENGTH = r"[fpnumk]?m|angstrom"
_NUMBER = r"\d+\.?\d*(?:[eE][-+]?\d+)?"
_SHOWN = {
    "t/hbar": "1/s",
    "e*t/hbar": "A",
    "e^2*t/hbar": "A^2/Hz",
    "t^2/hbar": "W",
    "k_B*t/hbar": "W/K",
    "t/k_B": "K",
    "t/e": "V",
    "k_B/e": "V/K",
    "hbar/t": "s",
}
"""Natural units and what they are shown in, with a prefix."""
_FIXED = {"e^2/hbar": "e^2/h", "hbar/e^2": "h/e^2", "hbar/(e*a^2)": "T"}
_CHARGES = {"noise": 2, "current": 1}
"""Charges by which a number of particles per time is multiplied, by a word of its long name."""


def is_size(text: object, unit: str) -> bool:
    """Tell whether a text is a number above 0 and a unit, which is a pattern, as ``2.5 meV``.

    Without pint: each job reads its study.
    """
    found = re.fullmatch(rf"\s*({_NUMBER})\s*(?:{unit})\s*", str(text))
    return found is not None and 0 < float(found[1]) < float("inf")


def shown_unit(attributes: Mapping[str, Any]) -> str:
    """Return the unit of a variable by its attributes: ``units``, ``1`` of natural ones."""
    unit = attributes.get("units", "1")
    return attributes.get("natural_units", unit) if unit == "1" else unit


class Shown(NamedTuple):
    """A unit, and what a number in natural units is multiplied by to be shown in it."""

    factor: float
    unit: str


@dataclass(frozen=True)
class Units:
    """How large natural units are.

    Attributes
    ----------
    t : str
        An energy, as ``2.5 meV``: in eV, J or K with a prefix.
    a : str or None
        A length, as ``0.5 nm``.
    """

    t: str
    a: str | None = None

    def shown(self, natural_units: str, long_name: str = "") -> Shown:
        """Return the unit in which a quantity is shown, unless somebody names another one.

        Parameters
        ----------
        natural_units : str
        long_name : str
            Energies that are called a temperature are shown in K, numbers of particles per time
            that are called a current or a noise as those of the charge e.
        """
        return _shown(self, natural_units, long_name)

    def factor(self, natural_units: str, unit: str) -> float:
        """Return what a number in natural units is multiplied by to be shown in ``unit``.

        Raises
        ------
        UnitError
            When ``unit`` is none, or not one of that quantity.
        """
        return _factor(self, natural_units, unit)


@functools.cache
def _pint() -> Any:
    """Return pint's registry; importing it takes a third of a second, so only who needs it does."""
    import pint

    return pint.UnitRegistry()


@functools.cache
def _shown(units: Units, natural_units: str, long_name: str) -> Shown:
    powers = powers_of(natural_units or "1")  # named cases have none
    for natural, unit in _FIXED.items():
        if powers == powers_of(natural) and (units.a or "a" not in powers):
            return Shown(units.factor(natural_units, unit), unit)
    if not powers.keys() & {"t", "a"} and powers != powers_of("k_B/e"):
        return Shown(1.0, natural_units)
    for root in (1, 2):
        one = {name: power / root for name, power in powers.items()}
        if one == {"t": 1} and "temperature" in long_name:
            one["k_B"] = -1
        if one == {"t": 1, "hbar": -1}:
            charges = next((n for word, n in _CHARGES.items() if word in long_name), 0)
            one |= {"e": charges} if charges else {}
        for natural, unit in _SHOWN.items():
            if one == powers_of(natural):
                unit = _prefixed(units, natural, unit)
                unit = unit if root == 1 else f"({unit})^{root}"
                return Shown(units.factor(natural_units, unit), unit)
    unit = re.sub(r"\b[ta]\b", lambda found: _unit(units, found[0]), natural_units)
    return Shown(units.factor(natural_units, unit), unit)


def _unit(units: Units, name: str) -> str:
    """Return the unit in which the size of a natural one is told; itself where it is not."""
    size = getattr(units, name)
    return re.sub(rf"^\s*{_NUMBER}\s*", "", size).strip() if size else name


def _prefixed(units: Units, natural: str, unit: str) -> str:
    """Return a unit with the prefix that makes the natural one a number from 1 to 1000."""
    one = _product(units, powers_of(natural)).to(_pint().Unit(unit)).to_compact()
    return f"{one.units:~C}".replace("**", "^").replace("µ", "u").replace("μ", "u")


@functools.cache
def _factor(units: Units, natural_units: str, unit: str) -> float:
    from pint import DimensionalityError, PintError

    try:
        # What both have, such as a length that is not told, needs no size.
        ratio = _product(units, times_power(powers_of(natural_units), powers_of(unit), -1))
        lacking = dict(ratio.dimensionality)
        # A unit of charge or temperature stands for e or k_B, which are 1.
        for name, dimension in (("e", "[current]"), ("k_B", "[temperature]")):
            power = lacking.get(dimension, 0) * (-1 if name == "e" else 1)
            ratio = ratio * _constant(units, name) ** power
        return float(ratio.m_as("dimensionless"))
    except DimensionalityError:
        raise UnitError(f"{unit!r} is no unit of a quantity in {natural_units}") from None
    except PintError as error:
        raise UnitError(f"{unit!r} cannot be a unit here: {error}") from None


def _product(units: Units, powers: Mapping[str, float]) -> Any:
    """Return a product of powers as a quantity of pint."""
    product = _pint().Quantity(1.0)
    for name, power in powers.items():
        product = product * _constant(units, name) ** power
    return product


def _constant(units: Units, name: str) -> Any:
    """Return what one factor of a unit is."""
    registry = _pint()
    if name in ("t", "a"):
        size = getattr(units, name)
        if size is None:
            raise UnitError(f"how large {name} is: not told; write `units: {{{name}: ...}}`")
        number: Any = re.match(rf"\s*({_NUMBER})", size)
        found = registry.Quantity(float(number[1]), _unit(units, name))
        # An energy may be told as a temperature.
        return (found * registry.k_B).to("eV") if found.check("[temperature]") else found
    known = {"hbar": "hbar", "h": "planck_constant", "e": "elementary_charge", "k_B": "k_B"}
    if name == "rad":
        return registry.Quantity(1.0)
    text = known.get(name, name)
    if text not in registry:
        raise UnitError(f"{name!r} is no unit; units look like nA, mV/K or t/h")
    return registry.Quantity(1.0, text)
