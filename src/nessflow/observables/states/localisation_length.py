"""Localisation length: how waves decay through a sample, by its transmission and by its bulk."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, undefined, without_two_leads
from nessflow.grids import EnergyGrid, Listed, numbers_of
from nessflow.observables.observable import Observable
from nessflow.outcome import Coordinate, Limits, Variable, with_errors
from nessflow.parts import quantity
from nessflow.scattering.currents import open_channels
from nessflow.scattering.states.slices import (
    Slices,
    log_transmission,
    lyapunov_exponent,
    why_no_transfer,
)
from nessflow.spectrum.edges.limits import continuous, listed_energies
from nessflow.spectrum.rates import Rates
from nessflow.spectrum.rounding import blur
from nessflow.systems.system import OpenSystem

_ROUNDING = 16 * np.finfo(float).eps
"""Relative error of what one slice multiplies a wave with."""
_TINY = 1e-250
"""Transmission below which its digits, and soon all of it, are lost to underflow."""


class LocalisationLength(Observable):
    """Decay of waves along the sample, from its transmission and from its transfer matrices."""

    name = "localisation-length"
    variables = with_errors(
        {
            "log_transmission": Variable(
                ("energy",), "1", "natural logarithm of the transmission from lead to lead"
            ),
            "decay_rate": Variable(
                ("energy",), "1", "-log_transmission over twice the number of slices"
            ),
            "lyapunov_exponent": Variable(
                ("energy",),
                "1",
                "smallest growing Lyapunov exponent, 0 or more but for its error",
            ),
            "localisation_length": Variable(
                ("energy",), "1", "inverse of the Lyapunov exponent, in slices"
            ),
        }
    )
    conventions = (
        "Localisation length: the first slice has the sites of the first lead, each further one "
        "those that the one before is coupled to: the sites of a chain, the columns of a strip "
        "between leads on its ends.  The transmission is that from the first lead into the "
        "second.  Over long samples the decay rate tends to the inverse of the localisation "
        "length; its mean over samples is that of the logarithm.",
        "Lyapunov exponents are those of the sample without its leads, for a slice, of amplitudes: "
        "the density of a localised state falls with twice the smallest.  They come in pairs of "
        "both signs, of which the smallest of the growing half is stored.  Its error is that of an "
        "average over parts of the sample; where states are extended it is 0 within that, and may "
        "be negative, and the length is undefined.",
    )

    energies: EnergyGrid | Listed = quantity("energies, a grid or a list in any order", "t")

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the energies."""
        return {"energy": Coordinate(numbers_of(self.energies), "t", "energy")}

    def evaluate(self, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return the four, O(slices W^3) for each energy and W sites in a slice."""
        energies = numbers_of(self.energies)
        if reason := without_two_leads(len(system.terminals)):
            return {x: undefined(reason, energies.shape) for x in _names(self.variables)}
        slices = Slices.of(system)
        passed = _log_transmission(system, slices, energies)
        exponent = _exponent(slices, energies)
        return {
            "log_transmission": passed,
            "decay_rate": passed * (-0.5 / slices.count),
            "lyapunov_exponent": exponent,
            "localisation_length": _inverse(exponent),
        }

    def limits(self, system: OpenSystem) -> dict[str, Limits]:
        """Return that no more gets through than there are channels."""
        most = min(len(terminal.channels) for terminal in system.terminals)
        return {"log_transmission": Limits(upper=np.log(most))}


def _names(variables: Mapping[str, Variable]) -> list[str]:
    return [name for name in variables if not name.endswith("_error")]


def _log_transmission(system: OpenSystem, slices: Slices, energies: np.ndarray) -> Estimate:
    """Return the logarithm, NaN where nothing gets through."""
    opened = (open_channels(system, energies) > 0).all(axis=0)
    value, error = np.full((2, energies.size), np.nan)
    if opened.any():
        value[opened], error[opened] = _with_errors(system, slices, energies[opened])
    lost = opened & np.isnan(error)
    value[lost] = np.nan
    reasons = []
    if not opened.all():
        reasons.append(f"a lead is closed at the energy {listed_energies(energies[~opened])}")
    if lost.any():
        reasons.append(f"nothing gets through at the energy {listed_energies(energies[lost])}")
    return Estimate(value, error, "; ".join(reasons))


def _with_errors(
    system: OpenSystem, slices: Slices, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithm and its error, NaN where what is rounded may be 0: waves cancel."""
    shift = blur(system, energies)
    around = np.concatenate([energies - shift, energies, energies + shift])
    below, value, above = np.split(_logarithm(system, slices, around), 3)
    rounding = _rounding(system, slices, energies)
    vanishes = (np.fmax(below, above) - value > np.log(2)) | ~(rounding < 1)
    error = np.fmax(abs(below - value), abs(above - value)) + rounding
    return value, np.where(vanishes, np.nan, error)


def _logarithm(system: OpenSystem, slices: Slices, energies: np.ndarray) -> np.ndarray:
    passed = continuous(system, energies, lambda own, w: Rates(own, w).leads[1, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(passed)
    tiny = passed < _TINY
    value[tiny] = log_transmission(system, slices, energies[tiny])
    return np.where(np.isfinite(value), value, np.nan)


def _rounding(system: OpenSystem, slices: Slices, energies: np.ndarray) -> np.ndarray:
    """Return the relative error of the transmission, (E,)."""
    rates = Rates(system, energies)
    passed, cancelled = rates.leads[1, 0], rates.cancelled[1, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = _ROUNDING * (1 + cancelled / passed)
    return np.where(passed < _TINY, _ROUNDING * slices.width * slices.count, direct)


def _exponent(slices: Slices, energies: np.ndarray) -> Estimate:
    if reason := why_no_transfer(slices):
        return undefined(reason, energies.shape)
    return Estimate(*lyapunov_exponent(slices, energies))


def _inverse(exponent: Estimate) -> Estimate:
    """Return the length, NaN where the exponent is not more than its error."""
    if exponent.undefined:
        return exponent
    rate, error, _ = exponent
    known = rate > error
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(known, 1 / rate, np.nan)
        spread = np.where(known, 1 / (rate - error) - length, np.nan)
    reason = "" if known.all() else "the sample is too short to tell the exponent from 0"
    return Estimate(length, spread, reason)
