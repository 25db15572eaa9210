"""Collect the blocks of a study into one dataset that knows nothing of blocks."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import xarray as xr

from nessflow.pipeline.ensemble import with_fits, with_statistics
from nessflow.pipeline.grid import Block, blocks_of, canonical_json
from nessflow.pipeline.layout import (
    OK,
    PENDING,
    REASONS,
    STATUS_MEANINGS,
    pending_dataset,
    point_labels,
    variables_of,
)
from nessflow.pipeline.provenance import origins_json, origins_of, provenance
from nessflow.pipeline.solve import block_attributes, partial_path, to_stderr
from nessflow.pipeline.store import (
    Damaged,
    StoreError,
    read_dataset,
    remove_temporaries,
    set_aside,
    write_dataset,
    write_manifest,
    write_text,
)
from nessflow.pipeline.study import Study


def gather_study(
    study: Study,
    kind: ModuleType,
    folder: Path,
    *,
    digest: str,
    progress: Callable[[str], None] = to_stderr,
) -> xr.Dataset:
    """Check all blocks of a study and write ``data.nc``, ``failures.csv``, ``manifest.json``.

    The data are the same, bit for bit, for every block size and every order of computation.

    Parameters
    ----------
    study : Study
        The checked study.
    kind : module
        The kind of the study.
    folder : Path
        Folder of the study's results.
    digest : str
        Source digest of the kind.
    progress : callable, optional
        Gets a line when points failed or were computed with different libraries.

    Returns
    -------
    xarray.Dataset
        What was written.

    Raises
    ------
    StoreError
        Naming all blocks that are missing, damaged, of other parameters or source, or incomplete.
        They are set aside, so that running again computes them and nothing else.
    """
    folder = Path(folder)
    blocks = blocks_of(study.axes, study.ensemble)
    dataset, faults, origins = None, [], set()
    for block in blocks:
        path = folder / "blocks" / block.path
        try:
            source = read_block(study, block, path, digest)
        except StoreError as error:
            faults.append(str(error))
            continue
        if dataset is None:
            dataset = _pending(study, kind, source)
        if fault := _place(dataset, source, study, block):
            faults.append(str(_stale(path, fault)))
        origins |= origins_of(source.attrs)
    if faults:
        raise StoreError(
            folder,
            f"{len(faults)} of {len(blocks)} blocks cannot be used:\n  " + "\n  ".join(faults),
            "run again: these are computed anew and all others are kept",
        )
    status = dataset["status"].values
    if failed := int((status != OK).sum()):
        progress(f"{study.name}: {failed} of {status.size} points failed, see failures.csv")
    if len({canonical_json(json.loads(text)["versions"]) for text in origins}) > 1:
        progress(f"{study.name}: points were computed with different libraries, see origins")
    dataset = _described(dataset, study, digest, origins)
    if study.ensemble is not None:
        dataset = with_statistics(dataset)
    dataset = with_fits(dataset, study.fits)
    write_text(folder / "failures.csv", failures_csv(dataset, study))
    write_dataset(dataset, folder / "data.nc")
    names = [f"blocks/{block.path.as_posix()}" for block in blocks]
    write_manifest(folder, ["data.nc", "failures.csv", *names])
    remove_temporaries(folder)
    return dataset


def read_block(study: Study, block: Block, path: Path, digest: str) -> xr.Dataset:
    """Read the file of a block and make sure that it is the one that is wanted.

    A file that must not be used is renamed, so that the next run computes it.

    Raises
    ------
    StoreError
        When the file is missing, damaged, of another block, of other parameters, of another
        source, or incomplete.
    """
    try:
        source = read_dataset(path)
    except Damaged as error:
        raise set_aside(path, error.cause) from error
    expected = block_attributes(study, block, digest)
    for key, text in (
        ("block_identity", "holds another block"),
        ("parameters", "was computed with other parameters"),
        ("source_digest", "was computed with another version of the source"),
    ):
        if source.attrs.get(key) != expected[key]:
            raise _stale(path, text)
    if missing := missing_points(study, block, source):
        # As a partial file: the next run computes the missing points alone.
        raise set_aside(path, f"{missing} points are missing", partial_path(path).name)
    return source


def _stale(path: Path, reason: str) -> StoreError:
    return set_aside(path, reason, f"{path.name}.stale")


def missing_points(study: Study, block: Block, source: xr.Dataset) -> int:
    """Return how many points of a block its file has not."""
    places = _source_places(study, block, source)
    wanted = int(np.prod([len(place) for place in places], dtype=int))
    if any(None in place for place in places):
        found = int(np.prod([sum(i is not None for i in place) for place in places], dtype=int))
        return wanted - found
    return int((source["status"].values[_grid(places)] == PENDING).sum())


def _source_places(study: Study, block: Block, source: xr.Dataset) -> list[list[int | None]]:
    """Return, for each dimension of the points in a block, where the wanted labels stand."""
    labels = point_labels(source, study.axes)
    wanted = {axis.name: axis.labels for axis in study.axes if not axis.outer}
    if block.samples is not None:
        labels["sample"] = source["sample"].values.tolist()
        wanted["sample"] = block.samples
    places = []
    for name, values in wanted.items():
        where = {label: i for i, label in enumerate(labels[name])}
        places.append([where.get(value) for value in values])
    return places


def _grid(places: list[list[int]]) -> tuple[np.ndarray, ...]:
    return np.ix_(*(np.array(place, dtype=int) for place in places))


def _pending(study: Study, kind: ModuleType, source: xr.Dataset) -> xr.Dataset:
    coordinates = {dim: source[dim].variable for dim in _own_dims(kind)}
    samples = range(study.ensemble.samples) if study.ensemble else None
    return pending_dataset(study.axes, {}, samples, kind.VARIABLES, coordinates)


def _own_dims(kind: ModuleType) -> list[str]:
    return list(dict.fromkeys(d for v in kind.VARIABLES.values() for d in v.dims))


def _place(dataset: xr.Dataset, source: xr.Dataset, study: Study, block: Block) -> str:
    """Copy a block to its place, by index and never by comparing numbers.

    Returns what is wrong with the block, if anything.
    """
    for dim in dataset.coords:
        if dim not in source.coords or dim == "sample" or dim in [a.name for a in study.axes]:
            continue
        if not np.array_equal(dataset[dim].values, source[dim].values):
            return f"has another coordinate {dim}"
    target, shape = [], []
    for axis in study.axes:
        if axis.outer:
            target.append([axis.labels.index(block.outer[axis.name])])
        else:
            target.append(range(len(axis.labels)))
        shape.append(len(target[-1]))
    if block.samples is not None:
        target.append(block.samples)
        shape.append(len(block.samples))
    origin = _grid(_source_places(study, block, source))
    for name in [*variables_of(dataset), "status", "message", REASONS]:
        whole = dataset[name].values
        values = np.asarray(source[name].values[origin], dtype=whole.dtype)
        # Without axes the place is all there is; `()` would store an array in an object array.
        whole[_grid(target) or ...] = values.reshape((*shape, *whole.shape[len(shape) :]))
    return ""


def _described(dataset: xr.Dataset, study: Study, digest: str, origins: set[str]) -> xr.Dataset:
    """Return the dataset with its global attributes and the reasons for undefined values."""
    found = {}
    for text in sorted(set(dataset[REASONS].values.flat) - {""}):
        for name, reason in json.loads(text).items():
            found.setdefault(name, set()).add(reason)
    for name, reasons in found.items():
        dataset[name].attrs["undefined"] = "; ".join(sorted(reasons))
    dataset = dataset.drop_vars(REASONS)
    return dataset.assign_attrs(provenance(study, digest), origins=origins_json(origins))


def failures_csv(dataset: xr.Dataset, study: Study) -> str:
    """Return the failed points as a table: axes, sample, status, message."""
    status = dataset["status"].values
    columns = {axis.name: axis.labels for axis in study.axes}
    if study.ensemble is not None:
        columns["sample"] = range(study.ensemble.samples)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*(axis.name for axis in study.axes), "sample", "status", "message"])
    for index in np.argwhere(status != OK):
        place = [values[i] for values, i in zip(columns.values(), index, strict=True)]
        if study.ensemble is None:
            place.append("")
        at = tuple(index)
        table.writerow([*place, STATUS_MEANINGS[status[at]], dataset["message"].values[at]])
    return text.getvalue()
