"""Formulas of sites and bonds are the numbers that one would write out, and the physics of these.

The reference numbers come from solves with 40 digits (transmissions) and from an adaptive
quadrature with break points at the resonances, written independently of this package (currents and
noise).
"""

import itertools

import numpy as np
import pytest

from nessflow.library import solve, transmission
from nessflow.studies.systems import System, open_system
from nessflow.systems.channels.bond import Bond
from nessflow.systems.channels.onsite import Onsite
from nessflow.systems.channels.sites import Sites
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.crystals.cubic import Cubic
from nessflow.systems.lattices.crystals.honeycomb import Honeycomb
from nessflow.systems.lattices.crystals.square import Square
from nessflow.systems.lattices.crystals.triangular import Triangular
from nessflow.systems.lattices.ladder import Ladder
from nessflow.systems.lattices.long_range import LongRange
from nessflow.systems.lattices.ring import Ring
from nessflow.systems.lattices.ssh import SSH
from nessflow.systems.lattices.star import Star
from nessflow.systems.lattices.strip import Strip
from nessflow.systems.matrices import as_dense, checked

ENERGIES = (-1.3, 0.1, 0.77)
GAUSSIAN = (
    "-0.642254 0.240172 -0.251259 0.648118 -0.434233 0.83975 -0.1164 -0.033417 -0.229809 -0.077725 "
    "-0.142267 0.515695 0.132953 -0.031852 0.001681 -0.342366 0.949285 0.03652 0.666384 0.105967 "
    "0.710762 0.083807 0.028994 0.70466 0.111786 -0.320367 -0.325093 -0.60104 -0.362675 0.092832"
)
LISTED = np.array(GAUSSIAN.split(), float)
WIRES = {
    "Aubry-Andre": (
        {"onsite": "2 * 0.7 * cos(2 * pi * (sqrt(5) - 1) / 2 * site + 0.4)"},
        (2.1748525174729043e-08, 0.17609161953655986, 8.751208038072333e-10),
        (0.016411666612640766, 0.009736078033617033),
    ),
    "tilted and staggered": (
        {"onsite": "0.02 * site + 0.3 * (-1) ** site"},
        (0.8747541577886645, 0.011437676209692152, 0.2765628175279772),
        (0.004108543954098165, 0.0038102638689775682),
    ),
    "bonds": (
        {"hopping": "1 + 0.3 * sin(2.1 * site ** 2)"},
        (0.06997432053932927, 0.9670587546289967, 0.10584945789992901),
        (0.07282866284538206, 0.01689999350971884),
    ),
    "bonds with phases": (
        {"hopping": "(1 + 0.3 * sin(2.1 * site ** 2)) * exp(1j * sin(site))"},
        (0.06997432053932927, 0.9670587546289967, 0.10584945789992901),
        (0.07282866284538206, 0.01689999350971884),
    ),
    "an array": (
        {"onsite": LISTED},
        (0.595566215013395, 0.3945573910581888, 0.034049490970342405),
        (0.00927570557486218, 0.007036792541065037),
    ),
    "a function": (
        {"onsite": lambda site: LISTED[site - 1]},
        (0.595566215013395, 0.3945573910581888, 0.034049490970342405),
        (0.00927570557486218, 0.007036792541065037),
    ),
}


def lead(mu, **place):
    return {
        "kind": "semi-infinite-chain",
        "chemical_potential": mu,
        "temperature": 0.05,
        **place,
    }


def between_chains(lattice, **parts):
    return System(lattice=lattice, leads={"left": lead(0.4), "right": lead(-0.1)}, **parts)


@pytest.mark.parametrize("name", WIRES)
def test_wires_of_thirty_sites(name):
    keys, transmissions, (current, noise) = WIRES[name]
    wire = between_chains(Chain(sites=30, **keys))
    found = transmission(wire, ENERGIES).sel(terminal="left", terminal_2="right")
    np.testing.assert_allclose(found, transmissions, rtol=0, atol=1e-14)
    data = solve(wire, ["currents", "noise"])
    assert abs(float(data.particle_current.sel(terminal="left")) - current) < 1.1e-13
    assert abs(float(data.particle_noise.sel(lead="left", lead_2="left")) - noise) < 1.1e-13


LATTICES = {
    "chain": Chain(sites=6),
    "ssh": SSH(sites=7),
    "star": Star(arms=3, length=2),
    "ring": Ring(sites=6, flux=0.4),
    "long range": LongRange(sites=5, exponent=1.3),
    "strip": Strip(length=4, width=3),
    "ladder": Ladder(length=4),
    "square": Square(length=3, width=3, flux=0.3),
    "cubic": Cubic(length=2, width=3, height=2),
    "triangular": Triangular(length=3, width=2, flux=0.2),
    "honeycomb": Honeycomb(length=2, width=2),
    "disc": Honeycomb(shape={"kind": "disc", "radius": 2.0}),
}


def with_keys(lattice, **changes):
    given = {name: getattr(lattice, name) for name in type(lattice).model_fields}
    return type(lattice)(**(given | changes))


def dense(matrix):
    return as_dense(checked("", matrix))


@pytest.mark.parametrize("name", LATTICES)
def test_energies_of_sites_are_those_of_a_list(name):
    lattice = LATTICES[name]
    sites = np.arange(1, lattice.sites + 1)
    text = with_keys(lattice, onsite="0.3 * site - x ** 2 / 7")
    listed = with_keys(lattice, onsite=0.3 * sites - lattice.positions[:, 0] ** 2 / 7)
    np.testing.assert_allclose(dense(text.hamiltonian()), dense(listed.hamiltonian()), rtol=1e-15)


@pytest.mark.parametrize("name", LATTICES)
def test_hoppings_are_those_of_each_bond(name):
    """Each bond by hand: the number of its first site, the middle of both."""
    lattice = LATTICES[name]
    keys = [key for key in type(lattice).model_fields if key.endswith("hopping")]
    # Another number by key, so that none is taken for the other.
    formulas = {k: f"({n} + 0.1 * site) * exp(0.2j * x)" for n, k in enumerate(keys, 1)}
    found = dense(with_keys(lattice, **formulas).hamiltonian())
    expected = np.zeros_like(found)
    for number, key in enumerate(keys, 1):
        units = {other: float(other == key) for other in keys}
        h = dense(with_keys(lattice, **units).hamiltonian())
        first, second, _ = lattice.bonds
        for j, k in zip(first, second, strict=True):
            x = (lattice.positions[j, 0] + lattice.positions[k, 0]) / 2
            value = (number + 0.1 * (j + 1)) * np.exp(0.2j * x)
            expected[j, k] += h[j, k] * value
            expected[k, j] += np.conj(h[j, k] * value)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


def test_energies_of_each_orbital():
    hopping = ((1, 2), (3, 4))
    chain = Chain(sites=3, orbitals=2, onsite="site + 0.1 * (orbital - 1)", hopping=hopping)
    assert chain.energies(0.0).tolist() == [1, 1.1, 2, 2.1, 3, 3.1]
    h = dense(chain.hamiltonian())
    np.testing.assert_array_equal(h[:2, 2:4], [[-1, -2], [-3, -4]])
    assert h[0, 1] == 0


def test_a_formula_beside_matrices_of_orbitals():
    matrix = ((0.2, 0.5j), (-0.5j, 0.1))
    square = Square(length=2, width=2, orbitals=2, hopping={"x": "1 + 0.1 * site", "y": matrix})
    h = dense(square.hamiltonian())
    for first, second, hopping in ((0, 2, 1.1), (1, 3, 1.2)):
        block = h[2 * first : 2 * first + 2, 2 * second : 2 * second + 2]
        np.testing.assert_allclose(block, -hopping * np.eye(2), rtol=1e-15)
    np.testing.assert_allclose(h[0:2, 2:4], -np.array(matrix), rtol=1e-15)


@pytest.mark.parametrize("name", ["chain", "ssh", "strip", "ladder", "honeycomb"])
def test_formulas_say_nothing_of_what_is_beyond(name):
    """Energies that are formulas end with the lattice, as listed ones do; hoppings cannot."""
    lattice = LATTICES[name]
    listed = with_keys(lattice, onsite=np.arange(lattice.sites))
    found = with_keys(lattice, onsite="site - 1").continuation("left")
    np.testing.assert_array_equal(found.cell, listed.continuation("left").cell)
    keys = [key for key in type(lattice).model_fields if key.endswith("hopping")]
    with pytest.raises(ValueError, match=f"its {keys[0]} is a formula, which says nothing"):
        with_keys(lattice, **{keys[0]: "1 + 0.1 * x"}).continuation("right")


def test_rows_and_columns_of_a_strip():
    strip = Strip(length=3, width=2, onsite="10 * x + y")
    assert strip.energies(0.0).tolist() == [11, 12, 21, 22, 31, 32]


def test_a_flux_through_a_strip_written_as_phases():
    """Phases with the same sum around each plaquette are the same but for a gauge."""
    flux, length, width = 0.7, 4, 3
    along = Strip(length=length, width=width, hopping="exp(-0.7j * y * (x % 1 > 0))")
    h = dense(along.hamiltonian())

    def around(h, column, row):
        site = column * width + row
        path = [site, site + width, site + width + 1, site + 1, site]
        return np.prod([-h[j, k] for j, k in itertools.pairwise(path)])

    for column in range(length - 1):
        for row in range(width - 1):
            np.testing.assert_allclose(around(h, column, row), np.exp(1j * flux), rtol=1e-14)


def test_the_first_sites_of_a_longer_chain_are_those_of_a_shorter_one():
    short, long = (Chain(sites=n, onsite="sin(1.3 * site ** 2) ** 3").energies(0) for n in (20, 33))
    np.testing.assert_array_equal(long[:20], short)


def test_rates_are_those_of_each_site_and_bond():
    chain = Chain(sites=5)
    np.testing.assert_allclose(
        dense(Onsite(rate="0.1 * site").matrix(chain)), np.diag(np.arange(1, 6) / 10)
    )
    some = Sites(sites=[2, 5], rate="0.1 * x").matrix(chain)
    np.testing.assert_allclose(dense(some), np.diag([0, 0.2, 0, 0, 0.5]))
    rates, phases = np.arange(1, 5) / 10, np.arange(1.5, 5) / 3
    for boundary in (False, True):
        found = Bond(rate="0.1 * site", phase="x / 3", boundary=boundary).matrix(chain)
        v = np.zeros((4, 5), complex)
        v[range(4), range(4)] = np.sqrt(rates)
        v[range(4), range(1, 5)] = np.sqrt(rates) * np.exp(1j * phases)
        expected = v.conj().T @ v + boundary * np.diag([rates[0], 0, 0, 0, rates[-1]])
        np.testing.assert_allclose(dense(found), expected, atol=1e-15)


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_rates_that_are_alike_are_one_rate(rate):
    for lattice in LATTICES.values():
        one = Bond(rate=rate).matrix(lattice)
        each = Bond(rate=f"{rate} + 0 * site").matrix(lattice)
        np.testing.assert_allclose(dense(each), dense(one), rtol=1e-15)


def test_a_gauge_transformation_changes_no_current():
    loss = {"kind": "sites", "rates": {2: 0.2, 4: 0.1}}
    plain = between_chains(Chain(sites=6, onsite="0.2 * site"), loss=loss)
    turned = between_chains(
        Chain(sites=6, onsite="0.2 * site", hopping="exp(1j * site ** 2)"), loss=loss
    )
    found, expected = (solve(wire, ["currents", "noise"]) for wire in (turned, plain))
    for name in ("particle_current", "particle_noise"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12)


def test_regions_are_the_sites_that_they_say():
    strip = Strip(length=5, width=3)
    edge, column = (1, 4, 7, 10, 13), (1, 2, 3)
    system = System(
        lattice=strip,
        regions={"edge": {"where": "y == 1"}, "first": {"start": 1, "stop": 3}},
        loss={"kind": "sites", "sites": "edge", "rate": 0.1},
        gain={"kind": "sites", "sites": {"where": "x >= 4 and not y == 2"}, "rate": 0.2},
        leads={"left": lead(0.1, site="first"), "right": lead(0.0, site={"where": "x == 5"})},
    )
    listed = System(
        lattice=strip,
        loss={"kind": "sites", "rates": dict.fromkeys(edge, 0.1)},
        gain={"kind": "sites", "sites": [10, 12, 13, 15], "rate": 0.2},
        leads={"left": lead(0.1, site=column), "right": lead(0.0, site=(13, 14, 15))},
    )
    assert system.loss.sites == edge
    assert system.leads == listed.leads
    found, expected = (open_system(each, None) for each in (system, listed))
    for name in ("loss", "gain", "hamiltonian"):
        np.testing.assert_array_equal(
            as_dense(getattr(found, name)), as_dense(getattr(expected, name))
        )
    assert [x.sites.tolist() for x in found.leads] == [x.sites.tolist() for x in expected.leads]


def test_disorder_of_a_region_is_that_of_all_sites_there():
    """The same draw as everywhere, and nothing elsewhere; of bonds those inside alone."""
    lattice = Strip(length=5, width=2)
    leads = {"left": lead(0.1, site=1)}
    clean = dense(lattice.hamiltonian())
    chosen = np.repeat([False, True, True, True, False], 2)
    for on in ("sites", "bonds"):
        disorder = {"kind": "uniform", "half_width": 1.0, "on": on}
        found = [
            as_dense(
                open_system(
                    System(
                        lattice=lattice,
                        regions={"middle": {"where": "1 < x < 5"}},
                        disorder=[disorder | part],
                        leads=leads,
                    ),
                    np.random.default_rng(1),
                ).hamiltonian
            )
            - clean
            for part in ({}, {"sites": "middle"})
        ]
        assert found[0].any()
        inside = np.outer(chosen, chosen)
        np.testing.assert_array_equal(found[1], found[0] * inside)


def test_rates_may_be_disordered_where_they_are():
    parts = {
        "lattice": Chain(sites=6),
        "loss": {"kind": "sites", "sites": {"where": "x < 4"}, "rate": 0.3},
        "leads": {"left": lead(0.1, site=1)},
    }
    weak = {"kind": "uniform", "half_width": 0.2, "on": "loss"}
    with pytest.raises(ValueError, match="negative rates of loss"):
        System(disorder=weak, **parts)
    system = System(disorder=weak | {"sites": {"start": 1, "stop": 3}}, **parts)
    loss = np.diag(as_dense(open_system(system, np.random.default_rng(1)).loss)).real
    assert (loss[:3] > 0.1).all()
    assert not loss[3:].any()
    with pytest.raises(ValueError, match="there is no site 7"):
        System(disorder=weak | {"sites": [7]}, **parts)


def test_gain_on_one_sublattice_against_loss_on_the_other():
    """With every other site lossy, and the rest gaining alike, half filling is kept."""
    chain = SSH(sites=8, intracell_hopping=0.6)
    parts = {
        "loss": {"kind": "sublattice", "rate": 0.1, "sublattice": 1},
        "gain": {"kind": "sublattice", "rate": 0.1, "sublattice": 2},
    }
    wide = {"kind": "wide-band", "broadening": 1.0, "chemical_potential": 0.0, "temperature": 0.1}
    system = System(lattice=chain, leads={"left": wide, "right": wide}, **parts)
    data = solve(system, ["density"])
    np.testing.assert_allclose(data.occupation.sum(), 4, atol=1e-10)
