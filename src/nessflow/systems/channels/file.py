"""Channels whose matrix is in a file."""

from functools import cached_property
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from nessflow.matrix import Path, content_of
from nessflow.parts import KeyedError, at_key
from nessflow.systems.channels.channel import Channels
from nessflow.systems.described import Described, hermitian
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal, check_positive, checked


class File(Channels):
    """Channels by their matrix, in a file of the project: P as loss and Q as gain.

    ``P_jk = sum_m v*_mj v_mk`` and ``Q_jk = sum_m v_mj v*_mk`` of the amplitudes v, with a row for
    each of the Hamiltonian; Hermitian, without negative eigenvalues.
    """

    kind: Literal["file"] = "file"
    path: Path = Field(description="the file, below the folder of the project")
    format: Literal["npz", "mtx"] | None = Field(
        None, description="what it is; left out: what its ending says"
    )
    name: str | None = Field(None, description="name of the array in a file of several")

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if self.orbital is not None:
            raise KeyedError("its matrix has a row for each orbital; leave orbital out", "orbital")
        with at_key("path", is_certain=True):
            check_positive(self.path, checked(self.path, self._matrix))
        return self

    def require_fit(self, lattice: Lattice) -> None:
        """Check the size of the matrix, see `Channels`."""
        size = self._matrix.shape[0]
        if size != lattice.size:
            raise KeyedError(
                f"{self.path} has {size} rows, the Hamiltonian of the {lattice.kind} "
                f"{lattice.size}",
                "path",
            )

    @cached_property
    def _described(self) -> Described:
        name = f"{self.path}: {self.name or 'the matrix'}"
        found = content_of(self.path, self.format).matrix(self.name)
        return Described(hermitian(name, found, first=1))

    @property
    def _matrix(self) -> np.ndarray | Tridiagonal | csr_array:
        return self._described.stored

    def matrix(self, lattice: Lattice) -> np.ndarray | Tridiagonal | csr_array:
        """Return ``P``, see `Channels`."""
        return self._matrix

    def matrix_of_orbitals(self, lattice: Lattice) -> np.ndarray | Tridiagonal | csr_array:
        """Return ``P``, which has a row for each orbital."""
        return self._matrix

    def gain_matrix(self, lattice: Lattice) -> np.ndarray | Tridiagonal | csr_array:
        """Return ``Q``, which is what the file has."""
        return self._matrix
