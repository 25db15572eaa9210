"""Maps of a lattice: its sites where they are, coloured, and an arrow along each bond."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection

from nessflow.figures.data import error_of, variable
from nessflow.figures.specs import BONDS, CurrentMap, SiteMap
from nessflow.figures.units import FigureError

_LONGEST = 0.62
"""Length of the longest arrow over that of the shortest bond, half of it on either side of its
middle."""
_BESIDE_ARROWS, _ALONE = 0.17, 0.42
"""Radius of a site over the length of the shortest bond, or the least distance of two sites."""
_SMALL = 0.03
"""Currents, over the largest, that are not drawn."""
_VECTORS = 2000
"""Sites up to which each is drawn as such, not as part of an image."""


_NO_BONDS = np.empty((0, 2), int)
_DIFFERING = (
    "where sites are, or which of them a bond joins, differs between values of an outer axis; make "
    "it a study for each of these"
)


class Drawn(NamedTuple):
    """What is drawn of a lattice, orbitals of a site taken together.

    Attributes
    ----------
    places : (S, 2) float
        Of the sites.
    ends : (B, 2) int
        Sites of each bond, ascending.
    currents : (B,) float or None
        From the first to the second; 0 where it is within its error, NaN where it is not known.
    filling : (S,) float or None
        What the colours are by; 0 where it is within its error, NaN where it is not known.
    doubt : (S,) float or None
        Its error.
    """

    places: np.ndarray
    ends: np.ndarray
    currents: Any
    filling: Any
    doubt: Any


def drawn_of(data: xr.Dataset, spec: SiteMap | CurrentMap) -> Drawn:
    """Return what is drawn.

    Raises
    ------
    FigureError
        When the data do not say where the sites are, or what a bond joins.
    """
    current = spec.current if isinstance(spec, CurrentMap) else ""
    bond = dimension_of(data, current, BONDS) if current else ""
    site = dimension_of(data, spec.z, BONDS.values()) if spec.z else BONDS[bond]
    bond = bond or next(name for name, joined in BONDS.items() if joined == site)
    sites = dict.fromkeys([site, BONDS[bond]] if bond in data.dims else [site])
    rows = [_places(data, spec, dim) for dim in sites]
    places, found = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    parts = np.split(found.ravel(), np.cumsum([len(x) for x in rows])[:-1])
    place = dict(zip(sites, parts, strict=True))
    shown, filling, doubt = np.arange(len(places)), None, None
    if spec.z:
        values, error = _read(data, spec, spec.z, site)
        if "joined" in data[site].attrs and values.notnull().any():
            error = error.where(values.notnull(), drop=True)
            values = values.dropna(site)  # the others are sites of longer lattices
        at = place[site][data.get_index(site).get_indexer(values[site].values)]
        shown = np.unique(at)
        filling, doubt = _summed(values.values, error.values, at, len(places))[:, shown]
    number = np.full(len(places), -1)
    number[shown] = np.arange(len(shown))
    ends = number[place[BONDS[bond]][_ends(data, bond)]] if bond in data.dims else _NO_BONDS
    # Bonds between orbitals of the same two sites are one.
    turned = ends[:, 0] > ends[:, 1]
    pairs, of = np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)
    drawn, currents = (pairs[:, 0] < pairs[:, 1]) & (pairs[:, 0] >= 0), None
    if current:
        along, off = (x.values for x in _read(data, spec, current, bond))
        along = np.where(turned, -along, along)
        currents = _summed(along, off, of.ravel(), len(pairs))[0, drawn]
    return Drawn(places[shown], pairs[drawn], currents, filling, doubt)


def dimension_of(data: xr.Dataset, name: str, known: Collection[str]) -> str:
    """Return which of some dimensions a variable has.

    Raises
    ------
    FigureError
        When it has none.
    """
    dims = data[name].dims if name in data else ()
    for dim in known:
        if dim in dims:
            return dim
    raise FigureError(f"{name} has none of the dimensions {', '.join(known)}")


def _read(
    data: xr.Dataset, spec: SiteMap | CurrentMap, name: str, dim: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return values along a dimension, and their errors."""
    values = variable(data, name, spec.sel, [dim])
    error = error_of(data, name, spec.sel, [dim])
    return values, xr.zeros_like(values) if error is None else error


def _summed(values: np.ndarray, error: np.ndarray, at: np.ndarray, count: int) -> np.ndarray:
    """Return sums of what is at the same place, 0 within their errors, and these: (2, count)."""
    total, allowed = np.zeros((2, count))
    np.add.at(total, at, values)
    np.add.at(allowed, at, np.nan_to_num(error))
    return np.stack([np.where(abs(total) <= allowed, 0.0, total), allowed])


def _places(data: xr.Dataset, spec: SiteMap | CurrentMap, dim: str) -> np.ndarray:
    """Return where each site of a dimension is, (N, 2)."""
    # What stands beside sites has their names; beside others those, and that of the dimension.
    x, y, z = (name if dim == "site" else f"{dim}_{name}" for name in (spec.x, spec.y, "z"))
    _require_known(data, dim, x)
    if z in data.coords and np.ptp(data[z].values) > 0:
        raise FigureError("a map of a lattice is that of one in a plane")
    if x in data.coords and y in data.coords:
        return np.round(np.stack([data[x].values, data[y].values], axis=1), 9)
    along = data["site_number" if dim == "site" and "site_number" in data.coords else dim].values
    return np.stack([along.astype(float), np.zeros(along.size)], axis=1)


def _ends(data: xr.Dataset, bond: str) -> np.ndarray:
    """Return the places, from 0, of the two values of the sites that each bond joins, (B, 2)."""
    names = f"{bond}_site", f"{bond}_site_2"
    _require_known(data, bond, names[0])
    if names[0] in data.coords:
        return np.stack([data[name].values for name in names], axis=1) - 1
    if data.sizes[bond] + 1 != data.sizes[BONDS[bond]]:
        raise FigureError(_DIFFERING)
    return np.arange(data.sizes[bond])[:, None] + [0, 1]


def _require_known(data: xr.Dataset, dim: str, name: str) -> None:
    """Check that what stands beside a dimension is the same at all points."""
    if name in data[dim].attrs.get("differing", "").split():
        raise FigureError(_DIFFERING)


def draw_lattice(axes: Axes, drawn: Drawn, **colours: object) -> EllipseCollection:
    """Draw bonds, sites and arrows, and return the sites, by whose colours a bar is drawn."""
    ends = drawn.places[drawn.ends]
    along = ends[:, 1] - ends[:, 0]
    lengths = np.hypot(*along.T)
    has_arrows = drawn.currents is not None
    shortest = lengths.min() if has_arrows and lengths.size else _least_distance(drawn.places)
    axes.add_collection(LineCollection(ends, colors="0.8", linewidths=0.6, zorder=1))
    radius = _BESIDE_ARROWS if has_arrows else _ALONE
    size = np.full(len(drawn.places), 2 * radius * shortest)
    sites = EllipseCollection(
        size,
        size,
        np.zeros(len(size)),
        units="xy",
        offsets=drawn.places,
        offset_transform=axes.transData,
        edgecolors="0.35",
        linewidths=0.4,
        zorder=2,
        rasterized=len(size) > _VECTORS,
        **({"facecolors": "white"} if drawn.filling is None else colours),
    )
    if drawn.filling is not None:
        sites.set_array(np.ma.masked_invalid(drawn.filling))
    axes.add_collection(sites)
    if has_arrows:
        _draw_arrows(axes, ends, drawn.currents, shortest)
    axes.set_aspect("equal")
    low, high = drawn.places.min(axis=0), drawn.places.max(axis=0)
    (left, bottom), (right, top) = low - 0.6 * shortest, high + 0.6 * shortest
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    return sites


def _draw_arrows(axes: Axes, ends: np.ndarray, currents: np.ndarray, length: float) -> None:
    """Draw an arrow in the middle of each bond, the longest in proportion to a length."""
    along, sizes = ends[:, 1] - ends[:, 0], np.nan_to_num(abs(currents))
    drawn = sizes > _SMALL * sizes.max(initial=0.0)
    if not drawn.any():
        return
    unit = along[drawn] / np.hypot(*along[drawn].T)[:, None]
    arrows = unit * (currents[drawn] / sizes.max() * _LONGEST * length)[:, None]
    tails = ends[drawn].mean(axis=1) - 0.5 * arrows
    axes.quiver(
        *tails.T,
        *arrows.T,
        angles="xy",
        units="xy",
        scale_units="xy",
        scale=1,
        width=0.07 * length,
        headwidth=3.2,
        headlength=3.4,
        headaxislength=3.0,
        minlength=0,
        color="black",
        zorder=3,
    )


def _least_distance(places: np.ndarray) -> float:
    """Return the distance of the two places that are next to each other; 1 of one place."""
    places = places[np.lexsort(places.T[::-1])]
    least = np.inf
    for step in range(1, len(places)):
        apart = places[step:] - places[:-step]
        if apart[:, 0].min() >= least:
            break  # those further on in this order are further away
        least = min(least, np.hypot(*apart.T).min())
    return float(least) if np.isfinite(least) else 1.0
