"""Data of a study for notebooks and scripts, wherever these are."""

import difflib
import os
from pathlib import Path

import xarray as xr

from nessflow.config.project import Study
from nessflow.run.reader import read_data, require_named
from nessflow.store.files import StoreError
from nessflow.store.manifest import DATA
from nessflow.store.store import read_dataset
from nessflow.verbs.tables.physical import in_physical_units, no_units
from nessflow.verbs.workflow import read_project

_TIERS = ("paper", "smoke")


def load_study(name: str, root: Path | str = "results", *, physical: bool = False) -> xr.Dataset:
    """Read the dataset of a study.

    In the results folder of a project the data must be those of the study as its file has it now;
    elsewhere their name must be right.

    Parameters
    ----------
    name : str
        Name of the study.
    root : path, optional
        Results folder.
    physical : bool
        In physical units, by the ``units`` of the study or its project.

    Raises
    ------
    StoreError
        When there is no such dataset (naming the nearest) or it must not be served.
    ConfigError
        When the file of the study has a fault, or physical units are asked for and not told.
    """
    folder = Path(root) / name
    path = folder / DATA
    if not path.is_file():
        found = sorted(p.parent.name for p in Path(root).glob(f"*/{DATA}"))
        near = difflib.get_close_matches(name, found, n=1)
        if near:
            way_out = f"did you mean {near[0]!r}?"
        elif found:
            way_out = f"there are: {', '.join(found)}"
        else:
            way_out = "compute it first: snakemake --cores all"
        raise StoreError(path, f"no data of a study {name!r}", way_out)
    study = _study_of(name, Path(root).absolute())
    if study is not None:
        data = read_data(study, folder)
    else:
        data = read_dataset(path)
        require_named(path, data.attrs, name)
    if not physical:
        return data
    if study is None or study.units is None:
        raise no_units(str(study.path if study else path))
    return in_physical_units(data, study.units)


def _study_of(name: str, results: Path) -> Study | None:
    """Return the study in the project whose results lie in a folder, None without one."""
    for root in results.parents:
        if not (root / "config" / "studies" / f"{name}.yaml").is_file():
            continue
        for tier in _TIERS:
            project = read_project(root, studies=[name], tier=tier, allow_large=True)
            if project.results.exists() and os.path.samefile(project.results, results):
                return project.studies[name]
    return None
