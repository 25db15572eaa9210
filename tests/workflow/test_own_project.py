"""The life of a project of somebody else, who has nothing of nessflow but its wheel."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from conftest import ROOT, shared
from nessflow.run.provenance import git_state
from nessflow.verbs.begin.init import TEMPLATE, licence_text

AUTHOR = "Ada Lovelace"
TABLE = """\
import sys

import nessflow

data = nessflow.load("first-wire")
current = data["net_particle_current_mean"].values[:, -1]
lines = [f"{bias:g},{value}" for bias, value in zip(data["bias"].values, current, strict=True)]
open(sys.argv[2], "w").write("\\n".join(lines))
"""


class Installed:
    """A folder in which commands find an installed nessflow, and no checkout of it."""

    def __init__(self, folder: Path, python: Path):
        self.folder, self.python = folder, python

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
        environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
        # As in an active environment.
        environment["PATH"] = f"{self.python.parent}{os.pathsep}{environment['PATH']}"
        return subprocess.run(
            [str(self.python), "-m", *arguments],
            cwd=self.folder,
            env=environment | variables,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def done(self, *arguments: str, **variables: str) -> str:
        """Run a command that succeeds; return what it says."""
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def snakemake(self, *arguments: str, **variables: str) -> str:
        return self.done("snakemake", "--cores", "2", *arguments, **variables)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))

    def commit(self) -> str:
        """Commit all that git does not ignore; return the commit."""
        author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "All")):
            subprocess.run(["git", *command], cwd=self.folder, check=True, capture_output=True)
        git_state.cache_clear()
        return git_state(self.folder)[0]


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The Python of an environment that has the wheel, and beside it what others have written."""

    def make(folder: Path) -> None:
        # Not from the checkout itself, where builds leave files.
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            folder.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder)
        hidden = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / "src", folder / "src", ignore=hidden)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        plain = ["--no-deps", "--no-index"]
        wheel = [*pip, "wheel", *plain, "--no-build-isolation", "-w", str(folder), str(folder)]
        subprocess.run(wheel, check=True, capture_output=True)
        environment = folder / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        python = environment / "bin" / "python"
        (built,) = folder.glob("nessflow-*.whl")
        install = [*pip, "--python", str(python), "install", *plain, str(built)]
        subprocess.run(install, check=True, capture_output=True)
        (packages,) = environment.glob("lib/python*/site-packages")
        # Folders named in such a file are searched, and files of that kind in them are not read.
        others = Path(distribution("numpy").locate_file(""))
        (packages / "others.pth").write_text(f"{others}\n")
        # Kernels that are compiled already; none of this checkout is imported.
        for path in (ROOT / "src").rglob("*.nb[ci]"):
            target = packages / path.relative_to(ROOT / "src")
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)

    return shared(tmp_path_factory, "wheel", make) / "environment" / "bin" / "python"


def test_the_whole_life_of_a_project(python, tmp_path):
    begun = Installed(tmp_path, python)
    said = begun.done("nessflow", "init", "my paper", "--author", AUTHOR, "--slurm", "--github")
    assert "cd 'my paper' && snakemake --cores 2" in said
    project = Installed(tmp_path / "my paper", python)
    place = project.run("nessflow", "init", ".", "--author", AUTHOR).stdout
    assert "is there and stays as it is" in place

    # Nothing of it is ours.
    for path in ("LICENSE", "CITATION.cff"):
        text = (project.folder / path).read_text()
        assert "nessflow developers" not in text
        assert all(name in text for name in AUTHOR.split())
    orcid = "https://orcid.org/0000-0002-1825-0097"
    project.edit(
        "CITATION.cff", "# orcid: https://orcid.org/0000-0000-0000-0000", f"orcid: {orcid}"
    )
    commit = project.commit()

    # Run, and a study like another one.
    project.snakemake()
    results = project.folder / "results"
    for study, figure in (("first-wire", "current"), ("own-parts", "imbalance")):
        assert (results / study / "data.nc").is_file()
        assert (results / study / "figures" / f"{figure}.png").is_file()
    explained = project.done("nessflow", "explain", "results/own-parts/data.nc")
    assert f"git commit: {commit}" in explained
    assert "licence: BSD-3-Clause" in explained
    assert f"authors: {AUTHOR}" in explained
    assert orcid in explained
    assert "nessflow 0.1.0" in explained
    assert "my-copy" in project.done("nessflow", "new", "my-copy", "--from", "own-parts")
    taken = project.run("nessflow", "new", "my-copy", "--from", "transmission")
    assert taken.returncode == 2
    assert "config/studies/my-copy.yaml is there" in taken.stderr
    (project.folder / "config" / "studies" / "my-copy.yaml").unlink()

    # A grid that grows computes what is new; a part that changes makes old what uses it, alone.
    project.edit("config/studies/first-wire.yaml", "outer: [0.5, 1.0]", "outer: [0.5, 1.0, 1.5]")
    project.edit("parts/semicircle.py", '"t", 2.0, gt=0', '"t", 2.5, gt=0')
    planned = project.done("nessflow", "plan").splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in planned if line.split()[1:2]}
    assert rows["first-wire"][:3] == ["300", "200", "100"]
    assert rows["own-parts"][:3] == ["9", "0", "9"]
    project.snakemake("report")
    assert "my paper: 2 studies" in (results / "report" / "index.html").read_text()

    # A broken part stops the studies that use it, and no others.
    project.edit("parts/semicircle.py", "class Semicircle(Lead):", "class Semicircle(Lead:")
    broken = project.run("snakemake", "--cores", "2")
    assert "parts/semicircle.py:11: SyntaxError" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert project.run("nessflow", "plan", "own-parts").returncode == 2
    assert project.run("nessflow", "plan", "first-wire").returncode == 0
    project.edit("parts/semicircle.py", "class Semicircle(Lead:", "class Semicircle(Lead):")

    # A rule of the project's own beside those of nessflow.
    page = (ROOT / "docs" / "own-project.md").read_text()
    (project.folder / "Snakefile").write_text(page.split("```python\n")[1].split("```")[0])
    (project.folder / "table.py").write_text(TABLE)
    project.snakemake("table.csv")
    assert (project.folder / "table.csv").read_text().startswith("0.5,")

    # Published, and drawn again elsewhere by what is in the archive, in the same bytes.
    project.commit()
    project.snakemake("archive")
    elsewhere = tmp_path / "elsewhere"
    with zipfile.ZipFile(results / "archive.zip") as archive:
        archive.extractall(elsewhere)
        assert archive.read("src/nessflow/LICENSE").decode() == (ROOT / "LICENSE").read_text()
        readme = archive.read("README-archive.txt").decode()
        assert "my paper" in readme.splitlines()[0]
        deposit = json.loads(archive.read(".zenodo.json"))
        assert deposit["creators"][0]["orcid"] == "0000-0002-1825-0097"
        crate = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
        assert [e["name"] for e in crate if e["@id"] == orcid] == [AUTHOR]
        needed = archive.read("requirements-archive.txt").decode().split()
    assert f"numpy=={distribution('numpy').version}" in needed
    assert "    PYTHONPATH=src .venv/bin/snakemake --cores 1 figures" in readme
    unpacked = Installed(elsewhere, Path(sys.executable))
    figures = sorted(elsewhere.glob("results/*/figures/[!.]*"))
    before = {path: path.read_bytes() for path in figures}
    assert len(before) == 2 * 6
    for path in figures:
        path.unlink()
    said = unpacked.snakemake("figures", PYTHONPATH="src")
    assert "rule block" not in said
    assert {path: path.read_bytes() for path in before} == before


def test_what_it_begins_with_is_that_of_this_project():
    """Profiles and licence stand twice, since a project has its own."""
    for name in ("default", "slurm"):
        path = Path("profiles", name, "config.yaml")
        assert (ROOT / path).read_text() == (TEMPLATE / path).read_text()
    assert licence_text("2026", "the nessflow developers") == (ROOT / "LICENSE").read_text()
    ours = (ROOT / "workflow" / "Snakefile").read_text().split("import nessflow\n")[1]
    assert (TEMPLATE / "Snakefile").read_text().split("import nessflow\n")[1] == ours


def test_its_parts_obey_the_laws(python, tmp_path):
    Installed(tmp_path, python).done("nessflow", "init", "p", "--author", AUTHOR)
    Installed(tmp_path / "p", python).done("pytest", "-p", "no:cacheprovider", "tests")
