"""Whether data will have one number for each point of a line or map, checked before a run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from nessflow.figures.specs import Lines, Map, Plot, Selection, Spec, panels_of, selection_of
from nessflow.pipeline.config import Study
from nessflow.pipeline.document import Key
from nessflow.pipeline.errors import Problem, nearest, shown
from nessflow.pipeline.study import possible_parameters
from nessflow.pipeline.study_file import DERIVED

_SHOWN = 8


@dataclass(frozen=True)
class _Read:
    """A variable over what a plot draws: ``lines`` are hue and every, ``key`` that of its name."""

    key: Key
    name: str
    x: str
    lines: tuple[str, ...]
    sel: Selection
    source: str


@dataclass(frozen=True)
class _Layout:
    """Dimensions of the variables of a study, and the values of each dimension."""

    variables: Mapping[str, tuple[str, ...]]
    values: Mapping[str, np.ndarray]

    def dims(self, name: str) -> tuple[str, ...] | None:
        """Return the dimensions of a variable but for samples; None where they are not known."""
        if name in self.values:
            return (name,)
        return self.variables.get(DERIVED.sub("", name))


def layout_of(study: Study, kind: ModuleType) -> _Layout:
    """Return what the data of a study will look like, by its first possible point."""
    found = kind.coordinates(possible_parameters(study, {}, kind))
    values = {a.name: np.array([a.value(label) for label in a.labels]) for a in study.axes}
    axes = tuple(values)
    variables = {name: (*axes, *variable.dims) for name, variable in kind.VARIABLES.items()}
    return _Layout(variables, values | {name: c.values for name, c in found.items()})


def figure_problems(study: Study, layouts: Mapping[str, _Layout]) -> list[Problem]:
    """Return the dimensions of lines and maps that have no value, and values that are not there.

    Parameters
    ----------
    study : Study
        With checked figures.
    layouts : mapping of str to _Layout
        By study; what is read from others is passed over.

    Returns
    -------
    list of Problem
        Each with the line of the file.
    """
    problems = []
    for number, spec in enumerate(study.figures):
        for read in _reads(spec, ("figures", number), study.name):
            if read.source in layouts:
                problems += _problems(study, read, layouts[read.source])
    return problems


def _reads(spec: Spec, key: Key, study: str) -> Iterator[_Read]:
    panels = panels_of(spec)
    for number, panel in enumerate(panels):
        place = key if panels[0] is spec else (*key, "panels", number)
        if isinstance(panel, Lines):
            yield from _curves(panel, place, study)
        elif isinstance(panel, Map):
            yield _Read((*place, "z"), panel.z, panel.x, (panel.y,), panel.sel, study)
            for index, layer in enumerate(panel.layers):
                source, sel = selection_of(panel, layer, study)
                own = (*place, "layers", index, "y")
                yield _Read(own, layer.y, layer.x or panel.x, (), sel, source)


def _curves(panel: Plot, place: Key, study: str) -> Iterator[_Read]:
    layers = len(panel.curves) - len(panel.layers)
    for index, curve in enumerate(panel.curves):
        source, sel = selection_of(panel, curve, study)
        key = (*place, "y") if index < layers else (*place, "layers", index - layers, "y")
        lines = tuple(filter(None, (curve.hue, curve.every)))
        yield _Read(key, curve.y, curve.x or panel.x, lines, sel, source)


def _problems(study: Study, read: _Read, layout: _Layout) -> Iterator[Problem]:
    has, x = layout.dims(read.name), layout.dims(read.x)
    if has is None or x is None:
        return
    several = {dim for dim, value in read.sel.items() if isinstance(value, list) and value[1:]}
    fixed = read.sel.keys() - several
    drawn = {*read.lines, *(x if read.x in layout.values else set(x) - fixed)}
    strange = [dim for dim in read.lines if dim not in has and dim != "sample"]
    for dim in strange:
        expected = f"a variable with the dimension {dim}"
        yield study.document.problem(read.key, expected, f"it has {', '.join(has) or 'none'}")
    for dim in () if strange else has:
        values = layout.values.get(dim, ())
        if dim not in fixed | drawn and len(values) > 1:
            expected = f"a value of {dim} in sel, or hue: {dim}"
            yield study.document.problem(read.key, expected, f"it has {_some(values)}")
    for dim, given in read.sel.items():
        for value in given if isinstance(given, list) else [given]:
            if _is_missing(value, layout.values.get(dim)):
                known = layout.values[dim]
                hint = nearest(str(value), known.tolist()) if known.dtype.kind == "U" else ""
                expected = f"{dim} in sel to be one of {_some(known)}, not {shown(value)}"
                yield study.document.problem(read.key, expected, hint)


def _is_missing(value: float | str, known: np.ndarray | None) -> bool:
    """Return whether a name is none of a dimension; numbers may come with other points."""
    return known is not None and known.dtype.kind == "U" and value not in known


def _some(values: np.ndarray) -> str:
    names = [value if isinstance(value, str) else f"{value:.6g}" for value in values[:_SHOWN]]
    return ", ".join(names) + (", ..." if len(values) > _SHOWN else "")
