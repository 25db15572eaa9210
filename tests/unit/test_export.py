"""Tables of data, and data read by programs that know nothing of nessflow."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from fake_study import gather, solve, study_of
from nessflow.config.project import ConfigError
from nessflow.store.store import read_dataset
from nessflow.verbs.tables.export import columns_of, tables_of, write_tables
from nessflow.verbs.tables.physical import in_physical_units
from nessflow.written.physical import Units
from netcdf_formats import FORMATS, copied

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data-elsewhere.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fake")
    study = study_of()
    solve(study, folder)
    gather(study, folder, progress=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def data(folder) -> xr.Dataset:
    return read_dataset(folder / "data.nc")


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_number_is_in_one_table_beside_its_errors(data):
    tables = tables_of(data)
    names = [str(name) for table in tables.values() for name in table.data_vars]
    assert {*names} == {*data.data_vars}
    assert [name for name in names if names.count(name) > 1] == ["status"] * names.count("status")
    for name, table in tables.items():
        assert name == "-".join(map(str, max((v.dims for v in table.values()), key=len)))
        order = [str(variable) for variable in table.data_vars]
        for variable in order:
            if f"{variable}_error" in order:
                assert order.index(f"{variable}_error") == order.index(variable) + 1
            if variable.endswith("_mean") and f"{variable[:-5]}_sem" in order:
                between = order[order.index(variable) : order.index(f"{variable[:-5]}_sem")]
                assert all(one in (variable, f"{variable}_error") for one in between)


@pytest.mark.parametrize("units", [None, Units("2.5 meV")])
def test_tables_have_all_digits_of_the_data(data, tmp_path, units):
    shown = in_physical_units(data, units) if units else data
    write_tables(shown, tmp_path, "csv")
    described = json.loads((tmp_path / "csv-metadata.json").read_text())
    assert {path.name for path in tmp_path.glob("*.csv")} == {t["url"] for t in described["tables"]}
    for table in described["tables"]:
        rows = rows_of(tmp_path / table["url"])
        columns = {column["name"]: column for column in table["tableSchema"]["columns"]}
        assert list(rows[0]) == list(columns)
        dims = table["tableSchema"]["primaryKey"]
        assert len({tuple(row[dim] for dim in dims) for row in rows}) == len(rows)
        for name, column in columns.items():
            array = shown[name]
            expected_unit = array.attrs["units"] if units else array.attrs["natural_units"]
            if expected_unit != "1":
                assert column["schema:unitText"] == expected_unit
            for row in rows:
                where = {dim: row[dim] for dim in array.dims}
                place = {
                    dim: next(i for i, v in enumerate(shown[dim].values.tolist()) if str(v) == text)
                    for dim, text in where.items()
                }
                value = array.isel(place).item()
                if isinstance(value, float):
                    assert row[name] == ("" if np.isnan(value) else repr(value))
                else:
                    assert row[name] == str(value)
    unit = next(
        column["schema:unitText"]
        for table in described["tables"]
        for column in table["tableSchema"]["columns"]
        if column["name"] == "net_current"
    )
    assert unit == ("nA" if units else "t/hbar")


def test_the_same_data_give_the_same_bytes(data, tmp_path):
    for name in ("one", "two"):
        files = write_tables(data, tmp_path / name, "csv")
    for path in files:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()
        assert b"\r" not in path.read_bytes()


def test_numbers_without_dimensions_and_texts_beside_them(tmp_path):
    attributes = {"units": "1", "natural_units": "t", "long_name": 'a, "quoted"\nname'}
    data = xr.Dataset(
        {
            "slope": ((), 0.1, attributes),
            "level": ("site", [1.0, np.nan, np.inf], attributes),
        },
        {
            "site": ("site", [1, 2, 3], attributes),
            "place": ("site", ["a", "b,c", "µ"], attributes),
        },
    )
    write_tables(data, tmp_path, "csv")
    assert (tmp_path / "point.csv").read_text() == "slope\n0.1\n"
    text = (tmp_path / "site.csv").read_text(encoding="utf-8")
    assert text == 'site,place,level\n1,a,1.0\n2,"b,c",\n3,µ,inf\n'
    assert columns_of(data[["level"]])["level"].shape == (3,)


@pytest.mark.peer
def test_parquet_has_units_in_its_fields(data, tmp_path):
    from pyarrow import parquet

    for path in write_tables(in_physical_units(data, Units("1 meV")), tmp_path, "parquet"):
        table = parquet.read_table(path)
        assert table.schema.metadata[b"study"] == b"fake"
        (source,) = (t for name, t in tables_of(data).items() if name == path.stem)
        assert table.num_rows == np.prod([*source.sizes.values()])
        if "net_current" in table.column_names:
            field = table.schema.field("net_current")
            assert field.metadata[b"schema:unitText"] == b"nA"
    assert not (tmp_path / "csv-metadata.json").exists()


def test_without_its_library_parquet_is_refused_with_the_way_out(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="--parquet: expected pyarrow installed; pip install"):
        write_tables(data, tmp_path, "parquet")


BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_the_page_is_true_where_there_is_no_nessflow(folder, data, tmp_path, number):
    shutil.copy(folder / "data.nc", tmp_path)
    write_tables(data, tmp_path / "tables", "csv")
    code = "import sys\nsys.modules['nessflow'] = None\n" + BLOCKS[number]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "left" in done.stdout if "netCDF4" in code else "t/hbar" in done.stdout


@pytest.mark.parametrize("form", FORMATS)
def test_data_can_be_copied_to_every_format_of_netcdf(folder, data, tmp_path, form):
    copied(folder / "data.nc", tmp_path / "old.nc", form)
    copy = xr.load_dataset(tmp_path / "old.nc")
    for name in data.variables:
        np.testing.assert_array_equal(copy[name].values, data[name].values)
