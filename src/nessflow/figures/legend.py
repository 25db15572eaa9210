"""Legends and labels where no data are: in a free place of the plot, else above it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import getp
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, QuadMesh
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, ScaledTranslation

from nessflow.figures.scales import lay_out
from nessflow.figures.specs import ReferenceLine

_PLACES: tuple[Any, ...] = (
    "upper left",
    "upper right",
    "lower right",
    "lower left",
    "center right",
    "center left",
    "upper center",
    "lower center",
)
_ALONG = (0.97, 0.03, 0.65, 0.35)  # of a reference line, where its label may stand
_REFERENCE = "reference"  # mark of these labels
_TITLE = 11  # points that a line of a title takes
_MARGIN = 3  # points between legend and data
_FEW = 3  # entries that each plot has by itself


def place_legends(figure: Figure, references: Mapping[Axes, Sequence[ReferenceLine]]) -> None:
    """Give every plot its legend, if it has entries for one, and the labels of reference lines.

    The layout of the figure must have been made; it is made again where a legend takes room.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With everything else drawn.
    references : mapping
        The reference lines of each plot.
    """
    plots = list(references)
    for axes, lines in references.items():
        _label_reference_lines(axes, lines)
    shared = _share_entries(plots)
    inside = [axes for axes in plots if _entries(axes)[1]]
    if shared and len(_entries(plots[0])[1]) > _FEW:
        above, inside = [], []
        _put_above_all(figure, plots)
        lay_out(figure)
    else:
        above = [axes for axes in inside if _is_map(axes)]
        inside = [axes for axes in inside if axes not in above]
    while True:
        for axes in above:
            _put_above(axes)
        if above:
            # They take room from the plots, so that the others are checked again.
            lay_out(figure)
        above = [axes for axes in inside if not _put_inside(axes)]
        if not above:
            break
        if shared:
            _put_above_all(figure, plots)
            lay_out(figure)
            break
        inside = [axes for axes in inside if axes not in above]
    for axes, lines in references.items():
        _label_reference_lines(axes, lines)  # where no legend is


def _label_reference_lines(axes: Axes, lines: Sequence[ReferenceLine]) -> None:
    """Write the labels of reference lines along them, where no data are if there is such a place.

    Labels that are there already are written anew.  The layout of the figure must have been made.
    """
    for text in [text for text in axes.texts if text.get_gid() == _REFERENCE]:
        text.remove()
    canvas: Any = axes.figure.canvas
    renderer = canvas.get_renderer()
    places = [(place, side) for side in (1, -1) for place in _ALONG]
    for line in filter(lambda line: line.label, lines):
        for place in places:
            text = _reference_label(axes, line, *place)
            box = text.get_window_extent(renderer)
            text.remove()
            if not overlaps(axes, box) and not _is_covered(axes, box):
                break
        else:
            place = places[0]
        _reference_label(axes, line, *place)


def _is_covered(axes: Axes, box: Bbox) -> bool:
    """Return whether a box reaches into the legend, or out of the frame."""
    frame, legend = axes.get_window_extent(), axes.get_legend()
    inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    return not inside or (legend is not None and _extent(legend).overlaps(box))


def _reference_label(axes: Axes, line: ReferenceLine, place: float, side: int) -> Annotation:
    """Write a label at a place along its line, above (right of) it or with side -1 below."""
    style: dict[str, Any] = {
        "textcoords": "offset points",
        "fontsize": 7,
        "color": "0.3",
        "gid": _REFERENCE,
    }
    end = round(2 * place)
    if line.y is None:
        style |= {"xycoords": ("data", "axes fraction"), "rotation": 90}
        style |= {"va": ("bottom", "center", "top")[end], "ha": "left" if side > 0 else "right"}
        return axes.annotate(line.label, (line.x, place), (2 * side, 0), **style)
    style |= {"xycoords": ("axes fraction", "data"), "ha": ("left", "center", "right")[end]}
    style["va"] = "bottom" if side > 0 else "top"
    return axes.annotate(line.label, (place, line.y), (0, 2 * side), **style)


def overlaps(axes: Axes, box: Bbox) -> bool:
    """Return whether anything drawn in ``axes`` reaches into a box in pixels.

    The layout of the figure must have been made.
    """
    inside = Bbox.intersection(box, axes.get_window_extent())  # what is drawn ends at the frame
    if inside is None:
        return False
    box = inside
    for line in axes.lines:
        path = line.get_transform().transform_path(line.get_path()).cleaned(remove_nans=True)
        if line.get_linestyle() != "None" and path.intersects_bbox(box, filled=False):
            return True
        points = line.get_transform().transform(np.asarray(line.get_xydata(), dtype=float))
        if _any_inside(points, box):
            return True
    for collection in axes.collections:
        transform = collection.get_transform()
        for path in collection.get_paths():
            if path.transformed(transform).intersects_bbox(box, filled=True):
                return True
    canvas: Any = axes.figure.canvas
    renderer = canvas.get_renderer()
    return any(text.get_window_extent(renderer).overlaps(box) for text in axes.texts)


def _any_inside(points: np.ndarray, box: Bbox) -> bool:
    x, y = points.T
    return bool(np.any((x >= box.x0) & (x <= box.x1) & (y >= box.y0) & (y <= box.y1)))


def _is_map(axes: Axes) -> bool:
    return any(isinstance(artist, QuadMesh | EllipseCollection) for artist in axes.collections)


def _entries(axes: Axes) -> tuple[list, list[str]]:
    """Return handles and labels; the data come before the lines through them."""
    handles, labels = axes.get_legend_handles_labels()
    pairs = sorted(
        zip(handles, labels, strict=True), key=lambda p: not isinstance(p[0], ErrorbarContainer)
    )
    return [handle for handle, _ in pairs], [label for _, label in pairs]


def _put_inside(axes: Axes) -> bool:
    """Put the legend where nothing is drawn; return False when there is no such place."""
    handles, labels = _entries(axes)
    margin = _MARGIN * axes.figure.dpi / 72
    for columns in (1, 2) if len(labels) > 3 else (1,):
        legend = axes.legend(handles, labels, ncols=columns)
        for place in _PLACES:
            legend.set_loc(place)
            box = _extent(legend)
            frame = axes.get_window_extent()
            fits = box.width < frame.width and box.height < frame.height
            if fits and not overlaps(axes, box.padded(margin)):
                _made_opaque(legend)
                return True
    legend.remove()
    return False


def _share_entries(plots: Sequence[Axes]) -> bool:
    """Return whether the legend of one plot is that of all, of which there are several."""
    looks = []
    for axes in plots:
        handles, labels = _entries(axes)
        if not all(isinstance(handle, Line2D) for handle in handles):
            return False
        kinds = ("color", "linestyle", "marker")
        looks.append([labels, [[getp(handle, kind) for kind in kinds] for handle in handles]])
    return len(plots) > 1 and bool(looks[0][0]) and all(look == looks[0] for look in looks)


def _put_above_all(figure: Figure, plots: Sequence[Axes]) -> None:
    """Put one legend above all plots of a figure, in as many columns as fit."""
    for axes in plots:
        if own := axes.get_legend():
            own.remove()
    handles, labels = _entries(plots[0])
    legend: Any = None
    for columns in range(len(labels), 0, -1):
        legend = figure.legend(handles, labels, loc="outside upper center", ncols=columns)
        if _extent(legend).width <= figure.bbox.width:
            break
        legend.remove()
    _made_opaque(legend)


def _put_above(axes: Axes) -> None:
    """Put the legend above plot and title, in as many columns as fit."""
    handles, labels = _entries(axes)
    title = axes.get_title(loc="left")
    height = _TITLE * (title.count("\n") + 1) / 72 if title else 0.0
    for columns in range(len(labels), 0, -1):
        legend = axes.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            bbox_transform=axes.transAxes
            + ScaledTranslation(0, height, axes.figure.dpi_scale_trans),
            borderaxespad=0.2,
            ncols=columns,
        )
        if _extent(legend).width <= axes.get_window_extent().width:
            break
    _made_opaque(legend)


def _extent(legend: Legend) -> Bbox:
    canvas: Any = legend.figure.canvas
    return legend.get_window_extent(canvas.get_renderer())


def _made_opaque(legend: Legend) -> None:
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
