"""Steady currents of terminals and the statistics of their charges, from whatever theory."""

from dataclasses import dataclass

from nessflow.estimate import Estimate


@dataclass(frozen=True, eq=False)
class Transport:
    """Steady currents and cumulants of the charge that each terminal sends, hbar = 1.

    Attributes
    ----------
    terminals : tuple of str
        Names.
    particle_current, energy_current : Estimate
        (t,), from each terminal into the system, in t/hbar and t^2/hbar.
    particle_noise : Estimate
        (t, t), zero-frequency noise, no factor 2, in t/hbar.
    third_cumulant : Estimate
        (t,), of the transferred charge per unit time, in t/hbar.
    converged : bool
        Whether every integral met the tolerance or its rounding errors and sums over all terminals
        vanish within the errors; True where there is no integral.
    """

    terminals: tuple[str, ...]
    particle_current: Estimate
    energy_current: Estimate
    particle_noise: Estimate
    third_cumulant: Estimate
    converged: bool = True
