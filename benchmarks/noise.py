"""What does noise cost beside the currents, how far does it scale?  Run: python benchmarks/noise.py

CPU time of the integrals over the energy, currents alone against currents and noise together
(median of repeats), then both for long chains, where the kernels are all of it, with every kind of
loss and gain, then of the response alone for chains up to 10^6 sites.
"""

import itertools
import os
import statistics
import time

import numpy as np
from quadrature import CASES

from nessflow.scattering.currents import steady_currents
from nessflow.scattering.noise import currents_and_noise, lead_noise
from nessflow.solvers import chain_ends as tridiagonal
from nessflow.systems.channels.bond import Bond
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.system import AttachedLead, OpenSystem, Tridiagonal

REPEATS = 9
LONG_REPEATS = 3
ENERGIES = 64
LONG = 100_000


def two_leads(sites, loss, gain):
    leads = [
        AttachedLead(name, site, WideBand(broadening=1.1), mu, 0.1)
        for name, site, mu in (("left", 0, 0.3), ("right", sites - 1, -0.2))
    ]
    return OpenSystem(Chain(sites=sites).hamiltonian(), loss, gain, leads)


def seconds(function, repeats=REPEATS):
    function()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return statistics.median(found)


def long_chains():
    """Return loss and gain of long chains; damping on every site spares them the eigenvalues."""
    rng = np.random.default_rng(1)
    none, equal = Tridiagonal(np.zeros(LONG)), Tridiagonal(np.full(LONG, 0.1))
    one, other = (Tridiagonal(rng.uniform(0.05, 0.15, LONG)) for _ in range(2))
    bonds = Bond(rate=0.1).matrix(Chain(sites=LONG))
    bonds = Tridiagonal(bonds.diagonal + 0.05, bonds.upper)
    beside = Bond(rate=0.05, phase=1.0).matrix(Chain(sites=LONG)).T
    return {
        "loss": (equal, none),
        "gain": (none, equal),
        "loss and gain, equal": (equal, equal),
        "loss and gain, any": (one, other),
        "bond loss": (bonds, none),
        "bond loss and bond gain, equal": (bonds, bonds),
        "bond loss and bond gain, any": (bonds, beside),
    }


def ratio(more, less):
    """Return the median of ratios of CPU times, each of calls next to each other."""
    pairs = [(seconds(more, 1), seconds(less, 1)) for _ in range(LONG_REPEATS)]
    return statistics.median(a / b for a, b in pairs)


def main():
    print("load average", os.getloadavg())
    onsite, none = Tridiagonal(np.full(100, 0.1)), Tridiagonal(np.zeros(100))
    more = {
        "loss and gain everywhere, N=100": two_leads(100, onsite, onsite),
        "bond loss, N=100": two_leads(100, Bond(rate=0.1).matrix(Chain(sites=100)), none),
    }
    print(f"{'':42s} {'currents':>12s} {'with noise':>12s} {'noise alone':>12s}  ratio  energies")
    for label, system in itertools.chain(CASES.items(), more.items()):
        calls = (steady_currents, currents_and_noise, lead_noise)
        times = [1e3 * seconds(lambda: f(system)) for f in calls]  # noqa: B023
        counts = steady_currents(system).evaluations, lead_noise(system).evaluations
        print(
            f"{label:42s}" + "".join(f"{t:10.2f} ms" for t in times),
            f"{times[1] / times[0]:6.2f}  {counts[0]}, {counts[1]}",
        )
    energies = np.linspace(-1.9, 1.9, ENERGIES)
    print(f"\nwith noise over without, N = {LONG}: currents, and the response of the leads alone")
    for label, rates in long_chains().items():
        system = two_leads(LONG, *rates)

        def rows():
            return tridiagonal.contact_rows(system, energies)  # noqa: B023

        def both():
            return rows(), tridiagonal.contact_correlations(system, energies)  # noqa: B023

        whole = ratio(lambda: currents_and_noise(system), lambda: steady_currents(system))  # noqa: B023
        print(f"{label:42s} {whole:6.2f} {ratio(both, rows):6.2f}", flush=True)
    print(f"\nresponse at {ENERGIES} energies: seconds per site and energy")
    for sites in (100, 1000, 10_000, 100_000, 1_000_000):
        loss = Tridiagonal(np.full(sites, 0.02))
        system = two_leads(sites, loss, loss)
        repeats = REPEATS if sites < 100_000 else 1
        rows = seconds(lambda: tridiagonal.contact_rows(system, energies), repeats)  # noqa: B023
        cross = seconds(lambda: tridiagonal.contact_correlations(system, energies), repeats)  # noqa: B023
        work = ENERGIES * sites
        print(f"N = {sites:8d}  rows {rows / work:.2e}  correlations {cross / work:.2e}")
    print("load average", os.getloadavg())


if __name__ == "__main__":
    main()
