"""Whether figures can be drawn from data that are not there yet, checked before a run."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nessflow.config.contents.layout import Layout, Stored
from nessflow.config.contents.references import references_of
from nessflow.config.project import Study
from nessflow.errors import Problem, nearest, shown
from nessflow.figures.mathtext import fault_of
from nessflow.figures.specs import (
    BONDS,
    Contour,
    CurrentMap,
    Law,
    Layer,
    Lines,
    Map,
    Mark,
    Plot,
    PowerLaw,
    ReferenceLine,
    Samples,
    Selection,
    SiteMap,
    Spec,
    is_table,
    panels_of,
    selection_of,
)
from nessflow.figures.units import FigureError, unit_factor
from nessflow.store.tables import ROW, TableError, read_table
from nessflow.validation import Key
from nessflow.written.expressions import BESIDE
from nessflow.written.physical import NATURAL
from nessflow.written.units import UnitError, powers_of, times_power

_SHOWN = 8
_TEXTS = ("title", "xlabel", "ylabel", "zlabel")
Part = Layer | Law | Contour | ReferenceLine | Mark


def figure_problems(study: Study, layouts: Mapping[str, Layout]) -> list[Problem]:
    """Return why figures of a study, or its fits, cannot be made.

    Parameters
    ----------
    study : Study
        With checked figures.
    layouts : mapping of str to Layout
        By study; what is read from others is passed over.

    Returns
    -------
    list of Problem
        Each with the line of the file.
    """
    tables, problems = _table_layouts(study)
    layouts = {**layouts, **tables}
    problems += [*_axis_problems(study), *_fit_problems(study, layouts[study.name])]
    for number, spec in enumerate(study.figures):
        for place, panel in _panels(spec, ("figures", number)):
            check = _Check(study, layouts, panel, place)
            problems += [*check.texts(), *check.limits(), *check.plot()]
    return problems


def _table_layouts(study: Study) -> tuple[dict[str, Layout], list[Problem]]:
    """Return what is in the tables that figures of a study show, and what is wrong with others."""
    layouts: dict[str, Layout | None] = {}
    problems: list[Problem] = []
    for reference in references_of(study.document):
        path = reference.source
        if path is None or not is_table(path) or path in layouts:
            continue
        layouts[path] = None
        try:
            table = read_table(path)
        except TableError as error:
            key = (*reference.entry, "from")
            problems += [study.document.problem(key, "", fault, "") for fault in error.faults]
            continue
        columns = {name: Stored((ROW,), column.units) for name, column in table.items()}
        for name, column in columns.items():
            if reason := _natural_fault(column.units):
                fault = f"{path}, column {name}: {reason}"
                problems.append(study.document.problem((*reference.entry, "from"), "", fault, ""))
        rows = np.arange(next(iter(table.values())).values.size)
        layouts[path] = Layout(columns, {ROW: rows}, {ROW: "1"}, study)
    return {path: layout for path, layout in layouts.items() if layout is not None}, problems


def _axis_problems(study: Study) -> Iterator[Problem]:
    for axis in study.axes:
        if reason := fault_of(axis.long_name):
            key = ("axes", axis.name, "long_name")
            yield study.document.problem(key, "text that can be drawn", reason)
        if reason := _natural_fault(axis.natural_units):
            key = ("axes", axis.name, "natural_units")
            yield study.document.problem(key, "a unit such as t, t/hbar, (t/hbar)^2 or 1", reason)


def _natural_fault(unit: str) -> str:
    """Return why a text is no natural unit, empty if it is one."""
    try:
        others = powers_of(unit or "1").keys() - {*NATURAL}
    except UnitError as error:
        return str(error)
    if not others:
        return ""
    known = ", ".join(NATURAL)
    return f"{min(others)} is none of {known}; `units: {{t: 2.5 meV}}` shows physical units"


def _fit_problems(study: Study, layout: Layout) -> Iterator[Problem]:
    """Check that what is fitted depends on numbers along the axis of the fit."""
    for number, fit in enumerate(study.fits):
        y = layout.quantities.get(fit["y"])
        if y is None:
            expected = f"a variable of the data; `nessflow describe {study.kind_name}` lists them"
            yield study.document.problem(
                ("fits", number, "y"), expected, _similar(fit["y"], layout)
            )
        elif fit["x"] not in y.dims or layout.values[fit["x"]].dtype.kind == "U":
            numbers = [dim for dim in y.dims if layout.values[dim].dtype.kind != "U"]
            expected = (
                f"a dimension of numbers of {fit['y']}: {', '.join(numbers) or 'it has none'}"
            )
            yield study.document.problem(("fits", number, "x"), expected)


def _panels(spec: Spec, key: Key) -> Iterator[tuple[Key, Plot]]:
    panels = panels_of(spec)
    for number, panel in enumerate(panels):
        yield (key if panels[0] is spec else (*key, "panels", number)), panel


@dataclass(frozen=True)
class _Check:
    """The checks of one plot, ``place`` being its key in the file of the study."""

    study: Study
    layouts: Mapping[str, Layout]
    panel: Plot
    place: Key

    def texts(self) -> Iterator[Problem]:
        """Yield the texts that cannot be drawn."""
        texts: dict[Any, Any] = {(name,): getattr(self.panel, name, None) for name in _TEXTS}
        for part in ("layers", "laws", "contours", "reference_lines", "marks"):
            for number, item in enumerate(getattr(self.panel, part, ())):
                texts[part, number, "label"] = item.label
        for key, text in texts.items():
            if reason := fault_of(text or ""):
                yield self._problem(key, "text that can be drawn", reason)

    def limits(self) -> Iterator[Problem]:
        """Yield limits between which nothing can be drawn."""
        for name in ("x", "y", "z"):
            limits, scale = (getattr(self.panel, f"{name}{k}", None) for k in ("lim", "scale"))
            if limits and limits[0] == limits[1]:
                yield self._problem((f"{name}lim",), "two different numbers")
            elif limits and min(limits) <= 0 and _is_logarithmic(self.panel, name, scale):
                yield self._problem((f"{name}lim",), "numbers above 0 on a logarithmic scale")

    def plot(self) -> Iterator[Problem]:
        """Yield what the plot reads and the data do not have."""
        panel, name = self.panel, self.study.name
        shown_y, shown_x = None, None
        if isinstance(panel, Lines):
            own = len(panel.curves) - len(panel.layers)
            for index, curve in enumerate(panel.curves):
                part = () if index < own else ("layers", index - own)
                source, sel = selection_of(panel, curve, name)
                x = curve.x or panel.x
                lines = {key: getattr(curve, key) for key in ("hue", "every")}
                yield from self._read((*part, "y"), curve.y, source, sel, x, lines)
                if curve.minus:
                    both = panel.sel | curve.sel
                    yield from self._read((*part, "minus"), curve.minus, name, both, panel.x, {})
                    units = self._units(name, curve.minus), self._units(source, curve.y)
                    yield from self._same((*part, "minus"), curve.minus, *units)
                y_units, x_units = self._units(source, curve.y), self._units(source, x)
                if index == 0:
                    shown_y, shown_x = y_units, x_units
                else:
                    yield from self._same((*part, "y"), curve.y, y_units, shown_y)
                    yield from self._same((*part, "x"), x, x_units, shown_x)
            yield from self._display_unit(shown_y)
        elif isinstance(panel, Map):
            shown_x, shown_y = (self._units(name, axis) for axis in (panel.x, panel.y))
            yield from self._grid(("x",), panel.x, name)
            yield from self._grid(("y",), panel.y, name)
            yield from self._read(("z",), panel.z, name, panel.sel, panel.x, {"y": panel.y})
            yield from self._display_unit(self._units(name, panel.z))
            for number, contour in enumerate(panel.contours):
                source, sel = selection_of(panel, contour, name)
                key, z = ("contours", number, "z"), contour.z or panel.z
                yield from self._read(key, z, source, sel, panel.x, {"y": panel.y})
            for number, layer in enumerate(panel.layers):
                source, sel = selection_of(panel, layer, name)
                at, x = ("layers", number), layer.x or panel.x
                yield from self._read((*at, "y"), layer.y, source, sel, x, {})
                shown = self._units(source, layer.y)
                yield from self._same((*at, "y"), layer.y, shown, shown_y)
                yield from self._same((*at, "x"), x, self._units(source, x), shown_x)
        elif isinstance(panel, SiteMap | CurrentMap):
            shown_x, shown_y = (self._units(name, axis) for axis in (panel.x, panel.y))
            yield from self._lattice(panel)
        else:
            y = panel.y or ""
            yield from self._read(("y",), y, name, panel.sel, panel.x, {})
            shown_x, shown_y = (self._units(name, axis) for axis in (panel.x, y))
            yield from self._display_unit(shown_y)
            quantity = self.layouts[name].quantities.get(y)
            if isinstance(panel, Samples) and quantity and not quantity.has_samples:
                yield self._problem(("y",), "a variable with samples, of a study with an ensemble")
            if isinstance(panel, PowerLaw):
                yield from self._power_law(panel, shown_x, shown_y)
        for number, line in enumerate(panel.reference_lines):
            axes = {"x": shown_x, "y": shown_y}
            yield from self._numbers(("reference_lines", number), line, axes)
        for number, mark in enumerate(panel.marks):
            yield from self._numbers(("marks", number), mark, {"x": shown_x, "y": shown_y})

    def _lattice(self, panel: SiteMap | CurrentMap) -> Iterator[Problem]:
        name, layout = self.study.name, self.layouts[self.study.name]
        current = getattr(panel, "current", "")
        if current and not layout.find(current):
            expected = "a study whose observables are bond-currents too"
            yield self._problem(("plot",), expected, given=panel.plot)
            return
        if current and BONDS[self._one_of(current, BONDS)] not in layout.values:
            # Places stand beside sites.
            found: Any = layout.find(current)
            one = "spin-density" if "spin_bond" in found.dims else "density"
            yield self._problem(
                ("plot",), f"a study whose observables are {one} too", given=panel.plot
            )
            return
        if panel.z:
            site = self._one_of(panel.z, BONDS.values())
            yield from self._read(("z",), panel.z, name, panel.sel, site, {})
        if current:
            bond = self._one_of(current, BONDS)
            yield from self._read(("current",), current, name, panel.sel, bond, {})
        yield from self._display_unit(self._units(name, current or panel.z or ""))

    def _one_of(self, name: str, known: Iterable[str]) -> str:
        """Return which of some dimensions a variable has, the first where it has none."""
        found = self.layouts[self.study.name].find(name)
        dims = found.dims if found else ()
        return next((dim for dim in known if dim in dims), next(iter(known)))

    def _power_law(self, panel: PowerLaw, x: str | None, y: str | None) -> Iterator[Problem]:
        names = [fit["name"] for fit in self.study.fits]
        if panel.fit and panel.fit not in names:
            expected = f"one of the fits {', '.join(names)}" if names else "a fit of the study"
            yield self._problem(("fit",), expected, nearest(panel.fit, names))
        for number, law in enumerate(panel.laws):
            source, sel = selection_of(panel, law, self.study.name)
            key = ("laws", number, "y")
            yield from self._read(key, law.y, source, sel, None, {})
            units = self._units(source, law.y)
            if units and x and y:
                powers = times_power(powers_of(units), powers_of(x), law.exponent)
                if powers != powers_of(y):
                    expected = f"a coefficient whose unit times {x}^{law.exponent:g} is {y}"
                    yield self._problem(key, expected, f"it has the unit {units}")

    def _numbers(self, key: Key, part: Part, shown: Mapping[str, str | None]) -> Iterator[Problem]:
        """Check the variables whose values are places of lines or marks."""
        source, sel = selection_of(self.panel, part, self.study.name)
        for direction in ("x", "y"):
            name = getattr(part, direction)
            if isinstance(name, str):
                yield from self._read((*key, direction), name, source, sel, None, None)
                units = self._units(source, name)
                yield from self._same((*key, direction), name, units, shown[direction])

    def _grid(self, key: Key, name: str, source: str) -> Iterator[Problem]:
        if self.layouts[source].find(name) and name not in self.layouts[source].values:
            expected = f"an axis or a dimension ({', '.join(self.layouts[source].values)})"
            yield self._problem(key, expected)

    def _read(
        self,
        key: Key,
        name: str,
        source: str,
        sel: Selection,
        x: str | None,
        lines: Mapping[str, str | None] | None,
    ) -> Iterator[Problem]:
        """Check that a variable has one number for each point along ``x`` and each of ``lines``.

        ``lines`` is None where any number of values will do.
        """
        layout = self.layouts.get(source)
        if layout is None:
            return
        yield from self._selected(key, sel, layout)
        found = layout.find(name)
        if found is None:
            yield self._problem(key, "a variable of the data", _similar(name, layout), name)
            return
        along = layout.find(x) if x else Stored((), "1")
        if along is None:
            hint = _similar(x or "", layout)
            yield self._problem((*key[:-1], "x"), "a variable of the data", hint, x)
            return
        if lines is None:
            return
        several = {dim for dim, value in sel.items() if isinstance(value, list) and value[1:]}
        fixed = sel.keys() - several | _told_apart(sel, layout)
        told = [dim for dim in lines.values() if dim]
        drawn = {*told, *(along.dims if x in layout.values else set(along.dims) - fixed)}
        strange = [dim for dim in (*told, *drawn) if dim not in found.dims and dim != "sample"]
        strange = list(dict.fromkeys(strange))
        for dim in strange:
            expected = f"a variable with the dimension {dim}"
            yield self._problem(key, expected, f"it has {', '.join(found.dims) or 'none'}", name)
        for dim in () if strange else found.dims:
            values = layout.values.get(dim, ())
            if dim not in fixed | drawn and len(values) > 1:
                expected = f"a value of {dim} in sel, or hue: {dim}"
                yield self._problem(key, expected, f"it has {_some(values)}", name)

    def _selected(self, key: Key, sel: Selection, layout: Layout) -> Iterator[Problem]:
        for dim, given in sel.items():
            if dim not in layout.values and dim not in layout.beside:
                # Names that no study has are reported where names are checked.
                if dim in itertools.chain(*BESIDE.values()):
                    names = [*layout.values, *layout.beside]
                    yield self._problem(("sel", dim), f"one of {', '.join(names)}")
                continue
            for index, value in enumerate(given if isinstance(given, list) else [given]):
                stored = layout.values.get(dim)
                known = np.unique(layout.beside[dim][1]) if stored is None else stored
                if _is_missing(value, known):
                    known = layout.all_values.get(dim, known)
                if _is_missing(value, known):
                    entry = (dim, index) if isinstance(given, list) else (dim,)
                    place = (*key[:-1], "sel", *entry)
                    if self.study.document.get((*self.place, *place)) is None:
                        place = ("sel", *entry)
                    hint = _nearest_values(value, known)
                    yield self._problem(place, f"one of {_some(known)}", hint)

    def _units(self, source: str, name: str) -> str | None:
        """Return the unit of a variable; None where it is not known or no unit."""
        layout = self.layouts.get(source)
        found = layout and layout.find(name)
        try:
            return found.units if found and powers_of(found.units) is not None else None
        except UnitError:
            return None

    def _same(self, key: Key, name: str, units: str | None, other: str | None) -> Iterator[Problem]:
        if units and other and powers_of(units) != powers_of(other):
            hint = f"{name} has the unit {units}: it needs a panel of its own"
            if is_table(self.study.document.get((*self.place, *key[:-1], "from"))):
                hint = f"the table has it in {units}; its header says the unit: {name} [{other}]"
            place = key if self.study.document.get((*self.place, *key)) is not None else key[:-1]
            yield self._problem(place, f"a quantity of the unit {other}", hint)

    def _display_unit(self, units: str | None) -> Iterator[Problem]:
        try:
            if units:
                unit_factor(units, self.panel.display_unit, self.study.units)
        except FigureError as error:
            expected = f"{units} or the same with h for hbar"
            expected += ", or a physical unit" if self.study.units else ""
            yield self._problem(("display_unit",), expected, str(error))

    def _problem(
        self, key: Key, expected: str, hint: str = "", given: str | None = None
    ) -> Problem:
        given = given and shown(given)
        return self.study.document.problem((*self.place, *key), expected, hint, given)


def _told_apart(sel: Selection, layout: Layout) -> set[str]:
    """Return the dimensions of which what stands beside them chooses one value."""
    chosen: dict[str, np.ndarray] = {}
    for name in sel.keys() & layout.beside.keys():
        dim, known = layout.beside[name]
        given = sel[name] if isinstance(sel[name], list) else [sel[name]]
        chosen[dim] = np.isin(known, given) & chosen.get(dim, True)
    return {dim for dim, mask in chosen.items() if mask.sum() == 1}


def _is_logarithmic(panel: Plot, name: str, scale: str | None) -> bool:
    return scale == "log" or (isinstance(panel, PowerLaw) and name != "z")


def _similar(name: str, layout: Layout) -> str:
    """Return what a name that is not in the data may have meant."""
    base = next((n for n in layout.quantities if name.startswith(f"{n}_")), None)
    if not layout.study.ensemble and base and name.endswith(("_mean", "_sem", "_square")):
        return f"means are those of an ensemble, and {layout.study.name} has none: take {base}"
    return nearest(name, [*layout.quantities, *layout.values])


def _is_missing(value: float | str, known: np.ndarray) -> bool:
    if isinstance(value, str) or known.dtype.kind == "U":
        return value not in known.tolist()
    # As in the data: labels have 12 digits, the values of a kind may have more.
    return not np.isclose(known, value, rtol=1e-9, atol=1e-12).any()


def _nearest_values(value: float | str, known: np.ndarray) -> str:
    if known.dtype.kind == "U":
        return nearest(str(value), known.tolist())
    if isinstance(value, str):
        return "they are numbers"
    near = sorted(known[np.argsort(abs(known - value), kind="stable")[:2]].tolist())
    return f"the nearest are {_some(near)}" if len(near) > 1 else ""


def _some(values: Sequence[float | str] | np.ndarray) -> str:
    names = [value if isinstance(value, str) else f"{value:.12g}" for value in values[:_SHOWN]]
    return ", ".join(names) + (", ..." if len(values) > _SHOWN else "")
