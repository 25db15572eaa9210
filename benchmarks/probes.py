"""What do hundreds of self-consistent probes cost?  Run: python benchmarks/probes.py

CPU time, without the first call that compiles, of a chain with a source or a drain on every bulk
site: the chemical potentials in linear response, the exact solution by Newton's method with its
currents, profiles and noise, and all pair transmissions against dense inverses.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from nessflow.probes.exact import solve_probes
from nessflow.probes.linear import linear_probes
from nessflow.probes.noise import probe_noise
from nessflow.scattering.profiles import profiles, terminal_currents
from nessflow.solvers.pairwise import pair_transmission
from nessflow.systems.matrices import as_dense
from nessflow.systems.system import OpenSystem
from probed_wires import OPEN, wire


def seconds(function, *arguments):
    """Return the CPU time of a call and its result."""
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def bulk(sites, kT):
    return wire(sites, 0.5, 1.0, 0.3 * OPEN, kT=kT)


def pairs(sites):
    """Print the time of all transmissions at 4 energies, by product form and dense inverses."""
    system, _ = bulk(sites, 0.0)
    matrices = map(as_dense, (system.hamiltonian, system.loss, system.gain))
    energies = np.linspace(0.5, 1.5, 4)
    quick, found = seconds(pair_transmission, system, energies)
    slow, expected = seconds(pair_transmission, OpenSystem(*matrices, system.leads), energies)
    error = abs(found - expected).max()
    print(f"{sites:6d} {quick / 4:22.4f} s {slow / 4:10.3f} s {error:12.0e}")


def main():
    print(f"load average {os.getloadavg()[0]:.1f}")
    for kT in (0.0, 0.05):  # compiles
        system, probes = bulk(6, kT)
        linear_probes(system, probes)
        solved = solve_probes(system, probes).system
        terminal_currents(solved), profiles(solved), probe_noise(solved, probes)
    print("linear response, temperature         0       0.05")
    for sites in (100, 300, 1000):
        times = [seconds(linear_probes, *bulk(sites, kT))[0] for kT in (0.0, 0.05)]
        print(f"{sites:6d} sites {times[0]:22.2f} s {times[1]:7.2f} s")
    print("exact, temperature 0.05      Newton   currents   profiles      noise  residual")
    for sites in (30, 100, 300):
        system, probes = bulk(sites, 0.05)
        newton, found = seconds(solve_probes, system, probes)
        parts = [seconds(f, found.system)[0] for f in (terminal_currents, profiles)]
        noise = seconds(probe_noise, found.system, probes)[0] if sites <= 100 else np.nan
        columns = " ".join(f"{x:8.2f} s" for x in (newton, *parts, noise))
        print(f"{sites:6d} sites            {columns} {found.residual:9.0e}")
    print("all pairs, an energy   product form      dense   difference")
    for sites in (100, 300, 1000):
        pairs(sites)


if __name__ == "__main__":
    main()
