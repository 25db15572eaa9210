"""What rounding makes of Green's function, on flanks of resonances and where waves cancel.

A solution of linear equations is that of a matrix ``M = w - X - Sigma`` with every element off by
some epsilon, so that ``|dG| <= epsilon |G| |M| |G|``, element by element.  Where waves decay this
is some epsilon times ``|G|``; where they cancel it is what was cancelled.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from nessflow.solvers.banded import product
from nessflow.solvers.solver import contact_states
from nessflow.spectrum.mesh import energy_scale
from nessflow.systems.matrices import as_sparse
from nessflow.systems.modes import joined_channels
from nessflow.systems.system import OpenSystem, remembered

_OF_CELLS = 8.0
"""Rounding of a lead's waves, eigenvectors of a general matrix, over that of a level."""
_STEPS = 8
"""Of distances, up to the next power of two."""


def blur(system: OpenSystem, energies: Any) -> np.ndarray:
    """Return what levels, and energies beside them, are rounded by.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : array
        Energies, in t.

    Returns
    -------
    float array
        In t, of the shape of the energies.
    """
    return 2 * np.finfo(float).eps * (energy_scale(system) + abs(energies))


def with_moved_levels(
    system: OpenSystem,
    energies: np.ndarray,
    function: Callable[[OpenSystem, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return a function of the energy, and what it changes by when all levels are rounded.

    Levels are rounded by epsilon times the norm of the Hamiltonian, which changes much on the flank
    of a narrow resonance.  Leads whose waves are eigenvectors are rounded each by itself, which
    changes much next to their edges, where between two that are alike nothing is reflected.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies, in t.
    function : callable
        Takes the system and energies (e,), and returns real numbers, (..., e).

    Returns
    -------
    value, moved : (..., E) float array
        In the unit of the function.
    """
    shift = _in_steps(blur(system, energies))
    first, second = _with_rounded_leads(system)
    if first is system:
        found = function(system, np.concatenate([energies - shift, energies, energies + shift]))
        below, value, above = np.split(found, 3, axis=-1)
    else:
        value = function(system, energies)
        below, above = function(first, energies - shift), function(second, energies + shift)
    return value, np.fmax(abs(above - value), abs(below - value))


def _in_steps(distances: np.ndarray) -> np.ndarray:
    """Return distances, a little larger, of which samples of one system have the same.

    So they have the same rounded leads, of which each is computed once.
    """
    fraction, power = np.frexp(distances)
    return np.ldexp(np.ceil(_STEPS * fraction) / _STEPS, power)


def _with_rounded_leads(system: OpenSystem) -> tuple[OpenSystem, OpenSystem]:
    distance = _OF_CELLS * float(_in_steps(blur(system, np.zeros(1)))[0])
    return system.with_rounded_leads(distance, 0), system.with_rounded_leads(distance, 1)


@remembered
def _constant_sizes(system: OpenSystem) -> scipy.sparse.csr_array:
    parts = (as_sparse(x).matrix for x in (system.hamiltonian, system.loss, system.gain))
    return sum(abs(part) for part in parts).tocsr()


def times_element_sizes(system: OpenSystem, energies: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Return ``|M| |states|``, with ``|M|`` what elements of ``w - X - Sigma`` are sums of.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        In t.
    states : (E, N, s) array
        Columns.

    Returns
    -------
    (E, N, s) float array
        In t times the unit of the states.
    """
    contacts = system.coupling.magnitudes
    onto, constant = contacts.rows(system.sites), _constant_sizes(system)
    sizes = np.zeros((contacts.count, energies.size))
    joined = joined_channels(system.joints)
    for lead, members in system.alike_leads:
        if members[0] not in joined:
            row = abs(lead.self_energy(energies))
            for a in members:
                sizes[contacts.of_lead[a]] += row
    states = abs(states)
    by_leads = product(onto.T.tocsr(), sizes.T[:, :, None] * product(onto, states))
    for joint in system.joints:
        sites = joint.sites
        between = abs(joint.lead.self_energy_matrix(energies, sites.size))
        by_leads[:, sites] += between @ states[:, sites]
    return product(constant, states) + abs(energies)[:, None, None] * states + by_leads


def green_sizes(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return ``|G| |M| |G|`` between the leads.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        In t.

    Returns
    -------
    (E, l, l) float array
        In 1/t; nan where the energy is a pole.
    """
    count = len(system.leads)
    result = np.empty((energies.size, count, count))
    for batch, columns, rows in contact_states(system, energies):
        here = energies[batch]
        # Of modes the waves themselves: a state that hardly overlaps one may be large on its sites.
        columns, rows = system.modes(here).combined(columns, rows)
        moved = times_element_sizes(system, here, columns)
        result[batch] = abs(rows).swapaxes(1, 2) @ moved
    return result
