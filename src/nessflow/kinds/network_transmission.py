"""Spectra of a network between two reservoirs: transmission, with and without interference, and
current, noise and entropy production."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from nessflow.estimate import Estimate
from nessflow.grids import Listed, numbers_of
from nessflow.kinds import transmission
from nessflow.lindblad.propagator import level_broadenings
from nessflow.parts import quantity
from nessflow.solvers.dense import green
from nessflow.spectrum.edges.limits import continuous, on_band_edge, why_undefined
from nessflow.spectrum.rates import Rates
from nessflow.spectrum.rounding import times_element_sizes, with_moved_levels
from nessflow.studies import networks
from nessflow.studies.kind import NOT_NEGATIVE, PROBABILITY, Coordinate, Grid, Outcome, Variable
from nessflow.studies.networks import NetworkParameters
from nessflow.studies.variables import never_random, outcome_of, with_errors
from nessflow.systems.system import OpenSystem


class ReducedEnergies(Grid):
    """Evenly spaced energies over the bandwidth."""

    start: float = quantity("first energy over the bandwidth", "1")
    stop: float = quantity("last energy over the bandwidth", "1")
    points: int = Field(description="number of energies", ge=2, le=100_000)


class Parameters(NetworkParameters):
    """A network and the energies of its spectrum."""

    energies: ReducedEnergies | Listed = quantity(
        "energies over the bandwidth, a grid or a list in any order", "1"
    )


CONVENTIONS = (
    *networks.CONVENTIONS,
    "Transmission is between 0 and 1; T(w) of paper non-additive-dissipation, (45), is that over "
    "2 pi.  Additive: sum over modes of 2 pi phi_j Gamma_Lj Gamma_Rj / (Gamma_Lj + Gamma_Rj), "
    "(46), what the additive global equation transmits.",
    transmission.SPECTRAL,
)

_NAMES = {"lead": "terminal", "lead_2": "terminal_2"}
_QUANTITIES = {
    "transmission": Variable(("energy",), "1", "transmission", PROBABILITY),
    "additive_transmission": Variable(
        ("energy",), "1", "transmission without interference", NOT_NEGATIVE
    ),
    "transmission_ratio": Variable(
        ("energy",), "1", "transmission over that without interference", NOT_NEGATIVE
    ),
    "mode_spectrum": Variable(
        ("mode", "energy"), "1/t", "density of states of the mode", NOT_NEGATIVE
    ),
}
_SPECTRAL = {
    name: replace(
        transmission.VARIABLES[name],
        dims=tuple(_NAMES.get(dim, dim) for dim in transmission.VARIABLES[name].dims),
    )
    for name in transmission.SPECTRAL_NAMES
}
VARIABLES = with_errors(_QUANTITIES | _SPECTRAL)
_EPSILON = np.finfo(float).eps
_ROUNDING = 16 * _EPSILON
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return energies and modes."""
    return {
        "energy": Coordinate(numbers_of(parameters.energies), "1", "energy over bandwidth"),
        "mode": networks.numbered("mode", parameters.network.sites),
        **networks.terminal_coordinates(),
    }


def _exact(system: OpenSystem, energies: np.ndarray) -> np.ndarray:
    return Rates(system, energies).leads[0, 1]


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return (45), (46), their ratio and the densities (35) of the modes."""
    system = parameters.system()
    energies = numbers_of(parameters.energies) * parameters.reservoirs.bandwidth
    exact, exact_error = with_moved_levels(
        system, energies, lambda own, w: continuous(own, w, _exact)
    )
    exact_error = exact_error + _ROUNDING * Rates(system, energies).lead_sizes[0, 1]
    density, density_error = _densities(parameters, system, energies)
    share, share_error = _shares(parameters, system)
    additive = share @ density
    additive_error = share @ density_error + share_error @ density
    inside = (exact > 0) & (additive > additive_error)
    least = np.where(inside, additive - additive_error, 1.0)
    ratio = np.where(inside, exact / np.where(inside, additive, 1.0), np.nan)
    found = {
        "transmission": Estimate(exact, exact_error),
        "additive_transmission": Estimate(additive, additive_error),
        "transmission_ratio": Estimate(ratio, (exact_error + ratio * additive_error) / least),
        "mode_spectrum": Estimate(density, density_error) / np.pi,
    }
    for name, (value, error, _) in found.items():
        lost = ~np.isfinite(value).all(axis=tuple(range(value.ndim - 1)))
        at_edges = lost & on_band_edge(system, energies).any(axis=0)
        reasons = [why_undefined(system, energies[at_edges])]
        if (lost & ~at_edges).any():
            reasons.append("outside the band, or where it has no digit, nothing is transmitted")
        found[name] = Estimate(value, error, "; ".join(filter(None, reasons)))
    found |= transmission.spectra(system, energies, parameters.bosonic)
    # Two reservoirs: what is noise of one is that of the other, for bosons as well.
    limits = {"spectral_particle_noise": transmission.noise_limits(len(networks.TERMINALS))}
    never_zero = transmission.never_zero_spectra(system, energies)
    return outcome_of(VARIABLES, found, limits=limits, never_zero=never_zero)


def _mode_error(parameters: Parameters) -> np.ndarray:
    """Return what each mode's vector may be off by, (N,): rounding over the distance of levels."""
    levels, _ = networks.modes_of(parameters.network)
    apart = abs(levels[:, None] - levels) + np.diag(np.full(levels.size, np.inf))
    rounding = _ROUNDING * (abs(levels).max() + parameters.network.tunnelling)
    return np.minimum(rounding / np.maximum(apart.min(axis=1), rounding), 1.0)


def _densities(
    parameters: Parameters, system: OpenSystem, energies: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return pi times the density of states of each mode, and its error, (N, E)."""
    _, modes = networks.modes_of(parameters.network)
    size, off = abs(modes), _mode_error(parameters)[:, None]

    def densities(own: OpenSystem, energies: np.ndarray) -> np.ndarray:
        parts = [np.einsum("ij,eik,kj->je", modes, g, modes) for _, g in green(own, energies)]
        return -np.concatenate([np.zeros((len(modes), 0)), *parts], axis=1).imag

    value, error = with_moved_levels(system, energies, lambda own, w: continuous(own, w, densities))
    for batch, g in green(system, energies):
        # As of nessflow.spectrum.rounding, on all sites.
        states = abs(g) @ size
        elements = times_element_sizes(system, energies[batch], states)
        changed = np.einsum("ekj,ekj->je", states, elements)
        turned = np.linalg.norm(g.imag @ modes, axis=1).T
        error[:, batch] += _ROUNDING * changed + 2 * off * turned
    return value, np.where(np.isnan(value), np.nan, error)


def _shares(parameters: Parameters, system: OpenSystem) -> tuple[np.ndarray, np.ndarray]:
    """Return ``2 Gamma_L Gamma_R / (Gamma_L + Gamma_R)`` of each mode, and its error, (N,)."""
    _, modes = networks.modes_of(parameters.network)
    ends = abs(modes[np.concatenate([lead.sites for lead in system.leads])])
    # The engine orders levels from the lowest up.
    rates = np.array([level_broadenings(system, lead)[::-1] for lead in system.leads])
    off = _mode_error(parameters)
    left, right = rates * ends**2
    errors = rates * (2 * ends + off) * off + _ROUNDING * rates * ends**2
    total = left + right
    share = 2 * left * right / total
    return share, 2 * (right**2 * errors[0] + left**2 * errors[1]) / total**2
