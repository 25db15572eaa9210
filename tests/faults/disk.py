"""A disk that fails at the first, second, ... call of a command, until none is left to fail.

After each fault: what stands under a final name is as it was before or as it is to be; no point
that was stored is computed again; the command names file and cause and shows no traceback; and one
plain second run makes what an undisturbed one makes, byte for byte, and leaves nothing beside it.
"""

import ctypes
import errno
import hashlib
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trials import (
    BLOCK,
    NEW,
    OLD,
    STUDY,
    Ended,
    commit,
    contents,
    copied,
    made,
    nessflow,
    required,
)

from conftest import SPECTRUM
from nessflow.run import solve
from nessflow.store.status import PENDING
from nessflow.store.store import read_dataset

COMPILER = shutil.which("cc")
ABORT = -1
FAULTS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES, "abort": ABORT}
"""ENOSPC lasts: once a disk is full nothing is written until something is removed."""
_BESIDE = re.compile(r"/\.[^/]+\.tmp|^\.[^/]+\.tmp|\.(damaged|stale|partial\.nc|lock)$")
"""Names of files that nobody takes for results."""
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}\.tmp")
_PLACES = re.compile(r"\b(results|new)/")


@dataclass(frozen=True)
class Verb:
    """A command, and what makes the second run of it beside itself."""

    arguments: Sequence[str]
    then: Sequence[Sequence[str]] = ()


VERBS = {
    "solve": Verb(["solve", STUDY, BLOCK], [["gather", STUDY]]),
    "gather": Verb(["gather", STUDY]),
    "figure": Verb(["figure", STUDY]),
    "report": Verb(["report"]),
    "archive": Verb(["archive", "create"]),
    "init": Verb(["init", "new", "--author", "Some One"]),
    "run": Verb(["run"]),
}


# The shim


def preloaded() -> None:
    """Start this program again with the shim before all other libraries, unless it is there."""
    if "NESSFLOW_SHIM" in os.environ:
        # Not for the processes that this one starts.
        del os.environ["LD_PRELOAD"]
        shim()
        shutil.rmtree(Path(os.environ["NESSFLOW_SHIM"]).parent)
        return
    folder = tempfile.mkdtemp(prefix="nessflow-shim-")
    made_of, built = str(Path(__file__).with_name("shim.c")), os.path.join(folder, "shim.so")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", built, made_of, "-ldl"], check=True)
    os.environ.update(LD_PRELOAD=built, NESSFLOW_SHIM=built)
    os.execv(sys.executable, [sys.executable, *sys.argv])


@cache
def shim() -> ctypes.CDLL:
    """Return the shim of this process and its forks."""
    library = ctypes.CDLL(os.environ["NESSFLOW_SHIM"])
    library.shim_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
    library.shim_arm.restype = None
    library.shim_count.restype = ctypes.c_long
    library.shim_call.restype = ctypes.c_char_p
    return library


# The states of a project before each command


@dataclass(frozen=True)
class Start:
    """A project before a command, its files after an undisturbed one, and at the end."""

    folder: Path
    done: dict[str, bytes]
    wanted: dict[str, bytes]


def starts(folder: Path, place: Path) -> dict[str, Start]:
    """Return for each command a project that has results of its study as it was, to be replaced.

    They lie below ``folder``; commands run in ``place``.
    """
    made(place, SPECTRUM.replace(NEW, OLD))
    for arguments in (["run"], ["report"], ["archive", "create"]):
        required(nessflow(place, *arguments))
    (place / "config" / "studies" / f"{STUDY}.yaml").write_text(SPECTRUM)
    commit(place)
    old = state = copied(place, folder / "old")
    (folder / "empty").mkdir()
    found = {}
    for name in ("solve", "gather", "figure", "run", "report", "archive", "init"):
        begin = {"run": old, "init": folder / "empty"}.get(name, state)
        copied(begin, place)
        required(nessflow(place, *VERBS[name].arguments))
        state = copied(place, folder / f"after-{name}")
        for arguments in VERBS[name].then:
            required(nessflow(place, *arguments))
        found[name] = Start(begin, contents(state), contents(place))
    return found


# One trial


def trial(
    name: str, fault: str, at: int, start: Start, folder: Path, seen: dict[str, list[str]]
) -> list[str] | None:
    """Let one call of a command fail; return what is wrong then, None where no call is left.

    From the same files the second run is the same: what came of it is in ``seen``.
    """
    copied(start.folder, folder)
    lasting = fault == "ENOSPC"

    def arm() -> None:
        keep_each_point()
        shim().shim_arm(os.fsencode(folder), at, FAULTS[fault], lasting)

    ended = nessflow(folder, *VERBS[name].arguments, before=arm)
    call = shim().shim_call().decode().replace(f"{folder}/", "")
    shim().shim_arm(b"", 0, 0, 0)
    if not call:
        return None
    left = contents(folder)
    found = [*_told(ended, fault), *served(left, contents(start.folder), start)]
    if ended.status == 0:
        # A marker that could not be removed is not believed: the manifest is of something else.
        done = {
            path: content
            for path, content in _final(left).items()
            if path in start.done or "/.current/" not in path
        }
        found += differences(done, start.done, "after it said that all is well")
    key = _digest(left)
    if key not in seen:
        seen[key] = list(second(name, start, folder))
    found += seen[key]
    return [f"{name}, {fault} at call {at} ({call}): {text}" for text in found]


def keep_each_point() -> None:
    """Have the points that are done stored after each."""
    solve.FLUSH_SECONDS = -1.0


def second(name: str, start: Start, folder: Path) -> Iterator[str]:
    """Run a command once more; yield what is then not as it is to be."""
    kept = _points(folder)
    for number, arguments in enumerate((VERBS[name].arguments, *VERBS[name].then)):
        again = nessflow(folder, *arguments)
        if again.status:
            yield f"the second run ends with {again.status}: {again.said}"
        if number == 0 and name == "solve" and f"{kept} points reused" not in again.said:
            yield f"of {kept} stored points: {again.said}"
    yield from differences(contents(folder), start.wanted, "after the second run")


def _digest(files: dict[str, bytes]) -> str:
    """Return a digest of files; of unfinished ones, which nobody reads, of their names alone."""
    digest = hashlib.sha256()
    for name in sorted(files):
        unfinished = _TEMPORARY.search(name)
        plain = _TEMPORARY.sub(".tmp", name)
        content = b"" if unfinished else files[name]
        digest.update(f"{plain} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _told(ended: Ended, fault: str) -> Iterator[str]:
    """Yield what is wrong with how a command ended."""
    if "Traceback" in ended.said:
        yield ended.said
    elif fault == "abort":
        if ended.status not in (0, -9, 128 + 9):
            yield f"it ended with {ended.status}: {ended.said}"
    elif ended.status:
        cause = os.strerror(FAULTS[fault])
        is_named = cause in ended.said and _PLACES.search(ended.said)
        if ended.status != 2 or not is_named:
            yield f"it ended with {ended.status} and said: {ended.said!r}"


def served(left: dict[str, bytes], before: dict[str, bytes], start: Start) -> Iterator[str]:
    """Yield what stands under a final name and is neither what was there nor what is to be."""
    for name, content in _final(left).items():
        if content not in (before.get(name), start.done.get(name)):
            yield f"{name} is neither old nor new"
    for name in before.keys() - left.keys():
        # Of a study that was changed blocks are set aside, and their points taken from there.
        stem = name.removesuffix(".nc")
        is_kept = any(x.startswith(stem) and x.endswith((".stale", ".partial.nc")) for x in left)
        if name.endswith(".nc") and not is_kept:
            yield f"{name} is gone"


def _final(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files that have their final names."""
    return {name: content for name, content in files.items() if not _BESIDE.search(name)}


def differences(files: dict[str, bytes], wanted: dict[str, bytes], when: str) -> Iterator[str]:
    """Yield each file that is not as it is to be, or is not to be."""
    for name in sorted(files.keys() | wanted.keys()):
        if files.get(name) != wanted.get(name):
            yield f"{name} is {'not as it is to be' if name in wanted else 'left'} {when}"


def _points(folder: Path) -> int:
    """Return how many points the block and its unfinished file have."""
    found = set()
    for path in (folder / "results" / STUDY / "blocks").glob("[!.]*.nc"):
        block = read_dataset(path)
        found |= set(block["t_S"].values[block["status"].values != PENDING].tolist())
    return len(found)


def call_count(name: str, start: Start, folder: Path) -> int:
    """Return how many calls an undisturbed command makes."""
    shim().shim_arm(os.fsencode(copied(start.folder, folder)), 10**9, 0, 0)
    required(nessflow(folder, *VERBS[name].arguments, before=keep_each_point))
    return shim().shim_count()


def trials(
    name: str, fault: str, most: int, seed: int, start: Start, folder: Path
) -> tuple[int, list[str]]:
    """Let calls of a command fail, each in a trial of its own.

    The first, the second, and so on until none is left; or only ``most`` of them, at random.

    Returns
    -------
    int, list of str
        How many failed, and what was wrong.
    """
    numbers = itertools.count(1)
    if most:
        last = call_count(name, start, folder)
        chance = random.Random(f"{seed} {name} {fault}")
        numbers = sorted(chance.sample(range(1, last + 1), min(most, last)))
    count, violations, seen = 0, [], {}
    for at in numbers:
        found = trial(name, fault, at, start, folder, seen)
        if found is None:
            break
        count += 1
        violations += found
    return count, violations
