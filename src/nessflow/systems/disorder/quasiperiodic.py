"""Potentials without a period."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.disorder.disorder import Additive


class Quasiperiodic(Additive):
    """A wave ``amplitude cos(2 pi frequency x + phase)`` whose phase is the sample.

    The phase is uniform; x is the first coordinate of a place, along a chain its number.  With an
    irrational frequency and energies of the sites this is the model of Aubry and Andre (Ann.
    Israel Phys. Soc. 3, 133 (1980)): beyond an amplitude of 2 hoppings every state is localised
    with the length ``1 / ln(amplitude / 2)``.
    """

    kind: Literal["quasiperiodic"] = "quasiperiodic"
    amplitude: float = quantity("amplitude of the wave", "t")
    frequency: float = quantity(
        "periods in a lattice constant; the golden mean unless told", "1", (5**0.5 - 1) / 2
    )

    @property
    def least(self) -> float:
        """The lowest point of the wave."""
        return -abs(self.amplitude)

    def draw(self, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers of one sample, see `Disorder`."""
        turns = self.frequency * positions[:, 0] + rng.uniform()
        return self.amplitude * np.cos(2 * np.pi * turns)
