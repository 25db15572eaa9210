"""What every kind of loss and gain is: channels of a Lindblad equation, linear in the particles."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field
from scipy.sparse import csr_array

from nessflow.parts import Part
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.matrices import Tridiagonal

Site = Annotated[int, Field(ge=1)]


class Channels(Part, ABC):
    """Channels: fields are their keys in a study file, ``matrix`` the physics.

    Channel m is ``L_m = sum_j v_mj c_j`` as loss and ``L_m = sum_j v_mj c_j^+`` as gain; see
    `nessflow.systems.system` for the factors of the master equation.
    """

    home: ClassVar = __package__

    @abstractmethod
    def matrix(self, lattice: Lattice) -> Tridiagonal | csr_array:
        """Return the loss matrix of the channels.

        Parameters
        ----------
        lattice : Lattice
            Where they act, one that `require_fit` has passed.

        Returns
        -------
        Tridiagonal or (N, N) csr_array
            ``P_jk = sum_m v*_mj v_mk``, in t/hbar.  The gain matrix of the same amplitudes,
            ``Q_jk = sum_m v_mj v*_mk``, is its transpose (paper extended-landauer-buttiker, (5)).
        """

    def require_fit(self, lattice: Lattice) -> None:
        """Check that the lattice has what the channels act on.

        Raises
        ------
        KeyedError
            At the key of what it has not.
        """
