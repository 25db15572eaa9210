"""Linear response of every lead's currents to every lead's chemical potential and temperature."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.observable import Observable
from nessflow.outcome import COVARIANCE, Variable, with_errors
from nessflow.scattering.linear_response import conductance_matrices
from nessflow.spectrum.edges.limits import why_undefined
from nessflow.systems.system import OpenSystem

_PAIRS = ("lead", "lead_2")
MATRICES = {
    "conductance_matrix": Variable(
        _PAIRS,
        "e^2/hbar",
        "particle current from the lead per chemical potential of lead_2",
        COVARIANCE,
    ),
    "thermoelectric_matrix": Variable(
        _PAIRS, "t/hbar", "heat current from the lead per chemical potential of lead_2"
    ),
    "heat_matrix": Variable(
        _PAIRS,
        "t^2/hbar",
        "heat current from the lead per relative temperature of lead_2",
        COVARIANCE,
    ),
}


class Conductances(Observable):
    """Response of each lead's currents to each lead's chemical potential and temperature."""

    name = "conductances"
    variables = with_errors(MATRICES)
    conventions = (
        "Matrices: a change d mu_b, d T_b of lead b changes the currents of lead a into the system "
        "by M0_ab d mu_b + M1_ab d T_b / T (particles) and M1_ab d mu_b + M2_ab d T_b / T (heat): "
        "conductance, thermoelectric and heat matrix, about leads of one chemical potential and "
        "temperature.  Without loss and gain rows and columns add up to zero; with a flux they are "
        "not symmetric.",
    )

    def evaluate_to(self, accuracy: float, system: OpenSystem) -> Estimate:
        """Return the matrices, (3, t, t); undefined where the leads differ."""
        states = {(x.chemical_potential, x.temperature) for x in system.terminals}
        if len(states) > 1:
            reason = "linear response is that of leads of one chemical potential and temperature"
            return undefined(reason, (3, *(len(system.terminals),) * 2))
        return conductance_matrices(system, accuracy)

    def estimates(self, system: OpenSystem, result: Estimate) -> Mapping[str, Estimate]:
        """Return the matrices; undefined at temperature 0 where transmissions jump."""
        return matrices_of(system, result)


def matrices_of(system: OpenSystem, found: Estimate) -> dict[str, Estimate]:
    """Return what `MATRICES` lists.

    Parameters
    ----------
    system : OpenSystem
        The system.
    found : Estimate
        `nessflow.scattering.linear_response.conductance_matrices`, or undefined.

    Returns
    -------
    dict of str to Estimate
        With the reason where transmissions jump at the chemical potential.
    """
    matrices = {name: found.at(k) for k, name in enumerate(MATRICES)}
    first = matrices["conductance_matrix"]
    if not (first.undefined or np.isfinite(first.value).all()):
        at_edge = why_undefined(system, system.terminals[0].chemical_potential)
        matrices["conductance_matrix"] = first._replace(undefined=f"at temperature 0, {at_edge}")
    return matrices
