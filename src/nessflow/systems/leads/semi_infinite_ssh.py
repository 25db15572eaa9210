"""Semi-infinite Su-Schrieffer-Heeger chain."""

from functools import cached_property
from typing import Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.leads.lead import NO_DISTANCE, Lead


class SemiInfiniteSSH(Lead):
    """Semi-infinite Su-Schrieffer-Heeger chain: two bands and a gap, coupled by one bond.

    Where the hopping between cells is the larger one it has a state at its end, in the gap.
    """

    kind: Literal["semi-infinite-ssh"] = "semi-infinite-ssh"
    intracell: float = quantity("hopping within a cell, the first bond", "t", 1.0, gt=0)
    intercell: float = quantity("hopping between cells, the second bond", "t", 1.0, gt=0)
    coupling: float = quantity("hopping between lead and contact site", "t", 1.0)
    onsite: float = quantity("on-site energy of the lead", "t", 0.0)

    @cached_property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """``onsite -+ |intracell -+ intercell|``, in t; one band where they are equal."""
        gap = abs(self.intracell - self.intercell)
        top, e = self.intracell + self.intercell, self.onsite
        return ((e - top, e - gap), (e + gap, e + top)) if gap else ((e - top, e + top),)

    @property
    def _excess(self) -> float:
        """``t2^2 - t1^2`` without cancellation."""
        t1, t2 = self.intracell, self.intercell
        return (t2 - t1) * (t2 + t1)

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        """State at the end of the chain, of weight ``1 - (t1/t2)^2``."""
        if self._excess <= 0:
            return ()
        weight = self._excess / self.intercell**2
        return ((self.onsite, self.coupling**2 * weight),)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy without that of the state at the end, see `Lead`.

        ``Sigma = coupling^2 g``, with the root ``g`` of
        ``w t2^2 g^2 - (w^2 + t2^2 - t1^2) g + w = 0`` that is retarded in the bands and decays as
        ``1/w`` outside, w from ``onsite``, t1 within and t2 between cells.
        """
        t1, t2 = self.intracell, self.intercell
        w = np.asarray(energies, float) - self.onsite
        w = np.where(w == 0, NO_DISTANCE, w)
        size, gap, top = abs(w), abs(t1 - t2), t1 + t2
        square = (size - gap) * (size + gap) * (size - top) * (size + top)
        root = np.sqrt(abs(square))
        g = np.empty(w.shape, complex)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside, middle = square < 0, (square >= 0) & (size <= gap)
            np.copyto(g, 2 * w / (w * w + self._excess + root))
            if self._excess > 0:
                rest = w - w * (2 * (t1 * t1 + t2 * t2) - w * w) / (root + self._excess)
                np.copyto(g, rest / (2 * t2 * t2), where=middle)
            else:
                np.copyto(g, 2 * w / (w * w + self._excess - root), where=middle & (size < gap))
            end = self._excess / (w * t2 * t2) if self._excess > 0 else 0.0
            retarded = (w * w + self._excess - 1j * np.sign(w) * root) / (2 * w * t2 * t2) - end
            np.copyto(g, retarded, where=inside)
            np.copyto(g, g - end, where=(square >= 0) & (size >= top))
        return self.coupling**2 * g[()]
