"""A system as slices from its first lead on: waves that decay through it, in logarithms.

Slice 0 has the sites of the first lead, slice n + 1 all sites that those of slice n are coupled to,
so that ``X = h - i(P + Q)`` and the self-energies couple a slice to itself and to its neighbours.
What arrives at the far end of a localised sample is below the least number of double precision, its
logarithm is not.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import dijkstra

from nessflow.systems.matrices import as_sparse
from nessflow.systems.system import OpenSystem

_NUMBERS = 2**22
"""Complex numbers that are held at a time."""
_INVERTIBLE = 1e-8
"""Ratio of singular values of what couples two slices down to which it has an inverse."""
_BATCHES = 16
"""Parts of a sample whose averages tell the statistical error of that of the whole."""
_FEW = 8
"""Slices below which a sample has no such averages."""


@dataclass(frozen=True, eq=False)
class Slices:
    """Slices of up to W sites; where one has fewer, its last places are coupled to nothing.

    Attributes
    ----------
    slice_of, place_of : (N,) int
        Slice of each site, -1 where no path from the first lead leads, and its place there.
    sizes : (L,) int
        Number of sites in each slice.
    damping : (N, N) coo_array
        X, in t.
    """

    slice_of: np.ndarray
    place_of: np.ndarray
    sizes: np.ndarray
    damping: scipy.sparse.coo_array

    @classmethod
    def of(cls, system: OpenSystem) -> "Slices":
        """Return the slices of a system, from its first terminal on."""
        damping = as_sparse(system.hamiltonian).matrix - 1j * (
            as_sparse(system.loss).matrix + as_sparse(system.gain).matrix
        )
        leads = scipy.sparse.coo_array(
            (np.ones(system.coupling.elements[0].size), system.coupling.elements), damping.shape
        )
        first = [system.leads[k].sites for k in system.terminals[0].channels]
        slice_of = _distances(abs(damping) + leads.tocsr(), np.unique(np.concatenate(first)))
        sizes = np.bincount(slice_of[slice_of >= 0])
        starts = np.cumsum(np.append(np.sum(slice_of < 0), sizes))[:-1]
        order = np.argsort(slice_of, kind="stable")
        place_of = np.empty(system.sites, int)
        place_of[order] = np.arange(system.sites) - starts[slice_of[order]]
        return cls(slice_of, place_of, sizes, damping.tocoo())

    @property
    def count(self) -> int:
        """Number of slices L."""
        return self.sizes.size

    @property
    def width(self) -> int:
        """Number of places W."""
        return int(self.sizes.max())

    @cached_property
    def on(self) -> np.ndarray:
        """X within each slice, (L, W, W) complex, in t."""
        return self._blocks(0)

    @cached_property
    def ahead(self) -> np.ndarray:
        """X from each slice to the next one, (L - 1, W, W) complex, in t."""
        return self._blocks(1)

    @cached_property
    def back(self) -> np.ndarray:
        """X from the next slice to each, (L - 1, W, W) complex, in t."""
        return self._blocks(-1)

    def _blocks(self, step: int) -> np.ndarray:
        row, column = self.damping.coords
        first, second = self.slice_of[row], self.slice_of[column]
        here = (second - first == step) & (first >= 0)
        result = np.zeros((self.count - abs(step), self.width, self.width), complex)
        at = np.minimum(first, second)[here], self.place_of[row[here]], self.place_of[column[here]]
        result[at] = self.damping.data[here]
        return result


def _distances(pattern: scipy.sparse.csr_array, start: np.ndarray) -> np.ndarray:
    """Return the number of steps from some sites to each, -1 where there is no path."""
    steps = dijkstra(pattern, directed=False, indices=start, unweighted=True, min_only=True)
    return np.where(np.isfinite(steps), steps, -1).astype(int)


# --- transmission ---------------------------------------------------------------------------------


def log_transmission(system: OpenSystem, slices: Slices, energies: np.ndarray) -> np.ndarray:
    """Return the logarithm of the transmission from the first into the second of two terminals.

    ``M = w - X - Sigma`` is eliminated from the last slice on, ``D_n = M_nn - M_n(n+1) D_(n+1)^-1
    M_(n+1)n``; then ``x_(n+1) = -D_(n+1)^-1 M_(n+1)n x_n`` runs from the first lead to the second,
    a product without differences, divided by its size at every step.

    Parameters
    ----------
    system : OpenSystem
        With two terminals.
    slices : Slices
        Of the system.
    energies : (E,) array
        In t.

    Returns
    -------
    (E,) float array
        -inf where nothing gets through.
    """
    width = slices.width
    step = max(1, _NUMBERS // (2 * slices.count * width**2))
    parts = [
        _log_transmission(system, slices, energies[start : start + step])
        for start in range(0, energies.size, step)
    ]
    return np.concatenate([np.empty(0), *parts])


def _log_transmission(system: OpenSystem, slices: Slices, energies: np.ndarray) -> np.ndarray:
    sent, taken = (_amplitudes(system, energies, k) for k in (0, 1))
    matrices = _Shifted(system, slices, energies)
    decays, on = [], matrices.on(slices.count - 1)
    for n in reversed(range(slices.count - 1)):
        decays.append(_inverse(on) @ matrices.back(n))
        on = matrices.on(n) - matrices.ahead(n) @ decays[-1]
    state = _inverse(on) @ _on_slice(slices, sent, 0)
    scale = np.zeros(energies.size)
    arrived, scales = [], []
    for n in range(slices.count):
        if n:
            state = -decays[-n] @ state
        size = abs(state).max(axis=(1, 2), initial=0.0)
        alive = (size > 0) & np.isfinite(size)
        state = np.where(alive, 1 / np.where(alive, size, 1.0), size)[:, None, None] * state
        scale = scale + np.log(np.where(alive, size, 1.0))
        there = _on_slice(slices, taken, n)
        if there.any():
            arrived.append(there.conj().swapaxes(1, 2) @ state)
            scales.append(scale)
    if not arrived:
        return np.full(energies.size, -np.inf)
    top = np.max(scales, axis=0)
    whole = sum(np.exp(s - top)[:, None, None] * x for s, x in zip(scales, arrived, strict=True))
    with np.errstate(divide="ignore"):
        return 2 * top + np.log(np.sum(abs(whole) ** 2, axis=(1, 2)))


def _amplitudes(system: OpenSystem, energies: np.ndarray, terminal: int) -> np.ndarray:
    """Return V with ``Gamma = V V^+`` of one terminal, (E, N, c)."""
    modes, channels = system.modes(energies), list(system.terminals[terminal].channels)
    columns = modes.columns(system.sites)[:, :, channels]
    return np.sqrt(modes.broadening[channels]).T[:, None] * columns


def _on_slice(slices: Slices, columns: np.ndarray, n: int) -> np.ndarray:
    """Return the part of columns, (E, N, c), on a slice, (E, W, c)."""
    here = np.flatnonzero(slices.slice_of == n)
    part = np.zeros((columns.shape[0], slices.width, columns.shape[2]), complex)
    part[:, slices.place_of[here]] = columns[:, here]
    return part


class _Shifted:
    """Blocks of ``w - X - Sigma`` at some energies."""

    def __init__(self, system: OpenSystem, slices: Slices, energies: np.ndarray):
        self.slices, self.energies = slices, energies
        self.sigma = system.contact_self_energy(energies)
        row, column = system.coupling.elements
        first, second = slices.slice_of[row], slices.slice_of[column]
        self.elements: dict[tuple[int, int], list] = {}
        for p, key in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            places = int(slices.place_of[row[p]]), int(slices.place_of[column[p]])
            self.elements.setdefault(key, []).append((*places, p))

    def _block(self, constant: np.ndarray, first: int, second: int) -> np.ndarray:
        added = self.elements.get((first, second))
        if not added:
            return -constant[None]
        block = np.repeat(-constant[None], self.energies.size, axis=0)
        for i, j, p in added:
            block[:, i, j] -= self.sigma[:, p]
        return block

    def on(self, n: int) -> np.ndarray:
        """Return the block of a slice, (E, W, W); places without a site have 1."""
        block = self._block(self.slices.on[n], n, n)
        is_site = np.arange(block.shape[-1]) < self.slices.sizes[n]
        diagonal = np.where(is_site, self.energies[:, None], 1.0)
        return block + diagonal[:, :, None] * np.eye(block.shape[-1])

    def ahead(self, n: int) -> np.ndarray:
        """Return the block from a slice to the next one, (1 or E, W, W)."""
        return self._block(self.slices.ahead[n], n, n + 1)

    def back(self, n: int) -> np.ndarray:
        """Return the block from the next slice to this one, (1 or E, W, W)."""
        return self._block(self.slices.back[n], n + 1, n)


def _inverse(blocks: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / blocks if blocks.shape[-1] == 1 else np.linalg.inv(blocks)


# --- transfer matrices ----------------------------------------------------------------------------


def why_no_transfer(slices: Slices) -> str:
    """Return why transfer matrices do not carry from slice to slice, or an empty text."""
    width = slices.width
    if slices.count < _FEW:
        return f"it is an average over slices, and {slices.count} are too few ({_FEW} will do)"
    if (slices.sizes != width).any():
        return "slices from the first lead on are not of one size; put it on all sites of one end"
    if abs(slices.ahead - slices.back.conj().swapaxes(1, 2)).max(initial=0.0) > 0:
        return "loss or gain on bonds between slices makes decay to the left and right differ"
    sizes = np.linalg.svd(slices.ahead, compute_uv=False)
    if (sizes[:, -1] <= _INVERTIBLE * sizes[:, 0].max()).any():
        return "the hopping from a slice to the next has no inverse"
    return ""


def lyapunov_exponent(slices: Slices, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest of the growing half of the Lyapunov exponents of transfer matrices.

    Of the W larger ones of the 2W exponents of waves ``(psi_n+1, psi_n)`` the smallest, which is
    0 within its error, of either sign, where waves are extended; by orthogonalisation at
    every step (Benettin et al., Meccanica 15, 9 (1980); MacKinnon and Kramer, Z. Phys. B 53, 1
    (1983)).

    Parameters
    ----------
    slices : Slices
        Those that `why_no_transfer` has nothing against.
    energies : (E,) array
        In t.

    Returns
    -------
    value, error : (E,) float array
        For each slice; the error is that of the average of parts of the sample, and what both ends
        may add.
    """
    width = slices.width
    states = np.zeros((energies.size, 2 * width, width), complex)
    states[:, :width] = np.eye(width)
    grown = []
    for n, forward in enumerate(np.linalg.inv(slices.ahead)):
        now, before = states[:, :width], states[:, width:]
        inner = energies[:, None, None] * now - slices.on[n] @ now
        if n:
            inner = inner - slices.back[n - 1] @ before
        states = np.concatenate([forward @ inner, now], axis=1)
        states, size = _orthonormal(states)
        grown.append(size)
    steps = np.array(grown)
    means = np.array([part.mean(axis=0) for part in np.array_split(steps, _count(len(steps)))])
    spread = means.std(axis=0, ddof=1) / np.sqrt(len(means))
    return steps.mean(axis=0), spread + 1 / len(steps)


def _count(steps: int) -> int:
    return min(_BATCHES, steps // 2)


def _orthonormal(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return orthonormal states, and the logarithm by which the last of them has grown."""
    if states.shape[-1] == 1:
        size = np.linalg.norm(states, axis=1, keepdims=True)
        return states / size, np.log(size[:, 0, 0])
    states, upper = np.linalg.qr(states)
    return states, np.log(abs(upper[:, -1, -1]))
