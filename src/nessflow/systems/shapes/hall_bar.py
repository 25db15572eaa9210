"""Hall bar."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from nessflow.parts import KeyedError, quantity
from nessflow.systems.shapes.rectangle import within
from nessflow.systems.shapes.shape import Shape


class HallBar(Shape):
    """Bar from (1, 1) to (length, width) with arms upwards and downwards.

    Its ends are two of the arms.  Of four there is one in the middle of each long side (``top``,
    ``bottom``), of six there are two, a quarter of the length from the ends (``top-1``, ``top-2``,
    ``bottom-1``, ``bottom-2``).
    """

    kind: Literal["hall-bar"] = "hall-bar"
    length: float = quantity(
        "largest x of the bar, the lowest is 1", "a", ge=1, le=1e5, examples=[14]
    )
    width: float = quantity("largest y of the bar, the lowest is 1", "a", ge=1, le=1e5)
    arms: Literal[4, 6] = Field(6, description="number of arms, the two ends of the bar included")
    arm_width: float = quantity("width of an arm", "a", ge=1, le=1e5)
    arm_length: float = quantity("length of an arm", "a", ge=1, le=1e5)

    @model_validator(mode="after")
    def _arms_are_apart(self) -> Self:
        if (self.arms == 6 and 2 * self.arm_width > self.length) or self.arm_width > self.length:
            raise KeyedError("the arms are wider than the bar is long", "arm_width")
        return self

    @property
    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """What it extends over, see `Shape`."""
        return (1, self.length), (1 - self.arm_length, self.width + self.arm_length)

    def contains(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return whether points are inside, see `Shape`."""
        parts = (0.5,) if self.arms == 4 else (0.25, 0.75)
        # From a whole number, so that arms of whole widths have as many columns.
        starts = [np.floor(0.5 + part * self.length - 0.5 * (self.arm_width - 1)) for part in parts]
        arms = [within(x, start, start + self.arm_width - 1) for start in starts]
        (_, _), (low, high) = self.box
        bar = within(x, 1, self.length) & within(y, 1, self.width)
        return bar | (np.any(arms, axis=0) & within(y, low, high))
