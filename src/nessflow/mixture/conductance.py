"""Conductances of one gate: response of its currents to its reservoir, the others unchanged."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nessflow.estimate import Estimate
from nessflow.mixture.occupation import Occupations
from nessflow.mixture.quadrature import Nodes, in_parts, integrate
from nessflow.mixture.state import Mixture


class Conductances(NamedTuple):
    """Conductances of P gates, all (P,); currents count into the system, in every gate.

    With that sign (80) and (82) hold for both gates; counted along the line, as (53) does, the
    second gate's have the opposite sign.
    """

    electrical: Estimate
    """``dj/dmu`` (80), in e^2/hbar."""
    thermal_fixed_potential: Estimate
    """``dq/dT`` at fixed chemical potential (81), particles flowing with the heat, in t/hbar."""
    thermal: Estimate
    """The same without particle current (open circuit), in t/hbar."""
    seebeck: Estimate
    """Voltage over temperature difference without particle current, in k_B/e."""
    lorenz_fixed_potential: Estimate
    """The paper's Lorenz number (83), in (k_B/e)^2."""
    lorenz: Estimate
    """Thermal (open circuit) over electrical conductance over temperature, in (k_B/e)^2."""
    converged: np.ndarray


def _ratio(top: Estimate, bottom: Estimate) -> Estimate:
    """Return a quotient, NaN where the denominator is zero within its error."""
    least = abs(bottom.value) - bottom.error
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(least > 0, top.value / bottom.value, np.nan)
        return Estimate(value, (top.error + abs(value) * bottom.error) / least)


def gate_conductances(
    mixtures: Sequence[Mixture], gate: int = 0, rtol: float = 1e-13
) -> Conductances:
    """Return the conductances of one gate of each mixture of two reservoirs.

    ``K_n = int d omega/2pi I (-d') ((omega - mu)/T)^n``: ``sigma = K_0``, ``kappa = T K_2``.

    Parameters
    ----------
    mixtures : sequence of Mixture
        Of two reservoirs, at temperatures above 0, with one statistics.
    gate : {0, 1}
        Which reservoir's.
    rtol : float
        Error over value aimed at.

    Returns
    -------
    Conductances
        Each (P,), with the errors.

    Raises
    ------
    ValueError
        When a temperature is 0 or there are more reservoirs.
    """
    mixtures = list(mixtures)
    if any(len(x.reservoirs) != 2 for x in mixtures):
        raise ValueError("the currents of a gate are defined for two reservoirs")
    if any(x.reservoirs[gate].temperature == 0 for x in mixtures):
        raise ValueError("conductances need a temperature above 0")
    temperature = np.array([x.reservoirs[gate].temperature for x in mixtures])

    def integrand(nodes: Nodes, members: Sequence[Mixture]) -> tuple[np.ndarray, np.ndarray]:
        found = Occupations(members, nodes)
        window = found.filled[gate] * found.empty[gate] / found.temperatures[gate]
        # I_1 in both gates: what flows in at one flows out at the other.
        values = found.shares.imbalance[0] * window
        sizes = found.shares.size[0] * found.window_size[gate] / found.temperatures[gate]
        x = found.reduced[gate]
        return (
            np.stack([values * x**n for n in range(3)]),
            np.stack([sizes * abs(x) ** n for n in range(3)]),
        )

    found = in_parts(mixtures, lambda part: integrate(part, lambda n: integrand(n, part), rtol))
    k = [Estimate(*row) for row in np.stack(found[:2], axis=1) / (2 * np.pi)]
    seebeck, lorenz = _ratio(k[1], k[0]), _ratio(k[2], k[0])
    spread = lorenz.value - seebeck.value**2
    open_circuit = Estimate(
        spread,
        lorenz.error
        + (2 * abs(seebeck.value) + seebeck.error) * seebeck.error
        + 4 * np.finfo(float).eps * lorenz.value,
    )
    thermal = Estimate(
        temperature * k[0].value * spread,
        temperature
        * ((abs(k[0].value) + k[0].error) * open_circuit.error + k[0].error * abs(spread)),
    )
    return Conductances(
        k[0],
        temperature * k[2],
        thermal,
        -1 * seebeck,
        lorenz,
        open_circuit,
        found.converged,
    )
