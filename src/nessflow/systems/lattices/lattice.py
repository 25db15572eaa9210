"""What every lattice is: sites, the bonds between them, and where leads go."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from nessflow.parts import KeyedError, Part, quantity
from nessflow.systems.matrices import Tridiagonal, from_elements

Length = Annotated[int, Field(ge=1, le=10_000_000)]


class Bonds(NamedTuple):
    """Bonds of a lattice, from one site to another: ``h[first, second] = -hopping``.

    Attributes
    ----------
    first, second : (B,) int array
        Sites, from 0; no pair twice, in either order.
    hopping : (B,) array
        In t.
    """

    first: np.ndarray
    second: np.ndarray
    hopping: np.ndarray


class Lattice(Part, ABC):
    """Lattice: fields are its keys in a study file, ``hamiltonian`` the physics.

    ``sites``, a key or a property, is the number of sites N.  Derive from `Shape` where the sites
    have energies of their own and ``bonds`` says the rest.
    """

    home: ClassVar = __package__
    needs: ClassVar = ("sites",)

    @property
    @abstractmethod
    def bonds(self) -> Bonds:
        """Pairs of sites that are coupled, each in the direction of a channel on it."""

    @abstractmethod
    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> Tridiagonal | csr_array:
        """Return the Hamiltonian.

        Parameters
        ----------
        disorder : (N,) array or float
            What is added to the energies of the sites, in t.

        Returns
        -------
        Tridiagonal, (N, N) csr_array or (N, N) array
            h, Hermitian, in t.
        """

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1, self.sites

    def require_site(self, site: int, *key: str | int, of_key: bool = False) -> None:
        """Check that there is a site.

        Parameters
        ----------
        site : int
            Counted from 1.
        *key, of_key
            Where it is written, see `KeyedError`.

        Raises
        ------
        KeyedError
            When there is none.
        """
        if site > self.sites:
            raise KeyedError(
                f"there is no site {site}: the {self.kind} has {self.sites} sites",
                *key,
                of_key=of_key,
            )


class Shape(Lattice):
    """Lattice of given bonds, with energies of the sites as one more key."""

    onsite: float | tuple[float, ...] = quantity(
        "on-site energy, one number or one for each site",
        "t",
        0.0,
        if_complex="on-site energies are real; particle loss and gain go under loss and gain",
    )

    @model_validator(mode="after")
    def _one_energy_per_site(self):
        if isinstance(self.onsite, tuple) and len(self.onsite) != self.sites:
            raise KeyedError(
                f"onsite has {len(self.onsite)} energies for {self.sites} sites", "onsite"
            )
        return self

    def energies(self, disorder: np.ndarray | float) -> np.ndarray:
        """Return the on-site energies with ``disorder`` added, (N,), in t."""
        return self.onsite + np.zeros(self.sites) + disorder

    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> Tridiagonal | csr_array:
        """Return the Hamiltonian of the bonds, see `Lattice`."""
        first, second, hopping = self.bonds
        hopping = np.broadcast_to(hopping, first.shape)
        return from_elements(self.energies(disorder), first, second, -hopping)


class OpenChain(Shape):
    """Chain, each site coupled to the next one."""

    @property
    @abstractmethod
    def hoppings(self) -> np.ndarray | float:
        """Hopping of each bond, (N - 1,), or of all, in t."""

    @property
    def bonds(self) -> Bonds:
        """Bonds from each site to the next one."""
        first = np.arange(self.sites - 1)
        return Bonds(first, first + 1, np.broadcast_to(self.hoppings, first.shape))

    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> Tridiagonal:
        """Return the Hamiltonian, see `Lattice`; equal hoppings take no memory each."""
        return Tridiagonal(self.energies(disorder), -self.hoppings)
