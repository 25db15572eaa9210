"""Open chain."""

from typing import Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Length, OpenChain


class Chain(OpenChain):
    """Open chain, h[j, j+1] = -hopping."""

    kind: Literal["chain"] = "chain"
    sites: Length = quantity("number of sites", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    @property
    def hoppings(self) -> float:
        """The hopping of all bonds, in t."""
        return self.hopping
