"""What a study takes from files and functions makes its blocks old by its content alone."""

import json
import os
import shutil
import subprocess

import pytest

import own_files
from conftest import ROOT, Project
from nessflow.config.project import load_study, parameters_of
from nessflow.store.store import read_dataset
from nessflow.verbs.workflow import open_project

LEADS = """\
  leads:
    left:  {kind: wide-band, broadening: 0.8, chemical_potential: $mu, temperature: 0.1, site: 1}
    right: {kind: wide-band, broadening: 0.5, chemical_potential: 0, temperature: 0.1, site: 4}
axes:
  mu: {inner: [0.1, 0.2]}
observables: [currents]
"""
FILE = f"""\
title: Of a file
study: steady-current
system:
  lattice: {{kind: file, path: data/strip.mtx}}
{LEADS}"""
FUNCTION = f"""\
title: Of a function
study: steady-current
system:
  lattice: {{kind: python, function: "parts/my_model.py:chain", parameters: {{sites: 4}}}}
{LEADS}"""
CASES = FILE.replace(
    "axes:",
    """axes:
  which:
    outer: {cases: {one: {system.lattice.path: data/strip.npz}, two: {system.loss: null}}}
    long_name: file""",
)


@pytest.fixture
def project(tmp_path):
    project = Project(own_files.write(tmp_path / "project"))
    for name, text in {"file": FILE, "function": FUNCTION, "cases": CASES}.items():
        project.study(name).write_text(text)
    return project


def solved(project, study, block="points.nc"):
    done = project.nessflow("solve", study, block)
    assert done.returncode == 0, done.stderr
    return read_dataset(project.folder / "results" / study / "blocks" / block)


def reasons(project, study):
    """What a plan says of blocks that run."""
    done = project.nessflow_here("plan", study)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if "blocks: " in line]


def test_the_content_of_a_file_counts_and_its_name_does_not(project):
    data = solved(project, "file")
    (path, sha256), *_ = json.loads(data.attrs["files"]).items()
    assert (path, len(sha256)) == ("data/strip.mtx", 71)
    assert reasons(project, "file") == []
    folder = project.folder / "data"
    (folder / "strip.mtx").rename(folder / "wire.mtx")
    assert project.nessflow_here("plan", "file").returncode == 2
    project.edit("config/studies/file.yaml", "data/strip.mtx", "data/wire.mtx")
    assert reasons(project, "file") == []
    state = os.stat(folder / "wire.mtx")
    text = (folder / "wire.mtx").read_text()
    changed = text.replace("-5.33", "-5.34")
    assert len(changed) == len(text)
    assert changed != text
    (folder / "wire.mtx").write_text(changed)
    os.utime(folder / "wire.mtx", ns=(state.st_atime_ns, state.st_mtime_ns))
    (reason,) = reasons(project, "file")
    assert "1 of 1 blocks: parameter changed: system.lattice.path sha256:" in reason
    assert (solved(project, "file")["particle_current"] != data["particle_current"]).any()
    (folder / "wire.mtx").write_text(text)
    assert reasons(project, "file") != []


def test_one_case_of_a_file_leaves_the_others(project):
    # Arrays of loss stand in no other case.
    solved(project, "cases", "which~one/points.nc")
    solved(project, "cases", "which~two/points.nc")
    assert reasons(project, "cases") == []
    path = project.folder / "data" / "strip.npz"
    (project.folder / "data" / "strip.npz").write_bytes(path.read_bytes() + b"\n")
    (reason,) = reasons(project, "cases")
    assert reason.startswith("cases: 1 of 2 blocks: parameter changed: cases.which.one.system.")


def test_the_code_of_a_function_counts_with_what_it_imports(project):
    solved(project, "function")
    solved(project, "file")
    project.edit("parts/helpers.py", "HOPPING", "# a comment\nHOPPING")
    assert "code changed" not in fresh(project, "plan", "function")
    project.edit("parts/helpers.py", "1.0", "1.1")
    assert "1 of 1 blocks: code changed" in fresh(project, "plan", "function")
    assert "code changed" not in fresh(project, "plan", "file")
    project.edit("config/studies/function.yaml", "sites: 4", "sites: 5")
    said = fresh(project, "plan", "function")
    assert "parameter changed: system.lattice.parameters.sites 4 -> 5" in said


def fresh(project, *arguments):
    """The output of a process of its own, which has imported no part."""
    done = project.process("nessflow", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_that_changes_while_points_are_computed_is_noticed(project):
    study = load_study(project.study("file"))
    assert list(study.files) == ["data/strip.mtx"]
    path = project.folder / "data" / "strip.mtx"
    path.write_text(path.read_text().replace("-5.33", "-5.34"))
    with pytest.raises(ValueError, match="a file has changed since the study was read"):
        parameters_of(study, {"mu": "0.1"})


def test_what_is_remembered_of_a_project_follows_its_files(project):
    for path in (project.folder / "parts").iterdir():
        path.unlink()
    project.study("function").unlink()
    first = open_project(project.folder, {})
    assert set(first.files) == {"data/strip.mtx", "data/strip.npz"}
    assert open_project(project.folder, {}) == first
    path = project.folder / "data" / "strip.mtx"
    text, state = path.read_text(), os.stat(path)
    path.write_text(text.replace("-5.33", "-5.34"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    second = open_project(project.folder, {})
    assert second.jobs["file"].numbers != first.jobs["file"].numbers
    path.write_text(text)
    assert open_project(project.folder, {}) == first
    path.unlink()
    with pytest.raises(SystemExit):
        open_project(project.folder, {})


def test_an_archive_has_the_files_that_studies_are_made_of(project):
    for name in ("envs", "workflow"):
        (project.folder / name).mkdir()
    for name in ("README.md", "LICENSE", "CITATION.cff"):
        shutil.copy(ROOT / name, project.folder / name)
    for name in ("workflow/Snakefile", "envs/requirements.lock"):
        shutil.copy(ROOT / name, project.folder / name)
    project.study("function").unlink()
    (project.folder / ".gitignore").write_text("*.npz\n")
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "All")):
        subprocess.run(["git", *command], cwd=project.folder, check=True, capture_output=True)
    said = project.nessflow("archive", "create", "cases", "file").stderr
    assert "data/strip.npz" in said
    assert "git ignores what studies are made of" in said
    (project.folder / ".gitignore").unlink()
    said = project.nessflow("archive", "create", "cases", "file").stderr
    assert "git ignores" not in said
    assert "missing or old" in said
