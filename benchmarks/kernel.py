"""How fast is the chain kernel against LAPACK on this machine?  Run: python benchmarks/kernel.py

Site-energies per second of CPU time (all threads together), median of repeats: the Green's function
between the ends of a disordered chain and what loss on every site sends to both ends.  The peak of
one core is measured with independent chains of multiply-adds, best of repeats.
"""

import os
import statistics
import time

import numba
import numpy as np
from scipy.linalg.lapack import zgtsv

from nessflow.solvers import chain_ends as tridiagonal
from nessflow.solvers import dense
from nessflow.systems.channels.bond import Bond
from nessflow.systems.disorder.uniform import Uniform
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.system import AttachedLead, OpenSystem, Tridiagonal

REPEATS = 9
SITES = (100, 1000, 10_000)
LARGEST_DENSE = 1000
OPERATIONS = 16
"""Per site and energy with loss rows and uniform hopping: two sweeps, each with one subtraction,
four multiply-adds for the determinant and three for the weighted sum of squares."""
DEPTH = 8
"""Multiply-adds of one accumulator between two visits in memory."""


@numba.njit(fastmath={"contract"})
def multiply_adds(accumulators, rounds, factor, term):
    for _ in range(rounds):
        for i in range(accumulators.size):
            value = accumulators[i]
            for _ in range(DEPTH):
                value = value * factor + term
            accumulators[i] = value


def peak():
    """Return the largest rate of multiply-adds of one core, per second."""
    accumulators, rounds = np.zeros(128), 32_000
    done = accumulators.size * rounds * DEPTH
    return max(
        rate(lambda: multiply_adds(accumulators, rounds, 0.5, 1.0), done, repeats=1)
        for _ in range(REPEATS)
    )


def disordered(sites, hopping, loss, gain):
    onsite = Uniform(half_width=0.5).draw(np.zeros((sites, 1)), np.random.default_rng(1))
    leads = [
        AttachedLead(f"{site}", site, SemiInfiniteChain(), 0.0, 0.0) for site in (0, sites - 1)
    ]
    return OpenSystem(Tridiagonal(onsite, -hopping), loss, gain, leads)


def solve_by_lapack(system, energies):
    """Solve two right-hand sides per energy; the matrix is set up outside the timed call."""
    n, sigma = system.sites, system.contact_self_energy(energies)
    off = -system.hamiltonian.upper
    diagonals = energies[:, None] - system.hamiltonian.diagonal + 1j * system.loss.diagonal
    diagonals[:, [0, -1]] -= sigma
    sides = np.zeros((n, 2), complex, order="F")
    sides[0, 0] = sides[-1, 1] = 1

    def solve():
        return [zgtsv(off.conj(), diagonal, off, sides)[3] for diagonal in diagonals]

    return solve


def rate(function, work, repeats=REPEATS):
    function()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return work / statistics.median(seconds)


def cases_of(n):
    """Return the systems to compare, by what is computed; the first is the case that matters."""
    every, none, bond = (
        Tridiagonal(np.full(n, 0.02)),
        Tridiagonal.zero(n),
        Bond(rate=0.02).matrix(Chain(sites=n)),
    )
    hopping = 1 + 0.1 * np.random.default_rng(2).uniform(-1, 1, n - 1)
    return {
        "corner and loss rows, uniform hopping": disordered(n, 1.0, every, none),
        "corner and loss rows, any hopping": disordered(n, hopping, every, none),
        "corner alone, uniform hopping": disordered(n, 1.0, none, none),
        "corner, loss and gain rows, uniform hopping": disordered(n, 1.0, every, every),
        "corner and bond-loss rows": disordered(n, 1.0, bond, none),
        "corner, bond loss and bond gain": disordered(n, 1.0, bond, bond),
    }


def agree(system, energies, solve):
    green = tridiagonal.contact_rows(system, energies)[0]
    solutions = np.array([solution[[0, -1]] for solution in solve()])
    np.testing.assert_allclose(green, solutions, rtol=1e-9, atol=1e-14)


def rates_of(n):
    """Return site-energies per second by what is computed, LAPACK first."""
    energies = np.linspace(-1.9, 1.9, 1024)
    few = energies[:: max(1, n // 10)]
    cases = cases_of(n)
    system, *_ = cases.values()
    lapack = solve_by_lapack(system, few)
    agree(system, few, lapack)
    rates = {"LAPACK zgtsv, 2 right-hand sides": rate(lapack, n * few.size)}
    for label, case in cases.items():
        rates[label] = rate(lambda: tridiagonal.contact_rows(case, energies), n * energies.size)  # noqa: B023
    both = cases["corner, loss and gain rows, uniform hopping"]
    traces = rate(lambda: tridiagonal.interior_traces(both, few), n * few.size)
    rates["traces between loss and gain"] = traces
    if n <= LARGEST_DENSE:
        some = energies[:: max(10, n // 2)]
        rates["dense solve"] = rate(lambda: dense.contact_rows(system, some), n * some.size)
    return rates


def row(label, values, form):
    print(f"{label:46s}" + "".join(f"{format(value, form):>10s}" for value in values))


def main():
    print(f"load average {os.getloadavg()}, {os.cpu_count()} processors")
    rates = [rates_of(n) for n in SITES]
    (lapack, important, *_), limit = rates[0], peak() / OPERATIONS
    row("speed over that of LAPACK zgtsv, sites:", SITES, "d")
    for label in rates[0]:
        row(label, [x[label] / x[lapack] if label in x else np.nan for x in rates], ".3g")
    print("\nsite-energies per second")
    for label in (lapack, important):
        row(label, [x[label] for x in rates], ".2e")
    row("  fraction of the measured peak", [x[important] / limit for x in rates], ".0%")
    print(
        f"peak of one core: {limit * OPERATIONS:.2e} multiply-adds/s; {OPERATIONS} operations for "
    )
    print(f"each site and energy: at most {limit:.2e} /s")


if __name__ == "__main__":
    main()
