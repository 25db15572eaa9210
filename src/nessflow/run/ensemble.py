"""Statistics over disorder samples, and models fitted along an axis."""

from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from nessflow.config.study_file import squared_units
from nessflow.store.layout import described, stored_variables
from nessflow.store.status import OK

_FEW = "fewer than two samples succeeded: no standard error"
_NONE = "no sample succeeded"


def with_statistics(dataset: xr.Dataset) -> xr.Dataset:
    """Add mean, mean square and their standard errors over ``sample``.

    Only samples with status 0 and a finite value count.  ``<v>_mean``, ``<v>_sem``,
    ``<v>_mean_square``, ``<v>_mean_square_sem`` are added for every variable but numerical
    errors, and ``n_samples``.
    """
    good = dataset["status"].values == OK
    axis = dataset["status"].dims.index("sample")
    points = tuple(dim for dim in dataset["status"].dims if dim != "sample")
    added = {}
    for name in stored_variables(dataset):
        if name.endswith("_error") and name.removesuffix("_error") in dataset:
            continue
        variable = dataset[name].variable
        dims = tuple(str(dim) for dim in variable.dims if dim != "sample")
        mask = good.reshape(good.shape + (1,) * (variable.ndim - good.ndim))
        units, long_name = variable.attrs["natural_units"], variable.attrs["long_name"]
        for suffix, values, units_of, text in (
            ("mean", variable.values, units, "mean"),
            ("mean_square", variable.values**2, squared_units(units), "mean square"),
        ):
            mean, sem = mean_and_sem(values, mask, axis)
            undefined = variable.attrs.get("undefined", "")
            for key, result, what, why in (
                (suffix, mean, text, _NONE),
                (f"{suffix}_sem".removeprefix("mean_sem") or "sem", sem, None, _FEW),
            ):
                what = what or f"standard error of the {text}"
                new = described(dims, result, units_of, f"{what} of {long_name} over samples")
                if key == "mean":
                    new.attrs["cell_methods"] = "realization: mean"
                if np.isnan(result).any():
                    new.attrs["undefined"] = undefined or why
                added[f"{name}_{key}"] = new
    count = good.sum(axis=axis, dtype=np.int64)
    added["n_samples"] = described(
        [*map(str, points)], count, "1", "number of samples that succeeded"
    )
    return dataset.assign(added)


def mean_and_sem(values: np.ndarray, mask: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard error along ``axis`` over the finite values that ``mask`` admits.

    Parameters
    ----------
    values : ndarray
        Real values.
    mask : ndarray of bool
        Broadcasts against ``values``.
    axis : int
        The axis of samples.

    Returns
    -------
    mean, sem : ndarray
        Without ``axis``; NaN where there are no samples (mean) or fewer than two (sem).
    """
    mask = np.isfinite(values) & mask
    count = mask.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = pairwise_sum(np.where(mask, values, 0.0), axis) / count
        deviation = np.where(mask, values - np.expand_dims(mean, axis), 0.0)
        variance = pairwise_sum(deviation**2, axis) / np.where(count > 1, count - 1, np.nan)
        return mean, np.sqrt(variance / count)


def pairwise_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the sum along ``axis``, added in pairs in an order that never changes.

    Bit for bit the same on every machine, which ``numpy.sum`` does not promise.
    """
    values = np.moveaxis(values, axis, 0)
    while len(values) > 1:
        if len(values) % 2:
            values = np.concatenate([values, np.zeros_like(values[:1])])
        values = values[0::2] + values[1::2]
    return values[0]


# Fits


def with_fits(dataset: xr.Dataset, fits: Iterable[Mapping]) -> xr.Dataset:
    """Add the parameters of the fitted models.

    Parameters
    ----------
    dataset : xarray.Dataset
        Gathered data with statistics.
    fits : iterable of mapping
        ``name``, ``model``, ``x`` (an axis), ``y`` (a variable), ``range`` ([low, high] or None).

    Raises
    ------
    ValueError
        When a fit names an unknown model, axis or variable.
    """
    for fit in fits:
        if fit["model"] != "power-law":
            raise ValueError(f"fit {fit['name']}: unknown model {fit['model']!r}; use power-law")
        for key, known in (("x", dataset.dims), ("y", dataset.data_vars)):
            if fit[key] not in known:
                raise ValueError(
                    f"fit {fit['name']}: {key} is {fit[key]!r}, expected one of "
                    + ", ".join(map(str, known))
                )
        dataset = dataset.assign(_power_law(dataset, fit))
    return dataset


def _power_law(dataset: xr.Dataset, fit: Mapping) -> dict[str, xr.Variable]:
    y, axis = dataset[fit["y"]].variable, fit["x"]
    x = dataset[axis].values
    low, high = fit.get("range") or (x.min(), x.max())
    inside = (x >= low) & (x <= high)
    dims = tuple(dim for dim in y.dims if dim != axis)
    values = y.transpose(*dims, axis).values
    covariances = _covariances(dataset, fit["y"], (*dims, axis))
    good = inside & np.isfinite(values)
    results = np.full((6, *values.shape[:-1]), np.nan)
    for index in np.ndindex(values.shape[:-1]):
        use = good[index]
        covariance = None if covariances is None else covariances[index][np.ix_(use, use)]
        results[(slice(None), *index)] = power_law(x[use], values[index][use], covariance)
    what = f"{y.attrs['long_name']} as a power of {dataset[axis].attrs['long_name']}"
    attributes = {
        "model": f"{fit['y']} = prefactor * {axis}^exponent",
        "method": "least squares of logarithms, weighted with the standard errors of the mean "
        "where all are known, otherwise with equal weights; errors with the covariance of the "
        "points, which have the samples in common",
        "range": np.array([low, high], dtype=float),
    }
    units = y.attrs["natural_units"]
    new = {}
    for (suffix, unit, text), result in zip(
        (
            ("exponent", "1", "exponent"),
            ("exponent_error", "1", "standard error of the exponent"),
            ("prefactor", units, "prefactor"),
            ("prefactor_error", units, "standard error of the prefactor"),
            ("chi2_per_dof", "1", "chi-square over its expected value"),
            ("points", "1", "number of points in the fit"),
        ),
        results,
        strict=True,
    ):
        if suffix == "points":
            result = result.astype(np.int64)
        variable = described(dims, result, unit, f"{text} of {what}")
        variable.attrs |= attributes
        if np.isnan(result).any():
            variable.attrs["undefined"] = (
                "needs two points with a positive value in the range and no other value there, "
                "and for errors with equal weights three"
            )
        new[f"{fit['name'].replace('-', '_')}_{suffix}"] = variable
    return new


def _covariances(dataset: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray | None:
    """Return the covariances of a mean, or mean square, between points along the last of ``dims``.

    Points of one sample are one draw: their errors are no more independent than the samples say.
    None for what is no mean over samples.
    """
    base = name.removesuffix("_square").removesuffix("_mean")
    if base == name or "sample" not in dataset.dims or base not in dataset:
        return None
    good = (dataset["status"] == OK) & np.isfinite(dataset[base])
    values = dataset[base] ** 2 if name.endswith("_square") else dataset[base]
    kept, known = (array.transpose(*dims, "sample").values for array in (good, values))
    mean, _ = mean_and_sem(known, kept, -1)
    deviation = np.where(kept, known - mean[..., None], 0.0)
    count, common = kept.sum(axis=-1), kept.astype(float) @ np.swapaxes(kept, -1, -2)
    with np.errstate(invalid="ignore", divide="ignore"):
        unbiased = common / np.where(common > 1, common - 1, np.nan)
        pairs = count[..., :, None] * count[..., None, :]
        return deviation @ np.swapaxes(deviation, -1, -2) * unbiased / pairs


def power_law(
    x: np.ndarray, y: np.ndarray, covariance: np.ndarray | None = None
) -> tuple[float, float, float, float, float, int]:
    """Fit ``y = A x^p`` by weighted least squares of ``ln y`` against ``ln x``.

    Parameters
    ----------
    x, y : ndarray
        Abscissa and values, (n,).
    covariance : ndarray, optional
        Of the values, (n, n); that of ``ln y`` follows to first order.  Its diagonal gives the
        weights, all of it the errors.  Without positive variances weights are equal and the
        errors come from the scatter.

    Returns
    -------
    exponent, exponent_error, prefactor, prefactor_error, chi2_per_dof, points
        NaN where undefined: dropping the values that are not positive would bias the fit, so one
        of them leaves it undefined.  Chi-square is divided by its expected value, which is the
        number of degrees of freedom where the points are independent.
    """
    undefined = (np.nan,) * 5
    if len(x) < 2 or np.any(x <= 0) or np.any(y <= 0):
        return (*undefined, len(x))
    variance = np.zeros(1) if covariance is None else np.diag(covariance)
    weighted = bool(np.all(variance > 0))
    sigma = np.sqrt(variance) / y if weighted else np.ones_like(y)
    # Centred abscissa: exponent and value at the centre are then uncorrelated.
    log_x, log_y, weight = np.log(x), np.log(y), sigma**-2
    centre = np.sum(weight * log_x) / np.sum(weight)
    spread = np.sum(weight * (log_x - centre) ** 2)
    if spread == 0:
        return (*undefined, len(x))
    # Both parameters are linear in ln y; the rows of the design are ln A and p.
    slope = weight * (log_x - centre) / spread
    estimate = np.stack([weight / np.sum(weight) - centre * slope, slope])
    (log_prefactor, exponent) = estimate @ log_y
    off = np.eye(len(x)) - np.stack([np.ones_like(log_x), log_x], axis=1) @ estimate
    off /= sigma[:, None]
    chi2 = np.sum((off @ log_y) ** 2)
    scatter = covariance / np.outer(y, y) if weighted else np.eye(len(x))
    expected = np.trace(off @ scatter @ off.T) if len(x) > 2 else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        chi2_per_dof = np.where(expected > len(x) * np.finfo(float).eps, chi2 / expected, np.nan)
        rounding = np.finfo(float).eps * estimate**2 @ np.diag(scatter)
        variances = np.maximum(np.diag(estimate @ scatter @ estimate.T), rounding)
        # Without errors of the values chi-square has no scale, and gives that of the scatter.
        errors = np.sqrt(variances if weighted else variances * chi2_per_dof)
    prefactor = np.exp(log_prefactor)
    quality = float(chi2_per_dof) if weighted else np.nan
    return exponent, errors[1], prefactor, prefactor * errors[0], quality, len(x)
