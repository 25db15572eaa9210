"""The record that a figure file carries, read back."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

KEY = "nessflow"
_NEEDED = {"figure", "study", "caption", "tier", "command", "data", "figure_digest", "license"}
_PNG = b"\x89PNG\r\n\x1a\n"
_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
_SUBJECT = re.compile(rb"/Subject \(((?:[^\\()]|\\.)*)\)", re.DOTALL)


class RecordError(Exception):
    """A file without a record of where it comes from."""

    def __init__(self, path: Path):
        super().__init__(
            f"{path}: no record of nessflow in it; expected a figure (svg, pdf, png, or the json "
            "beside it) or dataset (nc) that nessflow wrote and no other program has saved since"
        )


def read_record(path: Path) -> dict[str, Any]:
    """Return the record of a figure file, svg, pdf or png, or of the json beside it.

    Raises
    ------
    RecordError
        When there is none.
    OSError
        When the file cannot be read.
    """
    return record_in(Path(path).read_bytes(), path)


def record_in(image: bytes, path: Path) -> dict[str, Any]:
    """Return the record in the bytes of a figure file; ``path`` is for the message.

    Raises
    ------
    RecordError
        When there is none.
    """
    try:
        record = json.loads(_reader(image)(image))
    except (ValueError, LookupError, struct.error, ElementTree.ParseError) as error:
        raise RecordError(path) from error
    if not isinstance(record, dict) or not record.keys() >= _NEEDED:
        raise RecordError(path)
    return record


def _reader(image: bytes) -> Callable[[bytes], str | bytes]:
    if image.startswith(_PNG):
        return _from_png
    if image.startswith(b"%PDF"):
        return _from_pdf
    return _from_svg if image.lstrip().startswith(b"<") else bytes.decode


def _from_png(image: bytes) -> bytes:
    """Return the text of the chunk ``tEXt`` with our key."""
    place = len(_PNG)
    while place < len(image):
        length, kind = struct.unpack_from(">I4s", image, place)
        content = image[place + 8 : place + 8 + length]
        if kind == b"tEXt" and content.startswith(KEY.encode() + b"\0"):
            return content[len(KEY) + 1 :]
        place += length + 12
    raise LookupError(KEY)


def _from_svg(image: bytes) -> str:
    return next((e.text or "" for e in ElementTree.fromstring(image).iter(_DESCRIPTION)), "")


def _from_pdf(image: bytes) -> bytes:
    found = _SUBJECT.search(image)
    return re.sub(rb"\\([()\\])", rb"\1", found[1]) if found else b""
