"""Channels on bonds."""

from typing import Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from nessflow.parts import KeyedError, quantity
from nessflow.systems.channels.channel import Channels, Site
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal, from_elements


class Bond(Channels):
    """One channel on each bond, sqrt(rate) (c_j + exp(i phase) c_k), with c^+ for gain.

    From j to k as in ``bonds`` of the lattice.  The phase -pi/2 is the loss of paper 000, main text
    and (S38) (supplement: erratum E11).  With ``boundary`` the two channels sqrt(rate) c_1 and
    sqrt(rate) c_N of supplement VII are added, so that every site of a chain loses alike.
    """

    kind: Literal["bond"] = "bond"
    rate: float = quantity("rate on every bond", "t/hbar", ge=0)
    phase: float = quantity("phase of the second site of a bond", "rad", -np.pi / 2)
    boundary: bool = Field(False, description="add a channel on the first and last site of a chain")
    bonds: tuple[tuple[Site, Site], ...] | None = Field(
        None, min_length=1, description="pairs [j, k] of coupled sites, from 1 (default: all bonds)"
    )

    def require_fit(self, lattice: Lattice) -> None:
        """Check that listed bonds and the ends of a chain are there, see `Channels`."""
        if self.boundary:
            first, second, _ = lattice.bonds
            site = np.arange(lattice.sites)
            if not (np.array_equal(first, site[:-1]) and np.array_equal(second, site[1:])):
                raise KeyedError(
                    f"the ends are those of a chain, the lattice is a {lattice.kind}; the kind "
                    "vectors has channels on any sites",
                    "boundary",
                )
        if self.bonds is None:
            return
        for number, pair in enumerate(self.bonds):
            for entry, site in enumerate(pair):
                lattice.require_site(site, "bonds", number, entry)
        first, second, _ = lattice.bonds
        known = set(zip((first + 1).tolist(), (second + 1).tolist(), strict=True))
        seen = set()
        for number, (j, k) in enumerate(self.bonds):
            if not known & {(j, k), (k, j)}:
                raise KeyedError(
                    f"the {lattice.kind} has no bond between the sites {j} and {k}; the kind "
                    "vectors has channels on any sites",
                    "bonds",
                    number,
                )
            if {(j, k), (k, j)} & seen:
                raise KeyedError(
                    f"the bond of the sites {j} and {k}: listed twice", "bonds", number
                )
            seen.add((j, k))

    def matrix(self, lattice: Lattice) -> Tridiagonal | csr_array:
        """Return ``P``, see `Channels`."""
        if self.bonds is None:
            first, second, _ = lattice.bonds
        else:
            first, second = np.array(self.bonds).T - 1
        sites = lattice.sites
        touching = np.bincount(first, minlength=sites) + np.bincount(second, minlength=sites)
        if self.boundary:
            touching[0] += 1
            touching[-1] += 1
        element = self.rate * np.exp(1j * self.phase)
        return from_elements(self.rate * touching, first, second, np.full(first.size, element))
