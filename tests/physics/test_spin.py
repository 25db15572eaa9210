"""Spin densities and currents: the whole correlation matrix, rotations, conservation, symmetry."""

import numpy as np
import pytest

import nessflow as nf
from nessflow.observables.bond_currents import BondCurrents
from nessflow.observables.observable import evaluate
from nessflow.observables.sites.spin import PAULI, BondSpinCurrents, SpinDensity
from nessflow.outcome import Status
from nessflow.scattering.correlations import correlation_matrix
from nessflow.solvers.pairwise import site_bonds
from nessflow.studies import systems
from nessflow.systems.matrices import as_dense

BAND = {"kind": "semi-infinite-chain", "hopping": 2.0, "temperature": 0.05}
RASHBA = [[1.0, -0.5], [0.5, 1.0]]
FIELD = [[0.3, 0.1 - 0.2j], [0.1 + 0.2j, -0.3]]
"""A Zeeman field (0.1, 0.2, 0.3)."""


def leads(left=(-1.2, 1), right=(-1.7, 4), **more):
    places = {"left": left, "right": right}
    return {
        name: BAND | {"chemical_potential": mu, "site": site} | more
        for name, (mu, site) in places.items()
    }


SYSTEMS = {
    "wire": {
        "lattice": {"kind": "chain", "sites": 4, "orbitals": 2, "onsite": FIELD, "hopping": RASHBA},
        "leads": leads(),
    },
    "lossy ring": {
        "lattice": {
            "kind": "ring",
            "sites": 4,
            "orbitals": 2,
            "onsite": FIELD,
            "hopping": RASHBA,
            "flux": 0.4,
        },
        "loss": {"kind": "onsite", "rate": 0.1},
        "leads": leads(right=(-1.7, 3)),
    },
    "long wire": {
        "lattice": {
            "kind": "chain",
            "sites": 40,
            "orbitals": 2,
            "onsite": FIELD,
            "hopping": RASHBA,
        },
        "leads": leads(right=(-1.7, 40)),
    },
    "one site": {
        "lattice": {"kind": "chain", "sites": 1, "orbitals": 2, "onsite": FIELD},
        "leads": leads(right=(-1.7, 1)),
    },
}


def system_of(description):
    return systems.open_system(systems.System.model_validate(description), None)


def values(system, *observables):
    found = evaluate(system, observables)
    assert found.status == Status.OK, found.message
    return found.values


def by_pauli(matrix, first, second):
    """``Re Tr[sigma/2 C]`` of blocks of a matrix between the orbitals of two sites."""
    block = matrix[2 * first : 2 * first + 2, 2 * second : 2 * second + 2]
    return np.array([np.trace(0.5 * sigma @ block) for sigma in PAULI])


@pytest.mark.parametrize("name", SYSTEMS)
def test_spins_are_those_of_the_whole_correlation_matrix(name):
    system = system_of(SYSTEMS[name])
    found = values(system, SpinDensity(), BondSpinCurrents())
    matrix = correlation_matrix(system).value.T  # <c_j^+ c_i>
    for site, spin in enumerate(found["spin_density"]):
        assert spin == pytest.approx(by_pauli(matrix, site, site).real, abs=1e-9)
    h = as_dense(system.hamiltonian)
    for (i, j), current in zip(site_bonds(system), found["bond_spin_current"], strict=True):
        hopping = h[2 * j : 2 * j + 2, 2 * i : 2 * i + 2]
        block = matrix[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        both = [np.trace((sigma @ hopping + hopping @ sigma) @ block) for sigma in PAULI]
        assert current == pytest.approx(0.5 * np.imag(both), abs=1e-9)


def test_a_strong_field_aligns_the_spin_against_itself():
    """One site in equilibrium far below the upper level: half a spin, antiparallel to the field."""
    field = np.array([2.0, -1.0, 2.0])
    onsite = np.einsum("a,aij->ij", field, PAULI)
    given = {
        "lattice": {
            "kind": "chain",
            "sites": 1,
            "orbitals": 2,
            "onsite": onsite.tolist(),
        },
        "leads": {
            "left": {"kind": "wide-band", "broadening": 1e-3, "chemical_potential": 0.0}
            | {"temperature": 0.05, "site": 1}
        },
    }
    spin = values(system_of(given), SpinDensity())["spin_density"][0]
    assert spin == pytest.approx(-0.5 * field / 3, abs=1e-3)


def rotated(matrix, turn):
    return (turn @ np.array(matrix) @ turn.conj().T).tolist()


def test_a_rotation_of_the_spin_rotates_densities_and_currents():
    angle, axis = 0.9, np.array([0.6, 0.0, 0.8])
    generator = np.einsum("a,aij->ij", axis, PAULI)
    turn = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * generator
    field = np.einsum("a,aij->ij", [0.1, 0.2, 0.3], PAULI)
    hopping = np.array(RASHBA)
    found = {}
    for name, one in (("plain", np.eye(2)), ("turned", turn)):
        lattice = {
            "kind": "chain",
            "sites": 3,
            "orbitals": 2,
            "onsite": rotated(field, one),
            "hopping": rotated(hopping, one),
        }
        system = system_of({"lattice": lattice, "leads": leads(right=(-1.7, 3))})
        found[name] = values(system, SpinDensity(), BondSpinCurrents())
    # R_ab = Tr[sigma_a U sigma_b U^+]/2.
    moved = np.einsum("aij,jk,bkl,ml->abim", PAULI, turn, PAULI, turn.conj())
    rotation = 0.5 * np.einsum("abii->ab", moved).real
    for name in ("spin_density", "bond_spin_current"):
        assert found["turned"][name] == pytest.approx(found["plain"][name] @ rotation.T, abs=1e-10)


def test_without_spin_orbit_coupling_the_spin_current_along_a_field_is_conserved():
    """Half of the difference of the currents of up and down, which have leads of their own."""
    lattice = {"kind": "chain", "sites": 4, "orbitals": 2, "onsite": [[0.3, 0], [0, -0.3]]}
    both = {
        f"{name}-{spin}": BAND
        | {"site": site, "orbital": k, "chemical_potential": mu + 0.2 * (k == 1)}
        for name, site, mu in (("left", 1, -1.0), ("right", 4, -1.5))
        for k, spin in ((1, "up"), (2, "down"))
    }
    system = system_of({"lattice": lattice, "leads": both})
    found = values(system, BondSpinCurrents(), BondCurrents())
    along = found["bond_spin_current"][:, 2]
    assert along == pytest.approx(along.mean(), abs=1e-12)
    charge = found["bond_current"]
    assert along == pytest.approx(0.5 * (charge[::2] - charge[1::2]), abs=1e-12)
    assert found["bond_spin_current"][:, :2] == pytest.approx(0.0, abs=1e-12)


def test_time_reversal_keeps_spins_away_in_equilibrium():
    """Spin-orbit coupling alone: no spin without a field, though spin currents flow."""
    lattice = {"kind": "ring", "sites": 5, "orbitals": 2, "hopping": RASHBA}
    system = system_of({"lattice": lattice, "leads": leads((-1.0, 1), (-1.0, 3))})
    found = values(system, SpinDensity(), BondSpinCurrents())
    assert found["spin_density"] == pytest.approx(0.0, abs=1e-11)
    assert abs(found["bond_spin_current"]).max() > 1e-3


@pytest.mark.parametrize("orbitals", [1, 3])
def test_without_up_and_down_there_is_no_spin(orbitals):
    lattice = {"kind": "chain", "sites": 3, "orbitals": orbitals}
    system = system_of({"lattice": lattice, "leads": leads(right=(-1.7, 3))})
    outcome = evaluate(system, [SpinDensity(), BondSpinCurrents()])
    assert outcome.values["spin_density"].shape == (3, 3)
    assert np.isnan(outcome.values["spin_density"]).all()
    assert "orbitals: 2" in outcome.notes["spin_density"]
    assert "orbitals: 2" in outcome.notes["bond_spin_current"]


CONTINUED = {"kind": "continued", "chemical_potential": 0, "temperature": 0}
TURNED = {
    "kind": "chain",
    "sites": 4,
    "orbitals": 2,
    "onsite": [np.zeros((2, 2)), np.array(FIELD), 2 * np.array(FIELD), np.zeros((2, 2))],
}


def spin_leads(**more):
    """One lead for each spin on each side; the energies of up and down may differ."""
    return {
        f"{side}-{spin}": {**CONTINUED, "side": side, "orbital": 1 + k, **more.get(spin, {})}
        for side in ("left", "right")
        for k, spin in enumerate(("up", "down"))
    }


def test_leads_that_continue_the_lattice_are_resolved_by_spin():
    """Those of both spins are the sums; up to down is what a field that turns spins makes of it."""
    lattice = TURNED | {"onsite": [x.tolist() for x in TURNED["onsite"]]}
    energies = np.array([-1.3, 0.2, 0.9])
    whole = {"left": CONTINUED, "right": CONTINUED}
    both = nf.transmission(nf.System(lattice=lattice, leads=whole), energies)
    each = nf.transmission(nf.System(lattice=lattice, leads=spin_leads()), energies)
    into = each.sel(terminal=["right-up", "right-down"], terminal_2=["left-up", "left-down"])
    total = both.sel(terminal="right", terminal_2="left")
    np.testing.assert_allclose(into.sum(["terminal", "terminal_2"]), total, atol=1e-12)
    assert float(into.sel(terminal="right-up", terminal_2="left-down").min()) > 1e-3


def test_ferromagnetic_leads_transmit_each_spin_as_greens_function_says():
    lattice = TURNED | {"onsite": [x.tolist() for x in TURNED["onsite"]]}
    shifts = {"up": {"onsite": 0.4}, "down": {"onsite": -0.4}}
    energies = np.array([-1.3, 0.2, 0.9])
    found = nf.transmission(nf.System(lattice=lattice, leads=spin_leads(**shifts)), energies)
    names = list(spin_leads())
    rows = [0, 1, 6, 7]
    h = np.kron(-np.eye(4, k=1) - np.eye(4, k=-1), np.eye(2)).astype(complex)
    for j, field in enumerate(TURNED["onsite"]):
        h[2 * j : 2 * j + 2, 2 * j : 2 * j + 2] += field
    for k, energy in enumerate(energies):
        x = energy - np.array([0.4, -0.4, 0.4, -0.4])
        sigma = 0.5 * (x - 1j * np.sqrt(4 - x**2))
        matrix = energy * np.eye(8) - h
        matrix[rows, rows] -= sigma
        green = np.linalg.inv(matrix)[np.ix_(rows, rows)]
        gamma = -2 * sigma.imag
        expected = gamma[:, None] * abs(green) ** 2 * gamma
        own = found.sel(terminal=names, terminal_2=names).values[..., k]
        off = ~np.eye(4, dtype=bool)
        np.testing.assert_allclose(own[off], expected[off], rtol=1e-10)


def test_one_spin_of_a_lead_that_turns_spins_is_refused():
    for wrong in ({"hopping": RASHBA}, {"onsite": FIELD}):
        lattice = {"kind": "chain", "sites": 4, "orbitals": 2, **wrong}
        with pytest.raises(
            ValueError, match=r"left-up\.orbital = 1: .*mix this orbital with others"
        ):
            nf.System(lattice=lattice, leads=spin_leads())
    lattice = {"kind": "chain", "sites": 4, "orbitals": 2}
    with pytest.raises(ValueError, match=r"left-up\.orbital = 3: there is no orbital 3"):
        nf.System(lattice=lattice, leads=spin_leads(up={"orbital": 3}))


def test_spins_of_a_strip_are_those_of_strips():
    """A field along z splits the channels of a strip, each spin's those of a strip of its own."""
    size = {"kind": "square", "length": 3, "width": 3}
    lattice = size | {"orbitals": 2, "onsite": [[0.3, 0], [0, -0.3]], "flux": 0.4}
    energies = np.array([-1.7, 0.4])
    found = nf.transmission(nf.System(lattice=lattice, leads=spin_leads()), energies)
    one = {"left": CONTINUED, "right": CONTINUED}
    alone = nf.System(lattice=size | {"flux": 0.4}, leads=one)
    for spin, shift in (("up", 0.3), ("down", -0.3)):
        own = found.sel(terminal=f"right-{spin}", terminal_2=f"left-{spin}")
        expected = nf.transmission(alone, energies - shift).sel(terminal="right", terminal_2="left")
        np.testing.assert_allclose(own, expected, atol=1e-10)
    assert float(found.sel(terminal="right-up", terminal_2="left-down").max()) < 1e-20
