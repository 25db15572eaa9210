"""Linear equations in the extended precision of long doubles."""

import numpy as np


def solved(matrix: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return ``matrix^-1 sources`` by elimination with partial pivoting, (N, s) clongdouble."""
    a = np.concatenate([matrix, sources], axis=1).astype(np.clongdouble)
    for j in range(len(a)):
        pivot = j + int(np.argmax(abs(a[j:, j])))
        a[[j, pivot]] = a[[pivot, j]]
        a[j] /= a[j, j]
        others = np.arange(len(a)) != j
        a[others] -= a[others, j, None] * a[j]
    return a[:, len(a) :]
