"""Commands of tests as forks of one process that has imported what others have written.

Each imports nessflow anew, from where it is told to, and goes on and ends as ``python -m`` does:
what it saves is the second or two in which every process imports the same libraries.  The seed of
hashes they have in common, as forks have: where bytes must not depend on it, tests say so.
"""

import functools
import gc
import importlib
import marshal
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBRARIES = (
    "click",
    "fontTools.subset",
    "jinja2",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "netCDF4",
    "numba",
    "pint",
    "pydantic",
    "ruamel.yaml",
    "scipy.integrate",
    "scipy.optimize",
    "scipy.sparse.linalg",
    "scipy.special",
    "snakemake.cli",
    "snakemake.workflow",
    "xarray",
)
_MESSAGE = 2**20


def run_module(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess:
    """Run ``python -m`` with these arguments in a folder; return how it ended and what it said."""
    server, _ = _server()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        message = marshal.dumps((list(arguments), str(folder), dict(environment)))
        socket.send_fds(server, [message], [0, out.fileno(), err.fileno()])
        server.settimeout(None)
        pid = int(server.recv(_MESSAGE))
        server.settimeout(timeout)
        try:
            status = int(server.recv(_MESSAGE))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            server.settimeout(None)
            server.recv(_MESSAGE)
            raise subprocess.TimeoutExpired(arguments, timeout) from None
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
    return subprocess.CompletedProcess(arguments, os.waitstatus_to_exitcode(status), *said)


@functools.cache
def _server() -> tuple[socket.socket, subprocess.Popen]:
    """Return the process that is forked and the connection to it; it ends with this one."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: os.environ[name] for name in os.environ if name != "PYTHONPATH"}
    # As Snakemake has it for jobs, and nessflow for itself: a thread would be lost in a fork.
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", __file__, str(its.fileno())]
    process = subprocess.Popen(command, env=environment, pass_fds=[its.fileno()])
    its.close()
    return ours, process


def _serve(connection: socket.socket) -> list[str]:
    """Fork a process for each command, one after the other; return the words of it in each."""
    for name in LIBRARIES:
        importlib.import_module(name)
    # numba sets itself up when it compiles or loads a function.
    sys.modules["numba"].njit(lambda x: x)(0)
    gc.freeze()
    while True:
        message, streams, _, _ = socket.recv_fds(connection, _MESSAGE, 3)
        if not message:
            os._exit(0)
        if pid := os.fork():
            for stream in streams:
                os.close(stream)
            connection.send(b"%d" % pid)
            connection.send(b"%d" % os.waitpid(pid, 0)[1])
            continue
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        arguments, folder, environment = marshal.loads(message)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        base = list(sys.path)
        _search([folder], base)
        sys.modules["numpy"].random.seed()
        if arguments[0] == "snakemake":
            subprocess.Popen = _starter(base)
        return arguments


def _search(first: list[str], base: list[str]) -> None:
    """Have modules searched as in a process of the environment as it is."""
    own = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [*first, *own, *base]


def _starter(base: list[str]) -> type:
    """Return a Popen by which the server of warm processes is a fork, too.

    It is forked now, while there is one thread, and waits to be started, or for the end of this.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        ours.close()
        message, streams, _, _ = socket.recv_fds(its, _MESSAGE, 2)
        if not message:
            os._exit(0)
        its.close()
        os.setsid()
        script, folder, environment = marshal.loads(message)
        listener, source = streams
        os.dup2(source, 0)
        os.close(source)
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        _search([], base)
        sys.modules["numpy"].random.seed()
        sys.argv = [script, "--serve", str(listener)]
        runpy.run_path(script, run_name="__main__")
        sys.exit()
    its.close()

    class Started:
        """The part of a Popen that is asked for."""

        def __init__(self, command, pass_fds):
            source, target = os.pipe()
            message = marshal.dumps((command[2], os.getcwd(), dict(os.environ)))
            socket.send_fds(ours, [message], [*pass_fds, source])
            os.close(source)
            self.stdin = os.fdopen(target, "wb")

        def wait(self, timeout):
            end = time.monotonic() + timeout
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > end:
                    raise subprocess.TimeoutExpired("server", timeout)
                time.sleep(0.01)

    class Popen(subprocess.Popen):
        def __new__(cls, command, *arguments, **options):
            if command[1:2] == ["-P"] and command[3:4] == ["--serve"]:
                return Started(command, options["pass_fds"])
            return super().__new__(cls)

    return Popen


if __name__ == "__main__":
    words = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[1:] = words[1:]
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
