"""What lattices of equal cells have in common: bonds by direction, a flux, how they go on.

Places are whole numbers of a unit of each axis, so that neighbours are found without rounding.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from nessflow.parts import KeyedError, at_key, quantity
from nessflow.systems.lattices.lattice import Bonds, Continuation, Ending, Graph, Length
from nessflow.systems.places import Hoppings
from nessflow.systems.shapes.shape import Shapes, points_inside

SIDES = {
    "left": (0, -1),
    "right": (0, 1),
    "bottom": (1, -1),
    "top": (1, 1),
    "front": (2, -1),
    "back": (2, 1),
}
"""Side -> number of its axis, and which way is out."""


class Crystal(Graph):
    """Lattice of equal cells with bonds to neighbours in some directions.

    A flux is in the gauge ``A = (-B y, 0)``, which is the same in all columns: a bond from r to r'
    has the phase ``B (x' - x)(y + y')/2`` in ``h[r, r'] = -hopping e^{i phase}``, with ``B`` the
    flux over the area of a plaquette.

    Attributes
    ----------
    unit : tuple of d float
        What places are counted in on each axis, in distances of neighbours.
    period : tuple of d int
        After which the lattice repeats itself along each axis, in these units.
    basis : tuple of tuple of d int
        Places of the sites of a cell, from that of the cell, in these units.
    directions : dict of str to tuple of d int
        From the first to the second site of a bond, in these units.
    plaquette : int
        Area of the smallest loop in the first two axes, in these units.
    """

    hopping: Hoppings = quantity(
        "hopping amplitude, or direction -> amplitude; with several orbitals also matrices",
        "t",
        1.0,
    )
    flux: float = quantity(
        "phase gathered around each of the smallest loops; a uniform magnetic field", "rad", 0.0
    )

    plaquette: ClassVar[int] = 1

    @property
    def unit(self) -> tuple[float, ...]:
        """What places are counted in."""
        return 1.0, 1.0

    @property
    def period(self) -> tuple[int, ...]:
        """After which it repeats itself."""
        return 1, 1

    @property
    def basis(self) -> tuple[tuple[int, ...], ...]:
        """Sites of a cell."""
        return ((0, 0),)

    @property
    def directions(self) -> Mapping[str, tuple[int, ...]]:
        """From the first to the second site of each bond."""
        return {"x": (1, 0), "y": (0, 1)}

    @property
    @abstractmethod
    def cells(self) -> tuple[int, ...]:
        """Number of cells along each axis: columns, rows and, in space, layers."""

    def origin(self, cells: np.ndarray) -> np.ndarray:
        """Return the places of cells, (..., d) int in units.

        Parameters
        ----------
        cells : (..., d) int array
            Column, row and so on, from 1.
        """
        return cells

    @property
    def sites(self) -> int:
        """Number of sites."""
        return math.prod(self.cells) * len(self.basis)

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of the sites, (sites, d) int in units, and their columns, (sites,)."""
        cells = np.moveaxis(np.indices(self.cells) + 1, 0, -1)
        places = self.origin(cells)[..., None, :] + self.basis
        columns = np.broadcast_to(cells[..., :1], places.shape[:-1])
        return places.reshape(-1, len(self.unit)), columns.ravel()

    @property
    def positions(self) -> np.ndarray:
        """Where the sites are, (sites, d), in distances of neighbours."""
        return self.columns[0] * self.unit

    @model_validator(mode="after")
    def _hopping_of_each_direction(self) -> Self:
        if isinstance(self.hopping, Mapping) and self.hopping.keys() != self.directions.keys():
            names = ", ".join(self.directions)
            raise KeyedError(f"the directions are {names}; give a hopping for each", "hopping")
        return self

    def key_of(self, direction: str) -> tuple[str, ...]:
        """Return the key of the hopping in a direction."""
        return ("hopping", direction) if isinstance(self.hopping, Mapping) else ("hopping",)

    @property
    def bonds(self) -> Bonds:
        """Bonds in each direction, in the order of the sites that they start from."""
        return self._bonds(self.columns[0])

    def _bonds(self, places: np.ndarray, gauge: np.ndarray | float = 0.0) -> Bonds:
        """Return the bonds between some places, (n, d), in a gauge that ``gauge``, (n,), changes.

        It is in units of the flux over the area of a loop, as are the phases of bonds: whole
        numbers and halves, so that nothing is lost where places are far away.
        """
        parts = []
        for direction, step in self.directions.items():
            first, second = _shifted(places, step)
            hopping = self.on_bonds(first, second, *self.key_of(direction))
            if self.flux:
                change = np.broadcast_to(gauge, len(places))
                turns = step[0] * (places[first, 1] + 0.5 * step[1])
                turns += change[second] - change[first]
                weights = np.exp(1j * self.flux * turns / self.plaquette)
                hopping = (hopping.T * weights).T
            parts.append((first, second, hopping))
        first, second, hoppings = zip(*parts, strict=True)
        return Bonds(*map(np.concatenate, (first, second, self.alike(list(hoppings)))))

    # --- how it goes on ---------------------------------------------------------------------------

    @property
    def sides(self) -> tuple[str, ...]:
        """Both ends of each axis."""
        return tuple(name for name, (axis, _) in SIDES.items() if axis < len(self.unit))

    def continuation(self, side: str) -> Continuation | Ending:
        """Return how the lattice goes on beyond a side, see `Lattice`.

        Upwards and downwards the cells are in a gauge that is the same in all of them, ``A = (-B
        y0, B x)`` with y0 where they begin; the change of gauge, ``e^{-i B x (y - y0)}`` on each
        site, is in the coupling.

        Parameters
        ----------
        side : str
            One of `sides`; where several arms end there, all of them, or one: ``top-1`` is the
            first from the left, ``left-1`` the first from below.
        """
        self.require_same_hoppings()
        name, _, arm = side.partition("-")
        if name not in self.sides:
            return super().continuation(name)
        axis, out = SIDES[name]
        places, columns = self.columns
        ends = out * (columns * self.period[0] if axis == 0 else places[:, axis])
        last = np.flatnonzero(ends > ends.max() - self.period[axis])
        step = np.zeros(len(self.unit), int)
        step[axis] = out * self.period[axis]
        arms = list(self._arms(last, places[last], step, 1 if axis == 0 else 0))
        if arm:
            if not (arm.isdecimal() and 1 <= int(arm) <= len(arms)):
                count = f"1 to {len(arms)}" if len(arms) > 1 else "1 alone"
                raise ValueError(f"there is no {side!r}: arms of this side are numbered {count}")
            last = arms[int(arm) - 1]
        return self.continued(last, self._bonds_beyond(places[last], step, axis))

    def _arms(
        self, last: np.ndarray, places: np.ndarray, step: np.ndarray, across: int
    ) -> Iterator[np.ndarray]:
        """Yield the sites of each arm, in the order of their lowest place on the axis across."""
        n = last.size
        first, second, _ = self._bonds(np.concatenate([places, places + step]))
        pairs = np.ones(first.size), (first % n, second % n)
        count, arm = connected_components(csr_array(pairs, shape=(n, n)), directed=False)
        order = sorted(range(count), key=lambda k: places[arm == k, across].min())
        yield from (last[arm == k] for k in order)

    def _bonds_beyond(self, places: np.ndarray, step: np.ndarray, axis: int) -> Bonds:
        """Return the bonds between sites and those one and two periods further."""
        cells = np.concatenate([places, places + step, places + 2 * step])
        gauge = np.zeros(len(cells))
        if axis == 1:
            x, y = cells[len(places) :, :2].T
            gauge[len(places) :] = x * (places[0, 1] - y)
        return self._bonds(cells, gauge)


class Plane(Crystal):
    """Lattice in a plane, of columns and rows, or of all its sites in a shape."""

    length: Length | None = quantity(
        "number of columns, where no shape is given", "1", None, examples=[6]
    )
    width: Length | None = quantity(
        "number of rows, where no shape is given", "1", None, examples=[4]
    )
    shape: Shapes | None = Field(
        None, description="outline, in distances of neighbours; a list: all that is in any of them"
    )

    @model_validator(mode="after")
    def _one_extent(self) -> Self:
        given = [name for name in ("length", "width") if getattr(self, name) is not None]
        if self.shape is None:
            _ = self.cells
        elif given:
            raise KeyedError(f"the shape says how large it is; leave {given[0]} out", given[0])
        else:
            with at_key("shape"):
                _ = self.columns
        return self

    @property
    def cells(self) -> tuple[int, ...]:
        """Number of columns and rows, where no shape is given."""
        if self.length is None or self.width is None:
            name = "length" if self.length is None else "width"
            raise KeyedError(f"{name} is missing: give length and width, or a shape", name)
        return self.length, self.width

    @property
    def sites(self) -> int:
        """Number of sites."""
        return super().sites if self.shape is None else len(self.columns[0])

    @property
    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of the sites and their columns, see `Crystal`."""
        if self.shape is None:
            return super().columns
        few = np.moveaxis(np.indices((4, 4)), 0, -1)
        every = (self.origin(few)[..., None, :] + self.basis).reshape(-1, 2) % self.period
        motif = tuple(map(tuple, np.unique(every, axis=0).tolist()))
        shapes = self.shape if isinstance(self.shape, tuple) else (self.shape,)
        places = points_inside(shapes, self.unit, self.period, motif)
        return places, places[:, 0] / self.period[0]


def _shifted(places: np.ndarray, step: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of places, (n, d), whose place a step further is there, and of these."""
    low = places.min(axis=0) - np.abs(step)
    extent = places.max(axis=0) + np.abs(step) - low + 1
    keys = np.ravel_multi_index((places - low).T, extent)
    wanted = np.ravel_multi_index((places + step - low).T, extent)
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), keys.size - 1)
    second = order[at]
    first = np.flatnonzero(keys[second] == wanted)
    return first, second[first]
