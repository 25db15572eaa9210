"""Hamiltonians of Siesta and others, where the package sisl is installed."""

from pathlib import Path

import numpy as np

from nessflow.config.matrices.periodic import hermitian_blocks


def read(path: Path, content: bytes) -> dict[str, object]:
    """Return the hoppings between the cells of a periodic system, in eV, the Fermi level at 0.

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
        When sisl is not there or cannot read the file, or the system is none without overlaps and
        spin.
    """
    try:
        import sisl
    except ImportError:
        raise ValueError("such files are read by sisl: pip install sisl") from None
    try:
        found = sisl.get_sile(path).read_hamiltonian()
    except Exception as error:
        # What readers of many formats raise is of any kind.
        raise ValueError(f"sisl cannot read it: {type(error).__name__}: {error}") from None
    if not found.orthogonal:
        raise ValueError("its orbitals overlap; expected orthogonal ones")
    if not found.spin.is_unpolarized:
        raise ValueError(f"it has spin ({found.spin}); expected a system without")
    matrix, size = found.tocsr(0), found.no
    blocks = {}
    for number, vector in enumerate(found.lattice.sc_off.tolist()):
        block = matrix[:, number * size : (number + 1) * size].toarray()
        if not np.isfinite(block).all():
            raise ValueError(f"an element of the lattice vector {tuple(vector)} is not finite")
        blocks[tuple(vector)] = block
    blocks, remarks = hermitian_blocks(blocks)
    return {"blocks": blocks, "remarks": ("energies in eV", *remarks)}
