"""A chain of resistors with current sources at its nodes (paper nonreciprocal-gain-loss, app. D).

Both ends are held at given potentials; ideal current sources inject s_x into node x (extract, where
negative).  Units: charge and k_B are 1.
"""

from dataclasses import dataclass

import numpy as np

from nessflow.classical.currents import ChainCurrents
from nessflow.classical.sums import EPSILON, running_sums
from nessflow.estimate import Estimate, undefined


@dataclass(frozen=True)
class Circuit:
    """A chain of ``n`` nodes.

    Parameters
    ----------
    resistance : np.ndarray
        Resistance between neighbouring nodes, shape (n-1,).
    injection : np.ndarray
        Current into each node, shape (n,); zero at both ends, which are held at their potentials.
    left, right : float
        Potentials of the first and the last node.
    """

    resistance: np.ndarray
    injection: np.ndarray
    left: float
    right: float


@dataclass(frozen=True)
class CircuitState(ChainCurrents):
    """Steady state of a `Circuit`.

    Attributes
    ----------
    bond_current : Estimate
        (n-1,), through the resistors, to the right.
    potential : Estimate
        (n,), of the nodes.
    heat : Estimate
        (n-1,), power that each resistor turns into heat.
    """

    potential: Estimate
    heat: Estimate


def steady_state(circuit: Circuit) -> CircuitState:
    """Return Kirchhoff's and Ohm's laws solved: (D1)-(D3) of the paper, any other placement.

    The current after node x is that of the first resistor and all that was injected up to x; the
    voltages over the resistors add up to the bias.  The error bounds the rounding.

    Parameters
    ----------
    circuit : Circuit
        Any placement of sources and drains.

    Returns
    -------
    CircuitState
        With the errors.
    """
    resistance = circuit.resistance
    added = np.concatenate([[0.0], running_sums(circuit.injection[1:-1])])
    total = resistance.sum()
    bias = circuit.left - circuit.right
    drops = resistance * added
    current = (bias - running_sums(drops)[-1]) / total
    size = abs(bias) + np.sum(abs(drops))
    bonds = current + added
    bonds_error = 4 * EPSILON * (size / total + abs(current)) + EPSILON * (abs(added) + abs(bonds))
    # Over a large resistance a current below the least number still makes a voltage.
    bonds_error += np.finfo(float).smallest_subnormal * (size > 0)
    falls = resistance * bonds
    potential = circuit.left - np.concatenate([[0.0], running_sums(falls)])
    potential_error = total * bonds_error.max() + 4 * EPSILON * (abs(circuit.left) + size)
    heat = falls * bonds
    heat_error = resistance * bonds_error * (2 * abs(bonds) + bonds_error) + 4 * EPSILON * heat
    return CircuitState(
        Estimate(bonds, bonds_error),
        Estimate(potential, np.full(potential.shape, potential_error)),
        Estimate(heat, heat_error),
    )


def particle_noise(circuit: Circuit, temperature: float) -> Estimate:
    """Return the zero-frequency noise of the currents at both ends, ``2 T / R`` times +-1.

    Thermal noise of the resistors (Johnson and Nyquist), symmetrised, without the factor 2 of the
    engineers; ideal current sources have none.

    Parameters
    ----------
    circuit : Circuit
        Of which the resistors count alone.
    temperature : float
        Of all resistors.

    Returns
    -------
    Estimate
        (2, 2), per time.
    """
    value = 2 * temperature / circuit.resistance.sum() * np.array([[1.0, -1.0], [-1.0, 1.0]])
    return Estimate(value, EPSILON * (np.log2(len(circuit.resistance)) + 4) * abs(value))


def entropy_production(state: CircuitState, temperature: float) -> Estimate:
    """Return the heat of all resistors over their temperature.

    Parameters
    ----------
    state : CircuitState
        Its heat.
    temperature : float
        Of all resistors.

    Returns
    -------
    Estimate
        In k_B per time; undefined at temperature 0.
    """
    if temperature == 0:
        return undefined("at temperature 0 heat has no finite entropy")
    return state.heat.total() / temperature
