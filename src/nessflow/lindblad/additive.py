"""Additive Lindblad equations: local and global, with sharp and with broadened rates.

===================  ===============================================================
equation             lead a exchanges particles with
===================  ===============================================================
local                its site, at the rate and occupation of that site's own energy
global               each level j, at ``Gamma_a(E_j) |<j|a>|^2`` and ``f_a(E_j)``
global, broadened    each level j, with ``f_a`` averaged over its line shape, (57), (58)
local, broadened     its site, with the sums of these rates, (70)
===================  ===============================================================

The site of a lead on several sites is the combination ``v`` of them that it couples to.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from nessflow.lindblad.equation import MasterEquation, require_lindblad
from nessflow.lindblad.propagator import (
    level_broadenings,
    propagator_hamiltonian,
    with_loss_and_gain,
)
from nessflow.solvers.dark_states import bright_damping_matrix
from nessflow.spectrum.spectrum import ACCURACY, Spectrum
from nessflow.spectrum.statistics import occupation, require_bosonic_leads
from nessflow.systems.matrices import Tridiagonal, as_dense, expectation
from nessflow.systems.system import AttachedLead, OpenSystem, outermost_edges

_DEGENERATE = 1e-10
"""Level spacing, relative to the norm, below which levels have no modes of their own."""


def _modes(system: OpenSystem) -> tuple[np.ndarray, np.ndarray]:
    """Return levels and modes of the Hamiltonian, which must not be degenerate."""
    levels, modes = np.linalg.eigh(as_dense(system.hamiltonian))
    gaps = np.diff(levels)
    if gaps.size and gaps.min() <= _DEGENERATE * abs(levels).max():
        raise ValueError(
            f"two levels at {levels[np.argmin(gaps)]:g} are degenerate and have no modes of their "
            "own, which global and broadened equations need; use the local one"
        )
    return levels, modes


def _equation(
    system: OpenSystem, loss: np.ndarray, gain: np.ndarray, bosonic: bool, error: float
) -> MasterEquation:
    """Return the Lindblad equation of rate matrices of the leads."""
    names = [terminal.name for terminal in system.terminals]
    shape = (len(names), system.sites, system.sites)
    by_terminal = np.zeros((2, *shape), complex)
    for k, *matrices in zip(system.terminal_of_lead, loss, gain, strict=True):
        by_terminal[:, k] += matrices
    loss, gain = by_terminal
    return require_lindblad(with_loss_and_gain(system, names, loss, gain, bosonic, error))


def _local(
    system: OpenSystem, loss: Sequence[float], gain: Sequence[float], bosonic: bool, error: float
) -> MasterEquation:
    """Return the equation of one loss and one gain rate for each lead, on its site."""
    contacts = system.coupling
    matrices = np.zeros((2, len(system.leads), system.sites, system.sites), contacts.inner.dtype)
    for a, lead in enumerate(system.leads):
        own = np.outer(lead.amplitudes, lead.amplitudes.conj())
        matrices[:, a, lead.sites[:, None], lead.sites] = np.multiply.outer([loss[a], gain[a]], own)
    return _equation(system, matrices[0], matrices[1], bosonic, error)


def local_equation(system: OpenSystem, bosonic: bool = False) -> MasterEquation:
    """Return the local Lindblad equation.

    Parameters
    ----------
    system : OpenSystem
        Leads, loss and gain.
    bosonic : bool
        Statistics.

    Returns
    -------
    MasterEquation
        Completely positive.

    Raises
    ------
    ValueError
        When a site's energy is outside the band of its lead, or bosons are above one.
    """
    if bosonic:
        require_bosonic_leads(system.leads)
    sign = 1 if bosonic else -1
    loss, gain = [], []
    for lead in system.leads:
        v = lead.amplitudes
        energy = expectation(system.hamiltonian, lead.sites, v) / np.sum(abs(v) ** 2)
        nothing = Tridiagonal.zero(1)
        site = OpenSystem(np.array([[energy]]), nothing, nothing, ())
        rate = float(level_broadenings(site, lead)[0])
        filled = float(occupation(np.array([energy]), lead, bosonic)[0])
        loss.append(rate * (1 + sign * filled))
        gain.append(rate * filled)
    error = 4 * np.finfo(float).eps * max(loss + gain, default=0.0)
    return _local(system, loss, gain, bosonic, error)


def _averages(
    system: OpenSystem, lead: AttachedLead, modes: np.ndarray, bosonic: bool, rtol: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``int phi_j f_a`` of each level and its error, (N,); line shapes of (35), (55).

    ``phi_j = <j| g Gamma(w) g^+ |j>/2 pi``, ``g = 1/(w - X)``, ``Gamma(w)`` of all terminals.
    """
    x = bright_damping_matrix(system, propagator_hamiltonian(system))
    markovian = 2 * (as_dense(system.loss) + as_dense(system.gain))

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        green = np.linalg.inv(energies[:, None, None] * np.eye(system.sites) - x)
        rows = modes.conj().T @ green
        shape = np.sum((rows @ markovian) * rows.conj(), axis=-1).real
        for other in system.leads:
            reached = rows[:, :, other.sites] @ other.amplitudes
            shape += abs(reached) ** 2 * other.broadening_at(energies)[:, None]
        values = shape.T * occupation(energies, lead, bosonic)
        return values, values

    # Only the occupation of this lead enters; of the others, their band edges.
    mu, temperature = lead.chemical_potential, lead.temperature
    leads = tuple(
        replace(other, chemical_potential=mu, temperature=temperature) for other in system.leads
    )
    spectrum = Spectrum(
        replace(system, leads=leads),
        rtol,
        limits=outermost_edges(leads),
        poles=np.linalg.eigvals(x),
        everywhere=True,
    )
    found = spectrum.integral(integrand)
    return found.value, found.error


def global_equation(
    system: OpenSystem, bosonic: bool = False, broadened: bool = False, rtol: float = ACCURACY
) -> MasterEquation:
    """Return the global Lindblad equation.

    Parameters
    ----------
    system : OpenSystem
        Without degenerate levels.
    bosonic : bool
        Statistics.
    broadened : bool
        Whether occupations are averaged over the line shapes, (58), or taken at the levels.
    rtol : float
        Error over value aimed at in these averages.

    Returns
    -------
    MasterEquation
        Completely positive.

    Raises
    ------
    ValueError
        When levels are degenerate or outside a band, or bosons are above one.
    """
    rates, error = _rates(system, bosonic, broadened, rtol)
    _, modes = _modes(system)
    loss, gain = ((modes * rate[:, None]) @ modes.conj().T for rate in rates)
    return _equation(system, loss, gain, bosonic, error)


def broadened_local_equation(
    system: OpenSystem, bosonic: bool = False, rtol: float = ACCURACY
) -> MasterEquation:
    """Return the local equation whose rates are the sums of (58) over all levels, (70).

    Parameters
    ----------
    system : OpenSystem
        Without degenerate levels.
    bosonic : bool
        Statistics.
    rtol : float
        Error over value aimed at in the averages over line shapes.

    Returns
    -------
    MasterEquation
        Completely positive.

    Raises
    ------
    ValueError
        When levels are degenerate or outside a band, or bosons are above one.
    """
    (loss, gain), error = _rates(system, bosonic, True, rtol)
    return _local(system, loss.sum(axis=1), gain.sum(axis=1), bosonic, system.sites * error)


@lru_cache(maxsize=2)
def _rates(
    system: OpenSystem, bosonic: bool, broadened: bool, rtol: float
) -> tuple[np.ndarray, float]:
    """Return loss and gain rates of each lead and level, (2, l, N), and their error.

    Computed once for the local and the global equation of a system.
    """
    if bosonic:
        require_bosonic_leads(system.leads)
    levels, modes = _modes(system)
    result, wrong = np.zeros((2, len(system.leads), system.sites)), 0.0
    for a, lead in enumerate(system.leads):
        reached = lead.amplitudes.conj() @ modes[lead.sites]
        rates = level_broadenings(system, lead) * abs(reached) ** 2
        if broadened:
            average, error = _averages(system, lead, modes, bosonic, rtol)
        else:
            average = occupation(levels, lead, bosonic)
            error = 4 * np.finfo(float).eps * (1 + average)
        gain = rates * average
        result[:, a] = rates + (1 if bosonic else -1) * gain, gain
        wrong = max(wrong, float(np.max(rates * error)))
    return result, wrong
