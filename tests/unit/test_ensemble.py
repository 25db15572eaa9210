import math

import numpy as np
import pytest
import xarray as xr

from nessflow.run.ensemble import (
    mean_and_sem,
    pairwise_sum,
    power_law,
    squared_units,
    with_fits,
    with_statistics,
)
from nessflow.store.layout import described, status_variable

RNG = np.random.default_rng(7)


def ensemble(values, status=None, **more):
    """A dataset of ``values[V, sample]``."""
    values = np.asarray(values, dtype=float)
    dims = ("V", "sample")
    status = np.zeros(values.shape, np.int8) if status is None else np.asarray(status, np.int8)
    return xr.Dataset(
        {
            "current": described(dims, values, "t/hbar", "current"),
            "current_error": described(dims, np.zeros_like(values), "t/hbar", "its error"),
            "status": status_variable(dims, status),
            "message": described(dims, np.full(values.shape, "", object), "1", "message"),
            **more,
        },
        {
            "V": described(("V",), np.arange(1.0, len(values) + 1), "t", "disorder"),
            "sample": described(("sample",), np.arange(values.shape[1]), "1", "sample"),
        },
    )


@pytest.mark.parametrize("n", [2, 3, 7, 64, 100])
def test_mean_and_standard_error_are_those_of_the_textbook(n):
    values = RNG.normal(3, 2, (4, n))
    mean, sem = mean_and_sem(values, np.ones_like(values, bool), 1)
    np.testing.assert_allclose(mean, values.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(sem, values.std(axis=1, ddof=1) / math.sqrt(n), rtol=1e-13)


def test_a_small_spread_on_a_large_mean_is_not_lost():
    values = 1e9 + np.array([[1.0, 2.0, 3.0, 4.0]])
    _, sem = mean_and_sem(values, np.ones_like(values, bool), 1)
    assert sem[0] == pytest.approx(math.sqrt(5 / 3 / 4), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 100, 1001])
def test_pairwise_sum_is_a_sum_and_more_accurate_than_one_by_one(n):
    values = RNG.standard_normal((n, 3)) * 1e8
    exact = [math.fsum(column) for column in values.T]
    bound = 2e-16 * math.log2(2 * n) * np.abs(values).sum(axis=0)
    assert np.all(np.abs(pairwise_sum(values, 0) - exact) <= bound)
    np.testing.assert_array_equal(pairwise_sum(values.T, 1), pairwise_sum(values, 0))


def test_failed_samples_count_for_nothing():
    values = RNG.normal(size=(2, 6))
    spoilt = values.copy()
    status = np.zeros((2, 6), int)
    for at, (bad, number) in enumerate([(np.nan, 2), (1e6, 1), (np.inf, 4)]):
        spoilt[0, at], status[0, at] = bad, number
    data = with_statistics(ensemble(spoilt, status))
    expected = with_statistics(ensemble(values[:, 3:]))
    assert data["n_samples"].values.tolist() == [3, 6]
    for name in ("current_mean", "current_sem", "current_mean_square", "current_mean_square_sem"):
        assert data[name].values[0] == pytest.approx(expected[name].values[0], rel=1e-14)


def test_units_and_names_of_the_statistics():
    data = with_statistics(ensemble(RNG.normal(size=(2, 4))))
    units = {name: data[name].attrs["natural_units"] for name in data.data_vars}
    assert units["current_mean"] == units["current_sem"] == "t/hbar"
    assert units["current_mean_square"] == units["current_mean_square_sem"] == "(t/hbar)^2"
    assert data["current_mean"].attrs["cell_methods"] == "realization: mean"
    assert "current_error_mean" not in data
    assert "status_mean" not in data
    assert data["n_samples"].dtype == np.int64


@pytest.mark.parametrize(("units", "square"), [("1", "1"), ("t", "t^2"), ("t/hbar", "(t/hbar)^2")])
def test_squared_units(units, square):
    assert squared_units(units) == square


def test_one_sample_has_no_standard_error_and_says_why():
    data = with_statistics(ensemble([[2.0], [3.0]]))
    assert data["current_mean"].values.tolist() == [2, 3]
    assert data["current_sem"].isnull().all()
    assert "fewer than two" in data["current_sem"].attrs["undefined"]
    assert "undefined" not in data["current_mean"].attrs


def test_no_sample_has_no_mean_and_says_why():
    data = with_statistics(ensemble([[2.0, 3.0]], [[2, 2]]))
    assert data["current_mean"].isnull().all()
    assert "no sample" in data["current_mean"].attrs["undefined"]
    assert data["n_samples"].values.tolist() == [0]


# Fits


@pytest.mark.parametrize("exponent", [-1.5, 0.0, 1.91, 2.0])
def test_an_exact_power_law_is_found(exponent):
    x = np.geomspace(0.02, 2, 9)
    p, dp, a, da, chi2, n = power_law(x, 0.3 * x**exponent, np.diag(0.01 * x**exponent) ** 2)
    assert p == pytest.approx(exponent, abs=1e-13)
    assert a == pytest.approx(0.3, rel=1e-13)
    assert chi2 < 1e-20
    assert n == 9
    assert dp > 0
    assert da > 0


def test_errors_of_a_fit_cover_the_truth_as_often_as_they_should():
    x, trials = np.geomspace(0.1, 1, 12), 2000
    sem = 0.02 * x**2
    pulls = []
    for _ in range(trials):
        y = 0.7 * x**2 + sem * RNG.standard_normal(x.size)
        p, dp, a, da, chi2, _ = power_law(x, y, np.diag(sem**2))
        pulls.append([(p - 2) / dp, (a - 0.7) / da, chi2])
    pulls = np.array(pulls)
    np.testing.assert_allclose(pulls[:, :2].mean(axis=0), 0, atol=0.12)
    np.testing.assert_allclose(pulls[:, :2].std(axis=0), 1, atol=0.08)
    assert pulls[:, 2].mean() == pytest.approx(1, abs=0.05)


def test_a_precise_point_weighs_more():
    x = np.array([1.0, 2.0, 4.0])
    y = np.array([1.0, 4.0, 32.0])
    loose = power_law(x, y, np.diag([0.01, 0.01, 100.0]) ** 2)[0]
    assert loose == pytest.approx(2, abs=1e-3)


def test_without_standard_errors_the_scatter_gives_the_error():
    x = np.geomspace(1, 10, 40)
    y = 2 * x**1.5 * np.exp(0.1 * RNG.standard_normal(40))
    p, dp, _, _, chi2, _ = power_law(x, y)
    assert abs(p - 1.5) < 4 * dp
    slope, covariance = np.polyfit(np.log(x), np.log(y), 1, cov="unscaled")
    residual = np.log(y) - np.polyval(slope, np.log(x))
    assert dp == pytest.approx(math.sqrt(covariance[0, 0] * np.sum(residual**2) / 38), rel=1e-10)
    assert np.isnan(chi2)


@pytest.mark.parametrize(
    ("x", "y"),
    [([1.0, 2.0], [1.0, -1.0]), ([1.0, 2.0], [1.0, 0.0]), ([0.0, 1.0], [1.0, 2.0]), ([1.0], [1.0])],
)
def test_an_undefined_fit_is_nan(x, y):
    result = power_law(np.array(x), np.array(y), np.eye(len(x)))
    assert np.isnan(result[:5]).all()


@pytest.mark.parametrize("name", ["mean", "mean_square"])
@pytest.mark.parametrize("shared", [0.7, 1.0])
def test_errors_of_a_fit_know_that_points_have_their_samples_in_common(shared, name):
    """Pulls of many ensembles whose points share a part of their noise, up to all of it."""
    x, samples, trials = np.geomspace(0.1, 1, 8)[:, None], 40, 150
    fit = {"name": "a", "model": "power-law", "x": "V", "y": f"current_{name}", "range": None}
    found = []
    for _ in range(trials):
        noise = math.sqrt(1 - shared**2) * RNG.standard_normal((8, samples))
        noise += shared * RNG.standard_normal(samples)
        data = ensemble(x * (1 + 0.1 * noise)).assign_coords(V=("V", x[:, 0], {"long_name": "V"}))
        result = with_fits(with_statistics(data), [fit])
        names = ("exponent", "exponent_error", "prefactor", "prefactor_error", "chi2_per_dof")
        found.append([float(result[f"a_{key}"]) for key in names])
    p, dp, a, da, chi2 = np.array(found).T
    exponent, prefactor = (1.0, 1.0) if name == "mean" else (2.0, 1.01)
    if shared == 1:
        # One factor for all points: the exponent is exact, the prefactor as noisy as a point.
        assert abs(p - exponent).max() < 1e-12
        assert dp.max() < 1e-8
    else:
        assert np.std((p - exponent) / dp) == pytest.approx(1, abs=0.2)
        assert chi2.mean() == pytest.approx(1, abs=0.2)
    assert np.std((a - prefactor) / da) == pytest.approx(1, abs=0.2)


def test_a_failed_sample_counts_for_no_pair_of_points():
    values = np.arange(1.0, 4.0)[:, None] * (1 + 0.1 * RNG.standard_normal((3, 30)))
    status = np.zeros((3, 30), int)
    status[1, 4], status[2, :2] = 2, 1
    fit = {"name": "a", "model": "power-law", "x": "V", "y": "current_mean", "range": None}
    spoilt = np.where(status == 0, values, 1e9)
    whole, part = (
        with_fits(with_statistics(ensemble(*given)), [fit])
        for given in ((values,), (spoilt, status))
    )
    for key in ("exponent", "exponent_error", "prefactor", "prefactor_error"):
        assert float(part[f"a_{key}"]) == pytest.approx(float(whole[f"a_{key}"]), rel=0.2)


def test_fits_keep_the_other_dimensions_and_their_range():
    x = np.arange(1.0, 9.0)
    values = np.stack([3 * x**2, 5 * x**1.5, -x])
    values[:2, 0] = 1e6  # out of range
    data = xr.Dataset(
        {"y": described(("mu", "V"), values, "t/hbar", "current")},
        {
            "V": described(("V",), x, "t", "disorder"),
            "mu": described(("mu",), np.arange(3.0), "t", "mu"),
        },
    )
    fit = {"name": "small-V", "model": "power-law", "x": "V", "y": "y", "range": (2, 7)}
    found = with_fits(data, [fit])
    np.testing.assert_allclose(found["small_V_exponent"].values, [2, 1.5, np.nan], rtol=1e-12)
    np.testing.assert_allclose(found["small_V_prefactor"].values, [3, 5, np.nan], rtol=1e-12)
    assert found["small_V_points"].values.tolist() == [6, 6, 6]
    assert found["small_V_exponent"].attrs["range"].tolist() == [2, 7]
    assert "positive" in found["small_V_exponent"].attrs["undefined"]
    assert found["small_V_prefactor"].attrs["natural_units"] == "t/hbar"


def test_a_fit_of_a_mean_is_weighted_with_its_standard_error():
    x = np.arange(1.0, 6.0)[:, None]
    data = with_statistics(ensemble(x**2 * (1 + 0.1 * RNG.standard_normal((5, 30)))))
    fits = [
        {"name": "a", "model": "power-law", "x": "V", "y": f"current_{name}", "range": None}
        for name in ("mean", "mean_square")
    ]
    for fit, exponent in zip(fits, (2, 4), strict=True):
        found = with_fits(data, [fit])
        assert abs(found["a_exponent"] - exponent) < 4 * found["a_exponent_error"]
        assert np.isfinite(found["a_chi2_per_dof"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model": "cubic"}, "unknown model 'cubic'"),
        ({"x": "W"}, "x is 'W', expected one of V"),
        ({"y": "curent"}, "y is 'curent', expected one of current"),
    ],
)
def test_a_wrong_fit_is_named(change, text):
    fit = {"name": "a", "model": "power-law", "x": "V", "y": "current", "range": None} | change
    with pytest.raises(ValueError, match=text):
        with_fits(ensemble([[1.0], [2.0]]), [fit])
