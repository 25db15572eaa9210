"""Exponential-propagator approximation: time-local equations with rates that depend on time.

Paper non-additive-dissipation, section IV.  The propagator of the system is replaced by
``e^{-iXt}``, ``X = h - i Gamma/2``, where ``Gamma = sum_a Gamma_a`` takes the broadenings at the
levels of ``h``: in its eigenbasis

    (Gamma_a)_jk = sqrt(Gamma_a(E_j) Gamma_a(E_k)) <j|a><a|k>,

which for two sites with equal leads is ``diag(2 pi J(E_j))`` of the paper and is exact for
wide-band leads and any number of sites.  With the occupation ``f_a`` of each lead

    gain_a(t) = int dw/2pi f_a(w) Gamma_a(w) K(w, t) |a><a| + h.c.,
    K(w, t) = int_0^t dt' e^{i(w - X)t'},   loss_a = Gamma_a + s gain_a,

(54), (55); the band edges stay in ``Gamma_a(w)``.  ``loss`` is defined by ``Gamma`` and ``gain``,
since the weight of ``f = 1`` misses ``Gamma`` by O(Gamma/Omega).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from nessflow.lindblad.equation import MasterEquation
from nessflow.scattering.correlations import (
    hermitian_components,
    hermitian_matrix,
    hermitian_result,
)
from nessflow.scattering.evolution import panel_error, panels_resolving, require_times
from nessflow.solvers.dark_states import bright_damping_matrix
from nessflow.spectrum.mesh import energy_scale
from nessflow.spectrum.quadrature import KRONROD
from nessflow.spectrum.spectrum import ACCURACY, Spectrum
from nessflow.spectrum.statistics import occupation, require_bosonic_leads
from nessflow.systems.leads.lead import listed_bands
from nessflow.systems.matrices import Tridiagonal, as_dense
from nessflow.systems.system import AttachedLead, OpenSystem, outermost_edges


def level_broadenings(system: OpenSystem, lead: AttachedLead) -> np.ndarray:
    """Return ``Gamma_a(E_j)`` of a lead at the levels of the Hamiltonian.

    Parameters
    ----------
    system, lead : OpenSystem, AttachedLead
        The system and one of its leads.

    Returns
    -------
    (N,) float array
        In t.

    Raises
    ------
    ValueError
        When a level is outside the lead's band.
    """
    levels = np.linalg.eigvalsh(as_dense(system.hamiltonian))
    outside = ~lead.model.has_states(levels)
    if outside.any():
        raise ValueError(
            f"the level {levels[outside][0]:g} is outside the band {listed_bands(lead.model)} of "
            f"lead {lead.name!r}, which cannot damp it; widen the band "
            "(hopping of the lead) or move the level inside"
        )
    return lead.broadening_at(levels)


def damping_matrix(system: OpenSystem, lead: AttachedLead) -> np.ndarray:
    """Return ``Gamma_a`` of a lead, positive and of rank 1.

    Parameters
    ----------
    system, lead : OpenSystem, AttachedLead
        The system and one of its leads.

    Returns
    -------
    (N, N) complex array
        In t/hbar.

    Raises
    ------
    ValueError
        When a level is outside the lead's band.
    """
    _, modes = np.linalg.eigh(as_dense(system.hamiltonian))
    reached = lead.amplitudes @ modes[lead.sites].conj()
    vector = modes @ (np.sqrt(level_broadenings(system, lead)) * reached)
    return np.outer(vector, vector.conj())


def propagator_hamiltonian(system: OpenSystem) -> np.ndarray:
    """Return ``X``: ``e^{-iXt}`` approximates the propagator, (53).

    Parameters
    ----------
    system : OpenSystem
        Leads, loss and gain.

    Returns
    -------
    (N, N) complex array
        In t.

    Raises
    ------
    ValueError
        When a level is outside a lead's band.
    """
    leads = sum((damping_matrix(system, lead) for lead in system.leads), 0.0)
    return system.damping_matrix() - 0.5j * leads


def _alone(system: OpenSystem, lead: AttachedLead) -> OpenSystem:
    """Return a system whose integrals over the energy know of one lead only."""
    empty = Tridiagonal.zero(system.sites)
    return OpenSystem(system.hamiltonian, empty, empty, (lead,))


def asymptotic_gain(
    system: OpenSystem,
    lead: AttachedLead,
    x: np.ndarray,
    bosonic: bool = False,
    rtol: float = ACCURACY,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a lead's gain matrix for ``t -> infinity`` and its error, (55).

    Parameters
    ----------
    system, lead : OpenSystem, AttachedLead
        The system and one of its leads.
    x : (N, N) array
        `propagator_hamiltonian` of the system.
    bosonic : bool
        Statistics.
    rtol : float
        Error over value aimed at, for every element.

    Returns
    -------
    value : (N, N) complex
        In t/hbar.
    error : (N, N) float
        What its elements may be wrong by.
    """

    x, v = bright_damping_matrix(system, x), lead.vector(system.sites)

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inverse = energies[:, None, None] * np.eye(system.sites) - x
        column = np.linalg.solve(inverse, v[:, None])[:, :, 0].T
        weight = lead.broadening_at(energies) * occupation(energies, lead, bosonic)
        half = 1j * column[:, None] * v.conj()[:, None] * weight
        components = hermitian_components(half + half.conj().swapaxes(0, 1))
        return components, abs(components)

    spectrum = Spectrum(
        _alone(system, lead),
        rtol,
        limits=outermost_edges([lead]),
        poles=np.linalg.eigvals(x),
        everywhere=True,
    )
    return hermitian_result(spectrum.integral(integrand), system.sites)


def _equation(
    system: OpenSystem, gains: Sequence[np.ndarray], error: float, bosonic: bool
) -> MasterEquation:
    sign = 1 if bosonic else -1
    names = [terminal.name for terminal in system.terminals]
    gain = np.zeros((len(names), system.sites, system.sites), complex)
    loss = np.zeros_like(gain)
    for k, lead, matrix in zip(system.terminal_of_lead, system.leads, gains, strict=True):
        gain[k] += matrix
        loss[k] += damping_matrix(system, lead) + sign * matrix
    return with_loss_and_gain(system, names, loss, gain, bosonic, error)


def with_loss_and_gain(
    system: OpenSystem,
    names: Sequence[str],
    loss: np.ndarray,
    gain: np.ndarray,
    bosonic: bool,
    error: float,
) -> MasterEquation:
    """Return the equation of some terminals and of the loss and gain that a system has.

    Parameters
    ----------
    system : OpenSystem
        Of which Hamiltonian, loss and gain are taken.
    names : sequence of str
        Of the other terminals.
    loss, gain : (t, N, N) arrays
        Their rate matrices, in t/hbar.
    bosonic : bool
        Statistics.
    error : float
        What elements of the rate matrices may be wrong by.

    Returns
    -------
    MasterEquation
        The terminals ``loss`` and ``gain`` last, where there are any.
    """
    names, zero = list(names), np.zeros((1, system.sites, system.sites))
    for name, matrix in (("loss", system.loss), ("gain", system.gain)):
        if matrix.any():
            names.append(name)
            rate = 2 * as_dense(matrix)[None]
            loss = np.concatenate([loss, rate if name == "loss" else zero])
            gain = np.concatenate([gain, rate if name == "gain" else zero])
    h = as_dense(system.hamiltonian)
    return MasterEquation(tuple(names), h, loss, gain, bosonic, error)


def asymptotic_equation(
    system: OpenSystem, bosonic: bool = False, rtol: float = ACCURACY
) -> MasterEquation:
    """Return the asymptotic master equation (56) with the rates of each lead.

    Not additive in the sense of the paper: a lead's rates need not be positive.

    Parameters
    ----------
    system : OpenSystem
        Leads, loss and gain.
    bosonic : bool
        Statistics.
    rtol : float
        Error over value aimed at, for every element of the gain matrices.

    Returns
    -------
    MasterEquation
        By terminal of the system; ``loss`` and ``gain`` last, where there are any.

    Raises
    ------
    ValueError
        When a level is outside a band, or bosons are above one.
    """
    if bosonic:
        require_bosonic_leads(system.leads)
    x = propagator_hamiltonian(system)
    found = [asymptotic_gain(system, lead, x, bosonic, rtol) for lead in system.leads]
    error = max((float(error.max()) for _, error in found), default=0.0)
    return _equation(system, [value for value, _ in found], error, bosonic)


@dataclass(frozen=True, eq=False)
class ApproximateEvolution:
    """Evolution with the exponential propagator from any correlation matrix.

    Attributes
    ----------
    times : (t,) float
        In hbar/t.
    propagator, source : (t, N, N) complex
        As in `nessflow.scattering.evolution.Evolution`.
    gain_of, loss_of : (t, l, N, N) complex
        Time-dependent rate matrices of each lead, (54), in the basis of the sites; as
        `MasterEquation` has them.
    error : (t,) float
        What elements of ``source`` and of the sums of ``gain_of`` may be wrong by, the
        approximation not included.
    """

    times: np.ndarray
    propagator: np.ndarray
    source: np.ndarray
    gain_of: np.ndarray
    loss_of: np.ndarray
    error: np.ndarray

    @property
    def gain(self) -> np.ndarray:
        """Rate matrices of all leads together, (t, N, N)."""
        return self.gain_of.sum(axis=1)

    @property
    def loss(self) -> np.ndarray:
        """Rate matrices of all leads together, (t, N, N)."""
        return self.loss_of.sum(axis=1)

    def correlations(self, initial: np.ndarray) -> np.ndarray:
        """Return ``C_ij = <c_i^+ c_j>`` from that at time 0.

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


def evolve(system: OpenSystem, times: np.ndarray, bosonic: bool = False) -> ApproximateEvolution:
    """Return correlation matrix and rates at ascending times, (54) and (29), (30) with (53).

    Parameters
    ----------
    system : OpenSystem
        With leads alone.
    times : (t,) array
        Ascending, from 0 or more, in hbar/t.
    bosonic : bool
        Statistics.

    Returns
    -------
    ApproximateEvolution
        From any initial state.

    Raises
    ------
    ValueError
        When times are not ascending, a level is outside a band, bosons are above one, or there is
        loss or gain.
    """
    times = require_times(times)
    if system.loss.any() or system.gain.any():
        raise ValueError("the evolution is built for leads alone, without loss and gain")
    if bosonic:
        require_bosonic_leads(system.leads)
    x, sites = propagator_hamiltonian(system), system.sites
    grids = [_LeadGrid.of(system, lead, x, times[-1], bosonic) for lead in system.leads]
    damping = np.array([damping_matrix(system, lead) for lead in system.leads])
    propagator = expm(-1j * times[:, None, None] * x)
    source = np.zeros((times.size, sites, sites), complex)
    gain = np.zeros((times.size, len(grids), sites, sites), complex)
    error = np.zeros(times.size)
    for k, time in enumerate(times):
        for a, grid in enumerate(grids):
            parts, wrong = grid.at(time, propagator[k])
            source[k] += parts[0].T
            gain[k, a] = parts[1]
            error[k] += wrong
    loss = damping + (1 if bosonic else -1) * gain
    return ApproximateEvolution(times, propagator, source, gain, loss, error)


@dataclass(frozen=True, eq=False)
class _LeadGrid:
    """Energies at which the integrals over one lead are done for all times."""

    vector: np.ndarray  # (N,), amplitudes of the lead
    energies: np.ndarray  # (E,)
    slope: np.ndarray  # (p, 21), dw / 2 pi without the weight
    green: np.ndarray  # (E, N, N)
    filled: np.ndarray  # (E,), Gamma f
    scale: float

    @classmethod
    def of(
        cls, system: OpenSystem, lead: AttachedLead, x: np.ndarray, last: float, bosonic: bool
    ) -> "_LeadGrid":
        alone, x = _alone(system, lead), bright_damping_matrix(system, x)
        poles = np.linalg.eigvals(x)
        limits = outermost_edges([lead])
        panels = Spectrum(alone, limits=limits, poles=poles, everywhere=True).panels
        energies, slope = panels_resolving(panels, last, (lead,), bosonic).nodes()
        shape, energies = slope.shape, energies.ravel()
        green = np.linalg.inv(energies[:, None, None] * np.eye(system.sites) - x)
        filled = lead.broadening_at(energies) * occupation(energies, lead, bosonic)
        slope = slope.reshape(shape) / (2 * np.pi)
        vector = lead.vector(system.sites)
        return cls(vector, energies, slope, green, filled, energy_scale(alone))

    def at(self, time: float, propagator: np.ndarray) -> tuple[np.ndarray, float]:
        """Return transposed source and gain at a time, and what they may be wrong by."""
        turned = np.exp(1j * self.energies * time)[:, None] * (propagator @ self.vector)
        column = 1j * np.einsum("eij,ej->ie", self.green, self.vector - turned)  # K |a>
        source = column[:, None] * column.conj()[None]
        half = column[:, None] * self.vector.conj()[:, None]
        gain = half + half.conj().swapaxes(0, 1)
        parts = [hermitian_components(part) * self.filled for part in (source, gain)]
        values = np.concatenate(parts)
        sums = values @ (self.slope * KRONROD).ravel()
        wrong = panel_error(values.reshape(len(values), *self.slope.shape), self.slope)
        n = len(propagator)
        matrices = np.array([hermitian_matrix(part, n) for part in np.split(sums, 2)])
        rounding = np.finfo(float).eps * (16 + self.scale * time) * abs(sums).max()
        return matrices, float(2 * wrong.max() + rounding)
