"""Matrix Market files."""

import io
import re
from pathlib import Path

import numpy as np
import scipy.io
from scipy.sparse import csr_array, issparse

_NUMBERS = {"real": 1, "integer": 1, "complex": 2}
_SYMMETRIES = ("general", "symmetric", "hermitian")


def read(path: Path, content: bytes) -> dict[str, object]:
    """Return the matrix of a file.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes
        What is in it.

    Returns
    -------
    dict
        ``matrices``: one without a name; sparse where the file lists its elements.

    Raises
    ------
    ValueError
        When it is no Matrix Market file, or of a kind that is no Hamiltonian; with the line.
    """
    lines = content.splitlines()
    words = lines[0].decode(errors="replace").lower().split() if lines else []
    if len(words) != 5 or words[:2] != ["%%matrixmarket", "matrix"]:
        raise ValueError(
            "line 1: expected %%MatrixMarket matrix, then coordinate or array, real or complex, "
            "general, symmetric or hermitian"
        )
    layout, field, symmetry = words[2:]
    if field not in _NUMBERS:
        raise ValueError(f"line 1: a {field} matrix has no values; expected real or complex")
    if symmetry not in _SYMMETRIES:
        raise ValueError(f"line 1: a {symmetry} matrix is not Hermitian")
    if field == "complex" and symmetry == "symmetric":
        raise ValueError(
            "line 1: a complex symmetric matrix, h[j,k] = h[k,j], is not Hermitian; write "
            "hermitian where h[j,k] is the conjugate of h[k,j]"
        )
    _check_columns(lines, layout, _NUMBERS[field])
    try:
        found = scipy.io.mmread(io.BytesIO(content), spmatrix=False)
    except (ValueError, OverflowError) as error:
        raise ValueError(re.sub("^Line ", "line ", str(error)).rstrip(".")) from None
    if not issparse(found):
        return {"matrices": {"": np.asarray(found)}}
    result = csr_array(found)
    result.sum_duplicates()
    if result.nnz < found.nnz:
        at = np.ravel_multi_index(found.coords, found.shape)
        values, counts = np.unique(at, return_counts=True)
        i, j = np.unravel_index(values[np.argmax(counts)], found.shape)
        one = "; of a matrix that is not general one triangle is listed"
        raise ValueError(
            f"the element [{i + 1},{j + 1}] is listed twice{one if symmetry != 'general' else ''}"
        )
    return {"matrices": {"": result}}


def _check_columns(lines: list[bytes], layout: str, numbers: int) -> None:
    """Check how many numbers each line has, of which more would be passed over."""
    expected = numbers + (2 if layout == "coordinate" else 0)
    is_size = True
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words or words[0].startswith(b"%"):
            continue
        count = (3 if layout == "coordinate" else 2) if is_size else expected
        if len(words) != count:
            what = "the size of the matrix, " if is_size else ""
            text = line.decode(errors="replace").strip()[:40]
            raise ValueError(f"line {number}: expected {what}{count} numbers, got {text!r}")
        is_size = False
    if is_size:
        raise ValueError("it ends before the size of the matrix")
