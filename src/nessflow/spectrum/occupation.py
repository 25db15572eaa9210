"""Occupations of leads: Fermi functions, holes and differences, without cancellation."""

from typing import Any

import numpy as np
from scipy.special import expit

Number = float | np.ndarray
"""One for all energies, or one for each of them."""


def _reduced(energies: np.ndarray, chemical_potential: Number, temperature: Number) -> np.ndarray:
    offset = np.asarray(energies, float) - chemical_potential
    if np.ndim(temperature):
        cold = np.equal(temperature, 0)
        with np.errstate(over="ignore"):
            warm = offset / np.where(cold, 1.0, temperature)
        return np.where(cold, _reduced(offset, 0.0, 0.0), warm) if cold.any() else warm
    if temperature == 0:
        return np.where(offset == 0, 0.0, np.copysign(np.inf, offset))
    with np.errstate(over="ignore"):
        return offset / temperature


def fermi(energies: np.ndarray, chemical_potential: Number, temperature: Number) -> np.ndarray:
    """Return ``f = 1/(exp((w - mu)/T) + 1)``, the step at temperature 0 (1/2 at ``mu``).

    The minus sign behind "exp((w - mu)/k_B T" that (S18) of paper extended-landauer-buttiker
    seems to have is its bracket misplaced: the 1 stands outside the exponent.

    Parameters
    ----------
    energies : (E,) array
        Energies w, in t.
    chemical_potential, temperature : float or (E,) array
        In t.

    Returns
    -------
    (E,) float array
        ``f``.
    """
    return expit(-_reduced(energies, chemical_potential, temperature))


def fermi_holes(
    energies: np.ndarray, chemical_potential: Number, temperature: Number
) -> np.ndarray:
    """Return ``1 - f`` without cancellation.

    Parameters
    ----------
    energies : (E,) array
        Energies w, in t.
    chemical_potential, temperature : float or (E,) array
        In t.

    Returns
    -------
    (E,) float array
        ``1 - f``.
    """
    return expit(_reduced(energies, chemical_potential, temperature))


def fermi_difference(
    energies: np.ndarray,
    first: Any,
    second: Any,
    filled: tuple[np.ndarray, np.ndarray] | None = None,
    empty: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Return ``f_first - f_second`` without cancellation.

    Parameters
    ----------
    energies : (E,) array
        Energies w, in t.
    first, second : lead or Terminal
        Whose chemical potentials and temperatures are taken, numbers or (E,) arrays.
    filled, empty : pair of (E,) array, optional
        `fermi` and `fermi_holes` of both, where they are known.

    Returns
    -------
    (E,) float array
    """
    mu_1, mu_2 = first.chemical_potential, second.chemical_potential
    t_1, t_2 = first.temperature, second.temperature
    both = (mu_1, t_1), (mu_2, t_2)
    f_1, f_2 = filled or (fermi(energies, *x) for x in both)
    h_1, h_2 = empty or (fermi_holes(energies, *x) for x in both)
    cold = np.logical_or(np.equal(t_1, 0), np.equal(t_2, 0))
    # One product is zero off the step; f_1 - f_2 would cancel where both leads are full.
    step: Any = f_1 * h_2 - f_2 * h_1 if cold.any() else 0.0
    if cold.all():
        return step
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        alike = np.equal(t_1, t_2)
        x = np.subtract(mu_2, mu_1) / t_2
        if not alike.all():
            x_1, x_2 = (energies - mu_1) / t_1, (energies - mu_2) / t_2
            # x_1 - x_2 in two ways: the second is exact when the leads differ little.
            hotter, higher = x_1 * ((t_2 - t_1) / t_2), (mu_2 - mu_1) / t_2
            direct = abs(x_1) + abs(x_2) < abs(hotter) + abs(higher)
            x = np.where(alike, x, np.where(direct, x_1 - x_2, hotter + higher))
    small = np.expm1(-abs(x))
    if np.ndim(x) == 0:
        warm = -f_1 * h_2 * small if x < 0 else f_2 * h_1 * small
    else:
        warm = np.where(x < 0, -f_1 * h_2 * small, f_2 * h_1 * small)
    return np.where(cold, step, warm) if cold.any() else warm
