"""Transmission by mode: the eigenvalues of ``t t^+`` between leads of several channels."""

from collections.abc import Callable, Mapping

import numpy as np

from nessflow.estimate import Estimate
from nessflow.grids import EnergyGrid, Listed, numbers_of
from nessflow.observables.observable import Observable
from nessflow.outcome import NOT_NEGATIVE, PROBABILITY, Coordinate, Variable, with_errors
from nessflow.parts import quantity
from nessflow.scattering.currents import open_channels
from nessflow.spectrum.edges.limits import continuous, on_band_edge, why_undefined
from nessflow.spectrum.rates import Rates
from nessflow.spectrum.rounding import with_moved_levels
from nessflow.systems.system import OpenSystem

_NAME, _FANO = "transmission_eigenvalue", "fano_factor"
_ROUNDING = 16 * np.finfo(float).eps


class TransmissionEigenvalues(Observable):
    """Transmission by mode between all leads, and the open channels of each, at given energies."""

    name = "transmission-eigenvalues"
    variables = with_errors(
        {
            _NAME: Variable(
                ("lead", "lead_2", "mode", "energy"),
                "1",
                "transmission into lead from lead_2, by mode",
                PROBABILITY,
            ),
            _FANO: Variable(
                ("lead", "lead_2", "energy"),
                "1",
                "noise over current into lead of a small bias of lead_2 at temperature 0",
                PROBABILITY,
            ),
        }
    ) | {
        "open_channels": Variable(
            ("lead", "energy"), "1", "number of open channels of the lead", NOT_NEGATIVE
        )
    }
    conventions = (
        "Transmission eigenvalues: those of t t^+, t the block of the scattering matrix into lead "
        "from lead_2, the largest first; they add up to the transmission.  On the diagonal those "
        "of r r^+ between open channels.  Modes beyond the channels of a lead have 0.",
        "Fano factor: sum T_n (1 - T_n) / sum T_n, noise over the current into lead when only "
        "lead_2 has more, without gain; S/(2 e I) of a noise S with a factor 2.",
    )

    energies: EnergyGrid | Listed = quantity(
        "energies of the transmission, a grid or a list in any order", "t"
    )

    def coordinates(self) -> dict[str, Coordinate]:
        """Return the energies."""
        return {"energy": Coordinate(numbers_of(self.energies), "t", "energy")}

    def evaluate(self, system: OpenSystem) -> Mapping[str, Estimate]:
        """Return eigenvalues, NaN at band edges where transmissions jump, and numbers of channels.

        The error is what rounded levels move them by, and the norm of what amplitudes of each block
        are rounded by, which no singular value changes by more than.
        """
        energies = numbers_of(self.energies)
        value, moved = with_moved_levels(
            system, energies, lambda own, w: continuous(own, w, _eigenvalues)
        )
        opens = on_band_edge(system, energies)
        for k, terminal in enumerate(system.terminals):
            value[k, k, :, opens[list(terminal.channels)].any(axis=0)] = np.nan
        sizes = _ROUNDING * Rates(system, energies).amplitude_sizes
        blocks = _by_pair(system, lambda a, b: np.sqrt((sizes[a, b] ** 2).sum(axis=(0, 1)))[None])
        error = moved + blocks * (2 * np.sqrt(np.clip(value, 0, 1)) + blocks)
        lost = energies[~np.isfinite(value).all(axis=(0, 1, 2))]
        error = np.where(np.isnan(value), np.nan, error)
        reason = why_undefined(system, lost)
        return {
            _NAME: Estimate(value, error, reason),
            _FANO: _fano_factor(value, error, reason),
            "open_channels": Estimate(open_channels(system, energies), np.nan),
        }


def _fano_factor(value: np.ndarray, error: np.ndarray, reason: str) -> Estimate:
    """Return ``1 - sum T^2 / sum T`` over modes, with errors to first order."""
    total = value.sum(axis=2)
    passes = total > error.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (value**2).sum(axis=2) / total
        moved = (abs(2 * value - mean[:, :, None]) * error).sum(axis=2) / total
    apart = ~np.eye(len(value), dtype=bool)[:, :, None]
    found = np.where(passes & apart, np.array([1 - mean, moved]), np.nan)
    reasons = [reason, "the diagonal is no current between leads"]
    if (~passes & apart & np.isfinite(total)).any():
        reasons.append("nothing passes")
    return Estimate(found[0], found[1], "; ".join(filter(None, reasons)))


def _by_pair(system: OpenSystem, of_block: Callable) -> np.ndarray:
    """Return numbers of each block of the scattering matrix, (t, t, m, E)."""
    channels = [list(terminal.channels) for terminal in system.terminals]
    return np.array([[of_block(*np.ix_(a, b)) for b in channels] for a in channels])


def _eigenvalues(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of ``s_ab s_ab^+``, largest first, (t, t, m, E)."""
    rates = Rates(system, energies)
    # A closed channel reflects itself and takes part in nothing.
    inside = rates.broadening > 0
    amplitudes = rates.amplitudes * (inside[:, None] & inside)
    most = max(len(terminal.channels) for terminal in system.terminals)

    def squares(to: np.ndarray, from_: np.ndarray) -> np.ndarray:
        found = np.linalg.svd(np.moveaxis(amplitudes[to, from_], -1, 0), compute_uv=False) ** 2
        return np.pad(found, ((0, 0), (0, most - found.shape[1]))).T

    return _by_pair(system, squares)
