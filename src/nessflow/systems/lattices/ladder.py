"""Two chains, coupled rung by rung."""

from typing import Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.crystals.crystal import Crystal
from nessflow.systems.lattices.lattice import Length
from nessflow.systems.places import Hopping


class Ladder(Crystal):
    """Two coupled chains; site = 2 * (rung - 1) + chain, rung from 1, chain 1 or 2.

    Clean and without flux, the sum and the difference of the two chains are two independent chains
    with the on-site energies ``-rung_hopping`` and ``+rung_hopping``.  A flux turns the hopping
    along chain 1 by ``e^{i flux}`` and along chain 2 by ``e^{2i flux}``.
    """

    kind: Literal["ladder"] = "ladder"
    length: Length = quantity("number of rungs", "1")
    hopping: Hopping = quantity("hopping along the chains", "t", 1.0)
    rung_hopping: Hopping = quantity("hopping on the rungs", "t", 1.0)

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of rungs and of chains."""
        return self.length, 2

    def key_of(self, direction: str) -> tuple[str, ...]:
        """Return the key of the hopping along the chains or on the rungs, see `Crystal`."""
        return ("hopping" if direction == "x" else "rung_hopping",)
