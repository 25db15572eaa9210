"""What do the poles of a chain cost?  Run: python benchmarks/poles.py

Disordered chains between two wide-band leads without loss, whose energies are graded by the poles
of Green's function: poles by eigenvalues of the dense matrix, and as zeros of the determinant; the
largest difference, in half widths or 1e-12, whichever is more; and a point of the kind
`steady-current` (currents, noise, third and fourth cumulant, entropy productions) with either.
CPU times, medians of 5 samples.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from nessflow.config.project import load_study
from nessflow.config.study import parameters_of
from nessflow.solvers.dark_states import bright_damping_matrix
from nessflow.spectrum import mesh
from nessflow.studies.systems import open_system

REPEATS = 5
CASES = [(sites, half_width) for sites in (20, 100, 300, 1000) for half_width in (0.25, 1.0)]
STUDY = """\
title: Disordered chains
study: steady-current
system:
  lattice: {{kind: chain, sites: {sites}}}
  disorder: {{kind: uniform, half_width: {half_width}}}
  leads:
    left:  {{kind: wide-band, broadening: 1.1, chemical_potential: 0.4, temperature: 1e-4}}
    right: {{kind: wide-band, broadening: 1.1, chemical_potential: 0.1, temperature: 1e-4}}
ensemble: {{samples: {repeats}, per_block: {repeats}}}
"""


def eigenvalues(system):
    """Return the poles of a system as eigenvalues of a dense matrix."""
    matrix = bright_damping_matrix(system)
    matrix[system.coupling.elements] += system.regular_self_energy()
    return np.linalg.eigvals(matrix)


def seconds(function, *arguments):
    """Return the CPU time of a call, and what it returns."""
    start = time.process_time()
    found = function(*arguments)
    return time.process_time() - start, found


def kind_and_point(sites, half_width):
    """Return the kind of study and its parameters."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chains.yaml"
        path.write_text(STUDY.format(sites=sites, half_width=half_width, repeats=REPEATS))
        study = load_study(path)
        return study.kind, parameters_of(study, {})


def generator(sample):
    return np.random.default_rng([1, sample])


def difference(found, exact):
    """Return by how much poles differ at most, in half widths or 1e-12."""
    distance = abs(found[:, None] - exact)
    nearest = np.maximum(
        distance.min(axis=1) / np.maximum(abs(found.imag), 1e-12),
        distance.min(axis=0) / np.maximum(abs(exact.imag), 1e-12),
    )
    return nearest.max()


def measured(sites, half_width):
    """Return medians of milliseconds of both ways, poles and points, and the difference."""
    kind, point = kind_and_point(sites, half_width)
    chain_poles = mesh._chain_poles
    kind.evaluate(point, generator(REPEATS))
    times, largest = [], 0.0
    for sample in range(REPEATS):
        system = open_system(point.system, generator(sample))
        dense, exact = seconds(eigenvalues, system)
        quick, found = seconds(chain_poles, system)
        after, _ = seconds(kind.evaluate, point, generator(sample))
        mesh._chain_poles = eigenvalues
        before, _ = seconds(kind.evaluate, point, generator(sample))
        mesh._chain_poles = chain_poles
        times.append((dense, quick, before, after))
        largest = max(largest, difference(found, exact))
    return *(1e3 * np.median(times, axis=0)), largest


def main():
    print(f"load average {os.getloadavg()}")
    titles = ("sites, width", "eigenvalues", "determinant", "differ by", "point", "point")
    print("{:14s}{:>13s}{:>14s}{:>22s}{:>14s}{:>12s}".format(*titles))
    for sites, half_width in CASES:
        dense, quick, before, after, largest = measured(sites, half_width)
        print(
            f"{sites:4d}, {2 * half_width:<8g}{dense:10.2f} ms{quick:11.2f} ms"
            f"{dense / quick:7.1f} x{largest:11.1e}"
            f"{before:11.1f} ms{after:9.1f} ms{before / after:6.1f} x",
            flush=True,
        )


if __name__ == "__main__":
    main()
