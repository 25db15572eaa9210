"""Failed points given back to the next run."""

import shutil
from pathlib import Path

from nessflow.run.solve import partial_path, stale_path
from nessflow.store.files import StoreError, remove
from nessflow.store.status import OK, PENDING
from nessflow.store.store import read_dataset, write_dataset


def release_failures(folder: Path) -> int:
    """Make the failed points of a study unfinished ones; return how many there were.

    Their blocks become partial files, from which the next run takes what has succeeded.  No run
    may be at work.

    Parameters
    ----------
    folder : Path
        ``results/<study>``.

    Raises
    ------
    StoreError
        When the disk refuses.
    """
    count = 0
    for path in sorted((folder / "blocks").rglob("[!.]*.nc")):
        try:
            block = read_dataset(path)
        except StoreError:
            continue  # the next run sets it aside
        failed = block["status"].values > OK
        if failed.any():
            count += int(failed.sum())
            block["status"].values[failed] = PENDING
            # Also of blocks that are not wanted any more: their points would be taken over.
            if path.name.endswith(".partial.nc"):
                write_dataset(block, path)
                continue
            # Beside a partial file of an interrupted run: the next one takes points from both.
            partial = partial_path(path)
            write_dataset(block, stale_path(path, block.attrs) if partial.exists() else partial)
            remove(path)
    if count:
        # A block alone that is missing is no reason for Snakemake to run; a missing target is.
        shutil.rmtree(folder / ".current", ignore_errors=True)
    return count
