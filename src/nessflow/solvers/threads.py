"""One thread of linear algebra in a process that computes points: the same bits wherever it runs.

The last digits of a product of matrices depend on the number of threads that share it, and many
small products take longer with several.  Parallel is what is independent: the blocks.

Importing nessflow does it, in jobs, single points, probes of costs, tests and notebooks alike: it
sets the libraries that numpy and scipy brought along, also where they were loaded before, and no
others; environment variables are left alone.  A program that wants more threads for work of its own
sets them after the import, for instance by threadpoolctl.
"""

import ctypes
import importlib.util
from pathlib import Path

_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
    "MKL_Set_Num_Threads",
    "bli_thread_set_num_threads",
)


def libraries() -> list[ctypes.CDLL]:
    """Return the modules of numpy and scipy through which their BLAS is reached.

    Without importing these packages, which takes longer than all else that nessflow imports.
    """
    found = []
    for package, module in (("numpy", "linalg/_umath_linalg"), ("scipy", "linalg/_fblas")):
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            continue
        folder = Path(spec.origin).parent
        found += [ctypes.CDLL(str(path)) for path in folder.glob(f"{module}.*.so")]
    return found


def set_one_thread() -> None:
    """Let the BLAS of numpy and of scipy use one thread from now on.

    A reference BLAS knows no threads, and has nothing to set.
    """
    for library in libraries():
        for name in _SETTERS:
            setter = getattr(library, name, None)
            if setter is not None:
                setter(1)
