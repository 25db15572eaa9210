"""Figures of a study: from checked data to files that carry their provenance."""

import json
import shutil
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import nessflow
from nessflow.config.project import Study
from nessflow.digest import style_digest
from nessflow.figures.data import in_units
from nessflow.figures.plots import draw, said_to_be_empty
from nessflow.figures.save import record_json, save
from nessflow.figures.specs import Spec, studies_of, tables_of
from nessflow.figures.units import FigureError
from nessflow.run.provenance import command, lock_sha256, record_of, reference_text, versions
from nessflow.run.reader import read_data
from nessflow.store.citation import attributes_of, citation_of
from nessflow.store.files import (
    StoreError,
    file_sha256,
    remove,
    remove_leftovers,
    write_atomically,
    write_text,
)
from nessflow.store.layout import described
from nessflow.store.manifest import (
    DATA,
    FIGURES,
    MANIFEST,
    MARKERS,
    sealed_text,
    write_manifest,
)
from nessflow.store.tables import ROW, read_table
from nessflow.verbs.workflow import (
    CAPTIONS,
    FORMATS,
    SIDECAR,
    SUFFIXES,
    caption_of,
    captions_of,
    data_of,
    figure_faults,
    figure_state,
    old_figures,
    written_spec,
)

_DRAWING = ("matplotlib", "numpy", "pillow")
_LAYOUT = "(?i)(constrained_layout|tight.?layout|the figure layout)"
"""How warnings of matplotlib begin that say that a figure has no room for its parts."""


def draw_study(
    study: Study,
    studies: Mapping[str, Study],
    results: Path,
    progress: Callable[[str], None],
    names: Sequence[str] = (),
) -> None:
    """Write figures of ``study`` below ``results/<study>/figures``, each that can be drawn.

    Parameters
    ----------
    study : Study
        The study; its figures may read the data of others.
    studies : mapping of str to Study
        Every study that is read, by name.
    results : Path
        The results folder.
    progress : callable
        Takes one line of text for each figure.
    names : sequence of str, optional
        The figures to draw, and not the list of all; all, and their list, by default.

    Raises
    ------
    StoreError
        When data are missing, damaged or not those of their study.
    FigureError
        When a figure asks for something that the data do not have, has no room for its parts or
        cannot be written; after all others were drawn.
    """
    chosen = [spec for spec in study.figures if not names or spec.name in names]
    needed = {name for spec in chosen for name in studies_of(spec, study.name)}
    datasets = {name: read_data(studies[name], results / name) for name in sorted(needed)}
    datasets |= {path: _measured(path) for spec in chosen for path in tables_of(spec)}
    datasets = {name: in_units(data, study.units) for name, data in datasets.items()}
    folder = results / study.name / FIGURES
    # The list of figures is none of the files to come.
    shutil.rmtree(folder / MARKERS, ignore_errors=True)
    remove(folder / MANIFEST)
    faults = []
    for spec in chosen:
        try:
            record = figure_record(study, spec, datasets)
            figure = drawn(spec, datasets, study.name)
            write_figure(figure, folder, spec.name, record)
        except Exception as error:
            # One bad figure must not stop the others, whatever it raises.
            if not isinstance(error, FigureError | StoreError):
                progress(traceback.format_exc())
            is_named = isinstance(error, FigureError)
            faults.append(f"{'' if is_named else f'figure {spec.name} of {study.name}: '}{error}")
        else:
            empty = [f"\n  {text}" for text in said_to_be_empty(figure)]
            progress(f"{study.name}: figure {spec.name}{''.join(empty)}")
    if faults:
        raise FigureError("\n".join(faults))
    if not names:
        list_figures(study, results)


def _measured(path: str) -> xr.Dataset:
    """Return a table as the data of a study without failed points."""
    columns = {
        name: described((ROW,), column.values, column.units, name.replace("_", " "))
        for name, column in read_table(path).items()
    }
    size = next(iter(columns.values())).size
    status = described((ROW,), np.zeros(size, np.int8), "1", "status")
    return xr.Dataset({**columns, "status": status})


def list_figures(study: Study, results: Path) -> None:
    """Write captions and manifest of the figures of a study, all of which have been drawn.

    Raises
    ------
    StoreError
        When one is missing, not as it was drawn, or drawn otherwise or from other data.
    """
    folder = results / study.name / FIGURES
    if faults := [*figure_faults(study, folder), *old_figures(study, results)]:
        raise faults[0]
    data = {name: file_sha256(results / name / DATA) for name in sorted(data_of(study))}
    write_text(folder / CAPTIONS, "\n".join(f"{line}\n" for line in captions_of(study)))
    names = [f"{spec.name}.{suffix}" for spec in study.figures for suffix in SUFFIXES]
    write_manifest(folder, {**figure_state(study), "data": data}, [CAPTIONS, *names])
    remove_leftovers(folder)


def drawn(spec: Spec, datasets: Mapping[str, xr.Dataset], study: str) -> Figure:
    """Return a figure; one that does not fit its place counts as a fault.

    Raises
    ------
    FigureError
        As `draw`, and where matplotlib warns that the layout could not be made.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", _LAYOUT, UserWarning)
        try:
            return draw(spec, datasets, study)
        except UserWarning as warning:
            way_out = "shorten labels or legend, or draw it over both columns (width: double)"
            raise FigureError(f"figure {spec.name} of {study}: {warning}; {way_out}") from None


def figure_record(study: Study, spec: Spec, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    """Return where a figure comes from: data, parameters, code, and what draws it again."""
    return {
        "figure": spec.name,
        "study": study.name,
        "title": study.title,
        "references": reference_text(study.reference),
        "caption": caption_of(study, spec),
        "specification": written_spec(study, spec),
        "tier": study.tier,
        "command": command(study.name, study.tier),
        "data": [record_of(datasets[name].attrs) for name in studies_of(spec, study.name)],
        "figure_digest": style_digest(),
        "nessflow_version": nessflow.__version__,
        "versions": json.loads(versions(_DRAWING)),
        "lock_sha256": lock_sha256(study.project),
        **attributes_of(citation_of(study.project)),
    }


def write_figure(figure: Figure, folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Write a figure in every format, each file as a whole or not at all, and then its record.

    The record vouches for the pictures where no list of figures does: one of them may have failed.
    """
    for suffix in FORMATS:
        write_atomically(folder / f"{name}.{suffix}", lambda path: save(figure, path, record))
    pictures = [f"{name}.{suffix}" for suffix in FORMATS]
    sums = {picture: file_sha256(folder / picture) for picture in pictures}
    text = sealed_text({**json.loads(record_json(record)), "files": sums})
    write_text(folder / f"{name}.{SIDECAR}", text)
