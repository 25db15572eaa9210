"""Draws docs/images/circuits.png, the resistor circuits of the study circuit-placement.

Run: python docs/draw_circuits.py
"""

import itertools
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nessflow.figures.save import save
from nessflow.figures.style import styled

IMAGE = Path(__file__).resolve().parent / "images" / "circuits.png"
CIRCUITS = {"a": "SD", "b": "SDDS", "c": "SDSD"}
COLOURS = {"S": "#0072B2", "D": "#D55E00"}
WIDTH = 6.0
LINE = {"color": "black", "linewidth": 0.9, "marker": "", "linestyle": "-"}
TEXT = {"ha": "center", "va": "center", "fontsize": 7}


def draw_circuit(axes: Axes, name: str, placement: str) -> None:
    """Draw a wire between two ends with a source (S) or drain (D) at each inner node."""
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
    """Draw the three circuits below each other."""
    with styled():
        figure = Figure(figsize=(3.4, 3.2), layout="constrained")
        for axes, (name, placement) in zip(figure.subplots(3), CIRCUITS.items(), strict=True):
            draw_circuit(axes, name, placement)
            axes.set(xlim=(-1.1, WIDTH + 0.2), ylim=(-1.35, 0.6))
            axes.set_axis_off()
        save(figure, IMAGE, {"script": "docs/draw_circuits.py"})


if __name__ == "__main__":
    main()
