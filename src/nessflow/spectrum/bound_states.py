"""States that nothing damps: what they hold depends on how the system was prepared.

A *bound* state is outside the bands of all leads that it is coupled to; others would damp it.  A
*dark* state (`nessflow.solvers.dark_states`) is coupled to no terminal, at any energy.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.sparse

from nessflow.solvers.dark_states import (
    constraints,
    dark_states,
    unreached_sites,
    weakest_combinations,
)
from nessflow.spectrum.mesh import energy_scale, resonances
from nessflow.systems.contacts import hermitian_elements
from nessflow.systems.leads.lead import Joined, Orbital, bordered
from nessflow.systems.matrices import Tridiagonal, as_dense, as_sparse
from nessflow.systems.modes import regular_self_energy, regular_slopes
from nessflow.systems.system import AttachedLead, OpenSystem, outermost_edges

_UNDAMPED = 1e-13
"""Damping, relative to the norm of the Hamiltonian, that rounding cannot tell from none."""
_REACHED = 1e-9
"""Coupling to others, and distance of levels, relative to that norm, that are taken for none."""
_ROUNDING = 8 * np.finfo(float).eps
"""Rounding of levels, relative to the norm of the matrix that they come from."""
_AT_EDGE = 2.0**-22
"""Distance of a level from an edge, relative to that norm, that self-energies of cells blur."""
_LARGEST = 400
_MANY = 8
"""Sites and levels up to which bound states are searched: each takes a dozen diagonalisations."""


def levels_outside(system: OpenSystem, edge: float, above: bool) -> np.ndarray:
    """Return eigenvalues of ``h + Re Sigma(edge)`` beyond an edge of all bands, sorted.

    Those of dark states are left out.

    There are as many bound states beyond that edge: outside the bands ``Sigma`` is real and falls
    with the energy, so that each eigenvalue of ``h + Sigma(w)`` meets ``w`` once if at all.

    Parameters
    ----------
    system : OpenSystem
        The system.
    edge : float
        Lower or upper edge of all bands, in t.
    above : bool
        Whether levels above the edge are wanted, or those below.

    Returns
    -------
    (k,) float array
        In t.
    """
    matrix = as_dense(system.hamiltonian).astype(complex)
    dark, inside = dark_states(system), edge - 1.0 if above else edge + 1.0
    matrix -= (dark.vectors * (dark.levels - inside)) @ dark.vectors.conj().T
    matrix[system.coupling.elements] += _shift(system, edge)
    matrix = bordered(matrix, system.lead_orbitals)
    levels = np.linalg.eigvalsh(matrix)
    return levels[levels > edge] if above else levels[levels < edge]


def _shift(system: OpenSystem, energy: float) -> np.ndarray:
    """Return the Hermitian part of the leads' self-energies, without their poles, (p,)."""
    found = regular_self_energy(system, np.array([energy]))[:, 0]
    return hermitian_elements(system.coupling, found)


@dataclass(frozen=True, eq=False)
class BoundStates:
    """States outside the bands of the leads that they are coupled to.

    Attributes
    ----------
    levels : (b,) float
        Their energies, in t.
    vectors : (N, b) complex
        Their part on the sites of the system, in columns; the rest of the norm is in the leads.
    errors : (b,) float
        Relative error of the weights ``|vectors|^2``: near an edge they follow the distance of
        the level from it, which rounding blurs.
    """

    levels: np.ndarray
    vectors: np.ndarray
    errors: np.ndarray


def bound_states(system: OpenSystem) -> BoundStates | None:
    """Return all states that are bound; dark states are not among them.

    Between two edges of bands the self-energy of a lead without states there is real and falls with
    the energy, so that each eigenvalue of ``h + Re Sigma(w) - w`` falls and crosses 0 once if at
    all.  Other leads, loss and gain must not reach the state.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    BoundStates or None
        Weight ``1/(1 - psi^+ Sigma'(E) psi)`` in the system; None where there are very many.
    """
    edges = sorted({edge for lead, _ in system.entire_leads for edge in lead.edges})
    found = []
    for lower, upper in pairwise([-np.inf, *edges, np.inf]):
        inside = _inside(lower, upper)
        closed: list[AttachedLead] = []
        reaching: list[AttachedLead] = []
        for lead in system.leads:
            (reaching if lead.model.has_states(inside) else closed).append(lead)
        if lower < upper and any(lead.model.is_coupled for lead in closed):
            between = _bound_between(system, closed, reaching, lower, upper)
            if between is None:
                return None
            found += between
    levels = np.array([level for level, _, _ in found])
    vectors = np.array([vector for _, vector, _ in found]).reshape(-1, system.sites).T
    return BoundStates(levels, vectors, np.array([error for _, _, error in found]))


def _inside(lower: float, upper: float) -> float:
    """Return an energy between two, either of which may be infinite."""
    if np.isinf(lower) and np.isinf(upper):
        return 0.0
    if np.isinf(lower) or np.isinf(upper):
        return upper - 1.0 if np.isinf(lower) else lower + 1.0
    return 0.5 * (lower + upper)


def _bound_between(
    system: OpenSystem,
    closed: list[AttachedLead],
    reaching: list[AttachedLead],
    lower: float,
    upper: float,
) -> list[tuple[float, np.ndarray, float]] | None:
    """Return energies, vectors and errors of the states bound between two edges, if not many."""
    sites = unreached_sites(_without(system, closed, reaching, _inside(lower, upper)))
    if sites.size == 0:
        return []
    if sites.size > _LARGEST:
        return None
    scale = energy_scale(system)
    dark = dark_states(system).vectors[sites]
    # What is dark is no candidate: it is moved far away.
    fixed = as_dense(system.hamiltonian)[np.ix_(sites, sites)]
    fixed = fixed + 1e3 * scale * (dark @ dark.conj().T)
    shift = _Shift.of(closed, sites)
    real = np.isrealobj(fixed) and shift.is_real
    fixed = bordered(fixed, shift.orbitals)
    fixed = fixed.real if real else fixed.astype(complex)

    def matrix(energy: float) -> np.ndarray:
        result = fixed - energy * np.eye(len(fixed))
        result[: sites.size, : sites.size] += shift.at(energy).real if real else shift.at(energy)
        return result

    def level(energy: float, place: int) -> float:
        return np.linalg.eigvalsh(matrix(energy))[place]

    low, high = max(lower, -2 * scale), min(upper, 2 * scale)
    rounding = _ROUNDING * max(scale, abs(fixed).max())
    # A level at the edge itself is spread over the whole lead.
    blurred = rounding
    if any(isinstance(lead.model, Joined) for lead in closed):
        blurred = _AT_EDGE * scale  # the self-energy of cells knows half of the digits there
    falling = (
        np.linalg.eigvalsh(matrix(low)) > blurred,
        np.linalg.eigvalsh(matrix(high)) < -blurred,
    )
    crossing = np.flatnonzero(falling[0] & falling[1])
    found: list[tuple[float, np.ndarray, float]] = []
    if crossing.size > _MANY:
        return None
    if crossing.size == 0:
        return found
    # Imported here: it takes long to import, and few systems need it.
    from scipy.optimize import brentq

    roots = [
        brentq(level, low, high, (place,), xtol=4 * np.finfo(float).eps * scale)
        for place in crossing
    ]
    for place, energy in zip(crossing, roots, strict=True):
        if any(abs(energy - known) < _REACHED * scale for known, _, _ in found):
            continue  # levels that coincide were taken together
        distance = min(energy - lower, upper - energy)
        error = rounding / max(distance, rounding)
        energy = min(max(energy, lower + rounding), upper - rounding)
        values, vectors = np.linalg.eigh(matrix(energy))
        vectors = vectors[:, abs(values - values[place]) < _REACHED * scale]
        coupling = constraints(_without(system, closed, reaching, energy), sites)
        sizes, vectors = weakest_combinations(coupling @ vectors[: sites.size], vectors)
        vectors = vectors[:, sizes < _REACHED * scale]
        inner = vectors[: sites.size]
        change = inner.conj().T @ shift.slope(energy) @ inner
        weights, turn = np.linalg.eigh(np.eye(vectors.shape[1]) - change)
        for vector in (vectors @ (turn / np.sqrt(weights))).T:
            whole = np.zeros(system.sites, complex)
            whole[sites] = vector[: sites.size]
            found.append((float(energy), whole, error))
    return found


@dataclass(frozen=True, eq=False)
class _Shift:
    """What leads without states there do to some sites, without their poles.

    Attributes
    ----------
    system : OpenSystem
        These leads alone, on all sites that they are coupled to.
    at_sites, own : (k,) int arrays
        Those of the sites that they are coupled to, and their places among its contacts.
    size : int
        Number of sites.
    """

    system: OpenSystem
    at_sites: np.ndarray
    own: np.ndarray
    size: int

    @classmethod
    def of(cls, leads: list[AttachedLead], sites: np.ndarray) -> "_Shift":
        """Return the shift of sites by leads."""
        zero = Tridiagonal.zero(max(lead.coupling[-1][0] for lead in leads) + 1)
        system = OpenSystem(zero, zero, zero, tuple(leads))
        own = np.flatnonzero(np.isin(system.contacts, sites))
        return cls(system, np.searchsorted(sites, system.contacts[own]), own, sites.size)

    @property
    def is_real(self) -> bool:
        """Whether no amplitude and no cell of a lead is complex."""
        return self.system.T is self.system

    @property
    def orbitals(self) -> list[Orbital]:
        """What stands for poles, on the sites."""
        place = dict(zip(self.system.contacts[self.own].tolist(), self.at_sites, strict=True))
        found = []
        for rows, u, pole in self.system.lead_orbitals:
            inside = [k for k, row in enumerate(rows.tolist()) if row in place]
            if inside:
                found.append((np.array([place[rows[k]] for k in inside]), u[inside], pole))
        return found

    def _on_sites(self, elements: np.ndarray) -> np.ndarray:
        contacts, count = self.system.coupling, self.system.contacts.size
        whole = np.zeros((count, count), complex)
        rows, columns = (np.searchsorted(contacts.sites, x) for x in contacts.elements)
        whole[rows, columns] = elements
        result = np.zeros((self.size, self.size), complex)
        result[np.ix_(self.at_sites, self.at_sites)] = whole[np.ix_(self.own, self.own)]
        return result

    def at(self, energy: float) -> np.ndarray:
        """Return the Hermitian part of the self-energy, (N, N)."""
        return self._on_sites(_shift(self.system, energy))

    def slope(self, energy: float) -> np.ndarray:
        """Return its derivative, (N, N)."""
        found = regular_slopes(self.system, energy)
        return self._on_sites(hermitian_elements(self.system.coupling, found))


def _without(
    system: OpenSystem, closed: list[AttachedLead], reaching: list[AttachedLead], energy: float
) -> OpenSystem:
    """Return the system with some leads alone, the others in its Hamiltonian.

    On one site these are a matter of that site; on several they join them as a bond does.
    """
    joining = [x for x in closed if len(x.coupling) > 1 or isinstance(x.model, Joined)]
    if not joining:
        return replace(system, leads=tuple(reaching))
    zero = Tridiagonal.zero(system.sites)
    alone = OpenSystem(zero, zero, zero, tuple(joining))
    found = alone.contact_self_energy(np.array([energy]))[0]
    hamiltonian = as_sparse(system.hamiltonian).matrix
    elements = hermitian_elements(alone.coupling, found), alone.coupling.elements
    joined = scipy.sparse.coo_array(elements, shape=hamiltonian.shape)
    return replace(system, hamiltonian=hamiltonian + joined, leads=tuple(reaching))


_ADVICE = "what it holds depends on the initial state and it carries no steady current; "
_COUPLE = "couple every part of the system to a lead with a band there, or give it loss or gain"


def require_decay(system: OpenSystem) -> None:
    """Check that every state of a system decays.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Raises
    ------
    ValueError
        When a state is coupled to no terminal, or bound.

    Notes
    -----
    For two sites of paper non-additive-dissipation the condition is ``|E_j| < Omega - Gamma/2``;
    its (34) is sufficient only.
    """
    dark = dark_states(system).levels
    if dark.size:
        raise ValueError(
            f"a state near energy {dark[0]:g} is coupled to no terminal: {_ADVICE}{_COUPLE}"
        )
    _require_levels_inside(system)
    bound = bound_states(system)
    if bound is None or bound.levels.size:
        where = "" if bound is None else f" at energy {bound.levels[0]:g}"
        raise ValueError(
            f"bound state{where}, where no lead that it is coupled to has states: "
            f"{_ADVICE}{_COUPLE}"
        )


def require_no_bound_state(system: OpenSystem) -> None:
    """Check that every state of a system but dark ones decays, and not too slowly for quadratures.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Raises
    ------
    ValueError
        When there is a bound state outside the leads' bands, or a state inside that decays too
        slowly for double precision.
    """
    _require_levels_inside(system)
    poles = resonances(system)
    slow = abs(poles.imag) < _UNDAMPED * energy_scale(system)
    if system.leads and slow.any():
        raise ValueError(
            f"a state near energy {poles.real[slow][0]:g} is coupled too weakly for double "
            f"precision to tell from not at all: {_COUPLE}"
        )


def _require_levels_inside(system: OpenSystem) -> None:
    if not system.leads:
        if (as_dense(system.loss) + as_dense(system.gain)).any():
            return
        raise ValueError("the system has no terminal, so that nothing decays")
    if not (system.loss.any() or system.gain.any()):
        lower, upper = outermost_edges(system.leads)
        for edge, above in ((lower, False), (upper, True)):
            if np.isfinite(edge) and levels_outside(system, edge, above).size:
                raise ValueError(
                    f"bound state {'above' if above else 'below'} the leads' bands "
                    f"[{lower:g}, {upper:g}]: {_ADVICE}widen the bands (hopping of the leads), "
                    "weaken the coupling or move the levels inside"
                )
