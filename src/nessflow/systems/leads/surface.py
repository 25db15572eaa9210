"""Surface Green's functions of leads whose cells have several coupled orbitals.

A lead is a half-infinite row of equal cells n = 1, 2, ..., n growing away from the system, with
``H0`` in a cell and ``V = <n|h|n+1>``.  Only the range of V matters for how waves go on: with
``V = L R^+``, ``q_n = R^+ psi_n`` and ``p_n = L^+ psi_n``, cells obey
``(E - H0) psi_n = L q_{n+1} + R p_{n-1}``, and waves ``psi_{n+1} = lambda psi_n`` are the
eigenvectors ``(q_n, p_{n-1})`` of a pencil of twice the rank of V, with no inverse of V and of
nothing that is singular at a level of the cell (on singular hoppings: I. Rungger, S. Sanvito,
Phys. Rev. B 78, 035407 (2008)).

Of these waves half leave: those that decay, ``|lambda| < 1``, and of those that do not the ones
with a positive velocity.  With them in the columns of U and Y, ``Phi = R^+ g R = U Y^-1``, and

    i (Phi - Phi^+) = Y^-+ [i (Y^+ U - U^+ Y)] Y^-1

has in its middle the velocities, 0 but for waves that do not decay: one channel each, and its
amplitudes to all digits however slow it is.  `Surface` sees to it that the result solves its own
equation ``Phi = R^+ (E - H0 - L Phi L^+)^-1 R``.  Where it does not, at an edge, a flat band or a
level of the surface, an energy a few roundings beside takes its place; where waves coincide without
any of these, an ordered Schur form at energies just above the real line.
"""

from typing import Any

import numpy as np
import scipy.linalg

_EPSILON = np.finfo(float).eps
_RANK = 1e-13
"""Singular values of V, relative to the largest, that are none."""
_CIRCLE = 1e-8
"""Distance of ``|lambda|`` from 1 that is none: what it is next to an edge for rounding."""
_BLURRED = 8 * _EPSILON
"""The same, of a wave that rounding moves by more: times its condition number."""
_MISSED = 1e-11
"""Residual, relative, from which on waves have not been told apart."""
_ROUNDED = 64 * _EPSILON
"""The same, over ``|V|`` and the norm, where ``Phi`` vanishes and rounding alone is more than that:
of waves as far apart as 1, and at most what is missed elsewhere."""
_ABOVE = 1e-11
"""Distance from the real line, relative to the norm, of the second way."""
_CLOSED = 1e-10
"""Broadening, relative to the self-energy, that is none in the second way."""
_STILL = 1e-7
"""Velocity of normalised waves that is none: what is left of it at an edge for rounding."""
_APART = 2e-9
"""Distance of a wave that leaves from one that comes in, below which rounding mixes them."""
_BESIDE = _EPSILON * np.outer(2.0 ** np.arange(28), [1, -1]).ravel()
"""Distances, relative to the norm, of the energies that may take the place of another."""
_SHIFT = 0.37 * np.exp(2.2j)
"""Where the pencil is inverted: no wave has this factor but by accident."""
_AT_A_TIME = 256
_KEPT, _KEPT_BYTES = 20_000, 2**27
"""Energies whose self-energies are remembered, and the memory of these at most."""


class Surface:
    """Self-energy of one lead, and the amplitudes of its open channels.

    Parameters
    ----------
    cell : (n, n) array
        ``H0``, Hermitian, in t.
    hopping : (n, n) array
        ``V``, from a cell to the next one away from the system, in t.
    coupling : (m, n) array
        ``W``, from the rows of the system to the first cell, in t.
    """

    def __init__(self, cell: np.ndarray, hopping: np.ndarray, coupling: np.ndarray):
        self.cell, self.coupling = cell, coupling
        left, sizes, right = np.linalg.svd(hopping)
        rank = int((sizes > _RANK * sizes[0]).sum()) if sizes[0] else 0
        root = np.sqrt(sizes[:rank])
        self.onward, self.back = left[:, :rank] * root, right[:rank].conj().T * root  # L, R
        self.scale = float(np.linalg.norm(cell, 2) + 2 * sizes[0]) or 1.0
        self._size = float(sizes[0] / self.scale)
        # W = (W R^-) R^+ where the system sees of a cell what the cell before it sees.
        inverse = np.linalg.pinv(self.back) if rank else np.zeros((0, len(cell)))
        reduced = coupling @ inverse.conj().T
        rest = np.abs(coupling - reduced @ self.back.conj().T).max(initial=0.0)
        is_reduced = rest <= 8 * _EPSILON * np.abs(coupling).max(initial=0.0)
        self._reduced = reduced if is_reduced else None
        self._known: dict[float, tuple] = {}

    @property
    def rank(self) -> int:
        """Rank r of V, the largest number of open channels."""
        return self.back.shape[1]

    def at(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the self-energy and the amplitudes of channels.

        Parameters
        ----------
        energies : (E,) array
            Real, in t.

        Returns
        -------
        self_energy : (E, m, m) complex array
            Retarded, in t; of a few roundings beside where it has a pole, and at infinity 0.
        amplitudes : (E, m, m) complex array
            V with ``i (Sigma - Sigma^+) = V V^+``, in the root of t: a column for each open
            channel, the others 0.
        """
        m, known = len(self.coupling), self._computed_at(energies)
        found = np.empty((2, energies.size, m, m), complex)
        for k, w in enumerate(energies.tolist()):
            found[0, k], found[1, k], *_ = known[w]
        return found[0], found[1]

    def at_edge(self, energies: np.ndarray) -> np.ndarray:
        """Return at which energies a wave that does not decay does not move, (E,) bool."""
        known = self._computed_at(energies)
        return np.array([known[w][2] for w in energies.tolist()], bool)

    def is_sound(self, energies: np.ndarray) -> np.ndarray:
        """Return at which energies waves tell the self-energy, and none beside it, (E,) bool."""
        known = self._computed_at(energies)
        return np.array([known[w][3] for w in energies.tolist()], bool)

    def _computed_at(self, energies: np.ndarray) -> dict:
        """Return what was computed at energies, by these."""
        known, wanted = self._known, energies.tolist()
        missing = np.array([w for w in dict.fromkeys(wanted) if w not in known], float)
        kept = min(_KEPT, _KEPT_BYTES // (32 * max(1, len(self.coupling)) ** 2))
        if len(known) + missing.size > kept:
            known = {w: known[w] for w in wanted if w in known}
            self._known = known if len(known) + missing.size <= kept else {}
        for start in range(0, missing.size, _AT_A_TIME):
            part = missing[start : start + _AT_A_TIME]
            known |= zip(part.tolist(), zip(*self._computed(part), strict=True), strict=True)
        return known

    def open_channels(self, energies: np.ndarray) -> np.ndarray:
        """Return the number of open channels, (E,) int."""
        return (self.at(energies)[1] != 0).any(axis=1).sum(axis=1)

    def decaying(self, energies: np.ndarray) -> np.ndarray:
        """Return the self-energy at complex energies, where all waves decay or grow.

        Parameters
        ----------
        energies : (E,) complex array
            Above the real line, in t.

        Returns
        -------
        (E, m, m) complex array
            In t.
        """
        phi = np.array([self._of_decaying(energy) for energy in energies])
        if self._reduced is not None:
            return self._reduced @ phi @ self._reduced.conj().T
        return self.coupling @ self._first_cell(energies, phi) @ self.coupling.conj().T

    # --- one way, and the other -------------------------------------------------------------------

    def _computed(self, energies: np.ndarray) -> tuple[np.ndarray, ...]:
        m = len(self.coupling)
        sigma, amplitudes = np.zeros((2, energies.size, m, m), complex)
        near = np.flatnonzero(np.isfinite(energies))
        still, sound = np.zeros(energies.size, bool), np.ones(energies.size, bool)
        if near.size and self.rank:
            phi, columns, sound[near], still[near] = self._by_waves(energies[near])
            for k in np.flatnonzero(~sound[near]):
                phi[k], columns[k] = self._at_special(energies[near[k]])
            sigma[near], amplitudes[near] = self._on_rows(energies[near], phi, columns)
        elif near.size:
            sigma, amplitudes = self._uncoupled(energies)
        return sigma, amplitudes, still, sound

    def _uncoupled(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what a single cell does, where cells are not coupled."""
        inverse = energies[:, None, None] * np.eye(len(self.cell)) - self.cell
        sigma = self.coupling @ _solved(inverse, self.coupling.conj().T)
        return sigma, np.zeros_like(sigma)

    def _on_rows(
        self, energies: np.ndarray, phi: np.ndarray, columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return self-energy and amplitudes on the rows of the system."""
        m, count = len(self.coupling), min(columns.shape[2], len(self.coupling))
        if self._reduced is not None:
            hermitian = self._reduced @ _hermitian_part(phi) @ self._reduced.conj().T
            out = self._reduced @ columns
        else:
            first = self._first_cell(energies, phi)
            hermitian = self.coupling @ _hermitian_part(first) @ self.coupling.conj().T
            out = self.coupling @ first @ self.onward @ columns
        if out.shape[2] > m:  # more channels than rows: combinations of them arrive
            triangle: Any = np.linalg.qr(out.conj().swapaxes(1, 2), mode="r")
            out = triangle.conj().swapaxes(1, 2)
        amplitudes = np.zeros((energies.size, m, m), complex)
        amplitudes[:, :, :count] = out[:, :, :count]
        hermitian = _hermitian_part(hermitian)  # to the last bit
        return hermitian - 0.5j * amplitudes @ amplitudes.conj().swapaxes(1, 2), amplitudes

    def _first_cell(self, energies: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Return ``g = (E - H0 - L Phi L^+)^-1``, (E, n, n)."""
        beyond = self.onward @ phi @ self.onward.conj().T
        one = np.eye(len(self.cell))
        return _solved(energies[:, None, None] * one - self.cell - beyond, one.astype(complex))

    def _pencil(self, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return A and B, (E, 2r, 2r), with ``A x = lambda B x`` for ``x = (q_n, p_{n-1})``."""
        r, both = self.rank, np.concatenate([self.onward, self.back], axis=1)
        # A damping in the range of V, which moves levels of the cell off the real line.
        damped = self.cell - 1j * (both @ both.conj().T)
        inverse = energies[:, None, None] * np.eye(len(self.cell)) - damped
        inner = both.conj().T @ _solved(inverse, both)
        ll, lr = inner[:, :r, :r], inner[:, :r, r:]
        rl, rr = inner[:, r:, :r], inner[:, r:, r:]
        one = np.eye(r)
        return (
            np.block([[one - 1j * rr, -rr], [-1j * lr, -lr]]),
            np.block([[rl, 1j * rl], [ll, 1j * ll - one]]),
        )

    def _by_waves(self, energies: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return ``Phi``, the channels' amplitudes V_Phi, (E, r, r), and whether both are sound.

        And whether a wave does not move, (E,).

        What `nessflow.systems.leads.surface` says of the eigenvectors; in strong fields they are
        nearly parallel, and an ordered Schur form takes their place.
        """
        r, size = self.rank, energies.size
        a, b = self._pencil(energies)
        matrices = _solved(a - _SHIFT * b, b)
        # A state of a cell alone, which no cell beside it sees, is a pole of the pencil.
        lost = ~np.isfinite(matrices).all(axis=(1, 2))
        matrices[lost] = 0.0
        inverses, waves = np.linalg.eig(matrices)
        with np.errstate(divide="ignore", invalid="ignore"):
            factors = _SHIFT + 1 / inverses
        factors[~np.isfinite(factors)] = np.inf
        modulus = abs(factors)
        inward, outward = waves[:, r:], waves[:, :r]  # p_{n-1} and q_n
        velocity = -2 * np.einsum("eik,eik->ek", inward.conj(), outward).imag
        # Where many waves meet, as at a band edge of high order, rounding moves each by far more.
        # A wave and its left eigenvector, that of 1 / conj(lambda), have the overlap y^+ x - x^+ y.
        crossed = inward.conj().swapaxes(1, 2) @ outward
        overlap = abs(crossed - crossed.conj().swapaxes(1, 2)).max(axis=1)
        with np.errstate(divide="ignore"):
            blurred = np.maximum(_CIRCLE, _BLURRED / overlap)
        goes_on = abs(modulus - 1) < blurred
        leaves = np.where(goes_on, velocity > 0, modulus < 1)
        # Open channels first, then those that decay, then those that come in.
        order = np.argsort(np.where(leaves, ~goes_on, 2), axis=1, kind="stable")[:, :r]
        u, y = (np.take_along_axis(x, order[:, None], axis=2) for x in (outward, inward))
        channels = (goes_on & leaves).sum(axis=1)
        told = (leaves.sum(axis=1) == r) & (goes_on.sum(axis=1) == 2 * channels)
        told &= ~lost
        told &= _distance(factors, goes_on & leaves, goes_on & ~leaves) > _APART
        inverse = _solved(y, np.eye(r, dtype=complex))
        phi = u @ inverse
        columns, sound = np.zeros((size, r, r), complex), told.copy()
        for count in np.unique(channels[sound & (channels > 0)]).tolist():
            here = np.flatnonzero(sound & (channels == count))
            open_u, open_y = u[here, :, :count], y[here, :, :count]
            product = open_y.conj().swapaxes(1, 2) @ open_u
            velocities = 1j * (product - product.conj().swapaxes(1, 2))
            factor, positive = _factors(velocities)
            rows = inverse[here, :count].conj().swapaxes(1, 2)
            columns[here, :, :count] = rows @ factor
            sound[here[~positive]] = False
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = overlap.min(axis=1) * np.minimum(1.0, _distance(factors, leaves, ~leaves))
            rounding = self._size * np.fmin(_ROUNDED / apart, _MISSED)
        sound &= self._holds(energies, phi, columns, rounding)
        for k in np.flatnonzero(told & ~sound):
            # Waves that are nearly parallel span a space that they do not tell.
            which = leaves[k], int(channels[k])
            phi[k], columns[k] = _of_invariant_space(matrices[k], inverses[k], *which)
            sound[k] = self._holds(energies[[k]], phi[[k]], columns[[k]], rounding[[k]])[0]
        still = (abs(modulus - 1) < _STILL) & (abs(velocity) < _STILL)
        # An edge of high order is approached slowly: what is left of its energy is the velocity
        # times the way to the waves of the other direction that it meets there.
        for k in np.flatnonzero(still.any(axis=1)):
            way = abs(factors[k] - factors[k][:, None])
            way = np.where(leaves[k] != leaves[k][:, None], way, np.inf).min(axis=1)
            with np.errstate(invalid="ignore"):  # none of the other direction is no such edge
                still[k] &= abs(velocity[k]) * way < _STILL**2
        return phi, columns, sound, still.any(axis=1)

    def _holds(
        self, energies: np.ndarray, phi: np.ndarray, columns: np.ndarray, rounding: np.ndarray
    ) -> np.ndarray:
        """Return whether ``Phi`` solves its own equation, and is damped by its channels, (E,)."""
        damping = columns @ columns.conj().swapaxes(1, 2)
        with np.errstate(invalid="ignore"):
            size = abs(phi).max(axis=(1, 2))
            twice = 1j * (phi - phi.conj().swapaxes(1, 2))
            missed = abs(twice - damping).max(axis=(1, 2))
            missed = np.maximum(missed, abs(self._again(energies, phi) - phi).max(axis=(1, 2)))
            return missed <= _MISSED * size * (1 + size * self.scale) + rounding

    def _again(self, energies: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Return ``R^+ (E - H0 - L Phi L^+)^-1 R``."""
        beyond = self.onward @ phi @ self.onward.conj().T
        inverse = energies[:, None, None] * np.eye(len(self.cell)) - self.cell - beyond
        return self.back.conj().T @ _solved(inverse, self.back)

    def _at_special(self, energy: float) -> tuple[np.ndarray, np.ndarray]:
        """Return ``Phi`` and V_Phi at an energy where waves do not tell them."""
        # Few at a time: mostly the nearest will do.
        for beside in np.split(energy + _BESIDE * max(self.scale, abs(energy)), _BESIDE.size // 4):
            phi, columns, sound, _ = self._by_waves(beside)
            if sound.any():
                nearest = int(np.argmax(sound))
                return phi[nearest], columns[nearest]
        return self._by_schur_form(energy)

    def _by_schur_form(self, energy: float) -> tuple[np.ndarray, np.ndarray]:
        """Return ``Phi`` and V_Phi from energies just above the real line."""
        shift = 1j * _ABOVE * self.scale
        phi = 2 * self._of_decaying(energy + shift) - self._of_decaying(energy + 2 * shift)
        if not np.isfinite(phi).all():
            nothing = np.full((self.rank, self.rank), np.nan, complex)
            return nothing, nothing
        values = np.linalg.eigvalsh(1j * (phi - phi.conj().T))
        return phi, _columns(phi, int((values > _CLOSED * abs(phi).max()).sum()))

    def _of_decaying(self, energy: complex) -> np.ndarray:
        """Return ``Phi`` of waves that decay, nan where they are not as many as others."""
        r = self.rank
        a, b = (x[0] for x in self._pencil(np.array([energy])))
        schur = scipy.linalg.ordqz(a, b, sort="iuc", output="complex")
        alpha, beta, vectors = schur[2], schur[3], schur[5]
        if (abs(alpha) < abs(beta)).sum() != r:
            return np.full((r, r), np.nan, complex)
        return vectors[:r, :r] @ _solved(vectors[r:, :r], np.eye(r, dtype=complex))


def _of_invariant_space(
    matrix: np.ndarray, eigenvalues: np.ndarray, chosen: np.ndarray, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``Phi`` and V_Phi from orthonormal vectors that span the chosen eigenvectors."""
    r = len(matrix) // 2
    form, vectors = scipy.linalg.schur(matrix, output="complex")
    distance = abs(np.diag(form)[:, None] - eigenvalues)
    selected = np.zeros(2 * r, int)
    for row, own in enumerate(distance):
        nearest = int(np.argmin(own))
        selected[row], distance[:, nearest] = chosen[nearest], np.inf
    _, ordered, *_ = scipy.linalg.lapack.ztrsen(selected, form, vectors, job="N", lwork=1)
    phi = ordered[:r, :r] @ _solved(ordered[r:, :r], np.eye(r, dtype=complex))
    if not np.isfinite(phi).all():
        nothing = np.full((r, r), np.nan, complex)
        return nothing, nothing
    return phi, _columns(phi, channels)


def _columns(phi: np.ndarray, channels: int) -> np.ndarray:
    """Return V with ``i (Phi - Phi^+) = V V^+``, as many columns as channels, the others 0."""
    values, modes = np.linalg.eigh(1j * (phi - phi.conj().T))
    is_open = np.arange(len(values)) >= len(values) - channels
    columns = modes * np.sqrt(np.where(is_open, np.maximum(values, 0.0), 0.0))
    return columns[:, ::-1]


def _distance(factors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how close those chosen first are to those chosen second, (E,)."""
    apart = (
        np.where(first, factors, np.nan)[:, :, None] - np.where(second, factors, np.nan)[:, None]
    )
    return np.nanmin(abs(apart), axis=(1, 2), initial=np.inf)


def _hermitian_part(matrices: np.ndarray) -> np.ndarray:
    return 0.5 * (matrices + matrices.conj().swapaxes(1, 2))


def _solved(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``matrices^-1 right``, nan where there is none."""
    # NumPy 1 takes a stack of matrices and one matrix of columns for vectors.
    right = np.broadcast_to(right, (*matrices.shape[:-2], *right.shape[-2:]))
    try:
        return np.linalg.solve(matrices, right)
    except np.linalg.LinAlgError:
        if matrices.ndim == 2:
            return np.full((len(matrices), right.shape[-1]), np.nan, complex)
        return np.array([_solved(each, own) for each, own in zip(matrices, right, strict=True)])


def _factors(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return X with ``X X^+`` each of these Hermitian matrices, and which are positive."""
    try:
        return np.linalg.cholesky(matrices), np.ones(len(matrices), bool)
    except np.linalg.LinAlgError:
        result = np.full(matrices.shape, np.nan, complex)
        for k, each in enumerate(matrices):
            try:
                result[k] = np.linalg.cholesky(each)
            except np.linalg.LinAlgError:
                continue
        return result, np.isfinite(result).all(axis=(1, 2))
