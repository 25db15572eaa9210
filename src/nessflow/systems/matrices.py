"""Hermitian matrices, tridiagonal, sparse or dense, and what each must obey."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

_ROUNDING = 1e-12
"""Departure from a Hermitian or positive matrix, relative to its norm, taken for rounding."""
_BLOCK = 65_536
"""Rows of a tridiagonal matrix that are worked on at a time: no temporary array is as long."""
_SMALL = 200
"""Sites up to which eigenvalues of a sparse matrix are those of the dense one."""


def _read_only(values: np.ndarray, dtype: type) -> np.ndarray:
    """Return an array that cannot be written; one element in memory if all are alike."""
    if (values == values[:1]).all():
        return np.broadcast_to(values[:1].astype(dtype), values.shape)
    if values.flags.writeable or not values.flags.owndata or values.dtype != dtype:
        values = np.array(values, dtype)
    values.flags.writeable = False
    return values


@dataclass(frozen=True, eq=False)
class Tridiagonal:
    """Hermitian tridiagonal matrix.

    Elements that are all alike, such as the hoppings of a uniform chain, are stored once.  Arrays
    are copied, except those that are read-only, which are kept.

    Parameters
    ----------
    diagonal : (N,) array of float
        Diagonal elements.
    upper : (N-1,) array of float or complex, or a number
        Elements ``(j, j+1)``, or what all of them are; the elements below the diagonal are their
        conjugates.  Stored as float if all are real.

    Raises
    ------
    ValueError
        When the diagonal is not real, a length is wrong or a value is not finite.
    """

    diagonal: np.ndarray
    upper: np.ndarray = 0.0  # type: ignore[assignment]  # a number becomes an array of it

    def __post_init__(self) -> None:
        diagonal, upper = np.asarray(self.diagonal), np.asarray(self.upper)
        if upper.ndim == 0:
            upper = np.broadcast_to(upper, (max(diagonal.size - 1, 0),))
        if diagonal.ndim != 1 or diagonal.size == 0 or upper.shape != (diagonal.size - 1,):
            raise ValueError(
                f"a tridiagonal matrix needs N >= 1 diagonal and N-1 upper elements, "
                f"got shapes {diagonal.shape} and {upper.shape}"
            )
        if np.iscomplexobj(diagonal):
            j = int(np.argmax(abs(diagonal.imag)))
            if diagonal[j].imag != 0:
                raise ValueError(
                    f"the diagonal of a Hermitian matrix is real, got {diagonal[j]} at site {j}"
                )
            diagonal = diagonal.real
        if np.iscomplexobj(upper) and not upper.imag.any():
            upper = upper.real
        diagonal = _read_only(diagonal, float)
        upper = _read_only(upper, complex if np.iscomplexobj(upper) else float)
        for name, values in (("diagonal", diagonal), ("upper", upper)):
            if not np.isfinite(values).all():
                j = int(np.argmin(np.isfinite(values)))
                raise ValueError(f"{name} element {j} is not finite: {values[j]}")
        object.__setattr__(self, "diagonal", diagonal)
        object.__setattr__(self, "upper", upper)

    @classmethod
    def zero(cls, sites: int) -> "Tridiagonal":
        """Return the zero matrix.

        Parameters
        ----------
        sites : int
            Number of rows N.

        Returns
        -------
        Tridiagonal
            Of N sites.
        """
        return cls(np.zeros(sites))

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix."""
        return self.diagonal.size, self.diagonal.size

    @property
    def T(self) -> "Tridiagonal":
        """Transposed matrix, the same object if it is real."""
        real = not np.iscomplexobj(self.upper)
        return self if real else Tridiagonal(self.diagonal, self.upper.conj())

    @cached_property
    def interval(self) -> tuple[float, float]:
        """What Gershgorin's discs extend from and to."""
        return _interval(self)

    @cached_property
    def sparse(self) -> "Sparse":
        """The same with its elements that are not zero."""
        bands = self.upper.conj(), self.diagonal, self.upper
        return _as_sparse_matrix(
            scipy.sparse.diags_array(bands, offsets=(-1, 0, 1), shape=self.shape)
        )

    @cached_property
    def _any(self) -> bool:
        return bool(self.diagonal.any() or self.upper.any())

    def any(self) -> bool:
        """Return whether any element differs from zero."""
        return self._any

    def to_dense(self) -> np.ndarray:
        """Return the (N, N) complex array."""
        dense = np.diag(self.diagonal).astype(complex)
        return dense + np.diag(self.upper, 1) + np.diag(self.upper.conj(), -1)


@dataclass(frozen=True, eq=False)
class Sparse:
    """Hermitian matrix with few elements in each row, for geometries that are no chain.

    `OpenSystem` makes it of any matrix of scipy.sparse, which it checks.

    Parameters
    ----------
    matrix : (N, N) csr_array
        The elements.
    """

    matrix: scipy.sparse.csr_array

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix."""
        return self.matrix.shape

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Diagonal elements, (N,) float."""
        return self.matrix.diagonal().real

    @cached_property
    def interval(self) -> tuple[float, float]:
        """What Gershgorin's discs extend from and to."""
        return _interval(self)

    @property
    def T(self) -> "Sparse":
        """Transposed matrix, the same object if it is real."""
        return Sparse(self.matrix.T.tocsr()) if self.matrix.data.imag.any() else self

    def any(self) -> bool:
        """Return whether any element differs from zero."""
        return self.matrix.nnz > 0

    def to_dense(self) -> np.ndarray:
        """Return the (N, N) complex array."""
        return self.matrix.toarray()


Matrix = Tridiagonal | Sparse | np.ndarray


def _largest(matrix: Any) -> tuple[tuple[int, int], complex]:
    """Return the place and the value of the element of largest modulus; nan counts as largest."""
    if scipy.sparse.issparse(matrix):
        if matrix.nnz == 0:
            return (0, 0), 0.0
        k = int(np.argmax(abs(matrix.data)))
        return (int(matrix.coords[0][k]), int(matrix.coords[1][k])), matrix.data[k]
    place = np.unravel_index(np.argmax(abs(matrix)), matrix.shape)
    return (int(place[0]), int(place[1])), matrix[place]


def checked(name: str, matrix: Any) -> Matrix:
    """Return a matrix in one of the three kinds, square, finite and Hermitian.

    Parameters
    ----------
    name : str
        What messages call the matrix.
    matrix : Tridiagonal, Sparse, sparse array or (N, N) array
        What was given.

    Returns
    -------
    Tridiagonal, Sparse or (N, N) complex array
        A matrix of this module as it is, others as copies that cannot be written.

    Raises
    ------
    ValueError
        When it is not.
    """
    if isinstance(matrix, Tridiagonal | Sparse):
        return matrix
    sparse = scipy.sparse.issparse(matrix)
    matrix = scipy.sparse.coo_array(matrix) if sparse else np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"the {name} matrix must be square, got shape {matrix.shape}")
    (i, j), largest = _largest(matrix)
    if not np.isfinite(largest):
        raise ValueError(f"the {name} matrix is not finite: element ({i}, {j}) is {largest}")
    difference = matrix - matrix.conj().T
    (i, j), defect = _largest(difference.tocoo() if sparse else difference)
    if abs(defect) > _ROUNDING * abs(largest):
        elements = matrix.tocsr() if sparse else matrix
        raise ValueError(
            f"the {name} matrix is not Hermitian: element ({i}, {j}) = {elements[i, j]} differs "
            f"from the conjugate of ({j}, {i}) = {elements[j, i]} by {abs(defect):.3g}"
        )
    if sparse:
        return _as_sparse_matrix(matrix)
    matrix = matrix.astype(complex)
    matrix.flags.writeable = False
    return matrix


def _as_sparse_matrix(matrix: scipy.sparse.sparray) -> Sparse:
    matrix = matrix.astype(complex).tocsr(copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.data.flags.writeable = False
    return Sparse(matrix)


def equal(first: Matrix, second: Matrix) -> bool:
    """Return whether two matrices are stored in the same way, with the same numbers.

    Parameters
    ----------
    first, second : Tridiagonal, Sparse or (N, N) array
        Any two.
    """

    def numbers(matrix: Matrix) -> tuple[np.ndarray, ...]:
        if isinstance(matrix, Tridiagonal):
            return matrix.diagonal, matrix.upper
        if isinstance(matrix, Sparse):
            return matrix.matrix.data, matrix.matrix.indices, matrix.matrix.indptr
        return (matrix,)

    if first is second or type(first) is not type(second):
        return first is second
    return all(map(np.array_equal, numbers(first), numbers(second)))


def _discs(matrix: Matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield centres and radii of Gershgorin's discs, some rows at a time."""
    centres = diagonal(matrix)
    if not isinstance(matrix, Tridiagonal):
        elements = matrix.matrix if isinstance(matrix, Sparse) else matrix
        yield centres, np.asarray(abs(elements).sum(axis=1)) - abs(centres)
        return
    for first in range(0, centres.size, _BLOCK):
        last = min(first + _BLOCK, centres.size)
        radii = np.zeros(last - first)
        before, behind = matrix.upper[max(first - 1, 0) : last - 1], matrix.upper[first:last]
        radii[radii.size - before.size :] += abs(before)
        radii[: behind.size] += abs(behind)
        yield centres[first:last], radii


def gershgorin(matrix: Matrix) -> tuple[float, float]:
    """Return what Gershgorin's discs, which hold all eigenvalues, extend from and to.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        Hermitian.

    Returns
    -------
    lower, upper : float
        In the unit of the matrix.
    """
    return _interval(matrix) if isinstance(matrix, np.ndarray) else matrix.interval


def _interval(matrix: Matrix) -> tuple[float, float]:
    lower, upper = zip(*(((c - r).min(), (c + r).max()) for c, r in _discs(matrix)), strict=True)
    return float(min(lower)), float(max(upper))


def bandwidth_order(pattern: scipy.sparse.csr_array) -> tuple[np.ndarray, int]:
    """Return an order of the sites and the largest distance of coupled sites in it.

    Parameters
    ----------
    pattern : (N, N) csr_array
        Any matrix with an element wherever two sites are coupled, in both directions.

    Returns
    -------
    order : (N,) int
        The sites, in their new order: as given, or as reverse Cuthill-McKee numbers them.
    width : int
        Bandwidth.
    """
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    candidates = []
    elements = pattern.tocoo()
    given = np.arange(pattern.shape[0])
    for order in (given, reverse_cuthill_mckee(pattern, symmetric_mode=True)):
        row, column = np.argsort(order)[np.array(elements.coords)]
        candidates.append((int(abs(row - column).max(initial=0)), order))
    width, order = min(candidates, key=lambda candidate: candidate[0])
    return order, width


def _smallest_of_sparse(matrix: scipy.sparse.csr_array) -> float:
    """Return a lower bound that is 0 within rounding, or the smallest eigenvalue below that."""
    import scipy.linalg
    import scipy.sparse.linalg

    if matrix.shape[0] <= _SMALL:
        return float(np.linalg.eigvalsh(matrix.toarray())[0])
    # Cholesky factors exist if the matrix is positive, O(N b^2) instead of O(N^3).
    shift = 0.5 * _ROUNDING * abs(matrix.diagonal()).max()
    order, width = bandwidth_order(matrix)
    lower = scipy.sparse.tril(matrix[order][:, order]).tocoo()
    row, column = lower.coords
    bands = np.zeros((width + 1, matrix.shape[0]), complex)
    bands[row - column, column] = lower.data
    bands[0] += shift
    try:
        scipy.linalg.cholesky_banded(bands, overwrite_ab=True, lower=True)
    except np.linalg.LinAlgError:
        start = np.cos(np.arange(matrix.shape[0]))
        return float(
            scipy.sparse.linalg.eigsh(matrix, 1, which="SA", v0=start, return_eigenvectors=False)[0]
        )
    return -shift


def _smallest_eigenvalue(matrix: Matrix) -> float:
    if isinstance(matrix, np.ndarray):
        return float(np.linalg.eigvalsh(matrix)[0])
    if isinstance(matrix, Tridiagonal) and not matrix.upper.any():
        return float(matrix.diagonal.min())
    bound, _ = gershgorin(matrix)
    # No eigenvalue is below the bound, and one is not above the smallest diagonal element.
    if bound >= 0 or bound == diagonal(matrix).min():
        return bound
    import scipy.linalg

    if isinstance(matrix, Tridiagonal):
        # A gauge transformation makes the elements beside the diagonal positive.
        ends = {"select": "i", "select_range": (0, 0)}
        bond = abs(matrix.upper)
        return float(scipy.linalg.eigvalsh_tridiagonal(matrix.diagonal, bond, **ends)[0])
    return _smallest_of_sparse(matrix.matrix)


def check_positive(name: str, matrix: Matrix) -> None:
    """Check that a matrix has no negative eigenvalue beyond rounding.

    Parameters
    ----------
    name : str
        What the message calls the matrix.
    matrix : Tridiagonal, Sparse or (N, N) array
        Hermitian.

    Raises
    ------
    ValueError
        When there is one below -1e-12 times the largest diagonal element.
    """
    lowest = _smallest_eigenvalue(matrix)
    if lowest < 0 and lowest < -_ROUNDING * abs(diagonal(matrix)).max():
        raise ValueError(
            f"the {name} matrix has the negative eigenvalue {lowest:.6g}; "
            "rates of loss and gain must be positive semi-definite"
        )


def diagonal(matrix: Matrix) -> np.ndarray:
    """Return the diagonal elements of any kind of matrix.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        Hermitian.

    Returns
    -------
    (N,) float array
        In the unit of the matrix.
    """
    return matrix.diagonal().real if isinstance(matrix, np.ndarray) else matrix.diagonal


def matrix_elements(matrix: Matrix, pairs: np.ndarray) -> np.ndarray:
    """Return elements of a matrix of a system.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        The matrix.
    pairs : (B, 2) int array
        Rows and columns; of a tridiagonal matrix all bonds.

    Returns
    -------
    (B,) array
        Elements.
    """
    if isinstance(matrix, Tridiagonal):
        return matrix.upper
    if not len(pairs):
        # Of no elements scipy makes a sparse array, with no numbers in it to read.
        return np.empty(0)
    elements = matrix.matrix if isinstance(matrix, Sparse) else matrix
    return np.asarray(elements[pairs[:, 0], pairs[:, 1]]).ravel()


def above_diagonal(matrix: Matrix) -> np.ndarray:
    """Return the elements next to the diagonal of a matrix of a chain.

    Parameters
    ----------
    matrix : Tridiagonal
        The matrix.

    Returns
    -------
    (N-1,) array
        Elements ``(j, j+1)``.
    """
    return matrix.upper  # type: ignore[union-attr]  # of a chain all are `Tridiagonal`


def expectation(matrix: Matrix, sites: np.ndarray, amplitudes: np.ndarray) -> float:
    """Return ``v^+ A v`` of a vector on some sites.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        A, Hermitian.
    sites : (k,) int array
        Where the vector is.
    amplitudes : (k,) array
        Its elements v there.

    Returns
    -------
    float
        Real, as A is Hermitian; 0 where all of it is rounding.
    """
    if sites.size == 1:
        return float(abs(amplitudes[0]) ** 2 * diagonal(matrix)[sites[0]])
    block = as_sparse(matrix).matrix[sites][:, sites]
    value = float((amplitudes.conj() @ (block @ amplitudes)).real)
    size = abs(amplitudes) @ (abs(block) @ abs(amplitudes))
    return value if abs(value) > _ROUNDING * size else 0.0


def overlap(first: Matrix, second: Matrix) -> float:
    """Return ``Tr[A B]`` of two matrices of one kind.

    Parameters
    ----------
    first, second : Tridiagonal, Sparse or (N, N) array
        A and B, Hermitian.

    Returns
    -------
    float
        Real, as A and B are Hermitian; 0 where all of it is rounding.
    """
    if isinstance(first, Tridiagonal):
        if not (first.any() and second.any()):
            return 0.0
        bonds = np.vdot(above_diagonal(second), first.upper).real
        return float(first.diagonal @ diagonal(second) + 2 * bonds)
    if isinstance(first, Sparse):
        products = first.matrix.multiply(as_sparse(second).matrix.T)
    else:
        products = first * second.T
    value = float(products.sum().real)
    return value if abs(value) > _ROUNDING * abs(products).sum() else 0.0


def transposed(matrix: Matrix) -> Matrix:
    """Return the transposed matrix, the same object if it is real.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        Hermitian.

    Returns
    -------
    Tridiagonal, Sparse or (N, N) array
        Of the same kind.
    """
    if isinstance(matrix, np.ndarray) and not matrix.imag.any():
        return matrix
    return matrix.T


def restricted(matrix: Matrix, kept: np.ndarray) -> Matrix:
    """Return a matrix without the rows and columns of some sites, which stay as zeros.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        Hermitian.
    kept : (N,) bool array
        Which sites it keeps.

    Returns
    -------
    Tridiagonal, Sparse or (N, N) array
        Of the same kind.
    """
    if isinstance(matrix, Tridiagonal):
        bonds = kept[:-1] & kept[1:]
        return Tridiagonal(np.where(kept, matrix.diagonal, 0), np.where(bonds, matrix.upper, 0))
    if isinstance(matrix, Sparse):
        only = scipy.sparse.diags_array(kept.astype(float))
        return _as_sparse_matrix((only @ matrix.matrix @ only).tocoo())
    return matrix * np.outer(kept, kept)


def added(
    first: Matrix | scipy.sparse.csr_array | None, second: Matrix | scipy.sparse.csr_array
) -> Matrix | scipy.sparse.csr_array:
    """Return the sum of two matrices.

    Parameters
    ----------
    first : Tridiagonal, Sparse, sparse array, (N, N) array or None
        Hermitian; None for zeros.
    second : Tridiagonal, Sparse, sparse array or (N, N) array
        Hermitian.

    Returns
    -------
    Tridiagonal, (N, N) csr_array or (N, N) array
        Dense if one of them is, else see `narrowed`.
    """
    if first is None:
        return second
    first, second = checked("first", first), checked("second", second)
    if isinstance(first, Tridiagonal) and isinstance(second, Tridiagonal):
        return Tridiagonal(first.diagonal + second.diagonal, first.upper + second.upper)
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return as_dense(first) + as_dense(second)
    return narrowed(as_sparse(first).matrix + as_sparse(second).matrix)


def as_dense(matrix: Matrix) -> np.ndarray:
    """Return any kind of matrix with all its elements.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        Hermitian.

    Returns
    -------
    (N, N) array
        The same object where it was dense.
    """
    return matrix if isinstance(matrix, np.ndarray) else matrix.to_dense()


def as_sparse(matrix: Matrix) -> Sparse:
    """Return any kind of matrix with its elements that are not zero.

    Parameters
    ----------
    matrix : Tridiagonal, Sparse or (N, N) array
        Hermitian.

    Returns
    -------
    Sparse
        The same object where it was sparse.
    """
    if isinstance(matrix, Sparse):
        return matrix
    if isinstance(matrix, Tridiagonal):
        return matrix.sparse
    return _as_sparse_matrix(scipy.sparse.coo_array(matrix))


def narrowed(matrix: scipy.sparse.sparray) -> Tridiagonal | scipy.sparse.csr_array:
    """Return a sparse Hermitian matrix as `Tridiagonal` where it is.

    Parameters
    ----------
    matrix : (N, N) sparse array
        Hermitian.

    Returns
    -------
    Tridiagonal or (N, N) csr_array of complex
        The same elements.
    """
    matrix = matrix.tocsr()
    matrix.eliminate_zeros()
    row, column = matrix.tocoo().coords
    if (abs(row - column) > 1).any():
        return matrix
    upper = matrix.diagonal(1) if matrix.shape[0] > 1 else np.empty(0)
    return Tridiagonal(matrix.diagonal().real, upper)


def from_elements(
    diagonal: np.ndarray, first: np.ndarray, second: np.ndarray, elements: np.ndarray
) -> Tridiagonal | scipy.sparse.csr_array:
    """Return the Hermitian matrix of given elements.

    Parameters
    ----------
    diagonal : (N,) float array
        Diagonal elements.
    first, second : (B,) int array
        Rows and columns of the others, no pair twice, in either order.
    elements : (B,) array
        Elements at ``(first, second)``; their conjugates stand at ``(second, first)``.

    Returns
    -------
    Tridiagonal or (N, N) csr_array of complex
        See `narrowed`.
    """
    sites, elements = np.arange(diagonal.size), np.asarray(elements, complex)
    rows = np.concatenate([first, second, sites])
    columns = np.concatenate([second, first, sites])
    values = np.concatenate([elements, elements.conj(), diagonal])
    return narrowed(scipy.sparse.coo_array((values, (rows, columns)), shape=(sites.size,) * 2))
