"""Compute the points of one block, keeping every point that is already there."""

import json
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import xarray as xr

from nessflow.config.grid import Axis, Labels, canonical_json, generator
from nessflow.config.study import (
    Block,
    Study,
    inner_cases,
    parameters_of,
    possible_parameters,
)
from nessflow.digest import short_hash
from nessflow.errors import ConfigError
from nessflow.run.judge import Verdicts, judge_all
from nessflow.run.progress import FIRST_LINE_SECONDS, NEXT_LINE_SECONDS, span
from nessflow.run.provenance import origin, origins_json, origins_of, provenance
from nessflow.run.supervision import Watch
from nessflow.store.files import Damaged, Missing, remove, set_aside
from nessflow.store.layout import (
    POINT_VARIABLES,
    REASONS,
    SOURCE_DIGEST,
    described,
    pending_dataset,
    point_labels,
    stored_variables,
)
from nessflow.store.lock import sole_writer
from nessflow.store.status import EXCEPTION, OK, PENDING, TIME_LIMIT
from nessflow.store.store import read_dataset, write_dataset

FLUSH_SECONDS = 60.0
_MESSAGE_LENGTH = 300
_TOGETHER = 500
"""Points that a kind is asked to evaluate together at most."""
_SECONDS_TOGETHER = 2.0
"""Time that they may take by what those before have taken; a signal loses no more than these."""
_SAME = ("parameters", "source_digest")


@dataclass(frozen=True)
class Counts:
    """Points of a block that were kept, that were computed now, and all that failed.

    Of those computed ``filled`` had some of their variables already.
    """

    reused: int
    computed: int
    failed: int
    filled: int = 0

    def __str__(self) -> str:
        filled = f" ({self.filled} of them in part)" if self.filled else ""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.reused} points reused, {self.computed} computed{filled}{failed}"


class Interrupted(BaseException):
    """SIGTERM or SIGINT arrived; not an Exception, so that no kind catches it."""

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


class TimeLimit(BaseException):
    """A point took longer than it may; not an Exception, so that no kind catches it."""


class _Died(Exception):
    """Two processes died of a signal while they computed a point."""

    def __init__(self, name: str):
        hint = "; out of memory?" if name == "SIGKILL" else ""
        super().__init__(f"the process that computed it was ended twice, by {name}{hint}")


def to_stderr(line: str) -> None:
    """Print a line to standard error at once."""
    print(line, file=sys.stderr, flush=True)


def solve_block(
    block: Block,
    folder: Path,
    *,
    progress: Callable[[str], None] = to_stderr,
    counted: Callable[[int, int, int], None] = lambda kept, computed, failed: None,
    watch: Watch | None = None,
) -> Counts:
    """Compute the missing points of a block and write its file.

    Variables of the same parameters and source are kept from the file, from the unfinished
    ``<stem>.partial.nc`` beside it, from files that were set aside and from files with other ranges
    of samples; where a point that is ok lacks variables these alone are computed.  Finished points
    are flushed to the partial file every minute and on SIGTERM and SIGINT.  A point that ended an
    earlier process is computed last, after a flush; one that ended two has failed.

    Parameters
    ----------
    block : Block
        The points to compute.
    folder : Path
        Folder of the results of its study.
    progress : callable, optional
        Gets lines on the progress.
    counted : callable, optional
        Gets numbers of points as they are done: kept, computed, and failed ones among these.
    watch : Watch, optional
        What watches this process, if anything does.

    Raises
    ------
    StoreError
        When the disk refuses.
    SystemExit
        With 128 + signal number after SIGTERM or SIGINT, finished points kept.
    """
    wait = f"{block.study.name} {block.path}: another process computes this block; waiting for it"
    with sole_writer(block.file(folder), lambda: progress(wait)):
        return _solved(block, folder, progress, counted, watch or Watch())


def _solved(
    block: Block,
    folder: Path,
    progress: Callable[[str], None],
    counted: Callable[[int, int, int], None],
    watch: Watch,
) -> Counts:
    path = block.file(folder)
    partial = partial_path(path)
    for own in (path, partial):
        if damage := _damage(own):
            progress(str(set_aside(own, damage)))
    prepared = prepared_block(block, folder)
    dataset, origins = prepared.dataset, prepared.origins
    status, waiting = dataset["status"].values, prepared.waiting
    filled = sum(not all(x[index] for x in prepared.missing.values()) for index in waiting)
    if waiting:
        origins.add(origin())
    dataset.attrs["origins"] = origins_json(origins)
    counted(status.size - len(waiting), 0, int((status > OK).sum()))
    with interrupts():
        try:
            _compute(prepared, progress, counted, watch)
            write_dataset(dataset, path)
        except Interrupted as interrupt:
            if (status != PENDING).any():
                write_dataset(dataset, partial)
            raise SystemExit(128 + interrupt.signum) from None
        remove(partial)
    failed = int((status != OK).sum())
    return Counts(status.size - len(waiting), len(waiting), failed, filled)


@dataclass(frozen=True)
class Prepared:
    """A block with all that is there already.

    Attributes
    ----------
    block : Block
        The block.
    path : Path
        Its file.
    dataset : xarray.Dataset
        What the file is to hold, with its global attributes.  Points that are not complete have
        the status ``PENDING``.
    missing : mapping of str to array of bool
        At which points a variable is still to be computed.
    origins : set of str
        Where what is there comes from.
    """

    block: Block
    path: Path
    dataset: xr.Dataset
    missing: Mapping[str, np.ndarray]
    origins: set[str]

    @property
    def waiting(self) -> list[tuple[int, ...]]:
        """The indices of the points that are to be computed."""
        return [tuple(i) for i in np.argwhere(self.dataset["status"].values == PENDING).tolist()]


def prepared_block(block: Block, folder: Path) -> Prepared:
    """Return a block of results in ``folder`` with all that is there already."""
    dataset = _pending(block).assign_attrs(block_attributes(block))
    shape = dataset["status"].shape
    missing = {name: np.ones(shape, bool) for name in stored_variables(dataset)}
    prepared = Prepared(block, block.file(folder), dataset, missing, set())
    for candidate in _candidates(prepared):
        prepared.origins.update(adopt(prepared, candidate))
    return prepared


def partial_path(path: Path) -> Path:
    """Return the file beside a block's that holds the points of an unfinished run."""
    return path.with_name(f"{path.stem}.partial.nc")


def stale_path(path: Path, attributes: Mapping[str, Any]) -> Path:
    """Return the file beside a block's that keeps it while it is not of the study as it is.

    It is named after what the points depend on, so that of several changes each can be taken back.
    """
    parts = [block_of(attributes), *(attributes.get(key) for key in _SAME)]
    return path.with_name(f"{path.name}.{short_hash(canonical_json(parts))}.stale")


def block_attributes(block: Block) -> dict[str, str | int]:
    """Return the global attributes of a block's file."""
    attributes = provenance(block.study, block.outer)
    if cases := inner_cases(block.study.axes):
        attributes["cases"] = canonical_json(cases)
    return attributes | {"block_identity": f"{block.study.name}/{block.path.as_posix()}"}


def block_of(attributes: Mapping[str, Any]) -> str:
    """Return the path of a block below the blocks of its study, whatever the study was called."""
    return str(attributes.get("block_identity")).partition("/")[2]


def _pending(block: Block) -> xr.Dataset:
    study, outer = block.study, block.outer
    coordinates, digests = coordinates_of(study, outer), study.variable_digests
    return pending_dataset(study.axes, outer, block.samples, study.variables, coordinates, digests)


def coordinates_of(study: Study, outer: Labels) -> dict[str, xr.Variable]:
    """Return the coordinates that the kind gives to the points of one value of each outer axis."""
    given = study.kind.coordinates(possible_parameters(study, outer))
    return {
        name: described((each.beside or name,), each.values, each.natural_units, each.long_name)
        for name, each in given.items()
    }


# Points that are already there


def _damage(path: Path) -> str:
    try:
        read_dataset(path)
    except Damaged as error:
        return error.cause
    except Missing:
        pass
    return ""


def _candidates(prepared: Prepared) -> Iterator[Path]:
    """Yield the files that may hold points of a block, its own ones first."""
    path, samples = prepared.path, prepared.block.samples
    own = (path, partial_path(path), stale_path(path, prepared.dataset.attrs))
    yield from own
    # Set aside when other observables were asked for, or one of them was another.
    yield from (x for x in sorted(path.parent.glob(f"{path.name}.*.stale")) if x not in own)
    if samples is None:
        return
    for other in sorted(path.parent.glob("seeds~*.nc")):
        match = re.match(r"seeds~(\d+)-(\d+)\.", other.name)
        first, last = map(int, match.groups()) if match else (0, -1)
        if other not in own and first < samples.stop and last >= samples.start:
            yield other


def adopt(prepared: Prepared, path: Path) -> set[str]:
    """Copy what a file has of the pending points of a block, by label.

    Of points that are ok every variable that depends on the same source; others only whole and
    where nothing else was asked for, since their status is that of all variables.  A file that is
    missing, damaged or of other parameters gives nothing.

    Returns
    -------
    set of str
        The origins of what was copied.
    """
    dataset, missing, axes = prepared.dataset, prepared.missing, prepared.block.study.axes
    try:
        source = read_dataset(path)
    except (Missing, Damaged):
        return set()
    name = re.sub(r"(\.partial)?\.nc(\.\w+\.stale)?$", ".nc", path.name)
    expected = prepared.block.path.with_name(name).as_posix()
    same = source.attrs.get("parameters") == dataset.attrs["parameters"]
    if not same or block_of(source.attrs) != expected:
        return set()
    names = stored_variables(dataset)
    kept = [name for name in names if _is_same(source, dataset[name])]
    is_whole = kept == names == stored_variables(source)
    arrays = {
        name: (dataset[name].values, source[name].values) for name in (*kept, *POINT_VARIABLES)
    }
    status, found = arrays["status"]
    places, taken = _places(source, axes), False
    for key, index in _places(dataset, axes).items():
        origin = places.get(key)
        if origin is None or status[index] != PENDING or found[origin] == PENDING:
            continue
        new: Collection[str]
        if is_whole:
            new = arrays.keys()
        elif found[origin] == OK:
            new = [name for name in kept if missing[name][index]]
        else:
            continue
        for name in new:
            target, values = arrays[name]
            target[index] = values[origin]
            if name in missing:
                missing[name][index] = False
        if not is_whole and new:
            reasons, values = arrays[REASONS]
            reasons[index] = _merged(reasons[index], values[origin], new)
            if not any(missing[name][index] for name in names):
                status[index] = OK
        taken = taken or bool(new)
    return origins_of(source.attrs) if taken else set()


def _is_same(source: xr.Dataset, variable: xr.DataArray) -> bool:
    """Tell whether a dataset has a variable that depends on the same source."""
    if variable.name not in source:
        return False
    return source[variable.name].attrs.get(SOURCE_DIGEST) == variable.attrs[SOURCE_DIGEST]


def _merged(first: str, second: str, names: Iterable[str]) -> str:
    """Return the reasons of a point with those that another has for some variables, as JSON."""
    more = {name: why for name, why in json.loads(second or "{}").items() if name in names}
    reasons = json.loads(first or "{}") | more
    return canonical_json(reasons) if reasons else ""


def _places(dataset: xr.Dataset, axes: Sequence[Axis]) -> dict[tuple, tuple[int, ...]]:
    """Return labels and sample number -> index for every point of a dataset."""
    names = _point_names(dataset, axes)
    return {names(index): index for index in np.ndindex(dataset["status"].shape)}


def _point_names(dataset: xr.Dataset, axes: Sequence[Axis]) -> Callable[[tuple], tuple]:
    """Return a function from the index of a point to its labels and sample number."""
    columns = point_labels(dataset, axes)
    if "sample" in dataset.dims:
        columns["sample"] = dataset["sample"].values.tolist()
    return lambda index: tuple(
        (name, column[i]) for (name, column), i in zip(columns.items(), index, strict=True)
    )


# Points to compute


Verdicted = tuple[Sequence[tuple[int, ...]], Verdicts]
"""Indices of points, and what is said of them."""


def _compute(
    prepared: Prepared,
    progress: Callable[[str], None],
    counted: Callable[[int, int, int], None],
    watch: Watch,
) -> None:
    block, dataset, waiting = prepared.block, prepared.dataset, prepared.waiting
    study, partial = block.study, partial_path(prepared.path)
    # Looked up once: xarray takes longer for it than a fast kind for a point.
    arrays = {name: dataset[name].values for name in stored_variables(dataset)}
    coordinates = {str(name): variable.values for name, variable in dataset.coords.items()}
    status, messages, notes = (dataset[x].values for x in ("status", "message", REASONS))
    in_a_row = {  # views
        name: x.reshape(status.size, *x.shape[status.ndim :]) for name, x in arrays.items()
    }
    names = _point_names(dataset, study.axes)
    report = _Progress(f"{study.name} {block.path.with_suffix('')}", status.size, len(waiting))
    tasks = _Tasks(prepared, names, arrays, coordinates)
    seen: set[str] = set()
    numbers = {index: int(np.ravel_multi_index(index, status.shape)) for index in waiting}
    again = {index for index in waiting if numbers[index] in watch.again}

    def alone(index: tuple[int, ...]) -> Verdicts:
        point, sample = tasks.place(index)
        lost = watch.lost.get(numbers[index])
        if index in again and not lost:
            signal_name = watch.again[numbers[index]]
            line = f"process ended by {signal_name} at {dict(names(index))}; tried once more"
            progress(f"{report.name}: {line}")
            write_dataset(dataset, partial)
        try:
            parameters, rng, variables, arguments = tasks.of(index)
            if lost:
                raise _Died(lost)
            watch.at(numbers[index])
            with limited(study.time_limit):
                result = study.kind.evaluate(parameters, rng, **arguments)
            return judge_all([result], variables, coordinates)
        except TimeLimit:
            return _failed(TIME_LIMIT, f"longer than time_limit = {study.time_limit:g} s")
        except ConfigError as error:
            tasks.forget()
            return _failed(EXCEPTION, f"not possible: {'; '.join(map(str, error.problems))}")
        except (Exception, SystemExit) as error:
            # One bad point must not stop the others, whatever it raises.
            tasks.forget()
            message = f"{type(error).__name__}: {error}"
            if message not in seen:
                seen.add(message)
                progress(f"{point} sample {sample}: {traceback.format_exc()}")
            return _failed(EXCEPTION, message)
        finally:
            watch.at_none()

    def together(indices: Sequence[tuple[int, ...]]) -> list[Verdicted]:
        watch.at_several()
        try:
            return _together(study.kind, [x for x in indices if x not in again], tasks)
        finally:
            watch.at_none()

    can_many = hasattr(study.kind, "evaluate_many") and not (study.time_limit or watch.alone)
    waiting = sorted(waiting, key=again.__contains__)
    last = flushed = time.monotonic()
    for indices, found in _verdicts(waiting, alone, together if can_many else None):
        at = [numbers[index] for index in indices]
        for name in found.values or arrays:
            in_a_row[name][at] = found.values.get(name, np.nan)
        for k, index in enumerate(indices):
            messages[index] = one_line(found.messages[k])
            known = notes[index] if found.values else ""
            notes[index] = _with_reasons(known, tuple(found.reasons[k].items()))
            # Last, so that a point interrupted above is still pending.
            status[index] = found.status[k]
        counted(0, len(indices), sum(each != OK for each in found.status))
        now = time.monotonic()
        if line := report.line(now, (now - last) / len(indices), len(indices)):
            progress(line)
        if now - flushed > FLUSH_SECONDS:
            write_dataset(dataset, partial)
            flushed = time.monotonic()
        last = time.monotonic()


def _failed(status: int, message: str) -> Verdicts:
    return Verdicts({}, [status], [message], [{}])


@lru_cache  # the same for most points of a block
def _with_reasons(known: str, reasons: tuple[tuple[str, str], ...]) -> str:
    """Return the reasons of a point, as JSON, with those that were found now."""
    return _merged(known, canonical_json(dict(reasons)), dict(reasons))


class _Tasks:
    """What there is to compute at the points of a block; parameters are made once for all samples.

    The attributes are those of `_compute`.
    """

    def __init__(
        self,
        prepared: Prepared,
        names: Callable[[tuple[int, ...]], Any],
        arrays: Mapping[str, np.ndarray],
        coordinates: Mapping[str, np.ndarray],
    ):
        self.block, self.study = prepared.block, prepared.block.study
        self.names, self.stored, self.coordinates = names, tuple(arrays), coordinates
        self.missing = np.stack([prepared.missing[name] for name in arrays], axis=-1)
        self.share: Any = None
        self.last_missing: bytes | None = None
        self.forget()

    def forget(self) -> None:
        """Make the parameters of the next point anew, whichever it is."""
        self.labels: Labels | None = None
        self.parameters: Any = None

    def place(self, index: tuple[int, ...]) -> tuple[Labels, int | None]:
        """Return the labels of a point and the number of its sample."""
        point = dict(self.names(index))
        sample = point.pop("sample", None)
        return point | dict(self.block.outer), sample

    def of(self, index: tuple[int, ...]) -> tuple:
        """Return parameters, random generator, variables, and arguments of the kind, of a point.

        Raises
        ------
        ConfigError
            When the parameters are not possible.
        ValueError
            When the coordinates of the variables are not those of the block.
        """
        point, sample = self.place(index)
        kind = self.study.kind
        missing = self.missing[index].tobytes()
        if missing != self.last_missing:
            self.forget()
            names = tuple(np.array(self.stored, object)[self.missing[index]])
            self.share, self.last_missing = self.study.reduced(names), missing
        part, variables, arguments = self.share
        if point != self.labels:
            self.forget()
            parameters = parameters_of(part, point)
            _require_coordinates(self.coordinates, kind.coordinates(parameters))
            self.labels, self.parameters = point, parameters
        rng = None
        ensemble = self.study.ensemble
        if sample is not None and ensemble is not None and kind.is_random(self.parameters):
            rng = generator(ensemble, point, sample)
        return self.parameters, rng, variables, arguments


def _verdicts(
    waiting: Sequence[tuple[int, ...]],
    alone: Callable[[tuple[int, ...]], Verdicts],
    together: Callable[[Sequence[tuple[int, ...]]], list[Verdicted]] | None,
) -> Iterator[Verdicted]:
    """Yield points with what is said of them, as many together as take some seconds.

    The first tells how long one takes.  What is not said of many is said of each ``alone``, as all
    is where ``together`` fails or is None.
    """
    first, count = 0, 1
    while first < len(waiting):
        indices, start, found = waiting[first : first + count], time.monotonic(), []
        if together and count > 1:
            with suppress(Exception, SystemExit):
                found = together(indices)
        yield from found
        done = {index for members, _ in found for index in members}
        yield from (([index], alone(index)) for index in indices if index not in done)
        first += count
        seconds = (time.monotonic() - start) / count
        count = max(1, min(_TOGETHER, int(_SECONDS_TOGETHER / max(seconds, 1e-9))))


def _together(kind: Any, indices: Sequence[tuple[int, ...]], tasks: _Tasks) -> list[Verdicted]:
    """Return what the kind's ``evaluate_many`` makes of points, judged."""
    points: dict[tuple[int, ...], list[Any]] = {}
    variables: dict[tuple[int, ...], Any] = {}
    for index in indices:
        # One that is not possible fails when it is evaluated alone.
        with suppress(ConfigError, ValueError):
            *task, variables[index], arguments = tasks.of(index)
            if not arguments:
                points[index] = task
    outcomes = kind.evaluate_many(*map(list, zip(*points.values(), strict=True)))
    found: list[Verdicted] = []
    pairs = zip(points, outcomes, strict=True)
    for _, alike in groupby(pairs, lambda pair: id(variables[pair[0]])):
        members, own = zip(*alike, strict=True)
        found.append((members, judge_all(own, variables[members[0]], tasks.coordinates)))
    return found


def _require_coordinates(expected: Mapping, coordinates: Mapping) -> None:
    for name, given in coordinates.items():
        if not np.array_equal(expected[name], given.values):
            raise ValueError(f"{name} has other values than at the first point of the block")


def one_line(text: str) -> str:
    """Return a text that can stand in a table: one line, printable, not long."""
    text = " ".join(text.split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[: _MESSAGE_LENGTH - 3]}..."


class _Progress:
    """Says how far a block is, after a few seconds and then now and again."""

    def __init__(self, name: str, points: int, waiting: int):
        self.name, self.points, self.waiting = name, points, waiting
        self.costs: list[float] = []
        self.next = time.monotonic() + FIRST_LINE_SECONDS

    def line(self, now: float, cost: float, points: int) -> str:
        """Count points that took ``cost`` seconds each; return a line when one is due."""
        self.costs += [cost] * points
        if now < self.next:
            return ""
        self.next = now + NEXT_LINE_SECONDS
        left = self.waiting - len(self.costs)
        done = self.points - left
        share = 100 * done / self.points
        line = f"{self.name}: {done} of {self.points} points ({share:.0f} %)"
        # Kernels are compiled during the first point, which says nothing about the others.
        others = self.costs[1:]
        return f"{line}, {span(median(others) * left)} left" if others else line


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Raise ``TimeLimit`` in the main thread after some seconds; compiled code ends first.

    Python delivers the signal between two of its own instructions: a long call of LAPACK or of a
    compiled kernel is not cut short, the point stops when the call returns.
    """
    if seconds is None:
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise TimeLimit

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def interrupts() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into one ``Interrupted``; later ones wait for the flush."""
    watched = (signal.SIGTERM, signal.SIGINT)

    def interrupt(signum: int, frame: object) -> None:
        for each in watched:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(signum)

    try:
        previous = {each: signal.signal(each, interrupt) for each in watched}
    except ValueError:
        # Only the main thread can have handlers; elsewhere nothing is sent to us.
        yield
        return
    try:
        yield
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
