# Reads and checks the configuration once; everything below asks `PROJECT`.
import os
import shlex
import sys
from pathlib import Path

# Each file has one writer; the locks of HDF5 fail on some shared file systems.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

from nessflow.verbs import warm
from nessflow.verbs.workflow import (
    lift_rate_limit,
    make_ready,
    opened,
    own_config,
    refuse,
    require_place,
    run_lock,
)

# Snakemake runs no handlers of a module, whose configuration may be that of the workflow around it.
IS_MODULE = __name__ is not None
PROJECT = opened(
    Path.cwd(),
    own_config(Path.cwd(), config) if IS_MODULE else config,
    is_quiet=not workflow.is_main_process,
)
EVERYTHING = [*PROJECT.jobs, *PROJECT.broken]
RESULTS = PROJECT.results.as_posix()


def program(wildcards, output):
    """Return how a job starts nessflow.

    Where Python lies makes no file old: a parameter made of `output` is not among the reasons.
    """
    # Jobs of a cluster are processes of their own, also on the machine of the head.
    own = [sys.executable, "-m", "nessflow"]
    return shlex.join(warm.command() if workflow.is_main_process else own)


def ready(files, study=None, every_study=False):
    """Return an input function; the first that a run asks makes the results ready for it.

    When Snakemake asks it knows whether something will run, and has looked at no file yet.  A study
    with faults is refused when it is asked for by name, and with all others when these will run.
    """

    def files_when_ready(wildcards):
        runs = workflow.executor_plugin and not (workflow.dryrun or workflow.touch)
        if study or (runs and every_study):
            refuse(PROJECT, [study] if study else EVERYTHING)
        if runs and workflow.is_main_process:
            lift_rate_limit(workflow.scheduling_settings)
            if make_ready(PROJECT) and IS_MODULE:
                warm.start()
        return files(wildcards) if callable(files) else files

    return files_when_ready


def every(part):
    """Return the input function of a target that is made of a part of every chosen study."""
    files = [path for name in PROJECT.chosen for path in getattr(PROJECT.jobs[name], part)]
    return ready(files, every_study=True)


def figure_data(w):
    """Return the gathered data that a figure needs."""
    names = PROJECT.sources[w.study][w.figure]
    return [path for name in names for path in PROJECT.jobs[name].gathered]


wildcard_constraints:
    study="[a-z0-9][a-z0-9-]*",
    block=r"[^\s]+",
    figure="|".join({name for jobs in PROJECT.jobs.values() for name in jobs.figures}) or "(?!)",


onstart:
    run_lock(PROJECT)
    if workflow.is_main_process:
        warm.start()
