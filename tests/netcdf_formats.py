"""Copies of NetCDF files in other formats, type by type as the program nccopy makes them."""

from pathlib import Path

import netCDF4
import numpy as np

FORMATS = (
    "NETCDF3_CLASSIC",
    "NETCDF3_64BIT_OFFSET",
    "NETCDF3_64BIT_DATA",
    "NETCDF4_CLASSIC",
    "NETCDF4",
)


_TYPES = {"i1", "i2", "i4", "f4", "f8"}


def copied(source: Path, target: Path, form: str) -> None:
    """Copy a file; the library of NetCDF refuses what the format has no type for."""
    with netCDF4.Dataset(source) as old, netCDF4.Dataset(target, "w", format=form) as new:
        old.set_auto_maskandscale(False)
        old.set_auto_chartostring(False)
        new.set_auto_maskandscale(False)
        new.set_auto_chartostring(False)
        assert not old.groups
        new.setncatts(_attributes(old))
        for name, dim in old.dimensions.items():
            new.createDimension(name, len(dim))
        for name, variable in old.variables.items():
            attributes = _attributes(variable)
            fill = attributes.pop("_FillValue", None)
            copy = new.createVariable(name, variable.dtype, variable.dimensions, fill_value=fill)
            copy.setncatts(attributes)
            copy[...] = variable[...]


def _attributes(of: netCDF4.Dataset | netCDF4.Variable) -> dict[str, object]:
    """Return attributes, all of which the classic model has: others would be cast in silence."""
    found = {name: of.getncattr(name) for name in of.ncattrs()}
    for name, value in found.items():
        assert isinstance(value, str) or np.asarray(value).dtype.str[1:] in _TYPES, name
    return found
