"""Hamiltonians of Siesta, where the package sisl is installed."""

from pathlib import Path
from typing import Any

import numpy as np

from nessflow.config.matrices.periodic import hermitian_blocks

_ENDINGS = (".TSHS", ".HSX", ".nc")
"""Files that hold all that is read from them; of others sisl reads what lies beside them too."""
_OF_SIZES = 3
"""Records of the beginning that hold counts."""
_NETCDF = (b"\x89HDF\r\n\x1a\n", b"CDF")


def read(path: Path, content: bytes) -> dict[str, Any]:
    """Return the hoppings between the cells of a periodic system, in eV, the Fermi level at 0.

    With spin an orbital of the file is two: up, then down.

    Parameters
    ----------
    path : Path
        The file, whose ending tells its format to sisl.
    content : bytes
        What is in it.

    Returns
    -------
    dict
        ``blocks``, and ``remarks``.

    Raises
    ------
    ValueError
        When sisl is not there or cannot read the file, or its orbitals overlap.
    """
    try:
        import sisl
    except ImportError:
        raise ValueError("such files are read by sisl: pip install sisl") from None
    if path.suffix not in _ENDINGS:
        raise ValueError(f"expected a file of Siesta, {', '.join(_ENDINGS)}")
    if path.suffix != ".nc":
        _require_records(content)
    elif not content.startswith(_NETCDF):
        raise ValueError("it is no netCDF file; expected one of Siesta or of sisl")
    try:
        with sisl.get_sile(path) as file:
            found = file.read_hamiltonian()
    except Exception as error:
        # What readers of many formats raise is of any kind.
        why = getattr(error, "strerror", None) or error
        raise ValueError(
            f"sisl cannot read it as {path.suffix} of Siesta, which it may be by its name alone: "
            f"{type(error).__name__}: {why}"
        ) from None
    if not found.orthogonal:
        raise ValueError(
            "its orbitals overlap, and energies of such a basis are no Hamiltonian alone; expected "
            "orthogonal orbitals, such as those of Wannier90 (_hr.dat)"
        )
    matrix, each = _matrix(found)
    size = found.no * each
    blocks = {}
    for number, vector in enumerate(found.lattice.sc_off.tolist()):
        block = matrix[:, number * size : (number + 1) * size]
        if not np.isfinite(block).all():
            raise ValueError(f"an element of the lattice vector {tuple(vector)} is not finite")
        blocks[tuple(vector)] = block
    blocks, remarks = hermitian_blocks(blocks)
    return {"blocks": blocks, "remarks": ("energies in eV", *remarks)}


def _matrix(found: Any) -> tuple[np.ndarray, int]:
    """Return the elements between a cell and all cells, and the rows of each orbital.

    The parts of a matrix with spin are those of `sisl.physics.Spin`: up and down; the real and
    imaginary part of up-down; and, with spin-orbit coupling, the imaginary parts of up and of down,
    and both of down-up.
    """
    parts = [found.tocsr(k).toarray() for k in range(found.shape[2])]
    spin = found.spin
    if spin.is_unpolarized:
        return parts[0], 1
    if not (spin.is_polarized or spin.is_noncolinear or spin.is_spinorbit):
        raise ValueError(f"it has {spin}; expected no spin, or particles with one")
    up, down, *mixed = parts
    up_down = down_up = np.zeros_like(up)
    if len(mixed) in (1, 2) and found.dtype.kind == "c":
        up_down, down_up = mixed[0], mixed[-1] if len(mixed) == 2 else mixed[0].conj()
    elif mixed:
        up_down = mixed[0] + 1j * mixed[1]
        down_up = up_down.conj()
        if spin.is_spinorbit:
            up, down, down_up = up + 1j * mixed[2], down + 1j * mixed[3], mixed[4] + 1j * mixed[5]
    result = np.zeros((2 * up.shape[0], 2 * up.shape[1]), np.result_type(up, up_down))
    result[::2, ::2], result[::2, 1::2] = up, up_down
    result[1::2, ::2], result[1::2, 1::2] = down_up, down
    return result, 2


def _require_records(content: bytes) -> None:
    """Check that a file is made of records of Fortran, each with its length before and behind it.

    What a damaged one says of its size would be believed, and memory taken: counts stand in the
    first records, and nothing that is counted takes less than a byte.
    """
    at, number = 0, 0
    while at < len(content):
        number += 1
        before = int.from_bytes(content[at : at + 4], "little", signed=True)
        end = at + 4 + abs(before)
        after = int.from_bytes(content[end : end + 4], "little", signed=True)
        if end + 4 > len(content) and number > 1:
            raise ValueError(f"it is cut off in its record {number}")
        if end + 4 > len(content) or abs(after) != abs(before):
            raise ValueError("it is no file of Siesta: it is not made of records of Fortran")
        counts = np.frombuffer(content[at + 4 : end][: abs(before) // 4 * 4], "<i4")
        if number <= _OF_SIZES and counts.size <= 8 and counts.max(initial=0) > len(content):
            raise ValueError(
                f"its record {number} says that there are {counts.max()} of something, in a file "
                f"of {len(content)} bytes"
            )
        at = end + 4
    if not number:
        raise ValueError("it is empty")
