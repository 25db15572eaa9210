"""A Slurm cluster on this machine: real daemons, two nodes that are processes, loopback only.

``python tests/cluster/slurm_cluster.py`` starts one and keeps it until Ctrl-C. It needs the Debian
packages slurm-wlm and munge, no root, no systemd and no configuration of the machine: all files
lie in a temporary folder. Slurm believes what it is told of processors and memory; nothing enforces
these, time limits and cancelling are real.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
NODES = ("node1", "node2")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

_SETTINGS = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0
KillWait=5
OverTimeLimit=0
MinJobAge=7200
ReturnToService=2
MessageTimeout=60
"""


def missing_programs() -> list[str]:
    """Return the programs of Slurm and munge that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=_PATH) is None]


@contextmanager
def slurm_cluster(processors: int = 4, memory: int = 8000) -> Iterator[dict[str, str]]:
    """Run a cluster; yield the environment in which ``sbatch`` and the others find it.

    Parameters
    ----------
    processors, memory : int
        What each node claims to have; memory in MB.
    """
    with ExitStack() as stack:
        # Not in pytest's folder: the path of a socket has at most 107 characters.
        folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        _write_files(folder, processors, memory)
        environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{_PATH}",
        }
        munged = f"munged --foreground --force --socket={folder}/munge.socket " + " ".join(
            f"--{kind}-file={folder}/munge.{kind}" for kind in ("key", "pid", "log", "seed")
        )
        for command in (munged, "slurmctld -D", *(f"slurmd -D -N {name}" for name in NODES)):
            stack.enter_context(_daemon(command.split(), folder, environment))
            if command == munged:
                _wait(lambda: (folder / "munge.socket").exists(), folder)
        stack.callback(_end_jobs, environment)
        _wait(lambda: _run(["sinfo", "-h", "-o", "%T%D"], environment) == "idle2", folder)
        yield environment


def _write_files(folder: Path, processors: int, memory: int) -> None:
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    user = _run(["id", "-un"], os.environ)
    ports = _free_ports(1 + len(NODES))
    text = _SETTINGS.format(folder=folder, user=user, host=socket.gethostname(), ports=ports)
    for name, port in zip(NODES, ports[1:], strict=True):
        text += (
            f"NodeName={name} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={processors} RealMemory={memory}\n"
        )
    text += "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=100\n"
    (folder / "slurm.conf").write_text(text)
    # The executor takes SLURM_CONF from srun, which would then look in /etc.
    wrapper = folder / "bin" / "srun"
    wrapper.parent.mkdir()
    real = shutil.which("srun", path=_PATH)
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {real} "$@"\n')
    wrapper.chmod(0o755)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def _daemon(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    with (folder / "daemons.log").open("a") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_jobs(environment: dict[str, str]) -> None:
    _run(["scancel", "--full", "--user", _run(["id", "-u"], environment)], environment)
    end = time.monotonic() + 30
    while time.monotonic() < end and _run(["squeue", "-h"], environment):
        time.sleep(0.5)


def _run(command: list[str], environment) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.stdout.strip()


def _wait(condition, folder: Path, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError((folder / "daemons.log").read_text()[-3000:])
        time.sleep(0.2)


if __name__ == "__main__":
    if absent := missing_programs():
        raise SystemExit(f"missing: {', '.join(absent)}; apt-get install slurm-wlm munge")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with slurm_cluster() as found:
        print(f"export SLURM_CONF={found['SLURM_CONF']} PATH={found['PATH']}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
