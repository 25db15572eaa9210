"""A point that ends its process costs itself and no other point."""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from conftest import Project, copy_project
from nessflow.store.store import read_dataset

KIND = Path(__file__).with_name("deadly.py")
STUDY = """\
title: Points of which some are deadly
study: deadly
number: $n
axes:
  n: {inner: {linspace: [1, 20, 20]}}
"""
ORDERS = {4: "crash", 9: "once", 13: "memory", 17: "exit"}


@pytest.fixture
def deadly(tmp_path) -> Project:
    project = copy_project(tmp_path / "p", {"deadly": STUDY})
    shutil.copy(KIND, project.folder / "src" / "nessflow" / "kinds")
    for number, order in ORDERS.items():
        (project.folder / f"order-{number}").write_text(order)
    return project


def test_points_that_end_their_process_fail_and_all_others_are_kept(deadly):
    done = deadly.snakemake("deadly")
    assert done.returncode == 0, done.stderr
    data = read_dataset(deadly.folder / "results/deadly/data.nc")
    status = dict(zip(data["n"].values.tolist(), data["status"].values.tolist(), strict=True))
    assert [n for n, value in status.items() if value] == [4, 13, 17]
    kept = data["square"].where(data["status"] == 0, drop=True)
    np.testing.assert_array_equal(kept, kept["n"] ** 2)
    messages = dict(zip(status, data["message"].values.tolist(), strict=True))
    assert "ended twice, by SIGSEGV" in messages[4]
    assert "ended twice, by SIGKILL; out of memory?" in messages[13]
    assert messages[17] == "SystemExit: enough"
    # Each deadly point was tried twice, and what was flushed before it is not computed again.
    counts = Counter(map(int, (deadly.folder / "points.log").read_text().split()))
    assert counts[4] == counts[9] == counts[13] == 2
    assert "deadly points: process ended by SIGSEGV at {'n': '4'}" in done.stderr
    for number in ORDERS:
        (deadly.folder / f"order-{number}").unlink(missing_ok=True)
    assert deadly.nessflow("retry", "deadly").returncode == 0
    assert deadly.snakemake("deadly").returncode == 0
    assert not read_dataset(deadly.folder / "results/deadly/data.nc")["status"].any()


def test_bytes_do_not_depend_on_a_death(deadly, tmp_path):
    for number in (4, 13, 17):
        (deadly.folder / f"order-{number}").unlink()
    assert deadly.snakemake("deadly").returncode == 0
    assert not (deadly.folder / "order-9").exists()
    calm = copy_project(tmp_path / "calm", {"deadly": STUDY})
    shutil.copy(KIND, calm.folder / "src" / "nessflow" / "kinds")
    assert calm.snakemake("deadly").returncode == 0
    assert deadly.data("deadly") == calm.data("deadly")


def test_a_single_point_that_fails_is_one_line(deadly):
    (deadly.folder / "order-5").write_text("error")
    done = deadly.nessflow("point", "deadly", "--set", "n=5")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("deadly: this point fails: ZeroDivisionError: no number (deadly.py:")


def test_a_run_in_one_process_survives_deadly_points(deadly):
    done = deadly.nessflow("run")
    assert done.returncode == 0, done.stderr
    data = read_dataset(deadly.folder / "results/deadly/data.nc")
    assert data["n"].values[data["status"].values != 0].tolist() == [4, 13, 17]
    counts = Counter(map(int, (deadly.folder / "points.log").read_text().split()))
    assert counts[4] == counts[9] == counts[13] == 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_run_in_one_process_that_is_stopped_loses_no_finished_point(deadly, name):
    for number in ORDERS:
        (deadly.folder / f"order-{number}").unlink()
    (deadly.folder / "order-10").write_text("wait")
    process = subprocess.Popen(
        deadly.command("nessflow", "run"),
        cwd=deadly.folder,
        env=deadly.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = deadly.folder / "points.log"
    while process.poll() is None and not (log.exists() and "10" in log.read_text().split()):
        time.sleep(0.1)
    beside = deadly.nessflow("run")
    assert beside.returncode == 2
    assert "another run is at work here" in beside.stderr
    # A terminal interrupts all processes; who kills knows one of them.
    send = os.killpg if name == "SIGINT" else os.kill
    send(process.pid, signal.Signals[name])
    # The one that computes holds the stream, too: its end is the end of both.
    (said,) = process.communicate(timeout=60)[1:]
    assert said.count("stopped; finished points are kept") == 1, said
    assert "Traceback" not in said
    (deadly.folder / "order-10").unlink()
    assert deadly.nessflow("run").returncode == 0
    assert Counter(map(int, log.read_text().split())) == Counter([*range(1, 21), 10])
