"""Archives of NumPy, with named arrays, and of scipy.sparse; nothing is unpickled."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
import scipy.sparse


def read(path: Path, content: bytes) -> dict[str, object]:
    """Return the matrices of an archive.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes
        What is in it.

    Returns
    -------
    dict
        ``matrices``: those of NumPy by their names; that of scipy.sparse has none.

    Raises
    ------
    ValueError
        When it is no such archive.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        what = "it is cut off" if content[:2] == b"PK" else "it is no .npz archive"
        raise ValueError(
            f"{what}; expected one of scipy.sparse.save_npz, or of numpy.savez(path, hamiltonian=h)"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if {"format", "shape"} <= set(archive.files):
                return {"matrices": {"": _of_scipy(content)}}
            return {"matrices": {name: _array(archive, name) for name in archive.files}}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError(f"it is damaged: {error}") from None


def _array(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"{name} is a pickled Python object, which is not opened; save an array of numbers"
            ) from None
        raise


def _of_scipy(content: bytes) -> scipy.sparse.csr_array:
    found = scipy.sparse.load_npz(io.BytesIO(content))
    if found.dtype.kind not in "biufc":
        raise ValueError(f"its elements are of type {found.dtype}; expected numbers")
    if hasattr(found, "check_format"):
        found.check_format(full_check=True)
    result = scipy.sparse.csr_array(found)
    result.sum_duplicates()
    return result
