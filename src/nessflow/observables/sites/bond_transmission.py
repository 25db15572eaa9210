"""Scattering states of each lead: where they are, and what they carry through each bond."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.grids import EnergyGrid, Listed, numbers_of
from nessflow.observables.observable import Observable
from nessflow.outcome import NOT_NEGATIVE, Coordinate, Variable, with_errors
from nessflow.parts import quantity
from nessflow.solvers.pairwise import Source, bonds, lead_broadening, site_sums
from nessflow.spectrum.edges.limits import continuous, why_undefined
from nessflow.spectrum.mesh import energy_scale
from nessflow.spectrum.rounding import with_moved_levels
from nessflow.systems.matrices import matrix_elements
from nessflow.systems.system import OpenSystem

_EPSILON = np.finfo(float).eps
_ROUNDING = 16 * _EPSILON


class BondTransmission(Observable):
    """What each lead sends at given energies, all modes together: on sites and through bonds."""

    name = "bond-transmission"
    variables = with_errors(
        {
            "bond_transmission": Variable(
                ("lead", "bond", "energy"),
                "1",
                "current through the bond of what the lead sends",
            ),
            "injectivity": Variable(
                ("lead", "site", "energy"),
                "1/t",
                "density of states that the lead sends to the site",
                NOT_NEGATIVE,
            ),
        }
    )
    conventions = (
        "Bond transmission: 2 Im (h_ji C_ij) with C = G Gamma_lead G^+, from site i to site j > i: "
        "the current of the scattering states of a lead, one particle in each of its modes.  Its "
        "sum over the bonds of a cross-section is the transmission.  Over 2 pi hbar, times "
        "occupations and summed over leads and gain, it integrates to the bond current.",
        "Injectivity: C_jj / 2 pi; of all leads, loss and gain together it is the local density of "
        "states.",
    )

    energies: EnergyGrid | Listed = quantity(
        "energies of what leads send, a grid or a list in any order", "t"
    )

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the energies."""
        return {"energy": Coordinate(numbers_of(self.energies), "t", "energy")}

    def evaluate(self, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return both, NaN at band edges where they jump; O(N) for each energy on a chain.

        The error is what rounded levels move them by, and what rounding makes of C: with M the
        matrix that is inverted
        ``|dC_ij| <= epsilon sum_k |M_kk| (|G_ik| |C_kj| + |C_ik| |G_jk|)``, where
        ``|C_ij|^2 <= C_ii C_jj`` and Green's function is taken to be as large as its imaginary part
        anywhere, or 1/M.
        """
        energies, (first, second) = numbers_of(self.energies), bonds(system).T
        hopping = matrix_elements(system.hamiltonian, bonds(system))[:, None]
        leads = np.arange(len(system.terminals))[:, None] == system.terminal_of_lead

        def flows(own: OpenSystem, energies: np.ndarray) -> np.ndarray:
            gamma = lead_broadening(own, energies)
            sources = [Source(gamma * mine[:, None]) for mine in leads]
            found = site_sums(own, energies, [*sources, Source(gamma, loss=1.0, gain=1.0)])
            currents = 2 * (hopping.conj() * found.bonds.swapaxes(1, 2)).imag
            return np.concatenate([currents, found.sites.swapaxes(1, 2)], axis=1)

        found, moved = with_moved_levels(system, energies, lambda own, w: continuous(own, w, flows))
        currents, sites = found[:-1, : first.size], found[:-1, first.size :]
        root, scale = np.sqrt(np.maximum(sites, 0.0)), energy_scale(system)
        green = 0.5 * found[-1, first.size :].max(axis=0, initial=0.0) + 1 / scale
        cancelled = 2 * _EPSILON * scale * green * root.sum(axis=1, keepdims=True)
        # Of products of two elements each, by their geometric means.
        doubt = cancelled * root + _ROUNDING * sites
        beside = cancelled * (root[:, first] + root[:, second]) / 2
        beside = abs(2 * hopping) * (beside + _ROUNDING * root[:, first] * root[:, second])
        lost = energies[~np.isfinite(found).all(axis=(0, 1))]
        reason = why_undefined(system, lost)

        def estimate(value: np.ndarray, error: np.ndarray) -> Estimate:
            error = np.where(np.isnan(value), np.nan, error)
            return Estimate(value, error, reason if np.isnan(value).any() else "")

        moved = moved[:-1]
        return {
            "bond_transmission": estimate(currents, moved[:, : first.size] + beside),
            "injectivity": estimate(sites, moved[:, first.size :] + doubt) * (0.5 / np.pi),
        }
