"""Transmissions between leads of equal cells by dense matrices, written out once more.

Nothing of the solvers: the surface Green's function of a lead is found from the solutions of its
equation of motion that leave or decay, by an ordered generalised Schur decomposition.
"""

import numpy as np
import scipy.linalg

_SHIFT = 1e-11


def surface_self_energy(energy, continuation):
    """Self-energy on the rows, ``W g W^+``; the imaginary shift is extrapolated to 0."""
    return 2 * _shifted(energy + 1j * _SHIFT, continuation) - _shifted(
        energy + 2j * _SHIFT, continuation
    )


def _shifted(energy, continuation):
    _, cell, hopping, coupling = continuation
    m = len(cell)
    one, zero = np.eye(m), np.zeros((m, m))
    a = np.block([[zero, one], [-hopping.conj().T, energy * one - cell]])
    b = np.block([[one, zero], [zero, hopping]])
    *_, z = scipy.linalg.ordqz(a, b, sort="iuc", output="complex")
    step = z[m:, :m] @ np.linalg.inv(z[:m, :m])
    g = np.linalg.inv(energy * one - cell - hopping @ step)
    return coupling @ g @ coupling.conj().T


def transmissions(h, continuations, energy):
    """``T[a, b]`` from lead b into lead a, for a Hamiltonian (N, N) and leads beside it."""
    inverse, gammas = energy * np.eye(len(h)) - h.astype(complex), []
    for lead in continuations:
        sigma = surface_self_energy(energy, lead)
        inverse[np.ix_(lead[0], lead[0])] -= sigma
        gammas.append((lead[0], 1j * (sigma - sigma.conj().T)))
    green = np.linalg.inv(inverse)
    result = np.empty((len(gammas), len(gammas)))
    for a, (into, left) in enumerate(gammas):
        for b, (out, right) in enumerate(gammas):
            g = green[np.ix_(into, out)]
            result[a, b] = np.trace(left @ g @ right @ g.conj().T).real
    return result
