"""Systems that Kwant has built, taken over whole: they transmit and reflect as in Kwant.

Twenty of them, drawn once: strips, ribbons, crosses, with spin, flux, disorder, values that are
functions, hoppings beyond the next sites, cells of leads larger than what they couple to.
"""

import kwant
import numpy as np
import pytest

import nessflow as nf
from nessflow.config.project import load_study
from nessflow.config.study import parameters_of
from nessflow.scattering.currents import open_channels, reflection
from nessflow.studies.systems import open_system

UP = np.eye(2)
SIGMA = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
CLOSE = {"rtol": 0, "atol": 1e-10}


def values(rng, orbitals):
    """On-site matrix, hopping matrix."""
    if orbitals == 1:
        return rng.uniform(-0.4, 0.4), -rng.uniform(0.7, 1.2)
    zeeman = np.tensordot(rng.uniform(-0.3, 0.3, 3), SIGMA, 1)
    rashba = 1j * np.tensordot(rng.uniform(-0.3, 0.3, 3), SIGMA, 1)
    return zeeman + rng.uniform(-0.4, 0.4) * UP, -rng.uniform(0.7, 1.2) * UP + rashba


def disordered(rng, onsite):
    """On-site values as a function of the site and of the parameter ``size``."""
    seed = int(rng.integers(1000))
    one = UP if np.ndim(onsite) else 1.0

    def value(site, size):
        draw = np.sin(seed + 12.9 * site.pos[0] + 78.2 * site.pos[1]) * 43758.5
        return onsite + size * (draw % 1 - 0.5) * one

    return value


def strip(rng, orbitals):
    """Strip of the square lattice in a field, in the gauge that is constant along it."""
    lattice = kwant.lattice.square(norbs=orbitals)
    length, width = int(rng.integers(3, 8)), int(rng.integers(2, 6))
    onsite, hopping = values(rng, orbitals)
    flux = rng.uniform(0, 1.5)

    def along(first, second):
        return hopping * np.exp(-1j * flux * (first.pos[1] + second.pos[1]) / 2)

    def built(builder, columns, own):
        builder[(lattice(x, y) for x in columns for y in range(width))] = own
        builder[kwant.builder.HoppingKind((1, 0), lattice)] = along
        builder[kwant.builder.HoppingKind((0, 1), lattice)] = hopping
        return builder

    system = built(kwant.Builder(), range(length), disordered(rng, onsite))
    lead = built(kwant.Builder(kwant.TranslationalSymmetry((-1, 0))), [0], onsite)
    return system, [lead, lead.reversed()]


def ribbon(rng, orbitals):
    """Honeycomb ribbon, zigzag or armchair, whose leads couple by some sites of a cell."""
    lattice = kwant.lattice.honeycomb(norbs=orbitals)
    length, width = rng.uniform(2, 4), rng.uniform(1.2, 2.6)
    onsite, hopping = values(rng, orbitals)
    direction = lattice.vec((1, 0) if rng.uniform() < 0.5 else (-1, 2))
    unit = np.array(direction) / np.linalg.norm(direction)

    def across(position):
        return abs(np.dot(position, (-unit[1], unit[0]))) < width

    def inside(position):
        return across(position) and abs(np.dot(position, unit)) < length

    def built(builder, shape, own):
        builder[lattice.shape(shape, (0, 0))] = own
        builder[lattice.neighbors()] = hopping
        return builder

    system = built(kwant.Builder(), inside, disordered(rng, onsite))
    system.eradicate_dangling()
    lead = built(kwant.Builder(kwant.TranslationalSymmetry(direction)), across, onsite)
    lead.eradicate_dangling()
    return system, [lead, lead.reversed()]


def cross(rng, orbitals):
    """Hall bar of four or six arms, with hoppings to the second next site in two of them."""
    lattice = kwant.lattice.square(norbs=orbitals)
    width, arms = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    length = 3 * width * arms
    onsite, hopping = values(rng, orbitals)
    system = kwant.Builder()
    system[(lattice(x, y) for x in range(length) for y in range(width))] = disordered(rng, onsite)
    system[lattice.neighbors()] = hopping
    leads = []
    along = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    along[(lattice(0, y) for y in range(width))] = onsite
    along[lattice.neighbors()] = hopping
    along[kwant.builder.HoppingKind((2, 0), lattice)] = 0.3 * hopping
    leads += [along, along.reversed()]
    for arm in range(arms):
        first = width + 3 * width * arm
        up = kwant.Builder(kwant.TranslationalSymmetry((0, 1)))
        up[(lattice(first + x, 0) for x in range(width))] = onsite
        up[lattice.neighbors()] = 0.8 * hopping
        leads += [up, up.reversed()]
    return system, leads


def drawn(number):
    """System number k, its leads, and five energies at which it has open channels."""
    rng = np.random.default_rng(number)
    make = (strip, ribbon, cross)[number % 3]
    system, leads = make(rng, 1 + number // 3 % 2)
    for lead in leads:
        system.attach_lead(lead)
    return system.finalized(), {"size": 0.8}, rng.uniform(-2.5, 2.5, 5)


@pytest.mark.parametrize("number", range(20))
def test_it_scatters_as_in_kwant(number):
    finalized, params, energies = drawn(number)
    system = nf.System.from_kwant(finalized, params=params)
    found = nf.transmission(system, energies)
    opened = open_system(system, None)
    back, channels = reflection(opened, energies), open_channels(opened, energies)
    count = len(finalized.leads)
    assert list(found.terminal.values) == [f"lead{k}" for k in range(count)]
    for k, energy in enumerate(energies):
        expected = kwant.smatrix(finalized, energy, params=params)
        for a in range(count):
            assert channels[a, k] == expected.num_propagating(a)
            np.testing.assert_allclose(back[a, k], expected.transmission(a, a), **CLOSE)
            for b in set(range(count)) - {a}:
                other = expected.transmission(a, b)
                np.testing.assert_allclose(found.values[a, b, k], other, **CLOSE)
    assert found.max() > 0.1


@pytest.mark.parametrize("number", range(0, 20, 3))
def test_what_its_leads_send_flows_through_bonds_as_in_kwant(number):
    """Its operators of currents and densities, summed over the scattering states of each lead."""
    finalized, params, energies = drawn(number)
    energies = energies[:2].tolist()
    found = nf.solve(
        nf.System.from_kwant(finalized, params=params),
        [{"bond-transmission": {"energies": energies}}],
    )
    places = np.stack([found["bond_site"], found["bond_site_2"]], axis=1) - 1
    sites = places // finalized.sites[0].family.norbs
    operator, of_sites = kwant.operator.Current(finalized), kwant.operator.Density(finalized)
    hoppings = [(int(i), int(j)) for i, j in finalized.graph]
    for k, energy in enumerate(energies):
        states = kwant.wave_function(finalized, energy, params=params)
        for a in range(len(finalized.leads)):
            current, density = np.zeros(len(hoppings)), np.zeros(len(finalized.sites))
            for psi in states(a):
                current += operator(psi, params=params)
                density += of_sites(psi)
            sent = 2 * np.pi * found["injectivity"].values[a, :, k]
            assert sent.reshape(len(density), -1).sum(axis=1) == pytest.approx(density, abs=1e-9)
            # Kwant's hopping (i, j) is from j to i.
            expected = {(j, i): x for (i, j), x in zip(hoppings, current, strict=True)}
            own = found["bond_transmission"].values[a, :, k]
            total = {}
            for (i, j), x in zip(sites.tolist(), own, strict=True):
                if i != j:
                    total[i, j] = total.get((i, j), 0.0) + x
            assert total
            for pair, x in total.items():
                assert x == pytest.approx(expected[pair], abs=1e-9)


def test_the_names_and_fillings_of_its_leads():
    finalized, params, _ = drawn(2)
    names = [f"arm-{k}" for k in range(len(finalized.leads))]
    fillings = {x: {"chemical_potential": 0.1 * k, "temperature": 0.1} for k, x in enumerate(names)}
    system = nf.System.from_kwant(
        finalized, params, leads=fillings, loss=nf.channels.Onsite(rate=0.1)
    )
    assert list(system.leads) == names
    assert system.leads["arm-1"].chemical_potential == 0.1
    with pytest.raises(ValueError, match=f"the system has {len(names)} leads, got values of 1"):
        nf.System.from_kwant(finalized, params, leads={"a": fillings[names[0]]})


def test_leads_of_given_self_energies():
    """One wide, one a chain, both without cells; and one with, on sites of a ladder."""
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(4) for y in range(2))] = lambda site, size: size
    builder[lattice.neighbors()] = -1.0
    wide = np.array([[-0.3j, 0.1 - 0.1j], [0.1 - 0.1j, -0.5j]])

    def chain(energy, args=(), params=None):
        root = np.sqrt(complex(energy**2 - 4))
        return np.array([[0.4 * (energy - (np.sign(energy) if abs(energy) > 2 else 1) * root)]])

    def constant(energy, args=(), params=None):
        return wide

    lead = kwant.Builder(kwant.TranslationalSymmetry((1, 0)))
    lead[lattice(0, 0)], lead[lattice(0, 0), lattice(1, 0)] = 0.1, -0.9
    builder.attach_lead(lead)
    ends = [lattice(0, 0), lattice(0, 1)]
    builder.leads.append(kwant.builder.SelfEnergyLead(constant, ends, []))
    builder.leads.append(kwant.builder.SelfEnergyLead(chain, [lattice(2, 1)], []))
    finalized, energies = builder.finalized(), [-1.1, -0.2, 0.3, 1.4]
    found = nf.transmission(nf.System.from_kwant(finalized, {"size": 0.2}), energies).values
    for k, energy in enumerate(energies):
        expected = kwant.greens_function(finalized, energy, params={"size": 0.2})
        for a in range(3):
            for b in set(range(3)) - {a}:
                np.testing.assert_allclose(found[a, b, k], expected.transmission(a, b), **CLOSE)
    assert np.nanmin(found[:, :3]) > 1e-4


def test_what_it_says_of_systems_that_it_cannot_take_over():
    builder = kwant.Builder()
    lattice = kwant.lattice.chain(norbs=1)
    builder[(lattice(k) for k in range(3))] = lambda site, size: size
    builder[lattice.neighbors()] = -1.0
    with pytest.raises(ValueError, match="the system of Kwant takes size; give its value"):
        nf.System.from_kwant(builder.finalized())
    with pytest.raises(ValueError, match="Builder of Kwant is not finalised"):
        nf.System.from_kwant(builder)
    # What is wrong in functions of the user's is told by Kwant.
    builder[lattice(0)] = lambda site: 1 / 0
    with pytest.raises(kwant.UserCodeError, match="value function"):
        nf.System.from_kwant(builder.finalized(), {"size": 1})


def test_positions_and_orbitals_are_those_of_its_sites():
    finalized, params, _ = drawn(3)
    lattice = nf.System.from_kwant(finalized, params).lattice
    assert lattice.orbitals == 2
    np.testing.assert_array_equal(lattice.positions, [site.pos for site in finalized.sites])
    h = finalized.hamiltonian_submatrix(params=params)
    np.testing.assert_allclose(lattice.described.hamiltonian.toarray(), h, atol=1e-15)


BUILD = """\
import kwant


def build(width, **params):
    lattice = kwant.lattice.square(norbs=1)
    builder = kwant.Builder()
    builder[(lattice(x, y) for x in range(3) for y in range(width))] = lambda site, energy: energy
    builder[lattice.neighbors()] = -1.0
    lead = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    lead[(lattice(0, y) for y in range(width))] = 0.0
    lead[lattice.neighbors()] = -1.0
    builder.attach_lead(lead)
    builder.attach_lead(lead.reversed())
    return builder.finalized()
"""
STUDY = """\
title: A strip that Kwant builds
study: transmission
system:
  lattice: {kind: python, function: "parts/strip.py:build", parameters: {width: $W, energy: $e}}
  leads:
    lead0: {kind: continued, chemical_potential: 0, temperature: 0.1}
    lead1: {kind: continued, chemical_potential: 0, temperature: 0.1}
energies: [0.3]
axes:
  W: {outer: [2, 3], natural_units: "1", long_name: width}
  e: {inner: [0, 0.4], natural_units: t, long_name: energy}
"""


@pytest.mark.parametrize("width", [2, 3])
def test_a_function_of_a_study_may_return_one(tmp_path, width):
    """Its parameters are those of the function and of the values in it; axes count too."""
    for name in ("config/studies", "parts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "parts" / "strip.py").write_text(BUILD)
    path = tmp_path / "config" / "studies" / "strip.yaml"
    path.write_text(STUDY)
    study = load_study(path)
    names = {}
    exec(BUILD, names)
    for energy in ("0", "0.4"):
        parameters = parameters_of(study, {"W": str(width), "e": energy})
        found = study.kind.evaluate(parameters, None).values["transmission"]
        expected = kwant.smatrix(names["build"](width), 0.3, params={"energy": float(energy)})
        np.testing.assert_allclose(found[0, 1, 0], expected.transmission(0, 1), **CLOSE)
