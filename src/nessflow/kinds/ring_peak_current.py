"""Largest current of a weakly coupled ring over the share of its dissipator, and its noise."""

import math
from dataclasses import replace

import numpy as np
from pydantic import Field

from nessflow.kinetic.peak import Peak, peak_current
from nessflow.parts import Strict
from nessflow.studies import rings
from nessflow.studies.kind import PROBABILITY, Coordinate, Outcome, Status, Variable
from nessflow.studies.variables import failed, never_random, with_errors


class Parameters(Strict):
    """One ring; the share of the dissipator is varied."""

    ring: rings.Ring = Field(description="bands, baths and filling")


CONVENTIONS = (
    *rings.CONVENTIONS,
    "Peak: the current of largest magnitude over the shares of the dissipator from 0 to 1 - 1e-24, "
    "and 1, with its sign; found on 116 shares, dense near 1, and refined to the zero of the "
    "derivative.  At 1 the current may jump, from a largest value that it only tends to.",
    "Noise and entropy production are those at the peak; what they change by within the error of "
    "the share is part of their own.",
)

_AT_PEAK = {
    f"peak_{name}": replace(variable, long_name=f"{variable.long_name}, at the peak")
    for name, variable in rings.FLOWS.items()
    if "current" not in name
}

VARIABLES = (
    with_errors(
        {
            "peak_particle_current": Variable(
                (), "t/hbar", "particle current of largest magnitude"
            ),
            "peak_nonequilibrium_share": Variable(
                (), "1", "share of the dissipator at the peak", PROBABILITY
            ),
        }
    )
    | _AT_PEAK
)
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return no coordinate: every variable is a number."""
    return {}


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the peak of one ring (paper weak-coupling-rectification, Figs. 3(b) and 5(a))."""
    ring = parameters.ring
    try:
        peak = _peak(ring)
    except ValueError as error:
        return failed(VARIABLES, {}, str(error))
    values, missing = rings.with_length(ring, _values(peak), _elsewhere)
    values, notes = rings.finite(values, ["peak_entropy_production"])
    still = math.isnan(peak.nonequilibrium_share) and not peak.fault
    if still:
        reason = "the current is zero within its error at all shares"
        undefined = "nonequilibrium_share", "particle_noise", "entropy_production"
        notes |= {f"peak_{name}": reason for name in undefined}
    if peak.fault:
        return Outcome(values, Status.NOT_CONVERGED, peak.fault, notes)
    share = 0.0 if still else peak.nonequilibrium_share
    state = rings.steady(ring, share)
    # The search for a peak meets all shares.
    return Outcome(values, *rings.judged(ring, 1.0, state, missing), notes)


def _peak(ring: rings.Ring) -> Peak:
    modes = ring.bloch_bands()
    return peak_current(
        modes, ring.inverse_temperature, ring.channels(modes), ring.coupling, ring.filling
    )


def _elsewhere(ring: rings.Ring) -> dict[str, float]:
    peak = _peak(ring)
    if peak.fault:
        raise RuntimeError(peak.fault)
    return _values(peak)


def _values(peak: Peak) -> dict[str, float]:
    return (
        dict.fromkeys(_AT_PEAK, math.nan)
        | _flows(peak)
        | {
            "peak_particle_current": peak.particle_current,
            "peak_particle_current_error": peak.particle_current_error,
            "peak_nonequilibrium_share": peak.nonequilibrium_share,
            "peak_nonequilibrium_share_error": peak.nonequilibrium_share_error,
        }
    )


def _flows(peak: Peak) -> dict[str, float]:
    """Return what `_AT_PEAK` lists; errors hold the changes within the error of the share."""
    if not peak.states:
        return {}
    found, *beside = ({f"peak_{k}": x for k, x in rings.flows(s).items()} for s in peak.states)
    values = {name: found[name] for name in _AT_PEAK}
    for name in values:
        if not name.endswith("_error") and math.isfinite(values[name]):
            moved = [abs(other[name] - values[name]) for other in beside]
            values[f"{name}_error"] += max(moved, default=0.0)
    return values
