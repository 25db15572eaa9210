"""Archives of NumPy, with named arrays, and of scipy.sparse; nothing is unpickled."""

import io
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from nessflow.config.matrices.sizes import require_possible

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""Version of the format -> what reads shape, order and type of an array."""


def read(path: Path, content: bytes) -> dict[str, Any]:
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
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            for name, info in zip(names, archive.infolist(), strict=True):
                _require_array(archive, name, info)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            if {"format", "shape"} <= set(names):
                return {"matrices": {"": _of_scipy(content, arrays["shape"])}}
            return {"matrices": {name: arrays[name] for name in names}}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError(f"it is damaged: {error}") from None


def _require_array(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> None:
    """Check by its header that a member is an array of numbers, as large as the header says."""
    with archive.open(info) as stream:
        try:
            read_header = _HEADERS[np.lib.format.read_magic(stream)]
            shape, _, dtype = read_header(stream)
        except (KeyError, ValueError):
            raise ValueError(f"{name} is no array of NumPy; save an array of numbers") from None
        if dtype.hasobject:
            raise ValueError(
                f"{name} is a pickled Python object, which is not opened; save an array of numbers"
            )
        held = info.file_size - stream.tell()
    expected = math.prod(shape) * dtype.itemsize
    if expected != held or min(shape, default=0) < 0:
        raise ValueError(
            f"{name} has the shape {shape} by its header, {expected} bytes, but {held} bytes follow"
        )
    if len(shape) == 2:
        require_possible(*shape, is_full=True, what=name)


def _of_scipy(content: bytes, shape: np.ndarray) -> scipy.sparse.csr_array:
    if shape.shape != (2,) or shape.dtype.kind not in "iu" or shape.min() < 0:
        raise ValueError(f"its shape is {shape.tolist()}; expected rows and columns")
    require_possible(*shape.tolist(), is_full=False)
    found = scipy.sparse.load_npz(io.BytesIO(content))
    if found.dtype.kind not in "biufc":
        raise ValueError(f"its elements are of type {found.dtype}; expected numbers")
    if hasattr(found, "check_format"):
        found.check_format(full_check=True)
    result = scipy.sparse.csr_array(found)
    result.sum_duplicates()
    return result
