"""What a run would cost, and how many blocks make a job on a cluster."""

import pytest

import fake_study as fake
from nessflow.config.grid import Ensemble
from nessflow.run.plan import Plan, blocks_per_job, plan_study, plan_table


def plan_of(waiting, seconds):
    return Plan("fake", 10, 0, waiting, waiting, 0, seconds)


def test_blocks_make_jobs_of_ten_minutes():
    assert blocks_per_job([plan_of(100, (500.0, 1500.0))]) == 60
    assert blocks_per_job([plan_of(100, (1e5, 1e6))]) == 1
    # All there are, where these take less.
    assert blocks_per_job([plan_of(7, (7.0, 7.0))]) == 7
    # Several studies share jobs; one without anything to run does not count.
    both = [plan_of(30, (900.0, 900.0)), plan_of(10, (3100.0, 3100.0)), plan_of(0, None)]
    assert blocks_per_job(both) == 6
    assert blocks_per_job([plan_of(3, None), plan_of(5, (1.0, 1.0))]) is None
    assert blocks_per_job([plan_of(0, None)]) is None


@pytest.mark.parametrize("ensemble", [None, Ensemble(6, 4, 1)])
def test_a_probe_evaluates_the_first_and_the_last_point(tmp_path, ensemble):
    calls = []
    study = fake.study_of(ensemble=ensemble, kind=fake.kind_of(calls=calls))
    plan = plan_study(study, tmp_path, probe=True)
    assert {(point.V, point.mu, point.site) for point in calls} == {(0.1, 0, 1), (0.5, 1.5, 3)}
    low, high = plan.seconds
    assert 3 * plan.waiting <= low <= high
    assert "not measured" not in plan_table([plan])
    assert not list(tmp_path.rglob("*.nc"))


def test_a_probe_leaves_alone_what_is_measured_or_done(tmp_path):
    calls = []
    study = fake.study_of(kind=fake.kind_of(calls=calls))
    fake.solve(study, tmp_path, fake.kind_of())
    plan = plan_study(study, tmp_path, probe=True)
    assert (plan.reused, plan.waiting, plan.seconds, calls) == (plan.points, 0, None, [])


def test_a_table_has_times_in_plain_digits():
    assert "100 to 150 s" in plan_table([plan_of(4, (102.0, 151.0))])
    assert "0.25 to 2.6 s" in plan_table([plan_of(4, (0.25, 2.61))])
