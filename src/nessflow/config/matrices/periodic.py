"""What files of periodic systems have in common."""

import numpy as np

Blocks = dict[tuple[int, int, int], np.ndarray]
_ROUNDED = 0.01
"""Of the largest element: what is taken for rounding."""


def hermitian_blocks(blocks: Blocks) -> tuple[Blocks, tuple[str, ...]]:
    """Return hoppings that are Hermitian as a whole, ``h(-R) = h(R)^+``.

    Files have few digits; of those that are left (h(R) + h(-R)^+)/2 is taken.

    Parameters
    ----------
    blocks : dict of (int, int, int) to (n, n) array
        ``<0 i|h|R j>`` by R.

    Returns
    -------
    blocks : dict of (int, int, int) to (n, n) array
        Without vectors of which all elements are 0, but for R = 0.
    remarks : tuple of str
        By how much the elements were changed, where they were.

    Raises
    ------
    ValueError
        When they differ by more than 1 % of the largest element.
    """
    size = len(next(iter(blocks.values())))
    zero = np.zeros((size, size))
    both = dict.fromkeys([*blocks, *(_opposite(vector) for vector in blocks), (0, 0, 0)])
    largest = max(abs(block).max() for block in blocks.values())
    result, worst, at = {}, 0.0, ""
    for vector in both:
        own = blocks.get(vector, zero)
        other = blocks.get(_opposite(vector), zero).conj().T
        defect = abs(own - other)
        if defect.max() > worst:
            i, j = map(int, np.unravel_index(np.argmax(defect), defect.shape))
            worst = float(defect[i, j])
            at = (
                f"<0 {i + 1}|h|{vector} {j + 1}> = {own[i, j]:g}, but the conjugate of "
                f"<0 {j + 1}|h|{_opposite(vector)} {i + 1}> is {other[i, j]:g}"
            )
        both_ways = (own + other) / 2
        if both_ways.any() or vector == (0, 0, 0):
            result[vector] = both_ways
    if worst > _ROUNDED * largest:
        raise ValueError(f"the hoppings are not Hermitian: {at}")
    remarks = (f"hoppings made Hermitian, (h + h^+)/2, which differ by {worst:.2g}",)
    return result, remarks if worst else ()


def _opposite(vector: tuple[int, int, int]) -> tuple[int, int, int]:
    x, y, z = vector
    return -x, -y, -z
