"""Devices that take no line: what was to be told is lost, and nothing else."""

import subprocess

import pytest

from nessflow.store.store import read_dataset

SOLVE = ("nessflow", "solve", "spectrum", "points.nc")


def run(project, arguments, **streams):
    return subprocess.run(
        project.command(*arguments),
        cwd=project.folder,
        env=project.environment,
        text=True,
        timeout=300,
        **streams,
    )


def test_a_log_that_cannot_be_written_costs_no_point(project):
    log = ("--log", "/dev/full")
    done = run(project, [*SOLVE, *log], capture_output=True)
    assert done.returncode == 0
    assert "2 computed" in done.stderr
    assert "/dev/full: cannot write: No space left on device; the work goes on" in done.stderr
    assert "Traceback" not in done.stderr
    done = run(project, ["nessflow", "gather", "spectrum", *log], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert not read_dataset(project.folder / "results/spectrum/data.nc")["status"].any()


def test_a_folder_in_the_place_of_a_log(project):
    done = run(project, [*SOLVE, "--log", "config"], capture_output=True)
    assert done.returncode == 0
    assert "config: cannot write: Is a directory" in done.stderr


@pytest.mark.parametrize("stderr", ["/dev/full", None])
def test_a_block_needs_nobody_who_listens(project, stderr):
    redirection = "2>&-" if stderr is None else f"2>{stderr}"
    command = " ".join(project.command(*SOLVE))
    environment, folder = project.environment, project.folder
    shell = ["/bin/sh", "-c", f"{command} {redirection}"]
    assert subprocess.run(shell, cwd=folder, env=environment, timeout=300).returncode == 0
    assert not read_dataset(project.folder / "results/spectrum/blocks/points.nc")["status"].any()


def test_output_that_cannot_be_printed_is_named(project):
    with open("/dev/full", "w") as full:
        done = run(project, ["nessflow", "plan"], stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 2
        assert done.stderr == "standard output: cannot write: No space left on device\n"
        # The status tells, where no message can.
        assert run(project, ["nessflow", "plan", "chian"], stderr=full).returncode == 2
