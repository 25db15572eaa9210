"""Warm processes: what the jobs of a run import is imported once, and each job is a fork of it.

The head of a run starts a server (`start`).  What a job runs (`command`) is a client that needs
next to nothing of Python: it hands arguments, surroundings and standard streams to the server and
waits for the child that is forked for it, which goes on as ``python -m nessflow`` does.  Signals go
from the client to the child, and as the child ends so does the client.

A child is as good as a process of its own, or there is none: where the surroundings (environment,
folder, limits) are not those of the server, a file of nessflow has changed since the run began, the
server has a thread that a fork would lose, or there is no server, the client becomes that process.
Parts of a project are not imported before the fork.

The server ends with the head, whose death it notices as the end of its standard input, and has its
children end.  A child whose client dies is sent SIGTERM, and saves what it has.
"""

import marshal
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

VARIABLE = "NESSFLOW_WARM"
"""Environment variable with the path of the server's socket."""
_SERVE = "--serve"
_FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_MESSAGE = 2**20
"""Bytes of the longest message; the system takes less than this."""
_SECONDS = 10.0
"""Within which a client that has called says what it wants."""
_FEW = 12
"""Jobs for which what they all do at first is not worth doing before them."""
_MODULES = ("nessflow.cli", "netCDF4", "pint")
"""What all jobs import."""
_MODULES_OF = {
    "solve": (
        "nessflow.run.plan",
        "nessflow.run.solve",
        "nessflow.run.supervision",
        "scipy.optimize",
    ),
    "gather": ("nessflow.run.gather",),
    "figure": (
        "nessflow.verbs.draw",
        "matplotlib.backends.backend_agg",
        "matplotlib.backends.backend_pdf",
        "matplotlib.backends.backend_svg",
    ),
    "captions": ("nessflow.verbs.draw",),
}
"""What those of a verb import besides."""
_PACKAGES = (
    "nessflow.classical",
    "nessflow.kinetic",
    "nessflow.lindblad",
    "nessflow.mixture",
    "nessflow.observables",
    "nessflow.probes",
    "nessflow.scattering",
    "nessflow.solvers",
    "nessflow.spectrum",
    "nessflow.studies",
    "nessflow.systems",
)
"""What kinds of study, which solve, import; they look for the parts of a project when imported."""
_HEAD = 0
"""Descriptor that the head holds the other end of."""


# --- the head -------------------------------------------------------------------------------------


def command() -> list[str]:
    """Return the words that stand for ``python -m nessflow`` where jobs may be forks."""
    return [sys.executable, "-I", "-S", os.path.abspath(__file__)]


def start() -> None:
    """Start the server of this process, for the jobs that this process starts from now on.

    Where the system lacks what that takes, jobs are processes of their own.
    """
    import atexit
    import shutil
    import subprocess
    import tempfile

    os.environ.pop(VARIABLE, None)
    folder = tempfile.mkdtemp(prefix="nessflow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = os.path.join(folder, "socket")
    try:
        os.close(os.pidfd_open(os.getpid()))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            # Bound here, so that jobs can call before the server is up.
            listener.bind(path)
            listener.listen(1024)
            # In a session of its own: what a terminal sends to a run reaches children by clients.
            server = subprocess.Popen(
                [sys.executable, "-P", os.path.abspath(__file__), _SERVE, str(listener.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
    except (AttributeError, OSError):
        # No such call, a path that is too long for a socket, no processes left.
        return
    os.environ[VARIABLE] = path

    def end() -> None:
        if server.stdin is not None:
            server.stdin.close()
        # It waits for a child that still saves what it has.
        with suppress(subprocess.TimeoutExpired):
            server.wait(_SECONDS)

    atexit.register(end)


# --- the client -----------------------------------------------------------------------------------


def run(arguments: list[str]) -> None:
    """Run ``python -m nessflow`` with these arguments, in a child of the server if there is one.

    Raises
    ------
    SystemExit
        With the status of the child.  Where it ended by a signal this process does so too; where
        the server died the status is 1, once the child has ended.
    """
    connection = pid = None
    # Until there is a child nothing is to be told of an interrupt.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        for stream in (0, 1, 2):
            os.fstat(stream)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(os.environ[VARIABLE])
        request = marshal.dumps((arguments, _surroundings()))
        socket.send_fds(connection, [request], [0, 1, 2])
        pid = int(connection.recv(_MESSAGE))
    except (KeyError, OSError, ValueError):
        os.execv(sys.executable, [sys.executable, "-m", "nessflow", *arguments])
    _forward_to(pid)
    ended = connection.recv(_MESSAGE)
    if not ended:
        print(
            f"the server of warm processes died; process {pid}, which it watched, has ended, and "
            "nobody knows how: the job counts as failed",
            file=sys.stderr,
        )
        sys.exit(1)
    status = os.waitstatus_to_exitcode(int(ended))
    if status < 0:
        # One dump of memory, the child's, is enough.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            # Of SIGKILL there is nothing to set.
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _surroundings() -> tuple:
    """Return what a process inherits and may compute by, as `marshal` takes it."""
    mask = os.umask(0o077)
    os.umask(mask)
    names = sorted(name for name in vars(resource) if name.startswith("RLIMIT_"))
    return (
        dict(os.environ),
        os.getcwd(),
        mask,
        [resource.getrlimit(getattr(resource, name)) for name in names],
        sorted(os.sched_getaffinity(0)),
        os.getpriority(os.PRIO_PROCESS, 0),
    )


def _forward_to(pid: int) -> None:
    """Pass signals on to the process group of a child, and have it stop with this process."""

    def forward(signum: int, frame: object) -> None:
        _signal_group(pid, signum)

    def pause(signum: int, frame: object) -> None:
        _signal_group(pid, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        _signal_group(pid, signal.SIGCONT)

    for each in (*_FORWARDED, signal.SIGTSTP):
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, pause if each == signal.SIGTSTP else forward)


def _signal_group(pid: int, signum: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signum)


# --- the server -----------------------------------------------------------------------------------


def serve(listener: socket.socket) -> list[str]:
    """Fork a child for each client that is served, until the head and all children are gone.

    One thread, one event after the other.

    Returns
    -------
    list of str
        In each child, the arguments of its client.

    Raises
    ------
    SystemExit
        In the server, at its end, which is also where nessflow cannot be imported.
    """
    import selectors
    import shutil

    source, own, parts, served = _source(), None, False, 0
    steps: Any = None
    done: set[str] = set()
    clients: dict[int, socket.socket] = {}
    selector = selectors.DefaultSelector()
    selector.register(_HEAD, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    while selector.get_map():
        events = selector.select(0 if steps else None)
        if not events:
            try:
                next(steps)
            except Exception:
                # They are at their end, or one failed, and jobs say why.
                steps = None
            continue
        # Of several the first: what it changes may have been what the others were of.
        key, _ = events[0]
        pid = key.data
        if key.fileobj is listener:
            client, _ = listener.accept()
            arguments, surroundings, streams = _request(client)
            if own is None and surroundings is not None:
                own = _import_all(surroundings)
                parts = _has_parts()
            if own is not None and surroundings == own:
                _prepare(arguments, done)
            served += 1
            if served == _FEW + 1:
                steps = _first_steps()
            if (
                arguments is None
                or (surroundings, _source(), _threads()) != (own, source, 1)
                or _has_parts() != parts
            ):
                # A client that is told nothing runs by itself.
                client.close()
            elif pid := os.fork():
                os.setpgid(pid, pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                selector.register(client, selectors.EVENT_READ, pid)
                clients[pid] = client
                _tell(client, pid)
            else:
                os.setpgid(0, 0)
                # Kept open to the end of the child, by which a client knows of it without a server.
                client.detach()
                listener.close()
                selector.close()
                for each in clients.values():
                    each.close()
                _take_over(streams)
                return arguments
            for stream in streams:
                os.close(stream)
        elif key.fileobj == _HEAD:
            shutil.rmtree(os.path.dirname(listener.getsockname()), ignore_errors=True)
            selector.unregister(listener)
            selector.unregister(_HEAD)
            listener.close()
            for child in clients:
                _stop(child)
        elif key.fileobj is clients[pid]:
            # The client is gone.
            selector.unregister(key.fileobj)
            _stop(pid)
        else:
            client = clients.pop(pid)
            _tell(client, os.waitpid(pid, 0)[1])
            selector.unregister(key.fileobj)
            os.close(key.fd)
            if client in selector.get_map():
                selector.unregister(client)
            client.close()
    sys.exit()


def _has_parts() -> bool:
    """Tell whether there are parts of others, of which a server may know nothing."""
    from pathlib import Path

    from nessflow.registry import has_outside

    return has_outside(Path())


def _prepare(arguments: list[str], done: set[str]) -> None:
    """Import what the first job of a verb or of a study needs, and all later ones.

    Before anything is asked of threads: libraries may start some.
    """
    import gc

    verb, study = (*arguments, "", "")[:2]
    wanted = {verb, f"of {study}"} - done
    # As in `_import_all`.  Each job by itself says what is wrong.
    gc.disable()
    with suppress(Exception):
        if verb in wanted:
            _import_for(verb)
        if f"of {study}" in wanted and not _has_parts():
            _import_kind(study)
    if wanted:
        gc.freeze()
    gc.enable()
    done |= wanted


def _import_for(verb: str) -> None:
    """Import what jobs of a verb need."""
    import importlib
    import pkgutil

    for name in _MODULES_OF.get(verb, ()):
        importlib.import_module(name)
    for package in map(importlib.import_module, _PACKAGES if verb == "solve" else ()):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)


def _import_kind(study: str) -> None:
    """Import the kind of a study, where all kinds are nessflow's, and its schema."""
    import re
    from pathlib import Path

    from nessflow.cli import STUDIES
    from nessflow.registry import find_kind, use_project
    from nessflow.validation import schema_of

    use_project(Path())
    text = (STUDIES / f"{study}.yaml").read_text(encoding="utf-8")
    for kind in re.findall(r"^study:\s*([\w-]+)", text, re.MULTILINE)[:1]:
        schema_of(find_kind(kind).Parameters)


def _request(client: socket.socket) -> tuple:
    """Return arguments, surroundings and streams of a client; None for what it does not say."""
    client.settimeout(_SECONDS)
    streams: list[int] = []
    try:
        message, streams, _, _ = socket.recv_fds(client, _MESSAGE, 3)
        return (*marshal.loads(message), streams)
    except (OSError, EOFError, ValueError, TypeError):
        return None, None, streams


def _tell(client: socket.socket, number: int) -> None:
    # One that is gone is an event of its own.
    with suppress(OSError):
        client.send(b"%d" % number)


def _stop(pid: int) -> None:
    """Have a child save what it has and end, also one that was paused."""
    _signal_group(pid, signal.SIGTERM)
    _signal_group(pid, signal.SIGCONT)


def _take_over(streams: list[int]) -> None:
    """Give a child the standard streams of its client, and random numbers of its own."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    stdout: Any = sys.stdout
    stdout.reconfigure(line_buffering=os.isatty(1))
    sys.modules["numpy"].random.seed()


def _end(status: Any = None) -> None:
    """End a child without taking apart what it has of the server, which takes as long as a job.

    All else that Python does at an end is done.  Parts of others may need their objects to go.
    """
    import atexit

    from nessflow.registry import has_outside, project

    with suppress(OSError, ValueError):
        if isinstance(status, int | None) and not has_outside(project()):
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status or 0)
    sys.exit(status)


def _source() -> list[tuple[str, int, int]]:
    """Return name, time and size of all files of nessflow."""
    found = []
    for folder, folders, names in os.walk(os.path.dirname(os.path.dirname(__file__))):
        if "__pycache__" in folders:
            folders.remove("__pycache__")
        for name in names:
            path = os.path.join(folder, name)
            state = os.stat(path)
            found.append((path, state.st_mtime_ns, state.st_size))
    return sorted(found)


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _import_all(surroundings: tuple) -> tuple:
    """Import what jobs need in the surroundings of one of them, and return those; nothing else."""
    import gc
    import importlib

    environment, folder, *_ = surroundings
    os.environ.clear()
    # Before numpy and others look there for numbers of threads.
    os.environ.update(environment)
    os.chdir(folder)
    own = _surroundings()
    # As `python -m`.
    sys.path.insert(0, folder)
    # Nothing of it goes before the end, and looking for what does takes a tenth of the time.
    gc.disable()
    try:
        for name in _MODULES:
            importlib.import_module(name)
    except Exception:
        # Each job by itself says what is wrong.
        sys.exit()
    gc.freeze()
    gc.enable()
    return own


def _first_steps() -> Iterator[None]:
    """Do, a little at a time, what all jobs do at first and what is kept."""
    import gc
    import importlib
    import io
    import pkgutil

    from matplotlib.figure import Figure

    from nessflow.digest import source_digest, style_digest
    from nessflow.figures.style import styled

    # numba sets itself up when it compiles or loads a function.
    importlib.import_module("numba").njit(lambda x: x)(0)
    yield
    kinds = pkgutil.iter_modules(importlib.import_module("nessflow.kinds").__path__)
    for name in [*sys.modules, *(f"nessflow.kinds.{kind.name}" for kind in kinds)]:
        if name.startswith("nessflow."):
            source_digest(name)
            yield
    style_digest()
    yield
    # Fonts, the grammar of formulas and parts of the writers are loaded when first used.
    with styled():
        figure = Figure(layout="constrained")
        figure.subplots().set_title("0 $x^2_1$")
        for form in ("svg", "pdf", "png"):
            figure.savefig(io.BytesIO(), format=form)
            yield
    gc.freeze()


if __name__ == "__main__":
    if sys.argv[1] == _SERVE:
        import runpy

        sys.argv[1:] = serve(socket.socket(fileno=int(sys.argv[2])))
        try:
            runpy.run_module("nessflow", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            _end(ended.code)
        _end()
    else:
        run(sys.argv[1:])
