"""Damage of stored files: whatever befalls one it is found, named, not served, and repaired.

A script too: ``python tests/faults/damaging.py 300 FOLDER`` damages 300 files, 26 for each run.
"""

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import SPECTRUM, Project, copy_project, git_checkout
from nessflow.figures.record import RecordError
from nessflow.publish.archive import ArchiveError
from nessflow.store.files import StoreError
from nessflow.verbs.archive import create_archive
from nessflow.verbs.explain import explain
from nessflow.verbs.load import load_study
from nessflow.verbs.report import write_report
from nessflow.verbs.verify import study_faults
from nessflow.verbs.workflow import read_project

AXES = "t_S: {inner: [0.5, 1.0]}"
STUDIES = {
    "mix": SPECTRUM.replace(AXES, f"{AXES}\n  rate: {{outer: [0.1, 0.2]}}")
    .replace("rate: 0.5", "rate: $rate")
    .replace("z: loss", "sel: {rate: 0.1}, z: loss"),
    "mixb": SPECTRUM.replace("Small", "Another").replace("broadening: 1.1", "broadening: 0.7"),
}
PER_RUN = 26


def prepared(folder: Path) -> Project:
    """Return a project with two studies of one kind that have run, as a git checkout."""
    project = git_checkout(copy_project(folder / "copy", STUDIES), folder / "project")
    done = project.snakemake(cores=1)
    assert done.returncode == 0, done.stderr
    return project


def stored(results: Path) -> dict[str, bytes]:
    """Return every file of the studies: data, blocks, figures, sidecars, tables, manifests."""
    files = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        parts = name.split("/")
        ours = len(parts) > 1 and not {"logs", "benchmarks", "report"} & set(parts)
        if ours and path.is_file() and path.suffix not in (".damaged", ".stale", ".zip"):
            files[name] = path.read_bytes()
    return files


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Return the content with one bit changed."""
    place = chance.randrange(len(content))
    changed = content[place] ^ (1 << chance.randrange(8))
    return content[:place] + bytes([changed]) + content[place + 1 :]


def rewritten(change: Callable) -> Callable:
    """Return a damage that changes the content of a file."""

    def damage(path: Path, chance: random.Random) -> None:
        path.write_bytes(change(path.read_bytes(), chance))

    return damage


def other_of(path: Path) -> Path:
    """Return the file of another study that is most like a file."""
    place = path.parts.index("results") + 1
    results, name = Path(*path.parts[:place]), path.parts[place]
    (other,) = {p.parent for p in results.glob("*/logs")} - {results / name}
    same = other.joinpath(*path.parts[place + 1 :])
    return same if same.is_file() else next(other.rglob(f"[!.]*{path.suffix}"), same)


def swapped(path: Path, chance: random.Random) -> None:
    """Put the file of another study in the place of one; any other where these are the same."""
    other = other_of(path)
    if not other.is_file() or other.read_bytes() == path.read_bytes():
        other = Path(__file__)
    path.write_bytes(other.read_bytes())


def linked(path: Path, chance: random.Random) -> None:
    """Replace a file by a link that leads nowhere."""
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES = {
    "bit": rewritten(flipped),
    "cut": rewritten(lambda content, chance: content[: chance.randrange(len(content))]),
    "empty": rewritten(lambda content, chance: b""),
    "zeros": rewritten(lambda content, chance: bytes(len(content))),
    "appended": rewritten(lambda content, chance: content + chance.randbytes(9)),
    "doubled": rewritten(lambda content, chance: content * 2),
    "swapped": swapped,
    "deleted": lambda path, chance: path.unlink(),
    "unreadable": lambda path, chance: path.chmod(0),
    "linked": linked,
}


def broken(project: Project, number: int, chance: random.Random) -> tuple[int, list[str]]:
    """Damage files one after the other; return how many, and each that is not found or is served.

    Where a manifest is damaged its folder is left alone afterwards: it is made anew as a whole.
    """
    names = sorted(stored(project.folder / "results"))
    chance.shuffle(names)
    hit, violations = [], []
    for name in names[:number]:
        folder = (name.split("/")[0], "/figures/" in name)
        is_manifest = name.endswith("/manifest.json")
        if any(f == folder and (m or is_manifest) for f, m in hit):
            continue
        hit.append((folder, is_manifest))
        kind = "appended" if "/.current/" in name else chance.choice(sorted(DAMAGES))
        DAMAGES[kind](project.folder / "results" / name, chance)
        violations += [f"{kind} {name}: {text}" for text in served(project, name)]
    return len(hit), violations


def served(project: Project, name: str) -> Iterator[str]:
    """Yield what does not name a damaged file, or serves it."""
    with chdir(project.folder):
        found = read_project(Path(), studies="all")
        path = Path("results") / name
        study = found.studies[name.split("/")[0]]
        if path not in [fault.path for fault in study_faults(found, study)]:
            yield "verify does not name it"
        try:
            create_archive(found, blocks=True, progress=lambda line: None)
            yield "it is packed"
        except (ArchiveError, StoreError) as error:
            if str(path) not in str(error) and Path(".git").exists():
                yield f"the archive does not name it but {error}"
        if path.exists() and not path.stat().st_mode & 0o400:
            # An administrator reads what is sound all the same.
            return
        if path.name == "data.nc":
            try:
                load_study(study.name)
                yield "load serves it"
            except StoreError:
                pass
        if path.suffix in (".nc", ".png", ".svg", ".pdf", ".json"):
            try:
                explain(path)
                yield "explain serves it"
            except (StoreError, RecordError):
                pass
        if path.name == "data.nc" or (path.parent.name == "figures" and path.suffix != ".txt"):
            faults = write_report(found, progress=lambda line: None)
            shown = Path("results/report/index.html").read_text()
            if "figures" in path.parts and f'data-file="../{study.name}/' in shown:
                yield "the report shows it"
            if os.path.lexists(path) and not path.is_symlink() and not faults:
                yield "the report does not name it"


def repaired(project: Project, whole: dict[str, bytes]) -> Iterator[str]:
    """Make one plain run; yield what is not as it was."""
    done = project.snakemake(cores=1)
    if done.returncode:
        yield f"the run failed: {done.stderr}"
    if "Traceback" in done.stderr:
        yield done.stderr
    found = stored(project.folder / "results")
    for name in sorted(whole.keys() | found.keys()):
        if whole.get(name) != found.get(name):
            yield f"{name} is not as it was before"
    with chdir(project.folder):
        loaded = read_project(Path(), studies="all")
        for study in loaded.studies.values():
            for fault in study_faults(loaded, study):
                yield f"after the run: {fault}"


def main(count: int, folder: Path) -> None:
    """Damage ``count`` files in a new project in ``folder`` and print all violations."""
    if folder.exists():
        shutil.rmtree(folder)
    project = prepared(folder)
    whole = stored(project.folder / "results")
    done, violations, chance = 0, [], random.Random(count)
    while done < count:
        number, found = broken(project, min(PER_RUN, count - done), chance)
        found += repaired(project, whole)
        done += number
        violations += found
        print(*found, f"{done} files damaged, {len(violations)} violations", sep="\n", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
