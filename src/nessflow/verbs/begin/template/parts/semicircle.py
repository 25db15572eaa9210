"""Lead: a bath with a semicircular density of states."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.leads.lead import Lead


class Semicircle(Lead):
    """Bath whose density of states is a semicircle."""

    # The fields are the keys of a study file: meaning, unit, default, bounds.
    kind: Literal["semicircle"] = "semicircle"
    half_width: float = quantity("half the width of the band", "t", 2.0, gt=0)
    coupling: float = quantity("hopping between the bath and the contact site", "t", 1.0)

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """One band around 0."""
        return ((-self.half_width, self.half_width),)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy, of the shape of the energies."""
        x = np.asarray(energies, float) / self.half_width
        root = np.sqrt((1 - x) * (1 + x) + 0j)
        # 1/(x + root) outside, since x - root cancels far away.
        outside = np.where(abs(x) < 1, 1.0, x + np.sign(x) * root.imag)
        g = np.where(abs(x) < 1, x - 1j * root, 1 / outside)
        return 2 * self.coupling**2 / self.half_width * g
