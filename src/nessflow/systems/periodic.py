"""Systems cut out of periodic ones, which are given by the hoppings between their cells."""

import math
from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_array, eye_array, kron

from nessflow.parts import KeyedError
from nessflow.systems.described import Described
from nessflow.systems.lattices.lattice import MOST, Continuation

Vector = tuple[int, int, int]
_DIRECTIONS = 3


def cut(
    blocks: Mapping[Vector, np.ndarray],
    direction: int,
    cells: int,
    width: Mapping[int, int],
    phase: Mapping[int, float],
    fermi_energy: float,
) -> Described:
    """Return a piece of a periodic system, with leads that continue it.

    Row ``((x - 1) W + y - 1) n + i - 1`` is orbital i of the cell x along the direction and y
    across, all from 1; with two directions across y is ``(y_1 - 1) W_2 + y_2``.  Hoppings that
    reach r cells along the direction make cells of a lead of r of these.

    Parameters
    ----------
    blocks : mapping of (int, int, int) to (n, n) array
        ``<0 i|h|R j>`` by R, Hermitian as a whole.
    direction : int
        Lattice vector along which the leads go on, from 1.
    cells : int
        Cells along it, L.
    width : mapping of int to int
        Cells along other lattice vectors, with open boundaries.
    phase : mapping of int to float
        Phase ``k a`` from cell to cell along those that it is periodic in, in rad.
    fermi_energy : float
        Energy that becomes 0.

    Returns
    -------
    Described
        With leads ``left`` and ``right``; sites are cells.

    Raises
    ------
    KeyedError
        At the key that does not fit.
    """
    others = [d for d in range(1, _DIRECTIONS + 1) if d != direction]
    for key, given in (("width", width), ("phase", phase)):
        for each in given:
            if each not in others:
                said = "is that of the leads" if each == direction else "is none of 1, 2, 3"
                raise KeyedError(f"lattice vector {each} {said}", key, each, of_key=True)
    if both := set(width) & set(phase):
        (each, *_) = sorted(both)
        raise KeyedError(f"lattice vector {each} has a width as well", "phase", each, of_key=True)
    columns: dict[int, csr_array] = {}
    reach = {d: max(abs(vector[d - 1]) for vector in blocks) for d in others}
    for d in others:
        if reach[d] and d not in width and d not in phase:
            raise KeyedError(
                f"hoppings reach {reach[d]} cells along lattice vector {d}; add width: "
                f"{{{d}: 4}} for 4 cells with open boundaries, or phase: {{{d}: 0.5}} for a wave "
                "of this phase from cell to cell",
            )
    size = len(next(iter(blocks.values())))
    if (count := cells * math.prod(width.values()) * size) > MOST:
        raise KeyedError(f"{count} orbitals are too many (at most {MOST:.0e})")
    for vector, block in blocks.items():
        if vector == (0, 0, 0):
            block = block - fermi_energy * np.eye(size)
        block = block * np.exp(1j * sum(phase[d] * vector[d - 1] for d in phase))
        for d in reversed(others):
            if d in width:
                block = kron(eye_array(width[d], k=vector[d - 1]), csr_array(block))
        step = vector[direction - 1]
        columns[step] = columns.get(step, 0) + csr_array(block)
    steps = {step: matrix for step, matrix in columns.items() if abs(matrix).sum() or step == 0}
    reach_along = max(steps)
    if not reach_along:
        raise KeyedError(f"nothing hops along lattice vector {direction}", "direction")
    if cells < reach_along:
        raise KeyedError(
            f"hoppings reach {reach_along} cells, so that leads on both sides need as many",
            "cells",
        )
    along = {d: width[d] for d in others if width.get(d, 1) > 1}
    places = np.indices((cells, *along.values())).reshape(1 + len(along), -1).T + 1.0
    across = steps[0].shape[0]
    count = reach_along * across
    sides = {
        side: Continuation(
            rows,
            _stacked(steps, reach_along).toarray(),
            _stacked(steps, reach_along, reach_along * sign).toarray(),
            _stacked(steps, reach_along, reach_along * sign).toarray(),
        )
        for side, sign, rows in (
            ("left", -1, np.arange(count)),
            ("right", 1, np.arange(cells * across - count, cells * across)),
        )
    }
    return Described(_real(_stacked(steps, cells)), sides, orbitals=size, positions=places)


def _stacked(steps: Mapping[int, csr_array], cells: int, away: int = 0) -> csr_array:
    """Return what couples some cells in a row to as many, some cells away."""
    size = steps[0].shape[0] * cells
    found = csr_array((size, size))
    for step, matrix in steps.items():
        if abs(step - away) < cells:
            found = found + kron(eye_array(cells, k=step - away), matrix)
    return csr_array(found)


def _real(matrix: csr_array) -> csr_array:
    return matrix if matrix.data.imag.any() else matrix.real
