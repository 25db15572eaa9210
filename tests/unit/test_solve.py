import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import fake_study as fake
from fake_study import AXES, SITES, numbers, outcome_of, study_of
from nessflow.config.grid import Ensemble
from nessflow.config.study import Block
from nessflow.run import solve as solver
from nessflow.run.retry import release_failures
from nessflow.run.solve import Counts, interrupts, one_line, partial_path, span
from nessflow.store.files import StoreError
from nessflow.store.status import PENDING, STATUS_MEANINGS
from nessflow.store.store import read_dataset
from nessflow.studies.kind import Status

FLAT = study_of(axes=(numbers("V", [0.1, 0.2, 0.5]),), ensemble=None)


def read_block(study, folder, number=0):
    block = study.blocks[number]
    return read_dataset(folder / "blocks" / block.path)


def test_a_block_lies_as_the_contract_says(tmp_path):
    study = study_of()
    counts = fake.solve(study, tmp_path)
    assert counts == [Counts(0, 24, 0), Counts(0, 12, 0)] * 2
    block = read_block(study, tmp_path)
    assert block["current"].dims == ("V", "monitored", "sample", "terminal")
    assert block["net_current"].dims == block["status"].dims == ("V", "monitored", "sample")
    assert block["V"].values.tolist() == [0.1, 0.2, 0.5]
    assert block["monitored"].values.tolist() == ["first", "third"]
    assert block["sample"].values.tolist() == [0, 1, 2, 3]
    assert block["mu"].ndim == 0
    assert block["mu"].item() == 0
    assert block["status"].dtype == np.int8
    assert block["V"].attrs == {
        "units": "1",
        "natural_units": "t",
        "long_name": "axis V",
        "coverage_content_type": "coordinate",
    }
    assert block.attrs["block_identity"] == "fake/mu~0/seeds~00000-00003.nc"
    assert "walltime" not in block


def test_status_numbers_are_those_of_the_kinds():
    assert [status.name.lower() for status in Status] == list(STATUS_MEANINGS)
    assert [status.value for status in Status] == list(range(len(STATUS_MEANINGS)))
    assert PENDING not in [status.value for status in Status]


def test_a_sample_depends_on_its_labels_and_number_alone(tmp_path):
    reference = study_of()
    fake.solve(reference, tmp_path / "a")
    axes = (numbers("mu", [1.5], outer=True), AXES[2], numbers("V", [7, 0.2]))
    other = study_of(axes=axes, ensemble=Ensemble(3, 2, 1))
    fake.solve(other, tmp_path / "b")
    pick = {"V": 0.2, "monitored": "third", "sample": 2}
    expected = read_block(reference, tmp_path / "a", 2).sel(pick)
    found = read_block(other, tmp_path / "b", 1).sel(pick)
    np.testing.assert_array_equal(found["current"].values, expected["current"].values)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no\nsuch  value"), "ValueError: no such value"),
        (SystemExit(3), "SystemExit: 3"),
        (MemoryError(), "MemoryError: "),
        (RecursionError("deep"), "RecursionError: deep"),
        (ValueError("x" * 1000), "ValueError: xxx"),
        (ValueError("\x00\ud800"), "ValueError: ??"),
    ],
)
def test_one_bad_point_stops_no_other(tmp_path, error, message):
    def evaluate(parameters, rng):
        if parameters.V == 0.2:
            raise error
        return outcome_of(parameters, rng)

    lines = []
    counts = fake.solve(FLAT, tmp_path, fake.kind_of(evaluate), progress=lines.append)
    assert counts == [Counts(0, 3, 1)]
    block = read_block(FLAT, tmp_path)
    assert block["status"].values.tolist() == [0, 2, 0]
    assert block["message"].values[1].startswith(message.strip())
    assert len(block["message"].values[1]) <= 300
    assert np.isnan(block["net_current"].values[1])
    assert block["net_current"].values[2] == 0.25
    assert "Traceback" in "\n".join(lines)


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"status": Status.NOT_CONVERGED, "message": "error 1e-3"}, 1, "error 1e-3"),
        ({"status": Status.SUSPECT, "message": "noise < 0"}, 4, "noise < 0"),
        ({"notes": {}}, 4, "not finite, and no reason given: affinity"),
        ({"values": {"current": np.ones(2)}}, 2, "the kind returned no current_error"),
    ],
)
def test_the_outcome_of_a_point_is_kept(tmp_path, changes, status, message):
    kind = fake.kind_of(lambda p, rng: outcome_of(p, rng, **changes))
    fake.solve(FLAT, tmp_path, kind, progress=lambda line: None)
    block = read_block(FLAT, tmp_path)
    assert block["status"].values.tolist() == [status] * 3
    assert message in block["message"].values[0]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_number_that_is_not_finite_needs_a_reason(tmp_path, bad):
    def evaluate(parameters, rng):
        values = {**outcome_of(parameters, rng).values, "net_current": bad}
        return outcome_of(parameters, rng, values=values)

    fake.solve(FLAT, tmp_path, fake.kind_of(evaluate))
    block = read_block(FLAT, tmp_path)
    assert block["status"].values.tolist() == [4] * 3
    assert "net_current" in block["message"].values[0]


def test_a_value_of_another_shape_is_a_failure(tmp_path):
    def evaluate(parameters, rng):
        values = {**outcome_of(parameters, rng).values, "net_current": np.ones(2)}
        return outcome_of(parameters, rng, values=values)

    fake.solve(FLAT, tmp_path, fake.kind_of(evaluate), progress=lambda line: None)
    assert "has the shape (2,), not ()" in read_block(FLAT, tmp_path)["message"].values[0]


# Points that are there already


def reused(study, folder, **options):
    """Solve again; return the counts summed over blocks and the points that were evaluated."""
    calls = []
    counts = fake.solve(study, folder, fake.kind_of(calls=calls), **options)
    assert len(calls) == sum(c.computed for c in counts)
    return sum(c.reused for c in counts), sum(c.computed for c in counts)


def test_a_second_run_computes_nothing_and_writes_the_same_bytes(tmp_path):
    study = study_of()
    fake.solve(study, tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.nc")}
    assert reused(study, tmp_path) == (72, 0)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.nc")} == before


def same_as_one_shot(study, folder, tmp_path):
    fake.solve(study, tmp_path / "one-shot")
    for block in study.blocks:
        grown = (folder / "blocks" / block.path).read_bytes()
        assert grown == (tmp_path / "one-shot" / "blocks" / block.path).read_bytes()


def test_a_longer_inner_axis_computes_the_new_points_alone(tmp_path):
    fake.solve(study_of(), tmp_path / "a")
    axes = (numbers("V", [0.05, 0.1, 0.5, 0.3, 0.2]), *AXES[1:])
    study = study_of(axes=axes)
    assert reused(study, tmp_path / "a") == (72, 48)
    same_as_one_shot(study, tmp_path / "a", tmp_path)


def test_more_samples_compute_the_new_samples_alone(tmp_path):
    axes = (AXES[0],)
    fake.solve(study_of(axes, Ensemble(10, 50, 1)), tmp_path / "a")
    study = study_of(axes, Ensemble(30, 50, 1))
    assert reused(study, tmp_path / "a") == (30, 60)
    study = study_of(axes, Ensemble(100, 30, 1))
    assert reused(study, tmp_path / "a") == (90, 210)
    same_as_one_shot(study, tmp_path / "a", tmp_path)


@pytest.mark.parametrize(
    ("changes", "digest"),
    [
        ({}, "another-digest"),
        ({"ensemble": Ensemble(6, 4, 2)}, fake.DIGEST),
        ({"template": {"V": "$V", "mu": 0.5}}, fake.DIGEST),
    ],
)
def test_points_of_other_source_parameters_or_seed_are_not_reused(tmp_path, changes, digest):
    fake.solve(study_of(), tmp_path)
    assert reused(study_of(**changes), tmp_path, digest=digest) == (0, 72)


def test_points_of_a_renamed_study_are_reused(tmp_path):
    fake.solve(study_of(), tmp_path)
    assert reused(study_of(name="renamed"), tmp_path) == (72, 0)


def test_new_and_changed_inner_cases_compute_their_points_alone(tmp_path):
    fake.solve(study_of(), tmp_path / "a")
    cases = {"third": {"site": 3.0}, "second": {"site": 2}, "first": {"site": 4}}
    monitored = fake.dataclasses.replace(AXES[2], labels=tuple(cases), cases=cases)
    study = study_of(axes=(*AXES[:2], monitored))
    with pytest.raises(StoreError, match="points are missing"):
        fake.gather(study, tmp_path / "a")
    calls = []
    fake.solve(study, tmp_path / "a", fake.kind_of(calls=calls))
    assert len(calls) == 72
    assert {parameters.site for parameters in calls} == {2, 4}
    same_as_one_shot(study, tmp_path / "a", tmp_path)
    without = fake.dataclasses.replace(SITES, labels=("third",), cases={"third": {"site": 3}})
    assert reused(study_of(axes=(*AXES[:2], without)), tmp_path / "a") == (36, 0)


def test_failed_points_are_kept_unless_asked_otherwise(tmp_path):
    bad = fake.kind_of(lambda p, rng: outcome_of(p, rng, status=Status(int(p.V == 0.2))))
    fake.solve(FLAT, tmp_path, bad)
    assert reused(FLAT, tmp_path) == (3, 0)
    assert read_block(FLAT, tmp_path)["status"].values.tolist() == [0, 1, 0]
    (tmp_path / ".current").mkdir()
    assert release_failures(tmp_path) == 1
    assert not (tmp_path / ".current").exists()
    assert release_failures(tmp_path) == 0
    assert reused(FLAT, tmp_path) == (2, 1)
    same_as_one_shot(FLAT, tmp_path, tmp_path)


def test_failed_points_beside_an_interrupted_run_cost_none_of_its_points(tmp_path):
    bad = fake.kind_of(lambda p, rng: outcome_of(p, rng, status=Status(int(p.V == 0.2))))
    fake.solve(FLAT, tmp_path, bad)
    path = tmp_path / "blocks" / "points.nc"
    fake.solve(study_of(axes=(numbers("V", [0.5, 0.7]),), ensemble=None), tmp_path / "other")
    (tmp_path / "other" / "blocks" / "points.nc").rename(partial_path(path))
    assert release_failures(tmp_path) == 1
    longer = study_of(axes=(numbers("V", [0.1, 0.2, 0.5, 0.7]),), ensemble=None)
    assert reused(longer, tmp_path) == (3, 1)
    same_as_one_shot(longer, tmp_path, tmp_path)


def test_failures_in_files_of_other_ranges_of_samples_are_not_taken_over_again(tmp_path):
    bad = fake.kind_of(lambda p, rng: outcome_of(p, rng, status=Status(int(p.V == 0.2))))
    axes = (AXES[0],)
    fake.solve(study_of(axes, Ensemble(6, 6, 1)), tmp_path, bad)
    study = study_of(axes, Ensemble(6, 2, 1))
    assert reused(study, tmp_path) == (18, 0)
    release_failures(tmp_path)
    assert reused(study, tmp_path) == (12, 6)


def test_a_point_that_takes_too_long_is_stopped(tmp_path):
    def slow(parameters, rng):
        if parameters.V == 0.2:
            while True:
                time.sleep(0.01)
        return outcome_of(parameters, rng)

    study = dataclasses.replace(FLAT, time_limit=0.2)
    (counts,) = fake.solve(study, tmp_path, fake.kind_of(slow))
    assert counts.failed == 1
    block = read_block(study, tmp_path)
    assert block["status"].values.tolist() == [0, Status.TIME_LIMIT, 0]
    assert block["message"].values[1] == "longer than time_limit = 0.2 s"
    assert np.isnan(block["net_current"].values[1])
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert reused(FLAT, tmp_path) == (3, 0)
    release_failures(tmp_path)
    assert reused(FLAT, tmp_path) == (2, 1)
    same_as_one_shot(FLAT, tmp_path, tmp_path)


def test_a_limit_that_is_not_reached_changes_nothing(tmp_path):
    fake.solve(dataclasses.replace(FLAT, time_limit=60.0), tmp_path)
    same_as_one_shot(FLAT, tmp_path, tmp_path)


def test_a_damaged_file_is_set_aside_and_computed_anew(tmp_path):
    fake.solve(FLAT, tmp_path)
    path = tmp_path / "blocks" / "points.nc"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    lines = []
    fake.solve(FLAT, tmp_path, progress=lines.append)
    assert path.read_bytes() == whole
    assert path.with_name("points.nc.damaged").read_bytes() == whole[:-1]
    assert "points.nc" in lines[0]


def test_swapped_block_files_are_not_reused(tmp_path):
    study = study_of()
    fake.solve(study, tmp_path)
    first, second = (tmp_path / "blocks" / f"mu~{mu}/seeds~00000-00003.nc" for mu in ("0", "1.5"))
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    assert reused(study, tmp_path) == (24, 48)
    assert (first.read_bytes(), second.read_bytes()) == content


# Long blocks


def test_finished_points_are_flushed_and_the_partial_file_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(solver, "FLUSH_SECONDS", -1.0)
    path = tmp_path / "blocks" / "points.nc"
    seen = []

    def evaluate(parameters, rng):
        if partial_path(path).exists():
            seen.append(int((read_dataset(partial_path(path))["status"] != PENDING).sum()))
        return outcome_of(parameters, rng)

    fake.solve(FLAT, tmp_path, fake.kind_of(evaluate))
    assert seen == [1, 2]
    assert not partial_path(path).exists()
    assert (read_block(FLAT, tmp_path)["status"] == 0).all()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_keeps_the_finished_points(tmp_path, signum, code):
    def evaluate(parameters, rng):
        if parameters.V == 0.5:
            os.kill(os.getpid(), signum)
            time.sleep(10)
        return outcome_of(parameters, rng)

    before = signal.getsignal(signum)
    with pytest.raises(SystemExit) as exit_:
        fake.solve(FLAT, tmp_path, fake.kind_of(evaluate))
    assert exit_.value.code == code
    assert signal.getsignal(signum) is before
    path = tmp_path / "blocks" / "points.nc"
    assert not path.exists()
    assert read_dataset(partial_path(path))["status"].values.tolist() == [0, 0, PENDING]
    assert reused(FLAT, tmp_path) == (2, 1)
    same_as_one_shot(FLAT, tmp_path, tmp_path)


def test_a_second_signal_does_not_cut_the_flush_short():
    flushed = []

    def interrupted_twice():
        with interrupts():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                flushed.append(True)

    with pytest.raises(solver.Interrupted):
        interrupted_twice()
    assert flushed == [True]


def test_a_kill_keeps_what_was_flushed(tmp_path):
    script = (
        "import os\n"
        "from pathlib import Path\n"
        "import fake_study as fake\n"
        "from nessflow.run import solve\n"
        "solve.FLUSH_SECONDS = -1.0\n"
        "def evaluate(p, rng):\n"
        "    if p.V == 0.5: os.kill(os.getpid(), 9)\n"
        "    return fake.outcome_of(p, rng)\n"
        "study = fake.study_of(axes=fake.AXES[:1], ensemble=None)\n"
        f"fake.solve(study, Path({str(tmp_path)!r}), fake.kind_of(evaluate))\n"
    )
    paths = os.pathsep.join(["src", "tests"])
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == -signal.SIGKILL
    assert reused(FLAT, tmp_path) == (2, 1)
    same_as_one_shot(FLAT, tmp_path, tmp_path)


def test_progress_says_how_far_and_how_long(monkeypatch):
    monkeypatch.setattr(solver, "FIRST_LINE_SECONDS", -1.0)
    report = solver._Progress("study mu~0", points=20, waiting=10)
    now = time.monotonic()
    assert report.line(now, 3000.0, 1) == "study mu~0: 11 of 20 points (55 %)"
    assert report.line(now + 1, 30.0, 1) == ""
    assert report.line(now + 11, 30.0, 1) == "study mu~0: 13 of 20 points (65 %), about 4 min left"
    assert report.line(now + 22, 30.0, 4) == "study mu~0: 17 of 20 points (85 %), about 2 min left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "about 0 s"), (80, "about 80 s"), (100, "about 2 min"), (9000, "about 2 h")],
)
def test_spans(seconds, text):
    assert span(seconds) == text


def test_a_message_fits_in_a_table():
    assert one_line("a\tb\n c") == "a b c"


def test_a_study_without_axes_is_one_point(tmp_path):
    study = study_of(axes=(), ensemble=None, template={"V": 0.5})
    assert fake.solve(study, tmp_path) == [Counts(0, 1, 0)]
    assert reused(study, tmp_path) == (1, 0)
    block = read_block(study, tmp_path)
    assert block["net_current"].item() == 0.25
    assert isinstance(block, xr.Dataset)
    assert study.blocks == [Block(study, {}, None)]


# Points evaluated together


def kind_of_many(calls, evaluate_many=None):
    kind = fake.kind_of(calls=calls)
    kind.batches = []

    def together(parameters, rngs):
        kind.batches.append(len(parameters))
        return [outcome_of(p, rng) for p, rng in zip(parameters, rngs, strict=True)]

    kind.evaluate_many = evaluate_many or together
    return kind


@pytest.mark.parametrize("ensemble", [None, Ensemble(3, 2, 1)])
def test_points_evaluated_together_give_the_same_bytes(tmp_path, monkeypatch, ensemble):
    """The first of each block is evaluated alone, which tells how many take how long."""
    monkeypatch.setattr(solver, "_TOGETHER", 3)
    study = study_of(axes=AXES, ensemble=ensemble)
    calls = []
    kind = kind_of_many(calls)
    fake.solve(study, tmp_path / "together", kind)
    assert len(calls) == (2 if ensemble is None else 4)
    assert sum(kind.batches) == (10 if ensemble is None else 32)
    assert max(kind.batches) == 3
    fake.solve(study, tmp_path / "alone")
    for path in (tmp_path / "alone").rglob("*.nc"):
        other = tmp_path / "together" / path.relative_to(tmp_path / "alone")
        assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "evaluate_many",
    [lambda *_: 1 / 0, lambda *_: [], lambda *_: [None]],
)
def test_where_many_fail_each_is_evaluated_alone(tmp_path, evaluate_many):
    calls = []
    assert fake.solve(FLAT, tmp_path, kind_of_many(calls, evaluate_many)) == [Counts(0, 3, 0)]
    assert len(calls) == 3


def test_parameters_of_points_evaluated_together_are_made_once(tmp_path, monkeypatch):
    made, make = [], solver.parameters_of
    monkeypatch.setattr(solver, "parameters_of", lambda *args: made.append(args) or make(*args))
    fake.solve(FLAT, tmp_path, kind_of_many([]))
    assert len(made) == 3


def test_slow_points_are_evaluated_alone(tmp_path, monkeypatch):
    """A signal loses what is evaluated together, and progress waits for it."""
    monkeypatch.setattr(solver, "_SECONDS_TOGETHER", 0.0)
    calls = []
    kind = kind_of_many(calls)
    fake.solve(FLAT, tmp_path, kind)
    assert kind.batches == []
    assert len(calls) == 3


def test_points_with_a_time_limit_are_evaluated_alone(tmp_path):
    calls = []
    kind = kind_of_many(calls)
    fake.solve(study_of(axes=AXES[:1], ensemble=None, time_limit=100.0), tmp_path, kind)
    assert kind.batches == []
    assert len(calls) == 3
