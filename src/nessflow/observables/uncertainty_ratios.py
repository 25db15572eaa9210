"""Noise times entropy production over the square of a current."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, uncertainty_ratio, undefined
from nessflow.observables.currents import Currents
from nessflow.observables.entropy_production import EntropyProduction
from nessflow.observables.noise import Noise
from nessflow.observables.observable import Observable
from nessflow.outcome import NOT_NEGATIVE, Variable, with_errors
from nessflow.scattering.currents import SteadyCurrents
from nessflow.scattering.noise import ParticleNoise
from nessflow.systems.system import OpenSystem


class UncertaintyRatios(Observable):
    """Thermodynamic uncertainty ratios of the net current and of each lead's."""

    name = "uncertainty-ratios"
    requires = (Currents, Noise, EntropyProduction)
    variables = with_errors(
        {
            "uncertainty_ratio": Variable(
                (),
                "k_B",
                "net particle noise times entropy production over net particle current squared",
                NOT_NEGATIVE,
            ),
            "lead_uncertainty_ratio": Variable(
                ("lead",),
                "k_B",
                "noise of the lead's particle current times entropy production over its square",
                NOT_NEGATIVE,
            ),
        }
    )

    def evaluate(
        self,
        system: OpenSystem,
        currents: SteadyCurrents,
        noise: ParticleNoise,
        entropies: Mapping[str, Estimate],
    ) -> Mapping[str, Estimate]:
        """Return what follows from currents, noise and entropy production."""
        entropy = entropies["entropy_production"]
        return {
            "uncertainty_ratio": _of_net_current(currents, noise, entropy),
            "lead_uncertainty_ratio": _of_leads(currents, noise, entropy),
        }


def _of_net_current(currents: SteadyCurrents, noise: ParticleNoise, entropy: Estimate) -> Estimate:
    if currents.net_particle_current.undefined:
        return undefined("a net current is defined between two leads")
    return uncertainty_ratio(noise.net_particle_noise, entropy, currents.net_particle_current)


def _of_leads(currents: SteadyCurrents, noise: ParticleNoise, entropy: Estimate) -> Estimate:
    each = []
    for a, name in enumerate(noise.terminals):
        own_noise, current = noise.particle_noise.at((a, a)), currents.particle_current.at(a)
        each.append((name, uncertainty_ratio(own_noise, entropy, current)))
    reasons = [f"{name}: {found.undefined}" for name, found in each if found.undefined]
    reason = entropy.undefined or "; ".join(reasons)
    values, errors = (np.array(x) for x in zip(*(found[:2] for _, found in each), strict=True))
    return Estimate(values, errors, reason)
