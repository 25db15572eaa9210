"""Channels on all sites."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.channels.channel import Channels
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal


class Onsite(Channels):
    """One channel sqrt(rate) c_j (loss) or sqrt(rate) c_j^+ (gain) on every site."""

    kind: Literal["onsite"] = "onsite"
    rate: float = quantity("rate on every site (population rate: twice this)", "t/hbar", ge=0)

    def matrix(self, lattice: Lattice) -> Tridiagonal:
        """Return ``P``, see `Channels`."""
        return Tridiagonal(np.full(lattice.sites, self.rate))
