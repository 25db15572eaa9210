"""Channels on some sites."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nessflow.parts import quantity
from nessflow.systems.channels.channel import Channels, Site
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal

Rate = Annotated[float, Field(ge=0)]


class Sites(Channels):
    """Channels sqrt(rate) c_j (loss) or sqrt(rate) c_j^+ (gain) on chosen sites, from 1."""

    kind: Literal["sites"] = "sites"
    rates: dict[Site, Rate] = quantity(
        "site number -> rate (population rate: twice this)", "t/hbar"
    )

    def require_fit(self, lattice: Lattice) -> None:
        """Check that the sites exist, see `Channels`."""
        for site in self.rates:
            lattice.require_site(site, "rates", site, of_key=True)

    def matrix(self, lattice: Lattice) -> Tridiagonal:
        """Return ``P``, see `Channels`."""
        rates = np.zeros(lattice.sites)
        for site, rate in self.rates.items():
            rates[site - 1] = rate
        return Tridiagonal(rates)
