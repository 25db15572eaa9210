"""Steady currents, noise and entropy production of a network, by any equation."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.thermodynamics import entropy_production, without_temperature
from nessflow.scattering.bosons import boson_transport
from nessflow.scattering.counting import cumulants_observable
from nessflow.scattering.currents import Transport, currents_observable
from nessflow.scattering.noise import noise_observable
from nessflow.spectrum.rates import integrate_observables
from nessflow.studies import networks
from nessflow.studies.kind import COVARIANCE, SECOND_LAW, Limits, Variable
from nessflow.studies.variables import ACCURACY
from nessflow.systems.system import OpenSystem

CONVENTIONS = (
    "Currents of a master equation: Tr[N L_a rho] and Tr[H L_a rho] of the terminal's part of the "
    "equation.  The rates (55) are sums over reservoirs, so that the epa has such parts too; they "
    "are no Lindblad equations, and what is counted with them is an approximation.",
    "Noise: zero frequency, without a factor 2.  Entropy production: heat that the reservoirs take "
    "up over their temperatures.",
)

FLOWS = {
    "particle_current": Variable(("terminal",), "t/hbar", "particle current from the reservoir"),
    "particle_noise": Variable(
        ("terminal", "terminal_2"), "t/hbar", "noise of the particle currents"
    ),
    "entropy_production": Variable((), "k_B*t/hbar", "entropy production"),
}
"""What every equation has; their limits depend on it, see `limits`."""


def by_equation(variables: dict[str, Variable]) -> dict[str, Variable]:
    """Return variables that each of several equations has."""
    return {
        name: replace(variable, dims=("equation", *variable.dims))
        for name, variable in variables.items()
    }


def limits(variables: dict[str, Variable], equations: tuple[str, ...]) -> dict[str, Limits]:
    """Return where noise and entropy production of some equations are, by variable.

    The rates (55) of the epa may be negative, so that it keeps no state positive; exact and global
    equations obey the second law, see A. Levy, R. Kosloff, EPL 107, 20004 (2014).

    Parameters
    ----------
    variables : dict of str to Variable
        Noise and entropy production by equation, under any name.
    equations : tuple of str
        The equations.
    """
    positive = [name != "epa" for name in equations]
    lawful = [name in ("exact", "global") for name in equations]
    return {
        name: networks.obeyed(COVARIANCE, variable, positive)
        if name.endswith("noise")
        else networks.obeyed(SECOND_LAW, variable, lawful)
        for name, variable in variables.items()
    }


def exact_transport(system: OpenSystem, bosonic: bool, accuracy: float = ACCURACY) -> Transport:
    """Return currents, noise and third cumulants by scattering theory."""
    if bosonic:
        return boson_transport(system, accuracy)
    observables = [f(system) for f in (currents_observable, noise_observable, cumulants_observable)]
    currents, noise, cumulants = integrate_observables(system, observables, accuracy)
    return Transport(
        networks.TERMINALS,
        currents.particle_current.at(slice(2)),
        currents.energy_current.at(slice(2)),
        noise.particle_noise,
        cumulants.cumulants.at((slice(None), 2)),
        currents.converged and noise.converged and cumulants.converged,
    )


def flows(system: OpenSystem, found: Transport) -> dict[str, Estimate]:
    """Return what `FLOWS` lists.

    Parameters
    ----------
    system : OpenSystem
        Whose leads say what heat and entropy are.
    found : Transport
        By any equation.
    """
    return {
        "particle_current": found.particle_current,
        "particle_noise": found.particle_noise,
        "entropy_production": entropy_production(system, found),
    }


def flows_of_many(
    points: Sequence[networks.NetworkParameters], found: Transport
) -> list[dict[str, Estimate]]:
    """Return what `FLOWS` lists of many points, which have neither loss nor gain.

    Parameters
    ----------
    points : sequence of NetworkParameters
        Whose reservoirs say what heat and entropy are.
    found : Transport
        By point and terminal.
    """
    ends = [[getattr(point.reservoirs, name) for name in networks.TERMINALS] for point in points]
    mu = np.array([[end.chemical_potential for end in pair] for pair in ends])
    temperature = np.array([[end.temperature for end in pair] for pair in ends])
    current, energy = found.particle_current, found.energy_current
    with np.errstate(divide="ignore", invalid="ignore"):
        taken = -(energy.value - mu * current.value) / temperature
        wrong = (energy.error + abs(mu) * current.error) / temperature
    entropy = Estimate(taken.sum(axis=1), wrong.sum(axis=1))
    warm = np.logical_and.reduce(temperature > 0, axis=1)
    return [
        {
            "particle_current": current.at(i),
            "particle_noise": found.particle_noise.at(i),
            "entropy_production": entropy.at(i)
            if warm[i]
            else undefined(without_temperature(point.system())),
        }
        for i, point in enumerate(points)
    ]


def undefined_flows(reason: str) -> dict[str, Estimate]:
    """Return NaN for what `FLOWS` lists, and why."""
    sizes = {"terminal": 2, "terminal_2": 2}
    shapes = {name: tuple(sizes[dim] for dim in x.dims) for name, x in FLOWS.items()}
    return {name: undefined(reason, shape) for name, shape in shapes.items()}
