"""Sums over the nodes of each panel, in one pass over what an integrand returns, compiled."""

import numba
import numpy as np

from nessflow.solvers.compiled import FAST

_NODES = 21


@numba.njit(fastmath=FAST, cache=True, error_model="numpy")
def panel_sums(values, magnitudes, slope, kronrod, null_rules, result):
    """Write integral, error, zero and size of each component on each panel.

    As `nessflow.spectrum.quadrature.panel_estimates`, which says what the error is.

    Parameters
    ----------
    values, magnitudes : (m, p, 21) float arrays
        Of the integrand.
    slope : (p, 21) float array
        ``dw`` in units of the rule's weight.
    kronrod : (21,) float array
        Weights of the rule.
    null_rules : (2, 21) float array
        Weights of the rules that tell its error.
    result : (4, m, p) float array
        Where to write.
    """
    scaled = np.empty(_NODES)
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            fine, even, odd, size, spread = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(_NODES):
                scaled[k] = values[i, j, k] * slope[j, k]
                fine += kronrod[k] * scaled[k]
                even += null_rules[0, k] * scaled[k]
                odd += null_rules[1, k] * scaled[k]
                size += kronrod[k] * (magnitudes[i, j, k] * slope[j, k])
            for k in range(_NODES):
                spread += kronrod[k] * abs(scaled[k] - 0.5 * fine)
            unit = spread if spread != 0 else 1.0
            # Each by itself, since squares of small numbers vanish.
            ratio = np.sqrt((even / unit) ** 2 + (odd / unit) ** 2)
            share = (200 * ratio) * np.sqrt(200 * ratio) if ratio < 1 / 200 else 1.0
            result[0, i, j] = fine
            result[1, i, j] = share * spread
            result[2, i, j] = 0.0
            result[3, i, j] = size
