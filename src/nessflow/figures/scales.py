"""Edges of cells, ticks and their numbers, and the layout that has room for them."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import (
    AutoMinorLocator,
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    MultipleLocator,
    NullFormatter,
)

from nessflow.figures.mathtext import wrapped

_PLAIN = (1e-3, 1e4)  # numbers written without a power of ten
_LINE = [Path.MOVETO, Path.LINETO]
_CLOSE = 1e-6  # fraction of a plot by which a tick may be out of it
_EACH = 40  # whole numbers that have a tick each
_LAYOUTS = 3  # until a layout has the numbers that were measured for it
_NARROW = 2.2  # decades in which 1, 2 and 5 are labelled


def edges_of(centres: np.ndarray, scale: str) -> np.ndarray:
    """Return the edges of cells around their centres, half-way in the given scale."""
    if scale == "log":
        return np.exp(edges_of(np.log(centres), "linear"))
    if len(centres) == 1:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def label_log_ticks(axis: Axis) -> None:
    """Write 0.5, 1, 2, ... on a logarithmic axis over few decades of ordinary numbers."""
    if axis.get_scale() != "log":
        return
    low, high = sorted(axis.get_view_interval())
    if low < _PLAIN[0] or high > _PLAIN[1]:
        return
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if np.log10(high / low) < _NARROW:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())


def tick_whole_numbers(axis: Axis, values: np.ndarray) -> None:
    """Put the ticks of a linear axis at whole numbers where all values are, such as sites."""
    counted = values.dtype.kind in "fiu" and np.all(values == np.round(values))
    if not counted or axis.get_scale() != "linear":
        return
    axis.set_major_locator(MaxNLocator("auto", steps=(1, 2, 5, 10), integer=True))
    few = np.ptp(values) <= _EACH
    axis.set_minor_locator(MultipleLocator(1) if few else AutoMinorLocator())


def lay_out(figure: Figure) -> None:
    """Give the plots of a figure the room that their labels and legends leave."""
    engine = ConstrainedLayoutEngine()
    for _ in range(_LAYOUTS):
        engine.execute(figure)
        for axes in figure.axes:
            # That of a colour bar: as thin as it will be drawn.
            locator: Any = axes.get_axes_locator()
            axes.apply_aspect(locator(axes, None) if locator else None)
        measured = _numbers(figure)
        for axis in _axes_of(figure):
            axis.get_majorticklabels()
        if measured == _numbers(figure):
            return


def _numbers(figure: Figure) -> list[list[str]]:
    """Return the numbers on each axis, as they are now."""
    return [[tick.label1.get_text() for tick in axis.majorTicks] for axis in _axes_of(figure)]


def hide_minor_ticks(figure: Figure) -> dict[Axis, list[str]]:
    """Hide the minor ticks without numbers, and return the sides of each axis that had them.

    matplotlib measures each of them at every layout, and draws it on its own.
    """
    hidden = {}
    for axis in _axes_of(figure):
        places: Any = axis.get_minorticklocs()
        if not any(axis.get_minor_formatter().format_ticks(places)):
            shown = axis.get_tick_params("minor")
            hidden[axis] = [side for side in ("bottom", "top", "left", "right") if shown.get(side)]
            axis.set_tick_params("minor", **dict.fromkeys(shown, False))
    return hidden


def draw_minor_ticks(hidden: Mapping[Axis, Sequence[str]]) -> None:
    """Draw the minor ticks of each axis as one path at some of its sides.

    The layout of the figure must have been made, and is not made again.
    """
    for axis, sides in hidden.items():
        name = "x" if isinstance(axis, XAxis) else "y"
        bbox = axis.axes.bbox
        scale = axis.get_transform()
        low, high = scale.transform(axis.get_view_interval())
        places = (scale.transform(axis.get_minorticklocs()) - low) / (high - low)
        places = places[(places > -_CLOSE) & (places < 1 + _CLOSE)]
        settings: Any = rcParams
        size = settings[f"{name}tick.minor.size"] * axis.axes.figure.dpi / 72
        size /= bbox.height if name == "x" else bbox.width
        ends = [(1 - size, 1) if side in ("top", "right") else (0, size) for side in sides]
        lines = [[(place, low), (place, high)] for low, high in ends for place in places]
        vertices = np.reshape(lines, (-1, 2))
        ticks = PathPatch(
            Path(vertices if name == "x" else vertices[:, ::-1], _LINE * len(lines)),
            transform=axis.axes.transAxes,
            linewidth=settings[f"{name}tick.minor.width"],
            zorder=axis.get_zorder(),
            fill=False,
            clip_on=False,
        )
        axis.axes.add_artist(ticks)


def freeze_ticks(figure: Figure) -> None:
    """Keep ticks and numbers as they are: no format and no setting finds others."""
    for axis in _axes_of(figure):
        places: Any = axis.get_majorticklocs(), axis.get_minorticklocs()
        formatters = axis.get_major_formatter(), axis.get_minor_formatter()
        texts = [f.format_ticks(at) for f, at in zip(formatters, places, strict=True)]
        axis.set_major_locator(FixedLocator(places[0]))
        axis.set_minor_locator(FixedLocator(places[1]))
        axis.set_major_formatter(FixedFormatter(texts[0]))
        axis.set_minor_formatter(FixedFormatter(texts[1]))


def _axes_of(figure: Figure) -> list[Axis]:
    return [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def separate_tick_labels(figure: Figure) -> bool:
    """Use fewer numbers along x where they would touch each other; return whether any did.

    The layout of the figure must have been made.
    """
    before = [len(axes.get_xticks()) for axes in figure.axes]
    for axis in (axes.xaxis for axes in figure.axes):
        for count in (6, 5, 4, 3, 2):
            locator = axis.get_major_locator()
            if not isinstance(locator, MaxNLocator) or not _touch(axis):
                break
            locator.set_params(nbins=count)
    return before != [len(axes.get_xticks()) for axes in figure.axes]


def separate_axis_labels(figure: Figure) -> bool:
    """Write labels below x in two lines where they would touch each other or leave the figure.

    Returns whether any did.  The layout of the figure must have been made.
    """
    before = [axes.get_xlabel() for axes in figure.axes]
    labels = [axes.xaxis.label for axes in figure.axes if axes.get_xlabel()]
    boxes = [label.get_window_extent() for label in labels]
    for label, box in zip(labels, boxes, strict=True):
        room = box.padded(float(label.get_fontsize()))
        touches = any(room.overlaps(other) for other in boxes if other is not box)
        if touches or not figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1:
            text = label.get_text()
            width = -(-3 * len(text) // 5)
            label.set_text(wrapped(text, width))
    return before != [axes.get_xlabel() for axes in figure.axes]


def _touch(axis: Axis) -> bool:
    axis.get_majorticklabels()  # puts them where the locator has them now
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    shown = [t.label1 for t in ticks if t.label1.get_visible() and t.label1.get_text()]
    boxes = [label.get_window_extent() for label in shown]
    gap = max((0.3 * float(label.get_fontsize()) for label in shown), default=0.0)
    return any(right.x0 - left.x1 < gap for left, right in itertools.pairwise(boxes))


def move_powers_of_ten(figure: Figure) -> None:
    """Write the power of ten of all numbers on an axis with its unit, not above the plot."""
    for axis in _axes_of(figure):
        axis.get_majorticklabels()  # makes the power of ten
        found = re.fullmatch("1e(.+)", axis.get_major_formatter().get_offset())
        if not found:
            continue
        text, power = axis.get_label_text(), f"10^{{{found[1]}}}"
        start = text.rfind("($")
        if start < 0:
            text = f"{text} (${power}$)"
        else:
            text = f"{text[:start]}(${power}\\,{text[start + 2 :]}"
        axis.set_label_text(text)
        axis.offsetText.set_visible(False)
