"""The lattice itself, going on: by cells that are alike, or by what is told of its self-energy."""

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.parts import quantity
from nessflow.registry import fault_of_call
from nessflow.systems.lattices.lattice import Continuation, Ending, Lattice
from nessflow.systems.leads.lead import Joined, Lead
from nessflow.systems.leads.unit_cell import UnitCell

_CLOSED = 1e-10
"""Broadening, relative to the self-energy, that is rounding."""
_OUTSIDE = 1e-5
"""The same outside of the band: next to an edge it is the root of rounding."""
_FAR = 1e9
"""Energy that stands for infinity, in t."""
_INSIDE = np.array([0.123, 0.377, 0.618, 0.871])
"""Places in the band, in its width, at which a self-energy is tried."""


class Continued(Lead):
    """The lattice goes on beyond a side, with what all its sites have: hoppings, flux, spin.

    Energies of single sites (a list, disorder), loss and gain end with the lattice.  With
    ``orbital`` it is of one orbital of each site, where nothing mixes that with others beyond.
    """

    kind: Literal["continued"] = "continued"
    side: str | None = Field(
        None,
        description="left, right, top or bottom, top-1 for the first of several arms; default: the "
        "name of the lead",
    )
    onsite: float = quantity("energy of its sites beside what all sites have", "t", 0.0)

    is_placed: ClassVar = False

    def beyond(
        self, lattice: Lattice, name: str, orbital: int | None = None
    ) -> tuple[Lead, tuple[int, ...]]:
        """Return the lead that the lattice makes of it, and its rows, see `Lead`."""
        onward = lattice.continuation(self.side or name)
        if orbital is not None and lattice.orbitals > 1:
            onward = _of_orbital(onward, np.asarray(onward.rows) % lattice.orbitals == orbital - 1)
        if isinstance(onward, Ending):
            if self.onsite:
                raise ValueError("what is told by a self-energy has no onsite of its own")
            told = {key: getattr(onward, key) for key in ("self_energy", "band", "break_points")}
            return Told(size=onward.rows.size, **told), tuple(onward.rows.tolist())
        rows, cell, hopping, coupling = onward
        cell = cell + self.onsite * np.eye(len(cell))
        other = None if np.array_equal(coupling, hopping) else coupling.tolist()
        found = UnitCell(cell=cell.tolist(), hopping=hopping.tolist(), coupling=other)
        return found, tuple(rows.tolist())

    @property
    def is_coupled(self) -> bool:
        """Whether the lead damps its sites: a lattice that goes on does."""
        return True

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """None without a lattice."""
        raise TypeError("a continued lead has bands where its lattice is known, see `beyond`")

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return nothing: without a lattice it has no self-energy."""
        raise TypeError("a continued lead has a self-energy where its lattice is known")


def _of_orbital(onward: Continuation | Ending, own: np.ndarray) -> Continuation:
    """Return what goes on with one orbital of each site, the rows ``own``, (m,) bool.

    Raises
    ------
    ValueError
        When these are coupled to the others beyond the side, or nothing says that they are not.
    """
    if isinstance(onward, Ending) or len(onward.cell) != own.size:
        raise ValueError("the lattice does not say which of its cells are of one orbital")
    parts = onward.cell, onward.hopping, onward.coupling
    if any(x[np.ix_(own, ~own)].any() or x[np.ix_(~own, own)].any() for x in parts):
        raise ValueError(
            "beyond the lattice on-site energies or hoppings mix this orbital with others, so that "
            "no lead is of it alone; leave it out, and the lead is of all orbitals"
        )
    return Continuation(np.asarray(onward.rows)[own], *(x[np.ix_(own, own)] for x in parts))


class Told(Lead):
    """Lead whose retarded self-energy between its sites a function says; no kind of a study file.

    Nothing is known of states at its end, outside of its band.
    """

    kind: str = ""
    size: int
    function: Callable = Field(alias="self_energy")
    band: tuple[float, float] | None
    break_points: tuple[float, ...]
    vacant: tuple[int, ...] = ()

    has_rows: ClassVar = True

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        self._at(self._tried)
        return self

    def __hash__(self) -> int:
        return hash((self.size, self.function, self.band, self.break_points, self.vacant))

    def on(self, kept: np.ndarray) -> "Told":
        """Return the lead without the coupling to rows that are not kept, (m,) bool."""
        vacant = (*self.vacant, *np.flatnonzero(~kept).tolist())
        return self.model_copy(update={"vacant": vacant}) if vacant else self

    @property
    def rows(self) -> int:
        """Number of sites m that it is coupled to."""
        return self.size

    @property
    def bands(self) -> tuple[tuple[float, float], ...]:
        """Where it has states, see `Lead`."""
        return ((-np.inf, np.inf) if self.band is None else self.band,)

    @property
    def edges(self) -> tuple[float, ...]:
        """Ends of the band and energies at which it is not smooth, ascending, in t."""
        return tuple(sorted({*(self.band or ()), *self.break_points}))

    @cached_property
    def tail(self) -> float:
        """Broadening at infinite energies, see `Lead`."""
        return 0.0 if self.is_banded else float(abs(self._at(np.array([_FAR]))[1]).max() ** 2)

    @property
    def _tried(self) -> np.ndarray:
        low, high = (-2.0, 2.0) if self.band is None else self.band
        return low + _INSIDE * (high - low)

    def _values(self, energies: np.ndarray) -> np.ndarray:
        """Return what the function says, (E, m, m)."""
        if not energies.size:
            return np.zeros((0, self.size, self.size), complex)
        energies = np.clip(energies, -_FAR, _FAR)
        try:
            found = np.asarray(self.function(energies))
        except Exception as error:
            # Whatever somebody else's function raises.
            raise ValueError(fault_of_call(error, "self_energy")) from None
        wanted = energies.size, self.size, self.size
        if self.size == 1 and found.shape == (energies.size,):
            found = found[:, None, None]
        if found.shape != wanted or found.dtype.kind not in "iufc":
            raise ValueError(
                f"self_energy of {energies.size} energies: expected numbers of the shape {wanted}, "
                f"got {found.dtype} of {found.shape}"
            )
        if not np.isfinite(found).all():
            k = int(np.argmin(np.isfinite(found).all(axis=(1, 2))))
            raise ValueError(f"self_energy at {energies[k]:.9g}: it is not finite")
        found, vacant = found.astype(complex), list(self.vacant)
        found[:, vacant] = found[:, :, vacant] = 0.0
        return found

    def _at(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the self-energy and the amplitudes of channels, (E, m, m) each."""
        found = self._values(energies)
        adjoint = found.conj().swapaxes(1, 2)
        rates, modes = np.linalg.eigh(1j * (found - adjoint))
        size = abs(found).max(axis=(1, 2), initial=0)[:, None]
        inside = self.has_states(energies)[:, None] | (self.band is None)
        for wrong, where in (
            (rates < -_CLOSED * size, ", and is not retarded"),
            (~inside & (rates > _OUTSIDE * size), ", outside of the band"),
        ):
            if wrong.any():
                k, n = map(int, np.argwhere(wrong)[0])
                raise ValueError(
                    f"self_energy at {energies[k]:.9g}: i (Sigma - Sigma^+) has the eigenvalue "
                    f"{rates[k, n]:.3g}{where}"
                )
        is_open = inside & (rates > _CLOSED * size)
        amplitudes = modes * np.sqrt(np.where(is_open, rates, 0.0))[:, None]
        damping = amplitudes @ amplitudes.conj().swapaxes(1, 2)
        return 0.5 * (found + adjoint) - 0.5j * damping, amplitudes

    def self_energy_matrix(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return the self-energy between its sites, see `Lead`."""
        return self._at(np.asarray(energies, float))[0]

    def regular_self_energy_matrix(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return the same: no pole is known, see `Lead`."""
        return self.self_energy_matrix(energies, sites)

    def channel_amplitudes(self, energies: np.ndarray, sites: int) -> np.ndarray:
        """Return V, a column for each open channel and zeros, see `Lead`."""
        return self._at(np.asarray(energies, float))[1]

    def regular_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy on the one site that it is coupled to, see `Lead`."""
        energies = np.asarray(energies, float)
        return self.self_energy_matrix(energies.ravel(), 1)[:, 0, 0].reshape(energies.shape)

    def channels(self, sites: int) -> tuple[tuple[np.ndarray, Lead], ...]:
        """Return a channel for each site, with amplitudes that follow the energy, see `Lead`."""
        self.require_sites(sites)
        if sites == 1:
            return ((np.ones(1), self),)
        return tuple((row, Joined(lead=self, row=k)) for k, row in enumerate(np.eye(sites)))

    def couplings(self, sites: int) -> np.ndarray:
        """Return the sites: all but vacant ones are taken to be coupled, see `Lead`."""
        return np.delete(np.eye(sites), list(self.vacant), axis=0)

    def poles_on(self, sites: int) -> tuple[tuple[complex, np.ndarray], ...]:
        """Return none, see `Lead`."""
        return ()

    @property
    def is_coupled(self) -> bool:
        """Whether it does anything at energies that are tried."""
        return bool(self._values(self._tried).any())

    @property
    def uncoupled(self) -> "Told":
        """The lead with a self-energy that is 0."""
        return self.model_copy(update={"function": _Changed(self, np.zeros_like)})

    @property
    def conjugate(self) -> "Told":
        """The lead of the transposed system."""
        if isinstance(self.function, _Changed) and self.function.change is _transposed:
            lead = self.function.lead
            same = lead.vacant == self.vacant
            return lead if same else lead.model_copy(update={"vacant": self.vacant})
        return self.model_copy(update={"function": _Changed(self, _transposed)})


class _Changed:
    """The self-energy of a lead, changed: a function of its own."""

    def __init__(self, lead: Told, change: Callable[[np.ndarray], np.ndarray]):
        self.lead, self.change = lead, change

    def __call__(self, energies: np.ndarray) -> np.ndarray:
        return self.change(self.lead.function(energies))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Changed):
            return False
        return self.change is other.change and self.lead == other.lead

    def __hash__(self) -> int:
        return hash((self.lead, self.change))


def _transposed(values: np.ndarray) -> np.ndarray:
    return np.asarray(values).swapaxes(-1, -2) if np.ndim(values) == 3 else values
