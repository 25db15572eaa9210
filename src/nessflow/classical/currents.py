"""Currents along a chain between two ends."""

from dataclasses import dataclass

import numpy as np

from nessflow.estimate import Estimate


@dataclass(frozen=True)
class ChainCurrents:
    """Currents along a chain.

    Attributes
    ----------
    bond_current : Estimate
        (b,), to the right, on the bonds from the left to the right end.
    """

    bond_current: Estimate

    @property
    def particle_current(self) -> Estimate:
        """Currents from the left and the right end into the system, (2,)."""
        return self.bond_current.at([0, -1]) * np.array([1, -1])
