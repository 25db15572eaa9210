"""Entropy of the streams that leave the terminals less that of those that enter them."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.observable import Observable, flows
from nessflow.outcome import NOT_NEGATIVE, Variable, with_errors
from nessflow.scattering.entropy import needs_dense, scattering_entropy_observable
from nessflow.spectrum.rates import Observable as Integrals
from nessflow.systems.system import OpenSystem

_NAME = "scattering_entropy_production"
_LARGEST_DENSE = 32
"""Sites up to which entropies by dense matrices at each energy take about a second."""


class ScatteringEntropy(Observable):
    """Entropy production of scattering, finite for loss and gain as well."""

    name = "scattering-entropy"
    variables = with_errors(
        {
            _NAME: Variable(
                (),
                "k_B*t/hbar",
                "entropy that leaves the terminals less what enters them",
                NOT_NEGATIVE,
            )
        }
    )
    conventions = (
        "Scattering entropy production: entropy of the streams that leave the terminals less that "
        "of the streams that enter them, correlations between terminals forgotten; always finite.  "
        "Proportional loss and gain are one terminal, so that it jumps where they cease to be.",
    )

    def integrand(self, system: OpenSystem) -> Integrals | None:
        """Return the entropy production as something to integrate, unless it takes minutes."""
        return None if _takes_minutes(system) else scattering_entropy_observable(system)

    def evaluate(self, system: OpenSystem) -> None:
        """Return nothing where it would take minutes."""

    def estimates(self, system: OpenSystem, result: Estimate | None) -> Mapping[str, Estimate]:
        """Return the entropy production, NaN where it would take minutes."""
        if result is None:
            return {
                _NAME: undefined(
                    "loss and gain that are not proportional take dense matrices at each energy, "
                    f"minutes on more than {_LARGEST_DENSE} sites: "
                    "nessflow.scattering.entropy.scattering_entropy_production computes it"
                )
            }
        return {_NAME: result}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        return {_NAME: flows(system)}


def _takes_minutes(system: OpenSystem) -> bool:
    return needs_dense(system) and system.sites > _LARGEST_DENSE
