"""Semi-infinite chain."""

from functools import cached_property
from typing import Any, Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.leads.lead import Lead


class SemiInfiniteChain(Lead):
    """Semi-infinite chain, coupled by one bond."""

    kind: Literal["semi-infinite-chain"] = "semi-infinite-chain"
    hopping: float = quantity("hopping inside the lead", "t", 1.0, gt=0)
    coupling: float = quantity("hopping between lead and contact site", "t", 1.0)
    onsite: float = quantity("on-site energy of the lead", "t", 0.0)

    @cached_property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """``onsite -+ 2 hopping``, in t."""
        return ((self.onsite - 2 * self.hopping, self.onsite + 2 * self.hopping),)

    def _reduced(self, energies: Any) -> Any:
        """Energy from the band centre in half band widths."""
        return (np.asarray(energies, float) - self.onsite) / (2 * self.hopping)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy, see `Lead`.

        ``Sigma = coupling^2 g`` with the surface Green's function ``g`` of the chain, the root of
        ``hopping^2 g^2 - (w - onsite) g + 1 = 0`` that is retarded inside the band and decays as
        ``1/w`` outside.
        """
        x = self._reduced(energies)
        scale = self.coupling**2 / self.hopping
        square = (1 - x) * (1 + x)  # to the last bit at the edges, unlike 1 - x^2
        outside = square < 0
        root = np.sqrt(abs(square))
        result = np.empty(x.shape, complex)
        np.multiply(x, scale, out=result.real)
        np.multiply(root, -scale, out=result.imag)
        if outside.any():
            # 1/(x + root) instead of x - root, which cancels far away.
            np.copyto(result, scale / (x + np.copysign(root, x)), where=outside)
        return result[()]

    def regular_derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy and its first two derivatives, see `Lead`."""
        half, scale = 2 * self.hopping, self.coupling**2 / self.hopping
        x = self._reduced(energy)
        if abs(x) < 1:
            root = np.sqrt((1 - x) * (1 + x))
            found = scale * np.array([x - 1j * root, 1 + 1j * x / root, 1j / root**3])
        else:
            root = np.copysign(np.sqrt((x - 1) * (x + 1)), x)
            value = scale / (x + root)
            found = np.array([value, -value / root, scale / root**3 + 0j])
        return found / half ** np.arange(3)
