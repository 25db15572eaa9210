"""What Snakemake says on a terminal."""

import os
import pty
import re
import subprocess


def watched(project, *arguments: str) -> tuple[int, str]:
    """Run Snakemake on a terminal; return its status and what that shows, line by line."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        project.command("snakemake", "--cores", "2", *arguments),
        cwd=project.folder,
        env=project.environment | {"COLUMNS": "200"},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    said = b""
    try:
        while part := os.read(ours, 2**16):
            said += part
    except OSError:
        # How Linux says that the other end is closed.
        pass
    os.close(ours)
    return process.wait(timeout=60), said.decode().replace("\r", "\n")


def test_a_terminal_shows_how_far_a_run_is_and_no_walls_of_text(ready):
    ready.edit("config/studies/chain.yaml", "samples: 20", "samples: 30")
    ready.edit("config/studies/chain.yaml", "study:", "time_limit: 1.0e-6\nstudy:")
    status, said = watched(ready)
    assert status == 0, said
    assert "0 of 6 steps (0 %)" in said
    assert re.search(r"steps \(\d+ %\), \d0 points failed, about \d+ s left", said)
    assert "6 of 6 steps, 40 points failed" in said
    for words in ("Reason:", "jobid", "rule", "Select jobs", "points reused"):
        assert words not in said
    logs = (ready.folder / ".snakemake/log").glob("*.log")
    log = max(logs, key=lambda path: path.stat().st_mtime_ns).read_text()
    assert "Reason: Missing output files" in log
    assert "Nothing to be done" in watched(ready)[1]
    assert "Reason:" in watched(ready, "-n", "--forceall")[1]


def test_what_fails_is_said_with_the_way_out(ready):
    long = "a very long label that leaves no room at all " * 30
    ready.edit("config/studies/chain.yaml", "sel: {mu: 0.1}", f"sel: {{mu: 0.1}}, ylabel: {long}")
    status, said = watched(ready)
    assert status == 1
    assert "shorten labels or legend" in said
    assert "failed: chain: figure current, results/chain/logs/figures/current.log" in said
    assert "1 of them failed" in said
