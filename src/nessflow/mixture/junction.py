"""Any number of reservoirs at the ends of a star graph.

The paper fixes only that the imbalances of all reservoirs add to zero (131).  Currents of each
gate need a choice; the one made here is a doubly stochastic matrix ``T_ij``, the probability that
a particle from reservoir j leaves through gate i.  Then the edge of gate i is a mixture with
weights ``delta_ij`` towards the vertex and ``T_ij`` away from it, and its current (49) is

    J_i = int d omega/2pi sum_j T_ij (d_i - d_j),

with ``sum_i J_i = 0`` and entropy production that is never negative.  Two reservoirs with
``T_12 = I`` are the line with imbalance I.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nessflow.estimate import Estimate, undefined
from nessflow.mixture.state import FERMIONS, Mixture, Reservoir, StepWeights
from nessflow.mixture.transport import transport

_SUM_TOLERANCE = 1e-12


def check_exchange(exchange: np.ndarray) -> np.ndarray:
    """Return a doubly stochastic matrix as an array.

    Parameters
    ----------
    exchange : (n, n) array
        ``T_ij``.

    Returns
    -------
    (n, n) float array
        A copy.

    Raises
    ------
    ValueError
        When it is not square, or rows or columns are no probabilities.
    """
    matrix = np.array(exchange, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(f"exchange must be a square matrix, got the shape {matrix.shape}")
    if not (np.all(matrix >= 0) and np.all(matrix <= 1)):
        raise ValueError("exchange must have probabilities between 0 and 1")
    for name, sums in (("row", matrix.sum(axis=1)), ("column", matrix.sum(axis=0))):
        worst = int(np.argmax(abs(sums - 1)))
        if abs(sums[worst] - 1) > _SUM_TOLERANCE:
            raise ValueError(
                f"exchange must be doubly stochastic: {name} {worst + 1} adds to "
                f"{sums[worst]:.12g}, not 1"
            )
    return matrix


def edges(
    reservoirs: Sequence[Reservoir],
    exchange: np.ndarray,
    mass: float = 1.0,
    statistics: str = FERMIONS,
) -> list[Mixture]:
    """Return the mixture on the edge of each gate, momenta positive towards the vertex.

    Parameters
    ----------
    reservoirs : sequence of Reservoir
        n of them.
    exchange : (n, n) array
        ``T_ij``, doubly stochastic.
    mass : float
        In hbar^2/(t a^2).
    statistics : {"fermions", "bosons"}
        Of the particles.

    Returns
    -------
    list of Mixture
        n of them.

    Raises
    ------
    ValueError
        When the matrix is not doubly stochastic or does not fit the reservoirs.
    """
    matrix = check_exchange(exchange)
    if len(matrix) != len(reservoirs):
        raise ValueError(
            f"exchange is a matrix for {len(matrix)} reservoirs, there are {len(reservoirs)}"
        )
    incoming = np.eye(len(matrix))
    return [
        Mixture(reservoirs, StepWeights(incoming[gate], matrix[gate]), mass, statistics)
        for gate in range(len(matrix))
    ]


class JunctionTransport(NamedTuple):
    """Observables of a junction of n reservoirs; (n,) by gate but for the last."""

    density: Estimate
    """On the edge, in 1/a."""
    particle_current: Estimate
    """From the reservoir into the system, in t/hbar."""
    energy_current: Estimate
    """In t^2/hbar."""
    heat_current: Estimate
    """``J^1_i - mu_i J_i``, in t^2/hbar."""
    noise: Estimate
    """``P_0`` (117) on the edge, in t/hbar."""
    entropy_production: Estimate
    """``-sum_i J^Q_i/T_i``, in k_B t/hbar; NaN where a temperature is 0."""
    converged: bool


def junction_transport(mixtures: Sequence[Mixture]) -> JunctionTransport:
    """Return the observables of the edges of one junction.

    Parameters
    ----------
    mixtures : sequence of Mixture
        The edges.

    Returns
    -------
    JunctionTransport
        With the errors.
    """
    found = transport(mixtures, orders=2)
    reservoirs = mixtures[0].reservoirs
    mu = np.array([r.chemical_potential for r in reservoirs])
    temperature = np.array([r.temperature for r in reservoirs])
    particle, energy = found.particle_current, found.energy_current
    heat = Estimate(energy.value - mu * particle.value, energy.error + abs(mu) * particle.error)
    entropy = undefined("at temperature 0 heat has no finite entropy")
    if np.all(temperature > 0):
        entropy = Estimate(
            -float(np.sum(heat.value / temperature)), float(np.sum(heat.error / temperature))
        )
    return JunctionTransport(
        found.density, particle, energy, heat, found.noise, entropy, bool(found.converged.all())
    )
