"""Parameters of an open quadratic system: lattice, disorder, loss, gain and leads."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from nessflow.grids import require_different
from nessflow.matrix import Complex
from nessflow.parts import KeyedError, Strict, at_key, quantity
from nessflow.registry import AnyOf, members
from nessflow.studies.draws import stream
from nessflow.studies.kind import Coordinate
from nessflow.systems.channels.channel import Channels
from nessflow.systems.disorder.disorder import Disorder, sites_or_bonds
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.leads.lead import Lead
from nessflow.systems.matrices import (
    Matrix,
    Tridiagonal,
    added,
    check_positive,
    checked,
    from_elements,
)
from nessflow.systems.places import (
    REGION,
    OrRegion,
    Region,
    Site,
    UnnamedSites,
    sites_of,
    with_sites,
)
from nessflow.systems.system import AttachedLead, OpenSystem, Place, attached_leads

CONVENTIONS = (
    "Lattices: h = -hopping between coupled sites.  Sites are numbered from 1: along a chain or a "
    "ring, column by column in lattices of columns and rows, rung by rung in a ladder, arm by arm "
    "from the centre (site 1) in a star; sites of a shape by x, then by y.  With several orbitals "
    "the dimension site counts orbitals, those of site 1 first.",
    "Flux: h[r, r'] = -hopping e^{i B (x' - x)(y + y')/2}, B the flux of the smallest loop over "
    "its area; the product of h along a loop counterclockwise has the phase -flux.",
    "Loss and gain: d rho/dt = sum_m 2 L rho L^+ - {L^+ L, rho} (no factor 1/2), so that a rate "
    "gamma damps amplitudes with gamma and populations with 2 gamma.",
    "Channels on bonds: from the first to the second site of a bond, along a chain or around a "
    "ring, along the directions of a lattice of columns and rows (from A to B in a honeycomb), "
    "along the chains and from chain 1 to 2 of a ladder, away from the centre of a star, else from "
    "the lower to the higher site.",
    "Green's function: G = 1/(E - h + i P + i Q - Sigma), P_jk = sum_m u*_mj u_mk of the loss "
    "channels, Q_jk = sum_m v_mj v*_mk of the gain channels, with amplitudes u of c and v of c^+.",
    "Terminals: the leads with their Fermi functions, loss with occupation 0, gain with 1.  A "
    "terminal's current counts from the terminal into the system; they sum to zero.  A lead on "
    "several sites is one terminal: on those of a list it has an independent channel each, or the "
    "rows of a strip; with the amplitudes v of a mapping it is one channel, which couples to all "
    "coherently, with the self-energy v sigma v^+.",
    "Net current = Landauer + reservoir[left] - reservoir[right], positive from left to right, "
    "the first lead being left and the second right; a reservoir current is half of the current "
    "between that lead and loss or gain.  They are defined with exactly two leads.",
)


ORBITAL = Field(None, description="orbital of its sites that it couples to, from 1; default: all")


class LeadRole(Strict):
    """What a lead has as a terminal of given occupation."""

    chemical_potential: float = quantity("chemical potential", "t")
    temperature: float = quantity("temperature", "t", ge=0)
    site: Annotated[Site | tuple[Site, ...] | dict[Site, Complex] | None, OrRegion()] = Field(
        None,
        description="site it couples to, from 1; a list of sites, each with a channel of its own "
        "or as a row of a strip: also {start, stop, step} with stop included, {where: x < 10} or "
        "the name of a region; site -> amplitude for one channel on all, coherent; default of "
        "the leads left and right: the ends of the lattice",
    )
    orbital: Site | None = ORBITAL

    @field_validator("site")
    @classmethod
    def _each_once(cls, site: Any) -> Any:
        if site is not None:
            require_places(site, "listed twice")
        return site

    @model_validator(mode="after")
    def _rows(self) -> Self:
        require_rows(self, "site")
        return self


def require_places(site: Place, twice: str) -> None:
    """Check sites of a lead: some, each once, none with the amplitude 0.

    Raises
    ------
    KeyedError
        At the site; it says ``twice`` of one that is.
    """
    if isinstance(site, int | Region):
        return
    if not site:
        raise ValueError("no sites; name one or leave the key out")
    if isinstance(site, Mapping):
        for each, amplitude in site.items():
            if amplitude == 0:
                raise KeyedError(
                    f"site {each}: the amplitude is 0, so that nothing couples there; "
                    "leave the site out",
                    each,
                )
    else:
        require_different(site, twice)


def require_rows(lead: Any, key: str) -> None:
    """Check that a lead of rows has a list of sites.

    Raises
    ------
    KeyedError
        At ``key`` when it has not.
    """
    site = getattr(lead, key)
    if lead.has_rows and not isinstance(site, tuple | Region):
        what = "with amplitudes" if isinstance(site, Mapping) else "on one site"
        raise KeyedError(
            f"a {lead.kind} {what if site is not None else 'without sites'} has no rows; list the "
            f"sites that its rows couple to in order, {key}: [1, 2, 3]",
            key,
        )


def places(site: Any) -> Iterator[tuple[int, tuple[int, ...], bool]]:
    """Yield each site of a place, the key at which it stands there, and if it is that key."""
    if isinstance(site, Mapping):
        yield from ((each, (each,), True) for each in site)
    elif isinstance(site, tuple):
        yield from ((each, (number,), False) for number, each in enumerate(site))
    else:
        yield site, (), False


def require_orbital(lattice: Lattice, lead: Any, site: Place, *key: str) -> None:
    """Check that the sites of a lead have its orbital, and that it names one where it has to.

    Raises
    ------
    KeyedError
        At the key ``orbital`` of ``key``.
    """
    lattice.require_orbital(lead.orbital, *key)
    if lattice.orbitals > 1 and lead.orbital is None:
        if isinstance(site, Mapping):
            what = "amplitudes on sites are those of one orbital"
        elif not lead.takes_orbitals:
            what = f"the rows of a {lead.kind} have one orbital"
        else:
            return
        raise KeyedError(f"{what}; each site has {lattice.orbitals}: name one", *key, "orbital")


def rows_of(lattice: Lattice, site: Any, orbital: int | None) -> Place:
    """Return where a lead couples in rows of the Hamiltonian, from 0.

    Parameters
    ----------
    lattice : Lattice
        Where it is.
    site : int, tuple of int, or mapping of int to complex
        Sites, from 1.
    orbital : int or None
        Orbital of these, from 1; all of them where None.
    """
    if isinstance(site, Mapping):
        return {lattice.rows(each, orbital or 1)[0]: x for each, x in site.items()}
    if isinstance(site, tuple):
        return tuple(row for each in site for row in lattice.rows(each, orbital))
    rows = lattice.rows(site, orbital)
    return rows if len(rows) > 1 else rows[0]


def model_of(lead: Lead) -> Lead:
    """Return what a lead is without the keys of its role."""
    model: Any = type(lead).__bases__[1]
    return model.model_construct(**{name: getattr(lead, name) for name in model.model_fields})


def require_no_place(lead: Lead, key: str, *keys: str) -> None:
    """Check that a lead that is not placed has no sites.

    Raises
    ------
    KeyedError
        At ``key`` of ``keys`` when it has.
    """
    if getattr(lead, key) is not None:
        raise KeyedError(
            f"a {lead.kind} lead is where its side of the lattice is; leave {key} out", *keys, key
        )


def require_beyond(lattice: Lattice, lead: Any, name: str, *keys: str) -> None:
    """Check that a lead that is not placed is there, and of the orbital that it names.

    Raises
    ------
    KeyedError
        At ``side`` or ``orbital`` of ``keys``.
    """
    lattice.require_orbital(lead.orbital, *keys)
    with at_key(*keys, "side"):
        lead.beyond(lattice, name)
    if lead.orbital is not None:
        with at_key(*keys, "orbital"):
            lead.beyond(lattice, name, lead.orbital)


def placed(lattice: Lattice, lead: Any, name: str, site: Place | None) -> tuple[Lead, Place]:
    """Return what a lead is beside a lattice, and its rows of the Hamiltonian, from 0.

    Parameters
    ----------
    lattice : Lattice
        What it is beside.
    lead : Lead
        With the keys of its role.
    name : str
        Its name.
    site : int, tuple of int, mapping of int to complex, or None
        Where it is, from 1; None where the lattice knows.
    """
    model = model_of(lead)
    if not model.is_placed:
        return model.beyond(lattice, name, lead.orbital)
    return model, rows_of(lattice, site, lead.orbital)


if TYPE_CHECKING:

    class AnyLead(LeadRole, Lead):
        """Any lead that has the keys of its role."""

else:
    AnyLead = Annotated[Lead, AnyOf(Lead, LeadRole)]
AnyChannels = Annotated[Channels, AnyOf(Channels)]
AnyDisorder = Annotated[Disorder, AnyOf(Disorder)]


def _one_or_many(value: object) -> str:
    return "many" if isinstance(value, list | tuple) else "one"


OneOrMore = Annotated[
    Annotated[AnyDisorder, Tag("one")] | Annotated[tuple[AnyDisorder, ...], Tag("many")],
    Discriminator(_one_or_many),
]


class System(Strict):
    """An open quadratic system between leads.

    In Python the lattice may also be the Hamiltonian, an array or a matrix of scipy.sparse, or what
    else `nessflow.systems.described` knows, and comes first: ``System(h, leads={...})``.
    """

    lattice: Annotated[Lattice, AnyOf(Lattice)]
    regions: dict[Annotated[str, Field(pattern=REGION)], UnnamedSites] = Field(
        {},
        description="name -> sites, for use wherever a list of sites stands: a list, {start, stop, "
        "step} with stop included or {where: x < 10}",
    )
    disorder: OneOrMore | None = Field(
        None, description="what differs from sample to sample, one kind or a list of several"
    )
    loss: AnyChannels | None = Field(None, description="particle loss")
    gain: AnyChannels | None = Field(None, description="particle gain")
    leads: dict[str, AnyLead] = Field(
        min_length=1, description="name -> lead; with two leads the first is left, the other right"
    )

    @classmethod
    def arguments(cls, *lattice: object, **values: object) -> dict[str, Any]:
        """Return the fields by name; the lattice comes first, and may be what Python has made."""
        if len(lattice) == 1 and "lattice" not in values:
            values, lattice = {"lattice": lattice[0], **values}, ()
        values = super().arguments(*lattice, **values)
        given = values.get("lattice")
        is_part = isinstance(given, Lattice) or (isinstance(given, Mapping) and "kind" in given)
        return values if given is None or is_part else {**values, "lattice": lattice_of(given)}

    @classmethod
    def from_kwant(
        cls,
        system: object,
        params: Mapping[str, Any] | None = None,
        *,
        leads: Mapping[str, Mapping[str, float]] | None = None,
        **others: Any,
    ) -> "System":
        """Return a finalised system of Kwant with its leads.

        Parameters
        ----------
        system : kwant.system.FiniteSystem
            What ``builder.finalized()`` returns; all its leads have a translational symmetry.
        params : mapping, optional
            As the functions of Kwant take them.
        leads : mapping, optional
            Name -> chemical_potential and temperature, in the order of the leads of Kwant; left
            out, lead0, lead1, ... with 0 and 0, as transmissions do not depend on these.
        **others
            ``loss``, ``gain`` and ``disorder``.

        Raises
        ------
        ValueError
            When it is no such system.
        """
        lattice: Any = lattice_of(system, params)
        own = list(lattice.described.leads)
        zero = {"chemical_potential": 0.0, "temperature": 0.0}
        leads = dict.fromkeys(own, zero) if leads is None else leads
        if len(leads) != len(own):
            raise ValueError(f"the system has {len(own)} leads, got values of {len(leads)}")
        continued = AnyOf(Lead, LeadRole).members["continued"]
        pairs = zip(leads.items(), own, strict=True)
        known = {name: continued(side=side, **filling) for (name, filling), side in pairs}
        return cls(lattice=lattice, leads=known, **others)

    @field_validator("leads")
    @classmethod
    def _names(cls, leads: Any) -> Any:
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
    def _regions_are_sites(self) -> Self:
        for name, region in self.regions.items():
            with at_key("regions", name):
                for number, site in enumerate(sites_of(region, self.lattice)):
                    self.lattice.require_site(site, number)
        for name in [
            name for name in type(self).model_fields if name not in ("lattice", "regions")
        ]:
            with at_key(name):
                # A model cannot be changed, but for what its validators make of what is given.
                value = with_sites(getattr(self, name), self.lattice, self.regions)
                self.__dict__[name] = value
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        for name in ("loss", "gain"):
            if (channels := getattr(self, name)) is not None:
                with at_key(name):
                    self.lattice.require_orbital(channels.orbital)
                    channels.require_fit(self.lattice)
        for key, part in self.disorders:
            with at_key(*key):
                first = self.lattice.bonds.first if part.on == "bonds" else None
                part.require_fit(self.lattice.sites if first is None else first.size)
                for number, site in enumerate(part.sites or ()):
                    self.lattice.require_site(site, "sites", number)
        for name in ("loss", "gain"):
            self._require_rates(name)
        for name, lead in self.leads.items():
            if not lead.is_placed:
                require_no_place(lead, "site", "leads", name)
                require_beyond(self.lattice, lead, name, "leads", name)
                continue
            place = place_of(self, name)
            for site, key, of_key in places(place):
                self.lattice.require_site(site, "leads", name, "site", *key, of_key=of_key)
            require_orbital(self.lattice, lead, place, "leads", name)
            if isinstance(rows := rows_of(self.lattice, place, lead.orbital), tuple):
                with at_key("leads", name, "site"):
                    lead.require_sites(len(rows))
        return self

    @property
    def disorders(self) -> list[tuple[tuple[str | int, ...], Disorder]]:
        """All kinds of disorder, each with the key at which it stands."""
        if isinstance(self.disorder, tuple):
            return [(("disorder", number), part) for number, part in enumerate(self.disorder)]
        return [] if self.disorder is None else [(("disorder",), self.disorder)]

    def rates(self, name: str) -> Matrix:
        """Return the matrix of the loss or of the gain, without disorder."""
        loss, gain = self.lattice.rates
        own, channels = (loss, self.loss) if name == "loss" else (gain, self.gain)
        if channels is not None:
            of = channels.matrix_of_orbitals if name == "loss" else channels.gain_matrix
            own = added(own, of(self.lattice))
        return Tridiagonal.zero(self.lattice.size) if own is None else own

    def _require_rates(self, name: str) -> None:
        """Check that no sample has a negative rate of loss or gain."""
        parts: list[Any] = [(key, part) for key, part in self.disorders if part.on == name]
        for key, part in parts:
            if not np.isfinite(part.least).all():
                raise KeyedError(
                    f"{part.kind} numbers have no least value, and rates cannot be negative; use "
                    "uniform, binary or array",
                    *key,
                    "on",
                )
        if not parts:
            return
        nothing = np.zeros(self.lattice.sites)
        each = (part.least * part.inside(self.lattice) + nothing for _, part in parts)
        least: np.ndarray = sum(each, nothing)
        try:
            check_positive(name, checked(name, _with_rates(self, name, least)))
        except ValueError:
            key, _ = parts[-1]
            raise KeyedError(
                f"a sample may have negative rates of {name}, as low as {least.min():g} beside "
                f"those under {name}; make these larger or the disorder weaker",
                *key,
            ) from None


def lattice_of(system: object, parameters: Mapping[str, Any] | None = None) -> Lattice:
    """Return a lattice that was made in Python: see `nessflow.systems.described`."""
    return members(Lattice)["python"].of(system, parameters)


def place_of(system: System, name: str) -> Place:
    """Return the sites, from 1, of a lead.

    Raises
    ------
    KeyedError
        When none is given and it is neither the left nor the right lead.
    """
    site = system.leads[name].site
    defaults = dict(zip(("left", "right"), system.lattice.contacts, strict=True))
    if site is None and name not in defaults:
        raise KeyedError(
            f"lead {name}: site is missing; only leads named left and right have a default site",
            "leads",
            name,
            "site",
        )
    return defaults[name] if site is None else site


def terminals(system: System) -> tuple[str, ...]:
    """Return the names of all terminals: leads in the order of the file, loss and gain."""
    return (*system.leads, "loss", "gain")


def bond_ends(system: System, of_sites: bool = False) -> np.ndarray:
    """Return rows of the bonds, those of bond loss and gain included, or sites that they join.

    Parameters
    ----------
    system : System
        The system.
    of_sites : bool
        Whether orbitals of a site are taken together.

    Returns
    -------
    (B, 2) int array
        From 1, ascending, in pairs and among them.
    """
    # Imported here: most studies need no bonds.
    from nessflow.solvers.pairwise import bonds, site_bonds

    found = site_bonds if of_sites else bonds
    return found(open_system(system, np.random.default_rng(0))) + 1


def mode_count(system: System) -> int:
    """Return the largest number of channels of a lead."""
    terminals = open_system(system, np.random.default_rng(0)).terminals
    return max(len(terminal.channels) for terminal in terminals)


def coordinates(system: System, dimensions: Iterable[str]) -> dict[str, Coordinate]:
    """Return some of the dimensions that variables of a system have.

    Parameters
    ----------
    system : System
        The system.
    dimensions : iterable of str
        Of ``terminal``, ``terminal_2``, ``lead``, ``lead_2``, ``mode``, ``site``, ``bond``,
        ``level``, ``spin_site``, ``spin_bond`` and ``spin_component``, in any order.

    Returns
    -------
    dict of str to Coordinate
        Those that were asked for.
    """
    lattice = system.lattice
    makers: dict[str, Callable[[], tuple[np.ndarray, str]]] = {
        "terminal": lambda: (np.array(terminals(system)), "terminal"),
        "terminal_2": lambda: (np.array(terminals(system)), "second terminal"),
        "lead": lambda: (np.array(tuple(system.leads)), "lead"),
        "lead_2": lambda: (np.array(tuple(system.leads)), "second lead"),
        "mode": lambda: (np.arange(1, mode_count(system) + 1), "mode"),
        "spin_site": lambda: (np.arange(1, lattice.sites + 1), "site"),
        "spin_bond": lambda: (np.arange(1, len(ends["spin_bond"]) + 1), "bond between sites"),
        "spin_component": lambda: (np.array(["x", "y", "z"]), "component of the spin"),
        "site": lambda: (np.arange(1, lattice.size + 1), "site"),
        "bond": lambda: (np.arange(1, len(ends["bond"]) + 1), "bond"),
        "level": lambda: (np.arange(1, lattice.size + 1), "level"),
    }
    dimensions = list(dimensions)
    ends: dict[str, np.ndarray] = {
        name: bond_ends(system, of_sites)
        for name, of_sites in (("bond", False), ("spin_bond", True))
        if name in dimensions
    }
    found = {name: makers[name]() for name in dimensions}
    result = {name: Coordinate(values, "1", text) for name, (values, text) in found.items()}
    for name, pairs in ends.items():
        result |= beside_bonds(name, pairs)
    for name in ("site", "spin_site"):
        result |= beside_sites(lattice, name) if name in result else {}
    return result


def beside_bonds(name: str, ends: np.ndarray) -> dict[str, Coordinate]:
    """Return the two values of ``site`` that each bond joins; nothing of a chain's, l to l + 1."""
    if np.array_equal(ends, np.arange(1, len(ends) + 1)[:, None] + [0, 1]):
        return {}
    keys = (f"{name}_site", "from"), (f"{name}_site_2", "to")
    return {
        key: Coordinate(own, "1", f"site {way} which the current of the bond counts", name)
        for (key, way), own in zip(keys, ends.T, strict=True)
    }


def beside_sites(lattice: Lattice, dim: str = "site") -> dict[str, Coordinate]:
    """Return what each value of ``site``, or of ``spin_site``, is: site, orbital and place.

    Of several orbitals their site and number, of lattices in the plane or in space their place; of
    others nothing, as a site is its number.
    """
    n, found, of = (lattice.orbitals, {}, "") if dim == "site" else (1, {}, f"{dim}_")
    if n > 1:
        number, orbital = np.divmod(np.arange(lattice.size), n)
        found["site_number"] = Coordinate(number + 1, "1", "number of the site", "site")
        found["orbital"] = Coordinate(orbital + 1, "1", "orbital of the site", "site")
    places = lattice.positions.T
    for name, place in zip("xyz", places, strict=False) if len(places) > 1 else ():
        found[f"{of}{name}"] = Coordinate(np.repeat(place, n), "a", f"{name} of the site", dim)
    return found


def is_random(system: System) -> bool:
    """Return whether samples of the system differ."""
    return any(part.is_random for _, part in system.disorders)


def open_system(system: System, rng: np.random.Generator | None) -> OpenSystem:
    """Return the system of the engine, with the disorder of the sample that ``rng`` stands for.

    The same generator gives the same disorder, however often: scaled by its width, and site by
    site, so that the first sites of a longer lattice are those of a shorter one.
    """
    return next(open_systems(system, [rng]))


def open_systems(
    system: System,
    rngs: Iterable[np.random.Generator | None],
    more: Iterable[AttachedLead] = (),
) -> Iterator[OpenSystem]:
    """Yield the system of the engine for each sample; they share what they can.

    Parameters
    ----------
    system : System
        Its parameters.
    rngs : iterable of Generator
        One for each sample; None where nothing is random.
    more : iterable of AttachedLead
        Leads beside those of the system, such as probes.
    """
    lattice, found, draws = system.lattice, None, list(_draws(system))
    if any(on == "bonds" for on, _ in draws):
        on_bonds = _on_bonds(lattice)
    for rng in rngs:
        drawn: dict[str, np.ndarray] = {}
        for on, draw in draws:
            numbers = draw(rng)
            drawn[on] = drawn[on] + numbers if on in drawn else numbers
        hamiltonian = lattice.hamiltonian(drawn.get("sites", 0.0))
        if "bonds" in drawn:
            hamiltonian = added(hamiltonian, on_bonds(drawn["bonds"]))
        rates = {
            name: _with_rates(system, name, drawn.get(name))
            for name in ("loss", "gain")
            if found is None or name in drawn
        }
        if found is None:
            leads = (*_leads(system), *more)
            found = OpenSystem(
                hamiltonian,
                rates["loss"],
                rates["gain"],
                leads,
                bonds=_bonds(system, rates),
                orbitals=lattice.orbitals,
            )
            found = found if draws else _sharing_with_the_last(found)
        else:
            found = found.with_hamiltonian(hamiltonian, **rates)
        vacant = drawn.get("presence", np.zeros(0, bool))
        rows = np.flatnonzero(np.repeat(vacant, lattice.orbitals))
        yield found.without_sites(rows.tolist()) if rows.size else found


_last: list[OpenSystem] = []
"""At most one."""


def _sharing_with_the_last(system: OpenSystem) -> OpenSystem:
    """Return a system with all that is known of the last one, if only occupations differ.

    Chemical potentials and temperatures are what most studies have along their axes.
    """
    found = system.sharing(*_last) if _last else system
    _last[:] = [found]
    return found


Draw = Callable[[np.random.Generator | None], np.ndarray]


def _draws(system: System) -> Iterator[tuple[str, Draw]]:
    """Yield what each kind of disorder acts on, and what draws its numbers for a sample."""
    entries: Counter[str] = Counter()
    for _, part in system.disorders:
        entries[part.on] += 1
        number = entries[part.on]
        name = "onsite" if part.on == "sites" else part.on
        name += f" {number}" if number > 1 else ""
        order, positions = sites_or_bonds(system.lattice, part.on, part.is_random)
        place, inside = np.argsort(order), part.inside(system.lattice)

        def draw(
            rng: Any,
            part: Disorder = part,
            name: str = name,
            positions: np.ndarray = positions,
            place: np.ndarray = place,
            inside: np.ndarray | bool = inside,
        ) -> np.ndarray:
            own = stream(rng, name) if part.is_random else None
            return part.draw(positions, own)[place] * inside

        yield part.on, draw


def _on_bonds(lattice: Lattice) -> Callable[[np.ndarray], Matrix]:
    """Return what turns numbers, (B,), into what they add to the Hamiltonian.

    A hopping, or a matrix between orbitals, is the number of its largest singular value times what
    is left, which stays.
    """
    (first, second, hopping), n = lattice.bonds, lattice.orbitals
    whole = np.broadcast_to(hopping, first.shape + np.shape(hopping)[1:])
    whole = whole if whole.ndim == 3 else np.multiply.outer(whole, np.eye(n))
    size = abs(whole[:, 0, 0]) if n == 1 else np.linalg.norm(whole, 2, axis=(1, 2))
    some = size[:, None, None] > 0
    unit = np.where(some, whole / np.where(some, size[:, None, None], 1.0), np.eye(n))
    bond, i, j = np.nonzero(unit)
    rows, columns = n * first[bond] + i, n * second[bond] + j
    unit, zero = unit[bond, i, j], np.zeros(lattice.size)
    return lambda numbers: from_elements(zero, rows, columns, -numbers[bond] * unit)


def _with_rates(system: System, name: str, numbers: np.ndarray | None) -> Matrix:
    """Return the matrix of loss or gain, with numbers added to the rates of the sites."""
    clean = system.rates(name)
    if numbers is None:
        return clean
    return added(clean, Tridiagonal(np.repeat(numbers, system.lattice.orbitals)))


def _bonds(system: System, rates: Mapping[str, Matrix]) -> np.ndarray | None:
    """Return the bonds of all samples, where one may lack what another has; None for a chain."""
    if not {"bonds", "presence"} & {part.on for _, part in system.disorders}:
        return None
    lattice = system.lattice
    first, second, _ = lattice.bonds
    clean = OpenSystem(lattice.hamiltonian(), rates["loss"], rates["gain"], ())
    if clean.is_tridiagonal and (abs(first - second) == 1).all():
        return None
    if lattice.orbitals > 1:
        return clean.pairs
    own = np.sort(np.stack([first, second], axis=1), axis=1)
    return np.unique(np.concatenate([clean.pairs, own]), axis=0)


def _leads(system: System) -> Iterator[AttachedLead]:
    """Yield the channels of the leads."""
    for name, lead in system.leads.items():
        filling = lead.chemical_potential, lead.temperature
        site = place_of(system, name) if lead.is_placed else None
        yield from attached_leads(name, *placed(system.lattice, lead, name, site), *filling)
