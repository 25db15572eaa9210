"""What do leads of coupled orbitals cost beside Kwant's?  Run: python benchmarks/cells.py

Systems built by Kwant between leads that continue them, taken over with their leads: CPU time, one
thread, of the transmission at each of 60 energies, 6 for the widest, all that it takes: Kwant finds
the modes of its leads and matches wave functions to them, with SciPy's solver (SuperLU) and with
MUMPS.  Kwant comes with `make kwant-environment`, beside the oldest NumPy and SciPy that nessflow
runs with, which are those of both here.
"""

import time

import kwant
import kwant.solvers.mumps
import kwant.solvers.sparse
import numpy as np

import nessflow as nf
from nessflow.scattering.currents import transmission
from nessflow.studies.systems import open_system

ENERGIES = np.linspace(-1.93, 1.71, 60)


def strip(length, width, flux):
    """Return a finalised strip of the square lattice with a flux through each plaquette."""
    lattice = kwant.lattice.square(norbs=1)

    def along(first, second):
        return -np.exp(-1j * flux * (first.tag[1] + 1) * (first.tag[0] - second.tag[0]))

    return between_leads(lattice, lambda x: [lattice(x, y) for y in range(width)], length, along)


def ribbon(length, width):
    """Return a finalised zigzag ribbon of honeycombs."""
    lattice = kwant.lattice.honeycomb(norbs=1)
    a, b = lattice.sublattices
    rows = range(width)
    return between_leads(
        lattice, lambda x: [site(x - y // 2, y) for y in rows for site in (a, b)], length
    )


def between_leads(lattice, column, length, along=None):
    """Return the finalised system of columns and both leads that go on with it."""

    def fill(builder, columns):
        for x in columns:
            for site in column(x):
                builder[site] = 0.0
        builder[lattice.neighbors()] = -1.0
        if along is not None:
            builder[kwant.HoppingKind((1, 0), lattice)] = along

    system = kwant.Builder()
    fill(system, range(length))
    for direction in ((-1, 0), (1, 0)):
        lead = kwant.Builder(kwant.TranslationalSymmetry(lattice.vec(direction)))
        fill(lead, [0])
        system.attach_lead(lead)
    return system.finalized()


def by_kwant(system, energies, solver):
    """Return the transmissions from the first lead to the second."""
    return [solver.smatrix(system, energy).transmission(1, 0) for energy in energies]


def seconds(function):
    """Return CPU time and result."""
    start = time.process_time()
    found = function()
    return time.process_time() - start, found


def main():
    names = "SuperLU", "MUMPS", "nessflow", "ratio", "difference"
    print("{:28s}{:>10s}{:>10s}{:>10s}{:>15s}{:>12s}".format("ms an energy", *names))
    for label, system, energies in (
        ("strip 30 x 10, flux 0.2", strip(30, 10, 0.2), ENERGIES),
        ("strip 100 x 10, flux 0.1", strip(100, 10, 0.1), ENERGIES),
        ("strip 60 x 20, flux 0.1", strip(60, 20, 0.1), ENERGIES),
        ("zigzag ribbon 20 x 10", ribbon(20, 10), ENERGIES),
        ("strip 100 x 60, flux 0.05", strip(100, 60, 0.05), ENERGIES[::10]),
    ):
        filling = ({"chemical_potential": mu, "temperature": 0.05} for mu in (-1.0, -1.5))
        ours = open_system(
            nf.System.from_kwant(system, leads=dict(zip(("a", "b"), filling, strict=True))), None
        )
        transmission(ours, energies[:1] + 0.01)  # what is compiled
        (slow, theirs), (faster, same) = (
            seconds(lambda s=system, w=energies, solver=solver: by_kwant(s, w, solver))
            for solver in (kwant.solvers.sparse, kwant.solvers.mumps)
        )
        fast, found = seconds(lambda s=ours, w=energies: transmission(s, w)[1, 0])
        times = 1e3 * np.array([slow, faster, fast]) / len(energies)
        apart = max(abs(found - theirs).max(), abs(found - same).max())
        ratios = f"{slow / fast:.1f}, {faster / fast:.1f}"
        print("{:28s}{:10.2f}{:10.2f}{:10.2f}{:>15s}{:12.0e}".format(label, *times, ratios, apart))


if __name__ == "__main__":
    main()
