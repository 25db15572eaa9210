"""Open chain."""

from typing import Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Length, OpenChain
from nessflow.systems.places import Hopping


class Chain(OpenChain):
    """Open chain, h[j, j+1] = -hopping."""

    kind: Literal["chain"] = "chain"
    sites: Length = quantity("number of sites", "1")
    hopping: Hopping = quantity(
        "hopping amplitude; with several orbitals also their matrix", "t", 1.0
    )

    @property
    def repeated(self) -> tuple[str, ...]:
        """The key of the hopping of all bonds."""
        return ("hopping",)
