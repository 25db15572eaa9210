"""Thermopowers between any leads, one of which is warmed."""

from typing import Literal

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate
from nessflow.observables.observable import is_driven
from nessflow.observables.response.measurements import Measurements, Pair
from nessflow.observables.response.network import difference
from nessflow.outcome import Variable, with_errors
from nessflow.parts import Strict
from nessflow.systems.system import OpenSystem


class Thermocouple(Strict):
    """The lead that is warmed, and leads between which the voltage is measured."""

    warmed: str = Field(description="lead that is warmed")
    voltage: Pair = Field(description="leads p and q of the voltage V_p - V_q")
    charge: Literal[1, -1] = Field(1, description="charge of the particles, -1 for electrons")


class Thermopowers(Measurements):
    """Voltage between two leads over the temperature by which one is warmed, no current in any."""

    __pydantic_extra__: dict[str, Thermocouple]

    name = "thermopowers"
    dimension = "thermocouple"
    meaning = "lead that is warmed and leads of the voltage"
    variable = "thermopower"
    variables = with_errors(
        {"thermopower": Variable(("thermocouple",), "k_B/e", "thermopower (charge +1 unless told)")}
    )
    conventions = (
        "Thermopower of a thermocouple: -(mu_p - mu_q)/dT of a lead that is warmed by a small dT, "
        "voltage: [p, q], with no particle current in any lead and the others at their "
        "temperature; between two leads, the first warmed, it is the Seebeck coefficient.",
    )

    def measured(self, of: Thermocouple, system: OpenSystem, matrices: Estimate) -> Estimate:
        """Return the thermopower; its limit 0 at temperature 0."""
        names = [terminal.name for terminal in system.terminals]
        warmed, *between = (names.index(x) for x in (of.warmed, *of.voltage))
        temperature = system.terminals[0].temperature
        driven = Estimate(*np.zeros((2, len(names))))
        if temperature > 0:
            # What warming drives, and the potentials have to make up for.
            driven = matrices.at((1, slice(None), warmed)) * (of.charge / temperature)
        return difference(
            matrices.at(0),
            driven,
            between,
            (warmed,),
            names,
            is_closed=not is_driven(system),
        )
