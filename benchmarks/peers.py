"""How fast is it against Kwant and QuTiP?  Run: python benchmarks/peers.py

What the sections above compare with is LAPACK, SciPy and plain NumPy, which every installation has.
Here CPU times, one thread, median of repeats, of the same numbers, and the largest difference,
relative; programs that are not installed are left out.  Kwant: transmission at one energy, its
system built before.  With loss on every site it needs a lead on each, and returns what goes from
each to each.  QuTiP: steady state, current, noise and third cumulant of a chain that is filled at
one end and emptied at the other.

QuTiP has wheels.  Kwant is built from its source by `make kwant-environment`, and takes its faster
solver, MUMPS, where Debian's libmumps-seq-dev is there: it was here.  QmeQ, for interactions, and
sisl, for materials, do other things and are not measured.
"""

import importlib.util
import itertools
import os
import statistics
import time

import numpy as np
import scipy.sparse

from nessflow.lindblad.counting import transport
from nessflow.lindblad.equation import MasterEquation
from nessflow.scattering.currents import transmission
from nessflow.systems.disorder.uniform import Uniform
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.strip import Strip
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.matrices import Tridiagonal
from nessflow.systems.system import AttachedLead, OpenSystem

REPEATS = 3
ENERGIES = np.linspace(-1.7, 1.7, 1024)
RATE = 0.3
"""Gain at the first and loss at the last site of the driven chain, and loss on every site x 20."""


def cost(function, calls=1):
    """Return CPU time of one of so many calls in milliseconds, and the result."""
    result, seconds = function(), []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return 1e3 * statistics.median(seconds) / calls, result


def row(label, ours, theirs, difference):
    print(f"{label:40s}{ours:12.4g}{theirs:14.4g}{theirs / ours:12.3g}{difference:12.0e}")


def head(name):
    print(f"\n{'':40s}{'nessflow':>12s}{name:>14s}{'ratio':>12s}{'difference':>12s}")


def chain_leads(places, levels):
    return [
        AttachedLead(f"{side} {n}", at, SemiInfiniteChain(onsite=levels[n]), 0.0, 0.0, side)
        for side, sites in places.items()
        for n, at in enumerate(sites)
    ]


def disordered_chain(sites, loss=0.0):
    onsite = Uniform(half_width=0.5).draw(np.zeros((sites, 1)), np.random.default_rng(1))
    h = Chain(sites=sites).hamiltonian(onsite)
    leads = chain_leads({"left": [0], "right": [sites - 1]}, [0.0])
    return OpenSystem(h, Tridiagonal(np.full(sites, loss)), Tridiagonal.zero(sites), leads)


def disordered_strip(length, width):
    """Strip between strips: one more column at each end in the basis of its modes."""
    inner = length * width
    h = Strip(length=length, width=width).hamiltonian(
        Uniform(half_width=0.5).draw(np.zeros((inner, 1)), np.random.default_rng(1))
    )
    angle = np.pi * np.arange(1, width + 1) / (width + 1)
    levels = -2 * np.cos(angle)
    shape = np.sqrt(2 / (width + 1)) * np.sin(np.arange(1, width + 1)[:, None] * angle)
    matrix = scipy.sparse.block_diag([np.diag(levels), h, np.diag(levels)]).tolil()
    first, last = np.arange(width), width + inner + np.arange(width)
    for outer, column in ((first, first + width), (last, last - width)):
        matrix[np.ix_(column, outer)] = -shape
        matrix[np.ix_(outer, column)] = -shape.T
    zero = Tridiagonal.zero(inner + 2 * width)
    places = {"left": first, "right": last}
    system = OpenSystem(scipy.sparse.csr_array(matrix), zero, zero, chain_leads(places, levels))
    return system, h.diagonal().real


def kwant_strip(onsite, width, loss=0.0):
    """The same for Kwant; loss is a lead on each site."""
    import kwant

    lattice, builder = kwant.lattice.square(norbs=1), kwant.Builder()
    for j, energy in enumerate(onsite):
        builder[lattice(*divmod(j, width))] = energy
    builder[lattice.neighbors()] = -1.0
    wire = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    wire[(lattice(0, y) for y in range(width))] = 0.0
    wire[lattice.neighbors()] = -1.0
    for lead in (wire, wire.reversed()):
        builder.attach_lead(lead)
    for j in range(len(onsite) if loss else 0):
        place = [lattice(*divmod(j, width))]
        builder.leads.append(
            kwant.builder.SelfEnergyLead(lambda w, args=(): np.array([[-1j * loss]]), place, [])
        )
    return builder.finalized()


def against_kwant():
    import kwant

    some = ENERGIES[[100, 400, 777]]

    def through(other):
        return [kwant.smatrix(other, energy).transmission(1, 0) for energy in some]

    def lost(other):
        found = [kwant.greens_function(other, energy) for energy in some]
        leads = range(2, len(found[0].lead_info))
        return [sum(g.transmission(0, j) for j in leads) for g in found]

    def compare(label, system, energies, other, theirs, to):
        beside = itertools.count()  # what was computed at an energy is remembered
        ours, _ = cost(lambda: transmission(system, energies + 1e-9 * next(beside)), energies.size)
        spent, expected = cost(lambda: theirs(other), some.size)
        found = transmission(system, some)
        row(label, ours, spent, abs(found[0, to] / expected - 1).max())

    head(f"Kwant {kwant.__version__}")
    for sites in (100, 1000, 10_000):
        system = disordered_chain(sites)
        other = kwant_strip(system.hamiltonian.diagonal, 1)
        compare(f"chain of {sites}, ms", system, ENERGIES, other, through, 1)
    system = disordered_chain(100, RATE / 20)
    other = kwant_strip(system.hamiltonian.diagonal, 1, RATE / 20)
    compare("chain of 100, loss on every site, ms", system, ENERGIES, other, lost, 2)
    for length, width in ((20, 5), (100, 10), (100, 30), (400, 40)):
        system, onsite = disordered_strip(length, width)
        other = kwant_strip(onsite, width)
        compare(f"strip of {length} x {width}, ms", system, some, other, through, 1)


def against_qutip():
    import qutip

    head(f"QuTiP {qutip.__version__}")
    for sites in (2, 4, 6):
        h = Chain(sites=sites).hamiltonian().to_dense()
        ends = np.zeros((2, 2, sites, sites))
        ends[0, 1, -1, -1] = ends[1, 0, 0, 0] = RATE

        def ours():
            equation = MasterEquation(("left", "right"), h, *ends)  # noqa: B023
            return transport(equation)

        def theirs():
            c = [qutip.fdestroy(sites, j) for j in range(sites)]  # noqa: B023
            hopping = [c[j].dag() * c[j + 1] for j in range(len(c) - 1)]
            jumps = [RATE**0.5 * c[0].dag(), RATE**0.5 * c[-1]]
            liouvillian = qutip.liouvillian(-sum(x + x.dag() for x in hopping), jumps)
            return qutip.countstat_current_noise(
                liouvillian, jumps[:1], rhoss=qutip.steadystate(liouvillian)
            )

        (spent, found), (other, expected) = cost(ours), cost(theirs)
        cumulants = (
            found.particle_current.value[0],
            found.particle_noise.value[0, 0],
            found.third_cumulant.value[0],
        )
        difference = abs(np.array(cumulants) / [x.item() for x in expected] - 1).max()
        row(f"three cumulants of {sites} sites, ms", spent, other, difference)


def main():
    print(f"load average {os.getloadavg()[0]:.1f}")
    for module, name, compare in (
        ("kwant", "Kwant", against_kwant),
        ("qutip", "QuTiP", against_qutip),
    ):
        if importlib.util.find_spec(module):
            compare()
        else:
            print(f"\n{name}: not installed here")


if __name__ == "__main__":
    main()
