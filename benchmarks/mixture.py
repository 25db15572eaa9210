"""What do 10^4 mixtures of reservoirs cost?  Run: python benchmarks/mixture.py

CPU time of currents, noise, cumulants and entropy production of two reservoirs (fermions and
bosons, steps and Gaussian weights) computed together and one by one, then of the 10^4 points of the
study `mixture-uncertainty` through the solver of a block: file checked, parameters validated, all
observables with errors and notes, NetCDF written.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from nessflow.config.project import load_study
from nessflow.mixture.state import GaussianWeights, Mixture, Reservoir, StepWeights
from nessflow.mixture.transport import transport
from nessflow.run.solve import solve_block

STUDY = Path(__file__).resolve().parents[1] / "config" / "studies" / "mixture-uncertainty.yaml"


def cpu(function):
    """Return the result and the CPU time of a call, in seconds."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def mixtures(count, weights, statistics):
    rng = np.random.default_rng(1)
    found = []
    for _ in range(count):
        mu, temperature = rng.uniform(-5, 5, 2), rng.uniform(0.1, 3, 2)
        mu = -abs(mu) if statistics == "bosons" else mu
        reservoirs = [Reservoir(*x) for x in zip(temperature, mu, strict=True)]
        found.append(Mixture(reservoirs, weights, 1.0, statistics))
    return found


def physics():
    cases = {
        "fermions, steps": (StepWeights.from_constants(0.4, -0.3), "fermions"),
        "fermions, Gaussian": (GaussianWeights(0.5), "fermions"),
        "bosons, steps": (StepWeights.from_constants(0.4, -0.3), "bosons"),
    }
    print(f"{'microseconds per mixture':26s}{'together':>10s}{'alone':>10s}  largest error/value")
    for name, case in cases.items():
        many = mixtures(2000, *case)
        transport(many[:50])
        found, together = cpu(lambda: transport(many))  # noqa: B023
        _, alone = cpu(lambda: [transport([one]) for one in many[:200]])  # noqa: B023
        worst = np.max(found.noise.error / found.noise.value)
        times = f"{1e6 * together / 2000:10.0f}{1e6 * alone / 200:10.0f}"
        print(f"{name:26s}{times}  {worst:.0e}")


def blocks(together):
    """Solve the study; return the number of points and of those that failed."""
    study = load_study(STUDY)
    if not together:
        names = ("Parameters", "VARIABLES", "coordinates", "is_random", "evaluate")
        kind = SimpleNamespace(**{name: getattr(study.kind, name) for name in names})
        study = replace(study, kind=kind)
    with tempfile.TemporaryDirectory() as folder:
        counts = [solve_block(block, Path(folder)) for block in study.blocks]
    return sum(c.computed for c in counts), sum(c.failed for c in counts)


def main():
    physics()
    print()
    for name, together in (("together", True), ("one by one", False)):
        (points, failed), seconds = cpu(lambda: blocks(together))  # noqa: B023
        print(f"study, points {name}: {points} points in {seconds:.1f} s, {failed} failed")


if __name__ == "__main__":
    main()
