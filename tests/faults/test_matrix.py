"""A small share of the fault matrix, whose full one `make faults` makes."""

import subprocess
import sys
from pathlib import Path

import pytest
from disk import COMPILER
from matrix import ROWS, lines_of

from conftest import ROOT

SCRIPT = Path(__file__).with_name("matrix.py")


@pytest.mark.skipif(COMPILER is None, reason="the disk that fails is compiled: no C compiler here")
def test_no_fault_of_the_small_matrix_is_a_violation():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--small"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") == sum(row.small > 0 for row in ROWS.values())


def test_the_page_has_all_rows():
    assert set(lines_of(ROOT / "docs" / "faults.md")) == ROWS.keys()
