"""Split of rate matrices into rates of the states of a basis and what joins different states.

Between the modes of the Hamiltonian, paper non-additive-dissipation, (56)-(58) and (65): each
terminal's diagonal is its thermalising part, what the terminals together have off the diagonal is
the interference term ``L_int``.  It vanishes between terminals in equilibrium with each other where
all levels are damped alike.  Between the sites, (69)-(75): local parts and ``L_LR``.
"""

import numpy as np

from nessflow.lindblad.equation import canonical_rates


def split(rates: np.ndarray, basis: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return what a split of gain or loss matrices by basis states consists of.

    Parameters
    ----------
    rates : (..., t, N, N) array
        Rate matrices of each terminal between sites.
    basis : (N, N) array, optional
        States in columns; the sites unless given.

    Returns
    -------
    own : (..., t, N) float
        Rate of each state due to each terminal.
    joint : (..., N, N) complex
        Rates between different states, all terminals together; zero diagonal.
    """
    if basis is not None:
        rates = basis.conj().T @ rates @ basis
    own = np.diagonal(rates, axis1=-2, axis2=-1).real
    return own, rates.sum(axis=-3) * (1 - np.eye(rates.shape[-1]))


def joint_rate(joint: np.ndarray) -> np.ndarray:
    """Return the largest canonical rate of a matrix without diagonal, |Lambda_12| for two states.

    Its rates add up to zero, so that it is no Lindblad generator by itself unless it is zero.

    Parameters
    ----------
    joint : (..., N, N) array
        Hermitian, of `split`, in t/hbar.

    Returns
    -------
    (...) float array
        In t/hbar.
    """
    return canonical_rates(joint)[..., -1]
