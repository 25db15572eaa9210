"""Small projects that run the real workflow in a folder of their own."""

import fcntl
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings

import nessflow  # noqa: F401 - sets the threads of linear algebra, also for tests without it
from forks import run_module
from nessflow.cli import main
from nessflow.registry import use_project

# Where a red run blocks others the examples are the same each time; elsewhere they roam.
settings.register_profile("fixed", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("fixed")


ROOT = Path(__file__).resolve().parents[1]
# Kwant, sisl and pyarrow are in an environment of their own, in which tests/judges runs these and
# what is marked `peer`: none is skipped there.
HAS_PEERS = bool(find_spec("kwant") and find_spec("sisl"))
collect_ignore_glob = [] if HAS_PEERS else ["peers/*"]

FIRST = ("cluster", "workflow", "faults")
"""Folders of tests that start processes, which take longest."""


def pytest_collection_modifyitems(items):
    """Begin with what takes longest, so that no worker is alone with it at the end."""
    items[:] = [item for item in items if HAS_PEERS or not item.get_closest_marker("peer")]
    places = {ROOT / "tests" / name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path.parent, len(FIRST)))


def pytest_runtest_setup(item):
    """Look for parts in the project of the test's module, whichever was in use before."""
    own = getattr(item.module, "PROJECT", None)
    use_project(own if isinstance(own, Path) else item.path)


def shared(tmp_path_factory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that is made once for all workers, by the first that asks for it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    made = root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make(root / name)
            made.touch()
    return root / name


CHAIN = """\
title: Small disordered chain
study: steady-current
system:
  lattice: {kind: chain, sites: 6}
  disorder: {kind: uniform, half_width: $V}
  loss: {kind: onsite, rate: 0.1}
  leads:
    left:  {kind: wide-band, broadening: 1.1, chemical_potential: $mu, temperature: 1.0e-2}
    right: {kind: wide-band, broadening: 1.1, chemical_potential: 0.1, temperature: 1.0e-2}
axes:
  mu: {outer: [0.1, 0.3]}
  V: {inner: [0.5, 1.0]}
ensemble: {samples: 20, per_block: 10, seed: 1}
figures:
  - {name: current, plot: samples, x: V, y: net_particle_current, sel: {mu: 0.1}}
"""

SPECTRUM = """\
title: Small spectrum
study: transmission
system:
  lattice: {kind: chain, sites: 4, hopping: $t_S}
  loss: {kind: bond, rate: 0.5}
  leads:
    left:  {kind: wide-band, broadening: 1.1, chemical_potential: 0, temperature: 0}
    right: {kind: wide-band, broadening: 1.1, chemical_potential: 0, temperature: 0}
energies: {start: -3, stop: 3, points: 7}
axes:
  t_S: {inner: [0.5, 1.0]}
figures:
  - {name: loss, plot: map, x: energy, y: t_S, z: loss_transmission}
"""


@dataclass
class Project:
    """A copy of the workflow with studies of its own."""

    folder: Path

    def study(self, name: str) -> Path:
        return self.folder / "config" / "studies" / f"{name}.yaml"

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return run_module(arguments, self.folder, self.environment, timeout=300)

    def process(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run a process as a user's, which has nothing in common with others."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.folder / "src")}

    def snakemake(self, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess:
        return self.run("snakemake", "--cores", str(cores), *arguments)

    def nessflow(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.run("nessflow", *arguments)

    def nessflow_here(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run the command in this process, for what is read and said and no change of the source.

        Raises
        ------
        Exception
            What would be a traceback of a process.
        """
        out, err = io.StringIO(), io.StringIO()
        status = 0
        with ExitStack() as stack:
            stack.enter_context(chdir(self.folder))
            stack.enter_context(redirect_stdout(out))
            stack.enter_context(redirect_stderr(err))
            stack.enter_context(patch("sys.argv", ["nessflow", *arguments]))
            try:
                main()
            except SystemExit as end:
                status = end.code or 0
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Return the jobs that a dry run lists, by rule."""
        done = self.snakemake("-n", *arguments)
        assert done.returncode == 0, done.stderr
        table, counts = False, {}
        for line in (done.stdout + done.stderr).splitlines():
            words = line.split()
            if line.startswith("Job stats:"):
                table = True
            elif table and len(words) == 2 and words[1].isdigit():
                counts[words[0]] = int(words[1])
            elif table and not words:
                break
        return counts

    def data(self, study: str) -> bytes:
        return (self.folder / "results" / study / "data.nc").read_bytes()


def copy_project(folder: Path, studies: dict[str, str]) -> Project:
    folder.mkdir(parents=True)
    for name in ("Snakefile", "workflow", "profiles", "src", "envs", "CITATION.cff"):
        source = ROOT / name
        if source.is_dir():
            # Compiled kernels come along: numba finds them beside the copied sources.
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    project = Project(folder)
    (folder / "config" / "studies").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text("tier: paper\nstudies: all\n")
    for name, text in studies.items():
        project.study(name).write_text(text)
    return project


def git_checkout(project: Project, folder: Path) -> Project:
    """Return a copy of a project as a git checkout with all that an archive needs."""
    shutil.copytree(project.folder, folder)
    for name in ("README.md", "LICENSE", "CITATION.cff", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "All")):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return Project(folder)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_project(tmp_path / "project", {"chain": CHAIN, "spectrum": SPECTRUM})


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A project whose studies have run; tests must not change it."""

    def make(folder: Path) -> None:
        project = copy_project(folder, {"chain": CHAIN, "spectrum": SPECTRUM})
        # Those of the tests, which are forks, have to do the same.
        done = project.process("snakemake", "--cores", "2")
        assert done.returncode == 0, done.stderr

    return Project(shared(tmp_path_factory, "finished", make))


@pytest.fixture
def ready(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project that a test may change."""
    shutil.copytree(finished.folder, tmp_path / "ready")
    return Project(tmp_path / "ready")
