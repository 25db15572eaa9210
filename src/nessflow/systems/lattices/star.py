"""Chains that meet in one site."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Length, Shape


class Star(Shape):
    """Arms that meet in site 1; site = 1 + (arm - 1) * length + position, position from 1.

    The leads are at the ends of the first and of the last arm unless told.
    """

    kind: Literal["star"] = "star"
    arms: Length = quantity("number of arms", "1")
    length: Length = quantity("number of sites in an arm", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    @property
    def sites(self) -> int:
        """Number of sites."""
        return 1 + self.arms * self.length

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1 + self.length, self.sites

    @property
    def bonds(self) -> Bonds:
        """Bonds from each site to the next one away from the centre."""
        second = np.arange(1, self.sites)
        is_innermost = (second - 1) % self.length == 0
        first = np.where(is_innermost, 0, second - 1)
        return Bonds(first, second, np.full(second.shape, self.hopping))
