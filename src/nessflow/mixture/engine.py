"""Two reservoirs as a heat engine: power, efficiency and Carnot's bound, (103) to (105)."""

from collections.abc import Sequence

import numpy as np

from nessflow.estimate import Estimate
from nessflow.mixture.state import Mixture
from nessflow.mixture.transport import Transport


def _by_reservoir(mixtures: Sequence[Mixture], name: str) -> np.ndarray:
    """Return one attribute of both reservoirs, (2, P)."""
    return np.array([[getattr(r, name) for r in mixture.reservoirs] for mixture in mixtures]).T


def power(mixtures: Sequence[Mixture], found: Transport) -> Estimate:
    """Return ``(mu_2 - mu_1) j``, the heat that becomes chemical energy (78).

    Parameters
    ----------
    mixtures : sequence of Mixture
        Of two reservoirs.
    found : Transport
        Theirs.

    Returns
    -------
    Estimate
        (P,), in t^2/hbar.
    """
    first, second = _by_reservoir(mixtures, "chemical_potential")
    bias, current = second - first, found.particle_current
    return bias * current


def carnot_efficiency(mixtures: Sequence[Mixture]) -> Estimate:
    """Return ``1 - T_cold/T_hot``.

    Parameters
    ----------
    mixtures : sequence of Mixture
        Of two reservoirs.

    Returns
    -------
    Estimate
        (P,); NaN where both temperatures are 0.
    """
    temperatures = _by_reservoir(mixtures, "temperature")
    with np.errstate(invalid="ignore"):
        value = 1 - temperatures.min(axis=0) / temperatures.max(axis=0)
    return Estimate(value, np.finfo(float).eps + 0 * value)


def efficiency(mixtures: Sequence[Mixture], found: Transport) -> Estimate:
    """Return the power over the heat that the hotter reservoir loses (104).

    Parameters
    ----------
    mixtures : sequence of Mixture
        Of two reservoirs.
    found : Transport
        Theirs.

    Returns
    -------
    Estimate
        (P,); NaN where it is no engine: no power within its error, no heat from the hotter
        reservoir, equal temperatures, or entropy that goes down, where (105) does not hold.
    """
    temperatures = _by_reservoir(mixtures, "temperature")
    hot, cold = temperatures.argmax(axis=0), temperatures.argmin(axis=0)
    heat, heat_error = (np.take_along_axis(x, hot[None], 0)[0] for x in found.heat_current[:2])
    drawn, drawn_error = (np.take_along_axis(x, cold[None], 0)[0] for x in found.heat_current[:2])
    work, entropy = power(mixtures, found), found.entropy_production
    runs = (work.value > work.error) & (heat > heat_error) & (temperatures[0] != temperatures[1])
    # At temperature 0 all heat that is drawn takes an infinite entropy away.
    frozen = temperatures.min(axis=0) == 0
    runs &= ~(entropy.value < -entropy.error) & ~(frozen & (drawn > drawn_error))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(runs, work.value / heat, np.nan)
        return Estimate(value, (work.error + value * heat_error) / (heat - heat_error))
