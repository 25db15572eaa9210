"""Response of the particle density to a weak square barrier in a line shared by reservoirs."""

import numpy as np

from nessflow.grids import Listed, numbers_of
from nessflow.mixture.density_response import density_response
from nessflow.outcome import joined
from nessflow.parts import quantity
from nessflow.studies import mixtures
from nessflow.studies.kind import Coordinate, Grid, Outcome, Variable
from nessflow.studies.mixtures import TRANSPORT, LineParameters
from nessflow.studies.variables import never_random, outcome_of

CONVENTIONS = (
    *mixtures.CONVENTIONS,
    "Density response: change of the density over the height of a static square barrier, for a "
    "small height; positions count from its middle.  The current does not respond in first order.",
)

VARIABLES = {
    "density_response": Variable(
        ("position",), "1/(t*a)", "change of the density over the height of the barrier"
    ),
    "density_response_error": Variable(
        ("position",),
        "1/(t*a)",
        "numerical error of change of the density over the height of the barrier",
    ),
} | TRANSPORT
is_random = never_random


class Positions(Grid):
    """Evenly spaced positions."""

    start: float = quantity("lowest position", "a", -10.0)
    stop: float = quantity("highest position", "a", 10.0)


class Parameters(LineParameters):
    """A line, a barrier and positions."""

    half_width: float = quantity("half width of the barrier", "a", gt=0)
    positions: Positions | Listed = quantity(
        "positions, a grid or a list in any order", "a", Positions()
    )


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the positions, and the coordinates of the transport."""
    return mixtures.line_coordinates(parameters) | {
        "position": Coordinate(numbers_of(parameters.positions), "a", "position")
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the response of one line (eq. 129 corrected), and its transport."""
    (transport,) = mixtures.transport_outcomes([parameters])
    found = density_response(
        parameters.mixture.state, numbers_of(parameters.positions), parameters.half_width
    )
    warm = any(reservoir.temperature > 0 for reservoir in parameters.mixture.reservoirs)
    never_zero = {"density_response": warm}
    response = outcome_of(VARIABLES, {"density_response": found}, never_zero=never_zero)
    return joined(transport, response)
