"""Two chains, coupled rung by rung."""

from typing import ClassVar, Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Length
from nessflow.systems.lattices.rectangle import Rectangle


class Ladder(Rectangle):
    """Two coupled chains; site = 2 * (rung - 1) + chain, rung from 1, chain 1 or 2.

    Clean, the sum and the difference of the two chains are two independent chains with the on-site
    energies ``-rung_hopping`` and ``+rung_hopping``.
    """

    kind: Literal["ladder"] = "ladder"
    length: Length = quantity("number of rungs", "1")
    hopping: float = quantity("hopping along the chains", "t", 1.0)
    rung_hopping: float = quantity("hopping on the rungs", "t", 1.0)

    width: ClassVar[int] = 2

    @property
    def bonds(self) -> Bonds:
        """Bonds to the next rung, and from chain 1 to chain 2."""
        return self.rectangle_bonds(self.hopping, self.rung_hopping)
