"""What many terminals do to a system, site by site: occupations, bond currents, heat.

Densities hold the states that the terminals fill.  A state that is bound, outside all bands, or
dark, coupled to no terminal, keeps the occupation that it happened to have; the weight of these
states on each site is given beside.  States that decay too slowly for a quadrature are integrated
by their poles.
"""

from dataclasses import dataclass

import numpy as np

from nessflow.scattering.bound_states import BoundStates, bound_states
from nessflow.scattering.currents import SteadyCurrents, divergent_rows, terminal_names
from nessflow.scattering.dark_states import dark_states
from nessflow.scattering.matrices import Sparse, Tridiagonal
from nessflow.scattering.mesh import known_poles
from nessflow.scattering.narrow_states import NarrowStates, background, narrow_states
from nessflow.scattering.pairwise import (
    Source,
    bonds,
    keeps_site_digits,
    lead_broadening,
    pair_transmission,
    site_sums,
)
from nessflow.scattering.probes import by_terminal, pairs_by_terminal, terminal_potentials
from nessflow.scattering.system import OpenSystem
from nessflow.scattering.terminal_flows import (
    fermi_occupations,
    integrated,
    lead_flow,
)

# --- currents of all terminals --------------------------------------------------------------------


def _elements(matrix, pairs: np.ndarray) -> np.ndarray:
    """Return the elements of a matrix on bonds, (B,) complex."""
    if isinstance(matrix, Tridiagonal):
        return matrix.upper
    if not len(pairs):
        # Of no elements scipy makes a sparse array, with no numbers in it to read.
        return np.empty(0)
    elements = matrix.matrix if isinstance(matrix, Sparse) else matrix
    return np.asarray(elements[pairs[:, 0], pairs[:, 1]]).ravel()


def _trace(matrix, pairs: np.ndarray, on_diagonal: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """Return ``Tr[2 A C]`` at each energy from the elements of Hermitian C on sites and bonds."""
    sites = matrix.diagonal().real if isinstance(matrix, np.ndarray) else matrix.diagonal
    links = beside @ _elements(matrix, pairs).conj()
    return 2 * (on_diagonal @ sites) + 4 * links.real


def terminal_currents(system: OpenSystem, rtol: float = 1e-10) -> SteadyCurrents:
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

    Returns
    -------
    SteadyCurrents
        None for what is defined between two leads.
    """
    terminals, occupations = terminal_names(system), fermi_occupations(system)
    divergent, notes = divergent_rows(system, ["terminal"] * len(terminals))
    finite, pairs, count = ~np.array(divergent), bonds(system), len(terminals)

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, size = (by_terminal(system, x) for x in lead_flow(system, occupations, energies))
        environment = np.zeros((2, energies.size))
        if system.loss.any() or system.gain.any():
            environment = _environment(system, pairs, energies)
        value = np.concatenate([value, environment])
        size = np.concatenate([size, abs(environment)])
        return (
            np.concatenate([value, energies * value[finite]]),
            np.concatenate([size, abs(energies) * size[finite]]),
        )

    found = integrated(system, integrand, rtol)
    energy, energy_error = np.full((2, count), np.nan)
    energy[finite], energy_error[finite] = found.value[count:], found.error[count:]
    return SteadyCurrents(
        terminals=terminals,
        particle_current=found.value[:count],
        particle_current_error=found.error[:count],
        energy_current=energy,
        energy_current_error=energy_error,
        conservation_defect=float(found.value[:count].sum()),
        conservation_allowance=float(found.error[:count].sum()),
        unitarity_defect=np.nan,
        integrated=found.converged,
        evaluations=found.evaluations,
        notes=notes,
    )


def _environment(system: OpenSystem, pairs: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return the integrands of the currents from loss and from gain, (2, E)."""
    sources = _particles_and_holes(system, energies)
    sums = site_sums(system, energies, sources)
    (filled, empty), (filled_beside, empty_beside) = sums.sites, sums.bonds
    return np.array(
        [
            -_trace(system.loss, pairs, filled, filled_beside),
            _trace(system.gain, pairs, empty, empty_beside),
        ]
    )


def _particles_and_holes(system: OpenSystem, energies: np.ndarray) -> list[Source]:
    """Return the sources of the occupations of the sites and of their complement."""
    gamma = lead_broadening(system, energies)
    occupations = fermi_occupations(system)
    excess = occupations.excess(energies)
    filled = occupations.common(energies) + excess
    empty = occupations.common_holes(energies) - excess
    return [Source(gamma * filled, gain=1.0), Source(gamma * np.maximum(empty, 0.0), loss=1.0)]


# --- sites and bonds ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Profiles:
    """Densities and currents inside a system, with their numerical errors.

    Attributes
    ----------
    occupation, occupation_error : (N,) float
        ``<c_j^+ c_j>`` of the states that the terminals fill.
    bound_weight, bound_weight_error : (N,) float
        Weight of bound and dark states on each site, between 0 and 1, from their vectors.  The
        error is by how much occupation, holes and this weight miss 1.
    bond_current, bond_current_error : (B,) float
        Particle current from the first to the second site of each bond, by hopping, in t/hbar.
    bonds : (B, 2) int
        Sites of the bonds, from 0, ascending.
    local_deviation, local_deviation_error : (t,) float
        Occupation of each terminal's site less the one that it would have if all leads had that
        terminal's chemical potential and temperature; (B50) of paper nonreciprocal-gain-loss.  The
        mean over the channels of a terminal; of one on several sites, that of their combination.
    converged : bool
        Whether all integrals met the tolerance or their rounding errors.
    """

    occupation: np.ndarray
    occupation_error: np.ndarray
    bound_weight: np.ndarray
    bound_weight_error: np.ndarray
    bond_current: np.ndarray
    bond_current_error: np.ndarray
    bonds: np.ndarray
    local_deviation: np.ndarray
    local_deviation_error: np.ndarray
    converged: bool


def profiles(system: OpenSystem, rtol: float = 1e-10) -> Profiles:
    """Return occupations, bond currents and departures from local equilibrium.

    Parameters
    ----------
    system : OpenSystem
        Any number of leads, loss and gain.
    rtol : float
        Error over value aimed at, for every number by itself.

    Returns
    -------
    Profiles
        With the numerical errors.
    """
    pairs, n = bonds(system), system.sites
    hopping = _elements(system.hamiltonian, pairs).conj()
    occupations = fermi_occupations(system)
    norms = np.array([[np.sum(abs(lead.amplitudes) ** 2)] for lead in system.leads])
    norms = norms * by_terminal(system, np.ones((len(norms), 1)))[system.terminal_of_lead]

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma, excess = lead_broadening(system, energies), occupations.excess(energies)
        common, holes = occupations.common(energies), occupations.common_holes(energies)
        filled, empty = _particles_and_holes(system, energies)
        nothing = np.zeros_like(gamma)
        sources = [
            filled,
            empty,
            Source(gamma * excess),
            Source(gamma, 1.0, 1.0),
            Source(nothing, 1.0),
            Source(nothing, 0.0, 1.0),
        ]
        sums = site_sums(system, energies, sources)
        sites, beside, at_leads = sums.sites, sums.bonds, sums.leads / norms
        # All states filled alike carry no current but what loss and gain drive.
        flow = beside[2] - common[:, None] * beside[4] + holes[:, None] * beside[5]
        current = 2 * (hopping * flow).imag.T
        # |C_ij| is at most the geometric mean of C_ii and C_jj.
        root = np.sqrt(sites[3])
        first, second = root[:, pairs[:, 0]], root[:, pairs[:, 1]]
        products = first * second
        if not keeps_site_digits(system):  # waves that cancel leave the rounding of the largest
            products = 0.5 * root.max(axis=1)[:, None] * (first + second)
        size = 2 * abs(hopping)[:, None] * products.T
        size = size * np.maximum(abs(excess).max(axis=0), _driven(system))
        apart = at_leads[2] - at_leads[3] * excess
        apart = apart - common * at_leads[4] + holes * at_leads[5]
        apart_size = at_leads[3] * np.maximum(abs(excess).max(axis=0), _driven(system))
        apart, apart_size = (by_terminal(system, x) for x in (apart, apart_size))
        values = [sites[0].T, sites[1].T, current, apart]
        return np.concatenate(values), np.concatenate([*values[:2], size, apart_size])

    bound = bound_states(system)
    poles = _without(known_poles(system), bound)
    narrow = narrow_states(system, poles)
    windows = [states.window for states in narrow]
    found = integrated(system, integrand, rtol, poles, everywhere=True, windows=windows)
    ends = np.cumsum([n, n, len(pairs)])
    value, error = np.split(found.value, ends), np.split(found.error, ends)
    for states in narrow:
        beside, wrong = background(integrand, states.window)
        for parts, more in ((value, beside), (error, wrong)):
            for part, change in zip(parts, np.split(more, ends), strict=True):
                part += change
        _add(states, pairs, hopping, value, error)
    bound_weight, bound_weight_error = _undamped_weight(system, bound, value, error)
    return Profiles(
        occupation=value[0],
        occupation_error=error[0],
        bound_weight=bound_weight,
        bound_weight_error=bound_weight_error,
        bond_current=value[2],
        bond_current_error=error[2],
        bonds=pairs,
        local_deviation=value[3],
        local_deviation_error=error[3],
        converged=found.converged,
    )


_SAME = 1e-9
"""Distance of a pole from the level of a bound state, relative to it, that is rounding."""


def _add(states: NarrowStates, pairs: np.ndarray, hopping: np.ndarray, value, error) -> None:
    """Add what narrow states hold to occupations, holes and bond currents, and to their errors."""
    sites = np.arange(value[0].size)
    for k, held in enumerate((states.filled, states.empty)):
        more, wrong = held.elements(sites, sites)
        value[k] += more.real
        error[k] += wrong
    beside, wrong = states.filled.elements(*pairs.T)
    value[2] += 2 * (hopping * beside).imag
    error[2] += 2 * abs(hopping) * wrong


def _without(poles: np.ndarray, bound: BoundStates | None) -> np.ndarray:
    """Return the poles but those of bound states, which nothing fills."""
    levels = bound.levels if bound is not None else np.empty(0)
    close = abs(poles[:, None] - levels) < _SAME * (1 + abs(levels))
    return poles[~close.any(axis=1)]


def _undamped_weight(
    system: OpenSystem, bound: BoundStates | None, value, error
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight of bound and dark states on each site, (N,), and its error.

    Of their vectors; what occupation and holes leave of 1 is the check, or all there is.
    """
    left = 1 - value[0] - value[1]
    dark = dark_states(system).vectors
    weight = np.sum(abs(dark) ** 2, axis=1)
    if bound is not None:
        weights = abs(bound.vectors) ** 2
        weight = weight + np.sum(weights, axis=1)
        error = abs(left - weight) + weights @ bound.errors + 4 * np.finfo(float).eps
        return np.minimum(weight, 1.0), error
    inside = np.clip(left, weight, 1.0)
    return inside, abs(left - inside) + error[0] + error[1]


def _driven(system: OpenSystem) -> float:
    return 1.0 if system.loss.any() or system.gain.any() else 0.0


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
