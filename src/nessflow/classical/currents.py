"""Currents along a chain between two ends."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ChainCurrents:
    """Currents along a chain.

    Attributes
    ----------
    bond_current, bond_current_error : (b,) float
        To the right, on the bonds from the left to the right end.
    """

    bond_current: np.ndarray
    bond_current_error: np.ndarray

    @property
    def particle_current(self) -> np.ndarray:
        """Currents from the left and the right end into the system, (2,)."""
        return self.bond_current[[0, -1]] * [1, -1]

    @property
    def particle_current_error(self) -> np.ndarray:
        """Error of the particle currents, (2,)."""
        return self.bond_current_error[[0, -1]]
