"""Numbers with what they may be wrong by, and the uncertainty ratio made of three of them."""

from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A number, or an array of numbers, with what it may be wrong by.

    Attributes
    ----------
    value, error : float or array
        Of one shape.
    undefined : str
        Why a value is NaN; empty where all values are defined.
    """

    value: float | np.ndarray
    error: float | np.ndarray
    undefined: str = ""


def undefined(reason: str) -> Estimate:
    """Return NaN, and why.

    Parameters
    ----------
    reason : str
        Why there is no value.

    Returns
    -------
    Estimate
        NaN with an error of NaN.
    """
    return Estimate(np.nan, np.nan, reason)


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
