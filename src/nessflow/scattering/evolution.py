"""Evolution of correlation matrices when a system is joined to its leads at time 0.

Before, the leads are in equilibrium, each by itself, and the system is in any state.  With the
propagator ``U(t) = int dw/2pi A(w) e^{-iwt}``, ``A = i (G - G^+)``, and

    K(w, t) = int_0^t dt' e^{iwt'} U(t'),

the correlation matrix ``C_ij = <c_i^+ c_j>`` is (29), (30) of paper non-additive-dissipation,

    C(t) = U^* C(0) U^T + Z(t),   Z_ij(t) = sum_a int dw/2pi f_a Gamma_a K^*_ia K_ja.

Both integrals use one grid of energies.  ``K`` is accumulated from one time to the next, so that
many times cost no more than the last one.  Since leads that are full keep everything full,
``U^* U^T + Z = 1`` for ``f = 1``: how far that fails is measured at every time, and is an error of
the propagator, of the grids and of all else but the occupations.

The currents from the leads are what continuity leaves on their sites: with ``rho_ij = C_ji``, the
diagonal of ``d rho/dt + i [h, rho]``, where ``dK/dt = e^{iwt} U``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nessflow.estimate import Estimate
from nessflow.solvers.dark_states import dark_states
from nessflow.solvers.dense import green
from nessflow.spectrum.bound_states import require_no_bound_state
from nessflow.spectrum.quadrature import KRONROD, Panels, panel_estimates
from nessflow.spectrum.spectrum import Spectrum
from nessflow.spectrum.statistics import bosonic_range, occupation
from nessflow.systems.contacts import Contacts
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import AttachedLead, OpenSystem, outermost_edges

_PHASE = 4.0
"""Largest phase ``|w - w'| t`` over half a panel of energies."""
_TIME_PHASE = 8.0
"""The same over a step of time, on which `_TIME_NODES` nodes integrate to rounding errors."""
_PANEL_ERROR = 1e-13
"""Error of a panel over the whole integral, of a lead's occupation or broadening."""
_MAX_ROUNDS = 60
_FARTHEST = 1e5
"""Time times width of the bands that takes minutes; four times as long for twice as much."""
_TIME_NODES, _TIME_WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True, eq=False)
class Evolution:
    """What the correlation matrix at some times is made of.

    Attributes
    ----------
    times : (t,) float
        In hbar/t.
    propagator : (t, N, N) complex
        ``U``.
    source : (t, N, N) complex
        ``Z``, the correlation matrix of a system that was empty.
    error : (t,) float
        What elements of ``propagator`` and ``source`` may be wrong by.
    propagator_rate, source_rate : (t, N, N) complex
        ``dU/dt`` and ``dZ/dt``, in t/hbar.
    injection : (t, l) float
        What each lead sends in, without what it takes back, in t/hbar.
    rate_error : (t,) float
        What elements of the three may be wrong by.
    """

    times: np.ndarray
    propagator: np.ndarray
    source: np.ndarray
    error: np.ndarray
    propagator_rate: np.ndarray
    source_rate: np.ndarray
    injection: np.ndarray
    rate_error: np.ndarray

    def currents(self, initial: np.ndarray, system: OpenSystem) -> Estimate:
        """Return the particle current of each lead into the system at all times.

        Leads of one model that couple alike share evenly what flows out there.

        Parameters
        ----------
        initial : (N, N) array
            ``C(0)``.
        system : OpenSystem
            That of `evolve`.

        Returns
        -------
        Estimate
            (t, l), in t/hbar.

        Raises
        ------
        ValueError
            When leads that differ share a site: only their sum is known.
        """
        initial, h = np.asarray(initial), as_dense(system.hamiltonian)
        kept = self.propagator_rate.conj() @ initial @ self.propagator.swapaxes(1, 2)
        rate = kept + kept.conj().swapaxes(1, 2) + self.source_rate
        density = self.correlations(initial).swapaxes(1, 2)
        flow = rate.swapaxes(1, 2) + 1j * (h @ density - density @ h)
        entering = np.einsum("tii->ti", flow).real
        value = np.empty(self.injection.shape)
        for sites, here in _apart(system):
            sent = self.injection[:, here]
            taken = sent.sum(axis=1) - entering[:, sites].sum(axis=1)
            value[:, here] = sent - taken[:, None] / len(here)
        size = 1 + abs(initial).sum()
        rounding = 2 * np.linalg.norm(h, np.inf) * self.error * size
        error = 4 * (2 * self.rate_error * size + rounding)
        return Estimate(value, np.broadcast_to(error[:, None], value.shape))

    def correlations(self, initial: np.ndarray) -> np.ndarray:
        """Return ``C(t)`` from ``C(0)``, (29).

        Parameters
        ----------
        initial : (N, N) array
            ``C(0)``.

        Returns
        -------
        (t, N, N) complex array
            ``C(t)``.
        """
        return self.propagator.conj() @ initial @ self.propagator.swapaxes(1, 2) + self.source

    def double_occupancy(self, initial: np.ndarray, both: float | None = None) -> np.ndarray:
        """Return ``<c_1^+ c_2^+ c_2 c_1>`` of two sites, (31).

        Parameters
        ----------
        initial : (2, 2) array
            ``C(0)``.
        both : float, optional
            Double occupancy at time 0; that of a Gaussian state, ``det C(0)``, unless told.

        Returns
        -------
        (t,) float array
            At `times`.

        Raises
        ------
        ValueError
            When there are not two sites, or no state has this double occupancy.
        """
        initial = np.asarray(initial)
        if initial.shape != (2, 2):
            raise ValueError(f"double occupancy is that of two sites, there are {len(initial)}")
        both = float(np.linalg.det(initial).real) if both is None else both
        require_double_occupancy(initial, both)
        z = self.source
        kept = self.propagator.conj() @ initial @ self.propagator.swapaxes(1, 2)
        mixed = kept[:, 0, 0] * z[:, 1, 1] + kept[:, 1, 1] * z[:, 0, 0]
        mixed = mixed - kept[:, 0, 1] * z[:, 1, 0] - kept[:, 1, 0] * z[:, 0, 1]
        decayed = abs(np.linalg.det(self.propagator)) ** 2 * both
        return decayed + (np.linalg.det(z) + mixed).real


def require_occupations(initial: np.ndarray, sites: int) -> np.ndarray:
    """Return a correlation matrix of fermions after checking it.

    Parameters
    ----------
    initial : (N, N) array
        ``<c_i^+ c_j>``.
    sites : int
        N.

    Returns
    -------
    (N, N) complex array
        The same matrix.

    Raises
    ------
    ValueError
        When its size is wrong, or its eigenvalues are not between 0 and 1.
    """
    initial = np.asarray(initial, complex)
    if initial.shape != (sites, sites):
        raise ValueError(f"initial correlations must be ({sites}, {sites}), got {initial.shape}")
    if abs(initial - initial.conj().T).max() > 1e-12:
        raise ValueError("initial correlations must be Hermitian")
    low, high = np.linalg.eigvalsh(initial)[[0, -1]]
    if low < -1e-12 or high > 1 + 1e-12:
        raise ValueError(
            f"initial correlations must have eigenvalues from 0 to 1, got {low:g} to {high:g}"
        )
    return initial


def require_double_occupancy(initial: np.ndarray, both: float) -> None:
    """Check that two sites with the correlations ``initial`` can both be full as often as told.

    Parameters
    ----------
    initial : (2, 2) array
        ``<c_i^+ c_j>``.
    both : float
        Probability that both sites are full.

    Raises
    ------
    ValueError
        When the probability of none, of one or of both would be negative.
    """
    require_occupations(initial, 2)
    lowest = np.linalg.eigvalsh(initial)[0]
    least = max(0.0, float(np.trace(initial).real) - 1)
    if not least - 1e-12 <= both <= lowest + 1e-12:
        raise ValueError(
            f"double occupancy must lie between {least:g} and {lowest:g} for these correlations, "
            f"got {both:g}"
        )


def _require_finite_bands(system: OpenSystem) -> None:
    if system.loss.any() or system.gain.any():
        raise ValueError(
            "the exact evolution is built for leads alone; with loss and gain use "
            "nessflow.lindblad.propagator, which is exact for wide-band leads"
        )
    for lead in system.leads:
        if not lead.model.is_banded:
            raise ValueError(
                f"lead {lead.name!r} has no band edges, and the exact evolution takes band-limited "
                "leads; use nessflow.lindblad.propagator, which is exact for wide-band leads"
            )


def panels_resolving(
    panels: Panels, time: float, leads: Sequence[AttachedLead], bosonic: bool
) -> Panels:
    """Return panels cut until they resolve a time, and occupations and broadenings of leads.

    On half of each, ``e^{iwt}`` turns by less than `_PHASE` radians where it is fastest: beside a
    band edge w goes with the square of the variable that is integrated.

    Parameters
    ----------
    panels : Panels
        Panels of finite energies.
    time : float
        In hbar/t.
    leads : sequence of AttachedLead
        With their steps at ends of panels.
    bosonic : bool
        Statistics.

    Returns
    -------
    Panels
        As many as it takes.
    """
    for _ in range(_MAX_ROUNDS):
        energies, slope = panels.nodes()
        coarse = slope.max(axis=1) * time > _PHASE
        for lead in leads:
            for weight in (occupation(energies, lead, bosonic), lead.broadening_at(energies)):
                value, error = panel_estimates(weight * slope)
                coarse |= error > _PANEL_ERROR * value.sum()
        if not coarse.any():
            break
        panels = panels.bisected(coarse)
    return panels


def panel_error(values: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return what integrals may be wrong by.

    The estimate of `nessflow.spectrum.quadrature`, without its rounding errors.

    Parameters
    ----------
    values : (m, p, 21) float
        At the nodes of the panels.
    slope : (p, 21) float
        ``dw`` there in units of the rule's weight.

    Returns
    -------
    (m,) float array
        Of each component, over all panels.
    """
    return panel_estimates(values * slope)[1].sum(axis=-1)


def require_times(times: np.ndarray) -> np.ndarray:
    """Return times after checking that they ascend from 0 or more.

    Parameters
    ----------
    times : (t,) array
        In hbar/t.

    Returns
    -------
    (t,) float array
        The same times.

    Raises
    ------
    ValueError
        When they do not.
    """
    times = np.atleast_1d(np.asarray(times, float))
    if not (np.isfinite(times).all() and times[0] >= 0 and np.all(np.diff(times) > 0)):
        raise ValueError("times must be finite, 0 or more and ascending")
    return times


def require_reach(time: float, width: float) -> None:
    """Check that the exact evolution gets to a time.

    Parameters
    ----------
    time : float
        In hbar/t.
    width : float
        Of the bands, in t.

    Raises
    ------
    ValueError
        When it would take very long.
    """
    if time * width > _FARTHEST:
        raise ValueError(
            f"the last time {time:.3g} hbar/t times the width {width:.3g} t of the bands is "
            f"{time * width:.2g}, and beyond {_FARTHEST:g} the exact evolution takes very long: "
            "take an earlier time, a stronger coupling or narrower bands"
        )


@dataclass(eq=False)
class _Grid:
    """Energies with everything that is needed there."""

    energies: np.ndarray  # (E,)
    slope: np.ndarray  # (p, 21), dw / 2 pi without the weight
    spectral: np.ndarray  # (E, N * N), A times weight
    filled: np.ndarray  # (E, l), Gamma f
    full: np.ndarray  # (E * l,), Gamma times weight
    weights: np.ndarray  # (E,)


def _grid(system: OpenSystem, last: float, bosonic: bool) -> _Grid:
    band = outermost_edges(system.leads)
    require_reach(last, band[1] - band[0])
    panels = Spectrum(system, limits=band, everywhere=True).panels
    panels = panels_resolving(panels, last, system.leads, bosonic)
    energies, slope = panels.nodes()
    slope = slope / (2 * np.pi)
    weights = (slope * KRONROD).ravel()
    energies = energies.ravel()
    spectral = np.empty((energies.size, system.sites**2), complex)
    for batch, whole in green(system, energies):
        a = 1j * (whole - whole.conj().swapaxes(1, 2))
        spectral[batch] = weights[batch, None] * a.reshape(len(a), -1)
    broadening = np.array([lead.broadening_at(energies) for lead in system.leads]).T
    filled = np.array([occupation(energies, lead, bosonic) for lead in system.leads]).T
    full = (broadening * weights[:, None]).ravel()
    return _Grid(energies, slope, spectral, broadening * filled, full, weights)


def evolve(system: OpenSystem, times: np.ndarray, bosonic: bool = False) -> Evolution:
    """Return propagator and source of the correlation matrix at ascending times.

    Parameters
    ----------
    system : OpenSystem
        With leads of finite bands; no loss, no gain, no bound state.  States that no terminal
        reaches keep what they held.
    times : (t,) array
        Ascending, from 0 or more, in hbar/t.  Cost grows as the square of the last one times the
        width of the bands.
    bosonic : bool
        Statistics.

    Returns
    -------
    Evolution
        From which `Evolution.correlations` makes the correlation matrix of any initial state.

    Raises
    ------
    ValueError
        When times or system are not of this kind, or the last time takes very long.
    """
    times = require_times(times)
    _require_finite_bands(system)
    require_no_bound_state(system)
    if bosonic:
        bosonic_range(system)
    n, contacts = system.sites, system.coupling
    grid, dark = _grid(system, times[-1], bosonic), dark_states(system)
    accumulator = _Accumulator(grid, contacts, n)
    propagator, source, propagator_rate, source_rate = np.empty((4, times.size, n, n), complex)
    injection = np.empty((times.size, len(system.leads)))
    error, rate_error = np.empty((2, times.size))
    for k, time in enumerate(times):
        accumulator.advance(time)
        phases = np.exp(-1j * grid.energies * time)
        both = np.array([phases, -1j * grid.energies * phases]) @ grid.spectral
        propagator[k], propagator_rate[k] = both.reshape(2, n, n)
        kept = dark.vectors * np.exp(-1j * dark.levels * time)
        propagator[k] += kept @ dark.vectors.conj().T
        propagator_rate[k] += (-1j * kept * dark.levels) @ dark.vectors.conj().T
        source[k], error[k] = _source(grid, accumulator.value, propagator[k])
        source_rate[k], injection[k], rate_error[k] = _source_rate(
            grid, contacts, accumulator.value, phases, propagator[k], propagator_rate[k]
        )
    return Evolution(
        times, propagator, source, error, propagator_rate, source_rate, injection, rate_error
    )


def _apart(system: OpenSystem) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the sites of each vector that leads couple by, and the leads, alike, that do."""
    of_site: dict[int, int] = {}
    for k, pairs in enumerate(system.coupling.couplings):
        here = np.flatnonzero(system.coupling.of_lead == k).tolist()
        sites = [site for site, _ in pairs]
        alike = len({system.leads[a].model for a in here}) == 1
        for site in sites:
            if not alike or of_site.setdefault(site, k) != k:
                raise ValueError(f"leads that differ share the site {site + 1}")
        yield sites, here


class _Accumulator:
    """``K`` up to the time reached so far, (E, N, l)."""

    def __init__(self, grid: _Grid, contacts: Contacts, sites: int):
        self.grid, self.contacts, self.sites = grid, contacts, sites
        self.value = np.zeros((grid.energies.size, sites, contacts.of_lead.size), complex)
        self.width = np.ptp(grid.energies)
        self.time = 0.0
        self._half, self._turns = np.nan, np.empty(0)

    def advance(self, stop: float) -> None:
        """Add ``int dt e^{iwt} U(t)`` up to ``stop``."""
        if stop == self.time:
            return
        start, self.time = self.time, stop
        steps = int(np.ceil((stop - start) * self.width / (2 * _TIME_PHASE)))
        half = 0.5 * (stop - start) / steps
        energies, spectral = self.grid.energies, self.grid.spectral.conj()
        inside = half * (1 + _TIME_NODES)
        if not abs(half - self._half) < 1e-13 * half:  # evenly spaced times share the phases
            self._half, self._turns = half, np.exp(1j * np.outer(energies, inside))
        weights = (half * _TIME_WEIGHTS)[:, None, None]
        for step in range(steps):
            first = np.exp(1j * energies * (start + 2 * half * step))
            # U^* at the nodes of the step.
            within = self._turns.T @ (first[:, None] * spectral)
            within = within.conj().reshape(-1, self.sites, self.sites)
            within = np.moveaxis(self.contacts.collected(np.moveaxis(within, -1, 0)), 0, -1)
            within = within[:, :, self.contacts.of_lead]
            piece = self._turns @ (weights * within).reshape(inside.size, -1)
            self.value += first[:, None, None] * piece.reshape(self.value.shape)


def _source(grid: _Grid, k: np.ndarray, propagator: np.ndarray) -> tuple[np.ndarray, float]:
    """Return ``Z`` and what it may be wrong by."""
    n = len(propagator)
    pairs = (k.conj()[:, :, None, :] * k[:, None, :, :]).reshape(len(k), n * n, -1)
    filled = np.matmul(pairs, grid.filled[..., None])[..., 0].T  # (n * n, E)
    full = grid.full @ pairs.transpose(0, 2, 1).reshape(-1, n * n)
    defect = abs(propagator.conj() @ propagator.T + full.reshape(n, n) - np.eye(n)).max()
    values = filled.reshape(n * n, *grid.slope.shape)
    estimate = np.hypot(panel_error(values.real, grid.slope), panel_error(values.imag, grid.slope))
    return (filled @ grid.weights).reshape(n, n), float(defect + estimate.max())


def _source_rate(
    grid: _Grid,
    contacts: Contacts,
    k: np.ndarray,
    phases: np.ndarray,
    propagator: np.ndarray,
    rate: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return ``dZ/dt``, what each lead sends in, and what both may be wrong by."""
    n, l = len(propagator), contacts.of_lead.size
    sent = contacts.collected(propagator.T)[contacts.of_lead]  # U v of each lead

    def summed(weights: np.ndarray) -> np.ndarray:
        """``dZ/dt`` with the occupations of some weights, (E, l), of the integral."""
        moved = np.einsum("el,e,enl->nl", weights, phases, k)
        half = sent.conj().T @ moved.T
        return half + half.conj().T

    full = summed(grid.full.reshape(-1, l))
    kept = rate.conj() @ propagator.T
    defect = abs(kept + kept.conj().T + full).max()
    value = summed(grid.filled * grid.weights[:, None])
    columns = (grid.filled * phases[:, None])[:, None] * k
    values = np.moveaxis(columns, 0, -1).reshape(n * l, *grid.slope.shape)
    estimate = np.hypot(panel_error(values.real, grid.slope), panel_error(values.imag, grid.slope))
    rows = contacts.rows(n).toarray()[contacts.of_lead]
    own = np.einsum("ln,enl->el", rows, k).real
    into = 2 * np.einsum("el,el->l", grid.filled * grid.weights[:, None], own)
    return value, into, float(defect + 2 * l * estimate.max())
