"""Figures of a study: from checked data to files that carry their provenance."""

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

import nessflow
from nessflow.figures.plots import draw
from nessflow.figures.save import record_json, save
from nessflow.figures.specs import Spec, studies_of
from nessflow.figures.units import FigureError
from nessflow.pipeline.config import Project, Study
from nessflow.pipeline.digest import source_digest, style_digest
from nessflow.pipeline.files import file_sha256, write_atomically, write_text
from nessflow.pipeline.manifest import DATA, FIGURES, MARKERS, write_manifest
from nessflow.pipeline.provenance import command, lock_sha256, record_of, reference_text, versions
from nessflow.pipeline.reader import read_data
from nessflow.workflow import (
    CAPTIONS,
    FORMATS,
    SIDECAR,
    caption_of,
    captions_of,
    data_of,
    figure_state,
    kind_module,
)

_DRAWING = ("matplotlib", "numpy", "pillow")
_LAYOUT = "(?i)(constrained_layout|tight.?layout|the figure layout)"
"""How warnings of matplotlib begin that say that a figure has no room for its parts."""


def draw_study(study: Study, project: Project, progress: Callable[[str], None]) -> None:
    """Write every figure of ``study``, captions and manifest below ``results/<study>/figures``.

    Parameters
    ----------
    study : Study
        The study; its figures may read the data of others.
    project : Project
        The project with every study that is read.
    progress : callable
        Takes one line of text for each figure.

    Raises
    ------
    StoreError
        When data are missing, damaged or not those of their study, or a figure cannot be written.
    FigureError
        When figures ask for something that the data do not have, or have no room for their parts;
        the others are written.
    """
    folder = project.results / study.name / FIGURES
    shutil.rmtree(folder / MARKERS, ignore_errors=True)
    sources = {name: project.results / name for name in sorted(data_of(study))}
    state = figure_state(study, {name: file_sha256(at / DATA) for name, at in sources.items()})
    datasets = {}
    for name, source in sources.items():
        other = project.studies[name]
        datasets[name] = read_data(other, source, source_digest(kind_module(other)))
    write_text(folder / CAPTIONS, "\n".join(f"{line}\n" for line in captions_of(study)))
    faults = []
    for spec in study.figures:
        record = figure_record(study, spec, datasets)
        try:
            write_figure(drawn(spec, datasets, study.name), folder, spec.name, record)
        except FigureError as error:
            # It takes no other figure with it.
            faults.append(str(error))
        else:
            progress(f"{study.name}: figure {spec.name}")
    if faults:
        raise FigureError("\n".join(faults))
    names = [f"{s.name}.{suffix}" for s in study.figures for suffix in (*FORMATS, SIDECAR)]
    write_manifest(folder, state, [CAPTIONS, *names])


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


def figure_record(
    study: Study, spec: Spec, datasets: Mapping[str, xr.Dataset]
) -> dict[str, object]:
    """Return where a figure comes from: data, parameters, code, and what draws it again."""
    return {
        "figure": spec.name,
        "study": study.name,
        "title": study.title,
        "references": reference_text(study.reference),
        "caption": caption_of(study, spec),
        "specification": spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "tier": study.tier,
        "command": command(study.name, study.tier),
        "data": [record_of(datasets[name].attrs) for name in studies_of(spec, study.name)],
        "figure_digest": style_digest(),
        "nessflow_version": nessflow.__version__,
        "versions": json.loads(versions(_DRAWING)),
        "lock_sha256": lock_sha256(),
        "license": nessflow.__license__,
    }


def write_figure(figure: Figure, folder: Path, name: str, record: Mapping[str, object]) -> None:
    """Write a figure in every format and its record, each file as a whole or not at all."""
    text = json.dumps(json.loads(record_json(record)), sort_keys=True, indent=1)
    write_text(folder / f"{name}.{SIDECAR}", f"{text}\n")
    for suffix in FORMATS:
        write_atomically(folder / f"{name}.{suffix}", lambda path: save(figure, path, record))
