import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import fake_study as fake
import nessflow
from nessflow.store.files import StoreError, set_aside, write_atomically, write_text
from nessflow.store.manifest import Foreign, file_faults, read_manifest, state_of
from nessflow.store.store import RECORD, content_sha256, read_dataset, write_dataset
from nessflow.verbs.load import load_study
from netcdf_formats import FORMATS, copied


def attributes(**more):
    return {"units": "1", "natural_units": "t", "long_name": "test", **more}


@pytest.fixture
def dataset() -> xr.Dataset:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((3, 2))
    values[0, 0], values[1, 1] = np.nan, -0.0
    return xr.Dataset(
        {
            "current": (("V", "case"), values, attributes()),
            "status": (
                "V",
                np.array([0, 1, 4], np.int8),
                attributes(flag=np.arange(5, dtype="i1")),
            ),
            "message": ("V", np.array(["", "naïve µ", "x" * 50], object), attributes()),
        },
        {
            "V": ("V", [0.1, 0.2, 0.30000000000000004], attributes()),
            "case": ("case", ["first", "Größe"], attributes()),
            "mu": ((), 0.5, attributes()),
            "mode": ((), "loss", attributes()),
        },
        dict.fromkeys(RECORD, "known") | {"title": "test", "seed": 3, "empty": "", "sign": "±"},
    )


def test_what_is_written_is_read(dataset, tmp_path):
    write_dataset(dataset, tmp_path / "a.nc")
    read = read_dataset(tmp_path / "a.nc")
    assert set(read.variables) == set(dataset.variables)
    for name in dataset.variables:
        np.testing.assert_array_equal(read[name].values, dataset[name].values)
        assert read[name].dims == dataset[name].dims
    assert np.signbit(read["current"].values[1, 1])
    assert read.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
    assert read.attrs["content_sha256"] == content_sha256(read)
    assert read["V"].attrs == attributes() | {"coverage_content_type": "coordinate"}
    assert read["current"].attrs["coverage_content_type"] == "modelResult"


def test_programs_of_the_classic_model_can_copy_the_file(dataset, tmp_path):
    """The classic model has no integers of 64 bits, no unsigned ones and no strings."""
    dataset["count"] = ("V", np.array([1, 2, 2**31 - 1]), attributes(known=np.arange(3)))
    dataset["small"] = ("V", np.array([1, 2, 255], np.uint8), attributes(most=2**62))
    dataset = dataset.assign_coords(N=("N", [1, 2, 3], attributes())).assign_attrs(seed=2**63 - 1)
    write_dataset(dataset, tmp_path / "a.nc")
    read = read_dataset(tmp_path / "a.nc")
    assert read["count"].values.tolist() == [1, 2, 2**31 - 1]
    assert read["small"].values.tolist() == [1, 2, 255]
    assert (int(read.attrs["seed"]), int(read["small"].attrs["most"])) == (2**63 - 1, 2**62)
    for form in FORMATS:
        copied(tmp_path / "a.nc", tmp_path / f"{form}.nc", form)
        copy = xr.load_dataset(tmp_path / f"{form}.nc", decode_times=False)
        for name in dataset.variables:
            np.testing.assert_array_equal(copy[name].values, dataset[name].values)


def test_integers_that_no_file_holds_are_refused(dataset, tmp_path):
    dataset["count"] = ("V", np.array([1, 2, 2**31]), attributes())
    with pytest.raises(ValueError, match="'count' has integers of more than 32 bits"):
        write_dataset(dataset, tmp_path / "a.nc")


def test_two_writes_give_the_same_bytes(dataset, tmp_path):
    write_dataset(dataset, tmp_path / "a.nc")
    time.sleep(1.1)  # HDF5 can store times, in whole seconds
    write_dataset(dataset.copy(deep=True), tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nc", "b.nc"]


def test_other_tools_read_the_file_and_every_array_has_checksums(dataset, tmp_path):
    import netCDF4

    write_dataset(dataset, tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        for variable in file.variables.values():
            scalar = all(d.startswith("string") for d in variable.dimensions)
            assert scalar or variable.filters()["fletcher32"], variable.name
            assert scalar or variable.filters()["zlib"], variable.name
        np.testing.assert_array_equal(file["V"][:], dataset["V"].values)


def test_content_hash_sees_values_names_roles_and_attributes(dataset):
    changed = [
        dataset.assign(current=dataset["current"] + 1e-16),
        dataset.rename(current="curent"),
        dataset.reset_coords("mu"),
        dataset.assign_attrs(seed=4),
        dataset.assign_coords(case=("case", ["first", "Grösse"], attributes())),
        dataset.drop_vars("status"),
        dataset.assign(status=dataset["status"].astype("int16")),
        dataset.transpose(),
    ]
    hashes = {content_sha256(each) for each in changed}
    assert len(hashes) == len(changed)
    assert content_sha256(dataset) not in hashes
    assert content_sha256(dataset.assign_attrs(content_sha256="x")) == content_sha256(dataset)


@pytest.mark.parametrize("key", ["units", "natural_units", "long_name"])
@pytest.mark.parametrize("name", ["current", "V", "mode"])
def test_a_variable_without_unit_or_name_is_refused(dataset, tmp_path, name, key):
    del dataset[name].attrs[key]
    with pytest.raises(ValueError, match=f"{name}.*{key}"):
        write_dataset(dataset, tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", RECORD)
def test_a_dataset_without_its_provenance_is_refused(dataset, tmp_path, key):
    del dataset.attrs[key]
    with pytest.raises(ValueError, match=f"provenance, and has no {key}"):
        write_dataset(dataset, tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_complex_and_objects_are_refused(dataset, tmp_path):
    for values in (np.ones(3) * 1j, np.array([{}, [], None], object), np.ones(3, bool)):
        dataset["bad"] = ("V", values, attributes())
        with pytest.raises(ValueError, match="'bad' is"):
            write_dataset(dataset, tmp_path / "a.nc")


def test_a_failing_writer_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "figure.png"
    target.write_text("old")

    def writer(path):
        assert path.suffix == ".png"
        assert path.parent == tmp_path
        path.write_text("half")
        raise KeyError("no such colour")

    with pytest.raises(KeyError):
        write_atomically(target, writer)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failing_check_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.json"
    write_text(target, "old")

    def check(path):
        raise StoreError(path, "unlike what was meant", "none")

    with pytest.raises(StoreError, match=r"a\.json.*does not read back: unlike"):
        write_atomically(target, lambda path: path.write_text("new"), check)
    assert target.read_text() == "old"


def test_a_file_has_the_permissions_that_the_user_chose(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_a_file_is_named_with_the_way_out(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(StoreError, match=r"results/a\.txt: cannot write: .*; check the disk"):
        write_text(tmp_path / "results" / "a.txt", "text")


def test_netcdf3_text_and_unsealed_files_are_refused(dataset, tmp_path):
    path = tmp_path / "a.nc"
    dataset[["current"]].drop_vars("case").to_netcdf(path, format="NETCDF3_64BIT", engine="netcdf4")
    with pytest.raises(StoreError, match=r"a\.nc: a NetCDF-3 file.*remove this file and run again"):
        read_dataset(path)
    path.write_text("hello")
    with pytest.raises(StoreError, match="cut short, or not written by nessflow"):
        read_dataset(path)
    dataset.to_netcdf(tmp_path / "b.nc", engine="netcdf4")
    with pytest.raises(StoreError, match="not written by nessflow"):
        read_dataset(tmp_path / "b.nc")
    with pytest.raises(StoreError, match=r"c\.nc: no such file"):
        read_dataset(tmp_path / "c.nc")


def test_a_file_set_aside_is_out_of_the_way(tmp_path):
    path = tmp_path / "points.nc"
    path.write_text("broken")
    message = str(set_aside(path, "cut short"))
    assert not path.exists()
    assert (tmp_path / "points.nc.damaged").read_text() == "broken"
    assert "cut short; renamed to points.nc.damaged, to be computed anew" in message


# Studies


STATE = state_of(fake.study_of())


def verified(folder) -> list[str]:
    return [str(fault) for fault in file_faults(folder, STATE)]


@pytest.fixture
def results(tmp_path):
    study = fake.study_of()
    fake.solve(study, tmp_path / "fake")
    fake.gather(study, tmp_path / "fake")
    return tmp_path


def test_load_returns_the_data_and_names_the_nearest_study(results):
    assert nessflow.load("fake", results).sizes["V"] == 3
    with pytest.raises(StoreError, match="did you mean 'fake'"):
        load_study("fkae", results)
    with pytest.raises(StoreError, match="there are: fake"):
        load_study("other", results)
    with pytest.raises(StoreError, match="snakemake"):
        load_study("fake", results / "fake")


def test_data_of_another_study_are_not_served(results):
    (results / "other").mkdir()
    (results / "other" / "data.nc").write_bytes((results / "fake" / "data.nc").read_bytes())
    with pytest.raises(StoreError, match="the study 'fake'"):
        load_study("other", results)


def test_verify_is_silent_about_a_sound_study_wherever_it_lies(results):
    assert verified(results / "fake") == []
    (results / "fake").rename(results / "moved")
    assert verified(results / "moved") == []


def test_verify_names_each_missing_changed_extra_and_damaged_file(results):
    folder = results / "fake"
    blocks = sorted((folder / "blocks").rglob("*.nc"))
    blocks[0].unlink()
    blocks[1].write_bytes(blocks[2].read_bytes())
    data = bytearray(blocks[3].read_bytes())
    data[100] ^= 1
    blocks[3].write_bytes(bytes(data))
    (folder / "blocks" / "extra.nc").write_text("")
    (folder / "failures.csv").write_text("nothing failed\n")
    problems = "\n".join(verified(folder))
    assert f"{blocks[0]}: no such file" in problems
    assert f"{blocks[1]}: sound, and not the file that manifest.json lists" in problems
    assert f"{blocks[3]}: damaged" in problems
    assert "extra.nc: cut short, or not written by nessflow" in problems
    assert "failures.csv: changed" in problems
    assert len(problems.splitlines()) == 5


def test_verify_accepts_data_without_their_blocks_but_not_with_some(results):
    folder = results / "fake"
    (folder / "blocks").rename(folder / "elsewhere")
    assert verified(folder) == []
    (folder / "failures.csv").write_text("nothing failed\n")
    assert len(verified(folder)) == 1
    (folder / "blocks").mkdir()
    assert len(verified(folder)) > 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"data.nc": 1}', "\udcff", "[" * 10**5])
def test_verify_names_a_damaged_manifest(results, text):
    (results / "fake" / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    (problem,) = verified(results / "fake")
    assert "manifest.json: damaged" in problem


def test_no_changed_byte_of_a_manifest_goes_unnoticed(results):
    path = results / "fake" / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(StoreError, match=r"manifest\.json: damaged"):
            read_manifest(path.parent)
    path.write_bytes(whole + b"\n")
    with pytest.raises(StoreError, match=r"manifest\.json: damaged"):
        read_manifest(path.parent)


def test_a_manifest_of_another_study_is_named(results):
    other = state_of(fake.study_of(name="other"))
    (fault,) = file_faults(results / "fake", other)
    assert isinstance(fault, Foreign)
    assert "manifest.json: of the study 'fake'" in str(fault)
    now = state_of(fake.study_of(template={"V": 1, "mu": "$mu"}))
    (fault,) = file_faults(results / "fake", now)
    assert "manifest.json: not of the study as it is now" in str(fault)


def test_a_block_of_another_grid_is_no_fault(results):
    study = fake.study_of(axes=fake.AXES[:1])
    fake.solve(study, results / "fake")
    assert verified(results / "fake") == []


def test_a_file_that_its_owner_may_not_read_is_named(results):
    path = results / "fake" / "failures.csv"
    path.chmod(0)
    (problem,) = verified(results / "fake")
    assert "failures.csv" in problem
    assert "permission" in problem.lower()


def test_the_manifest_is_sorted_and_relative(results):
    names = list(json.loads((results / "fake" / "manifest.json").read_text())["files"])
    assert names == sorted(names)
    assert not any(name.startswith(("/", "..")) for name in names)


def test_a_writer_that_was_killed_leaves_no_file_with_the_final_name(tmp_path):
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from nessflow.store import files\n"
        "os.replace = lambda *names: os.kill(os.getpid(), 9)\n"
        f"files.write_text(Path({str(tmp_path)!r}) / 'a.txt', 'text')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": "src"})
    assert done.returncode == -9
    assert not (tmp_path / "a.txt").exists()
    write_text(tmp_path / "a.txt", "again")
    assert (tmp_path / "a.txt").read_text() == "again"


def test_a_file_has_no_time_in_it(dataset, tmp_path):
    write_dataset(dataset, tmp_path / "a.nc")
    first = (tmp_path / "a.nc").read_bytes()
    time.sleep(1.1)
    write_dataset(dataset, tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == first
