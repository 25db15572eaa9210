"""Entropy of the streams that leave the terminals less that of those that enter them."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.observables.observable import Observable, flows
from nessflow.outcome import NOT_NEGATIVE, Variable, with_errors
from nessflow.scattering.entropy import needs_dense, scattering_entropy_production
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

    def evaluate_to(self, accuracy: float, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return the entropy production, NaN where it would take minutes."""
        if needs_dense(system) and system.sites > _LARGEST_DENSE:
            return {
                _NAME: undefined(
                    "loss and gain that are not proportional take dense matrices at each energy, "
                    f"minutes on more than {_LARGEST_DENSE} sites: "
                    "nessflow.scattering.entropy.scattering_entropy_production computes it"
                )
            }
        return {_NAME: scattering_entropy_production(system, accuracy)}

    def never_zero(self, system: OpenSystem) -> dict[str, np.ndarray | bool]:
        """Return what ends at no distance where warm leads share states."""
        return {_NAME: flows(system)}
