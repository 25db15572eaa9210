"""A label is the value; seeds and samples depend on nothing but the point."""

import itertools
import math
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_study import study_of
from nessflow.config.grid import (
    Axis,
    Ensemble,
    canonical_json,
    label_of,
    point_count,
    points_of,
    seed_entropy,
)
from nessflow.config.study import Block

FINITE = st.floats(allow_nan=False, allow_infinity=False)
CASES = {"first": {}, "second": {}}


def draws(root: int, labels: dict[str, str], sample: int, *, independent: bool = True) -> bytes:
    entropy = seed_entropy(Ensemble(1, 1, root, independent), labels, sample)
    return np.random.default_rng(np.random.SeedSequence(entropy)).random(4).tobytes()


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.1 + 0.2, 0.3), (-0.0, 0.0), (1, 1.0), (1e-6, 0.000001), (1e3, 1000), (2 / 3 * 3, 2)],
)
def test_equal_values_are_one_point(one, other):
    assert label_of(one) == label_of(other)


@pytest.mark.parametrize(
    ("value", "label"), [(1e-6, "1e-06"), (-0.0, "0"), (1.0, "1"), (0.3, "0.3")]
)
def test_labels_are_readable(value, label):
    assert label_of(value) == label


@given(FINITE)
def test_a_label_stands_for_itself(value):
    label = label_of(value)
    assert label_of(float(label)) == label
    assert math.isclose(float(label), value, rel_tol=1e-11) or abs(value) > 1e308


@given(st.integers(-(10**11), 10**11), st.integers(-(10**11), 10**11))
def test_twelve_digits_are_told_apart(one, other):
    assert (label_of(one / 1e5) == label_of(other / 1e5)) == (one == other)


@given(st.lists(FINITE, min_size=2, max_size=6), st.integers(0, 2**63), st.integers(0, 10**6))
def test_seeds_do_not_depend_on_the_order_of_axes(values, root, sample):
    labels = {f"axis_{i}": label_of(v) for i, v in enumerate(values)}
    turned = dict(reversed(labels.items()))
    for independent in (False, True):
        of = Ensemble(1, 1, root, independent)
        assert seed_entropy(of, labels, sample) == seed_entropy(of, turned, sample)


def test_seeds_differ_between_roots_points_and_samples():
    points = [{"V": a, "mu": b} for a, b in itertools.product(("0.1", "0.2"), repeat=2)]
    found = {
        draws(root, labels, sample) for root in (0, 1) for labels in points for sample in range(50)
    }
    assert len(found) == 2 * 4 * 50


def test_seeds_are_those_of_the_first_release():
    # Data of earlier versions stay reproducible only as long as these numbers do.
    of = Ensemble(1, 1, 1, independent=True)
    assert seed_entropy(of, {"V": "0.5"}, 3) == [1, 117421846591785618083699594821456164272, 3]


def test_a_sample_is_one_draw_at_every_point_unless_told():
    points = [{"V": a, "mu": b} for a, b in itertools.product(("0.1", "0.2"), repeat=2)]
    points += [{"V": "0.1"}, {}]
    found = {
        draws(root, labels, sample, independent=False)
        for root in (0, 1, 2**32, 2**40 + 1)
        for labels in points
        for sample in range(50)
    }
    assert len(found) == 4 * 50


@pytest.mark.parametrize("samples", [1, 9, 10, 50, 199, 200])
def test_samples_do_not_depend_on_the_block_size(samples):
    axes = (Axis("mu", True, ("0.1", "0.2")), Axis("V", False, ("1", "2")))

    def all_draws(per_block: int) -> dict:
        return {
            (point["mu"], point["V"], sample): draws(7, point, sample)
            for block in study_of(axes, Ensemble(samples, per_block, 7)).blocks
            for point in points_of(axes)
            if point.items() >= block.outer.items()
            for sample in block.samples
        }

    small = all_draws(10)
    assert small == all_draws(50)
    assert len(small) == 4 * samples == point_count(axes, Ensemble(samples, 10, 7))


def test_more_samples_keep_the_blocks_there_are():
    axes = (Axis("mu", True, ("0.1",)),)
    few = [block.path for block in study_of(axes, Ensemble(100, 50, 1)).blocks]
    assert [block.path for block in study_of(axes, Ensemble(200, 50, 1)).blocks][:2] == few


@given(
    st.lists(FINITE.map(label_of), min_size=1, max_size=4, unique=True),
    st.sampled_from(sorted(CASES)),
    st.integers(0, 10**6),
    st.integers(1, 1000),
)
def test_a_path_says_what_its_block_holds(labels, case, start, count):
    outer = {f"a{i}": label for i, label in enumerate(labels)} | {"monitored": case}
    path = PurePosixPath(Block(study_of(), outer, range(start, start + count)).path)
    assert dict(part.split("~") for part in path.parent.parts) == outer
    first, last = path.stem.removeprefix("seeds~").split("-")
    assert range(int(first), int(last) + 1) == range(start, start + count)


def test_paths_of_different_blocks_differ():
    axes = (
        Axis("mu", True, tuple(label_of(v) for v in np.linspace(-1, 1, 101))),
        Axis("monitored", True, tuple(CASES), cases=CASES),
        Axis("V", False, ("1", "2")),
    )
    paths = [block.path for block in study_of(axes, Ensemble(30, 10, 0)).blocks]
    assert len(set(paths)) == len(paths) == 101 * 2 * 3


def test_no_ensemble_is_one_block_without_samples():
    (block,) = study_of((Axis("V", False, ("1", "2")),), None).blocks
    assert str(block.path) == "points.nc"
    assert block.samples is None


def test_points_run_with_the_last_axis_fastest():
    axes = (Axis("a", True, ("1", "2")), Axis("b", False, ("3", "4")))
    assert [tuple(p.values()) for p in points_of(axes)] == [
        ("1", "3"),
        ("1", "4"),
        ("2", "3"),
        ("2", "4"),
    ]


def test_values_of_cases_are_their_names():
    axis = Axis("monitored", False, tuple(CASES), cases=CASES)
    assert axis.values == ["first", "second"]
    assert Axis("V", False, ("0.3", "1e-06")).values == [0.3, 1e-6]


def test_canonical_json_knows_no_order_and_no_nan():
    assert canonical_json({"b": 1, "a": 0.1}) == canonical_json({"a": 0.1, "b": 1})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": math.nan})
