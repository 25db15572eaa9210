"""Lindblad equations of a few fermions in Fock space, by QuTiP.

Usage: ``python many_body.py FOLDER``.  Each ``NAME.npz`` there is an equation, ``NAME.judged.npz``
becomes what QuTiP says about it.
"""

import sys
import time
from pathlib import Path

import numpy as np
import qutip

TIGHT = {"atol": 1e-13, "rtol": 1e-12, "method": "dop853", "nsteps": 100_000}


def quadratic(matrix, c):
    """``sum_ij matrix_ij c_i^+ c_j``."""
    return sum(
        matrix[i, j] * c[i].dag() * c[j] for i, j in np.ndindex(matrix.shape) if matrix[i, j]
    )


def density(rho, c):
    """``<c_j^+ c_i>``."""
    return np.array([[qutip.expect(b.dag() * a, rho) for b in c] for a in c])


def driven(hamiltonian, loss, gain, times):
    """State, relaxation to it and statistics of the particles that each terminal sends.

    Terminal a has the channels ``sum_j loss[a, m, j] c_j`` and ``sum_j gain[a, m, j] c_j^+``.
    """
    c = [qutip.fdestroy(len(hamiltonian), j) for j in range(len(hamiltonian))]
    h = quadratic(hamiltonian, c)
    out = [[sum(u * x for u, x in zip(row, c, strict=True)) for row in a] for a in loss]
    into = [[sum(u * x.dag() for u, x in zip(row, c, strict=True)) for row in a] for a in gain]
    dissipators = [
        sum(map(qutip.lindblad_dissipator, [*x, *y])) for x, y in zip(out, into, strict=True)
    ]
    liouvillian = qutip.liouvillian(h) + sum(dissipators)
    steady = qutip.steadystate(liouvillian)
    vector = qutip.operator_to_vector(steady)
    power = [(h * qutip.vector_to_operator(x * vector)).tr().real for x in dissipators]

    emptied = [sum(qutip.sprepost(x, x.dag()) for x in channels) for channels in out]
    filled = [sum(qutip.sprepost(x, x.dag()) for x in channels) for channels in into]
    pairs = list(zip(filled, emptied, strict=True))
    current, noise, third = qutip.countstat_current_noise(
        liouvillian,
        [],
        rhoss=steady,
        J_ops=[x + y for x, y in pairs],
        I_ops=[x - y for x, y in pairs],
    )
    initial = qutip.rand_dm(c[0].dims[0], seed=len(c))
    states = qutip.mesolve(liouvillian, initial, [0.0, *times], options=TIGHT).states
    return {
        "density": density(steady, c),
        "particle_current": current,
        "energy_current": power,
        "particle_noise": noise[:, :, 0],
        "third_cumulant": third[:, 0],
        "relaxation": np.array([density(state, c) for state in states]),
    }


def conserving(hamiltonian, moves, occupation):
    """What channels ``sum_ij moves[m, i, j] c_i^+ c_j`` do to a state, and their steady state.

    The state has independent modes of the given occupations; the steady one half of them filled.
    """
    c = [qutip.fdestroy(len(hamiltonian), j) for j in range(len(hamiltonian))]
    h, channels = quadratic(hamiltonian, c), [quadratic(matrix, c) for matrix in moves]
    state = qutip.tensor([qutip.qdiags([1 - n, n], 0) for n in occupation])
    slope = qutip.vector_to_operator(
        qutip.liouvillian(h, channels) * qutip.operator_to_vector(state)
    )
    number = quadratic(np.eye(len(c)), c).diag().real
    half = np.flatnonzero(abs(number - len(c) / 2) < 0.5)

    def inside(operator):
        return qutip.Qobj(operator.full()[np.ix_(half, half)])

    steady = qutip.steadystate(inside(h), [inside(x) for x in channels])
    numbers = [x.dag() * x for x in c]
    return {
        "slope": [(n * slope).tr().real for n in numbers],
        "steady": [qutip.expect(inside(n), steady) for n in numbers],
    }


print(f"QuTiP {qutip.__version__}")
for path in sorted(Path(sys.argv[1]).glob("*.npz")):
    start, equation = time.perf_counter(), dict(np.load(path))
    judged = conserving(**equation) if "moves" in equation else driven(**equation)
    np.savez(path.with_suffix(".judged.npz"), **judged)
    print(f"{path.stem}: {len(equation['hamiltonian'])} modes, {time.perf_counter() - start:.2f} s")
    for name in ("particle_current", "third_cumulant", "steady"):
        if name in judged:
            print(f"  {name}: {', '.join(f'{value:.10f}' for value in judged[name])}")
