"""Tables of measured data: CSV files of a project with a header, for figures."""

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from nessflow.config.matrices.reading import bytes_of

ROW = "row"
"""The dimension of a table."""
_COLUMN = re.compile(r"([A-Za-z_]\w*)\s*(?:\[([^\]]*)\]|\(([^)]*)\))?")
_SEPARATORS = ",;\t"
_MOST_FAULTS = 10


class TableError(ValueError):
    """A table that cannot be used: ``faults`` has one line for each reason."""

    def __init__(self, path: str, faults: list[str]):
        self.faults = [f"{path}{fault}" for fault in faults]
        super().__init__("\n".join(self.faults))


class Column(NamedTuple):
    """The numbers of a column, NaN where a cell is empty, and their natural unit."""

    values: np.ndarray
    units: str


def read_table(path: str) -> dict[str, Column]:
    """Read a table of numbers.

    Parameters
    ----------
    path : str
        The file, below the folder of the project: UTF-8, the first line has the names of the
        columns, each with its natural unit, ``current [t/hbar]``; without one it is a pure number.
        ``<name>_error`` is the error of a column.  Columns are separated by commas, semicolons or
        tabs; empty cells are NaN; lines that begin with ``#`` say nothing.

    Returns
    -------
    dict of str to Column
        Columns by name.

    Raises
    ------
    TableError
        When there is no such file, or it is no such table; with the line of each fault.
    """
    try:
        text = bytes_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise TableError(path, [f", line {line}: expected text in UTF-8"]) from None
    except ValueError as error:
        raise TableError("", [str(error)]) from None
    lines = list(_lines(text))
    if len(lines) < 2:
        raise TableError(path, [": expected a line of names and lines of numbers"])
    (number, names), *rows = lines
    faults: list[str] = []
    columns = _columns(number, names, faults)
    values = np.full((len(rows), len(names)), np.nan)
    for index, (line, cells) in enumerate(rows):
        if len(cells) != len(names):
            faults.append(f", line {line}: {len(cells)} cells, expected {len(names)} as in line 1")
            continue
        for column, cell in enumerate(cells):
            try:
                values[index, column] = float(cell) if cell else np.nan
                is_number = not np.isinf(values[index, column])
            except ValueError:
                is_number = False
            if not is_number:
                faults.append(f", line {line}: {names[column]} is {cell!r}, expected a number")
    if faults:
        more = [f": and {len(faults) - _MOST_FAULTS} more faults"][: len(faults) > _MOST_FAULTS]
        raise TableError(path, [*faults[:_MOST_FAULTS], *more])
    found = {}
    for (name, unit), numbers in zip(columns, values.T, strict=True):
        if name.endswith("_error"):
            unit = unit or dict(columns).get(name.removesuffix("_error"), "")
            if (numbers < 0).any():
                line = rows[int(np.argmax(numbers < 0))][0]
                raise TableError(path, [f", line {line}: {name} is below 0"])
        found[name] = Column(numbers, unit or "1")
    return found


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line that says something, with its number."""
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    first = numbered[0][1] if numbered else ""
    separator = max(_SEPARATORS, key=first.count)
    for number, line in numbered:
        (cells,) = csv.reader(io.StringIO(line), delimiter=separator)
        yield number, [cell.strip() for cell in cells]


def _columns(number: int, names: list[str], faults: list[str]) -> list[tuple[str, str]]:
    """Return name and unit of each column."""
    columns: list[tuple[str, str]] = []
    for text in names:
        found = _COLUMN.fullmatch(text)
        name = found[1] if found else text
        if not found:
            expected = "a name of letters, digits and _, with a unit behind it: current [t/hbar]"
            faults.append(f", line {number}: {text!r} is no column; expected {expected}")
        elif name in dict(columns) or name in (ROW, "status"):
            faults.append(f", line {number}: another name than {name}, which is taken")
        columns.append((name, (found[2] or found[3] or "").strip() if found else ""))
    return columns
