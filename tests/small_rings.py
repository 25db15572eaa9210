"""Many-body state of small rings without any ensemble: sparse operators, slow and independent."""

from itertools import combinations

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array, kron
from scipy.sparse.linalg import spsolve


def configurations(modes: int, particles: int) -> np.ndarray:
    """Occupations of all states with a number of particles, (states, modes)."""
    chosen = list(combinations(range(modes), particles))
    found = np.zeros((len(chosen), modes), dtype=bool)
    found[np.arange(len(chosen))[:, None], chosen] = True
    return found


def transitions(states: np.ndarray):
    """Yield a, b and from, to, sign of the moves of one particle from mode a to mode b."""
    powers = 1 << np.arange(states.shape[1])
    code = states @ powers
    order = np.argsort(code)
    for a in range(states.shape[1]):
        for b in range(states.shape[1]):
            if a == b:
                continue
            start = np.flatnonzero(states[:, a] & ~states[:, b])
            end = order[np.searchsorted(code[order], code[start] - powers[a] + powers[b])]
            between = states[start, min(a, b) + 1 : max(a, b)].sum(axis=1)
            yield a, b, start, end, (-1.0) ** between


def exclusion_process(rates: np.ndarray, particles: int) -> tuple[np.ndarray, np.ndarray]:
    """Steady probabilities of hops with exclusion, and the configurations.

    ``rates[a, b]`` moves a particle from mode a to an empty mode b.
    """
    states = configurations(len(rates), particles)
    rows, columns, values = [], [], []
    for a, b, start, end, _ in transitions(states):
        rows.append(end)
        columns.append(start)
        values.append(np.full(len(start), rates[a, b]))
    rows, columns, values = map(np.concatenate, (rows, columns, values))
    jump = coo_array((values, (rows, columns)), shape=(len(states),) * 2).tocsr()
    leaving = np.asarray(jump.sum(axis=0)).ravel()
    unit = 1.01 * leaving.max()
    p = np.full(len(states), 1 / len(states))
    for _ in range(20000):
        change = (jump @ p - leaving * p) / unit
        p = p + change
        if abs(change).sum() < 1e-14:
            break
    return p / p.sum(), states


def many_body_current(length, particles, thermal, coefficients, energy, velocity):
    """Current per site of the steady state of the Lindblad equation (1), exact in the coupling.

    ``thermal[a, b]`` are the rates of one jump operator for each pair (8), ``coefficients[k, q]``
    are those of (9), both with their couplings.
    """
    states = configurations(length, particles)
    size = len(states)
    moves = {
        (a, b): csr_array((sign, (end, start)), shape=(size, size))
        for a, b, start, end, sign in transitions(states)
    }
    for a in range(length):
        moves[a, a] = csr_array(np.diag(states[:, a].astype(float)))
    jumps = [np.sqrt(thermal[a, b]) * moves[a, b] for a, b in moves if a != b]
    for q in range(length):
        parts = [coefficients[k, q] * moves[k, (k - q) % length] for k in range(length)]
        jumps.append(csr_array(sum(parts[1:], parts[0])))
    one = eye_array(size, format="csr")
    h = csr_array(np.diag(states @ energy))
    generator = -1j * (kron(h, one) - kron(one, h.T))
    for jump in jumps:
        square = jump.conj().T @ jump
        generator = generator + kron(jump, jump.conj())
        generator = generator - (kron(square, one) + kron(one, square.T)) / 2
    generator = generator.tolil()
    trace = np.eye(size).ravel()
    generator[0, :] = trace
    known = np.zeros(size**2)
    known[0] = 1
    rho = spsolve(generator.tocsc(), known).reshape(size, size)
    return float((np.diag(rho).real @ states) @ velocity / length)
