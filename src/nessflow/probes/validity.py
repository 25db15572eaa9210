"""How far an expansion of probes in biases and demanded currents is valid.

To first order transmissions are those at the mean chemical potential, to third order polynomials
about it.  What currents flow at the potentials that follow is one integral over the energy, and
tells what was left out: all higher orders together, the ends of bands among them.
"""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from nessflow.probes.derivatives import flows
from nessflow.probes.problem import (
    Validity,
    distance_from_bands,
    moved,
    terminal_bands,
    terminal_temperatures,
)
from nessflow.scattering.terminal_flows import Occupations, by_terminal, lead_flow, temperatures
from nessflow.spectrum.mesh import spectral_range
from nessflow.spectrum.occupation import fermi_difference
from nessflow.systems.system import OpenSystem

_LARGEST_NEGLECTED = 1.0
"""Terms left out, over those of the first order, beyond which nothing is expanded."""
_RTOL = 1e-4
_CELLS = 100
_BEYOND = 4.0
"""Extents of the system's spectrum, either side, beyond which hardly anything flows."""


def validity(
    system: OpenSystem,
    mean: float,
    bias: np.ndarray,
    probes: Sequence[int],
    left_out: np.ndarray | None = None,
    first: np.ndarray | None = None,
) -> Validity:
    """Return how far a solution is valid.

    Parameters
    ----------
    system : OpenSystem
        The system, for its bands and temperatures.
    mean : float
        Mean of the given chemical potentials, in t.
    bias : (t,) float array
        Chemical potentials that were found, from the mean.
    probes : sequence of int
        Places of the probes among the terminals.
    left_out : (t,) float array, optional
        What the orders left out change the currents by, in t/hbar; None for an exact solution.
    first : (t,) float array, optional
        Sums of the magnitudes of the first-order terms in the currents.

    Returns
    -------
    Validity
        An expansion is in doubt where a cold potential leaves its band, a warm one by more than
        its temperature, and where more was left out of a current than the first order holds.
    """
    names = [terminal.name for terminal in system.terminals]
    warmth, mu = terminal_temperatures(system), mean + bias
    low, high = terminal_bands(system).T
    if left_out is not None:
        # Where the system has no states the bands of terminals end in nothing.
        lowest, highest = spectral_range(system)
        low, high = np.maximum(low, lowest), np.minimum(high, highest)
    excess = np.zeros(mu.size)
    beyond = np.maximum(np.maximum(low - mu, mu - high), distance_from_bands(system, mu))
    excess[probes] = beyond[probes]
    # A potential on the edge itself was rounded to either side.
    excess[excess <= 8 * np.finfo(float).eps * (abs(mean) + abs(bias))] = 0.0
    neglected, reason = 0.0, ""
    if left_out is not None:
        size = np.where(first > 0, first, first.max())
        share = np.divide(abs(left_out), size, out=np.zeros_like(size), where=size > 0)
        worst, far = int(np.argmax(share)), int(np.argmax(excess - warmth))
        neglected = float(share[worst])
        if excess[far] > warmth[far]:
            where = "in a gap of" if low[far] < mu[far] < high[far] else "beyond"
            reason = (
                f"no such state: probe {names[far]!r} would have the chemical potential "
                f"{mu[far]:.6g}, {where} the states it exchanges with, {low[far]:.6g} to "
                f"{high[far]:.6g}"
            )
        elif neglected > _LARGEST_NEGLECTED:
            reason = (
                f"the orders left out change the current of terminal {names[worst]!r} by "
                f"{neglected:.3g} times its first-order terms"
            )
        if reason:
            reason += "; demand less current at less bias, or solve exactly"
    departure = float(abs(bias[probes]).max(initial=0.0))
    return Validity(float(excess.max(initial=0.0)), departure, neglected, reason)


def current_change(
    system: OpenSystem, mean: float, bias: np.ndarray, poles: np.ndarray
) -> np.ndarray:
    """Return what currents change by from a common chemical potential to given biases.

    Parameters
    ----------
    system : OpenSystem
        The system, all leads at one temperature; its chemical potentials do not matter.
    mean : float
        Common chemical potential, in t.
    bias : (t,) float array
        Chemical potentials from the mean, in t.
    poles : (p,) complex array
        `poles_if_needed` of the system.

    Returns
    -------
    (t,) float array
        To all orders, in t/hbar: good to a percent, to judge by and not for results.
    """
    warmth = float(temperatures(system)[0])
    if warmth == 0:
        return _cold_change(system, mean, bias)
    common = SimpleNamespace(chemical_potential=mean, temperature=warmth)
    lead = SimpleNamespace(
        chemical_potential=mean + bias[system.terminal_of_lead][:, None], temperature=warmth
    )
    occupations = Occupations(
        np.zeros_like, np.zeros_like, lambda energies: fermi_difference(energies, lead, common)
    )
    none = np.empty(0, int)
    return flows(moved(system, mean + bias), none, _RTOL, poles, occupations)[0]


def _cold_change(system: OpenSystem, mean: float, bias: np.ndarray) -> np.ndarray:
    """Return `current_change` at temperature 0 by the midpoint rule.

    Each lead's occupation is averaged over the cells, so that the steps of many probes cost
    nothing.  A resonance narrower than a cell shows by its wings.
    """
    offsets = bias[system.terminal_of_lead]
    bands, (lowest, highest) = terminal_bands(system), spectral_range(system)
    beyond = _BEYOND * (highest - lowest)
    low = max(min(offsets.min(), 0.0), max(bands[:, 0].min(), lowest - beyond) - mean)
    high = min(max(offsets.max(), 0.0), min(bands[:, 1].max(), highest + beyond) - mean)
    if not low < high:
        return np.zeros(bias.size)
    edges = np.linspace(low, high, _CELLS + 1)
    cells, width = (edges[:-1], edges[1:]), edges[1] - edges[0]
    excess = (np.clip(offsets[:, None], *cells) - np.clip(0.0, *cells)) / width
    occupations = Occupations(np.zeros_like, np.zeros_like, lambda _: excess)
    flow, _ = lead_flow(system, occupations, mean + 0.5 * (edges[:-1] + edges[1:]))
    return by_terminal(system, flow.sum(axis=1)) * width / (2 * np.pi)
