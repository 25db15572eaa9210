"""One zip file with a manifest, and the check of it; knows nothing of what the files are.

The manifest is BagIt's ``manifest-sha256.txt``, which ``sha256sum -c`` reads.  The comment at the
end of the zip file is a seal, the SHA-256 of all bytes before it: with it no byte goes unnoticed,
not even where it changes no file.  The same files give the same bytes.
"""

import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from nessflow.pipeline.store import write_atomically

MANIFEST = "manifest-sha256.txt"
_SEAL = b"sha256 "
_HEX = 64
_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError)

Content = Path | bytes
"""A file on disk, or what to write."""


class ArchiveError(Exception):
    """An archive that is not what was written, or cannot be: each fault in one line."""

    def __init__(self, path: Path, faults: Iterable[str], way_out: str):
        self.path, self.faults = Path(path), list(faults)
        super().__init__("\n".join(f"{path}: {text}" for text in [*self.faults, way_out]))


def manifest_text(sums: Mapping[str, str]) -> str:
    """Return the manifest of files with their SHA-256, sorted by name."""
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))


def sha256_of(content: Content) -> str:
    """Return the SHA-256 of a file or of bytes."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with open(content, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_archive(path: Path, files: Mapping[str, Content]) -> str:
    """Write files in the order given, then their manifest, as one zip file.

    Parameters
    ----------
    path : Path
        The target, written as a whole or not at all.
    files : mapping of str to Path or bytes
        Content of each file by its name in the archive.

    Returns
    -------
    str
        SHA-256 of the zip file.

    Raises
    ------
    ArchiveError
        When a name is not fit for an archive.
    StoreError
        When the disk refuses.
    """
    if faults := list(_name_faults(files)):
        raise ArchiveError(path, faults, "rename what is named and pack again")
    write_atomically(path, lambda temporary: _write_zip(temporary, files), check_archive)
    return sha256_of(path)


def _write_zip(path: Path, files: Mapping[str, Content]) -> None:
    sums = {}
    with zipfile.ZipFile(path, "x") as archive:
        for name, content in files.items():
            sums[name] = _add(archive, name, content)
        _add(archive, MANIFEST, manifest_text(sums).encode())
        archive.comment = _SEAL + b"0" * _HEX
    with open(path, "r+b") as stream:
        digest = _digest(stream, path.stat().st_size - _HEX)
        stream.write(digest.encode())


def _add(archive: zipfile.ZipFile, name: str, content: Content) -> str:
    """Write one file; return its SHA-256."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    # Unix, whatever wrote it; a regular file that is executable where it was.
    info.create_system = 3
    on_disk = isinstance(content, Path)
    mode = 0o755 if on_disk and os.access(content, os.X_OK) else 0o644
    info.external_attr = (stat.S_IFREG | mode) << 16
    info.file_size = content.stat().st_size if on_disk else len(content)
    digest = hashlib.sha256()
    with archive.open(info, "w") as target:
        for chunk in _chunks(content) if on_disk else [content]:
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _digest(stream: BinaryIO, size: int) -> str:
    """Return the SHA-256 of the next ``size`` bytes."""
    digest = hashlib.sha256()
    while size > 0 and (chunk := stream.read(min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


# Checking


def check_archive(path: Path) -> int:
    """Compare an archive, zip file or unpacked folder, with its manifest.

    One chunk of one file is in memory at a time.

    Returns
    -------
    int
        How many files were compared.

    Raises
    ------
    ArchiveError
        Naming each file that is changed, missing, added, twice there, or whose name or type would
        write outside the folder it is unpacked in; and a zip file whose bytes are not those that
        were written.
    """
    path = Path(path)
    try:
        found, faults = _read_folder(path) if path.is_dir() else _read_zip(path)
    except FileNotFoundError:
        raise ArchiveError(path, ["no such file"], "give the archive or its folder") from None
    except _UNREADABLE as error:
        found, faults = {}, [f"not a zip file, cut short or damaged ({error})"]
    if not faults or MANIFEST in found:
        listed, more = _listed(found.pop(MANIFEST, None))
        faults += [*more, *_differences(listed, found)]
    if faults:
        raise ArchiveError(path, faults, "not as it was written: get the archive again")
    return len(found)


def _differences(listed: Mapping[str, str], found: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            yield f"{name}: missing"
        elif name not in listed:
            yield f"{name}: added, not in {MANIFEST}"
        elif found[name] is not None and found[name] != listed[name]:
            yield f"{name}: changed, its SHA-256 does not match"


def _listed(text: bytes | None) -> tuple[dict[str, str], list[str]]:
    """Return the SHA-256 of each file as the manifest has it, and what is wrong with it."""
    if text is None:
        return {}, [f"{MANIFEST}: missing"]
    listed, faults = {}, []
    for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            faults.append(f"{MANIFEST}: line {number} is no checksum and name")
        elif match[2] in listed:
            faults.append(f"{MANIFEST}: line {number} names {match[2]} again")
        else:
            listed[match[2]] = match[1]
    return listed, faults


Found = dict[str, str | bytes | None]
"""SHA-256 by name, None where a fault is told already; the manifest with its content."""


def _read_zip(path: Path) -> tuple[Found, list[str]]:
    found, faults = {}, list(_seal_faults(path))
    with zipfile.ZipFile(path) as archive:
        # As stored: Python cuts `filename` at a NUL.
        infos = [(info.orig_filename, info) for info in archive.infolist()]
        faults += _name_faults([name for name, _ in infos])
        for name, info in infos:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                found[name] = None
                faults.append(f"{name!a}: not a regular file but {_kind(kind)}")
                continue
            try:
                with archive.open(info) as stream:
                    found[name] = stream.read() if name == MANIFEST else _whole_digest(stream)
            except (*_UNREADABLE, NotImplementedError) as error:
                found[name] = None
                faults.append(f"{name!a}: damaged ({error})")
    return found, faults


def _whole_digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _seal_faults(path: Path) -> Iterator[str]:
    size = path.stat().st_size - _HEX
    with open(path, "rb") as stream:
        stream.seek(max(size - len(_SEAL), 0))
        end = stream.read()
        if size < 0 or not end.startswith(_SEAL):
            yield "no seal at its end: cut short, or written by another program"
            return
        stream.seek(0)
        if _digest(stream, size).encode() != end[len(_SEAL) :]:
            yield "its bytes are not those that were written"


def _read_folder(path: Path) -> tuple[Found, list[str]]:
    found, faults = {}, []
    for folder, folders, names in os.walk(path):
        # Links to folders are listed as folders, and not followed.
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in sorted([*names, *links]):
            file = Path(folder) / name
            inside = file.relative_to(path).as_posix()
            kind = stat.S_IFMT(file.lstat().st_mode)
            found[inside] = None
            if kind != stat.S_IFREG:
                faults.append(f"{inside!a}: not a regular file but {_kind(kind)}")
                continue
            try:
                found[inside] = file.read_bytes() if inside == MANIFEST else sha256_of(file)
            except OSError as error:
                faults.append(f"{inside!a}: cannot be read ({error.strerror})")
    return found, faults


def _kind(kind: int) -> str:
    names = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder"}
    return names.get(kind, "a device, pipe or socket")


def _name_faults(names: Iterable[str]) -> Iterator[str]:
    """Say which names would write elsewhere, over each other, or not on every system."""
    names = list(names)
    for name in names:
        parts = name.split("/")
        if name.startswith("/") or re.match("[A-Za-z]:", name):
            yield f"{name!a}: an absolute path"
        elif ".." in parts:
            yield f"{name!a}: leads out of the folder"
        elif "\\" in name or not name.isprintable() or {"", "."} & set(parts):
            yield f"{name!a}: not a plain relative path"
    for first, second in pairwise(sorted(names)):
        if first == second:
            yield f"{first!a}: there twice"
