"""Figures of a study: from checked data to files that carry their provenance."""

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from nessflow.figures.plots import draw
from nessflow.figures.save import save
from nessflow.figures.specs import studies_of
from nessflow.pipeline.config import Study
from nessflow.pipeline.digest import style_digest
from nessflow.pipeline.store import read_dataset, write_atomically, write_text
from nessflow.workflow import CAPTIONS, FORMATS, data_of

CARRIED = ("study", "title", "tier", "parameters", "source_digest", "content_sha256")


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
        used = studies_of(spec, study.name)
        provenance = {
            f"{name}.{key}": str(datasets[name].attrs[key])
            for name in used
            for key in CARRIED
            if key in datasets[name].attrs
        } | {
            "command": f"snakemake --cores 1 {study.name}",
            "style_digest": style_digest(),
            "caption": caption_of(study, spec),
        }
        write_figure(draw(spec, datasets, study.name), folder, spec.name, provenance)
        progress(f"{study.name}: figure {spec.name}")


def write_figure(figure: Figure, folder: Path, name: str, provenance: Mapping[str, str]) -> None:
    """Write a figure in every format, each file as a whole or not at all."""
    for suffix in FORMATS:
        write_atomically(folder / f"{name}.{suffix}", lambda path: save(figure, path, provenance))


def caption_of(study: Study, spec) -> str:
    """Return title, source and remarks of a figure as one line of text."""
    reference = ", ".join(f"{key} {value}" for key, value in study.reference.items())
    parts = [study.title, reference, spec.caption, study.notes]
    return " ".join(" ".join(part.split()).rstrip(".") + "." for part in parts if part)
