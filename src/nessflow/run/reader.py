"""The one reader of the data of a study: sound, and of the study as it is now."""

from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from nessflow.config.study import OBSERVABLES, Study
from nessflow.run.provenance import definition
from nessflow.store.manifest import DATA, Foreign, Old
from nessflow.store.store import read_dataset

_AGAIN = "run again: they are made anew"
_OLD = {
    "kind": "were computed by another kind",
    "parameters": "were computed with other parameters",
    OBSERVABLES: "hold other observables",
    "source_digest": "were computed with another version of the source",
    "axes": "have other axis values",
    "derived": "have other derived variables",
    "fits": "have other fits",
}


def read_data(study: Study, folder: Path) -> xr.Dataset:
    """Read the data of a study and make sure that they are those of the study as it is now.

    Parameters
    ----------
    study : Study
        The checked study.
    folder : Path
        Folder of its results.

    Raises
    ------
    Missing, Damaged, StoreError
        As ``read_dataset``.
    Foreign
        When the data are of another study or tier, of other parameters, axis values, samples or
        fits, or of another version of the source.
    """
    path = Path(folder) / DATA
    data = read_dataset(path)
    require_named(path, data.attrs, study.name, study.tier)
    expected = definition(study)
    for key, reason in _OLD.items():
        if data.attrs.get(key) != expected.get(key):
            raise Old(path, f"the data {reason}", _AGAIN)
    samples = study.ensemble.samples if study.ensemble else None
    if data.sizes.get("sample") != samples:
        raise Old(path, f"the data have {data.sizes.get('sample', 'no')} samples", _AGAIN)
    return data


def require_named(path: Path, attributes: Mapping, name: str, tier: str | None = None) -> None:
    """Make sure that data are of the study of that name, and of that tier if one is given.

    Raises
    ------
    Foreign
        When they are not.
    """
    if attributes.get("study") != name:
        raise Foreign(path, f"holds the data of the study {attributes.get('study')!r}", _AGAIN)
    if tier is not None and attributes.get("tier") != tier:
        raise Foreign(path, f"holds the data of the tier {attributes.get('tier')!r}", _AGAIN)
