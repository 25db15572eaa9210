"""Ring with a flux."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Shape


class Ring(Shape):
    """Ring that encloses a flux; the right lead is opposite the left one unless told.

    ``h[j, j+1] = -hopping e^{i flux / N}`` around the ring of N sites, so that a particle gathers
    the phase ``flux`` on its way around.  Clean, the energies are
    ``-2 hopping cos((2 pi m + flux) / N)``.
    """

    kind: Literal["ring"] = "ring"
    sites: Annotated[int, Field(ge=3, le=10_000_000)] = quantity("number of sites", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)
    flux: float = quantity("phase gathered on the way around the ring", "rad", 0.0)

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1, 1 + self.sites // 2

    @property
    def bonds(self) -> Bonds:
        """Bonds from each site to the next one, from the last to the first."""
        site = np.arange(self.sites)
        phase = np.exp(1j * self.flux / self.sites)
        return Bonds(site, np.roll(site, -1), np.full(self.sites, self.hopping * phase))
