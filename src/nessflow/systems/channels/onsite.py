"""Channels on all sites."""

from typing import Literal

import numpy as np

from nessflow.parts import at_key, quantity
from nessflow.systems.channels.channel import Channels
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.places import RatePerSite, on_sites


class Onsite(Channels):
    """One channel sqrt(rate) c_j (loss) or sqrt(rate) c_j^+ (gain) on every site."""

    kind: Literal["onsite"] = "onsite"
    rate: RatePerSite = quantity(
        "rate, one number or one for each site (population rate: twice this)", "t/hbar"
    )

    def require_fit(self, lattice: Lattice) -> None:
        """Check that each site has a rate, see `Channels`."""
        with at_key("rate"):
            on_sites(self.rate, lattice, 0.0)

    def matrix(self, lattice: Lattice) -> Tridiagonal:
        """Return ``P``, see `Channels`."""
        return Tridiagonal(np.full(lattice.sites, on_sites(self.rate, lattice, 0.0)))
