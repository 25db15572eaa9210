# Reads and checks the configuration once; everything below asks `PROJECT`.
import os
import shlex
import sys
from pathlib import Path

# Each file has one writer; the locks of HDF5 fail on some shared file systems.
os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"

from nessflow.verbs import warm
from nessflow.verbs.workflow import lift_rate_limit, make_ready, open_project, refuse, run_lock

# Jobs of a cluster are processes of their own, also on the machine of the head.
NESSFLOW = shlex.join(
    warm.command() if workflow.is_main_process else [sys.executable, "-m", "nessflow"]
)
PROJECT = open_project(Path.cwd(), config)
if workflow.is_main_process:
    for line in PROJECT.warnings:
        print(line, file=sys.stderr)
EVERYTHING = [*PROJECT.jobs, *PROJECT.broken]
RESULTS = PROJECT.results.as_posix()


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
            make_ready(PROJECT)
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
    lift_rate_limit(workflow.scheduler)
    if workflow.is_main_process:
        warm.start()
