"""Ring with a flux."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Graph
from nessflow.systems.places import Hopping


class Ring(Graph):
    """Ring that encloses a flux; the right lead is opposite the left one unless told.

    ``h[j, j+1] = -hopping e^{i flux / N}`` around the ring of N sites, so that a particle gathers
    the phase ``flux`` on its way around.  Clean, the energies are
    ``-2 hopping cos((2 pi m + flux) / N)``.
    """

    kind: Literal["ring"] = "ring"
    sites: Annotated[int, Field(ge=3, le=10_000_000)] = quantity("number of sites", "1")
    hopping: Hopping = quantity(
        "hopping amplitude; with several orbitals also their matrix", "t", 1.0
    )
    flux: float = quantity("phase gathered on the way around the ring", "rad", 0.0)

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1, 1 + self.sites // 2

    @property
    def bonds(self) -> Bonds:
        """Bonds from each site to the next one, from the last to the first."""
        first = np.arange(self.sites)
        second = np.roll(first, -1)
        phase = np.exp(1j * self.flux / self.sites)
        return Bonds(first, second, self.on_bonds(first, second, "hopping") * phase)

    @property
    def positions(self) -> np.ndarray:
        """Where the sites are, (sites, 2): a circle around 0, site 1 to the right."""
        angles = 2 * np.pi * np.arange(self.sites) / self.sites
        radius = 0.5 / np.sin(np.pi / self.sites)
        return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
