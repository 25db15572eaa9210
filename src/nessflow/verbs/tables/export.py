"""Data as tidy tables: one for each set of dimensions, errors beside values."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nessflow.errors import ConfigError, Problem
from nessflow.store.files import write_atomically, write_text
from nessflow.written.physical import shown_unit

METADATA = "csv-metadata.json"
"""Name of the file that describes the tables, that of the W3C's CSV on the Web."""
_BESIDE = ("_error", "_sem")
_TOLD = ("natural_factor", "flag_values", "flag_meanings", "undefined")
_TYPES = {"f": "double", "i": "integer", "u": "integer", "b": "boolean"}


def tables_of(data: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the variables of a dataset by their dimensions.

    Parameters
    ----------
    data : xarray.Dataset

    Returns
    -------
    dict
        By the names of the dimensions, joined by ``-`` and ``point`` for none: the variables that
        have all of these and no others, each before its errors, and after the status of the point
        where a row belongs to one.
    """
    groups: dict[tuple, list[str]] = {}
    for name, variable in data.data_vars.items():
        groups.setdefault(variable.dims, []).append(str(name))
    tables = {}
    for dims, names in groups.items():
        if "status" in data and set(data["status"].dims) <= set(dims):
            names = ["status", *(name for name in names if name != "status")]
        tables["-".join(map(str, dims)) or "point"] = data[list(_beside(names))]
    return tables


def _beside(names: Sequence[str]) -> Iterator[str]:
    """Yield each name, its errors after it."""
    given = dict.fromkeys(names)
    while given:
        name = next(iter(given))
        stem = name.removesuffix("_mean")
        errors = [f"{one}{end}" for one in dict.fromkeys((name, stem)) for end in _BESIDE]
        for found in (name, *errors):
            if found in given:
                del given[found]
                yield found


def columns_of(table: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the columns of a table: dimensions, what stands beside them, variables; (rows,) each.

    The last dimension varies fastest.
    """
    sizes = {dim: table.sizes[dim] for dim in _dims(table)}
    names = [*sizes, *(n for n in table.coords if n not in sizes), *table.data_vars]
    columns = {}
    for name in map(str, names):
        array = table[name]  # a dimension without coordinates is counted
        whole = array.expand_dims({d: n for d, n in sizes.items() if d not in array.dims})
        columns[name] = whole.transpose(*sizes).values.ravel()
    return columns


def _dims(table: xr.Dataset) -> tuple:
    return max((variable.dims for variable in table.data_vars.values()), key=len)


def write_tables(data: xr.Dataset, folder: Path, form: str) -> list[Path]:
    """Write the tables of a dataset, and what their columns mean.

    Parameters
    ----------
    data : xarray.Dataset
        Of a study; in natural or physical units.
    folder : Path
        Where to.
    form : {"csv", "parquet"}

    Returns
    -------
    list of Path
        The files; the same data give the same bytes.

    Raises
    ------
    ConfigError
        When Parquet is asked for and its library is not there.
    StoreError
        When a file cannot be written.
    """
    tables, files = [], []
    record = {str(key): _plain(value) for key, value in data.attrs.items()}
    for name, table in tables_of(data).items():
        columns, path = columns_of(table), folder / f"{name}.{form}"
        described = [_column(table, name, values) for name, values in columns.items()]
        files.append(path)
        if form == "parquet":
            _write_parquet(path, columns, described, record)
            continue
        _write_csv(path, columns)
        schema: dict[str, Any] = {"columns": described}
        if dims := list(map(str, _dims(table))):
            schema["primaryKey"] = dims
        tables.append({"url": path.name, "tableSchema": schema})
    if form == "parquet":
        return files
    content = {"@context": "http://www.w3.org/ns/csvw", "tables": tables, "notes": [record]}
    write_text(folder / METADATA, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return [*files, folder / METADATA]


def _column(table: xr.Dataset, name: str, values: np.ndarray) -> dict[str, Any]:
    """Return what a column means, in the words of CSV on the Web and of Dublin Core."""
    attributes = table[name].attrs
    described: dict[str, Any] = {
        "name": name,
        "titles": name,
        "datatype": _TYPES.get(values.dtype.kind, "string"),
        "dc:description": attributes.get("long_name", name),
        "schema:unitText": shown_unit(attributes),
    }
    told = [f"{key}: {_plain(attributes[key])}" for key in _TOLD if key in attributes]
    return described | ({"rdfs:comment": "; ".join(told)} if told else {})


def _plain(value: object) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _write_csv(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_texts(values) for values in columns.values()), strict=True))
    write_text(path, text.getvalue())


def _texts(values: np.ndarray) -> list[Any]:
    """Return numbers with all their digits, nothing where there is none."""
    if values.dtype.kind != "f":
        return values.tolist()
    return ["" if value != value else repr(value) for value in values.tolist()]


def _write_parquet(
    path: Path,
    columns: Mapping[str, np.ndarray],
    described: Sequence[Mapping[str, Any]],
    record: Mapping[str, Any],
) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        way_out = "pip install pyarrow, or take --csv"
        problem = Problem("command line", None, "--parquet", "", "pyarrow installed", way_out)
        raise ConfigError([problem]) from None
    arrays = [pyarrow.array(_of_arrow(values), from_pandas=True) for values in columns.values()]
    fields = [
        pyarrow.field(each["name"], array.type, metadata={k: str(v) for k, v in each.items()})
        for each, array in zip(described, arrays, strict=True)
    ]
    schema = pyarrow.schema(fields, metadata={key: str(value) for key, value in record.items()})
    table = pyarrow.Table.from_arrays(arrays, schema=schema)
    write_atomically(path, lambda where: parquet.write_table(table, where))


def _of_arrow(values: np.ndarray) -> Any:
    return values if values.dtype.kind in _TYPES else values.tolist()
