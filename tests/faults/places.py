"""Projects in other places: folders of any name, copies, times that are wrong, nothing to write to.

As ``chances.py``: each function returns how many trials it made, and what was wrong.
"""

import errno
import os
import random
import re
import shutil
import time
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import disk
from chances import BLOCKS, Result, head
from disk import differences
from trials import BLOCK, STUDY, Ended, contents, copied, made, nessflow, required, scratch

IDLE = "Nothing to be done"
NAMES = (
    *("with space", "it's", 'a "quote"', "a;b", "$HOME", "a&b", "(a)", "a#b", "a%b", "-rf", "a=b"),
    *("*", "[a]", "{a}", "{{study}}", "a\\b", "a\nb", "a\tb", "~", "a:b", "a,b", "`b`", "!a"),
    *("Größe", unicodedata.normalize("NFD", "Größe"), "結果", "a" * 255, "ä" * 127, ".hidden"),
    "/".join(["deep" * 12] * 20),
)
"""Folders of projects, the last of them with a path of 1000 characters."""
READ = (["verify"], ["plan"], ["explain", STUDY], ["explain", f"results/{STUDY}/data.nc"])
READ += (["point", STUDY], ["archive", "check", "results/archive.zip"], ["describe", STUDY])
WRITE = (["solve", STUDY, BLOCK], ["gather", STUDY], ["figure", STUDY], ["report"], ["run"])
WRITE += (["archive", "create"], ["retry"], ["init", "results/new", "--author", "Some One"])
REFUSALS = (errno.EROFS, errno.EACCES)
HOUR, YEAR = 3600, 365 * 24 * 3600


def moved(count: int, seed: int, place: Path) -> Result:
    """Copy a finished project to folders of hostile names, each second time with new times.

    There it is sound, nothing is computed or drawn again, and no file says where it was.
    """
    made(place, BLOCKS)
    required(head(place))
    wanted, violations = contents(place), []
    for name, content in wanted.items():
        if os.fsencode(place) in content:
            violations.append(f"{name} says where it was made")
    with scratch() as folder:
        for number, name in enumerate(NAMES[:count]):
            target = copied(place, folder / name)
            if number % 2:
                _touch_all(target, random.Random(f"{seed} {name}"), 0)
            found = [*_sound(target), *_idle(head(target))]
            found += differences(contents(target), wanted, "there")
            violations += [f"{name!r}: {text}" for text in found]
            shutil.rmtree(folder / name.split("/")[0])
    return min(count, len(NAMES)), violations


def _sound(place: Path) -> Iterator[str]:
    ended = nessflow(place, "verify")
    if ended.status:
        yield f"verify ends with {ended.status}: {ended.said}"


def _idle(ended: Ended) -> Iterator[str]:
    if ended.status or IDLE not in ended.said:
        yield f"a run of what is done: {ended.status}: {ended.said}"


def times(count: int, seed: int, place: Path) -> Result:
    """Give all files of a finished project other times: by hours, by years, in any order."""
    chance = random.Random(seed)
    made(place, BLOCKS)
    required(head(place))
    wanted, violations = contents(place), []
    with scratch() as folder:
        for number in range(count):
            target = copied(place, folder / "project")
            _touch_all(target, chance, (0, HOUR, 10 * YEAR)[number % 3])
            found = [*_sound(target), *_idle(head(target))]
            found += differences(contents(target), wanted, "afterwards")
            violations += [f"times {number}: {text}" for text in found]
    return count, violations


def _touch_all(place: Path, chance: random.Random, width: int) -> None:
    """Give all files times about now; all the same one where the width is 0."""
    now = time.time()
    for path in sorted(place.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            moment = now + chance.uniform(-width, width)
            os.utime(path, (moment, moment))


def read_only(count: int, seed: int, place: Path) -> Result:
    """Refuse each command every change below a finished project.

    Commands that only read do their work; others end with status 2 and a message, within 2 s.
    """
    made(place)
    for arguments in (["run"], ["report"], ["archive", "create"]):
        required(nessflow(place, *arguments))
    wanted, violations = contents(place), []
    trials = [(each, error) for error in REFUSALS for each in (*READ, *WRITE)][:count]
    for arguments, error in trials:
        before = time.monotonic()
        ended = nessflow(place, *arguments, before=partial(_refuse_all, place, error))
        seconds = time.monotonic() - before
        disk.shim().shim_arm(b"", 0, 0, 0)
        found = [ended.said] if "Traceback" in ended.said else []
        if arguments in READ and ended.status:
            found.append(f"it ends with {ended.status}: {ended.said}")
        if arguments in WRITE and not _is_told(ended, error):
            found.append(f"it ends with {ended.status} and says: {ended.said}")
        if seconds > 2 and ended.status:
            found.append(f"it took {seconds:.1f} s")
        found += differences(contents(place), wanted, "afterwards")
        violations += [f"{' '.join(arguments)}, {os.strerror(error)}: {text}" for text in found]
    return len(trials), violations


def _refuse_all(place: Path, error: int) -> None:
    disk.shim().shim_arm(os.fsencode(place), 1, error, 2)


def _is_told(ended: Ended, error: int) -> bool:
    is_named = re.search(r"\bresults/", ended.said) and os.strerror(error) in ended.said
    return ended.status == 2 and bool(is_named)
