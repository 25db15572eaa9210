"""Numbers with what they may be wrong by, and the uncertainty ratio made of three of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Number: TypeAlias = Any
"""A float, or an array of floats: the dimensions of a variable say which, no type does."""


class _Numbers(NamedTuple):
    value: Number
    error: Number
    undefined: str = ""


class Estimate(_Numbers):
    """A number, or an array of numbers, with what it may be wrong by.

    Attributes
    ----------
    value, error : float or array
        Of one shape; the error is NaN where nobody stores it.
    undefined : str
        Why a value is NaN; empty where all values are defined.
    """

    __slots__ = ()

    def at(self, index: Any) -> "Estimate":
        """Return some of the numbers, by an index of arrays of the value's shape."""
        value = self.value[index]
        why = self.undefined if self.undefined and np.isnan(value).any() else ""
        return Estimate(value, self.error[index], why)

    # Else a product with an array would be that array times a tuple.
    __array_ufunc__ = None

    def __mul__(self, factor: Number) -> "Estimate":
        """Return the product with an exact factor, or with one for each number."""
        return Estimate(self.value * factor, self.error * abs(factor), self.undefined)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Number) -> "Estimate":
        """Return the quotient by an exact number, or by one for each number."""
        return Estimate(self.value / divisor, self.error / abs(divisor), self.undefined)

    def total(self) -> "Estimate":
        """Return the sum of all numbers, with the sum of their errors."""
        return Estimate(float(self.value.sum()), float(self.error.sum()), self.undefined)


def undefined(reason: str, shape: tuple[int, ...] = ()) -> Estimate:
    """Return NaN, and why.

    Parameters
    ----------
    reason : str
        Why there is no value.
    shape : tuple of int
        Of the value; a number unless told.

    Returns
    -------
    Estimate
        NaN with an error of NaN.
    """
    value, error = np.full((2, *shape), np.nan)
    return Estimate(value, error, reason)


def stacked(parts: Mapping[str, Estimate]) -> Estimate:
    """Return the estimates of several parts, such as equations or directions, along a first axis.

    Parameters
    ----------
    parts : mapping of str to Estimate
        Name of a part to its estimate, all of one shape.

    Returns
    -------
    Estimate
        Undefined parts are named with their reasons.
    """
    values, errors, reasons = zip(*parts.values(), strict=True)
    reason = reasons_of_parts(dict(zip(parts, reasons, strict=True)))
    return Estimate(np.array(values), np.array(errors), reason)


def reasons_of_parts(reasons: Mapping[str, str]) -> str:
    """Return why parts of a variable are undefined, each with its own reason.

    Parameters
    ----------
    reasons : mapping of str to str
        Name of a part, such as an equation or a direction, to its reason; empty where the part is
        defined.

    Returns
    -------
    str
        The reason where all parts share it, else ``name, name: reason; name: reason``; empty
        where all are defined.
    """
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            names.setdefault(reason, []).append(name)
    if len(names) == 1 and len(*names.values()) == len(reasons):
        return next(iter(names))
    return "; ".join(f"{', '.join(who)}: {reason}" for reason, who in names.items())


def without_two_leads(leads: int, what: str = "it") -> str:
    """Return why a quantity between two leads is not defined, or an empty text."""
    return "" if leads == 2 else f"{what} is defined between two leads, the system has {leads}"


NEGATIVE_ENTROPY = "the entropy production is negative, outside the second law's regime"


def uncertainty_ratio(noise: Estimate, entropy: Estimate, current: Estimate) -> Estimate:
    """Return ``noise x entropy production / current^2``, at least 2 for classical Markov jumps.

    Parameters
    ----------
    noise : Estimate
        Zero-frequency noise of a current, in t/hbar (the growth of its variance with time).
    entropy : Estimate
        Entropy production, in k_B t/hbar.
    current : Estimate
        That current, in t/hbar.

    Returns
    -------
    Estimate
        Undefined where a part is, where the entropy production is negative, or where the current
        is zero within its error.
    """
    for part in (noise, entropy, current):
        if part.undefined:
            return undefined(part.undefined)
    if entropy.value < -entropy.error:
        return undefined(NEGATIVE_ENTROPY)
    if not abs(current.value) > current.error:
        return undefined("the current is zero within its error")
    # Quotients first: the square of a current of 1e-170 underflows.
    value = (noise.value / current.value) * (entropy.value / current.value)
    # d(1/J^2) between J and the end of its error nearer to zero.
    smallest = abs(current.value) - current.error
    spread = (current.value / smallest) ** 2 - 1
    scaled = noise.error / smallest, entropy.error / smallest
    error = scaled[0] * (abs(entropy.value) / smallest) + (abs(noise.value) / smallest) * scaled[1]
    return Estimate(value, error + scaled[0] * scaled[1] + abs(value) * spread)
