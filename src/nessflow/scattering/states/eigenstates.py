"""Eigenstates of the Hamiltonian of a system, and of its effective Hamiltonian at an energy."""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem

_MOST = 5000
"""Sites beyond which nothing is diagonalised."""
_ROUNDING = 8 * np.finfo(float).eps
"""Error of the matrix that has the computed eigenvalues, over its norm."""


class States(NamedTuple):
    """Eigenstates of a matrix on the sites that are there.

    Attributes
    ----------
    values : (n,) complex
        Eigenvalues, in t, sorted by their real parts, then by their imaginary parts.
    vectors : (n, n) complex
        Right eigenvectors, of norm 1, in columns.
    conditions : (n,) float
        How much an eigenvalue moves with the matrix, at least 1.
    rounding : float
        By how much rounding moves the matrix, in t.
    """

    values: np.ndarray
    vectors: np.ndarray
    conditions: np.ndarray
    rounding: float

    @property
    def errors(self) -> np.ndarray:
        """Errors of the eigenvalues, (n,), in t."""
        return self.conditions * self.rounding


def states_of(system: OpenSystem, energy: float | None) -> States:
    """Return the eigenstates of the Hamiltonian, or of the effective one at an energy.

    Parameters
    ----------
    system : OpenSystem
        The system; O(N^3).
    energy : float or None
        At which the self-energies of the leads are taken, in t; None for the Hamiltonian alone.

    Returns
    -------
    States
        Of the sites that are not vacant.

    Raises
    ------
    ValueError
        When there are too many sites, or the self-energy of a lead has a pole at the energy.
    """
    if system.sites > _MOST:
        raise ValueError(
            f"eigenstates take (number of sites)^3 operations: {system.sites} sites are more than "
            f"{_MOST}; use local-density-of-states or localisation-length"
        )
    kept = np.setdiff1d(np.arange(system.sites), system.removed)
    if energy is None:
        matrix = as_dense(system.hamiltonian)[np.ix_(kept, kept)]
        values, vectors = np.linalg.eigh(matrix)
        rounding = _ROUNDING * np.linalg.norm(matrix)
        return States(values.astype(complex), vectors, np.ones(values.size), rounding)
    matrix = system.damping_matrix()
    matrix[system.coupling.elements] += system.contact_self_energy(np.array([energy]))[0]
    matrix = matrix[np.ix_(kept, kept)]
    if not np.isfinite(matrix).all():
        raise ValueError(f"the self-energy of a lead has a pole at the energy {energy:g}")
    values, left, right = scipy.linalg.eig(matrix, left=True, right=True)
    overlap = abs(np.sum(left.conj() * right, axis=0))
    rounding = _ROUNDING * np.linalg.norm(matrix)
    with np.errstate(divide="ignore"):
        # At an exceptional point both vanish; the root of the rounding is what is left.
        conditions = np.minimum(1 / overlap, np.linalg.norm(matrix) / rounding)
    order = _sorted(values, conditions * rounding)
    return States(values[order], right[:, order], conditions[order], rounding)


def _sorted(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the order by real parts, within their errors by imaginary parts."""
    order = np.argsort(values.real, kind="stable")
    real, wrong = values.real[order], errors[order]
    group = np.cumsum(np.append(0, np.diff(real) > wrong[1:] + wrong[:-1]))
    return order[np.lexsort((-values.imag[order], group))]
