"""Where an integral over the energy needs its first panels: steps, band edges, resonances."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from nessflow.solvers.banded import banded_matrices
from nessflow.solvers.dark_states import (
    bright_damping_matrix,
    dark_states,
    hamiltonian_norm,
    unreached_sites,
)
from nessflow.solvers.dense import solved
from nessflow.spectrum.edges.windows import EdgeWindow, band_edges
from nessflow.spectrum.quadrature import COARSE, NODES, Panels, beside_edges, line_mesh
from nessflow.systems.contacts import Contacts
from nessflow.systems.leads.lead import Lead, bordered
from nessflow.systems.matrices import above_diagonal, diagonal, gershgorin
from nessflow.systems.modes import joined_channels, regular_self_energy
from nessflow.systems.system import OpenSystem, Surroundings, remembered

_REACH = 40.0
"""Temperatures from the chemical potential beyond which a Fermi function has no structure."""
_CLOSEST = 4.0
"""Temperatures between the ends of two Fermi functions that need a break point each."""
UNDERFLOW = 750.0
"""Temperatures beyond which ``exp`` underflows and the Fermi function is exactly 0 or 1."""
_NARROWEST = 1e-14
"""Half width, relative to the norm of the Hamiltonian, below which rounding hides a resonance."""
_CONTACTS = 8
_PRODUCTS = 4e8
"""Contacts c of leads with a band up to which resonances are found to all orders, and the products
``(N c)^2`` of N states up to which more are."""
_NARROW = 1e-8
"""Damping, relative to the norm, up to which no points stand for states."""
_FEW_STATES = 200
"""States up to which cells of leads are computed at the energies of each: tables of one between all
its subband edges take some thousands."""
_STEPS = 40
_CLOSE = 0.01
"""Last step of a resonance, relative to its half width."""
_LARGEST = 3000
"""Sites of a system whose eigenvalues take about a minute."""
_SAMPLED = np.append(np.sin(np.pi * np.arange(-4, 5) / 8), [-0.5772, 0.3679])
"""Nodes of a polynomial on [-1, 1], both ends among them, and where it is checked."""
_TOLERANCE = 0.01
"""Last coefficients of the phase of a determinant, and errors of its polynomial elsewhere, of
panels without a pole nearby; a state that was not seen leaves 0.2 in the last coefficient."""
_PANELS = 16
"""Panels that a level takes, about, where each is a peak."""
_MOST = 4e11
"""Products of numbers for the phases at all panels, beyond which they take too long: some half of
an hour."""
_LONGEST = 20_000
"""Sites of a chain whose resonances, where each is a peak, integrals resolve in some minutes."""


@remembered
def _damping_bounds(system: Surroundings) -> tuple[float, float]:
    """Return bounds of the eigenvalues of ``P + Q``, in t/hbar."""
    low, high = np.transpose([gershgorin(system.loss), gershgorin(system.gain)])
    return max(low[0], 0.0) + max(low[1], 0.0), high.sum()


def _largest_self_energy(lead: Lead) -> float:
    inside = np.array(lead.typical_energies)
    orbitals = sum(np.sqrt(residue) for _, residue in lead.poles)
    return float(abs(lead.regular_self_energy(inside)).max() + orbitals)


def _smallest_damping(system: OpenSystem) -> float:
    """Return a bound of how far every pole is below the real line, roughly within the bands."""
    contacts = dict.fromkeys(system.contacts, 0.0)
    joined = joined_channels(system.joints)
    for a, lead in enumerate(system.leads):
        if len(lead.coupling) > 1 or a in joined:
            continue  # it damps some combinations of its sites
        ((site, amplitude),) = lead.coupling
        centre = np.array([lead.model.reference_energy])
        damping = -float(lead.model.regular_self_energy(centre)[0].imag)
        contacts[site] += abs(amplitude) ** 2 * damping
    everywhere = len(contacts) == system.sites
    lowest, _ = _damping_bounds(system.surroundings)
    sites = lowest + (min(contacts.values()) if everywhere else 0.0)
    return min([sites, *(-pole.imag for pole in _lead_poles(system))])


def _lead_poles(system: OpenSystem) -> list[complex]:
    return [pole for _, _, pole in system.lead_orbitals]


@remembered
def known_poles(system: OpenSystem) -> np.ndarray:
    """Return where poles of the Green's function are, or lie above.

    Every pole is at least the smallest damping below the real line.  Where that is large against
    the level spacing, a row of points at that depth serves as well as the eigenvalues and costs
    nothing.  Occupations of the leads do not matter.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    (p,) complex array
        In t.

    Raises
    ------
    ValueError
        As `resonances`, where that is needed.
    """
    row = _row_above_poles(system)
    poles = resonances(system) if row is None else row
    poles.setflags(write=False)
    return poles


def _row_above_poles(system: OpenSystem) -> np.ndarray | None:
    """Return points at the smallest damping, None where eigenvalues are fewer."""
    low, high, reach = _spectrum(system)
    real = any(lead.model.is_banded for lead in system.leads)
    levels = [pole.real for pole in _lead_poles(system)]
    low, high = min([low, *levels]), max([high, *levels])
    low, high = (low - reach, high + reach) if real else (low, high)
    depth = _smallest_damping(system)
    # Where states are so narrow that integrals leave them out they have to be known.
    if not (depth > _NARROW * energy_scale(system) and high - low <= 4 * system.sites * depth):
        return None
    return np.linspace(low, high, int((high - low) / depth) + 2) - 1j * depth


def resonances(system: OpenSystem) -> np.ndarray:
    """Return the poles of the Green's function; states that no terminal reaches have none.

    Eigenvalues of ``X + Sigma``, with the self-energies of leads that have a band at the real part
    of each pole.  Those of a chain are the zeros of its determinant, see
    `nessflow.solvers.poles`; where these are not sure, and of other systems, the bands are taken
    into account by perturbation theory of Brillouin and Wigner: to all orders on up to 8 contacts
    of such leads, to first order on more.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N^3), for chains O(N^2).

    Returns
    -------
    (N + p,) complex array
        In t; with p poles of the leads' self-energies.

    Raises
    ------
    ValueError
        When there are too many sites.
    """
    is_chain = _is_chain(system)
    if system.sites > _largest(system):
        others = "transmission" if is_chain else "currents, noise, transmission or spectra of sites"
        raise ValueError(
            "these integrals over the energy need the resonances of a weakly damped system, and "
            f"{system.sites} sites are too many (at most {_largest(system)}); "
            f"make the system smaller, give every site loss or gain, or use {others}"
        )
    poles = _chain_poles(system) if is_chain else None
    if poles is not None:
        return poles
    if system.sites > _LARGEST:
        raise ValueError(
            f"the resonances of a chain of {system.sites} sites were not found to within their "
            f"widths; take at most {_LARGEST} sites, or change the system a little"
        )
    matrix = bordered(bright_damping_matrix(system), system.lead_orbitals)
    matrix[system.coupling.elements] += regular_self_energy(system)[:, 0]
    coupling, change = _banded(system)
    if not coupling.count:
        return np.linalg.eigvals(matrix)
    poles, right = np.linalg.eig(matrix)
    left = np.linalg.pinv(right)
    if system.joints:
        sites = system.coupling.sites
        is_small = system.sites <= _FEW_STATES
        change = _change_on_sites(system.computed if is_small else system.interpolated)
        return _shifted(poles, left[:, sites], right[sites].T, change)
    columns = coupling.columns(system.sites)
    inside = left[:, : system.sites] @ columns, right[: system.sites].T @ columns.conj()
    return _shifted(poles, *inside, change)


def _is_chain(system: OpenSystem) -> bool:
    return system.is_wired_chain and not _lead_poles(system)


def _largest(system: OpenSystem) -> int:
    """Return up to how many sites the poles of a system are found."""
    is_easy = _is_chain(system) and unreached_sites(system).size <= _LARGEST
    return _LONGEST if is_easy else _LARGEST


def _change_on_sites(system: OpenSystem) -> Callable:
    """Return by how much energies change the self-energies between contact sites, (E, k, k)."""
    size, reference = system.coupling.sites.size, regular_self_energy(system)
    rows, columns = (np.searchsorted(system.coupling.sites, x) for x in system.coupling.elements)

    def change(energies: np.ndarray) -> np.ndarray:
        result = np.zeros((energies.size, size, size), complex)
        result[:, rows, columns] = (regular_self_energy(system, energies) - reference).T
        return result

    return change


def _banded(system: OpenSystem) -> tuple[Contacts, Callable]:
    """Return the contacts of leads with a band, and by how much energies change them, (E, c)."""
    leads = [lead for lead in system.leads if lead.model.is_banded]
    coupling = Contacts.of([lead.coupling for lead in leads])

    def change(energies: np.ndarray) -> np.ndarray:
        total = np.zeros((energies.size, coupling.count), complex)
        for at, lead in zip(coupling.of_lead, leads, strict=True):
            reference: Any = lead.model.reference_energy
            centre = lead.model.regular_self_energy(reference)
            total[:, at] += lead.model.regular_self_energy(energies) - centre
        return total

    return coupling, change


def _chain_poles(system: OpenSystem) -> np.ndarray | None:
    """Return the poles of a chain, None where they are not sure."""
    damping = above_diagonal(system.loss) + above_diagonal(system.gain)
    hopping = above_diagonal(system.hamiltonian)
    beside = hopping - 1j * damping, (hopping + 1j * damping).conj()
    sites, loss, gain = (diagonal(x) for x in (system.hamiltonian, system.loss, system.gain))
    damped = sites - 1j * (loss + gain)
    damped[system.contacts] += regular_self_energy(system)[:, 0]
    # Imported here: numba takes long to import, and other systems do not need it.
    from nessflow.solvers.poles import steps_to_poles, tridiagonal_poles

    poles = tridiagonal_poles(damped, *beside)
    coupling, change = _banded(system)
    if poles is not None and coupling.count:

        def step(z: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            shifts = change(z[chosen].real).T
            return steps_to_poles(z, chosen, damped, *beside, coupling.sites, shifts)

        rounding = 16 * np.finfo(float).eps * energy_scale(system)
        poles = _fixed_points(poles, lambda z, k: z[k] - step(z, k)[0], rounding)
        corrections = step(poles, np.arange(poles.size))[1]
        if np.any(corrections > np.maximum(_CLOSE * abs(poles.imag), 4 * rounding)):
            return None
    if poles is not None:
        for level in dark_states(system).levels:
            # Where another pole is as close it is the same to the last digit.
            poles[np.argmin(abs(poles - level))] -= 1j * hamiltonian_norm(system)
    return poles


def _shifted(
    poles: np.ndarray, left: np.ndarray, right: np.ndarray, change: Callable
) -> np.ndarray:
    """Return where the poles of a matrix go with a change that depends on the energy.

    ``z = z_k + <k| C (1 - S C)^-1 |k>``, with the change ``C`` at Re z and ``S`` the resolvent at z
    of all poles but ``z_k``, solved from first order by secants.  Cells of leads have many bands:
    with C at a given energy, a function of a complex variable, it is solved by secants as well, and
    the energy that is its own Re z is found around it.

    Parameters
    ----------
    poles : (N,) complex array
        ``z_k``.
    left, right : (N, c) complex array
        Eigenvectors on the contacts that change.
    change : callable
        ``C`` on these contacts at real energies, (N,) -> (N, c) where it is diagonal, or (N, c, c).
    """

    def changed(matrix: np.ndarray, states: np.ndarray) -> np.ndarray:
        return matrix * states if matrix.ndim == 2 else (matrix @ states[..., None])[..., 0]

    first = change(poles.real)
    between_sites = first.ndim == 3
    found = poles + (left * changed(first, right)).sum(axis=1)
    if left.shape[1] > max(_CONTACTS, np.sqrt(_PRODUCTS) / poles.size):
        return found
    products = (right[:, :, None] * left[:, None, :]).reshape(poles.size, -1)

    def better(here: np.ndarray, k: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # poles that coincide, which stay where they are
            reduced = 1 / (here[:, None] - poles)
            reduced[np.arange(k.size), k] = 0.0
            between = (reduced @ products).reshape(-1, *left.shape[1:] * 2)
            fine = np.isfinite(between).all(axis=(1, 2))
            chosen = matrix[fine]
            is_diagonal = matrix.ndim == 2
            onto = between[fine] * chosen[:, None] if is_diagonal else between[fine] @ chosen
            state = solved(np.eye(left.shape[1]) - onto, right[k][fine, :, None])[..., 0]
            shift = (left[k][fine] * changed(chosen, state)).sum(axis=1)
            moved = here.copy()
            moved[fine] = poles[k][fine] + shift
            return np.where(np.isfinite(moved), moved, here)

    rounding = 8 * np.finfo(float).eps * abs(poles).max()

    def at(energies: np.ndarray, k: np.ndarray, near: np.ndarray) -> np.ndarray:
        matrix = change(energies)
        return _fixed_points(near, lambda z, i: better(z[i], k[i], matrix[i]), rounding)

    if not between_sites:
        # Within one band the energy goes with the pole.
        return _fixed_points(found, lambda z, k: better(z[k], k, change(z[k].real)), rounding)
    return _at_own_energies(found, at, rounding)


def _at_own_energies(found: np.ndarray, at: Callable, rounding: float) -> np.ndarray:
    """Return where poles are that follow an energy, where this is their own real part.

    Next to many subband edges the real part runs to and fro with the energy: secants between
    energies below and above their poles get there, and no others.

    Parameters
    ----------
    found : (N,) complex array
        Where the poles are about.
    at : callable
        ``at(energies (n,), k (n,), near (n,))`` returns where the poles k are with self-energies
        at these energies.
    rounding : float
        Of a pole.
    """
    found, energies, k = found.copy(), found.real.copy(), np.arange(found.size)
    low, high = np.full(k.size, -np.inf), np.full(k.size, np.inf)
    last, missed = np.full((2, k.size), np.nan)
    for _ in range(_STEPS):
        here = energies[k]
        found[k] = at(here, k, found[k])
        miss, close = found[k].real - here, np.maximum(_CLOSE * abs(found[k].imag), rounding)
        low[k] = np.where(miss > 0, np.maximum(low[k], here), low[k])
        high[k] = np.where(miss < 0, np.minimum(high[k], here), high[k])
        with np.errstate(all="ignore"):
            secant = here - miss * (here - last[k]) / (miss - missed[k])
            middle = 0.5 * (low[k] + high[k])
        inside = (low[k] < secant) & (secant < high[k])
        step = np.where(np.isfinite(middle), middle, here + miss)
        energies[k], last[k], missed[k] = np.where(inside, secant, step), here, miss
        k = k[(abs(miss) > close) & (high[k] - low[k] > close)]
        if k.size == 0:
            break
    return found


def _fixed_points(found: np.ndarray, better: Callable, rounding: float) -> np.ndarray:
    """Return where poles go that are moved by where they come to, by secants.

    Those that have arrived stay: secants of rounding errors lead anywhere.
    """
    found, at_work = found.copy(), np.arange(found.size)
    last = missed = np.full_like(found, np.nan)
    for _ in range(_STEPS):
        here = found[at_work]
        moved = better(found, at_work)
        miss = moved - here
        with np.errstate(all="ignore"):
            secant = here - miss * (here - last) / (miss - missed)
        found[at_work] = np.where(np.isfinite(secant), secant, moved)
        step = abs(found[at_work] - here)
        moving = step > np.maximum(_CLOSE * abs(found[at_work].imag), rounding)
        at_work, last, missed = at_work[moving], here[moving], miss[moving]
        if at_work.size == 0:
            break
    return found


def _limits(system: OpenSystem, reach: float = UNDERFLOW) -> tuple[float, float]:
    """Return the range of energies in which any current flows.

    Without gain nothing flows above all Fermi steps, without loss nothing below, so many
    temperatures away; the leads' bands end it unless gain feeds loss.
    """
    lower, upper = -np.inf, np.inf
    loss, gain = system.loss.any(), system.gain.any()
    if system.leads and not gain:
        upper = max(x.chemical_potential + reach * x.temperature for x in system.leads)
    if system.leads and not loss:
        lower = min(x.chemical_potential - reach * x.temperature for x in system.leads)
    if system.leads and not (loss and gain):
        upper = min(upper, max(x.model.top for x in system.leads))
        lower = max(lower, min(x.model.bottom for x in system.leads))
    return lower, upper


@dataclass(frozen=True, eq=False)
class EnergyMesh:
    """First panels of the integrals over the energy of one system.

    Attributes
    ----------
    panels : Panels
        Panels on the range where any current flows.
    scale : float
        Norm of the Hamiltonian, in t: what rounding errors of resonances are relative to.
    unresolved : float
        Bound of what transmissions integrate to on resonances too narrow for double precision.
    blurred : float
        The same, and their product with the energy, about warm Fermi steps too steep for it.
    """

    panels: Panels
    scale: float
    unresolved: float
    blurred: float

    @cached_property
    def flattened_panels(self) -> Panels:
        """`Panels.flattened_at_infinity`, for integrals that adapt."""
        return self.panels.flattened_at_infinity()


@remembered
def _spectrum(system: OpenSystem) -> tuple[float, float, float]:
    """Return bounds of the Hamiltonian's spectrum, and by how much the leads may move it."""
    return *gershgorin(system.hamiltonian), _reach(system)


@remembered
def _reach(system: OpenSystem) -> float:
    """Return a bound of the norm of all self-energies."""
    largest, joined = np.zeros(len(system.leads)), joined_channels(system.joints)
    for lead, members in system.alike_leads:
        if members[0] not in joined:
            largest[members] = _largest_self_energy(lead.model)
    elements = system.coupling.summed(largest)
    if system.coupling.are_points:
        return float(elements.max(initial=0.0))
    matrix = np.zeros((system.contacts.size, system.contacts.size), elements.dtype)
    rows, columns = (np.searchsorted(system.contacts, x) for x in system.coupling.elements)
    matrix[rows, columns] = elements
    reach = (joint.lead.reach(joint.sites.size) for joint in system.joints)
    return float(np.linalg.norm(matrix, 2)) + sum(reach)


@remembered
def _structure(system: OpenSystem) -> tuple[float, float]:
    """Return centre and radius of a disc that holds all singularities of the Green's function."""
    low, high, reach = _spectrum(system)
    centre = 0.5 * (low + high)
    radius = 0.5 * (high - low) + reach + _damping_bounds(system.surroundings)[1]
    spans = (lead.span for lead, _ in system.entire_leads)
    radius = max([radius, *(abs(end - centre) for span in spans if span for end in span)])
    # One level that nothing reaches: any width will do.
    return centre, radius or abs(centre) or 1.0


def spectral_range(system: OpenSystem) -> tuple[float, float]:
    """Return between which energies the system has states, shifted by its leads as may be.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    low, high : float
        In t; without the width that leads, loss and gain give.
    """
    low, high, reach = _spectrum(system)
    return low - reach, high + reach


def energy_scale(system: OpenSystem) -> float:
    """Return the norm of the Hamiltonian and self-energies: rounding errors go with it.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    float
        In t.
    """
    centre, radius = _structure(system)
    return radius + abs(centre)


def _steps(system: OpenSystem) -> tuple[np.ndarray, np.ndarray]:
    """Return the break points of the leads' Fermi functions and their poles above the real line."""
    states = {(lead.chemical_potential, lead.temperature) for lead in system.leads}
    ends = sorted((mu + sign * _REACH * t, t) for mu, t in states for sign in (-1, 1))
    kept: list[float] = []
    for point, temperature in ends:
        if not kept or point - kept[-1] > _CLOSEST * temperature:
            kept.append(point)
    poles = sorted((mu, np.pi * t) for mu, t in states if t > 0)
    return np.array(kept), np.array([complex(*pole) for pole in poles])


def energy_mesh(
    system: OpenSystem,
    limits: tuple[float, float] = (-np.inf, np.inf),
    poles: np.ndarray | None = None,
    everywhere: bool = False,
    windows: Sequence[tuple[float, float]] = (),
    rho: float = COARSE,
    edge_windows: Sequence[EdgeWindow] = (),
) -> EnergyMesh:
    """Return the first panels for the integrals over the energy of a system's currents.

    Parameters
    ----------
    system : OpenSystem
        The system.
    limits : tuple of float
        Range beyond which the integrand vanishes, in t; the mesh ends there, or earlier where no
        current flows.
    poles : (p,) complex array, optional
        `known_poles` of the system, where they were computed before.
    everywhere : bool
        Whether the mesh goes on where no current flows, for occupations.
    windows : sequence of tuple of float
        Energies that are left out, with all poles in them.
    rho : float
        Bernstein ellipse about each panel that no pole lies in.
    edge_windows : sequence of EdgeWindow
        Windows about band edges, which are left out as well.

    Returns
    -------
    EnergyMesh
        Without panels where no current flows at any energy.

    Raises
    ------
    ValueError
        When the poles are not given and there are too many sites for them, see `known_poles`.
    """
    centre, radius = _structure(system)
    edges, orders, _ = band_edges(system)
    scale = radius + abs(centre)
    interior = (centre - 2 * radius, centre + 2 * radius)
    blurred = _blurred(system, scale, limits)
    is_large = poles is None and are_poles_too_many(system)
    if not everywhere:
        lower, upper = _limits(system, _REACH if is_large else UNDERFLOW)
        limits = max(lower, limits[0]), min(upper, limits[1])
    resolved, hidden = np.empty(0), 0.0
    if is_large:
        ends = max(interior[0], limits[0]), min(interior[1], limits[1])
        resolved, hidden = _resolved(system, *ends) if ends[0] < ends[1] else (resolved, hidden)
        poles = np.empty(0, complex)
    poles = known_poles(system) if poles is None else poles
    for lower, upper in windows:
        inside = (lower < poles.real) & (poles.real < upper)
        poles = np.append(poles[~inside], 0.5 * (lower + upper) - 0.5j * (upper - lower))
    # An eigenvalue is rounded by a few epsilon times the norm.
    depth = np.maximum(abs(poles.imag), 8 * np.finfo(float).eps * scale)
    within = (limits[0] <= poles.real) & (poles.real <= limits[1])
    hidden += depth[within & (depth < _NARROWEST * scale)].sum()
    poles = poles.real - 1j * np.maximum(depth, _NARROWEST * scale)
    points, steps = _steps(system)
    points = np.concatenate([points, np.ravel(windows), resolved])
    for window in edge_windows:
        points, steps, poles = (x[~window.holds(x)] for x in (points, steps, poles))
        kept = ~window.holds(edges) | (edges == window.edge)
        edges, orders = edges[kept], orders[kept]
    panels = line_mesh(interior, points, edges, poles, limits, rho, steps, orders)
    if windows:
        middle = panels.nodes()[0][:, NODES.size // 2]
        left_out = [(lower < middle) & (middle < upper) for lower, upper in windows]
        panels = panels[~np.any(left_out, axis=0)]
    for window in edge_windows:
        panels = panels.beyond(window.edge, window.reach)
    # A resonance of half width g carries at most int T dw = pi g between two terminals.
    unresolved = np.pi * hidden
    if is_large and not everywhere:  # what is left of Fermi steps, and of their entropy, beyond
        hottest = max((lead.temperature for lead in system.leads), default=0.0)
        unresolved += 2 * len(system.leads) * hottest * _REACH * np.exp(-_REACH)
    return EnergyMesh(panels, scale, unresolved, blurred)


# --- without poles --------------------------------------------------------------------------------


def are_poles_too_many(system: OpenSystem) -> bool:
    """Return whether a mesh goes by the phase of the determinant, where poles take too long."""
    return (
        system.sites > _largest(system)
        and not _is_chain(system)
        and (_row_above_poles(system) is None)
    )


def levels_of_integral(system: OpenSystem) -> tuple[float, float, float] | None:
    """Return how many levels an integral of a large system has to resolve, and where.

    Parameters
    ----------
    system : OpenSystem
        The system; two energies, O(N b^2) each.

    Returns
    -------
    levels, lower, upper : float
        Their number, and the range of energies in t; None where `known_poles` says where they are.
    """
    if not are_poles_too_many(system):
        return None
    centre, radius = _structure(system)
    lower, upper = _limits(system, _REACH)
    lower, upper = max(lower, centre - 2 * radius), min(upper, centre + 2 * radius)
    return max(_levels_between(system, lower, upper), 0.0), lower, upper


def _levels_between(system: OpenSystem, lower: float, upper: float) -> float:
    # Imported here: numba takes long to import, and other systems do not need it.
    from nessflow.solvers.poles import determinant_phases

    below, above = determinant_phases(system, np.array([lower, upper]))
    return float(below - above) / np.pi


def _checks() -> np.ndarray:
    """Return what must be small, of values at `_SAMPLED`, in rows."""
    nodes, beside = _SAMPLED[:-2], _SAMPLED[-2:]
    degree = nodes.size - 1
    chebyshev = np.polynomial.chebyshev.chebvander
    coefficients = np.linalg.inv(chebyshev(nodes, degree))
    rows = np.zeros((5, _SAMPLED.size))
    rows[:3, : nodes.size] = coefficients[-3:]
    rows[3:, : nodes.size] = -chebyshev(beside, degree) @ coefficients
    rows[[3, 4], [-2, -1]] = 1.0
    return rows


@remembered
def _resolved(system: OpenSystem, lower: float, upper: float) -> tuple[np.ndarray, float]:
    """Return points between which no pole is near the real line, and the width of what is left.

    The phase of the determinant falls by pi at each pole, within its width, whatever couples its
    state to whichever terminal.  Panels are cut until a polynomial of degree 8 holds that phase: a
    step between its nodes, however narrow, leaves pi/16 in the last coefficient.  So do several:
    up to 8 steps that are narrow against the distances of the energies, wherever they are, leave
    more than the tolerance in the last three coefficients or at two more energies.  That is no
    proof for steps as wide as these distances beside others: they may cancel, by chance, in one
    panel of some 1e7, and no error tells of a state that is hidden so.
    """
    # Imported here: numba takes long to import, and other systems do not need it.
    from nessflow.solvers.poles import determinant_phases

    scale, (edges, orders, _), checks = energy_scale(system), band_edges(system), _checks()
    inside = edges[(lower < edges) & (edges < upper)]
    panels = beside_edges(np.unique([lower, *inside, upper]), edges, orders)
    levels = _levels_between(system, lower, upper)
    products = system.sites * (banded_matrices(system).width + 1.0) ** 2
    most = _MOST / (_SAMPLED.size * products)
    expected, count = _PANELS * levels, 0
    ends, narrow = [[lower, upper]], 0.0
    while panels.size:
        count += panels.size
        if max(expected, count) > most:
            raise ValueError(
                f"some {levels:.0f} levels of {system.sites} sites between the "
                f"energies {lower:g} and {upper:g} are too many for an integral: take lower "
                "temperatures or biases, give every site loss or gain, or use transmission"
            )
        middle, half = 0.5 * (panels.upper + panels.lower), 0.5 * (panels.upper - panels.lower)
        u = middle[:, None] + half[:, None] * _SAMPLED
        energies = panels.origin[:, None] + panels.width[:, None] * u ** panels.power[:, None]
        phases = determinant_phases(system, energies.ravel()).reshape(u.shape)
        width = np.ptp(energies, axis=1)
        is_smooth = (abs(phases @ checks.T) < _TOLERANCE).all(axis=1)
        is_narrow = width <= 2 * _NARROWEST * scale
        left = is_narrow & ~is_smooth
        several = np.maximum((phases[left, 0] - phases[left, 8]) / np.pi, 1.0)
        narrow += float((width[left] * several).sum())
        ends.append(energies[:, [0, 8]].ravel())
        panels = panels[~is_smooth & ~is_narrow]
        panels = panels.bisected(np.ones(panels.size, bool))
    return np.unique(np.concatenate(ends)), narrow


def _blurred(system: OpenSystem, scale: float, limits: tuple[float, float]) -> float:
    total = 0.0
    for lead in system.leads:
        mu, tail = lead.chemical_potential, UNDERFLOW * lead.temperature
        width = np.finfo(float).eps * (scale + abs(mu))
        # Panels of a range within the tails of a step are as narrow as the step.
        resolved = mu - tail <= limits[0] and limits[1] <= mu + tail
        if 0 < lead.temperature < width and not resolved:
            total += width * max(1.0, abs(mu))
    return total
