"""Tight-binding models of Wannier90: ``seedname_hr.dat``."""

from pathlib import Path
from typing import Any

import numpy as np

from nessflow.config.matrices.periodic import hermitian_blocks


def read(path: Path, content: bytes) -> dict[str, Any]:
    """Return the hoppings between the cells of a periodic system.

    A comment, the number n of orbitals, that of lattice vectors R, the degeneracies of these in
    lines of at most 15, then for each R, with n^2 lines, ``R1 R2 R3 i j Re Im`` of ``<0 i|h|R j>``,
    which the degeneracy of R divides (Wannier90 user guide, "seedname_hr.dat").

    Parameters
    ----------
    path : Path
        The file.
    content : bytes
        What is in it.

    Returns
    -------
    dict
        ``blocks``, in the energy unit of the file, and ``remarks``.

    Raises
    ------
    ValueError
        When it is no such file; with the line.
    """
    lines = content.decode(errors="replace").splitlines()
    orbitals = _count(lines, 2, "the number of orbitals")
    vectors = _count(lines, 3, "the number of lattice vectors")
    degeneracies: list[int] = []
    at = 3
    while len(degeneracies) < vectors:
        if at == len(lines):
            raise ValueError(f"it ends after {len(degeneracies)} of {vectors} degeneracies")
        degeneracies += _degeneracies(lines[at], at + 1)
        at += 1
    if len(degeneracies) > vectors:
        raise ValueError(
            f"line {at}: {len(degeneracies)} degeneracies for {vectors} lattice vectors"
        )
    rows = [(number, line) for number, line in enumerate(lines[at:], at + 1) if line.strip()]
    size = orbitals**2
    numbers = _numbers(rows[: size * vectors])
    if len(rows) != size * vectors:
        what = "ends after" if len(rows) < size * vectors else "has"
        raise ValueError(
            f"it {what} {len(rows)} elements; expected {size * vectors}, of {vectors} lattice "
            f"vectors with {orbitals} x {orbitals} each"
        )
    blocks: dict[tuple[int, int, int], np.ndarray] = {}
    for k, degeneracy in enumerate(degeneracies):
        block, first = numbers[k * size : (k + 1) * size], rows[k * size][0]
        places = block[:, :5].astype(int)
        vector = tuple(places[0, :3].tolist())
        for bad, what in (
            ((places[:, :3] != places[0, :3]).any(axis=1), f"the lattice vector is not {vector}"),
            (
                ((places[:, 3:] < 1) | (places[:, 3:] > orbitals)).any(axis=1),
                f"orbitals are counted from 1 to {orbitals}",
            ),
        ):
            if bad.any():
                raise ValueError(f"line {rows[k * size + int(np.argmax(bad))][0]}: {what}")
        if vector in blocks:
            raise ValueError(f"line {first}: the lattice vector {vector} is there twice")
        values = np.full((orbitals, orbitals), np.nan, complex)
        values[places[:, 3] - 1, places[:, 4] - 1] = (block[:, 5] + 1j * block[:, 6]) / degeneracy
        if np.isnan(values).any():
            i, j = np.argwhere(np.isnan(values))[0] + 1
            raise ValueError(
                f"line {first}: of the lattice vector {vector} the element {i} {j} is missing"
            )
        blocks[vector] = values
    blocks, remarks = hermitian_blocks(blocks)
    return {"blocks": blocks, "remarks": remarks}


def _count(lines: list[str], number: int, what: str) -> int:
    text = lines[number - 1].strip() if len(lines) >= number else ""
    if not text.isdecimal() or not 0 < int(text) < 10**6:
        raise ValueError(f"line {number}: expected {what}, got {text[:40]!r}")
    return int(text)


def _degeneracies(line: str, number: int) -> list[int]:
    words = line.split()
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(f"line {number}: expected degeneracies, got {line.strip()[:40]!r}")
    return [int(word) for word in words]


def _numbers(rows: list[tuple[int, str]]) -> np.ndarray:
    """Return the numbers of lines, seven in each."""
    words = [line.split() for _, line in rows]
    for (number, line), each in zip(rows, words, strict=True):
        if len(each) != 7:
            raise ValueError(
                f"line {number}: expected R1 R2 R3 i j Re Im, got {line.strip()[:40]!r}"
            )
    try:
        found = np.array(words, float).reshape(-1, 7)
    except ValueError:
        found = np.array([[_number(word) for word in each] for each in words])
    bad = ~np.isfinite(found).all(axis=1) | (found[:, :5] % 1 != 0).any(axis=1)
    if bad.any():
        number, line = rows[int(np.argmax(bad))]
        raise ValueError(
            f"line {number}: expected five whole and two finite numbers, got {line.strip()[:60]!r}"
        )
    return found


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return np.nan
