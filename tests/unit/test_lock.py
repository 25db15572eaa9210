import errno
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from nessflow.store import lock
from nessflow.store.lock import LockError, hold_run_lock, sole_writer


def test_a_full_disk_takes_no_lock_away(tmp_path, monkeypatch):
    def full(descriptor, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    hold_run_lock(tmp_path)
    assert (tmp_path / ".lock").stat().st_size == 0


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``tmp_path`` until it dies."""
    script = (
        "import sys, subprocess\n"
        "from pathlib import Path\n"
        "from nessflow.store.lock import hold_run_lock\n"
        f"hold_run_lock(Path({str(tmp_path)!r}))\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = os.environ | {"PYTHONPATH": "src"}
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    child = int(process.stdout.readline())
    yield process
    os.kill(child, signal.SIGKILL)
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_with_host_and_pid_of_the_first(tmp_path, holder):
    with pytest.raises(LockError, match=f"host {socket.gethostname()}, pid {holder.pid}\\b"):
        hold_run_lock(tmp_path)


def test_a_killed_run_leaves_no_lock_though_its_jobs_live_on(tmp_path, holder):
    holder.kill()
    holder.wait()
    hold_run_lock(tmp_path)
    assert (tmp_path / ".lock").read_text() == f"host {socket.gethostname()}, pid {os.getpid()}\n"


def test_the_same_process_may_ask_twice(tmp_path):
    hold_run_lock(tmp_path / "results")
    hold_run_lock(tmp_path / "results")


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(lock.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="no locks; do not start two runs"):
        hold_run_lock(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(LockError, match=r"results/\.lock: .*choose another"):
        hold_run_lock(tmp_path / "results")


def test_a_block_has_one_writer_at_a_time(tmp_path):
    block, events = tmp_path / "blocks" / "points.nc", []
    inside, waiting = threading.Event(), threading.Event()

    def first():
        with sole_writer(block, events.append):
            inside.set()
            assert waiting.wait(30)
            events.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(30)
    with sole_writer(block, waiting.set):
        events.append("second")
    thread.join()
    assert events == ["first", "second"]
    assert list(block.parent.iterdir()) == []


def test_a_block_is_computed_where_there_are_no_locks(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(lock.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with sole_writer(tmp_path / "points.nc", pytest.fail):
        pass
