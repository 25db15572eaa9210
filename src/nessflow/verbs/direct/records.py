"""What Snakemake remembers of the files that it made, where these are made without it."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_FOLDERS = ("metadata", "incomplete")
"""By which parameters and code a file was made, and that a job that makes it has not ended."""


def forget(root: Path, files: Iterable[str]) -> None:
    """Remove the records that Snakemake has of files, by which it would make them once more.

    Of a file without records it asks whether it is there, and older than what it is made of: what
    the file is of its marker tells (`nessflow.verbs.workflow.make_ready`).

    Parameters
    ----------
    root : Path
        Folder of the Snakefile.
    files : iterable of str
        Relative to it, as the rules have them.
    """
    for folder in (root / ".snakemake" / name for name in _FOLDERS):
        with suppress(OSError):
            longest = os.pathconf(folder, "PC_NAME_MAX") - 1
            for file in files:
                with suppress(FileNotFoundError):
                    os.remove(folder.joinpath(*_names(file, longest)))


def _names(file: str, longest: int) -> list[str]:
    """Return the path of a record, as `snakemake.persistence.file` makes it."""
    name = urlsafe_b64encode(file.encode()).decode()
    parts = [name[i : i + longest] for i in range(0, len(name), longest)]
    return [*(f"@{part}" for part in parts[:-1]), parts[-1]]
