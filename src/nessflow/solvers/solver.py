"""Response of an open system at given energies: one interface over several solvers.

With ``G = (w - X - Sigma)^-1`` these are the traces of which every steady-state current of paper
extended-landauer-buttiker is made (eq 8): ``Tr[Gamma_a G Gamma_b G^+] = Gamma_a Gamma_b |G_ab|^2``
between leads a and b, ``Tr[Gamma_a G 2P G^+] = Gamma_a (G 2P G^+)_aa`` from loss to a lead.  The
order matters: without reciprocity (skin effect) ``G^+ 2P G`` is another number.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from nessflow.solvers import banded, blocks, dense
from nessflow.solvers.dark_states import dark_states, unreached_sites
from nessflow.solvers.elimination import block_matrices
from nessflow.systems.batch import Batch
from nessflow.systems.system import OpenSystem

_SMALL = 32
"""Sites up to which dense matrices, many energies at a time, are faster than sparse ones."""
_WIDE = 40
"""Bandwidth, and contacts up to that, from which blocks are faster than banded factors."""


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


def _is_small(system: OpenSystem) -> bool:
    return system.is_dense or system.sites <= _SMALL


def _is_wide(system: OpenSystem) -> bool:
    width = banded.banded_matrices(system).width
    return width + min(width, system.coupling.count) >= _WIDE


@dataclass(frozen=True, eq=False)
class Solver:
    """The fastest way to solve a system for its Green's function, which all others go through.

    Compiled recurrences for chains with each lead on one site, dense matrices for systems that are
    stored so or small, banded factors for sparse ones of a small bandwidth, block elimination for
    all others, and for sums over their sites.

    Attributes
    ----------
    system : OpenSystem
        The system.
    """

    system: OpenSystem

    @property
    def keeps_digits(self) -> bool:
        """Whether what is between contacts has all digits however small it is.

        It is then a product along a chain between its ends, whose determinants vanish at the level
        of a state that no terminal reaches.
        """
        ends = {0, self.system.sites - 1}
        is_between = self.system.is_wired_chain and set(self.system.contacts) <= ends
        return is_between and unreached_sites(self.system).size == 0

    @property
    def keeps_site_digits(self) -> bool:
        """The same of all sites of a chain."""
        return self.system.is_wired_chain and dark_states(self.system).levels.size == 0

    @property
    def at_contacts(self) -> ModuleType:
        """Module with ``contact_rows`` and ``contact_correlations``."""
        if not self.keeps_digits:
            if _is_small(self.system):
                return dense
            return blocks if _is_wide(self.system) else banded
        # Imported here: numba takes long to import, and other systems do not need it.
        from nessflow.solvers import chain_ends

        return chain_ends

    @property
    def inside(self) -> ModuleType:
        """Module with ``interior_traces``."""
        return blocks if self.at_contacts is banded else self.at_contacts

    @property
    def on_sites(self) -> ModuleType:
        """Module with ``site_sums``."""
        if not self.keeps_site_digits:
            return dense if _is_small(self.system) else blocks
        from nessflow.solvers import chain_sites

        return chain_sites


def shape(system: OpenSystem) -> Hashable:
    """Return what systems have in common that can be in one `Batch`.

    Parameters
    ----------
    system : OpenSystem
        The system.

    Returns
    -------
    hashable
        Equal for systems with the same leads, but for their occupations, on as many sites, with
        loss or gain alike, that the same solvers take.
    """
    solver = Solver(system)
    rates = system.loss.any(), system.gain.any()
    return _leads(system), system.sites, rates, solver.at_contacts, solver.keeps_digits


def _leads(system: OpenSystem) -> Hashable:
    return tuple((lead.coupling, lead.model, lead.terminal) for lead in system.leads)


def site_shape(system: OpenSystem) -> Hashable:
    """Return what samples have in common whose sites can be solved in one `Batch`.

    Parameters
    ----------
    system : OpenSystem
        One of several on as many sites, with loss or gain alike.

    Returns
    -------
    hashable
        Equal for systems with the same leads, but for their occupations, that the same solver
        takes.
    """
    solver = Solver(system)
    # Recurrences along chains have the rates of one system for all; samples share the matrices.
    rates = (id(system.loss), id(system.gain)) if system.is_tridiagonal else ()
    return _leads(system), rates, solver.on_sites, solver.keeps_site_digits


def solver_of(system: OpenSystem | Batch) -> Solver:
    """Return the solver of a system, or of one of a batch, whose solvers are alike."""
    return Solver(system.systems[0] if isinstance(system, Batch) else system)


def contact_response(system: OpenSystem | Batch, energies: np.ndarray) -> ContactResponse:
    """Return the response at the contacts.

    Parameters
    ----------
    system : OpenSystem or Batch
        A tridiagonal system with leads on its first and last site alone is solved in O(N) for
        each energy, a sparse one of bandwidth b in O(N b^2), a dense one in O(N^3).  Those of a
        batch are of one `shape`.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    ContactResponse
        Green's function between the contacts, and what reaches them from loss and gain.
    """
    energies = np.atleast_1d(np.asarray(energies, float))
    solver = solver_of(system).at_contacts
    green, loss, gain = solver.contact_rows(system, energies)
    return ContactResponse(green, loss, gain)


def green_on_contacts(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return the Green's function between the sites of the contacts, not between their vectors.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N b^2) for each energy with a bandwidth b, O(N^3) where it is small or dense.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    (E, k, k) complex array
        In 1/t, without states that no terminal reaches; nan where an energy is a pole.
    """
    sites = system.coupling.sites
    result = np.empty((energies.size, sites.size, sites.size), complex)
    if _is_small(system):
        for batch, whole in dense.green(system, energies):
            result[batch] = whole[:, sites[:, None], sites]
        return result
    columns = np.zeros((system.sites, sites.size), complex)
    columns[sites, range(sites.size)] = 1.0
    for batch, states in _solutions(system, energies, columns):
        result[batch] = states[:, sites]
    return result


def _solutions(
    system: OpenSystem, energies: np.ndarray, sources: np.ndarray, transposed: bool = False
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``G sources``, or ``G^T sources``, for a batch of energies at a time, (e, N, s).

    The sources have nothing of states that no terminal reaches.
    """
    if _is_small(system):
        yield from dense.solutions(system, energies, sources, transposed)
        return
    solver = blocks if _is_wide(system) else banded
    ordered = block_matrices(system) if solver is blocks else banded.banded_matrices(system)
    for batch, found in solver.solutions(system, energies, sources[ordered.order], transposed):
        yield batch, found[:, ordered.place]


def contact_states(
    system: OpenSystem, energies: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield columns of the Green's function at the contacts, and rows.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N b^2) for each energy with a bandwidth b.
    energies : (E,) array
        Energies w, in t.

    Yields
    ------
    batch : slice
        Which energies, e of them.
    columns, rows : (e, N, c) complex
        ``G v_a`` and the transposed ``v_a^+ G``, in 1/t, without states that no terminal reaches;
        nan where an energy is a pole.
    """
    sources = system.coupling.columns(system.sites)
    columns = _solutions(system, energies, sources)
    if system.T is system:
        yield from ((batch, x, x) for batch, x in columns)
        return
    # Leads of the transposed system would be computed anew.
    rows = _solutions(system, energies, sources.conj(), transposed=True)
    yield from ((batch, x, y) for (batch, x), (_, y) in zip(columns, rows, strict=True))


def contact_correlations(
    system: OpenSystem | Batch, energies: np.ndarray, contact: ContactResponse
) -> ContactCorrelations:
    """Return what noise needs beside the response at the contacts.

    Parameters
    ----------
    system : OpenSystem or Batch
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
    loss, gain = solver_of(system).at_contacts.contact_correlations(system, energies)
    each = range(system.coupling.count)
    loss[:, each, each], gain[:, each, each] = contact.loss, contact.gain
    return ContactCorrelations(loss, gain)


def interior_response(
    system: OpenSystem | Batch, energies: np.ndarray, contact: ContactResponse | None = None
) -> InteriorResponse:
    """Return the response of the loss and gain terminals.

    Parameters
    ----------
    system : OpenSystem or Batch
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
    solver = solver_of(system)
    has_loss, has_gain = solver.system.loss.any(), solver.system.gain.any()
    if has_loss or has_gain:
        # Columns of G are the rows of the transposed system.
        if contact is not None and system.T is system:
            columns = contact
        else:
            columns = contact_response(system.T, energies)
        loss, gain = columns.loss, columns.gain
    else:
        loss, gain = np.zeros((2, energies.size, system.coupling.count))
    if has_loss and has_gain:
        loss_gain, gain_loss = solver.inside.interior_traces(system, energies)
    else:
        loss_gain, gain_loss = np.zeros((2, energies.size))
    return InteriorResponse(loss, gain, loss_gain, gain_loss)
