"""Disorder with a correlation length."""

from itertools import product
from typing import Any, Literal

import numpy as np

from nessflow.parts import quantity
from nessflow.systems.disorder.disorder import Additive

_REACH = 6.0
"""Distance, over the length, beyond which noise adds less than rounding: exp(-36) = 2e-16."""


class Correlated(Additive):
    """Numbers of a normal distribution around 0 whose correlations fall with the distance r.

    ``<V_i V_j> = standard_deviation^2 exp(-r^2 / (2 length^2))``: in d dimensions the spectral
    density at the wave number q is ``standard_deviation^2 (2 pi length^2)^(d/2)
    exp(-(q length)^2 / 2)``.  White noise on a grid is smeared with ``exp(-r^2 / length^2)``, so
    that a length far below the distance of sites leaves independent numbers of that deviation.
    """

    kind: Literal["correlated"] = "correlated"
    standard_deviation: float = quantity("standard deviation of the disorder", "t", ge=0)
    length: float = quantity("correlation length, in lattice constants", "1", gt=0)

    def draw(self, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the numbers of one sample, see `Disorder`; O(n length^d)."""
        reach = int(np.ceil(_REACH * self.length))
        nearest = np.rint(positions).astype(int)
        low, high = nearest.min(axis=0) - reach, nearest.max(axis=0) + reach
        noise = _noise(low, high, rng)
        total, squares = np.zeros((2, len(positions)))
        for step in product(range(-reach, reach + 1), repeat=positions.shape[1]):
            if np.dot(step, step) > (reach + 1) ** 2:
                continue
            cell = nearest + np.array(step)
            weight = np.exp(-np.sum((positions - cell) ** 2, axis=1) / self.length**2)
            total += weight * noise[tuple((cell - low).T)]
            squares += weight**2
        return self.standard_deviation * total / np.sqrt(squares)


def _noise(low: np.ndarray, high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return independent normal numbers on a grid, from ``low`` to ``high``.

    Each line along the first axis has a stream for 1, 2, ... and one for 0, -1, ..., so that the
    number at a place depends on nothing but the place.
    """
    seed: Any = rng.bit_generator.seed_seq
    result = np.empty(tuple(high - low + 1))
    after, before = max(int(high[0]), 0), max(1 - int(low[0]), 0)
    for line in product(*map(range, low[1:].tolist(), (high[1:] + 1).tolist())):
        numbers = []
        for side, count in enumerate((before, after)):
            key = (*seed.spawn_key, side, *(2 * k if k >= 0 else -2 * k - 1 for k in line))
            own = np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))
            numbers.append(own.standard_normal(count))
        whole = np.concatenate([numbers[0][::-1], numbers[1]])
        first = int(low[0]) - (1 - before)
        place = (slice(None), *(k - start for k, start in zip(line, low[1:], strict=True)))
        result[place] = whole[first : first + result.shape[0]]
    return result
