"""How does the cost grow with sites, energies and samples?  Run: python benchmarks/scaling.py

CPU time of the contact response of disordered chains with loss on every site (median of repeats),
what the first call for a system prepares, and the memory of a chain of a million sites.
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

from nessflow.scattering.lattice import onsite_rates
from nessflow.scattering.matrices import Tridiagonal
from nessflow.scattering.response import contact_response

REPEATS = 7
SITES = (100, 1000, 10_000, 100_000, 1_000_000)
SMALLEST_FITTED = 10_000


def lossy(sites):
    return disordered(sites, 1.0, onsite_rates(np.full(sites, 0.02)), Tridiagonal.zero(sites))


def energies_of(count):
    return np.linspace(-1.9, 1.9, count)


def seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def median(function):
    return statistics.median(seconds(function) for _ in range(REPEATS))


def exponent(sizes, times):
    """Return d log(time) / d log(size), least squares."""
    return np.polyfit(np.log(sizes), np.log(times), 1)[0]


def against_sites():
    prepared, called = [], []
    print("     sites  energies  ns per site and energy  preparation, ns per site")
    for sites in SITES:
        energies = energies_of(max(32, 2**21 // sites // 16 * 16))
        first, later = [], []
        for _ in range(REPEATS):
            system = lossy(sites)
            first.append(seconds(lambda: contact_response(system, energies)))  # noqa: B023
            later.append(seconds(lambda: contact_response(system, energies)))  # noqa: B023
        called.append(statistics.median(later))
        prepared.append(statistics.median(first) - called[-1])
        called[-1] /= energies.size
        print(f"{sites:10d}{energies.size:10d}{called[-1] / sites * 1e9:24.2f}", end="")
        print(f"{prepared[-1] / sites * 1e9:26.0f}")
    fitted = [i for i, sites in enumerate(SITES) if sites >= SMALLEST_FITTED]
    sizes = [SITES[i] for i in fitted]
    print(f"exponent of the time, {sizes[0]:.0e} to {sizes[-1]:.0e} sites: ", end="")
    print(f"{exponent(sizes, [called[i] for i in fitted]):.3f}, ", end="")
    print(f"of the preparation {exponent(sizes, [prepared[i] for i in fitted]):.2f}")


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


def measure_memory():
    """Print the memory of the libraries, with compiled kernels, with a system, after its call."""
    libraries = megabytes()
    contact_response(lossy(100), energies_of(16))
    compiled = megabytes()
    system = lossy(SITES[-1])
    built = megabytes()
    contact_response(system, energies_of(256))
    print(libraries, compiled, built, megabytes())


def memory():
    command = [sys.executable, __file__, "memory"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    libraries, compiled, built, peak = map(float, found.split())
    print(f"peak memory, {SITES[-1]:.0e} sites: {peak - compiled:.0f} MB more than for 100 sites, ")
    print(f"  {built - compiled:.0f} MB of it to set up the system; ", end="")
    print(f"libraries {libraries:.0f} MB, compiled kernels {compiled - libraries:.0f} MB")


def main():
    print(f"load average {os.getloadavg()}")
    against_sites()
    against_energies()
    against_samples()
    memory()


if __name__ == "__main__":
    measure_memory() if sys.argv[1:] == ["memory"] else main()
