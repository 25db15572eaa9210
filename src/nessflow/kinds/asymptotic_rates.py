"""Rates of the asymptotic master equation of a network, their parts and the flows they make."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

from nessflow.estimate import Estimate
from nessflow.lindblad.counting import transport
from nessflow.lindblad.decomposition import joint_rate, split
from nessflow.lindblad.equation import MasterEquation, canonical_rates, non_markovianity
from nessflow.lindblad.propagator import asymptotic_gain, damping_matrix, propagator_hamiltonian
from nessflow.studies import network_flows, networks
from nessflow.studies.kind import COVARIANCE, NOT_NEGATIVE, Coordinate, Outcome, Variable
from nessflow.studies.networks import TERMINALS
from nessflow.studies.networks import NetworkParameters as Parameters
from nessflow.studies.variables import never_random, outcome_of, with_errors
from nessflow.systems.matrices import as_dense

_RATE = "t/hbar"

CONVENTIONS = (
    *networks.CONVENTIONS,
    *network_flows.CONVENTIONS,
    "Rates are those of populations, D[L] rho = L rho L^+ - {L^+ L, rho}/2, in the exponential-"
    "propagator approximation; band edges are kept.",
    "Canonical rates: eigenvalues of the total rate matrices; non-Markovianity: minus the sum of "
    "the negative ones (of gain and loss).",
    "Reservoir rates: what each reservoir does to each mode (diagonal of its rate matrix between "
    "modes).  Interference rate: largest eigenvalue of what is left between modes, for two sites "
    "|Lambda_12|; delocalised rates: the same for what is left between sites.",
)

VARIABLES = with_errors(
    network_flows.FLOWS
    | {
        "canonical_gain_rate": Variable(("mode",), _RATE, "canonical rate of gain, ascending"),
        "canonical_loss_rate": Variable(("mode",), _RATE, "canonical rate of loss, ascending"),
        "non_markovianity": Variable((), _RATE, "asymptotic non-Markovianity", NOT_NEGATIVE),
        "relative_non_markovianity": Variable(
            (), "1", "asymptotic non-Markovianity over the coupling", NOT_NEGATIVE
        ),
        "reservoir_gain_rate": Variable(
            ("terminal", "mode"), _RATE, "gain rate of the mode due to the reservoir"
        ),
        "reservoir_loss_rate": Variable(
            ("terminal", "mode"), _RATE, "loss rate of the mode due to the reservoir"
        ),
        "interference_rate": Variable(
            (), _RATE, "rate of the interference term between modes", NOT_NEGATIVE
        ),
        "delocalised_gain_rate": Variable(
            (), _RATE, "rate of the gain shared by different sites", NOT_NEGATIVE
        ),
        "delocalised_loss_rate": Variable(
            (), _RATE, "rate of the loss shared by different sites", NOT_NEGATIVE
        ),
    }
) | {
    "upper_level": Variable((), "t", "highest energy of the network"),
    "lower_level": Variable((), "t", "lowest energy of the network"),
}
is_random = never_random


def coordinates(parameters: Parameters) -> dict[str, Coordinate]:
    """Return reservoirs and modes."""
    return {
        **networks.terminal_coordinates(),
        "mode": networks.numbered("mode", parameters.network.sites),
    }


@lru_cache(maxsize=4096)
def _gain(
    network: networks.Network,
    bandwidth: float,
    coupling: float,
    name: str,
    reservoir: networks.Reservoir,
    bosonic: bool,
) -> tuple[np.ndarray, float]:
    """Return the gain matrix of one reservoir between sites, and its error.

    It knows nothing of the other reservoir's occupation, so that a map of two of them needs as
    many integrals as it has rows and columns.
    """
    reservoirs = networks.Reservoirs(
        bandwidth=bandwidth, coupling=coupling, left=reservoir, right=reservoir
    )
    system = Parameters(
        network=network,
        reservoirs=reservoirs,
        statistics="bosons" if bosonic else "fermions",
    ).system()
    lead = system.leads[TERMINALS.index(name)]
    value, error = asymptotic_gain(system, lead, propagator_hamiltonian(system), bosonic)
    return value, float(error.max())


@lru_cache(maxsize=256)
def _damping(network: networks.Network, bandwidth: float, coupling: float) -> np.ndarray:
    """Return ``Gamma_a`` of both reservoirs between sites, (2, N, N)."""
    cold = networks.Reservoir(chemical_potential=-2 * bandwidth, temperature=0)
    reservoirs = networks.Reservoirs(bandwidth=bandwidth, coupling=coupling, left=cold, right=cold)
    system = Parameters(network=network, reservoirs=reservoirs).system()
    return np.array([damping_matrix(system, lead) for lead in system.leads])


def evaluate(parameters: Parameters, rng: np.random.Generator | None) -> Outcome:
    """Return the rates (55), their parts (56)-(58), (69)-(75) and their negativity (82)."""
    return evaluate_many([parameters])[0]


def evaluate_many(parameters: Sequence[Parameters], rngs: Sequence[None] = ()) -> list[Outcome]:
    """Return the outcomes of many points; those of one network and band are computed together."""

    def surroundings(point: Parameters) -> tuple:
        return point.network, point.reservoirs.bandwidth, point.reservoirs.coupling, point.bosonic

    return [x for _, alike in groupby(parameters, surroundings) for x in _outcomes(list(alike))]


def _outcomes(points: list[Parameters]) -> list[Outcome]:
    """Return the outcomes of points of one network, band and statistics."""
    network, own, bosonic = points[0].network, points[0].reservoirs, points[0].bosonic
    band = own.bandwidth, own.coupling
    found = [
        [_gain(network, *band, name, getattr(x.reservoirs, name), bosonic) for name in TERMINALS]
        for x in points
    ]
    gain = np.array([[value for value, _ in pair] for pair in found])
    wrong = np.array([[error for _, error in pair] for pair in found])
    loss = _damping(network, *band) + (1 if bosonic else -1) * gain
    levels, modes = networks.modes_of(network)
    # What an eigenvalue may be wrong by is less than the sum of the errors of a row.
    error = network.sites * wrong.sum(axis=1)
    own_gain, interference = split(gain, modes)
    own_loss, _ = split(loss, modes)
    canonical = [canonical_rates(x.sum(axis=1)) for x in (gain, loss)]
    values = {
        "canonical_gain_rate": canonical[0],
        "canonical_loss_rate": canonical[1],
        "reservoir_gain_rate": own_gain,
        "reservoir_loss_rate": own_loss,
        "interference_rate": joint_rate(interference),
        "delocalised_gain_rate": joint_rate(split(gain)[1]),
        "delocalised_loss_rate": joint_rate(split(loss)[1]),
    }
    columns: dict[str, Any] = {
        name: Estimate(value, np.broadcast_to(error, value.T.shape).T)
        for name, value in values.items()
    }
    nu = non_markovianity(gain.sum(axis=1), loss.sum(axis=1))
    negative = Estimate(nu, 2 * network.sites * error)
    columns |= {"non_markovianity": negative, "relative_non_markovianity": negative / own.coupling}
    fixed = {"upper_level": float(levels[0]), "lower_level": float(levels[-1])}
    flows = _flows(points, gain, loss, wrong.max(axis=1))
    # Where no rate is negative charges are counted by a classical process.
    lowest = np.minimum(*(canonical_rates(x).min(axis=(1, 2)) for x in (gain, loss)))
    return [
        outcome_of(
            VARIABLES,
            {name: column.at(i) for name, column in columns.items()} | fixed | flows[i],
            limits={"particle_noise": COVARIANCE} if lowest[i] >= -error[i] else {},
        )
        for i in range(len(points))
    ]


def _flows(
    points: list[Parameters], gain: np.ndarray, loss: np.ndarray, error: np.ndarray
) -> list[dict[str, Estimate]]:
    """Return what the equations of these rates say of currents, noise and entropy production."""
    h = as_dense(points[0].network.hamiltonian())
    equations = MasterEquation(TERMINALS, h, loss, gain, points[0].bosonic, error)
    try:
        return network_flows.flows_of_many(points, transport(equations))
    except ValueError as reason:
        if len(points) == 1:
            return [network_flows.undefined_flows(str(reason))]
    each = zip(points, gain, loss, error, strict=True)
    return [_flows([point], *(x[None] for x in rates))[0] for point, *rates in each]
