"""What does a figure cost in a warm process?  Run: python benchmarks/figures.py

CPU time of making one figure, for several kinds of them: its content, layout, legends and checks
(draw), then each file. The reference is a bare matplotlib figure of one line in one plot, with
constrained layout, saved in the same three formats: the last column is how many of it a figure
costs, which has little to do with machine and load.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from nessflow.figures.plots import draw
from nessflow.figures.save import DATA_RECORD, RECORD, save
from nessflow.figures.specs import SPEC
from nessflow.figures.style import styled

FORMATS = ("svg", "pdf", "png")
RECORDED = dict.fromkeys(RECORD, "known") | {"data": [dict.fromkeys(DATA_RECORD, "known")]}
REPEATS = 5


def labelled(dims, values, units, name):
    return xr.Variable(dims, values, {"units": "1", "natural_units": units, "long_name": name})


def data():
    """Return a current over three axes."""
    axes = {
        "gamma": (np.linspace(0.1, 3, 61), "t/hbar", "monitoring strength"),
        "T": (np.linspace(0.1, 1, 40), "t", "temperature"),
        "case": (np.arange(1.0, 13.0), "1", "number of the case"),
    }
    coords = {name: labelled((name,), *rest) for name, rest in axes.items()}
    gamma, temperature, case = np.meshgrid(*(rest[0] for rest in axes.values()), indexing="ij")
    current = np.sin(2 * gamma + case) * np.exp(-temperature) / 20
    status = labelled(tuple(axes), np.zeros(current.shape, np.int8), "1", "outcome")
    found = xr.Dataset({"status": status}, coords)
    return found.assign(
        current=labelled(tuple(axes), current, "t/hbar", "net particle current"),
        current_error=labelled(tuple(axes), abs(current) / 20, "t/hbar", "numerical error"),
    )


def figures():
    """Return specifications by what they show."""
    line = {"plot": "lines", "x": "gamma", "y": "current", "display_unit": "t/h"}
    several = line | {"hue": "case", "zero_line": True, "title": "currents of several cases"}
    few, many = ({"T": 0.1, "case": [float(k) for k in range(1, n)]} for n in (4, 13))
    lines, colours = several | {"sel": few}, several | {"sel": many}
    plane = {"plot": "map", "x": "gamma", "y": "T", "z": "current", "sel": {"case": 1}}
    plane |= {"zero_contour": True, "title": "map"}
    found = {
        "one line": line | {"sel": {"T": 0.1, "case": 1}},
        "lines and legend": lines,
        "twelve lines and colour bar": colours,
        "map": plane,
        "three panels of lines": {"plot": "panels", "panels": [lines] * 3},
        "four maps": {"plot": "panels", "panels": [plane] * 4},
    }
    return {name: SPEC.validate_python(spec | {"name": "a"}) for name, spec in found.items()}


def cpu(function):
    """Return the result and the CPU time of a call, in seconds."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def reference(folder):
    """Draw a line with matplotlib alone."""
    with styled():
        figure = Figure(layout="constrained")
        figure.subplots().plot(np.linspace(0, 1, 61), np.linspace(0, 1, 61) ** 2)
        for suffix in FORMATS:
            figure.savefig(folder / f"reference.{suffix}")


def stages(spec, datasets, folder):
    """Return CPU seconds of drawing, and of each file."""
    figure, seconds = cpu(lambda: draw(spec, datasets, "own"))
    files = [cpu(lambda: save(figure, folder / f"a.{suffix}", RECORDED)) for suffix in FORMATS]  # noqa: B023
    return [seconds, *(each for _, each in files)]


def main():
    datasets = {"own": data()}
    print(f"{'milliseconds':28s}" + "".join(f"{name:>7s}" for name in ("draw", *FORMATS, "all")))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, spec in figures().items():
            stages(spec, datasets, folder)
            # Figure and reference by turns, so that they see the same load.
            taken = [
                (stages(spec, datasets, folder), cpu(lambda: reference(folder))[1])
                for _ in range(REPEATS)
            ]
            parts = [median(part) for part in zip(*(found for found, _ in taken), strict=True)]
            ratio = median(sum(found) / bare for found, bare in taken)
            numbers = "".join(f"{1e3 * part:7.0f}" for part in (*parts, sum(parts)))
            print(f"{name:28s}{numbers}{ratio:8.1f} bare ones")


if __name__ == "__main__":
    main()
