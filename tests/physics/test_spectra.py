"""Spectral currents, noise and entropy production: their integrals are the steady ones."""

import numpy as np
import pytest

from judging import judged
from nessflow.kinds import master_equations, network_transmission, steady_current, transmission
from nessflow.studies.kind import Status

NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)
THREE = ("particle_current", "particle_noise", "entropy_production")

CHAIN = {
    "lattice": {"kind": "chain", "sites": 5},
    "leads": {
        "left": {"kind": "semi-infinite-chain", "chemical_potential": 0.4, "temperature": 0.3},
        "right": {"kind": "semi-infinite-chain", "chemical_potential": -0.1, "temperature": 0.2},
    },
}
PROPORTIONAL = CHAIN | {
    "loss": {"kind": "onsite", "rate": 0.2},
    "gain": {"kind": "onsite", "rate": 0.05},
}
THIRD = {"kind": "semi-infinite-chain", "site": 3, "chemical_potential": 0.9, "temperature": 0.4}
SYSTEMS = {
    "closed": CHAIN,
    "three leads": CHAIN | {"leads": CHAIN["leads"] | {"third": THIRD | {"coupling": 0.6}}},
    "two channels": CHAIN | {"leads": CHAIN["leads"] | {"third": THIRD | {"site": [2, 4]}}},
    "loss and gain": PROPORTIONAL,
    "loss": CHAIN | {"loss": {"kind": "onsite", "rate": 0.2}},
}


def rule(half=2.0, pieces=12):
    """Return nodes and weights of a rule on the band; the root at its edges is mapped."""
    ends = np.linspace(-np.pi / 2, np.pi / 2, pieces + 1)
    middle, width = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    angle = (middle[:, None] + width[:, None] * NODES).ravel()
    return half * np.sin(angle), (width[:, None] * WEIGHTS).ravel() * half * np.cos(angle)


def integrals(kind, energies, weights, **keys):
    parameters = kind.Parameters(energies=energies, **keys)
    found = judged(kind, parameters)
    assert found.status == Status.OK, found.message
    weights = weights * getattr(parameters, "reservoirs", Unit).bandwidth
    return {
        name: (
            found.values[f"spectral_{name}"] @ weights,
            found.values[f"spectral_{name}_error"] @ weights,
            found.reasons.get(f"spectral_{name}"),
        )
        for name in THREE
    }


class Unit:
    bandwidth = 1.0


@pytest.mark.parametrize("name", SYSTEMS)
def test_integrals_of_spectra_are_the_steady_flows(name):
    system = SYSTEMS[name]
    found = integrals(transmission, *rule(), system=system)
    steady = judged(steady_current, steady_current.Parameters(system=system))
    for key, (value, error, reason) in found.items():
        expected, wrong = steady.values[key], steady.values[f"{key}_error"]
        if key == "particle_current":
            expected, wrong = (x[: len(value)] for x in (expected, wrong))
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)
        assert np.all((abs(value - expected) <= error + wrong + 1e-9) | np.isnan(expected))
        assert reason == steady.reasons.get(key)


@pytest.mark.parametrize("bosonic", [False, True])
def test_integrals_of_network_spectra_are_the_exact_flows(bosonic):
    network = {"sites": 3, "energy": 0.3, "detuning": 0.2, "tunnelling": 0.4}
    low = -2.6 if bosonic else 0.2
    reservoirs = {
        "bandwidth": 2.0,
        "coupling": 0.6,
        "left": {"chemical_potential": low, "temperature": 0.5},
        "right": {"chemical_potential": low - 0.1, "temperature": 0.4},
    }
    keys = {"network": network, "reservoirs": reservoirs}
    keys["statistics"] = "bosons" if bosonic else "fermions"
    found = integrals(network_transmission, *rule(1.0, 40), **keys)
    steady = judged(master_equations, master_equations.Parameters(**keys)).values
    for key, (value, _, _) in found.items():
        np.testing.assert_allclose(value, steady[key][0], rtol=1e-9, atol=1e-13)


def spectrum(system, start, stop, points):
    grid = {"start": start, "stop": stop, "points": points}
    return judged(transmission, transmission.Parameters(system=system, energies=grid))


def cold(**potentials):
    leads = {
        name: {"kind": "semi-infinite-chain", "chemical_potential": mu, "temperature": 0}
        for name, mu in potentials.items()
    }
    return {"lattice": {"kind": "chain", "sites": 3}, "leads": leads}


def test_steps_of_cold_leads_have_no_value():
    """A clean chain between chains like it transmits all: the current is 1/2 pi in the window."""
    found = spectrum(cold(left=0.5, right=-0.5), -1, 1, 5)
    assert found.status == Status.OK, found.message
    current = found.values["spectral_particle_current"]
    np.testing.assert_allclose(2 * np.pi * current[:, 2], [1, -1], rtol=1e-14)
    assert np.isnan(current[:, [1, 3]]).all()
    assert not current[:, [0, 4]].any()
    assert "energy -0.5, 0.5 occupations jump" in found.reasons["spectral_particle_current"]
    # Nothing is noisy at temperature 0 where all is transmitted, on either side of the step.
    assert abs(found.values["spectral_particle_noise"]).max() < 1e-14
    assert "temperature 0" in found.reasons["spectral_entropy_production"]


def test_a_step_between_equal_leads_is_none():
    found = spectrum(cold(left=0.5, right=0.5), -1, 1, 5)
    assert found.status == Status.OK, found.message
    assert not found.values["spectral_particle_current"].any()
    assert not found.values["spectral_particle_noise"].any()


def test_band_edges_have_a_reason():
    found = spectrum(CHAIN, -2, 2, 3)
    assert found.status == Status.OK, found.message
    current = found.values["spectral_particle_current"]
    assert np.isnan(current[:, [0, 2]]).all()
    assert np.isfinite(current[:, 1]).all()
    for name in THREE:
        assert "band of left, right ends" in found.reasons[f"spectral_{name}"]
