"""What many terminals do to a system, site by site: occupations, bond currents, heat.

Densities hold the states that the terminals fill.  A state that is bound, outside all bands, or
dark, coupled to no terminal, keeps the occupation that it happened to have; the weight of these
states on each site is given beside.  States that decay too slowly for a quadrature are integrated
by their poles.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.scattering.currents import SteadyCurrents, divergent_rows, terminal_names
from nessflow.scattering.sites.integrals import LocalIntegrals, local_integrals
from nessflow.scattering.terminal_flows import (
    Occupations,
    by_terminal,
    fermi_occupations,
    integrated,
    lead_flow,
    pairs_by_terminal,
    particles_and_holes,
    terminal_potentials,
)
from nessflow.solvers.dark_states import dark_states
from nessflow.solvers.pairwise import bonds, pair_transmission, site_sums
from nessflow.spectrum.occupation import fermi
from nessflow.spectrum.rounding import blur
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.matrices import Matrix, matrix_elements
from nessflow.systems.system import OpenSystem

# --- currents of all terminals --------------------------------------------------------------------


def _trace(
    matrix: Matrix, pairs: np.ndarray, on_diagonal: np.ndarray, beside: np.ndarray
) -> np.ndarray:
    """Return ``Tr[2 A C]`` at each energy from the elements of Hermitian C on sites and bonds."""
    sites = matrix.diagonal().real if isinstance(matrix, np.ndarray) else matrix.diagonal
    links = beside @ matrix_elements(matrix, pairs).conj()
    return 2 * (on_diagonal @ sites) + 4 * links.real


def terminal_currents(
    system: OpenSystem, rtol: float = ACCURACY, occupations: Occupations | None = None
) -> SteadyCurrents:
    """Return the steady currents of any number of terminals, O(N) for each energy on a chain.

    As `nessflow.scattering.currents.steady_currents`, without the parts that only two leads have;
    the currents of loss and gain come from the occupations of the sites, so that all add up to
    zero only if both are right.  The unitarity defect is not computed.

    Parameters
    ----------
    system : OpenSystem
        Any number of leads, loss and gain.
    rtol : float
        Error over value aimed at, for every current by itself.
    occupations : Occupations, optional
        Of the leads; their Fermi functions unless told.

    Returns
    -------
    SteadyCurrents
        What is defined between two leads is undefined here.
    """
    system = system.interpolated
    terminals, occupations = terminal_names(system), occupations or fermi_occupations(system)
    divergent, notes = divergent_rows(system.surroundings, ["terminal"] * len(terminals))
    finite, pairs, count = ~np.array(divergent), bonds(system), len(terminals)

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, size = (by_terminal(system, x) for x in lead_flow(system, occupations, energies))
        environment = np.zeros((2, energies.size))
        if system.loss.any() or system.gain.any():
            environment = _environment(system, occupations, pairs, energies)
        value = np.concatenate([value, environment])
        size = np.concatenate([size, abs(environment)])
        return (
            np.concatenate([value, energies * value[finite]]),
            np.concatenate([size, abs(energies) * size[finite]]),
        )

    found = integrated(system, integrand, rtol)
    energy, energy_error = np.full((2, count), np.nan)
    energy[finite], energy_error[finite] = found.value[count:], found.error[count:]
    # Why heat of two leads is undefined stands with their currents to loss and gain.
    parts = {
        name: undefined(reason, (2,) if name.startswith("reservoir") else ())
        for name, reason in notes.items()
        if name != "energy_current"
    }
    return SteadyCurrents(
        terminals=terminals,
        particle_current=Estimate(found.value[:count], found.error[:count]),
        energy_current=Estimate(energy, energy_error, notes.get("energy_current", "")),
        unitarity_defect=undefined("without a scattering matrix there is no unitarity to check"),
        integrated=found.converged,
        evaluations=found.evaluations,
        **parts,
    )


def _environment(
    system: OpenSystem, occupations: Occupations, pairs: np.ndarray, energies: np.ndarray
) -> np.ndarray:
    """Return the integrands of the currents from loss and from gain, (2, E)."""
    sources = particles_and_holes(system, occupations, energies)
    sums = site_sums(system, energies, sources)
    (filled, empty), (filled_beside, empty_beside) = sums.sites, sums.bonds
    return np.array(
        [
            -_trace(system.loss, pairs, filled, filled_beside),
            _trace(system.gain, pairs, empty, empty_beside),
        ]
    )


# --- sites and bonds ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Profiles:
    """Densities and currents inside a system, with their numerical errors.

    Attributes
    ----------
    occupation : Estimate
        (N,): ``<c_j^+ c_j>`` of the states that the terminals fill.
    bound_weight : Estimate
        (N,): weight of bound and dark states on each site, between 0 and 1, from their vectors;
        the error is by how much occupation, holes and this weight miss 1.
    bond_current : Estimate
        (B,): particle current from the first to the second site of each bond, by hopping, in
        t/hbar.
    bonds : (B, 2) int
        Sites of the bonds, from 0, ascending.
    local_deviation : Estimate
        (t,): occupation of each terminal's site less the one that it would have if all leads had
        that terminal's chemical potential and temperature; (B50) of paper nonreciprocal-gain-loss.
        The mean over the channels of a terminal; of one on several sites, that of their
        combination.
    converged : bool
        Whether all integrals met the tolerance or their rounding errors.
    """

    occupation: Estimate
    bound_weight: Estimate
    bond_current: Estimate
    bonds: np.ndarray
    local_deviation: Estimate
    converged: bool


def divergence(pairs: np.ndarray, currents: np.ndarray, sites: int) -> np.ndarray:
    """Return what leaves each site through its bonds.

    Parameters
    ----------
    pairs : (B, 2) int array
        Sites of the bonds, from 0.
    currents : (B,) array
        From the first site of each bond to the second.
    sites : int
        N.

    Returns
    -------
    (N,) float array
        In the unit of the currents.
    """
    result = np.zeros(sites)
    np.add.at(result, pairs[:, 0], currents)
    np.add.at(result, pairs[:, 1], -currents)
    return result


def profiles(
    system: OpenSystem, rtol: float = ACCURACY, occupations: Occupations | None = None
) -> Profiles:
    """Return occupations, bond currents and departures from local equilibrium.

    Parameters
    ----------
    system : OpenSystem
        Any number of leads, loss and gain.
    rtol : float
        Error over value aimed at, for every number by itself.
    occupations : Occupations, optional
        Of the leads; their Fermi functions unless told.

    Returns
    -------
    Profiles
        With the numerical errors.
    """
    parts = "filled", "empty", "bonds", "deviation"
    found = local_integrals(system, parts, rtol, occupations)
    return Profiles(
        occupation=found.parts["filled"],
        bound_weight=undamped_weight(system, found),
        bond_current=found.parts["bonds"],
        bonds=bonds(system),
        local_deviation=found.parts["deviation"],
        converged=found.converged,
    )


def undamped_weight(system: OpenSystem, found: LocalIntegrals) -> Estimate:
    """Return the weight of bound and dark states on each site.

    Of their vectors; what occupation and holes leave of 1 is the check, or all there is.

    Parameters
    ----------
    system : OpenSystem
        The system.
    found : LocalIntegrals
        With the parts ``filled`` and ``empty``.

    Returns
    -------
    Estimate
        (N,), between 0 and 1.
    """
    filled, empty = found.parts["filled"], found.parts["empty"]
    left = 1 - filled.value - empty.value
    dark = dark_states(system).vectors
    weight = np.sum(abs(dark) ** 2, axis=1)
    # Sites that are taken out hold nothing.
    there = np.ones(system.sites)
    there[list(system.removed)] = 0.0
    left, weight = there * left, there * weight
    if found.bound is not None:
        weights = abs(found.bound.vectors) ** 2
        weight = weight + np.sum(weights, axis=1)
        error = abs(left - weight) + weights @ found.bound.errors + 4 * np.finfo(float).eps
        error += found.unknown
        return Estimate(np.minimum(weight, 1.0), error)
    inside = np.clip(left, weight, there)
    return Estimate(inside, abs(left - inside) + filled.error + empty.error)


def with_undamped(
    system: OpenSystem, found: LocalIntegrals, occupation: Literal["fermi"] | float
) -> Estimate:
    """Return the occupations of the sites with bound and dark states in them.

    Only what each state holds by itself: coherences between states of different energies go on
    oscillating, and their mean over time is zero.

    Parameters
    ----------
    system : OpenSystem
        The system.
    found : LocalIntegrals
        With the parts ``filled`` and ``empty``.
    occupation : "fermi" or float
        What each of these states holds: the Fermi function of the leads at its energy, or a number
        between 0 and 1.

    Returns
    -------
    Estimate
        (N,).  With ``fermi``, undefined on sites with such states where the leads have not one
        chemical potential and temperature, or the states were not found one by one.
    """
    filled, weight = found.parts["filled"], undamped_weight(system, found)
    if occupation != "fermi":
        return Estimate(
            filled.value + occupation * weight.value, filled.error + occupation * weight.error
        )
    states = {(x.chemical_potential, x.temperature) for x in system.terminals}
    reason = ""
    if len(states) != 1:
        reason = "leads that differ have no common Fermi function; give bound states a number"
    elif found.bound is None:
        reason = "bound states are too many to find their energies; give them a number"
    if reason:
        has_none = weight.value <= weight.error
        value, error = (np.where(has_none, x, np.nan) for x in filled[:2])
        return Estimate(value, error + weight.error, "" if has_none.all() else reason)
    value, error = filled.value.copy(), filled.error + weight.error
    states_apart: tuple[Any, Any] = dark_states(system), found.bound
    for each in states_apart:
        near = blur(system, each.levels) * np.array([[-1.0], [0.0], [1.0]])
        below, held, above = fermi(each.levels + near, *next(iter(states)))
        weights = abs(each.vectors) ** 2
        weights[list(system.removed)] = 0.0  # what is not there holds nothing
        value += weights @ held
        error += weights @ (below - above)
    return Estimate(value, error)


# --- heat -----------------------------------------------------------------------------------------


def joule_heat(system: OpenSystem, mean: float) -> np.ndarray:
    """Return ``(1/4 pi) sum_b T_ab (mu_b - mu_a)^2``, the heat that each terminal takes up.

    (B52) of paper nonreciprocal-gain-loss: the leading order at low temperature.

    Parameters
    ----------
    system : OpenSystem
        All terminals at their chemical potentials.
    mean : float
        Energy of the transmissions, in t.

    Returns
    -------
    (t,) float array
        In t^2/hbar.
    """
    pairs = pairs_by_terminal(system, pair_transmission(system, np.array([mean]))[0])
    mu = terminal_potentials(system)
    return (pairs * (mu[:, None] - mu) ** 2).sum(axis=1) / (4 * np.pi)
