"""Disks that refuse and files that rot: nothing is lost but the points in flight, nothing wrong
is served, and one plain second run completes.
"""

import builtins
import errno
import itertools
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

import fake_study as fake
from fake_study import AXES, study_of
from nessflow.config.grid import Ensemble
from nessflow.run import solve as solver
from nessflow.store.files import StoreError
from nessflow.store.manifest import file_faults, state_of
from nessflow.store.store import read_dataset, write_dataset

SMALL = study_of(axes=AXES[:2], ensemble=Ensemble(2, 2, 1))
TINY = study_of(axes=[fake.numbers("V", [0.1, 0.2])], ensemble=None)

IN_TESTS = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "tests", "tests/faults"])}
"""Environment of a process that imports what this module does."""


def silent(line):
    pass


def run(folder: Path, study=SMALL, kind=None) -> None:
    fake.solve(study, folder, kind, progress=silent)
    fake.gather(study, folder, progress=silent)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    """An undisturbed run."""
    folder = tmp_path_factory.mktemp("reference")
    run(folder)
    return folder


def verified(folder: Path) -> list[str]:
    return [str(fault) for fault in file_faults(folder, state_of(SMALL))]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".damaged", ".stale")
    }


# The disk refuses


class Disk:
    """Counts the operations that touch the disk and lets one of them fail."""

    def __init__(self, monkeypatch, fail_at: int, fault: BaseException):
        self.count, self.fail_at, self.fault = 0, fail_at, fault
        for module, name in (
            (builtins, "open"),
            (os, "open"),
            (os, "fsync"),
            (os, "replace"),
            (os, "mkdir"),
            (os, "unlink"),
            (Path, "read_bytes"),
        ):
            monkeypatch.setattr(module, name, self.wrap(getattr(module, name)))

    def wrap(self, operation):
        def wrapped(*arguments, **options):
            self.count += 1
            if self.count == self.fail_at:
                raise self.fault
            return operation(*arguments, **options)

        return wrapped


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


FAULTS = {
    "refusal": [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EROFS, "Read-only file system"),
    ],
    "abort": [Killed()],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_fault_at_every_operation_is_survived(tmp_path, monkeypatch, faults):
    """The loop that SQLite is tested with: a fault at operation 1, 2, ... until none fires."""
    monkeypatch.setattr(solver, "FLUSH_SECONDS", -1.0)
    run(tmp_path / "reference", TINY)
    wanted = contents(tmp_path / "reference")
    for fail_at in itertools.count(1):
        folder = tmp_path / str(fail_at)
        with monkeypatch.context() as patch:
            disk = Disk(patch, fail_at, faults[fail_at % len(faults)])
            calls = []
            message = outcome(folder, fake.kind_of(calls=calls))
        if disk.count < fail_at:
            break
        assert message is None or (str(folder) in message and "; " in message)
        for path in folder.rglob("*.nc"):
            if not path.name.startswith("."):
                read_dataset(path)
        run(folder, TINY, fake.kind_of(calls=calls))
        assert contents(folder) == wanted
        assert len(calls) <= 2 + 1, "more was computed again than the point in flight"
    assert message is None
    assert fail_at > 50


def outcome(folder: Path, kind) -> str | None:
    """Run with a bad disk; return the error that the user sees, None where there is none."""
    try:
        run(folder, TINY, kind)
    except StoreError as error:
        return str(error)
    except Killed:
        return None


@pytest.mark.parametrize("limit", [0, 1_000, 25_000])
def test_a_full_disk_is_named_and_the_next_run_completes(reference, tmp_path, limit):
    """The limit on the size of files stands for a full disk."""
    script = (
        "import resource\n"
        "from pathlib import Path\n"
        "import test_store_faults as faults\n"
        "from nessflow.store.files import StoreError\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n"
        f"    faults.run(Path({str(tmp_path)!r}))\n"
        "except StoreError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=IN_TESTS,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot write: " in done.stdout
    assert "then run again" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and ".tmp" in path.name]
    for path in tmp_path.rglob("*.nc"):
        read_dataset(path)
    run(tmp_path)
    assert contents(tmp_path) == contents(reference)


# Files rot


@pytest.fixture(scope="module", params=["block", "partial", "data"])
def sound(request, tmp_path_factory) -> Path:
    """A file of each sort that is written."""
    folder = tmp_path_factory.mktemp(request.param)
    run(folder)
    block = folder / "blocks" / SMALL.blocks[0].path
    return {
        "block": block,
        "partial": block.rename(solver.partial_path(block)) if request.param == "partial" else None,
        "data": folder / "data.nc",
    }[request.param]


def refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=re.escape(str(path))):
        read_dataset(path)


def test_every_truncation_is_detected(sound, tmp_path):
    whole = sound.read_bytes()
    chance = random.Random(1)
    cuts = {0, 1, 3, 8, 9, 48, 100, len(whole) - 72, len(whole) - 71, len(whole) - 1}
    cuts |= set(range(0, len(whole), 4096)) | {chance.randrange(len(whole)) for _ in range(50)}
    for cut in cuts:
        refuse(tmp_path / "a.nc", whole[:cut])


def test_every_flipped_bit_is_detected(sound, tmp_path):
    """Anywhere: data, coordinates, attributes, checksums and the parts of HDF5 nobody reads."""
    whole = sound.read_bytes()
    chance = random.Random(2)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        refuse(tmp_path / "a.nc", bytes(damaged))


def test_every_zeroed_page_is_detected(sound, tmp_path):
    whole = sound.read_bytes()
    for start in range(0, len(whole), 4096):
        page = bytes(len(whole[start : start + 4096]))
        refuse(tmp_path / "a.nc", whole[:start] + page + whole[start + 4096 :])


def test_appended_and_doubled_files_are_detected(sound, tmp_path):
    whole = sound.read_bytes()
    refuse(tmp_path / "a.nc", whole + b"\0")
    refuse(tmp_path / "a.nc", b"\0" + whole)
    refuse(tmp_path / "a.nc", whole[:-1] + b"G")
    (tmp_path / "a.nc").write_bytes(whole)
    read_dataset(tmp_path / "a.nc")


def test_rotten_and_swapped_files_are_named_by_verify_and_computed_anew(reference, tmp_path):
    run(tmp_path)
    paths = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    chance = random.Random(3)
    for path in paths:
        whole = path.read_bytes()
        for _ in range(10):
            damaged = bytearray(whole)
            damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            path.write_bytes(bytes(damaged))
            assert verified(tmp_path), path
        path.write_bytes(whole)
    assert verified(tmp_path) == []
    first, second = sorted((tmp_path / "blocks").rglob("*.nc"))
    first_content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(first_content)
    assert len(verified(tmp_path)) == 2
    with pytest.raises(StoreError, match="2 of 2 blocks cannot be used"):
        fake.gather(SMALL, tmp_path)
    run(tmp_path)
    assert contents(tmp_path) == contents(reference)


# Others read


def test_a_reader_beside_a_writer_has_old_or_new_data(sound, tmp_path):
    """Seals and content are checked by each read; a mixture would be refused."""
    first = read_dataset(sound)
    second = first.assign_attrs(title="another")
    path = tmp_path / "data.nc"
    write_dataset(first, path)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(sound)], env=IN_TESTS)
    titles = {first.attrs["title"]: 0, "another": 0}
    while writer.poll() is None:
        found = read_dataset(path)
        titles[found.attrs["title"]] += 1
        xr.testing.assert_identical(found.drop_attrs(), second.drop_attrs())
    assert writer.returncode == 0
    assert sum(titles.values())


WRITER = """
import sys
from pathlib import Path
from nessflow.store.store import read_dataset, write_dataset
path, source = map(Path, sys.argv[1:])
data = read_dataset(source)
for trial in range(60):
    title = data.attrs["title"] if trial % 2 else "another"
    write_dataset(data.assign_attrs(title=title), path)
"""
