"""Channels on some sites."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from nessflow.grids import require_different
from nessflow.parts import at_key, quantity
from nessflow.systems.channels.channel import Channels
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.places import RateOfFormula, Site, SiteList, by_site, on_sites, sites_of

Rate = Annotated[float, Field(ge=0)]


class Sites(Channels):
    """Channels sqrt(rate) c_j (loss) or sqrt(rate) c_j^+ (gain) on chosen sites, from 1."""

    kind: Literal["sites"] = "sites"
    rates: dict[Site, Rate] | None = quantity(
        "site number -> rate (population rate: twice this)", "t/hbar", None
    )
    sites: SiteList | None = Field(
        None,
        description="sites that have the rate: a list, {start, stop, step} with stop included, "
        "{where: x < 10} or the name of a region",
        examples=[{"where": "x < 10"}],
    )
    rate: RateOfFormula | None = quantity(
        "rate on each of these sites", "t/hbar", None, examples=[0.1]
    )

    @field_validator("rates", mode="before")
    @classmethod
    def _of_single_sites(cls, rates: Any) -> Any:
        if not isinstance(rates, dict):
            return rates
        if rates.keys() & {"start", "stop", "step", "where"}:
            raise ValueError(
                "rates are those of single sites, site -> rate; many that have one rate are "
                f"written sites: {rates}, rate: 0.1".replace("'", "")
            )
        return by_site(rates)

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = self.rates is not None, self.sites is not None, self.rate is not None
        if given not in ((True, False, False), (False, True, True)):
            raise ValueError("give either rates (site -> rate), or sites and the rate they have")
        if isinstance(self.sites, tuple):
            with at_key("sites"):
                require_different(self.sites, "listed twice")
        return self

    def require_fit(self, lattice: Lattice) -> None:
        """Check that the sites exist and have rates, see `Channels`."""
        for site in self.rates or ():
            lattice.require_site(site, "rates", site, of_key=True)
        if self.sites is not None:
            with at_key("sites"):
                for number, site in enumerate(sites_of(self.sites, lattice)):
                    lattice.require_site(site, number)
            with at_key("rate"):
                self._rates(lattice)

    def matrix(self, lattice: Lattice) -> Tridiagonal:
        """Return ``P``, see `Channels`."""
        return Tridiagonal(self._rates(lattice))

    def _rates(self, lattice: Lattice) -> np.ndarray:
        rates = np.zeros(lattice.sites)
        if self.sites is not None:
            chosen = np.array(sites_of(self.sites, lattice)) - 1
            rates[chosen] = on_sites(self.rate, lattice, 0.0, chosen)
        for site, rate in (self.rates or {}).items():
            rates[site - 1] = rate
        return rates
