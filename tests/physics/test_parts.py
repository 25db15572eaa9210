"""Laws of all lattices, channels and disorder, and channels against master equations."""

import numpy as np
import pytest

import own_files
from fock import annihilators
from nessflow.registry import members, use_project
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.currents import steady_currents
from nessflow.studies.systems import System, open_system
from nessflow.systems.channels.bond import Bond
from nessflow.systems.channels.channel import Channels
from nessflow.systems.channels.file import File as FileOfChannels
from nessflow.systems.channels.onsite import Onsite
from nessflow.systems.channels.sites import Sites
from nessflow.systems.channels.sublattice import Sublattice
from nessflow.systems.channels.vectors import Vectors
from nessflow.systems.disorder.array import Array
from nessflow.systems.disorder.binary import Binary
from nessflow.systems.disorder.correlated import Correlated
from nessflow.systems.disorder.disorder import Disorder
from nessflow.systems.disorder.gaussian import Gaussian
from nessflow.systems.disorder.quasiperiodic import Quasiperiodic
from nessflow.systems.disorder.uniform import Uniform
from nessflow.systems.disorder.vacancies import Vacancies
from nessflow.systems.lattices.chain import Chain
from nessflow.systems.lattices.crystals.cubic import Cubic
from nessflow.systems.lattices.crystals.honeycomb import Honeycomb
from nessflow.systems.lattices.crystals.square import Square
from nessflow.systems.lattices.crystals.triangular import Triangular
from nessflow.systems.lattices.given.file import File
from nessflow.systems.lattices.given.python import Python
from nessflow.systems.lattices.ladder import Ladder
from nessflow.systems.lattices.lattice import Lattice
from nessflow.systems.lattices.long_range import LongRange
from nessflow.systems.lattices.matrix import Matrix
from nessflow.systems.lattices.ring import Ring
from nessflow.systems.lattices.ssh import SSH
from nessflow.systems.lattices.star import Star
from nessflow.systems.lattices.strip import Strip
from nessflow.systems.matrices import Tridiagonal, as_dense, checked
from nessflow.systems.shapes.disc import Disc
from nessflow.testing import check_channels, check_disorder, check_lattice

PROJECT = own_files.temporary()
use_project(PROJECT)
DENSE = Matrix(hamiltonian=((0.1, 0.5 + 0.2j, 0), (0.5 - 0.2j, -0.3, -1j), (0, 1j, 0)))
LATTICES = {
    "chain": Chain(sites=5, hopping=0.7, onsite=0.2),
    "formulas": Chain(sites=5, hopping="exp(1j * x)", onsite="0.1 * site"),
    "site": Chain(sites=1),
    "ladder": Ladder(length=3, rung_hopping=0.4),
    "long range": LongRange(sites=6, exponent=1.5, reach=3),
    "next neighbours": LongRange(sites=4, exponent=1.5, reach=1),
    "matrix": DENSE,
    "ring": Ring(sites=5, flux=0.7, onsite=(0.1, 0.2, 0.3, 0.4, 0.5)),
    "triangle": Ring(sites=3, flux=0.7),
    "ssh": SSH(sites=7, intracell_hopping=0.4),
    "star": Star(arms=3, length=2),
    "star of one arm": Star(arms=1, length=3),
    "strip": Strip(length=3, width=2, hopping=0.8),
    "row": Strip(length=4, width=1),
    "strip with flux": Strip(length=3, width=3, flux=0.4),
    "ladder with flux": Ladder(length=3, rung_hopping=0.4, flux=0.9),
    "square": Square(length=2, width=3, hopping={"x": 0.7, "y": 1.2}),
    "disc": Square(shape=Disc(radius=2), flux=0.3),
    "triangular": Triangular(length=3, width=3, flux=0.5, hopping={"a": 1, "b": 0.8, "c": 0.6}),
    "zigzag": Honeycomb(length=2, width=3),
    "armchair": Honeycomb(length=2, width=3, edge="armchair", flux=0.3),
    "cubic": Cubic(length=2, width=3, height=2, flux=0.4),
    "file": File(path="data/strip.mtx"),
    "cut": File(path="data/graphene_hr.dat", cut={"cells": 2, "width": {2: 2}}),
    "function": Python(function="parts/my_model.py:chain", parameters={"sites": 4}),
    "description": Python(function="parts/my_model.py:described", parameters={"sites": 4}),
}
GIVEN = {"cut", "description"}
"""Those with orbitals, or with loss of their own, which laws of channels do not know."""
CHANNELS = {
    "onsite": Onsite(rate=0.3),
    "nothing": Onsite(rate=0.0),
    "sites": Sites(rates={1: 0.2}),
    "every site": Sites(sites={"start": 1, "stop": 1}, rate="0.2 * site"),
    "region": Sites(sites={"where": "site % 2 == 1"}, rate=0.2),
    "bond": Bond(rate=0.4),
    "turned bond": Bond(rate=0.4, phase=0.9),
    "vectors": Vectors(vectors=({1: 0.3 - 0.1j}, {1: 0.2j})),
}
DISORDER = {
    "uniform": Uniform(half_width=2.0),
    "gaussian": Gaussian(standard_deviation=0.4, on="bonds"),
    "binary": Binary(values=(-0.3, 1.2), concentration=0.3, on="loss"),
    "correlated": Correlated(standard_deviation=0.7, length=2.5),
    "vacancies": Vacancies(concentration=0.4),
    "quasiperiodic": Quasiperiodic(amplitude=1.2, frequency=0.3),
    "array": Array(values=(0.3, -0.1, 0.2)),
}
TRIDIAGONAL = {"chain", "formulas", "site", "ssh", "next neighbours", "star of one arm", "row"}
TRIDIAGONAL |= {"function", "description"}


@pytest.fixture(autouse=True)
def project():
    use_project(PROJECT)


def kinds(parts):
    return {part.kind for part in parts.values()}


def test_all_parts_are_tried():
    assert kinds(LATTICES) == members(Lattice).keys()
    assert kinds(CHANNELS) | {"file", "sublattice"} == members(Channels).keys()
    assert DISORDER.keys() == members(Disorder).keys()


# --- lattices -------------------------------------------------------------------------------------


@pytest.fixture(params=sorted(LATTICES.keys() - GIVEN))
def lattice(request):
    return LATTICES[request.param]


@pytest.mark.parametrize("name", LATTICES)
def test_it_obeys_the_laws_of_lattices(name):
    check_lattice(LATTICES[name])


@pytest.mark.parametrize("name", LATTICES)
def test_what_is_a_chain_is_tridiagonal(name):
    assert isinstance(LATTICES[name].hamiltonian(), Tridiagonal) == (name in TRIDIAGONAL)


# --- channels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["loss.mtx", "strip_arrays.npz"])
def test_a_file_obeys_the_laws_of_channels(path):
    name = "loss" if path.endswith("npz") else None
    check_channels(FileOfChannels(path=f"data/{path}", name=name), LATTICES["file"])


@pytest.mark.parametrize("name", CHANNELS)
def test_they_obey_the_laws_of_channels(name, lattice):
    check_channels(CHANNELS[name], lattice)


def amplitudes(lattice, channels):
    """Rows of amplitudes of all channels, written out once more."""
    if isinstance(channels, Onsite):
        return np.sqrt(channels.rate) * np.eye(lattice.sites)
    if isinstance(channels, Sites):
        rates = channels.rates
        if channels.sites == (1,):
            rates = {1: 0.2}
        elif channels.sites is not None:
            rates = dict.fromkeys(range(1, lattice.sites + 1, 2), 0.2)
        return np.array([np.sqrt(r) * np.eye(lattice.sites)[s - 1] for s, r in rates.items()])
    rows = []
    if isinstance(channels, Vectors):
        for vector in channels.vectors:
            rows.append(np.zeros(lattice.sites, complex))
            for site, amplitude in vector.items():
                rows[-1][site - 1] = amplitude
        return np.array(rows)
    h = as_dense(checked("", lattice.hamiltonian()))
    for j in range(lattice.sites):
        for k in range(j + 1, lattice.sites):
            if h[j, k] != 0:
                # Around a ring the last bond is from the last site to the first; from A to B.
                first, second, _ = lattice.bonds
                back = lattice.kind in ("ring", "triangular", "honeycomb")
                back = back and (k, j) in zip(first.tolist(), second.tolist(), strict=True)
                rows.append(np.zeros(lattice.sites, complex))
                rows[-1][[k, j] if back else [j, k]] = [1, np.exp(1j * channels.phase)]
    return np.sqrt(channels.rate) * np.reshape(rows, (-1, lattice.sites))


@pytest.mark.parametrize("name", CHANNELS)
def test_loss_is_the_sum_over_its_channels(name, lattice):
    v = amplitudes(lattice, CHANNELS[name])
    p = as_dense(checked("loss", CHANNELS[name].matrix(lattice)))
    np.testing.assert_allclose(p, v.conj().T @ v, atol=1e-15)


def written(rows):
    """Channels of given amplitudes."""
    return Vectors(vectors=[{int(k) + 1: row[k] for k in np.flatnonzero(row)} for row in rows])


@pytest.mark.parametrize("name", ["chain", "ssh", "ladder", "star", "strip", "next neighbours"])
def test_a_sublattice_is_coupled_to_the_other_alone(name):
    lattice = LATTICES[name]
    rates = [
        as_dense(checked("", Sublattice(rate=0.2, sublattice=n).matrix(lattice))).real
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(sum(rates), 0.2 * np.eye(lattice.sites))
    first, second, _ = lattice.bonds
    for bond in zip(first, second, strict=True):
        assert {float(r[j, j]) for r in rates[:1] for j in bond} == {0.0, 0.2}
    assert rates[0][0, 0] == 0.2
    check_channels(Sublattice(rate=0.2, sublattice=2), lattice)


@pytest.mark.parametrize("name", ["triangle", "ring", "long range"])
def test_odd_ways_around_leave_no_sublattices(name):
    with pytest.raises(ValueError, match="has no two sublattices: an odd number of bonds"):
        Sublattice(rate=0.2, sublattice=1).require_fit(LATTICES[name])


@pytest.mark.parametrize("name", ["onsite", "sites", "bond", "turned bond", "every site", "region"])
def test_channels_are_those_of_their_amplitudes(name, lattice):
    channels = CHANNELS[name]
    rows = amplitudes(lattice, channels)
    if len(rows):
        found = written(rows).matrix(lattice)
        expected = channels.matrix(lattice)
        assert isinstance(found, type(expected))
        found, expected = (as_dense(checked("", matrix)) for matrix in (found, expected))
        np.testing.assert_allclose(found, expected, atol=1e-15)


def test_listed_bonds_are_in_the_direction_in_which_they_are_listed():
    strip = LATTICES["strip"]
    forward = Bond(rate=0.3, phase=0.4, bonds=((1, 3), (3, 4)))
    back = Bond(rate=0.3, phase=0.4, bonds=((3, 1), (4, 3)))
    p, q = (as_dense(checked("", x.matrix(strip))) for x in (forward, back))
    np.testing.assert_allclose(q, p.T, atol=1e-16)
    assert p[0, 2] == pytest.approx(0.3 * np.exp(0.4j))
    assert np.diag(p) == pytest.approx([0.3, 0, 0.6, 0.3, 0, 0])
    first, second, _ = strip.bonds
    every = tuple(zip((first + 1).tolist(), (second + 1).tolist(), strict=True))
    whole = Bond(rate=0.3, bonds=every).matrix(strip), Bond(rate=0.3).matrix(strip)
    np.testing.assert_array_equal(whole[0].toarray(), whole[1].toarray())


def test_boundary_makes_all_sites_lose_alike():
    p = Bond(rate=0.3, boundary=True).matrix(Chain(sites=6))
    np.testing.assert_allclose(p.diagonal, 0.6, rtol=1e-15)


# --- against a master equation of many-body states ------------------------------------------------

FULL, EMPTY = ({"chemical_potential": mu, "temperature": 0.0} for mu in (1e14, -1e14))
LEADS = {
    "left": {"kind": "wide-band", "broadening": 0.4, **FULL},
    "right": {"kind": "wide-band", "broadening": 0.7, **EMPTY},
}
WRITTEN = {
    "any loss": (
        Ring(sites=3, flux=0.8),
        {"loss": {"kind": "vectors", "vectors": ({1: 0.3, 2: 0.2j}, {2: 0.1 - 0.3j, 3: 0.25})}},
        [[0.3, 0.2j, 0], [0, 0.1 - 0.3j, 0.25]],
        [],
    ),
    "any gain": (
        Ring(sites=3, flux=0.8),
        {"gain": {"kind": "vectors", "vectors": ({1: 0.3, 2: 0.2j, 3: -0.4},)}},
        [],
        [[0.3, 0.2j, -0.4]],
    ),
    "loss and gain": (
        Strip(length=2, width=2),
        {
            "loss": {"kind": "vectors", "vectors": ({1: 0.5, 4: 0.3j},)},
            "gain": {"kind": "vectors", "vectors": ({2: 0.2 + 0.1j, 3: 0.4j}, {1: 0.3})},
        },
        [[0.5, 0, 0, 0.3j]],
        [[0, 0.2 + 0.1j, 0.4j, 0], [0.3, 0, 0, 0]],
    ),
    "bonds of a ring": (
        Ring(sites=3, flux=0.4),
        {"gain": {"kind": "bond", "rate": 0.09}},
        [],
        [[0.3, -0.3j, 0], [0, 0.3, -0.3j], [-0.3j, 0, 0.3]],
    ),
    "bonds of a strip": (
        Strip(length=2, width=2, hopping=0.8),
        {"loss": {"kind": "bond", "rate": 0.16, "phase": 0.6}},
        [
            [0.4, 0, 0.4 * np.exp(0.6j), 0],
            [0, 0.4, 0, 0.4 * np.exp(0.6j)],
            [0.4, 0.4 * np.exp(0.6j), 0, 0],
            [0, 0, 0.4, 0.4 * np.exp(0.6j)],
        ],
        [],
    ),
}


def steady_state(system, loss, gain):
    """``<c_i^+ c_j>`` and the rate at which loss and gain act, of the master equation.

    ``sum 2 L rho L^+ - {L^+ L, rho}`` with ``L = sum_j v_j c_j`` and ``L = sum_j v_j c_j^+``.
    """
    c = annihilators(system.sites)
    up = [x.conj().T for x in c]
    h = as_dense(system.hamiltonian)
    n = range(system.sites)
    energy = sum(h[i, j] * up[i] @ c[j] for i in n for j in n)
    jumps = {
        "loss": [sum(v[j] * c[j] for j in n) for v in loss],
        "gain": [sum(v[j] * up[j] for j in n) for v in gain],
        "lead": [
            np.sqrt(x.model.broadening / 2) * (up if x.chemical_potential > 0 else c)[x.site]
            for x in system.leads
        ],
    }
    one = np.eye(len(energy))
    generator = -1j * (np.kron(energy, one) - np.kron(one, energy.T))
    for jump in (x for each in jumps.values() for x in each):
        square = jump.conj().T @ jump
        generator = generator + 2 * np.kron(jump, jump.conj())
        generator -= np.kron(square, one) + np.kron(one, square.T)
    _, _, rows = np.linalg.svd(generator)
    rho = rows[-1].conj().reshape(one.shape)
    rho /= np.trace(rho)
    rates = {
        name: sum(2 * np.trace(jump @ rho @ jump.conj().T).real for jump in each)
        for name, each in jumps.items()
    }
    return np.array([[np.trace(up[i] @ c[j] @ rho) for j in n] for i in n]), rates


@pytest.mark.parametrize("name", WRITTEN)
def test_channels_are_those_of_a_master_equation(name):
    lattice, channels, loss, gain = WRITTEN[name]
    system = open_system(System(lattice=lattice, leads=LEADS, **channels), None)
    expected, rates = steady_state(system, loss, gain)
    found = correlation_matrix(system)
    assert found.converged
    np.testing.assert_allclose(found.value, expected, atol=1e-9)
    assert abs(expected.imag).max() > 1e-3
    currents = steady_currents(system).particle_current.value
    assert currents[2:] == pytest.approx([-rates["loss"], rates["gain"]], abs=1e-8)


# --- disorder -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DISORDER)
def test_it_obeys_the_laws_of_disorder(kind):
    check_disorder(DISORDER[kind])
    assert not Uniform(half_width=0.0).draw(np.zeros((5, 1)), np.random.default_rng(3)).any()
