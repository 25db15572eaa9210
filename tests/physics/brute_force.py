"""Counting statistics without scattering theory: oracles that know nothing of the engine.

Quantum jumps in Fock space: the tilted Lindbladian of a small chain, 2^N states.
Unitary evolution: leads are finite chains, and charges are counted before and after a time.
"""

from math import factorial

import numpy as np

from fock import annihilators
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem

# --- quantum jumps --------------------------------------------------------------------------------


def _jump(operator):
    """Superoperator of ``L rho L^+`` for rho in row-major order."""
    return np.kron(operator, operator.conj())


def _damping(operator):
    square, one = operator.conj().T @ operator, np.eye(len(operator))
    return -0.5 * (np.kron(square, one) + np.kron(one, square.T))


def _channels(matrix):
    """Rates and modes of ``2 P``: the convention of the paper has no factor 1/2."""
    rates, modes = np.linalg.eigh(2 * as_dense(matrix))
    return [np.sqrt(rate) * mode for rate, mode in zip(rates, modes.T, strict=True) if rate > 1e-14]


def lindbladian(system: OpenSystem):
    """Return the Lindbladian and each lead's jumps with their charge, at infinite bias.

    A lead with ``mu > 0`` is full and injects, any other is empty and absorbs.
    """
    c = annihilators(system.sites)
    h = as_dense(system.hamiltonian)
    energy = sum(h[i, j] * c[i].T @ c[j] for i in range(system.sites) for j in range(system.sites))
    one = np.eye(len(energy))
    result = -1j * (np.kron(energy, one) - np.kron(one, energy.T))
    operators = [sum(v.conj()[i] * c[i] for i in range(len(c))) for v in _channels(system.loss)]
    operators += [sum(v[i] * c[i].T for i in range(len(c))) for v in _channels(system.gain)]
    jumps = []
    for lead in system.leads:
        full = lead.chemical_potential > 0
        operator = np.sqrt(lead.model.broadening) * (c[lead.site].T if full else c[lead.site])
        operators.append(operator)
        jumps.append((_jump(operator), 1 if full else -1))
    return result + sum(_jump(o) + _damping(o) for o in operators), jumps


def jump_cumulants(system: OpenSystem, counted: list[int], order: int = 4):
    """Return the cumulants of the charge that some leads together send, per unit time.

    Perturbation theory of the eigenvalue of ``L(x) = L + sum_a (e^{x q_a} - 1) J_a`` at x = 0.
    """
    generator, jumps = lindbladian(system)
    size = int(np.sqrt(len(generator)))
    trace = np.eye(size).ravel()
    terms = [
        sum(jumps[a][0] * jumps[a][1] ** m for a in counted) / factorial(m)
        for m in range(1, order + 1)
    ]
    # (L, trace) has full rank: the steady state, then corrections without trace.
    bordered = np.vstack([generator, trace])

    def solve(source, total):
        return np.linalg.lstsq(bordered, np.append(source, total), rcond=None)[0]

    states, values = [solve(np.zeros(len(generator)), 1.0)], []
    for n in range(1, order + 1):
        source = sum(terms[m - 1] @ states[n - m] for m in range(1, n + 1))
        values.append(trace @ source)
        source = source - sum(values[m - 1] * states[n - m] for m in range(1, n + 1))
        states.append(solve(-source, 0.0))
    return np.array([(factorial(n + 1) * value).real for n, value in enumerate(values)])


def jump_generating_function(system: OpenSystem, counted: int, field: float):
    """Return the eigenvalue of the tilted Lindbladian that goes to zero with the field."""
    generator, jumps = lindbladian(system)
    jump, charge = jumps[counted]
    values = np.linalg.eigvals(generator + (np.exp(1j * field * charge) - 1) * jump)
    return values[np.argmax(values.real)]


# --- finite leads ---------------------------------------------------------------------------------


def _chain_of_leads(system: OpenSystem, length: int):
    """Return the Hamiltonian with finite leads, and each lead's sites."""
    size = system.sites + length * len(system.leads)
    h = np.zeros((size, size), complex)
    h[: system.sites, : system.sites] = as_dense(system.hamiltonian)
    places = []
    for a, lead in enumerate(system.leads):
        assert isinstance(lead.model, SemiInfiniteChain)
        sites = system.sites + length * a + np.arange(length)
        h[sites, sites] = lead.model.onsite
        h[sites[:-1], sites[1:]] = h[sites[1:], sites[:-1]] = lead.model.hopping
        h[lead.site, sites[0]] = h[sites[0], lead.site] = lead.model.coupling
        places.append(sites)
    return h, places


def _occupation(h, lead):
    energies, modes = np.linalg.eigh(h)
    x = np.clip((energies - lead.chemical_potential) / lead.temperature, -700, 700)
    return (modes / (1 + np.exp(x))) @ modes.conj().T


class FiniteLeads:
    """Uncorrelated thermal leads and an empty system, joined at time 0; no loss, no gain."""

    def __init__(self, system: OpenSystem, length: int):
        assert not system.loss.any()
        assert not system.gain.any()
        h, self.places = _chain_of_leads(system, length)
        self.initial = np.zeros_like(h)
        for lead, sites in zip(system.leads, self.places, strict=True):
            block = np.ix_(sites, sites)
            self.initial[block] = _occupation(h[block], lead)
        self._energies, self._modes = np.linalg.eigh(h)

    def evolution(self, time):
        return (self._modes * np.exp(-1j * self._energies * time)) @ self._modes.conj().T

    def _number(self, a):
        return np.isin(np.arange(len(self.initial)), self.places[a]).astype(float)

    def covariance(self, time):
        """Covariance of the charges that the leads have sent by a time."""
        u = self.evolution(time)
        sent = [
            np.diag(number) - u.conj().T @ (number[:, None] * u)
            for number in map(self._number, range(len(self.places)))
        ]
        n, rest = self.initial, np.eye(len(u)) - self.initial
        return np.array([[np.trace(n @ a @ rest @ b).real for b in sent] for a in sent])

    def determinant(self, a, time, field):
        """``<e^{i lambda Q}>`` of lead a: Levitov's formula, counted at times 0 and t."""
        u, phase = self.evolution(time), np.exp(1j * field * self._number(a))
        both = phase[:, None] * (u.conj().T @ (phase.conj()[:, None] * u))
        one = np.eye(len(u))
        return np.linalg.det(one + self.initial @ (both - one))
