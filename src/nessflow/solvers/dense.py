"""Green's functions of any geometry by dense linear algebra, O(N^3) for each energy.

States that no terminal reaches (`nessflow.solvers.dark_states`) are split off: no terminal sees
them, and no level of them makes a matrix singular.  An energy at which another state does (a band
edge that is a pole) gives nan, and the other energies stay.
"""

from collections.abc import Iterator

import numpy as np

from nessflow.solvers.dark_states import (
    bright_damping_matrix,
    dark_states,
    hamiltonian_norm,
)
from nessflow.systems.batch import one_by_one
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem

_BATCH_BYTES = 2**25
"""Memory of one batch of inverse Green's functions."""
UNEVEN = 100.0
"""Largest element of a row over that of another from which on solutions are refined."""


def inverse_green(system: OpenSystem, energies: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``w - X - Sigma`` for a batch of energies at a time, as `bright_damping_matrix`.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Yields
    ------
    batch : slice
        Which energies, e of them.
    inverse : (e, N, N) complex
        In t.
    """
    n, (rows, columns) = system.sites, system.coupling.elements
    damping = bright_damping_matrix(system)
    size = max(1, _BATCH_BYTES // (16 * n * n))
    for start in range(0, energies.size, size):
        batch = slice(start, min(start + size, energies.size))
        inverse = np.repeat(-damping[None], batch.stop - start, axis=0)
        inverse[:, range(n), range(n)] += energies[batch, None]
        inverse[:, rows, columns] -= system.contact_self_energy(energies[batch])
        yield batch, inverse


def solved(inverse: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return ``inverse^-1 sources``, nan at the energies at which there is none.

    Where rows differ much in size, as next to a pole of a self-energy, a factorisation mixes them;
    a step of refinement makes each element as exact as its own row, see
    `nessflow.spectrum.rounding`.

    Parameters
    ----------
    inverse : (e, N, N) array
        As of `inverse_green`.
    sources : (N, s) or (e, N, s) array
        Right-hand sides.

    Returns
    -------
    (e, N, s) complex array
        Solutions.
    """
    # NumPy 1 takes a stack of matrices and one matrix of columns for vectors.
    sources = np.broadcast_to(sources, (len(inverse), *sources.shape[-2:]))
    try:
        result = np.linalg.solve(inverse, sources)
    except np.linalg.LinAlgError:
        result = np.full(sources.shape, np.nan, complex)
        for k, (matrix, right) in enumerate(zip(inverse, sources, strict=True)):
            try:
                result[k] = np.linalg.solve(matrix, right)
            except np.linalg.LinAlgError:
                continue
    rows = abs(inverse).max(axis=2, initial=0.0)
    uneven = np.flatnonzero(rows.max(axis=1, initial=0.0) > UNEVEN * rows.min(axis=1, initial=1.0))
    if (uneven := uneven[np.isfinite(result[uneven]).all(axis=(1, 2))]).size:
        left = sources[uneven] - inverse[uneven] @ result[uneven]
        result[uneven] += np.linalg.solve(inverse[uneven], left)
    return result


def green(system: OpenSystem, energies: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the Green's function for a batch of energies at a time.

    Without the states that no terminal reaches: it is zero on them.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Yields
    ------
    batch : slice
        Which energies, e of them.
    green : (e, N, N) complex
        In 1/t.
    """
    dark = dark_states(system)
    for batch, inverse in inverse_green(system, energies):
        whole = solved(inverse, np.eye(system.sites))
        if dark.levels.size:
            shifted = energies[batch, None] - dark.levels + 1j * hamiltonian_norm(system)
            own = dark.vectors / shifted[:, None]
            whole -= own @ dark.vectors.conj().T
        yield batch, whole


def solutions(
    system: OpenSystem, energies: np.ndarray, sources: np.ndarray, transposed: bool = False
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``G sources``, or ``G^T sources``, for a batch of energies at a time.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.
    sources : (N, s) array
        Columns with nothing of states that no terminal reaches.
    transposed : bool
        Whether of the transposed Green's function.

    Yields
    ------
    batch : slice
        Which energies, e of them.
    solutions : (e, N, s) complex
        In 1/t times the unit of the sources; nan at an energy that is a pole.
    """
    for batch, inverse in inverse_green(system, energies):
        yield batch, solved(inverse.swapaxes(1, 2) if transposed else inverse, sources)


def _contact_rows_of_green(
    system: OpenSystem, energies: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``v^+ G`` of the contacts, (e, c, N), for a batch of energies at a time."""
    sources = system.coupling.columns(system.sites).conj()
    for batch, rows in solutions(system, energies, sources, transposed=True):
        yield batch, rows.swapaxes(1, 2)


@one_by_one
def contact_rows(
    system: OpenSystem, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the Green's function among the contacts and what reaches them from loss and gain.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    green : (E, c, c) complex
        ``v_a^+ G v_b`` between the vectors of the contacts, in 1/t.
    loss, gain : (E, c) float
        ``v_a^+ G 2P G^+ v_a``, and with ``2Q``, in 1/t.
    """
    count = system.coupling.count
    green = np.empty((energies.size, count, count), complex)
    loss, gain = np.zeros((2, energies.size, count))
    rates = [(2 * as_dense(x), y) for x, y in ((system.loss, loss), (system.gain, gain)) if x.any()]
    contacts = system.coupling
    for batch, rows in _contact_rows_of_green(system, energies):
        if contacts.are_points:
            green[batch] = rows[:, :, contacts.sites]
        else:
            green[batch] = np.moveaxis(contacts.collected(np.moveaxis(rows, -1, 0)), 0, -1)
        for matrix, into in rates:
            positive = np.sum((rows @ matrix) * rows.conj(), axis=-1).real
            into[batch] = np.maximum(positive, 0.0)  # but for rounding where waves cancel
    return green, loss, gain


@one_by_one
def contact_correlations(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``G 2P G^+`` and ``G 2Q G^+`` between different contacts.

    The diagonals, which `contact_rows` has, are zero.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    loss, gain : (E, c, c) complex
        In 1/t.
    """
    count = system.coupling.count
    result = np.zeros((2, energies.size, count, count), complex)
    pairs = zip((system.loss, system.gain), result, strict=True)
    rates = [(2 * as_dense(matrix), into) for matrix, into in pairs if matrix.any()]
    if count < 2 or not rates:
        return result[0], result[1]
    for batch, rows in _contact_rows_of_green(system, energies):
        columns = rows.conj().swapaxes(1, 2)
        for matrix, into in rates:
            into[batch] = rows @ matrix @ columns
    result[:, :, range(count), range(count)] = 0.0
    return result[0], result[1]


@one_by_one
def interior_traces(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``Tr[2P G 2Q G^+]`` and ``Tr[2Q G 2P G^+]``.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    loss_gain, gain_loss : (E,) float
        Transmissions from gain to loss and from loss to gain.
    """
    loss, gain = 2 * as_dense(system.loss), 2 * as_dense(system.gain)
    loss_gain, gain_loss = np.empty((2, energies.size))
    for batch, inside in green(system, energies):
        # Tr[A G B G^+] = sum_ij (A G B)_ij conj(G)_ij
        loss_gain[batch] = np.sum((loss @ inside @ gain) * inside.conj(), axis=(1, 2)).real
        gain_loss[batch] = np.sum((gain @ inside @ loss) * inside.conj(), axis=(1, 2)).real
    return loss_gain, gain_loss


def site_sums(
    system: OpenSystem,
    energies: np.ndarray,
    environments: np.ndarray,
    on_contacts: np.ndarray,
    pairs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the diagonals of ``G W G^+`` and elements beside it.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.
    environments : (m, 2) array
        Multiples of ``2P`` and ``2Q`` in each of the Hermitian matrices ``W``.
    on_contacts : (m, E, p) array
        What is added to their elements between contacts, `Contacts.elements`.
    pairs : (B, 2) int array
        Pairs of sites.

    Returns
    -------
    diagonal : (m, E, N) float
    beside : (m, E, B) complex
    """
    loss, gain = 2 * as_dense(system.loss), 2 * as_dense(system.gain)
    rows, columns = system.coupling.elements
    kinds = len(environments), energies.size
    diagonal = np.empty((*kinds, system.sites))
    beside = np.empty((*kinds, len(pairs)), complex)
    for batch, inside in green(system, energies):
        for k, (of_loss, of_gain) in enumerate(environments):
            matrix = np.zeros(inside.shape, complex) + of_loss * loss + of_gain * gain
            matrix[:, rows, columns] += on_contacts[k, batch]
            product = inside @ matrix @ inside.conj().swapaxes(1, 2)
            diagonal[k, batch] = np.einsum("eii->ei", product).real
            beside[k, batch] = product[:, pairs[:, 0], pairs[:, 1]]
    return diagonal, beside


def _channels(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``W`` with ``sum_a Gamma_a = W W^+``, (E, N, C), and each column's terminal, (C,)."""
    modes = system.modes(energies)
    columns = modes.columns(system.sites) * np.sqrt(modes.broadening).T[:, None]
    parts, terminals = [columns], [*system.terminal_of_lead]
    for index, matrix in enumerate((system.loss, system.gain), len(system.terminals)):
        rates, vectors = np.linalg.eigh(2 * as_dense(matrix))
        used = rates > 0
        coupling = vectors[:, used] * np.sqrt(rates[used])
        parts.append(np.broadcast_to(coupling, (energies.size, *coupling.shape)))
        terminals += [index] * coupling.shape[1]
    return np.concatenate(parts, axis=2), np.array(terminals, int)


def scattering_matrix(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the scattering matrix over the channels of all terminals, unitary.

    ``s = -1 + i W^+ G W`` with ``Gamma_a = W_a W_a^+``; loss has ``2P`` and gain ``2Q``.

    Parameters
    ----------
    system : OpenSystem
        The system.
    energies : (E,) array
        Energies w, in t.

    Returns
    -------
    s : (E, C, C) complex
        Amplitudes; the first index is where to.
    terminal : (C,) int
        Terminal of each channel: those of the leads in their order, then loss, then gain.
    """
    couplings, terminal = _channels(system, energies)
    s = np.empty((energies.size, terminal.size, terminal.size), complex)
    for batch, inverse in inverse_green(system, energies):
        w = couplings[batch]
        s[batch] = 1j * w.conj().swapaxes(1, 2) @ solved(inverse, w)
    s[:, range(terminal.size), range(terminal.size)] -= 1.0
    return s, terminal
