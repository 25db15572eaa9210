"""Bands of a ring: energies, velocities and what each orbital carries of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from nessflow.estimate import Estimate

_DEGENERATE = 1e-9
"""Distance of two bands, relative to their width, below which their states are arbitrary."""
_EPS = np.finfo(float).eps
_SAMPLES = 512
"""Momenta per distance of hopping among which a gap is looked for."""
_MINIMA = 8


@dataclass(frozen=True, eq=False)
class Bands:
    """Bloch states of a ring of L cells with b bands of b orbitals.

    A *mode* is a momentum and a band; arrays over modes run over the momenta, at each one over the
    bands from below.

    Attributes
    ----------
    momentum : ndarray
        (L,), periodic without shift.
    states : ndarray
        Amplitude of each mode on each orbital, (L b, b).
    energy, velocity : Estimate
        (L b,), in t and t/hbar; errors are rounding, of velocities larger where another band is
        near.
    orbital_velocity : ndarray
        Current that a particle of the mode carries in each orbital, ``Re u_s^* (dH/dk u)_s``,
        (L b, b); its sum over the orbitals is ``velocity``.
    state_error : ndarray
        What an amplitude may be wrong by, (L b,).
    """

    momentum: np.ndarray
    states: np.ndarray
    energy: Estimate
    velocity: Estimate
    orbital_velocity: np.ndarray
    state_error: np.ndarray

    @property
    def length(self) -> int:
        """Number of cells."""
        return len(self.momentum)

    @property
    def count(self) -> int:
        """Number of bands."""
        return self.states.shape[1]

    @property
    def mode_momentum(self) -> np.ndarray:
        """Momentum of each mode, (L b,)."""
        return np.repeat(self.momentum, self.count)

    @property
    def width(self) -> float:
        """Highest energy less lowest energy."""
        return float(np.ptp(self.energy.value))


def momenta(length: int, shift: float = 0.0) -> np.ndarray:
    """Return ``k = 2 pi (m + shift)/L`` for L consecutive integers m from ``-floor(L/2)``.

    ``e^{ikL} = e^{2 pi i shift}``: without shift the ring is periodic for even and odd lengths.

    Parameters
    ----------
    length : int
        Number of cells L.
    shift : float
        In units of the distance of momenta.

    Returns
    -------
    (L,) float array
        Per cell, ascending; in [-pi, pi) without shift.
    """
    # One fraction, so that k and -k are exact negatives of each other.
    return np.pi * (2 * (np.arange(length) - length // 2 + shift) / length)


def bloch_bands(
    onsite: np.ndarray, hoppings: Mapping[int, np.ndarray], length: int, shift: float = 0.0
) -> Bands:
    """Return the bands of ``H = sum_j c_j^+ T_0 c_j + sum_{j,d} (c_{j+d}^+ T_d c_j + h.c.)``.

    ``H(k) = T_0 + sum_d (T_d e^{-ikd} + h.c.)`` is diagonalised at each k, which needs no phase of
    its states where an off-diagonal element vanishes (erratum of paper
    weak-coupling-rectification, C4).

    Parameters
    ----------
    onsite : ndarray
        ``T_0``, Hermitian, (b, b).
    hoppings : mapping of int to ndarray
        Distance d > 0 -> ``T_d``, (b, b).
    length : int
        Number of cells.
    shift : float
        Shift of the momenta in units of their distance.

    Returns
    -------
    Bands
        Energies in t, from below at each momentum.

    Raises
    ------
    ValueError
        When the bands are complex, or touch at a momentum of the ring.
    """
    onsite = np.atleast_2d(np.asarray(onsite, dtype=complex))
    _require_hermitian(onsite, hoppings)
    k = momenta(length, shift)
    h, slope = _hamiltonian(onsite, hoppings, k)
    energy, states = _eigenstates(h)
    _refuse_touching(k, energy)
    carried = (states.conj() * (slope @ states)).real.transpose(0, 2, 1)
    orbitals = onsite.shape[0]
    energy_error, state_error, velocity_error = _rounding(k, hoppings, energy)
    # A sum over t alone belongs to one orbital s.
    return Bands(
        k,
        states.transpose(0, 2, 1).reshape(-1, orbitals),
        Estimate(energy.ravel(), energy_error),
        Estimate(carried.sum(axis=2).ravel(), velocity_error),
        carried.reshape(-1, orbitals),
        state_error,
    )


def _rounding(
    k: np.ndarray, hoppings: Mapping[int, np.ndarray], energy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the errors of energies, states and velocities by rounding, (modes,)."""
    sizes = {d: 2 * np.linalg.norm(np.atleast_2d(t), 2) for d, t in hoppings.items()}
    # A phase k d is wrong by up to four roundings of half an epsilon each.
    phase = 2 * np.repeat(abs(k), energy.shape[1])
    slope = sum(d * size for d, size in sizes.items())
    slope_error = sum(d * (1 + phase * d) * size for d, size in sizes.items())
    beyond = np.full((len(energy), 1), np.inf)
    gaps = np.hstack([beyond, np.diff(energy, axis=1), beyond])
    nearest = np.minimum(gaps[:, :-1], gaps[:, 1:]).ravel()
    largest = abs(energy).max()
    h_error = _EPS * (largest + phase * slope)
    state_error = (_EPS + h_error / nearest) * (energy.shape[1] > 1)
    velocity_error = _EPS * slope_error + 2 * slope * state_error
    return h_error + 3 * _EPS * largest, state_error, velocity_error


def concatenated(one: Bands, other: Bands) -> Bands:
    """Return the modes of two rings of the same Hamiltonian, one after the other.

    Parameters
    ----------
    one, other : Bands
        Of the same orbitals.

    Returns
    -------
    Bands
        Its ``length`` is the sum of both.
    """

    def joined(name: str) -> Any:
        pair = getattr(one, name), getattr(other, name)
        if isinstance(pair[0], Estimate):
            value, error = (np.concatenate([x[k] for x in pair]) for k in (0, 1))
            return Estimate(value, error)
        return np.concatenate(pair)

    return Bands(*(joined(field.name) for field in fields(Bands)))


def smallest_gap(onsite: np.ndarray, hoppings: Mapping[int, np.ndarray]) -> tuple[float, float]:
    """Return the least distance of two bands at one momentum, and that momentum.

    Parameters
    ----------
    onsite : ndarray
        ``T_0``, (b, b), as in `bloch_bands`.
    hoppings : mapping of int to ndarray
        Distance d > 0 -> ``T_d``, (b, b).

    Returns
    -------
    gap : float
        In t, over all momenta whatever the length; infinite for one band.
    momentum : float
        NaN for one band.
    """
    from scipy.optimize import minimize_scalar

    onsite = np.atleast_2d(np.asarray(onsite, dtype=complex))
    if len(onsite) == 1:
        return np.inf, np.nan

    def gap(k: Any) -> np.ndarray:
        h = _hamiltonian(onsite, hoppings, np.atleast_1d(k))[0]
        if len(onsite) == 2:
            return 2 * _two_levels(h)[2]
        return np.diff(np.linalg.eigvalsh(h), axis=1).min(axis=1)

    k = momenta(_SAMPLES * max(hoppings, default=1))
    found, step = gap(k), k[1] - k[0]
    lowest = np.flatnonzero((found <= np.roll(found, 1)) & (found <= np.roll(found, -1)))
    least, at = float(found.min()), float(k[np.argmin(found)])
    for start in k[lowest[np.argsort(found[lowest])][:_MINIMA]]:
        near = minimize_scalar(
            lambda x: float(gap(x)[0]),
            bounds=(start - step, start + step),
            method="bounded",
            options={"xatol": 1e-12},
        )
        if near.fun < least:
            least, at = float(near.fun), float(near.x)
    return least, at


def _require_hermitian(onsite: np.ndarray, hoppings: Mapping[int, np.ndarray]) -> None:
    if not np.isfinite(onsite).all() or not all(np.isfinite(t).all() for t in hoppings.values()):
        raise ValueError("the bands have an energy or a hopping that is not finite")
    defect = abs(onsite - onsite.conj().T).max()
    if defect > 1e-12 * max(1.0, abs(onsite).max()):
        raise ValueError(
            f"the bands are complex: the on-site matrix departs by {defect:.1e} from a Hermitian "
            "one; dissipation belongs to the dissipator"
        )


def _hamiltonian(
    onsite: np.ndarray, hoppings: Mapping[int, np.ndarray], k: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``H(k)`` and ``dH/dk``, (momenta, b, b)."""
    h = np.zeros((len(k), *onsite.shape), dtype=complex) + onsite
    slope = np.zeros_like(h)
    for distance, hopping in hoppings.items():
        phase = np.exp(-1j * k * distance)[:, None, None] * np.atleast_2d(hopping)
        h += phase + _adjoint(phase)
        slope += distance * (-1j * phase + _adjoint(-1j * phase))
    return h, slope


def _eigenstates(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `numpy.linalg.eigh` does; of two levels by their formula, which is quicker."""
    if h.shape[-1] != 2:
        return np.linalg.eigh(h)
    middle, half, radius = _two_levels(h)
    off, large = h[:, 1, 0], abs(half) + radius
    above = np.where(half >= 0, [large, off], [off.conj(), large])
    below = np.where(half >= 0, [-off.conj(), large], [large, -off])
    norm = np.hypot(large, abs(off))
    states = (
        np.array([below, above]).transpose(2, 1, 0) / np.where(norm > 0, norm, 1)[:, None, None]
    )
    return np.column_stack([middle - radius, middle + radius]), states


def _two_levels(h: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean of the diagonal, half its difference, and half the gap, (momenta,) each."""
    first, second = h[:, 0, 0].real, h[:, 1, 1].real
    half = (first - second) / 2
    return (first + second) / 2, half, np.hypot(half, abs(h[:, 1, 0]))


def _adjoint(matrices: np.ndarray) -> np.ndarray:
    return matrices.conj().transpose(0, 2, 1)


def _refuse_touching(k: np.ndarray, energy: np.ndarray) -> None:
    if energy.shape[1] == 1:
        return
    gaps = np.diff(energy, axis=1).min(axis=1)
    worst = int(np.argmin(gaps))
    if gaps[worst] <= _DEGENERATE * max(np.ptp(energy), 1e-300):
        raise ValueError(
            f"two bands touch at the momentum {k[worst]:.6g}, where their states are arbitrary; "
            "shift the momenta of the ring, for example by 0.5"
        )


def chain_bands(length: int, hopping: float = 1.0, shift: float = 0.0) -> Bands:
    """Return the band ``-2 J cos k`` of paper weak-coupling-rectification, eq. 7.

    Parameters
    ----------
    length : int
        Number of cells.
    hopping : float
        J, in t.
    shift : float
        Shift of the momenta in units of their distance.

    Returns
    -------
    Bands
        One band.
    """
    return bloch_bands(*chain_hamiltonian(hopping), length, shift)


def chain_hamiltonian(hopping: float) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return ``T_0`` and ``T_d`` of the chain, as `bloch_bands` takes them.

    Parameters
    ----------
    hopping : float
        J, in t.

    Returns
    -------
    onsite : (1, 1) array
        In t.
    hoppings : dict of int to (1, 1) array
        In t.
    """
    return np.zeros((1, 1)), {1: np.array([[-hopping]])}


def rashba_bands(
    length: int,
    hopping: float,
    alpha_y: float,
    alpha_z: float,
    zeeman: float,
    shift: float = 0.0,
) -> Bands:
    """Return the bands of spin-orbit coupling and Zeeman field, eq. 17; orbitals: up, down.

    ``-2 J cos k -+ sqrt((2 alpha_y sin k + h)^2 + 4 alpha_z^2 sin^2 k)``, lower band first.

    Parameters
    ----------
    length : int
        Number of cells.
    hopping, alpha_y, alpha_z, zeeman : float
        J, the spin-orbit couplings and h, in t.
    shift : float
        Shift of the momenta in units of their distance.

    Returns
    -------
    Bands
        Two bands.

    Raises
    ------
    ValueError
        When the bands touch at a momentum of the ring.
    """
    hamiltonian = rashba_hamiltonian(hopping, alpha_y, alpha_z, zeeman)
    return bloch_bands(*hamiltonian, length, shift)


def rashba_hamiltonian(
    hopping: float, alpha_y: float, alpha_z: float, zeeman: float
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return ``T_0`` and ``T_d`` of eq. 17, as `bloch_bands` takes them.

    Parameters
    ----------
    hopping, alpha_y, alpha_z, zeeman : float
        As in `rashba_bands`, in t.

    Returns
    -------
    onsite : (2, 2) array
        In t.
    hoppings : dict of int to (2, 2) array
        In t.
    """
    hop = np.array([[-hopping + 1j * alpha_y, -alpha_z], [alpha_z, -hopping - 1j * alpha_y]])
    return np.diag([zeeman, -zeeman]), {1: hop}
