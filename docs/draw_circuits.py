"""Draws docs/images/circuits.png, circuits and currents of the study circuit-placement.

Run: snakemake circuit-placement, then python docs/draw_circuits.py
"""

import itertools
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nessflow.config.study import Study, parameters_of
from nessflow.figures.save import save
from nessflow.figures.style import styled
from nessflow.store.store import read_dataset
from nessflow.verbs.draw import figure_record
from nessflow.verbs.workflow import read_project

ROOT = Path(__file__).resolve().parents[1]
IMAGE = ROOT / "docs" / "images" / "circuits.png"
STUDY = "circuit-placement"
COLOURS = {"S": "#0072B2", "D": "#D55E00"}
WIDTH = 6.0
LINE = {"color": "black", "linewidth": 0.9, "marker": "", "linestyle": "-"}
TEXT = {"ha": "center", "va": "center", "fontsize": 7}


def placement_of(study: Study, name: str) -> str:
    """Return a letter for each inner node of a circuit: source (S) or drain (D)."""
    system = parameters_of(study, {"circuit": name}).system
    letters = {
        site: kind[0].upper() for kind, place in system.injections.items() for site in place.sites
    }
    return "".join(letters[site] for site in range(2, system.sites))


def draw_circuit(axes: Axes, name: str, placement: str, currents: xr.DataArray) -> None:
    """Draw a wire between two ends with a source or drain at each inner node, and its currents."""
    nodes = np.linspace(0, WIDTH, len(placement) + 2)
    for start, stop in itertools.pairwise(nodes):
        draw_resistor(axes, start, stop)
    axes.plot(nodes, np.zeros_like(nodes), "o", color="black", markersize=3)
    axes.text((nodes[0] + nodes[1]) / 2, 0.42, f"$R/{len(nodes) - 1}$", **TEXT)
    for x, kind in zip(nodes[1:-1], placement, strict=True):
        draw_source(axes, x, kind)
    for x, text in ((nodes[0], "$V$"), (nodes[-1], "$0$")):
        axes.text(x, -0.32, text, **TEXT)
    axes.text(-0.9, 0, f"({name})", **TEXT)
    for y, direction, arrow in ((0.15, "forward", "right"), (-0.15, "reverse", "left")):
        value = abs(currents.sel(direction=direction).item())
        text = rf"$|J_\{arrow}arrow| = {value:.2f}$"
        axes.text(WIDTH + 0.35, y, text, **TEXT | {"ha": "left"})


def draw_resistor(axes: Axes, start: float, stop: float) -> None:
    """Draw a wire with a zigzag in its middle."""
    middle, half = (start + stop) / 2, 0.3
    zigzag = np.linspace(middle - half, middle + half, 9)
    heights = np.array([0, 1, -1, 1, -1, 1, -1, 1, 0]) * 0.14
    axes.plot([start, *zigzag, stop], [0, *heights, 0], **LINE)


def draw_source(axes: Axes, x: float, kind: str) -> None:
    """Draw a source below its node with the arrow of its current."""
    colour = COLOURS[kind]
    tail, head = (-0.75, -0.05) if kind == "S" else (-0.05, -0.75)
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, head), (x, tail), arrowprops=arrow)
    axes.text(x + 0.2, -0.4, "$I_g$", **TEXT, color=colour)
    disc = {"boxstyle": "circle,pad=0.25", "facecolor": "white", "edgecolor": colour}
    axes.text(x, -1.0, kind, **TEXT, color=colour, bbox=disc)


def main() -> None:
    """Draw the circuits below each other."""
    project = read_project(ROOT)
    study = project.studies[STUDY]
    data = read_dataset(project.results / STUDY / "data.nc")
    record = figure_record(study, study.figures[0], {STUDY: data}) | {
        "figure": "circuits",
        "caption": "The circuits, and the current at the left end for both signs of the bias.",
        "command": "python docs/draw_circuits.py",
    }
    names = data.indexes["circuit"]
    currents = data["particle_current"].sel(terminal="left")
    with styled():
        figure = Figure(figsize=(3.4, 2.8), layout="constrained")
        for axes, name in zip(figure.subplots(len(names)), names, strict=True):
            draw_circuit(axes, name, placement_of(study, name), currents.sel(circuit=name))
            axes.set(xlim=(-1.1, WIDTH + 1.9), ylim=(-1.35, 0.6))
            axes.set_axis_off()
        save(figure, IMAGE, record)


if __name__ == "__main__":
    main()
