"""What many terminals do to a system, site by site: occupations, bond currents, heat.

Densities hold the states that the terminals fill.  A state that is bound, outside all bands, or
dark, coupled to no terminal, keeps the occupation that it happened to have; the weight of these
states on each site is given beside.  States that decay too slowly for a quadrature are integrated
by their poles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.scattering.currents import SteadyCurrents, divergent_rows, terminal_names
from nessflow.scattering.states.completeness import common_share, decaying_states
from nessflow.scattering.terminal_flows import (
    Occupations,
    by_terminal,
    fermi_occupations,
    integrated,
    lead_flow,
    pairs_by_terminal,
    terminal_potentials,
)
from nessflow.solvers.dark_states import dark_states
from nessflow.solvers.pairwise import (
    NO_PAIRS,
    Source,
    bonds,
    lead_broadening,
    pair_transmission,
    site_sums,
)
from nessflow.solvers.solver import Solver, green_on_contacts
from nessflow.spectrum.bound_states import BoundStates, bound_states
from nessflow.spectrum.edges.windows import edge_windows
from nessflow.spectrum.mesh import energy_scale, known_poles
from nessflow.spectrum.narrow_states import NarrowStates, background, narrow_states
from nessflow.spectrum.occupation import fermi
from nessflow.spectrum.rounding import blur
from nessflow.spectrum.spectrum import ACCURACY
from nessflow.systems.contacts import hermitian_elements
from nessflow.systems.matrices import Matrix, Sparse, Tridiagonal, diagonal
from nessflow.systems.system import OpenSystem

# --- currents of all terminals --------------------------------------------------------------------


def matrix_elements(matrix: Matrix, pairs: np.ndarray) -> np.ndarray:
    """Return elements of a matrix of a system.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        The matrix.
    pairs : (B, 2) int array
        Rows and columns; of a tridiagonal matrix all bonds.

    Returns
    -------
    (B,) array
        Elements.
    """
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
    sources = _particles_and_holes(system, occupations, energies)
    sums = site_sums(system, energies, sources)
    (filled, empty), (filled_beside, empty_beside) = sums.sites, sums.bonds
    return np.array(
        [
            -_trace(system.loss, pairs, filled, filled_beside),
            _trace(system.gain, pairs, empty, empty_beside),
        ]
    )


def _particles_and_holes(
    system: OpenSystem, occupations: Occupations, energies: np.ndarray
) -> list[Source]:
    """Return the sources of the occupations of the sites and of their complement."""
    gamma = lead_broadening(system, energies)
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


_SOURCES = {
    "filled": ("filled",),
    "empty": ("empty",),
    "bonds": ("excess", "all", "loss", "gain"),
    "inflow": ("filled", "empty"),
    "deviation": ("excess", "all", "loss", "gain"),
    "coherences": ("filled",),
}
"""What each part takes of ``G W G^+``, by the name of W."""
_DENSITIES = "filled", "empty", "coherences"
"""Parts that follow the density of states; currents are finite where it is not."""
_KNOWN, _FAR_OFF = 1e-6, 100.0
"""Error of the integral of a density, which is at most 1, or multiple of the accuracy that is asked
for, beyond which it is not known: rounding that takes so much is of what panels do not resolve."""
_WHOLE = "whole"
"""The part that is the weight of all states."""


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
        `Profiles`; ``coherences``: real, then imaginary parts of ``<c_j^+ c_i>`` of pairs i, j.
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
    system, pairs = system.interpolated, bonds(system)
    hopping = matrix_elements(system.hamiltonian, pairs).conj()
    are_fermi, occupations = occupations is None, occupations or fermi_occupations(system)
    norms = np.array([[np.sum(abs(lead.amplitudes) ** 2)] for lead in system.leads])
    norms = norms * by_terminal(system, np.ones((len(norms), 1)))[system.terminal_of_lead]
    keeps_digits = Solver(system).keeps_site_digits
    reverses = _is_time_reversal_symmetric(system, pairs)
    sources_of = _SOURCES if reverses else _SOURCES | {"bonds": ("filled",)}
    bound = bound_states(system)
    densities = _DENSITIES if reverses else (*_DENSITIES, "bonds")
    # What a window hides is found by the weight of all states, for which those bound are needed.
    wants_windows = bound is not None and not {*parts}.isdisjoint(densities)
    edges = edge_windows(system, energy_scale(system)) if wants_windows else []
    flat = [window for window in edges if window.is_flat]
    share = common_share(flat, lambda w: occupations.common(w) + occupations.excess(w))
    if flat:
        beyond = dict.fromkeys((*densities, _WHOLE), ("beyond", "all"))
        sources_of, parts = sources_of | beyond, (*parts, _WHOLE)
    names = dict.fromkeys(name for part in parts for name in sources_of[part])

    def products(diagonal: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        # |C_ij| is at most the geometric mean of C_ii and C_jj.
        root = np.sqrt(np.maximum(diagonal, 0.0))  # rounding of what cancels
        first, second = root[:, pairs[:, 0]], root[:, pairs[:, 1]]
        largest = root.max(axis=1, initial=0.0)[:, None]
        return (first * second if keeps_digits else 0.5 * largest * (first + second)).T

    across = 2 * abs(hopping)[:, None]

    def integrand(energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma, excess = lead_broadening(system, energies), occupations.excess(energies)
        common, holes = occupations.common(energies), occupations.common_holes(energies)
        filled, empty = _particles_and_holes(system, occupations, energies)
        nothing = np.zeros_like(gamma)
        sources = {
            "filled": filled,
            "empty": empty,
            "excess": Source(gamma * excess),
            "all": Source(gamma, 1.0, 1.0),
            "beyond": Source(filled.leads - share * gamma, -share, 1.0 - share),
            "loss": Source(nothing, 1.0),
            "gain": Source(nothing, 0.0, 1.0),
        }
        found = site_sums(system, energies, [sources[name] for name in names], between)
        sites, beside, at_leads, links, others = (dict(zip(names, x, strict=True)) for x in found)
        driven = np.maximum(abs(excess).max(axis=0), _driven(system))
        held, largest = sites["filled"] if "filled" in names else None, 1.0
        if flat:
            held, largest = sites["all"], abs(common + excess - share).max(axis=0)
            largest = np.maximum(largest, _driven(system) * max(share, 1.0 - share))
        density = "beyond" if flat else "filled"
        values, sizes = [], []
        for part in parts:
            if part == _WHOLE:
                value = size = held.T
            elif flat and part in ("filled", "empty"):
                value, size = sites["beyond"].T, held.T * largest
                value = value if part == "filled" else -value
            elif part in ("filled", "empty"):
                value = size = sites[part].T
            elif part == "bonds" and not reverses:
                value = 2 * (hopping * beside[density]).imag.T
                size = across * products(held, pairs) * largest
            elif part == "bonds":
                # All states filled alike carry no current but what loss and gain drive.
                flow = beside["excess"] - common[:, None] * beside["loss"]
                flow = flow + holes[:, None] * beside["gain"]
                value = 2 * (hopping * flow).imag.T
                size = across * products(sites["all"], pairs) * driven
            elif part == "coherences":
                value = np.concatenate([others[density].real.T, others[density].imag.T])
                size = np.tile(products(held, between) * largest, (2, 1))
            elif part == "inflow":
                both = common + excess, np.maximum(holes - excess, 0.0)
                value, size = _inflow(system, energies, pairs, gamma, both, sites, beside, links)
            else:
                own = {name: x / norms for name, x in at_leads.items()}
                value = own["excess"] - own["all"] * excess
                value = value - common * own["loss"] + holes * own["gain"]
                value, size = (by_terminal(system, x) for x in (value, own["all"] * driven))
            values.append(value)
            sizes.append(size)
        return np.concatenate(values), np.concatenate(sizes)

    poles = _without(known_poles(system), bound)
    for window in edges:
        poles = poles[~window.holds(poles)]
    narrow = narrow_states(system, poles)
    windows = [states.window for states in narrow]
    n, count = system.sites, len(system.terminals)
    lengths = {"bonds": len(pairs), "deviation": count, "coherences": 2 * len(between)}
    part_of = np.repeat(parts, [lengths.get(part, n) for part in parts])

    def measure(integrals: np.ndarray) -> np.ndarray:
        # The weight of all states is a check: no panel is cut for it.
        return np.where(part_of == _WHOLE, np.inf, abs(integrals))

    found = integrated(system, integrand, rtol, poles, True, windows, edges, measure)
    values, errors = found.value, found.error
    is_density = np.isin(part_of, (*densities, _WHOLE))
    for window in edges:
        inside = window.integral(integrand)
        if window.is_flat and not is_density.all():  # currents stay finite where densities do not
            inside = np.where(is_density, inside, background(integrand, window.ends))
        values, errors = values + inside[0], errors + inside[1]
    wrong = errors[np.isin(part_of, _DENSITIES)].max(initial=0.0)
    for states in narrow:
        beside, wrong_beside = background(integrand, states.window)
        values, errors = values + beside, errors + wrong_beside
    value, error = ({part: x[part_of == part] for part in parts} for x in (values, errors))
    for states in narrow:
        _add(system, states.less(share) if flat else states, pairs, hopping, between, value, error)
        if flat:
            more, wrong_more = states.weight.elements(np.arange(n), np.arange(n))
            value[_WHOLE] += more.real
            error[_WHOLE] += wrong_more
    unknown = np.zeros(n)
    if flat:
        unknown = _add_share(system, bound, share, pairs, hopping, between, value, error)
    integrals = {part: Estimate(value[part], error[part]) for part in value if part != _WHOLE}
    is_known = wrong <= max(_KNOWN, _FAR_OFF * rtol)
    converged = found.converged and is_known and (are_fermi or not narrow)
    return LocalIntegrals(integrals, bound, converged, unknown)


def _add_share(
    system: OpenSystem,
    bound: BoundStates,
    share: float,
    pairs: np.ndarray,
    hopping: np.ndarray,
    between: np.ndarray,
    value: dict[str, np.ndarray],
    error: dict[str, np.ndarray],
) -> np.ndarray:
    """Add what a share of all states that decay holds; return the weight that is missing, (N,)."""
    sites = np.arange(system.sites)
    weight, wrong = decaying_states(system, bound, sites, sites)
    missing = abs(weight.real - value[_WHOLE])
    unknown = np.maximum(missing - error[_WHOLE] - wrong, 0.0)
    for part, filled in (("filled", share), ("empty", 1.0 - share)):
        if part in value:
            value[part] = value[part] + filled * weight.real
            error[part] = error[part] + filled * wrong + unknown
    if "bonds" in value:
        beside, wrong = decaying_states(system, bound, *pairs.T)
        value["bonds"] = value["bonds"] + 2 * share * (hopping * beside).imag
        error["bonds"] = error["bonds"] + 2 * share * abs(hopping) * wrong
    if "coherences" in value:
        beside, wrong = decaying_states(system, bound, *between.T)
        both = np.concatenate([beside.real, beside.imag])
        value["coherences"] = value["coherences"] + share * both
        error["coherences"] = error["coherences"] + share * np.tile(wrong, 2)
    return unknown


def _is_time_reversal_symmetric(system: OpenSystem, pairs: np.ndarray) -> bool:
    """Return whether all is real: then states that are all filled carry no current.

    A flux through a ring drives persistent currents, and channels on bonds with a phase, or leads
    on several sites, currents that feed themselves, in every state.
    """
    matrices = (system.hamiltonian, system.loss, system.gain)
    couplings = [matrix_elements(matrix, pairs) for matrix in matrices]
    couplings += [lead.amplitudes for lead in system.leads]
    leads = [joint.lead for joint in system.joints]
    real = all(lead.conjugate is lead for lead in leads)
    return real and not any(np.imag(x).any() for x in couplings)


def _inflow(
    system: OpenSystem,
    energies: np.ndarray,
    pairs: np.ndarray,
    gamma: np.ndarray,
    occupations: tuple,
    sites: dict,
    beside: dict,
    links: dict,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrand of what leads, loss and gain send to each site, (N, E), and its size.

    ``sum_a Gamma_a [f_a p - (1 - f_a) n]_jj - 2 Re(P n)_jj + 2 Re(Q p)_jj`` with particles
    ``n = G (sum_a f_a Gamma_a + 2Q) G^+`` and holes ``p``: eq (5) of paper
    extended-landauer-buttiker, element by element.  Sites that share a lead exchange particles
    through it besides, see `_exchange`.
    """
    value, size = np.zeros((2, *sites["filled"].T.shape))

    def add(sign, own_sites, own, linked, shared) -> None:
        for total, numbers, others in (
            (value, sign * own, sign * shared),
            (size, own, abs(shared)),
        ):
            total[own_sites] += numbers
            for ends in linked.T:
                np.add.at(total, ends, others)

    contacts, modes = system.coupling, system.modes(energies)
    for name, occupation, sign in zip(("empty", "filled"), occupations, (1, -1), strict=True):
        weights = modes.summed(gamma * occupation)
        own, above, _ = np.split(weights, np.cumsum([contacts.sites.size, len(contacts.links)]))
        own = own.real * sites[name].T[contacts.sites]
        add(sign, contacts.sites, own, contacts.links, (above.conj() * links[name].T).real)
    if len(contacts.links):
        exchanged, most = _exchange(system, energies, gamma * occupations[0], links["filled"].T)
        for ends, sign in zip(contacts.links.T, (1, -1), strict=True):
            np.add.at(value, ends, sign * exchanged)
            np.add.at(size, ends, most)
    for matrix, name, sign in ((system.gain, "empty", 1), (system.loss, "filled", -1)):
        if matrix.any():
            own = 2 * diagonal(matrix)[:, None] * sites[name].T
            shared = 2 * (matrix_elements(matrix, pairs).conj() * beside[name]).real.T
            add(sign, slice(None), own, pairs, shared)
    return value, size


def _exchange(
    system: OpenSystem, energies: np.ndarray, filling: np.ndarray, beside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what comes through leads to the first site of each link from the second, (u, E).

    ``(W G^+ - G W - Sigma n + n Sigma^+)_jj`` of Dyson's equation, with the filling
    ``W = sum_a Gamma_a f_a v_a v_a^+``, has beside `_inflow` the Hermitian parts
    ``H = (G + G^+)/2`` and ``R`` of Green's function and self-energy: ``2 Im(R n - H W)_jj``, which
    vanishes when summed over the sites of a lead.  Also returns what it is a sum of.
    """
    contacts = system.coupling
    count = len(contacts.links)
    first = slice(contacts.sites.size, contacts.sites.size + count)
    i, j = np.searchsorted(contacts.sites, contacts.links.T)
    green = green_on_contacts(system, energies)
    hermitian = 0.5 * (green[:, i, j] + green[:, j, i].conj()).T
    modes = system.modes(energies)
    shifts = hermitian_elements(contacts, modes.self_energy)[first]
    filled = modes.summed(filling)[first]
    parts = 2 * shifts * beside.conj(), 2 * hermitian * filled.conj()
    return (parts[0] - parts[1]).imag, abs(parts[0]) + abs(parts[1])


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


_SAME = 1e-9
"""Distance of a pole from the level of a bound state, relative to it, that is rounding."""


def _add(system, states: NarrowStates, pairs, hopping, between, value, error) -> None:
    """Add what narrow states hold to occupations, holes and currents, and to their errors."""
    sites, first, second = np.arange(system.sites), *pairs.T
    for part, held in (("filled", states.filled), ("empty", states.empty)):
        if part in value:
            more, wrong = held.elements(sites, sites)
            value[part] += more.real
            error[part] += wrong
    if "bonds" in value:
        beside, wrong = states.filled.elements(first, second)
        value["bonds"] += 2 * (hopping * beside).imag
        error["bonds"] += 2 * abs(hopping) * wrong
    if "coherences" in value:
        beside, wrong = states.filled.elements(*between.T)
        value["coherences"] += np.concatenate([beside.real, beside.imag])
        error["coherences"] += np.concatenate([wrong, wrong])
    if "inflow" in value:
        # No more than all that these states, filled or empty, exchange with the terminals.
        weight = sum(
            abs(more) + wrong
            for more, wrong in (x.elements(sites, sites) for x in (states.filled, states.empty))
        )
        contacts, middle = system.coupling, np.array([np.mean(states.window)])
        gamma = lead_broadening(system, middle)
        largest = contacts.magnitudes.summed(
            gamma + 2 * abs(np.array(system.self_energies(middle)))
        )
        for joint in system.joints:
            between = 4 * abs(joint.lead.self_energy_matrix(middle, joint.sites.size))
            np.add.at(largest, joint.elements, np.moveaxis(between, 0, -1))
        ends = np.cumsum([contacts.sites.size, len(contacts.links)])
        own, above, _ = np.split(largest[:, 0], ends)
        exchanges = [(contacts.sites, own, contacts.links, above)]
        for matrix in (system.loss, system.gain):
            if matrix.any():
                rates = 2 * diagonal(matrix), pairs, 2 * abs(matrix_elements(matrix, pairs))
                exchanges.append((sites, *rates))
        for at, own, linked, shared in exchanges:
            error["inflow"][at] += own * weight[at]
            for ends in linked.T:
                np.add.at(error["inflow"], ends, shared * np.sqrt(weight[linked].prod(axis=1)))


def _without(poles: np.ndarray, bound: BoundStates | None) -> np.ndarray:
    """Return the poles but those of bound states, which nothing fills."""
    levels = bound.levels if bound is not None else np.empty(0)
    close = abs(poles[:, None] - levels) < _SAME * (1 + abs(levels))
    return poles[~close.any(axis=1)]


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
    for each in (dark_states(system), found.bound):
        near = blur(system, each.levels) * np.array([[-1.0], [0.0], [1.0]])
        below, held, above = fermi(each.levels + near, *next(iter(states)))
        weights = abs(each.vectors) ** 2
        weights[list(system.removed)] = 0.0  # what is not there holds nothing
        value += weights @ held
        error += weights @ (below - above)
    return Estimate(value, error)


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
