"""Lead of equal cells, each of several coupled orbitals: a strip, a ribbon, a wire with spin."""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from nessflow import matrix
from nessflow.parts import KeyedError, at_key
from nessflow.systems.leads.end_states import EndStates, end_states
from nessflow.systems.leads.lead import NO_DISTANCE, Joined, Lead
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.subbands import subbands
from nessflow.systems.leads.surface import Surface
from nessflow.systems.leads.table import Table

_LARGEST = 32
"""Rank of the hopping up to which few energies pay for interpolation."""
_CLOSED = 1e-10
"""Broadening, relative to the self-energy, that is rounding."""
_CALLS = 4
"""Arrays of energies whose matrices are remembered."""


class UnitCell(Lead):
    """Half-infinite row of equal cells, the first of which is coupled to a list of sites.

    ``cell`` is the Hamiltonian of a cell, ``hopping`` its elements from a cell to the next one
    *away from the system*, ``<cell n|h|cell n+1>``, and ``coupling`` those from the sites of the
    list, in their order, to the first cell; left out, it is the hopping, so that the sites are one
    more cell.  Hopping that reaches further takes several cells as one.
    """

    kind: Literal["unit-cell"] = "unit-cell"
    cell: matrix.Matrix = Field(description="rows of the Hamiltonian of a cell, Hermitian, in t")
    hopping: matrix.Matrix = Field(
        description="rows of <cell n|h|cell n+1>, n counted away from the system, in t"
    )
    coupling: matrix.Matrix | None = Field(
        None, description="rows of <site|h|first cell> in the order of the sites; default: hopping"
    )

    _rounded_from: "UnitCell | None" = PrivateAttr(None)

    has_rows: ClassVar = True
    computes_edges: ClassVar = True

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        with at_key("cell"):
            matrix.require_square(self.cell)
            matrix.hermitian(self.cell, part=False)
        with at_key("hopping"):
            matrix.require_square(self.hopping, len(self.cell))
        if not any(x != 0 for row in self.hopping for x in row):
            raise KeyedError("no cell is coupled to the next one: no lead", "hopping")
        for number, row in enumerate(self.coupling or ()):
            if len(row) != len(self.cell):
                raise KeyedError(
                    f"row {number + 1} has {len(row)} entries and the cell {len(self.cell)} "
                    "orbitals",
                    "coupling",
                    number,
                )
        return self

    @property
    def rows(self) -> int:
        """Number of sites m that it is coupled to."""
        return len(self.hopping if self.coupling is None else self.coupling)

    @property
    def is_coupled(self) -> bool:
        """Whether an element of the coupling is not 0."""
        return bool(np.any(self.matrices[2]))

    def __hash__(self) -> int:
        # Of few elements: a whole cell takes long, and channels are asked for theirs often.
        return hash((self.cell[0], self.hopping[0], self.rows))

    @property
    def typical_energies(self) -> tuple[float, ...]:
        """Middles of the widest stretches between edges, at which it may diverge."""
        # A few: each takes long where cells are large.
        stretches = sorted(pairwise(self.edges), key=lambda x: x[0] - x[1])[:8]
        return tuple(0.5 * (low + high) for low, high in stretches)

    @property
    def uncoupled(self) -> "UnitCell":
        """The lead with a coupling that is 0."""
        nothing = ((0.0,) * len(self.cell),) * self.rows
        return self.model_copy(update={"coupling": nothing})

    def on(self, kept: np.ndarray) -> "UnitCell":
        """Return the lead without the coupling to rows that are not kept, (m,) bool."""
        if kept.all():
            return self
        coupling = np.where(kept[:, None], self.matrices[2], 0)
        return self.model_copy(update={"coupling": tuple(map(tuple, coupling.tolist()))})

    @property
    def matrices(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cell and hopping, (n, n), and coupling, (m, n), complex, in t."""
        return _matrices(self)

    @property
    def conjugate(self) -> "UnitCell":
        """The lead of the transposed system; the same object if all its matrices are real."""
        return _conjugate(self) if any(x.imag.any() for x in self.matrices) else self

    @property
    def interpolated(self) -> "UnitCell":
        """The same lead for very many energies, between which few are computed."""
        return _interpolated(self)

    def rounded(self, distance: float, number: int) -> "UnitCell":
        """Return the lead with all elements of its cell off, see `Lead`."""
        return _rounded(self, distance, number)

    @property
    def surface(self) -> Surface:
        """What computes its self-energy; one object for all leads that are equal."""
        return _surface(self)

    @property
    def edges(self) -> tuple[float, ...]:
        """Extrema of all its subbands, ascending, in t."""
        return _subbands(self)[0]

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Intervals of energies in which it has states, ascending, in t."""
        return _subbands(self)[1]

    @property
    def edge_orders(self) -> tuple[int, ...]:
        """Order of each edge, see `nessflow.systems.leads.subbands`."""
        return _subbands(self)[2]

    @property
    def span(self) -> tuple[float, float]:
        """Bounds of all bands, which take no band structure, see `Lead`."""
        cell, hopping, _ = self.matrices
        middle, beyond = np.linalg.eigvalsh(cell)[[0, -1]], 2 * np.linalg.norm(hopping, 2)
        return float(middle[0] - beyond), float(middle[1] + beyond)

    def at_edge(self, energies: np.ndarray) -> np.ndarray:
        """Return at which energies a wave does not move, see `Lead`."""
        return self.surface.at_edge(np.asarray(energies, float))

    @property
    def end_states(self) -> tuple[tuple[float, np.ndarray], ...]:
        """States at its end, see `nessflow.systems.leads.end_states`."""
        return tuple(level for around in _end_states(self) for level in around.levels)

    @property
    def poles(self) -> tuple[tuple[complex, float], ...]:
        """Those of the self-energy on the one site that it is coupled to, see `Lead`."""
        return tuple((level, float(abs(u[0]) ** 2)) for level, u in self.end_states)

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy on the one site that it is coupled to, see `Lead`."""
        energies = np.asarray(energies, float)
        return self.self_energy_matrix(energies.ravel(), 1)[:, 0, 0].reshape(energies.shape)

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the same without the states at its end, see `Lead`."""
        energies = np.asarray(energies, float)
        return self.regular_self_energy_matrix(energies.ravel(), 1)[:, 0, 0].reshape(energies.shape)

    def self_energy_matrix(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return the self-energy between its sites, see `Lead`."""
        return _response(self).at(np.asarray(energies, float))[0]

    def channel_amplitudes(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return V, a column for each open channel and zeros, see `Lead`."""
        return _response(self).at(np.asarray(energies, float))[1]

    def regular_self_energy_matrix(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return the self-energy between its sites without the states at its end, see `Lead`."""
        return _response(self).regular(np.asarray(energies, float))

    def channels(self, sites: int) -> tuple[tuple[np.ndarray, Lead], ...]:
        """Return the channels, see `Lead`.

        Chains with fixed amplitudes where the hopping is the same number for all orbitals, so that
        the states of a cell do not mix; else one for each site, with amplitudes that follow the
        energy (`Joined`).

        Raises
        ------
        ValueError
            When it is coupled to another number of sites.
        """
        self.require_sites(sites)
        if modes := self._modes():
            return modes
        if sites == 1:
            return ((np.ones(1), self),)
        return tuple((row, Joined(lead=self, row=k)) for k, row in enumerate(np.eye(sites)))

    def reach(self, sites: int) -> float:
        """Return the norm of the coupling: cells move levels by no more, see `Lead`."""
        return float(np.linalg.norm(self.matrices[2], 2))

    def couplings(self, sites: int) -> np.ndarray:
        """Return what the first cell sees of the sites, see `Lead`."""
        rows = self.matrices[2].conj().T
        return rows[rows.any(axis=1)]

    def poles_on(self, sites: int) -> tuple[tuple[complex, np.ndarray], ...]:
        """Return the states at its end, see `Lead` and `nessflow.systems.leads.end_states`."""
        return self.end_states

    def _modes(self) -> tuple[tuple[np.ndarray, Lead], ...]:
        """Return the chains that its cells fall into; none where they are coupled."""
        cell, hopping, _ = self.matrices
        size, one = abs(hopping[0, 0]), np.eye(len(cell))
        is_alike = np.array_equal(hopping, hopping[0, 0] * one) and size > 0
        if not (is_alike and self.coupling is None):
            return ()
        is_real = not cell.imag.any()
        energies, states = np.linalg.eigh(cell.real if is_real else cell)
        return tuple(
            (state, SemiInfiniteChain(hopping=size, coupling=size, onsite=energy))
            for energy, state in zip(energies.tolist(), states.T, strict=True)
        )


class _Interpolated(UnitCell):
    """Cells whose self-energy is interpolated between subband edges."""

    kind: str = ""  # type: ignore[assignment]  # no file names it

    @property
    def interpolated(self) -> UnitCell:
        """Itself."""
        return self

    @property
    def computed(self) -> UnitCell:
        """The same lead for few energies."""
        return _computed(self)


class _Response:
    """Self-energy of a lead and the amplitudes of its channels, interpolated where that pays."""

    def __init__(self, lead: UnitCell):
        self._lead, self._surface = lead, lead.surface
        self._open: dict[int, int] = {}
        self._last: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        pays = isinstance(lead, _Interpolated) and self._surface.rank <= _LARGEST
        self._beside_flat = np.empty((0, 2))
        self._table: Any = None
        if pays:
            self._beside_flat = _beside_flat_edges(lead)
            inside = self._beside_flat[np.isfinite(self._beside_flat)].tolist()
            breaks = tuple(sorted({*lead.edges, *inside}))
            self._table = Table(self._regular, breaks, self._surface.scale)
        self._coupled = np.flatnonzero(lead.matrices[2].any(axis=1))

    @property
    def _edges(self) -> tuple[float, ...]:
        return self._lead.edges

    @property
    def _poles(self) -> tuple[tuple[float, np.ndarray], ...]:
        return self._lead.end_states

    def regular(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy without the states at the end, (E, m, m)."""
        if self._table is None:
            return self._regular(energies)
        ways = (lambda w: (self._table.at(w),)), (lambda w: (self._regular(w),))
        return self._told(energies, *ways)[0]

    def at(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the self-energy and the amplitudes of channels, (E, m, m) each."""
        key = energies.tobytes()
        if key not in self._last:
            if len(self._last) == _CALLS:
                del self._last[next(iter(self._last))]
            if self._table is None:
                self._last[key] = self._computed(energies)
            else:
                self._last[key] = self._told(energies, self._interpolated, self._computed)
        return self._last[key]

    def _told(self, energies: np.ndarray, interpolated: Callable, computed: Callable) -> Any:
        """Return what is interpolated, or computed where that is beside a flat edge."""
        low, high = self._beside_flat.T
        alone = ((low < energies[:, None]) & (energies[:, None] < high)).any(axis=1)
        if not alone.any():
            return interpolated(energies)
        here = computed(energies[alone])
        result = tuple(np.empty((energies.size, *x.shape[1:]), complex) for x in here)
        elsewhere = interpolated(energies[~alone])
        for whole, some, others in zip(result, here, elsewhere, strict=True):
            whole[alone], whole[~alone] = some, others
        return result

    def _computed(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found, amplitudes = self._surface.at(energies)
        # Nothing of bands has to be known where waves go on.
        in_gap = ~amplitudes.any(axis=(1, 2)) | ~self._surface.is_sound(energies)
        for around in _end_states(self._lead) if in_gap.any() else ():
            if (close := in_gap & around.holds(energies)).any():
                here = energies[close]
                found[close] = self._with_poles(around.regular(here), here, 1, around.levels)
                amplitudes[close] = 0.0
        return found, amplitudes

    def _interpolated(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = self._table.at(energies)
        adjoint = found.conj().swapaxes(1, 2)
        # Rows that are not coupled are 0, and not what eigenvectors make of it.
        rows = self._coupled
        rates, modes = np.linalg.eigh(1j * (found - adjoint)[:, rows[:, None], rows])
        # The largest are those of open channels, the others rounding; of an edge that was not seen
        # they are more.
        count = rates.shape[1] - self._open_channels(energies)[:, None]
        size = abs(found).max(axis=(1, 2))[:, None]
        closed = (np.arange(rates.shape[1]) < count) & (rates <= _CLOSED * size)
        amplitudes = np.zeros_like(found)
        own = modes * np.sqrt(np.where(closed, 0.0, np.maximum(rates, 0.0)))[:, None]
        amplitudes[:, rows, found.shape[1] - rows.size :] = own
        hermitian = self._with_poles(0.5 * (found + adjoint), energies, 1)
        return hermitian - 0.5j * amplitudes @ amplitudes.conj().swapaxes(1, 2), amplitudes

    def _open_channels(self, energies: np.ndarray) -> np.ndarray:
        """Return the number of open channels, the same between two edges, (E,) int."""
        piece = np.searchsorted(self._edges, energies)
        for number in set(piece.tolist()) - self._open.keys():
            inside = 0 < number < len(self._edges)
            middle = 0.5 * (self._edges[number - 1] + self._edges[number]) if inside else np.inf
            self._open[number] = int(self._surface.open_channels(np.array([middle]))[0])
        return np.array([self._open[number] for number in piece.tolist()], int)

    def _regular(self, energies: np.ndarray) -> np.ndarray:
        result = self._with_poles(self._surface.at(energies)[0], energies, -1)
        for around in _end_states(self._lead):
            if (close := around.holds(energies)).any():
                own = {level for level, _ in around.levels}
                others = [x for x in self._poles if x[0] not in own]
                regular = around.regular(energies[close])
                result[close] = self._with_poles(regular, energies[close], -1, others)
        return result

    def _with_poles(
        self, matrices: np.ndarray, energies: np.ndarray, sign: int, poles: Iterable | None = None
    ) -> np.ndarray:
        for level, u in self._poles if poles is None else poles:
            distance = energies - level
            weight = sign / np.where(distance == 0, NO_DISTANCE, distance)
            matrices = matrices + weight[:, None, None] * np.outer(u, u.conj())
        return matrices


def _beside_flat_edges(lead: UnitCell) -> np.ndarray:
    """Return the ends of energies that are next to a flat edge, half way to others, (f, 2).

    There a self-energy may be so large that of its sum with the broadening of what is open nothing
    is left.
    """
    ends = np.array([-np.inf, *lead.edges, np.inf])
    orders = zip(ends[:-2], ends[1:-1], ends[2:], lead.edge_orders, strict=True)
    beside = [(low + edge, edge + high) for low, edge, high, order in orders if order > 2]
    return 0.5 * np.array(beside).reshape(-1, 2)


@lru_cache(maxsize=256)
def _matrices(lead: UnitCell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    coupling = lead.hopping if lead.coupling is None else lead.coupling
    cell, hopping, coupled = (np.array(x, complex) for x in (lead.cell, lead.hopping, coupling))
    return cell, hopping, coupled


@lru_cache(maxsize=256)
def _conjugate(lead: UnitCell) -> UnitCell:
    names = ("cell", "hopping") if lead.coupling is None else ("cell", "hopping", "coupling")
    rows = zip(names, lead.matrices, strict=False)
    return type(lead)(**{name: tuple(map(tuple, x.conj().tolist())) for name, x in rows})


@lru_cache(maxsize=256)
def _interpolated(lead: UnitCell) -> UnitCell:
    return _Interpolated(cell=lead.cell, hopping=lead.hopping, coupling=lead.coupling)


@lru_cache(maxsize=256)
def _computed(lead: UnitCell) -> UnitCell:
    return UnitCell(cell=lead.cell, hopping=lead.hopping, coupling=lead.coupling)


@lru_cache(maxsize=256)
def _rounded(lead: UnitCell, distance: float, number: int) -> UnitCell:
    cell = lead.matrices[0]
    row, column = np.indices(cell.shape)
    # Of no symmetry that a cell may have, and another for each number.
    phases = np.exp(1j * (np.sqrt(2) * (row + number) ** 2 + np.sqrt(3) * column))
    if not any(x.imag.any() for x in lead.matrices):
        phases = phases.real
    turned = phases + phases.conj().T
    lifted = 0.5 * np.cos(2 * number) * np.eye(len(cell)) + turned / np.linalg.norm(turned, 2)
    cell = cell + distance * lifted
    rounded = lead.model_copy(update={"cell": tuple(map(tuple, cell.tolist()))})
    rounded._rounded_from = lead
    return rounded


@lru_cache(maxsize=64)
def _surface(lead: UnitCell) -> Surface:
    return Surface(*lead.matrices)


@lru_cache(maxsize=64)
def _response(lead: UnitCell) -> _Response:
    return _Response(lead)


@lru_cache(maxsize=256)
def _subbands(lead: UnitCell) -> tuple[tuple, tuple, tuple]:
    cell, hopping, _ = lead.matrices
    # The bands of a lead to the other side are the same.
    sides = ((x + 0.0).tobytes() for x in (hopping, hopping.conj().T))  # no -0
    return _subbands_of(cell.tobytes(), min(sides))


@lru_cache(maxsize=256)
def _subbands_of(cell: bytes, hopping: bytes) -> tuple[tuple, tuple, tuple]:
    given = (np.frombuffer(x, complex) for x in (cell, hopping))
    return subbands(*(x.reshape(2 * [math.isqrt(x.size)]) for x in given))


@lru_cache(maxsize=256)
def _end_states(lead: UnitCell) -> tuple[EndStates, ...]:
    if lead._rounded_from is not None:
        return tuple(x.of_rounded(lead.surface) for x in _end_states(lead._rounded_from))
    return end_states(lead.surface, lead.bands)
