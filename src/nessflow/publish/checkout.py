"""The source of a project as git knows it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Checkout:
    """Files of a working tree and where they differ from its commit.

    ``date`` is that of the commit in ISO 8601; ``changes`` has one line for each file that is not
    as in the commit, as ``git status --short`` prints it; ``files`` are all that git does not
    ignore and that exist, new ones too, sorted.
    """

    commit: str
    date: str
    changes: list[str]
    files: list[str]


def read_checkout(root: Path) -> Checkout | None:
    """Return the state of a working tree, or of a folder of one; None where git knows no file."""
    root = Path(root).resolve()
    try:
        prefix = "".join(_git(root, "rev-parse", "--show-prefix"))
        known = _git(root, "ls-files", "-z", "--", ".")
        commit, date = _git(root, "log", "-1", "--format=%H%x00%cI")[:2]
        changes = _git(root, "status", "--porcelain", "-z", "--no-renames", "-uall", "--", ".")
        files = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except (OSError, subprocess.SubprocessError):
        return None
    if not known:
        return None
    # Named from the top of the tree, unlike files.
    changes = [f"{line[:3]}{line[3:].removeprefix(prefix)}" for line in changes]
    return Checkout(commit, date, changes, sorted({f for f in files if (root / f).is_file()}))


def _git(root: Path, *arguments: str) -> list[str]:
    """Return what git prints, without the NUL or line break after each part."""
    command = ["git", "-C", str(root), "--no-optional-locks", *arguments]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    # Names of files are bytes, which need not be text.
    return [part for part in os.fsdecode(done.stdout).rstrip("\n").split("\0") if part]
