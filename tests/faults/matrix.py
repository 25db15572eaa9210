"""Every fault, how often it was tried, and what was wrong: the rows of docs/faults.md.

``python tests/faults/matrix.py`` makes all trials and prints the rows, ``--small`` a share of them,
``solve readers`` some rows; ``--trials`` and ``--seed`` as the page has them make one again.
``--page`` puts the rows into the page, with ``--date`` and ``--commit``; others stay as they are.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import chances
import disk
import places
from trials import import_all, scratch

ROW = "| `{name}` | {fault} | {trials} | {violations} | {seed} | {date}, `{commit}` |"


class Row(NamedTuple):
    """A fault, how many trials are made of it, in full and small, and what makes them."""

    fault: str
    full: int
    small: int
    act: Callable[[int, int, Path], chances.Result]


def failing(verb: str, most: int, seed: int, place: Path) -> chances.Result:
    """Make the trials of one command, with all faults of the disk."""
    start = _starts(place)[verb]
    found = [disk.trials(verb, fault, most, seed, start, place) for fault in disk.FAULTS]
    return sum(count for count, _ in found), [text for _, texts in found for text in texts]


_made: dict[str, disk.Start] = {}


def _starts(place: Path) -> dict[str, disk.Start]:
    if not _made:
        _made.update(disk.starts(place.parent / "starts", place))
    return _made


FAULTS = ", ".join(disk.FAULTS)
SOME = {"run": 10}
"""Calls of a command for each fault, where they are not all."""
SORTS = {
    "results": "block, data, png, svg, pdf, sidecar",
    "manifests": "manifests of data and figures",
    "report": "page of the report",
    "archive": "archive",
}
ROWS = {
    **{
        verb: Row(
            f"`nessflow {verb}`: {FAULTS}",
            SOME.get(verb, 0),
            int(verb not in SOME),
            partial(failing, verb),
        )
        for verb in disk.VERBS
    },
    "workers": Row("kill -9 of a process that computes", 200, 3, chances.workers),
    "heads": Row("kill -9 of a run of Snakemake, all of it", 50, 0, chances.heads),
    "pairs": Row("two runs of Snakemake at once", 20, 0, chances.pairs),
    **{
        f"bits-{sort}": Row(f"a bit flips: {text}", 1000, 10, partial(chances.bits, sort))
        for sort, text in SORTS.items()
    },
    "mistakes": Row("mistakes in a study file", 5000, 20, chances.mistakes),
    "readers": Row("a read while the file is replaced", 1000, 30, chances.readers),
    "times": Row("files with other times", 30, 0, places.times),
    "moved": Row("a project in another folder, of a hostile name", 100, 0, places.moved),
    "read-only": Row("a project that cannot be written, each command", 100, 8, places.read_only),
}


def main() -> int:
    """Make rows; return 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--trials", type=int, help="0: until no fault fires")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--date", default="")
    parser.add_argument("--commit", default="")
    chosen = parser.parse_args()
    if unknown := set(chosen.rows) - ROWS.keys():
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    wrong = False
    with scratch() as folder:
        place = folder / "project"
        (folder / "starts").mkdir()
        import_all(place)
        for name in chosen.rows or ROWS:
            count = ROWS[name].small if chosen.small else ROWS[name].full
            if chosen.trials is not None:
                count = chosen.trials
            if chosen.small and not count:
                continue
            line, violations = _row(name, count, chosen, place)
            wrong = wrong or bool(violations)
            print(line, *violations, sep="\n", flush=True)
            if chosen.page:
                _put(chosen.page, name, line)
    return int(wrong)


def _row(name: str, count: int, chosen: argparse.Namespace, place: Path) -> tuple[str, list[str]]:
    row, before = ROWS[name], time.monotonic()
    if not name.startswith("bits-"):
        shutil.rmtree(place, ignore_errors=True)
    trials, violations = row.act(count, chosen.seed, place)
    print(f"{name}: {time.monotonic() - before:.0f} s", file=sys.stderr)
    number = len(violations)
    fields = {"fault": row.fault, "trials": f"{trials:,}".replace(",", " "), "violations": number}
    fields |= {"seed": chosen.seed, "date": chosen.date, "commit": chosen.commit}
    return ROW.format(name=name, **fields), violations


def _put(page: Path, name: str, line: str) -> None:
    """Put a row into the table of a page, in the place of the one of the same name."""
    text = page.read_text()
    (start, end) = (text.index("|---"), text.index("\n\n", text.index("|---")))
    head, *rows = text[start:end].split("\n")
    found = {row.split("`")[1]: row for row in rows} | {name: line}
    table = "\n".join([head, *(found[each] for each in ROWS if each in found)])
    page.write_text(text[:start] + table + text[end:])


def lines_of(page: Path) -> Iterator[str]:
    """Yield the names of the rows that a page has."""
    for line in page.read_text().splitlines():
        if line.startswith("| `"):
            yield line.split("`")[1]


if __name__ == "__main__":
    disk.preloaded()
    sys.exit(main())
