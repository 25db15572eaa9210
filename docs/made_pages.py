"""Pages of the site that are made when it is built."""

from pathlib import Path


def write_all(folder: Path) -> None:
    """Write them into a folder below ``docs``."""
    folder.mkdir(exist_ok=True)
