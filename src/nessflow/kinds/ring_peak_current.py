"""Largest current of a weakly coupled ring over the share of its dissipator, and its noise."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate
from nessflow.kinetic.peak import SHARES, Peak, peak_current
from nessflow.parts import Strict
from nessflow.studies import rings
from nessflow.studies.kind import PROBABILITY, Coordinate, Outcome, Variable
from nessflow.studies.variables import failed, never_random, outcome_of, status_of, with_errors


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

    def elsewhere(other: rings.Ring) -> rings.Estimates:
        found = _peak(other, peak.around)
        if found.fault:
            raise RuntimeError(found.fault)
        return _estimates(found)

    found, missing = rings.with_length(ring, _estimates(peak), elsewhere)
    found["peak_entropy_production"] = rings.finite(found["peak_entropy_production"])
    if peak.fault:
        return outcome_of(VARIABLES, found, *status_of(peak.fault))
    share = peak.nonequilibrium_share
    state = rings.steady(ring, 0.0 if share.undefined else share.value)
    # The search for a peak meets all shares.
    return outcome_of(VARIABLES, found, *rings.judged(ring, 1.0, state, missing))


def _peak(ring: rings.Ring, around: Sequence[float] = ()) -> Peak:
    modes = ring.bloch_bands()
    channels = ring.channels(modes)
    return peak_current(
        modes,
        ring.inverse_temperature,
        channels,
        ring.coupling,
        ring.filling,
        around or SHARES,
    )


def _estimates(peak: Peak) -> dict[str, Estimate]:
    return {
        "peak_particle_current": peak.particle_current,
        "peak_nonequilibrium_share": peak.nonequilibrium_share,
    } | _flows(peak)


def _flows(peak: Peak) -> dict[str, Estimate]:
    """Return noise and entropy; errors hold the changes within the error of the share."""
    names = [name for name in rings.FLOWS if f"peak_{name}" in _AT_PEAK and "_error" not in name]
    if not peak.states:
        return dict.fromkeys((f"peak_{name}" for name in names), peak.nonequilibrium_share)
    found, *beside = (rings.flows(state) for state in peak.states)
    result = {}
    for name in names:
        value, error, undefined = found[name]
        if math.isfinite(value):
            error += max((abs(other[name].value - value) for other in beside), default=0.0)
        result[f"peak_{name}"] = Estimate(value, error, undefined)
    return result
