"""Figures of a study: from checked data to files that carry their provenance."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

import nessflow
from nessflow.figures.plots import draw
from nessflow.figures.save import record_json, save
from nessflow.figures.specs import Spec, studies_of
from nessflow.pipeline.config import Study
from nessflow.pipeline.digest import style_digest
from nessflow.pipeline.provenance import command, lock_sha256, record_of, reference_text, versions
from nessflow.pipeline.store import read_dataset, write_atomically, write_text
from nessflow.workflow import CAPTIONS, FORMATS, SIDECAR, caption_of, data_of

_DRAWING = ("matplotlib", "numpy", "pillow")


def draw_study(study: Study, results: Path, progress: Callable[[str], None]) -> None:
    """Write every figure of ``study``, and the captions, below ``results/<study>/figures``.

    Parameters
    ----------
    study : Study
        The study; its figures may read the data of others.
    results : Path
        Results folder with ``<study>/data.nc`` of every study that is read.
    progress : callable
        Takes one line of text for each figure.

    Raises
    ------
    StoreError
        When data are missing or damaged, or a figure cannot be written.
    FigureError
        When a figure asks for something that the data do not have.
    """
    datasets = {name: read_dataset(results / name / "data.nc") for name in sorted(data_of(study))}
    folder = results / study.name / "figures"
    captions = [f"{spec.name}: {caption_of(study, spec)}\n" for spec in study.figures]
    write_text(folder / CAPTIONS, "\n".join(captions))
    for spec in study.figures:
        record = figure_record(study, spec, datasets)
        write_figure(draw(spec, datasets, study.name), folder, spec.name, record)
        progress(f"{study.name}: figure {spec.name}")


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
