"""Any Hamiltonian."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from nessflow import matrix
from nessflow.parts import at_key
from nessflow.systems.lattices.lattice import Bonds, Lattice


class Matrix(Lattice):
    """Any Hermitian hamiltonian, written out row by row."""

    kind: Literal["matrix"] = "matrix"
    rows: matrix.Matrix = Field(
        alias="hamiltonian",
        description="rows of the Hermitian matrix h; complex as '1+2j', '1+2i' or [1, 2]",
    )
    hermitian_part: bool = Field(
        False, description="take (h + h^+)/2 of a matrix that was printed with few digits"
    )

    @model_validator(mode="after")
    def _hermitian(self):
        with at_key("hamiltonian"):
            matrix.require_square(self.rows)
            matrix.hermitian(self.rows, part=self.hermitian_part)
        return self

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.rows)

    @property
    def bonds(self) -> Bonds:
        """Bonds from the lower to the higher site, wherever an element is not 0."""
        h = self.hamiltonian()
        first, second = np.nonzero(np.triu(h, 1))
        return Bonds(first, second, -h[first, second])

    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> np.ndarray:
        """Return the matrix, see `Lattice`."""
        h = matrix.hermitian(self.rows, part=self.hermitian_part)
        return h + np.diag(np.zeros(self.sites) + disorder)
