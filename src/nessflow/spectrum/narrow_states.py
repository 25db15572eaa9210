"""States that decay too slowly for a quadrature to resolve: what they hold follows from their pole.

States with poles in one window, many times as wide as they are, span a space R of right
eigenvectors of ``X + Sigma``.  There the Green's function is ``R (w - K)^-1 L^+`` with the left
eigenvectors L, ``L^+ R = 1``, so that the integral of ``G W G^+ / 2 pi`` over the window is
``R n R^+`` times the part of a Lorentzian in it,

    -i (K n - n K^+) + L^+ W L = 0,   K = R^+ (X + Sigma) R.

Only ratios of rates enter, however small they are; the amplitudes of L on the contacts, which are
rounded, set how well these are known.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse

from nessflow.solvers.banded import solve_at
from nessflow.spectrum.mesh import energy_scale
from nessflow.spectrum.occupation import fermi, fermi_holes
from nessflow.systems.contacts import hermitian_elements
from nessflow.systems.matrices import as_sparse
from nessflow.systems.system import AttachedLead, OpenSystem

_NARROW = 1e-10
"""Half width, relative to the norm of the Hamiltonian, below which rounding blurs a resonance."""
_WINDOW = 1e3
"""Half width of a window in half widths of its states."""
_SMALLEST_WINDOW = 1e-11
"""Half width of a window, relative to the norm, at least."""
_FAR = 500.0
"""Distance, in widths of a window, at which its narrow states are nothing but a pole."""
_TOUCHING = 10.0
"""Half width of a pole, in half windows, beyond which it is background."""
_ITERATIONS = 4
_EPSILON = np.finfo(float).eps
_BLUR = 16 * _EPSILON
"""What levels, relative to the norm, and amplitudes of a state may be wrong by."""


@dataclass(frozen=True, eq=False)
class Held:
    """Integral of ``G W G^+ / 2 pi`` over a window, but for what there is without narrow states.

    ``R n R^+ - (i/2) (R X^+ - X R^+)`` with ``X = G_0 W L``: the second part is the interference
    with all other states, whose Green's function ``G_0`` is smooth.

    Attributes
    ----------
    right : (N, m) complex
        R, orthonormal columns.
    inner : (m, m) complex
        ``n``, times the part of a Lorentzian in the window.
    interference : (N, m) complex
        X.
    error : float
        What n may be wrong by.
    """

    right: np.ndarray
    inner: np.ndarray
    interference: np.ndarray
    error: float

    def elements(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return elements between sites and what they may be wrong by.

        Parameters
        ----------
        first, second : (b,) int arrays
            Sites.

        Returns
        -------
        value : (b,) complex
        error : (b,) float
        """
        r, x = self.right, self.interference
        value = np.einsum("bm,mn,bn->b", r[first], self.inner, r[second].conj())
        value = value - 0.5j * np.sum(r[first] * x[second].conj(), axis=1)
        value = value + 0.5j * np.sum(x[first] * r[second].conj(), axis=1)
        weight = np.sum(abs(r) ** 2, axis=1)
        return value, self.error * np.sqrt(weight[first] * weight[second])

    def plus(self, share: float, other: "Held") -> "Held":
        """Return this and a multiple of what is held of the same states with another W."""
        inner = self.inner + share * other.inner
        interference = self.interference + share * other.interference
        return Held(self.right, inner, interference, self.error + abs(share) * other.error)


@dataclass(frozen=True, eq=False)
class NarrowStates:
    """States with energies in one window, and what they hold.

    Attributes
    ----------
    window : tuple of float
        Energies that a quadrature leaves out, in t.
    filled, empty : Held
        With W of the terminals' occupations, and of their holes.
    """

    window: tuple[float, float]
    filled: Held
    empty: Held

    @property
    def weight(self) -> Held:
        """All that these states hold, filled and empty."""
        return self.filled.plus(1.0, self.empty)

    def less(self, share: float) -> "NarrowStates":
        """Return what they hold beyond a share that is filled of all states alike."""
        rest = self.weight
        return NarrowStates(
            self.window, self.filled.plus(-share, rest), self.empty.plus(share - 1, rest)
        )


def narrow_states(system: OpenSystem, poles: np.ndarray) -> list[NarrowStates]:
    """Return the states that decay, but too slowly for a quadrature.

    Parameters
    ----------
    system : OpenSystem
        The system.
    poles : (p,) complex array
        `nessflow.spectrum.mesh.known_poles`.

    Returns
    -------
    list of NarrowStates
        One for each window; windows do not overlap.
    """
    scale = energy_scale(system)
    found = [_of_window(system, group, scale) for group in _clusters(poles, scale)]
    return [states for states in found if states is not None]


def background(integrand: Callable, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return what all but narrow states add to an integral over ``dw / 2 pi`` in their window.

    The mean of both sides, far away for the window and near for all else.

    Parameters
    ----------
    integrand : callable
        As `nessflow.spectrum.quadrature.integrate` wants.
    window : tuple of float
        In t.

    Returns
    -------
    value, error : (m,) float
        The error is the change to twice the distance.
    """
    centre, width = 0.5 * (window[0] + window[1]), window[1] - window[0]
    values, _ = integrand(centre + _FAR * width * np.array([-1, 1, -2, 2]))
    near, beyond = values[:, :2].mean(axis=1), values[:, 2:].mean(axis=1)
    return near * width / (2 * np.pi), abs(near - beyond) * width / np.pi


def _half_window(poles: np.ndarray, scale: float) -> float:
    return max(_WINDOW * abs(poles.imag).max(), _SMALLEST_WINDOW * scale)


def _clusters(poles: np.ndarray, scale: float) -> list[np.ndarray]:
    """Return the narrow poles, each with all that its window would touch."""
    left, groups = poles[np.argsort(abs(poles.imag))], []
    while left.size and abs(left[0].imag) < _NARROW * scale:
        group, size = left[:1], 0
        while size < group.size:
            size, half = group.size, _half_window(group, scale)
            apart = np.maximum(group.real.min() - left.real, left.real - group.real.max())
            joins = (apart < 2 * half) & (abs(left.imag) < _TOUCHING * half)
            group = left[joins]
        groups.append(group)
        left = left[~joins]
    return groups


def _spaces(
    system: OpenSystem, energy: float, size: int, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return R and L of the poles closest to an energy, by inverse iteration."""
    start = np.random.default_rng(0).standard_normal((system.sites, size)).astype(complex)
    for shift in (0.0, _BLUR * scale):  # the second where the first is a pole to the last digit
        spaces = []
        for adjoint in (False, True):
            states = start
            for _ in range(_ITERATIONS):
                states = solve_at(system, energy + shift, states, adjoint)
                if not np.isfinite(states).all():
                    break
                states = np.linalg.qr(states)[0]
            else:
                spaces.append(states)
        if len(spaces) == 2:
            right, left = spaces
            return right, left @ np.linalg.inv(right.conj().T @ left)
    raise ArithmeticError(f"the state with the pole at energy {energy:g} was not found")


def _weights(system: OpenSystem, energy: float) -> list[tuple]:
    """Return ``Gamma``, ``2P`` and ``2Q`` of all terminals at an energy, each with its source."""
    n = system.sites
    found: list[tuple[scipy.sparse.csr_array, AttachedLead | str]] = []
    modes = system.modes(np.array([energy]))
    for k, lead in enumerate(system.leads):
        alone = np.zeros_like(modes.broadening)
        alone[k] = modes.broadening[k]
        elements = modes.summed(alone)[:, 0], system.coupling.elements
        found.append((scipy.sparse.coo_array(elements, shape=(n, n)).tocsr(), lead))
    for kind, matrix in (("loss", system.loss), ("gain", system.gain)):
        if matrix.any():
            found.append((2 * as_sparse(matrix).matrix, kind))
    return found


def _of_window(system: OpenSystem, poles: np.ndarray, scale: float) -> NarrowStates | None:
    """Return the states of a cluster of poles; None where no terminal has states there."""
    energy, half = float(poles.real.mean()), _half_window(poles, scale)
    weights = _weights(system, energy)
    strongest = max((abs(matrix).sum(axis=0).max() for matrix, _ in weights), default=0.0)
    if strongest == 0:
        return None
    right, left = _spaces(system, energy, poles.size, scale)
    rates = [left.conj().T @ (matrix @ left) for matrix, _ in weights]
    depths = np.maximum(np.linalg.eigvalsh(sum(rates)) / 2, 0.0)
    levels = right.conj().T @ (as_sparse(system.hamiltonian).matrix @ right)
    shift = hermitian_elements(system.coupling, system.contact_self_energy(np.array([energy]))[0])
    rows, columns = system.coupling.elements
    levels = levels + (right[rows].conj().T * shift) @ right[columns]
    levels = 0.5 * (levels + levels.conj().T) - energy * np.eye(poles.size)
    window = float(poles.real.min() - half), float(poles.real.max() + half)
    inside = [
        np.arctan2(window[1] - energy, depth) + np.arctan2(energy - window[0], depth)
        for depth in depths
    ]
    part, spread = np.mean(inside) / np.pi, float(np.ptp(inside)) / np.pi
    found = []
    for function in (fermi, fermi_holes):
        sources = [_mean(function, source, energy, depths.max(), scale) for _, source in weights]
        inner, error = _held(levels, rates, sources, strongest, scale)
        driven = sum(
            f * (matrix @ left) for (matrix, _), (f, _) in zip(weights, sources, strict=True)
        )
        # On both sides of the window and far away the narrow states themselves cancel.
        far = _FAR * (window[1] - window[0])
        sides = [solve_at(system, energy + sign * far, driven) for sign in (-1, 1)]
        found.append(Held(right, part * inner, part * 0.5 * sum(sides), error + spread))
    return NarrowStates(window, *found)


def _mean(
    function: Callable, source: AttachedLead | str, energy: float, depth: float, scale: float
) -> tuple[float, float]:
    """Return an occupation about a level, and by how much the rounding of the level moves it."""
    if isinstance(source, str):
        return float((source == "gain") == (function is fermi)), 0.0

    def at(place: float) -> float:
        mu, temperature = source.chemical_potential, source.temperature
        if temperature > 0:
            return float(function(np.array([place]), mu, temperature)[0])
        sign = 1.0 if function is fermi else -1.0  # the part of a Lorentzian below mu, or above
        return float(0.5 + sign * np.arctan2(mu - place, max(depth, np.finfo(float).tiny)) / np.pi)

    value = at(energy)
    return value, max(abs(at(energy + shift) - value) for shift in (-_BLUR * scale, _BLUR * scale))


def _held(
    levels: np.ndarray, rates: list, sources: list, strongest: float, scale: float
) -> tuple[np.ndarray, float]:
    """Return ``n``, and what it may be wrong by."""
    total, size = sum(rates), len(levels)
    values = np.array([value for value, _ in sources])
    apart = float(np.ptp(values))
    damping = np.linalg.eigvalsh(total)
    with np.errstate(divide="ignore"):
        wrong = (2 * np.sqrt(strongest * damping[-1]) + strongest * _BLUR) * _BLUR / damping[0]
    if not 0 <= wrong < 0.5:
        middle = 0.5 * (values.min() + values.max())
        return middle * np.eye(size), 0.5 * apart + max(error for _, error in sources)
    source = sum(value * rate for value, rate in zip(values, rates, strict=True))

    def solution(hermitian: np.ndarray) -> np.ndarray:
        drift = (-1j * hermitian - total / 2) / damping[-1]
        return scipy.linalg.solve_continuous_lyapunov(drift, -source / damping[-1])

    found = solution(levels) if size > 1 else source / total
    error = apart * wrong + max(error for _, error in sources)
    if size > 1:
        # Levels and what couples them are rounded, against their widths.
        lower = np.tri(size, k=-1) / size
        kinds = np.diag(np.linspace(-1, 1, size)), lower + lower.T, 1j * (lower - lower.T)
        for change in (_BLUR * scale * kind for kind in kinds):
            moved = solution(levels + change), solution(levels - change)
            error += max(abs(found - other).max() for other in moved)
    return found, float(error)
