"""Occupations of the sites."""

from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate
from nessflow.observables.observable import Observable
from nessflow.outcome import PROBABILITY, Status, Variable, status_of, with_errors
from nessflow.scattering.profiles import undamped_weight, with_undamped
from nessflow.scattering.sites.integrals import LocalIntegrals, local_integrals
from nessflow.systems.system import OpenSystem


class Density(Observable):
    """Occupation of each site, and the weight of states on it that no terminal fills."""

    name = "density"
    variables = with_errors(
        {
            "occupation": Variable(("site",), "1", "occupation of the site", PROBABILITY),
            "bound_weight": Variable(
                ("site",), "1", "weight of bound and dark states on the site", PROBABILITY
            ),
        }
    )
    conventions = (
        "Occupations are those of the states that the terminals fill; a state bound outside all "
        "bands, or dark, coupled to no terminal, keeps what it held at first; the weight of these "
        "states on each site is bound_weight.  bound_occupation: fermi adds what these states hold "
        "in equilibrium with leads of one chemical potential and temperature, a number that much "
        "of each.",
    )

    bound_occupation: Literal["none", "fermi"] | Annotated[float, Field(ge=0, le=1)] = Field(
        "none",
        description="what bound and dark states hold, beside those that terminals fill: none, "
        "fermi (the leads' Fermi function at their energies), or a number",
    )

    def evaluate_to(self, accuracy: float, system: OpenSystem) -> LocalIntegrals:
        """Return what is filled and what is empty, O(N) for each energy on a chain."""
        return local_integrals(system, ("filled", "empty"), accuracy)

    def estimates(self, system: OpenSystem, result: LocalIntegrals) -> Mapping[str, Estimate]:
        """Return occupations and weights."""
        occupation = result.parts["filled"]
        if self.bound_occupation != "none":
            occupation = with_undamped(system, result, self.bound_occupation)
        return {"occupation": occupation, "bound_weight": undamped_weight(system, result)}

    def fault(self, system: OpenSystem, result: LocalIntegrals) -> tuple[Status, str]:
        """Return whether the integrals converged and no site holds more than its states."""
        if not result.converged:
            return status_of("the energy integral of an occupation did not converge")
        filled, weight = result.parts["filled"], undamped_weight(system, result)
        beyond, allowed = filled.value + weight.value - 1, filled.error + weight.error
        if (beyond <= allowed + 8 * np.finfo(float).eps).all():
            return status_of()
        site = int(np.argmax(beyond - allowed))
        return status_of(
            doubt=f"site {site + 1} holds {beyond[site]:.1e} more than its states that decay, "
            f"with an error of {allowed[site]:.1e}"
        )

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return that tails of occupations end at no distance."""
        return {"occupation": any(lead.temperature > 0 for lead in system.leads)}
