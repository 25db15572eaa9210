"""Open quadratic systems: a Hamiltonian, Markovian loss and gain, and leads.

Units hbar = k_B = e = 1, energies in the hopping t.  Loss ``P`` and gain ``Q`` are those of paper
extended-landauer-buttiker, eq (5): channels ``L = sum_j u_j c_j`` enter the master equation as
``2 L rho L^+ - {L^+ L, rho}``, so ``P_jk = sum u_j^* u_k``, the damping matrix is
``X = h - i (P + Q)``, ``G = (w - X - Sigma)^-1``, and populations decay with the rate ``2 P``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nessflow.scattering.leads import Lead
from nessflow.scattering.matrices import (
    Matrix,
    Sparse,
    Tridiagonal,
    as_dense,
    as_sparse,
    check_positive,
    checked,
)


def _require(fine: bool, name: str, what: str, got: object) -> None:
    if not fine:
        raise ValueError(f"lead {name!r}: {what}, got {got}")


@dataclass(frozen=True)
class AttachedLead:
    """Lead at a site, with its occupation: one channel of a terminal.

    Parameters
    ----------
    name : str
        Name of the lead.
    site : int
        Site of the contact, counted from 0.
    model : Lead
        Self-energy and bands.
    chemical_potential, temperature : float
        In t; temperature 0 is allowed.
    terminal : str, optional
        Terminal that the lead is a channel of, see `OpenSystem.terminals`; its own name if None.

    Raises
    ------
    ValueError
        When a value is out of range.
    """

    name: str
    site: int
    model: Lead
    chemical_potential: float
    temperature: float
    terminal: str | None = None

    def __post_init__(self):
        _require(self.site >= 0, self.name, "site must be 0 or more (counted from 0)", self.site)
        mu, temperature = self.chemical_potential, self.temperature
        _require(np.isfinite(mu), self.name, "chemical_potential must be finite", mu)
        fine = temperature >= 0 and np.isfinite(temperature)
        _require(fine, self.name, "temperature must be finite and 0 or more", temperature)

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy, see `Lead.self_energy`."""
        return self.model.self_energy(energies)

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return ``Gamma = -2 Im Sigma``, see `Lead.broadening_at`."""
        return self.model.broadening_at(energies)


def outermost_edges(leads: Iterable[AttachedLead]) -> tuple[float, float]:
    """Return the lowest and the highest edge of the bands of leads, in t.

    Parameters
    ----------
    leads : iterable of AttachedLead
        At least one.

    Returns
    -------
    low, high : float
        In t.
    """
    models = [lead.model for lead in leads]
    return min(x.bottom for x in models), max(x.top for x in models)


def share_states(leads: Iterable[AttachedLead]) -> bool:
    """Return whether there are energies at which all leads have states."""
    shared = [(-np.inf, np.inf)]
    for lead in leads:
        both = [(x, y) for x in shared for y in lead.model.bands]
        cuts = [(max(x[0], y[0]), min(x[1], y[1])) for x, y in both]
        shared = [(low, high) for low, high in cuts if low < high]
    return bool(shared)


@dataclass(frozen=True)
class Terminal:
    """Leads that are counted as one, of one chemical potential and temperature.

    Attributes
    ----------
    name : str
        Name, that of the lead where it is one.
    chemical_potential, temperature : float
        In t.
    channels : tuple of int
        Places of the leads among those of the system.
    """

    name: str
    chemical_potential: float
    temperature: float
    channels: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class OpenSystem:
    """Quadratic fermions with Markovian loss and gain, attached to leads.

    Parameters
    ----------
    hamiltonian : Tridiagonal, (N, N) matrix of scipy.sparse or (N, N) array
        ``h``, Hermitian, in t.
    loss, gain : Tridiagonal, (N, N) matrix of scipy.sparse or (N, N) array
        ``P`` and ``Q``, Hermitian and positive semi-definite, in t/hbar.
    leads : sequence of AttachedLead
        With names that are all different; several may share a site.  Leads of the same
        ``terminal`` must have the same chemical potential and temperature.

    One dense matrix makes all three dense; otherwise one `Sparse` makes all three sparse.

    Raises
    ------
    ValueError
        When a matrix is not what it should be, sizes differ, or a lead does not fit.
    """

    hamiltonian: Matrix
    loss: Matrix
    gain: Matrix
    leads: tuple[AttachedLead, ...]

    def __post_init__(self):
        names = ("hamiltonian", "loss", "gain")
        matrices = {name: checked(name, getattr(self, name)) for name in names}
        if len({matrix.shape for matrix in matrices.values()}) > 1:
            shapes = ", ".join(f"{name} {matrix.shape}" for name, matrix in matrices.items())
            raise ValueError(f"the matrices must have one size, got {shapes}")
        check_positive("loss", matrices["loss"])
        check_positive("gain", matrices["gain"])
        for kind, convert in ((np.ndarray, as_dense), (Sparse, as_sparse)):
            if any(isinstance(matrix, kind) for matrix in matrices.values()):
                matrices = {name: convert(matrix) for name, matrix in matrices.items()}
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
        for terminal in self.terminals:
            for key in ("chemical_potential", "temperature"):
                values = {getattr(self.leads[a], key) for a in terminal.channels}
                if len(values) > 1:
                    found = ", ".join(f"{value:g}" for value in sorted(values))
                    raise ValueError(
                        f"the leads of terminal {terminal.name!r} must have one {key}, got {found}"
                    )

    @cached_property
    def terminals(self) -> tuple[Terminal, ...]:
        """Terminals other than loss and gain, ordered by their first lead."""
        channels: dict[str, list[int]] = {}
        for a, lead in enumerate(self.leads):
            channels.setdefault(lead.terminal or lead.name, []).append(a)
        firsts = {name: self.leads[mine[0]] for name, mine in channels.items()}
        return tuple(
            Terminal(name, lead.chemical_potential, lead.temperature, tuple(channels[name]))
            for name, lead in firsts.items()
        )

    @cached_property
    def terminal_of_lead(self) -> np.ndarray:
        """Place of each lead's terminal among `terminals`, (l,) int."""
        result = np.empty(len(self.leads), int)
        for k, terminal in enumerate(self.terminals):
            result[list(terminal.channels)] = k
        return result

    @property
    def sites(self) -> int:
        """Number of sites N."""
        return self.hamiltonian.shape[0]

    @property
    def is_tridiagonal(self) -> bool:
        """Whether all matrices are stored as `Tridiagonal`."""
        return isinstance(self.hamiltonian, Tridiagonal)

    @property
    def is_dense(self) -> bool:
        """Whether all matrices are stored with all their elements."""
        return isinstance(self.hamiltonian, np.ndarray)

    @cached_property
    def contacts(self) -> np.ndarray:
        """Distinct sites that have a lead, sorted; (c,) int."""
        return np.unique(np.array([lead.site for lead in self.leads], int))

    @cached_property
    def alike_leads(self) -> tuple[tuple[AttachedLead, list[int]], ...]:
        """Leads that differ in their self-energies, each with the places of all that are alike."""
        groups: dict[Lead, list[int]] = {}
        for a, lead in enumerate(self.leads):
            groups.setdefault(lead.model, []).append(a)
        return tuple((self.leads[members[0]], members) for members in groups.values())

    def self_energies(self, energies: np.ndarray) -> list[np.ndarray]:
        """Return the self-energy of each lead.

        Parameters
        ----------
        energies : (E,) array
            Energies, in t.

        Returns
        -------
        list of (E,) complex array
            In t; leads that are alike share one array.
        """
        result = [np.empty(0, complex)] * len(self.leads)
        for lead, members in self.alike_leads:
            row = lead.self_energy(energies)
            for a in members:
                result[a] = row
        return result

    def contact_self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the sum of the leads' self-energies on each contact site.

        Parameters
        ----------
        energies : (E,) array
            Energies w, in t.

        Returns
        -------
        (E, c) complex array
            In t.
        """
        total = np.zeros((np.size(energies), self.contacts.size), complex)
        for lead, row in zip(self.leads, self.self_energies(energies), strict=True):
            total[:, np.searchsorted(self.contacts, lead.site)] += row
        return total

    def damping_matrix(self) -> np.ndarray:
        """Return ``X = h - i (P + Q)`` as an (N, N) complex array, in t."""
        return as_dense(self.hamiltonian) - 1j * (as_dense(self.loss) + as_dense(self.gain))

    @cached_property
    def T(self) -> "OpenSystem":
        """System with every matrix transposed; its Green's function is the transposed one.

        The same object if all matrices are real tridiagonal ones.
        """
        matrices = self.hamiltonian, self.loss, self.gain
        if all(isinstance(matrix, Tridiagonal) and matrix.T is matrix for matrix in matrices):
            return self
        return OpenSystem(*(matrix.T for matrix in matrices), self.leads)
