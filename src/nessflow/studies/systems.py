"""Parameters of an open quadratic system: lattice, disorder, loss, gain and leads."""

import re
from typing import Annotated, Literal, Union

import numpy as np
from pydantic import Discriminator, Field, field_validator, model_validator
from scipy.sparse import csr_array

from nessflow.parts import KeyedError, Strict, at_key, quantity
from nessflow.scattering import geometry, lattice
from nessflow.scattering.leads import Lead, lead_kinds
from nessflow.scattering.system import AttachedLead, OpenSystem, Tridiagonal
from nessflow.studies.draws import stream
from nessflow.studies.kind import Coordinate, Limits
from nessflow.studies.matrix import Matrix, hermitian, require_square
from nessflow.studies.placement import require_different

CONVENTIONS = (
    "Lattices: h = -hopping between coupled sites.  Sites are numbered from 1: along a chain or a "
    "ring, column by column in a strip, rung by rung in a ladder, arm by arm from the centre "
    "(site 1) in a star.",
    "Loss and gain: d rho/dt = sum_m 2 L rho L^+ - {L^+ L, rho} (no factor 1/2), so that a rate "
    "gamma damps amplitudes with gamma and populations with 2 gamma.",
    "Green's function: G = 1/(E - h + i P + i Q - Sigma), P_jk = sum_m u*_mj u_mk of the loss "
    "channels, Q_jk = sum_m v_mj v*_mk of the gain channels.",
    "Terminals: the leads with their Fermi functions, loss with occupation 0, gain with 1.  A "
    "terminal's current counts from the terminal into the system; they sum to zero.  A lead on "
    "several sites has one independent channel on each and counts as one terminal.",
    "Net current = Landauer + reservoir[left] - reservoir[right], positive from left to right, "
    "the first lead being left and the second right; a reservoir current is half of the current "
    "between that lead and loss or gain.  They are defined with exactly two leads.",
)

Site = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0)]


class Lattice(Strict):
    """What lattices of given shape have in common: energies of their sites."""

    onsite: float | tuple[float, ...] = quantity(
        "on-site energy, one number or one for each site",
        "t",
        0.0,
        if_complex="on-site energies are real; particle loss and gain go under loss and gain",
    )

    @model_validator(mode="after")
    def _one_energy_per_site(self):
        if isinstance(self.onsite, tuple) and len(self.onsite) != self.sites:
            raise KeyedError(
                f"onsite has {len(self.onsite)} energies for {self.sites} sites", "onsite"
            )
        return self

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1, self.sites

    def energies(self, disorder: np.ndarray | float) -> np.ndarray:
        """Return the on-site energies with ``disorder`` added, shape (sites,)."""
        return self.onsite + np.zeros(self.sites) + disorder


Length = Annotated[int, Field(ge=1, le=10_000_000)]


class Chain(Lattice):
    """Open chain, h[j, j+1] = -hopping."""

    kind: Literal["chain"]
    sites: Length = quantity("number of sites", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    def hamiltonian(self, disorder: np.ndarray | float) -> Tridiagonal:
        """Return h with ``disorder`` added to the on-site energies."""
        return lattice.chain(self.sites, self.hopping, self.energies(disorder))


class SSH(Lattice):
    """Su-Schrieffer-Heeger chain: hoppings alternate, the first cell is sites 1 and 2."""

    kind: Literal["ssh"]
    sites: Length = quantity("number of sites", "1")
    intracell_hopping: float = quantity("hopping within a cell", "t", 1.0)
    intercell_hopping: float = quantity("hopping between cells", "t", 1.0)

    def hamiltonian(self, disorder: np.ndarray | float) -> Tridiagonal:
        """Return h with ``disorder`` added to the on-site energies."""
        hoppings = self.intracell_hopping, self.intercell_hopping
        return geometry.ssh_chain(self.sites, *hoppings, self.energies(disorder))


class LongRange(Lattice):
    """Open chain whose hoppings fall with a power of the distance."""

    kind: Literal["long-range"]
    sites: Annotated[int, Field(ge=1, le=10_000)] = quantity("number of sites", "1")
    hopping: float = quantity("hopping amplitude between neighbours", "t", 1.0)
    exponent: float = quantity("power of the distance that hoppings are divided by", "1", ge=0)
    reach: int | None = quantity(
        "distance beyond which nothing hops; left out: the whole chain", "1", None, ge=1
    )

    def hamiltonian(self, disorder: np.ndarray | float) -> csr_array:
        """Return h with ``disorder`` added to the on-site energies."""
        reach = self.sites if self.reach is None else self.reach
        return geometry.long_range_chain(
            self.sites, self.hopping, self.exponent, reach, self.energies(disorder)
        )


class Strip(Lattice):
    """Rectangle of the square lattice; site = (column - 1) * width + row, all from 1."""

    kind: Literal["strip"]
    length: Length = quantity("number of columns", "1")
    width: Length = quantity("number of sites in a column", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    @property
    def sites(self) -> int:
        """Number of sites."""
        return self.length * self.width

    def hamiltonian(self, disorder: np.ndarray | float) -> csr_array:
        """Return h with ``disorder`` added to the on-site energies."""
        return geometry.strip(self.length, self.width, self.hopping, self.energies(disorder))


class Ladder(Lattice):
    """Two coupled chains; site = 2 * (rung - 1) + chain, rung from 1, chain 1 or 2."""

    kind: Literal["ladder"]
    length: Length = quantity("number of rungs", "1")
    hopping: float = quantity("hopping along the chains", "t", 1.0)
    rung_hopping: float = quantity("hopping on the rungs", "t", 1.0)

    @property
    def sites(self) -> int:
        """Number of sites."""
        return 2 * self.length

    def hamiltonian(self, disorder: np.ndarray | float) -> csr_array:
        """Return h with ``disorder`` added to the on-site energies."""
        hoppings = self.hopping, self.rung_hopping
        return geometry.ladder(self.length, *hoppings, self.energies(disorder))


class Ring(Lattice):
    """Ring that encloses a flux; the right lead is opposite the left one unless told."""

    kind: Literal["ring"]
    sites: Annotated[int, Field(ge=3, le=10_000_000)] = quantity("number of sites", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)
    flux: float = quantity("phase gathered on the way around the ring", "rad", 0.0)

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1, 1 + self.sites // 2

    def hamiltonian(self, disorder: np.ndarray | float) -> csr_array:
        """Return h with ``disorder`` added to the on-site energies."""
        return geometry.ring(self.sites, self.hopping, self.flux, self.energies(disorder))


class Star(Lattice):
    """Arms that meet in site 1; site = 1 + (arm - 1) * length + position, position from 1.

    The leads are at the ends of the first and of the last arm unless told.
    """

    kind: Literal["star"]
    arms: Length = quantity("number of arms", "1")
    length: Length = quantity("number of sites in an arm", "1")
    hopping: float = quantity("hopping amplitude", "t", 1.0)

    @property
    def sites(self) -> int:
        """Number of sites."""
        return 1 + self.arms * self.length

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1 + self.length, self.sites

    def hamiltonian(self, disorder: np.ndarray | float) -> csr_array:
        """Return h with ``disorder`` added to the on-site energies."""
        return geometry.star(self.arms, self.length, self.hopping, self.energies(disorder))


class MatrixLattice(Strict):
    """Any Hermitian hamiltonian, written out row by row."""

    kind: Literal["matrix"]
    hamiltonian_rows: Matrix = Field(
        alias="hamiltonian",
        description="rows of the Hermitian matrix h; complex as '1+2j', '1+2i' or [1, 2]",
    )
    hermitian_part: bool = Field(
        False, description="take (h + h^+)/2 of a matrix that was printed with few digits"
    )

    @model_validator(mode="after")
    def _hermitian(self):
        with at_key("hamiltonian"):
            require_square(self.hamiltonian_rows)
            hermitian(self.hamiltonian_rows, part=self.hermitian_part)
        return self

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.hamiltonian_rows)

    @property
    def contacts(self) -> tuple[int, int]:
        """Sites of the left and of the right lead unless told, from 1."""
        return 1, self.sites

    def hamiltonian(self, disorder: np.ndarray | float) -> np.ndarray:
        """Return h with ``disorder`` added to the on-site energies."""
        h = hermitian(self.hamiltonian_rows, part=self.hermitian_part)
        return h + np.diag(np.zeros(self.sites) + disorder)


class UniformDisorder(Strict):
    """Independent on-site energies, uniform in [-half_width, half_width]."""

    kind: Literal["uniform"]
    half_width: float = quantity("disorder half-width", "t", ge=0)


class OnsiteChannels(Strict):
    """One channel sqrt(rate) c_j (loss) or sqrt(rate) c_j^+ (gain) on every site."""

    kind: Literal["onsite"]
    rate: float = quantity("rate on every site (population rate: twice this)", "t/hbar", ge=0)

    def matrix(self, sites: int, gain: bool) -> Tridiagonal:
        """Return P (loss) or Q (gain)."""
        return lattice.onsite_rates(np.full(sites, self.rate))


class SiteChannels(Strict):
    """Channels on chosen sites, numbered from 1."""

    kind: Literal["sites"]
    rates: dict[Site, Rate] = Field(
        description="site number -> rate (population rate: twice this)",
        json_schema_extra={"natural_units": "t/hbar"},
    )

    def matrix(self, sites: int, gain: bool) -> Tridiagonal:
        """Return P (loss) or Q (gain)."""
        rates = np.zeros(sites)
        for site, rate in self.rates.items():
            rates[site - 1] = rate
        return lattice.onsite_rates(rates)


class BondChannels(Strict):
    """One channel on each bond of a chain: sqrt(rate) (c_j + exp(i phase) c_{j+1}), c^+ for gain.

    The phase -pi/2 is the loss of paper 000, main text (supplement: erratum E11).  With
    ``boundary`` the two channels sqrt(rate) c_1 and sqrt(rate) c_N of the supplement are added.
    """

    kind: Literal["bond"]
    rate: float = quantity("rate on every bond", "t/hbar", ge=0)
    phase: float = quantity("phase of the second site of a bond", "rad", -np.pi / 2)
    boundary: bool = Field(False, description="add a channel on the first and the last site")

    def matrix(self, sites: int, gain: bool) -> Tridiagonal:
        """Return P (loss) or Q (gain)."""
        return lattice.bond_rates(
            sites, self.rate, phase=self.phase, boundary=self.boundary, gain=gain
        )


Channels = Annotated[OnsiteChannels | SiteChannels | BondChannels, Discriminator("kind")]


class LeadRole(Strict):
    """What a lead has as a terminal of given occupation."""

    chemical_potential: float = quantity("chemical potential", "t")
    temperature: float = quantity("temperature", "t", ge=0)
    site: Site | tuple[Site, ...] | None = Field(
        None,
        description="site it couples to, from 1, or a list of sites, each with a channel of its "
        "own (default of the leads left and right: the ends of the lattice)",
    )

    @field_validator("site")
    @classmethod
    def _each_once(cls, site):
        sites = site if isinstance(site, tuple) else (site,)
        if not sites:
            raise ValueError("no sites; name one or leave the key out")
        require_different(sites, "listed twice")
        return site

    def channels(self, name: str, sites: tuple[int, ...]) -> list[AttachedLead]:
        """Return the leads of the engine, one on each of ``sites`` (from 1), one terminal."""
        names = [f"{name} on site {site}" for site in sites] if len(sites) > 1 else [name]
        terminal = name if len(sites) > 1 else None
        filling = self.chemical_potential, self.temperature
        model = model_of(self)
        return [
            AttachedLead(own, site - 1, model, *filling, terminal)
            for own, site in zip(names, sites, strict=True)
        ]


def with_role(role: type[Strict]) -> tuple[type[Strict], ...]:
    """Return every kind of lead with the keys of a role besides its own."""
    return tuple(
        type(lead.__name__, (role, lead), {"__doc__": lead.__doc__, "__module__": __name__})
        for lead in lead_kinds()
    )


def model_of(lead: Lead) -> Lead:
    """Return what a lead is without the keys of its role."""
    (model,) = set(type(lead).__bases__) & set(lead_kinds())
    return model.model_construct(**{name: getattr(lead, name) for name in model.model_fields})


AnyLead = Annotated[Union[with_role(LeadRole)], Discriminator("kind")]  # noqa: UP007


AnyLattice = Annotated[
    Chain | SSH | LongRange | Ladder | Strip | Ring | Star | MatrixLattice, Discriminator("kind")
]


class System(Strict):
    """An open quadratic system between leads."""

    lattice: AnyLattice
    disorder: UniformDisorder | None = Field(None, description="random on-site energies")
    loss: Channels | None = Field(None, description="particle loss")
    gain: Channels | None = Field(None, description="particle gain")
    leads: dict[str, AnyLead] = Field(
        min_length=1, description="name -> lead; with two leads the first is left, the other right"
    )

    @field_validator("leads")
    @classmethod
    def _names(cls, leads):
        for name in leads:
            if name in ("loss", "gain"):
                raise KeyedError(
                    f"that is the name of the terminal of {name}; give the lead another one", name
                )
            if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,79}", name):
                raise KeyedError(
                    "a name of a lead starts with a letter and has at most 80 letters, digits, "
                    "- and _",
                    name,
                )
        # Left is left, whichever comes first in the file.
        if leads.keys() == {"left", "right"}:
            return {name: leads[name] for name in ("left", "right")}
        return leads

    @model_validator(mode="after")
    def _sites_exist(self):
        for name in ("loss", "gain"):
            channels = getattr(self, name)
            for site in channels.rates if isinstance(channels, SiteChannels) else ():
                require_site(self, site, name, "rates", site, of_key=True)
        for name, lead in self.leads.items():
            for number, site in enumerate(contacts(self, name)):
                entry = (number,) if isinstance(lead.site, tuple) else ()
                require_site(self, site, "leads", name, "site", *entry)
        return self

    @model_validator(mode="after")
    def _bonds_exist(self):
        for name in ("loss", "gain"):
            chain = isinstance(self.lattice, Chain | SSH | MatrixLattice)
            if isinstance(getattr(self, name), BondChannels) and not chain:
                raise KeyedError(
                    f"{name} on bonds needs a chain, the lattice is a {self.lattice.kind}; "
                    "use the kind onsite or sites",
                    name,
                    "kind",
                )
        return self


def require_site(system: System, site: int, *key: str | int, of_key: bool = False) -> None:
    """Check that the lattice has a site, counted from 1, that stands at ``key`` or is its last.

    Raises
    ------
    KeyedError
        With ``key`` when it has not.
    """
    if site > system.lattice.sites:
        kind, sites = system.lattice.kind, system.lattice.sites
        raise KeyedError(
            f"there is no site {site}: the {kind} has {sites} sites", *key, of_key=of_key
        )


def contacts(system: System, name: str) -> tuple[int, ...]:
    """Return the sites, from 1, of a lead.

    Raises
    ------
    KeyedError
        When none is given and it is neither the left nor the right lead.
    """
    site = system.leads[name].site
    if isinstance(site, tuple):
        return site
    defaults = dict(zip(("left", "right"), system.lattice.contacts, strict=True))
    if site is None and name not in defaults:
        raise KeyedError(
            f"lead {name}: site is missing; only leads named left and right have a default site",
            "leads",
            name,
            "site",
        )
    return (site or defaults[name],)


def terminals(system: System) -> tuple[str, ...]:
    """Return the names of all terminals: leads in the order of the file, loss and gain."""
    return (*system.leads, "loss", "gain")


def lead_coordinates(system: System) -> dict[str, Coordinate]:
    """Return the dimensions of what each lead, or each pair of leads, has."""
    names = np.array(tuple(system.leads))
    return {
        "lead": Coordinate(names, "1", "lead"),
        "lead_2": Coordinate(names, "1", "second lead"),
    }


def current_limits(leads: int) -> Limits:
    """Return the limits of the particle currents of all terminals: loss takes, gain gives."""
    lower, upper = np.full(leads + 2, -np.inf), np.full(leads + 2, np.inf)
    upper[leads] = lower[leads + 1] = 0.0
    return Limits(lower, upper)


def noise_limits(leads: int) -> Limits:
    """Return the limits of the noise of fermions between leads, whose cross noise is negative.

    See M. Buettiker, Phys. Rev. B 46, 12485 (1992).
    """
    own = np.eye(leads, dtype=bool)
    return Limits(np.where(own, 0.0, -np.inf), np.where(own, np.inf, 0.0), semidefinite=True)


def without_two_leads(system: System, what: str) -> str:
    """Return why a quantity between two leads is not defined, or an empty text."""
    if len(system.leads) == 2:
        return ""
    return f"{what} is defined between two leads, the system has {len(system.leads)}"


def is_random(system: System) -> bool:
    """Return whether the system draws disorder."""
    return system.disorder is not None


def open_system(system: System, rng: np.random.Generator | None) -> OpenSystem:
    """Return the system of the engine, with the disorder of the sample that ``rng`` stands for.

    The same generator gives the same disorder, however often: scaled by its width, and site by
    site, so that the first sites of a longer lattice are those of a shorter one.
    """
    sites = system.lattice.sites
    disorder = 0.0
    if system.disorder is not None:
        half_width = system.disorder.half_width
        disorder = lattice.uniform_disorder(half_width, sites, stream(rng, "onsite"))
    leads = [
        channel
        for name, lead in system.leads.items()
        for channel in lead.channels(name, contacts(system, name))
    ]
    return OpenSystem(
        system.lattice.hamiltonian(disorder),
        _channels(system.loss, sites, gain=False),
        _channels(system.gain, sites, gain=True),
        leads,
    )


def _channels(channels, sites, gain):
    return Tridiagonal.zero(sites) if channels is None else channels.matrix(sites, gain)
