"""All of a study in one process: what the rules of Snakemake do, for studies that take minutes.

The files are those of the rules, to the last bit, and each way goes on where the other one was.
"""

import gc
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nessflow.config.study import Block, Study
from nessflow.errors import ConfigError
from nessflow.figures.units import FigureError
from nessflow.run.gather import gather_study
from nessflow.run.plan import cost_file, write_cost
from nessflow.run.progress import Progress
from nessflow.run.solve import solve_block
from nessflow.run.supervision import Watch
from nessflow.store.files import StoreError, write_text
from nessflow.store.manifest import FAILURES, MANIFEST
from nessflow.verbs.direct.records import forget
from nessflow.verbs.draw import draw_study, list_figures
from nessflow.verbs.workflow import Workflow, make_ready, open_project, refuse

Printer = Callable[[Path], Callable[[str], None]]
"""Returns for a log a function that writes lines to it and shows them."""


class RunError(Exception):
    """Parts of a run failed; which, and why, has been said."""


def run_studies(
    names: Sequence[str],
    config: dict[str, Any],
    watch: Watch,
    progress: Progress,
    written: Printer,
    shown: Printer,
) -> None:
    """Compute, gather and draw studies of the project in the current folder, what is not there.

    Parameters
    ----------
    names : sequence of str
        The studies; those of ``config/config.yaml`` where there are none.
    config : mapping
        ``tier`` and ``allow_large``, as for `open_project`.
    watch : Watch
        What watches this process.
    progress : Progress
        Is told of points.
    written, shown : callable
        Return for a log a function that writes lines to it, and one that also shows them.

    Raises
    ------
    RunError
        When something of a study failed, after all others were made.
    SystemExit
        With status 2 where a study has faults or another run is at work, and with 128 + signal
        number after SIGTERM or SIGINT, finished points kept.
    """
    # Each file has one writer; the locks of HDF5 fail on some shared file systems.
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
    workflow = open_project(Path(), config | {"studies": list(names) or None})
    for line in workflow.warnings:
        progress.say(line)
    refuse(workflow, names or [*workflow.jobs, *workflow.broken])
    make_ready(workflow)
    keep_what_is_there()
    try:
        run = _Run(workflow, watch, progress, written, shown)
        run.data()
        run.figures()
    except (KeyboardInterrupt, SystemExit):
        # A terminal sends it to this process, and so does the one that watches it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        progress.end()
        progress.say("stopped; finished points are kept, and the same command goes on from here")
        raise
    finally:
        progress.end()
    if run.failed:
        raise RunError(f"failed, see above: {', '.join(sorted(run.failed))}; all else is done")


def keep_what_is_there() -> None:
    """Have the collector of garbage pass over all that has been imported, and work from now on."""
    gc.freeze()
    gc.enable()


def points_in(block: Block) -> int:
    """Return the number of points of a block, samples included."""
    inner = math.prod(len(axis.labels) for axis in block.study.axes if not axis.outer)
    return inner * (1 if block.samples is None else len(block.samples))


class _Run:
    """What is made of the studies of a workflow, what of it is new, and what failed."""

    def __init__(
        self, workflow: Workflow, watch: Watch, progress: Progress, written: Any, shown: Any
    ):
        self.workflow, self.watch, self.progress = workflow, watch, progress
        self.written, self.shown = written, shown
        self.remade: set[str] = set()
        self.failed: set[str] = set()

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Have the rest go on where a part of a study fails for a reason that nessflow names."""
        try:
            yield
        except (ConfigError, FigureError, StoreError) as error:
            self.failed.add(name)
            self.progress.say(str(error))

    def data(self) -> None:
        """Compute and gather the data of all studies that have none as they are now."""
        jobs, results = self.workflow.jobs, self.workflow.results
        missing = [name for name in jobs if not _are_there(jobs[name].gathered)]
        studies = {name: self.workflow.study(name) for name in missing}
        waiting = {
            name: [(k, b) for k, b in enumerate(study.blocks) if not _is_there(b, results / name)]
            for name, study in studies.items()
        }
        self.progress.total = sum(points_in(b) for found in waiting.values() for _, b in found)
        # Of the same blocks the same numbers, whichever of them are there by now.
        first, count = {}, 0
        for name in jobs:
            first[name], count = count, count + len(jobs[name].blocks)
        for name, study in studies.items():
            with self._part(name):
                for number, block in waiting[name]:
                    self._solve(block, results / name, self.watch.part(first[name] + number))
                self._gather(study, results / name)

    def _solve(self, block: Block, folder: Path, watch: Watch) -> None:
        name, path = block.study.name, block.path
        self.progress.at(f"{name} {path.with_suffix('')}")
        log = self.written(folder / "logs" / path.with_suffix(".log"))
        before, began = time.process_time(), time.monotonic()
        counts = solve_block(block, folder, progress=log, counted=self.progress.count, watch=watch)
        forget(Path(), [block.file(folder).as_posix()])
        write_cost(cost_file(block, folder), time.monotonic() - began, before)
        log(f"{name} {path}: {counts}; CPU {time.process_time() - before:.2f} s of solving")

    def _gather(self, study: Study, folder: Path) -> None:
        jobs = self.workflow.jobs[study.name]
        self.progress.at(f"{study.name}: data.nc")
        gather_study(study, folder, progress=self.shown(folder / "logs" / "gather.log"))
        made = [(folder / name).as_posix() for name in (FAILURES, MANIFEST)]
        forget(Path(), [*jobs.blocks, *jobs.gathered, *made])
        write_text(Path(jobs.marker), "")
        self.remade.add(study.name)

    def figures(self) -> None:
        """Draw the figures of the chosen studies that are not there, or whose data are new."""
        for name in self.workflow.chosen:
            jobs, sources = self.workflow.jobs[name], self.workflow.sources[name]
            wanted = [
                figure
                for figure, paths in jobs.figures.items()
                if not self.failed & set(sources[figure])
                and (self.remade & set(sources[figure]) or not _are_there(paths))
            ]
            if wanted or not _are_there(jobs.listed):
                with self._part(name):
                    self._draw(name, wanted)

    def _draw(self, name: str, wanted: Sequence[str]) -> None:
        jobs, sources = self.workflow.jobs[name], self.workflow.sources[name]
        results, study = self.workflow.results, self.workflow.study(name)
        logs = results / name / "logs" / "figures"
        for figure in wanted:
            self.progress.at(f"{name}: figure {figure}")
            with self._part(name):
                studies = {source: self.workflow.study(source) for source in sources[figure]}
                shown = self.shown(logs / f"{figure}.log")
                draw_study(study, studies, results, progress=shown, names=[figure])
                forget(Path(), jobs.figures[figure])
        is_drawn = _are_there([path for paths in jobs.figures.values() for path in paths])
        if jobs.figure_list and is_drawn and name not in self.failed:
            list_figures(study, results)
            forget(Path(), jobs.listed)
            write_text(Path(jobs.figure_marker), "")


def _are_there(paths: Sequence[str]) -> bool:
    return all(os.path.exists(path) for path in paths)


def _is_there(block: Block, folder: Path) -> bool:
    return block.file(folder).exists()
