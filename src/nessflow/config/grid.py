"""Axes, points, blocks, paths and seeds of a study.

A label *is* the value: ``f"{x:.12g}"``, and ``float(label)`` is the number that every
solver, seed and coordinate sees, so that 0.1 + 0.2 and 0.3 are one point.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Labels = Mapping[str, str]


def label_of(value: float | str) -> str:
    """Return the label of an axis value; a string (the name of a case) is its own label."""
    if isinstance(value, str):
        return value
    return f"{value + 0.0:.12g}"


@dataclass(frozen=True)
class Axis:
    """One swept parameter.

    ``cases`` maps a label to the parameters it overrides (dotted key -> value) when the axis
    runs over named cases; it is None for an axis of numbers.
    """

    name: str
    outer: bool
    labels: tuple[str, ...]
    natural_units: str = "1"
    long_name: str = ""
    cases: Mapping[str, Mapping[str, Any]] | None = None

    def value(self, label: str) -> float | str:
        """Return what the label stands for: a float, or the name of a case."""
        return float(label) if self.cases is None else label

    @property
    def values(self) -> list[float | str]:
        """Return the value of every label, in order."""
        return [self.value(label) for label in self.labels]


@dataclass(frozen=True)
class Ensemble:
    """Samples of what is random, in blocks of ``per_block``, from one root seed.

    A sample is one draw, the same at every point of the study, unless ``independent``.
    """

    samples: int
    per_block: int
    seed: int
    independent: bool = False


def points_of(axes: Sequence[Axis]) -> Iterator[dict[str, str]]:
    """Yield the labels of each combination of axis values, the last axis fastest."""
    for labels in itertools.product(*(axis.labels for axis in axes)):
        yield dict(zip((axis.name for axis in axes), labels, strict=True))


def point_count(axes: Sequence[Axis], ensemble: Ensemble | None) -> int:
    """Return the number of points, samples included."""
    return math.prod(len(axis.labels) for axis in axes) * (ensemble.samples if ensemble else 1)


def block_count(axes: Sequence[Axis], ensemble: Ensemble | None) -> int:
    """Return the number of blocks, without making a list of them."""
    outer = math.prod(len(axis.labels) for axis in axes if axis.outer)
    return outer * (-(-ensemble.samples // ensemble.per_block) if ensemble else 1)


def canonical_json(value: object) -> str:
    """Return the one JSON text of ``value``: keys sorted, no spaces, shortest floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seed_entropy(ensemble: Ensemble, labels: Labels, sample: int) -> list[int]:
    """Return the entropy for ``numpy.random.SeedSequence`` of one sample of one point.

    It depends on the root seed, the sample number and, where points are independent, the labels
    of the point: not on the order of the grid, the size of the blocks or the number of cores.
    """
    own = dict(labels) if ensemble.independent else {}
    digest = hashlib.sha256(canonical_json(own).encode()).digest()
    return [ensemble.seed, int.from_bytes(digest[:16], "little"), sample]


def generator(ensemble: Ensemble, labels: Labels, sample: int) -> np.random.Generator:
    """Return the random generator of one sample of one point."""
    return np.random.default_rng(np.random.SeedSequence(seed_entropy(ensemble, labels, sample)))
