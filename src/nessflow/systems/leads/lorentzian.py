"""Level that a wide band damps."""

from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.leads.lead import Lead


class Lorentzian(Lead):
    """Bath whose density of states is a Lorentzian: a level that a wide band damps."""

    kind: Literal["lorentzian"] = "lorentzian"
    coupling: float = quantity("hopping between the level and the contact site", "t", 1.0)
    onsite: float = quantity("energy of the level, the centre of the Lorentzian", "t", 0.0)
    half_width: float = quantity("half width at half maximum of the Lorentzian", "t", gt=0)

    bands: ClassVar = ((-np.inf, np.inf),)

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        """The damped level."""
        return ((self.onsite - 1j * self.half_width, self.coupling**2),)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return zeros: ``coupling^2 / (w - onsite + i half_width)`` is all in the pole."""
        return np.zeros(np.shape(energies), complex)

    @cached_property
    def reference_energy(self) -> float:
        """Centre of the Lorentzian, in t."""
        return self.onsite
