"""Inverse participation ratios of eigenstates."""

from collections.abc import Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.observables.observable import Observable
from nessflow.observables.states.effective_spectrum import on_levels
from nessflow.outcome import PROBABILITY, Variable, with_errors
from nessflow.parts import quantity
from nessflow.scattering.states.eigenstates import States, states_of
from nessflow.systems.system import OpenSystem

_DEGENERATE = 8.0
"""Distance of two levels, over what they may be wrong by, up to which any mixture may be found."""


class InverseParticipation(Observable):
    """Inverse participation ratio of each eigenstate: 1 on one site, 1/N spread over N."""

    name = "inverse-participation"
    variables = with_errors(
        {
            "state_energy": Variable(("level",), "t", "energy of the eigenstate"),
            "inverse_participation_ratio": Variable(
                ("level",), "1", "sum of the squared weights on the sites", PROBABILITY
            ),
        }
    )
    conventions = (
        "Inverse participation ratio: sum_j |psi_j|^4 over (sum_j |psi_j|^2)^2.  The eigenstates "
        "are those of h, without leads, loss and gain; where an energy E is given, the right "
        "eigenvectors of the effective Hamiltonian h - iP - iQ + Sigma(E), sorted by the real "
        "parts of their eigenvalues.  States of one energy can be mixed: they have none.",
    )

    energy: float | None = quantity(
        "energy of the effective Hamiltonian; left out: eigenstates of h alone", "t", None
    )

    def evaluate(self, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return energies and ratios, O(N^3)."""
        states = states_of(system, self.energy)
        weights = abs(states.vectors) ** 2
        ratio = np.sum(weights**2, axis=0)
        moved = _moved(states)
        # d sum |psi|^4 = 4 sum |psi|^3 |d psi|, by Schwarz.
        error = 4 * np.sqrt(np.sum(weights**3, axis=0)) * moved + 4 * np.finfo(float).eps
        mixed = ~(moved < 1 / _DEGENERATE)
        value, error = (np.where(mixed, np.nan, x) for x in (ratio, error))
        reason = "states of one energy have no ratio of their own" if mixed.any() else ""
        return {
            "state_energy": on_levels(system, states.values.real, states.errors),
            "inverse_participation_ratio": on_levels(system, value, error, reason),
        }


def _moved(states: States) -> np.ndarray:
    """Return by how much rounding may turn each state, (n,): rounding over the nearest distance."""
    distances = abs(states.values[:, None] - states.values)
    np.fill_diagonal(distances, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        mixing = states.conditions * states.rounding / distances
    return np.sqrt(np.sum(mixing**2, axis=1))
