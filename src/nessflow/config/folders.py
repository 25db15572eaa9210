"""The results folder that a configuration names: a plain path below the project."""

import re
import unicodedata
from pathlib import Path

PROJECT = ("benchmarks", "config", "docs", "envs", "parts", "profiles", "src", "tests", "workflow")
"""Folders of the project itself, in which no results may lie."""
_PART = re.compile(r"\w(?:[\w .,+=@-]*[\w.,+=@-])?")
_LONGEST = 200
_PLAIN = "a relative path such as results or out/run-1"
_LINK = "to have results on another disk make {0} a symbolic link: ln -s /scratch/{0} {0}"


def results_fault(root: Path, text: str) -> str:
    """Return what is wrong with a name of the results folder, and the way out; "" when it is right.

    Parameters
    ----------
    root : Path
        Folder of the project.
    text : str
        The path as written in ``config.yaml``.
    """
    parts = text.removesuffix("/").split("/")
    if text.startswith(("/", "~")):
        return f"expected {_PLAIN}; {_LINK.format('results')}"
    if ".." in parts:
        return f"expected {_PLAIN}, inside the project; {_LINK.format('results')}"
    if not all(map(_PART.fullmatch, parts)) or unicodedata.normalize("NFC", text) != text:
        return (
            f"expected {_PLAIN}: letters (in Unicode NFC), digits, spaces and _.,+=@- inside, "
            "each part beginning with a letter, digit or _"
        )
    if len(text.encode()) > _LONGEST:
        return f"expected a path of at most {_LONGEST} bytes"
    if parts[0].casefold() in PROJECT:
        return f"expected a folder of its own: {parts[0]} belongs to the project"
    return _occupied(root, Path(*parts))


def _occupied(root: Path, path: Path) -> str:
    """Return what stands where the results folder should be."""
    for place in (*reversed(path.parents[:-1]), path):
        if (root / place).is_symlink() and not (root / place).exists():
            target = (root / place).readlink()
            return f"{place} is a link to {target}, which is not there; make that folder"
        if (root / place).exists() and not (root / place).is_dir():
            return f"{place} is there and is not a folder; make room or choose another one"
    top, found = root.resolve(), (root / path).resolve()
    if top.is_relative_to(found):
        return f"{path} leads to the folder of the project; link to a folder of its own"
    inside = found.relative_to(top).parts[0] if found.is_relative_to(top) else ""
    if inside.startswith(".") or inside.casefold() in PROJECT:
        return f"{path} leads to {inside}, which belongs to the project; link to another folder"
    return ""
