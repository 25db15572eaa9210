"""Observable: how much more the left half of a system holds than the right one."""

from typing import Any

import numpy as np

from nessflow.estimate import Estimate
from nessflow.observables.density import Density
from nessflow.observables.observable import Observable
from nessflow.outcome import Variable, with_errors
from nessflow.systems.system import OpenSystem


class Imbalance(Observable):
    """Particles in the left half of the sites minus those in the right half."""

    name = "imbalance"
    requires = (Density,)
    variables = with_errors({"imbalance": Variable((), "1", "particles left minus right")})

    def evaluate(self, system: OpenSystem, density: Any) -> dict[str, Estimate]:
        """Return the difference; errors of sums add up."""
        occupation = density.parts["filled"]
        sites = np.arange(len(occupation.value))
        return {"imbalance": (occupation * np.sign(sites.mean() - sites)).total()}
