"""The archive: the same bytes twice, any change found, figures redrawn elsewhere from it alone."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import zipfile

import pytest

from conftest import ROOT, Project, git_checkout
from nessflow.publish.archive import MANIFEST, ArchiveError, check_archive, write_archive
from nessflow.publish.checkout import read_checkout
from nessflow.run.provenance import git_state
from nessflow.store.store import read_dataset


@pytest.fixture(scope="module")
def committed(finished, tmp_path_factory) -> Project:
    """A finished project as a git checkout; tests must not change it."""
    return git_checkout(finished, tmp_path_factory.mktemp("committed") / "project")


@pytest.fixture(scope="module")
def archive(committed):
    """The archive of that project."""
    done = committed.snakemake("archive")
    assert done.returncode == 0, done.stderr
    return committed.folder / "results" / "archive.zip"


@pytest.fixture
def unpacked(archive, tmp_path) -> Project:
    with zipfile.ZipFile(archive) as source:
        source.extractall(tmp_path / "unpacked")
    return Project(tmp_path / "unpacked")


def metadata(archive) -> dict[str, dict]:
    with zipfile.ZipFile(archive) as source:
        graph = json.loads(source.read("ro-crate-metadata.json"))["@graph"]
    return {entity["@id"]: entity for entity in graph}


def test_the_same_bytes_twice(archive, committed):
    before = archive.read_bytes()
    done = committed.snakemake("archive")
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(before).hexdigest() in done.stdout + done.stderr
    assert archive.read_bytes() == before
    with zipfile.ZipFile(archive) as source:
        assert {info.date_time for info in source.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_it_holds(archive, committed):
    names = set(zipfile.ZipFile(archive).namelist())
    assert {"Snakefile", "LICENSE", "CITATION.cff", "envs/requirements.lock", MANIFEST} <= names
    source = {"workflow/Snakefile", "workflow/rules/source.smk", "src/nessflow/cli.py"}
    assert {"config/studies/chain.yaml", "src/nessflow/workflow/rules/data.smk", *source} <= names
    results = committed.folder / "results"
    assert "results/report/index.html" in names
    for study in ("chain", "spectrum"):
        for name in ("data.nc", "failures.csv", "manifest.json"):
            assert f"results/{study}/{name}" in names
        drawn = {path.name for path in (results / study / "figures").iterdir() if path.is_file()}
        assert {f"results/{study}/figures/{name}" for name in drawn} <= names
        assert len([name for name in names if name.startswith(f"results/{study}/.current/")]) == 1
    assert not [name for name in names if "/blocks/" in name or "/logs/" in name]


def test_the_metadata_name_runs_and_files_with_their_checksums(archive):
    entities = metadata(archive)
    assert entities["./"]["mainEntity"] == {"@id": "Snakefile"}
    run = entities["#run-chain"]
    assert run["instrument"] == {"@id": "Snakefile"}
    assert run["object"] == {"@id": "config/studies/chain.yaml"}
    assert {"@id": "results/chain/data.nc"} in run["result"]
    assert run["description"].startswith("80 points, 0 failed")
    with zipfile.ZipFile(archive) as source:
        for name, entity in entities.items():
            if "sha256" in entity:
                content = source.read(name)
                assert hashlib.sha256(content).hexdigest() == entity["sha256"]
                assert str(len(content)) == entity["contentSize"]


def test_blocks_by_choice(committed, tmp_path):
    shutil.copytree(committed.folder, tmp_path / "copy")
    project = Project(tmp_path / "copy")
    killed = project.folder / "results" / ".archive.0123456789ab.tmp.zip"
    killed.write_bytes(b"half")
    done = project.nessflow("archive", "create", "--blocks")
    assert done.returncode == 0, done.stderr
    assert not killed.exists()
    names = zipfile.ZipFile(project.folder / "results" / "archive.zip").namelist()
    assert len([name for name in names if "/blocks/" in name]) == 5
    with zipfile.ZipFile(project.folder / "results" / "archive.zip") as source:
        source.extractall(tmp_path / "unpacked")
    assert Project(tmp_path / "unpacked").jobs() == {}


def test_changes_that_are_not_committed_are_told(committed, archive, tmp_path):
    shutil.copytree(committed.folder, tmp_path / "copy")
    project = Project(tmp_path / "copy")
    (project.folder / "src" / "nessflow" / "cli.py").open("a").write("\n# Changed.\n")
    (project.folder / "notes.txt").write_text("new")
    done = project.nessflow("archive", "create")
    assert done.returncode == 0, done.stderr
    assert "2 changes that are not in its commit" in done.stdout
    changed = project.folder / "results" / "archive.zip"
    assert "WITH CHANGES" in metadata(changed)["./"]["description"]
    assert "WITH CHANGES" not in metadata(archive)["./"]["description"]
    with zipfile.ZipFile(changed) as source:
        readme = source.read("README-archive.txt").decode()
        assert source.read("notes.txt") == b"new"
    assert " M src/nessflow/cli.py\n" in readme
    assert "?? notes.txt\n" in readme


def test_old_results_are_not_packed(committed, tmp_path):
    shutil.copytree(committed.folder, tmp_path / "copy")
    project = Project(tmp_path / "copy")
    project.edit("config/studies/chain.yaml", "rate: 0.1", "rate: 0.2")
    done = project.nessflow("archive", "create")
    assert done.returncode == 2
    assert "results/chain/.current/" in done.stderr
    assert "snakemake --cores all" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_that_are_no_text_are_refused_and_links_to_results_are_no_change(tmp_path):
    """Git knows names as bytes, whatever their encoding."""
    (tmp_path / os.fsdecode(b"\xffx.txt")).touch()
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "All")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    files = read_checkout(tmp_path).files
    assert [os.fsencode(name) for name in files] == [b"\xffx.txt"]
    git_state.cache_clear()
    assert git_state(tmp_path)[1] == 0
    # Results on another disk are no source; what else is new may be.
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run 1,é").symlink_to(tmp_path)
    git_state.cache_clear()
    assert git_state(tmp_path)[1] == 0
    (tmp_path / "b.txt").touch()
    git_state.cache_clear()
    assert git_state(tmp_path)[1] == 1
    with pytest.raises(ArchiveError, match="not a plain relative path"):
        write_archive(tmp_path / "a.zip", {name: tmp_path / name for name in files})


def test_a_folder_without_git_is_not_packed(finished, tmp_path):
    done = finished.nessflow("archive", "create")
    assert done.returncode == 2
    assert "no git checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_data_computed_without_git_say_that_nobody_knows_the_source(finished):
    attributes = read_dataset(finished.folder / "results" / "chain" / "data.nc").attrs
    assert attributes["git_commit"] == "unknown"
    assert "git_dirty" not in attributes
    assert "git_dirty" not in attributes["origins"]


def test_a_project_may_be_a_folder_of_a_checkout(tmp_path):
    inside = tmp_path / "paper" / "numbers of it"
    (inside / "config").mkdir(parents=True)
    (tmp_path / "paper" / "text.tex").touch()
    (inside / "config" / "a.yaml").touch()
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "All")):
        subprocess.run(["git", *command], cwd=tmp_path / "paper", check=True, capture_output=True)
    git_state.cache_clear()
    commit, dirty = git_state(inside)
    assert (len(commit), dirty) == (40, 0)
    # What is beside it is no change of it.
    (tmp_path / "paper" / "text.tex").write_text("more")
    git_state.cache_clear()
    assert git_state(inside) == (commit, 0)
    assert not read_checkout(inside).changes
    (inside / "config" / "a.yaml").write_text("more")
    (inside / "b é.yaml").touch()
    git_state.cache_clear()
    assert git_state(inside) == (commit, 1)
    found = read_checkout(inside)
    assert found.changes == [" M config/a.yaml", "?? b é.yaml"]
    assert found.files == ["b é.yaml", "config/a.yaml"]
    # An archive that is unpacked in a checkout is none of it.
    (tmp_path / "paper" / "unpacked").mkdir()
    (tmp_path / "paper" / "unpacked" / "c.yaml").touch()
    assert git_state(tmp_path / "paper" / "unpacked") == ("unknown", None)
    assert read_checkout(tmp_path / "paper" / "unpacked") is None


@pytest.mark.parametrize(
    "name",
    ["data.nc", "failures.csv", "manifest.json", "figures/current.svg", "figures/captions.txt"],
)
def test_what_is_damaged_is_not_packed(committed, tmp_path, name):
    shutil.copytree(committed.folder, tmp_path / "copy")
    project = Project(tmp_path / "copy")
    path = project.folder / "results" / "chain" / name
    image = bytearray(path.read_bytes())
    image[len(image) // 2] ^= 1
    path.write_bytes(image)
    done = project.nessflow("archive", "create")
    assert done.returncode == 2
    assert f"results/chain/{name}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_what_changes_while_it_is_packed_is_named(tmp_path):
    content = tmp_path / "a.txt"
    content.write_text("a")
    with pytest.raises(ArchiveError, match=r"a\.txt: changed while it was packed"):
        write_archive(tmp_path / "a.zip", {"a.txt": content}, {"a.txt": "0" * 64})
    assert not (tmp_path / "a.zip").exists()


def test_results_on_another_disk_are_packed(committed, tmp_path):
    """By a link, and under another name; the same files in the archive."""
    shutil.copytree(committed.folder, tmp_path / "copy")
    project = Project(tmp_path / "copy")
    scratch = tmp_path / "scratch"
    (project.folder / "results").rename(scratch)
    (project.folder / "out").mkdir()
    for name in ("results", "out/run 1,é"):
        (project.folder / name).symlink_to(scratch)
        project.edit("config/config.yaml", "studies: all\n", f"studies: all\nresults: {name}\n")
        done = project.nessflow("archive", "create")
        assert done.returncode == 0, done.stderr
        assert check_archive(scratch / "archive.zip") > 100
        names = zipfile.ZipFile(scratch / "archive.zip").namelist()
        assert f"{name}/chain/figures/current.svg" in names
        described = metadata(scratch / "archive.zip")["#run-chain"]["result"]
        assert len(described) > 5
        project.edit("config/config.yaml", f"results: {name}\n", "")
    assert "1 changes" in done.stdout, "config.yaml alone; results are nothing that git knows"


# Elsewhere


@pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip here")
def test_unzip_leaves_nothing_to_do(archive, tmp_path):
    subprocess.run(["unzip", "-q", archive, "-d", tmp_path / "unzipped"], check=True)
    assert Project(tmp_path / "unzipped").jobs() == {}


def test_results_without_their_blocks_are_verified(unpacked):
    done = unpacked.nessflow("verify")
    assert done.returncode == 0, done.stderr
    assert "ok, of its blocks none is here" in done.stdout


def test_figures_are_drawn_again_in_the_same_bytes_and_nothing_is_computed(unpacked, committed):
    project = unpacked
    assert project.jobs() == {}
    drawn = sorted((committed.folder / "results").glob("*/figures/[!.]*"))
    assert drawn
    for path in (project.folder / "results").glob("*/figures/[!.]*"):
        path.unlink()
    data = project.data("chain")
    done = project.snakemake("figures")
    assert done.returncode == 0, done.stderr
    assert "nessflow solve" not in done.stderr
    assert "rule block" not in done.stderr
    assert "gather" not in done.stderr
    assert project.data("chain") == data
    for path in drawn:
        copy = project.folder / path.relative_to(committed.folder)
        assert copy.read_bytes() == path.read_bytes(), path.name


def test_a_changed_study_is_seen_in_the_unpacked_archive(unpacked):
    unpacked.edit("config/studies/chain.yaml", "rate: 0.1", "rate: 0.2")
    assert unpacked.jobs("chain")["block"] == 4


def test_plain_tools_check_it(unpacked):
    readme = (unpacked.folder / "README-archive.txt").read_text()
    assert f"sha256sum --quiet -c {MANIFEST}" in readme
    count = len([path for path in unpacked.folder.rglob("*") if path.is_file()])
    assert f"({count} files" in readme
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    command = ["sha256sum", "--quiet", "-c", MANIFEST]
    subprocess.run(command, cwd=unpacked.folder, check=True)
    (unpacked.folder / "LICENSE").write_text("none")
    done = subprocess.run(command, cwd=unpacked.folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "LICENSE" in done.stdout


# Checks


def faults(path) -> list[str]:
    with pytest.raises(ArchiveError) as error:
        check_archive(path)
    return error.value.faults


def test_check_says_that_all_is_well(archive, unpacked, finished):
    assert check_archive(unpacked.folder) == check_archive(archive)
    done = finished.nessflow("archive", "check", str(archive))
    assert done.returncode == 0, done.stderr
    assert "all as they were packed" in done.stdout


def test_check_ends_with_status_2_and_no_traceback(archive, finished, tmp_path):
    image = bytearray(archive.read_bytes())
    image[len(image) // 2] ^= 1
    (tmp_path / "bad.zip").write_bytes(image)
    for path in (tmp_path / "bad.zip", tmp_path / "none.zip"):
        done = finished.nessflow("archive", "check", str(path))
        assert done.returncode == 2
        assert path.name in done.stderr
        assert "Traceback" not in done.stderr


def test_no_flipped_bit_goes_unnoticed(archive, tmp_path):
    image = archive.read_bytes()
    ends = [*range(40), *range(len(image) - 120, len(image))]
    places = [*ends, *(random.Random(1).randrange(len(image)) for _ in range(60))]
    damaged = tmp_path / "damaged.zip"
    for place in places:
        damaged.write_bytes(
            image[:place] + bytes([image[place] ^ (1 << place % 8)]) + image[place + 1 :]
        )
        assert faults(damaged), place


def test_no_cut_goes_unnoticed(archive, tmp_path):
    image = archive.read_bytes()
    for length in (0, 1, 100, len(image) // 2, len(image) - 65, len(image) - 1):
        (tmp_path / "cut.zip").write_bytes(image[:length])
        assert faults(tmp_path / "cut.zip"), length


def test_changed_lost_and_added_files_of_a_folder_are_named(unpacked):
    data = unpacked.folder / "results" / "chain" / "data.nc"
    image = bytearray(data.read_bytes())
    image[1000] ^= 1
    data.write_bytes(image)
    (unpacked.folder / "LICENSE").unlink()
    (unpacked.folder / "results" / "extra.txt").write_text("new")
    os.symlink("/etc", unpacked.folder / "link")
    assert faults(unpacked.folder) == [
        "'link': not a regular file but a symbolic link",
        "LICENSE: missing",
        "link: added, not in manifest-sha256.txt",
        "results/chain/data.nc: changed, its SHA-256 does not match",
        "results/extra.txt: added, not in manifest-sha256.txt",
    ]


def test_a_folder_without_manifest(unpacked):
    (unpacked.folder / MANIFEST).unlink()
    assert f"{MANIFEST}: missing" in faults(unpacked.folder)


@pytest.fixture
def small(tmp_path):
    """An archive of two files."""
    path = tmp_path / "small.zip"
    write_archive(path, {"a.txt": b"a", "b/c.txt": b"c"})
    return path


def added(path, name, content=b"x", mode=None) -> list[str]:
    """Add an entry as another program would; return what the check finds."""
    with zipfile.ZipFile(path, "a") as target:
        info = zipfile.ZipInfo(name)
        info.external_attr = (mode or 0o100644) << 16
        target.writestr(info, content)
    return faults(path)


def test_what_other_programs_add_to_a_zip_file_is_named(small):
    found = added(small, "extra.txt")
    assert "extra.txt: added, not in manifest-sha256.txt" in found
    assert "its bytes are not those that were written" in " ".join(found) or "no seal" in found[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("../evil.txt", "leads out of the folder"),
        ("b/../../evil.txt", "leads out of the folder"),
        ("/etc/evil.txt", "an absolute path"),
        ("C:/evil.txt", "an absolute path"),
        ("b\\evil.txt", "not a plain relative path"),
        ("./evil.txt", "not a plain relative path"),
        ("new\nline.txt", "not a plain relative path"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(small, name, text):
    assert f"{name!a}: {text}" in added(small, name)
    with pytest.raises(ArchiveError, match=text):
        write_archive(small.with_name("new.zip"), {name: b""})
    assert not small.with_name("new.zip").exists()


def test_links_in_a_zip_file_are_refused(small):
    assert "'link': not a regular file but a symbolic link" in added(
        small, "link", b"/etc/passwd", 0o120777
    )


@pytest.mark.parametrize(
    ("names", "ok"), [(("a", "A"), False), (("é", "e\u0301"), False), (("a", "b"), True)]
)
def test_names_that_some_file_systems_do_not_tell_apart_are_refused(tmp_path, names, ok):
    path = tmp_path / "a.zip"
    if ok:
        write_archive(path, dict.fromkeys(names, b""))
        return
    with pytest.raises(ArchiveError, match="where capitals or accents do not count"):
        write_archive(path, dict.fromkeys(names, b""))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(small):
    assert "'a.txt': there twice" in added(small, "a.txt")


def test_a_forged_manifest_is_found_by_the_seal(tmp_path):
    """Content and manifest changed together: only the SHA-256 of the whole tells."""
    genuine, forged = tmp_path / "genuine.zip", tmp_path / "forged.zip"
    assert write_archive(genuine, {"a.txt": b"a"}) != write_archive(forged, {"a.txt": b"b"})


CHECKED = """
import resource, sys
from nessflow.publish.archive import ArchiveError, check_archive
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = used()
try:
    check_archive(sys.argv[1])
except ArchiveError as error:
    print(error, file=sys.stderr)
print(used() - before)
"""


def checked_in_kilobytes(path) -> tuple[int, str]:
    """Check an archive; return the memory that it takes and what is said."""
    command = [sys.executable, "-c", CHECKED, path]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout), done.stderr


def test_checking_needs_little_memory(tmp_path):
    content = tmp_path / "large"
    with content.open("wb") as stream:
        stream.truncate(64 << 20)
    write_archive(tmp_path / "large.zip", {"large": content})
    used, said = checked_in_kilobytes(tmp_path / "large.zip")
    assert said == ""
    assert used < 20_000


@pytest.mark.parametrize(
    "line",
    [b"\0" * 1000, b"x" * 999 + b"\n", b"0" * 64 + b"  b.txt\n", b"0" * 64 + b"  a.txt\n"],
    ids=["no lines", "no checksums", "missing", "changed"],
)
def test_a_manifest_that_unpacks_to_a_lot_needs_little_memory(tmp_path, line):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a.txt", b"a")
        target.writestr(MANIFEST, line * (100_000_000 // len(line)))
    used, said = checked_in_kilobytes(path)
    assert path.stat().st_size < 1_000_000
    assert used < 20_000
    assert f"{MANIFEST}: line " in said or "b.txt: missing" in said
    assert len(said.splitlines()) < 110


def test_only_what_unpacks_in_pieces_is_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as target:
        target.writestr("a.txt", b"a" * 10_000_000)
        target.writestr(MANIFEST, b"")
    used, said = checked_in_kilobytes(path)
    assert "'a.txt': compressed by method 12, not deflate" in said
    assert used < 20_000
