"""A project of one's own: ``nessflow init`` and ``nessflow new``."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import nessflow
from nessflow.config.project import ConfigError, is_study_name
from nessflow.errors import Problem, nearest
from nessflow.registry import find_kind, kind_names
from nessflow.store.files import remove_temporaries, write_text
from nessflow.verbs.describe import EXAMPLES

TEMPLATE = Path(__file__).parent / "template"
STUDIES = Path("config/studies")
_PLACES = {
    "gitignore": ".gitignore",
    "github/run.yml": ".github/workflows/run.yml",
}
"""Files of the template that have another name in a project."""
_LAST = "Snakefile"
"""What is written last, by which a project is told from the start of one."""
_EXAMPLES = ("config/studies/", "parts/", "tests/")
_CHOSEN = {"profiles/slurm/": "slurm", "github/": "github"}


def licence_text(year: str, holder: str) -> str:
    """Return the licence BSD-3-Clause of somebody."""
    text = (TEMPLATE / "LICENSE").read_text(encoding="utf-8")
    return text.replace("@year@", year).replace("@author@", holder)


def git_name() -> str:
    """Return the name that git knows its user by, empty where it knows none."""
    command = ["git", "config", "user.name"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""


def init_project(
    folder: Path, author: str, *, slurm: bool = False, github: bool = False
) -> Iterator[str]:
    """Make a folder a project that runs; write what is not there and nothing else.

    Parameters
    ----------
    folder : Path
        The folder of the project, which need not be there.
    author : str
        Who makes it: holder of its licence and author of its citation file.
    slurm, github : bool
        Whether it has a profile for Slurm, and a workflow of GitHub that tests it.

    Yields
    ------
    str
        A line for each file, and what to do next.

    Raises
    ------
    ConfigError
        When there is something else in the place of a folder.
    StoreError
        When the disk refuses.
    """
    is_begun = _is_begun(folder)
    chosen = {name for name, wanted in (("slurm", slurm), ("github", github)) if wanted}
    values = {
        "@project@": folder.resolve().name,
        "@title@": _quoted(folder.resolve().name),
        "@author@": author,
        "@authors@": _authors(author),
        "@year@": str(date.today().year),
        "@nessflow@": nessflow.__version__,
    }
    sources = sorted(path for path in TEMPLATE.rglob("*") if path.is_file())
    for source in sorted(sources, key=lambda path: path.name == _LAST):
        name = source.relative_to(TEMPLATE).as_posix()
        optional = [choice for start, choice in _CHOSEN.items() if name.startswith(start)]
        if "__pycache__" in name or not chosen.issuperset(optional):
            continue
        if is_begun and name.startswith(_EXAMPLES):
            continue
        target = folder / _PLACES.get(name, name)
        if target.exists() or target.is_symlink():
            yield f"{target}: is there and stays as it is"
            continue
        text = source.read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        _write_new(target, text)
        yield f"{target}: written"
    enter = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    yield f"now: {enter}snakemake --cores 2"


def new_study(name: str, source: str) -> Path:
    """Write a study file that is the copy of a study or of the example of a kind.

    Parameters
    ----------
    name : str
        Of the new study.
    source : str
        A study of the project, or a kind.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        When the name is taken or cannot be that of a study, or there is no such study or kind.
    PartError
        When the kind cannot be used.
    """
    target = STUDIES / f"{name}.yaml"
    if not is_study_name(name):
        raise _refused("NAME", name, "a name of a-z, 0-9 and -, that no command has")
    if target.exists() or target.is_symlink():
        raise _refused("NAME", name, f"a name that is free; {target} is there")
    example = STUDIES / f"{source}.yaml"
    if not example.is_file():
        studies = sorted(path.stem for path in STUDIES.glob("*.yaml"))
        kinds = kind_names()
        if source not in kinds:
            hint = nearest(source, [*studies, *kinds]) or "`nessflow describe` lists the kinds"
            raise _refused("--from", source, f"a kind, or a file in {STUDIES}", hint)
        kind: Any = find_kind(source)
        example = Path(kind.__file__).parent / EXAMPLES.name / f"{source}.yaml"
        if not example.is_file():
            place = f"parts/{EXAMPLES.name}/{source}.yaml"
            raise _refused("--from", source, "a kind that has an example", f"write {place}")
    _write_new(target, example.read_text(encoding="utf-8"))
    return target


def _is_begun(folder: Path) -> bool:
    """Tell whether a folder has studies, or none by choice; not those of an `init` that died."""
    studies = folder / STUDIES
    if not studies.exists():
        return False
    ours = {path.name for path in (TEMPLATE / STUDIES).iterdir()}
    has_own = any(p.name not in ours and not p.name.startswith(".") for p in studies.iterdir())
    return has_own or os.path.lexists(folder / _LAST)


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there, as a whole."""
    for place in reversed(path.parents):
        if place.exists() and not place.is_dir():
            raise _refused("NAME", str(path), f"a folder: {place} is something else")
    remove_temporaries(path)
    write_text(path, text)


def _refused(key: str, given: str, expected: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem("command line", None, key, given, expected, hint)])


def _authors(author: str) -> str:
    """Return an entry of a citation file for a person, or for what has one name only."""
    given, _, family = author.rpartition(" ")
    if not given:
        return f"  - name: {_quoted(author)}"
    return f"  - given-names: {_quoted(given)}\n    family-names: {_quoted(family)}"


def _quoted(text: str) -> str:
    """Return a text in the quotes of YAML, in which only a quote means something else."""
    return "'" + text.replace("'", "''") + "'"
