"""What differs from place to place: numbers as formulas of sites and bonds, and lists of sites.

A formula has the names ``site`` (from 1), ``x``, ``y`` and ``z`` (as many as the lattice has
directions), and as an energy ``orbital`` (from 1); on a bond they are the number of its first site
and the middle of both.
"""

import functools
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Discriminator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Tag
from pydantic_core import PydanticCustomError, core_schema

from nessflow import matrix
from nessflow.grids import RANGE, listed
from nessflow.matrix import complex_number
from nessflow.parts import Strict, at_key
from nessflow.written.expressions import (
    PLACE_NAMES,
    ExpressionError,
    constant,
    expression,
    is_numeral,
    unknown_name,
)

Site = Annotated[int, Field(ge=1)]
REGION = r"^[A-Za-z][A-Za-z0-9_-]{0,79}$"
"""What names of regions look like."""
_KEPT = 16
"""Formulas whose values are remembered, so that samples of one system have them once."""


class Places(Protocol):
    """What a lattice says of its sites."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def sites(self) -> int:
        """Number of sites."""

    @property
    def orbitals(self) -> int:
        """Number of orbitals of each."""

    @property
    def positions(self) -> np.ndarray:
        """Positions, (sites, d), in distances of neighbours."""


# --- numbers ------------------------------------------------------------------------------------


class Formula(str):
    """Text of a formula of places, with or without the sign ``$``."""


@dataclass(frozen=True)
class OrFormula:
    """Lets a field of numbers have a formula, or a function of some of `PLACE_NAMES`, instead."""

    per: str
    is_complex: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict:
        return {**handler(schema), "per": self.per}

    def _checked(self, value: object, handler: Callable[[object], object]) -> object:
        if callable(value):
            return value
        if self.is_complex and isinstance(value, str | complex):
            try:
                number = complex_number(value)
            except ValueError:
                pass
            else:
                return number if number.imag else handler(number.real)
        if isinstance(value, str):
            known = constant(value)
            if isinstance(known, float):
                return handler(known)
            if is_numeral(value) or known is not None or _is_complex(value):
                return handler(value)  # in quotes or complex, which it says
            return checked_formula(value, "a number, or a formula of site, x, y")
        return handler(as_tuples(value))


def _is_complex(text: str) -> bool:
    try:
        return isinstance(complex_number(text), complex)
    except ValueError:
        return False


Onsite = Annotated[matrix.Onsite, OrFormula("site")]
"""An energy, one for each site, matrices of orbitals, or a formula."""
Hopping = Annotated[matrix.Hopping, OrFormula("bond", is_complex=True)]
"""A number, a matrix of orbitals, or a formula."""
Hoppings = Annotated[
    Annotated[Hopping, Tag("one")] | Annotated[dict[str, Hopping], Tag("each")],
    Discriminator(lambda value: "each" if isinstance(value, Mapping) else "one"),
]
"""One for all directions, or direction -> its own."""
RatePerSite = Annotated[
    Annotated[float, Field(ge=0)] | tuple[Annotated[float, Field(ge=0)], ...], OrFormula("site")
]
"""The same of what is not below 0."""
PerBond = Annotated[float, OrFormula("bond")]
"""A number for all bonds, or a formula."""
RateOfFormula = Annotated[Annotated[float, Field(ge=0)], OrFormula("site")]
"""A number that is not below 0 for all of some sites, or a formula."""
RatePerBond = Annotated[Annotated[float, Field(ge=0)], OrFormula("bond")]
"""The same of what is not below 0."""
ComplexPerBond = Annotated[float, OrFormula("bond", is_complex=True)]
"""A real or complex number for all bonds, or a formula."""


def as_tuples(value: object) -> object:
    """Return lists and arrays as tuples, numbers of numpy as numbers; anything else as it is."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


def checked_formula(text: str, expected: str) -> Formula:
    """Return a formula of places.

    Raises
    ------
    PydanticCustomError
        When it cannot be read, or has other names; it says what is ``expected`` instead.
    """
    try:
        formula = expression(text, is_bound=True)
    except ExpressionError as error:
        why = str(error)
    else:
        unknown = sorted(formula.names - set(PLACE_NAMES))
        if unknown:
            why = f"{unknown[0]} is none of {', '.join(PLACE_NAMES)}"
            if hint := unknown_name(unknown[0], PLACE_NAMES):
                why += f"; {hint}"
            if not text.startswith("$"):
                why += f"; axes are named in $({text})"
        else:
            return Formula(text)
    raise PydanticCustomError("formula", "{expected} ({why})", {"expected": expected, "why": why})


def is_number(value: object) -> bool:
    """Tell whether a value of a field of this module is one number for all places."""
    return isinstance(value, float | int | complex)


def is_formula(value: object) -> bool:
    """Tell whether a value of a field of this module is a formula or a function of places."""
    return isinstance(value, str) or callable(value)


def on_rows(value: Any, lattice: Places) -> np.ndarray:
    """Return what a formula is on each orbital of each site of a lattice, (N,).

    Raises
    ------
    ValueError
        As of `on_sites`.
    """
    each = lattice.orbitals
    names = {name: np.repeat(values, each) for name, values in site_names(lattice).items()}
    names["orbital"] = np.tile(np.arange(1.0, each + 1), lattice.sites)
    return _values(value, names, lattice)


def on_sites(
    value: Any,
    lattice: Places,
    lowest: float | None = None,
    chosen: np.ndarray | None = None,
) -> Any:
    """Return what a number, list or formula is on the sites of a lattice.

    Parameters
    ----------
    value : float, tuple of float, Formula or callable
        A field `RatePerSite`.
    lattice : Lattice
        Its sites.
    lowest : float, optional
        What no value may be below.
    chosen : (n,) int array, optional
        Sites, from 0, that alone are asked for; of a formula or a number.

    Returns
    -------
    (N,) or (n,) float array or float
        In the units of the field, a number where it is one.

    Raises
    ------
    ValueError
        When the list has another length, or the formula no finite real value at some site.
    """
    if is_number(value):
        return value
    if isinstance(value, tuple):
        if len(value) != lattice.sites:
            raise ValueError(f"{len(value)} numbers for {lattice.sites} sites")
        return np.array(value, float)
    chosen = np.arange(lattice.sites) if chosen is None else chosen
    names = {name: values[chosen] for name, values in site_names(lattice).items()}
    return _not_below(lowest, _values(value, names, lattice), value, chosen)


def on_bonds(
    value: Any,
    lattice: Places,
    first: np.ndarray,
    second: np.ndarray,
    *,
    is_complex: bool = False,
    lowest: float | None = None,
) -> Any:
    """Return what a number or formula is on bonds.

    Parameters
    ----------
    value : complex, Formula or callable
        A field `PerBond`.
    lattice : Lattice
        Its sites.
    first, second : (B,) int array
        Sites, from 0.
    is_complex, lowest
        Whether values may be complex; what none may be below.

    Returns
    -------
    (B,) array or complex
        In the units of the field, a number where it is one.

    Raises
    ------
    ValueError
        When the formula has no finite value, or none of that kind, on some bond.
    """
    if is_number(value):
        return value
    names = {name: values[first] for name, values in site_names(lattice).items()}
    middle = (lattice.positions[first] + lattice.positions[second]) / 2
    names |= dict(zip("xyz", middle.T, strict=False))
    return _not_below(lowest, _values(value, names, lattice, is_complex), value, first)


def site_names(lattice: Places) -> dict[str, np.ndarray]:
    """Return what formulas know of each site by name, each (sites,)."""
    numbers = np.arange(1.0, lattice.sites + 1)
    along = dict(zip("xyz", np.asarray(lattice.positions, float).T, strict=False))
    return {"site": numbers, **along}


def _not_below(
    lowest: float | None, found: np.ndarray, value: Formula | Callable, sites: np.ndarray
) -> np.ndarray:
    if lowest is not None and (found < lowest).any():
        place = int(np.argmax(found < lowest))
        told = f"{_text(value)} is {found[place]:.6g} at site {sites[place] + 1}"
        raise ValueError(f"{told}; it must not be below {lowest:g} anywhere")
    return found


def _values(
    value: Formula | Callable,
    names: Mapping[str, np.ndarray],
    lattice: Places,
    is_complex: bool = False,
) -> np.ndarray:
    used = _names_used(value)
    if missing := [name for name in used if name not in names]:
        known = ", ".join(names)
        raise ValueError(
            f"{_text(value)}: the {lattice.kind} has no {missing[0]}; its sites have {known}"
        )
    if not used:
        return np.full(names["site"].shape, _evaluated(value, (), ((),), (1,), is_complex)[0])
    columns = [names[name] for name in dict.fromkeys(("site", *used))]
    key = tuple(column.tobytes() for column in columns)
    return _remembered(value, tuple(used), key, is_complex)


@functools.lru_cache(maxsize=_KEPT)
def _remembered(
    value: Formula | Callable, used: tuple[str, ...], columns: tuple[bytes, ...], is_complex: bool
) -> np.ndarray:
    sites, *others = (np.frombuffer(column) for column in columns)
    by_name = dict(zip([name for name in used if name != "site"], others, strict=True))
    by_name["site"] = sites
    rows = zip(*(by_name[name].tolist() for name in used), strict=True)
    found = _evaluated(value, used, rows, sites.astype(int).tolist(), is_complex)
    found.flags.writeable = False
    return found


def _evaluated(
    value: Formula | Callable,
    used: Sequence[str],
    rows: Iterable[Sequence[float]],
    sites: Iterable[int],
    is_complex: bool,
) -> np.ndarray:
    call = _caller(value, used)
    numbers = []
    for site, row in zip(sites, rows, strict=False):
        try:
            number = call(row)
        except (ArithmeticError, ValueError) as error:
            raise ValueError(f"at site {site}: {error}") from None
        if not isinstance(number, float | int | complex | np.number | np.bool_):
            raise ValueError(f"at site {site}: {_text(value)} is {number!r}, which is no number")
        number = complex(number)
        if not np.isfinite(number):
            raise ValueError(f"at site {site}: {_text(value)} is {number.real:g}, not finite")
        if number.imag and not is_complex:
            told = f"{number + 0:.6g}"  # no -0
            raise ValueError(
                f"at site {site}: {_text(value)} is {told}, and it has to be real; particle loss "
                "and gain go under loss and gain"
            )
        numbers.append(number)
    found = np.array(numbers, complex)
    return found if found.imag.any() else found.real.copy()


def _caller(value: Formula | Callable, used: Sequence[str]) -> Callable[[Sequence[float]], Any]:
    if isinstance(value, str):
        formula = expression(value, is_bound=True)
        return lambda row: formula.evaluate(dict(zip(used, row, strict=True)))
    counted = [name in ("site", "orbital") for name in used]

    def call(row: Sequence[float]) -> Any:
        numbers = zip(row, counted, strict=True)
        return value(*(int(number) if is_count else number for number, is_count in numbers))

    return call


def _names_used(value: Formula | Callable) -> list[str]:
    if isinstance(value, str):
        return sorted(expression(value, is_bound=True).names)
    names = list(inspect.signature(value).parameters)
    if unknown := [name for name in names if name not in PLACE_NAMES]:
        raise ValueError(
            f"{_text(value)} takes {unknown[0]}; a function of places takes some of "
            f"{', '.join(PLACE_NAMES)}"
        )
    return names


def _text(value: Formula | Callable) -> str:
    return str(value) if isinstance(value, str) else f"the function {value.__name__}"


# --- lists of sites -----------------------------------------------------------------------------


class Region(ABC):
    """Sites that are known with the lattice alone."""

    @abstractmethod
    def sites_of(self, lattice: Places, regions: Mapping[str, "SiteList"]) -> tuple[int, ...]:
        """Return the sites, from 1, at least one.

        Parameters
        ----------
        lattice : Lattice
            Its sites.
        regions : mapping
            Regions that have names.

        Raises
        ------
        ValueError
            When there are none.
        """


@dataclass(frozen=True)
class Where(Region):
    """Sites for which a condition holds."""

    where: Formula

    def sites_of(self, lattice: Places, regions: Mapping[str, "SiteList"]) -> tuple[int, ...]:
        """Return the sites, see `Region`."""
        names = site_names(lattice)
        found = np.flatnonzero(_values(self.where, names, lattice))
        if not found.size:
            used = _names_used(self.where)
            spans = [f"{n} goes from {names[n].min():g} to {names[n].max():g}" for n in used]
            raise ValueError("; ".join([f"no sites: {self.where} holds nowhere", *spans]))
        return tuple((found + 1).tolist())


def _where(written: Mapping[str, object]) -> Where:
    expected = "a condition, {where: x < 10}"
    text = written["where"]
    if len(written) > 1 or not isinstance(text, str):
        raise ValueError(f"expected {expected} and nothing else")
    formula = checked_formula(text, expected)
    if not expression(formula, is_bound=True).is_condition:
        why = f"{formula} is a number"
        raise PydanticCustomError(
            "formula", "{expected} ({why})", {"expected": expected, "why": why}
        )
    return Where(formula)


class Named(str, Region):
    """The name of a region of the system."""

    def sites_of(self, lattice: Places, regions: Mapping[str, "SiteList"]) -> tuple[int, ...]:
        """Return the sites, see `Region`."""
        if self not in regions:
            there_are = f"there are {', '.join(regions)}" if regions else "there are none"
            raise ValueError(f"{self} is no region; {there_are}, under system: regions:")
        return sites_of(regions[self], lattice)


_FORMS = [
    {
        "type": "object",
        "properties": {"where": {"type": "string", "per": "site"}},
        "required": ["where"],
        "additionalProperties": False,
    },
    RANGE,
    {"type": "string", "pattern": REGION},
]
"""JSON Schema of a condition, a range and the name of a region."""


def by_site(values: Mapping) -> dict:
    """Return values by the number of their site, whose keys are texts in a file."""
    return {int(k) if str(k).isdecimal() else k: value for k, value in values.items()}


@dataclass(frozen=True)
class OrRegion:
    """Lets a field of sites have a range, a condition or the name of a region instead."""

    has_names: bool = True

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict:
        return {**handler(schema), "also": _FORMS[: 2 + self.has_names]}

    def _checked(self, value: object, handler: Callable[[object], object]) -> object:
        if isinstance(value, Region):
            return value
        if isinstance(value, str) and self.has_names:
            if not re.fullmatch(REGION, value):
                raise ValueError(f"{value} is no name of a region")
            return Named(value)
        if isinstance(value, str):
            raise ValueError("expected sites, [1, 2], {start: 1, stop: 9} or {where: x < 3}")
        if isinstance(value, Mapping):
            if "where" in value:
                return _where(value)
            is_range = value.keys() & {"start", "stop", "step"}
            value = listed(value) if is_range else by_site(value)
        return handler(as_tuples(value))


_NO_REGIONS: Mapping = MappingProxyType({})
SiteList = Annotated[tuple[Site, ...], OrRegion()]
"""Sites, from 1: a list, a range, a condition or the name of a region."""
UnnamedSites = Annotated[tuple[Site, ...], OrRegion(has_names=False)]
"""The same without names."""


def sites_of(
    sites: Region | tuple[int, ...], lattice: Places, regions: Mapping[str, SiteList] = _NO_REGIONS
) -> tuple[int, ...]:
    """Return the sites that a value of a field `SiteList` stands for, see `Region.sites_of`."""
    return sites.sites_of(lattice, regions) if isinstance(sites, Region) else sites


def with_sites(value: Any, lattice: Places, regions: Mapping[str, SiteList]) -> Any:
    """Return parts, in mappings and lists of any depth, with the sites that their regions have.

    Raises
    ------
    KeyedError
        At the key of a region without sites, see `Region.sites_of`.
    """
    if isinstance(value, Region):
        return value.sites_of(lattice, regions)
    if isinstance(value, Strict):
        found = with_sites(dict(value), lattice, regions)
        changes = {name: each for name, each in found.items() if each is not getattr(value, name)}
        return value.model_copy(update=changes) if changes else value
    entries: Iterable[tuple[Any, Any]]
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, tuple) and value and isinstance(value[0], Strict):
        entries = enumerate(value)
    else:
        return value
    found = {}
    for key, each in entries:
        with at_key(key):
            found[key] = with_sites(each, lattice, regions)
    if all(each is value[key] for key, each in found.items()):
        return value
    return found if isinstance(value, Mapping) else tuple(found.values())
