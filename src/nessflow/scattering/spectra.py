"""Particle currents and noise for each energy: what the steady ones are integrals of.

With ``dw/2pi`` taken as the measure, their integrals over all energies are those of
`nessflow.scattering.currents` and `nessflow.scattering.noise`, or of `nessflow.scattering.bosons`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from nessflow.estimate import Estimate
from nessflow.scattering.bosons import boson_terms
from nessflow.scattering.noise import noise_integrand, noise_matrix
from nessflow.solvers.pairwise import in_batches
from nessflow.spectrum.edges.limits import continuous, why_undefined
from nessflow.spectrum.rates import Rates
from nessflow.spectrum.rounding import blur, with_moved_levels
from nessflow.systems.system import OpenSystem

_ROUNDING = 16 * np.finfo(float).eps
_AGREEMENT = 1e-4
"""Difference between both sides of a step, over the sizes, that a smooth function does not have."""


@dataclass(frozen=True, eq=False)
class SpectralFlows:
    """Densities of currents and noise over the energy, hbar = 1; numbers without unit.

    Attributes
    ----------
    particle_current : Estimate
        (l, E), from each lead into the system.
    particle_noise : Estimate
        (l, l, E), of the leads' currents, zero frequency, no factor 2.
    """

    particle_current: Estimate
    particle_noise: Estimate


def _fermions(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the integrands of currents and noise, (n, E), and what they are sums of."""
    rates = Rates(system, energies)
    noise = (noise_matrix(part, len(rates.mean)) for part in noise_integrand(rates))
    parts = zip((rates.mean, rates.mean_sizes), noise, strict=True)
    values, sizes = (np.concatenate([x, *matrix]) for x, matrix in parts)
    return values, sizes


def _bosons(system: OpenSystem, energies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for bosons."""
    count = len(system.leads)
    unasked = slice(count, 3 * count)
    values, sizes = (np.delete(part, unasked, axis=0) for part in boson_terms(system, energies))
    return values, sizes


def spectral_flows(
    system: OpenSystem, energies: np.ndarray, bosonic: bool = False
) -> SpectralFlows:
    """Return the densities of the leads' currents and noise over the energy.

    Parameters
    ----------
    system : OpenSystem
        With at least one lead; bosons between leads of one channel each, without loss and gain.
    energies : (E,) array
        Energies, in t.
    bosonic : bool
        Statistics.

    Returns
    -------
    SpectralFlows
        With errors of rounding.  NaN at band edges, and at chemical potentials of leads of the
        temperature 0, where the limits from both sides differ.
    """
    energies, count = np.atleast_1d(np.asarray(energies, float)), len(system.terminals)
    terms = _bosons if bosonic else _fermions

    def rows(own: OpenSystem, energies: np.ndarray) -> np.ndarray:
        # Several matrices between leads of complex numbers for each energy.
        by_parts = in_batches(lambda w: terms(own, w), 16 * len(own.leads) ** 2)
        return np.concatenate(by_parts(energies))

    found, moved = with_moved_levels(system, energies, lambda own, w: continuous(own, w, rows))
    steps = _steps(system, energies)
    if steps.any():
        found[:, steps], moved[:, steps] = _beside(system, energies[steps], rows)
    value, size = np.split(found, 2)
    error = (np.split(moved, 2)[0] + _ROUNDING * size) / (2 * np.pi)
    known = np.isfinite(value) & np.isfinite(error)
    value, error = (np.where(known, x, np.nan) for x in (value / (2 * np.pi), error))
    lost = np.isnan(value).any(axis=0)
    reasons = [why_undefined(system, energies[lost & ~steps])]
    if (lost & steps).any():
        where = ", ".join(f"{energy:g}" for energy in energies[lost & steps])
        reasons.append(f"at the energy {where} occupations jump at temperature 0")
    (current, noise), (current_error, noise_error) = (
        (part[:count], part[count:].reshape(count, count, -1)) for part in (value, error)
    )
    reason = "; ".join(filter(None, reasons))
    return SpectralFlows(
        Estimate(current, current_error, reason), Estimate(noise, noise_error, reason)
    )


def _steps(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return where the occupation of a lead jumps, to rounding, (E,)."""
    cold = [lead.chemical_potential for lead in system.leads if lead.temperature == 0]
    near = abs(energies[:, None] - np.array(cold)) <= 2 * blur(system, energies)[:, None]
    return near.any(axis=1)


def _beside(system: OpenSystem, energies: np.ndarray, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the limits at steps, NaN where they differ, and half their distance."""
    shift = 4 * blur(system, energies)
    below, above = (continuous(system, energies + sign * shift, rows) for sign in (-1, 1))
    apart = abs(above - below)
    sizes = np.maximum(abs(below), abs(above)).max(axis=0)
    mean = np.where(apart <= _AGREEMENT * sizes, (below + above) / 2, np.nan)
    return mean, apart / 2
