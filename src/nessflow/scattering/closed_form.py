"""Particle currents of two wide-band leads in closed form: a second, independent route.

With ``X + Sigma = R diag(lambda) R^-1`` every current of paper extended-landauer-buttiker, eq (8),
is a sum over pairs of eigenvalues of

    int dw f(w) / [(w - lambda_n)(w - lambda_m^*)],

which is a difference of digamma functions, of logarithms at temperature 0.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma

from nessflow.estimate import Estimate
from nessflow.solvers.dark_states import bright_damping_matrix
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import AttachedLead, OpenSystem

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
    landauer : Estimate
        ``J_LR``, in t/hbar.
    reservoir : Estimate
        (2,): ``J_LS`` and ``J_RS``, in t/hbar.
    condition : float
        Condition number of the eigenvector matrix.
    """

    landauer: Estimate
    reservoir: Estimate
    condition: float

    @property
    def net(self) -> Estimate:
        """``J = J_LR + J_LS - J_RS``, in t/hbar."""
        left, right = self.reservoir.value
        error = self.landauer.error + float(self.reservoir.error.sum())
        return Estimate(self.landauer.value + left - right, error)


def _psi(lead: AttachedLead, poles: np.ndarray) -> np.ndarray:
    """Return ``psi_n``, (N,) complex.

    ``int dw f / [(w - l_n)(w - l_m^*)] = (psi_n - psi_m^* - i pi) / (l_n - l_m^*)``, and with
    ``f - 1`` it is ``+ i pi``.
    """
    z = 1j * (poles - lead.chemical_potential)
    scale = 2 * np.pi * lead.temperature
    return digamma(0.5 + z / scale) if scale > 0 else np.log(z)


def _broadening(lead: AttachedLead) -> np.ndarray:
    """Return ``Gamma`` between the lead's sites."""
    model: Any = lead.model
    return model.broadening * np.outer(lead.amplitudes, lead.amplitudes.conj())


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first[:, None] + second[None]


def closed_form_currents(system: OpenSystem) -> ClosedFormCurrents:
    """Return the particle currents between two wide-band leads, loss and gain.

    Parameters
    ----------
    system : OpenSystem
        With exactly two leads, both wide-band; first left, second right.

    Returns
    -------
    ClosedFormCurrents
        The parts of (8), with their errors.

    Raises
    ------
    IllConditionedEigenvectors
        When the eigen-decomposition is not accurate enough.
    ValueError
        When the leads are not two of the wide-band kind.
    """
    two = len(system.leads) == len(system.terminals) == 2
    if not two or not all(isinstance(x.model, WideBand) for x in system.leads):
        raise ValueError(
            "the closed form holds for exactly two wide-band leads; "
            "use nessflow.scattering.currents.steady_currents instead"
        )
    matrix = bright_damping_matrix(system)
    for lead in system.leads:
        matrix[np.ix_(lead.sites, lead.sites)] -= 0.5j * _broadening(lead)
    poles, right = np.linalg.eig(matrix)
    condition = float(np.linalg.cond(right))
    if not condition < _LARGEST_CONDITION:
        raise IllConditionedEigenvectors(condition)
    left = np.linalg.inv(right)
    scale = 1 / (poles[:, None] - poles.conj()[None])
    psi = [_psi(lead, poles) for lead in system.leads]
    occupied = [_pairs(x, -x.conj()) for x in psi]
    sizes = [_pairs(abs(x), abs(x)) for x in psi]
    # Eigenvectors are wrong by epsilon cond(R), eigenvalues by that times the norm.
    shift = np.linalg.norm(matrix, 2) * abs(scale)
    accuracy = 4 * np.finfo(float).eps * condition * (condition + shift)

    def pair_sum(
        lead: AttachedLead, source: np.ndarray, kernel: np.ndarray, size: np.ndarray
    ) -> np.ndarray:
        """Return ``int dw/2pi Tr[Gamma_lead G source G^+] occupation`` and its error."""
        row = lead.amplitudes.conj() @ right[lead.sites]
        model: Any = lead.model
        weight = model.broadening * np.outer(row, row.conj()) * scale
        weight = weight * (left @ source @ left.conj().T) / (2 * np.pi)
        return np.array([(weight * kernel).sum().real, (accuracy * abs(weight) * size).sum()])

    loss, gain = as_dense(system.loss), as_dense(system.gain)
    reservoir = np.transpose(
        [
            pair_sum(lead, loss, occupied[a] - 1j * np.pi, sizes[a] + np.pi)
            + pair_sum(lead, gain, occupied[a] + 1j * np.pi, sizes[a] + np.pi)
            for a, lead in enumerate(system.leads)
        ]
    )
    landauer = np.zeros(2)
    for lead, other in (system.leads, system.leads[::-1]):
        contact = np.zeros_like(matrix)
        contact[np.ix_(other.sites, other.sites)] = 0.5 * _broadening(other)
        landauer += pair_sum(lead, contact, occupied[0] - occupied[1], sizes[0] + sizes[1])
    value, error = map(float, landauer)
    return ClosedFormCurrents(Estimate(value, error), Estimate(*reservoir), condition)
