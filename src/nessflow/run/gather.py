"""Collect the blocks of a study into one dataset that knows nothing of blocks."""

import csv
import io
import itertools
import json
import shutil
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nessflow.config.contents.layout import FITTING
from nessflow.config.grid import canonical_json, label_of
from nessflow.config.study import BLOCKS, OBSERVABLES, Block, Study
from nessflow.errors import ConfigError
from nessflow.run.derived.gathered import FormulaError, with_derived, with_errors_of_means
from nessflow.run.ensemble import with_fits, with_statistics
from nessflow.run.provenance import origins_json, origins_of, provenance
from nessflow.run.solve import (
    block_attributes,
    block_of,
    coordinates_of,
    partial_path,
    stale_path,
    to_stderr,
)
from nessflow.store.files import (
    Damaged,
    StoreError,
    remove,
    remove_leftovers,
    set_aside,
    write_text,
)
from nessflow.store.layout import (
    REASONS,
    SOURCE_DIGEST,
    pending_dataset,
    point_labels,
    stored_variables,
)
from nessflow.store.manifest import (
    DATA,
    FAILURES,
    MARKERS,
    MODULES,
    state_of,
    write_manifest,
)
from nessflow.store.status import OK, PENDING, STATUS_MEANINGS
from nessflow.store.store import read_dataset, write_dataset
from nessflow.written.formulas import of_means, read_formulas

Coordinates = Mapping[str, xr.Variable]


def gather_study(
    study: Study, folder: Path, *, progress: Callable[[str], None] = to_stderr
) -> xr.Dataset:
    """Check all blocks of a study and write ``data.nc``, ``failures.csv``, ``manifest.json``.

    The data are the same, bit for bit, for every block size and every order of computation.

    Parameters
    ----------
    study : Study
        The checked study.
    folder : Path
        Folder of the study's results.
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
    ConfigError
        When formulas do not fit what more points have than those that a plan looks at.
    """
    folder = Path(folder)
    shutil.rmtree(folder / MARKERS, ignore_errors=True)
    coordinates = _coordinates(study.blocks)
    dataset = _pending(study, coordinates.values())
    faults, origins = [], set()
    for block in study.blocks:
        try:
            source = read_block(block, folder, coordinates[_key(block)])
        except StoreError as error:
            faults.append(str(error))
            continue
        _place(dataset, source, block)
        origins |= origins_of(source.attrs)
    if faults:
        raise StoreError(
            folder,
            f"{len(faults)} of {len(study.blocks)} blocks cannot be used:\n  "
            + "\n  ".join(faults),
            "run again: these are computed anew and all others are kept",
        )
    status = dataset["status"].values
    if failed := int((status != OK).sum()):
        progress(f"{study.name}: {failed} of {status.size} points failed, see failures.csv")
    if len({canonical_json(json.loads(text)["versions"]) for text in origins}) > 1:
        progress(f"{study.name}: points were computed with different libraries, see origins")
    dataset = _described(dataset, study, origins)
    try:
        dataset = _with_derived(dataset, study)
    except FormulaError as error:
        problem = study.document.problem(("derived", error.name), FITTING, str(error))
        raise ConfigError([problem]) from None
    dataset = with_fits(dataset, study.fits)
    write_text(folder / FAILURES, failures_csv(dataset, study))
    write_dataset(dataset, folder / DATA)
    names = [f"{BLOCKS}{block.path.as_posix()}" for block in study.blocks]
    # What nothing is compared with, and tells which module changed when the source has.
    state = {**state_of(study), MODULES: study.modules}
    write_manifest(folder, state, [DATA, FAILURES, *names])
    remove_leftovers(folder)
    for block in study.blocks:  # whose points are all in their files
        remove(partial_path(block.file(folder)))
    # Those that could not be removed at first; whoever called this writes the one of now.
    shutil.rmtree(folder / MARKERS, ignore_errors=True)
    return dataset


def set_blocks_aside(study: Study, folder: Path) -> list[StoreError]:
    """Rename the blocks that cannot be gathered, so that a run computes them from the start.

    Parameters
    ----------
    study, folder
        As for ``gather_study``.

    Returns
    -------
    list of StoreError
        Each with what was wrong with a block; blocks that are not there are not among them.
    """
    faults = []
    blocks = [block for block in study.blocks if block.file(folder).exists()]
    coordinates = _coordinates(blocks)
    for block in blocks:
        try:
            read_block(block, folder, coordinates[_key(block)])
        except StoreError as error:
            faults.append(error)
    return faults


def read_block(block: Block, folder: Path, coordinates: Coordinates) -> xr.Dataset:
    """Read the file of a block and make sure that it is the one that is wanted.

    A file that must not be used is renamed, so that the next run computes it.

    Raises
    ------
    StoreError
        When the file is missing, damaged, of another block, of other parameters, of another
        source, of other coordinates, or incomplete.
    """
    path = block.file(folder)
    try:
        source = read_dataset(path)
    except Damaged as error:
        raise set_aside(path, error.cause) from error
    expected = block_attributes(block)
    # The study may have another name by now: the block, not the name, makes the points.
    if block_of(source.attrs) != block_of(expected):
        raise _stale(path, source, "holds another block")
    for key, text in (
        ("parameters", "was computed with other parameters"),
        (SOURCE_DIGEST, "was computed with another version of the source"),
    ):
        if source.attrs.get(key) != expected[key]:
            if key == SOURCE_DIGEST and source.attrs.get(OBSERVABLES) != expected.get(OBSERVABLES):
                raise _stale(path, source, "holds other observables", "what it has of them is kept")
            raise _stale(path, source, text)
    if missing := missing_points(block, source):
        # Beside a partial file of an interrupted run: the next one takes points from both.
        reason = f"{missing} points are missing"
        if partial_path(path).exists():
            raise _stale(path, source, reason)
        raise set_aside(path, reason, partial_path(path).name, "which keeps all others")
    if fault := _unlike(source, coordinates):
        raise _stale(path, source, fault)
    return source


def _stale(
    path: Path, source: xr.Dataset, reason: str, then: str = "to be computed anew"
) -> StoreError:
    return set_aside(path, reason, stale_path(path, source.attrs).name, then)


def missing_points(block: Block, source: xr.Dataset) -> int:
    """Return how many points of a block its file has not."""
    places = _source_places(block, source)
    wanted = int(np.prod([len(place) for place in places], dtype=int))
    if any(None in place for place in places):
        found = int(np.prod([sum(i is not None for i in place) for place in places], dtype=int))
        return wanted - found
    return int((source["status"].values[_grid(places)] == PENDING).sum())


def _source_places(block: Block, source: xr.Dataset) -> list[list[int | None]]:
    """Return, for each dimension of the points in a block, where the wanted labels stand."""
    axes = block.study.axes
    labels = point_labels(source, axes)
    wanted: dict[str, Sequence[Any]] = {x.name: x.labels for x in axes if not x.outer}
    if block.samples is not None:
        labels["sample"] = source["sample"].values.tolist()
        wanted["sample"] = block.samples
    places = []
    for name, values in wanted.items():
        where = {label: i for i, label in enumerate(labels[name])}
        places.append([where.get(value) for value in values])
    return places


def _grid(places: Sequence[Sequence[int | None]]) -> tuple[np.ndarray, ...]:
    return np.ix_(*(np.array(place, dtype=int) for place in places))


def _coordinates(blocks: Iterable[Block]) -> dict[tuple, Coordinates]:
    """Return the kind's coordinates for the outer labels of each block."""
    first = {_key(block): block for block in blocks}
    return {key: coordinates_of(block.study, block.outer) for key, block in first.items()}


def _key(block: Block) -> tuple[str, ...]:
    return tuple(block.outer.values())


def _pending(study: Study, parts: Iterable[Coordinates]) -> xr.Dataset:
    parts = list(parts)
    coordinates = {}
    for name, first in parts[0].items():
        if first.dims == (name,):
            coordinates[name] = joined([part[name] for part in parts])
    for name in [name for name in parts[0] if name not in coordinates]:
        if (beside := joined_beside(name, parts, coordinates)) is not None:
            coordinates[name] = beside
        else:
            # Who draws sites where they are must know that this is more than not said.
            (dim,) = map(str, parts[0][name].dims)
            known = coordinates[dim].attrs
            differing = f"{known.get('differing', '')} {name}".strip()
            coordinates[dim] = xr.Variable(
                dim, coordinates[dim].values, known | {"differing": differing}
            )
    samples = range(study.ensemble.samples) if study.ensemble else None
    variables, digests = study.variables, study.variable_digests
    return pending_dataset(study.axes, {}, samples, variables, coordinates, digests)


def joined(parts: list[xr.Variable]) -> xr.Variable:
    """Return one coordinate with every value of several, whatever their order.

    Numbers are sorted, and as everywhere one number when 12 digits agree; names have the order of
    the longest list, others follow.  What is the same everywhere stays as it is.

    Raises
    ------
    ValueError
        When two numbers of one part agree to 12 digits.
    """
    first = parts[0]
    if all(np.array_equal(part.values, first.values) for part in parts):
        return first
    if any(len(set(_names(part))) < part.size for part in parts):
        raise ValueError(f"{first.dims[0]}: two values that agree to 12 digits")
    lists = sorted((part.values.tolist() for part in parts), key=lambda v: (-len(v), v))
    values = np.array(list(dict.fromkeys(itertools.chain(*lists))))
    if values.dtype.kind in "iuf":
        values = np.sort(values)
        _, kept = np.unique(_names(xr.Variable(first.dims, values)), return_index=True)
        values = values[np.sort(kept)]
    note = {"joined": "differs between points: NaN where a point has no such value"}
    return xr.Variable(first.dims, values, first.attrs | note)


def joined_beside(
    name: str, parts: list[Coordinates], dimensions: Coordinates
) -> xr.Variable | None:
    """Return what several parts say beside a dimension; None where two say different things."""
    first = parts[0][name]
    said: dict[str, Any] = {}
    (dim,) = map(str, first.dims)
    for part in parts:
        for label, value in zip(_names(part[dim]), part[name].values.tolist(), strict=True):
            if said.setdefault(label, value) != value:
                return None
    values = np.array([said[label] for label in _names(dimensions[dim])], first.dtype)
    return xr.Variable(first.dims, values, first.attrs)


def _names(coordinate: xr.Variable) -> list:
    """Return what tells the values of a coordinate apart: the labels of floating-point numbers."""
    values = coordinate.values.tolist()
    return [label_of(value) for value in values] if coordinate.dtype.kind == "f" else values


def _unlike(source: xr.Dataset, coordinates: Coordinates) -> str:
    """Return what is wrong with the coordinates of a block, if anything."""
    for name, expected in coordinates.items():
        if not np.array_equal(source[name].values, expected.values):
            return f"has another coordinate {name}"
    return ""


def _place(dataset: xr.Dataset, source: xr.Dataset, block: Block) -> None:
    """Copy a block to its place."""
    places: dict[Hashable, Sequence[int]] = {
        dim: range(size) for dim, size in dataset.sizes.items()
    }
    for axis in block.study.axes:
        if axis.outer:
            places[axis.name] = [axis.labels.index(block.outer[axis.name])]
    if block.samples is not None:
        places["sample"] = block.samples
    for dim in dataset.sizes.keys() & source.sizes.keys():
        if "joined" in dataset[dim].attrs:
            where = {name: i for i, name in enumerate(_names(dataset[dim].variable))}
            places[dim] = [where[name] for name in _names(source[dim].variable)]
    origin = _grid(_source_places(block, source))
    for name in [*stored_variables(dataset), "status", "message", REASONS]:
        whole, target = dataset[name].values, [places[dim] for dim in dataset[name].dims]
        values = np.asarray(source[name].values[origin], dtype=whole.dtype)
        # Without dimensions the place is all there is; `()` would store an array in an object.
        whole[_grid(target) or ...] = values.reshape([len(place) for place in target])


def _described(dataset: xr.Dataset, study: Study, origins: set[str]) -> xr.Dataset:
    """Return the dataset with its global attributes and the reasons for undefined values."""
    found: dict[str, set[str]] = {}
    for text in sorted(set(dataset[REASONS].values.flat) - {""}):
        for name, reason in json.loads(text).items():
            found.setdefault(name, set()).add(reason)
    for name in stored_variables(dataset):
        partial = [dim for dim in dataset[name].dims if "joined" in dataset[dim].attrs]
        reasons = found.get(name, set()) | {f"the point has no such {dim}" for dim in partial}
        if reasons:
            dataset[name].attrs["undefined"] = "; ".join(sorted(reasons))
    dataset = dataset.drop_vars(REASONS)
    return dataset.assign_attrs(provenance(study), origins=origins_json(origins))


def _with_derived(dataset: xr.Dataset, study: Study) -> xr.Dataset:
    """Return the dataset with derived variables, and statistics where there are samples."""
    formulas = read_formulas(study.derived)
    means = of_means(formulas) if study.ensemble is not None else []
    single = {name: each for name, each in formulas.items() if name not in means}
    dataset = with_derived(dataset, single)
    if study.ensemble is None:
        return dataset
    dataset = with_errors_of_means(with_statistics(dataset), list(single))
    return with_derived(dataset, {name: formulas[name] for name in means}, of_means=True)


def failures_csv(dataset: xr.Dataset, study: Study) -> str:
    """Return the failed points as a table: axes, sample, status, message."""
    status = dataset["status"].values
    columns: dict[str, Sequence[Any]] = {axis.name: axis.labels for axis in study.axes}
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
