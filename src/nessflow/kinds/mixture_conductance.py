"""Conductances and Lorenz numbers of the gates of a line that two reservoirs share by weights."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import model_validator

from nessflow.estimate import Estimate
from nessflow.mixture import closed_form
from nessflow.mixture.conductance import Conductances, gate_conductances
from nessflow.mixture.state import Mixture, StepWeights
from nessflow.parts import KeyedError
from nessflow.studies import mixtures
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Outcome, Status, Variable
from nessflow.studies.mixtures import TRANSPORT, LineParameters
from nessflow.studies.variables import (
    CHARGE,
    Charge,
    never_random,
    of_integrals,
    outcome_of,
    status_of,
    with_errors,
)

CONVENTIONS = (
    *mixtures.CONVENTIONS,
    "Conductances of a gate: response of its currents, counted into the system, to its own "
    "reservoir.  Thermal conductance, Lorenz ratio, figure of merit: without particle current; "
    "..._at_fixed_potential: particles flow with the heat (the paper's definition).",
    CHARGE,
    "Reduced Lorenz ratio: over pi^2/3, that of free electrons at low temperature.",
)

_LEAD = ("lead",)
_GATES = with_errors(
    {
        "electrical_conductance": Variable(_LEAD, "e^2/hbar", "electrical conductance"),
        "thermal_conductance": Variable(_LEAD, "t/hbar", "thermal conductance"),
        "thermal_conductance_at_fixed_potential": Variable(
            _LEAD, "t/hbar", "thermal conductance at fixed chemical potential"
        ),
        "seebeck_coefficient": Variable(
            _LEAD, "k_B/e", "Seebeck coefficient (charge +1 unless told)"
        ),
        "lorenz_ratio": Variable(
            _LEAD, "(k_B/e)^2", "thermal over electrical conductance over temperature"
        ),
        "lorenz_ratio_at_fixed_potential": Variable(
            _LEAD,
            "(k_B/e)^2",
            "Lorenz ratio with the heat conducted at fixed chemical potential",
        ),
        "reduced_lorenz_ratio": Variable(_LEAD, "1", "Lorenz ratio over that of free electrons"),
        "reduced_lorenz_ratio_at_fixed_potential": Variable(
            _LEAD, "1", "Lorenz ratio at fixed chemical potential over that of free electrons"
        ),
        "figure_of_merit": Variable(_LEAD, "1", "thermoelectric figure of merit ZT"),
    }
)
_OF_ONE_SIGN = (
    "electrical_conductance",
    "thermal_conductance",
    "thermal_conductance_at_fixed_potential",
    "lorenz_ratio",
    "lorenz_ratio_at_fixed_potential",
    "figure_of_merit",
)
VARIABLES = _GATES | TRANSPORT
is_random = never_random


class Parameters(LineParameters):
    """A line of two reservoirs above temperature 0."""

    charge: Charge = 1

    @model_validator(mode="after")
    def _has_conductances(self) -> Self:
        reservoirs = self.mixture.reservoirs
        if len(reservoirs) != 2:
            raise KeyedError(
                f"conductances of gates need two reservoirs, got {len(reservoirs)}",
                "mixture",
                "reservoirs",
            )
        for number, reservoir in enumerate(reservoirs):
            if reservoir.temperature == 0:
                place = ("mixture", "reservoirs", number, "temperature")
                raise KeyedError("conductances need temperatures above 0", *place)
        return self


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return the reservoirs, and orders of cumulants."""
    return mixtures.line_coordinates(parameters)


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the conductances of both gates (section 3.3), and the transport."""
    return evaluate_many([parameters])[0]


def evaluate_many(parameters: Sequence[Parameters], rngs: Sequence[None] = ()) -> list[Outcome]:
    """Return the outcomes of many points, computed together."""
    return mixtures.with_transport(parameters, _outcomes)


def _outcomes(parameters: Sequence[Parameters]) -> list[Outcome]:
    lines = [one.mixture.state for one in parameters]
    outcomes: dict[int, Outcome] = {}
    for sign in (1, -1):
        members = [i for i, line in enumerate(lines) if line.sign == sign]
        if not members:
            continue
        gates = [gate_conductances([lines[i] for i in members], gate) for gate in (0, 1)]
        temperatures = np.array([[r.temperature for r in lines[i].reservoirs] for i in members]).T
        columns = _columns(gates, temperatures)
        for column, index in enumerate(members):
            found = {name: x.at((slice(None), column)) for name, x in columns.items()}
            found |= _far_tails(lines[index], found)
            # The engine counts the voltage itself, d mu/dT.
            found["seebeck_coefficient"] *= -parameters[index].charge
            converged = all(gate.converged[column] for gate in gates)
            outcomes[index] = _outcome(lines[index], found, converged)
    return [outcomes[index] for index in range(len(lines))]


def _columns(gates: Sequence[Conductances], temperatures: np.ndarray) -> dict[str, Estimate]:
    def both(name: str) -> Estimate:
        """Return one conductance of both gates, (2, P)."""
        pairs = [getattr(gate, name)[:2] for gate in gates]
        return Estimate(*np.stack(pairs, axis=1))

    columns = {
        "electrical_conductance": both("electrical"),
        "thermal_conductance": both("thermal"),
        "thermal_conductance_at_fixed_potential": both("thermal_fixed_potential"),
        "seebeck_coefficient": both("seebeck"),
        "lorenz_ratio": both("lorenz"),
        "lorenz_ratio_at_fixed_potential": both("lorenz_fixed_potential"),
    }
    for name in ("lorenz_ratio", "lorenz_ratio_at_fixed_potential"):
        columns[f"reduced_{name}"] = columns[name] / (np.pi**2 / 3)
    seebeck, lorenz = columns["seebeck_coefficient"], columns["lorenz_ratio"]
    with np.errstate(divide="ignore", invalid="ignore"):
        merit, size = seebeck[0] ** 2 / lorenz[0], abs(lorenz[0])
        spread = (2 * abs(seebeck[0]) + seebeck[1]) * seebeck[1] + abs(merit) * lorenz[1]
        spread = np.where(lorenz[1] < size, spread / (size - lorenz[1]), np.inf)
    return columns | {"figure_of_merit": Estimate(merit, spread)}


_CONDUCTANCES = (
    "electrical_conductance",
    "thermal_conductance",
    "thermal_conductance_at_fixed_potential",
)


def _far_tails(line: Mixture, quadrature: dict[str, Estimate]) -> dict[str, Estimate]:
    """Return the closed forms of step weights where conductances underflow, but not their ratios.

    They are taken where their error is the smaller one.
    """
    steps = isinstance(line.weights, StepWeights)
    if not steps or not line.weights.at(np.zeros(1)).imbalance.any():
        return {}
    temperature = np.array([r.temperature for r in line.reservoirs])
    x = np.array([r.chemical_potential for r in line.reservoirs]) / temperature
    seebeck = closed_form.seebeck_number(x, line.sign)
    fixed = closed_form.lorenz_number(x, line.sign)
    spread = fixed - seebeck**2
    found = {
        "seebeck_coefficient": Estimate(-seebeck, 1e-13 * seebeck),
        "lorenz_ratio_at_fixed_potential": Estimate(fixed, 1e-13 * fixed),
        "lorenz_ratio": Estimate(spread, 1e-13 * fixed),
        "figure_of_merit": Estimate(seebeck**2 / spread, 3e-13 * (fixed / spread) ** 2),
    }
    for name in ("lorenz_ratio_at_fixed_potential", "lorenz_ratio"):
        found[f"reduced_{name}"] = found[name] / (np.pi**2 / 3)
    passed, wrong, _ = quadrature["electrical_conductance"] * temperature
    found["thermal_conductance"] = Estimate(
        passed * spread, wrong * spread + 1e-13 * abs(passed) * fixed
    )
    lost = ~(quadrature["lorenz_ratio"].error <= 1e-13 * fixed)
    return {
        name: Estimate(
            np.where(lost, x.value, quadrature[name].value),
            np.where(lost, x.error, quadrature[name].error),
        )
        for name, x in found.items()
    }


_NOTHING = "no particles of the thermal window pass: its conductance is zero within its error"


def _outcome(line: Mixture, found: dict[str, Estimate], converged: bool) -> Outcome:
    found = {
        name: x if np.isfinite(x[:2]).all() else x._replace(undefined=_NOTHING)
        for name, x in found.items()
    }
    status = of_integrals(converged)
    defined = not any(x.undefined for x in found.values())
    if converged and isinstance(line.weights, StepWeights) and defined:
        status = _second_route(line, found["lorenz_ratio_at_fixed_potential"])
    # Where the imbalance has both signs, heat and charge may go opposite ways.
    limits = dict.fromkeys(_OF_ONE_SIGN, NOT_NEGATIVE) if mixtures.obeys_second_law(line) else {}
    return outcome_of(_GATES, found, *status, limits, dict.fromkeys(_CONDUCTANCES, True))


def _second_route(line: Mixture, found: Estimate) -> tuple[Status, str]:
    """Return the status of Lorenz ratios by their closed form, and why it is not ok."""
    x = np.array([r.chemical_potential / r.temperature for r in line.reservoirs])
    exact = closed_form.lorenz_number(x, line.sign)
    if np.all(abs(found.value - exact) <= found.error + 1e-13 * exact):
        return status_of()
    return status_of(doubt=f"Lorenz ratios {found.value} by quadrature, {exact} by the closed form")
