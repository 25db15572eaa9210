"""Transmission of a network between two reservoirs, exact and without interference of its modes."""

from typing import Annotated

import numpy as np
from pydantic import Field

from nessflow.lindblad.propagator import level_broadenings
from nessflow.parts import quantity
from nessflow.scattering.band_edges import continuous, on_band_edge, why_undefined
from nessflow.scattering.dense import green
from nessflow.scattering.rates import Rates
from nessflow.studies import networks
from nessflow.studies.kind import NOT_NEGATIVE, PROBABILITY, Coordinate, Grid, Outcome, Variable
from nessflow.studies.networks import NetworkParameters
from nessflow.studies.variables import never_random


class ReducedEnergies(Grid):
    """Evenly spaced energies over the bandwidth."""

    start: float = quantity("first energy over the bandwidth", "1")
    stop: float = quantity("last energy over the bandwidth", "1")
    points: int = Field(description="number of energies", ge=2, le=100_000)


class Parameters(NetworkParameters):
    """A network and the energies of its spectrum."""

    energies: Annotated[ReducedEnergies, Field(description="energies over the bandwidth")]


CONVENTIONS = (
    *networks.CONVENTIONS,
    "Transmission is between 0 and 1; T(w) of paper non-additive-dissipation, (45), is that over "
    "2 pi.  Additive: sum over modes of 2 pi phi_j Gamma_Lj Gamma_Rj / (Gamma_Lj + Gamma_Rj), "
    "(46), what the additive global equation transmits.",
)

VARIABLES = {
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
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return energies and modes."""
    return {
        "energy": Coordinate(parameters.energies.values(), "1", "energy over bandwidth"),
        "mode": networks.numbered("mode", parameters.network.sites),
    }


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return (45), (46), their ratio and the densities (35) of the modes."""
    system = parameters.system()
    energies = parameters.energies.values() * parameters.reservoirs.bandwidth
    exact = continuous(system, energies, lambda w: Rates(system, w).leads[0, 1])
    _, modes = networks.modes_of(parameters.network)

    def densities(energies: np.ndarray) -> np.ndarray:
        """Return pi times the density of states of each mode, (N, E)."""
        parts = [np.einsum("ij,eik,kj->je", modes, g, modes) for _, g in green(system, energies)]
        return -np.concatenate([np.zeros((len(modes), 0)), *parts], axis=1).imag

    density = continuous(system, energies, densities)
    # The engine orders levels from the lowest up.
    weights = modes[[lead.site for lead in system.leads]] ** 2
    left, right = (
        level_broadenings(system, lead)[::-1] * weight
        for lead, weight in zip(system.leads, weights, strict=True)
    )
    additive = 2 * (left * right / (left + right)) @ density
    inside = (exact > 0) & (additive > 0)
    values = {
        "transmission": exact,
        "additive_transmission": additive,
        "transmission_ratio": np.where(inside, exact / np.where(inside, additive, 1.0), np.nan),
        "mode_spectrum": density / np.pi,
    }
    notes = {}
    for name, value in values.items():
        lost = ~np.isfinite(value).all(axis=tuple(range(value.ndim - 1)))
        at_edges = lost & on_band_edge(system, energies).any(axis=0)
        reasons = [why_undefined(system, energies[at_edges])]
        if (lost & ~at_edges).any():
            reasons.append("outside the band nothing is transmitted")
        notes[name] = "; ".join(filter(None, reasons))
    return Outcome(values, notes=notes)
