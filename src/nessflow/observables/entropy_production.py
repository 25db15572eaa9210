"""Heat of the leads and the entropy production of thermodynamics."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.observables.currents import Currents
from nessflow.observables.observable import Observable, flows, is_driven
from nessflow.observables.thermodynamics import (
    entropy_production,
    heat_current,
    lead_entropy_production,
)
from nessflow.outcome import SECOND_LAW, Limits, Variable, with_errors
from nessflow.scattering.currents import SteadyCurrents
from nessflow.systems.system import OpenSystem


class EntropyProduction(Observable):
    """Heat that each lead loses, and the entropy production of thermodynamics."""

    name = "entropy-production"
    requires = (Currents,)
    variables = with_errors(
        {
            "heat_current": Variable(
                ("lead",), "t^2/hbar", "heat current from the lead into the system"
            ),
            "entropy_production": Variable(
                (), "k_B*t/hbar", "entropy production of all terminals", SECOND_LAW
            ),
            "lead_entropy_production": Variable(
                (), "k_B*t/hbar", "entropy production of the leads alone"
            ),
        }
    )
    conventions = (
        "Heat that a lead loses: its energy current less chemical potential times particle "
        "current.",
        "Entropy production: -sum of heat over temperature of the leads; loss and gain that are "
        "proportional are one terminal of infinite temperature, others have no finite one.",
    )

    def evaluate(self, system: OpenSystem, currents: SteadyCurrents) -> Mapping[str, Estimate]:
        """Return what follows from the currents."""
        return {
            "heat_current": heat_current(system, currents),
            "entropy_production": entropy_production(system, currents),
            "lead_entropy_production": lead_entropy_production(system, currents),
        }

    def limits(self, system: OpenSystem) -> dict[str, Limits]:
        """Return that without loss and gain the leads are all there is."""
        return {} if is_driven(system) else {"lead_entropy_production": SECOND_LAW}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        names = ("heat_current", "entropy_production", "lead_entropy_production")
        return dict.fromkeys(names, flows(system))
