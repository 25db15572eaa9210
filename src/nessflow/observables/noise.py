"""Zero-frequency noise of the leads' particle currents."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.observables.observable import Observable, fluctuates
from nessflow.outcome import (
    NOT_NEGATIVE,
    Limits,
    Status,
    Variable,
    noise_limits,
    status_of,
    with_errors,
)
from nessflow.scattering.noise import ParticleNoise, noise_observable
from nessflow.spectrum.rates import Observable as Integrals
from nessflow.systems.system import OpenSystem


class Noise(Observable):
    """Zero-frequency noise of the leads' particle currents and of the net current."""

    name = "noise"
    variables = with_errors(
        {
            "particle_noise": Variable(
                ("lead", "lead_2"),
                "t/hbar",
                "zero-frequency noise of the leads' particle currents",
            ),
            "net_particle_noise": Variable(
                (), "t/hbar", "zero-frequency noise of the net particle current", NOT_NEGATIVE
            ),
        }
    )
    conventions = (
        "Noise: zero frequency, symmetrised, integral of <<dI_a(t) dI_b(0)>> over t without a "
        "factor 2, so that the variance of a transferred charge grows as noise times time.  Net "
        "noise is that of the net current.",
    )

    def integrand(self, system: OpenSystem) -> Integrals:
        """Return the noise as something to integrate."""
        return noise_observable(system)

    def estimates(self, system: OpenSystem, result: ParticleNoise) -> Mapping[str, Estimate]:
        """Return the noise; that of the net current is NaN without two leads."""
        return {
            "particle_noise": result.particle_noise,
            "net_particle_noise": result.net_particle_noise,
        }

    def fault(self, system: OpenSystem, result: ParticleNoise) -> tuple[Status, str]:
        """Return whether integrals converged and no variance is negative."""
        if not result.converged:
            return status_of("the energy integral of noise did not converge")
        # Cross noise with loss and gain is negative too, so that no row of the leads' noise adds up
        # to less than zero; then the matrix is positive as well.
        value, error, _ = result.particle_noise
        lowest = value.sum(axis=1) + error.sum(axis=1)
        if np.all(lowest >= 0):
            return status_of()
        return status_of(
            doubt=f"the noise is not positive: the leads' covariances add to {lowest.min():.1e} "
            "with their errors"
        )

    def limits(self, system: OpenSystem) -> dict[str, Limits]:
        """Return that variances are positive and covariances negative."""
        return {"particle_noise": noise_limits(len(system.terminals))}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        names = ("particle_noise", "net_particle_noise") if fluctuates(system) else ()
        return dict.fromkeys(names, True)
