"""Parameters of mixtures of reservoirs, and the transport that every kind of them reports."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, model_validator

from nessflow.estimate import Estimate, uncertainty_ratio
from nessflow.mixture import engine, state
from nessflow.mixture.state import Mixture
from nessflow.mixture.transport import Transport, transport
from nessflow.outcome import joined
from nessflow.parts import KeyedError, Strict, quantity
from nessflow.studies.kind import (
    COVARIANCE,
    NOT_NEGATIVE,
    PROBABILITY,
    SECOND_LAW,
    Coordinate,
    Limits,
    Outcome,
    Variable,
)
from nessflow.studies.variables import of_integrals, outcome_of, with_errors

CONVENTIONS = (
    "Free particles on a line, energy k^2/2m, hbar = k_B = e = 1, lengths in a.  The momentum "
    "distribution is sum_i w_i(k) d_i(k); imbalance: I(k) = w_1(k) - w_1(-k).",
    "Net current: from left to right.  A terminal's current counts from the reservoir into the "
    "system.  Reservoirs are left (1) and right (2), or reservoir-1, reservoir-2, ... when there "
    "are more; then only the net current is defined (kind mixture-junction: a choice for gates).",
    "Noise: zero frequency, growth of the variance of the transferred number, no factor 2.",
    "Entropy moments: those of single transfers, weighted with |k|/m (the paper's fluctuations). "
    "Entropy cumulants: what its time-integrated correlations are; they may be negative.",
    "Second law: sure for I(k) >= 0 (k > 0), that is c_plus >= c_minus.  Where entropy goes down, "
    "efficiency and uncertainty ratio are undefined.",
)

_PARTICLE, _ENERGY, _ENTROPY = "t/hbar", "t^2/hbar", "k_B*t/hbar"
Probability = Annotated[float, Field(ge=0, le=1)]


class StepWeights(Strict):
    """Two reservoirs, w_left = 1/2 + c_plus for k > 0 and 1/2 + c_minus for k < 0."""

    kind: Literal["step"]
    c_plus: float = quantity("w_left - 1/2 for k > 0", "1", ge=-0.5, le=0.5)
    c_minus: float = quantity("w_left - 1/2 for k < 0", "1", ge=-0.5, le=0.5)

    def weights(self) -> state.StepWeights:
        """Return the weights of the engine."""
        return state.StepWeights.from_constants(self.c_plus, self.c_minus)


class GaussianWeights(Strict):
    """Two reservoirs with the imbalance exp(-decay k^2)."""

    kind: Literal["gaussian"]
    decay: float = quantity(
        "coefficient of k^2 in the exponent; the imbalance is 1/sqrt(decay) wide", "a^2", gt=0
    )

    def weights(self) -> state.GaussianWeights:
        """Return the weights of the engine."""
        return state.GaussianWeights(self.decay)


class DirectionWeights(Strict):
    """Any number of reservoirs, weights that depend on the direction alone."""

    kind: Literal["direction"]
    forward: tuple[Probability, ...] = Field(description="weight of each reservoir for k > 0")
    backward: tuple[Probability, ...] = Field(description="weight of each reservoir for k < 0")

    @model_validator(mode="after")
    def _probabilities(self) -> Self:
        self.weights()
        return self

    def weights(self) -> state.StepWeights:
        """Return the weights of the engine."""
        return state.StepWeights(self.forward, self.backward)


class TableWeights(Strict):
    """Weights at given momenta, straight lines between, constant beyond the last."""

    kind: Literal["table"]
    momenta: tuple[float, ...] = Field(
        description="momenta, from 0 or more upwards",
        json_schema_extra={"natural_units": "1/a"},
    )
    forward: tuple[tuple[Probability, ...], ...] = Field(
        description="for each reservoir its weights at k = momenta"
    )
    backward: tuple[tuple[Probability, ...], ...] = Field(
        description="for each reservoir its weights at k = -momenta"
    )

    @model_validator(mode="after")
    def _probabilities(self) -> Self:
        for name in ("forward", "backward"):
            for number, row in enumerate(getattr(self, name)):
                if len(row) != len(self.momenta):
                    raise KeyedError(
                        f"each row of {name} needs {len(self.momenta)} weights, "
                        "one for each of the momenta",
                        name,
                        number,
                    )
        self.weights()
        return self

    def weights(self) -> state.TabulatedWeights:
        """Return the weights of the engine."""
        tables = (np.array(x) for x in (self.momenta, self.forward, self.backward))
        return state.TabulatedWeights(*tables)


class Reservoir(Strict):
    """A thermal reservoir."""

    temperature: float = quantity("temperature", "t", ge=0)
    chemical_potential: float = quantity("chemical potential", "t")

    def reservoir(self) -> state.Reservoir:
        """Return the reservoir of the engine."""
        return state.Reservoir(self.temperature, self.chemical_potential)


class Particles(Strict):
    """Which particles come from which reservoirs."""

    statistics: Literal["fermions", "bosons"] = "fermions"
    mass: float = quantity("mass of a particle", "hbar^2/(t*a^2)", 1.0, gt=0)
    # A list: a tuple with a faulty entry would be called too short as well.
    reservoirs: list[Reservoir] = Field(
        min_length=2, description="left and right reservoir, or more of them"
    )


class Line(Particles):
    """A line between reservoirs that share its particles by weights."""

    weights: Annotated[
        StepWeights | GaussianWeights | DirectionWeights | TableWeights, Discriminator("kind")
    ] = Field(description="share of each reservoir in the particles of one momentum")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.state  # raises where they do not fit
        return self

    @cached_property
    def state(self) -> Mixture:
        """The mixture of the engine."""
        reservoirs = [reservoir.reservoir() for reservoir in self.reservoirs]
        return Mixture(reservoirs, self.weights.weights(), self.mass, self.statistics)


class LineParameters(Strict):
    """One line."""

    mixture: Line = Field(description="particles, reservoirs and weights")
    orders: int = Field(4, ge=2, le=12, description="highest cumulant and moment")


def terminal_names(count: int) -> np.ndarray:
    """Return the names of reservoirs."""
    two = ["left", "right"]
    return np.array(two if count == 2 else [f"reservoir-{i}" for i in range(1, count + 1)])


def line_coordinates(parameters: LineParameters) -> dict[str, Coordinate]:
    """Return reservoirs and orders."""
    names = terminal_names(len(parameters.mixture.reservoirs))
    orders = np.arange(1, parameters.orders + 1)
    return {
        "terminal": Coordinate(names, "1", "terminal"),
        "lead": Coordinate(names, "1", "lead"),
        "lead_2": Coordinate(names, "1", "second lead"),
        "order": Coordinate(orders, "1", "order of the cumulant or moment"),
    }


TRANSPORT = with_errors(
    {
        "particle_density": Variable((), "1/a", "particle density", NOT_NEGATIVE),
        "particle_current": Variable(
            ("terminal",), _PARTICLE, "particle current from the terminal into the system"
        ),
        "net_particle_current": Variable((), _PARTICLE, "particle current from left to right"),
        "energy_current": Variable(
            ("terminal",), _ENERGY, "energy current from the terminal into the system"
        ),
        "net_energy_current": Variable((), _ENERGY, "energy current from left to right"),
        "heat_current": Variable(("lead",), _ENERGY, "heat current from the lead into the system"),
        "particle_noise": Variable(
            ("lead", "lead_2"),
            _PARTICLE,
            "zero-frequency noise of the leads' particle currents",
            COVARIANCE,
        ),
        "net_particle_noise": Variable(
            (), _PARTICLE, "zero-frequency noise of the net particle current", NOT_NEGATIVE
        ),
        "particle_cumulant": Variable(
            ("order",), _PARTICLE, "cumulant of the transferred number per unit time"
        ),
        "entropy_production": Variable((), _ENTROPY, "entropy production of all terminals"),
        "entropy_moment": Variable(
            ("order",), _PARTICLE, "moment of the entropy of single transfers, in powers of k_B"
        ),
        "entropy_cumulant": Variable(
            ("order",), _PARTICLE, "cumulant of the entropy production, in powers of k_B"
        ),
        "uncertainty_ratio": Variable(
            (),
            "k_B",
            "net particle noise times entropy production over net particle current squared",
            NOT_NEGATIVE,
        ),
        "power": Variable((), _ENERGY, "heat that becomes chemical energy"),
        "efficiency": Variable(
            (), "1", "power over the heat that the hotter reservoir loses", PROBABILITY
        ),
        "carnot_efficiency": Variable((), "1", "Carnot's bound of the efficiency", PROBABILITY),
    }
)

_OF_GATES = ("particle_current", "energy_current", "heat_current", "particle_noise")
_OF_ENTROPY = ("entropy_production", "entropy_moment", "entropy_cumulant")
_OF_ENGINES = ("power", "efficiency", "carnot_efficiency")


def transport_outcomes(parameters: Sequence[LineParameters]) -> list[Outcome]:
    """Return the observables in `TRANSPORT` of many lines, computed together."""
    lines = [one.mixture.state for one in parameters]
    groups: dict[tuple[int, int, int], list[int]] = {}
    for index, (line, one) in enumerate(zip(lines, parameters, strict=True)):
        groups.setdefault((len(line.reservoirs), line.sign, one.orders), []).append(index)
    outcomes: dict[int, Outcome] = {}
    for (_, _, orders), members in groups.items():
        mixtures = [lines[i] for i in members]
        outcomes |= zip(members, _outcomes(mixtures, orders), strict=True)
    return [outcomes[index] for index in range(len(lines))]


def _outcomes(mixtures: list[Mixture], orders: int) -> list[Outcome]:
    found = transport(mixtures, orders)
    two = len(mixtures[0].reservoirs) == 2
    columns = _columns(mixtures, found, two)
    return [
        _outcome(mixture, {name: x.at((..., i)) for name, x in columns.items()}, converged)
        for i, (mixture, converged) in enumerate(zip(mixtures, found.converged, strict=True))
    ]


def _columns(mixtures: list[Mixture], found: Transport, two: bool) -> dict[str, Estimate]:
    """Return all numbers that are computed for many points at once, the points last."""
    count, points = len(mixtures[0].reservoirs), len(mixtures)
    nowhere = Estimate(*np.full((2, points), np.nan))
    columns = {
        "particle_density": found.density,
        "net_particle_current": found.particle_current,
        "net_energy_current": found.energy_current,
        "net_particle_noise": found.noise,
        "particle_cumulant": found.cumulants,
        "entropy_production": found.entropy_production,
        "entropy_moment": found.entropy_moments,
        "entropy_cumulant": found.entropy_cumulants,
        "heat_current": found.heat_current
        if two
        else Estimate(*np.full((2, count, points), np.nan)),
        "power": engine.power(mixtures, found) if two else nowhere,
        "efficiency": engine.efficiency(mixtures, found) if two else nowhere,
        "carnot_efficiency": engine.carnot_efficiency(mixtures) if two else nowhere,
    }
    along = np.array([1.0, -1.0]) if two else np.full(count, np.nan)
    signs = {
        "particle_current": (found.particle_current, along),
        "energy_current": (found.energy_current, along),
        "particle_noise": (found.noise, np.multiply.outer(along, along)),
    }
    for name, (one, sign) in signs.items():
        columns[name] = Estimate(
            np.multiply.outer(sign, one.value), np.multiply.outer(abs(sign), one.error)
        )
    return columns


def _outcome(mixture: Mixture, found: dict[str, Estimate], converged: bool) -> Outcome:
    for name, reason in _reasons(mixture, found).items():
        found[name] = found[name]._replace(undefined=reason)
    names = ("net_particle_noise", "entropy_production", "net_particle_current")
    found["uncertainty_ratio"] = uncertainty_ratio(*(found[name] for name in names))
    never_zero = _never_zero(mixture, found["particle_cumulant"].value.size)
    limits = _limits(mixture, found)
    return outcome_of(TRANSPORT, found, *of_integrals(converged), limits, never_zero)


_OF_ALL = ("particle_density", "particle_noise", "net_particle_noise")
_OF_DIFFERENCES = (
    "particle_current",
    "net_particle_current",
    "energy_current",
    "net_energy_current",
    "heat_current",
    "particle_cumulant",
    *_OF_ENTROPY,
)


def _never_zero(mixture: Mixture, orders: int) -> dict[str, np.ndarray | bool]:
    """Return what vanishes by underflow alone: some particles of a warm reservoir are anywhere."""
    if all(reservoir.temperature == 0 for reservoir in mixture.reservoirs):
        return {}
    alike = all(reservoir == mixture.reservoirs[0] for reservoir in mixture.reservoirs)
    even = np.arange(1, orders + 1) % 2 == 0
    names = _OF_ALL if alike else _OF_ALL + _OF_DIFFERENCES
    return {"particle_cumulant": even} | dict.fromkeys(names, True)


@lru_cache
def _limits_of_orders(count: int) -> Mapping[str, Limits]:
    orders = np.arange(1, count + 1)
    variance, even = np.where(orders == 2, 0.0, -np.inf), np.where(orders % 2 == 0, 0.0, -np.inf)
    return {"particle_cumulant": Limits(variance), "entropy_moment": Limits(even)}


def _limits(mixture: Mixture, found: Mapping[str, Estimate]) -> Mapping[str, Limits]:
    """Return the limits that depend on the point: cumulants of even order, the second law."""
    limits = _limits_of_orders(found["particle_cumulant"].value.size)
    if obeys_second_law(mixture):
        bound = found["carnot_efficiency"].value
        efficiency = Limits(0, bound, "beyond Carnot's bound")
        return {**limits, "entropy_production": SECOND_LAW, "efficiency": efficiency}
    return limits


def obeys_second_law(mixture: Mixture) -> bool:
    """Return whether the imbalance is nowhere negative, so that entropy cannot go down."""
    # Between the momenta of a table it is a straight line.
    imbalance = mixture.weights.at(np.append(mixture.weights.momenta, 0.0)).imbalance
    return bool((imbalance[0] >= 0).all())


def _reasons(mixture: Mixture, found: Mapping[str, Estimate]) -> dict[str, str]:
    """Return why numbers are undefined."""
    if len(mixture.reservoirs) > 2:
        reason = "the weights of more than two reservoirs fix only the net current"
        return dict.fromkeys((*_OF_GATES, *_OF_ENTROPY, *_OF_ENGINES), reason)
    reasons: dict[str, str] = {}
    temperatures = [reservoir.temperature for reservoir in mixture.reservoirs]
    if min(temperatures) == 0:
        reasons |= dict.fromkeys(_OF_ENTROPY, "at temperature 0 heat has no finite entropy")
    if np.isnan(found["carnot_efficiency"].value):
        reasons["carnot_efficiency"] = "both reservoirs have the temperature 0"
    if np.isnan(found["efficiency"].value):
        reasons["efficiency"] = "no engine: the temperatures are equal"
        if temperatures[0] != temperatures[1]:
            reasons["efficiency"] = (
                "no engine: it delivers no power, takes no heat from the hotter reservoir, or "
                "its entropy goes down"
            )
    return reasons


def with_transport(
    parameters: Sequence[Any],
    more: Callable[[Sequence[Any]], list[Outcome]],
) -> list[Outcome]:
    """Return the outcomes of ``more`` together with the transport of the same points."""
    pairs = zip(transport_outcomes(parameters), more(parameters), strict=True)
    return [joined(*pair) for pair in pairs]
