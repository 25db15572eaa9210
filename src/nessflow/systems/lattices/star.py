"""Chains that meet in one site."""

from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Graph, Length
from nessflow.systems.places import Hopping


class Star(Graph):
    """Arms that meet in site 1; site = 1 + (arm - 1) * length + position, position from 1.

    The leads are at the ends of the first and of the last arm unless told.
    """

    kind: Literal["star"] = "star"
    arms: Length = quantity("number of arms", "1")
    length: Length = quantity("number of sites in an arm", "1")
    hopping: Hopping = quantity(
        "hopping amplitude; with several orbitals also their matrix", "t", 1.0
    )

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
        return Bonds(first, second, self.on_bonds(first, second, "hopping"))

    @property
    def positions(self) -> np.ndarray:
        """Where the sites are, (sites, 2): site 1 at 0, the first arm to the right."""
        angles = 2 * np.pi * np.arange(self.arms) / self.arms
        ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        arms = np.multiply.outer(np.arange(1.0, self.length + 1), ways).swapaxes(0, 1)
        return np.concatenate([np.zeros((1, 2)), arms.reshape(-1, 2)])
