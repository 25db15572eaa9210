"""What a run would compute and what it would keep, from the files that are there."""

import resource
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nessflow.config.grid import generator
from nessflow.config.study import BLOCKS, Block, Study, parameters_of
from nessflow.run.reasons import block_reason
from nessflow.run.solve import prepared_block
from nessflow.store.manifest import DATA, FAILURES, named_faults, state_of
from nessflow.store.store import read_dataset

JOB_MINUTES = 10
"""What a job on a cluster should last: long beside its start, short beside a time limit."""
_START_UP = 3.0
"""Seconds in which a block starts, where no measured block says so."""


@dataclass(frozen=True)
class Plan:
    """Points and blocks of a study, those to compute, and their expected cost.

    ``seconds`` is the (lowest, highest) time of one core for the missing points, at the measured
    cost per point of the blocks that have run, or else of the first and the last point; None where
    nothing was measured.
    """

    study: str
    points: int
    reused: int
    blocks: int
    waiting: int
    failed: int
    seconds: tuple[float, float] | None
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why blocks run, and how many for each reason."""


def plan_study(study: Study, folder: Path, *, probe: bool = False) -> Plan:
    """Compare the blocks of a study with the points that their files hold.

    Parameters
    ----------
    study : Study
        The checked study.
    folder : Path
        ``results/<study>``.
    probe : bool, optional
        Evaluate the first and the last point where no block has run.
    """
    points = reused = waiting = failed = 0
    # Blocks that have been gathered are of no more use, and an archive may leave them out.
    is_done = not named_faults(folder, state_of(study), [DATA, FAILURES])
    if is_done and not (folder / BLOCKS).is_dir():
        status = read_dataset(folder / DATA)["status"].values
        failed = int((status > 0).sum())
        return Plan(study.name, status.size, status.size, len(study.blocks), 0, failed, None)
    costs: list[float] = []
    reasons: dict[str, int] = {}
    for block in study.blocks:
        prepared = prepared_block(block, folder)
        status = prepared.dataset["status"].values
        pending = len(prepared.waiting)
        if why := block_reason(prepared):
            reasons[why] = reasons.get(why, 0) + 1
        points += status.size
        reused += status.size - pending
        failed += int((status > 0).sum())
        waiting += pending > 0
        seconds = measured_seconds(cost_file(block, folder))
        if seconds is not None:
            costs.append(seconds / status.size)
    missing = points - reused
    cost = (min(costs) * missing, max(costs) * missing) if costs else None
    if probe and missing and not costs:
        low, high = (seconds * missing + _START_UP * waiting for seconds in probed(study))
        cost = low, high
    return Plan(study.name, points, reused, len(study.blocks), waiting, failed, cost, reasons)


def probed(study: Study) -> tuple[float, float]:
    """Return the (shorter, longer) time in seconds of the first and the last point of a study.

    A point that fails counts with the time it took to fail.
    """
    first = {axis.name: axis.labels[0] for axis in study.axes}
    last = {axis.name: axis.labels[-1] for axis in study.axes}
    # The first call also compiles kernels.
    if _seconds(study, first) > 1:
        seconds = [_seconds(study, last)] * 2
    else:
        seconds = [_seconds(study, labels) for labels in (first, last)]
    return min(seconds), max(seconds)


def _seconds(study: Study, labels: Mapping[str, str]) -> float:
    start = time.monotonic()
    with suppress(Exception):
        parameters, rng = parameters_of(study, labels), None
        if study.ensemble is not None and study.kind.is_random(parameters):
            rng = generator(study.ensemble, labels, 0)
        study.kind.evaluate(parameters, rng)
    return time.monotonic() - start


def blocks_per_job(plans: list[Plan]) -> int | None:
    """Return how many blocks make a cluster job of ``JOB_MINUTES``, None where costs are unknown.

    The jobs of a run take blocks of all its studies, so that the mean over them counts.
    """
    waiting = [plan for plan in plans if plan.waiting]
    known = [plan.seconds for plan in waiting if plan.seconds is not None]
    if not waiting or len(known) < len(waiting):
        return None
    seconds = sum(sum(each) / 2 for each in known)
    blocks = sum(plan.waiting for plan in waiting)
    return min(blocks, max(1, round(60 * JOB_MINUTES * blocks / seconds)))


def cost_file(block: Block, folder: Path) -> Path:
    """Return the file in ``results/<study>`` that says what a block cost when it ran last."""
    return folder / "benchmarks" / block.path.with_suffix(".tsv")


def write_cost(path: Path, seconds: float, before: float = 0.0) -> None:
    """Write what a block cost: wall time and CPU time in s, largest memory of its process in MB.

    By the process itself, since Snakemake sees the client of a warm one.  A file that cannot be
    written is no reason to lose what was computed.

    Parameters
    ----------
    path : Path
        The file.
    seconds : float
        The wall time.
    before : float, optional
        CPU time that this process took for something else.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    processor, memory = used.ru_utime + used.ru_stime - before, used.ru_maxrss / 1024
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = f"{seconds:.4f}\t{processor:.2f}\t{memory:.2f}"
        path.write_text(f"s\tcpu_time\tmax_rss\n{numbers}\n")


def measured_seconds(path: Path) -> float | None:
    """Return the wall time in a file of `write_cost`, None where there is none."""
    try:
        header, values = path.read_text().splitlines()[:2]
        return float(dict(zip(header.split("\t"), values.split("\t"), strict=True))["s"])
    except (OSError, ValueError, KeyError):
        return None


def plan_table(plans: list[Plan]) -> str:
    """Return the plans as a table with a line of totals."""
    rows: list[tuple[str, ...]] = [
        ("study", "points", "reused", "new", "failed", "blocks", "to run", "core time")
    ]
    rows += [_row(plan) for plan in plans]
    if len(plans) > 1:
        numbers: list[Any] = [
            sum(getattr(plan, key) for plan in plans)
            for key in ("points", "reused", "blocks", "waiting", "failed")
        ]
        known = [plan.seconds for plan in plans if plan.reused < plan.points]
        total: Any = tuple(map(sum, zip(*known, strict=True))) if known and all(known) else None
        numbers.append(total if known else (0.0, 0.0))
        rows.append(_row(Plan("all", *numbers)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(plan: Plan) -> tuple[str, ...]:
    missing = plan.points - plan.reused
    numbers = (plan.points, plan.reused, missing, plan.failed, plan.blocks, plan.waiting)
    if not missing:
        cost = "none"
    elif plan.seconds is None:
        cost = "not measured"
    else:
        low, high = (f"{float(f'{value:.2g}'):g}" for value in plan.seconds)
        cost = f"{low} s" if low == high else f"{low} to {high} s"
    return (plan.study, *map(str, numbers), cost)
