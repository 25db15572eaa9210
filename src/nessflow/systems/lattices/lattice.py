"""What every lattice is: sites, the bonds between them, and where leads go."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_array

from nessflow.matrix import as_block, hermitian, nesting, require_orbitals
from nessflow.parts import KeyedError, Part, at_key, quantity
from nessflow.systems.matrices import Tridiagonal, from_elements
from nessflow.systems.places import Onsite, is_formula, on_bonds, on_rows

MOST = 10_000_000
"""Orbitals of a lattice."""
Length = Annotated[int, Field(ge=1, le=MOST)]


class Bonds(NamedTuple):
    """Bonds of a lattice, from one site to another: ``h[first, second] = -hopping``.

    Attributes
    ----------
    first, second : (B,) int array
        Sites, from 0; no pair twice, in either order.
    hopping : (B,) array, or (B, orbitals, orbitals) array
        In t; numbers where each orbital is coupled to itself alone, and alike.
    """

    first: np.ndarray
    second: np.ndarray
    hopping: np.ndarray


class Continuation(NamedTuple):
    """How a lattice goes on beyond a side: cells n = 1, 2, ... that are alike, away from it.

    Attributes
    ----------
    rows : (m,) int array
        Rows of the lattice's Hamiltonian, from 0, that cell 1 is coupled to.
    cell : (m, m) array
        ``<cell n|h|cell n>``, Hermitian, in t.
    hopping : (m, m) array
        ``<cell n|h|cell n + 1>``, in t.
    coupling : (m, m) array
        ``<rows|h|cell 1>``, in t.
    """

    rows: np.ndarray
    cell: np.ndarray
    hopping: np.ndarray
    coupling: np.ndarray


class Ending(NamedTuple):
    """The same by a self-energy: what is beyond a side is told by what it does to the lattice.

    Attributes
    ----------
    rows : (m,) int array
        Rows of the lattice's Hamiltonian, from 0.
    self_energy : callable
        Energies, (e,), to retarded self-energies, (e, m, m), in t.
    band : (float, float) or None
        Lowest and highest energy with states, in t; None where these have no end.
    break_points : tuple of float
        Energies in the band at which it is not smooth, in t.
    """

    rows: np.ndarray
    self_energy: Callable[..., np.ndarray]
    band: tuple[float, float] | None = None
    break_points: tuple[float, ...] = ()


class Lattice(Part, ABC):
    """Lattice: fields are its keys in a study file, ``hamiltonian`` the physics.

    ``sites``, a key or a property, is the number of sites, which users count from 1; each has
    ``orbitals``, and the Hamiltonian one row for each of these: orbital o of site j, both from 1,
    is row ``(j - 1) * orbitals + o - 1`` of N.  Derive from `Graph` where the sites have energies
    of their own and ``bonds`` says the rest.
    """

    home: ClassVar = __package__
    needs: ClassVar = ("sites",)

    orbitals: Annotated[int, Field(ge=1, le=1000)] = quantity(
        "number of orbitals of each site, such as 2 for a spin", "1", 1
    )

    if TYPE_CHECKING:

        @property
        def sites(self) -> int:
            """Number of sites."""

    @property
    def size(self) -> int:
        """Number of rows N of the Hamiltonian."""
        return self.sites * self.orbitals

    @property
    @abstractmethod
    def bonds(self) -> Bonds:
        """Pairs of sites that are coupled, each in the direction of a channel on it."""

    @abstractmethod
    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> Tridiagonal | csr_array:
        """Return the Hamiltonian.

        Parameters
        ----------
        disorder : (sites,) array or float
            What is added to the energies of all orbitals of the sites, in t.

        Returns
        -------
        Tridiagonal, (N, N) csr_array or (N, N) array
            h, Hermitian, in t.
        """

    @property
    def positions(self) -> np.ndarray:
        """Where the sites are, (sites, d), in distances of neighbours; their number unless told."""
        return np.arange(1.0, self.sites + 1)[:, None]

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1, self.sites

    @property
    def rates(self) -> tuple[np.ndarray | Tridiagonal | csr_array | None, ...]:
        """Matrices P and Q of loss and gain that come with it, in t/hbar; None unless told."""
        return None, None

    def rows(self, site: int, orbital: int | None = None) -> tuple[int, ...]:
        """Return rows of the Hamiltonian, from 0.

        Parameters
        ----------
        site : int
            Counted from 1.
        orbital : int, optional
            Counted from 1; all unless told.
        """
        first = (site - 1) * self.orbitals
        if orbital is not None:
            return (first + orbital - 1,)
        return tuple(range(first, first + self.orbitals))

    @property
    def sides(self) -> tuple[str, ...]:
        """Sides beyond which the lattice may go on; none unless told."""
        return ()

    def continuation(self, side: str) -> Continuation | Ending:
        """Return how the lattice goes on beyond a side.

        What all sites have goes on; energies of single sites do not.

        Parameters
        ----------
        side : str
            One of `sides`.

        Raises
        ------
        ValueError
            When there is no such side, or the lattice is too small to go on there.
        """
        if self.sides:
            sides = ", ".join(self.sides)
            raise ValueError(f"a {self.kind} has no side {side!r}; its sides are {sides}")
        raise ValueError(
            f"how a lattice of the kind {self.kind} goes on is not known from itself; give the "
            "lead as {kind: unit-cell, cell: ..., hopping: ...}: the Hamiltonian of a cell and "
            "<cell n|h|cell n + 1>"
        )

    def require_orbital(self, orbital: int | None, *key: str | int) -> None:
        """Check that the sites have an orbital, from 1, if one is named.

        Raises
        ------
        KeyedError
            At the key ``orbital`` of ``key`` when they have not.
        """
        if orbital is not None and orbital > self.orbitals:
            raise KeyedError(
                f"there is no orbital {orbital}: each site has {self.orbitals}", *key, "orbital"
            )

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


class Graph(Lattice):
    """Lattice of given bonds, with energies of the sites as one more key.

    Keys that end in ``hopping`` are numbers, formulas of bonds or, with several orbitals, matrices
    of these; ``bonds`` has their values from `on_bonds`.
    """

    onsite: Onsite = quantity(
        "on-site energy, one number or one for each site; matrices where sites have orbitals",
        "t",
        0.0,
        if_complex="on-site energies are real; particle loss and gain go under loss and gain",
    )

    @model_validator(mode="after")
    def _one_energy_per_site(self) -> Self:
        depth, onsite = nesting(self.onsite), self.onsite
        if depth % 2 and isinstance(onsite, tuple) and len(onsite) != self.sites:
            what = "energies" if depth == 1 else "matrices"
            raise KeyedError(f"onsite has {len(onsite)} {what} for {self.sites} sites", "onsite")
        return self

    @model_validator(mode="after")
    def _matrices_of_orbitals(self) -> Self:
        depth, onsite = nesting(self.onsite), self.onsite
        matrices: dict[int, Any] = {2: (onsite,), 3: onsite}
        for number, rows in enumerate(matrices.get(depth, ())):
            with at_key("onsite", *(number,) * (depth == 3)):
                require_orbitals(rows, self.orbitals)
                hermitian(rows, part=False)
        for name in type(self).model_fields:
            value = getattr(self, name) if name.endswith("hopping") else None
            for key, rows in value.items() if isinstance(value, Mapping) else (((), value),):
                if isinstance(rows, tuple):
                    with at_key(name, *(key and (key,))):
                        require_orbitals(rows, self.orbitals)
        return self

    @model_validator(mode="after")
    def _formulas_have_values(self) -> Self:
        if self.sites * self.orbitals > MOST:
            raise ValueError(
                f"{self.sites} sites of {self.orbitals} orbitals are too many (at most {MOST:.0e})"
            )
        self.energies(0.0)
        with suppress(LookupError):  # a direction without hopping is a fault of its own
            if self._formulas:
                _ = self.bonds
        return self

    @property
    def _formulas(self) -> list[str]:
        """Keys of hoppings that are formulas, or are in some direction."""
        keys = [name for name in type(self).model_fields if name.endswith("hopping")]
        each = {key: getattr(self, key) for key in keys}
        return [
            key
            for key, value in each.items()
            if any(map(is_formula, value.values() if isinstance(value, Mapping) else [value]))
        ]

    def on_bonds(self, first: np.ndarray, second: np.ndarray, *key: str) -> np.ndarray:
        """Return the hopping of bonds.

        Parameters
        ----------
        first, second : (B,) int array
            Sites, from 0.
        *key : str
            What it is: a key that ends in ``hopping``, and a direction where that has several.

        Returns
        -------
        (B,) array, or (B, orbitals, orbitals) array
            In t.

        Raises
        ------
        KeyedError
            Where a formula has no value.
        """
        value = functools.reduce(lambda found, part: found[part], key[1:], getattr(self, key[0]))
        if is_formula(value):
            with at_key(*key):
                return on_bonds(value, self, first, second, is_complex=True)
        value = np.asarray(as_block(value))
        return np.broadcast_to(value, (first.size, *value.shape))

    def alike(self, parts: list[np.ndarray]) -> list[np.ndarray]:
        """Return hoppings as they are, or as matrices of orbitals where some of them are."""
        if all(part.ndim == 1 for part in parts):
            return parts
        one = np.eye(self.orbitals)
        return [np.multiply.outer(part, one) if part.ndim == 1 else part for part in parts]

    def require_same_hoppings(self) -> None:
        """Check that no hopping is a formula, so that the lattice may go on.

        Raises
        ------
        ValueError
            When one is.
        """
        for key in self._formulas:
            raise ValueError(
                f"no lead can continue this {self.kind}: its {key} is a formula, which says "
                "nothing of what is beyond; write a lead of the kind unit-cell"
            )

    @property
    def _blocks(self) -> np.ndarray:
        """What is on the sites, (1 or sites, orbitals, orbitals), in t."""
        if is_formula(self.onsite):
            with at_key("onsite"):
                energies = on_rows(self.onsite, self).reshape(-1, self.orbitals)
            return energies[:, :, None] * np.eye(self.orbitals)
        if nesting(self.onsite) < 2:
            return np.multiply.outer(np.atleast_1d(self.onsite), np.eye(self.orbitals))
        blocks = np.array(self.onsite, complex).reshape(-1, self.orbitals, self.orbitals)
        return blocks if blocks.imag.any() else blocks.real

    @property
    def common_energy(self) -> np.ndarray:
        """What all sites have, (orbitals, orbitals), in t; 0 where it is listed site by site."""
        is_common = not is_formula(self.onsite) and nesting(self.onsite) % 2 == 0
        return self._blocks[0] * is_common

    def energies(self, disorder: np.ndarray | float) -> np.ndarray:
        """Return the diagonal of h with ``disorder`` added, (N,), in t."""
        if self.orbitals == 1 and not is_formula(self.onsite) and nesting(self.onsite) < 2:
            return self.onsite + np.zeros(self.sites) + disorder
        diagonal = np.diagonal(self._blocks, axis1=1, axis2=2).real
        return (diagonal + (np.zeros(self.sites) + disorder)[:, None]).ravel()

    def continued(self, last: np.ndarray, bonds: Bonds) -> Continuation:
        """Return how the lattice goes on behind some sites.

        Parameters
        ----------
        last : (m,) int array
            Sites of the lattice, from 0, that cell 1 repeats one period further.
        bonds : Bonds
            Those between these sites, 0 to m - 1, cell 1, m to 2m - 1, and cell 2.

        Raises
        ------
        ValueError
            When a cell is not coupled to the next one.
        """
        n, m = self.orbitals, last.size
        first, second, hopping = bonds
        blocks = hopping if hopping.ndim == 3 else np.multiply.outer(hopping, np.eye(n))
        h = np.zeros((3 * m, 3 * m, n, n), np.result_type(blocks, self.common_energy))
        h[first, second] = -blocks
        h[second, first] = -blocks.conj().swapaxes(1, 2)
        h[range(3 * m), range(3 * m)] = self.common_energy
        h = h.swapaxes(1, 2).reshape(3, m * n, 3, m * n)
        if not h[1, :, 2].any():
            raise ValueError(f"the {self.kind} is too small to go on there: it has no whole period")
        rows = (last[:, None] * n + np.arange(n)).ravel()
        return Continuation(rows, h[1, :, 1], h[1, :, 2], h[0, :, 1])

    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> Tridiagonal | csr_array:
        """Return the Hamiltonian of the bonds, see `Lattice`."""
        first, second, hopping = self.bonds
        energies, n = self.energies(disorder), self.orbitals
        if n == 1:
            hopping = np.broadcast_to(np.reshape(hopping, -1), first.shape)
            return from_elements(energies, first, second, -hopping)
        blocks = hopping if hopping.ndim == 3 else np.multiply.outer(hopping, np.eye(n))
        bond, i, j = np.nonzero(blocks)
        rows, columns, elements = first[bond] * n + i, second[bond] * n + j, -blocks[bond, i, j]
        i, j = np.triu_indices(n, 1)
        site = n * np.arange(self.sites)[:, None]
        within = np.broadcast_to(self._blocks[:, i, j], (self.sites, i.size))
        return from_elements(
            energies,
            np.concatenate([rows, (site + i).ravel()]),
            np.concatenate([columns, (site + j).ravel()]),
            np.concatenate([elements, within.ravel()]),
        )


class OpenChain(Graph):
    """Chain, each site coupled to the next one."""

    @property
    @abstractmethod
    def repeated(self) -> tuple[str, ...]:
        """Keys of the hoppings of the first bonds, which all others repeat."""

    @property
    def sides(self) -> tuple[str, ...]:
        """Both ends."""
        return "left", "right"

    def _hoppings(self, bonds: np.ndarray) -> np.ndarray:
        """Return the hopping of bonds by their number from 0, those beyond the ends too, in t."""
        each = self.alike([self.on_bonds(bonds, bonds + 1, key) for key in self.repeated])
        return np.array(each)[bonds % len(each), np.arange(bonds.size)]

    @property
    def bonds(self) -> Bonds:
        """Bonds from each site to the next one."""
        first = np.arange(self.sites - 1)
        return Bonds(first, first + 1, self._hoppings(first))

    def hamiltonian(self, disorder: np.ndarray | float = 0.0) -> Tridiagonal | csr_array:
        """Return the Hamiltonian, see `Lattice`; equal hoppings take no memory each."""
        if self.orbitals > 1:
            return super().hamiltonian(disorder)
        varied = len(self.repeated) > 1 or is_formula(getattr(self, self.repeated[0]))
        count = self.sites - 1 if varied else 1
        return Tridiagonal(self.energies(disorder), -self._hoppings(np.arange(count)).squeeze())

    def continuation(self, side: str) -> Continuation | Ending:
        """Return how the chain goes on, see `Lattice`."""
        period, n = len(self.repeated), self.sites
        if side not in self.sides:
            return super().continuation(side)
        self.require_same_hoppings()
        if n < period:
            raise ValueError(f"a {self.kind} of {n} sites has no whole period to go on with")
        # Cells 2 and 1 and the sites themselves, or these, 1 and 2.
        start = -2 * period if side == "left" else n - period
        cells = np.arange(3 * period).reshape(3, period)
        place = cells[::-1].ravel() if side == "left" else cells.ravel()
        last = np.arange(period) if side == "left" else np.arange(n - period, n)
        hoppings = self._hoppings(np.arange(start, start + 3 * period - 1))
        return self.continued(last, Bonds(place[:-1], place[1:], hoppings))
