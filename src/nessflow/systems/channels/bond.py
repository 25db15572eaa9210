"""Channels on bonds."""

from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from nessflow.parts import KeyedError, at_key, quantity
from nessflow.systems.channels.channel import Channels, Site
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal, from_elements
from nessflow.systems.places import PerBond, RatePerBond, is_number, on_bonds


class Bond(Channels):
    """One channel on each bond, sqrt(rate) (c_j + exp(i phase) c_k), with c^+ for gain.

    From j to k as in ``bonds`` of the lattice.  The phase -pi/2 is the loss of paper 000, main text
    and (S38) (supplement: erratum E11).  With ``boundary`` the two channels sqrt(rate) c_1 and
    sqrt(rate) c_N of supplement VII are added, so that every site of a chain loses alike.
    """

    kind: Literal["bond"] = "bond"
    rate: RatePerBond = quantity("rate on every bond", "t/hbar")
    phase: PerBond = quantity("phase of the second site of a bond", "rad", -np.pi / 2)
    boundary: bool = Field(
        False,
        description="add a channel on the first and last site of a chain, with the rate of the "
        "bond there",
    )
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
        if self.bonds is not None:
            self._require_bonds(lattice)
        self._numbers(lattice)

    def _require_bonds(self, lattice: Lattice) -> None:
        for number, pair in enumerate(self.bonds or ()):
            for entry, site in enumerate(pair):
                lattice.require_site(site, "bonds", number, entry)
        first, second, _ = lattice.bonds
        known = set(zip((first + 1).tolist(), (second + 1).tolist(), strict=True))
        seen: set[tuple[int, int]] = set()
        for number, (j, k) in enumerate(self.bonds or ()):
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
        first, second, rate, phase = self._numbers(lattice)
        sites, is_uniform = lattice.sites, is_number(rate)
        # Counted where all are alike: a sum of rates rounds otherwise than a multiple of one.
        each = None if is_uniform else rate
        from_first, from_second = (np.bincount(x, each, minlength=sites) for x in (first, second))
        touching = from_first + from_second
        if self.boundary:
            for end in (0, -1):
                touching[end] += 1 if is_uniform else rate[end]
        elements = np.full(first.size, rate * np.exp(1j * phase))
        return from_elements(rate * touching if is_uniform else touching, first, second, elements)

    def _numbers(self, lattice: Lattice) -> tuple[np.ndarray, np.ndarray, Any, Any]:
        """Return the sites of the bonds, and their rates and phases."""
        if self.bonds is None:
            first, second, _ = lattice.bonds
        else:
            first, second = np.array(self.bonds).T - 1
        with at_key("rate"):
            rate = on_bonds(self.rate, lattice, first, second, lowest=0.0)
        with at_key("phase"):
            return first, second, rate, on_bonds(self.phase, lattice, first, second)
