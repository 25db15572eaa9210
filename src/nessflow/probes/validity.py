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
from nessflow.scattering.terminal_flows import Occupations, by_terminal, temperatures
from nessflow.solvers.pairwise import Source, lead_broadening, lead_sums
from nessflow.spectrum.mesh import spectral_range
from nessflow.spectrum.occupation import fermi_difference
from nessflow.systems.batch import Batch
from nessflow.systems.system import OpenSystem

_LARGEST_NEGLECTED = 1.0
"""Terms left out, over those of the first order, beyond which nothing is expanded."""
_RTOL = 1e-4
_CELLS = 100
_ELEMENTS = 2**15
"""Elements of arrays over energies and sites at a time."""
_BEYOND = 4.0
"""Extents of the system's spectrum, either side, beyond which hardly anything flows."""


def validity(
    system: OpenSystem,
    mean: float,
    bias: np.ndarray,
    probes: Sequence[int] | np.ndarray,
    left_out: np.ndarray | None = None,
    first: np.ndarray | None = None,
) -> Validity:
    """Return `validities` of one system, with the rows of its own."""
    change = None if left_out is None or first is None else (left_out[None], first[None])
    return validities([system], mean, bias[None], probes, change)[0]


def validities(
    systems: Sequence[OpenSystem],
    mean: float,
    bias: np.ndarray,
    probes: Sequence[int] | np.ndarray,
    change: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[Validity]:
    """Return how far the solutions of several systems are valid.

    Parameters
    ----------
    systems : sequence of n OpenSystem
        The systems, with the same terminals, for their bands and temperatures.
    mean : float
        Mean of the given chemical potentials, in t.
    bias : (n, t) float array
        Chemical potentials that were found, from the mean.
    probes : sequence of int
        Places of the probes among the terminals.
    change : pair of (n, t) float arrays, optional
        What the orders left out change the currents by, in t/hbar, and sums of the magnitudes of
        the first-order terms in them; None for exact solutions.

    Returns
    -------
    list of Validity
        An expansion is in doubt where a cold potential leaves its band, a warm one by more than
        its temperature, and where more was left out of a current than the first order holds.
    """
    system, mu = systems[0], mean + bias
    warmth, (low, high) = terminal_temperatures(system), terminal_bands(system).T
    low, high = (np.repeat(edge[None], len(systems), axis=0) for edge in (low, high))
    if change is not None:
        # Where the system has no states the bands of terminals end in nothing.
        lowest, highest = np.transpose([spectral_range(each) for each in systems])
        low, high = np.maximum(low, lowest[:, None]), np.minimum(high, highest[:, None])
    excess, share = np.zeros((2, *mu.shape))
    beyond = np.maximum(np.maximum(low - mu, mu - high), distance_from_bands(system, mu))
    excess[:, probes] = beyond[:, probes]
    # A potential on the edge itself was rounded to either side.
    excess[excess <= 8 * np.finfo(float).eps * (abs(mean) + abs(bias))] = 0.0
    if change is not None:
        left_out, first = change
        size = np.where(first > 0, first, first.max(axis=1, keepdims=True))
        np.divide(abs(left_out), size, out=share, where=size > 0)
    worst, far = share.argmax(axis=1).tolist(), (excess - warmth).argmax(axis=1).tolist()
    departure = abs(bias[:, probes]).max(axis=1, initial=0.0).tolist()
    largest, found = excess.max(axis=1, initial=0.0).tolist(), []
    for k in range(len(systems)):
        neglected, a, reason = float(share[k, worst[k]]), far[k], ""
        if change is not None and excess[k, a] > warmth[a]:
            where = "in a gap of" if low[k, a] < mu[k, a] < high[k, a] else "beyond"
            reason = (
                f"no such state: probe {system.terminals[a].name!r} would have the chemical "
                f"potential {mu[k, a]:.6g}, {where} the states it exchanges with, "
                f"{low[k, a]:.6g} to {high[k, a]:.6g}"
            )
        elif neglected > _LARGEST_NEGLECTED:
            reason = (
                f"the orders left out change the current of terminal "
                f"{system.terminals[worst[k]].name!r} by {neglected:.3g} times its first-order "
                "terms"
            )
        if reason:
            reason += "; demand less current at less bias, or solve exactly"
        found.append(Validity(largest[k], departure[k], neglected, reason))
    return found


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
        return cold_changes([system], mean, bias[None])[0]
    common = SimpleNamespace(chemical_potential=mean, temperature=warmth)
    lead = SimpleNamespace(
        chemical_potential=mean + bias[system.terminal_of_lead][:, None], temperature=warmth
    )
    occupations = Occupations(
        np.zeros_like, np.zeros_like, lambda energies: fermi_difference(energies, lead, common)
    )
    none = np.empty(0, int)
    return flows(moved(system, mean + bias), none, _RTOL, poles, occupations)[0]


def cold_changes(systems: Sequence[OpenSystem], mean: float, bias: np.ndarray) -> np.ndarray:
    """Return `current_change` of several systems at temperature 0 by the midpoint rule.

    Each lead's occupation is averaged over the cells, so that the steps of many probes cost
    nothing.  A resonance narrower than a cell shows by its wings.

    Parameters
    ----------
    systems : sequence of n OpenSystem
        Of one `nessflow.solvers.solver.site_shape`.
    mean : float
        Common chemical potential, in t.
    bias : (n, t) float array
        Chemical potentials from the mean, in t.

    Returns
    -------
    (n, t) float array
        In t/hbar.
    """
    system, bands = systems[0], terminal_bands(systems[0])
    lowest, highest = np.transpose([spectral_range(each) for each in systems])
    beyond = _BEYOND * (highest - lowest)
    offsets = bias[:, system.terminal_of_lead]
    bottom = np.maximum(bands[:, 0].min(), lowest - beyond) - mean
    top = np.minimum(bands[:, 1].max(), highest + beyond) - mean
    low = np.maximum(np.minimum(offsets.min(axis=1), 0.0), bottom)
    high = np.minimum(np.maximum(offsets.max(axis=1), 0.0), top)
    result = np.zeros(bias.shape)
    moves = np.flatnonzero(low < high)
    step = max(1, _ELEMENTS // (_CELLS * max(system.sites, len(system.leads))))
    for start in range(0, moves.size, step):
        part = moves[start : start + step]
        edges = np.linspace(low[part], high[part], _CELLS + 1, axis=1)
        cells, width = (edges[:, None, :-1], edges[:, None, 1:]), edges[:, 1] - edges[:, 0]
        # Over systems, leads and cells.
        change = np.clip(offsets[part, :, None], *cells) - np.clip(0.0, *cells)
        excess = np.moveaxis(change / width[:, None, None], 1, 0).reshape(len(system.leads), -1)
        energies = (mean + 0.5 * (edges[:, :-1] + edges[:, 1:])).ravel()
        batch = Batch(tuple(systems[k] for k in part), np.full(part.size, _CELLS))
        flow = _flow(batch, energies, excess).reshape(len(system.leads), part.size, _CELLS)
        result[part] = by_terminal(system, flow.sum(axis=2)).T * width[:, None] / (2 * np.pi)
    return result


def _flow(batch: Batch, energies: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Return what each lead's current changes by with its occupation, (l, E), over ``dw/2pi``."""
    gamma = lead_broadening(batch, energies)
    sources = [Source(gamma * excess), Source(gamma, loss=1.0, gain=1.0)]
    received, spectral = gamma * lead_sums(batch, energies, sources)
    return spectral * excess - received
