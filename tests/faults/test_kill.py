"""Runs that die: a plain second run completes, keeps what was finished, and changes no number."""

import os
import random
import signal
import subprocess
import time

import pytest

from conftest import CHAIN, copy_project

# Four blocks that take about as long to solve as to start.
SLOW = CHAIN.replace("sites: 6", "sites: 1000").replace(
    "samples: 20, per_block: 10", "samples: 40, per_block: 20"
)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("undisturbed") / "project", {"chain": SLOW})
    assert project.snakemake("results/chain/data.nc").returncode == 0
    return project


@pytest.fixture
def slow(tmp_path):
    return copy_project(tmp_path / "project", {"chain": SLOW})


def start(project):
    return subprocess.Popen(
        project.command("snakemake", "--cores", "2"),
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finished_blocks(project):
    folder = project.folder / "results" / "chain" / "blocks"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("seeds~?????-?????.nc")
    }


@pytest.mark.parametrize("trial", range(5))
def test_kill_of_the_whole_run(undisturbed, slow, trial):
    process = start(slow)
    time.sleep(random.Random(trial).uniform(2.0, 9.0))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = finished_blocks(slow)
    done = slow.snakemake()
    assert done.returncode == 0, done.stderr
    after = finished_blocks(slow)
    assert {name: after[name] for name in kept} == kept
    assert slow.data("chain") == undisturbed.data("chain")
    assert not list((slow.folder / "results").rglob("*.partial.nc"))
    assert not list((slow.folder / "results").rglob("*.tmp*"))


def test_kill_of_the_head_alone_leaves_no_wrong_data(undisturbed, slow):
    process = start(slow)
    time.sleep(6)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = slow.snakemake()
    assert done.returncode == 0, done.stderr
    assert slow.data("chain") == undisturbed.data("chain")


def test_two_runs_at_once(undisturbed, slow):
    first, second = start(slow), start(slow)
    assert sorted((first.wait(timeout=300), second.wait(timeout=300))) == [0, 2]
    assert slow.data("chain") == undisturbed.data("chain")


def test_a_run_beside_another_names_it(slow):
    from nessflow.store.lock import hold_run_lock

    (slow.folder / "results").mkdir()
    held = hold_run_lock(slow.folder / "results")
    done = slow.snakemake()
    assert done.returncode == 2
    assert (
        f"another run is at work here (host {os.uname().nodename}, pid {os.getpid()}" in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert "rror" not in done.stderr
    # Who only looks is not in the way.
    assert slow.jobs()["block"] == 4
    del held


def test_interrupt_keeps_finished_points(undisturbed, slow):
    process = start(slow)
    time.sleep(6)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=60)
    done = slow.snakemake()
    assert done.returncode == 0, done.stderr
    assert slow.data("chain") == undisturbed.data("chain")
