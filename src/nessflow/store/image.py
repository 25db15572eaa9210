"""NetCDF-4 files made in memory, the same bytes for the same dataset.

HDF5 must not write to a disk itself: where that refuses, it hides why, leaves half a file, and may
crash.  What netCDF makes in memory is padded, and has the time at which its root group was made,
which files on a disk have not; both are taken out, as HDF5's specification of its format, version
3, has them.  Whoever reads the file has HDF5 check what is changed here.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import xarray as xr

_WORD = 2**32
_SUPERBLOCKS = (2, 3)
_HAS_PHASE, _HAS_TIMES = 0x10, 0x20


def image_of(dataset: xr.Dataset, encoding: Mapping[Hashable, Mapping[str, Any]]) -> bytes:
    """Return a dataset as a NetCDF-4 file.

    Parameters
    ----------
    dataset : xarray.Dataset
        Of types that the classic model has.
    encoding : mapping
        As ``to_netcdf`` takes it.

    Raises
    ------
    OSError
        When there is no memory for it.
    """
    try:
        made = dataset.to_netcdf(engine="netcdf4", format="NETCDF4_CLASSIC", encoding=encoding)
    except RuntimeError as error:
        raise OSError(None, f"no memory to prepare it? ({error})") from error
    image = bytearray(made)
    if image[8] in _SUPERBLOCKS:
        del image[int.from_bytes(image[28:36], "little") :]
        _forget_times(image, int.from_bytes(image[36:44], "little"))
    return bytes(image)


def _forget_times(image: bytearray, start: int) -> None:
    """Set the times in an object header to zero, and its checksum to what it is then."""
    flags = image[start + 5]
    if image[start : start + 5] != b"OHDR\x02" or not flags & _HAS_TIMES:
        return
    image[start + 6 : start + 22] = bytes(16)
    place = start + (26 if flags & _HAS_PHASE else 22)
    width = 1 << (flags & 3)
    end = place + width + int.from_bytes(image[place : place + width], "little")
    image[end : end + 4] = lookup3(bytes(image[start:end])).to_bytes(4, "little")


def lookup3(data: bytes) -> int:
    """Return the checksum of metadata of HDF5, lookup3 of Bob Jenkins, of one byte at least."""
    a = b = c = (0xDEADBEEF + len(data)) % _WORD
    words = [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]
    words += [0] * (-len(words) % 3)
    last = len(words) - 3
    for k in range(0, last + 1, 3):
        a, b, c = ((x + y) % _WORD for x, y in zip((a, b, c), words[k : k + 3], strict=True))
        if k < last:
            for turn in (4, 6, 8, 16, 19, 4):
                # Three words change places: each step is the one before, with other names.
                a, c = ((a - c) % _WORD) ^ _turned(c, turn), (c + b) % _WORD
                a, b, c = b, c, a
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _turned(b, turn)) % _WORD
        a, b, c = b, c, a
    return b


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) % _WORD
