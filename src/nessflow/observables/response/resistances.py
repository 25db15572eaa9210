"""Resistances between any leads, such as Hall, longitudinal and non-local ones."""

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate
from nessflow.observables.observable import is_driven
from nessflow.observables.response.measurements import Measurements, Pair
from nessflow.observables.response.network import difference
from nessflow.outcome import Variable, with_errors
from nessflow.parts import Strict
from nessflow.systems.system import OpenSystem


class FourTerminals(Strict):
    """Leads between which a current is driven, and leads between which the voltage is measured."""

    current: Pair = Field(description="leads where the current enters and where it leaves")
    voltage: Pair = Field(description="leads p and q of the voltage V_p - V_q")


class Resistances(Measurements):
    """Voltage between two leads over the current between two, with no current in all others."""

    __pydantic_extra__: dict[str, FourTerminals]

    name = "resistances"
    dimension = "configuration"
    meaning = "leads of current and voltage"
    variable = "resistance"
    variables = with_errors(
        {
            "resistance": Variable(
                ("configuration",), "hbar/e^2", "voltage over current, no current in other leads"
            )
        }
    )
    conventions = (
        "Resistance of a configuration: (V_p - V_q)/I of a small current I that enters by the "
        "first lead of current and leaves by the second, voltage: [p, q], with no current in all "
        "others, of particles of charge +1, by the conductance matrix as it is, not made "
        "symmetric; h/e^2 is 2 pi of ours.",
    )

    def measured(self, of: FourTerminals, system: OpenSystem, matrices: Estimate) -> Estimate:
        """Return the resistance."""
        names = [terminal.name for terminal in system.terminals]
        first, second, *between = (names.index(x) for x in (*of.current, *of.voltage))
        driven = np.zeros((2, len(names)))
        driven[0, [first, second]] = 1.0, -1.0
        return difference(
            matrices.at(0),
            Estimate(*driven),
            between,
            (first, second),
            names,
            is_closed=not is_driven(system),
        )
