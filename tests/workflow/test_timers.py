"""Snakemake's head does not gather threads, one for each job that has ended."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts in /proc")

SNAKEFILE = """\
from nessflow.verbs.workflow import lift_rate_limit

COUNT = int(config["count"])

def files(wildcards):
    if "lift" in config:
        limit = workflow.scheduling_settings.max_jobs_per_timespan
        assert limit.timespan == 1
        lift_rate_limit(workflow.scheduling_settings)
    return expand("{i}.txt", i=range(COUNT))

rule all:
    input: files

rule one:
    output: "{i}.txt"
    shell: "sleep 0.2; ls /proc/$PPID/task | wc -l > {output}"

onstart:
    limiter = workflow.scheduler.job_rate_limiter
    assert (limiter is None) == ("lift" in config and "strict" not in config)
"""


def threads(folder: Path, count: int, *words: str, options: tuple[str, ...] = ()) -> int:
    """Return the most threads that Snakemake has in a run of short jobs."""
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    config = ("--config", f"count={count}", *(f"{word}=1" for word in words))
    command = [sys.executable, "-m", "snakemake", "--cores", "4", *options, *config]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return max(int(path.read_text()) for path in folder.glob("*.txt"))


def test_threads_do_not_grow_with_the_jobs_that_have_ended(tmp_path):
    few = threads(tmp_path / "few", 8, "lift")
    assert threads(tmp_path / "many", 40, "lift") <= few + 2


def test_the_fault_of_snakemake_is_there(tmp_path):
    """Once this fails, lift_rate_limit and docs/snakemake-timers.md have had their day."""
    assert threads(tmp_path / "many", 40) > 20


def test_a_limit_that_somebody_asks_for_stays(tmp_path):
    options = ("--max-jobs-per-timespan", "99/1s")
    assert threads(tmp_path / "limited", 2, "lift", "strict", options=options)


def test_the_workflow_lifts_the_limit(project):
    with (project.folder / "workflow" / "Snakefile").open("a") as file:
        file.write("\n\nonsuccess:\n    print('limit:', workflow.scheduler.job_rate_limiter)\n")
    done = project.snakemake("spectrum")
    assert done.returncode == 0, done.stderr
    assert "limit: None" in done.stdout + done.stderr
