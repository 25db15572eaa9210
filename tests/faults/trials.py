"""Commands of nessflow as forks of one process that has imported all: a trial costs no start."""

import gc
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import ROOT, SPECTRUM
from nessflow.cli import main
from nessflow.verbs import warm
from nessflow.verbs.workflow import jobs_of, read_project

SECONDS = 120
"""After which a command hangs."""
STUDY = "spectrum"
BLOCK = "points.nc"
OLD, NEW = "inner: [0.5]", "inner: [0.5, 1.0]"
_BESIDE = ("benchmarks", "logs")
_MORE = (
    "nessflow.verbs.archive",
    "nessflow.verbs.direct.run",
    "nessflow.verbs.report",
    "nessflow.verbs.verify",
    "pint",
    "rocrate.rocrate",
    "snakemake.cli",
    "snakemake.workflow",
)


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    said: str


def import_all(folder: Path) -> None:
    """Import what commands import, as the server of warm processes does, and parts of no project.

    From then on this process must have one thread, and run no command itself.  Commands are quick
    in the folder named, of which is kept what follows from where a project is.
    """
    warm._import_all((dict(os.environ), os.getcwd()))
    for name in _MORE:
        importlib.import_module(name)
    for _ in warm._first_steps():
        pass
    # Schemas and units, which all commands make that read a study.
    study = read_project(made(folder), studies="all").studies[STUDY]
    jobs_of(Path("results"), study)
    shutil.rmtree(folder)
    gc.freeze()


def forked(
    act: Callable[[], object],
    began: Callable[[int], object] = lambda pid: None,
    seconds: int = SECONDS,
) -> Ended:
    """Do something in a fork, the first of a process group; return how it ended.

    ``began`` is done here meanwhile; after ``seconds`` it is ended, unless these are 0.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)
            for stream in (1, 2):
                os.dup2(said.fileno(), stream)
            signal.alarm(seconds)
            _do(act)
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)
        began(pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        return Ended(status, said.read().decode())


def _do(act: Callable[[], object]) -> NoReturn:
    status = 1
    try:
        act()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def nessflow(
    folder: Path,
    *arguments: str,
    before: Callable[[], object] = lambda: None,
    began: Callable[[int], object] = lambda pid: None,
) -> Ended:
    """Run a command of nessflow in a folder, as `forked` does."""

    def act() -> None:
        os.chdir(folder)
        sys.argv = ["nessflow", *arguments]
        before()
        main()

    return forked(act, began)


def required(ended: Ended) -> Ended:
    """Make sure that a command, which nothing disturbed, succeeded."""
    assert ended.status == 0, ended.said
    return ended


def made(folder: Path, study: str = SPECTRUM) -> Path:
    """Make a small project, a git checkout, with one study that has not run."""
    (folder / "config" / "studies").mkdir(parents=True)
    (folder / "config" / "config.yaml").write_text("tier: paper\nstudies: all\n")
    (folder / "config" / "studies" / f"{STUDY}.yaml").write_text(study)
    # With a source of its own an archive leaves out that of nessflow, which makes it small.
    (folder / "src" / "nessflow").mkdir(parents=True)
    (folder / "src" / "nessflow" / "README.md").write_text("Elsewhere.\n")
    for name in ("README.md", "LICENSE", "CITATION.cff", ".gitignore", "Snakefile"):
        shutil.copy(ROOT / name, folder)
    for name in ("profiles", "workflow"):
        shutil.copytree(ROOT / name, folder / name)
    git(folder, "init", "-q", "--template=")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit all that is in a project."""
    git(folder, "add", ".")
    git(folder, "-c", "user.name=test", "-c", "user.email=t@example.org", "commit", "-qm", "All")


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder."""
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder but git's, Snakemake's, logs, costs and locks of runs."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        beside = {*_BESIDE, ".git", ".snakemake"} & set(name.parts)
        if path.is_file() and not beside and name.name != ".lock":
            found[name.as_posix()] = path.read_bytes()
    return found


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder that is removed in the end, by this process alone and by no fork at its end."""
    folder = Path(tempfile.mkdtemp(prefix="nessflow-faults-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def copied(source: Path, target: Path) -> Path:
    """Put a copy of a project in the place of what is there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
    return target
