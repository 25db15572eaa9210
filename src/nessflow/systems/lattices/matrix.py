"""Any Hamiltonian."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow import matrix
from nessflow.parts import KeyedError, at_key
from nessflow.systems.lattices.lattice import Bonds, Lattice


class Matrix(Lattice):
    """Any Hermitian hamiltonian, written out row by row."""

    kind: Literal["matrix"] = "matrix"
    elements: matrix.Matrix = Field(
        alias="hamiltonian",
        description="rows of the Hermitian matrix h; complex as '1+2j', '1+2i' or [1, 2]",
    )
    hermitian_part: bool = Field(
        False, description="take (h + h^+)/2 of a matrix that was printed with few digits"
    )

    @model_validator(mode="after")
    def _hermitian(self) -> Self:
        with at_key("hamiltonian"):
            matrix.require_square(self.elements)
            matrix.hermitian(self.elements, part=self.hermitian_part)
        if len(self.elements) % self.orbitals:
            raise KeyedError(
                f"{len(self.elements)} rows are no whole number of sites of {self.orbitals} "
                "orbitals each",
                "orbitals",
            )
        return self

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.elements) // self.orbitals

    @property
    def bonds(self) -> Bonds:
        """Bonds from the lower to the higher site, wherever an element is not 0."""
        n = self.orbitals
        blocks = self.hamiltonian().reshape(self.sites, n, self.sites, n).swapaxes(1, 2)
        first, second = np.nonzero(np.triu(blocks.any(axis=(2, 3)), 1))
        hopping = -blocks[first, second]
        return Bonds(first, second, hopping if n > 1 else hopping[:, 0, 0])

    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> np.ndarray:
        """Return the matrix, see `Lattice`."""
        h = matrix.hermitian(self.elements, part=self.hermitian_part)
        return h + np.diag(np.repeat(np.zeros(self.sites) + disorder, self.orbitals))
