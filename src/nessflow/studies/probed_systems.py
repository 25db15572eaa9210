"""Parameters of an open system with probes: terminals whose chemical potentials are solved for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from nessflow.matrix import Complex
from nessflow.parts import KeyedError, Strict, at_key, quantity
from nessflow.probes.problem import Probe
from nessflow.registry import AnyOf
from nessflow.studies import systems
from nessflow.studies.kind import Coordinate
from nessflow.systems.leads.lead import Lead
from nessflow.systems.places import OrRegion, Site
from nessflow.systems.system import OpenSystem, Place, attached_leads

CONVENTIONS = (
    *systems.CONVENTIONS,
    "Probes: leads whose chemical potential is solved for so that each sends the given particle "
    "current into the system: positive for a source, negative for a drain, 0 for a voltage probe.  "
    "With a heat current instead of a temperature, the temperature is solved for as well.  One "
    "probe on each site of a group; its name is the group's and the site.  A strip on the sites of "
    "a list, or amplitudes on several sites, are one probe; its name is the group's.",
    "Bond l is the l-th bond of the lattice by its lower, then its higher site (a ring of 4: 1-2, "
    "1-4, 2-3, 3-4; a chain: l to l + 1); its current counts from the lower to the higher site.",
)


class ProbeRole(Strict):
    """Probes that are alike, one on each of several sites."""

    if TYPE_CHECKING:
        is_placed: ClassVar[bool]
        has_rows: ClassVar[bool]

    sites: Annotated[tuple[Site, ...] | dict[Site, Complex] | None, OrRegion()] = Field(
        None,
        description="list of sites, from 1, {start, stop, step} with stop included, {where: x < "
        "10} or the name of a region; site -> amplitude for one probe on all, coherent",
    )
    orbital: Site | None = systems.ORBITAL
    current: float = quantity("particle current from each probe into the system", "t/hbar", 0.0)
    temperature: float | None = quantity(
        "temperature; left out where heat_current is given", "t", None, ge=0
    )
    heat_current: float | None = quantity(
        "heat current from each probe into the system, from which its temperature follows",
        "t^2/hbar",
        None,
    )

    dephasing: bool = Field(
        False,
        description="whether each sends at every energy what it takes, as the kind probes has it: "
        "without current, temperature and heat_current",
    )

    @field_validator("sites")
    @classmethod
    def _each_once(cls, sites: Any) -> Any:
        if sites is not None:
            if not sites:
                raise ValueError("no sites; a group of probes needs at least one")
            systems.require_places(sites, "listed twice; it has one probe")
        return sites

    @model_validator(mode="after")
    def _rows(self) -> Self:
        if self.is_placed and self.sites is None:
            raise KeyedError("sites is missing; list the sites of the probes", "sites")
        systems.require_rows(self, "sites")
        return self

    @model_validator(mode="after")
    def _temperature_or_heat(self) -> Self:
        if self.dephasing:
            for key in ("temperature", "heat_current", "current"):
                if getattr(self, key):
                    raise KeyedError(f"a dephasing probe has no {key}; leave it out", key)
        elif (self.temperature is None) == (self.heat_current is None):
            raise ValueError(
                "give either a temperature, or a heat_current from which the temperature follows "
                "(0 for a probe that exchanges no heat)"
            )
        return self

    def places(self, name: str) -> dict[str, Place | None]:
        """Return the probes of the group by name, each with where it couples, from 1, if told."""
        if self.sites is None or self.has_rows or isinstance(self.sites, Mapping):
            return {name: self.sites}
        return {f"{name} {site}": site for site in self.sites}


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]


if TYPE_CHECKING:

    class AnyProbes(ProbeRole, Lead):
        """Any lead that has the keys of its role."""

else:
    AnyProbes = Annotated[Lead, AnyOf(Lead, ProbeRole)]


class ProbedSystem(systems.System):
    """An open quadratic system with leads and probes."""

    takes_dephasing: ClassVar[bool] = False

    @model_validator(mode="after")
    def _with_potentials(self) -> Self:
        for name, group in self.probes.items():
            if group.dephasing and not self.takes_dephasing:
                raise KeyedError(
                    "dephasing probes have no chemical potential; use study: probes, with the bias "
                    "as an axis",
                    "probes",
                    name,
                    "dephasing",
                )
        return self

    probes: dict[Name, AnyProbes] = Field(description="groups of probes by name", min_length=1)

    @model_validator(mode="after")
    def _probes_fit(self) -> Self:
        owner: dict[int, str] = {}
        for name, group in self.probes.items():
            if name in group.places(name).keys() & {*self.leads, "loss", "gain"}:
                raise KeyedError(
                    f"probe {name}: a terminal has that name; give the probe another one",
                    "probes",
                    name,
                    of_key=True,
                )
            if not group.is_placed:
                systems.require_no_place(group, "sites", "probes", name)
                systems.require_beyond(self.lattice, group, name, "probes", name)
                continue
            if group.has_rows:
                with at_key("probes", name, "sites"):
                    group.require_sites(len(group.sites or ()))
            for site, key, of_key in systems.places(group.sites or ()):
                place: tuple[str | int, ...] = ("probes", name, "sites", *key)
                self.lattice.require_site(site, *place, of_key=of_key)
                if owner.setdefault(site, name) != name:
                    raise KeyedError(
                        f"site {site} has a probe of {owner[site]} and one of {name}; "
                        "a site has one probe",
                        *place,
                    )
            systems.require_orbital(self.lattice, group, group.sites or (), "probes", name)
            if not (group.is_coupled or group.dephasing):
                strength = group.strength
                raise KeyedError(
                    f"probes {name} have the {strength} 0: nothing flows whatever their chemical "
                    f"potential; give a {strength}, or leave the sites out",
                    "probes",
                    name,
                    strength,
                )
        return self


class PerhapsProbedSystem(ProbedSystem):
    """An open quadratic system with leads and any probes, or none."""

    probes: dict[Name, AnyProbes] = Field({}, description="groups of probes by name")

    takes_dephasing: ClassVar[bool] = True

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        kinds = {group.dephasing: name for name, group in self.probes.items()}
        if len(kinds) > 1:
            raise KeyedError(
                f"{kinds[False]} has a chemical potential and {kinds[True]} is dephasing; probes "
                "of both kinds at once are not computed",
                "probes",
                kinds[True],
                "dephasing",
            )
        return self

    @property
    def is_dephased(self) -> bool:
        """Whether there are dephasing probes."""
        return any(group.dephasing for group in self.probes.values())


def lead_names(system: ProbedSystem) -> tuple[str, ...]:
    """Return the names of the leads of given chemical potential."""
    return tuple(system.leads) if isinstance(system.leads, dict) else ("left", "right")


def probe_names(system: ProbedSystem) -> tuple[str, ...]:
    """Return the names of all probes: their group and their site, from 1."""
    groups = system.probes.items()
    return tuple(probe for name, group in groups for probe in group.places(name))


def require_cold(system: ProbedSystem, what: str) -> None:
    """Check that all leads and probes have the temperature 0.

    Raises
    ------
    KeyedError
        At the first that has not, or whose temperature follows from a heat current.
    """
    for part in ("leads", "probes"):
        for name, group in getattr(system, part).items():
            if group.temperature != 0:
                raise KeyedError(
                    f"{what} is that of temperature 0 for all leads and probes; at other "
                    "temperatures use the method exact of the kinds nonreciprocity and "
                    "current-nonreciprocity",
                    part,
                    name,
                    "heat_current" if group.temperature is None else "temperature",
                )


def open_system(
    system: ProbedSystem, rng: np.random.Generator | None
) -> tuple[OpenSystem, list[Probe]]:
    """Return the system of the engine, its probes among the leads, and what they are to carry."""
    return next(open_systems(system, [rng]))


def open_systems(
    system: ProbedSystem, rngs: Iterable[np.random.Generator | None]
) -> Iterator[tuple[OpenSystem, list[Probe]]]:
    """Yield `open_system` of each sample; they share what they can."""
    leads, probes = [], []
    for name, group in system.probes.items():
        temperature = group.temperature or 0.0
        for probe, site in group.places(name).items():
            placed = systems.placed(system.lattice, group, name, site)
            leads += attached_leads(probe, *placed, 0.0, temperature)
            probes.append(Probe(probe, group.current, group.heat_current))
    for found in systems.open_systems(system, rngs, leads):
        yield found, probes


def contacts(system: ProbedSystem) -> dict[str, Coordinate]:
    """Return the leads of given chemical potential, twice."""
    given = np.array(lead_names(system))
    return {
        "contact": Coordinate(given, "1", "lead of given chemical potential"),
        "contact_2": Coordinate(given, "1", "second lead of given chemical potential"),
    }


def some_coordinates(system: ProbedSystem, dimensions: Iterable[str]) -> dict[str, Coordinate]:
    """Return what `systems.coordinates` does, with the probes among terminals and leads."""
    leads = [*lead_names(system), *probe_names(system)]
    terminals = np.array([*leads, "loss", "gain"])
    found = {
        "terminal": Coordinate(terminals, "1", "terminal"),
        "terminal_2": Coordinate(terminals, "1", "second terminal"),
        "lead": Coordinate(np.array(leads), "1", "lead or probe"),
        "lead_2": Coordinate(np.array(leads), "1", "second lead or probe"),
    }
    dimensions = list(dimensions)
    if "mode" in dimensions:
        engine = open_system(system, np.random.default_rng(0))[0]
        most = max(len(terminal.channels) for terminal in engine.terminals)
        found["mode"] = Coordinate(np.arange(1, most + 1), "1", "mode")
    others = systems.coordinates(system, [dim for dim in dimensions if dim not in found])
    return {dim: others.pop(dim) if dim in others else found[dim] for dim in dimensions} | others


def coordinates(system: ProbedSystem) -> dict[str, Coordinate]:
    """Return terminals, sites and bonds."""
    dimensions = "terminal", "lead", "site", "bond"
    return {**some_coordinates(system, dimensions), **contacts(system)}


def by_site(system: OpenSystem, values: np.ndarray) -> np.ndarray:
    """Return what belongs to terminals, (t,), on their sites, (N,); nan where there is none.

    The first terminal of a site counts.
    """
    result = np.full(system.sites, np.nan)
    for lead, terminal in zip(system.leads[::-1], system.terminal_of_lead[::-1], strict=True):
        result[lead.sites] = values[terminal]
    return result
