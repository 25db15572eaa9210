"""One zip file with a manifest, and the check of it; knows nothing of what the files are.

The manifest is BagIt's ``manifest-sha256.txt``, which ``sha256sum -c`` reads.  The comment at the
end of the zip file is a seal, the SHA-256 of all bytes before it: with it no byte goes unnoticed,
not even where it changes no file.  The same files give the same bytes.
"""

import hashlib
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import IO

from nessflow.store.files import write_atomically

MANIFEST = "manifest-sha256.txt"
_SEAL = b"sha256 "
_HEX = 64
_CHUNK = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LINE = re.compile(r"([0-9a-f]{64})  (.+)\n")
_LONGEST_LINE = 5000
_MOST_FAULTS = 100
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    NotImplementedError,
)

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


def write_archive(
    path: Path, files: Mapping[str, Content], verified: Mapping[str, str] | None = None
) -> str:
    """Write files in the order given, then their manifest, as one zip file.

    Parameters
    ----------
    path : Path
        The target, written as a whole or not at all.
    files : mapping of str to Path or bytes
        Content of each file by its name in the archive.
    verified : mapping of str to str, optional
        SHA-256 that files must have while they are packed.

    Returns
    -------
    str
        SHA-256 of the zip file.

    Raises
    ------
    ArchiveError
        When a name is not fit for an archive, or a file is not as it was verified.
    StoreError
        When the disk refuses.
    """
    if faults := list(_name_faults(files)):
        raise ArchiveError(path, faults, "rename what is named and pack again")

    def write(temporary: Path) -> None:
        sums = _write_zip(temporary, files)
        known = verified or {}
        if changed := [name for name in known if sums[name] != known[name]]:
            faults = [f"{name}: changed while it was packed" for name in changed]
            raise ArchiveError(path, faults, "pack again when no run is at work")

    write_atomically(path, write, check_archive)
    return sha256_of(path)


def _write_zip(path: Path, files: Mapping[str, Content]) -> dict[str, str]:
    """Write the zip file; return the SHA-256 of each file in it."""
    sums = {}
    with zipfile.ZipFile(path, "x") as archive:
        for name, content in files.items():
            sums[name] = _add(archive, name, content)
        _add(archive, MANIFEST, manifest_text(sums).encode())
        archive.comment = _SEAL + b"0" * _HEX
    with open(path, "r+b") as stream:
        digest = _digest(stream, path.stat().st_size - _HEX)
        stream.write(digest.encode())
    return sums


def _add(archive: zipfile.ZipFile, name: str, content: Content) -> str:
    """Write one file; return its SHA-256."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    # Unix, whatever wrote it; a regular file that is executable where it was.
    info.create_system = 3
    executable = isinstance(content, Path) and os.access(content, os.X_OK)
    mode = 0o755 if executable else 0o644
    info.external_attr = (stat.S_IFREG | mode) << 16
    info.file_size = content.stat().st_size if isinstance(content, Path) else len(content)
    digest = hashlib.sha256()
    with archive.open(info, "w") as target:
        for chunk in _chunks(content) if isinstance(content, Path) else [content]:
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _digest(stream: IO[bytes], size: int) -> str:
    """Return the SHA-256 of the next ``size`` bytes."""
    digest = hashlib.sha256()
    while size > 0 and (chunk := stream.read(min(_CHUNK, size))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


# Checking


def check_archive(path: Path) -> int:
    """Compare an archive, zip file or unpacked folder, with its manifest.

    One chunk of one file, or one line of the manifest, is in memory at a time: what is needed
    grows with the number of files and not with their size, whatever the archive claims.

    Returns
    -------
    int
        How many files were compared.

    Raises
    ------
    ArchiveError
        Naming each file (the first hundred) that is changed, missing, added, twice there, or whose
        name or type would write outside the folder it is unpacked in; and a zip file whose bytes
        are not those that were written.
    """
    path = Path(path)
    found: Found = {}
    faults: list[str] = []
    try:
        if path.is_dir():
            _read_folder(path, found, faults)
        else:
            _read_zip(path, found, faults)
    except FileNotFoundError:
        raise ArchiveError(path, ["no such file"], "give the archive or its folder") from None
    except _UNREADABLE as error:
        faults.append(f"not a zip file, cut short or damaged ({error})")
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
        way_out = "not as it was written: get the archive again"
        raise ArchiveError(path, [*faults[:_MOST_FAULTS], *more], way_out)
    return len(found)


Found = dict[str, str | None]
"""SHA-256 by name, None where a fault is told already."""


def _read_zip(path: Path, found: Found, faults: list[str]) -> None:
    faults += _seal_faults(path)
    with zipfile.ZipFile(path) as archive:
        # As stored: Python cuts `filename` at a NUL.
        infos = [(info.orig_filename, info) for info in archive.infolist()]
        faults += _name_faults([name for name, _ in infos])
        manifest = None
        for name, info in infos:
            found[name] = None
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                faults.append(f"{name!a}: not a regular file but {_kind(kind)}")
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Others cannot be unpacked in pieces of a known size.
                faults.append(f"{name!a}: compressed by method {info.compress_type}, not deflate")
            elif name == MANIFEST:
                manifest = info
            else:
                try:
                    with archive.open(info) as stream:
                        found[name] = _whole_digest(stream)
                except _UNREADABLE as error:
                    faults.append(f"{name!a}: damaged ({error})")
        if manifest is None:
            _compare(None, found, faults)
            return
        with archive.open(manifest) as stream:
            _compare(stream, found, faults)


def _compare(manifest: IO[bytes] | None, found: Found, faults: list[str]) -> None:
    """Compare what was found with the lines of the manifest."""
    found.pop(MANIFEST, None)
    if manifest is None:
        faults.append(f"{MANIFEST}: missing")
        return
    differences: list[str] = []
    listed: set[str] = set()
    number = 0
    while line := manifest.readline(_LONGEST_LINE):
        number += 1
        match = _LINE.fullmatch(line.decode(errors="replace"))
        if match is None:
            differences.append(f"{MANIFEST}: line {number} is no checksum and name")
        elif match[2] in listed:
            differences.append(f"{MANIFEST}: line {number} names {match[2]} again")
        elif match[2] not in found:
            name = match[2] if match[2].isprintable() else ascii(match[2])
            differences.append(f"{name}: missing")
        else:
            listed.add(match[2])
            if found[match[2]] not in (None, match[1]):
                differences.append(f"{match[2]}: changed, its SHA-256 does not match")
        if len(differences) > _MOST_FAULTS:
            faults += differences
            return
    differences += [f"{name}: added, not in {MANIFEST}" for name in found.keys() - listed]
    faults += sorted(differences)


def _whole_digest(stream: IO[bytes]) -> str:
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


def _read_folder(path: Path, found: Found, faults: list[str]) -> None:
    manifest = None
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
            elif inside == MANIFEST:
                manifest = file
            else:
                try:
                    found[inside] = sha256_of(file)
                except OSError as error:
                    faults.append(f"{inside!a}: cannot be read ({error.strerror})")
    if manifest is None:
        _compare(None, found, faults)
        return
    with open(manifest, "rb") as stream:
        _compare(stream, found, faults)


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
    for first, second in pairwise(sorted(names, key=_folded)):
        if first == second:
            yield f"{first!a}: there twice"
        elif _folded(first) == _folded(second):
            yield f"{first!a}: the same as {second!a} where capitals or accents do not count"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
