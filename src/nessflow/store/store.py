"""Datasets as NetCDF-4 files that are checked before they are served.

Every dataset ends in a seal, the SHA-256 of all bytes before it, which HDF5 ignores; a file is
opened only when the seal holds, since HDF5 can crash on a damaged one.  The attribute
``content_sha256`` identifies the content however it is compressed.  Numbers and texts are of the
types of the classic model, so that every NetCDF program reads them and can write them anew.
"""

import errno
import hashlib
import json
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nessflow.store.files import (
    RERUN,
    Damaged,
    StoreError,
    seal,
    unsealed,
    write_atomically,
    write_bytes,
)

CONVENTIONS = "CF-1.11, ACDD-1.3"
_HASH = "content_sha256"
_REQUIRED = ("units", "natural_units", "long_name")
_CLASSIC = (np.int8, np.int16, np.int32)
_CONTENT_TYPE = "coverage_content_type"
_QUALITY = ("status", "message", "undefined_reasons", "n_samples")
RECORD = (
    "study",
    "kind",
    "tier",
    "parameters",
    "source_digest",
    "nessflow_version",
    "versions",
    "lock_sha256",
    "git_commit",
    "command",
    "license",
)
"""Attributes that say where a dataset comes from; none is written without them."""


# Writing


def write_dataset(dataset: xr.Dataset, path: Path) -> None:
    """Write a dataset as NetCDF-4, compressed and with checksums; the same bytes every time.

    Parameters
    ----------
    dataset : xarray.Dataset
        Every variable and coordinate with ``units``, ``natural_units`` and ``long_name``;
        real numbers and texts only; the attributes ``RECORD``.
    path : Path
        The target.

    Raises
    ------
    ValueError
        When the dataset or a variable lacks an attribute, or has a type that NetCDF has not.
    StoreError
        When the disk refuses.
    """
    _require_described(dataset)
    dataset = _with_content_types(dataset).assign_attrs(Conventions=CONVENTIONS)
    dataset = _with_classic_integers(dataset)
    expected = content_sha256(dataset)
    sealed = dataset.assign_attrs({_HASH: expected})

    def check(temporary: Path) -> None:
        if read_dataset(temporary).attrs[_HASH] != expected:
            raise StoreError(path, "another content", RERUN)

    write_atomically(path, lambda temporary: _write_netcdf(sealed, temporary), check)


def _require_described(dataset: xr.Dataset) -> None:
    if lacking := [key for key in RECORD if not dataset.attrs.get(key)]:
        raise ValueError(f"a dataset needs its provenance, and has no {', '.join(lacking)}")
    for name, variable in dataset.variables.items():
        lacking = [key for key in _REQUIRED if not variable.attrs.get(key)]
        if lacking:
            raise ValueError(f"variable {name!r} has no {', '.join(lacking)}")
        if not (_is_text(variable) or variable.dtype.kind in "iuf"):
            raise ValueError(
                f"variable {name!r} is {variable.dtype}; store real numbers, integers or texts"
            )


def _with_content_types(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with what ACDD asks for: result, quality of a result, or coordinate."""
    typed = dataset.copy()
    for name, variable in typed.variables.items():
        kind = "coordinate" if name in dataset.coords else "modelResult"
        if kind == "modelResult" and (name in _QUALITY or str(name).endswith(("_error", "_sem"))):
            kind = "qualityInformation"
        # Last, also where it was read: the same attributes in the same order.
        others = {key: value for key, value in variable.attrs.items() if key != _CONTENT_TYPE}
        variable.attrs = others | {_CONTENT_TYPE: kind}
    return typed


def _with_classic_integers(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with integers of 32 bits at most: the classic model has no larger ones.

    An attribute that is larger becomes a text.
    """
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in "iu":
            if not _fits(variable.values):
                raise ValueError(f"variable {name!r} has integers of more than 32 bits")
            if variable.dtype not in _CLASSIC:
                dataset = dataset.assign({name: variable.astype(np.int32)})
    for variable in dataset.variables.values():
        variable.attrs = {key: _classic(value) for key, value in variable.attrs.items()}
    return dataset.assign_attrs({key: _classic(value) for key, value in dataset.attrs.items()})


def _classic(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.dtype in _CLASSIC:
        return value
    if _fits(array):
        return array.astype(np.int32) if array.ndim else np.int32(value)
    return str(value)


def _fits(values: np.ndarray) -> bool:
    limits = np.iinfo(np.int32)
    return values.size == 0 or (values.min() >= limits.min and values.max() <= limits.max)


def _is_text(variable: xr.Variable) -> bool:
    if variable.dtype.kind == "U":
        return True
    return variable.dtype.kind == "O" and all(isinstance(v, str) for v in variable.values.flat)


def _write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    encoding: dict[Hashable, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        chosen = encoding[name] = {}
        if variable.ndim:
            chosen.update(zlib=True, complevel=4, shuffle=True, fletcher32=True)
        if _is_text(variable):
            # Characters of a fixed width: filters and checksums do not apply to strings.
            chosen["dtype"] = "S1"
        elif variable.dtype.kind == "f" and name in dataset.coords:
            chosen["_FillValue"] = None
    image = _image_of(dataset, encoding)
    write_bytes(path, image + seal(image))


def _image_of(dataset: xr.Dataset, encoding: dict[Hashable, dict[str, Any]]) -> bytes:
    """Return a dataset as a NetCDF file, which is made among temporary files.

    HDF5 does not write to the disk of a project itself: where that refuses, it hides why, leaves
    half a file, and may crash.
    """
    form: Any = "NETCDF4_CLASSIC"
    try:
        with tempfile.TemporaryDirectory(prefix="nessflow-") as folder:
            made = Path(folder, "image.nc")
            dataset.to_netcdf(made, engine="netcdf4", format=form, encoding=encoding)
            return made.read_bytes()
    except (RuntimeError, OSError) as error:
        # HDF5 names no cause, or a wrong one.
        cause = f"full disk, quota or limit on file size where TMPDIR says? ({error})"
        raise OSError(errno.EFBIG, cause) from error


# Reading


def read_dataset(path: Path) -> xr.Dataset:
    """Read a dataset into memory and check it.

    Raises
    ------
    Missing
        When there is no such file.
    Damaged
        When it is not as it was written.
    StoreError
        When it cannot be read.
    """
    image = unsealed(path)
    try:
        dataset = xr.load_dataset(
            image, engine="netcdf4", decode_times=False, decode_timedelta=False
        ).drop_encoding()
        stored = dataset.attrs[_HASH]
        found = content_sha256(dataset)
    except Exception as error:
        # What cannot be read can surface as any exception of the libraries below.
        raise Damaged(path, f"cannot be read ({_one_line(error)})", RERUN) from error
    if stored != found:
        raise Damaged(path, f"content does not match its {_HASH}", RERUN)
    return dataset


def content_in(path: Path) -> str:
    """Return the SHA-256 of the content of a dataset, an empty text where it cannot be served."""
    try:
        return read_dataset(path).attrs[_HASH]
    except StoreError:
        return ""


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


# Checksums


def content_sha256(dataset: xr.Dataset) -> str:
    """Return the SHA-256 of names, roles, dimensions, types, values and attributes."""
    attributes = {name: value for name, value in dataset.attrs.items() if name != _HASH}
    digest = hashlib.sha256(_canonical_attributes(attributes))
    for name in sorted(dataset.variables, key=str):
        variable = dataset.variables[name]
        role = "coordinate" if name in dataset.coords else "variable"
        if _is_text(variable):
            kind = "text"
            values = json.dumps([str(v) for v in variable.values.flat]).encode()
        else:
            kind = variable.dtype.newbyteorder("<").str
            values = np.ascontiguousarray(variable.values, dtype=kind).tobytes()
        header = [role, name, list(variable.dims), list(variable.shape), kind, len(values)]
        digest.update(json.dumps(header).encode())
        digest.update(_canonical_attributes(variable.attrs))
        digest.update(values)
    return digest.hexdigest()


def _canonical_attributes(attributes: dict) -> bytes:
    """Return one text for attributes before writing and after reading, NumPy types or not."""
    plain = {}
    for key, value in attributes.items():
        array = np.asarray(value)
        plain[key] = [array.dtype.kind, array.ravel().tolist()]
    return json.dumps(plain, sort_keys=True).encode()
