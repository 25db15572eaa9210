"""Open chain."""

from typing import Literal

import numpy as np

from nessflow.matrix import Hopping, as_block
from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Length, OpenChain


class Chain(OpenChain):
    """Open chain, h[j, j+1] = -hopping."""

    kind: Literal["chain"] = "chain"
    sites: Length = quantity("number of sites", "1")
    hopping: Hopping = quantity(
        "hopping amplitude; with several orbitals also their matrix", "t", 1.0
    )

    @property
    def hoppings(self) -> complex | np.ndarray:
        """The hopping of all bonds, in t."""
        return as_block(self.hopping)
