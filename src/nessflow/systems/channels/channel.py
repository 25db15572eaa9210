"""What every kind of loss and gain is: channels of a Lindblad equation, linear in the particles."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import scipy.sparse
from pydantic import Field
from scipy.sparse import csr_array

from nessflow.parts import Part
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal, as_sparse, checked, narrowed
from nessflow.systems.places import Site as Site


class Channels(Part, ABC):
    """Channels: fields are their keys in a study file, ``matrix`` the physics.

    Channel m is ``L_m = sum_j v_mj c_j`` as loss and ``L_m = sum_j v_mj c_j^+`` as gain; see
    `nessflow.systems.system` for the factors of the master equation.
    """

    home: ClassVar = __package__

    orbital: Site | None = Field(
        None, description="orbital of the sites that they act on, from 1; left out: each, alike"
    )

    @abstractmethod
    def matrix(self, lattice: Lattice) -> Tridiagonal | csr_array:
        """Return the loss matrix of the channels on sites of one orbital.

        Parameters
        ----------
        lattice : Lattice
            Where they act, one that `require_fit` has passed.

        Returns
        -------
        Tridiagonal or (sites, sites) csr_array
            ``P_jk = sum_m v*_mj v_mk``, in t/hbar.  The gain matrix of the same amplitudes,
            ``Q_jk = sum_m v_mj v*_mk``, is its transpose (paper extended-landauer-buttiker, (5)).
        """

    def matrix_of_orbitals(self, lattice: Lattice) -> Tridiagonal | csr_array:
        """Return the loss matrix with a row for each orbital, (N, N), in t/hbar; see `matrix`."""
        on_sites = self.matrix(lattice)
        if lattice.orbitals == 1:
            return on_sites
        every = np.arange(1, lattice.orbitals + 1)
        own = every if self.orbital is None else self.orbital
        acts = (every == own).astype(float)
        on_sites = checked("loss or gain", on_sites)
        if isinstance(on_sites, Tridiagonal) and not on_sites.upper.any():
            return Tridiagonal(np.outer(on_sites.diagonal, acts).ravel())
        within = scipy.sparse.diags_array(acts)
        return narrowed(scipy.sparse.kron(as_sparse(on_sites).matrix, within, format="csr"))

    def gain_matrix(self, lattice: Lattice) -> Tridiagonal | csr_array:
        """Return the gain matrix ``Q`` of the channels, (N, N), in t/hbar; see `matrix`."""
        return self.matrix_of_orbitals(lattice).T

    def require_fit(self, lattice: Lattice) -> None:
        """Check that the lattice has what the channels act on.

        Raises
        ------
        KeyedError
            At the key of what it has not.
        """
