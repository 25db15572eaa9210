"""Jobs that are forks of one server do what processes of their own do, and leave nothing behind."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from conftest import CHAIN, ROOT, SPECTRUM, Project, copy_project
from nessflow.verbs.warm import VARIABLE

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no warm processes here")

PAUSING = """\
title: Points that take their time
study: pausing
pause: $wait
number: $n
axes:
  wait: {outer: [0, 0.5]}
  n: {inner: {linspace: [1, 20, 20]}}
"""
TELLING = "\nwith open('told', 'a') as told:\n    print(os.getpid(), file=told)\n"
HEAD = """\
import os, sys
from nessflow.verbs import warm
warm.start()
print(os.environ.get(warm.VARIABLE, ""), flush=True)
sys.stdin.read()
"""
SLOW = ("solve", "pausing", "wait~0.5/points.nc")


def pausing_project(folder: Path) -> Project:
    """Return a project of one slow kind of its own, which tells of each process that imports it."""
    made = copy_project(folder, {"pausing": PAUSING})
    (made.folder / "parts").mkdir()
    write_part(made)
    return made


def write_part(project: Project, more: str = "") -> None:
    kind = (ROOT / "tests/cluster/pausing.py").read_text() + TELLING
    (project.folder / "parts" / "pausing.py").write_text(kind + more)


@pytest.fixture
def project(tmp_path) -> Project:
    return pausing_project(tmp_path / "project")


@dataclass
class Head:
    """The process that a server belongs to, in the place of Snakemake's."""

    project: Project
    process: subprocess.Popen
    environment: dict[str, str]

    @property
    def server(self) -> psutil.Process:
        (server,) = psutil.Process(self.process.pid).children()
        return server

    @property
    def folder(self) -> Path:
        return Path(self.environment[VARIABLE]).parent

    def client(self, *arguments: str, **options) -> subprocess.Popen:
        script = self.project.folder / "src/nessflow/verbs/warm.py"
        command = [sys.executable, "-I", "-S", str(script), *arguments]
        options = {"cwd": self.project.folder, "env": self.environment} | options
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, **options)

    def run(self, *arguments: str, **options) -> tuple[int, str, str]:
        """Return how a client ends and what it says."""
        client = self.client(*arguments, **options)
        said = client.communicate(timeout=120)
        return client.returncode, *said

    def is_fork(self, **options) -> bool:
        """Tell whether a job is a fork of the server, and not what its client becomes."""
        before = told(self.project)
        client = self.client("describe", "pausing", **options)
        said = client.communicate(timeout=120)
        assert client.returncode == 0, said
        (process,) = told(self.project)[len(before) :]
        return process != client.pid


@contextmanager
def head_of(project: Project, **environment: str):
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = {**project.environment, **one, **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD],
        cwd=project.folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    path = process.stdout.readline().strip()
    try:
        yield Head(project, process, environment | ({VARIABLE: path} if path else {}))
    finally:
        with suppress(BrokenPipeError):
            process.communicate(timeout=60)


@pytest.fixture
def mortal(project):
    """A head that a test may kill, or its server."""
    with head_of(project) as made:
        yield made


@pytest.fixture(scope="module")
def immortal(tmp_path_factory):
    with head_of(pausing_project(tmp_path_factory.mktemp("immortal") / "project")) as made:
        yield made


@pytest.fixture
def head(immortal):
    """A head that serves several tests, with a project without results."""
    folder = immortal.project.folder
    shutil.rmtree(folder / "results", ignore_errors=True)
    (folder / "points.log").unlink(missing_ok=True)
    write_part(immortal.project)
    return immortal


def told(project: Project) -> list[int]:
    """Return the processes that have imported the kind."""
    path = project.folder / "told"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def until(condition):
    """Wait until a condition holds; return its value."""
    end = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value


def points(project: Project) -> int:
    path = project.folder / "points.log"
    return len(path.read_text().splitlines()) if path.exists() else 0


def at_work(head: Head) -> tuple[subprocess.Popen, list[psutil.Process]]:
    """Return a client that waits for a slow block, and the processes that compute it."""
    client = head.client(*SLOW)
    until(lambda: points(head.project) >= 2)
    (child,) = head.server.children()
    (worker,) = child.children()
    return client, [child, worker]


def have_ended(processes) -> bool:
    # Where nobody is init they stay as zombies.
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def kept(project: Project) -> bool:
    """Tell whether an interrupted block has kept its finished points."""
    return (project.folder / "results/pausing/blocks/wait~0.5/points.partial.nc").exists()


def test_files_have_the_bytes_of_those_of_fresh_processes(tmp_path):
    chain = CHAIN.replace("[0.1, 0.3]", "[0.1]").replace("samples: 20", "samples: 10")
    studies = {"chain": chain, "spectrum": SPECTRUM}
    jobs = [
        ("solve", "chain", "mu~0.1/seeds~00000-00009.nc"),
        ("solve", "spectrum", "points.nc"),
        *(("gather", study) for study in studies),
        ("figure", "chain", "current"),
        ("figure", "spectrum", "loss"),
        *(("captions", study) for study in studies),
    ]
    found = []
    fresh, forked = (copy_project(tmp_path / name, studies) for name in ("fresh", "forked"))
    with head_of(forked) as head:
        for job in jobs:
            done = fresh.process("nessflow", *job)
            assert done.returncode == 0, done.stderr
            status, out, err = head.run(*job)
            assert (status, out) == (0, done.stdout)
            assert err.split("; CPU")[0] == done.stderr.split("; CPU")[0]
    for project in (fresh, forked):
        results = project.folder / "results"
        paths = (path for path in results.rglob("*") if path.is_file())
        files = {path.relative_to(results).as_posix(): path.read_bytes() for path in paths}
        found.append({name: files[name] for name in files if "benchmarks" not in name})
    assert len(found[0]) > 15
    assert found[0] == found[1]


def test_each_child_reads_the_parts_of_the_project_anew(head):
    assert head.is_fork()
    write_part(head.project, "print('a nap')\n")
    status, out, _ = head.run("describe", "pausing")
    assert (status, out.splitlines()[0]) == (0, "a nap")
    write_part(head.project)
    assert head.is_fork()
    processes = told(head.project)[-3:]
    assert len(set(processes)) == len(processes) == 3
    assert head.server.pid not in processes


def test_files_that_a_part_leaves_open_are_written(head):
    write_part(head.project, "left = open('left', 'w')\nleft.write('something')\n")
    assert head.run("describe", "pausing")[0] == 0
    assert (head.project.folder / "left").read_text() == "something"


def test_children_differ_in_what_is_random(head):
    write_part(head.project, "import numpy, random\nprint(numpy.random.rand(), random.random())\n")
    first, second = (head.run("describe", "pausing")[1].splitlines()[0] for _ in range(2))
    assert not set(first.split()) & set(second.split())


def limited():
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))


@pytest.mark.parametrize(
    "options",
    [
        {"umask": 0o077},
        {"preexec_fn": limited},
        {"preexec_fn": lambda: os.nice(1)},
        {"preexec_fn": lambda: os.close(0)},
        {"env": {"OMP_NUM_THREADS": "2"}},
    ],
    ids=["umask", "limit", "nice", "closed", "environment"],
)
def test_other_surroundings_have_a_process_of_their_own(head, options):
    assert head.is_fork()
    if "env" in options:
        options = {"env": head.environment | options["env"]}
    assert not head.is_fork(**options)
    assert head.is_fork()


def test_another_folder_has_a_process_of_its_own(head, tmp_path):
    other = copy_project(tmp_path / "other", {"spectrum": SPECTRUM})
    assert head.is_fork()
    status, out, _ = head.run("describe", "spectrum", cwd=other.folder)
    assert (status, "Small spectrum" in out) == (0, True)


def test_libraries_with_threads_of_their_own_are_not_forked(project):
    if os.cpu_count() == 1:
        pytest.skip("one processor, one thread")
    with head_of(project, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2") as head:
        assert not head.is_fork()


def test_a_thread_that_comes_with_what_a_verb_needs_is_not_forked(project):
    path = project.folder / "src/nessflow/verbs/draw.py"
    waiting = (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    path.write_text(f"{path.read_text()}\n{waiting}\n")
    with head_of(project) as head:
        assert head.is_fork()
        client = head.client("captions", "pausing")
        client.communicate(timeout=120)
        assert told(project)[-1] == client.pid
        assert not head.is_fork()


def test_parts_that_come_during_a_run_are_found(tmp_path):
    project = copy_project(tmp_path / "p", {"spectrum": SPECTRUM})
    with head_of(project) as head:
        assert head.run("describe", "spectrum")[0] == 0
        assert head.run("gather", "spectrum")[0] == 2
        project.study("pausing").write_text(PAUSING)
        (project.folder / "parts").mkdir()
        write_part(project)
        assert not head.is_fork()


def test_source_that_has_changed_is_read_anew(mortal):
    assert mortal.is_fork()
    path = mortal.project.folder / "src/nessflow/cli.py"
    path.write_text(path.read_text() + "\n# changed\n")
    assert not mortal.is_fork()


def test_a_fault_has_the_words_and_the_status_of_a_fresh_process(head):
    for arguments in (["solve", "pausing", "nothing.nc"], ["gather"], ["figure", "pausing", "x"]):
        done = head.project.process("nessflow", *arguments)
        assert head.run(*arguments) == (done.returncode, done.stdout, done.stderr)
        assert done.returncode == 2


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_client_ends_the_child_as_a_fresh_process(head, signum):
    client, processes = at_work(head)
    client.send_signal(signum)
    client.communicate(timeout=60)
    if signum == signal.SIGHUP:
        assert client.returncode == -signum
    else:
        assert client.returncode == 128 + signum
        assert kept(head.project)
    until(lambda: have_ended(processes))
    assert head.is_fork()


def test_a_child_that_a_signal_ends_has_its_client_end_so(head):
    client, (child, worker) = at_work(head)
    child.kill()
    client.communicate(timeout=60)
    assert client.returncode == -signal.SIGKILL
    worker.kill()


def test_a_child_does_not_outlive_its_client(head):
    client, processes = at_work(head)
    client.kill()
    client.communicate(timeout=60)
    until(lambda: have_ended(processes))
    assert kept(head.project)
    assert head.is_fork()


def test_a_pause_holds_for_the_child(head):
    client, processes = at_work(head)
    client.send_signal(signal.SIGTSTP)
    until(lambda: all(each.status() == psutil.STATUS_STOPPED for each in processes))
    before = points(head.project)
    client.send_signal(signal.SIGCONT)
    until(lambda: points(head.project) > before)
    client.terminate()
    client.communicate(timeout=60)
    assert client.returncode == 128 + signal.SIGTERM


def test_the_death_of_the_server_is_told_and_jobs_go_on_without(mortal):
    client, processes = at_work(mortal)
    (server,) = psutil.Process(mortal.process.pid).children()
    server.kill()
    # Not before the child has ended: nobody computes a block that has failed.
    with pytest.raises(subprocess.TimeoutExpired):
        client.wait(timeout=1)
    _, err = client.communicate(timeout=60)
    assert client.returncode == 1
    assert f"the server of warm processes died; process {processes[0].pid}" in err.splitlines()[-1]
    # The kernel lets the client know a moment before the child is gone.
    until(lambda: have_ended(processes))
    assert points(mortal.project) == 20
    assert not mortal.is_fork()
    # What the child has finished is there.
    assert "20 points reused" in mortal.run(*SLOW)[2]


def test_a_signal_reaches_the_child_of_a_dead_server(mortal):
    client, processes = at_work(mortal)
    mortal.server.kill()
    client.terminate()
    client.communicate(timeout=60)
    assert client.returncode == 1
    # The kernel lets the client know a moment before the child is gone.
    until(lambda: have_ended(processes))
    assert kept(mortal.project)


@pytest.mark.parametrize("way", ["kill", "end"])
def test_nothing_outlives_the_head(mortal, way):
    client, processes = at_work(mortal)
    processes.append(mortal.server)
    if way == "kill":
        mortal.process.kill()
    else:
        mortal.process.communicate(timeout=60)
    client.communicate(timeout=60)
    assert client.returncode == 128 + signal.SIGTERM
    until(lambda: have_ended(processes))
    assert kept(mortal.project)
    assert not mortal.folder.exists()


def test_the_socket_is_private(head):
    assert head.folder.stat().st_mode & 0o777 == 0o700


def test_a_path_that_is_too_long_for_a_socket(project, tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with head_of(project, TMPDIR=str(folder)) as head:
        assert VARIABLE not in head.environment
        assert not head.is_fork()
    assert not list(folder.iterdir())


def snakemake(project: Project, tmp_path: Path, *arguments: str) -> str:
    """Run Snakemake with a folder of its own for what is temporary, which it has to leave empty."""
    folder = tmp_path / "tmp"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        project.command("snakemake", "--cores", "2", *arguments),
        cwd=project.folder,
        env=project.environment | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not list(folder.glob("nessflow*"))
    return done.stderr


def test_a_run_forks_its_jobs_and_leaves_nothing(project, tmp_path):
    path = project.folder / "parts" / "pausing.py"
    path.write_text(path.read_text().replace("os.getpid()", "os.getsid(0)"))
    snakemake(project, tmp_path, "--config", "tier=smoke", "studies=pausing")
    # Snakemake reads the parts as well; all others are of the session of one process.
    assert [told(project).count(session) for session in set(told(project)) - {os.getsid(0)}] == [3]
    words = str(project.folder)
    left = [each for each in psutil.process_iter() if words in _command(each)]
    assert not left


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def test_jobs_of_a_cluster_do_not_ask_a_server(mortal):
    """As the executors of clusters start them, on the machine of the mortal."""
    target = (
        "--target-jobs",
        "block:study=pausing,block=wait~0/points",
        "--allowed-rules",
        "block",
    )
    options = ("--cores", "1", "--mode", "remote", "--executor", "local")
    done = subprocess.run(
        mortal.project.command("snakemake", *target, *options),
        cwd=mortal.project.folder,
        env=mortal.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert points(mortal.project) == 20
    # The server has not even imported anything.
    assert "numpy" not in {Path(each.path).parent.name for each in mortal.server.memory_maps()}
    assert mortal.server.memory_info().rss < 40e6
