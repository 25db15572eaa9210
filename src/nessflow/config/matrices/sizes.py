"""How large the matrix of a file may be: asked of what it says, before memory is taken."""

_ROWS = 10_000_000
_ELEMENTS = 2**28
"""Of a matrix that is stored as a whole: 2 GiB of real numbers."""


def require_possible(rows: int, columns: int, *, is_full: bool, what: str = "the matrix") -> None:
    """Check that a matrix may be as large as its file says.

    Parameters
    ----------
    rows, columns : int
        What the file says.
    is_full : bool
        Whether all elements are stored, and not only those that are listed.
    what : str
        What messages call it.

    Raises
    ------
    ValueError
        When it is larger than any system that can be computed.
    """
    if max(rows, columns) > _ROWS:
        raise ValueError(f"{what} has the shape {(rows, columns)}; expected at most {_ROWS} rows")
    if is_full and rows * columns > _ELEMENTS:
        raise ValueError(
            f"{what} has the shape {(rows, columns)} and all its elements are stored; expected a "
            "sparse one, of scipy.sparse.save_npz or scipy.io.mmwrite"
        )
