"""What does a sample of an ensemble cost?  Run: python benchmarks/batches.py

Disordered chains with two wide-band leads at low temperature, all that the kind `steady-current`
computes unless told (currents, noise, third and fourth cumulant, entropy productions, uncertainty
ratios): 200 samples evaluated one by one and together, with the same bits, and the share of the
compiled kernels in the latter; and points a second that a block computes, judges and stores.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from nessflow.config.project import load_study
from nessflow.config.study import parameters_of
from nessflow.run.solve import solve_block
from nessflow.solvers import chain_ends

SAMPLES = 200
CASES = [(sites, loss) for sites in (20, 100) for loss in (0.1, 0.0)]
STUDY = """\
title: Disordered chains
study: steady-current
system:
  lattice: {{kind: chain, sites: {sites}}}
  disorder: {{kind: uniform, half_width: 0.5}}
  loss: {{kind: onsite, rate: {loss}}}
  leads:
    left:  {{kind: wide-band, broadening: 1.1, chemical_potential: 0.4, temperature: 0.01}}
    right: {{kind: wide-band, broadening: 1.1, chemical_potential: 0.1, temperature: 0.01}}
ensemble: {{samples: {samples}, per_block: {samples}}}
"""


def seconds(function):
    """Return the CPU time of a call, and what it returns."""
    start = time.process_time()
    found = function()
    return time.process_time() - start, found


class Kernels:
    """Counts the time of the compiled calls."""

    def __init__(self):
        self.seconds = 0.0
        for name in ("_rows", "_ends"):
            setattr(chain_ends, name, self.timed(getattr(chain_ends, name)))

    def timed(self, kernel):
        def call(*arguments):
            start = time.process_time()
            kernel(*arguments)
            self.seconds += time.process_time() - start

        return call


def generators(samples):
    return [np.random.default_rng(np.random.SeedSequence([1, k])) for k in range(samples)]


def same(first, second):
    """Return whether two outcomes have the same bits."""
    pairs = ((first.values[name], second.values[name]) for name in first.values)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def measured(folder, kernels, sites, loss):
    """Return milliseconds a sample alone, together, in kernels, and points stored a second."""
    path = folder / "chains.yaml"
    path.write_text(STUDY.format(sites=sites, loss=loss, samples=SAMPLES))
    study = load_study(path)
    kind, point = study.kind, parameters_of(study, {})
    kind.evaluate(point, generators(1)[0])
    alone, one_by_one = seconds(lambda: [kind.evaluate(point, x) for x in generators(SAMPLES)])
    kernels.seconds = 0.0
    together, many = seconds(lambda: kind.evaluate_many([point] * SAMPLES, generators(SAMPLES)))
    inside = kernels.seconds
    assert all(map(same, one_by_one, many))
    (block,) = study.blocks
    stored, _ = seconds(lambda: solve_block(block, folder / f"{sites}-{loss}"))
    return *(1e3 * x / SAMPLES for x in (alone, together, inside)), SAMPLES / stored


def main():
    print(f"load average {os.getloadavg()}")
    titles = ("sites, loss", "one by one", "together", "kernels", "stored points")
    print("{:14s}{:>11s}{:>12s}{:>19s}{:>24s}".format(*titles))
    kernels = Kernels()
    with tempfile.TemporaryDirectory() as folder:
        for sites, loss in CASES:
            alone, together, inside, rate = measured(Path(folder), kernels, sites, loss)
            print(
                f"{sites:4d}, {loss:<8g}{alone:9.2f} ms{together:9.2f} ms{alone / together:6.1f} x"
                f"{inside:8.2f} ms{together / inside:6.1f} x{rate:13.0f} /s",
                flush=True,
            )


if __name__ == "__main__":
    main()
