"""Transmissions, noise and correlations against Kwant.

Kwant matches wave functions to the modes of its leads, or eliminates self-energies in sparse
matrices; `make kwant-environment` builds it.
"""

from dataclasses import replace

import kwant
import numpy as np
import pytest
import scipy.sparse

from attached import chain_at, wide_band_at
from lattices import bond_rates, chain, onsite_rates, ring, strip, strip_site
from nessflow.scattering.correlations import correlation_spectrum
from nessflow.scattering.currents import (
    open_channels,
    reflection,
    steady_currents,
    transmission,
)
from nessflow.scattering.noise import lead_noise
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.semi_infinite_strip import SemiInfiniteStrip
from nessflow.systems.matrices import Tridiagonal, as_dense
from nessflow.systems.system import AttachedLead, OpenSystem, attached_leads

ENERGIES = np.array([-1.7, -0.6, 0.05, 0.45, 1.3])
LATTICE = kwant.lattice.square(norbs=1)
CLOSE = {"rtol": 1e-8, "atol": 1e-11}


def site(j):
    """Site j of any system; leads and what they are made of go away from it along y."""
    return LATTICE(j, 0)


def kwant_system(system):
    """The same Hamiltonian and leads; loss and gain are one more lead each, on many sites."""
    h = as_dense(system.hamiltonian)
    builder = kwant.Builder()
    for j, energy in enumerate(np.diag(h)):
        builder[site(j)] = energy
    for i, j in zip(*np.nonzero(np.triu(h, 1)), strict=True):
        builder[site(i), site(j)] = h[i, j]
    for lead in system.leads:
        if isinstance(lead.model, SemiInfiniteChain):
            attach_chain(builder, lead)
        else:
            attach_self_energy(builder, [lead.site], [[-0.5j * lead.model.broadening]])
    for rates in map(as_dense, (system.loss, system.gain)):
        if rates.any():
            sites = np.flatnonzero(rates.any(axis=0))
            attach_self_energy(builder, sites, -1j * rates[np.ix_(sites, sites)])
    return builder.finalized()


def attach_chain(builder, lead):
    builder[LATTICE(lead.site, 1)] = lead.model.onsite
    builder[LATTICE(lead.site, 0), LATTICE(lead.site, 1)] = lead.model.coupling
    wire = kwant.Builder(kwant.TranslationalSymmetry((0, 1)))
    wire[LATTICE(lead.site, 0)] = lead.model.onsite
    wire[LATTICE(lead.site, 0), LATTICE(lead.site, 1)] = lead.model.hopping
    builder.attach_lead(wire)


def attach_self_energy(builder, sites, matrix):
    def self_energy(energy, args=(), params=None):
        return np.array(matrix, complex)

    interface = [site(j) for j in sites]
    builder.leads.append(kwant.builder.SelfEnergyLead(self_energy, interface, []))


def table_by_kwant(system, energy, of):
    """``T_ab`` between terminals as nessflow orders them, by ``kwant.smatrix`` or Green's."""
    found, count = of(kwant_system(system), energy), len(system.terminals)
    last = [count + n for n, matrix in enumerate((system.loss, system.gain)) if matrix.any()]
    terminal = [*system.terminal_of_lead, *last]
    table = np.zeros((count + 2, count + 2))
    for a, one in enumerate(terminal):
        for b, other in enumerate(terminal):
            if one != other:
                table[one, other] += found.transmission(a, b)
    return table


def agree(system, of, energies=ENERGIES):
    expected = [table_by_kwant(system, energy, of) for energy in energies]
    found = transmission(system, energies)
    np.testing.assert_allclose(found, np.moveaxis(expected, 0, -1), **CLOSE)
    return found


def lead(name, at, hopping=1.0, coupling=1.0, onsite=0.0, mu=0.0, temperature=0.0):
    return chain_at(name, at, hopping, coupling, onsite, mu, temperature)


def closed(hamiltonian, leads):
    zero = Tridiagonal.zero(hamiltonian.shape[0])
    return OpenSystem(hamiltonian, zero, zero, leads)


# --- chains and rings -----------------------------------------------------------------------------


def disordered_chain(sites=40):
    rng = np.random.default_rng(5)
    hopping = rng.uniform(0.7, 1.2, sites - 1) * np.exp(1j * rng.uniform(0, 6, sites - 1))
    return chain(sites, hopping, rng.uniform(-0.5, 0.5, sites))


def test_disordered_chain():
    leads = [lead("left", 0, 1.1, 0.8, 0.1), lead("right", 39, 1.3, 0.9, -0.2)]
    found = agree(closed(disordered_chain(), leads), kwant.smatrix)
    assert found[0, 1].max() > 0.1


@pytest.mark.parametrize("wide", [False, True])
def test_chain_with_loss_and_gain_on_sites(wide):
    leads = [lead("left", 0, 1.1, 0.8, 0.1), lead("right", 39, 1.3, 0.9, -0.2)]
    if wide:
        ends = (("left", 0, 1.1), ("right", 39, 0.6))
        leads = [wide_band_at(*end, 0.0, 0.0) for end in ends]
    rates = np.random.default_rng(2).uniform(0, 0.03, (2, 40))
    system = OpenSystem(disordered_chain(), *map(onsite_rates, rates), leads)
    found = agree(system, kwant.greens_function)
    assert found[0, 2].min() > 1e-3


def test_loss_from_bonds():
    """No reciprocity, as gain on two sites shows."""
    ends = [wide_band_at("left", 0, 1.1, 0.0, 0.0), wide_band_at("right", 39, 1.1, 0.0, 0.0)]
    gain = onsite_rates(0.1 * np.isin(range(40), (3, 20)))
    system = OpenSystem(chain(40, 1.0, 0.0), bond_rates(40, 0.05), gain, ends)
    found = agree(system, kwant.greens_function)
    assert abs(found[0, 2] - found[1, 2]).max() > 0.1
    assert abs(found - found.swapaxes(0, 1)).max() > 0.1


def test_ring_with_flux_and_three_leads():
    h = ring(31, 1.0, 0.7, np.random.default_rng(8).uniform(-0.5, 0.5, 31))
    leads = [lead("a", 0), lead("b", 9, 1.2, 0.7, 0.3), lead("c", 20, 0.9, 1.1)]
    found = agree(closed(h, leads), kwant.smatrix, ENERGIES[1:])
    assert abs(found - found.swapaxes(0, 1)).max() > 0.01


# --- strips ---------------------------------------------------------------------------------------

LENGTH, WIDTH = 10, 4
STRIP_ENERGIES = np.array([-3.1, -1.9, -0.33, 0.77, 2.6])


def disordered_strip(field):
    """Strip of LENGTH columns with disorder, in a magnetic field."""
    onsite = np.random.default_rng(3).uniform(-0.6, 0.6, LENGTH * WIDTH)
    h = strip(LENGTH, WIDTH, 1.0, onsite).tocoo()
    columns = h.row // WIDTH - h.col // WIDTH
    phase = np.exp(1j * field * (h.row % WIDTH) * columns)
    return scipy.sparse.csr_array((h.data * phase, (h.row, h.col)), shape=h.shape)


def between_strips(h, mu=(0.0, 0.0)):
    """nessflow: one more column at each end in the basis of its modes, each of them a chain."""
    angle = np.pi * np.arange(1, WIDTH + 1) / (WIDTH + 1)
    shape = np.sqrt(2 / (WIDTH + 1)) * np.sin(np.arange(1, WIDTH + 1)[:, None] * angle)
    levels, inner = -2 * np.cos(angle), h.shape[0]
    matrix = scipy.sparse.block_diag([np.diag(levels), h, np.diag(levels)]).tolil()
    first, last = np.arange(WIDTH), WIDTH + inner + np.arange(WIDTH)
    for outer, column in ((first, first + WIDTH), (last, last - WIDTH)):
        matrix[np.ix_(column, outer)] = -shape
        matrix[np.ix_(outer, column)] = -shape.T
    leads = [
        chain_at(f"{name} {n}", place[n], 1.0, 1.0, levels[n], mu[k], 0.0, name)
        for k, (name, place) in enumerate((("left", first), ("right", last)))
        for n in range(WIDTH)
    ]
    return closed(scipy.sparse.csr_array(matrix), leads)


def between_strips_of_kwant(h):
    """Kwant: the same as the lattice has it."""
    builder, h = kwant.Builder(), h.toarray()
    places = [LATTICE(x, y) for x in range(LENGTH) for y in range(WIDTH)]
    assert strip_site(WIDTH, 2, 1) == places.index(LATTICE(2, 1))
    for i, place in enumerate(places):
        builder[place] = h[i, i]
    for i, j in zip(*np.nonzero(np.triu(h, 1)), strict=True):
        builder[places[i], places[j]] = h[i, j]
    wire = kwant.Builder(kwant.TranslationalSymmetry((-1, 0)))
    wire[(LATTICE(0, y) for y in range(WIDTH))] = 0.0
    wire[LATTICE.neighbors()] = -1.0
    for end in (wire, wire.reversed()):
        builder.attach_lead(end)
    return builder.finalized()


@pytest.mark.parametrize("field", [0.0, 0.9])
def test_disordered_strip_between_strips(field):
    h = disordered_strip(field)
    other = between_strips_of_kwant(h)
    expected = [kwant.smatrix(other, energy).transmission(1, 0) for energy in STRIP_ENERGIES]
    found = transmission(between_strips(h), STRIP_ENERGIES)[1, 0]
    np.testing.assert_allclose(found, expected, **CLOSE)
    assert found.max() > 1.5


@pytest.mark.parametrize("field", [0.0, 0.9])
def test_leads_that_continue_the_strip(field):
    """All that a strip between strips transmits and reflects, with and without a field inside."""
    h = disordered_strip(field)
    ends = range(WIDTH), range((LENGTH - 1) * WIDTH, LENGTH * WIDTH)
    leads = [
        channel
        for name, rows in zip(("left", "right"), ends, strict=True)
        for channel in attached_leads(name, SemiInfiniteStrip(), tuple(rows), 0.0, 0.0)
    ]
    zero = scipy.sparse.csr_array(h.shape)
    system = OpenSystem(h, zero, zero, leads)
    other = between_strips_of_kwant(h)
    for energy in STRIP_ENERGIES:
        expected = kwant.smatrix(other, energy)
        found = transmission(system, [energy])[:, :, 0]
        assert found[1, 0] == pytest.approx(expected.transmission(1, 0), abs=1e-8)
        assert found[0, 1] == pytest.approx(expected.transmission(0, 1), abs=1e-8)
        back = reflection(system, [energy])[:, 0]
        count = open_channels(system, [energy])[:, 0]
        for k in (0, 1):
            assert back[k] == pytest.approx(expected.transmission(k, k), abs=1e-8)
            assert count[k] == expected.num_propagating(k)


def test_a_lead_on_several_sites():
    """Coherent, with complex amplitudes, as a self-energy between its sites."""
    h = ring(6, 1.0, 0.4, np.array([0.1, -0.3, 0.2, 0.0, 0.4, -0.1])).toarray()
    amplitudes = {0: 0.8, 2: 0.3 - 0.5j, 3: 0.2j}
    coherent = AttachedLead("a", amplitudes, SemiInfiniteChain(coupling=0.9), 0.0, 0.0)
    leads = [coherent, wide_band_at("b", 4, 0.6, 0.0, 0.0), wide_band_at("c", 5, 0.4, 0.0, 0.0)]
    system = OpenSystem(h, 0 * h.real, 0 * h.real, leads)
    v, sites = coherent.amplitudes, coherent.sites
    plain = replace(system, leads=leads[1:])
    for energy in ENERGIES:
        builder = kwant.Builder()
        for j in range(6):
            builder[site(j)] = h[j, j].real
        for i, j in zip(*np.nonzero(np.triu(h, 1)), strict=True):
            builder[site(i), site(j)] = h[i, j]
        attach_self_energy(builder, sites, coherent.self_energy(energy) * np.outer(v, v.conj()))
        for lead in plain.leads:
            attach_self_energy(builder, [lead.site], [[-0.5j * lead.model.broadening]])
        expected = kwant.greens_function(builder.finalized(), energy)
        found = transmission(system, [energy])[:, :, 0]
        for a in range(3):
            for b in range(3):
                if a != b:
                    assert found[a, b] == pytest.approx(expected.transmission(a, b), abs=1e-10)


def test_strip_between_chains_with_loss_inside():
    """Four chains at the corners and loss of all rows of one column."""
    sites = LENGTH * WIDTH
    corners = [strip_site(WIDTH, x, y) for x in (0, LENGTH - 1) for y in (0, WIDTH - 1)]
    leads = [lead("abcd"[n], at, 1.5, 1.0, 0.1 * n) for n, at in enumerate(corners)]
    loss = np.zeros(sites)
    loss[strip_site(WIDTH, 4, 0) : strip_site(WIDTH, 5, 0)] = 0.3
    h = disordered_strip(0.9)
    zero = scipy.sparse.csr_array(h.shape)
    system = OpenSystem(h, scipy.sparse.diags_array(loss).tocsr(), zero, leads)
    found = agree(system, kwant.greens_function)
    assert abs(found - found.swapaxes(0, 1)).max() > 0.01


def test_correlations_are_those_of_incoming_waves():
    """Only the left lead is filled: its scattering states, normalised to current."""
    h = disordered_strip(0.9)
    system, other = between_strips(h, (3.9, -3.9)), between_strips_of_kwant(h)
    found, _ = correlation_spectrum(system, STRIP_ENERGIES)
    inner = slice(WIDTH, WIDTH + h.shape[0])
    place = [other.id_by_site[LATTICE(x, y)] for x in range(LENGTH) for y in range(WIDTH)]
    for n, energy in enumerate(STRIP_ENERGIES):
        waves = kwant.wave_function(other, energy)(0)[:, place]
        expected = waves.conj().T @ waves
        np.testing.assert_allclose(found[inner, inner, n], expected, **CLOSE)


def test_current_and_shot_noise():
    """Temperature 0, ``Tr[t t^+ (1 - t t^+)]``; no band edge is between the potentials."""
    h = disordered_strip(0.9)
    system, other = between_strips(h, (0.9, 0.6)), between_strips_of_kwant(h)
    nodes, weights = np.polynomial.legendre.leggauss(48)
    through = [kwant.smatrix(other, 0.75 + 0.15 * node) for node in nodes]
    scale = 0.15 / (2 * np.pi)
    current = scale * weights @ [s.transmission(1, 0) for s in through]
    noise = scale * weights @ [kwant.physics.two_terminal_shotnoise(s) for s in through]
    assert steady_currents(system).particle_current.value[0] == pytest.approx(current, rel=1e-8)
    np.testing.assert_allclose(
        lead_noise(system).particle_noise.value, noise * np.array([[1, -1], [-1, 1]]), rtol=1e-8
    )
    assert noise > 0.1 * current
