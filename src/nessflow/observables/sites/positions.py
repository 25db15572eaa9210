"""Where the sites are, and which of them each bond joins: what a map of currents is drawn by."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.observable import Observable
from nessflow.outcome import Variable
from nessflow.solvers.pairwise import bonds
from nessflow.systems.system import OpenSystem


class Positions(Observable):
    """Position of each site, and the two sites of each bond."""

    name = "positions"
    variables = {f"site_{x}": Variable(("site",), "1", x) for x in "xyz"} | {
        "bond_site": Variable(("bond",), "1", "site from which the bond goes"),
        "bond_site_2": Variable(("bond",), "1", "site to which the bond goes"),
    }
    conventions = (
        "Positions are in distances of neighbours, 0 in directions that the lattice does not have; "
        "orbitals of a site have one position.  Bonds go from bond_site to bond_site_2, both "
        "counted as the dimension site is.",
    )

    def evaluate(self, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return positions and ends of bonds, as they are."""
        ends = bonds(system).T + 1.0
        found = {
            name: Estimate(each, np.nan)
            for name, each in zip(("bond_site", "bond_site_2"), ends, strict=True)
        }
        if system.lattice is None:
            reason = "a system without a lattice has no positions"
            return found | dict.fromkeys(
                (f"site_{x}" for x in "xyz"), undefined(reason, (system.sites,))
            )
        places = np.zeros((3, system.sites))
        own = np.repeat(system.lattice.positions, system.lattice.orbitals, axis=0)
        places[: own.shape[1]] = own.T
        return found | {
            f"site_{x}": Estimate(each, np.nan) for x, each in zip("xyz", places, strict=True)
        }
