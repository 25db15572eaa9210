"""What every shape is: a part of the plane, whose sites a lattice has."""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Discriminator, Field, Tag

from nessflow.parts import Part
from nessflow.registry import AnyOf

TOUCHING = 1e-9
"""Distance from an outline, in those of neighbours, within which a site is on it, and inside."""


MOST = 10_000_000
"""Sites of a box around shapes."""


class Shape(Part, ABC):
    """Shape: fields are its keys in a study file, ``contains`` what it is."""

    home: ClassVar = __package__
    needs: ClassVar = ("box",)

    @property
    @abstractmethod
    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lowest and highest x, and lowest and highest y, in distances of neighbours."""

    @abstractmethod
    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return whether points are inside or on the outline.

        Parameters
        ----------
        x, y : (n,) array
            In distances of neighbours.

        Returns
        -------
        (n,) bool array
            To within `TOUCHING`.
        """


AnyShape = Annotated[Shape, AnyOf(Shape)]
Shapes = Annotated[
    Annotated[AnyShape, Tag("one")]
    | Annotated[tuple[AnyShape, ...], Field(min_length=1), Tag("several")],
    Discriminator(lambda value: "several" if isinstance(value, list | tuple) else "one"),
]
"""A shape, or several, of which a site has to be in any."""


@lru_cache(maxsize=32)
def points_inside(
    shapes: tuple[Shape, ...],
    unit: tuple[float, float],
    period: tuple[int, int],
    motif: tuple[tuple[int, int], ...],
) -> np.ndarray:
    """Return the sites of an endless lattice that are in any of some shapes, by x and then by y.

    Parameters
    ----------
    shapes : tuple of Shape
        At least one.
    unit : tuple of float
        What places are counted in on each axis, in distances of neighbours.
    period : tuple of int
        After which the lattice repeats itself, in units.
    motif : tuple of tuple of int
        Its sites in one period, in units.

    Returns
    -------
    (n, 2) int array
        In units; not to be written.

    Raises
    ------
    ValueError
        When there is none, or there are too many.
    """
    boxes = np.array([shape.box for shape in shapes])
    extent = np.stack([boxes[:, :, 0].min(axis=0), boxes[:, :, 1].max(axis=0)], axis=1)
    step = np.multiply(unit, period)
    count = float(np.prod((extent[:, 1] - extent[:, 0]) / step + 1) * len(motif))
    if count > MOST:
        raise ValueError(f"about {count:.1e} sites are too many (at most {MOST:.0e})")
    ranges = []
    for (low, high), each, repeat in zip(extent, unit, period, strict=True):
        first, last = np.floor(low / each / repeat) - 1, np.ceil(high / each / repeat) + 1
        ranges.append(np.arange(first, last + 1, dtype=int) * repeat)
    corners = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
    places = (corners[..., None, :] + np.array(motif)).reshape(-1, 2)
    x, y = (places * unit).T
    places = places[np.any([shape.contains(x, y) for shape in shapes], axis=0)]
    if not len(places):
        raise ValueError("there is no site in this shape; make it larger")
    places = places[np.lexsort(places.T[::-1])]
    places.flags.writeable = False
    return places
