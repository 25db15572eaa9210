"""Open quadratic systems: a Hamiltonian, Markovian loss and gain, and leads.

Units hbar = k_B = e = 1, energies in the hopping t.  Loss ``P`` and gain ``Q`` are those of paper
extended-landauer-buttiker, eq (5): channels ``L = sum_j u_j c_j`` enter the master equation as
``2 L rho L^+ - {L^+ L, rho}``, so ``P_jk = sum u_j^* u_k``, the damping matrix is
``X = h - i (P + Q)``, ``G = (w - X - Sigma)^-1``, and populations decay with the rate ``2 P``.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np

from nessflow.systems.contacts import Contacts, Coupling
from nessflow.systems.leads.lead import Joined, Lead, Orbital
from nessflow.systems.matrices import (
    Matrix,
    Sparse,
    Tridiagonal,
    as_dense,
    as_sparse,
    check_positive,
    checked,
    equal,
    restricted,
    transposed,
)
from nessflow.systems.modes import Joint, Modes, contacts_of, joints

Result = TypeVar("Result")


def _require(fine: bool, name: str, what: str, got: object) -> None:
    if not fine:
        raise ValueError(f"lead {name!r}: {what}, got {got}")


@dataclass(frozen=True)
class AttachedLead:
    """One channel: a lead, the sites that it couples to, its occupation.

    Parameters
    ----------
    name : str
        Name of the lead.
    site : int or mapping of int to complex
        Site of the contact, counted from 0; or the amplitudes v of several, which couple
        coherently: the self-energy is ``v sigma v^+``.
    model : Lead
        Self-energy ``sigma`` and bands.
    chemical_potential, temperature : float
        In t; temperature 0 is allowed.
    terminal : str, optional
        Terminal that the lead is a channel of, see `OpenSystem.terminals`; its own name if None.
    charge : int
        What a particle of this channel counts.
    energy_offset : float
        Energy of its particles less that of the system's, in t.

    Raises
    ------
    ValueError
        When a value is out of range, or one that no solver knows of yet (a charge that is not 1,
        an offset that is not 0).
    """

    name: str
    site: int | Mapping[int, complex] | Coupling
    model: Lead
    chemical_potential: float
    temperature: float
    terminal: str | None = None
    charge: int = 1
    energy_offset: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.site, int | np.integer):
            pairs = tuple(sorted(dict(self.site).items()))
            _require(bool(pairs), self.name, "site needs at least one amplitude", self.site)
            _require(
                all(x != 0 and np.isfinite(x) for _, x in pairs),
                self.name,
                "amplitudes must be finite and not 0",
                dict(pairs),
            )
            object.__setattr__(self, "site", pairs)
        lowest = self.coupling[0][0]
        _require(lowest >= 0, self.name, "site must be 0 or more (counted from 0)", lowest)
        self._check_filling()
        kind = self.charge, self.energy_offset
        _require(kind == (1, 0), self.name, "charge and energy_offset must be 1 and 0", kind)

    @property
    def coupling(self) -> Coupling:
        """Sites, ascending, and amplitudes."""
        site: Any = self.site
        return site if isinstance(site, tuple) else ((site, 1.0),)

    @property
    def sites(self) -> np.ndarray:
        """Sites that it couples to, ascending; (k,) int."""
        return np.array([site for site, _ in self.coupling])

    @property
    def amplitudes(self) -> np.ndarray:
        """Amplitudes v on these sites, (k,) float or complex."""
        return np.array([amplitude for _, amplitude in self.coupling])

    def vector(self, sites: int) -> np.ndarray:
        """Return the amplitudes on all sites.

        Parameters
        ----------
        sites : int
            Number of sites N.

        Returns
        -------
        (N,) array
            Zero where the lead does not couple.
        """
        result = np.zeros(sites, self.amplitudes.dtype)
        result[self.sites] = self.amplitudes
        return result

    @property
    def orbitals(self) -> list[Orbital]:
        """What stands for its poles, as `nessflow.systems.leads.lead.bordered` wants it."""
        poles = self.model.poles
        return [(self.sites, np.sqrt(residue) * self.amplitudes, pole) for pole, residue in poles]

    def at(self, chemical_potential: float, temperature: float) -> "AttachedLead":
        """Return the channel at another chemical potential and temperature."""
        other = object.__new__(AttachedLead)
        filling = {"chemical_potential": chemical_potential, "temperature": temperature}
        vars(other).update(vars(self), **filling)
        other._check_filling()
        return other

    def _check_filling(self) -> None:
        mu, temperature = self.chemical_potential, self.temperature
        _require(math.isfinite(mu), self.name, "chemical_potential must be finite", mu)
        fine = temperature >= 0 and math.isfinite(temperature)
        _require(fine, self.name, "temperature must be finite and 0 or more", temperature)

    @property
    def conjugate(self) -> "AttachedLead":
        """The channel of the transposed system; the same object if it is its own."""
        if isinstance(self.model, Joined):
            model = self.model.conjugate
            return self if model is self.model else replace(self, model=model)
        if not np.iscomplex(self.amplitudes).any():
            return self
        return replace(self, site={site: np.conj(x) for site, x in self.coupling})

    def on(self, kept: np.ndarray) -> "AttachedLead":
        """Return the channel without the sites that are not kept, (N,) bool; as it is if none."""
        there = {site: x for site, x in self.coupling if kept[site]}
        if len(there) == len(self.coupling):
            return self
        return replace(self, site=there) if there else replace(self, model=self.model.uncoupled)

    def self_energy(self, energies: np.ndarray) -> np.ndarray:
        """Return the retarded self-energy, see `Lead.self_energy`."""
        return self.model.self_energy(energies)

    def broadening_at(self, energies: np.ndarray) -> np.ndarray:
        """Return ``Gamma = -2 Im Sigma``, see `Lead.broadening_at`.

        Raises
        ------
        ValueError
            Of a lead of coupled orbitals, whose channels have a broadening together alone
            (`OpenSystem.modes`).
        """
        require_alone(self)
        return self.model.broadening_at(energies)


def require_alone(lead: AttachedLead) -> None:
    """Check that a channel has fixed amplitudes.

    Parameters
    ----------
    lead : AttachedLead
        The channel.

    Raises
    ------
    ValueError
        When it is one of a lead of coupled orbitals.
    """
    if isinstance(lead.model, Joined):
        raise ValueError(
            f"the channels of lead {lead.terminal!r} mix its sites by amplitudes that follow the "
            "energy, which this kind of study cannot take; give it a lead with channels of its own "
            "on each site (semi-infinite-chain, wide-band, ...)"
        )


Place = int | Sequence[int] | Mapping[int, complex]
"""A site; several, on each of which a lead has channels; amplitudes on several."""


def attached_leads(
    name: str, model: Lead, site: Place, chemical_potential: float, temperature: float
) -> list[AttachedLead]:
    """Return the channels of a lead, one terminal.

    Parameters
    ----------
    name : str
        Name of the lead.
    model : Lead
        What it is.
    site : int, sequence of int, or mapping of int to complex
        Where it couples, counted from 0: one channel on one site or, with the amplitudes of a
        mapping, coherently on several; the channels of `Lead.channels` on a sequence.
    chemical_potential, temperature : float
        In t.

    Returns
    -------
    list of AttachedLead
        One for each channel.
    """
    filling = chemical_potential, temperature
    if isinstance(site, int | np.integer | Mapping):
        return [AttachedLead(name, site, model, *filling)]
    found = []
    for number, (vector, lead) in enumerate(model.channels(len(site)), 1):
        pairs = {j: x for j, x in zip(site, vector.tolist(), strict=True) if x != 0}
        ((first, amplitude), *others) = pairs.items()
        is_point = not others and amplitude == 1
        own = f"{name}, mode {number}" if model.has_rows else f"{name} on site {first + 1}"
        found.append((own, first if is_point else pairs, lead))
    if len(found) == 1:
        return [AttachedLead(name, *found[0][1:], *filling)]
    return [AttachedLead(*channel, *filling, name) for channel in found]


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
    """Return whether there are energies at which all terminals of leads have states."""
    bands_of: dict[str, set] = {}
    for lead in leads:
        bands_of.setdefault(lead.terminal or lead.name, set()).update(lead.model.bands)
    shared = [(-np.inf, np.inf)]
    for bands in bands_of.values():
        both = [(x, y) for x in shared for y in bands]
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
class Surroundings:
    """All of an open system but its Hamiltonian.

    Attributes
    ----------
    loss, gain : Tridiagonal, Sparse or (N, N) array
        As of `OpenSystem`.
    leads : tuple of AttachedLead
        The leads.
    terminals : tuple of Terminal
        What they make up.
    """

    loss: Matrix
    gain: Matrix
    leads: tuple[AttachedLead, ...]
    terminals: tuple[Terminal, ...]

    def __getstate__(self) -> dict:
        """Return what is copied and pickled: without what others remember of it."""
        return {name: value for name, value in vars(self).items() if name != _REMEMBERED}


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
    removed : sequence of int
        Sites that are taken out, see `without_sites`.
    bonds : (B, 2) int array, optional
        Pairs of sites, from 0, that count as bonds: ascending, in pairs and among them.  Those
        that any matrix joins unless told, of a tridiagonal one all neighbours.
    orbitals : int
        Number of rows, next to each other, that are orbitals of one site.

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
    removed: tuple[int, ...] = ()
    bonds: np.ndarray | None = None
    orbitals: int = 1

    def __post_init__(self) -> None:
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

    def with_hamiltonian(
        self, hamiltonian: Matrix, loss: Matrix | None = None, gain: Matrix | None = None
    ) -> "OpenSystem":
        """Return the system with another Hamiltonian, and loss and gain, such as those of a sample.

        Leads are not looked at again, and neither are loss and gain where they stay; what is
        remembered of them is shared.

        Parameters
        ----------
        hamiltonian : Tridiagonal, (N, N) matrix of scipy.sparse or (N, N) array
            Hermitian, in t.
        loss, gain : Tridiagonal, (N, N) matrix of scipy.sparse or (N, N) array, optional
            As of `OpenSystem`; those of the system unless told.

        Returns
        -------
        OpenSystem
            As if it were made anew.

        Raises
        ------
        ValueError
            When a matrix is not what it should be.
        """
        told = {"hamiltonian": hamiltonian, "loss": loss, "gain": gain}
        given: dict[str, Any] = {n: checked(n, x) for n, x in told.items() if x is not None}
        same = all(isinstance(x, Tridiagonal) for x in given.values()) and self.is_tridiagonal
        if not (same and all(x.shape == self.hamiltonian.shape for x in given.values())):
            return replace(self, **given)
        for name in ("loss", "gain"):
            if name in given:
                check_positive(name, given[name])
        kept = ["loss", "gain", "leads", "terminals"]
        if len(given) == 1:
            kept.append("surroundings")
        return self._like([name for name in kept if name not in given], **given)

    def without_sites(self, sites: Sequence[int]) -> "OpenSystem":
        """Return the system with sites taken out: coupled to nothing, and holding nothing.

        They keep their numbers.  A lead that couples to them alone is coupled to nothing.

        Parameters
        ----------
        sites : sequence of int
            From 0.

        Returns
        -------
        OpenSystem
            With the same terminals and bonds.
        """
        removed = tuple(sorted({*self.removed, *map(int, sites)}))
        kept = np.ones(self.sites, bool)
        kept[list(removed)] = False
        h, loss, gain = (restricted(x, kept) for x in (self.hamiltonian, self.loss, self.gain))
        leads = [lead.on(kept) for lead in self.leads]
        for joint in self.joints:
            model = joint.lead.on(kept[joint.sites])
            for row, a in enumerate(joint.channels.tolist()):
                leads[a] = replace(self.leads[a], model=Joined(lead=model, row=row))
        bonds = None if self.is_tridiagonal else self.pairs
        return OpenSystem(h, loss, gain, tuple(leads), removed, bonds, self.orbitals)

    def with_occupations(
        self, chemical_potentials: np.ndarray, temperatures: np.ndarray
    ) -> "OpenSystem":
        """Return the system with its leads at other chemical potentials and temperatures.

        Nothing else is looked at again, and all that is `remembered` is shared.

        Parameters
        ----------
        chemical_potentials, temperatures : (l,) array
            Of the leads, in t.

        Returns
        -------
        OpenSystem
            As if it were made anew.

        Raises
        ------
        ValueError
            When a value is out of range, or leads of a terminal differ in theirs.
        """
        filling = (np.asarray(x, float).tolist() for x in (chemical_potentials, temperatures))
        leads = tuple(lead.at(*each) for lead, *each in zip(self.leads, *filling, strict=True))
        matrices = ("hamiltonian", "loss", "gain")
        memories = {name: _memory(self, name) for name in (_REMEMBERED, _OF_MATRICES)}
        other = self._like(matrices, leads=leads, **memories)
        other._check_terminals()
        around = Surroundings(self.loss, self.gain, leads, other.terminals)
        vars(around)[_REMEMBERED] = _memory(self.surroundings)
        vars(other)["surroundings"] = around
        return other

    def sharing(self, other: "OpenSystem") -> "OpenSystem":
        """Return the system as another with other occupations, where it differs in nothing else.

        Parameters
        ----------
        other : OpenSystem
            Any other.

        Returns
        -------
        OpenSystem
            The system itself where more differs; else all that is `remembered` is shared.
        """

        def parts(system: OpenSystem) -> list[object]:
            leads = [(x.name, x.coupling, x.model, x.terminal) for x in system.leads]
            return [system.orbitals, system.removed, *leads]

        names = "hamiltonian", "loss", "gain"
        same = all(equal(getattr(self, name), getattr(other, name)) for name in names)
        if same and parts(self) == parts(other) and _equal_bonds(self.bonds, other.bonds):
            return self._occupying(other)
        return self

    def _occupying(self, other: "OpenSystem") -> "OpenSystem":
        """Return another system of the same leads with the occupations of this one."""
        filling = [(x.chemical_potential, x.temperature) for x in self.leads]
        return other.with_occupations(*np.reshape(filling, (-1, 2)).T)

    def _like(self, kept: Iterable[str], **others: Any) -> "OpenSystem":
        """Return a system that shares how the leads couple, and what else is named."""
        other = object.__new__(OpenSystem)
        own = ("removed", "bonds", "orbitals")
        names = (
            *kept,
            *own,
            "terminal_of_lead",
            "coupling",
            "joints",
            "alike_leads",
            "entire_leads",
        )
        vars(other).update({name: getattr(self, name) for name in names}, **others)
        return other

    @cached_property
    def interpolated(self) -> "OpenSystem":
        """The system with leads for very many energies, as integrals want them; itself if it is."""
        return self._with_models("interpolated")

    @cached_property
    def computed(self) -> "OpenSystem":
        """The system with leads for few energies; itself if it is."""
        return self._with_models("computed")

    def _with_models(self, kind: str, *arguments: Hashable) -> "OpenSystem":
        other = _with_leads(self, kind, *arguments)
        return self if other is None else self._occupying(other)

    def with_rounded_leads(self, distance: float, number: int) -> "OpenSystem":
        """Return the system with the leads of each terminal as they may be for rounding.

        Parameters
        ----------
        distance : float
            What bands are off by, up to a factor of 2, in t.
        number : int
            Of several ways in which they may.

        Returns
        -------
        OpenSystem
            Itself where all leads are formulas, see `Lead.rounded`.
        """
        return self._with_models("rounded", distance, number)

    @cached_property
    def surroundings(self) -> "Surroundings":
        """Loss, gain and leads; one object for all samples."""
        return Surroundings(self.loss, self.gain, self.leads, self.terminals)

    @cached_property
    def pairs(self) -> np.ndarray:
        """Pairs of sites that are bonds, (B, 2) int; see ``bonds`` of the class."""
        if self.bonds is not None:
            return self.bonds
        if self.is_tridiagonal:
            first = np.arange(self.sites - 1)
            return np.stack([first, first + 1], axis=1)
        matrices: Any = (self.hamiltonian, self.loss, self.gain)
        joined: Any = sum(abs(x.matrix if isinstance(x, Sparse) else x) for x in matrices)
        row, column = joined.nonzero()[:2]
        pairs = np.stack([row, column], axis=1)[row < column]
        return pairs[np.lexsort(pairs.T[::-1])].astype(int)

    def _check_leads(self) -> None:
        seen = set()
        for lead in self.leads:
            last = lead.coupling[-1][0]
            fits = last < self.sites
            _require(fits, lead.name, f"site must be below the {self.sites} sites", last)
            if lead.name in seen:
                raise ValueError(f"two leads have the name {lead.name!r}")
            seen.add(lead.name)
        self._check_terminals()

    def _check_terminals(self) -> None:
        for terminal in self.terminals if len(self.terminals) < len(self.leads) else ():
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
    def lead_orbitals(self) -> list[Orbital]:
        """What stands for the poles of all leads' self-energies, see `AttachedLead.orbitals`."""
        own = [orbital for lead in self.leads for orbital in lead.orbitals]
        return own + [orbital for joint in self.joints for orbital in joint.orbitals]

    @cached_property
    def coupling(self) -> Contacts:
        """Vectors by which the leads couple."""
        return contacts_of(self.leads)

    @cached_property
    def joints(self) -> tuple[Joint, ...]:
        """Leads of coupled orbitals, whose channels have amplitudes that follow the energy."""
        return joints(self.leads, self.coupling)

    def modes(self, energies: np.ndarray) -> Modes:
        """Return broadenings and amplitudes of the channels of the leads.

        Parameters
        ----------
        energies : (E,) array
            In t.

        Returns
        -------
        Modes
            Computed when asked for.
        """
        return Modes(self, energies)

    @property
    def contacts(self) -> np.ndarray:
        """Distinct sites that have a lead, sorted; (k,) int."""
        return self.coupling.sites

    @property
    def is_wired_chain(self) -> bool:
        """Whether it is a chain, each lead on one site: what compiled kernels take."""
        return self.is_tridiagonal and self.coupling.are_points

    @cached_property
    def alike_leads(self) -> tuple[tuple[AttachedLead, list[int]], ...]:
        """Leads that differ in their self-energies, each with the places of all that are alike."""
        groups: dict[Lead, list[int]] = {}
        for a, lead in enumerate(self.leads):
            groups.setdefault(lead.model, []).append(a)
        return tuple((self.leads[members[0]], members) for members in groups.values())

    @cached_property
    def entire_leads(self) -> tuple[tuple[Lead, list[int]], ...]:
        """Leads that differ in their bands, each with the places of all channels that have them."""
        groups: dict[Lead, list[int]] = {}
        for lead, members in self.alike_leads:
            groups.setdefault(lead.model.entire, []).extend(members)
        return tuple(groups.items())

    def self_energies(self, energies: np.ndarray) -> list[np.ndarray]:
        """Return the self-energy of each channel, of coupled ones on its site.

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
        """Return the elements of the sum of the leads' self-energies, a matrix between contacts.

        Parameters
        ----------
        energies : (E,) array
            Energies w, in t.

        Returns
        -------
        (E, p) complex array
            In t, at the rows and columns of `Contacts.elements`: by contact site, where each lead
            is on one.
        """
        return self.modes(energies).self_energy.T

    def damping_matrix(self) -> np.ndarray:
        """Return ``X = h - i (P + Q)`` as an (N, N) complex array, in t."""
        return as_dense(self.hamiltonian) - 1j * (as_dense(self.loss) + as_dense(self.gain))

    @cached_property
    def T(self) -> "OpenSystem":
        """System with every matrix transposed; its Green's function is the transposed one.

        The same object if all matrices and all amplitudes are real.
        """
        own = self.hamiltonian, self.loss, self.gain
        h, loss, gain = (transposed(matrix) for matrix in own)
        leads = tuple(lead.conjugate for lead in self.leads)
        pairs = zip((*own, *self.leads), (h, loss, gain, *leads), strict=True)
        if all(x is y for x, y in pairs):
            return self
        return OpenSystem(h, loss, gain, leads, self.removed, self.bonds, self.orbitals)

    def __getstate__(self) -> dict:
        """Return what is copied and pickled: without what others remember of the system."""
        kept = (_REMEMBERED, _OF_MATRICES)
        return {name: value for name, value in vars(self).items() if name not in kept}


_REMEMBERED, _OF_MATRICES = "_remembered", "_remembered_of_matrices"
_VALUES = 32
Whole = TypeVar("Whole", OpenSystem, Surroundings)


def _memory(system: Whole, name: str = _REMEMBERED) -> dict:
    return vars(system).setdefault(name, {})


def remembered(function: Callable[..., Result], name: str = _REMEMBERED) -> Callable[..., Result]:
    """Return a function of one system, or of its surroundings, that is computed once for each.

    The results are kept as long as the system is, whatever else is computed meanwhile, and shared
    by systems that differ in the occupations of their leads alone, which they do not depend on.
    Further arguments are hashable; of their values, such as a chemical potential of each point of a
    study, the last `_VALUES` are kept.
    """

    @wraps(function)
    def once(system: Whole, *arguments: Hashable) -> Result:
        kept = _memory(system, name)
        if arguments:
            kept = kept.setdefault(function, {})
        key = arguments or function
        if key not in kept:
            if arguments and len(kept) == _VALUES:
                del kept[next(iter(kept))]
            kept[key] = function(system, *arguments)
        return kept[key]

    return once


def remembered_of_matrices(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return the same for what follows from matrices and from the sites that leads couple to.

    It is shared besides by systems whose leads are interpolated, or are those of another rounding.
    """
    return remembered(function, _OF_MATRICES)


def _equal_bonds(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)


@remembered
def _with_leads(system: OpenSystem, kind: str, *arguments: Any) -> OpenSystem | None:
    """Return the system with other models of its leads, None where they are the same.

    Whoever asks gives it the occupations: it is shared by systems that differ in these alone.
    """
    if kind == "rounded":
        distance, number = arguments
        numbers = number * len(system.terminals) + system.terminal_of_lead
        models = [
            lead.model.rounded(distance, own)
            for lead, own in zip(system.leads, numbers.tolist(), strict=True)
        ]
    else:
        models = [getattr(lead.model, kind) for lead in system.leads]
    pairs = list(zip(system.leads, models, strict=True))
    if all(lead.model is model for lead, model in pairs):
        return None
    other = replace(system, leads=tuple(replace(lead, model=model) for lead, model in pairs))
    vars(other)[_OF_MATRICES] = _memory(system, _OF_MATRICES)
    return other
