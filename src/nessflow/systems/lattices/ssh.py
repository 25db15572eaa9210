"""Chain of cells of two sites."""

from typing import Literal

import numpy as np

from nessflow.matrix import Hopping, as_block
from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Length, OpenChain


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
    def hoppings(self) -> np.ndarray:
        """Hopping of each bond, (sites - 1,) or with matrices of orbitals, in t."""
        both = [as_block(x) for x in (self.intracell_hopping, self.intercell_hopping)]
        if any(np.ndim(x) for x in both):
            both = [x * np.eye(self.orbitals) if np.ndim(x) == 0 else x for x in both]
        return np.array(both)[np.arange(self.sites - 1) % 2]
