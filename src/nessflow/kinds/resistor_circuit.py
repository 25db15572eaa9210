"""Chain of resistors with current sources and drains at its nodes, in both biases."""

from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.classical import circuit
from nessflow.estimate import Estimate, uncertainty_ratio
from nessflow.parts import KeyedError, Strict, quantity
from nessflow.studies import placement
from nessflow.studies.kind import NOT_NEGATIVE, Coordinate, Limits, Outcome, Variable
from nessflow.studies.variables import never_random, outcome_of


class End(Strict):
    """One end of the chain."""

    chemical_potential: float = quantity("electric potential times the charge", "t")


class Leads(Strict):
    """Both ends, for forward bias."""

    left: End
    right: End
    temperature: float = quantity("temperature of all resistors", "t", ge=0)


class System(placement.InjectedChain):
    """Chain of resistors, its sources and drains."""

    sites: int = quantity("number of nodes, both ends among them", "1", ge=2, le=10_000_000)
    resistance: float | tuple[float, ...] = quantity(
        "resistance between neighbours, one number or one for each bond", "hbar"
    )
    leads: Leads

    @model_validator(mode="after")
    def _resistances(self) -> Self:
        if isinstance(self.resistance, tuple) and len(self.resistance) != self.sites - 1:
            raise KeyedError(
                f"resistance has {len(self.resistance)} values for {self.sites - 1} bonds",
                "resistance",
            )
        for number, value in enumerate(np.atleast_1d(self.resistance).tolist()):
            if not value > 0:
                entry = (number,) if isinstance(self.resistance, tuple) else ()
                raise KeyedError("a resistance has to be positive", "resistance", *entry)
        return self

    def engine(self) -> circuit.Circuit:
        """Return the circuit of the engine, for forward bias."""
        return circuit.Circuit(
            self.resistance + np.zeros(self.sites - 1),
            self.injected(),
            self.leads.left.chemical_potential,
            self.leads.right.chemical_potential,
        )


class Parameters(Strict):
    """One circuit."""

    system: System = Field(description="resistors, sources and drains, both ends")


CONVENTIONS = (
    *placement.CONVENTIONS,
    "Charge 1, so that potentials have the unit t and resistances hbar (hbar/e^2).  Entropy "
    "production is the heat of all resistors over their temperature; noise is thermal "
    "(2 k_B T over the resistance of the chain), ideal current sources add none.",
)

_HEAT = "t^2/hbar"

VARIABLES = {
    **placement.CURRENTS,
    "chemical_potential": Variable(("direction", "site"), "t", "potential of the node"),
    "chemical_potential_error": Variable(
        ("direction", "site"), "t", "numerical error of the potential"
    ),
    "joule_heat": Variable(("direction", "bond"), _HEAT, "heat of the resistor", NOT_NEGATIVE),
    "joule_heat_error": Variable(
        ("direction", "bond"), _HEAT, "numerical error of the heat of the resistor"
    ),
    "joule_power": Variable(("direction",), _HEAT, "heat of all resistors", NOT_NEGATIVE),
    "joule_power_error": Variable(
        ("direction",), _HEAT, "numerical error of the heat of all resistors"
    ),
    **placement.NONRECIPROCITY,
    **placement.FLUCTUATIONS,
    "power_defect": Variable(
        ("direction",), _HEAT, "power of all terminals less the heat of all resistors"
    ),
}
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return directions, terminals, nodes and resistors."""
    return parameters.system.coordinates("node", "resistor")


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the currents (D1), potentials (D2) and heat (D3) of any placement."""
    system = parameters.system
    found = placement.by_direction(
        [_one_direction(system, one) for one in system.both_directions()]
    )
    found |= placement.nonreciprocity(found["particle_current"].at((slice(None), 0)))
    power = found["joule_power"]
    allowed = 1e-10 * abs(power.value).max() + power.error.max()
    limits = {"power_defect": Limits(-allowed, allowed, "power and heat differ")}
    return outcome_of(VARIABLES, found, limits=limits)


def _one_direction(system: Any, engine: Any) -> dict[str, Estimate]:
    """Return the estimates of one direction."""
    temperature = system.leads.temperature
    state = circuit.steady_state(engine)
    currents, heat = system.terminal_currents(state), state.heat
    noise = circuit.particle_noise(engine, temperature)
    entropy = circuit.entropy_production(state, temperature)
    ends = state.particle_current.value @ [engine.left, engine.right]
    defect = ends + engine.injection @ state.potential.value - heat.value.sum()
    return {
        "particle_current": currents,
        "bond_current": state.bond_current,
        "chemical_potential": state.potential,
        "joule_heat": heat,
        "joule_power": heat.total(),
        "particle_noise": noise,
        "entropy_production": entropy,
        "uncertainty_ratio": uncertainty_ratio(noise.at((0, 0)), entropy, currents.at(0)),
        "power_defect": Estimate(defect, np.nan),
    }
