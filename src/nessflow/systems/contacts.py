"""How leads are joined to the sites of a system: each channel by one vector of amplitudes.

A channel a with the amplitudes ``v_a`` and the scalar self-energy ``sigma_a`` adds ``v_a sigma_a
v_a^+`` to the Hamiltonian.  A lead on one site has a unit vector, one that is coupled coherently to
several sites has several elements, and a lead that continues a strip is one channel for each of its
transverse modes.  Everything between leads takes Green's function between these vectors, ``v_a^+ G
v_b``, and the broadening of each channel, a number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse

Coupling = tuple[tuple[int, complex], ...]
"""Sites, ascending, and amplitudes of one channel; a unit vector is ``((site, 1.0),)``."""


def _product(matrix: scipy.sparse.sparray, values: np.ndarray) -> np.ndarray:
    """Return a matrix (m, n) times values (n, ...), each with the bits that it has alone."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    return (matrix.tocsr() @ flat).reshape(matrix.shape[0], *values.shape[1:])


@dataclass(frozen=True, eq=False)
class Contacts:
    """Distinct vectors, c of them, on the k sites that have an element of any.

    Attributes
    ----------
    couplings : tuple of c Coupling
        The vectors, in the order of their sites.
    of_lead : (l,) int
        Vector of each channel.
    joined : tuple of tuple of int
        Sites that a lead joins beside what the vectors do, those of each.
    """

    couplings: tuple[Coupling, ...]
    of_lead: np.ndarray
    joined: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(
        cls, couplings: Sequence[Coupling], joined: Sequence[tuple[int, ...]] = ()
    ) -> "Contacts":
        """Return the contacts of channels.

        Parameters
        ----------
        couplings : sequence of l Coupling
            Of each channel.
        joined : sequence of tuple of int, optional
            Sites of each lead whose self-energy has elements between all of them.

        Returns
        -------
        Contacts
            Channels of one vector share it.
        """
        distinct = sorted(dict.fromkeys(couplings), key=lambda pairs: [site for site, _ in pairs])
        place = {coupling: k for k, coupling in enumerate(distinct)}
        return cls(tuple(distinct), np.array([place[x] for x in couplings], int), tuple(joined))

    @property
    def count(self) -> int:
        """Number of vectors c."""
        return len(self.couplings)

    @cached_property
    def are_points(self) -> bool:
        """Whether they are different unit vectors, each a site, and no lead joins two."""
        points = not self.joined and all(len(x) == 1 and x[0][1] == 1 for x in self.couplings)
        return points and self.sites.size == self.count

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Site, vector and amplitude of each element."""
        entries = [(*pair, k) for k, pairs in enumerate(self.couplings) for pair in pairs]
        sites, amplitudes, vectors = zip(*entries, strict=True) if entries else ((), (), ())
        return np.array(sites, int), np.array(vectors, int), np.array(amplitudes)

    @cached_property
    def sites(self) -> np.ndarray:
        """Sites with an element of any vector, ascending; (k,) int."""
        return np.unique(self.entries[0])

    @cached_property
    def inner(self) -> np.ndarray:
        """Vectors on these sites in columns, (k, c)."""
        sites, vectors, amplitudes = self.entries
        result = np.zeros((self.sites.size, self.count), amplitudes.dtype)
        result[np.searchsorted(self.sites, sites), vectors] = amplitudes
        return result

    def rows(self, sites: int) -> scipy.sparse.csr_array:
        """Return ``v^+`` of each vector.

        Parameters
        ----------
        sites : int
            Number of sites N.

        Returns
        -------
        (c, N) sparse array
            One row for each vector.
        """
        at, vectors, amplitudes = self.entries
        values = np.conj(amplitudes), (vectors, at)
        return scipy.sparse.coo_array(values, shape=(self.count, sites)).tocsr()

    def columns(self, sites: int, place: np.ndarray | None = None) -> np.ndarray:
        """Return the vectors.

        Parameters
        ----------
        sites : int
            Number of sites N.
        place : (N,) int array, optional
            New number of each site.

        Returns
        -------
        (N, c) complex array
            In columns.
        """
        result = np.zeros((sites, self.count), complex, order="F")
        at, vectors, amplitudes = self.entries
        result[at if place is None else place[at], vectors] = amplitudes
        return result

    def collected(self, states: np.ndarray, place: np.ndarray | None = None) -> np.ndarray:
        """Return ``v^T states`` for each vector.

        Parameters
        ----------
        states : (N, ...) array
            Numbers on sites.
        place : (N,) int array, optional
            New number of each site, where the states have these.

        Returns
        -------
        (c, ...) array
            Sums over the sites of each vector, without complex conjugation.
        """
        picked = states[self.sites if place is None else place[self.sites]]
        return picked if self.are_points else _product(self._inner.T, picked)

    @cached_property
    def magnitudes(self) -> "Contacts":
        """The same contacts with the magnitudes of all amplitudes, what sums are rounded by."""
        sizes = [tuple((site, abs(x)) for site, x in pairs) for pairs in self.couplings]
        return Contacts(tuple(sizes), self.of_lead, self.joined)

    # --- matrices on the sites of the contacts ----------------------------------------------------

    @cached_property
    def links(self) -> np.ndarray:
        """Pairs of sites, first below second, that share a vector or a lead; (u, 2) int."""
        if self.are_points:
            return np.empty((0, 2), int)
        inner = (self.inner != 0).astype(int)
        together = inner @ inner.T
        for sites in self.joined:
            at = np.searchsorted(self.sites, sites)
            together[at[:, None], at] = 1
        first, second = np.nonzero(np.triu(together, 1))
        return np.stack([self.sites[first], self.sites[second]], axis=1)

    @cached_property
    def elements(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of all elements of ``v v^+``: diagonal, above, below; (p,) each."""
        first, second = self.links.T
        diagonal = self.sites
        return np.concatenate([diagonal, first, second]), np.concatenate([diagonal, second, first])

    @cached_property
    def _inner(self) -> scipy.sparse.csr_array:
        return scipy.sparse.csr_array(self.inner)

    @cached_property
    def _weights(self) -> scipy.sparse.csr_array:
        """Elements of ``v v^+``, (p, c)."""
        rows, columns = (np.searchsorted(self.sites, x) for x in self.elements)
        return scipy.sparse.csr_array(self.inner[rows] * self.inner[columns].conj())

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Return the elements of ``sum_a x_a v_a v_a^+``.

        Parameters
        ----------
        values : (l, ...) array
            ``x``, of each channel.

        Returns
        -------
        (p, ...) array
            At `elements`.
        """
        total = np.zeros((self.count, *values.shape[1:]), values.dtype)
        if self.count == self.of_lead.size:
            total[self.of_lead] = values  # each has its own
        else:
            np.add.at(total, self.of_lead, values)
        return self.spread(total)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return the elements of ``sum_c x_c v_c v_c^+``.

        Parameters
        ----------
        values : (c, ...) array
            ``x``, of each vector.

        Returns
        -------
        (p, ...) array
            At `elements`.
        """
        return values if self.are_points else _product(self._weights, values)

    def expectations(self, diagonal: np.ndarray, above: np.ndarray) -> np.ndarray:
        """Return ``v_a^+ C v_a`` of Hermitian matrices for each channel.

        Parameters
        ----------
        diagonal : (..., N) float array
            ``C_jj``.
        above : (..., u) complex array
            ``C_ij`` of `links`.

        Returns
        -------
        (..., l) float array
            Of each channel.
        """
        found = diagonal[..., self.sites]
        if not self.are_points:
            found = np.moveaxis(np.concatenate([found, above, above.conj()], axis=-1), -1, 0)
            found = np.moveaxis(_product(self._weights.conj().T, found).real, 0, -1)
        return found[..., self.of_lead]


def hermitian_elements(contacts: Contacts, values: np.ndarray) -> np.ndarray:
    """Return the elements of the Hermitian part of a matrix.

    Parameters
    ----------
    contacts : Contacts
        Whose `Contacts.elements` they are.
    values : (p, ...) complex array
        Elements.

    Returns
    -------
    (p, ...) complex array
        ``(M + M^+)/2``.
    """
    diagonal, above, below = np.split(
        values, np.cumsum([contacts.sites.size, len(contacts.links)]).tolist()
    )
    return 0.5 * (values + np.concatenate([diagonal, below, above]).conj())
