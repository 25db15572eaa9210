"""Transmissions at the edges of bands, where the limits from both sides may differ.

At an edge a channel opens: its broadening rises as the root of the distance.  Where Green's
function stays finite everything that is made of it is continuous there.  Where it diverges as the
inverse root, as in a chain between chains like itself, a transmission jumps (from 0 outside the
band to a number inside) and a density diverges.  Such a number has no value at the edge.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from nessflow.solvers.solver import contact_response
from nessflow.systems.system import OpenSystem

_EPSILON = np.finfo(float).eps

_FAR, _NEAR = 2.0**-10, 2.0**-18
"""Roots of the distances, over the band, between which a divergence shows."""
_FACTOR = 16.0
"""Growth of Green's function between them, 256 where it diverges, beyond which it does."""

_NODES = 0.5 ** np.arange(4)
_FIRST = 2.0**-9 * np.array([1.0, 0.125])
"""Largest roots of the distance of two extrapolations to the edge."""
_AGREEMENT = 1e-4
"""Relative difference of limits from which on they differ."""


def on_band_edge(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return which leads have a band edge at given energies, to rounding.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.

    Returns
    -------
    (l, E) bool array
        By lead.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    result = np.zeros((len(system.leads), energies.size), bool)
    for lead, members in system.entire_leads:
        result[members] = lead.at_edge(energies)
    return result


def _scale(system: OpenSystem) -> float:
    """Return the width of the narrowest band, in t; 1 where none is finite."""
    widths = [high - low for lead, _ in system.entire_leads for low, high in lead.bands]
    return min((width for width in widths if np.isfinite(width)), default=1.0)


def _diverges(system: OpenSystem, energy: float) -> bool:
    """Return whether Green's function between the leads diverges at an energy."""
    far, near = (_scale(system) * x**2 for x in (_FAR, _NEAR))
    at = energy + np.array([-far, far, -near, near])
    size = abs(contact_response(system, at).green).max(axis=(1, 2), initial=0.0)
    return bool(size[2:].max() > _FACTOR * size[:2].max())


def continuous(
    system: OpenSystem,
    energies: np.ndarray,
    function: Callable[[OpenSystem, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return numbers at given energies, NaN where they have no limit there.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.
    function : callable
        Takes a system and energies (e,) and returns real numbers, (..., e).

    Returns
    -------
    (..., E) float array
        Values of the function.  Where it has none (at a band edge with a divergence of Green's
        function, on a bound state), the limit from both sides if there is one.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    special = np.flatnonzero(on_band_edge(system, energies).any(axis=0))
    bad = [k for k in special if _diverges(system, energies[k])]
    regular = np.setdiff1d(np.arange(energies.size), bad)
    found = _where_finite(system, energies[regular], function)
    result = np.full((*found.shape[:-1], energies.size), np.nan)
    result[..., regular] = found
    lost = regular[~np.isfinite(found).all(axis=tuple(range(found.ndim - 1)))]
    for k in (*bad, *lost):
        limit = _limit(system, energies[k], function)
        known = np.isfinite(result[..., k])
        result[..., k] = np.where(known, result[..., k], limit)
    return result


def _where_finite(system: OpenSystem, energies: np.ndarray, function: Callable) -> np.ndarray:
    """Return the function, NaN at energies where matrices are singular."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        try:
            return function(system, energies)
        except np.linalg.LinAlgError:
            pass
        shape = function(system, energies[:0]).shape
        result = np.full((*shape[:-1], energies.size), np.nan)
        for k in range(energies.size):
            try:
                result[..., [k]] = function(system, energies[[k]])
            except np.linalg.LinAlgError:
                continue
    return result


def _limit(system: OpenSystem, energy: float, function: Callable) -> np.ndarray:
    """Return the limit at an energy, NaN where those from both sides differ or diverge."""
    # Powers of the root of the distance, both sides of an edge.
    weights = np.linalg.inv(np.vander(_NODES, increasing=True))[0]
    x = _FIRST[:, None] * _NODES
    distance = _scale(system) * x**2
    below, above = (
        _where_finite(system, (energy + sign * distance).ravel(), function) for sign in (-1, 1)
    )
    with np.errstate(invalid="ignore"):
        sides = [part.reshape(*part.shape[:-1], *x.shape) @ weights for part in (below, above)]
        size = max(np.nanmax(abs(part), initial=0.0) for part in (below, above))
        far, near = (np.array([side[..., k] for side in sides]) for k in (0, 1))
        allowed = _AGREEMENT * np.maximum(abs(near).max(axis=0), _EPSILON * size)
        known = (abs(near - far) <= allowed).all(axis=0) & (abs(near[0] - near[1]) <= allowed)
    return np.where(known, near.mean(axis=0), np.nan)


def listed_energies(energies: np.ndarray) -> str:
    """Return energies as text, the first of them where they are many.

    Parameters
    ----------
    energies : (E,) array
        In t.

    Returns
    -------
    str
        At most three, or two and how many others.
    """
    several = len(energies) > 3
    shown = ", ".join(f"{energy:g}" for energy in energies[: 2 if several else 3])
    return f"{shown} and {len(energies) - 2} others" if several else shown


def why_undefined(system: OpenSystem, energies: ArrayLike) -> str:
    """Return why a number is undefined at given energies, the leads whose bands end there.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies at which it has no limit, in t.

    Returns
    -------
    str
        Empty where there are no energies.
    """
    energies = np.unique(energies)
    if not energies.size:
        return ""
    edges = on_band_edge(system, energies).any(axis=1)
    names = [system.terminals[k].name for k in system.terminal_of_lead[edges]]
    where = ", ".join(f"{energy:g}" for energy in energies)
    bands = f", where the band of {', '.join(dict.fromkeys(names))} ends," if names else ""
    return f"at the energy {where}{bands} the limits from below and above differ or diverge"
