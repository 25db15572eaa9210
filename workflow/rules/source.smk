# Jobs run this checkout with this interpreter, installed or not.  A Snakefile that came alone, as
# the module of another workflow, is run by the nessflow that is installed.
import os
import sys
from pathlib import Path

SOURCE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1] / "src"
if SOURCE.is_dir():
    sys.path.insert(0, str(SOURCE))
    PATHS = [str(SOURCE), os.environ.get("PYTHONPATH")]
    os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, PATHS)))
