"""Particle currents of two wide-band leads in closed form: a second, independent route.

With ``X + Sigma = R diag(lambda) R^-1`` every current of paper extended-landauer-buttiker, eq (8),
is a sum over pairs of eigenvalues of

    int dw f(w) / [(w - lambda_n)(w - lambda_m^*)],

which is a difference of digamma functions, of logarithms at temperature 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from nessflow.scattering.system import OpenSystem, WideBandLead, as_dense

_LARGEST_CONDITION = 1e4
"""Errors grow as the condition number squared: 1e-8 of the largest term here."""


class IllConditionedEigenvectors(ValueError):
    """The eigenvectors of ``X + Sigma`` are too nearly parallel for the closed form.

    Happens near exceptional points and with the skin effect.  `steady_currents` has no such limit.
    """

    def __init__(self, condition: float):
        super().__init__(
            f"the eigenvectors of X + Sigma have the condition number {condition:.3g}, above "
            f"{_LARGEST_CONDITION:.0e}: the system is near an exceptional point or has a skin "
            "effect; use nessflow.scattering.currents.steady_currents instead"
        )
        self.condition = condition


@dataclass(frozen=True, eq=False)
class ClosedFormCurrents:
    """Particle currents of eq (8), hbar = 1.

    Attributes
    ----------
    landauer, landauer_error : float
        ``J_LR``, in t/hbar.
    reservoir, reservoir_error : (2,) float
        ``J_LS`` and ``J_RS``, in t/hbar.
    condition : float
        Condition number of the eigenvector matrix.
    """

    landauer: float
    landauer_error: float
    reservoir: np.ndarray
    reservoir_error: np.ndarray
    condition: float

    @property
    def net(self) -> float:
        """``J = J_LR + J_LS - J_RS``, in t/hbar."""
        return self.landauer + self.reservoir[0] - self.reservoir[1]

    @property
    def net_error(self) -> float:
        """Error of `net`."""
        return self.landauer_error + float(self.reservoir_error.sum())


def _occupied(lead: WideBandLead, poles: np.ndarray) -> np.ndarray:
    """Return ``(lambda_n - lambda_m^*) int dw f / [(w - lambda_n)(w - lambda_m^*)] + i pi``."""
    z = 1j * (poles - lead.chemical_potential)
    scale = 2 * np.pi * lead.temperature
    psi = digamma(0.5 + z / scale) if scale > 0 else np.log(z)
    return psi[:, None] - psi.conj()[None]


def closed_form_currents(system: OpenSystem) -> ClosedFormCurrents:
    """Return the particle currents between two wide-band leads, loss and gain.

    Parameters
    ----------
    system : OpenSystem
        With exactly two leads, both `WideBandLead`; first left, second right.

    Raises
    ------
    IllConditionedEigenvectors
        When the eigen-decomposition is not accurate enough.
    ValueError
        When the leads are not two of the wide-band kind.
    """
    if len(system.leads) != 2 or not all(isinstance(x, WideBandLead) for x in system.leads):
        raise ValueError(
            "the closed form holds for exactly two wide-band leads; "
            "use nessflow.scattering.currents.steady_currents instead"
        )
    matrix = system.damping_matrix()
    for lead in system.leads:
        matrix[lead.site, lead.site] -= 0.5j * lead.broadening
    poles, right = np.linalg.eig(matrix)
    condition = float(np.linalg.cond(right))
    if not condition < _LARGEST_CONDITION:
        raise IllConditionedEigenvectors(condition)
    left = np.linalg.inv(right)
    scale = 1 / (poles[:, None] - poles.conj()[None])
    occupied = [_occupied(lead, poles) for lead in system.leads]
    # Eigenvectors are wrong by epsilon cond(R), eigenvalues by that times the norm.
    accuracy = (
        np.finfo(float).eps * condition * (condition + np.linalg.norm(matrix, 2) * abs(scale))
    )

    def pair_sum(lead: WideBandLead, source: np.ndarray, kernel: np.ndarray) -> tuple[float, float]:
        row = right[lead.site]
        inner = left @ source @ left.conj().T
        terms = lead.broadening * np.outer(row, row.conj()) * inner * kernel * scale
        return terms.sum().real / (2 * np.pi), 4 * float((accuracy * abs(terms)).sum())

    loss, gain = as_dense(system.loss), as_dense(system.gain)
    reservoir = np.zeros((2, 2))
    for a, lead in enumerate(system.leads):
        lost = pair_sum(lead, loss, occupied[a] - 1j * np.pi)
        gained = pair_sum(lead, gain, occupied[a] + 1j * np.pi)
        reservoir[:, a] = lost[0] + gained[0], lost[1] + gained[1]
    landauer = np.zeros(2)
    for lead, other in (system.leads, system.leads[::-1]):
        contact = np.zeros_like(matrix)
        contact[other.site, other.site] = 0.5 * other.broadening
        landauer += pair_sum(lead, contact, occupied[0] - occupied[1])
    return ClosedFormCurrents(
        float(landauer[0]), float(landauer[1]), reservoir[0], reservoir[1], condition
    )
