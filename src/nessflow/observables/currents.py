"""Steady currents between all terminals (paper 000, eq. 8)."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.observables.observable import Observable, flows, is_driven
from nessflow.outcome import Limits, Status, Variable, current_limits, status_of, with_errors
from nessflow.scattering.currents import (
    UNITARITY_TOLERANCE,
    SteadyCurrents,
    currents_observable,
)
from nessflow.spectrum.rates import Observable as Integrals
from nessflow.systems.system import OpenSystem

_UNITS = {"particle": "t/hbar", "energy": "t^2/hbar"}


def _currents(flow: str, units: str) -> dict[str, Variable]:
    """Return the variables of one flow, "particle" or "energy", without their errors."""
    return {
        f"{flow}_current": Variable(
            ("terminal",), units, f"{flow} current from the terminal into the system"
        ),
        f"net_{flow}_current": Variable(
            (), units, f"{flow} current from left to right, mean of both leads"
        ),
        f"landauer_{flow}_current": Variable((), units, f"{flow} current from lead to lead"),
        f"reservoir_{flow}_current": Variable(
            ("lead",), units, f"half of the {flow} current between lead and gain or loss"
        ),
        f"reference_{flow}_current": Variable(
            (), units, f"net {flow} current with both leads as the right one"
        ),
        f"response_{flow}_current": Variable(
            (), units, f"net {flow} current due to the difference of the leads"
        ),
    }


class Currents(Observable):
    """Particle and energy currents of all terminals, and their parts between two leads."""

    name = "currents"
    variables = with_errors(
        {name: x for flow, units in _UNITS.items() for name, x in _currents(flow, units).items()}
    ) | {
        "conservation_defect": Variable(
            (), "t/hbar", "sum of the particle currents of all terminals, zero by conservation"
        ),
        "unitarity_defect": Variable(
            (),
            "1",
            "relative violation of the unitarity of the scattering matrix",
            Limits(0, UNITARITY_TOLERANCE),
        ),
    }

    def integrand(self, system: OpenSystem) -> Integrals:
        """Return all currents as something to integrate."""
        return currents_observable(system)

    def estimates(self, system: OpenSystem, result: SteadyCurrents) -> Mapping[str, Estimate]:
        """Return the currents; undefined where two leads are needed."""
        return {x: getattr(result, x) for x in self.variables if not x.endswith("_error")}

    def fault(self, system: OpenSystem, result: SteadyCurrents) -> tuple[Status, str]:
        """Return whether integrals converged, particles are conserved and unitarity holds."""
        return status_of(result.fault)

    def limits(self, system: OpenSystem) -> dict[str, Limits]:
        """Return that loss takes and gain gives particles."""
        return {"particle_current": current_limits(len(system.terminals))}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        if not flows(system):
            return {}
        own = np.array([True] * len(system.terminals) + [system.loss.any(), system.gain.any()])
        parts = ["net", "landauer", "response"]
        parts += ["reservoir", "reference"] if is_driven(system) else []
        return {f"{flow}_current": own for flow in _UNITS} | {
            f"{part}_{flow}_current": True for part in parts for flow in _UNITS
        }
