"""Map of a lattice: its sites where they are, and an arrow along each bond for the current."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection

from nessflow.figures.data import error_of, variable
from nessflow.figures.specs import CurrentMap
from nessflow.figures.units import FigureError

_LONGEST = 0.62
"""Length of the longest arrow over that of the shortest bond, half of it on either side of its
middle."""
_RADIUS = 0.17
"""Radius of a site over the length of the shortest bond."""
_SMALL = 0.03
"""Currents, over the largest, that are not drawn."""


class Flow(NamedTuple):
    """What is drawn of a lattice, orbitals of a site taken together.

    Attributes
    ----------
    places : (S, 2) float
        Of the sites.
    ends : (B, 2) int
        Sites of each bond.
    currents : (B,) float
        From the first to the second; 0 where it is within its error.
    filling : (S,) float or None
        What the colours are by.
    """

    places: np.ndarray
    ends: np.ndarray
    currents: np.ndarray
    filling: np.ndarray | None


def flow_of(data: xr.Dataset, spec: CurrentMap) -> Flow:
    """Return what is drawn.

    Raises
    ------
    FigureError
        When the data do not say where the sites are, or some are above each other.
    """
    rows, ends = _places(data, spec), _ends(data)
    places, site = np.unique(np.round(rows, 9), axis=0, return_inverse=True)
    site = site.ravel()
    ends = site[ends]
    values = variable(data, spec.current, spec.sel, ["bond"])
    error = error_of(data, spec.current, spec.sel, ["bond"])
    if not np.isfinite(values.values).any():
        raise FigureError(f"{spec.current} has no values there: the point failed")
    currents = np.nan_to_num(values.values)
    if error is not None:
        currents = np.where(abs(currents) <= error.values, 0.0, currents)
    # Bonds between orbitals of the same two sites are one.
    turned = ends[:, 0] > ends[:, 1]
    ends, currents = np.sort(ends, axis=1), np.where(turned, -currents, currents)
    pairs, place = np.unique(ends, axis=0, return_inverse=True)
    total = np.zeros(len(pairs))
    np.add.at(total, place.ravel(), currents)
    apart = pairs[:, 0] != pairs[:, 1]
    filling = None
    if spec.z:
        filling = np.zeros(len(places))
        np.add.at(filling, site, variable(data, spec.z, spec.sel, ["site"]).values)
    return Flow(places, pairs[apart], total[apart], filling)


def _places(data: xr.Dataset, spec: CurrentMap) -> np.ndarray:
    """Return where each value of ``site`` is, (N, 2)."""
    if "z" in data.coords and np.ptp(data["z"].values) > 0:
        raise FigureError("a map of currents is that of a lattice in a plane")
    if spec.x in data.coords and spec.y in data.coords:
        return np.stack([data[spec.x].values, data[spec.y].values], axis=1)
    along = data["site_number" if "site_number" in data.coords else "site"].values
    return np.stack([along.astype(float), np.zeros(along.size)], axis=1)


def _ends(data: xr.Dataset) -> np.ndarray:
    """Return the places, from 0, of the two values of ``site`` that each bond joins, (B, 2)."""
    if "bond_site" in data.coords:
        return np.stack([data["bond_site"].values, data["bond_site_2"].values], axis=1) - 1
    if data.sizes["bond"] + 1 != data.sizes["site"]:
        raise FigureError(
            "which sites a bond joins differs between values of an outer axis; make it a study for "
            "each of these"
        )
    return np.arange(data.sizes["bond"])[:, None] + [0, 1]


def draw_flow(axes: Axes, flow: Flow, **colours: object) -> EllipseCollection:
    """Draw bonds, sites and arrows, and return the sites, by whose colours a bar is drawn."""
    ends = flow.places[flow.ends]
    along = ends[:, 1] - ends[:, 0]
    lengths = np.hypot(*along.T)
    shortest = lengths.min(initial=1.0) if lengths.size else 1.0
    axes.add_collection(LineCollection(ends, colors="0.8", linewidths=0.6, zorder=1))
    size = np.full(len(flow.places), 2 * _RADIUS * shortest)
    sites = EllipseCollection(
        size,
        size,
        np.zeros(len(size)),
        units="xy",
        offsets=flow.places,
        offset_transform=axes.transData,
        edgecolors="0.35",
        linewidths=0.4,
        zorder=2,
        **({"facecolors": "white"} if flow.filling is None else colours),
    )
    if flow.filling is not None:
        sites.set_array(np.ma.masked_invalid(flow.filling))
    axes.add_collection(sites)
    largest = abs(flow.currents).max(initial=0.0)
    drawn = abs(flow.currents) > _SMALL * largest
    if drawn.any():
        unit = along[drawn] / lengths[drawn, None]
        arrows = unit * (flow.currents[drawn] / largest * _LONGEST * shortest)[:, None]
        tails = ends[drawn].mean(axis=1) - 0.5 * arrows
        axes.quiver(
            *tails.T,
            *arrows.T,
            angles="xy",
            units="xy",
            scale_units="xy",
            scale=1,
            width=0.07 * shortest,
            headwidth=3.2,
            headlength=3.4,
            headaxislength=3.0,
            minlength=0,
            color="black",
            zorder=3,
        )
    axes.set_aspect("equal")
    low, high = flow.places.min(axis=0), flow.places.max(axis=0)
    for limits, one, other in zip((axes.set_xlim, axes.set_ylim), low, high, strict=True):
        limits(one - 0.6 * shortest, other + 0.6 * shortest)
    return sites
