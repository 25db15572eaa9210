"""Ring: a disc with a hole."""

from typing import Literal, Self

import numpy as np
from pydantic import model_validator

from nessflow.parts import KeyedError, quantity
from nessflow.systems.shapes.shape import TOUCHING, Shape


class Ring(Shape):
    """Ring around (0, 0), between two circles."""

    kind: Literal["ring"] = "ring"
    inner_radius: float = quantity("radius of the hole", "a", gt=0, le=1e5)
    outer_radius: float = quantity("radius", "a", gt=0, le=1e5)

    @model_validator(mode="after")
    def _hole_is_smaller(self) -> Self:
        if self.inner_radius > self.outer_radius:
            raise KeyedError("the hole is larger than the ring", "inner_radius")
        return self

    @property
    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What it extends over, see `Shape`."""
        return (-self.outer_radius, self.outer_radius), (-self.outer_radius, self.outer_radius)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return whether points are inside, see `Shape`."""
        r = np.hypot(x, y)
        return (self.inner_radius - TOUCHING <= r) & (r <= self.outer_radius + TOUCHING)
