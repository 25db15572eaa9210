"""Third and fourth cumulant of the charge that each lead sends."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.observable import Observable, flows, fluctuates
from nessflow.outcome import Variable, with_errors
from nessflow.scattering.counting import ParticleCumulants, cumulants_observable
from nessflow.spectrum.rates import Observable as Integrals
from nessflow.systems.system import OpenSystem

_ORDERS = {"third_cumulant": 2, "fourth_cumulant": 3}


class Cumulants(Observable):
    """Third and fourth cumulant of the charge that each lead sends, per unit time."""

    name = "cumulants"
    variables = with_errors(
        {
            name: Variable(
                ("lead",),
                "t/hbar",
                f"{name.replace('_', ' ')} of the charge that the lead sends, per time",
            )
            for name in _ORDERS
        }
    )
    conventions = (
        "Third and fourth cumulant: of the charge that a lead sends into the system, per unit "
        "time; current and noise are the first two.",
    )

    def integrand(self, system: OpenSystem) -> Integrals:
        """Return the cumulants as something to integrate."""
        return cumulants_observable(system)

    def estimates(self, system: OpenSystem, result: ParticleCumulants) -> Mapping[str, Estimate]:
        """Return both cumulants, NaN where their integrals did not converge."""
        if not result.converged:
            reason = "the energy integral of a cumulant did not converge"
            return dict.fromkeys(_ORDERS, undefined(reason, (len(system.terminals),)))
        return {name: result.cumulants.at((slice(None), k)) for name, k in _ORDERS.items()}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        return {"third_cumulant": flows(system), "fourth_cumulant": fluctuates(system)}
