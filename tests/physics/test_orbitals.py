"""Sites of several orbitals: spin-orbit coupling and Zeeman fields, written as matrices.

The numbers of the Rashba wire are of independent code: dense Green's functions, adaptive
quadrature.
"""

import numpy as np
import pytest

import nessflow as nf
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.matrix import Matrix
from nessflow.systems.lattices.ring import Ring
from nessflow.systems.lattices.ssh import SSH
from nessflow.systems.lattices.star import Star
from nessflow.systems.matrices import as_dense, checked
from nessflow.testing import check_channels, check_lattice

ZEEMAN = ((0.3, "0.1-0.2i"), ("0.1+0.2i", -0.3))
RASHBA = ((1.0, -0.5), (0.5, 1.0))
SIDE = ((0.2, "0.1i"), (0.0, 0.7))
SPINFUL = {
    "chain": Chain(sites=4, orbitals=2, onsite=ZEEMAN, hopping=RASHBA),
    "energies": Chain(sites=3, orbitals=2, onsite=(0.1, 0.2, -0.4), hopping=RASHBA),
    "texture": Chain(sites=3, orbitals=2, onsite=(ZEEMAN, ((0, 0), (0, 0)), ((1, 2), (2, 0)))),
    "degenerate": Chain(sites=3, orbitals=3, hopping=0.7),
    "ssh": SSH(sites=5, orbitals=2, intracell_hopping=SIDE, intercell_hopping=0.4),
    "ring": Ring(sites=4, orbitals=2, flux=0.8, hopping=SIDE, onsite=ZEEMAN),
    "star": Star(arms=3, length=1, orbitals=2, hopping=SIDE),
    "matrix": Matrix(
        orbitals=2, hamiltonian=np.kron([[0, 1], [1, 0]], [[0.4, 0.2], [0.2, 0]]) + np.eye(4)
    ),
}


@pytest.mark.parametrize("name", SPINFUL)
def test_they_obey_the_laws_of_lattices(name):
    check_lattice(SPINFUL[name])


@pytest.mark.parametrize("name", SPINFUL)
@pytest.mark.parametrize("orbital", [None, 1, 2])
def test_channels_on_orbitals_obey_the_laws_of_channels(name, orbital):
    check_channels(nf.channels.Bond(rate=0.2, orbital=orbital), SPINFUL[name])
    check_channels(nf.channels.Sites(rates={1: 0.1}, orbital=orbital), SPINFUL[name])


def test_a_wire_with_spin_is_its_blocks():
    up, right = np.array([[0.3, 0.1 - 0.2j], [0.1 + 0.2j, -0.3]]), np.array(RASHBA)
    expected = np.kron(np.eye(4), up) + np.kron(np.eye(4, k=1), -right)
    expected += np.kron(np.eye(4, k=-1), -right.T)
    found = as_dense(checked("", SPINFUL["chain"].hamiltonian()))
    np.testing.assert_allclose(found, expected, atol=1e-16)


def wire(onsite=0.4, sites=12):
    """Rashba wire with a Zeeman field along z and energies of its sites."""
    j = np.arange(1, sites + 1)
    energies = onsite * np.sin(1.3 * j**2)
    zeeman = np.diag([0.3, -0.3])
    leads = {
        f"{side}_{spin}": nf.leads.SemiInfiniteChain(
            site=site, orbital=orbital, chemical_potential=mu, temperature=0.05
        )
        for side, site, mu in (("left", 1, -1.4), ("right", sites, -1.9))
        for orbital, spin in ((1, "up"), (2, "down"))
    }
    blocks = [energy * np.eye(2) + zeeman for energy in energies]
    onsite = tuple(tuple(map(tuple, block.tolist())) for block in blocks)
    return nf.System(
        lattice=nf.lattices.Chain(sites=sites, orbitals=2, onsite=onsite, hopping=RASHBA),
        leads=leads,
    )


def test_transmissions_between_spins_are_those_of_other_code():
    found = nf.transmission(wire(), [-1.3])
    into = found.sel(terminal=["right_up", "right_down"], terminal_2=["left_up", "left_down"])
    expected = [
        [0.3503749039423322, 0.28311904184782877],
        [0.1187590346321987, 0.12770701558458178],
    ]
    np.testing.assert_allclose(into.values[..., 0], expected, rtol=1e-12)


def test_currents_and_noise_of_spins_are_those_of_other_code():
    found = nf.solve(wire(), ["currents", "noise"])
    currents = [0.03705854756745743, 0.03708539735730251]
    currents += [-0.024574823255696526, -0.049569121669063416]
    np.testing.assert_allclose(found["particle_current"].values[:4], currents, rtol=1e-9)
    noise = [
        [0.02174014668647863, -0.008470626704711047, -0.0075588504576412025, -0.005710669524126376],
        [-0.008470626704711047, 0.02407656672044822, -0.004260369246665252, -0.011345570769071917],
        [
            -0.0075588504576412025,
            -0.004260369246665252,
            0.017060035061030154,
            -0.005240815356723697,
        ],
        [-0.005710669524126376, -0.011345570769071917, -0.005240815356723697, 0.022297055649921984],
    ]
    np.testing.assert_allclose(found["particle_noise"].values, noise, rtol=1e-8, atol=1e-12)


def test_a_lead_takes_all_orbitals_of_its_site_as_one_terminal():
    both = wire().model_dump()["lattice"]
    lead = {"kind": "semi-infinite-chain", "temperature": 0.05}
    leads = {
        "left": lead | {"chemical_potential": -1.4},
        "right": lead | {"chemical_potential": -1.9},
    }
    found = nf.solve(nf.System(lattice=both, leads=leads), ["currents", "noise"])
    assert float(found["particle_noise"][0, 0]) == pytest.approx(0.028875459997504755, rel=1e-9)
    total = 0.03705854756745743 + 0.03708539735730251
    assert float(found["particle_current"][0]) == pytest.approx(total, rel=1e-9)


REFUSED = {
    "there is no orbital 3: each site has 2": {"leads": {"left": {"orbital": 3}}},
    "amplitudes on sites are those of one orbital": {"leads": {"left": {"site": {1: 1.0}}}},
    "the rows of a semi-infinite-strip have one orbital": {
        "leads": {"left": {"site": [1, 2], "kind": "semi-infinite-strip"}}
    },
    "there is no orbital 4": {"loss": {"kind": "onsite", "rate": 0.1, "orbital": 4}},
    "the matrix has 3 rows, the sites 2 orbitals": {"lattice": {"hopping": np.eye(3).tolist()}},
    "the matrix is not Hermitian": {"lattice": {"onsite": [[1, 2], [3, 4]]}},
    "onsite has 1 matrices for 4 sites": {"lattice": {"onsite": [[[1, 2], [2, 4]]]}},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_does_not_fit_is_refused(reason):
    changes = REFUSED[reason]
    lead = {"kind": "semi-infinite-chain", "chemical_potential": 0, "temperature": 0}
    system = {"lattice": {"kind": "chain", "sites": 4, "orbitals": 2} | changes.get("lattice", {})}
    system["leads"] = {"left": lead | changes.get("leads", {}).get("left", {})}
    if "loss" in changes:
        system["loss"] = changes["loss"]
    with pytest.raises(ValueError, match=reason):
        nf.System(**system)


def test_results_say_which_orbital_of_which_site_they_are_of():
    lead = {"kind": "continued", "chemical_potential": 0.2, "temperature": 0.1}
    strip = nf.lattices.Strip(length=2, width=2, orbitals=2, hopping=RASHBA)
    found = nf.solve(nf.System(lattice=strip, leads={"left": lead, "right": lead}), ["density"])
    assert found["site"].values.tolist() == list(range(1, 9))
    assert found["site_number"].values.tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert found["orbital"].values.tolist() == [1, 2] * 4
    assert found["x"].values.tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert found["y"].values.tolist() == [1, 1, 2, 2, 1, 1, 2, 2]
    assert found["x"].dims == found["orbital"].dims == ("site",)
    plain = nf.solve(nf.System(lattice=Chain(sites=3), leads={"left": lead}), ["density"])
    assert set(plain.coords) == {"site"}
