"""Transmissions between terminals, and integrals over the energy of what is made of them."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np

from nessflow.solvers.solver import (
    ContactCorrelations,
    ContactResponse,
    InteriorResponse,
    Solver,
    contact_correlations,
    contact_response,
    interior_response,
    shape,
)
from nessflow.spectrum.mesh import energy_scale
from nessflow.spectrum.occupation import fermi_difference
from nessflow.spectrum.quadrature import NODES, Integral, with_rounding
from nessflow.spectrum.rounding import green_sizes
from nessflow.spectrum.spectrum import ACCURACY, Spectrum, integrals
from nessflow.systems.batch import Batch
from nessflow.systems.modes import Modes
from nessflow.systems.system import OpenSystem, Terminal

Result = TypeVar("Result")

_CANCELLED = 1e-2
"""``|G_ab|^2`` over ``|G_aa G_bb|`` below which waves may have cancelled."""
_HUGE = 1e2
"""Self-energy of cells, over the norm, from which on it is that of a pole."""
_ROUNDING = 16 * np.finfo(float).eps
"""Relative rounding error of Green's function."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """What one terminal exchanges with all others, as matrices between its m leads.

    Each is computed when first asked for.

    With ``r`` the reflection into the terminal itself and ``s_c`` the amplitudes from the others,

        N' = sum_c s_c f_c s_c^+,    H' = sum_c s_c (1 - f_c) s_c^+,    r r^+ + N' + H' = 1.

    Attributes
    ----------
    rates : Rates
        Transmissions and occupations at some energies.
    terminal : int
        Place of the terminal in the system.
    """

    rates: "Rates"
    terminal: int

    @property
    def filled(self) -> np.ndarray:
        """Occupation f of the terminal, (E,)."""
        return self.rates.filled[self.terminal]

    @property
    def empty(self) -> np.ndarray:
        """``1 - f``, (E,)."""
        return self.rates.empty[self.terminal]

    @property
    def _leads(self) -> list[int]:
        return list(self.rates.system.terminals[self.terminal].channels)

    def _inside(self, matrix: np.ndarray) -> np.ndarray:
        leads = np.array(self._leads)
        if len(leads) == 1:  # a view
            return matrix[leads[0] : leads[0] + 1, leads[0] : leads[0] + 1]
        return matrix[leads[:, None], leads]

    def _own(self, rows: np.ndarray) -> np.ndarray:
        """Return what is given for each terminal as a matrix of its one lead."""
        return rows[None, self.terminal : self.terminal + 1]

    @cached_property
    def reflection(self) -> np.ndarray:
        """``r``, (m, m, E) complex."""
        return self._inside(self.rates.amplitudes)

    @cached_property
    def reflection_size(self) -> np.ndarray:
        """Magnitude of what the elements of ``r`` are a difference of, (m, m, E)."""
        return self._inside(self.rates.amplitude_sizes)

    @cached_property
    def reflected(self) -> np.ndarray:
        """``r r^+``, (m, m, E) complex, float for one lead."""
        if len(self._leads) == 1:
            return self.reflection.real**2 + self.reflection.imag**2
        return np.einsum("ace,bce->abe", self.reflection, self.reflection.conj())

    def _scattered(self, weights: np.ndarray) -> np.ndarray:
        """Return ``sum_c s_c w_c s_c^+`` of a weight for each other terminal, (m, m, E)."""
        of_lead = self.rates.system.terminal_of_lead
        others = of_lead != self.terminal
        amplitudes, weights = (
            self.rates.amplitudes[self._leads][:, others],
            weights[of_lead[others]],
        )
        return np.einsum("ace,ce,bce->abe", amplitudes, weights, amplitudes.conj())

    @cached_property
    def incoming(self) -> np.ndarray:
        """``N'``, (m, m, E) complex, float for one lead."""
        if len(self._leads) == 1:
            return self._own(self.rates.incoming)
        return self._scattered(self.rates.filled) + self._inside(self.rates.gain_correlations)

    @cached_property
    def vacant(self) -> np.ndarray:
        """``H'``, (m, m, E) complex, float for one lead."""
        if len(self._leads) == 1:
            return self._own(self.rates.vacant)
        return self._scattered(self.rates.empty) + self._inside(self.rates.loss_correlations)

    @cached_property
    def change(self) -> np.ndarray:
        """``f H' - (1 - f) N'`` without cancellation, (m, m, E) complex, float for one lead."""
        if len(self._leads) == 1:
            return self._own(self.rates.mean)
        loss, gain = map(self._inside, (self.rates.loss_correlations, self.rates.gain_correlations))
        between = self._scattered(self.rates.difference[self.terminal])
        return between + self.filled * loss - self.empty * gain


@dataclass(frozen=True, eq=False)
class Rates:
    """Transmissions and occupations at given energies, each computed when first asked for.

    ``T_ab = Tr[Gamma_a G Gamma_b G^+]``: the first index of arrays is where to.  Terminals and
    leads are in the order of the system; (terminals, ..., E) float unless stated.

    Attributes
    ----------
    system : OpenSystem or Batch
        The system, or several, with the leads and terminals of each; where their occupations
        differ, those of `Batch.terminals` are nan.
    energies : (E,) float
        In t.
    """

    system: OpenSystem | Batch
    energies: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "energies", np.atleast_1d(np.asarray(self.energies, float)))

    @property
    def _batch(self) -> Batch:
        return Batch.of(self.system, self.energies)

    @property
    def has_loss(self) -> bool:
        """Whether there is any loss."""
        return bool(self._batch.systems[0].loss.any())

    @property
    def has_gain(self) -> bool:
        """Whether there is any gain."""
        return bool(self._batch.systems[0].gain.any())

    @cached_property
    def keeps_digits(self) -> bool:
        """Whether Green's function is exact to its last digits where waves cancel."""
        return Solver(self._batch.systems[0]).keeps_digits

    def each(self, function: Callable[[OpenSystem], float | None]) -> np.ndarray:
        """Return a number of each system at its energies, (E,)."""
        return self._batch.each(function)

    @cached_property
    def _terminals(self) -> Sequence[Terminal]:
        """Terminals, with chemical potentials and temperatures at each energy if systems differ."""
        systems, counts = self._batch.systems, self._batch.counts
        first = systems[0].terminals
        if self._batch.terminals is first:
            return first

        def each(name: str, k: int) -> np.ndarray:
            return np.repeat([float(getattr(x.terminals[k], name)) for x in systems], counts)

        names = "chemical_potential", "temperature"
        filling: list[dict[str, Any]] = [
            {name: each(name, k) for name in names} for k in range(len(first))
        ]
        return [replace(terminal, **x) for terminal, x in zip(first, filling, strict=True)]

    @property
    def parts(self) -> list[tuple[OpenSystem, slice]]:
        """Each system, and which of the energies are its own."""
        return self._batch.parts

    @property
    def transposed(self) -> "Rates":
        """The rates of the transposed system; the same object where it is its own."""
        other = self.system.T
        return self if other is self.system else Rates(other, self.energies)

    @cached_property
    def _contact(self) -> ContactResponse:
        return contact_response(self.system, self.energies)

    @cached_property
    def _interior(self) -> InteriorResponse:
        return interior_response(self.system, self.energies, self._contact)

    @cached_property
    def _correlations(self) -> ContactCorrelations:
        return contact_correlations(self.system, self.energies, self._contact)

    @cached_property
    def _sent(self) -> ContactCorrelations:
        """``v_a^+ G^+ 2P G v_b``, transposed, and the same with ``2Q``."""
        system = self.system.T
        if system is self.system:
            return self._correlations
        response = contact_response(system, self.energies)
        return contact_correlations(system, self.energies, response)

    @cached_property
    def _modes(self) -> Modes:
        return self.system.modes(self.energies)

    def _between_leads(self, matrix: np.ndarray) -> np.ndarray:
        if self.system.joints:
            return np.moveaxis(self._modes.between(matrix), 0, -1)
        at = self.system.coupling.of_lead
        return matrix.transpose(1, 2, 0)[at[:, None], at]

    def _on_leads(self, diagonal: np.ndarray, correlations: Callable) -> np.ndarray:
        """Return ``v_a^+ C v_a`` of each lead, (l, E), of what contacts have of C, (E, c)."""
        if self.system.joints and diagonal.any():
            return np.diagonal(self._between_leads(correlations())).T.real
        return diagonal.T[self.system.coupling.of_lead]

    @cached_property
    def broadening(self) -> np.ndarray:
        """Gamma of each lead, (l, E)."""
        return self._modes.broadening

    @cached_property
    def green(self) -> np.ndarray:
        """Green's function between the leads, ``v_a^+ G v_b``, (l, l, E) complex."""
        return self._between_leads(self._contact.green)

    @cached_property
    def green_cancelled(self) -> np.ndarray:
        """What cancelled in elements of Green's function between leads, (l, l, E) float.

        Zero where they are not small against those on the diagonal: they are rounded as they are.
        """
        size = abs(self.green)
        result = np.zeros_like(size)
        if not self.keeps_digits:
            own, between = np.diagonal(size).T, size**2
            if not self.is_one_lead_each:
                # Of many channels the sum is what has to be large.
                channels = [list(terminal.channels) for terminal in self.system.terminals]
                own = np.array([(self.broadening * own)[mine].max(axis=0) for mine in channels])
                between = self.leads
            is_small = between < _CANCELLED * own[:, None] * own
            small = np.logical_or.reduce(is_small, axis=(0, 1))
            if self.system.joints:
                # Next to a pole a matrix hides what it has beside it.
                largest = abs(self._modes.self_energy).max(axis=0, initial=0.0)
                small |= largest > _HUGE * self.each(energy_scale)
            for system, here in self.parts:
                these = here.start + np.flatnonzero(small[here])
                sizes = green_sizes(system, self.energies[these])
                result[:, :, these] = np.where(np.isfinite(sizes), sizes, 0.0).transpose(1, 2, 0)
        return result

    def _by_terminal(self, array: np.ndarray, axes: tuple[int, ...] = (0,)) -> np.ndarray:
        """Return the sums over the leads of each terminal, along some axes."""
        terminals = self.system.terminals
        if len(terminals) < len(self.system.leads):
            for axis in axes:
                parts = [np.take(array, x.channels, axis).sum(axis) for x in terminals]
                array = np.stack(parts, axis)
        return array

    @cached_property
    def leads(self) -> np.ndarray:
        """Sums of ``Gamma_a Gamma_b |G_ab|^2`` over the leads of two terminals, (t, t, E)."""
        # Imported here: numba takes long to import.
        from nessflow.spectrum.exchanges import transmissions

        return self._by_terminal(transmissions(self.green, self.broadening), (0, 1))

    @cached_property
    def lead_sizes(self) -> np.ndarray:
        """What `leads` are sums of, which sets their rounding errors, (t, t, E)."""
        return self.leads if self.keeps_digits else self.leads + self.cancelled

    @cached_property
    def cancelled(self) -> np.ndarray:
        """What interference leaves out of `leads`, times how far it is rounded, (t, t, E)."""
        if self.keeps_digits:
            return np.zeros_like(self.leads)
        lost = self.green_cancelled * (
            2 * abs(self.green) + np.finfo(float).eps * self.green_cancelled
        )
        return self._by_terminal(self.broadening[:, None] * self.broadening * lost, (0, 1))

    @cached_property
    def cancelled_exchange(self) -> np.ndarray:
        """`cancelled` between a terminal and all others, with a bound of occupations, (t, E)."""
        if self.keeps_digits:
            return np.zeros_like(self.filled)
        f, h = self.filled, self.empty
        occupation = f[:, None] * (h + h[:, None]) + f * (h + h[:, None])
        return _sum_of_others(self.cancelled * occupation)

    @cached_property
    def from_loss(self) -> np.ndarray:
        """From the loss terminal to the leads, (t, E)."""
        return self._by_terminal(
            self.broadening * self._on_leads(self._contact.loss, lambda: self._correlations.loss)
        )

    @cached_property
    def from_gain(self) -> np.ndarray:
        """From the gain terminal to the leads, (t, E)."""
        return self._by_terminal(
            self.broadening * self._on_leads(self._contact.gain, lambda: self._correlations.gain)
        )

    @cached_property
    def to_loss(self) -> np.ndarray:
        """From the leads to the loss terminal, (t, E)."""
        return self._by_terminal(
            self.broadening
            * self._on_leads(self._interior.loss, lambda: self._sent.loss.swapaxes(1, 2))
        )

    @cached_property
    def to_gain(self) -> np.ndarray:
        """From the leads to the gain terminal, (t, E)."""
        return self._by_terminal(
            self.broadening
            * self._on_leads(self._interior.gain, lambda: self._sent.gain.swapaxes(1, 2))
        )

    @property
    def loss_gain(self) -> np.ndarray:
        """From gain to loss, (E,)."""
        return self._interior.loss_gain

    @property
    def gain_loss(self) -> np.ndarray:
        """From loss to gain, (E,)."""
        return self._interior.gain_loss

    @property
    def spectral(self) -> np.ndarray:
        """Sum of ``Gamma_a A_aa = -2 Gamma_a Im G_aa`` over the leads of a terminal, (t, E)."""
        return self._by_terminal(-2 * self.broadening * np.diagonal(self.green).T.imag)

    @cached_property
    def absorbed(self) -> np.ndarray:
        """What a terminal takes up from all, itself included, ``sum_c T_ac``, (t, E)."""
        return self.leads.sum(axis=1) + self.from_loss + self.from_gain

    @cached_property
    def unitarity_violation(self) -> np.ndarray:
        """``Gamma_a A_aa - sum_c T_ac`` beyond what rounding makes of it, (t, E).

        The spectral function is the small part of Green's function where broadenings are small,
        and rounded as the whole of it, beside a resonance more than elsewhere.
        """
        size = abs(np.diagonal(self.green).T)
        rounding = _ROUNDING * size * (1 + self.each(energy_scale) * size)
        difference = self.spectral - self.absorbed
        beyond = abs(difference) - self._by_terminal(2 * self.broadening * rounding)
        return np.sign(difference) * np.maximum(beyond, 0.0)

    @cached_property
    def root(self) -> np.ndarray:
        """``sqrt(Gamma_a)`` of each lead, (l, E)."""
        return np.sqrt(self.broadening)

    @cached_property
    def _root(self) -> np.ndarray:
        """``sqrt(Gamma_a Gamma_b)``, (l, l, E)."""
        return self.root[:, None] * self.root[None]

    @cached_property
    def amplitudes(self) -> np.ndarray:
        """Scattering matrix ``s_ab = -delta_ab + i sqrt(Gamma_a Gamma_b) G_ab``, (l, l, E)."""
        result = np.empty(self.green.shape, complex)
        np.multiply(self._root, self.green.real, out=result.imag)
        np.multiply(self._root, -self.green.imag, out=result.real)
        np.einsum("aae->ae", result)[:] -= 1.0
        return result

    @cached_property
    def loss_correlations(self) -> np.ndarray:
        """``sqrt(Gamma_a Gamma_b) (G 2P G^+)_ab``, (l, l, E) complex."""
        return self._root * self._between_leads(self._correlations.loss)

    @cached_property
    def gain_correlations(self) -> np.ndarray:
        """``sqrt(Gamma_a Gamma_b) (G 2Q G^+)_ab``, (l, l, E) complex."""
        return self._root * self._between_leads(self._correlations.gain)

    @property
    def correlations(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Those of loss and of gain; None where there is neither."""
        if not (self.has_loss or self.has_gain):
            return None
        return self.loss_correlations, self.gain_correlations

    @cached_property
    def _occupations(self) -> np.ndarray:
        # Imported here: numba takes long to import.
        from nessflow.spectrum.exchanges import occupations

        def of_each(name: str) -> np.ndarray:
            rows = np.empty((len(self._terminals), self.energies.size))
            for row, terminal in zip(rows, self._terminals, strict=True):
                row[:] = getattr(terminal, name)
            return rows

        return occupations(self.energies, of_each("chemical_potential"), of_each("temperature"))

    @property
    def filled(self) -> np.ndarray:
        """Occupation of each terminal, (t, E)."""
        return self._occupations[0]

    @property
    def empty(self) -> np.ndarray:
        """One minus the occupation of each terminal, without cancellation, (t, E)."""
        return self._occupations[1]

    @cached_property
    def _exchanges(self) -> np.ndarray:
        from nessflow.spectrum.exchanges import exchanges

        occupations = self.filled, self.empty, self.difference
        return exchanges(self.leads, self.lead_sizes, *occupations, self.from_loss, self.from_gain)

    @property
    def incoming(self) -> np.ndarray:
        """Occupation that reaches a terminal from elsewhere, ``sum_c T_ac f_c``, (t, E)."""
        return self._exchanges[0]

    @property
    def vacant(self) -> np.ndarray:
        """The same for vacancies, ``sum_c T_ac (1 - f_c)``, (t, E)."""
        return self._exchanges[1]

    @property
    def mean(self) -> np.ndarray:
        """``f_a sum_c T_ac (1 - f_c) - (1 - f_a) sum_c T_ac f_c``, without cancellation, (t, E)."""
        return self._exchanges[2]

    @property
    def mean_sizes(self) -> np.ndarray:
        """What `mean` is a sum of, which sets its rounding error, (t, E)."""
        return self._exchanges[3]

    @property
    def is_one_lead_each(self) -> bool:
        """Whether every terminal is one lead."""
        return len(self.system.terminals) == len(self.system.leads)

    @property
    def reflections(self) -> tuple[np.ndarray | None, ...]:
        """What reflection of leads follows from: `green`, `green_cancelled` and `root`."""
        return self.green, None if self.keeps_digits else self.green_cancelled, self.root

    @property
    def occupations(self) -> tuple[np.ndarray, ...]:
        """`filled`, `empty`, `incoming` and `vacant`."""
        return self.filled, self.empty, self.incoming, self.vacant

    @property
    def exchange_sizes(self) -> np.ndarray | None:
        """`cancelled_exchange`; None where nothing cancels."""
        return None if self.keeps_digits else self.cancelled_exchange

    @cached_property
    def difference(self) -> np.ndarray:
        """``f_a - f_b`` without cancellation, (t, t, E)."""
        terminals = self._terminals
        result = np.zeros((len(terminals), len(terminals), self.energies.size))
        f, h = self.filled, self.empty
        for a, terminal in enumerate(terminals):
            for b in range(a):
                both = terminal, terminals[b]
                known = (f[a], f[b]), (h[a], h[b])
                result[a, b] = fermi_difference(self.energies, *both, *known)
                result[b, a] = -result[a, b]
        return result

    @cached_property
    def amplitude_sizes(self) -> np.ndarray:
        """What amplitudes are sums of, which sets their rounding errors, (l, l, E)."""
        size = abs(self.green)
        result = self._root * (size if self.keeps_digits else size + self.green_cancelled)
        np.einsum("aae->ae", result)[:] += 1.0
        return result

    @property
    def exchange(self) -> tuple[Exchange, ...]:
        """What each terminal exchanges with all others; not kept, as they refer to these rates."""
        return tuple(Exchange(self, k) for k in range(len(self.system.terminals)))


def _sum_of_others(matrices: np.ndarray) -> np.ndarray:
    """Return the sums of rows without the diagonal, which is left 0, of (t, t, E), (t, E)."""
    np.einsum("aae->ae", matrices)[:] = 0.0
    return matrices.sum(axis=1)


@dataclass(frozen=True)
class Observable(Generic[Result]):
    """Something that is made of integrals over the energy.

    Attributes
    ----------
    integrand : callable
        ``integrand(Rates) -> (values (m, E), magnitudes (m, E))`` as `Spectrum.integral` wants.
        Systems whose observables have equal integrands, one function, are integrated together:
        what it knows of a system it knows from the rates.
    result : callable
        Makes the result of the integrals of these m components over ``dw / 2 pi``.
    peak
        As of `Spectrum.integral`.
    is_rounded : bool
        Whether the magnitudes hold what rounding leaves where waves cancel.
    measure : callable
        ``measure(integrals (s, m)) -> (s, m)``, what errors are measured by: by default the
        integral itself.
    """

    integrand: Callable[[Rates], tuple[np.ndarray, np.ndarray]]
    result: Callable[[Integral], Result]
    peak: float = 1.0
    is_rounded: bool = False
    measure: Callable[[np.ndarray], np.ndarray] = np.abs

    @property
    def _integral(self) -> tuple:
        """What must be equal for two to be integrated together."""
        return self.integrand, self.peak, self.is_rounded, self.measure


_ELEMENTS = 800_000
"""Elements of a matrix between leads, at all energies, that are kept for the next observable: some
100 MB with all matrices."""
_AT_A_TIME = 4_000
"""Energies at which integrands are computed at a time: arrays over them stay in the cache."""
TOGETHER = 64
"""Systems that are integrated together, fewer where their first panels would take more than half of
what is kept."""


def shared_rates(
    systems: Sequence[OpenSystem], most: int
) -> Callable[[np.ndarray, np.ndarray], Rates]:
    """Return the rates of systems at energies, computed once for panels that integrals share.

    Parameters
    ----------
    systems : sequence of s OpenSystem
        Of one `nessflow.solvers.solver.shape`.
    most : int
        Energies, about, whose rates are kept.

    Returns
    -------
    callable
        ``rates(energies (E,), counts (s,))``, the first ``counts[0]`` energies those of the first
        system, and so on.
    """
    every = Batch(tuple(systems), np.zeros(len(systems), int))
    known: dict[tuple[bytes, bytes], Rates] = {}

    def rates_at(energies: np.ndarray, counts: np.ndarray) -> Rates:
        key = energies.tobytes(), counts.tobytes()
        if key in known:
            return known[key]
        rates = Rates(systems[0] if len(systems) == 1 else every.counting(counts), energies)
        if sum(other.energies.size for other in known.values()) < most:
            known[key] = rates
        return rates

    return rates_at


def integrate_observables(
    system: OpenSystem, observables: Sequence[Observable], rtol: float = ACCURACY
) -> list:
    """Return the results of several observables of one system: `integrate_each_system` of one.

    Parameters
    ----------
    system : OpenSystem
        The system.
    observables : sequence of Observable
        What to integrate.
    rtol : float
        As there.

    Returns
    -------
    list
        What `Observable.result` makes of each, in their order.
    """
    return integrate_each_system([system], [observables], rtol)[0]


def integrate_each_system(
    systems: Sequence[OpenSystem],
    observables: Sequence[Sequence[Observable]],
    rtol: float = ACCURACY,
) -> list[list]:
    """Return the results of the same observables of several systems from common transmissions.

    Systems that differ in Hamiltonian, loss, gain and occupations alone are integrated together,
    each with the numbers that it has alone, to the last bit.  Each observable refines its own
    panels.  The transmissions on panels that several have in common, at least the first ones, are
    computed once.

    Parameters
    ----------
    systems : sequence of OpenSystem
        The systems.
    observables : sequence of sequences of Observable
        What to integrate, for each system.
    rtol : float
        Error over value aimed at, for every component by itself.  Rounding errors that are larger
        take its place and are part of the errors.

    Returns
    -------
    list of list
        What `Observable.result` makes of each, for each system.
    """
    alike: dict[Hashable, list[int]] = {}
    for k, (system, own) in enumerate(zip(systems, observables, strict=True)):
        key = shape(system), tuple(x._integral for x in own)
        alike.setdefault(key, []).append(k)
    results: dict[int, list] = {}
    for members in alike.values():
        for first in range(0, len(members), TOGETHER):
            chosen = members[first : first + TOGETHER]
            wanted = [observables[k] for k in chosen]
            found = _integrated([systems[k] for k in chosen], wanted, rtol)
            results |= zip(chosen, found, strict=True)
    return [results[k] for k in range(len(systems))]


def _integrated(
    systems: Sequence[OpenSystem], observables: Sequence[Sequence[Observable]], rtol: float
) -> list[list]:
    """Return what `integrate_each_system` does, for systems of one shape with equal integrands."""
    if not observables[0]:
        return [[] for _ in systems]
    spectra = [Spectrum(system.interpolated, rtol) for system in systems]
    most = max(1, _ELEMENTS // max(1, len(systems[0].leads)) ** 2)
    nodes = np.cumsum([NODES.size * x.mesh.panels.size for x in spectra])
    groups: dict[int, list[int]] = {}
    for k, group in enumerate((2 * nodes // most).tolist()):
        groups.setdefault(group, []).append(k)
    results = []
    for group in groups.values():
        found = _of_spectra([spectra[k] for k in group], observables[group[0]], most)
        for k, integrals_of_one in zip(group, found, strict=True):
            pairs = zip(observables[k], integrals_of_one, strict=True)
            results.append([observable.result(each) for observable, each in pairs])
    return results


def _of_spectra(
    spectra: Sequence[Spectrum], observables: Sequence[Observable], most: int
) -> list[tuple[Integral, ...]]:
    """Return the integrals of the same observables of systems of one shape, of each system."""
    systems = [spectrum.system for spectrum in spectra]
    exact = Solver(systems[0]).keeps_digits
    rates_at = shared_rates(systems, most)

    def integrals_of(observable: Observable) -> list[Integral]:
        def integrand(energies: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rates = rates_at(energies, counts)
            values, sizes = observable.integrand(rates)
            is_rounded = exact or observable.is_rounded
            return values, sizes if is_rounded else with_rounding(sizes, rates.spectral)

        how = observable.peak, min(_AT_A_TIME, most), observable.measure
        return integrals(spectra, integrand, *how)

    return list(zip(*map(integrals_of, observables), strict=True))
