"""Parameters of a chain of levels between two uniform reservoirs, fermions or bosons."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.parts import KeyedError, Strict, at_key, quantity
from nessflow.spectrum.bound_states import require_decay
from nessflow.spectrum.statistics import require_bosonic_leads
from nessflow.studies.kind import NOT_NEGATIVE, PROBABILITY, Coordinate, Limits, Variable
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import AttachedLead, OpenSystem

TERMINALS = ("left", "right")

CONVENTIONS = (
    "Network: energies fall evenly along the chain from energy + detuning/2 to energy - "
    "detuning/2, neighbours are coupled by -tunnelling/2.  Two sites are H_S of paper "
    "non-additive-dissipation: energy h, detuning delta, tunnelling g.",
    "Reservoirs: semi-infinite chains with the band [-bandwidth, bandwidth], the first on the "
    "first site, the second on the last.  Their broadening is coupling sqrt(1 - (E/bandwidth)^2); "
    "coupling and bandwidth are Gamma and Omega of that paper.",
    "Modes: eigenmodes of the network, numbered from 1 from the highest energy down, first "
    "component not negative.  Correlations are <d_j^+ d_k> of modes or <c_j^+ c_k> of sites.",
    "Currents count from the terminal into the system, hbar = 1.",
)


class Network(Strict):
    """A chain of levels."""

    sites: Annotated[int, Field(ge=1, le=50)] = quantity("number of sites", "1", 2)
    energy: float = quantity("mean energy of the sites, from the middle of the band", "t")
    detuning: float = quantity("energy of the first site less that of the last", "t", 0.0)
    tunnelling: float = quantity("twice the hopping amplitude between neighbours", "t")

    def energies(self) -> np.ndarray:
        """Return the energies of the sites, (N,)."""
        if self.sites == 1:
            # One site is both the first and the last: it has the mean energy.
            return np.array([self.energy])
        return self.energy + self.detuning * np.linspace(0.5, -0.5, self.sites)

    def hamiltonian(self) -> Tridiagonal:
        """Return h."""
        return Tridiagonal(self.energies(), np.array(-0.5 * self.tunnelling))

    def modes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return energies, descending, and eigenvectors in columns, (N,) and (N, N)."""
        h = np.diag(self.energies())
        bonds = np.arange(self.sites - 1)
        h[bonds, bonds + 1] = h[bonds + 1, bonds] = -0.5 * self.tunnelling
        levels, vectors = np.linalg.eigh(h)
        levels, vectors = levels[::-1], vectors[:, ::-1]
        return levels, vectors * np.where(vectors[0] < 0, -1.0, 1.0)


class Reservoir(Strict):
    """Equilibrium of one reservoir."""

    chemical_potential: float = quantity("chemical potential", "t")
    temperature: float = quantity("temperature", "t", ge=0)


class Reservoirs(Strict):
    """Two uniform chains."""

    bandwidth: float = quantity("half the width of the band, centred at 0", "t", gt=0)
    coupling: float = quantity("broadening of a site in the middle of the band", "t", gt=0)
    left: Reservoir
    right: Reservoir

    def lead(self, name: str, site: int) -> AttachedLead:
        """Return one of the reservoirs, coupled to ``site`` (from 0)."""
        own = getattr(self, name)
        coupling = 0.5 * np.sqrt(self.coupling * self.bandwidth)
        chain = SemiInfiniteChain(hopping=0.5 * self.bandwidth, coupling=coupling)
        return AttachedLead(name, site, chain, own.chemical_potential, own.temperature)


class NetworkParameters(Strict):
    """A network, its reservoirs and its statistics."""

    network: Network = Field(description="chain of levels")
    reservoirs: Reservoirs = Field(description="what its ends are coupled to")
    statistics: Literal["fermions", "bosons"] = "fermions"

    @property
    def bosonic(self) -> bool:
        """Whether the particles are bosons."""
        return self.statistics == "bosons"

    @model_validator(mode="after")
    def _levels_are_damped(self) -> Self:
        levels, _ = modes_of(self.network)
        edge = self.reservoirs.bandwidth
        for level in levels:
            if abs(level) >= edge:
                raise KeyedError(
                    f"the level {level:g} is outside the band [-{edge:g}, {edge:g}], where nothing "
                    "damps it: make reservoirs.bandwidth larger",
                    "reservoirs",
                    "bandwidth",
                )
        _require_decay(self.network, edge, self.reservoirs.coupling)
        if self.bosonic:
            for name in TERMINALS:
                with at_key("reservoirs", name, "chemical_potential"):
                    require_bosonic_leads((self.reservoirs.lead(name, 0),))
        return self

    def system(self) -> OpenSystem:
        """Return the open system of the engine."""
        return _system(self.network, self.reservoirs)


def _system(network: Network, reservoirs: Reservoirs) -> OpenSystem:
    empty = Tridiagonal.zero(network.sites)
    ends = zip(TERMINALS, (0, network.sites - 1), strict=True)
    leads = tuple(reservoirs.lead(name, site) for name, site in ends)
    return OpenSystem(network.hamiltonian(), empty, empty, leads)


@lru_cache(maxsize=256)
def _require_decay(network: Network, bandwidth: float, coupling: float) -> None:
    """Check that there is no bound state; once for all points that differ in occupations alone."""
    any_state = Reservoir(chemical_potential=0.0, temperature=0.0)
    reservoirs = Reservoirs(bandwidth=bandwidth, coupling=coupling, left=any_state, right=any_state)
    with at_key("network"):
        require_decay(_system(network, reservoirs))


@lru_cache(maxsize=256)
def modes_of(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return `Network.modes`, computed once for all points that share the network."""
    return network.modes()


def occupation_limits(bosonic: bool) -> Limits:
    """Return where occupations are."""
    return NOT_NEGATIVE if bosonic else PROBABILITY


def obeyed(limits: Limits, variable: Variable, by: Sequence[bool]) -> Limits:
    """Return limits that hold for some values of the first dimension of a variable.

    Parameters
    ----------
    limits : Limits
        What holds for them, of numbers.
    variable : Variable
        Its dimensions count alone.
    by : sequence of bool
        For which of the values.
    """
    holds = np.reshape(by, (-1,) + (1,) * (len(variable.dims) - 1))
    bounds = np.where(holds, limits.lower, -np.inf), np.where(holds, limits.upper, np.inf)
    return Limits(*bounds, limits.broken, limits.semidefinite & np.array(by))


def numbered(name: str, count: int) -> Coordinate:
    """Return the numbers of sites or modes."""
    return Coordinate(np.arange(1, count + 1), "1", name)


def terminal_coordinates() -> dict[str, Coordinate]:
    """Return both reservoirs, twice."""
    names = np.array(TERMINALS)
    return {
        "terminal": Coordinate(names, "1", "reservoir"),
        "terminal_2": Coordinate(names, "1", "second reservoir"),
    }
