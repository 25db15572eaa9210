"""Current of a weakly coupled ring beside the symmetries of its dissipator."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.kinetic.symmetry import inverse_modes, inversion_asymmetry, printed_asymmetry
from nessflow.parts import KeyedError, Strict, at_key, quantity
from nessflow.studies import rings
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Outcome, Variable
from nessflow.studies.variables import failed, never_random, outcome_of


class Parameters(Strict):
    """One ring with one band and one operator."""

    ring: rings.Ring = Field(description="bands, baths and filling")
    nonequilibrium_share: float = quantity(
        "share gamma_neq of the dissipator in the coupling", "1", ge=0, le=1
    )

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if len(self.ring.bands.orbitals) != 1:
            raise KeyedError(
                "symmetries are compared for one band; use study: ring-steady-state",
                "ring",
                "bands",
            )
        if len(self.ring.dissipator.operators(1)) != 1:
            raise KeyedError("symmetries are compared for one operator", "ring", "dissipator")
        with at_key("ring", "momentum_shift"):
            inverse_modes(self.ring.bloch_bands().momentum)
        return self


CONVENTIONS = (
    *rings.CONVENTIONS,
    "Asymmetries: distance between the rates W(k, p) and their image, relative to their size "
    "(Frobenius norms over all pairs of momenta).",
)

VARIABLES = rings.FLOWS | {
    "inversion_asymmetry": Variable(
        (), "1", "departure of the rates from those at -k, -p", NOT_NEGATIVE
    ),
    "printed_asymmetry": Variable(
        (), "1", "departure of the rates from those at -k, p or k, -p", NOT_NEGATIVE
    ),
}
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return no coordinate: every variable is a number."""
    return {}


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the flows and what eq. 14 of paper weak-coupling-rectification compares."""
    ring, share = parameters.ring, parameters.nonequilibrium_share
    try:
        state = rings.steady(ring, share)
    except ValueError as error:
        return failed(VARIABLES, {}, str(error))
    inverse = inverse_modes(state.equation.bands.momentum)
    (channel,) = ring.channels(state.equation.bands)
    found, missing = rings.with_length(
        ring, rings.flows(state), lambda other: rings.flows(rings.steady_elsewhere(other, share))
    )
    found |= {
        "entropy_production": rings.finite(found["entropy_production"]),
        "inversion_asymmetry": inversion_asymmetry(channel, inverse),
        "printed_asymmetry": printed_asymmetry(channel, inverse),
    }
    return outcome_of(VARIABLES, found, *rings.judged(ring, share, state, missing))
