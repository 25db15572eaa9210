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

from nessflow.scattering import dense, tridiagonal
from nessflow.scattering.lattice import bond_rates, chain, onsite_rates, uniform_disorder
from nessflow.scattering.system import OpenSystem, SemiInfiniteChainLead, Tridiagonal

REPEATS = 9
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
    lead = {"hopping": 1.0, "coupling": 1.0, "onsite": 0.0}
    lead |= {"chemical_potential": 0.0, "temperature": 0.0}
    onsite = uniform_disorder(0.5, sites, np.random.default_rng(1))
    leads = [SemiInfiniteChainLead(f"{site}", site, **lead) for site in (0, sites - 1)]
    return OpenSystem(chain(sites, hopping, onsite), loss, gain, leads)


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


def report(label, value, reference):
    print(f"{label:56s} {value / reference:8.3g} x zgtsv  {value:10.2e} /s", flush=True)


def main():
    print(f"load average {os.getloadavg()}, {os.cpu_count()} processors")
    limit = peak() / OPERATIONS
    print(f"peak of one core {limit * OPERATIONS:.2e} multiply-adds/s; corner and loss rows take")
    print(f"{OPERATIONS} operations per site and energy: at most {limit:.2e} /s")
    for n in (100, 1000, 10_000):
        energies = np.linspace(-1.9, 1.9, 1024)
        few = energies[:: max(1, n // 10)]
        every, none = onsite_rates(np.full(n, 0.02)), Tridiagonal.zero(n)
        system = disordered(n, 1.0, every, none)
        lapack = solve_by_lapack(system, few)
        green = tridiagonal.contact_rows(system, few)[0]
        solutions = np.array([solution[[0, -1]] for solution in lapack()])
        np.testing.assert_allclose(green, solutions, rtol=1e-9, atol=1e-14)

        reference = rate(lapack, n * few.size)
        print(f"\nN = {n}")
        report("LAPACK zgtsv, 2 right-hand sides", reference, reference)
        if n <= 1000:
            some = energies[:: n // 2] if n == 1000 else few
            inverse = rate(lambda: dense.contact_rows(system, some), n * some.size)  # noqa: B023
            report("dense solve", inverse, reference)
        hopping = 1 + 0.1 * np.random.default_rng(2).uniform(-1, 1, n - 1)
        bond = bond_rates(n, 0.02)
        cases = {
            "corner and loss rows, uniform hopping": system,
            "corner and loss rows, any hopping": disordered(n, hopping, every, none),
            "corner alone, uniform hopping": disordered(n, 1.0, none, none),
            "corner, loss and gain rows, uniform hopping": disordered(n, 1.0, every, every),
            "corner and bond-loss rows": disordered(n, 1.0, bond, none),
            "corner, bond loss and bond gain": disordered(n, 1.0, bond, bond),
        }
        for label, case in cases.items():
            speed = rate(lambda: tridiagonal.contact_rows(case, energies), n * energies.size)  # noqa: B023
            report(f"recurrence, {label}", speed, reference)
            if case is system:
                print(f"{'':56s} {speed / limit:8.0%} of the measured peak")
        both = disordered(n, 1.0, every, every)
        speed = rate(lambda: tridiagonal.interior_traces(both, few), n * few.size)  # noqa: B023
        report("recurrence, traces between loss and gain", speed, reference)
    print(f"\nload average {os.getloadavg()}")


if __name__ == "__main__":
    main()
