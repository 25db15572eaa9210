"""Data in physical units, from those in natural ones."""

import xarray as xr

from nessflow.errors import ConfigError, Problem
from nessflow.written.physical import Units

FACTOR = "natural_factor"
"""Attribute of a variable in physical units: what it was multiplied by."""


def in_physical_units(data: xr.Dataset, units: Units) -> xr.Dataset:
    """Return data whose numbers are in meV, nA, K, ..., coordinates and errors included.

    Parameters
    ----------
    data : xarray.Dataset
        In natural units.
    units : Units
        How large these are.

    Returns
    -------
    xarray.Dataset
        Each variable that has another unit now with it in ``units``, and ``natural_factor``, what
        it was multiplied by; ``natural_units`` stays.  Results of fits stay natural: they are
        relations of natural numbers.

    Raises
    ------
    ValueError
        When the data are in physical units already.
    """
    found = data.copy()
    for name, variable in data.variables.items():
        natural = variable.attrs.get("natural_units")
        if natural is None or "model" in variable.attrs:
            continue
        if FACTOR in variable.attrs:
            raise ValueError(f"{name} is in {variable.attrs['units']} already")
        factor, unit = units.shown(natural, variable.attrs["long_name"])
        if unit == natural:
            continue
        attributes = variable.attrs | {"units": unit, FACTOR: factor}
        found[name] = (variable.dims, variable.values * factor, attributes)
    sizes = {"t": units.t, "a": units.a}
    found.attrs["natural_sizes"] = ", ".join(f"{k} = {v}" for k, v in sizes.items() if v)
    return found


def no_units(place: str) -> ConfigError:
    """Return that physical units are asked for of natural ones whose size nobody told."""
    expected = "`units: {t: 2.5 meV}` in the file of the study or in config/config.yaml"
    way_out = "in Python nf.physical(data, t='2.5 meV') needs neither"
    return ConfigError([Problem(place, None, "units", "", expected, way_out)])
