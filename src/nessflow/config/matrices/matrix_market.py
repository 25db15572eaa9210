"""Matrix Market files."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from scipy.sparse import csr_array, issparse

from nessflow.config.matrices.sizes import require_possible

_NUMBERS = {"real": 1, "integer": 1, "complex": 2}
_SYMMETRIES = ("general", "symmetric", "hermitian")


def read(path: Path, content: bytes) -> dict[str, Any]:
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
    _check_lines(lines, layout, symmetry, _NUMBERS[field])
    try:
        found = scipy.io.mmread(io.BytesIO(content))
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


def _check_lines(lines: list[bytes], layout: str, symmetry: str, numbers: int) -> None:
    """Check that the matrix is as large as is said, and how many numbers each line has.

    Memory would be taken for what is said; of more numbers some would be passed over.
    """
    is_listed = layout == "coordinate"
    width = numbers + (2 if is_listed else 0)
    expected, count = None, 0
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words or words[0].startswith(b"%"):
            continue
        text = line.decode(errors="replace").strip()[:40]
        if expected is None:
            names = ("rows", "columns", "elements")[: 3 if is_listed else 2]
            if len(words) != len(names) or not all(word.isdigit() for word in words):
                raise ValueError(
                    f"line {number}: expected the size of the matrix, {len(names)} numbers "
                    f"({', '.join(names)}), got {text!r}"
                )
            rows, columns, *listed = map(int, words)
            require_possible(rows, columns, is_full=not is_listed)
            full = rows * columns if symmetry == "general" else rows * (rows + 1) // 2
            expected = listed[0] if is_listed else full
            continue
        if len(words) != width:
            raise ValueError(f"line {number}: expected {width} numbers, got {text!r}")
        count += 1
        if count > expected:
            raise ValueError(f"line {number}: one element more than the {expected} that are said")
    if expected is None:
        raise ValueError("it ends before the size of the matrix")
    if count < expected:
        raise ValueError(f"it ends after {count} of {expected} elements")
