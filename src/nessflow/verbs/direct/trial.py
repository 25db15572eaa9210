"""A study on a coarse grid with few samples: figures within seconds, in a folder of their own."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from nessflow.config.contents.layout import layout_of
from nessflow.config.grid import Axis, label_of, point_count
from nessflow.config.project import ConfigError, Project, Study
from nessflow.figures.specs import Spec, panels_of, selections_of, studies_of
from nessflow.run.gather import gather_study, set_blocks_aside
from nessflow.run.plan import probed
from nessflow.run.progress import Progress
from nessflow.run.provenance import TRIAL
from nessflow.run.solve import solve_block
from nessflow.run.supervision import Watch
from nessflow.store.manifest import FIGURES
from nessflow.verbs.direct.run import keep_what_is_there, points_in
from nessflow.verbs.draw import draw_study
from nessflow.verbs.workflow import broken_lines, read_with_sources
from nessflow.written.formulas import LEAST, read_formulas

FOLDER = Path(".snakemake", "nessflow", "try")
"""Below the project: git knows none of it, and no other verb reads it."""
_SECONDS = 10.0
"""What the points may take, by the first and the last one."""
_FEWEST, _MOST = 24, 400
_SAMPLES = 4
_ROWS = 12


def try_study(
    name: str, watch: Watch, progress: Progress, log: Callable[[str], None]
) -> Iterator[str]:
    """Compute and draw a study coarsely: its tier ``smoke`` if it has one, else a part of its grid.

    The points are those of the study, to the last bit; results are neither read nor written.

    Parameters
    ----------
    name : str
        The study; others may have faults.
    watch : Watch
        What watches this process.
    progress : Progress
        Is told of points.
    log : callable
        Takes lines that matter to nobody but who looks for a fault.

    Yields
    ------
    str
        What was computed, a table of variables, and the paths of the figures.

    Raises
    ------
    ConfigError, StoreError
        When the study has faults, or the disk refuses.
    FigureError
        When a figure cannot be drawn; after all others were.
    """
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    project, _ = read_with_sources(Path(), [name], tier="smoke", is_tolerant=True)
    project.require([name])
    for line in broken_lines(project):
        progress.say(line)
    study = project.studies[name]
    figures = [spec for spec in study.figures if _is_sound(spec, study, project)]
    needed = {name, *(source for spec in figures for source in studies_of(spec, name))}
    whole = {each: project.studies[each] for each in sorted(needed)}
    kept = _selected(whole, name, figures)
    studies = {each: coarse(whole[each], kept.get(each, {})) for each in whole}
    studies[name] = replace(studies[name], figures=tuple(figures))
    keep_what_is_there()
    progress.total = sum(points_in(b) for each in studies.values() for b in each.blocks)
    number = 0
    for each in studies.values():
        set_blocks_aside(each, FOLDER / each.name)
        for block in each.blocks:
            progress.at(each.name)
            solve_block(
                block,
                FOLDER / each.name,
                progress=log,
                counted=progress.count,
                watch=watch.part(number),
            )
            number += 1
    data = {
        each.name: gather_study(each, FOLDER / each.name, progress=log) for each in studies.values()
    }
    progress.end()
    yield from (_title(each, whole[each.name]) for each in studies.values())
    yield from _table(data[name], figures)
    try:
        draw_study(studies[name], studies, FOLDER, progress=log)
    finally:
        drawn = [FOLDER / name / FIGURES / f"{spec.name}.png" for spec in figures]
        yield from (str(path.absolute()) for path in drawn if path.exists())


def coarse(study: Study, kept: Mapping[str, Collection[str]]) -> Study:
    """Return a study with so few of its points that they take seconds.

    Parameters
    ----------
    study : Study
        As its tier ``smoke`` has it where it has one; that is left as it is.
    kept : mapping of str to collection of str
        Labels, by axis, that must stay.
    """
    if not study.document.get(("tiers", "smoke")):
        most = int(_SECONDS / max(probed(study)[1], 1e-9))
        most = min(max(most, _FEWEST), _MOST)
        ensemble, axes = study.ensemble, list(study.axes)
        if ensemble:
            samples = min(ensemble.samples, _SAMPLES)
            ensemble = replace(ensemble, samples=samples, per_block=samples)
        while point_count(axes, ensemble) > most:
            longest = max(range(len(axes)), key=lambda k: len(axes[k].labels))
            thinned = _thinned(axes[longest], kept.get(axes[longest].name, ()))
            fewer = [*axes[:longest], thinned, *axes[longest + 1 :]]
            if thinned == axes[longest] or not _has_formulas(replace(study, axes=tuple(fewer))):
                break
            axes = fewer
        study = replace(study, axes=tuple(axes), ensemble=ensemble)
    return replace(study, tier=TRIAL)


def _thinned(axis: Axis, kept: Collection[str]) -> Axis:
    """Return an axis with about three quarters of its values, the first and the last among them."""
    count = max(LEAST, len(axis.labels) * 3 // 4)
    chosen = set(np.linspace(0, len(axis.labels) - 1, count).round().astype(int).tolist())
    labels = enumerate(axis.labels)
    return replace(axis, labels=tuple(x for k, x in labels if k in chosen or x in kept))


def _has_formulas(study: Study) -> bool:
    """Tell whether the formulas of derived variables fit the data of a study."""
    with suppress(ConfigError):
        return not study.derived or bool(layout_of(study))
    return False


def _is_sound(spec: Spec, study: Study, project: Project) -> bool:
    return set(studies_of(spec, study.name)) <= project.studies.keys()


def _label(text: str) -> str:
    """Return the label of a value that a formula chooses, a number or a name."""
    with suppress(ValueError):
        return label_of(float(text))
    return text


def _selected(
    studies: Mapping[str, Study], name: str, figures: Iterable[Spec]
) -> dict[str, dict[str, set[str]]]:
    """Return the labels that figures and formulas select: study -> axis -> labels."""
    found: dict[str, dict[str, set[str]]] = {each: {} for each in studies}
    for each, study in studies.items():
        for formula in read_formulas(study.derived).values():
            for axis in study.axes:
                chosen = {x for dim, x in formula.chosen if dim in ("", axis.name)}
                found[each].setdefault(axis.name, set()).update(map(_label, chosen))
    for spec in figures:
        for source, sel in selections_of(spec, name):
            for key, values in sel.items():
                several = values if isinstance(values, list) else [values]
                found[source].setdefault(key, set()).update(map(label_of, several))
    return found


def _title(study: Study, whole: Study) -> str:
    now, then = (point_count(each.axes, each.ensemble) for each in (study, whole))
    if now == then:
        how = ", tier smoke" if study.document.get(("tiers", "smoke")) else ""
        return f"{study.name}: {now} points{how}"
    parts = [
        f"{axis.name} {len(axis.labels)} of {len(full.labels)}"
        for axis, full in zip(study.axes, whole.axes, strict=True)
        if len(axis.labels) < len(full.labels)
    ]
    now_drawn, all_drawn = study.ensemble, whole.ensemble
    if now_drawn and all_drawn and now_drawn.samples < all_drawn.samples:
        parts.append(f"samples {now_drawn.samples} of {all_drawn.samples}")
    return f"{study.name}: {now} of {then} points ({', '.join(parts)})"


def _table(data: xr.Dataset, figures: Iterable[Spec]) -> Iterator[str]:
    """Yield lines with the range of the variables that figures show, without figures of all."""
    shown = {getattr(p, key, None) for spec in figures for p in panels_of(spec) for key in "yz"}
    own = list(map(str, data.data_vars))
    names = [name for name in own if name in shown]
    if not names:
        names = [x for x in own if "long_name" in data[x].attrs and x[-6:] != "_error"]
    status = data["status"].values
    if failed := int((status > 0).sum()):
        messages = sorted(set(data["message"].values[status > 0].tolist()))
        yield f"{failed} of {status.size} points failed: {messages[0]}"
    for name in names[:_ROWS]:
        values = data[name].values
        if values.dtype.kind == "f":
            units = data[name].attrs.get("natural_units", "")
            finite = values[np.isfinite(values)]
            ends = f"{finite.min():.6g} to {finite.max():.6g}" if finite.size else "undefined"
            yield f"  {name}: {ends} {units}".rstrip()
