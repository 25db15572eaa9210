"""Quadratic master equations: rate matrices by terminal, steady state and relaxation.

For fermions (s = -1) or bosons (s = +1) with ``L = sum_a L_a`` and

    L_a rho = sum_jk loss_a,kj (c_j rho c_k^+ - {c_k^+ c_j, rho}/2)
              + gain_a,jk (c_j^+ rho c_k - {c_k c_j^+, rho}/2),

the density ``n_ij = <c_j^+ c_i>``, the transposed correlation matrix, obeys

    dn/dt = -i (X n - n X^+) + Lambda,   X = h - i Gamma/2,   Gamma = sum_a loss_a - s gain_a,

``Lambda = sum_a gain_a``: (48) of paper non-additive-dissipation.  Rates are those of populations:
loss is ``2P`` and gain ``2Q`` of `nessflow.systems.system`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import expm, solve_continuous_lyapunov

from nessflow.scattering.evolution import require_times

_EPSILON = np.finfo(float).eps
_FEW_SITES = 4
"""Sites up to which linear equations for all elements are quicker than Schur's decomposition."""
_POSITIVE = 1e-12
"""Negative rates, relative to the largest one, that are rounding errors."""


@dataclass(frozen=True, eq=False)
class MasterEquation:
    """Rate matrices of every terminal, of one equation or of many (...) with one Hamiltonian.

    Parameters
    ----------
    terminals : tuple of str
        Names.
    hamiltonian : (N, N) array
        ``h``, Hermitian, in t.
    loss, gain : (..., t, N, N) arrays
        Rate matrices of each terminal, Hermitian, in t/hbar.  Completely positive (a Lindblad
        equation) where none has a negative eigenvalue; `require_lindblad` checks that.
    bosonic : bool
        Statistics.
    rates_error : float or (...) array
        What elements of ``loss`` and ``gain`` may be wrong by.

    Raises
    ------
    ValueError
        When shapes do not fit or a matrix is not Hermitian.
    """

    terminals: tuple[str, ...]
    hamiltonian: np.ndarray
    loss: np.ndarray
    gain: np.ndarray
    bosonic: bool = False
    rates_error: float | np.ndarray = 0.0

    def __post_init__(self) -> None:
        n, count = len(self.hamiltonian), len(self.terminals)
        many = np.shape(self.gain)[:-3]
        for name, shape in (
            ("hamiltonian", (n, n)),
            ("loss", (*many, count, n, n)),
            ("gain", (*many, count, n, n)),
        ):
            matrix = np.asarray(getattr(self, name), complex)
            if matrix.shape != shape:
                raise ValueError(f"{name} must have the shape {shape}, got {matrix.shape}")
            if not np.isfinite(matrix).all():
                raise ValueError(f"{name} has an entry that is not finite")
            defect = abs(matrix - matrix.conj().swapaxes(-1, -2)).max(initial=0.0)
            if defect > 1e-12 * max(1.0, abs(matrix).max(initial=0.0)):
                raise ValueError(f"{name} must be Hermitian, it differs by {defect:.1e}")
            object.__setattr__(self, name, matrix)

    @property
    def sign(self) -> int:
        """+1 for bosons, -1 for fermions."""
        return 1 if self.bosonic else -1

    @property
    def damping_of(self) -> np.ndarray:
        """``Gamma_a = loss_a - s gain_a``, (..., t, N, N)."""
        return self.loss - self.sign * self.gain

    @cached_property
    def effective_hamiltonian(self) -> np.ndarray:
        """``X``, (..., N, N)."""
        return self.hamiltonian - 0.5j * self.damping_of.sum(axis=-3)

    def derivative(self, density: np.ndarray) -> np.ndarray:
        """Return ``dn/dt``.

        Parameters
        ----------
        density : (..., N, N) array
            ``n``, Hermitian.

        Returns
        -------
        (..., N, N) complex array
            In t/hbar.
        """
        drift = -1j * self.effective_hamiltonian @ density
        return drift + drift.conj().swapaxes(-1, -2) + self.gain.sum(axis=-3)

    def solve(self, source: np.ndarray) -> np.ndarray:
        """Return ``n`` with ``-i (X n - n X^+) + source = 0``.

        Parameters
        ----------
        source : (..., N, N) array
            One or several, in t/hbar; of many equations, one or several of each.

        Returns
        -------
        (..., N, N) complex array
            ``n`` of each.

        Raises
        ------
        ValueError
            When there is none: a state is not damped.
        """
        if self._instability:
            raise ValueError(self._instability)
        many, size = self.effective_hamiltonian.shape[:-2], len(self.hamiltonian)
        shape = np.shape(source)
        sources = np.reshape(source, (*many, -1, size, size))
        if size <= _FEW_SITES:
            elements = sources.reshape(*many, -1, size**2).swapaxes(-1, -2)
            return np.linalg.solve(self._generator, -elements).swapaxes(-1, -2).reshape(shape)
        found = np.empty(sources.shape, complex)
        for index in np.ndindex(many):
            drift = -1j * self.effective_hamiltonian[index]
            found[index] = [solve_continuous_lyapunov(drift, -x) for x in sources[index]]
        return found.reshape(shape)

    @cached_property
    def _generator(self) -> np.ndarray:
        """``n -> -i (X n - n X^+)`` as a matrix on the elements of n, (..., N^2, N^2)."""
        x, size = self.effective_hamiltonian, len(self.hamiltonian)
        one = np.eye(size)
        left = one[:, None, :, None] * x.conj()[..., None, :, None, :]
        right = x[..., :, None, :, None] * one[:, None, :]
        return 1j * (left - right).reshape(*x.shape[:-2], size**2, size**2)

    @cached_property
    def _instability(self) -> str:
        """Why there is no steady state: some state is not damped; empty where all relax.

        Bosons with more gain than loss are amplified.
        """
        levels = np.linalg.eigvals(self.effective_hamiltonian).ravel()
        worst = np.argmax(levels.imag)
        if levels.imag[worst] < -64 * _EPSILON * abs(self.effective_hamiltonian).max():
            return ""
        energy, growth = levels.real[worst], 2 * levels.imag[worst]
        if self.bosonic and growth > 0:
            return (
                f"no steady state: bosons near energy {energy:g} grow with the rate {growth:g}; "
                "gain must be smaller than loss"
            )
        return (
            f"no unique steady state: a state near energy {energy:g} is not damped; couple it to "
            "a reservoir"
        )

    @cached_property
    def condition(self) -> np.ndarray:
        """Largest change of the steady density for a source of norm 1, in hbar/t, (...)."""
        one = np.broadcast_to(np.eye(len(self.hamiltonian)), self.effective_hamiltonian.shape)
        return norm(self.solve(one))

    @cached_property
    def steady_density(self) -> np.ndarray:
        """Steady ``n``, (..., N, N)."""
        density = self.solve(self.gain.sum(axis=-3))
        density = density + self.solve(self.derivative(density))
        return 0.5 * (density + density.conj().swapaxes(-1, -2))

    @cached_property
    def steady_error(self) -> np.ndarray:
        """What elements of `steady_density` may be wrong by, (...)."""
        size = 1 + norm(self.steady_density)
        rounding = 8 * _EPSILON * norm(self.effective_hamiltonian)
        rates = len(self.hamiltonian) * (len(self.terminals) + 1) * self.rates_error
        return self.condition * size * (rounding + rates)

    def relaxation(self, initial: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the density at ascending times from that at time 0.

        Their errors are those of `steady_density` and of ``initial``, not amplified.

        Parameters
        ----------
        initial : (N, N) array
            ``n`` at time 0.
        times : (times,) array
            Ascending, from 0 or more, in hbar/t.

        Returns
        -------
        (times, N, N) complex array
            ``n``.

        Raises
        ------
        ValueError
            When times do not ascend, or there is no steady state.
        """
        steady = self.steady_density
        propagators = expm(-1j * require_times(times)[:, None, None] * self.effective_hamiltonian)
        change = np.asarray(initial) - steady
        return steady + propagators @ change @ propagators.conj().swapaxes(1, 2)


def norm(matrices: np.ndarray) -> np.ndarray:
    """Return the largest singular value of each matrix, (...) of (..., N, N)."""
    return np.linalg.svd(matrices, compute_uv=False)[..., 0]


def canonical_rates(matrix: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of a rate matrix, ascending: the rates of (52).

    Parameters
    ----------
    matrix : (..., N, N) array
        Loss or gain, Hermitian, in t/hbar.

    Returns
    -------
    (..., N) float array
        In t/hbar.
    """
    return np.linalg.eigvalsh(matrix)


def non_markovianity(*matrices: np.ndarray) -> np.ndarray:
    """Return ``nu = -sum of negative canonical rates`` of rate matrices, (82).

    Parameters
    ----------
    *matrices : (..., N, N) arrays
        Loss and gain of all terminals together, in t/hbar.

    Returns
    -------
    (...) float array
        In t/hbar; 0 for a Lindblad equation.
    """
    rates = np.concatenate([canonical_rates(matrix) for matrix in matrices], axis=-1)
    return -np.minimum(rates, 0.0).sum(axis=-1)


def require_lindblad(equation: MasterEquation) -> MasterEquation:
    """Return an equation after checking that it is completely positive terminal by terminal.

    Parameters
    ----------
    equation : MasterEquation
        Any rates.

    Returns
    -------
    MasterEquation
        The same equation.

    Raises
    ------
    ValueError
        When a canonical rate is negative.
    """
    for kind in ("loss", "gain"):
        matrices = getattr(equation, kind)
        allowed = _POSITIVE * abs(matrices).max(initial=0.0) + equation.rates_error
        for name, matrix in zip(equation.terminals, matrices, strict=True):
            lowest = canonical_rates(matrix)[0]
            if lowest < -allowed:
                raise ValueError(
                    f"not a Lindblad equation: the {kind} of {name} has the negative rate "
                    f"{lowest:g}; rates must be 0 or more"
                )
    return equation
