"""Conductances and Lorenz numbers of the gates of a line that two reservoirs share by weights."""

from collections.abc import Sequence

import numpy as np
from pydantic import model_validator

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
    allow_for_underflow,
    never_random,
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
    def _has_conductances(self):
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


def evaluate_many(parameters: Sequence[Parameters]) -> list[Outcome]:
    """Return the outcomes of many points, computed together."""
    return mixtures.with_transport(parameters, _outcomes)


def _outcomes(parameters: Sequence[Parameters]) -> list[Outcome]:
    lines = [one.mixture.state for one in parameters]
    outcomes = [None] * len(lines)
    for sign in (1, -1):
        members = [i for i, line in enumerate(lines) if line.sign == sign]
        if not members:
            continue
        gates = [gate_conductances([lines[i] for i in members], gate) for gate in (0, 1)]
        temperatures = np.array([[r.temperature for r in lines[i].reservoirs] for i in members]).T
        columns = _columns(gates, temperatures)
        for column, index in enumerate(members):
            values = {name: array[:, column] for name, array in columns.items()}
            _fill_far_tails(lines[index], values)
            # The engine counts the voltage itself, d mu/dT.
            values["seebeck_coefficient"] *= -parameters[index].charge
            converged = all(gate.converged[column] for gate in gates)
            outcomes[index] = _outcome(lines[index], values, converged)
    return outcomes


def _columns(gates: Sequence[Conductances], temperatures: np.ndarray) -> dict[str, np.ndarray]:
    def both(name: str) -> np.ndarray:
        """Return value and error of both gates, (2, 2, P)."""
        return np.stack([np.stack(getattr(gate, name)) for gate in gates], axis=1)

    names = {
        "electrical_conductance": both("electrical"),
        "thermal_conductance": both("thermal"),
        "thermal_conductance_at_fixed_potential": both("thermal_fixed_potential"),
        "seebeck_coefficient": both("seebeck"),
        "lorenz_ratio": both("lorenz"),
        "lorenz_ratio_at_fixed_potential": both("lorenz_fixed_potential"),
    }
    for name in ("lorenz_ratio", "lorenz_ratio_at_fixed_potential"):
        names[f"reduced_{name}"] = names[name] / (np.pi**2 / 3)
    seebeck, lorenz = names["seebeck_coefficient"], names["lorenz_ratio"]
    with np.errstate(divide="ignore", invalid="ignore"):
        merit, size = seebeck[0] ** 2 / lorenz[0], abs(lorenz[0])
        spread = (2 * abs(seebeck[0]) + seebeck[1]) * seebeck[1] + abs(merit) * lorenz[1]
        spread = np.where(lorenz[1] < size, spread / (size - lorenz[1]), np.inf)
    names["figure_of_merit"] = np.stack([merit, spread])
    columns = {name: pair[0] for name, pair in names.items()}
    return columns | {f"{name}_error": pair[1] for name, pair in names.items()}


_CONDUCTANCES = (
    "electrical_conductance",
    "thermal_conductance",
    "thermal_conductance_at_fixed_potential",
)


def _fill_far_tails(line: Mixture, values: dict) -> None:
    """Put the closed forms of step weights where conductances underflow, but not their ratios.

    They are taken where their error is the smaller one.
    """
    steps = isinstance(line.weights, StepWeights)
    if not steps or not line.weights.at(np.zeros(1)).imbalance.any():
        return
    temperature = np.array([r.temperature for r in line.reservoirs])
    x = np.array([r.chemical_potential for r in line.reservoirs]) / temperature
    seebeck = closed_form.seebeck_number(x, line.sign)
    fixed = closed_form.lorenz_number(x, line.sign)
    spread = fixed - seebeck**2
    found = {
        "seebeck_coefficient": (-seebeck, 1e-13 * seebeck),
        "lorenz_ratio_at_fixed_potential": (fixed, 1e-13 * fixed),
        "lorenz_ratio": (spread, 1e-13 * fixed),
        "figure_of_merit": (seebeck**2 / spread, 3e-13 * (fixed / spread) ** 2),
    }
    for name in ("lorenz_ratio_at_fixed_potential", "lorenz_ratio"):
        found[f"reduced_{name}"] = tuple(part / (np.pi**2 / 3) for part in found[name])
    passed, wrong = (values[f"electrical_conductance{x}"] * temperature for x in ("", "_error"))
    found["thermal_conductance"] = passed * spread, wrong * spread + 1e-13 * abs(passed) * fixed
    lost = ~(values["lorenz_ratio_error"] <= 1e-13 * fixed)
    for name, (value, error) in found.items():
        values[name] = np.where(lost, value, values[name])
        values[f"{name}_error"] = np.where(lost, error, values[f"{name}_error"])


def _outcome(line: Mixture, values: dict, converged: bool) -> Outcome:
    allow_for_underflow(values, _CONDUCTANCES)
    notes = {
        name: "no particles of the thermal window pass: its conductance is zero within its error"
        for name, value in values.items()
        if not np.isfinite(value).all()
    }
    if not converged:
        return Outcome(values, Status.NOT_CONVERGED, "an energy integral did not converge", notes)
    if isinstance(line.weights, StepWeights) and not notes:
        x = np.array([r.chemical_potential / r.temperature for r in line.reservoirs])
        exact = closed_form.lorenz_number(x, line.sign)
        found = values["lorenz_ratio_at_fixed_potential"]
        allowed = values["lorenz_ratio_at_fixed_potential_error"] + 1e-13 * exact
        if not np.all(abs(found - exact) <= allowed):
            return Outcome(
                values,
                Status.SUSPECT,
                f"Lorenz ratios {found} by quadrature, {exact} by the closed form",
                notes,
            )
    # Where the imbalance has both signs, heat and charge may go opposite ways.
    limits = dict.fromkeys(_OF_ONE_SIGN, NOT_NEGATIVE) if mixtures.obeys_second_law(line) else {}
    return Outcome(values, notes=notes, limits=limits)
