"""Local density of states: what all terminals together can fill on a site at one energy."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.grids import EnergyGrid, Listed, numbers_of
from nessflow.observables.observable import Observable
from nessflow.outcome import NOT_NEGATIVE, Coordinate, Variable, with_errors
from nessflow.parts import quantity
from nessflow.solvers.pairwise import Source, lead_broadening, site_sums
from nessflow.spectrum.edges.limits import continuous, why_undefined
from nessflow.spectrum.mesh import energy_scale
from nessflow.spectrum.rounding import with_moved_levels
from nessflow.systems.system import OpenSystem

_NAME = "local_density_of_states"
_ROUNDING = 16 * np.finfo(float).eps


class LocalDensityOfStates(Observable):
    """Local density of states on each site at given energies."""

    name = "local-density-of-states"
    variables = with_errors(
        {
            _NAME: Variable(
                ("site", "energy"),
                "1/t",
                "local density of states on the site at the energy",
                NOT_NEGATIVE,
            )
        }
    )
    conventions = (
        "Local density of states: (G (Gamma + 2P + 2Q) G^+)_jj / 2pi, all leads, loss and gain "
        "together; its integral over all energies is 1 less the weight on the site of states that "
        "are bound outside all bands or coupled to no terminal, which have no width.",
    )

    energies: EnergyGrid | Listed = quantity(
        "energies of the density of states, a grid or a list in any order", "t"
    )

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the energies."""
        return {"energy": Coordinate(numbers_of(self.energies), "t", "energy")}

    def evaluate(self, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return ``A_jj / 2 pi``, NaN at band edges where it diverges; O(N) for each energy."""
        energies = numbers_of(self.energies)

        def density(own: OpenSystem, energies: np.ndarray) -> np.ndarray:
            everything = Source(lead_broadening(own, energies), loss=1.0, gain=1.0)
            return site_sums(own, energies, [everything]).sites[0].T / (2 * np.pi)

        value, moved = with_moved_levels(
            system, energies, lambda own, w: continuous(own, w, density)
        )
        error = moved + _ROUNDING * value + _cancelled(system, value)
        reason = why_undefined(system, energies[~np.isfinite(value).all(axis=0)])
        return {_NAME: Estimate(value, np.where(np.isnan(value), np.nan, error), reason)}


def _cancelled(system: OpenSystem, value: np.ndarray) -> np.ndarray:
    """Return what rounding makes of values that are small by interference, (N, E).

    ``|dA_jj| <= 2 sum_i |G_ji| |M|_ii epsilon |A_ij|`` with ``|A_ij|^2 <= A_ii A_jj``, where
    Green's function is taken to be as large as its imaginary part anywhere, or 1/M.
    """
    scale = energy_scale(system)
    green = np.pi * value.max(axis=0, initial=0.0) + 1 / scale
    root = np.sqrt(value)
    return 2 * np.finfo(float).eps * scale * green * root * root.sum(axis=0)
