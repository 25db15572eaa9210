"""Steady currents of terminals and the statistics of their charges, from whatever theory."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Transport:
    """Steady currents and cumulants of the charge that each terminal sends, hbar = 1.

    Attributes
    ----------
    terminals : tuple of str
        Names.
    particle_current, energy_current : (t,) float
        From each terminal into the system, in t/hbar and t^2/hbar.
    particle_noise : (t, t) float
        Zero-frequency noise, no factor 2, in t/hbar.
    third_cumulant : (t,) float
        Of the transferred charge per unit time, in t/hbar.
    converged : bool
        Whether every integral met the tolerance or its rounding errors and sums over all terminals
        vanish within the errors; True where there is no integral.

    Each has its numerical error in ``<name>_error``.
    """

    terminals: tuple[str, ...]
    particle_current: np.ndarray
    energy_current: np.ndarray
    particle_noise: np.ndarray
    third_cumulant: np.ndarray
    particle_current_error: np.ndarray
    energy_current_error: np.ndarray
    particle_noise_error: np.ndarray
    third_cumulant_error: np.ndarray
    converged: bool = True
