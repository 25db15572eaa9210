"""Leads on several sites: one channel that couples coherently, or the rows of a strip.

A unitary change of basis turns leads on sites into leads on combinations of sites, and a chain with
its first site in the system couples by the bonds of that site: two exact equalities, for all that
is made of leads.
"""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from lattices import chain, onsite_rates, ring, strip
from nessflow.estimate import Estimate
from nessflow.lindblad.additive import global_equation, local_equation
from nessflow.lindblad.counting import transport
from nessflow.lindblad.propagator import asymptotic_equation
from nessflow.probes.exact import probe_capacity, solve_probes
from nessflow.probes.linear import linear_probes
from nessflow.probes.noise import probe_noise
from nessflow.probes.problem import Probe
from nessflow.probes.third_order import conductance_derivatives
from nessflow.scattering.correlations import correlation_matrix
from nessflow.scattering.counting import generating_function, lead_cumulants
from nessflow.scattering.currents import (
    disorder_susceptibility,
    open_channels,
    reflection,
    steady_currents,
    transmission,
)
from nessflow.scattering.entropy import scattering_entropy_production
from nessflow.scattering.evolution import evolve
from nessflow.scattering.linear_response import conductance_matrices, linear_response
from nessflow.scattering.noise import lead_noise, terminal_noise
from nessflow.scattering.profiles import profiles, terminal_currents
from nessflow.solvers import banded, dense
from nessflow.solvers.dark_states import dark_states
from nessflow.solvers.dense import scattering_matrix
from nessflow.spectrum.bound_states import bound_states
from nessflow.spectrum.mesh import known_poles, resonances
from nessflow.spectrum.rates import Rates
from nessflow.systems.leads.lorentzian import Lorentzian
from nessflow.systems.leads.semi_infinite_chain import SemiInfiniteChain
from nessflow.systems.leads.semi_infinite_ssh import SemiInfiniteSSH
from nessflow.systems.leads.semi_infinite_strip import SemiInfiniteStrip
from nessflow.systems.leads.wide_band import WideBand
from nessflow.systems.matrices import Tridiagonal, as_dense
from nessflow.systems.system import AttachedLead, OpenSystem, attached_leads

ENERGIES = np.array([-2.41, -1.3, -0.37, 0.11, 0.82, 1.57, 2.7])
MODELS = {
    "wide band": WideBand(broadening=0.7),
    "chain": SemiInfiniteChain(hopping=1.2, coupling=0.8, onsite=0.1),
    "SSH": SemiInfiniteSSH(intracell=0.6, intercell=1.1, coupling=0.5, onsite=0.15),
    "Lorentzian": Lorentzian(coupling=0.6, onsite=-0.3, half_width=0.4),
}
SITES = 5


def random_unitary(seed, size=SITES):
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size)))[0]


def on_sites(model, loss=0.1, gain=0.05):
    """Three leads on sites of a random Hamiltonian, loss and gain on others."""
    rng = np.random.default_rng(3)
    h = rng.normal(size=(SITES, SITES)) + 1j * rng.normal(size=(SITES, SITES))
    h = 0.25 * (h + h.conj().T)
    leads = [
        AttachedLead("left", 0, model, 0.4, 0.2),
        AttachedLead("right", 2, SemiInfiniteChain(hopping=1.3, coupling=0.9), -0.3, 0.1),
        AttachedLead("top", 3, WideBand(broadening=0.3), 0.1, 0.3),
    ]
    p, q = np.zeros((2, SITES, SITES))
    p[1, 1], q[4, 4] = loss, gain
    return OpenSystem(h, p, q, leads)


def rotated(system, unitary, storage=np.asarray):
    """Return the same system in another basis of its sites."""
    matrices = (as_dense(x) for x in (system.hamiltonian, system.loss, system.gain))
    h, p, q = (unitary @ x @ unitary.conj().T for x in matrices)
    matrices = (storage(0.5 * (x + x.conj().T)) for x in (h, p, q))
    leads = []
    for lead in system.leads:
        vector = unitary[:, lead.sites] @ lead.amplitudes
        leads.append(replace(lead, site={j: x for j, x in enumerate(vector.tolist()) if x != 0}))
    return OpenSystem(*matrices, leads)


@pytest.fixture(params=MODELS)
def pair(request):
    system = on_sites(MODELS[request.param])
    return system, rotated(system, random_unitary(1))


def same(pair, function, name=None):
    own, other = (function(system) for system in pair)
    if name is None:
        np.testing.assert_allclose(own, other, rtol=1e-10, atol=1e-13)
        return
    found = [getattr(x, name) for x in (own, other)]
    if not isinstance(found[0], Estimate):
        found = [Estimate(value, x.error) for value, x in zip(found, (own, other), strict=True)]
    values, errors = ([np.asarray(x[k]) for x in found] for k in (0, 1))
    difference = abs(values[0] - values[1])
    assert np.array_equal(*map(np.isnan, values)), name
    assert np.all((difference <= sum(errors)) | np.isnan(difference)), (name, difference, errors)
    assert np.nanmax(sum(errors)) < 1e-7, (name, errors)


# --- any lead on a combination of sites -----------------------------------------------------------


@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array])
def test_transmissions_are_traces(pair, storage, monkeypatch):
    """Against matrices, every channel; by dense and by banded elimination."""
    monkeypatch.setattr("nessflow.solvers.solver._SMALL", 0)
    _, system = pair
    system = replace(
        system, **{x: storage(as_dense(getattr(system, x))) for x in ("hamiltonian", "loss")}
    )
    vectors = [lead.vector(SITES) for lead in system.leads]
    table = transmission(system, ENERGIES)
    for k, energy in enumerate(ENERGIES):
        inverse = energy * np.eye(SITES) - system.damping_matrix()
        gamma = []
        for v, lead in zip(vectors, system.leads, strict=True):
            inverse = inverse - lead.self_energy(energy) * np.outer(v, v.conj())
            gamma.append(lead.broadening_at(energy) * np.outer(v, v.conj()))
        gamma += [2 * as_dense(system.loss), 2 * as_dense(system.gain)]
        g = np.linalg.inv(inverse)
        expected = np.array([[np.trace(a @ g @ b @ g.conj().T).real for b in gamma] for a in gamma])
        np.fill_diagonal(expected, 0.0)
        np.testing.assert_allclose(table[:, :, k], expected, rtol=1e-10, atol=1e-14)
    known = reflection(system, ENERGIES) + table[:3].sum(axis=1)
    np.testing.assert_allclose(known, open_channels(system, ENERGIES), atol=1e-12)
    np.testing.assert_allclose(table[:3].sum(axis=1), table[:, :3].sum(axis=0), atol=1e-12)


def test_the_scattering_matrix_is_unitary(pair):
    for system in pair:
        s, _ = scattering_matrix(system, ENERGIES)
        identity = np.broadcast_to(np.eye(s.shape[1]), s.shape)
        np.testing.assert_allclose(s @ s.conj().swapaxes(1, 2), identity, atol=1e-12)


def test_all_integrals_are_those_of_the_basis_of_sites(pair):
    for name in ("particle_current", "energy_current"):
        same(pair, steady_currents, name)
        same(pair, terminal_currents, name)
    same(pair, lead_noise, "particle_noise")
    same(pair, lead_cumulants, "cumulants")
    one, other = map(scattering_entropy_production, pair)
    assert abs(one.value - other.value) <= one.error + other.error
    same(pair, lambda x: generating_function(x, "right", np.array([0.7, 2.9]))[0])


@pytest.mark.parametrize("storage", [np.asarray, scipy.sparse.csr_array])
def test_what_loss_and_gain_send_is_positive_however_far_away(storage):
    """Where the vectors of leads and channels are orthogonal but for rounding."""
    system = rotated(on_sites(WideBand(broadening=0.6)), random_unitary(4), storage)
    energies = np.concatenate([10.0 ** np.arange(25), -(10.0 ** np.arange(25))])
    for module in (dense, banded):
        _, loss, gain = module.contact_rows(system, energies)
        assert loss.min() >= 0
        assert gain.min() >= 0


def test_poles_move_to_the_same_places(pair):
    for function in (resonances, known_poles):
        own, other = (np.sort_complex(function(system).round(9)) for system in pair)
        np.testing.assert_allclose(own, other, atol=2e-9)


def test_linear_response_is_that_of_the_basis_of_sites(pair):
    for temperature in (0.0, 0.2):
        leads = [replace(x, chemical_potential=0.7, temperature=temperature) for x in pair[0].leads]
        alike = replace(pair[0], leads=leads)
        other = rotated(alike, random_unitary(1))
        (own, error, _), (found, wrong, _) = map(conductance_matrices, (alike, other))
        assert np.all(abs(own - found) <= error + wrong)
        assert max(error.max(), wrong.max()) < 1e-9


def test_rows_of_the_noise_of_all_terminals_add_up_to_zero(pair):
    found = terminal_noise(pair[1], 1e-8)
    assert np.all(
        abs(found.particle_noise.value.sum(axis=1)) <= found.particle_noise.error.sum(axis=1)
    )
    same(pair, lambda x: terminal_noise(x, 1e-8), "particle_noise")


def test_equilibrium_noise_is_that_of_the_conductances():
    closed = on_sites(MODELS["chain"], loss=0.0, gain=0.0)
    leads = [replace(x, chemical_potential=0.2, temperature=0.15) for x in closed.leads]
    system = rotated(replace(closed, leads=leads), random_unitary(2))
    noise = lead_noise(system)
    conductance = conductance_matrices(system)[0][0]
    expected = 0.15 * (conductance + conductance.T)
    np.testing.assert_allclose(noise.particle_noise.value, expected, rtol=1e-9)


def test_probes_are_those_of_the_basis_of_sites(pair):
    probes = [Probe("right", 0.002)]
    for solve in (solve_probes, lambda *x: linear_probes(alike(x[0]), x[1])):
        same(pair, lambda x, solve=solve: solve(x, probes), "chemical_potential")
    same(pair, lambda x: probe_capacity(x)[0])
    noise = [probe_noise(x, probes, 1e-7) for x in pair]
    np.testing.assert_allclose(noise[0].floating.value, noise[1].floating.value, rtol=1e-6)
    for energy in (0.81, -0.4):
        same(pair, lambda x, energy=energy: conductance_derivatives(x, energy))


def alike(system):
    return replace(system, leads=[replace(lead, temperature=0.2) for lead in system.leads])


def test_master_equations_are_those_of_the_basis_of_sites():
    wide = on_sites(WideBand(broadening=0.7))
    wide = replace(wide, leads=[replace(x, model=WideBand(broadening=0.4)) for x in wide.leads])
    unitary = random_unitary(1)
    other = rotated(wide, unitary)
    for equation in (local_equation, global_equation, asymptotic_equation):
        own, found = (transport(equation(x)).particle_current.value for x in (wide, other))
        np.testing.assert_allclose(found, own, rtol=1e-8, atol=1e-12)


def test_a_gauge_transformation_changes_no_number():
    system = rotated(on_sites(MODELS["chain"]), random_unitary(1))
    other = rotated(system, np.diag(np.exp(1j * np.arange(SITES) ** 2)))
    for name in ("occupation", "bound_weight"):
        same((system, other), profiles, name)
    same((system, other), lambda x: transmission(x, ENERGIES))


# --- a chain with its first site in the system ----------------------------------------------------


AMPLITUDES = {1: 0.6, 3: 0.3 - 0.4j, 4: 0.2j}


def coherent(storage, loss=0.05):
    """Return a chain with a coherent lead, and the same with that lead's first site in it."""
    h = as_dense(chain(6, np.full(5, 0.9), np.array([0.3, -0.2, 0.1, 0.4, 0.0, -0.3])))
    p = np.diag([0.0, 0.0, loss, 0.0, 0.0, 0.0])
    lead = SemiInfiniteChain(hopping=1.1, coupling=0.7, onsite=0.2)
    others = [
        AttachedLead("left", 0, WideBand(broadening=0.8), 0.3, 0.1),
        AttachedLead("right", 5, SemiInfiniteChain(coupling=0.8), -0.2, 0.2),
    ]
    top = AttachedLead("top", AMPLITUDES, lead, 0.1, 0.15)
    longer = np.zeros((7, 7), complex)
    longer[:6, :6], longer[6, 6] = h, 0.2
    for j, amplitude in AMPLITUDES.items():
        longer[j, 6] = 0.7 * amplitude
        longer[6, j] = np.conj(longer[j, 6])
    dot = AttachedLead(
        "top", 6, SemiInfiniteChain(hopping=1.1, coupling=1.1, onsite=0.2), 0.1, 0.15
    )
    p_longer = np.pad(p, (0, 1))
    zero = Tridiagonal.zero
    if storage == "chain":
        h = chain(6, np.full(5, 0.9), np.diag(h).real)
        p = onsite_rates(np.diag(p))
    elif storage == "banded":
        h, longer = scipy.sparse.csr_array(h), scipy.sparse.csr_array(longer)
        p, p_longer = scipy.sparse.csr_array(p), scipy.sparse.csr_array(p_longer)
    return (
        OpenSystem(h, p, zero(6), [*others, top]),
        OpenSystem(longer, p_longer, zero(7), [*others, dot]),
    )


@pytest.fixture(params=["dense", "banded", "chain"])
def dots(request, monkeypatch):
    monkeypatch.setattr("nessflow.solvers.solver._SMALL", 0)
    return coherent(request.param)


def test_a_coherent_lead_is_its_first_site_beside_the_system(dots):
    same(dots, lambda x: transmission(x, ENERGIES))
    for name in ("particle_current", "energy_current"):
        same(dots, steady_currents, name)
        same(dots, terminal_currents, name)
    same(dots, lead_noise, "particle_noise")
    same(dots, lead_cumulants, "cumulants")
    probes = [Probe("top", 0.01)]
    same(dots, lambda x: solve_probes(x, probes), "chemical_potential")


def test_it_fills_the_sites_as_that_does(dots):
    short, long = map(profiles, dots)
    assert len(short.bonds) == 5
    bonds = [long.bonds.tolist().index(pair) for pair in short.bonds.tolist()]
    for name, kept in (("occupation", slice(6)), ("bond_current", bonds)):
        own, other = getattr(short, name), getattr(long, name).at(kept)
        error = own.error + other.error
        assert np.all(abs(own.value - other.value) <= error), name
        assert error.max() < 1e-8


def test_transients_and_correlations_are_those_of_that():
    closed = [replace(x, loss=Tridiagonal.zero(x.sites)) for x in coherent("dense", loss=0.0)]
    models = SemiInfiniteChain(hopping=1.2, coupling=0.9)
    closed = [replace(x, leads=[replace(x.leads[0], model=models), *x.leads[1:]]) for x in closed]
    own, other = map(correlation_matrix, closed)
    assert np.all(abs(own.value - other.value[:6, :6]) <= own.error + other.error[:6, :6])
    assert own.error.max() < 1e-8
    times = np.array([0.5, 2.0])
    lead = closed[0]
    full = replace(
        lead, leads=[replace(x, chemical_potential=30.0, temperature=0.0) for x in lead.leads]
    )
    found = evolve(full, times)
    start = np.zeros((6, 6))
    later = evolve(lead, np.array([200.0])).correlations(start)[0]
    np.testing.assert_allclose(later, own.value, atol=1e-7)
    assert found.error.max() < 1e-9  # full leads keep what is full


@pytest.mark.parametrize("storage", ["dense", "banded"])
def test_weak_disorder_is_differences(storage):
    system, _ = coherent(storage)
    system = replace(system, leads=[system.leads[0], system.leads[2]])
    found, _, _ = disorder_susceptibility(system)
    for j in (1, 2, 3):
        ends = []
        for step in (-1e-4, 1e-4):
            h = as_dense(system.hamiltonian).astype(complex)
            h[j, j] += step
            ends.append(steady_currents(replace(system, hamiltonian=h)).net_particle_current.value)
        assert found[j] == pytest.approx((ends[1] - ends[0]) / 2e-4, rel=1e-5)


# --- what a vector does not reach -----------------------------------------------------------------


def test_dark_states_are_those_that_the_vectors_do_not_reach():
    """A ring of four, and a lead on the odd combination of two opposite sites."""
    h, zero = ring(4, 1.0, 0.0, np.zeros(4)), Tridiagonal.zero(4)
    for amplitudes, count in (({0: 1.0, 2: -1.0}, 3), ({0: 1.0, 2: 1.0}, 2), ({0: 1, 2: 0.5}, 1)):
        lead = AttachedLead("a", amplitudes, WideBand(broadening=0.6), 0.1, 0.1)
        system = OpenSystem(h, zero, zero, [lead])
        dark = dark_states(system)
        assert dark.levels.size == count
        np.testing.assert_allclose(lead.vector(4).conj() @ dark.vectors, 0.0, atol=1e-13)
        residue = as_dense(system.hamiltonian) @ dark.vectors - dark.vectors * dark.levels
        np.testing.assert_allclose(residue, 0.0, atol=1e-13)
        # At the level of a dark state contacts are those beside it.
        at, beside = (Rates(system, np.array([x])).green for x in (0.0, 1e-9))
        np.testing.assert_allclose(at, beside, atol=1e-6)
        weight = profiles(system)
        np.testing.assert_allclose(
            weight.bound_weight.value, np.sum(abs(dark.vectors) ** 2, axis=1), atol=1e-10
        )
        assert np.all(weight.bound_weight.error < 1e-9)


@pytest.mark.parametrize("phase", [0.0, 0.9])
def test_bound_states_beside_a_closed_lead_on_two_sites(phase):
    """The closed lead joins sites as a bond does: what it joins to a damped site decays."""
    narrow = SemiInfiniteChain(hopping=0.1, coupling=0.5, onsite=3.0)
    wide = AttachedLead("wide", 0, WideBand(broadening=0.7), 0.0, 0.1)
    h = np.zeros((3, 3))
    h[0, 1] = h[1, 0] = 0.8
    v = {1: 1.0, 2: 0.7 * np.exp(1j * phase)}
    joined = OpenSystem(h, 0 * h, 0 * h, [wide, AttachedLead("top", v, narrow, 0.0, 0.1)])
    assert bound_states(joined).levels.size == 0
    point = narrow.model_copy(update={"coupling": 0.35})
    found, expected = (
        bound_states(replace(joined, leads=[wide, AttachedLead("top", site, lead, 0.0, 0.1)]))
        for site, lead in (({2: v[2]}, narrow), (2, point))
    )
    assert found.levels.size == 1
    np.testing.assert_allclose(found.levels, expected.levels, atol=1e-12)
    np.testing.assert_allclose(abs(found.vectors), abs(expected.vectors), atol=1e-9)


def test_bound_states_are_those_of_the_basis_of_sites():
    """Beyond all bands, on all sites, with complex amplitudes."""
    chains = SemiInfiniteChain(hopping=0.6, coupling=0.9)
    system = on_sites(chains, loss=0.0, gain=0.0)
    leads = [replace(lead, model=chains) for lead in system.leads]
    system = replace(system, leads=leads, hamiltonian=1.8 * system.hamiltonian)
    unitary = random_unitary(1)
    own, other = map(bound_states, (system, rotated(system, unitary)))
    assert own.levels.size >= 2
    np.testing.assert_allclose(own.levels, other.levels, atol=1e-11)
    overlaps = np.sum((unitary @ own.vectors).conj() * other.vectors, axis=0)
    np.testing.assert_allclose(abs(overlaps), np.sum(abs(own.vectors) ** 2, axis=0), atol=1e-8)


# --- strips ---------------------------------------------------------------------------------------


def between_strips(length, width, left, right, onsite, storage=lambda x: x, loss=None):
    """Return a strip between the ends of others, and its first column's number."""
    h = storage(strip(length, width, 1.0, onsite))
    columns = range(width), range((length - 1) * width, length * width)
    leads = [
        *attached_leads("left", left, tuple(columns[0]), 0.3, 0.1),
        *attached_leads("right", right, tuple(columns[1]), -0.4, 0.05),
    ]
    zero = Tridiagonal.zero(length * width)
    return OpenSystem(h, zero if loss is None else onsite_rates(loss), zero, leads)


@pytest.mark.parametrize(("width", "mu"), [(1, 0.3), (2, -2.2), (3, -2.5), (3, -1.5), (4, 0.1)])
def test_a_continued_strip_has_the_conductance_of_its_open_channels(width, mu):
    lead = SemiInfiniteStrip()
    system = between_strips(4, width, lead, lead, np.zeros(4 * width))
    levels = -2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1))
    count = np.sum(abs(mu - levels) < 2)
    leads = [replace(x, chemical_potential=mu, temperature=0.0) for x in system.leads]
    found = linear_response(replace(system, leads=leads))
    assert 2 * np.pi * found.electrical_conductance.value == pytest.approx(count, rel=1e-12)
    energies = np.array([mu])
    np.testing.assert_array_equal(open_channels(system, energies), count)
    np.testing.assert_allclose(reflection(system, energies), 0.0, atol=1e-12)


@pytest.mark.parametrize("storage", [lambda x: x, lambda x: x.toarray()], ids=["banded", "dense"])
@pytest.mark.parametrize("width", [2, 3])
def test_a_strip_does_not_know_where_its_leads_begin(width, storage, monkeypatch):
    """Columns moved from the leads into the system change nothing."""
    monkeypatch.setattr("nessflow.solvers.solver._SMALL", 0)
    rng = np.random.default_rng(4)
    inner, loss = 0.5 * rng.normal(size=3 * width), np.zeros(3 * width)
    loss[width] = 0.2
    weak = SemiInfiniteStrip(coupling=0.6)
    short = between_strips(3, width, SemiInfiniteStrip(), weak, inner, storage, loss)
    ends = np.zeros(width)
    long = between_strips(
        5,
        width,
        SemiInfiniteStrip(),
        SemiInfiniteStrip(),
        np.concatenate([ends, inner, ends]),
        lambda x: storage(weakened(x, width)),
        np.concatenate([ends, loss, ends]),
    )
    pair = short, long
    energies = np.linspace(-3.9, 3.7, 14)
    same(pair, lambda x: transmission(x, energies))
    np.testing.assert_allclose(reflection(short, energies), reflection(long, energies), atol=1e-10)
    for name in ("particle_current", "energy_current"):
        same(pair, steady_currents, name)
    same(pair, lead_noise, "particle_noise")
    same(pair, lead_cumulants, "cumulants")
    one, other = map(scattering_entropy_production, pair)
    assert abs(one.value - other.value) <= one.error + other.error
    own, other = map(profiles, pair)
    middle = slice(width, -width)
    assert np.all(
        abs(own.occupation.value - other.occupation.value[middle])
        <= own.occupation.error + other.occupation.error[middle]
    )
    assert own.occupation.error.max() < 1e-7
    probes = [Probe("right", 0.01)]
    same(pair, lambda x: solve_probes(x, probes), "chemical_potential")


def weakened(h, width):
    """Return a strip whose last column is coupled by hoppings of 0.6 instead of 1."""
    h = h.tolil()
    for row in range(1, width + 1):
        h[-row, -row - width] = h[-row - width, -row] = -0.6
    return h.tocsr()


def test_edges_of_all_subbands_are_break_points():
    system = between_strips(3, 3, SemiInfiniteStrip(), SemiInfiniteStrip(), np.zeros(9))
    edges = sorted({round(edge, 12) for lead in system.leads for edge in lead.model.edges})
    root = np.sqrt(2)
    expected = [-2 - root, -2, -2 + root, 2 - root, 2, 2 + root]
    np.testing.assert_allclose(edges, np.round(expected, 12))


def test_channels_have_a_charge_and_an_energy_for_those_who_come():
    lead = AttachedLead("a", 0, WideBand(broadening=1.0), 0.0, 0.1)
    assert (lead.charge, lead.energy_offset) == (1, 0.0)
    with pytest.raises(ValueError, match="charge"):
        replace(lead, charge=-1)
    with pytest.raises(ValueError, match="amplitudes"):
        replace(lead, site={0: 0.0})
    with pytest.raises(ValueError, match="at least one"):
        replace(lead, site={})


# --- what interference cancels --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flux", "site", "lossy"), [(0.0, {0: 1.0, 2: -1.0}, 1), (np.pi, 0, 2)], ids=["odd", "caged"]
)
def test_loss_that_interference_hides_is_zero_within_its_error(flux, site, lossy):
    """Squares of rounding errors are no numbers to be integrated to ten digits."""
    rates = np.zeros(4)
    rates[lossy] = 0.1
    lead = AttachedLead("a", site, WideBand(broadening=0.6), 0.1, 0.1)
    system = OpenSystem(ring(4, 1.0, flux), onsite_rates(rates), Tridiagonal.zero(4), [lead])
    currents = steady_currents(system)
    assert currents.converged
    assert currents.evaluations < 5000
    assert np.all(abs(currents.particle_current.value) <= currents.particle_current.error)
    assert currents.particle_current.error.max() < 1e-25
    for found in (lead_noise(system), lead_cumulants(system)):
        assert found.converged
        assert found.evaluations < 5000
    inside = profiles(system)
    assert inside.converged
    assert inside.occupation.value[lossy] <= inside.occupation.error[lossy] < 1e-25


@pytest.mark.parametrize("temperature", [0.0, 0.1])
@pytest.mark.parametrize("function", [steady_currents, terminal_currents])
def test_loss_of_a_combination_that_no_lead_reaches_is_zero_within_its_error(function, temperature):
    """Both leads fill the even state of two sites, and the odd one is lost."""
    even = {0: 1.0, 1: 1.0}
    ends = (("left", 0.3), ("right", -0.3))
    leads = [AttachedLead(x, even, WideBand(broadening=1.0), mu, temperature) for x, mu in ends]
    loss = 0.1 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    system = OpenSystem(chain(2, [1.0], 0.0), loss, Tridiagonal.zero(2), leads)
    currents = function(system)
    assert currents.converged
    assert currents.evaluations < 500_000
    lost = currents.particle_current.at(2)
    assert abs(lost.value) <= lost.error < 1e-15


def test_an_empty_wide_band_on_several_sites_is_loss_from_their_combination():
    system = on_sites(MODELS["chain"], loss=0.0)
    v = np.array([0.5, 0.3j, 0.0, 0.2 - 0.4j, 0.1])
    loss = 0.35 * np.outer(v, v.conj())
    lead = AttachedLead(
        "drain", {j: x for j, x in enumerate(v) if x}, WideBand(broadening=0.7), 0, 0
    )
    own = transmission(replace(system, loss=loss), ENERGIES)
    other = transmission(replace(system, leads=[*system.leads, lead]), ENERGIES)
    np.testing.assert_allclose(
        other[[0, 1, 2, 3, 5]][:, [0, 1, 2, 3, 5]], own[:, [0, 1, 2, 3, 4]], rtol=1e-11
    )
