"""Steady state of right- and left-movers on a lattice with sources and drains, in both biases."""

from typing import Any

import numpy as np
from pydantic import Field

from nessflow.classical import lattice
from nessflow.estimate import Estimate, uncertainty_ratio, undefined
from nessflow.parts import Strict, quantity
from nessflow.studies import placement
from nessflow.studies.kind import Coordinate, Limits, Outcome, Variable
from nessflow.studies.variables import never_random, outcome_of

MOVERS = ("right", "left")


class Reservoir(Strict):
    """Reservoir at one end."""

    density: float = quantity("density of the movers that it sends in", "1", ge=0)


class Leads(Strict):
    """The reservoirs at both ends, for forward bias."""

    left: Reservoir
    right: Reservoir


class System(placement.InjectedChain):
    """Lattice of movers between two reservoirs, its sources and drains."""

    sites: int = quantity("number of sites", "1", ge=3, le=10_000_000)
    hopping_probability: float = quantity(
        "probability to go on from a site with a source or drain; else a mover turns round",
        "1",
        ge=0,
        le=1,
    )
    leads: Leads

    def engine(self) -> lattice.MoverLattice:
        """Return the lattice of the engine, for forward bias."""
        hopping = np.ones(self.sites)
        for injection in self.injections.values():
            hopping[injection.indices()] = self.hopping_probability
        left, right = self.leads.left.density, self.leads.right.density
        return lattice.MoverLattice(hopping, self.injected(), left, right)


class Parameters(Strict):
    """One lattice."""

    system: System = Field(description="lattice, sources and drains, reservoirs")


CONVENTIONS = (
    *placement.CONVENTIONS,
    "Lattice spacing, time step hbar/t and charge are 1, so that movers have the velocity 1 and "
    "every current its unit t/hbar.  A mover goes on to the next site with certainty where neither "
    "source nor drain is; on their sites it turns round with 1 - hopping probability.",
    "Noise and entropy production are those of independent movers from reservoirs and sources "
    "that emit at random (Poisson).",
)

VARIABLES = {
    **placement.CURRENTS,
    "density": Variable(
        ("direction", "mover", "site"),
        "1",
        "density of movers",
        Limits(0, broken="the drains take more than arrives; raise the densities of both leads"),
    ),
    "density_error": Variable(("direction", "mover", "site"), "1", "numerical error of density"),
    **placement.NONRECIPROCITY,
    "drude_nonreciprocal_current": Variable(
        (), "t/hbar", "nonreciprocal current of a long wire by its scattering length"
    ),
    **placement.FLUCTUATIONS,
    "conservation_defect": Variable(
        ("direction",), "1", "largest change of a density in one more time step"
    ),
}
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return directions, terminals, sites, bonds and the two movers."""
    return parameters.system.coordinates("site", "bond") | {
        "mover": Coordinate(np.array(MOVERS), "1", "direction of the movers")
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the steady states (7), (8) of the paper's lattice, or of any other placement."""
    system = parameters.system
    found = placement.by_direction(
        [_one_direction(system, one) for one in system.both_directions()]
    )
    found |= placement.nonreciprocity(found["particle_current"].at((slice(None), 0)))
    found["drude_nonreciprocal_current"] = _drude(system)
    # Rounding of a step comes on top of that of the densities.
    rounding = 10 * np.nanmax(found["density"].error, initial=0.0)
    limits = {"conservation_defect": Limits(0, rounding, "the densities are not steady")}
    return outcome_of(VARIABLES, found, limits=limits)


def _one_direction(system: Any, engine: Any) -> dict[str, Estimate]:
    """Return the estimates of one direction."""
    state = lattice.steady_state(engine)
    currents, density = system.terminal_currents(state), state.density
    noise, entropy = lattice.particle_noise(engine), lattice.entropy_production(engine)
    # Where the noise is undefined the entropy is as well.
    left = noise.at((0, 0))._replace(undefined=entropy.undefined or noise.undefined)
    change = abs(lattice.step(engine, density.value) - density.value).max()
    return {
        "particle_current": currents,
        "bond_current": state.bond_current.at(slice(1, -1)),
        "density": density,
        "particle_noise": noise,
        "entropy_production": entropy,
        "uncertainty_ratio": uncertainty_ratio(left, entropy, currents.at(0)),
        "conservation_defect": Estimate(change, np.nan, density.undefined),
    }


def _drude(system: System) -> Estimate:
    """Return ``I_g (1 - 1/(1 + L/l_c))``, l_c = 1/(1-p): twice the second term of (9), N >> 2.

    Undefined unless sources and drains of the current I_g alternate on the sites 2 to N-1.
    """
    current = system.injected()[1:-1]
    if not (current[0] and np.array_equal(current[1:], -current[:-1])):
        return undefined(
            "it is for equal sources and drains that alternate on all sites but the ends"
        )
    length = (system.sites - 1) * (1 - system.hopping_probability)
    return Estimate(float(current[0] * (1 - 1 / (1 + length))), np.nan)
