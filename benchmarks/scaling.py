"""How does the cost grow with sites, energies and samples?  Run: python benchmarks/scaling.py

CPU time of the contact response of disordered chains with loss on every site, which every current
is made of, all work at the ends included: at the same number of energies for every length, between
wide-band leads and between chains as leads (median of repeats).  Then what the first call for a
system prepares; all steady currents with errors, where below some 10^4 sites the integration, a
few milliseconds at any length, costs more than the response; and the largest memory of a process
that computes them for a million sites, everything included (kernels compiled by an earlier one).
"""

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from kernel import disordered

from nessflow.scattering.currents import steady_currents
from nessflow.scattering.noise import currents_and_noise
from nessflow.solvers.solver import contact_response
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import AttachedLead, OpenSystem

REPEATS = 7
SITES = (100, 1000, 10_000, 100_000, 1_000_000)
ENERGIES = 4096
"""Between the some 700 of a chain with loss and the some 60 000 of a localised one without."""
FEW = 32
MEMORY_CASES = ("equal rates", "any rates", "any rates and hopping")
CALCULATIONS = {"currents": steady_currents, "currents and noise": currents_and_noise}


def lossy(sites):
    return disordered(sites, 1.0, Tridiagonal(np.full(sites, 0.02)), Tridiagonal.zero(sites))


def between_wide_bands(system):
    leads = [
        AttachedLead(name, site, WideBand(broadening=1.1), mu, 0.1)
        for name, site, mu in (("left", 0, 0.3), ("right", system.sites - 1, -0.2))
    ]
    return OpenSystem(system.hamiltonian, system.loss, system.gain, leads)


def energies_of(count):
    return np.linspace(-1.9, 1.9, count)


def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def median(function, repeats=REPEATS):
    return statistics.median(seconds(function) for _ in range(repeats))


def exponent(sizes, times):
    """Return d log(time) / d log(size), least squares."""
    return np.polyfit(np.log(sizes), np.log(times), 1)[0]


def response_time(system, repeats):
    """Return CPU time for each energy."""
    contact_response(system, energies_of(FEW))
    energies = energies_of(ENERGIES)
    return median(lambda: contact_response(system, energies), repeats) / ENERGIES


def preparation_time(sites):
    first, later = [], []
    for _ in range(REPEATS):
        system = lossy(sites)
        first.append(seconds(lambda: contact_response(system, energies_of(FEW))))  # noqa: B023
        later.append(seconds(lambda: contact_response(system, energies_of(FEW))))  # noqa: B023
    return statistics.median(first) - statistics.median(later)


def against_sites():
    print(f"contact response at {ENERGIES} energies, ns per site and energy; preparation, ns per")
    print("site; all steady currents, ms")
    print("     sites  wide-band leads  chains as leads  preparation  currents  energies")
    columns = []
    for sites in SITES:
        system, repeats = lossy(sites), REPEATS if sites < SITES[-1] else 3
        wide = between_wide_bands(system)
        found = steady_currents(wide)
        columns.append(
            (
                response_time(wide, repeats),
                response_time(system, repeats),
                preparation_time(sites),
                median(lambda: steady_currents(wide), repeats),  # noqa: B023
            )
        )
        scaled = np.array(columns[-1]) * 1e9 / sites
        print(f"{sites:10d}{scaled[0]:17.3f}{scaled[1]:17.3f}{scaled[2]:13.0f}", end="")
        print(f"{1e3 * columns[-1][3]:10.2f}{found.evaluations:10d}", flush=True)
    wide, chains, *_ = (exponent(SITES, times) for times in zip(*columns, strict=True))
    print(f"exponent of the response, {SITES[0]:.0e} to {SITES[-1]:.0e} sites: ", end="")
    print(f"{wide:.3f} between wide-band leads, {chains:.3f} between chains")


def against_energies():
    system, counts = lossy(1000), (1024, 4096, 16_384, 65_536)
    contact_response(system, energies_of(16))
    times = [median(lambda: contact_response(system, energies_of(count))) for count in counts]  # noqa: B023
    print(f"exponent, {counts[0]} to {counts[-1]} energies of 1000 sites: ", end="")
    print(f"{exponent(counts, times):.3f}")


def against_samples():
    counts, energies = (4, 16, 64), energies_of(1024)

    def ensemble(count):
        for _ in range(count):
            contact_response(lossy(1000), energies)

    times = [median(lambda: ensemble(count)) for count in counts]  # noqa: B023
    print(f"exponent, {counts[0]} to {counts[-1]} samples of 1000 sites: ", end="")
    print(f"{exponent(counts, times):.3f}")


def megabytes():
    """Return the largest memory of this process; ru_maxrss would count its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def memory_case(kind):
    sites, rng = SITES[-1], np.random.default_rng(1)
    loss = np.full(sites, 0.05) if kind == "equal rates" else rng.uniform(0.04, 0.06, sites)
    hopping = rng.uniform(0.9, 1.1, sites - 1) if "hopping" in kind else 1.0
    system = disordered(sites, hopping, Tridiagonal(loss), Tridiagonal.zero(sites))
    return between_wide_bands(system)


def measure_memory(kind, calculation):
    CALCULATIONS[calculation](memory_case(kind))
    print(megabytes())


def memory():
    print(f"largest memory of a process, {SITES[-1]:.0e} sites:", end="")
    for kind in MEMORY_CASES:
        print(f"\n  {kind:22s}", end="")
        for calculation in CALCULATIONS:
            command = [sys.executable, __file__, kind, calculation]
            found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"  {calculation} {float(found):.0f} MB", end="", flush=True)
    print()


def main():
    print(f"load average {os.getloadavg()}")
    against_sites()
    against_energies()
    against_samples()
    memory()


if __name__ == "__main__":
    measure_memory(*sys.argv[1:]) if sys.argv[1:] else main()
