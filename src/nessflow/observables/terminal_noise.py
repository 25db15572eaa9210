"""Noise of all terminals, what loss takes and gain gives among them."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.observable import Observable, fluctuates
from nessflow.outcome import Limits, Status, Variable, noise_limits, status_of, with_errors
from nessflow.scattering.noise import ParticleNoise, terminal_noise_observable
from nessflow.spectrum.rates import Observable as Integrals
from nessflow.systems.system import OpenSystem

_LARGEST = 32
"""Sites up to which scattering matrices of all channels at each energy take about a second."""


class TerminalNoise(Observable):
    """Zero-frequency noise of the currents of all terminals, loss and gain among them."""

    name = "terminal-noise"
    variables = with_errors(
        {
            "terminal_noise": Variable(
                ("terminal", "terminal_2"),
                "t/hbar",
                "zero-frequency noise of all terminals' particle currents",
            )
        }
    )
    conventions = (
        "Terminal noise: as the noise of the leads, with all channels of loss as one terminal and "
        "all of gain as another; its rows add up to zero.",
    )

    def integrand(self, system: OpenSystem) -> Integrals | None:
        """Return the noise as something to integrate, unless it takes minutes."""
        return None if system.sites > _LARGEST else terminal_noise_observable(system)

    def evaluate(self, system: OpenSystem) -> None:
        """Return nothing where it would take minutes."""

    def estimates(self, system: OpenSystem, result: ParticleNoise | None) -> Mapping[str, Estimate]:
        """Return the noise, NaN where it would take minutes."""
        if result is not None:
            return {"terminal_noise": result.particle_noise}
        reason = (
            f"all channels of loss and gain at each energy take minutes on more than {_LARGEST} "
            "sites: nessflow.scattering.noise.terminal_noise computes them"
        )
        count = len(system.terminals) + 2
        return {"terminal_noise": undefined(reason, (count, count))}

    def fault(self, system: OpenSystem, result: ParticleNoise | None) -> tuple[Status, str]:
        """Return whether integrals converged and rows add up to zero."""
        if result is None or result.converged:
            return status_of()
        return status_of("the energy integral of noise did not converge")

    def limits(self, system: OpenSystem) -> dict[str, Limits]:
        """Return that variances are positive and covariances negative."""
        return {"terminal_noise": noise_limits(len(system.terminals) + 2)}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        return {"terminal_noise": True} if fluctuates(system) else {}
