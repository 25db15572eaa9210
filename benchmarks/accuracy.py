"""How wrong is a uniform energy grid?  Run: python benchmarks/accuracy.py

The current through a localised sample (200 sites, disorder of width 2, no loss, bias 0.5, kT = 0.1,
chains as leads) is carried by resonances much narrower than any grid.  Relative error of the
trapezoidal rule over the band against its number of energies, beside the error-controlled integral
with the error that it reports.  Draws docs/images/accuracy.png.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from quadrature import sample

import nessflow
from nessflow.digest import source_digest, style_digest
from nessflow.figures.save import save
from nessflow.figures.style import styled
from nessflow.run.provenance import versions
from nessflow.scattering.currents import response_transmission, steady_currents
from nessflow.spectrum.occupation import fermi_difference

SEEDS = (1, 2, 3, 4)
COUNTS = np.unique(np.round(np.geomspace(100, 100_000, 25)).astype(int)) + 1
PRINTED = (101, 1001, 10_001, 100_001)
IMAGE = Path(__file__).resolve().parents[1] / "docs" / "images" / "accuracy.png"


def localised(seed):
    return sample(200, 0.0, 1.0, 0.1, 0.5, finite_band=True, seed=seed)


def trapezoid(system, count):
    """Return the net particle current from a uniform grid over the band."""
    left, right = system.leads
    energies = np.linspace(*left.band, count)
    flow = response_transmission(system, energies) * fermi_difference(energies, left, right)
    return np.trapezoid(flow, energies) / (2 * np.pi)


def errors_of(seed):
    """Return the trapezoid's relative errors, our energies and our reported relative error."""
    system = localised(seed)
    found = steady_currents(system)
    exact = found.net_particle_current.value
    errors = [abs(trapezoid(system, count) / exact - 1) for count in COUNTS]
    return np.array(errors), found.evaluations, found.net_particle_current.error / abs(exact)


def drawn(results):
    figure = Figure()
    axes = figure.add_subplot(xscale="log", yscale="log", ylim=(1e-12, 1e2))
    star = {"marker": "*", "markersize": 8, "markeredgecolor": "black", "markeredgewidth": 0.4}
    for seed, (errors, evaluations, ours) in zip(SEEDS, results, strict=True):
        (line,) = axes.plot(COUNTS, errors, linewidth=0.9, markersize=2.4, label=f"{seed}")
        axes.plot(evaluations, ours, color=line.get_color(), linestyle="none", **star)
    _, evaluations, reported = zip(*results, strict=True)
    middle = np.exp(np.mean(np.log(reported)))
    text = {"fontsize": 7, "va": "center"}
    axes.text(
        0.75 * min(evaluations), middle, "error-controlled,\nreported error", ha="right", **text
    )
    axes.text(400, 3e-3, "uniform grid,\ntrue error", ha="center", **text)
    axes.set(xlabel="number of energies", ylabel="relative error of the current")
    axes.legend(title="sample", ncols=2, loc="lower left")
    return figure


def main():
    results = [errors_of(seed) for seed in SEEDS]
    print(f"{'':8s}relative error of the trapezoidal rule with      error-controlled")
    print("sample" + "".join(f"{count:10d}" for count in PRINTED) + "    energies     error")
    for seed, (errors, evaluations, ours) in zip(SEEDS, results, strict=True):
        chosen = errors[np.isin(COUNTS, PRINTED)]
        print(f"{seed:6d}" + "".join(f"{error:10.0e}" for error in chosen), end="")
        print(f"{evaluations:12d}{ours:10.0e}")
    with styled():
        figure = drawn(results)
    save(figure, IMAGE, record_of(results))


def record_of(results):
    """Return where the figure comes from: this script, which computes and draws."""
    numbers = hashlib.sha256(repr(results).encode()).hexdigest()
    libraries = json.loads(versions())
    return {
        "figure": "accuracy",
        "study": "benchmarks/accuracy.py",
        "caption": __doc__.splitlines()[0].split("?")[0] + "?",
        "tier": "paper",
        "command": "python benchmarks/accuracy.py",
        "data": [
            {
                "study": "benchmarks/accuracy.py",
                "content_sha256": numbers,
                "source_digest": source_digest("nessflow.scattering.currents"),
                "parameters": {"parameters": {"seeds": SEEDS, "energies": COUNTS.tolist()}},
                "versions": libraries,
            }
        ],
        "figure_digest": style_digest(),
        "nessflow_version": nessflow.__version__,
        "versions": libraries,
        "license": nessflow.__license__,
    }


if __name__ == "__main__":
    main()
