"""Density, currents, noise, entropy production and counting statistics of mixtures.

Integrals are ``int dk/2pi |k|/m = int d omega/2pi``.  Currents count from left to right,
``net_...``, or from each reservoir into the system.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nessflow.estimate import Estimate
from nessflow.mixture.counting import both_directions, cumulant_of_both_directions, moment
from nessflow.mixture.occupation import Occupations
from nessflow.mixture.quadrature import Nodes, in_parts, integrate
from nessflow.mixture.state import Mixture


class Transport(NamedTuple):
    """Observables of P mixtures; each of (..., P) numbers, by mixture last.

    Those of gates and entropy are NaN where there are more than two reservoirs, since the paper
    fixes only their sum; those of entropy where a temperature is 0.
    """

    density: Estimate
    """``int dk/2pi d_mix`` (42), in 1/a."""
    particle_current: Estimate
    """(49), (50), in t/hbar."""
    energy_current: Estimate
    """(74), in t^2/hbar."""
    heat_current: Estimate
    """Heat that each reservoir loses, (2, P), in t^2/hbar: (76), the second gate's turned round."""
    noise: Estimate
    """``P_0`` (117): growth of the variance of the transferred number, in t/hbar."""
    cumulants: Estimate
    """``W_n[j]`` (62), n = 1 to ``orders``, (orders, P), in t/hbar."""
    entropy_production: Estimate
    """(95), (96), in k_B t/hbar."""
    entropy_moments: Estimate
    """``int dk/2pi |k|/m M_n``, (107) and (110), (orders, P); the printed fluctuations."""
    entropy_cumulants: Estimate
    """The same with cumulants: what (106) gives at zero frequency, see `transport`."""
    converged: np.ndarray
    """(P,) bool."""


def _density_terms(found: Occupations) -> tuple[list, list]:
    """Return ``d_mix(k) + d_mix(-k)`` over the velocity ``k/m``."""
    masses = found._of([mixture.mass for mixture in found.mixtures])
    value, size = (x.sum(axis=0) * masses / found.momenta for x in (found.mixed, found.mixed_size))
    return [value], [size]


def _current_terms(found: Occupations) -> tuple[list, list]:
    flow, size = found.flow, found.flow_size
    energies = found.nodes.energies
    values, sizes = [flow, energies * flow], [size, energies * size]
    if len(found.potentials) == 2:
        for offset, direction in zip(found.nodes.offsets, (1, -1), strict=True):
            values.append(direction * offset * flow)
            sizes.append(abs(offset) * size)
    return values, sizes


def _cumulant_terms(found: Occupations, orders: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the integrand of each cumulant, and its magnitude."""
    return [cumulant_of_both_directions(order, found) for order in range(1, orders + 1)]


def _moment_terms(found: Occupations, orders: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the integrand of each moment, and its magnitude."""
    return [
        both_directions(moment(order, found.sign), order, found) for order in range(1, orders + 1)
    ]


def _entropy_terms(found: Occupations, numbers: list[tuple]) -> tuple[list, list]:
    """Return the integrands of the entropy production from those of the transferred number."""
    # A particle from the first reservoir to the second, gamma_21 = x_2 - x_1; at temperature 0
    # it is infinite, and the result is not used.
    entropy = -np.where(np.isfinite(found.affinity[0]), found.affinity[0], 0.0)
    power: Any = 1.0
    values, sizes = [], []
    for value, size in numbers:
        power = power * entropy
        values.append(power * value)
        sizes.append(abs(power) * size)
    return values, sizes


def _has_entropy(mixture: Mixture) -> bool:
    return len(mixture.reservoirs) == 2 and all(r.temperature > 0 for r in mixture.reservoirs)


def transport(mixtures: Sequence[Mixture], orders: int = 4, rtol: float = 1e-12) -> Transport:
    """Return the observables of many mixtures at once.

    The entropy produced by a particle that goes from reservoir 1 to 2 is
    ``gamma_21 = gamma_2 - gamma_1`` (108), not ``gamma_12`` as the text after (109) has it.  At
    zero frequency the disconnected part of (106) drops out, so its fluctuations are the cumulants
    of the distribution (108), not its moments (110); both are returned.

    Parameters
    ----------
    mixtures : sequence of Mixture
        With one number of reservoirs and one statistics.
    orders : int
        Highest cumulant and moment, 2 or more.
    rtol : float
        Error over value aimed at; rounding errors that are larger take its place.

    Returns
    -------
    Transport
        With the errors.

    Raises
    ------
    ValueError
        When the mixtures do not go together or ``orders`` is below 2.
    """
    mixtures = list(mixtures)
    if orders < 2:
        raise ValueError(f"orders must be 2 or more, got {orders}")
    if len({(len(x.reservoirs), x.sign) for x in mixtures}) != 1:
        raise ValueError("mixtures computed together need one number of reservoirs, one statistics")
    two = len(mixtures[0].reservoirs) == 2
    warm = np.array([_has_entropy(mixture) for mixture in mixtures])

    def integrand(nodes: Nodes, members: Sequence[Mixture]) -> tuple[np.ndarray, np.ndarray]:
        found = Occupations(members, nodes)
        cumulants = _cumulant_terms(found, orders)
        groups = [
            _density_terms(found),
            _current_terms(found),
            tuple(zip(*cumulants[1:], strict=True)),
        ]
        if two:
            groups.append(_entropy_terms(found, _moment_terms(found, orders)))
            groups.append(_entropy_terms(found, cumulants))
        one, other = (np.stack([x for group in groups for x in group[part]]) for part in (0, 1))
        return one, other

    found = in_parts(mixtures, lambda part: integrate(part, lambda n: integrand(n, part), rtol))
    rows = iter(np.stack(found[:2], axis=1) / (2 * np.pi))

    def take(count: int, defined: bool | np.ndarray = True) -> Estimate:
        taken = [next(rows) for _ in range(count)] if np.any(defined) or two else []
        block = np.stack(taken, axis=1) if taken else np.full((2, count, len(mixtures)), np.nan)
        return Estimate(*np.where(defined, block, np.nan))

    density, current, energy = (take(1).at(0) for _ in range(3))
    heat = take(2) if two else take(2, False)
    higher = take(orders - 1)
    moments, cumulants = take(orders, warm & two), take(orders, warm & two)
    return Transport(
        density,
        current,
        energy,
        heat,
        higher.at(0),
        Estimate(
            np.concatenate([current.value[None], higher.value]),
            np.concatenate([current.error[None], higher.error]),
        ),
        moments.at(0),
        moments,
        cumulants,
        found.converged,
    )
