"""Chain beyond next neighbours."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nessflow.parts import quantity
from nessflow.systems.lattices.lattice import Bonds, Graph
from nessflow.systems.places import ComplexPerBond


class LongRange(Graph):
    """Open chain whose hoppings fall with a power of the distance.

    ``h[j, j+r] = -hopping / r^exponent`` for ``r <= reach``.
    """

    kind: Literal["long-range"] = "long-range"
    sites: Annotated[int, Field(ge=1, le=10_000)] = quantity("number of sites", "1")
    hopping: ComplexPerBond = quantity("hopping amplitude between neighbours", "t", 1.0)
    exponent: float = quantity("power of the distance that hoppings are divided by", "1", ge=0)
    reach: int | None = quantity(
        "distance beyond which nothing hops; left out: the whole chain", "1", None, ge=1
    )

    @property
    def bonds(self) -> Bonds:
        """Bonds from each site to all behind it within reach."""
        first, second = np.triu_indices(self.sites, 1)
        near = second - first <= (self.sites if self.reach is None else self.reach)
        first, second = first[near], second[near]
        hopping = self.on_bonds(first, second, "hopping")
        return Bonds(first, second, hopping / (second - first).astype(float) ** self.exponent)
