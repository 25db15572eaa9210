"""Open quadratic systems: a Hamiltonian, Markovian loss and gain, and leads.

Units hbar = k_B = e = 1, energies in the hopping t.  Loss ``P`` and gain ``Q`` are those of paper
extended-landauer-buttiker, eq (5): channels ``L = sum_j u_j c_j`` enter the master equation as
``2 L rho L^+ - {L^+ L, rho}``, so ``P_jk = sum u_j^* u_k``, the damping matrix is
``X = h - i (P + Q)``, ``G = (w - X - Sigma)^-1``, and populations decay with the rate ``2 P``.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

_ROUNDING = 1e-12
"""Departure from a Hermitian or positive matrix, relative to its norm, taken for rounding."""


@dataclass(frozen=True, eq=False)
class Tridiagonal:
    """Hermitian tridiagonal matrix.

    Parameters
    ----------
    diagonal : (N,) array of float
        Diagonal elements.
    upper : (N-1,) array of complex
        Elements ``(j, j+1)``; the elements below the diagonal are their conjugates.

    Raises
    ------
    ValueError
        When the diagonal is not real, a length is wrong or a value is not finite.
    """

    diagonal: np.ndarray
    upper: np.ndarray

    def __post_init__(self):
        diagonal, upper = np.asarray(self.diagonal), np.array(self.upper, complex)
        if diagonal.ndim != 1 or diagonal.size == 0 or upper.shape != (diagonal.size - 1,):
            raise ValueError(
                f"a tridiagonal matrix needs N >= 1 diagonal and N-1 upper elements, "
                f"got shapes {diagonal.shape} and {upper.shape}"
            )
        if np.iscomplexobj(diagonal):
            j = int(np.argmax(abs(diagonal.imag)))
            if diagonal[j].imag != 0:
                raise ValueError(
                    f"the diagonal of a Hermitian matrix is real, got {diagonal[j]} at site {j}"
                )
            diagonal = diagonal.real
        diagonal = np.array(diagonal, float)
        for name, values in (("diagonal", diagonal), ("upper", upper)):
            if not np.isfinite(values).all():
                j = int(np.argmin(np.isfinite(values)))
                raise ValueError(f"{name} element {j} is not finite: {values[j]}")
            values.flags.writeable = False
        object.__setattr__(self, "diagonal", diagonal)
        object.__setattr__(self, "upper", upper)

    @classmethod
    def zero(cls, sites: int) -> "Tridiagonal":
        """Return the zero matrix of ``sites`` rows."""
        return cls(np.zeros(sites), np.zeros(max(sites - 1, 0)))

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix."""
        return self.diagonal.size, self.diagonal.size

    @property
    def T(self) -> "Tridiagonal":
        """Transposed matrix."""
        return Tridiagonal(self.diagonal, self.upper.conj())

    def any(self) -> bool:
        """Return whether any element differs from zero."""
        return bool(self.diagonal.any() or self.upper.any())

    def to_dense(self) -> np.ndarray:
        """Return the (N, N) complex array."""
        dense = np.diag(self.diagonal).astype(complex)
        return dense + np.diag(self.upper, 1) + np.diag(self.upper.conj(), -1)


def _require(fine: bool, name: str, what: str, got: object) -> None:
    if not fine:
        raise ValueError(f"lead {name!r}: {what}, got {got}")


def _check_lead(lead: "Lead") -> None:
    """Check what every kind of lead has: a site, a chemical potential and a temperature."""
    _require(lead.site >= 0, lead.name, "site must be 0 or more (counted from 0)", lead.site)
    mu, temperature = lead.chemical_potential, lead.temperature
    _require(np.isfinite(mu), lead.name, "chemical_potential must be finite", mu)
    fine = temperature >= 0 and np.isfinite(temperature)
    _require(fine, lead.name, "temperature must be finite and 0 or more", temperature)


@dataclass(frozen=True)
class WideBandLead:
    """Lead with the energy-independent self-energy ``-i broadening / 2`` on one site.

    Parameters
    ----------
    name : str
        Name of the terminal.
    site : int
        Site of the contact, counted from 0.
    broadening : float
        Gamma, in t.
    chemical_potential, temperature : float
        In t; temperature 0 is allowed.

    Raises
    ------
    ValueError
        When a value is out of range.
    """

    name: str
    site: int
    broadening: float
    chemical_potential: float
    temperature: float

    def __post_init__(self):
        fine = self.broadening >= 0 and np.isfinite(self.broadening)
        _require(fine, self.name, "broadening must be finite and 0 or more", self.broadening)
        _check_lead(self)

    @property
    def band(self) -> tuple[float, float]:
        """Energies between which the lead has states."""
        return -np.inf, np.inf

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy, (E,) complex, in t."""
        return np.full(np.shape(energies), -0.5j * self.broadening)

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return ``Gamma = -2 Im Sigma``, (E,) float, in t."""
        return np.full(np.shape(energies), float(self.broadening))


@dataclass(frozen=True)
class SemiInfiniteChainLead:
    """Lead that is a uniform semi-infinite chain, its first site coupled to one site.

    Parameters
    ----------
    name : str
        Name of the terminal.
    site : int
        Site of the contact, counted from 0.
    hopping : float
        Hopping inside the lead, in t; its band is ``onsite -+ 2 |hopping|``.
    coupling : float
        Hopping between the lead's first site and ``site``, in t.
    onsite : float
        On-site energy of the lead, in t.
    chemical_potential, temperature : float
        In t; temperature 0 is allowed.

    Raises
    ------
    ValueError
        When a value is out of range.
    """

    name: str
    site: int
    hopping: float
    coupling: float
    onsite: float
    chemical_potential: float
    temperature: float

    def __post_init__(self):
        fine = self.hopping != 0 and np.isfinite(self.hopping)
        _require(fine, self.name, "hopping must be finite and not 0", self.hopping)
        for key in ("coupling", "onsite"):
            value = getattr(self, key)
            _require(np.isfinite(value), self.name, f"{key} must be finite", value)
        _check_lead(self)

    @property
    def band(self) -> tuple[float, float]:
        """Energies between which the lead has states."""
        return self.onsite - 2 * abs(self.hopping), self.onsite + 2 * abs(self.hopping)

    def _reduced(self, energies: np.ndarray) -> np.ndarray:
        """Energy from the band centre in half band widths."""
        return (np.asarray(energies, float) - self.onsite) / (2 * abs(self.hopping))

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy, (E,) complex, in t.

        ``Sigma = coupling^2 g`` with the surface Green's function ``g`` of the chain, the root of
        ``hopping^2 g^2 - (w - onsite) g + 1 = 0`` that is retarded inside the band and decays
        as ``1/w`` outside.
        """
        x = self._reduced(energies)
        scale = self.coupling**2 / abs(self.hopping)
        inside = abs(x) <= 1
        root = np.sqrt(abs(1 - abs(x))) * np.sqrt(1 + abs(x))
        # Outside, 1/(x + root) instead of x - root, which cancels far away.
        outside = np.sign(x) / np.where(inside, 1.0, abs(x) + root)
        return scale * np.where(inside, x - 1j * root, outside)

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return ``Gamma = -2 Im Sigma``, (E,) float, in t; exactly 0 outside the band."""
        return 0.0 - 2 * self.self_energy(energies).imag


Lead = WideBandLead | SemiInfiniteChainLead


def _hermitian(name: str, matrix: Tridiagonal | np.ndarray) -> Tridiagonal | np.ndarray:
    if isinstance(matrix, Tridiagonal):
        return matrix
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"the {name} matrix must be square, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        i, j = np.unravel_index(np.argmin(np.isfinite(matrix)), matrix.shape)
        raise ValueError(f"the {name} matrix is not finite: element ({i}, {j}) is {matrix[i, j]}")
    difference = abs(matrix - matrix.conj().T)
    i, j = np.unravel_index(np.argmax(difference), matrix.shape)
    if difference[i, j] > _ROUNDING * abs(matrix).max():
        raise ValueError(
            f"the {name} matrix is not Hermitian: element ({i}, {j}) = {matrix[i, j]} differs "
            f"from the conjugate of ({j}, {i}) = {matrix[j, i]} by {difference[i, j]:.3g}"
        )
    matrix = matrix.astype(complex)
    matrix.flags.writeable = False
    return matrix


def _smallest_eigenvalue(matrix: Tridiagonal | np.ndarray) -> float:
    if not isinstance(matrix, Tridiagonal):
        return float(np.linalg.eigvalsh(matrix)[0])
    bond = abs(matrix.upper)
    radius = np.append(bond, 0.0) + np.insert(bond, 0, 0.0)
    bound = float((matrix.diagonal - radius).min())
    if bound >= 0 or not bond.any():  # Gershgorin's discs settle it without eigenvalues
        return bound
    import scipy.linalg

    # A gauge transformation makes the elements beside the diagonal positive.
    ends = {"select": "i", "select_range": (0, 0)}
    return float(scipy.linalg.eigvalsh_tridiagonal(matrix.diagonal, bond, **ends)[0])


def _positive(name: str, matrix: Tridiagonal | np.ndarray) -> None:
    diagonal = matrix.diagonal if isinstance(matrix, Tridiagonal) else matrix.diagonal().real
    lowest = _smallest_eigenvalue(matrix)
    if lowest < -_ROUNDING * abs(diagonal).max():
        raise ValueError(
            f"the {name} matrix has the negative eigenvalue {lowest:.6g}; "
            "rates of loss and gain must be positive semi-definite"
        )


def as_dense(matrix: Tridiagonal | np.ndarray) -> np.ndarray:
    """Return the (N, N) array of either kind of matrix."""
    return matrix.to_dense() if isinstance(matrix, Tridiagonal) else matrix


@dataclass(frozen=True, eq=False)
class OpenSystem:
    """Quadratic fermions with Markovian loss and gain, attached to leads.

    Parameters
    ----------
    hamiltonian : Tridiagonal or (N, N) array
        ``h``, Hermitian, in t.
    loss, gain : Tridiagonal or (N, N) array
        ``P`` and ``Q``, Hermitian and positive semi-definite, in t/hbar.
    leads : sequence of WideBandLead or SemiInfiniteChainLead
        With names that are all different; several may share a site.

    One dense matrix makes all three dense.

    Raises
    ------
    ValueError
        When a matrix is not what it should be, sizes differ, or a lead does not fit.
    """

    hamiltonian: Tridiagonal | np.ndarray
    loss: Tridiagonal | np.ndarray
    gain: Tridiagonal | np.ndarray
    leads: tuple[Lead, ...]

    def __post_init__(self):
        names = ("hamiltonian", "loss", "gain")
        matrices = {name: _hermitian(name, getattr(self, name)) for name in names}
        if len({matrix.shape for matrix in matrices.values()}) > 1:
            shapes = ", ".join(f"{name} {matrix.shape}" for name, matrix in matrices.items())
            raise ValueError(f"the matrices must have one size, got {shapes}")
        _positive("loss", matrices["loss"])
        _positive("gain", matrices["gain"])
        if not all(isinstance(matrix, Tridiagonal) for matrix in matrices.values()):
            matrices = {name: as_dense(matrix) for name, matrix in matrices.items()}
        for name, matrix in matrices.items():
            object.__setattr__(self, name, matrix)
        object.__setattr__(self, "leads", tuple(self.leads))
        self._check_leads()

    def _check_leads(self) -> None:
        seen = set()
        for lead in self.leads:
            fits = lead.site < self.sites
            _require(fits, lead.name, f"site must be below the {self.sites} sites", lead.site)
            if lead.name in seen:
                raise ValueError(f"two leads have the name {lead.name!r}")
            seen.add(lead.name)

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return self.hamiltonian.shape[0]

    @property
    def is_tridiagonal(self) -> bool:
        """Whether all matrices are stored as `Tridiagonal`."""
        return isinstance(self.hamiltonian, Tridiagonal)

    @cached_property
    def contacts(self) -> np.ndarray:
        """Distinct sites that have a lead, sorted; (c,) int."""
        return np.unique(np.array([lead.site for lead in self.leads], int))

    def contact_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the sum of the leads' self-energies on each contact site, (E, c) complex."""
        total = np.zeros((np.size(energies), self.contacts.size), complex)
        for lead in self.leads:
            total[:, np.searchsorted(self.contacts, lead.site)] += lead.self_energy(energies)
        return total

    def damping_matrix(self) -> np.ndarray:
        """Return ``X = h - i (P + Q)`` as an (N, N) complex array, in t."""
        return as_dense(self.hamiltonian) - 1j * (as_dense(self.loss) + as_dense(self.gain))

    @cached_property
    def T(self) -> "OpenSystem":
        """System with every matrix transposed; its Green's function is the transposed one."""
        return OpenSystem(self.hamiltonian.T, self.loss.T, self.gain.T, self.leads)
