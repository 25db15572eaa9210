"""Evenly spaced numbers as parameters."""

import numpy as np
from pydantic import Field, model_validator

from nessflow.parts import KeyedError, Strict, quantity


class Grid(Strict):
    """Evenly spaced numbers, start and stop given by a subclass."""

    points: int = Field(401, ge=2, le=100_000, description="number of points")

    @model_validator(mode="after")
    def _ascending(self):
        if not self.start < self.stop:
            raise KeyedError(f"start {self.start:g} is not below stop {self.stop:g}", "stop")
        return self

    def values(self) -> np.ndarray:
        """Return the numbers, (points,)."""
        return np.linspace(self.start, self.stop, self.points)


class EnergyGrid(Grid):
    """Evenly spaced energies."""

    start: float = quantity("first energy", "t")
    stop: float = quantity("last energy", "t")
    points: int = Field(description="number of energies", ge=2, le=100_000)
