"""Channels of any amplitudes."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator
from scipy.sparse import csr_array

from nessflow.matrix import Complex
from nessflow.parts import KeyedError, quantity
from nessflow.systems.channels.channel import Channels, Site
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal, narrowed

Vector = Annotated[dict[Site, Complex], Field(min_length=1)]


class Vectors(Channels):
    """Any channels, sum_j v_j c_j (loss) or sum_j v_j c_j^+ (gain), by their amplitudes v.

    Paper 000, (3): amplitudes u of loss and v of gain, in general complex, on any sites.
    """

    kind: Literal["vectors"] = "vectors"
    vectors: tuple[Vector, ...] = quantity(
        "for each channel: site number -> amplitude; complex as '1+2j', '1+2i' or [1, 2] (an "
        "amplitude v alone damps the population of its site with 2 |v|^2)",
        "(t/hbar)^1/2",
        min_length=1,
        examples=[[{"1": 0.3, "2": "0.2j"}]],
    )

    @field_validator("vectors")
    @classmethod
    def _not_zero(cls, vectors: Any) -> Any:
        for number, vector in enumerate(vectors):
            for site, amplitude in vector.items():
                if amplitude == 0:
                    raise KeyedError("the amplitude is 0: leave the site out", number, site)
        return vectors

    def require_fit(self, lattice: Lattice) -> None:
        """Check that the sites exist, see `Channels`."""
        for number, vector in enumerate(self.vectors):
            for site in vector:
                lattice.require_site(site, "vectors", number, site, of_key=True)

    def matrix(self, lattice: Lattice) -> Tridiagonal | csr_array:
        """Return ``P``, see `Channels`."""
        rows = np.repeat(np.arange(len(self.vectors)), [len(vector) for vector in self.vectors])
        columns = np.array([site - 1 for vector in self.vectors for site in vector])
        amplitudes = np.array([v for vector in self.vectors for v in vector.values()], complex)
        shape = len(self.vectors), lattice.sites
        channels = csr_array((amplitudes, (rows, columns)), shape=shape)
        return narrowed(channels.conj().T @ channels)
