"""Lead whose broadening does not depend on the energy."""

from typing import ClassVar, Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.leads.lead import Lead


class WideBand(Lead):
    """Lead with an energy-independent broadening, self-energy -i broadening / 2."""

    kind: Literal["wide-band"] = "wide-band"
    broadening: float = quantity("broadening of the contact site", "t", ge=0)

    strength: ClassVar = "broadening"
    bands: ClassVar = ((-np.inf, np.inf),)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return ``-i broadening / 2``, see `Lead`."""
        return np.full(np.shape(energies), -0.5j * self.broadening)

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return the broadening, see `Lead`."""
        return np.full(np.shape(energies), float(self.broadening))

    def regular_derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy and two zeros, see `Lead`."""
        return np.array([-0.5j * self.broadening, 0.0, 0.0])
