"""How a program of others is asked: in its own environment, with what it says shown."""

import os
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

JUDGES = ROOT / ".venv-judges" / "bin"
needs_judges = pytest.mark.skipif(
    not (JUDGES.is_dir() or os.environ.get("CI")), reason="`make judges-environment` installs them"
)


def judge(capsys: pytest.CaptureFixture, *command: object) -> None:
    """Run a judge and show what it says."""
    done = subprocess.run(
        [str(part) for part in command],
        # One thread: on busy cores those of small matrices wait for each other ten times longer.
        env={key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    with capsys.disabled():
        print(f"\n{Path(str(command[0])).name}\n{done.stdout}")
    assert done.returncode == 0, f"{command[0]} ends with status {done.returncode}"
