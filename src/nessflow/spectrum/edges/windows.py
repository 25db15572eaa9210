"""Windows about band edges, in which no Green's function has digits: densities follow from outside.

About an edge of order n a density of states goes as ``|w - edge|^(1/n - 1)`` where the system goes
on as its lead does, and its weight within a distance d as ``d^(1/n)``: of an edge of order 12, that
of the edge states of a zigzag ribbon of 12 chains, a tenth is within 1e-12.  Edges that are
computed are rounded, and self-energies beside them by as much, so that there integrals leave a
window out.  What a density has in it follows from outside in ``x = |w - edge|^(1/n)``, of which it
is smooth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nessflow.systems.system import OpenSystem

_REACH, _FLAT = 1e-9, 1e-11
"""Half widths of windows, relative to the norm of the Hamiltonian: where subbands cross at an edge
waves are told apart from the first on, beside a flat edge from the second on."""
_STEP = 4.0
"""Ratio of the distances at which a density is taken."""
_NODES = 4
"""Distances on each side at which it is."""


@dataclass(frozen=True)
class EdgeWindow:
    """Energies about an edge that are left out.

    Attributes
    ----------
    edge : float
        In t.
    order : int
        Of the edge, see `nessflow.systems.leads.subbands`.
    reach : float
        Half width, in t.
    """

    edge: float
    order: int
    reach: float

    @property
    def is_flat(self) -> bool:
        """Whether the edge has much of all states about it: it is of more than order 2."""
        return self.order > 2

    @property
    def ends(self) -> tuple[float, float]:
        """Its ends, in t."""
        return self.edge - self.reach, self.edge + self.reach

    def holds(self, places: np.ndarray) -> np.ndarray:
        """Return which real or complex energies are in it or next to it, (p,) bool."""
        return abs(places - self.edge) < _STEP * self.reach

    def integral(self, integrand: Callable[..., tuple]) -> tuple[np.ndarray, np.ndarray]:
        """Return what densities have in the window, over ``dw / 2 pi``.

        On each side the density over ``dx`` is taken for a polynomial in x.  A state bound to an
        ordinary edge, or nearly so, takes from the band what is within some ``x0``, and outside
        ``(x0/x)^2`` of the density: that is told from the polynomial, and what it may hold is part
        of the error.  At flat edges the weight of all states tells
        (`nessflow.scattering.states.completeness`).

        Parameters
        ----------
        integrand : callable
            ``integrand(w (n,)) -> (values (m, n), magnitudes (m, n))``.

        Returns
        -------
        value, error : (m,) float
            The error is twice what the square of x changes and what such a state may hold, or all
            there is where that is less.
        """
        x = _STEP ** (np.arange(_NODES) / self.order)
        square, line = (_integral_from_0_to_1(x[:count]) for count in (3, 2))
        distances = self.reach * x**self.order
        places = self.edge + np.concatenate([-distances, distances])
        values, _ = integrand(places)
        # Over dx, in units of x at the end of the window.
        slopes = self.order * distances / x / (2 * np.pi)
        sides = values.reshape(-1, 2, _NODES) * slopes
        value, most = sides[..., :3] @ square, abs(sides[..., :3]).sum(axis=2)
        error = 2 * abs(value - sides[..., :2] @ line)
        if not self.is_flat:
            dip = abs(sides @ np.linalg.inv(x[:, None] ** [0, 1, 2, -2])[-1])
            # Twice the integral of x0^2 / (x^2 + x0^2).
            error += np.pi * np.sqrt(dip * abs(sides[..., -1]))
        is_smooth = error < most
        value = np.where(is_smooth, value, 0.5 * sides[..., 0])
        return value.sum(axis=1), np.where(is_smooth, error, most).sum(axis=1)


def _integral_from_0_to_1(nodes: np.ndarray) -> np.ndarray:
    """Return the weights of values at nodes in the integral of their polynomial."""
    powers = np.arange(nodes.size)
    return np.linalg.solve(nodes ** powers[:, None], 1 / (1 + powers))


def band_edges(system: OpenSystem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges of the bands of all leads.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    edges : (e,) float array
        In t, each once.
    orders : (e,) int array
        2, or more where a band is flatter, see `nessflow.systems.leads.subbands`.
    are_computed : (e,) bool array
        Whether they are rounded, see `nessflow.systems.leads.lead.Lead.computes_edges`.
    """
    found: dict[float, tuple[int, bool]] = {}
    for lead, _ in system.entire_leads:
        for edge, order in zip(lead.edges, lead.edge_orders, strict=True):
            other = found.get(edge, (order, False))
            found[edge] = max(order, other[0]), lead.computes_edges or other[1]
    edges = sorted(found)
    orders, computed = np.array([found[x] for x in edges]).reshape(-1, 2).T
    return np.array(edges), orders.astype(int), computed.astype(bool)


def edge_windows(system: OpenSystem, scale: float) -> list[EdgeWindow]:
    """Return the windows about all edges that are computed, where one of them is flat.

    Else panels resolve what is next to edges, states that are bound to one included, and no window
    could: of what is narrower than it nothing is known outside.

    Parameters
    ----------
    system : OpenSystem
        The system.
    scale : float
        Norm of the Hamiltonian and self-energies, in t.

    Returns
    -------
    list of EdgeWindow
        Ascending; of edges so close that their windows touch that of the highest order has one.
    """
    found: list[EdgeWindow] = []
    for edge, order, is_computed in zip(*(x.tolist() for x in band_edges(system)), strict=True):
        window = EdgeWindow(edge, order, (_FLAT if order > 2 else _REACH) * scale)
        if not is_computed:
            continue
        if found and (found[-1].holds(np.array(edge)) or window.holds(np.array(found[-1].edge))):
            window = max(found.pop(), window, key=lambda x: x.order)
        found.append(window)
    return found if any(window.is_flat for window in found) else []
