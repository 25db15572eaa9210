"""Master equations in Fock space: an oracle that knows nothing of Gaussian states."""

from functools import reduce
from math import factorial

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from nessflow.lindblad.equation import MasterEquation


def annihilators(sites):
    """Jordan-Wigner matrices of c_1 .. c_N."""
    lower, sign = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0])
    result = []
    for site in range(sites):
        matrix = np.eye(1)
        for other in range(sites):
            factor = sign if other < site else lower if other == site else np.eye(2)
            matrix = np.kron(matrix, factor)
        result.append(matrix)
    return result


def boson_annihilators(sites, levels):
    """Matrices of b_1 .. b_N with at most ``levels - 1`` bosons on each site."""
    lower = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
    return [
        reduce(np.kron, [lower if other == site else np.eye(levels) for other in range(sites)])
        for site in range(sites)
    ]


def _sandwich(left, right):
    """Superoperator of ``left rho right`` for rho in row-major order."""
    return np.kron(left, right.T)


class FockEquation:
    """Superoperators of a master equation: of all, and the jumps that fill and empty by terminal.

    Written with the rate matrices, not with their eigenvectors, so that rates may be negative.
    """

    def __init__(self, equation: MasterEquation, levels: int = 0):
        sites = len(equation.hamiltonian)
        c = boson_annihilators(sites, levels) if equation.bosonic else annihilators(sites)
        self.c, self.up = c, [x.conj().T for x in c]
        one = np.eye(len(c[0]))
        h = self.quadratic(equation.hamiltonian)
        self.generator = -1j * (_sandwich(h, one) - _sandwich(one, h))
        self.filling, self.emptying = [], []
        for loss, gain in zip(equation.loss, equation.gain, strict=True):
            empty = fill = damp = 0.0
            for j in range(sites):
                for k in range(sites):
                    empty = empty + loss[k, j] * _sandwich(c[j], self.up[k])
                    fill = fill + gain[j, k] * _sandwich(self.up[j], c[k])
                    damp = damp + loss[k, j] * self.up[k] @ c[j] + gain[j, k] * c[k] @ self.up[j]
            self.filling.append(fill)
            self.emptying.append(empty)
            damping = _sandwich(damp, one) + _sandwich(one, damp)
            self.generator = self.generator + fill + empty - 0.5 * damping
        self.trace = one.ravel()
        self._factors = None

    def quadratic(self, matrix):
        """``sum_ij matrix_ij c_i^+ c_j``."""
        n = range(len(self.c))
        return sum(matrix[i, j] * self.up[i] @ self.c[j] for i in n for j in n)

    def density(self, state):
        """``<c_j^+ c_i>`` of a state as a vector."""
        rho = state.reshape(len(self.c[0]), -1)
        return np.array([[np.trace(up @ x @ rho) for up in self.up] for x in self.c])

    def _solve(self, source, total):
        """``generator x = source`` with a given trace."""
        if self._factors is None:
            # The singular generator has the trace as its left null vector: a projector is added.
            self._mixed = self.trace / len(self.c[0])
            self._factors = lu_factor(self.generator + np.outer(self._mixed, self.trace))
        return lu_solve(self._factors, source + self._mixed * total)

    def steady(self):
        return self._solve(np.zeros(len(self.trace)), 1.0)

    def cumulants(self, a, order=3):
        """Cumulants of the charge that terminal a sends: perturbation theory in the field."""
        terms = [
            (self.filling[a] + (-1) ** m * self.emptying[a]) / factorial(m)
            for m in range(1, order + 1)
        ]
        states, values = [self.steady()], []
        for n in range(1, order + 1):
            source = sum(terms[m - 1] @ states[n - m] for m in range(1, n + 1))
            values.append(self.trace @ source)
            source = source - sum(values[m - 1] * states[n - m] for m in range(1, n + 1))
            states.append(self._solve(-source, 0.0))
        return np.array([(factorial(n + 1) * value).real for n, value in enumerate(values)])

    def cross_noise(self, a, b):
        """``d^2 chi / dx_a dx_b`` of two different terminals, by `cumulants` of their sum."""
        single = [self.cumulants(k, 2)[1] for k in (a, b)]
        both = (self.filling[a] + self.filling[b], self.emptying[a] + self.emptying[b])
        self.filling.append(both[0])
        self.emptying.append(both[1])
        total = self.cumulants(-1, 2)[1]
        del self.filling[-1], self.emptying[-1]
        return 0.5 * (total - sum(single))


def choi(superoperator):
    """Choi matrix of a map; positive where the map is completely positive."""
    size = int(np.sqrt(len(superoperator)))
    return superoperator.reshape(size, size, size, size).transpose(0, 2, 1, 3).reshape(size**2, -1)
