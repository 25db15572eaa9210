"""Integrals over the energy of numbers on sites and bonds.

All are of ``G W G^+``, with W what fills states or what empties them.  Beside panels of energies
there are states too narrow for a quadrature, which have their poles, and edges of bands, which have
windows.  At flat edges much of all states is where no Green's function has digits: there all
states hold a common share, of which completeness knows, and only what is filled beyond is
integrated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from nessflow.estimate import Estimate
from nessflow.scattering.sites.inflow import inflow, largest_inflow
from nessflow.scattering.states.completeness import common_share, decaying_states
from nessflow.scattering.terminal_flows import (
    Occupations,
    by_terminal,
    fermi_occupations,
    integrated,
    particles_and_holes,
)
from nessflow.solvers.pairwise import NO_PAIRS, Source, lead_broadening, site_sums
from nessflow.solvers.solver import Solver
from nessflow.spectrum.bound_states import BoundStates, bound_states
from nessflow.spectrum.edges.windows import EdgeWindow, edge_windows
from nessflow.spectrum.mesh import energy_scale, known_poles
from nessflow.spectrum.narrow_states import NarrowStates, background, narrow_states
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.matrices import matrix_elements
from nessflow.systems.system import OpenSystem

_WHOLE = "whole"
"""The part that is the weight of all states."""
_DENSITIES = "filled", "empty", "coherences"
"""Parts that follow the density of states; currents are finite where it is not."""
_KNOWN, _FAR_OFF = 1e-6, 100.0
"""Error of the integral of a density, which is at most 1, or multiple of the accuracy that is asked
for, beyond which it is not known: rounding that takes so much is of what panels do not resolve."""
_SAME = 1e-9
"""Distance of a pole from the level of a bound state, relative to it, that is rounding."""


@dataclass(frozen=True, eq=False)
class LocalIntegrals:
    """Integrals over the energy of numbers on sites and bonds.

    Attributes
    ----------
    parts : dict of str to Estimate
        ``filled`` and ``empty`` (N,), ``bonds`` (B,), ``inflow`` (N,), ``deviation`` (t,),
        ``coherences`` (2 k,).
    bound : BoundStates or None
        The bound states of the system, which nothing here contains.
    converged : bool
        Whether all integrals met the tolerance or their rounding errors, and densities are known.
    unknown : (N,) float
        Weight that is missing where a share of all states was taken to be filled alike.
    """

    parts: dict[str, Estimate]
    bound: BoundStates | None
    converged: bool
    unknown: np.ndarray


def local_integrals(
    system: OpenSystem,
    parts: Sequence[str],
    rtol: float = ACCURACY,
    occupations: Occupations | None = None,
    between: np.ndarray = NO_PAIRS,
) -> LocalIntegrals:
    """Integrate numbers on sites and bonds over the energy.

    Parameters
    ----------
    system : OpenSystem
        Any number of leads, loss and gain.
    parts : sequence of str
        ``filled`` and ``empty``: occupations and what lacks of them; ``bonds``: particle currents
        by hopping; ``inflow``: what leads, loss and gain send to each site; ``deviation``: see
        `nessflow.scattering.profiles.Profiles`; ``coherences``: real, then imaginary parts of
        ``<c_j^+ c_i>`` of pairs i, j.
    rtol : float
        Error over value aimed at, for every number by itself.
    occupations : Occupations, optional
        Of the leads; their Fermi functions unless told.
    between : (k, 2) int array, optional
        Pairs of ``coherences``, see `nessflow.solvers.pairwise.site_sums`.

    Returns
    -------
    LocalIntegrals
        Of these parts.  With other occupations it is not converged where a state decays too slowly
        for a quadrature.
    """
    system, are_fermi = system.interpolated, occupations is None
    occupations, bound = occupations or fermi_occupations(system), bound_states(system)
    edges, share = [], None
    # What a window hides is found by the weight of all states, for which those bound are needed.
    if bound is not None and not _densities(system).isdisjoint(parts):
        edges = edge_windows(system, energy_scale(system))
    if flat := [window for window in edges if window.is_flat]:
        share = common_share(flat, lambda w: occupations.common(w) + occupations.excess(w))
        parts = (*parts, _WHOLE)
    task = _Task(system, occupations, tuple(parts), between, share)

    poles = _without(known_poles(system), bound)
    for window in edges:
        poles = poles[~window.holds(poles)]
    narrow = narrow_states(system, poles)
    windows = [states.window for states in narrow]
    found = integrated(system, task.integrand, rtol, poles, True, windows, edges, task.measure)
    value, error = _with_edges(task, edges, found.value, found.error)
    wrong = error[np.isin(task.part_of, _DENSITIES)].max(initial=0.0)
    for states in narrow:
        beside, wrong_beside = background(task.integrand, states.window)
        value, error = value + beside, error + wrong_beside

    total = {part: Estimate(*(x[task.part_of == part] for x in (value, error))) for part in parts}
    for states in narrow:
        _add_narrow(task, states, total)
    unknown = np.zeros(system.sites)
    if share is not None and bound is not None:
        unknown = _add_share(task, bound, total)
    total.pop(_WHOLE, None)
    is_known = wrong <= max(_KNOWN, _FAR_OFF * rtol)
    converged = bool(found.converged and is_known and (are_fermi or not narrow))
    return LocalIntegrals(total, bound, converged, unknown)


# --- integrands -----------------------------------------------------------------------------------


class _Numbers(NamedTuple):
    """What the integrands of all parts are made of at E energies.

    ``common`` and ``holes`` (E,), ``excess`` and ``gamma`` (l, E); elements of ``G W G^+`` by the
    name of W, see `nessflow.solvers.pairwise.SiteSums`; ``largest`` (E,) bounds what fills states
    in densities over what fills those of ``held``, and ``driven`` (E,) what drives currents.
    """

    energies: np.ndarray
    common: np.ndarray
    holes: np.ndarray
    excess: np.ndarray
    gamma: np.ndarray
    sites: dict[str, np.ndarray]
    bonds: dict[str, np.ndarray]
    leads: dict[str, np.ndarray]
    links: dict[str, np.ndarray]
    others: dict[str, np.ndarray]
    largest: np.ndarray | float
    driven: np.ndarray


@dataclass(frozen=True, eq=False)
class _Task:
    """What is integrated of a system; ``share`` is None where no edge is flat."""

    system: OpenSystem
    occupations: Occupations
    parts: tuple[str, ...]
    between: np.ndarray
    share: float | None

    @cached_property
    def hopping(self) -> np.ndarray:
        """Of all bonds, from their second sites to the first, (B,)."""
        return matrix_elements(self.system.hamiltonian, self.system.pairs).conj()

    @cached_property
    def densities(self) -> frozenset[str]:
        return _densities(self.system)

    @cached_property
    def keeps_digits(self) -> bool:
        return Solver(self.system).keeps_site_digits

    @cached_property
    def part_of(self) -> np.ndarray:
        """The part of each component of the integrals."""
        sites, system = self.system.sites, self.system
        lengths = {
            "bonds": len(system.pairs),
            "deviation": len(system.terminals),
            "coherences": 2 * len(self.between),
        }
        return np.repeat(self.parts, [lengths.get(part, sites) for part in self.parts])

    @property
    def density(self) -> str:
        """The source that fills states in densities."""
        return "filled" if self.share is None else "beyond"

    @property
    def held(self) -> str:
        """The source whose elements are not smaller than those of `density`, but for a factor."""
        return "filled" if self.share is None else "all"

    def sources(self, part: str) -> tuple[str, ...]:
        """Return what a part takes of ``G W G^+``, by the name of W."""
        if part == "inflow":
            return "filled", "empty"
        if part not in self.densities and part != _WHOLE:
            return "excess", "all", "loss", "gain"
        if self.share is not None:
            return "beyond", "all"
        return (part,) if part == "empty" else ("filled",)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All that parts take, each once."""
        return tuple(dict.fromkeys(name for part in self.parts for name in self.sources(part)))

    def integrand(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values and sizes of all parts, (m, E)."""
        at = self._numbers(energies)
        values, sizes = zip(*(_INTEGRANDS[part](self, at) for part in self.parts), strict=True)
        return np.concatenate(values), np.concatenate(sizes)

    def measure(self, integrals: np.ndarray) -> np.ndarray:
        """Return what errors are measured by: of the weight of all states no panel is cut."""
        return np.where(self.part_of == _WHOLE, np.inf, abs(integrals))

    def _numbers(self, energies: np.ndarray) -> _Numbers:
        system, share = self.system, self.share
        gamma, excess = lead_broadening(system, energies), self.occupations.excess(energies)
        common = self.occupations.common(energies)
        filled, empty = particles_and_holes(system, self.occupations, energies)
        nothing = np.zeros_like(gamma)
        sources = {
            "filled": filled,
            "empty": empty,
            "excess": Source(gamma * excess),
            "all": Source(gamma, 1.0, 1.0),
            "loss": Source(nothing, 1.0),
            "gain": Source(nothing, 0.0, 1.0),
        }
        is_driven = 1.0 if system.loss.any() or system.gain.any() else 0.0
        largest = 1.0
        if share is not None:
            sources["beyond"] = Source(filled.leads - share * gamma, -share, 1.0 - share)
            largest = abs(common + excess - share).max(axis=0)
            largest = np.maximum(largest, is_driven * max(share, 1.0 - share))
        found = site_sums(system, energies, [sources[name] for name in self.names], self.between)
        elements = (dict(zip(self.names, x, strict=True)) for x in found)
        driven = np.maximum(abs(excess).max(axis=0), is_driven)
        holes = self.occupations.common_holes(energies)
        first = energies, common, holes, excess, gamma
        return _Numbers._make((*first, *elements, largest, driven))


def _densities(system: OpenSystem) -> frozenset[str]:
    """Return the parts that follow the density of states.

    States that are all filled carry no current where all is real.  A flux through a ring drives
    persistent currents, and channels on bonds with a phase, or leads on several sites, currents
    that feed themselves, in every state.
    """
    matrices = (system.hamiltonian, system.loss, system.gain)
    couplings = [matrix_elements(matrix, system.pairs) for matrix in matrices]
    couplings += [lead.amplitudes for lead in system.leads]
    leads = [joint.lead for joint in system.joints]
    is_real = all(lead.conjugate is lead for lead in leads)
    is_real = is_real and not any(np.imag(x).any() for x in couplings)
    return frozenset(_DENSITIES if is_real else (*_DENSITIES, "bonds"))


def _products(task: _Task, diagonal: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return bounds of elements between sites by those on them, (E, N) -> (k, E)."""
    # |C_ij| is at most the geometric mean of C_ii and C_jj.
    root = np.sqrt(np.maximum(diagonal, 0.0))  # rounding of what cancels
    first, second = root[:, pairs[:, 0]], root[:, pairs[:, 1]]
    largest = root.max(axis=1, initial=0.0)[:, None]
    return (first * second if task.keeps_digits else 0.5 * largest * (first + second)).T


def _whole(task: _Task, at: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    value = at.sites["all"].T
    return value, value


def _filled(task: _Task, at: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    return at.sites[task.density].T, at.sites[task.held].T * at.largest


def _empty(task: _Task, at: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    if task.share is None:
        return at.sites["empty"].T, at.sites["empty"].T
    value, size = _filled(task, at)
    return -value, size


def _bonds(task: _Task, at: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    across = 2 * abs(task.hopping)[:, None]
    if "bonds" in task.densities:
        flow, held, largest = at.bonds[task.density], at.sites[task.held], at.largest
    else:
        # All states filled alike carry no current but what loss and gain drive.
        flow = at.bonds["excess"] - at.common[:, None] * at.bonds["loss"]
        flow = flow + at.holes[:, None] * at.bonds["gain"]
        held, largest = at.sites["all"], at.driven
    size = across * _products(task, held, task.system.pairs) * largest
    return 2 * (task.hopping * flow).imag.T, size


def _coherences(task: _Task, at: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    value = at.others[task.density].T
    size = _products(task, at.sites[task.held], task.between) * at.largest
    return np.concatenate([value.real, value.imag]), np.tile(size, (2, 1))


def _inflow(task: _Task, at: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    both = at.common + at.excess, np.maximum(at.holes - at.excess, 0.0)
    return inflow(task.system, at.energies, at.gamma, both, at.sites, at.bonds, at.links)


def _deviation(task: _Task, at: _Numbers) -> tuple[np.ndarray, np.ndarray]:
    system = task.system
    norms = np.array([[np.sum(abs(lead.amplitudes) ** 2)] for lead in system.leads])
    norms = norms * by_terminal(system, np.ones((len(norms), 1)))[system.terminal_of_lead]
    own = {name: x / norms for name, x in at.leads.items()}
    value = own["excess"] - own["all"] * at.excess
    value = value - at.common * own["loss"] + at.holes * own["gain"]
    return by_terminal(system, value), by_terminal(system, own["all"] * at.driven)


_INTEGRANDS = {
    "filled": _filled,
    "empty": _empty,
    "bonds": _bonds,
    "inflow": _inflow,
    "deviation": _deviation,
    "coherences": _coherences,
    _WHOLE: _whole,
}


# --- what no panel holds --------------------------------------------------------------------------


def _without(poles: np.ndarray, bound: BoundStates | None) -> np.ndarray:
    """Return the poles but those of bound states, which nothing fills."""
    levels = bound.levels if bound is not None else np.empty(0)
    close = abs(poles[:, None] - levels) < _SAME * (1 + abs(levels))
    return poles[~close.any(axis=1)]


def _with_edges(
    task: _Task, edges: Sequence[EdgeWindow], value: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return integrals and errors with what is in the windows about edges."""
    is_density = np.isin(task.part_of, (*task.densities, _WHOLE))
    for window in edges:
        inside: Any = window.integral(task.integrand)
        if window.is_flat and not is_density.all():  # currents stay finite where densities do not
            inside = np.where(is_density, inside, background(task.integrand, window.ends))
        value, error = value + inside[0], error + inside[1]
    return value, error


def _add(
    task: _Task, total: dict[str, Estimate], part: str, elements: Callable, factor: float = 1.0
) -> None:
    """Add to a part, if it is asked for, what it has of a multiple of a Hermitian matrix.

    ``elements`` takes two arrays of sites and returns elements and what they may be wrong by.
    """
    if part not in total:
        return
    if part == "bonds":
        value, wrong = elements(*task.system.pairs.T)
        value, wrong = 2 * (task.hopping * value).imag, 2 * abs(task.hopping) * wrong
    elif part == "coherences":
        value, wrong = elements(*task.between.T)
        value, wrong = np.concatenate([value.real, value.imag]), np.tile(wrong, 2)
    else:
        sites = np.arange(task.system.sites)
        value, wrong = elements(sites, sites)
        value = value.real
    so_far = total[part]
    total[part] = Estimate(so_far.value + factor * value, so_far.error + factor * wrong)


def _add_narrow(task: _Task, states: NarrowStates, total: dict[str, Estimate]) -> None:
    """Add what narrow states hold."""
    if "inflow" in total:
        value, error, *_ = total["inflow"]
        total["inflow"] = Estimate(value, error + largest_inflow(task.system, states))
    _add(task, total, _WHOLE, states.weight.elements)
    held = states if task.share is None else states.less(task.share)
    for part, one in (
        ("filled", held.filled),
        ("empty", held.empty),
        ("bonds", held.filled),
        ("coherences", held.filled),
    ):
        _add(task, total, part, one.elements)


def _add_share(task: _Task, bound: BoundStates, total: dict[str, Estimate]) -> np.ndarray:
    """Add what a share of all states that decay holds; return the weight that is missing, (N,)."""

    def elements(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return decaying_states(task.system, bound, first, second)

    sites = np.arange(task.system.sites)
    weight, wrong = elements(sites, sites)
    found, error, *_ = total[_WHOLE]
    unknown = np.maximum(abs(weight.real - found) - error - wrong, 0.0)
    share: Any = task.share
    for part, filled in (
        ("filled", share),
        ("empty", 1.0 - share),
        ("bonds", share),
        ("coherences", share),
    ):
        _add(task, total, part, elements, filled)
    for part in ("filled", "empty"):
        if part in total:
            value, error, *_ = total[part]
            total[part] = Estimate(value, error + unknown)
    return unknown
