"""Steady state with probes whose chemical potentials, perhaps temperatures, are solved for."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.estimate import Estimate, undefined
from nessflow.observables import observable
from nessflow.observables.thermodynamics import entropy_production, heat_current
from nessflow.outcome import current_limits, joined, noise_limits
from nessflow.parts import KeyedError
from nessflow.probes.dephasing import dephased_occupations, undetermined
from nessflow.probes.exact import solve_probes
from nessflow.probes.noise import ProbeNoise, bare_noise, probe_noise
from nessflow.probes.problem import (
    NoSolution,
    Probe,
    ProbeSolution,
    moved,
    terminal_temperatures,
)
from nessflow.scattering.currents import SteadyCurrents
from nessflow.scattering.profiles import Profiles, profiles, terminal_currents
from nessflow.scattering.terminal_flows import terminal_potentials
from nessflow.studies import observed, probed_systems
from nessflow.studies.kind import (
    COVARIANCE,
    NOT_NEGATIVE,
    PROBABILITY,
    SECOND_LAW,
    Coordinate,
    Limits,
    Outcome,
    Status,
    Variable,
)
from nessflow.studies.variables import failed, of_integrals, outcome_of, status_of, with_errors
from nessflow.systems.system import OpenSystem

_PARTICLE = "t/hbar"
_ENERGY = "t^2/hbar"
_NOISE_PROBES = 100
"""Probes up to which noise takes seconds; at temperature 0 its cost grows as their third power."""
CONVENTIONS = (
    *probed_systems.CONVENTIONS,
    "Noise: zero frequency, symmetrised, no factor 2, between the leads of given chemical "
    "potential.  Bare: the probes' chemical potentials are constant in time.  Floating: they "
    "follow at low frequency so that the probes' currents do not fluctuate.",
    "Occupations are those of the states that the terminals fill; a state bound outside all bands, "
    "or dark, coupled to no terminal, keeps what it held at first; the weight of these states on "
    "each site is bound_weight.",
    "Local deviation: occupation of a terminal's site less the one in equilibrium with that "
    "terminal.",
    "Entropy production is that of all terminals, probes included.",
    "Dephasing probes send at every energy what they take from all others, with an occupation that "
    "follows the energy; where no lead of given chemical potential has states, and without loss "
    "and gain, that of the middle of all potentials and the highest temperature.",
    "Observables are those at the chemical potentials and temperatures that were found, constant "
    "in time, with probes among the leads; what they change by when all move up or down by their "
    "errors is part of their own.",
)

STATE = with_errors(
    {
        "chemical_potential": Variable(("lead",), "t", "chemical potential of leads and probes"),
        "temperature": Variable(("lead",), "t", "temperature of leads and probes", NOT_NEGATIVE),
    }
) | {
    "site_chemical_potential": Variable(
        ("site",), "t", "chemical potential of the lead or probe on a site"
    ),
    "residual": Variable((), _PARTICLE, "largest departure of a current from the demanded one"),
}
FLOWS = with_errors(
    {
        "particle_current": Variable(
            ("terminal",), _PARTICLE, "particle current from the terminal into the system"
        ),
        "energy_current": Variable(
            ("terminal",), _ENERGY, "energy current from the terminal into the system"
        ),
    }
) | {
    "conservation_defect": Variable(
        (), _PARTICLE, "sum of the particle currents of all terminals, zero by conservation"
    ),
}
_HEAT = with_errors(
    {
        "heat_current": Variable(("lead",), _ENERGY, "heat current from the lead into the system"),
        "joule_heat": Variable((), _ENERGY, "heat that all leads and probes take up"),
    }
)
ENTROPY = with_errors(
    {
        "entropy_production": Variable(
            (), "k_B*t/hbar", "entropy production of all terminals, probes included", SECOND_LAW
        ),
    }
)
THERMODYNAMICS = _HEAT | ENTROPY
PROFILES = with_errors(
    {
        "occupation": Variable(("site",), "1", "occupation of the site", PROBABILITY),
        "bond_current": Variable(
            ("bond",), _PARTICLE, "particle current through the bond, by hopping"
        ),
        "local_deviation": Variable(
            ("lead",),
            "1",
            "occupation of the lead's site less that of local equilibrium",
            Limits(-1, 1),
        ),
        "bound_weight": Variable(
            ("site",), "1", "weight of bound and dark states on the site", PROBABILITY
        ),
    }
)
NOISE = with_errors(
    {
        "bare_particle_noise": Variable(
            ("contact", "contact_2"),
            _PARTICLE,
            "zero-frequency noise of particle currents, probes' potentials constant",
            COVARIANCE,
        ),
        "floating_particle_noise": Variable(
            ("contact", "contact_2"),
            _PARTICLE,
            "zero-frequency noise of particle currents, probes' currents constant",
            COVARIANCE,
        ),
    }
)
OWN = STATE | FLOWS | THERMODYNAMICS | PROFILES | NOISE


class Parameters(observed.Observed):
    """One system."""

    own = OWN

    observables: observed.Observables = observed.listed()
    system: probed_systems.PerhapsProbedSystem = Field(
        description="lattice, disorder, loss, gain, leads and probes"
    )

    @model_validator(mode="after")
    def _observables_of_fermi_functions(self) -> Self:
        if self.system.is_dephased and self.observables:
            raise KeyedError(
                "observables are those of leads with Fermi functions, which dephasing probes have "
                "not; leave observables out",
                "observables",
            )
        return self

    def own_coordinates(self) -> dict[str, Coordinate]:
        """Return the leads of given chemical potential."""
        return probed_systems.contacts(self.system)

    def system_coordinates(self, dimensions: Iterable[str]) -> dict[str, Coordinate]:
        """Return some dimensions of the system, probes among its leads."""
        return probed_systems.some_coordinates(self.system, dimensions)


VARIABLES = observed.variables(Parameters)
chosen = Parameters.chosen
coordinates = observed.coordinates
is_random = observed.is_random


def evaluate(parameters: Parameters, rng: np.random.Generator | None, own: bool = True) -> Outcome:
    """Return the steady state of one system, solved exactly."""
    system, probes = probed_systems.open_system(parameters.system, rng)
    accuracy = parameters.accuracy
    if parameters.system.is_dephased:
        return _dephased(system, probes, accuracy) if own else Outcome({})
    try:
        solved = solve_probes(system, probes, accuracy)
    except NoSolution as error:
        variables = observed.variables_of(parameters)
        return failed(variables, coordinates(parameters), str(error))
    state = Outcome({}, *judged(solved, None, None))
    if own:
        state = _state(solved, probes, accuracy)
    return joined(state, _observed(parameters, solved))


def _observed(parameters: Parameters, solved: ProbeSolution) -> Outcome:
    """Return the observables of a system whose probes are solved."""

    def at(shift: int) -> Outcome:
        potentials, warmth = (
            found.value + shift * found.error
            for found in (solved.chemical_potential, solved.temperature)
        )
        system = moved(solved.system, potentials, np.maximum(warmth, 0.0))
        return observable.evaluate(system, parameters.observables, parameters.accuracy)

    return observed.with_uncertain(at(0), map(at, (-1, 1)))


def _state(solved: ProbeSolution, probes: list[Probe], accuracy: float) -> Outcome:
    """Return what `OWN` lists."""
    system = solved.system
    currents = terminal_currents(solved.system, accuracy)
    inside = profiles(solved.system, accuracy)
    found = {
        **flows_of(currents),
        **profiles_of(inside),
        **state_of(solved),
        **thermodynamics(solved.system, currents),
        **noise(solved, probes, accuracy),
    }
    return outcome_of(OWN, found, *judged(solved, currents, inside), limits_of(system, probes))


_NO_POTENTIAL = (
    "a dephasing probe sends what it takes at every energy: it has neither chemical potential nor "
    "temperature"
)


def _dephased(system: OpenSystem, probes: list[Probe], accuracy: float) -> Outcome:
    """Return what `OWN` lists of a system with dephasing probes."""
    names, given = {probe.name for probe in probes}, system.terminals
    is_probe = np.array([terminal.name in names for terminal in given])
    # No current, of particles or of energy: any temperature gives no heat and no entropy.
    mu, warmth = terminal_potentials(system), terminal_temperatures(system)
    mu[is_probe] = 0.5 * (mu[~is_probe].min() + mu[~is_probe].max())
    warmth[is_probe] = warmth[~is_probe].max()
    system, places = moved(system, mu, warmth), np.flatnonzero(is_probe).tolist()
    occupations = dephased_occupations(system, places)
    currents = terminal_currents(system, accuracy, occupations)
    inside = profiles(system, accuracy, occupations)
    wrong = undetermined(system, places)
    contacts = (len(given) - len(probes),) * 2
    own = Estimate(np.where(is_probe, np.nan, mu), np.where(is_probe, np.nan, 0.0), _NO_POTENTIAL)
    found = {
        **flows_of(currents),
        **profiles_of(inside),
        "chemical_potential": own,
        "temperature": own._replace(value=np.where(is_probe, np.nan, warmth)),
        "site_chemical_potential": Estimate(
            probed_systems.by_site(system, own.value), np.nan, _NO_POTENTIAL
        ),
        "residual": Estimate(abs(currents.particle_current.value[:-2][is_probe]).max(), np.nan),
        **thermodynamics(system, currents),
        **no_noise("noise beside dephasing probes is not computed", contacts),
    }
    for name in ("occupation", "bound_weight", "local_deviation"):
        found[name] = found[name]._replace(error=found[name].error + wrong)
    status = status_of(currents.fault) if currents.fault else of_integrals(inside.converged)
    return outcome_of(OWN, found, *status, limits_of(system, probes))


def limits_of(system: OpenSystem, probes: list[Probe]) -> dict[str, Limits]:
    """Return the limits that depend on the system."""
    leads = len(system.terminals)
    return {
        "particle_current": current_limits(leads),
        "bare_particle_noise": noise_limits(leads - len(probes)),
    }


def flows_of(currents: SteadyCurrents) -> dict[str, Estimate]:
    """Return what `FLOWS` lists."""
    return {
        "particle_current": currents.particle_current,
        "energy_current": currents.energy_current,
        "conservation_defect": currents.conservation_defect,
    }


def profiles_of(inside: Profiles) -> dict[str, Estimate]:
    """Return what `PROFILES` lists."""
    return {name: getattr(inside, name) for name in PROFILES if not name.endswith("_error")}


def state_of(solved: ProbeSolution) -> dict[str, Estimate]:
    """Return what `STATE` lists."""
    on_sites = probed_systems.by_site(solved.system, solved.chemical_potential.value)
    reason = "sites without lead or probe have none" if np.isnan(on_sites).any() else ""
    return {
        "chemical_potential": solved.chemical_potential,
        "temperature": solved.temperature,
        "residual": Estimate(solved.residual, np.nan),
        "site_chemical_potential": Estimate(on_sites, np.nan, reason),
    }


def thermodynamics(system: OpenSystem, currents: SteadyCurrents) -> dict[str, Estimate]:
    """Return what `THERMODYNAMICS` lists."""
    heat = heat_current(system, currents)
    return {
        "heat_current": heat,
        "joule_heat": -1 * heat.total(),
        "entropy_production": entropy_production(system, currents),
    }


def noise(solved: ProbeSolution, probes: list[Probe], accuracy: float) -> dict[str, Estimate]:
    """Return what `NOISE` lists."""
    system, wrong = solved.system, (solved.chemical_potential.error, solved.temperature.error)
    shape = (len(system.terminals) - len(probes),) * 2
    if len(probes) > _NOISE_PROBES:
        return no_noise(f"not computed for more than {_NOISE_PROBES} probes", shape)
    reason = ""
    if any(probe.heat_current is not None for probe in probes):
        reason = "temperature probes: the noise of heat that they respond to is not computed"
    try:
        found = None if reason else probe_noise(system, probes, accuracy, wrong[0])
    except NoSolution as error:
        found, reason = None, str(error)
    if found is not None:
        noise, converged = noise_of(found), found.converged
    else:
        bare, converged = bare_noise(system, probes, accuracy, wrong)
        noise = no_noise(reason, shape) | {"bare_particle_noise": bare}
    return noise if converged else no_noise("its energy integral did not converge", shape)


def no_noise(reason: str, shape: tuple[int, int]) -> dict[str, Estimate]:
    """Return why what `NOISE` lists is undefined."""
    names = "bare_particle_noise", "floating_particle_noise"
    return dict.fromkeys(names, undefined(reason, shape))


def noise_of(found: ProbeNoise) -> dict[str, Estimate]:
    """Return what `NOISE` lists."""
    return {"bare_particle_noise": found.bare, "floating_particle_noise": found.floating}


def judged(
    solved: ProbeSolution, currents: SteadyCurrents | None, inside: Profiles | None
) -> tuple[Status, str]:
    """Return the status of a point, and why it is not ok; None is what was not computed."""
    if not solved.converged:
        return status_of(
            f"the currents of the probes depart by {solved.residual:.1e} from the demanded ones"
        )
    if currents is not None and currents.fault:
        return status_of(currents.fault)
    if inside is not None and not inside.converged:
        return of_integrals(False)
    return status_of(doubt=solved.validity.reason)
