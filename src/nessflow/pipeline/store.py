"""The one place that writes and reads files.

Written beside the target under another name, synced, read back, then renamed: a file with its
final name is complete.  Every dataset ends in a seal, the SHA-256 of all bytes before it, which
HDF5 ignores; a file is opened only when the seal holds, since HDF5 can crash on a damaged one.
The attribute ``content_sha256`` identifies the content however it is compressed.
"""

import contextlib
import difflib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr

CONVENTIONS = "CF-1.11, ACDD-1.3"
MANIFEST = "manifest.json"
BLOCKS = "blocks/"
_HASH = "content_sha256"
_REQUIRED = ("units", "natural_units", "long_name")
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
_SEAL = b"\nsha256 "
_RERUN = "remove this file and run again: it is computed anew"
_WAYS_OUT = {
    errno.ENOSPC: "free some space and run again: what is finished is kept",
    errno.EDQUOT: "free some of your quota and run again: what is finished is kept",
    errno.EFBIG: "free space or raise the limit, then run again: what is finished is kept",
    errno.EACCES: "make the folder writable or choose another results folder",
    errno.EPERM: "make the folder writable or choose another results folder",
    errno.EROFS: "choose a results folder that is not mounted read-only",
}


class StoreError(Exception):
    """A file that cannot be written or must not be served: which, why, and the way out."""

    def __init__(self, path: Path, cause: str, way_out: str):
        self.path, self.cause, self.way_out = Path(path), cause, way_out
        super().__init__(f"{path}: {cause}; {way_out}")


class Missing(StoreError):
    """There is no such file."""


class Damaged(StoreError):
    """The content is not what was written: the file must not be served."""


# Writing


def write_atomically(
    path: Path,
    writer: Callable[[Path], None],
    check: Callable[[Path], object] | None = None,
) -> None:
    """Write a file so that its final name never shows anything but a complete file.

    Parameters
    ----------
    path : Path
        The target; its folder is made when missing.
    writer : callable
        Writes the file at the path it is given, which has the suffix of the target.
    check : callable, optional
        Reads the written file and raises when it is not what was meant.

    Raises
    ------
    StoreError
        When the disk refuses; the target is then what it was before.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(temporary)
        _sync(temporary)
        if check is not None:
            check(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno, "check the disk and run again")
        raise StoreError(path, f"cannot write: {error.strerror or error}", way_out) from error
    except StoreError as error:
        cause = f"what was written does not read back: {error.cause}"
        raise StoreError(path, cause, "check the disk and run again") from error
    finally:
        remove(temporary)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8."""
    data = text.encode()
    write_atomically(path, lambda temporary: _write_bytes(temporary, data))


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
    expected = content_sha256(dataset)
    sealed = dataset.assign_attrs({_HASH: expected})

    def check(temporary):
        if read_dataset(temporary).attrs[_HASH] != expected:
            raise StoreError(path, "another content", _RERUN)

    write_atomically(path, lambda temporary: _write_netcdf(sealed, temporary), check)


def set_aside(path: Path, reason: str, name: str = "") -> StoreError:
    """Rename a file that must not be used, so that the next plain run computes it anew.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        Why it must not be used.
    name : str, optional
        Its new name; ``<name>.damaged`` by default.

    Returns
    -------
    StoreError
        What to tell the user.
    """
    path = Path(path)
    name = name or f"{path.name}.damaged"
    try:
        os.replace(path, path.with_name(name))
    except OSError as error:
        way_out = _WAYS_OUT.get(error.errno, _RERUN)
        return StoreError(path, f"{reason}, and cannot rename: {error.strerror}", way_out)
    return StoreError(path, reason, f"renamed to {name}, to be computed anew")


def remove_temporaries(folder: Path) -> None:
    """Remove what writers that were killed left below ``folder``; no writer may be at work."""
    for path in Path(folder).rglob(".*.tmp*"):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file that is of no use any more, if that is possible."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def _write_bytes(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder, and need not.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


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
        if kind == "modelResult" and (name in _QUALITY or name.endswith(("_error", "_sem"))):
            kind = "qualityInformation"
        # Last, also where it was read: the same attributes in the same order.
        others = {key: value for key, value in variable.attrs.items() if key != _CONTENT_TYPE}
        variable.attrs = others | {_CONTENT_TYPE: kind}
    return typed


def _is_text(variable: xr.Variable) -> bool:
    if variable.dtype.kind == "U":
        return True
    return variable.dtype.kind == "O" and all(isinstance(v, str) for v in variable.values.flat)


def _write_netcdf(dataset: xr.Dataset, path: Path) -> None:
    encoding = {}
    for name, variable in dataset.variables.items():
        chosen = encoding[name] = {}
        if variable.ndim:
            chosen.update(zlib=True, complevel=4, shuffle=True, fletcher32=True)
        if _is_text(variable):
            # Characters of a fixed width: filters and checksums do not apply to strings.
            chosen["dtype"] = "S1"
        elif variable.dtype.kind == "f" and name in dataset.coords:
            chosen["_FillValue"] = None
    # What forbids the file itself is told here, plainly.
    _write_bytes(path, b"")
    try:
        dataset.to_netcdf(path, engine="netcdf4", format="NETCDF4", encoding=encoding)
    except (RuntimeError, OSError) as error:
        # HDF5 hides the cause, or names a wrong one.
        full = shutil.disk_usage(path.parent).free < 2 * dataset.nbytes + 2**20
        cause = "no space left" if full else f"full disk, quota or limit on file size? ({error})"
        raise OSError(errno.ENOSPC if full else errno.EFBIG, cause) from error
    with open(path, "r+b") as file:
        file.write(_seal(file.read()))


def _seal(image: bytes) -> bytes:
    return _SEAL + hashlib.sha256(image).hexdigest().encode()


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
    image = _read_bytes(path)
    end = len(image) - len(_seal(b""))
    if image[:3] == b"CDF":
        raise Damaged(path, "a NetCDF-3 file, which has no checksums", _RERUN)
    if end < 0 or not image.startswith(_SEAL, end):
        raise Damaged(path, "cut short, or not written by nessflow", _RERUN)
    if image[end:] != _seal(image[:end]):
        raise Damaged(path, "damaged or edited: its SHA-256 does not match", _RERUN)
    try:
        dataset = xr.load_dataset(
            image[:end], engine="netcdf4", decode_times=False, decode_timedelta=False
        ).drop_encoding()
        stored = dataset.attrs[_HASH]
        found = content_sha256(dataset)
    except Exception as error:
        # What cannot be read can surface as any exception of the libraries below.
        raise Damaged(path, f"cannot be read ({_one_line(error)})", _RERUN) from error
    if stored != found:
        raise Damaged(path, f"content does not match its {_HASH}", _RERUN)
    return dataset


def load_study(name: str, root: Path = "results") -> xr.Dataset:
    """Read the dataset of a study.

    Parameters
    ----------
    name : str
        Name of the study.
    root : path, optional
        Results folder.

    Raises
    ------
    StoreError
        When there is no such dataset (naming the nearest) or it must not be served.
    """
    path = Path(root) / name / "data.nc"
    if not path.is_file():
        found = sorted(p.parent.name for p in Path(root).glob("*/data.nc"))
        near = difflib.get_close_matches(name, found, n=1)
        if near:
            way_out = f"did you mean {near[0]!r}?"
        elif found:
            way_out = f"there are: {', '.join(found)}"
        else:
            way_out = "compute it first: snakemake --cores all"
        raise StoreError(path, f"no data of a study {name!r}", way_out)
    dataset = read_dataset(path)
    if dataset.attrs.get("study") != name:
        raise StoreError(
            path, f"holds the data of the study {dataset.attrs.get('study')!r}", _RERUN
        )
    return dataset


def _read_bytes(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise Missing(path, "no such file", "run again: it is computed anew") from None
    except OSError as error:
        raise StoreError(
            path, f"cannot read: {error.strerror or error}", "make the file readable"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


# Checksums


def content_sha256(dataset: xr.Dataset) -> str:
    """Return the SHA-256 of names, roles, dimensions, types, values and attributes."""
    attributes = {name: value for name, value in dataset.attrs.items() if name != _HASH}
    digest = hashlib.sha256(_canonical_attributes(attributes))
    for name in sorted(dataset.variables):
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


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def write_manifest(folder: Path, names: list[str]) -> None:
    """Write ``manifest.json``: the SHA-256 of each named file below ``folder``."""
    sums = {name: file_sha256(Path(folder) / name) for name in sorted(names)}
    write_text(Path(folder) / MANIFEST, json.dumps(sums, indent=1) + "\n")


def verify_study(folder: Path) -> list[str]:
    """Compare the files of a study with its manifest.

    Blocks are looked at only where the study has a folder of them: an archive may leave them out.

    Returns
    -------
    list of str
        One line for each file that is missing, changed, damaged or not in the manifest; empty
        when all is well.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        sums = json.loads(_read_bytes(path))
        if not all(isinstance(value, str) for value in sums.values()):
            raise ValueError("not a table of checksums")
    except StoreError as error:
        return [str(error)]
    except (ValueError, AttributeError) as error:
        return [f"{path}: damaged ({_one_line(error)}); {_RERUN}"]
    if not (folder / BLOCKS).is_dir():
        sums = {name: expected for name, expected in sums.items() if not name.startswith(BLOCKS)}
    problems = [str(error) for name in sorted(sums) for error in _verify(folder / name, sums[name])]
    for file in sorted((folder / BLOCKS).rglob("*.nc")):
        if file.relative_to(folder).as_posix() not in sums:
            problems.append(f"{file}: not in {MANIFEST}; a block of another grid, or added by hand")
    return problems


def _verify(path: Path, expected: str) -> Iterator[StoreError]:
    try:
        if file_sha256(path) != expected:
            if path.suffix == ".nc":
                read_dataset(path)
            yield StoreError(path, f"changed since {MANIFEST} was written", _RERUN)
    except StoreError as error:
        yield error
