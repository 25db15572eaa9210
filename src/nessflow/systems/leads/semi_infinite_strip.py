"""Semi-infinite strip of the square lattice."""

from typing import ClassVar, Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.leads.lead import Lead
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain


class SemiInfiniteStrip(SemiInfiniteChain):
    """Semi-infinite strip of the square lattice, one row for each site, coupled by a bond each.

    Its channels are its transverse modes.  Rows of a column of the system in their order: with the
    hopping of the lattice as hopping and coupling, it continues a strip.
    """

    kind: Literal["semi-infinite-strip"] = "semi-infinite-strip"  # type: ignore[assignment]  # own
    hopping: float = quantity("hopping inside the lead, along and across", "t", 1.0, gt=0)
    coupling: float = quantity("hopping between each row and its site", "t", 1.0)

    has_rows: ClassVar = True
    takes_orbitals: ClassVar = False

    def channels(self, sites: int) -> tuple[tuple[np.ndarray, Lead], ...]:
        """Return the transverse modes as chains, see `Lead.channels`.

        Mode n of m rows, ``sqrt(2/(m+1)) sin(pi n j/(m+1))``, has the energy
        ``-2 hopping cos(pi n/(m+1))`` beside ``onsite``.
        """
        number, count = np.arange(1, sites + 1), sites + 1
        # Without rounding: nodes are zeros, and the energies are symmetric.
        turns = np.outer(number, number) % (2 * count)
        modes = np.where(turns % count, np.sin(np.pi * turns / count), 0.0) * np.sqrt(2 / count)
        energies = -2 * self.hopping * np.sin(np.pi * (count - 2 * number) / (2 * count))
        fields = {"hopping": self.hopping, "coupling": self.coupling}
        return tuple(
            (mode, SemiInfiniteChain(onsite=self.onsite + float(energy), **fields))
            for mode, energy in zip(modes, energies, strict=True)
        )
