"""Figures of a study: from checked data to files that carry their provenance."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

import nessflow
from nessflow.figures.plots import draw
from nessflow.figures.save import record_json, save
from nessflow.figures.specs import Spec, studies_of
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
        When a figure asks for something that the data do not have.
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
    for spec in study.figures:
        record = figure_record(study, spec, datasets)
        write_figure(draw(spec, datasets, study.name), folder, spec.name, record)
        progress(f"{study.name}: figure {spec.name}")
    names = [f"{s.name}.{suffix}" for s in study.figures for suffix in (*FORMATS, SIDECAR)]
    write_manifest(folder, state, [CAPTIONS, *names])


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
