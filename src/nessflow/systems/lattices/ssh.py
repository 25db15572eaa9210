"""Chain of cells of two sites."""

from typing import Literal

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Length, OpenChain
from nessflow.systems.places import Hopping


class SSH(OpenChain):
    """Su-Schrieffer-Heeger chain: hoppings alternate, the first cell is sites 1 and 2.

    With ``|intercell_hopping| > |intracell_hopping|`` and an even number of sites each end has a
    level at the energy 0, but for a splitting of the order
    ``(intracell_hopping / intercell_hopping)^(sites / 2)``.
    """

    kind: Literal["ssh"] = "ssh"
    sites: Length = quantity("number of sites", "1")
    intracell_hopping: Hopping = quantity("hopping within a cell", "t", 1.0)
    intercell_hopping: Hopping = quantity("hopping between cells", "t", 1.0)

    @property
    def repeated(self) -> tuple[str, ...]:
        """The keys of the hoppings of the first two bonds."""
        return "intracell_hopping", "intercell_hopping"
