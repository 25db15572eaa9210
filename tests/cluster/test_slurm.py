"""The whole workflow on a cluster of real Slurm daemons, and what goes wrong there."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from slurm_cluster import missing_programs, slurm_cluster

from conftest import CHAIN, ROOT, SPECTRUM, Project, copy_project
from nessflow.verbs.workflow import read_project

pytestmark = pytest.mark.cluster

KIND = Path(__file__).with_name("pausing.py")
ALL_BLOCKS = Path(__file__).with_name("all_blocks.py")
STUDY = """\
title: Points that take their time
study: pausing
pause: $wait
number: $n
axes:
  wait: {{outer: {waits}}}
  n: {{inner: {{linspace: [1, {points}, {points}]}}}}
"""


@pytest.fixture(scope="module")
def slurm():
    """Environment of a running cluster; where Slurm must be tested its absence is an error."""
    missing = missing_programs()
    if find_spec("snakemake_executor_plugin_slurm") is None:
        missing.append("snakemake-executor-plugin-slurm (make slurm-environment)")
    if missing:
        reason = f"no Slurm on this machine: {', '.join(missing)}; see docs/cluster.md"
        if os.environ.get("NESSFLOW_CLUSTER_TESTS") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with slurm_cluster() as environment:
        yield environment


def pausing_project(folder: Path, waits: list[float], points: int) -> Project:
    project = copy_project(folder, {"pausing": STUDY.format(waits=waits, points=points)})
    shutil.copy(KIND, folder / "src" / "nessflow" / "kinds")
    return project


def start(project: Project, slurm, *arguments: str) -> subprocess.Popen:
    """Start a run on the cluster that looks often at its jobs; its output goes to ``head.log``."""
    options = ["--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "20"]
    with (project.folder / "head.log").open("a") as log:
        return subprocess.Popen(
            project.command("snakemake", "--profile", "profiles/slurm", *options, *arguments),
            cwd=project.folder,
            env=project.environment | slurm | {"PYTHONPATH": project.environment["PYTHONPATH"]},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finish(process: subprocess.Popen, project: Project) -> str:
    """Wait for the end of a run that must succeed; return its output."""
    code = process.wait(timeout=900)
    text = head_log(project)
    assert code == 0, text
    return text


def head_log(project: Project) -> str:
    return (project.folder / "head.log").read_text()


def ask(slurm, *command: str) -> str:
    done = subprocess.run(command, env=slurm, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def jobs_of(slurm, project: Project) -> dict[str, dict[str, str]]:
    """Return what Slurm knows of each job of a project, by job number."""
    names = ("state", "time_limit", "memory", "processors")
    lines = ask(slurm, "squeue", "-h", "--states=all", "-o", "%i|%Z|%T|%l|%m|%C").splitlines()
    rows = [line.split("|") for line in lines]
    return {
        number: dict(zip(names, values, strict=True))
        for number, folder, *values in rows
        if folder == str(project.folder)
    }


def until(condition, process: subprocess.Popen, project: Project):
    """Wait while a run is at work until a condition holds; return its value."""
    end = time.monotonic() + 300
    while not (value := condition()):
        assert process.poll() is None, head_log(project)
        assert time.monotonic() < end, head_log(project)
        time.sleep(0.5)
    return value


def job_of(slurm, project: Project, pause: str, state: str) -> str | None:
    """Return the number of the job that has a state and the block with a pause."""
    for number, job in jobs_of(slurm, project).items():
        if job["state"] == state:
            script = ask(slurm, "scontrol", "write", "batch_script", number, "-")
            if f"block=wait~{pause}/points" in script:
                return number
    return None


def hashes(project: Project) -> dict[str, str]:
    """Return SHA-256 of every block of a project."""
    return {
        str(path.relative_to(project.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (project.folder / "results").rglob("*.nc")
    }


def points_done(project: Project, pause: str) -> int:
    log = project.folder / "points.log"
    return len(re.findall(rf"^{pause} ", log.read_text(), re.M)) if log.exists() else 0


def block_log(project: Project, pause: str) -> str:
    return (project.folder / f"results/pausing/logs/wait~{pause}/points.log").read_text()


@pytest.fixture(scope="module")
def disturbed(slurm, tmp_path_factory):
    """A run whose jobs are killed, cancelled when pending, cancelled when running, and too long."""
    waits = [0.05, 0.1, 0.3, 1]
    project = pausing_project(tmp_path_factory.mktemp("disturbed") / "p", waits, 100)
    (project.folder / "kill-0.05").touch()
    ask(slurm, "scontrol", "update", "PartitionName=main", "State=DOWN")
    resources = ["--group-components", "blocks=1", "--set-resources", "block:runtime=attempt"]
    process = start(project, slurm, *resources)
    pending = until(lambda: job_of(slurm, project, "0.1", "PENDING"), process, project)
    ask(slurm, "scancel", pending)
    ask(slurm, "scontrol", "update", "PartitionName=main", "State=UP")
    until(lambda: points_done(project, "0.3") > 5, process, project)
    running = job_of(slurm, project, "0.3", "RUNNING")
    ask(slurm, "scancel", running)
    yield project, process, pending, running
    if process.poll() is None:
        process.kill()


def test_a_run_on_the_cluster_gives_the_bytes_of_a_local_one(disturbed, slurm, finished, tmp_path):
    project = copy_project(tmp_path / "p", {"chain": CHAIN, "spectrum": SPECTRUM})
    finish(start(project, slurm, "--group-components", "blocks=3"), project)
    for study in ("chain", "spectrum"):
        assert project.data(study) == finished.data(study)
        for path in (finished.folder / "results" / study / "figures").glob("*.svg"):
            assert (project.folder / "results" / study / "figures" / path.name).exists()
    # Five blocks in two jobs on one processor each; data sets and figures made here.
    jobs = jobs_of(slurm, project).values()
    assert sorted(job["time_limit"] for job in jobs) == ["20:00", "30:00"]
    assert {(job["state"], job["memory"], job["processors"]) for job in jobs} == {
        ("COMPLETED", "1000M", "1")
    }
    assert "Nothing to be done" in finish(start(project, slurm), project)


def test_every_kind_on_the_cluster_gives_the_bytes_of_one_local_process(disturbed, slurm, tmp_path):
    studies = read_project(ROOT, tier="smoke").studies
    first = {study.kind_name: name for name, study in sorted(studies.items(), reverse=True)}
    local, cluster = (copy_project(tmp_path / name, {}) for name in ("local", "cluster"))
    for project in (local, cluster):
        shutil.copytree(ROOT / "config", project.folder / "config", dirs_exist_ok=True)
        project.edit("config/config.yaml", "studies: all", f"studies: {[*first.values()]}")
    blocks = ("--until", "block", "--config", "tier=smoke")
    process = start(cluster, slurm, *blocks, "--group-components", "blocks=10")
    command = [sys.executable, ALL_BLOCKS]
    subprocess.run(command, cwd=local.folder, env=local.environment, check=True, timeout=900)
    finish(process, cluster)
    jobs = jobs_of(slurm, cluster).values()
    assert {job["state"] for job in jobs} == {"COMPLETED"}
    assert len(jobs) > 2
    expected = hashes(local)
    assert len(expected) >= len(first)
    assert expected.items() <= hashes(cluster).items()


def test_after_a_kill_of_the_head_no_point_is_computed_twice(disturbed, slurm, tmp_path):
    project = pausing_project(tmp_path / "p", [0.2, 1], 60)
    first = start(project, slurm, "--group-components", "blocks=1")
    for pause in ("0.2", "1"):
        until(lambda pause=pause: points_done(project, pause) > 3, first, project)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = start(project, slurm, "--group-components", "blocks=2")
    finish(second, project)
    points = Counter((project.folder / "points.log").read_text().split("\n")[:-1])
    assert len(points) == 120
    assert set(points.values()) == {1}
    assert "60 points reused, 0 computed" in block_log(project, "0.2")
    assert "60 points reused, 0 computed" in block_log(project, "1")


def test_killed_cancelled_and_late_jobs_are_noticed_and_go_on(disturbed, slurm):
    project, process, pending, running = disturbed
    text = finish(process, project)
    assert not (project.folder / "kill-0.05").exists()
    assert text.count("Trying to restart job") == 4
    assert "CANCELLED" in text
    assert "DUE TO TIME LIMIT" in text
    jobs = jobs_of(slurm, project)
    assert jobs[pending]["state"] == jobs[running]["state"] == "CANCELLED"
    ends = Counter((job["state"], job["time_limit"], job["memory"]) for job in jobs.values())
    assert ends == {
        ("CANCELLED", "1:00", "1000M"): 2,
        ("FAILED", "1:00", "1000M"): 1,
        ("TIMEOUT", "1:00", "1000M"): 1,
        ("COMPLETED", "2:00", "2000M"): 4,
    }
    # Each point once: what was finished was saved when the job was told to end.
    points = Counter((project.folder / "points.log").read_text().split("\n")[:-1])
    assert len(points) == 400
    assert set(points.values()) == {1}
    for pause in ("0.3", "1"):
        reused, computed = re.search(
            r"(\d+) points reused, (\d+)", block_log(project, pause)
        ).groups()
        assert int(reused) > 3
        assert int(reused) + int(computed) == 100
