"""Particle currents through the bonds."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.observables.observable import Observable, flows
from nessflow.outcome import Status, Variable, status_of, with_errors
from nessflow.scattering.profiles import divergence
from nessflow.scattering.sites.integrals import LocalIntegrals, local_integrals
from nessflow.solvers.pairwise import bonds
from nessflow.systems.system import OpenSystem


class BondCurrents(Observable):
    """Particle current through each bond, and what the terminals send to each site."""

    name = "bond-currents"
    variables = with_errors(
        {
            "bond_current": Variable(
                ("bond",), "t/hbar", "particle current through the bond, by hopping"
            ),
            "inflow": Variable(
                ("site",), "t/hbar", "particle current from leads, loss and gain into the site"
            ),
        }
    ) | {
        "continuity_defect": Variable(
            ("site",), "t/hbar", "inflow less what leaves through bonds, zero by continuity"
        )
    }
    conventions = (
        "Bond l is the l-th bond of the lattice by its lower, then its higher site (a ring of 4: "
        "1-2, 1-4, 2-3, 3-4; a chain: l to l + 1), bonds of loss and gain included; its current "
        "counts from the lower to the higher site, and is that of the states that the terminals "
        "fill.",
        "Inflow: what leads, loss and gain send to a site, negative where they take; with loss or "
        "gain on bonds its parts on single sites may have either sign.  Sites that share a lead "
        "exchange particles through it, also in equilibrium, which is part of their inflow.",
    )

    def evaluate_to(self, accuracy: float, system: OpenSystem) -> LocalIntegrals:
        """Return the currents, O(N) for each energy on a chain."""
        return local_integrals(system, ("bonds", "inflow"), accuracy)

    def estimates(self, system: OpenSystem, result: LocalIntegrals) -> Mapping[str, Estimate]:
        """Return the currents and by how much they miss continuity."""
        return {
            "bond_current": result.parts["bonds"],
            "inflow": result.parts["inflow"],
            "continuity_defect": _continuity(system, result),
        }

    def fault(self, system: OpenSystem, result: LocalIntegrals) -> tuple[Status, str]:
        """Return whether the integrals converged and particles are conserved on every site."""
        if not result.converged:
            return status_of("the energy integral of a bond current did not converge")
        defect, allowed, _ = _continuity(system, result)
        if (abs(defect) <= allowed).all():
            return status_of()
        site = int(np.argmax(abs(defect) - allowed))
        return status_of(
            f"the currents into site {site + 1} add to {defect[site]:.1e}, more than their errors "
            f"{allowed[site]:.1e}"
        )

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        return dict.fromkeys(("bond_current", "inflow"), flows(system))


def _continuity(system: OpenSystem, result: LocalIntegrals) -> Estimate:
    """Return the sum of all currents into each site, (N,)."""
    pairs, inflow, currents = bonds(system), result.parts["inflow"], result.parts["bonds"]
    defect = inflow.value - divergence(pairs, currents.value, system.sites)
    allowed = inflow.error.copy()
    for ends in pairs.T:
        np.add.at(allowed, ends, currents.error)
    return Estimate(defect, allowed)
