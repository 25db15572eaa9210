"""Linear algebra has one thread wherever points are computed, and so the same last digits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nessflow.solvers.threads as threads
from nessflow.config.project import load_study
from nessflow.digest import SOURCE
from nessflow.run.solve import solve_block
from nessflow.store.store import read_dataset

GETTERS = (
    "scipy_openblas_get_num_threads64_",
    "scipy_openblas_get_num_threads",
    "openblas_get_num_threads64_",
    "openblas_get_num_threads",
)

NETWORK = """\
title: A layer of sites whose solver is linear algebra throughout
study: linear-response
system:
  lattice: {kind: strip, length: 12, width: 10, hopping: $t}
  loss: {kind: onsite, rate: 0.2}
  leads:
    left:  {kind: wide-band, broadening: 1.1, chemical_potential: 0, temperature: 0}
    right: {kind: wide-band, broadening: 1.1, chemical_potential: 0, temperature: 0}
axes:
  t: {inner: [0.7, 1.0], natural_units: t, long_name: hopping}
"""

DENSE = """\
title: Levels that are all coupled with each other
study: transmission
system:
  lattice: {kind: matrix, hamiltonian: HAMILTONIAN}
  leads:
    left:  {kind: wide-band, broadening: $b, chemical_potential: 0, temperature: 0, site: 1}
    right: {kind: wide-band, broadening: 1.1, chemical_potential: 0, temperature: 0, site: 2}
energies: {start: -3, stop: 3, points: 5}
axes:
  b: {inner: [0.5, 1.0]}
"""


def dense(sites: int) -> str:
    matrix = np.random.default_rng(1).uniform(-1, 1, (sites, sites)).round(3)
    return DENSE.replace("HAMILTONIAN", str((matrix + matrix.T).round(3).tolist()))


def threads_of(library) -> int | None:
    return next((getattr(library, name)() for name in GETTERS if hasattr(library, name)), None)


def test_the_libraries_of_this_process_have_one_thread():
    assert len(threads.libraries()) == 2
    assert {threads_of(library) for library in threads.libraries()} <= {1, None}


ORDERS = {
    "numpy first": "import numpy, scipy.linalg, nessflow",
    "nessflow first": "import nessflow, numpy, scipy.linalg",
    "the command": "import nessflow.cli",
    "a solver": "import numpy; from nessflow.scattering import currents",
}


@pytest.mark.parametrize("order", ORDERS)
def test_imports_in_any_order_and_environment(order):
    code = f"{ORDERS[order]}; import nessflow.solvers.threads as t, test_threads as test"
    code += "; print([test.threads_of(library) for library in t.libraries()])"
    paths = [str(SOURCE), str(Path(__file__).parent)]
    environment = {"OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.replace("None", "null"))) <= {1, None}


def test_environment_variables_are_left_alone():
    code = "import os; before = dict(os.environ); import nessflow.cli; print(before == os.environ)"
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize("text", [NETWORK, dense(30), dense(90)], ids=["layer", "30", "90"])
def test_a_single_point_has_the_bits_of_its_block(tmp_path, text):
    """Whatever the environment says, and for matrices that libraries share among threads."""
    path = tmp_path / "network.yaml"
    path.write_text(text)
    study = load_study(path)
    (block,) = study.blocks
    solve_block(block, tmp_path)
    data = read_dataset(block.file(tmp_path))
    assert not data["status"].any(), data["message"].values
    (axis,) = study.axes
    setting = f"{axis.name}={axis.labels[-1]}"
    done = subprocess.run(
        [sys.executable, "-m", "nessflow", "point", str(path), "--json", "--set", setting],
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    one = data.isel({axis.name: -1})
    for name, entry in json.loads(done.stdout)["observables"].items():
        value = np.array(entry["value"], dtype=float)
        np.testing.assert_array_equal(value, one[name].values, err_msg=name)
