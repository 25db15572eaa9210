"""Response of an open system at given energies: one interface over several solvers.

With ``G = (w - X - Sigma)^-1`` these are the traces of which every steady-state current of paper
extended-landauer-buttiker is made (eq 8): ``Tr[Gamma_a G Gamma_b G^+] = Gamma_a Gamma_b |G_ab|^2``
between leads a and b, ``Tr[Gamma_a G 2P G^+] = Gamma_a (G 2P G^+)_aa`` from loss to a lead.  The
order matters: without reciprocity (skin effect) ``G^+ 2P G`` is another number.
"""

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from nessflow.solvers import banded as sparse
from nessflow.solvers import dense
from nessflow.solvers.dark_states import unreached_sites
from nessflow.systems.system import OpenSystem

_SMALL = 32
"""Sites up to which dense matrices, many energies at a time, are faster than sparse ones."""


@dataclass(frozen=True, eq=False)
class ContactResponse:
    """Green's function at the contacts and what loss and gain send to them.

    The contacts are the c vectors v of `nessflow.systems.contacts`.

    Attributes
    ----------
    green : (E, c, c) complex
        ``v_a^+ G v_b``, in 1/t.
    loss, gain : (E, c) float
        Diagonals of ``v_a^+ G 2P G^+ v_b`` and the same with ``2Q``, in 1/t.
    """

    green: np.ndarray
    loss: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, eq=False)
class ContactCorrelations:
    """Correlations between the contacts of what loss and gain send to them.

    Attributes
    ----------
    loss, gain : (E, c, c) complex
        ``v_a^+ G 2P G^+ v_b`` and the same with ``2Q``, Hermitian, in 1/t.
    """

    loss: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, eq=False)
class InteriorResponse:
    """What the contacts send to loss and gain, and these to each other.

    Attributes
    ----------
    loss, gain : (E, c) float
        ``v_a^+ G^+ 2P G v_a`` of each contact and the same with ``2Q``, in 1/t.
    loss_gain, gain_loss : (E,) float
        ``Tr[2P G 2Q G^+]`` and ``Tr[2Q G 2P G^+]``.
    """

    loss: np.ndarray
    gain: np.ndarray
    loss_gain: np.ndarray
    gain_loss: np.ndarray


def prefers_dense(system: OpenSystem) -> bool:
    """Return whether dense linear algebra is what a system that is no chain is solved by.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    bool
        Where matrices are dense, or small.
    """
    return system.is_dense or system.sites <= _SMALL


def _solver(system: OpenSystem) -> ModuleType:
    # Determinants of a chain vanish at the level of a state that no terminal reaches.
    ends = system.is_wired_chain and set(system.contacts) <= {0, system.sites - 1}
    if not ends or unreached_sites(system).size:
        return dense if prefers_dense(system) else sparse
    # Imported here: numba takes long to import, and other systems do not need it.
    from nessflow.solvers import chain_ends as tridiagonal

    return tridiagonal


def keeps_digits(system: OpenSystem) -> bool:
    """Return whether Green's function between the contacts has all digits however small it is.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    bool
        Where it is a product along a chain between its ends.
    """
    return _solver(system) not in (dense, sparse)


def contact_response(system: OpenSystem, energies: np.ndarray) -> ContactResponse:
    """Return the response at the contacts.

    Parameters
    ----------
    system : OpenSystem
        A tridiagonal system with leads on its first and last site alone is solved in O(N) for
        each energy, a sparse one of bandwidth b in O(N b^2), a dense one in O(N^3).
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    ContactResponse
        Green's function between the contacts, and what reaches them from loss and gain.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    green, loss, gain = _solver(system).contact_rows(system, energies)
    return ContactResponse(green, loss, gain)


def contact_correlations(
    system: OpenSystem, energies: np.ndarray, contact: ContactResponse
) -> ContactCorrelations:
    """Return what noise needs beside the response at the contacts.

    Parameters
    ----------
    system : OpenSystem
        The system; cost as for `contact_response`.
    energies : (E,) array
        Energies w, in t.
    contact : ContactResponse
        Response at the same energies, which has the diagonals.

    Returns
    -------
    ContactCorrelations
        With the diagonals.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    loss, gain = _solver(system).contact_correlations(system, energies)
    each = range(system.coupling.count)
    loss[:, each, each], gain[:, each, each] = contact.loss, contact.gain
    return ContactCorrelations(loss, gain)


def interior_response(
    system: OpenSystem, energies: np.ndarray, contact: ContactResponse | None = None
) -> InteriorResponse:
    """Return the response of the loss and gain terminals.

    Parameters
    ----------
    system : OpenSystem
        The system; cost as for `contact_response`.
    energies : (E,) array
        Energies w, in t.
    contact : ContactResponse, optional
        Response at the same energies, all that is needed where ``G`` is symmetric and loss or gain
        is absent.

    Returns
    -------
    InteriorResponse
        The traces between loss and gain are 0 unless both are there.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    solver = _solver(system)
    # Columns of G are the rows of the transposed system.
    known = contact is not None and system.T is system
    columns = contact if known else contact_response(system.T, energies)
    if system.loss.any() and system.gain.any():
        loss_gain, gain_loss = solver.interior_traces(system, energies)
    else:
        loss_gain, gain_loss = np.zeros((2, energies.size))
    return InteriorResponse(columns.loss, columns.gain, loss_gain, gain_loss)
