"""Several systems that are solved together: what the samples of an ensemble differ in is data."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

import numpy as np

from nessflow.systems.contacts import Contacts
from nessflow.systems.modes import Joint, Modes
from nessflow.systems.system import AttachedLead, OpenSystem, Terminal


@dataclass(frozen=True, eq=False)
class Batch:
    """Systems of one shape, each at energies of its own.

    They differ in Hamiltonian, loss, gain and the occupations of their leads alone.

    Stands in the place of a system wherever energies do not know which system they belong to: the
    first ``counts[0]`` of them are those of the first system, and so on.

    Attributes
    ----------
    systems : tuple of S OpenSystem
        Of one size, with leads of the same self-energies on the same sites.
    counts : (S,) int
        Number of energies of each; their sum is E.
    """

    systems: tuple[OpenSystem, ...]
    counts: np.ndarray

    @classmethod
    def of(cls, system: "OpenSystem | Batch", energies: np.ndarray) -> "Batch":
        """Return a batch as it is, and one system as the batch that it makes with its energies."""
        if isinstance(system, Batch):
            return system
        return cls((system,), np.array([energies.size]))

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the energies of each system begin, and E; (S + 1,) int."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    @property
    def parts(self) -> list[tuple[OpenSystem, slice]]:
        """Systems that have energies, and which."""
        ends = self.starts.tolist()
        places = zip(self.systems, ends[:-1], ends[1:], strict=True)
        return [(system, slice(first, last)) for system, first, last in places if first < last]

    def at(self, part: slice) -> "Batch":
        """Return the systems with some of the energies, one after the other."""
        ends = np.clip(self.starts, part.start, part.stop)
        return self.counting(np.diff(ends))

    def counting(self, counts: np.ndarray) -> "Batch":
        """Return the same systems with other numbers of energies."""
        other = Batch(self.systems, counts)
        vars(other)["_shared"] = self._shared
        return other

    def each(self, function: Callable[[OpenSystem], Any]) -> np.ndarray:
        """Return a number of each system at its energies, (E,) float."""
        parts = [(float(function(system)), here.stop - here.start) for system, here in self.parts]
        numbers, counts = zip(*parts, strict=True) if parts else ((), ())
        return np.repeat(np.array(numbers, float), np.array(counts, int))

    @cached_property
    def T(self) -> "Batch":
        """Systems with every matrix transposed; the same object where all are their own."""
        systems = tuple(system.T for system in self.systems)
        same = all(own is given for own, given in zip(systems, self.systems, strict=True))
        return self if same else Batch(systems, self.counts)

    @property
    def sites(self) -> int:
        """Number of sites N of each."""
        return self.systems[0].sites

    @property
    def leads(self) -> tuple[AttachedLead, ...]:
        """Leads of each; their chemical potentials and temperatures are nan where they differ."""
        return self._shared[0]

    @property
    def terminals(self) -> tuple[Terminal, ...]:
        """Terminals of each, see `OpenSystem.terminals`, with nan as `leads`."""
        return self._shared[1]

    @cached_property
    def _shared(self) -> tuple[tuple[AttachedLead, ...], tuple[Terminal, ...]]:
        first, *others = ((system.leads, system.terminals) for system in self.systems)
        if all(other == first for other in others):
            return first
        # Whoever takes them for those of a system so gets no number instead of a wrong one.
        leads = tuple(map(copy.copy, first[0]))
        terminals = tuple(map(copy.copy, first[1]))
        for part in (*leads, *terminals):
            vars(part).update(chemical_potential=np.nan, temperature=np.nan)
        return leads, terminals

    @property
    def terminal_of_lead(self) -> np.ndarray:
        """Place of each lead's terminal, see `OpenSystem.terminal_of_lead`."""
        return self.systems[0].terminal_of_lead

    @property
    def coupling(self) -> Contacts:
        """Vectors by which the leads couple."""
        return self.systems[0].coupling

    @property
    def joints(self) -> tuple[Joint, ...]:
        """Leads of coupled orbitals, see `OpenSystem.joints`."""
        return self.systems[0].joints

    def modes(self, energies: np.ndarray) -> Modes:
        """Return the channels of the leads at given energies, see `OpenSystem.modes`."""
        return Modes(self, energies)

    @property
    def alike_leads(self) -> tuple[tuple[AttachedLead, list[int]], ...]:
        """Leads that differ in their self-energies, see `OpenSystem.alike_leads`."""
        return self.systems[0].alike_leads


def one_by_one(function: Callable) -> Callable:
    """Let a function of a system and of energies take a batch, one system after the other.

    Parameters
    ----------
    function : callable
        ``function(system, energies (E,))`` returns arrays whose first dimension is E.

    Returns
    -------
    callable
        The same for an `OpenSystem` or a `Batch`.
    """

    @wraps(function)
    def of_batch(system: OpenSystem | Batch, energies: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = system.parts if isinstance(system, Batch) else []
        if len(parts) < 2:
            only = parts[0][0] if parts else Batch.of(system, energies).systems[0]
            return function(only, energies)
        found = [function(each, energies[here]) for each, here in parts]
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))

    return of_batch
