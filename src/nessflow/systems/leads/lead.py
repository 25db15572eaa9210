"""Leads: what a semi-infinite reservoir does to the site that it is coupled to.

One class is one kind of lead: its fields are the keys of a study file, its methods the physics.
It says nothing of where it is, nor how it is filled (`nessflow.systems.system.AttachedLead`).

A lead needs two things, the self-energy and the bands in which it has states.  From these follow
its broadening, its band edges, its derivatives and an energy where it is regular.  A self-energy
with a pole, of a state at the end of the lead or of a level that only the lead damps, says so
(`Lead.poles`): the pole is an orbital of its own beside the site, and the rest is regular.

On several sites a lead is the sum of its channels (`Lead.channels`), each with a vector v over the
sites and a self-energy sigma of its own: ``Sigma = sum_n v_n sigma_n(w) v_n^+``.  Its broadening is
then ``i (Sigma - Sigma^+) = V V^+`` with one column ``sqrt(Gamma_n) v_n`` for each open channel,
and the edges of all its channels are those of its subbands.

Units hbar = k_B = e = 1, energies in the hopping t.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from nessflow.parts import Part
from nessflow.systems.lattices.lattice import Lattice

_NODES = 32
"""Chebyshev nodes of numerical derivatives, within half the distance to the next edge."""
ON_EDGE = 4 * np.finfo(float).eps
"""Distance from an edge, relative to the band, that is none to rounding."""
NO_DISTANCE = 1e-150
"""Distance from a pole that stands for none; the self-energy there cuts the site off."""


class Lead(Part, ABC):
    """Lead with one channel on one site, and what it is on several."""

    home: ClassVar = __package__
    strength: ClassVar[str] = "coupling"
    """The field that is 0 where nothing is coupled."""
    has_rows: ClassVar[bool] = False
    """Whether its sites are rows of one lead, so that they come as a list, in order."""
    takes_orbitals: ClassVar[bool] = True
    """Whether these may be several orbitals of a site."""
    is_placed: ClassVar[bool] = True
    """Whether it is told where it is; where not, the lattice knows (`beyond`)."""

    def beyond(
        self, lattice: Lattice, name: str, orbital: int | None = None
    ) -> tuple["Lead", tuple[int, ...]]:
        """Return the lead that a lattice makes of one that is not placed.

        Parameters
        ----------
        lattice : Lattice
            What it is beside.
        name : str
            Its name.
        orbital : int or None
            The orbital of its sites, from 1, that it is of; all of them where None.

        Returns
        -------
        lead, rows : Lead, tuple of int
            What it is, and the rows of the Hamiltonian, from 0, that it is coupled to.

        Raises
        ------
        ValueError
            When there is no such lead beside the lattice, or its orbitals are coupled.
        """
        raise NotImplementedError(f"a {self.kind} is told where it is")

    @property
    def computes_edges(self) -> bool:
        """Whether its edges are computed, so that next to them rounding leaves no digits."""
        return False

    def channels(self, sites: int) -> tuple[tuple[np.ndarray, "Lead"], ...]:
        """Return the independent channels of the lead on several sites.

        Unless told, one like itself on each.

        Parameters
        ----------
        sites : int
            Number of sites m.

        Returns
        -------
        tuple of (vector, lead)
            Amplitudes over the sites, (m,), and the lead of one channel that they couple to.
        """
        return tuple((row, self) for row in np.eye(sites))

    @property
    def rows(self) -> int | None:
        """Number of sites that it is coupled to; None for any, as unless told."""
        return None

    def require_sites(self, sites: int) -> None:
        """Check that the lead can be coupled to so many sites of a list.

        Raises
        ------
        ValueError
            When it is one for another number.
        """
        if self.rows not in (None, sites):
            raise ValueError(
                f"{sites} sites for a lead that is coupled to {self.rows}; list one site for each "
                "row of its coupling"
            )

    def poles_on(self, sites: int) -> tuple[tuple[complex, np.ndarray], ...]:
        """Return the poles of the self-energy on several sites.

        Parameters
        ----------
        sites : int
            Number of sites m.

        Returns
        -------
        tuple of (pole, vector)
            In t; near it the self-energy is ``u u^+ / (w - pole)`` with the vector u, (m,).
        """
        channels = self.channels(sites)
        return tuple((pole, np.sqrt(x) * v) for v, lead in channels for pole, x in lead.poles)

    def self_energy_matrix(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return the retarded self-energy between several sites.

        Parameters
        ----------
        energies : (E,) array
            Real energies w, in t.
        sites : int
            Number of sites m.

        Returns
        -------
        (E, m, m) complex array
            ``sum_n v_n sigma_n v_n^+``, in t.
        """
        return self._summed(sites, lambda lead: lead.self_energy(energies))

    def reach(self, sites: int) -> float:
        """Return by how much the lead moves levels of the system at most, roughly, in t.

        Parameters
        ----------
        sites : int
            Number of sites m.
        """
        energies = np.array(self.typical_energies)
        found = np.linalg.norm(self.regular_self_energy_matrix(energies, sites), 2, axis=(1, 2))
        orbitals = sum(float(np.linalg.norm(u)) for _, u in self.poles_on(sites))
        return float(np.nanmax(found, initial=0.0)) + orbitals

    def couplings(self, sites: int) -> np.ndarray:
        """Return what has to vanish of a state on several sites that the lead does not see.

        Parameters
        ----------
        sites : int
            Number of sites m.

        Returns
        -------
        (c, m) array
            Rows ``v^+``.
        """
        rows = [v.conj() for v, lead in self.channels(sites) if lead.is_coupled]
        return np.array(rows).reshape(len(rows), sites)

    def regular_self_energy_matrix(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return the self-energy between several sites without the poles.

        Parameters
        ----------
        energies : (E,) array
            Real energies w, in t.
        sites : int
            Number of sites m.

        Returns
        -------
        (E, m, m) complex array
            In t.
        """
        return self._summed(sites, lambda lead: lead.regular_self_energy(energies))

    def _summed(self, sites: int, of_channel: Callable[["Lead"], np.ndarray]) -> np.ndarray:
        """Return ``sum_n v_n x_n v_n^+`` with what each channel is said to have."""
        parts = [(v, of_channel(lead)) for v, lead in self.channels(sites)]
        each = (x[:, None, None] * np.outer(v, v.conj()) for v, x in parts)
        return sum(each, np.zeros(()))

    def channel_amplitudes(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return V with ``i (Sigma - Sigma^+) = V V^+``.

        Parameters
        ----------
        energies : (E,) array
            Real energies w, in t.
        sites : int
            Number of sites m.

        Returns
        -------
        (E, m, c) complex array
            In the root of t, a column for each channel; zero where it is closed.
        """
        parts = [(v, lead.broadening_at(energies)) for v, lead in self.channels(sites)]
        return np.stack([np.sqrt(x)[:, None] * v for v, x in parts], axis=-1).astype(complex)

    @property
    @abstractmethod
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Intervals of energies in which the lead has states, ascending, in t; may be infinite."""

    @abstractmethod
    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy without its `poles`.

        Parameters
        ----------
        energies : array
            Real energies w, in t.

        Returns
        -------
        complex array
            In t, of the shape of the energies.
        """

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        """Poles of the self-energy, on or below the real line, and their residues, in t and t^2."""
        return ()

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy.

        Parameters
        ----------
        energies : array
            Real energies w, in t.

        Returns
        -------
        complex array
            In t, of the shape of the energies; huge at a pole, where the lead cuts off its site.
        """
        result = self.regular_self_energy(energies)
        for pole, residue in self.poles:
            distance = energies - np.asarray(pole)
            result = result + residue / np.where(distance == 0, NO_DISTANCE, distance)
        return result

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return ``Gamma = -2 Im Sigma``.

        Parameters
        ----------
        energies : array
            Real energies w, in t.

        Returns
        -------
        float array
            In t; exactly 0 outside the bands.
        """
        return 0.0 - 2 * self.self_energy(energies).imag

    @cached_property
    def edges(self) -> tuple[float, ...]:
        """Ends of all bands that are finite, ascending, in t."""
        return tuple(edge for band in self.bands for edge in band if np.isfinite(edge))

    @property
    def edge_orders(self) -> tuple[int, ...]:
        """Order n of each edge, about which its band goes as ``|k - k0|^n``; 2 unless told."""
        return (2,) * len(self.edges)

    @property
    def span(self) -> tuple[float, float] | None:
        """Bounds of all edges, in t; None where no band ends."""
        return (min(self.edges), max(self.edges)) if self.edges else None

    def at_edge(self, energies: np.ndarray) -> np.ndarray:
        """Return which energies are those of an edge, to rounding.

        Parameters
        ----------
        energies : (E,) array
            In t.

        Returns
        -------
        (E,) bool array
            Of each energy.
        """
        edges = np.array(self.edges)[:, None]
        return (abs(energies - edges) <= ON_EDGE * abs(edges).max(initial=0.0)).any(axis=0)

    @property
    def bottom(self) -> float:
        """Lower edge of the lowest band, in t."""
        return self.bands[0][0]

    @property
    def top(self) -> float:
        """Upper edge of the highest band, in t."""
        return self.bands[-1][1]

    def on(self, kept: np.ndarray) -> "Lead":
        """Return the lead without the coupling to rows that are not kept, (m,) bool.

        Raises
        ------
        NotImplementedError
            Of leads whose channels are not of one matrix, which lose sites one by one.
        """
        raise NotImplementedError(f"a {self.kind} has no rows of one matrix")

    @property
    def entire(self) -> "Lead":
        """The lead that it is a channel of, whose bands are its own: itself unless told."""
        return self

    @property
    def is_banded(self) -> bool:
        """Whether all bands end."""
        return bool(np.isfinite(self.bottom) and np.isfinite(self.top))

    @cached_property
    def reference_energy(self) -> float:
        """Middle of the widest stretch of a band between edges, in t; 0 where bands do not end."""
        if not self.is_banded:
            return 0.0
        stretches = [x for x in pairwise(self.edges) if self.has_states(0.5 * (x[0] + x[1]))]
        low, high = max(stretches, key=lambda x: x[1] - x[0])
        return 0.5 * (low + high)

    @property
    def typical_energies(self) -> tuple[float, ...]:
        """Energies at which the self-energy is finite and about as large as anywhere, in t."""
        return *self.edges, self.reference_energy

    @property
    def is_coupled(self) -> bool:
        """Whether the lead damps its site at any energy."""
        return bool(getattr(self, self.strength))

    @property
    def conjugate(self) -> "Lead":
        """The lead of the transposed system; itself unless its cells are complex."""
        return self

    @property
    def interpolated(self) -> "Lead":
        """The same lead for very many energies; itself where each costs little."""
        return self

    @property
    def computed(self) -> "Lead":
        """The same lead for few energies."""
        return self

    def rounded(self, distance: float, number: int) -> "Lead":
        """Return the lead as it may be for rounding.

        Parameters
        ----------
        distance : float
            What its bands are off by, up to a factor of 2, in t.
        number : int
            Of several that are rounded each in its own way.

        Returns
        -------
        Lead
            Itself where it is a formula, which has all digits next to its edges.
        """
        return self

    @property
    def uncoupled(self) -> "Lead":
        """The lead with a coupling that is 0."""
        return self.model_copy(update={self.strength: 0.0})

    @cached_property
    def tail(self) -> float:
        """Broadening at infinite energies, in t: what energy currents may diverge by."""
        return 0.0 if self.is_banded else float(self.broadening_at(np.array([np.inf]))[0])

    def has_states(self, energies: np.ndarray | float) -> np.ndarray:
        """Return whether energies are within a band, its edges left out.

        Parameters
        ----------
        energies : array or float
            In t.

        Returns
        -------
        bool array
            Of the shape of the energies.
        """
        inside: Any = [(low < energies) & (energies < high) for low, high in self.bands]
        return np.any(inside, axis=0)

    def regular_derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy without its `poles`, and its first two derivatives.

        Parameters
        ----------
        energy : float
            In t, not at an edge.

        Returns
        -------
        (3,) complex array
            In t, 1 and 1/t.
        """
        return smooth_derivatives(self.regular_self_energy, energy, self.edges)

    def derivatives(self, energy: float) -> np.ndarray:
        """Return the self-energy and its first two derivatives.

        Parameters
        ----------
        energy : float
            In t, at no edge and no pole.

        Returns
        -------
        (3,) complex array
            In t, 1 and 1/t.
        """
        result = self.regular_derivatives(energy).astype(complex)
        for pole, residue in self.poles:
            result += np.array([1, -1, 2]) * residue / (energy - pole) ** np.arange(1, 4)
        return result


class Joined(Lead):
    """Channel of a lead whose amplitudes on its sites follow the energy: one of its rows.

    Alone it is the element of the self-energy on that row; together with the others of its lead it
    is the matrix, see `nessflow.systems.modes`.
    """

    kind: str = ""
    lead: Lead
    row: int

    def __hash__(self) -> int:
        return hash((self.lead, self.row))

    @property
    def entire(self) -> Lead:
        """The lead."""
        return self.lead

    @property
    def interpolated(self) -> "Joined":
        """The channel of the interpolated lead; the same object if that is the same."""
        return self._of(self.lead.interpolated)

    @property
    def computed(self) -> "Joined":
        """The channel of the lead for few energies; the same object if that is the same."""
        return self._of(self.lead.computed)

    def _of(self, other: Lead) -> "Joined":
        return self if other is self.lead else Joined(lead=other, row=self.row)

    def rounded(self, distance: float, number: int) -> "Joined":
        """Return the channel of the rounded lead; the same object if that is the same."""
        return self._of(self.lead.rounded(distance, number))

    @property
    def conjugate(self) -> "Joined":
        """The channel of the transposed system; the same object if it is its own."""
        return self._of(self.lead.conjugate)

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Those of the lead."""
        return self.lead.bands

    @property
    def edges(self) -> tuple[float, ...]:
        """Those of the lead."""
        return self.lead.edges

    @property
    def is_coupled(self) -> bool:
        """Whether the lead is coupled to its sites."""
        return self.lead.is_coupled

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the element of the self-energy on the row, see `Lead`."""
        energies, rows = np.asarray(energies, float), self.lead.rows or 0
        found = self.lead.regular_self_energy_matrix(energies.ravel(), rows)
        return found[:, self.row, self.row].reshape(energies.shape)


def listed_bands(lead: Lead) -> str:
    """Return the bands of a lead as text."""
    return " and ".join(f"[{low:g}, {high:g}]" for low, high in lead.bands)


def smooth_derivatives(
    function: Callable[[np.ndarray], np.ndarray], energy: float, edges: Iterable[float]
) -> np.ndarray:
    """Return values and first two derivatives of what is smooth between edges.

    Parameters
    ----------
    function : callable
        Takes energies (E,), in t, and returns (E, ...) numbers.
    energy : float
        In t, not at an edge.
    edges : iterable of float
        In t.

    Returns
    -------
    (3, ...) array
        In the unit of the function, over t and over t^2.
    """
    distance = min((abs(energy - edge) for edge in edges), default=1.0)
    width = 0.5 * min(distance, 1.0)
    nodes = np.polynomial.chebyshev.chebpts1(_NODES)
    values = function(energy + width * nodes)
    series = np.polynomial.chebyshev.chebfit(nodes, values.reshape(_NODES, -1), _NODES - 1)
    steps = (np.polynomial.chebyshev.chebder(series, k) for k in range(3))
    found = [np.polynomial.chebyshev.chebval(0.0, step) / width**k for k, step in enumerate(steps)]
    return np.array(found).reshape(3, *values.shape[1:])


Orbital = tuple[np.ndarray, np.ndarray, complex]
"""Rows of a matrix, what an orbital of a lead is coupled to them by, and its energy, in t."""


def bordered(matrix: np.ndarray, orbitals: Sequence[Orbital]) -> np.ndarray:
    """Return a matrix with an orbital for each pole of the leads' self-energies.

    ``h + Sigma(w) - w`` with a pole, of the residue ``u u^+``, is what is left of
    ``[[h + Sigma_regular(w), u], [u^+, pole]] - w`` when the last orbital is eliminated.

    Parameters
    ----------
    matrix : (N, N) array
        In t.
    orbitals : sequence of Orbital
        With u on their rows.

    Returns
    -------
    (N + p, N + p) array
        The matrix first, then the poles; complex where a pole is.
    """
    n, size = len(matrix), len(matrix) + len(orbitals)
    numbers = [x for _, u, pole in orbitals for x in (np.ravel(u)[0], pole)]
    result = np.zeros((size, size), np.result_type(matrix, *numbers))
    result[:n, :n] = matrix
    for k, (rows, u, pole) in enumerate(orbitals, n):
        result[k, k] = pole
        result[rows, k] = u
        result[k, rows] = np.conj(u)
    return result
