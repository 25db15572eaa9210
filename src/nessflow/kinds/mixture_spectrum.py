"""Momentum distribution and transfer probabilities of a line that reservoirs share by weights."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate
from nessflow.grids import Listed, numbers_of
from nessflow.mixture.counting import transfer_probability
from nessflow.mixture.occupation import distribution
from nessflow.mixture.state import Mixture
from nessflow.parts import quantity
from nessflow.studies import mixtures
from nessflow.studies.kind import NOT_NEGATIVE, PROBABILITY, Coordinate, Grid, Outcome, Variable
from nessflow.studies.mixtures import TRANSPORT, LineParameters
from nessflow.studies.variables import never_random, outcome_of, with_errors

CONVENTIONS = (
    *mixtures.CONVENTIONS,
    "Transfer probability: that the particles of momentum k change the right reservoir by the "
    "number transferred, positive for k > 0, negative for k < 0.",
    "Current per momentum: k/2pi m (d_mix(k) - d_mix(-k)) at |k|; its integral over k > 0 is the "
    "net particle current.",
)

_SPECTRA = {
    "momentum_distribution": Variable(("momentum",), "1", "mean number of particles", NOT_NEGATIVE),
    "transfer_probability": Variable(
        ("momentum", "transferred"),
        "1",
        "probability of a number of transferred particles",
        PROBABILITY,
    ),
    "current_per_momentum": Variable(("momentum",), "t*a/hbar", "particle current per momentum"),
}
VARIABLES = with_errors(_SPECTRA) | TRANSPORT
_ROUNDING = 4 * np.finfo(float).eps
is_random = never_random


class Momenta(Grid):
    """Evenly spaced momenta."""

    start: float = quantity("lowest momentum", "1/a", -8.0)
    stop: float = quantity("highest momentum", "1/a", 8.0)


class Parameters(LineParameters):
    """A line, momenta, and numbers of particles."""

    momenta: Momenta | Listed = quantity("momenta, a grid or a list in any order", "1/a", Momenta())
    largest_transfer: int = Field(1, ge=1, le=50, description="largest number of particles")


def _transferred(parameters: Parameters) -> np.ndarray:
    return np.arange(-parameters.largest_transfer, parameters.largest_transfer + 1)


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return momenta and numbers of particles, and those of the transport."""
    return mixtures.line_coordinates(parameters) | {
        "momentum": Coordinate(numbers_of(parameters.momenta), "1/a", "momentum"),
        "transferred": Coordinate(
            _transferred(parameters), "1", "number of particles that reach the right reservoir"
        ),
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the spectra of one line (eqs 5, 68, 72), and its transport."""
    return evaluate_many([parameters])[0]


def evaluate_many(parameters: Sequence[Parameters], rngs: Sequence[None] = ()) -> list[Outcome]:
    """Return the outcomes of many points, computed together."""
    return mixtures.with_transport(parameters, lambda many: [_spectrum(one) for one in many])


def _spectrum(parameters: Parameters) -> Outcome:
    line, k = parameters.mixture.state, numbers_of(parameters.momenta)
    offsets = [k**2 / (2 * line.mass) - r.chemical_potential for r in line.reservoirs]
    temperatures = [r.temperature for r in line.reservoirs]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reduced = [x / t for x, t in zip(offsets, temperatures, strict=True)]
    filled = np.array([distribution(np.nan_to_num(x, nan=0.0), line.sign) for x in reduced])
    off = _rounding_of_occupations(line, k, filled)
    shares = line.weights.at(abs(k))
    # Forward and backward at |k|; steps have no momenta of their own.
    sides = shares.forward, shares.backward
    forward, backward = ((w * filled).sum(axis=0) for w in sides)
    errors = [(w * off).sum(axis=0) for w in sides]
    mixed, error = np.where(k > 0, forward, backward), np.where(k > 0, *errors)
    numbers = _transferred(parameters)
    probability = np.stack([_transfer(mixed, k, m, line.sign) for m in numbers], axis=1)
    # p is n or 1 - n of fermions, n^m / (1 + n)^(m + 1) of bosons, whose logarithm changes most
    # with n where that is small.
    slope = (2 * abs(numbers) + 1) * probability / np.maximum(mixed, 1e-300)[:, None]
    slope = np.ones_like(slope) if line.sign == 1 else slope
    velocity = abs(k) / (2 * np.pi * line.mass)
    wrong = slope * error[:, None] + _ROUNDING * probability
    flow = Estimate(forward - backward, sum(errors) + _ROUNDING * (forward + backward))
    found = {
        "momentum_distribution": Estimate(mixed, error),
        "transfer_probability": Estimate(probability, wrong),
        "current_per_momentum": velocity * flow,
    }
    limits = {"momentum_distribution": PROBABILITY} if line.sign == 1 else {}
    return outcome_of(VARIABLES, found, limits=limits)


def _rounding_of_occupations(line: Mixture, k: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Return what occupations of the reservoirs may be wrong by, (r, k).

    ``df = f (1 -+ f) dx``, with x a difference of energies that are rounded each.
    """
    sizes = [k**2 / (2 * line.mass) + abs(r.chemical_potential) for r in line.reservoirs]
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = [size / r.temperature for size, r in zip(sizes, line.reservoirs, strict=True)]
    change = filled * abs(1 - line.sign * filled)
    product = np.where(change > 0, change * np.nan_to_num(moved, posinf=0.0), 0.0)
    return _ROUNDING * (product + filled)


def _transfer(mixed: np.ndarray, k: np.ndarray, number: int, sign: int) -> np.ndarray:
    """Return the probability that ``number`` particles arrive at the right, signed (68)."""
    probability = transfer_probability(mixed, abs(number), sign)
    if number == 0:
        return probability
    return np.where(np.where(k > 0, 1, -1) == np.sign(number), probability, 0.0)
