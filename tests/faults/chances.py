"""Faults at random: processes that are killed, bits that flip, studies with mistakes, two at once.

Each function makes a number of trials by a seed in a folder; it returns how many it made, and what
was wrong.
"""

import itertools
import json
import os
import random
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import disk
from disk import differences
from trials import (
    BLOCK,
    NEW,
    STUDY,
    Ended,
    contents,
    copied,
    forked,
    made,
    nessflow,
    required,
    scratch,
)

from conftest import SPECTRUM
from forks import _starter
from mutated_studies import mutations
from nessflow.config.project import ConfigError, Study
from nessflow.store.files import StoreError
from nessflow.store.store import read_dataset, write_dataset
from nessflow.verbs.describe import EXAMPLES
from nessflow.verbs.verify import archive_faults, report_faults, study_faults
from nessflow.verbs.workflow import jobs_of, read_project

Result = tuple[int, list[str]]
MANY = SPECTRUM.replace(NEW, "inner: {linspace: [0.5, 1, 12]}")
"""Points enough for a worker to be killed between any two."""
BLOCKS = SPECTRUM.replace("rate: 0.5", "rate: $rate").replace(
    f"{NEW}}}", f"{NEW}}}\n  rate: {{outer: [0.1, 0.2, 0.3]}}"
)
BLOCKS = BLOCKS.replace("z: loss", "sel: {rate: 0.1}, z: loss")
FIGURES = f"results/{STUDY}/figures"
DRAWN = [f"{FIGURES}/loss.{suffix}" for suffix in ("png", "svg", "pdf", "json")]
FILES = {
    "results": [f"results/{STUDY}/blocks/{BLOCK}", f"results/{STUDY}/data.nc", *DRAWN],
    "manifests": [f"results/{STUDY}/manifest.json", f"{FIGURES}/manifest.json"],
    "report": ["results/report/index.html"],
    "archive": ["results/archive.zip"],
}
"""Files whose bits flip, one of each at once."""


# Killed


def workers(count: int, seed: int, place: Path) -> Result:
    """Kill ``nessflow solve`` and who watches it, any time; run it again."""
    chance = random.Random(seed)
    made(place, MANY)
    with scratch() as folder:
        begin = copied(place, folder / "begin")
        before = time.monotonic()
        required(nessflow(place, *disk.VERBS["solve"].arguments, before=disk.keep_each_point))
        longest = time.monotonic() - before
        done = contents(place)
        required(nessflow(place, "gather", STUDY))
        start, violations = disk.Start(begin, done, contents(place)), []
        for number in range(count):
            copied(begin, place)
            moment = chance.uniform(0, longest)
            kill = _killing(moment)
            arguments = disk.VERBS["solve"].arguments
            ended = nessflow(place, *arguments, before=disk.keep_each_point, began=kill)
            found = ["it says: " + ended.said] if "Traceback" in ended.said else []
            found += disk.served(contents(place), contents(begin), start)
            found += disk.second("solve", start, place)
            violations += [f"worker {number}, killed at {moment:.3f} s: {text}" for text in found]
    return count, violations


def _killing(moment: float) -> Callable[[int], None]:
    def kill(pid: int) -> None:
        time.sleep(moment)
        os.killpg(pid, signal.SIGKILL)

    return kill


def heads(count: int, seed: int, place: Path) -> Result:
    """Kill a run of Snakemake with its process group, each second time its successor too."""
    chance = random.Random(seed)
    made(place, BLOCKS)
    with scratch() as folder:
        begin = copied(place, folder / "begin")
        before = time.monotonic()
        required(head(place))
        longest, wanted = time.monotonic() - before, contents(place)
        violations = []
        for number in range(count):
            copied(begin, place)
            moments = [chance.uniform(0, longest) for _ in range(1 + number % 2)]
            for moment in moments:
                head(place, _killing(moment))
            kept = _stored(place)
            again = head(place)
            found = list(differences(contents(place), wanted, "after the next run"))
            if again.status or "Traceback" in again.said:
                found.append(f"the next run ends with {again.status}: {again.said}")
            computed = sum(map(int, re.findall(r"(\d+) computed", again.said)))
            if computed > _stored(place) - kept:
                found.append(f"{computed} points computed where {kept} were stored")
            violations += [f"head {number}, killed at {moments}: {text}" for text in found]
    return count, violations


def head(place: Path, began: Callable[[int], object] = lambda pid: None) -> Ended:
    """Run Snakemake in a fork, as a user does; its server of warm processes is one, too."""

    def act() -> None:
        os.chdir(place)
        subprocess.Popen = _starter(list(sys.path))
        sys.argv = ["snakemake", "--cores", "1"]
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)

    return forked(act, began)


def pairs(count: int, seed: int, place: Path) -> Result:
    """Start two runs of Snakemake in one folder within 100 ms."""
    chance = random.Random(seed)
    made(place, BLOCKS)
    with scratch() as folder:
        begin = copied(place, folder / "begin")
        required(head(place))
        wanted, violations = contents(place), []
        for number in range(count):
            copied(begin, place)
            ended = []

            def second(pid: int) -> None:
                time.sleep(chance.uniform(0, 0.1))
                ended.append(head(place))  # noqa: B023 - it is run at once

            ended.append(head(place, second))
            found = list(differences(contents(place), wanted, "after both"))
            for status, said in ended:
                is_refused = status == 2 and re.search(r"another run .*host \S+, pid \d+", said)
                if (status and not is_refused) or "Traceback" in said:
                    found.append(f"one ends with {status}: {said}")
            if all(status for status, _ in ended):
                found.append("both are refused")
            violations += [f"pair {number}: {text}" for text in found]
    return count, violations


def _stored(place: Path) -> int:
    """Return how many points the finished blocks of a project have."""
    files = (place / "results" / STUDY / "blocks").rglob("[!.]*.nc")
    return sum(read_dataset(path)["status"].size for path in files if ".partial." not in path.name)


# Flipped


def bits(sort: str, count: int, seed: int, place: Path) -> Result:
    """Flip a bit of each file of a sort; both ``verify`` and whoever reads it must see it."""
    mark = place / "whole"
    if not mark.exists():
        shutil.rmtree(place, ignore_errors=True)
        made(place)
        for arguments in (["run"], ["report"], ["archive", "create"]):
            required(nessflow(place, *arguments))
        mark.touch()
    flipped = _in_a_fork(lambda: list(_flipped(sort, count, seed, place)))
    return count * len(FILES[sort]), flipped


def _flipped(sort: str, count: int, seed: int, place: Path) -> Iterator[str]:
    os.chdir(place)
    project, chance = read_project(Path(), studies="all"), random.Random(f"{seed} {sort}")
    study = project.studies[STUDY]

    def faults() -> list[StoreError]:
        if sort == "report":
            return report_faults(project)
        if sort == "archive":
            return archive_faults(project.results)
        return study_faults(project, study)

    if before := faults():
        yield f"sound files are refused: {before}"
    whole = {Path(name): Path(name).read_bytes() for name in FILES[sort]}
    for number in range(count):
        flips = {path: chance.randrange(8 * len(whole[path])) for path in whole}
        for path, bit in flips.items():
            changed = bytearray(whole[path])
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
        named = {fault.path for fault in faults()}
        for path, bit in flips.items():
            if path not in named:
                yield f"trial {number}, bit {bit} of {path}: verify does not name it"
            if path.suffix == ".nc" and _reads(path):
                yield f"trial {number}, bit {bit} of {path}: it is read"
            path.write_bytes(whole[path])


def _reads(path: Path) -> bool:
    try:
        read_dataset(path)
    except StoreError:
        return False
    return True


def _in_a_fork(act: Callable[[], list[str]]) -> list[str]:
    """Return what a function returns that may not be called in this process."""
    ended = forked(lambda: print(json.dumps(act())), seconds=0)
    try:
        *before, last = ended.said.splitlines()
        return [*before, *json.loads(last)]
    except ValueError:
        return [f"ended with {ended.status}: {ended.said}"]


# Mistaken


def mistakes(count: int, seed: int, place: Path) -> Result:
    """Read studies of all kinds with mistakes in them: faults with their lines, no traceback."""
    (place / "config" / "studies").mkdir(parents=True)
    (place / "config" / "config.yaml").write_text("tier: paper\n")
    return count, _in_a_fork(lambda: list(_mistaken(count, seed, place)))


def _mistaken(count: int, seed: int, place: Path) -> Iterator[str]:
    file = place / "config" / "studies" / "wire.yaml"
    # What libraries warn of tells a user nothing.
    warnings.simplefilter("error")
    for what, content in mutations(sorted(EXAMPLES.glob("*.yaml")), count, seed):
        file.write_bytes(content)
        try:
            jobs_of(place, _read(place))
        except ConfigError as error:
            if not all(problem.file == str(file) and problem.line for problem in error.problems):
                yield f"{what}: no line in: {error}"
        except Exception:
            yield f"{what}: {traceback.format_exc()}"


def _read(place: Path) -> Study:
    return read_project(place, studies=["wire"]).studies["wire"]


# At once


def readers(count: int, seed: int, place: Path) -> Result:
    """Read a dataset while another process replaces it: always the old or the new one."""
    made(place)
    required(nessflow(place, "run"))
    path = place / "results" / STUDY / "data.nc"
    return count, _in_a_fork(lambda: list(_beside_a_writer(count, path)))


def _beside_a_writer(count: int, path: Path) -> Iterator[str]:
    data = read_dataset(path)
    titles = ("old", "new")
    write_dataset(data.assign_attrs(title="old"), path)
    reader, writer = os.getpid(), os.fork()
    if not writer:
        for number in itertools.count():
            if os.getppid() != reader:
                os._exit(0)
            write_dataset(data.assign_attrs(title=titles[number % 2]), path)
    seen = set()
    for number in range(count):
        try:
            found = read_dataset(path)
        except StoreError as error:
            yield f"read {number}: {error}"
            continue
        seen.add(found.attrs["title"])
        if not found.drop_attrs().identical(data.drop_attrs()) or seen - set(titles):
            yield f"read {number}: neither old nor new"
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    if count > 100 and len(seen) < 2:
        yield "nothing was replaced meanwhile"
