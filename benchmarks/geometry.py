"""What does an energy cost beyond chains?  Run: python benchmarks/geometry.py

CPU time for each energy of the rows of the Green's function at the contacts, with loss on every
site: banded LU factors (`nessflow.solvers.banded`), block elimination (`nessflow.solvers.blocks`)
with its memory, the general sparse LU of SciPy (SuperLU) and, where it is affordable, the dense
solver; then the same between strips (a lead for each mode of both ends, no loss), the traces
between loss and gain, what all sites and bonds hold beside the contacts, and what it saves to find
the poles of a point once.
"""

import os
import time
import tracemalloc

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import splu

from nessflow.scattering.counting import cumulants_observable
from nessflow.scattering.currents import currents_observable
from nessflow.scattering.entropy import scattering_entropy_production
from nessflow.scattering.noise import noise_observable
from nessflow.solvers import banded as sparse
from nessflow.solvers import blocks, dense, pairwise
from nessflow.spectrum.mesh import resonances
from nessflow.spectrum.rates import integrate_observables
from nessflow.systems.disorder.uniform import Uniform
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.ladder import Ladder
from nessflow.systems.lattices.ring import Ring
from nessflow.systems.lattices.star import Star
from nessflow.systems.lattices.strip import Strip
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.semi_infinite_strip import SemiInfiniteStrip
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.matrices import Tridiagonal, as_dense, as_sparse, bandwidth_order
from nessflow.systems.system import AttachedLead, OpenSystem, attached_leads

ENERGIES = np.linspace(-1.9, 1.9, 8)
LARGEST_DENSE = 2000


def opened(lattice, contacts, gain=None):
    sites = lattice.sites
    onsite = Uniform(half_width=0.5).draw(np.zeros((sites, 1)), np.random.default_rng(1))
    hamiltonian = as_sparse(lattice.hamiltonian(onsite))
    leads = [
        AttachedLead(f"{site}", int(site), WideBand(broadening=1.0), 0.0, 0.0) for site in contacts
    ]
    loss = Tridiagonal(np.full(sites, 0.02))
    return OpenSystem(hamiltonian, loss, gain or Tridiagonal.zero(sites), leads)


def columns(length, width):
    """Return the sites of the first and of the last column of a strip."""
    return [*range(width), *range((length - 1) * width, length * width)]


CASES = {
    "chain of 1000, lead inside": opened(Strip(length=1000, width=1), [0, 500, 999]),
    "ladder of 500 rungs": opened(Ladder(length=500), columns(500, 2)),
    "ring of 1000": opened(Ring(sites=1000, flux=0.7), [0, 500]),
    "star of 3 x 300": opened(Star(arms=3, length=300), np.arange(1, 3 + 1) * 300),
    "star of 10 x 100": opened(Star(arms=10, length=100), np.arange(1, 10 + 1) * 100),
    "strip 20 x 100, 2 contacts": opened(Strip(length=100, width=20), [0, 1999]),
    "strip 20 x 100, 40 contacts": opened(Strip(length=100, width=20), columns(100, 20)),
    "strip 40 x 400, 2 contacts": opened(Strip(length=400, width=40), [0, 15999]),
    "strip 40 x 400, 80 contacts": opened(Strip(length=400, width=40), columns(400, 40)),
}


def between_strips(length, width):
    """Return a strip without loss that goes on at both ends."""
    closed = opened(Strip(length=length, width=width), [])
    ends = np.split(np.array(columns(length, width)), 2)
    leads = [
        channel
        for name, rows in zip(("left", "right"), ends, strict=True)
        for channel in attached_leads(name, SemiInfiniteStrip(), tuple(rows.tolist()), 0.0, 0.0)
    ]
    return OpenSystem(closed.hamiltonian, *[Tridiagonal.zero(closed.sites)] * 2, leads)


STRIPS = [(name, system) for name, system in CASES.items() if name.startswith("strip 20")]


def site_sums(system, energies):
    ones = np.ones((len(system.leads), energies.size))
    return pairwise.site_sums(system, energies, [pairwise.Source(ones, 1.0), pairwise.Source(ones)])


def opened_chain(sites, rate):
    leads = [
        AttachedLead(name, site, SemiInfiniteChain(), mu, 0.1)
        for name, site, mu in (("left", 0, 0.3), ("right", sites - 1, -0.3))
    ]
    loss, gain = Tridiagonal(np.full(sites, rate)), Tridiagonal.zero(sites)
    return OpenSystem(Chain(sites=sites).hamiltonian(), loss, gain, leads)


def observed(system):
    """Integrate what a point of the kind steady-current does."""
    observables = currents_observable, noise_observable, cumulants_observable
    integrate_observables(system, [observable(system) for observable in observables])
    scattering_entropy_production(system)


def seconds(function, system):
    start = time.process_time()
    function(system)
    return time.process_time() - start


def by_superlu(system, energies):
    """Rows at the contacts and their weighted norms, as `sparse.contact_rows` gives them."""
    loss = 2 * system.loss.diagonal
    damping = system.hamiltonian.matrix - 1j * system.loss.matrix
    sources = np.zeros((system.sites, system.contacts.size), complex, order="F")
    sources[system.contacts, range(system.contacts.size)] = 1.0
    results = []
    for energy, sigma in zip(energies, system.contact_self_energy(energies), strict=True):
        diagonal = np.full(system.sites, energy, complex)
        diagonal[system.contacts] -= sigma
        factors = splu((scipy.sparse.diags_array(diagonal) - damping).tocsc())
        results.append(loss @ abs(factors.solve(sources, trans="T")) ** 2)
    return np.array(results)


def milliseconds(function, system, energies):
    function(system, energies[:1])
    beside = energies + 1e-9  # what was computed at an energy is remembered
    start = time.process_time()
    function(system, beside)
    return 1e3 * (time.process_time() - start) / energies.size


def megabytes(function, system, energies):
    """Return the largest memory of arrays during a call."""
    tracemalloc.start()
    function(system, energies + 2e-9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main():
    print(f"load average {os.getloadavg()}; ms per energy")
    header = ("geometry", "bandwidth", "banded", "blocks", "memory", "SuperLU", "dense")
    print("{:30s}{:>10s}{:>10s}{:>10s}{:>10s}{:>10s}{:>10s}".format(*header))
    for name, system in CASES.items():
        banded = milliseconds(sparse.contact_rows, system, ENERGIES)
        by_blocks = milliseconds(blocks.contact_rows, system, ENERGIES)
        memory = megabytes(blocks.contact_rows, system, ENERGIES)
        general = milliseconds(by_superlu, system, ENERGIES)
        few = ENERGIES[:1]
        for solver in (sparse, blocks):
            loss = solver.contact_rows(system, few)[1]
            np.testing.assert_allclose(loss, by_superlu(system, few), rtol=1e-9)
        full = np.nan
        if system.sites <= LARGEST_DENSE:
            matrices = (system.hamiltonian, system.loss, system.gain)
            other = OpenSystem(*map(as_dense, matrices), system.leads)
            full = milliseconds(dense.contact_rows, other, ENERGIES[:2])
        width = bandwidth_order(system.hamiltonian.matrix)[1]
        row = f"{name:30s}{width:10d}{banded:10.2f}{by_blocks:10.2f}{memory:7.0f} MB"
        print(f"{row}{general:10.2f}{full:10.1f}", flush=True)
    print("\nbetween strips, one lead for each mode, no loss")
    for length, width in ((100, 10), (100, 30), (400, 40)):
        system, few = between_strips(length, width), ENERGIES[:3]
        banded, by_blocks = (milliseconds(x.contact_rows, system, few) for x in (sparse, blocks))
        name, ratio = f"strip {width} x {length}", banded / by_blocks
        print(f"{name:30s}{'':10s}{banded:10.2f}{by_blocks:10.2f}  ratio {ratio:.1f}", flush=True)
    print("\ntraces between loss on every site and gain, ms per energy")
    for touched in (1, 100, 1000):
        gain = Tridiagonal(0.01 * (np.arange(1000) < touched))
        system = opened(Ladder(length=500), columns(500, 2), gain)
        cost = milliseconds(blocks.interior_traces, system, ENERGIES)
        print(f"ladder of 500 rungs, gain on {touched:4d} sites {cost:10.2f}")
    print("\nsums over all sites and bonds for two sources beside the contact rows, ms per energy")
    for name, system in (
        ("strip 5 x 80, 2 contacts", opened(Strip(length=80, width=5), [0, 399])),
        *STRIPS,
    ):
        rows = milliseconds(sparse.contact_rows, system, ENERGIES)
        sums = milliseconds(site_sums, system, ENERGIES)
        print(f"{name:30s}{rows:10.2f}{sums:10.2f}  ratio {sums / rows:.1f}", flush=True)
    print("\nweakly damped chain of 600 sites, all observables of a steady current")
    system = opened_chain(600, 1e-4)
    once, whole = seconds(resonances, system), seconds(observed, system)
    print(f"poles {once:.2f} s, point {whole:.2f} s, without the cache {whole + once:.2f} s")
    print(f"load average {os.getloadavg()}")


if __name__ == "__main__":
    main()
