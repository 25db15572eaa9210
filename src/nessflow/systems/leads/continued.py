"""The lattice itself, going on."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.leads.lead import Lead
from nessflow.systems.leads.unit_cell import UnitCell


class Continued(Lead):
    """The lattice goes on beyond a side, with what all its sites have: hoppings, flux, spin.

    Energies of single sites (a list, disorder), loss and gain end with the lattice.
    """

    kind: Literal["continued"] = "continued"
    side: str | None = Field(
        None,
        description="left, right, top or bottom, top-1 for the first of several arms; default: the "
        "name of the lead",
    )
    onsite: float = quantity("energy of its sites beside what all sites have", "t", 0.0)

    is_placed: ClassVar = False

    def beyond(self, lattice: Lattice, name: str) -> tuple[Lead, tuple[int, ...]]:
        """Return the lead that the lattice makes of it, and its rows, see `Lead`."""
        rows, cell, hopping, coupling = lattice.continuation(self.side or name)
        cell = cell + self.onsite * np.eye(len(cell))
        other = None if np.array_equal(coupling, hopping) else coupling.tolist()
        found = UnitCell(cell=cell.tolist(), hopping=hopping.tolist(), coupling=other)
        return found, tuple(rows.tolist())

    @property
    def is_coupled(self) -> bool:
        """Whether the lead damps its sites: a lattice that goes on does."""
        return True

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """None without a lattice."""
        raise TypeError("a continued lead has bands where its lattice is known, see `beyond`")

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return nothing: without a lattice it has no self-energy."""
        raise TypeError("a continued lead has a self-energy where its lattice is known")
