# Reads and checks the configuration once; everything below asks `PROJECT`.
import os
import shlex
import sys
from pathlib import Path

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))
# Jobs run this checkout with this interpreter, installed or not.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")])
)
# Each file has one writer; the locks of HDF5 fail on some shared file systems.
os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"
NESSFLOW = f"{shlex.quote(sys.executable)} -m nessflow"

from nessflow.workflow import open_project, run_lock, settle_results

PROJECT = open_project(ROOT, config)
if workflow.is_main_process:
    settle_results(ROOT, PROJECT)
RESULTS = PROJECT.results.as_posix()


wildcard_constraints:
    study="[a-z0-9][a-z0-9-]*",
    block=r"[^\s]+",


onstart:
    run_lock(PROJECT)
