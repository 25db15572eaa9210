"""Kwant judges systems, and sisl writes files, beside the oldest releases that are claimed."""

import os
import re
import subprocess

import pytest

from conftest import ROOT

KWANT = ROOT / ".venv-kwant"
OF_FILES = ["tests/unit/test_matrix_files.py", "tests/physics/test_own_system_numbers.py"]
OF_FILES += ["tests/unit/test_export.py"]


@pytest.mark.skipif(
    not ((KWANT / "ready").exists() or os.environ.get("CI")),
    reason="`make kwant-environment` installs it",
)
@pytest.mark.parametrize(
    "tests", [["tests/peers"], ["-m", "peer", *OF_FILES]], ids=["systems", "files"]
)
def test_beside_kwant_and_sisl(tests):
    """Kernels that these releases compile are theirs alone; no test is skipped there."""
    environment = {name: x for name, x in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [KWANT / "bin" / "python", "-m", "pytest", *tests],
        cwd=ROOT,
        env=environment | {"NUMBA_CACHE_DIR": str(KWANT / "kernels")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout
    assert not re.search(r"\bskipped\b", done.stdout), done.stdout
