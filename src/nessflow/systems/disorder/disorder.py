"""What every kind of disorder is: random energies of the sites."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from nessflow.parts import Part


class Disorder(Part, ABC):
    """Random on-site energies: fields are the keys of a study file, ``energies`` what is drawn."""

    home: ClassVar = __package__

    @abstractmethod
    def energies(self, sites: int, rng: np.random.Generator) -> np.ndarray:
        """Return the energies of one sample.

        Numbers are drawn site by site and scaled, so that the same generator gives the same sample
        at any width, and the first sites of a longer lattice are those of a shorter one.

        Parameters
        ----------
        sites : int
            Number of sites N.
        rng : numpy.random.Generator
            What they are drawn from.

        Returns
        -------
        (N,) float array
            In t.
        """
