"""Running sums that stay accurate over a million terms."""

import numpy as np

EPSILON = np.finfo(float).eps


def running_sums(terms: np.ndarray) -> np.ndarray:
    """Return the sums of the first 1, 2, ... terms, as if in twice the precision.

    The rounding error of each addition is itself a floating-point number (Knuth's two-sum); their
    sum is added back, so that a sum is wrong by one rounding of its own value.

    Parameters
    ----------
    terms : (n,) array
        Of either sign.

    Returns
    -------
    (n,) float array
        The last is the sum of all.
    """
    sums = np.cumsum(terms)
    before = np.concatenate([[0.0], sums[:-1]])
    added = sums - before
    lost = (before - (sums - added)) + (terms - added)
    return sums + np.cumsum(lost)
