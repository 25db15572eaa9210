"""Particle and energy currents of many terminals, O(N) for each energy on a chain.

With occupations ``f_a = f_0 + x_a`` about a common one,

    I_a = int dw/2pi Gamma_a [A x - G X G^+ + f_0 G 2P G^+ - (1 - f_0) G 2Q G^+]_aa,

``A = G (Gamma + 2P + 2Q) G^+`` and ``X`` the sum of all ``Gamma_b x_b``, each on its contact.
Small biases so keep their digits, and no pair of terminals is visited.  Currents count from a
terminal into the system.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from nessflow.solvers.pairwise import (
    Source,
    in_batches,
    lead_broadening,
    lead_sums,
)
from nessflow.solvers.solver import Solver
from nessflow.spectrum.edges.windows import EdgeWindow
from nessflow.spectrum.occupation import fermi, fermi_difference, fermi_holes
from nessflow.spectrum.quadrature import Integral, with_rounding
from nessflow.spectrum.spectrum import Spectrum
from nessflow.systems.system import OpenSystem


def chemical_potentials(system: OpenSystem) -> np.ndarray:
    """Return the chemical potentials of all leads.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (l,) float array
        In t.
    """
    return np.array([lead.chemical_potential for lead in system.leads], float)


def temperatures(system: OpenSystem) -> np.ndarray:
    """Return the temperatures of all leads.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (l,) float array
        In t.
    """
    return np.array([lead.temperature for lead in system.leads], float)


def by_terminal(system: OpenSystem, values: np.ndarray) -> np.ndarray:
    """Return the sums over the leads of each terminal.

    Parameters
    ----------
    system : OpenSystem
        The system.
    values : (l, ...) array
        One number or row for each lead.

    Returns
    -------
    (t, ...) array
        The same object where each lead is a terminal.
    """
    if len(system.terminals) == len(system.leads):
        return values
    result = np.zeros((len(system.terminals), *values.shape[1:]))
    np.add.at(result, system.terminal_of_lead, values)
    return result


def pairs_by_terminal(system: OpenSystem, matrix: np.ndarray) -> np.ndarray:
    """Return the sums over the leads of each pair of terminals.

    Parameters
    ----------
    system : OpenSystem
        The system.
    matrix : (l, l) array
        Between leads.

    Returns
    -------
    (t, t) array
        Between terminals.
    """
    return by_terminal(system, by_terminal(system, matrix).T).T


def terminal_potentials(system: OpenSystem) -> np.ndarray:
    """Return the chemical potentials of all terminals but loss and gain.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (t,) float array
        In t.
    """
    return np.array([terminal.chemical_potential for terminal in system.terminals])


def lead_occupations(system: OpenSystem, energies: np.ndarray, function: Callable) -> np.ndarray:
    """Return a function of energy, chemical potential and temperature for all leads.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.
    function : callable
        As `fermi` or `fermi_holes`.

    Returns
    -------
    (l, E) float array
        Its values.
    """
    mu, temperature = chemical_potentials(system), temperatures(system)
    result = np.empty((mu.size, energies.size))
    for value in np.unique(temperature):
        chosen = temperature == value
        result[chosen] = function(energies, mu[chosen, None], float(value))
    return result


@dataclass(frozen=True, eq=False)
class Occupations:
    """Occupations of all leads, as functions of the energy, about a common one.

    Attributes
    ----------
    common, common_holes : callable
        ``f_0(w)`` and ``1 - f_0(w)``, (E,).
    excess : callable
        ``x_a(w) = f_a - f_0``, (l, E), without cancellation.
    """

    common: Callable[[np.ndarray], np.ndarray]
    common_holes: Callable[[np.ndarray], np.ndarray]
    excess: Callable[[np.ndarray], np.ndarray]


def fermi_occupations(system: OpenSystem) -> Occupations:
    """Return the Fermi functions of the leads about that of their mean chemical potential.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead.

    Returns
    -------
    Occupations
        About the middle of all chemical potentials and the highest temperature.
    """
    mu, temperature = chemical_potentials(system), temperatures(system)
    middle = 0.5 * (mu.min() + mu.max())
    middle, mean = float(middle), float(temperature.max())

    def excess(energies: np.ndarray) -> np.ndarray:
        result = np.empty((mu.size, energies.size))
        common = SimpleNamespace(chemical_potential=middle, temperature=mean)
        for value in np.unique(temperature):
            chosen = temperature == value
            lead = SimpleNamespace(chemical_potential=mu[chosen, None], temperature=float(value))
            result[chosen] = fermi_difference(energies, lead, common)
        return result

    return Occupations(
        lambda energies: fermi(energies, middle, mean),
        lambda energies: fermi_holes(energies, middle, mean),
        excess,
    )


def particles_and_holes(
    system: OpenSystem, occupations: Occupations, energies: np.ndarray
) -> list[Source]:
    """Return the sources of the occupations of the sites and of their complement.

    Parameters
    ----------
    system : OpenSystem
        The system.
    occupations : Occupations
        Of its leads.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    list of Source
        Of particles, then of holes.
    """
    gamma = lead_broadening(system, energies)
    excess = occupations.excess(energies)
    filled = occupations.common(energies) + excess
    empty = occupations.common_holes(energies) - excess
    return [Source(gamma * filled, gain=1.0), Source(gamma * np.maximum(empty, 0.0), loss=1.0)]


def lead_flow(
    system: OpenSystem, occupations: Occupations, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrand of each lead's particle current and its magnitude.

    Parameters
    ----------
    system : OpenSystem
        The system.
    occupations : Occupations
        Of its leads.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    value, size : (l, E) float
        Over ``dw/2pi``, from the lead into the system.
    """
    gamma = lead_broadening(system, energies)
    excess = occupations.excess(energies)
    sources = [
        Source(gamma * excess),
        Source(gamma * abs(excess)),
        Source(gamma, loss=1.0, gain=1.0),
    ]
    lossy, gainy = bool(system.loss.any()), bool(system.gain.any())
    nothing = np.zeros_like(gamma)
    sources += [Source(nothing, loss=1.0)] * lossy + [Source(nothing, gain=1.0)] * gainy
    received, size, spectral, *rest = gamma * lead_sums(system, energies, sources)
    value, size = spectral * excess - received, spectral * abs(excess) + size
    if lossy:
        lost = rest[0] * occupations.common(energies)
        value, size = value + lost, size + lost
    if gainy:
        gained = rest[-1] * occupations.common_holes(energies)
        value, size = value - gained, size + gained
    return value, size


def integrated(
    system: OpenSystem,
    integrand: Callable,
    rtol: float,
    poles: np.ndarray | None = None,
    everywhere: bool = False,
    windows: Sequence[tuple[float, float]] = (),
    edge_windows: Sequence[EdgeWindow] = (),
    measure: Callable[[np.ndarray], np.ndarray] = np.abs,
) -> Integral:
    """Return integrals over ``dw / 2 pi``.

    Parameters
    ----------
    system : OpenSystem
        The system, by whose poles and steps the mesh is graded.
    integrand : callable
        ``integrand(w (n,)) -> (values (m, n), magnitudes (m, n))``.
    rtol : float
        Error over value aimed at, for each component by itself.
    poles : (p,) complex array, optional
        `known_poles` of the system, where they were computed before.
    everywhere : bool
        Whether to integrate also where no current flows, for occupations.
    windows : sequence of tuple of float
        Energies that are left out.
    edge_windows : sequence of EdgeWindow
        Windows about band edges, which are left out as well.
    measure : callable
        As of `nessflow.spectrum.quadrature.integrate_each`.

    Returns
    -------
    Integral
        Of m components.
    """
    exact = Solver(system).keeps_site_digits

    def rounded(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, sizes = integrand(energies)
        return values, sizes if exact else with_rounding(sizes)

    size = 4 * max(system.sites, len(system.leads))
    left_out: dict[str, Any] = {"windows": windows, "edge_windows": edge_windows}
    spectrum = Spectrum(system, rtol, poles=poles, everywhere=everywhere, **left_out)
    return spectrum.integral(in_batches(rounded, size), measure=measure)
